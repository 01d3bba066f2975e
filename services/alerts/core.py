"""The actor `alerts`: it asks every process how it is, serves that as metrics, and tells people what is wrong.

Theory of operation. Every `poll_ns` each actor and supervisor is asked for its status over its control link; what has
been heard is the picture. One poll serves both: the metrics are read from the picture when somebody asks for them, and
after each poll's answers the watches look at it, the book decides what fires, and the deliveries say what is sent.
Sending, and writing down what a restart must know, is a worker's.

Nothing depends on this process, and it changes nothing: to the others it is a question every few seconds, and to orders
a word for the journal when a person has acknowledged or silenced something here.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import orjson

from common.actor.acts import ActDone
from common.actor.core import Call, Core, Send
from common.alerts import AlertsStanding, FiringAlert, Rule, Severity, Silence
from common.instant import NS_PER_MS, NS_PER_S, Instant
from common.messages import ControlAnswer, ControlRequest
from common.orders.money import Held
from services.alerts.book import AlertBook, AlertNotice, Due, Pauses, RememberedAlert, is_kept_quiet
from services.alerts.by_hand import FIRST_TOKEN, ORDERS, ByHand
from services.alerts.deliveries import Deliveries, Letter, Posted
from services.alerts.metrics import MetricsView, exposition
from services.alerts.page import MetricsPage
from services.alerts.picture import Picture
from services.alerts.readings import UNREADABLE, Money, Readings
from services.alerts.wording import shown_silence

ANSWERS_NS = 500 * NS_PER_MS
"""The watches look so long after the questions."""

MONEY_NS = 10 * NS_PER_S
MONEY_TOKEN = 1
ASK_AGAIN_NS = 10 * NS_PER_S
"""One that stands still is not asked again and again: the questions would wait for it."""



class Kept(msgspec.Struct, frozen=True):
    """What a later life of the process is given."""

    notices: int = 0
    alerts: list[RememberedAlert] = []
    letters: list[Letter] = []
    discrepancies: dict[str, int] = {}
    silences: list[Silence] = []
    acts: list[ActDone] = []


class AlertsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The configuration as the core needs it. `names` are asked, and `owners` are the supervisors of the actors among
    them; `sinks` are the kinds by name; `beat_ns` 0 sends no
    heartbeat; `metrics` is where they are served.
    """

    names: tuple[str, ...]
    rules: tuple[Rule, ...]
    pauses: Pauses
    money: Money
    environment: str
    host: str
    sinks: Mapping[str, str]
    poll_ns: int
    beat_ns: int
    kept: Kept
    owners: Mapping[str, str] = {}
    metrics_host: str = ""
    metrics: str = ""


class AlertsCore(Core):
    """See the module."""

    def __init__(self, settings: AlertsSettings) -> None:
        """Nobody was asked yet."""
        super().__init__("alerts")
        self._settings = settings
        self.picture = Picture(settings.names, settings.poll_ns, settings.owners)
        self.readings = Readings(self.picture, settings.money)
        self._book = AlertBook(settings.rules, settings.pauses)
        self._deliveries = Deliveries(settings.sinks, settings.beat_ns)
        self._page = MetricsPage(settings.metrics_host, self.metrics_text)
        self._chosen: Mapping[str, Sequence[str]] = {rule.name: rule.sinks for rule in settings.rules}
        self._asked: dict[str, int] = {}
        self._poll_boot_ns = 0
        self._look_boot_ns: int | None = None
        self._money_boot_ns = 0
        self._polled_wall_ns = 0
        self._notices = settings.kept.notices
        self._to_write = False
        self._state_error = ""
        self._metrics_failure = ""
        self._calls = 0
        self._by_hand = ByHand(self, self._book, self._deliveries, lambda now: self._notice(now, Due(), is_test=True))

    def cannot_serve(self, why: str) -> None:
        """The metrics' port is not to be had: alerts are told all the same."""
        self._metrics_failure = why
        self.note("error", "no_metrics", text=why, mend="set port of [alerts.metrics] to a free one")

    # ---- inputs ----

    def started(self, now: Instant) -> None:
        """Take up what the former life had told, and ask everybody."""
        kept = self._settings.kept
        self.picture.begin(now)
        self.readings.discrepancies.begin_at(kept.discrepancies)
        self._book.restore(kept.alerts, kept.silences, now)
        self._deliveries.restore(kept.letters)
        self._by_hand.restore(kept.acts)
        self._poll(now)

    def timer(self, now: Instant) -> None:
        """Ask, look, and send what is due."""
        if now.boot_ns >= self._poll_boot_ns:
            self._poll(now)
        if self._look_boot_ns is not None and now.boot_ns >= self._look_boot_ns:
            self._look_boot_ns = None
            self._look(now)
        self._post(now)

    def next_deadline_ns(self) -> int | None:
        """See `Core`."""
        due = (self._poll_boot_ns, self._look_boot_ns, self._deliveries.next_boot_ns())
        return min(each for each in due if each is not None)

    def received(self, link: str, peer: bytes, message: msgspec.Struct, now: Instant) -> None:
        """An answer, or a person's request."""
        if isinstance(message, ControlRequest):
            self._to_write |= self._by_hand.act(peer, message, now)
            self._post(now)
        elif isinstance(message, ControlAnswer):
            self._asked.pop(link, None)
            if message.ok:
                self._hear(link, message, now)

    def undelivered(self, send: Send, now: Instant) -> None:
        """One that was to be asked is not there."""
        self._asked.pop(send.link, None)

    def call_finished(self, number: int, result: msgspec.Struct, now: Instant) -> None:
        """The worker has sent, or tried to."""
        assert isinstance(result, Posted)
        self._state_error = result.state_error
        if result.state_error:
            self.note("error", "state_not_written", text=result.state_error)
        self._by_hand.written(result.state_error)
        for sent in result.sent:
            if sent.error:
                self.note("warning", "not_sent", sink=sent.sink, text=sent.error)
        errors = {sent.sink: sent.error for sent in result.sent}
        over = self._deliveries.end(result, now)
        self._to_write |= any(not letter.notice.is_test for letter in over)
        for letter in over:
            if letter.notice.is_test:
                self._by_hand.tested(letter.sink, errors[letter.sink])
        self._post(now)

    # ---- the port of the metrics ----

    def accepted(self, connection: int, listener: str, now: Instant) -> None:
        """See `Core`."""
        self.effects += self._page.accepted(connection, now)

    def data(self, connection: int, data: bytes, now: Instant) -> None:
        """See `Core`."""
        self.effects += self._page.data(connection, data, now)

    def closed(self, connection: int, text: str, now: Instant) -> None:
        """See `Core`."""
        self._page.closed(connection)

    def metrics_text(self, now: Instant) -> str:
        """The page."""
        firing, sinks = self._book.firing(now), self._deliveries.standings()
        its, unread = self._settings, list[str]()
        try:
            profit = self.readings.profit(now)
        except UNREADABLE as error:
            profit = {}
            unread.append(f"profit: {error!r}")
        view = MetricsView(
            self.picture, profit, its.money.currency, firing, sinks, self._book.silences.all(), its.environment, now,
            unread,
        )  # fmt: skip
        page = exposition(view)
        if unread:
            self.note("warning", "unread", metrics=unread)
        return page

    # ---- asking ----

    def _poll(self, now: Instant) -> None:
        self._poll_boot_ns = now.boot_ns + self._settings.poll_ns
        self._look_boot_ns = now.boot_ns + ANSWERS_NS
        self._polled_wall_ns = now.wall_ns
        self.picture.follow_supervisors(self.name, now)
        for name in self.picture.names:
            asked_boot_ns = self._asked.get(name)
            if asked_boot_ns is None or now.boot_ns - asked_boot_ns >= ASK_AGAIN_NS:
                self._asked[name] = now.boot_ns
                self.effects.append(Send(name, ControlRequest("status", by=self.name, to=name)))
        if now.boot_ns >= self._money_boot_ns and self.picture.find(ORDERS, now) is not None:
            self._money_boot_ns = now.boot_ns + MONEY_NS
            self.effects.append(Send(ORDERS, ControlRequest("money", by=self.name, token=MONEY_TOKEN, to=ORDERS)))
        self._by_hand.tell_journal()
        self.effects += self._page.drop_idle(now)

    def _hear(self, link: str, answer: ControlAnswer, now: Instant) -> None:
        if answer.token >= FIRST_TOKEN:
            self._to_write = True
            self._by_hand.journaled(answer.token)
        elif answer.token == MONEY_TOKEN:
            self.picture.hear_money(msgspec.json.decode(answer.detail, type=Held), now)
        else:
            status: Any = orjson.loads(answer.detail)
            self.picture.hear(link, status, now)

    # ---- looking ----

    def _look(self, now: Instant) -> None:
        counted = dict(self.readings.discrepancies.totals)
        seen = self.readings.take(now, self._deliveries.standings())
        self._to_write |= counted != self.readings.discrepancies.totals
        silent = self.picture.silent(now)
        self._to_write |= self._book.take(seen, lambda name: name not in silent, now)
        due = self._book.due(now)
        if any(due):
            self._tell(due, now)

    def _tell(self, due: Due, now: Instant) -> None:
        """The log has all of it, people what no silence keeps from them."""
        self._to_write = True
        for alert in due.firing:
            level = "error" if alert.severity is Severity.CRITICAL else "warning"
            self.note(level, "alert", **_fields(alert), told=alert.told, mend=alert.mend)
        for alert in due.resolved:
            self.note("info", "resolved", **_fields(alert), lasted_s=(now.wall_ns - alert.since_ns) // NS_PER_S)
        for silence in due.silences_ended:
            self.note("info", "silence_over", text=shown_silence(silence))
        firing = [alert for alert in due.firing if not is_kept_quiet(alert)]
        resolved = [alert for alert in due.resolved if not is_kept_quiet(alert)]
        if firing or resolved or due.silences_ended:
            self._notices += 1
            self._deliveries.add(self._notice(now, Due(firing, resolved, due.silences_ended)), self._chosen)

    def _notice(self, now: Instant, due: Due, *, is_test: bool = False) -> AlertNotice:
        its = self._settings
        return AlertNotice(
            number=self._notices, made_ns=now.wall_ns, environment=its.environment, host=its.host,
            firing=tuple(due.firing), resolved=tuple(due.resolved), is_test=is_test,
            silences_ended=tuple(due.silences_ended),
        )  # fmt: skip

    # ---- sending ----

    def _post(self, now: Instant) -> None:
        state = self._state(now) if self._to_write else b""
        post = self._deliveries.begin(state, now)
        if post is not None:
            if post.state:
                self._by_hand.writing()
            self._to_write = False
            self._calls += 1
            self.effects.append(Call(self._calls, post))

    def _state(self, now: Instant) -> bytes:
        kept = Kept(
            self._notices, self._book.remembered(now), self._deliveries.waiting(),
            dict(self.readings.discrepancies.totals), self._book.remembered_silences(), self._by_hand.untold(),
        )  # fmt: skip
        return msgspec.json.encode(kept)

    # ---- people ----

    def standing(self, now: Instant) -> AlertsStanding:
        """What is shown of alerts."""
        return AlertsStanding(
            state="live", polled_ns=self._polled_wall_ns, firing=self._book.firing(now),
            sinks=self._deliveries.standings(), silent=self.picture.silent(now),
            metrics="" if self._metrics_failure else self._settings.metrics, metrics_failure=self._metrics_failure,
            silences=self._book.silences.all(),
        )  # fmt: skip

    def status(self, now: Instant) -> dict[str, object]:
        """See `Core`, and `AlertsStanding`."""
        told: dict[str, object] = msgspec.to_builtins(self.standing(now))
        return {
            **told, "epoch": 0, "lsn": 0, "notices": self._notices, "state_error": self._state_error,
            "pages_served": self._page.served, "not_kept": self._book.not_kept,
        }  # fmt: skip


def _fields(alert: FiringAlert) -> dict[str, object]:
    fields = {"rule": alert.rule, "severity": alert.severity.value, "subject": alert.subject, "text": alert.text}
    return {**fields, "silence": shown_silence(alert.silenced)} if alert.silenced is not None else {**fields}

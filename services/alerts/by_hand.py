"""What a person may have alerts do: try a sink, acknowledge and silence; and what of it is not in the journal yet.

A test is answered once its sinks have been tried. All else has its effect at once, and is answered once it is written
down, so that a restart does not forget what somebody was promised. What was done is told to orders, which has it
journaled, until that has taken it; nothing waits for that.
"""

from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Annotated, Final

import msgspec
import orjson

from common.actor.acts import ActDone, Cannot, ControlAct, Done, do_act
from common.actor.core import Core, Send
from common.alerts import LOG, LONGEST_SILENCE_S, Acknowledgement, FiringAlert, Silence
from common.instant import NS_PER_S, Instant
from common.link_roles import JOURNAL_ACT
from common.messages import ControlAnswer, ControlRequest, cut
from services.alerts.book import AlertBook, AlertNotice
from services.alerts.deliveries import Deliveries
from services.alerts.silences import MAX_SILENCES
from services.alerts.wording import shown_silence, shown_time

ORDERS: Final = "orders"
FIRST_TOKEN: Final = 1_000
"""The tokens of what orders is told begin here: below are the poll's own questions."""

UNTOLD: Final = 256
"""So many acts wait for the journal at most; the oldest goes first."""

MOST_CHARACTERS: Final = 64
"""Of a person's name."""

Why = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Subject = Annotated[str, msgspec.Meta(max_length=200)]


class SinkToTry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a test goes: to one sink, or with "" to the log and every sink."""

    sink: str = ""


class ToAcknowledge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a person has seen, and what he says to it: what fires of a rule and a subject; "" is any."""

    why: Why
    rule: str = ""
    subject: Subject = ""


class ToSilence(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What nobody is to be told of for so long, and why; a subject of "" is all of the rule's."""

    rule: str
    why: Why
    for_s: Annotated[int, msgspec.Meta(ge=1, le=LONGEST_SILENCE_S)]
    subject: Subject = ""


class SilenceToEnd(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The silence of exactly this rule and subject."""

    rule: str
    subject: Subject = ""


class _Test(msgspec.Struct):
    """A person who waits for a test: whom to answer, and the sinks that have not been tried."""

    peer: bytes
    token: int
    waiting: set[str]
    told: dict[str, str]


class ByHand:
    """See the module."""

    def __init__(
        self, core: Core, book: AlertBook, deliveries: Deliveries, test_notice: Callable[[Instant], AlertNotice]
    ) -> None:
        """Nobody has asked for anything."""
        self._core = core
        self._book = book
        self._deliveries = deliveries
        self._test_notice = test_notice
        self._tests: list[_Test] = []
        self._unwritten: list[Send] = []
        self._being_written: list[Send] = []
        self._untold: deque[ActDone] = deque()
        self._first = FIRST_TOKEN
        """The token under which orders is told the oldest: an answer to the one before says nothing of it."""

    def act(self, peer: bytes, request: ControlRequest, now: Instant) -> bool:
        """Do what a person asks, or answer why not. Returns whether there is more to keep over a restart."""
        acts = {
            "test": ControlAct(SinkToTry, partial(self._test, peer, request.token)),
            "ack": ControlAct(ToAcknowledge, self._acknowledge),
            "silence": ControlAct(ToSilence, self._silence),
            "unsilence": ControlAct(SilenceToEnd, self._unsilence),
        }
        request = msgspec.structs.replace(request, by=request.by[:MOST_CHARACTERS])
        answer = do_act(self._core.name, acts, request, now)
        if not answer.ok:
            self._core.effects.append(Send("control", answer, peer))
            return False
        if request.act == "test":
            self._answer_tests()
            return False
        self._unwritten.append(Send("control", answer, peer))
        return True

    # ---- what is kept, and when it is ----

    def restore(self, untold: Iterable[ActDone]) -> None:
        """What a former life had not told the journal."""
        self._untold.extend(untold)

    def untold(self) -> list[ActDone]:
        """What the journal does not have yet, for a later life to tell."""
        return list(self._untold)

    def writing(self) -> None:
        """What is kept is being written down as it is now."""
        self._being_written, self._unwritten = [*self._being_written, *self._unwritten], []

    def written(self, error: str) -> None:
        """The worker is back; `error` is why it could not be written, or ""."""
        for send in self._being_written:
            answer = send.message
            assert isinstance(answer, ControlAnswer)
            if error:
                text = f"{answer.text}; a restart of alerts would forget it: {error}"
                send = Send(send.link, msgspec.structs.replace(answer, text=text), send.peer)
            self._core.effects.append(send)
        self._being_written = []

    # ---- a test ----

    def _test(self, peer: bytes, token: int, wanted: SinkToTry, by: str, now: Instant) -> str:
        sinks = self._deliveries.sinks
        if wanted.sink not in ("", LOG, *sinks):
            raise Cannot(f"{wanted.sink}: no such sink; there is {', '.join((LOG, *sinks))}")
        chosen = [name for name in sinks if wanted.sink in ("", name)]
        test = _Test(peer, token, set(chosen), {})
        if wanted.sink in ("", LOG):
            self._core.note("warning", "test", by=by, text="somebody tries whether alerts arrive here")
            test.told[LOG] = ""
        for name in chosen:
            self._deliveries.add_test(name, self._test_notice(now))
        self._tests.append(test)
        return "sent"

    def tested(self, sink: str, error: str) -> None:
        """The sink was tried; `error` is why it did not take the notice, or ""."""
        for test in self._tests:
            if sink in test.waiting:
                test.waiting.discard(sink)
                test.told[sink] = error
        self._answer_tests()

    def _answer_tests(self) -> None:
        for test in [each for each in self._tests if not each.waiting]:
            self._tests.remove(test)
            detail = orjson.dumps({"sent": test.told})
            self._core.effects.append(Send("control", ControlAnswer(test.token, True, detail=detail), test.peer))

    # ---- what fires ----

    def _acknowledge(self, wanted: ToAcknowledge, by: str, now: Instant) -> Done:
        if wanted.rule:
            self._need_rule(wanted.rule)
        found = self._book.acknowledge(
            wanted.rule, wanted.subject, Acknowledgement(by=by, why=wanted.why, at_ns=now.wall_ns), now
        )
        if not found:
            what = " ".join(filter(None, (wanted.rule, wanted.subject))) or "nothing"
            raise Cannot(f"{what}: nothing fires of that; {self._names(self._book.firing(now))}")
        for alert in found:
            self._done("ack", f"{alert.rule} {alert.subject}: {wanted.why}", by, now)
        return Done(f"acknowledged: {_named(found)}", _detail(found))

    def _silence(self, wanted: ToSilence, by: str, now: Instant) -> Done:
        self._need_rule(wanted.rule)
        silences = self._book.silences
        if silences.is_full:
            raise Cannot(f"{MAX_SILENCES} silences hold: end one first, or disable the rule")
        silence = Silence(
            rule=wanted.rule, subject=wanted.subject, by=by, why=wanted.why, since_ns=now.wall_ns,
            until_ns=now.wall_ns + wanted.for_s * NS_PER_S,
        )  # fmt: skip
        silences.begin(silence, now)
        kept_quiet = [alert for alert in self._book.firing(now) if alert.silenced == silence]
        self._done("silence", _told(silence), by, now)
        fires = f"{len(kept_quiet)} of what fires now" if kept_quiet else "nothing that fires now"
        return Done(f"silenced until {shown_time(silence.until_ns)}: {fires}", _detail(kept_quiet))

    def _unsilence(self, wanted: SilenceToEnd, by: str, now: Instant) -> str:
        silence = self._book.silences.end(wanted.rule, wanted.subject)
        if silence is None:
            held = "; ".join(shown_silence(each) for each in self._book.silences.all()) or "none"
            raise Cannot(f"no silence of {wanted.rule} {wanted.subject or '(every subject)'}; there is {held}")
        self._done("unsilence", _told(silence), by, now)
        return f"over: {shown_silence(silence)}"

    def _need_rule(self, rule: str) -> None:
        if rule not in self._book.rules:
            raise Cannot(f"{rule}: no such rule; there is {', '.join(self._book.rules)}")

    def _names(self, alerts: list[FiringAlert]) -> str:
        return f"what fires is {_named(alerts)}" if alerts else "nothing fires"

    # ---- the journal ----

    def _done(self, act: str, text: str, by: str, now: Instant) -> None:
        if len(self._untold) == UNTOLD:
            self._drop_oldest()
        token = f"{now.wall_ns} {self._first + len(self._untold)}"
        self._untold.append(ActDone(self._core.name, act, by, token, cut(text)))
        self._core.note("info", act, by=by, text=text)
        if len(self._untold) == 1:
            self.tell_journal()

    def tell_journal(self) -> None:
        """Have the oldest act journaled that is not yet; orders knows one again that it was told before."""
        if self._untold:
            told = msgspec.json.encode(self._untold[0])
            request = ControlRequest(JOURNAL_ACT, told, self._core.name, self._first, ORDERS)
            self._core.effects.append(Send(ORDERS, request))

    def journaled(self, token: int) -> None:
        """Orders has taken what it was told under that token: on to the next, if it was the oldest."""
        if token == self._first and self._untold:
            self._drop_oldest()
            self.tell_journal()

    def _drop_oldest(self) -> None:
        self._untold.popleft()
        self._first += 1


def _named(alerts: list[FiringAlert]) -> str:
    return ", ".join(f"{alert.rule} {alert.subject}" for alert in alerts)


def _told(silence: Silence) -> str:
    return f"{silence.rule} {silence.subject}".rstrip() + f" until {shown_time(silence.until_ns)}: {silence.why}"


def _detail(alerts: list[FiringAlert]) -> bytes:
    return msgspec.json.encode({"alerts": [{"rule": each.rule, "subject": each.subject} for each in alerts]})

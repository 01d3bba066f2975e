"""The core of alerts among processes whose answers are those of real cores, with a worker that the test plays."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import msgspec
import orjson

from common.actor.acts import ActDone
from common.actor.core import Call, Note, Send, Write
from common.alerts import HEARTBEAT, WATCHES, FiringAlert, Rule, WatchKind
from common.instant import NS_PER_S, Instant
from common.link_roles import JOURNAL_ACT
from common.messages import ControlAnswer, ControlRequest
from common.orders.facts import VenueFacts
from services.alerts.book import AlertNotice, Pauses
from services.alerts.core import AlertsCore, AlertsSettings, Kept
from services.alerts.deliveries import Post, Posted, Sent
from services.alerts.readings import Money

START_NS = 1_800_000_000 * NS_PER_S
Status = Mapping[str, Any]
BASES, QUOTES = {"BTCUSDT": "BTC", "ETHUSDT": "ETH"}, {"BTCUSDT": "USDT", "ETHUSDT": "USDT"}
MONEY = Money("USDT", {}, {name: VenueFacts(0, BASES, QUOTES, name) for name in ("generic", "binance")})


def rule(watch: WatchKind, name: str = "", **changes: Any) -> Rule:
    """The rule of the watch's own name, with changes."""
    its = WATCHES[watch]
    own: dict[str, Any] = {"name": name or watch.value, "watch": watch, "limit": its.limit, "for_s": its.for_s}
    return Rule(**{**own, "severity": its.severity, **changes})


def every_rule() -> tuple[Rule, ...]:
    """One for each watch; a loss of more than 100."""
    return tuple(rule(watch, limit=Decimal(100)) if watch is WatchKind.LOSS else rule(watch) for watch in WatchKind)


class Rig:
    """See the module. `processes` say what each answers; those in `silent` do not. Each sink in `errors` fails."""

    def __init__(
        self, processes: Mapping[str, Callable[[], Status]], *, rules: tuple[Rule, ...] | None = None,
        kept: Kept | None = None, sinks: tuple[str, ...] = ("pager",), money: Callable[[], bytes] | None = None,
        beat_s: int = 0, owners: Mapping[str, str] | None = None, boot_ns: int = 7 * NS_PER_S, wall_ns: int = START_NS,
    ) -> None:  # fmt: skip
        self.processes = dict(processes)
        self.silent: set[str] = set()
        self.errors: dict[str, str] = {}
        self.money = money
        self.journaled: list[ActDone] = []
        self.orders_takes_acts = True
        self.worker_stands = False
        self.posts: list[Post] = []
        self.delivered: list[tuple[str, AlertNotice]] = []
        self.beats = 0
        self.state = b""
        self.state_error = ""
        self.notes: list[Note] = []
        self.answers: list[ControlAnswer] = []
        self.pages: list[bytes] = []
        self.asked: list[str] = []
        self.now = Instant(wall_ns, boot_ns)
        settings = AlertsSettings(
            names=tuple(processes), rules=every_rule() if rules is None else rules,
            pauses=Pauses(5 * NS_PER_S, 600 * NS_PER_S, 3600 * NS_PER_S), money=MONEY, environment="simulated",
            host="here", sinks=dict.fromkeys(sinks, "webhook"), poll_ns=2 * NS_PER_S, beat_ns=beat_s * NS_PER_S,
            owners=owners or {}, kept=kept or Kept(), metrics_host="127.0.0.1", metrics="http://127.0.0.1:1/metrics",
        )  # fmt: skip
        self.core = AlertsCore(settings)
        self.core.started(self.now)
        self.settle()

    def settle(self) -> None:
        """Carry out effects until none is left."""
        while self.core.effects:
            effects, self.core.effects = self.core.effects, []
            for effect in effects:
                match effect:
                    case Send("control", ControlAnswer() as answer):
                        self.answers.append(answer)
                    case Send(name, ControlRequest()) if name in self.silent or name not in self.processes:
                        self.core.undelivered(effect, self.now)
                    case Send(name, ControlRequest() as request):
                        self.answer(name, request)
                    case Call(number, Post() as post):
                        self.posts.append(post)
                        if not self.worker_stands:
                            self.work(number, post)
                    case Write(_, data):
                        self.pages.append(data)
                    case Note():
                        self.notes.append(effect)

    def answer(self, name: str, request: ControlRequest) -> None:
        self.asked.append(f"{name} {request.act}")
        if request.act == "money":
            if self.money is not None:
                self.core.received(name, b"", ControlAnswer(request.token, True, detail=self.money()), self.now)
            return
        if request.act == JOURNAL_ACT:
            self.journaled.append(msgspec.json.decode(request.arguments, type=ActDone))
            self.core.received(name, b"", ControlAnswer(request.token, self.orders_takes_acts), self.now)
            return
        detail = orjson.dumps(self.processes[name](), default=str)
        self.core.received(name, b"", ControlAnswer(request.token, True, detail=detail), self.now)

    def work(self, number: int, post: Post) -> None:
        """The worker does what it is to do."""
        self.state = post.state or self.state
        sent = [Sent(letter.sink, self.errors.get(letter.sink, "")) for letter in post.letters]
        self.delivered += [(each.sink, each.notice) for each in post.letters if each.sink not in self.errors]
        if post.beat:
            self.beats += HEARTBEAT not in self.errors
            sent.append(Sent(HEARTBEAT, self.errors.get(HEARTBEAT, "")))
        self.core.call_finished(number, Posted(tuple(sent), self.state_error), self.now)

    def wait(self, seconds: int, each: Callable[[], object] = lambda: None) -> None:
        """Time passes in half seconds, with the core's timer at its deadlines; `each` is called before."""
        for _ in range(2 * seconds):
            half = NS_PER_S // 2
            self.now = Instant(self.now.wall_ns + half, self.now.boot_ns + half)
            each()
            deadline = self.core.next_deadline_ns()
            if deadline is not None and deadline <= self.now.boot_ns:
                self.core.timer(self.now)
                self.settle()

    def control(self, act: str, **arguments: Any) -> None:
        self.core.received("control", b"p", ControlRequest(act, orjson.dumps(arguments), "me", 9), self.now)
        self.settle()

    # ---- what tests look at ----

    @property
    def firing(self) -> list[FiringAlert]:
        return self.core.standing(self.now).firing

    def fires(self, watch: WatchKind) -> list[str]:
        """The subjects of the watch's alerts."""
        return [alert.subject for alert in self.firing if alert.watch is watch]

    def told(self) -> list[tuple[list[str], list[str]]]:
        """Of each notice that was delivered the rules and subjects that fire, and those that are over."""
        return [
            ([f"{a.rule} {a.subject}" for a in notice.firing], [f"{a.rule} {a.subject}" for a in notice.resolved])
            for _, notice in self.delivered
        ]

    def restarted(self, **changes: Any) -> "Rig":
        """The process's next life, ten seconds later on another boot clock."""
        kept = msgspec.json.decode(self.state, type=Kept) if self.state else Kept()
        wall_ns = self.now.wall_ns + 10 * NS_PER_S
        later = Rig(self.processes, kept=kept, boot_ns=NS_PER_S, wall_ns=wall_ns, money=self.money, **changes)
        later.state = later.state or self.state
        return later


def as_shell(status: Status, **more: Any) -> dict[str, Any]:
    """A core's status with what the shell adds."""
    own = {"actor": "x", "pid": 1, "uptime_s": 5.0, "memory_bytes": 30_000_000, "garbage": {"control": 2},
           "turned_away": {"entry: a peer without keys": 3}}  # fmt: skip
    return {**own, **status, **more}

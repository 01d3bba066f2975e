"""When a child is started, restarted, given up or stopped. Pure: no process, signal, socket or clock.

Rules, with the reason for each:

- Its first start waits as long as its actor says, so that a stack's few processors start first what all wait for.
- A child that served is restarted at once (`QUICK_MS`), so that a kill costs as little as it can. One that dies before
  it serves is restarted with doubling delays up to `SLOWEST_MS`; `STEADY_S` of life forgives what was before.
- `CRASHES` crashes within `CRASH_WINDOW_S` seconds are a loop: this child is halted and said so, the others go on; but
  without the journal, orders or risk nobody manages what rests, so that is cancelled where `on_halted` says so. A
  SIGKILL of a child that served is somebody's deed, not a crash of its own.
- Exit status 2 or 3 (usage, configuration) cannot get better by itself: halted at once.
- At a stop nothing is started any more but what cancels then and has served: a FIX session that is dead would leave its
  orders resting. It is started at once, and told to stop when it has answered.
- A child that a person has stopped is not started again until a person starts it, whatever else begins or ends
  meanwhile. It has `CHILD_STOP_MS` to end in order.
- Exit status 9 (fenced) says that another host goes on with the journal: every child of `FENCED_KINDS` is killed, so
  that it says nothing more to anybody, no Logout(5) either, and none is started again. Nothing is latched or cancelled:
  what rests is the other host's.
- Exit status 7 (integrity), the journal's above all: after it served, one restart, since recovery decides what the disk
  holds; before it served, or soon after such a restart, it is refused: a person must look at it.
"""

import enum
import signal
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import msgspec

from common.config import Actor, Kind
from common.exit_status import ExitStatus
from common.instant import NS_PER_MS, NS_PER_S, Instant

QUICK_MS = 20
SLOWEST_MS = 5_000
STEADY_S = 30
CRASHES = 10
CRASH_WINDOW_S = 60
CHILD_STOP_MS = 2_000
# Without one of these nobody can tell what becomes of an order, or amend it.
MANAGERS = ("journal", "orders", "risk")
FENCED_KINDS = (
    Kind.STRATEGIES, Kind.ORDERS, Kind.RISK, Kind.SESSIONS, Kind.ACCOUNTS, Kind.JOURNAL, Kind.EXCHANGES,
)  # fmt: skip
"""Who must not go on where another host does. Of the exchanges that is a bridge; the others are the venues."""

SIMULATED = "exchange@"
# A second integrity failure within this time after the one restart is refused.
INTEGRITY_WINDOW_S = 600


class Phase(enum.StrEnum):
    """Where a child is in its life."""

    WAITING = "waiting"  # to be started when its delay is over
    STARTING = "starting"  # its process runs, but its loop has not answered yet
    SERVING = "serving"
    HALTED = "halted"  # given up: a crash loop, or a status that cannot mend itself
    REFUSED = "refused"  # the integrity status: a person must look
    STOPPING = "stopping"
    STOPPED = "stopped"


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """A kind's place in the shutdown, all from SIGTERM on, which every supervisor hears at once.

    Its children get SIGTERM when the kinds in `after` are gone, at the latest at `term_by_ms`; SIGKILL at `kill_by_ms`.
    """

    after: tuple[Kind, ...]
    term_by_ms: int
    kill_by_ms: int


_STRATEGIES = (Kind.STRATEGIES,)
_ORDERS = (*_STRATEGIES, Kind.ORDERS)
_RISK = (*_ORDERS, Kind.RISK)
_SESSIONS = (*_RISK, Kind.SESSIONS, Kind.ACCOUNTS)
STAGES = {
    # Nobody waits for it, and it waits for nobody.
    Kind.DESK: Stage(after=(), term_by_ms=0, kill_by_ms=1000),
    Kind.STRATEGIES: Stage(after=(), term_by_ms=0, kill_by_ms=400),
    # Most of the time goes here: orders cancels what rests, and the answers come through all that is still up.
    Kind.ORDERS: Stage(after=_STRATEGIES, term_by_ms=450, kill_by_ms=2300),
    Kind.RISK: Stage(after=_ORDERS, term_by_ms=2350, kill_by_ms=2500),
    Kind.SESSIONS: Stage(after=_RISK, term_by_ms=2550, kill_by_ms=3100),
    Kind.ACCOUNTS: Stage(after=_RISK, term_by_ms=2550, kill_by_ms=3100),
    Kind.JOURNAL: Stage(after=_SESSIONS, term_by_ms=3150, kill_by_ms=3450),
    Kind.EXCHANGES: Stage(after=(*_SESSIONS, Kind.JOURNAL), term_by_ms=3500, kill_by_ms=3800),
    # To the last it answers the other hosts, the kill switch's questions above all.
    Kind.RELAYS: Stage(after=(*_SESSIONS, Kind.JOURNAL), term_by_ms=3500, kill_by_ms=3800),
    # Before anybody else is gone: what ends in order is nothing to call a person for.
    Kind.ALERTS: Stage(after=(), term_by_ms=0, kill_by_ms=1000),
}
"""All is over 4 s after SIGTERM: honcho kills at 5."""


# ---- effects ----


class Spawn(msgspec.Struct, frozen=True):
    """Start the child's process; answered by `spawned` or `exited`."""

    name: str


class Signal(msgspec.Struct, frozen=True):
    """Send `number` to the child's process."""

    name: str
    number: int


class Say(msgspec.Struct, frozen=True):
    """A line for whoever watches the stack run."""

    text: str


class JournalRefused(msgspec.Struct, frozen=True):
    """Latch the kill switch at every session and account, and tell the other supervisors to stop trading."""


class NobodyManages(msgspec.Struct, frozen=True):
    """Latch the kill switch where `on_halted` wants that: who manages orders was given up, for the reason `why`."""

    why: str


class Fenced(msgspec.Struct, frozen=True):
    """Tell the other supervisors that another host goes on with the journal."""


class Finish(msgspec.Struct, frozen=True):
    """Every child is gone after `stop`: end the supervisor."""


Effect = Spawn | Signal | Say | JournalRefused | NobodyManages | Fenced | Finish


@dataclass
class Child:
    """What the supervisor knows of one actor. `held` says who has stopped it by hand, "" nobody; `kill_ns` until when a
    stop by hand waits for it.
    """

    actor: Actor
    start_ns: int | None
    phase: Phase = Phase.WAITING
    pid: int = 0
    lives: int = 0
    started_ns: int = 0
    failures: int = 0
    crashes: deque[int] = field(default_factory=deque)
    integrity_ns: int | None = None
    last_exit: str = ""
    held: str = ""
    kill_ns: int | None = None

    @property
    def restarts(self) -> int:
        """How many times its process was started again."""
        return max(0, self.lives - 1)

    @property
    def alive(self) -> bool:
        """Whether it has a process."""
        return self.pid != 0


class SupervisorCore:
    """The children of one kind. Inputs are the methods, outputs the `effects`, which the caller takes and clears."""

    def __init__(
        self, kind: Kind, actors: Iterable[Actor], now: Instant, held: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """`actors` are the kind's, to be started from now on; none at all is fine. `held` are those that a person has
        stopped, with who it was: they are not started.
        """
        self.kind = kind
        self.stage = STAGES[kind]
        self.children = {a.name: Child(a, now.boot_ns + a.first_start_ms * NS_PER_MS) for a in actors}
        for name in held.keys() & self.children.keys():
            child = self.children[name]
            child.held, child.phase, child.start_ns = held[name], Phase.STOPPED, None
        self.effects: list[Effect] = []
        self._stop_ns: int | None = None
        self._term_sent = False
        self._kill_sent = False
        self._paused = False
        self._fenced = ""

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stop_ns is not None

    # ---- what happens to children ----

    def spawned(self, name: str, pid: int, now: Instant) -> None:
        """The child's process runs."""
        child = self.children[name]
        child.pid, child.phase, child.started_ns = pid, Phase.STARTING, now.boot_ns
        child.lives += 1
        self._say(f"{name}: {'starting' if child.lives == 1 else 'starting again'} (process {pid})")

    def answered(self, name: str, now: Instant) -> None:
        """The child's loop answered: from here on it serves."""
        child = self.children[name]
        if child.phase is Phase.STARTING:
            child.phase = Phase.SERVING
            self._say(f"{name}: ready ({(now.boot_ns - child.started_ns) / NS_PER_S:.1f} s)")
            if self._term_sent:
                self._signal(child, signal.SIGTERM)

    def exited(self, name: str, status: int, now: Instant) -> None:
        """The child's process ended: its exit status, or minus the signal that killed it."""
        child = self.children[name]
        served, child.pid, child.last_exit = child.phase is Phase.SERVING, 0, _describe(status)
        child.kill_ns = None
        if self._fenced and not self.stopping and self._must_not_go_on(child):
            self._refuse_fenced(child)
            return
        if self.stopping:
            # One that died after the signal, but of something else, has not cancelled either.
            ended = child.phase is Phase.STOPPING and status == ExitStatus.OK
            if ended or not self._is_needed(child):
                child.phase = Phase.STOPPED
                self._finish_when_done()
            else:
                self._restart(child, QUICK_MS, now)
            return
        if child.phase is Phase.STOPPING:
            self._restart(child, 0, now)
            if self._paused or child.held:
                child.phase, child.start_ns = Phase.STOPPED, None
            if child.held:
                self._say(f"{name}: stopped by hand ({child.held})")
            return
        if status == ExitStatus.FENCED:
            child.phase, child.start_ns = Phase.REFUSED, None
            self.effects.append(Fenced())
        elif status == ExitStatus.INTEGRITY:
            self._integrity(child, served, now)
        elif status in (ExitStatus.USAGE, ExitStatus.CONFIGURATION):
            self._halt(child, f"{child.last_exit}; this cannot mend itself: fixring doctor says what is wrong")
        else:
            self._crashed(child, status, served, now)

    def _integrity(self, child: Child, served: bool, now: Instant) -> None:
        last, child.integrity_ns = child.integrity_ns, now.boot_ns
        recent = last is not None and now.boot_ns - last < INTEGRITY_WINDOW_S * NS_PER_S
        if served and not recent:
            self._say(f"{child.actor.name}: {child.last_exit}; starting it once more: recovery decides")
            self._restart(child, QUICK_MS, now)
            return
        child.phase, child.start_ns = Phase.REFUSED, None
        if self.kind is not Kind.JOURNAL:
            self._say(
                f"{child.actor.name}: {child.last_exit}; it is not started again, because what it holds does not agree "
                f"with the journal. See {_log(child)}, and `fixring journal verify`"
            )
            self._leave_unmanaged(child.actor.name)
            return
        self._say(
            f"journal: {child.last_exit}; it is not started again: `fixring journal verify` names file and offset. "
            "Trading is stopped and the kill switch latched; sessions and accounts stay up to cancel what is open. "
            "Once the journal is mended: fixring start journal"
        )
        self.effects.append(JournalRefused())

    def _crashed(self, child: Child, status: int, served: bool, now: Instant) -> None:
        if now.boot_ns - child.started_ns >= STEADY_S * NS_PER_S:
            child.crashes.clear()
            child.failures = 0
        if served and status == -signal.SIGKILL:
            self._say(f"{child.actor.name}: {child.last_exit}")
            self._restart(child, QUICK_MS, now)
            return
        child.crashes.append(now.boot_ns)
        while now.boot_ns - child.crashes[0] > CRASH_WINDOW_S * NS_PER_S:
            child.crashes.popleft()
        if len(child.crashes) >= CRASHES:
            self._halt(child, f"{CRASHES} crashes in {CRASH_WINDOW_S} s, the last: {child.last_exit}")
            return
        child.failures = 0 if served and len(child.crashes) == 1 else child.failures + 1
        delay_ms = min(SLOWEST_MS, QUICK_MS << min(child.failures, 10))
        self._say(f"{child.actor.name}: {child.last_exit}; starting it again in {delay_ms} ms")
        self._restart(child, delay_ms, now)

    def _halt(self, child: Child, why: str) -> None:
        child.phase, child.start_ns = Phase.HALTED, None
        name = child.actor.name
        self._say(f"{name}: HALTED: {why}. The rest goes on. See {_log(child)}, then: fixring start {name}")
        self._leave_unmanaged(name)

    def _leave_unmanaged(self, name: str) -> None:
        if name in MANAGERS:
            self._say('nobody manages what rests: the kill switch is latched where on_halted = "cancel"')
            self.effects.append(NobodyManages(f"{name} was given up"))

    def _restart(self, child: Child, delay_ms: int, now: Instant) -> None:
        child.phase, child.start_ns = Phase.WAITING, now.boot_ns + delay_ms * NS_PER_MS

    # ---- what people and other supervisors ask ----

    def start(self, name: str, now: Instant) -> str:
        """Start a halted, refused or stopped child again, by hand. Returns what is wrong with the request, or ""."""
        wrong, child = self._find(name)
        if child is None:
            return wrong
        if child.phase not in (Phase.HALTED, Phase.REFUSED, Phase.STOPPED):
            return f"{name} is {child.phase}; only a halted, refused or stopped one can be started"
        if self._fenced and self._must_not_go_on(child):
            return f"this host is fenced: {self._fenced}"
        self._begin_anew(child)
        self._restart(child, 0, now)
        return ""

    def stop_child(self, name: str, who: str, now: Instant) -> str:
        """Stop a child by hand, as `who` wants: only `start` begins it again. Returns what is wrong, or ""."""
        wrong, child = self._find(name)
        if child is None:
            return wrong
        if child.held:
            return f"{name} is stopped already ({child.held})"
        child.held = who
        if child.alive:
            self._end(child, now)
        else:
            child.phase, child.start_ns = Phase.STOPPED, None
        return ""

    def restart_child(self, name: str, now: Instant) -> str:
        """End a child's process and start another by hand, unless it is stopped. Returns what is wrong, or ""."""
        wrong, child = self._find(name)
        if child is None:
            return wrong
        if child.held:
            return f"{name} is stopped ({child.held}): start it"
        if not child.alive and child.phase is not Phase.WAITING:
            return self.start(name, now)
        self._begin_anew(child)
        if child.alive:
            self._end(child, now)
        else:
            self._restart(child, 0, now)
        return ""

    def starts_again(self, name: str) -> bool:
        """Whether its process has ended and another one follows by itself."""
        return not self.stopping and self.children[name].phase is Phase.WAITING

    def ends_by_restart(self, name: str) -> bool:
        """Whether `restart_child` would end a process that runs."""
        _, child = self._find(name)
        return child is not None and child.alive and not child.held

    def add(self, actor: Actor, now: Instant) -> str:
        """Take up a child that the configuration has since the start. Returns what is wrong with that, or ""."""
        if self.stopping:
            return "the stack is stopping"
        if actor.name in self.children:
            return f"{actor.name} is there already; after a change of its table restart it"
        self.children[actor.name] = Child(actor, now.boot_ns)
        return ""

    def _find(self, name: str) -> tuple[str, Child | None]:
        """The child that a person means, or why there is none to act on."""
        if self.stopping:
            return "the stack is stopping", None
        if name not in self.children:
            return f"no {name} here; there are {', '.join(self.children) or 'none'}", None
        return "", self.children[name]

    def _begin_anew(self, child: Child) -> None:
        child.crashes.clear()
        child.failures, child.integrity_ns, child.held = 0, None, ""

    def _end(self, child: Child, now: Instant) -> None:
        child.phase, child.kill_ns = Phase.STOPPING, now.boot_ns + CHILD_STOP_MS * NS_PER_MS
        self.effects.append(Signal(child.actor.name, signal.SIGTERM))

    def pause(self, now: Instant) -> None:
        """The journal refuses to start: stop the children, and start none until `unpause`."""
        if self._paused or self.stopping:
            return
        self._paused = True
        for child in self.children.values():
            if child.alive:
                child.phase = Phase.STOPPING
                self.effects.append(Signal(child.actor.name, signal.SIGTERM))
            elif child.phase is Phase.WAITING:
                child.phase, child.start_ns = Phase.STOPPED, None
        if self.children:
            self._say(f"{self.kind}: stopped, because the journal refused to start")

    def unpause(self, now: Instant) -> None:
        """The journal serves again: start what `pause` stopped."""
        if not self._paused or self.stopping:
            return
        self._paused = False
        for child in self.children.values():
            # One that is still ending is started when it has ended.
            if child.phase is Phase.STOPPED and not child.held:
                self._restart(child, 0, now)

    def fence(self, by_whom: str) -> None:
        """Another host goes on with the journal, as `by_whom` says: kill what must not, and start it no more."""
        if self._fenced or self.kind not in FENCED_KINDS:
            return
        self._fenced = by_whom
        ended = [child for child in self.children.values() if self._must_not_go_on(child)]
        for child in ended:
            if child.alive:
                self.effects.append(Signal(child.actor.name, signal.SIGKILL))
            self._refuse_fenced(child)
        if ended:
            self._say(f"{self.kind}: FENCED: {by_whom}. Nothing here is started again")

    def _must_not_go_on(self, child: Child) -> bool:
        return self.kind in FENCED_KINDS and not child.actor.name.startswith(SIMULATED)

    def _refuse_fenced(self, child: Child) -> None:
        child.phase, child.start_ns, child.kill_ns = Phase.REFUSED, None, None
        child.last_exit = f"fenced: {self._fenced}"

    def stop(self, now: Instant) -> None:
        """SIGTERM: start nothing any more but what is needed; the children are stopped when it is this kind's turn."""
        if self.stopping:
            return
        self._stop_ns = now.boot_ns
        for child in self.children.values():
            if not child.alive and child.phase is Phase.WAITING and self._is_needed(child):
                self._restart(child, 0, now)
            elif not child.alive:
                child.phase, child.start_ns = Phase.STOPPED, None

    def _is_needed(self, child: Child) -> bool:
        """Whether it is for the child to cancel what rests, and it was there to place it."""
        return child.actor.cancels_on_stop and child.lives > 0 and not self._kill_sent

    def turn_came(self, now: Instant) -> None:
        """Every kind in `stage.after` is gone, or `term_by_ms` is over: stop the children."""
        if not self.stopping or self._term_sent:
            return
        self._term_sent = True
        for child in self.children.values():
            # Before its loop runs it would die of the signal; it gets it as soon as it answers.
            if child.phase is not Phase.STARTING or not self._is_needed(child):
                self._signal(child, signal.SIGTERM)
        self._finish_when_done()

    # ---- time ----

    def timer(self, now: Instant) -> None:
        """Start what is due, and hold the shutdown to its times. May be called at any time."""
        for name, child in self.children.items():
            if child.phase is Phase.WAITING and child.start_ns is not None and child.start_ns <= now.boot_ns:
                child.start_ns = None
                self.effects.append(Spawn(name))
            elif child.kill_ns is not None and child.kill_ns <= now.boot_ns:
                child.kill_ns = None
                self._say(f"{name}: did not stop in time, killed")
                self.effects.append(Signal(name, signal.SIGKILL))
        if self._stop_ns is None:
            return
        since_ms = (now.boot_ns - self._stop_ns) // NS_PER_MS
        if since_ms >= self.stage.term_by_ms:
            self.turn_came(now)
        if since_ms >= self.stage.kill_by_ms and not self._kill_sent:
            self._kill_sent = True
            for child in self.children.values():
                if child.alive:
                    self._say(f"{child.actor.name}: did not stop in time, killed")
                    self._signal(child, signal.SIGKILL)
                elif child.phase is Phase.WAITING:
                    child.phase, child.start_ns = Phase.STOPPED, None
            self._finish_when_done()

    def next_deadline_ns(self) -> int | None:
        """When to call `timer`, in Instant.boot_ns terms; None for never."""
        children = self.children.values()
        times = [at_ns for c in children for at_ns in (c.start_ns, c.kill_ns) if at_ns is not None]
        if self._stop_ns is not None and not self._kill_sent:
            by_ms = self.stage.kill_by_ms if self._term_sent else self.stage.term_by_ms
            times.append(self._stop_ns + by_ms * NS_PER_MS)
        return min(times, default=None)

    def status(self) -> dict[str, dict[str, object]]:
        """Each child's process, phase, restarts and last exit, and who has stopped it by hand, JSON-ready."""
        return {
            name: {
                "pid": child.pid, "phase": child.phase, "restarts": child.restarts, "last_exit": child.last_exit,
                "stopped": child.held,
            }
            for name, child in self.children.items()
        }  # fmt: skip

    def _signal(self, child: Child, number: int) -> None:
        if child.alive:
            child.phase = Phase.STOPPING
            self.effects.append(Signal(child.actor.name, number))

    def _finish_when_done(self) -> None:
        if self._term_sent and not any(c.alive or c.phase is Phase.WAITING for c in self.children.values()):
            self.effects.append(Finish())

    def _say(self, text: str) -> None:
        self.effects.append(Say(text))


def _log(child: Child) -> str:
    return f"var/log/{child.actor.name}.jsonl"


def _describe(status: int) -> str:
    if status < 0:
        try:
            return f"killed by {signal.Signals(-status).name}"
        except ValueError:
            return f"killed by signal {-status}"
    try:
        return f"exit status {status} ({ExitStatus(status).name.lower()})"
    except ValueError:
        return f"exit status {status}"

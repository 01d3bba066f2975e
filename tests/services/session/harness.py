"""A session core between a journal in memory and a venue that is a real FIX acceptor session."""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from common.actor.core import Close, Connect, Effect, Exit, Note, ReadLog, Send, Write
from common.fix.session import Session
from common.fix.session_types import (
    Disconnect,
    Inbound,
    LoggedOn,
    NumbersSet,
    Outbound,
    ResendWanted,
    SequencePolicy,
    SessionSettings,
)
from common.fix.wire import split
from common.instant import Instant
from common.journal.files import Files
from common.messages import (
    Attempt,
    CancelOrder,
    ControlAnswer,
    ControlRequest,
    JournalAnswer,
    Kind,
    NewOrder,
    OpenGate,
    Reason,
    Refused,
    SessionChanged,
    SessionState,
)
from common.venues.dialect import Dialect
from common.venues.registry import find_dialect
from services.session.core import SessionCore
from services.session.settings import SessionConfig
from tests.journals import Journal, carry_out
from tests.terms import gathered

START_NS = 1_800_000_000 * 1_000_000_000
MS = 1_000_000


class Venue:
    """The acceptor. Its application messages wait in `heard`; its numbers survive connections unless the policy
    resets. With `fills_alone` it answers every ResendRequest(2) by a gap fill.
    """

    def __init__(self, policy: SequencePolicy, target: str) -> None:
        self.policy = policy
        self.name = target
        self.next_outbound = self.next_inbound = 1
        self.fix: Session | None = None
        self.heard: list[dict[bytes, bytes]] = []
        self.wire: list[dict[bytes, bytes]] = []
        self.sent: dict[int, bytes] = {}
        self.logged_on = False
        self.gap_filled: list[int] = []
        self.fills_alone = False
        self.log = ""
        """The id of the log by which it counts, as a bridge tells it in RawData(96) of Logon(A)."""

    def connect(self, sender: str, now: Instant) -> None:
        """A connection of the session whose SenderCompID(49) is `sender`."""
        settings = SessionSettings(
            sender_comp_id=self.name,
            target_comp_id=sender,
            initiator=False,
            sequence_policy=self.policy,
            allow_resend_request=self.policy is not SequencePolicy.RESET,
            logon_fields=self._logs_id if self.log else None,
        )
        self.fix = Session(settings, self.next_outbound, self.next_inbound)
        self.fix.connected(now)

    def _logs_id(self, number: int, stamp: bytes) -> bytes:
        told = f"log {self.log}"
        return f"95={len(told)}\x0196={told}\x01".encode()

    def take(self, data: bytes, now: Instant) -> bytes:
        """Bytes in, bytes out."""
        self.wire.append(split(data))
        assert self.fix is not None
        self.fix.received(data, now)
        return self.drain(now)

    def send(self, msg_type: str, body: str, now: Instant) -> bytes:
        """An application message to the session, `|` for SOH."""
        assert self.fix is not None
        self.fix.send(msg_type, body.replace("|", "\x01").encode(), now)
        return self.drain(now)

    def drain(self, now: Instant) -> bytes:
        """Carry out the acceptor's effects."""
        out = b""
        assert self.fix is not None
        while effects := self.fix.take_effects():
            for effect in effects:
                match effect:
                    case Outbound(number, _, raw, resent):
                        out += raw
                        if not resent:
                            self.sent[number] = raw
                    case Inbound(_, _, raw, True):
                        self.heard.append(split(raw))
                    case LoggedOn():
                        self.logged_on = True
                    case ResendWanted(begin, end):
                        numbers = () if self.fills_alone else range(begin, end + 1)
                        stored = [(n, self.sent[n]) for n in numbers if n in self.sent]
                        self.fix.resend(begin, end, stored, now)
                    case NumbersSet(_, next_inbound):
                        self.gap_filled.append(next_inbound)
                    case Disconnect():
                        self.logged_on = False
        self.next_outbound, self.next_inbound = self.fix.next_outbound, self.fix.next_inbound
        return out


class World:
    """One session core with its journal and venue. Every call settles: effects are carried out until none is left."""

    def __init__(self, files: Files, config: SessionConfig, dialect: Dialect | None = None) -> None:
        self.config = config
        self.dialect = dialect or find_dialect("generic")
        self.files = files
        self.journal = Journal()
        self.venue = Venue(config.sequence_policy, config.target_comp_id)
        self.boot_ns = 50_000_000_000
        self.wall_ahead_ns = 0
        self.notes: list[Note] = []
        self.answers: list[ControlAnswer] = []
        self.exit: Exit | None = None
        self.connects: list[int] = []
        self.reachable = True
        self.swallow = False
        self.wire_raw: list[bytes] = []
        self.core = self.new_core()

    def new_core(self) -> SessionCore:
        """A fresh process."""
        return SessionCore(self.config, self.dialect, self.files)

    @property
    def now(self) -> Instant:
        """Both clocks; the wall clock may be set, and runs ahead of the journal's then."""
        return Instant(START_NS + self.boot_ns + self.wall_ahead_ns, self.boot_ns)

    @property
    def stamp_ns(self) -> int:
        """The journal's clock."""
        return START_NS + self.boot_ns

    def start(self) -> None:
        """Start the process."""
        self.core.started(self.now)
        self.settle()

    def crash(self) -> None:
        """kill -9, and a new process: what the journal or the venue did not get is gone."""
        self.journal.take_held()
        if self.venue.fix is not None:
            self.venue.fix.disconnected(self.now)
            self.venue.fix = None
            self.venue.logged_on = False
        self.boot_ns += 1
        self.core = self.new_core()
        self.start()

    def settle(self) -> None:
        """Carry out effects until nothing moves."""
        carry_out(lambda: self.core, self.perform, lambda: self.now)

    def perform(self, effect: Effect) -> None:
        """One effect, as a shell would."""
        match effect:
            case Send("journal", message):
                self.journal.stamp_ns = self.stamp_ns
                self.deliver(self.journal.take(message))
            case Send("control", message):
                assert isinstance(message, ControlAnswer)
                self.answers.append(message)
            case ReadLog(first, upto):
                self.boot_ns += 1
                self.core.log_read(self.journal.between(first, upto), self.now)
            case Connect(connection):
                self.connects.append(connection)
                if self.reachable:
                    self.venue.connect(self.core.history.sender_comp_id, self.now)
                    self.core.connected(connection, self.now)
                else:
                    self.core.closed(connection, "connection refused", self.now)
            case Write(connection, data):
                assert connection == self.connects[-1]
                self.wire_raw.append(data)
                if not self.swallow:
                    self.to_session(self.venue.take(data, self.now))
            case Close():
                if self.venue.fix is not None:
                    self.venue.fix.disconnected(self.now)
                    self.venue.fix = None
                    self.venue.logged_on = False
            case Note():
                self.notes.append(effect)
            case Exit():
                self.exit = effect
            case _:
                pass

    def deliver(self, answers: Iterable[JournalAnswer]) -> None:
        """Journal messages to the core."""
        for answer in answers:
            self.core.received("journal", b"", answer, self.now)

    def release(self) -> None:
        """The journal catches up with what it held back."""
        self.journal.stamp_ns = self.stamp_ns
        self.deliver(self.journal.release())
        self.settle()

    def to_session(self, data: bytes) -> None:
        """Bytes from the venue."""
        if data:
            self.core.data(self.connects[-1], data, self.now)

    def venue_says(self, msg_type: str, body: str) -> None:
        """An application message of the venue."""
        self.to_session(self.venue.send(msg_type, body, self.now))
        self.settle()

    def venue_says_bytes(self, msg_type: str, body: bytes) -> None:
        """Any message of the venue, in bytes that need not be text; `|` for SOH."""
        assert self.venue.fix is not None
        self.venue.fix.send(msg_type, body.replace(b"|", b"\x01"), self.now)
        self.to_session(self.venue.drain(self.now))
        self.settle()

    def cut(self) -> None:
        """The connection breaks, noticed by both."""
        if self.venue.fix is not None:
            self.venue.fix.disconnected(self.now)
            self.venue.fix = None
            self.venue.logged_on = False
        self.core.closed(self.connects[-1], "reset by peer", self.now)
        self.settle()

    def advance(self, ms: int) -> None:
        """Time passes; timers run when they are due."""
        end = self.boot_ns + ms * MS
        while (due := self.core.next_deadline_ns()) is not None and due <= end and self.exit is None:
            self.boot_ns = max(self.boot_ns, due)
            self.core.timer(self.now)
            self.settle()
        self.boot_ns = end

    def open_gate(self) -> None:
        """What orders sends once everything is reconciled."""
        self.command(OpenGate(self.config.venue, self.core.history.connection, 7))

    def command(self, command: msgspec.Struct) -> None:
        """A command of risk."""
        self.core.received("commands", b"", command, self.now)
        self.settle()

    def control(self, act: str, **arguments: object) -> ControlAnswer:
        """A person's act; returns the answer."""
        self.core.received("control", b"me", ControlRequest(act, msgspec.json.encode(arguments), "tester"), self.now)
        self.settle()
        return self.answers[-1]

    def new_order(self, counter: int, ttl_ms: int = 1000, **terms: object) -> NewOrder:
        """An order to be sent."""
        values: dict[str, object] = {
            "attempt": Attempt(7, counter),
            "strategy": "maker",
            "number": counter,
            "venue": self.config.venue,
            "symbol": "BTCUSDT",
            "side": "1",
            "ord_type": "2",
            "order_qty": Decimal("0.5"),
            "price": Decimal("65000.10"),
            "time_in_force": "1",
            "cl_ord_id": f"7-{counter}",
            "deadline_ns": self.stamp_ns + ttl_ms * MS,
        }
        return NewOrder(**gathered({**values, **terms}))

    def cancel_order(self, counter: int, orig_cl_ord_id: str, order_id: str = "") -> CancelOrder:
        """A cancel to be sent."""
        return CancelOrder(
            Attempt(7, counter), "maker", counter, self.config.venue, "BTCUSDT", "1", f"7-{counter}",
            orig_cl_ord_id, order_id, "maker", 1, Decimal("0.5"),
        )  # fmt: skip

    def ready(self) -> None:
        """Start, log on, catch up, open the gate."""
        self.start()
        self.advance(0)
        self.open_gate()


def generic_config(folder: str, **changes: object) -> SessionConfig:
    """A venue with persistent numbers."""
    config = SessionConfig(
        venue="generic",
        target_comp_id="GENERIC",
        sender_comp_id="FIXRING",
        sequence_policy=SequencePolicy.RESEND,
        symbols=("BTCUSDT", "ETHUSDT"),
        messages=1000,
        window_ms=1000,
        connects=30,
        connects_window_ms=30_000,
        emergency_folder=folder,
        emergency_bytes=1 << 18,
    )
    return msgspec.structs.replace(config, **changes)


def heard(world: World, tag: int) -> list[str]:
    """One field of each application message that the venue got."""
    return [fields.get(b"%d" % tag, b"").decode() for fields in world.venue.heard]


def states(world: World) -> list[SessionState]:
    """The session's steps in the log."""
    return [p.state for p in world.journal.payloads(Kind.SESSION) if isinstance(p, SessionChanged)]


def refusals(world: World) -> list[Reason]:
    """The reasons of the refusals in the log."""
    return [p.reason for p in world.journal.payloads(Kind.REFUSED) if isinstance(p, Refused)]

"""A listener of an exchange that speaks FIX by `common.fix.Session`, as acceptor: a venue adds what its messages say.

Sessions of a `FixGateway` begin at 1 with each Logon(A) and end with their connection. Those of a
`ResendingFixGateway` outlive it: their numbers and what was sent stand in the exchange's log. A client's messages
belong to its session, connected or not: while it is away they take numbers all the same, so that it finds a gap at its
next Logon(A) and asks for them with ResendRequest(2).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from common.exchange.changes import Numbered, Sent
from common.exchange.faults import Faults, Kind
from common.exchange.lines import Line, Lines
from common.exchange.requests import BadField, Request
from common.exchange.settings import Party
from common.exchange.spoiling import spoiled
from common.exchange.state import SessionNumbers
from common.exchange.superfluous import TagCheck
from common.fix.session import (
    Disconnect,
    Effect,
    Inbound,
    LoggedOn,
    Notice,
    NumbersReason,
    NumbersSet,
    Outbound,
    ResendWanted,
    SequencePolicy,
    Session,
    SessionSettings,
    peek_logon,
)
from common.fix.wire import Framer, encode, split, utc_timestamp
from common.instant import NS_PER_S, Instant

LOGON_TIMEOUT_NS = 10 * NS_PER_S
MAX_UNNAMED_BYTES = 4096
RESEND_REQUEST = "2"
UNSUPPORTED_MESSAGE_TYPE = 3
# Reject(3) is sent again like an application message (case 8.a), so it is kept like one.
_ADMIN = frozenset("01245A")
_NEW_GENERATION = (NumbersReason.RESET_SEQ_NUM_FLAG, NumbersReason.RESET_ON_LOGON)


class Identified(Protocol):
    """Whose listener it is: CompID, and HeartBtInt(108) in seconds."""

    @property
    def comp_id(self) -> str: ...
    @property
    def heart_bt_int_s(self) -> int: ...


class Host(Protocol):
    """What a listener stands in: an exchange's `Venue`, or a bridge."""

    faults: Faults
    lines: Lines
    tags: TagCheck | None
    """Finds what is refused as superfluous in a request; None where that is ignored."""

    @property
    def settings(self) -> Identified: ...

    def count(self, what: str) -> None:
        """Count something that status shows."""

    def note(self, level: str, event: str, **fields: object) -> None:
        """A line for the process's log."""


class LastingHost(Host, Protocol):
    """A host that keeps the numbers of sessions, and what was sent, in its log."""

    def numbers(self, session: str) -> SessionNumbers:
        """The numbers of a persistent session, 1 and 1 at first."""

    def record(self, change: Numbered | Sent) -> None:
        """For the log, before anything else of the turn leaves."""

    def sent_messages(self, session: str, begin: int, end: int) -> Iterable[tuple[int, bytes]]:
        """What was kept of a session's messages with these numbers."""


class Client:
    """One session and, while it is connected, its line."""

    def __init__(self, party: Party, session: Session, generation: int = 1) -> None:
        self.party = party
        self.session = session
        self.generation = generation
        self.line: Line | None = None
        self.skipped = (0, 0)
        """A number that was used for nothing on this connection, and how many messages were lost by then."""

        self.asked_from = session.next_inbound - 1
        """The highest number that the client was asked for again."""


Handler = Callable[[Client, Request, Instant], None]


class _Unnamed:
    """A connection whose first message is still to come."""

    def __init__(self, line: Line, now: Instant) -> None:
        self.line = line
        self.framer = Framer(max_message_bytes=MAX_UNNAMED_BYTES, max_buffer_bytes=2 * MAX_UNNAMED_BYTES)
        self.data = b""
        self.deadline_ns = now.boot_ns + LOGON_TIMEOUT_NS


class FixGateway(ABC):
    """One listener, whose sessions end with their connection. A venue gives `_handlers` and may narrow `_admit`."""

    sequence_policy = SequencePolicy.RESET
    begin_string = "FIX.4.4"
    default_appl_ver_id: str | None = None
    refusal = "refused on command"
    """Why a Logon(A) is refused that a fault strikes; in the venue's own words, where it says why."""

    def __init__(self, venue: Host, scope: str, parties: Iterable[Party], comp_id: str = "") -> None:
        """`scope` is the listener's name, `parties` are those who may log on; `comp_id` is what the exchange is called
        here, "" for its own name.
        """
        self._venue = venue
        self._scope = scope
        self._comp_id = comp_id or venue.settings.comp_id
        self._parties = {party.comp_id: party for party in parties}
        self._clients: dict[str, Client] = {}
        self._by_line: dict[int, Client] = {}
        self._unnamed: dict[int, _Unnamed] = {}
        self._answers = self._handlers()

    @abstractmethod
    def _handlers(self) -> Mapping[str, Handler]:
        """Who answers which MsgType(35); any other gets a BusinessMessageReject(j)."""

    def _session(self, party: Party, next_outbound: int = 1, next_inbound: int = 1) -> Session:
        return Session(self._session_settings(party), next_outbound, next_inbound)

    def _session_settings(self, party: Party) -> SessionSettings:
        """The FIX session of a client, as acceptor."""
        return SessionSettings(
            sender_comp_id=self._comp_id,
            target_comp_id=party.comp_id,
            initiator=False,
            begin_string=self.begin_string,
            default_appl_ver_id=self.default_appl_ver_id,
            heart_bt_int_s=self._venue.settings.heart_bt_int_s,
            reset_on_logon=self.sequence_policy is SequencePolicy.RESET,
            sequence_policy=self.sequence_policy,
        )

    # ---- connections

    def accepted(self, line: Line, now: Instant) -> None:
        """A connection whose name is not known yet."""
        self._unnamed[line.number] = _Unnamed(line, now)

    def data(self, line: Line, data: bytes, now: Instant) -> None:
        """Bytes from a connection."""
        client = self._by_line.get(line.number)
        if client is None:
            client = self._named(line, data, now)
            if client is None:
                return
            data = self._unnamed.pop(line.number).data
            self._by_line[line.number] = client
            client.line, client.skipped = line, (0, 0)
            client.session.connected(now)
        client.session.received(data, now)
        self._carry_out(client, now)

    def _named(self, line: Line, data: bytes, now: Instant) -> Client | None:
        """Whose connection it is, once the first message is there. A stranger is closed, without a word (case 1S.c)
        where the venue has none."""
        unnamed = self._unnamed.get(line.number)
        if unnamed is None:
            return None
        unnamed.data += data
        messages = unnamed.framer.feed(data)
        if not messages:
            if unnamed.framer.garbled or len(unnamed.data) > MAX_UNNAMED_BYTES:
                self._refuse(line, "garbled before Logon(A)")
            return None
        client = self._why_struck(messages[0]) or self._why_refused(messages[0], now) or self._admit(messages[0])
        if isinstance(client, str):
            farewell = self._farewell(messages[0], client, now)
            if farewell:
                self._venue.lines.write(line, farewell, now)
            self._refuse(line, client)
            return None
        return client

    def _why_struck(self, raw: bytes) -> str:
        """Why a fault refuses this Logon(A), "" where none does."""
        is_struck = peek_logon(raw) is not None and self._venue.faults.strikes(Kind.REFUSE, self._scope)
        return self.refusal if is_struck else ""

    def _why_refused(self, raw: bytes, now: Instant) -> str:
        """Why whoever sends this Logon(A) now may not come in whoever he is, "" where he may."""
        return ""

    def _admit(self, raw: bytes) -> Client | str:
        """The client whose Logon(A) this is, or why it may not come in."""
        identity = peek_logon(raw)
        party = self._parties.get(identity[1]) if identity is not None else None
        if party is None or identity is None or identity[2] != self._comp_id:
            return f"the first message is no Logon(A) of a known client: {identity}"
        client = self._clients.get(party.comp_id)
        if client is None:
            client = self._clients[party.comp_id] = Client(party, self._session(party))
        elif client.line is not None:
            # Case 1S.b: a second connection of a live session is closed without a message.
            return f"{party.comp_id} is logged on already"
        return client

    def _farewell(self, raw: bytes, why: str, now: Instant) -> bytes:
        """What is said to whom `_admit` does not let in; b"" is nothing."""
        return b""

    def _refuse(self, line: Line, why: str) -> None:
        self._venue.count("connections_refused")
        self._venue.note("warning", "connection_refused", connection=line.number, why=why)
        self._unnamed.pop(line.number, None)
        self._venue.lines.close(line)

    def lost(self, line: Line, now: Instant) -> None:
        """The connection is gone."""
        self._unnamed.pop(line.number, None)
        client = self._by_line.get(line.number)
        if client is not None:
            self._part(client, line, now)
            self._carry_out(client, now)

    def _part(self, client: Client, line: Line, now: Instant) -> None:
        """A session and its connection have nothing to do with each other any more."""
        del self._by_line[line.number]
        client.line = None
        client.session.disconnected(now)
        self._ended(client, line)

    def _ended(self, client: Client, line: Line) -> None:
        """A connection has ended, and with it the session."""
        del self._clients[client.party.comp_id]

    # ---- time

    def timer(self, now: Instant) -> None:
        """Heartbeats, timeouts."""
        for unnamed in list(self._unnamed.values()):
            if unnamed.deadline_ns <= now.boot_ns:
                self._refuse(unnamed.line, "no Logon(A) in time")
        for client in list(self._by_line.values()):
            deadline = client.session.next_deadline_ns()
            if deadline is not None and deadline <= now.boot_ns:
                client.session.timer(now)
                self._carry_out(client, now)

    def next_deadline_ns(self) -> int | None:
        """In boot terms."""
        due = [u.deadline_ns for u in self._unnamed.values()]
        for client in self._by_line.values():
            deadline = client.session.next_deadline_ns()
            if deadline is not None:
                due.append(deadline)
        return min(due, default=None)

    def settle(self, now: Instant) -> None:
        """At a turn's end: write what reports were given meanwhile."""
        for client in list(self._by_line.values()):
            self._carry_out(client, now)

    # ---- everybody

    def stop(self, now: Instant) -> None:
        """Log every client out."""
        for client in list(self._by_line.values()):
            self._log_out(client, now)

    def end_announced(self, now: Instant) -> None:
        """Log out every client whose connection ends."""
        for client in list(self._by_line.values()):
            if client.line is not None and client.line.ends:
                self._log_out(client, now)

    def _log_out(self, client: Client, now: Instant) -> None:
        client.session.logout("The exchange is shutting down.", now)
        self._carry_out(client, now)

    def announce(self, headline: str, now: Instant) -> None:
        """News(B) to everybody who is logged on over a connection that ends."""
        for client in [each for each in self._logged_on() if each.line is not None and each.line.ends]:
            self._send(client, "B", f"148={headline}\x0133=1\x0158={headline}\x01".encode(), now)

    @property
    def busy(self) -> bool:
        """Whether anybody is connected."""
        return bool(self._by_line)

    def sessions(self) -> dict[str, dict[str, object]]:
        """The numbers of every session, for status and `reconcile`."""
        return {
            name: {
                "state": client.session.state.name.lower(),
                "connected": client.line is not None,
                "generation": client.generation,
                "next_outbound": client.session.next_outbound,
                "next_inbound": client.session.next_inbound,
            }
            for name, client in self._clients.items()
        }

    def _logged_on(self) -> list[Client]:
        return [client for client in self._by_line.values() if client.session.logged_on]

    # ---- what the FIX session wants

    def _carry_out(self, client: Client, now: Instant) -> None:
        while effects := client.session.take_effects():
            for effect in effects:
                self._perform(client, effect, now)

    def _perform(self, client: Client, effect: Effect, now: Instant) -> None:
        if type(effect) is Outbound:
            self._write(client, effect, now)
        elif type(effect) is Inbound:
            if effect.application and not effect.rejected:
                self._answer(client, Request(effect), now)
        elif type(effect) is ResendWanted:
            client.session.resend(effect.begin, effect.end, self._stored(client, effect), now)
        elif type(effect) is Disconnect:
            self._venue.note(
                "info", "disconnecting", session=client.party.comp_id, why=effect.reason.name, text=effect.text
            )
            self._hang_up(client, now)
        elif type(effect) is LoggedOn:
            self._venue.note("info", "logged_on", session=client.party.comp_id)
        elif type(effect) is Notice:
            self._venue.note(effect.level.value, effect.code, session=client.party.comp_id, text=effect.text)

    def _write(self, client: Client, effect: Outbound, now: Instant) -> None:
        if effect.resent or effect.msg_type in _ADMIN:
            if client.line is not None:
                self._venue.lines.write(client.line, effect.raw, now)
            return
        self._write_application(client, effect, spoiled(effect.raw, self._venue.faults, self._scope), now)

    def _write_application(self, client: Client, effect: Outbound, raw: bytes, now: Instant) -> None:
        """Write an application message as the faults have it."""
        if client.line is not None:
            self._venue.lines.write_application(client.line, raw, now)

    def _stored(self, client: Client, wanted: ResendWanted) -> Iterable[tuple[int, bytes]]:
        """What was kept of the messages that are wanted again."""
        return ()

    def _hang_up(self, client: Client, now: Instant) -> None:
        """Close the connection once everything before is sent."""
        line = client.line
        if line is not None:
            self._venue.lines.close(line)
            self._part(client, line, now)

    def _send(self, client: Client, msg_type: str, body: bytes, now: Instant) -> None:
        """Send to a client that is logged on."""
        if client.session.logged_on:
            client.session.send(msg_type, body, now)

    def _answer(self, client: Client, request: Request, now: Instant) -> None:
        handler = self._answers.get(request.msg_type)
        if handler is None:
            self._send(client, "j", request.not_served(UNSUPPORTED_MESSAGE_TYPE, "Unsupported message type"), now)
            return
        try:
            if self._venue.tags is not None:
                self._venue.tags.check(request.msg_type, request.tags)
            handler(client, request, now)
        except BadField as bad:
            self._reject(client, request, bad, now)

    def _reject(self, client: Client, request: Request, bad: BadField, now: Instant) -> None:
        """A request cannot be read: say which field is to blame."""
        self._send(client, "3", request.rejected(bad), now)


class ResendingFixGateway(FixGateway):
    """One listener, whose sessions outlive their connections and the process."""

    sequence_policy = SequencePolicy.RESEND
    _venue: LastingHost

    def __init__(self, venue: LastingHost, scope: str, parties: Iterable[Party]) -> None:
        """`scope` is the listener's name, `parties` are those who may log on."""
        super().__init__(venue, scope, parties)
        for party in self._parties.values():
            numbers = venue.numbers(party.comp_id)
            session = self._session(party, numbers.next_outbound, numbers.next_inbound)
            self._clients[party.comp_id] = Client(party, session, numbers.generation)

    def ask_for_life(self, now: Instant) -> None:
        """TestRequest(1) to everybody who is logged on."""
        for client in self._logged_on():
            client.session.send("1", b"112=%d\x01" % client.session.next_outbound, now)
            self._carry_out(client, now)

    def ask_again(self, now: Instant) -> None:
        """ResendRequest(2) to everybody who is logged on, for whatever was received, from one number further on."""
        for client in self._logged_on():
            if client.asked_from + 1 < client.session.next_inbound:
                client.session.send(RESEND_REQUEST, b"7=%d\x0116=0\x01" % (client.asked_from + 1), now)
                self._carry_out(client, now)

    def settle(self, now: Instant) -> None:
        """At a turn's end: write what reports were given meanwhile, and give the log every number that moved."""
        super().settle(now)
        for name, client in self._clients.items():
            if client.line is None:
                # Numbers taken while the client is away: what the session says of them is known already.
                client.session.take_effects()
            known, session = self._venue.numbers(name), client.session
            now_at = (client.generation, session.next_outbound, session.next_inbound)
            if (known.generation, known.next_outbound, known.next_inbound) != now_at:
                self._venue.record(Numbered(name, *now_at))

    def _ended(self, client: Client, line: Line) -> None:
        """A connection has ended; the session goes on without it."""

    def _perform(self, client: Client, effect: Effect, now: Instant) -> None:
        if type(effect) is NumbersSet and effect.reason in _NEW_GENERATION:
            client.generation += 1
        super()._perform(client, effect, now)

    def _write(self, client: Client, effect: Outbound, now: Instant) -> None:
        if effect.msg_type == RESEND_REQUEST:
            client.asked_from = max(client.asked_from, int(split(effect.raw)[b"7"]))
        super()._write(client, effect, now)

    def _write_application(self, client: Client, effect: Outbound, raw: bytes, now: Instant) -> None:
        self._keep(client, effect.msg_seq_num, effect.msg_type, raw)
        super()._write_application(client, effect, raw, now)

    def _keep(self, client: Client, msg_seq_num: int, msg_type: str, raw: bytes) -> None:
        """Give the log a message that a resend will want as it is."""
        self._venue.record(Sent(client.party.comp_id, client.generation, msg_seq_num, msg_type, raw))

    def _stored(self, client: Client, wanted: ResendWanted) -> Iterable[tuple[int, bytes]]:
        # What follows a number that was used for nothing has left on this very connection.
        if client.skipped == (wanted.begin, self._lost_count()):
            return ()
        return self._venue.sent_messages(client.party.comp_id, wanted.begin, wanted.end)

    def _lost_count(self) -> int:
        """How many messages were lost on command."""
        struck = self._venue.faults.struck
        return struck.get(Kind.GAP, 0) + struck.get(Kind.GARBLE, 0)

    def _send(self, client: Client, msg_type: str, body: bytes, now: Instant) -> None:
        """Send to a client, or number and keep it while the client is away."""
        session = client.session
        if session.logged_on:
            if self._venue.faults.strikes(Kind.SKIP, self._scope):
                client.skipped = (session.next_outbound, self._lost_count())
                session.next_outbound += 1
            session.send(msg_type, body, now)
            return
        # Between Logout(5) and the close no number can be taken on this connection: end it now; what was written
        # leaves.
        self._hang_up(client, now)
        seq = session.next_outbound
        head = f"35={msg_type}\x0134={seq}\x0149={self._comp_id}\x01".encode()
        stamp = b"52=%b\x0156=%b\x01" % (utc_timestamp(now.wall_ns), client.party.comp_id.encode())
        raw = encode(session.settings.begin_string.encode(), head + stamp + body)
        self._keep(client, seq, msg_type, raw)
        session.reset(seq + 1, session.next_inbound)

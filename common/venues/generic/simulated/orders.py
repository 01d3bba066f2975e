"""Dialect "generic", order entry: persistent FIX sessions over `common.fix`, and what their requests do to the engine.

A client's reports belong to its session, connected or not: while it is away they take numbers all the same, so that it
finds a gap at its next Logon(A) and asks for them with ResendRequest(2).
"""

from decimal import Decimal

from common.exchange.bare import bare
from common.exchange.changes import Amended, Change, Closed, Corrected, Numbered, Placed, Sent, Traded
from common.exchange.engine import Cause, Refusal
from common.exchange.faults import Kind
from common.exchange.history import ClosedOrder
from common.exchange.lines import Line
from common.exchange.numbers import read_number
from common.exchange.order import GOOD_TILL_CANCEL, LIMIT, Order, Terms
from common.exchange.settings import Party
from common.exchange.spoiling import spoiled
from common.exchange.venue import Venue
from common.fix.session import (
    Disconnect,
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
from common.venues.generic.simulated import reports

LOGON_TIMEOUT_NS = 10 * NS_PER_S
MAX_UNNAMED_BYTES = 4096
MAX_NAME_CHARACTERS = 64
# A number's digits reach from 10 to the power of one to that of the other, so that arithmetic on it stays exact.
LEAST_DIGIT = -12
GREATEST_DIGIT = 15
RESEND_REQUEST = "2"
_ADMIN = frozenset("01245A")
_NEW_GENERATION = (NumbersReason.RESET_SEQ_NUM_FLAG, NumbersReason.RESET_ON_LOGON)

Fields = dict[bytes, bytes]


class BadField(Exception):
    """A request lacks a field or holds one that cannot be read: what the Reject(3) says."""

    def __init__(self, reason: int, tag: int, text: str) -> None:
        super().__init__(text)
        self.reason = reason
        self.tag = tag


class Client:
    """One persistent session and, while it is connected, its line."""

    def __init__(self, party: Party, session: Session, generation: int) -> None:
        self.party = party
        self.session = session
        self.generation = generation
        self.line: Line | None = None
        self.skipped = (0, 0)
        """A number that was used for nothing on this connection, and how many messages were lost by then."""

        self.asked_from = session.next_inbound - 1
        """The highest number that the client was asked for again."""


class _Unnamed:
    """A connection whose first message is still to come."""

    def __init__(self, line: Line, now: Instant) -> None:
        self.line = line
        self.framer = Framer(max_message_bytes=MAX_UNNAMED_BYTES, max_buffer_bytes=2 * MAX_UNNAMED_BYTES)
        self.data = b""
        self.deadline_ns = now.boot_ns + LOGON_TIMEOUT_NS


class GenericOrders:
    """The order entry side of dialect "generic"."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._clients = {party.comp_id: self._client(party) for party in venue.settings.parties}
        self._by_line: dict[int, Client] = {}
        self._unnamed: dict[int, _Unnamed] = {}
        self._names = ""
        self._fill_names = ""
        self._held: list[bytes] | None = None
        self._handlers = {
            "D": self._new_order,
            "F": self._cancel,
            "G": self._replace,
            "q": self._mass_cancel,
            "H": self._status,
            "AF": self._mass_status,
        }

    def _client(self, party: Party) -> Client:
        numbers = self._venue.state.numbers(party.comp_id)
        settings = SessionSettings(
            sender_comp_id=self._venue.settings.comp_id,
            target_comp_id=party.comp_id,
            initiator=False,
            heart_bt_int_s=self._venue.settings.heart_bt_int_s,
            sequence_policy=SequencePolicy.RESEND,
        )
        session = Session(settings, numbers.next_outbound, numbers.next_inbound)
        return Client(party, session, numbers.generation)

    # ---- connections

    def accepted(self, line: Line, now: Instant) -> None:
        """A connection whose name is not known yet."""
        self._unnamed[line.number] = _Unnamed(line, now)

    def data(self, line: Line, data: bytes, now: Instant) -> None:
        """Bytes from a connection."""
        client = self._by_line.get(line.number)
        if client is None:
            client = self._name(line, data, now)
            if client is None:
                return
            data = self._unnamed.pop(line.number).data
            self._by_line[line.number] = client
            client.line, client.skipped = line, (0, 0)
            client.session.connected(now)
        client.session.received(data, now)
        self._carry_out(client, now)

    def _name(self, line: Line, data: bytes, now: Instant) -> Client | None:
        """Whose connection it is, once the first message is there. A stranger is closed without a word (case 1S.c)."""
        unnamed = self._unnamed.get(line.number)
        if unnamed is None:
            return None
        unnamed.data += data
        messages = unnamed.framer.feed(data)
        if not messages:
            if unnamed.framer.garbled or len(unnamed.data) > MAX_UNNAMED_BYTES:
                self._refuse(line, "garbled before Logon(A)")
            return None
        identity = peek_logon(messages[0])
        client = self._clients.get(identity[1]) if identity is not None else None
        if client is None or identity is None or identity[2] != self._venue.settings.comp_id:
            self._refuse(line, f"the first message is no Logon(A) of a known client: {identity}")
            return None
        if client.line is not None:
            # Case 1S.b: a second connection of a live session is closed without a message.
            self._refuse(line, f"{client.party.comp_id} is logged on already")
            return None
        return client

    def _refuse(self, line: Line, why: str) -> None:
        self._venue.count("connections_refused")
        self._venue.note("warning", "connection_refused", connection=line.number, why=why)
        self._unnamed.pop(line.number, None)
        self._venue.lines.close(line)

    def lost(self, line: Line, now: Instant) -> None:
        """The connection is gone."""
        self._unnamed.pop(line.number, None)
        client = self._by_line.pop(line.number, None)
        if client is not None:
            client.line = None
            client.session.disconnected(now)
            self._carry_out(client, now)

    def timer(self, now: Instant) -> None:
        """Heartbeats, timeouts."""
        for unnamed in list(self._unnamed.values()):
            if unnamed.deadline_ns <= now.boot_ns:
                self._refuse(unnamed.line, "no Logon(A) in time")
        for client in self._clients.values():
            deadline = client.session.next_deadline_ns()
            if client.line is not None and deadline is not None and deadline <= now.boot_ns:
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
        """At a turn's end: write what reports were given meanwhile, and give the log every number that moved."""
        for client in self._clients.values():
            if client.line is not None:
                self._carry_out(client, now)
            else:
                # Numbers taken while the client is away: what the session says of them is known already.
                client.session.take_effects()
        self._record_numbers()

    def stop(self, now: Instant) -> None:
        """Log every client out."""
        for client in list(self._by_line.values()):
            client.session.logout("The exchange is shutting down.", now)
            self._carry_out(client, now)

    def ask_for_life(self, now: Instant) -> None:
        """TestRequest(1) to everybody who is logged on."""
        for client in self._logged_on():
            client.session.send("1", b"112=%d\x01" % client.session.next_outbound, now)
            self._carry_out(client, now)

    def ask_again(self, now: Instant) -> None:
        """ResendRequest(2) to everybody who is logged on, for whatever was received, from one number further on."""
        for client in self._logged_on():
            if client.asked_from + 1 < client.session.next_inbound:
                client.session.send("2", b"7=%d\x0116=0\x01" % (client.asked_from + 1), now)
                self._carry_out(client, now)

    def _logged_on(self) -> list[Client]:
        return [client for client in self._by_line.values() if client.session.logged_on]

    def _lost(self) -> int:
        """How many messages were lost on command."""
        struck = self._venue.faults.struck
        return struck.get(Kind.GAP, 0) + struck.get(Kind.GARBLE, 0)

    @property
    def busy(self) -> bool:
        """Whether anybody is connected."""
        return bool(self._by_line)

    def announce(self, headline: str, now: Instant) -> None:
        """News(B) to everybody who is logged on."""
        for client in self._by_line.values():
            if client.session.logged_on:
                self._send(client, "B", f"148={headline}\x0133=1\x0158={headline}\x01".encode(), now)

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

    def _record_numbers(self) -> None:
        for name, client in self._clients.items():
            known, session = self._venue.state.numbers(name), client.session
            now_at = (client.generation, session.next_outbound, session.next_inbound)
            if (known.generation, known.next_outbound, known.next_inbound) != now_at:
                self._venue.engine.record(Numbered(name, *now_at))

    # ---- what the FIX session wants

    def _carry_out(self, client: Client, now: Instant) -> None:
        session = client.session
        while effects := session.take_effects():
            for effect in effects:
                if type(effect) is Outbound:
                    self._out(client, effect, now)
                elif type(effect) is Inbound:
                    if effect.application and not effect.rejected:
                        self._request(client, effect, now)
                elif type(effect) is ResendWanted:
                    messages = self._venue.store.sent.messages(client.party.comp_id, effect.begin, effect.end)
                    # What follows a number that was used for nothing has left on this very connection.
                    fills_alone = client.skipped == (effect.begin, self._lost())
                    session.resend(effect.begin, effect.end, () if fills_alone else messages, now)
                elif type(effect) is NumbersSet:
                    if effect.reason in _NEW_GENERATION:
                        client.generation += 1
                elif type(effect) is Disconnect:
                    self._disconnect(client, effect, now)
                elif type(effect) is LoggedOn:
                    self._venue.note("info", "logged_on", session=client.party.comp_id)
                elif type(effect) is Notice:
                    self._venue.note(effect.level.value, effect.code, session=client.party.comp_id, text=effect.text)

    def _out(self, client: Client, effect: Outbound, now: Instant) -> None:
        line = client.line
        if effect.msg_type == RESEND_REQUEST:
            client.asked_from = max(client.asked_from, int(split(effect.raw)[b"7"]))
        if effect.resent or effect.msg_type in _ADMIN:
            if line is not None:
                self._venue.lines.write(line, effect.raw, now)
            return
        raw = spoiled(effect.raw, self._venue.faults, "fix")
        self._venue.engine.record(
            Sent(client.party.comp_id, client.generation, effect.msg_seq_num, effect.msg_type, raw)
        )
        if line is not None:
            self._venue.lines.write_application(line, raw, now)

    def _disconnect(self, client: Client, effect: Disconnect, now: Instant) -> None:
        self._venue.note(
            "info", "disconnecting", session=client.party.comp_id, why=effect.reason.name, text=effect.text
        )
        line = client.line
        if line is not None:
            self._venue.lines.close(line)
            self._by_line.pop(line.number, None)
            client.line = None
            client.session.disconnected(now)

    def _send(self, client: Client, msg_type: str, body: bytes, now: Instant) -> None:
        """Send to a client, or number and keep it while the client is away."""
        session = client.session
        if session.logged_on:
            if self._venue.faults.strikes(Kind.SKIP, "fix"):
                client.skipped = (session.next_outbound, self._lost())
                session.next_outbound += 1
            session.send(msg_type, body, now)
            return
        line = client.line
        if line is not None:
            # Between Logout(5) and the close no number can be taken on this connection: end it now, what was written
            # leaves.
            self._by_line.pop(line.number, None)
            self._venue.lines.close(line)
            client.line = None
            session.disconnected(now)
        seq = session.next_outbound
        head = f"35={msg_type}\x0134={seq}\x0149={self._venue.settings.comp_id}\x01".encode()
        stamp = b"52=%b\x0156=%b\x01" % (utc_timestamp(now.wall_ns), client.party.comp_id.encode())
        raw = encode(b"FIX.4.4", head + stamp + body)
        self._venue.engine.record(Sent(client.party.comp_id, client.generation, seq, msg_type, raw))
        session.reset(seq + 1, session.next_inbound)

    # ---- reports

    def report(self, change: Change, order: Order, now: Instant) -> None:
        """An order of a client changed: send its report to the session that placed it."""
        client = self._clients.get(order.session)
        if client is None:
            return
        terms = order.terms
        if type(change) is Traded:
            maker = change.maker_id == order.order_id
            exec_id = change.exec_id if maker else change.exec_id + 1
            fee = change.maker_fee if maker else change.taker_fee
            instrument = self._venue.state.instruments[order.symbol]
            extra = reports.fill_fields(order, instrument, change.px, change.qty, fee, maker)
            body = reports.report(order, terms, str(exec_id), "F", change.stamp_ns, self._fill_names, extra)
        elif type(change) is Placed:
            body = reports.report(order, terms, str(change.exec_id), "0", change.stamp_ns)
        elif type(change) is Closed:
            names = self._names if change.cause == Cause.USER else ""
            text = "" if change.cause in (Cause.USER, Cause.MASS_CANCEL) else f"58={change.cause}\x01"
            body = reports.report(
                order, terms, str(change.exec_id), change.ord_status, change.stamp_ns, names, extra=text
            )
        elif type(change) is Amended:
            body = reports.report(order, terms, str(change.exec_id), "5", change.stamp_ns, self._names)
        else:
            return
        if type(change) is Traded and self._venue.leaves_out(terms.cl_ord_id):
            body = bare(body)
        if self._held is not None:
            self._held.append(body)
        else:
            self._send(client, "8", body, now)
        if type(change) is Placed and terms.time_in_force == GOOD_TILL_CANCEL:
            self._done_for_day(client, order, now)

    def _done_for_day(self, client: Client, order: Order, now: Instant) -> None:
        """FIX 4.4, matrix H: a good till cancel order that is done for the day trades on another one, or tonight."""
        if self._venue.faults.strikes(Kind.DONE_FOR_DAY, "fix"):
            exec_id, terms = self._venue.unique(), order.terms
            body = reports.report(order, terms, exec_id, "3", now.wall_ns, ord_status=reports.DONE_FOR_DAY)
            self._send(client, "8", body, now)

    def corrected(self, change: Corrected, order: Order | ClosedOrder, now: Instant) -> None:
        """A fill of an order, open or closed, was taken back or corrected: tell the session that placed the order."""
        client = self._clients.get(order.terms.session)
        if client is not None:
            body = reports.correction(order, change, self._venue.state.instruments[change.symbol])
            is_bare = self._venue.leaves_out(order.terms.cl_ord_id)
            self._send(client, "8", bare(body) if is_bare else body, now)

    # ---- requests

    def _request(self, client: Client, inbound: Inbound, now: Instant) -> None:
        self._names = ""
        handler = self._handlers.get(inbound.msg_type)
        if handler is None:
            text = "Unsupported message type"
            self._send(client, "j", reports.business_reject(inbound.msg_seq_num, inbound.msg_type, 3, "", text), now)
            return
        try:
            handler(client, inbound.fields or split(inbound.raw), inbound.msg_seq_num, now)
        except BadField as bad:
            body = reports.session_reject(inbound.msg_seq_num, inbound.msg_type, bad.reason, bad.tag, str(bad))
            self._send(client, "3", body, now)

    def _new_order(self, client: Client, f: Fields, seq: int, now: Instant) -> None:
        terms = _terms(client, f)._replace(self_trade=self._venue.prevention(""))
        known = self._venue.state.find(terms.account, terms.cl_ord_id)
        if known is not None:
            self._venue.count("duplicate_cl_ord_ids")
            if f.get(b"97") == b"Y":
                self._send(client, "8", self._state_of(known, ""), now)
                return
        fault = self._venue.faults.strikes(Kind.REJECT, "fix")
        refusal = None if fault is not None else self._venue.engine.check(terms)
        if fault is not None or refusal is not None:
            text = fault.text if fault is not None else refusal.value if refusal is not None else ""
            body = reports.rejected(terms, self._venue.unique(), refusal, text or "Rejected on command.", now.wall_ns)
            self._send(client, "8", body, now)
            return
        self._venue.engine.place(terms, now)

    def _cancel(self, client: Client, f: Fields, seq: int, now: Instant) -> None:
        if self._venue.faults.strikes(Kind.SILENT, "fix"):
            return
        cl_ord_id, orig = _text(f, 11), _text(f, 41)
        order = self._open(client, f, cl_ord_id, orig, "1", now)
        if order is None:
            return
        if self._fills_across(client, order, cl_ord_id, orig, "1", now):
            return
        self._names = f"11={cl_ord_id}\x0141={order.cl_ord_id}\x01"
        late: list[bytes] = []
        if order.resting and self._venue.faults.strikes(Kind.LATE_FILL, "fix"):
            self._held = late
            self._venue.fill_late(order, now)
            self._held = None
        if order.is_open:
            self._venue.engine.cancel(order, now)
        else:
            self._reject_cancel(client, order, cl_ord_id, orig, "1", reports.TOO_LATE, "The order is closed.", now)
        for body in late:
            self._send(client, "8", body, now)

    def _replace(self, client: Client, f: Fields, seq: int, now: Instant) -> None:
        cl_ord_id, orig = _text(f, 11), _text(f, 41)
        order_qty, price = _decimal(f, 38), _decimal(f, 44) if b"44" in f else None
        order = self._open(client, f, cl_ord_id, orig, "2", now)
        if order is None:
            return
        if self._fills_across(client, order, cl_ord_id, orig, "2", now):
            return
        engine = self._venue.engine
        if _text(f, 54) != order.side or _text(f, 40) != order.ord_type:
            self._reject_cancel(
                client, order, cl_ord_id, orig, "2", 2, "Side(54) and OrdType(40) cannot be changed.", now
            )
            return
        refusal = engine.check_replace(order, cl_ord_id, order_qty, price)
        if refusal is not None:
            reason = reports.DUPLICATE_CL_ORD_ID if refusal is Refusal.DUPLICATE else 99
            self._reject_cancel(client, order, cl_ord_id, orig, "2", reason, refusal.value, now)
            return
        self._names = f"11={cl_ord_id}\x0141={order.cl_ord_id}\x01"
        engine.replace(order, cl_ord_id, order_qty, price, now)

    def _fills_across(
        self, client: Client, order: Order, cl_ord_id: str, orig: str, response_to: str, now: Instant
    ) -> bool:
        """Whether a fault lets a fill cross the request on its way: it bears the request's names, which is refused."""
        if not order.resting or not self._venue.faults.strikes(Kind.CROSSED, "fix"):
            return False
        self._fill_names = f"11={cl_ord_id}\x0141={order.cl_ord_id}\x01"
        self._venue.fill_late(order, now)
        self._fill_names = ""
        text = "A fill crossed the request."
        self._reject_cancel(client, order, cl_ord_id, orig, response_to, reports.TOO_LATE, text, now)
        return True

    def _open(
        self, client: Client, f: Fields, cl_ord_id: str, orig: str, response_to: str, now: Instant
    ) -> Order | None:
        """The open order that a cancel or replace is about; where there is none the request is refused."""
        found = self._find(client, f, _optional(f, 55), orig)
        if isinstance(found, Order):
            return found
        if found is None:
            body = reports.cancel_rejected(
                cl_ord_id, orig, "", "8", response_to, reports.UNKNOWN_ORDER, Refusal.UNKNOWN_ORDER.value, now.wall_ns
            )
            self._send(client, "9", body, now)
        else:
            self._reject_cancel(
                client, found, cl_ord_id, orig, response_to, reports.TOO_LATE, "The order is closed.", now
            )
        return None

    def _find(self, client: Client, f: Fields, symbol: str, cl_ord_id: str) -> Order | ClosedOrder | None:
        """By OrderID(37) where it is one of ours, else by name: a client that does not know the id may say NONE."""
        account = client.party.account
        found = self._venue.find(account, symbol, _optional(f, 37), "") if b"37" in f else None
        return found if found is not None else self._venue.find(account, symbol, "", cl_ord_id)

    def _reject_cancel(
        self,
        client: Client,
        order: Order | ClosedOrder,
        cl_ord_id: str,
        orig: str,
        response_to: str,
        reason: int,
        text: str,
        now: Instant,
    ) -> None:
        body = reports.cancel_rejected(
            cl_ord_id, orig, str(order.order_id), order.ord_status, response_to, reason, text, now.wall_ns
        )
        self._send(client, "9", body, now)

    def _mass_cancel(self, client: Client, f: Fields, seq: int, now: Instant) -> None:
        """530=1 cancels a symbol's orders, 530=7 all. The report goes first, then an ExecutionReport(8) for each
        order.
        """
        cl_ord_id, request_type = _text(f, 11), _text(f, 530)
        symbol = _optional(f, 55)
        state, engine = self._venue.state, self._venue.engine
        known = symbol in state.instruments if request_type == "1" else request_type == "7"
        symbols = [symbol] if request_type == "1" else list(state.instruments)
        affected = sum(len(state.open_orders(client.party.account, s)) for s in symbols) if known else 0
        response, reason, text = (request_type, "", "") if known else ("0", "1", Refusal.UNKNOWN_SYMBOL.value)
        body = reports.mass_cancel_report(
            cl_ord_id, self._venue.unique(), request_type, response, symbol, affected, reason, text, now.wall_ns
        )
        self._send(client, "r", body, now)
        for each in symbols if known else ():
            engine.cancel_all(client.party.account, each, now)

    def _status(self, client: Client, f: Fields, seq: int, now: Instant) -> None:
        """OrderStatusRequest(H): the state, or OrdRejReason(103)=5 for an order that is not known."""
        cl_ord_id = _optional(f, 11)
        if self._venue.faults.strikes(Kind.REJECT_STATUS, "fix"):
            self._send(client, "j", reports.business_reject(seq, "H", 4, cl_ord_id, "Application not available"), now)
            return
        asked = f"790={_optional(f, 790)}\x01" if b"790" in f else ""
        found = self._find(client, f, "", cl_ord_id)
        if found is None:
            body = reports.status_unknown(
                self._venue.unique(), cl_ord_id, _optional(f, 37), _text(f, 55), _text(f, 54), asked,
                Refusal.UNKNOWN_ORDER.value, now.wall_ns,
            )  # fmt: skip
            self._send(client, "8", body, now)
            return
        self._send(client, "8", self._state_of(found, asked), now)

    def _mass_status(self, client: Client, f: Fields, seq: int, now: Instant) -> None:
        """OrderMassStatusRequest(AF) for all open orders (585=7) or those of a symbol (585=1)."""
        request_id, kind = _text(f, 584), _text(f, 585)
        state = self._venue.state
        symbols = [_text(f, 55)] if kind == "1" else list(state.instruments)
        orders = [order for symbol in symbols for order in state.open_orders(client.party.account, symbol)]
        for index, order in enumerate(orders, 1):
            last = "Y" if index == len(orders) else "N"
            extra = f"584={request_id}\x01911={len(orders)}\x01912={last}\x01"
            self._send(client, "8", self._state_of(order, extra), now)
        if not orders:
            extra = f"584={request_id}\x01911=0\x01912=Y\x01"
            body = reports.status_unknown(
                self._venue.unique(), "", "", symbols[0], "1", extra, "No open orders.", now.wall_ns
            )
            self._send(client, "8", body, now)

    def _state_of(self, order: Order | ClosedOrder, extra: str) -> bytes:
        terms = order.terms
        return reports.report(order, terms, self._venue.unique(), "I", order.updated_ns, extra=extra)


def _text(f: Fields, tag: int) -> str:
    value = f.get(b"%d" % tag)
    if value is None:
        raise BadField(1, tag, "Required tag missing")
    if not value or len(value) > MAX_NAME_CHARACTERS or not value.isascii():
        raise BadField(6, tag, "Incorrect data format for value")
    return value.decode("ascii")


def _optional(f: Fields, tag: int) -> str:
    return f.get(b"%d" % tag, b"").decode("ascii", "replace")


def _decimal(f: Fields, tag: int) -> Decimal:
    try:
        value = read_number(_text(f, tag))
    except ValueError:
        raise BadField(6, tag, "Incorrect data format for value") from None
    if not LEAST_DIGIT <= int(value.as_tuple().exponent) <= value.adjusted() <= GREATEST_DIGIT:
        raise BadField(5, tag, "Value is incorrect (out of range) for this tag")
    return value


def _terms(client: Client, f: Fields) -> Terms:
    time_in_force = _optional(f, 59) or "0"
    price = f.get(b"44")
    ord_type = _text(f, 40)
    if ord_type == LIMIT and price is None:
        raise BadField(1, 44, "Required tag missing")
    return Terms(
        client.party.account, client.party.comp_id, _text(f, 11), _text(f, 55), _text(f, 54), ord_type, _decimal(f, 38),
        _decimal(f, 44) if price is not None else None,
        # A day of this exchange has no end: Day(0) rests like GoodTillCancel(1).
        GOOD_TILL_CANCEL if time_in_force == "0" else time_in_force,
        f.get(b"18") == b"6",
    )  # fmt: skip

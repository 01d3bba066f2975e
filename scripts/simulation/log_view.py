"""What the log shows of our orders, kept by rules of its own: what is open, what was last heard of it, and what counts
as evidence that a message never had an effect. Orders' verdicts are held against this and against the truth."""

from collections import defaultdict
from typing import NamedTuple

from common.fix.wire import parse_utc_timestamp, split
from common.instant import NS_PER_S
from common.journal.frames import Record
from common.messages import (
    AmendOrder,
    Answer,
    Attempt,
    CancelOrder,
    CancelRejected,
    ExecutionReport,
    GapFilled,
    Inbound,
    LostOrder,
    NewOrder,
    OneEvent,
    Outbound,
    QueryOrder,
    Refused,
    RequestRejected,
    SessionChanged,
    SessionState,
    Unreadable,
    Withdrawn,
    lost_number,
)
from scripts.simulation.network import TcpStream

Name = tuple[str, int]
Key = tuple[str, str]
"""An order message by its venue and its ClOrdID(11)."""

MARGIN_NS = NS_PER_S
NEW_LEG = frozenset({"D", "E", "XCN"})
"""MsgType(35) of what is an order of its own at the exchange."""

ENDED = frozenset({"2", "3", "4", "8", "C"})
"""OrdStatus(39): filled, done for day, canceled, rejected, expired."""


class Sent(NamedTuple):
    """One order message as the log has it. `counts_ns` is from when the venue's window counts: its SendingTime(52), or
    the record's stamp where the venue has none, and looks at no clock of ours.
    """

    name: Name
    generation: int
    connection: int
    msg_seq_num: int
    counts_ns: int


class LogView:
    """See the module. Fed with every record of the log, in order."""

    def __init__(self, windows_ns: dict[str, int]) -> None:
        """`windows_ns`: by venue, how long after it was sent a message may still take effect."""
        self.sent: dict[tuple[str, str], Sent] = {}
        self.ambiguous: set[tuple[str, str]] = set()
        self.answered: set[tuple[str, str]] = set()
        """What the venue has said something to that could not be read."""
        self.windows_ns = windows_ns
        self._names: dict[tuple[str, str], Name] = {}
        self._first_lsns: dict[Name, int] = {}
        self._open: dict[str, dict[Name, set[str]]] = defaultdict(dict)
        self._heard: dict[Name, int] = {}
        self._caught_up: dict[tuple[str, int], int] = {}
        self._order_ids: dict[tuple[str, str, str], tuple[Name, str]] = {}
        self._messages: dict[Attempt, tuple[Key, ...]] = {}
        """What left in the message of an attempt: all orders of a list, where it is that of the list."""

        self._lists: dict[Key, tuple[Key, ...]] = {}
        self._queries: set[Attempt] = set()

    def fold(self, record: Record, payload: object) -> None:
        """One record of the log."""
        match payload:
            case Outbound():
                self._outbound(record, payload)
            case LostOrder():
                self._lost(record, payload)
            case Inbound():
                self._inbound(record, payload)
            case Answer():
                self._answer(record, payload)
            case Withdrawn() if payload.attempt is not None:
                for key in self._messages.get(payload.attempt, ()):
                    self._end(key)
            case GapFilled():
                for key in (key for attempt in payload.attempts for key in self._messages.get(attempt, ())):
                    self._hear(record, key)
                    self._end(key)
            case Refused(command=QueryOrder() as query):
                self._hear(record, (query.venue, query.cl_ord_id))
            case SessionChanged(state=SessionState.CAUGHT_UP):
                self._caught_up.setdefault((payload.session, payload.connection), record.lsn)

    def unheard(self, venue: str, connection: int) -> list[Name] | None:
        """The orders, open or unknown when this connection had caught up, of which nothing was heard since; None where
        it has not caught up."""
        since = self._caught_up.get((venue, connection))
        if since is None:
            return None
        return [
            name
            for name, legs in self._open[venue].items()
            if legs and self._first_lsns[name] < since and self._heard.get(name, 0) <= since
        ]

    # ---- what we sent

    def _outbound(self, record: Record, payload: Outbound) -> None:
        command, venue = payload.command, payload.session
        if isinstance(command, QueryOrder):
            self._messages[command.attempt] = ((venue, command.cl_ord_id),)
            self._queries.add(command.attempt)
        if not isinstance(command, NewOrder | AmendOrder | CancelOrder) or payload.filler:
            return
        for each in command.orders if isinstance(command, NewOrder) else (command,):
            self._order_sent(record, payload, each)
        if isinstance(command, NewOrder) and command.further and command.attempt in self._messages:
            keys = tuple((venue, each.cl_ord_id) for each in command.orders)
            self._messages[command.attempt] = keys
            self._lists.update(dict.fromkeys(keys, keys))

    def _order_sent(self, record: Record, payload: Outbound, command: NewOrder | AmendOrder | CancelOrder) -> None:
        venue = payload.session
        key = (venue, command.cl_ord_id)
        is_late = not isinstance(command, CancelOrder) and record.stamp_ns > command.deadline_ns
        if key in self._names or is_late:
            return
        name = (command.strategy, command.number)
        if not isinstance(command, NewOrder):
            name = (command.target_strategy, command.target_number)
        self._names[key] = name
        self._messages[command.attempt] = (key,)
        has_window = bool(self.windows_ns[venue])
        counts_ns = parse_utc_timestamp(split(payload.raw)[b"52"]) if has_window else record.stamp_ns
        self.sent[key] = Sent(name, payload.generation, payload.connection, payload.msg_seq_num, counts_ns)
        if payload.msg_type in NEW_LEG:
            self._first_lsns.setdefault(name, record.lsn)
            self._open[venue].setdefault(name, set()).add(command.cl_ord_id)

    def _lost(self, record: Record, lost: LostOrder) -> None:
        """Only the lost end of a log knew it so far."""
        its, venue = lost.sent, lost.sent.session
        orders = its.command.orders if isinstance(its.command, NewOrder) else ()
        for number, each in enumerate(orders, lost_number(record.lsn)):
            name, legs = (each.strategy, number), {each.cl_ord_id: its}
            for amendment in lost.amendments:
                command = amendment.command
                if isinstance(command, AmendOrder) and command.orig_cl_ord_id in legs:
                    legs[command.cl_ord_id] = amendment
            self._first_lsns[name] = record.lsn
            for cl_ord_id, sent in legs.items():
                key = (venue, cl_ord_id)
                self._names[key] = name
                self.sent[key] = Sent(name, sent.generation, sent.connection, sent.msg_seq_num, lost.sent_ns)
                if sent.msg_type in NEW_LEG:
                    self._open[venue].setdefault(name, set()).add(cl_ord_id)

    def _hear(self, record: Record, key: tuple[str, str]) -> None:
        name = self._names.get(key)
        if name is not None:
            self._heard[name] = record.lsn

    def _end(self, key: tuple[str, str]) -> None:
        """That leg is no more; a name that is no leg's own (a cancel's) ends nothing."""
        name = self._names.get(key)
        if name is not None:
            self._open[key[0]].get(name, set()).discard(key[1])

    # ---- what the venue said

    def _inbound(self, record: Record, payload: Inbound) -> None:
        for event in payload.events:
            self._event(record, payload, event)

    def _event(self, record: Record, payload: Inbound, event: OneEvent) -> None:
        venue = payload.session
        match event:
            case ExecutionReport():
                self._report(record, payload, event)
            case Unreadable():
                # What answers the message of a list may name one of its orders alone.
                self.answered |= {*self._list_of((venue, event.cl_ord_id)), (venue, event.orig_cl_ord_id)}
            case CancelRejected() if not event.ambiguous:
                self._end((venue, event.cl_ord_id))
            case RequestRejected():
                keys = self._list_of((venue, event.cl_ord_id))
                if event.attempt is not None:
                    keys = self._messages.get(event.attempt, keys)
                for key in keys:
                    self._hear(record, key)
                    if event.ambiguous:
                        self.ambiguous.add(key)
                    elif event.attempt not in self._queries:
                        self._end(key)

    def _list_of(self, key: Key) -> tuple[Key, ...]:
        """All orders that left in the message of this one."""
        return self._lists.get(key, (key,))

    def _report(self, record: Record, payload: Inbound, event: ExecutionReport) -> None:
        venue = payload.session
        names = (venue, event.cl_ord_id), (venue, event.orig_cl_ord_id)
        # One cancel's name may stand in the reports of several orders of a list.
        key = next((key for key in (names[::-1] if event.exec_type == "4" else names) if key in self._names), None)
        by_id = self._order_ids.get((venue, event.symbol, event.order_id))
        if key is None and by_id is None:
            return
        name = self._names[key] if key is not None else by_id[0] if by_id is not None else ("", 0)
        self._heard[name] = record.lsn
        if key is not None and event.ambiguous:
            self.ambiguous.add(key)
            return
        if event.unknown_order:
            told_since = key in self.answered or (key is not None and payload.connection > self.sent[key].connection)
            if key is not None and told_since and not self.windows_ns[venue]:
                self._end(key)
            return
        legs = self._open[venue].get(name, set())
        own = [each for each in (event.cl_ord_id, event.orig_cl_ord_id, by_id[1] if by_id else "") if each in legs]
        leg = own[0] if own else next(iter(legs), "") if len(legs) == 1 and by_id is None else ""
        if leg and event.order_id and by_id is None:
            self._order_ids[venue, event.symbol, event.order_id] = (name, leg)
        if event.ord_status in ENDED and leg:
            self._end((venue, leg))

    def _answer(self, record: Record, answer: Answer) -> None:
        ask, venue = answer.ask, answer.venue
        asked = (venue, ask.cl_ord_id)
        if ask.what == "order":
            self._hear(record, asked)
            sent = self.sent.get(asked)
            if answer.not_found and sent and answer.venue_ns > sent.counts_ns + self.windows_ns[venue] + MARGIN_NS:
                self._end(asked)
        for order in (*answer.orders, *([answer.order] if answer.order is not None else [])):
            key = (venue, order.cl_ord_id)
            known = self._order_ids.get((venue, order.symbol, order.order_id))
            if key not in self._names and known is not None:
                key = (venue, known[1])
            self._hear(record, key)
            if order.ord_status in ENDED:
                self._end(key)


def is_dead(stream: TcpStream | None) -> bool:
    """Whether nothing that was written to the connection can reach the exchange any more."""
    return stream is None or not stream.alive or stream.swallows or not stream.forward.reads


def why_not_absent(
    view: LogView, key: tuple[str, str], payload: object, *, reached: bool, dead: bool, accepted: bool
) -> str:
    """Why the record does not prove that this message never had an effect; "" where it does.

    `reached`, `dead`, `accepted` are the truth: whether the exchange read it, whether its connection is over, and
    whether the exchange made an order of it.
    """
    sent, window_ns = view.sent.get(key), view.windows_ns[key[0]]
    if sent is None:
        return "the log has no such message"
    match payload:
        case Answer(not_found=True):
            closes_ns = sent.counts_ns + window_ns + MARGIN_NS
            if payload.venue_ns <= closes_ns:
                return f"the venue's window is open for {(closes_ns - payload.venue_ns) / 1e9:.3f} s more"
            told = key in view.ambiguous or key in view.answered
            # Without a window nothing but its connection's end keeps it from being read yet.
            may_count = (reached or not window_ns) and not dead and not told
            return f"connection {sent.connection}, which carried it, lives" if may_count else ""
        case Inbound() if any(getattr(event, "unknown_order", False) for event in payload.events):
            if key in view.answered and not window_ns:
                return "the exchange has accepted it" if accepted else ""
            if window_ns or payload.connection <= sent.connection:
                return f"it was asked for on connection {payload.connection}, and sent on {sent.connection}"
            return "" if dead else f"connection {sent.connection}, which carried it, lives"
        case GapFilled():
            if payload.generation != sent.generation or not payload.begin <= sent.msg_seq_num <= payload.end:
                return f"number {sent.msg_seq_num} of generation {sent.generation} was not asked for"
            return "the exchange has accepted it" if accepted else ""
    return "the record is no evidence"

"""The fold: one journal record applied to the books. Pure, total and the same in a replay as live.

Every rule that turns what the log says into the state of an order stands here, in `common.orders.order_state`, in
`common.orders.outcome` and in `common.orders.absence`.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from common.journal.frames import EPOCH, Record
from common.left_out import Unfoldable
from common.messages import (
    MAX_TIME_TO_LIVE_NS,
    MOST_FURTHER_ORDERS,
    AmendOrder,
    Answer,
    AssetRates,
    Attempt,
    Booked,
    CancelAll,
    CancelOrder,
    CancelRejected,
    DayBegan,
    Discrepancy,
    ExecutionReport,
    Expired,
    FilledByHand,
    GapFilled,
    Inbound,
    Kind,
    NewOrder,
    OperatorAct,
    OrderStatus,
    Outbound,
    QueryOrder,
    RateRefused,
    Reason,
    Refused,
    RequestRejected,
    RestOrder,
    SessionChanged,
    SessionState,
    Trade,
    Unanswered,
    Unreadable,
    Verdict,
    Withdrawn,
)
from common.orders.absence import DOWN, is_dead, no_stranger, sending_ns, unknown_over_fix, window_closed
from common.orders.belief import believed, believed_of_stranger, contradiction, side_of
from common.orders.books import CLOCKS_KEPT, TRADES_PAGE, Books, OrderName, SessionBooks, TradesAsked, covers
from common.orders.changes import (
    EVENTS,
    Answered,
    AttemptEnded,
    AttemptExpired,
    AttemptSent,
    CancelRefused,
    CancelWished,
    Change,
    CommandDecided,
    Differs,
    Doubted,
    Inquired,
    Missed,
    NamedBySession,
    OrderChanged,
    PositionMoved,
    SessionMoved,
    Unnamed,
)
from common.orders.fills import BY_HAND, FillChange
from common.orders.forgotten import LookUpFailed
from common.orders.leg import Leg, is_fill, names_order
from common.orders.names import Remembered, sent_name
from common.orders.numbers import ZERO, is_plausible, rounded_to
from common.orders.order_state import Order, Request, RequestKind
from common.orders.outcome import Evidence, Outcome, Outcomes, decide
from common.orders.words import (
    FILLS,
    NEW,
    ORDER_STATUS,
    REJECTED,
    REPLACED,
    RESTATED,
    TERMINAL_WORDS,
    is_over,
    names_of_order,
    rejects_request,
)
from common.request_identity import UNREAD, command_identity, request_identity

WRITER = "orders"

FOLD_VERSION = 16
"""See `common.actor.snapshots.Foldable`."""
BASELINE = "baseline"
"""A person's act: the account that stands before the colon of its text is counted from its next balances on."""

PRICE_STEP = Decimal("0.00000001")
"""What a price is rounded to that follows from AvgPx(6), which is rounded itself."""

MAX_TRADE_KEY_DIGITS = 32
"""A trade identity of more digits is a text, and no number that REST could be asked from."""


class ReportedState(NamedTuple):
    """What a report may change, other than by a fill."""

    word: str
    order_qty: Decimal
    price: Decimal | None
    filled_qty: Decimal
    triggered: bool
    requests: int
    unknown: bool
    ending: OrderStatus | None


class Fold:
    """Books and outcomes, and the way a record changes them. `apply` returns the changes, in a fixed order."""

    def __init__(self, books: Books) -> None:
        """`books` may be fresh or loaded from a snapshot."""
        self.books = books
        self.outcomes = Outcomes()
        self._changes: list[Change] = []
        handlers: dict[int, Callable[[Record, Any], None]] = {
            Kind.OUTBOUND: self._outbound,
            Kind.INBOUND: self._inbound,
            Kind.SESSION: self._session,
            Kind.REFUSED: self._refused,
            Kind.WITHDRAWN: self._withdrawn,
            Kind.GAP_FILLED: self._gap_filled,
            Kind.ANSWER: self._answer,
            Kind.DISCREPANCY: self._discrepancy,
            Kind.EXPIRED: self._expired,
            Kind.OPERATOR: self._operator,
            Kind.VERDICT: self._verdict,
            Kind.UNANSWERED: self._unanswered,
            Kind.CANCEL_ALL: self._cancel_all,
            Kind.RATE_REFUSED: self._rate_refused,
            Kind.FILLED_BY_HAND: self._filled_by_hand,
            Kind.DAY_BEGAN: self._day_began,
            Kind.BOOKED: self._booked,
            Kind.ASSET_RATES: self._asset_rates,
        }
        # Plain numbers, since a member of an enum hashes by a method of its own.
        self._folds = {int(kind): handler for kind, handler in handlers.items()}

    def apply(self, record: Record) -> list[Change]:
        """Fold one record, the successor of the last. One that cannot be read, or is left out, changes nothing but the
        stamp.

        Raises Unfoldable, LookUpFailed: the books are of no use then.
        """
        changes = self._changes = []
        books = self.books
        books.lsn, books.stamp_ns = record.lsn, record.stamp_ns
        if books.changed:
            books.changed = {}
        if books.changed_shares:
            books.changed_shares = {}
            books.moves = []
        if books.changed_externals:
            books.changed_externals = {}
        if self.outcomes.held:
            for attempt in self.outcomes.stamp(record.stamp_ns):
                changes.append(AttemptExpired(attempt))
        handler = self._folds.get(record.kind)
        if handler is not None:
            payload = books.left_out.read(record)
            if payload is None:
                return changes
            books.ledger.begin_record(record.lsn)
            try:
                handler(record, payload)
            except LookUpFailed:
                # Nothing is wrong with the record.
                raise
            except Exception as error:
                raise Unfoldable(record.lsn, error) from error
        elif record.kind == EPOCH and record.writer == WRITER:
            books.epoch, books.epoch_ns = record.writer_epoch, record.stamp_ns
        return changes

    # ---- our own side: sent, refused, withdrawn ----

    def _outbound(self, record: Record, outbound: Outbound) -> None:
        command, books = outbound.command, self.books
        session = books.sessions.get(outbound.session) or books.session(outbound.session, outbound.account)
        if outbound.generation == session.generation and outbound.msg_seq_num > session.last_outbound:
            session.last_outbound = outbound.msg_seq_num
        if isinstance(command, NewOrder):
            for each in command.orders:
                self._number_attempt(each.attempt)
            self._new_sent(record, outbound, command)
        elif isinstance(command, AmendOrder):
            self._number_attempt(command.attempt)
            self._request_sent(record, outbound, command)
        elif isinstance(command, CancelOrder):
            self._request_sent(record, outbound, command)
        elif isinstance(command, QueryOrder):
            self._changes.append(AttemptSent(command.attempt))
        elif outbound.own is not None:
            self._changes.append(NamedBySession(outbound.own))

    def _number_attempt(self, attempt: Attempt) -> None:
        self.books.highest_attempt = max(self.books.highest_attempt, (attempt.epoch, attempt.counter))

    def _new_sent(self, record: Record, outbound: Outbound, command: NewOrder) -> None:
        books = self.books
        if command.cl_ord_id in books.by_id or self._is_over(command):
            return
        if self._see(record, command) is not Outcome.SENT:
            self._end_attempt(record, command, Outcome.EXPIRED, Reason.EXPIRED, "")
            return
        orders = command.orders
        if any(map(self._is_name_taken, orders)):
            self._changes.append(AttemptSent(command.attempt))
            theirs = f"another order of that name was sent as {command.cl_ord_id}"
            name = f"{command.strategy}/{command.number}"
            self._differs(command.account, name, "sent", theirs, "counted as nobody's")
            return
        sent_ns = self._sent_ns(record, outbound)
        list_number = command.number if command.further else 0
        for index, each in enumerate(orders):
            order = Order.sent(each, record.lsn, sent_ns, outbound.connection, outbound.msg_seq_num, list_number)
            books.add_order(order)
            # The list's name is its first order's: a repeat of the request is told by all of it.
            self._decide(record, each if index else command, "sent", Reason.NONE, "")
            self._changes += (AttemptSent(each.attempt), OrderChanged(order, "pending_new"))
            for wished in books.cancel_alls_at(record.stamp_ns):
                if covers(wished, order, was_under_way=True):
                    self._wish_of_all(order, wished)

    def _sent_with(self, attempt: Attempt) -> list[Attempt]:
        """Every attempt that left in the message of this one: those of its list, where it is that of a list's first
        order."""
        first = self.books.by_id.get(sent_name(attempt, self.books.by_id))
        if first is None or first.attempt != attempt or first.number != first.list_number:
            return [attempt]
        return [each.attempt for each in self._list_of(first)]

    def _list_of(self, order: Order) -> list[Order]:
        """Every order of its list that is in memory; it alone where it is of none."""
        if not order.list_number:
            return [order]
        numbers = range(order.list_number, order.list_number + 1 + MOST_FURTHER_ORDERS)
        found = (self.books.orders.get((order.strategy, number)) for number in numbers)
        return [each for each in found if each is not None and each.list_number == order.list_number]

    def _is_name_taken(self, command: NewOrder) -> bool:
        """Whether the name is another order's, in memory or out of it: a second one would take its place."""
        name = (command.strategy, command.number)
        known = self.books.names.get(*name)
        return name in self.books.orders or (known is not None and known.outcome == Outcome.SENT.value)

    def _request_sent(self, record: Record, outbound: Outbound, command: AmendOrder | CancelOrder) -> None:
        order = self.books.orders.get((command.target_strategy, command.target_number))
        if command.cl_ord_id in self.books.by_id or self._is_over(command):
            return
        is_cancel = isinstance(command, CancelOrder)
        if self._see(record, command) is not Outcome.SENT:
            self._end_attempt(record, command, Outcome.EXPIRED, Reason.EXPIRED, "")
            return
        self._decide(record, command, "sent", Reason.NONE, "")
        self._changes.append(AttemptSent(command.attempt))
        if order is None:
            return
        if isinstance(command, CancelOrder):
            self._wish(order, command)
        owner = order.owner_of(command.orig_cl_ord_id)
        self.books.name_id(order, command.cl_ord_id)
        was_closed = order.is_closed
        order.request_sent(_request(outbound, command, self._sent_ns(record, outbound), owner))
        if was_closed:
            self.books.touched(order, record.lsn, is_news=False)
        else:
            event = "pending_cancel" if is_cancel else "pending_replace"
            self._order_changed(record, order, event, is_news=not is_cancel)

    def _sent_ns(self, record: Record, outbound: Outbound) -> int:
        """From when the venue's window counts; the stamp where there is none."""
        if not self.books.window_ns(outbound.account):
            return record.stamp_ns
        return sending_ns(outbound.raw, record.stamp_ns)

    def _refused(self, record: Record, refused: Refused) -> None:
        command = refused.command
        if refused.attempt is None or command is None:
            self._request_refused(record, refused)
            return
        if isinstance(command, QueryOrder):
            self._changes.append(AttemptEnded(refused.attempt, refused.reason, command))
            return
        if not isinstance(command, NewOrder | AmendOrder | CancelOrder):
            return
        if command.cl_ord_id in self.books.by_id or self._is_over(command):
            return
        outcome = self.outcomes.see_evidence(command.attempt, Evidence.REFUSED, command.deadline_ns, record.stamp_ns)
        if isinstance(command, CancelOrder):
            # The wish stays, whoever refused this attempt to fulfil it.
            self._decide(record, command, "accepted", refused.reason, refused.text)
            order = self.books.orders.get((command.target_strategy, command.target_number))
            if order is not None:
                self._wish(order, command)
                self.books.touched(order, record.lsn, is_news=False)
            self._changes.append(AttemptEnded(command.attempt, refused.reason, command))
            return
        self._end_attempt(record, command, outcome, refused.reason, refused.text)

    def _rate_refused(self, record: Record, refused: RateRefused) -> None:
        for each in refused.attempts:
            name, attempt = (refused.strategy, each.number), (each.attempt.epoch, each.attempt.counter)
            known, by_id = self.books.names.get(*name), self.books.by_id
            if sent_name(each.attempt, by_id) in by_id or (known is not None and known.attempt == attempt):
                continue
            outcome = self.outcomes.see_evidence(each.attempt, Evidence.REFUSED, each.deadline_ns, record.stamp_ns)
            is_expired = outcome is Outcome.EXPIRED
            reason, text = (Reason.EXPIRED, "") if is_expired else (refused.reason, refused.text)
            if self._may_decide(record, name, each.attempt):
                self._remember(name, Remembered(each.identity, attempt, outcome.value, reason, text, record.lsn))
            self._changes.append(AttemptEnded(each.attempt, reason, None))

    def _request_refused(self, record: Record, refused: Refused) -> None:
        """Orders refused the client's request itself. A cancel may have been sent before: its first answer stands."""
        if not refused.number or self.books.names.get(refused.strategy, refused.number) is not None:
            return
        identity = request_identity(refused.request) if refused.request is not None else UNREAD
        remembered = Remembered(identity, (0, 0), "refused", refused.reason, refused.text, record.lsn)
        self._remember((refused.strategy, refused.number), remembered)

    def _withdrawn(self, record: Record, withdrawn: Withdrawn) -> None:
        if withdrawn.attempt is not None:
            for attempt in self._sent_with(withdrawn.attempt):
                self._one_withdrawn(record, attempt, withdrawn.reason)

    def _one_withdrawn(self, record: Record, attempt: Attempt, reason: Reason) -> None:
        name = sent_name(attempt, self.books.by_id)
        order = self.books.by_id.get(name)
        self._changes.append(AttemptEnded(attempt, reason, None))
        if order is None:
            self.outcomes.see_evidence(attempt, Evidence.WITHDRAWN, None, record.stamp_ns)
            return
        if order.attempt == attempt:
            if order.legs[0].word or order.ending is not None:
                return
            ends = order.conclude(order.legs[0], OrderStatus.WITHDRAWN, reason)
            self._decided_withdrawn(record, order, reason)
            self._order_changed(record, order, "withdrawn" if ends else "settled")
            return
        self._lingering_ended(record, order, name)
        request = order.request_ended(name)
        if request is not None:
            if request.kind is not RequestKind.CANCEL:
                self._decided_withdrawn(record, request, reason)
            self._order_changed(record, order, "settled")

    def _lingering_ended(self, record: Record, order: Order, name: str) -> None:
        """An amendment that the order's end had overtaken came to nothing; nobody waits to be told."""
        if order.lingering.pop(name, None) is not None:
            self.books.touched(order, record.lsn, is_news=False)

    def _gap_filled(self, record: Record, gap: GapFilled) -> None:
        for attempt in gap.attempts:
            for each in self._sent_with(attempt):
                self._not_received(record, each)

    def _not_received(self, record: Record, attempt: Attempt) -> None:
        """The venue asked for it: it never had it, unless it has said anything of it, be it unreadable."""
        name, reason = sent_name(attempt, self.books.by_id), Reason.NOT_RECEIVED
        order = self.books.by_id.get(name)
        self._changes.append(AttemptEnded(attempt, reason, None))
        if order is None:
            return
        if order.attempt == attempt:
            leg = order.legs[0]
            was_heard = order.in_doubt or leg.answered or not leg.is_unheard
            if order.ending is None and not leg.concluded and not was_heard:
                order.conclude(leg, OrderStatus.VOID, reason, reason.sentence)
                self._order_changed(record, order, "settled")
            return
        request = order.requests.get(name)
        lingers = order.lingering.get(name)
        if lingers is not None and not lingers.answered:
            self._lingering_ended(record, order, name)
        elif request is not None and not _was_answered(order, request):
            order.request_ended(name)
            self._order_changed(record, order, "settled")

    def _expired(self, record: Record, expired: Expired) -> None:
        known = self.books.names.get(expired.strategy, expired.number)
        attempt = (expired.attempt.epoch, expired.attempt.counter)
        if known is None or known.attempt < attempt:
            remembered = Remembered(expired.identity, attempt, "expired", Reason.EXPIRED, "", record.lsn)
            self.books.names.put_command(expired.strategy, expired.number, remembered)
            self._changes.append(
                CommandDecided(expired.strategy, expired.number, "expired", Reason.EXPIRED, Reason.EXPIRED.sentence)
            )

    def _see(self, record: Record, command: NewOrder | AmendOrder | CancelOrder) -> Outcome:
        if not self.outcomes.held:
            return decide(Outcome.PENDING, Evidence.OUTBOUND, command.deadline_ns, record.stamp_ns)
        outcome = self.outcomes.see_evidence(command.attempt, Evidence.OUTBOUND, command.deadline_ns, record.stamp_ns)
        # What was sent lives on in the order; `outcomes` keeps only what the log has not decided.
        self.outcomes.forget(command.attempt)
        return outcome

    def _is_over(self, command: NewOrder | AmendOrder | CancelOrder) -> bool:
        """Whether this very attempt has its final outcome already, so that nothing logged later changes it."""
        if isinstance(command, CancelOrder):
            return False
        known = self.books.names.get(command.strategy, command.number)
        attempt = (command.attempt.epoch, command.attempt.counter)
        return known is not None and known.attempt == attempt

    def _end_attempt(
        self, record: Record, command: NewOrder | AmendOrder | CancelOrder, outcome: Outcome, reason: Reason, text: str
    ) -> None:
        if outcome is Outcome.EXPIRED:
            reason, text = Reason.EXPIRED, ""
        self._decide(record, command, outcome.value, reason, text)
        self._changes.append(AttemptEnded(command.attempt, reason, command))

    def _decide(
        self, record: Record, command: NewOrder | AmendOrder | CancelOrder, outcome: str, reason: Reason, text: str
    ) -> None:
        """The command's outcome, unless a later attempt of it is known; a cancel's first answer stands."""
        name, attempt = (command.strategy, command.number), (command.attempt.epoch, command.attempt.counter)
        is_answered = isinstance(command, CancelOrder) and self._is_answered(command)
        if not is_answered and self._may_decide(record, name, command.attempt):
            self._remember(name, Remembered(command_identity(command), attempt, outcome, reason, text, record.lsn))

    def _is_answered(self, cancel: CancelOrder) -> bool:
        """Whether the cancel has its first answer, or may have had it: whoever was not told repeats it. Its outcome may
        have left memory; the wish for it stays for as long as its order may be open."""
        names = self.books.names
        name = (cancel.strategy, cancel.number)
        if names.get(*name) is not None or names.may_be_forgotten(*name):
            return True
        order = self.books.orders.get((cancel.target_strategy, cancel.target_number))
        return order is not None and (order.wish_strategy, order.wish_number) == (cancel.strategy, cancel.number)

    def _may_decide(self, record: Record, name: OrderName, attempt: Attempt) -> bool:
        """Whether the attempt is the latest that is known of the command, and not too late to be anything: once the
        wait after the restart is over, the name is the present life's to answer.
        """
        books = self.books
        if attempt.epoch < books.epoch and record.stamp_ns > books.epoch_ns + MAX_TIME_TO_LIVE_NS:
            return False
        known = books.names.get(*name)
        return known is None or known.attempt < (attempt.epoch, attempt.counter)

    def _remember(self, name: OrderName, outcome: Remembered) -> None:
        self.books.names.put_command(*name, outcome)
        self._changes.append(CommandDecided(*name, outcome.outcome, outcome.reason, outcome.text))

    def _decided_withdrawn(self, record: Record, command: Order | Request, reason: Reason) -> None:
        """What was sent was withdrawn after all. It is remembered anew where it has left memory meanwhile."""
        name, attempt = (command.strategy, command.number), (command.attempt.epoch, command.attempt.counter)
        known = self.books.names.get(*name)
        identity = known.identity if known is not None else b""
        self._remember(name, Remembered(identity, attempt, "withdrawn", reason, "", record.lsn))

    def _wish(self, order: Order, command: CancelOrder | CancelAll) -> None:
        if not order.wish_number and not order.is_closed:
            order.wish_strategy, order.wish_number = command.strategy, command.number

    def _cancel_all(self, record: Record, wished: CancelAll) -> None:
        """The wishes of all orders that the command is about; it has no other record."""
        if self.books.names.get(wished.strategy, wished.number) is not None:
            return
        outcome, reason = ("refused", Reason.UNKNOWN_VENUE) if wished.left_open else ("accepted", Reason.NONE)
        remembered = Remembered(request_identity(wished), (0, 0), outcome, reason, wished.text, record.lsn)
        self._remember((wished.strategy, wished.number), remembered)
        self.books.cancel_alls.append((record.stamp_ns, wished))
        for account in self.books.open:
            for order in self.books.open_orders(account):
                if covers(wished, order, was_under_way=False):
                    self._wish_of_all(order, wished)
                    self.books.touched(order, record.lsn, is_news=False)

    def _wish_of_all(self, order: Order, wished: CancelAll) -> None:
        self._wish(order, wished)
        self._changes.append(CancelWished(order, wished.strategy, wished.number))

    # ---- the venue's word over FIX ----

    def _inbound(self, record: Record, inbound: Inbound) -> None:
        """What is handed on a second time is known by what it tells: the trade, the request that it answers. Its number
        says nothing of that: MsgSeqNum(34) is the venue's, and one that is too high would silence all that follow.
        """
        books, session = self.books, None
        if not inbound.drop_copy:
            session = books.sessions.get(inbound.session) or books.session(inbound.session, inbound.account)
            if inbound.generation == session.generation and inbound.msg_seq_num > session.last_inbound:
                session.last_inbound = inbound.msg_seq_num
        told = inbound.event
        # Nearly all say one thing.
        for event in (told,) if isinstance(told, ExecutionReport) else inbound.events:
            if isinstance(event, ExecutionReport):
                self._report(record, inbound, event)
            elif isinstance(event, CancelRejected):
                self._cancel_rejected(record, inbound.account, event)
            elif isinstance(event, RequestRejected):
                self._request_rejected(record, inbound.account, event)
            elif isinstance(event, Unreadable):
                self._unreadable(record, inbound, event)
        if session is not None:
            session.heard_raw = inbound.raw

    def _unreadable(self, record: Record, inbound: Inbound, event: Unreadable) -> None:
        """Nothing of the message counts. It may have been a fill, or the end of the order that it names."""
        venue = inbound.account
        orders = self._spoken_of(venue, event)
        if not orders:
            subject = f"order {event.cl_ord_id or event.orig_cl_ord_id or event.order_id}"
            self._differs(venue, subject, "not in memory", event.why, "nothing of it counts; asks for trades")
            self._open_gaps(record, self.books.session(inbound.session, venue))
            self.books.account(venue).missed_lsn = record.lsn
            self._changes.append(Missed(venue))
        for order, name in orders:
            request = order.requests.get(name) or order.lingering.get(name)
            if request is not None:
                request.answered = True
            self._ambiguous(record, order, name)
            self._doubt(record, order, event.why)

    def _spoken_of(self, venue: str, event: Unreadable) -> list[tuple[Order, str]]:
        """The orders that it may be about, each with the ClOrdID(11) that it names. A cancel's name stands in what is
        told of each order of a list, and what answers the message of a list may name one of them alone."""
        by_id, name = self.books.by_id, event.cl_ord_id
        named = [by_id.get(name), by_id.get(event.orig_cl_ord_id)]
        found = [each for each in named if each is not None]
        if not found and (by_order_id := self.books.order_of(venue, event.symbol, event.order_id)) is not None:
            found = [by_order_id]
        spoken_of = {order.name: (order, name) for order in found}
        for order in found:
            if order.legs[0].owner == name and order.legs[0].is_unheard:
                mates = [each for each in self._list_of(order) if each.legs[0].is_unheard]
                spoken_of |= {each.name: (each, each.legs[0].owner) for each in mates}
        return [(order, its_name) for order, its_name in spoken_of.values() if order.account == venue]

    def _doubt(self, record: Record, order: Order, why: str) -> None:
        """What the venue said about the order cannot be taken as it is: ask."""
        order.in_doubt = True
        self.books.touched(order, record.lsn)
        self._differs(order.account, order.shown_name, order.status.value, why, "asks the venue")
        self._changes.append(Doubted(order))

    def _find(self, venue: str, report: ExecutionReport) -> Order | None:
        by_id = self.books.by_id
        first, second = names_of_order(report)
        order = by_id.get(first) or by_id.get(second)
        if order is not None and order.list_number and first and first not in order.ids:
            # A cancel of one order of a list ends all of them, and its name stands in what is told of each.
            order = None
        if order is None and report.order_id:
            order = self.books.order_of(venue, report.symbol, report.order_id)
        return order if order is not None and order.account == venue else None

    def _report(self, record: Record, inbound: Inbound, report: ExecutionReport) -> None:
        venue, books = inbound.account, self.books
        order = self._find(venue, report)
        if order is None:
            self._external_report(record, venue, report)
            return
        if report.unknown_order:
            self._unknown_at_venue(record, inbound, order)
            return
        if report.ambiguous and report.exec_type == REJECTED:
            self._ambiguous(record, order, report.cl_ord_id)
            return
        told = believed(order, report, books.known.find(venue).knows)
        if isinstance(told, str):
            self._doubt(record, order, told)
            return
        report = told
        if order.lingering:
            order.take_up(report)
        leg = order.leg_of(report)
        if leg is None or rejects_request(report, leg.cl_ord_id, leg.owner):
            self._cancel_rejected(record, venue, _as_cancel_rejected(report))
            return
        change, trade_key = None, report.trade_key
        claimed: list[FillChange] = []
        if names_order(report) and report.order_id != leg.order_id:
            # Before its fill: a bust or correction may name one that was nobody's so far.
            claimed = books.register_order_id(order, leg, report.order_id)
        if trade_key:
            # No fill lowers, and a repeat's CumQty(14) is of before what was booked since.
            may_lower = report.exec_type not in FILLS and not books.ledger.knows(
                venue, report.symbol, trade_key, leg.owner, report.order_id
            )
            change = books.ledger.report(venue, leg.owner, report)
            if change is not None:
                leg.fill(change.net)
                books.move(change.net)
                self._note_trade_key(venue, report.symbol, trade_key)
            else:
                late = books.claim(order, leg, trade_key, report.order_id)
                claimed += [] if late is None else [late]
                if books.ledger.is_taken_back(venue, leg.owner, report):
                    # Its CumQty(14) is of before, and has what the bust took off.
                    report = msgspec.structs.replace(report, cum_qty=None)
            if may_lower:
                self._lower_by_hand(order, leg, report)
        before = None if change is not None else _standing(order, leg)
        had_doubts = leg.doubted_terms
        order.hear_report(leg, report)
        self._hear_direction(order, report)
        if report.exec_type == ORDER_STATUS and not inbound.poss_dup:
            order.in_doubt = False
            self._settle_requests(record, order, inbound, None)
            self._changes.append(Inquired(order, True))
        books.touched(order, record.lsn)
        if claimed:
            self._claimed(order, claimed)
        if change is not None:
            self._note_fee(venue, order.shown_name, report, change)
            self._report_changed(order, leg, report, change)
            self._changes.append(PositionMoved(venue, report.symbol, order.strategy))
        elif before != _standing(order, leg):
            self._report_changed(order, leg, report, None, before)
        doubted = leg.doubted_terms
        if doubted and (doubted != had_doubts or report.exec_type == ORDER_STATUS) and not order.is_closed:
            self._doubt(record, order, doubted)
        if report.avg_px and report.cum_qty == leg.cum_qty and books.ledger.unpriced_qty(leg.owner):
            self._price_by_average(order, leg, report.avg_px)

    def _hear_direction(self, order: Order, told: ExecutionReport | RestOrder) -> None:
        """A stop order that the venue has taken for one that waits for the other direction does not do what it is for:
        it is to be cancelled, in the name of its own command."""
        if told.take_profit in (None, order.terms.take_profit) or order.wish_number or order.is_closed:
            return
        kinds = "a stop order", "one that takes profit"
        ours, theirs = kinds if told.take_profit else reversed(kinds)
        order.wish_strategy, order.wish_number = order.name
        self._changes.append(CancelWished(order, *order.name))
        self._differs(order.account, order.shown_name, ours, theirs, "it is being cancelled")

    def _lower_by_hand(self, order: Order, leg: Leg, report: ExecutionReport) -> None:
        """A bust of a trade that a person had booked, and that the venue may never have told."""
        lowered = self.books.ledger.lower_to(leg.owner, report, leg.cum_qty)
        if lowered is not None:
            told, booked = report.trade_key, lowered.trade_key
            busted = OrderChanged(order, EVENTS["H"], trade_key=told, reference_trade_key=booked)
            self._take_fill(leg, lowered, busted)

    def _take_fill(self, leg: Leg, change: FillChange, told: OrderChanged) -> None:
        """A change of the ledger that is the leg's moves the position with it; `told` is how its order tells of it."""
        leg.fill(change)
        self.books.move(change)
        self._changes += (told, PositionMoved(told.order.account, told.order.symbol, told.order.strategy))

    def _price_by_average(self, order: Order, leg: Leg, avg_px: Decimal) -> None:
        """Fills without a price of their own: AvgPx(6) tells it, where it is of just the fills that are known."""
        ledger = self.books.ledger
        qty = ledger.unpriced_qty(leg.owner)
        px = (avg_px * leg.cum_qty - leg.cum_value) / qty if is_plausible(avg_px) else ZERO
        if not is_plausible(px) or px < PRICE_STEP:
            return
        px = rounded_to(px, PRICE_STEP)
        for change in ledger.price(leg.owner, px):
            self._take_fill(leg, change, _corrected(order, change.trade_key, text="its price is from AvgPx(6)"))

    def _claimed(self, order: Order, fills: list[FillChange]) -> None:
        """Fills that were counted as nobody's have found their order: now they can be told."""
        for fill in fills:
            if fill.gave_way is not None:
                self._changes.append(_replaced_by_hand(order, fill, fill.gave_way))
            else:
                last_px, fee = fill.value / fill.qty, _fee(fill)
                self._changes.append(OrderChanged(order, "trade", fill.qty, last_px, *fee, fill.trade_key))

    def _report_changed(
        self,
        order: Order,
        leg: Leg,
        report: ExecutionReport,
        change: FillChange | None,
        before: ReportedState | None = None,
    ) -> None:
        event = EVENTS.get(report.exec_type, "status")
        if report.exec_type == ORDER_STATUS and before is not None:
            event = _told_by_state(order, leg, before)
        if event == "new" and leg is not order.legs[0]:
            event = "replaced"
        if change is not None and not is_fill(report, change):
            # Told again with the price that it had not, or after a person has booked it, a fill is corrected.
            event = EVENTS["G"] if report.exec_type in FILLS else event
            replaced = report.trade_key if change.gave_way is None else change.gave_way.trade_key
            reference = report.reference_trade_key or replaced
            self._changes.append(
                OrderChanged(order, event, trade_key=report.trade_key, text=report.text, reference_trade_key=reference)
            )
        elif change is not None:
            self._changes.append(
                OrderChanged(
                    order, event, report.last_qty, report.last_px, *_fee(change), report.trade_key, report.maker,
                    report.text,
                )
            )  # fmt: skip
        else:
            self._changes.append(OrderChanged(order, event, text=report.text))

    def _external_report(self, record: Record, venue: str, report: ExecutionReport) -> None:
        """Somebody else's order on our account, or one of ours that has left memory: its fills move the position all
        the same."""
        books = self.books
        ours = books.forgotten_order(venue, *names_of_order(report))
        told = (
            believed_of_stranger(books.ledger.with_side(venue, report))
            if ours is None
            else believed(ours, report, books.known.find(venue).knows)
        )
        if told is None or isinstance(told, str):
            theirs = f"trade {report.trade_key} of Symbol(55) {report.symbol!r}, Side(54) {report.side!r}"
            ours_said = "no such order" if ours is None else f"of an order in {ours.symbol} on side {ours.side}"
            self._differs(venue, f"order {report.order_id}", ours_said, theirs, "not counted")
            return
        report = told
        change = self.books.ledger.report(venue, "", report)
        strategy = "" if ours is None else ours.strategy
        self._changes.append(Unnamed(venue, report, change))
        if change is not None:
            self._note_fee(venue, f"order {report.order_id}", report, change)
            self.books.move(change, strategy)
            self._note_trade_key(venue, report.symbol, report.trade_key)
            self._changes.append(PositionMoved(venue, report.symbol, strategy))
            is_news = change.fills > 0 or report.exec_type not in FILLS
            if report.order_id and not report.cl_ord_id and is_news:
                self.books.unclaim(venue, report.symbol, report.order_id, report.trade_key)
        known = self.books.external(venue, report)
        symbol = report.symbol or ("" if known is None else known.symbol)
        place = (venue, symbol, report.order_id)
        if report.cl_ord_id:
            # Named, and not by us: none of its fills waits for an order of ours any more.
            self.books.unclaimed.pop(place, None)
        # A bust or correction that was not heard before may open what was closed.
        reopens = change is not None and report.exec_type not in FILLS
        if is_over(report):
            self.books.stranger_ended(place, (report.cl_ord_id, report.orig_cl_ord_id), record.lsn)
        elif not reopens and strategy:
            # Of a closed order of ours, told again: only fills count, and they are known.
            return
        elif report.order_id and symbol:
            open_there = _resting(report, symbol, known)
            if reopens or report.exec_type == RESTATED or not self.books.is_over(venue, report):
                self._stranger(venue, open_there, record.lsn)

    def _unknown_at_venue(self, record: Record, inbound: Inbound, order: Order) -> None:
        """The answer to OrderStatusRequest(H) is that there is no such order.

        One that the venue sent again, PossDupFlag(43), may be the answer to a question of an older connection, asked
        while what that one carried could still arrive.
        """
        if inbound.poss_dup:
            return
        leg = order.legs[0]
        never_heard = leg.is_unheard and not order.amendments(leg)
        window_ns, answered = self.books.window_ns(order.account), order.in_doubt or leg.answered
        # What another session was told says nothing of what may still be under way on the order's own.
        is_evidence = never_heard and (answered or inbound.session == order.session)
        settled = is_evidence and unknown_over_fix(
            inbound.connection, order.sent_connection, window_ns, answered=answered
        )
        order.in_doubt = False
        self.books.touched(order, record.lsn, is_news=False)
        if settled and not order.is_closed:
            order.conclude(leg, OrderStatus.VOID, Reason.NOT_FOUND, Reason.NOT_FOUND.sentence)
            self._order_changed(record, order, "settled")
        elif not order.is_closed and not never_heard:
            self._differs(order.account, order.shown_name, order.status.value, "no such order", "kept; needs a verdict")
        self._changes.append(Inquired(order, True))

    def _ambiguous(self, record: Record, order: Order, cl_ord_id: str) -> None:
        """The venue itself does not know what became of the request."""
        for leg in order.legs:
            if leg.owner == cl_ord_id and leg.is_unheard:
                leg.answered = True
        request = order.requests.get(cl_ord_id)
        if request is not None:
            request.unknown = True
        elif order.legs[0].word or order.unknown:
            self.books.touched(order, record.lsn)
            return
        else:
            order.unknown = True
        self._order_changed(record, order, "unknown")

    def _cancel_rejected(self, record: Record, venue: str, event: CancelRejected) -> None:
        order = self.books.by_id.get(event.cl_ord_id) or self.books.by_id.get(event.orig_cl_ord_id)
        if order is None or order.account != venue:
            return
        name = self._request_id(order, event.cl_ord_id)
        if event.ambiguous:
            self._ambiguous(record, order, name)
            return
        self._lingering_ended(record, order, name)
        request = order.request_ended(name)
        if request is None:
            if event.unknown_order and not order.is_closed:
                # The kill switch's own cancel: what it says of the order concerns us all the same.
                self._changes.append(CancelRefused(order, True))
            return
        is_cancel = request.kind is RequestKind.CANCEL
        if is_cancel:
            self._changes.append(CancelRefused(order, event.unknown_order))
        self._order_changed(record, order, "cancel_rejected", event.text, is_news=not is_cancel)

    def _request_id(self, order: Order, cl_ord_id: str) -> str:
        """The request that a rejection names; one that bears no name of its own is named by the order's: an amendment
        that waits, else a cancel."""
        if cl_ord_id in order.requests or cl_ord_id in order.lingering:
            return cl_ord_id
        leg = next((leg for leg in order.legs if leg.cl_ord_id == cl_ord_id), None)
        if leg is None:
            return ""
        return next((request.cl_ord_id for request in order.amendments(leg)), "") or _cancel_of(order, leg)

    def _request_rejected(self, record: Record, venue: str, event: RequestRejected) -> None:
        """A message that was rejected was so for each order in it."""
        attempts = [None] if event.attempt is None else self._sent_with(event.attempt)
        for index, attempt in enumerate(attempts):
            name = "" if index else event.cl_ord_id
            self._one_rejected(record, venue, msgspec.structs.replace(event, attempt=attempt, cl_ord_id=name))

    def _one_rejected(self, record: Record, venue: str, event: RequestRejected) -> None:
        name = event.cl_ord_id or (sent_name(event.attempt, self.books.by_id) if event.attempt is not None else "")
        order = self.books.by_id.get(name)
        if event.attempt is not None:
            self._changes.append(AttemptEnded(event.attempt, Reason.VENUE_REJECTED, None))
        if order is None or order.account != venue:
            return
        requests = order.requests
        request = requests.get(name) or next((r for r in requests.values() if r.attempt == event.attempt), None)
        if request is None and not order.legs[0].is_unheard and event.attempt in (None, order.attempt):
            # The order is there: by its own name a request about it is meant. That it was a cancel costs nothing where
            # it is wrong, for the wish stays; of an amendment nobody would count what it may still do.
            leg = next((leg for leg in order.legs if leg.cl_ord_id == name), None)
            request = None if leg is None else requests.get(_cancel_of(order, leg))
            event = event if request is None else msgspec.structs.replace(event, attempt=request.attempt)
        if event.attempt not in (None, order.attempt if request is None else request.attempt):
            # A question about the order was rejected under the order's name: that says nothing of the order.
            return
        name = name if request is None else request.cl_ord_id
        if event.ambiguous:
            self._ambiguous(record, order, name)
            return
        leg = order.legs[0]
        if leg.owner == name and request is None:
            if leg.word or order.ending is not None:
                return
            leg.word, leg.text, leg.error_code = REJECTED, event.text, event.error_code
            order.unknown = False
            if order.is_closed:
                order.reason, order.text = Reason.VENUE_REJECTED, event.text
                order.overtake_requests()
            self._order_changed(record, order, "rejected" if order.is_closed else "settled", event.text)
            return
        self._lingering_ended(record, order, name)
        if order.request_ended(name) is not None and request is not None:
            if request.kind is RequestKind.CANCEL:
                self._changes.append(CancelRefused(order, False))
            self._order_changed(record, order, "cancel_rejected", event.text)

    def _session(self, record: Record, moved: SessionChanged) -> None:
        books = self.books
        books.known.hear_session(moved)
        session = books.session(moved.session, moved.account)
        if moved.generation != session.generation or moved.state is SessionState.NUMBERS_SET:
            session.last_outbound, session.last_inbound = moved.next_outbound - 1, moved.next_inbound - 1
        is_another = moved.connection != session.connection
        session.account, session.connection, session.generation = moved.account, moved.connection, moved.generation
        session.sender_comp_id = moved.sender_comp_id or session.sender_comp_id
        if moved.state in _MISSES:
            books.account(moved.account).missed_lsn = record.lsn
        if moved.state is SessionState.CAUGHT_UP:
            self._caught_up(record, moved)
        if moved.state in _LATCH:
            session.latched = moved.state is SessionState.LATCHED
        if moved.state not in _BESIDE_THE_CONNECTION:
            self._session_state(record, session, moved.state)
        elif is_another:
            # The journal was away: that the connection before it ended, and this one began, stands in no record.
            self._session_state(record, session, SessionState.DISCONNECTED)
        self._changes.append(SessionMoved(moved.session, moved.account, moved.state is SessionState.NUMBERS_SET))

    def _caught_up(self, record: Record, moved: SessionChanged) -> None:
        """All that the venue had to say of earlier connections was said: what it has not accepted on them it will not.

        A replacement is an order of its own, of which it says so itself.
        """
        for name in list(self.books.unsettled):
            order = self.books.orders[name]
            for request in list(order.lingering.values()):
                is_older = request.session == moved.session and request.connection < moved.connection
                if is_older and request.kind is RequestKind.AMEND:
                    self._lingering_ended(record, order, request.cl_ord_id)

    def _session_state(self, record: Record, session: SessionBooks, state: SessionState) -> None:
        was_up = session.state not in DOWN
        session.state = state
        if state is SessionState.LOGGED_ON:
            session.up_lsn, session.up_connection = record.lsn, session.connection
        if state is SessionState.OPENED:
            session.opened_connection = session.connection
        if state not in DOWN and (state is not SessionState.CONNECTING or not was_up):
            return
        session.down_lsn = record.lsn
        self._open_gaps(record, session)
        if was_up or not session.down_ns:
            session.down_ns = record.stamp_ns
        for order in self.books.open_orders(session.account):
            if order.connection_lost(session.session):
                self._order_changed(record, order, "unknown")

    def _open_gaps(self, record: Record, session: SessionBooks) -> None:
        """From the last word that was read on, fills may have been missed in every symbol.

        That another session of the account has heard of them is not relied on: it may be told of its own orders alone.
        """
        account = self.books.account(session.account)
        account.gaps_lsn = record.lsn
        for symbol in self.books.known.find(session.account).bases:
            account.gaps.setdefault(symbol, account.last_trade_keys.get(symbol, ""))
            # Before the venue's first word there is nothing to be missed.
            if not account.gaps_since_ns.get(symbol):
                account.gaps_since_ns[symbol] = sending_ns(session.heard_raw, 0)

    # ---- the venue's word over REST ----

    def _answer(self, record: Record, answer: Answer) -> None:
        if not answer.failed:
            match answer.ask.what:
                case "order" if answer.order is not None:
                    self._rest_order(record, answer, answer.order)
                case "order" if answer.not_found:
                    self._not_found(record, answer)
                case "open_orders":
                    for told in answer.orders:
                        self._rest_order(record, answer, told)
                    self._strangers_gone(answer)
                    self._missing(record, answer)
                    self.books.account(answer.account).listed[answer.ask.symbol] = answer.ask.asked_lsn
                case "trades":
                    self._trades_answer(record, answer)
                case "balances":
                    self.books.take_balances(answer.account, answer.balances)
        self._changes.append(Answered(answer))

    def _rest_order(self, record: Record, answer: Answer, told: RestOrder) -> None:
        venue = answer.account
        order = self.books.by_id.get(told.cl_ord_id)
        if order is None or order.account != venue:
            order = self.books.by_order_id.get((venue, told.symbol, told.order_id))
        if order is None:
            if told.ord_status not in TERMINAL_WORDS:
                ended = self.books.ended.get((venue, told.symbol, told.order_id))
                if ended is None or ended.lsn <= answer.ask.asked_lsn:
                    self._stranger(venue, told, answer.ask.asked_lsn)
            elif told.cl_ord_id:
                self.books.unclaimed.pop((venue, told.symbol, told.order_id), None)
            return
        if order.touched_lsn > answer.ask.asked_lsn:
            self._changes.append(Inquired(order, False))
            return
        wrong = contradiction(order, told, self.books.known.find(venue).knows)
        if wrong:
            self._doubt(record, order, wrong)
            return
        leg = _leg_of_rest(order, told)
        if leg is None:
            return
        before = _standing_over_rest(order, leg)
        if order.ending is not None:
            order.revive()
        leg.revive()
        order.in_doubt = False
        leg.told_by_rest(told)
        order.told_by_rest(leg, told.cl_ord_id)
        self._hear_direction(order, told)
        if leg.order_id:
            self._claimed(order, self.books.register_order_id(order, leg, leg.order_id))
        self._settle_requests(record, order, None, answer)
        if order.is_closed:
            order.overtake_requests()
        self.books.touched(order, record.lsn, is_news=False)
        after = _standing_over_rest(order, leg)
        if before != after:
            self._differs(venue, order.shown_name, _shown(*before), _shown(*after), "took the venue's word")
            self._order_changed(record, order, "settled")
        self._changes.append(Inquired(order, True))

    def _not_found(self, record: Record, answer: Answer) -> None:
        order = self.books.by_id.get(answer.ask.cl_ord_id)
        if order is None or (order.is_closed and not order.in_doubt):
            return
        name = answer.ask.cl_ord_id
        if order.touched_lsn > answer.ask.asked_lsn:
            self._changes.append(Inquired(order, False))
            return
        was_in_doubt, order.in_doubt = order.in_doubt, False
        if order.is_closed:
            self.books.touched(order, record.lsn, is_news=False)
            self._changes.append(Inquired(order, True))
            return
        request = order.requests.get(name)
        leg = next((leg for leg in order.legs if leg.owner == name), None)
        never_heard = leg is None or leg.is_unheard
        if never_heard and self._is_absent(answer, order, request, leg, was_in_doubt=was_in_doubt):
            if request is not None:
                order.request_ended(name)
            elif leg is not None:
                order.conclude(leg, OrderStatus.VOID, Reason.NOT_FOUND, Reason.NOT_FOUND.sentence)
            action = "took it for never received"
            self._differs(order.account, order.shown_name, "may have been sent", "not found", action)
            self._order_changed(record, order, "settled")
        elif not never_heard:
            self._differs(order.account, order.shown_name, order.status.value, "not found", "kept; needs a verdict")
        # An answer all the same: the order's round is over, and its doubt stays until the window has closed.
        self._changes.append(Inquired(order, True))

    def _is_absent(
        self, answer: Answer, order: Order, request: Request | None, leg: Leg | None, *, was_in_doubt: bool
    ) -> bool:
        """Whether "not found" proves that the message of the order, or of a request about it, came to nothing: its
        connection is dead, or the venue itself has said that it is done with it, and no amendment may have renamed it.
        """
        if request is not None:
            unknown, sent_ns = request.unknown, request.sent_ns
            session, connection = request.session, request.connection
        else:
            unknown, sent_ns = order.unknown, order.sent_ns
            session, connection = order.session, order.sent_connection
        if not unknown or (leg is not None and order.amendments(leg)):
            return False
        answered = was_in_doubt or (leg is not None and leg.answered) or (request is not None and request.answered)
        is_over = answered or is_dead(self.books.session(session, answer.account), connection)
        told = self.books.account(answer.account).trades_asked.get(answer.ask.symbol)
        closed = is_over and self._window_closed(answer, sent_ns, session, connection)
        return closed and no_stranger(told, sent_ns, self.books.window_ns(answer.account))

    def _window_closed(self, answer: Answer, sent_ns: int, session: str, connection: int) -> bool:
        books = self.books
        line = books.session(session, answer.account)
        return window_closed(answer, line, sent_ns, connection, books.window_ns(answer.account))

    def _trades_answer(self, record: Record, answer: Answer) -> None:
        ask = answer.ask
        begun = len(self._changes)
        for trade in answer.trades:
            self._rest_trade(record, answer.account, trade, is_all=not ask.order_id)
        # What is told of an order is as the whole record leaves it: the fills come before what their prices correct.
        self._changes[begun:] = sorted(self._changes[begun:], key=_is_correction)
        if not ask.order_id:
            self._gap_told(answer)
            asked = self.books.account(answer.account).trades_asked.setdefault(ask.symbol, TradesAsked())
            asked.asked_lsn, asked.venue_ns = ask.asked_lsn, answer.venue_ns
            asked.clocks = [*asked.clocks, (record.lsn, answer.venue_ns)][-CLOCKS_KEPT:]
            asked.strangers = len(self.books.strangers(answer.account, ask.symbol))

    def _gap_told(self, answer: Answer) -> None:
        """What REST told from the gap's beginning on closes it, where it was asked on a connection that tells the
        rest, and what is open was told too: somebody else's order may have ended without a trade."""
        account, symbol, asked_lsn = self.books.account(answer.account), answer.ask.symbol, answer.ask.asked_lsn
        if symbol not in account.gaps:
            return
        is_told = any(s.logged_on and asked_lsn >= s.up_lsn for s in self.books.sessions_of(answer.account))
        if len(answer.trades) >= TRADES_PAGE and _is_number(answer.trades[-1].trade_key):
            account.gaps[symbol] = answer.trades[-1].trade_key
        elif is_told and min(asked_lsn, account.listed.get(symbol, 0)) >= account.gaps_lsn:
            del account.gaps[symbol]
            account.gaps_since_ns.pop(symbol, None)

    def _rest_trade(self, record: Record, venue: str, trade: Trade, *, is_all: bool) -> None:
        """Count one fill. `is_all`: it was told among all trades, and not among those of one order, which say nothing
        of others before them that nobody has heard of."""
        order = self.books.by_order_id.get((venue, trade.symbol, trade.order_id))
        wrong = "" if order is None else contradiction(order, trade, self.books.known.find(venue).knows)
        if order is not None and wrong:
            self._doubt(record, order, wrong)
            return
        side = side_of(order, trade)
        if not side:
            theirs = f"trade {trade.trade_key} of {trade.symbol!r}, side {trade.side!r}"
            self._differs(venue, f"order {trade.order_id}", "no such order", theirs, "not counted")
            return
        leg = None if order is None else _leg_of_trade(order, trade)
        change = self.books.ledger.trade(
            venue, trade.symbol, trade.trade_key, leg.owner if leg is not None else "", side,
            trade.last_qty, trade.last_px, trade.fee_qty, trade.fee_asset, trade.order_id,
        )  # fmt: skip
        if change is None:
            self._told_again(record, order, leg, trade)
            return
        self._note_fee(venue, f"order {trade.order_id}", trade, change)
        if is_all:
            self._note_trade_key(venue, trade.symbol, trade.trade_key)
        self.books.move(change.net)
        if order is not None and leg is not None:
            leg.fill(change.net)
            self.books.touched(order, record.lsn)
            if not change.fills:
                # Told before, without its price or its fee.
                self._changes.append(_corrected(order, trade.trade_key))
            elif change.gave_way is not None:
                self._changes.append(_replaced_by_hand(order, change, change.gave_way))
            else:
                told = (trade.last_qty, trade.last_px, *_fee(change), trade.trade_key, trade.maker)
                self._changes.append(OrderChanged(order, "trade", *told))
                self._differs(venue, order.shown_name, "no such fill", f"trade {trade.trade_key}", "counted it")
        elif change.fills > 0:
            self.books.unclaim(venue, trade.symbol, trade.order_id, trade.trade_key)
        self._changes.append(PositionMoved(venue, trade.symbol, order.strategy if order is not None else ""))

    def _told_again(self, record: Record, order: Order | None, leg: Leg | None, trade: Trade) -> None:
        """A trade that was counted before: as nobody's, perhaps, and now its order is known."""
        late = None if leg is None or order is None else self.books.claim(order, leg, trade.trade_key, trade.order_id)
        if order is None:
            return
        # That a fill cost nothing changes no sum, and its order need not be kept for it any longer.
        self.books.touched(order, record.lsn, is_news=late is not None)
        if late is not None:
            self._claimed(order, [late])

    def _settle_requests(self, record: Record, order: Order, told: Inbound | None, answer: Answer | None) -> None:
        """The order's state was told after the fact: requests of an older connection are answered by it.

        Over FIX (`told` on a later connection of the same session) what the old one carried is in it; over REST only
        once the window has closed.
        """
        answer = None if answer is None else self._with_a_clock(answer, order)
        waiting = [*order.requests.values(), *order.lingering.values()]
        for request in [r for r in waiting if r.kind is not RequestKind.REPLACE]:
            settled = False
            if told is not None:
                is_later = request.session == told.session and request.connection < told.connection
                settled = (request.answered or is_later) and not self.books.window_ns(order.account)
            elif answer is not None:
                closed = self._window_closed(answer, request.sent_ns, request.session, request.connection)
                settled = closed and (request.unknown or request.cl_ord_id in order.lingering)
            if settled:
                order.request_ended(request.cl_ord_id)

    def _with_a_clock(self, answer: Answer, order: Order) -> Answer:
        """An answer that has not the venue's clock came after all trades that were told before it was asked for.

        Where both are always asked for at once, the newest of those is too late for each.
        """
        told = self.books.account(order.account).trades_asked.get(order.symbol)
        venue_ns = 0 if told is None else told.venue_ns_by(answer.ask.asked_lsn)
        return answer if venue_ns <= answer.venue_ns else msgspec.structs.replace(answer, venue_ns=venue_ns)

    def _stranger(self, account: str, told: RestOrder, as_of_lsn: int) -> None:
        if self.books.stranger(account, told, as_of_lsn):
            self._differs(account, f"order {told.order_id}", "no such order", _rest_shown(told), "shown as external")

    def _strangers_gone(self, answer: Answer) -> None:
        """All open orders of a symbol were told: what is not among them, and was not heard of since, is over."""
        there = {told.order_id for told in answer.orders}
        for place, external in list(self.books.externals.items()):
            venue, symbol, order_id = place
            is_asked = venue == answer.account and symbol == answer.ask.symbol and external.lsn <= answer.ask.asked_lsn
            if is_asked and order_id not in there:
                self.books.stranger_gone(place)

    def _missing(self, record: Record, answer: Answer) -> None:
        """All open orders of a symbol were told: one of ours that is not among them, and was not heard of since, may be
        over, and is asked about until the venue tells."""
        asked, names = answer.ask, {told.cl_ord_id for told in answer.orders}
        order_ids = {told.order_id for told in answer.orders}
        for order in self.books.open_orders(answer.account):
            is_asked = asked.symbol in ("", order.symbol) and order.touched_lsn <= asked.asked_lsn
            if not is_asked or order.in_doubt or order.is_unknown or order.legs[0].is_unheard:
                continue
            if not any(leg.cl_ord_id in names or leg.order_id in order_ids for leg in order.legs):
                order.in_doubt = True
                self.books.touched(order, record.lsn, is_news=False)
                self._changes.append(Doubted(order))

    # ---- people's words, and what is only noted ----

    def _verdict(self, record: Record, verdict: Verdict) -> None:
        order = self.books.orders.get((verdict.strategy, verdict.number))
        if order is None or order.is_closed:
            return
        order.decide(_VERDICTS.get(verdict.ord_status, OrderStatus.CANCELED), verdict.cum_qty, verdict.text)
        self._order_changed(record, order, "settled", verdict.text)

    def _filled_by_hand(self, record: Record, told: FilledByHand) -> None:
        """Of what the venue has told in CumQty(14) beyond its trades, never more: a trade may have come meanwhile."""
        order, left = self.books.orders.get((told.strategy, told.number)), told.qty
        for leg in () if order is None or told.px <= ZERO else order.legs:
            missing = min(left, leg.told_cum_qty - leg.cum_qty)
            if order is None or missing <= ZERO:
                continue
            place, key = (order.account, order.symbol), f"{BY_HAND}{record.lsn}"
            change = self.books.ledger.book_by_hand(*place, key, leg.owner, order.side, missing, told.px)
            if change is None:
                continue
            left -= missing
            self._take_fill(leg, change, OrderChanged(order, "trade", missing, told.px, trade_key=key, text=told.text))
            self.books.touched(order, record.lsn)

    def _day_began(self, record: Record, told: DayBegan) -> None:
        self.books.begin_day(told)

    def _asset_rates(self, record: Record, told: AssetRates) -> None:
        self.books.take_rates(told)

    def _booked(self, record: Record, told: Booked) -> None:
        if not told.qty or told.px < ZERO or not (is_plausible(abs(told.qty)) and is_plausible(told.px)):
            return
        self.books.book(told, f"{BY_HAND}{record.lsn}")
        self._changes.append(PositionMoved(told.account, told.symbol, told.strategy))

    def _unanswered(self, record: Record, told: Unanswered) -> None:
        order = self.books.orders.get((told.strategy, told.number))
        if order is not None and not order.is_closed and told.attempt in order.awaits:
            order.unanswered(told.attempt)
            self._order_changed(record, order, "unknown")

    def _discrepancy(self, record: Record, discrepancy: Discrepancy) -> None:
        self.books.discrepancies += 1

    def _operator(self, record: Record, act: OperatorAct) -> None:
        self.books.left_out.hear(act)
        if (act.actor, act.act) == (WRITER, BASELINE):
            self.books.account(act.text.partition(":")[0]).baseline = None

    # ---- small things ----

    def _order_changed(self, record: Record, order: Order, event: str, text: str = "", *, is_news: bool = True) -> None:
        self.books.touched(order, record.lsn, is_news=is_news)
        self._changes.append(OrderChanged(order, event, text=text))

    def _differs(self, venue: str, subject: str, ours: str, theirs: str, action: str) -> None:
        self._changes.append(Differs(venue, subject, ours, theirs, action))

    def _note_fee(self, venue: str, subject: str, told: ExecutionReport | Trade, change: FillChange) -> None:
        """A fee that the ledger has not taken: it is more than the fill."""
        if told.fee_qty and change.fills > 0 and not change.fees:
            fee = f"a fee of {told.fee_qty} {told.fee_asset} on {told.last_qty}"
            self._differs(venue, subject, f"fill {told.trade_key}", fee, "counted the fill without it")

    def _note_trade_key(self, venue: str, symbol: str, trade_key: str) -> None:
        """The highest trade identity where they are numbers: REST is asked from there on."""
        keys = self.books.account(venue).last_trade_keys
        if _is_number(trade_key) and int(trade_key) > int(keys.get(symbol, "-1")):
            keys[symbol] = trade_key


def _corrected(order: Order, trade_key: str, text: str = "") -> OrderChanged:
    """A fill is told again, with what it had not."""
    return OrderChanged(order, EVENTS["G"], trade_key=trade_key, reference_trade_key=trade_key, text=text)


def _replaced_by_hand(order: Order, change: FillChange, gave_way: FillChange) -> OrderChanged:
    """A trade that a person had booked is told by the venue after all: strategies had it already."""
    told, booked = change.trade_key, gave_way.trade_key
    return OrderChanged(order, EVENTS["G"], trade_key=told, reference_trade_key=booked, text="it was booked by hand")


_LATCH = frozenset({SessionState.LATCHED, SessionState.UNLATCHED})
_BESIDE_THE_CONNECTION = _LATCH | {SessionState.NUMBERS_SET}
"""What is said of a session whatever its connection does."""

_MISSES = frozenset({SessionState.NUMBERS_SET, SessionState.UNLATCHED})
"""Skipped numbers may have borne reports, and the kill switch's own cancels had answers, that nobody hears."""
_VERDICTS = {"2": OrderStatus.FILLED, "4": OrderStatus.CANCELED, "8": OrderStatus.REJECTED, "C": OrderStatus.EXPIRED}


def _request(outbound: Outbound, command: AmendOrder | CancelOrder, sent_ns: int, owner: str) -> Request:
    kind, order_qty, price = RequestKind.CANCEL, command.order_qty, None
    if isinstance(command, AmendOrder):
        kind, price = RequestKind.AMEND, command.price
        if outbound.opens:
            kind, order_qty = RequestKind.REPLACE, command.order_qty - command.cum_qty
    return Request(
        kind, command.attempt, command.strategy, command.number, command.cl_ord_id, order_qty, price,
        outbound.connection, sent_ns, owner=owner, session=outbound.session,
    )  # fmt: skip


def _cancel_of(order: Order, leg: Leg) -> str:
    """The ClOrdID(11) of the oldest cancel of the leg that waits, "" for none."""
    waiting = (r for r in order.requests.values() if r.kind is RequestKind.CANCEL and r.owner in ("", leg.owner))
    return next((request.cl_ord_id for request in waiting), "")


def _was_answered(order: Order, request: Request) -> bool:
    """Whether the venue has said something to it, be it unreadable: then it has received it."""
    return request.answered or any(leg.answered for leg in order.legs if leg.owner == request.cl_ord_id)


def _as_cancel_rejected(report: ExecutionReport) -> CancelRejected:
    """A request about an order that a report of Rejected refuses, where others send OrderCancelReject(9)."""
    return CancelRejected(
        report.cl_ord_id, report.orig_cl_ord_id, report.order_id, report.ord_status, report.error_code, report.text
    )


def _is_number(trade_key: str) -> bool:
    return len(trade_key) <= MAX_TRADE_KEY_DIGITS and trade_key.isascii() and trade_key.isdigit()


def _fee(change: FillChange) -> tuple[Decimal, str]:
    """The fee of one fill and its asset, as the ledger has taken it."""
    return change.fees[0][::-1] if change.fees else (ZERO, "")


def _standing(order: Order, leg: Leg) -> ReportedState:
    return ReportedState(
        leg.word, leg.order_qty, leg.price, leg.filled_qty, leg.triggered, len(order.requests), order.unknown,
        order.ending,
    )  # fmt: skip


def _told_by_state(order: Order, leg: Leg, before: ReportedState) -> str:
    """What has happened, by a report of the order's state alone."""
    if not before.word and leg.word == NEW:
        return EVENTS[NEW]
    return EVENTS[REPLACED] if len(order.requests) < before.requests and leg.is_open else EVENTS[ORDER_STATUS]


def _is_correction(change: Change) -> bool:
    return isinstance(change, OrderChanged) and change.event == EVENTS["G"]


def _leg_of_trade(order: Order, trade: Trade) -> Leg:
    return next((leg for leg in order.legs if leg.has_order_id(trade.order_id)), order.legs[-1])


def _leg_of_rest(order: Order, told: RestOrder) -> Leg | None:
    for leg in order.legs:
        if (told.order_id and leg.has_order_id(told.order_id)) or told.cl_ord_id in (leg.cl_ord_id, leg.owner):
            return leg
    return order.legs[0] if len(order.legs) == 1 and not order.legs[0].order_id else None


def _standing_over_rest(order: Order, leg: Leg) -> tuple[OrderStatus, Decimal, Decimal, Decimal, Decimal | None]:
    """What REST may change of what a strategy is told; another leg's end changes only what all of them have left."""
    return order.status, leg.filled_qty, leg.order_qty, order.leaves_qty, order.price


def _shown(
    status: OrderStatus, filled_qty: Decimal, order_qty: Decimal, leaves_qty: Decimal, price: Decimal | None
) -> str:
    at = "" if price is None else f" at {price:f}"
    return f"{status.value}, {filled_qty:f} of {order_qty:f} filled, {leaves_qty:f} left{at}"


def _resting(report: ExecutionReport, symbol: str, known: RestOrder | None) -> RestOrder:
    """Somebody else's open order as a report tells it; what that leaves out is as it was known."""
    cum_qty, order_qty, price, side = report.cum_qty, report.order_qty, report.price, report.side
    if known is not None:
        cum_qty = known.cum_qty if cum_qty is None else cum_qty
        price = known.price if price is None else price
        order_qty, side = order_qty or known.order_qty, side or known.side
    cum_qty = cum_qty or ZERO
    return RestOrder(
        symbol, report.order_id, report.cl_ord_id, side, report.ord_status,
        order_qty or cum_qty + (report.leaves_qty or ZERO), price, cum_qty, report.transact_ns,
    )  # fmt: skip


def _rest_shown(told: RestOrder) -> str:
    side = {"1": "buy", "2": "sell"}.get(told.side, "side not told")
    return f"{side} {told.symbol} {told.cum_qty} of {told.order_qty} at {told.price}, ClOrdID(11) {told.cl_ord_id}"

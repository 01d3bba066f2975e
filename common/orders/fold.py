"""The fold: one journal record applied to the books. Pure, total and the same in a replay as live.

Every rule that turns what the log says into the state of an order stands here, in `common.orders.order_state`, in
`common.orders.outcome` and in `common.orders.absence`. Three rooms have a state of their own: what became of our
commands (`common.orders.own_side`), the venue's word over REST (`common.orders.over_rest`), and here its word over FIX
and a person's. They tell what they change in the same way (`common.orders.telling`).
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from common.journal.frames import EPOCH, Record
from common.left_out import Unfoldable
from common.messages import (
    AssetRates,
    Booked,
    CancelRejected,
    DayBegan,
    Discrepancy,
    ExecutionReport,
    FilledByHand,
    Inbound,
    Kind,
    OperatorAct,
    OrderStatus,
    Reason,
    RequestRejected,
    RestOrder,
    SessionChanged,
    SessionState,
    Unanswered,
    Unreadable,
    Verdict,
)
from common.orders.absence import DOWN, sending_ns, unknown_over_fix
from common.orders.belief import believed, believed_of_stranger
from common.orders.books import Books, SessionBooks
from common.orders.changes import (
    EVENTS,
    AttemptEnded,
    AttemptExpired,
    CancelRefused,
    Change,
    Inquired,
    Missed,
    OrderChanged,
    PositionMoved,
    SessionMoved,
    Unnamed,
)
from common.orders.fills import BY_HAND, FillChange
from common.orders.forgotten import LookUpFailed
from common.orders.leg import Leg, is_fill, names_order
from common.orders.names import sent_name
from common.orders.numbers import ZERO, is_plausible, rounded_to
from common.orders.order_state import Order, RequestKind
from common.orders.outcome import Outcomes
from common.orders.over_rest import OverRest
from common.orders.own_side import OwnSide
from common.orders.telling import Telling, corrected, fee_of
from common.orders.words import (
    FILLS,
    NEW,
    ORDER_STATUS,
    REJECTED,
    REPLACED,
    RESTATED,
    TRIGGERED,
    is_over,
    names_of_order,
    rejects_request,
    triggers,
)

WRITER = "orders"

FOLD_VERSION = 21
"""See `common.actor.snapshots.Foldable`."""
BASELINE = "baseline"
"""A person's act: the account that stands before the colon of its text is counted from its next balances on."""

PRICE_STEP = Decimal("0.00000001")
"""What a price is rounded to that follows from AvgPx(6), which is rounded itself."""


Standing = tuple[str, int, Decimal, Decimal | None, Decimal, bool, bool, OrderStatus | None]
"""What a report may change, other than by a fill: the venue's word and how many requests wait, and what else there is.
"""


class Fold:
    """Books and outcomes, and the way a record changes them. `apply` returns the changes, in a fixed order."""

    def __init__(self, books: Books, *, identities: bool = True) -> None:
        """`books` may be fresh or loaded from a snapshot. Without `identities` it is not remembered what a command
        asked for, by which its repeat is told from another command: for who answers nobody, and writes no snapshot."""
        self.books = books
        self.outcomes = Outcomes()
        self._told = told = Telling(books)
        self._own = OwnSide(told, self.outcomes, identities=identities)
        self._rest = OverRest(told)
        handlers: dict[int, Callable[[Record, Any], None]] = {
            Kind.OUTBOUND: self._own.outbound,
            Kind.INBOUND: self._inbound,
            Kind.SESSION: self._session,
            Kind.REFUSED: self._own.refused,
            Kind.WITHDRAWN: self._own.withdrawn,
            Kind.GAP_FILLED: self._own.gap_filled,
            Kind.ANSWER: self._rest.answer,
            Kind.DISCREPANCY: self._discrepancy,
            Kind.EXPIRED: self._own.expired,
            Kind.OPERATOR: self._operator,
            Kind.VERDICT: self._verdict,
            Kind.UNANSWERED: self._unanswered,
            Kind.CANCEL_ALL: self._own.cancel_all,
            Kind.RATE_REFUSED: self._own.rate_refused,
            Kind.FILLED_BY_HAND: self._filled_by_hand,
            Kind.DAY_BEGAN: self._day_began,
            Kind.BOOKED: self._booked,
            Kind.ASSET_RATES: self._asset_rates,
            Kind.LOST_ORDER: self._own.lost_order,
        }
        # Plain numbers, since a member of an enum hashes by a method of its own.
        self._folds = {int(kind): handler for kind, handler in handlers.items()}

    def apply(self, record: Record) -> list[Change]:
        """Fold one record, the successor of the last. One that cannot be read, or is left out, changes nothing but the
        stamp.

        Raises Unfoldable, LookUpFailed: the books are of no use then.
        """
        changes = self._told.changes = []
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
        if type(told) is ExecutionReport:
            # Nearly all say one thing.
            self._report(record, inbound, told)
        else:
            self._several(record, inbound)
        if session is not None:
            session.heard_raw = inbound.raw

    def _several(self, record: Record, inbound: Inbound) -> None:
        for event in inbound.events:
            if isinstance(event, ExecutionReport):
                self._report(record, inbound, event)
            elif isinstance(event, CancelRejected):
                self._cancel_rejected(record, inbound.account, event)
            elif isinstance(event, RequestRejected):
                self._request_rejected(record, inbound.account, event)
            elif isinstance(event, Unreadable):
                self._unreadable(record, inbound, event)

    def _unreadable(self, record: Record, inbound: Inbound, event: Unreadable) -> None:
        """Nothing of the message counts. It may have been a fill, or the end of the order that it names."""
        venue = inbound.account
        orders = self._spoken_of(venue, event)
        if not orders:
            subject = f"order {event.cl_ord_id or event.orig_cl_ord_id or event.order_id}"
            self._told.differs(venue, subject, "not in memory", event.why, "nothing of it counts; asks for trades")
            self._open_gaps(record, self.books.session(inbound.session, venue))
            self.books.account(venue).missed_lsn = record.lsn
            self._told.changes.append(Missed(venue))
        for order, name in orders:
            request = order.requests.get(name) or order.lingering.get(name)
            if request is not None:
                request.answered = True
            self._ambiguous(record, order, name)
            self._told.doubt(record, order, event.why)

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
                mates = [each for each in self._own.list_of(order) if each.legs[0].is_unheard]
                spoken_of |= {each.name: (each, each.legs[0].owner) for each in mates}
        return [(order, its_name) for order, its_name in spoken_of.values() if order.account == venue]

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
            self._told.doubt(record, order, told)
            return
        report = told
        if order.terms.is_stop and triggers(report):
            report = msgspec.structs.replace(report, exec_type=TRIGGERED)
        if order.lingering:
            order.take_up(report)
        leg = order.leg_of(report)
        if leg is None or rejects_request(report, leg.cl_ord_id, leg.owner):
            self._cancel_rejected(record, venue, _as_cancel_rejected(report))
            return
        change, trade_key = None, report.trade_key
        claimed: list[FillChange] = []
        if report.order_id != leg.order_id and names_order(report):
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
                self._told.note_trade_key(venue, report.symbol, trade_key)
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
        self._told.hear_direction(order, report)
        if report.exec_type == ORDER_STATUS and not inbound.poss_dup:
            order.in_doubt = False
            self._rest.settle_requests(record, order, inbound, None)
            self._told.changes.append(Inquired(order, True))
        books.touched(order, record.lsn)
        if claimed:
            self._told.claimed(order, claimed)
        if change is not None:
            self._told.note_fee(venue, order.shown_name, report, change)
            self._report_changed(order, leg, report, change)
            self._told.changes.append(PositionMoved(venue, report.symbol, order.strategy))
        elif before != _standing(order, leg):
            self._report_changed(order, leg, report, None, before)
        doubted = leg.doubted_terms
        if doubted and (doubted != had_doubts or report.exec_type == ORDER_STATUS) and not order.is_closed:
            self._told.doubt(record, order, doubted)
        if report.avg_px and report.cum_qty == leg.cum_qty and books.ledger.unpriced_qty(leg.owner):
            self._price_by_average(order, leg, report.avg_px)

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
        self._told.changes += (told, PositionMoved(told.order.account, told.order.symbol, told.order.strategy))

    def _price_by_average(self, order: Order, leg: Leg, avg_px: Decimal) -> None:
        """Fills without a price of their own: AvgPx(6) tells it, where it is of just the fills that are known."""
        ledger = self.books.ledger
        qty = ledger.unpriced_qty(leg.owner)
        px = (avg_px * leg.cum_qty - leg.cum_value) / qty if is_plausible(avg_px) else ZERO
        if not is_plausible(px) or px < PRICE_STEP:
            return
        px = rounded_to(px, PRICE_STEP)
        for change in ledger.price(leg.owner, px):
            self._take_fill(leg, change, corrected(order, change.trade_key, text="its price is from AvgPx(6)"))

    def _report_changed(
        self,
        order: Order,
        leg: Leg,
        report: ExecutionReport,
        change: FillChange | None,
        before: Standing | None = None,
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
            self._told.changes.append(
                OrderChanged(order, event, trade_key=report.trade_key, text=report.text, reference_trade_key=reference)
            )
        elif change is not None:
            self._told.changes.append(
                OrderChanged(
                    order, event, report.last_qty, report.last_px, *fee_of(change), report.trade_key, report.maker,
                    report.text,
                )
            )  # fmt: skip
        else:
            self._told.changes.append(OrderChanged(order, event, text=report.text))

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
            self._told.differs(venue, f"order {report.order_id}", ours_said, theirs, "not counted")
            return
        report = told
        change = self.books.ledger.report(venue, "", report)
        strategy = "" if ours is None else ours.strategy
        self._told.changes.append(Unnamed(venue, report, change))
        if change is not None:
            self._told.note_fee(venue, f"order {report.order_id}", report, change)
            self.books.move(change, strategy)
            self._told.note_trade_key(venue, report.symbol, report.trade_key)
            self._told.changes.append(PositionMoved(venue, report.symbol, strategy))
            is_news = change.fills > 0 or report.exec_type not in FILLS
            if report.order_id and ours is None and is_news:
                self.books.note_nobodys(venue, report.symbol, report.order_id, report.trade_key)
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
                self._told.stranger(venue, open_there, record.lsn)

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
            self._told.order_changed(record, order, "settled")
        elif not order.is_closed and not never_heard:
            ours, theirs = order.status.value, "no such order"
            self._told.differs(order.account, order.shown_name, ours, theirs, "kept; needs a verdict")
        self._told.changes.append(Inquired(order, True))

    def _ambiguous(self, record: Record, order: Order, cl_ord_id: str) -> None:
        """The venue itself does not know what became of the request."""
        request = order.requests.get(cl_ord_id) or order.lingering.get(cl_ord_id)
        if request is not None:
            order.not_known(request)
        for leg in order.legs:
            if leg.owner == cl_ord_id and leg.is_unheard:
                leg.answered = True
        if request is not None:
            if request.kind is RequestKind.CANCEL:
                # Where it was carried out it has ended the whole list.
                for mate in self._own.list_of(order):
                    if mate is not order and not mate.is_closed:
                        self._told.ask(record, mate)
        elif order.legs[0].word or order.unknown:
            self.books.touched(order, record.lsn)
            return
        else:
            order.unknown = True
        self._told.not_known(record, order)

    def _cancel_rejected(self, record: Record, venue: str, event: CancelRejected) -> None:
        order = self.books.by_id.get(event.cl_ord_id) or self.books.by_id.get(event.orig_cl_ord_id)
        if order is None or order.account != venue:
            return
        name = self._request_id(order, event.cl_ord_id)
        if event.ambiguous:
            self._ambiguous(record, order, name)
            return
        self._told.lingering_ended(record, order, name)
        request = order.request_ended(name)
        if request is None:
            if event.unknown_order and not order.is_closed:
                # The kill switch's own cancel: what it says of the order concerns us all the same.
                self._told.changes.append(CancelRefused(order, True))
            return
        is_cancel = request.kind is RequestKind.CANCEL
        if is_cancel:
            self._told.changes.append(CancelRefused(order, event.unknown_order))
        self._told.order_changed(record, order, "cancel_rejected", event.text, is_news=not is_cancel)

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
        attempts = [None] if event.attempt is None else self._own.sent_with(event.attempt)
        for index, attempt in enumerate(attempts):
            name = "" if index else event.cl_ord_id
            self._one_rejected(record, venue, msgspec.structs.replace(event, attempt=attempt, cl_ord_id=name))

    def _one_rejected(self, record: Record, venue: str, event: RequestRejected) -> None:
        name = event.cl_ord_id or (sent_name(event.attempt, self.books.by_id) if event.attempt is not None else "")
        order = self.books.by_id.get(name)
        if event.attempt is not None:
            self._told.changes.append(AttemptEnded(event.attempt, Reason.VENUE_REJECTED, None))
        if order is None or order.account != venue:
            return
        requests = {each.cl_ord_id: each for each in order.all_requests}
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
            self._told.order_changed(record, order, "rejected" if order.is_closed else "settled", event.text)
            return
        self._told.lingering_ended(record, order, name)
        if order.request_ended(name) is not None and request is not None:
            if request.kind is RequestKind.CANCEL:
                self._told.changes.append(CancelRefused(order, False))
            self._told.order_changed(record, order, "cancel_rejected", event.text)

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
        self._told.changes.append(SessionMoved(moved.session, moved.account, moved.state is SessionState.NUMBERS_SET))

    def _caught_up(self, record: Record, moved: SessionChanged) -> None:
        """All that the venue had to say of earlier connections was said: what it has not accepted on them it will not.

        A replacement is an order of its own, of which it says so itself.
        """
        for name in list(self.books.unsettled):
            order = self.books.orders[name]
            for request in list(order.lingering.values()):
                is_older = request.session == moved.session and request.connection < moved.connection
                if is_older and request.kind is RequestKind.AMEND:
                    self._told.lingering_ended(record, order, request.cl_ord_id)

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
        overtaken = [self.books.orders[name] for name in self.books.unsettled]
        for order in (*self.books.open_orders(session.account), *overtaken):
            if order.account == session.account and order.connection_lost(session.session):
                self._told.not_known(record, order)

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

    # ---- people's words, and what is only noted ----

    def _verdict(self, record: Record, verdict: Verdict) -> None:
        order = self.books.orders.get((verdict.strategy, verdict.number))
        if order is None or order.is_closed:
            return
        order.decide(_VERDICTS.get(verdict.ord_status, OrderStatus.CANCELED), verdict.cum_qty, verdict.text)
        self._told.order_changed(record, order, "settled", verdict.text)

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
        self._told.changes.append(PositionMoved(told.account, told.symbol, told.strategy))

    def _unanswered(self, record: Record, told: Unanswered) -> None:
        order = self.books.orders.get((told.strategy, told.number))
        if order is not None and told.attempt in order.awaits:
            order.unanswered(told.attempt)
            self._told.not_known(record, order)

    def _discrepancy(self, record: Record, discrepancy: Discrepancy) -> None:
        self.books.discrepancies += 1

    def _operator(self, record: Record, act: OperatorAct) -> None:
        self.books.left_out.hear(act)
        if (act.actor, act.act) == (WRITER, BASELINE):
            self.books.account(act.text.partition(":")[0]).baseline = None

    # ---- small things ----

_LATCH = frozenset({SessionState.LATCHED, SessionState.UNLATCHED})
_BESIDE_THE_CONNECTION = _LATCH | {SessionState.NUMBERS_SET}
"""What is said of a session whatever its connection does."""

_MISSES = frozenset({SessionState.NUMBERS_SET, SessionState.UNLATCHED})
"""Skipped numbers may have borne reports, and the kill switch's own cancels had answers, that nobody hears."""
_VERDICTS = {"2": OrderStatus.FILLED, "4": OrderStatus.CANCELED, "8": OrderStatus.REJECTED, "C": OrderStatus.EXPIRED}


def _cancel_of(order: Order, leg: Leg) -> str:
    """The ClOrdID(11) of the oldest cancel of the leg that waits, "" for none."""
    waiting = (r for r in order.requests.values() if r.kind is RequestKind.CANCEL and r.owner in ("", leg.owner))
    return next((request.cl_ord_id for request in waiting), "")


def _as_cancel_rejected(report: ExecutionReport) -> CancelRejected:
    """A request about an order that a report of Rejected refuses, where others send OrderCancelReject(9)."""
    return CancelRejected(
        report.cl_ord_id, report.orig_cl_ord_id, report.order_id, report.ord_status, report.error_code, report.text
    )


def _standing(order: Order, leg: Leg) -> Standing:
    return (
        leg.word, len(order.requests), leg.order_qty, leg.price, leg.filled_qty, leg.triggered, order.unknown,
        order.ending,
    )  # fmt: skip


def _told_by_state(order: Order, leg: Leg, before: Standing) -> str:
    """What has happened, by a report of the order's state alone."""
    word, requests, *_ = before
    if not word and leg.word == NEW:
        return EVENTS[NEW]
    return EVENTS[REPLACED] if len(order.requests) < requests and leg.is_open else EVENTS[ORDER_STATUS]


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


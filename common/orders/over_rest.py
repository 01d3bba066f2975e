"""The venue's word over REST: orders as they are now, trades that were missed, and what is not there any more.

An answer tells of the time at which it was asked for: what was heard of an order since is newer. What an account's
answers have told of gaps, trades and strangers stands in its books, and changes here alone.
"""

from decimal import Decimal

import msgspec

from common.journal.frames import Record
from common.messages import Answer, Inbound, OrderStatus, Reason, RestOrder, Trade
from common.orders.absence import is_dead, no_stranger, window_closed
from common.orders.belief import contradiction, side_of
from common.orders.books import CLOCKS_KEPT, TRADES_PAGE, TradesAsked
from common.orders.changes import EVENTS, Answered, Change, Doubted, Inquired, OrderChanged, PositionMoved
from common.orders.leg import Leg
from common.orders.order_state import Order, Request, RequestKind
from common.orders.telling import Telling, corrected, fee_of, is_number, newest_ns, replaced_by_hand
from common.orders.words import TERMINAL_WORDS


class OverRest:
    """See the module."""

    def __init__(self, told: Telling) -> None:
        self._books = told.books
        self._told = told

    def answer(self, record: Record, answer: Answer) -> None:
        """An answer of the account, failed or not."""
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
                    self._books.account(answer.account).listed[answer.ask.symbol] = answer.ask.asked_lsn
                case "trades":
                    self._trades_answer(record, answer)
                case "balances":
                    self._books.take_balances(answer.account, answer.balances)
        self._told.changes.append(Answered(answer))

    def _rest_order(self, record: Record, answer: Answer, told: RestOrder) -> None:
        venue = answer.account
        order = self._books.by_id.get(told.cl_ord_id)
        if order is None or order.account != venue:
            order = self._books.by_order_id.get((venue, told.symbol, told.order_id))
        if order is None:
            if told.ord_status not in TERMINAL_WORDS:
                ended = self._books.ended.get((venue, told.symbol, told.order_id))
                if ended is None or ended.lsn <= answer.ask.asked_lsn:
                    self._told.stranger(venue, told, answer.ask.asked_lsn)
            elif told.cl_ord_id:
                self._books.unclaimed.pop((venue, told.symbol, told.order_id), None)
            return
        if order.touched_lsn > answer.ask.asked_lsn:
            self._told.changes.append(Inquired(order, False))
            return
        wrong = contradiction(order, told, self._books.known.find(venue).knows)
        if wrong:
            self._told.doubt(record, order, wrong)
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
        self._told.hear_direction(order, told)
        if leg.order_id:
            self._told.claimed(order, self._books.register_order_id(order, leg, leg.order_id))
        self.settle_requests(record, order, None, answer)
        if order.is_closed:
            order.overtake_requests()
        self._books.touched(order, record.lsn, is_news=False)
        after = _standing_over_rest(order, leg)
        if before != after:
            self._told.differs(venue, order.shown_name, _shown(*before), _shown(*after), "took the venue's word")
            self._told.order_changed(record, order, "settled")
        self._told.changes.append(Inquired(order, True))

    def _not_found(self, record: Record, answer: Answer) -> None:
        order = self._books.by_id.get(answer.ask.cl_ord_id)
        if order is None or (order.is_closed and not order.in_doubt):
            return
        name = answer.ask.cl_ord_id
        if order.touched_lsn > answer.ask.asked_lsn:
            self._told.changes.append(Inquired(order, False))
            return
        was_in_doubt, order.in_doubt = order.in_doubt, False
        if order.is_closed:
            self._books.touched(order, record.lsn, is_news=False)
            self._told.changes.append(Inquired(order, True))
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
            self._told.differs(order.account, order.shown_name, "may have been sent", "not found", action)
            self._told.order_changed(record, order, "settled")
        elif not never_heard:
            ours, theirs = order.status.value, "not found"
            self._told.differs(order.account, order.shown_name, ours, theirs, "kept; needs a verdict")
        # An answer all the same: the order's round is over, and its doubt stays until the window has closed.
        self._told.changes.append(Inquired(order, True))

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
        is_over = answered or is_dead(self._books.session(session, answer.account), connection)
        told = self._books.account(answer.account).trades_asked.get(answer.ask.symbol)
        closed = is_over and self._window_closed(answer, sent_ns, session, connection)
        return closed and no_stranger(told, sent_ns, self._books.window_ns(answer.account))

    def _window_closed(self, answer: Answer, sent_ns: int, session: str, connection: int) -> bool:
        books = self._books
        line = books.session(session, answer.account)
        return window_closed(answer, line, sent_ns, connection, books.window_ns(answer.account))

    def _trades_answer(self, record: Record, answer: Answer) -> None:
        ask = answer.ask
        begun = len(self._told.changes)
        for trade in answer.trades:
            self._rest_trade(record, answer.account, trade, is_all=not ask.order_id)
        # What is told of an order is as the whole record leaves it: the fills come before what their prices correct.
        self._told.changes[begun:] = sorted(self._told.changes[begun:], key=_is_correction)
        if not ask.order_id:
            self._gap_told(answer)
            asked = self._books.account(answer.account).trades_asked.setdefault(ask.symbol, TradesAsked())
            asked.asked_lsn, asked.venue_ns = ask.asked_lsn, answer.venue_ns
            asked.clocks = [*asked.clocks, (record.lsn, answer.venue_ns)][-CLOCKS_KEPT:]
            asked.strangers = len(self._books.strangers(answer.account, ask.symbol))

    def _gap_told(self, answer: Answer) -> None:
        """What REST told from the gap's beginning on closes it, where it was asked on a connection that tells the
        rest, and what is open was told too: somebody else's order may have ended without a trade."""
        account, symbol, asked_lsn = self._books.account(answer.account), answer.ask.symbol, answer.ask.asked_lsn
        if symbol not in account.gaps:
            return
        is_told = any(s.logged_on and asked_lsn >= s.up_lsn for s in self._books.sessions_of(answer.account))
        since_ns = account.gaps_since_ns.get(symbol, 0)
        if since_ns and answer.ask.since_ns > since_ns:
            # A later page, from behind what was missed meanwhile.
            return
        if len(answer.trades) >= TRADES_PAGE:
            if is_number(answer.trades[-1].trade_key):
                account.gaps[symbol] = answer.trades[-1].trade_key
            else:
                # Names without an order: what follows is asked for by its time.
                account.gaps_since_ns[symbol] = max(since_ns, newest_ns(answer.trades))
        elif is_told and min(asked_lsn, account.listed.get(symbol, 0)) >= account.gaps_lsn:
            del account.gaps[symbol]
            account.gaps_since_ns.pop(symbol, None)

    def _rest_trade(self, record: Record, venue: str, trade: Trade, *, is_all: bool) -> None:
        """Count one fill. `is_all`: it was told among all trades, and not among those of one order, which say nothing
        of others before them that nobody has heard of."""
        order = self._books.by_order_id.get((venue, trade.symbol, trade.order_id))
        wrong = "" if order is None else contradiction(order, trade, self._books.known.find(venue).knows)
        if order is not None and wrong:
            self._told.doubt(record, order, wrong)
            return
        side = side_of(order, trade)
        if not side:
            theirs = f"trade {trade.trade_key} of {trade.symbol!r}, side {trade.side!r}"
            self._told.differs(venue, f"order {trade.order_id}", "no such order", theirs, "not counted")
            return
        leg = None if order is None else _leg_of_trade(order, trade)
        change = self._books.ledger.trade(
            venue, trade.symbol, trade.trade_key, leg.owner if leg is not None else "", side,
            trade.last_qty, trade.last_px, trade.fee_qty, trade.fee_asset, trade.order_id,
        )  # fmt: skip
        if change is None:
            self._told_again(record, order, leg, trade)
            return
        self._told.note_fee(venue, f"order {trade.order_id}", trade, change)
        if is_all:
            self._told.note_trade_key(venue, trade.symbol, trade.trade_key)
        self._books.move(change.net)
        if order is not None and leg is not None:
            leg.fill(change.net)
            self._books.touched(order, record.lsn)
            if not change.fills:
                # Told before, without its price or its fee.
                self._told.changes.append(corrected(order, trade.trade_key))
            elif change.gave_way is not None:
                self._told.changes.append(replaced_by_hand(order, change, change.gave_way))
            else:
                told = (trade.last_qty, trade.last_px, *fee_of(change), trade.trade_key, trade.maker)
                self._told.changes.append(OrderChanged(order, "trade", *told))
                self._told.differs(venue, order.shown_name, "no such fill", f"trade {trade.trade_key}", "counted it")
        elif change.fills > 0:
            self._books.unclaim(venue, trade.symbol, trade.order_id, trade.trade_key)
            self._books.note_nobodys(venue, trade.symbol, trade.order_id, trade.trade_key)
        self._told.changes.append(PositionMoved(venue, trade.symbol, order.strategy if order is not None else ""))

    def _told_again(self, record: Record, order: Order | None, leg: Leg | None, trade: Trade) -> None:
        """A trade that was counted before: as nobody's, perhaps, and now its order is known."""
        late = None if leg is None or order is None else self._books.claim(order, leg, trade.trade_key, trade.order_id)
        if order is None:
            return
        # That a fill cost nothing changes no sum, and its order need not be kept for it any longer.
        self._books.touched(order, record.lsn, is_news=late is not None)
        if late is not None:
            self._told.claimed(order, [late])

    def settle_requests(self, record: Record, order: Order, told: Inbound | None, answer: Answer | None) -> None:
        """The order's state was told after the fact: requests of an older connection are answered by it.

        Over FIX (`told` on a later connection of the same session) what the old one carried is in it; over REST only
        once the window has closed.
        """
        answer = None if answer is None else self._with_a_clock(answer, order)
        for request in [r for r in order.all_requests if r.kind is not RequestKind.REPLACE]:
            settled = False
            if told is not None:
                is_later = request.session == told.session and request.connection < told.connection
                settled = (request.answered or is_later) and not self._books.window_ns(order.account)
            elif answer is not None:
                closed = self._window_closed(answer, request.sent_ns, request.session, request.connection)
                settled = closed and (request.unknown or request.cl_ord_id in order.lingering)
            if settled:
                order.request_ended(request.cl_ord_id)

    def _with_a_clock(self, answer: Answer, order: Order) -> Answer:
        """An answer that has not the venue's clock came after all trades that were told before it was asked for.

        Where both are always asked for at once, the newest of those is too late for each.
        """
        told = self._books.account(order.account).trades_asked.get(order.symbol)
        venue_ns = 0 if told is None else told.venue_ns_by(answer.ask.asked_lsn)
        return answer if venue_ns <= answer.venue_ns else msgspec.structs.replace(answer, venue_ns=venue_ns)

    def _strangers_gone(self, answer: Answer) -> None:
        """All open orders of a symbol were told: what is not among them, and was not heard of since, is over."""
        there = {told.order_id for told in answer.orders}
        for place, external in list(self._books.externals.items()):
            venue, symbol, order_id = place
            is_asked = venue == answer.account and symbol == answer.ask.symbol and external.lsn <= answer.ask.asked_lsn
            if is_asked and order_id not in there:
                self._books.stranger_gone(place)

    def _missing(self, record: Record, answer: Answer) -> None:
        """All open orders of a symbol were told: one of ours that is not among them, and was not heard of since, may be
        over, and is asked about until the venue tells."""
        asked, names = answer.ask, {told.cl_ord_id for told in answer.orders}
        order_ids = {told.order_id for told in answer.orders}
        for order in self._books.open_orders(answer.account):
            is_asked = asked.symbol in ("", order.symbol) and order.touched_lsn <= asked.asked_lsn
            if not is_asked or order.in_doubt or order.is_unknown or order.legs[0].is_unheard:
                continue
            if not any(leg.cl_ord_id in names or leg.order_id in order_ids for leg in order.legs):
                order.in_doubt = True
                self._books.touched(order, record.lsn, is_news=False)
                self._told.changes.append(Doubted(order))


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

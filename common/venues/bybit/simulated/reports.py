"""What Bybit's simulated side says of orders: bodies of ExecutionReport(8).

Source: bybit-exchange/docs, fix-api/execution-report.mdx, and its captured frames for the order of the fields and the
form of numbers. ExecID(17), LastQty(32), LastPx(31) and OrigClOrdID(41) are not there.
"""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal

from common.exchange.changes import Closed, Traded, Triggered
from common.exchange.engine import Cause
from common.exchange.history import ClosedOrder
from common.exchange.order import (
    EXPIRE_BOTH,
    EXPIRE_MAKER,
    EXPIRE_TAKER,
    FILLED,
    IMMEDIATE_OR_CANCEL,
    LIMIT,
    MARKET,
    NO_PREVENTION,
    PARTIALLY_FILLED,
    STOP,
    STOP_LIMIT,
    ZERO,
    Order,
    Terms,
)
from common.exchange.settings import Instrument
from common.exchange.venue import Venue
from common.fix.wire import utc_timestamp
from common.venues.bybit.simulated.wire import padded, places, short

PARTIALLY_FILLED_CANCELED = "F"
CANCELED = "4"
UNTRIGGERED, TRIGGERED, DEACTIVATED = "U", "T", "D"
FEE_STEP = Decimal("0.000000000001")
FIRST_EXEC_ID = 2_100_000_000_000_000_000

SMP_TYPES = {
    NO_PREVENTION: "None", EXPIRE_TAKER: "CancelTaker", EXPIRE_MAKER: "CancelMaker", EXPIRE_BOTH: "CancelBoth",
}  # fmt: skip
REASONS: dict[str, tuple[str, str]] = {
    Cause.USER: ("EC_PerCancelRequest", "CancelByUser"),
    Cause.MASS_CANCEL: ("EC_CancelAll", "CancelAllBeforeLiq"),
    Cause.UNFILLED: ("EC_NoImmediateQtyToFill", "UNKNOWN"),
    Cause.NO_LIQUIDITY: ("EC_NoImmediateQtyToFill", "UNKNOWN"),
    Cause.FILL_OR_KILL: ("EC_NoEnoughQtyToFill", "UNKNOWN"),
    Cause.SELF_TRADE: ("EC_CancelForNoFullFill", "CancelBySmp"),
    Cause.SCREEN: ("EC_PerCancelRequest", "CancelByAdmin"),
}
"""OrdRejReason(103) and CancelType(30040) of a cancelled order, by why it was."""


AWAKE = {STOP: MARKET, STOP_LIMIT: LIMIT}
"""What OrdType(40) of a conditional order is, before it is triggered too."""


def exec_id_of(number: int) -> str:
    """FillExecID(30051), and execId over REST: numbers of 19 digits that grow."""
    return str(FIRST_EXEC_ID + number)


def side_of(order_id: int, trade: Traded) -> tuple[int, Decimal, bool]:
    """An order's side of a trade: its number, its fee, and whether the order was the maker."""
    maker = trade.maker_id == order_id
    return (trade.exec_id, trade.maker_fee, True) if maker else (trade.exec_id + 1, trade.taker_fee, False)


def px_before(terms: Terms, instrument: Instrument) -> Decimal:
    """A last price by which a conditional order waits for what it waits for."""
    assert terms.stop_px is not None
    return terms.stop_px - instrument.tick_size if terms.rises else terms.stop_px + instrument.tick_size


class Reports:
    """The reports of one exchange. Beside the orders it remembers what they say of their beginning, while they are
    open: the last price then, the amount that they were placed by, and the fees so far."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._last_px: dict[int, Decimal] = {}
        self._amounts: dict[int, Decimal] = {}
        self._fees: dict[int, Decimal] = {}

    def created(self, order_id: int, symbol: str, amount: Decimal | None) -> None:
        """An order is about to be placed, by an amount of the quote asset where that is not None."""
        self._last_px[order_id] = self._px(symbol)
        if amount is not None:
            self._amounts[order_id] = amount

    def forget(self, order: Order | ClosedOrder) -> None:
        """An order is closed."""
        for memory in (self._last_px, self._amounts, self._fees):
            memory.pop(order.order_id, None)

    def triggered(self, order: Order, change: Triggered) -> bytes:
        """That a conditional order was triggered: its OrdStatus(39) says so too, and passes at once."""
        names = f"11={order.cl_ord_id}\x0137={order.order_id}\x01150={TRIGGERED}\x0139={TRIGGERED}\x01"
        return f"{names}{self._body(order, change.stamp_ns, order.leaves_qty)}".encode()

    def state(self, order: Order, exec_type: str, stamp_ns: int) -> bytes:
        """That an order is new, or amended."""
        names = f"11={order.cl_ord_id}\x0137={order.order_id}\x01150={exec_type}\x0139={_status(order)}\x01"
        return f"{names}{self._body(order, stamp_ns, order.leaves_qty)}".encode()

    def closed(self, order: Order, change: Closed) -> bytes:
        """That an order is cancelled, wholly or but for what was filled of it, or deactivated while it slept."""
        exec_type = DEACTIVATED if order.sleeps else CANCELED
        status = PARTIALLY_FILLED_CANCELED if order.cum_qty else exec_type
        reason, cancel_type = REASONS.get(change.cause, ("EC_Others", "UNKNOWN"))
        names = f"11={order.cl_ord_id}\x0137={order.order_id}\x01150={exec_type}\x0139={status}\x01"
        why = f"103={reason}\x0130040={cancel_type}\x01"
        return f"{names}{self._body(order, change.stamp_ns, order.order_qty - order.cum_qty, why)}".encode()

    def fills(self, order: Order | ClosedOrder, trades: Sequence[Traded]) -> bytes:
        """All that an order was filled by at once; its quantities are those after the last of them."""
        terms = order.terms
        left = terms.order_qty - order.cum_qty
        status = FILLED if not left else PARTIALLY_FILLED
        names = f"37={order.order_id}\x0111={terms.cl_ord_id}\x01150=F\x0139={status}\x01"
        leaves = left + sum((trade.qty for trade in trades), ZERO)
        group, coin = f"30050={len(trades)}\x01", self._instrument(terms).fee_asset(terms.side)
        for trade in trades:
            leaves -= trade.qty
            group += self._fill(order, trade, leaves, coin)
            fee = side_of(order.order_id, trade)[1]
            self._fees[order.order_id] = self._fees.get(order.order_id, ZERO) + fee
        group += f"30060=1\x0130061={coin}\x0130062={short(self._fees[order.order_id])}\x01"
        body = f"{names}{self._body(order, trades[-1].stamp_ns, left)}{group}".encode()
        if not left:
            self.forget(order)
        return body

    def _fill(self, order: Order | ClosedOrder, trade: Traded, leaves: Decimal, coin: str) -> str:
        number, fee, maker = side_of(order.order_id, trade)
        settings = self._venue.settings
        rate = settings.fee_rate_maker if maker else settings.fee_rate_taker
        return (
            f"30051={exec_id_of(number)}\x0130052={short(trade.qty)}\x0130053={short(trade.px)}\x01"
            f"30054={utc_timestamp(trade.stamp_ns).decode()}\x0130055={short(fee)}\x0130056={coin}\x01"
            f"30059={short(rate)}\x0130057={short(trade.qty * trade.px)}\x0130058={'Y' if maker else 'N'}\x01"
            f"30063=Trade\x0130064={short(leaves)}\x0130065={trade.trade_id}\x01"
        )

    def _body(self, order: Order | ClosedOrder, stamp_ns: int, leaves: Decimal, why: str = "") -> str:
        """The fields of the order, which every report has, as captured frames have them."""
        terms, instrument = order.terms, self._instrument(order.terms)
        lots, ticks = places(instrument.lot_size), places(instrument.tick_size)
        amount = self._amounts.get(order.order_id)
        price = f"44={padded(terms.price, ticks)}\x01" if terms.price is not None else ""
        ord_type = AWAKE.get(terms.ord_type, terms.ord_type)
        unit = "UNKNOWN" if ord_type == LIMIT else "baseCoin" if amount is None else "quoteCoin"
        qty = padded(terms.order_qty, lots) if amount is None else short(amount)
        average = f"6={short(_average(order))}\x01" if order.cum_qty else ""
        values, last_px = lots + ticks, self._last_px.get(order.order_id) or self._px_by(terms)
        how = "P" if terms.post_only else IMMEDIATE_OR_CANCEL if ord_type == MARKET else terms.time_in_force
        stop = "" if terms.stop_px is None else f"30042=Stop\x0199={padded(terms.stop_px, ticks)}\x01"
        return (
            f"30010=spot\x0155={terms.symbol}\x0154={terms.side}\x0140={ord_type}\x0138={qty}\x01{price}"
            f"59={how}\x0130013={unit}\x0130014=N\x01151={short(leaves)}\x01"
            f"30041={padded(leaves * (terms.price or last_px), values)}\x0114={short(order.cum_qty)}\x01{average}"
            f"30038={padded(order.cum_quote, values)}\x0160={utc_timestamp(stamp_ns).decode()}\x01"
            f"30039={utc_timestamp(order.stamp_ns).decode()}\x01{why}{stop}30018={SMP_TYPES[terms.self_trade]}\x0130019=N\x01"
            f"30046={short(last_px)}\x01"
        )

    def _instrument(self, terms: Terms) -> Instrument:
        return self._venue.state.instruments[terms.symbol]

    def _px_by(self, terms: Terms) -> Decimal:
        """What the last price may have been as an order came of which that is not remembered."""
        return self._px(terms.symbol) if terms.stop_px is None else px_before(terms, self._instrument(terms))

    def _px(self, symbol: str) -> Decimal:
        """The last price, or where the book began."""
        return self._venue.state.books[symbol].last_px or self._venue.state.instruments[symbol].start_price


def _status(order: Order) -> str:
    if order.sleeps:
        return UNTRIGGERED
    return PARTIALLY_FILLED if order.cum_qty and order.is_open else order.ord_status


def _average(order: Order | ClosedOrder) -> Decimal:
    return (order.cum_quote / order.cum_qty).quantize(FEE_STEP, ROUND_HALF_UP)

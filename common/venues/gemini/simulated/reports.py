"""What Gemini's simulated side says of orders: bodies of messages, their fields in the order of their tags.

Source: docs.gemini.com/fix, order entry, client-bound messages and examples. Written from those alone, independently of
the client's dialect.
"""

from decimal import ROUND_HALF_UP, Decimal

from common.exchange.changes import Corrected, Traded
from common.exchange.engine import Cause, Refusal
from common.exchange.fix_orders import MassCancel, Named, Wish
from common.exchange.history import ClosedOrder
from common.exchange.numbers import digits
from common.exchange.order import CANCELED, MARKET, NEW, REJECTED, Asked, Order, Terms
from common.exchange.settings import Instrument
from common.fix.wire import utc_timestamp

_PRICE_STEP = Decimal("0.00000001")
NONE = "NONE"
TRIGGERED = "L"
"""The standard's word, which is not the venue's."""

ABSOLUTE = "3"

# CxlRejReason(102).
_TOO_LATE, _UNKNOWN = "0", "1"

WORDS: dict[str, str] = {
    Cause.WOULD_TAKE: "MAKER_OR_CANCEL_WOULD_TAKE",
    Cause.UNFILLED: "IMMEDIATE_OR_CANCEL_WOULD_POST",
    Cause.FILL_OR_KILL: "FILL_OR_KILL_WOULD_NOT_FILL",
}
"""Text(58) of a cancel that the venue made by itself: the first two stand in its examples, the third does not."""

REQUESTED = "REQUESTED"

Fields = dict[int, str]


def body_of(fields: Fields) -> bytes:
    """The fields in the order of their tags."""
    return "".join(f"{tag}={fields[tag]}\x01" for tag in sorted(fields)).encode()


class GeminiReports:
    """`Reports` as the venue has them."""

    def report(
        self,
        order: Order | ClosedOrder,
        exec_id: str,
        exec_type: str,
        stamp_ns: int,
        asked: Asked | None = None,
        extra: str = "",
    ) -> bytes:
        """An ExecutionReport(8) of no fill. Of a stop order that is triggered it is that of a new limit order."""
        fields = _fields(order, exec_id, NEW if exec_type == TRIGGERED else exec_type, stamp_ns)
        if exec_type == CANCELED:
            told = extra.removeprefix("58=").rstrip("\x01")
            fields[58] = WORDS.get(told, told) or REQUESTED
        if asked is not None and asked.cl_ord_id:
            fields |= {11: asked.cl_ord_id, 41: asked.orig_cl_ord_id}
        return body_of(fields)

    def fill(
        self, order: Order | ClosedOrder, instrument: Instrument, change: Traded, asked: Asked | None
    ) -> bytes:
        """With LastQty(32), LastPx(31), LastLiquidityInd(851), and the fee as Commission(12) in CommCurrency(479)."""
        maker = change.maker_id == order.order_id
        exec_id, fee = (change.exec_id, change.maker_fee) if maker else (change.exec_id + 1, change.taker_fee)
        fields = _fields(order, str(exec_id), "F", change.stamp_ns)
        fields |= {31: digits(change.px), 32: digits(change.qty), 851: "1" if maker else "2"}
        return body_of(fields | {12: digits(fee), 13: ABSOLUTE, 479: instrument.fee_asset(order.terms.side)})

    def correction(self, order: Order | ClosedOrder, instrument: Instrument, change: Corrected) -> bytes:
        """The venue tells no correction over FIX."""
        raise AssertionError("no trade is taken back or corrected here")

    def rejected(self, terms: Terms, exec_id: str, refusal: Refusal | None, text: str, stamp_ns: int) -> bytes:
        """ExecType(150)=8."""
        nothing = {6: "0", 14: "0", 17: exec_id, 37: NONE, 39: REJECTED, 150: REJECTED, 151: "0"}
        return body_of(_terms(terms) | nothing | {58: text, 60: utc_timestamp(stamp_ns).decode()})

    def unknown(self, named: Named, exec_id: str, extra: str, text: str, stamp_ns: int) -> bytes:
        """The venue is not asked for orders over FIX."""
        raise AssertionError("no order is asked for here")

    def cancel_rejected(self, wish: Wish, order: Order | ClosedOrder | None, refusal: Refusal, stamp_ns: int) -> bytes:
        """OrderCancelReject(9): of an order that is not known OrdStatus(39) is 8 and OrderID(37) NONE."""
        order_id, ord_status = (NONE, REJECTED) if order is None else (str(order.order_id), order.ord_status)
        reason = _UNKNOWN if order is None else _TOO_LATE
        return body_of({
            11: wish.cl_ord_id, 37: order_id, 39: ord_status, 41: wish.orig_cl_ord_id, 58: refusal.value,
            60: utc_timestamp(stamp_ns).decode(), 102: reason, 434: wish.response_to,
        })  # fmt: skip

    def mass_cancelled(self, asked: MassCancel, report_id: str, affected: int | None, stamp_ns: int) -> bytes:
        """The venue has no mass cancel over FIX."""
        raise AssertionError("nothing is cancelled at once here")


def _terms(terms: Terms) -> Fields:
    """With the stop price of a stop order, and the amount of an order for one in the place of a quantity."""
    size = {38: digits(terms.order_qty)} if terms.cash_qty is None else {152: digits(terms.cash_qty)}
    fields = size | {11: terms.cl_ord_id, 54: terms.side, 55: terms.symbol}
    if terms.stop_px is not None:
        fields[99] = digits(terms.stop_px)
    if terms.ord_type != MARKET:
        fields |= {44: digits(terms.price or Decimal(0)), 59: terms.time_in_force}
    return fields | {18: "6"} if terms.post_only else fields


def _fields(order: Order | ClosedOrder, exec_id: str, exec_type: str, stamp_ns: int) -> Fields:
    terms = order.terms
    if isinstance(order, Order) and order.triggered:
        # What is told is the limit order that it has become.
        terms = terms._replace(stop_px=None)
    return _terms(terms) | {
        6: _average(order.cum_quote, order.cum_qty), 14: digits(order.cum_qty), 17: exec_id, 37: str(order.order_id),
        39: order.ord_status, 60: utc_timestamp(stamp_ns).decode(), 150: exec_type, 151: digits(order.leaves_qty),
    }  # fmt: skip


def _average(cum_quote: Decimal, cum_qty: Decimal) -> str:
    """AvgPx(6)."""
    return digits((cum_quote / cum_qty).quantize(_PRICE_STEP, ROUND_HALF_UP)) if cum_qty else "0"

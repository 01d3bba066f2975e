"""What Kraken's simulated side says of orders: bodies of messages, their fields in the order of their tags.

Source: docs.kraken.com, Unified FIX, Execution Report and Business Message Reject. Written from the documents alone.
"""

from decimal import Decimal

from common.exchange.changes import Corrected, Traded
from common.exchange.engine import Cause, Refusal
from common.exchange.fix_orders import CANCEL, MassCancel, Named, Wish
from common.exchange.history import ClosedOrder
from common.exchange.numbers import digits
from common.exchange.order import BUY, LIMIT, MARKET, STOP, STOP_LIMIT, Asked, Order, Terms
from common.exchange.settings import Instrument
from common.fix.wire import utc_timestamp

OTHER, UNKNOWN_INSTRUMENT, UNKNOWN_ORDER_REASON, NOT_AVAILABLE = 0, 2, 101, 4
UNKNOWN_ORDER = "EOrder:Unknown order"
_TEXTS = {
    Refusal.UNKNOWN_SYMBOL: "EQuery:Unknown asset pair",
    Refusal.DUPLICATE: "EGeneral:Invalid arguments:cl_ord_id",
    Refusal.BAD_TERMS: "EGeneral:Invalid arguments",
    Refusal.BAD_QTY: "EGeneral:Invalid arguments:volume",
    Refusal.BAD_PRICE: "EOrder:Invalid price",
    Refusal.FAR_PRICE: "EOrder:Invalid price",
    Refusal.BAD_NOTIONAL: "EOrder:Cost minimum not met",
    Refusal.TOO_MANY_ORDERS: "EOrder:Orders limit exceeded",
    Refusal.BALANCE: "EOrder:Insufficient funds",
    Refusal.UNKNOWN_ORDER: UNKNOWN_ORDER,
    Refusal.CLOSED: UNKNOWN_ORDER,
}
CLOSING_TEXTS = {
    Cause.DISCONNECTED: "Cancelled on disconnect",
    Cause.WOULD_TAKE: "Post only order",
    Cause.SELF_TRADE: "Self trade prevention",
}


def refused(msg_type: str, ref_id: str, reason: int, text: str) -> bytes:
    """A BusinessMessageReject(j): RefSeqNum(45) says nothing, the request's ClOrdID(11) does."""
    return f"45=0\x0158={text}\x01372={msg_type}\x01379={ref_id}\x01380={reason}\x01".encode()


def words(terms: Terms) -> str:
    """An order in words, as Text(58) of its reports has it."""
    side = "buy" if terms.side == BUY else "sell"
    how = "market" if terms.price is None else f"limit {digits(terms.price)}"
    if terms.stop_px is not None:
        stop = f"{'take profit' if terms.take_profit else 'stop loss'} {digits(terms.stop_px)}"
        how = stop if terms.price is None else f"{stop} -> {how}"
    return f"{side} {digits(terms.order_qty)} {terms.symbol} @ {how}"


RESTATED = "D"
TAKE_PROFITS = {STOP: "R", STOP_LIMIT: "T"}
"""OrdType(40) of those that take profit."""

AWAKE = {STOP: MARKET, STOP_LIMIT: LIMIT}
"""What OrdType(40) is once a stop order was triggered."""


class KrakenReports:
    """`Reports` as Kraken has them: what is refused is a j, whatever was asked."""

    def report(
        self,
        order: Order | ClosedOrder,
        exec_id: str,
        exec_type: str,
        stamp_ns: int,
        asked: Asked | None = None,
        extra: str = "",
    ) -> bytes:
        """An ExecutionReport(8). `extra` is a Text(58) that says why the order is closed, or "". That it was triggered
        is a restatement."""
        exec_type = RESTATED if exec_type == "L" else exec_type
        fields = _fields(order, exec_id, exec_type, stamp_ns, asked)
        if extra:
            cause = extra.removeprefix("58=").rstrip("\x01")
            fields[58] = CLOSING_TEXTS.get(Cause(cause), cause)
        return _body(fields)

    def fill(
        self, order: Order | ClosedOrder, instrument: Instrument, change: Traded, asked: Asked | None
    ) -> bytes:
        """With LastQty(32), LastPx(31), the trade's number within its pair, the fee and who was there first."""
        maker = change.maker_id == order.order_id
        exec_id, fee = (change.exec_id, change.maker_fee) if maker else (change.exec_id + 1, change.taker_fee)
        fields = _fields(order, str(exec_id), "F", change.stamp_ns, asked)
        currency = instrument.fee_asset(order.terms.side)
        fields |= {
            31: digits(change.px), 32: digits(change.qty), 136: f"1\x01137={digits(fee)}\x01138={currency}",
            527: str(change.trade_id), 1003: str(change.trade_id), 5050: "m" if maker else "t",
        }  # fmt: skip
        return _body(fields)

    def correction(self, order: Order | ClosedOrder, instrument: Instrument, change: Corrected) -> bytes:
        """There is none: the side that is opened says so."""
        raise AssertionError("Kraken takes no fill back: the side that is opened lacks it")

    def rejected(self, terms: Terms, exec_id: str, refusal: Refusal | None, text: str, stamp_ns: int) -> bytes:
        """Of a new order."""
        reason = UNKNOWN_INSTRUMENT if refusal is Refusal.UNKNOWN_SYMBOL else OTHER
        return refused("D", terms.cl_ord_id, reason, text if refusal is None else _TEXTS.get(refusal, text))

    def unknown(self, named: Named, exec_id: str, extra: str, text: str, stamp_ns: int) -> bytes:
        """Of a question for an order's state, which has a ClOrdID(11) of its own."""
        return refused("H", named.cl_ord_id, UNKNOWN_ORDER_REASON, UNKNOWN_ORDER)

    def cancel_rejected(self, wish: Wish, order: Order | ClosedOrder | None, refusal: Refusal, stamp_ns: int) -> bytes:
        """Of a cancel or an amendment."""
        reason = UNKNOWN_ORDER_REASON if refusal in (Refusal.UNKNOWN_ORDER, Refusal.CLOSED) else OTHER
        msg_type = "F" if wish.response_to == CANCEL else "G"
        return refused(msg_type, wish.cl_ord_id, reason, _TEXTS.get(refusal, f"EOrder:{refusal.value}"))

    def mass_cancelled(self, asked: MassCancel, report_id: str, affected: int | None, stamp_ns: int) -> bytes:
        """Nothing, but where it is refused: each order's own report is the answer."""
        if affected is not None:
            return b""
        return refused("q", asked.cl_ord_id, UNKNOWN_INSTRUMENT, _TEXTS[Refusal.UNKNOWN_SYMBOL])


def _fields(
    order: Order | ClosedOrder, exec_id: str, exec_type: str, stamp_ns: int, asked: Asked | None
) -> dict[int, str]:
    terms = order.terms
    average = order.cum_quote / order.cum_qty if order.cum_qty else Decimal(0)
    fields = {
        6: digits(round(average, 8)), 11: terms.cl_ord_id, 14: digits(order.cum_qty), 17: exec_id,
        37: str(order.order_id), 38: digits(terms.order_qty), 39: order.ord_status, 40: terms.ord_type, 54: terms.side,
        55: terms.symbol, 58: words(terms), 59: terms.time_in_force, 60: utc_timestamp(stamp_ns).decode(),
        150: exec_type, 151: digits(order.leaves_qty), 381: digits(order.cum_quote),
    }  # fmt: skip
    if terms.stop_px is not None:
        fields[99] = digits(terms.stop_px)
        if terms.take_profit:
            fields[40] = TAKE_PROFITS[terms.ord_type]
        if order.triggered if isinstance(order, Order) else order.cum_qty:
            fields[40] = AWAKE[terms.ord_type]
    if terms.expire_ns:
        fields[126] = utc_timestamp(terms.expire_ns).decode()
    if terms.ord_type != MARKET and terms.price is not None:
        fields[44] = digits(terms.price)
    if terms.post_only:
        fields[18] = "P"
    if terms.display_qty is not None:
        fields[1138] = digits(terms.display_qty)
    if asked is not None and asked.cl_ord_id:
        fields |= {11: asked.cl_ord_id, 41: asked.orig_cl_ord_id}
    return fields


def _body(fields: dict[int, str]) -> bytes:
    return "".join(f"{tag}={value}\x01" for tag, value in sorted(fields.items())).encode()

"""FIX 4.4 as the standard has it, the exchange's side: bodies of what dialect "generic" sends about orders.

Source: FIX 4.4 with errata 20030618, volume 4. Written from the standard alone, independently of the client's dialect.
"""

from decimal import ROUND_HALF_UP, Decimal

from common.exchange.changes import Corrected
from common.exchange.engine import Refusal
from common.exchange.history import ClosedOrder
from common.exchange.order import BUY, REJECTED, Order, Terms
from common.exchange.settings import Instrument
from common.fix.wire import utc_timestamp

ZERO = Decimal(0)
_PRICE_STEP = Decimal("0.00000001")

# OrdRejReason(103) and CxlRejReason(102) of the engine's refusals; what has no reason of its own is 99 Other.
_ORD_REJ_REASON = {
    Refusal.UNKNOWN_SYMBOL: 1,
    Refusal.BALANCE: 3,
    Refusal.UNKNOWN_ORDER: 5,
    Refusal.DUPLICATE: 6,
    Refusal.BAD_TERMS: 11,
    Refusal.BAD_QTY: 13,
}
UNKNOWN_ORDER = 1
TOO_LATE = 0
DUPLICATE_CL_ORD_ID = 6
DONE_FOR_DAY = "3"


def number(value: Decimal) -> str:
    """A decimal as digits and a point, without needless zeros behind it."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def average(cum_quote: Decimal, cum_qty: Decimal) -> str:
    """AvgPx(6)."""
    return number((cum_quote / cum_qty).quantize(_PRICE_STEP, ROUND_HALF_UP)) if cum_qty else "0"


def report(
    order: Order | ClosedOrder,
    terms: Terms,
    exec_id: str,
    exec_type: str,
    stamp_ns: int,
    names: str = "",
    extra: str = "",
    ord_status: str = "",
) -> bytes:
    """The body of an ExecutionReport(8). `names` stands for ClOrdID(11) and OrigClOrdID(41) where they are not the
    order's.
    """
    leaves_qty = ZERO if ord_status == DONE_FOR_DAY else order.leaves_qty
    price = "" if terms.price is None else f"44={number(terms.price)}\x01"
    exec_inst = "18=6\x01" if terms.post_only else ""
    return (
        f"37={order.order_id}\x01{names or f'11={terms.cl_ord_id}{chr(1)}'}17={exec_id}\x01150={exec_type}\x01"
        f"39={ord_status or order.ord_status}\x0155={terms.symbol}\x0154={terms.side}\x01"
        f"38={number(terms.order_qty)}\x01"
        f"40={terms.ord_type}\x01{price}59={terms.time_in_force}\x01{exec_inst}{extra}151={number(leaves_qty)}\x01"
        f"14={number(order.cum_qty)}\x016={average(order.cum_quote, order.cum_qty)}\x01"
        f"60={utc_timestamp(stamp_ns).decode()}\x01"
    ).encode()


def fill_fields(order: Order, instrument: Instrument, px: Decimal, qty: Decimal, fee: Decimal, maker: bool) -> str:
    """LastQty(32), LastPx(31), LastLiquidityInd(851) and the fee of one fill."""
    return f"32={number(qty)}\x0131={number(px)}\x01851={1 if maker else 2}\x01{_fee(order.side, instrument, fee)}"


def _fee(side: str, instrument: Instrument, fee: Decimal) -> str:
    currency = instrument.base if side == BUY else instrument.quote
    return f"136=1\x01137={number(fee)}\x01138={currency}\x01139=4\x01"


def correction(order: Order | ClosedOrder, change: Corrected, instrument: Instrument) -> bytes:
    """TradeCancel (ExecType(150)=H) or TradeCorrect (G) of the fill that ExecRefID(19) names."""
    word, qty, px = ("G", change.qty, change.px) if change.qty else ("H", change.former_qty, change.former_px)
    extra = f"19={change.ref_exec_id}\x0132={number(qty)}\x0131={number(px)}\x01"
    if change.qty:
        extra += _fee(change.side, instrument, change.fee)
    return report(order, order.terms, str(change.exec_id), word, change.stamp_ns, extra=extra)


def rejected(terms: Terms, exec_id: str, refusal: Refusal | None, text: str, stamp_ns: int) -> bytes:
    """The body of an ExecutionReport(8) that refuses a new order."""
    reason = _ORD_REJ_REASON.get(refusal, 99) if refusal is not None else 99
    price = "" if terms.price is None else f"44={number(terms.price)}\x01"
    return (
        f"37=NONE\x0111={terms.cl_ord_id}\x0117={exec_id}\x01150=8\x0139={REJECTED}\x0155={terms.symbol}\x01"
        f"54={terms.side}\x0138={number(terms.order_qty)}\x0140={terms.ord_type}\x01{price}151=0\x0114=0\x016=0\x01"
        f"103={reason}\x0160={utc_timestamp(stamp_ns).decode()}\x0158={text}\x01"
    ).encode()


def status_unknown(
    exec_id: str, cl_ord_id: str, order_id: str, symbol: str, side: str, extra: str, text: str, stamp_ns: int
) -> bytes:
    """The answer to a status request for an order that is not known: ExecType(150)=I, OrdStatus(39)=8,
    OrdRejReason(103)=5.
    """
    name = f"11={cl_ord_id}\x01" if cl_ord_id else ""
    return (
        f"37={order_id or 'NONE'}\x01{name}17={exec_id}\x01150=I\x0139=8\x01103=5\x01"
        f"55={symbol}\x0154={side}\x01{extra}"
        f"38=0\x01151=0\x0114=0\x016=0\x0160={utc_timestamp(stamp_ns).decode()}\x0158={text}\x01"
    ).encode()


def cancel_rejected(
    cl_ord_id: str,
    orig_cl_ord_id: str,
    order_id: str,
    ord_status: str,
    response_to: str,
    reason: int,
    text: str,
    stamp_ns: int,
) -> bytes:
    """The body of an OrderCancelReject(9). `response_to` is 1 for F, 2 for G."""
    return (
        f"37={order_id or 'NONE'}\x0111={cl_ord_id}\x0141={orig_cl_ord_id}\x0139={ord_status}\x01434={response_to}\x01"
        f"102={reason}\x0158={text}\x0160={utc_timestamp(stamp_ns).decode()}\x01"
    ).encode()


def mass_cancel_report(
    cl_ord_id: str,
    order_id: str,
    request_type: str,
    response: str,
    symbol: str,
    affected: int,
    reject_reason: str,
    text: str,
    stamp_ns: int,
) -> bytes:
    """The body of an OrderMassCancelReport(r); `response` 0 says that it was refused."""
    reason = f"532={reject_reason}\x01" if reject_reason else ""
    words = f"58={text}\x01" if text else ""
    where = f"55={symbol}\x01" if symbol else ""
    return (
        f"11={cl_ord_id}\x0137={order_id}\x01530={request_type}\x01531={response}\x01{reason}533={affected}\x01{where}"
        f"60={utc_timestamp(stamp_ns).decode()}\x01{words}"
    ).encode()


def session_reject(ref_seq_num: int, ref_msg_type: str, reason: int, ref_tag: int, text: str) -> bytes:
    """The body of a Reject(3) with SessionRejectReason(373)."""
    return f"45={ref_seq_num}\x01371={ref_tag}\x01372={ref_msg_type}\x01373={reason}\x0158={text}\x01".encode()


def business_reject(ref_seq_num: int, ref_msg_type: str, reason: int, ref_id: str, text: str) -> bytes:
    """The body of a BusinessMessageReject(j) with BusinessRejectReason(380)."""
    name = f"379={ref_id}\x01" if ref_id else ""
    return f"45={ref_seq_num}\x01372={ref_msg_type}\x01{name}380={reason}\x0158={text}\x01".encode()

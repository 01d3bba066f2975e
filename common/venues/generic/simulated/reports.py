"""FIX 4.4 as the standard has it, the exchange's side: bodies of what dialect "generic" sends about orders.

Source: FIX 4.4 with errata 20030618, volume 4. Written from the standard alone, independently of the client's dialect.
"""

from decimal import ROUND_HALF_UP, Decimal

from common.exchange.changes import Corrected, Traded
from common.exchange.engine import Refusal
from common.exchange.fix_orders import MassCancel, Named, Wish
from common.exchange.history import ClosedOrder
from common.exchange.numbers import digits
from common.exchange.order import REJECTED, ZERO, Asked, Order, Terms
from common.exchange.settings import Instrument
from common.fix.wire import utc_timestamp

_PRICE_STEP = Decimal("0.00000001")

DONE_FOR_DAY = "3"

# OrdRejReason(103) and CxlRejReason(102); what has no reason of its own is 99 Other.
_OTHER = 99
_ORD_REJ_REASON = {
    Refusal.UNKNOWN_SYMBOL: 1,
    Refusal.BALANCE: 3,
    Refusal.UNKNOWN_ORDER: 5,
    Refusal.DUPLICATE: 6,
    Refusal.BAD_TERMS: 11,
    Refusal.BAD_QTY: 13,
}
_CXL_REJ_REASON = {
    Refusal.CLOSED: 0,
    Refusal.CROSSED: 0,
    Refusal.UNKNOWN_ORDER: 1,
    Refusal.UNCHANGEABLE: 2,
    Refusal.DUPLICATE: 6,
}


class GenericReports:
    """`Reports` as the standard has them."""

    def report(
        self,
        order: Order | ClosedOrder,
        exec_id: str,
        exec_type: str,
        stamp_ns: int,
        asked: Asked | None = None,
        extra: str = "",
    ) -> bytes:
        """An ExecutionReport(8). Of an order that is done for the day nothing is left today."""
        terms, is_done = order.terms, exec_type == DONE_FOR_DAY
        ord_status, leaves_qty = (DONE_FOR_DAY, ZERO) if is_done else (order.ord_status, order.leaves_qty)
        names = f"11={terms.cl_ord_id}\x01"
        if asked is not None and asked.cl_ord_id:
            names = f"11={asked.cl_ord_id}\x0141={asked.orig_cl_ord_id}\x01"
        price = "" if terms.price is None else f"44={digits(terms.price)}\x01"
        price += "" if terms.stop_px is None else f"99={digits(terms.stop_px)}\x01"
        price += "" if terms.display_qty is None else f"111={digits(terms.display_qty)}\x01"
        price += f"126={utc_timestamp(terms.expire_ns).decode()}\x01" if terms.expire_ns else ""
        price += "" if terms.cash_qty is None else f"152={digits(terms.cash_qty)}\x01"
        codes = (["6"] if terms.post_only else []) + (["E"] if terms.reduce_only else [])
        exec_inst = f"18={' '.join(codes)}\x01" if codes else ""
        return (
            f"37={order.order_id}\x01{names}17={exec_id}\x01150={exec_type}\x01"
            f"39={ord_status}\x0155={terms.symbol}\x0154={terms.side}\x0138={digits(terms.order_qty)}\x01"
            f"40={terms.ord_type}\x01{price}59={terms.time_in_force}\x01{exec_inst}{extra}"
            f"151={digits(leaves_qty)}\x0114={digits(order.cum_qty)}\x01"
            f"6={_average(order.cum_quote, order.cum_qty)}\x0160={utc_timestamp(stamp_ns).decode()}\x01"
        ).encode()

    def fill(
        self, order: Order | ClosedOrder, instrument: Instrument, change: Traded, asked: Asked | None
    ) -> bytes:
        """With LastQty(32), LastPx(31), LastLiquidityInd(851) and the fee."""
        maker = change.maker_id == order.order_id
        exec_id, fee = (change.exec_id, change.maker_fee) if maker else (change.exec_id + 1, change.taker_fee)
        last = f"32={digits(change.qty)}\x0131={digits(change.px)}\x01851={1 if maker else 2}\x01"
        extra = last + _fee(order.terms.side, instrument, fee)
        return self.report(order, str(exec_id), "F", change.stamp_ns, asked, extra)

    def correction(self, order: Order | ClosedOrder, instrument: Instrument, change: Corrected) -> bytes:
        """TradeCancel (ExecType(150)=H) or TradeCorrect (G) of the fill that ExecRefID(19) names."""
        word, qty, px = ("G", change.qty, change.px) if change.qty else ("H", change.former_qty, change.former_px)
        extra = f"19={change.ref_exec_id}\x0132={digits(qty)}\x0131={digits(px)}\x01"
        if change.qty:
            extra += _fee(change.side, instrument, change.fee)
        return self.report(order, str(change.exec_id), word, change.stamp_ns, extra=extra)

    def rejected(self, terms: Terms, exec_id: str, refusal: Refusal | None, text: str, stamp_ns: int) -> bytes:
        """ExecType(150)=8 with OrdRejReason(103)."""
        reason = _OTHER if refusal is None else _ORD_REJ_REASON.get(refusal, _OTHER)
        price = "" if terms.price is None else f"44={digits(terms.price)}\x01"
        return (
            f"37=NONE\x0111={terms.cl_ord_id}\x0117={exec_id}\x01150=8\x0139={REJECTED}\x0155={terms.symbol}\x01"
            f"54={terms.side}\x0138={digits(terms.order_qty)}\x0140={terms.ord_type}\x01{price}151=0\x0114=0\x016=0\x01"
            f"103={reason}\x0160={utc_timestamp(stamp_ns).decode()}\x0158={text}\x01"
        ).encode()

    def unknown(self, named: Named, exec_id: str, extra: str, text: str, stamp_ns: int) -> bytes:
        """ExecType(150)=I, OrdStatus(39)=8, OrdRejReason(103)=5."""
        name = f"11={named.cl_ord_id}\x01" if named.cl_ord_id else ""
        return (
            f"37={named.order_id or 'NONE'}\x01{name}17={exec_id}\x01150=I\x0139=8\x01103=5\x01"
            f"55={named.symbol}\x0154={named.side}\x01{extra}"
            f"38=0\x01151=0\x0114=0\x016=0\x0160={utc_timestamp(stamp_ns).decode()}\x0158={text}\x01"
        ).encode()

    def cancel_rejected(self, wish: Wish, order: Order | ClosedOrder | None, refusal: Refusal, stamp_ns: int) -> bytes:
        """OrderCancelReject(9) with CxlRejReason(102)."""
        order_id, ord_status = ("NONE", REJECTED) if order is None else (str(order.order_id), order.ord_status)
        return (
            f"37={order_id}\x0111={wish.cl_ord_id}\x0141={wish.orig_cl_ord_id}\x0139={ord_status}\x01"
            f"434={wish.response_to}\x01102={_CXL_REJ_REASON.get(refusal, _OTHER)}\x0158={refusal.value}\x01"
            f"60={utc_timestamp(stamp_ns).decode()}\x01"
        ).encode()

    def mass_cancelled(self, asked: MassCancel, report_id: str, affected: int | None, stamp_ns: int) -> bytes:
        """OrderMassCancelReport(r); MassCancelResponse(531)=0 says that it was refused."""
        response, reason, words = asked.request_type, "", ""
        if affected is None:
            response, reason, words = "0", "532=1\x01", f"58={Refusal.UNKNOWN_SYMBOL.value}\x01"
        where = f"55={asked.symbol}\x01" if asked.symbol else ""
        return (
            f"11={asked.cl_ord_id}\x0137={report_id}\x01530={asked.request_type}\x01531={response}\x01{reason}"
            f"533={affected or 0}\x01{where}60={utc_timestamp(stamp_ns).decode()}\x01{words}"
        ).encode()


def _average(cum_quote: Decimal, cum_qty: Decimal) -> str:
    """AvgPx(6)."""
    return digits((cum_quote / cum_qty).quantize(_PRICE_STEP, ROUND_HALF_UP)) if cum_qty else "0"


def _fee(side: str, instrument: Instrument, fee: Decimal) -> str:
    return f"136=1\x01137={digits(fee)}\x01138={instrument.fee_asset(side)}\x01139=4\x01"

"""What the template's simulated side says of orders: bodies of messages.

Source: FIX 4.4 with errata 20030618, volume 4. Written from the document alone, independently of the dialect.
"""

from decimal import Decimal

from common.exchange.changes import Corrected, Traded
from common.exchange.engine import Refusal
from common.exchange.fix_orders import MassCancel, Named, Wish
from common.exchange.history import ClosedOrder
from common.exchange.order import REJECTED, Asked, Order, Terms
from common.exchange.settings import Instrument
from common.fix.wire import utc_timestamp

# OrdRejReason(103) and CxlRejReason(102); what has no reason of its own is 99 Other.
_OTHER = 99
_ORD_REJ_REASON = {Refusal.UNKNOWN_SYMBOL: 1, Refusal.UNKNOWN_ORDER: 5, Refusal.DUPLICATE: 6}
_CXL_REJ_REASON = {Refusal.CLOSED: 0, Refusal.UNKNOWN_ORDER: 1, Refusal.DUPLICATE: 6}


class TemplateReports:
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
        """An ExecutionReport(8)."""
        terms, names = order.terms, f"11={order.terms.cl_ord_id}\x01"
        if asked is not None and asked.cl_ord_id:
            names = f"11={asked.cl_ord_id}\x0141={asked.orig_cl_ord_id}\x01"
        price = "" if terms.price is None else f"44={terms.price:f}\x01"
        return (
            f"37={order.order_id}\x01{names}17={exec_id}\x01150={exec_type}\x0139={order.ord_status}\x01"
            f"55={terms.symbol}\x0154={terms.side}\x0138={terms.order_qty:f}\x0140={terms.ord_type}\x01{price}"
            f"59={terms.time_in_force}\x01{extra}151={order.leaves_qty:f}\x0114={order.cum_qty:f}\x01"
            f"6={_average(order):f}\x0160={utc_timestamp(stamp_ns).decode()}\x01"
        ).encode()

    def fill(
        self, order: Order | ClosedOrder, instrument: Instrument, change: Traded, asked: Asked | None
    ) -> bytes:
        """With LastQty(32), LastPx(31), LastLiquidityInd(851) and the fee."""
        maker = change.maker_id == order.order_id
        exec_id, fee = (change.exec_id, change.maker_fee) if maker else (change.exec_id + 1, change.taker_fee)
        last = f"32={change.qty:f}\x0131={change.px:f}\x01851={1 if maker else 2}\x01"
        last += _fee(order.terms.side, instrument, fee)
        return self.report(order, str(exec_id), "F", change.stamp_ns, asked, last)

    def correction(self, order: Order | ClosedOrder, instrument: Instrument, change: Corrected) -> bytes:
        """TradeCancel (ExecType(150)=H) or TradeCorrect (G) of the fill that ExecRefID(19) names."""
        word, qty, px = ("G", change.qty, change.px) if change.qty else ("H", change.former_qty, change.former_px)
        extra = f"19={change.ref_exec_id}\x0132={qty:f}\x0131={px:f}\x01"
        extra += _fee(change.side, instrument, change.fee) if change.qty else ""
        return self.report(order, str(change.exec_id), word, change.stamp_ns, extra=extra)

    def rejected(self, terms: Terms, exec_id: str, refusal: Refusal | None, text: str, stamp_ns: int) -> bytes:
        """ExecType(150)=8 with OrdRejReason(103)."""
        reason = _OTHER if refusal is None else _ORD_REJ_REASON.get(refusal, _OTHER)
        return (
            f"37=NONE\x0111={terms.cl_ord_id}\x0117={exec_id}\x01150=8\x0139={REJECTED}\x0155={terms.symbol}\x01"
            f"54={terms.side}\x0138={terms.order_qty:f}\x0140={terms.ord_type}\x01151=0\x0114=0\x016=0\x01"
            f"103={reason}\x0160={utc_timestamp(stamp_ns).decode()}\x0158={text}\x01"
        ).encode()

    def unknown(self, named: Named, exec_id: str, extra: str, text: str, stamp_ns: int) -> bytes:
        """ExecType(150)=I, OrdStatus(39)=8, OrdRejReason(103)=5."""
        return (
            f"37=NONE\x0111={named.cl_ord_id}\x0117={exec_id}\x01150=I\x0139=8\x01103=5\x0155={named.symbol}\x01"
            f"54={named.side}\x01{extra}151=0\x0114=0\x016=0\x0160={utc_timestamp(stamp_ns).decode()}\x0158={text}\x01"
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
        response = "0\x01532=1" if affected is None else asked.request_type
        return (
            f"11={asked.cl_ord_id}\x0137={report_id}\x01530={asked.request_type}\x01531={response}\x01"
            f"533={affected or 0}\x0155={asked.symbol}\x0160={utc_timestamp(stamp_ns).decode()}\x01"
        ).encode()


def _average(order: Order | ClosedOrder) -> Decimal:
    return round(order.cum_quote / order.cum_qty, 8) if order.cum_qty else Decimal(0)


def _fee(side: str, instrument: Instrument, fee: Decimal) -> str:
    return f"136=1\x01137={fee:f}\x01138={instrument.fee_asset(side)}\x01139=4\x01"

"""What Coinbase Exchange's simulated side says of orders: bodies of messages.

Source: the order entry page of docs.cdp.coinbase.com. Written from that alone, independently of the client's dialect.
"""

from decimal import ROUND_HALF_UP, Decimal

from common.exchange.changes import Corrected, Traded
from common.exchange.engine import Refusal
from common.exchange.fix_orders import MassCancel, Named, Wish
from common.exchange.history import ClosedOrder
from common.exchange.numbers import digits
from common.exchange.order import BUY, MARKET, REJECTED, Asked, Order, Terms
from common.exchange.settings import Instrument
from common.fix.wire import utc_timestamp
from common.venues.coinbase.simulated.wire import exec_uuid, order_uuid

REPLACED = "5"
ORDER_STATUS = "I"
TRIGGERED, RESTATED = "L", "D"
NO_ORDER = "00000000-0000-0000-0000-000000000000"
"""OrderID(37) is a UUID and must be there: of what was never an order it names none."""

SESSION_ORDERS = "6"
_PRICE_STEP = Decimal("0.00000001")

# OrdRejReason(103): 0 is Broker. CxlRejReason(102): 1 is Unknown order, 2 Broker.
_BROKER, _UNKNOWN_SYMBOL, _UNKNOWN_ORDER = 0, 1, 5
_CXL_UNKNOWN, _CXL_BROKER = 1, 2

WORDS = {
    Refusal.UNKNOWN_SYMBOL: "Unknown symbol",
    Refusal.DUPLICATE: "Duplicate ClOrdID of an open order",
    Refusal.BALANCE: "Insufficient funds",
    Refusal.WOULD_TAKE: "Post only order would immediately match",
    Refusal.UNKNOWN_ORDER: "order not found",
    Refusal.CLOSED: "order not found",
    Refusal.UNCHANGEABLE: "Use the FIX connection that placed the order, and the same OrdType",
}


class CoinbaseReports:
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
        """An ExecutionReport(8). OrigClOrdID(41) stands there after a replacement, with the parent's name; a cancel is
        told under the order's own."""
        terms = order.terms
        if exec_type == TRIGGERED:
            exec_type, extra = RESTATED, f"378=3\x01{extra}"
        names = f"11={terms.cl_ord_id}\x01"
        if exec_type == REPLACED and asked is not None and asked.cl_ord_id:
            names = f"11={asked.cl_ord_id}\x0137={order_uuid(order.order_id)}\x0141={asked.orig_cl_ord_id}\x01"
        else:
            names += f"37={order_uuid(order.order_id)}\x01"
        # Replaced(5) is an OrdStatus(39) here, and says nothing of what is filled.
        ord_status = REPLACED if exec_type == REPLACED else order.ord_status
        return (
            f"{names}17={exec_uuid(exec_id)}\x01150={exec_type}\x0139={ord_status}\x01{_terms(terms)}"
            f"14={digits(order.cum_qty)}\x01151={digits(order.leaves_qty)}\x01"
            f"6={_average(order.cum_quote, order.cum_qty)}\x0160={utc_timestamp(stamp_ns, 6).decode()}\x01{extra}"
        ).encode()

    def fill(
        self, order: Order | ClosedOrder, instrument: Instrument, change: Traded, asked: Asked | None
    ) -> bytes:
        """With LastQty(32), LastPx(31), TradeID(1003), AggressorIndicator(1057) and the fee: a maker's in its amount, a
        taker's as its share of the fill."""
        maker = change.maker_id == order.order_id
        exec_id, fee = (change.exec_id, change.maker_fee) if maker else (change.exec_id + 1, change.taker_fee)
        last = (
            f"32={digits(change.qty)}\x0131={digits(change.px)}\x011003={change.trade_id}\x01"
            f"1057={'N' if maker else 'Y'}\x01"
        )
        return self.report(
            order, str(exec_id), "F", change.stamp_ns, asked, last + _fee(order.terms.side, instrument, change, fee)
        )

    def correction(self, order: Order | ClosedOrder, instrument: Instrument, change: Corrected) -> bytes:
        """The venue corrects no trade."""
        raise AssertionError("no trade is taken back or corrected here")

    def rejected(self, terms: Terms, exec_id: str, refusal: Refusal | None, text: str, stamp_ns: int) -> bytes:
        """ExecType(150)=8 with OrdRejReason(103)."""
        reason = _UNKNOWN_SYMBOL if refusal is Refusal.UNKNOWN_SYMBOL else _BROKER
        words = text if refusal is None else WORDS.get(refusal, text)
        head = f"11={terms.cl_ord_id}\x0137={NO_ORDER}\x0117={exec_uuid(exec_id)}\x01150=8\x0139={REJECTED}\x01"
        stamp = f"60={utc_timestamp(stamp_ns, 6).decode()}\x01"
        return f"{head}{_terms(terms)}14=0\x01151=0\x01103={reason}\x01{stamp}58={words}\x01".encode()

    def unknown(self, named: Named, exec_id: str, extra: str, text: str, stamp_ns: int) -> bytes:
        """ExecType(150)=I, OrdStatus(39)=8, OrdRejReason(103)=5."""
        names = f"11={named.cl_ord_id}\x0137={named.order_id or NO_ORDER}\x0117={exec_uuid(exec_id)}\x01"
        what = f"150={ORDER_STATUS}\x0139={REJECTED}\x0155={named.symbol}\x01103={_UNKNOWN_ORDER}\x01"
        stamp = f"60={utc_timestamp(stamp_ns, 6).decode()}\x01"
        return f"{names}{what}{stamp}58={WORDS[Refusal.UNKNOWN_ORDER]}\x01".encode()

    def cancel_rejected(self, wish: Wish, order: Order | ClosedOrder | None, refusal: Refusal, stamp_ns: int) -> bytes:
        """OrderCancelReject(9): OrdStatus(39) is always 8, whatever the order is; the names are the request's own."""
        unknown = refusal in (Refusal.UNKNOWN_ORDER, Refusal.CLOSED)
        order_id = f"37={order_uuid(order.order_id)}\x01" if order is not None else ""
        return (
            f"11={wish.cl_ord_id}\x01{order_id}41={wish.orig_cl_ord_id}\x0139={REJECTED}\x01"
            f"102={_CXL_UNKNOWN if unknown else _CXL_BROKER}\x01434={wish.response_to}\x01"
            f"58={WORDS.get(refusal, refusal.value)}\x01"
        ).encode()

    def mass_cancelled(self, asked: MassCancel, report_id: str, affected: int | None, stamp_ns: int) -> bytes:
        """OrderMassCancelReport(r), which says no more than that the request is under way."""
        response = f"531={SESSION_ORDERS}\x01"
        if affected is None:
            response = "531=0\x0158=Unsupported MassCancelRequestType\x01"
        return f"11={asked.cl_ord_id}\x01530={asked.request_type}\x01{response}".encode()


def _terms(terms: Terms) -> str:
    price = "" if terms.price is None else f"44={digits(terms.price)}\x01"
    exec_inst = "18=A\x01" if terms.post_only else ""
    shown = "" if terms.display_qty is None else f"1138={digits(terms.display_qty)}\x01"
    time_in_force = "" if terms.ord_type == MARKET else f"59={terms.time_in_force}\x01"
    shown += f"126={utc_timestamp(terms.expire_ns).decode()}\x01" if terms.expire_ns else ""
    if terms.stop_px is not None:
        shown += f"99={digits(terms.stop_px)}\x011109={'U' if terms.side == BUY else 'D'}\x01"
    shown += "" if terms.cash_qty is None else f"152={digits(terms.cash_qty)}\x01"
    return (
        f"55={terms.symbol}\x0154={terms.side}\x0140={terms.ord_type}\x0138={digits(terms.order_qty)}\x01{price}"
        f"{time_in_force}{exec_inst}{shown}"
    )


def _average(cum_quote: Decimal, cum_qty: Decimal) -> str:
    """AvgPx(6)."""
    return digits((cum_quote / cum_qty).quantize(_PRICE_STEP, ROUND_HALF_UP)) if cum_qty else "0"


def _fee(side: str, instrument: Instrument, change: Traded, fee: Decimal) -> str:
    """NoMiscFees(136), always one. A share is told where it gives the very amount that is taken."""
    asset = instrument.fee_asset(side)
    counted = change.qty * change.px if asset == instrument.quote else change.qty
    share = (fee / counted).normalize()
    amount, basis = (share, 2) if share * counted == fee and fee == change.taker_fee else (fee, 0)
    return f"136=1\x01137={digits(amount)}\x01138={asset}\x01139=4\x01891={basis}\x01"

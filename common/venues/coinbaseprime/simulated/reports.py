"""What Coinbase Prime's simulated side says of orders: bodies of messages.

Source: docs.cdp.coinbase.com/prime/fix-api, order entry messages. Written from that alone, independently of the
client's dialect.
"""

from decimal import ROUND_HALF_UP, Decimal

from common.exchange.changes import Corrected, Traded
from common.exchange.engine import Refusal
from common.exchange.fix_orders import MassCancel, Named, Wish
from common.exchange.history import ClosedOrder
from common.exchange.numbers import digits
from common.exchange.order import FILLED, PARTIALLY_FILLED, REJECTED, Asked, Order, Terms
from common.exchange.settings import Instrument
from common.fix.wire import utc_timestamp
from common.venues.coinbaseprime.simulated.wire import exec_uuid, order_uuid

EVENT, ANSWER = "0", "1"
"""ExecTransType(20): what happened, and what a question is answered with, as the page's example has it."""

STATUS = "I"
PENDING_CANCEL = "6"
_PRICE_STEP = Decimal("0.00000001")

# OrdRejReason(103) and CxlRejReason(102).
_ORD_REJ_REASON = {Refusal.UNKNOWN_SYMBOL: 1, Refusal.BALANCE: 3, Refusal.UNKNOWN_ORDER: 5, Refusal.DUPLICATE: 6}
_OTHER, _UNKNOWN_ORDER = 99, 5
_CXL_TOO_LATE, _CXL_UNKNOWN = 0, 1


class PrimeReports:
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
        """An ExecutionReport(8) of no fill, under the order's own name. One that answers a question has the order's
        status as its ExecType(150)."""
        trans_type, told = (ANSWER, order.ord_status) if exec_type == STATUS else (EVENT, exec_type)
        answer = "32=0.0\x01" if exec_type == STATUS else ""
        ord_status = PENDING_CANCEL if exec_type == PENDING_CANCEL else order.ord_status
        head = f"11={order.terms.cl_ord_id}\x0137={order_uuid(order.order_id)}\x0117={exec_uuid(exec_id)}\x01"
        state = f"20={trans_type}\x01150={told}\x0139={ord_status}\x01{_terms(order.terms)}{answer}{extra}"
        return f"{head}{state}{_sums(order)}60={utc_timestamp(stamp_ns, 6).decode()}\x01".encode()

    def fill(
        self, order: Order | ClosedOrder, instrument: Instrument, change: Traded, asked: Asked | None
    ) -> bytes:
        """ExecType(150) is 1 or 2, like OrdStatus(39). Commission(12) is in the quote currency."""
        maker = change.maker_id == order.order_id
        exec_id, fee = (change.exec_id, change.maker_fee) if maker else (change.exec_id + 1, change.taker_fee)
        told = FILLED if order.ord_status == FILLED else PARTIALLY_FILLED
        last = f"30=CBSE\x0131={digits(change.px)}\x0132={digits(change.qty)}\x0113=3\x0112={digits(fee)}\x01"
        return self.report(order, str(exec_id), told, change.stamp_ns, extra=last)

    def correction(self, order: Order | ClosedOrder, instrument: Instrument, change: Corrected) -> bytes:
        """The venue corrects no trade."""
        raise AssertionError("no trade is taken back or corrected here")

    def rejected(self, terms: Terms, exec_id: str, refusal: Refusal | None, text: str, stamp_ns: int) -> bytes:
        """ExecType(150)=8 with OrdRejReason(103)."""
        reason = _OTHER if refusal is None else _ORD_REJ_REASON.get(refusal, _OTHER)
        head = f"11={terms.cl_ord_id}\x0137=NONE\x0117={exec_uuid(exec_id)}\x0120={EVENT}\x01150=8\x0139={REJECTED}\x01"
        stamp = f"60={utc_timestamp(stamp_ns, 6).decode()}\x01"
        return f"{head}{_terms(terms)}14=0\x01151=0\x016=0\x01103={reason}\x01{stamp}58={text}\x01".encode()

    def unknown(self, named: Named, exec_id: str, extra: str, text: str, stamp_ns: int) -> bytes:
        """OrdStatus(39)=8 with OrdRejReason(103)=5."""
        head = f"11={named.cl_ord_id}\x0137={named.order_id or 'NONE'}\x0117={exec_uuid(exec_id)}\x0120={ANSWER}\x01"
        what = f"150=8\x0139={REJECTED}\x0154={named.side}\x0155={named.symbol}\x01103={_UNKNOWN_ORDER}\x01"
        return f"{head}{what}60={utc_timestamp(stamp_ns, 6).decode()}\x0158={text}\x01".encode()

    def cancel_rejected(self, wish: Wish, order: Order | ClosedOrder | None, refusal: Refusal, stamp_ns: int) -> bytes:
        """OrderCancelReject(9)."""
        order_id, ord_status = ("NONE", REJECTED) if order is None else (order_uuid(order.order_id), order.ord_status)
        reason = _CXL_UNKNOWN if order is None else _CXL_TOO_LATE
        return (
            f"11={wish.cl_ord_id}\x0137={order_id}\x0139={ord_status}\x0141={wish.orig_cl_ord_id}\x01102={reason}\x01"
            f"434={wish.response_to}\x01"
        ).encode()

    def mass_cancelled(self, asked: MassCancel, report_id: str, affected: int | None, stamp_ns: int) -> bytes:
        """The venue has no mass cancel over FIX."""
        raise AssertionError("nothing is cancelled at once here")


def _terms(terms: Terms) -> str:
    price = "" if terms.price is None else f"44={digits(terms.price)}\x01"
    return f"55={terms.symbol}\x0154={terms.side}\x0140={terms.ord_type}\x0138={digits(terms.order_qty)}\x01{price}"


def _sums(order: Order | ClosedOrder) -> str:
    """What is filled, and at which price on average, AvgPx(6)."""
    cum = order.cum_qty
    average = digits((order.cum_quote / cum).quantize(_PRICE_STEP, ROUND_HALF_UP)) if cum else "0"
    return f"14={digits(cum)}\x01151={digits(order.leaves_qty)}\x016={average}\x01"

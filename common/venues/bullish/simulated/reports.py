"""What Bullish's simulated side says of orders: bodies of messages, their fields in the order of their tags.

Source: bullish-exchange/api-docs, FIX Protocol Specification v1.0.13. Written from that alone.
"""

from decimal import Decimal

from common.exchange.changes import Corrected, Traded
from common.exchange.engine import Refusal
from common.exchange.fix_orders import REPLACE, MassCancel, Named, Wish
from common.exchange.history import ClosedOrder
from common.exchange.numbers import digits
from common.exchange.order import MARKET, Asked, Order, Terms
from common.exchange.settings import Instrument
from common.fix.wire import utc_timestamp

RATE, OTHER = "3034", "99"
RATE_TEXT = "Rate limit error"
REJECTED, PENDING_CANCEL = "8", "6"
_REASONS = {
    Refusal.UNKNOWN_SYMBOL: "1", Refusal.DUPLICATE: "6", Refusal.BALANCE: "3001", Refusal.FAR_PRICE: "3031",
    Refusal.TOO_MANY_ORDERS: "2021", Refusal.BAD_QTY: "13", Refusal.BAD_TERMS: "2013",
}  # fmt: skip
_CXL_REASONS = {Refusal.UNKNOWN_ORDER: "1", Refusal.CLOSED: "0", Refusal.CROSSED: "0", Refusal.DUPLICATE: "6"}


def body(fields: dict[int, str]) -> bytes:
    """A message's fields in the order of their tags."""
    return "".join(f"{tag}={value}\x01" for tag, value in sorted(fields.items())).encode()


class BullishReports:
    """`Reports` as Bullish has them. ExecID(17) is of fills alone."""

    def __init__(self, account_ids: dict[str, str]) -> None:
        """`account_ids` are the trading accounts, by whose they are."""
        self._account_ids = account_ids

    def report(
        self,
        order: Order | ClosedOrder,
        exec_id: str,
        exec_type: str,
        stamp_ns: int,
        asked: Asked | None = None,
        extra: str = "",
    ) -> bytes:
        """An ExecutionReport(8) of no fill."""
        return body(self._fields(order, exec_type, stamp_ns, asked)) + extra.encode()

    def pending_cancel(self, order: Order, stamp_ns: int, asked: Asked) -> bytes:
        """That a cancel is being carried out, which the order's state says, too."""
        return body(self._fields(order, PENDING_CANCEL, stamp_ns, asked) | {39: PENDING_CANCEL})

    def fill(self, order: Order | ClosedOrder, instrument: Instrument, change: Traded, asked: Asked | None) -> bytes:
        """With the trade's number, and a fee in quote for a sale, in base for a buy."""
        maker = change.maker_id == order.order_id
        exec_id, fee = (change.exec_id, change.maker_fee) if maker else (change.exec_id + 1, change.taker_fee)
        average = order.cum_quote / order.cum_qty if order.cum_qty else Decimal(0)
        currency = instrument.fee_asset(order.terms.side)
        fields = self._fields(order, "F", change.stamp_ns, asked) | {
            6: digits(round(average, 8)), 17: str(exec_id), 31: digits(change.px), 32: digits(change.qty),
            136: f"1\x01137={digits(fee)}\x01138={currency}\x01139=4", 381: digits(order.cum_quote),
            1057: "N" if maker else "Y",
        }  # fmt: skip
        return body(fields)

    def correction(self, order: Order | ClosedOrder, instrument: Instrument, change: Corrected) -> bytes:
        """There is none: the side that is opened says so."""
        raise AssertionError("Bullish takes no fill back: the side that is opened lacks it")

    def rejected(self, terms: Terms, exec_id: str, refusal: Refusal | None, text: str, stamp_ns: int) -> bytes:
        """Of a new order."""
        reason = OTHER if refusal is None else _REASONS.get(refusal, OTHER)
        return self.rejected_for(terms, exec_id, reason, text, stamp_ns)

    def rejected_for(self, terms: Terms, exec_id: str, reason: str, text: str, stamp_ns: int) -> bytes:
        """Of a new order, with OrdRejReason(103)."""
        fields = {
            1: self._account_ids[terms.account], 11: terms.cl_ord_id, 14: "0", 37: exec_id,
            38: digits(terms.order_qty), 39: REJECTED, 40: terms.ord_type, 54: terms.side, 55: terms.symbol, 58: text,
            60: utc_timestamp(stamp_ns).decode(), 103: reason, 150: REJECTED, 151: "0",
        }  # fmt: skip
        return body(fields)

    def cancel_rejected(self, wish: Wish, order: Order | ClosedOrder | None, refusal: Refusal, stamp_ns: int) -> bytes:
        """OrderCancelReject(9): of an amendment that is not tried OrdStatus(39) is 8, though the order lives on."""
        return self.wish_refused(wish, order, _CXL_REASONS.get(refusal, OTHER), refusal.value, stamp_ns)

    def wish_refused(
        self, wish: Wish, order: Order | ClosedOrder | None, reason: str, text: str, stamp_ns: int
    ) -> bytes:
        """OrderCancelReject(9) with CxlRejReason(102) and RejectText(1328)."""
        untried = order is None or (wish.response_to == REPLACE and isinstance(order, Order))
        fields = {
            11: wish.cl_ord_id, 39: REJECTED if untried or order is None else order.ord_status,
            41: wish.orig_cl_ord_id, 60: utc_timestamp(stamp_ns).decode(), 102: reason, 434: wish.response_to,
            1328: text,
        }  # fmt: skip
        return body(fields | ({} if order is None else {37: str(order.order_id)}))

    def mass_cancelled(self, asked: MassCancel, report_id: str, affected: int | None, stamp_ns: int) -> bytes:
        """OrderMassCancelReport(r), before the reports of the orders."""
        fields = {
            11: asked.cl_ord_id, 60: utc_timestamp(stamp_ns).decode(), 530: asked.request_type, 531: "7",
            1369: report_id,
        }  # fmt: skip
        return body(fields | ({531: "0", 532: "99", 58: "Invalid symbol"} if affected is None else {}))

    def unknown(self, named: Named, exec_id: str, extra: str, text: str, stamp_ns: int) -> bytes:
        """There is no question for an order."""
        raise AssertionError("Bullish has no OrderStatusRequest(H)")

    def _fields(self, order: Order | ClosedOrder, exec_type: str, stamp_ns: int, asked: Asked | None) -> dict[int, str]:
        terms = order.terms
        fields = {
            1: self._account_ids[terms.account], 11: terms.cl_ord_id, 14: digits(order.cum_qty),
            37: str(order.order_id), 38: digits(terms.order_qty), 39: order.ord_status,
            40: "p" if terms.post_only else terms.ord_type, 54: terms.side, 55: terms.symbol,
            60: utc_timestamp(stamp_ns).decode(), 150: exec_type, 151: digits(order.leaves_qty), 544: "1",
        }  # fmt: skip
        fields |= {} if terms.price is None else {44: digits(terms.price)}
        fields |= {} if terms.ord_type == MARKET else {59: terms.time_in_force}
        if asked is not None and asked.cl_ord_id:
            fields |= {11: asked.cl_ord_id, 41: asked.orig_cl_ord_id}
        return fields

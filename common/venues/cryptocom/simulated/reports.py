"""What Crypto.com's simulated side says of orders: bodies of messages, their fields in the order of their tags.

Source: exchange-developer.crypto.com, FIX, ExecutionReport and OrderCancelReject. Written from the documents alone.
"""

from decimal import Decimal

from common.exchange.changes import Corrected, Traded
from common.exchange.engine import Cause, Refusal
from common.exchange.fix_orders import MassCancel, Named, Wish
from common.exchange.history import ClosedOrder
from common.exchange.numbers import digits
from common.exchange.order import Asked, Order, Terms
from common.exchange.settings import Instrument
from common.fix.wire import utc_timestamp

PENDING_NEW, NEW, REPLACED, REJECTED, STATUS = "A", "0", "5", "8", "I"
UNKNOWN_SYMBOL, DUPLICATE, UNKNOWN_ORDER, OTHER = "1", "6", "5", "99"
TOO_LATE, NO_SUCH_ORDER, CXL_OTHER = "0", "1", "99"
_REASONS = {Refusal.UNKNOWN_SYMBOL: UNKNOWN_SYMBOL, Refusal.DUPLICATE: OTHER}
_CXL_REASONS = {Refusal.UNKNOWN_ORDER: NO_SUCH_ORDER, Refusal.CLOSED: TOO_LATE, Refusal.CROSSED: TOO_LATE}
_CLOSING_TEXTS = {Cause.DISCONNECTED: "Cancelled on disconnect", Cause.SELF_TRADE: "Self trade prevention"}


def body(fields: dict[int, str]) -> bytes:
    """A message's fields in the order of their tags."""
    return "".join(f"{tag}={value}\x01" for tag, value in sorted(fields.items())).encode()


class CryptocomReports:
    """`Reports` as Crypto.com has them."""

    def report(
        self,
        order: Order | ClosedOrder,
        exec_id: str,
        exec_type: str,
        stamp_ns: int,
        asked: Asked | None = None,
        extra: str = "",
    ) -> bytes:
        """An ExecutionReport(8). There is no value for an amendment: the new terms are told as a new order's are."""
        told = NEW if exec_type == REPLACED else exec_type
        fields = _fields(order, exec_id, told, stamp_ns, asked)
        if extra.startswith("58="):
            cause = extra.removeprefix("58=").rstrip("\x01")
            return body(fields | {58: _CLOSING_TEXTS.get(Cause(cause), cause)})
        return body(fields) + extra.encode()

    def received(self, order: Order | ClosedOrder, exec_id: str, stamp_ns: int, asked: Asked | None) -> bytes:
        """That a request is in, which promises nothing: an order's, or an amendment's."""
        return body(_fields(order, exec_id, PENDING_NEW, stamp_ns, asked) | {39: PENDING_NEW})

    def fill(self, order: Order | ClosedOrder, instrument: Instrument, change: Traded, asked: Asked | None) -> bytes:
        """With the fill's own number as ExecID(17), and the fee in a currency that stands in 2643."""
        maker = change.maker_id == order.order_id
        exec_id, fee = (change.exec_id, change.maker_fee) if maker else (change.exec_id + 1, change.taker_fee)
        fields = _fields(order, str(exec_id), "F", change.stamp_ns, asked)
        average = order.cum_quote / order.cum_qty if order.cum_qty else Decimal(0)
        fields |= {
            6: digits(round(average, 8)), 12: digits(fee), 13: "3", 31: digits(change.px), 32: digits(change.qty),
            851: "1" if maker else "2", 880: str(change.trade_id), 2643: instrument.fee_asset(order.terms.side),
            10060: utc_timestamp(change.stamp_ns).decode(), 20101: "1",
        }  # fmt: skip
        return body(fields | ({20102: "0"} if maker else {}))

    def correction(self, order: Order | ClosedOrder, instrument: Instrument, change: Corrected) -> bytes:
        """There is none: the side that is opened says so."""
        raise AssertionError("Crypto.com takes no fill back: the side that is opened lacks it")

    def of_refused(self, terms: Terms, exec_id: str, exec_type: str, stamp_ns: int) -> dict[int, str]:
        """What the reports of an order that is not taken have: `exec_id` is its OrderID(37), too."""
        fields = {
            11: terms.cl_ord_id, 14: "0", 17: exec_id, 37: exec_id, 38: digits(terms.order_qty), 39: exec_type,
            40: terms.ord_type, 54: terms.side, 55: terms.symbol, 59: terms.time_in_force,
            60: utc_timestamp(stamp_ns).decode(), 150: exec_type, 151: "0",
        }  # fmt: skip
        return fields | ({} if terms.price is None else {44: digits(terms.price)})

    def rejected(self, terms: Terms, exec_id: str, refusal: Refusal | None, text: str, stamp_ns: int) -> bytes:
        """Of a new order."""
        reason = OTHER if refusal is None else _REASONS.get(refusal, OTHER)
        return body(self.of_refused(terms, exec_id, REJECTED, stamp_ns) | {58: text, 103: reason})

    def cancel_rejected(self, wish: Wish, order: Order | ClosedOrder | None, refusal: Refusal, stamp_ns: int) -> bytes:
        """OrderCancelReject(9), with the state that the order is left in."""
        fields = {
            11: wish.cl_ord_id, 37: "NONE" if order is None else str(order.order_id),
            39: REJECTED if order is None else order.ord_status, 58: refusal.value,
            102: _CXL_REASONS.get(refusal, CXL_OTHER), 434: wish.response_to,
        }  # fmt: skip
        return body(fields | ({41: wish.orig_cl_ord_id} if wish.orig_cl_ord_id else {}))

    def mass_cancelled(self, asked: MassCancel, report_id: str, affected: int | None, stamp_ns: int) -> bytes:
        """OrderMassCancelReport(r), which comes before anything is cancelled."""
        if affected is None:
            return body({11: asked.cl_ord_id, 530: asked.request_type, 531: "0", 532: "1"})
        return body({11: asked.cl_ord_id, 530: asked.request_type, 531: asked.request_type})

    def unknown(self, named: Named, exec_id: str, extra: str, text: str, stamp_ns: int) -> bytes:
        """The answer about an order that is not open."""
        fields = {
            11: named.cl_ord_id or "NONE", 14: "0", 17: exec_id, 37: named.order_id or "NONE", 38: "0", 39: REJECTED,
            54: named.side or "1", 55: named.symbol, 58: text, 103: UNKNOWN_ORDER, 150: STATUS, 151: "0", 911: "0",
            912: "Y",
        }  # fmt: skip
        return body(fields)


def _fields(
    order: Order | ClosedOrder, exec_id: str, exec_type: str, stamp_ns: int, asked: Asked | None
) -> dict[int, str]:
    terms = order.terms
    fields = {
        11: terms.cl_ord_id, 14: digits(order.cum_qty), 17: exec_id, 37: str(order.order_id),
        38: digits(terms.order_qty), 39: order.ord_status, 40: terms.ord_type, 54: terms.side, 55: terms.symbol,
        59: terms.time_in_force, 60: utc_timestamp(stamp_ns).decode(), 150: exec_type, 151: digits(order.leaves_qty),
        6616: utc_timestamp(order.stamp_ns).decode(),
    }  # fmt: skip
    fields |= {} if terms.price is None else {44: digits(terms.price)}
    fields |= {18: "6"} if terms.post_only else {}
    if asked is not None and asked.cl_ord_id:
        fields |= {11: asked.cl_ord_id, 41: asked.orig_cl_ord_id}
    return fields

"""What HTX's simulated side says of orders: states are numbers of its own, and what a report tells is a word.

Source: the mirror of HTX's page on its FIX API, as of April 2025. Written from that alone.
"""


from common.exchange.changes import Corrected, Traded
from common.exchange.engine import Refusal
from common.exchange.fix_orders import MassCancel, Named, Wish
from common.exchange.history import ClosedOrder
from common.exchange.numbers import digits
from common.exchange.order import BUY, FILL_OR_KILL, IMMEDIATE_OR_CANCEL, Asked, Order, Terms
from common.exchange.settings import Instrument
from common.fix.wire import utc_timestamp

SOURCE = "spot-api"
CREATION, TRADE, CANCELLATION, CLEARING = "creation", "trade", "cancellation", "clearing"
SUBMITTED, REJECTED, PARTLY_CANCELED = "3", "1", "6"
_STATES = {"0": SUBMITTED, "1": "4", "2": "5", "4": "7", "8": REJECTED}
_WORDS = {"0": CREATION, "4": CANCELLATION}
_KINDS = {IMMEDIATE_OR_CANCEL: "ioc", FILL_OR_KILL: "limit-fok"}
UNKNOWN_ORDER, OTHER = "1", "99"


def body(fields: dict[int, str]) -> bytes:
    """A message's fields in the order of their tags."""
    return "".join(f"{tag}={value}\x01" for tag, value in sorted(fields.items())).encode()


def symbol_of(told: str) -> str:
    """The instrument that the wire and REST write in small letters; "" for what is written otherwise."""
    return told.upper() if told == told.lower() else ""


def type_of(terms: Terms) -> str:
    """OrdType(40): the side and what is said of the price, in one word."""
    kind = "limit-maker" if terms.post_only else _KINDS.get(terms.time_in_force, "limit")
    return f"{'buy' if terms.side == BUY else 'sell'}-{kind}"


class HtxReports:
    """`Reports` as HTX has them."""

    def __init__(self, account_ids: dict[str, str]) -> None:
        """`account_ids` are what the venue calls the accounts."""
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
        """An ExecutionReport(8) of no fill, under the order's own name."""
        return body(self._fields(order, _WORDS[exec_type], stamp_ns))

    def fill(self, order: Order | ClosedOrder, instrument: Instrument, change: Traded, asked: Asked | None) -> bytes:
        """With the trade's number and whether the order was the taker's; the fee is told later."""
        maker = change.maker_id == order.order_id
        fields = self._fields(order, TRADE, change.stamp_ns) | {
            31: digits(change.px), 32: digits(change.qty), 119: digits(change.px * change.qty),
            1003: str(change.trade_id), 1057: "false" if maker else "true",
        }  # fmt: skip
        return body(fields)

    def clearing(self, order: Order, instrument: Instrument, change: Traded) -> bytes:
        """What the fill cost."""
        fee = change.maker_fee if change.maker_id == order.order_id else change.taker_fee
        currency = instrument.fee_asset(order.terms.side)
        fields = self._fields(order, CLEARING, change.stamp_ns) | {
            136: f"1\x01137={digits(fee)}\x01138={currency}\x01139=4", 1003: str(change.trade_id),
        }  # fmt: skip
        return body(fields)

    def correction(self, order: Order | ClosedOrder, instrument: Instrument, change: Corrected) -> bytes:
        """There is none: the side that is opened says so."""
        raise AssertionError("HTX takes no fill back: the side that is opened lacks it")

    def rejected(self, terms: Terms, exec_id: str, refusal: Refusal | None, text: str, stamp_ns: int) -> bytes:
        """Of a new order: it is created, and its state is rejected."""
        fields = {
            1: self._account_ids[terms.account], 11: terms.cl_ord_id, 38: digits(terms.order_qty), 39: REJECTED,
            40: type_of(terms), 55: terms.symbol.lower(), 58: text, 60: utc_timestamp(stamp_ns).decode(), 103: OTHER,
            150: CREATION, 578: SOURCE,
        }  # fmt: skip
        return body(fields | ({} if terms.price is None else {44: digits(terms.price)}))

    def cancel_rejected(self, wish: Wish, order: Order | ClosedOrder | None, refusal: Refusal, stamp_ns: int) -> bytes:
        """OrderCancelReject(9), which says nothing of the order's state."""
        code = UNKNOWN_ORDER if refusal is Refusal.UNKNOWN_ORDER else OTHER
        fields = {11: wish.cl_ord_id, 58: refusal.value, 102: code}
        fields |= {41: wish.orig_cl_ord_id} if wish.orig_cl_ord_id else {}
        return body(fields | ({} if order is None else {37: str(order.order_id)}))

    def mass_cancelled(self, asked: MassCancel, report_id: str, affected: int | None, stamp_ns: int) -> bytes:
        """OrderMassCancelReport(r), before the reports of the orders."""
        if affected is None:
            return body({11: asked.cl_ord_id, 531: "0", 533: "0", 534: "0"})
        return body({11: asked.cl_ord_id, 531: "1", 533: str(affected), 534: "0"})

    def unknown(self, named: Named, exec_id: str, extra: str, text: str, stamp_ns: int) -> bytes:
        """There is no question for an order."""
        raise AssertionError("HTX has no OrderStatusRequest(H)")

    def _fields(self, order: Order | ClosedOrder, word: str, stamp_ns: int) -> dict[int, str]:
        terms = order.terms
        state = _STATES[order.ord_status]
        if order.ord_status == "4" and order.cum_qty:
            state = PARTLY_CANCELED
        fields = {
            1: self._account_ids[terms.account], 11: terms.cl_ord_id, 14: digits(order.cum_qty),
            37: str(order.order_id), 38: digits(terms.order_qty), 39: state, 40: type_of(terms),
            42: utc_timestamp(order.stamp_ns).decode(), 55: terms.symbol.lower(), 60: utc_timestamp(stamp_ns).decode(),
            150: word, 151: digits(order.leaves_qty), 578: SOURCE,
        }  # fmt: skip
        return fields | ({} if terms.price is None else {44: digits(terms.price)})

"""What the simulated Deribit says of orders: bodies of messages, in the order of the fields of its samples.

Source: docs.deribit.com/fix-api/production, ExecutionReport(8) and OrderCancelReject(9), and a capture of 2019.
ClOrdID(11) is Deribit's own id and OrigClOrdID(41) the client's; ExecType(150)=I nearly everywhere, the state is in
OrdStatus(39).
"""

from collections.abc import Mapping
from decimal import Decimal

from common.exchange.changes import Corrected, Traded
from common.exchange.engine import Refusal
from common.exchange.fix_orders import MassCancel, Named, Wish
from common.exchange.history import ClosedOrder
from common.exchange.order import CANCELED, REJECTED, STOP, STOP_LIMIT, Asked, Order, Terms
from common.exchange.settings import Instrument
from common.fix.wire import utc_timestamp
from common.venues.deribit.simulated.door import TOO_MANY

NOT_FOUND = "not_found"
UNKNOWN_INSTRUMENT = "unknown instrument"
_TEXTS = {
    Refusal.UNKNOWN_SYMBOL: f"other_reject {UNKNOWN_INSTRUMENT}",
    Refusal.INSTRUMENT_EXPIRED: "other_reject expired instrument",
    Refusal.WOULD_TAKE: "post_only_reject",
    Refusal.BAD_QTY: "other_reject invalid amount",
    Refusal.BAD_PRICE: "other_reject invalid price",
    Refusal.FAR_PRICE: "price_too_high",
    Refusal.TOO_MANY_ORDERS: "max_open_orders_per_instrument",
    Refusal.UNKNOWN_ORDER: NOT_FOUND,
    Refusal.CLOSED: "not_open_order",
}

TRIGGERED = "7"
STOP_MARKET, STOP_WITH_LIMIT, TRAILING_STOP = "S", "J", "4"
_STOP_TYPES = {STOP: STOP_MARKET, STOP_LIMIT: STOP_WITH_LIMIT}
LAST_PRICE = "2"
SUCCESS = "success"
NOTIFICATION = "notification"
SERVER = "DERIBITSERVER"
NAME_ENDS = "\x1e"
"""Between a client's ClOrdID(11) and what tells orders of one name apart: no message can hold it."""


def number(value: Decimal, digits: int = 4) -> str:
    """A number as Deribit writes prices, and sizes in market data: always so many decimals, more where it has them."""
    exponent = value.normalize().as_tuple().exponent
    return f"{value:.{max(digits, -exponent if isinstance(exponent, int) else 0)}f}"


def plain(value: Decimal) -> str:
    """A quantity, without needless zeros."""
    return f"{value.normalize():f}"


def client_name(cl_ord_id: str) -> str:
    """The client's own ClOrdID(11), which several orders may have."""
    return cl_ord_id.partition(NAME_ENDS)[0]


class DeribitReports:
    """`Reports` as Deribit has them. What ExecType(150) others would write, and ExecID(17), is not told."""

    def __init__(self, instruments: Mapping[str, Instrument]) -> None:
        self._instruments = instruments

    def report(
        self,
        order: Order | ClosedOrder,
        exec_id: str,
        exec_type: str,
        stamp_ns: int,
        asked: Asked | None = None,
        extra: str = "",
    ) -> bytes:
        """The state of an order, as what answers a request has it (Text(58)=success)."""
        return self.state(order, SUCCESS, extra)

    def state(self, order: Order | ClosedOrder, text: str, extra: str = "") -> bytes:
        """The state of an order; `text` says whether it answers a request."""
        return self._body(order, "I", text, order.updated_ns, extra)

    def triggered(self, order: Order | ClosedOrder) -> bytes:
        """A stop order is awake: ExecType(150)=7."""
        return self._body(order, TRIGGERED, NOTIFICATION, order.updated_ns, "")

    def fill(self, order: Order | ClosedOrder, instrument: Instrument, change: Traded, asked: Asked | None) -> bytes:
        """One fill in a report of its own."""
        last = f"32={plain(change.qty)}\x0131={number(change.px)}\x01"
        return self._body(order, "F", NOTIFICATION, change.stamp_ns, last + _fills(order, change))

    def fill_in_state(self, order: Order | ClosedOrder, change: Traded) -> bytes:
        """One fill in the group of a report of state, for who has not asked for reports of fills."""
        return self.state(order, NOTIFICATION, _fills(order, change))

    def correction(self, order: Order | ClosedOrder, instrument: Instrument, change: Corrected) -> bytes:
        """A fill that is taken back is told by the state that it leaves the order in, and by nothing else."""
        return self.state(order, NOTIFICATION)

    def rejected(self, terms: Terms, exec_id: str, refusal: Refusal | None, text: str, stamp_ns: int) -> bytes:
        """A new order that is not taken: OrdStatus(39)=8, and the error's name in Text(58)."""
        price = "" if terms.price is None else f"44={number(terms.price)}\x01"
        stamp, words = utc_timestamp(stamp_ns).decode(), text if refusal is None else reject_text(refusal)
        return (
            f"41={client_name(terms.cl_ord_id)}\x01150=8\x0139={REJECTED}\x0154={terms.side}\x0160={stamp}\x01151=0\x01"
            f"14=0\x0138={plain(terms.order_qty)}\x0140={wire_type(terms)}\x01{price}103=99\x0158={words}\x01"
            f"207={SERVER}\x0155={terms.symbol}\x01854=1\x01"
        ).encode()

    def cancel_rejected(self, wish: Wish, order: Order | ClosedOrder | None, refusal: Refusal, stamp_ns: int) -> bytes:
        """OrderCancelReject(9): the fields by which the client named the order, and why not."""
        return _refused_wish(wish, reject_text(refusal))

    def too_many(self, wish: Wish) -> bytes:
        """OrderCancelReject(9) of one request too many."""
        return _refused_wish(wish, TOO_MANY)

    def mass_cancelled(self, asked: MassCancel, report_id: str, affected: int | None, stamp_ns: int) -> bytes:
        """OrderMassCancelReport(r); MassCancelResponse(531)=0 says that it was refused."""
        head = f"11={asked.cl_ord_id}\x01530={asked.request_type}\x01"
        if affected is None:
            return f"{head}531=0\x01532={1 if asked.symbol else 5}\x0158={UNKNOWN_INSTRUMENT}\x01".encode()
        return f"{head}531={asked.request_type}\x0158={SUCCESS}\x01533={affected}\x01".encode()

    def unknown(self, named: Named, exec_id: str, extra: str, text: str, stamp_ns: int) -> bytes:
        """The head of the answer to OrderMassStatusRequest(AF), which counts the reports that follow."""
        return f"{extra}58=total_reports\x01".encode()

    def _body(self, o: Order | ClosedOrder, exec_type: str, text: str, stamp_ns: int, extra: str) -> bytes:
        terms, cum_qty, instrument = o.terms, o.cum_qty, self._instruments[o.terms.symbol]
        # A cancelled order's LeavesQty(151) is what was left of it.
        leaves = terms.order_qty - cum_qty if o.ord_status == CANCELED else o.leaves_qty
        price = "" if terms.price is None else f"44={number(terms.price)}\x01"
        codes = ("6A" if terms.post_only else "") + ("E" if terms.reduce_only else "")
        exec_inst = f"18={codes}\x01" if codes else ""
        shown = "" if terms.display_qty is None else f"1138={plain(terms.display_qty)}\x01"
        average = o.cum_quote / cum_qty if cum_qty else Decimal(0)
        return (
            f"37={o.order_id}\x0111={o.order_id}\x0141={client_name(terms.cl_ord_id)}\x01150={exec_type}\x01"
            f"39={o.ord_status}\x0154={terms.side}\x0160={utc_timestamp(stamp_ns).decode()}\x01151={plain(leaves)}\x01"
            f"14={plain(cum_qty)}\x0138={plain(terms.order_qty)}\x0140={wire_type(terms)}\x01{price}{exec_inst}{_trigger(terms)}103=0\x01"
            f"58={text}\x01207={SERVER}\x0155={terms.symbol}\x01854=1\x01"
            f"231={number(instrument.contract.multiplier)}\x016={number(average, 3)}\x01{shown}{extra}"
        ).encode()


def wire_type(terms: Terms) -> str:
    """OrdType(40) as the venue has it."""
    return TRAILING_STOP if terms.is_trailing else _STOP_TYPES.get(terms.ord_type, terms.ord_type)


def _trigger(terms: Terms) -> str:
    """What wakes a stop order."""
    if terms.ord_type not in _STOP_TYPES:
        return ""
    at = "" if terms.stop_px is None else f"99={number(terms.stop_px)}\x01"
    trailing = "" if terms.peg_offset is None else f"211={number(terms.peg_offset)}\x011094={terms.peg_price_type}\x01"
    return f"{at}{trailing}5127={LAST_PRICE}\x01"


def reject_text(refusal: Refusal) -> str:
    """The name of the error, for Text(58)."""
    return _TEXTS.get(refusal, f"other_reject {refusal.value}")


def _fills(order: Order | ClosedOrder, change: Traded) -> str:
    """The group NoFills(1362), with one trade."""
    liquidity = 1 if change.maker_id == order.order_id else 2
    return (
        f"1362=1\x011363={change.symbol}#{change.trade_id}\x011364={number(change.px)}\x01"
        f"1365={plain(change.qty)}\x011443={liquidity}\x01"
    )


def _refused_wish(wish: Wish, text: str) -> bytes:
    names = f"41={wish.orig_cl_ord_id}\x01" if wish.orig_cl_ord_id else ""
    names += f"11={wish.cl_ord_id}\x01" if wish.cl_ord_id else ""
    return f"{names}39={REJECTED}\x0158={text}\x01".encode()

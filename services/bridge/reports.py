"""What a bridge says in FIX about orders: the bodies of ExecutionReport(8), OrderCancelReject(9) and their like.

Source: FIX 4.4 with errata 20030618, volume 4.
"""

from decimal import ROUND_HALF_UP, Decimal

from common.exchange.numbers import digits
from common.exchange.order import ZERO
from common.fix.wire import utc_timestamp
from common.venues.backend import BridgedTerms, FillFact
from common.venues.dialect import plain
from services.bridge.book import BridgedOrder
from services.bridge.records import Filled, Taken

_PRICE_STEP = Decimal("0.00000001")
NEVER_REACHED_REASON = 99
UNKNOWN_ORDER_REASON, DUPLICATE_REASON = 5, 6


def report(
    order: BridgedOrder, exec_id: str, exec_type: str, stamp_ns: int, *, asked: Taken | None = None, extra: str = ""
) -> bytes:
    """An ExecutionReport(8) of the order as it stands; `asked` is the request that it answers."""
    names = f"11={order.cl_ord_id}\x01"
    if asked is not None:
        names = f"11={asked.cl_ord_id}\x0141={asked.orig_cl_ord_id}\x01"
    cum_qty = order.cum_qty
    average = (order.cum_quote / cum_qty).quantize(_PRICE_STEP, ROUND_HALF_UP) if cum_qty else ZERO
    return (
        f"37={order.order_id or 'NONE'}\x01{names}17={exec_id}\x01150={exec_type}\x0139={order.ord_status}\x01"
        f"{_terms(order.terms)}{extra}151={digits(order.leaves_qty)}\x0114={digits(cum_qty)}\x016={digits(average)}\x01"
        f"60={utc_timestamp(stamp_ns).decode()}\x01"
    ).encode()


def _terms(t: BridgedTerms) -> str:
    price = "" if t.price is None else f"44={plain(t.price)}\x01"
    codes = (["6"] if t.post_only else []) + (["E"] if t.reduce_only else [])
    inst = f"18={' '.join(codes)}\x01" if codes else ""
    head = f"55={t.symbol}\x0154={t.side}\x0138={plain(t.order_qty)}\x0140={t.ord_type}\x01"
    return f"{head}{price}59={t.time_in_force}\x01{inst}"


def status(order: BridgedOrder, exec_id: str, stamp_ns: int, extra: str = "") -> bytes:
    """An order's state as it is asked for: what is recorded and without an outcome is pending, and Text(58) says what
    is awaited."""
    awaited, word = _awaited(order)
    text = f"58={awaited}\x01" if awaited else ""
    body = report(order, exec_id, "I", stamp_ns, extra=f"{extra}{text}")
    return body.replace(f"\x0139={order.ord_status}\x01".encode(), f"\x0139={word}\x01".encode(), 1)


def _awaited(order: BridgedOrder) -> tuple[str, str]:
    """What an answer of the venue is awaited to, and OrdStatus(39) until then."""
    if order.is_undecided:
        return "the venue's answer to the new order is awaited", order.ord_status
    kinds = {wish.kind for wish in order.wishes.values()}
    if "F" in kinds:
        return "the venue's answer to a cancel is awaited", "6"
    return ("the venue's answer to an amendment is awaited", "E") if kinds else ("", order.ord_status)


def fill(order: BridgedOrder, filled: Filled, *, strictly: bool) -> bytes:
    """A trade: ExecID(17) is the instrument, the trade and the order, the same whoever told of it and whenever.

    The venue's own id of it is TradeID(1003). FIX 4.4 has no such field, and a client that checks what it gets against
    the standard would reject its fills: `strictly` it is SecondaryExecID(527).
    """
    exec_id = f"{order.terms.symbol}/{filled.trade_id}/{order.order_id}"
    return report(order, exec_id, "F", filled.stamp_ns, extra=_trade(filled, strictly=strictly))


def _trade(filled: Filled | FillFact, *, strictly: bool) -> str:
    trade_id_tag = 527 if strictly else 1003
    fee = f"136=1\x01137={plain(filled.fee)}\x01138={filled.fee_asset}\x01139=4\x01" if filled.fee_asset else ""
    last = f"32={plain(filled.qty)}\x0131={plain(filled.px)}\x01851={1 if filled.maker else 2}\x01"
    return f"{trade_id_tag}={filled.trade_id}\x01{last}{fee}"


def others_fill(fact: FillFact, *, strictly: bool) -> bytes:
    """A trade of an order that the client has not placed, as one of an order of that quantity which is filled: of the
    order itself nothing is told. `strictly` as in `fill`."""
    f, qty, px = fact, plain(fact.qty), plain(fact.px)
    head = f"37={f.order_id}\x0111={f.venue_id or 'NONE'}\x0117={f.symbol}/{f.trade_id}/{f.order_id}\x01150=F\x01"
    terms = f"39=2\x0155={f.symbol}\x0154={f.side}\x0138={qty}\x0140=2\x0144={px}\x01"
    stamp = utc_timestamp(f.stamp_ns).decode()
    text = "58=not placed by this client\x01"
    return f"{head}{terms}{_trade(f, strictly=strictly)}151=0\x0114={qty}\x016={px}\x0160={stamp}\x01{text}".encode()


def rejected(cl_ord_id: str, terms: BridgedTerms | None, exec_id: str, reason: int, text: str, stamp_ns: int) -> bytes:
    """ExecType(150)=8 of an order that this log does not hold."""
    body = _terms(terms) if terms is not None else "55=[N/A]\x0154=1\x01"
    return (
        f"37=NONE\x0111={cl_ord_id}\x0117={exec_id}\x01150=8\x0139=8\x01{body}103={reason}\x01151=0\x0114=0\x016=0\x01"
        f"60={utc_timestamp(stamp_ns).decode()}\x0158={text}\x01"
    ).encode()


def unknown(cl_ord_id: str, symbol: str, side: str, exec_id: str, extra: str, stamp_ns: int) -> bytes:
    """ExecType(150)=I with OrdStatus(39)=8 and OrdRejReason(103)=5: said of what this log never had, alone."""
    return (
        f"37=NONE\x0111={cl_ord_id}\x0117={exec_id}\x01150=I\x0139=8\x01103=5\x0155={symbol}\x0154={side}\x01{extra}38=0"
        f"\x01151=0\x0114=0\x016=0\x0160={utc_timestamp(stamp_ns).decode()}\x0158=this log never had such an order\x01"
    ).encode()


def cancel_rejected(
    cl_ord_id: str, orig_cl_ord_id: str, order: BridgedOrder | None, kind: str, reason: int, text: str
) -> bytes:
    """OrderCancelReject(9) of a request of MsgType(35) `kind`, with CxlRejReason(102)."""
    order_id, word = ("NONE", "8") if order is None else (order.order_id or "NONE", order.ord_status)
    return (
        f"37={order_id}\x0111={cl_ord_id}\x0141={orig_cl_ord_id}\x0139={word}\x01434={1 if kind == 'F' else 2}\x01"
        f"102={reason}\x0158={text}\x01"
    ).encode()

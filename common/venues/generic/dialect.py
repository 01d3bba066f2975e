"""The dialect "generic": FIX 4.4 as the standard has it, persistent sequence numbers, resend, status requests.

Source: FIX 4.4 with errata 20030618, volumes 3 and 4. A trade is identified by ExecID(17); a fee is told by
NoMiscFees(136) or, where there is none, by Commission(12) in CommCurrency(479). An order is post-only by
ExecInst(18)=6 (participate, don't initiate), and LastLiquidityInd(851)=1 marks a fill that added liquidity.
"""

from collections.abc import Sequence
from functools import lru_cache

from msgspec import structs

from common.fix.session_types import SessionSettings
from common.fix.wire import utc_timestamp
from common.messages import AmendOrder, CancelOrder, ExecutionReport, NewOrder, QueryOrder, Terms
from common.venues.credentials import Credentials
from common.venues.dialect import Body, DepthQuestion, Identity, plain
from common.venues.generic.venue import PROFILE
from common.venues.reading import Fields
from common.venues.standard import (
    STANDARD_READERS,
    StandardDialect,
    execution_report,
    plain_depth,
    plain_refresh,
    plain_subscription,
    settings_from_one,
    settings_that_persist,
)


def _terms(symbol: str, terms: Terms) -> str:
    """What an order is, but for its numbers."""
    return _kind(symbol, terms.side, terms.ord_type, terms.time_in_force, terms.instructions)


def _prices(terms: Terms) -> str:
    """Price(44), StopPx(99), MaxFloor(111) and ExpireTime(126), where the order has them."""
    price = "" if terms.price is None else f"44={plain(terms.price)}\x01"
    if terms.stop_px is not None:
        price += f"99={plain(terms.stop_px)}\x01"
    if terms.display_qty is not None:
        price += f"111={plain(terms.display_qty)}\x01"
    return price + f"126={utc_timestamp(terms.expire_ns).decode()}\x01" if terms.expire_ns else price


@lru_cache(maxsize=1024)
def _kind(symbol: str, side: str, ord_type: str, time_in_force: str, instructions: str) -> str:
    """The part of an order that few orders differ in."""
    exec_inst = f"18={' '.join(instructions)}\x01" if instructions else ""
    return f"21=1\x01{exec_inst}55={symbol}\x0154={side}\x0140={ord_type}\x0159={time_in_force}\x01"


def _report(f: Fields, raw: bytes) -> ExecutionReport:
    """FIX 4.4 volume 4, OrderStatusRequest(H): an order that is not known is reported with OrdStatus(39)=8 and
    OrdRejReason(103)=5, under ExecType(150)=I because it answers a status request."""
    report = execution_report(f, raw)
    unknown = report.exec_type == "I" and report.ord_status == "8" and f.get(b"103") == b"5"
    return structs.replace(report, unknown_order=True) if unknown else report


class Generic(StandardDialect):
    """The standard's side of the wire, as the module says."""

    profile = PROFILE
    readers = {**STANDARD_READERS, "8": _report}
    resends = True

    def session_settings(self, identity: Identity, credentials: Credentials | None) -> SessionSettings:
        """Numbers persist; a ResendRequest(2) is answered and asked."""
        return settings_that_persist(identity)

    def market_data_settings(self, identity: Identity, credentials: Credentials | None) -> SessionSettings:
        """Numbers start at 1 at each logon: what was missed is in the snapshot of a new subscription."""
        return settings_from_one(identity)

    def encode_new(self, command: NewOrder, wall_ns: int) -> Body:
        """NewOrderSingle(D)."""
        c = command
        terms = _terms(c.symbol, c.terms)
        price = _prices(c.terms)
        stamp = utc_timestamp(wall_ns).decode()
        cash = c.terms.cash_order_qty
        size = f"38={plain(c.order_qty)}\x01" if cash is None else f"152={plain(cash)}\x01"
        return Body("D", f"11={c.cl_ord_id}\x01{terms}60={stamp}\x01{size}{price}".encode())

    def encode_amend(self, command: AmendOrder, wall_ns: int) -> Body:
        """OrderCancelReplaceRequest(G): the complete new terms, OrderQty(38) with the filled part included."""
        c = command
        terms = _terms(c.symbol, c.terms)
        price = _prices(c.terms)
        order_id = f"37={c.order_id}\x01" if c.order_id else ""
        stamp = utc_timestamp(wall_ns).decode()
        names = f"11={c.cl_ord_id}\x0141={c.orig_cl_ord_id}\x01{order_id}"
        return Body("G", f"{names}{terms}60={stamp}\x0138={plain(c.order_qty)}\x01{price}".encode())

    def encode_cancel(self, command: CancelOrder, wall_ns: int) -> Body:
        """OrderCancelRequest(F)."""
        c = command
        order_id = f"37={c.order_id}\x01" if c.order_id else ""
        names = f"11={c.cl_ord_id}\x0141={c.orig_cl_ord_id}\x01{order_id}"
        stamp = utc_timestamp(wall_ns).decode()
        qty = f"38={plain(c.order_qty)}\x01" if c.order_qty > 0 else ""
        return Body("F", f"{names}55={c.symbol}\x0154={c.side}\x0160={stamp}\x01{qty}".encode())

    def encode_query(self, command: QueryOrder) -> Body | None:
        """OrderStatusRequest(H)."""
        c = command
        order_id = f"37={c.order_id}\x01" if c.order_id else ""
        return Body("H", f"11={c.cl_ord_id}\x01{order_id}55={c.symbol}\x0154={c.side}\x01".encode())

    def encode_mass_cancel(self, cl_ord_id: str, symbol: str, wall_ns: int) -> Body | None:
        """OrderMassCancelRequest(q) with MassCancelRequestType(530)=1, orders of one security."""
        stamp = utc_timestamp(wall_ns).decode()
        return Body("q", f"11={cl_ord_id}\x01530=1\x0155={symbol}\x0160={stamp}\x01".encode())

    def encode_subscribe(self, md_req_id: str, symbols: Sequence[str]) -> list[Body]:
        """See `plain_subscription`."""
        return plain_subscription(md_req_id, symbols)

    def encode_refresh(self, md_req_id: str, former_id: str, symbols: Sequence[str]) -> list[Body]:
        """See `plain_refresh`."""
        return plain_refresh(md_req_id, symbols)

    def encode_depth(self, md_req_id: str, symbol: str, levels: int) -> DepthQuestion | None:
        """See `plain_depth`."""
        return plain_depth(md_req_id, symbol, levels)

"""Our side of FIX towards a bridge, which speaks it for a venue that has none: FIX 4.4 with a last moment.

A bridge is an asynchronous middleman: that it has taken a request says nothing of the venue. So what it reports as
pending (ExecType(150) or OrdStatus(39) A, 6 and E) says nothing here, a D or G carries the last moment at which it may
leave, and a trade is known by TradeID(1003), which is the venue's own, as its REST side tells it.
"""

import re
from collections.abc import Sequence

from common.fix.session_types import SessionSettings
from common.fix.wire import utc_timestamp
from common.messages import AmendOrder, CancelOrder, NewOrder, Terms, VenueEvent
from common.venues.credentials import Credentials
from common.venues.dialect import Body, DepthQuestion, Identity, plain
from common.venues.reading import Fields
from common.venues.standard import (
    STANDARD_READERS,
    ReportForm,
    StandardDialect,
    execution_report,
    plain_depth,
    plain_refresh,
    plain_subscription,
    settings_from_one,
    settings_that_persist,
)

PENDING = frozenset({b"A", b"6", b"E"})
FORM = ReportForm(trade_id=b"1003")
LOG = re.compile(r"log ([0-9a-f]{1,64})\b")


def _report(f: Fields, raw: bytes) -> VenueEvent | None:
    """ExecutionReport(8); None where it says that something is pending."""
    if f.get(b"150") in PENDING or (f.get(b"150") == b"I" and f.get(b"39") in PENDING):
        return None
    return execution_report(f, raw, FORM)


class BridgedDialect(StandardDialect):
    """The dialect of every venue behind a bridge, but for its profile."""

    readers = {**STANDARD_READERS, "8": _report}
    resends = True

    def session_settings(self, identity: Identity, credentials: Credentials | None) -> SessionSettings:
        """Numbers persist, in the bridge's log. The venue's credentials are the bridge's, and none of Logon(A)."""
        return settings_that_persist(identity)

    def market_data_settings(self, identity: Identity, credentials: Credentials | None) -> SessionSettings:
        """Numbers start at 1 at each logon: what was missed is in the snapshot of a new subscription."""
        return settings_from_one(identity)

    def encode_subscribe(self, md_req_id: str, symbols: Sequence[str]) -> list[Body]:
        """See `plain_subscription`."""
        return plain_subscription(md_req_id, symbols)

    def encode_refresh(self, md_req_id: str, former_id: str, symbols: Sequence[str]) -> list[Body]:
        """See `plain_refresh`."""
        return plain_refresh(md_req_id, symbols)

    def encode_depth(self, md_req_id: str, symbol: str, levels: int) -> DepthQuestion | None:
        """See `plain_depth`."""
        return plain_depth(md_req_id, symbol, levels)

    def log_told(self, text: str) -> str:
        """The bridge's own log, which its first two words name."""
        told = LOG.match(text)
        return "" if told is None else told[1]

    def header_fields(self, time_left_ns: int | None, wall_ns: int) -> bytes:
        """ValidUntilTime(62): the bridge lets no byte out after it, nor the venue take the request in."""
        return b"" if time_left_ns is None else b"62=%b\x01" % utc_timestamp(wall_ns + max(0, time_left_ns))

    def encode_new(self, command: NewOrder, wall_ns: int) -> Body:
        """NewOrderSingle(D)."""
        return Body("D", f"11={command.cl_ord_id}\x01{_terms(command, wall_ns)}".encode())

    def encode_amend(self, command: AmendOrder, wall_ns: int) -> Body:
        """OrderCancelReplaceRequest(G): the complete new terms, OrderQty(38) with the filled part included."""
        names = f"11={command.cl_ord_id}\x0141={command.orig_cl_ord_id}\x01"
        return Body("G", f"{names}{_terms(command, wall_ns)}".encode())

    def encode_cancel(self, command: CancelOrder, wall_ns: int) -> Body:
        """OrderCancelRequest(F) by OrigClOrdID(41)."""
        c, stamp = command, utc_timestamp(wall_ns).decode()
        names = f"11={c.cl_ord_id}\x0141={c.orig_cl_ord_id}\x01"
        return Body("F", f"{names}55={c.symbol}\x0154={c.side}\x0160={stamp}\x01".encode())


def _terms(command: NewOrder | AmendOrder, wall_ns: int) -> str:
    c, terms = command, command.terms
    price = "" if c.price is None else f"44={plain(c.price)}\x01"
    stamp = utc_timestamp(wall_ns).decode()
    head = f"55={c.symbol}\x0154={c.side}\x0160={stamp}\x0138={plain(c.order_qty)}\x0140={c.ord_type}\x01"
    return f"{head}{price}59={terms.time_in_force}\x01{_instructions(terms)}"


def _instructions(terms: Terms) -> str:
    codes = (["6"] if terms.is_post_only else []) + (["E"] if terms.is_reduce_only else [])
    return f"18={' '.join(codes)}\x01" if codes else ""

"""The dialect of the template: our side of the wire, in the fewest messages that the stack can trade with.

Source: FIX 4.4 with errata 20030618, volumes 3 and 4. Logon(A) carries Username(553) and Password(554); numbers persist
and are resent; an order is changed by OrderCancelReplaceRequest(G). The rest is as `StandardDialect` has it.
"""

from collections.abc import Sequence

from msgspec import structs

from common.fix.session_types import SessionSettings
from common.fix.wire import utc_timestamp
from common.messages import AmendOrder, CancelOrder, ExecutionReport, NewOrder, QueryOrder
from common.venues._template.venue import PROFILE
from common.venues.credentials import Credentials, Password
from common.venues.dialect import Body, DepthQuestion, Identity, plain
from common.venues.reading import Fields
from common.venues.standard import (
    STANDARD_READERS,
    LogonFields,
    StandardDialect,
    execution_report,
    needed_credentials,
    plain_depth,
    related_symbols,
    settings_from_one,
    settings_that_persist,
)


def _report(f: Fields, raw: bytes) -> ExecutionReport:
    """An order that is not known is reported so, and only to who asked for its status."""
    report = execution_report(f, raw)
    unknown = report.exec_type == "I" and report.ord_status == "8"
    return structs.replace(report, unknown_order=True) if unknown else report


class Template(StandardDialect):
    """The template's side of the wire, as the module says."""

    profile = PROFILE
    readers = {**STANDARD_READERS, "8": _report}
    resends = True

    def session_settings(self, identity: Identity, credentials: Credentials | None) -> SessionSettings:
        """Numbers persist; what was missed is asked for and resent."""
        return settings_that_persist(identity, _logon_fields(credentials))

    def market_data_settings(self, identity: Identity, credentials: Credentials | None) -> SessionSettings:
        """Numbers start at 1 at each logon: what was missed is in the snapshot of a new subscription."""
        return settings_from_one(identity, _logon_fields(credentials))

    def encode_new(self, command: NewOrder, wall_ns: int) -> Body:
        """NewOrderSingle(D)."""
        return Body("D", f"11={command.cl_ord_id}\x01{_terms(command, wall_ns)}".encode())

    def encode_amend(self, command: AmendOrder, wall_ns: int) -> Body:
        """OrderCancelReplaceRequest(G): the complete new terms, OrderQty(38) with the filled part included."""
        names = f"11={command.cl_ord_id}\x0141={command.orig_cl_ord_id}\x01"
        return Body("G", f"{names}{_terms(command, wall_ns)}".encode())

    def encode_cancel(self, command: CancelOrder, wall_ns: int) -> Body:
        """OrderCancelRequest(F)."""
        c = command
        names = f"11={c.cl_ord_id}\x0141={c.orig_cl_ord_id}\x01"
        return Body("F", f"{names}55={c.symbol}\x0154={c.side}\x0160={utc_timestamp(wall_ns).decode()}\x01".encode())

    def encode_query(self, command: QueryOrder) -> Body | None:
        """OrderStatusRequest(H)."""
        return Body("H", f"11={command.cl_ord_id}\x0155={command.symbol}\x0154={command.side}\x01".encode())

    def encode_mass_cancel(self, cl_ord_id: str, symbol: str, wall_ns: int) -> Body | None:
        """OrderMassCancelRequest(q): orders of one security."""
        stamp = utc_timestamp(wall_ns).decode()
        return Body("q", f"11={cl_ord_id}\x01530=1\x0155={symbol}\x0160={stamp}\x01".encode())

    def encode_subscribe(self, md_req_id: str, symbols: Sequence[str]) -> list[Body]:
        """MarketDataRequest(V): bids, offers and trades at depth 1, incremental."""
        return [_subscription(md_req_id, "1", "265=1\x01267=3\x01269=0\x01269=1\x01269=2\x01", symbols)]

    def encode_refresh(self, md_req_id: str, former_id: str, symbols: Sequence[str]) -> list[Body]:
        """MarketDataRequest(V) for a snapshot beside the subscription."""
        return [_subscription(md_req_id, "0", "267=2\x01269=0\x01269=1\x01", symbols)]

    def encode_depth(self, md_req_id: str, symbol: str, levels: int) -> DepthQuestion | None:
        """See `plain_depth`."""
        return plain_depth(md_req_id, symbol, levels)


def _logon_fields(credentials: Credentials | None) -> LogonFields:
    password = needed_credentials(credentials, Password, "Logon(A) carries a name and a password")
    fields = f"553={password.username}\x01554={password.password}\x01".encode()
    return lambda msg_seq_num, sending_time: fields


def _terms(command: NewOrder | AmendOrder, wall_ns: int) -> str:
    c = command
    price = "" if c.price is None else f"44={plain(c.price)}\x01"
    return (
        f"55={c.symbol}\x0154={c.side}\x0160={utc_timestamp(wall_ns).decode()}\x0138={plain(c.order_qty)}\x01"
        f"40={c.ord_type}\x01{price}59={c.terms.time_in_force}\x01"
    )


def _subscription(md_req_id: str, kind: str, what: str, symbols: Sequence[str]) -> Body:
    return Body("V", f"262={md_req_id}\x01263={kind}\x01264=1\x01{what}{related_symbols(symbols)}".encode())

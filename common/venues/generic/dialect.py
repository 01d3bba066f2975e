"""The dialect "generic": FIX 4.4 as the standard has it, persistent sequence numbers, resend, status requests.

Source: FIX 4.4 with errata 20030618, volumes 3 and 4. A trade is identified by ExecID(17); a fee is told by
NoMiscFees(136) or, where there is none, by Commission(12) in CommCurrency(479). An order is post-only by
ExecInst(18)=6 (participate, don't initiate), and LastLiquidityInd(851)=1 marks a fill that added liquidity.
"""

from collections.abc import Sequence
from functools import lru_cache

from common.fix.session_types import SequencePolicy, SessionSettings
from common.fix.wire import split, utc_timestamp
from common.messages import (
    AmendOrder,
    Announced,
    CancelOrder,
    CancelRejected,
    ExecutionReport,
    MassCancelReported,
    NewOrder,
    QueryOrder,
    RequestRejected,
    Terms,
    Unreadable,
    VenueEvent,
)
from common.venues.credentials import Credentials
from common.venues.dialect import Body, BookEntry, Identity, SubscriptionRejected, VenueLimit, plain
from common.venues.generic.venue import PROFILE
from common.venues.market_data import book_entries, subscription_rejected
from common.venues.reading import (
    ZERO,
    Fields,
    Notes,
    fees,
    instrument,
    integer,
    name,
    require,
    require_character,
    required_number,
    text,
    unreadable,
)

_TOLD_BY = frozenset({"8", "9", "3", "j", "r", "B"})
_NEVER_RESENT = frozenset({"D", "G"})
_UNKNOWN_ORDER = b"1"  # CxlRejReason(102)
_STATUS_REQUEST = b"H"


def _terms(symbol: str, terms: Terms) -> str:
    """What an order is, but for its numbers."""
    return _kind(symbol, terms.side, terms.ord_type, terms.time_in_force, terms.instructions)


def _prices(terms: Terms) -> str:
    """Price(44), StopPx(99) and ExpireTime(126), where the order has them."""
    price = "" if terms.price is None else f"44={plain(terms.price)}\x01"
    if terms.stop_px is not None:
        price += f"99={plain(terms.stop_px)}\x01"
    return price + f"126={utc_timestamp(terms.expire_ns).decode()}\x01" if terms.expire_ns else price


@lru_cache(maxsize=1024)
def _kind(symbol: str, side: str, ord_type: str, time_in_force: str, instructions: str) -> str:
    """The part of an order that few orders differ in."""
    exec_inst = f"18={' '.join(instructions)}\x01" if instructions else ""
    return f"21=1\x01{exec_inst}55={symbol}\x0154={side}\x0140={ord_type}\x0159={time_in_force}\x01"


class Generic:
    """See the module. Stateless: one object serves any number of connections."""

    profile = PROFILE

    def session_settings(self, identity: Identity, credentials: Credentials | None) -> SessionSettings:
        """See `Dialect`. Numbers persist; a ResendRequest(2) is answered and asked."""
        return SessionSettings(
            sender_comp_id=identity.sender_comp_id,
            target_comp_id=identity.target_comp_id,
            heart_bt_int_s=identity.heart_bt_int_s,
            initiator=True,
            reset_on_logon=False,
            sequence_policy=SequencePolicy.RESEND,
            # A clock that was set back must not cost a fill: what is rejected is never told again.
            sending_time_tolerance_s=0,
        )

    def market_data_settings(self, identity: Identity, credentials: Credentials | None) -> SessionSettings:
        """See `Dialect`."""
        return SessionSettings(
            sender_comp_id=identity.sender_comp_id,
            target_comp_id=identity.target_comp_id,
            heart_bt_int_s=identity.heart_bt_int_s,
            initiator=True,
            reset_on_logon=True,
            sequence_policy=SequencePolicy.RESET,
            # What was missed is in the snapshot of a new subscription: a gap ends the connection.
            allow_resend_request=False,
        )

    def header_fields(self, time_left_ns: int | None, wall_ns: int) -> bytes:
        """See `Dialect`: the standard has no such field."""
        return b""

    def encode_new(self, command: NewOrder, wall_ns: int) -> Body:
        """NewOrderSingle(D)."""
        c = command
        terms = _terms(c.symbol, c.terms)
        price = _prices(c.terms)
        stamp = utc_timestamp(wall_ns).decode()
        return Body("D", f"11={c.cl_ord_id}\x01{terms}60={stamp}\x0138={plain(c.order_qty)}\x01{price}".encode())

    def encode_amend(self, command: AmendOrder, wall_ns: int) -> Body:
        """OrderCancelReplaceRequest(G): the complete new terms, OrderQty(38) with the filled part included."""
        c = command
        terms = _terms(c.symbol, c.terms)
        price = _prices(c.terms)
        order_id = f"37={c.order_id}\x01" if c.order_id else ""
        stamp = utc_timestamp(wall_ns).decode()
        names = f"11={c.cl_ord_id}\x0141={c.orig_cl_ord_id}\x01{order_id}"
        return Body("G", f"{names}{terms}60={stamp}\x0138={plain(c.order_qty)}\x01{price}".encode())

    def amend_is_new_order(self, command: AmendOrder) -> bool:
        """See `Dialect`: OrderCancelReplaceRequest(G) changes the order in place."""
        return False

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

    def encode_limit_query(self, req_id: str) -> Body | None:
        """See `Dialect`: the standard has none."""
        return None

    def decode_limits(self, msg_type: str, raw: bytes) -> list[VenueLimit]:
        """See `Dialect`."""
        return []

    def resendable(self, msg_type: str) -> bool:
        """See `Dialect`."""
        return msg_type not in _NEVER_RESENT

    def decode(self, msg_type: str, raw: bytes, fields: Fields | None = None) -> VenueEvent | None:
        """See `Dialect`."""
        if msg_type not in _TOLD_BY:
            return None
        f = split(raw) if fields is None else fields
        if msg_type == "8":
            return _report(f, raw)
        if msg_type == "9":
            return _cancel_rejected(f)
        if msg_type in ("3", "j"):
            return _request_rejected(f)
        if msg_type == "r":
            return _mass_cancel(f)
        return Announced(text(f, b"148"))

    def unread(self, fields: Fields, why: str) -> Unreadable | None:
        """See `Dialect`."""
        return unreadable(fields, why)

    def encode_subscribe(self, md_req_id: str, symbols: Sequence[str]) -> list[Body]:
        """MarketDataRequest(V): bids, offers and trades at depth 1, incremental."""
        names = "".join(f"55={symbol}\x01" for symbol in symbols)
        head = f"262={md_req_id}\x01263=1\x01264=1\x01265=1\x01"
        return [Body("V", f"{head}267=3\x01269=0\x01269=1\x01269=2\x01146={len(symbols)}\x01{names}".encode())]

    def encode_refresh(self, md_req_id: str, former_id: str, symbols: Sequence[str]) -> list[Body]:
        """MarketDataRequest(V) with SubscriptionRequestType(263)=0: a snapshot beside the subscription."""
        names = "".join(f"55={symbol}\x01" for symbol in symbols)
        return [
            Body(
                "V",
                f"262={md_req_id}\x01263=0\x01264=1\x01267=2\x01269=0\x01269=1\x01146={len(symbols)}\x01{names}".encode(),
            )
        ]

    def decode_market_data(self, msg_type: str, raw: bytes) -> list[BookEntry] | SubscriptionRejected:
        """See `Dialect`."""
        if msg_type == "Y":
            return subscription_rejected(raw)
        return book_entries(msg_type, raw)


def _report(f: Fields, raw: bytes) -> ExecutionReport:
    """What identifies a fill, or tells of a change, has to be readable; the rest is noted where it is not."""
    exec_type, notes = require_character(f, b"150"), Notes()
    is_trade = exec_type in "FGH"
    ord_status = text(f, b"39") if is_trade else require_character(f, b"39")
    exec_id = require(f, b"17") if is_trade else text(f, b"17")
    last_qty = required_number(f, b"32") if exec_type in "FG" else ZERO
    last_px = (notes.decimal(f, b"31") or ZERO) if is_trade else ZERO
    fee_qty, fee_asset = fees(f, raw, last_qty, last_px, notes) if is_trade else (ZERO, "")
    return ExecutionReport(
        cl_ord_id=text(f, b"11"),
        orig_cl_ord_id=text(f, b"41"),
        order_id=name(f, b"37"),
        exec_id=exec_id,
        exec_type=exec_type,
        ord_status=ord_status,
        symbol=instrument(f),
        side=text(f, b"54"),
        order_qty=notes.decimal(f, b"38"),
        price=notes.decimal(f, b"44"),
        last_qty=last_qty,
        last_px=last_px,
        cum_qty=notes.decimal(f, b"14"),
        leaves_qty=notes.decimal(f, b"151"),
        trade_key=exec_id if is_trade else "",
        fee_qty=fee_qty,
        fee_asset=fee_asset,
        transact_ns=notes.time_ns(f, b"60"),
        error_code=notes.integer(f, b"103"),
        text=text(f, b"58"),
        # FIX 4.4 volume 4, OrderStatusRequest(H): an order that is not known is reported with OrdStatus(39)=8 and
        # OrdRejReason(103)=5, under ExecType(150)=I because it answers a status request.
        unknown_order=exec_type == "I" and ord_status == "8" and f.get(b"103") == b"5",
        reference_trade_key=name(f, b"19"),
        maker=f.get(b"851") == b"1",
        unread=tuple(notes),
        avg_px=notes.decimal(f, b"6"),
    )


def _cancel_rejected(f: Fields) -> CancelRejected:
    return CancelRejected(
        cl_ord_id=text(f, b"11"),
        orig_cl_ord_id=text(f, b"41"),
        order_id=name(f, b"37"),
        ord_status=text(f, b"39"),
        error_code=Notes().integer(f, b"102"),
        text=text(f, b"58"),
        unknown_order=f.get(b"102") == _UNKNOWN_ORDER,
    )


def _request_rejected(f: Fields) -> RequestRejected:
    """Reject(3) and BusinessMessageReject(j) both name our message by RefSeqNum(45).

    BusinessRejectRefID(379) of a status request's rejection is the order's own ClOrdID(11): that one is not rejected.
    """
    code = b"373" if f.get(b"35") == b"3" else b"380"
    name = "" if f.get(b"372") == _STATUS_REQUEST else text(f, b"379")
    return RequestRejected(integer(f, b"45"), None, name, Notes().integer(f, code), text(f, b"58"))


def _mass_cancel(f: Fields) -> MassCancelReported:
    accepted, notes = f.get(b"531", b"0") != b"0", Notes()
    return MassCancelReported(
        text(f, b"11"),
        text(f, b"55"),
        accepted,
        notes.integer(f, b"533"),
        notes.integer(f, b"532"),
        text(f, b"58"),
    )

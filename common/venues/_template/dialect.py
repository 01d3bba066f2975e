"""The dialect of the template: our side of the wire, in the fewest messages that the stack can trade with.

Source: FIX 4.4 with errata 20030618, volumes 3 and 4. Logon(A) carries Username(553) and Password(554); numbers persist
and are resent; an order is changed by OrderCancelReplaceRequest(G). What else a venue has, its own dialect says.
"""

from collections.abc import Sequence

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
    Unreadable,
    VenueEvent,
)
from common.venues._template.venue import PROFILE
from common.venues.credentials import Credentials, Password
from common.venues.dialect import Body, BookEntry, Identity, SubscriptionRejected, VenueLimit, plain
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
_ADD_RISK = frozenset({"D", "G"})


class Template:
    """See the module. Stateless: one object serves any number of connections."""

    profile = PROFILE

    def session_settings(self, identity: Identity, credentials: Credentials | None) -> SessionSettings:
        """Numbers persist; what was missed is asked for and resent."""
        return self._settings(identity, credentials, SequencePolicy.RESEND)

    def market_data_settings(self, identity: Identity, credentials: Credentials | None) -> SessionSettings:
        """Numbers start at 1 at each logon: what was missed is in the snapshot of a new subscription."""
        return self._settings(identity, credentials, SequencePolicy.RESET)

    def _settings(self, identity: Identity, credentials: Credentials | None, policy: SequencePolicy) -> SessionSettings:
        if not isinstance(credentials, Password):
            raise ValueError("Logon(A) carries a name and a password: set the venue's [credentials]")
        logon = f"553={credentials.username}\x01554={credentials.password}\x01".encode()
        resets = policy is SequencePolicy.RESET
        return SessionSettings(
            sender_comp_id=identity.sender_comp_id,
            target_comp_id=identity.target_comp_id,
            heart_bt_int_s=identity.heart_bt_int_s,
            initiator=True,
            reset_on_logon=resets,
            sequence_policy=policy,
            allow_resend_request=not resets,
            # A clock that was set back must not cost a fill: what is rejected is never told again.
            sending_time_tolerance_s=0,
            logon_fields=lambda msg_seq_num, sending_time: logon,
        )

    def header_fields(self, time_left_ns: int | None, wall_ns: int) -> bytes:
        """None."""
        return b""

    def encode_new(self, command: NewOrder, wall_ns: int) -> Body:
        """NewOrderSingle(D)."""
        return Body("D", f"11={command.cl_ord_id}\x01{_terms(command, wall_ns)}".encode())

    def encode_amend(self, command: AmendOrder, wall_ns: int) -> Body:
        """OrderCancelReplaceRequest(G): the complete new terms, OrderQty(38) with the filled part included."""
        names = f"11={command.cl_ord_id}\x0141={command.orig_cl_ord_id}\x01"
        return Body("G", f"{names}{_terms(command, wall_ns)}".encode())

    def amend_is_new_order(self, command: AmendOrder) -> bool:
        """It changes the order in place."""
        return False

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

    def encode_limit_query(self, req_id: str) -> Body | None:
        """There is none."""
        return None

    def decode_limits(self, msg_type: str, raw: bytes) -> list[VenueLimit]:
        """None are told."""
        return []

    def resendable(self, msg_type: str) -> bool:
        """What adds risk never is."""
        return msg_type not in _ADD_RISK

    def decode(self, msg_type: str, raw: bytes, fields: Fields | None = None) -> VenueEvent | None:
        """What a message says about orders. Raises BadReport."""
        if msg_type not in _TOLD_BY:
            return None
        f = split(raw) if fields is None else fields
        if msg_type == "8":
            return _report(f, raw)
        if msg_type == "9":
            return _cancel_rejected(f)
        if msg_type == "r":
            return _mass_cancel(f)
        return Announced(text(f, b"148")) if msg_type == "B" else _request_rejected(f)

    def unread(self, fields: Fields, why: str) -> Unreadable | None:
        """The orders that a message names which cannot be read."""
        return unreadable(fields, why)

    def encode_subscribe(self, md_req_id: str, symbols: Sequence[str]) -> list[Body]:
        """MarketDataRequest(V): bids, offers and trades at depth 1, incremental."""
        return [_subscription(md_req_id, "1", "265=1\x01267=3\x01269=0\x01269=1\x01269=2\x01", symbols)]

    def encode_refresh(self, md_req_id: str, former_id: str, symbols: Sequence[str]) -> list[Body]:
        """MarketDataRequest(V) for a snapshot beside the subscription."""
        return [_subscription(md_req_id, "0", "267=2\x01269=0\x01269=1\x01", symbols)]

    def decode_market_data(self, msg_type: str, raw: bytes) -> list[BookEntry] | SubscriptionRejected:
        """The entries of a W or X; or a Y."""
        return subscription_rejected(raw) if msg_type == "Y" else book_entries(msg_type, raw)


def _terms(command: NewOrder | AmendOrder, wall_ns: int) -> str:
    c = command
    price = "" if c.price is None else f"44={plain(c.price)}\x01"
    return (
        f"55={c.symbol}\x0154={c.side}\x0160={utc_timestamp(wall_ns).decode()}\x0138={plain(c.order_qty)}\x01"
        f"40={c.ord_type}\x01{price}59={c.terms.time_in_force}\x01"
    )


def _subscription(md_req_id: str, kind: str, what: str, symbols: Sequence[str]) -> Body:
    names = "".join(f"55={symbol}\x01" for symbol in symbols)
    return Body("V", f"262={md_req_id}\x01263={kind}\x01264=1\x01{what}146={len(symbols)}\x01{names}".encode())


def _report(f: Fields, raw: bytes) -> ExecutionReport:
    """What identifies a fill, or tells of a change, has to be readable; the rest is noted where it is not."""
    exec_type, notes = require_character(f, b"150"), Notes()
    # A fill, and what corrects one or takes it back.
    is_trade = exec_type in "FGH"
    last_qty = required_number(f, b"32") if exec_type in "FG" else ZERO
    last_px = (notes.decimal(f, b"31") or ZERO) if is_trade else ZERO
    fee_qty, fee_asset = fees(f, raw, last_qty, last_px, notes) if is_trade else (ZERO, "")
    ord_status = text(f, b"39") if is_trade else require_character(f, b"39")
    return ExecutionReport(
        cl_ord_id=text(f, b"11"),
        orig_cl_ord_id=text(f, b"41"),
        order_id=name(f, b"37"),
        exec_id=text(f, b"17"),
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
        trade_key=require(f, b"17") if is_trade else "",
        fee_qty=fee_qty,
        fee_asset=fee_asset,
        transact_ns=notes.time_ns(f, b"60"),
        error_code=notes.integer(f, b"103"),
        text=text(f, b"58"),
        # An order that is not known is reported so, and only to who asked for its status.
        unknown_order=exec_type == "I" and ord_status == "8",
        reference_trade_key=name(f, b"19"),
        maker=f.get(b"851") == b"1",
        unread=tuple(notes),
    )


def _cancel_rejected(f: Fields) -> CancelRejected:
    reason = Notes().integer(f, b"102")
    unknown = f.get(b"102") == b"1"
    return CancelRejected(
        text(f, b"11"), text(f, b"41"), name(f, b"37"), text(f, b"39"), reason, text(f, b"58"), unknown_order=unknown
    )


def _request_rejected(f: Fields) -> RequestRejected:
    """Reject(3) and BusinessMessageReject(j) name our message by RefSeqNum(45)."""
    code = b"373" if f.get(b"35") == b"3" else b"380"
    return RequestRejected(integer(f, b"45"), None, "", Notes().integer(f, code), text(f, b"58"))


def _mass_cancel(f: Fields) -> MassCancelReported:
    accepted, notes = f.get(b"531", b"0") != b"0", Notes()
    affected, reason = notes.integer(f, b"533"), notes.integer(f, b"532")
    return MassCancelReported(text(f, b"11"), text(f, b"55"), accepted, affected, reason, text(f, b"58"))

"""FIX 4.4 as most venues speak it: `StandardDialect`, on which a venue's dialect stands, and readers of its messages.

Source: FIX 4.4 with errata 20030618, volumes 3 and 4. A venue's dialect says only what is otherwise at that venue: what
it overrides it has, and what it leaves as it is here it lacks, or has as the standard does.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import ClassVar, NamedTuple, TypeVar

from common.fix.session_types import SequencePolicy, SessionSettings
from common.fix.wire import split
from common.messages import (
    AmendOrder,
    Announced,
    CancelRejected,
    ExecutionReport,
    MassCancelReported,
    NewOrder,
    QueryOrder,
    RequestRejected,
    Unreadable,
    VenueEvent,
)
from common.venues.credentials import Credentials
from common.venues.dialect import (
    Body,
    BookEntry,
    DepthQuestion,
    Identity,
    InstrumentList,
    ListedInstrument,
    SubscriptionRejected,
    VenueLimit,
)
from common.venues.market_data import book_entries, subscription_rejected
from common.venues.reading import (
    ZERO,
    Fields,
    Notes,
    fees,
    group,
    instrument,
    integer,
    name,
    require,
    require_character,
    required_number,
    text,
    unreadable,
)
from common.venues.venue import VenueProfile

Reader = Callable[[Fields, bytes], VenueEvent | None]
"""Reads one kind of message, given its fields and its bytes. Raises BadReport."""

LogonFields = Callable[[int, bytes], bytes]
"""The fields that a venue wants in Logon(A), by MsgSeqNum(34) and SendingTime(52)."""

_ADD_RISK = frozenset({"D", "G"})
_STATUS_REQUEST = b"H"
_UNKNOWN_ORDER = b"1"  # CxlRejReason(102)

Kind = TypeVar("Kind")


class StandardDialect:
    """The methods of a `Dialect` that most venues have alike, and those of what a venue may lack.

    Stateless: one object serves any number of connections. `readers` say by MsgType(35) what a message tells of orders.
    `resends`: the venue's numbers persist, and it may ask for our messages again. `best_only` as in `Dialect`.
    `listed_as` are the tags of an entry of SecurityList(y), by the names in `ListedInstrument`.
    """

    profile: VenueProfile
    readers: ClassVar[Mapping[str, Reader]]
    resends: ClassVar[bool] = False
    best_only = ""
    listed_as: ClassVar[Mapping[str, bytes]] = {"tick_size": b"969"}

    def market_data_settings(self, identity: Identity, credentials: Credentials | None) -> SessionSettings:
        """Refuses, since without more there are no prices over FIX. Raises ValueError."""
        raise ValueError(f"{self.profile.title} has no market data over FIX")

    def header_fields(self, time_left_ns: int | None, wall_ns: int) -> bytes:
        """No header field: the standard has none for how long a request may wait."""
        return b""

    def encode_list(self, command: NewOrder, wall_ns: int) -> Body:
        """Refuses, since without more there are no order lists. Raises ValueError."""
        raise ValueError(f"{self.profile.title} has no order lists")

    def encode_amend(self, command: AmendOrder, wall_ns: int) -> Body:
        """Refuses, since without more no order is changed. Raises ValueError."""
        raise ValueError(f"{self.profile.title} changes no order")

    def amend_is_new_order(self, command: AmendOrder) -> bool:
        """No amendment is: OrderCancelReplaceRequest(G) changes the order in place."""
        return False

    def encode_query(self, command: QueryOrder) -> Body | None:
        """None: a venue that can be asked for an order says how."""
        return None

    def encode_mass_cancel(self, cl_ord_id: str, symbol: str, wall_ns: int) -> Body | None:
        """None: a venue that cancels all at once says how."""
        return None

    def encode_limit_query(self, req_id: str) -> Body | None:
        """None: the standard has no question for a venue's limits."""
        return None

    def decode_limits(self, msg_type: str, raw: bytes) -> list[VenueLimit]:
        """No limits: the standard has no message that tells them."""
        return []

    def resendable(self, msg_type: str) -> bool:
        """What adds risk is never sent again, and nothing where numbers begin at 1 with each connection."""
        return self.resends and msg_type not in _ADD_RISK

    def decode(self, msg_type: str, raw: bytes, fields: Fields | None = None) -> VenueEvent | None:
        """What a message says about orders, by its reader. Raises BadReport."""
        reader = self.readers.get(msg_type)
        return None if reader is None else reader(split(raw) if fields is None else fields, raw)

    def unread(self, fields: Fields, why: str) -> Unreadable | None:
        """The orders that a message names which cannot be read."""
        return unreadable(fields, why)

    def log_told(self, text: str) -> str:
        """None is named."""
        return ""

    def encode_subscribe(self, md_req_id: str, symbols: Sequence[str]) -> list[Body]:
        """Nothing to subscribe to, without more."""
        return []

    def encode_refresh(self, md_req_id: str, former_id: str, symbols: Sequence[str]) -> list[Body]:
        """Nothing to ask for, without more."""
        return []

    def encode_depth(self, md_req_id: str, symbol: str, levels: int) -> DepthQuestion | None:
        """No such question, without more: the subscription tells all of the book."""
        return None

    def encode_instruments(self, req_id: str) -> Body | None:
        """None: a venue that lists its instruments says how it is asked."""
        return None

    def decode_instruments(self, msg_type: str, raw: bytes) -> InstrumentList | None:
        """SecurityList(y): each entry of the group NoRelatedSym(146), by `listed_as`. Raises BadReport."""
        if msg_type != "y":
            return None
        return InstrumentList(tuple(map(self._listed, group(raw, b"146"))), split(raw).get(b"893") == b"N")

    def _listed(self, entry: Fields) -> ListedInstrument:
        """One entry. A number that cannot be read counts as not told."""
        notes = Notes()
        numbers = {name: notes.decimal(entry, tag) for name, tag in self.listed_as.items()}
        return ListedInstrument(require(entry, b"55"), **numbers, why_shut=self.why_shut(entry))

    def why_shut(self, entry: Fields) -> str:
        """Why nobody may trade in an instrument now; "" without more: a list has no state of it."""
        return ""

    def decode_market_data(self, msg_type: str, raw: bytes) -> list[BookEntry] | SubscriptionRejected:
        """The entries of a W or X; or a Y."""
        return subscription_rejected(raw) if msg_type == "Y" else book_entries(msg_type, raw)


def needed_credentials(credentials: Credentials | None, kind: type[Kind], why: str) -> Kind:
    """The credentials, which have to be of that kind for the reason `why`. Raises ValueError."""
    if not isinstance(credentials, kind):
        raise ValueError(f"{why}: set the venue's [credentials]")
    return credentials


def settings_from_one(identity: Identity, logon_fields: LogonFields | None = None) -> SessionSettings:
    """A session whose numbers start at 1 with each logon: nothing is resent, and a gap ends the connection."""
    return _settings(identity, SequencePolicy.RESET, logon_fields)


def settings_that_persist(identity: Identity, logon_fields: LogonFields | None = None) -> SessionSettings:
    """A session whose numbers persist: what was missed is asked for, and resent."""
    return _settings(identity, SequencePolicy.RESEND, logon_fields)


def _settings(identity: Identity, policy: SequencePolicy, logon_fields: LogonFields | None) -> SessionSettings:
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
        logon_fields=logon_fields,
    )


def related_symbols(symbols: Sequence[str]) -> str:
    """The group NoRelatedSym(146) of a MarketDataRequest(V)."""
    return f"146={len(symbols)}\x01" + "".join(f"55={symbol}\x01" for symbol in symbols)


def plain_subscription(md_req_id: str, symbols: Sequence[str]) -> list[Body]:
    """MarketDataRequest(V): bids, offers and trades at depth 1, incremental."""
    head = f"262={md_req_id}\x01263=1\x01264=1\x01265=1\x01"
    return [Body("V", f"{head}267=3\x01269=0\x01269=1\x01269=2\x01{related_symbols(symbols)}".encode())]


def plain_refresh(md_req_id: str, symbols: Sequence[str]) -> list[Body]:
    """MarketDataRequest(V) with SubscriptionRequestType(263)=0: a snapshot beside the subscription."""
    head = f"262={md_req_id}\x01263=0\x01264=1\x01"
    return [Body("V", f"{head}267=2\x01269=0\x01269=1\x01{related_symbols(symbols)}".encode())]


def plain_depth(md_req_id: str, symbol: str, levels: int) -> DepthQuestion:
    """MarketDataRequest(V) with SubscriptionRequestType(263)=0: one snapshot, MarketDepth(264) prices of a side."""
    head = f"262={md_req_id}\x01263=0\x01264={levels}\x01267=2\x01269=0\x01269=1\x01"
    return DepthQuestion(md_req_id, Body("V", f"{head}{related_symbols([symbol])}".encode()))


ReadFees = Callable[[Fields, bytes, Decimal, Decimal, Notes], tuple[Decimal, str]]
"""As `reading.fees`: the fee of a fill and its asset, from the message, LastQty(32) and LastPx(31)."""


class ReportForm(NamedTuple):
    """Where a venue's ExecutionReport(8) says what the standard says elsewhere.

    `trades` are those values of ExecType(150) that tell of a fill: F one, G a corrected one, H that one is taken back.
    `trade_id` and `error_code` are the tags of a fill's identity and of a refusal's code, b"" for none. A fill added
    liquidity where the field `maker_tag` has the value `maker`.
    """

    trades: str = "FGH"
    trade_id: bytes = b"17"
    error_code: bytes = b"103"
    maker_tag: bytes = b"851"
    maker: bytes = b"1"
    read_fees: ReadFees = fees


FIX44 = ReportForm()


def execution_report(f: Fields, raw: bytes, form: ReportForm = FIX44) -> ExecutionReport:
    """ExecutionReport(8). What identifies a fill, or tells of a change, has to be readable; the rest is noted where it
    is not. Raises BadReport."""
    exec_type, notes = require_character(f, b"150"), Notes()
    is_trade = exec_type in form.trades
    last_qty = required_number(f, b"32") if is_trade and exec_type != "H" else ZERO
    last_px = (notes.decimal(f, b"31") or ZERO) if is_trade else ZERO
    # Of an order for an amount of the quote asset, CashOrderQty(152), a quantity is no term.
    has_qty = b"152" not in f
    fee_qty, fee_asset = form.read_fees(f, raw, last_qty, last_px, notes) if is_trade else (ZERO, "")
    return ExecutionReport(
        cl_ord_id=text(f, b"11"),
        orig_cl_ord_id=text(f, b"41"),
        order_id=name(f, b"37"),
        exec_id=text(f, b"17"),
        exec_type=exec_type,
        ord_status=text(f, b"39") if is_trade else require_character(f, b"39"),
        symbol=instrument(f),
        side=text(f, b"54"),
        order_qty=notes.decimal(f, b"38") if has_qty else None,
        price=notes.decimal(f, b"44"),
        last_qty=last_qty,
        last_px=last_px,
        cum_qty=notes.decimal(f, b"14"),
        leaves_qty=notes.decimal(f, b"151") if has_qty else None,
        trade_key=require(f, form.trade_id) if is_trade else "",
        fee_qty=fee_qty,
        fee_asset=fee_asset,
        transact_ns=notes.time_ns(f, b"60"),
        error_code=notes.integer(f, form.error_code),
        text=text(f, b"58"),
        reference_trade_key=name(f, b"19"),
        maker=is_trade and f.get(form.maker_tag) == form.maker,
        unread=tuple(notes),
        avg_px=notes.decimal(f, b"6"),
    )


def cancel_rejected(f: Fields, raw: bytes) -> CancelRejected:
    """OrderCancelReject(9), whose CxlRejReason(102)=1 says that the order is not known."""
    return CancelRejected(
        cl_ord_id=text(f, b"11"),
        orig_cl_ord_id=text(f, b"41"),
        order_id=name(f, b"37"),
        ord_status=text(f, b"39"),
        error_code=Notes().integer(f, b"102"),
        text=text(f, b"58"),
        unknown_order=f.get(b"102") == _UNKNOWN_ORDER,
    )


def request_rejected(f: Fields, raw: bytes) -> RequestRejected:
    """Reject(3) and BusinessMessageReject(j), which name our message by RefSeqNum(45).

    BusinessRejectRefID(379) of a status request's rejection is the order's own ClOrdID(11): that one is not rejected.
    """
    code = b"373" if f.get(b"35") == b"3" else b"380"
    named = "" if f.get(b"372") == _STATUS_REQUEST else text(f, b"379")
    return RequestRejected(integer(f, b"45"), None, named, Notes().integer(f, code), text(f, b"58"))


def mass_cancel_reported(f: Fields, raw: bytes) -> MassCancelReported:
    """OrderMassCancelReport(r): MassCancelResponse(531)=0 is a refusal."""
    accepted, notes = f.get(b"531", b"0") != b"0", Notes()
    affected, reason = notes.integer(f, b"533"), notes.integer(f, b"532")
    return MassCancelReported(text(f, b"11"), text(f, b"55"), accepted, affected, reason, text(f, b"58"))


def announced(f: Fields, raw: bytes) -> Announced:
    """News(B): its Headline(148)."""
    return Announced(text(f, b"148"))


STANDARD_READERS: Mapping[str, Reader] = {
    "8": execution_report,
    "9": cancel_rejected,
    "3": request_rejected,
    "j": request_rejected,
    "r": mass_cancel_reported,
    "B": announced,
}
"""What tells of orders in FIX 4.4."""

"""What a venue's dialect is: how this venue spells our commands in FIX, and what its answers mean in ours.

A dialect is pure: commands and raw messages in, bytes and neutral events out. It knows the client's side alone; the
simulated exchange spells the other side on its own, from the venue's document. Prices and quantities are Decimal on
our side and plain decimal text on the wire, never in scientific notation.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple, Protocol

from common.fix.session_types import SessionSettings
from common.instant import NS_PER_MS
from common.messages import AmendOrder, CancelOrder, NewOrder, QueryOrder, Unreadable, VenueEvent
from common.venues.credentials import Credentials
from common.venues.venue import VenueProfile


class BadReport(Exception):
    """A message of the venue passed the session but cannot be read as what its MsgType(35) says. It names the field."""


class Identity(NamedTuple):
    """Who speaks to whom on one connection, and how often at least: HeartBtInt(108) in seconds.

    `last_nonce_ms` is what `nonce_ms` gave for the Logon(A) before this connection's, 0 where there was none.
    `drop_copy`: it is to hear what the account's other connections hear, and sends nothing; its numbers start at 1.
    """

    sender_comp_id: str
    target_comp_id: str
    heart_bt_int_s: int
    last_nonce_ms: int = 0
    drop_copy: bool = False


def nonce_ms(last_nonce_ms: int, sending_ns: int) -> int:
    """The number of a Logon(A) that is sent at that Unix time: milliseconds that grow with each, whatever the clock
    does.
    """
    return max(sending_ns // NS_PER_MS, last_nonce_ms + 1)


class Body(NamedTuple):
    """A message to be sent: MsgType(35) and the fields after the standard header, each ended by SOH."""

    msg_type: str
    fields: bytes


class DepthQuestion(NamedTuple):
    """A question for many prices of one book, answered by a W or a Y under that MDReqID(262).

    `end` ends what the venue tells from then on, where it tells prices to subscribers alone.
    """

    md_req_id: str
    ask: Body
    end: Body | None = None


class BookEntry(NamedTuple):
    """One entry of market data in order of arrival. `what` is MDEntryType(269): "0" bid, "1" offer, "2" trade.

    `action` is MDUpdateAction(279) ("0" new, "1" change, "2" delete), or "W" for a snapshot's entry; an entry with
    action "W" and `what` "" begins the snapshot: the symbol's book is empty from there. `what` is "?" where an entry
    names no side but its `entry_id`, MDEntryID(278).

    An entry of what "#" is no price: its `entry_id` is the venue's checksum of the book as the entries before it have
    left it.

    Where the venue numbers what it says of a symbol, `sequence` is that number, RptSeq(83), of every entry of a
    message, and one that tells nothing else is an entry of what "."; a snapshot's beginning has `goes_on` where another
    message of the same snapshot follows. An entry of action "-" says that the order `entry_id` is less by `qty`. Where
    a message says which one it follows, `follows` is that one's `sequence`, 0 for none.

    `why` says that something about the symbol could not be read: its book is not known until the next snapshot. Where
    it is not even known of which symbol, `symbol` is "" and it may be any.
    """

    symbol: str
    what: str
    action: str
    px: Decimal | None
    qty: Decimal
    taker_side: str = ""
    entry_id: str = ""
    why: str = ""
    sequence: int = 0
    goes_on: bool = False
    follows: int = 0


class SubscriptionRejected(NamedTuple):
    """MarketDataRequestReject(Y). `is_double`: what was asked for is subscribed to already, and goes on."""

    md_req_id: str
    text: str
    is_double: bool = False


class ListedInstrument(NamedTuple):
    """An instrument as the venue lists it, in the words of the configuration; None for a number that it does not tell.

    `why_shut`: why nobody may trade in it now, in the venue's word; "" where one may.
    """

    symbol: str
    tick_size: Decimal | None = None
    lot_size: Decimal | None = None
    min_qty: Decimal | None = None
    max_qty: Decimal | None = None
    min_notional: Decimal | None = None
    multiplier: Decimal | None = None
    why_shut: str = ""


class InstrumentList(NamedTuple):
    """What one message of the venue lists; `goes_on` where another message of the same list follows."""

    instruments: tuple[ListedInstrument, ...]
    goes_on: bool = False


class VenueLimit(NamedTuple):
    """One of the venue's own limits as it stands: `kind` is "orders", "messages" or "subscriptions"."""

    kind: str
    used: int
    maximum: int
    interval_s: int


class Dialect(Protocol):
    """One venue's way of speaking, the client's side. It is never given what its profile says that the venue lacks."""

    profile: VenueProfile

    best_only: str
    """Why no more than the best prices of a book is to be had; "" where there is more."""

    def session_settings(self, identity: Identity, credentials: Credentials | None) -> SessionSettings:
        """The FIX session of an order entry connection. Raises ValueError where the credentials are of no use."""

    def market_data_settings(self, identity: Identity, credentials: Credentials | None) -> SessionSettings:
        """The FIX session of a market data connection: numbers start at 1 at each logon."""

    def header_fields(self, time_left_ns: int | None, wall_ns: int) -> bytes:
        """Extra header fields of an order message: the venue's own window, from what is left of the deadline, and
        `wall_ns`, since when the venue counts it, where that is a field of its own."""

    def encode_new(self, command: NewOrder, wall_ns: int) -> Body:
        """A new order. `wall_ns` is for TransactTime(60), where the venue has it."""

    def encode_list(self, command: NewOrder, wall_ns: int) -> Body:
        """An order list, all of its orders in one message."""

    def encode_amend(self, command: AmendOrder, wall_ns: int) -> Body:
        """A change of quantity or price, as this venue spells it."""

    def amend_is_new_order(self, command: AmendOrder) -> bool:
        """Whether that amendment is a cancel and a new order of its own (its ClOrdID(11) is then another order's)."""

    def encode_cancel(self, command: CancelOrder, wall_ns: int) -> Body:
        """A cancel of one order."""

    def encode_query(self, command: QueryOrder) -> Body | None:
        """A question for an order's state; None where the profile says that there is none."""

    def encode_mass_cancel(self, cl_ord_id: str, symbol: str, wall_ns: int) -> Body | None:
        """A cancel of every open order of the account in `symbol`; None where the profile says
        that there is none."""

    def encode_limit_query(self, req_id: str) -> Body | None:
        """A question for the venue's limits and what is used of them; None where the profile says there is none."""

    def decode_limits(self, msg_type: str, raw: bytes) -> list[VenueLimit]:
        """What that question was answered with; empty for other messages. Raises BadReport."""

    def resendable(self, msg_type: str) -> bool:
        """Whether a message of this type is sent again at a ResendRequest(2). What adds risk never is."""

    def decode(self, msg_type: str, raw: bytes, fields: Mapping[bytes, bytes] | None = None) -> VenueEvent | None:
        """What a message of the venue says about orders, `Several` where it is several things; None when it says
        nothing. Raises BadReport, also where only one of several cannot be read.

        `fields` is the message as `wire.split` cuts it, where the caller has it already.
        """

    def unread(self, fields: Mapping[bytes, bytes], why: str) -> Unreadable | None:
        """What order a message names that cannot be read, or not believed, for the reason `why`; None for none."""

    def log_told(self, text: str) -> str:
        """The id of the log that the venue's RawData(96) of Logon(A) or Text(58) of Logout(5) names, by which its
        numbers are counted; "" where it names none. Another id than before: it has lost its numbers, or lost what they
        counted."""

    def encode_subscribe(self, md_req_id: str, symbols: Sequence[str]) -> list[Body]:
        """Subscriptions to the best prices and the trades of `symbols`. `md_req_id` is the stem of MDReqID(262)."""

    def encode_refresh(self, md_req_id: str, former_id: str, symbols: Sequence[str]) -> list[Body]:
        """A question for the best prices of `symbols`, answered with W. `former_id` is the stem of the subscription's
        MDReqID(262), `md_req_id` of what takes its place, where the venue tells prices to subscribers only."""

    def encode_depth(self, md_req_id: str, symbol: str, levels: int) -> DepthQuestion | None:
        """A question for about so many prices of each side, under that MDReqID(262) where its name is free; None where
        the subscription tells all of the book already, or `best_only` says why nothing does."""

    def encode_instruments(self, req_id: str) -> Body | None:
        """A question for all instruments on the market data session; None where the profile says that none is
        answered."""

    def decode_instruments(self, msg_type: str, raw: bytes) -> InstrumentList | None:
        """What that question was answered with; None for other messages. Raises BadReport."""

    def decode_market_data(self, msg_type: str, raw: bytes) -> list[BookEntry] | SubscriptionRejected:
        """The entries of a W or X, in order; or a Y. Empty for other types. What cannot be read is an entry too."""


def plain(value: Decimal) -> str:
    """A decimal as FIX wants it: digits and a point, no exponent."""
    text = str(value)
    return format(value, "f") if "E" in text else text

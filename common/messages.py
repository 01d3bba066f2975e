"""Every message that crosses a process boundary, and every reason that one can give.

Two families share the module. *Link messages* travel over ZeroMQ and are gone; *payloads* are what journal records
carry and must stay readable for ever. Rules of evolution, for both: a field is only ever appended, with a default; a
tag, a kind number and a reason are never used again for something else. All are msgspec Structs, array-like, tagged
and frozen, in MessagePack.

Words used throughout: prices and quantities are Decimal; `side`, `ord_type`, `time_in_force`, `instructions`,
`exec_type` and `ord_status` hold FIX's own codes (Side(54), OrdType(40), TimeInForce(59), ExecInst(18), ExecType(150),
OrdStatus(39)); a `*_ns` stamp is Unix time in nanoseconds by the journal's clock, unless the name says `sent_` or
`heard_`.

`venue`, `account` and `session` are three words. A venue is a configured file, an exchange. An account is where orders,
fills, positions and balances are: its name is its own in the whole stack, and a command names it. A session is one FIX
connection of one account, with numbers of its own and a name that no other has; orders chooses it. What has one account
with one session has one name for all three, and so has everything that older code wrote.
"""

import enum
from collections.abc import Callable, Sequence
from decimal import Decimal
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeVar

import msgspec

from common.contracts import Contract
from common.older_records import MSG_TYPES_OF_NEW_ORDERS

# ---- limits ----
MAX_RECORD_BYTES = 1 << 20
"""The largest payload that the journal takes."""

MAX_MESSAGE_BYTES = 2 * MAX_RECORD_BYTES
"""No link accepts a larger message: a record, with what goes around it, is well below."""

MAX_ENTRY_BYTES = 4 << 10
"""The same for what a client asks of orders."""

MAX_REQUEST_BYTES = 16 << 10
"""The same for a command on the ring, a question to an account and a person's request: what a client's request becomes
is below, and a record that repeats it several times still fits.
"""

MAX_FIX_MESSAGE_BYTES = MAX_RECORD_BYTES - (64 << 10)
"""The largest BodyLength(9) that a session reads: its record has the raw bytes and, within what is left, their meaning.
"""

MAX_TEXT_CHARACTERS = 500
"""Of a text that somebody else wrote a record has so much."""

MAX_TIME_TO_LIVE_NS = 1_000_000_000
"""D of the design: the longest life of a command that adds risk, and how long a restarted orders or risk waits."""

LATE_NS = 250_000_000
"""A number not yet released this long after its deadline is withdrawn by its session."""

HIGHEST_NUMBER = (1 << 63) - 1
"""What a link takes as a number, an epoch or a place in the log at most. Records may have more."""

Count = Annotated[int, msgspec.Meta(ge=0, le=HIGHEST_NUMBER)]
Number = Annotated[int, msgspec.Meta(ge=1, le=HIGHEST_NUMBER)]
STRATEGY_NAME = "[a-z][a-z0-9_-]{0,19}"
"""What a strategy may be called: the name stands in file names, in an actor's name and on command lines."""

PRINTABLE = r"\A[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*\Z"
"""No character that steers a terminal: a link takes no other text, since people will read it there."""

StrategyName = Annotated[str, msgspec.Meta(max_length=20, pattern=rf"\A{STRATEGY_NAME}\Z")]
Name = Annotated[str, msgspec.Meta(max_length=64, pattern=PRINTABLE)]
Text = Annotated[str, msgspec.Meta(max_length=128, pattern=PRINTABLE)]
WriterName = Annotated[str, msgspec.Meta(min_length=1, max_length=32, pattern=r"\A[ -~]+\Z")]
RecordKind = Annotated[int, msgspec.Meta(ge=16, le=0xFFFF)]

FIRST_LOST_NUMBER = 9_000_000_000_000_000
LAST_LOST_NUMBER = (1 << 53) - 1
"""So orders are numbered that only the lost end of a log knew: their own numbers may be another's by now. No command
has such a number, and a reader of JSON still takes it for a whole one."""

Side = Literal["1", "2"]
OrdType = Literal["1", "2", "3", "4", "P"]
TimeInForce = Literal["1", "3", "4", "6"]
Instructions = Literal["", "6", "E", "6E"]
Contingency = Literal["", "1", "2"]
ONE_CANCELS_OTHER: Contingency = "1"
ONE_TRIGGERS_OTHER: Contingency = "2"
MOST_FURTHER_ORDERS = 2
"""An order list has so many orders behind its first one at most."""

PegPriceType = Literal["", "4", "5", "8"]
PegOffsetType = Literal["", "0", "1", "3"]
SIDE_BUY: Side = "1"
SIDE_SELL: Side = "2"
STOPS = ("3", "4")
PEGGED: OrdType = "P"
MARKET_PEG: PegPriceType = "4"
PRIMARY_PEG: PegPriceType = "5"
TRAILING_STOP_PEG: PegPriceType = "8"
OFFSET_PRICE: PegOffsetType = "0"
OFFSET_BASIS_POINTS: PegOffsetType = "1"
OFFSET_LEVELS: PegOffsetType = "3"
NO_INSTRUCTIONS: Instructions = ""
POST_ONLY: Instructions = "6"
REDUCE_ONLY: Instructions = "E"
INSTRUCTIONS: dict[tuple[bool, bool], Instructions] = {
    (False, False): NO_INSTRUCTIONS,
    (True, False): POST_ONLY,
    (False, True): REDUCE_ONLY,
    (True, True): "6E",
}
"""By whether it is post only, and whether it is reduce only."""

PROTOCOL = 1
"""Of the order entry link: what a client says of itself that reads today's messages. 0, or nothing, is one of before
there were `Terms`, which goes on to be told of orders by the older message.
"""


# ---- reasons ----
class Reason(enum.StrEnum):
    """Why something was refused, withdrawn or closed. Stored and shown by value; `sentence` explains it."""

    NONE = "none"
    UNKNOWN_VENUE = "unknown_venue"
    UNKNOWN_ACCOUNT = "unknown_account"
    UNKNOWN_SYMBOL = "unknown_symbol"
    UNKNOWN_ORDER = "unknown_order"
    ORDER_CLOSED = "order_closed"
    BAD_PRICE = "bad_price"
    BAD_TICK = "bad_tick"
    BAD_QUANTITY = "bad_quantity"
    BAD_LOT = "bad_lot"
    BELOW_MINIMUM_QUANTITY = "below_minimum_quantity"
    ABOVE_MAXIMUM_QUANTITY = "above_maximum_quantity"
    BELOW_MINIMUM_NOTIONAL = "below_minimum_notional"
    ABOVE_MAXIMUM_NOTIONAL = "above_maximum_notional"
    PRICE_COLLAR = "price_collar"
    REFERENCE_STALE = "reference_stale"
    POSITION_LIMIT = "position_limit"
    OPEN_ORDER_LIMIT = "open_order_limit"
    STRATEGY_RATE = "strategy_rate"
    SESSION_RATE = "session_rate"
    DUPLICATE_NAME = "duplicate_name"
    NAME_REUSED = "name_reused"
    NOT_AMENDABLE = "not_amendable"
    REQUEST_PENDING = "request_pending"
    HALTED = "halted"
    KILLED = "killed"
    RESTARTING = "restarting"
    NOT_CONNECTED = "not_connected"
    GATE_CLOSED = "gate_closed"
    QUEUE_FULL = "queue_full"
    LOW_DISK = "low_disk"
    JOURNAL_AWAY = "journal_away"
    SUPERSEDED = "superseded"
    STALE_EPOCH = "stale_epoch"
    EXPIRED = "expired"
    LATE = "late"
    CONNECTION_LOST = "connection_lost"
    SHUTDOWN = "shutdown"
    UNSUPPORTED = "unsupported"
    VENUE_REJECTED = "venue_rejected"
    NOT_RECEIVED = "not_received"
    NOT_FOUND = "not_found"
    OPERATOR = "operator"
    RATE_EXCEEDED_AT_VENUE = "rate_exceeded_at_venue"
    OUT_OF_BOUNDS = "out_of_bounds"
    INSTRUMENT_DIFFERS = "instrument_differs"
    INSTRUMENT_EXPIRED = "instrument_expired"
    COPY_BEHIND = "copy_behind"

    @property
    def sentence(self) -> str:
        """The reason as one sentence for a person."""
        return REASON_SENTENCES[self]


REASON_SENTENCES: dict[Reason, str] = {
    Reason.NONE: "No reason was given.",
    Reason.UNKNOWN_VENUE: "No venue of that name is configured.",
    Reason.UNKNOWN_ACCOUNT: "The venue has no account of that name, or has several and none was named.",
    Reason.UNKNOWN_SYMBOL: "The venue's configuration has no such symbol.",
    Reason.UNKNOWN_ORDER: "No open order has that name.",
    Reason.ORDER_CLOSED: "The order is closed already.",
    Reason.BAD_PRICE: "The price is missing, not positive, or not allowed with this order type.",
    Reason.BAD_TICK: "The price is not a multiple of the symbol's tick size.",
    Reason.BAD_QUANTITY: "The quantity is missing, not positive, or not above what is filled.",
    Reason.BAD_LOT: "The quantity is not a multiple of the symbol's lot size.",
    Reason.BELOW_MINIMUM_QUANTITY: "The quantity is below the symbol's minimum.",
    Reason.ABOVE_MAXIMUM_QUANTITY: "The quantity is above the symbol's or the strategy's maximum.",
    Reason.BELOW_MINIMUM_NOTIONAL: "Price times quantity is below the symbol's minimum.",
    Reason.ABOVE_MAXIMUM_NOTIONAL: "Price times quantity is above the limit.",
    Reason.PRICE_COLLAR: "The price is too far from the reference price.",
    Reason.REFERENCE_STALE: "There is no reference price, or it is too old.",
    Reason.POSITION_LIMIT: "The position, with every open order at its worst, would pass the limit.",
    Reason.OPEN_ORDER_LIMIT: "Too many orders are open.",
    Reason.STRATEGY_RATE: "The strategy sends more messages than its rate allows.",
    Reason.SESSION_RATE: "The session's message rate is used up (a share stays for cancels).",
    Reason.DUPLICATE_NAME: "That name was used before and its order is not known any more.",
    Reason.NAME_REUSED: "That name was used before with another body.",
    Reason.NOT_AMENDABLE: "The venue or the order's state does not allow this amendment.",
    Reason.REQUEST_PENDING: "An earlier amendment of this order is not answered yet.",
    Reason.HALTED: "Trading is halted.",
    Reason.KILLED: "The kill switch is latched.",
    Reason.RESTARTING: "The actor was restarted and still waits for its former life to end.",
    Reason.NOT_CONNECTED: "The session is not logged on.",
    Reason.GATE_CLOSED: "The session has not been reconciled since it logged on.",
    Reason.QUEUE_FULL: "The next station's queue is full.",
    Reason.LOW_DISK: "The journal's disk is nearly full.",
    Reason.JOURNAL_AWAY: "The journal does not answer.",
    Reason.SUPERSEDED: "A later instance of the strategy has taken its name.",
    Reason.STALE_EPOCH: "The command was meant for an earlier life of the order manager.",
    Reason.EXPIRED: "The deadline passed before the journal had the message.",
    Reason.LATE: "The message was not released in time.",
    Reason.CONNECTION_LOST: "The connection was lost before the message reached it.",
    Reason.SHUTDOWN: "The session was shutting down.",
    Reason.UNSUPPORTED: "The venue has no such request.",
    Reason.VENUE_REJECTED: "The venue rejected the request.",
    Reason.NOT_RECEIVED: "The venue's own sequence numbers show that it never received the message.",
    Reason.NOT_FOUND: "The venue, asked after every window had closed, does not know the order.",
    Reason.OPERATOR: "An operator's journaled word.",
    Reason.RATE_EXCEEDED_AT_VENUE: "The venue refused the request for its rate limit.",
    Reason.INSTRUMENT_DIFFERS: "The venue's own list has the instrument otherwise than configured, or not at all.",
    Reason.INSTRUMENT_EXPIRED: "The instrument has expired: nothing in it trades any more.",
    Reason.COPY_BEHIND: "The copy of the journal off the machine is further behind than is configured.",
    Reason.OUT_OF_BOUNDS: "A text or a number of the request is beyond what the link takes.",
}


class JournalLevel(enum.IntEnum):
    """What the journal tells of itself with each acknowledgement and tick: but for NOTHING, what adds risk is refused.

    Stored in ticks, so that a level never means something else later.
    """

    NOTHING = 0
    LOW_DISK = 1
    COPY_BEHIND = 2

    @classmethod
    def reason_of(cls, level: int) -> Reason:
        """Why what adds risk is refused, NONE where it is not. A level of a later program refuses like the first."""
        if level == cls.NOTHING:
            return Reason.NONE
        return Reason.COPY_BEHIND if level == cls.COPY_BEHIND else Reason.LOW_DISK


# ---- whose it is ----


def name_as_before(struct: msgspec.Struct, name: str) -> None:
    """Name the account, the session and the venue of a struct of older code, which had one `name` for all three."""
    for field in ("account", "session", "venue"):
        if getattr(struct, field, None) == "":
            msgspec.structs.force_setattr(struct, field, name)


# ---- what is wanted of an order ----
_FLAT_TERMS: dict[str, tuple[Any, Any]] = {
    "side": (Side, None),
    "ord_type": (OrdType, None),
    "order_qty": (Decimal, None),
    "price": (Decimal | None, None),
    "time_in_force": (TimeInForce, "1"),
    "post_only": (bool, False),
}
"""The terms as they stood in a row where `terms` is now, with their types, and the defaults of the later ones."""


class Terms(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What is wanted of an order: the same in a request, a command, the folded order and an event.

    `side`: Side(54).
    `ord_type`: OrdType(40).
    `order_qty`: OrderQty(38), in the base asset: the total, what is filled included.
    `price`: Price(44) of a limit or stop-limit order; a market, stop or pegged order has none.
    `time_in_force`: TimeInForce(59).
    `instructions`: The codes of ExecInst(18), in rising order: `"6"` rests or is rejected, and never takes; `"E"` only
    makes the account's position in contracts smaller: what of it would not is never filled.
    `stop_px`: StopPx(99) of a stop or stop-limit order: it sleeps until a trade is at that price or beyond it, above
    for a buy and below for a sale, and is a market or limit order from then on.
    `expire_ns`: ExpireTime(126) of an order that is good till a date, Unix nanoseconds; 0 of any other.
    `display_qty`: DisplayQty(1138) of an iceberg order: no more of it is seen in the book at once; none shows all.
    `cash_order_qty`: CashOrderQty(152) of a market order for an amount of the quote asset: so much is to be spent, or
    had. `order_qty` of a request is 0 then, and from risk on the most that it may come to in the base asset.
    `take_profit`: Of a stop or stop-limit order: it waits for a price that is better for it, a trade at `stop_px` or
    below for a buy and above for a sale.
    `peg_price_type`: PegPriceType(1094): `"8"` of a trailing stop, whose stop price follows the market by `peg_offset`
    where that is better for it, from `stop_px` on if it has one; `"4"` of a pegged order that takes the best price of
    the other side when it is placed, `"5"` that of its own side.
    `peg_offset`: PegOffsetValue(211): how far a trailing stop follows, or how many prices deeper in the book than the
    best one a pegged order stands.
    `peg_offset_type`: PegOffsetType(836): `"0"` a price, `"1"` basis points, `"3"` price levels.
    `paid`: Of a pending order of a list: it sells what the first one's fill has brought, which the venue counts. Until
    it does, `order_qty` is the first one's, more than which it never is.
    """

    side: Side
    ord_type: OrdType
    order_qty: Decimal
    price: Decimal | None = None
    time_in_force: TimeInForce = "1"
    instructions: Instructions = ""
    stop_px: Decimal | None = None
    expire_ns: int = 0
    display_qty: Decimal | None = None
    cash_order_qty: Decimal | None = None
    take_profit: bool = False
    peg_price_type: PegPriceType = ""
    peg_offset: Decimal | None = None
    peg_offset_type: PegOffsetType = ""
    paid: bool = False

    @property
    def waits(self) -> bool:
        """Whether it may stay for longer than a moment: good till cancelled, or till a date."""
        return self.time_in_force in ("1", "6")

    @property
    def is_stop(self) -> bool:
        """Whether it sleeps until its stop price is reached: a stop or a stop-limit order."""
        return self.ord_type in STOPS

    @property
    def is_trailing(self) -> bool:
        """Whether its stop price follows the market."""
        return self.peg_price_type == TRAILING_STOP_PEG

    @property
    def is_pegged(self) -> bool:
        """Whether the venue gives it its price, once, out of the book."""
        return self.ord_type == PEGGED

    @property
    def further(self) -> tuple[tuple[str, Any], ...]:
        """What it has of the terms that not every log knows, by name."""
        values, reduces = _further_values(self), (("reduce_only", True),) if self.is_reduce_only else ()
        if values == _FURTHER_DEFAULTS:
            # As nearly every order is.
            return reduces
        told = zip(_FURTHER_TERMS, values, _FURTHER_DEFAULTS, strict=True)
        return (*((name, value) for name, value, default in told if value != default), *reduces)

    @property
    def is_post_only(self) -> bool:
        """Whether it rests or is rejected, and never takes."""
        return POST_ONLY in self.instructions

    @property
    def is_reduce_only(self) -> bool:
        """Whether it only makes the account's position smaller, and never turns it round."""
        return REDUCE_ONLY in self.instructions


_FURTHER_TERMS = {
    field.name: field.default
    for field in msgspec.structs.fields(Terms)
    if field.name not in (*_FLAT_TERMS, "instructions")
}
_FURTHER_DEFAULTS = tuple(_FURTHER_TERMS.values())
_further_values: Callable[[Terms], tuple[Any, ...]] = attrgetter(*_FURTHER_TERMS)


class OfTerms:
    """What has `terms`, and is asked for the commonest of them by name."""

    __slots__ = ()
    if TYPE_CHECKING:
        terms: Terms

    @property
    def side(self) -> Side:
        """Side(54)."""
        return self.terms.side

    @property
    def ord_type(self) -> OrdType:
        """OrdType(40)."""
        return self.terms.ord_type

    @property
    def order_qty(self) -> Decimal:
        """OrderQty(38), the total."""
        return self.terms.order_qty

    @property
    def price(self) -> Decimal | None:
        """Price(44); none where the order has none."""
        return self.terms.price


def flat_fields(message: msgspec.Struct) -> dict[str, Any]:
    """Every field of a message by its name, those of its terms in the place where `terms` is."""
    fields: dict[str, Any] = {}
    for name in message.__struct_fields__:
        value = getattr(message, name)
        fields |= msgspec.structs.asdict(value) if isinstance(value, Terms) else {name: value}
    return fields


# ---- commands on the ring ----
class Attempt(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The name of one sending of one command: orders' epoch and a counter within it. Never used twice."""

    epoch: int
    counter: int


class Stamps(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """When a command passed each stage, Unix time in nanoseconds by the stage's own wall clock; 0 where it did not.

    The session's stands in `Outbound`, and the journal's is the record's own.
    """

    strategy_ns: int = 0
    orders_ns: int = 0
    risk_ns: int = 0


class Decision(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What risk saw when it approved: replay folds it and never decides again."""

    reference_price: Decimal | None = None
    reference_age_ns: int = 0
    notional: Decimal | None = None
    position_worst: Decimal | None = None
    position_limit: Decimal | None = None
    open_orders: int = 0
    risk_epoch: int = 0


class ListedOrder(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A further order of an order list, with the names that it goes by from orders on."""

    terms: Terms
    attempt: Attempt
    cl_ord_id: str


class NewOrder(OfTerms, msgspec.Struct, array_like=True, frozen=True, gc=False, tag="new_order"):
    """orders -> risk -> session: a NewOrderSingle(D) to be sent. The order's name is (`strategy`, `number`).

    `by` is the person who wants it, "" nobody but the strategy; `cause` what it follows from: a signal, a parent order,
    an alert.

    With `further` orders it is a list, sent in one message: ContingencyType(1385) `contingency` "1" is two orders of
    which one cancels the other, "2" a first one that, once it is filled, triggers one other or two of which one cancels
    the other. They are named by the numbers behind the command's own.
    """

    attempt: Attempt
    strategy: str
    number: int
    venue: str
    symbol: str
    terms: Terms
    cl_ord_id: str
    deadline_ns: int
    label: str = ""
    decision: Decision | None = None
    account: str = ""
    session: str = ""
    by: str = ""
    cause: str = ""
    stamps: Stamps = Stamps()
    contingency: Contingency = ""
    further: tuple[ListedOrder, ...] = ()

    def __post_init__(self) -> None:
        if not self.account:
            name_as_before(self, self.venue)

    @property
    def orders(self) -> "tuple[NewOrder, ...]":
        """Each order that it opens, as a command of its own."""
        if not self.further:
            return (self,)
        alone = msgspec.structs.replace(self, contingency="", further=())
        return (
            alone,
            *(
                msgspec.structs.replace(
                    alone, attempt=each.attempt, number=self.number + index, terms=each.terms, cl_ord_id=each.cl_ord_id
                )
                for index, each in enumerate(self.further, 1)
            ),
        )


class AmendOrder(OfTerms, msgspec.Struct, array_like=True, frozen=True, gc=False, tag="amend_order"):
    """orders -> risk -> session: change total quantity or price of an open order, as the venue's dialect spells it.

    `strategy`, `number` name the command, `target_*` the order; `orig_cl_ord_id` is the name the venue knows it by
    now. `terms` are the complete new ones (total quantity, filled part included). Where the dialect can only cancel and
    send a new order, the new order's own quantity is what is left of OrderQty(38).
    `asked` is the digest of the terms that the strategy asked for, by which a repeat is known; older logs lack it.
    """

    attempt: Attempt
    strategy: str
    number: int
    venue: str
    symbol: str
    terms: Terms
    cl_ord_id: str
    orig_cl_ord_id: str
    order_id: str
    target_strategy: str
    target_number: int
    former_order_qty: Decimal
    former_price: Decimal | None
    cum_qty: Decimal
    deadline_ns: int
    decision: Decision | None = None
    asked: bytes = b""
    account: str = ""
    session: str = ""
    by: str = ""
    cause: str = ""
    stamps: Stamps = Stamps()

    def __post_init__(self) -> None:
        if not self.account:
            name_as_before(self, self.venue)


class CancelOrder(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="cancel"):
    """orders -> risk -> session: cancel one order. It has no deadline; every sending is an attempt of its own.

    `sleeps`: it is a stop order of which nothing has told that its stop price was reached; older logs do not say so.
    """

    attempt: Attempt
    strategy: str
    number: int
    venue: str
    symbol: str
    side: Side
    cl_ord_id: str
    orig_cl_ord_id: str
    order_id: str
    target_strategy: str
    target_number: int
    order_qty: Decimal
    account: str = ""
    session: str = ""
    by: str = ""
    cause: str = ""
    stamps: Stamps = Stamps()
    sleeps: bool = False
    deadline_ns: ClassVar[None] = None

    def __post_init__(self) -> None:
        if not self.account:
            name_as_before(self, self.venue)


class QueryOrder(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="query"):
    """orders -> risk -> session: ask an order's state over FIX, OrderStatusRequest(H), where the venue has one."""

    attempt: Attempt
    venue: str
    symbol: str
    side: Side
    cl_ord_id: str
    order_id: str
    asked_lsn: int
    asked_ns: int = 0
    account: str = ""
    session: str = ""

    def __post_init__(self) -> None:
        if not self.account:
            name_as_before(self, self.venue)


class OpenGate(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="open"):
    """orders -> risk -> session: everything open or unknown on `venue` was answered or given up for this connection."""

    venue: str
    connection: int
    orders_epoch: int
    account: str = ""
    session: str = ""

    def __post_init__(self) -> None:
        if not self.account:
            name_as_before(self, self.venue)


Command = NewOrder | AmendOrder | CancelOrder | QueryOrder | OpenGate
"""What travels orders -> risk -> session."""


# ---- what older code wrote before there were `Terms` ----

_REQUIRED = ("side", "ord_type", "order_qty")
_newer: dict[type, type] = {}
T = TypeVar("T", bound=msgspec.Struct)


def _before_terms(
    kind: type[msgspec.Struct],
    tag: str,
    *,
    required: Sequence[str] = tuple(_FLAT_TERMS),
    lacks: Sequence[str] = (),
    unbounded: type[msgspec.Struct] | None = None,
) -> type[msgspec.Struct]:
    """The shape under which older code wrote such a Struct: with its terms in a row, those in `lacks` not. `unbounded`
    is the shape that it takes bounded.
    """
    fields: list[Any] = []
    for field in msgspec.structs.fields(kind):
        if field.name == "terms":
            flat = ((name, *its) for name, its in _FLAT_TERMS.items() if name not in lacks)
            fields += [each[:2] if each[0] in required else each for each in flat]
        else:
            fields.append((field.name, field.type) if field.required else (field.name, field.type, field.default))
    older = msgspec.defstruct(
        f"Older{kind.__name__}", fields, bases=None if unbounded is None else (unbounded,), tag=tag, array_like=True,
        frozen=True, gc=False,
    )  # fmt: skip
    _newer[older] = kind if unbounded is None else _newer[unbounded]
    return older


def terms_in_row(values: dict[str, Any]) -> Terms:
    """The terms that older code wrote in a row among other `values`, which are left without them."""
    flat = {name: values.pop(name) for name in _FLAT_TERMS if name in values}
    instructions = POST_ONLY if flat.pop("post_only", False) else ""
    return Terms(**flat, instructions=instructions)


def upgraded(message: Any) -> Any:
    """The message in today's shape, whatever code wrote it."""
    newer = _newer.get(type(message))
    if newer is None:
        return message
    values = msgspec.structs.asdict(message)
    return newer(terms=terms_in_row(values), **values)


def _upgrade_field(struct: msgspec.Struct, name: str) -> None:
    """The field of a record that may hold what older code wrote."""
    value = getattr(struct, name)
    if type(value) in _newer:
        msgspec.structs.force_setattr(struct, name, upgraded(value))


OlderNewOrder = _before_terms(NewOrder, "new")
OlderAmendOrder = _before_terms(AmendOrder, "amend")

if TYPE_CHECKING:
    LoggedCommand = Command
else:
    LoggedCommand = Command | OlderNewOrder | OlderAmendOrder
"""A command as a record has it. Whoever reads the record finds today's: an older one is upgraded with it."""


# ---- what the venue said, in neutral form ----


class ExecutionReport(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="report"):
    """ExecutionReport(8) in the venue-neutral form. `trade_key` is the venue's trade identity, "" when it is no trade.

    `cl_ord_id` is the order's or request's name as the report gives it, `orig_cl_ord_id` the older one if it gives one.
    `cum_qty`/`leaves_qty`/`avg_px` are None where the venue does not say, and `last_px` is 0. `fee_qty` is in
    `fee_asset`, positive when paid.
    `unknown_order` marks the answer to a status request for an order that the venue does not know.
    `reference_trade_key` is what ExecRefID(19) of a trade cancel or correct refers to. `unread` names the fields that
    could not be read and did not matter for what was: they count as not told. `take_profit` is what the venue took a
    stop order for that sleeps: one that takes profit, or one that does not; None where it does not say. `sleeps` is
    whether the order, where it is a stop order, waits for its stop price yet; None where the report does not say.
    """

    cl_ord_id: str
    orig_cl_ord_id: str
    order_id: str
    exec_id: str
    exec_type: str
    ord_status: str
    symbol: str
    side: str
    order_qty: Decimal | None
    price: Decimal | None
    last_qty: Decimal
    last_px: Decimal
    cum_qty: Decimal | None
    leaves_qty: Decimal | None
    trade_key: str = ""
    fee_qty: Decimal = Decimal(0)
    fee_asset: str = ""
    transact_ns: int = 0
    error_code: int = 0
    text: str = ""
    unknown_order: bool = False
    ambiguous: bool = False
    reference_trade_key: str = ""
    maker: bool = False
    unread: tuple[str, ...] = ()
    avg_px: Decimal | None = None
    take_profit: bool | None = None
    sleeps: bool | None = None


class CancelRejected(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="cancel_rejected"):
    """OrderCancelReject(9), or the venue's own spelling of it, for a cancel or an amendment.

    `unknown_order` says that the venue claims not to know the order; `ambiguous` that the outcome is unknown.
    """

    cl_ord_id: str
    orig_cl_ord_id: str
    order_id: str
    ord_status: str
    error_code: int = 0
    text: str = ""
    unknown_order: bool = False
    ambiguous: bool = False


class RequestRejected(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="request_rejected"):
    """Reject(3) or BusinessMessageReject(j) that names our message by RefSeqNum(45); the session adds whose it was."""

    ref_msg_seq_num: int
    attempt: Attempt | None
    cl_ord_id: str
    error_code: int = 0
    text: str = ""
    ambiguous: bool = False


class MassCancelReported(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="mass_cancel"):
    """OrderMassCancelReport(r). `ambiguous`: the venue itself does not know whether it carried the request out."""

    cl_ord_id: str
    symbol: str
    accepted: bool
    affected: int = 0
    error_code: int = 0
    text: str = ""
    ambiguous: bool = False


class Announced(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="news"):
    """News(B): what the venue announces, such as its maintenance."""

    headline: str


class Unreadable(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="unreadable"):
    """A message that names an order and cannot be read or believed: nothing of it counts, and the order is asked about.

    `why` says what is wrong with it. `attempt` is whose message it rejects by RefSeqNum(45), where it does.
    """

    cl_ord_id: str
    orig_cl_ord_id: str
    order_id: str
    symbol: str
    why: str
    attempt: Attempt | None = None


OneEvent = ExecutionReport | CancelRejected | RequestRejected | MassCancelReported | Announced | Unreadable
"""One thing that a message says."""


class Several(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="several"):
    """A message that says several things, such as all fills of one trade: each counts, in this order."""

    events: tuple[OneEvent, ...]


VenueEvent = OneEvent | Several


# ---- journal kinds ----


def events_of(event: VenueEvent | None) -> tuple[OneEvent, ...]:
    """All that a message says, in order."""
    if event is None:
        return ()
    return event.events if isinstance(event, Several) else (event,)


class Kind(enum.IntEnum):
    """The type of a journal record. 1 to 15 are the journal's own (`common.journal.frames`), these are payloads'
    here.
    """

    OUTBOUND = 16
    INBOUND = 17
    SESSION = 18
    REFUSED = 19
    WITHDRAWN = 20
    GAP_FILLED = 21
    ANSWER = 22
    DISCREPANCY = 23
    STATE_HASH = 24
    OPERATOR = 25
    EXPIRED = 26
    VERDICT = 27
    UNANSWERED = 28
    CANCEL_ALL = 29
    RATE_REFUSED = 30
    FILLED_BY_HAND = 31
    DAY_BEGAN = 32
    BOOKED = 33
    ASSET_RATES = 34
    LOST_ORDER = 35


# ---- journal payloads ----


def _opened(outbound: "Outbound") -> bool:
    """Whether a message of older code opens a new order: it was left to the reader to tell by its MsgType(35)."""
    is_replacement = isinstance(outbound.command, AmendOrder) and outbound.msg_type in MSG_TYPES_OF_NEW_ORDERS
    return not outbound.filler and (isinstance(outbound.command, NewOrder) or is_replacement)


class Outbound(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="outbound"):
    """A message with a number of its own, before it may leave. `raw` are the exact bytes, CheckSum(10) included.

    `filler` is the Heartbeat(0) that takes the place of a void or withdrawn number. `emergency` marks a record handed
    over from an emergency file: it supersedes an earlier one of the same session, generation, direction and number.
    `opens` says whether the message opens a new order at the venue: a new order does, and an amendment where the venue
    can only cancel and send another; older logs lack it. `session_ns` is when the session numbered it, by its own wall
    clock. `own` is the name of a request that the session makes by itself, in the order manager's epoch, where the
    venue takes no text as ClOrdID(11) (common/orders/names).
    """

    session: str
    generation: int
    connection: int
    msg_seq_num: int
    msg_type: str
    raw: bytes
    command: LoggedCommand | None = None
    filler: bool = False
    emergency: bool = False
    opens: bool | None = None
    account: str = ""
    venue: str = ""
    session_ns: int = 0
    own: Attempt | None = None

    def __post_init__(self) -> None:
        if not self.account:
            name_as_before(self, self.session)
        _upgrade_field(self, "command")
        if self.opens is None:
            msgspec.structs.force_setattr(self, "opens", _opened(self))


class Inbound(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="inbound"):
    """A message of the venue that took its number, raw and, where it says something about orders, normalised.

    `msg_seq_num` is 0 where the message took no number, since one in it could not be read. `drop_copy`: `session` is a
    drop copy of the account, and no order entry session.
    """

    session: str
    generation: int
    connection: int
    msg_seq_num: int
    msg_type: str
    raw: bytes
    event: VenueEvent | None = None
    poss_dup: bool = False
    emergency: bool = False
    account: str = ""
    venue: str = ""
    drop_copy: bool = False

    def __post_init__(self) -> None:
        if not self.account:
            name_as_before(self, self.session)

    @property
    def events(self) -> tuple[OneEvent, ...]:
        """All that the message says, in order."""
        return events_of(self.event)


class SessionState(enum.StrEnum):
    """What a session's record says happened to it."""

    DISCONNECTED = "disconnected"
    CONNECTING = "connecting"
    LOGGED_ON = "logged_on"
    CAUGHT_UP = "caught_up"
    OPENED = "opened"
    NUMBERS_SET = "numbers_set"
    LATCHED = "latched"
    UNLATCHED = "unlatched"
    LOGGED_OUT_BY_HAND = "logged_out_by_hand"
    HALTED = "halted"


class SessionChanged(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="session"):
    """A step in a session's life. Its numbers are the next to use at that moment, in `generation`.

    `connection` rises with every connection attempt of the session's whole history. CAUGHT_UP: the TestRequest(1) sent
    after Logon(A) was answered, so both sides hold the same numbers. A reset of numbers is a new generation.

    `window_ns`, `assets`: what the session knows of its venue, for whoever folds the log when the configuration does
    not have it any more: how long after a connection's death a request may take effect, and the base and quote asset of
    each symbol. A CONNECTING record has them where the session's log does not say so already, and with them in
    `contracts` what a quantity is of each symbol that is no spot market.

    `numbers_began`: the generation in which the numbers last began at 1, in the first record of an emergency file,
    before which others may have been lost that said so; 0 where the records before it tell.

    `venue_log`: the id of the log by which the venue counts the numbers, where it tells one and it is not the one told
    before; "" says nothing new.
    """

    session: str
    generation: int
    connection: int
    state: SessionState
    next_outbound: int
    next_inbound: int
    sender_comp_id: str = ""
    text: str = ""
    window_ns: int = 0
    assets: dict[str, tuple[str, str]] = {}
    account: str = ""
    venue: str = ""
    numbers_began: int = 0
    contracts: dict[str, Contract] = {}
    venue_log: str = ""

    def __post_init__(self) -> None:
        if not self.account:
            name_as_before(self, self.session)


class Refused(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="refused"):
    """A command that went no further, by whom and why, with the value and the limit that decided."""

    by: str
    reason: Reason
    text: str
    strategy: str
    number: int
    attempt: Attempt | None
    command: LoggedCommand | None = None
    request: "LoggedRequest | None" = None
    value: str = ""
    limit: str = ""

    def __post_init__(self) -> None:
        _upgrade_field(self, "command")
        _upgrade_field(self, "request")


class RefusedAttempt(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One command of a `RateRefused`; refused if its record is stamped by `deadline_ns`, else expired. `identity` is
    its body's (common/request_identity), which the record does not have; older logs lack it.
    """

    number: int
    attempt: Attempt
    deadline_ns: int
    identity: bytes = b""


class RateRefused(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="rate_refused"):
    """Commands of one strategy that went no further since it sends more than it may: a batch in one record."""

    by: str
    reason: Reason
    text: str
    strategy: str
    attempts: tuple[RefusedAttempt, ...]
    limit: str = ""


class Withdrawn(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="withdrawn"):
    """A number that never reached the socket and never will; its attempt is over."""

    session: str
    generation: int
    connection: int
    msg_seq_num: int
    attempt: Attempt | None
    reason: Reason
    emergency: bool = False
    account: str = ""
    venue: str = ""

    def __post_init__(self) -> None:
        if not self.account:
            name_as_before(self, self.session)


class GapFilled(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="gap_filled"):
    """The venue asked for `begin` to `end`; once it is in step, and has not spoken of them, it never received these
    orders among them, which were not sent again.
    """

    session: str
    generation: int
    connection: int
    begin: int
    end: int
    attempts: tuple[Attempt, ...]
    account: str = ""
    venue: str = ""

    def __post_init__(self) -> None:
        if not self.account:
            name_as_before(self, self.session)


class Trade(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One fill as REST tells it; `trade_key` equals the one that FIX gives for it."""

    symbol: str
    trade_key: str
    order_id: str
    side: str
    last_qty: Decimal
    last_px: Decimal
    fee_qty: Decimal
    fee_asset: str
    transact_ns: int
    maker: bool = False


class RestOrder(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """An order as REST tells it. `triggered`: it is a stop order, and the venue says that its price was reached;
    `take_profit` as in `ExecutionReport`."""

    symbol: str
    order_id: str
    cl_ord_id: str
    side: str
    ord_status: str
    order_qty: Decimal
    price: Decimal | None
    cum_qty: Decimal
    transact_ns: int = 0
    triggered: bool = False
    take_profit: bool | None = None


class Ticker(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The best prices of one symbol as REST tells them, and the last trade's; None where there is none."""

    symbol: str
    bid_px: Decimal | None
    bid_qty: Decimal
    ask_px: Decimal | None
    ask_qty: Decimal
    last_px: Decimal | None = None


class Answer(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="answer"):
    """What the venue's REST side said to one `Ask`, or that it failed. Nothing is concluded from a failure.

    `ask` is the whole question. `not_found` is the venue's own "no such order". `venue_ns` is the venue's clock when it
    answered (Unix, 0 unknown). `tickers` are never in a record: who asks for prices keeps them. `positions` are by
    symbol: how many contracts are held, below 0 where they were sold.
    """

    venue: str
    ask: "Ask"
    failed: bool
    error_code: int = 0
    text: str = ""
    not_found: bool = False
    order: RestOrder | None = None
    orders: tuple[RestOrder, ...] = ()
    trades: tuple[Trade, ...] = ()
    balances: tuple[tuple[str, Decimal, Decimal], ...] = ()
    cancelled: int = 0
    venue_ns: int = 0
    account: str = ""
    tickers: tuple["Ticker", ...] = ()
    positions: tuple[tuple[str, Decimal], ...] = ()

    def __post_init__(self) -> None:
        if not self.account:
            name_as_before(self, self.ask.account)


class Discrepancy(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="discrepancy"):
    """A difference that reconciliation found between our books and the venue's, with what was done about it."""

    venue: str
    subject: str
    ours: str
    theirs: str
    evidence_lsn: int
    action: str
    account: str = ""

    def __post_init__(self) -> None:
        if not self.account:
            name_as_before(self, self.venue)


HASH_EVERY = 10_000
"""An actor's folded state is hashed after every record whose LSN is a multiple of this."""


class StateHash(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="state_hash"):
    """The hash of an actor's folded state after it had applied everything up to and including `at_lsn`.

    `fold_version` is that of the fold that came to it: a hash of another version is not comparable. Older logs lack it,
    as version 0.
    """

    actor: str
    at_lsn: int
    digest: bytes
    fold_version: int = 0


class OperatorAct(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="operator"):
    """What a person did over a control link: kill, resume, halt, set a session's numbers, log on or out."""

    actor: str
    act: str
    by: str
    text: str = ""


class Expired(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="expired"):
    """For the auditor: a command that left no other trace. Its outcome follows from stamps, not from this record.

    `identity` is its body's, as in `RefusedAttempt`.
    """

    strategy: str
    number: int
    attempt: Attempt
    deadline_ns: int
    identity: bytes = b""


class Verdict(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="verdict"):
    """An operator's journaled word on an order that nothing else can settle: it is closed with these quantities."""

    strategy: str
    number: int
    ord_status: str
    cum_qty: Decimal
    by: str
    text: str
    account: str = ""
    venue: str = ""


class FilledByHand(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="filled_by_hand"):
    """An operator's word that `qty` of the order was filled at `px`, of what the venue has told in CumQty(14) without
    its trades. What trades it tells after all take the place of as much.
    """

    strategy: str
    number: int
    qty: Decimal
    px: Decimal
    by: str
    text: str


class DayPrice(msgspec.Struct, array_like=True, frozen=True):
    """What a unit of an account's symbol was worth, and how long ago that was heard."""

    account: str
    symbol: str
    px: Decimal
    age_ms: int


class DayBegan(msgspec.Struct, array_like=True, frozen=True, tag="day_began"):
    """A day of the configured boundary has begun: what is held as of this record is what its profit counts from.

    `day` is the date in `zone` at which it began, `began_ns` the boundary, which the record may follow by as long as
    nobody ran. `prices` are risk's reference prices at the record.
    """

    day: str
    zone: str
    began_ns: int
    prices: tuple[DayPrice, ...] = ()


class AssetRate(msgspec.Struct, array_like=True, frozen=True):
    """What a unit of the asset was worth in the reporting currency, by prices the oldest of which was `age_ms` old."""

    asset: str
    rate: Decimal
    age_ms: int


class AssetRates(msgspec.Struct, array_like=True, frozen=True, tag="asset_rates"):
    """What assets are worth in the reporting currency at this record, those that have no fixed rate.

    Fees that are paid from here on are converted with it, until the next such record. An asset that is not in it has no
    rate, or one of prices that are too old.
    """

    currency: str
    rates: tuple[AssetRate, ...]


class Booked(msgspec.Struct, array_like=True, frozen=True, tag="booked"):
    """An operator's word that `qty` (below zero: less) of a symbol came to a strategy without a fill, at `px` each.

    It comes from outside, such as a deposit or what was held before the log began, and the account's baseline begins
    anew; or with `is_transfer` from another strategy of the same account, `from_strategy`. "" is nobody.
    """

    account: str
    symbol: str
    strategy: str
    qty: Decimal
    px: Decimal
    by: str
    text: str
    is_transfer: bool = False
    from_strategy: str = ""


class Unanswered(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="unanswered"):
    """The venue has not answered what `attempt` sent about the order, `silent_ms` on a connection that lives: whether
    it took effect is unknown from here on, and only evidence ends that.
    """

    venue: str
    strategy: str
    number: int
    attempt: Attempt
    silent_ms: int
    account: str = ""

    def __post_init__(self) -> None:
        if not self.account:
            name_as_before(self, self.venue)


class CancelAll(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="cancel_all"):
    """A strategy's `CancelAllRequest`, as of this record: what it names of what is open then is to be cancelled, of its
    own orders those with a lower number alone.

    What was under way is met as well when it comes: own orders with a lower number, and another strategy's up to the
    number that `under_way` holds for it. `left_open` are venues whose orders nobody can cancel: the command is refused
    as a whole then, with `text`.
    """

    strategy: str
    number: int
    venue: str = ""
    symbol: str = ""
    target_strategy: str = ""
    under_way: tuple[tuple[str, int], ...] = ()
    left_open: tuple[str, ...] = ()
    text: str = ""
    account: str = ""
    by: str = ""
    cause: str = ""
    stamps: Stamps = Stamps()


class LostOrder(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="lost_order"):
    """What a host that came back had sent beyond the copy, and our log never had: from here on an UNKNOWN order of the
    strategy's, under the number that `lost_number` has for the record.

    `sent` is the message as that host's log has it, without its bytes, `amendments` are those of its orders behind it
    there. `sent_ns` is from when the venue's window for it counts, `connection` the last one of its session that both
    logs have: whatever carried it has ended once a later one is up. `frame` names the frame of that host, which comes
    in once, and `evidence_lsn` the record up to which our log was read for it.
    """

    frame: str
    sent: Outbound
    sent_ns: int
    connection: int
    amendments: tuple[Outbound, ...] = ()
    evidence_lsn: int = 0


def lost_number(lsn: int) -> int:
    """The number of the first order of a LOST_ORDER record; those of its list follow."""
    return FIRST_LOST_NUMBER + lsn * (1 + MOST_FURTHER_ORDERS)


def is_lost_number(number: int) -> bool:
    """Whether the number is that of an order that only the lost end of a log knew, and of no command."""
    return FIRST_LOST_NUMBER <= number <= LAST_LOST_NUMBER


Payload = (
    Outbound
    | Inbound
    | SessionChanged
    | Refused
    | Withdrawn
    | GapFilled
    | Answer
    | Discrepancy
    | StateHash
    | OperatorAct
    | Expired
    | Verdict
    | Unanswered
    | CancelAll
    | RateRefused
    | FilledByHand
    | DayBegan
    | AssetRates
    | Booked
    | LostOrder
)

PAYLOADS: dict[int, type[msgspec.Struct]] = {
    Kind.OUTBOUND: Outbound,
    Kind.INBOUND: Inbound,
    Kind.SESSION: SessionChanged,
    Kind.REFUSED: Refused,
    Kind.WITHDRAWN: Withdrawn,
    Kind.GAP_FILLED: GapFilled,
    Kind.ANSWER: Answer,
    Kind.DISCREPANCY: Discrepancy,
    Kind.STATE_HASH: StateHash,
    Kind.OPERATOR: OperatorAct,
    Kind.EXPIRED: Expired,
    Kind.VERDICT: Verdict,
    Kind.UNANSWERED: Unanswered,
    Kind.CANCEL_ALL: CancelAll,
    Kind.RATE_REFUSED: RateRefused,
    Kind.FILLED_BY_HAND: FilledByHand,
    Kind.DAY_BEGAN: DayBegan,
    Kind.ASSET_RATES: AssetRates,
    Kind.BOOKED: Booked,
    Kind.LOST_ORDER: LostOrder,
}
"""What a record of each kind holds."""

# ---- account's link ----


class Ask(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="ask"):
    """orders -> account: one question to the venue's REST side. `asked_lsn` is the last record orders had applied.

    `what` is one of "order" (by `cl_ord_id` or `order_id`, sent at `since_ns` or later), "open_orders", "trades" (by
    `order_id`, or from `from_trade_key` on, else from `since_ns` by the venue's clock), "history" (trades as well, to
    be compared: nothing is folded), "balances", "positions" (of all contracts, to be compared likewise), "funding"
    (what holding contracts has brought since `since_ns`, likewise: as `balances`, below 0 for what was paid), "time",
    "cancel_all" (every open order of `symbol`), "cancel" (the order `order_id`). "open_orders" without a symbol asks
    for those of all. "ticker" (of `symbol`) is asked by the market data of a venue that tells no prices over FIX.
    """

    venue: str
    number: int
    what: str
    symbol: str = ""
    cl_ord_id: str = ""
    order_id: str = ""
    from_trade_key: str = ""
    asked_lsn: int = 0
    attempt: Attempt | None = None
    since_ns: int = 0
    account: str = ""

    def __post_init__(self) -> None:
        if not self.account:
            name_as_before(self, self.venue)


# ---- journal link ----


class EpochRequest(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="epoch?"):
    """A started actor asks for its epoch; `token` is its own to recognise the answer, a repeat of it gets the same
    grant.
    """

    writer: WriterName
    token: Count


class EpochGranted(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="epoch"):
    """The epoch is durable at `lsn`; `journal_id` names this journal for ever. It is in the term `term`, which begins
    behind the record `term_after_lsn`; `first_in_term` where it is the writer's first in a later term than the first.
    """

    writer: str
    token: int
    epoch: int
    lsn: int
    stamp_ns: int
    journal_epoch: int
    journal_id: str
    term: int = 1
    term_after_lsn: int = 0
    first_in_term: bool = False


class Append(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="append"):
    """Records of one writer, numbered from `first_number` on. Each entry is (kind, payload).

    `stream_may_wait`, `ack_may_wait`: nobody acts on these records in the stream, or on their acknowledgement, so each
    may go out a little later, with the next that somebody waits for. Durability never waits.
    """

    writer: WriterName
    epoch: Number
    first_number: Number
    entries: Annotated[list[tuple[RecordKind, bytes]], msgspec.Meta(min_length=1)]
    stream_may_wait: bool = False
    ack_may_wait: bool = False


class Appended(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="appended"):
    """Everything of the writer up to `number` is durable. The numbers above the last acknowledgement bear `stamp_ns`.

    `first_number` is the first that bears it. `announced` is a `JournalLevel`; with `number` 0 it is all that is told.
    """

    writer: str
    epoch: int
    first_number: int
    number: int
    lsn: int
    stamp_ns: int
    journal_epoch: int
    announced: int = JournalLevel.NOTHING


class AppendRefused(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="append_refused"):
    """Nothing was taken: `epoch` is the writer's current one in the log, `number_expected` the next it may use.

    `why` says what the journal can never take of it; "" where the same may be sent again from the number expected on.
    """

    writer: str
    epoch: int
    number_expected: int
    journal_epoch: int
    why: str = ""


class AppendQuestion(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="append?"):
    """A writer whose append is unanswered asks where the journal stands; answered with `AppendRefused`'s facts."""

    writer: WriterName
    epoch: Count


class ReadRequest(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="read?"):
    """A reader without the files at hand asks for whole frames from `from_lsn` on, at most up to `upto_lsn`."""

    from_lsn: Number
    upto_lsn: Count


class ReadChunk(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="read"):
    """A bounded run of frames starting at `from_lsn`; ask again for the rest. `last_lsn` is the last published one."""

    from_lsn: int
    block: bytes
    last_lsn: int


class CopyReport(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="copied"):
    """The replicator says up to which record the copy off the machine is, and asks for the durable end beyond it.

    `lsn` and `stamp_ns` are the last copied record's, 0 while it does not know. It is answered with `DurableEnd` as
    soon as something behind `lsn` is durable; the latest report stands in place of those before it. `asked_boot_ns` is
    when it last began to ask the stream and heard that no other host had taken the journal over (this host's boot
    clock); `fenced` says that one has.
    """

    lsn: Count
    stamp_ns: Count
    asked_boot_ns: Count = 0
    fenced: bool = False


class DurableEnd(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="durable_end"):
    """The journal's answer: records up to `lsn`, the last stamped `stamp_ns`, are durable and may be copied, in the
    term `term`."""

    lsn: int
    stamp_ns: int
    journal_epoch: int
    journal_id: str
    term: int = 1


JournalRequest = EpochRequest | Append | AppendQuestion | ReadRequest | CopyReport
JournalAnswer = EpochGranted | Appended | AppendRefused | ReadChunk


# ---- order entry link ----


AFTER_ALL_EVENTS = 1 << 20
"""The first index of what is told as it stands after a record: above that of every event that the record gave."""

SNAPSHOT = "snapshot"
"""The event of an open order that is told as it stands, since whoever is told may not know it."""


class Hello(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="hello"):
    """A strategy's instance asks for its name; the later hello wins.

    `strategy`: The name to trade under: 1 to 20 of a-z, 0-9, _ and -, a letter first.
    `instance`: This start of it: a word that no other start has.
    `last_lsn`: The record of the last event that it saw; 0 for none.
    `last_index`: The index of that event.
    `epoch`: That of the last welcome which this instance had; 0 for none.
    `protocol`: 1; 0 is an older client, see below.
    `silent_after_ns`: It says by `alive` that it lives, and counts as silent when nothing came for so long; 0: it never
    says so, and nobody waits for it.
    `cancel_on_exit`: Whether its open orders are cancelled when it ends, or is silent.
    `term`: That of the welcome under which it saw the last event; 0 for none. A host that took over may have other
    records behind the end of an earlier term.
    """

    strategy: str
    instance: str
    last_lsn: int = 0
    last_index: int = 0
    epoch: int = 0
    protocol: int = 0
    silent_after_ns: int = 0
    cancel_on_exit: bool = False
    term: int = 0


class NewOrderRequest(OfTerms, msgspec.Struct, array_like=True, frozen=True, gc=False, tag="new_order?"):
    """A strategy wants an order. Its name is (strategy, `number`), and numbers rise.

    `epoch`: That of the welcome.
    `number`: The command's number, and from now on the order's.
    `venue`: A configured venue.
    `symbol`: Symbol(55) as the venue writes it.
    `terms`: What is wanted of it.
    `label`: The strategy's own word for it, which comes back with every event of the order.
    `time_to_live_ns`: If the journal does not have it by then, it is void; at most a second.
    `account`: Whose order it is to be; "" is the venue's only account.
    `by`: The person who wants it; "" is nobody but the strategy.
    `cause`: What it follows from, such as a signal, a parent order or an alert.
    `sent_ns`: When the strategy gave it, by its own wall clock (Unix, ns).
    `contingency`: ContingencyType(1385) of an order list: `"1"` of its two orders one cancels the other, `"2"` the
    first triggers one other, or two of which one cancels the other, once it is filled; `""` of a single order.
    `further`: The terms of the list's other orders. Each is named by the next number behind the command's own, so the
    next command's number is behind theirs.
    """

    epoch: int
    number: int
    venue: str
    symbol: str
    terms: Terms
    label: str = ""
    time_to_live_ns: int = MAX_TIME_TO_LIVE_NS
    account: str = ""
    by: str = ""
    cause: str = ""
    sent_ns: int = 0
    contingency: Contingency = ""
    further: tuple[Terms, ...] = ()


class AmendRequest(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="amend?"):
    """A strategy wants to change the total quantity, the price, or both, of an order.

    `epoch`: That of the welcome.
    `number`: The command's number.
    `target_number`: The order's number.
    `order_qty`: The new total quantity, what is filled included; none leaves it as it is.
    `price`: The new price; none leaves it as it is.
    `time_to_live_ns`: As that of a new order.
    `target_strategy`: Whose order; "" is the sender's own.
    `by`: The person who wants it; "" is nobody but the strategy.
    `cause`: What it follows from, such as a signal, a parent order or an alert.
    `sent_ns`: When the strategy gave it, by its own wall clock (Unix, ns).
    """

    epoch: int
    number: int
    target_number: int
    order_qty: Decimal | None = None
    price: Decimal | None = None
    time_to_live_ns: int = MAX_TIME_TO_LIVE_NS
    target_strategy: str = ""
    by: str = ""
    cause: str = ""
    sent_ns: int = 0


class CancelRequest(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="cancel?"):
    """A strategy wants an order cancelled: a wish that stays until the order is closed.

    `epoch`: That of the welcome.
    `number`: The command's number.
    `target_number`: The order's number.
    `target_strategy`: Whose order; "" is the sender's own.
    `by`: The person who wants it; "" is nobody but the strategy.
    `cause`: What it follows from, such as a signal, a parent order or an alert.
    `sent_ns`: When the strategy gave it, by its own wall clock (Unix, ns).
    """

    epoch: int
    number: int
    target_number: int
    target_strategy: str = ""
    by: str = ""
    cause: str = ""
    sent_ns: int = 0


class CancelAllRequest(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="cancel_all?"):
    """A strategy wants every open order cancelled that there is at a place.

    `epoch`: That of the welcome.
    `number`: The command's number.
    `venue`: Where; "" is every venue.
    `symbol`: In which symbol; "" is every symbol.
    `target_strategy`: Whose orders; "" is the sender's own, "*" is everybody's.
    `account`: Of which account; "" is every account.
    `by`: The person who wants it; "" is nobody but the strategy.
    `cause`: What it follows from, such as a signal, a parent order or an alert.
    `sent_ns`: When the strategy gave it, by its own wall clock (Unix, ns).
    """

    epoch: int
    number: int
    venue: str = ""
    symbol: str = ""
    target_strategy: str = ""
    account: str = ""
    by: str = ""
    cause: str = ""
    sent_ns: int = 0


class Alive(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="alive"):
    """The instance lives, or ends now. It is not answered, but where it must say hello first.

    `epoch`: That of the welcome.
    `ends`: It ends in order, and says nothing more.
    """

    epoch: int
    ends: bool = False


ClientRequest = NewOrderRequest | AmendRequest | CancelRequest | CancelAllRequest
OlderNewOrderRequest = _before_terms(NewOrderRequest, "new?", required=_REQUIRED)

if TYPE_CHECKING:
    LoggedRequest = ClientRequest
else:
    LoggedRequest = ClientRequest | OlderNewOrderRequest
"""A request as a record has it; see `LoggedCommand`."""


class QueryRequest(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="query?"):
    """A question that changes nothing.

    `what`: `orders`, `order`, `positions`, `accounts`, `reconcile`, `names`, `money` or `closed`. `names` is what the
    log holds anything of: its symbols, and whether it knows the strategy; `money` what each strategy's fills come to;
    `closed` the orders that were closed last.
    `strategy`: Asks of this strategy alone; "" of all.
    `number`: The order's number, where one order is asked for; of closed orders how many.
    `venue`: Asks of this venue alone; "" of all.
    `token`: The asker's own number, which comes back with the answer.
    `account`: Asks of this account alone; "" of all.
    `protocol`: 1; 0 is an older client, see below.
    """

    what: str
    strategy: str = ""
    number: int = 0
    venue: str = ""
    token: int = 0
    account: str = ""
    protocol: int = 0


class Welcome(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="welcome"):
    """The name is granted to the instance.

    What follows up to `WelcomeComplete` is what the client has missed, and every position. Where `resumed` is False the
    events after the client's last one are not at hand: the open orders follow in their place, as `OrderEvent`s, and
    these and the positions are the whole truth as of `lsn`.

    `strategy`: As in the hello.
    `instance`: As in the hello; a welcome of another instance is none of ours.
    `epoch`: The order manager's life, to be given with every command.
    `highest`: The highest number that a command of this name ever had.
    `state`: `live`, `restarting`, `journal_away` or `stopping`.
    `lsn`: The last journal record that the order manager has applied.
    `resumed`: Whether the events after the last one in the hello are told; else the state as it stands.
    `term`: The term of the journal, which rises when another host takes over.
    `told`: How many messages this life of the order manager has sent to the instance before this one; 0 where it does
        not know. One that has had another number knows that some are lost, as a connection's end loses what it carries.
    """

    strategy: str
    instance: str
    epoch: int
    highest: int
    state: str
    lsn: int
    resumed: bool = True
    term: int = 1
    told: int = 0


class WelcomeComplete(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="complete"):
    """What a welcome announced has been told.

    `lsn`: The client's open orders and positions are those after this record.
    `index`: The place behind all that was told of it.
    """

    lsn: int
    index: int


class StatusChanged(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="status"):
    """What the order manager can say meanwhile; it is no outcome.

    `state`: `starting`, `live`, `restarting`, `journal_away`, `stopping`, `superseded`, or `refused` for a hello that
    cannot be granted.
    `number`: The command that it concerns; 0 for all.
    `epoch`: The order manager's life.
    `text`: Why a hello is refused.
    """

    state: str
    number: int = 0
    epoch: int = 0
    text: str = ""


class CommandOutcome(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="outcome"):
    """What became of a command.

    `lsn`: The journal record that decides it.
    `index`: The place among the events of that record.
    `strategy`: Whose command.
    `number`: The command's number.
    `outcome`: `sent`, `refused`, `expired`, `withdrawn`, or `accepted` for a wish that is being carried out.
    `reason`: Why; see Reasons.
    `text`: For a person: the value and the limit.
    `repeat`: Whether it answers a command heard before; then `lsn` and `index` say nothing about the order of events.
    """

    lsn: int
    index: int
    strategy: str
    number: int
    outcome: str
    reason: Reason = Reason.NONE
    text: str = ""
    repeat: bool = False


class OrderStatus(enum.StrEnum):
    """The state of an order as strategies and operators see it; computed, never stored."""

    PENDING_NEW = "PENDING_NEW"
    UNKNOWN = "UNKNOWN"
    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    PENDING_CANCEL = "PENDING_CANCEL"
    PENDING_REPLACE = "PENDING_REPLACE"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    SUSPENDED = "SUSPENDED"
    DONE_FOR_DAY = "DONE_FOR_DAY"
    REFUSED = "REFUSED"
    WITHDRAWN = "WITHDRAWN"
    VOID = "VOID"

    @property
    def sentence(self) -> str:
        """The state as one sentence for a person."""
        return STATUS_SENTENCES[self]


STATUS_SENTENCES: dict[OrderStatus, str] = {
    OrderStatus.PENDING_NEW: "It is on its way to the venue, which has not answered yet.",
    OrderStatus.UNKNOWN: "It may have reached the venue, and has not been heard of: it may be live.",
    OrderStatus.NEW: "The venue has it, and nothing of it is filled.",
    OrderStatus.PARTIALLY_FILLED: "The venue has it, and a part of it is filled.",
    OrderStatus.FILLED: "All of it is filled.",
    OrderStatus.PENDING_CANCEL: "A cancel is on its way; until it is answered the order may be filled.",
    OrderStatus.PENDING_REPLACE: "An amendment is on its way; until it is answered the former or the new terms hold.",
    OrderStatus.CANCELED: "The venue says that it is cancelled.",
    OrderStatus.REJECTED: "The venue rejected it.",
    OrderStatus.EXPIRED: "The venue says that its time is over: an immediate order that found nobody, for one.",
    OrderStatus.SUSPENDED: "The venue holds it back for the moment.",
    OrderStatus.DONE_FOR_DAY: "The venue does nothing more with it today; it is open, and may trade on another day.",
    OrderStatus.REFUSED: "No order is told so: what is refused here is told by the outcome of its command.",
    OrderStatus.WITHDRAWN: "Our session knows that it never left for the venue.",
    OrderStatus.VOID: "There is evidence that the venue never received it.",
}


class OrderEvent(OfTerms, msgspec.Struct, array_like=True, frozen=True, gc=False, tag="order_event"):
    """An order as it stands after a record of the journal.

    `last_qty` above 0 says that the record was one more fill. A bust or correction (`trade_cancel`, `trade_correct`) is
    none: its `last_qty` is 0, and `cum_qty` and `avg_px` are the order's with the change.

    `lsn`: The journal record that it follows from.
    `index`: The place among the events of that record.
    `strategy`: Whose order.
    `number`: The order's number.
    `event`: What happened. A report of the venue is told in FIX's words: `pending_new`, `new`, `trade`,
    `trade_correct`, `trade_cancel`, `pending_replace`, `replaced`, `pending_cancel`, `canceled`, `cancel_rejected`,
    `rejected`, `expired`, `done_for_day`, `stopped`, `suspended`, `calculated`, `restated`, `triggered`, `status`.
    `withdrawn` is our session's word, `unknown` and `settled` say that doubt began or ended, and with `snapshot` the
    order is told as it stands.
    `status`: Its state; see States.
    `venue`: Where it is.
    `symbol`: Symbol(55).
    `terms`: What is wanted of it, as the venue has it now.
    `cum_qty`: CumQty(14), how much is filled.
    `leaves_qty`: LeavesQty(151), how much may still be filled.
    `avg_px`: AvgPx(6), the average price of the fills.
    `cl_ord_id`: ClOrdID(11), its name at the venue now.
    `order_id`: OrderID(37), once the venue gave one.
    `label`: The strategy's own word for it.
    `last_qty`: LastQty(32), the quantity of the fill; 0 where the event is no fill.
    `last_px`: LastPx(31), the price of the fill; 0 where the venue did not tell it: a `trade_correct` follows when it
    does.
    `fee_qty`: What was paid for the fill.
    `fee_asset`: In which asset it was paid.
    `trade_key`: The venue's identity of the fill; where that is ExecID(17), with the generation of the session's
    numbers before it: `3/8845`.
    `maker`: Whether the order was resting.
    `reason`: Why it was closed without the venue's word; see Reasons.
    `text`: The venue's own words.
    `stamp_ns`: The time of the record by the journal's clock.
    `reference_trade_key`: Of a bust or correction: the `trade_key` of the fill that it takes back or changes.
    `unpriced_qty`: How much of `cum_qty` was filled at a price that the venue has not told; `avg_px` is of the rest.
    `open`: Whether it may still trade, today or on another day: decide by this, and not by `status`. A closed order may
    open again, by a bust or a late word of the venue.
    `account`: The account that the order is of.
    `triggered`: Of a stop or stop-limit order: whether its stop price was reached, as far as the venue has told.
    `list_number`: Of an order of a list: the number of the list's first order; 0 of any other.
    """

    lsn: int
    index: int
    strategy: str
    number: int
    event: str
    status: OrderStatus
    venue: str
    symbol: str
    terms: Terms
    cum_qty: Decimal
    leaves_qty: Decimal
    avg_px: Decimal
    cl_ord_id: str
    order_id: str
    label: str = ""
    last_qty: Decimal = Decimal(0)
    last_px: Decimal = Decimal(0)
    fee_qty: Decimal = Decimal(0)
    fee_asset: str = ""
    trade_key: str = ""
    maker: bool = False
    reason: Reason = Reason.NONE
    text: str = ""
    stamp_ns: int = 0
    reference_trade_key: str = ""
    unpriced_qty: Decimal = Decimal(0)
    open: bool = False
    account: str = ""
    triggered: bool = False
    list_number: int = 0

    def __post_init__(self) -> None:
        if not self.account:
            name_as_before(self, self.venue)


OlderOrderEvent = _before_terms(OrderEvent, "order", lacks=("time_in_force", "post_only"))
"""What an index of older code has, and what an older client is told."""


def older_event(event: OrderEvent) -> Any:
    """The event as an older client reads it."""
    return OlderOrderEvent(*[getattr(event, name) for name in OlderOrderEvent.__struct_fields__])


class PositionChanged(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="position"):
    """An account's position in one symbol at its venue.

    `lsn`: The journal record that it follows from.
    `index`: The place among the events of that record.
    `venue`: Where it is held.
    `symbol`: Symbol(55).
    `quantity`: Held in the base asset, the fees that were taken in it deducted; in contracts where those are traded.
    `average_price`: What a unit of it cost on average, in the quote asset.
    `realised_profit`: In the quote asset, or in the one that contracts are settled in.
    `fees`: Paid so far at that symbol: pairs of asset and quantity.
    `strategy`: Whose fill moved it.
    `unpriced_qty`: The quantity of fills whose price the venue has not told; cost and profit count it as free until it
    does.
    `account`: The account that holds it.
    `underlying_qty`: What `quantity` comes to of the underlying, in `base`; of inverse contracts at the average price.
    `base`: The base asset, "" where it is not known.
    `own_quantity`: How much of `quantity` the strategy's own fills have brought; none where it has not changed by this.
    `own_average_price`: What a unit of that cost on average.
    `own_realised_profit`: What its own fills have realised.
    `own_fees`: What its own fills have cost: pairs of asset and quantity.
    """

    lsn: int
    index: int
    venue: str
    symbol: str
    quantity: Decimal
    average_price: Decimal
    realised_profit: Decimal
    fees: tuple[tuple[str, Decimal], ...] = ()
    strategy: str = ""
    unpriced_qty: Decimal = Decimal(0)
    account: str = ""
    underlying_qty: Decimal = Decimal(0)
    base: str = ""
    own_quantity: Decimal | None = None
    own_average_price: Decimal = Decimal(0)
    own_realised_profit: Decimal = Decimal(0)
    own_fees: tuple[tuple[str, Decimal], ...] = ()

    def __post_init__(self) -> None:
        if not self.account:
            name_as_before(self, self.venue)


class QueryAnswer(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="query"):
    """The answer to a question.

    `token`: The question's.
    `lsn`: It holds as of this journal record.
    `orders`: The orders that were asked for.
    `positions`: The positions that were asked for.
    `detail`: A JSON document: what has no table here, and `error` where a name in the question is none that there is.
    """

    token: int
    lsn: int
    orders: tuple[OrderEvent, ...] = ()
    positions: tuple[PositionChanged, ...] = ()
    detail: bytes = b"{}"


class BoundedHello(Hello, array_like=True, frozen=True, gc=False, tag="hello"):
    """`Hello` as the link takes it."""

    strategy: StrategyName
    instance: Text
    last_lsn: Count = 0
    last_index: Count = 0
    epoch: Count = 0
    protocol: Count = 0
    silent_after_ns: Count = 0
    term: Count = 0


FurtherTerms = Annotated[tuple[Terms, ...], msgspec.Meta(max_length=MOST_FURTHER_ORDERS)]


class BoundedNewOrderRequest(NewOrderRequest, array_like=True, frozen=True, gc=False, tag="new_order?"):
    """`NewOrderRequest` as the link takes it."""

    epoch: Count
    number: Count
    venue: Name
    symbol: Name
    label: Text = ""
    time_to_live_ns: Count = MAX_TIME_TO_LIVE_NS
    account: Name = ""
    by: Name = ""
    cause: Text = ""
    sent_ns: Count = 0
    further: FurtherTerms = ()


class BoundedAmendRequest(AmendRequest, array_like=True, frozen=True, gc=False, tag="amend?"):
    """`AmendRequest` as the link takes it."""

    epoch: Count
    number: Count
    target_number: Count
    time_to_live_ns: Count = MAX_TIME_TO_LIVE_NS
    target_strategy: Name = ""
    by: Name = ""
    cause: Text = ""
    sent_ns: Count = 0


class BoundedCancelRequest(CancelRequest, array_like=True, frozen=True, gc=False, tag="cancel?"):
    """`CancelRequest` as the link takes it."""

    epoch: Count
    number: Count
    target_number: Count
    target_strategy: Name = ""
    by: Name = ""
    cause: Text = ""
    sent_ns: Count = 0


class BoundedCancelAllRequest(CancelAllRequest, array_like=True, frozen=True, gc=False, tag="cancel_all?"):
    """`CancelAllRequest` as the link takes it."""

    epoch: Count
    number: Count
    venue: Name = ""
    symbol: Name = ""
    target_strategy: Name = ""
    account: Name = ""
    by: Name = ""
    cause: Text = ""
    sent_ns: Count = 0


class BoundedQueryRequest(QueryRequest, array_like=True, frozen=True, gc=False, tag="query?"):
    """`QueryRequest` as the link takes it."""

    what: Name
    strategy: Name = ""
    number: Count = 0
    venue: Name = ""
    token: Count = 0
    account: Name = ""
    protocol: Count = 0


class BoundedAlive(Alive, array_like=True, frozen=True, gc=False, tag="alive"):
    """`Alive` as the link takes it."""

    epoch: Count


BoundedOlderNewOrderRequest = _before_terms(
    BoundedNewOrderRequest, "new?", required=_REQUIRED, unbounded=OlderNewOrderRequest
)

BoundedEntryRequest = (
    BoundedHello
    | BoundedNewOrderRequest
    | BoundedOlderNewOrderRequest
    | BoundedAmendRequest
    | BoundedCancelRequest
    | BoundedCancelAllRequest
    | BoundedQueryRequest
    | BoundedAlive
)
"""What the link takes, of older clients too. Records have the same without the bounds: what older code has taken is
read for ever.
"""

EntryRequest = Hello | NewOrderRequest | AmendRequest | CancelRequest | CancelAllRequest | QueryRequest | Alive
AnyEntryRequest = EntryRequest | OlderNewOrderRequest
"""The same, and what an older client asks."""

EntryAnswer = Welcome | WelcomeComplete | StatusChanged | CommandOutcome | OrderEvent | PositionChanged | QueryAnswer


# ---- feed link ----


class TopOfBook(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="top"):
    """The best prices of one symbol, repeated at least every second while the market data session lives.

    `venue`: Where.
    `symbol`: Symbol(55).
    `bid_px`: The highest price at which somebody buys; none where nobody does.
    `bid_qty`: How much is bought there, in the base asset.
    `ask_px`: The lowest price at which somebody sells; none where nobody does.
    `ask_qty`: How much is sold there, in the base asset.
    `last_px`: The price of the last trade; none where none was heard of.
    `heard_ns`: The clock of the market data session when a whole message last told of this symbol's prices; 0 is not
    known.
    `last_ns`: The same of its last trade.
    `why_not`: Why it is not to be traded as it is configured, by the venue's own list; "" where nothing speaks against.
    """

    venue: str
    symbol: str
    bid_px: Decimal | None
    bid_qty: Decimal
    ask_px: Decimal | None
    ask_qty: Decimal
    last_px: Decimal | None
    heard_ns: int
    last_ns: int = 0
    why_not: str = ""


class Traded(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="trade"):
    """A public trade.

    `venue`: Where.
    `symbol`: Symbol(55).
    `px`: Its price.
    `qty`: Its quantity, in the base asset.
    `taker_side`: Side(54) of the one who took; "" where the venue does not tell.
    `heard_ns`: The clock of the market data session when it heard of it.
    """

    venue: str
    symbol: str
    px: Decimal
    qty: Decimal
    taker_side: str
    heard_ns: int


FeedMessage = TopOfBook | Traded


# ---- control link ----


class ControlRequest(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="control"):
    """A person's request to one actor: `act` is a word of that actor ("status", "kill", "resume", ...), `arguments`
    JSON. `to` names the actor where a relay is asked, which hands it on.
    """

    act: str
    arguments: bytes = b"{}"
    by: str = ""
    token: int = 0
    to: str = ""


class ControlAnswer(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="answer"):
    """`ok`, or why not; `detail` is a JSON document. `absent`: a relay says that the actor does not run on its host."""

    token: int
    ok: bool
    text: str = ""
    detail: bytes = b"{}"
    absent: bool = False


UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding somebody else's bytes may raise: a text that is no UTF-8 is no `DecodeError` to msgspec."""


class Door:
    """A decoder of one link's messages that takes none of more than `max_bytes`."""

    def __init__(self, accepts: object, max_bytes: int = MAX_MESSAGE_BYTES) -> None:
        """`accepts` is a Struct or a union of some."""
        self.accepts = accepts
        self._decode = msgspec.msgpack.Decoder(accepts).decode
        self._max_bytes = max_bytes

    def decode(self, data: bytes) -> Any:
        """The message. Raises one of UNDECODABLE."""
        if len(data) > self._max_bytes:
            raise msgspec.ValidationError(f"{len(data)} bytes, and the link takes at most {self._max_bytes}")
        return self._decode(data)


encode = msgspec.msgpack.Encoder().encode
"""Encode any message or payload of this module."""


def cut(text: str) -> str:
    """As much of somebody else's `text` as a record has, MAX_TEXT_CHARACTERS; that something is missing shows."""
    return text if len(text) <= MAX_TEXT_CHARACTERS else f"{text[: MAX_TEXT_CHARACTERS - 3]}..."

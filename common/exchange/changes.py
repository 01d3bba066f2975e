"""What the exchange's own log holds: every change of its state, in the order in which it happened.

A record's payload is a list of changes that belong together (all that one turn did, as a rule). Fields are only ever
appended, with a default; a tag is never used again for something else. Times are Unix nanoseconds by the exchange's
clock.
"""

from decimal import Decimal

import msgspec

from common.exchange.order import Terms
from common.exchange.settings import Instrument

RECORD_KIND = 32
"""The kind of a record in the log: kinds below 16 are the log's own."""


class Deposited(msgspec.Struct, array_like=True, frozen=True, gc=False, tag=1):
    """An account was given `amount` of `asset`: its first balance."""

    account: str
    asset: str
    amount: Decimal


class Placed(msgspec.Struct, array_like=True, frozen=True, gc=False, tag=2):
    """An order was accepted. Its funds are locked; it is not on the book yet."""

    order_id: int
    exec_id: int
    terms: Terms
    stamp_ns: int


class Rested(msgspec.Struct, array_like=True, frozen=True, gc=False, tag=3):
    """What was left of an order went on the book, behind everything at its price."""

    order_id: int


class Traded(msgspec.Struct, array_like=True, frozen=True, gc=False, tag=4):
    """A resting order met an incoming one. `trade_id` counts within the symbol; fees are in what each side receives.

    The maker's execution has `exec_id`, the taker's the number after it.
    """

    trade_id: int
    exec_id: int
    symbol: str
    maker_id: int
    taker_id: int
    px: Decimal
    qty: Decimal
    maker_fee: Decimal
    taker_fee: Decimal
    stamp_ns: int
    taker_side: str


class Closed(msgspec.Struct, array_like=True, frozen=True, gc=False, tag=5):
    """An order left without being filled: `ord_status` is Canceled or Expired. `cause` is a word for the reports."""

    order_id: int
    exec_id: int
    ord_status: str
    stamp_ns: int
    cause: str = ""


class Amended(msgspec.Struct, array_like=True, frozen=True, gc=False, tag=6):
    """An open order got new terms. When `requeued` it left the book, and a `Rested` puts it back at the end of its
    price. `cause` is a word for the reports, "" where its owner asked for it.
    """

    order_id: int
    exec_id: int
    cl_ord_id: str
    order_qty: Decimal
    price: Decimal | None
    requeued: bool
    stamp_ns: int
    cause: str = ""


class Numbered(msgspec.Struct, array_like=True, frozen=True, gc=False, tag=7):
    """The next numbers of a persistent FIX session. A higher `generation` means that they were reset."""

    session: str
    generation: int
    next_outbound: int
    next_inbound: int


class Sent(msgspec.Struct, array_like=True, frozen=True, gc=False, tag=8):
    """An application message that took a number of a persistent session, kept to be sent again on request."""

    session: str
    generation: int
    msg_seq_num: int
    msg_type: str
    raw: bytes


class Listed(msgspec.Struct, array_like=True, frozen=True, gc=False, tag=9):
    """An instrument trades here from now on, under these rules. It stays when the configuration drops it: orders in it
    may rest."""

    instrument: Instrument


class Corrected(msgspec.Struct, array_like=True, frozen=True, gc=False, tag=10):
    """One side of a trade was taken back (`qty` 0), or is of less or at another price than was told.

    `exec_id` names the word, `ref_exec_id` the report of the fill or of its last correction. `side` is the order's,
    fees are in what it receives.
    """

    order_id: int
    exec_id: int
    ref_exec_id: int
    account: str
    symbol: str
    side: str
    trade_id: int
    former_qty: Decimal
    former_px: Decimal
    former_fee: Decimal
    qty: Decimal
    px: Decimal
    fee: Decimal
    stamp_ns: int

    @property
    def more_qty(self) -> Decimal:
        """By how much the filled quantity changes, 0 or less."""
        return self.qty - self.former_qty

    @property
    def more_quote(self) -> Decimal:
        """By how much quantity times price changes."""
        return self.qty * self.px - self.former_qty * self.former_px

    @property
    def more_fee(self) -> Decimal:
        """By how much the fee changes."""
        return self.fee - self.former_fee


class Triggered(msgspec.Struct, array_like=True, frozen=True, gc=False, tag=11):
    """A trade was at the stop price of an order that slept: it is a market or limit order from here on."""

    order_id: int
    exec_id: int
    stamp_ns: int


class Released(msgspec.Struct, array_like=True, frozen=True, gc=False, tag=12):
    """The first order of a list was filled: one that was pending is placed, of `order_qty` where it is paid."""

    order_id: int
    exec_id: int
    stamp_ns: int
    order_qty: Decimal | None = None


Change = (
    Deposited
    | Placed
    | Rested
    | Traded
    | Closed
    | Amended
    | Numbered
    | Sent
    | Listed
    | Corrected
    | Triggered
    | Released
)

encode_changes = msgspec.msgpack.Encoder().encode
"""A list of changes as a record's payload."""

decode_changes = msgspec.msgpack.Decoder(list[Change]).decode
"""A record's payload as a list of changes. Raises msgspec.DecodeError."""

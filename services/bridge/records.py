"""What a bridge's own log holds: every request that it took, what became of each order, and what it told of that.

A record of the log is all that one turn did, as a list, so that it is there whole or not at all. Fields are only ever
appended, with a default; a tag is never used again for something else. Times are Unix nanoseconds.
"""

from decimal import Decimal

import msgspec

from common.exchange.changes import Numbered, Sent
from common.venues.backend import BridgedTerms

RECORD_KIND = 33
"""The kind of a record in the log: kinds below 16 are the log's own."""


class Taken(msgspec.Struct, array_like=True, frozen=True, gc=False, tag=40):
    """A client's request, taken under its MsgSeqNum(34) before a byte of it left for the venue.

    `kind` is its MsgType(35): "D", "F" or "G". `venue_id` is the order's own id at the venue, `request_id` that of an
    amendment there. `terms` are the order's, or those that are wanted; `by_ns` is the last moment by our clock.
    """

    client: str
    generation: int
    msg_seq_num: int
    kind: str
    cl_ord_id: str
    venue_id: str
    terms: BridgedTerms
    by_ns: int
    orig_cl_ord_id: str = ""
    request_id: str = ""
    stamp_ns: int = 0


class Acknowledged(msgspec.Struct, array_like=True, frozen=True, gc=False, tag=41):
    """The venue has the order, as `order_id`."""

    venue_id: str
    order_id: str


class Filled(msgspec.Struct, array_like=True, frozen=True, gc=False, tag=42):
    """A fill of the order."""

    venue_id: str
    trade_id: str
    px: Decimal
    qty: Decimal
    fee: Decimal
    fee_asset: str
    maker: bool
    stamp_ns: int


class Amended(msgspec.Struct, array_like=True, frozen=True, gc=False, tag=43):
    """The order has these terms now, by the request `cl_ord_id` ("" where nobody asked)."""

    venue_id: str
    cl_ord_id: str
    order_qty: Decimal
    price: Decimal | None


class Ended(msgspec.Struct, array_like=True, frozen=True, gc=False, tag=44):
    """The order is over: `ord_status` is OrdStatus(39). `evidence` is how that is known, one of `END`."""

    venue_id: str
    ord_status: str
    evidence: str
    text: str = ""


class Refused(msgspec.Struct, array_like=True, frozen=True, gc=False, tag=45):
    """A cancel or an amendment has come to nothing."""

    venue_id: str
    cl_ord_id: str
    text: str


class Reopened(msgspec.Struct, array_like=True, frozen=True, gc=False, tag=46):
    """An order that was called never reached has turned up at the venue."""

    venue_id: str
    order_id: str


class Guarded(msgspec.Struct, array_like=True, frozen=True, gc=False, tag=47):
    """The client's last Logon(A) asks that its orders are cancelled when it is gone, or does not any more."""

    client: str
    wanted: bool


TOLD, NEVER_LEFT, NEVER_REACHED, FORGOTTEN = "told", "never_left", "never_reached", "forgotten"
"""How an end is known: by the venue's word, since no byte left, by evidence of absence, or since the venue, which had
it, tells of it neither among what is open nor by its id, and of all fills."""

class Adopted(msgspec.Struct, array_like=True, frozen=True, gc=False, tag=48):
    """An order was open at the venue when this log began; from here on it is the client's."""

    client: str
    venue_id: str
    terms: BridgedTerms
    order_id: str
    stamp_ns: int


KILLED, DISCONNECTED = "\x02kill", "\x02disconnect"
"""The names of cancels that no client asked for: the kill switch's, and of a client that is gone. No ClOrdID(11) has
such a character."""

OWN_WISHES = frozenset({KILLED, DISCONNECTED})

OrderRecord = Taken | Acknowledged | Filled | Amended | Ended | Refused | Reopened | Guarded | Adopted
BridgeRecord = OrderRecord | Numbered | Sent

encode_records = msgspec.msgpack.Encoder().encode
"""What a turn did as a record's payload."""

decode_records = msgspec.msgpack.Decoder(list[BridgeRecord]).decode
"""A record's payload. Raises msgspec.DecodeError."""

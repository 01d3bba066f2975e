"""Binance Spot's FIX as its server speaks it: fields of its messages, error codes, how numbers are written.

Source: binance-spot-api-docs, fix-api.md, errors.md and the dictionaries spot-fix-oe.xml and spot-fix-md.xml as of July
2026. Written from those alone, independently of the client's dialect.
"""

import re
from decimal import Decimal

from common.exchange.engine import Refusal
from common.exchange.numbers import read_number
from common.fix.wire import checksum, utc_timestamp

BEGIN_STRING = b"FIX.4.4"
MAX_DECIMALS = 8
MAX_DIGITS = 15
CL_ORD_ID = re.compile(r"[a-zA-Z0-9_-]{1,36}")
COMP_ID = re.compile(r"[a-zA-Z0-9_-]{1,8}")
# BodyLength(9) of these comes padded with zeros to seven digits.
PADDED = frozenset({"W", "X", "Y", "y", "B", "XAR"})

HEADER = frozenset({b"8", b"9", b"35", b"49", b"56", b"34", b"52", b"25000", b"10"})
_NEW_ORDER = "11 38 40 18 44 1100 1101 1102 1107 1109 25009 211 1094 835 836 54 55 59 111 152 847 7940 25001"
_SESSION_FIELDS = {"0": "112", "1": "112", "3": "45 371 372 373 25016 58", "5": "58", "XLQ": "6136"}
_LOGON = "98 108 95 96 141 553 25035 25036 9406 25045 25050 25051"


def _tables(messages: dict[str, str]) -> dict[str, frozenset[bytes]]:
    return {
        msg_type: frozenset(tag.encode() for tag in tags.split()) | HEADER
        for msg_type, tags in {**_SESSION_FIELDS, **messages}.items()
    }


ORDER_ENTRY_FIELDS = _tables(
    {
        "A": _LOGON,
        "D": _NEW_ORDER + " 25032",
        "E": _NEW_ORDER + " 25014 1385 25046 73 25010 25011 25012 25013",
        "F": "11 41 37 25015 66 55 25002",
        "q": "55 11 530",
        "XCN": _NEW_ORDER + " 25033 25038 37 25034 41 25002",
        "XAK": "11 41 37 55 38",
    }
)
DROP_COPY_FIELDS = _tables({"A": _LOGON})
MARKET_DATA_FIELDS = _tables({"A": _LOGON, "V": "262 263 264 266 146 55 267 269", "x": "320 559 55"})
# Tags inside a group may appear more than once.
GROUP_TAGS = frozenset(
    tag.encode()
    for tag in [
        "55",
        "269",
        "11",
        "38",
        "40",
        "18",
        "44",
        "54",
        "59",
        "25011",
        "25012",
        "25013",
        "25010",
        "111",
        "152",
        "847",
        "7940",
        "25001",
        "1100",
        "1101",
        "1102",
        "1107",
        "1109",
        "25009",
        "211",
        "1094",
        "835",
        "836",
    ]
)
GROUP_MESSAGES = frozenset({"V", "E"})
KNOWN_TAGS = frozenset().union(*ORDER_ENTRY_FIELDS.values(), *MARKET_DATA_FIELDS.values()) | frozenset(
    tag.encode()
    for tag in [
        "14",
        "17",
        "31",
        "32",
        "37",
        "39",
        "60",
        "66",
        "103",
        "136",
        "137",
        "138",
        "139",
        "148",
        "150",
        "151",
        "429",
        "431",
        "434",
        "531",
        "532",
        "533",
    ]
)

UNEXPECTED_RESPONSE = -1006
UNKNOWN_STATUS = -1007
INVALID_MESSAGE = -1013
TOO_MANY_ORDERS = -1015
BAD_TIME = -1021
BAD_SIGNATURE = -1022
COMP_ID_IN_USE = -1033
TOO_MANY_CONNECTIONS = -1034
ILLEGAL_CHARACTERS = -1100
MISSING = -1102
NOT_REQUIRED = -1106
BAD_PRECISION = -1111
BAD_TIME_IN_FORCE = -1115
BAD_ORDER_TYPE = -1116
BAD_SIDE = -1117
BAD_SYMBOL = -1121
BAD_COMBINATION = -1128
INVALID_TAG = -1169
TAG_NOT_DEFINED = -1170
TAG_TWICE = -1171
TAG_ORDER = -1172
GROUP_ORDER = -1173
NUMBERS_MUST_RESET = -1175
LOGON_ONCE = -1176
GARBLED = -1177
COMP_ID_CHANGED = -1178
BAD_SEQUENCE = -1179
LOGON_FIRST = -1180
TOO_MANY_MESSAGES = -1181
NOT_ON_DROP_COPY = -1183
DROP_COPY_ON_ORDER_ENTRY = -1184
NO_DROP_COPY_FLAG = -1185
NOT_ON_MARKET_DATA = -1187
SUBSCRIPTION_ID = -1190
SUBSCRIPTION_TWICE = -1191
GROUP_COUNT = -1188
NEW_ORDER_REJECTED = -2010
CANCEL_REJECTED = -2011
BAD_KEY = -2015
AMEND_REJECTED = -2038

LEAST_TRAILING_DELTA, MOST_TRAILING_DELTA = 10, 2000
"""The filter TRAILING_DELTA, in basis points."""

UNKNOWN_ORDER = Refusal.UNKNOWN_ORDER.value
RESTRICTED = "Order was not canceled due to cancel restrictions."
_FILTERS = (
    Refusal.BAD_QTY, Refusal.BAD_PRICE, Refusal.FAR_PRICE, Refusal.BAD_NOTIONAL, Refusal.TOO_MANY_ORDERS,
    Refusal.ICEBERG, Refusal.TRAILING_DELTA,
)  # fmt: skip


def refusal_code(refusal: Refusal) -> int:
    """ErrorCode(25016) of a new order that the engine refused."""
    return INVALID_MESSAGE if refusal in _FILTERS else NEW_ORDER_REJECTED


class Rejection(Exception):
    """A message is answered with Reject(3): ErrorCode(25016), SessionRejectReason(373), RefTagID(371), Text(58).

    `ends` says that the connection is closed after it.
    """

    def __init__(self, code: int, text: str, reason: int = 99, tag: int | None = None, *, ends: bool = False) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.reason = reason
        self.tag = tag
        self.ends = ends

    def body(self, seq: int, msg_type: str) -> bytes:
        """The fields of the Reject(3)."""
        tag = f"371={self.tag}\x01" if self.tag is not None else ""
        return (
            f"45={seq}\x01{tag}372={msg_type}\x01373={self.reason}\x0125016={self.code}\x0158={self.text}\x01".encode()
        )


def message(msg_type: str, sender: str, target: str, seq: int, wall_ns: int, body: bytes) -> bytes:
    """One whole message of the server."""
    rest = b"35=%b\x0149=%b\x0156=%b\x0134=%d\x0152=%b\x01%b" % (
        msg_type.encode(), sender.encode(), target.encode(), seq, utc_timestamp(wall_ns, 6), body,
    )  # fmt: skip
    length = b"%07d" % len(rest) if msg_type in PADDED else b"%d" % len(rest)
    head = b"8=%b\x019=%b\x01%b" % (BEGIN_STRING, length, rest)
    return b"%b10=%03d\x01" % (head, checksum(head))


def fixed(value: Decimal) -> str:
    """A number as the venue writes it, with eight decimals."""
    return f"{value:.8f}"


Fields = dict[bytes, bytes]


def text(f: Fields, tag: int) -> str:
    """A field that must be there. Raises Rejection."""
    value = f.get(b"%d" % tag)
    if value is None:
        raise Rejection(MISSING, f"Required tag '{tag}' missing.", 1, tag)
    return value.decode("ascii", "replace")


def optional(f: Fields, tag: int) -> str:
    """A field, "" where it is absent."""
    return f.get(b"%d" % tag, b"").decode("ascii", "replace")


def client_id(f: Fields, tag: int, *, required: bool = True) -> str:
    """An id that a client chose. Raises Rejection."""
    value = text(f, tag) if required else optional(f, tag)
    if (value or required) and not CL_ORD_ID.fullmatch(value):
        raise Rejection(ILLEGAL_CHARACTERS, f"Tag '{tag}' contains illegal characters or is too long.", 6, tag)
    return value


def decimal(f: Fields, tag: int) -> Decimal:
    """A number of at most eight decimals. Raises Rejection."""
    value = text(f, tag)
    try:
        number = read_number(value)
    except ValueError:
        raise Rejection(ILLEGAL_CHARACTERS, f"Incorrect data format for tag '{tag}'.", 6, tag) from None
    if number.adjusted() > MAX_DIGITS:
        raise Rejection(ILLEGAL_CHARACTERS, f"Incorrect data format for tag '{tag}'.", 6, tag)
    if -int(number.as_tuple().exponent) > MAX_DECIMALS:
        raise Rejection(BAD_PRECISION, f"Parameter '{tag}' has too much precision.", 5, tag)
    return number

"""Bybit Spot's FIX as its server speaks it: codes and their texts, fields of requests, how numbers are written.

Source: bybit-exchange/docs, fix-api/{guide,create-order,amend-order,cancel-order,execution-report}.mdx,
fix-api/order.xml and v5/error.mdx, as of August 2026. Written from those alone, independently of the client's dialect.
"""

import base64
import binascii
import re
from decimal import Decimal
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from common.exchange.engine import Refusal
from common.exchange.numbers import read_number
from common.exchange.settings import Key

COMP_ID = re.compile(r"[A-Za-z0-9_-]{1,16}")
CL_ORD_ID = re.compile(r"[A-Za-z0-9_-]{1,36}")
SPOT = "spot"
MAX_DIGITS = 15
MAX_DECIMALS = 12

# SessionRejectReason(373) and BusinessRejectReason(380).
INVALID_MSG_TYPE = 11
VALUE_IS_INCORRECT = 5
UNSUPPORTED_MSG_TYPE = 3
FIELD_MISSING = 5

Fields = dict[bytes, bytes]


class Code(NamedTuple):
    """A code of REST V5, which FIX uses too, with its text."""

    number: int
    text: str


BAD_PARAMETER = Code(10001, "Request parameter error.")
UNCHANGED = Code(10001, "The order remains unchanged as the parameters entered match the existing ones.")
BAD_TIME = Code(10002, "The request time exceeds the time window range.")
BAD_KEY = Code(10003, "API key is invalid.")
BAD_SIGNATURE = Code(10004, "Error sign, please check your signature generation algorithm.")
TOO_MANY = Code(10006, "Too many visits. Exceeded the API Rate Limit.")
SYSTEM_ERROR = Code(10016, "Internal System Error.")
TIMEOUT = Code(170007, "Timeout waiting for response from backend server.")
BAD_SYMBOL = Code(170121, "Invalid symbol.")
BALANCE = Code(170131, "Balance insufficient.")
BAD_PRICE = Code(170134, "Order price decimal too long.")
BAD_QTY = Code(170137, "Order volume decimal too long.")
HAS_BEEN_FILLED = Code(170139, "Order has been filled.")
BELOW_VALUE = Code(170140, "Order value exceeded lower limit.")
DUPLICATE = Code(170141, "Duplicate clientOrderId.")
HAS_BEEN_CANCELED = Code(170142, "Order has been canceled.")
FAR_PRICE = Code(170193, "Buy order price cannot be higher than limit.")
NEW_ORDER_REJECTED = Code(170210, "New order rejected.")
NO_SUCH_ORDER = Code(170213, "Order does not exist.")
WOULD_TAKE = Code(170218, "The LIMIT-MAKER order is rejected due to invalid price.")
TOO_MANY_IN_FRAME = Code(170222, "Too many requests in this time frame.")
AMEND_FAILED = Code(170311, "Failed to amend order.")

_OF_REFUSAL = {
    Refusal.UNKNOWN_SYMBOL: BAD_SYMBOL,
    Refusal.DUPLICATE: DUPLICATE,
    Refusal.BAD_QTY: BAD_QTY,
    Refusal.BAD_PRICE: BAD_PRICE,
    Refusal.FAR_PRICE: FAR_PRICE,
    Refusal.BAD_NOTIONAL: BELOW_VALUE,
    Refusal.TOO_MANY_ORDERS: TOO_MANY_IN_FRAME,
    Refusal.BALANCE: BALANCE,
    Refusal.WOULD_TAKE: WOULD_TAKE,
    Refusal.UNKNOWN_ORDER: NO_SUCH_ORDER,
    Refusal.NO_CHANGE: UNCHANGED,
    Refusal.BELOW_FILLED: AMEND_FAILED,
}


def code_of(refusal: Refusal) -> Code:
    """How the venue says what the engine refuses."""
    return _OF_REFUSAL.get(refusal, NEW_ORDER_REJECTED)


class Refused(Exception):
    """A request is refused with a code of its own message's answer."""

    def __init__(self, code: Code) -> None:
        super().__init__(code.text)
        self.code = code


class Rejected(Exception):
    """A message is answered with Reject(3), or, `business`, with BusinessMessageReject(j). `ends`: and closed."""

    def __init__(self, reason: int, text: str, tag: int = 0, *, business: bool = False, ends: bool = False) -> None:
        super().__init__(text)
        self.reason = reason
        self.tag = tag
        self.business = business
        self.ends = ends

    def message(self, seq: int, msg_type: str) -> tuple[str, bytes]:
        """MsgType(35) and the fields of the answer."""
        if self.business:
            return "j", f"45={seq}\x01372={msg_type}\x01380={self.reason}\x0158={self}\x01".encode()
        tag = f"371={self.tag}\x01" if self.tag else ""
        return "3", f"45={seq}\x01{tag}372={msg_type}\x01373={self.reason}\x0158={self}\x01".encode()


# ---- what a client writes


def must(f: Fields, tag: int) -> str:
    """A field that must be there. Raises Rejected."""
    value = f.get(b"%d" % tag, b"")
    if not value:
        raise Rejected(FIELD_MISSING, f"Required tag missing: {tag}", business=True)
    return value.decode("ascii", "replace")


def may(f: Fields, tag: int) -> str:
    """A field, "" where it is absent."""
    return f.get(b"%d" % tag, b"").decode("ascii", "replace")


def one_of(value: str, *allowed: str) -> str:
    """The value, if it is one of those. Raises Refused."""
    if value not in allowed:
        raise Refused(BAD_PARAMETER)
    return value


def decimal(value: str) -> Decimal:
    """A number of FIX. Raises Refused."""
    try:
        number = read_number(value)
    except ValueError:
        raise Refused(BAD_PARAMETER) from None
    if number.adjusted() > MAX_DIGITS or -int(number.as_tuple().exponent) > MAX_DECIMALS:
        raise Refused(BAD_PARAMETER)
    return number


def whole(value: str) -> int:
    """A whole number of at most 18 digits. Raises Refused."""
    if not value.isascii() or not value.isdecimal() or len(value) > 18:
        raise Refused(BAD_PARAMETER)
    return int(value)


def is_in_time(timestamp_ms: int, window_ms: int, now_ms: int) -> bool:
    """Whether the request is of now: server - window <= timestamp < server + 1000."""
    return now_ms - window_ms <= timestamp_ms < now_ms + AHEAD_MS


AHEAD_MS = 1000
DEFAULT_WINDOW_MS = 5000
MAX_WINDOW_MS = 60_000


def verifies(key: Key, signature: str, text: str) -> bool:
    """Whether the base64 RSA signature (PKCS#1 v1.5, SHA-256) of the text is the key's."""
    try:
        public = load_pem_public_key(key.public_key)
        if not isinstance(public, RSAPublicKey):
            return False
        public.verify(base64.b64decode(signature, validate=True), text.encode(), PKCS1v15(), SHA256())
    except (binascii.Error, ValueError, InvalidSignature):
        return False
    return True


# ---- what the server writes


def places(step: Decimal) -> int:
    """How many decimals a multiple of the step is written with."""
    return max(0, -int(step.normalize().as_tuple().exponent))


def padded(value: Decimal, decimals: int) -> str:
    """A number with so many decimals."""
    return f"{value:.{decimals}f}"


def short(value: Decimal) -> str:
    """A number without needless zeros."""
    return f"{value.normalize():f}" if value else "0"

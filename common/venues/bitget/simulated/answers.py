"""What Bitget's spot and futures requests have alike: how a request is read, refused and answered.

Source: Bitget API documentation, classic account, v2, as stored 2025-11-30.
"""

from collections.abc import Callable
from decimal import Decimal

from common.exchange.numbers import read_number
from common.exchange.order import (
    EXPIRE_BOTH,
    EXPIRE_MAKER,
    EXPIRE_TAKER,
    FILL_OR_KILL,
    GOOD_TILL_CANCEL,
    IMMEDIATE_OR_CANCEL,
    NO_PREVENTION,
    Order,
)
from common.exchange.rest import Parameters, RestError
from common.instant import Instant
from common.venues.bitget.simulated.rows import PARAMETER, Row

FORCES = {"gtc": GOOD_TILL_CANCEL, "post_only": GOOD_TILL_CANCEL, "ioc": IMMEDIATE_OR_CANCEL, "fok": FILL_OR_KILL}
SELF_TRADE = {
    "none": NO_PREVENTION, "cancel_maker": EXPIRE_MAKER, "cancel_taker": EXPIRE_TAKER, "cancel_both": EXPIRE_BOTH,
}  # fmt: skip
LONGEST_NAME = 50
_NAME_SIGNS = str.maketrans("", "", "-_#")

Handler = Callable[[str, Parameters, Instant], object]
"""Answers a request of an account with its data. Raises RestError."""


def refused(code: str, text: str, status: int = 400) -> RestError:
    """A refusal."""
    return RestError(status, {"code": code, "msg": text, "requestTime": 0, "data": None})


def decimal_of(p: Parameters, name: str) -> Decimal:
    """A number of the request. Raises RestError."""
    try:
        return read_number(p.get(name, ""))
    except ValueError:
        raise refused(PARAMETER, f"Parameter {name} error") from None


def names_of(order: Order) -> Row:
    """What an order is called, by the venue and by its owner."""
    return {"orderId": str(order.order_id), "clientOid": order.cl_ord_id}


def check_name(name: str) -> None:
    """Whether the client's own id may be taken. Raises RestError."""
    if len(name) > LONGEST_NAME or not name.isascii() or not name.translate(_NAME_SIGNS).isalnum():
        raise refused("40305", "client_oid length is not greater than 50, and cannot be Martian characters")


def force_of(p: Parameters) -> str:
    """How long the order stays, whatever the case of the word. Raises RestError, also where side or orderType is no
    word of the venue's, or stpMode none."""
    word = (p.get("force") or "gtc").lower()
    if p.get("side") not in ("buy", "sell") or p.get("orderType") not in ("limit", "market") or word not in FORCES:
        raise refused(PARAMETER, "Parameter side, orderType or force error")
    if (p.get("stpMode") or "none") not in SELF_TRADE:
        raise refused(PARAMETER, "Parameter stpMode error")
    return word

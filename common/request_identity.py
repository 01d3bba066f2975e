"""What makes two requests under one name the same: an identity of the body, short enough to stand in any record.

Orders tells a repeat from another request by it, and whoever refuses a command without keeping it gives it to the log.
An identity is a kind and a digest or two; b"" is that of a body which is not known.
"""

from decimal import Decimal
from hashlib import blake2b

import msgspec

from common.messages import (
    AmendOrder,
    AmendRequest,
    CancelAll,
    CancelAllRequest,
    CancelOrder,
    CancelRequest,
    ClientRequest,
    ListedOrder,
    NewOrder,
    NewOrderRequest,
    Terms,
)

_encode = msgspec.msgpack.Encoder().encode
CANCEL_ALL = b"c*"
"""Where a cancel of all begins, with a digest of where and whose; in older snapshots it stands alone."""

UNREAD = b"?"
"""Of a body that could not be read: another one than any that can."""

_TARGET_BYTES = 9
"""An identity of a kind and one digest."""


def request_identity(request: ClientRequest | CancelAll) -> bytes:
    """What makes two requests of one name the same: everything but the epoch and the time to live."""
    match request:
        case NewOrderRequest():
            return _new_identity(request)
        case AmendRequest():
            return _identity(b"a", request.target_number, request.target_strategy) + asked_terms(request)
        case CancelRequest():
            return _identity(b"c", request.target_number, request.target_strategy)
        case CancelAllRequest() | CancelAll():
            where = (request.venue, request.symbol, request.target_strategy)
            return CANCEL_ALL + _digest((*where, request.account) if request.account else where)


def command_identity(command: NewOrder | AmendOrder | CancelOrder) -> bytes:
    """The identity of the request that a logged command came from.

    Orders completes an amendment's terms before they are logged, so those that were asked for stand beside them.
    """
    if isinstance(command, NewOrder):
        return _new_identity(command)
    target = "" if command.target_strategy == command.strategy else command.target_strategy
    if isinstance(command, AmendOrder):
        return _identity(b"a", command.target_number, target) + command.asked
    return _identity(b"c", command.target_number, target)


def asked_terms(request: AmendRequest) -> bytes:
    """The digest of the terms that an amendment asks for, None where it leaves one."""
    return _digest(tuple(None if term is None else _normal(term) for term in (request.order_qty, request.price)))


def same_request(asked: bytes, remembered: bytes) -> bool:
    """Whether a repeat asks what was asked before. Older logs hold a cancel of all as the cancels that it became, and
    an amendment's target alone."""
    if asked.startswith(CANCEL_ALL):
        is_a_cancel = remembered[:1] == b"c" and len(remembered) == _TARGET_BYTES
        return is_a_cancel or remembered in (b"", CANCEL_ALL, asked)
    return asked == remembered or (asked.startswith(remembered) and len(remembered) in (0, _TARGET_BYTES))


def _new_identity(order: NewOrderRequest | NewOrder) -> bytes:
    terms = order.terms
    price = None if terms.price is None else _normal(terms.price)
    # Of one for an amount of the quote asset the request has no quantity, and the command what risk made of it.
    order_qty = _normal(terms.order_qty) if terms.cash_order_qty is None else None
    body = (
        order.venue, order.symbol, terms.side, terms.ord_type, order_qty, price, terms.time_in_force,
        terms.is_post_only, order.label,
    )  # fmt: skip
    further = tuple((name, _normal(value) if isinstance(value, Decimal) else value) for name, value in terms.further)
    # Older identities know neither an account, which was called like its venue, nor further terms.
    whose = () if order.account in ("", order.venue) else (order.account,)
    listed = () if not order.further else (order.contingency, *(_listed(each) for each in order.further))
    return b"n" + _digest((*body, *whose, *((further,) if further else ()), *listed))


def _listed(order: Terms | ListedOrder) -> tuple[object, ...]:
    """The terms of a list's further order, whatever else a command says of it."""
    terms = order if isinstance(order, Terms) else order.terms
    values = msgspec.structs.astuple(terms)
    return tuple(_normal(value) if isinstance(value, Decimal) else value for value in values)


def _normal(number: Decimal) -> Decimal:
    """1.0 is 1.00; what has no such form, and stands in the log as refused, is itself alone."""
    try:
        return number.normalize()
    except ArithmeticError:
        return number


def _identity(kind: bytes, number: int, strategy: str) -> bytes:
    return kind + _digest((number, strategy))


def _digest(body: tuple[object, ...]) -> bytes:
    return blake2b(_encode(body), digest_size=8).digest()

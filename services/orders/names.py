"""Names: how an attempt becomes a ClOrdID(11), and what is remembered of each command that a strategy named.

A command's name is (strategy, number) and numbers rise, so the highest one per strategy says for ever which names are
taken; what became of the latest commands is kept beside it, to answer a repeat. ClOrdIDs derive from the epoch and a
counter, so that not even a journal that lost its tail can give one out twice.
"""

from collections import OrderedDict
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from hashlib import blake2b

import msgspec

from common.messages import (
    AmendOrder,
    AmendRequest,
    Attempt,
    CancelAllRequest,
    CancelOrder,
    CancelRequest,
    ClientRequest,
    NewOrder,
    NewOrderRequest,
    Reason,
)

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"

REMEMBERED_COMMANDS = 16_384
"""Latest commands, over all strategies, whose outcome is at hand for a repeat."""


def base36(number: int) -> str:
    """A number from 0 on in digits and small letters."""
    text = ""
    while True:
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
        if not number:
            return text


def cl_ord_id_of(attempt: Attempt) -> str:
    """The attempt's ClOrdID(11): "epoch-counter" in base 36, at most 20 of [0-9a-z-]."""
    return f"{_epoch36(attempt.epoch)}-{base36(attempt.counter)}"


_epoch36 = lru_cache(maxsize=16)(base36)


def request_identity(request: ClientRequest) -> bytes:
    """What makes two requests of one name the same: everything but the epoch and the time to live."""
    match request:
        case NewOrderRequest():
            return _new_identity(request)
        case AmendRequest():
            return _identity(b"a", request.target_number, request.target_strategy) + asked_terms(request)
        case CancelRequest():
            return _identity(b"c", request.target_number, request.target_strategy)
        case CancelAllRequest():
            return CANCEL_ALL


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
    if asked == CANCEL_ALL:
        return not remembered or remembered[:1] == b"c"
    return asked == remembered or (asked.startswith(remembered) and len(remembered) in (0, _TARGET_BYTES))


def _new_identity(order: NewOrderRequest | NewOrder) -> bytes:
    price = None if order.price is None else _normal(order.price)
    return b"n" + _digest((
        order.venue, order.symbol, order.side, order.ord_type, _normal(order.order_qty), price,
        order.time_in_force, order.post_only, order.label,
    ))  # fmt: skip


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


_encode = msgspec.msgpack.Encoder().encode
CANCEL_ALL = b"c*"
_TARGET_BYTES = 9
"""An identity of a kind and one digest."""


class Remembered(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What became of one command: its identity, the attempt (epoch, counter), the outcome as told, the LSN that
    decided it. An identity of b"" is not known.
    """

    identity: bytes
    attempt: tuple[int, int]
    outcome: str
    reason: Reason
    text: str
    lsn: int


class Names:
    """The highest number of each strategy, for ever, and what became of the latest commands."""

    def __init__(self, remembered: int = REMEMBERED_COMMANDS) -> None:
        """`remembered` bounds the commands whose outcome is kept; `forgotten` is told of each that is dropped."""
        self.highest: dict[str, int] = {}
        self._commands: OrderedDict[tuple[str, int], Remembered] = OrderedDict()
        self._bound = remembered
        self.forgotten: Callable[[str, int, Remembered], None] | None = None

    def get(self, strategy: str, number: int) -> Remembered | None:
        """What is remembered of a command; None for one never seen or long ago."""
        return self._commands.get((strategy, number))

    def put(self, strategy: str, number: int, remembered: Remembered) -> None:
        """The log told what became of a command (the last word replaces the one before)."""
        if number > self.highest.get(strategy, 0):
            self.highest[strategy] = number
        commands = self._commands
        commands[strategy, number] = remembered
        if len(commands) > self._bound:
            (strategy, number), oldest = commands.popitem(last=False)
            if self.forgotten is not None:
                self.forgotten(strategy, number, oldest)

    def dump(self) -> tuple[dict[str, int], list[tuple[str, int, Remembered]]]:
        """Everything, for a snapshot."""
        return self.highest, [(*name, remembered) for name, remembered in self._commands.items()]

    def load(self, highest: dict[str, int], commands: list[tuple[str, int, Remembered]]) -> None:
        """The contrary of `dump`."""
        self.highest = dict(highest)
        self._commands = OrderedDict(((strategy, number), what) for strategy, number, what in commands)

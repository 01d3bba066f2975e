"""Names: how an attempt becomes a ClOrdID(11), and what is remembered of each command that a strategy named.

A command's name is (strategy, number) and numbers rise, so the highest one per strategy says for ever which names are
taken; what became of the latest commands is kept beside it, to answer a repeat. ClOrdIDs derive from the epoch and a
counter, so that not even a journal that lost its tail can give one out twice.
"""

from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache

import msgspec

from common.messages import Attempt, Reason

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

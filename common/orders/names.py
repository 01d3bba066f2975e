"""Names: how an attempt becomes a ClOrdID(11) and back, and what is remembered of each command that a strategy named.

A command's name is (strategy, number) and numbers rise, so the highest one per strategy says for ever which names are
taken; what became of the latest commands is kept beside it, to answer a repeat. ClOrdIDs derive from the epoch and a
counter, so that not even a journal that lost its tail can give one out twice. Each venue takes them in a form of its
own, `ClOrdIdForm`; no name of one form is one of another, so what the log has can be found without knowing the form.

Where names have to grow, those of the order manager and those that a session makes by itself (its kill switch) come one
after another: of each `PERIOD` of the counter the end belongs to the sessions of an account. A session takes the next
one behind the highest name that it has sent, and the order manager goes on in the period behind what it hears of.
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Container
from enum import StrEnum
from functools import lru_cache

import msgspec

from common.messages import HIGHEST_NUMBER, Attempt, Reason

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


class ClOrdIdForm(StrEnum):
    """What a venue takes as ClOrdID(11).

    TEXT: any text, "epoch-counter" in base 36, at most 20 of [0-9a-z-]. DIGITS: a whole number above 0 of at most 18
    digits that grows from one request to the next. DIGITS17: the same, of at most 17 digits. UUID4: a UUID of version 4
    and variant 1, in small letters.
    """

    TEXT = "text"
    DIGITS = "digits"
    DIGITS17 = "digits17"
    UUID4 = "uuid4"


class NamesUsedUp(ValueError):
    """The attempt has no name in that form: its epoch or its counter is beyond what the form holds."""


FIRST_EPOCH = 1_600_000_000
"""Numbers count epochs, which are Unix seconds, from here: that holds until 2052."""

_EPOCHS_FROM = FIRST_EPOCH + 100_000_000
"""From here on (2023) an epoch has nine digits, so that numbers of another form are of another length."""

_COUNTER_DIGITS = {ClOrdIdForm.DIGITS: 9, ClOrdIdForm.DIGITS17: 8}
"""The forms that are numbers: behind the epoch's digits stand so many of the counter."""

_LAST: dict[ClOrdIdForm, Attempt] = {
    ClOrdIdForm.TEXT: Attempt(HIGHEST_NUMBER, HIGHEST_NUMBER),
    ClOrdIdForm.DIGITS: Attempt(FIRST_EPOCH + 999_999_999, 999_999_999),
    ClOrdIdForm.DIGITS17: Attempt(FIRST_EPOCH + 999_999_999, 99_999_999),
    ClOrdIdForm.UUID4: Attempt((1 << 40) - 1, (1 << 40) - 1),
}
"""The highest epoch and the highest counter that a form holds."""

_FIRST: dict[ClOrdIdForm, int] = {
    ClOrdIdForm.TEXT: 0, ClOrdIdForm.DIGITS: _EPOCHS_FROM, ClOrdIdForm.DIGITS17: _EPOCHS_FROM, ClOrdIdForm.UUID4: 0,
}  # fmt: skip
"""The lowest epoch that a form holds."""

BEFORE_ALL = Attempt(max(_FIRST.values()), 0)
"""What a session goes on behind that has sent no name yet: every form holds what follows, and no life's epoch is as
low."""

_MARK = 0x29F_1C3B_47A5
"""42 bits of each UUID4 of ours, by which it is told from a stranger's."""

_TEXT = re.compile(r"(0|[1-9a-z][0-9a-z]{0,12})-(0|[1-9a-z][0-9a-z]{0,12})")
_NUMBER = re.compile(r"[1-9][0-9]{16,17}")
_UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def cl_ord_id_of(attempt: Attempt, form: ClOrdIdForm = ClOrdIdForm.TEXT) -> str:
    """The attempt's ClOrdID(11) in the venue's form. Raises NamesUsedUp where the form does not hold the attempt."""
    if form is ClOrdIdForm.TEXT:
        return f"{_epoch36(attempt.epoch)}-{base36(attempt.counter)}"
    if not _holds(form, attempt):
        raise NamesUsedUp(
            f"attempt {attempt.counter} of epoch {attempt.epoch} has no ClOrdID(11) of the form {form.value}: it takes "
            f"epochs {_FIRST[form]} to {_LAST[form].epoch} and counters to {_LAST[form].counter}; set the clock right, "
            "or restart the order manager, which takes a new epoch"
        )
    if form in _COUNTER_DIGITS:
        return f"{attempt.epoch - FIRST_EPOCH}{attempt.counter:0{_COUNTER_DIGITS[form]}d}"
    # The free bits of a UUID, from the left: 48, 12 behind the version, 62 behind the variant.
    free = attempt.epoch << 82 | attempt.counter << 42 | _MARK
    text = f"{free >> 74:012x}4{free >> 62 & 0xFFF:03x}{1 << 63 | free & (1 << 62) - 1:016x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def attempt_of(cl_ord_id: str, form: ClOrdIdForm) -> Attempt | None:
    """The attempt whose ClOrdID(11) of that form this is; None for a name that is none of ours."""
    if form is ClOrdIdForm.TEXT:
        parts = _TEXT.fullmatch(cl_ord_id)
        found = None if parts is None else Attempt(int(parts[1], 36), int(parts[2], 36))
    elif form in _COUNTER_DIGITS:
        counted = -_COUNTER_DIGITS[form]
        is_number = _NUMBER.fullmatch(cl_ord_id) is not None
        found = Attempt(FIRST_EPOCH + int(cl_ord_id[:counted]), int(cl_ord_id[counted:])) if is_number else None
    else:
        found = _attempt_of_uuid(cl_ord_id)
    return found if found is not None and _holds(form, found) else None


def _attempt_of_uuid(cl_ord_id: str) -> Attempt | None:
    if _UUID4.fullmatch(cl_ord_id) is None:
        return None
    whole = int(cl_ord_id.replace("-", ""), 16)
    free = whole >> 80 << 74 | (whole >> 64 & 0xFFF) << 62 | whole & (1 << 62) - 1
    if free & (1 << 42) - 1 != _MARK:
        return None
    return Attempt(free >> 82, free >> 42 & (1 << 40) - 1)


def sent_name(attempt: Attempt, names: Container[str]) -> str:
    """The attempt's ClOrdID(11) as it stands among `names`, in whatever form; its TEXT where it does not."""
    text = cl_ord_id_of(attempt)
    if text in names:
        return text
    others = (form for form in ClOrdIdForm if form is not ClOrdIdForm.TEXT and _holds(form, attempt))
    return next((name for form in others if (name := cl_ord_id_of(attempt, form)) in names), text)


def _holds(form: ClOrdIdForm, attempt: Attempt) -> bool:
    last = _LAST[form]
    return _FIRST[form] <= attempt.epoch <= last.epoch and 0 <= attempt.counter <= last.counter


_epoch36 = lru_cache(maxsize=16)(base36)

# ---- the counter's parts ----
PERIOD = 100_000
OF_ORDERS = 91_000
"""Of each period the counters below are the order manager's."""

OF_SESSION = 1_000
"""And of what is left each session of an account has so many, by its place in the account."""

MOST_SESSIONS = (PERIOD - OF_ORDERS) // OF_SESSION
RESERVE = 10 * PERIOD
"""So far before the last counter a new epoch is due: until it is granted, names are given as before."""


def next_of_orders(counter: int) -> int:
    """The order manager's counter that follows `counter`, whoever took that."""
    following = counter + 1
    return following if following % PERIOD < OF_ORDERS else (following // PERIOD + 1) * PERIOD


def next_of_session(counter: int, place: int) -> int:
    """The next counter behind `counter` of the account's session at that place, from 0 on."""
    assert 0 <= place < MOST_SESSIONS
    following, first = counter + 1, OF_ORDERS + place * OF_SESSION
    period, within = divmod(following, PERIOD)
    if within < first:
        return period * PERIOD + first
    return following if within < first + OF_SESSION else (period + 1) * PERIOD + first


def new_epoch_due(counter: int, forms: Container[ClOrdIdForm]) -> bool:
    """Whether the counter comes near the end of what one of the forms holds."""
    return any(form in forms and counter > last.counter - RESERVE for form, last in _LAST.items())


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
    """The highest number of each strategy, for ever, and what became of the latest commands.

    `forgotten` is the highest number of each strategy whose outcome has left memory.
    """

    def __init__(
        self,
        remembered: int = REMEMBERED_COMMANDS,
        command_left: Callable[[tuple[str, int], Remembered], None] = lambda name, remembered: None,
    ) -> None:
        """`remembered` bounds the commands whose outcome is kept; `command_left` is told of each that is dropped."""
        self.highest: dict[str, int] = {}
        self.forgotten: dict[str, int] = {}
        self._commands: OrderedDict[tuple[str, int], Remembered] = OrderedDict()
        self._bound = remembered
        self._command_left = command_left

    def get(self, strategy: str, number: int) -> Remembered | None:
        """What is remembered of a command; None for one never seen or long ago."""
        return self._commands.get((strategy, number))

    def put_command(self, strategy: str, number: int, remembered: Remembered) -> None:
        """The log told what became of a command (the last word replaces the one before)."""
        if number > self.highest.get(strategy, 0):
            self.highest[strategy] = number
        commands = self._commands
        commands[strategy, number] = remembered
        if len(commands) > self._bound:
            (whose, oldest), left = commands.popitem(last=False)
            self.forgotten[whose] = max(oldest, self.forgotten.get(whose, 0))
            self._command_left((whose, oldest), left)

    def may_be_forgotten(self, strategy: str, number: int) -> bool:
        """Whether the outcome of a command that is not in memory may have left it."""
        return number <= self.forgotten.get(strategy, 0)

    def dump(self) -> tuple[dict[str, int], list[tuple[str, int, Remembered]]]:
        """Everything but what is forgotten, for a snapshot."""
        return self.highest, [(*name, remembered) for name, remembered in self._commands.items()]

    def load(
        self, highest: dict[str, int], forgotten: dict[str, int], commands: list[tuple[str, int, Remembered]]
    ) -> None:
        """The contrary of `dump`."""
        self.highest, self.forgotten = dict(highest), dict(forgotten)
        self._commands = OrderedDict(((strategy, number), what) for strategy, number, what in commands)

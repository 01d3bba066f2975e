"""What applying one record changed: the fold's answers to the core, which turns them into events and further steps.

The place of a change in the list that one record gave, see `numbered`, is the index in the name (LSN, index) of the
event made of it.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal

import msgspec

from common.messages import AmendOrder, Answer, Attempt, CancelOrder, ExecutionReport, NewOrder, QueryOrder, Reason
from common.orders.fills import FillChange
from common.orders.numbers import ZERO
from common.orders.order_state import Order

EVENTS = {
    "0": "new", "1": "trade", "2": "trade", "3": "done_for_day", "4": "canceled", "5": "replaced",
    "6": "pending_cancel", "7": "stopped", "8": "rejected", "9": "suspended", "A": "pending_new", "B": "calculated",
    "C": "expired", "D": "restated", "E": "pending_replace", "F": "trade", "G": "trade_correct", "H": "trade_cancel",
    "I": "status", "L": "triggered",
}  # fmt: skip
"""What an event of an order is called, by ExecType(150)."""


class OrderChanged(msgspec.Struct, frozen=True, gc=False):
    """The order is another one than before. `event` in FIX's words; the rest is of the fill, if it was one.

    A bust and a correction are no fills: `last_qty` is 0 and `reference_trade_key` names the fill that they change.
    """

    order: Order
    event: str
    last_qty: Decimal = ZERO
    last_px: Decimal = ZERO
    fee_qty: Decimal = ZERO
    fee_asset: str = ""
    trade_key: str = ""
    maker: bool = False
    text: str = ""
    reference_trade_key: str = ""


class CommandDecided(msgspec.Struct, frozen=True, gc=False):
    """A command has its outcome, in the words of `CommandOutcome`."""

    strategy: str
    number: int
    outcome: str
    reason: Reason = Reason.NONE
    text: str = ""


class AttemptExpired(msgspec.Struct, frozen=True, gc=False):
    """A stamp later than the deadline was read, and nothing of the attempt before it."""

    attempt: Attempt


class AttemptEnded(msgspec.Struct, frozen=True, gc=False):
    """An attempt came to nothing: refused, void, withdrawn or never received. `command` where the record holds it."""

    attempt: Attempt
    reason: Reason
    command: NewOrder | AmendOrder | CancelOrder | QueryOrder | None


class AttemptSent(msgspec.Struct, frozen=True, gc=False):
    """An attempt is in the log in time."""

    attempt: Attempt


class NamedBySession(msgspec.Struct, frozen=True, gc=False):
    """A session has named a request of its own, within an epoch of ours."""

    attempt: Attempt


class CancelRefused(msgspec.Struct, frozen=True, gc=False):
    """The venue refused a cancel; the wish stays. `unknown_order`: it claims not to know the order."""

    order: Order
    unknown_order: bool


class CancelWished(msgspec.Struct, frozen=True, gc=False):
    """The order is to be cancelled, in the name of the command (`strategy`, `number`)."""

    order: Order
    strategy: str
    number: int


class PositionMoved(msgspec.Struct, frozen=True, gc=False):
    """A fill, bust or correction moved a position; `strategy` is whose order it was, "" nobody's."""

    account: str
    symbol: str
    strategy: str


class SessionMoved(msgspec.Struct, frozen=True, gc=False):
    """A step in the life of an account's session; `skipped` where its numbers were set, by it or by the venue."""

    session: str
    account: str
    skipped: bool = False


class Inquired(msgspec.Struct, frozen=True, gc=False):
    """An order's state was told in answer to a question; `settled` False where the answer came too late to count."""

    order: Order
    settled: bool


class Answered(msgspec.Struct, frozen=True, gc=False):
    """The account's answer went into the books."""

    answer: Answer


class Unnamed(msgspec.Struct, frozen=True, gc=False):
    """A report on an order that is not in memory; `fill` is what a fill, bust or correction in it changed."""

    account: str
    report: ExecutionReport
    fill: FillChange | None


class Doubted(msgspec.Struct, frozen=True, gc=False):
    """The venue said something about the order that could not be read or believed: it has to be asked."""

    order: Order


class Overtaken(msgspec.Struct, frozen=True, gc=False):
    """A request about the order has left when the order was over: what becomes of it the venue is to tell."""

    order: Order


class Missed(msgspec.Struct, frozen=True, gc=False):
    """A report that could not be read names no order of ours: it may have been a fill of somebody else's."""

    account: str


class Differs(msgspec.Struct, frozen=True, gc=False):
    """Our books and the venue's word did not agree; `action` is what the fold did about it."""

    account: str
    subject: str
    ours: str
    theirs: str
    action: str


Change = (
    OrderChanged
    | CommandDecided
    | AttemptExpired
    | AttemptEnded
    | AttemptSent
    | NamedBySession
    | CancelRefused
    | CancelWished
    | PositionMoved
    | SessionMoved
    | Inquired
    | Answered
    | Unnamed
    | Doubted
    | Overtaken
    | Missed
    | Differs
)


def numbered(changes: Sequence[Change]) -> Iterator[tuple[int, Change]]:
    """What one record changed, each with its index: 0 is the first that the log alone gives.

    Attempts that have expired stand before it and count below 0. Only a process that has waited for them knows of
    those, and an event must have the same name whoever reads the log.
    """
    expired = 0
    while expired < len(changes) and type(changes[expired]) is AttemptExpired:
        expired += 1
    return enumerate(changes, -expired)

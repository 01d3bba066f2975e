"""What the load asked for and what it was told, kept by itself: the strategy's side of every comparison."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from common.messages import CommandOutcome, OrderEvent, OrderStatus, Reason

MISUSE = frozenset({Reason.DUPLICATE_NAME, Reason.NAME_REUSED, Reason.STALE_EPOCH, Reason.SUPERSEDED})
"""Refusals of a message, not of the command that bears the same number."""

NEW = "new"
TAKEN_BACK = frozenset({"trade_cancel", "trade_correct"})
"""Events of an order in which fills that were told come to something else."""


@dataclass(slots=True)
class Told:
    """One command of the load, with everything that it was told of it. Quantities are the order's own."""

    strategy: str
    number: int
    kind: str
    venue: str
    outcome: str = ""
    outcome_lsn: int = 0
    reason: str = ""
    status: OrderStatus | None = None
    open: bool = False
    cl_ord_id: str = ""
    cum_qty: Decimal = Decimal(0)
    fills: dict[str, Decimal] = field(default_factory=dict)
    gap: bool = False
    """Events were not repeated after an interruption, so `fills` may miss some."""

    is_abandoned: bool = False
    """The client died before an outcome came, and nobody asks for it any more."""

    @property
    def name(self) -> tuple[str, int]:
        """How the log calls it."""
        return self.strategy, self.number

    @property
    def is_settled(self) -> bool:
        """Whether nothing more is to be expected: an outcome and, for an order that was sent, its end."""
        if not self.outcome:
            return self.is_abandoned
        closed = self.gap if self.status is None else not self.open
        return self.kind != NEW or self.outcome != "sent" or closed


class Book:
    """Every command since the last `settle`, by (strategy, number). `differences` are sentences; none is good."""

    def __init__(self) -> None:
        """Nothing was asked for."""
        self.commands: dict[tuple[str, int], Told] = {}
        self.differences: list[str] = []
        self.outcomes: dict[str, int] = {}
        self.reasons: dict[str, int] = {}
        self.fills = 0
        self.given_count = 0

    def given(self, strategy: str, number: int, kind: str, venue: str) -> None:
        """A command was sent; `kind` is "new", "amend", "cancel" or "cancel_all"."""
        if (strategy, number) in self.commands:
            self.differences.append(f"{strategy}/{number}: the number was given twice")
        self.commands[strategy, number] = Told(strategy, number, kind, venue)
        self.given_count += 1

    def told(self, event: CommandOutcome) -> None:
        """An outcome came. The one that was told first stays; another is a difference."""
        told = self.commands.get((event.strategy, event.number))
        if told is None or event.reason in MISUSE:
            return
        if event.outcome == "accepted":
            # A cancel is being carried out: not an outcome if another follows, and enough if none does.
            if not told.outcome:
                self._count(told, event)
            return
        if told.outcome in ("", "accepted"):
            self._count(told, event)
        elif told.outcome != event.outcome and not _ended(told, event):
            self.differences.append(
                f"{event.strategy}/{event.number}: told {told.outcome} by record {told.outcome_lsn}, and "
                f"{event.outcome} ({event.reason}) by record {event.lsn}"
            )
        told.outcome, told.outcome_lsn, told.reason = event.outcome, event.lsn, str(event.reason)

    def ordered(self, event: OrderEvent) -> None:
        """An order's event came."""
        told = self.commands.get((event.strategy, event.number))
        if told is None:
            return
        name = f"{event.strategy}/{event.number}"
        if event.event in TAKEN_BACK:
            told.fills[f"{event.trade_key} of {event.reference_trade_key}"] = event.cum_qty - told.cum_qty
        elif event.cum_qty < told.cum_qty:
            self.differences.append(f"{name}: CumQty(14) fell from {told.cum_qty} to {event.cum_qty} (LSN {event.lsn})")
        if told.status is not None and not told.open and event.open:
            self.differences.append(f"{name}: it was {told.status}, and is {event.status} again (LSN {event.lsn})")
        if event.last_qty and event.trade_key:
            if event.trade_key in told.fills:
                self.differences.append(f"{name}: trade {event.trade_key} was told twice (LSN {event.lsn})")
            told.fills[event.trade_key] = event.last_qty
            self.fills += 1
        told.status, told.open, told.cum_qty = event.status, event.open, event.cum_qty
        told.cl_ord_id = event.cl_ord_id or told.cl_ord_id

    def abandoned(self, strategy: str) -> None:
        """The strategy's client died, and its memory with it."""
        for told in list(self.unsettled()):
            if told.strategy == strategy:
                told.is_abandoned, told.gap = True, True

    def interrupted(self, strategy: str) -> None:
        """The order manager does not repeat what was missed: of what was open, only what is told again still is."""
        for told in list(self.unsettled()):
            if told.strategy == strategy:
                told.gap, told.status = True, None

    def unsettled(self) -> Iterator[Told]:
        """What still waits for an outcome or an end."""
        return (told for told in self.commands.values() if not told.is_settled)

    def settle(self) -> list[Told]:
        """Hand over everything and begin anew; call it at rest."""
        commands, self.commands = list(self.commands.values()), {}
        return commands

    def _count(self, told: Told, event: CommandOutcome) -> None:
        told.outcome, told.outcome_lsn, told.reason = event.outcome, event.lsn, str(event.reason)
        self.outcomes[event.outcome] = self.outcomes.get(event.outcome, 0) + 1
        if event.reason is not Reason.NONE:
            self.reasons[str(event.reason)] = self.reasons.get(str(event.reason), 0) + 1


def _ended(told: Told, event: CommandOutcome) -> bool:
    """Whether `sent` ended by a withdrawal: the one outcome that another may follow."""
    former = (told.outcome_lsn, told.outcome)
    first, then = sorted((former, (event.lsn, event.outcome)))
    return (first[1], then[1]) == ("sent", "withdrawn")

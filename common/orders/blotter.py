"""The blotter: what moved positions, line by line, as the fold counts it. Added up, the lines are the positions.

A line is one change of a strategy's part of a position: a fill, a fill that was taken back or corrected, a price or a
fee that the venue told later, a fill that was nobody's and found its order (it leaves nobody's part, and comes to the
order's), or what a person has booked.
"""

import enum
from collections.abc import Iterator
from decimal import Decimal

import msgspec

from common.journal.frames import Record
from common.messages import SIDE_BUY, Kind
from common.orders.books import Move
from common.orders.changes import OrderChanged
from common.orders.fold import Fold
from common.orders.numbers import ZERO


class LineKind(enum.StrEnum):
    """Why a line is there."""

    FILL = "fill"
    TAKEN_BACK = "taken_back"
    CORRECTED = "corrected"
    FEE = "fee"
    BOOKED = "booked"


class BlotterLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One line. `qty` is below zero for what is sold, or bought and taken back; `px` is 0 where it is not known.

    `value` is price times quantity with the sign of `qty`: of a price that was told later it is all that there is.
    `fees` are pairs of asset and quantity, below zero for what was given back. `number` is 0 where it is of no order.
    """

    lsn: int
    stamp_ns: int
    kind: LineKind
    strategy: str
    number: int
    venue: str
    account: str
    symbol: str
    qty: Decimal
    px: Decimal
    value: Decimal
    fees: tuple[tuple[str, Decimal], ...]
    trade_key: str
    maker: bool


class Blotter:
    """A fold that tells what each record moved."""

    def __init__(self, fold: Fold) -> None:
        """`fold` stands before the first record that is asked about."""
        self._fold = fold

    @property
    def lsn(self) -> int:
        """The last record folded."""
        return self._fold.books.lsn

    def take_record(self, record: Record) -> Iterator[BlotterLine]:
        """Fold the next record, and give its lines. Raises what `Fold.apply` raises."""
        changes, books = self._fold.apply(record), self._fold.books
        if not books.changed_shares:
            return
        fills = (change for change in changes if isinstance(change, OrderChanged))
        makers = {change.trade_key for change in fills if change.maker}
        for move in books.moves:
            yield from self._lines(record, move, move.change.trade_key in makers)

    def _lines(self, record: Record, move: Move, maker: bool) -> Iterator[BlotterLine]:
        """One for each fill that is more or less; the fees stand on the last of them."""
        change, venue = move.change, self._fold.books.known.venue_of(move.change.account)
        sign = 1 if change.side == SIDE_BUY else -1
        parts = [(qty, px, qty * px) for qty, px in change.each] or [(ZERO, ZERO, change.value)]
        for nth, (qty, px, value) in enumerate(parts, 1):
            yield BlotterLine(
                lsn=record.lsn, stamp_ns=record.stamp_ns, kind=_kind(record, move), strategy=move.strategy,
                number=move.number, venue=venue, account=change.account, symbol=change.symbol, qty=sign * qty, px=px,
                value=sign * value, fees=change.fees if nth == len(parts) else (), trade_key=change.trade_key,
                maker=maker,
            )  # fmt: skip


def _kind(record: Record, move: Move) -> LineKind:
    change = move.change
    if record.kind == Kind.BOOKED:
        return LineKind.BOOKED
    if change.fills:
        return LineKind.FILL if change.fills > 0 else LineKind.TAKEN_BACK
    return LineKind.CORRECTED if change.qty or change.value else LineKind.FEE

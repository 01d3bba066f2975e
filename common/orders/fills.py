"""A fill as the ledger holds it, and what one word on it has changed."""

from decimal import Decimal
from typing import Final, NamedTuple

import msgspec

from common.orders.numbers import ZERO

BY_HAND: Final = "hand-"
"""How the trade identity of what a person has booked begins; its record follows."""


class Fill(msgspec.Struct, gc=False):
    """One key of the ledger. It counts when it has a quantity and nothing replaces it.

    `owner` is the order that it fills ("" for nobody's of ours), `order_id` the OrderID(37) that it was told under.
    `px` 0 is a price that nobody has told. `by_hand`: a person has booked it, and what the venue tells takes its place.
    """

    owner: str
    side: str
    qty: Decimal
    px: Decimal
    fee_qty: Decimal
    fee_asset: str
    told: bool
    replaced_by: str = ""
    order_id: str = ""
    by_hand: bool = False


class FillRow(NamedTuple):
    """One key of the ledger as a snapshot holds it. Rows of one trade identity stand in the order of their arrival."""

    venue: str
    symbol: str
    trade_key: str
    fill: Fill


class RetiredRow(NamedTuple):
    """One fill of an order that left memory, as a snapshot holds it: the `nth` under one trade identity, from 0."""

    venue: str
    symbol: str
    trade_key: str
    nth: int = 0


class FillChange(msgspec.Struct, frozen=True, gc=False):
    """What one word on a fill changed. `qty` and `value` (quantity times price) are differences, negative after a bust.

    `owner` is whose fill it is as the ledger knows it, `side` Side(54); `fees` are differences too, positive when
    paid. `fills`: 1 for a fill more, -1 for one less, 0 for a corrected one. `unpriced_qty` is the difference of the
    quantity whose price is not known: it has no value yet. `gave_way`: what a person had booked of the order and is
    gone now that the venue tells of it; `net` is the change with it. `parts`: quantity and price of each fill where it
    is of more than one, below zero of what is none any more.
    """

    account: str
    symbol: str
    trade_key: str
    owner: str
    side: str
    qty: Decimal
    value: Decimal
    fees: tuple[tuple[str, Decimal], ...]
    fills: int = 0
    unpriced_qty: Decimal = ZERO
    gave_way: "FillChange | None" = None
    parts: tuple[tuple[Decimal, Decimal], ...] = ()

    @property
    def net(self) -> "FillChange":
        """The change, less what gave way to it."""
        gone = self.gave_way
        if gone is None:
            return self
        return msgspec.structs.replace(
            self, qty=self.qty + gone.qty, value=self.value + gone.value, fills=self.fills + gone.fills, gave_way=None,
            parts=(*gone.each, *self.each),
        )  # fmt: skip

    @property
    def each(self) -> tuple[tuple[Decimal, Decimal], ...]:
        """Quantity and price of each fill that is more, or with a quantity below zero less; a price 0 is not known."""
        if self.parts or not self.qty:
            return self.parts
        return ((self.qty, self.value / self.qty),)

    def signed_qty(self) -> Decimal:
        """The change of the position, before fees."""
        return self.qty if self.side == "1" else -self.qty

    def whole_fill(self) -> "FillChange":
        """A fill that was claimed, as one that is more: without what gave way to it."""
        unpriced_qty = ZERO if self.value else self.qty
        return msgspec.structs.replace(self, fills=1, unpriced_qty=unpriced_qty, gave_way=None)

    def opposite(self) -> "FillChange":
        """What undoes the change."""
        return msgspec.structs.replace(
            self, qty=-self.qty, value=-self.value, fees=tuple((asset, -paid) for asset, paid in self.fees),
            fills=-self.fills, unpriced_qty=-self.unpriced_qty, parts=tuple((-qty, px) for qty, px in self.parts),
        )  # fmt: skip

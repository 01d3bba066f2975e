"""What an order is, told by the venue: the table of its states, and the ledger of fills that its quantities come from.

Rules, in the order of their weight:

1. Quantities come from the ledger alone. A fill is keyed by (account, symbol, the venue's trade identity) and the order
   that it fills, the same key whoever told it, so it counts once; reports for different orders are never one fill. A
   correction or bust names the fill that it replaces (ExecRefID(19)); each key may be told in any order and any number
   of times, and the sum comes out the same.
2. What the venue last said of CumQty(14) may be ahead of the ledger (a fill that was missed): `told_cum_qty` keeps
   it, and LeavesQty(151) believes the larger. Only a bust or a correction lowers it; an answer of REST never does.
3. The venue's word is OrdStatus(39) without its pending values, moved by the table `NEXT_WORD`. An event for which
   the table has no move changes quantities at most: a trade after a cancel stays a cancelled order with one more
   fill.
4. The state shown is computed, never stored: from the word, the quantities and the requests under way.

Theory of operation. One order of ours may be several orders of the venue: an amendment that can only cancel and send
anew adds a *leg*. A `Leg` is one order of the venue, a small machine over ExecutionReport(8); an
`Order` is its legs and its unanswered requests. Risk holds legs and the ledger only. The source of the table is FIX
4.4 Volume 7/Appendix D, "Order State Change Matrices", which `tests/common/orders/test_order_state_matrices.py` plays.
"""

import enum
from collections.abc import Callable, Mapping, Sequence
from decimal import Context, Decimal
from typing import Final, NamedTuple

import msgspec

from common.messages import (
    SIDE_BUY,
    SIDE_SELL,
    Attempt,
    ExecutionReport,
    NewOrder,
    OfTerms,
    OrderStatus,
    Reason,
    Terms,
)
from common.orders.forgotten import Forgotten, MemoryForgotten, TradeId, exec_id_of
from common.orders.words import (
    ACCEPTED_FOR_BIDDING,
    CALCULATED,
    CANCELED,
    CHANGES_OF_FILLS,
    DONE_FOR_DAY,
    EXPIRED,
    FILLED,
    FILLS,
    NEW,
    ORDER_STATUS,
    PARTIAL,
    PENDING_CANCEL,
    PENDING_NEW,
    PENDING_REPLACE,
    REJECTED,
    REPLACED,
    RESTATED,
    STOPPED,
    SUSPENDED,
    TERMINAL_WORDS,
    TRADE_CANCEL,
    TRADE_CORRECT,
    names_of_order,
)

ZERO: Final = Decimal(0)

MAX_MAGNITUDE: Final = 64
"""No quantity, price or fee is as large as ten to this power, nor as small as one by it: what is says nothing."""


def is_plausible(number: Decimal) -> bool:
    """Whether a number that the log has can be counted with: finite, and of a size that no sum of such overflows."""
    return number.is_finite() and -MAX_MAGNITUDE <= number.adjusted() <= MAX_MAGNITUDE


def is_multiple(number: Decimal, step: Decimal) -> bool:
    """Whether the number is a whole multiple of `step`, however small that is: Decimal's own `%` fails where the
    quotient has more digits than its precision.
    """
    return not _WIDE.remainder(number, step)


def rounded(number: Decimal, step: Decimal) -> Decimal:
    """A plausible number to a whole multiple of `step`, a power of ten, however many digits that has: Decimal's own
    `quantize` fails beyond its precision.
    """
    return number.quantize(step, context=_WIDE)


_WIDE = Context(prec=2 * MAX_MAGNITUDE + 64)


# ----------------------------------------------------------------------------------------------------------- the ledger

MAX_RETIRED_FILLS = 16_384
"""Trades of closed orders that stay in memory, oldest forgotten first: a repeat or bust that comes later is looked
up."""


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


class FillLedger:
    """Every fill that was ever told, each counted once. An `owner` is the caller's word for the order ("" for
    nobody's).

    A fill is known by the venue's trade identity and the order that it fills: two orders of ours may meet in one trade,
    and an ExecID(17) comes again on another day. Corrections form a chain from key to key within one order; the end of
    the chain is what counts, and a bust is an end that counts nothing. So the order of arrival does not matter, and a
    repeat changes nothing.

    Memory has all fills of a trade identity, or none. It has those of each order that a caller has named and not
    retired, and of the others the latest; the rest is looked up in `forgotten`.
    """

    def __init__(
        self,
        max_retired: int = MAX_RETIRED_FILLS,
        base_of: Callable[[str, str], str] = lambda venue, symbol: "",
        forgotten: Forgotten | None = None,
    ) -> None:
        """`max_retired` bounds the trades kept in memory of which no order is left there; what leaves it goes into
        `forgotten`. `base_of` tells the base asset of a symbol at a venue: a fee in it that is larger than its fill is
        no fee, and the fill counts without it.
        """
        self._base_of = base_of
        self._forgotten: Forgotten = MemoryForgotten() if forgotten is None else forgotten
        self._fills: dict[TradeId, list[Fill]] = {}
        self._keys: dict[str, list[TradeId]] = {}
        self._retired: dict[TradeId, None] = {}
        self._unpriced: dict[str, Decimal] = {}
        self._by_hand: dict[str, list[TradeId]] = {}
        self._max_retired = max_retired
        self._lsn = 0

    def begin(self, lsn: int) -> None:
        """Record `lsn` is folded next. What has no room in memory leaves it now and not meanwhile, so that no look-up
        depends on what the record itself changed."""
        self._lsn = lsn
        while len(self._retired) > self._max_retired:
            trade_id = next(iter(self._retired))
            del self._retired[trade_id]
            self._forgotten.put_fills(trade_id, lsn, self._fills.pop(trade_id))

    def __len__(self) -> int:
        """How many fills are in memory, those of retired orders included."""
        return sum(len(fills) for fills in self._fills.values())

    def knows(self, venue: str, symbol: str, trade_key: str, owner: str = "", order_id: str = "") -> bool:
        """Whether this very word of the venue on that order was counted already."""
        fill = self._find((venue, symbol, trade_key), owner, order_id)
        return fill is not None and fill.told

    def owner(self, venue: str, symbol: str, trade_key: str, order_id: str = "") -> str | None:
        """Whose fill it is; None for one that is not known."""
        fill = self._find((venue, symbol, trade_key), "", order_id)
        return None if fill is None else fill.owner

    def _under(self, trade_id: TradeId) -> list[Fill]:
        """All fills of that identity, which are in memory from now on."""
        fills = self._fills.get(trade_id)
        if fills is None:
            fills = self._forgotten.fills(trade_id, self._lsn)
            if fills:
                self._fills[trade_id] = fills
                self._retired[trade_id] = None
        return fills

    def trade(
        self,
        venue: str,
        symbol: str,
        trade_key: str,
        owner: str,
        side: str,
        qty: Decimal,
        px: Decimal,
        fee_qty: Decimal = ZERO,
        fee_asset: str = "",
        order_id: str = "",
    ) -> FillChange | None:
        """A fill of LastQty(32) at LastPx(31). None when it was known, was busted before it was told, or its numbers
        are implausible."""
        fill = Fill(owner, side, qty, px, fee_qty, fee_asset, True, "", order_id)
        change = self._tell((venue, symbol, trade_key), "", fill) if _counts(fill) and qty > ZERO else None
        return self._give_way(change)

    def correct(
        self,
        venue: str,
        symbol: str,
        trade_key: str,
        reference: str,
        owner: str,
        side: str,
        qty: Decimal,
        px: Decimal,
        fee_qty: Decimal = ZERO,
        fee_asset: str = "",
        order_id: str = "",
    ) -> FillChange | None:
        """TradeCorrect(ExecType(150)=G): the fill `trade_key` takes the place of `reference`, known or still to
        come."""
        fill = Fill(owner, side, qty, px, fee_qty, fee_asset, True, "", order_id)
        return self._give_way(self._tell((venue, symbol, trade_key), reference, fill)) if _counts(fill) else None

    def bust(
        self, venue: str, symbol: str, trade_key: str, reference: str, owner: str = "", side: str = "",
        order_id: str = "",
    ) -> FillChange | None:  # fmt: skip
        """TradeCancel(ExecType(150)=H): `reference` is no fill any more; `trade_key` names the word itself."""
        fill = Fill(owner, side, ZERO, ZERO, ZERO, "", True, "", order_id)
        return self._tell((venue, symbol, trade_key), reference, fill)

    def report(self, venue: str, owner: str, report: ExecutionReport) -> FillChange | None:
        """Whatever fill, correction or bust an ExecutionReport(8) carries; None where it carries none that is new, or
        one whose numbers are implausible. A correction to a quantity of 0 is one."""
        key, exec_type = report.trade_key, report.exec_type
        if not key:
            return None
        if exec_type == TRADE_CANCEL:
            reference = self._heard_as(venue, report, owner)
            return self.bust(venue, report.symbol, key, reference, owner, report.side, report.order_id)
        if exec_type not in FILLS and exec_type != TRADE_CORRECT:
            return None
        fill = Fill(
            owner, report.side, report.last_qty, report.last_px, report.fee_qty, report.fee_asset, True, "",
            report.order_id,
        )  # fmt: skip
        if not _counts(fill) or fill.qty < ZERO or (not fill.qty and exec_type != TRADE_CORRECT):
            return None
        reference = self._heard_as(venue, report, owner) if exec_type == TRADE_CORRECT else ""
        return self._give_way(self._tell((venue, report.symbol, key), reference, fill))

    def is_taken_back(self, venue: str, owner: str, report: ExecutionReport) -> bool:
        """Whether a bust or a correction of the fill that the report tells was heard before."""
        if report.exec_type not in FILLS:
            return False
        fill = self._find((venue, report.symbol, report.trade_key), owner, report.order_id, report.side)
        return fill is not None and bool(fill.replaced_by)

    def claim(
        self, venue: str, symbol: str, trade_key: str, owner: str, order_id: str = "", side: str = ""
    ) -> FillChange | None:
        """A fill that was nobody's turns out to be `owner`'s, whose OrderID(37) and side these are: the whole of it,
        for its sums and to be told. None if it is not so."""
        trade_id = (venue, symbol, trade_key)
        fill = self._find(trade_id, owner, order_id, side)
        if fill is None or fill.owner or not owner:
            return None
        self._keys.setdefault(owner, [])
        self._adopt(owner, trade_id, fill)
        if fill.replaced_by or not fill.qty:
            return None
        if not fill.px:
            self._count_unpriced(owner, fill.qty)
        fees = ((fill.fee_asset, fill.fee_qty),) if fill.fee_qty else ()
        change = FillChange(venue, symbol, trade_key, owner, fill.side, fill.qty, fill.qty * fill.px, fees)
        return self._give_way(change)

    def book_by_hand(
        self, venue: str, symbol: str, trade_key: str, owner: str, side: str, qty: Decimal, px: Decimal
    ) -> FillChange | None:
        """A fill that a person saw and the venue has not told. None when it was booked before."""
        trade_id = (venue, symbol, trade_key)
        change = self._tell(trade_id, "", Fill(owner, side, qty, px, ZERO, "", True, by_hand=True))
        if change is not None:
            self._by_hand.setdefault(owner, []).append(trade_id)
        return change

    def is_by_hand(self, owner: str) -> bool:
        """Whether a fill of the order stands by a person's word alone."""
        return owner in self._by_hand

    def _give_way(self, change: FillChange | None) -> FillChange | None:
        """What a person booked makes room for as much as the venue tells, oldest first."""
        if change is None or change.owner not in self._by_hand or change.qty <= ZERO:
            return change
        return msgspec.structs.replace(change, gave_way=self._take_by_hand(change.owner, change.side, change.qty))

    def lower_to(self, owner: str, report: ExecutionReport, cum_qty: Decimal) -> FillChange | None:
        """A bust or correction tells a CumQty(14) below `cum_qty`, the order's by its fills: what a person booked of it
        is gone as far, whether or not the trade was ever told. None where nothing is."""
        told = report.cum_qty
        if told is None or report.exec_type not in CHANGES_OF_FILLS or owner not in self._by_hand:
            return None
        if not (is_plausible(told) and told < cum_qty):
            return None
        return self._take_by_hand(owner, report.side, cum_qty - told)

    def _take_by_hand(self, owner: str, side: str, qty: Decimal) -> FillChange:
        booked, left, value, gone = self._by_hand[owner], qty, ZERO, 0
        parts: list[tuple[Decimal, Decimal]] = []
        first = booked[0]
        while booked and left:
            fill = next(fill for fill in self._fills[booked[0]] if fill.by_hand and fill.owner == owner)
            taken = min(left, fill.qty)
            left, value, fill.qty = left - taken, value + taken * fill.px, fill.qty - taken
            parts.append((-taken, fill.px))
            if not fill.qty:
                gone += 1
                del booked[0]
        if not booked:
            del self._by_hand[owner]
        return FillChange(*first, owner, side, left - qty, -value, (), -gone, parts=tuple(parts))

    def unpriced_qty(self, owner: str) -> Decimal:
        """How much of the order's fills has a price that nobody has told."""
        return self._unpriced.get(owner, ZERO)

    def price(self, owner: str, px: Decimal) -> list[FillChange]:
        """The price of the order's fills whose own is not known, by what the venue says of all of them."""
        changes: list[FillChange] = []
        for trade_id in self._keys.get(owner, ()):
            for fill in self._fills[trade_id]:
                if fill.owner == owner and fill.told and fill.qty and not fill.px:
                    change = self._priced(trade_id, fill, px)
                    changes += [] if change is None else [change]
        return changes

    def lacks_fee(self, owner: str) -> bool:
        """Whether the fee of a fill of the order was not told, nor that there is none."""
        fills = (fill for trade_id in self._keys.get(owner, ()) for fill in self._fills[trade_id] if fill.told)
        return any(f.owner == owner and f.qty and not (f.fee_asset or f.by_hand or f.replaced_by) for f in fills)

    def _told_more(self, trade_id: TradeId, fill: Fill, told: Fill) -> FillChange | None:
        """A fill that is known is told with its price, or its fee, which it had not."""
        priced = self._priced(trade_id, fill, told.px) if told.px and not fill.px else None
        if fill.fee_asset or not told.fee_asset or not fill.qty:
            return priced
        fill.fee_qty, fill.fee_asset = told.fee_qty, told.fee_asset
        if fill.replaced_by or not fill.fee_qty:
            return priced
        fees = ((fill.fee_asset, fill.fee_qty),)
        if priced is not None:
            return msgspec.structs.replace(priced, fees=fees)
        return FillChange(*trade_id, fill.owner, fill.side, ZERO, ZERO, fees)

    def _priced(self, trade_id: TradeId, fill: Fill, px: Decimal) -> FillChange | None:
        """The price of a fill is told later than its quantity."""
        fill.px = px
        if fill.replaced_by:
            return None
        self._count_unpriced(fill.owner, -fill.qty)
        return FillChange(*trade_id, fill.owner, fill.side, ZERO, fill.qty * px, (), 0, -fill.qty)

    def _count_unpriced(self, owner: str, qty: Decimal) -> None:
        left = self._unpriced.get(owner, ZERO) + qty
        if left and owner:
            self._unpriced[owner] = left
        else:
            self._unpriced.pop(owner, None)

    def _find(self, trade_id: TradeId, owner: str, order_id: str, side: str = "") -> Fill | None:
        """The fill of that order under the trade's identity.

        Where we know the order on both sides it decides, else the venue's OrderID(37). Where nothing names the order
        the same identity on the same side is taken for the same fill.
        """
        nameless = None
        for fill in self._under(trade_id):
            if owner and fill.owner:
                if owner == fill.owner:
                    return fill
            elif order_id and fill.order_id:
                if order_id == fill.order_id:
                    return fill
            elif nameless is None and (not side or not fill.side or side == fill.side):
                nameless = fill
        return nameless

    def with_side(self, venue: str, report: ExecutionReport) -> ExecutionReport:
        """The report on an order that is not in memory; a correction that does not say which way has the side of the
        fill that it corrects."""
        if report.exec_type != TRADE_CORRECT or report.side in (SIDE_BUY, SIDE_SELL):
            return report
        key = self._heard_as(venue, report, "")
        fill = self._find((venue, report.symbol, key), "", report.order_id)
        return report if fill is None or not fill.side else msgspec.structs.replace(report, side=fill.side)

    def _heard_as(self, venue: str, report: ExecutionReport, owner: str) -> str:
        """The key of the fill that a bust or correction refers to.

        ExecRefID(19) has no word on when its fill was heard: a key "GENERATION/EXECID" may be that of an earlier
        generation, and then it is the owner's latest fill with that ExecID(17).
        """
        reference = report.reference_trade_key
        exec_id = reference.partition("/")[2]
        if not exec_id or self._find((venue, report.symbol, reference), owner, report.order_id, report.side):
            return reference
        for trade_id in reversed(self._keys.get(owner, ())):
            if trade_id[:2] == (venue, report.symbol) and exec_id in (trade_id[2], exec_id_of(trade_id[2])):
                return trade_id[2]
        return (not owner and self._left_memory_as(venue, report, exec_id)) or reference

    def _left_memory_as(self, venue: str, report: ExecutionReport, exec_id: str) -> str:
        """The key of the latest fill with that ExecID(17) of the order that is in memory no more; "" for none."""
        place = (venue, report.symbol)
        latest = [t[2] for t in reversed(self._retired) if t[:2] == place and exec_id in (t[2], exec_id_of(t[2]))]
        for key in (*latest, *self._forgotten.keys_of(*place, exec_id, self._lsn)):
            if self._find((*place, key), "", report.order_id, report.side) is not None:
                return key
        return ""

    def retire(self, owner: str) -> None:
        """The order leaves memory: its fills stay there only while there is room for them."""
        for trade_id in self._keys.pop(owner, ()):
            self._wait_for_nobody(trade_id)
        self._unpriced.pop(owner, None)
        self._by_hand.pop(owner, None)

    def _keep(self, trade_id: TradeId, fill: Fill) -> None:
        """A fill stays in memory while its order does; nobody's has no order to wait for."""
        keys = self._keys.get(fill.owner)
        if keys is None:
            self._wait_for_nobody(trade_id)
        else:
            keys.append(trade_id)
            self._retired.pop(trade_id, None)

    def _wait_for_nobody(self, trade_id: TradeId) -> None:
        if not any(fill.owner in self._keys for fill in self._fills[trade_id]):
            self._retired[trade_id] = None

    def _adopt(self, owner: str, trade_id: TradeId, fill: Fill) -> None:
        """What was nobody's is an order's: it stays while that does."""
        fill.owner = owner
        self._keep(trade_id, fill)

    def dump(self) -> tuple[list[FillRow], list[RetiredRow]]:
        """What is in memory, for a snapshot: the fills, and those whose order is not there, oldest first."""
        rows = [FillRow(*trade_id, fill) for trade_id, fills in self._fills.items() for fill in fills]
        shared = [trade_id for trade_id, fills in self._fills.items() if len(fills) > 1]
        partly = [trade_id for trade_id in shared if trade_id not in self._retired]
        return rows, [
            RetiredRow(*trade_id, nth)
            for trade_id in (*self._retired, *partly)
            for nth, fill in enumerate(self._fills[trade_id])
            if fill.owner not in self._keys
        ]

    def load(self, rows: list[FillRow], retired: list[RetiredRow]) -> None:
        """The contrary of `dump`."""
        self._fills, self._keys, self._unpriced, self._by_hand = {}, {}, {}, {}
        for row in rows:
            self._fills.setdefault((row.venue, row.symbol, row.trade_key), []).append(row.fill)
        gone: dict[TradeId, set[int]] = {}
        for place in retired:
            gone.setdefault((place.venue, place.symbol, place.trade_key), set()).add(place.nth)
        self._retired = {trade_id: None for trade_id, nths in gone.items() if len(nths) == len(self._fills[trade_id])}
        for trade_id, fills in self._fills.items():
            for nth, fill in enumerate(fills):
                if nth not in gone.get(trade_id, ()):
                    self._keys.setdefault(fill.owner, []).append(trade_id)
                    if fill.by_hand and fill.qty:
                        self._by_hand.setdefault(fill.owner, []).append(trade_id)
                    if fill.qty and not fill.px and not fill.replaced_by:
                        self._count_unpriced(fill.owner, fill.qty)

    def _tell(self, trade_id: TradeId, reference: str, told: Fill) -> FillChange | None:
        if told.fee_qty and abs(told.fee_qty) > told.qty and told.fee_asset == self._base_of(*trade_id[:2]):
            told.fee_qty, told.fee_asset = ZERO, ""
        if told.owner and told.owner not in self._keys:
            self._keys[told.owner] = []
        fills = self._under(trade_id)
        if not fills and not reference:
            # Nearly every fill: never told of before, and nothing that it replaces.
            self._fills[trade_id] = [told]
            self._keep(trade_id, told)
            return self._change(trade_id, told, None, told)
        fill = None if not fills else self._find(trade_id, told.owner, told.order_id, told.side)
        if fill is not None and fill.told:
            return self._told_more(trade_id, fill, told) if fill.qty == told.qty else None
        end = self._end((*trade_id[:2], reference), told) if reference else None
        if not told.owner and end is not None:
            told.owner, told.side = end[1].owner, told.side or end[1].side
        # Looked up anew: what a word refers to may be itself.
        fill = self._take(trade_id, self._find(trade_id, told.owner, told.order_id, told.side), told)
        removed = None
        if end is not None and self._end(trade_id, fill)[1] is not end[1]:
            removed = end[1]
            removed.replaced_by = trade_id[2]
        added = None if fill.replaced_by else fill
        return self._change(trade_id, fill, removed, added)

    def _take(self, trade_id: TradeId, held: Fill | None, told: Fill) -> Fill:
        """The fill as the ledger has it from now on: a new one, or a place that a bust or correction had named."""
        if held is None:
            self._fills.setdefault(trade_id, []).append(told)
            self._keep(trade_id, told)
            return told
        if told.owner and not held.owner:
            self._adopt(told.owner, trade_id, held)
        held.side, held.qty, held.px, held.told = told.side, told.qty, told.px, True
        held.fee_qty, held.fee_asset, held.order_id = told.fee_qty, told.fee_asset, told.order_id
        return held

    def _end(self, trade_id: TradeId, of: Fill) -> tuple[str, Fill]:
        """The end of the chain that this key of `of`'s order stands in; one not heard of yet becomes a place to be
        filled."""
        while True:
            fill = self._find(trade_id, of.owner, of.order_id, of.side)
            if fill is None:
                fill = Fill(of.owner, "", ZERO, ZERO, ZERO, "", False, "", of.order_id)
                self._fills.setdefault(trade_id, []).append(fill)
                self._keep(trade_id, fill)
            if not fill.replaced_by:
                return trade_id[2], fill
            trade_id = (*trade_id[:2], fill.replaced_by)

    def _change(self, trade_id: TradeId, fill: Fill, removed: Fill | None, added: Fill | None) -> FillChange | None:
        if removed is None and added is not None:
            if not added.qty:
                return None
            paid = ((added.fee_asset, added.fee_qty),) if added.fee_qty else ()
            unpriced = ZERO if added.px else added.qty
            if unpriced:
                self._count_unpriced(added.owner, unpriced)
            return FillChange(*trade_id, added.owner, added.side, added.qty, added.qty * added.px, paid, 1, unpriced)
        qty = value = unpriced = ZERO
        count = 0
        parts: list[tuple[Decimal, Decimal]] = []
        fees: dict[str, Decimal] = {}
        for part, sign in ((removed, -1), (added, 1)):
            if part is None or not part.qty:
                continue
            count += sign
            qty += sign * part.qty
            value += sign * part.qty * part.px
            parts.append((sign * part.qty, part.px))
            if not part.px:
                unpriced += sign * part.qty
            if part.fee_qty:
                fees[part.fee_asset] = fees.get(part.fee_asset, ZERO) + sign * part.fee_qty
        changed_fees = tuple((asset, amount) for asset, amount in fees.items() if amount)
        if not qty and not value and not changed_fees and not unpriced:
            return None
        owner = fill.owner or (removed.owner if removed is not None else "")
        side = fill.side or (removed.side if removed is not None else "")
        if unpriced:
            self._count_unpriced(owner, unpriced)
        return FillChange(*trade_id, owner, side, qty, value, changed_fees, count, unpriced, parts=tuple(parts))


def _counts(fill: Fill) -> bool:
    return is_plausible(fill.qty) and is_plausible(fill.px) and is_plausible(fill.fee_qty)


# ----------------------------------------------------------------------------------------------------- the venue's word

_RESTATING = frozenset({RESTATED, ORDER_STATUS})
"""ExecType(150) of reports that may give an order terms that nobody asked for."""

_BASE_WORD = {PARTIAL: NEW, PENDING_CANCEL: NEW, PENDING_REPLACE: NEW, REPLACED: NEW, ACCEPTED_FOR_BIDDING: NEW}
"""Words that say nothing of their own: how much is filled and what is pending is known from elsewhere."""

TOLD = "told"
KEEP = ""

TRIGGERED = "L"

_EXEC_TYPES = "0123456789ABCDEFGHIL"
"""ExecType(150): New, Partial fill and Fill (FIX 4.2), Done for day, Canceled, Replaced, Pending cancel, Stopped,
Rejected, Suspended, Pending new, Calculated, Expired, Restated, Pending replace, Trade, Correct, Trade cancel, Order
status, Triggered."""


def _row(told: str) -> dict[str, str]:
    return {exec_type: TOLD if exec_type in told else KEEP for exec_type in _EXEC_TYPES}


NEXT_WORD: Final[dict[str, dict[str, str]]] = {
    "": _row(_EXEC_TYPES),
    PENDING_NEW: _row(_EXEC_TYPES),
    NEW: _row(_EXEC_TYPES.replace("A", "")),
    STOPPED: _row(_EXEC_TYPES.replace("A", "")),
    SUSPENDED: _row(_EXEC_TYPES.replace("A", "")),
    CALCULATED: _row(_EXEC_TYPES.replace("A", "")),
    # Done for the day is not the end of a GTC order: it is restated next morning, or trades again (matrix H).
    DONE_FOR_DAY: _row(_EXEC_TYPES.replace("A", "")),
    # A filled order opens again only by a larger quantity, a bust or a correction (C.3.a, J.1.a).
    FILLED: _row("345CDGH"),
    # A cancelled or expired order stays so whatever fills or busts are told later (J.1.b); a restatement may revive it.
    CANCELED: _row("4D"),
    EXPIRED: _row("4CD"),
    # Any sign of life is stronger than a rejection.
    REJECTED: _row("0123457CDF"),
}
"""By the word so far and ExecType(150) of the report: TOLD takes the report's OrdStatus(39), KEEP leaves the word."""


_TELLING: Final = {
    word: frozenset(exec_type for exec_type, move in row.items() if move == TOLD) for word, row in NEXT_WORD.items()
}


def is_fill(report: ExecutionReport, change: FillChange) -> bool:
    """Whether what a report changed is one fill more, and no bust, correction, price that is told later or trade that a
    person had booked."""
    return report.exec_type in FILLS and change.fills > 0 and change.gave_way is None


MAX_FORMER_NAMES: Final = 16
"""So many of the ClOrdIDs(11) that an order went by before stay known: it may be amended for days."""


def names_order(report: ExecutionReport) -> bool:
    """Whether OrderID(37) of the report is the venue's name of the order: what it never took in has none to keep."""
    return bool(report.order_id) and report.exec_type != REJECTED


class AskedTerms(NamedTuple):
    """What an amendment in place asks for. `price` None: whoever asks about it does not keep prices."""

    order_qty: Decimal
    price: Decimal | None


class BelievedTerms(NamedTuple):
    """An order's terms after a report, and what it told beside them: that counts at its worst until there is evidence.

    Evidence is the acceptance of what an amendment asked for, a restatement (150=D), the answer to a question, and
    REST's word; none is a report whose OrderQty(38) is not the sum of its CumQty(14) and LeavesQty(151). New (150=0)
    accepts what was sent and restates nothing.
    """

    order_qty: Decimal
    price: Decimal | None
    doubted_qty: Decimal
    doubted_price: Decimal | None


def believed_terms(report: ExecutionReport, held: BelievedTerms, asked: Sequence[AskedTerms] = ()) -> BelievedTerms:
    """What a report of New, Replaced, Restated or Order status is believed for, of an order with the terms `held`."""
    order_qty, price, doubted_qty, doubted_price = held
    if report.exec_type == REPLACED and asked:
        order_qty, doubted_qty, doubted_price = asked[0].order_qty, ZERO, None
        price = price if asked[0].price is None else asked[0].price
    told_qty, told_price, restates = report.order_qty, report.price, report.exec_type in _RESTATING
    if told_qty is not None and is_plausible(told_qty) and told_qty > ZERO:
        known, sum_qty = {order_qty, *(each.order_qty for each in asked)}, _sum_qty(report)
        contradicts = sum_qty not in (None, told_qty)
        if contradicts and sum_qty in known:
            told_qty = sum_qty
        # Of an order that was filled meanwhile it is not remembered what was asked for.
        accepts = report.exec_type == REPLACED and told_qty == sum_qty
        if told_qty in known or accepts or (restates and not contradicts):
            order_qty, doubted_qty = told_qty, ZERO
        else:
            doubted_qty = max(told_qty, sum_qty or ZERO)
    if told_price is not None and is_plausible(told_price):
        # A price that was never asked for is that of a market or pegged order: it is the venue's to say.
        prices = {price, *(each.price for each in asked)}
        if restates or None in prices or told_price in prices:
            price, doubted_price = told_price, None
        else:
            doubted_price = told_price
    return BelievedTerms(order_qty, price, doubted_qty, doubted_price)


def _sum_qty(report: ExecutionReport) -> Decimal | None:
    """CumQty(14) and LeavesQty(151), which are OrderQty(38) while an order is open; None where they do not tell it."""
    cum, leaves = report.cum_qty, report.leaves_qty
    if cum is None or leaves is None or not (is_plausible(cum) and is_plausible(leaves)):
        return None
    return cum + leaves if leaves > ZERO and cum >= ZERO else None


class Leg(msgspec.Struct, gc=False):
    """One order of the venue: its names, terms, the venue's word, and its quantities by the ledger.

    `owner` names it in the ledger for good (its first ClOrdID(11)); `cl_ord_id` is what the venue knows it by now, and
    so is `order_id`: `former_order_ids` are those that it had before, since a trade may come under one of them, and
    `former_cl_ord_ids` the last ones, since an acceptance that is told again under one of them is over.
    `doubted_qty` (0: none) and `doubted_price` were told, and wait for evidence: see `BelievedTerms`.
    `concluded`: a withdrawal, proof that it never arrived, or an operator's verdict has ended it; the venue's word is
    stronger. `set_aside_qty` is what the venue had told as CumQty(14) until then. `answered`: the venue has said
    something to its message that does not tell what became of it. `triggered`: it has told that the stop price was
    reached.
    """

    owner: str
    cl_ord_id: str
    order_qty: Decimal
    price: Decimal | None
    order_id: str = ""
    word: str = ""
    cum_qty: Decimal = ZERO
    cum_value: Decimal = ZERO
    told_cum_qty: Decimal = ZERO
    text: str = ""
    error_code: int = 0
    former_order_ids: tuple[str, ...] = ()
    former_cl_ord_ids: tuple[str, ...] = ()
    doubted_qty: Decimal = ZERO
    doubted_price: Decimal | None = None
    concluded: bool = False
    set_aside_qty: Decimal = ZERO
    answered: bool = False
    triggered: bool = False

    @property
    def worst_qty(self) -> Decimal:
        """The largest OrderQty(38) that it may have: what was told and is not believed counts too."""
        return self.doubted_qty if self.doubted_qty > self.order_qty else self.order_qty

    @property
    def least_qty(self) -> Decimal:
        """The smallest OrderQty(38) that it may have."""
        return min(self.doubted_qty or self.order_qty, self.order_qty)

    @property
    def doubted_terms(self) -> str:
        """What was told of its terms and is not believed, for a person; "" where there is nothing."""
        told = []
        if self.doubted_qty:
            told.append(f"OrderQty(38) {self.doubted_qty} of an order of {self.order_qty}")
        if self.doubted_price is not None:
            told.append(f"Price(44) {self.doubted_price} of an order at {self.price}")
        return ", ".join(told)

    @property
    def is_open(self) -> bool:
        """Whether it may still trade, as far as anybody has said."""
        return self.word not in TERMINAL_WORDS and not self.concluded

    @property
    def is_unheard(self) -> bool:
        """Whether the venue has told nothing of it yet."""
        return not self.word and not self.filled_qty

    @property
    def filled_qty(self) -> Decimal:
        """The larger of the ledger's quantity and the venue's word on it."""
        return self.told_cum_qty if self.told_cum_qty > self.cum_qty else self.cum_qty

    @property
    def leaves_qty(self) -> Decimal:
        """What may still be filled: nothing once the venue has ended it, never below zero."""
        if self.word in TERMINAL_WORDS or self.word == DONE_FOR_DAY or self.concluded:
            return ZERO
        leaves = self.order_qty - self.filled_qty
        return leaves if leaves > ZERO else ZERO

    def has_order_id(self, order_id: str) -> bool:
        """Whether this is, or ever was, its OrderID(37)."""
        return order_id == self.order_id or order_id in self.former_order_ids

    def fill(self, change: FillChange) -> None:
        """Take a change of the ledger."""
        self.cum_qty += change.qty
        self.cum_value += change.value
        if change.qty < ZERO:
            # What was told and is not known yet is still to come.
            self.told_cum_qty = max(self.told_cum_qty + change.qty, self.cum_qty)
        self._settle()

    def hear(self, report: ExecutionReport, asked: Sequence[AskedTerms] = ()) -> bool:
        """Take a report on this order, after its fill went through the ledger. False when its word came too late to
        count.

        Takes OrderID(37), and with New, Replaced, Restated and Order status what is believed of OrderQty(38) and
        Price(44): `asked` are the terms of the amendments in place that it may answer.
        """
        exec_type, told = report.exec_type, _BASE_WORD.get(report.ord_status, report.ord_status)
        if report.order_id != self.order_id and names_order(report):
            self._take_order_id(report.order_id)
        if exec_type == TRIGGERED:
            self.triggered = True
        word = self.word
        if told and exec_type in _TELLING.get(word, ()):
            self.word = word = told
        counted = word == told or exec_type in "FGHI12"
        if counted and exec_type in "05DI" and not self.is_told_again(report):
            if word not in TERMINAL_WORDS:
                self._believe_terms(report, asked)
            if exec_type in "5D" and report.cl_ord_id:
                self.rename(report.cl_ord_id)
        cum_qty = report.cum_qty
        if cum_qty is not None and is_plausible(cum_qty) and (cum_qty > self.told_cum_qty or exec_type in "GH"):
            self.told_cum_qty = cum_qty
        if word not in TERMINAL_WORDS:
            self._settle()
        elif word != FILLED:
            self.text, self.error_code = report.text, report.error_code
        return counted

    def is_told_again(self, report: ExecutionReport) -> bool:
        """Whether it is an acceptance under a ClOrdID(11) that the order went by before: its terms are the former ones,
        and it answers nothing any more."""
        return report.exec_type in (NEW, REPLACED) and report.cl_ord_id in self.former_cl_ord_ids

    def rename(self, cl_ord_id: str) -> None:
        """The venue knows it by this ClOrdID(11) from now on."""
        if cl_ord_id != self.cl_ord_id:
            names = [name for name in (*self.former_cl_ord_ids, self.cl_ord_id) if name != cl_ord_id]
            self.former_cl_ord_ids = tuple(names[-MAX_FORMER_NAMES:])
            self.cl_ord_id = cl_ord_id

    def told_by_rest(
        self, ord_status: str, order_id: str, order_qty: Decimal, price: Decimal | None, cum: Decimal
    ) -> None:
        """What REST says of the order: never lowers CumQty(14), never takes back an end."""
        if order_id:
            self._take_order_id(order_id)
        if is_plausible(cum):
            self.told_cum_qty = max(self.told_cum_qty, cum)
        if self.word not in TERMINAL_WORDS or (self.word == REJECTED and ord_status not in (REJECTED, PENDING_NEW)):
            self.word = _BASE_WORD.get(ord_status, ord_status)
            if self.word not in TERMINAL_WORDS:
                self._take_terms(order_qty, price)
        self._settle()

    def conclude(self, to_come_qty: Decimal | None = None) -> None:
        """Something other than the venue's word ends it. `to_come_qty`: by an operator's word so much more of it was
        filled than is known."""
        self.concluded, self.set_aside_qty = True, self.told_cum_qty
        if to_come_qty is not None:
            self.told_cum_qty = self.cum_qty + to_come_qty

    def revive(self) -> None:
        """The venue knows it after all: what ended it, and what was said of its CumQty(14) then, is of no account."""
        if self.concluded:
            self.concluded = False
            self.told_cum_qty = max(self.set_aside_qty, self.cum_qty)

    def _take_order_id(self, order_id: str) -> None:
        if self.order_id not in ("", order_id, *self.former_order_ids):
            self.former_order_ids += (self.order_id,)
        self.order_id = order_id

    def _take_terms(self, order_qty: Decimal | None, price: Decimal | None) -> None:
        if order_qty is not None and is_plausible(order_qty) and order_qty > ZERO:
            self.order_qty, self.doubted_qty = order_qty, ZERO
        if price is not None and is_plausible(price):
            self.price, self.doubted_price = price, None

    def _believe_terms(self, report: ExecutionReport, asked: Sequence[AskedTerms]) -> None:
        if report.exec_type == NEW and (report.order_qty, report.price) == (self.order_qty, self.price):
            # Nearly every one.
            self.doubted_qty, self.doubted_price = ZERO, None
            return
        held = BelievedTerms(self.order_qty, self.price, self.doubted_qty, self.doubted_price)
        terms = believed_terms(report, held, asked)
        self.order_qty, self.price, self.doubted_qty, self.doubted_price = terms

    def _settle(self) -> None:
        """Filled is a matter of quantity: a trade that completes the order fills it, whatever is pending (C.3)."""
        order_qty = self.worst_qty
        is_filled = self.cum_qty >= order_qty or self.told_cum_qty >= order_qty
        if is_filled and self.word not in TERMINAL_WORDS and order_qty > ZERO:
            self.word = FILLED


# ------------------------------------------------------------------------------------------------------------ the order


class RequestKind(enum.StrEnum):
    """What was asked about an order that the venue may know."""

    CANCEL = "cancel"
    AMEND = "amend"
    REPLACE = "replace"


ANSWERED_BY: Final[dict[RequestKind, str]] = {
    RequestKind.CANCEL: CANCELED + REJECTED,
    RequestKind.AMEND: REPLACED + REJECTED,
    RequestKind.REPLACE: NEW + REJECTED,
}
"""By what was asked, ExecType(150) of the reports that answer it. OrderCancelReject(9), Reject(3) and
BusinessMessageReject(j) answer each of them, and nothing else does: a fill may bear a request's names too.
"""


def tells_amended(report: ExecutionReport) -> bool:
    """Whether a report under an amendment's ClOrdID(11), whose answer could not be read, is of the order as amended: a
    status answer bears the name that the order goes by, unless OrdStatus(39) says that something is pending yet."""
    return report.exec_type == ORDER_STATUS and report.ord_status not in (PENDING_CANCEL, PENDING_REPLACE)


def told_amendment(report: ExecutionReport, leg: "Leg", amendments: Sequence["Request"]) -> "Request | None":
    """The amendment in place that a report of state answers: one under the order's own ClOrdID(11), with the very terms
    that were asked for. Some venues tell states alone, and give an order no other name.
    """
    if report.cl_ord_id != leg.cl_ord_id or not tells_amended(report):
        return None
    terms = (report.order_qty, report.price)
    return next((each for each in amendments if (each.order_qty, each.price) == terms), None)


def answered_amendment(report: ExecutionReport, leg: Leg, asked: Mapping[str, Decimal]) -> str:
    """The ClOrdID(11) of the leg's amendment in place that a report of Replaced accepts, of those `asked` with their
    OrderQty(38): the one it names, else the one whose quantity it has (a venue may keep the order's name), else the
    oldest; "" where it is an earlier acceptance that is told again.
    """
    if report.cl_ord_id in asked:
        return report.cl_ord_id
    is_named_by_amendment = leg.owner != leg.cl_ord_id == report.cl_ord_id
    if leg.is_told_again(report) or (report.exec_type == REPLACED and is_named_by_amendment):
        return ""
    oldest = next(iter(asked), "")
    return next((name for name, order_qty in asked.items() if order_qty == report.order_qty), oldest)


class Request(msgspec.Struct, gc=False):
    """A cancel or amendment that was sent and is not answered.

    `strategy`, `number` name the command. A REPLACE has a leg of its own, the new order. `unknown`: it may have reached
    the venue, and whether it did is not known. `session`, `connection` and `sent_ns` say where and when (for the
    venue's window). `answered`: the venue said something to it that could not be read. `owner` is the leg that it is
    about.
    """

    kind: RequestKind
    attempt: Attempt
    strategy: str
    number: int
    cl_ord_id: str
    order_qty: Decimal
    price: Decimal | None
    connection: int = 0
    sent_ns: int = 0
    unknown: bool = False
    answered: bool = False
    owner: str = ""
    session: str = ""


class Order(OfTerms, msgspec.Struct, gc=False):
    """One order of a strategy, from the moment that its message was sent: its terms, legs and unanswered requests.

    `ending` is set where something other than the venue's word closed it (a withdrawal, proof that it never arrived, an
    operator's verdict). `unknown`: its NewOrderSingle(D) may have reached the venue and nothing was heard of it.
    `wish_strategy`, `wish_number` name the command that wants it cancelled, whatever it takes (0: none does).
    `touched_lsn` is the last record that said something about it, `ids` every ClOrdID(11) that ever was about it.
    `in_doubt`: the venue said something about it that could not be read or believed, and has not been asked since.
    `lingering` are amendments that the order's end has overtaken, and that the venue may carry out all the same: they
    count at worst (`common.orders.worst`), and nobody waits for their answer.
    """

    attempt: Attempt
    strategy: str
    number: int
    venue: str
    symbol: str
    terms: Terms
    label: str
    legs: list[Leg]
    requests: dict[str, Request]
    unknown: bool = False
    ending: OrderStatus | None = None
    reason: Reason = Reason.NONE
    text: str = ""
    sent_lsn: int = 0
    sent_ns: int = 0
    sent_connection: int = 0
    sent_number: int = 0
    touched_lsn: int = 0
    wish_strategy: str = ""
    wish_number: int = 0
    ids: list[str] = []
    in_doubt: bool = False
    lingering: dict[str, Request] = {}
    account: str = ""
    session: str = ""

    def __post_init__(self) -> None:
        """An older snapshot has one name for the venue, the account and the session."""
        if not self.account:
            self.account = self.session = self.venue
            for request in (*self.requests.values(), *self.lingering.values()):
                request.session = self.venue

    @classmethod
    def sent(cls, command: NewOrder, lsn: int, sent_ns: int, connection: int, number: int = 0) -> "Order":
        """The order as it stands once its message, MsgSeqNum(34) `number`, is in the log in time for `connection`."""
        leg = Leg(command.cl_ord_id, command.cl_ord_id, command.order_qty, command.price)
        return cls(
            command.attempt, command.strategy, command.number, command.venue, command.symbol, command.terms,
            command.label, [leg], {}, sent_lsn=lsn, sent_ns=sent_ns, sent_connection=connection, sent_number=number,
            touched_lsn=lsn, ids=[command.cl_ord_id], account=command.account, session=command.session,
        )  # fmt: skip

    # -- what it is ----------------------------------------------------------------------------------------------------

    @property
    def cum_qty(self) -> Decimal:
        """CumQty(14) over all legs, by the ledger."""
        legs = self.legs
        return legs[0].cum_qty if len(legs) == 1 else sum((leg.cum_qty for leg in legs), ZERO)

    def avg_px(self, unpriced_qty: Decimal = ZERO) -> Decimal:
        """AvgPx(6) over all legs, by the ledger, without the `unpriced_qty` whose price is not known; 0 before the
        first fill."""
        cum = self.cum_qty - unpriced_qty
        return sum((leg.cum_value for leg in self.legs), ZERO) / cum if cum else ZERO

    @property
    def triggered(self) -> bool:
        """Whether its stop price was reached, as far as was told: a stop order that is filled was triggered."""
        return self.terms.is_stop and any(leg.triggered or leg.filled_qty for leg in self.legs)

    @property
    def leaves_qty(self) -> Decimal:
        """LeavesQty(151): what may still be filled over all legs. While a replacement is unanswered, both legs
        count."""
        if self.ending is not None:
            return ZERO
        legs = self.legs
        return legs[0].leaves_qty if len(legs) == 1 else sum((leg.leaves_qty for leg in legs), ZERO)

    @property
    def leg(self) -> Leg:
        """The leg that a cancel or amendment should name: the oldest that may still trade, else the last."""
        legs = self.legs
        return legs[0] if len(legs) == 1 else next((leg for leg in legs if leg.is_open), legs[-1])

    def leg_of(self, report: ExecutionReport) -> Leg | None:
        """The leg that a report is about; None where it rejects something that is no leg any more."""
        legs = self.legs
        if len(legs) == 1 and legs[0].cl_ord_id == report.cl_ord_id:
            return legs[0]
        if report.order_id:
            for leg in legs:
                if leg.has_order_id(report.order_id):
                    return leg
        for name in names_of_order(report):
            for leg in reversed(legs):
                if name and name in (leg.cl_ord_id, leg.owner):
                    return leg
        return None if report.exec_type == REJECTED else self.leg

    @property
    def is_closed(self) -> bool:
        """Whether nothing more is to be expected of it: it was ended, or every leg was."""
        if self.ending is not None:
            return True
        legs = self.legs
        if len(legs) == 1:
            return legs[0].word in TERMINAL_WORDS or legs[0].concluded
        return not any(leg.is_open for leg in legs)

    @property
    def is_unknown(self) -> bool:
        """Whether it, or a request about it, may have reached the venue without our knowing.

        So too where a leg is open before one that the venue took in, and no replacement is under way: the earlier one
        has ended, whatever became of the later, and we were not told.
        """
        if self.is_closed:
            return False
        if self.unknown or any(request.unknown for request in self.requests.values()):
            return True
        if len(self.legs) == 1 or not self._is_replaced(self.leg):
            return False
        return not any(request.kind is RequestKind.REPLACE for request in self.requests.values())

    @property
    def unknown_since_ns(self) -> int:
        """When the oldest message of which it is not known what became was sent; of an order that is UNKNOWN."""
        sent = [request.sent_ns for request in self.requests.values() if request.unknown]
        return self.sent_ns if self.unknown or not sent else min(sent)

    def _is_replaced(self, leg: Leg) -> bool:
        later = self.legs[self.legs.index(leg) + 1 :]
        return any(each.is_open or each.filled_qty or each.word not in ("", REJECTED) for each in later)

    @property
    def status(self) -> OrderStatus:
        """The state to show. FIX's precedence, but for one thing: what is filled is FILLED, even with a cancel under
        way."""
        if self.ending is not None:
            return self.ending
        if self.is_closed:
            return _CLOSED_STATUS.get(self.legs[-1].word, OrderStatus.VOID)
        if self.unknown:
            return OrderStatus.UNKNOWN
        if self.requests:
            kinds = {request.kind for request in self.requests.values()}
            return OrderStatus.PENDING_CANCEL if RequestKind.CANCEL in kinds else OrderStatus.PENDING_REPLACE
        legs = self.legs
        leg = legs[0] if len(legs) == 1 else next(leg for leg in reversed(legs) if leg.is_open)
        named = _OPEN_STATUS.get(leg.word)
        if named is not None:
            return named
        filled = any(each.filled_qty for each in legs)
        return OrderStatus.PARTIALLY_FILLED if filled else OrderStatus.NEW

    # -- what happens to it --------------------------------------------------------------------------------------------

    def request_sent(self, request: Request) -> None:
        """A cancel or amendment left for the venue. A REPLACE brings a leg, since from now on both may trade.

        One that the order's end has overtaken lingers.
        """
        if self.is_closed:
            self._linger(request)
            return
        self.requests[request.cl_ord_id] = request
        if request.kind is RequestKind.REPLACE:
            self.legs.append(Leg(request.cl_ord_id, request.cl_ord_id, request.order_qty, request.price))

    def take_up(self, report: ExecutionReport) -> None:
        """A replacement that lingers is heard of: it has a leg, as one that was sent in time."""
        for name in (report.cl_ord_id, report.orig_cl_ord_id):
            request = self.lingering.get(name)
            if request is not None and request.kind is RequestKind.REPLACE:
                del self.lingering[name]
                self.requests[name] = request
                self.legs.append(Leg(name, name, request.order_qty, request.price))

    def owner_of(self, cl_ord_id: str) -> str:
        """The leg that this ClOrdID(11) names, by its owner: its own, or an amendment's of it; the last leg where
        nothing has it."""
        for leg in self.legs:
            if cl_ord_id in (leg.owner, leg.cl_ord_id, *leg.former_cl_ord_ids):
                return leg.owner
        request = self.requests.get(cl_ord_id) or self.lingering.get(cl_ord_id)
        return request.owner if request is not None and request.owner else self.legs[-1].owner

    def amendments(self, leg: Leg) -> list[Request]:
        """The amendments in place of the leg that the venue may still accept."""
        if not self.requests and not self.lingering:
            return []
        waiting = (*self.requests.values(), *self.lingering.values())
        return [r for r in waiting if r.kind is RequestKind.AMEND and r.owner in ("", leg.owner)]

    def request_ended(self, cl_ord_id: str) -> Request | None:
        """The request came to nothing (rejected, withdrawn, never received); a replacement's leg that was not heard
        of goes."""
        request = self.requests.pop(cl_ord_id, None)
        self.lingering.pop(cl_ord_id, None)
        if request is not None and request.kind is RequestKind.REPLACE and len(self.legs) > 1:
            leg = next((leg for leg in self.legs if leg.owner == cl_ord_id), None)
            if leg is not None and leg.is_unheard:
                self.legs.remove(leg)
        return request

    def heard(self, leg: Leg, report: ExecutionReport) -> bool:
        """Take a report on `leg`, its fill already counted. False when its word came too late to change the state."""
        # It may have been held for never received, or closed by a person: the venue's word is the stronger one.
        is_sign_of_life = report.exec_type != REJECTED and leg.word not in TERMINAL_WORDS
        if leg.concluded and report.exec_type != REJECTED:
            leg.revive()
        asked = self._asked(leg, report) if self.requests or self.lingering else []
        counted = leg.hear(report, [AskedTerms(each.order_qty, each.price) for each in asked] if asked else ())
        self.unknown = leg.answered = False
        if self.ending is not None and (is_sign_of_life or leg.is_open):
            self.revive()
        if self.requests or self.lingering:
            self._answer_requests(leg, report, asked)
        if leg is self.legs[-1]:
            self._take_terms(leg)
        if (leg.word in TERMINAL_WORDS or self.ending is not None) and self.is_closed:
            self.overtake_requests()
            last = self.legs[-1]
            if last.word in (REJECTED, EXPIRED):
                self.reason = Reason.VENUE_REJECTED if last.word == REJECTED else self.reason
                self.text = last.text
        return counted

    def told_by_rest(self, leg: Leg) -> None:
        """REST has told of `leg`: the order exists, and so does a replacement that was under way."""
        self.unknown = leg.answered = False
        self.requests.pop(leg.owner, None)
        if leg is self.legs[-1]:
            self._take_terms(leg)

    @property
    def awaits(self) -> list[Attempt]:
        """Whose answer is still to come, oldest first: its own message's, each request's; none that is unknown."""
        leg = self.legs[0]
        own = leg.is_unheard and not self.unknown and self.ending is None and not leg.concluded
        requests = [request.attempt for request in self.requests.values() if not request.unknown]
        return [self.attempt, *requests] if own else requests

    def unanswered(self, attempt: Attempt) -> None:
        """What was sent so has had no answer and may or may not have arrived."""
        if attempt == self.attempt:
            self.unknown = True
        for request in self.requests.values():
            if request.attempt == attempt:
                request.unknown = True

    def connection_lost(self, session: str) -> bool:
        """What that session sent and is not answered may or may not have arrived. Whether that changed anything."""
        by_session = {request.attempt: request.session for request in self.requests.values()}
        attempts = [each for each in self.awaits if by_session.get(each, self.session) == session]
        for attempt in attempts:
            self.unanswered(attempt)
        return bool(attempts)

    def conclude(self, leg: Leg, status: OrderStatus, reason: Reason, text: str = "") -> bool:
        """Something other than the venue's word on it ends the leg, and the order where no other may still trade.
        Whether it does."""
        leg.conclude()
        self.unknown = False
        if any(each.is_open for each in self.legs):
            return False
        self._end(status, reason, text)
        return True

    def decide(self, status: OrderStatus, cum_qty: Decimal, text: str) -> None:
        """An operator's verdict: nothing of the order lives, and `cum_qty` of it was filled. What the ledger has not of
        that is to come on the last leg that lived."""
        to_come = max(cum_qty - self.cum_qty, ZERO)
        last = next((leg for leg in reversed(self.legs) if leg.is_open), self.legs[-1])
        for leg in self.legs:
            leg.conclude(to_come if leg is last else ZERO)
        self.lingering.clear()
        self._end(status, Reason.OPERATOR, text)

    def revive(self) -> None:
        """The venue's word on a leg of it is stronger than what had ended the order."""
        self.ending, self.reason, self.text = None, Reason.NONE, ""

    def _end(self, status: OrderStatus, reason: Reason, text: str) -> None:
        self.ending, self.reason, self.text = status, reason, text
        self.unknown = False
        self.requests.clear()

    def overtake_requests(self) -> None:
        """The venue's word has closed the order: its requests have no answer to wait for any more."""
        for request in self.requests.values():
            self._linger(request)
        self.requests.clear()
        for name in [name for name, request in self.lingering.items() if not self._may_linger(request)]:
            del self.lingering[name]

    def _linger(self, request: Request) -> None:
        if self._may_linger(request):
            self.lingering[request.cl_ord_id] = request

    def _may_linger(self, request: Request) -> bool:
        """Whether the venue may carry it out after the order's end. What ended otherwise than filled is not amended any
        more; a filled order is, where the amendment crossed its last fill (C.3.a), and a replacement is an order of
        its own, unless it has its leg already."""
        if request.kind is RequestKind.REPLACE:
            return all(leg.owner != request.cl_ord_id for leg in self.legs)
        leg = next((leg for leg in self.legs if leg.owner == request.owner), self.legs[-1])
        return request.kind is RequestKind.AMEND and (leg.word == FILLED or leg.word not in TERMINAL_WORDS)

    def _answer_requests(self, leg: Leg, report: ExecutionReport, asked: Sequence[Request]) -> None:
        """A report answers the request that it names, and only that one, if it is what answers such a request."""
        requests, exec_type = self.requests, report.exec_type
        named = requests.get(report.cl_ord_id) or self.lingering.get(report.cl_ord_id)
        if named is None:
            answered = asked[0] if exec_type == REPLACED and asked else told_amendment(report, leg, asked)
            if answered is not None:
                self._drop_request(answered)
        elif named.kind is RequestKind.AMEND and named.answered and tells_amended(report):
            self._drop_request(named)
            leg.rename(named.cl_ord_id)
        elif exec_type in ANSWERED_BY[named.kind] and (
            # The new leg answers for the whole, accepted or refused; the old one's cancel is only the first half.
            named.kind is not RequestKind.REPLACE or leg.owner == named.cl_ord_id
        ):
            self._drop_request(named)
            if named.kind is RequestKind.REPLACE and leg.word == REJECTED and not leg.filled_qty:
                self.legs.remove(leg)

    def _drop_request(self, request: Request) -> None:
        self.requests.pop(request.cl_ord_id, None)
        self.lingering.pop(request.cl_ord_id, None)

    def _asked(self, leg: Leg, report: ExecutionReport) -> list[Request]:
        """The amendments in place whose terms the report may tell: the one that it accepts, else all in flight."""
        amendments = self.amendments(leg)
        if report.exec_type != REPLACED:
            return amendments
        answered = answered_amendment(report, leg, {each.cl_ord_id: each.order_qty for each in amendments})
        return [each for each in amendments if each.cl_ord_id == answered]

    def _take_terms(self, leg: Leg) -> None:
        """The order's own terms follow the venue's once it has accepted them."""
        if leg.word and leg.word != REJECTED:
            order_qty = leg.order_qty
            if len(self.legs) > 1:
                order_qty += sum(earlier.cum_qty for earlier in self.legs[:-1])
            if (order_qty, leg.price) != (self.terms.order_qty, self.terms.price):
                self.terms = msgspec.structs.replace(self.terms, order_qty=order_qty, price=leg.price)


_OPEN_STATUS = {
    "": OrderStatus.PENDING_NEW,
    PENDING_NEW: OrderStatus.PENDING_NEW,
    SUSPENDED: OrderStatus.SUSPENDED,
    STOPPED: OrderStatus.SUSPENDED,
    DONE_FOR_DAY: OrderStatus.DONE_FOR_DAY,
}

_CLOSED_STATUS = {
    FILLED: OrderStatus.FILLED,
    CANCELED: OrderStatus.CANCELED,
    REJECTED: OrderStatus.REJECTED,
    EXPIRED: OrderStatus.EXPIRED,
}

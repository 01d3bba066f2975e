"""The ledger of fills, from which an order's quantities come: each counts once, whoever tells it, in any order.

A fill is keyed by (account, symbol, the venue's trade identity) and the order that it fills, the same key whoever told
it; reports for different orders are never one fill. A correction or bust names the fill that it replaces
(ExecRefID(19)); each key may be told in any order and any number of times, and the sum comes out the same.
"""

from collections.abc import Callable
from decimal import Decimal

import msgspec

from common.messages import (
    SIDE_BUY,
    SIDE_SELL,
    ExecutionReport,
)
from common.orders.fills import Fill, FillChange, FillRow, RetiredRow
from common.orders.forgotten import Forgotten, TradeId, exec_id_of
from common.orders.numbers import ZERO, is_plausible
from common.orders.words import (
    CHANGES_OF_FILLS,
    FILLS,
    TRADE_CANCEL,
    TRADE_CORRECT,
)

MAX_RETIRED_FILLS = 16_384
"""Trades of closed orders that stay in memory, oldest forgotten first: a repeat or bust that comes later is looked
up."""



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
        self._forgotten: Forgotten = Forgotten() if forgotten is None else forgotten
        self._fills: dict[TradeId, list[Fill]] = {}
        self._keys: dict[str, list[TradeId]] = {}
        self._retired: dict[TradeId, None] = {}
        self._unpriced: dict[str, Decimal] = {}
        self._by_hand: dict[str, list[TradeId]] = {}
        self._max_retired = max_retired
        self._lsn = 0

    def begin_record(self, lsn: int) -> None:
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

    def report(self, venue: str, owner: str, report: ExecutionReport) -> FillChange | None:
        """Whatever fill, correction or bust an ExecutionReport(8) carries; None where it carries none that is new, or
        one whose numbers are implausible. A correction to a quantity of 0 is one."""
        key, exec_type = report.trade_key, report.exec_type
        if not key:
            return None
        if exec_type == TRADE_CANCEL:
            fill = Fill(owner, report.side, ZERO, ZERO, ZERO, "", True, "", report.order_id)
            return self._tell((venue, report.symbol, key), self._heard_as(venue, report, owner), fill)
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

    @property
    def has_by_hand(self) -> bool:
        """Whether a fill of any order in memory stands by a person's word alone."""
        return bool(self._by_hand)

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
        fill = self._find((venue, report.symbol, self._heard_as(venue, report, "")), "", report.order_id)
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
        return self._change(trade_id, fill, removed, None if fill.replaced_by else fill)

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

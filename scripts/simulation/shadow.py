"""Risk in shadow: what risk counts, and what the shared fold of orders comes to at worst, after each durable record."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from common.journal.frames import Record
from common.left_out import Row
from common.orders.books import Books
from common.orders.facts import VenueFacts
from scripts.simulation.invariants import Violation
from services.risk.exposure import Exposure
from services.risk.listening import ListeningState
from services.risk.state import RiskState


class Shadow:
    """Both states over one log."""

    def __init__(self, facts: Mapping[str, VenueFacts]) -> None:
        """Before the first record."""
        self.old = RiskState(facts)
        self.new = ListeningState(Books(facts))

    def learned(self, record: Record) -> None:
        """A record of the journal has become durable. Raises Violation where the two come to different sums."""
        old, new = self.old, self.new
        old.apply(record, old.read(record) if record.kind in old.kinds else None)
        new.apply(record)
        apart = self._apart()
        if apart:
            raise Violation("risk-in-shadow", f"record {record.lsn}, {_shown(record)}: {'; '.join(apart)}")

    def _apart(self) -> list[str]:
        old, new = self.old, self.new
        pairs = {
            "firm": (_firm(old.exposure), self._without_strangers(_firm(new.exposure))),
            "shares": (_shares(old.exposure), _shares(new.exposure)),
            "open orders": (old.exposure.open_orders, new.exposure.open_orders),
            "attempt": (old.highest_attempt, new.highest_attempt),
            "people": ((old.killed, old.halts), (new.killed, new.halts)),
            "left out": (old.left_out.dump(), self._left_out_by_both()),
        }
        apart = [f"{what}: {before} and {now}" for what, (before, now) in pairs.items() if before != now]
        names = [name for name in old.names if new.find(name) is None]
        terms = [
            f"{name}: {least} and {new.least_qty(name)}"
            for name, w in old.working.items()
            if w.counted_open and (least := old.least_terms(w)) != new.least_qty(name)
        ]
        return apart + ([f"not found: {names}"] if names else []) + terms

    def _left_out_by_both(self) -> list[Row]:
        """A record of a kind that risk did not read halts it too, as it halts orders: that is decided."""
        both = {row.lsn for row in self.old.left_out.dump()}
        return [row for row in self.new.left_out.dump() if row.lsn in both]

    def _without_strangers(self, firm: dict[Any, tuple[Decimal, ...]]) -> dict[Any, tuple[Decimal, ...]]:
        """Strangers' open orders count in the one and not in the other: that is decided."""
        for (venue, symbol, _), worst in self.new.strange.items():
            buy, sell, held = firm.get((venue, symbol), (Decimal(0), Decimal(0), Decimal(0)))
            firm[venue, symbol] = (buy - worst.buy, sell - worst.sell, held)
        return {place: sums for place, sums in firm.items() if any(sums)}


def _firm(exposure: Exposure) -> dict[Any, tuple[Decimal, ...]]:
    return {place: (s.buy, s.sell, s.position) for place, s in exposure.firm.items() if s.buy or s.sell or s.position}


def _shares(exposure: Exposure) -> dict[Any, tuple[Decimal, ...]]:
    return {place: (s.buy, s.sell, s.position) for place, s in exposure.shares.items() if s.buy or s.sell or s.position}


def _shown(record: Record) -> str:
    return f"{record.writer} kind {record.kind} {record.payload!r}"[:600]

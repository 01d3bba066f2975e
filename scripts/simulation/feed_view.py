"""The best prices that the bytes of a market data connection tell, read a second time and apart from the dialects.

A price of a form that there is not leaves its symbol unknown until the next snapshot, MarketDataSnapshotFullRefresh(W).
"""

from decimal import Decimal

from common.fix.wire import Framer
from common.messages import TopOfBook
from scripts.simulation.invariants import Violation

_SIDES = (b"0", b"1")
_DELETE = b"2"

BY_DEPTH = frozenset({"kraken"})
"""The venues that tell the best prices of each side one by one; the others tell the best alone, and what takes its
place."""

Prices = dict[bytes, set[Decimal]]
"""What is told of a book, by MDEntryType(269) of bid and offer."""


class FeedView:
    """One connection's prices. `in_order` until a number is missing or comes twice: what follows counts for nothing.

    `ends`: the venue has announced by News(B) that it will end the connection.
    """

    def __init__(self, venue: str) -> None:
        self.in_order = True
        self.ends = False
        self._by_depth = venue in BY_DEPTH
        self._framer = Framer()
        self._next = 1
        self._told: dict[bytes, Prices | None] = {}

    def read(self, data: bytes) -> None:
        """The next bytes of the connection."""
        for raw in self._framer.feed(data):
            fields = [(tag, value) for tag, _, value in (part.partition(b"=") for part in raw.split(b"\x01"))]
            single = dict(fields)
            self.in_order = self.in_order and int(single[b"34"]) == self._next
            self._next += 1
            if not self.in_order or self._framer.garbled:
                self.in_order = False
                return
            self.ends = self.ends or single[b"35"] == b"B"
            if single[b"35"] == b"W":
                self._told[single[b"55"]] = {}
            if single[b"35"] in (b"W", b"X"):
                self._entries(fields, single[b"35"] == b"W")

    def _entries(self, fields: list[tuple[bytes, bytes]], whole: bool) -> None:
        """Each entry is closed by the beginning of the next, or by the trailer."""
        first = b"269" if whole else b"279"
        symbol, entry = b"", dict[bytes, bytes]()
        for tag, value in fields:
            if tag in (first, b"10") and entry:
                symbol = entry.get(b"55", symbol)
                self._entry(symbol, entry)
                entry = {}
            if tag == b"55" and (whole or not entry):
                symbol = value
            elif tag == first or entry:
                entry[tag] = value

    def _entry(self, symbol: bytes, entry: dict[bytes, bytes]) -> None:
        told = self._told.setdefault(symbol, {})
        px = entry.get(b"270", b"")
        if b"E" in px:
            self._told[symbol] = None
        elif told is not None and entry[b"269"] in _SIDES:
            prices, price = told.setdefault(entry[b"269"], set()), Decimal(px.decode())
            if entry.get(b"279") == _DELETE:
                prices.discard(price)
            else:
                told[entry[b"269"]] = {price, *prices} if self._by_depth else {price}

    def tells_of(self, symbol: str) -> bool:
        """Whether it has told anything of the symbol."""
        return symbol.encode() in self._told

    def check(self, top: TopOfBook) -> None:
        """What is published of a symbol is what the connection has told, or nothing. Raises Violation."""
        told = self._told.get(top.symbol.encode(), {}) or {}
        best = (max(told.get(b"0", ()), default=None), min(told.get(b"1", ()), default=None))
        if self.in_order and (top.bid_px, top.ask_px) not in ((None, None), best):
            raise Violation("prices-as-told", f"{top} is published, and the venue has told {told}")

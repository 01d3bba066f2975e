"""Coinbase Prime's simulated market data, FIX 5.0 SP2: V in; W, X and Y out.

Source: docs.cdp.coinbase.com/prime/fix-api/market-data. The symbol stands before the entries, each of which has an
MDEntryID(278) and an RptSeq(83) of its own; a trade names the market it was made at, in a group within the group.
"""

from collections.abc import Sequence
from decimal import Decimal

from common.exchange.changes import Traded
from common.exchange.feed import DELETE, TRADE, Entry
from common.exchange.fix_market_data import FixMarketData
from common.exchange.numbers import digits
from common.exchange.venue import Venue
from common.venues.coinbaseprime.simulated.door import PrimeDoor

MARKET = "453=1\x01448=CBSE\x01447=G\x01452=73\x01"


class PrimeForm:
    """How Coinbase Prime writes W and X."""

    replaces_top = False

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._entries = 0
        self._sequences: dict[str, int] = {}

    def snapshot(self, md_req_id: str, symbol: str, entries: Sequence[Entry], update_id: int) -> tuple[str, bytes]:
        """The whole book, or its top."""
        body = "".join(self._entry(symbol, e.entry_type, e.px, e.qty) for e in entries)
        head = f"262={md_req_id}\x0155={symbol}\x01911=1\x01963={self._venue.unique()}\x01"
        return "W", f"{head}268={len(entries)}\x01{body}".encode()

    def changes(
        self, md_req_id: str, symbol: str, entries: Sequence[Entry], first_update_id: int, last_update_id: int
    ) -> tuple[str, bytes]:
        """What changed in the book."""
        body = "".join(
            f"279={e.action}\x01{self._entry(symbol, e.entry_type, e.px, Decimal(0) if e.action == DELETE else e.qty)}"
            for e in entries
        )
        return "X", f"262={md_req_id}\x0155={symbol}\x01268={len(entries)}\x01{body}".encode()

    def trades(self, md_req_id: str, trades: Sequence[tuple[Traded, str]]) -> tuple[str, bytes]:
        """Public trades of one symbol with the side of each one's taker."""
        symbol = trades[0][0].symbol
        body = "".join(
            f"279=0\x01{self._entry(symbol, TRADE, t.px, t.qty)}2446={side}\x01{MARKET}" for t, side in trades
        )
        return "X", f"262={md_req_id}\x0155={symbol}\x01268={len(trades)}\x01{body}".encode()

    def _entry(self, symbol: str, entry_type: str, px: Decimal, qty: Decimal) -> str:
        self._entries += 1
        sequence = self._sequences[symbol] = self._sequences.get(symbol, 0) + 1
        names = f"269={entry_type}\x01278={self._entries}\x0183={sequence}\x01"
        return f"{names}270={digits(px)}\x01271={digits(qty)}\x01"


class PrimeMarketData(PrimeDoor, FixMarketData):
    """The market data listener."""

    begin_string = "FIXT.1.1"
    default_appl_ver_id = "9"
    key_tag = b"553"

    def _why_wrong(self, fields: dict[bytes, bytes]) -> str:
        """Nobody may want a drop copy of it."""
        return super()._why_wrong(fields) or ("" if fields.get(b"9406") == b"N" else "DropCopyFlag(9406) must be N")

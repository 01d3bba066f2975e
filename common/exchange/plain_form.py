"""How FIX 4.4 writes W and X.

Source: FIX 4.4 with errata 20030618, volume 3, market data.
"""

from collections.abc import Sequence

from common.exchange.changes import Traded
from common.exchange.feed import Entry
from common.exchange.numbers import digits
from common.fix.wire import utc_timestamp


class PlainForm:
    """A `Format` as the standard has it."""

    replaces_top = False

    def snapshot(self, md_req_id: str, symbol: str, entries: Sequence[Entry], update_id: int) -> tuple[str, bytes]:
        """The whole book, or its top."""
        body = "".join(f"269={e.entry_type}\x01270={digits(e.px)}\x01271={digits(e.qty)}\x01" for e in entries)
        return "W", f"262={md_req_id}\x0155={symbol}\x01268={len(entries)}\x01{body}".encode()

    def changes(
        self, md_req_id: str, symbol: str, entries: Sequence[Entry], first_update_id: int, last_update_id: int
    ) -> tuple[str, bytes]:
        """What changed in the book."""
        body = "".join(
            f"279={e.action}\x01269={e.entry_type}\x0155={symbol}\x01270={digits(e.px)}\x01271={digits(e.qty)}\x01"
            for e in entries
        )
        return "X", f"262={md_req_id}\x01268={len(entries)}\x01{body}".encode()

    def trades(self, md_req_id: str, trades: Sequence[tuple[Traded, str]]) -> tuple[str, bytes]:
        """Public trades with the side of each one's taker."""
        body = "".join(
            f"279=0\x01269=2\x0155={t.symbol}\x01270={digits(t.px)}\x01271={digits(t.qty)}\x01"
            f"273={utc_timestamp(t.stamp_ns).decode()[9:]}\x012446={side}\x01"
            for t, side in trades
        )
        return "X", f"262={md_req_id}\x01268={len(trades)}\x01{body}".encode()

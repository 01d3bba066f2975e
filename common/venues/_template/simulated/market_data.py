"""The template's simulated market data: how it writes W and X.

Source: FIX 4.4 with errata 20030618, volume 3.
"""

from collections.abc import Sequence

from common.exchange.changes import Traded
from common.exchange.feed import Entry
from common.exchange.fix_gateway import Client
from common.exchange.fix_market_data import FixMarketData
from common.venues._template.simulated.door import why_refused


class TemplateMarketData(FixMarketData):
    """The market data listener."""

    def _admit(self, raw: bytes) -> Client | str:
        return why_refused(self._venue, self._scope, raw) or super()._admit(raw)


class TemplateForm:
    """A `Format` as the standard has it."""

    replaces_top = False

    def snapshot(self, md_req_id: str, symbol: str, entries: Sequence[Entry], update_id: int) -> tuple[str, bytes]:
        """The whole book, or its top."""
        body = "".join(f"269={e.entry_type}\x01270={e.px:f}\x01271={e.qty:f}\x01" for e in entries)
        return "W", f"262={md_req_id}\x0155={symbol}\x01268={len(entries)}\x01{body}".encode()

    def changes(
        self, md_req_id: str, symbol: str, entries: Sequence[Entry], first_update_id: int, last_update_id: int
    ) -> tuple[str, bytes]:
        """What changed in the book."""
        body = "".join(
            f"279={e.action}\x01269={e.entry_type}\x0155={symbol}\x01270={e.px:f}\x01271={e.qty:f}\x01" for e in entries
        )
        return "X", f"262={md_req_id}\x01268={len(entries)}\x01{body}".encode()

    def trades(self, md_req_id: str, trades: Sequence[tuple[Traded, str]]) -> tuple[str, bytes]:
        """Public trades with the side of each one's taker."""
        body = "".join(
            f"279=0\x01269=2\x0155={t.symbol}\x01270={t.px:f}\x01271={t.qty:f}\x012446={side}\x01" for t, side in trades
        )
        return "X", f"262={md_req_id}\x01268={len(trades)}\x01{body}".encode()

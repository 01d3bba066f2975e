"""Gemini's simulated market data: V in; W, X and Y out.

Source: docs.gemini.com/fix, market data. A subscription cannot be ended but with its connection; what a second one to
the same symbol does is not said: here it takes the first one's place. Each price that is gone is deleted without a
quantity.
"""

from collections.abc import Sequence
from decimal import Decimal

from common.exchange.changes import Traded
from common.exchange.feed import DELETE, Entry, Subscription
from common.exchange.fix_gateway import Client
from common.exchange.fix_market_data import SUBSCRIBE, FixMarketData
from common.exchange.numbers import digits
from common.exchange.requests import Request
from common.exchange.venue import Venue
from common.instant import Instant
from common.venues.gemini.simulated.door import GeminiDoor

FULL_BOOK, TOP_OF_BOOK = 0, 1
_MAKER_SIDES = {"1": "2", "2": "1"}
"""The maker's side by the taker's."""


class GeminiForm:
    """How Gemini writes W and X. `with_maker_side` are the MDReqIDs(262) that asked for it."""

    replaces_top = False

    def __init__(self) -> None:
        self.with_maker_side: set[str] = set()

    def snapshot(self, md_req_id: str, symbol: str, entries: Sequence[Entry], update_id: int) -> tuple[str, bytes]:
        """The whole book, or its top."""
        body = "".join(_entry(e.entry_type, e.px, e.qty) for e in entries)
        return "W", f"55={symbol}\x01262={md_req_id}\x01268={len(entries)}\x01{body}".encode()

    def changes(
        self, md_req_id: str, symbol: str, entries: Sequence[Entry], first_update_id: int, last_update_id: int
    ) -> tuple[str, bytes]:
        """What changed in the book."""
        body = "".join(
            f"279={e.action}\x01{_entry(e.entry_type, e.px, None if e.action == DELETE else e.qty, symbol)}"
            for e in entries
        )
        return "X", f"262={md_req_id}\x019008={last_update_id}\x01268={len(entries)}\x01{body}".encode()

    def trades(self, md_req_id: str, trades: Sequence[tuple[Traded, str]]) -> tuple[str, bytes]:
        """Public trades, with the side of each one's maker for who asked for it."""
        told = md_req_id in self.with_maker_side
        body = "".join(
            f"279=0\x01{_entry('2', t.px, t.qty, t.symbol)}" + (f"9002={_MAKER_SIDES[side]}\x01" if told else "")
            for t, side in trades
        )
        return "X", f"262={md_req_id}\x01268={len(trades)}\x01{body}".encode()


def _entry(entry_type: str, px: Decimal, qty: Decimal | None, symbol: str = "") -> str:
    named = f"55={symbol}\x01" if symbol else ""
    size = "" if qty is None else f"271={digits(qty)}\x01"
    return f"269={entry_type}\x01{named}270={digits(px)}\x01{size}"


class GeminiMarketData(GeminiDoor, FixMarketData):
    """The market data listener."""

    def __init__(self, venue: Venue, form: GeminiForm) -> None:
        self._form = form
        super().__init__(venue, form)

    def _request(self, client: Client, request: Request, now: Instant) -> None:
        assert client.line is not None
        owner, symbols = client.line.number, set(request.every(55))
        former = [each for each in self.feed.of(owner) if symbols.issuperset(each.symbols)]
        if request.optional(9003) == "Y":
            self._form.with_maker_side.add(request.text(262))
        super()._request(client, request, now)
        for each in former if self.feed.has(owner, request.text(262)) else ():
            self.feed.unsubscribe(owner, each.md_req_id)

    def _why_not(self, owner: int, wanted: Subscription, action: str) -> tuple[str, str] | None:
        refusal = super()._why_not(owner, wanted, action)
        if refusal is None and action != SUBSCRIBE:
            return "4", "Unsupported SubscriptionRequestType(263)"
        if refusal is None and wanted.depth not in (FULL_BOOK, TOP_OF_BOOK):
            return "5", "Unsupported MarketDepth(264)"
        return refusal

"""HTX's simulated market data: V in; W, X and Y out.

Source: the mirror of HTX's page on its FIX API, as of April 2025. A request takes the place of all before it; a book is
told whole each time, and trades by themselves.
"""

from collections.abc import Mapping, Sequence

from common.exchange.changes import Traded
from common.exchange.feed import BID, OFFER, TRADE, Entry, Send, Subscription, levels
from common.exchange.fix_gateway import Client, Handler
from common.exchange.fix_market_data import FixMarketData
from common.exchange.numbers import digits
from common.exchange.requests import Request
from common.fix.wire import utc_timestamp
from common.instant import Instant
from common.venues.htx.simulated.door import HtxGateway
from common.venues.htx.simulated.reports import symbol_of

SUBSCRIBE, UNSUBSCRIBE = "0", "2"
ACCEPTED, DUPLICATE, UNSUPPORTED = "0", "1", "7"
DEPTHS = ("1", "20", "150")
MAX_SYMBOLS = 50
CHANGED = "W*"
"""Instead of the book that has changed: whoever sends it tells it whole."""

_BOOK = frozenset({BID, OFFER})


class HtxForm:
    """How HTX writes W and X."""

    replaces_top = False

    def snapshot(self, md_req_id: str, symbol: str, entries: Sequence[Entry], update_id: int) -> tuple[str, bytes]:
        """The best prices. MDReqID(262) is 1, whatever was asked under."""
        rows = "".join(f"269={e.entry_type}\x01270={digits(e.px)}\x01271={digits(e.qty)}\x01" for e in entries)
        return "W", f"262=1\x0183={update_id + 1}\x0155={symbol.lower()}\x01268={len(entries)}\x01{rows}".encode()

    def changes(
        self, md_req_id: str, symbol: str, entries: Sequence[Entry], first_update_id: int, last_update_id: int
    ) -> tuple[str, bytes]:
        """That something has."""
        return CHANGED, symbol.encode()

    def trades(self, md_req_id: str, trades: Sequence[tuple[Traded, str]]) -> tuple[str, bytes]:
        """Public trades of one symbol with the side of each one's taker."""
        rows = "".join(
            f"279=0\x01269=2\x01278={t.trade_id}\x0155={t.symbol.lower()}\x01270={digits(t.px)}\x01271={digits(t.qty)}\x01"
            f"60={utc_timestamp(t.stamp_ns, 6).decode()}\x0154={side}\x01"
            for t, side in trades
        )
        return "X", f"262=1\x01268={len(trades)}\x01{rows}".encode()


class HtxMarketData(HtxGateway, FixMarketData):
    """The market data listener."""

    def _handlers(self) -> Mapping[str, Handler]:
        return {"V": self._request}

    def _request(self, client: Client, request: Request, now: Instant) -> None:
        md_req_id, action, symbols = (
            request.text(262),
            request.text(263),
            [symbol_of(each) for each in request.every(55)],
        )
        assert client.line is not None
        owner, books = client.line.number, self._venue.state.books
        wrong = action not in (SUBSCRIBE, UNSUBSCRIBE) or request.text(264) not in DEPTHS
        if wrong or not 0 < len(symbols) <= MAX_SYMBOLS or any(symbol not in books for symbol in symbols):
            self._refuse_request(client, md_req_id, (UNSUPPORTED, "Unsupported request"), now)
            return
        for former in self.feed.of(owner):
            self.feed.unsubscribe(owner, former.md_req_id)
        self._send(client, "Y", f"262={md_req_id}\x01281={ACCEPTED}\x01".encode(), now)
        if action == SUBSCRIBE:
            for symbol in symbols:
                send, depth = self._sender(client, int(request.text(264))), int(request.text(264))
                subscription = Subscription(f"{md_req_id} {symbol}", [symbol], depth, _BOOK | {TRADE}, send)
                self.feed.subscribe(owner, subscription, now)

    def _sender(self, client: Client, depth: int) -> Send:
        """Tells a changed book whole."""
        form = HtxForm()

        def told(msg_type: str, body: bytes, now: Instant) -> None:
            if msg_type == CHANGED:
                book = self._venue.state.books[body.decode()]
                msg_type, body = form.snapshot("", book.symbol, levels(book, depth, _BOOK), book.update_id)
            self._send(client, msg_type, body, now)

        return told

"""How KuCoin Spot is spoken to by a bridge: what is of spot alone.

Source: KuCoin documentation as stored 2025-11-29. A new order is good until clientTimestamp and allowMaxTimeWindow
together. Fills are asked for symbol by symbol.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from common.instant import NS_PER_MS
from common.venues.backend import (
    BookFact,
    BridgedTerms,
    Fact,
    HttpCall,
    Reply,
    Signer,
    SymbolGuard,
    Verdict,
    book_rows,
    counted_window,
)
from common.venues.dialect import plain
from common.venues.families.kucoin.backend import SPAN_MS, KucoinBackend, Row, fill_fact
from common.venues.rest import name_field

NO_SUCH_ORDER = frozenset({"200003", "100001"})
PARAMETER = "400100"
"""What is wrong with a request is told by the text alone."""

PAGE_ROWS = 100
GUARDED_SYMBOLS = 50
"""The most that the dead man's switch takes."""

POOLS = {"new": ("orders", 2_000), "cancel": ("cancels", 1_000)}
"""Of a weight of 4,000 at the lowest level; a question weighs 2."""


class KucoinSpotBackend(SymbolGuard, KucoinBackend):
    """A `Backend`."""

    orders_topic = "/spotMarket/tradeOrdersV2"
    books_topic = "/market/level2:"
    trades_topic = "/market/match:"
    pools = POOLS
    questions = 500
    is_open = "active"
    updated = "lastUpdatedAt"
    trade_stamp = "time"

    def __init__(self, symbols: tuple[str, ...], sign: Signer) -> None:
        """`symbols` are those whose orders and fills are asked for; `sign` signs what goes over REST."""
        self._symbols = symbols
        self._sign = sign

    def why_not(self, terms: BridgedTerms) -> str:
        """See `Backend`: it has all that a bridge takes."""
        return ""

    # ---- what is sent

    def new(self, terms: BridgedTerms, wall_ns: int, last_venue_ns: int) -> HttpCall:
        """See `Backend`. The window is counted from clientTimestamp, which is that of the signature."""
        stamp_ms, window_ms = counted_window(wall_ns, last_venue_ns)
        asked = self.order_of(terms, plain(terms.order_qty))
        asked |= {"clientTimestamp": stamp_ms, "allowMaxTimeWindow": window_ms}
        return self._sign("POST", "hf/orders", asked, stamp_ms * NS_PER_MS)

    def cancel(self, terms: BridgedTerms, wall_ns: int) -> HttpCall:
        """See `Backend`: by the venue's id where ours is not known."""
        if not terms.venue_id:
            asked = {"orderId": terms.order_id, "symbol": terms.symbol}
            return self._sign("DELETE", "hf/orders/{orderId}", asked, wall_ns)
        return self._sign("DELETE", "hf/orders/client-order/{clientOid}", _named(terms), wall_ns)

    def arm(self, names: Sequence[str], former: Sequence[str], wall_ns: int) -> list[HttpCall]:
        """See `GuardingBackend`: what is set overwrites what was, and -1 takes all of it back."""
        asked: dict[str, object] = {"timeout": -1}
        if names:
            asked = {"timeout": self.guard_s, "symbols": ",".join(names[:GUARDED_SYMBOLS])}
        return [self._sign("POST", "hf/orders/dead-cancel-all", asked, wall_ns)]

    def ask_order(self, terms: BridgedTerms, order_id: str, wall_ns: int) -> HttpCall:
        """See `Backend`."""
        return self._sign("GET", "hf/orders/client-order/{clientOid}", _named(terms), wall_ns)

    def ask_open(self, page: str, wall_ns: int) -> HttpCall:
        """See `Backend`: a page is a symbol."""
        return self._sign("GET", "hf/orders/active", {"symbol": page or self._symbols[0]}, wall_ns)

    def ask_ended(self, terms: BridgedTerms, since_ns: int, page: str, wall_ns: int) -> HttpCall | None:
        """See `Backend`: `ask_order` finds what has ended, but no fill has our id, so that these are the second witness
        of an order that is not there."""
        asked = dict(parse_qsl(page)) or {"symbol": terms.symbol}
        return self._sign("GET", "hf/orders/done", _within_span(asked, since_ns, wall_ns), wall_ns)

    def ask_fills(self, since_ns: int, page: str, wall_ns: int) -> HttpCall:
        """See `Backend`: a page is the query of the next request. Of each symbol one span of time after another, the
        last of which has no end."""
        asked = dict(parse_qsl(page)) or {"symbol": self._symbols[0]}
        return self._sign("GET", "hf/fills", _within_span(asked, since_ns, wall_ns), wall_ns)

    def ask_fills_of(self, terms: BridgedTerms, order_id: str, page: str, wall_ns: int) -> HttpCall:
        """See `Backend`."""
        asked = {"symbol": terms.symbol, "orderId": order_id, "limit": str(PAGE_ROWS)}
        asked |= {"lastId": page} if page else {}
        return self._sign("GET", "hf/fills", asked, wall_ns)

    def ask_book(self, symbol: str, wall_ns: int) -> HttpCall:
        """See `BookBackend`: all of it, for which has to be signed."""
        return self._sign("GET", "market/orderbook/level2", {"symbol": symbol}, wall_ns)

    # ---- what is answered

    def is_absent(self, what: str, code: str, text: str) -> bool:
        """See `KucoinBackend`."""
        return code in NO_SUCH_ORDER or (code == PARAMETER and "order_not_exist" in text)

    def told_there(self, what: str, data: Any, call: HttpCall) -> Reply:
        """See `KucoinBackend`."""
        if what == "arm":
            return Reply(Verdict.DONE)
        asked = dict(parse_qsl(urlsplit(call.target).query))
        if what == "ask_book":
            bids, offers, last = book_rows(data["bids"]), book_rows(data["asks"]), int(data["sequence"])
            return Reply(Verdict.DONE, book=BookFact(asked["symbol"], True, bids, offers, last, last))
        if what == "ask_open":
            facts = tuple(self.order_fact(row) for row in data)
            return Reply(Verdict.DONE, facts=facts, next_page=self._symbol_after(asked["symbol"]))
        rows = data["items"]
        last_id = str(data["lastId"]) if len(rows) >= PAGE_ROWS else ""
        page = last_id if what == "ask_fills_of" else _page_after(asked, last_id)
        if what == "ask_fills" and not page and (following := self._symbol_after(asked["symbol"])):
            page = urlencode({"symbol": following})
        read: Callable[[Row], Fact] = self.order_fact if what == "ask_ended" else fill_fact
        return Reply(Verdict.DONE, facts=tuple(map(read, rows)), next_page=page)

    def _symbol_after(self, symbol: str) -> str:
        """The next symbol, "" after the last."""
        rest = self._symbols[self._symbols.index(symbol) + 1 :]
        return rest[0] if rest else ""

    def book_change(self, symbol: str, row: Row) -> BookFact:
        """See `KucoinBackend`."""
        sides = row["changes"]
        return BookFact(
            name_field(row, "symbol"), False, book_rows(sides["bids"]), book_rows(sides["asks"]),
            int(row["sequenceStart"]), int(row["sequenceEnd"]),
        )  # fmt: skip


def _within_span(asked: dict[str, str], since_ns: int, wall_ns: int) -> dict[str, str]:
    """A query of so much time as may be asked for at once; the last span has no end."""
    asked = {"startAt": str(since_ns // NS_PER_MS), **asked, "limit": str(PAGE_ROWS)}
    end_ms = int(asked["startAt"]) + SPAN_MS
    is_last = "lastId" in asked or end_ms >= wall_ns // NS_PER_MS
    return asked if is_last else {**asked, "endAt": str(end_ms)}


def _page_after(asked: Mapping[str, str], last_id: str) -> str:
    """The query of what follows a page: older rows, a later span of time, or nothing."""
    if last_id:
        return urlencode({**asked, "lastId": last_id})
    if "endAt" in asked:
        return urlencode({"symbol": asked["symbol"], "startAt": asked["endAt"]})
    return ""


def _named(terms: BridgedTerms) -> dict[str, object]:
    return {"clientOid": terms.venue_id, "symbol": terms.symbol}

"""How KuCoin is spoken to by a bridge: REST for what is asked and wanted, the private WebSocket for what happens.

Source: KuCoin documentation as stored 2025-11-29. CCXT signs, and does nothing else. A new order is good until
clientTimestamp and allowMaxTimeWindow together. A push tells what was filled, and not what that has cost: fees come
from the fills over REST, which name the venue's id of the order alone, and are asked for symbol by symbol.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec

from common.instant import NS_PER_MS, NS_PER_S
from common.venues.backend import (
    NO_CALL,
    BookFact,
    BridgedTerms,
    Fact,
    FillFact,
    HttpCall,
    Limit,
    OrderFact,
    Push,
    Reply,
    Signer,
    SymbolGuard,
    TopicSockets,
    TradeFact,
    Verdict,
    book_rows,
    counted_window,
    side_of,
    token_stream,
)
from common.venues.dialect import plain
from common.venues.rest import OF_ANOTHER_FORM, BadAnswer, decimal_field, ms_to_ns, name_field

Row = Mapping[str, Any]

OK = "200000"
UNDECIDED = frozenset({"500000", "408000"})
"""What says that nobody knows: an error within, and that it took too long there. A status of 500 or more says so too,
whatever the code."""

NO_SUCH_ORDER = frozenset({"200003", "100001"})
PARAMETER = "400100"
"""What is wrong with a request is told by the text alone."""

SPAN_MS = 7 * 86_400_000
"""Fills are told of so long a span of time at once."""

PAGE_ROWS = 100
GUARDED_SYMBOLS = 50
"""The most that the dead man's switch takes."""

_ID = re.compile(r"[0-9A-Za-z_-]{1,40}")
_SIDES = {"1": "buy", "2": "sell"}
_TIMES_IN_FORCE = {"1": "GTC", "3": "IOC", "4": "FOK"}
_POOLS = {"new": ("orders", 2_000), "cancel": ("cancels", 1_000)}
"""A user has requests of a weight of 4,000 in 30 s at the lowest level. New orders, cancels and questions have a part
of that each, so that neither waits for the others; a question weighs 2."""

_decode = msgspec.json.Decoder(dict[str, Any]).decode


class KucoinBackend(SymbolGuard, TopicSockets):
    """A `Backend`."""

    orders_topic = "/spotMarket/tradeOrdersV2"
    books_topic = "/market/level2:"
    trades_topic = "/market/match:"
    processing_ns = 2 * NS_PER_S
    ping_ns = 15 * NS_PER_S
    id_form = "1 to 40 letters, digits, - and _"

    def __init__(self, symbols: tuple[str, ...], sign: Signer) -> None:
        """`symbols` are those whose orders and fills are asked for; `sign` signs what goes over REST."""
        self._symbols = symbols
        self._sign = sign

    def limit(self, what: str, symbol: str) -> Limit:
        """See `Backend`."""
        name, requests = _POOLS.get(what, ("questions", 500))
        return Limit(name, requests, 30 * NS_PER_S)

    def takes_id(self, text: str) -> bool:
        """clientOid."""
        return _ID.fullmatch(text) is not None

    def why_not(self, terms: BridgedTerms) -> str:
        """See `Backend`: it has all that a bridge takes."""
        return ""

    # ---- what is sent

    def new(self, terms: BridgedTerms, wall_ns: int, last_venue_ns: int) -> HttpCall:
        """See `Backend`. The window is counted from clientTimestamp, which is that of the signature."""
        stamp_ms, window_ms = counted_window(wall_ns, last_venue_ns)
        asked: dict[str, object] = {
            "clientOid": terms.venue_id, "symbol": terms.symbol, "side": _SIDES[terms.side],
            "type": "market" if terms.price is None else "limit", "size": plain(terms.order_qty),
            "clientTimestamp": stamp_ms, "allowMaxTimeWindow": window_ms,
        }  # fmt: skip
        if terms.price is not None:
            asked |= {"price": plain(terms.price), "timeInForce": _TIMES_IN_FORCE[terms.time_in_force]}
        asked |= {"postOnly": True} if terms.post_only else {}
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

    def ask_time(self) -> HttpCall:
        """See `Backend`."""
        return HttpCall("GET", "/api/v1/timestamp")

    # ---- what is answered

    def read(self, what: str, status: int, body: bytes, call: HttpCall = NO_CALL) -> Reply:
        """See `Backend`."""
        try:
            answer = _decode(body)
            code, text, data = str(answer["code"]), str(answer.get("msg") or ""), answer.get("data")
            if status >= 500 or code in UNDECIDED:
                return Reply(Verdict.UNKNOWN, code, text)
            if what in ("new", "cancel"):
                return _acted(what, code, text, data)
            if what == "ask_order" and (_is_gone(code, text) or (code == OK and data is None)):
                return Reply(Verdict.ABSENT, code, text or "null")
            if status != 200 or code != OK:
                return Reply(Verdict.UNKNOWN, code, text)
            return self._told(what, data, dict(parse_qsl(urlsplit(call.target).query)))
        except (msgspec.DecodeError, *OF_ANOTHER_FORM) as error:
            return Reply(Verdict.UNKNOWN, str(status), f"{type(error).__name__}: {error}"[:200])

    def _told(self, what: str, data: Any, asked: Mapping[str, str]) -> Reply:
        if what == "ask_time":
            return Reply(Verdict.DONE, venue_ns=ms_to_ns(data))
        if what == "ask_stream":
            return Reply(Verdict.DONE, stream=token_stream(data))
        if what == "arm":
            return Reply(Verdict.DONE)
        if what == "ask_order":
            return Reply(Verdict.DONE, facts=(_order(data),))
        if what == "ask_book":
            bids, offers, last = book_rows(data["bids"]), book_rows(data["asks"]), int(data["sequence"])
            return Reply(Verdict.DONE, book=BookFact(asked["symbol"], True, bids, offers, last, last))
        if what == "ask_open":
            facts = tuple(_order(row) for row in data)
            return Reply(Verdict.DONE, facts=facts, next_page=self._symbol_after(asked["symbol"]))
        rows = data["items"]
        last_id = str(data["lastId"]) if len(rows) >= PAGE_ROWS else ""
        page = last_id if what == "ask_fills_of" else _page_after(asked, last_id)
        if what == "ask_fills" and not page and (following := self._symbol_after(asked["symbol"])):
            page = urlencode({"symbol": following})
        read: Callable[[Row], Fact] = _order if what == "ask_ended" else _fill
        return Reply(Verdict.DONE, facts=tuple(map(read, rows)), next_page=page)

    def _symbol_after(self, symbol: str) -> str:
        """The next symbol, "" after the last."""
        rest = self._symbols[self._symbols.index(symbol) + 1 :]
        return rest[0] if rest else ""

    # ---- the private WebSocket

    def read_push(self, text: str) -> tuple[Push, tuple[Fact, ...]]:
        """See `Backend`."""
        kinds = {"welcome": Push.LOGGED_IN, "ack": Push.SUBSCRIBED, "error": Push.REFUSED}
        try:
            told = _decode(text)
            if told.get("topic") == self.orders_topic:
                return Push.OTHER, (_pushed(told["data"]),)
            return kinds.get(str(told.get("type")), Push.OTHER), ()
        except (msgspec.DecodeError, *OF_ANOTHER_FORM) as error:
            raise BadAnswer(f"a push cannot be read: {error}") from error

    # ---- the public WebSocket

    def ask_book(self, symbol: str, wall_ns: int) -> HttpCall:
        """See `BookBackend`: all of it, for which has to be signed."""
        return self._sign("GET", "market/orderbook/level2", {"symbol": symbol}, wall_ns)

    def read_prices(self, text: str) -> tuple[Push, tuple[BookFact | TradeFact, ...]]:
        """See `BookBackend`."""
        kinds = {"welcome": Push.LOGGED_IN, "error": Push.REFUSED}
        try:
            told = _decode(text)
            topic = str(told.get("topic") or "")
            if topic.startswith(self.trades_topic):
                return Push.OTHER, (_trade(told["data"]),)
            if not topic.startswith(self.books_topic):
                return kinds.get(str(told.get("type")), Push.OTHER), ()
            row = told["data"]
            sides = row["changes"]
            book = BookFact(
                name_field(row, "symbol"), False, book_rows(sides["bids"]), book_rows(sides["asks"]),
                int(row["sequenceStart"]), int(row["sequenceEnd"]),
            )  # fmt: skip
            return Push.OTHER, (book,)
        except (msgspec.DecodeError, *OF_ANOTHER_FORM) as error:
            raise BadAnswer(f"prices cannot be read: {error}") from error


def _trade(row: Row) -> TradeFact:
    """Its time is in nanoseconds."""
    return TradeFact(
        name_field(row, "symbol"), name_field(row, "tradeId"), decimal_field(row, "price"), decimal_field(row, "size"),
        side_of(row.get("side")), int(row["time"]),
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


def _is_gone(code: str, text: str) -> bool:
    """Whether the venue says that there is no such order, or none that is open."""
    return code in NO_SUCH_ORDER or (code == PARAMETER and "order_not_exist" in text)


def _acted(what: str, code: str, text: str, data: Any) -> Reply:
    """What was answered to an order or a cancel."""
    if code == OK:
        return Reply(Verdict.DONE, code, text, name_field(data, "orderId") if what == "new" else "")
    if what != "new" and _is_gone(code, text):
        return Reply(Verdict.ABSENT, code, text)
    if code == PARAMETER and "clientOid" in text:
        # That the id was used says that the venue has such an order, by whatever way it came.
        return Reply(Verdict.UNKNOWN, code, text)
    return Reply(Verdict.REFUSED, code, text)


def _order(row: Row) -> OrderFact:
    """An order as REST tells it. No word says how it ended: it is full, or it was cancelled."""
    qty, filled = decimal_field(row, "size"), decimal_field(row, "dealSize")
    ended = "2" if filled >= qty else "4"
    status = ("1" if filled else "0") if row["active"] is True else ended
    price = decimal_field(row, "price") if row["type"] == "limit" else None
    return OrderFact(
        str(row.get("clientOid") or ""), name_field(row, "id"), name_field(row, "symbol"), status, qty, price, filled,
        ms_to_ns(row.get("lastUpdatedAt") or row["createdAt"]), side_of(row.get("side")),
    )  # fmt: skip


def _fill(row: Row) -> FillFact:
    """A fill. It has no id of ours."""
    return FillFact(
        "", name_field(row, "orderId"), name_field(row, "symbol"), name_field(row, "tradeId"),
        decimal_field(row, "price"), decimal_field(row, "size"), decimal_field(row, "fee"),
        str(row.get("feeCurrency") or ""), row.get("liquidity") == "maker", ms_to_ns(row["createdAt"]),
        side_of(row.get("side")),
    )  # fmt: skip


_STATUSES = {"received": "0", "open": "0", "match": "1", "update": "1", "filled": "2", "canceled": "4"}


def _pushed(row: Row) -> OrderFact:
    """The order as it stands. What a match has cost is asked for: it is not told here."""
    kind, filled = str(row["type"]), decimal_field(row, "filledSize")
    status = _STATUSES[kind]
    status = "0" if status == "1" and not filled else status
    price = decimal_field(row, "price") if row.get("orderType") == "limit" else None
    return OrderFact(
        str(row.get("clientOid") or ""), name_field(row, "orderId"), name_field(row, "symbol"), status,
        decimal_field(row, "size"), price, filled, int(row["ts"]),
    )  # fmt: skip

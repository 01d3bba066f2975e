"""How KuCoin Futures is spoken to by a bridge: REST for what is asked and wanted, the private WebSocket for what
happens.

Source: KuCoin documentation as stored 2025-11-29, futures trading. CCXT signs, and does nothing else. Quantities are
contracts, in whole numbers. All are held across the account, each as one position: an account of two positions in each
contract is not traded with.

An order has no field for a last moment. But a request is refused whose signature is `STAMP_NS` old, so that one is
signed as of so long before its last moment, or as of now, whichever is earlier.

A push tells what was filled, and not what that has cost. Two endpoints tell of fills, and likewise two of orders that
have ended: one what is recent, at once, and the other all of a span of time, but late. Neither names our id of a fill's
order.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec

from common.contracts import Contract, InstrumentKind
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
    TopicSockets,
    TradeFact,
    Verdict,
    book_rows,
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

PARAMETER = "100001"
"""What is wrong with a request is told by the text alone."""

NO_ORDER = "orderNotExist"
NOT_OPEN = "100004"
"""The order of a cancel is not open."""

STAMP_NS = 5 * NS_PER_S
RECENT_ROWS = 1_000
"""The most of what is recent that is told at once."""

RECENT_MS = 23 * 3_600_000
"""What is told as recent happened within a day; an hour of it is left for clocks."""

SPAN_MS = 7 * 86_400_000
"""Fills and ended orders are told of so long a span of time at once."""

PAGE_ROWS = 1_000
LISTED = "listed"
"""The page that the list of all begins with, where what is recent is not enough."""

OLD, LAST_SPAN = "old", "last"
"""Notes of a call: that what is recent is not all that is asked for, and that no span of time follows."""

ONE_WAY = "0"
HEDGED = "contracts are traded in an account of one position in each (one-way mode), and positionMode of this one is"
_ID = re.compile(r"[0-9A-Za-z_-]{1,40}")
_SIDES = {"1": "buy", "2": "sell"}
_TIMES_IN_FORCE = {"1": "GTC", "3": "IOC"}
_POOLS = {"new": ("orders", 400), "cancel": ("cancels", 400)}
"""A user has requests of a weight of 2,000 in 30 s at the lowest level. New orders, which weigh 2, cancels of 1 and
questions of 5 at most have a part of that each, so that neither waits for the others."""

_LISTS = {
    "ask_fills": ("recentFills", "fills", {}), "ask_ended": ("recentDoneOrders", "orders", {"status": "done"}),
}  # fmt: skip
"""What tells what is recent, what tells all, and what is asked of the latter beside a span of time."""

_decode = msgspec.json.Decoder(dict[str, Any]).decode


class KucoinFuturesBackend(TopicSockets):
    """A `Backend`."""

    orders_topic = "/contractMarket/tradeOrders"
    books_topic = "/contractMarket/level2:"
    trades_topic = "/contractMarket/execution:"
    processing_ns = 2 * NS_PER_S
    ping_ns = 15 * NS_PER_S
    id_form = "1 to 40 letters, digits, - and _"

    def __init__(self, sign: Signer) -> None:
        """`sign` signs what goes over REST."""
        self._sign = sign

    def limit(self, what: str, symbol: str) -> Limit:
        """See `Backend`."""
        name, requests = _POOLS.get(what, ("questions", 160))
        return Limit(name, requests, 30 * NS_PER_S)

    def takes_id(self, text: str) -> bool:
        """clientOid."""
        return _ID.fullmatch(text) is not None

    def why_not(self, terms: BridgedTerms) -> str:
        """See `Backend`."""
        if terms.order_qty % 1:
            return "contracts are whole: OrderQty(38) has no decimals there"
        return "" if terms.time_in_force in _TIMES_IN_FORCE else "the venue has no order of that TimeInForce(59)"

    # ---- what is sent

    def new(self, terms: BridgedTerms, wall_ns: int, last_venue_ns: int) -> HttpCall:
        """See `Backend`. What it does with leverage is left to the account: none is named."""
        asked: dict[str, object] = {
            "clientOid": terms.venue_id, "symbol": terms.symbol, "side": _SIDES[terms.side],
            "type": "market" if terms.price is None else "limit", "size": int(terms.order_qty), "marginMode": "CROSS",
        }  # fmt: skip
        if terms.price is not None:
            asked |= {"price": plain(terms.price), "timeInForce": _TIMES_IN_FORCE[terms.time_in_force]}
        asked |= {"postOnly": True} if terms.post_only else {}
        asked |= {"reduceOnly": True} if terms.reduce_only else {}
        return self._sign("POST", "orders", asked, min(wall_ns, last_venue_ns - STAMP_NS))

    def cancel(self, terms: BridgedTerms, wall_ns: int) -> HttpCall:
        """See `Backend`: by the venue's id where ours is not known."""
        if not terms.venue_id:
            return self._sign("DELETE", "orders/{orderId}", {"orderId": terms.order_id}, wall_ns)
        asked = {"clientOid": terms.venue_id, "symbol": terms.symbol}
        return self._sign("DELETE", "orders/client-order/{clientOid}", asked, wall_ns)

    def ask_account(self, wall_ns: int) -> HttpCall:
        """See `ModedBackend`. That margin is across the account is named in each order, and one is refused where its
        contract's margin is not."""
        return self._sign("GET", "position/getPositionMode", {}, wall_ns)

    def ask_contracts(self) -> HttpCall:
        """See `ContractBackend`."""
        return HttpCall("GET", "/api/v1/contracts/active")

    def ask_order(self, terms: BridgedTerms, order_id: str, wall_ns: int) -> HttpCall:
        """See `Backend`."""
        return self._sign("GET", "orders/byClientOid", {"clientOid": terms.venue_id}, wall_ns)

    def ask_open(self, page: str, wall_ns: int) -> HttpCall:
        """See `Backend`: of all symbols; a page is its number."""
        asked = {"status": "active", "currentPage": page or "1", "pageSize": str(PAGE_ROWS)}
        return self._sign("GET", "orders", asked, wall_ns)

    def ask_ended(self, terms: BridgedTerms, since_ns: int, page: str, wall_ns: int) -> HttpCall:
        """See `Backend`: `ask_order` finds what has ended, but no fill has our id, so that these are the second witness
        of an order that is not there."""
        return self._ask_list("ask_ended", {"symbol": terms.symbol}, since_ns, page, wall_ns)

    def ask_fills(self, since_ns: int, page: str, wall_ns: int) -> HttpCall:
        """See `Backend`: of all symbols."""
        return self._ask_list("ask_fills", {}, since_ns, page, wall_ns)

    def _ask_list(self, what: str, of: Mapping[str, str], since_ns: int, page: str, wall_ns: int) -> HttpCall:
        """What is recent first. Where that may not be all since then: one span of time after another, the last of which
        has no end to speak of; a page is the query of the next request."""
        recent, listed, more = _LISTS[what]
        since_ms, now_ms = since_ns // NS_PER_MS, wall_ns // NS_PER_MS
        if not page:
            note = str(since_ms) if since_ms > now_ms - RECENT_MS else OLD
            return self._sign("GET", recent, of, wall_ns)._replace(note=note)
        asked = {} if page == LISTED else dict(parse_qsl(page))
        begin_ms = int(asked.get("startAt", since_ms))
        end_ms = int(asked.get("endAt", begin_ms + SPAN_MS))
        span = {"startAt": str(begin_ms), "endAt": str(end_ms), "currentPage": asked.get("currentPage", "1")}
        call = self._sign("GET", listed, {**of, **more, **span, "pageSize": str(PAGE_ROWS)}, wall_ns)
        return call._replace(note=LAST_SPAN if end_ms >= now_ms else "")

    def ask_fills_of(self, terms: BridgedTerms, order_id: str, page: str, wall_ns: int) -> HttpCall:
        """See `Backend`: what is recent of the symbol, and where that has none of the order, all of it."""
        if not page:
            return self._sign("GET", "recentFills", {"symbol": terms.symbol}, wall_ns)._replace(note=order_id)
        asked = {"orderId": order_id, "currentPage": "1" if page == LISTED else page, "pageSize": str(PAGE_ROWS)}
        return self._sign("GET", "fills", asked, wall_ns)

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
            if what == "ask_order" and (_is_unknown(code, text) or (code == OK and data is None)):
                return Reply(Verdict.ABSENT, code, text or "null")
            if status != 200 or code != OK:
                return Reply(Verdict.UNKNOWN, code, text)
            return _told(what, data, call)
        except (msgspec.DecodeError, *OF_ANOTHER_FORM) as error:
            return Reply(Verdict.UNKNOWN, str(status), f"{type(error).__name__}: {error}"[:200])

    # ---- the private WebSocket

    def read_push(self, text: str) -> tuple[Push, tuple[Fact, ...]]:
        """See `Backend`. The topic of a push may have its symbol behind it."""
        kinds = {"welcome": Push.LOGGED_IN, "ack": Push.SUBSCRIBED, "error": Push.REFUSED}
        try:
            told = _decode(text)
            if str(told.get("topic") or "").partition(":")[0] == self.orders_topic:
                return Push.OTHER, (_pushed(told["data"]),)
            return kinds.get(str(told.get("type")), Push.OTHER), ()
        except (msgspec.DecodeError, *OF_ANOTHER_FORM) as error:
            raise BadAnswer(f"a push cannot be read: {error}") from error

    # ---- the public WebSocket

    def ask_book(self, symbol: str, wall_ns: int) -> HttpCall:
        """See `BookBackend`: all of it."""
        return HttpCall("GET", f"/api/v1/level2/snapshot?{urlencode({'symbol': symbol})}")

    def read_prices(self, text: str) -> tuple[Push, tuple[BookFact | TradeFact, ...]]:
        """See `BookBackend`. A push of the book is one price, and its number."""
        kinds = {"welcome": Push.LOGGED_IN, "error": Push.REFUSED}
        try:
            told = _decode(text)
            topic = str(told.get("topic") or "")
            if topic.startswith(self.trades_topic):
                return Push.OTHER, (_trade(told["data"]),)
            if not topic.startswith(self.books_topic):
                return kinds.get(str(told.get("type")), Push.OTHER), ()
            row, symbol = told["data"], topic.removeprefix(self.books_topic)
            price, side, qty = str(row["change"]).split(",")
            bids, offers = {"buy": (((price, qty),), ()), "sell": ((), ((price, qty),))}[side]
            number = int(row["sequence"])
            return Push.OTHER, (BookFact(symbol, False, bids, offers, number, number),)
        except (msgspec.DecodeError, *OF_ANOTHER_FORM) as error:
            raise BadAnswer(f"prices cannot be read: {error}") from error


def _trade(row: Row) -> TradeFact:
    """Its time is in nanoseconds."""
    return TradeFact(
        name_field(row, "symbol"), name_field(row, "tradeId"), decimal_field(row, "price"), decimal_field(row, "size"),
        side_of(row.get("side")), int(row["ts"]),
    )  # fmt: skip


def _told(what: str, data: Any, call: HttpCall) -> Reply:
    if what == "ask_time":
        return Reply(Verdict.DONE, venue_ns=ms_to_ns(data))
    if what == "ask_stream":
        return Reply(Verdict.DONE, stream=token_stream(data))
    if what == "ask_account":
        mode = str(data["positionMode"])
        return Reply(Verdict.DONE if mode == ONE_WAY else Verdict.REFUSED, text=f"{HEDGED} {mode}")
    if what == "ask_contracts":
        told = {str(row.get("symbol")): _contract(row) for row in data}
        return Reply(Verdict.DONE, contracts={symbol: each for symbol, each in told.items() if each is not None})
    if what == "ask_order":
        return Reply(Verdict.DONE, facts=(_order(data),))
    if what == "ask_book":
        number = int(data["sequence"])
        book = BookFact(
            name_field(data, "symbol"), True, book_rows(data["bids"]), book_rows(data["asks"]), number, number
        )
        return Reply(Verdict.DONE, book=book)
    is_fills = what in ("ask_fills", "ask_fills_of")
    read: Callable[[Row], Fact] = _fill if is_fills else _order
    if isinstance(data, list):
        rows, page = data, LISTED if _is_not_all(what, data, call) else ""
    else:
        rows, page = data["items"], _page_after(what, data, call)
    # The oldest first: what contracts realise follows from the order of their fills.
    # What the venue has made of no order is of none of ours.
    oldest_first = [row for row in rows[::-1] if not is_fills or row.get("orderId")]
    oldest_first.sort(key=lambda row: int(row["createdAt"]))
    return Reply(Verdict.DONE, facts=tuple(map(read, oldest_first)), next_page=page)


def _is_not_all(what: str, rows: Sequence[Row], call: HttpCall) -> bool:
    """Whether what is recent may not be all that was asked for."""
    if what == "ask_fills_of":
        return not any(str(row.get("orderId")) == call.note for row in rows)
    if call.note == OLD:
        return True
    return len(rows) >= RECENT_ROWS and min(int(row["createdAt"]) for row in rows) > int(call.note)


def _page_after(what: str, data: Any, call: HttpCall) -> str:
    """What follows a page of a list: another page, a later span of time, or nothing."""
    page, pages = int(data["currentPage"]), int(data["totalPage"])
    if what in ("ask_open", "ask_fills_of"):
        return str(page + 1) if page < pages else ""
    asked = dict(parse_qsl(urlsplit(call.target).query))
    if page < pages:
        return urlencode({"startAt": asked["startAt"], "endAt": asked["endAt"], "currentPage": str(page + 1)})
    return "" if call.note == LAST_SPAN else urlencode({"startAt": asked["endAt"]})


def _is_unknown(code: str, text: str) -> bool:
    """Whether the venue says that there is no such order."""
    return code == PARAMETER and NO_ORDER in text


def _acted(what: str, code: str, text: str, data: Any) -> Reply:
    """What was answered to an order or a cancel."""
    if code == OK:
        return Reply(Verdict.DONE, code, text, name_field(data, "orderId") if what == "new" else "")
    if what != "new" and (code == NOT_OPEN or _is_unknown(code, text)):
        return Reply(Verdict.ABSENT, code, text)
    if what == "new" and "clientoid" in text.lower():
        # That the id was used says that the venue has such an order, by whatever way it came.
        return Reply(Verdict.UNKNOWN, code, text)
    return Reply(Verdict.REFUSED, code, text)


def _contract(row: Row) -> Contract | None:
    """What one of it is. The multiplier of an inverse one is below 0, and one that expires has a date. None where that
    cannot be read: one of the venue's hundreds says nothing of the others."""
    try:
        kind = InstrumentKind.PERPETUAL if row.get("expireDate") is None else InstrumentKind.FUTURE
        multiplier = abs(decimal_field(row, "multiplier"))
        return Contract(kind, multiplier, row["isInverse"] is True, name_field(row, "settleCurrency"))
    except OF_ANOTHER_FORM:
        return None


def _order(row: Row) -> OrderFact:
    """An order as REST tells it. "done" does not say how it ended: it is full, or it was cancelled."""
    qty, filled = decimal_field(row, "size"), decimal_field(row, "dealSize")
    ended = "2" if filled >= qty else "4"
    status = ("1" if filled else "0") if row["isActive"] is True else ended
    price = decimal_field(row, "price") if row["type"] == "limit" else None
    return OrderFact(
        str(row.get("clientOid") or ""), name_field(row, "id"), name_field(row, "symbol"), status, qty, price, filled,
        ms_to_ns(row.get("updatedAt") or row["createdAt"]), side_of(row.get("side")),
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
    """The order as it stands. What a match has cost is asked for: it is not told here. Neither orderType nor clientOid
    is in every push: one without a price is of a market order, and the venue's id names it, too."""
    kind, filled = str(row["type"]), decimal_field(row, "filledSize")
    status = _STATUSES[kind]
    status = "0" if status == "1" and not filled else status
    price = decimal_field(row, "price") if row.get("price") else Decimal(0)
    return OrderFact(
        str(row.get("clientOid") or ""), name_field(row, "orderId"), name_field(row, "symbol"), status,
        decimal_field(row, "size"), price or None, filled, int(row["ts"]), side_of(row.get("side")),
    )  # fmt: skip

"""How KuCoin Futures is spoken to by a bridge: what is of futures alone.

Source: KuCoin documentation as stored 2025-11-29, futures trading. Quantities are contracts, in whole numbers. All are
held across the account, each as one position: an account of two positions in each contract is not traded with.

An order has no field for a last moment. But a request is refused whose signature is `STAMP_NS` old, so that one is
signed as of so long before its last moment, or as of now, whichever is earlier.

Two endpoints tell of fills, and likewise two of orders that have ended: one what is recent, at once, and the other all
of a span of time, but late. Neither names our id of a fill's order.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from common.contracts import Contract, InstrumentKind
from common.instant import NS_PER_MS, NS_PER_S
from common.venues.backend import BookFact, BridgedTerms, Fact, HttpCall, Reply, Signer, Verdict, book_rows
from common.venues.families.kucoin.backend import SPAN_MS, KucoinBackend, Row, fill_fact
from common.venues.rest import OF_ANOTHER_FORM, decimal_field, name_field

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

PAGE_ROWS = 1_000
LISTED = "listed"
"""The page that the list of all begins with, where what is recent is not enough."""

OLD, LAST_SPAN = "old", "last"
"""Notes of a call: that what is recent is not all that is asked for, and that no span of time follows."""

ONE_WAY = "0"
HEDGED = "contracts are traded in an account of one position in each (one-way mode), and positionMode of this one is"
POOLS = {"new": ("orders", 400), "cancel": ("cancels", 400)}
"""Of a weight of 2,000 at the lowest level; new orders weigh 2, cancels 1 and questions 5 at most."""

_LISTS = {
    "ask_fills": ("recentFills", "fills", {}), "ask_ended": ("recentDoneOrders", "orders", {"status": "done"}),
}  # fmt: skip
"""What tells what is recent, what tells all, and what is asked of the latter beside a span of time."""


class KucoinFuturesBackend(KucoinBackend):
    """A `Backend`."""

    orders_topic = "/contractMarket/tradeOrders"
    books_topic = "/contractMarket/level2:"
    trades_topic = "/contractMarket/execution:"
    pools = POOLS
    questions = 160
    is_open = "isActive"
    updated = "updatedAt"
    trade_stamp = "ts"

    def __init__(self, sign: Signer) -> None:
        """`sign` signs what goes over REST."""
        self._sign = sign

    def why_not(self, terms: BridgedTerms) -> str:
        """See `Backend`."""
        if terms.order_qty % 1:
            return "contracts are whole: OrderQty(38) has no decimals there"
        return "" if terms.time_in_force in ("1", "3") else "the venue has no order of that TimeInForce(59)"

    # ---- what is sent

    def new(self, terms: BridgedTerms, wall_ns: int, last_venue_ns: int) -> HttpCall:
        """See `Backend`. What it does with leverage is left to the account: none is named."""
        asked = {**self.order_of(terms, int(terms.order_qty)), "marginMode": "CROSS"}
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

    def ask_book(self, symbol: str, wall_ns: int) -> HttpCall:
        """See `BookBackend`: all of it."""
        return HttpCall("GET", f"/api/v1/level2/snapshot?{urlencode({'symbol': symbol})}")

    # ---- what is answered

    def is_absent(self, what: str, code: str, text: str) -> bool:
        """See `KucoinBackend`."""
        return (what == "cancel" and code == NOT_OPEN) or (code == PARAMETER and NO_ORDER in text)

    def told_there(self, what: str, data: Any, call: HttpCall) -> Reply:
        """See `KucoinBackend`."""
        if what == "ask_account":
            mode = str(data["positionMode"])
            return Reply(Verdict.DONE if mode == ONE_WAY else Verdict.REFUSED, text=f"{HEDGED} {mode}")
        if what == "ask_contracts":
            told = {str(row.get("symbol")): _contract(row) for row in data}
            return Reply(Verdict.DONE, contracts={symbol: each for symbol, each in told.items() if each is not None})
        if what == "ask_book":
            number = int(data["sequence"])
            book = BookFact(
                name_field(data, "symbol"), True, book_rows(data["bids"]), book_rows(data["asks"]), number, number
            )
            return Reply(Verdict.DONE, book=book)
        is_fills = what in ("ask_fills", "ask_fills_of")
        read: Callable[[Row], Fact] = fill_fact if is_fills else self.order_fact
        if isinstance(data, list):
            rows, page = data, LISTED if _is_not_all(what, data, call) else ""
        else:
            rows, page = data["items"], _page_after(what, data, call)
        # The oldest first: what contracts realise follows from the order of their fills.
        # What the venue has made of no order is of none of ours.
        oldest_first = [row for row in rows[::-1] if not is_fills or row.get("orderId")]
        oldest_first.sort(key=lambda row: int(row["createdAt"]))
        return Reply(Verdict.DONE, facts=tuple(map(read, oldest_first)), next_page=page)

    def book_change(self, symbol: str, row: Row) -> BookFact:
        """See `KucoinBackend`: a push is one price, and its number."""
        price, side, qty = str(row["change"]).split(",")
        bids, offers = {"buy": (((price, qty),), ()), "sell": ((), ((price, qty),))}[side]
        number = int(row["sequence"])
        return BookFact(symbol, False, bids, offers, number, number)


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


def _contract(row: Row) -> Contract | None:
    """What one of it is. The multiplier of an inverse one is below 0, and one that expires has a date. None where that
    cannot be read: one of the venue's hundreds says nothing of the others."""
    try:
        kind = InstrumentKind.PERPETUAL if row.get("expireDate") is None else InstrumentKind.FUTURE
        multiplier = abs(decimal_field(row, "multiplier"))
        return Contract(kind, multiplier, row["isInverse"] is True, name_field(row, "settleCurrency"))
    except OF_ANOTHER_FORM:
        return None

"""How Bitget is spoken to by a bridge: REST for what is asked and wanted, the private WebSocket for what happens.

Source: Bitget API documentation, classic account, v2 spot, as stored 2025-11-30. CCXT signs, and does nothing else. A
new order is good until requestTime and receiveWindow together. Our id finds an order for two hours alone, and a fill
over REST has none of ours.
"""

import base64
import hashlib
import hmac
import re
import zlib
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec

from common.exchange.order import BUY
from common.instant import NS_PER_MS, NS_PER_S
from common.venues.backend import (
    NO_CALL,
    BookFact,
    BookRows,
    BridgedTerms,
    ChannelBooks,
    Fact,
    FillFact,
    HttpCall,
    Limit,
    OrderFact,
    Push,
    Reply,
    Signer,
    TradeFact,
    Verdict,
    book_rows,
    counted_window,
    side_of,
)
from common.venues.credentials import HmacPassphrase
from common.venues.dialect import plain
from common.venues.rest import OF_ANOTHER_FORM, BadAnswer, decimal_field, ms_to_ns, name_field

Row = Mapping[str, Any]

OK = "00000"
UNDECIDED = frozenset({"45001", "40725", "50008", "40604", "500"})
"""What says that nobody knows. A status of 500 or more says so too, whatever the code."""

USED = frozenset({"43118", "45034", "50060"})
"""Our id was used before: the venue has such an order, by whatever way it came."""

NO_SUCH_ORDER = frozenset({"43001", "40109", "40768"})
STATES = {"live": "0", "partially_filled": "1", "filled": "2", "cancelled": "4"}
PAGE_ROWS = 100
SUM_DEPTH = 25
_ID = re.compile(r"[0-9A-Za-z_-]{1,32}")
_SIDES = {"1": "buy", "2": "sell"}
_FORCES = {"1": "gtc", "3": "ioc", "4": "fok"}
_LIMITS = {"new": 10, "cancel": 10, "ask_fills": 10, "ask_fills_of": 10}
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class BitgetBackend(ChannelBooks):
    """A `Backend`."""

    books_channel = "books"
    trades_channel = "trade"
    argument = {"instType": "SPOT"}
    processing_ns = 2 * NS_PER_S
    ping_ns = 25 * NS_PER_S
    websocket_path = "/private"
    books_path = "/public"
    greets = False
    id_form = "1 to 32 letters, digits, - and _"

    def __init__(self, symbols: tuple[str, ...], credentials: HmacPassphrase, sign: Signer) -> None:
        """`symbols` are those whose orders are listened to and whose fills are asked for; `sign` signs what goes over
        REST."""
        self._symbols = symbols
        self._credentials = credentials
        self._sign = sign

    def limit(self, what: str, symbol: str) -> Limit:
        """See `Backend`: of each kind of a user, whatever the symbol."""
        return Limit("ask_fills" if what == "ask_fills_of" else what, _LIMITS.get(what, 20), NS_PER_S)

    def takes_id(self, text: str) -> bool:
        """clientOid: how long it may be is told differently, this is the least."""
        return _ID.fullmatch(text) is not None

    def why_not(self, terms: BridgedTerms) -> str:
        """See `Backend`."""
        if terms.price is None and terms.side == BUY:
            return "a market order to buy is for an amount of the quote asset there"
        return ""

    # ---- what is sent

    def new(self, terms: BridgedTerms, wall_ns: int, last_venue_ns: int) -> HttpCall:
        """See `Backend`."""
        stamp_ms, window_ms = counted_window(wall_ns, last_venue_ns)
        asked = {
            "symbol": terms.symbol, "side": _SIDES[terms.side], "size": plain(terms.order_qty),
            "orderType": "market" if terms.price is None else "limit", "clientOid": terms.venue_id,
            "force": "post_only" if terms.post_only else _FORCES[terms.time_in_force],
            "requestTime": str(stamp_ms), "receiveWindow": str(window_ms),
        }  # fmt: skip
        asked |= {} if terms.price is None else {"price": plain(terms.price)}
        return self._sign("POST", "v2/spot/trade/place-order", asked, wall_ns)

    def cancel(self, terms: BridgedTerms, wall_ns: int) -> HttpCall:
        """See `Backend`: by the venue's id where ours is not known."""
        name = {"clientOid": terms.venue_id} if terms.venue_id else {"orderId": terms.order_id}
        return self._sign("POST", "v2/spot/trade/cancel-order", {"symbol": terms.symbol, **name}, wall_ns)

    def ask_order(self, terms: BridgedTerms, order_id: str, wall_ns: int) -> HttpCall:
        """See `Backend`: by the venue's id as soon as it is known, which finds it for longer."""
        name = {"orderId": order_id} if order_id else {"clientOid": terms.venue_id}
        return self._sign("GET", "v2/spot/trade/orderInfo", name, wall_ns)

    def ask_open(self, page: str, wall_ns: int) -> HttpCall:
        """See `Backend`: the newest first, older than an order's id."""
        asked = {"limit": str(PAGE_ROWS)} | ({"idLessThan": page} if page else {})
        return self._sign("GET", "v2/spot/trade/unfilled-orders", asked, wall_ns)

    def ask_ended(self, terms: BridgedTerms, since_ns: int, page: str, wall_ns: int) -> HttpCall | None:
        """See `Backend`: our id finds no order that is older than two hours, and no fill. So the symbol's open orders
        are read, and then those that have ended; a page is a path and a query."""
        path, _, query = page.partition("?")
        asked = {"symbol": terms.symbol, "startTime": str(since_ns // NS_PER_MS), "limit": str(PAGE_ROWS)}
        return self._sign("GET", path or "v2/spot/trade/unfilled-orders", {**asked, **dict(parse_qsl(query))}, wall_ns)

    def ask_fills(self, since_ns: int, page: str, wall_ns: int) -> HttpCall:
        """See `Backend`: symbol by symbol, of the last 90 days, the newest first; a page is a query."""
        asked = {"symbol": self._symbols[0], "startTime": str(since_ns // NS_PER_MS), "limit": str(PAGE_ROWS)}
        return self._sign("GET", "v2/spot/trade/fills", {**asked, **dict(parse_qsl(page))}, wall_ns)

    def ask_fills_of(self, terms: BridgedTerms, order_id: str, page: str, wall_ns: int) -> HttpCall:
        """See `Backend`."""
        asked = {"symbol": terms.symbol, "orderId": order_id, "limit": str(PAGE_ROWS)}
        return self._sign("GET", "v2/spot/trade/fills", {**asked, **dict(parse_qsl(page))}, wall_ns)

    def ask_time(self) -> HttpCall:
        """See `Backend`."""
        return HttpCall("GET", "/api/v2/public/time")

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
            if what == "ask_order" and (code in NO_SUCH_ORDER or (code == OK and data == [])):
                return Reply(Verdict.ABSENT, code, text)
            if status != 200 or code != OK:
                return Reply(Verdict.UNKNOWN, code, text)
            return self._told(what, data, urlsplit(call.target))
        except (msgspec.DecodeError, *OF_ANOTHER_FORM) as error:
            return Reply(Verdict.UNKNOWN, str(status), f"{type(error).__name__}: {error}"[:200])

    def _told(self, what: str, data: Any, asked: Any) -> Reply:
        if what == "ask_time":
            return Reply(Verdict.DONE, venue_ns=ms_to_ns(data["serverTime"]))
        tells_fills = what in ("ask_fills", "ask_fills_of")
        read: Callable[[Row], Fact] = _fill if tells_fills else _order
        last_id = name_field(data[-1], "tradeId" if tells_fills else "orderId") if len(data) >= PAGE_ROWS else ""
        return Reply(Verdict.DONE, facts=tuple(map(read, data)), next_page=self._page_after(what, asked, last_id))

    def _page_after(self, what: str, asked: Any, last_id: str) -> str:
        """What follows a page: older rows, the orders that have ended, another symbol's fills, or nothing."""
        query = dict(parse_qsl(asked.query))
        if what == "ask_open":
            return last_id
        older = urlencode({"symbol": query.get("symbol", ""), "idLessThan": last_id}) if last_id else ""
        if what == "ask_ended":
            path = asked.path.removeprefix("/api/")
            is_first = path.endswith("unfilled-orders")
            return f"{path}?{older}" if older else "v2/spot/trade/history-orders" if is_first else ""
        if older or what == "ask_fills_of":
            return older
        rest = self._symbols[self._symbols.index(query["symbol"]) + 1 :] if what == "ask_fills" else ()
        return urlencode({"symbol": rest[0]}) if rest else ""

    # ---- the private WebSocket

    def login(self, wall_ns: int) -> str:
        """See `Backend`: signed over the time in seconds and a fixed path."""
        stamp = str(wall_ns // NS_PER_S)
        signed = hmac.digest(self._credentials.secret, f"{stamp}GET/user/verify".encode(), hashlib.sha256)
        argument = {
            "apiKey": self._credentials.api_key, "passphrase": self._credentials.passphrase, "timestamp": stamp,
            "sign": base64.b64encode(signed).decode(),
        }  # fmt: skip
        return _encode({"op": "login", "args": [argument]}).decode()

    def subscribe(self, wall_ns: int) -> str:
        """See `Backend`: symbol by symbol."""
        topics = [{"instType": "SPOT", "channel": "orders", "instId": symbol} for symbol in self._symbols]
        return _encode({"op": "subscribe", "args": topics}).decode()

    def ping(self, wall_ns: int) -> str:
        """See `Backend`."""
        return "ping"

    def read_push(self, text: str) -> tuple[Push, tuple[Fact, ...]]:
        """See `Backend`. All orders are told once the last symbol is subscribed to: the answers come in order."""
        if text == "pong":
            return Push.OTHER, ()
        try:
            told = _decode(text)
            event = told.get("event")
            if event == "subscribe":
                is_last = told["arg"]["instId"] == self._symbols[-1]
                return (Push.SUBSCRIBED if is_last else Push.OTHER), ()
            if event is not None:
                return {"login": Push.LOGGED_IN, "error": Push.REFUSED}.get(str(event), Push.OTHER), ()
            return Push.OTHER, tuple(fact for row in told.get("data", ()) for fact in _pushed(row))
        except (msgspec.DecodeError, *OF_ANOTHER_FORM) as error:
            raise BadAnswer(f"a push cannot be read: {error}") from error

    # ---- the public WebSocket

    def read_prices(self, text: str) -> tuple[Push, tuple[BookFact | TradeFact, ...]]:
        """See `BookBackend`. A subscription to trades begins with some that are old: a snapshot, which is left out."""
        if text == "pong":
            return Push.OTHER, ()
        try:
            told = _decode(text)
            if told.get("event") == "error":
                return Push.REFUSED, ()
            arg, whole, rows = told["arg"], told.get("action") == "snapshot", told.get("data", ())
            symbol = name_field(arg, "instId")
            if arg["channel"] == self.trades_channel:
                # The newest are told first.
                return Push.OTHER, () if whole else tuple(_trade(symbol, row) for row in reversed(rows))
            return Push.OTHER, tuple(
                BookFact(
                    symbol, whole, book_rows(row["bids"]), book_rows(row["asks"]), check=str(row["checksum"])
                )
                for row in rows
            )  # fmt: skip
        except (msgspec.DecodeError, *OF_ANOTHER_FORM) as error:
            raise BadAnswer(f"prices cannot be read: {error}") from error

    def book_sum(self, bids: BookRows, offers: BookRows) -> str:
        """CRC32 with a sign over the best 25 levels as they are written, bid and offer in turn."""
        sides = [[f"{px}:{qty}" for px, qty in rows[:SUM_DEPTH]] for rows in (bids, offers)]
        parts = [part for n in range(SUM_DEPTH) for rows in sides for part in rows[n : n + 1]]
        unsigned = zlib.crc32(":".join(parts).encode())
        return str(unsigned - (1 << 32) if unsigned >> 31 else unsigned)


def _trade(symbol: str, row: Row) -> TradeFact:
    return TradeFact(
        symbol, name_field(row, "tradeId"), decimal_field(row, "price"), decimal_field(row, "size"),
        side_of(row.get("side")), ms_to_ns(row["ts"]),
    )  # fmt: skip


def _acted(what: str, code: str, text: str, data: Any) -> Reply:
    """What was answered to an order or a cancel."""
    if code == OK:
        return Reply(Verdict.DONE, code, text, name_field(data, "orderId"))
    if code in USED:
        return Reply(Verdict.UNKNOWN, code, text)
    if what == "cancel" and code in NO_SUCH_ORDER:
        return Reply(Verdict.ABSENT, code, text)
    return Reply(Verdict.REFUSED, code, text)


def _state(row: Row) -> str:
    if str(row["status"]) not in STATES:
        raise BadAnswer(f"status is {row['status']!r}")
    return STATES[str(row["status"])]


def _order(row: Row) -> OrderFact:
    """An order as REST tells it."""
    return OrderFact(
        str(row.get("clientOid") or ""), name_field(row, "orderId"), name_field(row, "symbol"), _state(row),
        decimal_field(row, "size"), decimal_field(row, "price") if row.get("orderType") == "limit" else None,
        decimal_field(row, "baseVolume"), ms_to_ns(row.get("uTime") or row["cTime"]), side_of(row.get("side")),
    )  # fmt: skip


def _fill(row: Row) -> FillFact:
    """A fill as REST tells it. It has no id of ours, and a fee that is charged is below 0."""
    fee = row["feeDetail"]
    return FillFact(
        "", name_field(row, "orderId"), name_field(row, "symbol"), name_field(row, "tradeId"),
        decimal_field(row, "priceAvg"), decimal_field(row, "size"), -decimal_field(fee, "totalFee"),
        str(fee.get("feeCoin") or ""), row.get("tradeScope") == "maker", ms_to_ns(row["cTime"]),
    )  # fmt: skip


def _pushed(row: Row) -> list[Fact]:
    """A push is the order as it stands, and the trade that is its cause, which is told first. size is money there."""
    name, order_id, symbol = str(row.get("clientOid") or ""), name_field(row, "orderId"), name_field(row, "instId")
    facts: list[Fact] = []
    if row.get("tradeId"):
        facts.append(
            FillFact(
                name, order_id, symbol, name_field(row, "tradeId"), decimal_field(row, "fillPrice"),
                decimal_field(row, "baseVolume"), -decimal_field(row, "fillFee"), str(row.get("fillFeeCoin") or ""),
                str(row.get("tradeScope")).upper().startswith("M"), ms_to_ns(row["fillTime"]),
            )
        )  # fmt: skip
    price = decimal_field(row, "price") if row.get("orderType") == "limit" else None
    qty, filled = decimal_field(row, "newSize"), decimal_field(row, "accBaseVolume")
    told_ns, side = ms_to_ns(row["uTime"]), side_of(row.get("side"))
    return [*facts, OrderFact(name, order_id, symbol, _state(row), qty, price, filled, told_ns, side)]

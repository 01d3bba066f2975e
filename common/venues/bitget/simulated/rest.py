"""Bitget's REST side, as much as trading in a classic account needs: spot, and beside it the `futures`.

Source: Bitget API documentation, classic account, v2 spot, as stored 2025-11-30; error codes, limits likewise. A
refusal is HTTP 400 with a code other than "00000"; but a replacement that failed is none, and says so in its row.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from urllib.parse import unquote

from common.exchange.engine import Cause, Refusal
from common.exchange.faults import Kind
from common.exchange.history import ClosedOrder
from common.exchange.limits import Window
from common.exchange.numbers import digits
from common.exchange.order import BUY, GOOD_TILL_CANCEL, LIMIT, MARKET, SELL, Order, Terms
from common.exchange.rest import Json, Parameters, RestError, RestRequest, Route, Trouble
from common.exchange.settings import asset_of
from common.exchange.venue import Venue
from common.instant import NS_PER_MS, NS_PER_S, Instant
from common.venues.bitget.simulated.answers import (
    FORCES,
    SELF_TRADE,
    Handler,
    check_name,
    decimal_of,
    force_of,
    names_of,
    refused,
)
from common.venues.bitget.simulated.futures import BitgetFuturesApi
from common.venues.bitget.simulated.rows import (
    GONE,
    PARAMETER,
    Row,
    balance_row,
    code_of,
    fill_row,
    is_futures,
    ms,
    order_row,
    symbol_row,
)

VALID_NS = 30 * NS_PER_S
"""A request whose ACCESS-TIMESTAMP is further off than that is refused."""

NAMED_FOR_NS = 7_200 * NS_PER_S
"""An order is found by our id for so long; afterwards by the venue's alone."""

LIMIT_S, LIMITS = 1, {"place-order": 10, "cancel-order": 10, "cancel-replace-order": 5, "cancel-symbol-order": 5,
                      "fills": 10, "all-position": 5}  # fmt: skip
MOST_ASKED, MOST_ASKED_OF_FUTURES = 20, 10
"""Requests of a user in a second, of each kind."""

ENTRY = "fix"
"""The scope of faults that are about orders, whichever way these are entered."""

PAGE = 100
LOOKED_THROUGH = 5_000
_TROUBLES = {
    Trouble.GARBLED: (400, "40020", "Bad Request"),
    Trouble.NO_ROUTE: (404, "40404", "Request URL NOT FOUND"),
    Trouble.WRONG_METHOD: (405, "40405", "Method Not Allowed"),
    Trouble.FAILED: (503, "40725", "service return an error"),
    Trouble.LOST: (400, "45001", "Unknown error"),
    Trouble.UNKNOWN: (400, "45001", "Unknown error"),
}


class BitgetRestApi:
    """A `RestApi`."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._keys = {key.api_key: key for key in venue.settings.keys_for("rest")}
        self._windows: dict[tuple[str, str], Window] = {}
        futures = BitgetFuturesApi(venue)
        public: dict[str, Handler] = {
            "public/time": self._time, "spot/public/symbols": self._symbols, "spot/market/orderbook": self._book,
            "spot/market/tickers": self._tickers, "margin/currencies": self._no_margin,
        }  # fmt: skip
        asking: dict[str, Handler] = {
            "spot/trade/orderInfo": self._order, "spot/trade/unfilled-orders": self._open,
            "spot/trade/history-orders": self._ended, "spot/trade/fills": self._fills,
            "spot/account/assets": self._balances,
        }  # fmt: skip
        acting: dict[str, Handler] = {
            "spot/trade/place-order": self._new, "spot/trade/cancel-order": self._cancel,
            "spot/trade/cancel-replace-order": self._replace, "spot/trade/cancel-symbol-order": self._cancel_symbol,
        }  # fmt: skip
        public, asking, acting = public | futures.public, asking | futures.asking, acting | futures.acting
        routes = {("GET", f"/api/v2/{path}"): Route(1, False, _answering(do)) for path, do in public.items()}
        for method, signed in (("GET", asking), ("POST", acting)):
            routes |= {
                (method, f"/api/v2/{path}"): Route(1, True, _answering(self._within(path, do)))
                for path, do in signed.items()
            }
        self.routes: Mapping[tuple[str, str], Route] = routes

    # ---- what is said of a request

    def trouble(self, trouble: Trouble, text: str = "") -> RestError:
        """As Bitget says it."""
        status, code, words = _TROUBLES[trouble]
        return refused(code, text or words, status)

    def count(self, route: Route, now: Instant) -> None:
        """Nothing is counted before it is known of whom it is."""

    def headers(self, now: Instant) -> list[tuple[str, str]]:
        """None of its own."""
        return []

    def authenticate(self, request: RestRequest, now: Instant) -> str:
        """Key, passphrase, time and signature over time, method, path with query as it reads undone, and body."""
        headers = request.headers
        key, stamp = self._keys.get(headers.get("access-key", "")), headers.get("access-timestamp", "")
        if key is None:
            raise refused("40006", "Invalid ACCESS_KEY")
        if not stamp.isdecimal() or abs(int(stamp[:16]) * NS_PER_MS - now.wall_ns) > VALID_NS:
            raise refused("40008", "Request timestamp expired")
        if headers.get("access-passphrase", "") != key.passphrase:
            raise refused("40012", "apikey/password is incorrect")
        signed = f"{stamp}{request.method}{unquote(request.target)}{request.body}".encode()
        ours = base64.b64encode(hmac.digest(key.secret, signed, hashlib.sha256)).decode()
        if not hmac.compare_digest(ours, headers.get("access-sign", "")):
            raise refused("40009", "sign signature error")
        return key.account

    def _within(self, path: str, do: Handler) -> Handler:
        """What is done while the user's limit has room for it."""
        most = LIMITS.get(path.rpartition("/")[2], MOST_ASKED_OF_FUTURES if path.startswith("mix/") else MOST_ASKED)

        def counted(account: str, p: Parameters, now: Instant) -> object:
            window = self._windows.setdefault((account, path), Window(LIMIT_S))
            if window.used(now.boot_ns) >= most or self._venue.faults.strikes(Kind.BARRED, "rest"):
                raise refused("429", "Too Many Requests", 429)
            window.count(now.boot_ns)
            return do(account, p, now)

        return counted

    # ---- public

    def _time(self, account: str, p: Parameters, now: Instant) -> object:
        return {"serverTime": ms(now.wall_ns)}

    def _symbols(self, account: str, p: Parameters, now: Instant) -> object:
        return [symbol_row(self._venue.state.instruments[symbol]) for symbol in self._wanted(p)]

    def _wanted(self, p: Parameters) -> list[str]:
        """The spot symbols that are asked for: one, or all."""
        every = [symbol for symbol in self._venue.state.books if not is_futures(symbol)]
        return [symbol for symbol in every if p.get("symbol") in (None, "", symbol)]

    def _book(self, account: str, p: Parameters, now: Instant) -> object:
        symbol, depth = p.get("symbol", ""), int(p.get("limit") or 150)
        book = self._venue.state.books.get(symbol)
        if book is None or is_futures(symbol):
            raise refused("40034", f"Parameter {p.get('symbol', '')} does not exist")
        sides = {
            name: [[digits(level.price), digits(level.qty)] for level in side.walk()][:depth]
            for name, side in (("asks", book.asks), ("bids", book.bids))
        }
        return {**sides, "ts": ms(now.wall_ns)}

    def _tickers(self, account: str, p: Parameters, now: Instant) -> object:
        rows = []
        for symbol in self._wanted(p):
            book = self._venue.state.books[symbol]
            last = book.last_px or self._venue.state.instruments[symbol].start_price
            row: Row = {"symbol": symbol, "lastPr": digits(last), "ts": ms(now.wall_ns)}
            for name, level in (("bid", book.bids.best()), ("ask", book.asks.best())):
                row[f"{name}Pr"] = "" if level is None else digits(level.price)
                row[f"{name}Sz"] = "" if level is None else digits(level.qty)
            rows.append(row)
        return rows

    def _no_margin(self, account: str, p: Parameters, now: Instant) -> object:
        return []

    # ---- questions

    def _order(self, account: str, p: Parameters, now: Instant) -> object:
        """A list of the order, or of none: that there is no such order is no error."""
        found = self._find(account, p)
        if found is None or self._venue.hides(found.stamp_ns, now):
            return []
        is_too_old = not p.get("orderId") and found.stamp_ns + NAMED_FOR_NS < now.wall_ns
        return [] if is_too_old else [self._row(account, found)]

    def _find(self, account: str, p: Parameters) -> Order | ClosedOrder | None:
        """An order of spot."""
        found = self._venue.find(account, p.get("symbol", ""), p.get("orderId", ""), p.get("clientOid", ""))
        return None if found is None or is_futures(found.terms.symbol) else found

    def _row(self, account: str, found: Order | ClosedOrder) -> Row:
        fills = self._venue.history.trades_of(account, found.order_id)
        return order_row(found, fills, self._venue.state.instruments[found.terms.symbol])

    def _open(self, account: str, p: Parameters, now: Instant) -> object:
        state = self._venue.state
        orders = [order for each in self._wanted(p) for order in state.open_orders(account, each)]
        return self._page(account, orders, p, now)

    def _ended(self, account: str, p: Parameters, now: Instant) -> object:
        history = self._venue.history
        return self._page(
            account, [o for each in self._wanted(p) for o in history.last_orders(account, each, LOOKED_THROUGH)], p, now
        )

    def _page(
        self, account: str, orders: list[Order] | list[ClosedOrder], p: Parameters, now: Instant
    ) -> list[Row]:
        """The newest first, older than the order `idLessThan`."""
        before, begin_ns = int(p.get("idLessThan") or 1 << 62), int(p.get("startTime") or 0) * NS_PER_MS
        told = [o for o in orders if o.order_id < before and o.stamp_ns >= begin_ns]
        newest = sorted((o for o in told if not self._venue.hides(o.stamp_ns, now)), key=lambda o: -o.order_id)
        return [self._row(account, order) for order in newest[:PAGE]]

    def _fills(self, account: str, p: Parameters, now: Instant) -> object:
        """The newest first, older than the trade `idLessThan`."""
        symbol, history = p.get("symbol", ""), self._venue.history
        if not symbol:
            raise refused("40019", "Parameter symbol cannot be empty")
        if p.get("orderId"):
            rows = history.trades_of(account, int(p["orderId"][:18]) if p["orderId"].isdecimal() else 0)
        else:
            rows = [] if is_futures(symbol) else history.last_trades(account, symbol, LOOKED_THROUGH)
        before, begin_ns = int(p.get("idLessThan") or 1 << 62), int(p.get("startTime") or 0) * NS_PER_MS
        newest = sorted(
            (row for row in rows if row.trade_id < before and row.stamp_ns >= begin_ns), key=lambda row: -row.trade_id
        )
        last = newest[:PAGE][-1:]
        # Both sides of a trade with oneself have its id: neither is left out between two pages.
        return [fill_row(row) for row in newest if row.trade_id >= last[0].trade_id]

    def _balances(self, account: str, p: Parameters, now: Instant) -> object:
        """Of the wallet of spot."""
        balances = self._venue.state.accounts.balances
        return [
            balance_row(name, b.free, b.locked)
            for (owner, name), b in balances.items()
            if owner == account and name == asset_of(name)
        ]

    # ---- acts

    def _new(self, account: str, p: Parameters, now: Instant) -> object:
        _check_window(p, now)
        return names_of(self._placed(self._terms(account, p), now))

    def _placed(self, terms: Terms, now: Instant) -> Order:
        rejected = self._venue.faults.strikes(Kind.REJECT, ENTRY)
        if rejected is not None:
            raise refused("43012", rejected.text or "Insufficient balance")
        refusal = self._venue.engine.check(terms, now.wall_ns)
        if refusal is Refusal.WOULD_TAKE:
            # An order that may not take is taken in, and cancelled at once.
            return self._venue.engine.place_to_cancel(terms, now, Cause.WOULD_TAKE)
        if refusal is not None:
            raise refused(code_of(refusal), refusal.value)
        return self._venue.engine.place(terms, now)

    def _terms(self, account: str, p: Parameters) -> Terms:
        name = p.get("clientOid") or f"v{self._venue.unique()}"
        check_name(name)
        if self._venue.find(account, "", "", name) is not None:
            raise refused("43118", "clientOid duplicate")
        word, symbol = force_of(p), p.get("symbol", "")
        if is_futures(symbol):
            raise refused("40034", f"Parameter {symbol} does not exist")
        code, is_market = BUY if p["side"] == "buy" else SELL, p["orderType"] == "market"
        qty, cash_qty = decimal_of(p, "size"), None
        if is_market and code == BUY:
            # The size of a market order to buy is what it spends.
            qty, cash_qty = self._venue.engine.base_for(symbol, code, qty), qty
        return Terms(
            account, account, name, symbol, code, MARKET if is_market else LIMIT, qty,
            None if is_market else decimal_of(p, "price"), GOOD_TILL_CANCEL if is_market else FORCES[word],
            word == "post_only" and not is_market, SELF_TRADE[p.get("stpMode") or "none"], cash_qty=cash_qty,
        )  # fmt: skip

    def _replace(self, account: str, p: Parameters, now: Instant) -> object:
        """Cancel the order, and place another one of a new id and of this size. What fails is told as a failure, under
        the code of what is well."""
        order = self._find_open(account, p)
        if order is None:
            return _failed(p, "The order does not exist")
        asked = {
            "symbol": order.symbol, "side": "buy" if order.side == BUY else "sell", "orderType": "limit",
            "size": p.get("size", ""), "price": p.get("price", ""), "clientOid": p.get("newClientOid", ""),
        }  # fmt: skip
        try:
            terms = self._terms(account, asked)
        except RestError as error:
            return _failed(p, str(error))
        self._venue.engine.cancel(order, now, Cause.REPLACED)
        try:
            placed = self._placed(terms, now)
        except RestError as error:
            return _failed(p, str(error))
        return {**names_of(placed), "success": "success", "msg": None}

    def _find_open(self, account: str, p: Parameters) -> Order | None:
        found = self._find(account, p)
        return found if isinstance(found, Order) and found.is_open else None

    def _cancel(self, account: str, p: Parameters, now: Instant) -> object:
        """The request is taken; the end is told by the WebSocket, or by the order when it is asked for."""
        order = self._find_open(account, p)
        if order is None:
            raise refused(GONE, "The order does not exist")
        if not self._venue.faults.strikes(Kind.SILENT, ENTRY):
            if self._venue.faults.strikes(Kind.LATE_FILL, ENTRY):
                self._venue.fill_late(order, now)
            if order.is_open:
                self._venue.engine.cancel(order, now)
        return names_of(order)

    def _cancel_symbol(self, account: str, p: Parameters, now: Instant) -> object:
        for symbol in self._wanted(p) if p.get("symbol") else ():
            self._venue.engine.cancel_all(account, symbol, now)
        return {"symbol": p.get("symbol", "")}


def _answering(do: Handler) -> Callable[[str, Parameters, Instant], Json]:
    """Its answer as every answer is written."""

    def answer(account: str, p: Parameters, now: Instant) -> Json:
        data = do(account, p, now)
        return {"code": "00000", "msg": "success", "requestTime": now.wall_ns // NS_PER_MS, "data": data}

    return answer


def _failed(p: Parameters, text: str) -> Row:
    return {"orderId": p.get("orderId", ""), "clientOid": p.get("clientOid", ""), "success": "failure", "msg": text}


def _check_window(p: Parameters, now: Instant) -> None:
    """requestTime and receiveWindow: an order that comes later than that is refused."""
    window, stamp = p.get("receiveWindow", ""), p.get("requestTime", "")
    if not window and not stamp:
        return
    if not window.isdecimal() or not stamp.isdecimal():
        raise refused(PARAMETER, "Parameter requestTime or receiveWindow error")
    if (int(stamp[:16]) + int(window[:16])) * NS_PER_MS < now.wall_ns:
        raise refused("40008", "Request timestamp expired")

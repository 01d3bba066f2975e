"""KuCoin Futures' REST side, as much as trading linear perpetuals needs.

The account is of one position in each contract, held across the account. Source: KuCoin documentation as stored
2025-11-29, authentication, futures trading, account information; the codes as in ccxt 4.5, which tells them apart.
Every answer is an object of code and data; "200000" is the code of what is well.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from urllib.parse import unquote

from common.exchange.engine import Cause, Refusal
from common.exchange.faults import Kind
from common.exchange.history import ClosedOrder, TradeRow
from common.exchange.limits import Window
from common.exchange.numbers import digits, read_number
from common.exchange.order import (
    BUY,
    EXPIRE_BOTH,
    EXPIRE_MAKER,
    EXPIRE_TAKER,
    GOOD_TILL_CANCEL,
    IMMEDIATE_OR_CANCEL,
    LIMIT,
    MARKET,
    SELL,
    ZERO,
    Order,
    Terms,
)
from common.exchange.rest import LAST, Json, Parameters, RestError, RestRequest, Route, Trouble
from common.exchange.tokens import Tokens
from common.exchange.topics import PING_INTERVAL_MS, PING_TIMEOUT_MS
from common.exchange.venue import Venue
from common.instant import NS_PER_MS, NS_PER_S, Instant
from common.venues.kucoinfutures.simulated.rows import (
    PARAMETER,
    Row,
    account_row,
    code_of,
    contract_row,
    fill_row,
    ms,
    order_name,
    order_number,
    order_row,
    position_row,
)
from common.venues.kucoinfutures.simulated.websocket import KucoinFuturesWebSocket

VALID_NS = 5 * NS_PER_S
"""A request whose KC-API-TIMESTAMP is so far off is refused."""

POOL_S, POOL = 30, 2_000
"""The weight of a user's requests about futures, at the lowest level."""

CANCEL_WEIGHT, NEW_WEIGHT, RECENT_WEIGHT, ASK_WEIGHT, ALL_WEIGHT = 1, 2, 3, 5, 10
ENTRY = "fix"
"""The scope of faults that are about orders, whichever way these are entered."""

DAY_NS = 86_400 * NS_PER_S
SPAN_NS = 7 * DAY_NS
"""Of so long a span of time fills and ended orders are told at most, of a day where one end alone is given."""

LATE_NS = NS_PER_S
"""So long after it happened the list of all fills does not have one yet: that it is not told at once is documented, and
this is how long that is here."""

RECENT, PAGE, PAGE_UNASKED = 1_000, 1_000, 50
LOOKED_THROUGH = 5_000
NO_ORDER = "error.getOrder.orderNotExist"
NOT_OPEN = "100004"
WRONG_MARGIN_MODE = "330005"
WRONG_POSITION_MODE = "330012"
_OK = "200000"
_TROUBLES = {
    Trouble.GARBLED: (400, "400000", "Bad Request"),
    Trouble.NO_ROUTE: (404, "404000", "URL Not Found -- The requested resource could not be found"),
    Trouble.WRONG_METHOD: (405, "405000", "Method Not Allowed"),
    Trouble.FAILED: (503, "500000", "Service Unavailable"),
    Trouble.LOST: (500, "500000", "Internal Server Error"),
    Trouble.UNKNOWN: (500, "500000", "Internal Server Error"),
}
_TIMES_IN_FORCE = {"": GOOD_TILL_CANCEL, "GTC": GOOD_TILL_CANCEL, "IOC": IMMEDIATE_OR_CANCEL}
_SELF_TRADE = {"CN": EXPIRE_TAKER, "CO": EXPIRE_MAKER, "CB": EXPIRE_BOTH}
_ID_SIGNS = frozenset("-_")


class KucoinFuturesRestApi:
    """A `RestApi`. `tokens` are what the WebSocket is opened with, `pushes` is that, which knows how far books are
    told."""

    def __init__(self, venue: Venue, tokens: Tokens, pushes: KucoinFuturesWebSocket) -> None:
        self._venue = venue
        self._pushes = pushes
        self._tokens = tokens
        self._keys = {key.api_key: key for key in venue.settings.keys}
        self._pools: dict[str, Window] = {}
        self._pool: Window | None = None
        v1, v2 = "/api/v1", "/api/v2"
        public = {
            ("GET", f"{v1}/timestamp"): self._time, ("GET", f"{v1}/contracts/active"): self._contracts,
            ("GET", f"{v1}/ticker"): self._ticker, ("GET", f"{v1}/level2/{LAST}"): self._book,
            ("POST", f"{v1}/bullet-public"): self._token,
        }  # fmt: skip
        signed = {
            ("GET", f"{v1}/orders"): (NEW_WEIGHT, self._orders), ("POST", f"{v1}/orders"): (NEW_WEIGHT, self._new),
            ("GET", f"{v1}/orders/{LAST}"): (ASK_WEIGHT, self._order),
            ("GET", f"{v1}/orders/byClientOid"): (ASK_WEIGHT, self._order_by_client),
            ("GET", f"{v1}/recentDoneOrders"): (ASK_WEIGHT, self._recent_orders),
            ("GET", f"{v1}/recentFills"): (RECENT_WEIGHT, self._recent_fills),
            ("GET", f"{v1}/fills"): (ASK_WEIGHT, self._fills),
            ("DELETE", f"{v1}/orders/{LAST}"): (CANCEL_WEIGHT, self._cancel),
            ("DELETE", f"{v1}/orders/client-order/{LAST}"): (CANCEL_WEIGHT, self._cancel_by_client),
            ("DELETE", f"{v1}/orders"): (ALL_WEIGHT, self._cancel_all),
            ("GET", f"{v1}/account-overview"): (ASK_WEIGHT, self._account),
            ("GET", f"{v1}/positions"): (NEW_WEIGHT, self._positions),
            ("GET", f"{v1}/position"): (NEW_WEIGHT, self._position),
            ("GET", f"{v2}/position/getPositionMode"): (NEW_WEIGHT, self._position_mode),
            ("GET", f"{v2}/position/getMarginMode"): (NEW_WEIGHT, self._margin_mode),
            ("POST", f"{v1}/bullet-private"): (ALL_WEIGHT, self._token),
        }  # fmt: skip
        routes = {key: Route(1, False, answer) for key, answer in public.items()}
        routes |= {key: Route(weight, True, self._within(weight, answer)) for key, (weight, answer) in signed.items()}
        self.routes: Mapping[tuple[str, str], Route] = routes

    # ---- what is said of a request

    def trouble(self, trouble: Trouble, text: str = "") -> RestError:
        """As KuCoin says it."""
        status, code, words = _TROUBLES[trouble]
        return RestError(status, {"code": code, "msg": text or words})

    def count(self, route: Route, now: Instant) -> None:
        """Nothing is counted before it is known of whom it is."""
        self._pool = None

    def headers(self, now: Instant) -> list[tuple[str, str]]:
        """How much of the user's pool is left, and for how many milliseconds that is counted."""
        if self._pool is None:
            return []
        left = max(0, POOL - self._pool.used(now.boot_ns))
        told = {"limit": POOL, "remaining": left, "reset": POOL_S * 1000}
        return [(f"gw-ratelimit-{name}", str(value)) for name, value in told.items()]

    def authenticate(self, request: RestRequest, now: Instant) -> str:
        """Key, time, passphrase and signature over time, method, path with query as it reads undone, and body."""
        headers = request.headers
        key, stamp = self._keys.get(headers.get("kc-api-key", "")), headers.get("kc-api-timestamp", "")
        if key is None:
            raise _refused("400003", "KC-API-KEY not exists", 401)
        if not stamp.isdecimal() or abs(int(stamp[:16]) * NS_PER_MS - now.wall_ns) >= VALID_NS:
            raise _refused("400002", "KC-API-TIMESTAMP Invalid", 401)
        if not hmac.compare_digest(_mac(key.secret, key.passphrase), headers.get("kc-api-passphrase", "")):
            raise _refused("400004", "KC-API-PASSPHRASE error", 401)
        signed = f"{stamp}{request.method}{unquote(request.target)}{request.body}"
        if not hmac.compare_digest(_mac(key.secret, signed), headers.get("kc-api-sign", "")):
            raise _refused("400005", "Invalid KC-API-SIGN", 401)
        return key.account

    def _within(
        self, weight: int, answer: Callable[[str, Parameters, Instant], Json]
    ) -> Callable[[str, Parameters, Instant], Json]:
        """The answer while the user's pool has room for it."""

        def counted(account: str, p: Parameters, now: Instant) -> Json:
            self._pool = pool = self._pools.setdefault(account, Window(POOL_S))
            if pool.used(now.boot_ns) + weight > POOL or self._venue.faults.strikes(Kind.BARRED, "rest"):
                raise _refused("429000", "Too many requests in a short period of time, please retry later", 429)
            pool.count(now.boot_ns, weight)
            return answer(account, p, now)

        return counted

    # ---- public

    def _time(self, account: str, p: Parameters, now: Instant) -> Json:
        return _answer(ms(now.wall_ns))

    def _contracts(self, account: str, p: Parameters, now: Instant) -> Json:
        last_px = self._venue.engine.last_px
        return _answer([contract_row(i, last_px(i.symbol)) for i in self._venue.state.instruments.values()])

    def _book(self, account: str, p: Parameters, now: Instant) -> Json:
        symbol, depth = p.get("symbol", ""), {"snapshot": LOOKED_THROUGH, "depth20": 20, "depth100": 100}.get(p[LAST])
        if symbol not in self._venue.state.books or depth is None:
            raise _refused(PARAMETER, "symbol not exists")
        told = self._pushes.tell_book(symbol, now)
        sides = {"bids": told.rows(BUY, depth), "asks": told.rows(SELL, depth)}
        return _answer({"symbol": symbol, "sequence": told.sequence, **sides, "ts": now.wall_ns})

    def _ticker(self, account: str, p: Parameters, now: Instant) -> Json:
        symbol = p.get("symbol", "")
        book = self._venue.state.books.get(symbol)
        if book is None:
            raise _refused(PARAMETER, "symbol not exists")
        bid, ask = book.bids.best(), book.asks.best()
        row: Row = {
            "sequence": book.trade_id, "symbol": symbol, "side": "buy", "size": 0, "tradeId": str(book.trade_id),
            "price": digits(self._venue.engine.last_px(symbol)), "ts": now.wall_ns,
        }  # fmt: skip
        for name, level in (("bestBid", bid), ("bestAsk", ask)):
            row[f"{name}Price"] = None if level is None else digits(level.price)
            row[f"{name}Size"] = 0 if level is None else int(level.qty)
        return _answer(row)

    def _token(self, account: str, p: Parameters, now: Instant) -> Json:
        server = {
            "endpoint": self._venue.settings.websocket_url, "encrypt": False, "protocol": "websocket",
            "pingInterval": PING_INTERVAL_MS, "pingTimeout": PING_TIMEOUT_MS,
        }  # fmt: skip
        return _answer({"token": self._tokens.give(account, now), "instanceServers": [server]})

    # ---- questions

    def _order(self, account: str, p: Parameters, now: Instant) -> Json:
        return self._told(self._venue.find(account, "", order_number(p[LAST]), ""), now)

    def _order_by_client(self, account: str, p: Parameters, now: Instant) -> Json:
        return self._told(self._venue.find(account, "", "", p.get("clientOid", "")), now)

    def _told(self, found: Order | ClosedOrder | None, now: Instant) -> Json:
        if found is None or self._venue.hides(found.stamp_ns, now):
            raise _refused(PARAMETER, NO_ORDER)
        return _answer(self._row(found))

    def _row(self, found: Order | ClosedOrder) -> Row:
        return order_row(found, self._venue.state.instruments[found.terms.symbol])

    def _symbols(self, p: Parameters) -> list[str]:
        """Those that are asked for: one, or all."""
        return [symbol for symbol in self._venue.state.books if p.get("symbol", "") in ("", symbol)]

    def _orders(self, account: str, p: Parameters, now: Instant) -> Json:
        """Those that are open, or those that have ended of a span of time, the newest first."""
        symbols = self._symbols(p)
        found: list[Order | ClosedOrder] = []
        if p.get("status") == "active":
            found += [order for symbol in symbols for order in self._venue.state.open_orders(account, symbol)]
        else:
            begin_ns, end_ns = _span(p, now)
            found += [o for o in self._ended(account, symbols) if begin_ns <= o.stamp_ns <= end_ns]
        told = [order for order in found if not self._venue.hides(order.stamp_ns, now)]
        told.sort(key=lambda order: order.order_id, reverse=True)
        return _page([self._row(order) for order in told], p)

    def _ended(self, account: str, symbols: Sequence[str]) -> list[ClosedOrder]:
        last_orders = self._venue.history.last_orders
        return [order for symbol in symbols for order in last_orders(account, symbol, LOOKED_THROUGH)]

    def _recent_orders(self, account: str, p: Parameters, now: Instant) -> Json:
        """At most so many of those that have ended within a day."""
        ended = self._ended(account, self._symbols(p))
        told = [o for o in ended if o.updated_ns > now.wall_ns - DAY_NS and not self._venue.hides(o.stamp_ns, now)]
        newest = sorted(told, key=lambda order: order.order_id, reverse=True)[:RECENT]
        return _answer([self._row(order) for order in newest])

    def _trades(self, account: str, p: Parameters) -> list[TradeRow]:
        last_trades = self._venue.history.last_trades
        return [row for symbol in self._symbols(p) for row in last_trades(account, symbol, LOOKED_THROUGH)]

    def _fill_rows(self, rows: Sequence[TradeRow]) -> list[Row]:
        settings, instruments = self._venue.settings, self._venue.state.instruments
        newest = sorted(rows, key=lambda row: row.exec_id, reverse=True)
        rates = {True: settings.fee_rate_maker, False: settings.fee_rate_taker}
        return [fill_row(row, instruments[row.symbol], rates[row.maker]) for row in newest]

    def _recent_fills(self, account: str, p: Parameters, now: Instant) -> Json:
        """At most so many of those of a day, at once."""
        rows = [row for row in self._trades(account, p) if row.stamp_ns > now.wall_ns - DAY_NS]
        return _answer(self._fill_rows(rows)[:RECENT])

    def _fills(self, account: str, p: Parameters, now: Instant) -> Json:
        """Those of a span of time, a while after they happened; with an orderId all else is ignored."""
        if p.get("orderId"):
            number_ = order_number(p["orderId"])
            rows = self._venue.history.trades_of(account, int(number_)) if number_.isdecimal() else []
        else:
            begin_ns, end_ns = _span(p, now)
            rows = [row for row in self._trades(account, p) if begin_ns <= row.stamp_ns <= end_ns]
        # What another machine stamps ahead of this clock is not younger for that.
        told = [row for row in rows if not 0 <= now.wall_ns - row.stamp_ns < LATE_NS]
        return _page(self._fill_rows(told), p)

    def _account(self, account: str, p: Parameters, now: Instant) -> Json:
        asset, engine, accounts = p.get("currency", "XBT"), self._venue.engine, self._venue.state.accounts
        balance, held = accounts.balance(account, asset), ZERO
        for i in self._venue.state.instruments.values():
            if i.contract.settle == asset:
                qty = abs(accounts.position(account, i.symbol))
                held += i.margin_rate * i.contract.worth(engine.last_px(i.symbol), qty)
        margin, cash = engine.margin(account, asset), balance.free + balance.locked
        return _answer(account_row(asset, cash, engine.equity(account, asset) + balance.locked, held, margin))

    def _positions(self, account: str, p: Parameters, now: Instant) -> Json:
        """Of what is held alone."""
        rows = [self._held(account, symbol, now) for symbol in self._venue.state.books]
        wanted = p.get("currency", "")
        return _answer([row for row in rows if row["isOpen"] and wanted in ("", row["settleCurrency"])])

    def _position(self, account: str, p: Parameters, now: Instant) -> Json:
        if p.get("symbol", "") not in self._venue.state.books:
            raise _refused(PARAMETER, "symbol not exists")
        return _answer(self._held(account, p["symbol"], now))

    def _held(self, account: str, symbol: str, now: Instant) -> Row:
        qty, average = self._venue.state.accounts.positions.get((account, symbol), (ZERO, ZERO))
        last = self._venue.engine.last_px(symbol)
        return position_row(self._venue.state.instruments[symbol], qty, average, last, ms(now.wall_ns))

    def _position_mode(self, account: str, p: Parameters, now: Instant) -> Json:
        return _answer({"positionMode": 0})

    def _margin_mode(self, account: str, p: Parameters, now: Instant) -> Json:
        return _answer({"symbol": p.get("symbol", ""), "marginMode": "CROSS"})

    # ---- acts

    def _new(self, account: str, p: Parameters, now: Instant) -> Json:
        terms = self._terms(account, p)
        rejected = self._venue.faults.strikes(Kind.REJECT, ENTRY)
        if rejected is not None:
            raise _refused(code_of(Refusal.BALANCE), rejected.text or "Your current margin has reached the limit.")
        refusal = self._venue.engine.check(terms, now.wall_ns)
        if refusal is Refusal.WOULD_TAKE:
            # An order that may not take is taken in, and cancelled at once.
            order = self._venue.engine.place_to_cancel(terms, now, Cause.WOULD_TAKE)
        elif refusal is not None:
            raise _refused(code_of(refusal), refusal.value)
        else:
            order = self._venue.engine.place(terms, now)
        return _answer({"orderId": order_name(order.order_id), "clientOid": terms.cl_ord_id})

    def _terms(self, account: str, p: Parameters) -> Terms:
        name, kind, side = p.get("clientOid", ""), p.get("type", "limit"), p.get("side", "")
        signs = set(name) - _ID_SIGNS
        if not 0 < len(name) <= 40 or not name.isascii() or not "".join(sorted(signs)).isalnum():
            raise _refused(PARAMETER, "clientOid is of another form")
        if self._venue.find(account, "", "", name) is not None:
            raise _refused(PARAMETER, "validation.createOrder.clientOidDuplicated")
        if side not in ("buy", "sell") or kind not in ("limit", "market"):
            raise _refused(PARAMETER, "side or type is of another form")
        if p.get("marginMode", "ISOLATED") != "CROSS":
            raise _refused(WRONG_MARGIN_MODE, "The order's margin mode does not match the selected one.")
        if p.get("positionSide", "BOTH") != "BOTH":
            raise _refused(WRONG_POSITION_MODE, "Your order is in Hedge Mode, your account in One-Way Mode.")
        force, mode = p.get("timeInForce", ""), p.get("stp", "")
        post_only, reduce_only = (p.get(each, "False") == "True" for each in ("postOnly", "reduceOnly"))
        if force not in _TIMES_IN_FORCE or mode not in ("", *_SELF_TRADE) or (post_only and force == "IOC"):
            raise _refused(PARAMETER, "timeInForce, postOnly or stp is of another form")
        is_market, size = kind == "market", p.get("size", "")
        if not size.isdecimal() or not int(size):
            raise _refused(PARAMETER, "Quantity parameter must be a positive integer.")
        return Terms(
            account, account, name, p.get("symbol", ""), BUY if side == "buy" else SELL,
            MARKET if is_market else LIMIT, Decimal(size), None if is_market else _decimal(p, "price"),
            _TIMES_IN_FORCE["" if is_market else force], post_only, self._venue.prevention(_SELF_TRADE.get(mode, "")),
            reduce_only=reduce_only,
        )  # fmt: skip

    def _cancel(self, account: str, p: Parameters, now: Instant) -> Json:
        self._cancelled(self._venue.find(account, "", order_number(p[LAST]), ""), now)
        return _answer({"cancelledOrderIds": [p[LAST]]})

    def _cancel_by_client(self, account: str, p: Parameters, now: Instant) -> Json:
        if not p.get("symbol"):
            raise _refused(PARAMETER, "symbol can not be empty")
        self._cancelled(self._venue.find(account, p["symbol"], "", p[LAST]), now)
        return _answer({"clientOid": p[LAST]})

    def _cancelled(self, order: Order | ClosedOrder | None, now: Instant) -> None:
        """The request is taken; the end is told by the WebSocket, or by the order when it is asked for."""
        if order is None:
            raise _refused(PARAMETER, NO_ORDER)
        if not isinstance(order, Order) or not order.is_open:
            raise _refused(NOT_OPEN, "The order cannot be canceled.")
        if not self._venue.faults.strikes(Kind.SILENT, ENTRY):
            if self._venue.faults.strikes(Kind.LATE_FILL, ENTRY):
                self._venue.fill_late(order, now)
            if order.is_open:
                self._venue.engine.cancel(order, now)

    def _cancel_all(self, account: str, p: Parameters, now: Instant) -> Json:
        cancel_all = self._venue.engine.cancel_all
        done = [order for symbol in self._symbols(p) for order in cancel_all(account, symbol, now)]
        return _answer({"cancelledOrderIds": [order_name(order.order_id) for order in done]})


def _span(p: Parameters, now: Instant) -> tuple[int, int]:
    """startAt and endAt, Unix: a day from or to the one that is given, the last day without either, seven at most."""
    begin_ns, end_ns = int(p.get("startAt") or 0) * NS_PER_MS, int(p.get("endAt") or 0) * NS_PER_MS
    if not begin_ns:
        end_ns = end_ns or now.wall_ns
        return end_ns - DAY_NS, end_ns
    return begin_ns, min(end_ns or begin_ns + DAY_NS, begin_ns + SPAN_NS)


def _page(rows: list[Row], p: Parameters) -> Json:
    """A page of them by its number."""
    size, number_ = min(PAGE, int(p.get("pageSize") or PAGE_UNASKED)), int(p.get("currentPage") or 1)
    pages = -(-len(rows) // size)
    told = rows[(number_ - 1) * size : number_ * size]
    head = {"currentPage": number_, "pageSize": size, "totalNum": len(rows), "totalPage": pages}
    return _answer({**head, "items": told})


def _mac(secret: bytes, text: str) -> str:
    return base64.b64encode(hmac.digest(secret, text.encode(), hashlib.sha256)).decode()


def _answer(data: object) -> Json:
    return {"code": _OK, "data": data}


def _refused(code: str, text: str, status: int = 200) -> RestError:
    return RestError(status, {"code": code, "msg": text})


def _decimal(p: Parameters, name: str) -> Decimal:
    try:
        return read_number(p.get(name, ""))
    except ValueError:
        raise _refused(PARAMETER, f"{name} is of another form") from None

"""Binance's REST side, as much as a desk asks of it: HTTP parsed by h11 inside the core, bytes in, bytes out.

Source: binance-spot-api-docs, rest-api.md and errors.md. Requests are signed with Ed25519 over the raw query string
(and body) up to `&signature=`; answers are JSON, errors are `{"code": ..., "msg": ...}`.
"""

from collections.abc import Callable
from decimal import Decimal
from urllib.parse import parse_qsl, unquote_to_bytes

import h11
import msgspec

from common.exchange.faults import Kind
from common.exchange.history import ClosedOrder, TradeRow, closed_order
from common.exchange.lines import Line
from common.exchange.order import BUY, MARKET, Order
from common.exchange.settings import Instrument, Key
from common.exchange.venue import Venue
from common.instant import NS_PER_MS, NS_PER_S, Instant
from common.venues.binance.simulated import wire
from common.venues.binance.simulated.session import Window, verifies
from common.venues.binance.simulated.wire import fixed

IDLE_NS = 120 * NS_PER_S
MAX_BODY_BYTES = 65_536
DEFAULT_RECV_WINDOW_MS = 5000
MAX_RECV_WINDOW_MS = 60_000
AHEAD_MS = 1000
NO_END_MS = 1 << 62
"""Without an end everything is told, also what was stamped by a clock that was set back since."""

MAX_ROWS = 1000
DEFAULT_ROWS = 500
LAST_TRADE = 0
"""As `avgPriceMins` of a filter: the price that it measures from is the last trade's, no average."""

NO_SUCH_ORDER = -2013
BAD_KEY_FORMAT = -2014
TOO_MANY_REQUESTS = -1003
UNKNOWN_ERROR = -1000

_STATUS = {
    "0": "NEW", "1": "PARTIALLY_FILLED", "2": "FILLED", "4": "CANCELED", "8": "REJECTED", "C": "EXPIRED",
}  # fmt: skip
_TIME_IN_FORCE = {"1": "GTC", "3": "IOC", "4": "FOK"}
_SELF_TRADE = {"1": "NONE", "2": "EXPIRE_TAKER", "3": "EXPIRE_MAKER", "4": "EXPIRE_BOTH"}

Json = object
Parameters = dict[str, str]
_encode = msgspec.json.Encoder().encode


class RestError(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, code: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.code = code
        self.text = text


class _Client:
    """One HTTP connection."""

    def __init__(self, line: Line, now: Instant) -> None:
        self.line = line
        self.http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_BODY_BYTES)
        self.request: h11.Request | None = None
        self.body = b""
        self.heard_ns = now.boot_ns


class _Endpoint:
    """What answers a method and path: weight, whether it must be signed, and the function."""

    def __init__(self, weight: int, signed: bool, answer: Callable[[str, Parameters, Instant], Json]) -> None:
        self.weight = weight
        self.signed = signed
        self.answer = answer


class Rest:
    """The REST listener."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._keys = {key.api_key: key for key in venue.settings.keys}
        self._clients: dict[int, _Client] = {}
        self._weight = Window(60)
        self._endpoints = {
            ("GET", "ping"): _Endpoint(1, False, lambda account, p, now: {}),
            ("GET", "time"): _Endpoint(1, False, lambda account, p, now: {"serverTime": now.wall_ns // NS_PER_MS}),
            ("GET", "exchangeInfo"): _Endpoint(20, False, self._exchange_info),
            ("GET", "account"): _Endpoint(20, True, self._account),
            ("GET", "order"): _Endpoint(4, True, self._order),
            ("DELETE", "order"): _Endpoint(1, True, self._cancel),
            ("GET", "openOrders"): _Endpoint(6, True, self._open_orders),
            ("DELETE", "openOrders"): _Endpoint(1, True, self._cancel_all),
            ("GET", "allOrders"): _Endpoint(20, True, self._all_orders),
            ("GET", "myTrades"): _Endpoint(20, True, self._my_trades),
        }

    # ---- connections

    def accepted(self, line: Line, now: Instant) -> None:
        """See `Gateway`."""
        self._clients[line.number] = _Client(line, now)

    def data(self, line: Line, data: bytes, now: Instant) -> None:
        """See `Gateway`."""
        client = self._clients.get(line.number)
        if client is None:
            return
        client.heard_ns = now.boot_ns
        try:
            client.http.receive_data(data)
            self._read(client, now)
        except h11.RemoteProtocolError as error:
            self._refuse(client, error, now)

    def lost(self, line: Line, now: Instant) -> None:
        """See `Gateway`."""
        self._clients.pop(line.number, None)

    def timer(self, now: Instant) -> None:
        """See `Gateway`."""
        for client in list(self._clients.values()):
            if client.heard_ns + IDLE_NS <= now.boot_ns:
                self._close(client)

    def next_deadline_ns(self) -> int | None:
        """See `Gateway`."""
        return min((client.heard_ns + IDLE_NS for client in self._clients.values()), default=None)

    def settle(self, now: Instant) -> None:
        """See `Gateway`."""

    def stop(self, now: Instant) -> None:
        """See `Gateway`."""
        for client in list(self._clients.values()):
            self._close(client)

    def announce(self, headline: str, now: Instant) -> None:
        """See `Gateway`: REST has no news."""

    @property
    def busy(self) -> bool:
        """See `Gateway`: nobody is waited for."""
        return False

    def sessions(self) -> dict[str, dict[str, object]]:
        """See `Gateway`: REST has no sessions."""
        return {}

    def _close(self, client: _Client) -> None:
        self._clients.pop(client.line.number, None)
        self._venue.lines.close(client.line)

    # ---- HTTP

    def _read(self, client: _Client, now: Instant) -> None:
        while True:
            event = client.http.next_event()
            if isinstance(event, h11.Request):
                client.request, client.body = event, b""
            elif isinstance(event, h11.Data):
                client.body += bytes(event.data)
                if len(client.body) > MAX_BODY_BYTES:
                    raise h11.RemoteProtocolError("the body is too long", error_status_hint=413)
            elif isinstance(event, h11.EndOfMessage):
                self._answer(client, now)
            elif isinstance(event, h11.ConnectionClosed):
                self._close(client)
                return
            else:
                return
            if client.http.our_state is h11.MUST_CLOSE:
                self._close(client)
                return
            if client.http.our_state is h11.DONE and client.http.their_state is h11.DONE:
                client.http.start_next_cycle()
                client.request = None

    def _refuse(self, client: _Client, error: h11.RemoteProtocolError, now: Instant) -> None:
        self._venue.count("http_garbled")
        self._respond(client, error.error_status_hint, {"code": wire.ILLEGAL_CHARACTERS, "msg": str(error)}, now)
        self._close(client)

    def _answer(self, client: _Client, now: Instant) -> None:
        assert client.request is not None
        try:
            status, answer = (
                200,
                self.handle(
                    client.request.method.decode("ascii"),
                    client.request.target.decode("latin-1"),
                    {name.decode("ascii"): value.decode("latin-1") for name, value in client.request.headers},
                    client.body,
                    now,
                ),
            )
        except RestError as error:
            status, answer = error.status, {"code": error.code, "msg": error.text}
        self._respond(client, status, answer, now)

    def _respond(self, client: _Client, status: int, answer: Json, now: Instant) -> None:
        body = _encode(answer)
        headers = [
            ("Content-Type", "application/json;charset=UTF-8"),
            ("Content-Length", str(len(body))),
            ("X-MBX-USED-WEIGHT-1M", str(self._weight.used(now.boot_ns))),
        ]
        http = client.http
        data = http.send(h11.Response(status_code=status, headers=headers)) or b""
        # The answer to HEAD is its headers alone.
        if client.request is None or client.request.method != b"HEAD":
            data += http.send(h11.Data(data=body)) or b""
        data += http.send(h11.EndOfMessage()) or b""
        self._venue.lines.write(client.line, data, now)

    # ---- one request

    def handle(self, method: str, target: str, headers: Parameters, body: bytes, now: Instant) -> Json:
        """Answer one request: `target` is path and query as sent, `headers` have lower-case names. Raises RestError."""
        path, _, query = target.partition("?")
        name = path.removeprefix("/api/v3/")
        endpoint = self._endpoints.get((method, name)) if name != path else None
        if endpoint is None:
            known = any(known == name for _, known in self._endpoints)
            raise RestError(405 if known else 404, UNKNOWN_ERROR, "No such endpoint.")
        for _ in range(endpoint.weight):
            weight = self._weight.count(now.boot_ns)
        if weight > self._venue.settings.rest_weight_limit:
            limit = (
                f"Too much request weight used; current limit is {self._venue.settings.rest_weight_limit} per 1 MINUTE."
            )
            raise RestError(429, TOO_MANY_REQUESTS, limit)
        signed = query + body.decode("ascii", "replace")
        parameters = dict(parse_qsl(signed, keep_blank_values=True))
        if not endpoint.signed:
            return endpoint.answer("", parameters, now)
        key = self._authenticate(headers, signed, parameters, now)
        fault = self._venue.faults.strikes(Kind.REJECT_STATUS, "rest")
        if fault is not None:
            raise RestError(500, UNKNOWN_ERROR, fault.text or "An unknown error occurred while processing the request.")
        if method == "DELETE" and self._venue.faults.strikes(Kind.LOST, "rest"):
            raise RestError(400, wire.UNEXPECTED_RESPONSE, "An unexpected response was received from the message bus.")
        answer = endpoint.answer(key.account, parameters, now)
        if method == "DELETE" and self._venue.faults.strikes(Kind.UNKNOWN, "rest"):
            raise RestError(400, wire.UNKNOWN_STATUS, "Timeout waiting for response from backend server.")
        return answer

    def _authenticate(self, headers: Parameters, signed: str, parameters: Parameters, now: Instant) -> Key:
        api_key = headers.get("x-mbx-apikey", "")
        if not api_key:
            raise RestError(401, BAD_KEY_FORMAT, "API-key format invalid.")
        key = self._keys.get(api_key)
        if key is None:
            raise RestError(401, wire.BAD_KEY, "Invalid API-key, IP, or permissions for action.")
        payload, _, signature = signed.rpartition("&signature=")
        if not payload:
            raise RestError(400, wire.MISSING, _missing("signature"))
        # The signature covers the bytes as they were sent, so the text is not decoded and encoded again.
        if not verifies(key, unquote_to_bytes(signature), payload.encode("ascii", "replace")):
            raise RestError(400, wire.BAD_SIGNATURE, "Signature for this request is not valid.")
        timestamp_ms = _whole(parameters, "timestamp")
        window_ms = _whole(parameters, "recvWindow", DEFAULT_RECV_WINDOW_MS)
        if window_ms > MAX_RECV_WINDOW_MS:
            raise RestError(400, -1131, "recvWindow must be less than 60000.")
        now_ms = now.wall_ns // NS_PER_MS
        if timestamp_ms >= now_ms + AHEAD_MS:
            raise RestError(400, wire.BAD_TIME, "Timestamp for this request was 1000ms ahead of the server's time.")
        if now_ms - timestamp_ms > window_ms:
            raise RestError(400, wire.BAD_TIME, "Timestamp for this request is outside of the recvWindow.")
        return key

    def _symbol(self, p: Parameters) -> str:
        symbol = p.get("symbol", "")
        if not symbol:
            raise RestError(400, wire.MISSING, _missing("symbol"))
        if symbol not in self._venue.state.instruments:
            raise RestError(400, wire.BAD_SYMBOL, "Invalid symbol.")
        return symbol

    # ---- endpoints

    def _exchange_info(self, account: str, p: Parameters, now: Instant) -> Json:
        wanted = list(self._venue.state.instruments)
        if "symbol" in p:
            wanted = [self._symbol(p)]
        elif "symbols" in p:
            try:
                wanted = msgspec.json.decode(p["symbols"].encode(), type=list[str])
            except msgspec.DecodeError:
                raise RestError(
                    400, wire.ILLEGAL_CHARACTERS, "Illegal characters found in parameter 'symbols'."
                ) from None
        for symbol in wanted:
            self._symbol({"symbol": symbol})
        limit = self._venue.settings.rest_weight_limit
        return {
            "timezone": "UTC",
            "serverTime": now.wall_ns // NS_PER_MS,
            "rateLimits": [
                {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": limit},
            ],
            "exchangeFilters": [],
            "symbols": [_symbol_info(self._venue.state.instruments[symbol]) for symbol in wanted],
        }

    def _account(self, account: str, p: Parameters, now: Instant) -> Json:
        settings = self._venue.settings
        omit = p.get("omitZeroBalances") == "true"
        rows = [
            {"asset": asset, "free": fixed(b.free), "locked": fixed(b.locked)}
            for (owner, asset), b in self._venue.state.accounts.balances.items()
            if owner == account and (b.free or b.locked or not omit)
        ]
        return {
            "makerCommission": int(settings.fee_rate_maker * 10_000),
            "takerCommission": int(settings.fee_rate_taker * 10_000),
            "buyerCommission": 0,
            "sellerCommission": 0,
            "commissionRates": {
                "maker": fixed(settings.fee_rate_maker),
                "taker": fixed(settings.fee_rate_taker),
                "buyer": fixed(Decimal(0)),
                "seller": fixed(Decimal(0)),
            },
            "canTrade": True,
            "canWithdraw": False,
            "canDeposit": False,
            "accountType": "SPOT",
            "updateTime": now.wall_ns // NS_PER_MS,
            "balances": rows,
            "permissions": ["SPOT"],
            "uid": 1,
        }

    def _find(self, account: str, p: Parameters) -> Order | ClosedOrder | None:
        symbol = self._symbol(p)
        order_id, name = p.get("orderId", ""), p.get("origClientOrderId", "")
        if not order_id and not name:
            text = "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"
            raise RestError(400, wire.MISSING, text)
        if order_id:
            _whole(p, "orderId")
        found = self._venue.find(account, symbol, order_id, name)
        if found is None or (name and found.terms.cl_ord_id != name):
            return None
        return found

    def _order(self, account: str, p: Parameters, now: Instant) -> Json:
        found = self._find(account, p)
        if found is None:
            raise RestError(400, NO_SUCH_ORDER, "Order does not exist.")
        return order_json(closed_order_of(found))

    def _open_orders(self, account: str, p: Parameters, now: Instant) -> Json:
        symbols = [self._symbol(p)] if p.get("symbol") else list(self._venue.state.instruments)
        return [
            order_json(closed_order(o)) for symbol in symbols for o in self._venue.state.open_orders(account, symbol)
        ]

    def _all_orders(self, account: str, p: Parameters, now: Instant) -> Json:
        symbol, limit = self._symbol(p), _limit(p)
        history = self._venue.history
        open_orders = [closed_order(o) for o in self._venue.state.open_orders(account, symbol)]
        if "orderId" in p:
            first = _whole(p, "orderId")
            rows = history.orders(account, symbol, first, limit) + [o for o in open_orders if o.order_id >= first]
            rows = sorted(rows, key=lambda o: o.order_id)[:limit]
        else:
            start_ns = _whole(p, "startTime", 0) * NS_PER_MS
            end_ns = _whole(p, "endTime", NO_END_MS) * NS_PER_MS + NS_PER_MS
            rows = sorted(history.last_orders(account, symbol, MAX_ROWS) + open_orders, key=lambda o: o.order_id)
            rows = [o for o in rows if start_ns <= o.stamp_ns < end_ns]
            rows = rows[:limit] if "startTime" in p else rows[-limit:]
        return [order_json(o) for o in rows]

    def _my_trades(self, account: str, p: Parameters, now: Instant) -> Json:
        symbol, limit = self._symbol(p), _limit(p)
        history = self._venue.history
        if "fromId" in p and ("startTime" in p or "endTime" in p):
            raise RestError(400, wire.BAD_COMBINATION, "Combination of optional parameters invalid.")
        if "orderId" in p:
            first = _whole(p, "fromId", 0)
            rows = [
                t
                for t in history.trades_of(account, _whole(p, "orderId"))
                if t.trade_id >= first and t.symbol == symbol
            ]
            rows = rows[:limit]
        elif "fromId" in p:
            rows = history.trades(account, symbol, _whole(p, "fromId"), limit)
        else:
            start_ns = _whole(p, "startTime", 0) * NS_PER_MS
            end_ns = _whole(p, "endTime", NO_END_MS) * NS_PER_MS + NS_PER_MS
            rows = [t for t in history.last_trades(account, symbol, MAX_ROWS) if start_ns <= t.stamp_ns < end_ns]
            rows = rows[:limit] if "startTime" in p else rows[-limit:]
        return [_trade_json(t) for t in rows]

    def _cancel(self, account: str, p: Parameters, now: Instant) -> Json:
        found = self._find(account, p)
        if not isinstance(found, Order):
            raise RestError(400, wire.CANCEL_REJECTED, wire.UNKNOWN_ORDER)
        self._venue.engine.cancel(found, now)
        return self._cancelled(found, p.get("newClientOrderId") or self._venue.unique(), now)

    def _cancel_all(self, account: str, p: Parameters, now: Instant) -> Json:
        orders = self._venue.engine.cancel_all(account, self._symbol(p), now)
        if not orders:
            raise RestError(400, wire.CANCEL_REJECTED, wire.UNKNOWN_ORDER)
        return [self._cancelled(order, self._venue.unique(), now) for order in orders]

    def _cancelled(self, order: Order, name: str, now: Instant) -> Json:
        row = order_json(closed_order(order))
        row |= {
            "origClientOrderId": order.cl_ord_id,
            "clientOrderId": name,
            "transactTime": now.wall_ns // NS_PER_MS,
        }
        return row


def closed_order_of(order: Order | ClosedOrder) -> ClosedOrder:
    """Open or closed, in one form."""
    return order if isinstance(order, ClosedOrder) else closed_order(order)


def order_json(o: ClosedOrder) -> dict[str, object]:
    """An order as REST shows it."""
    t = o.terms
    kind = "MARKET" if t.ord_type == MARKET else "LIMIT_MAKER" if t.post_only else "LIMIT"
    return {
        "symbol": t.symbol,
        "orderId": o.order_id,
        "orderListId": -1,
        "clientOrderId": t.cl_ord_id,
        "price": fixed(t.price or Decimal(0)),
        "origQty": fixed(t.order_qty),
        "executedQty": fixed(o.cum_qty),
        "cummulativeQuoteQty": fixed(o.cum_quote),
        "status": _STATUS[o.ord_status],
        "timeInForce": _TIME_IN_FORCE[t.time_in_force],
        "type": kind,
        "side": "BUY" if t.side == BUY else "SELL",
        "stopPrice": fixed(Decimal(0)),
        "icebergQty": fixed(Decimal(0)),
        "time": o.stamp_ns // NS_PER_MS,
        "updateTime": o.updated_ns // NS_PER_MS,
        "isWorking": True,
        "workingTime": o.stamp_ns // NS_PER_MS,
        "origQuoteOrderQty": fixed(Decimal(0)),
        "selfTradePreventionMode": _SELF_TRADE[t.self_trade],
    }


def _trade_json(t: TradeRow) -> Json:
    return {
        "symbol": t.symbol,
        "id": t.trade_id,
        "orderId": t.order_id,
        "orderListId": -1,
        "price": fixed(t.px),
        "qty": fixed(t.qty),
        "quoteQty": fixed(t.px * t.qty),
        "commission": fixed(t.fee),
        "commissionAsset": t.fee_asset,
        "time": t.stamp_ns // NS_PER_MS,
        "isBuyer": t.side == BUY,
        "isMaker": t.maker,
        "isBestMatch": True,
    }


def _symbol_info(i: Instrument) -> Json:
    return {
        "symbol": i.symbol,
        "status": "TRADING",
        "baseAsset": i.base,
        "baseAssetPrecision": 8,
        "quoteAsset": i.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
        "icebergAllowed": False,
        "ocoAllowed": False,
        "otoAllowed": False,
        "quoteOrderQtyMarketAllowed": False,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": True,
        "amendAllowed": True,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": fixed(i.tick_size),
                "maxPrice": fixed(i.max_price),
                "tickSize": fixed(i.tick_size),
            },
            {
                "filterType": "LOT_SIZE",
                "minQty": fixed(i.min_qty),
                "maxQty": fixed(i.max_qty),
                "stepSize": fixed(i.lot_size),
            },
            {
                "filterType": "NOTIONAL",
                "minNotional": fixed(i.min_notional),
                "applyMinToMarket": False,
                "maxNotional": fixed(i.max_notional),
                "applyMaxToMarket": False,
                "avgPriceMins": LAST_TRADE,
            },
            {
                "filterType": "PERCENT_PRICE",
                "multiplierUp": fixed(i.price_multiplier_up),
                "multiplierDown": fixed(i.price_multiplier_down),
                "avgPriceMins": LAST_TRADE,
            },
        ],
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": list(_SELF_TRADE.values()),
    }


def _missing(name: str) -> str:
    return f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."


def _whole(p: Parameters, name: str, default: int | None = None) -> int:
    value = p.get(name, "")
    if not value and default is not None:
        return default
    if not value:
        raise RestError(400, wire.MISSING, _missing(name))
    if not value.isdecimal() or len(value) > 18:
        raise RestError(400, wire.ILLEGAL_CHARACTERS, f"Illegal characters found in parameter '{name}'.")
    return int(value)


def _limit(p: Parameters) -> int:
    return max(1, min(_whole(p, "limit", DEFAULT_ROWS), MAX_ROWS))

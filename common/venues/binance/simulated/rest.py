"""Binance's REST side, as much as a desk asks of it.

Source: binance-spot-api-docs, rest-api.md and errors.md. Requests are signed with Ed25519 over the raw query string
(and body) up to `&signature=`; answers are JSON, errors are `{"code": ..., "msg": ...}`.
"""

from collections.abc import Mapping
from decimal import Decimal
from urllib.parse import unquote_to_bytes

import msgspec

from common.exchange.history import ClosedOrder, TradeRow, closed_order
from common.exchange.limits import Window
from common.exchange.order import BUY, LIMIT, MARKET, MARKET_PEG, PEGGED, PRIMARY_PEG, STOP, STOP_LIMIT, Order, Terms
from common.exchange.rest import Json, Parameters, RestError, RestRequest, Route, Trouble
from common.exchange.settings import Instrument
from common.exchange.venue import Venue
from common.instant import NS_PER_MS, Instant
from common.venues.binance.simulated import wire
from common.venues.binance.simulated.orders import ORDER_WINDOW_S
from common.venues.binance.simulated.session import verifies
from common.venues.binance.simulated.wire import fixed

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
BAD_RECV_WINDOW = -1131
TOO_MANY_REQUESTS = -1003
UNKNOWN_ERROR = -1000

_TROUBLES = {
    Trouble.GARBLED: (400, wire.ILLEGAL_CHARACTERS, ""),
    Trouble.NO_ROUTE: (404, UNKNOWN_ERROR, "No such endpoint."),
    Trouble.WRONG_METHOD: (405, UNKNOWN_ERROR, "No such endpoint."),
    Trouble.FAILED: (500, UNKNOWN_ERROR, "An unknown error occurred while processing the request."),
    Trouble.LOST: (400, wire.UNEXPECTED_RESPONSE, "An unexpected response was received from the message bus."),
    Trouble.UNKNOWN: (400, wire.UNKNOWN_STATUS, "Timeout waiting for response from backend server."),
}
_STATUS = {
    "A": "PENDING_NEW", "0": "NEW", "1": "PARTIALLY_FILLED", "2": "FILLED", "4": "CANCELED", "8": "REJECTED",
    "C": "EXPIRED",
}  # fmt: skip
_TYPE = {
    MARKET: "MARKET", LIMIT: "LIMIT", PEGGED: "LIMIT", STOP: "STOP_LOSS", STOP_LIMIT: "STOP_LOSS_LIMIT",
}  # fmt: skip
_PEG = {MARKET_PEG: "MARKET_PEG", PRIMARY_PEG: "PRIMARY_PEG"}
TIME_IN_FORCE = {"1": "GTC", "3": "IOC", "4": "FOK"}
SELF_TRADE = {"1": "NONE", "2": "EXPIRE_TAKER", "3": "EXPIRE_MAKER", "4": "EXPIRE_BOTH"}


def refused(status: int, code: int, text: str) -> RestError:
    """An error as Binance writes it."""
    return RestError(status, {"code": code, "msg": text})


class BinanceRest:
    """A `RestApi`: who may ask, and what there is of orders, trades and balances. `more` are the other endpoints."""

    def __init__(self, venue: Venue, more: Mapping[tuple[str, str], Route]) -> None:
        self._venue = venue
        self._keys = {key.api_key: key for key in venue.settings.keys_for("rest")}
        self._weight = Window(60)
        routes = {
            ("GET", "ping"): Route(1, False, lambda account, p, now: {}),
            ("GET", "time"): Route(1, False, lambda account, p, now: {"serverTime": now.wall_ns // NS_PER_MS}),
            ("GET", "exchangeInfo"): Route(20, False, self._exchange_info),
            ("GET", "account"): Route(20, True, self._account),
            ("GET", "order"): Route(4, True, self._order),
            ("GET", "openOrders"): Route(6, True, self._open_orders),
            ("GET", "allOrders"): Route(20, True, self._all_orders),
            ("GET", "myTrades"): Route(20, True, self._my_trades),
        }
        self.routes: Mapping[tuple[str, str], Route] = {
            (method, f"/api/v3/{name}"): route for (method, name), route in {**routes, **more}.items()
        }

    # ---- what is said of a request

    def trouble(self, trouble: Trouble, text: str = "") -> RestError:
        status, code, words = _TROUBLES[trouble]
        return refused(status, code, text or words)

    def count(self, route: Route, now: Instant) -> None:
        limit = self._venue.settings.rest_weight_limit
        if self._weight.count(now.boot_ns, route.weight) > limit:
            text = f"Too much request weight used; current limit is {limit} per 1 MINUTE."
            raise refused(429, TOO_MANY_REQUESTS, text)

    def headers(self, now: Instant) -> list[tuple[str, str]]:
        return [("X-MBX-USED-WEIGHT-1M", str(self._weight.used(now.boot_ns)))]

    def authenticate(self, request: RestRequest, now: Instant) -> str:
        api_key = request.headers.get("x-mbx-apikey", "")
        if not api_key:
            raise refused(401, BAD_KEY_FORMAT, "API-key format invalid.")
        key = self._keys.get(api_key)
        if key is None:
            raise refused(401, wire.BAD_KEY, "Invalid API-key, IP, or permissions for action.")
        payload, _, signature = request.signed.rpartition("&signature=")
        if not payload:
            raise refused(400, wire.MISSING, missing("signature"))
        # The signature covers the bytes as they were sent, so the text is not decoded and encoded again.
        if not verifies(key, unquote_to_bytes(signature), payload.encode("ascii", "replace")):
            raise refused(400, wire.BAD_SIGNATURE, "Signature for this request is not valid.")
        timestamp_ms = whole(request.parameters, "timestamp")
        window_ms = whole(request.parameters, "recvWindow", DEFAULT_RECV_WINDOW_MS)
        if window_ms > MAX_RECV_WINDOW_MS:
            raise refused(400, BAD_RECV_WINDOW, "recvWindow must be less than 60000.")
        now_ms = now.wall_ns // NS_PER_MS
        if timestamp_ms >= now_ms + AHEAD_MS:
            raise refused(400, wire.BAD_TIME, "Timestamp for this request was 1000ms ahead of the server's time.")
        if now_ms - timestamp_ms > window_ms:
            raise refused(400, wire.BAD_TIME, "Timestamp for this request is outside of the recvWindow.")
        return key.account

    # ---- endpoints

    def _exchange_info(self, account: str, p: Parameters, now: Instant) -> Json:
        wanted = list(self._venue.state.instruments)
        if "symbol" in p:
            wanted = [symbol_of(self._venue, p)]
        elif "symbols" in p:
            try:
                wanted = msgspec.json.decode(p["symbols"].encode(), type=list[str])
            except msgspec.DecodeError:
                raise refused(
                    400, wire.ILLEGAL_CHARACTERS, "Illegal characters found in parameter 'symbols'."
                ) from None
        for symbol in wanted:
            symbol_of(self._venue, {"symbol": symbol})
        limit = self._venue.settings.rest_weight_limit
        return {
            "timezone": "UTC",
            "serverTime": now.wall_ns // NS_PER_MS,
            "rateLimits": [
                {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": limit},
                {
                    "rateLimitType": "ORDERS",
                    "interval": "SECOND",
                    "intervalNum": ORDER_WINDOW_S,
                    "limit": self._venue.settings.unfilled_order_limit,
                },
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

    def _order(self, account: str, p: Parameters, now: Instant) -> Json:
        found = find_order(self._venue, account, p)
        if found is None:
            raise refused(400, NO_SUCH_ORDER, "Order does not exist.")
        return order_json(found if isinstance(found, ClosedOrder) else closed_order(found))

    def _open_orders(self, account: str, p: Parameters, now: Instant) -> Json:
        symbols = [symbol_of(self._venue, p)] if p.get("symbol") else list(self._venue.state.instruments)
        return [
            order_json(closed_order(o)) for symbol in symbols for o in self._venue.state.open_orders(account, symbol)
        ]

    def _all_orders(self, account: str, p: Parameters, now: Instant) -> Json:
        symbol, limit = symbol_of(self._venue, p), row_limit(p)
        history = self._venue.history
        open_orders = [closed_order(o) for o in self._venue.state.open_orders(account, symbol)]
        if "orderId" in p:
            first = whole(p, "orderId")
            rows = history.orders(account, symbol, first, limit) + [o for o in open_orders if o.order_id >= first]
            rows = sorted(rows, key=lambda o: o.order_id)[:limit]
        else:
            start_ns = whole(p, "startTime", 0) * NS_PER_MS
            end_ns = whole(p, "endTime", NO_END_MS) * NS_PER_MS + NS_PER_MS
            rows = sorted(history.last_orders(account, symbol, MAX_ROWS) + open_orders, key=lambda o: o.order_id)
            rows = [o for o in rows if start_ns <= o.stamp_ns < end_ns]
            rows = rows[:limit] if "startTime" in p else rows[-limit:]
        return [order_json(o) for o in rows]

    def _my_trades(self, account: str, p: Parameters, now: Instant) -> Json:
        symbol, limit = symbol_of(self._venue, p), row_limit(p)
        history = self._venue.history
        if "fromId" in p and ("startTime" in p or "endTime" in p):
            raise refused(400, wire.BAD_COMBINATION, "Combination of optional parameters invalid.")
        if "orderId" in p:
            first = whole(p, "fromId", 0)
            rows = [
                t
                for t in history.trades_of(account, whole(p, "orderId"))
                if t.trade_id >= first and t.symbol == symbol
            ]
            rows = rows[:limit]
        elif "fromId" in p:
            rows = history.trades(account, symbol, whole(p, "fromId"), limit)
        else:
            start_ns = whole(p, "startTime", 0) * NS_PER_MS
            end_ns = whole(p, "endTime", NO_END_MS) * NS_PER_MS + NS_PER_MS
            rows = [t for t in history.last_trades(account, symbol, MAX_ROWS) if start_ns <= t.stamp_ns < end_ns]
            rows = rows[:limit] if "startTime" in p else rows[-limit:]
        return [_trade_json(t) for t in rows]


def order_json(o: ClosedOrder) -> dict[str, object]:
    """An order as REST shows it."""
    t = o.terms
    # What an order that is paid sells nobody knows yet.
    qty = {} if t.paid else {"origQty": fixed(t.order_qty)}
    return {
        "symbol": t.symbol,
        "orderId": o.order_id,
        "orderListId": t.list_id or -1,
        "clientOrderId": t.cl_ord_id,
        "price": fixed(Decimal(0) if t.is_pegged else t.price or Decimal(0)),
        **qty,
        "executedQty": fixed(o.cum_qty),
        "cummulativeQuoteQty": fixed(o.cum_quote),
        "status": _STATUS[o.ord_status],
        "timeInForce": TIME_IN_FORCE[t.time_in_force],
        "type": _type_of(t),
        "side": "BUY" if t.side == BUY else "SELL",
        "stopPrice": fixed(t.stop_px or Decimal(0)),
        "icebergQty": fixed(t.display_qty or Decimal(0)),
        "time": o.stamp_ns // NS_PER_MS,
        "updateTime": o.updated_ns // NS_PER_MS,
        "isWorking": True,
        "workingTime": o.stamp_ns // NS_PER_MS,
        "origQuoteOrderQty": fixed(t.cash_qty or Decimal(0)),
        "selfTradePreventionMode": SELF_TRADE[t.self_trade],
        **_peg_json(t),
    }


def _type_of(t: Terms) -> str:
    """An order's type as REST names it."""
    kind = "LIMIT_MAKER" if t.post_only else _TYPE[t.ord_type]
    return kind.replace("STOP_LOSS", "TAKE_PROFIT") if t.take_profit else kind


def _peg_json(t: Terms) -> dict[str, object]:
    """What is told of trailing and pegged orders alone."""
    if t.is_trailing and t.peg_offset is not None:
        return {"trailingDelta": int(t.peg_offset)}
    if not t.is_pegged:
        return {}
    row: dict[str, object] = {"pegPriceType": _PEG[t.peg_price_type], "peggedPrice": fixed(t.price or Decimal(0))}
    if t.peg_offset is not None:
        row |= {"pegOffsetType": "PRICE_LEVEL", "pegOffsetValue": int(t.peg_offset)}
    return row


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
        "orderTypes": [
            "LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT",
        ],
        "icebergAllowed": True,
        "ocoAllowed": False,
        "otoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": True,
        "pegInstructionsAllowed": True,
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
                "filterType": "TRAILING_DELTA",
                "minTrailingAboveDelta": wire.LEAST_TRAILING_DELTA,
                "maxTrailingAboveDelta": wire.MOST_TRAILING_DELTA,
                "minTrailingBelowDelta": wire.LEAST_TRAILING_DELTA,
                "maxTrailingBelowDelta": wire.MOST_TRAILING_DELTA,
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
        "allowedSelfTradePreventionModes": list(SELF_TRADE.values()),
    }


def symbol_of(venue: Venue, p: Parameters) -> str:
    """The symbol that is asked for. Raises RestError."""
    symbol = p.get("symbol", "")
    if not symbol:
        raise refused(400, wire.MISSING, missing("symbol"))
    if symbol not in venue.state.instruments:
        raise refused(400, wire.BAD_SYMBOL, "Invalid symbol.")
    return symbol


def find_order(venue: Venue, account: str, p: Parameters) -> Order | ClosedOrder | None:
    """The order that `orderId`, `origClientOrderId` or both name. Raises RestError where neither is given."""
    symbol = symbol_of(venue, p)
    order_id, name = p.get("orderId", ""), p.get("origClientOrderId", "")
    if not order_id and not name:
        text = "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"
        raise refused(400, wire.MISSING, text)
    if order_id:
        whole(p, "orderId")
    found = venue.find(account, symbol, order_id, name)
    if found is None or (name and found.terms.cl_ord_id != name):
        return None
    return found


def missing(name: str) -> str:
    """What is said of a parameter that has to be there."""
    return f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."


def whole(p: Parameters, name: str, default: int | None = None) -> int:
    """A parameter as a number of at most 18 digits. Raises RestError where it is none, or missing without `default`."""
    value = p.get(name, "")
    if not value and default is not None:
        return default
    if not value:
        raise refused(400, wire.MISSING, missing(name))
    if not value.isdecimal() or len(value) > 18:
        raise refused(400, wire.ILLEGAL_CHARACTERS, f"Illegal characters found in parameter '{name}'.")
    return int(value)


def row_limit(p: Parameters) -> int:
    """How many rows are asked for, at most as many as there may be. Raises RestError."""
    return max(1, min(whole(p, "limit", DEFAULT_ROWS), MAX_ROWS))

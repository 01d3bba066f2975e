"""Bullish's REST side, as much as a desk asks of it.

Source: api.exchange.bullish.com/docs/api/rest, as of 2025. Who asks logs in with a signature by his key's secret, and
then shows the token that he got; lists come by the page.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from datetime import datetime

from common.exchange.history import ClosedOrder, TradeRow, closed_order
from common.exchange.limits import Window
from common.exchange.order import BUY, MARKET, Order
from common.exchange.rest import LAST, Json, Parameters, RestError, RestRequest, Route, Trouble
from common.exchange.venue import Venue
from common.instant import NS_PER_MS, NS_PER_S, Instant

ROOT = "/trading-api"
LOGIN = f"{ROOT}/v1/users/hmac/login"
TOKEN_LIFE_NS = 24 * 3600 * NS_PER_S
PAGE, MOST_ROWS = 25, 100_000
CANCEL_ALL = "V1CancelAllOrdersByMarket"
_TROUBLES = {
    Trouble.GARBLED: (400, 8000, "BAD_REQUEST"),
    Trouble.NO_ROUTE: (404, 8001, "NOT_FOUND"),
    Trouble.WRONG_METHOD: (405, 8001, "NOT_FOUND"),
    Trouble.FAILED: (500, 8002, "INTERNAL_ERROR"),
    Trouble.LOST: (500, 8002, "INTERNAL_ERROR"),
    Trouble.UNKNOWN: (500, 8002, "INTERNAL_ERROR"),
}
_STATUS = {"0": "OPEN", "1": "OPEN", "2": "CLOSED", "4": "CANCELLED", "C": "CANCELLED"}


Answer = Callable[[str, Parameters, Instant], Json]


def refused(status: int, code: int, message: str) -> RestError:
    """An error as Bullish writes it."""
    return RestError(status, {"message": message, "raw": None, "errorCode": code, "errorCodeName": message})


class BullishRest:
    """A `RestApi`."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._keys = {key.api_key: key for key in venue.settings.keys_for("rest")}
        self._tokens: dict[str, tuple[str, int]] = {}
        self._weight = Window(60)
        private = {
            "v1/users/hmac/login": self._login, "v2/orders": self._orders, "v2/history/orders": self._orders,
            "v1/history/trades": self._trades, f"v1/trades/{LAST}": self._trade, "v1/accounts/asset": self._balances,
        }  # fmt: skip
        routes = {("GET", f"{ROOT}/{path}"): Route(1, True, answer) for path, answer in private.items()}
        routes[("POST", f"{ROOT}/v2/command")] = Route(1, True, self._command)
        routes[("GET", f"{ROOT}/v1/time")] = Route(1, False, self._time)
        for each in venue.settings.instruments:
            market = f"{ROOT}/v1/markets/{each.symbol}"
            routes[("GET", market)] = Route(1, False, _market_of(each.symbol, each.base, each.quote))
            routes[("GET", f"{market}/tick")] = Route(1, False, self._ticker_of(each.symbol))
        self.routes: Mapping[tuple[str, str], Route] = routes

    # ---- what is said of a request

    def trouble(self, trouble: Trouble, text: str = "") -> RestError:
        status, code, message = _TROUBLES[trouble]
        return refused(status, code, text or message)

    def count(self, route: Route, now: Instant) -> None:
        if self._weight.count(now.boot_ns, route.weight) > self._venue.settings.rest_weight_limit:
            raise refused(429, 8003, "TOO_MANY_REQUESTS")

    def headers(self, now: Instant) -> list[tuple[str, str]]:
        return []

    def authenticate(self, request: RestRequest, now: Instant) -> str:
        if request.path == LOGIN:
            return self._signer(request)
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        account, until_ns = self._tokens.get(token, ("", 0))
        if until_ns <= now.wall_ns:
            raise RestError(401, {"message": "Unauthorized"})
        if request.method == "POST" and not self._is_signed(request, account):
            raise refused(401, 8005, "BAD_SIGNATURE")
        return account

    def _signer(self, request: RestRequest) -> str:
        headers = request.headers
        key = self._keys.get(headers.get("bx-public-key", ""))
        text = f"{headers.get('bx-timestamp')}{headers.get('bx-nonce')}{request.method}{request.path}"
        told = headers.get("bx-signature", "")
        if key is None or not hmac.compare_digest(hmac.digest(key.secret, text.encode(), "sha256").hex(), told):
            raise refused(401, 8005, "BAD_SIGNATURE")
        return key.account

    def _is_signed(self, request: RestRequest, account: str) -> bool:
        """What changes something is signed with its body, each time."""
        headers = request.headers
        text = f"{headers.get('bx-timestamp')}{headers.get('bx-nonce')}{request.method}{request.path}{request.body}"
        digest = hashlib.sha256(text.encode()).hexdigest().encode()
        told = headers.get("bx-signature", "")
        secrets = [key.secret for key in self._keys.values() if key.account == account]
        return any(hmac.compare_digest(hmac.digest(each, digest, "sha256").hex(), told) for each in secrets)

    # ---- endpoints

    def _login(self, account: str, p: Parameters, now: Instant) -> Json:
        token = hashlib.sha256(f"{account} {self._venue.unique()}".encode()).hexdigest()
        self._tokens[token] = (account, now.wall_ns + TOKEN_LIFE_NS)
        return {"authorizer": account, "token": token}

    def _time(self, account: str, p: Parameters, now: Instant) -> Json:
        return {"timestamp": now.wall_ns // NS_PER_MS}

    def _ticker_of(self, symbol: str) -> Answer:
        def answer(account: str, p: Parameters, now: Instant) -> Json:
            book = self._venue.state.books[symbol]
            bid, offer = book.bids.best(), book.asks.best()
            return {
                "bestBid": f"{bid.price:f}" if bid else None,
                "bidVolume": f"{bid.qty:f}" if bid else None,
                "bestAsk": f"{offer.price:f}" if offer else None,
                "askVolume": f"{offer.qty:f}" if offer else None,
                "last": f"{book.last_px:f}" if book.last_px else None,
            }

        return answer

    def _orders(self, account: str, p: Parameters, now: Instant) -> Json:
        """Of one name or id, whatever has become of it; else those that are open."""
        state, symbol = self._venue.state, p.get("symbol", "")
        if p.get("orderId") or p.get("clientOrderId"):
            found = self._venue.find(account, symbol, p.get("orderId", ""), p.get("clientOrderId", ""))
            rows = [] if found is None else [closed_order(found) if isinstance(found, Order) else found]
        else:
            symbols = [symbol] if symbol else list(state.instruments)
            rows = [closed_order(o) for each in symbols for o in state.open_orders(account, each)]
        return _paged([_order_row(o) for o in rows], p)

    def _trades(self, account: str, p: Parameters, now: Instant) -> Json:
        """The newest come first."""
        since_ms = _when_ms(p.get("createdAtDatetime[gte]", ""))
        rows = self._venue.history.last_trades(account, p.get("symbol", ""), MOST_ROWS)
        order_id = p.get("orderId", "")
        wanted = [t for t in rows if t.stamp_ns // NS_PER_MS >= since_ms and order_id in ("", str(t.order_id))]
        return _paged([_trade_row(t) for t in sorted(wanted, key=lambda t: -t.exec_id)], p)

    def _trade(self, account: str, p: Parameters, now: Instant) -> Json:
        for symbol in self._venue.state.instruments:
            for row in self._venue.history.last_trades(account, symbol, MOST_ROWS):
                if str(row.exec_id) == p[LAST]:
                    return _trade_row(row)
        raise refused(404, 8001, "NOT_FOUND")

    def _balances(self, account: str, p: Parameters, now: Instant) -> Json:
        balances = self._venue.state.accounts.balances
        return [
            {"assetSymbol": asset, "availableQuantity": f"{b.free:f}", "lockedQuantity": f"{b.locked:f}"}
            for (owner, asset), b in balances.items()
            if owner == account
        ]

    def _command(self, account: str, p: Parameters, now: Instant) -> Json:
        if p.get("commandType") != CANCEL_ALL or p.get("symbol") not in self._venue.state.instruments:
            raise refused(400, 8000, "BAD_REQUEST")
        self._venue.engine.cancel_all(account, p["symbol"], now)
        return {"message": "Command acknowledged - CancelAllOrders", "requestId": self._venue.unique()}


def _market_of(symbol: str, base: str, quote: str) -> Answer:
    return lambda account, p, now: {"symbol": symbol, "baseSymbol": base, "quoteSymbol": quote}


def _paged(rows: list[Json], p: Parameters) -> Json:
    """A page of them, and where the next one is."""
    at, size = int(p.get("_nextPage") or 0), int(p.get("_pageSize") or PAGE)
    if p.get("_metaData") != "true":
        return rows[at : at + size]
    links = {"next": f"?_nextPage={at + size}"} if at + size < len(rows) else {}
    return {"data": rows[at : at + size], "links": links}


def _when_ms(text: str) -> int:
    if not text:
        return 0
    try:
        return round(datetime.fromisoformat(text).timestamp() * 1000)
    except ValueError:
        raise refused(400, 8000, "BAD_REQUEST") from None


def _order_row(o: ClosedOrder) -> Json:
    t = o.terms
    return {
        "clientOrderId": t.cl_ord_id,
        "orderId": str(o.order_id),
        "symbol": t.symbol,
        "price": None if t.price is None else f"{t.price:f}",
        "quantity": f"{t.order_qty:f}",
        "quantityFilled": f"{o.cum_qty:f}",
        "side": "BUY" if t.side == BUY else "SELL",
        "type": "POST_ONLY" if t.post_only else "MKT" if t.ord_type == MARKET else "LMT",
        "status": _STATUS[o.ord_status],
        "createdAtTimestamp": str(o.stamp_ns // NS_PER_MS),
    }


def _trade_row(t: TradeRow) -> Json:
    fee = {"baseFee": "0", "quoteFee": "0"} | {"baseFee" if t.side == BUY else "quoteFee": f"{t.fee:f}"}
    return {
        "tradeId": str(t.exec_id),
        "orderId": str(t.order_id),
        "symbol": t.symbol,
        "price": f"{t.px:f}",
        "quantity": f"{t.qty:f}",
        "side": "BUY" if t.side == BUY else "SELL",
        "isTaker": not t.maker,
        "createdAtTimestamp": str(t.stamp_ns // NS_PER_MS),
        **fee,
    }

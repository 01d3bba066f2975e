"""Gemini's REST side, as much as a desk asks of it.

Source: developer.gemini.com/trading/rest-api. A private request has its parameters as base64 of JSON in a header, which
is signed with HMAC-SHA-384 by the secret as it is; its nonce has to grow. Errors are `{"result": "error", ...}`.
"""

import base64
import binascii
import hmac
from collections.abc import Mapping
from email.utils import formatdate

import msgspec

from common.exchange.history import ClosedOrder, TradeRow, closed_order
from common.exchange.limits import Window
from common.exchange.numbers import digits
from common.exchange.order import BUY, CANCELED, LIMIT, MARKET, NEW, PARTIALLY_FILLED, STOP_LIMIT, Order
from common.exchange.rest import Json, Parameters, RestError, RestRequest, Route, Trouble
from common.exchange.settings import Key
from common.exchange.venue import Venue
from common.instant import NS_PER_MS, NS_PER_S, Instant

ACCOUNT = "account-"
"""How the keys of accounts begin, which those that a simulated venue is given need not."""

REQUESTS_PER_MINUTE = 600
MOST_ROWS, DEFAULT_ROWS = 500, 50
SECONDS_END = 10**11
"""A time below this is in seconds, one from it on in milliseconds."""

NEWEST = 1 << 62
_TYPES = {MARKET: "exchange market", LIMIT: "exchange limit", STOP_LIMIT: "stop-limit"}
OPTIONS = {"3": "immediate-or-cancel", "4": "fill-or-kill"}

_TROUBLES = {
    Trouble.GARBLED: (400, "InvalidJson", "The JSON provided is invalid"),
    Trouble.NO_ROUTE: (404, "EndpointNotFound", "No endpoint was specified"),
    Trouble.WRONG_METHOD: (404, "EndpointNotFound", "No endpoint was specified"),
    Trouble.FAILED: (500, "System", "We are experiencing technical issues"),
    Trouble.LOST: (500, "System", "We are experiencing technical issues"),
    Trouble.UNKNOWN: (500, "System", "We are experiencing technical issues"),
}


def refused(status: int, reason: str, message: str) -> RestError:
    """An error as the venue writes it."""
    return RestError(status, {"result": "error", "reason": reason, "message": message})


class GeminiRest:
    """A `RestApi`."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._keys = {key.api_key: key for key in venue.settings.keys_for("rest")}
        self._nonces: dict[str, int] = {}
        self._asked = Window(60)
        self.routes: Mapping[tuple[str, str], Route] = {
            ("GET", "/v1/symbols"): Route(1, False, self._symbols),
            ("POST", "/v1/order/status"): Route(1, True, self._status),
            ("POST", "/v1/orders"): Route(1, True, self._orders),
            ("POST", "/v1/mytrades"): Route(1, True, self._trades),
            ("POST", "/v1/balances"): Route(1, True, self._balances),
            ("POST", "/v1/order/cancel/all"): Route(1, True, self._cancel_all),
        }

    # ---- what is said of a request

    def trouble(self, trouble: Trouble, text: str = "") -> RestError:
        status, reason, message = _TROUBLES[trouble]
        return refused(status, reason, text or message)

    def count(self, route: Route, now: Instant) -> None:
        if self._asked.count(now.boot_ns, route.weight) > REQUESTS_PER_MINUTE:
            raise refused(429, "RateLimit", "Requests were made too frequently")

    def headers(self, now: Instant) -> list[tuple[str, str]]:
        return [("Date", formatdate(now.wall_ns // NS_PER_S, usegmt=True))]

    def authenticate(self, request: RestRequest, now: Instant) -> str:
        """The parameters stand in the header that is signed, and become the request's."""
        told, payload = request.headers, request.headers.get("x-gemini-payload", "")
        key = self._keys.get(told.get("x-gemini-apikey", "").removeprefix(ACCOUNT))
        if key is None:
            raise refused(400, "InvalidApiKey", "InvalidApiKey")
        ours = hmac.new(key.secret, payload.encode("latin-1"), "sha384").hexdigest()
        if not hmac.compare_digest(ours, told.get("x-gemini-signature", "")):
            raise refused(400, "InvalidSignature", "InvalidSignature")
        asked = _payload(payload)
        if asked.pop("request", "") != request.path:
            raise refused(400, "EndpointMismatch", "The payload names another endpoint")
        self._count_nonce(key, asked.pop("nonce", ""))
        request.parameters.clear()
        request.parameters.update(asked)
        return key.account

    def _count_nonce(self, key: Key, nonce: str) -> None:
        last = self._nonces.get(key.api_key, 0)
        if not nonce.isdecimal() or int(nonce) <= last:
            raise refused(400, "InvalidNonce", f"Nonce '{nonce}' has not increased since your last call '{last}'")
        self._nonces[key.api_key] = int(nonce)

    # ---- endpoints

    def _symbols(self, account: str, p: Parameters, now: Instant) -> Json:
        return [symbol.lower() for symbol in self._venue.state.instruments]

    def _symbol(self, p: Parameters) -> str:
        symbol = p.get("symbol", "").upper()
        if symbol not in self._venue.state.instruments:
            raise refused(400, "InvalidSymbol", f"Supplied value '{p.get('symbol', '')}' is not a valid symbol")
        return symbol

    def _status(self, account: str, p: Parameters, now: Instant) -> Json:
        """By the venue's id, or all of the client's name: a list then."""
        order_id, name = p.get("order_id", ""), p.get("client_order_id", "")
        found = self._venue.find(account, "", order_id, "" if order_id else name)
        if found is None:
            raise refused(404, "OrderNotFound", f"Order {order_id or name} not found")
        row = _order_json(found if isinstance(found, ClosedOrder) else closed_order(found))
        if p.get("include_trades") == "True":
            row["trades"] = [_trade_json(t) for t in self._venue.history.trades_of(account, found.order_id)]
        return row if order_id else [row]

    def _orders(self, account: str, p: Parameters, now: Instant) -> Json:
        return [_order_json(closed_order(order)) for order in self._open(account)]

    def _open(self, account: str) -> list[Order]:
        state = self._venue.state
        return [order for symbol in state.instruments for order in state.open_orders(account, symbol)]

    def _cancel_all(self, account: str, p: Parameters, now: Instant) -> Json:
        engine = self._venue.engine
        symbols = list(self._venue.state.instruments)
        cancelled = [order.order_id for symbol in symbols for order in engine.cancel_all(account, symbol, now)]
        return {"result": "ok", "details": {"cancelledOrders": cancelled, "cancelRejects": []}}

    def _trades(self, account: str, p: Parameters, now: Instant) -> Json:
        """The oldest from a time on, or the newest where none is told; the newest first in either case."""
        symbol, limit = self._symbol(p), min(int(p.get("limit_trades", DEFAULT_ROWS)), MOST_ROWS)
        rows = self._venue.history.trades(account, symbol, 0, NEWEST)
        since = int(p.get("timestamp", 0))
        since_ns = since * (NS_PER_S if since < SECONDS_END else NS_PER_MS)
        rows = sorted((t for t in rows if t.stamp_ns >= since_ns), key=lambda t: t.exec_id)
        told = rows[:limit] if "timestamp" in p else rows[-limit:]
        return [_trade_json(t) for t in reversed(told)]

    def _balances(self, account: str, p: Parameters, now: Instant) -> Json:
        return [
            {
                "type": "exchange",
                "currency": asset,
                "amount": digits(balance.free + balance.locked),
                "available": digits(balance.free),
                "availableForWithdrawal": digits(balance.free),
            }
            for (owner, asset), balance in self._venue.state.accounts.balances.items()
            if owner == account
        ]


def _payload(text: str) -> dict[str, str]:
    """The parameters of a private request. Raises RestError."""
    try:
        told = msgspec.json.decode(base64.b64decode(text), type=dict[str, str | int | float | bool | None])
    except (msgspec.DecodeError, binascii.Error):
        raise refused(400, "InvalidJson", "The JSON provided is invalid") from None
    return {name: str(value) for name, value in told.items()}


def _order_json(o: ClosedOrder) -> dict[str, object]:
    t, average = o.terms, o.cum_quote / o.cum_qty if o.cum_qty else o.cum_qty
    option = "maker-or-cancel" if t.post_only else OPTIONS.get(t.time_in_force, "")
    row: dict[str, object] = {
        "order_id": str(o.order_id),
        "id": str(o.order_id),
        "symbol": t.symbol.lower(),
        "exchange": "gemini",
        "avg_execution_price": f"{average:.2f}",
        "side": "buy" if t.side == BUY else "sell",
        "type": _TYPES[t.ord_type],
        "timestamp": str(o.stamp_ns // NS_PER_S),
        "timestampms": o.stamp_ns // NS_PER_MS,
        "is_live": o.ord_status in (NEW, PARTIALLY_FILLED),
        "is_cancelled": o.ord_status == CANCELED,
        "is_hidden": False,
        "was_forced": False,
        "executed_amount": digits(o.cum_qty),
        "client_order_id": t.cl_ord_id,
        "options": [option] if option else [],
    }
    if t.cash_qty is None:
        row |= {"original_amount": digits(t.order_qty), "remaining_amount": digits(t.order_qty - o.cum_qty)}
    if t.stop_px is not None:
        row["stop_price"] = digits(t.stop_px)
    return row if t.price is None else {**row, "price": digits(t.price)}


def _trade_json(t: TradeRow) -> Json:
    return {
        "price": digits(t.px),
        "amount": digits(t.qty),
        "timestamp": t.stamp_ns // NS_PER_S,
        "timestampms": t.stamp_ns // NS_PER_MS,
        "type": "Buy" if t.side == BUY else "Sell",
        "aggressor": not t.maker,
        "fee_currency": t.fee_asset,
        "fee_amount": digits(t.fee),
        "tid": t.exec_id,
        "order_id": str(t.order_id),
        "client_order_id": t.cl_ord_id,
        "exchange": "gemini",
        "is_auction_fill": False,
    }

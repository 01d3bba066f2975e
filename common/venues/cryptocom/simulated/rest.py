"""Crypto.com's REST side, as much as a desk asks of it.

Source: exchange-developer.crypto.com, Exchange REST v1, as of 2026. A private request is a POST of a JSON object with
its method, parameters and nonce, signed over all of them; an answer has the code 0, or an error's with HTTP's own.
"""

import hmac
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from common.exchange.history import ClosedOrder, TradeRow, closed_order
from common.exchange.limits import Window
from common.exchange.order import BUY, MARKET, Order
from common.exchange.rest import Json, Parameters, RestError, RestRequest, Route, Trouble
from common.exchange.venue import Venue
from common.instant import NS_PER_MS, Instant
from common.venues.cryptocom.simulated.door import NONCE_WINDOW_MS

PAGE = 100
LOOKED_THROUGH = 100_000
SPAN_MS = 86_400_000
NOT_FOUND = (200, 40401, "NOT_FOUND")
_TROUBLES = {
    Trouble.GARBLED: (400, 40001, "BAD_REQUEST"),
    Trouble.NO_ROUTE: (400, 40003, "INVALID_REQUEST"),
    Trouble.WRONG_METHOD: (400, 40002, "METHOD_NOT_FOUND"),
    Trouble.FAILED: (500, 50001, "ERR_INTERNAL"),
    Trouble.LOST: (500, 50001, "ERR_INTERNAL"),
    Trouble.UNKNOWN: (500, 50001, "ERR_INTERNAL"),
}
_STATUS = {"0": "ACTIVE", "1": "ACTIVE", "2": "FILLED", "4": "CANCELED", "C": "EXPIRED"}


def refused(status: int, code: int, message: str) -> RestError:
    """An error as Crypto.com writes it."""
    return RestError(status, {"id": -1, "code": code, "message": message})


class CryptocomRest:
    """A `RestApi`."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._keys = {key.api_key: key for key in venue.settings.keys_for("rest")}
        self._weight = Window(60)
        private = {
            "get-order-detail": self._order, "get-open-orders": self._open_orders, "get-trades": self._trades,
            "user-balance": self._balances, "cancel-all-orders": self._cancel_all, "cancel-order": self._cancel,
        }  # fmt: skip
        routes = {("GET", "/public/get-book"): Route(1, False, self._book)}
        routes |= {("POST", f"/private/{name}"): Route(1, True, answer) for name, answer in private.items()}
        self.routes: Mapping[tuple[str, str], Route] = routes

    # ---- what is said of a request

    def trouble(self, trouble: Trouble, text: str = "") -> RestError:
        status, code, message = _TROUBLES[trouble]
        return refused(status, code, text or message)

    def count(self, route: Route, now: Instant) -> None:
        if self._weight.count(now.boot_ns, route.weight) > self._venue.settings.rest_weight_limit:
            raise refused(429, 42901, "RATE_LIMIT")

    def headers(self, now: Instant) -> list[tuple[str, str]]:
        return []

    def authenticate(self, request: RestRequest, now: Instant) -> str:
        try:
            told: dict[str, Any] = dict(json.loads(request.body))
        except (ValueError, TypeError):
            raise refused(400, 40001, "BAD_REQUEST") from None
        key = self._keys.get(str(told.get("api_key")))
        if key is None:
            raise refused(401, 40101, "UNAUTHORIZED")
        nonce, params = str(told.get("nonce", "")), told.get("params")
        text = _flat(params) if isinstance(params, dict) else ""
        payload = f"{told.get('method')}{told.get('id')}{key.api_key}{text}{nonce}"
        wanted = hmac.digest(key.secret, payload.encode(), "sha256").hex()
        if f"/{told.get('method')}" != request.path or not hmac.compare_digest(wanted, str(told.get("sig"))):
            raise refused(401, 40101, "UNAUTHORIZED")
        if not nonce.isdecimal() or abs(int(nonce[:18]) - now.wall_ns // NS_PER_MS) > NONCE_WINDOW_MS:
            raise refused(400, 40102, "INVALID_NONCE")
        return key.account

    # ---- endpoints

    def _book(self, account: str, p: Parameters, now: Instant) -> Json:
        symbol = p.get("instrument_name", "")
        book = self._venue.state.books.get(symbol)
        if book is None:
            raise refused(400, 40004, "Invalid instrument_name")
        bid, ask = book.bids.best(), book.asks.best()
        sides = {
            name: [[f"{level.price:f}", f"{level.qty:f}", "1"]] if level else []
            for name, level in (("bids", bid), ("asks", ask))
        }
        row = {**sides, "t": now.wall_ns // NS_PER_MS}
        return _answer({"instrument_name": symbol, "depth": 1, "data": [row]})

    def _order(self, account: str, p: Parameters, now: Instant) -> Json:
        return _answer(_order_row(self._named(account, p)))

    def _named(self, account: str, p: Parameters) -> ClosedOrder:
        found = self._venue.find(account, "", p.get("order_id", ""), p.get("client_oid", ""))
        if found is None:
            raise refused(*NOT_FOUND)
        return closed_order(found) if isinstance(found, Order) else found

    def _open_orders(self, account: str, p: Parameters, now: Instant) -> Json:
        state, symbol = self._venue.state, p.get("instrument_name", "")
        symbols = [symbol] if symbol else list(state.instruments)
        orders = [closed_order(o) for each in symbols for o in state.open_orders(account, each)]
        return _answer({"data": [_order_row(o) for o in orders]})

    def _trades(self, account: str, p: Parameters, now: Instant) -> Json:
        """The newest come first, of at most a day, from `start_time` on and before `end_time`."""
        end_ms = _whole(p, "end_time") or now.wall_ns // NS_PER_MS + 1
        start_ms = _whole(p, "start_time") or end_ms - SPAN_MS
        if end_ms - start_ms > SPAN_MS:
            raise refused(400, 40005, "INVALID_DATE")
        rows = self._venue.history.last_trades(account, p.get("instrument_name", ""), LOOKED_THROUGH)
        found = [t for t in rows if start_ms <= t.stamp_ns // NS_PER_MS < end_ms]
        found.sort(key=lambda t: t.exec_id, reverse=True)
        return _answer({"data": [_trade_row(t) for t in found[: _whole(p, "limit") or PAGE]]})

    def _balances(self, account: str, p: Parameters, now: Instant) -> Json:
        balances = self._venue.state.accounts.balances
        rows = [
            {"instrument_name": asset, "quantity": f"{b.free + b.locked:f}", "reserved_qty": f"{b.locked:f}"}
            for (owner, asset), b in balances.items()
            if owner == account
        ]
        return _answer({"data": [{"instrument_name": "USD", "position_balances": rows}]})

    def _cancel_all(self, account: str, p: Parameters, now: Instant) -> Json:
        """It says that the request is in, and no more."""
        state, symbol = self._venue.state, p.get("instrument_name", "")
        for each in [symbol] if symbol else list(state.instruments):
            self._venue.engine.cancel_all(account, each, now)
        return {"id": 0, "method": "private/cancel-all-orders", "code": 0}

    def _cancel(self, account: str, p: Parameters, now: Instant) -> Json:
        order = self._venue.state.orders.get(_whole(p, "order_id"))
        if order is None or order.account != account:
            raise refused(400, 212, "INVALID_ORDER_ID")
        self._venue.engine.cancel(order, now)
        return _answer({"order_id": str(order.order_id), "client_oid": order.cl_ord_id})


def _answer(result: Json) -> Json:
    return {"id": 0, "code": 0, "result": result}


def _flat(params: dict[str, Any]) -> str:
    """The parameters as they are signed: names in order, each with its value behind it."""
    return "".join(f"{name}{params[name]}" for name in sorted(params))


def _order_row(o: ClosedOrder) -> Json:
    t = o.terms
    return {
        "order_id": str(o.order_id),
        "client_oid": t.cl_ord_id,
        "order_type": "MARKET" if t.ord_type == MARKET else "LIMIT",
        "side": "BUY" if t.side == BUY else "SELL",
        "quantity": f"{t.order_qty:f}",
        "limit_price": f"{t.price or Decimal(0):f}",
        "cumulative_quantity": f"{o.cum_qty:f}",
        "cumulative_value": f"{o.cum_quote:f}",
        "status": _STATUS[o.ord_status],
        "instrument_name": t.symbol,
        "create_time": o.stamp_ns // NS_PER_MS,
        "update_time": o.updated_ns // NS_PER_MS,
    }


def _trade_row(t: TradeRow) -> Json:
    return {
        "side": "BUY" if t.side == BUY else "SELL",
        "instrument_name": t.symbol,
        "fees": f"{-t.fee:f}",
        "trade_id": str(t.exec_id),
        "trade_match_id": str(t.trade_id),
        "create_time": t.stamp_ns // NS_PER_MS,
        "create_time_ns": str(t.stamp_ns),
        "traded_price": f"{t.px:f}",
        "traded_quantity": f"{t.qty:f}",
        "fee_instrument_name": t.fee_asset,
        "client_oid": t.cl_ord_id,
        "taker_side": "MAKER" if t.maker else "TAKER",
        "order_id": str(t.order_id),
    }


def _whole(p: Parameters, name: str) -> int:
    value = p.get(name, "") or "0"
    if not value.isdecimal() or len(value) > 18:
        raise refused(400, 40004, f"Invalid {name}")
    return int(value)

"""HTX's REST side, as much as a desk asks of it.

Source: HTX's pages on its Spot REST, as of 2025. A private request is signed in its query, over method, host, path and
the query's other names in order; every answer is 200 with a status.
"""

import base64
import binascii
from collections.abc import Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from common.exchange.history import ClosedOrder, TradeRow, closed_order
from common.exchange.limits import Window
from common.exchange.order import BUY, Order
from common.exchange.rest import LAST, Json, Parameters, RestError, RestRequest, Route, Trouble
from common.exchange.venue import Venue
from common.instant import NS_PER_MS, Instant
from common.venues.htx.simulated.reports import symbol_of, type_of

PAGE = 100
MOST_ROWS = 100_000
MOST_CANCELS = 100
NO_SUCH_ORDER = "base-record-invalid"
_STATES = {"0": "submitted", "1": "partial-filled", "2": "filled", "4": "canceled", "C": "canceled"}


def refused(code: str) -> RestError:
    """An error as HTX writes it."""
    return RestError(200, {"status": "error", "err-code": code, "err-msg": code, "data": None})


class HtxRest:
    """A `RestApi`."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._keys = {key.api_key: key for key in venue.settings.keys_for("rest")}
        self._weight = Window(60)
        routes = {("GET", "/v1/common/timestamp"): Route(1, False, self._time)}
        private = {
            "orders/getClientOrder": self._order, f"orders/{LAST}": self._order, "openOrders": self._open_orders,
            "matchresults": self._trades,
        }  # fmt: skip
        routes |= {("GET", f"/v1/order/{path}"): Route(1, True, answer) for path, answer in private.items()}
        for key in venue.settings.keys_for("rest"):
            routes[("GET", f"/v1/account/accounts/{key.account_id}/balance")] = Route(1, True, self._balances)
        routes[("POST", "/v1/order/orders/batchCancelOpenOrders")] = Route(1, True, self._cancel_all)
        self.routes: Mapping[tuple[str, str], Route] = routes

    # ---- what is said of a request

    def trouble(self, trouble: Trouble, text: str = "") -> RestError:
        return refused(text or "system-error")

    def count(self, route: Route, now: Instant) -> None:
        if self._weight.count(now.boot_ns, route.weight) > self._venue.settings.rest_weight_limit:
            raise refused("exceeded-rate-limit")

    def headers(self, now: Instant) -> list[tuple[str, str]]:
        return []

    def authenticate(self, request: RestRequest, now: Instant) -> str:
        key = self._keys.get(request.parameters.get("AccessKeyId", ""))
        query = request.target.partition("?")[2].partition("&Signature=")[0]
        signed = f"{request.method}\n{request.headers.get('host', '')}\n{request.path}\n{query}"
        if key is None or query != "&".join(sorted(query.split("&"))):
            raise refused("api-signature-not-valid")
        try:
            signature = base64.b64decode(request.parameters.get("Signature", ""), validate=True)
            Ed25519PublicKey.from_public_bytes(key.public_key).verify(signature, signed.encode())
        except (binascii.Error, ValueError, InvalidSignature):
            raise refused("api-signature-not-valid") from None
        return key.account

    # ---- endpoints

    def _time(self, account: str, p: Parameters, now: Instant) -> Json:
        return _answer(now.wall_ns // NS_PER_MS)

    def _order(self, account: str, p: Parameters, now: Instant) -> Json:
        found = self._venue.find(account, "", p.get(LAST, ""), p.get("clientOrderId", ""))
        if found is None:
            raise refused(NO_SUCH_ORDER)
        return _answer(_order_row(closed_order(found) if isinstance(found, Order) else found))

    def _open_orders(self, account: str, p: Parameters, now: Instant) -> Json:
        state, symbol = self._venue.state, symbol_of(p.get("symbol", ""))
        symbols = [symbol] if symbol else list(state.instruments)
        orders = [closed_order(o) for each in symbols for o in state.open_orders(account, each)]
        orders = [o for o in orders if o.order_id >= int(p.get("from") or 0)]
        return _answer([_order_row(o) for o in orders[: int(p.get("size") or PAGE)]])

    def _trades(self, account: str, p: Parameters, now: Instant) -> Json:
        """The newest come first, from a row on where one is named."""
        start_ms, end_ms, first = (int(p.get(name) or 0) for name in ("start-time", "end-time", "from"))
        rows = self._venue.history.last_trades(account, symbol_of(p.get("symbol", "")), MOST_ROWS)
        found = [t for t in rows if start_ms <= t.stamp_ns // NS_PER_MS <= end_ms and (not first or t.exec_id <= first)]
        found.sort(key=lambda t: t.exec_id, reverse=True)
        return _answer([_trade_row(t) for t in found[: int(p.get("size") or PAGE)]])

    def _balances(self, account: str, p: Parameters, now: Instant) -> Json:
        rows = []
        for (owner, asset), balance in self._venue.state.accounts.balances.items():
            if owner == account:
                rows.append({"currency": asset.lower(), "type": "trade", "balance": f"{balance.free:f}"})
                rows.append({"currency": asset.lower(), "type": "frozen", "balance": f"{balance.locked:f}"})
        return _answer({"list": rows})

    def _cancel_all(self, account: str, p: Parameters, now: Instant) -> Json:
        """So many at a time."""
        orders = self._venue.state.open_orders(account, symbol_of(p.get("symbol", "")))[:MOST_CANCELS]
        for order in orders:
            self._venue.engine.cancel(order, now)
        return _answer({"success-count": len(orders), "failed-count": 0, "next-id": -1})


def _answer(data: Json) -> Json:
    return {"status": "ok", "data": data}


def _order_row(o: ClosedOrder) -> Json:
    state = _STATES[o.ord_status]
    if state == "canceled" and o.cum_qty:
        state = "partial-canceled"
    return {
        "id": o.order_id,
        "client-order-id": o.terms.cl_ord_id,
        "symbol": o.terms.symbol.lower(),
        "amount": f"{o.terms.order_qty:f}",
        "price": f"{o.terms.price or 0:f}",
        "type": type_of(o.terms),
        "state": state,
        "field-amount": f"{o.cum_qty:f}",
        "created-at": o.stamp_ns // NS_PER_MS,
    }


def _trade_row(t: TradeRow) -> Json:
    return {
        "id": t.exec_id,
        "trade-id": t.trade_id,
        "order-id": t.order_id,
        "symbol": t.symbol.lower(),
        "type": f"{'buy' if t.side == BUY else 'sell'}-limit",
        "price": f"{t.px:f}",
        "filled-amount": f"{t.qty:f}",
        "filled-fees": f"{t.fee:f}",
        "fee-currency": t.fee_asset.lower(),
        "created-at": t.stamp_ns // NS_PER_MS,
        "role": "maker" if t.maker else "taker",
    }

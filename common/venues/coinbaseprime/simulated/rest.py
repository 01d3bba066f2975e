"""Coinbase Prime's REST side, as much as a desk asks of it.

Source: docs.cdp.coinbase.com/prime/rest-api and api-reference/prime-api. A request is signed with HMAC-SHA-256, by the
secret as text, over its time, method, path without query, and body; lists come by the page, each with the cursor of the
next. Open orders and those of the past are listed apart. What an error looks like is not documented.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import formatdate
from uuid import NAMESPACE_DNS, uuid5

from common.exchange.history import ClosedOrder, TradeRow, closed_order
from common.exchange.limits import Window
from common.exchange.numbers import digits
from common.exchange.order import BUY, Order
from common.exchange.rest import LAST, Json, Parameters, RestError, RestRequest, Route, Trouble
from common.exchange.venue import Venue
from common.instant import NS_PER_S, Instant
from common.venues.coinbaseprime.simulated.wire import exec_uuid, order_number, order_uuid

ROOT = "/v1/portfolios"
TOLERANCE_S = 30
REQUESTS_PER_S = 50
"""The burst that the venue allows of a portfolio; it goes on with 25."""

PAGE, LONGEST_PAGE = 100, 3000
MOST_OPEN = 5000
MOST_ROWS = 100_000
_TROUBLES = {
    Trouble.GARBLED: (400, "Bad Request"),
    Trouble.NO_ROUTE: (404, "Not Found"),
    Trouble.WRONG_METHOD: (405, "Method Not Allowed"),
    Trouble.FAILED: (500, "Internal Server Error"),
    Trouble.LOST: (500, "Internal Server Error"),
    Trouble.UNKNOWN: (504, "Gateway Timeout"),
}
_TYPES = {"1": "MARKET", "2": "LIMIT", "4": "STOP_LIMIT"}
_TIMES = {"1": "GOOD_UNTIL_CANCELLED", "3": "IMMEDIATE_OR_CANCEL", "4": "FILL_OR_KILL", "6": "GOOD_UNTIL_DATE_TIME"}
_STATUSES = {"0": "OPEN", "1": "OPEN", "A": "OPEN", "2": "FILLED", "4": "CANCELLED", "8": "FAILED", "C": "EXPIRED"}
Answer = Callable[[str, Parameters, Instant], Json]
Row = dict[str, object]


def refused(status: int, message: str) -> RestError:
    """An error as the venue's own libraries read it."""
    return RestError(status, {"message": message})


def portfolio_of(account: str) -> str:
    """The id of the portfolio that the account's key is for."""
    return str(uuid5(NAMESPACE_DNS, account))


class PrimeRest:
    """A `RestApi`."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._keys = {key.api_key: key for key in venue.settings.keys_for("rest")}
        self._asked = Window(1)
        below = {
            ("GET", "balances"): self._balances,
            ("GET", "open_orders"): self._open_orders,
            ("GET", "orders"): self._past_orders,
            ("GET", f"orders/{LAST}"): self._order,
            ("POST", f"orders/{LAST}/cancel"): self._cancel,
            ("GET", f"orders/{LAST}/fills"): self._fills_of,
            ("GET", "fills"): self._fills,
            ("GET", "products"): self._products,
        }
        routes = {("GET", ROOT): Route(1, True, self._portfolios)}
        for account in venue.settings.accounts:
            for (method, path), answer in below.items():
                routes[method, f"{ROOT}/{portfolio_of(account)}/{path}"] = Route(1, True, _of(account, answer))
        self.routes: Mapping[tuple[str, str], Route] = routes

    # ---- what is said of a request

    def trouble(self, trouble: Trouble, text: str = "") -> RestError:
        status, message = _TROUBLES[trouble]
        return refused(status, text or message)

    def count(self, route: Route, now: Instant) -> None:
        if self._asked.count(now.boot_ns, route.weight) > REQUESTS_PER_S:
            raise refused(429, "Too Many Requests")

    def headers(self, now: Instant) -> list[tuple[str, str]]:
        return [("Date", formatdate(now.wall_ns // NS_PER_S, usegmt=True))]

    def authenticate(self, request: RestRequest, now: Instant) -> str:
        told = request.headers
        key, stamp = self._keys.get(told.get("x-cb-access-key", "")), told.get("x-cb-access-timestamp", "")
        if key is None or not hmac.compare_digest(told.get("x-cb-access-passphrase", ""), key.passphrase):
            raise refused(401, "invalid api key or passphrase")
        if not stamp.isdecimal() or abs(int(stamp) * NS_PER_S - now.wall_ns) > TOLERANCE_S * NS_PER_S:
            raise refused(401, "request timestamp expired")
        signed = f"{stamp}{request.method}{request.path}{request.body}".encode("latin-1")
        ours = base64.b64encode(hmac.new(key.secret, signed, hashlib.sha256).digest()).decode()
        if not hmac.compare_digest(told.get("x-cb-access-signature", ""), ours):
            raise refused(401, "invalid signature")
        return key.account

    # ---- endpoints

    def _portfolios(self, account: str, p: Parameters, now: Instant) -> Json:
        return {"portfolios": [{"id": portfolio_of(account), "name": account, "entity_id": "", "organization_id": ""}]}

    def _balances(self, account: str, p: Parameters, now: Instant) -> Json:
        if p.get("balance_type", "TRADING_BALANCES") != "TRADING_BALANCES":
            return {"balances": [], "type": p["balance_type"]}
        rows = [
            {"symbol": asset, "amount": digits(b.free + b.locked), "holds": digits(b.locked)}
            for (owner, asset), b in self._venue.state.accounts.balances.items()
            if owner == account
        ]
        return {"balances": rows, "type": "TRADING_BALANCES"}

    def _products(self, account: str, p: Parameters, now: Instant) -> Json:
        rows: list[Row] = [
            {
                "id": symbol, "base_increment": digits(i.lot_size), "quote_increment": digits(i.tick_size),
                "base_min_size": digits(i.min_qty), "base_max_size": digits(i.max_qty),
                "quote_min_size": digits(i.min_notional), "quote_max_size": digits(i.max_notional),
                "permissions": ["PRODUCT_PERMISSION_READ", "PRODUCT_PERMISSION_TRADE"],
                "price_increment": digits(i.tick_size),
            }
            for symbol, i in self._venue.state.instruments.items()
        ]  # fmt: skip
        return _paged("products", rows, p, "ASC")

    def _symbols(self, p: Parameters) -> list[str]:
        wanted = p.get("product_ids", "")
        return [symbol for symbol in self._venue.state.instruments if wanted in ("", symbol)]

    def _open_orders(self, account: str, p: Parameters, now: Instant) -> Json:
        """On one page, whatever is asked for; an error where they are too many."""
        state = self._venue.state
        orders = [closed_order(o) for symbol in self._symbols(p) for o in state.open_orders(account, symbol)]
        if len(orders) > MOST_OPEN:
            raise refused(400, "too many open orders: use the WebSocket API or the FIX API")
        rows = [_order_row(o) for o in sorted(orders, key=lambda o: -o.order_id)]
        return {"orders": rows, "pagination": {"next_cursor": "", "sort_direction": "DESC", "has_next": False}}

    def _past_orders(self, account: str, p: Parameters, now: Instant) -> Json:
        """Those that are over, and no others."""
        history, since_ns = self._venue.history, _time(p, "start_date")
        found = [o for symbol in self._symbols(p) for o in history.last_orders(account, symbol, MOST_ROWS)]
        orders = sorted((o for o in found if o.stamp_ns >= since_ns), key=lambda o: o.order_id)
        return _paged("orders", [_order_row(o) for o in orders], p)

    def _found(self, account: str, p: Parameters) -> Order | ClosedOrder:
        order_id = order_number(p[LAST])
        found = self._venue.find(account, "", order_id, "") if order_id else None
        if found is None:
            raise refused(404, "order not found")
        return found

    def _order(self, account: str, p: Parameters, now: Instant) -> Json:
        """By the venue's id, open or not."""
        found = self._found(account, p)
        return {"order": _order_row(closed_order(found) if isinstance(found, Order) else found)}

    def _cancel(self, account: str, p: Parameters, now: Instant) -> Json:
        found = self._found(account, p)
        if not isinstance(found, Order) or not found.is_open:
            raise refused(400, "order is not open")
        self._venue.engine.cancel(found, now)
        return {"id": p[LAST]}

    def _fills_of(self, account: str, p: Parameters, now: Instant) -> Json:
        rows = self._venue.history.trades_of(account, self._found(account, p).order_id)
        return _paged("fills", _fill_rows(rows, 0), p)

    def _fills(self, account: str, p: Parameters, now: Instant) -> Json:
        if "start_date" not in p:
            raise refused(400, "start_date is required")
        history = self._venue.history
        rows = [t for symbol in self._venue.state.instruments for t in history.last_trades(account, symbol, MOST_ROWS)]
        return _paged("fills", _fill_rows(rows, _time(p, "start_date")), p)


def _of(owner: str, answer: Answer) -> Answer:
    """The answer of a portfolio's path, to the key of it alone."""

    def answered(account: str, p: Parameters, now: Instant) -> Json:
        if account != owner:
            raise refused(403, "the key is for another portfolio")
        return answer(account, p, now)

    return answered


def _paged(name: str, rows: Sequence[Row], p: Parameters, direction: str = "DESC") -> Json:
    """The rows, the oldest first, in the direction that is wished, from behind the one that the cursor names."""
    direction = p.get("sort_direction", direction)
    told = p.get("limit", str(PAGE))
    if direction not in ("ASC", "DESC") or not told.isdecimal() or not 0 < int(told[:9]) <= LONGEST_PAGE:
        raise refused(400, "invalid limit or sort_direction")
    ordered = list(rows) if direction == "ASC" else list(reversed(rows))
    cursor = p.get("cursor", "")
    begin = next((n + 1 for n, row in enumerate(ordered) if row["id"] == cursor), None) if cursor else 0
    if begin is None:
        raise refused(400, "invalid cursor")
    page = ordered[begin : begin + int(told)]
    has_next = begin + len(page) < len(ordered)
    following = page[-1]["id"] if has_next else ""
    return {name: page, "pagination": {"next_cursor": following, "sort_direction": direction, "has_next": has_next}}


def _iso(stamp_ns: int) -> str:
    second, ns = divmod(stamp_ns, NS_PER_S)
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}.{ns // 1_000_000:03d}Z"


def _time(p: Parameters, name: str) -> int:
    """Unix nanoseconds, 0 where it is not given."""
    text = p.get(name, "")
    try:
        return round(datetime.fromisoformat(text).timestamp() * 1000) * 1_000_000 if text else 0
    except ValueError:
        raise refused(400, f"invalid {name}") from None


def _order_row(o: ClosedOrder) -> Row:
    t = o.terms
    row: Row = {
        "id": order_uuid(o.order_id),
        "user_id": "1",
        "portfolio_id": portfolio_of(t.account),
        "product_id": t.symbol,
        "side": "BUY" if t.side == BUY else "SELL",
        "client_order_id": t.cl_ord_id,
        "type": _TYPES[t.ord_type],
        "base_quantity": digits(t.order_qty),
        "quote_value": "",
        "limit_price": "" if t.price is None else digits(t.price),
        "status": _STATUSES[o.ord_status],
        "time_in_force": _TIMES[t.time_in_force],
        "created_at": _iso(o.stamp_ns),
        "filled_quantity": digits(o.cum_qty),
        "filled_value": digits(o.cum_quote),
        "stop_price": "" if t.stop_px is None else digits(t.stop_px),
        "client_product_id": t.symbol,
        "post_only": t.post_only,
    }
    return row | ({"expiry_time": _iso(t.expire_ns)} if t.expire_ns else {})


def _fill_rows(trades: Sequence[TradeRow], since_ns: int) -> list[Row]:
    """The oldest first."""
    wanted = sorted((t for t in trades if t.stamp_ns >= since_ns), key=lambda t: t.exec_id)
    return [
        {
            "id": exec_uuid(str(t.exec_id)), "order_id": order_uuid(t.order_id), "product_id": t.symbol,
            "client_product_id": t.symbol, "side": "BUY" if t.side == BUY else "SELL",
            "filled_quantity": digits(t.qty), "filled_value": digits(t.qty * t.px), "price": digits(t.px),
            "time": _iso(t.stamp_ns), "commission": digits(t.fee), "venue": "CBSE", "venue_fees": "",
            "ces_commission": "",
        }
        for t in wanted
    ]  # fmt: skip

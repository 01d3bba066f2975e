"""Coinbase Exchange's REST side, as much as a desk asks of it.

Source: the REST pages of docs.cdp.coinbase.com. A request is signed with HMAC-SHA-256 over its time, method, path with
query, and body; answers are JSON, errors are `{"message": ...}`. An order that was cancelled without a fill is not
found any more, and fills come newest first, in pages.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

from common.exchange.history import ClosedOrder, TradeRow, closed_order
from common.exchange.limits import Window
from common.exchange.numbers import digits
from common.exchange.order import BUY, CANCELED, FILLED, MARKET, Order
from common.exchange.rest import LAST, Json, Parameters, RestError, RestRequest, Route, Trouble
from common.exchange.settings import Instrument
from common.exchange.venue import Venue
from common.instant import NS_PER_MS, NS_PER_S, Instant
from common.venues.coinbase.simulated.wire import order_number, order_uuid

TOLERANCE_S = 30
"""So old, and so far ahead, a request's time may be."""

REQUESTS_PER_S = 15
BURST_S = 2
MAX_ROWS = 1000
DEFAULT_ROWS = 100
CLIENT = "client:"
NEWEST = 1 << 62
PROFILE = "00000000-0000-4000-b000-000000000001"

_TROUBLES = {
    Trouble.GARBLED: (400, "Bad Request"),
    Trouble.NO_ROUTE: (404, "NotFound"),
    Trouble.WRONG_METHOD: (405, "Method not allowed"),
    Trouble.FAILED: (500, "Internal server error"),
    Trouble.LOST: (500, "Internal server error"),
    Trouble.UNKNOWN: (504, "Gateway timeout"),
}
_TIME_IN_FORCE = {"1": "GTC", "3": "IOC", "4": "FOK", "6": "GTT"}


def refused(status: int, text: str) -> RestError:
    """An error as the venue writes it."""
    return RestError(status, {"message": text})


class CoinbaseRest:
    """A `RestApi`."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._keys = {key.api_key: key for key in venue.settings.keys_for("rest")}
        self._asked = Window(BURST_S)
        self.routes: Mapping[tuple[str, str], Route] = {
            ("GET", "/time"): Route(1, False, self._time),
            ("GET", "/products"): Route(1, False, self._products),
            ("GET", "/accounts"): Route(1, True, self._accounts),
            ("GET", "/orders"): Route(1, True, self._orders),
            ("GET", f"/orders/{LAST}"): Route(1, True, self._order),
            ("DELETE", "/orders"): Route(1, True, self._cancel_all),
            ("DELETE", f"/orders/{LAST}"): Route(1, True, self._cancel),
            ("GET", "/fills"): Route(1, True, self._fills),
        }

    # ---- what is said of a request

    def trouble(self, trouble: Trouble, text: str = "") -> RestError:
        status, words = _TROUBLES[trouble]
        return refused(status, text or words)

    def count(self, route: Route, now: Instant) -> None:
        if self._asked.count(now.boot_ns, route.weight) > BURST_S * REQUESTS_PER_S:
            raise refused(429, "Private rate limit exceeded")

    def headers(self, now: Instant) -> list[tuple[str, str]]:
        return []

    def authenticate(self, request: RestRequest, now: Instant) -> str:
        told = request.headers
        key = self._keys.get(told.get("cb-access-key", ""))
        if key is None:
            raise refused(401, "Invalid API Key")
        stamp = told.get("cb-access-timestamp", "")
        if not stamp.replace(".", "", 1).isdecimal() or abs(Decimal(stamp) * NS_PER_S - now.wall_ns) > (
            TOLERANCE_S * NS_PER_S
        ):
            raise refused(400, "request timestamp expired")
        if not hmac.compare_digest(told.get("cb-access-passphrase", ""), key.passphrase):
            raise refused(401, "Invalid Passphrase")
        signed = f"{stamp}{request.method}{request.target}{request.body}".encode("latin-1")
        ours = base64.b64encode(hmac.new(base64.b64decode(key.secret), signed, hashlib.sha256).digest()).decode()
        if not hmac.compare_digest(told.get("cb-access-sign", ""), ours):
            raise refused(401, "invalid signature")
        return key.account

    def _product(self, p: Parameters) -> str:
        symbol = p.get("product_id", "")
        if symbol and symbol not in self._venue.state.instruments:
            raise refused(404, "Product not found")
        return symbol

    def _products_of(self, p: Parameters) -> list[str]:
        symbol = self._product(p)
        return [symbol] if symbol else list(self._venue.state.instruments)

    # ---- endpoints

    def _time(self, account: str, p: Parameters, now: Instant) -> Json:
        return {"iso": _iso(now.wall_ns), "epoch": now.wall_ns // NS_PER_MS / 1000}

    def _products(self, account: str, p: Parameters, now: Instant) -> Json:
        return [_product_json(i) for i in self._venue.state.instruments.values()]

    def _accounts(self, account: str, p: Parameters, now: Instant) -> Json:
        return [
            {
                "id": f"00000000-0000-4000-b100-{place:012x}",
                "currency": asset,
                "balance": digits(balance.free + balance.locked),
                "available": digits(balance.free),
                "hold": digits(balance.locked),
                "profile_id": PROFILE,
                "trading_enabled": True,
            }
            for place, ((owner, asset), balance) in enumerate(self._venue.state.accounts.balances.items())
            if owner == account
        ]

    def _orders(self, account: str, p: Parameters, now: Instant) -> Json:
        """Those that are open: what is done and settled is not in the list."""
        state = self._venue.state
        rows = [closed_order(o) for symbol in self._products_of(p) for o in state.open_orders(account, symbol)]
        return [order_json(row) for row in sorted(rows, key=lambda row: -row.order_id)[: _limit(p)]]

    def _find(self, account: str, p: Parameters) -> Order | ClosedOrder:
        """By id, or by ClOrdID(11) behind `client:`. One that was cancelled and had no match is not found."""
        told = p[LAST]
        name = told.removeprefix(CLIENT) if told.startswith(CLIENT) else ""
        order_id = "" if name else order_number(told)
        if not name and not order_id:
            raise refused(404, "NotFound")
        found = self._venue.find(account, self._product(p), order_id, name)
        if found is None or (found.ord_status != FILLED and not found.cum_qty and not isinstance(found, Order)):
            raise refused(404, "NotFound")
        return found

    def _order(self, account: str, p: Parameters, now: Instant) -> Json:
        found = self._find(account, p)
        return order_json(found if isinstance(found, ClosedOrder) else closed_order(found))

    def _cancel(self, account: str, p: Parameters, now: Instant) -> Json:
        found = self._find(account, p)
        if not isinstance(found, Order):
            raise refused(400, "Order already done")
        self._venue.engine.cancel(found, now)
        return order_uuid(found.order_id)

    def _cancel_all(self, account: str, p: Parameters, now: Instant) -> Json:
        engine = self._venue.engine
        cancelled = [o for symbol in self._products_of(p) for o in engine.cancel_all(account, symbol, now)]
        return [order_uuid(order.order_id) for order in cancelled]

    def _fills(self, account: str, p: Parameters, now: Instant) -> Json:
        """Newest first: those older than `after`, or newer than `before`, of a product or of an order."""
        if not p.get("order_id") and not p.get("product_id"):
            raise refused(400, "Either product_id or order_id is required")
        history, after, before = self._venue.history, _whole(p, "after", NEWEST), _whole(p, "before", 0)
        if p.get("order_id"):
            rows = history.trades_of(account, int(order_number(p["order_id"]) or 0))
        else:
            rows = history.trades(account, self._product(p), before, NEWEST)
        since_ns = _since_ns(p.get("start_date", ""))
        rows = [t for t in rows if before < t.trade_id < after and t.stamp_ns >= since_ns]
        return [_fill_json(t) for t in sorted(rows, key=lambda t: -t.trade_id)[: _limit(p)]]


def order_json(o: ClosedOrder) -> dict[str, object]:
    """An order as REST shows it: one that is over is `done`, for the reason `filled` or `canceled`."""
    t, is_open = o.terms, o.ord_status not in (FILLED, CANCELED, "C", "8")
    row: dict[str, object] = {
        "id": order_uuid(o.order_id),
        "client_oid": t.cl_ord_id,
        "product_id": t.symbol,
        "profile_id": PROFILE,
        "side": "buy" if t.side == BUY else "sell",
        "type": "market" if t.ord_type == MARKET else "limit",
        "size": digits(t.order_qty),
        "post_only": t.post_only,
        "created_at": _iso(o.stamp_ns),
        "fill_fees": "0",
        "filled_size": digits(o.cum_qty),
        "executed_value": digits(o.cum_quote),
        "status": "open" if is_open else "done",
        "settled": not is_open,
    }
    if t.stop_px is not None:
        row |= {"stop": "entry" if t.side == BUY else "loss", "stop_price": digits(t.stop_px)}
    if t.price is not None:
        row |= {"price": digits(t.price), "time_in_force": _TIME_IN_FORCE[t.time_in_force]}
    if not is_open:
        row |= {"done_at": _iso(o.updated_ns), "done_reason": "filled" if o.ord_status == FILLED else "canceled"}
    return row


def _fill_json(t: TradeRow) -> Json:
    return {
        "created_at": _iso(t.stamp_ns),
        "trade_id": t.trade_id,
        "product_id": t.symbol,
        "order_id": order_uuid(t.order_id),
        "profile_id": PROFILE,
        "liquidity": "M" if t.maker else "T",
        "price": digits(t.px),
        "size": digits(t.qty),
        "fee": digits(t.fee),
        "side": "buy" if t.side == BUY else "sell",
        "settled": True,
        "usd_volume": digits(t.px * t.qty),
    }


def _product_json(i: Instrument) -> Json:
    return {
        "id": i.symbol,
        "base_currency": i.base,
        "quote_currency": i.quote,
        "quote_increment": digits(i.tick_size),
        "base_increment": digits(i.lot_size),
        "min_market_funds": digits(i.min_notional),
        "status": "online",
        "trading_disabled": False,
    }


def _iso(stamp_ns: int) -> str:
    second, ns = divmod(stamp_ns, NS_PER_S)
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}.{ns // 1000:06d}Z"


def _since_ns(text: str) -> int:
    if not text:
        return 0
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise refused(400, "Invalid start_date") from None
    return int(when.replace(tzinfo=when.tzinfo or UTC).timestamp() * 1000) * NS_PER_MS


def _whole(p: Parameters, name: str, default: int) -> int:
    value = p.get(name, "")
    if value and (not value.isdecimal() or len(value) > 18):
        raise refused(400, f"Invalid {name}")
    return int(value) if value else default


def _limit(p: Parameters) -> int:
    return max(1, min(_whole(p, "limit", DEFAULT_ROWS), MAX_ROWS))

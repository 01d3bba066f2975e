"""Coinbase International's REST side, as much as a desk asks of it.

Source: docs.cdp.coinbase.com/international-exchange/rest-api, and the rows that ccxt 4.4 shows of it. A request is
signed with HMAC-SHA-256 over its time, method, path without query, and body; lists come by the page, newest first.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import formatdate

from common.exchange.history import ClosedOrder, TradeRow, closed_order
from common.exchange.limits import Window
from common.exchange.numbers import digits
from common.exchange.order import BUY, Order
from common.exchange.rest import LAST, Json, Parameters, RestError, RestRequest, Route, Trouble
from common.exchange.venue import Venue
from common.instant import NS_PER_S, Instant
from common.venues.coinbaseintl.simulated.reports import PORTFOLIO, order_name, order_number

ROOT = "/api/v1"
TOLERANCE_S = 30
REQUESTS_PER_S = 100
PAGE, LONGEST_PAGE = 25, 100
MOST_ROWS = 100_000
_TROUBLES = {
    Trouble.GARBLED: (400, "Bad Request"),
    Trouble.NO_ROUTE: (404, "Not Found"),
    Trouble.WRONG_METHOD: (405, "Method Not Allowed"),
    Trouble.FAILED: (500, "Server Error"),
    Trouble.LOST: (500, "Server Error"),
    Trouble.UNKNOWN: (504, "Gateway Timeout"),
}
_EVENTS = {"0": "NEW", "1": "TRADE", "2": "TRADE", "4": "CANCELED", "8": "REJECTED", "C": "EXPIRED"}
_TYPES = {"1": "MARKET", "2": "LIMIT", "3": "STOP", "4": "STOP_LIMIT"}
_TIMES = {"1": "GTC", "3": "IOC", "4": "FOK", "6": "GTT"}
Answer = Callable[[str, Parameters, Instant], Json]


def refused(status: int, title: str) -> RestError:
    """An error as the venue writes it."""
    return RestError(status, {"title": title, "status": status})


class InternationalRest:
    """A `RestApi`."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._keys = {key.api_key: key for key in venue.settings.keys_for("rest")}
        self._asked = Window(1)
        routes = {
            ("GET", f"{ROOT}/portfolios"): Route(1, True, self._portfolios),
            ("GET", f"{ROOT}/portfolios/{PORTFOLIO}/balances"): Route(1, True, self._balances),
            ("GET", f"{ROOT}/portfolios/{PORTFOLIO}/positions"): Route(1, True, self._positions),
            ("GET", f"{ROOT}/portfolios/fills"): Route(1, True, self._fills),
            ("GET", f"{ROOT}/orders"): Route(1, True, self._orders),
            ("GET", f"{ROOT}/orders/{LAST}"): Route(1, True, self._order),
            ("DELETE", f"{ROOT}/orders"): Route(1, True, self._cancel_all),
        }
        for symbol in venue.state.instruments:
            routes["GET", f"{ROOT}/instruments/{symbol}/quote"] = Route(1, False, self._quote_of(symbol))
        self.routes: Mapping[tuple[str, str], Route] = routes

    # ---- what is said of a request

    def trouble(self, trouble: Trouble, text: str = "") -> RestError:
        status, title = _TROUBLES[trouble]
        return refused(status, text or title)

    def count(self, route: Route, now: Instant) -> None:
        if self._asked.count(now.boot_ns, route.weight) > REQUESTS_PER_S:
            raise refused(429, "Too Many Requests")

    def headers(self, now: Instant) -> list[tuple[str, str]]:
        return [("Date", formatdate(now.wall_ns // NS_PER_S, usegmt=True))]

    def authenticate(self, request: RestRequest, now: Instant) -> str:
        told = request.headers
        key, stamp = self._keys.get(told.get("cb-access-key", "")), told.get("cb-access-timestamp", "")
        if key is None or not hmac.compare_digest(told.get("cb-access-passphrase", ""), key.passphrase):
            raise refused(401, "Unauthorized")
        if not stamp.isdecimal() or abs(int(stamp) * NS_PER_S - now.wall_ns) > TOLERANCE_S * NS_PER_S:
            raise refused(401, "Unauthorized: request timestamp expired")
        signed = f"{stamp}{request.method}{request.path}{request.body}".encode("latin-1")
        ours = base64.b64encode(hmac.new(base64.b64decode(key.secret), signed, hashlib.sha256).digest()).decode()
        if not hmac.compare_digest(told.get("cb-access-sign", ""), ours):
            raise refused(401, "Unauthorized")
        return key.account

    # ---- endpoints

    def _portfolios(self, account: str, p: Parameters, now: Instant) -> Json:
        return [{"portfolio_uuid": PORTFOLIO, "name": account, "is_default": True}]

    def _balances(self, account: str, p: Parameters, now: Instant) -> Json:
        return [
            {"asset_name": asset, "quantity": digits(b.free + b.locked), "hold": digits(b.locked)}
            for (owner, asset), b in self._venue.state.accounts.balances.items()
            if owner == account
        ]

    def _positions(self, account: str, p: Parameters, now: Instant) -> Json:
        """Of contracts alone."""
        return [
            {"symbol": symbol, "net_size": digits(qty)}
            for (owner, symbol), (qty, _) in self._venue.state.accounts.positions.items()
            if owner == account
        ]

    def _quote_of(self, symbol: str) -> Answer:
        def answer(account: str, p: Parameters, now: Instant) -> Json:
            book = self._venue.state.books[symbol]
            bid, offer = book.bids.best(), book.asks.best()
            sides = {"bid": bid, "ask": offer}
            row = {f"best_{side}_price": digits(best.price) for side, best in sides.items() if best}
            row |= {f"best_{side}_size": digits(best.qty) for side, best in sides.items() if best}
            return (
                row | ({"trade_price": digits(book.last_px)} if book.last_px else {}) | {"timestamp": _iso(now.wall_ns)}
            )

        return answer

    def _symbols(self, p: Parameters) -> list[str]:
        symbol, known = p.get("instrument", ""), self._venue.state.instruments
        if symbol and symbol not in known:
            raise refused(404, "Not Found")
        return [symbol] if symbol else list(known)

    def _orders(self, account: str, p: Parameters, now: Instant) -> Json:
        """Those that are open."""
        state = self._venue.state
        rows = [closed_order(o) for symbol in self._symbols(p) for o in state.open_orders(account, symbol)]
        return _paged([_order_row(o) for o in sorted(rows, key=lambda o: -o.order_id)], p)

    def _order(self, account: str, p: Parameters, now: Instant) -> Json:
        """By the venue's id or the client's, open or not."""
        told = p[LAST]
        order_id = order_number(told)
        found = self._venue.find(account, "", order_id, "") if order_id else None
        for symbol in [] if found is not None else self._venue.state.instruments:
            found = found or self._venue.find(account, symbol, "", told)
        if found is None:
            raise refused(404, "Not Found")
        return _order_row(closed_order(found) if isinstance(found, Order) else found)

    def _cancel_all(self, account: str, p: Parameters, now: Instant) -> Json:
        if p.get("portfolio") != PORTFOLIO:
            raise refused(400, "portfolio is a required field")
        engine = self._venue.engine
        cancelled = [o for symbol in self._symbols(p) for o in engine.cancel_all(account, symbol, now)]
        return [_order_row(closed_order(order)) for order in cancelled]

    def _fills(self, account: str, p: Parameters, now: Instant) -> Json:
        history, since_ns, order_id = self._venue.history, _since_ns(p.get("time_from", "")), p.get("order_id", "")
        if order_id:
            rows = history.trades_of(account, int(order_number(order_id) or 0))
        else:
            rows = [
                t for symbol in self._venue.state.instruments for t in history.last_trades(account, symbol, MOST_ROWS)
            ]
        wanted = sorted((t for t in rows if t.stamp_ns >= since_ns), key=lambda t: -t.exec_id)
        return _paged([_fill_row(t) for t in wanted], p)


def _paged(rows: list[Json], p: Parameters) -> Json:
    size, at = _whole(p, "result_limit", PAGE), _whole(p, "result_offset", 0)
    if not 0 < size <= LONGEST_PAGE:
        raise refused(400, "invalid result_limit")
    return {"pagination": {"result_limit": size, "result_offset": at}, "results": rows[at : at + size]}


def _whole(p: Parameters, name: str, default: int) -> int:
    value = p.get(name, "")
    if value and (not value.isdecimal() or len(value) > 9):
        raise refused(400, f"invalid {name}")
    return int(value) if value else default


def _iso(stamp_ns: int) -> str:
    second, ns = divmod(stamp_ns, NS_PER_S)
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}.{ns // 1_000_000:03d}Z"


def _since_ns(text: str) -> int:
    try:
        return round(datetime.fromisoformat(text).timestamp() * 1000) * 1_000_000 if text else 0
    except ValueError:
        raise refused(400, "invalid time_from") from None


def _order_row(o: ClosedOrder) -> dict[str, object]:
    t = o.terms
    row: dict[str, object] = {
        "order_id": order_name(o.order_id),
        "client_order_id": t.cl_ord_id,
        "side": "BUY" if t.side == BUY else "SELL",
        "symbol": t.symbol,
        "portfolio_uuid": PORTFOLIO,
        "type": _TYPES[t.ord_type],
        "size": digits(t.order_qty),
        "tif": _TIMES[t.time_in_force],
        "event_type": _EVENTS[o.ord_status],
        "event_time": _iso(o.updated_ns),
        "submit_time": _iso(o.stamp_ns),
        "order_status": "WORKING" if o.ord_status in ("0", "1") else "DONE",
        "leaves_qty": digits(t.order_qty - o.cum_qty if o.ord_status in ("0", "1") else o.cum_qty * 0),
        "exec_qty": digits(o.cum_qty),
    }
    return row | ({"price": digits(t.price)} if t.price is not None else {})


def _fill_row(t: TradeRow) -> dict[str, object]:
    return {
        "portfolio_uuid": PORTFOLIO,
        "fill_id": f"{t.exec_id:x}-1-184",
        "exec_id": str(t.exec_id),
        "match_id": str(t.trade_id),
        "order_id": order_name(t.order_id),
        "client_order_id": t.cl_ord_id,
        "symbol": t.symbol,
        "fill_price": digits(t.px),
        "fill_qty": digits(t.qty),
        "side": "BUY" if t.side == BUY else "SELL",
        "fee": digits(t.fee),
        "fee_asset": t.fee_asset,
        "event_time": _iso(t.stamp_ns),
    }

"""Bybit's REST V5, as much as a desk asks of it.

Source: bybit-exchange/docs, v5/{guide,error}.mdx, v5/order/{open-order,order-list,execution,cancel-all}.mdx,
v5/account/wallet-balance.mdx, v5/market/{time,tickers,instrument}.mdx. A request is signed over timestamp, API key,
window and the raw query or body; every answer has status 200 and a `retCode`, 0 for success.
"""

from collections.abc import Callable, Mapping

from common.exchange.engine import Cause
from common.exchange.history import ClosedOrder, TradeRow, closed_order
from common.exchange.limits import Window
from common.exchange.order import BUY, CANCELED, MARKET, Order
from common.exchange.rest import Json, Parameters, RestError, RestRequest, Route, Trouble
from common.exchange.settings import Instrument
from common.exchange.venue import Venue
from common.instant import NS_PER_MS, NS_PER_S, Instant
from common.venues.bybit.simulated import wire
from common.venues.bybit.simulated.reports import AWAKE, SMP_TYPES, exec_id_of, px_before
from common.venues.bybit.simulated.wire import Code, Refused, places, short

DAY_MS = 86_400_000
WEEK_MS = 7 * DAY_MS
MAX_ORDERS, DEFAULT_ORDERS = 50, 20
MAX_TRADES, DEFAULT_TRADES = 100, 50
RECENT = 500
"""So many closed orders are told beside the open ones, to who asks for one by name."""

KEPT_ROWS = 10_000
ORDER, CONDITIONAL = "Order", "StopOrder"
_KINDS = (ORDER, CONDITIONAL, "tpslOrder", "OcoOrder", "BidirectionalTpslOrder")
MAX_REQUESTS, REQUESTS_S = 600, 5
CANCELS_PER_S = 20
NO_ROUTE = Code(10017, "Route not found.")
TOO_FAST = Code(10018, "Exceeded the IP Rate Limit.")

_TROUBLES = {
    Trouble.GARBLED: wire.BAD_PARAMETER,
    Trouble.NO_ROUTE: NO_ROUTE,
    Trouble.WRONG_METHOD: NO_ROUTE,
    Trouble.FAILED: wire.SYSTEM_ERROR,
    Trouble.LOST: wire.SYSTEM_ERROR,
    Trouble.UNKNOWN: wire.TIMEOUT,
}
_STATUS = {
    "0": "New", "1": "PartiallyFilled", "2": "Filled", "4": "Cancelled", "8": "Rejected",
}  # fmt: skip
_TIME_IN_FORCE = {"1": "GTC", "3": "IOC", "4": "FOK"}

Rows = list[dict[str, object]]


def refused(code: Code) -> RestError:
    """An error as Bybit writes it: the status of HTTP is 200 all the same."""
    return RestError(200, {"retCode": code.number, "retMsg": code.text, "result": {}, "retExtInfo": {}, "time": 0})


class BybitRest:
    """A `RestApi`."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._keys = {key.api_key: key for key in venue.settings.keys_for("rest")}
        self._requests, self._cancels = Window(REQUESTS_S), Window(1)
        public = {
            "market/time": self._time,
            "market/tickers": self._tickers,
            "market/instruments-info": self._instruments,
        }
        private = {
            ("GET", "order/realtime"): self._realtime,
            ("GET", "order/history"): self._order_history,
            ("GET", "execution/list"): self._executions,
            ("GET", "account/wallet-balance"): self._balances,
            ("POST", "order/cancel"): self._cancel,
            ("POST", "order/cancel-all"): self._cancel_all,
        }
        self.routes: Mapping[tuple[str, str], Route] = {
            **{("GET", f"/v5/{name}"): Route(1, False, _told(answer)) for name, answer in public.items()},
            **{(method, f"/v5/{name}"): Route(1, True, _told(answer)) for (method, name), answer in private.items()},
        }

    # ---- what is said of a request

    def trouble(self, trouble: Trouble, text: str = "") -> RestError:
        code = _TROUBLES[trouble]
        return refused(Code(code.number, text or code.text))

    def count(self, route: Route, now: Instant) -> None:
        if self._requests.count(now.boot_ns, route.weight) > MAX_REQUESTS:
            raise refused(TOO_FAST)

    def headers(self, now: Instant) -> list[tuple[str, str]]:
        left = max(0, MAX_REQUESTS - self._requests.used(now.boot_ns))
        return [("X-Bapi-Limit", str(MAX_REQUESTS)), ("X-Bapi-Limit-Status", str(left))]

    def authenticate(self, request: RestRequest, now: Instant) -> str:
        headers, now_ms = request.headers, now.wall_ns // NS_PER_MS
        api_key, timestamp = headers.get("x-bapi-api-key", ""), headers.get("x-bapi-timestamp", "")
        window, signature = headers.get("x-bapi-recv-window", ""), headers.get("x-bapi-sign", "")
        key = self._keys.get(api_key)
        if key is None:
            raise refused(wire.BAD_KEY)
        try:
            window_ms = wire.whole(window or str(wire.DEFAULT_WINDOW_MS))
            if window_ms > wire.MAX_WINDOW_MS or not wire.is_in_time(wire.whole(timestamp), window_ms, now_ms):
                raise refused(wire.BAD_TIME)
        except Refused as error:
            raise refused(error.code) from None
        if not wire.verifies(key, signature, f"{timestamp}{api_key}{window}{request.signed}"):
            raise refused(wire.BAD_SIGNATURE)
        return key.account

    # ---- the market

    def _time(self, account: str, p: Parameters, now: Instant) -> Json:
        return {"timeSecond": str(now.wall_ns // NS_PER_S), "timeNano": str(now.wall_ns)}

    def _tickers(self, account: str, p: Parameters, now: Instant) -> Json:
        return {"category": _category(p), "list": [self._ticker(symbol) for symbol in self._symbols(p)]}

    def _ticker(self, symbol: str) -> dict[str, object]:
        book = self._venue.state.books[symbol]
        bid, ask = book.bids.best(), book.asks.best()
        return {
            "symbol": symbol,
            "bid1Price": "" if bid is None else short(bid.price),
            "bid1Size": "" if bid is None else short(bid.qty),
            "ask1Price": "" if ask is None else short(ask.price),
            "ask1Size": "" if ask is None else short(ask.qty),
            "lastPrice": "" if book.last_px is None else short(book.last_px),
        }

    def _instruments(self, account: str, p: Parameters, now: Instant) -> Json:
        known = self._venue.state.instruments
        return {"category": _category(p), "list": [_instrument(known[symbol]) for symbol in self._symbols(p)]}

    def _symbols(self, p: Parameters) -> list[str]:
        """The one symbol that is asked for, or all. Raises Refused."""
        known, symbol = self._venue.state.instruments, p.get("symbol", "")
        if symbol and symbol not in known:
            raise Refused(wire.BAD_SYMBOL)
        return [symbol] if symbol else list(known)

    # ---- orders

    def _named(self, account: str, p: Parameters) -> list[Order | ClosedOrder] | None:
        """The order that OrderID or orderLinkId names, none where there is none; None where nothing is named."""
        order_id, name = p.get("orderId", ""), p.get("orderLinkId", "")
        if not order_id and not name:
            return None
        found = self._venue.find(account, p.get("symbol", ""), order_id, "" if order_id else name)
        return [] if found is None else [found]

    def _realtime(self, account: str, p: Parameters, now: Instant) -> Json:
        """Open orders of every kind or the one that is asked for, the newest first; by name also one of those that were
        closed of late."""
        kind, orders = _kind(p, ""), self._named(account, p)
        if orders is not None:
            orders = [o for o in orders if o.ord_status in ("0", "1") or self._is_recent(account, o)]
        else:
            open_orders = [o for s in self._symbols(p) for o in self._venue.state.open_orders(account, s)]
            orders = sorted(open_orders, key=lambda o: -o.order_id)
        rows = [self._order(o) for o in orders if kind in ("", _kind_of(o))]
        return _page(p, rows, MAX_ORDERS, DEFAULT_ORDERS, _category(p))

    def _order(self, order: Order | ClosedOrder) -> dict[str, object]:
        """An order, with the last price by which it waits for what it waits for, where it sleeps."""
        terms = order.terms
        if terms.stop_px is None:
            return _order(order)
        instrument = self._venue.state.instruments[terms.symbol]
        return {**_order(order), "lastPriceOnCreated": short(px_before(terms, instrument))}

    def _is_recent(self, account: str, order: Order | ClosedOrder) -> bool:
        """Whether it is among those that are told beside the open ones."""
        recent = self._venue.history.last_orders(account, order.terms.symbol, RECENT)
        return any(each.order_id == order.order_id for each in recent)

    def _order_history(self, account: str, p: Parameters, now: Instant) -> Json:
        """Closed orders, the newest first."""
        orders = self._named(account, p)
        if orders is None:
            rows = [o for s in self._symbols(p) for o in self._venue.history.last_orders(account, s, KEPT_ROWS)]
            orders = sorted(rows, key=lambda o: -o.order_id)
        closed = [self._order(o) for o in orders if o.ord_status not in ("0", "1")]
        return _page(p, closed, MAX_ORDERS, DEFAULT_ORDERS, _category(p))

    def _executions(self, account: str, p: Parameters, now: Instant) -> Json:
        """Trades, the newest first: of an order, or of at most seven days."""
        history, category = self._venue.history, _category(p)
        if p.get("orderId") or p.get("orderLinkId"):
            named = self._named(account, p) or []
            rows = [row for order in named for row in history.trades_of(account, order.order_id)]
        else:
            begin_ms, end_ms = _span(p, now.wall_ns // NS_PER_MS)
            rows = [
                row
                for symbol in self._symbols(p)
                for row in history.last_trades(account, symbol, KEPT_ROWS)
                if begin_ms <= row.stamp_ns // NS_PER_MS <= end_ms
            ]
        trades = [_trade(row) for row in sorted(rows, key=lambda row: -row.exec_id)]
        return _page(p, trades, MAX_TRADES, DEFAULT_TRADES, category)

    def _balances(self, account: str, p: Parameters, now: Instant) -> Json:
        if p.get("accountType") != "UNIFIED":
            raise Refused(Code(wire.BAD_PARAMETER.number, "accountType only support UNIFIED."))
        coins = [
            {"coin": asset, "walletBalance": short(b.free + b.locked), "locked": short(b.locked)}
            for (owner, asset), b in self._venue.state.accounts.balances.items()
            if owner == account and (b.free or b.locked)
        ]
        return {"list": [{"accountType": "UNIFIED", "coin": coins}]}

    def _cancel(self, account: str, p: Parameters, now: Instant) -> Json:
        _category(p)
        found = self._venue.find(account, p.get("symbol", ""), p.get("orderId", ""), p.get("orderLinkId", ""))
        if not isinstance(found, Order) or _kind(p, ORDER) != _kind_of(found):
            raise Refused(wire.NO_SUCH_ORDER)
        self._venue.engine.cancel(found, now)
        return {"orderId": str(found.order_id), "orderLinkId": found.cl_ord_id}

    def _cancel_all(self, account: str, p: Parameters, now: Instant) -> Json:
        _category(p)
        if self._cancels.count(now.boot_ns) > CANCELS_PER_S:
            raise Refused(wire.TOO_MANY)
        kind, symbols = _kind(p, ORDER), self._symbols(p)
        named = [o for symbol in symbols for o in self._venue.state.open_orders(account, symbol)]
        orders = [o for o in named if _kind_of(o) == kind]
        for order in orders:
            if order.is_open:
                self._venue.engine.cancel(order, now, Cause.MASS_CANCEL)
        rows = [{"orderId": str(o.order_id), "orderLinkId": o.cl_ord_id} for o in orders]
        return {"list": rows, "success": "1"}


def _told(
    answer: Callable[[str, Parameters, Instant], Json],
) -> Callable[[str, Parameters, Instant], Json]:
    """The answer in its envelope, or why there is none."""

    def tell(account: str, p: Parameters, now: Instant) -> Json:
        try:
            result = answer(account, p, now)
        except Refused as error:
            raise refused(error.code) from None
        time_ms = now.wall_ns // NS_PER_MS
        return {"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": time_ms}

    return tell


def _category(p: Parameters) -> str:
    """The one category that there is here. Raises Refused."""
    return wire.one_of(p.get("category", ""), wire.SPOT)


def _span(p: Parameters, now_ms: int) -> tuple[int, int]:
    """The time that is asked for, at most seven days. Raises Refused."""
    begin, end = p.get("startTime", ""), p.get("endTime", "")
    if begin:
        begin_ms = wire.whole(begin)
        end_ms = wire.whole(end) if end else begin_ms + WEEK_MS
    else:
        end_ms = wire.whole(end) if end else now_ms
        begin_ms = end_ms - WEEK_MS
    if not 0 <= end_ms - begin_ms <= WEEK_MS:
        raise Refused(Code(wire.BAD_PARAMETER.number, "startTime and endTime are at most 7 days apart."))
    return begin_ms, end_ms


def _page(p: Parameters, rows: Rows, most: int, default: int, category: str) -> Json:
    """A part of the rows, and the cursor of what follows it. Raises Refused."""
    limit = max(1, min(wire.whole(p.get("limit") or str(default)), most))
    begin = wire.whole(p.get("cursor") or "0")
    cursor = str(begin + limit) if begin + limit < len(rows) else ""
    return {"category": category, "list": rows[begin : begin + limit], "nextPageCursor": cursor}


def _kind(p: Parameters, default: str) -> str:
    """The orderFilter, by its default where there is none. Raises Refused."""
    return wire.one_of(p.get("orderFilter", default), "", *_KINDS)


def _kind_of(order: Order | ClosedOrder) -> str:
    """Under which orderFilter it is: what is awake is an order like any other."""
    return CONDITIONAL if isinstance(order, Order) and order.sleeps else ORDER


def _status(o: ClosedOrder, kind: str) -> str:
    if kind == CONDITIONAL:
        return "Untriggered"
    return "PartiallyFilledCanceled" if o.cum_qty and o.ord_status == CANCELED else _STATUS[o.ord_status]


def _order(order: Order | ClosedOrder) -> dict[str, object]:
    """An order as REST shows it."""
    o = closed_order(order) if isinstance(order, Order) else order
    t = o.terms
    ord_type = AWAKE.get(t.ord_type, t.ord_type)
    is_open = o.ord_status in ("0", "1")
    return {
        "orderId": str(o.order_id),
        "orderLinkId": t.cl_ord_id,
        "symbol": t.symbol,
        "price": short(t.price) if t.price is not None else "0",
        "qty": short(t.order_qty),
        "side": "Buy" if t.side == BUY else "Sell",
        "orderStatus": _status(o, _kind_of(order)),
        "avgPrice": short(o.cum_quote / o.cum_qty) if o.cum_qty else "",
        "leavesQty": short(t.order_qty - o.cum_qty) if is_open else "0",
        "cumExecQty": short(o.cum_qty),
        "cumExecValue": short(o.cum_quote),
        "timeInForce": "PostOnly" if t.post_only else _TIME_IN_FORCE[t.time_in_force],
        "orderType": "Market" if ord_type == MARKET else "Limit",
        "marketUnit": "baseCoin" if ord_type == MARKET else "",
        "stopOrderType": "" if t.stop_px is None else "Stop",
        "triggerPrice": "0.0" if t.stop_px is None else short(t.stop_px),
        "smpType": SMP_TYPES[t.self_trade],
        "createdTime": str(o.stamp_ns // NS_PER_MS),
        "updatedTime": str(o.updated_ns // NS_PER_MS),
    }


def _trade(t: TradeRow) -> dict[str, object]:
    return {
        "symbol": t.symbol,
        "orderId": str(t.order_id),
        "orderLinkId": t.cl_ord_id,
        "side": "Buy" if t.side == BUY else "Sell",
        "execId": exec_id_of(t.exec_id),
        "execPrice": short(t.px),
        "execQty": short(t.qty),
        "execValue": short(t.px * t.qty),
        "execType": "Trade",
        "execFee": short(t.fee),
        "feeCurrency": t.fee_asset,
        "execTime": str(t.stamp_ns // NS_PER_MS),
        "isMaker": t.maker,
        "seq": t.trade_id,
    }


def _instrument(i: Instrument) -> dict[str, object]:
    return {
        "symbol": i.symbol,
        "baseCoin": i.base,
        "quoteCoin": i.quote,
        "status": "Trading",
        "lotSizeFilter": {
            "basePrecision": short(i.lot_size),
            "quotePrecision": f"1e-{places(i.lot_size) + places(i.tick_size)}",
            "minOrderQty": short(i.min_qty),
            "maxOrderQty": short(i.max_qty),
            "minOrderAmt": short(i.min_notional),
        },
        "priceFilter": {"tickSize": short(i.tick_size)},
    }

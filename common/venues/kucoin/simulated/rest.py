"""KuCoin's REST side, as much as spot trading in an HF account needs.

Source: KuCoin documentation as stored 2025-11-29, spot trading and account information.
"""

from collections.abc import Mapping

from common.exchange.dead_man import DeadMansSwitch
from common.exchange.engine import Cause, Refusal
from common.exchange.history import ClosedOrder, TradeRow
from common.exchange.numbers import digits
from common.exchange.order import (
    BUY,
    DECREMENT,
    EXPIRE_BOTH,
    EXPIRE_MAKER,
    EXPIRE_TAKER,
    FILL_OR_KILL,
    GOOD_TILL_CANCEL,
    GOOD_TILL_DATE,
    IMMEDIATE_OR_CANCEL,
    LIMIT,
    MARKET,
    SELL,
    Order,
    Terms,
)
from common.exchange.rest import LAST, Json, Parameters, Route
from common.exchange.tokens import Tokens
from common.exchange.venue import Venue
from common.instant import NS_PER_MS, NS_PER_S, Instant
from common.venues.families.kucoin.simulated.requests import LOOKED_THROUGH, KucoinRequests, answered, refused
from common.venues.families.kucoin.simulated.rows import Row, ms
from common.venues.kucoin.simulated.rows import (
    PARAMETER,
    balance_row,
    code_of,
    fill_row,
    order_name,
    order_number,
    order_row,
    symbol_row,
)

POOL = 4_000
"""The weight of a user's requests about spot trading in 30 s, at the lowest level."""

RESTS_WEIGHT, LISTS_WEIGHT, TOKEN_WEIGHT = 1, 2, 10
SHORTEST_GUARD_S, LONGEST_GUARD_S, GUARDED_SYMBOLS = 5, 86_400, 50
"""Bounds of the dead man's switch."""

SPAN_NS = 7 * 86_400 * NS_PER_S
"""Fills are told of so long a span of time at once, counted from startAt where that alone is given."""

PAGE, PAGE_UNASKED = 100, 20
GONE = "order_not_exist_or_not_allow_to_cancel"
_TIMES_IN_FORCE = {
    "": GOOD_TILL_CANCEL, "GTC": GOOD_TILL_CANCEL, "GTT": GOOD_TILL_DATE, "IOC": IMMEDIATE_OR_CANCEL,
    "FOK": FILL_OR_KILL,
}  # fmt: skip
_SELF_TRADE = {"CN": EXPIRE_TAKER, "CO": EXPIRE_MAKER, "CB": EXPIRE_BOTH, "DC": DECREMENT}


class KucoinSpotRestApi(KucoinRequests):
    """A `RestApi`. `switch` is the venue's dead man's switch."""

    pool = POOL
    parameter = PARAMETER
    used_already = "clientOid is used already"
    no_balance = "Balance insufficient!"

    def __init__(self, venue: Venue, tokens: Tokens, switch: DeadMansSwitch) -> None:
        super().__init__(venue, tokens)
        self._switch = switch
        orders = "/api/v1/hf/orders"
        public = {
            ("GET", "/api/v1/timestamp"): self._time, ("GET", "/api/v2/symbols"): self._symbols,
            ("GET", "/api/v1/market/orderbook/level1"): self._best, ("GET", "/api/v1/market/orderbook/*"): self._book,
            ("POST", "/api/v1/bullet-public"): self._token,
        }  # fmt: skip
        signed = {
            ("GET", "/api/v3/market/orderbook/level2"): (LISTS_WEIGHT, self._book),
            ("GET", f"{orders}/{LAST}"): (LISTS_WEIGHT, self._order),
            ("GET", f"{orders}/client-order/{LAST}"): (LISTS_WEIGHT, self._order_by_client),
            ("GET", f"{orders}/active"): (LISTS_WEIGHT, self._active),
            ("GET", f"{orders}/active/symbols"): (LISTS_WEIGHT, self._active_symbols),
            ("GET", f"{orders}/done"): (LISTS_WEIGHT, self._done),
            ("GET", "/api/v1/hf/fills"): (LISTS_WEIGHT, self._fills),
            ("GET", "/api/v1/accounts"): (LISTS_WEIGHT, self._balances),
            ("GET", "/api/v3/margin/symbols"): (LISTS_WEIGHT, self._no_margin),
            ("GET", "/api/v1/isolated/symbols"): (LISTS_WEIGHT, self._no_isolated),
            ("POST", orders): (RESTS_WEIGHT, self._new),
            ("POST", f"{orders}/alter"): (RESTS_WEIGHT, self._alter),
            ("POST", f"{orders}/dead-cancel-all"): (LISTS_WEIGHT, self._dead_cancel_all),
            ("DELETE", f"{orders}/{LAST}"): (RESTS_WEIGHT, self._cancel),
            ("DELETE", f"{orders}/client-order/{LAST}"): (RESTS_WEIGHT, self._cancel_by_client),
            ("DELETE", orders): (LISTS_WEIGHT, self._cancel_symbol),
            ("DELETE", f"{orders}/cancelAll"): (LISTS_WEIGHT, self._cancel_all),
            ("POST", "/api/v1/bullet-private"): (TOKEN_WEIGHT, self._token),
        }  # fmt: skip
        self.routes: Mapping[tuple[str, str], Route] = self._routes(public, signed)

    def _code_of(self, refusal: Refusal) -> str:
        return code_of(refusal)

    def _order_name(self, order_id: int) -> str:
        return order_name(order_id)

    # ---- public

    def _symbols(self, account: str, p: Parameters, now: Instant) -> Json:
        return answered([symbol_row(i) for i in self._venue.state.instruments.values()])

    def _book(self, account: str, p: Parameters, now: Instant) -> Json:
        symbol, depth = p.get("symbol", ""), p.get(LAST, "level2").partition("_")[2]
        book = self._venue.state.books.get(symbol)
        if book is None or depth not in ("", "20", "100"):
            raise refused("400600", f"symbol {symbol} or depth {depth} is not there")
        sides = {
            name: [[digits(level.price), digits(level.qty)] for level in side.walk()][: int(depth or LOOKED_THROUGH)]
            for name, side in (("bids", book.bids), ("asks", book.asks))
        }
        return answered({"time": ms(now.wall_ns), "sequence": str(book.update_id), **sides})

    def _best(self, account: str, p: Parameters, now: Instant) -> Json:
        symbol = p.get("symbol", "")
        book = self._venue.state.books.get(symbol)
        if book is None:
            return answered(None)
        bid, ask = book.bids.best(), book.asks.best()
        last = book.last_px or self._venue.state.instruments[symbol].start_price
        row: Row = {"time": ms(now.wall_ns), "sequence": str(book.update_id), "price": digits(last), "size": "0"}
        for name, level in (("bestBid", bid), ("bestAsk", ask)):
            row[name] = None if level is None else digits(level.price)
            row[f"{name}Size"] = None if level is None else digits(level.qty)
        return answered(row)

    # ---- questions

    def _order(self, account: str, p: Parameters, now: Instant) -> Json:
        return self._told(account, self._find(account, p, order_id=p[LAST]), now)

    def _order_by_client(self, account: str, p: Parameters, now: Instant) -> Json:
        return self._told(account, self._find(account, p, client_oid=p[LAST]), now)

    def _find(
        self, account: str, p: Parameters, *, order_id: str = "", client_oid: str = ""
    ) -> Order | ClosedOrder | None:
        if not p.get("symbol"):
            raise refused(PARAMETER, "symbol can not be empty")
        return self._venue.find(account, p["symbol"], order_id and order_number(order_id), client_oid)

    def _told(self, account: str, found: Order | ClosedOrder | None, now: Instant) -> Json:
        """The order, or null: that there is none is no error."""
        return answered(None if found is None or self._venue.hides(found.stamp_ns, now) else self._row(account, found))

    def _row(self, account: str, found: Order | ClosedOrder) -> Row:
        fills = self._venue.history.trades_of(account, found.order_id)
        return order_row(found, fills, self._venue.state.instruments[found.terms.symbol])

    def _active(self, account: str, p: Parameters, now: Instant) -> Json:
        if not p.get("symbol"):
            raise refused(PARAMETER, "symbol can not be empty")
        orders = self._venue.state.open_orders(account, p["symbol"])
        newest = sorted(orders, key=lambda o: o.order_id, reverse=True)
        return answered([self._row(account, o) for o in newest if not self._venue.hides(o.stamp_ns, now)])

    def _active_symbols(self, account: str, p: Parameters, now: Instant) -> Json:
        state = self._venue.state
        return answered({"symbols": [symbol for symbol in state.books if state.open_orders(account, symbol)]})

    def _done(self, account: str, p: Parameters, now: Instant) -> Json:
        """The newest first, older than the order `lastId`."""
        begin_ns, end_ns = _span(p, now)
        before, limit = int(p.get("lastId") or 1 << 62), min(PAGE, int(p.get("limit") or PAGE_UNASKED))
        closed = self._venue.history.last_orders(account, p.get("symbol", ""), LOOKED_THROUGH)
        told = [o for o in closed if begin_ns <= o.stamp_ns <= end_ns and not self._venue.hides(o.stamp_ns, now)]
        found = sorted((o for o in told if o.order_id < before), key=lambda o: o.order_id, reverse=True)[:limit]
        rows = [self._row(account, order) for order in found]
        return answered({"items": rows, "lastId": found[-1].order_id if found else 0})

    def _fills(self, account: str, p: Parameters, now: Instant) -> Json:
        """The newest first, older than the fill `lastId`; with an orderId all else is ignored."""
        rows = self._fills_asked_for(account, p, now)
        before = int(p.get("lastId") or 1 << 62)
        limit = min(PAGE, int(p.get("limit") or PAGE_UNASKED))
        found = sorted((r for r in rows if r.exec_id < before), key=lambda r: r.exec_id, reverse=True)[:limit]
        return answered({"items": [fill_row(r) for r in found], "lastId": found[-1].exec_id if found else 0})

    def _fills_asked_for(self, account: str, p: Parameters, now: Instant) -> list[TradeRow]:
        symbol, history = p.get("symbol", ""), self._venue.history
        if not symbol:
            raise refused(PARAMETER, "symbol can not be empty")
        if p.get("orderId"):
            number_ = order_number(p["orderId"])
            return history.trades_of(account, int(number_)) if number_.isdecimal() else []
        begin_ns, end_ns = _span(p, now)
        rows = history.last_trades(account, symbol, LOOKED_THROUGH)
        return [row for row in rows if begin_ns <= row.stamp_ns <= end_ns]

    def _balances(self, account: str, p: Parameters, now: Instant) -> Json:
        balances = self._venue.state.accounts.balances
        mine = {asset: b for (owner, asset), b in balances.items() if owner == account}
        wanted = p.get("type", "trade_hf") == "trade_hf"
        return answered([balance_row(asset, b.free, b.locked) for asset, b in mine.items() if wanted])

    def _no_margin(self, account: str, p: Parameters, now: Instant) -> Json:
        return answered({"timestamp": ms(now.wall_ns), "items": []})

    def _no_isolated(self, account: str, p: Parameters, now: Instant) -> Json:
        return answered([])

    # ---- acts

    def _new(self, account: str, p: Parameters, now: Instant) -> Json:
        _check_window(p, now)
        return self._placed(self._terms(account, p, now), now)

    def _terms(self, account: str, p: Parameters, now: Instant) -> Terms:
        name, kind, side = self._named(account, p), p.get("type", "limit"), p.get("side", "")
        if side not in ("buy", "sell") or kind not in ("limit", "market"):
            raise refused(PARAMETER, "side or type is of another form")
        force, mode = p.get("timeInForce", ""), p.get("stp", "")
        post_only = p.get("postOnly", "False") == "True"
        if force not in _TIMES_IN_FORCE or mode not in ("", *_SELF_TRADE) or (post_only and force in ("IOC", "FOK")):
            raise refused(PARAMETER, "timeInForce, postOnly or stp is of another form")
        symbol, code = p.get("symbol", ""), BUY if side == "buy" else SELL
        cash_qty = self._decimal(p, "funds") if kind == "market" and p.get("funds") else None
        base = self._venue.engine.base_for
        qty = base(symbol, code, cash_qty) if cash_qty is not None else self._decimal(p, "size")
        after_s = int(p.get("cancelAfter") or 0) if force == "GTT" else 0
        return Terms(
            account, account, name, symbol, code, MARKET if kind == "market" else LIMIT, qty,
            None if kind == "market" else self._decimal(p, "price"), _TIMES_IN_FORCE[force if kind == "limit" else ""],
            post_only, self._venue.prevention(_SELF_TRADE.get(mode, "")),
            expire_ns=now.wall_ns + after_s * NS_PER_S if after_s > 0 else 0, cash_qty=cash_qty,
        )  # fmt: skip

    def _alter(self, account: str, p: Parameters, now: Instant) -> Json:
        """Cancel the order, and place its rest anew under the same clientOid. newSize counts what is filled already;
        where that is not more than what is filled, nothing is placed."""
        names = {"order_id": p["orderId"]} if p.get("orderId") else {"client_oid": p.get("clientOid", "")}
        order = self._find(account, p, **names)
        if not isinstance(order, Order) or not order.is_open:
            raise refused(PARAMETER, GONE)
        qty = self._decimal(p, "newSize") if p.get("newSize") else order.order_qty
        px = self._decimal(p, "newPrice") if p.get("newPrice") else order.price
        engine, filled = self._venue.engine, order.cum_qty
        refusal = engine.check_replace(order, order.cl_ord_id, qty, px)
        if refusal not in (None, Refusal.BELOW_FILLED):
            raise refused(code_of(refusal), refusal.value)
        engine.cancel(order, now, Cause.REPLACED)
        if refusal is not None:
            return answered({"newOrderId": None, "clientOid": order.cl_ord_id})
        placed = engine.new(order.terms._replace(order_qty=qty - filled, price=px), now)
        if isinstance(placed, Refusal):
            raise refused(code_of(placed), placed.value)
        return answered({"newOrderId": order_name(placed.order_id), "clientOid": order.cl_ord_id})

    def _cancel(self, account: str, p: Parameters, now: Instant) -> Json:
        self._cancelled(self._find(account, p, order_id=p[LAST]), now)
        return answered({"orderId": p[LAST]})

    def _cancel_by_client(self, account: str, p: Parameters, now: Instant) -> Json:
        self._cancelled(self._find(account, p, client_oid=p[LAST]), now)
        return answered({"clientOid": p[LAST]})

    def _cancelled(self, order: Order | ClosedOrder | None, now: Instant) -> None:
        """The request is taken."""
        if not isinstance(order, Order) or not order.is_open:
            raise refused(PARAMETER, GONE)
        self._close(order, now)

    def _cancel_symbol(self, account: str, p: Parameters, now: Instant) -> Json:
        self._venue.engine.cancel_all(account, p.get("symbol", ""), now)
        return answered("success")

    def _cancel_all(self, account: str, p: Parameters, now: Instant) -> Json:
        symbols = list(self._venue.state.books)
        done = [symbol for symbol in symbols if self._venue.engine.cancel_all(account, symbol, now)]
        return answered({"succeedSymbols": done, "failedSymbols": []})

    def _dead_cancel_all(self, account: str, p: Parameters, now: Instant) -> Json:
        """What is set overwrites what was; -1 takes all of it back."""
        timeout, symbols = p.get("timeout", ""), [each for each in p.get("symbols", "").split(",") if each]
        seconds = int(timeout) if timeout.removeprefix("-").isdecimal() else 0
        is_off = seconds == -1
        known = all(symbol in self._venue.state.books for symbol in symbols)
        in_bounds = SHORTEST_GUARD_S <= seconds <= LONGEST_GUARD_S and len(symbols) <= GUARDED_SYMBOLS and known
        if not is_off and not in_bounds:
            raise refused(PARAMETER, "timeout is -1 or 5 to 86400, of 50 symbols at most")
        wanted = [] if is_off else symbols or list(self._venue.state.books)
        self._switch.set_only(account, wanted, max(0, seconds), now)
        now_s = now.wall_ns // NS_PER_S
        return answered({"currentTime": now_s, "triggerTime": 0 if is_off else now_s + seconds})


def _span(p: Parameters, now: Instant) -> tuple[int, int]:
    """startAt and endAt, Unix: seven days from or to the one that is given, the last seven without either."""
    begin_ns, end_ns = int(p.get("startAt") or 0) * NS_PER_MS, int(p.get("endAt") or 0) * NS_PER_MS
    begin_ns = begin_ns or (end_ns or now.wall_ns) - SPAN_NS
    end_ns = end_ns or begin_ns + SPAN_NS
    if end_ns - begin_ns > SPAN_NS:
        raise refused(PARAMETER, "The time range can not exceed 7 days")
    return begin_ns, end_ns


def _check_window(p: Parameters, now: Instant) -> None:
    """clientTimestamp and allowMaxTimeWindow: an order that comes later than that fails."""
    window, stamp = p.get("allowMaxTimeWindow", ""), p.get("clientTimestamp", "")
    if not window and not stamp:
        return
    if not window.isdecimal() or not stamp.isdecimal():
        raise refused(PARAMETER, "clientTimestamp has to come with allowMaxTimeWindow")
    if (int(stamp[:16]) + int(window[:16])) * NS_PER_MS < now.wall_ns:
        raise refused(PARAMETER, "the order came later than clientTimestamp and allowMaxTimeWindow allow")

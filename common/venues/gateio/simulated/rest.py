"""Gate.io's REST side, as much as spot trading needs.

Source: Gate APIv4 documentation as stored 2025-11-25, spot.
"""

from collections.abc import Mapping

from common.exchange.history import ClosedOrder, TradeRow, closed_order
from common.exchange.order import BUY, FILLED, LIMIT, MARKET, NO_PREVENTION, SELL, Order, Terms
from common.exchange.rest import LAST, Json, Parameters, Route
from common.exchange.venue import Venue
from common.instant import NS_PER_MS, Instant
from common.venues.families.gateio.simulated.requests import (
    DEFAULT_ROWS,
    LOOKED_THROUGH,
    MAX_FILLS,
    MAX_ORDERS,
    NOT_FOUND,
    OTHERS,
    TIMES_IN_FORCE,
    VERSION,
    GateioRequests,
    Quota,
    decimal_of,
    refused,
    span_of,
    whole_of,
)
from common.venues.families.gateio.simulated.rows import PARAMETER, Row
from common.venues.gateio.simulated.rows import (
    LABELS,
    balance_row,
    fill_row,
    levels,
    order_row,
    pair_row,
    ticker_row,
)
from common.venues.gateio.simulated.websocket import GateioSpotWebSocket

ORDERS = Quota(10, 1)
"""New orders and amendments of each user and pair together."""

SIDES = {"buy": BUY, "sell": SELL}
_MODES = ("ACK", "RESULT", "FULL")


class GateioSpotRestApi(GateioRequests):
    """A `RestApi`."""

    sides = SIDES
    labels = LABELS

    def __init__(self, venue: Venue, pushes: GateioSpotWebSocket) -> None:
        super().__init__(venue, pushes)
        public = {
            "spot/time": self._time, "spot/currency_pairs": self._pairs, "margin/currency_pairs": self._none,
            "spot/order_book": self._book, "spot/tickers": self._ticker,
        }  # fmt: skip
        asking = {
            f"spot/orders/{LAST}": self._order, "spot/orders": self._orders, "spot/open_orders": self._open_orders,
            "spot/my_trades": self._fills, "spot/accounts": self._balances, "account/detail": self._detail,
        }  # fmt: skip
        routes = {("GET", f"{VERSION}/{path}"): Route(1, False, answer) for path, answer in public.items()}
        routes |= {("GET", f"{VERSION}/{path}"): Route(1, True, answer) for path, answer in asking.items()}
        one, every = f"{VERSION}/spot/orders/{LAST}", f"{VERSION}/spot/orders"
        routes |= {
            ("POST", every): Route(1, True, self._new, status=201),
            ("POST", f"{VERSION}/spot/countdown_cancel_all"): Route(1, True, self._countdown),
            ("PATCH", one): Route(1, True, self._amend),
            ("DELETE", one): Route(1, True, self._cancel),
            ("DELETE", every): Route(1, True, self._cancel_all),
        }
        self.routes: Mapping[tuple[str, str], Route] = routes

    # ---- public

    def _pairs(self, account: str, p: Parameters, now: Instant) -> Json:
        self._counted("", "pairs", OTHERS, now)
        return [pair_row(i) for i in self._venue.state.instruments.values()]

    def _none(self, account: str, p: Parameters, now: Instant) -> Json:
        """There is no margin here."""
        return []

    def _symbol(self, p: Parameters) -> str:
        symbol = p.get("currency_pair", "")
        if symbol not in self._venue.state.books:
            raise refused(400, "INVALID_CURRENCY_PAIR", f"Invalid currency pair {symbol}"[:100])
        return symbol

    def _symbols(self, p: Parameters) -> list[str]:
        return [self._symbol(p)] if p.get("currency_pair") else list(self._venue.state.books)

    def _book(self, account: str, p: Parameters, now: Instant) -> Json:
        self._counted("", "order_book", OTHERS, now)
        book, depth = self._venue.state.books[self._symbol(p)], whole_of(p, "limit", 10, 1000)
        stamp_ms = now.wall_ns // NS_PER_MS
        numbered = {"id": book.update_id} if p.get("with_id", "").lower() == "true" else {}
        sides = {"asks": levels(book.asks, depth), "bids": levels(book.bids, depth)}
        return {**numbered, "current": stamp_ms, "update": stamp_ms, **sides}

    def _ticker(self, account: str, p: Parameters, now: Instant) -> Json:
        self._counted("", "tickers", OTHERS, now)
        state = self._venue.state
        return [ticker_row(state.books[symbol], state.instruments[symbol]) for symbol in self._symbols(p)]

    # ---- questions

    def _row(self, order: Order | ClosedOrder) -> Row:
        told = closed_order(order) if isinstance(order, Order) else order
        fills = self._venue.history.trades_of(told.terms.account, told.order_id) if told.cum_qty else []
        asset = self._venue.state.instruments[told.terms.symbol].fee_asset(told.terms.side)
        return order_row(told, fills, asset, amend_text=self._pushes.amend_text(told.order_id))

    def _find(self, account: str, p: Parameters, now: Instant) -> Order | ClosedOrder:
        """By the venue's id, or by text, which finds what is open alone."""
        name, symbol = p[LAST], self._symbol(p)
        if name.startswith("t-"):
            found: Order | ClosedOrder | None = self._venue.state.find(account, name.removeprefix("t-"))
            found = found if found is not None and found.terms.symbol == symbol else None
        else:
            found = self._venue.find(account, symbol, name, "")
        if found is None:
            raise refused(404, NOT_FOUND, "Order not found")
        return found

    def _open_orders(self, account: str, p: Parameters, now: Instant) -> Json:
        """Of each pair the newest first, a page of each."""
        self._counted(account, "open_orders", OTHERS, now)
        page, limit = whole_of(p, "page", 1, 1 << 30), whole_of(p, "limit", DEFAULT_ROWS, MAX_ORDERS)
        found = []
        for symbol in self._venue.state.books:
            every = self._venue.state.open_orders(account, symbol)
            orders = [order for order in every if not self._venue.hides(order.stamp_ns, now)]
            newest = sorted(orders, key=lambda o: o.order_id, reverse=True)
            rows = [self._row(order) for order in newest[(page - 1) * limit : page * limit]]
            found += [{"currency_pair": symbol, "total": len(orders), "orders": rows}] if rows else []
        return found

    def _orders(self, account: str, p: Parameters, now: Instant) -> Json:
        """Those of one pair that are open, or have ended in a span of time, the newest first."""
        self._counted(account, "orders", OTHERS, now)
        symbol, status = self._symbol(p), p.get("status", "")
        page, limit = whole_of(p, "page", 1, 1 << 30), whole_of(p, "limit", DEFAULT_ROWS, MAX_ORDERS)
        orders: list[Order | ClosedOrder] = []
        if status == "open":
            orders += self._venue.state.open_orders(account, symbol)
        elif status == "finished":
            orders += self._ended(account, symbol, span_of(p, now))
        else:
            raise refused(400, PARAMETER, "invalid argument: status")
        newest = sorted(
            (o for o in orders if not self._venue.hides(o.stamp_ns, now)), key=lambda o: o.order_id, reverse=True
        )
        return [self._row(order) for order in newest[(page - 1) * limit : page * limit]]

    def _ended(self, account: str, symbol: str, span: tuple[int, int]) -> list[ClosedOrder]:
        """The orders that ended within the span, whose bounds are in nanoseconds."""
        orders = self._venue.history.last_orders(account, symbol, LOOKED_THROUGH)
        return [order for order in orders if span[0] <= order.updated_ns <= span[1]]

    def _fills(self, account: str, p: Parameters, now: Instant) -> Json:
        """The newest first: of one order, or of all that ended in a span of time, which leaves out what is open."""
        self._counted(account, "my_trades", OTHERS, now)
        history = self._venue.history
        page, limit = whole_of(p, "page", 1, 1 << 30), whole_of(p, "limit", DEFAULT_ROWS, MAX_FILLS)
        if p.get("order_id"):
            self._symbol(p)
            rows = history.trades_of(account, int(p["order_id"][:18])) if p["order_id"].isdecimal() else []
        else:
            span = span_of(p, now)
            rows = []
            for symbol in self._symbols(p):
                ended = {order.order_id for order in self._ended(account, symbol, span)}
                trades = history.last_trades(account, symbol, LOOKED_THROUGH)
                rows += [row for row in trades if row.order_id in ended or self._surely_ended(row, span)]
        newest = sorted(rows, key=lambda row: row.exec_id, reverse=True)
        return [fill_row(row) for row in newest[(page - 1) * limit : page * limit]]

    def _surely_ended(self, row: TradeRow, span: tuple[int, int]) -> bool:
        """Whether the trade's order ended within the span: one that is not open has ended since its trade, and most
        spans reach to now."""
        return span[0] <= row.stamp_ns <= span[1] and row.order_id not in self._venue.state.orders

    def _balances(self, account: str, p: Parameters, now: Instant) -> Json:
        self._counted(account, "accounts", OTHERS, now)
        balances = self._venue.state.accounts.balances
        return [balance_row(asset, b.free, b.locked) for (owner, asset), b in balances.items() if owner == account]

    # ---- acts

    def _new(self, account: str, p: Parameters, now: Instant) -> Json:
        self._counted(account, f"orders {p.get('currency_pair', '')}", ORDERS, now)
        terms = self._terms(account, p)
        self._refuse_by_fault()
        self._raise_refusal(self._venue.engine.check(terms, now.wall_ns))
        row = self._row(self._venue.engine.place(terms, now))
        return {name: row[name] for name in ("id", "text", "amend_text")} if p.get("action_mode") == "ACK" else row

    def _terms(self, account: str, p: Parameters) -> Terms:
        symbol, kind, side = self._symbol(p), p.get("type", "limit"), p.get("side", "")
        if kind not in ("limit", "market") or side not in ("buy", "sell") or p.get("account", "spot") != "spot":
            raise refused(400, PARAMETER, "invalid argument: type, side or account")
        in_force = p.get("time_in_force", "gtc")
        if in_force not in TIMES_IN_FORCE or (kind == "market" and in_force not in ("ioc", "fok")):
            raise refused(400, PARAMETER, "invalid argument: time_in_force")
        if p.get("stp_act") or p.get("action_mode", "FULL") not in _MODES:
            raise refused(400, PARAMETER, "invalid argument: stp_act outside of an STP group, or action_mode")
        side_code, amount, cash_qty = BUY if side == "buy" else SELL, decimal_of(p, "amount"), None
        if kind == "market" and side == "buy":
            # Of a market order to buy the amount is in the quote asset.
            cash_qty, amount = amount, self._venue.engine.base_for(symbol, BUY, amount)
        shown = decimal_of(p, "iceberg") if p.get("iceberg", "0") != "0" else None
        return Terms(
            account, account, self._name(p), symbol, side_code, MARKET if kind == "market" else LIMIT, amount,
            None if kind == "market" else decimal_of(p, "price"), TIMES_IN_FORCE[in_force], in_force == "poc",
            NO_PREVENTION, display_qty=shown, cash_qty=cash_qty,
        )  # fmt: skip

    def _open(self, account: str, p: Parameters, now: Instant) -> Order:
        """The open order that is named. Raises RestError, which says of what has ended how it did."""
        found = self._find(account, p, now)
        if not isinstance(found, Order) or not found.is_open:
            label = "ORDER_CLOSED" if found.ord_status == FILLED else "ORDER_CANCELLED"
            raise refused(400, label, "Order is not open")
        return found

    def _amend(self, account: str, p: Parameters, now: Instant) -> Json:
        """Answered when it is done."""
        self._counted(account, f"orders {p.get('currency_pair', '')}", ORDERS, now)
        order = self._open(account, p, now)
        if not p.get("amount") and not p.get("price"):
            raise refused(400, PARAMETER, "either amount or price must be specified")
        qty = decimal_of(p, "amount") if p.get("amount") else order.order_qty
        px = decimal_of(p, "price") if p.get("price") else order.price
        return self._amended(order, qty, px, p, now)

"""Gate.io Futures' REST side, as much as trading linear perpetuals needs.

The account is a classic one with one position in each contract, held across it.

Source: Gate APIv4 documentation as stored 2025-11-25, futures. Labels that it does not name for a case are as CCXT 4.5
knows them.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from common.exchange.history import ClosedOrder, closed_order
from common.exchange.numbers import read_number
from common.exchange.order import BUY, LIMIT, MARKET, NO_PREVENTION, SELL, ZERO, Order, Terms
from common.exchange.rest import LAST, Json, Parameters, Route
from common.exchange.venue import Venue
from common.instant import NS_PER_MS, NS_PER_S, Instant
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
from common.venues.gateiofutures.simulated.rows import (
    LABELS,
    account_row,
    contract_row,
    fill_row,
    levels,
    order_row,
    position_row,
    ticker_row,
)
from common.venues.gateiofutures.simulated.websocket import GateioFuturesWebSocket

ORDERS = Quota(100, 1)
"""A user's new orders and amendments together."""

FOUND_BY_TEXT_NS = 60 * NS_PER_S
"""So long after its end an order is found by its text."""

FORGOTTEN_AFTER_NS = 600 * NS_PER_S
"""So long after its end an order that was not filled is not told of any more."""

MAX_CONTRACTS = 1000
SIDES = {"bid": BUY, "ask": SELL}


class GateioFuturesRestApi(GateioRequests):
    """A `RestApi`."""

    sides = SIDES
    labels = LABELS
    _pushes: GateioFuturesWebSocket

    def __init__(self, venue: Venue, pushes: GateioFuturesWebSocket) -> None:
        super().__init__(venue, pushes)
        stem = f"{VERSION}/futures/usdt"
        one, every = f"{stem}/orders/{LAST}", f"{stem}/orders"
        public = {
            f"{VERSION}/spot/time": self._time, f"{stem}/contracts": self._contracts,
            f"{VERSION}/futures/btc/contracts": self._none, f"{stem}/order_book": self._book,
            f"{stem}/tickers": self._ticker,
        }  # fmt: skip
        asking = {
            f"{VERSION}/account/detail": self._detail, one: self._order, every: self._orders,
            f"{stem}/orders_timerange": self._orders_in_time, f"{stem}/my_trades": self._fills,
            f"{stem}/my_trades_timerange": self._fills_in_time, f"{stem}/accounts": self._account,
            f"{stem}/positions": self._positions,
        }  # fmt: skip
        routes = {("GET", path): Route(1, False, answer) for path, answer in public.items()}
        routes |= {("GET", path): Route(1, True, answer) for path, answer in asking.items()}
        routes |= {
            ("POST", every): Route(1, True, self._new, status=201),
            ("POST", f"{stem}/countdown_cancel_all"): Route(1, True, self._countdown),
            ("PUT", one): Route(1, True, self._amend),
            ("DELETE", one): Route(1, True, self._cancel),
            ("DELETE", every): Route(1, True, self._cancel_all),
        }
        self.routes: Mapping[tuple[str, str], Route] = routes

    # ---- public

    def _none(self, account: str, p: Parameters, now: Instant) -> Json:
        """What is settled in something else is not traded here."""
        return []

    def _contracts(self, account: str, p: Parameters, now: Instant) -> Json:
        self._counted("", "contracts", OTHERS, now)
        state, limit = self._venue.state, whole_of(p, "limit", DEFAULT_ROWS, MAX_CONTRACTS)
        rows = [contract_row(i, self._venue.engine.last_px(i.symbol)) for i in state.instruments.values()]
        return rows[:limit]

    def _symbol(self, p: Parameters) -> str:
        symbol = self._pushes.symbol_of(p.get("contract", ""))
        if not symbol:
            raise refused(400, "CONTRACT_NOT_FOUND", f"Contract {p.get('contract', '')} not found"[:100])
        return symbol

    def _symbols(self, p: Parameters) -> list[str]:
        """The contract that is named, else all."""
        return [self._symbol(p)] if p.get("contract") else list(self._venue.state.books)

    def _book(self, account: str, p: Parameters, now: Instant) -> Json:
        self._counted("", "order_book", OTHERS, now)
        book, depth = self._venue.state.books[self._symbol(p)], whole_of(p, "limit", 10, 1000)
        stamp = now.wall_ns // NS_PER_MS / 1000
        numbered = {"id": book.update_id} if p.get("with_id", "").lower() == "true" else {}
        sides = {"asks": levels(book.asks, depth), "bids": levels(book.bids, depth)}
        return {**numbered, "current": stamp, "update": stamp, **sides}

    def _ticker(self, account: str, p: Parameters, now: Instant) -> Json:
        self._counted("", "tickers", OTHERS, now)
        state = self._venue.state
        return [ticker_row(state.books[symbol], state.instruments[symbol]) for symbol in self._symbols(p)]

    # ---- questions

    def _row(self, order: Order | ClosedOrder) -> Row:
        told = closed_order(order) if isinstance(order, Order) else order
        instrument, user = self._venue.state.instruments[told.terms.symbol], self._pushes.user(told.terms.account)
        return order_row(told, instrument, user, self._pushes.amend_text(told.order_id))

    def _find(self, account: str, p: Parameters, now: Instant) -> Order | ClosedOrder:
        """By the venue's id; or by text, which finds an order until a minute after its end. Raises RestError."""
        name, venue = p[LAST], self._venue
        by_text = name.startswith("t-")
        found = venue.find(account, "", "", name[2:]) if by_text else venue.find(account, "", name, "")
        is_old = found is not None and by_text and self._ended_before(found, now, FOUND_BY_TEXT_NS)
        if found is None or is_old or self._is_forgotten(found, now):
            raise refused(404, NOT_FOUND, "Order not found")
        return found

    def _ended_before(self, order: Order | ClosedOrder, now: Instant, span_ns: int) -> bool:
        return order.ord_status not in "01" and order.updated_ns + span_ns < now.wall_ns

    def _is_forgotten(self, order: Order | ClosedOrder, now: Instant) -> bool:
        return not order.cum_qty and self._ended_before(order, now, FORGOTTEN_AFTER_NS)

    def _orders(self, account: str, p: Parameters, now: Instant) -> Json:
        """Those that are open, or have ended, the newest first."""
        self._counted(account, "orders", OTHERS, now)
        if p.get("status") not in ("open", "finished"):
            raise refused(400, PARAMETER, "invalid argument: status")
        found: list[Order | ClosedOrder] = []
        for symbol in self._symbols(p):
            is_open = p["status"] == "open"
            found += self._venue.state.open_orders(account, symbol) if is_open else self._ended(account, symbol, now)
        return self._page(found, p, now)

    def _orders_in_time(self, account: str, p: Parameters, now: Instant) -> Json:
        """Those that were placed in a span of time, open or not, the newest first."""
        self._counted(account, "orders_timerange", OTHERS, now)
        begin, end = span_of(p, now)
        found: list[Order | ClosedOrder] = []
        for symbol in self._symbols(p):
            found += [*self._venue.state.open_orders(account, symbol), *self._ended(account, symbol, now)]
        return self._page((each for each in found if begin <= each.stamp_ns <= end), p, now)

    def _ended(self, account: str, symbol: str, now: Instant) -> list[ClosedOrder]:
        orders = self._venue.history.last_orders(account, symbol, LOOKED_THROUGH)
        return [order for order in orders if not self._is_forgotten(order, now)]

    def _page(self, orders: Iterable[Order | ClosedOrder], p: Parameters, now: Instant) -> Json:
        shown = [order for order in orders if not self._venue.hides(order.stamp_ns, now)]
        newest = sorted(shown, key=lambda order: order.order_id, reverse=True)
        return [self._row(order) for order in newest[_slice(p, MAX_ORDERS)]]

    def _fills(self, account: str, p: Parameters, now: Instant) -> Json:
        """The newest first, of one order or all."""
        self._counted(account, "my_trades", OTHERS, now)
        history = self._venue.history
        if p.get("order"):
            trades = history.trades_of(account, int(p["order"][:18])) if p["order"].isdecimal() else []
        else:
            trades = [row for each in self._symbols(p) for row in history.last_trades(account, each, LOOKED_THROUGH)]
        newest = sorted(trades, key=lambda row: row.exec_id, reverse=True)[_slice(p, MAX_FILLS)]
        return [fill_row(row, self._venue.state.instruments[row.symbol]) for row in newest]

    def _fills_in_time(self, account: str, p: Parameters, now: Instant) -> Json:
        """Those of a span of time, the newest first, each by its `trade_id`."""
        self._counted(account, "my_trades_timerange", OTHERS, now)
        (begin, end), history = span_of(p, now), self._venue.history
        trades = [row for each in self._symbols(p) for row in history.last_trades(account, each, LOOKED_THROUGH)]
        within = [row for row in trades if begin <= row.stamp_ns <= end]
        rows = []
        for row in sorted(within, key=lambda row: row.exec_id, reverse=True)[_slice(p, MAX_FILLS)]:
            told = fill_row(row, self._venue.state.instruments[row.symbol])
            rows.append({"trade_id": str(told.pop("id")), **told})
        return rows

    def _account(self, account: str, p: Parameters, now: Instant) -> Json:
        self._counted(account, "accounts", OTHERS, now)
        engine, accounts = self._venue.engine, self._venue.state.accounts
        balance, held = accounts.balance(account, "USDT"), ZERO
        for (owner, symbol), (qty, _) in accounts.positions.items():
            instrument = self._venue.state.instruments[symbol]
            if owner == account:
                held += instrument.margin_rate * instrument.contract.worth(engine.last_px(symbol), abs(qty))
        ordered = max(ZERO, engine.margin(account, "USDT") - held)
        unrealised = engine.equity(account, "USDT") - balance.free
        return account_row(self._pushes.user(account), balance.free + balance.locked, unrealised, held, ordered)

    def _positions(self, account: str, p: Parameters, now: Instant) -> Json:
        """All that there ever were, or with `holding` what is held."""
        self._counted(account, "positions", OTHERS, now)
        state, engine, user = self._venue.state, self._venue.engine, self._pushes.user(account)
        return [
            position_row(user, state.instruments[symbol], qty, average, engine.last_px(symbol))
            for (owner, symbol), (qty, average) in state.accounts.positions.items()
            if owner == account and (qty or p.get("holding", "").lower() != "true")
        ]

    # ---- acts

    def _new(self, account: str, p: Parameters, now: Instant) -> Json:
        self._counted(account, "entered", ORDERS, now)
        terms = self._terms(account, p)
        self._refuse_by_fault()
        self._raise_refusal(self._venue.engine.check(terms, now.wall_ns))
        return self._row(self._venue.engine.place(terms, now))

    def _terms(self, account: str, p: Parameters) -> Terms:
        symbol, size, price = self._symbol(p), _size_of(p), decimal_of({"price": "0", **p}, "price")
        in_force = p.get("tif", "gtc")
        is_market = price == 0
        if in_force not in TIMES_IN_FORCE or (is_market and in_force != "ioc"):
            raise refused(400, PARAMETER, "invalid argument: tif")
        if p.get("close", "").lower() == "true" or p.get("auto_size") or p.get("stp_act", "-") != "-":
            raise refused(400, PARAMETER, "invalid argument: close, auto_size in single mode, or stp_act")
        return Terms(
            account, account, self._name(p), symbol, BUY if size > 0 else SELL, MARKET if is_market else LIMIT,
            abs(size), None if is_market else price, TIMES_IN_FORCE[in_force], in_force == "poc", NO_PREVENTION,
            reduce_only=p.get("reduce_only", "").lower() == "true",
        )  # fmt: skip

    def _open(self, account: str, p: Parameters, now: Instant) -> Order:
        """The open order that is named. Raises RestError."""
        found = self._find(account, p, now)
        if not isinstance(found, Order) or not found.is_open:
            raise refused(400, "ORDER_FINISHED", "Order is finished")
        return found

    def _amend(self, account: str, p: Parameters, now: Instant) -> Json:
        """Answered when it is done."""
        self._counted(account, "entered", ORDERS, now)
        order = self._open(account, p, now)
        if not p.get("size") and not p.get("price"):
            raise refused(400, PARAMETER, "either size or price must be specified")
        size = _size_of(p) if p.get("size") else order.order_qty if order.side == BUY else -order.order_qty
        px = decimal_of(p, "price") if p.get("price") else order.price
        if (size > 0) != (order.side == BUY):
            raise refused(400, PARAMETER, "invalid argument: size of another side")
        return self._amended(order, abs(size), px, p, now)


def _slice(p: Parameters, most: int) -> slice:
    """The rows that a page has, by how many come before it."""
    text = p.get("offset") or "0"
    if not text.isdecimal():
        raise refused(400, PARAMETER, "invalid argument: offset")
    begin = int(text[:9])
    return slice(begin, begin + whole_of(p, "limit", DEFAULT_ROWS, most))


def _size_of(p: Parameters) -> Decimal:
    """A number of whole contracts, below 0 for a sale. Raises RestError."""
    try:
        size = read_number(p.get("size", ""))
    except ValueError:
        size = ZERO
    if not size or size != size.to_integral_value():
        raise refused(400, PARAMETER, "invalid argument: size")
    return size

"""KuCoin Futures' REST side, as much as trading linear perpetuals needs.

The account is of one position in each contract, held across the account. Source: KuCoin documentation as stored
2025-11-29, futures trading and account information.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from common.exchange.engine import Refusal
from common.exchange.history import ClosedOrder, TradeRow
from common.exchange.numbers import digits
from common.exchange.order import (
    BUY,
    EXPIRE_BOTH,
    EXPIRE_MAKER,
    EXPIRE_TAKER,
    GOOD_TILL_CANCEL,
    IMMEDIATE_OR_CANCEL,
    LIMIT,
    MARKET,
    SELL,
    ZERO,
    Order,
    Terms,
)
from common.exchange.rest import LAST, Json, Parameters, Route
from common.exchange.tokens import Tokens
from common.exchange.venue import Venue
from common.instant import NS_PER_MS, NS_PER_S, Instant
from common.venues.families.kucoin.simulated.requests import LOOKED_THROUGH, KucoinRequests, answered, refused
from common.venues.families.kucoin.simulated.rows import Row, ms
from common.venues.kucoinfutures.simulated.rows import (
    PARAMETER,
    account_row,
    code_of,
    contract_row,
    fill_row,
    order_name,
    order_number,
    order_row,
    position_row,
)
from common.venues.kucoinfutures.simulated.websocket import KucoinFuturesWebSocket

POOL = 2_000
"""The weight of a user's requests about futures in 30 s, at the lowest level."""

CANCEL_WEIGHT, NEW_WEIGHT, RECENT_WEIGHT, ASK_WEIGHT, ALL_WEIGHT = 1, 2, 3, 5, 10
DAY_NS = 86_400 * NS_PER_S
SPAN_NS = 7 * DAY_NS
"""Of so long a span of time fills and ended orders are told at most, of a day where one end alone is given."""

LATE_NS = NS_PER_S
"""So long after it happened the list of all fills does not have one yet: that it is not told at once is documented, and
this is how long that is here."""

RECENT, PAGE, PAGE_UNASKED = 1_000, 1_000, 50
NO_ORDER = "error.getOrder.orderNotExist"
NOT_OPEN = "100004"
WRONG_MARGIN_MODE = "330005"
WRONG_POSITION_MODE = "330012"
_TIMES_IN_FORCE = {"": GOOD_TILL_CANCEL, "GTC": GOOD_TILL_CANCEL, "IOC": IMMEDIATE_OR_CANCEL}
_SELF_TRADE = {"CN": EXPIRE_TAKER, "CO": EXPIRE_MAKER, "CB": EXPIRE_BOTH}


class KucoinFuturesRestApi(KucoinRequests):
    """A `RestApi`. `pushes` is the WebSocket, which knows how far books are told."""

    pool = POOL
    parameter = PARAMETER
    used_already = "validation.createOrder.clientOidDuplicated"
    no_balance = "Your current margin has reached the limit."

    def __init__(self, venue: Venue, tokens: Tokens, pushes: KucoinFuturesWebSocket) -> None:
        super().__init__(venue, tokens)
        self._pushes = pushes
        v1, v2 = "/api/v1", "/api/v2"
        public = {
            ("GET", f"{v1}/timestamp"): self._time, ("GET", f"{v1}/contracts/active"): self._contracts,
            ("GET", f"{v1}/ticker"): self._ticker, ("GET", f"{v1}/level2/{LAST}"): self._book,
            ("POST", f"{v1}/bullet-public"): self._token,
        }  # fmt: skip
        signed = {
            ("GET", f"{v1}/orders"): (NEW_WEIGHT, self._orders), ("POST", f"{v1}/orders"): (NEW_WEIGHT, self._new),
            ("GET", f"{v1}/orders/{LAST}"): (ASK_WEIGHT, self._order),
            ("GET", f"{v1}/orders/byClientOid"): (ASK_WEIGHT, self._order_by_client),
            ("GET", f"{v1}/recentDoneOrders"): (ASK_WEIGHT, self._recent_orders),
            ("GET", f"{v1}/recentFills"): (RECENT_WEIGHT, self._recent_fills),
            ("GET", f"{v1}/fills"): (ASK_WEIGHT, self._fills),
            ("DELETE", f"{v1}/orders/{LAST}"): (CANCEL_WEIGHT, self._cancel),
            ("DELETE", f"{v1}/orders/client-order/{LAST}"): (CANCEL_WEIGHT, self._cancel_by_client),
            ("DELETE", f"{v1}/orders"): (ALL_WEIGHT, self._cancel_all),
            ("GET", f"{v1}/account-overview"): (ASK_WEIGHT, self._account),
            ("GET", f"{v1}/positions"): (NEW_WEIGHT, self._positions),
            ("GET", f"{v1}/position"): (NEW_WEIGHT, self._position),
            ("GET", f"{v2}/position/getPositionMode"): (NEW_WEIGHT, self._position_mode),
            ("GET", f"{v2}/position/getMarginMode"): (NEW_WEIGHT, self._margin_mode),
            ("POST", f"{v1}/bullet-private"): (ALL_WEIGHT, self._token),
        }  # fmt: skip
        self.routes: Mapping[tuple[str, str], Route] = self._routes(public, signed)

    def _code_of(self, refusal: Refusal) -> str:
        return code_of(refusal)

    def _order_name(self, order_id: int) -> str:
        return order_name(order_id)

    # ---- public

    def _contracts(self, account: str, p: Parameters, now: Instant) -> Json:
        last_px = self._venue.engine.last_px
        return answered([contract_row(i, last_px(i.symbol)) for i in self._venue.state.instruments.values()])

    def _book(self, account: str, p: Parameters, now: Instant) -> Json:
        symbol, depth = p.get("symbol", ""), {"snapshot": LOOKED_THROUGH, "depth20": 20, "depth100": 100}.get(p[LAST])
        if symbol not in self._venue.state.books or depth is None:
            raise refused(PARAMETER, "symbol not exists")
        told = self._pushes.tell_book(symbol, now)
        sides = {"bids": told.rows(BUY, depth), "asks": told.rows(SELL, depth)}
        return answered({"symbol": symbol, "sequence": told.sequence, **sides, "ts": now.wall_ns})

    def _ticker(self, account: str, p: Parameters, now: Instant) -> Json:
        symbol = p.get("symbol", "")
        book = self._venue.state.books.get(symbol)
        if book is None:
            raise refused(PARAMETER, "symbol not exists")
        bid, ask = book.bids.best(), book.asks.best()
        row: Row = {
            "sequence": book.trade_id, "symbol": symbol, "side": "buy", "size": 0, "tradeId": str(book.trade_id),
            "price": digits(self._venue.engine.last_px(symbol)), "ts": now.wall_ns,
        }  # fmt: skip
        for name, level in (("bestBid", bid), ("bestAsk", ask)):
            row[f"{name}Price"] = None if level is None else digits(level.price)
            row[f"{name}Size"] = 0 if level is None else int(level.qty)
        return answered(row)

    # ---- questions

    def _order(self, account: str, p: Parameters, now: Instant) -> Json:
        return self._told(self._venue.find(account, "", order_number(p[LAST]), ""), now)

    def _order_by_client(self, account: str, p: Parameters, now: Instant) -> Json:
        return self._told(self._venue.find(account, "", "", p.get("clientOid", "")), now)

    def _told(self, found: Order | ClosedOrder | None, now: Instant) -> Json:
        if found is None or self._venue.hides(found.stamp_ns, now):
            raise refused(PARAMETER, NO_ORDER)
        return answered(self._row(found))

    def _row(self, found: Order | ClosedOrder) -> Row:
        return order_row(found, self._venue.state.instruments[found.terms.symbol])

    def _symbols(self, p: Parameters) -> list[str]:
        """Those that are asked for: one, or all."""
        return [symbol for symbol in self._venue.state.books if p.get("symbol", "") in ("", symbol)]

    def _orders(self, account: str, p: Parameters, now: Instant) -> Json:
        """Those that are open, or those that have ended of a span of time, the newest first."""
        symbols = self._symbols(p)
        found: list[Order | ClosedOrder] = []
        if p.get("status") == "active":
            found += [order for symbol in symbols for order in self._venue.state.open_orders(account, symbol)]
        else:
            begin_ns, end_ns = _span(p, now)
            found += [o for o in self._ended(account, symbols) if begin_ns <= o.stamp_ns <= end_ns]
        told = [order for order in found if not self._venue.hides(order.stamp_ns, now)]
        told.sort(key=lambda order: order.order_id, reverse=True)
        return _page([self._row(order) for order in told], p)

    def _ended(self, account: str, symbols: Sequence[str]) -> list[ClosedOrder]:
        last_orders = self._venue.history.last_orders
        return [order for symbol in symbols for order in last_orders(account, symbol, LOOKED_THROUGH)]

    def _recent_orders(self, account: str, p: Parameters, now: Instant) -> Json:
        """At most so many of those that have ended within a day."""
        ended = self._ended(account, self._symbols(p))
        told = [o for o in ended if o.updated_ns > now.wall_ns - DAY_NS and not self._venue.hides(o.stamp_ns, now)]
        newest = sorted(told, key=lambda order: order.order_id, reverse=True)[:RECENT]
        return answered([self._row(order) for order in newest])

    def _trades(self, account: str, p: Parameters) -> list[TradeRow]:
        last_trades = self._venue.history.last_trades
        return [row for symbol in self._symbols(p) for row in last_trades(account, symbol, LOOKED_THROUGH)]

    def _fill_rows(self, rows: Sequence[TradeRow]) -> list[Row]:
        settings, instruments = self._venue.settings, self._venue.state.instruments
        newest = sorted(rows, key=lambda row: row.exec_id, reverse=True)
        rates = {True: settings.fee_rate_maker, False: settings.fee_rate_taker}
        return [fill_row(row, instruments[row.symbol], rates[row.maker]) for row in newest]

    def _recent_fills(self, account: str, p: Parameters, now: Instant) -> Json:
        """At most so many of those of a day, at once."""
        rows = [row for row in self._trades(account, p) if row.stamp_ns > now.wall_ns - DAY_NS]
        return answered(self._fill_rows(rows)[:RECENT])

    def _fills(self, account: str, p: Parameters, now: Instant) -> Json:
        """Those of a span of time, a while after they happened; with an orderId all else is ignored."""
        if p.get("orderId"):
            number_ = order_number(p["orderId"])
            rows = self._venue.history.trades_of(account, int(number_)) if number_.isdecimal() else []
        else:
            begin_ns, end_ns = _span(p, now)
            rows = [row for row in self._trades(account, p) if begin_ns <= row.stamp_ns <= end_ns]
        # What another machine stamps ahead of this clock is not younger for that.
        told = [row for row in rows if not 0 <= now.wall_ns - row.stamp_ns < LATE_NS]
        return _page(self._fill_rows(told), p)

    def _account(self, account: str, p: Parameters, now: Instant) -> Json:
        asset, engine, accounts = p.get("currency", "XBT"), self._venue.engine, self._venue.state.accounts
        balance, held = accounts.balance(account, asset), ZERO
        for i in self._venue.state.instruments.values():
            if i.contract.settle == asset:
                qty = abs(accounts.position(account, i.symbol))
                held += i.margin_rate * i.contract.worth(engine.last_px(i.symbol), qty)
        margin, cash = engine.margin(account, asset), balance.free + balance.locked
        return answered(account_row(asset, cash, engine.equity(account, asset) + balance.locked, held, margin))

    def _positions(self, account: str, p: Parameters, now: Instant) -> Json:
        """Of what is held alone."""
        rows = [self._held(account, symbol, now) for symbol in self._venue.state.books]
        wanted = p.get("currency", "")
        return answered([row for row in rows if row["isOpen"] and wanted in ("", row["settleCurrency"])])

    def _position(self, account: str, p: Parameters, now: Instant) -> Json:
        if p.get("symbol", "") not in self._venue.state.books:
            raise refused(PARAMETER, "symbol not exists")
        return answered(self._held(account, p["symbol"], now))

    def _held(self, account: str, symbol: str, now: Instant) -> Row:
        qty, average = self._venue.state.accounts.positions.get((account, symbol), (ZERO, ZERO))
        last = self._venue.engine.last_px(symbol)
        return position_row(self._venue.state.instruments[symbol], qty, average, last, ms(now.wall_ns))

    def _position_mode(self, account: str, p: Parameters, now: Instant) -> Json:
        return answered({"positionMode": 0})

    def _margin_mode(self, account: str, p: Parameters, now: Instant) -> Json:
        return answered({"symbol": p.get("symbol", ""), "marginMode": "CROSS"})

    # ---- acts

    def _new(self, account: str, p: Parameters, now: Instant) -> Json:
        return self._placed(self._terms(account, p), now)

    def _terms(self, account: str, p: Parameters) -> Terms:
        name, kind, side = self._named(account, p), p.get("type", "limit"), p.get("side", "")
        if side not in ("buy", "sell") or kind not in ("limit", "market"):
            raise refused(PARAMETER, "side or type is of another form")
        if p.get("marginMode", "ISOLATED") != "CROSS":
            raise refused(WRONG_MARGIN_MODE, "The order's margin mode does not match the selected one.")
        if p.get("positionSide", "BOTH") != "BOTH":
            raise refused(WRONG_POSITION_MODE, "Your order is in Hedge Mode, your account in One-Way Mode.")
        force, mode = p.get("timeInForce", ""), p.get("stp", "")
        post_only, reduce_only = (p.get(each, "False") == "True" for each in ("postOnly", "reduceOnly"))
        if force not in _TIMES_IN_FORCE or mode not in ("", *_SELF_TRADE) or (post_only and force == "IOC"):
            raise refused(PARAMETER, "timeInForce, postOnly or stp is of another form")
        is_market, size = kind == "market", p.get("size", "")
        if not size.isdecimal() or not int(size):
            raise refused(PARAMETER, "Quantity parameter must be a positive integer.")
        return Terms(
            account, account, name, p.get("symbol", ""), BUY if side == "buy" else SELL,
            MARKET if is_market else LIMIT, Decimal(size), None if is_market else self._decimal(p, "price"),
            _TIMES_IN_FORCE["" if is_market else force], post_only, self._venue.prevention(_SELF_TRADE.get(mode, "")),
            reduce_only=reduce_only,
        )  # fmt: skip

    def _cancel(self, account: str, p: Parameters, now: Instant) -> Json:
        self._cancelled(self._venue.find(account, "", order_number(p[LAST]), ""), now)
        return answered({"cancelledOrderIds": [p[LAST]]})

    def _cancel_by_client(self, account: str, p: Parameters, now: Instant) -> Json:
        if not p.get("symbol"):
            raise refused(PARAMETER, "symbol can not be empty")
        self._cancelled(self._venue.find(account, p["symbol"], "", p[LAST]), now)
        return answered({"clientOid": p[LAST]})

    def _cancelled(self, order: Order | ClosedOrder | None, now: Instant) -> None:
        """The request is taken."""
        if order is None:
            raise refused(PARAMETER, NO_ORDER)
        if not isinstance(order, Order) or not order.is_open:
            raise refused(NOT_OPEN, "The order cannot be canceled.")
        self._close(order, now)

    def _cancel_all(self, account: str, p: Parameters, now: Instant) -> Json:
        cancel_all = self._venue.engine.cancel_all
        done = [order for symbol in self._symbols(p) for order in cancel_all(account, symbol, now)]
        return answered({"cancelledOrderIds": [order_name(order.order_id) for order in done]})


def _span(p: Parameters, now: Instant) -> tuple[int, int]:
    """startAt and endAt, Unix: a day from or to the one that is given, the last day without either, seven at most."""
    begin_ns, end_ns = int(p.get("startAt") or 0) * NS_PER_MS, int(p.get("endAt") or 0) * NS_PER_MS
    if not begin_ns:
        end_ns = end_ns or now.wall_ns
        return end_ns - DAY_NS, end_ns
    return begin_ns, min(end_ns or begin_ns + DAY_NS, begin_ns + SPAN_NS)


def _page(rows: list[Row], p: Parameters) -> Json:
    """A page of them by its number."""
    size, number_ = min(PAGE, int(p.get("pageSize") or PAGE_UNASKED)), int(p.get("currentPage") or 1)
    pages = -(-len(rows) // size)
    told = rows[(number_ - 1) * size : number_ * size]
    head = {"currentPage": number_, "pageSize": size, "totalNum": len(rows), "totalPage": pages}
    return answered({**head, "items": told})

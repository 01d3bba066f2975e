"""Bitget's USDT-margined perpetuals over REST, in an account of one net position in each, held across the account.

Source: Bitget API documentation, classic account, v2 futures, as stored 2025-11-30. A perpetual goes by the name of a
spot market, and is another instrument in another part of the venue, with a wallet of its own. Quantities are in the
base asset. An order that only reduces makes room for itself: what else only reduces is cancelled, the oldest first, and
the answer does not name it.
"""

from common.exchange.engine import Cause, Refusal
from common.exchange.faults import Kind
from common.exchange.history import ClosedOrder, TradeRow
from common.exchange.numbers import digits
from common.exchange.order import BUY, GOOD_TILL_CANCEL, LIMIT, MARKET, NEW, SELL, ZERO, Order, Terms
from common.exchange.rest import Parameters, RestError
from common.exchange.settings import asset_of
from common.exchange.venue import Venue
from common.instant import NS_PER_MS, Instant
from common.venues.bitget.simulated.answers import (
    FORCES,
    SELF_TRADE,
    Handler,
    check_name,
    decimal_of,
    force_of,
    names_of,
    refused,
)
from common.venues.bitget.simulated.rows import (
    PARAMETER,
    PRODUCT,
    Row,
    code_of,
    contract_row,
    futures_account_row,
    futures_fill_row,
    futures_order_row,
    is_futures,
    ms,
    name_of,
    position_row,
)

ENTRY = "fix"
"""The scope of faults that are about orders, whichever way these are entered."""

PAGE = 100
LOOKED_THROUGH = 5_000
NOT_FOUND = "40109"
OTHER_PRODUCTS = "COIN-FUTURES", "USDC-FUTURES", "SUSDT-FUTURES", "SCOIN-FUTURES", "SUSDC-FUTURES"
"""Of which there are no contracts here."""


class BitgetFuturesApi:
    """What `mix` answers: `public` to anybody, `asking` and `acting` to who has signed, by path."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self.public: dict[str, Handler] = {
            "mix/market/contracts": self._contracts, "mix/market/merge-depth": self._book,
            "mix/market/ticker": self._ticker,
        }  # fmt: skip
        self.asking: dict[str, Handler] = {
            "mix/order/detail": self._order, "mix/order/orders-pending": self._open,
            "mix/order/orders-history": self._ended, "mix/order/fills": self._fills,
            "mix/account/account": self._account, "mix/account/accounts": self._accounts,
            "mix/account/bill": self._bills, "mix/position/all-position": self._positions,
        }  # fmt: skip
        self.acting: dict[str, Handler] = {
            "mix/order/place-order": self._new, "mix/order/cancel-order": self._cancel,
            "mix/order/modify-order": self._modify, "mix/order/batch-cancel-orders": self._cancel_batch,
        }  # fmt: skip

    def _wanted(self, p: Parameters) -> list[str]:
        """The contracts that are asked for: one, or all. Raises RestError where there is no such, or it is not said
        which product they are of."""
        product = p.get("productType", "").upper()
        if product not in (PRODUCT, *OTHER_PRODUCTS):
            raise refused(PARAMETER, "Parameter productType error")
        every = [symbol for symbol in self._venue.state.books if is_futures(symbol) and product == PRODUCT]
        wanted = [symbol for symbol in every if p.get("symbol", "").upper() in ("", name_of(symbol))]
        if not wanted and p.get("symbol"):
            raise refused("40034", f"Parameter {p['symbol']} does not exist")
        return wanted

    def _one(self, p: Parameters) -> str:
        """The contract that is named. Raises RestError."""
        if not p.get("symbol"):
            raise refused("40019", "Parameter symbol cannot be empty")
        return self._wanted(p)[0]

    # ---- public

    def _contracts(self, account: str, p: Parameters, now: Instant) -> object:
        return [contract_row(self._venue.state.instruments[symbol]) for symbol in self._wanted(p)]

    def _book(self, account: str, p: Parameters, now: Instant) -> object:
        book, asked = self._venue.state.books[self._one(p)], p.get("limit") or "100"
        depth = int(asked) if asked.isdecimal() else None
        sides = {
            name: [[digits(level.price), digits(level.qty)] for level in side.walk()][:depth]
            for name, side in (("asks", book.asks), ("bids", book.bids))
        }
        return {**sides, "ts": ms(now.wall_ns), "scale": "0.1", "precision": "scale0", "isMaxPrecision": "YES"}

    def _ticker(self, account: str, p: Parameters, now: Instant) -> object:
        symbol = self._one(p)
        book, last = self._venue.state.books[symbol], digits(self._venue.engine.last_px(symbol))
        row: Row = {"symbol": name_of(symbol), "lastPr": last, "markPrice": last, "ts": ms(now.wall_ns)}
        for name, level in (("bid", book.bids.best()), ("ask", book.asks.best())):
            row[f"{name}Pr"] = "" if level is None else digits(level.price)
            row[f"{name}Sz"] = "" if level is None else digits(level.qty)
        return [row]

    # ---- questions

    def _order(self, account: str, p: Parameters, now: Instant) -> object:
        """One order, whose state has another name than in a list."""
        found = self._find(account, p)
        if found is None or self._venue.hides(found.stamp_ns, now):
            raise refused(NOT_FOUND, "The data of the order cannot be found, please confirm the order number")
        row = self._row(account, found)
        row["state"] = row.pop("status")
        return row

    def _find(self, account: str, p: Parameters) -> Order | ClosedOrder | None:
        return self._venue.find(account, self._one(p), p.get("orderId", ""), p.get("clientOid", ""))

    def _row(self, account: str, found: Order | ClosedOrder) -> Row:
        fills = self._venue.history.trades_of(account, found.order_id)
        return futures_order_row(found, fills, self._venue.state.instruments[found.terms.symbol])

    def _open(self, account: str, p: Parameters, now: Instant) -> object:
        """Those without a fill, unless it is those with one that are asked for."""
        has_fill = p.get("status") == "partially_filled"
        every = [order for symbol in self._wanted(p) for order in self._venue.state.open_orders(account, symbol)]
        return self._page(account, [order for order in every if bool(order.cum_qty) is has_fill], p, now)

    def _ended(self, account: str, p: Parameters, now: Instant) -> object:
        history = self._venue.history
        orders = [o for symbol in self._wanted(p) for o in history.last_orders(account, symbol, LOOKED_THROUGH)]
        return self._page(account, orders, p, now)

    def _page(self, account: str, orders: list[Order] | list[ClosedOrder], p: Parameters, now: Instant) -> Row:
        """The newest first, older than the order `idLessThan`; a list of none is null."""
        before, begin_ns = int(p.get("idLessThan") or 1 << 62), int(p.get("startTime") or 0) * NS_PER_MS
        told = [o for o in orders if o.order_id < before and o.stamp_ns >= begin_ns]
        newest = sorted((o for o in told if not self._venue.hides(o.stamp_ns, now)), key=lambda o: -o.order_id)[:PAGE]
        rows = [self._row(account, order) for order in newest]
        return {"entrustedList": rows or None, "endId": str(newest[-1].order_id) if newest else None}

    def _fills(self, account: str, p: Parameters, now: Instant) -> object:
        """The newest first, older than the trade `idLessThan`."""
        symbols, history = self._wanted(p), self._venue.history
        found: list[TradeRow] = []
        if p.get("orderId"):
            order_id = int(p["orderId"][:18]) if p["orderId"].isdecimal() else 0
            found = [row for row in history.trades_of(account, order_id) if row.symbol in symbols]
        else:
            found = [row for symbol in symbols for row in history.last_trades(account, symbol, LOOKED_THROUGH)]
        before, begin_ns = int(p.get("idLessThan") or 1 << 62), int(p.get("startTime") or 0) * NS_PER_MS
        wanted = [row for row in found if row.trade_id < before and row.stamp_ns >= begin_ns]
        newest = sorted(wanted, key=lambda row: -row.trade_id)
        last = newest[:PAGE][-1:]
        # Both sides of a trade with oneself have its id: neither is left out between two pages.
        rows = [futures_fill_row(row) for row in newest if row.trade_id >= last[0].trade_id]
        return {"fillList": rows or None, "endId": str(last[0].trade_id) if last else None}

    def _account(self, account: str, p: Parameters, now: Instant) -> object:
        """What is in the wallet, with the modes of the account, and what a contract of this symbol is held with."""
        instrument = self._venue.state.instruments[self._one(p)]
        if p.get("marginCoin", "").upper() != instrument.contract.settle:
            raise refused(PARAMETER, "Parameter marginCoin error")
        lever = digits(1 / instrument.margin_rate) if instrument.margin_rate else "1"
        levers = dict.fromkeys(("crossedMarginLeverage", "isolatedLongLever", "isolatedShortLever"), lever)
        row = self._wallet_row(account, instrument.purse)
        return {**row, **levers, "marginMode": "crossed", "posMode": "one_way_mode"}

    def _accounts(self, account: str, p: Parameters, now: Instant) -> object:
        purses = {self._venue.state.instruments[symbol].purse for symbol in self._wanted(p)}
        return [self._wallet_row(account, purse) for purse in sorted(purses)]

    def _bills(self, account: str, p: Parameters, now: Instant) -> object:
        """Of funding, which nobody is paid here."""
        if self._wanted(p) and p.get("businessType") != "contract_settle_fee":
            raise refused(PARAMETER, "Parameter businessType error: this simulated side has bills of funding alone")
        return {"bills": None, "endId": None}

    def _wallet_row(self, account: str, purse: str) -> Row:
        engine, free = self._venue.engine, self._venue.state.accounts.balance(account, purse).free
        equity, margin = engine.equity(account, purse), engine.margin(account, purse)
        return futures_account_row(asset_of(purse), equity, equity - free, margin)

    def _positions(self, account: str, p: Parameters, now: Instant) -> object:
        """Of what is held alone."""
        return self.held(account, self._wanted(p))

    def held(self, account: str, symbols: list[str]) -> list[Row]:
        """What the account holds of these, as a list of positions tells it."""
        state, last_px = self._venue.state, self._venue.engine.last_px
        rows = []
        for (owner, symbol), (qty, average) in state.accounts.positions.items():
            if owner == account and symbol in symbols and qty:
                instrument, orders = state.instruments[symbol], state.open_orders(account, symbol)
                rows.append(position_row(instrument, qty, average, last_px(symbol), orders))
        return rows

    # ---- acts

    def _new(self, account: str, p: Parameters, now: Instant) -> object:
        terms = self._terms(account, p)
        order, made_room = self._placed(terms, now)
        return {"orderId": None, "clientOid": order.cl_ord_id} if made_room else names_of(order)

    def _terms(self, account: str, p: Parameters) -> Terms:
        name, symbol = p.get("clientOid") or f"v{self._venue.unique()}", self._one(p)
        check_name(name)
        if self._venue.find(account, "", "", name) is not None:
            raise refused("45034", "clientOid duplicate")
        word, is_market = force_of(p), p["orderType"] == "market"
        if p.get("marginCoin", "").upper() != self._venue.state.instruments[symbol].contract.settle:
            raise refused("45025", "The currency pair does not support the currency as a margin")
        if p.get("marginMode") != "crossed":
            raise refused(PARAMETER, "Parameter marginMode error: this simulated side has crossed margin alone")
        if p.get("tradeSide"):
            raise refused("40774", "The order type for unilateral position must also be the unilateral position type.")
        reduces = (p.get("reduceOnly") or "NO").upper()
        if reduces not in ("YES", "NO"):
            raise refused(PARAMETER, "Parameter reduceOnly error")
        return Terms(
            account, account, name, symbol, BUY if p["side"] == "buy" else SELL, MARKET if is_market else LIMIT,
            decimal_of(p, "size"), None if is_market else decimal_of(p, "price"),
            GOOD_TILL_CANCEL if is_market else FORCES[word], word == "post_only" and not is_market,
            SELF_TRADE[p.get("stpMode") or "none"], reduce_only=reduces == "YES",
        )  # fmt: skip

    def _placed(self, terms: Terms, now: Instant) -> tuple[Order, bool]:
        """The order, and whether others were cancelled for it. Raises RestError."""
        rejected = self._venue.faults.strikes(Kind.REJECT, ENTRY)
        if rejected is not None:
            raise refused("40762", rejected.text or "The order amount exceeds the balance")
        engine = self._venue.engine
        refusal = engine.check(terms, now.wall_ns)
        if refusal is Refusal.WOULD_TAKE:
            # An order that may not take is taken in, and cancelled at once.
            return engine.place_to_cancel(terms, now, Cause.WOULD_TAKE), False
        if refusal is not None:
            raise refused(code_of(refusal, "40762"), refusal.value)
        made_room = terms.reduce_only and self._make_room(terms, now)
        return engine.place(terms, now), made_room

    def _make_room(self, terms: Terms, now: Instant) -> bool:
        """Cancel what else only reduces, the oldest first, until all of it together reduces no more than there is."""
        state = self._venue.state
        there = abs(state.accounts.position(terms.account, terms.symbol))
        others = [o for o in state.open_orders(terms.account, terms.symbol) if o.reduce_only and o.side == terms.side]
        total = terms.order_qty + sum((o.leaves_qty for o in others), ZERO)
        cancelled = False
        for other in others:
            if total <= there:
                break
            total, cancelled = total - other.leaves_qty, True
            self._venue.engine.cancel(other, now, Cause.REDUCED)
        return cancelled

    def _find_open(self, account: str, p: Parameters) -> Order | None:
        found = self._find(account, p)
        return found if isinstance(found, Order) and found.is_open else None

    def _cancel(self, account: str, p: Parameters, now: Instant) -> object:
        """The request is taken; the end is told by the WebSocket, or by the order when it is asked for."""
        order = self._find_open(account, p)
        if order is None:
            raise refused("40768", "Order does not exist")
        if not self._venue.faults.strikes(Kind.SILENT, ENTRY):
            if self._venue.faults.strikes(Kind.LATE_FILL, ENTRY):
                self._venue.fill_late(order, now)
            if order.is_open:
                self._venue.engine.cancel(order, now)
        return names_of(order)

    def _cancel_batch(self, account: str, p: Parameters, now: Instant) -> object:
        """All of a contract's, or of the product's."""
        orders = [o for each in self._wanted(p) for o in self._venue.engine.cancel_all(account, each, now)]
        if not orders:
            raise refused("22001", "No order to cancel")
        return {"successList": [names_of(order) for order in orders], "failureList": []}

    def _modify(self, account: str, p: Parameters, now: Instant) -> object:
        """Cancel a limit order that has no fill yet, and place another one of a new id and of this size later on: what
        becomes of that is not told here."""
        order = self._find_open(account, p)
        if order is None:
            raise refused("40768", "Order does not exist")
        if not (p.get("newClientOid") and p.get("newSize") and p.get("newPrice")):
            raise refused("22003", "modify price and size, please pass in newClientOid")
        if order.ord_status != NEW or order.terms.ord_type != LIMIT:
            raise refused("40922", "Only work order modifications are allowed")
        terms = order.terms._replace(
            cl_ord_id=p["newClientOid"], order_qty=decimal_of(p, "newSize"), price=decimal_of(p, "newPrice")
        )
        check_name(terms.cl_ord_id)
        self._venue.engine.cancel(order, now, Cause.REPLACED)
        try:
            self._placed(terms, now)
        except RestError as error:
            self._venue.note("info", "not_replaced", why=str(error))
        return {"orderId": None, "clientOid": terms.cl_ord_id}

"""Price-time matching: what an order, an amendment or a cancel does. Decides on the state, changes it only by changes.

Every decision becomes changes that are applied, told to `listener` and kept until `take_changes` hands them to the log.
"""

import enum
from collections.abc import Callable, Sequence
from decimal import ROUND_DOWN, Decimal
from itertools import islice

from common.contracts import InstrumentKind
from common.exchange.changes import Amended, Change, Closed, Corrected, Placed, Released, Rested, Traded, Triggered
from common.exchange.history import TradeRow
from common.exchange.order import (
    BASIS_POINTS,
    BUY,
    CANCELED,
    DECREMENT,
    EXPIRE_BOTH,
    EXPIRE_MAKER,
    EXPIRE_TAKER,
    EXPIRED,
    FILL_OR_KILL,
    GOOD_TILL_DATE,
    IMMEDIATE_OR_CANCEL,
    LIMIT,
    MARKET,
    NO_PREVENTION,
    OFFSET_BASIS_POINTS,
    PEGGED,
    PRIMARY_PEG,
    RESTING,
    SELL,
    STOP,
    STOP_LIMIT,
    ZERO,
    Asked,
    Order,
    Terms,
    has_reached,
)
from common.exchange.settings import Instrument
from common.exchange.state import State
from common.instant import Instant

FEE_STEP = Decimal("0.00000001")


class Refusal(enum.Enum):
    """Why the exchange does not do what it was asked. The value is the sentence for a report's Text(58)."""

    UNKNOWN_SYMBOL = "Invalid symbol."
    INSTRUMENT_EXPIRED = "The instrument has expired."
    DUPLICATE = "Duplicate order sent."
    BAD_TERMS = "Unsupported order type, side or time in force."
    BAD_QTY = "Filter failure: LOT_SIZE"
    BAD_PRICE = "Filter failure: PRICE_FILTER"
    FAR_PRICE = "Filter failure: PERCENT_PRICE"
    BAD_NOTIONAL = "Filter failure: NOTIONAL"
    TOO_MANY_ORDERS = "Filter failure: MAX_NUM_ORDERS"
    BALANCE = "Account has insufficient balance for requested action."
    WOULD_TAKE = "Order would immediately match and take."
    PAST = "The expire time has passed."
    NOT_REDUCING = "A reduce-only order would not reduce a position."
    WOULD_TRIGGER = "Stop price would trigger immediately."
    NOTHING_TO_PEG_TO = "There is no price in the book to peg the order to."
    TRAILING_DELTA = "Filter failure: TRAILING_DELTA"
    UNKNOWN_ORDER = "Unknown order sent."
    NOT_LESS = "Order amend (quantity increase) is not supported."
    NO_CHANGE = "The requested action would change no state; rejecting."
    BELOW_FILLED = "The new quantity is not above what is filled."
    CLOSED = "The order is closed."
    CROSSED = "A fill crossed the request."
    UNCHANGEABLE = "Side(54) and OrdType(40) cannot be changed."
    ICEBERG = "Filter failure: ICEBERG_PARTS"
    BAD_SELF_TRADE_MODE = "This symbol does not allow the specified self-trade prevention mode."


class Cause(enum.StrEnum):
    """Why an order closed without being filled, as `Closed.cause`."""

    USER = "user"
    MASS_CANCEL = "mass_cancel"
    REPLACED = "replaced"
    UNFILLED = "unfilled"
    FILL_OR_KILL = "fill_or_kill"
    NO_LIQUIDITY = "no_liquidity"
    NO_BALANCE = "no_balance"
    DATE = "date"
    REDUCED = "reduced"
    SELF_TRADE = "self_trade"
    SCREEN = "screen"
    DISCONNECTED = "disconnected"
    WOULD_TAKE = "would_take"
    RIVAL = "rival"
    LIST = "list"


Listener = Callable[[Change, Order, Instant, Asked | None], None]


class Engine:
    """Matching over a `State`. `listener(change, order, now, asked)` hears of each applied change of an account's
    order, and of the request that it follows from at once. `ends_as` is OrdStatus(39) of an order that it ends by
    itself. `iceberg_parts`: an iceberg order is at most so many times what is seen of it; 0 for any."""

    def __init__(
        self, state: State, fee_rate_maker: Decimal, fee_rate_taker: Decimal, max_open_orders: int, listener: Listener
    ) -> None:
        self.state = state
        self._listener = listener
        self._fee_rate_maker = fee_rate_maker
        self._fee_rate_taker = fee_rate_taker
        self._max_open_orders = max_open_orders
        self.ends_as = EXPIRED
        self.iceberg_parts = 0
        self._changes: list[Change] = []
        self._trades: list[Traded] = []
        self._filled: list[int] = []

    def take_trades(self) -> list[Traded]:
        """The trades since the last call, in order, for market data."""
        trades, self._trades = self._trades, []
        return trades

    def take_changes(self) -> list[Change]:
        """What happened since the last call, in order, for the log."""
        changes, self._changes = self._changes, []
        return changes

    def record(self, change: Change) -> None:
        """Apply and keep a change that is not an order's."""
        self.state.apply(change)
        self._changes.append(change)

    # ---- new orders

    def check(self, terms: Terms, wall_ns: int = 0) -> Refusal | None:
        """Whether the order may be placed at `wall_ns`, Unix (0: an instrument's end is not looked at); nothing is
        changed."""
        state = self.state
        instrument = state.instruments.get(terms.symbol)
        if instrument is None:
            return Refusal.UNKNOWN_SYMBOL
        if 0 < instrument.expiry_ns <= wall_ns:
            return Refusal.INSTRUMENT_EXPIRED
        refusal = check_form(instrument, terms)
        if refusal is not None or not terms.account:
            return refusal
        if self._is_far(instrument, terms.price):
            return Refusal.FAR_PRICE
        if 0 < self.iceberg_parts * (terms.display_qty or ZERO) < terms.order_qty:
            return Refusal.ICEBERG
        if (terms.account, terms.cl_ord_id) in state.names:
            return Refusal.DUPLICATE
        if len(state.open_by_symbol.get((terms.account, terms.symbol), ())) >= self._max_open_orders:
            return Refusal.TOO_MANY_ORDERS
        if terms.pending:
            return None
        if not self._affords(instrument, terms):
            return Refusal.BALANCE
        if terms.reduce_only and not self._reducible(terms):
            return Refusal.NOT_REDUCING
        if terms.post_only and state.books[terms.symbol].crosses(terms.side, terms.price):
            return Refusal.WOULD_TAKE
        if 0 < terms.expire_ns <= wall_ns:
            return Refusal.PAST
        if has_reached(terms, self._last_px(instrument)):
            return Refusal.WOULD_TRIGGER
        return None

    def base_for(self, symbol: str, side: str, cash_qty: Decimal) -> Decimal:
        """What an amount of the quote asset buys or sells of the book as it stands, in whole lots; 0 for an unknown
        symbol."""
        if symbol not in self.state.books:
            return ZERO
        qty, left, lot = ZERO, cash_qty, self.state.instruments[symbol].lot_size
        for level in self.state.books[symbol].opposite(side).walk():
            taken = min(sum((maker.leaves_qty for maker in level.orders.values()), ZERO), left / level.price)
            qty, left = qty + taken, left - taken * level.price
            if left <= 0:
                break
        return (qty / lot).to_integral_value(ROUND_DOWN) * lot

    def pegged_price(self, symbol: str, side: str, peg_price_type: str, levels: int = 0) -> Decimal | None:
        """The best price of a pegged order's own side or of the other one, so many levels deeper as the book stands;
        None where the book has none."""
        if symbol not in self.state.books:
            return None
        book = self.state.books[symbol]
        own = book.bids if side == BUY else book.asks
        prices = (level.price for level in (own if peg_price_type == PRIMARY_PEG else book.opposite(side)).walk())
        return next(islice(prices, levels, None), None)

    def place(self, terms: Terms, now: Instant, asked: Asked | None = None) -> Order:
        """Place an order that `check` let through: match it, then rest or close what is left."""
        order = self._take_in(terms, now, asked)
        if not order.sleeps:
            self._work(order, now)
            self._wake(order.symbol, now)
        return order

    def check_list(self, orders: Sequence[Terms], wall_ns: int = 0) -> Refusal | None:
        """Whether all orders of a list may be placed: each by itself, since of those that are exclusive one trades."""
        if len({terms.cl_ord_id for terms in orders}) < len(orders):
            return Refusal.DUPLICATE
        return next((found for terms in orders if (found := self.check(terms, wall_ns)) is not None), None)

    def place_list(self, orders: Sequence[Terms], now: Instant, asked: Asked | None = None) -> list[Order]:
        """Place a list that `check_list` let through: the pending ones wait until the first one is filled."""
        placed = [self._take_in(terms, now, asked) for terms in orders]
        for order in placed:
            if order.is_open and not order.sleeps and not order.waits:
                self._work(order, now)
        self._wake(orders[0].symbol, now)
        return placed

    def place_to_cancel(self, terms: Terms, now: Instant, cause: Cause) -> Order:
        """Take in an order and cancel it unmatched, as a venue does that refuses some only once they are accepted."""
        order = self._take_in(terms, now, None)
        self.cancel(order, now, cause)
        return order

    def _take_in(self, terms: Terms, now: Instant, asked: Asked | None) -> Order:
        order_id = self.state.next_order_id
        placed = Placed(order_id, self.state.next_exec_id, terms, now.wall_ns)
        self.record(placed)
        order = self.state.orders[order_id]
        self._told(placed, order, now, asked)
        return order

    def new(self, terms: Terms, now: Instant) -> Order | Refusal:
        """`check`, then `place`."""
        return self.check(terms, now.wall_ns) or self.place(terms, now)

    def _work(self, order: Order, now: Instant) -> None:
        """Match an order that is not on the book, then decide on its rest."""
        if order.time_in_force == FILL_OR_KILL and self._available(order) < order.leaves_qty:
            self._close(order, self.ends_as, Cause.FILL_OR_KILL, now)
            return
        self._match(order, now)
        if not order.is_open:
            return
        if order.price is None:
            self._close(order, self.ends_as, Cause.NO_LIQUIDITY, now)
        elif order.time_in_force in RESTING:
            self._do(Rested(order.order_id), order, now)
        else:
            self._close(order, self.ends_as, Cause.UNFILLED, now)

    def _wake(self, symbol: str, now: Instant) -> None:
        """Trigger the stop orders that the last trade has reached, oldest first, and place what a filled order of its
        list has released; each may trade, and reach others."""
        state = self.state
        while True:
            if self._filled:
                self._release(self._filled.pop(0), now)
                continue
            last_px = state.books[symbol].last_px
            if last_px is None:
                return
            order = next((each for each in state.stops[symbol].values() if each.is_reached(last_px)), None)
            if order is None:
                return
            self._do(Triggered(order.order_id, state.next_exec_id, now.wall_ns), order, now)
            self._drop_rivals(order, now)
            instrument = state.instruments[symbol]
            # The margin of contracts was counted when it was taken in.
            if order.price is None and instrument.contract.is_spot and not self._affords(instrument, order.terms):
                self._close(order, self.ends_as, Cause.NO_BALANCE, now)
            else:
                self._work(order, now)

    def _release(self, list_id: int, now: Instant) -> None:
        """The first order of a list is filled: what was pending is placed, as far as it can be."""
        paid_qty = self.state.paid_qty(list_id)
        for order in list(self.state.lists.get(list_id, {}).values()):
            if not (order.is_open and order.waits):
                continue
            instrument, book = self.state.instruments[order.symbol], self.state.books[order.symbol]
            order_qty = paid_qty // instrument.lot_size * instrument.lot_size if order.terms.paid else None
            if not self._may_be_released(instrument, order, order_qty):
                self._close(order, self.ends_as, Cause.NO_BALANCE, now)
                continue
            released = Released(order.order_id, self.state.next_exec_id, now.wall_ns, order_qty)
            self._do(released, order, now)
            if order.sleeps:
                continue
            if order.post_only and book.crosses(order.side, order.price):
                self._close(order, self.ends_as, Cause.WOULD_TAKE, now)
            else:
                self._work(order, now)

    def _may_be_released(self, instrument: Instrument, order: Order, paid_qty: Decimal | None) -> bool:
        """Whether a pending order can be placed: the account has what it needs, or what it was paid is enough for an
        order."""
        if paid_qty is not None:
            return check_form(instrument, order.terms._replace(order_qty=paid_qty)) is None
        asset = instrument.quote if order.side == BUY else instrument.base
        free = self.state.accounts.balance(order.account, asset).free
        return not instrument.contract.is_spot or self.state.more_needed(order) <= free

    def _drop_rivals(self, order: Order, now: Instant) -> None:
        """Of exclusive orders one alone trades: the others expire."""
        if not order.terms.exclusive:
            return
        for other in list(self.state.lists.get(order.terms.list_id, {}).values()):
            if other is not order and other.terms.exclusive:
                self._close_alone(other, self.ends_as, Cause.RIVAL, now)

    def _match(self, taker: Order, now: Instant) -> None:
        book = self.state.books[taker.symbol]
        opposite = book.opposite(taker.side)
        while taker.is_open and (level := opposite.best()) is not None:
            if not book.crosses(taker.side, taker.price):
                return
            maker = next(iter(level.orders.values()))
            spent = next((each for each in (maker, taker) if not self._tradable(each)), None)
            if spent is not None:
                self._close(spent, CANCELED, Cause.REDUCED, now)
                continue
            meets_itself = maker.account and maker.account == taker.account and taker.self_trade != NO_PREVENTION
            if meets_itself and taker.self_trade == DECREMENT:
                self._decrement(maker, taker, now)
            elif meets_itself:
                if taker.self_trade in (EXPIRE_MAKER, EXPIRE_BOTH):
                    self._close(maker, self.ends_as, Cause.SELF_TRADE, now)
                if taker.self_trade in (EXPIRE_TAKER, EXPIRE_BOTH):
                    self._close(taker, self.ends_as, Cause.SELF_TRADE, now)
            else:
                most = min(self._tradable(maker), self._tradable(taker), maker.visible_qty)
                self._trade(maker, taker, most, now)

    def _reducible(self, terms: Terms) -> Decimal:
        """How much an order of these terms may trade until the account's position is none."""
        position = self.state.accounts.position(terms.account, terms.symbol)
        return max(ZERO, -position if terms.side == BUY else position)

    def _tradable(self, order: Order) -> Decimal:
        return min(order.leaves_qty, self._reducible(order.terms)) if order.reduce_only else order.leaves_qty

    def _decrement(self, maker: Order, taker: Order, now: Instant) -> None:
        """An account meets itself: the smaller order is cancelled, and the larger one is less by it."""
        qty = min(maker.leaves_qty, taker.leaves_qty)
        for order in sorted((maker, taker), key=lambda order: -order.leaves_qty):
            if order.leaves_qty == qty:
                self._close(order, CANCELED, Cause.SELF_TRADE, now)
                continue
            exec_id, left = self.state.next_exec_id, order.order_qty - qty
            self._do(
                Amended(
                    order.order_id, exec_id, order.cl_ord_id, left, order.price, False, now.wall_ns,
                    Cause.SELF_TRADE.value,
                ),
                order,
                now,
            )  # fmt: skip

    def _trade(self, maker: Order, taker: Order, qty: Decimal, now: Instant, asked: Asked | None = None) -> None:
        px = maker.price
        assert px is not None
        state = self.state
        for order in (maker, taker):
            self._drop_rivals(order, now)
        change = Traded(
            state.books[maker.symbol].trade_id + 1, state.next_exec_id, maker.symbol, maker.order_id, taker.order_id,
            px, qty, self._fee(maker, self._fee_rate_maker, px, qty), self._fee(taker, self._fee_rate_taker, px, qty),
            now.wall_ns, taker.side,
        )  # fmt: skip
        self.record(change)
        self._trades.append(change)
        self._told(change, maker, now, asked)
        self._told(change, taker, now, asked)
        for order in (maker, taker):
            if not order.is_open and order.order_id == order.terms.list_id:
                self._filled.append(order.terms.list_id)

    def _fee(self, order: Order, rate: Decimal, px: Decimal, qty: Decimal) -> Decimal:
        """A share of the fill, in the asset that fees of that side are taken in."""
        if not order.account:
            return ZERO
        counted = self.state.instruments[order.symbol].fee_basis(order.side, px, qty)
        return (counted * rate).quantize(FEE_STEP, ROUND_DOWN)

    def _available(self, order: Order) -> Decimal:
        """How much of the order could be filled: by the book before an order of its own account would end it, and
        until it has reduced what it may."""
        found, most = ZERO, self._tradable(order)
        for level in self.state.books[order.symbol].opposite(order.side).walk():
            if order.price is not None:
                worse = level.price > order.price if order.side == BUY else level.price < order.price
                if worse:
                    break
            for maker in level.orders.values():
                if maker.account != order.account or not order.account or order.self_trade == NO_PREVENTION:
                    found += maker.leaves_qty
                elif order.self_trade in (EXPIRE_TAKER, EXPIRE_BOTH):
                    return min(found, most)
            if found >= most:
                break
        return min(found, most)

    def _is_far(self, instrument: Instrument, price: Decimal | None) -> bool:
        """Whether a limit price is too far from the last traded one."""
        if price is None:
            return False
        last = self._last_px(instrument)
        return not last * instrument.price_multiplier_down <= price <= last * instrument.price_multiplier_up

    def last_px(self, symbol: str) -> Decimal:
        """The last traded price, the first one before any trade."""
        return self._last_px(self.state.instruments[symbol])

    def _last_px(self, instrument: Instrument) -> Decimal:
        return self.state.books[instrument.symbol].last_px or instrument.start_price

    def margin(self, account: str, purse: str, symbol: str = "", side: str = "", more_qty: Decimal = ZERO) -> Decimal:
        """What the account needs of a balance for its contracts, held and ordered, at the last prices: each at the
        worse of both sides; of `symbol` with so much more on a side."""
        needed = ZERO
        for instrument in self.state.instruments.values():
            if not instrument.margin_rate or instrument.purse != purse:
                continue
            held = self.state.accounts.position(account, instrument.symbol)
            ordered = {BUY: ZERO, SELL: ZERO}
            for order in self.state.open_orders(account, instrument.symbol):
                ordered[order.side] += ZERO if order.reduce_only else order.leaves_qty
            if instrument.symbol == symbol:
                ordered[side] += more_qty
            worst = max(abs(held + ordered[BUY]), abs(held - ordered[SELL]))
            needed += instrument.margin_rate * instrument.contract.worth(self._last_px(instrument), worst)
        return needed

    def equity(self, account: str, purse: str) -> Decimal:
        """What is free in a balance, with what closing all contracts at the last prices would bring there."""
        total = self.state.accounts.balance(account, purse).free
        for (owner, symbol), (qty, average) in self.state.accounts.positions.items():
            instrument = self.state.instruments[symbol]
            contract = instrument.contract
            if owner == account and instrument.purse == purse and contract.kind is not InstrumentKind.OPTION:
                total += contract.profit((contract.unit_cost(self._last_px(instrument)) - average) * qty)
        return total

    def _has_margin(self, instrument: Instrument, account: str, side: str, more_qty: Decimal) -> bool:
        """Whether the account's equity bears so much more on that side; what needs no more margin is always borne."""
        if not instrument.margin_rate:
            return True
        purse = instrument.purse
        needed = self.margin(account, purse, instrument.symbol, side, more_qty)
        return needed <= self.margin(account, purse) or needed <= self.equity(account, purse)

    def _affords(self, instrument: Instrument, terms: Terms) -> bool:
        if not instrument.contract.is_spot:
            more_qty = ZERO if terms.reduce_only else terms.order_qty
            return self._has_margin(instrument, terms.account, terms.side, more_qty)
        free = self.state.accounts.balance(
            terms.account, instrument.quote if terms.side == BUY else instrument.base
        ).free  # fmt: skip
        if terms.side != BUY:
            return free >= terms.order_qty
        if terms.price is not None:
            return free >= terms.price * terms.order_qty
        cost, left = ZERO, terms.order_qty
        for level in self.state.books[terms.symbol].asks.walk():
            taken = min(left, level.qty)
            cost, left = cost + level.price * taken, left - taken
            if not left or cost > free:
                break
        return free >= cost

    # ---- changes of open orders

    def cancel(self, order: Order, now: Instant, cause: Cause = Cause.USER, asked: Asked | None = None) -> None:
        """Take an open order off the book."""
        self._close(order, CANCELED, cause, now, asked)

    def take_from(self, maker: Order, qty: Decimal, now: Instant, asked: Asked | None = None) -> None:
        """Let a background order meet `qty` of a resting order, whatever stands before it in the book."""
        side = SELL if maker.side == BUY else BUY
        terms = Terms("", "", "", maker.symbol, side, LIMIT, qty, maker.price, IMMEDIATE_OR_CANCEL)
        order_id = self.state.next_order_id
        self.record(Placed(order_id, self.state.next_exec_id, terms, now.wall_ns))
        self._trade(maker, self.state.orders[order_id], qty, now, asked)
        self._wake(maker.symbol, now)

    def move_to(self, symbol: str, price: Decimal, now: Instant) -> None:
        """Let the background trade at `price`, and take whatever rests before it."""
        side, other = (BUY, SELL) if price >= self.last_px(symbol) else (SELL, BUY)
        least = self.state.instruments[symbol].min_qty
        self.place(Terms("", "", "", symbol, other, LIMIT, least, price), now)
        qty = ZERO
        for level in self.state.books[symbol].opposite(side).walk():
            if level.price > price if side == BUY else level.price < price:
                break
            qty += sum((maker.leaves_qty for maker in level.orders.values()), ZERO)
        if qty:
            self.place(Terms("", "", "", symbol, side, LIMIT, qty, price, IMMEDIATE_OR_CANCEL), now)

    def correct(self, row: TradeRow, qty: Decimal, px: Decimal, now: Instant) -> Corrected:
        """Take one side of a trade back, with `qty` 0, or give it another quantity, not above the former, and price."""
        fee = ZERO
        if qty:
            basis = self.state.instruments[row.symbol].fee_basis
            share = basis(row.side, px, qty) / basis(row.side, row.px, row.qty)
            fee = (row.fee * share).quantize(FEE_STEP, ROUND_DOWN)
        change = Corrected(
            row.order_id, self.state.next_exec_id, row.exec_id, row.account, row.symbol, row.side, row.trade_id,
            row.qty, row.px, row.fee, qty, px if qty else ZERO, fee, now.wall_ns,
        )  # fmt: skip
        self.record(change)
        return change

    def next_expiry_ns(self) -> int | None:
        """When the next order that is good till a date ends, Unix."""
        return min((order.expire_ns for order in self.state.expiring.values()), default=None)

    def expire(self, now: Instant) -> None:
        """End the orders whose date has come, oldest first."""
        for order in sorted(self.state.expiring.values(), key=lambda order: order.order_id):
            if order.expire_ns <= now.wall_ns:
                self._close(order, EXPIRED, Cause.DATE, now)

    def cancel_all(self, account: str, symbol: str, now: Instant) -> list[Order]:
        """Cancel every open order of an account in a symbol; returns them."""
        orders = self.state.open_orders(account, symbol)
        for order in orders:
            if order.is_open:
                self.cancel(order, now, Cause.MASS_CANCEL)
        return orders

    def check_reduce(self, order: Order, cl_ord_id: str, order_qty: Decimal) -> Refusal | None:
        """Whether the total quantity may be lowered to `order_qty` in place."""
        instrument = self.state.instruments[order.symbol]
        if order_qty <= 0 or order_qty % instrument.lot_size or order_qty < instrument.min_qty:
            return Refusal.BAD_QTY
        if order_qty > order.order_qty:
            return Refusal.NOT_LESS
        if order_qty == order.order_qty:
            return Refusal.NO_CHANGE
        if order_qty <= order.cum_qty:
            return Refusal.BELOW_FILLED
        return self._check_name(order, cl_ord_id)

    def reduce(self, order: Order, asked: Asked, order_qty: Decimal, now: Instant) -> None:
        """Lower the total quantity of an open order, which keeps its place and may get another ClOrdID(11)."""
        exec_id, name = self.state.next_exec_id, asked.cl_ord_id
        self._do(Amended(order.order_id, exec_id, name, order_qty, order.price, False, now.wall_ns), order, now, asked)

    def check_replace(self, order: Order, cl_ord_id: str, order_qty: Decimal, price: Decimal | None) -> Refusal | None:
        """Whether an open order may get these terms (total quantity, filled part included)."""
        instrument = self.state.instruments[order.symbol]
        terms = order.terms._replace(cl_ord_id=cl_ord_id, order_qty=order_qty, price=price)
        refusal = check_form(instrument, terms) or self._check_name(order, cl_ord_id)
        if refusal is not None:
            return refusal
        if self._is_far(instrument, price):
            return Refusal.FAR_PRICE
        if order_qty <= order.cum_qty:
            return Refusal.BELOW_FILLED
        if not self._affords_more(instrument, order, order_qty, price):
            return Refusal.BALANCE
        if order.post_only and self.state.books[order.symbol].crosses(order.side, price):
            return Refusal.WOULD_TAKE
        return None

    def replace(self, order: Order, asked: Asked, order_qty: Decimal, price: Decimal | None, now: Instant) -> None:
        """Give an open order new terms. Only less quantity at the same price keeps its place; it may trade at once."""
        if price == order.price and order_qty <= order.order_qty:
            self.reduce(order, asked, order_qty, now)
            return
        exec_id, name = self.state.next_exec_id, asked.cl_ord_id
        self._do(Amended(order.order_id, exec_id, name, order_qty, price, True, now.wall_ns), order, now, asked)
        if not order.sleeps:
            self._work(order, now)
            self._wake(order.symbol, now)

    def _check_name(self, order: Order, cl_ord_id: str) -> Refusal | None:
        taken = cl_ord_id != order.cl_ord_id and (order.account, cl_ord_id) in self.state.names
        return Refusal.DUPLICATE if taken else None

    def _affords_more(self, instrument: Instrument, order: Order, order_qty: Decimal, price: Decimal | None) -> bool:
        leaves_qty = order_qty - order.cum_qty
        assert price is not None and order.price is not None
        if not instrument.contract.is_spot:
            more_qty = ZERO if order.reduce_only else leaves_qty - order.leaves_qty
            return self._has_margin(instrument, order.account, order.side, more_qty)
        if order.side == BUY:
            more = price * leaves_qty - order.price * order.leaves_qty
            return self.state.accounts.balance(order.account, instrument.quote).free >= more
        return self.state.accounts.balance(order.account, instrument.base).free >= leaves_qty - order.leaves_qty

    def _close(self, order: Order, ord_status: str, cause: Cause, now: Instant, asked: Asked | None = None) -> None:
        """End an order, and with it all of its list."""
        self._close_alone(order, ord_status, cause, now, asked)
        for other in list(self.state.lists.get(order.terms.list_id, {}).values()) if order.terms.list_id else ():
            if other.is_open:
                self._close_alone(other, ord_status, Cause.LIST, now, asked)

    def _close_alone(
        self, order: Order, ord_status: str, cause: Cause, now: Instant, asked: Asked | None = None
    ) -> None:
        closed = Closed(order.order_id, self.state.next_exec_id, ord_status, now.wall_ns, cause.value)
        self._do(closed, order, now, asked)

    def _do(self, change: Change, order: Order, now: Instant, asked: Asked | None = None) -> None:
        self.state.apply(change)
        self._changes.append(change)
        self._told(change, order, now, asked)

    def _told(self, change: Change, order: Order, now: Instant, asked: Asked | None) -> None:
        if order.account:
            self._listener(change, order, now, asked)


def check_form(instrument: Instrument, terms: Terms) -> Refusal | None:
    """The filters that depend on nothing but the order and its symbol."""
    if terms.side not in (BUY, SELL) or terms.time_in_force not in (*RESTING, IMMEDIATE_OR_CANCEL, FILL_OR_KILL):
        return Refusal.BAD_TERMS
    if (terms.time_in_force == GOOD_TILL_DATE) != bool(terms.expire_ns):
        return Refusal.BAD_TERMS
    if terms.reduce_only and instrument.contract.is_spot:
        return Refusal.BAD_TERMS
    if terms.self_trade not in (NO_PREVENTION, EXPIRE_TAKER, EXPIRE_MAKER, EXPIRE_BOTH, DECREMENT):
        return Refusal.BAD_SELF_TRADE_MODE
    qty, price = terms.order_qty, terms.price
    if not instrument.min_qty <= qty <= instrument.max_qty or qty % instrument.lot_size:
        return Refusal.BAD_QTY
    refusal = _check_stop(instrument, terms) or _check_display(instrument, terms)
    if refusal is not None:
        return refusal
    if terms.ord_type in (MARKET, STOP):
        return Refusal.BAD_TERMS if price is not None or terms.post_only else None
    if terms.ord_type not in (LIMIT, STOP_LIMIT, PEGGED) or price is None:
        return Refusal.BAD_TERMS
    if not 0 < price <= instrument.max_price or price % instrument.tick_size:
        return Refusal.BAD_PRICE
    if not instrument.min_notional <= instrument.contract.notional(price, qty) <= instrument.max_notional:
        return Refusal.BAD_NOTIONAL
    if terms.post_only and terms.time_in_force not in RESTING:
        return Refusal.BAD_TERMS
    return None


def _check_display(instrument: Instrument, terms: Terms) -> Refusal | None:
    shown = terms.display_qty
    if shown is None:
        return None
    if terms.price is None or terms.time_in_force not in RESTING:
        return Refusal.BAD_TERMS
    return None if shown > 0 and not shown % instrument.lot_size else Refusal.BAD_QTY


def _check_stop(instrument: Instrument, terms: Terms) -> Refusal | None:
    stop_px = terms.stop_px
    if terms.ord_type not in (STOP, STOP_LIMIT):
        return None if stop_px is None and not (terms.is_trailing or terms.take_profit) else Refusal.BAD_TERMS
    if (stop_px is None and not terms.is_trailing) or terms.post_only or terms.time_in_force not in RESTING:
        return Refusal.BAD_TERMS
    if terms.is_trailing and not _is_distance(terms):
        return Refusal.TRAILING_DELTA
    if stop_px is None:
        return None
    return None if 0 < stop_px <= instrument.max_price and not stop_px % instrument.tick_size else Refusal.BAD_PRICE


def _is_distance(terms: Terms) -> bool:
    """Whether a trailing stop follows by more than nothing, and by less than all."""
    offset = terms.peg_offset
    return offset is not None and offset > 0 and (terms.peg_offset_type != OFFSET_BASIS_POINTS or offset < BASIS_POINTS)

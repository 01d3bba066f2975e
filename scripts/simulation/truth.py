"""What really happened at an exchange, read from its own log: the ground truth that everything is held against."""

from decimal import Decimal
from typing import Protocol

from common.exchange.changes import (
    RECORD_KIND,
    Amended,
    Change,
    Closed,
    Corrected,
    Deposited,
    Listed,
    Placed,
    Released,
    Traded,
    decode_changes,
)
from common.exchange.order import Terms
from common.exchange.settings import Instrument
from common.journal.frames import Record
from common.messages import OrderStatus
from scripts.simulation.money import TrueMoney, closed_at

STRANGER = "web-"
"""How every ClOrdID of somebody else on our account begins, and none of ours."""

BUY, SELL = "1", "2"
FILLED = "2"
CANCELED = "4"
ZERO = Decimal(0)


class TrueOrder:
    """An order on our account as the exchange has it. Not `is_ours` is one that somebody else placed there."""

    __slots__ = (
        "base_fees", "cause", "cl_ord_ids", "cum_qty", "fees", "inverse_value", "is_ours", "open", "ord_status",
        "order_id", "order_qty", "price", "settlements", "side", "symbol", "taken_back", "terms", "trades", "value",
    )  # fmt: skip

    def __init__(self, order_id: int, terms: Terms) -> None:
        """`terms` are those that it was placed with."""
        self.order_id = order_id
        self.terms = terms
        self.cl_ord_ids = [terms.cl_ord_id]
        self.symbol = terms.symbol
        self.side = terms.side
        self.order_qty = terms.order_qty
        self.price = terms.price
        self.cum_qty = ZERO
        self.base_fees = ZERO
        """What its trades have cost of what was bought, also those that were taken back."""

        self.value = ZERO
        """Price times quantity over its trades, as they are by now."""

        self.inverse_value = ZERO
        """Quantity over price over its trades, as they are by now."""

        self.fees: dict[str, Decimal] = {}
        """What its trades have cost, by asset, as they are by now."""

        self.taken_back = ZERO
        """What busts and corrections have taken off the filled quantity."""

        self.ord_status = "0"
        self.cause = ""
        """Why the exchange closed it without its being filled."""

        self.trades: dict[int, Decimal] = {}
        self.settlements = 0
        """How often our books settle its trades at most: each trade, and each correction of one, twice."""

        self.open = True
        self.is_ours = not terms.cl_ord_id.startswith(STRANGER)

    def leaves_qty_told(self, status: OrderStatus) -> Decimal:
        """LeavesQty(151) as an order of that status is told: FIX has 0 for one that is done for the day."""
        return Decimal(0) if status is OrderStatus.DONE_FOR_DAY else self.leaves_qty

    @property
    def leaves_qty(self) -> Decimal:
        """What may still be filled."""
        return self.order_qty - self.cum_qty if self.open else ZERO


class Watcher(Protocol):
    """Who wants to know at once."""

    def accepted(self, venue: str, order: TrueOrder) -> None:
        """The exchange has taken an order."""

    def met_stranger(self, venue: str, symbol: str, qty: Decimal) -> None:
        """Somebody else has placed an order for so much on our account."""

    def renamed(self, venue: str, order: TrueOrder) -> None:
        """An order goes by a new ClOrdID from now on."""

    def exposed(self, venue: str, symbol: str, longest: Decimal, shortest: Decimal) -> None:
        """The position, and every open order filled on one side, after a record."""


class Truth:
    """One exchange's orders and balances of one account."""

    prices_are_odd = False
    """Whether reports tell other prices than it trades at."""

    def __init__(self, venue: str, account: str, watcher: Watcher) -> None:
        """Nothing has happened yet."""
        self.venue = venue
        self.orders: dict[int, TrueOrder] = {}
        self.positions: dict[str, Decimal] = {}
        self.trades = 0
        self.self_trades = 0
        self._account = account
        self._watcher = watcher
        self._instruments: dict[str, Instrument] = {}
        self._unforeseen: dict[str, tuple[Decimal, Decimal]] = {}
        self._open: dict[tuple[str, str], Decimal] = {}
        self._reducing: dict[tuple[str, str], Decimal] = {}
        self._changed: set[str] = set()

    def learned(self, record: Record) -> None:
        """A record of the exchange's log."""
        if record.kind != RECORD_KIND:
            return
        for change in decode_changes(record.payload):
            self._apply(change)
        for symbol in sorted(self._changed):
            position = self.position(symbol)
            # What busts and corrections have moved nobody could have counted with.
            longer, shorter = self._unforeseen.get(symbol, (ZERO, ZERO))
            may_buy = self._open.get((symbol, BUY), ZERO) - self._idle_qty(symbol, BUY, -position)
            may_sell = self._open.get((symbol, SELL), ZERO) - self._idle_qty(symbol, SELL, position)
            self._watcher.exposed(self.venue, symbol, position + may_buy - longer, position - may_sell + shorter)
        self._changed.clear()

    def position(self, symbol: str) -> Decimal:
        """The change of the base asset's balance, fees in that taken off; of a contract, how many are held."""
        return self.positions.get(symbol, ZERO)

    def _idle_qty(self, symbol: str, side: str, held: Decimal) -> Decimal:
        """What of the reduce-only orders of a side can come to nothing more than the others: beyond what is `held` on
        the other side they trade only what was bought or sold before them."""
        return max(ZERO, self._reducing.get((symbol, side), ZERO) - max(ZERO, held))

    def open_qty(self, symbol: str, side: str) -> Decimal:
        """What may still be filled on one side, Side(54), over all open orders of ours."""
        return self._open.get((symbol, side), ZERO)

    def open_orders(self) -> dict[str, TrueOrder]:
        """Every open order of ours by its current ClOrdID."""
        return {order.cl_ord_ids[-1]: order for order in self.orders.values() if order.open and order.is_ours}

    def strange_qty(self, symbol: str, side: str) -> Decimal:
        """What may still be filled on one side of somebody else's open orders on our account."""
        theirs = (order for order in self.orders.values() if not order.is_ours)
        return sum((each.leaves_qty for each in theirs if (each.symbol, each.side) == (symbol, side)), ZERO)

    def strangers(self) -> set[str]:
        """The OrderID of every open order of somebody else's on our account."""
        return {str(order.order_id) for order in self.orders.values() if order.open and not order.is_ours}

    def _apply(self, change: Change) -> None:
        match change:
            case Placed():
                self._placed(change)
            case Traded():
                self.self_trades += change.maker_id in self.orders and change.taker_id in self.orders
                for order_id, fee in ((change.maker_id, change.maker_fee), (change.taker_id, change.taker_fee)):
                    order = self.orders.get(order_id)
                    if order is not None:
                        self._traded(order, change, fee)
            case Closed():
                order = self.orders.get(change.order_id)
                if order is not None:
                    order.ord_status, order.cause = change.ord_status, change.cause
                    self._close(order)
            case Amended():
                order = self.orders.get(change.order_id)
                if order is not None:
                    self._amended(order, change)
            case Released():
                order = self.orders.get(change.order_id)
                if order is not None and change.order_qty is not None:
                    self._count(order, change.order_qty - order.order_qty)
                    order.order_qty = change.order_qty
            case Corrected():
                if change.account == self._account:
                    self._corrected(change)
            case Listed():
                self._instruments[change.instrument.symbol] = change.instrument
            case Deposited() | _:
                pass

    def _placed(self, change: Placed) -> None:
        terms = change.terms
        if terms.account != self._account:
            return
        order = TrueOrder(change.order_id, terms)
        self.orders[order.order_id] = order
        if not order.is_ours:
            self._watcher.met_stranger(self.venue, order.symbol, order.order_qty)
            return
        self._count(order, order.order_qty)
        self._watcher.accepted(self.venue, order)

    def _traded(self, order: TrueOrder, change: Traded, fee: Decimal) -> None:
        self.trades += 1
        self._count(order, -change.qty)
        order.cum_qty += change.qty
        order.settlements += 2
        order.trades[change.trade_id] = change.qty
        base_fee = self._base_fee(order.symbol, order.side, fee)
        moved = change.qty - base_fee if order.side == BUY else -change.qty
        order.base_fees += base_fee
        order.value += change.qty * change.px
        order.inverse_value += change.qty / change.px
        self._paid(order, fee)
        self.positions[order.symbol] = self.position(order.symbol) + moved
        if order.cum_qty >= order.order_qty:
            order.ord_status = FILLED
            order.open = False

    def _paid(self, order: TrueOrder, fee: Decimal) -> None:
        instrument = self._instruments.get(order.symbol)
        asset = "" if instrument is None else instrument.fee_asset(order.side)
        order.fees[asset] = order.fees.get(asset, ZERO) + fee

    def money(self, order: TrueOrder) -> TrueMoney:
        """What the order's trades have brought and cost by now."""
        instrument, sign = self._instruments.get(order.symbol), 1 if order.side == BUY else -1
        quantity, value = sign * order.cum_qty, sign * order.value
        if instrument is None or instrument.contract.is_spot:
            base = "" if instrument is None else instrument.base
            return TrueMoney(quantity - order.fees.get(base, ZERO), -value, dict(order.fees))
        contract, price = instrument.contract, instrument.start_price
        cash = closed_at(contract, price, quantity, value, sign * order.inverse_value)
        return TrueMoney(quantity, cash, dict(order.fees), order.settlements)

    def instrument(self, symbol: str) -> Instrument | None:
        """The instrument as the exchange lists it, None where it lists none."""
        return self._instruments.get(symbol)

    def _base_fee(self, symbol: str, side: str, fee: Decimal) -> Decimal:
        """What of a fill's fee is taken in what was bought: all of it or, where fees are in another asset, nothing."""
        instrument = self._instruments.get(symbol)
        if side != BUY or (instrument is not None and instrument.fee_asset(side) != instrument.base):
            return ZERO
        return fee if instrument is None or instrument.contract.is_spot else ZERO

    def _corrected(self, change: Corrected) -> None:
        """A fill is of less or at another price; an order that was filled by it is cancelled for the rest."""
        more_base_fee = self._base_fee(change.symbol, change.side, change.more_fee)
        moved = change.more_qty - more_base_fee if change.side == BUY else -change.more_qty
        self.positions[change.symbol] = self.position(change.symbol) + moved
        longer, shorter = self._unforeseen.get(change.symbol, (ZERO, ZERO))
        # A smaller fill of an order that is open may be filled again, and its fee is given back all the same.
        longer += max(moved, -more_base_fee, ZERO)
        self._unforeseen[change.symbol] = (longer, shorter + max(-moved, ZERO))
        self._changed.add(change.symbol)
        self.trades -= not change.qty
        order = self.orders.get(change.order_id)
        if order is None:
            return
        if order.open:
            self._count(order, -change.more_qty)
        elif order.ord_status == FILLED and change.more_qty:
            order.ord_status = CANCELED
        order.value += change.qty * change.px - change.former_qty * change.former_px
        order.inverse_value += (change.qty / change.px if change.qty else ZERO) - change.former_qty / change.former_px
        self._paid(order, change.more_fee)
        order.cum_qty += change.more_qty
        order.taken_back -= change.more_qty
        order.settlements += 2
        order.trades[change.trade_id] = change.qty

    def _close(self, order: TrueOrder) -> None:
        if order.open:
            self._count(order, -order.leaves_qty)
            order.open = False

    def _amended(self, order: TrueOrder, change: Amended) -> None:
        self._count(order, change.order_qty - order.order_qty)
        order.order_qty, order.price = change.order_qty, change.price
        if change.cl_ord_id != order.cl_ord_ids[-1]:
            order.cl_ord_ids.append(change.cl_ord_id)
            self._watcher.renamed(self.venue, order)

    def _count(self, order: TrueOrder, qty: Decimal) -> None:
        self._changed.add(order.symbol)
        if order.is_ours:
            key = (order.symbol, order.side)
            self._open[key] = self._open.get(key, ZERO) + qty
            if order.terms.reduce_only:
                self._reducing[key] = self._reducing.get(key, ZERO) + qty

"""The book of one symbol: open orders by price, then by time."""

from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Iterator
from decimal import Decimal

from common.exchange.order import BUY, ZERO, Order


class Level:
    """The orders at one price, oldest first, and what is seen of them together."""

    __slots__ = ("orders", "price", "qty")

    def __init__(self, price: Decimal) -> None:
        self.price = price
        self.qty = ZERO
        self.orders: OrderedDict[int, Order] = OrderedDict()


class BookSide:
    """One side. `keys` is sorted so that the best price is last: the price for bids, its negative for asks."""

    __slots__ = ("changed", "keys", "levels", "_bids")

    def __init__(self, bids: bool) -> None:
        self._bids = bids
        self.keys: list[Decimal] = []
        self.levels: dict[Decimal, Level] = {}
        self.changed: dict[Decimal, None] = {}

    def best(self) -> Level | None:
        """The level that trades next."""
        return self.levels[self.keys[-1]] if self.keys else None

    def add(self, order: Order) -> None:
        """Put a priced order behind the others at its price."""
        key = self._key(order)
        level = self.levels.get(key)
        if level is None:
            assert order.price is not None
            level = self.levels[key] = Level(order.price)
            insort(self.keys, key)
        level.orders[order.order_id] = order
        level.qty += order.visible_qty
        self.changed[level.price] = None

    def take(self, order: Order, qty: Decimal) -> None:
        """`qty` of a resting order is filled, of what is seen first; it keeps its place."""
        self._shrink(order, qty, min(qty, order.shown_qty))

    def lessen(self, order: Order, qty: Decimal) -> None:
        """`qty` of a resting order is amended away, of what is not seen first; it keeps its place."""
        self._shrink(order, qty, max(ZERO, order.shown_qty - order.leaves_qty + qty))

    def _shrink(self, order: Order, qty: Decimal, shown_qty: Decimal) -> None:
        """A resting order will be less by `qty`: of an iceberg `shown_qty` of that was seen."""
        level = self.levels[self._key(order)]
        if order.display_qty is not None:
            order.shown_qty -= shown_qty
            qty = shown_qty
        level.qty -= qty
        self.changed[level.price] = None

    def show_next(self, order: Order) -> None:
        """The next part of an iceberg order stands behind the others at its price, once all that was seen is gone."""
        if order.display_qty is None or order.shown_qty:
            return
        level = self.levels[self._key(order)]
        level.orders.move_to_end(order.order_id)
        order.show_next()
        level.qty += order.shown_qty

    def remove(self, order: Order, leaves_qty: Decimal) -> None:
        """Take a resting order off, with the `leaves_qty` that it still counted for."""
        key = self._key(order)
        level = self.levels[key]
        del level.orders[order.order_id]
        level.qty -= leaves_qty if order.display_qty is None else order.shown_qty
        self.changed[level.price] = None
        if not level.orders:
            assert level.qty == 0
            del self.levels[key]
            del self.keys[bisect_left(self.keys, key)]

    def walk(self) -> Iterator[Level]:
        """The levels from the best price on."""
        return (self.levels[key] for key in reversed(self.keys))

    def qty_at(self, price: Decimal) -> Decimal:
        """What is seen at a price, zero for none."""
        level = self.levels.get(price if self._bids else -price)
        return level.qty if level is not None else ZERO

    def _key(self, order: Order) -> Decimal:
        assert order.price is not None
        return order.price if self._bids else -order.price


class Book:
    """Both sides of a symbol, its last trade, and `update_id`, which rises with every change of a level."""

    __slots__ = ("asks", "bids", "last_px", "symbol", "trade_id", "update_id")

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.bids = BookSide(bids=True)
        self.asks = BookSide(bids=False)
        self.last_px: Decimal | None = None
        self.trade_id = 0
        self.update_id = 0

    def side(self, side: str) -> BookSide:
        """Where an order of this Side(54) rests."""
        return self.bids if side == BUY else self.asks

    def opposite(self, side: str) -> BookSide:
        """What an order of this Side(54) trades with."""
        return self.asks if side == BUY else self.bids

    def crosses(self, side: str, price: Decimal | None) -> bool:
        """Whether an order of this side and limit (None: any price) would trade at once."""
        best = self.opposite(side).best()
        if best is None:
            return False
        return price is None or (price >= best.price if side == BUY else price <= best.price)

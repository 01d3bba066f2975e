"""How much could be bought and sold at worst, and what is held: running sums per symbol and per strategy.

The same sums twice: of what the log says, and of what is in flight between the approval here and the log.
"""

from collections import defaultdict
from decimal import Decimal
from typing import NamedTuple

import msgspec

from common.messages import SIDE_BUY, AmendOrder, Attempt, NewOrder
from common.orders.books import Place, Share
from common.orders.numbers import ZERO, added


class ExposureSums(msgspec.Struct, gc=False):
    """What may still be bought and sold at worst, and the position, all in the base asset, or all in contracts.

    `reduce_buy` and `reduce_sell` are how much of `buy` and `sell` reduce-only orders are: counted for the firm alone,
    since the venue holds them against the account's position, and no strategy's part of it.
    """

    buy: Decimal = ZERO
    sell: Decimal = ZERO
    position: Decimal = ZERO
    reduce_buy: Decimal = ZERO
    reduce_sell: Decimal = ZERO


class Exposure:
    """Sums per (account, symbol) for the firm and per (strategy, account, symbol), and open orders per strategy."""

    def __init__(self) -> None:
        """Nothing is exposed."""
        self.firm: defaultdict[Place, ExposureSums] = defaultdict(ExposureSums)
        self.shares: defaultdict[Share, ExposureSums] = defaultdict(ExposureSums)
        self.open_orders: dict[str, int] = {}

    def add(
        self, strategy: str, account: str, symbol: str, side: str, quantity: Decimal, *, reduces: bool
    ) -> None:
        """Count `quantity` (negative to take back) as what may still trade on `side`, Side(54); `reduces` where it is
        of a reduce-only order.
        """
        if not quantity:
            return
        firm, share = self.firm[account, symbol], self.shares[strategy, account, symbol]
        if side == SIDE_BUY:
            firm.buy, share.buy = added(firm.buy, quantity), added(share.buy, quantity)
            firm.reduce_buy = added(firm.reduce_buy, quantity) if reduces else firm.reduce_buy
        else:
            firm.sell, share.sell = added(firm.sell, quantity), added(share.sell, quantity)
            firm.reduce_sell = added(firm.reduce_sell, quantity) if reduces else firm.reduce_sell
        if not (share.buy or share.sell or share.position):
            # Every order that is typed by hand has a strategy of its own: they must not add up.
            del self.shares[strategy, account, symbol]

    def hold_share(self, share: Share, position: Decimal) -> None:
        """A strategy's part of a position is this."""
        sums = self.shares[share]
        sums.position = position
        if not (sums.buy or sums.sell or position):
            del self.shares[share]

    def count(self, strategy: str, orders: int) -> None:
        """Change the number of open orders of a strategy; one without any is forgotten."""
        count = self.open_orders.get(strategy, 0) + orders
        if count:
            self.open_orders[strategy] = count
        else:
            self.open_orders.pop(strategy, None)


class Reservation(NamedTuple):
    """What one approved attempt may add at worst until the log decides it. `total_qty` is the whole that
    it asks for.
    """

    strategy: str
    account: str
    symbol: str
    side: str
    added_qty: Decimal
    total_qty: Decimal
    cl_ord_id: str
    orig_cl_ord_id: str
    is_order: bool
    reduces: bool = False


class InFlight:
    """The soft state: reservations by attempt, and what they come to."""

    def __init__(self) -> None:
        """Nothing is in flight."""
        self.exposure = Exposure()
        self._held: dict[tuple[int, int], list[Reservation]] = {}
        self._by_name: dict[str, Reservation] = {}
        self._amendments: dict[str, dict[str, Decimal]] = {}

    def __len__(self) -> int:
        """How many attempts are in flight."""
        return len(self._held)

    def find(self, cl_ord_id: str) -> Reservation | None:
        """The reservation of the order or amendment that has this ClOrdID(11)."""
        return self._by_name.get(cl_ord_id)

    def amended_to(self, cl_ord_id: str) -> list[Decimal]:
        """The totals that amendments in flight ask for of the order known by this name."""
        return list(self._amendments.get(cl_ord_id, {}).values())

    def reserve(self, command: NewOrder | AmendOrder, reservation: Reservation) -> None:
        """Hold it until `release`; a list's command holds one for each of its orders."""
        attempt = command.attempt
        self._held.setdefault((attempt.epoch, attempt.counter), []).append(reservation)
        self._by_name[reservation.cl_ord_id] = reservation
        if reservation.orig_cl_ord_id:
            asked = self._amendments.setdefault(reservation.orig_cl_ord_id, {})
            asked[reservation.cl_ord_id] = reservation.total_qty
        self._count(reservation, 1)

    def release(self, attempt: Attempt) -> None:
        """The attempt is decided, or never left."""
        for reservation in self._held.pop((attempt.epoch, attempt.counter), ()):
            self._by_name.pop(reservation.cl_ord_id, None)
            self._count(reservation, -1)
            asked = self._amendments.get(reservation.orig_cl_ord_id)
            if asked is not None:
                asked.pop(reservation.cl_ord_id, None)
                if not asked:
                    del self._amendments[reservation.orig_cl_ord_id]

    def _count(self, r: Reservation, sign: int) -> None:
        self.exposure.add(r.strategy, r.account, r.symbol, r.side, sign * r.added_qty, reduces=r.reduces)
        if r.is_order:
            self.exposure.count(r.strategy, sign)

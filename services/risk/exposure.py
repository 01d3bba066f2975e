"""How much could be bought and sold at worst, and what is held: running sums per symbol and per strategy."""

from decimal import Decimal
from typing import Final

from common.messages import SIDE_BUY

ZERO: Final = Decimal(0)

Place = tuple[str, str]
"""(account, symbol)."""

Share = tuple[str, str, str]
"""(strategy, account, symbol)."""


class Sums:
    """What may still be bought and sold at worst, and the position, all in the base asset, or all in contracts.

    `reduce_buy` and `reduce_sell` are how much of `buy` and `sell` reduce-only orders are: counted for the firm alone,
    since the venue holds them against the account's position, and no strategy's part of it.
    """

    __slots__ = ("buy", "position", "reduce_buy", "reduce_sell", "sell")

    def __init__(self, buy: Decimal = ZERO, sell: Decimal = ZERO, position: Decimal = ZERO) -> None:
        """Nothing open and nothing held, unless something is given."""
        self.buy = buy
        self.sell = sell
        self.position = position
        self.reduce_buy = ZERO
        self.reduce_sell = ZERO


class Exposure:
    """Sums per (account, symbol) for the firm and per (strategy, account, symbol), and open orders per strategy."""

    def __init__(self) -> None:
        """Nothing is exposed."""
        self.firm: dict[Place, Sums] = {}
        self.shares: dict[Share, Sums] = {}
        self.open_orders: dict[str, int] = {}

    def sums(self, account: str, symbol: str) -> Sums:
        """The firm's sums of one symbol in one account."""
        place = (account, symbol)
        found = self.firm.get(place)
        if found is None:
            found = self.firm[place] = Sums()
        return found

    def share(self, strategy: str, account: str, symbol: str) -> Sums:
        """One strategy's part of them."""
        key = (strategy, account, symbol)
        found = self.shares.get(key)
        if found is None:
            found = self.shares[key] = Sums()
        return found

    def add(
        self, strategy: str, account: str, symbol: str, side: str, quantity: Decimal, *, reduces: bool
    ) -> None:
        """Count `quantity` (negative to take back) as what may still trade on `side`, Side(54); `reduces` where it is
        of a reduce-only order.
        """
        if not quantity:
            return
        firm, share = self.sums(account, symbol), self.share(strategy, account, symbol)
        if side == SIDE_BUY:
            firm.buy += quantity
            share.buy += quantity
            firm.reduce_buy += quantity if reduces else ZERO
        else:
            firm.sell += quantity
            share.sell += quantity
            firm.reduce_sell += quantity if reduces else ZERO
        if not (share.buy or share.sell or share.position):
            # Every order that is typed by hand has a strategy of its own: they must not add up.
            del self.shares[strategy, account, symbol]

    def hold_share(self, share: Share, position: Decimal) -> None:
        """A strategy's part of a position is this."""
        sums = self.share(*share)
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

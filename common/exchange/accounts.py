"""What the accounts own: balances by asset, free and locked behind open orders, and what they began with."""

from decimal import Decimal

from common.exchange.changes import Corrected, Deposited
from common.exchange.order import BUY, LIMIT, ZERO, Order
from common.exchange.settings import Instrument


class Balance:
    """What an account holds of an asset: at its disposal, and locked behind open orders."""

    __slots__ = ("free", "locked")

    def __init__(self, free: Decimal = ZERO, locked: Decimal = ZERO) -> None:
        self.free = free
        self.locked = locked


class Accounts:
    """All accounts. Only the fold moves them; `trade_counts` counts each account's sides of trades."""

    def __init__(self) -> None:
        self.balances: dict[tuple[str, str], Balance] = {}
        self.deposits: dict[tuple[str, str], Decimal] = {}
        self.trade_counts: dict[str, int] = {}

    def balance(self, account: str, asset: str) -> Balance:
        """The account's balance of an asset, made on first use."""
        balance = self.balances.get((account, asset))
        if balance is None:
            balance = self.balances[account, asset] = Balance()
        return balance

    def deposit(self, change: Deposited) -> None:
        """An account is given its first balance."""
        self.balance(change.account, change.asset).free += change.amount
        key = (change.account, change.asset)
        self.deposits[key] = self.deposits.get(key, ZERO) + change.amount

    def lock(self, order: Order, instrument: Instrument, qty: Decimal) -> None:
        """Lock what an open limit order of `qty` needs; less than zero gives it back. A market order locks nothing."""
        if order.ord_type != LIMIT or order.price is None:
            return
        if order.side == BUY:
            asset, amount = instrument.quote, order.price * qty
        else:
            asset, amount = instrument.base, qty
        balance = self.balance(order.account, asset)
        balance.free -= amount
        balance.locked += amount

    def settle(self, order: Order, instrument: Instrument, px: Decimal, qty: Decimal, fee: Decimal) -> None:
        """Move a fill through the account's balances. A better price than the limit gives the difference back."""
        self.lock(order, instrument, -qty)
        self._exchange(order.account, instrument, order.side, qty, px * qty, fee)
        self.trade_counts[order.account] = self.trade_counts.get(order.account, 0) + 1

    def correct(self, change: Corrected, instrument: Instrument) -> None:
        """A fill was of less or at another price."""
        self._exchange(change.account, instrument, change.side, change.more_qty, change.more_quote, change.more_fee)
        if not change.qty:
            self.trade_counts[change.account] = self.trade_counts.get(change.account, 0) - 1

    def _exchange(
        self, account: str, instrument: Instrument, side: str, qty: Decimal, quote_qty: Decimal, fee: Decimal
    ) -> None:
        """Base against quote, less the fee."""
        sign = 1 if side == BUY else -1
        self.balance(account, instrument.base).free += sign * qty
        self.balance(account, instrument.quote).free -= sign * quote_qty
        self.balance(account, instrument.fee_asset(side)).free -= fee

"""What the accounts own: balances by asset, free and locked behind open orders, what they began with, and their
positions in contracts.

A spot fill moves both assets. That of a contract moves the position, and the balance of the asset that it is settled
in, by what it realises (by the premium where it is an option) and its fee. The margin of what is held and ordered locks
nothing: it is counted when an order is taken in (`engine`). Where contracts have a wallet of their own, an asset has a
balance in it beside that of spot (`settings.in_wallet`).
"""

from decimal import Decimal

from common.contracts import traded
from common.exchange.changes import Corrected, Deposited
from common.exchange.order import BUY, ZERO, Order
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
        self.positions: dict[tuple[str, str], tuple[Decimal, Decimal]] = {}
        """By account and symbol of a contract: quantity, and the average of its unit costs."""

    def position(self, account: str, symbol: str) -> Decimal:
        """The account's position in contracts, below zero where it is short."""
        return self.positions.get((account, symbol), (ZERO, ZERO))[0]

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
        """Lock what an open limit order of `qty` needs; less than zero gives it back. A market order locks nothing, nor
        does one for contracts."""
        if order.price is None or not instrument.contract.is_spot:
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
        if instrument.contract.is_spot:
            self._exchange(order.account, instrument, order.side, qty, px * qty, fee)
        else:
            self._contract(order.account, instrument, qty if order.side == BUY else -qty, px, fee)
        self.trade_counts[order.account] = self.trade_counts.get(order.account, 0) + 1

    def correct(self, change: Corrected, instrument: Instrument) -> None:
        """A fill was of less or at another price."""
        if instrument.contract.is_spot:
            self._exchange(change.account, instrument, change.side, change.more_qty, change.more_quote, change.more_fee)
        else:
            sign = 1 if change.side == BUY else -1
            self._contract(change.account, instrument, -sign * change.former_qty, change.former_px, change.more_fee)
            if change.qty:
                self._contract(change.account, instrument, sign * change.qty, change.px, ZERO)
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

    def _contract(self, account: str, instrument: Instrument, qty: Decimal, px: Decimal, fee: Decimal) -> None:
        """A fill of contracts, `qty` below zero for a sale."""
        contract, place = instrument.contract, (account, instrument.symbol)
        held = traded(*self.positions.get(place, (ZERO, ZERO)), qty, contract.unit_cost(px))
        self.positions[place] = held.quantity, held.average
        self.balance(account, instrument.purse).free += contract.settled(qty, px, held.gain) - fee

"""What risk is told once, and how it is made of the configuration."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import NamedTuple

from common.config import Config, ConfiguredAccount, RiskConfig, StrategyLimits
from common.fix.schedule import Schedule
from common.instant import NS_PER_MS
from common.messages import AmendOrder
from common.orders.facts import VenueFacts, facts_of
from common.venues.registry import find_dialect
from services.risk.limits import SymbolRules


class AccountLimits(NamedTuple):
    """An account as risk sees it: what may be traded there, its venue's facts for the fold, the message rate of each of
    its `sessions`, and which amendments are a cancel and a new order of its own.

    Every limit of a symbol is the account's: what another account of the venue has open or holds does not count in it.
    """

    symbols: Mapping[str, SymbolRules]
    facts: VenueFacts
    messages: int
    window_ns: int
    amend_is_new_order: Callable[[AmendOrder], bool]
    sessions: tuple[str, ...] = ()


class RiskSettings(NamedTuple):
    """All of risk's configuration, `accounts` by name. `cancel_reserve_ratio`: the share of a session's rate that only
    cancels may use. `days`: whose periods are the days that it tells the log of; None tells of none. `currency`: in
    what profit is added up, for the rates that it tells the log; "" tells none. `fixed_rates` need not be told.
    """

    accounts: Mapping[str, AccountLimits]
    strategies: Mapping[str, StrategyLimits]
    default_strategy: StrategyLimits
    cancel_reserve_ratio: Decimal
    days: Schedule | None = None
    currency: str = ""
    fixed_rates: Mapping[str, Decimal] = MappingProxyType({})

    def strategy(self, name: str) -> StrategyLimits:
        """The limits of the strategy called `name`."""
        return self.strategies.get(name, self.default_strategy)


def risk_settings(config: Config) -> RiskSettings:
    """Everything that risk must know. A symbol of a venue that has no limits is left out, and so refused."""
    risk = config.stack.risk
    return RiskSettings(
        accounts={name: _account(account, risk) for name, account in config.accounts.items()},
        strategies=risk.strategies,
        default_strategy=risk.default_strategy,
        cancel_reserve_ratio=risk.cancel_reserve_ratio,
        days=config.stack.money.to_schedule(),
        currency=config.stack.money.currency,
        fixed_rates=config.stack.money.fixed_rates,
    )


def _account(account: ConfiguredAccount, risk: RiskConfig) -> AccountLimits:
    venue, sessions = account.venue, tuple(session.name for session in account.sessions)
    dialect = find_dialect(venue.dialect)
    symbols = {
        symbol: SymbolRules(
            base=instrument.base,
            tick_size=instrument.tick_size,
            lot_size=instrument.lot_size,
            min_qty=instrument.min_qty,
            max_qty=instrument.max_qty,
            min_notional=instrument.min_notional,
            max_order_qty=risk.symbols[symbol].max_order_qty,
            max_order_notional=risk.symbols[symbol].max_order_notional,
            position_limit=risk.symbols[symbol].position_limit,
            price_collar_ratio=risk.symbols[symbol].price_collar_ratio,
            max_age_ns=risk.symbols[symbol].reference_max_age_ms * NS_PER_MS,
            contract=instrument.contract,
            expiry_ns=instrument.expiry_ns,
            underlying_limit=risk.symbols[symbol].underlying_limit,
            stops_by_market=dialect.profile.stops_by_market,
        )
        for symbol, instrument in venue.instruments.items()
        if symbol in risk.symbols
    }
    facts = facts_of(venue, dialect.profile.window_ns)
    limits, window_ns = venue.fix.limits, venue.fix.limits.window_ms * NS_PER_MS
    return AccountLimits(symbols, facts, limits.messages, window_ns, dialect.amend_is_new_order, sessions)

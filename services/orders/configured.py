"""From the configuration to what the order manager's core takes."""

from common.actor.order_books import facts_of_account
from common.config import Config, ConfiguredAccount, OnStop
from common.instant import NS_PER_MS, NS_PER_S
from common.venues.registry import find_profile
from common.venues.venue import Feature
from services.orders.inquiries import VenueWays
from services.orders.settings import AccountRules, OrdersSettings
from services.orders.silence import Patience
from services.orders.watch import Watched


def orders_settings(config: Config) -> OrdersSettings:
    """Everything that orders must know of the stack and its accounts."""
    accounts = {name: _account(account) for name, account in config.accounts.items()}
    orders = config.stack.orders
    patience = Patience(orders.ask_after_ms * NS_PER_MS, orders.unknown_after_ms * NS_PER_MS)
    strategies = {
        name: Watched(its.silent_after_ms * NS_PER_MS, its.on_exit is OnStop.CANCEL, its.start_ms * NS_PER_MS)
        for name, its in config.strategies.items()
    }
    return OrdersSettings(accounts, orders.ttl_ms * NS_PER_MS, patience, strategies=strategies)


def _account(account: ConfiguredAccount) -> AccountRules:
    venue, sessions = account.venue, tuple(session.name for session in account.sessions)
    profile = find_profile(venue.dialect)
    ways = VenueWays(
        profile.has(Feature.STATUS_QUERY),
        venue.rest is not None,
        tuple(venue.instruments),
        cancels_by_rest=profile.cancels_own_session_only and venue.rest is not None,
    )
    cancels = venue.on_stop is OnStop.CANCEL
    return AccountRules(facts_of_account(account), ways, venue.orphan_s * NS_PER_S, cancels, sessions)

"""What the order manager is told once, and how it is made of the configuration."""

from collections.abc import Mapping
from typing import Final

import msgspec

from common.actor.order_books import facts_of_account
from common.config import Config, ConfiguredAccount, OnStop
from common.instant import NS_PER_MS, NS_PER_S
from common.messages import MAX_TIME_TO_LIVE_NS
from common.orders.facts import VenueFacts
from common.venues.registry import find_profile
from common.venues.venue import Feature

REPLAYED_EVENTS = 20_000
"""See `OrdersSettings`."""

START_NS: Final = 30 * NS_PER_S
"""How long a strategy may take to say hello after a start, where its table does not say."""


class VenueWays(msgspec.Struct, frozen=True):
    """How a venue is asked: over FIX, over REST, or not at all; `symbols` are those of its configuration.

    `cancels_by_rest`: its cancel over FIX does not find every order of the account, so what it does not find is
    cancelled over REST.
    """

    has_query: bool
    has_rest: bool
    symbols: tuple[str, ...]
    cancels_by_rest: bool = False

    @property
    def means(self) -> tuple[str, ...]:
        """Over what it is asked, for people."""
        return ("FIX",) * self.has_query + ("REST",) * self.has_rest


class Patience(msgspec.Struct, frozen=True):
    """How long an answer is waited for: until the question, and until the order is UNKNOWN, both from the sending; and
    the trades of a CumQty(14) that was told, until a person is."""

    ask_ns: int = 2 * NS_PER_S
    unknown_ns: int = 5 * NS_PER_S
    fills_ns: int = 30 * NS_PER_S


class Watched(msgspec.Struct, frozen=True):
    """How a strategy is watched over: silent when not heard of for `silent_after_ns`, while it starts for `start_ns`;
    whether its open orders are cancelled when it is silent or has ended.
    """

    silent_after_ns: int
    cancel_on_exit: bool
    start_ns: int = START_NS


class AccountRules(msgspec.Struct, frozen=True):
    """An account as orders sees it: its venue, and its `sessions` in the order in which one is chosen.

    `orphan_ns`: where all of them are away longer its orders are cancelled over REST, 0 never. `cancel_on_stop`:
    resting orders are cancelled at an orderly stop.
    """

    facts: VenueFacts
    ways: VenueWays
    orphan_ns: int = 0
    cancel_on_stop: bool = True
    sessions: tuple[str, ...] = ()


class OrdersSettings(msgspec.Struct, frozen=True):
    """All of the order manager's configuration, `accounts` by name.

    `time_to_live_ns` bounds the life of what adds risk, `patience` the wait for a venue's answers. `replayed_events`:
    records before the end of a replay whose events are kept for strategies that resume. `strategies` are those that are
    configured, each with how it is watched over.
    """

    accounts: Mapping[str, AccountRules]
    time_to_live_ns: int = MAX_TIME_TO_LIVE_NS
    patience: Patience = Patience()
    replayed_events: int = REPLAYED_EVENTS
    strategies: Mapping[str, Watched] = {}


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

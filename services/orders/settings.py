"""What the order manager is told once, from the configuration."""

from collections.abc import Mapping

import msgspec

from common.messages import MAX_TIME_TO_LIVE_NS
from common.orders.facts import VenueFacts
from services.orders.inquiries import VenueWays
from services.orders.silence import Patience
from services.orders.watch import Watched

REPLAYED_EVENTS = 20_000
"""See `OrdersSettings`."""


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

"""HTX Spot: its facts, and where its parts are. README.md beside it has the sources and the oddities."""

from common.messages import MAX_TIME_TO_LIVE_NS
from common.venues.venue import Confidence, CredentialKind, Feature, VenueProfile

PROCESSING_LIMIT_NS = 10_000_000_000
"""No page says how long after a connection's death one of its requests may take effect: assumed, and generous."""

PROFILE = VenueProfile(
    title="HTX Spot",
    confidence=Confidence.UNVERIFIED,
    dialect="common.venues.htx.dialect:Htx",
    simulated="common.venues.htx.simulated:open_side",
    rest="common.venues.htx.rest:open_rest",
    fields="common.venues.htx.fields:ADDITIONS",
    credentials=(CredentialKind.ED25519_ACCOUNT,),
    lacks=frozenset(
        {
            Feature.AMEND,
            Feature.STATUS_QUERY,
            # A market order to buy says an amount of money, and no quantity.
            Feature.MARKET_ORDER,
            Feature.LIMIT_QUERY,
            Feature.ANNOUNCEMENT,
            Feature.UNKNOWN_OUTCOME,
            # Told later, by reports of their own that name no fill.
            Feature.FILL_FEES,
            Feature.STOP_ORDER,
            Feature.GOOD_TILL_DATE,
            Feature.REDUCE_ONLY,
        }
    ),
    window_ns=MAX_TIME_TO_LIVE_NS + PROCESSING_LIMIT_NS,
    key_tags=frozenset({553}),
)

"""Bullish: its facts, and where its parts are. README.md beside it has the sources and the oddities."""

from common.messages import MAX_TIME_TO_LIVE_NS
from common.orders.names import ClOrdIdForm
from common.venues.venue import Confidence, CredentialKind, Feature, VenueProfile

PROCESSING_LIMIT_NS = 10_000_000_000
"""No page says how long after a connection's death one of its requests may take effect: assumed, and generous."""

PROFILE = VenueProfile(
    title="Bullish",
    confidence=Confidence.ASSUMED,
    dialect="common.venues.bullish.dialect:Bullish",
    simulated="common.venues.bullish.simulated:open_side",
    rest="common.venues.bullish.rest:open_rest",
    fields="common.venues.bullish.fields:ADDITIONS",
    credentials=(CredentialKind.PASSWORD_HMAC,),
    lacks=frozenset(
        {
            Feature.STATUS_QUERY,
            Feature.LIMIT_QUERY,
            Feature.MARKET_DATA,
            Feature.ANNOUNCEMENT,
            Feature.UNKNOWN_OUTCOME,
            # It has stop-limit orders, and no stop orders.
            Feature.STOP_ORDER,
            Feature.GOOD_TILL_DATE,
            Feature.REDUCE_ONLY,
        }
    ),
    window_ns=MAX_TIME_TO_LIVE_NS + PROCESSING_LIMIT_NS,
    cancels_on_disconnect=True,
    names=ClOrdIdForm.DIGITS17,
)

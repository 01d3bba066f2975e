"""Gemini: its facts, and where its parts are. README.md beside it has the sources and the oddities."""

from common.messages import MAX_TIME_TO_LIVE_NS
from common.venues.venue import Confidence, CredentialKind, Feature, MarketDataKey, VenueProfile

PROCESSING_LIMIT_NS = 10_000_000_000
"""No page says how long after a connection's death one of its requests may take effect: assumed, and generous."""

PROFILE = VenueProfile(
    title="Gemini",
    dialect="common.venues.gemini.dialect:Gemini",
    simulated="common.venues.gemini.simulated:open_side",
    rest="common.venues.gemini.rest:open_rest",
    fields="common.venues.gemini.fields:ADDITIONS",
    credentials=(CredentialKind.HMAC,),
    market_data_key=MarketDataKey.NONE,
    further=frozenset({Feature.STOP_LIMIT_ORDER, Feature.CASH_QUANTITY}),
    lacks=frozenset(
        {
            Feature.AMEND,
            # A market order buys for an amount, and sells a quantity.
            Feature.MARKET_BUY_OF_QUANTITY,
            Feature.CASH_SALE,
            Feature.NEAR_LIMIT,
            Feature.STATUS_QUERY,
            Feature.MASS_CANCEL,
            Feature.MASS_CANCEL_REPORT,
            Feature.ANNOUNCEMENT,
            Feature.LIMIT_QUERY,
            Feature.UNKNOWN_OUTCOME,
        }
    ),
    window_ns=MAX_TIME_TO_LIVE_NS + PROCESSING_LIMIT_NS,
    comp_id_is_assigned=True,
    cancels_on_disconnect=True,
    stops_by_market=True,
    has_drop_copy=True,
    confidence=Confidence.ASSUMED,
)

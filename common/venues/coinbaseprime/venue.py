"""Coinbase Prime: its facts, and where its parts are. README.md beside it has the sources and the oddities."""

from common.messages import MAX_TIME_TO_LIVE_NS
from common.venues.venue import Confidence, CredentialKind, Feature, MarketDataKey, VenueProfile

PROCESSING_LIMIT_NS = 10_000_000_000
"""No page says how long after a connection's death one of its requests may take effect: assumed, and generous."""

PROFILE = VenueProfile(
    title="Coinbase Prime",
    dialect="common.venues.coinbaseprime.dialect:CoinbasePrime",
    simulated="common.venues.coinbaseprime.simulated:open_side",
    rest="common.venues.coinbaseprime.rest:open_rest",
    fields="common.venues.coinbaseprime.fields:ADDITIONS",
    credentials=(CredentialKind.HMAC_PASSPHRASE,),
    market_data_key=MarketDataKey.OWN,
    further=frozenset({Feature.GOOD_TILL_DATE, Feature.STOP_LIMIT_ORDER}),
    lacks=frozenset(
        {
            Feature.AMEND,
            Feature.LIQUIDITY,
            Feature.MASS_CANCEL,
            Feature.MASS_CANCEL_REPORT,
            Feature.TRIGGER_REPORT,
            Feature.ANNOUNCEMENT,
            Feature.LIMIT_QUERY,
            Feature.UNKNOWN_OUTCOME,
        }
    ),
    window_ns=MAX_TIME_TO_LIVE_NS + PROCESSING_LIMIT_NS,
    key_tags=frozenset({553, 9407}),
    fix_version="FIX42",
    stops_by_market=True,
    confidence=Confidence.ASSUMED,
)

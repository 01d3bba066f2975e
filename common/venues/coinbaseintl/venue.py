"""Coinbase International: its facts, and where its parts are. README.md beside it has the sources and the oddities."""

from common.messages import MAX_TIME_TO_LIVE_NS
from common.venues.venue import Confidence, CredentialKind, Feature, VenueProfile

PROCESSING_LIMIT_NS = 10_000_000_000
"""No page says how long after a connection's death one of its requests may take effect: assumed, and generous."""

PROFILE = VenueProfile(
    title="Coinbase International",
    confidence=Confidence.ASSUMED,
    dialect="common.venues.coinbaseintl.dialect:CoinbaseInternational",
    simulated="common.venues.coinbaseintl.simulated:open_side",
    rest="common.venues.coinbaseintl.rest:open_rest",
    fields="common.venues.coinbaseintl.fields:ADDITIONS",
    credentials=(CredentialKind.HMAC_PASSPHRASE,),
    further=frozenset(
        {Feature.GOOD_TILL_DATE, Feature.STOP_ORDER, Feature.STOP_LIMIT_ORDER, Feature.REDUCE_ONLY},
    ),
    lacks=frozenset(
        {
            Feature.STATUS_QUERY,
            Feature.LIMIT_QUERY,
            Feature.MARKET_DATA,
            Feature.ANNOUNCEMENT,
            Feature.UNKNOWN_OUTCOME,
        }
    ),
    window_ns=MAX_TIME_TO_LIVE_NS + PROCESSING_LIMIT_NS,
    # Text(58) of its Logon(A) is the signature.
    key_tags=frozenset({58, 553}),
    fix_version="FIX50SP2",
    comp_id_is_api_key=True,
    cancels_on_disconnect=True,
    has_drop_copy=True,
)

"""Gate.io Spot: its facts, and where its parts are. README.md beside this file has the sources and the oddities."""

from common.instant import NS_PER_S
from common.messages import MAX_TIME_TO_LIVE_NS
from common.venues.venue import CredentialKind, Feature, VenueProfile

PROCESSING_LIMIT_NS = 10 * NS_PER_S
"""How long after an order's last moment the bridge and the venue together may still be at it: assumed, and generous."""

PROFILE = VenueProfile(
    title="Gate.io Spot",
    dialect="common.venues.gateio.dialect:Gateio",
    simulated="common.venues.gateio.simulated:open_side",
    rest="common.venues.gateio.rest:open_rest",
    backend="common.venues.gateio.rest:open_backend",
    credentials=(CredentialKind.HMAC,),
    lacks=frozenset(
        {
            Feature.MARKET_ORDER,
            Feature.STATUS_QUERY,
            Feature.MASS_CANCEL,
            Feature.MASS_CANCEL_REPORT,
            Feature.LIMIT_QUERY,
            Feature.UNKNOWN_OUTCOME,
            Feature.ANNOUNCEMENT,
        }
    ),
    window_ns=MAX_TIME_TO_LIVE_NS + PROCESSING_LIMIT_NS,
    cancels_own_session_only=True,
)

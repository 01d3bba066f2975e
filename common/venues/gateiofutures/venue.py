"""Gate.io Futures, linear perpetuals: its facts, and where its parts are. README.md beside this file has the rest."""

from common.instant import NS_PER_S
from common.messages import MAX_TIME_TO_LIVE_NS
from common.venues.venue import CredentialKind, Feature, VenueProfile

PROCESSING_LIMIT_NS = 10 * NS_PER_S
"""How long after an order's last moment the bridge and the venue together may still be at it: assumed, and generous."""

PROFILE = VenueProfile(
    title="Gate.io Futures",
    dialect="common.venues.gateiofutures.dialect:GateioFutures",
    simulated="common.venues.gateiofutures.simulated:open_side",
    rest="common.venues.gateiofutures.rest:open_rest",
    backend="common.venues.gateiofutures.rest:open_backend",
    credentials=(CredentialKind.HMAC_ACCOUNT,),
    further=frozenset({Feature.REDUCE_ONLY}),
    lacks=frozenset(
        {
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

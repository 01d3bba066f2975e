"""Gate.io Futures, linear perpetuals: its facts, and where its parts are. README.md beside this file has the rest."""

from common.venues.venue import BRIDGED_WINDOW_NS, LACKED_BEHIND_A_BRIDGE, CredentialKind, Feature, VenueProfile

PROFILE = VenueProfile(
    title="Gate.io Futures",
    dialect="common.venues.gateiofutures.dialect:GateioFutures",
    simulated="common.venues.gateiofutures.simulated:open_side",
    rest="common.venues.gateiofutures.rest:open_rest",
    backend="common.venues.gateiofutures.rest:open_backend",
    credentials=(CredentialKind.HMAC_ACCOUNT,),
    further=frozenset({Feature.REDUCE_ONLY}),
    lacks=LACKED_BEHIND_A_BRIDGE,
    window_ns=BRIDGED_WINDOW_NS,
    cancels_own_session_only=True,
)

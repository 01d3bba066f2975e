"""Gate.io Spot: its facts, and where its parts are. README.md beside this file has the sources and the oddities."""

from common.venues.venue import BRIDGED_WINDOW_NS, LACKED_BEHIND_A_BRIDGE, CredentialKind, Feature, VenueProfile

PROFILE = VenueProfile(
    title="Gate.io Spot",
    dialect="common.venues.gateio.dialect:Gateio",
    simulated="common.venues.gateio.simulated:open_side",
    rest="common.venues.gateio.rest:open_rest",
    backend="common.venues.gateio.rest:open_backend",
    credentials=(CredentialKind.HMAC,),
    lacks=LACKED_BEHIND_A_BRIDGE | {Feature.MARKET_ORDER},
    window_ns=BRIDGED_WINDOW_NS,
    cancels_own_session_only=True,
)

"""KuCoin Spot: its facts, and where its parts are. README.md beside this file has the sources and the oddities."""

from common.venues.venue import BRIDGED_WINDOW_NS, LACKED_BEHIND_A_BRIDGE, CredentialKind, Feature, VenueProfile

PROFILE = VenueProfile(
    title="KuCoin Spot",
    dialect="common.venues.kucoin.dialect:Kucoin",
    simulated="common.venues.kucoin.simulated:open_side",
    rest="common.venues.kucoin.rest:open_rest",
    backend="common.venues.kucoin.rest:open_backend",
    credentials=(CredentialKind.HMAC_PASSPHRASE,),
    lacks=LACKED_BEHIND_A_BRIDGE | {Feature.AMEND},
    window_ns=BRIDGED_WINDOW_NS,
    cancels_own_session_only=True,
)

"""KuCoin Futures: its facts, and where its parts are. README.md beside this file has the sources and the oddities."""

from common.venues.venue import BRIDGED_WINDOW_NS, LACKED_BEHIND_A_BRIDGE, CredentialKind, Feature, VenueProfile

PROFILE = VenueProfile(
    title="KuCoin Futures",
    dialect="common.venues.kucoinfutures.dialect:KucoinFutures",
    simulated="common.venues.kucoinfutures.simulated:open_side",
    rest="common.venues.kucoinfutures.rest:open_rest",
    backend="common.venues.kucoinfutures.rest:open_backend",
    credentials=(CredentialKind.HMAC_PASSPHRASE,),
    further=frozenset({Feature.REDUCE_ONLY}),
    lacks=LACKED_BEHIND_A_BRIDGE | {Feature.AMEND, Feature.FILL_OR_KILL},
    window_ns=BRIDGED_WINDOW_NS,
    cancels_own_session_only=True,
)

"""Bitget, spot and linear perpetuals: its facts, and where its parts are. README.md beside this file has the rest."""

from common.instant import NS_PER_S
from common.messages import MAX_TIME_TO_LIVE_NS
from common.venues.venue import LACKED_BEHIND_A_BRIDGE, CredentialKind, Feature, VenueProfile

PROCESSING_LIMIT_NS = 45 * NS_PER_S
"""How long after an order's last moment the bridge and the venue together may still be at it: assumed, and generous. An
order for contracts is refused by the age of its signature alone, 30 s."""

PROFILE = VenueProfile(
    title="Bitget",
    dialect="common.venues.bitget.dialect:Bitget",
    simulated="common.venues.bitget.simulated:open_side",
    rest="common.venues.bitget.rest:open_rest",
    backend="common.venues.bitget.rest:open_backend",
    credentials=(CredentialKind.HMAC_PASSPHRASE,),
    further=frozenset({Feature.REDUCE_ONLY}),
    lacks=LACKED_BEHIND_A_BRIDGE | {Feature.AMEND, Feature.MARKET_ORDER},
    window_ns=MAX_TIME_TO_LIVE_NS + PROCESSING_LIMIT_NS,
    cancels_own_session_only=True,
    tells_funding=True,
)

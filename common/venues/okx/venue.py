"""OKX, spot and linear perpetuals: its facts, and where its parts are. README.md beside this file has the rest."""

from common.orders.names import ClOrdIdForm
from common.venues.venue import BRIDGED_WINDOW_NS, LACKED_BEHIND_A_BRIDGE, CredentialKind, Feature, VenueProfile

PROFILE = VenueProfile(
    title="OKX",
    dialect="common.venues.okx.dialect:Okx",
    simulated="common.venues.okx.simulated:open_side",
    rest="common.venues.okx.rest:open_rest",
    backend="common.venues.okx.rest:open_backend",
    credentials=(CredentialKind.HMAC_PASSPHRASE,),
    further=frozenset({Feature.REDUCE_ONLY}),
    lacks=LACKED_BEHIND_A_BRIDGE,
    window_ns=BRIDGED_WINDOW_NS,
    cancels_own_session_only=True,
    names=ClOrdIdForm.DIGITS,
    tells_funding=True,
)

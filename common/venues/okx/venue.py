"""OKX, spot and linear perpetuals: its facts, and where its parts are. README.md beside this file has the rest."""

from common.instant import NS_PER_S
from common.messages import MAX_TIME_TO_LIVE_NS
from common.orders.names import ClOrdIdForm
from common.venues.venue import CredentialKind, Feature, VenueProfile

PROCESSING_LIMIT_NS = 10 * NS_PER_S
"""How long after an order's last moment the bridge and the venue together may still be at it: assumed, and generous."""

PROFILE = VenueProfile(
    title="OKX",
    dialect="common.venues.okx.dialect:Okx",
    simulated="common.venues.okx.simulated:open_side",
    rest="common.venues.okx.rest:open_rest",
    backend="common.venues.okx.rest:open_backend",
    credentials=(CredentialKind.HMAC_PASSPHRASE,),
    further=frozenset({Feature.REDUCE_ONLY}),
    lacks=frozenset(
        {
            Feature.STATUS_QUERY,
            Feature.MASS_CANCEL,
            Feature.MASS_CANCEL_REPORT,
            Feature.LIMIT_QUERY,
            Feature.UNKNOWN_OUTCOME,
            Feature.ANNOUNCEMENT,
            Feature.STOP_ORDER,
            Feature.GOOD_TILL_DATE,
        }
    ),
    window_ns=MAX_TIME_TO_LIVE_NS + PROCESSING_LIMIT_NS,
    cancels_own_session_only=True,
    names=ClOrdIdForm.DIGITS,
    tells_funding=True,
)

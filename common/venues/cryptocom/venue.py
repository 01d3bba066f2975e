"""Crypto.com Exchange: its facts, and where its parts are. README.md beside it has the sources and the oddities."""

from common.instant import NS_PER_S
from common.venues.venue import Confidence, CredentialKind, Feature, VenueProfile

WINDOW_MS = 5000
"""The longest ReceiveWindow(20100) of an order, in milliseconds: what is beyond it counts as this."""

PROCESSING_LIMIT_NS = 10 * NS_PER_S
"""Not documented: a request that is in has taken effect, or will not, by then."""

PROFILE = VenueProfile(
    title="Crypto.com Exchange",
    confidence=Confidence.ASSUMED,
    dialect="common.venues.cryptocom.dialect:Cryptocom",
    simulated="common.venues.cryptocom.simulated:open_side",
    rest="common.venues.cryptocom.rest:open_rest",
    fields="common.venues.cryptocom.fields:ADDITIONS",
    credentials=(CredentialKind.HMAC,),
    nonces_grow=True,
    lacks=frozenset(
        {
            # It tells of open orders alone: that there is no such order says nothing of one that is filled.
            Feature.STATUS_QUERY,
            Feature.LIMIT_QUERY,
            Feature.ANNOUNCEMENT,
            Feature.STOP_ORDER,
            Feature.GOOD_TILL_DATE,
            Feature.REDUCE_ONLY,
        }
    ),
    window_ns=WINDOW_MS * NS_PER_S // 1000 + PROCESSING_LIMIT_NS,
    key_tags=frozenset({553}),
    cancels_on_disconnect=True,
)

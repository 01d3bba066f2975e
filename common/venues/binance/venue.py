"""Binance Spot: its facts, and where its parts are. README.md beside this file has the sources and the oddities."""

from common.messages import MAX_TIME_TO_LIVE_NS
from common.venues.venue import CredentialKind, Feature, VenueProfile

PROCESSING_LIMIT_NS = 10_000_000_000
"""The server gives up on a request after 10 s and answers -1007: later than that it does not take effect any more."""

PROFILE = VenueProfile(
    title="Binance Spot",
    dialect="common.venues.binance.dialect:Binance",
    simulated="common.venues.binance.simulated:open_side",
    rest="common.venues.binance.rest:open_rest",
    fields="common.venues.binance.fields:ADDITIONS",
    credentials=(CredentialKind.ED25519,),
    further=frozenset(
        {
            Feature.STOP_ORDER,
            Feature.STOP_LIMIT_ORDER,
            Feature.TAKE_PROFIT_ORDER,
            Feature.TAKE_PROFIT_LIMIT_ORDER,
            Feature.TRAILING_STOP,
            Feature.PEGGED_ORDER,
            Feature.ORDER_LIST,
            Feature.ICEBERG,
            Feature.CASH_QUANTITY,
            Feature.PAID_ORDER,
        }
    ),
    lacks=frozenset({Feature.STATUS_QUERY}),
    window_ns=MAX_TIME_TO_LIVE_NS + PROCESSING_LIMIT_NS,
    key_tags=frozenset({553}),
    ends_announced=True,
    has_drop_copy=True,
    lists_instruments=True,
)

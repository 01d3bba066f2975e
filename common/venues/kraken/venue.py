"""Kraken Spot: its facts, and where its parts are. README.md beside this file has the sources and the oddities."""

from common.instant import NS_PER_S
from common.orders.names import ClOrdIdForm
from common.venues.venue import CredentialKind, Feature, MarketDataKey, VenueProfile

VALID_NS = 5 * NS_PER_S
"""How far ahead ValidUntilTime(62) is: the venue wants 2 s to 60 s by its own clock, and ours may be another."""

CALLS_PER_S, CALLS_AT_ONCE = 1.0, 18.0
"""What the tier Pro wins back over REST, and a little less than it may have used up."""

PROFILE = VenueProfile(
    title="Kraken Spot",
    dialect="common.venues.kraken.dialect:Kraken",
    simulated="common.venues.kraken.simulated:open_side",
    rest="common.venues.kraken.rest:open_rest",
    fields="common.venues.kraken.fields:ADDITIONS",
    credentials=(CredentialKind.HMAC,),
    market_data_key=MarketDataKey.NONE,
    nonces_grow=True,
    further=frozenset(
        {
            Feature.GOOD_TILL_DATE,
            Feature.STOP_ORDER,
            Feature.STOP_LIMIT_ORDER,
            Feature.TAKE_PROFIT_ORDER,
            Feature.TAKE_PROFIT_LIMIT_ORDER,
            Feature.ICEBERG,
        }
    ),
    lacks=frozenset({Feature.STATUS_QUERY, Feature.LIMIT_QUERY, Feature.MASS_CANCEL_REPORT, Feature.ANNOUNCEMENT}),
    window_ns=VALID_NS,
    key_tags=frozenset({553}),
    cancels_on_disconnect=True,
    cancels_own_session_only=True,
    names=ClOrdIdForm.DIGITS,
    book_sum="common.venues.kraken.dialect:book_sum",
    lists_instruments=True,
    lists_orders=50,
    rest_calls_per_s=CALLS_PER_S,
)

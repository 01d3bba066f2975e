"""Coinbase Exchange: its facts, and where its parts are. README.md beside it has the sources and the oddities."""

from common.messages import MAX_TIME_TO_LIVE_NS
from common.orders.names import ClOrdIdForm
from common.venues.venue import CredentialKind, Feature, VenueProfile

PROCESSING_LIMIT_NS = 10_000_000_000
"""No page says how long after a connection's death one of its requests may take effect: assumed, and generous."""

PROFILE = VenueProfile(
    title="Coinbase Exchange",
    dialect="common.venues.coinbase.dialect:Coinbase",
    simulated="common.venues.coinbase.simulated:open_side",
    rest="common.venues.coinbase.rest:open_rest",
    fields="common.venues.coinbase.fields:ADDITIONS",
    credentials=(CredentialKind.HMAC_PASSPHRASE,),
    further=frozenset({Feature.GOOD_TILL_DATE, Feature.STOP_LIMIT_ORDER, Feature.ICEBERG, Feature.CASH_QUANTITY}),
    lacks=frozenset({Feature.LIMIT_QUERY, Feature.UNKNOWN_OUTCOME, Feature.ANNOUNCEMENT, Feature.MASS_CANCEL_REPORT}),
    window_ns=MAX_TIME_TO_LIVE_NS + PROCESSING_LIMIT_NS,
    key_tags=frozenset({553}),
    fix_version="FIX50SP2",
    names=ClOrdIdForm.UUID4,
    amends_where_placed=True,
    comp_id_is_api_key=True,
    cancels_on_disconnect=True,
    numbers_books=True,
    has_drop_copy=True,
    lists_instruments=True,
)

"""Deribit: its facts, and where its parts are. README.md beside this file has the sources and the oddities."""

from common.venues.venue import CredentialKind, Feature, VenueProfile

PROFILE = VenueProfile(
    title="Deribit",
    dialect="common.venues.deribit.dialect:Deribit",
    simulated="common.venues.deribit.simulated:open_side",
    rest="common.venues.deribit.rest:open_rest",
    fields="common.venues.deribit.fields:ADDITIONS",
    credentials=(CredentialKind.HMAC,),
    nonces_grow=True,
    further=frozenset(
        {
            Feature.REDUCE_ONLY,
            Feature.ICEBERG,
            Feature.STOP_ORDER,
            Feature.STOP_LIMIT_ORDER,
            Feature.TRAILING_STOP_BY_PRICE,
        }
    ),
    lacks=frozenset(
        {
            Feature.AMEND_STOP,
            Feature.LIMIT_QUERY,
            Feature.UNKNOWN_OUTCOME,
            Feature.ANNOUNCEMENT,
            Feature.FILL_FEES,
        }
    ),
    key_tags=frozenset({553}),
    cancels_on_disconnect=True,
    tells_states=True,
    lists_instruments=True,
)

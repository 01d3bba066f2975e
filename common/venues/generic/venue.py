"""FIX 4.4 as the standard has it: its facts, and where its parts are. README.md beside this file has the sources."""

from common.venues.venue import Feature, VenueProfile

PROFILE = VenueProfile(
    title="FIX 4.4",
    dialect="common.venues.generic.dialect:Generic",
    simulated="common.venues.generic.simulated:open_side",
    further=frozenset(
        {
            Feature.REDUCE_ONLY,
            Feature.GOOD_TILL_DATE,
            Feature.STOP_ORDER,
            Feature.STOP_LIMIT_ORDER,
            Feature.ICEBERG,
            Feature.CASH_QUANTITY,
        }
    ),
    lacks=frozenset({Feature.LIMIT_QUERY, Feature.UNKNOWN_OUTCOME}),
    trade_keys_are_exec_ids=True,
)

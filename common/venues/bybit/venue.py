"""Bybit Spot: its facts, and where its parts are. README.md beside this file has the sources and the oddities."""

from decimal import Decimal

from common.instant import NS_PER_S
from common.messages import MAX_TIME_TO_LIVE_NS, SIDE_BUY
from common.venues.venue import CredentialKind, Feature, VenueProfile

AHEAD_NS = NS_PER_S
"""BapiTimestamp(30002) may be so far ahead of the server's clock, by which a request's window closes later."""

PROCESSING_LIMIT_NS = 10 * NS_PER_S
"""Not documented: a request that is in has taken effect, or will not, by then."""



def takes_profit(side: str, stop_px: Decimal, last_px: Decimal) -> bool | None:
    """Whether the venue takes a stop order of that Side(54) for one that takes profit, by the last price as it came;
    None where that is the stop price."""
    return None if stop_px == last_px else (side == SIDE_BUY) is not (stop_px > last_px)


PROFILE = VenueProfile(
    title="Bybit Spot",
    dialect="common.venues.bybit.dialect:Bybit",
    simulated="common.venues.bybit.simulated:open_side",
    rest="common.venues.bybit.rest:open_rest",
    fields="common.venues.bybit.fields:ADDITIONS",
    credentials=(CredentialKind.RSA,),
    further=frozenset(
        {
            Feature.CASH_QUANTITY,
            Feature.STOP_ORDER,
            Feature.STOP_LIMIT_ORDER,
            Feature.TAKE_PROFIT_ORDER,
            Feature.TAKE_PROFIT_LIMIT_ORDER,
        }
    ),
    lacks=frozenset(
        {
            Feature.STATUS_QUERY,
            Feature.MASS_CANCEL,
            Feature.LIMIT_QUERY,
            Feature.MARKET_DATA,
            Feature.ANNOUNCEMENT,
            Feature.MASS_CANCEL_REPORT,
        }
    ),
    window_ns=MAX_TIME_TO_LIVE_NS + AHEAD_NS + PROCESSING_LIMIT_NS,
    key_tags=frozenset({553}),
    finds_sleeping_apart=True,
    stops_by_market=True,
)

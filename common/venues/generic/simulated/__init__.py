"""The other side of FIX 4.4 as the standard has it."""

from common.exchange.faults import Kind
from common.exchange.gateways import Side
from common.exchange.venue import Venue
from common.venues.generic.simulated.market_data import GenericMarketData
from common.venues.generic.simulated.orders import GenericOrders

_NO_SUCH_ANSWER = "dialect generic has no answer that means {}; `gap` loses reports, `cut` the rest"
_LACKS = {str(kind): _NO_SUCH_ANSWER.format(kind) for kind in (Kind.UNKNOWN, Kind.LOST)}


def open_side(venue: Venue) -> Side:
    """The gateways of an exchange that speaks FIX alone."""
    orders = GenericOrders(venue)
    return Side(orders, GenericMarketData(venue), resending=orders, correct=orders.corrected, lacks=_LACKS)

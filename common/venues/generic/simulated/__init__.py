"""The other side of FIX 4.4 as the standard has it."""

from common.exchange.faults import Kind, lacking
from common.exchange.fix_market_data import FixMarketData
from common.exchange.gateways import Side
from common.exchange.plain_form import PlainForm
from common.exchange.venue import Venue
from common.venues.generic.simulated.orders import GenericOrders
from common.venues.generic.simulated.reports import GenericReports

_LACKS = lacking(Kind.UNKNOWN, Kind.LOST)


def open_side(venue: Venue) -> Side:
    """The gateways of an exchange that speaks FIX alone."""
    orders = GenericOrders(venue, GenericReports())
    market_data = FixMarketData(venue, PlainForm())
    return Side(orders, market_data, resending=orders, correct=orders.corrected, lacks=_LACKS)

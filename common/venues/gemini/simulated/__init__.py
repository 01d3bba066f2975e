"""Gemini's side of the wire, simulated: a second reading of its documents."""

from common.exchange.faults import Kind, lacking
from common.exchange.gateways import Side
from common.exchange.order import CANCELED
from common.exchange.rest import RestGateway
from common.exchange.venue import Venue
from common.venues.gemini.simulated.drop_copy import GeminiDropCopy
from common.venues.gemini.simulated.market_data import GeminiForm, GeminiMarketData
from common.venues.gemini.simulated.orders import GeminiOrders
from common.venues.gemini.simulated.reports import GeminiReports
from common.venues.gemini.simulated.rest import GeminiRest

_LACKS = lacking(Kind.UNKNOWN, Kind.LOST, Kind.CROSSED, Kind.DONE_FOR_DAY, Kind.UNTOLD)


def open_side(venue: Venue) -> Side:
    """The gateways of a simulated Gemini, with REST. What is left of an immediate order is called cancelled."""
    drop_copy = GeminiDropCopy(venue)
    orders = GeminiOrders(venue, GeminiReports(), drop_copy)
    market_data = GeminiMarketData(venue, GeminiForm())
    rest = RestGateway(venue, GeminiRest(venue))
    return Side(orders, market_data, rest, lacks=_LACKS, ends_as=CANCELED, drop_copy=drop_copy)

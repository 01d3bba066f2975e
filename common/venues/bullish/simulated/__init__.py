"""Bullish's side of the wire, simulated: a second reading of its document."""

from common.exchange.faults import Kind, lacking
from common.exchange.gateways import Side
from common.exchange.rest import RestGateway
from common.exchange.venue import Venue
from common.venues.bullish.simulated.orders import BullishOrders
from common.venues.bullish.simulated.rest import BullishRest

_LACKS = lacking(Kind.UNKNOWN, Kind.LOST, Kind.DONE_FOR_DAY, Kind.UNTOLD)


def open_side(venue: Venue) -> Side:
    """The gateways of a simulated Bullish: order entry and REST. A fill stays: no report takes one back."""
    orders = BullishOrders(venue)
    return Side(orders, None, RestGateway(venue, BullishRest(venue)), resending=orders, lacks=_LACKS)

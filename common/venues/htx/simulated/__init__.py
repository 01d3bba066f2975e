"""HTX Spot's side of the wire, simulated: a second reading of its page."""

from common.exchange.faults import Kind, lacking
from common.exchange.gateways import Side
from common.exchange.order import CANCELED
from common.exchange.rest import RestGateway
from common.exchange.venue import Venue
from common.venues.htx.simulated.market_data import HtxForm, HtxMarketData
from common.venues.htx.simulated.orders import HtxOrders
from common.venues.htx.simulated.rest import HtxRest

_LACKS = lacking(Kind.UNKNOWN, Kind.LOST, Kind.CROSSED, Kind.DONE_FOR_DAY, Kind.UNTOLD)


def open_side(venue: Venue) -> Side:
    """The gateways of a simulated HTX, with REST. Nothing outlives its connection, and no report takes a fill back."""
    rest = RestGateway(venue, HtxRest(venue))
    return Side(HtxOrders(venue), HtxMarketData(venue, HtxForm()), rest, lacks=_LACKS, ends_as=CANCELED)

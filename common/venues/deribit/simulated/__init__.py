"""Deribit's side of the wire, simulated: a second reading of its document."""

from common.exchange.faults import Kind, lacking
from common.exchange.gateways import Side
from common.exchange.rest import RestGateway
from common.exchange.venue import Venue
from common.venues.deribit.simulated.door import Door
from common.venues.deribit.simulated.market_data import DeribitMarketData
from common.venues.deribit.simulated.orders import DeribitOrders
from common.venues.deribit.simulated.rest import DeribitRest

_LACKS = lacking(Kind.UNKNOWN, Kind.LOST, Kind.CROSSED, Kind.DONE_FOR_DAY, Kind.UNTOLD)


def open_side(venue: Venue) -> Side:
    """The gateways of a simulated Deribit: either kind of request is served on a connection to the first."""
    door = Door(venue.settings.keys_for)
    market_data = DeribitMarketData(venue, door)
    return Side(
        DeribitOrders(venue, door, market_data), market_data, RestGateway(venue, DeribitRest(venue)), lacks=_LACKS
    )

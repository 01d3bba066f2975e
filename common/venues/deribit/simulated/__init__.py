"""Deribit's side of the wire, simulated: a second reading of its document."""

from common.exchange.faults import Kind
from common.exchange.gateways import Side
from common.exchange.rest import RestGateway
from common.exchange.venue import Venue
from common.venues.deribit.simulated.door import Door
from common.venues.deribit.simulated.market_data import DeribitMarketData
from common.venues.deribit.simulated.orders import DeribitOrders
from common.venues.deribit.simulated.rest import DeribitRest

_LACKS = {
    str(Kind.UNKNOWN): "dialect deribit has no answer that means unknown; `gap` loses reports, `cut` the rest",
    str(Kind.LOST): "dialect deribit has no answer that means lost; `gap` loses reports, `cut` the rest",
    str(Kind.CROSSED): "dialect deribit has no fill under a request's names; `late_fill` has one",
    str(Kind.DONE_FOR_DAY): "dialect deribit has no order that is done for the day; dialect generic has",
    str(Kind.UNTOLD): "dialect deribit tells each trade at once; dialect generic can hold them back",
}


def open_side(venue: Venue) -> Side:
    """The gateways of a simulated Deribit: either kind of request is served on a connection to the first."""
    door = Door(venue.settings.keys)
    market_data = DeribitMarketData(venue, door)
    return Side(
        DeribitOrders(venue, door, market_data), market_data, RestGateway(venue, DeribitRest(venue)), lacks=_LACKS
    )

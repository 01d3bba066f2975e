"""Bybit Spot's side of the wire, simulated: a second reading of its document."""

from common.exchange.faults import Kind, lacking
from common.exchange.gateways import Side
from common.exchange.order import CANCELED
from common.exchange.rest import RestGateway
from common.exchange.venue import Venue
from common.venues.bybit.simulated.orders import BybitOrders
from common.venues.bybit.simulated.rest import BybitRest

_LACKS = {
    **lacking(Kind.CROSSED, Kind.DONE_FOR_DAY, Kind.UNTOLD),
    str(Kind.BARE): "dialect bybit names the instrument in every report; dialect generic has some that do not",
    str(Kind.SELF_TRADE): "at dialect bybit an account trades with itself unless SmpType(30018) says otherwise",
}


def open_side(venue: Venue) -> Side:
    """The gateways of a simulated Bybit: order entry and REST. Nothing outlives its connection, and no prices are
    told over FIX."""
    return Side(BybitOrders(venue), None, RestGateway(venue, BybitRest(venue)), lacks=_LACKS, ends_as=CANCELED)

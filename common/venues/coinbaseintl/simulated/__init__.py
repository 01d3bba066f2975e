"""Coinbase International's side of the wire, simulated: a second reading of its pages."""

from common.exchange.faults import Kind, lacking
from common.exchange.gateways import Side
from common.exchange.rest import RestGateway
from common.exchange.venue import Venue
from common.venues.coinbaseintl.simulated.drop_copy import InternationalDropCopy
from common.venues.coinbaseintl.simulated.orders import InternationalOrders
from common.venues.coinbaseintl.simulated.reports import InternationalReports, order_name
from common.venues.coinbaseintl.simulated.rest import InternationalRest

_LACKS = lacking(Kind.UNKNOWN, Kind.LOST, Kind.CROSSED, Kind.DONE_FOR_DAY, Kind.UNTOLD)


def open_side(venue: Venue) -> Side:
    """The gateways of a simulated Coinbase International: order entry, drop copy and REST."""
    drop_copy = InternationalDropCopy(venue)
    orders = InternationalOrders(venue, InternationalReports(venue.state.instruments), drop_copy)
    rest = RestGateway(venue, InternationalRest(venue))
    return Side(orders, None, rest, lacks=_LACKS, order_name=order_name, drop_copy=drop_copy)

"""Coinbase Prime's side of the wire, simulated: a second reading of its pages."""

from common.exchange.faults import Kind, lacking
from common.exchange.gateways import Side
from common.exchange.rest import RestGateway
from common.exchange.venue import Venue
from common.venues.coinbaseprime.simulated.market_data import PrimeForm, PrimeMarketData
from common.venues.coinbaseprime.simulated.orders import PrimeOrders
from common.venues.coinbaseprime.simulated.reports import PrimeReports
from common.venues.coinbaseprime.simulated.rest import PrimeRest
from common.venues.coinbaseprime.simulated.wire import order_uuid

_LACKS = lacking(Kind.UNKNOWN, Kind.LOST, Kind.CROSSED, Kind.DONE_FOR_DAY, Kind.UNTOLD)


def open_side(venue: Venue) -> Side:
    """The gateways of a simulated Coinbase Prime, with REST."""
    orders = PrimeOrders(venue, PrimeReports())
    market_data = PrimeMarketData(venue, PrimeForm(venue))
    rest = RestGateway(venue, PrimeRest(venue))
    return Side(orders, market_data, rest, resending=orders, lacks=_LACKS, order_name=order_uuid)

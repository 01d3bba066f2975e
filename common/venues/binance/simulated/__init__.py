"""Binance Spot's side of the wire, simulated: a second reading of its document."""

from common.exchange.faults import Kind, lacking
from common.exchange.gateways import Side
from common.exchange.rest import RestGateway
from common.exchange.venue import Venue
from common.venues.binance.simulated.market_data import BinanceMarketData
from common.venues.binance.simulated.orders import BinanceOrders
from common.venues.binance.simulated.rest import BinanceRest

_LACKS = lacking(Kind.CROSSED, Kind.DONE_FOR_DAY, Kind.UNTOLD)


def open_side(venue: Venue) -> Side:
    """The gateways of a simulated Binance, with REST; none of its sessions outlives its connection."""
    return Side(BinanceOrders(venue), BinanceMarketData(venue), RestGateway(venue, BinanceRest(venue)), lacks=_LACKS)

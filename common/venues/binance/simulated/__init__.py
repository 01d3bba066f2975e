"""Binance Spot's side of the wire, simulated: a second reading of its document."""

from common.exchange.faults import Kind
from common.exchange.gateways import Side
from common.exchange.rest import RestGateway
from common.exchange.venue import Venue
from common.venues.binance.simulated.market_data import BinanceMarketData
from common.venues.binance.simulated.orders import BinanceOrders
from common.venues.binance.simulated.rest import BinanceRest

_LACKS = {
    str(Kind.CROSSED): "dialect binance has no fill under a request's names; `late_fill` has one",
    str(Kind.DONE_FOR_DAY): "dialect binance has no order that is done for the day; dialect generic has",
}


def open_side(venue: Venue) -> Side:
    """The gateways of a simulated Binance, with REST; none of its sessions outlives its connection."""
    return Side(BinanceOrders(venue), BinanceMarketData(venue), RestGateway(venue, BinanceRest(venue)), lacks=_LACKS)

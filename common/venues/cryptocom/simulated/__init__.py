"""Crypto.com Exchange's side of the wire, simulated: a second reading of its documents."""

from common.exchange.faults import Kind, lacking
from common.exchange.gateways import Side
from common.exchange.order import CANCELED
from common.exchange.rest import RestGateway
from common.exchange.venue import Venue
from common.venues.cryptocom.simulated.market_data import CryptocomForm, CryptocomMarketData
from common.venues.cryptocom.simulated.orders import CryptocomOrders
from common.venues.cryptocom.simulated.rest import CryptocomRest

_LACKS = lacking(Kind.DONE_FOR_DAY, Kind.UNTOLD)


def open_side(venue: Venue) -> Side:
    """The gateways of a simulated Crypto.com, with REST. A fill stays: there is no report that takes one back."""
    orders = CryptocomOrders(venue)
    rest = RestGateway(venue, CryptocomRest(venue))
    market_data = CryptocomMarketData(venue, CryptocomForm())
    return Side(orders, market_data, rest, resending=orders, lacks=_LACKS, ends_as=CANCELED)

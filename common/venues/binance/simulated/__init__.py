"""Binance Spot's side of the wire, simulated: a second reading of its document."""

from common.exchange.faults import Kind, lacking
from common.exchange.gateways import Side
from common.exchange.rest import RestGateway
from common.exchange.venue import Venue
from common.venues.binance.simulated.drop_copy import BinanceDropCopy
from common.venues.binance.simulated.market_data import BinanceMarketData
from common.venues.binance.simulated.orders import BinanceOrders
from common.venues.binance.simulated.rest import BinanceRest
from common.venues.binance.simulated.rest_market_data import RestMarketData
from common.venues.binance.simulated.rest_orders import RestOrders

ICEBERG_PARTS = 25
"""An iceberg order is at most so many times what is seen of it."""

_LACKS = lacking(Kind.CROSSED, Kind.DONE_FOR_DAY, Kind.UNTOLD)


def open_side(venue: Venue) -> Side:
    """The gateways of a simulated Binance, with REST; none of its sessions outlives its connection."""
    drop_copy = BinanceDropCopy(venue)
    orders = BinanceOrders(venue, drop_copy)
    rest = BinanceRest(venue, {**RestOrders(venue, orders).routes, **RestMarketData(venue).routes})
    return Side(
        orders, BinanceMarketData(venue), RestGateway(venue, rest), lacks=_LACKS, drop_copy=drop_copy,
        iceberg_parts=ICEBERG_PARTS,
    )  # fmt: skip

"""Coinbase Exchange's side of the wire, simulated: a second reading of its pages."""

from common.exchange.faults import Kind, lacking
from common.exchange.gateways import Side
from common.exchange.rest import RestGateway
from common.exchange.venue import Venue
from common.venues.coinbase.simulated.drop_copy import CoinbaseDropCopy
from common.venues.coinbase.simulated.market_data import CoinbaseMarketData
from common.venues.coinbase.simulated.orders import CoinbaseOrders
from common.venues.coinbase.simulated.reports import CoinbaseReports
from common.venues.coinbase.simulated.rest import CoinbaseRest
from common.venues.coinbase.simulated.wire import order_uuid

ICEBERG_PARTS = 10
"""An iceberg order is at most so many times what is seen of it."""

_LACKS = lacking(Kind.UNKNOWN, Kind.LOST, Kind.CROSSED, Kind.DONE_FOR_DAY, Kind.UNTOLD)


def open_side(venue: Venue) -> Side:
    """The gateways of a simulated Coinbase Exchange, with REST."""
    drop_copy = CoinbaseDropCopy(venue)
    orders = CoinbaseOrders(venue, CoinbaseReports(), drop_copy)
    rest = RestGateway(venue, CoinbaseRest(venue))
    market_data = CoinbaseMarketData(venue)
    return Side(
        orders, market_data, rest, lacks=_LACKS, order_name=order_uuid, drop_copy=drop_copy,
        iceberg_parts=ICEBERG_PARTS,
    )  # fmt: skip

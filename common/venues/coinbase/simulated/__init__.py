"""Coinbase Exchange's side of the wire, simulated: a second reading of its pages."""

from common.exchange.faults import Kind
from common.exchange.gateways import Side
from common.exchange.rest import RestGateway
from common.exchange.venue import Venue
from common.venues.coinbase.simulated.drop_copy import CoinbaseDropCopy
from common.venues.coinbase.simulated.market_data import CoinbaseMarketData
from common.venues.coinbase.simulated.orders import CoinbaseOrders
from common.venues.coinbase.simulated.reports import CoinbaseReports
from common.venues.coinbase.simulated.rest import CoinbaseRest
from common.venues.coinbase.simulated.wire import order_uuid

_NO_SUCH_ANSWER = "dialect coinbase has no answer that means {}"
_LACKS = {
    **{str(kind): _NO_SUCH_ANSWER.format(kind) for kind in (Kind.UNKNOWN, Kind.LOST)},
    str(Kind.CROSSED): "dialect coinbase has no fill under a request's names; `late_fill` has one",
    str(Kind.DONE_FOR_DAY): "dialect coinbase has no order that is done for the day; dialect generic has",
}


def open_side(venue: Venue) -> Side:
    """The gateways of a simulated Coinbase Exchange, with REST."""
    drop_copy = CoinbaseDropCopy(venue)
    orders = CoinbaseOrders(venue, CoinbaseReports(), drop_copy)
    rest = RestGateway(venue, CoinbaseRest(venue))
    market_data = CoinbaseMarketData(venue)
    return Side(orders, market_data, rest, lacks=_LACKS, order_name=order_uuid, drop_copy=drop_copy)

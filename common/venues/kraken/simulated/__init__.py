"""Kraken Spot's side of the wire, simulated: a second reading of its documents."""

from common.exchange.faults import Kind, lacking
from common.exchange.gateways import Side
from common.exchange.rest import RestGateway
from common.exchange.venue import Venue
from common.venues.kraken.simulated.limits import Counters
from common.venues.kraken.simulated.market_data import KrakenForm, KrakenMarketData
from common.venues.kraken.simulated.orders import KrakenOrders
from common.venues.kraken.simulated.rest import KrakenRest

ICEBERG_PARTS = 15
"""An iceberg order is at most so many times what is seen of it."""

_LACKS = lacking(Kind.DONE_FOR_DAY, Kind.UNTOLD)


def open_side(venue: Venue) -> Side:
    """The gateways of a simulated Kraken, with REST. A fill stays: there is no report that takes one back."""
    counters = Counters()
    orders = KrakenOrders(venue, counters)
    rest = RestGateway(venue, KrakenRest(venue, counters))
    return Side(
        orders, KrakenMarketData(venue, KrakenForm(venue)), rest, resending=orders, lacks=_LACKS,
        iceberg_parts=ICEBERG_PARTS,
    )  # fmt: skip

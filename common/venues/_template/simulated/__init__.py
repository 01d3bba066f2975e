"""The template's side of the wire, simulated: written from the venue's document, and from nothing of its dialect."""

from common.exchange.faults import Kind, lacking
from common.exchange.gateways import Side
from common.exchange.venue import Venue
from common.venues._template.simulated.market_data import TemplateForm, TemplateMarketData
from common.venues._template.simulated.orders import TemplateOrders
from common.venues._template.simulated.reports import TemplateReports

_LACKS = lacking(Kind.UNKNOWN, Kind.LOST, Kind.DONE_FOR_DAY, Kind.UNTOLD)


def open_side(venue: Venue) -> Side:
    """The gateways of an exchange that speaks FIX alone."""
    orders = TemplateOrders(venue, TemplateReports())
    return Side(
        orders, TemplateMarketData(venue, TemplateForm()), resending=orders, correct=orders.corrected, lacks=_LACKS
    )

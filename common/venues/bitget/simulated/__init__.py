"""Bitget's side of the wire, simulated: REST and WebSocket over one matching engine, a second reading of its docs."""

from common.exchange.faults import Kind, lacking
from common.exchange.gateways import Side
from common.exchange.order import CANCELED
from common.exchange.rest import RestGateway
from common.exchange.venue import Venue
from common.venues.bitget.simulated.rest import BitgetRestApi
from common.venues.bitget.simulated.websocket import BitgetWebSocket

_FURTHER = frozenset({Kind.BLIND, Kind.BARRED})
_LACKS = lacking(Kind.DONE_FOR_DAY, Kind.UNTOLD, Kind.CROSSED)


def open_side(venue: Venue) -> Side:
    """The gateways of a simulated Bitget: what happens to orders is pushed over WebSocket, all else asked by REST."""
    rest = RestGateway(venue, BitgetRestApi(venue))
    return Side(
        BitgetWebSocket(venue), None, rest, lacks=_LACKS, ends_as=CANCELED,
        orders_listener="websocket", further=_FURTHER,
    )  # fmt: skip

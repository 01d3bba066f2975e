"""Gate.io Spot's side of the wire, simulated: REST and WebSocket over one matching engine, a second reading of its
documents."""

from common.exchange.faults import Kind, lacking
from common.exchange.gateways import Side
from common.exchange.order import CANCELED
from common.exchange.rest import RestGateway
from common.exchange.venue import Venue
from common.venues.gateio.simulated.rest import GateioSpotRestApi
from common.venues.gateio.simulated.websocket import GateioSpotWebSocket

_FURTHER = frozenset({Kind.BLIND, Kind.BARRED})
_LACKS = lacking(Kind.DONE_FOR_DAY, Kind.UNTOLD, Kind.CROSSED)


def open_side(venue: Venue) -> Side:
    """The gateways of a simulated Gate.io: what happens to orders is pushed over the WebSocket, all else asked by
    REST."""
    pushes = GateioSpotWebSocket(venue)
    rest = RestGateway(venue, GateioSpotRestApi(venue, pushes))
    return Side(
        pushes, None, rest, lacks=_LACKS, ends_as=CANCELED, orders_listener="websocket", further=_FURTHER,
    )  # fmt: skip

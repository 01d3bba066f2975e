"""KuCoin's side of the wire, simulated: REST and WebSocket over one matching engine, a second reading of its docs."""

from common.exchange.dead_man import DeadMansSwitch, by_symbol
from common.exchange.faults import Kind, lacking
from common.exchange.gateways import Side
from common.exchange.order import CANCELED
from common.exchange.rest import RestGateway
from common.exchange.tokens import Tokens
from common.exchange.venue import Venue
from common.venues.kucoin.simulated.rest import KucoinSpotRestApi
from common.venues.kucoin.simulated.rows import order_name
from common.venues.kucoin.simulated.websocket import KucoinSpotWebSocket

_FURTHER = frozenset({Kind.BLIND, Kind.BARRED})
_LACKS = lacking(Kind.DONE_FOR_DAY, Kind.UNTOLD, Kind.CROSSED)


def open_side(venue: Venue) -> Side:
    """The gateways of a simulated KuCoin: what happens to orders is pushed over WebSocket, all else asked by REST."""
    tokens = Tokens(venue)
    switch = DeadMansSwitch(venue, by_symbol)
    rest = RestGateway(venue, KucoinSpotRestApi(venue, tokens, switch))
    return Side(
        KucoinSpotWebSocket(venue, tokens, switch), None, rest, lacks=_LACKS, order_name=order_name, ends_as=CANCELED,
        orders_listener="websocket", further=_FURTHER,
    )  # fmt: skip

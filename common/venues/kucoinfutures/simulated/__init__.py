"""KuCoin Futures' side of the wire, simulated: REST and WebSocket over one matching engine, a second reading of its
docs."""

from common.exchange.faults import Kind, lacking
from common.exchange.gateways import Side
from common.exchange.order import CANCELED
from common.exchange.rest import RestGateway
from common.exchange.tokens import Tokens
from common.exchange.venue import Venue
from common.venues.kucoinfutures.simulated.rest import KucoinFuturesRestApi
from common.venues.kucoinfutures.simulated.rows import order_name
from common.venues.kucoinfutures.simulated.websocket import KucoinFuturesWebSocket

_FURTHER = frozenset({Kind.BLIND, Kind.BARRED})
_LACKS = lacking(Kind.DONE_FOR_DAY, Kind.UNTOLD, Kind.CROSSED)


def open_side(venue: Venue) -> Side:
    """The gateways of a simulated KuCoin Futures: what happens to orders and positions is pushed over WebSocket, all
    else asked by REST."""
    tokens = Tokens(venue)
    pushes = KucoinFuturesWebSocket(venue, tokens)
    rest = RestGateway(venue, KucoinFuturesRestApi(venue, tokens, pushes))
    return Side(
        pushes, None, rest, lacks=_LACKS, order_name=order_name, ends_as=CANCELED, orders_listener="websocket",
        further=_FURTHER,
    )  # fmt: skip

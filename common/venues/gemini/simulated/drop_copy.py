"""Gemini's simulated drop copy: the trades of an account, whoever placed their orders, and nothing else of them.

Source: docs.gemini.com/fix/drop-copy, TradeCaptureReport(AE) and its example, which the order of the fields follows. No
message of a client is taken but the session's own.
"""

from collections.abc import Mapping

from common.exchange.changes import Traded
from common.exchange.fix_gateway import Handler
from common.exchange.numbers import digits
from common.exchange.order import Order
from common.exchange.venue import Venue
from common.fix.wire import utc_timestamp
from common.instant import Instant
from common.venues.gemini.simulated.door import GeminiDoor
from common.venues.gemini.simulated.reports import ABSOLUTE

OVER_REST = "UI"
"""PartyID(448) of an order that no session has placed."""


class GeminiDropCopy(GeminiDoor):
    """The drop copy listener."""

    _venue: Venue

    def __init__(self, venue: Venue) -> None:
        super().__init__(venue, "drop_copy", venue.settings.drop_copy_parties)

    def _handlers(self) -> Mapping[str, Handler]:
        return {}

    def tell(self, order: Order, change: Traded, now: Instant) -> None:
        """The order's side of a trade."""
        body = self._body(order, change)
        for client in self._logged_on():
            if client.party.account == order.account:
                self._send(client, "AE", body, now)

    def _body(self, order: Order, change: Traded) -> bytes:
        maker = change.maker_id == order.order_id
        exec_id, fee = (change.exec_id, change.maker_fee) if maker else (change.exec_id + 1, change.taker_fee)
        stamp = utc_timestamp(change.stamp_ns).decode()
        currency = self._venue.state.instruments[order.symbol].fee_asset(order.side)
        return (
            f"31={digits(change.px)}\x0132={digits(change.qty)}\x0155={order.symbol}\x0160={stamp}\x01"
            f"75={stamp[:8]}\x01570=N\x01571={exec_id}\x01552=1\x0154={order.side}\x0137={order.order_id}\x01"
            f"11={order.cl_ord_id}\x01453=1\x01448={order.session or OVER_REST}\x01447=D\x01452=11\x01"
            f"12={digits(fee)}\x0113={ABSOLUTE}\x01479={currency}\x0158={'MAKER' if maker else 'TAKER'}\x01"
        ).encode()

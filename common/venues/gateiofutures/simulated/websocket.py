"""Gate.io Futures' WebSocket v4: the form of what it pushes; what is private names the user.

Source: Gate futures WebSocket v4 documentation as stored 2025-11-25: orders, usertrades, positions, trades, and the
order book V2 channel.
"""

from common.exchange.changes import Change, Closed, Traded
from common.exchange.history import TradeRow
from common.exchange.numbers import digits
from common.exchange.order import Asked, Order
from common.exchange.settings import Key
from common.exchange.venue import Venue
from common.instant import NS_PER_MS, NS_PER_S, Instant
from common.venues.families.gateio.simulated.rows import Row
from common.venues.families.gateio.simulated.websocket import ORDERS, TRADES, GateioWebSocket
from common.venues.gateiofutures.simulated.rows import (
    contract_name,
    order_row,
    position_row,
    pushed_fill,
    pushed_order,
    signed,
)

POSITIONS = "positions"


class GateioFuturesWebSocket(GateioWebSocket):
    """An `OrderGateway` that nobody orders through: who has subscribed hears of his account's orders, fills and
    positions."""

    path = "/v4/ws/usdt"
    area = "futures"
    private = (ORDERS, TRADES, POSITIONS)

    def __init__(self, venue: Venue) -> None:
        self._instruments = venue.state.instruments
        super().__init__(venue)
        self._users = {key.account: key.account_id for key in venue.settings.keys}

    def user(self, account: str) -> str:
        """The venue's own name of the account."""
        return self._users.get(account, "")

    def name_of(self, symbol: str) -> str:
        """See `GateioWebSocket`."""
        return contract_name(self._instruments[symbol])

    def symbol_of(self, name: str) -> str:
        """The instrument that the venue calls so, "" for none."""
        return self._symbols.get(name, "")

    def _pairs_of(self, key: Key, payload: list[str]) -> list[str]:
        """The first is the user; of another one nothing is told."""
        return payload[1:] if payload[:1] == [key.account_id] else []

    def report(self, change: Change, order: Order, now: Instant, asked: Asked | None) -> None:
        """See `GateioWebSocket`; and what is held after a fill."""
        super().report(change, order, now, asked)
        if isinstance(change, Traded):
            state, instrument = self._venue.state, self._instruments[order.symbol]
            qty, average = state.accounts.positions[order.account, order.symbol]
            last = self._venue.engine.last_px(order.symbol)
            row = position_row(self.user(order.account), instrument, qty, average, last)
            self._push_rows(POSITIONS, order, {**row, "time_ms": now.wall_ns // NS_PER_MS}, now)

    def _fill_row(self, row: TradeRow) -> Row:
        return pushed_fill(row, self._instruments[row.symbol])

    def _order_row(self, change: Change, order: Order, event: str) -> Row:
        cause = change.cause if isinstance(change, Closed) else ""
        text = self.amend_text(order.order_id)
        row = order_row(order, self._instruments[order.symbol], self.user(order.account), text, cause=cause)
        return pushed_order(row, order)

    def _public_trade(self, trade: Traded) -> object:
        """A list, whose sizes have the taker's sign."""
        return [
            {
                "size": signed(trade.taker_side, trade.qty), "id": trade.trade_id, "price": digits(trade.px),
                "create_time": trade.stamp_ns // NS_PER_S, "create_time_ms": trade.stamp_ns // NS_PER_MS,
                "contract": self.name_of(trade.symbol),
            }
        ]  # fmt: skip

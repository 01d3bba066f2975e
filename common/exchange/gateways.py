"""What the exchange asks of a venue's side: a gateway for each listener, made by the venue's package `simulated`."""

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from common.exchange.changes import Change, Corrected
from common.exchange.faults import Kind
from common.exchange.history import ClosedOrder
from common.exchange.lines import Line
from common.exchange.order import EXPIRED, Asked, Order
from common.instant import Instant


class Gateway(Protocol):
    """One listener's side of a venue."""

    @property
    def busy(self) -> bool:
        """Whether anybody is connected whose leave is waited for."""

    def accepted(self, line: Line, now: Instant) -> None:
        """A new connection."""

    def data(self, line: Line, data: bytes, now: Instant) -> None:
        """Bytes from it."""

    def lost(self, line: Line, now: Instant) -> None:
        """It is gone. Called at least once for each, harmless when called again."""

    def timer(self, now: Instant) -> None:
        """Do what is due."""

    def next_deadline_ns(self) -> int | None:
        """When something is due, in boot terms."""

    def settle(self, now: Instant) -> None:
        """The turn ends: give everything that is to be sent."""

    def stop(self, now: Instant) -> None:
        """Take leave of everybody."""

    def announce(self, headline: str, now: Instant) -> None:
        """News(B) to everybody whose connection ends."""

    def end_announced(self, now: Instant) -> None:
        """Take leave of everybody whose connection ends."""

    def sessions(self) -> dict[str, dict[str, object]]:
        """Names and numbers."""


class OrderGateway(Gateway, Protocol):
    """The listener whose clients own orders."""

    def report(self, change: Change, order: Order, now: Instant, asked: Asked | None) -> None:
        """An account's order changed, perhaps as was `asked`: tell whoever is to hear of it."""


class ResendingGateway(Protocol):
    """What only a listener has whose numbers outlive a connection."""

    def ask_for_life(self, now: Instant) -> None:
        """TestRequest(1) to everybody who is logged on."""

    def ask_again(self, now: Instant) -> None:
        """ResendRequest(2) to everybody who is logged on, for whatever was received, from one number further on."""


class Side(NamedTuple):
    """A venue's side. `market_data` is None where the venue tells no prices over FIX; `resending` and `correct` (a
    report of a fill that is taken back or corrected) are None where it has no such thing; `lacks` says of further
    faults, by their name, why it cannot have them. `order_name` writes an order's number as OrderID(37). `drop_copy`
    repeats to its listeners what is told of orders. `ends_as` is OrdStatus(39) of an order that the venue itself ends,
    such as one that may not rest: some call it cancelled. `orders_listener` is where
    what happens to orders is told, and `further` the faults that not every venue can have and this one can.
    `iceberg_parts`: an iceberg order is at most so many times what is seen of it; 0 for any."""

    orders: OrderGateway
    market_data: Gateway | None
    rest: Gateway | None = None
    resending: ResendingGateway | None = None
    correct: Callable[[Corrected, Order | ClosedOrder, Instant], None] | None = None
    lacks: Mapping[str, str] = {}
    order_name: Callable[[int], str] = str
    drop_copy: Gateway | None = None
    ends_as: str = EXPIRED
    orders_listener: str = "fix"
    further: frozenset[Kind] = frozenset()
    iceberg_parts: int = 0

    @property
    def gateways(self) -> dict[str, Gateway]:
        """All of them, by listener."""
        rest, copy = self.rest, self.drop_copy
        found = {self.orders_listener: self.orders, "market_data": self.market_data, "rest": rest, "drop_copy": copy}
        return {listener: gateway for listener, gateway in found.items() if gateway is not None}

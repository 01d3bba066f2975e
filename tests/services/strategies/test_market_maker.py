"""Invariants: at most one order stands for each quote; no quote without fresh prices; no quote that takes the
inventory beyond its limit; what is partly filled is not amended.
"""

from decimal import Decimal as D

import msgspec
import pytest

from common.actor.core import Send
from common.instant import NS_PER_MS, NS_PER_S, Instant
from common.messages import (
    AFTER_ALL_EVENTS,
    POST_ONLY,
    AmendRequest,
    CancelRequest,
    ClientRequest,
    CommandOutcome,
    NewOrderRequest,
    OrderEvent,
    OrderStatus,
    PositionChanged,
    Reason,
    Side,
    Terms,
    TopOfBook,
    Welcome,
    WelcomeComplete,
)
from common.strategy.strategy import Market, Setting, StrategyCore
from services.strategies.market_maker import FORGET_NS, MarketMaker

MARKET = Market("generic", "BTCUSDT", "BTC", "USDT", D("0.01"), D("0.001"), D("0.001"), D(5))
PARAMETERS = {"half_spread_ratio": "0.001", "notional": "100", "inventory_notional": "1000", "move_ratio": "0.0001"}


class Desk:
    """A market maker, and an order manager that acknowledges what it is told to."""

    def __init__(self, orders: list[OrderEvent] | None = None, **parameters: str) -> None:
        self.ms = 10_000
        self.lsn = 100
        setting = Setting("maker", (MARKET,), {**PARAMETERS, **parameters})
        self.core = StrategyCore(setting, MarketMaker, "one")
        self.core.started(self.now)
        self.sent: list[ClientRequest] = []
        self.take()
        self.hear(Welcome("maker", "one", 7, 50, "live", 10, not orders))
        for order in orders or ():
            self.hear(order)
        self.lsn += len(orders or ())
        self.hear(WelcomeComplete(self.lsn, AFTER_ALL_EVENTS))

    @property
    def now(self) -> Instant:
        return Instant(1_800_000_000 * NS_PER_S + self.ms * NS_PER_MS, self.ms * NS_PER_MS)

    def take(self) -> list[ClientRequest]:
        taken = [e.message for e in self.core.effects if isinstance(e, Send) and e.link == "entry"]
        self.core.effects.clear()
        fresh = [m for m in taken if isinstance(m, NewOrderRequest | AmendRequest | CancelRequest)]
        self.sent += fresh
        return list(fresh)

    def hear(self, message: msgspec.Struct) -> None:
        self.core.received("entry", b"", message, self.now)

    def top(self, bid: str = "99.99", ask: str = "100.01") -> list[ClientRequest]:
        self.core.received(
            "feed", b"", TopOfBook("generic", "BTCUSDT", D(bid), D(1), D(ask), D(1), None, self.now.wall_ns), self.now
        )
        return self.take()

    def wait(self, ms: int) -> list[ClientRequest]:
        self.ms += ms
        self.core.timer(self.now)
        return self.take()

    def order(self, request: NewOrderRequest, status: OrderStatus = OrderStatus.NEW, cum: str = "0") -> None:
        self.hear(self.event(request.number, request.side, request.price, request.order_qty, status, cum))

    def event(
        self, number: int, side: Side, price: D | None, qty: D, status: OrderStatus, cum: str = "0", event: str = "new"
    ) -> OrderEvent:
        self.lsn += 1
        label = "bid" if side == "1" else "offer"
        return OrderEvent(
            self.lsn, 0, "maker", number, event, status, "generic", "BTCUSDT", Terms(side, "2", qty, price), D(cum),
            qty - D(cum), D(0), f"c{number}", "", label, open=status is not OrderStatus.CANCELED,
        )  # fmt: skip

    def outcome(self, number: int, outcome: str, reason: Reason = Reason.NONE) -> None:
        self.lsn += 1
        self.hear(CommandOutcome(self.lsn, 0, "maker", number, outcome, reason))

    def quote(self) -> tuple[NewOrderRequest, NewOrderRequest]:
        """Both quotes, acknowledged."""
        bid, offer = self.top()
        assert isinstance(bid, NewOrderRequest) and isinstance(offer, NewOrderRequest)
        for request in (bid, offer):
            self.outcome(request.number, "sent")
            self.order(request)
        return bid, offer


def test_it_quotes_both_sides_around_the_middle() -> None:
    bid, offer = Desk().top()
    assert isinstance(bid, NewOrderRequest) and isinstance(offer, NewOrderRequest)
    assert (bid.terms, bid.label) == (Terms("1", "2", D(1), D("99.90"), instructions=POST_ONLY), "bid")
    assert (offer.side, offer.price, offer.order_qty, offer.label) == ("2", D("100.10"), D(1), "offer")


def test_a_quote_never_crosses_the_book() -> None:
    bid, offer = Desk(half_spread_ratio="0").top("100.00", "100.01")
    assert isinstance(bid, NewOrderRequest) and isinstance(offer, NewOrderRequest)
    assert bid.price == D("100.00") and offer.price == D("100.01")


def test_it_sends_nothing_more_until_it_is_answered() -> None:
    desk = Desk()
    assert len(desk.top()) == 2
    desk.ms += 600
    assert desk.top("101.99", "102.01") == [] and desk.wait(600) == []


def test_a_quote_is_amended_when_the_book_moves_and_not_too_often() -> None:
    desk = Desk()
    bid, offer = desk.quote()
    desk.ms += 100
    assert desk.top("100.99", "101.01") == []
    desk.ms += 500
    amended = desk.top("100.99", "101.01")
    assert [(a.target_number, a.price) for a in amended if isinstance(a, AmendRequest)] == [
        (bid.number, D("100.89")),
        (offer.number, D("101.11")),
    ]
    desk.ms += 60_000
    assert desk.top("102.99", "103.01") == []  # not answered yet
    for amend in amended:
        desk.outcome(amend.number, "refused")
    assert len(desk.top("102.99", "103.01")) == 2


def test_where_the_venue_changes_no_order_a_quote_is_cancelled_and_placed_anew() -> None:
    desk = Desk()
    bid, offer = desk.quote()
    desk.ms += 600
    for amend in desk.top("100.99", "101.01"):
        desk.outcome(amend.number, "refused", Reason.UNSUPPORTED)
    desk.ms += 600
    cancelled = desk.top("100.99", "101.01")
    assert [c.target_number for c in cancelled if isinstance(c, CancelRequest)] == [bid.number, offer.number]
    for request, cancel in zip((bid, offer), cancelled, strict=True):
        desk.outcome(cancel.number, "accepted")
        desk.order(request, OrderStatus.CANCELED)
    desk.ms += 600
    assert [type(anew) for anew in desk.top("100.99", "101.01")] == [NewOrderRequest, NewOrderRequest]


def test_a_small_move_is_not_worth_a_message() -> None:
    desk = Desk()
    desk.quote()
    desk.ms += 600
    assert desk.top("99.99", "100.02") == []


def test_stale_prices_take_the_quotes_away() -> None:
    desk = Desk()
    bid, offer = desk.quote()
    assert desk.wait(2900) == []
    cancelled = desk.wait(200)
    assert [c.target_number for c in cancelled if isinstance(c, CancelRequest)] == [bid.number, offer.number]
    assert Desk().wait(1000) == []


def test_what_is_partly_filled_is_cancelled_and_quoted_anew() -> None:
    desk = Desk()
    bid, _ = desk.quote()
    desk.order(bid, OrderStatus.PARTIALLY_FILLED, "0.4")
    desk.ms += 600
    (cancel,) = desk.top()
    assert isinstance(cancel, CancelRequest) and cancel.target_number == bid.number
    desk.order(bid, OrderStatus.CANCELED, "0.4")
    desk.ms += 600
    (again,) = desk.top()
    assert isinstance(again, NewOrderRequest) and again.side == "1"


@pytest.mark.parametrize(
    "status", [OrderStatus.PENDING_NEW, OrderStatus.UNKNOWN, OrderStatus.PENDING_CANCEL, OrderStatus.PENDING_REPLACE]
)
def test_an_order_whose_state_is_not_settled_is_left_alone_and_not_quoted_beside(status: OrderStatus) -> None:
    desk = Desk()
    bid, offer = desk.quote()
    desk.order(bid, status)
    desk.order(offer, status)
    desk.ms += 60_000
    assert desk.top("105.00", "105.02") == []


def test_the_side_that_would_take_the_inventory_beyond_its_limit_is_not_quoted() -> None:
    desk = Desk()
    bid, offer = desk.quote()
    desk.hear(PositionChanged(500, 0, "generic", "BTCUSDT", D(10), D(100), D(0)))
    desk.lsn = 501
    desk.ms += 600
    first, second = desk.top()
    assert isinstance(first, CancelRequest) and first.target_number == bid.number
    assert isinstance(second, AmendRequest) and second.target_number == offer.number
    assert second.price is not None and offer.price is not None and second.price < offer.price


def test_a_refused_quote_is_tried_again_with_growing_waits() -> None:
    desk = Desk(inventory_notional="1000")
    waits = []
    numbers = [request.number for request in desk.top()]
    for _ in range(4):
        for number in numbers:
            desk.outcome(number, "refused")
        start = desk.ms
        numbers = []
        while not numbers:
            desk.ms += 100
            numbers = [request.number for request in desk.top()]
        waits.append(desk.ms - start)
    assert waits == [500, 1000, 2000, 2000]


def test_a_quote_that_is_nowhere_any_more_is_forgotten_after_a_while() -> None:
    """The order manager was restarted and told the state as it is, and the order had been closed meanwhile."""
    desk = Desk()
    desk.quote()
    desk.hear(Welcome("maker", "one", 8, 52, "live", 300, False))
    desk.hear(WelcomeComplete(300, AFTER_ALL_EVENTS))
    desk.lsn = 300
    desk.ms += FORGET_NS // NS_PER_MS - 100
    assert desk.top() == []
    desk.ms += 200
    desk.top()
    desk.ms += 200
    assert len(desk.top()) == 2


def test_quotes_of_a_former_life_are_taken_over_and_the_ones_too_many_go() -> None:
    maker = Desk()
    state = [
        maker.event(31, "1", D("99.90"), D(1), OrderStatus.NEW, event="snapshot"),
        maker.event(33, "2", D("100.10"), D(1), OrderStatus.NEW, event="snapshot"),
        maker.event(34, "1", D("98.00"), D(1), OrderStatus.NEW, event="snapshot"),
    ]
    desk = Desk(state)
    assert [c.target_number for c in desk.take() if isinstance(c, CancelRequest)] == [34]
    desk.ms += 600
    assert desk.top() == []


def test_while_the_order_manager_is_not_live_nothing_is_sent() -> None:
    desk = Desk()
    desk.hear(Welcome("maker", "one", 8, 50, "restarting", 10))
    assert desk.top() == []

"""Invariants: one order a signal at most, never after the deadline, never without a fresh price, never
beyond the position's limit.
"""

from decimal import Decimal as D

import msgspec
import orjson
import pytest

from common.actor.core import Note, Publish, Send
from common.instant import NS_PER_MS, NS_PER_S, Instant
from common.messages import (
    CommandOutcome,
    NewOrderRequest,
    OrderEvent,
    OrderStatus,
    PositionChanged,
    StatusChanged,
    Terms,
    TopOfBook,
    Welcome,
    WelcomeComplete,
)
from common.strategy.strategy import Market, Setting, StrategyCore
from services.strategies.signal_trader import SignalTrader

MARKET = Market("generic", "BTCUSDT", "BTC", "USDT", D("0.01"), D("0.001"), D("0.001"), D(5))
START_NS = 1_800_000_000 * NS_PER_S  # 2027-01-15 08:00:00 UTC


class Desk:
    def __init__(self) -> None:
        self.ms = 1000
        parameters = {"notional": "100", "slippage_ratio": "0.001", "deadline_ms": 500, "position_notional": "250"}
        self.core = StrategyCore(Setting("signals", (MARKET,), parameters), SignalTrader, "one", takes_signals=True)
        self.core.started(self.now)
        self.hear(Welcome("signals", "one", 7, 0, "live", 10))
        self.hear(WelcomeComplete(10, 0))
        self.top()
        self.core.effects.clear()

    @property
    def now(self) -> Instant:
        return Instant(START_NS + self.ms * NS_PER_MS, self.ms * NS_PER_MS)

    def hear(self, message: msgspec.Struct) -> None:
        self.core.received("entry", b"", message, self.now)

    def top(self) -> None:
        top = TopOfBook("generic", "BTCUSDT", D("99.50"), D(1), D("100.00"), D(1), None, self.now.wall_ns)
        self.core.received("feed", b"", top, self.now)

    def signal(
        self, name: str = "s1", age_ms: int = 0, side: str = "buy", strength: str = "1", venue: str = "generic"
    ) -> tuple[NewOrderRequest | None, str]:
        """The order that came of it, and the fate that was told."""
        at_ms = self.ms - age_ms
        time = f"2027-01-15T08:00:{at_ms / 1000:06.3f}Z"
        line = {"id": name, "kind": "flow", "venue": venue, "symbol": "BTCUSDT", "side": side, "strength": strength}
        self.core.followed(orjson.dumps({**line, "time": time}), self.now)
        effects, self.core.effects = self.core.effects, []
        orders = [e.message for e in effects if isinstance(e, Send) and isinstance(e.message, NewOrderRequest)]
        (told,) = [orjson.loads(e.data) for e in effects if isinstance(e, Publish)]
        assert len(orders) <= 1
        return (orders[0] if orders else None), told["fate"]


def test_a_signal_becomes_an_immediate_or_cancel_order_with_what_is_left_of_its_time() -> None:
    order, fate = Desk().signal(age_ms=120)
    assert order is not None
    assert (order.side, order.terms.time_in_force, order.ord_type) == ("1", "3", "2")
    assert (order.order_qty, order.price, order.label) == (D(1), D("100.10"), "s1")
    assert order.time_to_live_ns == 380 * NS_PER_MS
    assert fate == "order 1: buy 1.000 at 100.10"


def test_selling_goes_below_the_bid_and_strength_scales_the_quantity() -> None:
    order, _ = Desk().signal(side="sell", strength="0.5")
    assert order is not None and (order.side, order.price, order.order_qty) == ("2", D("99.41"), D("0.502"))


@pytest.mark.parametrize(
    ("terms", "fate"),
    [
        ({"age_ms": 500}, "late: 500 ms old"),
        ({"age_ms": -300}, "its time is 300 ms ahead"),
        ({"venue": "nowhere"}, "BTCUSDT at nowhere is not among"),
        ({"strength": "0.01"}, "too weak"),
    ],
)
def test_what_cannot_be_traded_on_is_left_alone(terms: dict[str, object], fate: str) -> None:
    order, told = Desk().signal(**terms)  # type: ignore[arg-type]
    assert order is None and told.startswith(fate)


def test_a_signal_told_twice_is_traded_on_once_even_when_it_was_late_at_first() -> None:
    desk = Desk()
    assert desk.signal("s1")[0] is not None
    assert desk.signal("s1") == (None, "seen before")
    assert desk.signal("s2", age_ms=600)[0] is None
    assert desk.signal("s2") == (None, "seen before")


def test_without_a_fresh_price_nothing_is_sent() -> None:
    desk = Desk()
    desk.ms += 3001
    assert desk.signal() == (None, "no fresh price to trade at")


def test_while_the_order_manager_takes_no_orders_nothing_is_sent() -> None:
    desk = Desk()
    desk.hear(StatusChanged("journal_away", 0, 7))
    order, fate = desk.signal()
    assert order is None and fate.startswith("the order manager takes no orders")


def test_the_position_stays_within_its_limit_and_may_always_be_reduced() -> None:
    desk = Desk()
    desk.hear(PositionChanged(20, 0, "generic", "BTCUSDT", D(2), D(100), D(0)))
    order, fate = desk.signal("s1")
    assert order is None and fate.startswith("it would take the position to 3.000 BTC, beyond 250 USDT")
    assert desk.signal("s2", side="sell")[0] is not None


def test_the_orders_outcome_and_fills_are_noted_beside_the_signal() -> None:
    desk = Desk()
    desk.signal("s1")
    desk.hear(CommandOutcome(20, 0, "signals", 1, "sent"))
    desk.hear(
        OrderEvent(
            21, 0, "signals", 1, "trade", OrderStatus.FILLED, "generic", "BTCUSDT", Terms("1", "2", D(1), D(100)),
            D(1), D(0), D(100), "x", "", "s1", D(1), D("100.05"),
        )
    )  # fmt: skip
    notes = {e.event: e.fields for e in desk.core.effects if isinstance(e, Note)}
    assert notes["signal_order"]["id"] == "s1" and notes["signal_order"]["outcome"] == "sent"
    assert notes["signal_fill"] == {"label": "s1", "number": 1, "qty": "1", "px": "100.05"}

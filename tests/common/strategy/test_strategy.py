"""Invariants: a strategy is told what concerns it, once it may send; what it raises is noted and counted,
and it goes on.
"""

from decimal import Decimal as D
from typing import ClassVar

import msgspec
import orjson
import pytest

from common.actor.core import Exit, Note, Publish, Send
from common.instant import NS_PER_MS, NS_PER_S, Instant
from common.messages import (
    AFTER_ALL_EVENTS,
    POST_ONLY,
    Alive,
    CommandOutcome,
    ControlAnswer,
    ControlRequest,
    Hello,
    NewOrderRequest,
    OrderEvent,
    OrderStatus,
    PositionChanged,
    Reason,
    StatusChanged,
    Terms,
    TopOfBook,
    Traded,
    Welcome,
    WelcomeComplete,
)
from common.strategy.entry import Vigil
from common.strategy.signals import Signal
from common.strategy.strategy import BadParameters, Market, Setting, Strategy, StrategyCore

MARKET = Market("generic", "BTCUSDT", "BTC", "USDT", D("0.01"), D("0.001"), D("0.001"), D(5))
START_NS = 1_800_000_000 * NS_PER_S


def at(ms: int) -> Instant:
    return Instant(START_NS + ms * NS_PER_MS, ms * NS_PER_MS)


class Recorder(Strategy):
    """Notes what it is told, and raises on demand."""

    timer_ns: ClassVar[int] = 100 * NS_PER_MS
    heard: list[str]
    raises = ""

    def __init__(self, setting: Setting, core: StrategyCore) -> None:
        super().__init__(setting, core)
        self.heard = []

    def hear(self, what: str) -> None:
        self.heard.append(what)
        if what == self.raises:
            raise ZeroDivisionError(what)

    def on_start(self) -> None:
        self.hear("start")

    def on_market_data(self, event: TopOfBook | Traded) -> None:
        self.hear(f"data {event.symbol}")

    def on_order(self, order: OrderEvent) -> None:
        self.hear(f"order {order.number} {order.status.value}")

    def on_fill(self, fill: OrderEvent) -> None:
        self.hear(f"fill {fill.last_qty}")

    def on_trade_cancel(self, order: OrderEvent) -> None:
        self.hear(f"cancelled {order.reference_trade_key}")

    def on_trade_correct(self, order: OrderEvent) -> None:
        self.hear(f"corrected {order.reference_trade_key}")

    def on_outcome(self, outcome: CommandOutcome) -> None:
        self.hear(f"outcome {outcome.number} {outcome.outcome}")

    def on_signal(self, signal: Signal) -> None:
        self.core.fate("taken")
        self.hear(f"signal {signal.id}")

    def on_timer(self) -> None:
        self.hear("timer")

    def on_stop(self) -> None:
        self.hear("stop")


def core_of(kind: type[Strategy] = Recorder, *, welcome: bool = True) -> StrategyCore:
    core = StrategyCore(Setting("alpha", (MARKET,)), kind, "one", takes_signals=True)
    core.started(at(0))
    if welcome:
        welcomed(core, 7, 0)
    return core


def welcomed(core: StrategyCore, epoch: int, ms: int) -> None:
    core.received("entry", b"", Welcome("alpha", "one", epoch, 0, "live", 10), at(ms))
    core.received("entry", b"", WelcomeComplete(10, epoch), at(ms))


def recorder(core: StrategyCore) -> Recorder:
    assert isinstance(core.strategy, Recorder)
    return core.strategy


def top(ms: int, symbol: str = "BTCUSDT", venue: str = "generic") -> TopOfBook:
    return TopOfBook(venue, symbol, D(99), D(1), D(101), D(1), None, at(ms).wall_ns)


def event(number: int, status: OrderStatus, lsn: int, last: str = "0", strategy: str = "alpha") -> OrderEvent:
    return OrderEvent(
        lsn, 0, strategy, number, "new", status, "generic", "BTCUSDT", Terms("1", "2", D(1), D(100)), D(0), D(1), D(0),
        "x", "", last_qty=D(last), open=True,
    )  # fmt: skip


def signal_line(name: str = "s1", ms: int = 0) -> bytes:
    return orjson.dumps({
        "id": name, "kind": "flow", "venue": "generic", "symbol": "BTCUSDT", "side": "buy",
        "time": f"2027-01-15T08:00:{ms / 1000:06.3f}Z",
    })  # fmt: skip


def sent(core: StrategyCore) -> list[msgspec.Struct]:
    messages = [e.message for e in core.effects if isinstance(e, Send) and e.link == "entry"]
    core.effects = [e for e in core.effects if not (isinstance(e, Send) and e.link == "entry")]
    return messages


def test_nothing_is_told_before_the_welcome_and_start_comes_once() -> None:
    core = core_of(welcome=False)
    assert isinstance(sent(core)[0], Hello)
    core.received("feed", b"", top(0), at(0))
    core.followed(signal_line(), at(0))
    assert recorder(core).heard == []
    welcomed(core, 7, 1)
    welcomed(core, 8, 2)
    assert recorder(core).heard == ["start"]


@pytest.mark.parametrize(("word", "hook"), [("trade_cancel", "cancelled"), ("trade_correct", "corrected")])
def test_a_bust_and_a_correction_come_to_hooks_of_their_own_and_count_as_no_fill(word: str, hook: str) -> None:
    core = core_of()
    told = msgspec.structs.replace(event(1, OrderStatus.NEW, 11), event=word, trade_key="8", reference_trade_key="7")
    core.received("entry", b"", told, at(0))
    assert recorder(core).heard[1:] == ["order 1 NEW", f"{hook} 7"]
    assert "fills" not in core.status(at(0))["counts"]  # type: ignore[operator]


def test_a_strategy_starts_with_its_open_orders_and_positions_and_is_told_no_event_of_a_former_instance() -> None:
    class Looker(Recorder):
        def on_start(self) -> None:
            self.heard.append(f"start {list(self.orders)} {self.position('generic', 'BTCUSDT')}")

    core = core_of(Looker, welcome=False)
    core.received("entry", b"", StatusChanged("starting"), at(0))
    core.received("entry", b"", Welcome("alpha", "one", 7, 3, "live", 10, False), at(1))
    snapshot = msgspec.structs.replace(event(3, OrderStatus.NEW, 10), index=AFTER_ALL_EVENTS, event="snapshot")
    core.received("entry", b"", snapshot, at(1))
    held = PositionChanged(10, AFTER_ALL_EVENTS + 1, "generic", "BTCUSDT", D(2), D(100), D(0))
    core.received("entry", b"", held, at(1))
    assert recorder(core).heard == []
    core.received("entry", b"", WelcomeComplete(10, AFTER_ALL_EVENTS + 2), at(1))
    assert recorder(core).heard == ["start [3] 2"]


def test_what_is_open_is_told_again_once_it_is_known_whole() -> None:
    core = core_of()
    core.received("entry", b"", Welcome("alpha", "one", 8, 3, "live", 30, False), at(1))
    for number in (2, 3):
        snapshot = event(number, OrderStatus.NEW, 30)
        again = msgspec.structs.replace(snapshot, index=AFTER_ALL_EVENTS + number, event="snapshot")
        core.received("entry", b"", again, at(1))
        assert recorder(core).heard == ["start"] and not core.strategy.is_live
    core.received("entry", b"", WelcomeComplete(30, AFTER_ALL_EVENTS + 4), at(1))
    assert recorder(core).heard == ["start", "order 2 NEW", "order 3 NEW"] and core.strategy.is_live


def test_each_event_comes_to_its_hook() -> None:
    core = core_of()
    core.received("feed", b"", top(1), at(1))
    core.received("feed", b"", top(1, "DOGE"), at(1))
    core.received("feed", b"", Traded("generic", "BTCUSDT", D(1), D(1), "1", 0), at(1))
    core.received("entry", b"", CommandOutcome(20, 0, "alpha", 1, "refused", Reason.HALTED), at(2))
    core.received("entry", b"", event(1, OrderStatus.PARTIALLY_FILLED, 21, "0.5"), at(3))
    core.received("entry", b"", event(1, OrderStatus.NEW, 22, strategy="beta"), at(3))
    core.received("entry", b"", PositionChanged(23, 0, "generic", "BTCUSDT", D("0.5"), D(100), D(0)), at(3))
    assert recorder(core).heard == [
        "start", "data BTCUSDT", "data BTCUSDT", "outcome 1 refused", "order 1 PARTIALLY_FILLED", "fill 0.5",
    ]  # fmt: skip
    assert core.strategy.position("generic", "BTCUSDT") == D("0.5")
    assert core.strategy.position("generic", "ETHUSDT") == 0
    assert list(core.strategy.orders) == [1]


def test_the_timer_comes_at_its_interval_and_only_once_started() -> None:
    core = core_of()
    assert core.next_deadline_ns() == 100 * NS_PER_MS
    core.timer(at(99))
    core.timer(at(100))
    core.timer(at(150))
    core.timer(at(210))
    assert recorder(core).heard == ["start", "timer", "timer"]


@pytest.mark.parametrize("hook", ["start", "timer", "data BTCUSDT", "order 1 NEW", "signal s1", "stop"])
def test_what_a_hook_raises_is_noted_and_counted_and_the_next_hook_comes(hook: str) -> None:
    core = core_of(welcome=False)
    recorder(core).raises = hook
    welcomed(core, 7, 0)
    core.timer(at(100))
    core.received("feed", b"", top(1), at(101))
    core.received("entry", b"", event(1, OrderStatus.NEW, 21), at(102))
    core.followed(signal_line(), at(103))
    core.stop(at(104))
    assert recorder(core).heard == ["start", "timer", "data BTCUSDT", "order 1 NEW", "signal s1", "stop"]
    errors = [e for e in core.effects if isinstance(e, Note) and e.event == "strategy_error"]
    assert len(errors) == 1 and "ZeroDivisionError" in str(errors[0].fields["traceback"])
    status = core.status(at(105))
    assert status["counts"]["errors"] == 1 and hook in status["errors"][0]  # type: ignore[index]
    assert core.effects[-1] == Exit(0, "stopped")


def test_a_hook_is_called_failing_until_it_returns_again() -> None:
    core = core_of()
    recorder(core).raises = "timer"
    core.timer(at(100))
    assert core.status(at(101))["raising"] == {"on_timer": "ZeroDivisionError: timer"}
    recorder(core).raises = ""
    core.timer(at(200))
    assert core.status(at(201))["raising"] == {}


def test_refusals_are_counted_until_something_is_sent() -> None:
    core = core_of()
    for number in (1, 2):
        outcome = CommandOutcome(20 + number, 0, "alpha", number, "refused", Reason.PRICE_COLLAR, "too far")
        core.received("entry", b"", outcome, at(number))
    status = core.status(at(3))
    assert (status["refused_in_a_row"], status["last_refusal"]) == (2, "price_collar, too far")
    core.received("entry", b"", CommandOutcome(30, 0, "alpha", 3, "sent"), at(4))
    assert core.status(at(5))["refused_in_a_row"] == 0


def test_a_signal_whose_handler_raised_has_failed() -> None:
    core = core_of()
    recorder(core).raises = "signal s1"
    core.followed(signal_line(), at(1))
    (told,) = [orjson.loads(e.data) for e in core.effects if isinstance(e, Publish)]
    assert told["fate"] == "failed: ZeroDivisionError: signal s1"


@pytest.mark.parametrize("terms", [(0.1, D(100)), (D(1), 100.5), (1, D(100))])
def test_money_is_decimal_or_nothing_is_sent(terms: tuple[D, D]) -> None:
    core = core_of()
    sent(core)
    with pytest.raises(TypeError, match="Decimal"):
        core.strategy.buy("generic", "BTCUSDT", *terms)
    with pytest.raises(TypeError, match="Decimal"):
        core.strategy.amend(1, *terms)
    core.timer(at(1))
    assert sent(core) == []


def test_helpers_send_and_are_numbered() -> None:
    core = core_of()
    sent(core)
    strategy = core.strategy
    assert strategy.buy("generic", "BTCUSDT", D(1), D(100), post_only=True, label="bid") == 1
    assert strategy.sell("generic", "BTCUSDT", D(2)) == 2
    assert (strategy.amend(1, price=D(99)), strategy.cancel(1), strategy.cancel_all("generic")) == (3, 4, 5)
    core.timer(at(1))
    first, second, *_ = sent(core)
    assert isinstance(first, NewOrderRequest) and first.label == "bid"
    assert first.terms == Terms("1", "2", D(1), D(100), instructions=POST_ONLY)
    assert isinstance(second, NewOrderRequest) and (second.side, second.ord_type) == ("2", "1")
    assert len(strategy.unanswered) == 5


def test_sending_too_early_is_no_error_of_the_strategy() -> None:
    class Eager(Recorder):
        def on_signal(self, signal: Signal) -> None:
            self.core.entry.begun = False
            self.buy("generic", "BTCUSDT", D(1))

    core = core_of(Eager)
    core.followed(signal_line(), at(1))
    status = core.status(at(1))
    assert status["counts"]["unsent"] == 1 and "errors" not in status["counts"]  # type: ignore[index,operator]


def test_prices_are_known_while_they_are_fresh() -> None:
    core = core_of()
    core.received("feed", b"", top(100), at(100))
    strategy = core.strategy
    assert strategy.top("generic", "BTCUSDT", 50 * NS_PER_MS) is not None
    strategy.now = at(151)
    assert strategy.top("generic", "BTCUSDT", 50 * NS_PER_MS) is None
    assert strategy.top("generic", "ETHUSDT", NS_PER_S) is None


def test_every_signal_has_its_fate_told() -> None:
    core = core_of()
    core.followed(signal_line("s1") + b"\n" + b"nonsense\n\n" + signal_line("s2"), at(1))
    told = [orjson.loads(e.data) for e in core.effects if isinstance(e, Publish)]
    assert [(each["strategy"], each["fate"].partition(":")[0]) for each in told] == [
        ("alpha", "taken"),
        ("alpha", "no signal"),
        ("alpha", "taken"),
    ]
    assert told[0]["signal"]["id"] == "s1" and told[1]["signal"] == "nonsense"


def test_a_superseded_strategy_is_told_nothing_more_and_does_not_end() -> None:
    core = core_of()
    core.received("entry", b"", CommandOutcome(0, 0, "alpha", 1, "refused", Reason.SUPERSEDED), at(1))
    core.received("feed", b"", top(2), at(2))
    core.timer(at(500))
    assert recorder(core).heard == ["start"]
    assert core.status(at(500))["state"] == "superseded" and core.next_deadline_ns() is None


def test_a_person_asking_what_it_cannot_do_is_told_so() -> None:
    core = core_of()
    core.received("control", b"p", ControlRequest("dance", token=4), at(1))
    answer = next(e.message for e in core.effects if isinstance(e, Send) and e.link == "control")
    assert isinstance(answer, ControlAnswer) and not answer.ok and answer.token == 4


class Tuned(Recorder):
    """With a parameter."""

    class Parameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
        """One number."""

        ratio: D = D(1)


def test_parameters_are_decoded_into_the_classes_own_struct() -> None:
    core = StrategyCore(Setting("alpha", (MARKET,), {"ratio": "0.5"}), Tuned, "one")
    assert core.strategy.parameters.ratio == D("0.5")
    with pytest.raises(BadParameters, match=r"strategies\.alpha\.parameters.*ration"):
        StrategyCore(Setting("alpha", (MARKET,), {"ration": "0.5"}), Tuned, "one")


def test_a_market_knows_its_grid() -> None:
    assert MARKET.price_down(D("100.019")) == D("100.01") and MARKET.price_up(D("100.011")) == D("100.02")
    assert MARKET.price_up(D("100.01")) == D("100.01")
    assert MARKET.quantity_down(D("0.0019")) == D("0.001")


def test_a_turn_that_took_long_is_counted_for_the_hooks_that_ran_in_it_and_for_no_other() -> None:
    core = core_of()
    core.received("feed", b"", top(10), at(10))
    core.turn_was_long(250 * NS_PER_MS, at(10))
    core.turn_was_long(900 * NS_PER_MS, at(20))
    core.received("feed", b"", top(30), at(30))
    core.turn_was_long(150 * NS_PER_MS, at(30))
    assert core.status(at(30))["long_turns"] == {"on_market_data": {"count": 2, "longest_ms": 250}}
    noted = [effect.fields for effect in core.effects if isinstance(effect, Note) and effect.event == "long_turn"]
    assert [fields["ms"] for fields in noted] == [250, 150]


def test_it_says_that_it_ends() -> None:
    setting = Setting("alpha", (MARKET,), vigil=Vigil(1_000 * NS_PER_MS, True))
    core = StrategyCore(setting, Recorder, "one")
    core.started(at(0))
    welcomed(core, 7, 0)
    sent(core)
    core.stop(at(10))
    assert sent(core) == [Alive(7, ends=True)]

"""A venue announces the end of the market data connection: the next is subscribed before, and no price is missing."""

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from common.actor.core import Exit, Publish
from common.instant import NS_PER_MS, Instant
from common.messages import FeedMessage, TopOfBook
from common.venues.binance.dialect import Binance
from services.marketdata.core import MarketDataConfig, MarketDataCore
from tests.common.exchange.wires import Wires
from tests.common.venues.both_sides import BothSides

decode = msgspec.msgpack.Decoder(FeedMessage).decode


class Rig:
    """The core of market data against the simulated Binance."""

    def __init__(self, folder: Path) -> None:
        self.sides = BothSides("binance", folder)
        config = MarketDataConfig(
            venue="x", target_comp_id="SPOT", comp_id_prefix="FXM", heart_bt_int_s=5, symbols=(self.sides.symbol,),
            connects=30, connects_window_ms=30_000, credentials=self.sides.credentials,
        )  # fmt: skip
        self.core = MarketDataCore(config, Binance())
        self.wires = Wires(self.sides.world, "market_data", lambda: self.core)
        self.now = self.sides.world.now
        self.bids: list[Decimal | None] = []
        self.exit: Exit | None = None
        self.sides.stranger("1", self.sides.qty, self.sides.price)
        self.core.started(self.now)
        self.advance(100)

    def settle(self) -> None:
        """Carry out effects until none is left."""
        self.core.turn_ended(self.now)
        while self.core.effects:
            effects, self.core.effects = self.core.effects, []
            for effect in effects:
                if isinstance(effect, Publish):
                    told = decode(effect.data)
                    self.bids += [told.bid_px] if isinstance(told, TopOfBook) else []
                elif isinstance(effect, Exit):
                    self.exit = effect
                else:
                    self.wires.perform(effect, self.now)
            self.core.turn_ended(self.now)

    def advance(self, ms: int) -> None:
        """Both sides' timers, in steps of 50 ms."""
        for _ in range(0, ms, 50):
            self.now = Instant(self.now.wall_ns + 50 * NS_PER_MS, self.now.boot_ns + 50 * NS_PER_MS)
            self.wires.tick(self.now)
            self.core.timer(self.now)
            self.settle()

    def news(self, ms: int = 60_000) -> None:
        """The exchange announces the end of the connections that there are."""
        self.wires.news(ms, self.now)
        self.advance(50)

    def come_up(self, connection: int) -> None:
        """The transport of a connection is there."""
        self.wires.come_up(connection, self.now)
        self.settle()

    def higher(self) -> Decimal:
        """A better bid, which is to be heard of."""
        self.sides.price += self.sides.instrument.tick_size
        self.sides.stranger("1", self.sides.qty, self.sides.price)
        self.advance(100)
        return self.sides.price


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    """One that is subscribed."""
    rig = Rig(tmp_path)
    assert rig.bids[-1] == rig.sides.price
    return rig


def connection(rig: Rig) -> object:
    return rig.core.status(rig.now)["connection"]


def test_the_next_is_subscribed_before_the_first_is_logged_out(rig: Rig) -> None:
    rig.news()
    said = rig.wires.said
    assert said.index((2, "A")) < said.index((1, "5")) and (2, "V") in said
    assert (connection(rig), rig.wires.names()) == (2, ["FXM02"])
    assert rig.higher() == rig.bids[-1] and None not in rig.bids
    rig.advance(61_000)
    assert connection(rig) == 2 and rig.higher() == rig.bids[-1], "the end strikes the first alone"


def test_the_first_tells_until_the_next_is_there(rig: Rig) -> None:
    rig.wires.keep_dialling = True
    rig.news()
    assert rig.higher() == rig.bids[-1] and connection(rig) == 1
    rig.come_up(2)
    rig.advance(50)
    assert rig.higher() == rig.bids[-1] and connection(rig) == 2


@pytest.mark.parametrize("ms", [1_000, 100_000])
def test_the_first_ends_or_the_next_never_comes(rig: Rig, ms: int) -> None:
    rig.wires.keep_dialling = True
    rig.news(ms)
    rig.advance(11_000)
    rig.wires.keep_dialling = False
    rig.advance(11_000)
    assert rig.higher() == rig.bids[-1] and len(rig.wires.names()) == 1
    assert rig.core.status(rig.now)["state"] == "live"


def test_one_that_is_refused_is_tried_again_at_the_next_word(rig: Rig) -> None:
    rig.wires.reachable = False
    rig.news()
    assert rig.higher() == rig.bids[-1] and connection(rig) == 1
    rig.wires.reachable = True
    rig.advance(10_100)
    assert rig.higher() == rig.bids[-1] and connection(rig) == 3


def test_what_is_blocked_leaves_on_its_own_connection(rig: Rig) -> None:
    rig.wires.keep_dialling = True
    rig.news()
    rig.core.blocked(2, rig.now)
    rig.come_up(2)
    assert (2, "A") not in rig.wires.said
    rig.core.writable(2, rig.now)
    rig.settle()
    assert (2, "V") in rig.wires.said and rig.higher() == rig.bids[-1]


def test_a_stop_leaves_both(rig: Rig) -> None:
    rig.wires.keep_dialling = True
    rig.news()
    rig.core.stop(rig.now)
    rig.advance(1_000)
    assert rig.exit is not None and rig.wires.names() == []

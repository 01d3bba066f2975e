"""The core of market data against the simulated Binance, over real sessions, several connections at a time."""

from decimal import Decimal
from pathlib import Path

import msgspec

from common.actor.core import Exit, Note, Publish
from common.instant import NS_PER_MS, Instant
from common.messages import FeedMessage, TopOfBook
from common.venues.binance.dialect import Binance
from services.marketdata.core import MarketDataConfig, MarketDataCore
from tests.common.exchange.wires import Wires
from tests.common.venues.both_sides import BothSides

decode = msgspec.msgpack.Decoder(FeedMessage).decode


class Rig:
    """See the module."""

    def __init__(self, folder: Path, dialect: Binance | None = None) -> None:
        self.sides = BothSides("binance", folder)
        config = MarketDataConfig(
            venue="x", target_comp_id="SPOT", comp_id_prefix="FXM", heart_bt_int_s=5, symbols=(self.sides.symbol,),
            connects=30, connects_window_ms=30_000, credentials=self.sides.credentials,
        )  # fmt: skip
        self.core = MarketDataCore(config, dialect or Binance())
        self.wires = Wires(self.sides.world, "market_data", lambda: self.core)
        self.now = self.sides.world.now
        self.bids: list[Decimal | None] = []
        self.notes: list[str] = []
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
                elif isinstance(effect, Note):
                    self.notes.append(effect.event)
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

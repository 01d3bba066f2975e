"""An order manager that says anything to the SDK: to a strategy's core, which a real `Strategy` trades through.

Nothing raises, no hook of the strategy does, whatever it sends can be written, and what it holds is open orders of its
own name only.
"""

from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import get_args

import msgspec

from common.actor.core import Note, Send
from common.instant import NS_PER_MS, NS_PER_S, Instant
from common.messages import (
    AFTER_ALL_EVENTS,
    MAX_MESSAGE_BYTES,
    EntryAnswer,
    FeedMessage,
    OrderEvent,
    OrderStatus,
    PositionChanged,
    Terms,
    TopOfBook,
    Traded,
    Welcome,
    WelcomeComplete,
    encode,
)
from common.strategy.bounds import OutOfBounds
from common.strategy.entry import NamesUsedUp, NotWelcome, Superseded, TooManyUnanswered
from common.strategy.strategy import Market, Setting, Strategy, StrategyCore
from scripts.fuzz.target import Broken, Round, Tally
from scripts.fuzz.values import Maker

BOOT_NS = 1_000 * NS_PER_S
WALL_NS = 1_767_225_600 * NS_PER_S
MARKET = Market(
    "generic", "BTCUSDT", "BTC", "USDT", Decimal("0.01"), Decimal("0.001"), Decimal("0.001"), Decimal(5),
)  # fmt: skip
WELCOME = Welcome("maker", "instance", 5, 0, "live", 7, resumed=False)
_entry = msgspec.msgpack.Decoder(EntryAnswer)
_feed = msgspec.msgpack.Decoder(FeedMessage)


class Busy(Strategy):
    """Trades at whatever it is told, as far as it may."""

    def on_order(self, order: OrderEvent) -> None:
        """See `Strategy`."""
        self._try(lambda: self.cancel(order.number))

    def on_market_data(self, event: TopOfBook | Traded) -> None:
        """See `Strategy`."""
        self._try(lambda: self.buy("generic", "BTCUSDT", Decimal("0.01"), Decimal(60_000)))

    def _try(self, call: Callable[[], int]) -> None:
        try:
            call()
        except (NamesUsedUp, NotWelcome, OutOfBounds, Superseded, TooManyUnanswered):
            return


class Client:
    """See `Target`."""

    sentence = "Any word of the order manager to the SDK: nothing raises, and it holds open orders of its own only."
    size = 400

    def play(self, a_round: Round, tally: Tally) -> None:
        """See `Target`."""
        maker = Maker(Random(f"client {a_round.seed}"))
        now = Instant(WALL_NS, BOOT_NS)
        core = _welcomed(now)
        for example in (WELCOME, *_examples()):
            maker.show(example)
        for number in a_round.numbers():
            random = maker.random = Random(f"client {a_round.seed} {number}")
            link, decoder = random.choice((("entry", _entry), ("entry", _entry), ("entry", _entry), ("feed", _feed)))
            data = encode(maker.message(get_args(decoder.type)))
            try:
                message = decoder.decode(data)
            except Exception:
                tally.count(link, decoded=False)
                continue
            tally.count(link, decoded=True)
            now = Instant(now.wall_ns + NS_PER_MS, now.boot_ns + random.choice((1, 50, 900)) * NS_PER_MS)
            core.received(link, b"", message, now)
            deadline_ns = core.next_deadline_ns()
            if deadline_ns is not None and deadline_ns <= now.boot_ns:
                core.timer(now)
            core.turn_ended(now)
            _check(core, number)
            if core.entry.superseded:
                core = _welcomed(now)
        encode(core.status(now))


def _welcomed(now: Instant) -> StrategyCore:
    core = StrategyCore(Setting("maker", (MARKET,)), Busy, "instance")
    core.started(now)
    core.received("entry", b"", WELCOME, now)
    core.received("entry", b"", WelcomeComplete(7, AFTER_ALL_EVENTS), now)
    return core


def _check(core: StrategyCore, number: int) -> None:
    effects, core.effects = core.effects, []
    for effect in effects:
        if isinstance(effect, Send) and len(encode(effect.message)) > MAX_MESSAGE_BYTES:
            raise Broken(f"after input {number} it sends more than a link accepts")
        if isinstance(effect, Note) and effect.level == "error":
            raise Broken(f"after input {number}: {effect}")
    for order in core.entry.orders.values():
        if order.strategy != "maker" or not order.open:
            raise Broken(f"after input {number} it holds {order}")


def _examples() -> list[msgspec.Struct]:
    one = Decimal("0.01")
    order = OrderEvent(
        8, 0, "maker", 1, "new", OrderStatus.NEW, "generic", "BTCUSDT", Terms("1", "2", one, Decimal(60_000)),
        Decimal(0), one, Decimal(0), "c-1", "17", open=True,
    )  # fmt: skip
    position = PositionChanged(9, 1, "generic", "BTCUSDT", one, Decimal(60_000), Decimal(0))
    top = TopOfBook("generic", "BTCUSDT", Decimal(59_990), one, Decimal(60_010), one, None, WALL_NS)
    return [order, position, top]

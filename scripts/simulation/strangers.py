"""Somebody else on our account: orders from the exchange's own screen, filled and cancelled there."""

from random import Random

from common.instant import NS_PER_MS
from scripts.simulation.truth import STRANGER
from scripts.simulation.world import World

LIVES_MS = (50, 500, 3_000)
CANCELLED_SHARE = 0.5
TAKES_SHARE = 0.5
SHARE_OF_LIMIT = 50


def trade(world: World, exchange: str, random: Random) -> None:
    """Place one order that takes from the book or rests near it; half of them are cancelled after a while."""
    venue = exchange.partition("@")[2]
    config = world.config.venues[venue]
    unread = config.rest is None and "unreadable" in world.plan.kinds
    if venue not in world.checkers.met or unread:
        # What a venue without REST says of a stranger in a report that cannot be read, nobody else can say.
        return
    assert config.simulated is not None
    symbol = random.choice(sorted(config.instruments))
    instrument, middle = config.instruments[symbol], config.simulated.prices[symbol]
    side = random.choice(("1", "2"))
    away = middle // 100 // instrument.tick_size * instrument.tick_size
    is_above = (side == "1") is (random.random() < TAKES_SHARE)
    price = middle + (away if is_above else -away)
    limit = world.config.stack.risk.symbols[symbol].position_limit
    qty = (limit / SHARE_OF_LIMIT // instrument.lot_size + 1) * instrument.lot_size
    name = f"{STRANGER}{random.randrange(1 << 40):x}"
    terms = {"cl_ord_id": name, "symbol": symbol, "side": side, "qty": f"{qty:f}", "price": f"{price:f}"}
    world.ask(exchange, "place", dict[str, object](terms))
    if random.random() < CANCELLED_SHARE:
        later_ns = random.choice(LIVES_MS) * NS_PER_MS
        world.scheduler.after(later_ns, _cancel, world, exchange, name)


def _cancel(world: World, exchange: str, name: str) -> None:
    world.ask(exchange, "cancel", {"cl_ord_id": name})

"""What the outside judges of the simulated venues share: CCXT, unified and ccxt.pro, over the loopback."""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

from common.exchange.order import LIMIT, SELL, Terms
from tests.common.exchange.harness import World


def offer(world: World, symbol: str, qty: str, px: str) -> None:
    """Somebody's offer in the book."""
    terms = Terms("", "", "", symbol, SELL, LIMIT, Decimal(qty), Decimal(px))
    world.core.venue.engine.place(terms, world.now)


def watched(open_exchange: Callable[[], Any], watch: Callable[[Any], Awaitable[Any]]) -> Any:
    """What `watch` makes of a client of ccxt.pro, within a few seconds."""

    async def run() -> Any:
        exchange = open_exchange()
        try:
            return await asyncio.wait_for(watch(exchange), 20)
        finally:
            await exchange.close()

    return asyncio.run(run())

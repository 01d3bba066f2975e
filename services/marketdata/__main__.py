"""`python -P -m services.marketdata --venue V`: the prices of one venue, over FIX, or else over REST."""

import sys
import time
from decimal import Decimal
from functools import partial

from common.actor.shell import Shell
from common.actor.start import name_argument, run_actor, shell_for, target_fix
from common.config import Config, ConfigError, VenueConfig
from common.key_files import connection_of, nonces_of
from common.rest_worker import rest_worker
from common.venues.listening import TARGET
from common.venues.registry import find_book_sum, find_dialect, find_profile
from services.marketdata.books import FEED, Sum
from services.marketdata.core import MarketDataConfig, MarketDataCore
from services.marketdata.polling import PollingCore


def market_data_config(name: str, config: Config, started_s: int) -> MarketDataConfig:
    """The venue's file as the market data session needs it. Raises ConfigError."""
    venue = config.venues.get(name)
    if venue is None:
        raise ConfigError(f"no enabled venue is called {name!r}; there is {', '.join(config.venues)}")
    fix = venue.market_data
    if fix is None:
        raise ConfigError(f"venue {name!r} has no market data session: its prices are asked for over REST")
    profile = find_profile(venue.dialect)
    return MarketDataConfig(
        venue=name,
        nonces=nonces_of(f"marketdata@{name}", profile, config),
        symbols=tuple(instrument.symbol for instrument in venue.instruments.values()),
        first_connection=started_s,
        sums=book_sums(venue),
        instruments=venue.instruments if profile.lists_instruments else {},
        **connection_of(fix, profile, venue.credentials_of("market_data"), config),
    )


def book_sums(venue: VenueConfig) -> dict[str, Sum]:
    """How each symbol's book is summed up, to as many decimals as its prices and quantities have."""
    book_sum = find_book_sum(venue.dialect)
    if book_sum is None:
        return {}
    return {
        symbol: partial(book_sum, px_decimals=_decimals(i.tick_size), qty_decimals=_decimals(i.lot_size))
        for symbol, i in venue.instruments.items()
    }


def _decimals(step: Decimal) -> int:
    return max(0, -int(step.as_tuple().exponent))


def build(name: str, config: Config) -> Shell:
    """The core with its link, and with its target or its worker."""
    venue = config.venues.get(name)
    if venue is not None and venue.market_data is None:
        return _polling(venue, config)
    settings = market_data_config(name, config, int(time.time()))
    venue = config.venues[name]
    assert venue.market_data is not None
    shell = shell_for(MarketDataCore(settings, find_dialect(venue.dialect)), config)
    shell.bind_publisher(FEED, config.endpoint(f"feed.{name}"))
    target_fix(shell, TARGET, venue.market_data, config, name)
    return shell


def _polling(venue: VenueConfig, config: Config) -> Shell:
    """The prices of a venue that tells none over FIX."""
    worker = rest_worker(venue, venue.credentials, config)
    shell = shell_for(PollingCore(venue.name, venue.instruments), config)
    shell.bind_publisher(FEED, config.endpoint(f"feed.{venue.name}"))
    shell.worker(worker)
    return shell


if __name__ == "__main__":
    sys.exit(run_actor(partial(build, name_argument("venue", __doc__))))

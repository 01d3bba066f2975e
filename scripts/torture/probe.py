"""How long until it trades again: an order of a client of its own, acknowledged by each venue."""

import time

import zmq

from common.config import Config
from common.messages import CommandOutcome, OrderEvent
from common.strategy.client import Client, NotRunning
from common.strategy.entry import NotWelcome, TooManyUnanswered
from scripts.torture.goods import away, goods_of
from scripts.torture.load import Prices

PASSIVE_SHARE = 0.01
FAILED = ("refused", "expired", "withdrawn")
AGAIN_S = 0.25
"""A probe without an answer for so long is followed by another."""


class Probe:
    """One client that never stays: it asks, is answered, and cancels."""

    def __init__(self, config: Config) -> None:
        """Connects in the first `wait`."""
        self._config = config
        self._context = zmq.Context()
        self._prices = Prices(config, self._context)
        self._client = Client("probe", config=config)
        self._goods = {venue: goods_of(config, venue)[0] for venue in config.venues}

    def wait(self, began_s: float, timeout_s: float) -> dict[str, float | None]:
        """Seconds since `began_s` (monotonic) until each venue acknowledged an order; None for one that did not within
        `timeout_s` of it.
        """
        found: dict[str, float | None] = dict.fromkeys(self._config.venues)
        venue_of: dict[int, str] = {}
        next_s = 0.0
        while time.monotonic() < began_s + timeout_s and None in found.values():
            self._prices.take()
            missing = [venue for venue, seconds in found.items() if seconds is None]
            if time.monotonic() >= next_s and self._give(missing, venue_of):
                next_s = time.monotonic() + AGAIN_S
            event = self._client.poll(0.01)
            if isinstance(event, OrderEvent) and event.event == "new" and event.number in venue_of:
                venue = venue_of.pop(event.number)
                found[venue] = found[venue] or time.monotonic() - began_s
                self._client.cancel(event.number)
            elif isinstance(event, CommandOutcome) and event.outcome in FAILED and venue_of.pop(event.number, ""):
                next_s = min(next_s, time.monotonic() + 0.05)
        return found

    def _give(self, venues: list[str], venue_of: dict[int, str]) -> bool:
        try:
            self._client.connect()
            if self._client.state != "live":
                return False
            for venue in venues:
                good = self._goods[venue]
                price = away(self._prices.best(venue, good, "buy"), "buy", PASSIVE_SHARE, good.tick_size)
                venue_of[self._client.new(venue, good.symbol, "buy", good.qty, price)] = venue
        except (NotRunning, NotWelcome, TooManyUnanswered):
            return False
        return True

    def clear(self, timeout_s: float) -> bool:
        """Cancel what the probes left; whether nothing is open within `timeout_s` seconds."""
        deadline_s, next_s = time.monotonic() + timeout_s, 0.0
        while time.monotonic() < deadline_s:
            if time.monotonic() >= next_s:
                self._client.cancel_all()
                next_s = time.monotonic() + 1
            while self._client.poll(0.02) is not None:
                pass
            if not self._client.orders:
                return True
        return False

    def close(self) -> None:
        """Let go of the sockets."""
        self._client.close()
        self._prices.close()
        self._context.term()

"""OKX's dead man's switch: cancel-all-after, of an account or of what bears one tag.

Source: OKX API v5 documentation as stored 2025-11-25, cancel all after: timeOut is 0, which takes it back, or 10 to 120
seconds; of one order at a time, within seconds. So many tags have one at a time, and each is set once a second at most.
"""

from common.exchange.dead_man import DeadMansSwitch
from common.exchange.venue import Venue
from common.instant import Instant

SHORTEST_S, LONGEST_S = 10, 120
MOST_TAGS = 20
KEPT_TAGS = 10_000
"""From so many on those of orders that have ended are forgotten."""


class TooManyTagsError(Exception):
    """The account has as many switches by tag as the venue keeps."""


class TaggedSwitch(DeadMansSwitch):
    """See the module. `tagged` is told of the tag of each order that has one; the name of a switch is its tag."""

    def __init__(self, venue: Venue) -> None:
        self._tags: dict[int, str] = {}
        super().__init__(venue, lambda tag, order: tag in ("", self._tags.get(order.order_id)))

    def tagged(self, order_id: int, tag: str) -> None:
        """An order was placed with this tag."""
        if len(self._tags) >= KEPT_TAGS:
            self._tags = {each: kept for each, kept in self._tags.items() if each in self._venue.state.orders}
        if tag:
            self._tags[order_id] = tag

    def set(self, account: str, name: str, seconds: int, now: Instant) -> int:
        """See `DeadMansSwitch`. Raises ValueError, and TooManyTagsError."""
        if seconds and not SHORTEST_S <= seconds <= LONGEST_S:
            raise ValueError(f"timeOut is 0 or {SHORTEST_S} to {LONGEST_S}")
        tags = {each for each in self.names(account) if each} | {name}
        if name and seconds and len(tags) > MOST_TAGS:
            raise TooManyTagsError(f"{MOST_TAGS} tags have one")
        return super().set(account, name, seconds, now)

"""Three servers that keep the copy of the journal, and whatever such servers may do to who publishes to them.

What most of them hold is the stream: one order, to which a message is added only where it was expected to be the last.
Everything else is a matter of the answers. They may be lost, or late; may say "wrong last sequence" of what was
accepted, or "duplicate" of what was not; a message that nobody answered may be added later, if it still fits. While the
leader changes, or most of the servers are away, nobody answers; a leader that is none any more shows who still asks it
the stream as it was then, adds nothing, and says nothing of that.
"""

import enum
from collections.abc import Callable, Iterator
from random import Random
from typing import NamedTuple

from common.instant import NS_PER_MS, NS_PER_S
from common.replication.errors import Away
from common.replication.message import Batch, Stored
from common.replication.port import Answer
from scripts.simulation.scheduler import Scheduler

LATEST_NS = 3 * NS_PER_S
"""A message that nobody answered is added within so long, or never."""


class Odd(enum.Enum):
    """How a publication goes wrong."""

    LOST = "it never arrives"
    UNHEARD = "it is added, and the answer is lost"
    WRONG_SEQUENCE = "it is added, and the answer says wrong last sequence"
    LATE = "no answer, and it is added later if it still fits"
    DUPLICATE = "nothing is added, and the answer says duplicate"
    ELSEWHERE = "nothing is added, and the answer is another stream's"
    OTHER_SEQUENCE = "nothing is added, and the answer has the number of another message"


class _Stale(NamedTuple):
    """A former leader's stream: how many messages it has, and until when it answers."""

    length: int
    until_ns: int


class Servers:
    """The stream as most of them have it, in `held`. `odd_share` of the publications go wrong; who is `cut_off` reaches
    none of them.
    """

    def __init__(self, scheduler: Scheduler, random: Random, added: Callable[[Stored], None]) -> None:
        """`added` is told of each message as it is added."""
        self.held: list[Batch] = []
        self.odd_share = 0.0
        self.cut_off: set[str] = set()
        self.odds = 0
        self._scheduler = scheduler
        self._random = random
        self._added = added
        self._away_until_ns = 0
        self._stale: dict[str, _Stale] = {}

    def lose_quorum(self, for_ns: int) -> None:
        """Most of them are away for a while; what nobody answered may be added when they are back."""
        self._away_until_ns = max(self._away_until_ns, self._scheduler.now_ns + for_ns)

    def change_leader(self, hosts: list[str], stale_ns: int) -> None:
        """There is none for a moment. Of these hosts some still ask the former one, for `stale_ns`."""
        now_ns = self._scheduler.now_ns
        self.lose_quorum(self._random.choice((50, 400, 2_000)) * NS_PER_MS)
        for host in hosts:
            if self._random.random() < 0.5:
                self._stale[host] = _Stale(len(self.held), now_ns + stale_ns)

    def clear_up(self) -> None:
        """All is well from now on."""
        self.odd_share, self._away_until_ns = 0.0, 0
        self.cut_off.clear()
        self._stale.clear()

    # ---- what a host asks

    def end_seen_by(self, host: str) -> int:
        """How many messages the host is shown. Raises Away."""
        if host in self.cut_off:
            raise Away("no NATS server answers")
        stale = self._stale.get(host)
        if stale is not None and self._scheduler.now_ns < stale.until_ns:
            return stale.length
        if self._is_away:
            raise Away("503: no responders")
        return len(self.held)

    @property
    def _is_away(self) -> bool:
        return self._scheduler.now_ns < self._away_until_ns

    def publish(self, host: str, name: str, batch: Batch, expected: int) -> Answer:
        """Add the batch, or do something odd. Raises Away."""
        odd = self._random.choice(list(Odd)) if self._random.random() < self.odd_share else None
        self.odds += odd is not None
        if host not in self.cut_off and self._is_away:
            # The leader may have taken it, and find the others again.
            odd = self._random.choice((Odd.LATE, Odd.LOST))
        elif self.end_seen_by(host) < len(self.held):
            odd = Odd.LOST
        match odd:
            case Odd.LOST:
                raise Away("timeout")
            case Odd.LATE:
                self._add_later(batch, expected)
                raise Away("timeout")
            case Odd.DUPLICATE:
                return Answer(name, expected + 1, True)
            case Odd.ELSEWHERE:
                return Answer("another", expected + 1, False)
            case Odd.OTHER_SEQUENCE:
                return Answer(name, expected, False)
        if not self._add(batch, expected):
            raise Away(f"wrong last sequence: {len(self.held)}")
        if odd is not None:
            raise Away("timeout" if odd is Odd.UNHEARD else f"wrong last sequence: {len(self.held)}")
        return Answer(name, len(self.held), False)

    def _add(self, batch: Batch, expected: int) -> bool:
        if expected != len(self.held):
            return False
        self.held.append(batch)
        self._added(Stored(len(self.held), batch))
        return True

    def _add_later(self, batch: Batch, expected: int) -> None:
        at_ns = max(self._away_until_ns, self._scheduler.now_ns) + self._random.randrange(LATEST_NS)
        self._scheduler.at(at_ns, self._add_unless_away, batch, expected)

    def _add_unless_away(self, batch: Batch, expected: int) -> None:
        if not self._is_away:
            self._add(batch, expected)


class HostStream:
    """The stream as one host reaches it. See `ReplicatedLog`."""

    def __init__(self, servers: Servers, host: str, name: str) -> None:
        """`name` is the stream's."""
        self.name = name
        self._servers = servers
        self._host = host

    def publish(self, batch: Batch, expected: int) -> Answer:
        """See `ReplicatedLog`."""
        return self._servers.publish(self._host, self.name, batch, expected)

    def message_at(self, sequence: int) -> Stored | None:
        """See `ReplicatedLog`."""
        shown = self._servers.end_seen_by(self._host)
        return Stored(sequence, self._servers.held[sequence - 1]) if 0 < sequence <= shown else None

    def check(self) -> None:
        """See `ReplicatedLog`."""
        self._servers.end_seen_by(self._host)

    def last_sequence(self) -> int:
        """See `ReplicatedLog`."""
        return self._servers.end_seen_by(self._host)

    def messages(self, sequence: int, most: int) -> Iterator[Stored]:
        """See `ReplicatedLog`."""
        last = min(self.last_sequence(), sequence + most - 1)
        for at in range(sequence, last + 1):
            yield Stored(at, self._servers.held[at - 1])

"""What the actors do in the same way that follow all of the log and write into it: orders and risk."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from common.actor.acts import RecordedActs
from common.actor.core import FoldingCore
from common.actor.links import Appender, Follower
from common.instant import Instant, earliest
from common.journal.frames import Record
from common.left_out import Unfoldable
from common.messages import EpochGranted
from common.orders.index import Index


class FollowingCore(FoldingCore):
    """A folding core with its place in the log, its way into it, and the answers to people that wait for it."""

    _by_hand: RecordedActs

    def __init__(self, name: str, begin: Callable[[Sequence[Unfoldable]], Any], index: Index | None) -> None:
        """What leaves the memory of the state's books goes into `index`; without one into memory again, for as long as
        the process lives.
        """
        super().__init__(name, begin)
        self._index = index or Index()

    def _follow(self, lsn: int, former: Follower | None) -> None:
        """A life begins behind record `lsn`."""
        self._appender = Appender(self, self.name)
        self._follower = Follower(self, lsn, former)

    def started(self, now: Instant) -> None:
        """Ask for an epoch."""
        if self._index.made_anew:
            self.note("warning", "index_made_anew", why=self._index.made_anew)
        self._appender.request_epoch(now)

    def log_read(self, records: Sequence[Record], now: Instant) -> None:
        """A chunk of the log."""
        self._apply(self._follower.take_read(records, now), now)

    def _apply(self, records: Sequence[Record], now: Instant) -> None:
        """Fold these records, each the successor of the last."""

    def timer(self, now: Instant) -> None:
        """What is overdue at the journal."""
        self._appender.timer(now)
        self._follower.timer(now)

    def next_deadline_ns(self) -> int | None:
        return earliest(
            self._appender.next_deadline_ns(), self._follower.next_deadline_ns(), self._by_hand.next_deadline_ns()
        )

    def turn_ended(self, now: Instant) -> None:
        """Send the turn's appends, and what a person is to be told of them."""
        self._appender.turn_ended(now)
        self._by_hand.settle(now)

    def _hear_journal(self, message: msgspec.Struct, now: Instant) -> EpochGranted | None:
        """A word of the journal; the grant of this life's epoch where it is that: the log is read up to it."""
        had_epoch = self._appender.granted
        if not self._appender.take_message(message, now) or had_epoch:
            return None
        grant = self._appender.grant
        if grant is not None:
            self._follower.read_to(grant.lsn)
            self.note("info", "epoch", epoch=grant.epoch, lsn=grant.lsn)
        return grant

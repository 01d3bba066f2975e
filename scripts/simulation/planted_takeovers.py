"""Bugs of replication, of takeovers and of who is told what before the copy holds it: what takes the place of what.

`planted` has their rows, beside all others.
"""

from typing import Any, Final

import msgspec

from common.exit_status import ExitStatus
from common.messages import Welcome
from common.orders import over_rest
from common.orders.books import Books
from common.orders.own_side import OwnSide
from common.replication import following, publisher
from common.replication.errors import Fenced
from common.replication.publisher import Publisher
from common.strategy.entry import Entry
from services.journal.core import JournalCore
from services.orders import clients
from services.supervisor.core import SupervisorCore

REFUSED: Final = "wrong last sequence"


def _duplicates_too(log: Any, answer: Any, expected: int) -> bool:
    return bool(answer.stream == log.name and answer.sequence == expected + 1)


def _refused_is_fenced(original: Any) -> Any:
    def publish_once(self: Any, batch: Any) -> str:
        why = str(original(self, batch))
        if REFUSED in why:
            raise Fenced(self.sequence + 1, batch.term, why)
        return why

    return publish_once


def _refused_is_yes(original: Any) -> Any:
    def publish_once(self: Any, batch: Any) -> str:
        why = str(original(self, batch))
        return "" if REFUSED in why else why

    return publish_once


def _whatever_is_durable(original: Any) -> Any:
    """While this method runs, what may be told of is what the disk has."""

    def act(self: Any, *arguments: Any) -> Any:
        self._told_lsn = lambda log, lsn: lsn
        try:
            return original(self, *arguments)
        finally:
            del self._told_lsn

    return act


def _grant_at_once(original: Any) -> Any:
    def grant(self: Any, log: Any, peer: Any, request: Any, now: Any) -> None:
        original(self, log, peer, request, now)
        self._commit(now)
        for batch, offsets, done in self._committed:
            for each in batch.grants:
                self._grant(log, each, done.first_lsn + offsets[each.writer] + each.entry, done.stamp_ns)
            batch.grants.clear()

    return grant


def _serve_what_is_there(original: Any) -> Any:
    def start(self: Any, now: Any) -> None:
        original(self, now)
        if self._log is not None and self._copy is not None:
            self._told_upto, self._copy.lsn = None, self._log.last_lsn

    return start


def _fence_is_damage(original: Any) -> Any:
    def exited(self: Any, name: str, status: int, now: Any) -> None:
        original(self, name, ExitStatus.INTEGRITY if status == ExitStatus.FENCED else status, now)

    return exited


def _any_end_counts(original: Any) -> Any:
    return lambda answer, line, sent_ns, connection, window_ns: original(
        answer, line, sent_ns, connection, max(window_ns, 1)
    )


def _told_of_nothing(handlers: Any) -> Any:
    def welcome(self: Any, message: Any, now: Any) -> Any:
        return handlers[Welcome](self, msgspec.structs.replace(message, told=0), now)

    return {**handlers, Welcome: welcome}


DUPLICATE_IS_YES: Final = (
    (publisher, "is_yes", lambda _: _duplicates_too), (following, "is_yes", lambda _: _duplicates_too)
)  # fmt: skip
REFUSED_IS_FENCED: Final = ((Publisher, "_try", _refused_is_fenced),)
REFUSED_IS_YES: Final = ((Publisher, "_try", _refused_is_yes),)
PUBLISH_UNRELEASED: Final = ((JournalCore, "_tell_committed", _whatever_is_durable),)
REFILL_UNRELEASED: Final = ((JournalCore, "_refill", _whatever_is_durable),)
GRANT_UNRELEASED: Final = ((JournalCore, "_epoch", _grant_at_once),)
SERVE_UNRELEASED: Final = ((JournalCore, "started", _serve_what_is_there),)
FENCE_LATCHES: Final = ((SupervisorCore, "exited", _fence_is_damage),)
ANY_END_COUNTS: Final = ((over_rest, "window_closed", _any_end_counts),)
MISS_NOTHING: Final = ((Entry, "_handlers", _told_of_nothing),)
LOST_STAYS_LOST: Final = ((OwnSide, "lost_order", lambda _: lambda *arguments: None),)
LOST_FILLS_STAY: Final = ((Books, "note_nobodys", lambda _: lambda *arguments: None),)
RESUME_PAST_END: Final = ((clients, "_is_of_what_is_lost", lambda _: lambda *arguments: False),)

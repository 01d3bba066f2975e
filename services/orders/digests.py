"""The state's digest at every HASH_EVERYth record: logged, and compared with what the log has of it."""

import msgspec

from common.actor.core import Core
from common.actor.links import Appender
from common.instant import Instant
from common.journal.frames import Record
from common.messages import HASH_EVERY, UNDECODABLE, Kind, StateHash
from common.orders.books import Books
from common.orders.fold import FOLD_VERSION

KEPT = 16
"""Digests kept for the comparison: as many times HASH_EVERY records may lie between a record and its digest's."""


class Digests:
    """See the module. What differs is a note of `core`, and counted in `mismatches`."""

    def __init__(self, core: Core, appender: Appender, books: Books) -> None:
        """None was taken."""
        self._core = core
        self._appender = appender
        self._books = books
        self._digests: dict[int, bytes] = {}
        self.mismatches = 0

    def take(self, lsn: int, now: Instant, *, append: bool) -> None:
        """Take the digest after record `lsn`, which was applied last."""
        self._digests[lsn] = self._books.digest()
        for old in [at for at in self._digests if at <= lsn - KEPT * HASH_EVERY]:
            del self._digests[old]
        if append:
            self._appender.append(
                Kind.STATE_HASH, StateHash(self._core.name, lsn, self._digests[lsn], FOLD_VERSION), now
            )

    def check(self, record: Record) -> None:
        """Compare a logged digest with our own, where the same version of the fold came to it."""
        try:
            told = _decode(record.payload)
        except UNDECODABLE:
            return
        ours = self._digests.get(told.at_lsn) if told.fold_version == FOLD_VERSION else None
        if told.actor == self._core.name and ours is not None and ours != told.digest:
            self.mismatches += 1
            self._core.note("error", "state_differs", at_lsn=told.at_lsn, ours=ours.hex(), logged=told.digest.hex())


_decode = msgspec.msgpack.Decoder(StateHash).decode

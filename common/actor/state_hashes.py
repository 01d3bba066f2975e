"""State hashes: the digest of a folded state at every HASH_EVERYth record, held against what the log has of it.

Whoever folds writes its own into the log while it is live. Replayed, by the same version of the fold, the same record
must come to the same digest; what another version has hashed is not compared.
"""

import msgspec

from common.journal.frames import Record
from common.messages import HASH_EVERY, UNDECODABLE, StateHash

KEPT = 16
"""Digests kept for the comparison: as many times HASH_EVERY records may lie between a record and its hash's."""

_decode = msgspec.msgpack.Decoder(StateHash).decode


def read_state_hash(record: Record) -> StateHash | None:
    """What the record of a state hash tells; None where it cannot be read."""
    try:
        return _decode(record.payload)
    except UNDECODABLE:
        return None


def is_hashed(lsn: int) -> bool:
    """Whether the state is hashed after this record."""
    return lsn % HASH_EVERY == 0


class StateHashes:
    """The latest digests of the state of the actor `writer`, by record. `mismatches` counts those that the log tells
    otherwise."""

    def __init__(self, writer: str, fold_version: int, most: int = KEPT) -> None:
        """None was taken; the latest `most` are kept."""
        self._writer = writer
        self._fold_version = fold_version
        self._most = most
        self.by_lsn: dict[int, bytes] = {}
        self.mismatches = 0

    def keep(self, lsn: int, digest: bytes) -> None:
        """The state's digest after record `lsn`, which was applied last."""
        self.by_lsn[lsn] = digest
        if len(self.by_lsn) > self._most:
            del self.by_lsn[next(iter(self.by_lsn))]

    def to_log(self, lsn: int) -> StateHash:
        """The record that tells what was kept after record `lsn`. Raises KeyError where nothing was."""
        return StateHash(self._writer, lsn, self.by_lsn[lsn], self._fold_version)

    def check(self, told: StateHash) -> bytes | None:
        """Our own digest where the log, in this actor's and this version's name, tells another one; else None."""
        if (told.actor, told.fold_version) != (self._writer, self._fold_version):
            return None
        ours = self.by_lsn.get(told.at_lsn)
        if ours is None or ours == told.digest:
            return None
        self.mismatches += 1
        return ours

"""The real folds beside what the log says of them: recorded state hashes, and what sessions wrote of their numbers."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from common.config import Config
from common.journal import OsFiles, Reader, Record, newest_snapshot, snapshot_folder
from common.journal.snapshots import KEPT
from common.messages import HASH_EVERY, Kind, StateHash
from common.orders import fold as orders_fold
from common.past.words import payload_of
from scripts.journal.past import SESSION, Past, session_writers
from services.risk import state as risk_state
from services.session import recovery as session_recovery

FOLD_VERSIONS = {"orders": orders_fold.FOLD_VERSION, "risk": risk_state.FOLD_VERSION}
HASHED = tuple(FOLD_VERSIONS)
"""The actors that write state hashes today; another one that does is compared in the same way."""


def fold_version(actor: str) -> int:
    """The version of this program's fold of that actor."""
    return FOLD_VERSIONS.get(actor, session_recovery.FOLD_VERSION)


class Difference(NamedTuple):
    """The first thing that the log tells otherwise than the folds: record `lsn` tells it, of `actor` after `at_lsn`.

    The first record that was folded otherwise lies behind `after_lsn` and is `upto_lsn` at the latest.
    """

    actor: str
    at_lsn: int
    lsn: int
    after_lsn: int
    upto_lsn: int
    recorded: str
    folded: str

    def text(self) -> str:
        """What differs, where, and between which records the cause lies."""
        first, last = self.after_lsn + 1, self.upto_lsn
        cause = f"is record {first}" if first == last else f"is one of the records {first} to {last}"
        return (
            f"the state of {self.actor} after record {self.at_lsn} is not the recorded one: record {self.lsn} says "
            f"{self.recorded}, the fold {self.folded}. The first record that was folded otherwise {cause}"
        )


class Shadow:
    """Folds the log, and compares: each StateHash with the hash of its actor's fold at that record, and the numbers in
    each record of a session's step with the session's fold before it.

    `differs` is the first that is not the same. `hashes` counts the hashes compared by actor, `not_comparable` those
    that another version of the fold came to, `steps` the sessions'
    records; `agreed_lsn` is the last record where an actor's fold was what the log says.
    """

    def __init__(self, config: Config, reader: Reader) -> None:
        """Before the first record of the journal; where that was dropped, at the oldest snapshots that are kept."""
        self._snapshots = _snapshots(config, reader)
        oldest = max((min(kept) for kept in self._snapshots.values() if kept), default=0)
        self.past = (
            Past(config, folder=Path(reader.folder)) if reader.first_lsn() == 1 else Past(config, reader, oldest)
        )
        self._snapshot_lsns = {lsn for kept in self._snapshots.values() for lsn in kept}
        self.hashes: dict[str, int] = dict.fromkeys(HASHED, 0)
        self.not_comparable: dict[str, int] = {}
        self.steps: dict[str, int] = {}
        self.agreed_lsn: dict[str, int] = {}
        self.differs: Difference | None = None
        self._digests: dict[tuple[str, int], bytes] = {}

    def run(self, records: Iterable[Record]) -> None:
        """Fold all; ends at the first difference."""
        for record in records:
            self.apply(record)
            if self.differs is not None:
                return

    def apply(self, record: Record) -> None:
        """Fold the next record, remember the digests where they are told of, compare what the record tells."""
        if record.writer.startswith(SESSION):
            self._compare_step(record)
        self.past.apply(record)
        if record.lsn % HASH_EVERY == 0 or record.lsn in self._snapshot_lsns:
            for actor, digest in self.past.digests().items():
                self._digests[actor, record.lsn] = digest
        told = payload_of(record) if record.kind == Kind.STATE_HASH and self.differs is None else None
        if isinstance(told, StateHash):
            self._compare_hash(record, told)

    def _compare_hash(self, record: Record, told: StateHash) -> None:
        if told.fold_version != fold_version(told.actor):
            self.not_comparable[told.actor] = self.not_comparable.get(told.actor, 0) + 1
            return
        ours = self._digests.get((told.actor, told.at_lsn))
        if ours is None:
            return
        self.hashes[told.actor] = self.hashes.get(told.actor, 0) + 1
        if ours == told.digest:
            self.agreed_lsn[told.actor] = told.at_lsn
            return
        after, upto = self._narrowed(told.actor, self.agreed_lsn.get(told.actor, 0), told.at_lsn)
        recorded, folded = told.digest.hex(), ours.hex()
        self.differs = Difference(told.actor, told.at_lsn, record.lsn, after, upto, recorded, folded)

    def _narrowed(self, actor: str, after: int, upto: int) -> tuple[int, int]:
        """The interval, cut at the snapshots inside it: the state was the same at one, or was another one already."""
        for lsn, digest in sorted(self._snapshots.get(actor, {}).items()):
            ours = self._digests.get((actor, lsn))
            if ours is not None and after < lsn < upto:
                if ours != digest:
                    return after, lsn
                after = lsn
        return after, upto

    def _compare_step(self, record: Record) -> None:
        folded = self.past.sessions.get(record.writer)
        if self.differs is not None or folded is None or record.lsn <= folded.lsn:
            return
        found = folded.numbers_told(record)
        if found is None:
            return
        recorded, ours = found
        self.steps[record.writer] = self.steps.get(record.writer, 0) + 1
        if recorded == ours:
            self.agreed_lsn[record.writer] = record.lsn
            return
        after = self.agreed_lsn.get(record.writer, 0)
        at = record.lsn - 1
        self.differs = Difference(record.writer, at, record.lsn, after, record.lsn, str(recorded), str(ours))


def _snapshots(config: Config, reader: Reader) -> dict[str, dict[int, bytes]]:
    """By actor: the digest of each kept snapshot that verifies and is of our fold's version, by the record where it
    stands. Raises JournalError."""
    found: dict[str, dict[int, bytes]] = {}
    folder, files = snapshot_folder(reader.folder), OsFiles()
    for actor in (*HASHED, *session_writers(config, reader)):
        kept: dict[int, bytes] = {}
        upto: int | None = None
        while len(kept) < KEPT and (snapshot := newest_snapshot(folder, files, actor, reader, upto)) is not None:
            if snapshot.fold_version == fold_version(actor):
                kept[snapshot.at.lsn] = snapshot.digest
            upto = snapshot.at.lsn - 1
        found[actor] = kept
    return found

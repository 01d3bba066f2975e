"""`python -P -m services.session.make_snapshot --venue V`: fold on from the newest snapshot, and write the next one."""

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from common.actor.snapshots import StateDiffers, load_newest, lsn_before, run_snapshot_program
from common.actor.start import name_argument
from common.config import Config, ConfigError
from common.journal import OsFiles, Reader
from common.journal.frames import Record
from common.journal.skipped import skipped_records
from common.left_out import LeftOut, Unfoldable
from common.venues.dialect import Dialect
from common.venues.registry import find_dialect
from services.session.recovery import Folded, load_folded


def loader(
    session: str, config: Config, unfoldable: Sequence[Unfoldable] = (), folder: Path | None = None
) -> Callable[[bytes], Folded]:
    """What makes a session's state of a snapshot's bytes. `folder` as for the books of orders."""
    writer, dialect = f"session@{session}", dialect_of(session, config)
    skipped = skipped_records(folder or config.journal_folder, OsFiles())
    return lambda data: load_folded(data, writer, session, dialect, LeftOut(skipped, unfoldable))


def newest_folded(
    session: str,
    config: Config,
    reader: Reader | None = None,
    upto_lsn: int | None = None,
    unfoldable: Sequence[Unfoldable] = (),
) -> Folded:
    """The session's state from the newest snapshot (at `upto_lsn` at most) that verifies, else an empty one: at the
    first record where the log still has all that the session wrote. `unfoldable` is left out.

    Raises ReadFailed, Damage.
    """
    writer, dialect = f"session@{session}", dialect_of(session, config)
    reader = reader or Reader(config.journal_folder, OsFiles())
    load = loader(session, config, unfoldable, Path(reader.folder))
    loaded = load_newest(config, writer, load, reader, upto_lsn)
    if loaded is not None:
        return loaded
    folded = Folded(writer, session, dialect, LeftOut(skipped_records(reader.folder, OsFiles()), unfoldable))
    folded.lsn = lsn_before(reader, writer)
    return folded


def dialect_of(session: str, config: Config) -> Dialect:
    """The dialect of the session's venue. Raises ConfigError where no such session is configured."""
    found = config.sessions.get(session)
    if found is None:
        raise ConfigError(f"no enabled session is called {session!r}; there is {', '.join(config.sessions)}")
    return find_dialect(config.accounts[found.account].venue.dialect)


class Checked:
    """A session's fold beside what the session itself wrote of its numbers: no snapshot is made of another one."""

    def __init__(self, folded: Folded) -> None:
        """Goes on from `folded`."""
        self._folded = folded
        self.fold_version = folded.fold_version
        self.digest, self.dump = folded.digest, folded.dump

    @property
    def lsn(self) -> int:
        """The last record folded."""
        return self._folded.lsn

    def apply(self, record: Record) -> None:
        """Fold the next record. Raises StateDiffers."""
        found = self._folded.numbers_told(record)
        if found is not None and found[0] != found[1]:
            raise StateDiffers(
                f"{record.writer}: record {record.lsn} says {found[0]}, and the fold has {found[1]}: no snapshot of "
                "it; `fixring journal replay --shadow` finds where they part"
            )
        self._folded.apply(record)


def main(session: str) -> int:
    """Make one snapshot of the session; returns the exit status."""

    def newest(config: Config) -> Checked:
        return Checked(newest_folded(session, config))

    return run_snapshot_program(f"session@{session}", partial(loader, session), newest, for_the_past=True)


if __name__ == "__main__":
    sys.exit(main(name_argument("session", __doc__)))

"""`python -P -m services.session.make_snapshot --venue V`: fold on from the newest snapshot, and write the next one."""

import sys
from collections.abc import Callable, Sequence
from functools import partial

from common.actor.snapshots import StateDiffers, load_newest, lsn_before, run_snapshot_program
from common.actor.start import venue_argument
from common.config import Config
from common.journal import OsFiles, Reader
from common.journal.frames import Record
from common.journal.skipped import skipped_records
from common.left_out import LeftOut, Unfoldable
from common.venues.registry import find_dialect
from services.session.recovery import Folded, load_folded


def loader(venue: str, config: Config, unfoldable: Sequence[Unfoldable] = ()) -> Callable[[bytes], Folded]:
    """What makes a session's state of a snapshot's bytes."""
    writer, dialect = f"session@{venue}", find_dialect(config.venues[venue].dialect)
    skipped = skipped_records(config.journal_folder, OsFiles())
    return lambda data: load_folded(data, writer, venue, dialect, LeftOut(skipped, unfoldable))


def newest_folded(
    venue: str,
    config: Config,
    reader: Reader | None = None,
    upto_lsn: int | None = None,
    unfoldable: Sequence[Unfoldable] = (),
) -> Folded:
    """The session's state from the newest snapshot (at `upto_lsn` at most) that verifies, else an empty one: at the
    first record where the log still has all that the session wrote. `unfoldable` is left out.

    Raises ReadFailed, Damage.
    """
    writer, dialect = f"session@{venue}", find_dialect(config.venues[venue].dialect)
    loaded = load_newest(config, writer, loader(venue, config, unfoldable), reader, upto_lsn)
    if loaded is not None:
        return loaded
    skipped = skipped_records(config.journal_folder, OsFiles())
    folded = Folded(writer, venue, dialect, LeftOut(skipped, unfoldable))
    folded.lsn = lsn_before(reader or Reader(config.journal_folder, OsFiles()), writer)
    return folded


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


def main(venue: str) -> int:
    """Make one snapshot of the session of `venue`; returns the exit status."""

    def newest(config: Config) -> Checked:
        return Checked(newest_folded(venue, config))

    return run_snapshot_program(f"session@{venue}", partial(loader, venue), newest)


if __name__ == "__main__":
    sys.exit(main(venue_argument(__doc__)))

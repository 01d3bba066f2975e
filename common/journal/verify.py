"""The whole folder read and checked, also while its journal is being written."""

from collections.abc import Callable
from typing import NamedTuple

from common.journal.errors import Damage, FormatTooNew, NotThere, ReadFailed
from common.journal.files import Files, Folder
from common.journal.recovery import Survey, survey
from common.journal.snapshots import SUFFIX, read_snapshot, snapshot_folder

Progress = Callable[[int, int], None]
"""(segments read, segments in all)"""


class Verdict(NamedTuple):
    """A journal that is sound. `torn_bytes` behind its last record were never acknowledged: the next start cuts them.

    In a journal that is being written, the batch on its way looks torn too.
    """

    identity: str
    segments: int
    first_lsn: int
    last_lsn: int
    confirmed_lsn: int
    last_stamp_ns: int
    journal_epoch: int
    torn_bytes: int
    torn_why: str


def verify(folder: Folder, files: Files, progress: Progress | None = None) -> Verdict:
    """Check every byte that counts. Raises Damage (file, offset, LSN), FormatTooNew, NotThere, ReadFailed."""
    found = settled(str(folder), files, progress)
    return Verdict(
        found.identity.hex(), len(found.segments), found.segments[0], found.end.lsn, found.confirmed.lsn,
        found.stamp_ns, found.journal_epoch, found.used_bytes - found.end_position, found.torn_why,
    )  # fmt: skip


def damaged_snapshots(folder: Folder, files: Files) -> list[Damage]:
    """The snapshots beside the log that are not what was written. Raises ReadFailed.

    A start passes them over, so they cost time and no record; but what changed one may have changed more.
    """
    place = snapshot_folder(folder)
    try:
        names = sorted(name for name in files.list(place) if name.endswith(SUFFIX))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ReadFailed(place, str(error)) from error
    found = []
    for name in names:
        try:
            read_snapshot(f"{place}/{name}", files)
        except Damage as error:
            found.append(error)
        except (NotThere, FormatTooNew):
            # Pruned meanwhile, or a later program's.
            continue
    return found


def settled(folder: str, files: Files, progress: Progress | None = None) -> Survey:
    """The survey of a folder whose journal may be at work. Raises what `verify` does.

    A live journal moves under the reader, so a look that finds damage or a missing file is taken again. What stays the
    same between two looks is damage; a place that moved was the journal, going on.
    """
    before: tuple[str, int, int] | None = None
    while True:
        try:
            found = survey(files, folder, progress=progress)
        except Damage as error:
            place = (error.file, error.offset, error.lsn)
            if place == before:
                raise
        except FileNotFoundError as error:
            place = (str(error.filename), 0, 0)
            if place == before:
                raise NotThere(f"{folder}: there is no journal in it") from error
        except OSError as error:
            raise ReadFailed(str(error.filename or folder), str(error)) from error
        else:
            if found is None:
                raise NotThere(f"{folder}: there is no journal in it")
            return found
        before = place

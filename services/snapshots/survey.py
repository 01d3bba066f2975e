"""`python -P -m services.snapshots.survey`: which snapshots verify, and which segments nobody needs any more, as JSON.

The log is needed from the record behind the oldest snapshot that is kept of any actor, so that each of them can still
start when its newest snapshot turns out to be unreadable; while an actor has only one, it is needed from its beginning;
a session, which folds its own records alone, needs none from before it wrote its first. Of an actor that has a snapshot
program those count of which the program said that they load: a form that this version does not read any more, or never
could, is nothing to start from.
"""

import sys
from collections.abc import Iterable, Mapping, Set

import click
import msgspec

from common.actor.snapshots import first_needed
from common.config import ConfigError, load
from common.exit_status import ExitStatus
from common.journal import JournalError, OsFiles, Reader
from common.journal.files import Files, Folder
from common.journal.segments import first_lsns, segment_name
from common.journal.snapshots import KEPT, snapshot_folder, verified_lsns
from services.snapshots.core import Survey


def survey(
    journal: Folder, files: Files, names: Iterable[str], retention_bytes: int, loads: Mapping[str, Set[int]]
) -> Survey:
    """Look at the folder's snapshots and segments. `loads` has, for each actor with a program, where those of its
    snapshots stand that load; of the others each that verifies counts. Raises NotThere, Damage, ReadFailed, OSError."""
    reader = Reader(journal, files)
    newest: dict[str, int] = {}
    needed, needed_by = 0, ""
    for name in names:
        found = verified_lsns(snapshot_folder(journal), files, name, reader, KEPT)
        newest[name] = found[0] if found else 0
        counted = [lsn for lsn in found if name not in loads or lsn in loads[name]]
        from_lsn = counted[-1] + 1 if len(counted) == KEPT else first_needed(reader, name)
        if not needed or from_lsn < needed:
            needed, needed_by = from_lsn, name
    return Survey(newest, needed, needed_by, droppable(journal, files, needed, retention_bytes))


def droppable(journal: Folder, files: Files, needed_lsn: int, retention_bytes: int) -> list[int]:
    """The first records of the segments that the log begins with after each drop: whole segments before `needed_lsn`,
    oldest first, for as long as the closed ones together are more than `retention_bytes`."""
    if not retention_bytes:
        return []
    starts = first_lsns(files, str(journal))
    sizes = [_size(files, f"{journal}/{segment_name(start)}") for start in starts[:-1]]
    kept, drops = sum(sizes), []
    for size, following in zip(sizes, starts[1:], strict=True):
        if kept <= retention_bytes or following > needed_lsn:
            break
        kept -= size
        drops.append(following)
    return drops


def _size(files: Files, path: str) -> int:
    handle = files.open(path, write=False)
    try:
        return files.size(handle)
    finally:
        files.close(handle)


@click.command()
@click.option("--name", "names", multiple=True, required=True, help="An actor whose snapshots count.")
@click.option("--program", "programs", multiple=True, help="One of them that has a program to say what loads.")
@click.option("--loads", multiple=True, type=(str, int), help="That program's word: the actor, and where one loads.")
@click.option("--retention-bytes", default=0, help="What closed segments may take; 0 keeps all.")
def main(
    names: tuple[str, ...], programs: tuple[str, ...], loads: tuple[tuple[str, int], ...], retention_bytes: int
) -> None:
    """Print what the snapshots of the journal allow to be dropped."""
    told = {name: {lsn for actor, lsn in loads if actor == name} for name in programs}
    try:
        found = survey(load().journal_folder, OsFiles(), names, retention_bytes, told)
    except ConfigError as error:
        print(error, file=sys.stderr)
        sys.exit(ExitStatus.CONFIGURATION)
    except (JournalError, OSError) as error:
        print(error, file=sys.stderr)
        sys.exit(ExitStatus.FAILURE)
    print(msgspec.json.encode(found).decode())


if __name__ == "__main__":
    main()

"""`fixring journal backup|restore|salvage|take-back`: a second copy of a journal, and a stack that goes on from it."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import orjson

from common.actor.control import is_held, is_running
from common.actor.kill_switch import actors_to_kill
from common.config import Config, load
from common.exit_status import ExitStatus
from common.journal import BackedUp, OsFiles, back_up, salvage, verify
from common.journal.files import read_whole, replace_file
from common.journal.log import LOCK
from common.journal.marks import MARK
from common.journal.salvage import INDEX
from common.journal.segments import SUFFIX as SEGMENT
from common.latch import Latch
from common.orders.index_file import copy_index
from common.past.words import time_text
from common.replication.fetch import fetch
from scripts.cli.errors import CommandError
from scripts.cli.journal_parts import AS_JSON, FOLDER, checked, folder_or_configured, own_journal, progress
from scripts.journal.evidence import take_back
from services.session.emergency import SUFFIX as EMERGENCY

EMERGENCY_FOLDER = "emergency"
"""Where a backup keeps what sessions wrote while the journal was away."""


@click.command()
@click.argument("to", type=click.Path(path_type=Path, file_okay=False))
@AS_JSON
@checked
def backup(to: Path, as_json: bool) -> None:
    """Copy the configured stack's journal to the folder TO, or carry on the copy that is there. The stack may run.

    The copy has every record that was durable when the command began, each verified twice, and what a start needs
    beside them. Segments that retention drops stay in it. Every command that reads a journal reads it (`journal verify
    TO`); `journal restore TO` makes it the stack's.
    """
    config = load()
    with progress("copying") as told:
        done = back_up(own_journal(config), OsFiles(), to, lambda part, whole: told(part, whole, "segments"))
    _copy_emergency_files(config.emergency_folder, to / EMERGENCY_FOLDER, again=True)
    if done.first_lsn > 1:
        for path in sorted((config.journal_folder / INDEX).glob("*.sqlite")):
            copy_index(path, to / INDEX / path.name)
    if as_json:
        click.echo(orjson.dumps({"to": str(to), **done._asdict()}))
    else:
        _show_backup(to, done)
    if done.first_lsn > 1 and done.without_snapshot:
        names = ", ".join(done.without_snapshot)
        text = f"{to} does not begin with record 1, and no snapshot of {names} stands on it yet: back up again"
        raise CommandError(text, ExitStatus.FAILURE)


def _show_backup(to: Path, done: BackedUp) -> None:
    click.echo(
        f"{to}: records {done.first_lsn} to {done.last_lsn}, {done.new_records:,} of them new, the last of "
        f"{time_text(done.stamp_ns)} UTC."
    )


def _copy_emergency_files(source: Path, target: Path, *, again: bool) -> None:
    """What sessions wrote while the journal was away, each file whole. `again`: also those that `target` has, since the
    one of a session that lives grows. Raises OSError."""
    files = OsFiles()
    for path in sorted(source.glob(f"*{EMERGENCY}")):
        if again or not (target / path.name).exists():
            files.make_folder(str(target))
            replace_file(files, str(target), path.name, read_whole(files, str(path)))


@click.command()
@click.argument(
    "backup_folder", metavar="[BACKUP]", required=False, type=click.Path(path_type=Path, file_okay=False)
)
@click.option("--stream", "journal_id", metavar="IDENTITY", help="The copy off the machine of that journal instead.")
@AS_JSON
@checked
def restore(backup_folder: Path | None, journal_id: str | None, as_json: bool) -> None:
    """Make a copy the configured stack's journal, with the kill switch latched: of BACKUP, or of a stream.

    BACKUP is verified first and stays as it is; of a stream (`replication list` names them) every message is, and it
    stays too. The stack must not run, nor the host whose journal it was, and the journal's folder must hold none. What
    was written after the copy is known to the venues alone: `start`, then `reconcile` until it exits 0, and only then
    `resume`.
    """
    config = load()
    if (backup_folder is None) == (journal_id is None):
        raise click.UsageError("name the folder of a backup, or --stream IDENTITY")
    files, folder = OsFiles(), config.journal_folder
    if is_running(config.reach, "journal") or is_held(folder / LOCK):
        raise CommandError("the stack runs: end it first", ExitStatus.REFUSED)
    if (folder / MARK).exists() or any(folder.glob(f"*{SEGMENT}")):
        text = f"{folder} holds a journal already: move it away, and keep it"
        raise CommandError(text, ExitStatus.REFUSED)
    with _source(config, backup_folder, journal_id) as source:
        stamp_ns = verify(source, files).last_stamp_ns
        latched = _latch_all(config)
        done = salvage(source, files, folder)
        _copy_emergency_files(source / EMERGENCY_FOLDER, config.emergency_folder, again=False)
    if as_json:
        place = {"folder": str(folder), "first_lsn": done.first_lsn, "last_lsn": done.last_lsn}
        click.echo(orjson.dumps({**place, "last_stamp_ns": stamp_ns, "latched": latched}))
        return
    click.echo(
        f"{folder}: records {done.first_lsn} to {done.last_lsn}, the last of {time_text(stamp_ns)} UTC. "
        "What was sent and filled after that only the venues know."
    )
    click.echo(f"The kill switch is latched: {', '.join(latched)}.")
    click.echo("Next: `fixring start`, `fixring reconcile` until it exits 0, then `fixring resume`.")


@contextmanager
def _source(config: Config, backup_folder: Path | None, journal_id: str | None) -> Iterator[Path]:
    """The folder that holds the copy: the one given, or one beside the journal, for as long as it is read from."""
    if backup_folder is not None:
        yield backup_folder
        return
    assert journal_id is not None
    if not re.fullmatch(r"[0-9a-f]{32}", journal_id):
        raise click.UsageError(f"{journal_id!r} is no journal's identity: `replication list` tells them")
    place = config.journal_folder.with_name(f"{config.journal_folder.name}.fetched")
    shutil.rmtree(place, ignore_errors=True)
    try:
        # It loads NATS and aiohttp, a third of what every other command on a journal needs to begin.
        from scripts.cli.replication import opened_stream

        with opened_stream(config, journal_id) as stream, progress("fetching") as told:
            fetch(stream, journal_id, place, OsFiles(), progress=lambda at, whole: told(at, whole, "messages"))
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _latch_all(config: Config) -> list[str]:
    """Set the latch of every configured session, account and bridge; their names. Raises CommandError, OSError."""
    names = actors_to_kill(list(config.accounts.values()), with_risk=False)
    for name in names:
        latch = Latch(str(config.emergency_folder), f"{name}.latch", OsFiles())
        latch.load()
        latch.latch()
        if latch.failure:
            raise CommandError(f"{latch.failure}: nothing was restored", ExitStatus.FAILURE)
    return names


@click.command("salvage")
@click.argument("to", type=click.Path(path_type=Path, file_okay=False))
@FOLDER
@AS_JSON
@checked
def salvage_command(to: Path, folder: Path | None, as_json: bool) -> None:
    """Write what can be read of a damaged journal to the folder TO. The damaged one is not touched.

    TO becomes a journal that opens, with every record before the first damage; valid frames behind it go into the
    file `behind-damage`. Where the journal's beginning was dropped, snapshots and index that it needs go with it.
    """
    try:
        done = salvage(folder_or_configured(folder), OsFiles(), to)
    except FileExistsError as error:
        raise CommandError(str(error), ExitStatus.REFUSED) from error
    damage = done.damage
    if as_json:
        place = {"file": damage.file, "offset": damage.offset, "lsn": damage.lsn, "why": damage.why} if damage else None
        click.echo(orjson.dumps({"to": str(to), "first_lsn": done.first_lsn, "last_lsn": done.last_lsn,
                                 "damage": place, "behind": done.behind, "beside": done.beside}))  # fmt: skip
        return
    click.echo(f"{to}: records {done.first_lsn} to {done.last_lsn}, as they were.")
    if done.beside:
        click.echo(f"It does not begin with record 1; with it went what it starts from: {', '.join(done.beside)}.")
    if damage is None:
        click.echo("Nothing was damaged.")
        return
    click.echo(f"Damage at {damage.file} byte {damage.offset}, record {damage.lsn}: {damage.why}.")
    for first, until in done.behind:
        click.echo(f"Behind it, readable in {to}/behind-damage: records {first} to {until}.")


@click.command("take-back")
@FOLDER
@AS_JSON
@checked
def take_back_command(folder: Path | None, as_json: bool) -> None:
    """Give the sessions what stands readable behind the damage of a salvaged journal, as evidence.

    Of the file `behind-damage` each session gets what its venue told it and the numbers that were used, and hands them
    over when the journal is started. Commands are not given back: what became of them the venue tells.
    """
    config = load()
    if is_running(config.reach, "journal"):
        raise CommandError("the journal runs: evidence is given back before it is started", ExitStatus.REFUSED)
    try:
        taken = take_back(str(folder_or_configured(folder)), str(config.emergency_folder))
    except FileNotFoundError as error:
        raise CommandError(f"{error.filename}: nothing was readable behind the damage", ExitStatus.REFUSED) from error
    if as_json:
        click.echo(orjson.dumps([back._asdict() for back in taken]))
        return
    for back in taken:
        done = "given back in" if back.is_new else "given back before, in"
        click.echo(
            f"session@{back.session}: {back.messages} messages of the venue {done} {back.file}; next outbound "
            f"MsgSeqNum(34) {back.next_outbound} of generation {back.generation}"
        )
    if not taken:
        click.echo("no session had written anything behind the damage")

"""`fixring standby` and `fixring takeover`: another host follows the journal, and goes on with it."""

import contextlib
import os
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click
import orjson

from common.actor.control import is_held, is_running, operator
from common.actor.core import STOOD_STILL_NS
from common.actor.process import AlreadyRunning, take_lock
from common.actor.snapshots import verified_before
from common.config import Config, ReplicationMode, load
from common.exit_status import ExitStatus
from common.instant import NS_PER_S
from common.journal import JournalError, OsFiles, Reader
from common.journal.claims import FOLLOWING, claim_text, remove_claim
from common.journal.followed import FollowedLog
from common.journal.log import LOCK
from common.journal.terms import TermBegan
from common.past.words import time_text
from common.replication.errors import Away, Fenced
from common.replication.following import Following
from common.replication.port import ReplicatedLog
from scripts.cli.errors import CommandError
from scripts.cli.journal_parts import AS_JSON, checked, progress
from scripts.cli.replication import IDENTITY, named_stream
from scripts.cli.warming import Warming
from scripts.journal.kept import EMERGENCY_FOLDER, HOST_FILE, LATCH
from services.session.emergency import SUFFIX as EMERGENCY

LOCK_NAME: Final = "standby"
POLL_S: Final = 0.1
MARK_S: Final = 1.0
END_S: Final = 10.0
QUIET_S: Final = STOOD_STILL_NS / NS_PER_S + 1.0
"""A former host that was stopped for less than STOOD_STILL_NS finds out within this that it is fenced; one that was
stopped for longer asks before it goes on."""


class _Ended(Exception):
    """SIGTERM or SIGINT has come."""


@click.command()
@IDENTITY
@checked
def standby(journal_id: str | None) -> None:
    """Follow the journal of the host that trades, in this host's own folder, until SIGTERM or Ctrl-C.

    With it a `takeover` here has little left to read, and the start behind that little left to fold: each time the log
    has grown by `snapshot_records` the snapshots are made that a running stack would make, and the indexes with them.
    It says how far it follows and up to which record it is warm. Nothing is traded and nothing asked of a venue
    meanwhile. A journal that this host wrote itself before is moved aside, and kept.
    """
    config = load()
    _refuse_beside_a_stack(config)
    try:
        held = take_lock(config.paths.run, LOCK_NAME)
    except AlreadyRunning as error:
        raise CommandError(str(error), ExitStatus.REFUSED) from error
    try:
        with named_stream(config, journal_id) as (stream, identity), _followed(config, identity) as log:
            warming = Warming.of_folder(config)
            try:
                with contextlib.suppress(_Ended), _until_told():
                    Standby(stream, log, warming).run()
            finally:
                warming.end()
            click.echo(f"Followed up to record {log.last_lsn}.")
    finally:
        os.close(held)


@contextmanager
def _until_told() -> Iterator[None]:
    def end(_number: int, _frame: object) -> None:
        raise _Ended

    former = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


class Standby:
    """Follows until it is ended; servers that are away are waited for."""

    def __init__(self, stream: ReplicatedLog, log: FollowedLog, warming: Warming) -> None:
        """`log` follows `stream`, and `warming` makes what a start of it begins with."""
        self._stream = stream
        self._log = log
        self._warming = warming
        self._marked_s = 0.0

    def run(self) -> None:
        """Until an exception ends it."""
        following: Following | None = None
        away, said = "", False
        while True:
            try:
                following = following or Following(self._stream, self._log)
                if not following.catch_up(lambda _at, _whole: self._between()):
                    time.sleep(POLL_S)
            except Away as error:
                if not away:
                    click.echo(f"The stream is away: {error}", err=True)
                away = str(error)
                time.sleep(10 * POLL_S)
                self._between()
                continue
            if away or not said:
                self._say()
            away, said = "", True
            self._between()

    def _between(self) -> None:
        """Between two messages: what has come is marked, so that programs see it, and a round goes on."""
        now_s = time.monotonic()
        if now_s - self._marked_s > MARK_S:
            self._marked_s = now_s
            self._log.write_mark()
        if self._warming.look(self._log.last_lsn, now_s):
            self._say()

    def _say(self) -> None:
        log = self._log
        click.echo(f"{log.folder}: follows up to record {log.last_lsn}, term {log.term}; {self._warming.text}.")


@click.command()
@IDENTITY
@click.option("--yes", is_flag=True, help="Do not ask.")
@AS_JSON
@checked
def takeover(journal_id: str | None, yes: bool, as_json: bool) -> None:
    """Go on with the journal on this host, in a new term: the host that wrote it until now is fenced.

    All of the copy is read into this host's journal folder, or the rest of it where `standby` has followed; then the
    new term is published, and what the former host writes from then on counts no more. It begins with what adds risk
    halted. Next: `scripts/start`, `fixring reconcile` until it exits 0, `fixring risk unhalt`.

    Exit status 8 where no yes is to be had of the servers, 9 where somebody else takes over at the same time.
    """
    config = load()
    _refuse_beside_a_stack(config)
    with named_stream(config, journal_id) as (stream, identity):
        stream.check()
        _end_standby(config, yes=yes)
        with _followed(config, identity, yes=yes) as log:
            following = Following(stream, log)
            with progress("reading") as told:
                following.catch_up(lambda at, whole: told(at, whole, "messages"))
            if not log.last_lsn:
                raise CommandError(f"{stream.name} holds nothing", ExitStatus.REFUSED)
            _say_what_may_be_lost(config, following)
            if not yes:
                click.confirm("Is the former host's stack ended, or cut off from the venues? Take over?", abort=True,
                              err=True)  # fmt: skip
            try:
                began = following.take_over(operator(), socket.gethostname(), time.time_ns())
            except Fenced as error:
                raise CommandError(str(error), ExitStatus.FENCED) from error
            log.write_mark()
        began_s = time.monotonic()
        _say_what_follows(log, began, as_json=as_json)
        time.sleep(max(0.0, QUIET_S - (time.monotonic() - began_s)))
        remove_claim(str(config.journal_folder), OsFiles(), FOLLOWING)


def _refuse_beside_a_stack(config: Config) -> None:
    if config.stack.replication.mode is ReplicationMode.LOCAL:
        raise CommandError('[replication] has mode = "local": there is no copy to follow', ExitStatus.REFUSED)
    if is_running(config.paths.run, "journal"):
        raise CommandError("a stack runs here with a journal of its own: end it first", ExitStatus.REFUSED)


@contextmanager
def _followed(config: Config, identity: str, *, yes: bool = True) -> Iterator[FollowedLog]:
    """The journal's folder, following; one that this host wrote itself is moved aside first."""
    folder = config.journal_folder
    _move_aside(config, identity, yes=yes)
    segment_bytes = config.stack.journal.segment_bytes
    log = FollowedLog.begin(
        folder, OsFiles(), bytes.fromhex(identity), segment_bytes=segment_bytes, trusted_lsn=verified_before(config)
    )
    try:
        yield log
    finally:
        log.close()


def _move_aside(config: Config, identity: str, *, yes: bool) -> None:
    """A journal that this host wrote is kept whole, with the sessions' emergency files and what the latches say.

    What it holds beyond the copy is evidence, and nothing is written over it. Raises CommandError.
    """
    folder, files = config.journal_folder, OsFiles()
    try:
        reader = Reader(folder, files)
        own, last = reader.identity().hex(), reader.durable_lsn()
    except JournalError:
        return
    if claim_text(str(folder), files, FOLLOWING) is not None:
        return
    if own != identity:
        text = f"{folder} holds another journal, {own}: move it away, and keep it"
        raise CommandError(text, ExitStatus.REFUSED)
    kept = _kept_name(folder, last)
    click.echo(f"{folder} holds what this host wrote itself, up to record {last}: it is kept as {kept}.", err=True)
    if not yes:
        click.confirm("Move it there, and read the copy anew?", abort=True, err=True)
    folder.rename(kept)
    (kept / HOST_FILE).write_text(f"{socket.gethostname()}\n", encoding="utf-8")
    beside = kept / EMERGENCY_FOLDER
    beside.mkdir(exist_ok=True)
    for path in sorted(config.emergency_folder.glob(f"*{EMERGENCY}")):
        shutil.move(path, beside / path.name)
    for path in sorted(config.emergency_folder.glob(f"*{LATCH}")):
        # It holds on this host as before: what a person pulled, nothing but a person takes off.
        shutil.copy2(path, beside / path.name)
    click.echo(f"Bring it in where the journal goes on: fixring replication evidence {kept}", err=True)


def _kept_name(folder: Path, last_lsn: int) -> Path:
    name, count = f"{folder.name}.kept-{last_lsn}", 0
    while (kept := folder.with_name(name if not count else f"{name}-{count}")).exists():
        count += 1
    return kept


def _end_standby(config: Config, *, yes: bool) -> None:
    """Whoever follows in this folder gives it up. Raises CommandError."""
    lock = config.paths.run / f"{LOCK_NAME}.lock"
    if is_held(lock):
        with contextlib.suppress(ProcessLookupError, ValueError):
            os.kill(int(lock.read_text().strip()), signal.SIGTERM)
    until_s = time.monotonic() + END_S
    while is_held(lock) or is_held(config.journal_folder / LOCK):
        if time.monotonic() > until_s:
            raise CommandError(f"another process has {config.journal_folder} open: end it first", ExitStatus.REFUSED)
        time.sleep(POLL_S / 4)


def _say_what_may_be_lost(config: Config, following: Following) -> None:
    chain, mode = following.chain, config.stack.replication.mode
    age_s = max(0.0, (time.time_ns() - chain.stamp_ns) / NS_PER_S)
    click.echo(
        f"The copy ends with record {chain.end.lsn} of {time_text(chain.stamp_ns)} UTC, {age_s:.1f} s ago, in term "
        f"{chain.term}.", err=True,
    )  # fmt: skip
    own = config.stack.replication
    lost = {
        ReplicationMode.QUORUM: "Nothing that was acknowledged is missing in it.",
        ReplicationMode.ASYNC: "What the former host wrote after that is lost here, orders and fills included: at most "
        f"{own.max_lag_ms / 1000:g} s and {own.max_lag_records:,} records, and what was under way then. The venues "
        "know it.",
    }  # fmt: skip
    click.echo(lost[mode], err=True)
    if age_s < QUIET_S:
        click.echo("The former host writes still: it will be fenced, and trades no more from then on.", err=True)


def _say_what_follows(log: FollowedLog, began: TermBegan, *, as_json: bool) -> None:
    if as_json:
        click.echo(orjson.dumps({
            "term": began.term, "by": began.by, "host": began.host, "after_lsn": began.lsn, "folder": log.folder,
        }))  # fmt: skip
        return
    click.echo(
        f"{log.folder}: term {began.term}, behind record {began.lsn}. The former host is fenced; what adds risk is "
        "halted here until a person takes that off."
    )
    click.echo("Next: `scripts/start`, `fixring reconcile` until it exits 0, then `fixring risk unhalt`.")

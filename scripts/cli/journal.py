"""`fixring journal`: read, check, follow, search and salvage a journal; every command takes a folder, so that a copy
can be examined."""

import math
import re
import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import orjson
import zmq

from common.actor.control import ask_all
from common.config import ConfigError, load
from common.exit_status import ExitStatus
from common.journal import (
    Damage,
    OsFiles,
    Reader,
    Verdict,
    damaged_snapshots,
    verify,
)
from common.past.replay import Block, Pace, blocks
from common.past.select import (
    Filter,
    OrderTrail,
    Shown,
    first_lsn_at,
    follow,
    last,
    last_lsn_at,
    open_reader,
    parse_point,
    select,
    sources,
)
from common.past.state import past_text
from common.past.stats import Stats, gather
from common.past.story import story
from common.past.words import KIND_NAMES, Dictionaries, document, line, payload_of, standard, time_text
from common.venues.registry import find_dictionary
from scripts.cli.asking import ANSWER_S, asked
from scripts.cli.errors import CommandError
from scripts.cli.journal_copies import backup, restore, salvage_command, take_back_command
from scripts.cli.journal_parts import AS_JSON, FOLDER, checked, folder_or_configured, own_journal, progress
from scripts.cli.names import known_name
from scripts.cli.tables import fitted
from scripts.journal.past import Past
from scripts.journal.shadow import Shadow

FOLLOW_PAUSE_S = 0.05

FROM = click.option("--from", "start", metavar="LSN|TIME", help="From this LSN or UTC time (or -5m: so long ago) on.")
TO = click.option("--to", "end", metavar="LSN|TIME", help="Up to this LSN or UTC time.")


@click.group()
def journal() -> None:
    """Read the journal: what happened, and whether it can be trusted.

    FOLDER is a journal's folder; without it, the configured stack's. LSN is a record's number, TIME is UTC.
    """


class Number(click.FloatRange):
    """A finite number in a range that begins above 0, or 0 itself, which has a meaning of its own."""

    def __init__(self, least: float, most: float, zero: str) -> None:
        """`zero` says what 0 means."""
        super().__init__(least, most)
        self._zero = zero

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number. Anything else, nan and infinities included, is wrong usage."""
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if number != 0 and not (self.min or 0) <= number <= (self.max or 0):
            self.fail(f"{value!r} is no number from {self.min} to {self.max:,}, nor 0 ({self._zero})", param, ctx)
        return number


class Range:
    """A reader with the range that --from and --to name."""

    def __init__(self, folder: Path | None, start: str | None, end: str | None) -> None:
        """Raises CommandError for a place that is none."""
        self.reader: Reader = open_reader(str(folder_or_configured(folder)))
        now_ns = time.time_ns()
        try:
            begin = parse_point(start, now_ns) if start else None
            stop = parse_point(end, now_ns) if end else None
        except ValueError as error:
            raise CommandError(str(error), ExitStatus.USAGE) from error
        self.from_lsn = first_lsn_at(self.reader, begin)
        self.upto_lsn = last_lsn_at(self.reader, stop)


def filters(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say which records."""
    for option in (
        click.option("--session", metavar="NAME", default="", help="Only this session's records."),
        click.option("--order", metavar="ORDER", default="", help="Only this order's: STRATEGY/NUMBER or ClOrdID(11)."),
        click.option("--kind", "kinds", multiple=True, metavar="KIND", help="Only this kind; may be repeated."),
        click.option("--writer", metavar="NAME", default="", help="Only what this actor wrote."),
        click.option("--ticks", is_flag=True, help="Also the clock's ticks."),
        FROM,
        TO,
    ):
        command = option(command)
    return command


def make_filter(reader: Reader, session: str, order: str, kinds: tuple[str, ...], writer: str, ticks: bool) -> Filter:
    """The filter that the options describe."""
    for kind in kinds:
        known_name("kind", kind.upper(), KIND_NAMES)
    trail = OrderTrail.of(order, reader) if order else None
    return Filter(writer, frozenset(kind.upper() for kind in kinds), session, trail, None, ticks)


def need_source(reader: Reader, session: str, writer: str, trail: OrderTrail | None, order: str) -> None:
    """See that the log holds anything of them, once nothing was found. Raises CommandError with the usage status."""
    if trail is not None and not trail.records:
        text = "no such order in this journal; it is STRATEGY/NUMBER or a ClOrdID(11), as `fixring orders list` shows"
        raise CommandError(f"{order}: {text}", ExitStatus.USAGE)
    if session or writer:
        sessions, writers = sources(reader)
        known_name("session", session.removeprefix("session@"), sessions)
        known_name("writer", writer, writers)


def dictionaries() -> Dictionaries:
    """The dictionaries of the configured sessions' venues; the standard's alone where no configuration can be read."""
    try:
        venues = load().venues
    except ConfigError:
        return standard
    return lambda session: find_dictionary(venues[session].dialect) if session in venues else None


VERBOSE = click.option("-v", "--verbose", is_flag=True, help="The whole of each record, however wide the terminal.")


def shower(as_json: bool, verbose: bool) -> Callable[[Shown], None]:
    """What puts one record after the other on standard output: on a terminal one line each, unless `verbose`."""
    if as_json:
        return lambda shown: click.echo(orjson.dumps(document(*shown)))
    names = dictionaries()
    if verbose or not sys.stdout.isatty():
        return lambda shown: click.echo(line(*shown, names))
    return lambda shown: click.echo(fitted(line(*shown, names), shutil.get_terminal_size().columns))


@journal.command()
@FOLDER
@filters
@click.option("-n", "--lines", type=click.IntRange(min=0), default=20, show_default=True, help="So many records.")
@click.option("-f", "--follow", "following", is_flag=True, help="Go on with what is written from now on.")
@VERBOSE
@AS_JSON
@checked
def tail(
    folder: Path | None,
    session: str,
    order: str,
    kinds: tuple[str, ...],
    writer: str,
    ticks: bool,
    start: str | None,
    end: str | None,
    lines: int,
    following: bool,
    verbose: bool,
    as_json: bool,
) -> None:
    """The last records, readable, with their FIX messages decoded."""
    if following and end:
        raise CommandError("--follow has no end: leave out --to, or leave out --follow", ExitStatus.USAGE)
    place = Range(folder, start, end)
    wanted = make_filter(place.reader, session, order, kinds, writer, ticks)
    seen = place.reader.durable_lsn()
    found = last(place.reader, wanted, lines, place.from_lsn, seen if following else place.upto_lsn)
    show = shower(as_json, verbose)
    for shown in found:
        show(shown)
    if not found and lines:
        # What is followed may still come.
        need_source(place.reader, session, writer, None if following else wanted.trail, order)
    if following:
        for shown in follow(place.reader, wanted, max(seen + 1, place.from_lsn), lambda: time.sleep(FOLLOW_PAUSE_S)):
            show(shown)
            sys.stdout.flush()


@journal.command()
@click.argument("pattern")
@FOLDER
@filters
@VERBOSE
@AS_JSON
@checked
def grep(
    pattern: str,
    folder: Path | None,
    session: str,
    order: str,
    kinds: tuple[str, ...],
    writer: str,
    ticks: bool,
    start: str | None,
    end: str | None,
    verbose: bool,
    as_json: bool,
) -> None:
    """Records whose FIX message matches PATTERN, a regular expression over `8=FIX.4.4|9=...|35=D|...`.

    Exit status 1 when none does.
    """
    place = Range(folder, start, end)
    wanted = make_filter(place.reader, session, order, kinds, writer, ticks)
    try:
        wanted.pattern = re.compile(pattern)
    except re.error as error:
        raise CommandError(f"{pattern!r} is no regular expression: {error}", ExitStatus.USAGE) from error
    found, show = 0, shower(as_json, verbose)
    for shown in select(place.reader, wanted, place.from_lsn, place.upto_lsn):
        show(shown)
        found += 1
    if not found:
        need_source(place.reader, session, writer, wanted.trail, order)
        raise click.exceptions.Exit(ExitStatus.FAILURE)


@journal.command("verify")
@FOLDER
@AS_JSON
@checked
def verify_command(folder: Path | None, as_json: bool) -> None:
    """Read every byte and check it, snapshots too. Exit status 7 on damage, with file, offset and LSN."""
    path = folder_or_configured(folder)
    began = time.perf_counter()
    try:
        with progress("verifying") as told:
            verdict = verify(path, OsFiles(), lambda done, whole: told(done, whole, "segments"))
    except Damage as error:
        if as_json:
            place = {"file": error.file, "offset": error.offset, "lsn": error.lsn, "why": error.why}
            click.echo(orjson.dumps({"ok": False, "folder": str(path), "damage": place}))
        raise CommandError(str(error), ExitStatus.INTEGRITY) from error
    snapshots = [str(error) for error in damaged_snapshots(path, OsFiles())]
    seconds = time.perf_counter() - began
    records = verdict.last_lsn - verdict.first_lsn + 1
    rate = round(records / seconds) if seconds else 0
    if as_json:
        click.echo(orjson.dumps({"ok": not snapshots, "folder": str(path), "records": records, **verdict._asdict(),
                                 "damaged_snapshots": snapshots, "seconds": seconds,
                                 "records_per_s": rate}))  # fmt: skip
    else:
        _show_verdict(path, verdict)
        click.echo(f"{records:,} records in {seconds:.2f} s, {rate:,} a second.")
    if snapshots:
        text = "the log is sound, but no start can use this snapshot; remove it, and look at the disk"
        raise CommandError(f"{'; '.join(snapshots)}: {text}", ExitStatus.INTEGRITY)


def _show_verdict(path: Path, verdict: Verdict) -> None:
    click.echo(
        f"{path}: sound. Records {verdict.first_lsn} to {verdict.last_lsn} in {verdict.segments} segments, confirmed "
        f"up to {verdict.confirmed_lsn}, last stamp {time_text(verdict.last_stamp_ns)} UTC."
    )
    if verdict.torn_bytes:
        click.echo(
            f"{verdict.torn_bytes} bytes behind the last record are torn ({verdict.torn_why}): they were never "
            "acknowledged, and the next start cuts them. In a running journal they are the batch being written."
        )


@journal.command()
@FOLDER
@FROM
@TO
@AS_JSON
@checked
def stats(folder: Path | None, start: str | None, end: str | None, as_json: bool) -> None:
    """What the journal is made of: records and bytes by kind and writer."""
    place = Range(folder, start, end)
    last_lsn = place.upto_lsn or place.reader.durable_lsn()
    with progress("reading") as told:
        found = gather(place.reader, place.from_lsn, place.upto_lsn, lambda lsn: told(lsn, last_lsn, "records"))
    click.echo(orjson.dumps(found.document()) if as_json else _stats_text(found))


def _stats_text(stats: Stats) -> str:
    whole = stats.all
    lines = [
        f"records {stats.first_lsn} to {stats.last_lsn}: {whole.records:,}, {whole.payload_bytes:,} payload bytes",
    ]
    if whole.records:
        rate = whole.records / stats.seconds if stats.seconds else 0.0
        lines.append(
            f"from {time_text(stats.first_stamp_ns)} to {time_text(stats.last_stamp_ns)} UTC, {rate:,.1f} records a "
            f"second, {len(stats.journal_epochs)} lives of the journal"
        )
    for title, tallies in (("kind", stats.by_kind), ("writer", stats.by_writer)):
        lines.append(f"\n{title:<20}{'records':>14}{'bytes':>16}{'mean bytes':>12}")
        for name, tally in sorted(tallies.items(), key=lambda item: -item[1].records):
            mean = tally.payload_bytes / tally.records
            lines.append(f"{name:<20}{tally.records:>14,}{tally.payload_bytes:>16,}{mean:>12.1f}")
    return "\n".join(lines)


@journal.command()
@FOLDER
@click.option("--at", "at", metavar="LSN|TIME", help="As of this LSN or UTC time; without it, the journal's end.")
@AS_JSON
@checked
def state(folder: Path | None, at: str | None, as_json: bool) -> None:
    """Orders, positions, sessions and risk as they were."""
    config = load()
    place = Range(folder or own_journal(config), None, at)
    past = Past(config, place.reader, place.upto_lsn, apart=False)
    past.read_on(place.reader, place.upto_lsn)
    found = past.document()
    click.echo(orjson.dumps(found) if as_json else past_text(found))


@journal.command()
@click.argument("order")
@FOLDER
@AS_JSON
@checked
def explain(order: str, folder: Path | None, as_json: bool) -> None:
    """The whole story of ORDER (STRATEGY/NUMBER or a ClOrdID(11)): every record and message, and what each step took.

    Exit status 6 where the journal knows of no such order.
    """
    reader = open_reader(str(folder_or_configured(folder)))
    steps = story(reader, OrderTrail.of(order, reader))
    if not steps:
        raise CommandError(f"{order}: no record is about such an order", ExitStatus.REFUSED)
    if as_json:
        click.echo(orjson.dumps({"order": order, "steps": [step.document() for step in steps]}))
        return
    names = dictionaries()
    for step in steps:
        click.echo(step.text(names))


@journal.command()
@FOLDER
@FROM
@TO
@click.option(
    "--speed",
    type=Number(0.001, 1_000_000, "at once"),
    default=0.0,
    show_default=True,
    help="So many times as fast as recorded; 1 its own pace, 0 at once.",
)
@click.option("--publish", metavar="ENDPOINT", default="", help="Bind a ZeroMQ PUB there and publish the frames.")
@click.option(
    "--wait",
    "wait_s",
    type=Number(0.001, 86_400, "not at all"),
    default=0.0,
    help="With --publish: so long for a subscriber, in seconds.",
)
@click.option("--shadow", is_flag=True, help="Feed the real folds and compare them with the recorded state hashes.")
@AS_JSON
@checked
def replay(
    folder: Path | None,
    start: str | None,
    end: str | None,
    speed: float,
    publish: str,
    wait_s: float,
    shadow: bool,
    as_json: bool,
) -> None:
    """The journal again: to the terminal, as the stack's own stream (--publish), or into a shadow stack (--shadow).

    A shadow starts at the first record, whatever --from says, or at the oldest snapshots where that one was dropped,
    and exits 7 where its state differs from the recorded.
    """
    place = Range(folder, start, end)
    pace = Pace(speed, time.monotonic_ns, time.sleep)
    if shadow:
        _replay_shadow(place, pace, as_json)
    elif publish:
        _replay_stream(place, pace, publish, wait_s, as_json)
    else:
        show = shower(as_json, verbose=True)
        for block in blocks(place.reader, place.from_lsn, place.upto_lsn):
            pace.wait(block.records[0].stamp_ns)
            for record in block.records:
                show((record, payload_of(record)))


def _replay_shadow(place: Range, pace: Pace, as_json: bool) -> None:
    shadow = Shadow(load(), place.reader)
    began, count = time.perf_counter(), 0
    for block in blocks(place.reader, shadow.past.next_lsn, place.upto_lsn):
        pace.wait(block.records[0].stamp_ns)
        shadow.run(block.records)
        count += len(block.records)
        if shadow.differs is not None:
            break
    rate = round(count / (time.perf_counter() - began))
    differs = shadow.differs
    if as_json:
        click.echo(orjson.dumps({"records": count, "compared": sum(shadow.hashes.values()), "hashes": shadow.hashes,
                                 "not_comparable": shadow.not_comparable, "steps": shadow.steps,
                                 "agreed": shadow.agreed_lsn,
                                 "differs": differs and differs._asdict(), "records_per_s": rate}))  # fmt: skip
    else:
        click.echo(f"{count:,} records, {rate:,} a second.\n{_compared_text(shadow)}")
    if differs is not None:
        raise CommandError(differs.text(), ExitStatus.INTEGRITY)


def _compared_text(shadow: Shadow) -> str:
    """What was compared, and in words what was not."""
    compared = [f"{count} of {actor}" for actor, count in shadow.hashes.items() if count]
    without = [actor for actor, count in shadow.hashes.items() if not count]
    lines = [f"State hashes compared: {', '.join(compared)}."] if compared else []
    if without:
        lines.append(f"No state hash of {' and '.join(without)} in this range: nothing was proved of {_them(without)}.")
    for actor, count in shadow.not_comparable.items():
        lines.append(f"Not comparable: {count} of {actor}, to which another version of its fold came.")
    for session, count in shadow.steps.items():
        lines.append(f"{session}: the numbers compared in {count} records of connections and logons.")
    if not shadow.steps:
        lines.append("No session connected in this range: nothing was proved of sessions.")
    return "\n".join(lines)


def _them(names: list[str]) -> str:
    return "it" if len(names) == 1 else "them"


class Publisher:
    """The stack's own stream at an endpoint: gives every block to whoever subscribed, and waits for a slow one."""

    def __init__(self, endpoint: str) -> None:
        """Raises CommandError where the endpoint cannot be had."""
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.XPUB)
        self._socket.setsockopt(zmq.XPUB_NODROP, 1)
        self._endpoint = endpoint
        self._subscribed: set[bytes] = set()
        self.sent = self.unheard = 0
        try:
            self._socket.bind(endpoint)
        except zmq.ZMQError as error:
            self.close()
            raise CommandError(f"{endpoint}: {error}: name another endpoint", ExitStatus.USAGE) from error

    def wait(self, seconds: float) -> None:
        """Return when somebody has subscribed. Raises CommandError where nobody does in time."""
        if not self._socket.poll(int(seconds * 1000)):
            raise CommandError(f"nobody subscribed to {self._endpoint} within {seconds} s", ExitStatus.TIMEOUT)

    def publish(self, block: Block) -> None:
        """Send one block, and count whether anybody was there for it."""
        while self._socket.poll(0):
            word = self._socket.recv()
            (self._subscribed.add if word[:1] == b"\1" else self._subscribed.discard)(word[1:])
        self._socket.send(block.frames)
        if self._subscribed:
            self.sent += len(block.records)
        else:
            self.unheard += len(block.records)

    def finish(self) -> None:
        """Return when every subscriber that is still there was given everything."""
        self._socket.close(linger=-1)
        # A thread of its own: the wait in ZeroMQ would hold back Ctrl-C.
        ending = threading.Thread(target=self._context.term, daemon=True)
        ending.start()
        ending.join()

    def close(self) -> None:
        """End at once, whatever was not given away."""
        self._context.destroy(linger=0)

    def document(self) -> dict[str, object]:
        """For JSON."""
        return {"records": self.sent, "unheard": self.unheard, "endpoint": self._endpoint}

    def text(self) -> str:
        """How much was sent, and how much nobody was there for."""
        unheard = f" {self.unheard:,} went to nobody: there was no subscriber (see --wait)." if self.unheard else ""
        return f"{self.sent:,} records sent to the subscribers of {self._endpoint}.{unheard}"


def _replay_stream(place: Range, pace: Pace, endpoint: str, wait_s: float, as_json: bool) -> None:
    publisher = Publisher(endpoint)
    try:
        if wait_s:
            publisher.wait(wait_s)
        for block in blocks(place.reader, place.from_lsn, place.upto_lsn):
            pace.wait(block.records[0].stamp_ns)
            publisher.publish(block)
    except BaseException:
        publisher.close()
        raise
    try:
        publisher.finish()
    except KeyboardInterrupt:
        text = f"interrupted: of {publisher.sent:,} records the last ones did not reach every subscriber"
        raise CommandError(text) from None
    click.echo(orjson.dumps(publisher.document()) if as_json else publisher.text())


@journal.command("skip")
@click.argument("lsn", type=click.IntRange(min=1))
@click.option("--yes", is_flag=True, help="Do not ask; this is the confirmation.")
@click.option("--unmet", is_flag=True, help="Also one that no running reader has left out.")
def skip_command(lsn: int, yes: bool, unmet: bool) -> None:
    """Accept that a record has no effect: every reader leaves it out from now on, and what adds risk passes again.

    A record that cannot be read or folded halts what adds risk, since what it would have said is not known. Look at it
    (`journal tail --from LSN`), compare the books with the venue (`reconcile`), and only then accept it.
    """
    config = load()
    reach = config.reach
    readers = ["orders", "risk", *(f"session@{session}" for session in config.sessions)]
    answers = ask_all(reach, [(actor, "status", {}) for actor in readers], ANSWER_S)
    details: dict[str, dict[str, Any]] = dict(answers.details)
    met = sorted(actor for actor, told in details.items() if lsn in told.get("left_out_lsns", ()))
    if not met and not unmet:
        raise CommandError(
            f"no running reader has left out record {lsn}: nothing waits for it to be skipped. `fixring status` names "
            "those that do; for one that ends at its start, add --unmet",
            ExitStatus.REFUSED,
        )
    if not yes:
        question = f"Leave out record {lsn} for good ({', '.join(met) or 'no running reader'} cannot fold it)?"
        click.confirm(question, abort=True, err=True)
    click.echo(asked(reach, "journal", "skip", {"lsn": lsn})["text"])
    for actor in met:
        if actor.startswith("session@"):
            click.echo(f"{actor}: {asked(reach, actor, 'skip', {'lsn': lsn})['text']}")


for _command in (backup, restore, salvage_command, take_back_command):
    journal.add_command(_command)

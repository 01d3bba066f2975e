"""`fixring replication init|status|list|verify|table|evidence|takeovers|faults`: the journal's copy off the machine."""

import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click
import msgspec
import orjson

from common.actor.control import NoAnswer, NotRunning, Refused, ask
from common.config import Config, ReplicationMode, load
from common.exit_status import ExitStatus
from common.journal import JournalError, OsFiles, Reader
from common.journal.errors import Gone
from common.past.words import time_text
from common.replication.chain import Chain
from common.replication.errors import Away, ReplicationError
from common.replication.nats_stream import NatsStream, address_of
from scripts.cli.errors import CommandError
from scripts.cli.journal_parts import AS_JSON, checked, progress

IDENTITY: Final = click.option(
    "--stream", "journal_id", metavar="IDENTITY", help="Which journal; of use where the servers have several."
)
FOLLOW_S: Final = 0.2
"""Between two looks at a stream that has not grown."""


@click.group()
def replication() -> None:
    """The copy of the journal off the machine, in NATS JetStream."""


def _require_a_copy(config: Config) -> None:
    if config.stack.replication.mode is ReplicationMode.LOCAL:
        raise CommandError('[replication] has mode = "local": no copy is made', ExitStatus.REFUSED)


@contextmanager
def _stream(config: Config) -> Iterator[NatsStream]:
    """The configured journal's stream. Raises CommandError for what goes wrong with it."""
    _require_a_copy(config)
    try:
        journal_id = Reader(config.journal_folder, OsFiles()).identity().hex()
    except JournalError as error:
        text = f"{error}; the stream is named after the journal: start the stack once, then say this again"
        raise CommandError(text, ExitStatus.NOT_RUNNING) from error
    with opened_stream(config, journal_id) as stream:
        yield stream


@contextmanager
def opened_stream(config: Config, journal_id: str) -> Iterator[NatsStream]:
    """The stream of that journal at the configured servers. Raises CommandError for what goes wrong with it."""
    _require_a_copy(config)
    stream = NatsStream(address_of(config), journal_id)
    try:
        yield stream
    except Away as error:
        raise CommandError(str(error), ExitStatus.NOT_ANSWERED) from error
    except ReplicationError as error:
        raise CommandError(str(error), ExitStatus.INTEGRITY) from error
    finally:
        stream.close()


@contextmanager
def named_stream(config: Config, journal_id: str | None) -> Iterator[tuple[NatsStream, str]]:
    """The journal's stream and its identity: the one named, else the one that the folder follows or holds, else the
    only one that the servers have. Raises CommandError."""
    if journal_id is None:
        try:
            journal_id = Reader(config.journal_folder, OsFiles()).identity().hex()
        except JournalError:
            with opened_stream(config, "") as stream:
                found = sorted(stream.journals())
            if len(found) != 1:
                text = f"the servers have the copies of {len(found)} journals: name one with --stream"
                raise CommandError(f"{text} (fixring replication list)", ExitStatus.USAGE) from None
            (journal_id,) = found
    if len(journal_id) != 32 or not set(journal_id) <= set("0123456789abcdef"):
        raise click.UsageError(f"{journal_id!r} is no journal's identity: `replication list` tells them")
    with opened_stream(config, journal_id) as stream:
        yield stream, journal_id


@replication.command()
def init() -> None:
    """Make the stream for the configured journal, or say that it is there and as it has to be.

    What is in the journal already is copied as soon as the stack runs with a mode other than "local". Exit status 8
    where no server answers, or the stream is there and set up in another way.
    """
    config = load()
    with _stream(config) as stream:
        replicas = config.stack.replication.replicas
        done = "made" if stream.make() else "it is there"
        click.echo(f"{stream.name}: {done}, on {replicas} server{'s' if replicas > 1 else ''}")


@replication.command()
@AS_JSON
def status(as_json: bool) -> None:
    """How far the copy is, how old it is, and what keeps it from going on; asked live.

    Exit status 4 where the replicator does not run, 10 where the copy is away or too far behind.
    """
    config = load()
    if config.stack.replication.mode is ReplicationMode.LOCAL:
        none = 'No copy is made: [replication] has mode = "local".'
        click.echo(orjson.dumps({"mode": "local"}) if as_json else none)
        return
    try:
        told = ask(config.reach, "replicator", "status")
        judged = ask(config.reach, "journal", "status").get("copy")
    except NotRunning as error:
        raise CommandError(str(error), ExitStatus.NOT_RUNNING) from error
    except (NoAnswer, Refused) as error:
        raise CommandError(str(error), ExitStatus.FAILURE) from error
    behind = isinstance(judged, dict) and bool(judged["behind"])
    if as_json:
        click.echo(orjson.dumps({**told, "judged": judged}))
    else:
        click.echo(f"mode {told['mode']}, {told['state']}: message {told['sequence']}, record {told['lsn']}")
        click.echo(f"behind by {told['lag_records']} records, {told['lag_ms']} ms; unclear answers: {told['unclear']}")
        click.echo(f"read again up to message {told['checked_sequence']}")
    if told["failing"] or behind:
        why = str(told["failing"]) or "the copy is too far behind: what adds risk is refused"
        raise CommandError(why, ExitStatus.RESTRICTED)


@replication.command("list")
@AS_JSON
def list_command(as_json: bool) -> None:
    """The journals whose copies the configured servers have: identity, messages and bytes.

    `journal restore --stream IDENTITY` makes one the stack's.
    """
    with opened_stream(load(), "") as stream:
        found = stream.journals()
    rows = [
        {"journal_id": name, "messages": info.state.messages, "bytes": info.state.bytes}
        for name, info in sorted(found.items())
    ]
    if as_json:
        click.echo(orjson.dumps(rows))
        return
    for row in rows:
        click.echo(f"{row['journal_id']}  {row['messages']:,} messages, {row['bytes']:,} bytes")
    if not rows:
        click.echo("The servers have no copy of a journal.")


@replication.command()
@AS_JSON
def verify(as_json: bool) -> None:
    """Read all of the stream, check every byte, and hold it against the journal where that still has the records.

    Also beside a running stack. Exit status 7 where the stream has a hole, a broken chain, or other records than the
    journal; 8 where no server answers, or the stream is not set up as it has to be.
    """
    config = load()
    with _stream(config) as stream, progress("reading") as told:
        stream.check()
        last = stream.last_sequence()
        chain, reader = Chain(), Reader(config.journal_folder, OsFiles())
        for found in stream.messages(1, last):
            chain.take(found)
            _check_same(chain, reader)
            told(found.sequence, last, "messages")
    if as_json:
        click.echo(orjson.dumps({"stream": stream.name, "messages": last, "last_lsn": chain.end.lsn,
                                 "last_stamp_ns": chain.stamp_ns, "term": chain.term}))  # fmt: skip
        return
    if not last:
        click.echo(f"{stream.name}: it holds nothing yet.")
        return
    click.echo(
        f"{stream.name}: {last:,} messages, records 1 to {chain.end.lsn}, term {chain.term}, the last of "
        f"{time_text(chain.stamp_ns)} UTC. Whole, and as the journal has it."
    )


def _check_same(chain: Chain, reader: Reader) -> None:
    """The checksums are a chain: where the last one is the journal's, all before it is. Raises CommandError."""
    try:
        own = reader.link_at(chain.end.lsn)
    except Gone:
        return
    except JournalError as error:
        raise CommandError(f"message {chain.sequence} of the stream: {error}", ExitStatus.INTEGRITY) from error
    if own != chain.end:
        text = f"message {chain.sequence}: up to record {chain.end.lsn} the journal does not hold what the stream does"
        raise CommandError(text, ExitStatus.INTEGRITY)


@replication.command("table")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@IDENTITY
@click.option("--follow", is_flag=True, help="Go on as the stream grows, and wait for servers that are away.")
def table_command(file: Path, journal_id: str | None, follow: bool) -> None:
    """Write the stream's records to the DuckDB table `records` in FILE, on from where the last run of it ended.

    It needs no more than the servers and the right to read there. It may be killed at any time: what was written and
    the place up to which it was read are one transaction. Exit status 7 where the stream has a hole or a broken chain.
    """
    try:
        import duckdb

        from scripts.journal.table import OtherStream, RecordTable
    except ImportError as error:
        raise CommandError(f"{error}: pip install duckdb brings it") from error
    config = load()
    _require_a_copy(config)
    try:
        with named_stream(config, journal_id) as (stream, _), RecordTable(file, stream) as table:
            while True:
                try:
                    with progress("reading") as told:
                        written = table.catch_up(lambda at, whole: told(at, whole, "messages"))
                except Away:
                    if not follow:
                        raise
                    written = 0
                if not follow:
                    break
                if not written:
                    time.sleep(FOLLOW_S)
            click.echo(f"{file}: records up to {table.chain.end.lsn}, of {table.chain.sequence:,} messages.")
    except (duckdb.Error, OtherStream) as error:
        raise CommandError(str(error)) from error


@replication.command()
@click.argument("kept_folder", metavar="KEPT", type=click.Path(path_type=Path, file_okay=False))
@click.option("--host", default="", help="Who wrote it, where the folder does not say so.")
@click.option("--look", is_flag=True, help="Only show what would be brought in.")
@AS_JSON
@checked
def evidence(kept_folder: Path, host: str, look: bool, as_json: bool) -> None:
    """Bring in what a former host wrote beyond the copy: each frame that our books do not bear out, once.

    KEPT is the folder that `standby` or `takeover` moved aside on the host that came back, or a copy of it; say it
    where orders and the journal run. An order that our log never had is UNKNOWN in our books from then on, under a
    number of its own, and its venue is asked. All else changes no order, fill or position: each difference goes into
    the journal as a discrepancy, for a person to settle with the venue. Said again, what is in already is left out.
    """
    from scripts.journal.bring_in import Stopped, bring_in
    from scripts.journal.kept import NotComparable, host_of

    config = load()
    if not kept_folder.is_dir():
        raise CommandError(f"{kept_folder}: there is no such folder", ExitStatus.USAGE)
    host = host or host_of(kept_folder)
    if not host:
        raise CommandError(f"{kept_folder} does not say who wrote it: name it with --host", ExitStatus.USAGE)
    try:
        done = bring_in(config, kept_folder, host, look=look)
    except NotComparable as error:
        raise CommandError(str(error), ExitStatus.INTEGRITY) from error
    except NotRunning as error:
        raise CommandError(str(error), ExitStatus.NOT_RUNNING) from error
    except (NoAnswer, Refused, Stopped) as error:
        raise CommandError(f"{error}; what is in stays, and is not brought in twice") from error
    if as_json:
        rows = [msgspec.to_builtins(row) for row in done.rows]
        click.echo(orjson.dumps({"fork_lsn": done.fork_lsn, "new": rows, "before": done.before, "silent": done.silent}))
        return
    for row in done.rows:
        click.echo(f"{row.account or '-'} {row.subject}: ours {row.ours}, theirs {row.theirs}; {row.frame}")
    what = "would be brought in" if look else "brought in"
    click.echo(
        f"{kept_folder} parts from the log behind record {done.fork_lsn}: {len(done.rows)} differences {what}, "
        f"{done.before} were in before; {done.silent} records had been told to nobody."
    )


@replication.command()
@click.option("--mode", type=click.Choice(["async", "quorum"]), default="async", show_default=True, help="Of the copy.")
@click.option("--rounds", default=1, show_default=True, help="How many takeovers.")
@click.option("--seed", type=int, help="Decides the load and how each host ends; drawn without one.")
@AS_JSON
def takeovers(mode: str, rounds: int, seed: int | None, as_json: bool) -> int:
    """Have a host die, or stand still, under load, another one take over, and compare everybody's account.

    Two hosts, a simulated venue and NATS servers of their own, in a folder and on ports of their own: each round kills
    or stops every process of the host that trades, with commands under way, takes over on the other, wakes what was
    stopped, and asks the venue. Exit status 1 where a bound was broken, books differ, or the first host wrote a byte.
    """
    from scripts.stack import StackFailed
    from scripts.torture.takeovers import Round, Takeovers

    seed = random.SystemRandom().randrange(1 << 32) if seed is None else seed
    done: list[Round] = []
    with tempfile.TemporaryDirectory(prefix="fxr") as folder:
        tried = Takeovers(Path(folder), mode, seed)
        for number in range(rounds):
            try:
                done.append(tried.round(number))
            except StackFailed as error:
                raise CommandError(f"round {number} of seed {seed}: {error}") from error
            if not as_json:
                click.echo(done[-1].told_as(number))
    if as_json:
        click.echo(orjson.dumps({"mode": mode, "seed": seed, "rounds": [each._asdict() for each in done]}))
    else:
        lost = sum(each.lost for each in done)
        wrong = sum(bool(each.wrong) for each in done)
        click.echo(f"{len(done)} takeovers ({mode}, seed {seed}): {lost} orders lost, {wrong} rounds with faults found")
    return ExitStatus.FAILURE if any(each.wrong for each in done) else ExitStatus.OK


@replication.command()
@click.option("--only", default="", metavar="KIND", help="Only what is called so: kill, stop, cut or disk.")
@click.option("--servers", "counts", type=click.Choice(["1", "2"]), help="Only so many of the three at once.")
@click.option("--seed", type=int, help="Decides the load; drawn without one.")
@AS_JSON
def faults(only: str, counts: str | None, seed: int | None, as_json: bool) -> int:
    """Have one, then two of three servers fail in each way under load, and see what a stack in "quorum" makes of it.

    Servers are killed, stopped, cut off from the other two, and have their disks filled (which takes root), the
    stream's leader first, on ports and in a folder of their own. With one away every order is to be acknowledged; with
    two none is, status, metrics and alerts are to say so, and the kill switch is to empty the venue's books. Then it is
    to go on by itself. Exit status 1 where anything was otherwise.
    """
    from scripts.stack import StackFailed
    from scripts.torture.server_faults import HEAD, KINDS, ServerFaults, document

    if only and only not in KINDS:
        raise CommandError(f"no fault is called {only!r}; there are {', '.join(KINDS)}", ExitStatus.USAGE)
    seed = random.SystemRandom().randrange(1 << 32) if seed is None else seed
    rows, wrong = [], []
    try:
        with tempfile.TemporaryDirectory(prefix="fxr") as folder, ServerFaults(Path(folder), seed) as tried:
            if not as_json:
                click.echo(HEAD)
            for count in (1, 2) if counts is None else (int(counts),):
                for kind in (only,) if only else KINDS:
                    rows.append(tried.round(kind, count))
                    if not as_json:
                        click.echo(rows[-1].told())
            wrong = tried.compare()
    except StackFailed as error:
        raise CommandError(f"seed {seed}: {error}") from error
    if as_json:
        click.echo(document(rows, seed, wrong))
    else:
        for text in wrong:
            click.echo(f"WRONG: {text}")
        left_out = sum(bool(row.left_out) for row in rows)
        click.echo(f"{len(rows) - left_out} faults (seed {seed}), {left_out} left out")
    return ExitStatus.FAILURE if wrong or any(row.wrong for row in rows) else ExitStatus.OK

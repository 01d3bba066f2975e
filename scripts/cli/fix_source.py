"""Where the `fixring fix` commands get messages: files, standard input, the journal."""

import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import click
import msgspec

from common import config, messages
from common.fix.dictionary import VERSIONS, Dictionary
from common.fix.errors import DictionaryError
from common.fix.text import Finder, dictionary_for
from common.fix.wire import Framer, utc_timestamp
from common.journal.errors import JournalError
from common.journal.files import OsFiles
from common.journal.reader import iterate
from scripts.cli.errors import CommandError

READ_BYTES = 1 << 16


class Item(NamedTuple):
    """A message and what is known of where it stood: a log line's beginning, or LSN, stamp, session and direction."""

    prefix: str
    raw: bytes


class Source(NamedTuple):
    """What the shared options chose."""

    items: Callable[[], Iterator[Item]]
    dictionary: Callable[[str], Dictionary]


def source_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that every reading command has."""
    for option in (
        click.argument("files", nargs=-1, type=click.Path(exists=True, allow_dash=True, dir_okay=False)),
        click.option("--journal", "from_journal", is_flag=True, help="Read the stack's journal instead of files."),
        click.option(
            "--journal-folder",
            type=click.Path(exists=True, file_okay=False),
            help="Read the journal in this folder instead of files.",
        ),
        click.option("--session", "session", help="With a journal: only this session."),
        click.option("--dictionary", "version", type=click.Choice(VERSIONS), help="Instead of BeginString(8)'s."),
        click.option(
            "--additions",
            type=click.Path(exists=True, dir_okay=False),
            help="A TOML file with a [dictionary] table: a venue's fields, values and message types.",
        ),
    ):
        command = option(command)
    return command


def open_source(
    files: tuple[str, ...],
    from_journal: bool,
    journal_folder: str | None,
    session: str | None,
    version: str | None,
    additions: str | None,
) -> Source:
    """The messages and the dictionaries that the options name. Raises CommandError, ConfigError."""
    if from_journal or journal_folder:
        if files:
            raise click.UsageError("give files or a journal, not both")
        folder = Path(journal_folder) if journal_folder else config.load().journal_folder
        return Source(lambda: _from_journal(folder, session), _dictionaries(version, additions))
    if session:
        raise click.UsageError("--session goes with --journal: a file does not say whose messages it holds")
    return Source(lambda: _from_files(files or ("-",)), _dictionaries(version, additions))


def _dictionaries(version: str | None, additions: str | None) -> Callable[[str], Dictionary]:
    extra: dict[str, Any] = {}
    if additions is not None:
        try:
            extra = tomllib.loads(Path(additions).read_text(encoding="utf-8")).get("dictionary", {})
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise CommandError(f"{additions}: {error}") from error
    layered: dict[Dictionary, Dictionary] = {}

    def choose(begin_string: str) -> Dictionary:
        base = Dictionary.load(version) if version else dictionary_for(begin_string)
        if not extra:
            return base
        try:
            if base not in layered:
                layered[base] = base.with_additions(extra)
        except DictionaryError as error:
            raise CommandError(f"{additions}: {error}") from error
        return layered[base]

    return choose


def _from_files(files: tuple[str, ...]) -> Iterator[Item]:
    for name in files:
        with click.open_file(name, "rb") if name != "-" else sys.stdin.buffer as stream:
            finder = Finder()
            # read1 gives what is there: `tail -f log | fixring fix cat` shows a message when it comes.
            while data := stream.read1(READ_BYTES):  # type: ignore[union-attr]
                for found in finder.feed(data):
                    yield Item(found.prefix, found.raw)
            for found in finder.close():
                yield Item(found.prefix, found.raw)


def _from_journal(folder: Path, session: str | None) -> Iterator[Item]:
    decoder = msgspec.msgpack.Decoder(messages.Outbound | messages.Inbound)
    try:
        for record in iterate(folder, OsFiles()):
            if record.kind not in (messages.Kind.OUTBOUND, messages.Kind.INBOUND):
                continue
            entry = decoder.decode(record.payload)
            if session is not None and entry.session != session:
                continue
            way = ">" if isinstance(entry, messages.Outbound) else "<"
            stamp = utc_timestamp(record.stamp_ns, 6).decode()
            yield Item(f"{record.lsn} {stamp} {entry.session}.{entry.generation} {way}", entry.raw)
    except JournalError as error:
        raise CommandError(str(error)) from error


def is_framed(raw: bytes) -> bool:
    """Whether BodyLength(9) and CheckSum(10) hold."""
    framer = Framer()
    return framer.feed(raw) == [raw] and framer.garbled == 0

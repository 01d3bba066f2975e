"""Where the `fixring fix` commands get messages: files, standard input, the journal."""

import sys
import tomllib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import click
import msgspec

from common import config, messages
from common.fix.dictionary import VERSIONS, Dictionary
from common.fix.errors import DictionaryError
from common.fix.text import dictionary_for
from common.fix.wire import utc_timestamp
from common.journal.errors import JournalError
from common.journal.files import OsFiles
from common.journal.reader import iterate
from scripts.cli.errors import CommandError
from scripts.cli.fix_forms import as_utf8, messages_in, unzipped
from scripts.cli.journal_parts import own_journal
from scripts.cli.names import known_name

READ_BYTES = 1 << 16
FORMS = (
    "a message begins with 8=FIX and has one separator (SOH, |, ^A, <SOH> or any other) behind every field; "
    "the file is text, UTF-16 or gzip, or JSON lines"
)


class Item(NamedTuple):
    """A message and what is known of where it stood: a log line's beginning, or LSN, stamp, session and direction."""

    prefix: str
    raw: bytes


class Source:
    """The messages that the shared options chose, and the dictionaries to read them by."""

    def __init__(
        self, read: Callable[[Callable[[str], None]], Iterator[Item]], dictionary: Callable[[str], Dictionary]
    ) -> None:
        """`read` gives the messages and tells its argument, in words, what it could not read."""
        self.dictionary = dictionary
        self._read = read
        self._faults: list[str] = []

    def items(self) -> Iterator[Item]:
        """Every message in order. Raises CommandError for a journal that cannot be read."""
        yield from self._read(self._faults.append)

    def see_that_all_was_read(self) -> None:
        """See that there were messages, and nothing beside them that could not be read: silence would look like an
        answer. Raises CommandError.
        """
        if self._faults:
            raise CommandError("; ".join(self._faults))


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
        folder = Path(journal_folder) if journal_folder else own_journal(config.load())
        return Source(lambda note: _from_journal(folder, session, note), _dictionaries(version, additions))
    if session:
        raise click.UsageError("--session goes with --journal: a file does not say whose messages it holds")
    return Source(lambda note: _from_files(files or ("-",), note), _dictionaries(version, additions))


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


def _from_files(files: tuple[str, ...], note: Callable[[str], None]) -> Iterator[Item]:
    for name in files:
        called = "standard input" if name == "-" else name
        count = 0
        unread: list[int] = []
        damage: list[str] = []
        with click.open_file(name, "rb") if name != "-" else sys.stdin.buffer as stream:
            # read1 gives what is there: `tail -f log | fixring fix cat` shows a message when it comes.
            chunks = iter(partial(stream.read1, READ_BYTES), b"")  # type: ignore[union-attr]
            plain = unzipped(chunks, damage.append)
            for found in messages_in(as_utf8(plain), unread.append):
                count += 1
                yield Item(found.prefix, found.raw)
        if damage:
            note(f"{called}: {damage[0]}; what stands before that was read")
        if sum(unread):
            places = "1 place" if sum(unread) == 1 else f"{sum(unread)} places"
            note(f"{called}: what begins like a FIX message and was not read: {places}; {FORMS}")
        elif not count and not damage:
            note(f"{called}: no FIX message found; {FORMS}")


def _from_journal(folder: Path, session: str | None, note: Callable[[str], None]) -> Iterator[Item]:
    decoder = msgspec.msgpack.Decoder(messages.Outbound | messages.Inbound)
    sessions: set[str] = set()
    count = 0
    try:
        for record in iterate(folder, OsFiles()):
            if record.kind not in (messages.Kind.OUTBOUND, messages.Kind.INBOUND):
                continue
            entry = decoder.decode(record.payload)
            sessions.add(entry.session)
            if session is not None and entry.session != session:
                continue
            count += 1
            way = ">" if isinstance(entry, messages.Outbound) else "<"
            stamp = utc_timestamp(record.stamp_ns, 6).decode()
            yield Item(f"{record.lsn} {stamp} {entry.session}.{entry.generation} {way}", entry.raw)
    except JournalError as error:
        raise CommandError(str(error)) from error
    known_name("session", session or "", sessions)
    if not count:
        note(f"{folder}: no FIX message in this journal")

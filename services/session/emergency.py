"""The emergency file: the session's journal while the kill latch holds and the journal does not answer.

One file for each life of a session, made ahead of time. What is in it is handed to the journal, oldest file first,
before anything else, by whichever process holds the session; how far that went is folded from the log itself, so that
it can be broken off anywhere and goes on from there.

A hand-over is framed in the log by two records of the session: one names the file and the record it begins with, the
other says that it is complete. Whatever the session wrote between them, in the same epoch, are the file's records in
order. A log that was salvaged ends before what a file was begun behind: a third record, before the two, says which
inbound numbers stand in neither. The next connection goes on from the first of them, so that the venue tells them
again.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple, cast

import msgspec

from common.instant import Instant
from common.journal.emergency import EmergencyFile, read_emergency
from common.journal.errors import BadEntry, JournalError
from common.journal.files import Files
from common.journal.frames import Entry, Record
from common.messages import UNDECODABLE, Inbound, Payload, SessionChanged, encode

# The whole text, as the functions below make it: anything else is what somebody wrote to be read.
_FRAME = re.compile(r"emergency file (?P<name>\S+) (?:complete|from record (?P<first>[1-9][0-9]{0,17}))")
_LOST = re.compile(r"inbound (?P<first>[1-9][0-9]{0,17}) to [1-9][0-9]{0,17} not in the log, asked for again")


def hand_over_begins(name: str, done: int) -> str:
    """The text of the record before those of file `name`, of which `done` are in the log already."""
    return f"emergency file {name} from record {done + 1}"


def hand_over_complete(name: str) -> str:
    """The text of the record behind the last one of file `name`."""
    return f"emergency file {name} complete"


def inbound_lost(first: int, last: int) -> str:
    """The text of the record that says which inbound numbers neither the log nor a file holds."""
    return f"inbound {first} to {last} not in the log, asked for again"


def lost_inbound(generation: int, next_inbound: int, payloads: Iterable[Payload]) -> tuple[int, int] | None:
    """The first and the last inbound number that the log, which goes up to `next_inbound` of its `generation`, lacks
    before those of a file, and the file too; None where nothing is missing, or other numbers have begun.
    """
    begins, told = 0, set()
    for payload in payloads:
        if not isinstance(payload, SessionChanged | Inbound) or payload.generation != generation:
            continue
        begins = begins or (payload.msg_seq_num if isinstance(payload, Inbound) else payload.next_inbound)
        if isinstance(payload, Inbound):
            told.add(payload.msg_seq_num)
    missing = [number for number in range(next_inbound, begins) if number not in told]
    return (missing[0], missing[-1]) if missing else None


class HandOvers:
    """By file: how many of its records the log holds, and which files it holds to their end.

    `lost_from` is the first inbound number that was said to be lost, while a hand-over tells of later ones; 0 none.
    """

    def __init__(self) -> None:
        self.done: dict[str, int] = {}
        self.whole: set[str] = set()
        self.lost_from = 0
        self.under_way = ""
        """Whose records follow, which are of the past; "" for the living session's own."""

    def see_record(self, payload: Payload) -> bool:
        """Fold one of the session's records; whether it is a frame of a hand-over and nothing else."""
        if isinstance(payload, SessionChanged):
            if (frame := _FRAME.fullmatch(payload.text)) is not None:
                self._frame(frame["name"], frame["first"])
                return True
            if (said := _LOST.fullmatch(payload.text)) is not None:
                self.lost_from = int(said["first"])
                return True
        if self.under_way:
            self.done[self.under_way] += 1
        else:
            # The living session's own words again, which go on from there.
            self.lost_from = 0
        return False

    def new_epoch(self) -> None:
        """The session writes under another epoch from here on: a hand-over under way has ended where it stands."""
        self.under_way = ""

    def dump(self) -> tuple[list[tuple[str, int]], list[str], str]:
        """Everything folded but `lost_from`, for a snapshot."""
        return list(self.done.items()), sorted(self.whole), self.under_way

    def load(self, done: list[tuple[str, int]], whole: list[str], under_way: str, lost_from: int) -> None:
        """What `dump` gave, and `lost_from`."""
        self.done, self.whole, self.under_way, self.lost_from = dict(done), set(whole), under_way, lost_from

    def _frame(self, name: str, first: str | None) -> None:
        if first is None:
            self.whole.add(name)
            self.under_way = ""
        else:
            # Said in full, so that reading it twice counts it once.
            self.done[name] = int(first) - 1
            self.under_way = name


SUFFIX = ".emergency"
_decode = msgspec.msgpack.Decoder(Payload).decode


class Waiting(NamedTuple):
    """A file that is not handed over to its end: its name and every payload in it, in order."""

    name: str
    payloads: list[Payload]


class Emergency:
    """This life's file, and those that earlier lives left."""

    def __init__(self, folder: str, session: str, writer: str, files: Files, size_bytes: int) -> None:
        self._folder = folder
        self._prefix = f"{session}-"
        self._writer = writer
        self._files = files
        self._size_bytes = size_bytes
        self._file: EmergencyFile | None = None
        self.epoch = 0
        self.unwritten: list[Entry] = []
        """What `flush` is to make durable."""
        self._number = 0
        self.name = ""
        self.active = False
        self.failure = ""

    def prepare(self, epoch: int, handed_over: Iterable[str] = ()) -> None:
        """Make the file of this life, `epoch`; a failure shows in `failure`. `handed_over` names the files that the log
        tells of: a name that it holds to be complete is never given to another file."""
        self.close()
        self.active = False
        # The journal does not know what epochs files were given while it was away: a name is never used twice.
        used = max((self.epoch, *map(self._epoch_of, (*self._names(), *handed_over))))
        self.epoch, self._number = max(epoch, used + 1), 0
        self.unwritten.clear()
        self.name = f"{self._prefix}{self.epoch}{SUFFIX}"
        try:
            self._file = EmergencyFile.create(
                f"{self._folder}/{self.name}", self._files, epoch=self.epoch, size_bytes=self._size_bytes
            )
            self.failure = ""
        except (JournalError, OSError) as error:
            self.failure = str(error)

    def waiting(self) -> list[Waiting]:
        """The files with anything in them, oldest first; an empty one of an earlier life is removed. Raises
        JournalError, OSError.
        """
        found: list[Waiting] = []
        for name in self._names():
            path = f"{self._folder}/{name}"
            if name == self.name and not self._number:
                continue
            frames = read_emergency(path, self._files)
            if frames:
                found.append(Waiting(name, [_payload_of(frame, path) for frame in frames]))
            else:
                self._files.remove(path)
        return found

    def discard(self, name: str) -> None:
        """The journal has all of it. A failure leaves the file, and the next life finds it handed over already."""
        if name == self.name:
            self.close()
        try:
            self._files.remove(f"{self._folder}/{name}")
            self._files.sync_folder(self._folder)
        except OSError as error:
            self.failure = f"{name}: {error}"

    def add_record(self, kind: int, payload: Payload) -> int:
        """Queue one record of this turn. Returns its number in the file."""
        self._number += 1
        self.unwritten.append(Entry(kind, self._writer, self.epoch, self._number, encode(payload)))
        return self._number

    @property
    def last_number(self) -> int:
        """The number of the last record in the file or on its way there; 0 before one."""
        return self._number

    @property
    def durable_number(self) -> int:
        """The number of the last record that is durable in the file; 0 before one."""
        return self._number - len(self.unwritten)

    def flush(self, now: Instant) -> int:
        """Make the turn's records durable. Returns the last number that is; after a failure, which shows, nothing
        more is.
        """
        if not self.unwritten or self.failure or self._file is None:
            return self.durable_number
        try:
            self._file.append(self.unwritten, now.wall_ns)
        except (JournalError, OSError) as error:
            self.failure = str(error)
            return self.durable_number
        self.unwritten.clear()
        return self._number

    def take_unwritten(self) -> list[Payload]:
        """What `flush` could not make durable, in order; it is not this file's any more."""
        payloads = [_decode(entry.payload) for entry in self.unwritten]
        self.unwritten.clear()
        return payloads

    def close(self) -> None:
        """Give the file back; what was flushed stays."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _names(self) -> list[str]:
        try:
            names = self._files.list(self._folder)
        except FileNotFoundError:
            return []
        ours = [name for name in names if name.startswith(self._prefix) and name.endswith(SUFFIX)]
        return sorted(ours, key=self._epoch_of)

    def _epoch_of(self, name: str) -> int:
        digits = name.removeprefix(self._prefix).removesuffix(SUFFIX)
        return int(digits) if digits.isdigit() else 0


def _payload_of(frame: Record, path: str) -> Payload:
    """Raises BadEntry where it is none: what a kill switch did is not to be left out in silence."""
    try:
        return cast(Payload, _decode(frame.payload))
    except UNDECODABLE as error:
        raise BadEntry(f"{path}: entry {frame.append_number}: {error}. Keep the file; move it away to go on") from error

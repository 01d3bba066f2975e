"""The emergency file: the session's journal while the kill latch holds and the journal does not answer.

One file for each life of a session, made ahead of time. What is in it is handed to the journal, oldest file first,
before anything else, by whichever process holds the session; how far that went is folded from the log itself, so that
it can be broken off anywhere and goes on from there.
"""

from collections.abc import Iterable
from typing import NamedTuple, cast

import msgspec

from common.instant import Instant
from common.journal.emergency import EmergencyFile, read_emergency
from common.journal.errors import BadEntry, JournalError
from common.journal.files import Files
from common.journal.frames import Entry, Record
from common.messages import UNDECODABLE, Payload, encode

SUFFIX = ".emergency"
_decode = msgspec.msgpack.Decoder(Payload).decode


class Waiting(NamedTuple):
    """A file that is not handed over to its end: its name and every payload in it, in order."""

    name: str
    payloads: list[tuple[int, Payload]]


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
        self._unwritten: list[Entry] = []
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
        used = max(self.epoch, self.last_epoch(), *map(self._epoch_of, handed_over), 0)
        self.epoch, self._number = max(epoch, used + 1), 0
        self._unwritten.clear()
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
                found.append(Waiting(name, [(frame.kind, _payload_of(frame, path)) for frame in frames]))
            else:
                self._files.remove(path)
        return found

    def last_epoch(self) -> int:
        """The highest epoch that a file is named for."""
        return max((self._epoch_of(name) for name in self._names()), default=0)

    def discard(self, name: str) -> None:
        """The journal has all of it. A failure leaves the file, and the next life finds it handed over already."""
        if name == self.name:
            self.close()
        try:
            self._files.remove(f"{self._folder}/{name}")
            self._files.sync_folder(self._folder)
        except OSError as error:
            self.failure = f"{name}: {error}"

    def add(self, kind: int, payload: Payload) -> int:
        """Queue one record of this turn. Returns its number in the file."""
        self._number += 1
        self._unwritten.append(Entry(kind, self._writer, self.epoch, self._number, encode(payload)))
        return self._number

    def flush(self, now: Instant) -> int:
        """Make the turn's records durable. Returns the last number that is; after a failure, which shows, nothing
        more is.
        """
        if not self._unwritten or self.failure or self._file is None:
            return self._number - len(self._unwritten)
        try:
            self._file.append(self._unwritten, now.wall_ns)
        except (JournalError, OSError) as error:
            self.failure = str(error)
            return self._number - len(self._unwritten)
        self._unwritten.clear()
        return self._number

    def take_unwritten(self) -> list[Payload]:
        """What `flush` could not make durable, in order; it is not this file's any more."""
        payloads = [_decode(entry.payload) for entry in self._unwritten]
        self._unwritten.clear()
        return payloads

    @property
    def has_unwritten(self) -> bool:
        """Whether `flush` has something to do."""
        return bool(self._unwritten)

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

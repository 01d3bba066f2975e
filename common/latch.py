"""The kill latch: one bit in a file of its own that outlives the process, the journal and the host.

The file is made ahead of time, so that setting the latch needs no room and no new name. Only a whole and checked "open"
counts as open: a torn or foreign content is a latch.
"""

from zlib import crc32

from common.journal.files import Files, write_all

FILE_BYTES = 512
OPEN = b"open"
LATCHED = b"latched"


def _content(word: bytes) -> bytes:
    line = b"fixring kill latch: %b %08x\n" % (word, crc32(word))
    return line.ljust(FILE_BYTES, b"\n")


class Latch:
    """The latch in `folder`/`name`. `set` is what holds; `failure` says why the file cannot be trusted to keep it, or
    ""."""

    def __init__(self, folder: str, name: str, files: Files) -> None:
        self._folder = folder
        self._path = f"{folder}/{name}"
        self._files = files
        self.set = False
        self.failure = ""

    def load(self) -> None:
        """Read the file, or make it, open and durable. A file that cannot be made latches nothing, it only shows in
        `failure`. Raises OSError where nobody could look whether it is there, or what it says: it may be a latch.
        """
        self.failure = ""
        try:
            self._files.make_folder(self._folder)
        except OSError as error:
            self.failure = f"{self._path}: {error}"
        if self._is_there():
            self.set = self._read() != _content(OPEN)
        elif not self.failure:
            self._keep(OPEN)

    def latch(self) -> None:
        """Set it. It holds in memory from here on, and on the disk unless `failure` says otherwise."""
        self.set = True
        self._keep(LATCHED)

    def hold(self) -> None:
        """Set it for this life alone: the next one is not to find it."""
        self.set = True

    def release(self) -> bool:
        """Clear it; False, and nothing changes, where the file does not take it: a restart would find the latch."""
        self._keep(OPEN)
        if self.failure:
            return False
        self.set = False
        return True

    def _keep(self, word: bytes) -> None:
        try:
            there = self._is_there()
            handle = self._files.open(self._path, write=True) if there else self._files.create(self._path)
            self._write(word, handle)
            self._files.sync_folder(self._folder)
            self.failure = ""
        except OSError as error:
            self.failure = f"{self._path}: {error}"

    def _is_there(self) -> bool:
        try:
            return self._path.rpartition("/")[2] in self._files.list(self._folder)
        except (FileNotFoundError, NotADirectoryError):
            return False

    def _write(self, word: bytes, handle: int) -> None:
        try:
            write_all(self._files, handle, _content(word), 0)
            self._files.sync(handle)
        finally:
            self._files.close(handle)

    def _read(self) -> bytes:
        handle = self._files.open(self._path, write=False)
        try:
            return self._files.read_at(handle, FILE_BYTES, 0)
        finally:
            self._files.close(handle)


def unreadable_latch(actor: str, error: OSError) -> str:
    """What an actor ends with that could not look at its latch."""
    return f"{actor}: whether the kill switch is latched cannot be read: {error}; see to the disk, it is tried again"

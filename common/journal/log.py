"""The log: one writer, group-committed batches, everything acknowledged is durable.

    with the folder locked:
        append  = frame the batch, one write, one fdatasync (durability "disk"), then it is acknowledged
        mark    = sync (durability "process": what was appended since the last one), then say how far that came
        rotate  = temporary file, header, sync, rename, sync of the folder; before it the mark is written and synced
        open    = survey (recovery.py), copy what is not confirmed into a new segment, sync, cut the old one, new epoch

The first error of a file call fails the log for good: Linux may report success the second time with the data gone.
"""

import errno
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Literal, NamedTuple, Self, TypeVar

from crc32c import crc32c

from common.instant import NS_PER_S
from common.journal.claims import refuse_if_claimed
from common.journal.errors import BadEntry, Locked, LogFailed, NoFolder, NoSpace, UnsafeFileSystem
from common.journal.files import NETWORK_FILE_SYSTEMS, Files, Folder, remove_if_there, replace_file, write_all
from common.journal.frames import EPOCH, OWN_WRITER, TERM_WRITER, Entry, Link, frame
from common.journal.marks import MARK, SLOT_SPACING, Mark, write_mark
from common.journal.recovery import Survey, read_range, survey
from common.journal.released import remove_released, write_released
from common.journal.segments import SegmentHeader, first_lsns, segment_name
from common.journal.terms import FIRST_TERM, TERM_RECORDS
from common.journal.writers import Writers, WriterState

Durability = Literal["disk", "process"]

SEGMENT_BYTES = 64 << 20
LOCK = "lock"
_TEMPORARY = ".tmp"
_PREPARED = "next.tmp"
_RESERVE = "reserve"
# The least that a segment begun on a nearly full disk is allocated beyond what it must hold at once.
_LEAST_ROOM_BYTES = 4096
_ENOSPC = (errno.ENOSPC, errno.EDQUOT)
_NO_FOLDER = (errno.EEXIST, errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP)

T = TypeVar("T")


class AppendedBatch(NamedTuple):
    """A batch that is in the log: its records' numbers, and `block`, the exact frames, to hand to followers."""

    first_lsn: int
    last_lsn: int
    stamp_ns: int
    block: bytes


class Recovery(NamedTuple):
    """What `Log.open` found and did.

    `copied_records` were valid but not confirmed and stand in a new segment now. `torn_bytes` were beyond the last
    valid record, never acknowledged, and are kept in the file `torn_file`; `torn_why` says how they were bad.
    """

    created: bool
    last_lsn: int
    confirmed_lsn: int
    copied_records: int
    torn_bytes: int
    torn_why: str
    torn_file: str


class Log:
    """An open log. Made by `Log.open`; not shared between threads."""

    def __init__(
        self, folder: str, files: Files, lock: int, segment_bytes: int, durability: Durability, reserve_bytes: int
    ) -> None:
        self.folder = folder
        self.durability: Durability = durability
        self.identity = b""
        self.epoch = 0
        self.last_stamp_ns = 0
        self.recovery = Recovery(True, 0, 0, 0, 0, "", "")
        self._files = files
        self._lock = lock
        self._segment_bytes = segment_bytes
        self._reserve_bytes = reserve_bytes
        self._reserve_held = False
        self._end = Link(0, 0)
        self._durable = Link(0, 0)
        self._writers = Writers()
        self._starts: list[int] = []
        self._handle = -1
        self._position = 0
        self._allocated = 0
        self._prepared = -1
        self._prepared_bytes = 0
        self._mark_handle = -1
        self._mark = Mark(0, Link(0, 0), 0, 1)
        self._mark_synced = True
        self._failure: OSError | None = None

    @classmethod
    def open(
        cls,
        folder: Folder,
        files: Files,
        *,
        wall_ns: int,
        segment_bytes: int = SEGMENT_BYTES,
        durability: Durability = "disk",
        trusted_lsn: int = 0,
        reserve_bytes: int = 0,
    ) -> "Log":
        """Lock the folder (made where missing), recover what it holds, begin a new journal epoch.

        The new epoch is max(last + 1, `wall_ns` in seconds); its EPOCH record is synced before this returns, stamped
        max(`wall_ns`, last stamp). Segments at or below `trusted_lsn`, where a verified snapshot stands, are not
        verified again. `reserve_bytes` are kept allocated in a file of their own, which a full disk makes the log give
        up to its next segments. Raises Locked, NoFolder, UnsafeFileSystem, FencedOff, FollowsAnother, Damage,
        FormatTooNew, NoSpace, LogFailed.
        """
        return cls._opened(
            folder, files, segment_bytes, durability, reserve_bytes, lambda log: log._recover(wall_ns, trusted_lsn)
        )

    @classmethod
    def _opened(
        cls,
        folder: Folder,
        files: Files,
        segment_bytes: int,
        durability: Durability,
        reserve_bytes: int,
        recover: Callable[[Self], None],
    ) -> Self:
        """The folder, locked, and what it holds recovered."""
        path = str(folder)
        try:
            try:
                files.make_folder(path)
            except OSError as error:
                if error.errno in _NO_FOLDER:
                    raise NoFolder(path, error) from error
                raise
            kind = files.file_system(path)
            if kind in NETWORK_FILE_SYSTEMS:
                raise UnsafeFileSystem(path, kind)
            try:
                lock = files.lock(f"{path}/{LOCK}")
            except BlockingIOError as error:
                raise Locked(f"{path}/{LOCK}") from error
            log = cls(path, files, lock, segment_bytes, durability, reserve_bytes)
            try:
                recover(log)
            except BaseException:
                log.abandon()
                raise
        except OSError as error:
            if error.errno in _ENOSPC:
                raise NoSpace(path, _LEAST_ROOM_BYTES) from error
            raise LogFailed(f"{path}: opening the log", error) from error
        except LogFailed as error:
            if error.cause is not None and error.cause.errno in _ENOSPC:
                raise NoSpace(path, _LEAST_ROOM_BYTES) from error
            raise
        return log

    # What is known

    @property
    def last_lsn(self) -> int:
        """The last record's number; 0 in an empty log."""
        return self._end.lsn

    @property
    def end(self) -> Link:
        """The chain's end: the last record's number and checksum."""
        return self._end

    @property
    def durable_lsn(self) -> int:
        """The last record known to be on the disk."""
        return self._durable.lsn

    @property
    def first_lsn(self) -> int:
        """The first record that is still kept."""
        return self._starts[0]

    @property
    def writers(self) -> dict[str, WriterState]:
        """Every writer's epoch and last append number, as the log has them. To be read only."""
        return self._writers.by_name

    @property
    def term(self) -> int:
        """The term that the log is in: see `common.journal.terms`."""
        taken = self._writers.by_name.get(TERM_WRITER)
        return FIRST_TERM if taken is None else taken.epoch

    @property
    def term_after_lsn(self) -> int:
        """The record that the term begins behind; 0 in the first one."""
        taken = self._writers.by_name.get(TERM_WRITER)
        return 0 if taken is None else taken.lsn - TERM_RECORDS

    @property
    def least_epoch(self) -> int:
        """What no epoch granted from here on may be below: in a later term than the first one, this life's own."""
        return self.epoch if self.term > FIRST_TERM else 0

    @property
    def failed(self) -> bool:
        """A file call failed: the log takes no more."""
        return self._failure is not None

    def free_bytes(self) -> int:
        """What the file system still has free. Raises LogFailed."""
        return self._guard("reading the free space", lambda: self._files.free_bytes(self.folder))

    @property
    def room_bytes(self) -> int:
        """What is already allocated for records to come: the rest of this segment and the one ahead."""
        return self._allocated - self._position + self._prepared_bytes

    @property
    def room_ahead(self) -> bool:
        """Whether the next segment and the reserve are allocated. Where they cannot be, space is low."""
        return self._prepared >= 0 and self._reserve_held

    # Writing

    def append(self, entries: Sequence[Entry], stamp_ns: int) -> AppendedBatch:
        """Write the entries as one batch, stamped `stamp_ns`; when this returns they are durable, and acknowledged.

        Raises OutOfOrder, BadEntry (nothing is written, the log goes on), NoSpace (likewise), LogFailed (end here).
        """
        if self._failure is not None:
            raise LogFailed(f"{self.folder}: append", self._failure)
        if not entries or stamp_ns < self.last_stamp_ns:
            raise BadEntry(f"{len(entries)} entries stamped {stamp_ns}: a batch holds one at least, and no stamp "
                           f"is below the last, {self.last_stamp_ns}")  # fmt: skip
        self._writers.check(entries)
        block, end = frame(
            entries, self._end, stamp_ns=stamp_ns, journal_epoch=self.epoch, durable_lsn=self._durable.lsn
        )
        if len(block) > self._allocated - self._position:
            self._rotate(len(block))
        self._write(block, end)
        first_lsn = self._end.lsn + 1
        self._writers.take(entries, first_lsn, stamp_ns)
        self._position += len(block)
        self._end = end
        self.last_stamp_ns = stamp_ns
        return AppendedBatch(first_lsn, end.lsn, stamp_ns, block)

    def own_entry(self, kind: int, payload: bytes) -> Entry:
        """An entry of the journal's own, with its next append number; a batch holds at most one such."""
        return Entry(kind, OWN_WRITER, self.epoch, self._writers.by_name[OWN_WRITER].append_number + 1, payload)

    def sync(self) -> None:
        """Force all that was appended to the disk. Of use with durability "process" only. Raises LogFailed.

        Where nothing was appended since the last one it calls nothing.
        """
        if self._durable != self._end:
            self._guard("sync", lambda: self._files.sync(self._handle))
            self._durable = self._end

    def write_mark(self, *, may_wait: bool = False) -> None:
        """Write down how far the log is durable, for the next start to know. Wanted within 100 ms. Raises LogFailed.

        With durability "process" the log is synced first: nothing else would move the mark within a segment. With
        `may_wait` the mark itself is not synced: a power loss may then take it back to the one before. While appends go
        on that costs nothing, since each frame says how far the log was durable before it.
        """
        self.sync()
        if self._mark.durable != self._durable or not (may_wait or self._mark_synced):
            self._guard("mark", lambda: self._put_mark(self._mark.floor_lsn, synced=not may_wait))

    def write_released(self, lsn: int | None) -> None:
        """Say to readers on this host how far they may look; None: at all that is durable. Raises LogFailed."""
        if lsn is None:
            self._guard("released", lambda: remove_released(self.folder, self._files))
        else:
            self._guard("released", lambda: write_released(self.folder, self._files, lsn))

    def prepare_next_segment(self) -> bool:
        """Allocate the next segment, so that rotation need not, and the reserve. Raises LogFailed.

        False where the disk has no room for both; that is no failure, and a later call may succeed.
        """

        def prepare() -> bool:
            if not self._reserve_held:
                self._reserve_held = self._allocate_reserve()
            if self._prepared < 0 and self._reserve_held:
                handle = self._allocate_or_none(_PREPARED, self._segment_bytes)
                if handle is not None:
                    self._prepared, self._prepared_bytes = handle, self._segment_bytes
            return self.room_ahead

        return self.room_ahead or self._guard("preparing the next segment", prepare)

    def drop_before(self, lsn: int) -> list[str]:
        """Remove segments whose every record is below `lsn`; the names removed. Raises LogFailed.

        The caller answers for a snapshot at or above `lsn` that verifies. The new floor is durable first, so that a
        missing segment is told from one that was dropped.
        """
        below = [index for index, start in enumerate(self._starts) if start <= lsn]
        if len(below) < 2:
            return []
        gone, kept = self._starts[: below[-1]], self._starts[below[-1] :]

        def drop() -> list[str]:
            self._put_mark(kept[0])
            self._files.sync(self._mark_handle)
            names = [segment_name(start) for start in gone]
            for name in names:
                self._files.remove(f"{self.folder}/{name}")
            self._files.sync_folder(self.folder)
            self._starts = kept
            return names

        return self._guard("dropping old segments", drop)

    def close(self) -> None:
        """Sync, write the mark, release the lock. Raises LogFailed; the lock is released all the same."""
        try:
            if self._failure is None:
                self.sync()
                self.write_mark()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Close the files and release the lock as a killed process would: nothing more is written."""
        for handle in (self._handle, self._prepared, self._mark_handle, self._lock):
            if handle >= 0:
                # What was acknowledged is synced already, and nobody waits for more.
                with suppress(OSError):
                    self._files.close(handle)
        self._handle = self._prepared = self._mark_handle = self._lock = -1
        if self._failure is None:
            self._failure = OSError(9, "the log is closed")

    # Inside

    def _guard(self, what: str, call: Callable[[], T]) -> T:
        if self._failure is not None:
            raise LogFailed(f"{self.folder}: {what}", self._failure)
        try:
            return call()
        except OSError as error:
            self._failure = error
            raise LogFailed(f"{self.folder}: {what}", error) from error

    def _write(self, block: bytes, end: Link) -> None:
        try:
            write_all(self._files, self._handle, block, self._position)
            if self.durability == "disk":
                self._files.sync(self._handle)
                self._durable = end
        except OSError as error:
            self._failure = error
            raise LogFailed(f"{self.folder}: writing records up to {end.lsn}", error) from error

    def _put_mark(self, floor_lsn: int, *, synced: bool = True) -> None:
        # The slot that is not written holds what was synced last: two unsynced ones might both be torn.
        writes = self._mark.writes + (1 if self._mark_synced else 2)
        mark = Mark(writes, self._durable, self.epoch, floor_lsn)
        write_mark(self._files, self._mark_handle, mark)
        if synced:
            self._files.sync(self._mark_handle)
        self._mark, self._mark_synced = mark, synced

    def _rotate(self, wanted_bytes: int) -> None:
        """Go on in a new segment. What stands in this one is durable, and marked so, before the new name appears."""

        def rotate() -> None:
            header = self._header(self._end, self._writers.table(), self.last_stamp_ns)
            self._take_room(len(header) + wanted_bytes)
            self.sync()
            self._put_mark(self._mark.floor_lsn)
            old = self._handle
            self._begin_segment(self._end.lsn + 1, header)
            self._files.close(old)

        self._guard("rotating", rotate)

    def _header(self, after: Link, table: bytes, stamp_ns: int) -> bytes:
        return SegmentHeader(0, self.identity, after.lsn + 1, self.epoch, stamp_ns, after.crc, table).encode()

    def _take_room(self, wanted_bytes: int) -> None:
        """See that a prepared file of at least so many bytes is there. Raises NoSpace, OSError."""
        if self._prepared >= 0:
            if self._prepared_bytes >= wanted_bytes:
                return
            self._files.close(self._prepared)
            self._prepared, self._prepared_bytes = -1, 0
            self._files.remove(f"{self.folder}/{_PREPARED}")
        size, least = max(self._segment_bytes, wanted_bytes), wanted_bytes + _LEAST_ROOM_BYTES
        while True:
            handle = self._allocate_or_none(_PREPARED, size)
            if handle is not None:
                self._prepared, self._prepared_bytes = handle, size
                return
            if self._give_up_reserve():
                continue
            if size <= least:
                raise NoSpace(self.folder, wanted_bytes)
            size = max(size // 2, least)

    def _allocate_or_none(self, name: str, size: int) -> int | None:
        """A new file of `size` bytes, its blocks reserved; None where the disk has no room for it. Raises OSError."""
        path = f"{self.folder}/{name}"
        handle = -1
        try:
            handle = self._files.create(path)
            self._files.allocate(handle, size)
            self._files.sync(handle)
        except OSError as error:
            if handle >= 0:
                self._files.close(handle)
                remove_if_there(self._files, path)
            if error.errno not in _ENOSPC:
                raise
            return None
        return handle

    def _allocate_reserve(self) -> bool:
        """Have the reserve, under its name only once its blocks are there. False where the disk has no room for it."""
        if not self._reserve_bytes:
            return True
        handle = self._allocate_or_none(_RESERVE + _TEMPORARY, self._reserve_bytes)
        if handle is None:
            return False
        self._files.close(handle)
        self._files.rename(f"{self.folder}/{_RESERVE}{_TEMPORARY}", f"{self.folder}/{_RESERVE}")
        self._files.sync_folder(self.folder)
        return True

    def _whole_reserve(self) -> bool:
        """Whether a file of that name holds all that the reserve should. One that is shorter is replaced later on."""
        handle = self._files.open(f"{self.folder}/{_RESERVE}", write=False)
        try:
            return self._files.size(handle) >= self._reserve_bytes
        finally:
            self._files.close(handle)

    def _give_up_reserve(self) -> bool:
        """Free the reserve for a segment that finds no room. False where there was none to free."""
        self._reserve_held = False
        if _RESERVE not in self._files.list(self.folder):
            return False
        self._files.remove(f"{self.folder}/{_RESERVE}")
        return True

    def _begin_segment(self, first_lsn: int, data: bytes) -> None:
        """Make the prepared file the segment that begins with `first_lsn` and holds `data`, and append to it."""
        handle = self._prepared
        write_all(self._files, handle, data, 0)
        self._files.sync(handle)
        self._files.rename(f"{self.folder}/{_PREPARED}", f"{self.folder}/{segment_name(first_lsn)}")
        self._files.sync_folder(self.folder)
        self._handle, self._position, self._allocated = handle, len(data), self._prepared_bytes
        self._prepared, self._prepared_bytes = -1, 0
        if not self._starts or self._starts[-1] != first_lsn:
            self._starts.append(first_lsn)

    def _recover(self, wall_ns: int, trusted_lsn: int) -> None:
        refuse_if_claimed(self.folder, self._files)
        found = self._survey(trusted_lsn)
        self.epoch = max(found.journal_epoch + 1 if found is not None else 1, wall_ns // NS_PER_S)
        self._take_up(found)
        entry = Entry(EPOCH, OWN_WRITER, self.epoch, 0, b"")
        self.append([entry], max(wall_ns, self.last_stamp_ns))
        self.sync()

    def _survey(self, trusted_lsn: int) -> Survey | None:
        """What the folder holds, without what a crash left unfinished."""
        # Names seen here may stand in the page cache only, left by a life that died between a rename and its sync.
        self._files.sync_folder(self.folder)
        found = survey(self._files, self.folder, trusted_lsn=trusted_lsn)
        for name in self._files.list(self.folder):
            if name.endswith(_TEMPORARY):
                self._files.remove(f"{self.folder}/{name}")
            elif name == _RESERVE:
                self._reserve_held = self._whole_reserve()
        return found

    def _take_up(self, found: Survey | None) -> None:
        if found is None:
            self._create()
        else:
            self._resume(found)

    def _create(self) -> None:
        self.identity = self.identity or self._files.new_id()
        slots = bytearray(SLOT_SPACING * 2)
        first = self._mark.encode()
        slots[: len(first)] = first
        replace_file(self._files, self.folder, MARK, bytes(slots))
        self._mark_handle = self._files.open(f"{self.folder}/{MARK}", write=True)
        header = self._header(Link(0, 0), b"", 0)
        self._take_room(len(header))
        self._begin_segment(1, header)

    def _resume(self, found: Survey) -> None:
        self.identity = found.identity
        self._starts = list(found.segments)
        self._writers = found.writers
        self._end = found.end
        self.last_stamp_ns = found.stamp_ns
        self._mark = found.mark
        self._mark_handle = self._files.open(f"{self.folder}/{MARK}", write=True)
        # It may stand in the page cache only.
        self._files.sync(self._mark_handle)
        self._remove_dropped()
        torn_bytes = found.used_bytes - found.end_position
        torn_file = self._keep_torn(found) if torn_bytes else ""
        copied = found.end.lsn - found.confirmed.lsn
        if copied or torn_bytes:
            self._copy_tail(found)
        else:
            self._handle = self._files.open(f"{self.folder}/{segment_name(self._starts[-1])}", write=True)
            self._position, self._allocated = found.end_position, self._files.size(self._handle)
        self._durable = self._end
        self._put_mark(self._mark.floor_lsn)
        self.recovery = Recovery(
            False, found.end.lsn, found.confirmed.lsn, copied, torn_bytes, found.torn_why, torn_file
        )

    def _remove_dropped(self) -> None:
        """Finish a retention that a crash cut short: segments below the floor are still there."""
        below = [start for start in first_lsns(self._files, self.folder) if start < self._starts[0]]
        for start in below:
            self._files.remove(f"{self.folder}/{segment_name(start)}")
        if below:
            self._files.sync_folder(self.folder)

    def _read_last(self, found: Survey, start: int, end: int) -> bytes:
        handle = self._files.open(f"{self.folder}/{segment_name(found.segments[-1])}", write=False)
        try:
            return read_range(self._files, handle, start, end)
        finally:
            self._files.close(handle)

    def _keep_torn(self, found: Survey) -> str:
        data = self._read_last(found, found.end_position, found.used_bytes)
        name = f"torn-{found.end.lsn + 1:020d}-{crc32c(data):08x}"
        while True:
            try:
                replace_file(self._files, self.folder, name, data)
                return name
            except OSError as error:
                if error.errno not in _ENOSPC:
                    raise
                # Tried again is a new file, so whatever the first try left of it is not believed.
                if not self._give_up_reserve():
                    raise NoSpace(self.folder, len(data)) from error

    def _copy_tail(self, found: Survey) -> None:
        """Write the unconfirmed records, as they are, into a segment of their own, and cut the old one before them."""
        tail = self._read_last(found, found.tail_position, found.end_position)
        header = self._header(found.confirmed, found.writers_at_tail, found.stamp_at_tail_ns)
        old_start, new_start = found.segments[-1], found.confirmed.lsn + 1
        self._take_room(len(header) + len(tail))
        self._begin_segment(new_start, header + tail)
        if old_start != new_start:
            handle = self._files.open(f"{self.folder}/{segment_name(old_start)}", write=True)
            try:
                self._files.truncate(handle, found.tail_position)
                self._files.sync(handle)
            finally:
                self._files.close(handle)

"""A small log on a disk in memory, and the checks that every recovery must pass."""

from collections.abc import Callable, Sequence

from common.journal import Entry, Log, LogFailed, NoSpace, Reader, Record, iterate
from common.journal.files import Files
from common.journal.log import Durability
from scripts.simulation.disk import Called, Disk, DiskFiles

FOLDER = "/journal"
WALL_NS = 1_800_000_000_000_000_000
SEGMENT_BYTES = 2048
PAGE_BYTES = 512


class Killed(BaseException):
    """The process ends here."""


def open_log(
    files: Files,
    *,
    wall_ns: int = WALL_NS,
    segment_bytes: int = SEGMENT_BYTES,
    durability: Durability = "disk",
    reserve_bytes: int = 0,
) -> Log:
    """A log of small segments."""
    return Log.open(
        FOLDER,
        files,
        wall_ns=wall_ns,
        segment_bytes=segment_bytes,
        durability=durability,
        reserve_bytes=reserve_bytes,
    )


def small_disk(**contents: bytes) -> Disk:
    """A disk of small pages; files given by name are in the journal's folder, and durable."""
    disk = Disk(page_bytes=PAGE_BYTES)
    files = disk.files()
    files.make_folder(FOLDER)
    for name, data in contents.items():
        files.write_at(files.create(f"{FOLDER}/{name}"), data, 0)
    disk.crash_keeping(lambda: True)
    return disk


class Writer:
    """A writer of entries with numbers in order; `size` bytes of payload that tell them apart."""

    def __init__(self, name: str = "orders", epoch: int = 1, number: int = 0) -> None:
        self.name = name
        self.epoch = epoch
        self.number = number

    def batch(self, count: int, size: int = 40) -> list[Entry]:
        """The next `count` entries."""
        made = []
        for _ in range(count):
            self.number += 1
            payload = f"{self.name}/{self.epoch}/{self.number}/".encode().ljust(size, b".")[:size]
            made.append(Entry(16, self.name, self.epoch, self.number, payload))
        return made


def everything(files: Files) -> list[Record]:
    """All records that the folder holds, verified."""
    return list(iterate(FOLDER, files))


class Story:
    """A workload on one disk: what was tried, record by record, and what was acknowledged."""

    def __init__(self, disk: Disk, called: Called | None = None) -> None:
        self.disk = disk
        self.files = DiskFiles(disk, called)
        self.tried: dict[int, tuple[int, bytes]] = {}
        self.acknowledged_lsn = 0
        self.durable_lsn = 0

    def run(self, durability: Durability = "disk") -> None:
        """Append, rotate, mark, prepare, drop, close, open again. Ends early, quietly, where the disk fails."""
        try:
            self._life(WALL_NS, Writer("orders"), [1, 3, 2, 1, 6], durability)
            self._life(WALL_NS + 5, Writer("session@x", 9), [2, 1, 8, 1], durability, drop=True)
        except (Killed, LogFailed, NoSpace):
            return

    def _life(
        self, wall_ns: int, writer: Writer, sizes: Sequence[int], durability: Durability, *, drop: bool = False
    ) -> None:
        log = open_log(self.files, wall_ns=wall_ns, durability=durability)
        self._note(log, log.last_lsn)
        for turn, count in enumerate(sizes):
            entries = writer.batch(count)
            for lsn, entry in enumerate(entries, log.last_lsn + 1):
                self.tried[lsn] = (entry.append_number, entry.payload)
            done = log.append(entries, log.last_stamp_ns + 10)
            self._note(log, done.last_lsn)
            log.write_mark(may_wait=True)
            if turn % 2:
                log.write_mark()
                log.prepare_next_segment()
        if drop:
            log.drop_before(log.last_lsn - 12)
        log.close()

    def _note(self, log: Log, lsn: int) -> None:
        self.acknowledged_lsn = lsn
        self.durable_lsn = log.durable_lsn

    def check(self, disk: Disk, kept_lsn: int) -> None:
        """Open the log on `disk`: everything up to `kept_lsn` is there, nothing is there that was not written.

        What the recovered log then holds outlives the power: nothing of it was in the page cache only.
        """
        files = disk.files()
        log = open_log(files, wall_ns=WALL_NS + 1000)
        epoch_lsn = log.last_lsn
        assert epoch_lsn > kept_lsn
        before = [record for record in everything(files) if record.lsn < epoch_lsn]
        self._check_records(before, log.first_lsn, epoch_lsn)
        writer = Writer("orders", 1 << 40)
        log.append(writer.batch(2), log.last_stamp_ns)
        log.abandon()
        files.die()
        disk.crash_keeping(lambda: False)
        again = open_log(disk.files(), wall_ns=WALL_NS + 3000)
        assert again.last_lsn == epoch_lsn + 3
        assert again.writers["orders"].append_number == 2
        assert again.epoch > log.epoch
        kept = [record for record in everything(disk.files()) if record.lsn < epoch_lsn]
        assert kept == before

    def _check_records(self, records: Sequence[Record], first_lsn: int, end_lsn: int) -> None:
        assert [record.lsn for record in records] == list(range(first_lsn, end_lsn))
        for record in records:
            if record.kind >= 16:
                assert self.tried[record.lsn] == (record.append_number, record.payload)
        stamps = [record.stamp_ns for record in records]
        assert stamps == sorted(stamps)


def counting(kill_at: int, total: list[int]) -> Called:
    """Ends the process before its call number `kill_at`; `total[0]` counts the calls."""

    def called(_name: str, _path: str) -> None:
        total[0] += 1
        if total[0] > kill_at:
            raise Killed

    return called


def calls_of(run: Callable[[Called], object]) -> int:
    """How many file calls a workload makes when nothing goes wrong."""
    total = [0]
    run(counting(1 << 40, total))
    return total[0]


def reader(files: Files) -> Reader:
    """A reader of the small log."""
    return Reader(FOLDER, files)

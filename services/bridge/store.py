"""A bridge's memory: its durable log, what is folded from it, snapshots of that, and the archive beside it.

What a turn records is synced before a byte of it leaves. Every so many records what is over goes to the archive, then a
snapshot of all else is written, then the segments are dropped that neither the snapshot before nor a resend needs. A
start reads the newest snapshot that the log confirms, and what follows it.
"""

from collections.abc import Iterable, Iterator

import msgspec

from common.exchange.changes import Numbered, Sent
from common.exchange.sent import Marks, SentMessages
from common.exchange.state import SessionNumbers
from common.instant import Instant
from common.journal.errors import Gone
from common.journal.files import Files
from common.journal.frames import MAX_PAYLOAD_BYTES, Entry
from common.journal.log import Log
from common.journal.reader import Reader, iterate
from common.journal.snapshots import (
    Snapshot,
    newest_snapshot,
    prune_snapshots,
    snapshot_folder,
    write_snapshot,
)
from services.bridge.archive import Archive, ArchiveLost
from services.bridge.book import Book, BookImage
from services.bridge.records import RECORD_KIND, BridgeRecord, decode_records, encode_records

SNAPSHOT_RECORDS = 20_000
"""So many between two snapshots: what is over in that time is in memory, and a start reads no more than twice that."""


class Image(msgspec.Struct, array_like=True, frozen=True):
    """What a snapshot holds. Fields are only ever appended, with a default."""

    book: BookImage
    numbers: list[Numbered]
    marks: list[Marks]


_encode_image = msgspec.msgpack.Encoder().encode
_decode_image = msgspec.msgpack.Decoder(Image).decode


class Store:
    """See the module. `open` comes first; `book` is what the log says of orders."""

    def __init__(
        self, name: str, folder: str, files: Files, archive: Archive, segment_bytes: int,
        snapshot_records: int = SNAPSHOT_RECORDS,
    ) -> None:  # fmt: skip
        """`name` is the writer's; `folder` holds log, snapshots and archive."""
        self.book = Book(archive)
        self._name = name
        self._folder = folder
        self._files = files
        self._archive = archive
        self._segment_bytes = segment_bytes
        self._snapshot_records = snapshot_records
        self._numbers: dict[str, SessionNumbers] = {}
        self._sent = SentMessages(self._sent_from)
        self._pending: list[BridgeRecord] = []
        self._append_number = 0
        self._told = 0
        self._snapshot_lsn = 0
        self._since_snapshot = 0
        self._log: Log

    # ---- life

    def open(self, now: Instant) -> None:
        """Read the log. Raises the errors of `Log.open`, Damage, and ArchiveLost."""
        folder, files, archive = self._folder, self._files, self._archive
        found = newest_snapshot(snapshot_folder(folder), files, self._name, Reader(folder, files))
        if found is not None and found.at.lsn > archive.lsn:
            # The archive is younger than the snapshot, or another log's: it is made anew from the records.
            found = None
        trusted_lsn = 0 if found is None else found.at.lsn
        self._log = Log.open(
            folder, files, wall_ns=now.wall_ns, segment_bytes=self._segment_bytes, trusted_lsn=trusted_lsn
        )
        try:
            self._recover(found)
        except Gone as error:
            self.abandon()
            raise ArchiveLost(folder) from error
        except BaseException:
            self.abandon()
            raise

    def _recover(self, found: Snapshot | None) -> None:
        log, archive = self._log, self._archive
        if archive.identity != log.identity or archive.lsn > log.last_lsn:
            archive.clear(log.identity)
            found = None
        if found is not None:
            image = _decode_image(found.payload)
            self.book.load(image.book)
            for numbered in image.numbers:
                self._apply(numbered, found.at.lsn)
            self._sent.load(image.marks)
            self._snapshot_lsn = found.at.lsn
        for record in iterate(log.folder, self._files, self._snapshot_lsn + 1, log.last_lsn):
            if record.kind == RECORD_KIND:
                changes = decode_records(record.payload)
                for each in changes:
                    self._apply(each, record.lsn)
                self._since_snapshot += len(changes)

    def close(self) -> None:
        """Sync and release. Raises LogFailed."""
        self._log.close()
        self._archive.close()

    def abandon(self) -> None:
        """Release everything as a killed process would."""
        self._log.abandon()
        self._archive.close()

    @property
    def identity(self) -> str:
        """The log's id."""
        return self._log.identity.hex()

    @property
    def epoch(self) -> int:
        """Rises with every start of this bridge."""
        return self._log.epoch

    @property
    def last_lsn(self) -> int:
        """The last record of the log."""
        return self._log.last_lsn

    # ---- what is recorded

    def numbers(self, session: str) -> SessionNumbers:
        """The numbers of a client's session, 1 and 1 at first."""
        return self._numbers.setdefault(session, SessionNumbers())

    def sent_messages(self, session: str, begin: int, end: int) -> Iterable[tuple[int, bytes]]:
        """What was sent to a client under these numbers."""
        return self._sent.messages(session, begin, end)

    def record(self, change: BridgeRecord) -> None:
        """Apply a record, and keep it for the turn's end."""
        self._apply(change, self._log.last_lsn + 1)
        self._pending.append(change)

    def _apply(self, record: BridgeRecord, lsn: int) -> None:
        if isinstance(record, Numbered):
            self._numbers[record.session] = SessionNumbers(
                record.generation, record.next_outbound, record.next_inbound
            )
        elif isinstance(record, Sent):
            numbers = self.numbers(record.session)
            numbers.generation, numbers.next_outbound = record.generation, record.msg_seq_num + 1
            self._sent.add(record, lsn)
        else:
            self.book.apply(record, lsn)

    def unique(self) -> str:
        """An ExecID(17) from the log's place: what is told is in the record that is written next."""
        self._told += 1
        return f"{self._log.last_lsn + 1}-{self._told}"

    def _sent_from(self, lsn: int) -> Iterator[Sent]:
        for record in iterate(self._log.folder, self._files, lsn, self._log.last_lsn):
            if record.kind == RECORD_KIND:
                yield from (each for each in decode_records(record.payload) if isinstance(each, Sent))

    def commit(self, now: Instant) -> None:
        """Write what the turn recorded, whole or not at all. Raises LogFailed, NoSpace: then nothing may leave."""
        if not self._pending:
            return
        records, self._pending = self._pending, []
        entries = []
        for payload in _payloads(records):
            self._append_number += 1
            entries.append(Entry(RECORD_KIND, self._name, self._log.epoch, self._append_number, payload))
        self._log.append(entries, max(now.wall_ns, self._log.last_stamp_ns))
        self._told = 0
        self._since_snapshot += len(records)

    # ---- memory

    def tidy(self) -> None:
        """Between turns: make a snapshot when enough has happened. Raises JournalError; then it is tried again when as
        much again has happened."""
        if self._since_snapshot >= self._snapshot_records:
            self._since_snapshot = 0
            self.snapshot()

    def snapshot(self) -> None:
        """What is over to the archive, all else into a snapshot, and away with what nobody needs any more."""
        log, files, folder = self._log, self._files, snapshot_folder(self._folder)
        lsn = log.last_lsn
        self.book.archive_ended(lsn)
        log.write_mark()
        numbers = [
            Numbered(name, each.generation, each.next_outbound, each.next_inbound)
            for name, each in self._numbers.items()
        ]
        image = _encode_image(Image(self.book.image(lsn), numbers, self._sent.marks()))
        write_snapshot(folder, files, Snapshot(self._name, log.end, b"", image))
        prune_snapshots(folder, files, self._name)
        # The snapshot before it must still stand on a record, and a resend reads from there on.
        log.drop_before(min(self._snapshot_lsn, self._sent.oldest_lsn(self._snapshot_lsn)))
        self._snapshot_lsn = lsn


def _payloads(records: list[BridgeRecord]) -> list[bytes]:
    """The records as payloads that fit one of the log's, in order."""
    payload = encode_records(records)
    if len(payload) <= MAX_PAYLOAD_BYTES or len(records) == 1:
        return [payload]
    middle = len(records) // 2
    return _payloads(records[:middle]) + _payloads(records[middle:])

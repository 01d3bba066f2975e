"""The exchange's memory: its own log, the state folded from it, snapshots, and the history beside it.

Everything is written before anything that follows from it is sent, in a batch a turn, durable against the death of the
process. A start is a recovery: the newest snapshot whose place the log confirms, then what follows it.
"""

from collections.abc import Iterator

import msgspec

from common.exchange.changes import RECORD_KIND, Change, Corrected, Sent, Traded, decode_changes, encode_changes
from common.exchange.history import History, RecentHistory, closed_order, trade_row
from common.exchange.order import Order
from common.exchange.sent import Marks, SentMessages
from common.exchange.settings import ExchangeSettings, Instrument
from common.exchange.state import Past, State
from common.instant import Instant
from common.journal.errors import Gone, JournalError
from common.journal.files import Files
from common.journal.frames import MAX_PAYLOAD_BYTES, Entry
from common.journal.log import Log
from common.journal.reader import Reader, iterate
from common.journal.snapshots import Keeping, Snapshot, newest_snapshot, prune_snapshots, write_snapshot

# Rows that wait in memory for the history before they are handed over.
FLUSH_ROWS = 1000
SNAPSHOTS_KEPT = 2


class Image(msgspec.Struct, array_like=True, frozen=True):
    """What a snapshot holds: the state's own dump, and where sent messages stand in the log."""

    state: bytes
    marks: list[Marks]


_encode_image = msgspec.msgpack.Encoder().encode
_decode_image = msgspec.msgpack.Decoder(Image).decode


class HistoryLost(JournalError):
    """The history does not reach back to the oldest record that is kept, so nothing can make it whole again."""

    def __init__(self, folder: str) -> None:
        super().__init__(
            f"{folder}: the history of closed orders is lost, and the log does not reach back to its beginning. "
            "Restore history.db, or remove the whole folder to begin with an empty exchange"
        )


class KeptPast(Past):
    """Closed orders and trades into the history, sent messages where a resend finds them.

    `applied_lsn` is the record that is being read again, 0 while the exchange lives: what the history holds of it
    already is not added twice.
    """

    def __init__(self, history: RecentHistory, sent: SentMessages, log: Log) -> None:
        self.applied_lsn = 0
        self._history = history
        self._sent = sent
        self._log = log

    def closed(self, order: Order) -> None:
        """Into the history."""
        if not self._is_kept():
            self._history.recent.add_order(closed_order(order))

    def traded(self, order: Order, trade: Traded, instrument: Instrument) -> None:
        """Into the history."""
        if not self._is_kept():
            self._history.recent.add_trade(trade_row(order, trade, instrument))

    def corrected(self, change: Corrected) -> None:
        """Into the history."""
        if not self._is_kept():
            self._history.correct(change)

    def sent(self, sent: Sent) -> None:
        """To where a resend finds it; live, the next record will hold it."""
        self._sent.add(sent, self.applied_lsn or self._log.last_lsn + 1)

    def _is_kept(self) -> bool:
        return 0 < self.applied_lsn <= self._history.store.lsn


class Store:
    """An open memory. Made by `Store.open`; `state` is changed by the engine, `commit` makes what happened lasting."""

    def __init__(self, settings: ExchangeSettings, folder: str, files: Files, history: History, log: Log) -> None:
        self.history = RecentHistory(history)
        self.sent = SentMessages(self._sent_from)
        self._past = KeptPast(self.history, self.sent, log)
        self.state = State(settings.instruments, self._past)
        self.replayed = 0
        self._settings = settings
        self._files = files
        self._snapshots = f"{folder}/snapshots"
        self._snapshot_lsn = 0
        self._append_number = 0
        self._since_snapshot = 0
        self._log = log

    @classmethod
    def open(
        cls, settings: ExchangeSettings, folder: str, files: Files, history: History, now: Instant, segment_bytes: int
    ) -> "Store":
        """Open the log in `folder` and recover. Raises the errors of `Log.open`, Damage, and HistoryLost."""
        name = f"{folder}/log"
        found = newest_snapshot(f"{folder}/snapshots", files, settings.name, Reader(name, files))
        if found is not None and found.at.lsn > history.lsn:
            # The history is younger than the snapshot, or another log's: it has to be made anew from the records.
            found = None
        log = Log.open(
            name,
            files,
            wall_ns=now.wall_ns,
            segment_bytes=segment_bytes,
            durability="process",
            trusted_lsn=found.at.lsn if found is not None else 0,
        )
        store = cls(settings, folder, files, history, log)
        try:
            store._recover(found)
        except Gone as error:
            raise HistoryLost(folder) from error
        return store

    @property
    def last_lsn(self) -> int:
        """The last record of the log."""
        return self._log.last_lsn

    @property
    def epoch(self) -> int:
        """Rises with every start of this exchange."""
        return self._log.epoch

    def commit(self, changes: list[Change], now: Instant) -> None:
        """Write the changes of a turn, in one record where they fit. Raises LogFailed, NoSpace: then nothing may be
        told.
        """
        entries = []
        for payload in _payloads(changes):
            self._append_number += 1
            entries.append(Entry(RECORD_KIND, self._settings.name, self._log.epoch, self._append_number, payload))
        self._log.append(entries, max(now.wall_ns, self._log.last_stamp_ns))
        self._since_snapshot += len(changes)
        if self.history.recent.size >= FLUSH_ROWS:
            self.history.flush(self._log.last_lsn)

    def tidy(self) -> None:
        """Between turns, now and then: hand the past to the history, make a snapshot when enough has happened."""
        self.history.flush(self._log.last_lsn)
        if self._since_snapshot >= self._settings.snapshot_changes:
            self.snapshot()
        self._log.prepare_next_segment()

    def snapshot(self) -> None:
        """Write a snapshot of the state as of the last record."""
        self.history.flush(self._log.last_lsn)
        # What the snapshot stands on is on the disk before it is.
        self._log.sync()
        self._log.write_mark()
        image = _encode_image(Image(self.state.dump(), self.sent.marks()))
        write_snapshot(self._snapshots, self._files, Snapshot(self._settings.name, self._log.end, b"", image))
        prune_snapshots(self._snapshots, self._files, self._settings.name, Keeping(SNAPSHOTS_KEPT))
        # Two snapshots ago: the older one must still stand on a record, and resends read from there on.
        self._log.drop_before(min(self._snapshot_lsn, self.sent.oldest_lsn(self._snapshot_lsn)))
        self._snapshot_lsn = self._log.last_lsn
        self._since_snapshot = 0

    def close(self) -> None:
        """Snapshot, sync, release."""
        self.snapshot()
        self._log.close()
        self.history.store.close()

    def abandon(self) -> None:
        """Release everything as a killed process would."""
        self._log.abandon()
        self.history.store.close()

    # ---- recovery

    def _recover(self, found: Snapshot | None) -> None:
        store, log = self.history.store, self._log
        if store.identity != log.identity or store.lsn > log.last_lsn:
            store.clear(log.identity)
            found = None
        if found is not None:
            image = _decode_image(found.payload)
            self.state.load(image.state)
            self.sent.load(image.marks)
            self._snapshot_lsn = found.at.lsn
        for record in iterate(log.folder, self._files, self._snapshot_lsn + 1, log.last_lsn):
            if record.kind == RECORD_KIND:
                self._past.applied_lsn = record.lsn
                changes = decode_changes(record.payload)
                for change in changes:
                    self.state.apply(change)
                self.replayed += 1
                self._since_snapshot += len(changes)
                if self.history.recent.size >= FLUSH_ROWS:
                    self.history.flush(record.lsn)
        self._past.applied_lsn = 0
        self.history.flush(log.last_lsn)

    def _sent_from(self, lsn: int) -> Iterator[Sent]:
        for record in iterate(self._log.folder, self._files, lsn, self._log.last_lsn):
            if record.kind == RECORD_KIND:
                yield from (c for c in decode_changes(record.payload) if isinstance(c, Sent))


def _payloads(changes: list[Change]) -> list[bytes]:
    """The changes as payloads that fit a record, in order."""
    payload = encode_changes(changes)
    if len(payload) <= MAX_PAYLOAD_BYTES:
        return [payload]
    middle = len(changes) // 2
    return _payloads(changes[:middle]) + _payloads(changes[middle:])

"""The exchange's memory: its own log, the state folded from it, snapshots, and the history beside it.

Everything is written before anything that follows from it is sent, in a batch a turn, durable against the death of the
process. A start is a recovery: the newest snapshot whose place the log confirms, then what follows it.
"""

from collections.abc import Iterator

import msgspec
from crc32c import crc32c

from common.instant import Instant
from common.journal.files import Files, read_whole, replace_file
from common.journal.frames import MAX_PAYLOAD_BYTES, Entry
from common.journal.log import Log
from common.journal.reader import Reader, iterate
from services.exchange.changes import RECORD_KIND, Change, Sent, Traded, decode_changes, encode_changes
from services.exchange.history import History, RecentHistory, closed_order, trade_row
from services.exchange.order import Order
from services.exchange.sent import Marks, SentMessages
from services.exchange.settings import ExchangeSettings
from services.exchange.state import State

# Rows that wait in memory for the history before they are handed over.
FLUSH_ROWS = 1000
IMAGE = "image"


class Image(msgspec.Struct, array_like=True, frozen=True):
    """A snapshot: the record it stands on with its checksum, the state's own dump, and where sent messages stand."""

    lsn: int
    chain_crc: int
    state: bytes
    marks: list[Marks]


_encode_image = msgspec.msgpack.Encoder().encode
_decode_image = msgspec.msgpack.Decoder(Image).decode
_CRC_BYTES = 4


class Store:
    """An open memory. Made by `Store.open`; `state` is changed by the engine, `commit` makes what happened lasting."""

    def __init__(self, settings: ExchangeSettings, folder: str, files: Files, history: History) -> None:
        self.state = State(settings.instruments)
        self.history = RecentHistory(history)
        self.sent = SentMessages(self._sent_from)
        self.replayed = 0
        self._settings = settings
        self._folder = folder
        self._files = files
        self._snapshot_lsn = 0
        self._append_number = 0
        self._applying_lsn = 0
        self._log: Log

    @classmethod
    def open(
        cls, settings: ExchangeSettings, folder: str, files: Files, history: History, now: Instant, segment_bytes: int
    ) -> "Store":
        """Open the log in `folder` and recover. Raises the errors of `Log.open`, and Damage while reading."""
        store = cls(settings, folder, files, history)
        store._log = Log.open(
            f"{folder}/log", files, wall_ns=now.wall_ns, segment_bytes=segment_bytes, durability="process"
        )
        store._recover()
        return store

    @property
    def last_lsn(self) -> int:
        """The last record of the log."""
        return self._log.last_lsn

    @property
    def epoch(self) -> int:
        """Rises with every start of this exchange."""
        return self._log.epoch

    @property
    def empty(self) -> bool:
        """Nothing was ever recorded here."""
        return not self.state.balances and self.state.next_order_id == 1

    def commit(self, changes: list[Change], now: Instant) -> None:
        """Write the changes of a turn, in one record where they fit. Raises LogFailed, NoSpace: then nothing may be
        told.
        """
        entries = []
        for payload in _payloads(changes):
            self._append_number += 1
            entries.append(Entry(RECORD_KIND, self._settings.name, self._log.epoch, self._append_number, payload))
        self._log.append(entries, max(now.wall_ns, self._log.last_stamp_ns))
        if self.history.recent.size >= FLUSH_ROWS:
            self.history.flush(self._log.last_lsn)

    def tidy(self) -> None:
        """Between turns, now and then: hand the past to the history, make a snapshot when enough has happened."""
        self.history.flush(self._log.last_lsn)
        if self._log.last_lsn - self._snapshot_lsn >= self._settings.snapshot_records:
            self.snapshot()
        self._log.prepare_next_segment()

    def snapshot(self) -> None:
        """Write a snapshot of the state as of the last record."""
        self.history.flush(self._log.last_lsn)
        end = self._log.end
        data = _encode_image(Image(end.lsn, end.crc, self.state.dump(), self.sent.marks()))
        replace_file(self._files, self._folder, IMAGE, crc32c(data).to_bytes(_CRC_BYTES, "little") + data)
        self._snapshot_lsn = end.lsn

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

    def _recover(self) -> None:
        store, log = self.history.store, self._log
        self.state.on_closed = self._on_closed
        self.state.on_traded = self._on_traded
        self.state.on_sent = lambda sent: self.sent.add(sent, self._applying_lsn or self._log.last_lsn + 1)
        if store.identity != log.identity or store.lsn > log.last_lsn:
            store.clear(log.identity)
        from_lsn = self._load_snapshot() + 1
        for record in iterate(log.folder, self._files, from_lsn, log.last_lsn):
            if record.kind == RECORD_KIND:
                self._applying_lsn = record.lsn
                for change in decode_changes(record.payload):
                    self.state.apply(change)
                self.replayed += 1
                if self.history.recent.size >= FLUSH_ROWS:
                    self.history.flush(record.lsn)
        self._applying_lsn = 0
        self.history.flush(log.last_lsn)

    def _load_snapshot(self) -> int:
        """The record that the loaded snapshot stands on, 0 for none. The history must reach it, or it is made anew."""
        try:
            data = read_whole(self._files, f"{self._folder}/{IMAGE}")
        except FileNotFoundError:
            return 0
        if crc32c(data[_CRC_BYTES:]).to_bytes(_CRC_BYTES, "little") != data[:_CRC_BYTES]:
            return 0
        image = _decode_image(data[_CRC_BYTES:])
        if image.lsn > min(self._log.last_lsn, self.history.store.lsn):
            return 0
        if Reader(self._log.folder, self._files).link_at(image.lsn).crc != image.chain_crc:
            return 0
        self.state.load(image.state)
        self.sent.load(image.marks)
        self._snapshot_lsn = image.lsn
        return image.lsn

    def _sent_from(self, lsn: int) -> Iterator[Sent]:
        for record in iterate(self._log.folder, self._files, lsn, self._log.last_lsn):
            if record.kind == RECORD_KIND:
                yield from (c for c in decode_changes(record.payload) if isinstance(c, Sent))

    def _on_closed(self, order: Order) -> None:
        if not self._kept_already():
            self.history.recent.add_order(closed_order(order))

    def _on_traded(self, order: Order, trade: Traded, maker: bool) -> None:
        if not self._kept_already():
            instrument = self.state.instruments[order.symbol]
            self.history.recent.add_trade(trade_row(order, trade, maker, instrument.base, instrument.quote))

    def _kept_already(self) -> bool:
        return 0 < self._applying_lsn <= self.history.store.lsn


def _payloads(changes: list[Change]) -> list[bytes]:
    """The changes as payloads that fit a record, in order."""
    payload = encode_changes(changes)
    if len(payload) <= MAX_PAYLOAD_BYTES:
        return [payload]
    middle = len(changes) // 2
    return _payloads(changes[:middle]) + _payloads(changes[middle:])

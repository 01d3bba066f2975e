"""Which append of each writer the log holds last: a fold over the frames, so it survives the journal's own restart."""

import struct
from collections import deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from common.journal.errors import OutOfOrder
from common.journal.frames import EPOCH, Entry, writer_field, writer_name

# How many runs of appends a writer is remembered by, to answer a duplicate with its original place and stamp.
# A writer resends at most what is unacknowledged, some 100 ms of appends.
RUNS_KEPT = 8192
_ROW = struct.Struct("<32sQQQQ")
ROW_BYTES = _ROW.size


class Place(NamedTuple):
    """Where an append stands in the log, and its stamp (Unix, ns)."""

    lsn: int
    stamp_ns: int


class Run(NamedTuple):
    """The first of consecutive appends of one writer that stand in consecutive records under one stamp."""

    append_number: int
    lsn: int
    stamp_ns: int


class WriterState:
    """One writer: its epoch, the last append number held (0: none in this epoch), and where that stands."""

    __slots__ = ("append_number", "epoch", "lsn", "runs", "stamp_ns")

    def __init__(self, epoch: int, append_number: int, lsn: int, stamp_ns: int) -> None:
        self.epoch = epoch
        self.append_number = append_number
        self.lsn = lsn
        self.stamp_ns = stamp_ns
        self.runs: deque[Run] = deque((Run(append_number, lsn, stamp_ns),), maxlen=RUNS_KEPT)

    def place(self, append_number: int) -> Place | None:
        """Where an append of the present epoch stands; None where it is not held, or older than what is remembered."""
        if append_number > self.append_number:
            return None
        for first, lsn, stamp_ns in reversed(self.runs):
            if first <= append_number:
                return Place(lsn + append_number - first, stamp_ns)
        return None


class Writers:
    """The fold: every writer by name."""

    def __init__(self) -> None:
        self.by_name: dict[str, WriterState] = {}
        self._by_field: dict[bytes, WriterState] = {}

    def see(self, lsn: int, stamp_ns: int, kind: int, writer: bytes, writer_epoch: int, append_number: int) -> None:
        """Fold one frame. A later epoch begins the writer anew; `check` kept an earlier one out."""
        state = self._by_field.get(writer)
        if state is None or writer_epoch != state.epoch:
            self._put(writer, WriterState(writer_epoch, append_number, lsn, stamp_ns))
            return
        if lsn != state.lsn + 1 or stamp_ns != state.stamp_ns:
            state.runs.append(Run(append_number, lsn, stamp_ns))
        state.append_number = append_number
        state.lsn = lsn
        state.stamp_ns = stamp_ns

    def take(self, entries: Sequence[Entry], first_lsn: int, stamp_ns: int) -> None:
        """Fold entries that were just written from `first_lsn` on."""
        for lsn, entry in enumerate(entries, first_lsn):
            self.see(lsn, stamp_ns, entry[0], writer_field(entry[1]), entry[2], entry[3])

    def check(self, entries: Iterable[Entry]) -> None:
        """Raises OutOfOrder unless every entry is its writer's next one.

        Within an epoch the next number is one higher. A higher epoch begins with its EPOCH record, number 0, or,
        where the writer has none written, with number 1.
        """
        heads: dict[str, tuple[int, int]] = {}
        for kind, writer, epoch, number, _ in entries:
            head = heads.get(writer)
            if head is None:
                state = self.by_name.get(writer)
                head = (state.epoch, state.append_number) if state is not None else (0, 0)
            first = 0 if kind == EPOCH else 1
            wanted = head[1] + 1 if epoch == head[0] else first
            if epoch < head[0] or number != wanted:
                raise OutOfOrder(writer, epoch, number, max(epoch, head[0]), wanted)
            heads[writer] = (epoch, number)

    def table(self) -> bytes:
        """All writers as rows of ROW_BYTES, for a segment's header."""
        return b"".join(
            _ROW.pack(writer_field(name), state.epoch, state.append_number, state.lsn, state.stamp_ns)
            for name, state in sorted(self.by_name.items())
        )

    @classmethod
    def from_table(cls, table: bytes) -> "Writers":
        """The writers that `table` holds."""
        writers = cls()
        for field, epoch, number, lsn, stamp_ns in _ROW.iter_unpack(table):
            writers._put(field, WriterState(epoch, number, lsn, stamp_ns))
        return writers

    def _put(self, field: bytes, state: WriterState) -> None:
        self.by_name[writer_name(field)] = state
        self._by_field[field] = state

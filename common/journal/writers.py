"""Which append of each writer the log holds last: a fold over the frames, so it survives the journal's own restart."""

import struct
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from common.journal.errors import OutOfOrder
from common.journal.frames import EPOCH, Entry, writer_field, writer_name

# How many runs a writer's appends are remembered by, so that a duplicate gets its original place and stamp. A writer
# keeps at most so many appends unacknowledged, and resends no others. At most twice as many are held.
RUNS_KEPT = 65_536
_ROW = struct.Struct("<32sQQQQQ")
ROW_BYTES = _ROW.size


class Run(NamedTuple):
    """Consecutive appends of one writer in consecutive records under one stamp: numbers and the LSN of the last."""

    first_number: int
    last_number: int
    last_lsn: int
    stamp_ns: int


class WriterState:
    """One writer: its epoch, the last append number held (0: none in this epoch), and where that stands.

    `epoch_lsn` is the first record of the epoch: its EPOCH record, where it has one.
    """

    __slots__ = ("_lsns", "_numbers", "_stamps", "append_number", "epoch", "epoch_lsn", "lsn", "stamp_ns")

    def __init__(self, epoch: int, append_number: int, lsn: int, stamp_ns: int, epoch_lsn: int) -> None:
        self.epoch = epoch
        self.append_number = append_number
        self.lsn = lsn
        self.stamp_ns = stamp_ns
        self.epoch_lsn = epoch_lsn
        # The first append of each run: its number, LSN and stamp.
        self._numbers = array("Q", (append_number,))
        self._lsns = array("Q", (lsn,))
        self._stamps = array("Q", (stamp_ns,))

    def runs(self, from_number: int, upto_number: int) -> list[Run]:
        """Where these appends of the present epoch stand, ascending; those not held or forgotten are left out."""
        upto_number = min(upto_number, self.append_number)
        index = max(0, bisect_right(self._numbers, from_number) - 1)
        found: list[Run] = []
        while index < len(self._numbers) and self._numbers[index] <= upto_number:
            start = self._numbers[index]
            after = self._numbers[index + 1] if index + 1 < len(self._numbers) else self.append_number + 1
            first, last = max(start, from_number), min(after - 1, upto_number)
            if first <= last:
                found.append(Run(first, last, self._lsns[index] + last - start, self._stamps[index]))
            index += 1
        return found

    def add(self, append_number: int, lsn: int, stamp_ns: int) -> None:
        """Fold the next append."""
        if lsn != self.lsn + 1 or stamp_ns != self.stamp_ns:
            if len(self._numbers) >= 2 * RUNS_KEPT:
                for kept in (self._numbers, self._lsns, self._stamps):
                    del kept[:RUNS_KEPT]
            self._numbers.append(append_number)
            self._lsns.append(lsn)
            self._stamps.append(stamp_ns)
            self.stamp_ns = stamp_ns
        self.append_number = append_number
        self.lsn = lsn


class Writers:
    """The fold: every writer by name."""

    def __init__(self) -> None:
        self.by_name: dict[str, WriterState] = {}
        self._by_field: dict[bytes, WriterState] = {}

    def see(self, lsn: int, stamp_ns: int, kind: int, writer: bytes, writer_epoch: int, append_number: int) -> None:
        """Fold one frame. A later epoch begins the writer anew; `check` kept an earlier one out."""
        state = self._by_field.get(writer)
        if state is None or writer_epoch != state.epoch:
            self._put(writer, WriterState(writer_epoch, append_number, lsn, stamp_ns, lsn))
            return
        state.add(append_number, lsn, stamp_ns)

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
            _ROW.pack(writer_field(name), state.epoch, state.append_number, state.lsn, state.stamp_ns, state.epoch_lsn)
            for name, state in sorted(self.by_name.items())
        )

    @classmethod
    def from_table(cls, table: bytes) -> "Writers":
        """The writers that `table` holds."""
        writers = cls()
        for field, epoch, number, lsn, stamp_ns, epoch_lsn in _ROW.iter_unpack(table):
            writers._put(field, WriterState(epoch, number, lsn, stamp_ns, epoch_lsn))
        return writers

    def _put(self, field: bytes, state: WriterState) -> None:
        self.by_name[writer_name(field)] = state
        self._by_field[field] = state

"""A journal's records again, at their own pace, at another, or at once; where to, the caller says."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from common.instant import NS_PER_S
from common.journal import Reader, Record, parse
from common.journal.frames import frame_bytes


class Block(NamedTuple):
    """Records stamped alike, with the frames that they were published as."""

    records: list[Record]
    frames: bytes


def blocks(reader: Reader, from_lsn: int, upto_lsn: int | None) -> Iterator[Block]:
    """The range as blocks that follow one another without a gap, each of one stamp. Raises JournalError."""
    lsn = from_lsn
    limit = (1 << 64) - 1 if upto_lsn is None else upto_lsn
    while lsn <= limit:
        frames = reader.read_block(lsn, limit)
        if not frames:
            return
        records = parse(frames)
        yield from _by_stamp(records, frames)
        lsn = records[-1].lsn + 1


def _by_stamp(records: list[Record], frames: bytes) -> Iterator[Block]:
    """Cut a block wherever the stamp changes; frames are as long as their payloads say."""
    start = first = position = 0
    for index, record in enumerate(records):
        if record.stamp_ns != records[first].stamp_ns:
            yield Block(records[first:index], frames[start:position])
            start, first = position, index
        position += frame_bytes(len(record.payload))
    yield Block(records[first:], frames[start:])


class Pace:
    """When a record is due: `speed` times as fast as it was recorded; 0 is at once."""

    def __init__(self, speed: float, clock_ns: Callable[[], int], sleep: Callable[[float], None]) -> None:
        """`clock_ns` only advances; `sleep` takes seconds."""
        self._speed = speed
        self._clock_ns = clock_ns
        self._sleep = sleep
        self._first_stamp_ns: int | None = None
        self._began_ns = 0

    def wait(self, stamp_ns: int) -> None:
        """Return when what bears this stamp is due."""
        if not self._speed:
            return
        if self._first_stamp_ns is None:
            self._first_stamp_ns, self._began_ns = stamp_ns, self._clock_ns()
            return
        due_ns = self._began_ns + int((stamp_ns - self._first_stamp_ns) / self._speed)
        left_ns = due_ns - self._clock_ns()
        if left_ns > 0:
            self._sleep(left_ns / NS_PER_S)

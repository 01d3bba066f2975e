"""What a journal is made of: records and bytes by kind and by writer, its time, its epochs."""

from collections.abc import Callable
from dataclasses import dataclass, field

from common.instant import NS_PER_S
from common.journal import Reader
from common.past.words import kind_name, time_text


@dataclass
class Tally:
    """Records and payload bytes."""

    records: int = 0
    payload_bytes: int = 0

    def add(self, size: int) -> None:
        """One more record."""
        self.records += 1
        self.payload_bytes += size

    def document(self) -> dict[str, int]:
        """For JSON."""
        return {"records": self.records, "payload_bytes": self.payload_bytes}


@dataclass
class Stats:
    """The sums over a range of records."""

    all: Tally = field(default_factory=Tally)
    by_kind: dict[str, Tally] = field(default_factory=dict)
    by_writer: dict[str, Tally] = field(default_factory=dict)
    journal_epochs: list[int] = field(default_factory=list)
    first_lsn: int = 0
    last_lsn: int = 0
    first_stamp_ns: int = 0
    last_stamp_ns: int = 0

    @property
    def seconds(self) -> float:
        """From the first record's stamp to the last one's."""
        return (self.last_stamp_ns - self.first_stamp_ns) / NS_PER_S

    def document(self) -> dict[str, object]:
        """For JSON."""
        return {
            "first_lsn": self.first_lsn,
            "last_lsn": self.last_lsn,
            "first_time": time_text(self.first_stamp_ns) if self.all.records else "",
            "last_time": time_text(self.last_stamp_ns) if self.all.records else "",
            "seconds": self.seconds,
            **self.all.document(),
            "journal_epochs": self.journal_epochs,
            "kinds": {name: tally.document() for name, tally in sorted(self.by_kind.items())},
            "writers": {name: tally.document() for name, tally in sorted(self.by_writer.items())},
        }


def gather(reader: Reader, from_lsn: int, upto_lsn: int | None, progress: Callable[[int], None]) -> Stats:
    """Sum over a range; `progress` is told the last LSN read. Raises JournalError."""
    stats = Stats()
    kinds: dict[int, Tally] = {}
    lsn = from_lsn
    limit = (1 << 64) - 1 if upto_lsn is None else upto_lsn
    while lsn <= limit and (records := reader.read(lsn, limit)):
        if not stats.all.records:
            stats.first_lsn, stats.first_stamp_ns = records[0].lsn, records[0].stamp_ns
        for record in records:
            size = len(record.payload)
            stats.all.add(size)
            kinds.setdefault(record.kind, Tally()).add(size)
            stats.by_writer.setdefault(record.writer, Tally()).add(size)
            if not stats.journal_epochs or record.journal_epoch != stats.journal_epochs[-1]:
                stats.journal_epochs.append(record.journal_epoch)
        stats.last_lsn, stats.last_stamp_ns = records[-1].lsn, records[-1].stamp_ns
        lsn = stats.last_lsn + 1
        progress(stats.last_lsn)
    stats.by_kind = {kind_name(kind): tally for kind, tally in kinds.items()}
    return stats

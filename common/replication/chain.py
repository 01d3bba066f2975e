"""Whether the messages of a stream follow from one another: the check that a verification and a restore share."""

from common.journal.frames import Link, Record, Stop, walk
from common.replication.errors import StreamBroken
from common.replication.message import Stored


class Chain:
    """The end of what was checked: the last sequence number, the record and checksum there, its stamp, the term."""

    def __init__(self) -> None:
        """Before the first message, which begins with record 1."""
        self.sequence = 0
        self.end = Link(0, 0)
        self.stamp_ns = 0
        self.term = 0

    def take(self, found: Stored, records: list[Record] | None = None) -> None:
        """Check that the message follows, every byte of it; `records` gets what it holds. Raises StreamBroken."""
        sequence, batch = found
        if sequence != self.sequence + 1:
            raise StreamBroken(self.sequence + 1, f"it is missing; the next one is {sequence}")
        if batch.term < self.term:
            raise StreamBroken(sequence, f"it is of term {batch.term}, behind one of term {self.term}")
        if batch.first_lsn != self.end.lsn + 1:
            why = f"it begins with record {batch.first_lsn}, and {self.end.lsn + 1} was to follow"
            raise StreamBroken(sequence, why)
        walked = walk(batch.block, self.end, records=records, stamp_ns=self.stamp_ns)
        if walked.stop is not Stop.MORE or walked.position != len(batch.block):
            raise StreamBroken(sequence, f"record {walked.end.lsn + 1}: {walked.why or 'cut short'}")
        if walked.end.lsn != batch.last_lsn:
            raise StreamBroken(sequence, f"it ends with record {walked.end.lsn}, and says {batch.last_lsn}")
        self.sequence, self.end, self.stamp_ns, self.term = sequence, walked.end, walked.stamp_ns, batch.term

"""What the copy off the machine holds, read from it by rules of its own: which records count, and where terms began."""

from typing import NamedTuple

from common.journal.frames import TERM
from common.replication.message import Stored
from scripts.simulation.invariants import Violation
from scripts.simulation.witness import DurableRecord, read_frames


class Term(NamedTuple):
    """A term of the journal: it begins behind the record `after_lsn`, and stood in the stream at `at_ns`."""

    number: int
    after_lsn: int
    at_ns: int


class CopyView:
    """The records that count, from record 1 on, and the terms in their order."""

    def __init__(self) -> None:
        """The stream is empty."""
        self.records: list[DurableRecord] = []
        self.terms = [Term(1, 0, 0)]

    @property
    def term(self) -> Term:
        """The one that may be written in."""
        return self.terms[-1]

    def added(self, message: Stored, now_ns: int) -> None:
        """A message was added to the stream. Raises Violation."""
        sequence, batch = message
        if batch.term < self.term.number:
            return
        found, _ = read_frames(batch.block)
        if found[0].record.lsn != len(self.records) + 1:
            detail = f"message {sequence}, of term {batch.term}, begins with record {found[0].record.lsn}"
            raise Violation("one-content", f"{detail} behind record {len(self.records)}")
        begins = any(each.record.kind == TERM for each in found)
        if begins != (batch.term > self.term.number):
            raise Violation("one-content", f"message {sequence} is of term {batch.term}, after {self.term.number}")
        if begins:
            self.terms.append(Term(batch.term, len(self.records), now_ns))
        self.records += found

    def holds(self, found: DurableRecord) -> bool:
        """Whether that very record counts."""
        at = found.record.lsn - 1
        return at < len(self.records) and self.records[at].crc == found.crc

    def term_at(self, lsn: int, host_term: int) -> int:
        """The term in which a host of the term `host_term` has that record."""
        return max(term.number for term in self.terms if term.number <= host_term and term.after_lsn < max(1, lsn))

    def has_place(self, term: int, lsn: int, now: int) -> bool:
        """Whether a log of the term `now` has the record `lsn` that a log of `term` had."""
        return all(lsn <= each.after_lsn for each in self.terms if term < each.number <= now)

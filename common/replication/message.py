"""What stands in the stream: frames of the log, byte for byte, with the term and the numbers of the first and last.

One stream holds one journal, named after its identity. A message is a run of whole frames as they stand in the
segments, what was committed together as a rule; messages follow one another as the records do, without a gap.
"""

from collections.abc import Mapping
from typing import NamedTuple

from common.journal.frames import parse
from common.replication.errors import StreamBroken

TERM = "Fixring-Term"
FIRST_LSN = "Fixring-First-Lsn"
LAST_LSN = "Fixring-Last-Lsn"

MESSAGE_BYTES = 1 << 20
"""Frames are gathered up to this for one message; a larger frame has one of its own."""

MAX_PAYLOAD_BYTES = 8 << 20
"""What the servers must take in one message: well above the largest frame."""


def stream_name(journal_id: str) -> str:
    """The stream of the journal with that identity (32 hexadecimal digits)."""
    return f"fixring-{journal_id}"


def subject_of(journal_id: str) -> str:
    """The one subject of that stream."""
    return f"fixring.journal.{journal_id}"


class Batch(NamedTuple):
    """Whole frames, records `first_lsn` to `last_lsn`, as they are published in `term`."""

    term: int
    first_lsn: int
    last_lsn: int
    block: bytes

    def headers(self) -> dict[str, str]:
        """What stands beside the frames."""
        return {TERM: str(self.term), FIRST_LSN: str(self.first_lsn), LAST_LSN: str(self.last_lsn)}


class Stored(NamedTuple):
    """A message as the stream holds it, under its sequence number."""

    sequence: int
    batch: Batch


def batch_of(term: int, block: bytes) -> Batch:
    """The block, which was read from the log, as it is published."""
    records = parse(block)
    return Batch(term, records[0].lsn, records[-1].lsn, block)


def stored(sequence: int, headers: Mapping[str, str], block: bytes) -> Stored:
    """The message as it was read from the stream. Raises StreamBroken where its headers are none of ours."""
    try:
        term, first_lsn, last_lsn = (int(headers[name]) for name in (TERM, FIRST_LSN, LAST_LSN))
    except (KeyError, ValueError) as error:
        raise StreamBroken(sequence, f"no message of a journal: {error!r}") from error
    return Stored(sequence, Batch(term, first_lsn, last_lsn, block))

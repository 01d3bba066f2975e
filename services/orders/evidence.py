"""What a host that comes back wrote beyond the copy, brought in as evidence: differences for a person, each once.

It supersedes nothing: no order, fill or position moves by it. Whoever brings it in has read the log up to a record and
offers what is not there yet. An offer by an older reading is refused, as a stream refuses one with a lower expectation:
so the log alone says what has come in, and nothing of it is kept beside.
"""

from typing import Annotated, Final

import msgspec

from common.actor.acts import Cannot
from common.actor.core import Core
from common.actor.links import Appender
from common.instant import Instant
from common.journal.frames import Record
from common.messages import UNDECODABLE, Discrepancy, Kind, Number, cut
from common.orders.books import Books

EVIDENCE_OF: Final = "evidence of "
"""So begins the action of a discrepancy that is evidence; behind it stand host, file, frame and checksum."""

MOST_ROWS: Final = 50
"""So many are offered at once at most: what a control link takes, and far below what may wait for the journal."""

_Text = Annotated[str, msgspec.Meta(max_length=500)]


class EvidenceRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One difference: what `theirs`, the former host's frame, says of `subject`, and what our log has of it. `frame` is
    the frame's name, of which there is one."""

    frame: Annotated[str, msgspec.Meta(min_length=1, max_length=300)]
    account: _Text
    subject: _Text
    ours: _Text
    theirs: _Text


class EvidenceArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is brought in by somebody who has read the log up to record `read_lsn`."""

    read_lsn: Number
    rows: Annotated[list[EvidenceRow], msgspec.Meta(min_length=1, max_length=MOST_ROWS)]


class HostEvidence:
    """See the module."""

    def __init__(self, core: Core, books: Books, appender: Appender) -> None:
        """What a former life of this process has appended is known to be in the log once it is live."""
        self._core = core
        self._books = books
        self._appender = appender
        self._under_way = 0
        self._heard_lsn = 0

    def go_live(self, lsn: int) -> None:
        """All that a former life appended stands at `lsn` at the latest."""
        self._heard_lsn = max(self._heard_lsn, lsn)

    def hear_discrepancy(self, record: Record) -> None:
        """One stands in the log."""
        if frame_of(record) and self._under_way:
            self._under_way -= 1
            self._heard_lsn = record.lsn

    def bring_in(self, offered: EvidenceArguments, by: str, now: Instant) -> str:
        """The act of a person. Raises Cannot."""
        if self._under_way or offered.read_lsn < self._heard_lsn:
            raise Cannot(f"the log has more evidence than was read up to record {offered.read_lsn}: read on, try again")
        if self._appender.full:
            raise Cannot("the journal does not take more now; try again")
        for row in offered.rows:
            action = f"{EVIDENCE_OF}{row.frame}"
            told = Discrepancy(
                self._books.known.venue_of(row.account) if row.account else "", cut(row.subject), cut(row.ours),
                cut(row.theirs), offered.read_lsn, action, row.account,
            )  # fmt: skip
            self._appender.append(Kind.DISCREPANCY, told, now)
            self._core.note("warning", "discrepancy", account=row.account, subject=row.subject, ours=row.ours,
                            theirs=row.theirs)  # fmt: skip
        self._under_way += len(offered.rows)
        return f"{len(offered.rows)} go into the journal"


def frame_of(record: Record) -> str:
    """Which frame of a former host the record is evidence of, "" where it is none."""
    if record.kind != Kind.DISCREPANCY:
        return ""
    try:
        action = _decode(record.payload).action
    except UNDECODABLE:
        return ""
    return action.removeprefix(EVIDENCE_OF) if action.startswith(EVIDENCE_OF) else ""


_decode = msgspec.msgpack.Decoder(Discrepancy).decode

"""What a host that comes back wrote beyond the copy, brought in as evidence: differences for a person, each once.

It supersedes nothing: no order of ours, no fill and no position moves by it. An order that only the lost end of a log
knew is one of the books from then on, UNKNOWN, and asked about like any other; all else is a difference that is written
down. Whoever brings it in has read the log up to a record and offers what is not there yet. An offer by an older
reading is refused, as a stream refuses one with a lower expectation: so the log alone says what has come in, and
nothing of it is kept beside.
"""

from typing import Annotated, Final

import msgspec

from common.actor.acts import Cannot
from common.actor.core import Core
from common.actor.links import Appender
from common.instant import Instant
from common.journal.frames import Record
from common.messages import UNDECODABLE, Discrepancy, Kind, LostOrder, Number, Outbound, cut
from common.orders.books import Books

EVIDENCE_OF: Final = "evidence of "
"""So begins the action of a discrepancy that is evidence; behind it stand host, file, frame and checksum."""

EVIDENCE: Final = frozenset({Kind.DISCREPANCY, Kind.LOST_ORDER})
"""The kinds of records that it may be."""

MOST_ROWS: Final = 50
"""So many are offered at once at most: what a control link takes, and far below what may wait for the journal."""

_Text = Annotated[str, msgspec.Meta(max_length=500)]


class LostSending(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An order as the former host had sent it: see `common.messages.LostOrder`."""

    sent: Outbound
    sent_ns: int
    connection: int
    amendments: tuple[Outbound, ...] = ()


class EvidenceRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One difference: what `theirs`, the former host's frame, says of `subject`, and what our log has of it. `frame` is
    the frame's name, of which there is one. `order`: it is an order that our log never had."""

    frame: Annotated[str, msgspec.Meta(min_length=1, max_length=300)]
    account: _Text
    subject: _Text
    ours: _Text
    theirs: _Text
    order: LostSending | None = None


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

    def hear(self, record: Record) -> None:
        """One may stand in the log."""
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
            self._write(row, offered.read_lsn, now)
        self._under_way += len(offered.rows)
        return f"{len(offered.rows)} go into the journal"

    def _write(self, row: EvidenceRow, read_lsn: int, now: Instant) -> None:
        its = row.order
        if its is not None:
            lost = LostOrder(row.frame, its.sent, its.sent_ns, its.connection, its.amendments, read_lsn)
            self._appender.append(Kind.LOST_ORDER, lost, now)
            return
        told = Discrepancy(
            self._books.known.venue_of(row.account) if row.account else "", cut(row.subject), cut(row.ours),
            cut(row.theirs), read_lsn, f"{EVIDENCE_OF}{row.frame}", row.account,
        )  # fmt: skip
        self._appender.append(Kind.DISCREPANCY, told, now)
        self._core.note(
            "warning", "discrepancy", account=row.account, subject=row.subject, ours=row.ours, theirs=row.theirs
        )


def frame_of(record: Record) -> str:
    """Which frame of a former host the record is evidence of, "" where it is none."""
    try:
        if record.kind == Kind.LOST_ORDER:
            return _lost_order(record.payload).frame
        action = _discrepancy(record.payload).action if record.kind == Kind.DISCREPANCY else ""
    except UNDECODABLE:
        return ""
    return action.removeprefix(EVIDENCE_OF) if action.startswith(EVIDENCE_OF) else ""


_discrepancy = msgspec.msgpack.Decoder(Discrepancy).decode
_lost_order = msgspec.msgpack.Decoder(LostOrder).decode

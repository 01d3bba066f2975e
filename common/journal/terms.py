"""Terms: whose turn it is to write the journal, where a copy of it lets another host go on.

A journal begins in the first term. Another host that takes it over begins the next one with two frames, which it gives
the copy before it writes them itself: an EPOCH record of the journal's own, and a TERM record by the writer `term`,
whose writer epoch is the term. So which term a log is in is a part of the fold of its writers, and outlives retention.
Epochs of a later term stand far above all that the former host can have granted in what was lost of its log.
"""

import msgspec

from common.instant import NS_PER_S
from common.journal.errors import BadFrame
from common.journal.frames import EPOCH, OWN_WRITER, TERM, TERM_WRITER, Entry, Link, Record, frame

FIRST_TERM = 1
"""The term in which a journal begins. Who may write it has the highest one."""

TERM_RECORDS = 2
"""A later one begins with so many records, the last of which is the TERM record."""

EPOCHS_LEFT_OUT = 86_400
"""So far above everything known the epochs of a new term begin. An epoch is the Unix time of its grant, or one more
than the last: a host grants no more than one a second beyond its clock, so a day's worth is more than it can have lost.
"""


class TermBegan(msgspec.Struct, frozen=True, array_like=True):
    """What a TERM record says: `by` (a person) takes the journal over for `host`, and the log stands on `after`.

    `wall_ns` is the taker's clock; every epoch from here on is above `epoch_floor`.
    """

    term: int
    by: str
    host: str
    lsn: int
    crc: int
    epoch_floor: int
    wall_ns: int

    @property
    def after(self) -> Link:
        """The record that the term begins behind, with its checksum."""
        return Link(self.lsn, self.crc)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(TermBegan).decode


def epoch_floor(highest_epoch: int, wall_ns: int, stamp_ns: int) -> int:
    """What the epochs of a term that begins now stand above. `highest_epoch` and `stamp_ns` are the log's."""
    return max(highest_epoch, wall_ns // NS_PER_S, stamp_ns // NS_PER_S) + EPOCHS_LEFT_OUT


def term_block(began: TermBegan, stamp_ns: int) -> bytes:
    """The frames with which the term begins, stamped `stamp_ns`. Raises BadEntry."""
    epoch = began.epoch_floor + 1
    entries = [
        Entry(EPOCH, OWN_WRITER, epoch, 0, b""),
        Entry(TERM, TERM_WRITER, began.term, 1, _encode(began)),
    ]
    return frame(entries, began.after, stamp_ns=stamp_ns, journal_epoch=epoch, durable_lsn=began.lsn)[0]


def term_of(record: Record) -> TermBegan:
    """What a TERM record says. Raises BadFrame where it does not decode, or is none of the writer's."""
    try:
        began = _decode(record.payload)
    except msgspec.DecodeError as error:
        raise BadFrame(0, f"record {record.lsn} is no TERM record: {error}") from error
    if record.kind != TERM or record.writer != TERM_WRITER or record.writer_epoch != began.term:
        raise BadFrame(0, f"record {record.lsn} is no TERM record of the term that it names, {began.term}")
    return began


def term_begun_by(records: list[Record]) -> TermBegan | None:
    """The term that a message of these records begins; None where it begins none. Raises BadFrame."""
    for record in records:
        if record.kind == TERM:
            return term_of(record)
    return None

"""Invariant: messages are taken as a journal's when they follow from record 1 without a hole, byte for byte."""

import pytest

from common.journal.frames import Entry, Link, Record, frame
from common.replication.chain import Chain
from common.replication.errors import StreamBroken
from common.replication.message import Batch, Stored, batch_of, stored


def messages(count: int, term: int = 1) -> list[Stored]:
    """Messages of two records each."""
    end, made = Link(0, 0), []
    for sequence in range(1, count + 1):
        entries = [Entry(16, "me", 1, 2 * sequence + n, b"payload") for n in (-1, 0)]
        block, end = frame(entries, end, stamp_ns=sequence, journal_epoch=1, durable_lsn=0)
        made.append(Stored(sequence, batch_of(term, block)))
    return made


def test_what_follows_is_taken_whole() -> None:
    chain, records = Chain(), list[Record]()
    for each in messages(3):
        chain.take(each, records)
    assert (chain.sequence, chain.end.lsn, chain.stamp_ns, chain.term) == (3, 6, 3, 1)
    assert [record.lsn for record in records] == [1, 2, 3, 4, 5, 6]


def broken(found: Stored, **changes: object) -> Stored:
    return Stored(found.sequence, found.batch._replace(**changes))  # type: ignore[arg-type]


def test_a_hole_a_swap_and_every_changed_byte_are_refused() -> None:
    one, two, three = messages(3)
    for wrong in (three, one, Stored(2, three.batch), broken(two, block=two.batch.block[:-8]), broken(two, last_lsn=5)):
        chain = Chain()
        chain.take(one)
        with pytest.raises(StreamBroken):
            chain.take(wrong)
        assert (chain.sequence, chain.end.lsn) == (1, 2)
    for at in range(0, len(two.batch.block), 7):
        chain = Chain()
        chain.take(one)
        changed = bytearray(two.batch.block)
        changed[at] ^= 1
        with pytest.raises(StreamBroken):
            chain.take(broken(two, block=bytes(changed)))


def test_a_lower_term_behind_a_higher_one_is_refused() -> None:
    one, two = messages(2)
    chain = Chain()
    chain.take(broken(one, term=3))
    with pytest.raises(StreamBroken, match="term 1, behind one of term 3"):
        chain.take(two)


@pytest.mark.parametrize("headers", [{}, {"Fixring-Term": "1"}, {**Batch(1, 1, 2, b"").headers(), "Fixring-Term": "x"}])
def test_a_message_of_somebody_else_is_no_message_of_a_journal(headers: dict[str, str]) -> None:
    with pytest.raises(StreamBroken, match="no message of a journal"):
        stored(7, headers, b"")

"""Invariant: messages are taken as a journal's when they follow from record 1 without a hole, byte for byte."""

import pytest

from common.journal.frames import Entry, Link, Record, frame
from common.journal.terms import TermBegan, term_block
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


def taken_over(chain: Chain, sequence: int, term: int = 2) -> Stored:
    """The message with which somebody takes over behind what `chain` has read."""
    began = TermBegan(term, "alice", "b", chain.end.lsn, chain.end.crc, 500, 9)
    return Stored(sequence, batch_of(term, term_block(began, 9)))


def test_a_term_is_begun_by_its_record_and_what_a_lower_one_adds_is_dropped() -> None:
    one, two, three = messages(3)
    chain, records = Chain(), list[Record]()
    assert chain.take(one, records)
    assert chain.take(taken_over(chain, 2), records)
    assert (chain.term, chain.began and chain.began.by, chain.end.lsn) == (2, "alice", 4)
    end = chain.end
    assert not chain.take(Stored(3, two.batch), records), "the fenced host goes on behind its own end"
    assert (chain.sequence, chain.end, chain.dropped, len(records)) == (3, end, 1, 4)
    block = frame([Entry(16, "me", 502, 1, b"new")], end, stamp_ns=9, journal_epoch=501, durable_lsn=0)[0]
    assert chain.take(Stored(4, batch_of(2, block)), records) and records[-1].payload == b"new"
    assert not chain.take(Stored(5, three.batch)) and chain.dropped == 2


def test_a_higher_term_that_no_record_begins_is_refused() -> None:
    one, two = messages(2)
    chain = Chain()
    chain.take(one)
    for wrong in (broken(two, term=2), broken(taken_over(chain, 2), term=3), broken(taken_over(chain, 2), term=1)):
        with pytest.raises(StreamBroken):
            chain.take(wrong)
        assert (chain.term, chain.sequence) == (1, 1)
    chain.take(taken_over(chain, 2))
    with pytest.raises(StreamBroken):
        chain.take(taken_over(chain, 3, 2))
    assert chain.take(taken_over(chain, 3, 7)) and chain.term == 7, "terms that came to nothing are passed over"


@pytest.mark.parametrize("headers", [{}, {"Fixring-Term": "1"}, {**Batch(1, 1, 2, b"").headers(), "Fixring-Term": "x"}])
def test_a_message_of_somebody_else_is_no_message_of_a_journal(headers: dict[str, str]) -> None:
    with pytest.raises(StreamBroken, match="no message of a journal"):
        stored(7, headers, b"")

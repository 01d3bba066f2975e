"""Invariant: a batch counts as published when the stream holds these very bytes at its place, and only then; nothing is
ever in the stream twice, and another host's message ends it.
"""

from random import Random

import pytest

from common.replication.errors import Away, Fenced
from common.replication.message import Batch
from common.replication.publisher import Publisher
from tests.common.replication.fake import FakeLog, Odd, draw_odd


def batch(lsn: int, term: int = 1, block: bytes = b"") -> Batch:
    return Batch(term, lsn, lsn, block or b"record %d" % lsn)


def publisher_of(log: FakeLog, ours: tuple[Batch, ...] = ()) -> Publisher:
    """At the stream's beginning; `ours` is what the log holds otherwise cut."""
    return Publisher(log, 0, ours.__contains__)


def test_a_clear_yes_moves_on() -> None:
    log = FakeLog()
    publisher = publisher_of(log)
    publisher.publish(batch(1))
    publisher.publish(batch(2))
    assert log.held == [batch(1), batch(2)] and (publisher.sequence, publisher.unclear) == (2, 0)


@pytest.mark.parametrize("odd", [Odd.UNHEARD, Odd.WRONG_SEQUENCE, Odd.LATE])
def test_what_was_accepted_after_all_is_a_yes_and_is_not_published_again(odd: Odd) -> None:
    log = FakeLog()
    log.odd = [odd]
    publisher = publisher_of(log)
    publisher.publish(batch(1))
    assert log.held == [batch(1)] and log.published == 1 and publisher.unclear == 1


@pytest.mark.parametrize("odd", [Odd.LOST, Odd.DUPLICATE, Odd.ELSEWHERE, Odd.OTHER_SEQUENCE])
def test_what_is_no_yes_and_not_there_is_published_again_with_the_same_expectation(odd: Odd) -> None:
    log = FakeLog()
    log.odd = [odd]
    publisher = publisher_of(log)
    with pytest.raises(Away):
        publisher.publish(batch(1))
    assert log.held == [] and publisher.sequence == 0 and publisher.open_batch == batch(1)
    publisher.publish(batch(1))
    assert log.held == [batch(1)] and publisher.sequence == 1


def test_a_stale_read_costs_a_try_and_no_message_twice() -> None:
    log = FakeLog()
    log.odd, log.stale = [Odd.UNHEARD], 3
    publisher = publisher_of(log)
    for _ in range(2):
        with pytest.raises(Away):
            publisher.publish(batch(1))
    publisher.publish(batch(1))
    assert log.held == [batch(1)] and publisher.sequence == 1


@pytest.mark.parametrize(
    "other",
    [batch(1, block=b"other bytes"), batch(1, term=2), Batch(1, 1, 2, b"record 1")],
    ids=["bytes", "term", "numbers"],
)
def test_another_message_at_our_place_is_a_fence_whatever_it_was_answered_with(other: Batch) -> None:
    for odd in (None, Odd.DUPLICATE, Odd.LOST):
        log = FakeLog()
        publisher = publisher_of(log)
        log.held.append(other)
        log.odd = [odd] if odd else []
        with pytest.raises(Fenced) as caught:
            publisher.publish(batch(1))
        assert (caught.value.sequence, caught.value.term) == (1, other.term) and log.held == [other]


def test_what_a_former_life_published_otherwise_cut_and_came_late_is_ours() -> None:
    log, longer = FakeLog(), Batch(1, 1, 2, b"record 1record 2")
    publisher = publisher_of(log, (longer,))
    log.held.append(longer)
    assert publisher.publish(batch(1)) == longer and publisher.sequence == 1 and publisher.open_batch is None
    assert log.held == [longer]


def test_a_fenced_host_s_late_message_is_passed_over_and_ours_stands_behind_it() -> None:
    log = FakeLog()
    publisher = publisher_of(log)
    publisher.publish(batch(1, term=2))
    late = batch(2, term=1, block=b"the fenced host's")
    log.held.append(late)
    with pytest.raises(Away):
        publisher.publish(batch(2, term=2))
    publisher.publish(batch(2, term=2))
    assert log.held == [batch(1, term=2), late, batch(2, term=2)] and publisher.sequence == 3


def test_a_stream_that_is_away_leaves_all_as_it_was() -> None:
    log = FakeLog()
    publisher = publisher_of(log)
    log.away = True
    with pytest.raises(Away):
        publisher.publish(batch(1))
    log.away = False
    publisher.publish(batch(1))
    assert log.held == [batch(1)]


@pytest.mark.parametrize("seed", range(40))
def test_any_run_of_faults_ends_with_each_batch_once_in_order(seed: int) -> None:
    random, log = Random(seed), FakeLog()
    publisher = publisher_of(log)
    for lsn in range(1, 12):
        for _ in range(200):
            draw_odd(random, log)
            try:
                publisher.publish(batch(lsn))
                break
            except Away:
                assert log.held[: lsn - 1] == [batch(n) for n in range(1, lsn)]
        else:
            raise AssertionError("never published")
        assert log.held == [batch(n) for n in range(1, lsn + 1)] and publisher.sequence == lsn

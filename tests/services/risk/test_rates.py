"""Invariant: in no window do more messages pass than one bucketful and what refilled meanwhile."""

from hypothesis import given
from hypothesis import strategies as st

from common.actor.rates import Bucket
from common.instant import NS_PER_S


def test_a_full_bucket_lets_its_messages_go_at_once_and_refills_evenly() -> None:
    bucket = Bucket(4, NS_PER_S)
    now_ns = 10 * NS_PER_S
    for left in (4, 3, 2, 1):
        assert bucket.available(now_ns) == left and bucket.allows(now_ns)
        bucket.count_message(now_ns)
    assert not bucket.allows(now_ns)
    assert bucket.allows(now_ns + NS_PER_S // 4)
    assert bucket.available(now_ns + NS_PER_S) == 4


def test_a_reserve_is_left_for_others() -> None:
    bucket = Bucket(4, NS_PER_S)
    bucket.count_message(0)
    assert bucket.allows(0, 2) and not bucket.allows(0, 3)


def test_what_is_taken_beyond_the_rate_is_owed() -> None:
    bucket = Bucket(2, NS_PER_S)
    for _ in range(4):
        bucket.count_message(0)
    assert bucket.available(0) == -2
    assert not bucket.allows(NS_PER_S) and bucket.allows(2 * NS_PER_S)


def test_a_flood_that_its_receiver_refuses_is_owed_for_one_window_at_most() -> None:
    bucket = Bucket(20, NS_PER_S)
    for _ in range(650):
        bucket.count_message(0)
    assert bucket.available(0) == -20
    assert bucket.allows(2 * NS_PER_S, 4)


@given(st.integers(1, 50), st.lists(st.integers(0, NS_PER_S // 4), max_size=200))
def test_no_window_holds_more_than_twice_the_rate(messages: int, pauses: list[int]) -> None:
    bucket, now_ns, passed = Bucket(messages, NS_PER_S), 0, []
    for pause in pauses:
        now_ns += pause
        if bucket.allows(now_ns):
            bucket.count_message(now_ns)
            passed.append(now_ns)
    for index, start in enumerate(passed):
        inside = sum(1 for time in passed[index:] if time < start + NS_PER_S)
        assert inside <= 2 * messages

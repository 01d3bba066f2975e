"""Numbers of Logons(A) that have to grow, whatever clocks do and venues have let in."""

from common.instant import NS_PER_S
from common.venues.nonces import GrowingNonce, Nonces

START = Nonces().sent(1_000 * NS_PER_S).accepted()


def test_each_is_the_time_or_one_above_the_one_before() -> None:
    assert START.latest_ms == 1_000_000
    assert START.sent(1_002 * NS_PER_S).latest_ms == 1_002_000
    assert START.sent(900 * NS_PER_S).latest_ms == 1_000_001


def test_one_that_was_refused_is_followed_by_the_time_and_not_below_what_was_let_in() -> None:
    refused = START.sent(5_000 * NS_PER_S).refused()
    assert refused.sent(1_010 * NS_PER_S).latest_ms == 1_010_000
    assert refused.sent(900 * NS_PER_S).latest_ms == 1_000_001


def test_where_the_answer_to_a_higher_one_was_lost_refusals_lead_back_to_that() -> None:
    lost = START.sent(5_000 * NS_PER_S)
    first = lost.refused().sent(1_010 * NS_PER_S)
    second = first.refused().sent(1_011 * NS_PER_S)
    third = second.refused().sent(1_012 * NS_PER_S)
    assert [each.latest_ms for each in (first, second, third)] == [1_010_000, 5_000_001, 1_012_000]


def test_one_that_is_lost_without_a_word_counts() -> None:
    assert START.sent(5_000 * NS_PER_S).sent(1_010 * NS_PER_S).latest_ms == 5_000_001


def test_the_number_of_a_request_grows_where_the_clock_stands_or_is_set_back() -> None:
    clock = iter([5_000_000_000, 5_000_000_000, 1_000_000_000, 6_000_000_000])
    nonce = GrowingNonce(lambda: next(clock))
    assert [nonce() for _ in range(4)] == [5_000, 5_001, 5_002, 6_000]


def test_a_venue_that_let_in_a_time_to_come_and_is_right_now_is_tried_with_the_time() -> None:
    ahead, now_ns, tried = START.sent(5_000 * NS_PER_S).accepted(), 1_010 * NS_PER_S, list[int]()
    for _ in range(6):
        ahead = ahead.sent(now_ns)
        tried.append(ahead.latest_ms)
        ahead = ahead.refused()
    assert {1_010_000, 5_000_001} <= set(tried)

"""Numbers of Logons(A) that have to grow, whatever clocks do and venues have let in."""

import errno
from collections.abc import Callable

import pytest

from common.instant import NS_PER_S
from common.venues.nonces import TRIES, GrowingNonce, NonceNotKept, Nonces

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
    clock = iter([5_000, 5_000, 1_000, 6_000])
    nonce = GrowingNonce(lambda: next(clock), None, sleeping([]))
    assert [nonce() for _ in range(4)] == [5_000, 5_001, 5_002, 6_000]


class Kept:
    """Numbers of a key of which another process has had 7000, in a file that is not always to be had."""

    def __init__(self, *errors: OSError) -> None:
        self.errors = list(errors)

    def following(self, least_ms: int) -> int:
        if self.errors:
            raise self.errors.pop(0)
        return max(least_ms, 7_001)


def sleeping(slept: list[float]) -> Callable[[float], None]:
    return slept.append


def test_the_number_of_a_request_is_above_what_other_processes_had() -> None:
    nonce = GrowingNonce(lambda: 5_000, Kept(), sleeping([]))
    assert [nonce(), nonce()] == [7_001, 7_002]


def test_a_file_that_another_process_has_in_its_hands_is_waited_for() -> None:
    slept = list[float]()
    busy = [BlockingIOError(errno.EWOULDBLOCK, "locked") for _ in range(TRIES)]
    assert GrowingNonce(lambda: 5_000, Kept(*busy[1:]), sleeping(slept))() == 7_001 and len(slept) == TRIES - 1
    with pytest.raises(NonceNotKept, match="another process has had the file for 2 s; see to the folder"):
        GrowingNonce(lambda: 5_000, Kept(*busy), sleeping(slept))()


def test_a_number_that_cannot_be_kept_is_none_unless_it_need_not_be() -> None:
    full = OSError(errno.ENOSPC, "No space left on device", "/var/rest.nonces")
    nonce = GrowingNonce(lambda: 5_000, Kept(full, full, full), sleeping([]))
    with pytest.raises(NonceNotKept, match="No space left on device: '/var/rest.nonces'; see to the folder"):
        nonce()
    nonce.must_be_kept = False
    assert [nonce(), nonce(), nonce()] == [5_000, 5_001, 7_001], "what of them was not kept grows all the same"


def test_a_venue_that_let_in_a_time_to_come_and_is_right_now_is_tried_with_the_time() -> None:
    ahead, now_ns, tried = START.sent(5_000 * NS_PER_S).accepted(), 1_010 * NS_PER_S, list[int]()
    for _ in range(6):
        ahead = ahead.sent(now_ns)
        tried.append(ahead.latest_ms)
        ahead = ahead.refused()
    assert {1_010_000, 5_000_001} <= set(tried)

"""From when until when trades are asked for, where a question may span but so much time."""

from itertools import pairwise

import pytest

from common.venues.rest import AHEAD_MS, spans

DAY_MS = 86_400_000
NOW_MS = 1_767_225_600_000


@pytest.mark.parametrize(
    "since_ms",
    [
        NOW_MS - 3 * DAY_MS, NOW_MS - DAY_MS - 1, NOW_MS - DAY_MS, NOW_MS - DAY_MS + 1, NOW_MS - DAY_MS + AHEAD_MS - 1,
        NOW_MS - DAY_MS + AHEAD_MS, NOW_MS - 1, NOW_MS, NOW_MS + 1, NOW_MS + 2 * AHEAD_MS,
    ],
)  # fmt: skip
def test_they_reach_far_enough_ahead_without_a_hole_and_none_but_the_first_begins_in_the_future(since_ms: int) -> None:
    asked = list(spans(since_ms, NOW_MS, DAY_MS))
    assert asked[0][0] == since_ms, "a clock that was set back behind that time leaves a question, too"
    assert asked[-1][1] >= NOW_MS + AHEAD_MS
    assert all(before[1] == after[0] for before, after in pairwise(asked))
    assert all(0 < end_ms - begin_ms <= DAY_MS for begin_ms, end_ms in asked)
    assert all(begin_ms <= NOW_MS for begin_ms, _ in asked[1:])


def test_what_began_not_long_ago_takes_one_question() -> None:
    assert list(spans(NOW_MS - 60_000, NOW_MS, DAY_MS)) == [(NOW_MS - 60_000, NOW_MS - 60_000 + DAY_MS)]

"""No minute has more than its allowance, however the questions come."""

from hypothesis import given, settings
from hypothesis import strategies as st

from common.venues.pace import BURST_SHARE, MINUTE_S, Pace

PER_S = 20.0


def test_a_burst_goes_at_once_and_the_rest_at_a_steady_rate() -> None:
    it = Pace(PER_S)
    delays = [it.delay_s(4, 1000.0) for _ in range(30)]
    burst = int(PER_S * MINUTE_S * BURST_SHARE / 4)
    assert delays[:burst] == [0.0] * burst
    steps = [later - sooner for sooner, later in zip(delays[burst:], delays[burst + 1 :], strict=False)]
    assert all(step > 4 / PER_S for step in steps)


def test_a_venue_s_own_bucket_is_filled_at_the_whole_rate() -> None:
    it = Pace(1.0, burst=18.0)
    assert [it.delay_s(1, 1000.0) for _ in range(20)] == [0.0] * 18 + [1.0, 2.0]
    assert it.delay_s(1, 1010.0) == 0.0, "ten more since"


@settings(max_examples=50)
@given(st.lists(st.tuples(st.floats(0, 5), st.sampled_from([1.0, 4.0])), max_size=400))
def test_no_minute_has_more_than_its_own(questions: list[tuple[float, float]]) -> None:
    it, now_s, made = Pace(PER_S), 1000.0, []
    for pause_s, cost in questions:
        now_s += pause_s
        now_s += it.delay_s(cost, now_s)
        made.append((now_s, cost))
    for began_s, _ in made:
        assert sum(cost for at_s, cost in made if began_s <= at_s < began_s + MINUTE_S) <= PER_S * MINUTE_S + 4

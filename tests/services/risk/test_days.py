"""The day: risk tells the log once that it has begun, with the prices of then."""

from datetime import time
from zoneinfo import ZoneInfo

from common.fix.schedule import Schedule
from common.instant import NS_PER_S
from common.messages import DayBegan, DayPrice
from tests.services.risk.rig import START_NS, D, Rig, settings

DAY_NS = 86_400 * NS_PER_S
BEGINS = Schedule(start=time(16, 45), end=time(16, 45), zone=ZoneInfo("Asia/Tokyo"))
"""START_NS is a quarter of an hour later there, on the fifteenth of January 2027."""


def begun(rig: Rig) -> list[DayBegan]:
    return [payload for payload in rig.appended if isinstance(payload, DayBegan)]


def test_a_day_is_told_once_and_the_next_with_its_prices() -> None:
    config = settings()._replace(days=BEGINS)
    rig = Rig(config)
    rig.log_tick()
    (first,) = begun(rig)
    assert first == DayBegan("2027-01-15", "Asia/Tokyo", START_NS - 900 * NS_PER_S)
    assert rig.state.books.day.began_ns == first.began_ns
    rig.log_tick(ms=86_400_000 - 900_000 - 10_000)
    assert len(begun(rig)) == 1
    rig.top()
    rig.log_tick(ms=10_000)
    second = begun(rig)[-1]
    assert (second.day, second.began_ns) == ("2027-01-16", first.began_ns + DAY_NS)
    assert DayPrice("generic", "BTCUSDT", D(100), 10_000) in second.prices
    again = Rig(config, rig.log)
    again.log_tick()
    assert not begun(again), "the log knows of it"


def test_where_no_day_is_configured_none_is_told() -> None:
    rig = Rig()
    rig.log_tick(ms=90_000_000)
    assert not begun(rig)

"""Which records a range, a filter and an order's name choose."""

from pathlib import Path

import pytest

from scripts.journal.replay import Pace, blocks
from scripts.journal.select import (
    Filter,
    OrderTrail,
    Point,
    first_lsn_at,
    last,
    last_lsn_at,
    open_reader,
    parse_point,
    select,
)
from scripts.journal.stats import gather
from scripts.journal.story import story

STORED = Path(__file__).parents[2] / "common" / "journal" / "first_format"
BEGAN_NS = 1_767_225_600_000_000_000
MS = 1_000_000


def chosen(wanted: Filter) -> list[int]:
    return [record.lsn for record, _ in select(open_reader(str(STORED)), wanted, 1, None)]


@pytest.mark.parametrize(
    ("text", "point"),
    [
        ("4711", Point(lsn=4711)),
        ("2026-01-01T00:00:00", Point(stamp_ns=BEGAN_NS)),
        ("2026-01-01 00:00:00.000001", Point(stamp_ns=BEGAN_NS + 1000)),
        ("2026-01-01T01:00:00+01:00", Point(stamp_ns=BEGAN_NS)),
        ("2026-01-01T00:00:00Z", Point(stamp_ns=BEGAN_NS)),
        ("-90s", Point(stamp_ns=7 * 10**18 - 90 * 10**9)),
        ("-1.5m", Point(stamp_ns=7 * 10**18 - 90 * 10**9)),
        ("-2h", Point(stamp_ns=7 * 10**18 - 7200 * 10**9)),
    ],
)
def test_places_in_the_log(text: str, point: Point) -> None:
    assert parse_point(text, 7 * 10**18) == point


@pytest.mark.parametrize("text", ["", "yesterday", "-5", "12:00", "-3y"])
def test_what_is_no_place(text: str) -> None:
    with pytest.raises(ValueError, match="no LSN"):
        parse_point(text, 0)


def test_a_range_by_time() -> None:
    reader = open_reader(str(STORED))
    assert first_lsn_at(reader, Point(stamp_ns=BEGAN_NS + 7 * MS)) == 8
    assert last_lsn_at(reader, Point(stamp_ns=BEGAN_NS + 7 * MS)) == 8
    assert first_lsn_at(reader, Point(lsn=5)) == last_lsn_at(reader, Point(lsn=5)) == 5
    assert (first_lsn_at(reader, None), last_lsn_at(reader, None)) == (1, None)


def test_filters() -> None:
    assert chosen(Filter(kinds=frozenset({"WITHDRAWN", "VERDICT"}))) == [11, 23]
    assert chosen(Filter(writer="orders")) == [19, 20, 21, 22, 23, 24]
    assert chosen(Filter(session="generic")) == list(range(2, 19))
    assert chosen(Filter(session="session@generic")) == list(range(2, 19))
    assert 27 not in chosen(Filter())
    assert 27 in chosen(Filter(ticks=True))


@pytest.mark.parametrize("name", ["maker/1", "toxvb9-1", "toxvb9-2"])
def test_an_order_by_its_name_or_any_of_its_requests(name: str) -> None:
    reader = open_reader(str(STORED))
    steps = story(reader, OrderTrail.of(name, reader))
    assert [step.record.lsn for step in steps] == [7, 8, 9, 10, 11, 13, 14, 15, 23, 26]
    assert steps[0].what == "order maker/1 sent to generic: buy 0.01 BTCUSDT at 65000.00"
    assert [step.after_ns // MS for step in steps][:4] == [0, 1, 1, 1]
    assert steps[2].what.endswith("OrdStatus(39)=1: 0.004 at 65000.00")
    assert steps[0].text().splitlines()[1].startswith("        7 ")


def test_the_last_ones() -> None:
    reader = open_reader(str(STORED))
    assert [record.lsn for record, _ in last(reader, Filter(), 3, 1, None)] == [25, 26, 28]
    assert [record.lsn for record, _ in last(reader, Filter(writer="orders"), 2, 1, None)] == [23, 24]
    assert [record.lsn for record, _ in last(reader, Filter(), 2, 1, 9)] == [8, 9]


def test_stats_add_up() -> None:
    told: list[int] = []
    stats = gather(open_reader(str(STORED)), 1, None, told.append)
    assert stats.all.records == 29 == sum(tally.records for tally in stats.by_kind.values())
    assert stats.by_kind["INBOUND"].records == 7
    assert stats.by_writer["orders"].records == 6
    assert stats.journal_epochs == [1767225600, 1767225601]
    assert stats.seconds == 2.0
    assert told[-1] == 29


def test_replay_keeps_the_records_in_blocks_of_one_stamp_and_their_pace() -> None:
    reader = open_reader(str(STORED))
    clock_ns, slept = 0, []

    def sleep(seconds: float) -> None:
        nonlocal clock_ns
        clock_ns += int(seconds * 10**9)
        slept.append(seconds)

    pace = Pace(2.0, lambda: clock_ns, sleep)
    found = []
    for block in blocks(reader, 1, None):
        pace.wait(block.records[0].stamp_ns)
        found.append(block)
    assert [record.lsn for block in found for record in block.records] == list(range(1, 30))
    assert all(len({record.stamp_ns for record in block.records}) == 1 for block in found)
    assert b"".join(block.frames for block in found)[4:8] == b"FXRJ"
    assert sum(slept) == pytest.approx(1.0)

"""Which records a range, a filter and an order's name choose."""

from collections import Counter
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from common.journal import Entry, Log, OsFiles, Reader
from common.messages import (
    Attempt,
    CancelOrder,
    Decision,
    Discrepancy,
    ExecutionReport,
    Inbound,
    Kind,
    ListedOrder,
    LostOrder,
    NewOrder,
    Outbound,
    Payload,
    Reason,
    Refused,
    Terms,
    encode,
    lost_number,
)
from common.past.replay import Pace, blocks
from common.past.select import (
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
from common.past.stats import gather
from common.past.story import story
from common.past.words import time_text

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


def test_a_time_as_it_is_printed_includes_the_record_that_it_was_printed_for(tmp_path: Path) -> None:
    log = Log.open(tmp_path, OsFiles(), wall_ns=BEGAN_NS)
    stamps = [BEGAN_NS + number * MS + 789 for number in range(1, 4)]
    lsns = [log.append([Entry(300, "me", 1, number, b"")], stamp).first_lsn for number, stamp in enumerate(stamps, 1)]
    log.close()
    reader = open_reader(str(tmp_path))
    for lsn, stamp in zip(lsns, stamps, strict=True):
        printed = parse_point(time_text(stamp), 0)
        assert first_lsn_at(reader, printed) == last_lsn_at(reader, printed) == lsn


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


def journal_of(folder: Path, *records: tuple[str, Payload]) -> Reader:
    """These payloads by these writers, a millisecond apart, the first of them as record 2."""
    kinds = {Outbound: Kind.OUTBOUND, Inbound: Kind.INBOUND, Refused: Kind.REFUSED, Discrepancy: Kind.DISCREPANCY,
             LostOrder: Kind.LOST_ORDER}  # fmt: skip
    log = Log.open(folder, OsFiles(), wall_ns=BEGAN_NS)
    numbers: Counter[str] = Counter()
    for count, (writer, payload) in enumerate(records, 1):
        numbers[writer] += 1
        log.append([Entry(kinds[type(payload)], writer, 1, numbers[writer], encode(payload))], BEGAN_NS + count * MS)
    log.close()
    return open_reader(str(folder))


def order(number: int, cl_ord_id: str, decision: Decision | None = None) -> NewOrder:
    return NewOrder(
        Attempt(1, number), "maker", number, "generic", "BTCUSDT",
        Terms("1", "2", Decimal("0.01"), Decimal(65000)), cl_ord_id, BEGAN_NS + 10**9, "", decision,
    )  # fmt: skip


def refusal(number: int, cl_ord_id: str) -> Refused:
    return Refused(
        "risk", Reason.ABOVE_MAXIMUM_NOTIONAL, "too big", "maker", number, Attempt(1, number), order(number, cl_ord_id),
        None, "650.00", "500",
    )  # fmt: skip


@pytest.mark.parametrize("name", ["maker/7", "toxvb9-7"])
def test_an_order_that_risk_refused_is_found_by_its_name_and_its_cl_ord_id(tmp_path: Path, name: str) -> None:
    reader = journal_of(tmp_path, ("risk", refusal(8, "toxvb9-8")), ("risk", refusal(7, "toxvb9-7")))
    (step,) = story(reader, OrderTrail.of(name, reader))
    assert step.record.lsn == 3
    assert step.what == "refused by risk, above_maximum_notional: buy 0.01 BTCUSDT at 65000"
    assert "risk saw: value 650.00, limit 500" in step.text()


@pytest.mark.parametrize("name", ["maker/8", "toxvb9-8"])
def test_an_order_of_a_list_has_the_message_of_the_list_in_its_story(tmp_path: Path, name: str) -> None:
    target = Terms("2", "2", Decimal("0.01"), Decimal(70000), instructions="6")
    listed = msgspec.structs.replace(
        order(7, "toxvb9-7"), contingency="2", further=(ListedOrder(target, Attempt(1, 8), "toxvb9-8"),)
    )
    reader = journal_of(
        tmp_path,
        ("session@generic", Outbound("generic", 1, 1, 2, "E", b"", listed)),
        ("session@generic", Outbound("generic", 1, 1, 3, "D", b"", order(9, "toxvb9-9"))),
    )
    (step,) = story(reader, OrderTrail.of(name, reader))
    assert step.what == "order maker/7 sent to generic: buy 0.01 BTCUSDT at 65000, then sell 0.01 BTCUSDT at 70000"


@pytest.mark.parametrize("name", [f"maker/{lost_number(3)}", "toxvb9-7"])
def test_an_order_of_a_lost_end_of_a_log_is_found_by_the_number_that_it_has_and_by_its_cl_ord_id(
    tmp_path: Path, name: str
) -> None:
    sent = Outbound("generic", 1, 1, 2, "D", b"", order(7, "toxvb9-7"))
    told = Discrepancy("generic", f"maker/{lost_number(3)}", "no such order", "sent", 3, "UNKNOWN until it is settled")
    reader = journal_of(
        tmp_path,
        ("orders", LostOrder("host-a, record 6 (0)", msgspec.structs.replace(sent, command=order(8, "b")), 1, 1)),
        ("orders", LostOrder("host-a, record 7 (0)", sent, 1, 1)), ("orders", told),
    )  # fmt: skip
    steps = story(reader, OrderTrail.of(name, reader))
    assert [step.record.lsn for step in steps] == [3, 4]
    assert steps[0].what == "sent by a host whose log was lost: buy 0.01 BTCUSDT at 65000"


@pytest.mark.parametrize(
    ("terms", "deal"),
    [
        (Terms("2", "3", Decimal("0.01"), stop_px=Decimal(60000)), "sell 0.01 BTCUSDT stop 60000"),
        (
            Terms("2", "4", Decimal("0.01"), Decimal(69000), stop_px=Decimal(70000), take_profit=True),
            "sell 0.01 BTCUSDT at 69000 target 70000",
        ),
        (
            Terms("1", "3", Decimal("0.01"), peg_price_type="8", peg_offset=Decimal(100), peg_offset_type="1"),
            "buy 0.01 BTCUSDT trailing 100 bips",
        ),
        (Terms("1", "P", Decimal("0.01"), peg_price_type="5"), "buy 0.01 BTCUSDT pegged"),
    ],
)
def test_a_story_says_what_wakes_an_order(terms: Terms, deal: str, tmp_path: Path) -> None:
    asked = msgspec.structs.replace(order(7, "toxvb9-7"), terms=terms)
    reader = journal_of(tmp_path, ("session@generic", Outbound("generic", 1, 1, 2, "D", b"", asked)))
    (step,) = story(reader, OrderTrail.of("maker/7", reader))
    assert step.what == f"order maker/7 sent to generic: {deal}"


def test_the_cancel_of_a_list_tells_in_each_story_of_that_order_alone(tmp_path: Path) -> None:
    qty, zero = Decimal("0.01"), Decimal(0)
    listed = msgspec.structs.replace(
        order(7, "toxvb9-7"), contingency="1", further=(ListedOrder(order(8, "b").terms, Attempt(1, 8), "toxvb9-8"),)
    )
    cancel = CancelOrder(
        Attempt(1, 9), "maker", 9, "generic", "BTCUSDT", "1", "toxvb9-9", "toxvb9-7", "1", "maker", 7, qty
    )
    ended: list[Payload] = [
        Inbound("generic", 1, 1, number, "8", b"", ExecutionReport(
            "toxvb9-9", name, str(number), "", "4", "4", "BTCUSDT", "1", qty, None, zero, zero, zero, zero
        ))
        for number, name in ((5, "toxvb9-7"), (6, "toxvb9-8"))
    ]  # fmt: skip
    sent: list[Payload] = [
        Outbound("generic", 1, 1, 2, "E", b"", listed), Outbound("generic", 1, 1, 3, "F", b"", cancel)
    ]  # fmt: skip
    reader = journal_of(tmp_path, *(("session@generic", payload) for payload in (*sent, *ended)))
    assert [step.record.lsn for step in story(reader, OrderTrail.of("maker/7", reader))] == [2, 3, 4]
    assert [step.record.lsn for step in story(reader, OrderTrail.of("maker/8", reader))] == [2, 5]


@pytest.mark.parametrize("name", ["maker/7", "toxvb9-7"])
def test_what_reconciliation_found_of_an_order_belongs_to_its_story(tmp_path: Path, name: str) -> None:
    reader = journal_of(
        tmp_path,
        ("session@generic", Outbound("generic", 1, 1, 2, "D", b"", order(7, "toxvb9-7"))),
        ("orders", Discrepancy("generic", "maker/7", "NEW", "FILLED", 2, "took the venue's word")),
        ("orders", Discrepancy("generic", "maker/77", "NEW", "FILLED", 2, "counted it")),
    )
    steps = story(reader, OrderTrail.of(name, reader))
    assert [step.record.lsn for step in steps] == [2, 3]
    assert steps[1].what == "differs from the venue's word: took the venue's word"


def test_a_story_tells_what_risk_saw_and_how_long_the_venue_took(tmp_path: Path) -> None:
    decision = Decision(Decimal("65001.00"), 40 * MS, Decimal("650.00"), Decimal("0.25"), Decimal(5), 7, 1)
    qty, zero = Decimal("0.01"), Decimal(0)
    report = ExecutionReport(
        "toxvb9-7", "", "1", "e1", "0", "0", "BTCUSDT", "1", qty, Decimal(65000), zero, zero, zero, qty
    )
    reader = journal_of(
        tmp_path,
        ("session@generic", Outbound("generic", 1, 1, 2, "D", b"", order(7, "toxvb9-7", decision))),
        ("session@generic", Inbound("generic", 1, 1, 2, "8", b"", report)),
        ("session@generic", Inbound("generic", 1, 1, 3, "8", b"", report)),
    )
    sent, answered, again = story(reader, OrderTrail.of("toxvb9-7", reader))
    assert (
        "risk approved: reference price 65001, 40.000 ms old; value 650; position at worst 0.25, limit 5; open orders 7"
        in sent.text()
    )
    assert (answered.answers, answered.answer_ns, again.answers) == ("toxvb9-7", MS, "")
    assert "1.000 ms after toxvb9-7 was recorded" in answered.text()
    assert again.document()["since_first_ms"] == 2.0


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

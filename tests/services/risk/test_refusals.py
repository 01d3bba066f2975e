"""Refusals for a strategy's own rate: a flood of them is a few records, and each command still has its outcome."""

import pytest

from common.config import RateConfig, StrategyLimits
from common.instant import NS_PER_MS
from common.journal.frames import frame_bytes
from common.messages import NewOrder, RateRefused, Reason, RefusedAttempt
from common.request_identity import command_identity
from common.soundness import DECODERS
from services.risk.refusals import BATCH_COMMANDS, BATCH_NS, LEAST_LEFT_NS, RateRefusals
from tests.services.risk.rig import Rig, settings


def flood(rig: Rig, count: int) -> list[NewOrder]:
    orders = [rig.orders.new() for _ in range(count)]
    for order in orders:
        rig.command(order)
    return orders


def wait(rig: Rig, ms: int) -> None:
    rig.log_tick(ms=ms)
    deadline_ns = rig.core.next_deadline_ns()
    if deadline_ns is not None and deadline_ns <= rig.boot_ns:
        rig.core.timer(rig.now)
        rig.settle()


def batches(rig: Rig) -> list[RateRefused]:
    return [payload for payload in rig.appended if isinstance(payload, RateRefused)]


def test_a_flood_of_refusals_shares_records() -> None:
    rig = Rig(settings(default=StrategyLimits(max_open_orders=100, rate=RateConfig(messages=2))))
    orders = flood(rig, 300)
    assert len(rig.sent) == 2 and [refused.number for refused in rig.refused] == [orders[2].number]
    assert batches(rig) == []
    wait(rig, BATCH_NS // NS_PER_MS)
    (batch,) = batches(rig)
    assert (batch.by, batch.reason, batch.strategy) == ("risk", Reason.STRATEGY_RATE, "alpha")
    assert batch.attempts == tuple(
        RefusedAttempt(order.number, order.attempt, order.deadline_ns, command_identity(order)) for order in orders[3:]
    )
    assert len(rig.core.in_flight) == 2


def second_of_3_000() -> Rig:
    """A second in which one strategy sends 3,000 commands and may send 2."""
    rig = Rig(settings(default=StrategyLimits(max_open_orders=100, rate=RateConfig(messages=2))))
    for _ in range(200):
        flood(rig, 15)
        wait(rig, 5)
    return rig


def written(rig: Rig) -> tuple[int, int]:
    """The records of risk, and their bytes as frames: what the journal syncs and every reader folds."""
    records = [record for record in rig.log.records if record.writer == "risk" and record.kind in DECODERS]
    return len(records), sum(frame_bytes(len(record.payload)) for record in records)


def test_a_second_of_3_000_refusals_costs_a_thirtieth_of_the_records_and_a_ninth_of_the_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shared_records, shared_bytes = written(second_of_3_000())
    monkeypatch.setattr(RateRefusals, "hold_back", lambda *arguments: False)
    records, total_bytes = written(second_of_3_000())
    assert records == 2_997
    assert shared_records <= 101 and 29 * shared_records <= records
    assert 8 * shared_bytes <= total_bytes <= 10 * shared_bytes


def test_3_000_refusals_a_second_are_at_most_some_hundred_records_a_second() -> None:
    rig = second_of_3_000()
    records = len(batches(rig)) + len(rig.refused)
    assert 50 <= records <= 110
    assert sum(len(batch.attempts) for batch in batches(rig)) + len(rig.refused) + len(rig.sent) >= 2_980


def test_a_batch_is_bounded_and_what_has_little_time_left_does_not_wait_for_one() -> None:
    rig = Rig(settings(default=StrategyLimits(max_open_orders=100, rate=RateConfig(messages=1))))
    flood(rig, BATCH_COMMANDS + 2)
    wait(rig, 1)
    assert [len(batch.attempts) for batch in batches(rig)] == [BATCH_COMMANDS]
    late = rig.orders.new(ttl_ms=LEAST_LEFT_NS // NS_PER_MS // 2)
    rig.command(late)
    assert rig.refused[-1].number == late.number

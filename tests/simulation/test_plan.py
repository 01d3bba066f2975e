"""A plan's version says what it draws: a former one what it always drew, and a new kind of fault takes nothing away."""

import zlib

import pytest

from scripts.simulation.plan import FORMER_VENUES, SINCE_THIRD, VENUES, WEIGHTS, WITH_LISTS, FaultKind, Plan, plan

NEW = FaultKind("A fault of a kind that is added.", share=1.0, gap=100, targets=("here", "there"))


def _of_former_kinds(drawn: Plan) -> list[tuple[object, ...]]:
    return [tuple(fault)[1:] for fault in drawn.faults if fault.kind in WEIGHTS]


@pytest.mark.parametrize(("version", "checksum"), [(1, 2507990204), (2, 3063250380)])
def test_a_former_version_draws_what_it_always_drew(version: int, checksum: int) -> None:
    drawn = "".join(repr([tuple(fault) for fault in plan(seed, 2000, version=version).faults]) for seed in range(50))
    assert zlib.crc32(drawn.encode()) == checksum


@pytest.mark.parametrize("seed", range(20))
def test_the_third_version_has_every_fault_of_the_second(seed: int) -> None:
    second, third = plan(seed, 2000, version=2), plan(seed, 2000, version=3)
    assert _of_former_kinds(third) == _of_former_kinds(second) and not second.kinds
    assert (third.traders, third.pause_ns, third.slow) == (second.traders, second.pause_ns, second.slow)


def test_a_former_version_draws_no_kind_that_came_later(monkeypatch: pytest.MonkeyPatch) -> None:
    before = plan(7, 2000, version=4)
    monkeypatch.setitem(SINCE_THIRD, "added", NEW._replace(since=5))
    assert plan(7, 2000, version=4) == before and "added" in plan(7, 2000, version=5).kinds


def test_a_kind_that_is_added_takes_nothing_from_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    before = plan(7, 2000)
    monkeypatch.setitem(SINCE_THIRD, "added", NEW)
    after = plan(7, 2000)
    added = [fault for fault in after.faults if fault.kind == "added"]
    assert [fault for fault in after.faults if fault.kind != "added"] == list(before.faults)
    assert after.kinds == before.kinds | {"added"} and 5 < len(added) < 60
    assert {fault.target for fault in added} == {"here", "there"}
    assert [fault.step for fault in after.faults] == sorted(fault.step for fault in after.faults)
    assert len({fault.number for fault in after.faults}) == len(after.faults)
    without = plan(7, 2000, without=("added",))
    assert without.faults == before.faults and without.kinds == before.kinds


def test_since_the_seventh_version_a_seed_draws_its_venues_and_aims_at_no_other() -> None:
    drawn = [plan(seed, 2000, version=7) for seed in range(60)]
    assert {venue for each in drawn for venue in each.venues} == set(VENUES)
    assert {len(each.venues) for each in drawn} == {1, 2, 3}
    for each in drawn:
        others = set(VENUES).difference(each.venues)
        assert not others.intersection(fault.target.rpartition("@")[2] for fault in each.faults)
    assert {plan(seed, 2000, version=6).venues for seed in range(20)} == {FORMER_VENUES}


def test_the_ninth_version_has_every_fault_of_the_eighth_and_runs_venues_with_lists_more_often() -> None:
    eighth = [plan(seed, 2000, version=8) for seed in range(60)]
    ninth = [plan(seed, 2000, version=9) for seed in range(60)]
    for before, after in zip(eighth, ninth, strict=True):
        if before.venues == after.venues:
            faults = [tuple(fault)[1:] for fault in after.faults if fault.kind != "price-jump"]
            assert faults == [tuple(fault)[1:] for fault in before.faults]
        assert (after.traders, after.slow) == (before.traders, before.slow)
    assert not any("price-jump" in each.kinds for each in eighth)
    assert sum("price-jump" in each.kinds for each in ninth) > 20
    with_lists = [sum(not set(WITH_LISTS).isdisjoint(each.venues) for each in plans) for plans in (eighth, ninth)]
    assert with_lists[0] < 35 < with_lists[1] < 55

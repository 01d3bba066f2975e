"""Two whole stacks, one after the other on one journal: nothing that was promised is lost, a fenced host is silent."""

from pathlib import Path

import pytest

from scripts.bench.takeover import measure_takeover
from scripts.torture.takeovers import Takeovers

SEED = 1


@pytest.mark.torture
@pytest.mark.parametrize("mode", ["async", "quorum"])
def test_a_host_that_dies_or_stands_still_is_taken_over(short_folder: Path, mode: str) -> None:
    tried = Takeovers(short_folder, mode, SEED)
    rounds = [tried.round(number) for number in range(3)]
    assert {each.fault for each in rounds} == {"kill", "stop"}
    for each in rounds:
        assert not each.wrong, each
        assert each.under_way >= 50 and each.told


@pytest.mark.torture
def test_a_start_behind_a_takeover_folds_what_came_after_the_standby_s_last_round() -> None:
    figures = measure_takeover(30_000)
    assert 10_000 < figures.warm_lsn <= figures.records + figures.unfolded
    assert figures.unfolded < 21_000
    assert 0 < figures.takeover_s < figures.logon_s <= figures.ready_s

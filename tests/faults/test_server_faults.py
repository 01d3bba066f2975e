"""A whole stack in `quorum` with three servers, of which one and then two fail: nothing is lost, and all is said."""

from pathlib import Path

import pytest

from scripts.torture.server_faults import ServerFaults

SEED = 1


@pytest.mark.torture
def test_one_server_s_failure_costs_a_moment_and_two_stop_the_stack_until_they_are_back(short_folder: Path) -> None:
    with ServerFaults(short_folder, SEED) as tried:
        rows = [tried.round(kind, count) for kind, count in (("cut", 1), ("kill", 2), ("disk", 2))]
        wrong = tried.compare()
    for row in rows:
        assert not row.wrong, row
        assert row.left_out or row.recovered_s is not None
    assert rows[0].orders >= 10
    assert not wrong

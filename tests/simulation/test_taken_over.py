"""A stack on two hosts of which one takes over from the other, and the parts that this is simulated with."""

import pytest

from scripts.simulation.run import Case, run

STEPS = 500


@pytest.mark.parametrize("seed", (0, 1))
def test_a_takeover_keeps_every_invariant(seed: int) -> None:
    result = run(Case(seed, STEPS, takeover=True))
    assert result.violation is None, f"{result.violation}; repeat it with {result.case.command}"
    assert sum(count for kind, count in result.faults.items() if kind.startswith("takeover-")) == 1
    assert result.orders and result.case.command.endswith("--takeover")

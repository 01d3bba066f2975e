"""A stack that trades through a bridge, over power cuts of the host that both logs lie on."""

import pytest

from scripts.simulation import bridged


@pytest.mark.parametrize("seed", [1])
def test_both_logs_lose_power_together_and_everything_agrees_in_the_end(seed: int) -> None:
    world = bridged.run(seed, rounds=6)
    book = world.processes[world.bridge].core.book  # type: ignore[union-attr]
    print(f"seed {seed}: {world.cuts} power cuts, {book.taken} requests of the bridge's log, {world.deaths} deaths")
    assert world.cuts and world.checkers.orders_accepted

"""A stack that trades through a bridge, over power cuts of the host that both logs lie on."""

import pytest

from scripts.simulation import bridged
from scripts.simulation.disk import DiskFiles


@pytest.mark.parametrize("seed", [1])
def test_both_logs_lose_power_together_and_everything_agrees_in_the_end(seed: int) -> None:
    world = bridged.run(seed, rounds=6)
    book = world.processes[world.bridge].core.book  # type: ignore[union-attr]
    print(f"seed {seed}: {world.cuts} power cuts, {book.taken} requests of the bridge's log, {world.deaths} deaths")
    assert world.cuts and world.checkers.orders_accepted


def test_a_bridge_whose_log_is_not_synced_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The journal's is, and the storm is the same."""
    sync = DiskFiles.sync

    def lazy(files: DiskFiles, handle: int) -> None:
        if "/bridge/" not in files._handles[handle][1]:
            sync(files, handle)

    monkeypatch.setattr(DiskFiles, "sync", lazy)
    with pytest.raises(bridged.Forgotten):
        bridged.run(1, rounds=6)

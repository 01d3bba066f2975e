"""A stack that trades through a bridge, over power cuts of the host that both logs lie on."""

import pytest

from common.instant import NS_PER_S
from scripts.simulation.bridged import OPEN_NS, VENUES, BridgedWorld
from scripts.simulation.disk import DiskFiles
from scripts.simulation.run import Case, run

STEPS = 640


@pytest.mark.parametrize("venue", VENUES)
def test_both_logs_lose_power_together_and_everything_agrees_in_the_end(venue: str) -> None:
    result = run(Case(1, STEPS, bridge=venue))
    assert result.violation is None, result.violation
    assert result.faults["power"] and result.orders


def test_a_bridge_whose_log_is_not_synced_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The journal's is, and the storm is the same."""
    sync = DiskFiles.sync

    def lazy(files: DiskFiles, handle: int) -> None:
        if "/bridge/" not in files._handles[handle][1]:
            sync(files, handle)

    monkeypatch.setattr(DiskFiles, "sync", lazy)
    violation = run(Case(1, STEPS, bridge="okx")).violation
    assert violation is not None and violation.invariant == "bridge-remembers"


def test_the_kill_switch_is_told_to_the_bridge_too() -> None:
    world = BridgedWorld(1, "bitget")
    world.start()
    world.run_for(OPEN_NS)
    world.pull_kill_switch(risk_too=True)
    world.run_for(NS_PER_S)
    for name in ("session@bitget", "account@bitget", world.bridge):
        core = world.processes[name].core
        assert core is not None and core.status(world.processes[name].clock.read())["latched"], name

"""Seeds of trouble between a client, a bridge and KuCoin Futures: once it is quiet, both know the same."""

from pathlib import Path

import pytest

from tests.common.venues.kucoinfutures.rig import futures_rig, id_sent
from tests.services.bridge.trial import Trial


@pytest.mark.parametrize("seed", [1, 5])
def test_once_it_is_quiet_the_client_knows_what_the_venue_knows(tmp_path: Path, seed: int) -> None:
    trial = Trial(seed, tmp_path, futures_rig, id_sent)
    trial.run(60)
    trial.burst(10)
    trial.quiet()
    assert trial.check() == []
    assert trial.kills and trial.outcomes


def test_a_bridge_that_is_killed_over_orders_for_contracts_finds_out_what_became_of_each(tmp_path: Path) -> None:
    trial = Trial(7, tmp_path, futures_rig, id_sent)
    trial.die_over(10, 2)
    assert trial.check() == [] and not trial.awaiting and min(trial.in_flight) >= 10

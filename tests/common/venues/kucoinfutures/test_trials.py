"""Seeds of trouble between a client, a bridge and KuCoin Futures: once it is quiet, both know the same."""

from pathlib import Path

import pytest

from tests.common.venues.kucoinfutures.rig import futures_rig, id_sent
from tests.services.bridge.trial import Trial, assert_finds_out_after_kills, assert_sound_after_a_burst


@pytest.mark.parametrize("seed", [1, 5])
def test_once_it_is_quiet_the_client_knows_what_the_venue_knows(tmp_path: Path, seed: int) -> None:
    assert_sound_after_a_burst(Trial(seed, tmp_path, futures_rig, id_sent))


def test_a_bridge_that_is_killed_over_orders_for_contracts_finds_out_what_became_of_each(tmp_path: Path) -> None:
    assert_finds_out_after_kills(Trial(7, tmp_path, futures_rig, id_sent))

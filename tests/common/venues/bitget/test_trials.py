"""Seeds of trouble between a client, a bridge and Bitget: once it is quiet, both know the same."""

from pathlib import Path

import pytest

from tests.common.venues.bitget.rig import bitget_rig, id_sent
from tests.services.bridge.trial import Trial, assert_sound_after_a_burst


@pytest.mark.parametrize("seed", [1, 5])
def test_once_it_is_quiet_the_client_knows_what_the_venue_knows(tmp_path: Path, seed: int) -> None:
    assert_sound_after_a_burst(Trial(seed, tmp_path, bitget_rig, id_sent))

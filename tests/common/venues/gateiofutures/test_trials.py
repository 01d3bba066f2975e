"""Seeds of trouble at Gate.io Futures: nothing that a client is told may differ from the venue once it is quiet, and
what is planted in how contracts are read is found by that."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from common.venues.gateiofutures import backend as futures
from common.venues.gateiofutures.backend import GateioFuturesBackend
from tests.common.venues.gateiofutures.rig import gateiofutures_rig, id_sent
from tests.services.bridge.trial import (
    Trial,
    assert_finds_out_after_kills,
    assert_found_by_one_act,
    assert_sound_after_trouble,
    end_unheard,
    fill_unheard,
)


def trial_of(seed: int, folder: Path) -> Trial:
    return Trial(seed, folder, gateiofutures_rig, id_sent)


@pytest.mark.parametrize("seed", [0, 1, 3])
def test_once_it_is_quiet_the_client_knows_what_the_venue_knows(tmp_path: Path, seed: int) -> None:
    assert_sound_after_trouble(trial_of(seed, tmp_path))


def test_a_bridge_that_is_killed_over_requests_in_flight_finds_out_what_became_of_each(tmp_path: Path) -> None:
    assert_finds_out_after_kills(trial_of(7, tmp_path))


def ends_unheard(trial: Trial) -> None:
    """Nobody asks for a minute: so long an order is found by our id."""
    end_unheard(trial)
    trial.rig.pass_time(61)


def fills_unheard(trial: Trial) -> None:
    fill_unheard(trial, "2", "1")


def only_what_is_found_by_our_id_is_looked_for(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(GateioFuturesBackend, "ask_ended", lambda *_: None)
    patch.setattr(GateioFuturesBackend, "ask_fills", lambda self, since_ns, page, wall_ns: self.ask_open("", wall_ns))


def a_fill_s_sign_is_part_of_its_quantity(patch: pytest.MonkeyPatch) -> None:
    read = futures.spot_fill
    patch.setattr(futures, "spot_fill", lambda row: {**read(row), "amount": row["size"]})


@pytest.mark.parametrize(
    ("plant", "act"),
    [
        (only_what_is_found_by_our_id_is_looked_for, ends_unheard),
        (a_fill_s_sign_is_part_of_its_quantity, fills_unheard),
    ],
)
def test_a_planted_bug_is_found_by_one_act(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plant: Any, act: Any
) -> None:
    assert_found_by_one_act(partial(trial_of, 0), tmp_path, lambda: plant(monkeypatch), act)

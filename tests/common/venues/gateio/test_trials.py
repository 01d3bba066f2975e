"""Seeds of trouble at Gate.io: nothing that a client is told may differ from the venue once it is quiet, and what is
planted in how its orders are found is found by that."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from common.venues.gateio.backend import GateioSpotBackend
from tests.common.venues.gateio.rig import gateio_rig, id_sent
from tests.services.bridge.trial import (
    Trial,
    assert_finds_out_after_kills,
    assert_found_by_one_act,
    assert_sound_after_trouble,
    end_unheard,
    fill_unheard,
)


def trial_of(seed: int, folder: Path) -> Trial:
    return Trial(seed, folder, gateio_rig, id_sent)


@pytest.mark.parametrize("seed", [3, 8])
def test_once_it_is_quiet_the_client_knows_what_the_venue_knows(tmp_path: Path, seed: int) -> None:
    assert_sound_after_trouble(trial_of(seed, tmp_path))


def test_a_bridge_that_is_killed_over_requests_in_flight_finds_out_what_became_of_each(tmp_path: Path) -> None:
    assert_finds_out_after_kills(trial_of(7, tmp_path))


def fills_unheard(trial: Trial) -> None:
    fill_unheard(trial, "1", "0.5")


def only_what_is_open_is_looked_for(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(GateioSpotBackend, "ask_ended", lambda *_: None)


def fills_are_asked_for_by_time_alone(patch: pytest.MonkeyPatch) -> None:
    def ask(self: GateioSpotBackend, terms: Any, order_id: str, page: str, wall_ns: int) -> Any:
        return self.ask_fills(0, page, wall_ns)

    patch.setattr(GateioSpotBackend, "ask_fills_of", ask)


@pytest.mark.parametrize(
    ("plant", "act"),
    [(only_what_is_open_is_looked_for, end_unheard), (fills_are_asked_for_by_time_alone, fills_unheard)],
)
def test_a_planted_bug_is_found_by_one_act(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plant: Any, act: Any
) -> None:
    assert_found_by_one_act(partial(trial_of, 0), tmp_path, lambda: plant(monkeypatch), act)

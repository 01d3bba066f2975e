"""Orders that the venue had and tells of no more: which end that proves, and when it proves nothing."""

from pathlib import Path

import pytest

from common.instant import Instant
from tests.services.bridge.rig import FixClient, Rig, words

HOUR_S = 3600


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path).live()


def away(rig: Rig, seconds: int) -> None:
    """The bridge was dead for so long, and reads what there is to be read then."""
    now = rig.now
    rig.world.now = Instant(now.wall_ns + seconds * 10**9, now.boot_ns + seconds * 10**9)
    rig.kill()
    rig.hush = False
    rig.live()
    rig.pass_time(3)


def test_an_order_that_was_cancelled_unfilled_and_forgotten_is_over_by_evidence(rig: Rig) -> None:
    client = FixClient(rig)
    client.order("a1")
    client.order("a2")
    client.cut()
    rig.hush = True
    rig.world.ask("cancel", cl_ord_id="a1")
    away(rig, 3 * HOUR_S)
    again = client.again()
    ends = [each for each in again.got if each.get(150) == "4"]
    assert [(each[11], each[39], each[14]) for each in ends] == [("a1", "4", "0")] and "neither" in ends[0][58]
    assert again.status("a2")[39] == "0" and rig.core.status(rig.now)["unexplained"] == []


def test_one_that_was_cancelled_a_while_ago_is_told_by_the_venue_itself(rig: Rig) -> None:
    client = FixClient(rig)
    client.order("a1")
    client.cut()
    rig.hush = True
    rig.world.ask("cancel", cl_ord_id="a1")
    away(rig, HOUR_S)
    again = client.again()
    (ended,) = [each for each in again.got if each.get(150) == "4"]
    assert ended[11] == "a1" and 58 not in ended


def test_one_that_was_filled_meanwhile_is_filled(rig: Rig) -> None:
    client = FixClient(rig)
    client.order("a1")
    client.cut()
    rig.hush = True
    rig.stranger("2", "0.1", "60000")
    away(rig, 3 * HOUR_S)
    again = client.again()
    assert [word for word in words(again.got) if word[0] in "F4"] == [("F", "2")]


def test_a_young_order_that_the_venue_does_not_find_stays_open_and_is_shown_to_a_person(rig: Rig) -> None:
    client = FixClient(rig)
    client.order("a1")
    rig.world.ask("fault", kind="blind", scope="rest", count=0, ms=100_000)
    client.got.clear()
    rig.pass_time(70, step_s=0.25)
    assert words(client.got) == [] and client.status("a1")[39] == "0"
    assert rig.core.status(rig.now)["unexplained"] == ["a1"]
    assert [note.event for note in rig.notes if note.level == "error"] == ["unexplained"]
    rig.pass_time(61, step_s=0.25)
    assert rig.core.status(rig.now)["unexplained"] == []

"""A venue's dead man's switch that reaches everybody's orders of a symbol: it is set where nobody else's would go."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from tests.common.venues.gateio.rig import gateio_rig
from tests.common.venues.kucoin.rig import kucoin_rig
from tests.services.bridge.rig import FixClient, Rig

GUARDED = b"9001=Y\x01"
VENUES: dict[str, Callable[[Path], Rig]] = {"gateio": gateio_rig, "kucoin": kucoin_rig}


@pytest.fixture(params=VENUES, ids=list(VENUES))
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Rig:
    return VENUES[request.param](tmp_path).live()


def switches(rig: Rig) -> list[int]:
    """What the venue's switch was set to, in seconds, in order; 0 where it was taken back."""
    sent = rig.requests("spot/countdown_cancel_all") + rig.requests("hf/orders/dead-cancel-all")
    bodies = [msgspec.json.decode(data.split(b"\r\n\r\n", 1)[1]) for data in sent]
    for body in bodies:
        assert body["timeout"] == -1 or rig.symbol in (body.get("symbols"), body.get("currency_pair"))
    return [max(0, int(body["timeout"])) for body in bodies]


def status_at_venue(rig: Rig, name: str) -> object:
    row = rig.at_venue(name)
    assert row is not None
    return row["ord_status"]


def test_it_is_set_again_while_something_is_guarded_and_taken_back_at_once(rig: Rig) -> None:
    client = FixClient(rig, logon=GUARDED)
    client.order("a1")
    rig.pass_time(45)
    assert switches(rig) == [60, 60, 60] and rig.core.status(rig.now)["switch_armed"] is True
    client.cancel("c1", "a1")
    rig.pass_time(1)
    assert switches(rig) == [60, 60, 60, 0] and rig.core.status(rig.now)["switch_armed"] is False


def test_a_bridge_that_never_comes_back_leaves_nothing_guarded_open(rig: Rig) -> None:
    FixClient(rig, logon=GUARDED).order("a1")
    rig.pass_time(1)
    rig.kill_for_good()
    assert status_at_venue(rig, "a1") == "4"


def test_orders_from_before_a_client_asked_for_it_go_with_a_bridge_that_never_comes_back(rig: Rig) -> None:
    plain = FixClient(rig)
    plain.order("a1")
    plain.cut()
    FixClient(rig, logon=b"141=Y\x01" + GUARDED).order("a2")
    rig.pass_time(1)
    assert switches(rig) == [60]
    rig.kill_for_good()
    assert (status_at_venue(rig, "a1"), status_at_venue(rig, "a2")) == ("4", "4")


def test_another_client_s_order_of_the_symbol_has_it_taken_back(rig: Rig) -> None:
    guarded, other = FixClient(rig, logon=GUARDED), FixClient(rig, "OTHER")
    guarded.order("a1")
    rig.pass_time(1)
    assert switches(rig) == [60]
    other.order("b1")
    rig.pass_time(1)
    assert switches(rig) == [60, 0] and rig.core.status(rig.now)["switch_armed"] is False
    rig.pass_time(70, step_s=1)
    assert (status_at_venue(rig, "a1"), status_at_venue(rig, "b1")) == ("0", "0")
    other.cancel("c1", "b1")
    rig.pass_time(1)
    assert switches(rig)[-1] == 60


def test_what_a_former_life_may_have_set_is_taken_back(rig: Rig) -> None:
    FixClient(rig, logon=GUARDED).order("a1")
    rig.pass_time(1)
    rig.kill()
    rig.live()
    rig.pass_time(5)
    assert status_at_venue(rig, "a1") == "4" and switches(rig)[-1] == 0


def test_a_switch_that_cannot_be_set_is_said_and_tried_again(rig: Rig) -> None:
    client = FixClient(rig, logon=GUARDED)
    client.order("a0")
    rig.pass_time(1)
    rig.world.ask("fault", kind="unknown", scope="rest", count=1)
    rig.pass_time(25)
    assert switches(rig)[:3] == [60, 60, 60] and "switch_not_set" in [note.event for note in rig.notes]

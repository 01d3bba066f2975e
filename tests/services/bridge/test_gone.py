"""Clients and bridges that are gone: what of theirs is cancelled, by whom, and what is not."""

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from common.messages import ControlRequest
from tests.services.bridge.rig import FixClient, Rig, words

GUARDED = b"9001=Y\x01"


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path).live()


def status_at_venue(rig: Rig, name: str) -> object:
    row = rig.at_venue(name)
    assert row is not None
    return row["ord_status"]


def switches(rig: Rig) -> list[int]:
    """What the venue's dead man's switch was set to, in seconds, in order."""
    bodies = [data.split(b"\r\n\r\n", 1)[1] for data in rig.requests("trade/cancel-all-after")]
    return [int(msgspec.json.decode(body)["timeOut"]) for body in bodies]


# ---- cancel on disconnect


@pytest.mark.parametrize("leave", ["cut", "logout"])
def test_the_orders_of_a_client_that_asked_for_it_go_with_its_connection_and_nobody_else_s(
    rig: Rig, leave: str
) -> None:
    guarded, other = FixClient(rig, logon=GUARDED), FixClient(rig, "OTHER")
    guarded.order("a1")
    other.order("b1")
    if leave == "logout":
        guarded.session.logout("bye", rig.now)
        rig.pump()
        assert guarded.ended is not None
    guarded.cut()
    rig.pass_time(1)
    assert (status_at_venue(rig, "a1"), status_at_venue(rig, "b1")) == ("4", "0")
    again = guarded.again()
    ended = [each for each in again.got if each.get(150) == "4"]
    assert [(each[11], each.get(41), each[43]) for each in ended] == [("a1", None, "Y")]


def test_a_client_that_does_not_ask_for_it_any_more_keeps_its_orders(rig: Rig) -> None:
    FixClient(rig, logon=GUARDED).cut()
    client = FixClient(rig, logon=b"141=Y\x01")
    client.order("a1")
    client.cut()
    rig.pass_time(1)
    assert status_at_venue(rig, "a1") == "0"


def test_the_bridge_s_own_death_is_a_loss_of_connection_and_nobody_is_let_in_before_it_has_cancelled(
    rig: Rig,
) -> None:
    client = FixClient(rig, logon=GUARDED)
    client.order("a1")
    rig.deaf = True
    rig.kill()
    barred = client.again()
    assert not barred.session.logged_on and not barred.got
    rig.deaf = False
    rig.pass_time(12)
    assert status_at_venue(rig, "a1") == "4"
    let_in = barred.again()
    assert let_in.session.logged_on and ("4", "4") in words(let_in.got)


def test_an_order_that_nobody_has_heard_of_yet_is_cancelled_once_it_is_found(rig: Rig) -> None:
    client = FixClient(rig, logon=GUARDED)
    rig.deaf = rig.hush = True
    client.order("a1")
    client.cut()
    rig.kill()
    rig.deaf = rig.hush = False
    rig.live()
    rig.pass_time(5)
    assert status_at_venue(rig, "a1") == "4"


def test_a_wish_of_the_bridge_s_own_is_no_request_of_the_client(rig: Rig) -> None:
    """An order that is filled before it can be cancelled: nobody asked for the cancel, so nobody is refused it."""
    client = FixClient(rig, logon=GUARDED)
    client.order("a1")
    rig.hush = True
    rig.stranger("2", "0.1", "60000")
    client.cut()
    rig.hush = False
    rig.pass_time(10)
    again = client.again()
    assert words(again.got) == [("F", "2")]


# ---- the dead man's switch


def test_the_venue_s_switch_is_set_again_while_something_is_guarded_and_taken_back_after_that(rig: Rig) -> None:
    client = FixClient(rig, logon=GUARDED)
    assert switches(rig) == []
    client.order("a1")
    rig.pass_time(45)
    assert switches(rig) == [60, 60, 60]
    client.cancel("c1", "a1")
    rig.pass_time(30)
    assert switches(rig) == [60, 60, 60, 0] and rig.core.status(rig.now)["switch_armed"] is False


def test_a_bridge_that_never_comes_back_leaves_nothing_guarded_open(rig: Rig) -> None:
    guarded, other = FixClient(rig, logon=GUARDED), FixClient(rig, "OTHER")
    guarded.order("a1")
    other.order("b1")
    rig.pass_time(1)
    rig.deaf = rig.hush = True
    rig.cut("rest")
    rig.core.abandon()
    rig.pass_time(61, step_s=1)
    assert (status_at_venue(rig, "a1"), status_at_venue(rig, "b1")) == ("4", "0")


def test_a_switch_that_cannot_be_set_is_said_and_tried_again(rig: Rig) -> None:
    client = FixClient(rig, logon=GUARDED)
    client.order("a0", px="59000")
    rig.pass_time(1)
    rig.world.ask("fault", kind="unknown", scope="rest", count=1)
    rig.pass_time(25)
    assert switches(rig) == [60, 60, 60] and "switch_not_set" in [note.event for note in rig.notes]


# ---- a log that is gone


def lose_log(rig: Rig) -> None:
    """The bridge dies, and finds an empty folder."""
    rig.core.abandon()
    (rig.folder / "log").rename(rig.folder / "lost")
    rig.kill()
    rig.live()


def test_what_is_open_when_a_log_begins_is_adopted_so_that_its_fills_are_told(rig: Rig) -> None:
    client = FixClient(rig)
    client.order("a1")
    client.order("a2", px="59000")
    rig.stranger("2", "0.04", "60000")
    lose_log(rig)
    again = FixClient(rig, logon=b"141=Y\x01")
    rig.stranger("2", "0.06", "60000")
    fills = [each for each in again.got if each.get(150) == "F"]
    assert [(each[11], each[54], each[39], each[14]) for each in fills] == [("a1", "1", "2", "0.1")]
    assert again.status("a2")[39] == "0"
    (told,) = again.cancel("c2", "a2")
    assert (told[11], told[41], told[39]) == ("c2", "a2", "4")
    rig.kill()
    rig.live()
    assert not rig.core.book.open and rig.core.book.order("a1").cum_qty == 1 / Decimal(10)


def test_a_log_that_has_begun_adopts_nobody_s_orders(rig: Rig) -> None:
    FixClient(rig).order("a1")
    rig.world.ask("place", cl_ord_id="byhand", symbol="BTC-USDT", side="1", qty="0.1", price="59000")
    rig.kill()
    rig.live()
    assert not rig.core.book.has("byhand")


# ---- the kill switch


def test_the_kill_cancels_what_no_client_has_placed_too_and_says_so(rig: Rig) -> None:
    FixClient(rig).order("a1")
    rig.world.ask("place", cl_ord_id="byhand", symbol="BTC-USDT", side="1", qty="0.1", price="59000")
    rig.core.received("control", b"me", ControlRequest("kill", msgspec.json.encode({})), rig.now)
    rig.pass_time(3)
    assert (status_at_venue(rig, "a1"), status_at_venue(rig, "byhand")) == ("4", "4")

"""Clients and bridges that are gone: what of theirs is cancelled, by whom, and what is not."""

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from common.messages import ControlRequest
from services.bridge.archive import MemoryArchive
from services.bridge.book import Book, BookImage
from services.bridge.records import Guarded
from tests.common.venues.bitget.rig import bitget_rig
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
    return [int(msgspec.json.decode(data.split(b"\r\n\r\n", 1)[1])["timeOut"]) for data in arms(rig)]


def arms(rig: Rig) -> list[bytes]:
    """The requests that set the switch or took it back."""
    return rig.requests("trade/cancel-all-after")



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
    rig.kill_for_good()
    assert (status_at_venue(rig, "a1"), status_at_venue(rig, "b1")) == ("4", "0")


def test_orders_from_before_a_client_asked_for_it_go_with_a_bridge_that_never_comes_back(rig: Rig) -> None:
    plain, other = FixClient(rig), FixClient(rig, "OTHER")
    plain.order("a1")
    other.order("b1")
    plain.cut()
    guarded = FixClient(rig, logon=b"141=Y\x01" + GUARDED)
    guarded.order("a2")
    rig.pass_time(1)
    rig.kill_for_good()
    assert [status_at_venue(rig, name) for name in ("a1", "a2", "b1")] == ["4", "4", "0"]


def test_what_a_log_adopts_goes_with_a_bridge_that_never_comes_back_if_its_client_has_placed_it(rig: Rig) -> None:
    FixClient(rig).order("a1")
    FixClient(rig, "OTHER").order("b1")
    lose_log(rig)
    FixClient(rig, logon=b"141=Y\x01" + GUARDED)
    rig.pass_time(1)
    rig.kill_for_good()
    assert (status_at_venue(rig, "a1"), status_at_venue(rig, "b1")) == ("4", "0")


def test_the_switch_of_two_clients_is_set_for_each(rig: Rig) -> None:
    one, other = FixClient(rig, logon=GUARDED), FixClient(rig, "OTHER", logon=GUARDED)
    one.order("a1")
    rig.pass_time(0.3)
    other.order("b1")
    one.cancel("c1", "a1")
    rig.pass_time(25)
    tags = [msgspec.json.decode(data.split(b"\r\n\r\n", 1)[1])["tag"] for data in arms(rig)]
    assert "switch_not_set" not in [note.event for note in rig.notes], "each is set once a second at most"
    assert len(set(tags)) == 2 and all(tag.isalnum() and len(tag) <= 16 for tag in tags)
    rig.kill_for_good()
    assert status_at_venue(rig, "b1") == "4"


def test_a_switch_that_is_not_answered_keeps_no_cancel_waiting(rig: Rig) -> None:
    """The cancels of a kill waited up to five seconds for both connections of theirs, on which the switch was set."""
    for name, comp_id in (("a1", "DESK"), ("b1", "OTHER")):
        FixClient(rig, comp_id, logon=GUARDED).order(name)
    rig.pass_time(15)
    before = len(arms(rig))
    rig.deaf = True
    while len(arms(rig)) < before + 1:
        rig.pass_time(0.05)
    rig.core.received("control", b"me", ControlRequest("kill", b"{}"), rig.now)
    rig.pump()
    assert len(rig.requests("trade/cancel-order")) == 2


def test_under_the_kill_what_is_open_is_asked_for_without_waiting_for_a_question(rig: Rig) -> None:
    rig.stranger("1", "0.1", "60000")
    rig.pass_time(27)
    rig.deaf = True
    listed = len(rig.requests("trade/orders-pending"))
    for _ in range(2):
        rig.core.venue.ask("ask_time", lambda at: rig.backend.ask_time(), lambda reply, at: None)
    rig.pump()
    rig.core.received("control", b"me", ControlRequest("kill", b"{}"), rig.now)
    rig.pump()
    assert len(rig.requests("trade/orders-pending")) == listed + 1


def test_what_a_former_life_may_have_set_is_taken_back_for_a_client_that_does_not_ask_any_more(rig: Rig) -> None:
    client = FixClient(rig, logon=GUARDED)
    client.order("a1")
    rig.pass_time(1)
    client.cut()
    FixClient(rig, logon=b"141=Y\x01")
    rig.kill()
    rig.live()
    FixClient(rig, logon=b"141=Y\x01").order("a2")
    rig.pass_time(70, step_s=1)
    assert (status_at_venue(rig, "a1"), status_at_venue(rig, "a2")) == ("4", "0")


def test_a_snapshot_keeps_who_has_ever_asked_for_it_and_one_from_before_that_names_who_asks() -> None:
    book = Book(MemoryArchive())
    for client, wanted in (("DESK", True), ("OTHER", True), ("DESK", False)):
        book.apply(Guarded(client, wanted), 1)
    image = msgspec.to_builtins(book.image(1))
    for kept, asked in ((image, {"DESK", "OTHER"}), (image[:4], {"OTHER"})):
        again = Book(MemoryArchive())
        again.load(msgspec.convert(kept, BookImage))
        assert again.guarded == {"OTHER"} and again.once_guarded == asked


def test_a_venue_without_a_switch_is_never_said_to_have_one_set(tmp_path: Path) -> None:
    rig = bitget_rig(tmp_path).live()
    FixClient(rig, logon=GUARDED).order("a1")
    rig.kill()
    rig.live()
    rig.pass_time(5)
    assert status_at_venue(rig, "a1") == "4" and rig.core.status(rig.now)["switch_armed"] is False


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

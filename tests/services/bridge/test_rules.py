"""What a bridge may say and do while answers, pushes, connections and itself are lost: each test is one rule."""

from pathlib import Path

import msgspec
import pytest

from common.actor.core import Write
from common.messages import ControlRequest
from common.venues.okx.backend import OkxBackend
from tests.services.bridge.rig import KEYS, SYMBOL, FixClient, Rig, backend, words

LONG_S = 6
"""Longer than an order's last moment and the venue's processing together."""


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path).live()


@pytest.fixture
def client(rig: Rig) -> FixClient:
    return FixClient(rig)


def fault(rig: Rig, kind: str, scope: str = "rest", count: int = 1, ms: int = 0) -> None:
    rig.world.ask("fault", kind=kind, scope=scope, count=count, ms=ms)


def posts(rig: Rig, name: str) -> int:
    """How often a new order of this id was sent."""
    return sum(f'"clOrdId":"{name}"'.encode() in data and b"ordType" in data for data in rig.requests("trade/order "))


# ---- connections that are half open


def test_one_that_does_not_answer_has_the_idle_ones_opened_anew_so_that_no_other_order_is_lost(
    rig: Rig, client: FixClient
) -> None:
    rig.pass_time(3)
    rig.leave_half_open("rest")
    assert words(client.order("a1")) == [("A", "A")]
    rig.pass_time(6)
    assert words(client.order("a2")) == [("A", "A"), ("0", "0")]
    assert words(client.cancel("c2", "a2")) == [("4", "4")]


def test_one_that_does_not_answer_leaves_those_alone_that_have_been_heard_since(rig: Rig, client: FixClient) -> None:
    rig.pass_time(3)
    rig.deaf = True
    client.order("a1")
    rig.pass_time(0.2)
    rig.deaf = False
    for n in range(2, 8):
        client.order(f"a{n}")
    numbers = set(rig.fars)
    rig.pass_time(6)
    kept = [number for number in numbers & set(rig.fars) if rig.targets[number] == "rest"]
    assert len(kept) == 1, "the one that has answered all orders since"


# ---- a lost answer is no verdict


def test_an_order_whose_answer_is_lost_is_pending_until_it_is_found(rig: Rig, client: FixClient) -> None:
    rig.deaf = rig.hush = True
    assert words(client.order("a1")) == [("A", "A")]
    told = client.status("a1")
    assert (told[150], told[39]) == ("I", "A") and "awaited" in told[58]
    rig.deaf = False
    client.got.clear()
    rig.pass_time(LONG_S)
    assert words(client.got) == [("0", "0")] and posts(rig, "a1") == 1


@pytest.mark.parametrize("kind", ["unknown", "half"])
def test_an_unclear_answer_to_an_order_that_was_taken_in_ends_in_its_acknowledgement(
    rig: Rig, client: FixClient, kind: str
) -> None:
    rig.hush = True
    fault(rig, kind)
    assert words(client.order("a1")) == [("A", "A")]
    rig.pass_time(LONG_S)
    assert words(client.got) == [("A", "A"), ("0", "0")] and posts(rig, "a1") == 1


def test_not_found_is_believed_after_the_last_moment_alone_and_then_ends_the_order(
    rig: Rig, client: FixClient
) -> None:
    fault(rig, "lost")
    client.order("a1")
    rig.pass_time(0.9)
    assert len(rig.requests("trade/order?")) >= 1, "it was asked about, and not found"
    assert words(client.got) == [("A", "A")] and client.status("a1")[39] == "A"
    client.got.clear()
    rig.pass_time(LONG_S)
    (told,) = client.got
    assert (told[150], told[39], told[103]) == ("8", "8", "99") and told[58] == "never reached the venue"
    assert posts(rig, "a1") == 1


def test_an_order_that_bears_no_last_moment_is_waited_for_longer(tmp_path: Path) -> None:
    class Lingering(OkxBackend):
        def lingers_ns(self, symbol: str) -> int:
            return 30 * 10**9 if symbol == SYMBOL else 0

    rig = Rig(tmp_path, venue=Lingering(KEYS, backend()._sign)).live()  # type: ignore[attr-defined]
    client = FixClient(rig)
    rig.world.ask("fault", kind="lost", scope="rest", count=1)
    assert words(client.order("a1")) == [("A", "A")]
    rig.pass_time(32)
    assert client.status("a1")[39] == "A", "the last moment, the venue's processing, and what it may be late"
    rig.pass_time(8)
    assert client.status("a1")[39] == "8"


def test_an_order_called_never_reached_that_turns_up_is_told_and_opened_again(rig: Rig, client: FixClient) -> None:
    rig.hush = True
    fault(rig, "unknown")
    fault(rig, "blind", count=0, ms=60_000)
    client.order("a1")
    rig.pass_time(LONG_S)
    assert words(client.got) == [("A", "A"), ("8", "8")]
    client.got.clear()
    rig.hush = False
    rig.stranger("2", "0.04", "60000")
    assert words(client.got) == [("D", "0"), ("F", "1")]
    assert [note.event for note in rig.notes if note.level == "error"] == ["reopened"]


def test_one_that_bars_whoever_sends_too_much_has_refused(rig: Rig, client: FixClient) -> None:
    fault(rig, "barred")
    told = client.order("a1")
    assert words(told) == [("A", "A"), ("8", "8")] and told[1][58].startswith("50011")


# ---- the last moment


def test_what_finds_no_free_connection_by_its_last_moment_never_leaves(rig: Rig, client: FixClient) -> None:
    rig.deaf = rig.hush = True
    for n in range(4):
        client.order(f"a{n}")
    assert words(client.order("a5")) == [("A", "A")]
    rig.pass_time(1.1)
    assert [(each[11], each[150], each[58]) for each in client.got[1:]] == [
        ("a5", "8", "its last moment passed before it could leave")
    ]
    assert posts(rig, "a5") == 0 and posts(rig, "a3") == 1


def test_a_cancel_withdraws_an_order_that_has_not_left(rig: Rig, client: FixClient) -> None:
    rig.deaf = rig.hush = True
    for n in range(5):
        client.order(f"a{n}")
    (told,) = client.cancel("c1", "a4")
    assert (told[150], told[39], told[11], told[41]) == ("4", "4", "c1", "a4") and posts(rig, "a4") == 0


def test_what_the_socket_did_not_get_in_time_never_left(rig: Rig, client: FixClient) -> None:
    client.session.send("D", f"11=a1\x0155={SYMBOL}\x0154=1\x0138=1\x0140=2\x0144=60000\x0159=1\x01".encode(), rig.now)
    client.flush()
    rig.core.turn_ended(rig.now)
    effects, rig.core.effects = rig.core.effects, []
    (late,) = [e for e in effects if isinstance(e, Write) and b"ordType" in e.data]
    assert late.by_boot_ns == rig.now.boot_ns + 1_000_000_000
    for effect in effects:
        if effect is late:
            rig.core.unwritten(late.connection, [late], rig.now)
        else:
            rig._perform(effect)
    rig.pump()
    assert words(client.got) == [("A", "A"), ("8", "8")] and posts(rig, "a1") == 0


def test_the_venue_is_told_the_last_moment_by_its_own_clock_less_what_is_not_known_of_it(
    rig: Rig, client: FixClient
) -> None:
    client.order("a1", more="62=20260101-00:00:02.000|")
    (sent,) = [data for data in rig.requests("trade/order ") if b"ordType" in data]
    (told,) = [line for line in sent.split(b"\r\n") if line.lower().startswith(b"exptime")]
    assert int(told.split(b":")[1]) == 1_767_225_602_000 - 1


# ---- cancels and amendments


def test_a_cancel_that_comes_to_nothing_is_sent_again_until_the_order_is_over(rig: Rig, client: FixClient) -> None:
    client.order("a1")
    fault(rig, "silent", "fix")
    assert words(client.cancel("c1", "a1")) == []
    assert client.status("a1")[39] == "6"
    client.got.clear()
    rig.pass_time(LONG_S)
    assert words(client.got) == [("4", "4")] and client.got[0][11] == "c1"
    assert len(rig.requests("trade/cancel-order")) == 2


def test_a_cancel_of_an_undecided_order_is_sent_at_once_and_again_when_it_is_found(
    rig: Rig, client: FixClient
) -> None:
    rig.deaf = rig.hush = True
    client.order("a1")
    fault(rig, "silent", "fix")
    client.cancel("c1", "a1")
    assert len(rig.requests("trade/cancel-order")) == 1
    rig.deaf = False
    client.got.clear()
    rig.pass_time(2 * LONG_S)
    assert words(client.got) == [("0", "0"), ("4", "4")]


def test_a_fill_that_overtakes_a_cancel_is_told_and_the_end_after_it(rig: Rig, client: FixClient) -> None:
    client.order("a1")
    fault(rig, "late_fill", "fix")
    assert words(client.cancel("c1", "a1")) == [("F", "1"), ("4", "4")]
    assert (client.got[-1][14], client.got[-1][11]) == ("0.05", "c1")


def test_a_cancel_of_what_is_filled_is_too_late(rig: Rig, client: FixClient) -> None:
    client.order("a1")
    rig.hush = True
    rig.stranger("2", "0.1", "60000")
    rig.deaf = True
    client.cancel("c1", "a1")
    rig.deaf = False
    client.got.clear()
    rig.pass_time(LONG_S)
    assert words(client.got) == [("F", "2"), ("9", "2")] and client.got[1][102] == "0"


def test_an_amendment_whose_answer_is_lost_is_pending_until_the_order_is_read(rig: Rig, client: FixClient) -> None:
    client.order("a1")
    rig.deaf = rig.hush = True
    assert words(client.amend("a2", "a1", "0.2", "61000")) == []
    assert client.status("a1")[39] == "E"
    rig.deaf = False
    client.got.clear()
    rig.pass_time(LONG_S)
    assert words(client.got) == [("5", "0")] and client.got[0][11] == "a2"


def test_an_amendment_that_was_lost_is_refused_once_it_cannot_take_effect_any_more(
    rig: Rig, client: FixClient
) -> None:
    client.order("a1")
    fault(rig, "lost")
    assert words(client.amend("a2", "a1", "0.2", "61000")) == []
    rig.pass_time(0.9)
    assert client.got == []
    rig.pass_time(LONG_S)
    assert words(client.got) == [("9", "0")] and client.got[0][58] == "never reached the venue"


@pytest.mark.parametrize(("kind", "told"), [("unknown", [("F", "1"), ("5", "1")]), ("lost", [("F", "1"), ("I", "2")])])
def test_an_order_that_an_amendment_may_have_made_larger_is_not_over_by_its_former_quantity(
    rig: Rig, client: FixClient, kind: str, told: list[tuple[str, str]]
) -> None:
    client.order("a1", qty="0.1", px="60000")
    rig.hush = True
    fault(rig, kind)
    client.amend("a2", "a1", "0.3", "60000")
    rig.hush = False
    client.got.clear()
    rig.stranger("2", "0.1", "60000")
    rig.pass_time(LONG_S)
    row = rig.at_venue("a1")
    assert row is not None and row["ord_status"] == ("1" if kind == "unknown" else "2")
    assert [each for each in words(client.got) if each[0] != "9"] == told
    assert ("9" in dict(words(client.got))) is (kind == "lost")
    assert client.status("a2")[39] == row["ord_status"]


# ---- pushes


def test_a_push_that_is_doubled_counts_once(rig: Rig, client: FixClient) -> None:
    client.order("a1")
    fault(rig, "duplicate", "websocket", count=2)
    rig.stranger("2", "0.04", "60000")
    rig.stranger("2", "0.06", "60000")
    assert words(client.got[2:]) == [("F", "1"), ("F", "2")]


def test_lost_pushes_are_found_by_the_next_round(rig: Rig, client: FixClient) -> None:
    client.order("a1")
    client.order("a2", px="59000")
    rig.hush = True
    rig.stranger("2", "0.04", "60000")
    rig.world.ask("cancel", cl_ord_id="a2")
    client.got.clear()
    rig.pass_time(35)
    assert words(client.got) == [("F", "1"), ("4", "4")] and client.got[-1][11] == "a2"


def test_fills_that_fill_several_pages_are_told_in_their_order(rig: Rig, client: FixClient) -> None:
    client.order("a1", qty="1.5")
    rig.hush = True
    for _ in range(130):
        rig.pass_time(0.001, step_s=0.001)
        rig.stranger("2", "0.01", "60000")
    rig.hush = False
    client.got.clear()
    rig.cut("websocket")
    rig.live()
    told = [int(each[1003]) for each in client.got if each.get(150) == "F"]
    assert len(told) == 130 and told == sorted(told)


def test_after_the_websocket_was_away_nothing_new_is_taken_before_orders_and_fills_are_read(
    rig: Rig, client: FixClient
) -> None:
    client.order("a1")
    rig.cut("websocket")
    rig.stranger("2", "0.1", "60000")
    assert words(client.order("a2")) == [("8", "8")] and posts(rig, "a2") == 0
    (told,) = client.send("H", f"11=a1|55={SYMBOL}|54=1|")
    assert (told[35], told[380], told[379]) == ("j", "4", "a1")
    client.got.clear()
    rig.live()
    assert words(client.got) == [("F", "2")]
    assert words(client.order("a3"))[:2] == [("A", "A"), ("0", "0")]


def test_a_venue_that_does_not_answer_the_upgrade_is_given_up_and_tried_again(rig: Rig) -> None:
    rig.hush = True
    rig.cut("websocket")
    rig.pass_time(70, step_s=0.5)
    assert rig.core.status(rig.now)["state"] == "catching_up"
    rig.hush = False
    rig.pass_time(70, step_s=0.5)
    assert rig.core.status(rig.now)["state"] == "live"


def test_one_trade_between_two_orders_of_ours_has_two_names_and_one_trade_id(rig: Rig, client: FixClient) -> None:
    client.order("a1", side="2", px="60000")
    fault(rig, "self_trade", "fix")
    client.order("a2", side="1", px="60000")
    fills = [each for each in client.got if each.get(150) == "F"]
    told = {(each[11], each[1003], each[17]) for each in fills}
    assert len(fills) == 2 and len({names[2] for names in told}) == 2 and len({names[1] for names in told}) == 1


# ---- the bridge's own death


def test_what_has_no_outcome_in_the_log_is_asked_for_by_the_next_life(rig: Rig, client: FixClient) -> None:
    rig.deaf = rig.hush = True
    client.order("a1")
    client.order("a2")
    fault(rig, "lost")
    client.order("a3")
    rig.kill()
    rig.deaf = rig.hush = False
    rig.live()
    again = client.again()
    rig.pass_time(2 * LONG_S)
    ends = {each[11]: each[150] for each in again.got if each[35] == "8"}
    assert ends == {"a1": "0", "a2": "0", "a3": "8"}
    assert [posts(rig, name) for name in ("a1", "a2", "a3")] == [1, 1, 1]


def test_what_happened_while_a_client_and_the_bridge_were_away_comes_by_resend(rig: Rig, client: FixClient) -> None:
    client.order("a1")
    client.cut()
    rig.stranger("2", "0.04", "60000")
    rig.kill()
    rig.stranger("2", "0.06", "60000")
    rig.live()
    again = client.again()
    fills = [each for each in again.got if each.get(150) == "F"]
    assert [(each[14], each.get(43)) for each in fills] == [("0.04", "Y"), ("0.1", "Y")]
    assert len({each[17] for each in fills}) == 2


def test_a_cancel_is_still_wanted_after_a_restart(rig: Rig, client: FixClient) -> None:
    client.order("a1")
    rig.deaf = rig.hush = True
    fault(rig, "silent", "fix")
    client.cancel("c1", "a1")
    rig.kill()
    rig.deaf = rig.hush = False
    rig.live()
    rig.pass_time(LONG_S)
    row = rig.at_venue("a1")
    assert row is not None and row["ord_status"] == "4"


def test_another_log_lets_nobody_count_on_from_numbers_that_it_never_had(
    tmp_path: Path, rig: Rig, client: FixClient
) -> None:
    client.order("a1")
    client.cut()
    (tmp_path / "other").mkdir()
    other = Rig(tmp_path / "other").live()
    client.rig = other
    stranger = FixClient(other, session=client.session)
    told = [each for each in stranger.got if each[35] == "5"]
    assert not stranger.session.logged_on and other.core.status(other.now)["counts"] == {"connections_refused": 1}
    assert told == [] or "ResetSeqNumFlag" in told[0][58]


def test_the_log_s_id_is_told_at_logon(client: FixClient) -> None:
    (logon,) = [each for each in client.got if each[35] == "A"]
    told = f"log {client.rig.core.store.identity}"
    assert (logon[95], logon[96]) == (str(len(told)), told)


# ---- the kill switch


def act(rig: Rig, name: str) -> None:
    rig.core.received("control", b"me", ControlRequest(name, msgspec.json.encode({})), rig.now)
    rig.pump()


def test_the_kill_withdraws_refuses_cancels_everybody_s_orders_and_outlives_a_restart(rig: Rig) -> None:
    ours, other = FixClient(rig), FixClient(rig, "OTHER")
    ours.order("a1")
    other.order("b1")
    act(rig, "kill")
    assert words(ours.got[-1:]) == [("4", "4")] == words(other.got[-1:])
    assert words(ours.order("a2")) == [("8", "8")]
    rig.kill()
    rig.live()
    again = ours.again()
    assert words(again.order("a3"))[-1:] == [("8", "8")]
    act(rig, "resume")
    assert words(again.order("a4")) == [("A", "A"), ("0", "0")]


@pytest.mark.parametrize("away", ["deaf", "refused"])
def test_what_waits_for_a_connection_does_not_keep_the_process_busy(rig: Rig, away: str) -> None:
    """Its next turn is later than now, however long the venue is away, or slow to answer."""
    client = FixClient(rig)
    if away == "deaf":
        rig.deaf = True
    else:
        rig.refuses = True
        rig.cut("rest")
    for n in range(9):
        client.order(f"a{n}")
    for _ in range(10):
        deadline_ns = rig.core.next_deadline_ns()
        assert deadline_ns is not None and deadline_ns > rig.now.boot_ns
        rig.pass_time(0.1)

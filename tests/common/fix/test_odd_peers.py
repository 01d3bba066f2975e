"""What a peer seldom does, and what comes of it."""

import pytest

from common.fix.errors import LocalError
from common.fix.session_types import (
    DisconnectReason,
    Inbound,
    LoggedOut,
    Notice,
    NumbersReason,
    NumbersSet,
    Outbound,
    ResendWanted,
    SessionState,
)
from common.fix.wire import pairs
from tests.common.fix.conftest import MakePlay
from tests.common.fix.harness import LOGON, ORDER, Play


def test_a_refusal_under_another_number_is_believed_and_takes_no_number(initiator: Play) -> None:
    initiator.peer("35=5|34=9|58=no such account")
    initiator.closes(DisconnectReason.LOGON_REFUSED)
    assert initiator.logged_out() == [LoggedOut("no such account", True)]
    assert initiator.numbers()[1] == 1


def test_a_logon_that_is_a_duplicate_logs_on_and_takes_no_number(make_play: MakePlay) -> None:
    play = make_play()
    play.session.reset(4, 10)
    play.connect()
    play.peer(f"35=A|34=5|43=Y|122={play.after(-5)}|98=0|108=30")
    play.says("35=A|34=4|98=0|108=30")
    assert play.is_logged_on() and play.numbers() == (5, 10)
    assert play.inbound() == []
    play.peer(f"35=D|34=10|{ORDER}")
    assert play.applications() == [10]


def test_a_logon_that_is_resent_instead_of_gap_filled_only_fills_its_place(logged_on: Play) -> None:
    logged_on.peer(f"35=D|34=3|{ORDER}")
    logged_on.says("35=2|34=2|7=2|16=0")
    logged_on.peer(f"35=A|34=2|43=Y|122={logged_on.after(-5)}|98=0|108=30")
    logged_on.says()
    assert logged_on.inbound() == ["A1", "A2", "D3"] and len(logged_on.logons()) == 1
    assert logged_on.is_logged_on() and not logged_on.session.recovering


def test_a_number_too_low_behind_our_logout_closes_without_a_second_one(logged_on: Play) -> None:
    logged_on.logout("done")
    logged_on.says("35=5|34=2|58=done")
    logged_on.peer(f"35=D|34=1|{ORDER}")
    logged_on.says()
    logged_on.closes(DisconnectReason.SEQUENCE_TOO_LOW)


def test_another_identity_behind_our_logout_is_rejected_and_the_answer_still_awaited(logged_on: Play) -> None:
    logged_on.logout("done")
    logged_on.says("35=5|34=2|58=done")
    logged_on.peer("35=0|34=2|49=STRANGER")
    logged_on.says("35=3|34=3|45=2|58=CompID problem|372=0|373=9")
    assert logged_on.session.state is SessionState.LOGOUT_SENT
    logged_on.peer("35=5|34=3")
    logged_on.closes(DisconnectReason.LOGOUT_COMPLETE)


def test_without_heartbeats_a_gap_is_still_asked_for_again(make_play: MakePlay) -> None:
    play = make_play()
    play.connect()
    play.peer("35=A|34=1|98=0|108=0")
    play.says("35=A|34=1|98=0|108=0")
    play.peer(f"35=D|34=3|{ORDER}")
    play.says("35=2|34=2|7=2|16=0")
    play.pass_s(play.settings.resend_timeout_s)
    play.says("35=2|34=3|7=2|16=0")


@pytest.mark.parametrize("field", [b"43", b"122"])
def test_a_message_that_was_stored_as_a_resend_is_marked_as_one_once(logged_on: Play, field: bytes) -> None:
    logged_on.send("B", "148=x|33=1|58=y|")
    logged_on.peer("35=2|34=2|7=2|16=2")
    (stored,) = (e.raw for e in logged_on.effects if isinstance(e, Outbound) and e.resent)
    logged_on.resends = False
    logged_on.peer("35=2|34=3|7=2|16=2")
    logged_on.session.resend(2, 2, [(2, stored)], logged_on.now)
    (again,) = (effect for effect in logged_on.session.take_effects() if isinstance(effect, Outbound))
    assert [tag for tag, _ in pairs(again.raw)].count(field) == 1
    assert again.raw == stored


REPORT = "37=9|17=e|150=F|39=2|55=X|54=1|32=1|31=9|151=0|14=1|6=9"


def test_what_came_behind_a_gap_is_handed_on_when_a_gap_fill_covers_it(initiator: Play) -> None:
    initiator.peer(LOGON, f"35=8|34=3|{REPORT}", f"35=8|34=4|{REPORT}")
    initiator.says("35=2|34=2|7=2|16=0")
    initiator.peer("35=4|34=2|43=Y|123=Y|36=5")
    assert initiator.applications() == [3, 4]
    assert initiator.numbers() == (3, 5) and not initiator.session.recovering
    assert [type(effect) for effect in initiator.effects][-4:-1] == [Inbound, Inbound, NumbersSet]
    assert initiator.numbers_set() == [NumbersSet(3, 5, NumbersReason.GAP_FILL)]


def test_what_came_behind_a_gap_is_handed_on_when_a_reset_covers_it(initiator: Play) -> None:
    initiator.peer(LOGON, f"35=8|34=3|{REPORT}", f"35=8|34=7|{REPORT}", "35=4|34=0|36=6")
    assert initiator.applications() == [3] and initiator.session.recovering
    initiator.peer("35=4|34=6|43=Y|123=Y|36=8")
    assert initiator.applications() == [3, 7] and not initiator.session.recovering


@pytest.mark.parametrize("cover", ["35=4|34=2|43=Y|123=Y|36=4", "35=4|34=9|36=4"], ids=["gap fill", "reset"])
def test_an_early_logout_that_is_gap_filled_is_answered(initiator: Play, cover: str) -> None:
    initiator.peer(LOGON, "35=5|34=3|58=good night", cover)
    initiator.says("35=2|34=2|7=2|16=0", "35=5|34=3")
    assert initiator.logged_out() == [LoggedOut("good night", True)] and initiator.inbound() == ["A1", "53"]
    initiator.pass_s(2)
    initiator.closes(DisconnectReason.LOGOUT_COMPLETE)


def test_an_early_test_request_that_is_gap_filled_is_answered(make_play: MakePlay) -> None:
    play = make_play(initiator=True, validate=None)
    play.connect()
    play.sent.clear()
    play.peer(LOGON, "35=1|34=3|112=there?", "35=1|34=4", "35=4|34=2|43=Y|123=Y|36=5")
    play.says(
        "35=2|34=2|7=2|16=0", "35=0|34=3|112=there?", "35=3|34=4|45=4|58=Required tag missing|371=112|372=1|373=1"
    )


def test_an_order_that_is_gap_filled_is_withdrawn_and_refused_by_name(logged_on: Play) -> None:
    logged_on.peer(f"35=D|34=3|{ORDER}", "35=F|34=4|11=b|41=a|54=1|55=X|60=20260101-00:00:00", "35=2|34=5|7=1|16=1")
    logged_on.peer("35=4|34=2|43=Y|123=Y|36=6")
    assert logged_on.inbound() == ["A1", "D3!", "F4", "25"] and logged_on.applications() == [4]
    assert logged_on.notices().count("withdrawn") == 1
    assert logged_on.sent[-1].endswith(
        logged_on.message("35=3|34=3|45=3|58=Gap-filled, taken as withdrawn|372=D|373=99", by_peer=False)[-60:]
    )


def test_a_gap_fill_that_covers_an_early_gap_fill_goes_on_to_its_end(initiator: Play) -> None:
    initiator.peer(LOGON, "35=4|34=4|123=Y|36=8", f"35=8|34=6|{REPORT}", f"35=8|34=8|{REPORT}")
    initiator.peer("35=4|34=2|43=Y|123=Y|36=5")
    assert initiator.applications() == [6, 8]
    assert initiator.numbers()[1] == 9 and not initiator.session.recovering


def test_what_found_no_room_behind_a_gap_and_is_gap_filled_ends_the_session_by_name(make_play: MakePlay) -> None:
    play = make_play(initiator=True, max_pending_messages=1)
    play.connect()
    play.peer(LOGON, f"35=8|34=3|{REPORT}", f"35=8|34=4|{REPORT}", "35=4|34=2|43=Y|123=Y|36=5")
    assert play.applications() == [3]
    assert b"58=MsgSeqNum(34) from 4 on came early, found no room and is not sent again" in play.sent[-1]
    play.pass_s(2)
    play.closes(DisconnectReason.SEQUENCE_GAP)


def test_new_numbers_inside_a_session_lose_nothing_of_what_came_early(logged_on: Play) -> None:
    logged_on.peer(f"35=8|34=9|{REPORT}", f"35=D|34=10|{ORDER}", "35=A|34=1|98=0|108=30|141=Y")
    assert logged_on.inbound() == ["A1", "89", "D10!", "A1"]
    assert logged_on.notices().count("withdrawn") == 1 and logged_on.numbers()[1] == 2


def test_what_came_early_is_named_when_its_connection_ends_before_the_gap(logged_on: Play) -> None:
    logged_on.peer(f"35=8|34=9|{REPORT}")
    logged_on.lose()
    told = [effect.text for effect in logged_on.effects if isinstance(effect, Notice) and effect.code == "early_lost"]
    assert told == ["came behind a gap that the connection did not live to close: MsgSeqNum(34)=9 MsgType(35)=8"]


def test_ranges_that_overlap_are_answered_each_in_its_turn_and_in_parts(make_play: MakePlay) -> None:
    play = make_play()
    play.resends = False
    play.connect()
    play.peer(LOGON)
    for _ in range(3):
        play.send("8", "37=x|")
    play.peer("35=2|34=2|7=1|16=3")
    play.peer("35=2|34=3|7=1|16=0", "35=2|34=4|7=2|16=3")
    wanted = [(effect.begin, effect.end) for effect in play.effects if isinstance(effect, ResendWanted)]
    assert wanted == [(1, 3), (1, 4)], "the third is on its way already"
    for begin, end in ((1, 2), (3, 3), (1, 3), (4, 4)):
        play.session.resend(begin, end, [], play.now)
    with pytest.raises(LocalError, match="were not asked for"):
        play.session.resend(4, 4, [], play.now)

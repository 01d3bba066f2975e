"""What a peer seldom does, and what comes of it."""

import pytest

from common.fix.session_types import DisconnectReason, LoggedOut, Outbound, SessionState
from common.fix.wire import pairs
from tests.common.fix.conftest import MakePlay
from tests.common.fix.harness import ORDER, Play


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

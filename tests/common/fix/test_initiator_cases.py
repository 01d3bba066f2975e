"""The initiator's side of the FIX session-layer test cases, against a scripted acceptor."""

import pytest

from common.fix.errors import IllegalTransitionError, LocalError, NotLoggedOnError
from common.fix.session_types import (
    DisconnectReason,
    LoggedOut,
    NumbersReason,
    NumbersSet,
    SequencePolicy,
    SessionState,
)
from common.fix.wire import split
from tests.common.fix.conftest import MakePlay
from tests.common.fix.harness import LOGON, ORDER, Play
from tests.common.fix.official import case


@case("1B.a", "1B.b")
def test_logon_is_the_first_message(make_play: MakePlay) -> None:
    play = make_play(initiator=True, heart_bt_int_s=10)
    play.connect()
    play.says("35=A|34=1|98=0|108=10")
    assert play.session.state is SessionState.LOGON_SENT
    with pytest.raises(NotLoggedOnError):
        play.send("D", f"{ORDER}|")


@case("1B.c")
def test_a_valid_answer_logs_on(initiator: Play) -> None:
    initiator.peer(LOGON)
    assert initiator.is_logged_on()
    assert initiator.numbers() == (2, 2)
    assert initiator.send("D", f"{ORDER}|") == 2
    initiator.says(f"35=D|34=2|{ORDER}")


@case("1B.c")
def test_extra_fields_of_the_logon_are_made_for_its_number_and_time(make_play: MakePlay) -> None:
    play = make_play(
        initiator=True,
        logon_fields=lambda seq, stamp: b"95=%d\x0196=%d %b\x01" % (len(stamp) + 2, seq, stamp),
        header_fields=b"50=DESK\x01",
        timestamp_digits=6,
    )
    play.connect()
    fields = split(play.sent[0])
    assert fields[b"96"] == b"1 " + fields[b"52"]
    assert fields[b"50"] == b"DESK"
    assert len(fields[b"52"]) == len("20260101-00:00:00.000000")


@case("1B.c", "logon.seq", "2.b")
def test_an_answer_too_high_is_accepted_then_the_gap_is_asked_for(initiator: Play) -> None:
    initiator.peer("35=A|34=4|98=0|108=30")
    initiator.says("35=2|34=2|7=1|16=0")
    assert initiator.is_logged_on()
    assert initiator.logons()[0].recovering
    stamp = initiator.after(-5)
    report = f"35=8|34=2|43=Y|122={stamp}|37=i|17=i|150=0|39=0|55=X|54=1|151=1|14=0|6=0"
    initiator.peer("35=4|34=1|43=Y|123=Y|36=2", report, "35=4|34=3|43=Y|123=Y|36=5")
    assert initiator.inbound() == ["82", "A4"]
    assert initiator.numbers()[1] == 5


@case("1B.d", "logon.seq")
def test_an_answer_too_low_is_told_and_closed(make_play: MakePlay) -> None:
    play = make_play(initiator=True)
    play.session.reset(5, 9)
    play.connect()
    play.sent.clear()
    play.peer("35=A|34=3|98=0|108=30")
    play.says("35=5|34=6|58=MsgSeqNum too low, expecting 9 but received 3")
    play.closes(DisconnectReason.SEQUENCE_TOO_LOW)


@case("1B.d")
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("35=A|34=1|98=0|108=30|49=WHO", DisconnectReason.UNKNOWN_IDENTITY),
        ("35=A|34=1|98=0", DisconnectReason.LOGON_INVALID),
        ("35=A|34=1|98=0|108=30|52=20010101-00:00:00", DisconnectReason.LOGON_INVALID),
        ("35=A|98=0|108=30", DisconnectReason.PROTOCOL_ERROR),
    ],
)
def test_an_invalid_answer_closes(initiator: Play, answer: str, reason: DisconnectReason) -> None:
    initiator.peer(answer)
    initiator.closes(reason)
    assert initiator.numbers()[1] == 1


@case("1B.e")
@pytest.mark.parametrize("answer", ["35=0|34=1", f"35=D|34=1|{ORDER}", "35=2|34=1|7=1|16=0"])
def test_another_answer_closes(initiator: Play, answer: str) -> None:
    initiator.peer(answer)
    initiator.says()
    initiator.closes(DisconnectReason.FIRST_MESSAGE_NOT_LOGON)


@case("1B.d", "1B.e", "13.b")
@pytest.mark.parametrize("kind", ["35=5|34=1|58=no such account", "35=3|34=1|45=1|58=no such account"])
def test_a_refusal_is_passed_on_with_its_text(initiator: Play, kind: str) -> None:
    initiator.peer(kind)
    initiator.says()
    assert initiator.logged_out() == [LoggedOut("no such account", True)]
    initiator.closes(DisconnectReason.LOGON_REFUSED)
    assert initiator.numbers()[1] == 1


@pytest.mark.parametrize(("number", "asks"), [(1, False), (2, True)])
def test_a_logon_after_a_refusal_is_in_step_whether_or_not_that_took_a_number(
    initiator: Play, number: int, asks: bool
) -> None:
    initiator.peer("35=5|34=1|58=not now")
    initiator.closes(DisconnectReason.LOGON_REFUSED)
    initiator.lose()
    initiator.connect()
    initiator.sent.clear()
    initiator.peer(LOGON.replace("34=1", f"34={number}"))
    initiator.says(*["35=2|34=3|7=1|16=0"] * asks)
    assert initiator.is_logged_on()


@case("1B.d", "logon.seq")
def test_a_refusal_of_our_number_is_for_a_human(initiator: Play) -> None:
    initiator.peer("35=5|34=1|58=MsgSeqNum too low, expecting 57 but received 1")
    initiator.closes(DisconnectReason.SEQUENCE_TOO_LOW)


@case("2.d")
def test_garbled_bytes_before_the_answer_are_skipped(initiator: Play) -> None:
    initiator.bytes_in(b"8=FIX.4.4\x019=5\x0135=A\x0110=000\x01")
    initiator.peer(LOGON)
    assert initiator.is_logged_on()


@case("logon.time")
def test_without_an_answer_the_connection_is_closed_in_time(initiator: Play) -> None:
    initiator.pass_s(10)
    initiator.closes(DisconnectReason.LOGON_TIMEOUT)


@case("logon.108")
def test_the_answers_interval_counts(initiator: Play) -> None:
    initiator.peer("35=A|34=1|98=0|108=10")
    initiator.pass_s(10)
    initiator.says("35=0|34=2")


@case("logon.141")
def test_141_is_sent_and_both_numbers_start_at_1(make_play: MakePlay) -> None:
    play = make_play(initiator=True, reset_on_logon=True)
    play.session.reset(40, 50)
    play.connect()
    play.says("35=A|34=1|98=0|108=30|141=Y")
    assert play.numbers_set()[-1] == NumbersSet(1, 1, NumbersReason.RESET_ON_LOGON)
    play.peer("35=A|34=1|98=0|108=30|141=Y")
    assert play.numbers() == (2, 2)
    assert "reset_not_echoed" not in play.notices()


@case("logon.141")
@pytest.mark.parametrize("expects_echo", [True, False])
def test_141_without_an_echo_but_with_number_1_is_a_reset(make_play: MakePlay, expects_echo: bool) -> None:
    play = make_play(initiator=True, sequence_policy=SequencePolicy.RESET, expects_reset_echo=expects_echo)
    play.connect()
    play.peer(LOGON)
    assert play.is_logged_on()
    assert ("reset_not_echoed" in play.notices()) is expects_echo


@case("logon.141", "1B.d")
def test_141_without_an_echo_and_with_an_old_number_is_no_reset(make_play: MakePlay) -> None:
    play = make_play(initiator=True, reset_on_logon=True)
    play.connect()
    play.sent.clear()
    play.peer("35=A|34=9|98=0|108=30")
    play.says("35=5|34=2|58=ResetSeqNumFlag(141)=Y was answered without a reset")
    play.closes(DisconnectReason.LOGON_INVALID)


@case("logon.141")
def test_a_peer_that_lost_its_numbers_resets_both(make_play: MakePlay) -> None:
    play = make_play(initiator=True)
    play.session.reset(40, 50)
    play.connect()
    play.peer("35=A|34=1|98=0|108=30|141=Y")
    assert play.numbers() == (2, 2)
    assert play.numbers_set()[-1] == NumbersSet(2, 1, NumbersReason.RESET_SEQ_NUM_FLAG)
    assert play.logons()[0].peer_reset


@case("logon.141")
def test_we_can_reset_inside_a_session(initiator: Play) -> None:
    initiator.peer(LOGON)
    initiator.send("D", f"{ORDER}|")
    initiator.sent.clear()
    initiator.session.request_reset(initiator.now)
    initiator.pass_s(0)
    initiator._carry_out()
    initiator.says("35=A|34=1|98=0|108=30|141=Y")
    with pytest.raises(NotLoggedOnError):
        initiator.send("D", f"{ORDER}|")
    initiator.peer("35=0|34=2", "35=A|34=1|98=0|108=30|141=Y", "35=0|34=2")
    assert initiator.inbound() == ["A1", "02", "A1", "02"]
    assert initiator.numbers() == (2, 3)
    assert initiator.is_logged_on()


@case("logon.141")
def test_a_reset_inside_a_session_that_is_not_answered_closes(initiator: Play) -> None:
    initiator.peer(LOGON)
    initiator.session.request_reset(initiator.now)
    initiator._carry_out()
    initiator.pass_s(10)
    initiator.closes(DisconnectReason.LOGON_TIMEOUT)


@case("logon.141")
def test_no_reset_inside_a_session_while_something_is_missing(initiator: Play) -> None:
    initiator.peer(LOGON, "35=0|34=9")
    with pytest.raises(NotLoggedOnError, match="in sync"):
        initiator.session.request_reset(initiator.now)


@case("logon.789")
def test_789_tells_what_we_expect_and_serves_what_the_peer_expects(make_play: MakePlay) -> None:
    play = make_play(initiator=True, next_expected_msg_seq_num=True)
    play.session.reset(4, 7)
    play.stored = {n: play.message(f"35=D|34={n}|11=a", by_peer=False) for n in (1, 2, 3)}
    play.connect()
    play.says("35=A|34=4|98=0|108=30|789=7")
    stamp = play.after(0)
    play.peer("35=A|34=7|98=0|108=30|789=3")
    play.says(f"35=D|34=3|43=Y|122={stamp}|11=a", f"35=4|34=4|43=Y|122={stamp}|36=5|123=Y")
    assert play.numbers() == (5, 8)


@case("logon.789")
def test_789_too_high_in_the_answer_ends_it(make_play: MakePlay) -> None:
    play = make_play(initiator=True, next_expected_msg_seq_num=True)
    play.connect()
    play.sent.clear()
    play.peer("35=A|34=1|98=0|108=30|789=9")
    play.says("35=5|34=2|58=NextExpectedMsgSeqNum(789) too high, expecting 2 but received 9")
    play.closes(DisconnectReason.SEQUENCE_TOO_LOW)


@case("logon.1137", "logon.464")
def test_fixt_and_test_fields_are_sent(make_play: MakePlay) -> None:
    play = make_play(initiator=True, begin_string="FIXT.1.1", default_appl_ver_id="9", test_session=True, validate=None)
    play.connect()
    play.says("35=A|34=1|98=0|108=30|464=Y|1137=9")
    play.peer(f"{LOGON}|464=Y|1137=9")
    assert play.is_logged_on()


@case("logon.1137")
@pytest.mark.parametrize("version", ["8", "banana", ""])
def test_another_default_appl_ver_id_is_refused(make_play: MakePlay, version: str) -> None:
    play = make_play(initiator=True, begin_string="FIXT.1.1", default_appl_ver_id="9", validate=None)
    play.connect()
    play.peer(f"{LOGON}|1137={version}")
    play.closes(DisconnectReason.LOGON_INVALID)


@case("12")
def test_logout_before_logon_closes_at_once(initiator: Play) -> None:
    initiator.logout("changed my mind")
    initiator.says()
    initiator.closes(DisconnectReason.LOCAL)


@case("12")
def test_logging_out_twice_says_it_once(initiator: Play) -> None:
    initiator.peer(LOGON)
    initiator.logout("a")
    initiator.logout("b")
    initiator.says("35=5|34=2|58=a")


@case("connection.generation")
def test_a_message_cut_by_the_end_of_a_connection_is_not_glued_to_the_next(initiator: Play) -> None:
    initiator.peer(LOGON)
    initiator.bytes_in(initiator.message(f"35=D|34=2|{ORDER}", by_peer=True)[:30])
    initiator.lose()
    initiator.connect()
    initiator.peer("35=A|34=2|98=0|108=30")
    assert initiator.is_logged_on()
    assert "garbled" not in initiator.notices()


def test_numbers_are_set_by_hand_only_while_disconnected(initiator: Play) -> None:
    with pytest.raises(LocalError, match="log out first"):
        initiator.session.reset(1, 1)
    initiator.lose()
    with pytest.raises(LocalError, match="start at 1"):
        initiator.session.reset(0, 1)
    initiator.session.reset(7, 8)
    assert initiator.numbers() == (7, 8)


def test_a_second_connection_is_an_error_of_ours_and_changes_nothing(initiator: Play) -> None:
    with pytest.raises(IllegalTransitionError, match="DIALLED is not possible in LOGON_SENT"):
        initiator.session.connected(initiator.now)
    assert initiator.session.state is SessionState.LOGON_SENT


def test_a_body_must_end_with_soh(initiator: Play) -> None:
    initiator.peer(LOGON)
    with pytest.raises(LocalError, match="must end with SOH"):
        initiator.send("D", ORDER)
    assert initiator.numbers() == (2, 2)


def test_a_filler_is_a_heartbeat_under_a_number_that_was_taken(initiator: Play) -> None:
    initiator.peer(LOGON)
    initiator.send("D", f"{ORDER}|")
    before = initiator.numbers()
    filler = initiator.session.filler(2, initiator.now)
    assert filler == initiator.message("35=0|34=2", by_peer=False)
    assert initiator.numbers() == before
    assert initiator.session.take_effects() == []


def test_a_body_may_carry_header_fields(initiator: Play) -> None:
    initiator.peer(LOGON)
    initiator.session.send("D", b"11=a\x01", initiator.now, header=b"25000=500\x01")
    initiator._carry_out()
    assert initiator.sent[-1].index(b"25000=500") < initiator.sent[-1].index(b"11=a")

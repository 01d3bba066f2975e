"""The acceptor's side of the FIX session-layer test cases, and every case that is the same on both sides."""

import pytest

from common.fix.errors import LocalError, NotLoggedOnError
from common.fix.session_types import (
    DisconnectReason,
    Inbound,
    LoggedOut,
    NumbersReason,
    NumbersSet,
    Outbound,
    ResendWanted,
    SequencePolicy,
    SessionState,
)
from common.fix.wire import encode
from tests.common.fix.conftest import MakePlay
from tests.common.fix.harness import LOGON, ORDER, VALIDATOR, Play
from tests.common.fix.official import case

# -- logon


@case("1S.a", "2.a", "2.h", "2.j", "2.n", "2.p", "3.a", "2.l", "2.s", "3.d")
def test_a_valid_logon_is_answered_with_one(acceptor: Play) -> None:
    acceptor.peer(LOGON)
    acceptor.says(LOGON)
    assert acceptor.is_logged_on()
    assert acceptor.inbound() == ["A1"]
    assert acceptor.numbers() == (2, 2)


@case("1S.a", "logon.seq", "2.b")
def test_a_logon_too_high_is_answered_first_then_the_gap_is_asked_for(acceptor: Play) -> None:
    acceptor.peer("35=A|34=5|98=0|108=30")
    acceptor.says(LOGON, "35=2|34=2|7=1|16=0")
    assert acceptor.is_logged_on()
    acceptor.peer("35=4|34=1|43=Y|123=Y|36=6")
    assert acceptor.numbers() == (3, 6)
    assert acceptor.inbound() == ["A5"]
    assert not acceptor.session.recovering


@case("logon.seq")
def test_a_logon_that_is_filled_up_to_counts_once(acceptor: Play) -> None:
    acceptor.peer("35=A|34=3|98=0|108=30")
    acceptor.peer("35=4|34=1|43=Y|123=Y|36=3")
    assert acceptor.inbound() == ["A3"]
    assert acceptor.numbers()[1] == 4
    assert len(acceptor.logons()) == 1


@case("1S.d", "logon.seq")
def test_a_logon_too_low_is_told_and_closed(make_play: MakePlay) -> None:
    play = make_play()
    play.session.reset(1, 10)
    play.connect()
    play.peer("35=A|34=5|98=0|108=30")
    play.says("35=5|34=1|58=MsgSeqNum too low, expecting 10 but received 5")
    play.closes(DisconnectReason.SEQUENCE_TOO_LOW)
    assert play.numbers() == (2, 10)


@case("1S.c")
@pytest.mark.parametrize("wrong", ["49=STRANGER", "56=NOT_US", "-49", "-56"])
def test_an_unknown_identity_gets_no_answer(acceptor: Play, wrong: str) -> None:
    acceptor.peer(f"{LOGON}|{wrong}")
    acceptor.says()
    acceptor.closes(DisconnectReason.UNKNOWN_IDENTITY)
    assert acceptor.numbers() == (1, 1)


@case("1S.c", "2.i")
def test_another_begin_string_gets_no_answer(acceptor: Play) -> None:
    logon = acceptor.message(LOGON, by_peer=True).replace(b"FIX.4.4", b"FIX.4.3")
    body, _, _ = logon.partition(b"10=")
    acceptor.bytes_in(body + b"10=%03d\x01" % (sum(body) & 255))
    acceptor.says()
    acceptor.closes(DisconnectReason.UNKNOWN_IDENTITY)


@case("1S.d", "logon.108")
@pytest.mark.parametrize(
    ("logon", "text"),
    [
        ("35=A|34=1|98=0", "Required tag missing, tag 108"),
        ("35=A|34=1|98=0|108=-1", "HeartBtInt(108)=-1 is not a number of seconds"),
        ("35=A|34=1|98=0|108=3601", "HeartBtInt(108)=3601 is more than 3600 seconds"),
        ("35=A|34=1|98=0|108=999999999", "HeartBtInt(108)=999999999 is more than 3600 seconds"),
        ("35=A|34=1|98=0|108=x", "Incorrect data format for value, tag 108"),
        ("35=A|34=1|98=1|108=30", "EncryptMethod(98) other than 0 is not supported"),
        ("35=A|34=1|98=0|108=30|52=20010101-00:00:00", "SendingTime accuracy problem"),
        ("35=A|34=2|98=0|108=30|141=Y", "ResetSeqNumFlag(141)=Y needs MsgSeqNum(34)=1"),
    ],
)
def test_an_invalid_logon_is_told_why_and_takes_no_number_of_ours(acceptor: Play, logon: str, text: str) -> None:
    acceptor.peer(logon)
    acceptor.says(f"35=5|34=1|58={text}")
    acceptor.closes(DisconnectReason.LOGON_INVALID)
    assert acceptor.numbers()[1] == 1


@case("2S")
@pytest.mark.parametrize("first", ["35=0|34=1", f"35=D|34=1|{ORDER}", "35=5|34=1"])
def test_a_first_message_that_is_no_logon_closes(acceptor: Play, first: str) -> None:
    acceptor.peer(first)
    acceptor.says()
    acceptor.closes(DisconnectReason.FIRST_MESSAGE_NOT_LOGON)


@case("2S", "2.d")
def test_garbled_bytes_before_logon_close(acceptor: Play) -> None:
    acceptor.bytes_in(b"8=FIX.4.4\x019=12\x0135=A\x0134=1\x0149=THEM\x0156=US\x0110=000\x01")
    acceptor.says()
    acceptor.closes(DisconnectReason.FIRST_MESSAGE_NOT_LOGON)


@case("logon.time")
def test_without_a_logon_the_connection_is_closed_in_time(acceptor: Play) -> None:
    acceptor.pass_s(9.9)
    assert acceptor.session.state is SessionState.AWAITING_LOGON
    acceptor.pass_s(0.1)
    acceptor.closes(DisconnectReason.LOGON_TIMEOUT)


@case("logon.108")
def test_heart_bt_int_is_the_initiators(acceptor: Play) -> None:
    acceptor.peer("35=A|34=1|98=0|108=7")
    acceptor.says("35=A|34=1|98=0|108=7")
    acceptor.pass_s(7)
    acceptor.says("35=0|34=2")


@case("logon.108")
def test_heart_bt_int_0_sends_nothing_by_itself_but_answers(acceptor: Play) -> None:
    acceptor.peer("35=A|34=1|98=0|108=0")
    acceptor.says("35=A|34=1|98=0|108=0")
    assert acceptor.session.next_deadline_ns() is None
    acceptor.pass_s(10_000)
    acceptor.says()
    acceptor.peer("35=1|34=2|112=there?")
    acceptor.says("35=0|34=2|112=there?")


@case("logon.464")
def test_a_test_system_does_not_log_on_to_a_production_system(make_play: MakePlay) -> None:
    play = make_play(test_session=False)
    play.connect()
    play.peer(f"{LOGON}|464=Y")
    play.says("35=5|34=1|58=TestMessageIndicator(464) differs: a test system and a production system")
    play.closes(DisconnectReason.LOGON_INVALID)


@case("logon.again")
def test_a_logon_inside_a_session_ends_it(logged_on: Play) -> None:
    logged_on.peer("35=A|34=2|98=0|108=30")
    logged_on.says("35=5|34=2|58=Logon(A) inside a session")
    logged_on.peer("35=5|34=3")
    logged_on.closes(DisconnectReason.PROTOCOL_ERROR)


# -- ResetSeqNumFlag(141)


@case("logon.141")
def test_141_at_logon_starts_both_numbers_at_1(make_play: MakePlay) -> None:
    play = make_play()
    play.session.reset(40, 50)
    play.connect()
    play.peer("35=A|34=1|98=0|108=30|141=Y")
    play.says("35=A|34=1|98=0|108=30|141=Y")
    assert play.numbers() == (2, 2)
    assert NumbersSet(1, 1, NumbersReason.RESET_SEQ_NUM_FLAG) in play.numbers_set()
    assert play.logons()[0].peer_reset


@case("logon.141")
def test_reset_on_logon_starts_at_1_whatever_the_peer_says(make_play: MakePlay) -> None:
    play = make_play(reset_on_logon=True)
    play.session.reset(40, 50)
    play.connect()
    play.peer(LOGON)
    play.says(LOGON)
    assert play.numbers() == (2, 2)


@case("logon.141")
def test_141_inside_a_session_starts_both_numbers_at_1(logged_on: Play) -> None:
    logged_on.peer("35=0|34=2", "35=1|34=3|112=in sync")
    logged_on.says("35=0|34=2|112=in sync")
    logged_on.peer("35=A|34=1|98=0|108=30|141=Y")
    logged_on.says("35=A|34=1|98=0|108=30|141=Y")
    logged_on.peer("35=1|34=2|112=again")
    logged_on.says("35=0|34=2|112=again")
    assert logged_on.numbers() == (3, 3)


@case("logon.141")
def test_141_inside_a_session_needs_number_1(logged_on: Play) -> None:
    logged_on.peer("35=A|34=2|98=0|108=30|141=Y")
    logged_on.says("35=5|34=2|58=ResetSeqNumFlag(141)=Y needs MsgSeqNum(34)=1")


@case("logon.141")
def test_141_inside_a_session_forgets_an_open_gap(logged_on: Play) -> None:
    logged_on.peer(f"35=D|34=9|{ORDER}")
    logged_on.says("35=2|34=2|7=2|16=0")
    logged_on.peer("35=A|34=1|98=0|108=30|141=Y")
    logged_on.says("35=A|34=1|98=0|108=30|141=Y")
    assert not logged_on.session.recovering
    logged_on.peer(f"35=D|34=2|{ORDER}")
    assert logged_on.applications() == [2]


# -- NextExpectedMsgSeqNum(789)


def with_789(make_play: MakePlay, next_outbound: int, next_inbound: int) -> Play:
    play = make_play(next_expected_msg_seq_num=True)
    play.session.reset(next_outbound, next_inbound)
    play.stored = {n: play.message(f"35=8|34={n}|37=x", by_peer=False) for n in range(1, next_outbound)}
    play.connect()
    return play


@case("logon.789")
def test_789_equal_goes_on(make_play: MakePlay) -> None:
    play = with_789(make_play, 4, 7)
    play.peer("35=A|34=7|98=0|108=30|789=4")
    play.says("35=A|34=4|98=0|108=30|789=8")
    assert play.numbers() == (5, 8)


@case("logon.789")
def test_789_lower_is_answered_with_a_resend_at_once(make_play: MakePlay) -> None:
    play = with_789(make_play, 4, 7)
    play.peer("35=A|34=7|98=0|108=30|789=2")
    stamp = play.after(0)
    play.says(
        "35=A|34=4|98=0|108=30|789=8",
        f"35=8|34=2|43=Y|122={stamp}|37=x",
        f"35=8|34=3|43=Y|122={stamp}|37=x",
        f"35=4|34=4|43=Y|122={stamp}|36=5|123=Y",
    )


@case("logon.789")
def test_789_too_high_claims_what_was_never_sent(make_play: MakePlay) -> None:
    play = with_789(make_play, 4, 7)
    play.peer("35=A|34=7|98=0|108=30|789=9")
    play.says("35=5|34=4|58=NextExpectedMsgSeqNum(789) too high, expecting 4 but received 9")
    play.closes(DisconnectReason.SEQUENCE_TOO_LOW)


@case("logon.789")
def test_789_on_both_sides_needs_no_resend_request(make_play: MakePlay) -> None:
    play = with_789(make_play, 4, 5)
    play.peer("35=A|34=7|98=0|108=30|789=4")
    play.says("35=A|34=4|98=0|108=30|789=5")
    stamp = play.after(-1)
    play.peer(f"35=D|34=5|43=Y|122={stamp}|{ORDER}", "35=4|34=6|43=Y|123=Y|36=8")
    play.says()
    assert play.inbound() == ["D5", "A7"]
    assert play.numbers()[1] == 8
    assert not play.session.recovering


# -- MsgSeqNum(34)


@case("2.b", "20")
def test_a_gap_is_asked_for_once_and_what_came_early_is_kept(logged_on: Play) -> None:
    logged_on.peer(f"35=D|34=5|{ORDER}", f"35=D|34=6|{ORDER}")
    logged_on.says("35=2|34=2|7=2|16=0")
    assert logged_on.session.recovering
    assert logged_on.applications() == []
    stamp = logged_on.after(-1)
    logged_on.peer(*[f"35=D|34={n}|43=Y|122={stamp}|{ORDER}" for n in (2, 3, 4)])
    logged_on.says()
    assert logged_on.applications() == [2, 3, 4, 5, 6]
    assert logged_on.session.state is SessionState.LOGGED_ON


@case("2.b", "16.a")
def test_messages_may_be_sent_while_a_gap_is_open(logged_on: Play) -> None:
    logged_on.peer("35=0|34=9")
    logged_on.says("35=2|34=2|7=2|16=0")
    assert logged_on.send("8", "37=x|") == 3


@case("2.c")
@pytest.mark.parametrize("message", ["35=0|34=1", f"35=D|34=1|{ORDER}", "35=5|34=1", "35=2|34=1|7=1|16=0", LOGON])
def test_too_low_ends_the_session_with_the_reason(logged_on: Play, message: str) -> None:
    logged_on.peer("35=0|34=2")
    logged_on.peer(message)
    logged_on.says("35=5|34=2|58=MsgSeqNum too low, expecting 3 but received 1")
    logged_on.pass_s(2)
    logged_on.closes(DisconnectReason.SEQUENCE_TOO_LOW)
    assert logged_on.numbers()[1] == 3


@case("no.34")
@pytest.mark.parametrize("number", ["-34", "34=", "34=x", "34=-5", "34=1e3", f"34={10**30}"])
def test_without_a_number_a_message_ends_the_session(logged_on: Play, number: str) -> None:
    logged_on.peer(f"35=0|{number}")
    logged_on.says("35=5|34=2|58=Received message without MsgSeqNum")


@case("2.d", "3.b", "3.c", "3.e", "2.m", "2.t")
@pytest.mark.parametrize(
    "garbled",
    [
        b"8=FIX.4.4\x019=5\x0135=0\x0134=2\x0149=THEM\x0110=0\x01",
        b"8=FIX.4.4\x019=500\x0135=0\x0134=2\x0110=000\x01",
        b"35=0\x018=FIX.4.4\x019=5\x0134=2\x0110=161\x01",
        b"8=FIX.4.4\x019=10\x0134=2\x0135=0\x0110=004\x01",
        b"8=FIX.4.4\x019=x\x0135=0\x0110=161\x01",
        b"\x00\xff8=FI",
    ],
)
def test_what_is_garbled_is_skipped_and_found_missing_later(logged_on: Play, garbled: bytes) -> None:
    logged_on.bytes_in(garbled)
    # What a wrong BodyLength(9) claims for itself is lost with it, so a run of Heartbeats brings the stream back.
    logged_on.peer(*[f"35=0|34={n}" for n in range(2, 20)])
    assert logged_on.session.last_received_boot_ns == logged_on.now.boot_ns
    assert logged_on.is_logged_on()


@case("3.b")
def test_a_wrong_checksum_takes_no_number(logged_on: Play) -> None:
    good = logged_on.message("35=0|34=2", by_peer=True)
    logged_on.bytes_in(good[:-4] + (b"000" if good[-4:-1] != b"000" else b"001") + b"\x01")
    logged_on.says()
    assert logged_on.numbers()[1] == 2
    assert "garbled" in logged_on.notices()
    logged_on.peer("35=0|34=3")
    logged_on.says("35=2|34=2|7=2|16=0")


@case("3.c", "3.e")
@pytest.mark.parametrize("trailer", [b"10=0\x01", b"10=12\x01", b"10=0123\x01", b"10=abc\x01", b"10=", b"11=000\x01"])
def test_a_checksum_of_another_shape_loses_only_its_message(logged_on: Play, trailer: bytes) -> None:
    bad = logged_on.message("35=0|34=2", by_peer=True)[:-7] + trailer
    logged_on.bytes_in(bad + logged_on.message("35=1|34=2|112=behind", by_peer=True))
    logged_on.says("35=0|34=2|112=behind")


def whole(body: str) -> bytes:
    """The message of a body that is written out, whatever it holds."""
    return encode(b"FIX.4.4", body.replace("|", "\x01").encode("latin-1"))


@case("2.d", "14.a")
@pytest.mark.parametrize("msg_type", ["0", "3", "5"])
def test_a_session_message_that_cannot_be_cut_takes_its_number_and_is_acted_on(logged_on: Play, msg_type: str) -> None:
    logged_on.peer(f"35={msg_type}|34=2|45=1|58=bye|4x9=1")
    logged_on.says(*(["35=5|34=2"] if msg_type == "5" else []))
    assert logged_on.numbers()[1] == 3
    (inbound,) = [e for e in logged_on.effects if isinstance(e, Inbound) and e.msg_seq_num == 2]
    assert "no tag at byte" in inbound.wrong and not inbound.rejected
    assert [end.text for end in logged_on.logged_out()] == (["bye"] if msg_type == "5" else [])


@case("2.d", "14.a")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("354=4|355=\xc3\xbcber", "|371=355|372=8|373=6|"),
        ("58=a|b|14=1", "|372=8|373=0|"),
        ("58=a=b|x1=3", "|372=8|373=0|"),
        ("58=a=b|12345678901=3", "|372=8|373=0|"),
        ("95=400|96=x", "|371=96|372=8|373=6|"),
    ],
)
@pytest.mark.parametrize("checked", [True, False])
def test_a_message_that_cannot_be_cut_takes_its_number_and_is_rejected(
    make_play: MakePlay, checked: bool, text: str, said: str
) -> None:
    play = make_play(**({} if checked else {"validate": None}))
    play.connect()
    raw = whole(f"35=8|34=2|49=THEM|52={play.after(0)}|56=US|37=9|{text}|")
    play.peer(LOGON)
    play.sent.clear()
    play.bytes_in(raw)
    (reject,) = [sent.replace(b"\x01", b"|").decode() for sent in play.sent]
    assert "|35=3|34=2|" in reject and "|45=2|58=" in reject and said in reject
    assert (play.inbound(), play.numbers()[1]) == (["A1", "82!"], 3)
    (inbound,) = [e for e in play.effects if isinstance(e, Inbound) and e.msg_seq_num == 2]
    assert inbound.raw == raw and inbound.wrong and inbound.fields is not None and inbound.fields[b"37"] == b"9"


@case("2.d", "8.a")
def test_a_message_that_cannot_be_cut_closes_its_gap(make_play: MakePlay) -> None:
    play = make_play(validate=None)
    play.connect()
    play.peer(LOGON, "35=8|34=3|37=9")
    play.sent.clear()
    stamp = play.after(-1)
    play.bytes_in(whole(f"35=8|34=2|43=Y|49=THEM|52={stamp}|56=US|122={stamp}|37=8|354=1|355=ab|"))
    assert play.inbound() == ["A1", "82!", "83"]
    assert not play.session.recovering


@case("2.m")
def test_a_body_length_too_short_loses_only_its_message(logged_on: Play) -> None:
    good = logged_on.message("35=0|34=2", by_peer=True)
    bad = good.replace(b"\x019=49\x01", b"\x019=30\x01")
    assert bad != good
    logged_on.bytes_in(bad)
    logged_on.peer("35=0|34=2")
    assert logged_on.inbound() == ["A1", "02"]


@case("2.m")
def test_a_body_length_too_long_takes_the_message_that_it_claims_part_of(logged_on: Play) -> None:
    good = logged_on.message("35=0|34=2", by_peer=True)
    logged_on.bytes_in(good.replace(b"\x019=49\x01", b"\x019=63\x01"))
    logged_on.peer("35=0|34=2", "35=0|34=3")
    logged_on.says("35=2|34=2|7=2|16=0")


@case("2.m")
def test_a_zero_padded_body_length_is_a_number(logged_on: Play) -> None:
    good = logged_on.message("35=1|34=2|112=x", by_peer=True)
    padded = good.replace(b"\x019=", b"\x019=000")[:-7]
    logged_on.bytes_in(padded + b"10=%03d\x01" % (sum(padded) & 255))
    logged_on.says("35=0|34=2|112=x")


# -- PossDupFlag(43)


@case("2.e", "admin.dup")
def test_a_duplicate_already_received_is_ignored(logged_on: Play) -> None:
    logged_on.peer("35=0|34=2")
    logged_on.peer(f"35=1|34=2|43=Y|122={logged_on.after(-1)}|112=x")
    logged_on.says()
    assert logged_on.numbers()[1] == 3


@case("2.e")
def test_a_duplicate_not_received_is_taken(logged_on: Play) -> None:
    logged_on.peer(f"35=D|34=2|43=Y|122={logged_on.after(-1)}|{ORDER}")
    assert logged_on.applications() == [2]


@case("2.f")
def test_orig_sending_time_later_than_sending_time_ends_the_session(logged_on: Play) -> None:
    logged_on.peer("35=0|34=2")
    logged_on.peer(f"35=D|34=2|43=Y|122={logged_on.after(10)}|{ORDER}")
    logged_on.says("35=3|34=2|45=2|58=SendingTime accuracy problem|372=D|373=10", "35=5|34=3")
    assert logged_on.numbers()[1] == 3


@case("2.g")
def test_a_duplicate_without_orig_sending_time_is_rejected(logged_on: Play) -> None:
    logged_on.peer("35=0|34=2")
    logged_on.peer(f"35=D|34=2|43=Y|{ORDER}")
    logged_on.says("35=3|34=2|45=2|58=Required tag missing|371=122|372=D|373=1")
    assert logged_on.numbers()[1] == 3
    assert logged_on.applications() == []


@case("2.g", "2.b")
@pytest.mark.parametrize("original", ["", "122=yesterday|"])
def test_a_missed_message_without_a_good_orig_sending_time_is_handed_on(make_play: MakePlay, original: str) -> None:
    play = make_play(sending_time_tolerance_s=0, validate=None)
    play.connect()
    play.peer(LOGON, f"35=D|34=4|{ORDER}", f"35=D|34=3|43=Y|{original}{ORDER}", f"35=D|34=2|43=Y|{original}{ORDER}")
    assert play.applications() == [2, 3, 4]
    play.peer(f"35=D|34=3|43=Y|{original}{ORDER}")
    assert play.applications() == [2, 3, 4], "one that was used is rejected"
    assert sum(b"\x0135=3\x01" in raw for raw in play.sent) == 3


@case("2.g")
def test_a_venue_may_leave_orig_sending_time_out(make_play: MakePlay) -> None:
    play = make_play(requires_orig_sending_time=False)
    play.connect()
    play.peer(LOGON, f"35=D|34=2|43=Y|{ORDER}")
    assert play.applications() == [2]


@case("admin.dup", "resend.dup")
@pytest.mark.parametrize(("msg_type", "body"), [("1", "112=x"), ("2", "7=1|16=0"), ("5", ""), ("0", ""), ("3", "45=1")])
def test_resent_session_messages_count_for_the_numbers_only(logged_on: Play, msg_type: str, body: str) -> None:
    logged_on.peer(f"35={msg_type}|34=2|43=Y|122={logged_on.after(-1)}|{body}")
    logged_on.says()
    assert logged_on.numbers() == (2, 3)
    assert logged_on.is_logged_on()


# -- header fields


@case("2.i")
def test_another_begin_string_inside_a_session_ends_it(logged_on: Play) -> None:
    text = logged_on.message("35=1|34=2|112=x", by_peer=True).replace(b"FIX.4.4", b"FIX.4.1")[:-7]
    logged_on.bytes_in(text + b"10=%03d\x01" % (sum(text) & 255))
    logged_on.says("35=5|34=2|58=Incorrect BeginString")
    logged_on.peer("35=5|34=3")
    logged_on.closes(DisconnectReason.PROTOCOL_ERROR)
    assert logged_on.numbers()[1] == 2


@case("2.k")
@pytest.mark.parametrize("wrong", ["49=WHO", "56=WHOM", "49=WHO|56=WHOM"])
def test_other_comp_ids_inside_a_session_end_it(logged_on: Play, wrong: str) -> None:
    logged_on.peer(f"35=D|34=2|{ORDER}|{wrong}")
    logged_on.says("35=3|34=2|45=2|58=CompID problem|372=D|373=9", "35=5|34=3")
    assert logged_on.inbound() == ["A1", "D2!"]
    logged_on.peer("35=5|34=3")
    logged_on.closes(DisconnectReason.PROTOCOL_ERROR)


@case("2.n", "2.o")
@pytest.mark.parametrize("off_s", [-121.0, 121.0])
def test_a_sending_time_off_ends_the_session(logged_on: Play, off_s: float) -> None:
    logged_on.peer(f"35=0|34=2|52={logged_on.after(off_s)}")
    logged_on.says("35=3|34=2|45=2|58=SendingTime accuracy problem|372=0|373=10", "35=5|34=3")
    assert logged_on.numbers()[1] == 3


@case("2.n")
@pytest.mark.parametrize("off_s", [-119.0, 119.0])
def test_a_sending_time_within_the_tolerance_is_measured(logged_on: Play, off_s: float) -> None:
    logged_on.peer(f"35=0|34=2|52={logged_on.after(off_s)}")
    logged_on.says()
    assert logged_on.session.last_sending_time_offset_ns == int(-off_s * 1e9)


@case("2.o")
def test_the_tolerance_can_be_switched_off(make_play: MakePlay) -> None:
    play = make_play(sending_time_tolerance_s=0)
    play.connect()
    play.peer(f"{LOGON}|52=20010101-00:00:00")
    assert play.is_logged_on()


@case("2.q")
def test_an_unknown_msg_type_is_rejected(logged_on: Play) -> None:
    logged_on.peer("35=*|34=2")
    logged_on.says("35=3|34=2|45=2|58=Invalid MsgType|372=*|373=11")
    assert logged_on.inbound() == ["A1", "*2!"]


@case("2.r")
def test_a_valid_msg_type_is_the_applications_to_refuse(logged_on: Play) -> None:
    logged_on.peer("35=8|34=2|37=i|17=i|150=0|39=0|55=X|54=1|151=1|14=0|6=0.0")
    assert logged_on.applications() == [2]


# -- CheckSum, heartbeats, TestRequest, Reject


@case("4.a")
def test_a_heartbeat_is_sent_when_nothing_else_was(logged_on: Play) -> None:
    logged_on.pass_s(20)
    logged_on.send("8", "37=x|")
    logged_on.says("35=8|34=2|37=x")
    logged_on.peer("35=0|34=2")
    logged_on.pass_s(29.9)
    logged_on.says()
    logged_on.pass_s(0.1)
    logged_on.says("35=0|34=3")


@case("4.b")
def test_a_test_request_is_answered_with_its_id(logged_on: Play) -> None:
    logged_on.peer("35=1|34=2|112=HELLO")
    logged_on.says("35=0|34=2|112=HELLO")


@case("4.b")
def test_a_test_request_without_an_id_is_rejected_without_validation_too(make_play: MakePlay) -> None:
    play = make_play(validate=None)
    play.connect()
    play.peer(LOGON, "35=1|34=2")
    play.says(LOGON, "35=3|34=2|45=2|58=Required tag missing|371=112|372=1|373=1")


@case("5")
def test_a_heartbeat_is_taken(logged_on: Play) -> None:
    logged_on.peer("35=0|34=2", "35=0|34=3|112=nobody asked")
    logged_on.says()
    assert logged_on.inbound() == ["A1", "02", "03"]


@case("6")
def test_silence_is_asked_about_and_then_ends_the_connection(logged_on: Play) -> None:
    logged_on.pass_s(35.9)
    logged_on.sent.clear()
    logged_on.pass_s(0.1)
    logged_on.says("35=1|34=3|112=1-3")
    logged_on.pass_s(35.9)
    assert logged_on.is_logged_on()
    logged_on.pass_s(0.1)
    logged_on.closes(DisconnectReason.HEARTBEAT_TIMEOUT)


@case("6")
def test_any_message_is_a_sign_of_life(logged_on: Play) -> None:
    logged_on.pass_s(36)
    logged_on.peer("35=0|34=2")
    logged_on.sent.clear()
    logged_on.pass_s(35.9)
    assert logged_on.is_logged_on()
    assert not any(b"\x0135=1\x01" in raw for raw in logged_on.sent)


@case("6")
def test_each_silence_gets_an_id_of_its_own(logged_on: Play) -> None:
    logged_on.pass_s(36)
    logged_on.peer("35=0|34=2|112=1-3")
    logged_on.pass_s(36)
    asked = [raw for raw in logged_on.sent if b"\x0135=1\x01" in raw]
    assert len(asked) == 2
    assert len({raw.partition(b"112=")[2].partition(b"\x01")[0] for raw in asked}) == 2


@case("7")
def test_a_reject_is_counted_and_never_answered(logged_on: Play) -> None:
    logged_on.peer("35=3|34=2|45=1")
    logged_on.says()
    assert logged_on.numbers()[1] == 3


# -- ResendRequest(2)


@pytest.fixture
def mixed(logged_on: Play) -> Play:
    """2 to 4 session messages, 5 and 6 the application's, 7 a session message; sent ten seconds ago."""
    logged_on.peer(*[f"35=1|34={n}|112=x" for n in (2, 3, 4)])
    logged_on.send("8", "37=five|")
    logged_on.send("8", "37=six|")
    logged_on.peer("35=1|34=5|112=x")
    logged_on.sent.clear()
    logged_on.pass_s(10)
    return logged_on


@case("8.a", "8.b")
@pytest.mark.parametrize("end", [0, 7, 999999])
def test_a_resend_carries_the_old_number_and_time_and_fills_the_rest(mixed: Play, end: int) -> None:
    then, stamp = mixed.after(-10), mixed.after(0)
    mixed.peer(f"35=2|34=6|7=1|16={end}")
    mixed.says(
        f"35=4|34=1|43=Y|122={stamp}|36=5|123=Y",
        f"35=8|34=5|43=Y|122={then}|37=five",
        f"35=8|34=6|43=Y|122={then}|37=six",
        f"35=4|34=7|43=Y|122={stamp}|36=8|123=Y",
    )
    assert mixed.numbers()[0] == 8


@case("8.b")
def test_session_messages_alone_make_one_gap_fill(mixed: Play) -> None:
    mixed.peer("35=2|34=6|7=2|16=4")
    mixed.says(f"35=4|34=2|43=Y|122={mixed.after(0)}|36=5|123=Y")


@case("8.a")
def test_a_reject_is_resent(logged_on: Play) -> None:
    logged_on.peer("35=*|34=2")
    logged_on.sent.clear()
    then = logged_on.after(0)
    logged_on.pass_s(1)
    logged_on.peer("35=2|34=3|7=2|16=0")
    logged_on.says(f"35=3|34=2|43=Y|122={then}|45=2|58=Invalid MsgType|372=*|373=11")


@case("8.a")
def test_what_the_host_does_not_give_is_filled(mixed: Play) -> None:
    del mixed.stored[6]
    mixed.peer("35=2|34=6|7=5|16=6")
    then, stamp = mixed.after(-10), mixed.after(0)
    mixed.says(f"35=8|34=5|43=Y|122={then}|37=five", f"35=4|34=6|43=Y|122={stamp}|36=7|123=Y")


@case("8.b")
@pytest.mark.parametrize("policy", [SequencePolicy.GAP_FILL_ONLY, SequencePolicy.RESET])
def test_a_policy_that_resends_nothing_fills(make_play: MakePlay, policy: SequencePolicy) -> None:
    play = make_play(sequence_policy=policy)
    play.connect()
    play.peer(LOGON)
    play.send("8", "37=x|")
    play.sent.clear()
    play.peer("35=2|34=2|7=1|16=0")
    play.says(f"35=4|34=1|43=Y|122={play.after(0)}|36=3|123=Y")


@case("resend.released")
def test_the_host_answers_up_to_what_it_has_released(mixed: Play) -> None:
    mixed.resends = False
    mixed.peer("35=2|34=6|7=5|16=0")
    assert mixed.effects[-1] == ResendWanted(5, 7)
    mixed.session.resend(5, 6, [(5, mixed.stored[5])], mixed.now)
    sent = [effect for effect in mixed.session.take_effects() if isinstance(effect, Outbound)]
    assert [(effect.msg_seq_num, effect.msg_type, effect.resent) for effect in sent] == [(5, "8", True), (6, "4", True)]
    assert b"\x0136=7\x01" in sent[1].raw
    mixed.session.resend(7, 7, [], mixed.now)
    with pytest.raises(LocalError, match="not asked for"):
        mixed.session.resend(7, 7, [], mixed.now)


@case("resend.released", "connection.generation")
def test_nothing_is_resent_to_a_connection_that_did_not_ask(mixed: Play) -> None:
    mixed.resends = False
    mixed.peer("35=2|34=6|7=5|16=0")
    mixed.lose()
    mixed.connect()
    mixed.peer("35=A|34=7|98=0|108=30")
    with pytest.raises(LocalError, match="not asked for on this connection"):
        mixed.session.resend(5, 7, [], mixed.now)


@case("resend.bad")
@pytest.mark.parametrize("wanted", ["7=8|16=0", "7=99|16=100", "7=0|16=0", "7=5|16=4"])
def test_a_resend_of_what_was_never_sent_is_rejected(mixed: Play, wanted: str) -> None:
    mixed.peer(f"35=2|34=6|{wanted}")
    assert mixed.sent[0].count(b"\x0135=3\x01") == 1
    assert b"\x01371=7\x01" in mixed.sent[0] and b"\x01373=5\x01" in mixed.sent[0]
    assert mixed.is_logged_on()
    assert ("asks_beyond_sent" in mixed.notices()) == (wanted == "7=99|16=100")


@case("resend.bad")
@pytest.mark.parametrize("wanted", ["7=x|16=0", "16=0", "7=1"])
def test_a_malformed_resend_request_is_rejected_without_validation_too(make_play: MakePlay, wanted: str) -> None:
    play = make_play(validate=None)
    play.connect()
    play.peer(LOGON)
    play.sent.clear()
    play.peer(f"35=2|34=2|{wanted}")
    assert b"\x01373=1\x01" in play.sent[0]
    assert play.numbers()[1] == 3


@case("resend.loop")
def test_a_peer_that_asks_for_the_same_for_ever_is_logged_out(mixed: Play) -> None:
    for n in range(6, 16):
        mixed.peer(f"35=2|34={n}|7=5|16=5")
    assert mixed.is_logged_on()
    mixed.sent.clear()
    mixed.peer("35=2|34=16|7=5|16=5")
    mixed.says("35=5|34=8|58=BeginSeqNo(7)=5 asked for 11 times without progress")
    mixed.pass_s(2)
    mixed.closes(DisconnectReason.RESEND_LOOP)


@case("resend.loop")
def test_a_gap_that_is_never_filled_ends_the_session(logged_on: Play) -> None:
    logged_on.peer("35=0|34=9")
    logged_on.says("35=2|34=2|7=2|16=0")
    for at in (3, 4):
        logged_on.pass_s(10)
        logged_on.says(f"35=2|34={at}|7=2|16=0")
    logged_on.pass_s(10)
    logged_on.says("35=5|34=5|58=MsgSeqNum(34)=2 was asked for 3 times and never came")
    logged_on.pass_s(2)
    logged_on.closes(DisconnectReason.RESEND_LOOP)


@case("resend.loop")
def test_progress_starts_the_count_again(logged_on: Play) -> None:
    logged_on.peer("35=0|34=30")
    for n in range(2, 12):
        logged_on.pass_s(9)
        logged_on.peer(f"35=0|34={n}|43=Y|122={logged_on.after(-1)}")
    assert logged_on.is_logged_on()
    assert sum(b"\x0135=2\x01" in raw for raw in logged_on.sent) == 1


@case("resend.chunk")
def test_a_gap_is_asked_for_in_chunks(make_play: MakePlay) -> None:
    play = make_play(resend_chunk=3)
    play.connect()
    play.peer(LOGON, "35=0|34=10")
    play.says(LOGON, "35=2|34=2|7=2|16=4")
    stamp = play.after(-1)
    play.peer(*[f"35=0|34={n}|43=Y|122={stamp}" for n in (2, 3, 4)])
    play.says("35=2|34=3|7=5|16=7")
    play.peer("35=4|34=5|43=Y|123=Y|36=9")
    play.says("35=2|34=4|7=9|16=9")
    play.peer(f"35=0|34=9|43=Y|122={stamp}")
    play.says()
    assert play.numbers()[1] == 11
    assert not play.session.recovering


@case("resend.chunk")
def test_a_peer_that_leaves_out_the_last_of_each_chunk_is_asked_again_soon(make_play: MakePlay) -> None:
    play = make_play(resend_chunk=3)
    play.connect()
    play.peer(LOGON, "35=0|34=10")
    play.says(LOGON, "35=2|34=2|7=2|16=4")
    play.peer("35=4|34=2|43=Y|123=Y|36=4")
    play.says()
    play.pass_s(0.25)
    play.says("35=2|34=3|7=4|16=6")
    play.peer("35=4|34=4|43=Y|123=Y|36=6")
    play.pass_s(0.25)
    play.says("35=2|34=4|7=6|16=8")


@case("10.c", "resend.chunk")
def test_a_repeated_gap_fill_that_reaches_further_is_taken_while_something_is_missing(make_play: MakePlay) -> None:
    play = make_play()
    play.connect()
    play.peer(LOGON, "35=0|34=10")
    play.peer("35=4|34=2|43=Y|123=Y|36=5", "35=4|34=2|43=Y|123=Y|36=10")
    assert play.numbers()[1] == 11
    assert not play.session.recovering


@case("resend.chunk")
def test_a_gap_fill_beyond_the_chunk_and_onto_the_queue_advances(make_play: MakePlay) -> None:
    play = make_play(resend_chunk=2)
    play.connect()
    play.peer(LOGON, f"35=D|34=6|{ORDER}", f"35=D|34=7|{ORDER}", f"35=D|34=8|{ORDER}")
    play.peer("35=4|34=2|43=Y|123=Y|36=7")
    assert play.applications() == [7, 8]
    assert play.numbers()[1] == 9
    assert not play.session.recovering


@case("resend.pace")
def test_answers_come_in_parts_with_a_pause(make_play: MakePlay) -> None:
    play = make_play(resend_answer_chunk=2, resend_answer_interval_s=0.5)
    play.connect()
    play.peer(LOGON)
    for _ in range(5):
        play.send("8", "37=x|")
    play.sent.clear()
    stamp = play.after(0)
    play.peer("35=2|34=2|7=2|16=0")
    play.says(*[f"35=8|34={n}|43=Y|122={stamp}|37=x" for n in (2, 3)])
    play.pass_s(0.4)
    play.says()
    play.pass_s(0.1)
    assert [raw.split(b"\x01")[3] for raw in play.sent] == [b"34=4", b"34=5"]
    play.pass_s(0.5)
    assert [raw.split(b"\x01")[3] for raw in play.sent] == [b"34=4", b"34=5", b"34=6"]
    play.pass_s(5)
    assert len(play.sent) == 3


# -- gaps


@case("gap.bounded")
def test_the_queue_behind_a_gap_is_bounded_and_the_rest_is_asked_for_again(make_play: MakePlay) -> None:
    play = make_play(max_pending_messages=2)
    play.connect()
    play.peer(LOGON, *[f"35=D|34={n}|{ORDER}" for n in range(3, 9)])
    play.says(LOGON, "35=2|34=2|7=2|16=0")
    stamp = play.after(-1)
    play.peer(f"35=D|34=2|43=Y|122={stamp}|{ORDER}")
    assert play.applications() == [2, 3, 4]
    play.says("35=2|34=3|7=5|16=0")
    play.peer(*[f"35=D|34={n}|43=Y|122={stamp}|{ORDER}" for n in range(5, 9)])
    assert play.applications() == list(range(2, 9))
    assert not play.session.recovering


@case("gap.off")
def test_a_venue_that_cannot_resend_makes_a_gap_final(make_play: MakePlay) -> None:
    play = make_play(allow_resend_request=False)
    play.connect()
    play.peer(LOGON, "35=0|34=4")
    play.says(LOGON, "35=5|34=2|58=MsgSeqNum(34)=4 but 2 was expected, and nothing can be resent here")
    play.pass_s(2)
    play.closes(DisconnectReason.SEQUENCE_GAP)


@case("gap.lost", "connection.generation")
def test_a_gap_is_asked_for_again_after_the_next_logon(logged_on: Play) -> None:
    logged_on.peer("35=0|34=5")
    logged_on.says("35=2|34=2|7=2|16=0")
    logged_on.lose()
    assert not logged_on.session.recovering
    logged_on.connect()
    logged_on.peer("35=A|34=6|98=0|108=30")
    logged_on.says("35=A|34=3|98=0|108=30", "35=2|34=4|7=2|16=0")


@case("20")
def test_a_resend_request_too_high_is_answered_before_our_own_gap_and_once(mixed: Play) -> None:
    mixed.peer("35=2|34=9|7=5|16=5")
    # ResendWanted comes first, the host's answer to it behind what the session had to say itself.
    mixed.says("35=2|34=8|7=6|16=0", f"35=8|34=5|43=Y|122={mixed.after(-10)}|37=five")
    mixed.peer("35=4|34=6|43=Y|123=Y|36=9")
    mixed.says()
    assert mixed.numbers()[1] == 10
    assert mixed.inbound()[-1] == "29"


# -- SequenceReset(4)


@case("10.a")
def test_a_gap_fill_too_high_is_kept_and_asked_about(logged_on: Play) -> None:
    logged_on.peer("35=4|34=5|123=Y|36=9")
    logged_on.says("35=2|34=2|7=2|16=0")
    logged_on.peer("35=4|34=2|43=Y|123=Y|36=5")
    assert logged_on.numbers()[1] == 9


@case("10.b")
def test_a_gap_fill_as_expected_jumps(logged_on: Play) -> None:
    logged_on.peer("35=4|34=2|123=Y|36=20", "35=1|34=20|112=x")
    logged_on.says("35=0|34=2|112=x")
    assert logged_on.numbers_set() == [NumbersSet(2, 20, NumbersReason.GAP_FILL)]


@case("10.c")
def test_a_gap_fill_too_low_with_the_flag_is_ignored(logged_on: Play) -> None:
    logged_on.peer(f"35=4|34=1|43=Y|122={logged_on.after(-1)}|123=Y|36=20", "35=1|34=2|112=x")
    logged_on.says("35=0|34=2|112=x")


@case("10.d")
def test_a_gap_fill_too_low_ends_the_session(logged_on: Play) -> None:
    logged_on.peer("35=4|34=1|123=Y|36=20")
    logged_on.says("35=5|34=2|58=MsgSeqNum too low, expecting 2 but received 1")


@case("10.e")
@pytest.mark.parametrize("new", [1, 2])
def test_a_gap_fill_that_does_not_advance_is_rejected(logged_on: Play, new: int) -> None:
    logged_on.peer(f"35=4|34=2|123=Y|36={new}")
    text = f"Value is incorrect (out of range) for this tag, NewSeqNo(36)={new}"
    logged_on.says(f"35=3|34=2|45=2|58={text}|372=4|373=5")
    assert logged_on.numbers()[1] == 2


@case("9", "11.a")
@pytest.mark.parametrize("flag", ["", "|123=N"])
def test_a_reset_upwards_is_obeyed_whatever_its_own_number(logged_on: Play, flag: str) -> None:
    logged_on.peer(f"35=4|34=0|36=25{flag}", "35=1|34=25|112=x")
    logged_on.says("35=0|34=2|112=x")
    assert logged_on.numbers_set() == [NumbersSet(2, 25, NumbersReason.SEQUENCE_RESET)]


@case("9", "11.a")
def test_a_reset_takes_what_is_queued_behind_it(logged_on: Play) -> None:
    logged_on.peer(f"35=D|34=5|{ORDER}", f"35=D|34=7|{ORDER}", "35=4|34=0|36=5")
    assert logged_on.applications() == [5]
    assert logged_on.numbers()[1] == 6


@case("11.b")
def test_a_reset_to_the_expected_number_is_noted_only(logged_on: Play) -> None:
    logged_on.peer("35=4|34=0|36=2")
    logged_on.says()
    assert logged_on.numbers() == (2, 2)
    assert "reset_without_effect" in logged_on.notices()


@case("11.c")
def test_a_reset_downwards_is_rejected_and_takes_no_number(logged_on: Play) -> None:
    logged_on.peer("35=0|34=2", "35=4|34=0|36=1")
    text = "Value is incorrect (out of range) for this tag, NewSeqNo(36)=1, expecting 3"
    logged_on.says(f"35=3|34=2|45=0|58={text}|372=4|373=5")
    assert logged_on.numbers()[1] == 3


@case("11.c")
@pytest.mark.parametrize("body", ["35=4|34=2", "35=4|34=2|123=Y", "35=4|34=2|36=x"])
def test_a_sequence_reset_without_a_number_is_rejected_without_validation_too(make_play: MakePlay, body: str) -> None:
    play = make_play(validate=None)
    play.connect()
    play.peer(LOGON)
    play.sent.clear()
    play.peer(body)
    play.says("35=3|34=2|45=2|58=Required tag missing|371=36|372=4|373=1")


# -- Logout(5)


@case("2.b", "2.c", "13.b")
@pytest.mark.parametrize(("number", "resends"), [(9, True), (9, False), (1, True)])
def test_the_reason_in_a_logout_under_an_unexpected_number_is_told(
    make_play: MakePlay, number: int, resends: bool
) -> None:
    play = make_play(allow_resend_request=resends)
    play.connect()
    play.peer(LOGON, f"35=5|34={number}|58=MsgSeqNum too low, expecting 7")
    play.pass_s(3)
    assert [end.text for end in play.logged_out()] == ["MsgSeqNum too low, expecting 7"]


@case("12", "13.a")
def test_our_logout_waits_for_the_answer_and_we_close(logged_on: Play) -> None:
    logged_on.logout("end of day")
    logged_on.says("35=5|34=2|58=end of day")
    with pytest.raises(NotLoggedOnError):
        logged_on.send("8", "37=x|")
    logged_on.peer(f"35=D|34=2|{ORDER}")
    assert logged_on.applications() == [2]
    logged_on.peer("35=5|34=3")
    assert logged_on.logged_out() == [LoggedOut("", False)]
    logged_on.closes(DisconnectReason.LOGOUT_COMPLETE)


@case("12", "8.a")
def test_resends_are_answered_while_we_wait_for_the_answer_to_our_logout(logged_on: Play) -> None:
    logged_on.send("8", "37=x|")
    logged_on.logout()
    logged_on.sent.clear()
    logged_on.peer("35=2|34=2|7=2|16=2")
    logged_on.says(f"35=8|34=2|43=Y|122={logged_on.after(0)}|37=x")


@case("12", "logout.time")
def test_a_logout_that_is_not_answered_closes_in_time(logged_on: Play) -> None:
    logged_on.logout()
    logged_on.pass_s(1.9)
    assert logged_on.session.state is SessionState.LOGOUT_SENT
    logged_on.pass_s(0.1)
    logged_on.closes(DisconnectReason.LOGOUT_TIMEOUT)


@case("13.b", "logout.time")
def test_the_peers_logout_is_answered_and_the_peer_closes(logged_on: Play) -> None:
    logged_on.peer("35=5|34=2|58=bye")
    logged_on.says("35=5|34=2")
    assert logged_on.logged_out() == [LoggedOut("bye", True)]
    logged_on.lose()
    assert logged_on.session.state is SessionState.DISCONNECTED


@case("13.b", "logout.time")
def test_a_peer_that_logs_out_and_stays_is_closed(logged_on: Play) -> None:
    logged_on.peer("35=5|34=2")
    logged_on.pass_s(2)
    logged_on.closes(DisconnectReason.LOGOUT_COMPLETE)


@case("logout.high")
def test_a_logout_too_high_waits_for_the_gap(logged_on: Play) -> None:
    logged_on.peer("35=5|34=4")
    logged_on.says("35=2|34=2|7=2|16=0")
    logged_on.peer("35=4|34=2|43=Y|123=Y|36=4")
    logged_on.says("35=5|34=3")
    assert logged_on.numbers()[1] == 5


@case("logout.high", "logout.time")
def test_a_logout_too_high_does_not_wait_for_ever(logged_on: Play) -> None:
    logged_on.peer("35=5|34=4")
    logged_on.says("35=2|34=2|7=2|16=0")
    logged_on.pass_s(2)
    logged_on.says("35=5|34=3")
    assert logged_on.numbers()[1] == 2
    logged_on.pass_s(2)
    logged_on.closes(DisconnectReason.LOGOUT_COMPLETE)


# -- Reject(3): the dictionary's word inside a session; every kind is in test_validation


@case("14.a", "14.b", "14.c", "14.d", "14.e", "14.f", "14.g", "14.h", "14.i", "14.j", "14.k")
@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ("35=0|34=2|999=HI", "58=Invalid tag number|371=999|372=0|373=0"),
        ("35=0|34=2|-1=HI", "58=Invalid tag number|371=-1|372=0|373=0"),
        ("35=0|34=2|-56", "58=Required tag missing|371=56|372=0|373=1"),
        ("35=D|34=2|40=1|60=20260101-00:00:00|54=1", "58=Required tag missing|371=11|372=D|373=1"),
        ("35=0|34=2|55=X", "58=Tag not defined for this message type|371=55|372=0|373=2"),
        ("35=0|34=2|56=", "58=Tag specified without a value|371=56|372=0|373=4"),
        (f"35=D|34=2|{ORDER}|21=4", "58=Value is incorrect (out of range) for this tag|371=21|372=D|373=5"),
        (f"35=D|34=2|{ORDER}|99=+1", "58=Incorrect data format for value|371=99|372=D|373=6"),
        (f"35=D|34=2|{ORDER}|115=X", "58=Tag specified out of required order|371=115|372=D|373=14"),
        (f"35=D|34=2|{ORDER}|40=1", "58=Tag appears more than once|371=40|372=D|373=13"),
        (
            f"35=D|34=2|{ORDER}|386=3|336=A|336=B",
            "58=Incorrect NumInGroup count for repeating group|371=386|372=D|373=16",
        ),
        (
            f"35=D|34=2|{ORDER}|386=1|625=B|336=A",
            "58=Repeating group fields out of order|371=625|372=D|373=15",
        ),
    ],
)
def test_an_invalid_message_is_rejected_and_takes_its_number(logged_on: Play, body: str, answer: str) -> None:
    logged_on.peer(body)
    if "|115=X" in body:
        # The way back is given even where its field stood in the wrong place.
        logged_on.says(f"35=3|34=2|128=X|45=2|{answer}")
    else:
        logged_on.says(f"35=3|34=2|45=2|{answer}")
    assert logged_on.inbound()[-1].endswith("2!")
    assert logged_on.numbers()[1] == 3


@case("14.b")
def test_an_invalid_message_that_was_not_expected_takes_no_number(logged_on: Play) -> None:
    logged_on.peer("35=0|34=7|999=HI")
    logged_on.says("35=3|34=2|45=7|58=Invalid tag number|371=999|372=0|373=0")
    assert logged_on.numbers()[1] == 2


@case("14.f", "2.e")
def test_a_resent_message_that_is_invalid_fills_its_place(logged_on: Play) -> None:
    logged_on.peer("35=1|34=3|112=HELLO")
    logged_on.says("35=2|34=2|7=2|16=0")
    logged_on.peer(f"35=D|34=2|43=Y|122={logged_on.after(-1)}|{ORDER}|99=x")
    answer = "45=2|58=Incorrect data format for value|371=99|372=D|373=6"
    logged_on.says(f"35=3|34=3|{answer}", "35=0|34=4|112=HELLO")
    assert logged_on.numbers()[1] == 4


@case("fix42.373")
def test_fix_4_2_knows_reject_reasons_up_to_11(make_play: MakePlay) -> None:
    play = make_play(begin_string="FIX.4.2", validate=VALIDATOR)
    play.connect()
    play.peer(LOGON, f"35=D|34=2|{ORDER}|40=1", "35=*|34=3")
    play.says(
        LOGON,
        "35=3|34=2|45=2|58=Tag appears more than once|371=40|372=D",
        "35=3|34=3|45=3|58=Invalid MsgType|372=*|373=11",
    )


@case("15")
def test_the_order_of_fields_inside_header_and_body_is_free(logged_on: Play) -> None:
    body = f"35=D|49=THEM|34=2|56=US|52={logged_on.after(0)}|40=1|55=X|60=20260101-00:00:00|54=1|11=a|"
    raw = body.replace("|", "\x01").encode()
    head = b"8=FIX.4.4\x019=%d\x01%b" % (len(raw), raw)
    logged_on.bytes_in(head + b"10=%03d\x01" % (sum(head) & 255))
    assert logged_on.applications() == [2]


@case("18")
def test_a_reject_goes_back_the_way_it_came(logged_on: Play) -> None:
    text = "45=2|58=Value is incorrect (out of range) for this tag|371=40|372=D|373=5"
    order = "11=a|54=1|38=1|40=w|55=X|60=20260101-00:00:00"
    logged_on.peer(f"35=D|34=2|115=DESK|116=JO|144=CHI|{order}")
    logged_on.says(f"35=3|34=2|128=DESK|129=JO|145=CHI|{text}")
    logged_on.peer(f"35=D|34=3|128=DESK|129=JO|145=CHI|{order}")
    logged_on.says(f"35=3|34=3|115=DESK|116=JO|144=CHI|{text.replace('45=2', '45=3')}")


@case("18", "14.d")
def test_an_empty_routing_field_is_not_turned_round(logged_on: Play) -> None:
    logged_on.peer(f"35=D|34=2|115=DESK|116=|{ORDER}")
    logged_on.says("35=3|34=2|128=DESK|45=2|58=Tag specified without a value|371=116|372=D|373=4")


# -- sending


@case("16.a")
def test_nothing_is_queued_while_disconnected(make_play: MakePlay) -> None:
    play = make_play()
    with pytest.raises(NotLoggedOnError, match="there is no connection"):
        play.send("8", "37=x|")
    play.connect()
    with pytest.raises(NotLoggedOnError, match="waits for Logon"):
        play.send("8", "37=x|")
    assert play.numbers() == (1, 1)


@case("16.b", "connection.generation")
def test_after_a_reconnect_numbers_go_on_and_nothing_old_is_sent(logged_on: Play) -> None:
    logged_on.send("8", "37=x|")
    logged_on.lose()
    logged_on.sent.clear()
    logged_on.connect()
    logged_on.says()
    logged_on.peer("35=A|34=2|98=0|108=30")
    logged_on.says("35=A|34=3|98=0|108=30")
    assert logged_on.session.connection == 2
    assert logged_on.send("8", "37=y|") == 4


@case("19.a", "19.b")
def test_poss_resend_is_the_applications_to_judge(logged_on: Play) -> None:
    logged_on.peer(f"35=D|34=2|97=Y|{ORDER}", f"35=D|34=3|97=Y|{ORDER}")
    assert logged_on.applications() == [2, 3]


@case("logon.1137")
def test_fixt_needs_default_appl_ver_id(make_play: MakePlay) -> None:
    play = make_play(begin_string="FIXT.1.1", default_appl_ver_id="9", validate=None)
    play.connect()
    play.peer(LOGON)
    play.says("35=5|34=1|58=Required tag missing, DefaultApplVerID(1137)")
    play.closes(DisconnectReason.LOGON_INVALID)
    play.lose()
    play.connect()
    play.peer(f"{LOGON}|1137=9")
    play.says("35=A|34=2|98=0|108=30|1137=9")
    assert play.is_logged_on()


@case("1S.d", "connection.generation")
def test_what_comes_behind_the_end_is_not_read(logged_on: Play) -> None:
    logged_on.peer("35=5|34=2")
    logged_on.pass_s(2)
    logged_on.sent.clear()
    logged_on.peer(f"35=D|34=3|{ORDER}")
    logged_on.says()
    assert logged_on.applications() == []


@pytest.mark.parametrize("asked", ["7=1|16=0", "7=1|16=3"])
def test_more_at_once_than_is_resent_is_rejected_and_less_is_answered_then(make_play: MakePlay, asked: str) -> None:
    play = make_play(max_resend_range=2)
    play.connect()
    play.peer(LOGON)
    play.peer("35=1|34=2|112=a")
    play.peer("35=1|34=3|112=b")
    play.says(LOGON, "35=0|34=2|112=a", "35=0|34=3|112=b")
    play.peer(f"35=2|34=4|{asked}")
    text = "Value is incorrect (out of range) for this tag, at most 2 at once"
    play.says(f"35=3|34=4|45=4|58={text}|371=16|372=2|373=5")
    play.peer("35=2|34=5|7=1|16=2")
    play.says("35=4|34=1|43=Y|122=20260101-00:00:00.000|36=3|123=Y")

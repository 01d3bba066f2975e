"""A session without a dictionary: what it demands all the same, and what it leaves out."""

import pytest

from common.fix.session_types import Outbound
from tests.common.fix.conftest import MakePlay
from tests.common.fix.harness import LOGON, Play


@pytest.fixture
def unchecked(make_play: MakePlay) -> Play:
    play = make_play(validate=None)
    play.connect()
    play.peer(LOGON)
    play.says(LOGON)
    return play


@pytest.mark.parametrize("tag", [49, 56, 52])
def test_a_header_without_a_field_is_rejected_by_its_tag(unchecked: Play, tag: int) -> None:
    unchecked.peer(f"35=0|34=2|-{tag}")
    unchecked.says(f"35=3|34=2|45=2|58=Required tag missing|371={tag}|372=0|373=1")
    assert unchecked.is_logged_on() and unchecked.numbers() == (3, 3)


def test_without_an_interval_there_is_no_heartbeat_and_no_question(make_play: MakePlay) -> None:
    play = make_play()
    play.connect()
    play.peer("35=A|34=1|98=0|108=0")
    play.says("35=A|34=1|98=0|108=0")
    play.pass_s(600)
    play.says()
    assert play.is_logged_on() and play.numbers() == (2, 2)
    play.peer("35=1|34=2|112=there")
    play.says("35=0|34=2|112=there")


def test_stored_messages_outside_what_is_answered_are_left_out(unchecked: Play) -> None:
    for _ in range(3):
        unchecked.send("B", "148=x|33=1|58=y|")
    unchecked.says(*(f"35=B|34={number}|148=x|33=1|58=y" for number in (2, 3, 4)))
    unchecked.resends = False
    unchecked.peer("35=2|34=2|7=3|16=3")
    unchecked.session.resend(3, 3, sorted(unchecked.stored.items()), unchecked.now)
    again = [effect for effect in unchecked.session.take_effects() if isinstance(effect, Outbound)]
    assert [(effect.msg_seq_num, effect.msg_type, effect.resent) for effect in again] == [(3, "B", True)]

"""The header's four fields stand in the order that the settings say, in every message, and all else is as it was."""

import itertools

import pytest

from common.fix.errors import SettingsError
from common.fix.session_types import HEADER_ORDER, SessionSettings
from common.fix.wire import pairs
from tests.common.fix.conftest import MakePlay
from tests.common.fix.harness import LOGON, ORDER, Play

ORDERS = list(itertools.permutations(HEADER_ORDER))


def heads(play: Play) -> list[list[int]]:
    """The tags of each message that was sent, as far as the header's last field."""
    return [[int(tag) for tag, _ in pairs(raw)][2:7] for raw in play.sent]


@pytest.mark.parametrize("order", ORDERS)
def test_every_message_has_the_order_of_the_settings(make_play: MakePlay, order: tuple[int, ...]) -> None:
    play = make_play(initiator=True, header_order=order, header_fields=b"50=100%d\x01", sender_comp_id="U%bS")
    play.connect()
    play.peer("35=A|34=1|56=U%bS|98=0|108=30")
    play.send("D", f"{ORDER}|")
    assert heads(play) == [[35, *order]] * 2
    fields = dict(pairs(play.sent[1]))
    assert (fields[b"49"], fields[b"56"], fields[b"50"], fields[b"34"]) == (b"U%bS", b"THEM", b"100%d", b"2")


@pytest.mark.parametrize("order", ORDERS)
def test_what_is_sent_again_says_so_behind_its_number_and_when_behind_the_header(
    make_play: MakePlay, order: tuple[int, ...]
) -> None:
    play = make_play(header_order=order)
    play.connect()
    play.peer(LOGON)
    play.send("D", f"{ORDER}|")
    play.send("D", f"{ORDER}|")
    play.stored.pop(3, None)
    play.sent.clear()
    play.peer("35=2|34=2|7=1|16=0")
    expected = [35]
    for tag in order:
        expected += [34, 43] if tag == 34 else [tag]
    told = [[int(tag) for tag, _ in pairs(raw)][2:9] for raw in play.sent]
    assert told and all(tags == [*expected, 122] for tags in told)
    assert {dict(pairs(raw))[b"35"] for raw in play.sent} >= {b"4"}


@pytest.mark.parametrize("order", [(), (34, 49, 52), (34, 49, 52, 52), (34, 49, 52, 56, 50)])
def test_an_order_that_lacks_one_or_has_more_is_refused(order: tuple[int, ...]) -> None:
    with pytest.raises(SettingsError, match="header_order"):
        SessionSettings(sender_comp_id="A", target_comp_id="B", initiator=True, header_order=order)


def test_fields_of_application_messages_stand_in_front_of_their_own_and_in_no_other(make_play: MakePlay) -> None:
    play = make_play(initiator=True, application_fields=b"1=100%d\x01", says_no_reset=True)
    play.connect()
    play.peer("35=A|34=1|98=0|108=30")
    play.send("D", f"{ORDER}|")
    play.session.send("1", b"112=x\x01", play.now)
    play._carry_out()
    logon, order, question = play.sent[:3]
    assert b"\x011=100%d\x0111=" in order and b"\x011=" not in logon and b"\x011=" not in question
    assert b"\x01141=N\x01" in logon, "an initiator that resets nothing may say so"


def test_who_resets_says_nothing_else(make_play: MakePlay) -> None:
    play = make_play(initiator=True, reset_on_logon=True, says_no_reset=True)
    play.connect()
    assert b"\x01141=Y\x01" in play.sent[0] and b"141=N" not in play.sent[0]

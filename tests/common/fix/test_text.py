"""FIX for people. Invariant: whatever the separator and however the text is cut, the messages in it are found, each
once; no secret is shown.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.fix.dictionary import Dictionary
from common.fix.text import Finder, Found, masked, meaning_in_words, pretty, pretty_lines
from common.fix.wire import encode
from tests.common.fix.strategies import cuts, pieces

ORDER = encode(b"FIX.4.4", b"35=D\x0134=5\x0111=x\x0154=1\x0138=1.5\x0118=1 6\x0155=BTC\x015001=?\x01")
PARTIES = encode(b"FIX.4.4", b"35=D\x0111=x\x01453=2\x01448=P\x01802=1\x01523=s\x01448=Q\x0154=2\x01")
LOGON = encode(b"FIX.4.4", b"35=A\x0195=3\x0196=a\x01b\x01553=key-12345\x01554=hunter2\x0158=signature\x01")


def test_one_line() -> None:
    assert pretty(ORDER) == (
        "NewOrderSingle(D) MsgSeqNum(34)=5 ClOrdID(11)=x Side(54)=1 (Buy) OrderQty(38)=1.5 "
        "ExecInst(18)=1 6 (Not Held, Participate Do Not Initiate) Symbol(55)=BTC (5001)=?"
    )


def test_several_lines_with_groups_indented() -> None:
    assert pretty_lines(PARTIES) == [
        "NewOrderSingle(D)",
        "  BeginString(8)          FIX.4.4",
        "  BodyLength(9)           45",
        "  MsgType(35)             D (New Order Single)",
        "  ClOrdID(11)             x",
        "  NoPartyIDs(453)         2",
        "    - PartyID(448)        P",
        "      NoPartySubIDs(802)  1",
        "      - PartySubID(523)   s",
        "    - PartyID(448)        Q",
        "  Side(54)                2 (Sell)",
        "  CheckSum(10)            153",
    ]


@pytest.mark.parametrize("shown", [pretty(LOGON), "\n".join(pretty_lines(LOGON)), masked(LOGON).decode()])
def test_secrets_never_come_out(shown: str) -> None:
    for secret in ("hunter2", "12345", "signature", "a|b", "a\x01b"):
        assert secret not in shown
    assert "key-***" in shown


def test_a_venues_names_are_used() -> None:
    venue = Dictionary.load("FIX44").with_additions({"fields": {"5001": {"name": "Desk", "type": "STRING"}}})
    assert pretty(ORDER, venue).endswith("Desk(5001)=?")


@pytest.mark.parametrize("raw", [b"", b"nonsense", b"8=FIX.4.4\x01", b"\xff\x00=\x01"])
def test_what_is_no_message_is_said_to_be_garbled(raw: bytes) -> None:
    assert pretty(raw).startswith(f"garbled, {len(raw)} bytes")
    assert pretty_lines(raw)[0].startswith(f"garbled, {len(raw)} bytes")


def test_meanings_in_words() -> None:
    assert meaning_in_words("GOOD_TILL_CANCEL") == "Good Till Cancel"
    assert meaning_in_words("BUY") == "Buy"


@pytest.mark.parametrize("separator", [b"\x01", b"|", b"^A", b"<SOH>"])
@given(sizes=cuts)
def test_messages_are_found_in_text_however_it_is_cut(separator: bytes, sizes: list[int]) -> None:
    text = (
        b"12:00 out <- " + ORDER.replace(b"\x01", separator) + b"\njunk\n" + PARTIES.replace(b"\x01", separator) + b"\n"
    )
    finder = Finder()
    found = [one for piece in pieces(text, sizes) for one in finder.feed(piece)] + finder.close()
    assert found == [Found("12:00 out <-", ORDER), Found("", PARTIES)]


def test_binary_capture_without_lines_is_understood() -> None:
    finder = Finder()
    assert [found.raw for found in finder.feed(ORDER + LOGON + PARTIES)] == [ORDER, LOGON, PARTIES]


@pytest.mark.parametrize("separator", [b"\x01", b"|"])
def test_a_message_cut_short_does_not_hide_the_next(separator: bytes) -> None:
    finder = Finder()
    text = ORDER[:30].replace(b"\x01", separator) + b"\n" + PARTIES.replace(b"\x01", separator) + b"\n"
    found = [one.raw for one in finder.feed(text) + finder.close()]
    assert len(found) == 2 and found[1] == PARTIES


def test_a_value_may_hold_the_separator_where_no_tag_follows() -> None:
    finder = Finder()
    (found,) = finder.feed(b"8=FIX.4.4|9=1|35=D|58=a|b|10=000|\n")
    assert b"58=a|b\x01" in found.raw


def test_the_last_line_needs_no_end() -> None:
    finder = Finder()
    assert finder.feed(b"8=FIX.4.4|9=1|35=D|10=000") == []
    assert [found.raw for found in finder.close()] == [b"8=FIX.4.4\x019=1\x0135=D\x0110=000\x01"]


def test_a_message_that_never_ends_does_not_fill_the_memory_and_hides_nothing_behind_it() -> None:
    finder = Finder()
    assert finder.feed(b"8=FIX.4.4|9=1|58=" + b"x" * (3 << 20)) == []
    assert finder.feed(b"xx\n" + ORDER.replace(b"\x01", b"|") + b"\n") == [Found("", ORDER)]


@given(st.binary(max_size=300), cuts)
def test_any_bytes_are_looked_through(data: bytes, sizes: list[int]) -> None:
    finder = Finder()
    for piece in pieces(b"8=FIX.4.4|9=1|" + data, sizes):
        finder.feed(piece)
    for found in finder.close():
        pretty(found.raw)


@pytest.mark.parametrize("behind", ["]", ")", "}", "<", ">", ";", '"', ",", " "])
def test_what_stands_behind_a_message_is_none_of_it(behind: str) -> None:
    raw = encode(b"FIX.4.4", b"35=0\x0134=2\x01")
    text = raw.replace(b"\x01", b"|").rstrip(b"|") + behind.encode() + b" and more\n"
    assert [found.raw for found in Finder().feed(text)] == [raw]


def test_a_message_that_names_no_version_is_shown_by_the_usual_dictionary() -> None:
    raw = ORDER.replace(b"8=FIX.4.4", b"88=FIX.4.4", 1)
    assert "ClOrdID(11)=x" in pretty(raw) and any("ClOrdID(11)" in line for line in pretty_lines(raw))

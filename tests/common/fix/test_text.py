"""FIX for people. Invariant: whatever the separator and however the text is cut, the messages in it are found, each
once; no secret is shown.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.fix.dictionary import Dictionary
from common.fix.text import (
    Finder,
    Found,
    cut_text,
    dictionary_for,
    masked,
    meaning_in_words,
    pretty,
    pretty_lines,
    version_of,
    whole_fields,
)
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


FORMS = [b"\x01", b"|", b"^A", b"<SOH>", b"\\u0001", b"\\x01", b";", b" | ", "\u2401".encode()]
XML = b"212=%d\x01213=%b\x01"
NEWS = encode(b"FIX.4.4", b"35=n\x0134=7\x01" + XML % (len(ORDER), ORDER))
LINES = encode(b"FIX.4.4", b"35=B\x0134=8\x01148=one\x0158=first\n12:00 second\nthird\x01354=3\x01355=a\nb\x01")


@pytest.mark.parametrize("separator", FORMS)
@given(sizes=cuts)
def test_body_length_ends_a_message_whatever_stands_in_it(separator: bytes, sizes: list[int]) -> None:
    text = b"".join(b"at " + raw.replace(b"\x01", separator) + b"\n" for raw in (NEWS, LINES, ORDER))
    finder = Finder()
    found = [one for piece in pieces(text, sizes) for one in finder.feed(piece)] + finder.close()
    assert found == [Found("at", NEWS), Found("at", LINES), Found("at", ORDER)]
    assert finder.unread == 0


@pytest.mark.parametrize("separator", FORMS)
def test_body_length_ends_the_last_message_too(separator: bytes) -> None:
    finder = Finder()
    text = NEWS.replace(b"\x01", separator).removesuffix(separator)
    assert finder.feed(text) + finder.close() == [Found("", NEWS)]


def test_a_data_field_keeps_the_separators_that_it_held() -> None:
    inner = ORDER.replace(b"\x01", b"|")
    raw = encode(b"FIX.4.4", b"35=n\x0134=7\x01" + XML % (len(inner), inner))
    assert [found.raw for found in Finder().feed(raw.replace(b"\x01", b"|") + b"\n")] == [raw]


def test_a_body_length_that_points_nowhere_leaves_the_end_to_the_check_sum_or_the_line() -> None:
    finder = Finder()
    wrong = ORDER.replace(b"9=", b"9=9", 1)
    text = wrong.replace(b"\x01", b"|") + b"\r\n" + wrong[:40] + b"\nat " + ORDER + b"x" * 2000
    found = finder.feed(text) + finder.close()
    assert found == [Found("", wrong), Found("", wrong[:40] + b"\x01"), Found("at", ORDER)]


@pytest.mark.parametrize("text", [b"8 = FIX.4.4, 9 = 10, 35 = D", b"8=FIX.4.4\n9=10\n35=D\n", b"8=FIX.4.4 then 9=10"])
@given(sizes=cuts)
def test_what_begins_like_a_message_and_is_in_no_known_form_is_counted(text: bytes, sizes: list[int]) -> None:
    finder = Finder()
    text = text.replace(b"then", b"and a long way to")
    found = [one for piece in pieces(text, sizes) for one in finder.feed(piece)] + finder.close()
    assert (found, finder.unread) == ([], 1)


@given(sizes=cuts)
def test_a_version_in_prose_is_no_message(sizes: list[int]) -> None:
    finder = Finder()
    text = b"logging on with 8=FIX.4.4\nto 8=FIX.4.4, then\n" + ORDER + b"\n8=FIX.4.4\n"
    found = [one for piece in pieces(text, sizes) for one in finder.feed(piece)] + finder.close()
    assert (found, finder.unread) == ([Found("", ORDER)], 0)


def test_a_byte_order_mark_is_no_part_of_what_stands_before_a_message() -> None:
    assert Finder().feed(b"\xef\xbb\xbfat " + ORDER) == [Found("at", ORDER)]


def test_a_cut_message_is_said_to_be_cut_and_shown_up_to_its_last_whole_field() -> None:
    assert cut_text(ORDER) == cut_text(NEWS) == ""
    finder = Finder()
    (found,) = finder.feed(ORDER[:35].replace(b"\x01", b"|") + b"\n") + finder.close()
    assert cut_text(found.raw) == "cut: no CheckSum(10) at its end"
    side = ORDER.index(b"54=")
    assert whole_fields(ORDER[: side + 1]) == ORDER[:side] and pretty(ORDER[:side]).endswith("ClOrdID(11)=x")
    assert whole_fields(ORDER) == ORDER
    assert cut_text(ORDER.replace(b"38=1.5\x01", b"")) == "cut: 7 bytes fewer than BodyLength(9)=48"


@pytest.mark.parametrize(
    ("begin_string", "version", "own"),
    [
        ("FIX.4.0", "FIX.4.2", False),
        ("FIX.4.1", "FIX.4.2", False),
        ("FIX.4.2", "FIX.4.2", True),
        ("FIX.4.3", "FIX.4.4", False),
        ("FIX.4.4", "FIX.4.4", True),
        ("FIX.5.0", "FIX.5.0SP2", False),
        ("FIX.5.0SP2", "FIX.5.0SP2", True),
        ("FIXT.1.1", "FIX.5.0SP2", True),
    ],
)
def test_a_version_without_a_dictionary_is_read_by_the_nearest(begin_string: str, version: str, own: bool) -> None:
    assert dictionary_for(begin_string).version == version
    assert (version_of(begin_string) == version) == own


@pytest.mark.parametrize("separator", FORMS)
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


@given(st.sampled_from(FORMS), st.binary(max_size=300), cuts)
def test_any_bytes_are_looked_through(separator: bytes, data: bytes, sizes: list[int]) -> None:
    finder = Finder()
    head = b"8=FIX.4.4|9=20|".replace(b"|", separator)
    found = [one for piece in pieces(head + data, sizes) for one in finder.feed(piece)] + finder.close()
    assert found
    for one in found:
        pretty(whole_fields(one.raw))


SPOILS = st.sampled_from([(b"", b""), (b"9=", b"9=1"), (b"FIX.4.4", b"FIX.9"), (b"10=", b""), (b"34=5\x01", b"34")])
LOG_LINES = st.tuples(
    st.sampled_from([ORDER, NEWS, LINES, PARTIES, LOGON]),
    st.sampled_from(FORMS),
    SPOILS,
    st.integers(0, 300),
    st.sampled_from([b"\n", b"\r\n", b"", b" "]),
)


@given(st.lists(LOG_LINES, max_size=5), cuts)
def test_whole_cut_and_spoilt_messages_are_the_same_however_the_text_arrives(
    lines: list[tuple[bytes, bytes, tuple[bytes, bytes], int, bytes]], sizes: list[int]
) -> None:
    text = b"".join(
        b"at " + raw.replace(*spoil, 1).replace(b"\x01", separator)[: size + 60] + end
        for raw, separator, spoil, size, end in lines
    )
    told = []
    for parts in (pieces(text, sizes), [text]):
        finder = Finder()
        told.append(([one for piece in parts for one in finder.feed(piece)] + finder.close(), finder.unread))
    assert told[0] == told[1]


@pytest.mark.parametrize("behind", ["]", ")", "}", "<", ">", ";", '"', ",", " "])
def test_what_stands_behind_a_message_is_none_of_it(behind: str) -> None:
    raw = encode(b"FIX.4.4", b"35=0\x0134=2\x01")
    text = raw.replace(b"\x01", b"|").rstrip(b"|") + behind.encode() + b" and more\n"
    assert [found.raw for found in Finder().feed(text)] == [raw]


def test_a_message_that_names_no_version_is_shown_by_the_usual_dictionary() -> None:
    raw = ORDER.replace(b"8=FIX.4.4", b"88=FIX.4.4", 1)
    assert "ClOrdID(11)=x" in pretty(raw) and any("ClOrdID(11)" in line for line in pretty_lines(raw))

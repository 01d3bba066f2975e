"""The wire. Invariants: decoding what was encoded gives it back; any bytes, cut anywhere, give verified messages or are
skipped, the same ones however they are cut, in bounded memory and without an exception.
"""

import random

import pytest
import simplefix
from hypothesis import given, settings
from hypothesis import strategies as st

from common.fix.dictionary import Dictionary
from common.fix.errors import FixError, FormatError, GarbledError, MissingFieldError, SettingsError
from common.fix.wire import (
    Framer,
    Message,
    checksum,
    encode,
    pairs,
    parse_utc_timestamp,
    split,
    utc_timestamp,
)
from tests.common.fix.strategies import body_of, cuts, field_lists, message_of, messages, pieces, scraps

ORDER = encode(b"FIX.4.4", b"35=D\x0134=2\x0111=a\x0154=1\x01")


# -- encode, decode


@settings(max_examples=30)
@given(field_lists())
def test_decoding_what_was_encoded_gives_it_back(fields: list[tuple[bytes, bytes]]) -> None:
    raw = message_of(fields)
    assert Framer().feed(raw) == [raw]
    assert pairs(raw)[2:-1] == fields


@settings(max_examples=30)
@given(field_lists())
def test_split_is_the_last_value_of_each_tag(fields: list[tuple[bytes, bytes]]) -> None:
    raw = message_of(fields)
    assert split(raw) == dict(pairs(raw))


@settings(max_examples=30)
@given(st.binary(max_size=2000))
def test_the_checksum_is_the_sum_of_the_bytes(data: bytes) -> None:
    assert checksum(data) == sum(data) % 256


@pytest.mark.parametrize("data", [b"\xff" * 256, b"\xff" * 257, b"\x7f" * 512, b"\x7f" * 513, b"\xff" * 100_000, b""])
def test_the_checksum_is_exact_where_the_shortcut_ends(data: bytes) -> None:
    assert checksum(data) == sum(data) % 256


@settings(max_examples=30)
@given(field_lists(with_data=False))
def test_simplefix_and_we_agree_on_every_message_that_both_accept(fields: list[tuple[bytes, bytes]]) -> None:
    raw = message_of(fields)
    parser = simplefix.FixParser()
    parser.append_buffer(raw)
    theirs = parser.get_message()
    assert theirs is not None
    assert [(b"%d" % int(tag), value) for tag, value in theirs.pairs] == pairs(raw)


@settings(max_examples=30)
@given(field_lists(with_data=False))
def test_what_simplefix_encodes_we_accept(fields: list[tuple[bytes, bytes]]) -> None:
    message = simplefix.FixMessage()
    message.append_pair(8, b"FIX.4.4")
    for tag, value in fields:
        message.append_pair(tag, value)
    raw = message.encode()
    assert Framer().feed(raw) == [raw]
    assert raw == message_of(fields)


@pytest.mark.parametrize(
    "body",
    [b"35=D\x0111\x01", b"35=D\x0111=a", b"35=D\x01=a\x01", b"35=D\x01x=a\x01", b"35=D\x01" + b"1" * 5000 + b"=a\x01"],
)
def test_pairs_refuses_what_is_no_field(body: bytes) -> None:
    with pytest.raises(GarbledError):
        pairs(body)


@pytest.mark.parametrize("length", [b"9", b"400", b"2"])
def test_a_data_field_that_its_length_misses_is_garbled(length: bytes) -> None:
    with pytest.raises(GarbledError, match="96"):
        pairs(b"35=A\x0195=%b\x0196=a\x01b\x01" % length)


@pytest.mark.parametrize("length", [b"x", b"", b"-1", b"1234567890"])
def test_a_data_field_whose_length_is_no_number_ends_at_the_next_soh(length: bytes) -> None:
    fields = [(b"35", b"A"), (b"95", length), (b"96", b"a=b"), (b"34", b"7")]
    assert pairs(b"".join(b"%b=%b\x01" % field for field in fields)) == fields


def test_a_data_field_may_hold_a_whole_message() -> None:
    raw = message_of([(b"35", b"A"), (b"95", b"%d" % len(ORDER)), (b"96", ORDER), (b"34", b"7")])
    assert Framer().feed(raw) == [raw]
    assert split(raw)[b"96"] == ORDER
    assert split(raw)[b"34"] == b"7"
    assert Message(raw).msg_seq_num == 7


# -- framing


@settings(max_examples=30)
@given(scraps, cuts)
def test_any_bytes_give_the_same_messages_however_they_are_cut(data: bytes, sizes: list[int]) -> None:
    whole, cut = Framer(), Framer()
    expected = whole.feed(data)
    found = [message for piece in pieces(data, sizes) for message in cut.feed(piece)]
    assert found == expected
    assert cut.garbled == whole.garbled
    for raw in found:
        assert raw[-7:-1] == b"10=%03d" % (sum(raw[:-7]) % 256)


@settings(max_examples=30)
@given(scraps, st.lists(messages, min_size=1, max_size=3))
def test_messages_behind_finished_garbage_are_found(garbage: bytes, behind: list[bytes]) -> None:
    # A garbled message takes what its BodyLength(9) claims; nothing here claims more than 99999 bytes.
    framer = Framer(max_message_bytes=1000, max_buffer_bytes=2000)
    framer.feed(garbage + b" " * 1100)
    assert framer.feed(b"".join(behind)) == behind


@settings(max_examples=30)
@given(st.binary(max_size=400))
def test_the_buffer_is_bounded(data: bytes) -> None:
    framer = Framer(max_message_bytes=100, max_buffer_bytes=200)
    for _ in range(5):
        framer.feed(b"8=FIX.4.4\x019=90\x0135=" + data)
        assert len(framer._rest) <= 200


def test_a_message_over_the_limit_is_garbled() -> None:
    framer = Framer(max_message_bytes=19, max_buffer_bytes=100)
    assert framer.feed(ORDER) == []
    assert framer.garbled == 1


def test_a_message_with_too_many_fields_is_garbled() -> None:
    raw = message_of([(b"35", b"D"), *((b"11", b"a") for _ in range(20))])
    assert Framer(max_fields=24).feed(raw) == [raw]
    assert Framer(max_fields=23).feed(raw) == []


def test_limits_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(SettingsError):
        Framer(max_message_bytes=100, max_buffer_bytes=100)


def test_a_body_length_beyond_the_limit_does_not_hold_the_stream_up() -> None:
    framer = Framer()
    assert framer.feed(b"8=FIX.4.4\x019=999999999\x0135=D\x01" + ORDER) == [ORDER]
    assert framer.garbled == 1


def test_a_message_inside_a_garbled_one_is_never_believed() -> None:
    inner = message_of([(b"35", b"D"), (b"11", b"forged")])
    outer = message_of([(b"35", b"B"), (b"95", b"%d" % len(inner)), (b"96", inner), (b"34", b"7")])
    damaged = outer[:-4] + (b"000" if outer[-4:-1] != b"000" else b"001") + b"\x01"
    assert Framer().feed(damaged + ORDER) == [ORDER]


def test_garbage_is_counted_once_a_run() -> None:
    framer = Framer()
    assert framer.feed(b"noise" + ORDER + b"more noise" + ORDER + ORDER) == [ORDER] * 3
    assert framer.garbled == 2


@pytest.mark.parametrize("version", [b"FIX.4.0", b"FIX.4.2", b"FIX.5.0SP2", b"FIXT.1.1"])
def test_every_version_frames(version: bytes) -> None:
    raw = encode(version, b"35=0\x0134=2\x01")
    assert Framer().feed(raw) == [raw]


# -- Message


def test_a_message_is_typed_and_immutable() -> None:
    message = Message(ORDER)
    assert (message.msg_type, message.msg_seq_num, message.get(11), message.get(12)) == ("D", 2, "a", None)
    assert 54 in message and 55 not in message
    assert list(message)[0] == (8, b"FIX.4.4")
    assert message == Message(ORDER) and hash(message) == hash(Message(ORDER))
    with pytest.raises(AttributeError):
        message.nothing = 1  # type: ignore[attr-defined]
    with pytest.raises(MissingFieldError, match="field 55 is missing in MsgType"):
        message.require(55)


@pytest.mark.parametrize("number", [b"x", b"", b"-1"])
def test_a_message_without_a_good_number_says_so(number: bytes) -> None:
    with pytest.raises(FixError):
        _ = Message(encode(b"FIX.4.4", b"35=D\x0134=%b\x01" % number)).msg_seq_num


def test_text_that_is_not_utf_8_comes_back_as_it_was() -> None:
    text = Message(encode(b"FIX.4.4", b"35=B\x0158=\xff\xfe\x01")).require(58)
    assert text.encode("utf-8", "surrogateescape") == b"\xff\xfe"


NESTED = encode(
    b"FIX.4.4",
    b"35=D\x0134=2\x0111=a\x01453=2\x01448=P1\x01452=1\x01802=2\x01523=s\x01803=1\x01523=t\x01803=2\x01448=P2\x01452=3\x0154=1\x01",
)


def test_groups_with_a_dictionary_are_exact_and_nested() -> None:
    message = Message(NESTED, Dictionary.load("FIX44"))
    one, two = message.groups(453)
    assert (one.get(448), one.get(452), two.get(448), two.get(452)) == ("P1", "1", "P2", "3")
    assert [entry.require(523) for entry in one.groups(802)] == ["s", "t"]
    assert two.groups(802) == ()
    assert 54 not in two
    assert message.groups(555) == ()


def test_groups_without_a_dictionary_end_at_the_trailer() -> None:
    raw = encode(b"FIX.4.4", b"35=W\x0155=X\x01268=2\x01269=0\x01270=1\x01269=1\x01270=2\x01")
    assert [entry.get(270) for entry in Message(raw).groups(268)] == ["1", "2"]
    assert Message(encode(b"FIX.4.4", b"35=W\x01268=0\x01")).groups(268) == ()


# -- time


@settings(max_examples=30)
@given(st.integers(0, 4_102_444_800_000_000_000), st.sampled_from([0, 3, 6, 9]))
def test_a_timestamp_read_back_is_the_time_cut_to_its_digits(wall_ns: int, digits: int) -> None:
    unit = 10 ** (9 - digits)
    assert parse_utc_timestamp(utc_timestamp(wall_ns, digits)) == wall_ns // unit * unit


def test_timestamps_by_example() -> None:
    assert utc_timestamp(1_767_225_600_123_456_789) == b"20260101-00:00:00.123"
    assert utc_timestamp(1_767_225_600_123_456_789, 9) == b"20260101-00:00:00.123456789"
    assert parse_utc_timestamp(b"19700101-00:00:01") == 1_000_000_000
    assert parse_utc_timestamp(b"20161231-23:59:60") == parse_utc_timestamp(b"20170101-00:00:00")
    with pytest.raises(SettingsError):
        utc_timestamp(0, 4)


@pytest.mark.parametrize(
    "text",
    [b"", b"20260101", b"20261301-00:00:00", b"20260101-24:00:00", b"20260101-00:00:00.", b"2026-01-01T00:00:00Z"],
)
def test_what_is_no_timestamp_is_refused(text: bytes) -> None:
    with pytest.raises(FormatError):
        parse_utc_timestamp(text)


# -- a million


@pytest.mark.proof
def test_a_million_random_inputs() -> None:
    """The same invariant as above, a million times: no exception, bounded, and what is found verifies."""
    draw = random.Random(20260101)
    framer = Framer(max_message_bytes=4096, max_buffer_bytes=8192)
    parts = [
        b"8=FIX.4.4\x01",
        b"9=",
        b"35=D\x01",
        b"10=",
        b"\x01",
        ORDER,
        NESTED,
        b"95=5\x01",
        b"96=",
        b"0",
        b"=",
        b"\xff",
    ]
    for _ in range(1_000_000):
        data = b"".join(draw.choices(parts, k=draw.randrange(1, 6))) + draw.randbytes(draw.randrange(4))
        for raw in framer.feed(data):
            assert raw[-7:-1] == b"10=%03d" % (sum(raw[:-7]) % 256)
            try:
                assert split(raw) == dict(pairs(raw))
                Message(raw)
            except FixError:
                pass
        assert len(framer._rest) <= 8192


def test_body_of_is_the_inverse_of_pairs() -> None:
    assert body_of(pairs(NESTED)) == NESTED

"""A frame holds what was put in, byte for byte where the format says, and anything else is told from it."""

import pytest
from crc32c import crc32c
from hypothesis import given, settings
from hypothesis import strategies as st

from common.journal import BadEntry, BadFrame, Entry, Link, frame, parse
from common.journal.frames import HEADER_BYTES, MAX_PAYLOAD_BYTES, VERSION, Stop, find_frame, frame_bytes, walk

STAMPS = {"stamp_ns": 7, "journal_epoch": 5, "durable_lsn": 3}
numbers = st.integers(0, (1 << 64) - 1)
names = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=32)
entries = st.builds(Entry, st.integers(0, 65535), names, numbers, numbers, st.binary(max_size=70))


def test_the_bytes_of_a_frame() -> None:
    block, end = frame([Entry(16, "orders", 9, 2, b"hello")], Link(4, 0xAABBCCDD), **STAMPS)
    body = (
        b"FXRJ"
        + (5).to_bytes(4, "little")
        + (16).to_bytes(2, "little")
        + bytes(2)
        + b"".join(number.to_bytes(8, "little") for number in (5, 7, 5, 9, 2, 3))
        + 0xAABBCCDD.to_bytes(4, "little")
        + VERSION.to_bytes(2, "little")
        + (104).to_bytes(2, "little")
        + b"orders".ljust(32, b"\0")
        + b"hello\0\0\0"
    )
    assert block == crc32c(body).to_bytes(4, "little") + body
    assert end == Link(5, crc32c(body))


@settings(max_examples=40)
@given(st.lists(entries, min_size=1, max_size=6), st.integers(0, 1 << 40), st.integers(0, (1 << 32) - 1))
def test_what_is_framed_is_parsed(batch: list[Entry], lsn: int, crc: int) -> None:
    block, end = frame(batch, Link(lsn, crc), **STAMPS)
    records = parse(block, verify=True)
    assert [Entry(r.kind, r.writer, r.writer_epoch, r.append_number, r.payload) for r in records] == batch
    assert [record.lsn for record in records] == list(range(lsn + 1, end.lsn + 1))
    assert {(record.stamp_ns, record.journal_epoch, record.durable_lsn) for record in records} == {(7, 5, 3)}
    assert len(block) == sum(frame_bytes(len(entry.payload)) for entry in batch)
    walked = walk(block, Link(lsn, crc))
    assert (walked.position, walked.end, walked.stop) == (len(block), end, Stop.MORE)


@settings(max_examples=40)
@given(st.lists(entries, min_size=1, max_size=4), st.data())
def test_one_changed_bit_is_never_accepted(batch: list[Entry], data: st.DataObject) -> None:
    block, _ = frame(batch, Link(0, 0), **STAMPS)
    bit = data.draw(st.integers(0, len(block) * 8 - 1))
    changed = bytearray(block)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(BadFrame) as error:
        parse(bytes(changed), verify=True)
    assert error.value.offset <= bit // 8


@settings(max_examples=40)
@given(st.lists(entries, min_size=1, max_size=3), st.data())
def test_a_cut_block_is_refused_or_a_prefix(batch: list[Entry], data: st.DataObject) -> None:
    block, _ = frame(batch, Link(0, 0), **STAMPS)
    cut = block[: data.draw(st.integers(0, len(block)))]
    ends = [0]
    for entry in batch:
        ends.append(ends[-1] + frame_bytes(len(entry.payload)))
    if len(cut) in ends:
        assert len(parse(cut)) == ends.index(len(cut))
    else:
        with pytest.raises(BadFrame):
            parse(cut)


@settings(max_examples=60)
@given(st.binary(max_size=300))
def test_garbage_is_refused_and_walked_without_an_exception(garbage: bytes) -> None:
    walked = walk(garbage, Link(0, 0))
    assert walked.end == Link(0, 0)
    if garbage:
        with pytest.raises(BadFrame):
            parse(garbage)
    assert find_frame(garbage, 0) is None


def test_a_frame_is_found_behind_garbage_and_a_false_magic() -> None:
    block, _ = frame([Entry(16, "w", 1, 1, b"x")], Link(8, 1), **STAMPS)
    found = find_frame(b"FXRJFXRJ" * 3 + block, 0)
    assert found == (24, 9, 3)


@pytest.mark.parametrize("header_bytes", [HEADER_BYTES, HEADER_BYTES + 16])
def test_the_next_frame_in_a_later_version_ends_a_walk_and_says_so(header_bytes: int) -> None:
    block, end = frame([Entry(16, "w", 1, 1, b"x")], Link(0, 0), **STAMPS)
    after, _ = frame([Entry(16, "w", 1, 2, b"y")], end, **STAMPS)
    newer = later(after, header_bytes)
    walked = walk(block + newer, Link(0, 0))
    assert (walked.position, walked.end, walked.stop, walked.version) == (len(block), end, Stop.NEWER, VERSION + 1)
    assert find_frame(block + newer, len(block)) == (len(block), 2, 3)
    # Whose place is another, or which is not whole, is no next frame.
    assert walk(newer, Link(0, 0)).stop is Stop.BAD
    assert walk(block + newer[:-8], Link(0, 0)).stop in (Stop.BAD, Stop.MORE)


def later(whole: bytes, header_bytes: int) -> bytes:
    """The frame as a later version of the format might have it: with a longer header."""
    body = bytearray(whole[4:HEADER_BYTES] + bytes(header_bytes - HEADER_BYTES) + whole[HEADER_BYTES:])
    body[64:66], body[66:68] = (VERSION + 1).to_bytes(2, "little"), header_bytes.to_bytes(2, "little")
    return crc32c(bytes(body)).to_bytes(4, "little") + bytes(body)


def test_zeros_end_a_walk_and_say_so() -> None:
    block, end = frame([Entry(16, "w", 1, 1, b"x")], Link(0, 0), **STAMPS)
    walked = walk(block + bytes(HEADER_BYTES), Link(0, 0))
    assert (walked.position, walked.end, walked.stop) == (len(block), end, Stop.ZERO)


@pytest.mark.parametrize("name", ["", "x" * 33, "café", "tab\t"])
def test_a_name_that_does_not_fit_its_field(name: str) -> None:
    with pytest.raises(BadEntry, match="printable ASCII"):
        frame([Entry(16, name, 1, 1, b"")], Link(0, 0), **STAMPS)


@pytest.mark.parametrize(
    "entry", [Entry(1 << 16, "w", 1, 1, b""), Entry(16, "w", -1, 1, b""), Entry(16, "w", 1, 1 << 64, b"")]
)
def test_a_number_that_does_not_fit_its_field(entry: Entry) -> None:
    with pytest.raises(BadEntry, match="append"):
        frame([entry], Link(0, 0), **STAMPS)


def test_a_payload_over_the_limit() -> None:
    frame([Entry(16, "w", 1, 1, bytes(MAX_PAYLOAD_BYTES))], Link(0, 0), **STAMPS)
    with pytest.raises(BadEntry, match="limit"):
        frame([Entry(16, "w", 1, 1, bytes(MAX_PAYLOAD_BYTES + 1))], Link(0, 0), **STAMPS)

"""What the property tests draw from."""

from hypothesis import strategies as st

from common.fix.data_fields import DATA_FIELDS
from common.fix.wire import encode

# Tags that are neither the frame's nor a data field's nor a length field's.
_SPECIAL = {8, 9, 10, 35} | {int(tag) for pair in DATA_FIELDS.items() for tag in pair}
tags = st.integers(1, 99999).filter(lambda tag: tag not in _SPECIAL)
values = st.binary(min_size=1, max_size=24).map(lambda value: value.replace(b"\x01", b" "))
msg_types = st.sampled_from([b"D", b"8", b"0", b"1", b"2", b"3", b"4", b"5", b"A", b"W", b"AE", b"XLQ", b"*"])
plain_fields = st.tuples(tags.map(lambda tag: b"%d" % tag), values)


@st.composite
def data_fields(draw: st.DrawFn) -> list[tuple[bytes, bytes]]:
    """A length field and its data field, which may hold anything."""
    length, data = draw(st.sampled_from(sorted(DATA_FIELDS.items())))
    value = draw(st.binary(max_size=24))
    return [(length, b"%d" % len(value)), (data, value)]


@st.composite
def field_lists(draw: st.DrawFn, *, with_data: bool = True) -> list[tuple[bytes, bytes]]:
    """The fields of a message, MsgType(35) first."""
    runs = plain_fields.map(lambda field: [field])
    parts = draw(st.lists(st.one_of(runs, data_fields()) if with_data else runs, max_size=15))
    return [(b"35", draw(msg_types)), *(field for part in parts for field in part)]


def body_of(fields: list[tuple[bytes, bytes]]) -> bytes:
    """The fields as bytes."""
    return b"".join(b"%b=%b\x01" % field for field in fields)


def message_of(fields: list[tuple[bytes, bytes]]) -> bytes:
    """The fields as a whole message."""
    return encode(b"FIX.4.4", body_of(fields))


messages = field_lists().map(message_of)
"""Whole messages with anything in them."""

# Bytes that look like FIX often enough to reach every branch.
_SCRAPS = [
    b"8=FIX.4.4\x01",
    b"8=FIX",
    b"8=",
    b"9=5\x01",
    b"9=0040\x01",
    b"35=0\x01",
    b"10=123\x01",
    b"10=",
    b"\x01",
    b"=",
    b"34=2\x01",
]
scraps = st.lists(st.one_of(st.sampled_from(_SCRAPS), messages, st.binary(max_size=12)), max_size=12).map(b"".join)
cuts = st.lists(st.integers(1, 40), min_size=1, max_size=20)


def pieces(data: bytes, sizes: list[int]) -> list[bytes]:
    """`data` cut into pieces of these sizes, over and over."""
    parts, at, turn = [], 0, 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        parts.append(data[at : at + size])
        at += size
        turn += 1
    return parts

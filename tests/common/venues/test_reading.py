"""Whatever bytes a venue puts into a field: it is read as something that a record can hold, or refused by name."""

import tomllib
from decimal import Decimal

import pytest

from common.messages import encode
from common.venues.dialect import BadReport, Dialect
from common.venues.reading import VenueTag, number, text
from common.venues.registry import find_dialect, folder_of, venue_names
from tests.common.venues.samples import raw

SOH = b"\x01"
NASTY = [
    b"\xe9", b"\xff\xfe", b"\xed\xa0\x80", b"\x00", b"NaN", b"sNaN", b"-Infinity", b"1E999999", b"1e-9", b"+1", b"1_0",
    b" 1", b".", b"-", b"9" * 18, b"9" * 19, b"0." + b"9" * 18, b"0." + b"9" * 19, b"9" * 5000, b"-" + b"9" * 40,
    b"99991231-23:59:59.999999", b"00010101-00:00:00", b"\xc2\xb2",
]  # fmt: skip
REPORTS = {
    "8": "35=8|11=5-1|41=5-0|37=9|17=7|1003=7|150=F|39=1|55=B|54=1|38=3|44=5|32=1|31=5|14=1|151=2|6=5|"
    "60=20260101-00:00:00|103=1|58=x|19=6|851=1|1057=N|25016=-1|136=2|137=1|138=USDT|137=2|138=USDT|",
    "9": "35=9|11=5-2|41=5-1|37=9|39=8|434=1|102=1|25016=-1|58=x|",
    "XAR": "35=XAR|11=5-2|41=5-1|37=9|25016=-1|58=x|",
    "3": "35=3|45=7|372=D|373=5|25016=-1|58=x|",
    "j": "35=j|45=7|372=D|379=5-1|380=3|58=x|",
    "r": "35=r|11=K-1|55=B|530=1|531=1|532=1|533=2|25016=-1|58=x|",
    "B": "35=B|148=x|",
}


SESSION_LEVEL = frozenset("01245A")


def with_each_field(line: str, value: bytes) -> list[bytes]:
    """The message, once for each field of its body, with `value` in that field."""
    fields = raw(line).split(SOH)[:-1]
    found = []
    for at, field in enumerate(fields):
        tag = field.partition(b"=")[0]
        if tag not in (b"8", b"9", b"35", b"34", b"49", b"52", b"56", b"10"):
            found.append(SOH.join([*fields[:at], tag + b"=" + value, *fields[at + 1 :]]) + SOH)
    return found


DIALECTS = [find_dialect(name) for name in [*venue_names(), "_template"]]


def mangled(dialect: Dialect, msg_type: str, line: str) -> None:
    """Read the message with each of its fields spoilt, in each way: all of it is an event, or refused by name."""
    for value in NASTY:
        for message in with_each_field(line, value):
            try:
                event = dialect.decode(msg_type, message)
            except BadReport as error:
                assert str(error).encode()
            else:
                assert event is None or encode(event)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.profile.title)
@pytest.mark.parametrize("msg_type", REPORTS)
def test_what_is_read_of_any_field_can_be_journaled(dialect: Dialect, msg_type: str) -> None:
    mangled(dialect, msg_type, REPORTS[msg_type])


@pytest.mark.parametrize("name", [*venue_names(), "_template"])
def test_what_is_read_of_any_field_of_a_venue_s_own_frames_can_be_journaled(name: str) -> None:
    count = 0
    for file in sorted((folder_of(name) / "samples").glob("order_entry.toml")):
        for frame in tomllib.loads(file.read_text("utf-8"))["frame"]:
            msg_type = frame["text"].partition("|35=")[2].partition("|")[0]
            if frame["from"] == "venue" and msg_type not in SESSION_LEVEL:
                mangled(find_dialect(name), msg_type, body_of(frame["text"]))
                count += 1
    assert count or name == "generic"


def body_of(text: str) -> str:
    """What stands from the MsgType(35) of a whole frame on, its CheckSum(10) left out: `raw` frames it anew."""
    return f"35={text.partition('|35=')[2].rpartition('|10=')[0]}|"


def test_a_byte_that_is_not_utf_8_is_told_as_its_escape() -> None:
    assert text({b"58": b"refus\xe9"}, b"58") == "refus\\xe9"
    assert text({b"58": "refusé".encode()}, b"58") == "refusé"


@pytest.mark.parametrize(
    "value", [b"1", b"-1", b"1.", b".5", b"00023.230", b"9" * 18 + b"." + b"9" * 19, b"0" * 30 + b"7"]
)
def test_a_float_of_fix_is_read_exactly(value: bytes) -> None:
    assert number(value, b"31") == Decimal(value.decode())


@pytest.mark.parametrize(
    "value", [b"1E5", b"1e-5", b"+1", b"1_000", b"9" * 19, b"0." + b"0" * 41, b"", b"-", b".", b"Infinity"]
)
def test_what_is_no_float_of_fix_or_longer_than_any_price_is_refused_by_name(value: bytes) -> None:
    with pytest.raises(BadReport, match=r"LastPx\(31\)"):
        number(value, b"31")
    with pytest.raises(BadReport, match=r"RecvWindow\(25000\)"):
        number(value, VenueTag(25000, "RecvWindow"))
    with pytest.raises(BadReport, match=r"field\(54321\)"):
        number(value, b"54321")

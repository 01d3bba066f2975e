"""Binance's own fields and messages have names."""

from common.fix.text import pretty
from common.fix.wire import encode
from common.venues.binance.fields import ADDITIONS, tag_of
from common.venues.registry import find_dictionary


def message(fields: str) -> bytes:
    return encode(b"FIX.4.4", fields.replace("|", "\x01").encode())


def test_a_message_to_binance_is_told_in_its_own_names() -> None:
    raw = message("35=XCN|49=ME|56=SPOT|25000=987.185|25033=1|")
    assert pretty(raw, find_dictionary("binance")) == (
        "OrderCancelRequestAndNewOrderSingle(XCN) SenderCompID(49)=ME TargetCompID(56)=SPOT RecvWindow(25000)=987.185 "
        "OrderCancelRequestAndNewOrderSingleMode(25033)=1 (Stop On Failure)"
    )


def test_each_limit_is_an_entry_of_its_group() -> None:
    dictionary = find_dictionary("binance")
    assert dictionary.group("XLR", 25003) is not None
    assert all(dictionary.field_name(int(tag)) for tag in ADDITIONS["fields"])


def test_a_tag_of_binance_s_own_knows_its_name() -> None:
    tag = tag_of(25016)
    assert (tag, str(tag)) == (b"25016", "ErrorCode(25016)")
    assert {b"25016": b"-1"}[tag] == b"-1"

"""Binance's own fields and messages have names."""

from common.fix.text import pretty
from common.fix.wire import encode
from common.venues.binance.fields import ADDITIONS, dictionary_of


def message(fields: str) -> bytes:
    return encode(b"FIX.4.4", fields.replace("|", "\x01").encode())


def test_a_message_to_binance_is_told_in_its_own_names() -> None:
    raw = message("35=XCN|49=ME|56=SPOT|25000=987.185|25033=1|")
    assert pretty(raw, dictionary_of(raw)) == (
        "OrderCancelRequestAndNewOrderSingle(XCN) SenderCompID(49)=ME TargetCompID(56)=SPOT RecvWindow(25000)=987.185 "
        "OrderCancelRequestAndNewOrderSingleMode(25033)=1 (Stop On Failure)"
    )


def test_a_message_of_another_venue_is_not() -> None:
    assert dictionary_of(message("35=D|49=ME|56=GENERIC|25000=1|")) is None


def test_each_limit_is_an_entry_of_its_group() -> None:
    raw = message("35=XLR|49=SPOT|56=ME|6136=1|25003=2|25004=1|25005=3|25004=2|25005=4|")
    dictionary = dictionary_of(raw)
    assert dictionary is not None and dictionary.group("XLR", 25003) is not None
    assert all(dictionary.field_name(int(tag)) for tag in ADDITIONS["fields"])

"""Invariant: docs/protocol.md says what the messages are: every field, every reason, and the very bytes."""

import json
import re
from typing import get_args

import msgspec
import pytest

from common.config import CHECKOUT
from common.messages import EntryAnswer, EntryRequest, Reason, encode
from common.strategy.signals import read_signal

TEXT = (CHECKOUT / "docs" / "protocol.md").read_text("utf-8")
DECODE = msgspec.msgpack.Decoder(EntryRequest | EntryAnswer).decode
MESSAGES = (*get_args(EntryRequest), *get_args(EntryAnswer))
SECTION = re.compile(r"^### `([^`]+)`\n(.*?)(?=^#)", re.M | re.S)
ROW = re.compile(r"^\| (\w+) \| ([^|]*) \|", re.M)
EXAMPLE = re.compile(r"^    (\[.*\])\n    ([0-9a-f]+)$", re.M)


def tables() -> dict[str, list[tuple[str, str]]]:
    return {tag: ROW.findall(body)[1:] for tag, body in SECTION.findall(TEXT)}


@pytest.mark.parametrize("message", MESSAGES, ids=lambda each: str(each.__name__))
def test_each_message_has_its_fields_in_order_with_their_defaults(message: type[msgspec.Struct]) -> None:
    tag = str(message.__struct_config__.tag)
    fields = msgspec.structs.fields(message)
    rows = tables()[tag]
    assert [name for name, _ in rows] == [field.name for field in fields]
    for (name, kind), field in zip(rows, fields, strict=True):
        _, _, default = kind.partition(", ")
        assert bool(default) == (not field.required), f"{tag}.{name}: {kind}"


def test_nothing_else_has_a_table() -> None:
    assert set(tables()) == {str(message.__struct_config__.tag) for message in MESSAGES}


def test_each_reason_is_told_with_its_sentence() -> None:
    section = TEXT.partition("## Reasons")[2].partition("## An example")[0]
    told = re.findall(r"^\| (\w+) \| (.*) \|$", section, re.M)[1:]
    assert told == [(reason.value, reason.sentence) for reason in Reason]


def test_the_bytes_of_each_example_are_the_message() -> None:
    examples = EXAMPLE.findall(TEXT)
    assert len(examples) == TEXT.count("\n    [") > 5
    for shown, digits in examples:
        data = bytes.fromhex(digits)
        assert json.loads(shown) == msgspec.msgpack.decode(data)
        assert encode(DECODE(data)) == data


def test_the_signal_shown_is_one() -> None:
    (line,) = re.findall(r"^    (\{.*\})$", TEXT, re.M)
    assert read_signal(line.encode()).id == "f-81"

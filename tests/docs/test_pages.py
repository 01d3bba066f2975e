"""Invariant: a page that is made from the code is what the code says now, and nothing in it lacks its sentence."""

import re
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from common.config import CHECKOUT, ConfigError, Section, StackConfig, VenueConfig, load
from common.messages import EntryAnswer, EntryRequest, FeedMessage, OrderEvent
from common.orders.changes import EVENTS, AttemptExpired, Change
from common.strategy.signals import Signal
from common.strategy.strategy import Market, Setting
from scripts.cli.main import run
from scripts.docs import pages
from scripts.docs.configuration import BY_ITS_NAME, toml_value
from scripts.docs.orders import records
from scripts.docs.structs import described

PAGES = sorted(pages.PAGES)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_what_the_code_says(name: str) -> None:
    path = pages.path_of(name)
    assert path.read_text("utf-8") == pages.made(name), f"{path}: older than the code: scripts/fixring docs --write"


@pytest.mark.parametrize("name", PAGES)
def test_no_row_lacks_its_last_cell(name: str) -> None:
    text = pages.made(name)
    assert not re.findall(r"^\|.*\| +\|$", text, re.M)


def test_a_page_is_printed_and_written_by_one_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    right = {name: pages.made(name) for name in PAGES}
    monkeypatch.setattr(pages, "CHECKOUT", tmp_path)
    (tmp_path / "docs").mkdir()
    for name in PAGES:
        (tmp_path / "docs" / f"{name}.md").write_text(old(name))
    assert run(["docs", "configuration"]) == 0
    assert capsys.readouterr().out == right["configuration"]
    assert run(["docs", "--write"]) == 0
    assert {name: (tmp_path / "docs" / f"{name}.md").read_text("utf-8") for name in PAGES} == right
    assert run(["docs"]) == 2


def old(name: str) -> str:
    """The page with nothing in its parts."""
    return re.sub(r"(<!-- generated: .*? -->).*?(<!-- end)", r"\1\n\2", page(name), flags=re.S)


def page(name: str) -> str:
    return (CHECKOUT / "docs" / f"{name}.md").read_text("utf-8")


def test_a_page_without_the_place_for_a_part_is_an_error() -> None:
    with pytest.raises(ValueError, match="no place for its part stack"):
        pages.with_parts("<!-- generated: stack -->", {"stack": lambda: ""})


TOLD = (*get_args(EntryRequest), *get_args(EntryAnswer), *get_args(FeedMessage), Signal, Market, Setting)


@pytest.mark.parametrize("message", TOLD, ids=lambda each: str(each.__name__))
def test_every_field_that_a_strategy_says_or_hears_has_a_sentence_and_none_else(message: type) -> None:
    told = described(message)
    names = [name for name in vars(message)["__annotations__"] if name[0] != "_"]
    assert told.text.endswith(".") and list(told.fields) == names
    assert all(sentence.endswith((".", "`.")) for sentence in told.fields.values())


def test_every_word_that_names_what_happened_to_an_order_is_told() -> None:
    told = set(re.findall(r"`(\w+)`", described(OrderEvent).fields["event"]))
    assert set(EVENTS.values()) <= told
    source = "".join(file.read_text("utf-8") for file in (CHECKOUT / "common/orders").glob("*.py"))
    literal = set(re.findall(r"_order_changed\([^\n]*?\"(\w+)\"", source)) | set(
        re.findall(r'OrderChanged\(order, "(\w+)"', source)
    )
    assert literal and literal <= told


def test_every_change_comes_of_some_record() -> None:
    made = set(re.findall(r"`(\w+)`", " ".join(row.rsplit("|", 2)[1] for row in records().splitlines())))
    assert made | {AttemptExpired.__name__} >= {change.__name__ for change in get_args(Change)}


def sections(of: type[msgspec.Struct] = Section) -> list[type[msgspec.Struct]]:
    return [each for sub in of.__subclasses__() for each in (sub, *sections(sub))]


@pytest.mark.parametrize("section", sections(), ids=lambda each: str(each.__name__))
def test_every_key_of_the_configuration_has_a_sentence_and_none_else(section: type[msgspec.Struct]) -> None:
    told = described(section)
    assert told.text.endswith(".") and list(told.fields) == list(section.__struct_fields__)
    assert all(sentence[0].isupper() and sentence.endswith(".") for sentence in told.fields.values())


@pytest.mark.parametrize("section", sections(), ids=lambda each: str(each.__name__))
def test_a_default_as_the_page_shows_it_is_that_default(section: type[msgspec.Struct]) -> None:
    for field in msgspec.structs.fields(section):
        if field.required or field.default is None:
            continue
        value = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
        read = tomllib.loads(f"value = {toml_value(value)}", parse_float=Decimal)["value"]
        assert msgspec.convert(read, field.type) == value, field.name


@pytest.mark.parametrize(("struct", "key"), sorted(BY_ITS_NAME, key=str), ids=str)
def test_what_the_page_leaves_out_no_file_may_give(struct: type[msgspec.Struct], key: str, tmp_path: Path) -> None:
    for file in (CHECKOUT / "configs").glob("*.toml"):
        text = file.read_text("utf-8")
        if file.stem == "generic":
            text = f'{key} = "X"\n{text}' if struct is VenueConfig else f'{text}\n[instruments.NEW]\n{key} = "NEW"\n'
        (tmp_path / file.name).write_text(text)
    with pytest.raises(ConfigError, match=f"{key}: .*leave the key out"):
        load(tmp_path, {})


def test_every_table_of_the_stack_is_on_the_page() -> None:
    text = pages.made("configuration")
    for name in (*StackConfig.__struct_fields__, *VenueConfig.__struct_fields__):
        assert f"`[{name}]`" in text or f"`[{name}." in text or f"| `{name}` |" in text or name == "name"

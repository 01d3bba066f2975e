"""Dictionaries: the facts of three versions, a venue's additions, and the compact form's errors."""

import pytest

from common.fix.data_fields import DATA_FIELDS
from common.fix.dictionary import VERSIONS, Dictionary
from common.fix.errors import DictionaryError


@pytest.mark.parametrize(
    ("name", "version", "orders"),
    [
        ("FIX42", "FIX.4.2", {11, 21, 55, 54, 60, 40}),
        ("FIX44", "FIX.4.4", {11, 54, 60, 40}),
        ("FIX50SP2", "FIX.5.0SP2", {11}),
    ],
)
def test_every_version_knows_its_messages(name: str, version: str, orders: set[int]) -> None:
    dictionary = Dictionary.load(name)
    assert dictionary.version == version
    spec = dictionary.message("D")
    assert spec is not None and spec.name == "NewOrderSingle" and not spec.admin
    assert orders <= spec.required
    logon = dictionary.message("A")
    assert logon is not None and logon.admin and {98, 108} <= logon.required
    assert {8, 9, 35, 34, 49, 52, 56} <= dictionary.header_tags
    assert 10 in dictionary.trailer_tags


@pytest.mark.parametrize("name", VERSIONS)
def test_every_message_expands(name: str) -> None:
    dictionary = Dictionary.load(name)
    for msg_type in dictionary.message_types():
        spec = dictionary.message(msg_type)
        assert spec is not None and spec.required <= set(spec.members)
        assert set(spec.groups) <= set(spec.members)


@pytest.mark.parametrize("name", ["FIX42", "FIX44"])
def test_every_data_field_has_its_length_field(name: str) -> None:
    dictionary = Dictionary.load(name)
    known = {int(tag) for tag in DATA_FIELDS.values()}
    data = {tag for tag in range(1, 1000) if (spec := dictionary.field(tag)) is not None and spec.type == "DATA"}
    assert data and data <= known


def test_names_and_meanings() -> None:
    dictionary = Dictionary.load("FIX44")
    assert dictionary.field_name(54) == "Side"
    assert dictionary.tag("Side") == 54
    assert dictionary.value_name(54, "1") == "BUY"
    assert dictionary.message_name("8") == "ExecutionReport"
    assert (dictionary.field_name(99999), dictionary.tag("Nothing"), dictionary.value_name(54, "?")) == (
        None,
        None,
        None,
    )
    assert (dictionary.message_name("??"), dictionary.message("??"), dictionary.group("??", 453)) == (None, None, None)


def test_nested_groups() -> None:
    parties = Dictionary.load("FIX44").group("D", 453)
    assert parties is not None
    assert parties.first == 448
    assert parties.members == {448, 447, 452, 802}
    assert parties.nested[802].members == {523, 803}
    assert parties.inside == {448, 447, 452, 802, 523, 803}


def test_under_fixt_the_session_messages_know_the_transports_fields_only() -> None:
    dictionary = Dictionary.load("FIX50SP2")
    assert dictionary.defines(999, "D")
    assert not dictionary.defines(999, "0")
    assert dictionary.defines(58, "0")
    assert Dictionary.load("FIX44").defines(55, "0")


def test_what_a_venue_adds_under_fixt_the_session_messages_know_too() -> None:
    base = Dictionary.load("FIX50SP2")
    venue = base.with_additions({"header": [25000], "fields": {"25000": {"name": "RecvWindow", "type": "FLOAT"}}})
    assert venue.defines(25000, "0") and venue.defines(25000, "D") and not base.defines(25000, "0")
    assert not venue.defines(999, "0")


def test_a_venue_adds_fields_values_and_messages() -> None:
    base = Dictionary.load("FIX44")
    venue = base.with_additions(
        {
            "header": [25000],
            "fields": {
                "25000": {"name": "RecvWindow", "type": "FLOAT"},
                "6136": {"name": "ReqID", "type": "STRING"},
                "25033": {"name": "MiscFee", "type": "AMT"},
                "25032": {"name": "NoFees", "type": "NUMINGROUP"},
                "54": {"values": {"X": "CROSSWISE"}},
            },
            "messages": {"XLQ": {"name": "LimitQuery", "items": "6136!"}, "8": {"adds": "25032( 25033! )"}},
        }
    )
    assert 25000 in venue.header_tags and 25000 not in base.header_tags
    assert venue.value_name(54, "X") == "CROSSWISE" and venue.value_name(54, "1") == "BUY"
    assert base.value_name(54, "X") is None
    query, report = venue.message("XLQ"), venue.message("8")
    assert query is not None and query.required == {6136}
    assert report is not None and report.groups[25032].required == {25033}
    assert base.message("XLQ") is None


@pytest.mark.parametrize(
    "additions",
    [
        {"fields": {"25000": {"type": "INT"}}},
        {"messages": {"XLQ": {"items": "11"}}},
        {"messages": {"8": {"adds": "99999"}}},
        {"messages": {"8": {"adds": "@Nothing"}}},
    ],
)
def test_wrong_additions_are_refused(additions: dict[str, object]) -> None:
    with pytest.raises(DictionaryError):
        venue = Dictionary.load("FIX44").with_additions(additions)
        venue.message("8")


@pytest.mark.parametrize(
    "text", ["nonsense 1", "field x", "field 54 Side CHAR 1", "header 8", "component A @A\nheader @A"]
)
def test_text_that_is_no_dictionary_is_refused(text: str) -> None:
    with pytest.raises(DictionaryError):
        Dictionary(text)


def test_an_unknown_version_is_refused_with_the_known_ones() -> None:
    with pytest.raises(DictionaryError, match="FIX42, FIX44, FIX50SP2"):
        Dictionary.load("FIX99")

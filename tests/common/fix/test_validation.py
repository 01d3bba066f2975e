"""Validation: each reason of SessionRejectReason(373), and each switch. Invariant: a Validator gives a Problem or
None for any fields, never an exception.
"""

from dataclasses import replace

import pytest
from hypothesis import given

from common.fix.dictionary import Dictionary
from common.fix.session_types import Problem
from common.fix.validation import STRICT, Switches, Validator
from common.fix.wire import pairs
from tests.common.fix.harness import VALIDATOR
from tests.common.fix.strategies import field_lists, message_of

HEAD = "34=2|49=A|52=20260101-00:00:00|56=B|"
ORDER = f"35=D|{HEAD}11=a|54=1|40=1|55=X|60=20260101-00:00:00|"


def found(text: str, switches: Switches = STRICT, validator: Validator | None = None) -> tuple[int, int | None] | None:
    """(reason, tag) of the first problem."""
    fields = [tuple(word.encode("latin-1").split(b"=", 1)) for word in text.split("|") if word]
    validator = validator or (VALIDATOR if switches is STRICT else Validator(Dictionary.load("FIX44"), switches))
    ordered = [(b"8", b"FIX.4.4"), (b"9", b"0"), *((tag, value) for tag, value in fields), (b"10", b"000")]
    problem = validator.check(dict(ordered)[b"35"], ordered)
    return None if problem is None else (problem.reason, problem.ref_tag)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ORDER, None),
        (f"{ORDER}999=x|", (0, 999)),
        (f"{ORDER}5000=x|", (0, 5000)),
        (f"{ORDER}0=x|", (0, 0)),
        (f"{ORDER}-1=x|", (0, -1)),
        (ORDER.replace("11=a|", ""), (1, 11)),
        (ORDER.replace("49=A|", ""), (1, 49)),
        (f"{ORDER}150=0|", (2, 150)),
        (f"{ORDER}150=|", (4, 150)),
        (f"{ORDER}150=~|", (5, 150)),
        (f"{ORDER}151=many|", (6, 151)),
        (f"{ORDER}58=|", (4, 58)),
        (ORDER.replace("40=1", "40=w"), (5, 40)),
        (ORDER.replace("40=1", "40=11"), (6, 40)),
        (f"{ORDER}18=1 6|", None),
        (f"{ORDER}18=1 ~|", (5, 18)),
        (f"{ORDER}114=y|", (5, 114)),
        (f"{ORDER}38=+1|", (6, 38)),
        (f"{ORDER}38=1e3|", (6, 38)),
        (f"{ORDER}38=.5|", None),
        (f"{ORDER}38=-00.500|", None),
        (f"{ORDER}126=20040415|", (6, 126)),
        (f"{ORDER}432=20261301|", (6, 432)),
        (f"{ORDER}200=202601w5|", None),
        (f"{ORDER}200=202613|", (6, 200)),
        (f"35=*|{HEAD}", (11, None)),
        (f"{ORDER}11=b|", (13, 11)),
        (f"{ORDER}115=X|", (14, 115)),
        (f"35=D|55=X|{HEAD}11=a|54=1|40=1|60=20260101-00:00:00|", (14, 34)),
        (f"{ORDER}93=1|89=x|58=late|", (14, 58)),
        (f"{ORDER}386=2|336=A|336=B|", None),
        (f"{ORDER}386=3|336=A|336=B|", (16, 386)),
        (f"{ORDER}386=1|336=A|336=B|", (16, 386)),
        (f"{ORDER}386=0|", None),
        (f"{ORDER}386=0|336=A|", (16, 386)),
        (f"{ORDER}386=1|", (16, 386)),
        (f"{ORDER}386=1|625=S|336=A|", (15, 625)),
        (f"{ORDER}386=1|625=S|", (16, 386)),
        (f"{ORDER}453=1|448=P|452=1|447=D|", (15, 447)),
        (f"{ORDER}453=1|448=P|448=Q|", (16, 453)),
        (f"{ORDER}453=1|448=P|447=D|447=D|", (13, 447)),
        (f"{ORDER}453=1|448=P|447=~|", (5, 447)),
        (f"{ORDER}453=1|448=P|523=x|", (15, 523)),
        (f"{ORDER}453=2|448=P|802=1|523=x|803=1|448=Q|802=2|523=y|523=z|", None),
        (f"{ORDER}453=1|448=P|802=2|523=x|", (16, 802)),
        (f"{ORDER}453=x|", (6, 453)),
        (f"{ORDER}453={10**20}|", (6, 453)),
        (f"35=E|{HEAD}66=l|394=1|68=1|73=1|11=a|67=1|", (1, 54)),
        (f"35=0|{HEAD}627=1|628=H|", None),
        (f"35=0|{HEAD}55=X|", (2, 55)),
    ],
)
def test_the_first_problem(text: str, expected: tuple[int, int | None] | None) -> None:
    assert found(text) == expected


@pytest.mark.parametrize(
    ("switch", "text"),
    [
        ("unknown_types", f"35=*|{HEAD}"),
        ("unknown_tags", f"{ORDER}999=x|"),
        ("user_defined_tags", f"{ORDER}5000=x|"),
        ("foreign_tags", f"{ORDER}150=0|"),
        ("missing_required", ORDER.replace("11=a|", "")),
        ("wrong_formats", f"{ORDER}38=+1|"),
        ("wrong_values", ORDER.replace("40=1", "40=w")),
        ("empty_values", f"{ORDER}58=|"),
        ("repeated_tags", f"{ORDER}11=b|"),
        ("wrong_place", f"{ORDER}115=X|"),
        ("group_counts", f"{ORDER}386=3|336=A|"),
        ("group_order", f"{ORDER}453=1|448=P|452=1|447=D|"),
    ],
)
def test_each_check_can_be_switched_off(switch: str, text: str) -> None:
    assert found(text) is not None
    assert found(text, replace(STRICT, **{switch: False})) is None


def test_tolerated_tags_do_not_end_the_header() -> None:
    lenient = replace(STRICT, user_defined_tags=False)
    assert found(f"35=0|34=2|49=A|25000=500|{HEAD[10:]}", lenient) is None


def test_a_problem_says_what_to_tell() -> None:
    fields = pairs(message_of([(b"35", b"0"), (b"34", b"2")]))
    assert VALIDATOR.check(b"0", fields) == Problem(1, 49, "Required tag missing")


def test_fixt_judges_session_messages_by_the_transport() -> None:
    validator = Validator(Dictionary.load("FIX50SP2"))
    assert found(f"35=0|{HEAD}999=x|", validator=validator) == (0, 999)
    assert found(f"35=0|{HEAD}58=x|", validator=validator) == (2, 58)
    assert found(ORDER, validator=validator) is None


@given(field_lists())
def test_any_fields_give_a_problem_or_none(fields: list[tuple[bytes, bytes]]) -> None:
    ordered = pairs(message_of(fields))
    for validator in (VALIDATOR, LENIENT):
        assert isinstance(validator.check(fields[0][1], ordered), Problem | None)


LENIENT = Validator(Dictionary.load("FIX44"), Switches(**dict.fromkeys(Switches.__dataclass_fields__, False)))

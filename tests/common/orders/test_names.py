"""A ClOrdID(11) in the venue's form names one attempt and no other, is read back as that, and is told from a
stranger's; where names have to grow, they do, whoever gives them.
"""

import re
import uuid

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from common.messages import HIGHEST_NUMBER, Attempt
from common.orders.names import (
    FIRST_EPOCH,
    MOST_SESSIONS,
    OF_ORDERS,
    OF_SESSION,
    PERIOD,
    RESERVE,
    ClOrdIdForm,
    NamesUsedUp,
    attempt_of,
    cl_ord_id_of,
    new_epoch_due,
    next_of_orders,
    next_of_session,
    sent_name,
)

LOWEST = {
    ClOrdIdForm.TEXT: 0,
    ClOrdIdForm.DIGITS: FIRST_EPOCH + 10**8,
    ClOrdIdForm.DIGITS17: FIRST_EPOCH + 10**8,
    ClOrdIdForm.UUID4: 0,
}
HIGHEST = {
    ClOrdIdForm.TEXT: (HIGHEST_NUMBER, HIGHEST_NUMBER),
    ClOrdIdForm.DIGITS: (FIRST_EPOCH + 999_999_999, 999_999_999),
    ClOrdIdForm.DIGITS17: (FIRST_EPOCH + 999_999_999, 99_999_999),
    ClOrdIdForm.UUID4: ((1 << 40) - 1, (1 << 40) - 1),
}
SHAPES = {
    ClOrdIdForm.TEXT: r"[0-9a-z]{1,13}-[0-9a-z]{1,13}",
    ClOrdIdForm.DIGITS: r"[1-9][0-9]{17}",
    ClOrdIdForm.DIGITS17: r"[1-9][0-9]{16}",
    ClOrdIdForm.UUID4: r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
}
FORMS = st.sampled_from(ClOrdIdForm)
TODAY = 1_790_000_000


@st.composite
def attempts(draw: st.DrawFn, form: ClOrdIdForm) -> Attempt:
    """Any that the form holds."""
    epoch, counter = HIGHEST[form]
    return Attempt(draw(st.integers(LOWEST[form], epoch)), draw(st.integers(0, counter)))


@given(FORMS.flatmap(lambda form: st.tuples(st.just(form), attempts(form))))
def test_a_name_has_the_venue_s_form_and_is_read_back(named: tuple[ClOrdIdForm, Attempt]) -> None:
    form, attempt = named
    name = cl_ord_id_of(attempt, form)
    assert re.fullmatch(SHAPES[form], name)
    assert attempt_of(name, form) == attempt
    assert [other for other in ClOrdIdForm if attempt_of(name, other) is not None] == [form]


@given(FORMS, st.text(alphabet="0123456789abcdefxyz-", max_size=40))
def test_what_is_read_as_ours_is_what_we_would_have_given(form: ClOrdIdForm, name: str) -> None:
    attempt = attempt_of(name, form)
    assert attempt is None or cl_ord_id_of(attempt, form) == name


@given(st.uuids(version=4))
def test_a_stranger_s_uuid_is_none_of_ours(theirs: uuid.UUID) -> None:
    ours = cl_ord_id_of(Attempt(TODAY, 7), ClOrdIdForm.UUID4)
    parsed = uuid.UUID(ours)
    assert (parsed.version, parsed.variant, str(parsed)) == (4, uuid.RFC_4122, ours)
    assume(theirs.int & (1 << 42) - 1 != parsed.int & (1 << 42) - 1)
    assert attempt_of(str(theirs), ClOrdIdForm.UUID4) is None
    assert attempt_of(ours.upper(), ClOrdIdForm.UUID4) is None or not re.search("[a-f]", ours)


@given(attempts(ClOrdIdForm.DIGITS), attempts(ClOrdIdForm.DIGITS))
def test_digits_grow_with_the_epoch_and_within_it(one: Attempt, other: Attempt) -> None:
    names = [int(cl_ord_id_of(attempt, ClOrdIdForm.DIGITS)) for attempt in (one, other)]
    assert (names[0] < names[1]) is ((one.epoch, one.counter) < (other.epoch, other.counter))


@pytest.mark.parametrize(
    ("form", "attempt"),
    [
        (ClOrdIdForm.DIGITS, Attempt(FIRST_EPOCH, 1)),
        (ClOrdIdForm.DIGITS, Attempt(FIRST_EPOCH + 10**9, 1)),
        (ClOrdIdForm.DIGITS, Attempt(FIRST_EPOCH + 10**8 - 1, 1)),
        (ClOrdIdForm.DIGITS, Attempt(TODAY, 10**9)),
        (ClOrdIdForm.DIGITS17, Attempt(TODAY, 10**8)),
        (ClOrdIdForm.UUID4, Attempt(1 << 40, 1)),
        (ClOrdIdForm.UUID4, Attempt(TODAY, 1 << 40)),
    ],
)
def test_beyond_its_bounds_a_form_has_no_name(form: ClOrdIdForm, attempt: Attempt) -> None:
    with pytest.raises(NamesUsedUp, match="takes a new epoch"):
        cl_ord_id_of(attempt, form)
    assert sent_name(attempt, ()) == cl_ord_id_of(attempt)


@given(FORMS.flatmap(lambda form: st.tuples(st.just(form), attempts(form))))
def test_what_was_sent_is_found_whatever_its_form(named: tuple[ClOrdIdForm, Attempt]) -> None:
    form, attempt = named
    name = cl_ord_id_of(attempt, form)
    assert sent_name(attempt, {name}) == name


@given(st.lists(st.integers(-1, MOST_SESSIONS - 1), max_size=300), st.integers(0, 3 * PERIOD))
def test_whoever_names_next_names_higher_and_none_names_twice(who: list[int], counter: int) -> None:
    for place in who:
        following = next_of_orders(counter) if place < 0 else next_of_session(counter, place)
        within = following % PERIOD
        first, many = (0, OF_ORDERS) if place < 0 else (OF_ORDERS + place * OF_SESSION, OF_SESSION)
        assert following > counter and first <= within < first + many
        counter = following


def test_a_new_epoch_is_due_before_the_names_end() -> None:
    last = HIGHEST[ClOrdIdForm.DIGITS][1]
    assert not new_epoch_due(last - RESERVE, {ClOrdIdForm.TEXT, ClOrdIdForm.DIGITS})
    assert new_epoch_due(last - RESERVE + 1, {ClOrdIdForm.TEXT, ClOrdIdForm.DIGITS})
    assert not new_epoch_due(last, {ClOrdIdForm.TEXT, ClOrdIdForm.UUID4})

"""docs/fix.md tells what the code does: its diagram is the table, its case table is the tests, and no case is
missing."""

from common.fix.session_types import TRANSITIONS, Event, SessionState
from tests.common.fix.docs import PAGE, generated, missing


def test_every_case_is_played() -> None:
    assert missing() == []


def test_the_page_is_up_to_date() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == generated(page), "run: python -m tests.common.fix.docs"


def test_the_table_has_no_dead_end() -> None:
    assert set(TRANSITIONS) == set(SessionState)
    reached = {after for moves in TRANSITIONS.values() for after in moves.values()}
    assert reached == set(SessionState)
    for state, moves in TRANSITIONS.items():
        assert (moves.get(Event.LOST) is SessionState.DISCONNECTED) is (state is not SessionState.DISCONNECTED)
    assert {event for moves in TRANSITIONS.values() for event in moves} == set(Event)

"""Invariant: whatever the log says, in whatever order, an attempt has one outcome, and a final one never changes."""

import re

from hypothesis import given
from hypothesis import strategies as st

from common.config import CHECKOUT
from common.messages import Attempt
from common.orders.outcome import FINAL, Evidence, Outcome, Outcomes, decide, is_void

A = Attempt(7, 1)
DEADLINE_NS = 1_000


def test_an_outbound_record_by_the_deadline_makes_it_sent() -> None:
    assert decide(Outcome.PENDING, Evidence.OUTBOUND, DEADLINE_NS, DEADLINE_NS) is Outcome.SENT


def test_an_outbound_record_after_the_deadline_is_void() -> None:
    assert decide(Outcome.PENDING, Evidence.OUTBOUND, DEADLINE_NS, DEADLINE_NS + 1) is Outcome.EXPIRED


def test_the_first_refusal_by_the_deadline_refuses() -> None:
    assert decide(Outcome.PENDING, Evidence.REFUSED, DEADLINE_NS, DEADLINE_NS) is Outcome.REFUSED


def test_a_refusal_after_the_deadline_is_only_a_later_stamp() -> None:
    assert decide(Outcome.PENDING, Evidence.REFUSED, DEADLINE_NS, DEADLINE_NS + 1) is Outcome.EXPIRED


def test_a_sent_attempt_is_not_refused_and_does_not_expire() -> None:
    assert decide(Outcome.SENT, Evidence.REFUSED, DEADLINE_NS, 5) is Outcome.SENT
    assert decide(Outcome.SENT, Evidence.STAMP, DEADLINE_NS, DEADLINE_NS + 1) is Outcome.SENT


def test_a_withdrawal_ends_sent_and_pending_alike() -> None:
    assert decide(Outcome.SENT, Evidence.WITHDRAWN, DEADLINE_NS, 5) is Outcome.WITHDRAWN
    assert decide(Outcome.PENDING, Evidence.WITHDRAWN, DEADLINE_NS, DEADLINE_NS) is Outcome.WITHDRAWN
    assert decide(Outcome.PENDING, Evidence.WITHDRAWN, DEADLINE_NS, DEADLINE_NS + 1) is Outcome.EXPIRED


def test_a_cancel_has_no_deadline_and_never_expires() -> None:
    assert decide(Outcome.PENDING, Evidence.STAMP, None, 1 << 62) is Outcome.PENDING


@given(st.lists(st.tuples(st.sampled_from(Evidence), st.integers(0, 100)), max_size=12), st.integers(0, 60))
def test_a_final_outcome_never_changes(records: list[tuple[Evidence, int]], deadline_ns: int) -> None:
    outcome = Outcome.PENDING
    stamp_ns = 0
    for evidence, step_ns in records:
        stamp_ns += step_ns
        after = decide(outcome, evidence, deadline_ns, stamp_ns)
        assert outcome not in FINAL or after is outcome
        outcome = after


@given(st.lists(st.tuples(st.sampled_from(Evidence), st.integers(0, 100)), max_size=12), st.integers(0, 60))
def test_a_reader_that_expected_it_and_one_that_did_not_agree(
    records: list[tuple[Evidence, int]], deadline_ns: int
) -> None:
    expecting, late = Outcomes(), Outcomes()
    expecting.expect(A, deadline_ns)
    ends: dict[str, Outcome] = {}
    stamp_ns = 0
    for evidence, step_ns in records:
        stamp_ns += step_ns
        for name, outcomes in (("expecting", expecting), ("late", late)):
            if name in ends:
                continue
            if A in outcomes.stamp(stamp_ns):
                ends[name] = Outcome.EXPIRED
            elif evidence is not Evidence.STAMP:
                outcome = outcomes.see_evidence(A, evidence, deadline_ns, stamp_ns)
                if outcome in FINAL:
                    ends[name] = outcome
    if "late" in ends:
        assert ends["late"] is ends["expecting"]
    elif A in late.held and late.held[A][0] is Outcome.SENT:
        assert expecting.held[A][0] is Outcome.SENT


def test_expiry_is_reported_once_earliest_deadline_first() -> None:
    outcomes = Outcomes()
    outcomes.expect(Attempt(1, 2), 50)
    outcomes.expect(Attempt(1, 1), 40)
    outcomes.expect(Attempt(1, 3), 90)
    assert outcomes.stamp(40) == []
    assert outcomes.stamp(60) == [Attempt(1, 1), Attempt(1, 2)]
    assert outcomes.stamp(60) == []
    assert outcomes.held == {Attempt(1, 3): (Outcome.PENDING, 90)}
    outcomes.forget(Attempt(1, 3))
    assert not outcomes.held


def test_a_command_is_void_from_the_first_stamp_after_its_deadline_and_one_without_a_deadline_never() -> None:
    assert [is_void(deadline_ns, 10) for deadline_ns in (9, 10, 11, None)] == [True, False, False, False]


def test_nobody_else_says_what_is_stamped_too_late() -> None:
    spelt = re.compile(r"stamp_ns > [\w.]*deadline_ns|deadline_ns < [\w.]*stamp_ns(?! \+)")
    files = [path for folder in ("common", "services") for path in (CHECKOUT / folder).rglob("*.py")]
    assert [path.name for path in files if spelt.search(path.read_text())] == ["outcome.py"]

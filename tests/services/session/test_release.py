"""The release queue: numbers leave in order, none that is void or withdrawn with its content, and none before its
record.
"""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.messages import LATE_NS, Attempt, NewOrder, Terms
from services.session.outbox import TRANSITIONS, Numbered, ReleaseQueue, Step


def order(deadline_ns: int) -> NewOrder:
    """A command with a deadline."""
    price = Decimal(1)
    return NewOrder(
        Attempt(1, 1), "s", 1, "v", "S", Terms("1", "2", price, price), "1-1", deadline_ns
    )  # fmt: skip


def item(number: int, append_number: int, deadline_ns: int | None = None) -> Numbered:
    """A message under its number."""
    command = None if deadline_ns is None else order(deadline_ns)
    return Numbered(number, "D", b"%d" % number, command, append_number)


def test_an_illegal_step_changes_nothing() -> None:
    for stage, steps in TRANSITIONS.items():
        for step in set(Step) - set(steps):
            numbered = item(1, 1)
            numbered.stage = stage
            with pytest.raises(KeyError):
                numbered.step(step)
            assert numbered.stage is stage


def test_later_numbers_wait_for_a_filler() -> None:
    queue = ReleaseQueue()
    queue.add_message(item(5, 1, deadline_ns=100))
    queue.add_message(item(6, 2))
    (void,) = queue.acknowledged(2, 101)
    queue.replace(void, Step.STAMPED_LATE, b"filler", 3)
    assert queue.take_cleared() == []
    assert queue.first_number == 5
    assert queue.acknowledged(3, 102) == []
    assert [i.raw for i in queue.take_cleared()] == [b"filler", b"6"]


def test_what_is_cleared_but_blocked_can_still_be_withdrawn() -> None:
    queue = ReleaseQueue()
    queue.add_message(item(5, 1, deadline_ns=100))
    assert queue.acknowledged(1, 100) == []
    assert queue.late(100 + LATE_NS) == []
    (late,) = queue.late(101 + LATE_NS)
    queue.replace(late, Step.WITHDRAWN, b"filler", 2)
    assert queue.take_cleared() == []
    queue.acknowledged(2, 900)
    assert [i.raw for i in queue.take_cleared()] == [b"filler"]


def test_numbers_rise() -> None:
    queue = ReleaseQueue()
    queue.add_message(item(5, 1))
    with pytest.raises(ValueError, match="5"):
        queue.add_message(item(5, 2))


@given(st.lists(st.sampled_from(["add", "risky", "ack", "take", "withdraw"]), max_size=60), st.data())
def test_every_number_leaves_once_in_order_and_only_when_durable(acts: list[str], data: st.DataObject) -> None:
    queue = ReleaseQueue()
    number = append = durable = stamp = 0
    contents: dict[bytes, int] = {}
    dead: set[bytes] = set()
    left: list[bytes] = []

    def fill(replaced: Numbered, step: Step) -> None:
        nonlocal append
        dead.add(replaced.raw)
        append += 1
        raw = b"filler %d" % replaced.msg_seq_num
        contents[raw] = append
        queue.replace(replaced, step, raw, append)

    for act in [*acts, "ack", "ack", "take"]:
        stamp += 10
        if act in ("add", "risky"):
            number, append = number + 1, append + 1
            new = item(number, append, stamp + data.draw(st.integers(0, 40)) if act == "risky" else None)
            contents[new.raw] = append
            queue.add_message(new)
        elif act == "ack":
            durable = append
            for void in queue.acknowledged(durable, stamp):
                fill(void, Step.STAMPED_LATE)
        elif act == "take":
            left += [taken.raw for taken in queue.take_cleared()]
        else:
            for waiting in [i for i in queue if i.deadline_ns is not None][:1]:
                fill(waiting, Step.WITHDRAWN)
        assert all(contents[raw] <= durable for raw in left)
    assert [int(raw.split()[-1]) for raw in left] == list(range(1, number + 1))
    assert not dead & set(left)

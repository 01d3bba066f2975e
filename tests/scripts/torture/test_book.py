"""The load's book notices what a strategy must never be told."""

from decimal import Decimal
from typing import Any

import pytest

from common.messages import CommandOutcome, OrderEvent, OrderStatus, Reason, Terms
from scripts.torture.book import Book

LOAD = "load"


@pytest.fixture
def book() -> Book:
    book = Book()
    book.given(LOAD, 1, "new", "generic")
    return book


def outcome(lsn: int, word: str, reason: Reason = Reason.NONE) -> CommandOutcome:
    return CommandOutcome(lsn, 0, LOAD, 1, word, reason)


def event(lsn: int, status: OrderStatus, cum_qty: str = "0", **fields: Any) -> OrderEvent:
    cum = Decimal(cum_qty)
    return OrderEvent(
        lsn, 0, LOAD, 1, fields.pop("event", "status"), status, "generic", "BTCUSDT",
        Terms("1", "2", Decimal(5), Decimal(100)), cum, Decimal(5) - cum, Decimal(0), "c-1", "1",
        open=status is not OrderStatus.CANCELED, **fields,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("first", "second"),
    [("sent", "refused"), ("refused", "sent"), ("expired", "sent"), ("withdrawn", "sent"), ("refused", "expired")],
)
def test_a_second_other_outcome_is_a_difference(book: Book, first: str, second: str) -> None:
    book.told(outcome(5, first))
    book.told(outcome(9, second))
    assert len(book.differences) == 1 and "told" in book.differences[0]


def test_a_repeated_outcome_and_the_end_of_what_was_sent_are_none(book: Book) -> None:
    for lsn, word in ((5, "accepted"), (6, "sent"), (6, "sent"), (8, "withdrawn"), (6, "accepted")):
        book.told(outcome(lsn, word))
    assert not book.differences
    assert book.outcomes == {"accepted": 1, "sent": 1}


def test_a_refusal_of_a_message_is_no_outcome(book: Book) -> None:
    book.told(outcome(5, "sent"))
    book.told(outcome(7, "refused", Reason.SUPERSEDED))
    assert not book.differences


@pytest.mark.parametrize(
    ("events", "difference"),
    [
        ([event(5, OrderStatus.NEW, "2"), event(6, OrderStatus.NEW, "1")], "fell"),
        ([event(5, OrderStatus.CANCELED), event(6, OrderStatus.NEW)], "again"),
        ([event(5, OrderStatus.NEW, "2", last_qty=Decimal(2), trade_key="t")] * 2, "twice"),
    ],
)
def test_events_that_contradict_each_other_are_differences(
    book: Book, events: list[OrderEvent], difference: str
) -> None:
    for one in events:
        book.ordered(one)
    assert len(book.differences) == 1 and difference in book.differences[0]


def test_a_bust_lowers_what_the_fills_come_to(book: Book) -> None:
    book.ordered(event(5, OrderStatus.NEW, "2", last_qty=Decimal(2), trade_key="t"))
    book.ordered(event(6, OrderStatus.NEW, "0.5", trade_key="u", reference_trade_key="t", event="trade_correct"))
    assert not book.differences
    assert sum(book.commands[LOAD, 1].fills.values()) == Decimal("0.5")


def test_an_order_is_settled_when_it_is_closed(book: Book) -> None:
    book.told(outcome(5, "sent"))
    assert list(book.unsettled())
    book.ordered(event(6, OrderStatus.CANCELED))
    assert not list(book.unsettled())
    assert [told.status for told in book.settle()] == [OrderStatus.CANCELED]
    assert not book.commands


def test_what_is_not_told_again_after_an_interruption_is_over(book: Book) -> None:
    book.told(outcome(5, "sent"))
    book.ordered(event(6, OrderStatus.NEW))
    book.interrupted(LOAD)
    assert not list(book.unsettled())
    book.ordered(event(9, OrderStatus.NEW, event="snapshot"))
    assert list(book.unsettled())


def test_nobody_waits_for_the_outcome_of_what_a_dead_client_gave(book: Book) -> None:
    book.abandoned(LOAD)
    assert not list(book.unsettled())


def test_a_number_given_twice_is_a_difference(book: Book) -> None:
    book.given(LOAD, 1, "new", "generic")
    assert len(book.differences) == 1

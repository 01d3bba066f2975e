"""A book that is told order by order, with a number of each message."""

from decimal import Decimal

import pytest

from common.instant import Instant
from common.messages import TopOfBook
from common.venues.dialect import BookEntry
from services.marketdata import numbered
from services.marketdata.numbered import NumberedBook

D = Decimal
BID, OFFER, TRADE = "0", "1", "2"
NEW, CHANGE, DELETE, TAKEN = "0", "1", "2", "-"


def at(second: int) -> Instant:
    return Instant(second * 10**9, second * 10**9)


def head(sequence: int, *, goes_on: bool = False) -> BookEntry:
    return BookEntry("S", "", "W", None, D(0), sequence=sequence, goes_on=goes_on)


def rests(what: str, name: str, px: str, qty: str, sequence: int = 0, action: str = "W") -> BookEntry:
    return BookEntry("S", what, action, D(px), D(qty), entry_id=name, sequence=sequence)


def update(sequence: int, what: str, name: str, px: str, qty: str, action: str = NEW) -> list[BookEntry]:
    return [rests(what, name, px, qty, sequence, action)]


def traded(sequence: int, name: str, qty: str) -> list[BookEntry]:
    taken = BookEntry("S", "?", TAKEN, None, D(qty), entry_id=name, sequence=sequence)
    return [BookEntry("S", TRADE, NEW, D(100), D(qty), sequence=sequence), taken]


def passed(sequence: int) -> list[BookEntry]:
    return [BookEntry("S", ".", NEW, None, D(0), sequence=sequence)]


@pytest.fixture
def book() -> NumberedBook:
    book = NumberedBook("S")
    book.apply([head(10), rests(BID, "a", "99", "1"), rests(BID, "b", "99", "2"), rests(OFFER, "c", "101", "3")], at(1))
    return book


def top(book: NumberedBook) -> tuple[object, object]:
    return book.bid, book.offer


def test_the_best_price_has_the_quantity_of_all_orders_there(book: NumberedBook) -> None:
    assert top(book) == ((D(99), D(3)), (D(101), D(3)))
    book.apply(update(11, BID, "d", "100", "5"), at(2))
    assert book.bid == (D(100), D(5))
    book.apply(update(12, BID, "d", "100", "5", DELETE), at(2))
    book.apply(update(13, BID, "a", "98", "1", CHANGE), at(2))
    assert book.bid == (D(99), D(2))
    book.apply(update(14, BID, "b", "99", "2", DELETE), at(3))
    assert book.bid == (D(98), D(1)) and isinstance(book.top("v", at(3)), TopOfBook)


def test_a_trade_takes_from_the_order_that_rested(book: NumberedBook) -> None:
    book.apply(traded(11, "c", "1"), at(2))
    assert (book.offer, book.last_px) == ((D(101), D(2)), D(100))
    book.apply(traded(12, "c", "2"), at(2))
    assert book.offer is None
    book.apply(update(13, OFFER, "c", "101", "0", DELETE), at(2))
    book.apply(traded(14, "nobody's", "2"), at(2))
    assert (book.why, book.offer) == ("", None)


def test_a_change_of_an_order_that_was_never_told_is_none_of_the_book(book: NumberedBook) -> None:
    book.apply(update(11, BID, "x", "100", "1", CHANGE), at(2))
    assert book.bid == (D(99), D(3)) and not book.why


def test_what_the_snapshot_holds_already_is_passed_over(book: NumberedBook) -> None:
    book.apply(update(9, BID, "z", "100", "1"), at(2))
    book.apply(update(10, BID, "z", "100", "1"), at(2))
    assert book.bid == (D(99), D(3))


def test_updates_wait_for_the_last_fragment(book: NumberedBook) -> None:
    book.apply([head(20, goes_on=True), rests(BID, "e", "90", "1")], at(2))
    assert top(book) == (None, None) and "not whole" in book.why
    book.apply(update(20, BID, "old", "95", "1"), at(2))
    book.apply(update(21, BID, "f", "91", "1"), at(2))
    book.apply([head(20, goes_on=True), rests(OFFER, "g", "92", "1")], at(2))
    book.apply([head(20), rests(OFFER, "h", "93", "1")], at(3))
    assert top(book) == ((D(91), D(1)), (D(92), D(1))) and not book.why
    book.apply(update(22, BID, "i", "91.5", "1"), at(3))
    assert book.bid == (D("91.5"), D(1))


def test_updates_before_any_snapshot_wait_for_it() -> None:
    book = NumberedBook("S")
    for sequence in (7, 8, 9):
        book.apply(update(sequence, BID, f"o{sequence}", f"{sequence}", "1"), at(1))
    assert book.is_late(at(1), 10**9)
    book.apply([head(7)], at(2))
    assert book.bid == (D(9), D(1)) and not book.is_late(at(2), 10**9)


def test_a_gap_voids_the_book_until_the_next_snapshot(book: NumberedBook) -> None:
    book.apply(passed(11), at(2))
    book.apply(update(13, BID, "j", "100", "1"), at(2))
    assert book.why == "RptSeq(83) 12 to 12 are missing" and top(book) == (None, None)
    book.apply(update(14, BID, "k", "100.5", "1"), at(2))
    book.apply([head(13), rests(BID, "j", "100", "1")], at(3))
    assert book.bid == (D("100.5"), D(1)) and not book.why


def test_what_cannot_be_read_voids_the_book(book: NumberedBook) -> None:
    book.apply([BookEntry("S", "", "W", None, D(0), why="no number")], at(2))
    assert (book.why, book.bid) == ("no number", None)


def test_a_message_that_tells_nothing_shows_that_the_prices_are_of_now(book: NumberedBook) -> None:
    assert book.is_late(at(3), 10**9)
    book.apply(passed(11), at(3))
    assert not book.is_late(at(3), 10**9)


def test_more_updates_than_may_wait_leave_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numbered, "MAX_WAITING", 2)
    book = NumberedBook("S")
    for sequence in (2, 3, 4):
        book.apply(passed(sequence), at(1))
    book.apply([head(1)], at(2))
    assert book.why == "RptSeq(83) 2 to 2 are missing"
    book.apply([head(4), rests(BID, "a", "1", "1")], at(3))
    assert book.bid == (D(1), D(1)) and not book.why


def test_a_new_connection_begins_with_nothing(book: NumberedBook) -> None:
    book.apply(update(13, BID, "x", "1", "1"), at(2))
    book.clear()
    assert top(book) == (None, None)
    book.apply([head(3), rests(BID, "y", "2", "1")], at(2))
    book.apply(update(4, BID, "z", "3", "1"), at(2))
    assert book.bid == (D(3), D(1))

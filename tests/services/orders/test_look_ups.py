"""What has left memory is looked up as this reading of the log has put it; where it cannot be, nothing is guessed."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from common.messages import NewOrder
from common.orders import index_file
from common.orders.books import Books, Bounds
from common.orders.fills import Fill
from common.orders.fold import FOLD_VERSION, Fold
from common.orders.forgotten import Forgotten, ForgottenOrder, LookUpFailed
from common.orders.index import Index
from common.orders.index_file import IndexFile, IndexView
from tests.services.orders.harness import D, report
from tests.services.orders.test_forgotten import PLACE, SMALL, Filling

LAST = 1 << 40
ORDER = ("generic", "BTCUSDT", "1/4")


@pytest.fixture
def index(tmp_path: Path) -> Iterator[IndexFile]:
    index = IndexFile(tmp_path / "orders.sqlite")
    index.begin_fold(FOLD_VERSION)
    yield index
    index.close()


def history(index: Index, *, is_busted: bool) -> Filling:
    """Forty orders are filled, every other one a sale; the fourth may be busted soon, and again at the end."""
    ring = Filling(index)
    orders = [ring.filled(number, "12"[number % 2]) for number in range(1, 7)]
    if is_busted:
        bust(ring, orders[3])
    for number in range(7, 41):
        ring.filled(number, "12"[number % 2])
    if is_busted:
        bust(ring, orders[3])
    return ring


def bust(ring: Filling, order: NewOrder, ord_status: str = "2", **terms: Any) -> None:
    """The order's fill is taken back."""
    number = order.number
    terms |= {"qty": "1", "key": f"9/{number}", "reference_trade_key": f"1/{number}", "order_id": f"V{number}"}
    ring.told("generic", report(order, "H", ord_status, **terms))


@pytest.mark.parametrize("is_other_log", [True, False])
def test_rows_of_another_reading_stand_for_nothing(index: IndexFile, is_other_log: bool) -> None:
    """The log came back without its end and went on otherwise, or is folded anew by other rules: the index is as it
    was, further than what is read."""
    longer = history(index, is_busted=not is_other_log)
    index.write(longer.core.books.lsn)
    records = history(Index(), is_busted=True).journal.records
    same = [ours == theirs for ours, theirs in zip(longer.journal.records, records, strict=False)]
    fork = same.index(False) if is_other_log else 0
    bounds = SMALL if is_other_log else Bounds(closed_orders=1, remembered=8, retired_fills=1)
    facts = {name: venue.facts for name, venue in longer.settings.accounts.items()}
    alone, books = Books(facts, bounds=bounds), Books(facts, bounds=bounds, memory=index)
    ours, fold = Fold(alone), Fold(books)
    for record in records:
        if record.lsn == fork + 1:
            index.read_on_after(fork)
        ours.apply(record)
        fold.apply(record)
        assert books.digest() == alone.digest(), record.lsn
    assert books.positions[PLACE].quantity == -1


def test_a_look_up_that_fails_ends_the_fold_and_is_no_fault_of_the_record(index: IndexFile) -> None:
    """What cannot be looked up was told before, or was not: neither is to be guessed."""
    ring = history(index, is_busted=False)
    index.write(ring.core.books.lsn)
    with sqlite3.connect(index._path) as other:
        other.execute("UPDATE fills SET row = zeroblob(20) WHERE trade_key = '1/2'")
    other.close()
    order = next(command for command in ring.commands if isinstance(command, NewOrder) and command.number == 2)
    with pytest.raises(LookUpFailed, match="a row of fills is damaged"):
        ring.report(order, "F", "2", qty="1", key="1/2", order_id="V2")
    again = IndexFile(index._path)
    assert again.made_anew == "a row of fills is damaged" and again.covered_lsn == 0
    again.close()


def test_no_fill_is_given_up_however_long_the_disk_takes_nothing(
    index: IndexFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("common.orders.index_file.MAX_WAITING", 3)
    with sqlite3.connect(index._path) as other:
        other.execute("ALTER TABLE fills RENAME TO elsewhere")
        ring = history(index, is_busted=False)
        index.write(ring.core.books.lsn)
        assert not index.complete
        other.execute("ALTER TABLE elsewhere RENAME TO fills")
    other.close()
    assert index.name_of(next(c.cl_ord_id for c in ring.commands if isinstance(c, NewOrder))) == ("s", 1)
    for _ in range(2):
        assert [fill.order_id for fill in index.fills(ORDER, LAST)] == ["V4"]
        index.write(ring.core.books.lsn)


def test_an_order_that_a_former_version_has_put_keeps_its_instrument_and_side(index: IndexFile) -> None:
    """The log may not go back to it any more."""
    ring = history(index, is_busted=False)
    index.write(ring.core.books.lsn)
    cl_ord_id = next(c.cl_ord_id for c in ring.commands if isinstance(c, NewOrder))
    with sqlite3.connect(index._path) as other:
        other.execute("DELETE FROM ended")
    other.close()
    assert index.order_of(cl_ord_id) is None
    index.begin_fold(FOLD_VERSION + 1)
    assert index.order_of(cl_ord_id) == ("s", 1, *PLACE, "2")


def test_the_latest_with_an_exec_id_is_the_same_wherever_its_row_stands(index: IndexFile) -> None:
    """A bust may name a fill by its ExecID(17) alone."""
    random, alone = Random(0), Forgotten()
    fill = Fill("c", "1", D(1), D(100), D(0), "", True)
    for lsn in range(1, 400):
        trade_id = (*PLACE, random.choice(["", "1/", "2/", "3/", "4/"]) + random.choice("ab"))
        for memory in (alone, index):
            memory.put_fills(trade_id, lsn, [fill])
        if random.random() < 0.1:
            index.write(lsn)
        view = IndexView(index._path, FOLD_VERSION)
        view.put_fills(trade_id, lsn, [fill])
        for exec_id in "ab":
            expected = alone.keys_of(*PLACE, exec_id, lsn)
            assert index.keys_of(*PLACE, exec_id, lsn) == expected
            if index.covered_lsn >= lsn - 1:
                assert view.keys_of(*PLACE, exec_id, lsn) == expected


def test_a_view_sees_the_file_as_it_was_while_its_writer_reads_the_log_again(index: IndexFile) -> None:
    ring = history(index, is_busted=False)
    index.write(ring.core.books.lsn)
    view = IndexView(index._path, FOLD_VERSION)
    index.read_on_after(0)
    assert not index.fills(ORDER, LAST) and view.fills(ORDER, LAST)


def test_a_view_keeps_what_the_file_does_not_cover_and_no_more(index: IndexFile, monkeypatch: Any) -> None:
    """Whoever folds beside the order manager for weeks would hold every order and trade of them in memory."""
    monkeypatch.setattr(index_file, "LOOK_AGAIN_ROWS", 20)
    index.write(0)
    random, alone, view = Random(0), Forgotten(), IndexView(index._path, FOLD_VERSION)
    fill, most = Fill("c", "1", D(1), D(100), D(0), "", True), 0
    for lsn in range(1, 2000):
        trade_id = (*PLACE, random.choice(["", "1/", "2/"]) + str(random.randrange(lsn)))
        order = ForgottenOrder("s", lsn, *PLACE, "1")
        for memory in (alone, view, index):
            memory.put_fills(trade_id, lsn, [fill])
            memory.put_names([f"n{lsn}", f"m{lsn}"], order, lsn)
        if random.random() < 0.05:
            index.write(lsn)
        most = max(most, len(view._kept), len(view._names) // 2, len(view._ended), sum(map(len, view._fills.values())))
        earlier = random.randrange(1, lsn + 1)
        assert view.order_of(f"m{earlier}") == alone.order_of(f"m{earlier}") == ("s", earlier, *PLACE, "1")
        for at_lsn in (earlier, lsn):
            assert view.fills(trade_id, at_lsn) == alone.fills(trade_id, at_lsn)
            exec_id = trade_id[2].rpartition("/")[2]
            assert view.keys_of(*PLACE, exec_id, at_lsn) == alone.keys_of(*PLACE, exec_id, at_lsn)
    assert 20 <= most < 400 and view.covered_lsn > 1500 and len(view._by_exec_id) < 400


def test_an_order_that_a_bust_opens_again_after_it_left_memory_is_shown(index: IndexFile) -> None:
    """The venue may fill it on: nobody would see it, and risk would not count it."""
    ring = history(index, is_busted=False)
    order = next(command for command in ring.commands if isinstance(command, NewOrder) and command.number == 2)
    ring.report(order, "0", "0", order_id="V2")
    assert not ring.core.books.externals, "of a closed order, told again"
    bust(ring, order, "0", order_qty=D(1), cum_qty=D(0), leaves_qty=D(1))
    assert ring.core.books.externals[(*PLACE, "V2")].order.cl_ord_id == order.cl_ord_id
    ring.report(order, "4", "4", order_id="V2")
    assert not ring.core.books.externals


def test_a_late_fill_of_an_order_that_has_left_memory_is_its_strategy_s(index: IndexFile) -> None:
    """And so is the bust of it."""
    ring = history(index, is_busted=False)
    order = next(command for command in ring.commands if isinstance(command, NewOrder) and command.number == 2)
    share, held = ("s", *PLACE), ring.quantity
    before = ring.core.books.shares.get(share, D(0))
    ring.report(order, "F", "2", qty="3", key="1/late", order_id="V2")
    assert ring.quantity == held + 3
    assert ring.core.books.shares.get(share, D(0)) == before + 3
    assert ring.positions()[-1].strategy == "s"
    ring.report(order, "H", "2", qty="3", key="9/late", order_id="V2", reference_trade_key="1/late")
    assert (ring.quantity, ring.core.books.shares.get(share, D(0))) == (held, before)

"""Fills and orders that have left memory are known for ever: words on them, of any age, count once and find them."""

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from common.messages import (
    Ask,
    CancelAll,
    CancelOrder,
    CancelRequest,
    Kind,
    NewOrder,
    RateRefused,
    Reason,
    Refused,
    RefusedAttempt,
    RestOrder,
)
from common.orders.books import Books, Bounds
from common.orders.fold import FOLD_VERSION, Fold
from common.orders.index import Index
from common.orders.index_file import IndexFile, IndexView
from common.orders.ledger import FillLedger
from common.orders.snapshots import dump_books, load_books
from tests.common.orders.ledgers import bust, correct
from tests.services.orders.harness import D, Forgetful, report

SMALL = Bounds(closed_orders=3, remembered=8, retired_fills=4)
PLACE = ("generic", "BTCUSDT")


class Filling(Forgetful):
    """An order manager that keeps three closed orders and four fills of those that it has forgotten."""

    def __init__(self, index: Index) -> None:
        super().__init__(index, SMALL)

    def filled(self, number: int, side: str = "1", qty: str = "1", **terms: Any) -> NewOrder:
        """An order that is accepted and filled at once, under trade identity "1/NUMBER"."""
        command = self.new(number, qty=qty, side=side)
        self.sent(command)
        self.report(command, "0", "0", order_id=f"V{number}")
        self.report(command, "F", "2", qty=qty, key=f"1/{number}", order_id=f"V{number}", **terms)
        return command

    def resting(self, number: int) -> tuple[NewOrder, RestOrder]:
        """An order that is accepted, and how REST tells it then."""
        command = self.new(number)
        self.sent(command)
        self.report(command, "0", "0", order_id=f"V{number}")
        return command, RestOrder("BTCUSDT", f"V{number}", command.cl_ord_id, "1", "0", D(1), D(100), D(0))

    @property
    def quantity(self) -> Any:
        return self.core.books.positions[PLACE].quantity

    def standing(self) -> tuple[object, ...]:
        """What words that were heard before must not change."""
        books = self.core.books
        orders = {name: (o.status, o.cum_qty, o.leaves_qty, o.price) for name, o in books.orders.items()}
        positions = {place: (p.quantity, p.cash, p.fills, dict(p.fees)) for place, p in books.positions.items()}
        return orders, positions, set(books.externals), books.names.dump()


@pytest.fixture(params=["memory", "file"])
def ring(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Filling]:
    """With twenty orders filled, every other one a sale: nothing is held."""
    ring = Filling(Index() if request.param == "memory" else IndexFile(tmp_path / "orders.sqlite"))
    for number in range(1, 21):
        ring.filled(number, "12"[number % 2])
    assert ring.quantity == 0 and len(ring.core.books.ledger) < 10
    yield ring


def test_a_forgotten_fill_that_is_corrected_or_busted_is_the_one_that_counted(ring: Filling) -> None:
    sale, buy = [command for command in ring.commands if isinstance(command, NewOrder)][:2]
    cash = ring.core.books.positions[PLACE].cash
    ring.told("generic", report(sale, "G", "2", qty="1", px="99", key="9/a", reference_trade_key="1/1", order_id="V1"))
    assert (ring.quantity, ring.core.books.positions[PLACE].cash) == (D(0), cash - 1)
    ring.told("generic", report(buy, "H", "2", qty="1", key="9/b", reference_trade_key="1/2", order_id="V2"))
    assert ring.quantity == -1
    ring.filled(40)
    ring.told("generic", report(buy, "H", "2", qty="1", key="9/b", reference_trade_key="1/2", order_id="V2"))
    assert ring.quantity == 0, "told again, with other fills between, it changes nothing"


@pytest.mark.parametrize("side", ["", "[N/A]"])
def test_a_correction_of_a_forgotten_fill_that_names_no_side_has_the_fill_s(ring: Filling, side: str) -> None:
    sale = next(command for command in ring.commands if isinstance(command, NewOrder))
    for qty, key, before in (("0.4", "9/a", "1/1"), ("0.2", "9/b", "9/a")):
        told = report(sale, "G", "4", qty=qty, px="100", key=key, reference_trade_key=before, order_id="V1")
        ring.told("generic", msgspec.structs.replace(told, side=side))
        assert ring.quantity == 1 - D(qty)
    ring.told("generic", report(sale, "H", "4", qty="0.2", key="9/c", reference_trade_key="9/b", order_id="V1"))
    assert ring.quantity == 1


@pytest.mark.parametrize("symbol", ["", "[N/A]"])
@pytest.mark.parametrize("is_written", [False, True])
def test_a_report_on_a_forgotten_order_leaves_its_instrument_and_side_to_it(
    ring: Filling, symbol: str, is_written: bool
) -> None:
    """A fill told again, one that comes late, a correction of it, a bust and the opposite side."""
    sale = next(command for command in ring.commands if isinstance(command, NewOrder))
    if is_written:
        ring.index.write(ring.core.books.lsn)
    for exec_type, qty, key, reference, side, held in (
        ("F", "1", "1/1", "", "", "0"),
        ("F", "0.5", "1/late", "", "", "-0.5"),
        ("G", "0.4", "9/a", "1/late", "", "-0.4"),
        ("H", "0.4", "9/b", "9/a", "", "0"),
        ("F", "3", "9/c", "", "1", "0"),
    ):
        told = report(sale, exec_type, "2", qty=qty, key=key, reference_trade_key=reference, order_id="V1")
        before = ring.core.books.discrepancies
        ring.told("generic", msgspec.structs.replace(told, symbol=symbol, side=side, last_px=D(0)))
        assert ring.quantity == D(held), key
        assert (ring.core.books.discrepancies > before) == bool(side)


def test_a_refusal_that_an_emergency_file_tells_again_changes_no_outcome_that_has_left_memory(ring: Filling) -> None:
    command = ring.new(41)
    refused = Refused("session@generic", Reason.JOURNAL_AWAY, "", "s", 41, command.attempt, command)
    ring.record("session@generic", Kind.REFUSED, refused)
    assert ring.outcomes()[-1] == (41, "refused")
    for number in range(50, 60):
        ring.filled(number)
    told = ring.outcomes()
    ring.pass_time(1100)
    ring.record("session@generic", Kind.REFUSED, refused)
    again = RefusedAttempt(41, command.attempt, command.deadline_ns, b"")
    ring.record("risk", Kind.RATE_REFUSED, RateRefused("risk", Reason.STRATEGY_RATE, "", "s", (again,)))
    assert ring.outcomes() == told


def test_a_cancel_is_answered_once_though_its_answer_has_left_memory(ring: Filling) -> None:
    """It is sent again for as long as its order is open; the answer was that not all can be cancelled."""
    buy, _ = ring.resting(41)
    refused = CancelAll("s", 42, left_open=("binance",), text="nobody can cancel at binance")
    ring.record("orders", Kind.CANCEL_ALL, refused)
    assert ring.outcomes()[-1] == (42, "refused")
    for number in range(50, 60):
        ring.filled(number)
    assert ring.core.books.names.get("s", 42) is None
    cancel = ring.last(CancelOrder)
    assert (cancel.number, cancel.orig_cl_ord_id) == (42, buy.cl_ord_id)
    ring.sent(cancel)
    assert [told for told in ring.outcomes() if told[0] == 42] == [(42, "refused")]


@pytest.mark.parametrize("what", ["order", "open_orders"])
def test_what_was_asked_before_a_forgotten_order_ended_opens_none(ring: Filling, what: str) -> None:
    """REST was asked while the order was open, and its answer is recorded when that has ended and left memory."""
    buy, told = ring.resting(41)
    asked = Ask("generic", 900, what, "BTCUSDT", buy.cl_ord_id, "V41", asked_lsn=ring.core.books.lsn)
    ring.report(buy, "4", "4", order_id="V41")
    for number in range(50, 56):
        ring.filled(number)
    assert ("desk", 41) not in ring.core.books.orders
    ended = load_books(dump_books(ring.core.books), {}).ended
    assert ended == ring.core.books.ended, "a snapshot has it"
    ring.answers(venue="generic", ask=asked, **({"order": told} if what == "order" else {"orders": (told,)}))
    assert not ring.core.books.externals


def test_a_forgotten_order_that_rest_tells_as_open_after_its_end_is_shown(ring: Filling) -> None:
    """As after a bust that nobody heard."""
    buy, told = ring.resting(41)
    ring.report(buy, "4", "4", order_id="V41")
    for number in range(50, 56):
        ring.filled(number)
    asked = Ask("generic", 900, "open_orders", "BTCUSDT", asked_lsn=ring.core.books.lsn)
    ring.answers(venue="generic", ask=asked, orders=(told,))
    assert list(ring.core.books.externals) == [(*PLACE, "V41")]


def test_a_forgotten_fill_is_found_by_its_exec_id_of_an_earlier_generation(ring: Filling) -> None:
    buy = [command for command in ring.commands if isinstance(command, NewOrder)][1]
    ring.told("generic", report(buy, "H", "2", qty="1", key="7/b", reference_trade_key="7/2", order_id="V2"))
    assert ring.quantity == -1


def test_what_is_told_again_from_the_beginning_changes_nothing(ring: Filling) -> None:
    """As after a person has set the numbers back: every prefix of what was heard."""
    heard = [record.payload for record in ring.journal.records if record.kind == Kind.INBOUND]
    before = ring.standing()
    for last in range(0, len(heard) + 1, 7):
        for payload in heard[:last]:
            ring.record("session@generic", Kind.INBOUND, payload)
        assert ring.standing() == before, f"after {last} messages"


def test_a_fill_over_rest_of_a_forgotten_order_counts_once(ring: Filling) -> None:
    ledger = ring.core.books.ledger
    assert ledger.knows(*PLACE, "1/1", "", "V1") and not ledger.knows(*PLACE, "1/1", "", "V2")


@pytest.mark.parametrize("ring", ["file"], indirect=True)
@pytest.mark.parametrize("seed", range(6))
def test_whoever_reads_the_log_again_finds_at_each_record_what_was_there_then(ring: Filling, seed: int) -> None:
    """The index is as far as the log's end, and beyond: books that begin in the middle, from a snapshot or from
    nothing, come to the same state at each record.
    """
    random = Random(seed)
    orders = [command for command in ring.commands if isinstance(command, NewOrder)]
    for turn in range(25):
        number = random.randrange(1, 21)
        order, kind = orders[number - 1], random.choice("FFGH")
        reference = {"reference_trade_key": f"1/{number}"} if kind in "GH" else {}
        key = f"1/{number}" if kind == "F" else f"8/{turn}"
        terms: dict[str, Any] = {"qty": random.choice("123"), "key": key, "order_id": f"V{number}", **reference}
        told = report(order, kind, "2", **terms)
        ring.told("generic", msgspec.structs.replace(told, symbol="", side="") if random.random() < 0.5 else told)
        if random.random() < 0.3:
            ring.filled(100 + turn)
    index, records = ring.index, ring.journal.records
    assert isinstance(index, IndexFile)
    index.begin_fold(FOLD_VERSION)
    facts = {name: venue.facts for name, venue in ring.settings.accounts.items()}
    alone = Books(facts, bounds=SMALL)
    fold, digests, dumps = Fold(alone), [], []
    for record in records:
        fold.apply(record)
        digests.append(alone.digest())
        dumps.append(dump_books(alone))
    assert digests[-1] == ring.core.books.digest()
    index.write(ring.core.books.lsn)
    for memory in (index, IndexView(index._path, FOLD_VERSION)):
        for begin in (0, random.randrange(len(records) // 2), len(records) - 3):
            books = load_books(dumps[begin], facts, bounds=SMALL, memory=memory)
            again = Fold(books)
            for record in records[begin + 1 :]:
                again.apply(record)
                assert books.digest() == digests[record.lsn - 1], record.lsn


def test_a_ledger_of_many_more_fills_than_memory_holds() -> None:
    """Twenty-one thousand fills that come to nothing."""
    ledger, total = FillLedger(max_retired=2000), D(0)
    for number in range(21_000):
        ledger.begin_record(number)
        change = ledger.trade(*PLACE, str(number), f"o{number}", "12"[number % 2], D(1), D(100))
        assert change is not None
        total += change.signed_qty()
        ledger.retire(f"o{number}")
    assert total == 0 and len(ledger) <= 2001
    corrected = correct(ledger, *PLACE, "c", "1", "", "2", D(1), D(99))
    assert corrected is not None and (corrected.qty, corrected.value) == (D(0), D(-1))
    busted = bust(ledger, *PLACE, "b", "2", "", "1")
    assert busted is not None and busted.signed_qty() == -1
    for number in range(300):
        ledger.begin_record(21_000 + number)
        assert ledger.trade(*PLACE, str(number), "", "12"[number % 2], D(1), D(100)) is None


def test_a_cancel_whose_answer_left_memory_is_not_answered_again(ring: Filling) -> None:
    """It was on its way when its order was closed, and said again it was refused; then what was on its way was sent."""
    order = ring.new(500)
    ring.sent(order)
    ring.report(order, "0", "0", order_id="V500")
    ring.request(CancelRequest(0, 501, 500))
    cancel = ring.last(CancelOrder)
    ring.report(order, "4", "4", order_id="V500")
    ring.request(CancelRequest(0, 501, 500))
    assert ring.outcomes()[-1] == (501, "refused")
    for number in range(502, 502 + 2 * SMALL.remembered):
        ring.filled(number)
    told = ring.outcomes()
    ring.sent(cancel)
    assert ring.outcomes() == told
    ring.request(CancelRequest(0, 501, 500))
    assert ring.outcomes()[-1] == (501, "refused")

"""What leaves memory is still known: an outcome is never told differently for having been forgotten."""

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from random import Random

import msgspec
import pytest

from common.actor.core import Note
from common.messages import (
    CancelRequest,
    CommandOutcome,
    Kind,
    NewOrder,
    NewOrderRequest,
    OrderEvent,
    OrderStatus,
    PositionChanged,
    QueryAnswer,
    QueryRequest,
    Reason,
    Terms,
    Unreadable,
    Withdrawn,
)
from common.orders.books import Books, Bounds
from common.orders.fills import Fill
from common.orders.fold import Fold
from common.orders.forgotten import LookUpFailed
from common.orders.index import Index
from common.orders.index_file import COVER_RECORDS, FORMAT, IndexFailed, IndexFile, IndexTooNew, sync_index
from common.orders.names import Remembered
from common.orders.snapshots import dump_books, load_books
from services.orders.core import OrdersCore
from tests.services.orders.harness import D, Forgetful, Ring, report

OUTCOME = Remembered(b"n12345678", (1, 2), "refused", Reason.BAD_TICK, "why", 7)


SMALL = Bounds(closed_orders=2, remembered=3, retired_fills=2)


class Counting(IndexFile):
    """Keeps what was put."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.puts: list[str] = []

    def put_command(self, strategy: str, number: int, remembered: Remembered) -> None:
        self.puts.append(f"command {number}")
        super().put_command(strategy, number, remembered)

    def put_order(self, order: OrderEvent, cl_ord_ids: list[str]) -> None:
        self.puts.append(f"order {order.number}")
        super().put_order(order, cl_ord_ids)


@pytest.fixture(params=["memory", "file"])
def ring(request: pytest.FixtureRequest, tmp_path: Path) -> Forgetful:
    """With ten orders filled, eight of them forgotten."""
    index = Index() if request.param == "memory" else IndexFile(tmp_path / "i" / "orders.sqlite")
    ring = Forgetful(index, SMALL)
    for number in range(1, 11):
        command = ring.new(number)
        ring.sent(command)
        ring.report(command, "F", "2", qty="1", key=f"t{number}")
    return ring


def test_memory_is_bounded(ring: Forgetful) -> None:
    books = ring.core.books
    assert len(books.orders) == 2 and len(books.by_id) == 2 and len(books.by_order_id) == 2


def test_a_repeat_of_a_forgotten_command_is_answered_as_the_first(ring: Forgetful) -> None:
    before = len(ring.commands)
    ring.request(NewOrderRequest(0, 1, "generic", "BTCUSDT", Terms("1", "2", D(1), D(100))))
    last = ring.clients[b"p"][-1]
    assert isinstance(last, CommandOutcome) and (last.outcome, last.repeat) == ("sent", True)
    ring.request(NewOrderRequest(0, 2, "generic", "BTCUSDT", Terms("1", "2", D(9), D(100))))
    assert ring.clients[b"p"][-1].reason is Reason.NAME_REUSED
    assert len(ring.commands) == before


def test_a_forgotten_order_is_shown_and_cannot_be_cancelled(ring: Forgetful) -> None:
    ring.entry(b"q", QueryRequest("order", "s", 1))
    answer = ring.clients[b"q"][-1]
    assert isinstance(answer, QueryAnswer)
    assert [(order.number, order.status.value, order.cum_qty) for order in answer.orders] == [(1, "FILLED", D(1))]
    ring.request(CancelRequest(0, 11, 1))
    assert ring.clients[b"p"][-1].reason is Reason.ORDER_CLOSED


def test_a_late_fill_of_a_forgotten_order_finds_its_strategy(ring: Forgetful) -> None:
    command = next(c for c in ring.commands if isinstance(c, NewOrder) and c.number == 1)
    ring.told("generic", report(command, "F", "2", qty="0.5", key="late"))
    told = [message for message in ring.clients[b"p"] if isinstance(message, OrderEvent | PositionChanged)]
    event, own = next(each for each in reversed(told) if isinstance(each, OrderEvent)), told[-1]
    assert isinstance(own, PositionChanged) and own.own_quantity == D("10.5")
    assert (event.number, event.event, event.last_qty, event.cum_qty) == (1, "trade", D("0.5"), D("1.5"))
    assert ring.core.books.positions["generic", "BTCUSDT"].quantity == D("10.5")


def _closed(ring: Forgetful, number: int) -> OrderEvent:
    ring.entry(b"q", QueryRequest("order", "s", number))
    shown: OrderEvent = ring.clients[b"q"][-1].orders[0]
    return shown


@pytest.mark.parametrize(
    ("exec_type", "qty", "px", "event", "cum_qty", "avg_px"),
    [("G", "1", "90", "trade_correct", "1", "90"), ("G", "0.4", "100", "trade_correct", "0.4", "100"),
     ("H", "1", "100", "trade_cancel", "0", "0")],
)  # fmt: skip
def test_a_late_correction_or_bust_of_a_forgotten_order_is_told_as_what_it_is(
    ring: Forgetful, exec_type: str, qty: str, px: str, event: str, cum_qty: str, avg_px: str
) -> None:
    command = next(c for c in ring.commands if isinstance(c, NewOrder) and c.number == 1)
    for _ in range(2):
        ring.told("generic", report(command, exec_type, "2", qty=qty, px=px, key="g1", reference_trade_key="t1"))
    told = [m for m in ring.clients[b"p"] if isinstance(m, OrderEvent) and m.trade_key == "g1"]
    assert [(m.event, m.last_qty, m.reference_trade_key) for m in told] == [(event, D(0), "t1")]
    for shown in (told[0], _closed(ring, 1)):
        assert (shown.cum_qty, shown.avg_px) == (D(cum_qty), D(avg_px))
    assert ring.core.books.positions["generic", "BTCUSDT"].quantity == D(9) + D(cum_qty)


@pytest.mark.parametrize("ring", ["file"], indirect=True)
@pytest.mark.parametrize(("covered", "replayed"), [(True, 10_000), (False, 10_000), (True, 0), (False, 0)])
def test_a_late_fill_counts_once_in_its_order_however_often_the_log_is_read(
    ring: Forgetful, covered: bool, replayed: int
) -> None:
    """`covered`: the index was written before the process died. `replayed`: so many records are told again."""
    ring.settings = msgspec.structs.replace(ring.settings, replayed_events=replayed)
    command = next(c for c in ring.commands if isinstance(c, NewOrder) and c.number == 1)
    ring.index.write(ring.core.books.lsn)
    begun = dump_books(ring.core.books)
    ring.told("generic", report(command, "F", "2", qty="0.5", key="late"))
    assert isinstance(ring.index, IndexFile)
    if covered:
        ring.index.write(ring.core.books.lsn)
    ring.index = IndexFile(ring.index._path)
    for _ in range(2):
        facts = {name: account.facts for name, account in ring.settings.accounts.items()}
        books = load_books(begun, facts, bounds=SMALL, memory=ring.index)
        ring.core = OrdersCore(ring.settings, books, ring.index)
        ring.core.started(ring.now)
        ring.settle()
        ring.go_live()
        assert _closed(ring, 1).cum_qty == D("1.5")
    assert ring.core.books.positions["generic", "BTCUSDT"].quantity == D("10.5")


def test_a_repeated_fill_of_a_forgotten_order_counts_once(ring: Forgetful) -> None:
    command = next(c for c in ring.commands if isinstance(c, NewOrder) and c.number == 1)
    ring.told("generic", report(command, "F", "2", qty="1", key="t1"))
    assert ring.core.books.positions["generic", "BTCUSDT"].quantity == D(10)


def test_a_fold_without_an_index_forgets_alike(ring: Forgetful) -> None:
    facts = {name: account.facts for name, account in ring.settings.accounts.items()}
    books = Books(facts, bounds=SMALL)
    fold = Fold(books)
    for record in ring.journal.records:
        fold.apply(record)
    live = ring.core.books
    assert (books.orders.keys(), books.names.dump()) == (live.orders.keys(), live.names.dump())
    assert len(books.orders) == 2 and books.digest() == live.digest()


def test_an_order_that_left_memory_is_not_asked_about_any_more(ring: Forgetful) -> None:
    doubtful = ring.new(11)
    ring.sent(doubtful)
    ring.report(doubtful, "4", "4")
    ring.told("generic", Unreadable(doubtful.cl_ord_id, "", "", "BTCUSDT", "odd"))
    assert ring.core.status(ring.now)["accounts"]["generic"]["doubts"] == 1  # type: ignore[index]
    for number in (12, 13, 14):
        command = ring.new(number)
        ring.sent(command)
        ring.report(command, "4", "4")
    assert ("s", 11) not in ring.core.books.orders
    ring.pass_time(6_000)
    ring.commands.clear()
    ring.pass_time(6_000)
    assert ring.commands == []
    assert ring.core.status(ring.now)["accounts"]["generic"]["doubts"] == 0  # type: ignore[index]


def test_an_order_whose_fills_are_to_come_stays_in_memory_and_is_asked_about(ring: Forgetful) -> None:
    incomplete = ring.new(11)
    ring.sent(incomplete)
    ring.report(incomplete, "4", "4", cum_qty=D("0.5"))
    for number in (12, 13, 14):
        command = ring.new(number)
        ring.sent(command)
        ring.report(command, "4", "4")
    assert ("s", 11) in ring.core.books.orders and ("s", 12) not in ring.core.books.orders
    ring.commands.clear()
    ring.pass_time(12_000)
    assert ring.commands
    ring.report(incomplete, "F", "4", qty="0.5", key="7", cum_qty=D("0.5"))
    for number in (15, 16):
        command = ring.new(number)
        ring.sent(command)
        ring.report(command, "4", "4")
    assert ("s", 11) not in ring.core.books.orders


def test_what_an_incomplete_index_does_not_know_is_refused_not_expired(ring: Forgetful) -> None:
    ring.index.complete = False
    ring.new(20)
    ring.request(NewOrderRequest(0, 15, "generic", "BTCUSDT", Terms("1", "2", D(1), D(100))))
    assert ring.clients[b"p"][-1].reason is Reason.DUPLICATE_NAME


def test_a_replay_puts_only_what_the_index_does_not_cover(tmp_path: Path) -> None:
    index = Counting(tmp_path / "orders.sqlite")
    ring = Forgetful(index, SMALL)
    for number in range(1, 11):
        command = ring.new(number)
        ring.sent(command)
        ring.report(command, "F", "2", qty="1", key=f"t{number}")
    index.write(ring.core.books.lsn)
    assert sorted(index.puts) == [*(f"command {n}" for n in range(1, 8)), *(f"order {n}" for n in range(1, 9))]
    index.puts.clear()
    ring.start()
    ring.go_live()
    assert not index.puts
    ring.hello()
    ring.sent(ring.new(11))
    assert index.puts == ["command 8"]


def test_rows_outlive_the_process(tmp_path: Path) -> None:
    path = tmp_path / "orders.sqlite"
    first = IndexFile(path)
    first.put_command("s", 1, OUTCOME)
    first.write(41)
    first.put_command("s", 2, OUTCOME)
    first.close()
    again = IndexFile(path)
    assert again.covered_lsn == 41
    assert again.command("s", 1) == OUTCOME and again.command("s", 2) is None
    again.close()


def test_whatever_a_power_loss_leaves_is_covered_as_far_as_it_says(tmp_path: Path) -> None:
    path = tmp_path / "orders.sqlite"
    first = IndexFile(path)
    for lsn in range(1, 9):
        first.put_command("s", lsn, OUTCOME)
        first.write(lsn)
    database, unsynced = path.read_bytes(), Path(f"{path}-wal").read_bytes()
    first.close()
    seen: set[int] = set()
    for kept in range(0, len(unsynced) + 2999, 2999):
        for torn in (unsynced[:kept], unsynced[:kept].ljust(len(unsynced), b"\0")):
            left = tmp_path / "left" / "orders.sqlite"
            left.parent.mkdir(exist_ok=True)
            left.write_bytes(database)
            Path(f"{left}-wal").write_bytes(torn)
            again = IndexFile(left)
            found = [number for number in range(1, 9) if again.command("s", number) == OUTCOME]
            assert found == list(range(1, again.covered_lsn + 1)) and again.complete
            seen.add(again.covered_lsn)
            again.close()
    assert seen == set(range(9))


def test_what_was_synced_needs_nothing_of_the_unsynced_file(tmp_path: Path) -> None:
    path = tmp_path / "orders.sqlite"
    assert sync_index(path) == 0
    first = IndexFile(path)
    first.put_command("s", 1, OUTCOME)
    first.write(41)
    assert sync_index(path) == 41
    left = tmp_path / "left.sqlite"
    left.write_bytes(path.read_bytes())
    first.put_command("s", 2, OUTCOME)
    first.write(42)
    again = IndexFile(left)
    assert (again.covered_lsn, again.command("s", 1), again.command("s", 2)) == (41, OUTCOME, None)
    again.close()
    assert sync_index(path) == 42
    first.close()


def test_a_file_that_is_no_index_is_not_synced_but_named(tmp_path: Path) -> None:
    path = tmp_path / "orders.sqlite"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(OSError, match=re.escape(str(path))):
        sync_index(path)


def test_how_far_the_log_is_covered_is_written_down_without_rows(tmp_path: Path) -> None:
    path = tmp_path / "orders.sqlite"
    first = IndexFile(path)
    first.flush(COVER_RECORDS - 1)
    assert first.covered_lsn == 0
    first.flush(COVER_RECORDS)
    first.close()
    again = IndexFile(path)
    assert again.covered_lsn == COVER_RECORDS
    again.close()


@pytest.fixture
def covered(tmp_path: Path) -> Path:
    """An index that holds one command and covers 5000 records."""
    path = tmp_path / "orders.sqlite"
    index = IndexFile(path)
    index.put_command("s", 1, OUTCOME)
    index.write(5000)
    index.close()
    return path


@pytest.fixture
def locked(covered: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    connect = sqlite3.connect
    other = connect(covered, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    other.execute("UPDATE covered SET lsn = lsn")
    monkeypatch.setattr(sqlite3, "connect", lambda path: connect(path, timeout=0.05))
    yield covered
    other.close()
    monkeypatch.undo()
    index = IndexFile(covered)
    assert (index.covered_lsn, index.command("s", 1), index.complete) == (5000, OUTCOME, True)
    index.close()


def test_a_locked_index_is_named_and_left_as_it_is(locked: Path) -> None:
    with pytest.raises(IndexFailed, match=re.escape(str(locked))) as error:
        IndexFile(locked)
    assert error.value.path == locked and "start again" in str(error.value)
    with pytest.raises(IndexFailed):
        sync_index(locked)


@pytest.mark.parametrize("code", ["SQLITE_FULL", "SQLITE_IOERR_SHMSIZE", "SQLITE_CANTOPEN", "SQLITE_READONLY"])
def test_a_full_disk_at_the_start_leaves_the_index_as_it_is(
    covered: Path, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    before = covered.read_bytes()

    def refuse(_path: Path) -> sqlite3.Connection:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = getattr(sqlite3, code)
        raise error

    monkeypatch.setattr(sqlite3, "connect", refuse)
    with pytest.raises(IndexFailed, match="Make room"):
        IndexFile(covered)
    assert covered.read_bytes() == before


def test_a_broken_index_is_made_anew(covered: Path) -> None:
    data = bytearray(covered.read_bytes())
    data[100:4096] = b"\xff" * (4096 - 100)
    covered.write_bytes(data)
    index = IndexFile(covered)
    assert (index.covered_lsn, index.command("s", 1), index.complete) == (0, None, True)
    index.close()


@pytest.mark.parametrize("columns", ["one, lsn, format", "one, lsn"])
def test_an_index_of_an_unknown_form_is_made_anew(tmp_path: Path, columns: str) -> None:
    path = tmp_path / "orders.sqlite"
    with sqlite3.connect(path) as database:
        database.execute(f"CREATE TABLE covered ({columns})")
        database.execute(f"INSERT INTO covered VALUES ({', '.join('1' for _ in columns.split(', '))})")
    database.close()
    index = IndexFile(path)
    assert index.covered_lsn == 0
    index.write(7)
    index.close()
    assert sync_index(path) == 7


@pytest.mark.parametrize("form", [2, 3, 4])
def test_an_index_of_the_forms_before_is_taken_over(covered: Path, form: int) -> None:
    with sqlite3.connect(covered) as database:
        if form == 2:
            database.execute("ALTER TABLE covered DROP COLUMN lost_lsn")
        for table in ("covered", "commands", "orders", "names") if form < 4 else ("covered",):
            database.execute(f"ALTER TABLE {table} DROP COLUMN seal")
        database.execute("DROP TABLE fills")
        database.execute("UPDATE covered SET format = ?", (form,))
    database.close()
    index = IndexFile(covered)
    assert (index.covered_lsn, index.command("s", 1), index.complete) == (0, OUTCOME, True), "it has no fills yet"
    index.lost_before(4000)
    assert (index.covered_lsn, index.complete) == (4000, True), "its names are whole"
    index.close()
    index = IndexFile(covered)
    assert (index.covered_lsn, index.command("s", 1), index.complete) == (4000, OUTCOME, True)
    index.close()


def test_an_index_of_a_later_form_is_left_to_the_program_that_wrote_it(
    covered: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("common.orders.index_file.FORMAT", FORMAT + 1)
    monkeypatch.setattr("common.orders.index_file._FORMATS_BEFORE", (FORMAT,))
    IndexFile(covered).close()
    monkeypatch.undo()
    before = covered.read_bytes()
    with pytest.raises(IndexTooNew, match=f"of form {FORMAT + 1}.*use the newer program"):
        IndexFile(covered)
    assert covered.read_bytes() == before


def test_a_lost_index_covers_the_log_again_from_the_snapshot_and_stays_incomplete(tmp_path: Path) -> None:
    path = tmp_path / "orders.sqlite"
    index = IndexFile(path)
    index.lost_before(900)
    assert (index.covered_lsn, index.complete, sync_index(path)) == (900, False, 900)
    index.put_command("s", 1, OUTCOME)
    index.write(3000)
    assert sync_index(path) == 3000
    index.close()
    again = IndexFile(path)
    assert (again.covered_lsn, again.complete, again.command("s", 1)) == (3000, False, OUTCOME)
    again.write(4000)
    again.close()
    assert sync_index(path) == 4000


def test_rows_that_were_given_up_are_not_covered_though_others_were_lost_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "orders.sqlite"
    index = IndexFile(path)
    index.lost_before(900)
    monkeypatch.setattr("common.orders.index_file.MAX_WAITING", 1)
    with sqlite3.connect(path) as other:
        other.execute("ALTER TABLE commands RENAME TO elsewhere")
        index.put_command("s", 1, OUTCOME)
        index.write(1000)
        other.execute("ALTER TABLE elsewhere RENAME TO commands")
    other.close()
    index.write(2000)
    assert not index.complete and sync_index(path) == 900
    index.close()


def test_garbage_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "orders.sqlite"
    path.write_bytes(b"not a database" * 100)
    index = IndexFile(path)
    index.put_command("s", 1, OUTCOME)
    index.write(5)
    assert index.command("s", 1) == OUTCOME
    index.close()


def test_a_disk_that_takes_nothing_does_not_stop_the_order_manager(tmp_path: Path) -> None:
    index = IndexFile(tmp_path / "orders.sqlite")
    index.close()
    index.put_command("s", 1, OUTCOME)
    index.write(5)
    assert index.failure and index.complete
    assert index.command("s", 1) == OUTCOME
    assert index.command("s", 2) is None and not index.complete


def withdraw_a_forgotten_command(ring: Forgetful) -> None:
    """Number 11 was sent; then so many more that its outcome left memory; then it was withdrawn."""
    early = ring.new(11)
    ring.sent(early)
    for number in range(12, 16):
        ring.sent(ring.new(number))
    withdrawn = Withdrawn("generic", 1, 1, 11, early.attempt, Reason.LATE)
    ring.record("session@generic", Kind.WITHDRAWN, withdrawn)


def test_a_withdrawal_of_a_command_that_left_memory_is_told(ring: Forgetful) -> None:
    withdraw_a_forgotten_command(ring)
    assert ring.events()[-1] == (11, "withdrawn", "WITHDRAWN") and ring.outcomes()[-1] == (11, "withdrawn")


def test_a_repeat_of_a_command_that_was_withdrawn_after_it_left_memory_is_told_so(ring: Forgetful) -> None:
    withdraw_a_forgotten_command(ring)
    ring.request(NewOrderRequest(0, 11, "generic", "BTCUSDT", Terms("1", "2", D(1), D(100))))
    assert ring.outcomes()[-1] == (11, "withdrawn")


# ---- damage ----


HIGHEST = (1 << 64) - 1
ENDED = OrderEvent(
    9, 0, "maker 2", HIGHEST, "canceled", OrderStatus.CANCELED, "generic", "BTCUSDT", Terms("1", "2", D(1), D(100)),
    D(0), D(0), D(0), "a-1", "V1", label="x" * 300,
)  # fmt: skip

FILL = Fill("a-1", "1", D(1), D(100), D("0.001"), "BTC", True, "3/78", "V1")


def filled(path: Path) -> IndexFile:
    """An index with rows of every kind, some of them of numbers and texts that no link lets in any more."""
    index = IndexFile(path)
    for number in (1, 2, (1 << 63) - 1, 1 << 63, HIGHEST):
        index.put_command("maker 2", number, OUTCOME)
    index.put_order(ENDED, ["a-1", "a-2", ""])
    index.put_fills(("generic", "BTCUSDT", "3/77"), 4000, [FILL])
    index.write(5000)
    return index


def everything(index: IndexFile) -> tuple[object, ...]:
    """What every look-up says."""
    commands = [index.command("maker 2", number) for number in (1, 2, (1 << 63) - 1, 1 << 63, HIGHEST, 77)]
    names = [index.name_of(name) for name in ("a-1", "a-2", "", "a-3")]
    fills = [*index.fills(("generic", "BTCUSDT", "3/77"), 4000), *index.keys_of("generic", "BTCUSDT", "77", 4000)]
    assert not index.fills(("generic", "BTCUSDT", "3/77"), 3999), "later than that it left memory"
    return (*commands, *names, *fills, index.order("maker 2", HIGHEST), index.order("maker 2", 1))


def test_numbers_of_64_bits_are_put_and_found(tmp_path: Path) -> None:
    filled(tmp_path / "i").close()
    index = IndexFile(tmp_path / "i")
    assert everything(index) == (*[OUTCOME] * 5, None, *[("maker 2", HIGHEST)] * 3, None, FILL, "3/77", ENDED, None)
    index.close()


def damaged(path: Path, whole: bytes, at: int, bits: int) -> IndexFile:
    """What a process starts on where one byte of the file is another one."""
    data = bytearray(whole)
    data[at] ^= bits
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    path.write_bytes(data)
    return IndexFile(path)


def test_an_index_with_any_byte_changed_is_as_it_was_or_made_anew_and_said(tmp_path: Path) -> None:
    path = tmp_path / "i"
    filled(path).close()
    whole = path.read_bytes()
    sound = IndexFile(path)
    told = everything(sound)
    sound.close()
    random = Random(13)
    # Where nothing stands a change means little: some of the bytes that are no zero, and a few of the others.
    places = random.sample([at for at, byte in enumerate(whole) if byte], 40) + random.sample(range(len(whole)), 10)
    anew = 0
    for at in places:
        index = damaged(path, whole, at, 1 << random.randrange(8))
        if index.made_anew:
            anew += 1
            assert (index.covered_lsn, index.complete, set(everything(index))) == (0, True, {None}), at
        else:
            assert (index.covered_lsn, index.complete, everything(index)) == (5000, True, told), at
        index.write(6000)
        index.close()
        assert sync_index(path) == 6000, at
    assert anew > len(places) / 2


def test_a_row_that_is_damaged_while_the_process_lives_is_missing_and_said(tmp_path: Path) -> None:
    path = tmp_path / "i"
    index = filled(path)
    other = sqlite3.connect(path)
    with other:
        other.execute("UPDATE commands SET row = zeroblob(20) WHERE number = 2")
        other.execute("UPDATE names SET number = 5 WHERE cl_ord_id = 'a-1'")
    other.close()
    assert index.command("maker 2", 1) == OUTCOME
    assert index.complete and not index.failure
    assert index.command("maker 2", 2) is None
    assert not index.complete and index.failure == "a row of commands is damaged"
    with pytest.raises(LookUpFailed, match="a row of names is damaged"):
        index.name_of("a-1")
    index.write(7000)
    index.close()
    again = IndexFile(path)
    assert again.made_anew and again.covered_lsn == 0
    again.close()


def test_zeroed_pages_are_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "i"
    filled(path).close()
    whole = path.read_bytes()
    for page in range(len(whole) // 4096):
        path.write_bytes(whole[: page * 4096] + bytes(4096) + whole[(page + 1) * 4096 :])
        index = IndexFile(path)
        assert index.made_anew and index.covered_lsn == 0, page
        index.close()


def test_nothing_but_its_own_error_comes_out_of_an_index(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(IndexFailed):
        IndexFile(tmp_path / "file" / "orders.sqlite")
    (tmp_path / "folder").mkdir()
    with pytest.raises(IndexFailed):
        IndexFile(tmp_path / "folder")


def test_orders_says_that_its_index_was_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "i"
    path.write_bytes(b"no index" * 600)
    ring = Ring()
    core = OrdersCore(ring.settings, None, IndexFile(path))
    core.started(ring.now)
    (note,) = [effect for effect in core.effects if isinstance(effect, Note)]
    assert (note.event, note.fields) == ("index_made_anew", {"why": "its header is damaged"})

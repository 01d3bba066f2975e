"""Invariants: the desk shows what the log says, no more than is marked, and says how old that is."""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence

import msgspec
import pytest

from common.actor.control import Answers, NotRunning, Question
from common.actor.order_books import account_facts
from common.config import Config, Reach
from common.instant import NS_PER_S, Instant
from common.journal import OsFiles, Record, iterate
from common.messages import DayBegan, Kind, OperatorAct, SessionChanged, SessionState, encode
from common.orders.books import Books, Bounds
from common.orders.fills import Fill
from common.orders.fold import Fold
from common.orders.forgotten import Forgotten, ForgottenOrder, TradeId
from scripts.bench.long_journal import write_long_journal
from services.desk import documents
from services.desk.documents import Seen
from services.desk.hub import QUEUED, Hub
from services.desk.stack import Stack
from services.desk.tail import Tail
from services.desk.view import View

ConfigWith = Callable[..., Config]
STAMP_NS = 1_790_000_000_000_000_000
RECORDS = 3_000


@pytest.fixture
def config(config_with: ConfigWith) -> Config:
    return config_with()


def read_all(tail: Tail) -> None:
    while tail.read_on():
        pass


class NothingKept(Forgotten):
    """What leaves memory goes nowhere, as if into a file."""

    def put_fills(self, trade_id: TradeId, lsn: int, fills: list[Fill]) -> None:
        pass

    def put_names(self, cl_ord_ids: list[str], order: ForgottenOrder, lsn: int) -> None:
        pass


def held(of: object, seen: set[int]) -> int:
    """How many things all containers have that `of` leads to."""
    if id(of) in seen or isinstance(of, str | bytes | type):
        return 0
    seen.add(id(of))
    inner: list[object] = [getattr(of, name) for name in getattr(of, "__struct_fields__", ())]
    inner += getattr(of, "__dict__", {}).values()
    count = 0
    if isinstance(of, Mapping):
        count, inner = len(of), [*inner, *of.values()]
    elif isinstance(of, list | set | frozenset | deque | tuple):
        count, inner = len(of), [*inner, *of]
    return count + sum(held(each, seen) for each in inner)


def seen_of(config: Config, tail: Tail, wall_ns: int) -> Seen:
    return Seen(config, tail, Stack(config), Instant(wall_ns, 0), time.monotonic())


def test_without_a_journal_the_page_says_so_and_nothing_is_shown_as_of_now(config: Config) -> None:
    tail = Tail(config)
    assert not tail.read_on() and tail.lag_s(STAMP_NS) is None
    head = documents.head(seen_of(config, tail, STAMP_NS))
    assert head["log_stale"] and head["stack_stale"] and head["lag_s"] is None
    assert "no journal yet" in head["troubles"][0]["text"]


def test_what_is_shown_is_what_the_one_fold_says(config: Config) -> None:
    last = write_long_journal(config.journal_folder, RECORDS, STAMP_NS)
    tail = Tail(config)
    read_all(tail)
    assert tail.view is not None and tail.behind == 0 and tail.view.books.lsn == last
    fold = Fold(Books(account_facts(config)))
    for record in iterate(config.journal_folder, OsFiles()):
        fold.apply(record)
    assert tail.view.books.digest() == fold.books.digest()
    commands = tail.view.books.names.dump()[1], fold.books.names.dump()[1]
    shown_of, all_of = ([(*who, *msgspec.structs.astuple(what)) for *who, what in each] for each in commands)
    # Who asks for what was asked before is answered by the order manager alone.
    assert [row[3:] for row in shown_of] == [row[3:] for row in all_of]
    assert {row[2] for row in shown_of} == {b""} and b"" not in {row[2] for row in all_of}
    shown = documents.orders(seen_of(config, tail, STAMP_NS))["rows"]
    assert {row["name"] for row in shown if row["open"]} == {
        f"{order.strategy}/{order.number}" for orders in fold.books.open.values() for order in orders.values()
    }
    assert shown and tail.view.fills and sum(tally.outcomes["sent"] for tally in tail.view.tallies.values())


def test_what_the_journal_stops_writing_is_shown_older_and_older(config: Config) -> None:
    write_long_journal(config.journal_folder, RECORDS, STAMP_NS)
    tail = Tail(config)
    read_all(tail)
    assert tail.view is not None
    last_ns = tail.view.books.stamp_ns
    fresh = documents.head(seen_of(config, tail, last_ns + NS_PER_S))
    assert (fresh["lag_s"], fresh["log_stale"]) == (1.0, False)
    old = documents.head(seen_of(config, tail, last_ns + 60 * NS_PER_S))
    assert old["log_stale"] and "60 s old" in old["troubles"][-1]["text"]


def test_of_orders_that_came_and_went_between_two_looks_a_page_is_told_and_of_shown_ones_every_end(
    config: Config,
) -> None:
    write_long_journal(config.journal_folder, RECORDS, STAMP_NS)
    tail = Tail(config)
    read_all(tail)
    view = tail.view
    assert view is not None and len(view.books.closed) > 2 * documents.CLOSED_SHOWN
    told = documents.changed_orders(view)
    assert told is not None and len(told) == documents.CLOSED_SHOWN
    assert [row["lsn"] for row in told] == sorted(row["lsn"] for row in told)
    assert documents.changed_orders(view) == []
    # As if all of them had stood on the page as open, and ended since.
    names = [*view.books.closed][: 2 * documents.CLOSED_SHOWN]
    view.take_changed()
    for name in names:
        view.note_changed({name: view.books.orders[name]})
    ended = documents.changed_orders(view)
    assert ended is not None and {row["name"] for row in ended} == {f"{who}/{number}" for who, number in names}


def test_what_is_held_of_orders_that_are_over_does_not_grow(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody asks the desk for the digest of its books, as the order manager's are asked for."""
    monkeypatch.setattr("common.orders.books.ENDED_ORDERS", 50)
    write_long_journal(config.journal_folder, 4 * RECORDS, STAMP_NS)
    bounds = Bounds(closed_orders=50, remembered=50, retired_fills=50)
    view = View(Books(account_facts(config), bounds=bounds, memory=NothingKept()))
    counts = []
    for record in iterate(config.journal_folder, OsFiles()):
        view.apply(record)
        if record.lsn % RECORDS == 0:
            view.take_changed()
            counts.append(held(view, set()))
    assert max(counts[2:]) < counts[1] + 100, counts


def test_more_changes_than_a_page_holds_are_told_as_the_whole_page(config: Config) -> None:
    write_long_journal(config.journal_folder, 5 * RECORDS, STAMP_NS)
    tail = Tail(config)
    read_all(tail)
    view = tail.view
    assert view is not None and len(view.books.orders) > documents.OPEN_SHOWN
    view.take_changed()
    view.note_changed(view.books.orders)
    assert documents.changed_orders(view) is None


def test_an_act_is_shown_with_its_name_and_only_changed_orders_are_told_again(config: Config) -> None:
    write_long_journal(config.journal_folder, RECORDS, STAMP_NS)
    tail = Tail(config)
    read_all(tail)
    view = tail.view
    assert isinstance(view, View)
    assert documents.changed_orders(view) and not documents.changed_orders(view)
    act = OperatorAct("risk", "halt", "alice/desk", "firm")
    lsn, stamp_ns = view.books.lsn + 1, view.books.stamp_ns
    view.apply(Record(lsn, stamp_ns, int(Kind.OPERATOR), "risk", 1, 1, 1, lsn, encode(act)))
    watch = OperatorAct("strategy@maker", "silent", "orders", "")
    view.apply(Record(lsn + 1, stamp_ns, int(Kind.OPERATOR), "orders", 1, 1, 1, lsn, encode(watch)))
    told = documents.overview(seen_of(config, tail, stamp_ns))["last_act"]
    assert (told["by"], told["act"], told["text"], told["actor"]) == ("alice/desk", "halt", "firm", "risk")


def test_a_logon_counts_for_the_day_in_which_it_was_whenever_the_log_is_told_of_that_day(config: Config) -> None:
    view = View(Books(account_facts(config)))
    logon = SessionChanged("generic", 1, 1, SessionState.LOGGED_ON, 1, 1)
    steps = [
        ("session@generic", Kind.SESSION, logon, 1),
        ("risk", Kind.DAY_BEGAN, DayBegan("2026-09-20", "UTC", STAMP_NS), 2),
        ("session@generic", Kind.SESSION, logon, 3),
        ("session@generic", Kind.SESSION, logon, 5),
        ("risk", Kind.DAY_BEGAN, DayBegan("2026-09-21", "UTC", STAMP_NS + 4 * NS_PER_S), 6),
    ]  # fmt: skip
    counts = []
    for lsn, (writer, kind, payload, second) in enumerate(steps, 1):
        stamp_ns = STAMP_NS + second * NS_PER_S
        view.apply(Record(lsn, stamp_ns, int(kind), writer, 1, 1, 1, lsn, encode(payload)))
        counts.append(view.logons("generic"))
    assert counts == [1, 1, 2, 3, 1] and view.logons("binance") == 0


def test_a_strategy_that_was_added_since_is_asked_and_shown(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def answer(_reach: Reach, questions: Sequence[Question], _timeout_s: float, *, role: str) -> Answers:
        asked[:] = [name for name, _, _ in questions]
        answers = Answers()
        for name in asked:
            answers.errors[name] = NotRunning("it does not run")
        child = {"phase": "running", "restarts": 0}
        answers.details["supervisor-strategies"] = {"actors": {"strategy@added": child}}
        answers.details["strategy@added"] = {"state": "live"}
        return answers

    monkeypatch.setattr("services.desk.stack.ask_all", answer)
    seen = seen_of(config, Tail(config), STAMP_NS)
    seen.stack.ask()
    seen.stack.ask()
    assert "strategy@added" in asked
    rows = {row["name"]: row["state"] for row in documents.overview(seen)["strategies"]}
    assert rows["added"] == "live"


def test_who_reads_too_slowly_gets_the_whole_page_again_and_holds_nothing_up() -> None:
    hub = Hub()
    slow = hub.join("orders")
    for nth in range(3 * QUEUED):
        hub.tell("orders", lambda: {"whole": True}, {"nth": nth})
        assert slow.queue.qsize() <= QUEUED
    told = [slow.queue.get_nowait() for _ in range(slow.queue.qsize())]
    assert b'{"whole":true}\n' in told
    hub.leave(slow)
    assert not hub.watched()

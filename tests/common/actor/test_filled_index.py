"""Invariant: what stands beside a log that follows another host's is what its own actors would have put there: whoever
starts by it comes to the state that the whole log gives and finds all that has left memory, wherever its making ended.
"""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest

from common.actor import snapshots
from common.actor.filled_index import fill_index, follows
from common.actor.snapshots import Made, fold_on, run_snapshot_program
from common.config import Config, load
from common.instant import Instant
from common.journal import OsFiles, Reader, iterate
from common.journal.claims import FOLLOWING, remove_claim, write_claim
from common.journal.snapshots import snapshot_folder, verified_lsns
from common.orders.books import Books, Bounds
from common.orders.fold import Fold
from common.orders.index_file import IndexFailed, IndexFile, index_path, sync_index
from scripts.bench.long_journal import write_long_journal
from services.orders import make_snapshot as orders
from services.orders.archive import Archive
from services.risk import make_snapshot as risk

FILES = OsFiles()
RECORDS = 4_000
WALL_NS = 1_790_000_000_000_000_000
PROGRAMS = {"orders": (orders, False), "risk": (risk, True)}


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("journal") / "journal"
    write_long_journal(folder, RECORDS, WALL_NS, segment_bytes=1 << 20)
    write_claim(str(folder), FILES, FOLLOWING, "journal of another host")
    return folder


@pytest.fixture
def config(tmp_path: Path, journal: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    found = load(environ={"FIXRING_VAR": str(tmp_path)})
    shutil.copytree(journal, found.journal_folder)
    monkeypatch.setattr(snapshots, "load", lambda: found)
    for place in ("common.orders.snapshots", "common.actor.order_books", "services.risk.make_snapshot"):
        monkeypatch.setattr(f"{place}.Books", forgetful_books)
    return found


def forgetful_books(*arguments: Any, **more: Any) -> Books:
    """Most of what is over leaves their memory at once, so that a short log fills an index."""
    return Books(*arguments, **{**more, "bounds": Bounds(closed_orders=50, remembered=50, retired_fills=50)})


def run(config: Config, name: str, capsys: pytest.CaptureFixture[str]) -> int:
    """The actor's snapshot program; where its snapshot stands."""
    module, past = PROGRAMS[name]
    path = index_path(config.journal_folder, name)
    capsys.readouterr()
    done = run_snapshot_program(name, module.loader, module.newest, lambda _: sync_index(path), for_the_past=past)
    said = capsys.readouterr()
    assert done == 0, said.err
    return msgspec.json.decode(said.out, type=Made).lsn


@contextmanager
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A clock by which a program folds two blocks of the log before its time is over."""
    seconds = count()
    with monkeypatch.context() as patched:
        patched.setattr(snapshots, "read_clocks", lambda: Instant(0, 10 * next(seconds)))
        for place in ("common.actor.snapshots", "common.actor.filled_index"):
            patched.setattr(f"{place}.LONGEST_FOLD_NS", 25)
        yield


def steps(config: Config, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Programs one after the other, each of which gets further, until the end is reached in the third or later."""
    at = [0]
    while at[-1] < end(config):
        at.append(run(config, name, capsys))
        assert at[-1] > at[-2]
    assert len(at) > 3


def end(config: Config) -> int:
    return Reader(config.journal_folder, FILES).durable_lsn()


def rows(config: Config, name: str) -> dict[str, list[tuple[object, ...]]]:
    """All that the index holds but how far it covers."""
    tables = ("commands", "orders", "names", "ended", "fills")
    with closing(sqlite3.connect(index_path(config.journal_folder, name))) as database:
        return {table: sorted(database.execute(f"SELECT * FROM {table}"), key=repr) for table in tables}


def as_orders_would(config: Config) -> tuple[bytes, dict[str, list[tuple[object, ...]]]]:
    """The state and the index that orders itself comes to, folding the whole log."""
    with closing(IndexFile(index_path(config.journal_folder))) as index:
        books = orders.starting_books(config, index, Reader(config.journal_folder, FILES))
        archive, fold = Archive(books, index), Fold(books)
        for record in iterate(config.journal_folder, FILES, upto_lsn=end(config)):
            archive.take_late(record, fold.apply(record))
        index.write(books.lsn)
    return books.digest(), rows(config, "orders")


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_folder_that_follows_gets_the_snapshot_of_its_end_and_the_index_that_it_needs(
    config: Config, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(config, name, capsys) == end(config)
    assert sync_index(index_path(config.journal_folder, name)) == end(config)
    remove_claim(str(config.journal_folder), FILES, FOLLOWING)
    assert not follows(config)
    with closing(IndexFile(index_path(config.journal_folder, name))) as index:
        reader = Reader(config.journal_folder, FILES)
        if name == "orders":
            assert orders.starting_books(config, index, reader).lsn == end(config)
        else:
            assert risk.starting_state(config, index, reader).lsn == end(config)
        assert not index.made_anew and index.complete


def test_in_a_folder_that_an_actor_writes_no_index_is_touched(
    config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    remove_claim(str(config.journal_folder), FILES, FOLLOWING)
    assert run(config, "orders", capsys) == 0
    assert not index_path(config.journal_folder).exists()


def test_a_log_of_any_length_is_got_along_in_bounded_steps_to_the_same_state_and_index(
    config: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with in_a_hurry(monkeypatch):
        steps(config, "orders", capsys)
    stepped = rows(config, "orders")
    books = orders.newest(config).books
    shutil.rmtree(Path(snapshot_folder(config.journal_folder)))
    shutil.rmtree(index_path(config.journal_folder).parent)
    assert (books.digest(), stepped) == as_orders_would(config)
    assert len(stepped["orders"]) > 500 and len(stepped["fills"]) > 500 and stepped["commands"]


class Killed(BaseException):
    """Nothing after it is done, as by `kill -9`."""


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("at", [1, 2])
def test_one_that_is_killed_while_it_folds_leaves_what_the_next_one_goes_on_from(
    config: Config, name: str, at: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with in_a_hurry(monkeypatch):
        begun = run(config, name, capsys)
    assert 0 < begun < end(config)
    left, whole = [at], IndexFile._write

    def write(index: IndexFile, lsn: int) -> None:
        left[0] -= 1
        if not left[0]:
            raise Killed
        whole(index, lsn)

    monkeypatch.setattr(IndexFile, "_write", write)
    with pytest.raises(Killed):
        run(config, name, capsys)
    folder, reader = snapshot_folder(config.journal_folder), Reader(config.journal_folder, FILES)
    assert verified_lsns(folder, FILES, name, reader, 2) == [begun]
    monkeypatch.setattr(IndexFile, "_write", whole)
    assert run(config, name, capsys) == end(config)
    stepped = rows(config, name)
    shutil.rmtree(Path(snapshot_folder(config.journal_folder)))
    shutil.rmtree(index_path(config.journal_folder).parent)
    assert run(config, name, capsys) == end(config)
    assert rows(config, name) == stepped


def test_an_index_that_is_damaged_is_made_anew_and_never_believed(
    config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    run(config, "orders", capsys)
    sound = rows(config, "orders")
    with closing(sqlite3.connect(index_path(config.journal_folder))) as database, database:
        database.execute("UPDATE orders SET seal = seal + 1")
    assert run(config, "orders", capsys) == end(config)
    assert rows(config, "orders") == sound


def test_an_index_that_does_not_take_its_rows_gives_no_snapshot(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_index: IndexFile, _lsn: int) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(IndexFile, "_write", refuse)
    with pytest.raises(IndexFailed, match="disk is full"):
        orders.newest(config)
    with pytest.raises(IndexFailed):
        fill_index(config, "risk", risk._begin_filling)


def test_a_program_writes_down_what_it_has_before_it_takes_too_long(
    config: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Beside a running stack too: one that was killed for it each time would never get anywhere."""
    remove_claim(str(config.journal_folder), FILES, FOLLOWING)
    with closing(IndexFile(index_path(config.journal_folder, "risk"))) as index:
        state = risk.starting_state(config, index, Reader(config.journal_folder, FILES))
        fold_on("risk", state, Reader(config.journal_folder, FILES))
        index.write(state.lsn)
    with in_a_hurry(monkeypatch):
        steps(config, "risk", capsys)

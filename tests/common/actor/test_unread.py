"""Not there, never written and could not look are three things: a start that could not look ends, and harms nothing."""

import errno
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from common.actor.order_books import Folded as FoldedOrders
from common.actor.order_books import newest_books
from common.actor.snapshots import make_snapshot
from common.config import CHECKOUT, Config, load
from common.journal import Entry, JournalError, Log, OsFiles, Reader
from common.journal.frames import EPOCH
from common.latch import Latch
from common.orders.index_file import IndexFile, index_path, sync_index
from scripts.bench.long_journal import write_long_journal
from services.orders.make_snapshot import starting_books
from services.risk.make_snapshot import newest_state
from services.session.make_snapshot import newest_folded
from services.snapshots.survey import survey

FILES = OsFiles()
WALL_NS = 1_790_000_000_000_000_000
CALLS = ("open", "listdir", "pread", "fstat")
"""What a start asks of the disk."""


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log whose first segments retention has dropped, with two snapshots of everybody who was there then."""
    folder = tmp_path_factory.mktemp("stored")
    config = load(environ={"FIXRING_VAR": str(folder)})
    write_long_journal(config.journal_folder, 1500, WALL_NS, segment_bytes=1 << 16)
    index = IndexFile(index_path(config.journal_folder))
    for lsn in (1000, 1400):
        index.write(lsn)
        make_snapshot(config, "orders", FoldedOrders(newest_books(config)), min(lsn, sync_index(index._path)))
        make_snapshot(config, "risk", newest_state(config), lsn)
        make_snapshot(config, "session@generic", newest_folded("generic", config), lsn)
    index.close()
    log = Log.open(config.journal_folder, FILES, wall_ns=WALL_NS, segment_bytes=1 << 16)
    assert log.drop_before(900)
    log.close()
    assert Reader(config.journal_folder, FILES).first_lsn() > 1
    return folder


@pytest.fixture
def config(tmp_path: Path, stored: Path) -> Config:
    shutil.copytree(stored, tmp_path, dirs_exist_ok=True)
    configs = tmp_path / "configs"
    shutil.copytree(CHECKOUT / "configs", configs)
    generic = (configs / "generic.toml").read_text()
    (configs / "other.toml").write_text(re.sub(r"^port = 9", "port = 8", generic, flags=re.MULTILINE))
    served = '["binance", "generic", "other"]'
    return load(configs, {"FIXRING_VAR": str(tmp_path), "FIXRING__STACK__VENUES": served})


def reader(config: Config) -> Reader:
    return Reader(config.journal_folder, FILES)


def orders_start(config: Config) -> object:
    index = IndexFile(index_path(config.journal_folder))
    try:
        books = starting_books(config, index, reader(config))
        return books.lsn, books.digest(), index.complete, index.covered_lsn
    finally:
        index.close()


def risk_start(config: Config) -> object:
    state = newest_state(config, reader(config))
    return state.lsn, state.digest()


def session_start(config: Config) -> object:
    folded = newest_folded("generic", config, reader(config))
    return folded.lsn, folded.digest()


def new_session_start(config: Config) -> object:
    folded = newest_folded("other", config, reader(config))
    return folded.lsn, folded.digest()


def latch_start(config: Config) -> object:
    latch = Latch(str(config.emergency_folder), "session@generic.latch", FILES)
    latch.load()
    return latch.set, latch.failure


STARTS: dict[str, Callable[[Config], object]] = {
    "orders": orders_start,
    "risk": risk_start,
    "session": session_start,
    "new session": new_session_start,
    "latch": latch_start,
}


@contextmanager
def failing(monkeypatch: pytest.MonkeyPatch, count: int, error: int) -> Iterator[list[str]]:
    """The call number `count` to the disk fails, once; those that were made are listed."""
    made: list[str] = []

    def wrapped(name: str) -> Callable[..., Any]:
        call = getattr(os, name)

        def instead(*arguments: Any, **named: Any) -> Any:
            made.append(name)
            if len(made) == count:
                raise OSError(error, os.strerror(error))
            return call(*arguments, **named)

        return instead

    with monkeypatch.context() as patch:
        for name in CALLS:
            patch.setattr(os, name, wrapped(name))
        yield made


@pytest.mark.parametrize("error", [errno.EMFILE, errno.EIO, errno.EACCES])
@pytest.mark.parametrize("actor", STARTS)
def test_a_start_whose_look_fails_once_ends_or_is_the_start_that_it_would_have_been(
    config: Config, monkeypatch: pytest.MonkeyPatch, actor: str, error: int
) -> None:
    latch = Latch(str(config.emergency_folder), "session@generic.latch", FILES)
    latch.load()
    latch.latch()
    start = STARTS[actor]
    right = start(config)
    with failing(monkeypatch, 0, error) as made:
        start(config)
    assert made
    ended = 0
    for count in range(1, len(made) + 1):
        found: object = None
        with failing(monkeypatch, count, error):
            try:
                found = start(config)
            except (OSError, JournalError):
                ended += 1
                continue
            finally:
                assert len(os.listdir(config.journal_folder)) > 2
        assert found == right, f"{made[count - 1]}, call {count}"
    assert ended
    assert start(config) == right, "the failed starts have changed what is there"


def test_a_session_that_never_wrote_begins_empty_at_the_first_record_kept(config: Config) -> None:
    first = reader(config).first_lsn()
    log = Log.open(config.journal_folder, FILES, wall_ns=WALL_NS, segment_bytes=1 << 16)
    log.append([Entry(EPOCH, "session@other", 1, 0, b"12345678")], WALL_NS)
    log.close()
    folded = newest_folded("other", config)
    assert folded.lsn >= first - 1 and not folded.history.generation
    for record in reader(config).read(folded.lsn + 1, 1 << 60):
        folded.apply(record)
    assert make_snapshot(config, "session@other", newest_folded("other", config)) > folded.lsn - 1


def test_a_session_that_wrote_what_is_kept_no_more_does_not_begin_empty(config: Config) -> None:
    for snapshot in (config.journal_folder / "snapshots").glob("session@generic-*"):
        snapshot.unlink()
    assert newest_folded("generic", config).lsn == 0, "its first record is asked for, and is named as missing"


def test_a_session_that_has_only_just_come_does_not_keep_the_whole_log(config: Config) -> None:
    names = ("orders", "risk", "session@generic", "session@other")
    loads: dict[str, set[int]] = {}
    for name in names:
        loads[name] = set(range(2000))
    found = survey(config.journal_folder, FILES, names, 1, loads)
    assert found.needed_lsn > 900 and found.drops

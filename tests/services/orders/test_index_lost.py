"""Where the log no longer has what a lost index held, orders goes on from its newest snapshot, and more are made."""

import shutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from common.actor.order_books import Folded, newest_books
from common.actor.snapshots import make_snapshot
from common.config import Config, load
from common.journal import Entry, Log, OsFiles, Reader, salvage
from common.orders.fills import Fill
from common.orders.fold import FOLD_VERSION, WRITER
from common.orders.index_file import IndexFile, IndexView, index_path, sync_index
from services.orders.make_snapshot import starting_books

FILES = OsFiles()
KIND = 300


class Life:
    """A log without its beginning, with two snapshots of orders and the index that they need."""

    def __init__(self, folder: Path) -> None:
        self.config: Config = load(environ={"FIXRING_VAR": str(folder)})
        self.log = Log.open(self.journal, FILES, wall_ns=1, segment_bytes=1 << 16, durability="process")
        self.number = 0
        self.append(1000)
        index = IndexFile(self.index)
        for lsn in (400, 900):
            index.write(lsn)
            assert self.snapshot() == lsn
        index.close()
        assert self.log.drop_before(401)

    @property
    def journal(self) -> Path:
        return self.config.journal_folder

    @property
    def index(self) -> Path:
        return index_path(self.journal)

    def append(self, count: int) -> None:
        for _ in range(count):
            self.number += 1
            self.log.append([Entry(KIND, "me", 1, self.number, b"x" * 100)], self.log.last_stamp_ns)
        self.log.write_mark()

    def snapshot(self) -> int:
        return make_snapshot(self.config, WRITER, Folded(newest_books(self.config)), sync_index(self.index))


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    life = Life(tmp_path)
    yield life
    life.log.close()


def test_an_index_lost_after_retention_keeps_nobody_from_the_next_snapshots(life: Life) -> None:
    shutil.rmtree(life.index.parent)
    started = 900
    for _ in range(3):
        life.append(1500)
        index = IndexFile(life.index)
        assert starting_books(life.config, index, Reader(life.journal, FILES)).lsn == started
        assert not index.complete, "what was forgotten before it is lost for good"
        index.flush(life.log.last_lsn)
        index.close()
        started = life.log.last_lsn
        assert life.snapshot() == started


def test_an_index_that_is_whole_stays_complete(life: Life) -> None:
    index = IndexFile(life.index)
    assert starting_books(life.config, index, Reader(life.journal, FILES)).lsn == 900
    assert index.complete and index.covered_lsn == 900
    index.close()


def test_an_index_that_is_further_than_the_snapshot_is_read_again_from_there(life: Life) -> None:
    index = IndexFile(life.index)
    fill = Fill("c", "1", Decimal(1), Decimal(100), Decimal(0), "", True)
    index.put_fills(("generic", "BTCUSDT", "7"), 950, [fill])
    index.write(5000)
    assert starting_books(life.config, index, Reader(life.journal, FILES)).lsn == 900
    assert index.covered_lsn == sync_index(life.index) == 900 and index.complete
    assert not index.fills(("generic", "BTCUSDT", "7"), 6000)
    index.close()


def test_an_older_program_in_between_leaves_no_rows_of_its_own_to_a_newer_snapshot(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Upgrade, downgrade, upgrade: the newest snapshot is of our version, and the rows before it were the other's."""
    place, fill = ("generic", "BTCUSDT"), Fill("c", "1", Decimal(1), Decimal(100), Decimal(0), "", True)
    for version in (FOLD_VERSION, FOLD_VERSION - 1, FOLD_VERSION):
        index = IndexFile(life.index)
        monkeypatch.setattr("services.orders.make_snapshot.FOLD_VERSION", version)
        assert starting_books(life.config, index, Reader(life.journal, FILES)).lsn == 900
        assert index.covered_lsn == 900 and index.complete
        assert not index.fills((*place, "7"), 6000), "the log is read again from there"
        index.put_fills((*place, "7"), 950, [fill])
        index.write(1000)
        assert IndexView(life.index, version).fills((*place, "7"), 6000)
        assert not IndexView(life.index, version + 1).fills((*place, "7"), 6000)
        index.close()


def test_where_the_log_is_whole_another_version_puts_all_of_its_rows_anew(tmp_path: Path) -> None:
    index = IndexFile(tmp_path / "orders.sqlite")
    index.begin_fold(1)
    index.put_fills(("generic", "BTCUSDT", "7"), 950, [Fill("c", "1", Decimal(1), Decimal(9), Decimal(0), "", True)])
    index.write(1000)
    index.begin_fold(2)
    assert index.covered_lsn == sync_index(tmp_path / "orders.sqlite") == 0
    index.read_on_after(0)
    assert not index.fills(("generic", "BTCUSDT", "7"), 1000)
    index.close()


def test_a_salvaged_copy_without_its_beginning_is_one_that_orders_starts_on(life: Life, tmp_path: Path) -> None:
    copy = load(environ={"FIXRING_VAR": str(tmp_path / "copy")})
    done = salvage(life.journal, FILES, copy.journal_folder)
    assert done.first_lsn > 1 and "index/orders.sqlite" in done.beside and len(done.beside) >= 3
    log = Log.open(copy.journal_folder, FILES, wall_ns=1, segment_bytes=1 << 16)
    index = IndexFile(index_path(copy.journal_folder))
    books = starting_books(copy, index, Reader(copy.journal_folder, FILES))
    assert books.lsn == 900 and index.complete
    index.close()
    log.close()

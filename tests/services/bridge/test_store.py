"""What leaves a bridge's memory, and that nothing is forgotten by it."""

import shutil
from decimal import Decimal
from pathlib import Path

import pytest

from common.actor.core import Exit
from common.exit_status import ExitStatus
from common.journal.errors import LogFailed
from common.journal.files import OsFiles
from common.venues.backend import FillFact
from services.bridge import store as store_module
from services.bridge.archive import KeptOrder, MemoryArchive
from services.bridge.archive_file import FileArchive
from services.bridge.core import BridgeCore
from services.bridge.store import Store
from tests.services.bridge import rig as rig_module
from tests.services.bridge.rig import SYMBOL, FixClient, Rig, words

D = Decimal


class FiledRig(Rig):
    """With the archive that the process has, opened anew by each life."""

    def _start(self) -> BridgeCore:
        (self.folder / "log").mkdir(exist_ok=True)
        self.archive = FileArchive(self.folder / "log" / "orders.db")
        return super()._start()


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return FiledRig(tmp_path).live()


@pytest.fixture
def client(rig: Rig) -> FixClient:
    return FixClient(rig)


def all_kept(store: Store, names: list[str]) -> list[KeptOrder]:
    """Every order as it stands, wherever that is, but for when it was put there."""
    return [store.book.order(name).kept(0) for name in names]


def trade(rig: Rig, client: FixClient, count: int) -> list[str]:
    """Orders that are filled, cancelled, amended, and one in five that stays open."""
    names = [f"a{n}" for n in range(count)]
    for n, name in enumerate(names):
        client.order(name, px=str(60_000 + n % 5))
        if n % 5 == 1:
            rig.stranger("2", "0.1", str(60_000 + n % 5))
        elif n % 5 == 2:
            client.amend(f"g{n}", name, "0.2", "59000")
            client.cancel(f"c{n}", f"g{n}")
        elif n % 5 in (3, 4):
            client.cancel(f"c{n}", name)
    return names


def test_what_is_over_leaves_memory_and_is_still_known_by_every_name(rig: Rig, client: FixClient) -> None:
    names = trade(rig, client, 20)
    rig.core.store.snapshot()
    assert len(rig.core.book) == len(rig.core.book.open) == 4
    for life in range(2):
        assert [client.status(name)[39] for name in names[:5]] == ["0", "2", "4", "4", "4"]
        (told,) = client.send("H", f"11=c2|55={SYMBOL}|54=1|")
        assert (told[11], told[39]) == ("g2", "4")
        for name in ("a1", "g2", "c3"):
            (told,) = client.order(name)
            assert (told[150], told[103]) == ("8", "6")
        if not life:
            rig.kill()
            rig.live()
            client = client.again()


def test_a_fill_of_an_order_in_the_archive_is_told_once_and_outlives_the_next_life(
    rig: Rig, client: FixClient
) -> None:
    client.order("a1")
    client.cancel("c1", "a1")
    rig.core.store.snapshot()
    order_id = rig.core.book.order("a1").order_id
    late = FillFact("a1", order_id, SYMBOL, "777", D(60000), D("0.03"), D(0), "", True, rig.now.wall_ns)
    client.got.clear()
    for _ in range(2):
        rig.core._desk.learn(late, rig.now)
        rig.pump()
    assert [(each[150], each[14]) for each in client.got] == [("F", "0.03")]
    rig.core.store.snapshot()
    rig.kill()
    rig.live()
    assert rig.core.book.order("a1").cum_qty == D("0.03") and not rig.core.book.open


def test_the_same_records_give_the_same_orders_whatever_was_archived_meanwhile(
    tmp_path: Path, rig: Rig, client: FixClient
) -> None:
    names = trade(rig, client, 15)
    rig.kill()
    rig.live()
    ours = all_kept(rig.core.store, names)
    left_out = shutil.ignore_patterns("snapshots", "orders.db*", "lock")
    shutil.copytree(tmp_path / "log", tmp_path / "copy", ignore=left_out)
    anew = Store("bridge@okx", str(tmp_path / "copy"), OsFiles(), MemoryArchive(), 1 << 20, 1 << 40)
    anew.open(rig.now)
    assert all_kept(anew, names) == ours and anew.book.taken == rig.core.book.taken
    assert anew.book.open.keys() == rig.core.book.open.keys()
    anew.abandon()


def test_a_power_cut_between_archive_and_snapshot_changes_nothing(
    rig: Rig, client: FixClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = trade(rig, client, 10)
    rig.core.store.snapshot()

    def fails(*_: object) -> str:
        raise LogFailed("the snapshot", OSError(28, "No space left on device"))

    monkeypatch.setattr(store_module, "write_snapshot", fails)
    client.cancel("d0", "a0")
    client.order("z1")
    client.cancel("z2", "z1")
    with pytest.raises(LogFailed):
        rig.core.store.snapshot()
    ours = all_kept(rig.core.store, [*names, "z1"])
    rig.kill()
    rig.live()
    assert all_kept(rig.core.store, [*names, "z1"]) == ours
    again = client.again()
    assert [again.status(name)[39] for name in ("a0", "z1")] == ["4", "4"]


def test_a_snapshot_that_fails_is_said_and_harms_nobody(
    rig: Rig, client: FixClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> str:
        raise LogFailed("the snapshot", OSError(28, "No space left on device"))

    monkeypatch.setattr(store_module, "write_snapshot", fails)
    trade(rig, client, 10)
    assert "no_snapshot" in [note.event for note in rig.notes] and rig.exit is None
    assert words(client.order("z1")) == [("A", "A"), ("0", "0")]


def test_old_segments_go_and_without_the_archive_the_bridge_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rig_module, "SEGMENT_BYTES", 1 << 14)
    monkeypatch.setattr("common.exchange.sent.KEPT_IN_MEMORY", 8)
    monkeypatch.setattr("common.exchange.sent.MARK_EVERY", 8)
    monkeypatch.setattr("common.exchange.sent.MARKS_KEPT", 2)
    rig = FiledRig(tmp_path).live()
    client = FixClient(rig)
    trade(rig, client, 40)
    for _ in range(2):
        rig.core.store.snapshot()
    segments = sorted((tmp_path / "log").glob("*.segment"))
    assert int(segments[0].stem) > 1, "the beginning of the log is dropped"
    rig.kill()
    rig.live()
    rig.core.abandon()
    for file in (tmp_path / "log").glob("orders.db*"):
        file.unlink()
    core = rig._start()
    (ended,) = [effect for effect in core.effects if isinstance(effect, Exit)]
    assert ended.status is ExitStatus.INTEGRITY and "archive" in ended.text

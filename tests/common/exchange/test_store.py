"""What survives: snapshots, the history beside the log, and messages older than memory."""

from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from common.exchange import sent, store
from common.exchange.changes import Placed
from common.exchange.history import ClosedOrder, MemoryHistory, TradeRow
from common.exchange.history_file import FileHistory
from common.exchange.order import Terms
from common.exchange.state import NotListed, State
from tests.common.exchange.harness import ETHUSDT, GENERIC, Client, World

OFTEN = msgspec.structs.replace(GENERIC, snapshot_changes=20)


def busy(world: World, count: int) -> Client:
    client = Client(world)
    for index in range(count):
        client.order(f"o{index}", "1", "1", str(900 + index % 7))
        if index % 3:
            client.send("F", f"11=c{index}|41=o{index}|55=BTCUSDT|54=1|")
        world.pass_time(0.3, 0.3)
    return client


def facts(world: World) -> dict[str, object]:
    state = world.ask("state", trades_from={"BTCUSDT": 1})
    return {key: state[key] for key in ("orders", "balances", "trades", "trade_count", "last_trade_ids")}


def test_a_start_from_a_snapshot_replays_only_what_follows(tmp_path: Path) -> None:
    world = World(tmp_path, OFTEN, lambda: FileHistory(tmp_path / "history.db"))
    client = busy(world, 20)
    before = facts(world)
    world.kill()
    assert world.core.venue.store.replayed <= 10
    assert facts(world) == before
    again = client.again()
    assert again.session.logged_on and not again.session.recovering
    assert again.send("H", "11=o1|55=BTCUSDT|54=1|")[0][39] == "4"


def test_a_lost_history_is_made_anew_from_the_log(tmp_path: Path) -> None:
    world = World(tmp_path, OFTEN, lambda: FileHistory(tmp_path / "history.db"))
    busy(world, 12)
    before = facts(world)
    world.core.abandon()
    for name in ("history.db", "history.db-wal", "history.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    world.kill()
    assert facts(world) == before
    assert Client(world, "OTHER").send("H", "11=o1|55=BTCUSDT|54=1|")[0][39] == "4"


@pytest.mark.parametrize("damage", [b"", b"garbage", None])
def test_a_snapshot_that_does_not_verify_is_not_used(tmp_path: Path, damage: bytes | None) -> None:
    world = World(tmp_path, OFTEN, lambda: FileHistory(tmp_path / "history.db"))
    busy(world, 12)
    before = facts(world)
    for image in (tmp_path / "snapshots").iterdir():
        image.write_bytes(image.read_bytes()[:-1] + b"!" if damage is None else damage)
    world.kill()
    assert facts(world) == before


def test_old_segments_are_dropped_and_a_history_lost_then_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sent, "MARK_EVERY", 4)
    monkeypatch.setattr(sent, "MARKS_KEPT", 4)
    world = World(tmp_path, OFTEN, lambda: FileHistory(tmp_path / "history.db"), segment_bytes=1 << 16)
    client = busy(world, 150)
    before = facts(world)
    first = world.core.venue.store._log.first_lsn
    assert first > 1
    world.kill()
    assert facts(world) == before
    again = client.again()
    again.session.send("2", b"7=1\x0116=0\x01", world.now)
    world.pump()
    assert b"123=Y\x01" in again.wire and b"35=8\x01" in again.wire
    world.core.abandon()
    (tmp_path / "history.db").unlink()
    world.kill()
    assert world.exit is not None and world.exit.status == 7 and "history.db" in world.exit.text


def test_an_orderly_stop_leaves_nothing_to_replay(tmp_path: Path) -> None:
    world = World(tmp_path, GENERIC, lambda: FileHistory(tmp_path / "history.db"))
    busy(world, 5)
    before = facts(world)
    world.core.stop(world.now)
    world.pass_time(1)
    assert world.exit is not None and world.exit.status == 0
    world.kill()
    assert world.core.venue.store.replayed == 0
    assert facts(world) == before


def test_messages_older_than_memory_are_resent_from_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sent, "KEPT_IN_MEMORY", 3)
    monkeypatch.setattr(sent, "MARK_EVERY", 4)
    world = World(tmp_path, OFTEN, lambda: FileHistory(tmp_path / "history.db"))
    client = busy(world, 12)
    told = [m[17] for m in client.raw_reports()]
    for _ in range(2):
        again = client.again() if client not in world.clients else client
        again.got.clear()
        again.session.send("2", b"7=1\x0116=0\x01", world.now)
        world.pump()
        resent = [line for line in again.wire.split(b"8=FIX.4.4") if b"35=8\x01" in line and b"43=Y\x01" in line]
        assert [line.split(b"\x0117=")[1].split(b"\x01")[0].decode() for line in resent] == told
        world.kill()


def resent(client: Client, begin: int) -> list[bytes]:
    """The bodies of the reports that come on a ResendRequest(2) for everything from `begin` on."""
    client.wire = b""
    client.send("2", f"7={begin}|16=0|")
    told = [line for line in client.wire.split(b"8=FIX.4.4") if b"35=8\x01" in line]
    assert all(b"43=Y\x01" in line for line in told)
    return [line.split(b"\x0137=")[1].split(b"\x0110=")[0] for line in told]


def test_after_a_snapshot_each_session_gets_its_own_messages_again_from_the_number_it_asks_for(tmp_path: Path) -> None:
    world = World(tmp_path, GENERIC, lambda: FileHistory(tmp_path / "history.db"))
    client, other = Client(world), Client(world, "OTHER")
    for index in range(6):
        other.order(f"theirs{index}", "1", "1", "900")
        client.order(f"mine{index}", "1", "1", "900")
    first = resent(client, 1)
    assert [b"11=mine%d\x01" % index in body for index, body in enumerate(first)] == [True] * 6
    world.core.stop(world.now)
    world.pass_time(1)
    world.kill()
    again = client.again()
    assert resent(again, 1) == first
    # Number 1 was the Logon(A), so the third report has number 4.
    assert resent(again, 4) == first[2:]
    assert [number for number, _ in world.core.venue.store.sent.messages("FIXRING", 4, 99)] == [4, 5, 6, 7]


class Watched(MemoryHistory):
    """A history that knows how many orders it was given at once."""

    largest = 0

    def add(self, orders: Iterable[ClosedOrder], trades: Iterable[TradeRow], lsn: int) -> None:
        given = list(orders)
        self.largest = max(self.largest, len(given))
        super().add(given, trades, lsn)


def test_the_past_is_handed_over_in_parts_by_the_living_and_by_the_next_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "FLUSH_ROWS", 3)
    world = World(tmp_path, history=Watched)
    client = Client(world)
    for index in range(8):
        client.order(f"o{index}", "1", "1", "900")
        client.send("F", f"11=c{index}|41=o{index}|55=BTCUSDT|54=1|")
    for dies in (False, True):
        if dies:
            # A history in memory is lost with its process, and made anew from the log.
            world.kill()
        past = world.core.venue.store.history
        assert isinstance(past.store, Watched) and past.store.largest == 3
        assert [o.terms.cl_ord_id for o in past.last_orders("desk", "BTCUSDT", 9)] == [f"o{i}" for i in range(8)]


def test_a_turn_that_is_too_large_for_one_record_stands_in_several(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MAX_PAYLOAD_BYTES", 300)
    world = World(tmp_path)
    client = Client(world)
    for index in range(8):
        client.order(f"o{index}", "1", "1", "900")
    lsn = world.core.venue.store.last_lsn
    client.send("q", "11=k|530=7|")
    assert world.core.venue.store.last_lsn > lsn + 8
    before = facts(world)
    world.kill()
    assert facts(world) == before and before["orders"] == []
    assert client.again().send("H", "11=o7|55=BTCUSDT|54=1|")[0][39] == "4"


def test_a_symbol_that_is_configured_no_more_stays_listed(tmp_path: Path) -> None:
    world = World(tmp_path, GENERIC, lambda: FileHistory(tmp_path / "history.db"))
    busy(world, 3)
    before = facts(world)
    world.core.stop(world.now)
    world.pass_time(1)
    world.settings = msgspec.structs.replace(GENERIC, instruments=GENERIC.instruments[:1])
    world.kill()
    assert facts(world) == before
    assert Client(world, "OTHER").order("new", "1", "1", "900")[0][39] == "0"


def test_what_a_history_is_given_twice_it_keeps_once(tmp_path: Path) -> None:
    world = World(tmp_path, GENERIC)
    Client(world).order("a", "2", "1", "1000")
    order = world.core.venue.state.find("desk", "a")
    assert order is not None
    while order.is_open:
        world.core.venue.fill_late(order, world.now)
    world.pass_time(1)
    past = world.core.venue.store.history.store
    orders, trades = past.last_orders("desk", "BTCUSDT", 9), past.last_trades("desk", "BTCUSDT", 99)
    assert len(orders) == 1 and len(trades) > 1
    for history in (MemoryHistory(), FileHistory(tmp_path / "history.db")):
        for _ in range(2):
            history.add(orders, trades, 7)
        assert history.last_orders("desk", "BTCUSDT", 9) == orders
        assert history.last_trades("desk", "BTCUSDT", 99) == history.trades_of("desk", 1) == trades
        history.close()


def test_a_history_in_memory_and_one_in_a_file_answer_alike(tmp_path: Path) -> None:
    world = World(tmp_path / "a", GENERIC)
    client = busy(world, 9)
    for name in ("o0", "o3"):
        order = world.core.venue.state.find("desk", name)
        assert order is not None
        for _ in range(3):
            if order.is_open:
                world.core.venue.fill_late(order, world.now)
    world.pass_time(1)
    assert client.session.logged_on
    memory = world.core.venue.store.history.store
    assert isinstance(memory, MemoryHistory)
    file = FileHistory(tmp_path / "history.db")
    file.clear(b"id")
    file.add(memory._orders.values(), [t for rows in memory._trades.values() for t in rows.values()], 77)
    again = FileHistory(tmp_path / "history.db")
    assert (again.lsn, again.identity) == (77, b"id")
    assert memory.orders("desk", "BTCUSDT", 0, 100)
    for ask in (
        lambda h: h.orders("desk", "BTCUSDT", 3, 4),
        lambda h: h.last_orders("desk", "BTCUSDT", 3),
        lambda h: h.trades("desk", "BTCUSDT", 2, 2),
        lambda h: h.last_trades("desk", "BTCUSDT", 2),
        lambda h: h.order_named("desk", "o1"),
        lambda h: h.order_named("desk", "none"),
        lambda h: h.trades_of("desk", 1),
        lambda h: h.order("desk", 2),
        lambda h: h.order("other", 2),
    ):
        assert ask(file) == ask(memory)  # type: ignore[no-untyped-call]
    file.close()
    again.close()


def test_a_full_disk_ends_the_exchange_and_tells_nobody(tmp_path: Path) -> None:
    world = World(tmp_path)
    client = Client(world)
    world.core.venue.store._log.abandon()
    client.session.send("D", b"11=a\x0155=BTCUSDT\x0154=1\x0138=1\x0140=2\x0144=900\x01", world.now)
    world.pump()
    assert world.exit is not None and world.exit.status == 7
    assert b"11=a" not in client.wire


WITHOUT_BTCUSDT = msgspec.structs.replace(GENERIC, instruments=(ETHUSDT,))


@pytest.mark.parametrize("snapshot", [False, True])
def test_an_order_rests_on_when_its_instrument_is_not_configured_any_more(tmp_path: Path, snapshot: bool) -> None:
    world = World(tmp_path)
    busy(world, 3)
    before = facts(world)
    if snapshot:
        world.core.venue.store.snapshot()
    for settings in (WITHOUT_BTCUSDT, WITHOUT_BTCUSDT, GENERIC):
        world.settings = settings
        world.kill()
        assert world.exit is None and facts(world) == before


def test_an_instrument_that_the_log_does_not_describe_either_is_refused_by_name(tmp_path: Path) -> None:
    state = State((ETHUSDT,))
    terms = Terms("desk", "FIXRING", "x", "BTCUSDT", "1", "2", Decimal(1), Decimal(900))
    with pytest.raises(NotListed, match=r"BTCUSDT.*put \[instruments.BTCUSDT\]"):
        state.apply(Placed(1, 1, terms, 1))

"""The lines of an exchange under pressure: a client that reads slowly or is gone, a process that is not ready."""

from pathlib import Path

import msgspec
import pytest

from common.exchange import lines
from common.exchange.history import MemoryHistory
from common.instant import Instant
from common.journal.files import OsFiles
from common.messages import ControlRequest
from common.venues.registry import UnknownVenue
from services.exchange.core import ExchangeCore
from tests.common.exchange.harness import GENERIC, SECOND, WALL_NS, Client, World


def test_a_line_that_is_blocked_gets_its_bytes_when_it_is_writable(tmp_path: Path) -> None:
    world = World(tmp_path)
    client = Client(world)
    world.core.blocked(client.number, world.now)
    assert client.order("a", "1", "1", "900") == []
    world.core.writable(client.number, world.now)
    world.pump()
    assert [(m[35], m[39]) for m in client.got] == [("8", "0")]


def test_a_client_that_never_reads_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_WAITING_BYTES", 2000)
    world = World(tmp_path)
    slow, other = Client(world), Client(world, "OTHER")
    world.core.blocked(slow.number, world.now)
    number = 0
    while slow in world.clients and number < 20:
        number += 1
        slow.order(f"o{number}", "1", "1", "900")
    assert 1 < number < 20 and other in world.clients
    assert "slow_consumer" in [note.event for note in world.notes]


def test_a_line_that_is_cut_takes_nothing_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_WAITING_BYTES", 2000)
    world = World(tmp_path)
    client = Client(world)
    for number in range(15):
        client.order(f"o{number}", "1", "1", "900")
    line = world.core.venue.lines.all[0]
    before = client.wire
    client.send("AF", "584=s|585=7|")
    assert line.closing and not line.waiting and client not in world.clients
    assert client.wire == before


def test_traders_do_not_make_up_for_a_long_pause(tmp_path: Path) -> None:
    world = World(tmp_path, msgspec.structs.replace(GENERIC, traders=1, trader_orders_per_s=10))
    state = world.core.venue.state
    before = state.next_order_id
    world.pass_time(600, 600)
    assert 0 < state.next_order_id - before <= 50
    before = state.next_order_id
    world.pass_time(1, 0.1)
    assert 0 < state.next_order_id - before <= 10, "they go on at their own pace"


def test_a_line_that_is_gone_takes_nothing(tmp_path: Path) -> None:
    world = World(tmp_path)
    gone = Client(world)
    gone.cut()
    for told in (world.core.blocked, world.core.writable):
        told(gone.number, world.now)
    world.core.data(gone.number, b"8=FIX.4.4", world.now)
    world.pump()
    assert world.core.venue.lines.all == []


def test_before_it_is_ready_an_exchange_serves_nobody(tmp_path: Path) -> None:
    core = ExchangeCore(GENERIC, str(tmp_path), OsFiles(), MemoryHistory(), 1 << 20)
    now = Instant(WALL_NS, SECOND)
    assert core.status(now) == {"state": "starting"}
    core.accepted(1, "fix", now)
    core.timer(now)
    core.received("control", b"me", ControlRequest("orders"), now)
    core.stop(now)
    assert [type(effect).__name__ for effect in core.effects] == ["Send", "Exit"]
    assert "starting" in core.effects[0].message.text  # type: ignore[union-attr]


def test_a_dialect_that_is_not_spoken_is_refused(tmp_path: Path) -> None:
    settings = msgspec.structs.replace(GENERIC, dialect="swift")
    core = ExchangeCore(settings, str(tmp_path), OsFiles(), MemoryHistory(), 1 << 20)
    with pytest.raises(UnknownVenue, match="dialect .swift."):
        core.started(Instant(WALL_NS, SECOND))


def test_a_name_that_is_no_number_finds_no_order(tmp_path: Path) -> None:
    world = World(tmp_path)
    Client(world).order("a", "1", "1", "900")
    assert world.ask("order", order_id="x1")["order"] is None
    assert world.ask("order", cl_ord_id="a")["order"] is not None

"""The drop copy's actor against a simulated venue that has one: what it writes, and that nothing depends on it."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from common.actor.core import Close, Connect, Exit, Send, Write
from common.config import ConfigError, load
from common.fix.wire import split
from common.journal.frames import EPOCH
from common.messages import (
    ControlRequest,
    ExecutionReport,
    Kind,
)
from services.dropcopy.__main__ import drop_copy_config
from services.dropcopy.core import DropCopyCore
from services.exchange.__main__ import exchange_settings
from tests.common.venues.both_sides import NAME, BothSides
from tests.journals import Journal

COPY = f"\n[accounts.{NAME}.drop_copies.copy]\nport = 9603\n"


class Copied:
    """The core, a venue and a journal in memory."""

    def __init__(self, sides: BothSides, *, there: bool = True) -> None:
        self.sides = sides
        config = load(sides.config.paths.config, {"FIXRING_VAR": str(sides.config.paths.var)})
        self.core = DropCopyCore(drop_copy_config("copy", config, 100), sides.dialect)
        self.there = there
        self.kept: list[msgspec.Struct] = []
        self.journal = Journal()
        self.exit: Exit | None = None
        self.wire = b""
        self.number = self.connection = 0
        self.core.started(sides.world.now)
        self.settle()

    def settle(self) -> None:
        """Until neither side has anything to say."""
        for _ in range(100):
            self.core.turn_ended(self.sides.world.now)
            effects, self.core.effects = self.core.effects, []
            for effect in effects:
                self._perform(effect)
            self.sides.world.pump()
            data, self.wire = self.wire, b""
            if data:
                self.core.data(self.connection, data, self.sides.world.now)
            if not effects and not data:
                return
        raise AssertionError("the two sides never fall silent")

    def _perform(self, effect: object) -> None:
        world = self.sides.world
        match effect:
            case Send("journal", message):
                self.kept.append(message)
                if self.there:
                    self.back()
            case Connect(connection):
                world.connections += 1
                self.number, self.connection = world.connections, connection
                world.raw_clients[self.number] = self
                world.core.accepted(self.number, "drop_copy", world.now)
                self.core.connected(connection, world.now)
            case Write(_, data):
                world.core.data(self.number, data, world.now)
            case Close():
                self.cut(by_us=True)
            case Exit():
                self.exit = effect

    def back(self) -> None:
        """The journal takes what it was sent."""
        self.there = True
        kept, self.kept = self.kept, []
        for message in kept:
            for answer in self.journal.take(message):
                self.core.received("journal", b"", answer, self.sides.world.now)

    @property
    def records(self) -> list[Any]:
        """What it has written: it writes nothing but what the venue told."""
        assert all(record.kind in (EPOCH, Kind.INBOUND) for record in self.journal.records)
        return self.journal.payloads()

    def cut(self, *, by_us: bool = False) -> None:
        """The connection is gone."""
        world = self.sides.world
        if world.raw_clients.pop(self.number, None) is not None:
            world.core.closed(self.number, "cut", world.now)
            if not by_us:
                self.core.closed(self.connection, "cut", world.now)

    def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.1)):
            self.sides.world.pass_time(0.1)
            deadline = self.core.next_deadline_ns()
            if deadline is not None and deadline <= self.sides.world.now.boot_ns:
                self.core.timer(self.sides.world.now)
            self.settle()

    def state(self) -> object:
        return self.core.status(self.sides.world.now)["state"]


@pytest.fixture
def sides(tmp_path: Path) -> BothSides:
    """The one venue that has a drop copy, with one configured."""
    sides = BothSides("coinbase", tmp_path)
    with (sides.config.paths.config / f"{NAME}.toml").open("a") as file:
        file.write(COPY)
    return sides


@pytest.fixture
def copied(sides: BothSides) -> Copied:
    """Logged on."""
    copied = Copied(sides)
    copied.pass_time(0.2)
    assert copied.state() == "live"
    return copied


def test_it_writes_each_report_and_gives_a_meaning_to_fills_and_ends(sides: BothSides, copied: Copied) -> None:
    desk = sides.desk()
    order, _ = desk.new(price=sides.price)
    sides.stranger("2", sides.qty / 4, sides.price)
    desk.cancel(order)
    copied.settle()
    records = copied.records
    assert [split(each.raw)[b"150"] for each in records] == [b"0", b"F", b"4"]
    whose = {(each.session, each.account, each.venue, each.drop_copy) for each in records}
    assert whose == {("copy", NAME, NAME, True)}
    accepted, fill, end = [each.event for each in records]
    assert accepted is None, "an acceptance is order entry's to hear"
    assert isinstance(fill, ExecutionReport) and isinstance(end, ExecutionReport)
    (theirs,) = desk_fills(sides, desk)
    assert (fill.trade_key, fill.last_qty, fill.fee_qty) == (theirs.trade_key, sides.qty / 4, theirs.fee_qty)
    assert (fill.order_qty, fill.price, end.order_qty, end.price) == (None, None, None, None)
    assert end.cum_qty == sides.qty / 4


def desk_fills(sides: BothSides, desk: Any) -> list[ExecutionReport]:
    """What order entry was told."""
    told = [sides.dialect.decode("8", raw) for raw in desk.client.raw if split(raw)[b"35"] == b"8"]
    return [each for each in told if isinstance(each, ExecutionReport) and each.trade_key]


def test_without_the_journal_it_hears_nothing_at_first_and_later_keeps_what_it_heard(sides: BothSides) -> None:
    copied = Copied(sides, there=False)
    copied.pass_time(1)
    assert copied.number == 0 and copied.state() == "away"
    copied.back()
    copied.pass_time(8)
    assert copied.state() == "live"
    copied.there = False
    sides.desk().new()
    copied.pass_time(1)
    assert not copied.records and copied.state() == "live"
    copied.back()
    copied.pass_time(1)
    assert [split(each.raw)[b"150"] for each in copied.records] == [b"0"], "once"


def test_a_lost_connection_is_shown_and_made_again(sides: BothSides, copied: Copied) -> None:
    copied.cut()
    assert copied.state() == "away", "no word of those that a start waits for"
    desk = sides.desk()
    assert desk.logged_on
    order, _ = desk.new()
    copied.pass_time(3)
    assert copied.state() == "live" and not copied.records
    desk.cancel(order)
    copied.settle()
    assert [split(each.raw)[b"150"] for each in copied.records] == [b"4"]


def test_what_it_cannot_read_is_written_and_noted_and_means_nothing(sides: BothSides, copied: Copied) -> None:
    (client,) = sides.world.core.gateways["drop_copy"]._logged_on()  # type: ignore[attr-defined]
    client.session.send("8", b"11=x\x0117=1\x01150=F\x0139=1\x0132=much\x01", sides.world.now)
    copied.settle()
    (record,) = copied.records
    assert record.event is None and b"32=much" in record.raw
    assert copied.core.status(sides.world.now)["unreadable"] == 1 and copied.state() == "live"


def test_it_kills_nothing_sends_nothing_and_stops(sides: BothSides, copied: Copied) -> None:
    order, _ = sides.desk().new()
    copied.core.received("control", b"p", ControlRequest("kill", b"{}", "me"), sides.world.now)
    (answer,) = [each.message for each in copied.core.effects if isinstance(each, Send)]
    assert not getattr(answer, "ok", True)
    assert sides.state_of(order.cl_ord_id) is not None
    copied.core.stop(sides.world.now)
    copied.pass_time(1)
    assert copied.exit == Exit(0, "stopped")


def test_an_actor_of_its_own_and_no_order_entry_session(sides: BothSides) -> None:
    config = load(sides.config.paths.config, {"FIXRING_VAR": str(sides.config.paths.var)})
    assert list(config.sessions) == [NAME] and list(config.drop_copies) == ["copy"]
    assert "dropcopy@copy" in [actor.name for actor in config.actors()]
    fix, copy = config.venues[NAME].fix, config.drop_copies["copy"].fix
    assert (copy.port, copy.host, copy.tls, copy.target_comp_id) == (9603, fix.host, fix.tls, fix.target_comp_id)
    assert exchange_settings(NAME, config).parties[0].account == "desk"
    assert [each.fix.port for each in config.drop_copies_of(NAME)] == [9603]
    with pytest.raises(ConfigError, match="no drop copy is called 'other'; there is copy"):
        drop_copy_config("other", config, 0)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (COPY.replace("9603", "9600"), "port 9600 is taken by x"),
        (COPY.replace(".copy]", f".{NAME}]"), f"session {NAME}: x has one of that name"),
        (f'{COPY}sender_comp_id = "ME"\n', "knows a connection by its API key"),
        (COPY.replace("port = 9603", ""), "`port` is missing"),
    ],
)
def test_what_is_wrong_is_refused(tmp_path: Path, text: str, why: str) -> None:
    sides = BothSides("coinbase", tmp_path)
    with (sides.config.paths.config / f"{NAME}.toml").open("a") as file:
        file.write(text)
    with pytest.raises(ConfigError, match=why):
        load(sides.config.paths.config, {"FIXRING_VAR": str(sides.config.paths.var)})



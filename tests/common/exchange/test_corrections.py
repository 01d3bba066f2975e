"""Trades of an account with itself, busts and corrections: reported, booked, kept and found again after a death."""

import sqlite3
from decimal import Decimal as D
from pathlib import Path

import msgspec
import pytest

from common.exchange.history import MemoryHistory
from common.exchange.history_file import FileHistory
from tests.common.exchange.harness import GENERIC, Client, World
from tests.common.venues.binance.test_simulated import BINANCE, connect

Row = dict[int, str]


def _world(folder: Path, *, lasting: bool) -> World:
    if lasting:
        return World(folder, GENERIC, lambda: FileHistory(folder / "history.db"))
    return World(folder, GENERIC, MemoryHistory)


def _filled(world: World, client: Client, name: str, side: str, qty: str, of: str) -> None:
    """An order of which a stranger takes half of what is left, twice where it is to be all."""
    client.order(name, side, of, "1000")
    order = world.core.venue.state.find("desk", name)
    assert order is not None
    while order.is_open and order.cum_qty < D(qty):
        world.core.venue.fill_late(order, world.now)
        world.pump()


def _correct(world: World, back: int = 0, **terms: str) -> object:
    """Correct the trade that has so many newer ones."""
    row = world.core.venue.history.last_trades("desk", "BTCUSDT", back + 1)[0]
    return world.ask("correct", order_id=row.order_id, trade_id=row.trade_id, **terms)


def _changes(world: World) -> dict[str, str]:
    rows = world.ask("positions")["positions"]
    return {asset: row["change"] for asset, row in rows.items()}  # type: ignore[attr-defined]


def _told(reports: list[Row]) -> list[tuple[str | None, ...]]:
    return [tuple(r.get(tag) for tag in (150, 39, 14, 151, 19, 32)) for r in reports if r[35] == "8"]


@pytest.mark.parametrize("lasting", [False, True])
def test_a_bust_and_a_correction_of_an_open_order_give_its_quantity_back_to_the_book(
    tmp_path: Path, lasting: bool
) -> None:
    world = _world(tmp_path, lasting=lasting)
    client = Client(world)
    _filled(world, client, "a", "1", "1", "2")
    before = _changes(world)
    client.got.clear()
    _correct(world, qty="0.4", px="990")
    _correct(world)
    exec_ids = [r[17] for r in client.raw_reports()]
    assert _told(client.got) == [
        ("G", "1", "0.4", "1.6", exec_ids[-3], "0.4"), ("H", "0", "0", "2", exec_ids[-2], "0.4"),
    ]  # fmt: skip
    assert before["BTC"] != "0" and set(_changes(world).values()) <= {"0", "0.00000000", "0.00000000000", "0.000"}
    (level,) = world.ask("book", symbol="BTCUSDT")["books"]["BTCUSDT"]["bids"]  # type: ignore[index]
    assert D(level["own_qty"]) == 2
    assert world.ask("state")["trade_count"] == 0
    facts = [world.ask(act) for act in ("orders", "balances", "trades")]
    world.kill()
    assert [world.ask(act) for act in ("orders", "balances", "trades")] == facts
    assert _correct(world) == {"trade": None}


@pytest.mark.parametrize("lasting", [False, True])
def test_a_bust_of_a_filled_order_leaves_it_cancelled(tmp_path: Path, lasting: bool) -> None:
    world = _world(tmp_path, lasting=lasting)
    client = Client(world)
    _filled(world, client, "a", "2", "2", "2")
    world.pass_time(1)
    client.got.clear()
    _correct(world, back=1)
    assert _told(client.got)[0][:4] == ("H", "4", str(D(2) - D(client.got[0][32])), "0")
    row = world.ask("order", cl_ord_id="a")["order"]
    assert (row["ord_status"], D(row["cum_qty"])) == ("4", D(client.got[0][14]))  # type: ignore[index]
    world.kill()
    assert world.ask("order", cl_ord_id="a")["order"] == row


def test_a_correction_must_make_sense(tmp_path: Path) -> None:
    world = _world(tmp_path, lasting=False)
    assert world.ask("correct", order_id=1, trade_id=1) == {"trade": None}
    _filled(world, Client(world), "a", "1", "1", "2")
    for wrong in ({"qty": "-1"}, {"qty": "9"}, {"qty": "x"}, {"qty": "NaN"}, {"qty": "1", "px": "0"}):
        assert "qty" in world.refusal("correct", order_id=1, trade_id=1, **wrong)
    assert "binance has no reports" in World(tmp_path / "b", BINANCE).refusal("correct")


def test_an_account_that_asks_for_no_prevention_trades_with_itself_and_both_halves_are_kept(tmp_path: Path) -> None:
    world = World(tmp_path, BINANCE)
    client = connect(world)
    world.ask("fault", kind="self_trade", count=1)
    client.send("D", "11=a|38=1|40=2|54=2|55=BTCUSDT|44=1000|59=1|25001=1|")
    told = client.send("D", "11=b|38=1|40=2|54=1|55=BTCUSDT|44=1000|59=1|")
    fills = [(m[11], m[1003], m[54], m[39]) for m in told if m.get(150) == "F"]
    assert sorted(fills) == [("a", "1", "2", "2"), ("b", "1", "1", "2")]
    assert len(world.ask("trades", symbol="BTCUSDT")["trades"]) == 2  # type: ignore[arg-type]
    client.send("D", "11=c|38=1|40=2|54=2|55=BTCUSDT|44=1000|59=1|")
    told = client.send("D", "11=d|38=1|40=2|54=1|55=BTCUSDT|44=1000|59=1|")
    assert not [m for m in told if m.get(150) == "F"]


def test_a_history_file_of_the_former_form_takes_both_halves(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    FileHistory(path).close()
    database = sqlite3.connect(path)
    database.executescript(
        "DROP TABLE trades; CREATE TABLE trades (account TEXT, symbol TEXT, trade_id INTEGER, order_id INTEGER, "
        "body BLOB, PRIMARY KEY (account, symbol, trade_id)) WITHOUT ROWID; "
        "CREATE INDEX trades_of ON trades (account, order_id);"
    )
    database.close()
    world = _world(tmp_path / "x", lasting=False)
    _filled(world, Client(world), "a", "1", "1", "2")
    (row,) = world.core.venue.history.last_trades("desk", "BTCUSDT", 9)
    history = FileHistory(path)
    history.add([], [row, msgspec.structs.replace(row, order_id=99)], 1)
    assert [t.order_id for t in FileHistory(path).last_trades("desk", "BTCUSDT", 9)] == [row.order_id, 99]


def test_a_bare_report_leaves_instrument_side_and_price_to_the_order(tmp_path: Path) -> None:
    world = _world(tmp_path, lasting=False)
    client = Client(world)
    world.ask("fault", kind="bare", count=2)
    _filled(world, client, "a", "1", "1", "2")
    _correct(world)
    for report in client.raw_reports()[-2:]:
        assert (report[55], report[48], 54 in report, 31 in report) == ("[N/A]", "BTCUSDT", False, False)


@pytest.mark.parametrize(("msg_type", "more"), [("F", ""), ("G", "21=1|40=2|44=1000|")])
def test_a_fill_that_crosses_a_request_bears_its_names_and_the_request_is_refused(
    tmp_path: Path, msg_type: str, more: str
) -> None:
    world = _world(tmp_path, lasting=False)
    client = Client(world)
    client.order("a", "1", "2", "1000")
    world.ask("fault", kind="crossed", count=1)
    fill, reject = client.send(msg_type, f"11=r|41=a|55=BTCUSDT|54=1|38=2|{more}")
    assert [fill[tag] for tag in (35, 150, 11, 41)] == ["8", "F", "r", "a"]
    assert [reject[tag] for tag in (35, 11, 41)] == ["9", "r", "a"]
    assert "request's names" in World(tmp_path / "b", BINANCE).refusal("fault", kind="crossed")


def test_a_trade_that_was_held_back_is_told_with_what_is_filled_by_then(tmp_path: Path) -> None:
    world = _world(tmp_path, lasting=False)
    client = Client(world)
    world.ask("fault", kind="untold", scope="fix", count=0)
    _filled(world, client, "a", "1", "1.5", "2")
    assert _told(client.got)[-1][:3] == ("I", "1", "1.5")
    client.send("F", "11=c|41=a|55=BTCUSDT|54=1|")
    client.got.clear()
    _correct(world)
    world.ask("fault", kind="clear")
    assert [told[:3] for told in _told(client.got)] == [("H", "4", "1"), ("F", "4", "1"), ("F", "4", "1")]

"""What an exchange shows to people: books with their own share, positions, trades, the state that `reconcile` reads."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.common.exchange.harness import BALANCES, GENERIC, Client, World


@pytest.fixture
def world(tmp_path: Path) -> World:
    accounts = {"desk": BALANCES, "elsewhere": BALANCES}
    return World(tmp_path, msgspec.structs.replace(GENERIC, accounts=accounts))


def detail(world: World, act: str, **arguments: object) -> dict[str, Any]:
    return dict(world.ask(act, **arguments))


def traded(world: World) -> Client:
    """Three bids of the desk, of which half the best is filled."""
    client = Client(world)
    for number in range(3):
        client.order(f"b{number}", "1", "1", str(900 - number))
    best = world.core.venue.state.find("desk", "b0")
    assert best is not None
    world.core.venue.fill_late(best, world.now)
    world.pump()
    return client


def test_a_book_shows_its_levels_and_whose_they_are(world: World) -> None:
    traded(world)
    books = detail(world, "book", depth=1)["books"]
    assert books["BTCUSDT"]["last_px"] == "900"
    assert [(row["px"], row["qty"]) for row in books["BTCUSDT"]["bids"]] == [("900", "0.500")]
    (level,) = detail(world, "book", symbol="BTCUSDT", depth=1)["books"]["BTCUSDT"]["bids"]
    assert level["own_qty"] == level["qty"]
    (others,) = detail(world, "book", account="elsewhere", depth=1)["books"]["BTCUSDT"]["bids"]
    assert others["own_qty"] == "0"
    assert books["ETHUSDT"] == {"bids": [], "asks": [], "last_px": None}


def test_positions_are_of_one_account(world: World) -> None:
    traded(world)
    assert detail(world, "positions")["positions"]["USDT"]["change"] == "-450.000"
    assert detail(world, "positions", account="elsewhere")["positions"]["USDT"]["change"] == "0"


def test_what_an_asset_has_changed_by_counts_every_wallet(tmp_path: Path) -> None:
    accounts = {"desk": {**BALANCES, "USDT/futures": Decimal(500)}}
    world = World(tmp_path, msgspec.structs.replace(GENERIC, accounts=accounts))
    world.core.venue.state.accounts.balance("desk", "USDT/futures").free -= 20
    rows = detail(world, "positions")["positions"]
    assert rows["USDT"]["change"] == "-20" and "USDT/futures" not in rows
    assert Decimal(rows["USDT"]["start"]) == BALANCES["USDT"] + 500


def test_trades_are_the_newest_or_from_one_on(world: World) -> None:
    traded(world)
    (newest,) = detail(world, "trades", limit=1)["trades"]
    assert (newest["cl_ord_id"], newest["px"]) == ("b0", "900")
    assert detail(world, "trades", symbol="BTCUSDT", from_trade_id=newest["trade_id"] + 1)["trades"] == []


def test_what_cannot_be_read_is_refused(world: World) -> None:
    assert "trades_from" in world.refusal("state", trades_from=[1])
    assert "depth" in world.refusal("book", depth="deep")
    assert "trades_from" in world.refusal("state", trades_from={"BTCUSDT": "first"})
    assert "dept" in world.refusal("book", dept=3), "a key that the act does not have"
    assert "it has balances, book," in world.refusal("dance")


def test_a_person_at_the_screen_places_and_cancels_and_the_session_hears_of_it(world: World) -> None:
    client = traded(world)
    client.got.clear()
    terms = {"cl_ord_id": "web-1", "symbol": "BTCUSDT", "side": "2", "qty": "0.5", "price": "950"}
    placed = detail(world, "place", **terms)["order"]
    assert (placed["cl_ord_id"], placed["ord_status"]) == ("web-1", "0")
    assert detail(world, "cancel", cl_ord_id="web-1")["order"]["ord_status"] == "4"
    world.pump()
    told = [(report[11], report[150], report.get(58)) for report in client.got]
    assert told == [("web-1", "0", None), ("web-1", "4", "screen")]


@pytest.mark.parametrize(
    ("act", "arguments", "why"),
    [
        ("place", {"cl_ord_id": "w", "symbol": "BTCUSDT", "side": "2", "qty": "1_0", "price": "950"}, "no number"),
        ("place", {"cl_ord_id": "w", "symbol": "BTCUSDT", "side": "2", "qty": "1", "price": "950.001"}, "PRICE_FILTER"),
        ("place", {"cl_ord_id": "w", "symbol": "NONE", "side": "2", "qty": "1", "price": "950"}, "Invalid symbol"),
        ("cancel", {"cl_ord_id": "nobody"}, "no such order is open"),
    ],
)
def test_the_screen_says_why_not(world: World, act: str, arguments: dict[str, object], why: str) -> None:
    assert why in world.refusal(act, **arguments)

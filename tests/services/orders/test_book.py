"""What a person books without a fill, and the day in the books."""

from decimal import Decimal

import msgspec
import pytest

from common.messages import Ask, Booked, DayBegan, Kind, SessionState
from common.orders.money import Held
from common.orders.snapshots import dump_books, load_books
from tests.services.orders.harness import Ring, accepted
from tests.services.orders.test_operator import asked, control

D = Decimal
PLACE = ("generic", "BTCUSDT")


def held(ring: Ring, strategy: str) -> tuple[Decimal, Decimal]:
    """Quantity and average price of a strategy's part."""
    part = ring.core.books.own[strategy, *PLACE]
    return part.quantity, part.average_price


def booked(ring: Ring, qty: str, px: str, **which: object) -> None:
    answer = control(ring, "book", account="generic", symbol="BTCUSDT", qty=qty, px=px, text="a deposit", **which)
    assert answer.ok, answer.text


def test_a_deposit_moves_the_position_at_its_price_and_brings_no_profit(ring: Ring) -> None:
    booked(ring, "2", "100", strategy="s")
    booked(ring, "-1", "100")
    position = ring.core.books.positions[PLACE]
    assert (position.quantity, position.average_price, position.realised_profit) == (D(1), D(100), D(0))
    assert not position.fills
    assert held(ring, "s") == (D(2), D(100)) and held(ring, "") == (D(-1), D(100))
    assert ring.positions()[-1].quantity == 1, "strategies are told"


def test_a_deposit_begins_the_baseline_anew(ring: Ring) -> None:
    ring.answers(venue="binance", ask=Ask("binance", 1, "balances", account="binance"), balances=(("BTC", D(1), D(0)),))
    assert ring.core.books.account("binance").baseline is not None
    told = Booked("binance", "BTCUSDT", "", D(1), D(100), "me", "a deposit")
    ring.record("orders", Kind.BOOKED, told)
    assert ring.core.books.account("binance").baseline is None


def test_a_transfer_leaves_the_account_s_position_as_it_is(ring: Ring) -> None:
    order = accepted(ring, 1)
    ring.report(order, "F", "2", qty="1", px="90", key="1/t", cum_qty=D(1))
    booked(ring, "1", "100", strategy="t", is_transfer=True, from_strategy="s")
    assert held(ring, "s") == (D(0), D(0)) and held(ring, "t") == (D(1), D(100))
    assert ring.core.books.own["s", *PLACE].realised_profit == 10
    assert ring.core.books.positions[PLACE].average_price == 90


@pytest.mark.parametrize(
    ("which", "why"),
    [
        ({"account": "nowhere"}, "nowhere: no such account; there is binance, generic"),
        ({"symbol": "DOGE"}, "DOGE at generic: no such symbol; there is BTCUSDT"),
        ({"qty": "0"}, "0 at 100 cannot be booked"),
        ({"px": "-1"}, "1 at -1 cannot be booked"),
        ({"is_transfer": True}, "nobody is on both sides of the transfer"),
        ({"strategy": "No Name"}, "strategy"),
    ],
)
def test_what_cannot_be_booked_is_refused_by_name(ring: Ring, which: dict[str, object], why: str) -> None:
    word = {"account": "generic", "symbol": "BTCUSDT", "qty": "1", "px": "100", "text": "a deposit"}
    answer = control(ring, "book", **{**word, **which})
    assert not answer.ok and why in answer.text
    assert not ring.core.books.own


def test_the_day_keeps_what_was_held_when_it_began_and_begins_once(ring: Ring) -> None:
    order = accepted(ring, 1, qty="5")
    ring.report(order, "F", "1", qty="1", px="90", key="1/t", cum_qty=D(1))
    began = DayBegan("2027-01-15", "UTC", 10)
    ring.record("risk", Kind.DAY_BEGAN, began)
    ring.report(order, "F", "1", qty="1", px="110", key="1/u", cum_qty=D(2))
    ring.record("risk", Kind.DAY_BEGAN, began)
    loaded = load_books(dump_books(ring.core.books), {})
    for books in (ring.core.books, loaded):
        ((strategy, opening),) = books.day.parts
        assert (strategy, opening.quantity, books.day.day) == ("s", D(1), "2027-01-15")


def test_who_asks_for_money_is_told_all_parts_and_the_day(ring: Ring) -> None:
    ring.session("generic", SessionState.OPENED)
    booked(ring, "2", "100", strategy="s")
    told = msgspec.json.decode(asked(ring, "money").detail, type=Held)
    (part,) = told.parts
    assert (part.strategy, part.place, part.position.quantity, part.base) == ("s", PLACE, D(2), "BTC")
    assert told.lsn == ring.core.books.lsn and not told.day.began_ns


def test_each_strategy_s_open_orders_are_at_hand_whatever_became_of_them(ring: Ring) -> None:
    """They are asked for at every status: nobody walks through the orders of all others for it."""
    ring.hello("t", b"q")
    orders = [accepted(ring, number) for number in (1, 2, 3)]
    accepted(ring, 1, peer=b"q")
    ring.report(orders[0], "F", "2", qty="1", key="1/t", cum_qty=D(1))
    ring.report(orders[1], "4", "4")
    ring.report(orders[0], "H", "1", key="1/u", reference_trade_key="1/t", cum_qty=D(0))
    for books in (ring.core.books, load_books(dump_books(ring.core.books), {})):
        assert {order.number for order in books.open_orders_of("s")} == {1, 3}, "the bust has opened it again"
        assert [order.number for order in books.open_orders_of("t")] == [1]
        assert books.open_orders_of("u") == []

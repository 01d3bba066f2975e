"""CumQty(14) without its trades, at a venue that nobody can ask for them: told after a while, booked by a person, and
replaced by the trades if they come after all."""

from typing import Any

import msgspec
import pytest

from common.messages import Ask, FilledByHand, Kind, OrderEvent, QueryOrder, SessionState, Trade
from services.orders.settings import OrdersSettings, VenueWays
from tests.services.orders.harness import D, Ring, accepted, settings
from tests.services.orders.test_operator import control

PLACE = ("generic", "BTCUSDT")


def told_without_trades(ring: Ring, cum_qty: str = "1", ord_status: str = "1") -> Any:
    """An order of 5, of which the venue says that so much is filled."""
    order = accepted(ring, 1, qty="5")
    ring.report(order, "I", ord_status, cum_qty=D(cum_qty))
    return order


def booked(ring: Ring, qty: str, px: str = "100") -> None:
    answer = control(ring, "fill", strategy="s", number=1, qty=qty, px=px, text="the venue's own page, 03:12")
    assert answer.ok, answer.text


def standing(ring: Ring) -> tuple[Any, ...]:
    """CumQty(14), and quantity, cash and fills of the position."""
    position = ring.core.books.positions[PLACE]
    return ring.core.books.orders["s", 1].cum_qty, position.quantity, position.cash, position.fills


def trades(ring: Ring, *told: Trade) -> None:
    """REST tells all trades, asked for now."""
    ask = Ask("binance", 900, "trades", "BTCUSDT", asked_lsn=ring.core.books.lsn)
    ring.answers(venue="binance", ask=ask, trades=told, venue_ns=ring.journal.stamp_ns)


def test_what_is_missing_for_long_is_a_discrepancy_once(ring: Ring) -> None:
    told_without_trades(ring)
    ring.pass_time(25_000)
    before = sum(r.kind == Kind.DISCREPANCY for r in ring.journal.records)
    ring.pass_time(10_000)
    assert sum(r.kind == Kind.DISCREPANCY for r in ring.journal.records) == before + 1
    ring.pass_time(60_000)
    assert sum(r.kind == Kind.DISCREPANCY for r in ring.journal.records) == before + 1


def test_what_comes_in_time_is_none(ring: Ring) -> None:
    order = told_without_trades(ring)
    ring.pass_time(20_000)
    ring.report(order, "F", "1", qty="1", key="1/t1", cum_qty=D(1))
    before = sum(r.kind == Kind.DISCREPANCY for r in ring.journal.records)
    ring.pass_time(40_000)
    assert sum(r.kind == Kind.DISCREPANCY for r in ring.journal.records) == before


def test_a_person_books_it_and_the_trade_replaces_it(ring: Ring) -> None:
    order = told_without_trades(ring)
    booked(ring, "1", "100")
    assert standing(ring) == (1, 1, -100, 1)
    assert not ring.core.books.needs_asking(ring.core.books.orders["s", 1])
    event = next(e for e in reversed(ring.clients[b"p"]) if isinstance(e, OrderEvent))
    assert (event.event, event.last_qty, event.last_px, event.cum_qty) == ("trade", D(1), D(100), D(1))
    ring.report(order, "F", "1", qty="1", px="99", key="1/t1", cum_qty=D(1))
    assert standing(ring) == (1, 1, -99, 1)
    event = next(e for e in reversed(ring.clients[b"p"]) if isinstance(e, OrderEvent))
    assert (event.event, event.last_qty, event.cum_qty, event.avg_px) == ("trade_correct", D(0), D(1), D(99))
    ring.report(order, "F", "1", qty="1", px="99", key="1/t1", cum_qty=D(1))
    ring.report(order, "F", "1", qty="2", px="98", key="1/t2", cum_qty=D(3))
    assert standing(ring) == (3, 3, -99 - 196, 2)


def test_a_trade_that_tells_a_part_replaces_as_much(ring: Ring) -> None:
    order = told_without_trades(ring, "3")
    booked(ring, "2", "100")
    assert standing(ring) == (2, 2, -200, 1)
    ring.report(order, "F", "1", qty="0.5", px="90", key="1/t1", cum_qty=D(3))
    assert standing(ring) == (2, 2, -150 - 45, 2)
    ring.report(order, "F", "1", qty="2.5", px="80", key="1/t2", cum_qty=D(3))
    assert standing(ring) == (3, 3, -45 - 200, 2)


@pytest.mark.parametrize("qty", ["0", "-1", "3.1", "NaN", "1e100"])
def test_no_more_is_booked_than_the_venue_has_told(ring: Ring, qty: str) -> None:
    told_without_trades(ring, "3")
    assert not control(ring, "fill", strategy="s", number=1, qty=qty, px="100", text="x").ok
    assert not control(ring, "fill", strategy="s", number=1, qty="1", px="0", text="x").ok
    assert not control(ring, "fill", strategy="s", number=7, qty="1", px="1", text="x").ok
    assert ring.core.books.orders["s", 1].cum_qty == 0


def test_a_trade_that_came_before_the_record_leaves_nothing_to_book(ring: Ring) -> None:
    order = told_without_trades(ring, "1")
    ring.report(order, "F", "1", qty="1", px="99", key="1/t1", cum_qty=D(1))
    ring.record("orders", Kind.FILLED_BY_HAND, FilledByHand("s", 1, D(1), D(100), "tester", "late"))
    assert standing(ring) == (1, 1, -99, 1)


def test_a_closed_order_stays_in_memory_for_the_trades_that_replace_it(ring: Ring) -> None:
    order = told_without_trades(ring, "1", "1")
    ring.report(order, "4", "4", cum_qty=D(1))
    booked(ring, "1")
    assert ("s", 1) in ring.core.books.unsettled and ("s", 1) not in ring.core.books.closed
    ring.load_snapshot()
    assert ("s", 1) in ring.core.books.unsettled and ("s", 1) not in ring.core.books.closed
    ring.report(order, "F", "4", qty="1", px="99", key="1/t1", cum_qty=D(1))
    assert standing(ring) == (1, 1, -99, 1)
    assert ("s", 1) in ring.core.books.closed


def test_a_bust_of_a_trade_that_was_never_told_takes_back_what_was_booked_for_it(ring: Ring) -> None:
    order = told_without_trades(ring, "5", "2")
    booked(ring, "5")
    ring.report(order, "H", "1", qty="2", key="1/b", reference_trade_key="1/t1", cum_qty=D(3))
    assert standing(ring) == (3, 3, -300, 1)
    assert ring.core.books.orders["s", 1].status.value == "PARTIALLY_FILLED"
    ring.report(order, "F", "1", qty="2", key="1/t1", cum_qty=D(3))
    assert standing(ring) == (3, 3, -300, 1), "it was taken back before it was told"
    ring.report(order, "F", "1", qty="3", px="90", key="1/t2", cum_qty=D(3))
    assert standing(ring) == (3, 3, -270, 1)


@pytest.mark.parametrize("exec_type", ["G", "H"])
def test_a_bust_or_correction_that_is_told_again_takes_back_nothing_that_was_booked_since(
    ring: Ring, exec_type: str
) -> None:
    order = accepted(ring, 1, qty="5")
    ring.report(order, "F", "1", qty="2", key="1/t1", cum_qty=D(2))
    left = 0 if exec_type == "H" else 1
    bust = {"qty": str(left), "key": "1/b", "reference_trade_key": "1/t1", "cum_qty": D(left)}
    ring.report(order, exec_type, "1", **bust)
    ring.report(order, "I", "1", cum_qty=D(left + 2))
    booked(ring, "2")
    before = standing(ring)
    assert before[0] == left + 2
    ring.report(order, exec_type, "1", **bust)
    assert standing(ring) == before
    ring.report(order, "F", "1", qty="2", key="1/t2", cum_qty=D(left + 2))
    events = [event for event in ring.clients[b"p"] if isinstance(event, OrderEvent)]
    assert sum(event.last_qty for event in events) == 4, "what was booked by hand is not told as one more fill"
    assert standing(ring)[0] == left + 2


def test_it_is_the_same_after_a_restart(ring: Ring) -> None:
    order = told_without_trades(ring, "3")
    booked(ring, "2")
    before = (standing(ring), ring.core.books.digest())
    ring.start()
    ring.go_live()
    assert (standing(ring), ring.core.books.digest()) == before
    ring.report(order, "F", "1", qty="3", px="99", key="1/t1", cum_qty=D(3))
    assert standing(ring) == (3, 3, -297, 1)


def test_trades_that_rest_tells_replace_it_too_whether_they_were_nobody_s_before_or_not(ring: Ring) -> None:
    order = ring.new(1, "binance", qty="5")
    ring.sent(order)
    ring.report(order, "0", "0", order_id="")
    early = Trade("BTCUSDT", "7", "V9", "1", D(1), D(99), D(0), "", 0)
    trades(ring, early)
    ring.report(order, "I", "1", order_id="", cum_qty=D(2))
    booked(ring, "2")
    position = ring.core.books.positions["binance", "BTCUSDT"]
    assert position.quantity == 3, "one of them as nobody's"
    ring.report(order, "I", "1", order_id="V9", cum_qty=D(2))
    assert (ring.core.books.orders["s", 1].cum_qty, position.quantity) == (D(2), D(2))
    late = Trade("BTCUSDT", "8", "V9", "1", D(1), D(98), D(0), "", 0)
    trades(ring, early, late)
    assert (ring.core.books.orders["s", 1].cum_qty, position.quantity, position.cash) == (D(2), D(2), D(-197))
    shares = ring.core.books.shares
    assert shares["s", "binance", "BTCUSDT"] == 2


def asked_trades(ring: Ring) -> list[Ask]:
    """The questions for the trades of single orders, since the last look."""
    asked = [ask for ask in ring.asks if ask.what == "trades" and ask.order_id]
    ring.asks.clear()
    return asked


def test_where_rest_tells_trades_a_person_s_word_does_not_end_the_asking(ring: Ring) -> None:
    order = ring.new(1, "binance", qty="1")
    ring.sent(order)
    ring.report(order, "0", "0", order_id="V1")
    ring.report(order, "I", "2", order_id="V1", cum_qty=D(1))
    booked(ring, "1")
    ring.pass_time(40_000)
    asked_trades(ring)
    ring.pass_time(60_000)
    asked = asked_trades(ring)
    assert 1 <= len(asked) <= 3, "a person's word is known: only price and fee are to come"
    told = Trade("BTCUSDT", "7", "V1", "1", D(1), D(99), D("0.001"), "BTC", 0)
    ring.answers(venue="binance", ask=asked[-1], trades=(told,), venue_ns=ring.journal.stamp_ns)
    position = ring.core.books.positions["binance", "BTCUSDT"]
    assert (position.quantity, position.cash, position.fees) == (D("0.999"), D(-99), {"BTC": D("0.001")})
    ring.pass_time(10_000)
    asked_trades(ring)
    ring.pass_time(60_000)
    assert asked_trades(ring) == []


def test_it_is_asked_for_after_a_restart_too(ring: Ring) -> None:
    order = ring.new(1, "binance", qty="1")
    ring.sent(order)
    ring.report(order, "0", "0", order_id="V1")
    ring.report(order, "I", "2", order_id="V1", cum_qty=D(1))
    booked(ring, "1")
    ring.start()
    ring.go_live()
    asked_trades(ring)
    ring.pass_time(10_000)
    assert [ask.order_id for ask in asked_trades(ring)][:1] == ["V1"]


def test_a_venue_with_a_status_request_and_rest_is_asked_over_rest_for_the_trades() -> None:
    rules = settings().accounts["generic"]
    both = msgspec.structs.replace(rules, ways=VenueWays(True, True, ("BTCUSDT",)))
    ring = Ring(OrdersSettings({"generic": both}))
    ring.go_live()
    ring.log_on("generic")
    for ask in ring.asks:
        ring.answers(venue="generic", ask=ask)
    ring.session("generic", SessionState.OPENED)
    ring.hello()
    told_without_trades(ring)
    ring.commands.clear()
    ring.pass_time(20_000)
    assert {ask.order_id for ask in asked_trades(ring)} == {"Vrt-1"}
    assert any(isinstance(command, QueryOrder) for command in ring.commands)

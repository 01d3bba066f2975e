"""Order lists: which order cancels or releases which, what is locked for them, and that log and snapshot agree."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.exchange.changes import decode_changes, encode_changes
from common.exchange.engine import Engine, Refusal
from common.exchange.history import closed_order
from common.exchange.order import BUY, SELL, STOP, Order, Terms
from common.exchange.state import State
from tests.common.exchange.harness import at, make_engine, placed, terms
from tests.common.exchange.test_trailing_stops import at_price

D = Decimal


def listed(engine: Engine, *orders: Terms) -> list[Order]:
    """Place a list that must be accepted."""
    list_id = engine.state.next_order_id
    named = [each._replace(list_id=list_id, cl_list_id=f"l{list_id}") for each in orders]
    assert engine.check_list(named) is None
    return engine.place_list(named, at())


def pair(side: str, limit: str, stop_px: str, qty: str = "1", **others: Any) -> tuple[Terms, Terms]:
    """A limit order that never takes, and a stop order, of which one cancels the other."""
    return (
        terms("limit", side, qty, limit, post_only=True, exclusive=True, **others),
        terms("stop", side, qty, None, ord_type=STOP, stop_px=D(stop_px), exclusive=True, **others),
    )


def ready() -> Engine:
    """The last trade is at 100, and strangers would buy at 80."""
    engine = make_engine()
    at_price(engine, "100")
    placed(engine, "deep", BUY, "9", "80", account="")
    return engine


def locked(engine: Engine, asset: str) -> Decimal:
    return engine.state.accounts.balance("desk", asset).locked


def test_a_fill_of_one_order_ends_the_other_before_it_trades() -> None:
    engine = ready()
    limit, stop = listed(engine, *pair(SELL, "110", "90", "2"))
    assert locked(engine, "BTC") == 2 and limit.resting and stop.sleeps
    engine.take_from(limit, D(1), at())
    assert (limit.ord_status, limit.cum_qty, stop.ord_status) == ("1", D(1), "C")
    assert locked(engine, "BTC") == 1 and not engine.state.stops["BTCUSDT"]
    engine.take_from(limit, D(1), at())
    assert locked(engine, "BTC") == 0 and not engine.state.lists


def test_the_trigger_of_the_stop_order_ends_the_limit_order() -> None:
    engine = ready()
    limit, stop = listed(engine, *pair(SELL, "110", "90"))
    at_price(engine, "90")
    assert (limit.ord_status, stop.ord_status, stop.cum_quote) == ("C", "2", D(80))
    assert locked(engine, "BTC") == 0 and engine.state.books["BTCUSDT"].asks.best() is None


def test_a_cancel_of_one_order_is_one_of_the_list() -> None:
    engine = ready()
    limit, stop = listed(engine, *pair(SELL, "110", "90"))
    engine.cancel(stop, at())
    assert (limit.ord_status, stop.ord_status) == ("4", "4")
    assert locked(engine, "BTC") == 0 and not engine.state.lists


@pytest.mark.parametrize("dear_first", [False, True])
def test_funds_are_locked_for_the_dearest_of_a_pair_alone(dear_first: bool) -> None:
    engine = ready()
    cheap = terms("cheap", BUY, "1", "90", post_only=True, exclusive=True)
    dear = terms("dear", BUY, "1", "112", ord_type="4", stop_px=D(110), exclusive=True)
    orders = listed(engine, *((dear, cheap) if dear_first else (cheap, dear)))
    assert locked(engine, "USDT") == 112
    held = next(order for order in orders if order.cl_ord_id == "cheap")
    placed(engine, "sold", SELL, "1", "90", account="", time_in_force="3")
    assert held.ord_status == "2" and locked(engine, "USDT") == 0


def test_a_pending_order_is_placed_once_the_first_one_is_filled() -> None:
    engine = ready()
    first, then = listed(engine, terms("first", BUY, "2", "99"), terms("then", SELL, "2", "105", pending=True))
    assert then.waits and not then.resting and locked(engine, "BTC") == 0
    engine.take_from(first, D(1), at())
    assert then.waits
    engine.take_from(first, D(1), at())
    assert not then.waits and then.resting and locked(engine, "BTC") == 2


def test_a_pending_order_is_looked_at_as_pending_while_it_is_open_and_as_it_ended_afterwards() -> None:
    """Seed 111 of the ninth version: what was cancelled unreleased was shown as waiting for ever."""
    engine = ready()
    first, then = listed(engine, terms("first", BUY, "2", "99"), terms("then", SELL, "2", "105", pending=True))
    assert [closed_order(each).ord_status for each in (first, then)] == ["0", "A"]
    engine.cancel(first, at())
    assert [closed_order(each).ord_status for each in (first, then)] == ["4", "4"]


def test_a_pending_pair_is_placed_as_a_pair() -> None:
    engine = ready()
    pending = [each._replace(pending=True) for each in pair(SELL, "110", "90")]
    first, limit, stop = listed(engine, terms("first", BUY, "1", "99"), *pending)
    engine.take_from(first, D(1), at())
    assert limit.resting and stop.sleeps and not stop.waits and locked(engine, "BTC") == 1
    engine.take_from(limit, D(1), at())
    assert (limit.ord_status, stop.ord_status) == ("2", "C") and locked(engine, "BTC") == 0


def test_what_is_pending_ends_with_the_first_order() -> None:
    engine = ready()
    first, then = listed(engine, terms("first", BUY, "2", "99"), terms("then", SELL, "2", "105", pending=True))
    engine.take_from(first, D(1), at())
    engine.cancel(first, at())
    assert (first.ord_status, then.ord_status) == ("4", "4") and locked(engine, "BTC") == 0
    immediate = terms("now", BUY, "1", "90", time_in_force="3")
    first, then = listed(engine, immediate, terms("after", SELL, "1", "105", pending=True))
    assert (first.ord_status, then.ord_status) == ("C", "C")


def test_a_pending_order_that_cannot_be_paid_or_would_take_ends_as_it_is_placed() -> None:
    engine = ready()
    first, then = listed(engine, terms("first", BUY, "1", "99"), terms("then", SELL, "20", "105", pending=True))
    engine.take_from(first, D(1), at())
    assert then.ord_status == "C"
    makes = terms("makes", SELL, "1", "79", post_only=True, pending=True)
    first, then = listed(engine, terms("again", BUY, "1", "99"), makes)
    engine.take_from(first, D(1), at())
    assert then.ord_status == "C" and not engine.state.lists


def paid_list(engine: Engine, *others: Terms, qty: str = "2") -> list[Order]:
    pending = [each._replace(pending=True, paid=True, order_qty=D(qty)) for each in others]
    return listed(engine, terms("first", BUY, qty, "99"), *pending)


def free(engine: Engine) -> Decimal:
    return engine.state.accounts.balance("desk", "BTC").free


def test_what_the_first_order_buys_is_locked_for_what_it_pays_and_its_fee_is_of_what_else_is_free() -> None:
    engine = ready()
    first, then = paid_list(engine, terms("then", SELL, "2", "105"))
    before = free(engine)
    engine.take_from(first, D(1), at())
    assert then.waits and (locked(engine, "BTC"), free(engine)) == (D(1), before - D("0.001"))
    engine.take_from(first, D(1), at())
    assert then.resting and (then.order_qty, then.leaves_qty, then.terms.paid) == (D(2), D(2), False)
    assert (locked(engine, "BTC"), free(engine)) == (D(2), before - D("0.002"))


def test_where_nothing_else_is_free_the_fee_is_taken_off_and_what_is_no_lot_is_given_back() -> None:
    engine = make_engine(BTC="0")
    at_price(engine, "100")
    held = engine.state.accounts.balance("desk", "BTC")
    held.free = D(0)
    first, then = paid_list(engine, terms("then", SELL, "2", "105"))
    engine.take_from(first, D(2), at())
    lot = engine.state.instruments["BTCUSDT"].lot_size
    assert then.order_qty == D("1.998") // lot * lot
    assert held.locked == then.order_qty and held.locked + held.free == D("1.998")


def test_what_was_paid_is_given_back_where_the_list_ends_before_it_is_used() -> None:
    engine = ready()
    first, *pair_of = paid_list(engine, *pair(SELL, "110", "90"))
    before = free(engine)
    engine.take_from(first, D(1), at())
    engine.cancel(first, at())
    assert [each.ord_status for each in (first, *pair_of)] == ["4"] * 3
    assert (locked(engine, "BTC"), free(engine)) == (D(0), before + D("0.999")) and not engine.state.lists


def test_what_was_paid_and_is_no_order_ends_the_list() -> None:
    engine = ready()
    first, then = paid_list(engine, terms("then", SELL, "1", "98.04"), qty="0.051")
    held = engine.state.accounts.balance("desk", "BTC")
    held.free = D(0)
    engine.take_from(first, first.order_qty, at())
    assert (first.ord_status, then.ord_status, held.locked) == ("2", "C", D(0)) and held.free > 0


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"cl_ord_id": "stop"}, Refusal.DUPLICATE),
        ({"price": D("99.005")}, Refusal.BAD_PRICE),
        ({"price": D(79)}, Refusal.WOULD_TAKE),
        ({"order_qty": D(11)}, Refusal.BALANCE),
    ],
)
def test_a_list_is_refused_as_a_whole(change: dict[str, Any], refusal: Refusal) -> None:
    engine = ready()
    limit, stop = pair(SELL, "110", "90")
    assert engine.check_list([limit._replace(**change), stop]) is refusal


STEPS = st.lists(
    st.tuples(st.sampled_from(["pair", "then", "both", "paid", "trade", "cancel"]), st.integers(85, 115)), max_size=25
)


@given(STEPS)
def test_of_exclusive_orders_one_trades_and_what_is_locked_is_what_is_open(steps: list[tuple[str, int]]) -> None:
    engine = ready()
    filled: dict[int, set[int]] = {}
    for number, (what, price) in enumerate(steps):
        names = {"limit": f"a{number}", "stop": f"b{number}", "first": f"c{number}"}
        orders = list(pair(SELL, str(price + 10), str(price - 10)))
        if what == "then":
            orders = [terms("first", BUY, "1", str(price)), orders[0]._replace(pending=True, exclusive=False)]
        elif what == "both":
            orders = [terms("first", BUY, "1", str(price)), *(each._replace(pending=True) for each in orders)]
        elif what == "paid":
            paid = [each._replace(pending=True, paid=True) for each in orders]
            orders = [terms("first", BUY, "1", str(price)), *paid]
        list_id = engine.state.next_order_id
        wanted = [each._replace(cl_ord_id=names[each.cl_ord_id], list_id=list_id) for each in orders]
        if what == "trade":
            at_price(engine, str(price))
        elif what == "cancel" and engine.state.lists:
            engine.cancel(next(iter(next(iter(engine.state.lists.values())).values())), at())
        elif what not in ("trade", "cancel") and engine.check_list(wanted) is None:
            for order in engine.place_list(wanted, at()):
                if order.terms.exclusive:
                    filled.setdefault(list_id, set()).add(order.order_id)
        state = engine.state
        for orders_of_list in state.lists.values():
            traded = [each for each in orders_of_list.values() if each.terms.exclusive and each.cum_qty]
            assert not traded or len([each for each in orders_of_list.values() if each.terms.exclusive]) == 1
            held = [each for each in orders_of_list.values() if each.terms.exclusive and each.holds]
            assert len(held) <= 1
        open_orders = [each for each in state.orders.values() if each.account and each.side == SELL]
        need = sum((each.leaves_qty for each in open_orders if each.holds and each.price is not None), D(0))
        paid_qty = sum((each.paid_qty for each in open_orders), D(0))
        assert state.accounts.balance("desk", "BTC").locked == need + paid_qty
        assert state.accounts.balance("desk", "BTC").free >= 0
    dumped = engine.state.dump()
    states = [State(engine.state.instruments.values()) for _ in range(2)]
    states[0].load(dumped)
    for change in decode_changes(encode_changes(engine.take_changes())):
        states[1].apply(change)
    assert [state.dump() for state in states] == [dumped, dumped]
    assert states[0].lists.keys() == states[1].lists.keys() == engine.state.lists.keys()

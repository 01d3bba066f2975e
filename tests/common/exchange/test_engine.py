"""Matching: who trades with whom, at which price, and what it does to balances."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from common.exchange.changes import Deposited, decode_changes, encode_changes
from common.exchange.engine import Engine, Refusal
from common.exchange.order import DECREMENT, Asked, Order
from common.exchange.state import State
from tests.common.exchange.harness import BTCUSDT, ETHUSDT, at, make_engine, placed, terms

D = Decimal


def balance(engine: Engine, asset: str) -> tuple[Decimal, Decimal]:
    """Free and locked."""
    found = engine.state.accounts.balance("desk", asset)
    return found.free, found.locked


def test_price_then_time() -> None:
    engine = make_engine()
    late = placed(engine, "late", "2", "1", "101", account="")
    dear = placed(engine, "dear", "2", "1", "102", account="")
    best = placed(engine, "best", "2", "1", "100", account="")
    second = placed(engine, "second", "2", "1", "101", account="")
    taker = placed(engine, "taker", "1", "2.5", "102")
    assert taker.ord_status == "2"
    assert [o.cum_qty for o in (best, late, second, dear)] == [D(1), D(1), D("0.5"), D(0)]
    assert taker.cum_quote == D("100") + D("101") + D("50.5")


def test_a_limit_order_rests_with_what_is_left_and_locks_it() -> None:
    engine = make_engine()
    placed(engine, "m", "2", "1", "100", account="")
    order = placed(engine, "o", "1", "3", "101")
    assert (order.ord_status, order.leaves_qty, order.resting) == ("1", D(2), True)
    # The fill was at 100: what the limit would have cost more is free again.
    assert balance(engine, "USDT") == (D(100000) - 100 - 202, D(202))
    assert balance(engine, "BTC") == (D(10) + 1 - D("0.002"), D(0))


def test_fees_are_taken_from_what_is_received() -> None:
    engine = make_engine()
    placed(engine, "maker", "2", "1", "200")
    placed(engine, "x", "1", "1", "200", account="")
    assert balance(engine, "USDT")[0] == D(100000) + 200 - D("0.2")
    assert balance(engine, "BTC") == (D(9), D(0))


def test_fees_are_always_in_the_quote_asset_where_the_instrument_says_so() -> None:
    instrument = replace(BTCUSDT, fee_in_quote=True)
    engine = Engine(State((instrument,)), D("0.001"), D("0.002"), 100, lambda change, order, now, asked: None)
    for asset in ("BTC", "USDT"):
        engine.record(Deposited("desk", asset, D(1000)))
    placed(engine, "s", "2", "1", "400", account="")
    placed(engine, "buy", "1", "1", "400")
    assert (balance(engine, "BTC")[0], balance(engine, "USDT")[0]) == (D(1001), 600 - D("0.8"))
    placed(engine, "b", "1", "1", "400", account="")
    placed(engine, "sell", "2", "1", "400")
    assert (balance(engine, "BTC")[0], balance(engine, "USDT")[0]) == (D(1000), 1000 - D("1.6"))


@pytest.mark.parametrize(("resting", "coming"), [("3", "1"), ("1", "3"), ("2", "2")])
def test_an_account_that_meets_itself_may_have_both_orders_lessened(resting: str, coming: str) -> None:
    engine = make_engine()
    rests = placed(engine, "rests", "2", resting, "300")
    comes = placed(engine, "comes", "1", coming, "300", self_trade=DECREMENT)
    left = {"rests": D(resting) - min(D(resting), D(coming)), "comes": D(coming) - min(D(resting), D(coming))}
    assert {order.cl_ord_id: order.leaves_qty for order in (rests, comes)} == left
    assert engine.state.trades == 0
    assert [o.ord_status for o in (rests, comes) if not left[o.cl_ord_id]] == ["4"] * sum(not q for q in left.values())
    assert balance(engine, "BTC") == (D(10) - left["rests"], left["rests"])
    assert balance(engine, "USDT")[1] == left["comes"] * 300
    again = State(engine.state.instruments.values())
    for change in decode_changes(encode_changes(engine.take_changes())):
        again.apply(change)
    assert again.dump() == engine.state.dump()


def test_cancel_gives_back_what_was_locked() -> None:
    engine = make_engine()
    order = placed(engine, "o", "2", "2", "100")
    assert balance(engine, "BTC") == (D(8), D(2))
    engine.cancel(order, at())
    assert (order.ord_status, order.leaves_qty) == ("4", D(0))
    assert balance(engine, "BTC") == (D(10), D(0))
    assert engine.state.books["BTCUSDT"].asks.best() is None
    assert not engine.state.orders


@pytest.mark.parametrize(
    ("order", "refusal"),
    [
        (terms("o", "1", "1", "100")._replace(symbol="XRPUSDT"), Refusal.UNKNOWN_SYMBOL),
        (terms("o", "1", "0.0015", "10000"), Refusal.BAD_QTY),
        (terms("o", "1", "0", "100"), Refusal.BAD_QTY),
        (terms("o", "1", "101", "100"), Refusal.BAD_QTY),
        (terms("o", "1", "1", "100.005"), Refusal.BAD_PRICE),
        (terms("o", "1", "1", "-100"), Refusal.BAD_PRICE),
        (terms("o", "1", "0.001", "100"), Refusal.BAD_NOTIONAL),
        (terms("o", "1", "100", "1001"), Refusal.BALANCE),
        (terms("o", "2", "11", "100"), Refusal.BALANCE),
        (terms("o", "3", "1", "100"), Refusal.BAD_TERMS),
        (terms("o", "1", "1", "100")._replace(time_in_force="6"), Refusal.BAD_TERMS),
        (terms("o", "1", "1", "100")._replace(expire_ns=1), Refusal.BAD_TERMS),
        (terms("o", "1", "1", "100")._replace(self_trade="5"), Refusal.BAD_SELF_TRADE_MODE),
        (terms("taken", "1", "1", "100"), Refusal.DUPLICATE),
        (terms("o", "1", "1", "150")._replace(post_only=True), Refusal.WOULD_TAKE),
        (terms("o", "1", "1000", None), Refusal.BAD_QTY),
        (terms("o", "1", "1", "100")._replace(post_only=True, time_in_force="3"), Refusal.BAD_TERMS),
    ],
)  # fmt: skip
def test_refused_orders_change_nothing(order: object, refusal: Refusal) -> None:
    engine = make_engine()
    placed(engine, "taken", "1", "1", "90")
    placed(engine, "offer", "2", "1", "150", account="")
    before = engine.state.dump()
    assert engine.new(order, at()) is refusal  # type: ignore[arg-type]
    assert engine.state.dump() == before


def test_a_market_buy_that_cannot_be_paid_is_refused() -> None:
    engine = make_engine(USDT="-99950")
    placed(engine, "m", "2", "1", "100", account="")
    assert engine.new(terms("o", "1", "1", None), at()) is Refusal.BALANCE


def test_a_market_order_expires_when_nothing_is_left() -> None:
    engine = make_engine()
    placed(engine, "m", "2", "1", "100", account="")
    order = placed(engine, "o", "1", "2", None)
    assert (order.ord_status, order.cum_qty) == ("C", D(1))
    assert balance(engine, "USDT") == (D(99900), D(0))


def test_immediate_or_cancel_and_fill_or_kill() -> None:
    engine = make_engine()
    placed(engine, "m", "2", "1", "100", account="")
    kill = placed(engine, "k", "1", "2", "100", time_in_force="4")
    assert (kill.ord_status, kill.cum_qty) == ("C", D(0))
    partly = placed(engine, "i", "1", "2", "100", time_in_force="3")
    assert (partly.ord_status, partly.cum_qty) == ("C", D(1))
    placed(engine, "n", "2", "1", "100", account="")
    placed(engine, "n2", "2", "1", "101", account="")
    assert placed(engine, "f", "1", "2", "101", time_in_force="4").ord_status == "2"


def test_a_market_order_is_filled_as_a_whole_or_not_at_all_where_it_says_so() -> None:
    engine = make_engine()
    placed(engine, "near", "2", "1", "100", account="")
    placed(engine, "far", "2", "1", "1000", account="")
    kill = placed(engine, "k", "1", "3", None, time_in_force="4")
    assert (kill.ord_status, kill.cum_qty) == ("C", D(0))
    fill = placed(engine, "f", "1", "2", None, time_in_force="4")
    assert (fill.ord_status, fill.cum_quote) == ("2", D(1100))


@pytest.mark.parametrize(("mode", "maker", "taker"), [("2", "0", "C"), ("3", "C", "0"), ("4", "C", "C")])
def test_an_account_never_trades_with_itself(mode: str, maker: str, taker: str) -> None:
    engine = make_engine()
    first = placed(engine, "a", "2", "1", "100")
    second = placed(engine, "b", "1", "1", "100", self_trade=mode)
    assert (first.ord_status, second.ord_status, engine.state.trades) == (maker, taker, 0)


def test_fill_or_kill_does_not_count_its_own_orders() -> None:
    engine = make_engine()
    placed(engine, "own", "2", "1", "100")
    placed(engine, "m", "2", "1", "100", account="")
    assert placed(engine, "k", "1", "2", "100", time_in_force="4").cum_qty == 0


@pytest.mark.parametrize(
    ("mode", "taker", "filled", "own"), [("2", "C", D(0), "0"), ("3", "2", D(3), "C"), ("4", "C", D(0), "0")]
)
def test_fill_or_kill_stops_counting_where_an_own_order_would_end_it(
    mode: str, taker: str, filled: Decimal, own: str
) -> None:
    engine = make_engine()
    placed(engine, "first", "2", "1", "100", account="")
    between = placed(engine, "own", "2", "1", "100")
    placed(engine, "last", "2", "2", "100", account="")
    kill = placed(engine, "k", "1", "3", "100", time_in_force="4", self_trade=mode)
    assert (kill.ord_status, kill.cum_qty, between.ord_status) == (taker, filled, own)


@pytest.mark.parametrize(
    ("qty", "price", "refusal"),
    [
        ("0.1", "1000000.01", Refusal.BAD_PRICE),
        ("0.1", "2000.01", Refusal.FAR_PRICE),
        ("0.1", "79.99", Refusal.FAR_PRICE),
        ("5.1", "2000", Refusal.BAD_NOTIONAL),
        ("1", "2000", None),
        ("1", "80", None),
    ],
)
def test_every_filter_that_is_told_holds_for_new_orders_and_new_terms(
    qty: str, price: str, refusal: Refusal | None
) -> None:
    engine = make_engine(largest_notional="10000")
    assert engine.check(terms("o", "2", qty, price)) is refusal
    order = placed(engine, "r", "2", "0.01", "1000")
    assert engine.check_replace(order, "r2", D(qty), D(price)) is refusal


def test_how_far_a_price_may_be_is_measured_from_the_last_trade() -> None:
    engine = make_engine()
    placed(engine, "m", "2", "1", "300", account="")
    placed(engine, "t", "1", "1", "300", account="")
    assert engine.check(terms("o", "2", "1", "1500.01")) is Refusal.FAR_PRICE
    assert engine.check(terms("o", "2", "1", "1500")) is None
    assert engine.check(terms("o", "1", "1", "60")) is None


def test_less_quantity_keeps_the_place_and_more_loses_it() -> None:
    engine = make_engine()
    first, second = placed(engine, "a", "1", "2", "100"), placed(engine, "b", "1", "2", "100", account="")
    engine.replace(first, Asked("a2"), D(1), D(100), at())
    assert balance(engine, "USDT") == (D(99900), D(100))
    placed(engine, "x", "2", "1", "100", account="")
    assert (first.ord_status, second.cum_qty) == ("2", D(0))
    third = placed(engine, "c", "1", "1", "100")
    engine.replace(third, Asked("c2"), D(2), D(100), at())
    placed(engine, "y", "2", "2", "100", account="")
    assert (second.ord_status, third.cum_qty) == ("2", D(0))
    assert engine.state.find("desk", "c") is third is engine.state.find("desk", "c2")


def test_a_replacement_may_trade_at_once() -> None:
    engine = make_engine()
    order = placed(engine, "a", "1", "2", "90")
    placed(engine, "m", "2", "1", "100", account="")
    engine.replace(order, Asked("a2"), D(2), D(100), at())
    assert (order.ord_status, order.cum_qty, order.leaves_qty) == ("1", D(1), D(1))
    assert balance(engine, "USDT") == (D(99800), D(100))


@pytest.mark.parametrize(
    ("name", "qty", "price", "refusal"),
    [
        ("b", "2", "100", Refusal.DUPLICATE),
        ("a2", "1", "100", Refusal.BELOW_FILLED),
        ("a2", "2", "100.001", Refusal.BAD_PRICE),
        ("a2", "100", "500", Refusal.BALANCE),
    ],
)
def test_refused_replacements(name: str, qty: str, price: str, refusal: Refusal) -> None:
    engine = make_engine(USDT="20000")
    order = placed(engine, "a", "1", "2", "100")
    placed(engine, "b", "1", "1", "90")
    placed(engine, "x", "2", "1", "100", account="")
    assert engine.check_replace(order, name, D(qty), D(price)) is refusal


def test_an_order_that_only_makes_is_not_moved_to_where_it_would_take() -> None:
    engine = make_engine()
    order = placed(engine, "a", "1", "2", "90", post_only=True)
    placed(engine, "m", "2", "1", "100", account="")
    assert engine.check_replace(order, "a2", D(2), D(100)) is Refusal.WOULD_TAKE
    assert engine.check_replace(order, "a2", D(2), D("99.99")) is None


def test_open_orders_of_a_symbol_are_counted() -> None:
    engine = make_engine()
    for number in range(100):
        placed(engine, f"o{number}", "1", "0.01", "600")
    assert engine.check(terms("more", "1", "0.01", "600")) is Refusal.TOO_MANY_ORDERS
    engine.cancel(engine.state.open_orders("desk", "BTCUSDT")[0], at())
    assert engine.check(terms("more", "1", "0.01", "600")) is None


def test_reducing_only_reduces() -> None:
    engine = make_engine()
    order = placed(engine, "a", "1", "2", "100")
    placed(engine, "x", "2", "1", "100", account="")
    assert engine.check_reduce(order, "a", D(3)) is Refusal.NOT_LESS
    assert engine.check_reduce(order, "a", D("1.0005")) is Refusal.BAD_QTY
    assert engine.check_reduce(order, "a", D(2)) is Refusal.NO_CHANGE
    assert engine.check_reduce(order, "a", D(1)) is Refusal.BELOW_FILLED
    assert engine.check_reduce(order, "a", D("1.5")) is None
    engine.reduce(order, Asked("a"), D("1.5"), at())
    assert (order.leaves_qty, engine.state.books["BTCUSDT"].bids.qty_at(D(100))) == (D("0.5"), D("0.5"))


def test_a_state_can_be_kept_after_any_change() -> None:
    engine = make_engine()
    placed(engine, "m", "2", "1", "100", account="")
    order = placed(engine, "o", "1", "3", "101")
    engine.replace(order, Asked("o2"), D(4), D(99), at())
    placed(engine, "x", "2", "1", "99", account="")
    engine.cancel(order, at())
    state = State((BTCUSDT, ETHUSDT))
    for change in engine.take_changes():
        state.apply(change)
        loaded = State((BTCUSDT, ETHUSDT))
        loaded.load(state.dump())
        assert loaded.dump() == state.dump()
        assert {o.order_id: o.resting for o in loaded.orders.values()} == {
            o.order_id: o.resting for o in state.orders.values()
        }


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["new", "new", "new", "cancel", "replace", "cancel_all"]),
        st.sampled_from(["desk", "desk", ""]),
        st.sampled_from(["1", "2"]),
        st.integers(1, 8),
        st.integers(96, 104),
        st.sampled_from(["1", "1", "3", "4"]),
        st.integers(0, 30),
    ),
    max_size=60,
)


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_whatever_happens_the_books_balance_and_the_log_repeats_it(
    steps: list[tuple[str, str, str, int, int, str, int]],
) -> None:
    """Nothing is created or lost but fees, locks are what open orders need, books never cross, and replay is exact."""
    engine = make_engine()
    orders: list[Order] = []
    for index, (act, account, side, qty, price, time_in_force, pick) in enumerate(steps):
        alive = [o for o in orders if o.is_open]
        if act == "new":
            new = engine.new(
                terms(f"n{index}", side, str(qty), str(price), account, time_in_force=time_in_force), at(index)
            )
            orders += [new] if isinstance(new, Order) else []
        elif act == "cancel_all":
            engine.cancel_all("desk", "BTCUSDT", at(index))
        elif alive:
            order = alive[pick % len(alive)]
            if act == "cancel":
                engine.cancel(order, at(index))
            elif order.account and engine.check_replace(order, f"r{index}", D(qty), D(price)) is None:
                engine.replace(order, Asked(f"r{index}"), D(qty), D(price), at(index))
    _check_books(engine)
    changes = decode_changes(encode_changes(engine.take_changes()))
    again = State((BTCUSDT, ETHUSDT))
    for change in changes:
        again.apply(change)
    assert again.dump() == engine.state.dump()
    loaded = State((BTCUSDT, ETHUSDT))
    loaded.load(engine.state.dump())
    assert loaded.dump() == engine.state.dump()


def _check_books(engine: Engine) -> None:
    state = engine.state
    book = state.books["BTCUSDT"]
    bid, ask = book.bids.best(), book.asks.best()
    assert bid is None or ask is None or bid.price < ask.price
    for side in (book.bids, book.asks):
        assert side.keys == sorted(side.levels)
        for level in side.walk():
            assert level.qty == sum(o.leaves_qty for o in level.orders.values()) > 0
    open_orders = state.open_orders("desk", "BTCUSDT")
    assert all(o.resting for o in open_orders)
    assert state.accounts.balance("desk", "USDT").locked == sum(
        (o.price or 0) * o.leaves_qty for o in open_orders if o.side == "1"
    )
    assert state.accounts.balance("desk", "BTC").locked == sum(o.leaves_qty for o in open_orders if o.side == "2")
    for asset in ("BTC", "USDT"):
        assert state.accounts.balance("desk", asset).free >= 0

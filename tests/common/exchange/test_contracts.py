"""Contracts at the simulated exchange: positions, what is settled in cash, and instruments that end."""

from decimal import Decimal

import msgspec
import pytest

from common.contracts import Contract, InstrumentKind
from common.exchange.changes import Deposited
from common.exchange.engine import Engine, Refusal
from common.exchange.history import TradeRow
from common.exchange.order import Order
from common.exchange.settings import Instrument
from common.exchange.state import State
from tests.common.exchange.harness import BTCUSDT, at, make_engine, placed, terms

D = Decimal
PERPETUAL = Contract(InstrumentKind.PERPETUAL, D(10), True, "BTC")
END_NS = at(60_000_000_000).wall_ns


def engine_of(contract: Contract, expiry_ns: int = 0) -> Engine:
    """An engine with one instrument, called as the harness's terms have it, and an account with one BTC."""
    whole = {"quote": "USD", "lot_size": D(1), "min_qty": D(1), "max_qty": D(10**6), "start_price": D(50_000)}
    instrument: Instrument = msgspec.structs.replace(BTCUSDT, contract=contract, expiry_ns=expiry_ns, **whole)
    engine = Engine(State((instrument,)), D("0.001"), D("0.001"), 100, lambda change, order, now, asked: None)
    engine.record(Deposited("desk", "BTC", D(1)))
    return engine


def trade(engine: Engine, side: str, qty: str, price: str) -> Order:
    """The account takes from a stranger."""
    placed(engine, f"s{engine.state.next_order_id}", "2" if side == "1" else "1", qty, price, account="")
    return placed(engine, f"o{engine.state.next_order_id}", side, qty, price)


def test_an_order_for_contracts_locks_nothing_and_moves_no_base_asset() -> None:
    engine = engine_of(PERPETUAL)
    placed(engine, "o", "1", "1000", "50000")
    accounts = engine.state.accounts
    assert {asset: (b.free, b.locked) for (_, asset), b in accounts.balances.items()} == {"BTC": (D(1), D(0))}


def test_what_closing_realises_and_fees_are_settled_in_cash() -> None:
    engine = engine_of(PERPETUAL)
    trade(engine, "1", "1000", "50000")
    accounts = engine.state.accounts
    assert accounts.balance("desk", "BTC").free == 1 - D("0.0002"), "a fee of a thousandth of 0.2 BTC"
    trade(engine, "2", "1000", "62500")
    profit = 10_000 / D(50_000) - 10_000 / D(62_500)
    assert accounts.balance("desk", "BTC").free == 1 - D("0.0002") - D("0.00016") + profit
    assert accounts.positions["desk", "BTCUSDT"] == (D(0), D(0))
    assert set(accounts.balances) == {("desk", "BTC")}


def test_an_option_s_premium_is_paid_at_once() -> None:
    engine = engine_of(Contract(InstrumentKind.OPTION, D(1), False, "BTC"))
    trade(engine, "1", "2", "20000")
    assert engine.state.accounts.balance("desk", "BTC").free == 1 - 40_000 - 40


def test_positions_are_in_a_snapshot() -> None:
    engine = engine_of(PERPETUAL)
    trade(engine, "2", "7", "50000")
    again = State(engine.state.instruments.values())
    again.load(engine.state.dump())
    assert again.accounts.positions == engine.state.accounts.positions == {("desk", "BTCUSDT"): (D(-7), 1 / D(50_000))}


def test_a_fill_of_contracts_is_taken_back() -> None:
    engine = engine_of(PERPETUAL)
    order = trade(engine, "1", "1000", "50000")
    accounts = engine.state.accounts
    fill = TradeRow("desk", "BTCUSDT", 1, 3, order.order_id, "o", "1", D(50_000), D(1000), D("0.0002"), "BTC", False, 0)
    engine.correct(fill, D(500), D(40_000), at())
    assert accounts.positions["desk", "BTCUSDT"] == (D(500), 1 / D(40_000))
    assert accounts.balance("desk", "BTC").free == 1 - D("0.000125")


@pytest.mark.parametrize(("late_ns", "refusal"), [(-1, None), (0, Refusal.INSTRUMENT_EXPIRED)])
def test_what_has_expired_is_refused(late_ns: int, refusal: Refusal | None) -> None:
    engine = engine_of(PERPETUAL, END_NS)
    assert engine.check(terms("o", "1", "10", "50000"), END_NS + late_ns) is refusal


def test_the_smallest_notional_of_an_inverse_contract_does_not_depend_on_its_price() -> None:
    engine = engine_of(PERPETUAL)
    assert engine.check(terms("o", "1", "1", "50000")) is None
    dear = engine_of(Contract(InstrumentKind.PERPETUAL, D(1), True, "BTC"))
    assert dear.check(terms("o", "1", "4", "50000")) is Refusal.BAD_NOTIONAL


# ---- reduce-only orders


def test_a_reduce_only_order_turns_no_position_round() -> None:
    engine = engine_of(PERPETUAL)
    assert engine.check(terms("r", "2", "5", "50000", reduce_only=True)) is Refusal.NOT_REDUCING
    trade(engine, "1", "5", "50000")
    assert engine.check(terms("r", "1", "5", "50000", reduce_only=True)) is Refusal.NOT_REDUCING
    placed(engine, "s", "1", "9", "50000", account="")
    order = placed(engine, "r", "2", "7", "50000", reduce_only=True)
    assert (order.ord_status, order.cum_qty) == ("4", D(5))
    assert engine.state.accounts.position("desk", "BTCUSDT") == 0
    assert engine.state.books["BTCUSDT"].bids.qty_at(D(50_000)) == 4


def test_a_reduce_only_order_that_rests_gives_way_once_the_position_is_gone() -> None:
    engine = engine_of(PERPETUAL)
    trade(engine, "2", "5", "50000")
    resting = placed(engine, "r", "1", "5", "49000", reduce_only=True)
    trade(engine, "1", "5", "50000")
    assert resting.is_open
    taker = placed(engine, "t", "2", "5", "49000", account="")
    assert (resting.ord_status, resting.cum_qty, taker.cum_qty) == ("4", D(0), D(0))


def test_a_reduce_only_order_is_filled_whole_or_not_at_all_by_the_position_too() -> None:
    engine = engine_of(PERPETUAL)
    trade(engine, "1", "5", "50000")
    placed(engine, "s", "1", "9", "50000", account="")
    order = placed(engine, "r", "2", "6", "50000", reduce_only=True, time_in_force="4")
    assert (order.ord_status, order.cum_qty) == ("C", D(0))
    assert placed(engine, "r2", "2", "5", "50000", reduce_only=True, time_in_force="4").ord_status == "2"


def test_a_spot_market_takes_no_reduce_only_order() -> None:
    assert make_engine().check(terms("r", "2", "1", "100", reduce_only=True)) is Refusal.BAD_TERMS


LINEAR = Contract(InstrumentKind.PERPETUAL, D("0.01"), False, "USDT")


def margin_engine() -> Engine:
    """A linear perpetual of a hundredth of the base asset at 50000, a tenth of which is needed, and 1000 USDT."""
    instrument: Instrument = msgspec.structs.replace(
        BTCUSDT, contract=LINEAR, lot_size=D("0.01"), min_qty=D("0.01"), max_qty=D(10**6), start_price=D(50_000),
        margin_rate=D("0.1"),
    )  # fmt: skip
    engine = Engine(State((instrument,)), D("0.001"), D("0.001"), 100, lambda change, order, now, asked: None)
    engine.record(Deposited("desk", "USDT", D(1000)))
    return engine


def test_what_a_linear_contract_realises_is_settled_in_its_quote_asset() -> None:
    engine = margin_engine()
    trade(engine, "2", "4", "50000")
    trade(engine, "1", "1.5", "49000")
    fees = D("0.001") * D("0.01") * (4 * 50_000 + D("1.5") * 49_000)
    accounts = engine.state.accounts
    assert accounts.balance("desk", "USDT").free == 1000 - fees + D("0.01") * D("1.5") * 1000
    assert accounts.positions["desk", "BTCUSDT"] == (D("-2.5"), D(50_000))
    assert engine.state.held_at_cost("desk") == {"USDT": D("0.01") * D("-2.5") * 50_000}
    assert set(accounts.balances) == {("desk", "USDT")}


def test_an_order_that_needs_more_margin_than_the_equity_bears_is_refused() -> None:
    engine = margin_engine()
    assert engine.check(terms("o", "1", "20", "50000")) is None
    assert engine.check(terms("o", "1", "20.01", "50000")) is Refusal.BALANCE
    resting = placed(engine, "b", "1", "15", "49000")
    assert engine.check(terms("o", "1", "5.01", "49000")) is Refusal.BALANCE, "what is ordered counts"
    assert engine.check(terms("o", "2", "20", "51000")) is None, "each side is counted by itself"
    assert engine.check_replace(resting, "b2", D("20.01"), D(49_000)) is Refusal.BALANCE
    assert engine.check_replace(resting, "b2", D(20), D(49_000)) is None
    assert engine.margin("desk", "USDT") == 750 and engine.equity("desk", "USDT") == 1000


def test_contracts_of_a_wallet_of_their_own_spend_nothing_of_the_other_one() -> None:
    spot = msgspec.structs.replace(BTCUSDT, start_price=D(50_000))
    perpetual = msgspec.structs.replace(
        spot, symbol="PERP", contract=LINEAR, lot_size=D("0.01"), margin_rate=D("0.1"), wallet="futures",
        max_qty=D(10**6),
    )  # fmt: skip
    engine = Engine(State((spot, perpetual)), D("0.001"), D("0.001"), 100, lambda change, order, now, asked: None)
    engine.record(Deposited("desk", "USDT", D(5000)))
    engine.record(Deposited("desk", "USDT/futures", D(1000)))
    assert perpetual.purse == "USDT/futures" and perpetual.fee_asset("1") == "USDT"
    assert engine.check(terms("o", "1", "20.01", "50000")._replace(symbol="PERP")) is Refusal.BALANCE
    placed(engine, "s", "1", "0.1", "50000")
    assert engine.check(terms("o", "1", "20", "50000")._replace(symbol="PERP")) is None
    engine.place(terms("p", "2", "10", "50000")._replace(symbol="PERP"), at(0))
    engine.place(terms("q", "1", "10", "50000")._replace(symbol="PERP", account=""), at(0))
    accounts = engine.state.accounts
    assert accounts.balance("desk", "USDT/futures").free == 995 and accounts.balance("desk", "USDT").locked == 5000
    assert engine.margin("desk", "USDT/futures") == 500 and engine.equity("desk", "USDT/futures") == 995
    assert engine.state.held_at_cost("desk") == {"USDT": D(-5000)}


def test_a_loss_takes_from_the_equity_and_what_reduces_is_taken_all_the_same() -> None:
    engine = margin_engine()
    trade(engine, "1", "19", "50000")
    trade_of_others(engine, "20000")
    assert engine.equity("desk", "USDT") == 1000 - D("9.5") - D("0.01") * 19 * 30_000
    assert engine.check(terms("o", "1", "1", "20000")) is Refusal.BALANCE
    assert engine.check(terms("o", "2", "19", "20000")) is None
    assert engine.check(terms("o", "2", "19", "20000", reduce_only=True)) is None


def trade_of_others(engine: Engine, price: str) -> None:
    """The price goes there, and the account is in none of it."""
    placed(engine, f"s{engine.state.next_order_id}", "2", "1", price, account="")
    placed(engine, f"s{engine.state.next_order_id}", "1", "1", price, account="")

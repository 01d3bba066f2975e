"""What contracts come to: notional, worth, averages and profit."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.contracts import SPOT, Contract, InstrumentKind, OptionRight, instrument_id, traded

D = Decimal
INVERSE = Contract(InstrumentKind.PERPETUAL, D(10), True, "BTC")
LINEAR = Contract(InstrumentKind.PERPETUAL, D("0.001"), False, "USDC")
CALL = Contract(InstrumentKind.OPTION, D(1), False, "BTC")


def test_the_notional_of_an_inverse_contract_is_the_same_at_any_price() -> None:
    assert INVERSE.notional(D(50_000), D(100)) == INVERSE.notional(D(1), D(100)) == 1000
    assert LINEAR.notional(D(50_000), D(100)) == 5000
    assert SPOT.notional(D(50_000), D("0.1")) == 5000


def test_the_underlying_of_an_inverse_contract_shrinks_as_the_price_rises() -> None:
    assert INVERSE.underlying(D(50_000), D(100)) == D("0.02")
    assert INVERSE.underlying(D(0), D(100)) == 0
    assert LINEAR.underlying(D(50_000), D(100)) == D("0.1")
    assert INVERSE.worth(D(50_000), D(100)) == D("0.02")
    assert LINEAR.worth(D(50_000), D(100)) == 5000


@pytest.mark.parametrize("contract", [SPOT, LINEAR, INVERSE, CALL])
def test_quantity_is_the_contrary_of_notional(contract: Contract) -> None:
    assert contract.quantity(D(50_000), contract.notional(D(50_000), D(70))) == 70


def test_an_inverse_position_averages_harmonically_and_gains_in_its_settlement_asset() -> None:
    first = traded(D(0), D(0), D(100), INVERSE.unit_cost(D(40_000)))
    both = traded(first.quantity, first.average, D(100), INVERSE.unit_cost(D(60_000)))
    assert round(1 / both.average, 8) == D(48_000), "and not 50,000"
    closed = traded(both.quantity, both.average, D(-200), INVERSE.unit_cost(D(50_000)))
    # 2,000 USD were bought as 0.5 / 12 BTC, and sold for 0.04.
    assert INVERSE.profit(closed.gain) == (2000 / D(48_000) - 2000 / D(50_000)).quantize(D("0.00000001"))
    assert (closed.quantity, closed.average) == (D(0), D(0))


def test_a_short_inverse_position_loses_as_the_price_rises() -> None:
    short = traded(D(0), D(0), D(-100), INVERSE.unit_cost(D(50_000)))
    closed = traded(short.quantity, short.average, D(100), INVERSE.unit_cost(D(62_500)))
    assert INVERSE.profit(closed.gain) == D("-0.004")


def test_a_fill_that_turns_a_position_over_begins_a_new_one() -> None:
    long = traded(D(0), D(0), D(10), D(100))
    turned = traded(long.quantity, long.average, D(-15), D(110))
    assert turned == (D(-5), D(110), D(100))


money = st.decimals("0.01", "100000", places=2)


@given(st.lists(st.tuples(st.integers(-50, 50).filter(bool), money), min_size=1, max_size=20))
def test_gain_less_the_cost_of_what_is_held_is_the_money_that_moved(fills: list[tuple[int, Decimal]]) -> None:
    quantity = average = gained = D(0)
    for qty, px in fills:
        held = traded(quantity, average, D(qty), px)
        quantity, average, gained = held.quantity, held.average, gained + held.gain
    moved = -sum((D(qty) * px for qty, px in fills), D(0))
    assert abs(gained - quantity * average - moved) < D("0.000001")


def test_an_instrument_has_one_name_over_all_venues() -> None:
    end = datetime(2027, 9, 24, 8, tzinfo=UTC)
    future = Contract(InstrumentKind.FUTURE, D(10), True, "BTC")
    assert instrument_id("BTC", "USDT") == "BTC/USDT"
    assert instrument_id("BTC", "USD", INVERSE) == "BTC/USD:BTC"
    assert instrument_id("BTC", "USD", future, end) == "BTC/USD:BTC-20270924"
    put = instrument_id("BTC", "BTC", CALL, end, D("1E+5"), OptionRight.PUT)
    assert put == "BTC/BTC:BTC-20270924-100000-P"

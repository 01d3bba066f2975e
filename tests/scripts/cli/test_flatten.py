"""`fixring flatten`: its orders take off what is held, on the venue's grid, and nothing beyond."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.config import load
from common.exit_status import ExitStatus
from scripts.cli.flatten import Closing, closable, closing
from scripts.cli.main import run

D = Decimal
INSTRUMENT = load().venues["generic"].instruments["BTCUSDT"]


def test_a_long_position_is_sold_below_the_market_and_a_short_one_bought_above() -> None:
    lot, tick = INSTRUMENT.lot_size, INSTRUMENT.tick_size
    assert closing(lot * 1000, INSTRUMENT, tick * 100_000, D("0.01")) == Closing("sell", lot * 1000, tick * 99_000)
    assert closing(-lot * 1000, INSTRUMENT, tick * 100_000, D("0.01")) == Closing("buy", lot * 1000, tick * 101_000)


def test_what_the_venue_takes_no_order_for_is_left() -> None:
    assert closing(INSTRUMENT.lot_size / 2, INSTRUMENT, D(60_000), D("0.01")) is None
    assert closing(INSTRUMENT.min_qty, INSTRUMENT, INSTRUMENT.tick_size, D(0)) is None, "below the least notional"


@given(
    st.decimals("-9999", "9999", places=8), st.decimals("0.01", "99999", places=2), st.decimals("0", "0.9", places=3)
)
def test_no_order_goes_beyond_the_position_or_the_slippage(held: Decimal, price: Decimal, ratio: Decimal) -> None:
    order = closing(held, INSTRUMENT, price, ratio)
    if order is None:
        return
    assert order.side == ("sell" if held > 0 else "buy") and 0 < order.qty <= abs(held)
    assert order.qty % INSTRUMENT.lot_size == 0 and order.price % INSTRUMENT.tick_size == 0 and order.price > 0
    if order.side == "buy":
        assert order.price <= price * (1 + ratio)
    else:
        assert order.price >= price * (1 - ratio)


@pytest.mark.parametrize("slippage", ["-0.1", "1", "much"])
def test_a_slippage_that_is_none_is_wrong_usage(slippage: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["flatten", "--slippage", slippage]) == ExitStatus.USAGE
    assert "--slippage" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("own", "whole", "comes_off"),
    [("2", "5", "2"), ("5", "2", "2"), ("-2", "-5", "-2"), ("2", "-5", "0"), ("-1", "3", "0"), ("1", "0", "0")],
)
def test_a_strategys_part_comes_off_only_where_the_account_holds_less_by_it(
    own: str, whole: str, comes_off: str
) -> None:
    assert closable(D(own), D(whole)) == D(comes_off)


@given(st.decimals("-99", "99", places=3), st.decimals("-99", "99", places=3))
def test_what_comes_off_never_turns_or_enlarges_either_position(own: Decimal, whole: Decimal) -> None:
    taken = closable(own, whole)
    assert abs(own - taken) <= abs(own) and abs(whole - taken) <= abs(whole)
    assert (own - taken) * own >= 0 and (whole - taken) * whole >= 0

"""What a strategy says of an order, in FIX's codes."""

from decimal import Decimal as D

import pytest

from common.messages import Terms
from common.strategy.terms import terms_of

TRAILING = {"peg_price_type": "8", "peg_offset": D(150), "peg_offset_type": "1"}


@pytest.mark.parametrize(
    ("said", "ord_type", "terms"),
    [
        ({"stop_px": D(9), "take_profit": True}, "3", {"stop_px": D(9), "take_profit": True}),
        ({"trailing_bips": 150}, "3", TRAILING),
        ({"trailing_bips": 150, "stop_px": D(9), "price": D(8)}, "4", {**TRAILING, "stop_px": D(9), "price": D(8)}),
        ({"trailing_offset": D(5)}, "3", {**TRAILING, "peg_offset": D(5), "peg_offset_type": "0"}),
        ({"peg": "primary"}, "P", {"peg_price_type": "5"}),
        ({"peg": "market", "peg_levels": 2}, "P", {"peg_price_type": "4", "peg_offset": D(2), "peg_offset_type": "3"}),
    ],
)
def test_what_follows_the_market_in_fix_s_codes(
    said: dict[str, object], ord_type: str, terms: dict[str, object]
) -> None:
    assert terms_of("1", D(1), **said) == Terms("1", ord_type, D(1), **terms)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong",
    [
        {"trailing_bips": 1, "trailing_offset": D(1)}, {"trailing_bips": 1, "peg": "primary"}, {"peg": "midpoint"},
        {"peg": "primary", "price": D(1)}, {"peg": "primary", "stop_px": D(1)}, {"peg_levels": 1},
        {"trailing_offset": 1.5},
    ],
)  # fmt: skip
def test_what_cannot_follow_is_refused_as_it_is_said(wrong: dict[str, object]) -> None:
    with pytest.raises(TypeError):
        terms_of("1", D(1), **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("price", "stop_px", "ord_type"),
    [(None, None, "1"), (D(100), None, "2"), (None, D(90), "3"), (D(89), D(90), "4")],
)
def test_the_prices_say_which_type_it_is(price: D | None, stop_px: D | None, ord_type: str) -> None:
    assert terms_of("2", D(1), price, stop_px=stop_px) == Terms("2", ord_type, D(1), price, stop_px=stop_px)  # type: ignore[arg-type]


def test_a_date_makes_it_good_till_then_and_what_is_over_at_once_has_none() -> None:
    assert terms_of("1", D(1), D(9), expire_ns=7) == Terms("1", "2", D(1), D(9), "6", expire_ns=7)
    assert terms_of("1", D(1), D(9), time_in_force="3", expire_ns=7).time_in_force == "3", "which risk refuses"


@pytest.mark.parametrize("wrong", [{"order_qty": 1}, {"price": 1.5}, {"stop_px": "90"}])
def test_money_is_no_float_and_no_text(wrong: dict[str, object]) -> None:
    with pytest.raises(TypeError, match=next(iter(wrong))):
        terms_of(**{"side": "1", "order_qty": D(1), **wrong})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("post_only", "reduce_only", "codes"),
    [(False, False, ""), (True, False, "6"), (False, True, "E"), (True, True, "6E")],
)
def test_its_instructions_are_the_codes_of_exec_inst(post_only: bool, reduce_only: bool, codes: str) -> None:
    terms = terms_of("1", D(1), D(9), post_only=post_only, reduce_only=reduce_only)
    assert (terms.instructions, terms.is_post_only, terms.is_reduce_only) == (codes, post_only, reduce_only)


def test_its_size_is_a_quantity_or_an_amount_of_the_quote_asset() -> None:
    assert terms_of("1", None, cash_order_qty=D(100)) == Terms("1", "1", D(0), cash_order_qty=D(100))
    for qty, cash in ((None, None), (D(1), D(100))):
        with pytest.raises(TypeError, match="either"):
            terms_of("1", qty, cash_order_qty=cash)

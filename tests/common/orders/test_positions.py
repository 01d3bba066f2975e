"""Positions: by the average cost method, in the base asset or in contracts."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.contracts import SPOT, Contract, InstrumentKind
from common.messages import SessionChanged, SessionState
from common.orders.facts import KnownVenues, VenueFacts
from common.orders.ledger import FillLedger
from common.orders.positions import Position
from tests.common.orders.ledgers import bust, correct

D = Decimal
INVERSE = Contract(InstrumentKind.PERPETUAL, D(10), True, "BTC")
LINEAR = Contract(InstrumentKind.FUTURE, D("0.001"), False, "USDC")
CALL = Contract(InstrumentKind.OPTION, D(1), False, "BTC")


class Account:
    """A ledger and the position that its fills make."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self.ledger = FillLedger()
        self.position = Position("v", "S")

    def take(self, change: Any) -> None:
        if change is not None:
            self.position.count_fill(change.net, "BTC" if self.contract.is_spot else "", self.contract)

    def fill(self, key: str, side: str, qty: str, px: str, fee: str = "0", asset: str = "") -> None:
        self.take(self.ledger.trade("v", "S", key, "o", side, D(qty), D(px), D(fee), asset))


def test_contracts_move_no_base_asset_and_an_inverse_average_is_harmonic() -> None:
    account = Account(INVERSE)
    account.fill("1", "1", "100", "40000", "0.0001", "BTC")
    account.fill("2", "1", "100", "60000", "0.0001", "BTC")
    position = account.position
    assert position.quantity == 200, "a fee in BTC is no contract"
    assert round(position.average_price, 6) == 48_000
    assert (position.realised_profit, position.cash, position.fees) == (D(0), D(0), {"BTC": D("0.0002")})
    account.fill("3", "2", "200", "50000")
    assert position.realised_profit == position.cash == D("0.00166667")
    assert (position.quantity, position.average_price) == (D(0), D(0))


def test_a_linear_contract_settles_price_times_multiplier() -> None:
    account = Account(LINEAR)
    account.fill("1", "2", "1000", "50000")
    account.fill("2", "1", "400", "45000")
    assert (account.position.quantity, account.position.average_price) == (D(-600), D(50_000))
    assert account.position.cash == D(2000)


def test_an_option_s_premium_is_cash_and_its_profit_is_told_apart() -> None:
    account = Account(CALL)
    account.fill("1", "1", "2", "0.05")
    assert (account.position.cash, account.position.realised_profit) == (D("-0.10"), D(0))
    account.fill("2", "2", "2", "0.08")
    assert account.position.cash == account.position.realised_profit == D("0.06")


@pytest.mark.parametrize("contract", [INVERSE, LINEAR])
def test_a_bust_is_the_opposite_fill_at_the_same_price(contract: Contract) -> None:
    """So profit less the cost of what is held is what it was, and so is the quantity."""

    def standing(position: Position) -> tuple[Decimal, Decimal]:
        sign = -1 if contract.inverse else 1
        cost = sign * contract.worth(position.average_price, position.quantity)
        return position.quantity, round(position.realised_profit - cost, 6)

    account = Account(contract)
    account.fill("1", "1", "100", "40000")
    before = standing(account.position)
    account.fill("2", "1", "50", "60000")
    assert standing(account.position) != before
    account.take(bust(account.ledger, "v", "S", "b", "2", "o", "1"))
    assert standing(account.position) == before


def test_a_corrected_price_of_an_inverse_fill_moves_the_average() -> None:
    account = Account(INVERSE)
    account.fill("1", "1", "100", "40000")
    account.take(correct(account.ledger, "v", "S", "c", "1", "o", "1", D(100), D(50_000)))
    assert (account.position.quantity, round(account.position.average_price, 6)) == (D(100), D(50_000))


def test_the_price_of_an_inverse_fill_may_be_told_later() -> None:
    account = Account(INVERSE)
    account.fill("1", "1", "100", "0")
    assert (account.position.average_price, account.position.unpriced_qty) == (D(0), D(100))
    account.fill("1", "1", "100", "40000")
    assert (round(account.position.average_price, 6), account.position.unpriced_qty) == (D(40_000), D(0))


money = st.decimals("1", "100000", places=1)


@given(st.lists(st.tuples(st.integers(-50, 50).filter(bool), money), min_size=1, max_size=12))
def test_spot_profit_less_cost_is_the_money_that_moved(fills: list[tuple[int, Decimal]]) -> None:
    account = Account(SPOT)
    for key, (qty, px) in enumerate(fills):
        account.fill(str(key), "1" if qty > 0 else "2", str(abs(qty)), str(px))
    position = account.position
    assert abs(position.realised_profit - position.quantity * position.average_price - position.cash) < D("0.000001")


def test_what_contracts_are_traded_is_known_from_the_log_when_the_configuration_has_it_no_more() -> None:
    known = KnownVenues({"v": VenueFacts(0, {})})
    told = SessionChanged(
        "v", 1, 1, SessionState.CONNECTING, 1, 1, assets={"S": ("BTC", "USD"), "T": ("ETH", "USDT")},
        contracts={"S": INVERSE},
    )  # fmt: skip
    known.hear_session(told)
    assert (known.contract_of("v", "S"), known.base_of("v", "S")) == (INVERSE, "")
    assert (known.contract_of("v", "T"), known.base_of("v", "T")) == (SPOT, "ETH")
    again = KnownVenues({})
    again.load(known.dump())
    assert again.find("v") == known.find("v")

"""The money that is compared depends on the fills alone, and counts contracts as our books do, by other sums."""

from decimal import Decimal
from itertools import permutations

import pytest

from common.contracts import Contract, InstrumentKind
from common.exchange.settings import Instrument
from common.orders.ledger import FillLedger
from common.orders.positions import Position
from scripts.simulation.money import ROUNDED, TrueMoney, closed_at, our_money

ONE = Decimal(1)
FILLS = (("1", Decimal(7), Decimal(40)), ("2", Decimal(3), Decimal(50)), ("2", Decimal(9), Decimal(80)))
"""Side, quantity and price: a position that is opened, made smaller, and turned over."""


def listed(contract: Contract) -> Instrument:
    return Instrument(
        symbol="S", base="BTC", quote="USD", tick_size=ONE, lot_size=ONE, min_qty=ONE, max_qty=ONE, min_notional=ONE,
        start_price=Decimal(64), contract=contract,
    )  # fmt: skip


@pytest.mark.parametrize("multiplier", [Decimal(1), Decimal(10)])
@pytest.mark.parametrize("inverse", [False, True])
def test_what_contracts_come_to_is_the_same_by_any_order_of_their_fills(inverse: bool, multiplier: Decimal) -> None:
    contract = Contract(InstrumentKind.PERPETUAL, multiplier, inverse, "BTC")
    signed = [(qty if side == "1" else -qty, px) for side, qty, px in FILLS]
    true = closed_at(
        contract, Decimal(64), sum((qty for qty, _ in signed), Decimal(0)),
        sum((qty * px for qty, px in signed), Decimal(0)), sum((qty / px for qty, px in signed), Decimal(0)),
    )  # fmt: skip
    assert true
    for fills in permutations(FILLS):
        ledger, held = FillLedger(), Position("venue", "S")
        for number, (side, qty, px) in enumerate(fills):
            change = ledger.trade("venue", "S", str(number), "", side, qty, px)
            assert change is not None
            held.count_fill(change, "", contract)
        assert abs(our_money(held, listed(contract)).cash - true) <= ROUNDED


@pytest.mark.parametrize("missing", [Decimal(0), Decimal("0.00001")])
def test_what_many_small_settlements_are_rounded_by_is_no_difference_and_a_tick_of_one_contract_is(
    missing: Decimal,
) -> None:
    """At Gate.io Futures a contract is 0.0001 BTC: an average of three decimals is settled with seven and more."""
    contract = Contract(InstrumentKind.PERPETUAL, Decimal("0.0001"), False, "USDT")
    fills = [("1", Decimal(1999), Decimal("65000.1")), ("1", Decimal(1), Decimal("65000.2"))]
    fills += [("2", Decimal(1), Decimal("65000.3"))] * 400
    ledger, held = FillLedger(), Position("venue", "S")
    for number, (side, qty, px) in enumerate(fills):
        change = ledger.trade("venue", "S", str(number), "", side, qty, px)
        assert change is not None
        held.count_fill(change, "", contract)
    signed = [(qty if side == "1" else -qty, px) for side, qty, px in fills]
    quantity = sum((qty for qty, _ in signed), Decimal(0))
    value = sum((qty * px for qty, px in signed), Decimal(0))
    true = closed_at(contract, Decimal(64), quantity, value, Decimal(0))
    ours, theirs = our_money(held, listed(contract)), TrueMoney(quantity, true - missing, {}, len(fills))
    assert abs(ours.cash - true) > ROUNDED, "they are all rounded the same way"
    assert ours.equals(theirs) == theirs.equals(ours) == (not missing)

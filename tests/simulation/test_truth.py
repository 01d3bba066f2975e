"""The ground truth of a position is what the exchange's own balances moved by, wherever it takes its fees."""

from decimal import Decimal
from typing import Any

import pytest

from common.contracts import Contract, InstrumentKind
from common.exchange.changes import RECORD_KIND, Closed, Corrected, Listed, Placed, Traded, encode_changes
from common.exchange.order import Terms
from common.exchange.settings import Instrument
from common.journal.frames import Record
from scripts.simulation.truth import Truth

ONE = Decimal(1)
FEE = Decimal("0.1")
ZERO = Decimal(0)
PERPETUAL = Contract(InstrumentKind.PERPETUAL, Decimal(10), inverse=True, settle="BTC")


class Nobody:
    """Watches nothing."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


def listed(**fields: Any) -> Listed:
    names = ("tick_size", "lot_size", "min_qty", "max_qty", "min_notional", "start_price")
    sizes: dict[str, Any] = dict.fromkeys(names, ONE)
    return Listed(Instrument(symbol="S", base="BTC", quote="USD", **sizes, **fields))


def bought(*first: Any, side: str = "1") -> Truth:
    truth = Truth("venue", "desk", Nobody())
    terms = Terms("desk", "", "n", "S", side, "2", Decimal(5), ONE)
    learn(truth, *first, Placed(1, 1, terms, 0), Traded(1, 2, "S", 9, 1, ONE, Decimal(5), ONE, FEE, 0, side))
    return truth


def learn(truth: Truth, *changes: Any) -> None:
    truth.learned(Record(1, 0, RECORD_KIND, "w", 1, 1, 1, 1, encode_changes(list(changes))))


@pytest.mark.parametrize(
    ("fields", "position"),
    [({}, "4.9"), ({"fee_in_quote": True}, "5"), ({"contract": PERPETUAL}, "5")],
)
def test_a_fee_is_less_of_what_was_bought_only_where_it_is_taken_in_that(fields: dict[str, Any], position: str) -> None:
    truth = bought(listed(**fields))
    assert truth.position("S") == Decimal(position)
    assert truth.orders[1].base_fees == Decimal(5) - Decimal(position)
    assert bought(listed(**fields), side="2").position("S") == -5
    # The fill is taken back whole.
    learn(truth, Corrected(1, 4, 3, "desk", "S", "1", 1, Decimal(5), ONE, FEE, ZERO, ZERO, ZERO, 0))
    assert truth.position("S") == 0


def test_what_ended_an_order_is_known() -> None:
    truth = Truth("venue", "desk", Nobody())
    learn(truth, Placed(1, 1, Terms("desk", "", "n", "S", "1", "2", Decimal(5), ONE), 0), Closed(1, 2, "C", 0, "rival"))
    assert (truth.orders[1].ord_status, truth.orders[1].cause, truth.orders[1].open) == ("C", "rival", False)

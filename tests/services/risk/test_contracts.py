"""Risk of contracts: notional by their multiplier, limits in contracts and in the underlying, and what has expired."""

from decimal import Decimal

from common.contracts import Contract, InstrumentKind
from common.messages import Reason
from services.risk.limits import SymbolRules
from tests.services.risk.rig import RULES, Rig, report, settings
from tests.services.risk.test_core import last_refusal

D = Decimal
WHOLE = RULES._replace(lot_size=D(1), min_qty=D(1), max_order_qty=D(1000), position_limit=D(1000), min_notional=D(10))
INVERSE = Contract(InstrumentKind.PERPETUAL, D(10), True, "BTC")
LINEAR = Contract(InstrumentKind.PERPETUAL, D("0.001"), False, "USDC")


def rules(contract: Contract, **others: object) -> SymbolRules:
    return WHOLE._replace(contract=contract, **others)  # type: ignore[arg-type]


def test_the_notional_of_an_inverse_contract_does_not_depend_on_the_price() -> None:
    rig = Rig(settings(rules(INVERSE, max_order_notional=D(500))))
    for price in ("96.00", "104.00"):
        rig.command(rig.orders.new(qty="51", price=price))
        assert last_refusal(rig) == (Reason.ABOVE_MAXIMUM_NOTIONAL, "510", "500")
    rig.command(rig.orders.new(qty="51", price=None))
    assert last_refusal(rig) == (Reason.ABOVE_MAXIMUM_NOTIONAL, "510", "500")
    rig.command(rig.orders.new(qty="50", price="104.00"))
    assert len(rig.sent) == 1


def test_the_notional_of_a_linear_contract_is_price_times_quantity_times_multiplier() -> None:
    rig = Rig(settings(rules(LINEAR)))
    rig.command(rig.orders.new(qty="99", price="100.00"))
    assert last_refusal(rig) == (Reason.BELOW_MINIMUM_NOTIONAL, "9.9", "10")
    rig.command(rig.orders.new(qty="100", price="100.00"))
    assert len(rig.sent) == 1


def test_a_position_is_limited_in_contracts_and_in_the_underlying() -> None:
    rig = Rig(settings(rules(INVERSE, underlying_limit=D(5))))
    rig.command(rig.orders.new(qty="50"))
    assert len(rig.sent) == 1, "500 USD at 100 are 5 BTC"
    rig.command(rig.orders.new(qty="1"))
    assert last_refusal(rig) == (Reason.POSITION_LIMIT, "5.1", "5")
    assert "5.1 BTC in BTCUSDT" in rig.refused[-1].text
    rig.command(rig.orders.new("2", "50"))
    assert len(rig.sent) == 2, "the other side has room of its own"


def test_a_limit_in_contracts_counts_contracts() -> None:
    rig = Rig(settings(rules(INVERSE, position_limit=D(60))))
    rig.command(rig.orders.new(qty="61"))
    assert last_refusal(rig) == (Reason.POSITION_LIMIT, "61", "60")


def test_an_instrument_that_has_expired_is_refused_and_says_so() -> None:
    ends_ns = Rig().now.wall_ns
    rig = Rig(settings(rules(INVERSE, expiry_ns=ends_ns + 3600 * 10**9)))
    rig.command(rig.orders.new(qty="10"))
    assert len(rig.sent) == 1
    rig = Rig(settings(rules(INVERSE, expiry_ns=ends_ns)))
    rig.command(rig.orders.new(qty="10"))
    reason, symbol, _ = last_refusal(rig)
    assert (reason, symbol) == (Reason.INSTRUMENT_EXPIRED, "BTCUSDT")
    assert "BTCUSDT at generic expired on 2027-01-15" in rig.refused[-1].text


def test_exposure_is_shown_in_the_underlying_too() -> None:
    rig = Rig(settings(rules(INVERSE)))
    order = rig.send(rig.orders.new(qty="50"))
    rig.inbound(report(order, "F", "2", last="50", cum="50", key="1"))
    exposures = rig.core.status(rig.now)["exposures"]
    assert isinstance(exposures, list)
    (row,) = [row for row in exposures if row["account"] == "generic"]
    assert (row["position"], row["underlying"]) == ("50", "5")

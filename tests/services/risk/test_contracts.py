"""Risk of contracts: notional by their multiplier, limits in contracts and in the underlying, and what has expired."""

from decimal import Decimal
from random import Random

import msgspec
import pytest

from common.contracts import Contract, InstrumentKind
from common.messages import Instructions, Kind, OperatorAct, Reason, Side
from services.risk.exposure import ExposureSums
from services.risk.limits import SymbolRules, total
from tests.services.risk.rig import RULES, STRATEGY, Rig, report, settings
from tests.services.risk.test_core import last_refusal

D = Decimal
SIDES: tuple[Side, ...] = ("1", "2")
KINDS: tuple[Instructions, ...] = ("", "E")
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


# ---- reduce-only orders


def held(rig: Rig, side: Side, qty: str) -> None:
    """A position, by a fill."""
    order = rig.send(rig.orders.new(side, qty))
    rig.inbound(report(order, "F", "2", last=qty, cum=qty, key=f"{side}{qty}"))


def test_reduce_only_orders_come_to_the_position_at_most() -> None:
    rig = Rig(settings(rules(INVERSE, position_limit=D(60))))
    held(rig, "1", "50")
    for _ in range(2):
        rig.send(rig.orders.new("2", "50", instructions="E"))
    rig.command(rig.orders.new("2", "61"))
    assert last_refusal(rig) == (Reason.POSITION_LIMIT, "-61", "60")
    rig.command(rig.orders.new("2", "60"))
    assert len(rig.sent) == 4, "the reduce-only ones end where nothing is held, and this one goes on from there"
    rig.command(rig.orders.new("2", "50", instructions="E"))
    assert len(rig.sent) == 5, "they have the whole position already: one more adds nothing"


def test_a_reduce_only_order_that_a_position_gives_room_counts_against_the_other_side_s_limit() -> None:
    rig = Rig(settings(rules(INVERSE, position_limit=D(60))))
    held(rig, "1", "20")
    rig.send(rig.orders.new("2", "80"))
    rig.command(rig.orders.new("2", "20", instructions="E"))
    assert last_refusal(rig) == (Reason.POSITION_LIMIT, "-80", "60")


def test_a_reduce_only_order_counts_in_full_for_its_strategy() -> None:
    strategy = msgspec.structs.replace(STRATEGY, position_limits={"BTCUSDT": D(60)})
    rig = Rig(settings(rules(INVERSE), {"beta": strategy}))
    held(rig, "1", "50")
    rig.command(rig.orders.new("2", "61", instructions="E", strategy="beta"))
    assert last_refusal(rig) == (Reason.POSITION_LIMIT, "-61", "60"), "the position is another strategy's"


def test_what_only_closes_passes_a_halt_and_what_could_do_more_does_not() -> None:
    rig = Rig(settings(rules(INVERSE)))
    held(rig, "1", "50")
    rig.record(Kind.OPERATOR, OperatorAct("risk", "halt", "somebody", "firm"))
    rig.command(rig.orders.new("2", "10"))
    assert last_refusal(rig)[0] is Reason.HALTED
    rig.command(rig.orders.new("2", "51", instructions="E"))
    assert last_refusal(rig)[0] is Reason.HALTED
    rig.command(rig.orders.new("1", "10", instructions="E"))
    assert last_refusal(rig)[0] is Reason.HALTED
    sent = len(rig.sent)
    rig.command(rig.orders.new("2", "30", instructions="E"))
    rig.command(rig.orders.new("2", "20", instructions="E"))
    assert len(rig.sent) == sent + 2
    rig.command(rig.orders.new("2", "10", instructions="E"))
    assert last_refusal(rig)[0] is Reason.HALTED, "those before it close the whole position"


def test_a_spot_market_knows_no_position_that_could_be_reduced() -> None:
    rig = Rig()
    rig.command(rig.orders.new("2", instructions="E"))
    assert last_refusal(rig)[0] is Reason.UNSUPPORTED


@pytest.mark.parametrize("seed", range(30))
def test_no_order_of_fills_comes_to_more_than_is_counted(seed: int) -> None:
    """Orders of both sides and kinds, filled in any order and in parts, as a venue that holds them to it does."""
    random = Random(seed)
    rig = Rig(settings(rules(INVERSE), messages=10_000))
    position = random.randrange(-40, 41)
    if position:
        held(rig, "1" if position > 0 else "2", str(abs(position)))
    orders = [(random.choice(SIDES), random.choice(KINDS), random.randrange(1, 30)) for _ in range(5)]
    for side, instructions, qty in orders:
        rig.send(rig.orders.new(side, str(qty), instructions=instructions))
    may_buy, may_sell, _ = total(rig.state.exposure.firm["generic", "BTCUSDT"], ExposureSums())
    for _ in range(60):
        now, lefts = position, [qty for *_, qty in orders]
        while any(lefts):
            number = random.choice([number for number, left in enumerate(lefts) if left])
            side, instructions, _ = orders[number]
            room = max(0, -now if side == "1" else now) if instructions else lefts[number]
            qty = min(lefts[number], room, random.randrange(1, 30))
            now += qty if side == "1" else -qty
            lefts[number] -= qty or lefts[number]
            assert position - may_sell <= now <= position + may_buy

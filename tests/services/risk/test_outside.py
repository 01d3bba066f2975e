"""What is held where the configuration knows nothing of it counts against the limits, and makes no room."""

import msgspec
import pytest

from common.messages import Kind, Reason, SessionChanged, SessionState, Side
from common.orders.facts import Holding
from services.risk.settings import RiskSettings
from tests.services.risk.rig import D, Rig, report, settings

ASSETS = {"BTCUSDT": ("BTC", "USDT")}


def without(venue: str) -> RiskSettings:
    """The settings once the venue's file is gone."""
    its = settings()
    return its._replace(accounts={name: each for name, each in its.accounts.items() if name != venue})


def held_elsewhere(side: Side, qty: str, *, filled: bool) -> Rig:
    """Something is open or owned at "generic", whose file is gone at the next start."""
    rig = Rig()
    told = SessionChanged("generic", 1, 1, SessionState.CONNECTING, 1, 1, window_ns=0, assets=ASSETS)
    rig.record(Kind.SESSION, told)
    order = rig.orders.new(side, qty)
    rig.command(order)
    rig.outbound(order)
    rig.inbound(report(order, "0"))
    if filled:
        rig.inbound(report(order, "F", "2", last=qty, cum=qty, key="t1"))
    again = Rig(without("generic"), rig.log)
    again.orders, again.inbound_numbers = rig.orders, rig.inbound_numbers
    return again


@pytest.mark.parametrize("filled", [False, True])
@pytest.mark.parametrize("side", ["1", "2"])
def test_what_is_held_outside_the_configuration_counts(side: Side, filled: bool) -> None:
    rig = held_elsewhere(side, "8", filled=filled)
    position = (D(8) if side == "1" else D(-8)) if filled else D(0)
    held = Holding("generic", "BTCUSDT", 0 if filled else 1, position, "generic")
    assert rig.core.status(rig.now)["outside"] == [held.row()]
    other: Side = "2" if side == "1" else "1"
    for qty, passes in (("10", True), ("3", False), ("2", True)):
        command = rig.orders.new(side, qty, venue="binance")
        rig.command(command)
        assert (command.cl_ord_id in {c.cl_ord_id for c in rig.sent}) is passes  # type: ignore[attr-defined]
    assert [refused.reason for refused in rig.refused] == [Reason.POSITION_LIMIT]
    for qty in ("10", "10"):
        rig.command(rig.orders.new(other, qty, venue="binance"))
    rig.command(rig.orders.new(other, "0.1", venue="binance"))
    assert [refused.reason for refused in rig.refused] == [Reason.POSITION_LIMIT] * 2, "it made room on the other side"


def test_a_fee_in_the_base_asset_counts_whatever_is_configured() -> None:
    rig = held_elsewhere("1", "8", filled=False)
    order = rig.orders.new("1", "8")
    order = msgspec.structs.replace(order, cl_ord_id=rig.order().leg.cl_ord_id)
    rig.inbound(report(order, "F", "2", last="8", cum="8", key="t1", fee="0.5", fee_asset="BTC"))
    assert rig.state.exposure.firm["generic", "BTCUSDT"].position == D("7.5")

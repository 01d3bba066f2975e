"""Orders on the account that are not ours, and words about what risk does not know."""

import pytest

from common.messages import CancelRejected, ControlRequest, Kind, OperatorAct
from services.risk import state
from tests.services.risk.rig import D, Rig, report


def test_strangers_are_counted_while_open_and_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "MAX_STRANGERS", 2)
    rig = Rig()
    theirs = [rig.orders.new() for _ in range(3)]
    for number, order in enumerate(theirs):
        rig.inbound(report(order, "0", order_id=f"V{number}"))
    assert len(rig.state.strangers) == 2
    rig.inbound(report(theirs[2], "4", order_id="V2"))
    assert len(rig.state.strangers) == 1
    for number, order in enumerate(theirs):
        rig.inbound(report(order, "F", "1", last="0.1", key=f"t{number}", order_id=f"W{number}"))
    assert len(rig.state.unclaimed) == 2
    assert rig.worst()[2] == D("0.3")


def test_a_stranger_without_a_name_is_not_counted() -> None:
    rig = Rig()
    rig.inbound(report(rig.orders.new(), "0"))
    rig.inbound(report(rig.orders.new(), "I", "0", order_id="V1"))
    assert not rig.state.strangers


def test_an_amendment_whose_order_the_venue_does_not_know_is_dropped() -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "2"))
    amend = rig.orders.amend(order, "5")
    rig.command(amend)
    rig.outbound(amend)
    assert rig.worst()[0] == D(5)
    rig.inbound(CancelRejected(amend.cl_ord_id, order.cl_ord_id, "", "8", unknown_order=True))
    assert rig.worst()[0] == D(2)


def test_an_act_that_is_no_business_of_risk_changes_no_halt() -> None:
    rig = Rig()
    before = rig.core.status(rig.now)["halts"], rig.state.killed
    rig.record(Kind.OPERATOR, OperatorAct("risk", "audit", "me"))
    assert (rig.core.status(rig.now)["halts"], rig.state.killed) == before


def test_a_halt_before_the_journal_answers_is_journaled_when_it_does() -> None:
    rig = Rig(live=False)
    asked = ControlRequest("halt", b'{"scope":"venue","name":"generic"}', "me")
    rig.core.received("control", b"p", asked, rig.now)
    rig.settle()
    assert not rig.appended
    rig.grants = True
    rig.boot_ns += 60_000_000_000
    rig.core.timer(rig.now)
    rig.settle()
    assert [act.text for act in rig.appended if isinstance(act, OperatorAct)] == ["venue generic"]

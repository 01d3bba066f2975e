"""Orders on the account that are not ours, and words about what risk does not know."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from common.journal.frames import TERM
from common.messages import (
    Answer,
    Ask,
    CancelRejected,
    ControlAnswer,
    ControlRequest,
    Kind,
    NewOrder,
    OperatorAct,
    Reason,
    RestOrder,
    Trade,
)
from common.orders import books
from services.risk.snapshots import load_state
from tests.services.risk.rig import D, Rig, facts, report


def test_strangers_are_counted_while_open_and_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(books, "EXTERNAL_ORDERS", 2)
    rig = Rig()
    theirs = [rig.orders.new() for _ in range(3)]
    for number, order in enumerate(theirs):
        rig.inbound(report(order, "0", order_id=f"V{number}"))
    assert len(rig.state.books.externals) == 2
    rig.inbound(report(theirs[2], "4", order_id="V2"))
    assert len(rig.state.books.externals) == 1
    assert rig.worst() == (D(1), D(0), D(0)), "one is beyond what is remembered, and one is over"
    for number, order in enumerate(theirs):
        fill = report(order, "F", "1", last="0.1", cum="0.1", key=f"t{number}", order_id=f"W{number}")
        rig.inbound(msgspec.structs.replace(fill, cl_ord_id=""))
    assert len(rig.state.books.unclaimed) == 2
    assert rig.worst() == (D("1.8"), D(0), D("0.3"))


@pytest.mark.parametrize(
    ("told", "worst"),
    [
        ({}, (1, 0)),
        ({"side": "5"}, (0, 1)),
        ({"side": ""}, (1, 1)),
        ({"order_qty": None, "cum_qty": D("0.4"), "leaves_qty": D("0.6")}, ("0.6", 0)),
        ({"order_qty": None}, (0, 0)),
        ({"order_qty": D("-1")}, (0, 0)),
    ],
)
def test_an_open_order_of_somebody_else_counts_what_is_left_of_it(told: dict[str, object], worst: Any) -> None:
    rig = Rig()
    theirs = msgspec.structs.replace(report(rig.orders.new(), "0", cl_ord_id="web", order_id="V9"), **told)
    rig.inbound(theirs)
    counted = (D(worst[0]), D(worst[1]), D(0))
    assert rig.worst() == counted and not rig.state.exposure.shares and not rig.state.exposure.open_orders
    loaded = load_state(rig.state.dump(), facts())
    sums = loaded.exposure.firm["generic", "BTCUSDT"]
    assert (sums.buy, sums.sell, sums.position) == counted and loaded.digest() == rig.state.digest()
    rig.inbound(msgspec.structs.replace(theirs, exec_type="4", ord_status="4"))
    assert rig.worst() == (D(0), D(0), D(0))


def test_an_answer_that_leaves_terms_out_changes_nothing_of_what_somebody_else_has_open() -> None:
    """Bybit's answer to a cancel has no Symbol(55), Side(54) or OrderQty(38): seed 349 showed a second order."""
    rig = Rig()
    theirs = msgspec.structs.replace(report(rig.orders.new(), "0", cl_ord_id="web", order_id="V9"), price=D(7))
    rig.inbound(theirs)
    bare = {"symbol": "", "side": "", "order_qty": None, "leaves_qty": None, "cum_qty": None, "price": None}
    rig.inbound(msgspec.structs.replace(theirs, exec_type="6", ord_status="6", **bare))
    (shown,) = rig.state.books.externals.values()
    assert (shown.order.symbol, shown.order.ord_status, shown.order.price) == ("BTCUSDT", "6", D(7))
    assert rig.worst() == (D(1), D(0), D(0))
    rig.inbound(msgspec.structs.replace(theirs, exec_type="6", ord_status="6", order_id="V10", **bare))
    assert len(rig.state.books.externals) == 1, "nothing is known of it"
    rig.inbound(msgspec.structs.replace(theirs, exec_type="4", ord_status="4", **bare))
    assert not rig.state.books.externals and rig.worst() == (D(0), D(0), D(0))


def test_an_open_order_of_somebody_else_leaves_less_room_for_ours() -> None:
    rig = Rig()
    rig.inbound(report(rig.orders.new("1", "15"), "0", cl_ord_id="web", order_id="V9"))
    for qty, passes in (("6", False), ("5", True)):
        rig.command(rig.orders.new("1", qty))
        assert bool(rig.sent) is passes
    assert [refused.reason for refused in rig.refused] == [Reason.POSITION_LIMIT]


def test_a_stranger_without_a_name_is_not_counted() -> None:
    rig = Rig()
    rig.inbound(report(rig.orders.new(), "0"))
    assert not rig.state.books.externals


def test_a_stranger_that_only_an_order_status_tells_of_counts() -> None:
    """Deribit tells of what it holds after a logon under ExecType(150)=I alone: seeds 369 and 387."""
    rig = Rig()
    rig.inbound(report(rig.orders.new(), "I", "0", order_id="V1"))
    assert list(rig.state.books.externals) == [("generic", "BTCUSDT", "V1")]
    assert rig.worst()[0] == D(1)


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


def test_a_resumption_before_the_journal_answers_is_refused_and_ends_nothing() -> None:
    before = Rig()
    before.record(Kind.OPERATOR, OperatorAct("risk", "kill", "me"))
    rig = Rig(log=before.log, live=False)
    for act, arguments in (("resume", b'{"confirm":true}'), ("unhalt", b'{"scope":"firm"}')):
        rig.core.received("control", b"p", ControlRequest(act, arguments, "me"), rig.now)
        rig.settle()
        answer = rig.control[-1]
        assert isinstance(answer, ControlAnswer) and not answer.ok and "waits for the journal" in answer.text
    rig.grants = True
    rig.boot_ns += 60_000_000_000
    rig.core.timer(rig.now)
    rig.settle()
    assert rig.state.killed and not rig.appended
    rig.core.received("control", b"p", ControlRequest("resume", b'{"confirm":true}', "me"), rig.now)
    rig.settle()
    assert not rig.state.killed


def filled_by_nobody(rig: Rig) -> NewOrder:
    """An order that was sent, and 2 of it filled at a fee of 0.01 in the base asset, told before the order's name."""
    order = rig.orders.new("1", "5", venue="binance")
    rig.command(order)
    rig.outbound(order)
    trade = Trade("BTCUSDT", "7", "X1", "1", D(2), D(100), D("0.01"), "BTC", 0)
    asked = Ask("binance", 1, "trades", "BTCUSDT", asked_lsn=rig.log.lsn)
    rig.record(Kind.ANSWER, Answer("binance", asked, False, trades=(trade,)))
    assert rig.worst("binance") == (D(5), D(0), D("1.99"))
    assert rig.state.exposure.shares["alpha", "binance", "BTCUSDT"].position == 0
    return order


def held(rig: Rig) -> tuple[Decimal, Decimal]:
    """The firm's position, and its strategy's share of it; both the same in a state that is loaded."""
    loaded = load_state(rig.state.dump(), facts())
    assert loaded.digest() == rig.state.digest()
    share = rig.state.exposure.shares.get(("alpha", "binance", "BTCUSDT"))
    return rig.worst("binance")[2], D(0) if share is None else share.position


def test_a_fill_that_finds_its_order_is_the_strategys_and_a_bust_takes_it_off_both() -> None:
    rig = Rig()
    order = filled_by_nobody(rig)
    rig.state.digest()
    rig.inbound(report(order, "0", order_id="X1"), venue="binance")
    assert held(rig) == (D("1.99"), D("1.99")) and rig.worst("binance")[0] == 3
    rig.inbound(report(order, "H", "0", key="b", reference="7", cum="0", order_id="X1"), venue="binance")
    assert held(rig) == (D(0), D(0)) and rig.worst("binance")[0] == 5


def test_a_bust_that_names_the_order_of_a_fill_that_was_nobodys_takes_back_what_was_counted() -> None:
    rig = Rig()
    order = filled_by_nobody(rig)
    rig.inbound(report(order, "H", "0", key="b", reference="7", cum="0", order_id="X1"), venue="binance")
    assert held(rig) == (D(0), D(0)) and rig.worst("binance")[0] == 5


def test_a_fill_that_rest_names_the_order_of_is_the_strategys() -> None:
    rig = Rig()
    order = filled_by_nobody(rig)
    told = RestOrder("BTCUSDT", "X1", order.cl_ord_id, "1", "1", D(5), D(100), D(2))
    asked = Ask("binance", 2, "order", "BTCUSDT", order.cl_ord_id, asked_lsn=rig.log.lsn)
    rig.record(Kind.ANSWER, Answer("binance", asked, False, order=told))
    assert held(rig) == (D("1.99"), D("1.99")) and rig.worst("binance")[0] == 3


def test_a_fill_told_again_by_its_order_is_the_strategys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Told over FIX or by REST: the place where fills wait for their order has no room for it any more."""
    monkeypatch.setattr(books, "EXTERNAL_ORDERS", 0)
    rig = Rig()
    order = filled_by_nobody(rig)
    rig.inbound(report(order, "F", "1", last="2", key="7", order_id="X1"), venue="binance")
    assert held(rig) == (D("1.99"), D("1.99")) and rig.worst("binance")[0] == 3

    rig = Rig()
    order = filled_by_nobody(rig)
    rig.inbound(report(order, "0", order_id="X1"), venue="binance")
    assert held(rig) == (D("1.99"), D(0))
    trade = Trade("BTCUSDT", "7", "X1", "1", D(2), D(100), D("0.01"), "BTC", 0)
    asked = Ask("binance", 2, "trades", "BTCUSDT", asked_lsn=rig.log.lsn)
    rig.record(Kind.ANSWER, Answer("binance", asked, False, trades=(trade,)))
    assert held(rig) == (D("1.99"), D("1.99")) and rig.worst("binance")[0] == 3


def test_an_order_that_only_the_lost_end_of_the_log_knew_counts_at_its_worst_after_a_takeover() -> None:
    """Its name is of our form; the copy has neither its command nor its report, and the venue lists it as open."""
    rig = Rig()
    lost = rig.orders.new()
    rig.record(TERM, b"whoever it was")
    listed = RestOrder("BTCUSDT", "V9", lost.cl_ord_id, "1", "1", D(5), D(100), D(2))
    asked = Ask("generic", 1, "open_orders", "BTCUSDT", asked_lsn=rig.log.lsn)
    rig.record(Kind.ANSWER, Answer("generic", asked, False, orders=(listed,)))
    assert rig.worst() == (D(3), D(0), D(0)), "what is left of it; its fills are told by themselves"
    trade = Trade("BTCUSDT", "7", "V9", "1", D(2), D(100), D("0.01"), "BTC", 0)
    asked = Ask("generic", 2, "trades", "BTCUSDT", asked_lsn=rig.log.lsn)
    rig.record(Kind.ANSWER, Answer("generic", asked, False, trades=(trade,)))
    assert rig.worst() == (D(3), D(0), D("1.99"))
    rig.inbound(report(lost, "4", order_id="V9"))
    assert rig.worst() == (D(0), D(0), D("1.99"))

"""A person's word to the order manager: verdict, audit, balances; and what can be asked of it."""

from typing import Any

import msgspec
import orjson
import pytest

from common.actor import state_hashes
from common.messages import (
    AmendOrder,
    AmendRequest,
    Ask,
    ControlAnswer,
    ControlRequest,
    Kind,
    OperatorAct,
    QueryAnswer,
    QueryOrder,
    QueryRequest,
    SessionState,
    StateHash,
    Verdict,
)
from common.orders.fold import FOLD_VERSION
from services.orders.core import OrdersCore
from tests.services.orders.harness import D, Ring, accepted, settings


def control(ring: Ring, act: str, /, **arguments: object) -> ControlAnswer:
    """A person's act; returns the answer, after everything that came of it."""
    ring.core.received("control", b"me", ControlRequest(act, orjson.dumps(arguments), "tester"), ring.now)
    told = len(ring.told_by_hand)
    ring.settle()
    (answer,) = ring.told_by_hand[told:]
    return answer


def asked(ring: Ring, what: str, **which: Any) -> QueryAnswer:
    ring.entry(b"cli", QueryRequest(what, token=3, **which))
    answer = ring.clients[b"cli"][-1]
    assert isinstance(answer, QueryAnswer) and answer.token == 3
    return answer


def test_a_verdict_closes_an_order_that_nothing_else_settles(ring: Ring) -> None:
    order = accepted(ring, 1)
    ring.report(order, "F", "1", qty="0.25", key="k")
    assert control(ring, "verdict", strategy="s", number=1, ord_status="4", text="seen at the venue", known=True).ok
    assert ring.events()[-1] == (1, "settled", "CANCELED")
    assert ring.core.books.orders["s", 1].cum_qty == D("0.25")
    before = ring.events()
    ring.record("orders", Kind.VERDICT, Verdict("s", 1, "2", D(1), "tester", "again"))
    ring.record("orders", Kind.VERDICT, Verdict("s", 9, "2", D(1), "tester", "never was"))
    assert ring.events() == before


def test_a_verdict_is_confirmed_once_the_log_has_it_and_not_where_it_never_does(ring: Ring) -> None:
    accepted(ring, 1)
    word = {"strategy": "s", "number": 1, "ord_status": "4", "text": "seen there", "known": True}
    ring.journal_away = True
    ring.core.received("control", b"me", ControlRequest("verdict", orjson.dumps(word), "tester"), ring.now)
    ring.settle()
    assert not ring.told_by_hand
    ring.pass_time(1000, tick=False)
    (answer,) = ring.told_by_hand
    assert not answer.ok and "has not confirmed" in answer.text
    ring.journal_away = False
    ring.pass_time(300)
    assert ring.events()[-1] == (1, "settled", "CANCELED") and len(ring.told_by_hand) == 1


def test_an_unknown_order_needs_no_more_than_a_word(ring: Ring) -> None:
    order = ring.new(1)
    ring.sent(order)
    ring.session("generic", SessionState.DISCONNECTED)
    assert ring.core.books.orders["s", 1].is_unknown
    assert control(ring, "verdict", strategy="s", number=1, ord_status="4", text="not in the venue's list").ok
    assert ring.events()[-1] == (1, "settled", "CANCELED")


def test_a_verdict_on_two_legs_is_on_the_whole_order_and_leaves_no_question(ring: Ring) -> None:
    order = accepted(ring, 1, "binance", qty="5")
    ring.report(order, "F", "1", qty="2", key="1", cum_qty=D(2))
    ring.request(AmendRequest(0, 2, 1, price=D(101)))
    ring.sent(ring.last(AmendOrder), "XCN")
    ring.session("binance", SessionState.DISCONNECTED)
    ring.pass_time(100)
    ring.record("orders", Kind.VERDICT, Verdict("s", 1, "4", D(3), "tester", "seen at the venue"))
    assert [leg.filled_qty for leg in ring.core.books.orders["s", 1].legs] == [D(2), D(1)]
    ring.asks.clear()
    ring.pass_time(60_000)
    assert ring.asks == [] and ring.core._accounts["binance"].inquiries.doubts() == 0


@pytest.mark.parametrize("odd", ["NaN", "sNaN", "Infinity", "1E999999"])
def test_a_verdict_on_a_quantity_that_is_no_number_is_refused(ring: Ring, odd: str) -> None:
    accepted(ring, 1)
    answer = control(ring, "verdict", strategy="s", number=1, ord_status="4", text="x", known=True, cum_qty=odd)
    assert not answer.ok and "not between" in answer.text


def test_an_audit_while_nobody_is_logged_on_leaves_nothing_due(ring: Ring) -> None:
    accepted(ring, 1)
    ring.session("generic", SessionState.DISCONNECTED)
    ring.commands.clear()
    assert control(ring, "audit").ok
    ring.pass_time(100)
    assert not ring.core._accounts["generic"].inquiries.round_is_on and ring.core._accounts["generic"].next_ns() is None
    ring.log_on("generic")
    ring.pass_time(100)
    assert any(isinstance(command, QueryOrder) for command in ring.commands)


def test_an_audit_asks_for_whatever_is_open(ring: Ring) -> None:
    order = accepted(ring, 1)
    ring.commands.clear()
    assert control(ring, "audit").ok
    ring.pass_time(100)
    assert [c.cl_ord_id for c in ring.commands if isinstance(c, QueryOrder)] == [order.cl_ord_id]


def test_balances_are_asked_for_and_shown(ring: Ring) -> None:
    assert control(ring, "inquire", account="binance", what="balances").ok
    ask = ring.asks[-1]
    assert (ask.venue, ask.what) == ("binance", "balances")
    ring.answers(venue="binance", ask=ask, balances=(("BTC", D(1), D("0.5")),))
    venues = orjson.loads(asked(ring, "accounts").detail)["accounts"]
    assert venues["binance"]["balances"] == {"BTC": ["1", "0.5"]} and set(venues) == {"binance", "generic"}
    assert set(orjson.loads(asked(ring, "accounts", venue="generic").detail)["accounts"]) == {"generic"}


def test_an_act_of_a_process_that_does_not_write_is_journaled_once_for_each_token(ring: Ring) -> None:
    done = {"actor": "alerts", "act": "silence", "by": "ann", "token": "1", "text": "loss until noon: moved"}
    for token in ("1", "1", "2"):
        assert control(ring, "journal_act", **{**done, "token": token}).ok
    records = [record for record in ring.journal.records if record.kind == Kind.OPERATOR]
    acts = [msgspec.msgpack.decode(record.payload, type=OperatorAct) for record in records]
    assert acts == [OperatorAct("alerts", "silence", "ann", "loss until noon: moved")] * 2


@pytest.mark.parametrize("actor", ["orders", "risk", "session@generic", "strategy@", "alerts "])
def test_nobody_journals_an_act_of_one_that_writes_itself(ring: Ring, actor: str) -> None:
    answer = control(ring, "journal_act", actor=actor, act="baseline", by="ann", token="1")
    assert not answer.ok and "do not decode" in answer.text


@pytest.mark.parametrize(
    ("act", "arguments", "why"),
    [
        ("dance", {}, "no act 'dance'"),
        ("audit", {"account": "generic"}, "unknown field"),
        ("inquire", {}, "missing required field"),
        ("verdict", {"number": 7, "ord_status": "4"}, "s/7: no open order has that name"),
        ("verdict", {"number": 1, "ord_status": "4"}, "s/1 is CANCELED already"),
        ("verdict", {"number": 2, "ord_status": "1"}, "Invalid enum value"),
        ("verdict", {"number": 2, "ord_status": "4", "text": ""}, "length >= 1"),
        ("verdict", {"number": 2, "ord_status": "4", "known": True, "cum_qty": "0.1"}, "0.1 is not between"),
        ("verdict", {"number": 2, "ord_status": "4", "known": True, "cum_qty": "1.1"}, "1.1 is not between"),
        ("verdict", {"number": 2, "ord_status": "4"}, "not UNKNOWN"),
    ],
)
def test_what_cannot_be_done_is_answered_with_why(
    ring: Ring, act: str, arguments: dict[str, object], why: str
) -> None:
    ring.report(accepted(ring, 1), "4", "4")
    ring.report(accepted(ring, 2), "F", "1", qty="0.25", key="k")
    records = len(ring.journal.records)
    given = {"strategy": "s", "text": "why", **arguments} if act == "verdict" else arguments
    answer = control(ring, act, **given)
    assert not answer.ok and why in answer.text
    assert len(ring.journal.records) == records


def test_nothing_is_done_by_hand_before_it_is_live() -> None:
    ring = Ring()
    answer = control(ring, "audit")
    assert not answer.ok and "try again" in answer.text
    fresh = OrdersCore(settings())
    assert fresh.status(ring.now)["state"] == "starting"


def test_open_orders_positions_and_all_that_reconcile_compares_are_shown(ring: Ring) -> None:
    order = accepted(ring, 1)
    accepted(ring, 2, "binance")
    ring.report(order, "F", "1", qty="0.25", key="k")
    assert [o.number for o in asked(ring, "orders").orders] == [1, 2]
    assert [o.number for o in asked(ring, "orders", venue="generic").orders] == [1]
    assert asked(ring, "orders", strategy="other").orders == ()
    (position,) = asked(ring, "positions").positions
    assert position.quantity == D("0.25")
    assert asked(ring, "positions", venue="binance").positions == ()
    told = orjson.loads(asked(ring, "names", strategy="s").detail)
    assert (told["symbols"], told["strategy_known"]) == (["BTCUSDT"], True)
    assert not orjson.loads(asked(ring, "names", strategy="other").detail)["strategy_known"]
    everything = asked(ring, "reconcile")
    assert [o.number for o in everything.orders] == [1, 2] and len(everything.positions) == 1
    assert orjson.loads(everything.detail)["accounts"]["generic"]["sessions"] == {"generic": SessionState.OPENED.value}
    unknown = asked(ring, "order", strategy="s", number=77)
    assert unknown.orders == () and "command" not in orjson.loads(unknown.detail)


def test_a_question_or_venue_that_there_is_none_of_is_answered_with_what_there_is(ring: Ring) -> None:
    accepted(ring, 1)
    error = orjson.loads(asked(ring, "weather").detail)["error"]
    assert error.startswith("weather: no such query; there is orders, order")
    for what in ("orders", "positions", "accounts", "reconcile", "names"):
        answer = asked(ring, what, venue="kraken")
        assert orjson.loads(answer.detail)["error"] == "kraken: no such venue; there is binance, generic"
        assert answer.orders == () and answer.positions == ()


def test_a_venue_that_only_the_log_knows_can_be_asked_about() -> None:
    ring = Ring()
    ring.go_live()
    ring.log_on("former")
    assert "error" not in orjson.loads(asked(ring, "orders", venue="former").detail)


def test_the_state_is_hashed_logged_and_compared(ring: Ring, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_hashes, "HASH_EVERY", 5)
    for number in range(1, 6):
        accepted(ring, number)
    hashes = [r for r in ring.journal.records if r.kind == Kind.STATE_HASH]
    assert hashes and ring.core.status(ring.now)["hash_mismatches"] == 0
    at = next(r.lsn for r in reversed(ring.journal.records) if r.lsn % 5 == 0)
    ring.record("orders", Kind.STATE_HASH, StateHash("risk", at, b"another actor's", FOLD_VERSION))
    assert ring.core.status(ring.now)["hash_mismatches"] == 0
    ring.record("orders", Kind.STATE_HASH, StateHash("orders", at, b"of another fold", 99))
    assert ring.core.status(ring.now)["hash_mismatches"] == 0
    ring.record("orders", Kind.STATE_HASH, StateHash("orders", at, b"not ours", FOLD_VERSION))
    assert ring.core.status(ring.now)["hash_mismatches"] == 1


def test_a_replay_compares_hashes_and_appends_none(ring: Ring, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_hashes, "HASH_EVERY", 5)
    for number in range(1, 6):
        accepted(ring, number)
    before = sum(record.kind == Kind.STATE_HASH for record in ring.journal.records)
    ring.start()
    assert sum(record.kind == Kind.STATE_HASH for record in ring.journal.records) == before > 0
    assert ring.core.status(ring.now)["hash_mismatches"] == 0
    at = next(r.lsn for r in reversed(ring.journal.records) if r.lsn % 5 == 0)
    ring.record("orders", Kind.STATE_HASH, StateHash("orders", at, b"not ours", FOLD_VERSION))
    assert ring.core.status(ring.now)["hash_mismatches"] == 1


def test_a_hash_that_comes_too_late_to_be_compared_is_passed_over(ring: Ring, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_hashes, "HASH_EVERY", 5)
    ring.core._hashes = state_hashes.StateHashes("orders", FOLD_VERSION, most=2)
    for number in range(1, 11):
        accepted(ring, number)
    last = next(r.lsn for r in reversed(ring.journal.records) if r.lsn % 5 == 0)
    ring.record("orders", Kind.STATE_HASH, StateHash("orders", last - 10, b"not ours", FOLD_VERSION))
    assert ring.core.status(ring.now)["hash_mismatches"] == 0
    ring.record("orders", Kind.STATE_HASH, StateHash("orders", last, b"not ours", FOLD_VERSION))
    assert ring.core.status(ring.now)["hash_mismatches"] == 1


def test_a_question_to_the_account_carries_what_was_applied(ring: Ring) -> None:
    control(ring, "inquire", account="binance", what="history", symbol="BTCUSDT", from_trade_key="7")
    lsn = ring.core.books.lsn
    assert ring.asks[-1] == Ask("binance", 0, "history", "BTCUSDT", from_trade_key="7", asked_lsn=lsn)


def test_a_baseline_begins_anew_by_a_person_s_word_with_the_next_balances(ring: Ring) -> None:
    def told(free: str) -> None:
        ask = Ask("binance", 0, "balances", asked_lsn=ring.core.books.lsn)
        ring.answers(venue="binance", ask=ask, balances=(("BTC", D(free), D(0)),))

    def held() -> dict[str, D] | None:
        baseline = ring.core.books.account("binance").baseline
        return None if baseline is None else dict(baseline.balances)

    told("5")
    assert held() == {}, "the account was empty when it was first asked"
    assert control(ring, "baseline", account="binance", text="deposit: 5 BTC").ok
    assert held() is None
    told("5")
    told("7")
    assert held() == {"BTC": D(5)}
    ring.start()
    assert held() == {"BTC": D(5)}


def test_no_baseline_begins_while_an_order_of_ours_is_open(ring: Ring) -> None:
    accepted(ring, 1, "binance")
    answer = control(ring, "baseline", account="binance", text="deposit")
    assert not answer.ok and "1 orders are open at binance" in answer.text
    assert not control(ring, "baseline", account="generic", text="deposit").ok


def test_a_venue_without_rest_is_asked_nothing_and_that_is_said(ring: Ring) -> None:
    asked_before = len(ring.asks)
    answer = control(ring, "inquire", account="generic", what="balances")
    assert not answer.ok and "there is binance" in answer.text and len(ring.asks) == asked_before

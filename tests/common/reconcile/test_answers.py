"""Invariant: a venue's answer that differs from our books is told, and silence is never equal."""

from decimal import Decimal as D
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from common.config import load
from common.contracts import Contract, InstrumentKind
from common.messages import Answer, Ask, RestOrder, SessionState, Trade
from common.reconcile.answers import AskedAccount, Unanswered
from common.reconcile.result import Audit, Part, Result, Verdict, compared
from tests.services.orders.harness import Ring, accepted

BALANCES = (("BTC", D(5), D(1)), ("USDT", D(900), D(100)))


@pytest.fixture
def ring() -> Ring:
    """Orders is live and nothing is open anywhere; the account has told 6 BTC and 1000 USDT."""
    ring = Ring()
    ring.go_live()
    for venue in ("generic", "binance"):
        ring.log_on(venue)
    ring.answers(venue="binance", ask=Ask("binance", 0, "balances"), balances=BALANCES)
    for asked in [ask for ask in ring.asks if ask.number]:
        ring.answers(venue="binance", ask=asked)
    for venue in ("generic", "binance"):
        ring.session(venue, SessionState.OPENED)
    ring.hello()
    return ring


def asked(ring: Ring, venue: str = "binance", **heard: Any) -> AskedAccount:
    books: Any = SimpleNamespace(books=ring.core.books, lsn=ring.core.books.lsn, filled={}, answered={})
    books.__dict__.update(heard)
    return AskedAccount(load(environ={}), books, venue, ring.core.books.lsn)


def filled(ring: Ring, key: str = "7") -> None:
    """An order of 1 at 100 rests with 0.25 filled at 100, for a fee of 0.001 BTC."""
    order = accepted(ring, 1, "binance")
    ring.report(order, "F", "1", qty="0.25", key=key, fee_qty=D("0.001"), fee_asset="BTC", cum_qty=D("0.25"))


def balances_part(ring: Ring, **told: str) -> Part:
    venue = asked(ring)
    baseline = ring.core.books.account("binance").baseline
    assert baseline is not None
    venue._moments = [venue._moment()]
    return venue._against(baseline, {asset: D(held) for asset, held in told.items()}, {})


def row(ring: Ring, **fields: Any) -> RestOrder:
    leg = ring.core.books.orders["s", 1].leg
    values = {
        "symbol": "BTCUSDT", "order_id": leg.order_id, "cl_ord_id": leg.cl_ord_id, "side": "1", "ord_status": "1",
        "order_qty": D("1.00"), "price": D("100.0"), "cum_qty": D("0.25"), "transact_ns": 0,
    }  # fmt: skip
    return RestOrder(**{**values, **fields})


def trade(key: str) -> Trade:
    return Trade("BTCUSDT", key, "V1", "1", D("0.25"), D(100), D(0), "", 0, True)


def test_the_account_is_asked_for_its_baseline_before_the_gate_opens_and_once() -> None:
    ring = Ring()
    ring.account_away = True
    ring.go_live()
    ring.log_on("binance")
    assert not ring.asks
    ring.account_away = False
    ring.pass_time(500)
    assert [ask.what for ask in ring.asks].count("balances") == 1
    ring.answers(venue="binance", ask=ring.asks[0], balances=BALANCES)
    ring.session("binance", SessionState.DISCONNECTED)
    ring.log_on("binance")
    assert [ask.what for ask in ring.asks].count("balances") == 1


def test_what_was_held_while_nothing_of_ours_was_open_is_the_baseline_for_good(ring: Ring) -> None:
    baseline = ring.core.books.account("binance").baseline
    assert baseline is not None and dict(baseline.balances) == {"BTC": D(6), "USDT": D(1000)}
    filled(ring)
    ring.answers(venue="binance", ask=Ask("binance", 0, "balances"), balances=(("BTC", D(9), D(0)),))
    assert ring.core.books.account("binance").baseline == baseline
    again = Ring()
    again.go_live()
    again.log_on("binance")
    again.hello()
    accepted(again, 1, "binance")
    again.answers(venue="binance", ask=Ask("binance", 0, "balances"), balances=BALANCES)
    assert again.core.books.account("binance").baseline is None


def test_balances_are_the_baseline_and_our_fills_to_the_last_digit(ring: Ring) -> None:
    assert balances_part(ring, BTC="6.0", USDT="1000").verdict is Verdict.EQUAL
    filled(ring)
    part = balances_part(ring, BTC="6.2490", USDT="975")
    assert part.verdict is Verdict.EQUAL and "6 BTC, 1000 USDT" in part.text and "baseline" in part.text
    missing = balances_part(ring, BTC="6.249", USDT="975.00000001")
    assert missing.verdict is Verdict.DIFFERS and len(missing.differences) == 1 and "USDT" in missing.differences[0]
    assert len(balances_part(ring, BTC="6.249", USDT="975", DOGE="1").differences) == 1


def test_the_venue_s_list_and_ours_hold_the_same_orders_on_the_same_terms(ring: Ring) -> None:
    filled(ring)
    lsn = ring.core.books.lsn
    venue = asked(ring)
    assert list(venue._listed(lsn, [row(ring)])) == []
    assert "not open there" in next(venue._listed(lsn, []))
    for field in ("order_qty", "price", "cum_qty"):
        assert "ours and theirs" in next(venue._listed(lsn, [row(ring, **{field: D("0.5")})]))
    renamed = row(ring, cl_ord_id="its-first-name")
    assert list(venue._listed(lsn, [renamed])) == [], "its OrderID(37) is what both know"
    stranger = row(ring, cl_ord_id="other", order_id="77")
    assert "is open there, not for us" in next(venue._listed(lsn, [row(ring), stranger]))


def test_what_was_heard_after_the_question_is_no_difference(ring: Ring) -> None:
    before = ring.core.books.lsn
    filled(ring)
    assert list(asked(ring)._listed(before, [])) == []
    trades = asked(ring, filled={("binance", "BTCUSDT", "7"): before + 1})
    assert list(trades._trades_differ("BTCUSDT", [], before, "")) == []


def test_each_fill_of_either_side_is_the_other_s(ring: Ring) -> None:
    filled(ring)
    lsn = ring.core.books.lsn
    venue = asked(ring, filled={("binance", "BTCUSDT", "7"): lsn})
    assert list(venue._trades_differ("BTCUSDT", [trade("7")], lsn, "")) == []
    assert "is there, not for us" in next(venue._trades_differ("BTCUSDT", [trade("7"), trade("8")], lsn, ""))
    assert "not there" in next(venue._trades_differ("BTCUSDT", [], lsn, "6"))
    assert list(venue._trades_differ("BTCUSDT", [], lsn, "7")) == []


@pytest.mark.parametrize(("keys", "wheres"), [
    (("5", "6", "7"), [{"since_ns": 3}, {"from_trade_key": "7"}]),
    (("b-7", "a-1", "c-3"), [{"since_ns": 3}, {"since_ns": 12}]),
])  # fmt: skip
def test_the_venue_s_trades_are_read_page_by_page_by_number_or_by_time(
    ring: Ring, monkeypatch: pytest.MonkeyPatch, keys: tuple[str, ...], wheres: list[dict[str, Any]]
) -> None:
    monkeypatch.setattr("common.reconcile.answers.TRADES_PAGE", 2)
    venue, asked_for = asked(ring, began_ns=3), list[dict[str, Any]]()
    all_of_them = [msgspec.structs.replace(trade(key), transact_ns=11 + n) for n, key in enumerate(keys)]
    pages = [all_of_them[:2], all_of_them[2:] if keys[0] == "5" else all_of_them[1:], all_of_them[2:]]

    def answered(what: str, symbol: str, **where: Any) -> Answer:
        asked_for.append(where)
        return Answer("binance", Ask("binance", 0, what, symbol), False, trades=tuple(pages[len(asked_for) - 1]))

    monkeypatch.setattr(venue, "_ask", answered)
    told, _ = venue._history("BTCUSDT", "")
    assert [each.trade_key for each in told] == list(keys), "each once"
    assert asked_for[:2] == wheres


def test_trades_at_one_time_whose_names_have_no_order_cannot_be_read_to_their_end(
    ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("common.reconcile.answers.TRADES_PAGE", 2)
    venue = asked(ring, began_ns=3)
    told = tuple(msgspec.structs.replace(trade(key), transact_ns=3) for key in ("b-7", "a-1"))
    monkeypatch.setattr(venue, "_ask", lambda what, symbol, **where: Answer(
        "binance", Ask("binance", 0, what, symbol), False, trades=told
    ))  # fmt: skip
    with pytest.raises(Unanswered, match="2 trades of BTCUSDT at one time"):
        venue._history("BTCUSDT", "")


def test_an_order_is_answered_for_when_the_venue_has_spoken_of_it_since(ring: Ring) -> None:
    accepted(ring, 1)
    order = ring.core.books.orders["s", 1]
    venue = asked(ring, "generic")
    assert not venue._heard_since(order)
    assert asked(ring, "generic", answered={("s", 1): ring.core.books.lsn + 1})._heard_since(order)


def test_a_part_that_nobody_answered_is_not_equal() -> None:
    fine = compared([], "2 there")
    silent = Part(Verdict.NOT_ANSWERED, "account@binance did not answer")
    named = Part(Verdict.NOT_COMPARABLE, "no REST side")
    assert Result("LSN 3", {"fills": fine, "balances": named}).document()["compared"]
    result = Result("LSN 3", {"fills": fine, "balances": silent})
    assert not result.document()["compared"] and "equal as of" not in result.told("binance")
    assert Result("LSN 3", {"fills": fine}, Audit((), "the audit did not end")).unanswered
    differs = Result("LSN 3", {"fills": compared(["1 more"], "3 there"), "balances": silent})
    assert differs.differences == ["1 more"] and "1 differences" in differs.told("binance")


def test_what_is_held_in_contracts_is_what_the_venue_says_is_held(
    ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    balances = compared((), "2 assets")
    assert asked(ring)._positions(balances).verdict is Verdict.EQUAL
    known = ring.core.books.known
    known._facts["binance"] = msgspec.structs.replace(
        known.find("binance"), contracts={"BTCUSDT": Contract(InstrumentKind.PERPETUAL, settle="USDT")}
    )
    filled(ring)
    told: dict[str, D] = {}

    def answer(self: AskedAccount, what: str, symbol: str = "", **details: object) -> Answer:
        return Answer("binance", Ask("binance", 0, what), False, positions=tuple(told.items()))

    monkeypatch.setattr(AskedAccount, "_ask", answer)
    monkeypatch.setattr(AskedAccount, "_read_until", lambda *_: None)
    for held, verdict in ({"BTCUSDT": D("0.250")}, Verdict.EQUAL), ({"BTCUSDT": D("-0.25")}, Verdict.DIFFERS), (
        {}, Verdict.DIFFERS,
    ), ({"BTCUSDT": D("0.25"), "OTHER": D(1)}, Verdict.DIFFERS):  # fmt: skip
        told.clear()
        told.update(held)
        part = asked(ring)._positions(balances)
        assert part.verdict is verdict and "BTCUSDT" in part.text, held
    without = asked(ring)
    without._has_rest = False
    assert without._positions(balances).verdict is Verdict.NOT_COMPARABLE


@pytest.mark.parametrize("tells", [True, False])
def test_what_funding_has_moved_is_asked_for_and_else_named_as_what_may_have(
    ring: Ring, monkeypatch: pytest.MonkeyPatch, tells: bool
) -> None:
    known = ring.core.books.known
    known._facts["binance"] = msgspec.structs.replace(
        known.find("binance"), contracts={"BTCUSDT": Contract(InstrumentKind.PERPETUAL, settle="USDT")}
    )
    baseline = ring.core.books.account("binance").baseline
    assert baseline is not None
    moved = {"BTC": D(6), "USDT": D("998.5")}

    def answer(self: AskedAccount, what: str, symbol: str = "", since_ns: int = 0) -> Answer:
        assert what != "funding" or since_ns == baseline.stamp_ns
        told = {"USDT": D("-1.5")} if what == "funding" else moved
        return Answer("binance", Ask("binance", 0, what), False, balances=tuple((a, q, D(0)) for a, q in told.items()))

    monkeypatch.setattr(AskedAccount, "_ask", answer)
    monkeypatch.setattr(AskedAccount, "_read_until", lambda *_: None)
    venue = asked(ring)
    venue._tells_funding = tells
    part = venue._balances()
    assert part.verdict is (Verdict.EQUAL if tells else Verdict.DIFFERS)
    assert ("funding since of -1.5 USDT" in part.text) is tells
    assert tells or "a deposit, a withdrawal or a payment of funding" in part.differences[0]

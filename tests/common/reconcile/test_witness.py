"""What `fixring reconcile` calls a difference, and what is only under way."""

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from common.contracts import Contract, InstrumentKind
from common.messages import CancelRequest
from common.orders.fills import FillChange
from common.reconcile import witness
from common.reconcile.result import Part, Verdict, compared
from common.reconcile.witness import (
    _balances,
    _balances_differ,
    _fills_differ,
    _numbers_differ,
    _orders_differ,
    _positions,
    audit,
)
from tests.services.orders.harness import Ring


@pytest.fixture
def ring() -> Ring:
    """One order of 1 at 100 that rests with 0.25 filled at 100."""
    ring = Ring()
    ring.go_live()
    ring.open("generic")
    ring.hello()
    order = ring.new(1)
    ring.sent(order)
    ring.report(order, "0", "0")
    ring.report(order, "F", "1", qty="0.25", key="t1", fee_qty=Decimal("0.001"), fee_asset="BTC")
    return ring


def books(ring: Ring) -> Any:
    return SimpleNamespace(books=ring.core.books)


def theirs(ring: Ring, **fields: Any) -> dict[str, Any]:
    order = ring.core.books.orders["s", 1]
    row = {
        "cl_ord_id": order.leg.cl_ord_id, "symbol": "BTCUSDT", "side": "1", "order_qty": "1.0", "price": "100.00",
        "cum_qty": "0.25", "leaves_qty": "0.75",
    }  # fmt: skip
    changes = {"BTC": {"change": "0.2490"}, "USDT": {"change": "-25.00"}}
    return {"orders": [row | fields], "positions": changes, "contract_costs": {}}


def test_equal_is_equal_however_it_is_written(ring: Ring) -> None:
    their = theirs(ring)
    assert _orders_differ(books(ring), "generic", their, 99) == []
    assert _balances_differ(books(ring), "generic", their) == []
    assert _fills_differ(books(ring), "generic", {"trade_count": 1}) == []


@pytest.mark.parametrize("field", ["order_qty", "price", "cum_qty"])
def test_other_terms_are_a_difference(ring: Ring, field: str) -> None:
    found = _orders_differ(books(ring), "generic", theirs(ring, **{field: "0.5"}), 99)
    assert len(found) == 1 and found[0].startswith("s/1 ")


def test_an_order_of_one_side_alone_is_a_difference(ring: Ring) -> None:
    assert "not open there" in _orders_differ(books(ring), "generic", {"orders": []}, 99)[0]
    found = _orders_differ(books(ring), "generic", theirs(ring, cl_ord_id="other"), 99)
    assert len(found) == 2 and "is open there, not for us" in found[1]


def test_what_the_exchange_has_not_heard_yet_is_under_way(ring: Ring) -> None:
    silent = ring.new(2)
    ring.sent(silent)
    number = ring.core.books.orders["s", 2].sent_number
    assert _orders_differ(books(ring), "generic", theirs(ring), number) == []
    assert len(_orders_differ(books(ring), "generic", theirs(ring), number + 1)) == 1


def test_a_request_under_way_excuses_nothing_that_was_said_before_it(ring: Ring) -> None:
    ring.request(CancelRequest(0, 2, 1))
    ring.sent(ring.commands[-1])
    assert len(_orders_differ(books(ring), "generic", {"orders": []}, 99)) == 1


def test_money_is_compared_to_the_last_digit(ring: Ring) -> None:
    their = theirs(ring)
    their["positions"]["USDT"]["change"] = "-25.00000001"
    assert len(_balances_differ(books(ring), "generic", their)) == 1
    assert len(_fills_differ(books(ring), "generic", {"trade_count": 2})) == 1


@pytest.mark.parametrize(
    ("usdt", "tells_fees", "verdict"),
    [
        ("-25.01", False, Verdict.NOT_COMPARABLE),
        ("-25.00", False, Verdict.EQUAL),
        ("-24.99", False, Verdict.DIFFERS),
        ("-25.01", True, Verdict.DIFFERS),
    ],
)
def test_a_balance_is_less_by_fees_that_a_venue_does_not_tell_and_never_more(
    ring: Ring, usdt: str, tells_fees: bool, verdict: Verdict
) -> None:
    their = theirs(ring)
    their["positions"]["USDT"]["change"] = usdt
    part = _balances(books(ring), "generic", their, tells_fees=tells_fees)
    assert part.verdict is verdict
    assert ("-25.01" in part.text) == (verdict is Verdict.NOT_COMPARABLE)


def test_a_number_that_the_journal_does_not_hold_is_a_difference(ring: Ring) -> None:
    session = ring.core.books.session("generic", "generic")
    assert _numbers_differ(session, {"next_inbound": session.last_outbound + 1}) == []
    assert len(_numbers_differ(session, {"next_inbound": session.last_outbound + 2})) == 1


def test_what_contracts_have_settled_is_the_same_in_whatever_order_their_fills_were_heard(ring: Ring) -> None:
    """The exchange bought 2 at 100, sold 1 at 130 and bought 1 at 110; we heard of the sale last."""
    known = ring.core.books.known
    contract = Contract(InstrumentKind.PERPETUAL, Decimal("0.1"), settle="USDT")
    known._facts["generic"] = msgspec.structs.replace(known.find("generic"), contracts={"BTCUSDT": contract})
    (position,) = ring.core.books.positions_at("generic")
    position.quantity = position.unit_cost = position.cash = Decimal(0)
    position.fees.clear()
    for side, qty, px in (("1", 2, 100), ("1", 1, 110), ("2", 1, 130)):
        change = FillChange("generic", "BTCUSDT", str(px), "o", side, Decimal(qty), Decimal(qty * px), ())
        position.count_fill(change, "", contract)
    for settled, differs in (("3", False), ("3.01", True)):
        held = {"positions": {"USDT": {"change": settled}}, "contract_costs": {"USDT": "21"}}
        assert bool(_balances_differ(books(ring), "generic", held)) is differs
    assert position.cash != 3


def test_contracts_are_compared_by_their_number_since_opening_them_moves_no_balance(ring: Ring) -> None:
    equal = compared((), "by balances")
    assert _positions(books(ring), "generic", {"contracts": {}}, equal).verdict is Verdict.EQUAL
    (held,) = ring.core.books.positions_at("generic")
    known = ring.core.books.known
    known._facts["generic"] = msgspec.structs.replace(
        known.find("generic"), contracts={held.symbol: Contract(InstrumentKind.PERPETUAL, settle="USDT")}
    )
    for theirs, verdict in (({held.symbol: f"{held.quantity}0"}, Verdict.EQUAL), ({}, Verdict.DIFFERS),
                            ({held.symbol: "2.49"}, Verdict.DIFFERS),
                            ({held.symbol: f"{held.quantity}", "OTHER": "1"}, Verdict.DIFFERS)):  # fmt: skip
        assert _positions(books(ring), "generic", {"contracts": theirs}, equal).verdict is verdict, theirs
    # Their number is equal also where fees that nobody tells keep the balances from being compared.
    untold = Part(Verdict.NOT_COMPARABLE, "fees")
    there = {"contracts": {held.symbol: f"{held.quantity}"}}
    assert _positions(books(ring), "generic", there, untold).verdict is Verdict.EQUAL


def test_an_audit_waits_as_long_as_a_venues_own_pace_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kraken's REST side is asked once a second; another venue that is as slow has not answered."""
    passed_s = iter(range(1000))
    busy_upto_s = {"kraken": 30, "generic": 30}
    now_s = 0

    def monotonic() -> float:
        nonlocal now_s
        now_s = next(passed_s)
        return now_s

    def answer(_: Any, actor: str, act: str) -> dict[str, Any]:
        return {"accounts": {name: {"auditing": now_s < upto_s} for name, upto_s in busy_upto_s.items()}}

    monkeypatch.setattr(witness, "ask", answer)
    monkeypatch.setattr(witness, "time", SimpleNamespace(monotonic=monotonic, sleep=lambda _: None))
    accounts = {name: SimpleNamespace(venue=SimpleNamespace(dialect=name)) for name in busy_upto_s}
    config: Any = SimpleNamespace(reach=None, accounts=accounts)
    its_books: Any = SimpleNamespace(lsn=1, discrepancies=[], read_on=lambda: None)
    found = audit(config, its_books, list(accounts))
    assert {name: each.silence for name, each in found.items()} == {
        "kraken": "", "generic": "the audit did not end within 10 s",
    }  # fmt: skip

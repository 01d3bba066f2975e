"""Whose fill it is: the venue's trade identity and the order that it fills name it together, whoever tells of it."""

import msgspec
import pytest

from common.messages import Ask, Inbound, Kind, SessionState, Trade, encode
from common.orders.fills import FillRow, RetiredRow
from common.orders.ledger import FillLedger
from tests.services.orders.harness import D, Ring, accepted, report


def _tell(ring: Ring, venue: str, *told: Trade) -> None:
    ask = Ask(venue, 900, "trades", "BTCUSDT", asked_lsn=ring.core.books.lsn)
    ring.answers(venue=venue, ask=ask, trades=told, venue_ns=ring.journal.stamp_ns)


def _state(ring: Ring) -> tuple[str, ...]:
    books = ring.core.books
    position = books.positions.get(("binance", "BTCUSDT")) or books.positions["generic", "BTCUSDT"]
    orders = [str(order.cum_qty) for name, order in sorted(books.orders.items())]
    return str(position.quantity), str(position.fills), *orders


@pytest.mark.parametrize("reload", [False, True])
def test_two_orders_of_ours_that_meet_in_one_trade_are_both_filled_however_often_it_is_told(
    ring: Ring, reload: bool
) -> None:
    buy, sell = (accepted(ring, n, "binance", side=side) for n, side in ((1, "1"), (2, "2")))
    ring.report(buy, "F", "2", qty="1", key="777")
    ring.report(sell, "F", "2", qty="1", key="777")
    assert _state(ring) == ("0", "2", "1", "1")
    assert [order.status.value for order in ring.core.books.orders.values()] == ["FILLED", "FILLED"]
    halves = [
        Trade("BTCUSDT", "777", f"V{order.cl_ord_id}", order.side, D(1), D(100), D(0), "", 0) for order in (buy, sell)
    ]
    for _ in range(2):
        if reload:
            ring.load_snapshot()
        ring.report(buy, "F", "2", qty="1", key="777")
        ring.report(sell, "F", "2", qty="1", key="777")
        _tell(ring, "binance", *halves)
        _tell(ring, "binance", *reversed(halves))
        assert _state(ring) == ("0", "2", "1", "1")


def test_both_halves_told_by_rest_before_their_orders_are_known_find_each_its_own(ring: Ring) -> None:
    buy, sell = (ring.new(n, "binance", side=side) for n, side in ((1, "1"), (2, "2")))
    for order in (buy, sell):
        ring.sent(order)
    _tell(
        ring,
        "binance",
        *(Trade("BTCUSDT", "777", f"V{o.cl_ord_id}", o.side, D(1), D(100), D(0), "", 0) for o in (buy, sell)),
    )
    assert _state(ring) == ("0", "2", "0", "0")
    for order in (sell, buy):
        ring.report(order, "0", "0")
    assert _state(ring) == ("0", "2", "1", "1")


@pytest.mark.parametrize("stranger_first", [False, True])
def test_a_stranger_s_half_and_ours_are_two_fills(ring: Ring, stranger_first: bool) -> None:
    ours = accepted(ring, 1, "binance")
    theirs = report(ours, "F", "2", qty="1", key="777", cl_ord_id="web_1", order_id="55", side="2")
    words = [report(ours, "F", "2", qty="1", key="777"), theirs]
    for word in (*(reversed(words) if stranger_first else words), *words):
        ring.told("binance", word)
    assert _state(ring) == ("0", "2", "1")


def test_an_exec_id_that_another_order_used_before_is_another_fill(ring: Ring) -> None:
    for number in (1, 2):
        order = accepted(ring, number)
        for _ in range(2):
            ring.report(order, "F", "2", qty="1", key="1/8845")
    assert _state(ring) == ("2", "2", "1", "1")


def test_a_bust_and_a_correction_concern_the_half_of_the_order_that_they_name(ring: Ring) -> None:
    buy, sell = (accepted(ring, n, side=side) for n, side in ((1, "1"), (2, "2")))
    for order in (buy, sell):
        ring.report(order, "F", "2", qty="1", key="1/7")
    for _ in range(2):
        ring.report(sell, "H", "0", key="1/8", reference_trade_key="1/7", qty="1")
    assert _state(ring) == ("1", "1", "1", "0")
    for _ in range(2):
        ring.report(buy, "G", "1", key="1/8", reference_trade_key="1/7", qty="0.4")
    assert _state(ring) == ("0.4", "1", "0.4", "0")


def test_the_half_that_was_not_told_before_the_connection_died_is_asked_for(ring: Ring) -> None:
    buy = accepted(ring, 1, "binance")
    ring.report(buy, "F", "1", qty="0.5", key="777")
    ring.session("binance", SessionState.DISCONNECTED)
    ring.asks.clear()
    ring.log_on("binance")
    ring.pass_time(200)
    assert [ask.from_trade_key for ask in ring.asks if ask.what == "trades"] == ["777"]


def test_a_fill_of_an_order_that_left_memory_is_still_known_by_the_venue_s_name_of_the_order() -> None:
    ledger = FillLedger()
    ledger.trade("v", "S", "777", "ours", "1", D(1), D(5), order_id="55")
    ledger.retire("ours")
    assert ledger.trade("v", "S", "777", "", "1", D(1), D(5), order_id="55") is None
    assert ledger.trade("v", "S", "777", "", "2", D(1), D(5), order_id="56") is not None
    assert ledger.trade("v", "S", "777", "other", "1", D(1), D(5), order_id="57") is not None
    assert len(ledger) == 3


def test_a_snapshot_of_older_form_loads_and_knows_its_fills() -> None:
    fill = {"side": "1", "qty": "1", "px": "5", "fee_qty": "0", "fee_asset": "", "told": True}
    rows = [["v", "S", key, {"owner": owner, **fill}] for key, owner in (("7", "ours"), ("8", "closed"))]
    form = msgspec.msgpack.encode([rows, [["v", "S", "8"]]])
    ledger = FillLedger()
    ledger.load(*msgspec.msgpack.decode(form, type=tuple[list[FillRow], list[RetiredRow]]))
    for key, owner in (("7", "ours"), ("8", ""), ("8", "closed")):
        assert ledger.trade("v", "S", key, owner, "1", D(1), D(5), order_id="V") is None
    assert ledger.trade("v", "S", "7", "another", "1", D(1), D(5), order_id="W") is not None


def test_a_fill_handed_on_twice_by_the_session_counts_once_for_each_order(ring: Ring) -> None:
    buy, sell = (accepted(ring, n, side=side) for n, side in ((1, "1"), (2, "2")))
    for number, order in enumerate((buy, sell, buy, sell), start=1):
        word = Inbound("generic", 1, 1, number, "8", b"raw", report(order, "F", "2", qty="1", key="1/7"), True)
        ring.record("session@generic", Kind.INBOUND, encode(word))
    assert _state(ring) == ("0", "2", "1", "1")


@pytest.mark.parametrize("reload", [False, True])
@pytest.mark.parametrize("forgets", [False, True])
def test_an_order_id_that_another_order_had_before_is_the_later_one_s(ring: Ring, forgets: bool, reload: bool) -> None:
    earlier, later = (ring.new(number) for number in (1, 2))
    for order in (earlier, later):
        ring.sent(order)
        ring.report(order, "0", "0", order_id="1")
        if order is earlier:
            ring.report(order, "4", "4", order_id="1")
    if forgets:
        del ring.core.books.closed["s", 1]
        ring.core.books._forget(("s", 1))
    if reload:
        ring.load_snapshot()
    ring.told("generic", report(later, "F", "2", qty="1", key="7", cl_ord_id="", order_id="1"))
    filled = {number: order.cum_qty for (_, number), order in ring.core.books.orders.items() if order.cum_qty}
    assert filled == {2: D(1)}


def test_a_bust_finds_a_fill_that_rest_told_before_its_order_was_known_by_the_venue_s_number(ring: Ring) -> None:
    order = ring.new(1, "binance", qty="8")
    ring.sent(order)
    told = [Trade("BTCUSDT", key, "V1", "1", D(3), D(100), D(0), "", 0) for key in ("1", "2")]
    _tell(ring, "binance", *told)
    ring.report(order, "H", "1", key="3", reference_trade_key="2", order_id="V1", cum_qty=D(3))
    assert _state(ring) == ("3", "1", "3")


def test_the_number_that_a_rejection_bears_is_no_order_s(ring: Ring) -> None:
    refused = ring.new(1)
    ring.sent(refused)
    ring.report(refused, "8", "8", order_id="NONE")
    theirs = report(refused, "F", "2", qty="1", key="7", cl_ord_id="", order_id="NONE")
    for _ in range(2):
        ring.told("generic", theirs)
        ring.load_snapshot()
    assert ring.core.books.by_order_id == {} and _state(ring) == ("1", "1", "0")

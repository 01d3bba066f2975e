"""Somebody else trades on our account: shown while it is open, its fills counted, whether or not we were there."""

import msgspec
import pytest

from common.messages import Ask, Inbound, Kind, RestOrder, SessionState, Trade, Unreadable
from tests.services.orders.harness import D, Ring, report
from tests.services.orders.test_late_records import stranger

VENUE = "binance"
HEARD_NS = 1_767_225_605_250_000_000
HEARTBEAT = b"8=FIX.4.4\x0135=0\x0134=9\x0152=20260101-00:00:05.250\x0110=000\x01"


def _live() -> Ring:
    ring = Ring()
    ring.hello()
    ring.go_live()
    ring.log_on(VENUE)
    ring.pass_time(100)
    for ask in list(ring.asks):
        ring.answers(venue=VENUE, ask=ask)
    return ring


def test_an_order_of_somebody_else_that_rest_does_not_tell_any_more_is_over() -> None:
    ring = _live()
    for name in ("gone", "there"):
        ring.told(VENUE, report(stranger(name, venue=VENUE), "0", "0", order_id=name))
    before = ring.core.books.lsn
    ring.told(VENUE, report(stranger("since", venue=VENUE), "0", "0", order_id="since"))
    there = RestOrder("BTCUSDT", "there", "there", "1", "0", D(3), D(100), D(0))
    ring.answers(venue=VENUE, ask=Ask(VENUE, 1, "open_orders", "ETHUSDT", asked_lsn=before), orders=())
    assert len(ring.core.books.externals) == 3
    ring.answers(venue=VENUE, ask=Ask(VENUE, 2, "open_orders", "BTCUSDT", asked_lsn=before), orders=(there,))
    assert [order_id for _, _, order_id in ring.core.books.externals] == ["there", "since"]


def test_an_answer_says_of_an_order_of_somebody_else_what_was_so_when_it_was_asked_for() -> None:
    ring = _live()
    there = RestOrder("BTCUSDT", "77", "web-1", "1", "0", D(3), D(100), D(0))
    early = ring.core.books.lsn
    ring.told(VENUE, Unreadable("web-1", "", "77", "BTCUSDT", "it ended, and nobody could read that"))
    late = ring.core.books.lsn
    # The journal stood still between the two questions: both answers come behind both of them.
    ring.answers(venue=VENUE, ask=Ask(VENUE, 1, "open_orders", "BTCUSDT", asked_lsn=early), orders=(there,))
    assert [order_id for _, _, order_id in ring.core.books.externals] == ["77"]
    ring.answers(venue=VENUE, ask=Ask(VENUE, 2, "open_orders", "BTCUSDT", asked_lsn=late), orders=())
    assert not ring.core.books.externals


@pytest.mark.parametrize("snapshot", [False, True])
def test_an_order_of_somebody_else_that_is_over_stays_so_whatever_is_told_of_it_late(snapshot: bool) -> None:
    ring = _live()
    theirs = stranger("web-1", venue=VENUE)
    early = ring.core.books.lsn
    new = report(theirs, "0", "0", order_id="77")
    ring.told(VENUE, new)
    ring.told(VENUE, report(theirs, "4", "4", order_id="77", cl_ord_id="K-1", orig_cl_ord_id="web-1"))
    if snapshot:
        ring.load_snapshot()
    ring.told(VENUE, report(theirs, "F", "1", qty="1", px="100", key="9", order_id="77", cum_qty=D(1)))
    assert not ring.core.books.externals and ring.core.books.positions[VENUE, "BTCUSDT"].quantity == D(1)
    ring.told(VENUE, new)
    there = RestOrder("BTCUSDT", "77", "web-1", "1", "0", D(3), D(100), D(0))
    ring.answers(venue=VENUE, ask=Ask(VENUE, 1, "open_orders", "BTCUSDT", asked_lsn=early), orders=(there,))
    assert not ring.core.books.externals, "asked for before the end was heard of"
    ring.told(VENUE, report(stranger("web-2", venue=VENUE), "0", "0", order_id="77"))
    assert len(ring.core.books.externals) == 1, "another order by the same OrderID(37)"


@pytest.mark.parametrize("name", ["web-1", ""])
def test_a_fill_without_a_name_opens_no_order_of_somebody_else_again(name: str) -> None:
    """What is placed on the exchange's own screen need not have a ClOrdID(11)."""
    ring = _live()
    theirs = stranger(name, venue=VENUE)
    for told in (report(theirs, "0", "0", order_id="77"), report(theirs, "4", "4", order_id="77")):
        ring.told(VENUE, told)
    fill = report(theirs, "F", "1", qty="1", px="100", key="9", order_id="77", cum_qty=D(1), cl_ord_id="")
    ring.told(VENUE, fill)
    assert not ring.core.books.externals and ring.core.books.positions[VENUE, "BTCUSDT"].quantity == D(1)
    ring.told(VENUE, report(stranger("", venue=VENUE), "0", "0", order_id="77"))
    assert len(ring.core.books.externals) == 1, "another order by the same OrderID(37)"


def test_the_venue_s_later_list_is_stronger_than_an_end_that_was_told() -> None:
    ring = _live()
    theirs = stranger("web-1", venue=VENUE)
    ring.told(VENUE, report(theirs, "0", "0", order_id="77"))
    ring.told(VENUE, report(theirs, "4", "4", order_id="77"))
    there = RestOrder("BTCUSDT", "77", "web-1", "1", "0", D(3), D(100), D(0))
    after = ring.core.books.lsn
    ring.answers(venue=VENUE, ask=Ask(VENUE, 1, "open_orders", "BTCUSDT", asked_lsn=after), orders=(there,))
    assert len(ring.core.books.externals) == 1


def test_an_answer_takes_nothing_back_that_was_heard_of_an_order_of_somebody_else_since() -> None:
    ring = _live()
    there = RestOrder("BTCUSDT", "77", "web-1", "1", "0", D(3), D(100), D(0))
    early = ring.core.books.lsn
    filled = report(stranger("web-1", venue=VENUE), "F", "1", qty="1", px="100", key="9", order_id="77", cum_qty=D(1))
    ring.told(VENUE, filled)
    ring.answers(venue=VENUE, ask=Ask(VENUE, 1, "open_orders", "BTCUSDT", asked_lsn=early), orders=(there,))
    ((_, external),) = ring.core.books.externals.items()
    assert external.order.cum_qty == D(1)


def _tell_what_is_open(ring: Ring) -> None:
    for ask in [ask for ask in ring.asks if ask.what == "open_orders"]:
        ring.answers(venue=VENUE, ask=ask)


def test_what_somebody_else_traded_while_nobody_was_logged_on_is_asked_for_where_no_trade_is_known() -> None:
    ring = _live()
    assert not [ask for ask in ring.asks if ask.what == "trades"]
    ring.record(f"session@{VENUE}", Kind.INBOUND, Inbound(VENUE, 1, 1, 9, "0", HEARTBEAT))
    ring.session(VENUE, SessionState.DISCONNECTED)
    ring.asks.clear()
    ring.log_on(VENUE)
    ring.pass_time(100)
    (trades,) = [ask for ask in ring.asks if ask.what == "trades"]
    assert (trades.since_ns, trades.from_trade_key) == (HEARD_NS, "")
    fill = Trade("BTCUSDT", "41", "77", "1", D("0.012"), D(65_000), D(0), "USDT", HEARD_NS + 1)
    _tell_what_is_open(ring)
    ring.answers(venue=VENUE, ask=trades, trades=(fill,))
    venue = ring.core.books.account(VENUE)
    assert ring.core.books.positions[VENUE, "BTCUSDT"].quantity == D("0.012")
    assert "BTCUSDT" not in venue.gaps and "BTCUSDT" not in venue.gaps_since_ns


def test_a_report_that_cannot_be_read_and_is_nobodys_has_the_trades_asked_for() -> None:
    ring = _live()
    ring.record(f"session@{VENUE}", Kind.INBOUND, Inbound(VENUE, 1, 1, 9, "0", HEARTBEAT))
    ring.asks.clear()
    early = ring.core.books.lsn
    ring.told(VENUE, Unreadable("web-1", "", "77", "BTCUSDT", "LastQty(32) is no number"))
    ring.pass_time(100)
    (trades,) = [ask for ask in ring.asks if ask.what == "trades"]
    assert trades.since_ns == HEARD_NS
    ring.answers(venue=VENUE, ask=msgspec.structs.replace(trades, asked_lsn=early))
    assert "BTCUSDT" in ring.core.books.account(VENUE).gaps
    _tell_what_is_open(ring)
    ring.answers(venue=VENUE, ask=trades)
    assert "BTCUSDT" not in ring.core.books.account(VENUE).gaps


def test_a_gap_stays_open_until_what_is_open_was_told_too() -> None:
    """The question for it failed, and the one for trades did not: an order that ended without a trade stayed shown."""
    ring = _live()
    ring.record(f"session@{VENUE}", Kind.INBOUND, Inbound(VENUE, 1, 1, 9, "0", HEARTBEAT))
    ring.session(VENUE, SessionState.DISCONNECTED)
    ring.asks.clear()
    ring.log_on(VENUE)
    ring.pass_time(100)
    for ask in list(ring.asks):
        ring.answers(venue=VENUE, ask=ask, failed=ask.what == "open_orders")
    ring.session(VENUE, SessionState.OPENED)
    assert "BTCUSDT" in ring.core.books.account(VENUE).gaps
    ring.asks.clear()
    ring.pass_time(3_000)
    assert {ask.what for ask in ring.asks} >= {"open_orders", "trades"}
    for ask in list(ring.asks):
        ring.answers(venue=VENUE, ask=ask)
    assert "BTCUSDT" not in ring.core.books.account(VENUE).gaps


def test_what_is_open_is_asked_for_again_by_the_next_life_where_the_question_failed() -> None:
    ring = _live()
    ring.record(f"session@{VENUE}", Kind.INBOUND, Inbound(VENUE, 1, 1, 9, "0", HEARTBEAT))
    ring.session(VENUE, SessionState.DISCONNECTED)
    ring.asks.clear()
    ring.log_on(VENUE)
    ring.pass_time(100)
    for ask in list(ring.asks):
        ring.answers(venue=VENUE, ask=ask, failed=True)
    ring.session(VENUE, SessionState.OPENED)
    ring.start()
    ring.go_live()
    ring.asks.clear()
    ring.pass_time(5_000)
    assert {ask.what for ask in ring.asks} >= {"open_orders", "trades"}


@pytest.mark.parametrize("asked", [True, False])
def test_what_was_missed_is_asked_for_by_the_next_life_where_the_former_died_before_it_could(asked: bool) -> None:
    ring = _live()
    ring.session(VENUE, SessionState.OPENED)
    if asked:
        # Behind a report that cannot be read may stand the order of somebody else.
        ring.told(VENUE, Unreadable("web-1", "", "77", "BTCUSDT", "LastQty(32) is no number"))
    ring.asks.clear()
    ring.start()
    ring.go_live()
    assert any(ask.what == "open_orders" for ask in ring.asks) is asked

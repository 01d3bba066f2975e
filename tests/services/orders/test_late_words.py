"""What is told late, by two mouths, or of something else than it seems: each fill counts once, and nothing is believed
that proves nothing."""

from datetime import UTC, datetime

import pytest
from msgspec import structs

from common.instant import NS_PER_S
from common.journal.frames import Record
from common.messages import (
    Answer,
    Ask,
    Attempt,
    CancelOrder,
    CancelRejected,
    CancelRequest,
    Kind,
    OpenGate,
    Reason,
    Refused,
    RestOrder,
    SessionState,
    Trade,
    Withdrawn,
    encode,
)
from common.orders.fold import Fold
from common.orders.snapshots import dump_books, load_books
from services.orders.settings import OrdersSettings
from tests.services.orders.harness import BINANCE_WINDOW_NS, D, Ring, accepted, report


def trades(ring: Ring, *told: Trade, order_id: str = "") -> None:
    """REST tells trades, asked for now."""
    ask = Ask("binance", 900, "trades", "BTCUSDT", order_id=order_id, asked_lsn=ring.core.books.lsn)
    ring.answers(venue="binance", ask=ask, trades=told, venue_ns=ring.journal.stamp_ns)


def trade(key: str, order_id: str, qty: str = "0.5") -> Trade:
    return Trade("BTCUSDT", key, order_id, "1", D(qty), D(100), D(0), "", 0)


def _answer(ring: Ring, *told: Trade) -> Record:
    """The record of an answer of trades, not applied yet."""
    ask = Ask("binance", 903, "trades", "BTCUSDT", asked_lsn=ring.core.books.lsn)
    ring.journal.write("account@binance", Kind.ANSWER, encode(Answer("binance", ask, False, trades=told)))
    return ring.journal.records[-1]


def rest(ring: Ring, told: RestOrder) -> None:
    """REST tells one order, asked for now."""
    ask = Ask("binance", 901, "open_orders", "BTCUSDT", asked_lsn=ring.core.books.lsn)
    ring.answers(venue="binance", ask=ask, orders=(told,), venue_ns=ring.journal.stamp_ns)


def cancelling(ring: Ring, number: int, target: int) -> CancelOrder:
    """A cancel that is under way at the venue."""
    ring.request(CancelRequest(0, number, target))
    cancel: CancelOrder = ring.last(CancelOrder)
    ring.sent(cancel)
    return cancel


def fills(ring: Ring) -> list[tuple[str, str]]:
    return [(event.trade_key, str(event.last_qty)) for event in ring.clients[b"p"] if getattr(event, "trade_key", "")]


# -- fills -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order_id", ["77", ""])
def test_a_fill_that_rest_told_as_nobodys_is_told_once_when_the_orders_own_report_brings_it(
    ring: Ring, order_id: str
) -> None:
    order = ring.new(1, "binance")
    ring.sent(order)
    trades(ring, trade("5", "77"))
    assert ring.core.books.positions["binance", "BTCUSDT"].quantity == D("0.5") and fills(ring) == []
    for named in (order_id, "77"):
        ring.report(order, "F", "1", qty="0.5", key="5", order_id=named)
        assert fills(ring) == [("5", "0.5")]
    assert ring.core.books.orders["s", 1].cum_qty == D("0.5")
    assert ring.core.books.positions["binance", "BTCUSDT"].quantity == D("0.5")


def test_a_fill_that_came_without_its_order_s_name_waits_for_the_order_and_is_told_once(ring: Ring) -> None:
    order = ring.new(1, "binance")
    ring.told("binance", report(order, "F", "1", qty="0.5", key="5", cl_ord_id="", order_id="77"))
    assert ring.core.books.positions["binance", "BTCUSDT"].quantity == D("0.5") and fills(ring) == []
    rest(ring, RestOrder("BTCUSDT", "77", "", "1", "4", D(1), D(100), D("0.5")))
    ring.sent(order)
    for _ in range(2):
        ring.report(order, "4", "4", order_id="77", cum_qty=D("0.5"))
        assert fills(ring) == [("5", "0.5")]
    assert ring.core.books.orders["s", 1].cum_qty == D("0.5")
    assert ring.core.books.positions["binance", "BTCUSDT"].quantity == D("0.5")


def test_a_correction_of_the_fee_alone_moves_the_fee_alone(ring: Ring) -> None:
    order = accepted(ring, 1)
    ring.report(order, "F", "1", qty="0.5", key="a", fee_qty=D("0.3"), fee_asset="USDT")
    ring.report(
        order, "G", "1", qty="0.5", key="b", reference_trade_key="a", fee_qty=D("0.1"), fee_asset="USDT"
    )  # fmt: skip
    position = ring.core.books.positions["generic", "BTCUSDT"]
    assert position.fees == {"USDT": D("0.1")}
    assert (position.quantity, position.average_price, position.cash) == (D("0.5"), D(100), D(-50))
    assert (position.realised_profit, position.fills) == (D(0), 1)


def test_the_trades_of_one_order_are_counted_and_close_no_gap(ring: Ring) -> None:
    order = accepted(ring, 1, "binance")
    ring.session("binance", SessionState.DISCONNECTED)
    ring.log_on("binance")
    venue = ring.core.books.accounts["binance"]
    before = dict(venue.trades_asked)
    trades(ring, trade("8", f"V{order.cl_ord_id}"), order_id=f"V{order.cl_ord_id}")
    assert ring.core.books.orders["s", 1].cum_qty == D("0.5") and fills(ring) == [("8", "0.5")]
    assert "BTCUSDT" in venue.gaps and venue.trades_asked == before
    ring.answers(venue="binance", ask=Ask("binance", 900, "open_orders", "BTCUSDT", asked_lsn=ring.core.books.lsn))
    trades(ring)
    assert "BTCUSDT" not in venue.gaps and venue.trades_asked["BTCUSDT"].asked_lsn > 0


@pytest.mark.parametrize("snapshot", [False, True])
def test_a_trade_under_an_order_id_that_the_order_had_before_finds_it(ring: Ring, snapshot: bool) -> None:
    order = accepted(ring, 1, "binance")
    for order_id in ("B", "C", "B"):
        ring.report(order, "I", "0", order_id=order_id)
    books = ring.core.books
    if snapshot:
        facts = {name: venue.facts for name, venue in ring.settings.accounts.items()}
        books = load_books(dump_books(books), facts)
        ring.core.fold = Fold(books)
    for key, order_id in (("7", f"V{order.cl_ord_id}"), ("8", "C"), ("9", "B")):
        ring.core.fold.apply(_answer(ring, trade(key, order_id, "0.1")))
    assert books.orders["s", 1].cum_qty == D("0.3")
    assert not books.unclaimed


def test_a_bust_heard_in_a_later_generation_finds_the_fill_of_an_earlier_one(ring: Ring) -> None:
    order = accepted(ring, 1)
    ring.report(order, "F", "1", qty="0.2", key="1/a")
    ring.report(order, "F", "1", qty="0.3", key="1/b")
    ring.report(order, "H", "1", key="2/c", reference_trade_key="2/b")
    ring.report(order, "H", "1", key="3/c", reference_trade_key="3/b")
    assert ring.core.books.orders["s", 1].cum_qty == D("0.2")
    assert ring.core.books.positions["generic", "BTCUSDT"].quantity == D("0.2")


# -- what is told of an order ----------------------------------------------------------------------------------------


def test_no_such_order_on_the_connection_that_carries_it_settles_nothing(ring: Ring) -> None:
    order = ring.new(1)
    ring.sent(order)
    records = len(ring.journal.records)
    ring.report(order, "I", "8", unknown_order=True)
    assert ring.core.books.orders["s", 1].status.value == "PENDING_NEW"
    assert not any(record.kind == Kind.DISCREPANCY for record in ring.journal.records[records:])


def test_no_such_order_sent_again_is_the_answer_to_an_old_connections_question(ring: Ring) -> None:
    order = ring.new(1)
    ring.sent(order)
    ring.session("generic", SessionState.DISCONNECTED)
    ring.log_on("generic")
    answer = report(order, "I", "8", unknown_order=True)
    ring.told("generic", answer, poss_dup=True)
    assert ring.core.books.orders["s", 1].status.value == "UNKNOWN"
    ring.told("generic", answer)
    assert ring.core.books.orders["s", 1].status.value == "VOID"


def test_an_order_status_sent_again_settles_no_request(ring: Ring) -> None:
    order = accepted(ring, 1)
    cancelling(ring, 2, 1)
    ring.session("generic", SessionState.DISCONNECTED)
    ring.log_on("generic")
    ring.commands.clear()
    status = report(order, "I", "0")
    ring.told("generic", status, poss_dup=True)
    assert ring.core.books.orders["s", 1].is_unknown
    assert not any(isinstance(command, OpenGate) for command in ring.commands)
    ring.told("generic", status)
    assert not ring.core.books.orders["s", 1].is_unknown


def _not_found(ring: Ring, cl_ord_id: str, venue_ns: int) -> str:
    """REST tells, by its clock `venue_ns`, no trade and no such order; the order's status after that."""
    lsn = ring.core.books.lsn
    ring.answers(venue="binance", ask=Ask("binance", 910, "trades", "BTCUSDT", asked_lsn=lsn), venue_ns=venue_ns)
    ask = Ask("binance", 911, "order", "BTCUSDT", cl_ord_id, asked_lsn=lsn)
    ring.answers(venue="binance", ask=ask, not_found=True, venue_ns=venue_ns)
    return ring.core.books.orders["s", 1].status.value


@pytest.mark.parametrize("hours", [-24, 0, 24])
def test_a_venues_window_counts_from_the_time_that_the_venue_was_told(ring: Ring, hours: int) -> None:
    """The journal's clock may be ahead of the wall clock or behind it."""
    wall_ns = ring.journal.stamp_ns // NS_PER_S * NS_PER_S + hours * 3600 * NS_PER_S
    told = datetime.fromtimestamp(wall_ns // NS_PER_S, UTC).strftime("%Y%m%d-%H:%M:%S")
    order = ring.new(1, "binance")
    ring.sent(order, raw=b"35=D\x0152=" + told.encode() + b"\x01")
    ring.session("binance", SessionState.DISCONNECTED)
    assert ring.core.books.orders["s", 1].sent_ns == wall_ns
    assert _not_found(ring, order.cl_ord_id, wall_ns + BINANCE_WINDOW_NS) == "UNKNOWN"
    assert _not_found(ring, order.cl_ord_id, wall_ns + BINANCE_WINDOW_NS + 2 * NS_PER_S) == "VOID"


def test_a_requests_window_counts_from_the_time_that_the_venue_was_told(ring: Ring) -> None:
    accepted(ring, 1, "binance")
    ring.request(CancelRequest(0, 2, 1))
    ring.sent(ring.last(CancelOrder), raw=b"35=F\x0152=20200101-00:00:00.000\x01")
    (request,) = ring.core.books.orders["s", 1].requests.values()
    assert request.sent_ns == 1_577_836_800 * NS_PER_S


def test_a_fill_that_nobody_has_named_holds_back_the_proof_of_absence_until_it_is_named(ring: Ring) -> None:
    order = ring.new(1, "binance")
    ring.sent(order)
    ring.session("binance", SessionState.DISCONNECTED)
    ring.log_on("binance")
    trades(ring, trade("7", "X1"))
    ring.pass_time(15_000)
    assert _not_found(ring, order.cl_ord_id, ring.journal.stamp_ns) == "UNKNOWN"
    for ask in ring.asks:
        ring.answers(venue="binance", ask=ask)
    ring.pass_time(15_000)
    assert ("order", "X1") in {(ask.what, ask.order_id) for ask in ring.asks}, "whose it is was not asked"
    ask = Ask("binance", 912, "order", "BTCUSDT", order_id="X1", asked_lsn=ring.core.books.lsn)
    ring.answers(venue="binance", ask=ask, order=RestOrder("BTCUSDT", "X1", "gui", "1", "2", D(1), D(100), D(1)))
    assert _not_found(ring, order.cl_ord_id, ring.journal.stamp_ns) == "VOID"


def test_somebody_elses_named_fills_hold_back_nothing(ring: Ring) -> None:
    order = ring.new(1, "binance")
    ring.sent(order)
    ring.told("binance", report(order, "F", "2", qty="1", key="7", cl_ord_id="gui", order_id="X1"))
    ring.session("binance", SessionState.DISCONNECTED)
    ring.pass_time(15_000)
    assert _not_found(ring, order.cl_ord_id, ring.journal.stamp_ns) == "VOID"
    assert ring.core.books.positions["binance", "BTCUSDT"].quantity == D(1)


def test_an_order_that_rest_tells_under_its_cancels_name_is_found(ring: Ring) -> None:
    """Binance's REST gives a cancelled order the ClOrdID(11) of the cancel."""
    order = ring.new(1, "binance")
    ring.sent(order)
    cancel = cancelling(ring, 2, 1)
    rest(ring, RestOrder("BTCUSDT", "77", cancel.cl_ord_id, "1", "4", D(1), D(100), D(0)))
    assert ring.events()[-1] == (1, "settled", "CANCELED")


def test_another_order_of_the_venue_under_the_cancels_name_changes_nothing(ring: Ring) -> None:
    accepted(ring, 1, "binance")
    cancel = cancelling(ring, 2, 1)
    before = ring.events()
    rest(ring, RestOrder("BTCUSDT", "another", cancel.cl_ord_id, "1", "4", D(1), D(100), D(1)))
    assert ring.events() == before and ring.core.books.orders["s", 1].leaves_qty == D(1)


def test_not_found_under_the_name_of_a_cancel_ends_no_order(ring: Ring) -> None:
    order = ring.new(1, "binance")
    ring.sent(order)
    cancel = cancelling(ring, 2, 1)
    ring.record("session@binance", Kind.WITHDRAWN, Withdrawn("binance", 1, 1, 2, cancel.attempt, Reason.LATE))
    ring.session("binance", SessionState.DISCONNECTED)
    ring.pass_time(20_000)
    trades(ring)
    for name, status in ((cancel.cl_ord_id, "UNKNOWN"), (order.cl_ord_id, "VOID")):
        ask = Ask("binance", 902, "order", "BTCUSDT", name, asked_lsn=ring.core.books.lsn)
        ring.answers(venue="binance", ask=ask, not_found=True, venue_ns=ring.journal.stamp_ns)
        assert ring.core.books.orders["s", 1].status.value == status


def test_a_cancel_that_comes_to_nothing_because_the_order_is_filled_leaves_no_question(ring: Ring) -> None:
    order = accepted(ring, 1, "binance")
    cancel = cancelling(ring, 2, 1)
    trades(ring, trade("8", f"V{order.cl_ord_id}", "1"))
    ring.asks.clear()
    ring.told("binance", CancelRejected(cancel.cl_ord_id, order.cl_ord_id, "", "", unknown_order=True))
    ring.pass_time(1_000)
    assert ring.core.books.orders["s", 1].status.value == "FILLED" and ring.asks == []
    assert fills(ring) == [("8", "1")]


def test_a_refusal_of_what_no_strategy_asked_for_changes_nothing(ring: Ring) -> None:
    accepted(ring, 1)
    before = ring.events(), ring.outcomes(), ring.core.books.digest()
    nobody, gate = Attempt(77, 77), OpenGate("generic", 1, 77)
    ring.record("risk", Kind.REFUSED, Refused("risk", Reason.QUEUE_FULL, "", "s", 9, nobody, gate))
    assert (ring.events(), ring.outcomes(), ring.core.books.digest()) == before


# -- a venue that is gone --------------------------------------------------------------------------------------------


def test_what_a_venue_still_tells_after_it_left_the_configuration_is_counted_and_told(ring: Ring) -> None:
    order = accepted(ring, 1, "binance")
    ring.settings = OrdersSettings({"generic": ring.settings.accounts["generic"]})
    ring.start()
    ring.go_live()
    ring.hello()
    ring.asks.clear()
    ring.session("binance", SessionState.DISCONNECTED)
    ring.log_on("binance")
    told = RestOrder("BTCUSDT", f"V{order.cl_ord_id}", order.cl_ord_id, "1", "0", D(1), D(100), D(0))
    rest(ring, told)
    ring.report(order, "F", "2", qty="1", key="9")
    assert ring.events()[-1] == (1, "trade", "FILLED")
    assert ring.core.books.positions["binance", "BTCUSDT"].quantity == D(1)
    ring.pass_time(1_000)
    assert ring.asks == [], "nobody there is asked"


# -- questions -------------------------------------------------------------------------------------------------------


def bulk(ring: Ring, what: str) -> Ask:
    return next(ask for ask in reversed(ring.asks) if ask.what == what and not ask.order_id)


def test_a_question_whose_successor_was_answered_is_lost_and_asked_again(ring: Ring) -> None:
    accepted(ring, 1, "binance")
    ring.session("binance", SessionState.DISCONNECTED)
    ring.log_on("binance")
    first, second = bulk(ring, "open_orders"), bulk(ring, "trades")
    assert first.number < second.number
    ring.record("account@binance", Kind.ANSWER, Answer("binance", second, False))
    ring.pass_time(100)
    again = bulk(ring, "open_orders")
    assert again.number > second.number
    assert not any(isinstance(c, OpenGate) and c.connection == 2 for c in ring.commands)


def test_a_full_page_of_trades_is_followed_by_the_next_before_the_gate_opens(
    ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("common.orders.over_rest", "services.orders.inquiries"):
        monkeypatch.setattr(f"{module}.TRADES_PAGE", 2)
    order = accepted(ring, 1, "binance")
    ring.session("binance", SessionState.DISCONNECTED)
    ring.commands.clear()
    ring.log_on("binance")
    order_id = f"V{order.cl_ord_id}"
    ring.answers(
        venue="binance",
        ask=bulk(ring, "open_orders"),
        orders=(RestOrder("BTCUSDT", order_id, order.cl_ord_id, "1", "1", D(1), D(100), D("0.3")),),
    )
    page = bulk(ring, "trades")
    ring.answers(venue="binance", ask=page, trades=(trade("5", order_id, "0.1"), trade("6", order_id, "0.1")))
    ring.pass_time(100)
    following = bulk(ring, "trades")
    assert following.number > page.number and following.from_trade_key == "6"
    assert not any(isinstance(c, OpenGate) for c in ring.commands)
    ring.answers(venue="binance", ask=following, trades=(trade("7", order_id, "0.1"),))
    ring.pass_time(100)
    assert ring.last(OpenGate).connection == ring.connections["binance"]
    assert ring.core.books.orders["s", 1].cum_qty == D("0.3")


def test_trades_whose_names_have_no_order_are_asked_for_by_time_page_by_page(
    ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An order rests for long, and more was filled since than a page holds, under names that are no numbers."""
    for module in ("common.orders.over_rest", "services.orders.inquiries"):
        monkeypatch.setattr(f"{module}.TRADES_PAGE", 2)
    order = accepted(ring, 1, "binance")
    ring.session("binance", SessionState.DISCONNECTED)
    ring.log_on("binance")
    order_id = f"V{order.cl_ord_id}"
    ring.answers(
        venue="binance",
        ask=bulk(ring, "open_orders"),
        orders=(RestOrder("BTCUSDT", order_id, order.cl_ord_id, "1", "1", D(1), D(100), D("0.3")),),
    )
    page, later_ns = bulk(ring, "trades"), ring.journal.stamp_ns + 10**12
    assert page.since_ns and not page.from_trade_key

    def at(key: str, stamp_ns: int) -> Trade:
        return structs.replace(trade(key, order_id, "0.1"), transact_ns=stamp_ns)

    ring.answers(venue="binance", ask=page, trades=(at("b-7", later_ns), at("a-1", later_ns + 5)))
    ring.pass_time(100)
    following = bulk(ring, "trades")
    assert following.number > page.number and following.since_ns == later_ns + 5
    account = ring.core.books.account("binance")
    assert account.gaps_since_ns["BTCUSDT"] == later_ns + 5, "whoever dies now asks from there on"
    ring.answers(venue="binance", ask=following, trades=(at("a-1", later_ns + 5), at("c-3", later_ns + 6)))
    ring.pass_time(100)
    last = bulk(ring, "trades")
    assert last.since_ns == later_ns + 6
    ring.answers(venue="binance", ask=last, trades=(at("c-3", later_ns + 6),))
    ring.pass_time(100)
    assert "BTCUSDT" not in account.gaps
    assert ring.core.books.orders["s", 1].cum_qty == D("0.3"), "each once"


def test_a_page_that_leads_to_no_later_time_is_not_asked_for_for_ever_and_closes_no_gap(
    ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("common.orders.over_rest", "services.orders.inquiries"):
        monkeypatch.setattr(f"{module}.TRADES_PAGE", 2)
    order = accepted(ring, 1, "binance")
    ring.session("binance", SessionState.DISCONNECTED)
    ring.log_on("binance")
    ring.answers(venue="binance", ask=bulk(ring, "open_orders"))
    page = bulk(ring, "trades")
    told = tuple(structs.replace(trade(key, f"V{order.cl_ord_id}", "0.1"), transact_ns=1) for key in ("a", "b"))
    ring.answers(venue="binance", ask=page, trades=told)
    ring.pass_time(100)
    assert bulk(ring, "trades").number == page.number and "BTCUSDT" in ring.core.books.account("binance").gaps


def test_a_later_page_says_nothing_of_what_was_missed_before_it(ring: Ring) -> None:
    accepted(ring, 1, "binance")
    ring.session("binance", SessionState.DISCONNECTED)
    ring.log_on("binance")
    ring.answers(venue="binance", ask=bulk(ring, "open_orders"))
    account, lsn = ring.core.books.account("binance"), ring.core.books.lsn
    since_ns = account.gaps_since_ns["BTCUSDT"] = 10**9
    later = Ask("binance", 950, "trades", "BTCUSDT", since_ns=since_ns + 1, asked_lsn=lsn)
    ring.answers(venue="binance", ask=later)
    assert "BTCUSDT" in account.gaps
    ring.answers(venue="binance", ask=structs.replace(later, since_ns=since_ns))
    assert "BTCUSDT" not in account.gaps


def test_a_negative_order_qty_leaves_the_orders_quantity(ring: Ring) -> None:
    order = accepted(ring, 1)
    ring.report(order, "D", "0", order_qty=D(-5))
    assert ring.core.books.orders["s", 1].leaves_qty == D(1)


@pytest.mark.parametrize("named", ["", "gui"])
def test_an_unnamed_fill_over_fix_holds_back_the_proof_of_absence(ring: Ring, named: str) -> None:
    order = ring.new(1, "binance")
    ring.sent(order)
    ring.told("binance", report(order, "F", "1", qty="0.5", key="7", cl_ord_id=named, order_id="X1"))
    ring.session("binance", SessionState.DISCONNECTED)
    ring.pass_time(15_000)
    lsn, now = ring.core.books.lsn, ring.journal.stamp_ns
    ring.answers(venue="binance", ask=Ask("binance", 900, "trades", "BTCUSDT", asked_lsn=lsn), venue_ns=now)
    ask = Ask("binance", 902, "order", "BTCUSDT", order.cl_ord_id, asked_lsn=ring.core.books.lsn)
    ring.answers(venue="binance", ask=ask, not_found=True, venue_ns=now)
    assert ring.core.books.orders["s", 1].status.value == ("VOID" if named else "UNKNOWN")


def test_a_fill_that_is_told_after_its_bust_tells_no_cum_qty(ring: Ring) -> None:
    """Its CumQty(14) is of before the bust: nothing of the order is missing, and risk counts no more."""
    order = accepted(ring, 1, qty=D(3))
    ring.report(order, "F", "1", qty="2", px="100", key="t1", cum_qty=D(2))
    ring.report(order, "H", "4", qty="1", key="t3", reference_trade_key="t2", cum_qty=D(2))
    ring.report(order, "F", "2", qty="1", px="100", key="t2", cum_qty=D(3))
    held = ring.core.books.orders["s", 1]
    assert (held.cum_qty, ring.core.books.missing_qty(held)) == (D(2), D(0))
    ring.report(order, "I", "4", cum_qty=D(3))
    assert ring.core.books.missing_qty(held) == D(1), "what is told of the order itself still counts"


def test_a_bust_and_a_correction_are_told_as_no_fill(ring: Ring) -> None:
    order = accepted(ring, 1, qty="10")
    ring.report(order, "F", "1", qty="8", key="a")
    ring.report(order, "G", "1", qty="6", px="90", key="b", reference_trade_key="a", fee_qty=D(1), fee_asset="USDT")
    ring.report(order, "H", "0", qty="6", key="c", reference_trade_key="b")
    told = [event for event in ring.clients[b"p"] if getattr(event, "trade_key", "")]
    assert [(e.event, e.last_qty, e.last_px, e.fee_qty, e.cum_qty, e.avg_px) for e in told] == [
        ("trade", D(8), D(100), D(0), D(8), D(100)),
        ("trade_correct", D(0), D(0), D(0), D(6), D(90)),
        ("trade_cancel", D(0), D(0), D(0), D(0), D(0)),
    ]
    assert [event.reference_trade_key for event in told] == ["", "a", "b"]

"""What a report is believed for: its order, trade and quantity; instrument and side are the order's own."""

from decimal import Decimal
from typing import Any

import pytest

from common.messages import Ask, Kind, NewOrder, OrderEvent, QueryOrder, RestOrder, Terms, Trade
from tests.services.orders.harness import D, Ring, accepted, report


def _held(ring: Ring, venue: str = "generic") -> dict[str, Decimal]:
    return {place[1]: p.quantity for place, p in ring.core.books.positions.items() if place[0] == venue}


def _differences(ring: Ring) -> int:
    return sum(record.kind == Kind.DISCREPANCY for record in ring.journal.records)


def _told(ring: Ring) -> list[OrderEvent]:
    return [event for event in ring.clients[b"p"] if isinstance(event, OrderEvent) and event.trade_key]


@pytest.mark.parametrize("exec_type", ["F", "G"])
@pytest.mark.parametrize(
    "odd",
    [{"symbol": "[N/A]"}, {"symbol": ""}, {"symbol": "BTC-USDT"}, {"side": ""}, {"side": "N/A"}, {"side": "3"},
     {"symbol": "[N/A]", "side": "", "cl_ord_id": ""}],
)  # fmt: skip
def test_an_instrument_or_side_that_is_absent_or_spelt_otherwise_is_the_order_s(
    ring: Ring, odd: dict[str, str], exec_type: str
) -> None:
    order = accepted(ring, 1)
    ring.report(order, "F", "1", qty="0.4", px="64900", key="1", **odd)
    ring.report(order, "F", "2", qty="0.6", px="64900", key="2")
    assert _held(ring) == {"BTCUSDT": D(1)}
    if exec_type == "G":
        ring.report(order, "G", "1", qty="0.1", px="64900", key="3", reference_trade_key="1", **odd)
        ring.report(order, "H", "1", key="4", reference_trade_key="2", **odd)
        assert _held(ring) == {"BTCUSDT": D("0.1")}
    assert _differences(ring) == 0


@pytest.mark.parametrize("exec_type", ["0", "F", "G", "H", "4", "I"])
@pytest.mark.parametrize("wrong", [{"symbol": "ETHUSDT"}, {"side": "2"}, {"side": "5"}])
def test_another_instrument_that_we_know_or_the_opposite_side_is_not_booked_and_the_order_is_asked_about(
    ring: Ring, wrong: dict[str, str], exec_type: str
) -> None:
    ring.log_on("generic")
    order = accepted(ring, 1)
    ring.report(order, exec_type, "1", qty="0.4", key="1", reference_trade_key="0", **wrong)
    assert _held(ring) == {} and _differences(ring) == 1
    assert ring.core.books.orders["s", 1].in_doubt
    ring.pass_time(700)
    assert [command.cl_ord_id for command in ring.commands if isinstance(command, QueryOrder)] == [order.cl_ord_id]
    ring.sent(ring.last(QueryOrder))
    ring.report(order, "I", "0", cum_qty=D(0))
    assert (ring.core.books.orders["s", 1].status.value, ring.core.books.orders["s", 1].in_doubt) == ("NEW", False)


def test_what_contradicts_a_closed_order_is_not_booked_and_asked_about(ring: Ring) -> None:
    order = accepted(ring, 1)
    ring.report(order, "F", "2", qty="1", key="1")
    ring.report(order, "F", "2", qty="1", key="2", side="2")
    assert _held(ring) == {"BTCUSDT": D(1)} and _differences(ring) == 1
    assert (ring.core.books.orders["s", 1].status.value, ring.core.books.orders["s", 1].in_doubt) == ("FILLED", True)


def _rest(ring: Ring, **told: Any) -> None:
    ring.answers(venue="binance", ask=Ask("binance", 900, "trades", "BTCUSDT", asked_lsn=ring.core.books.lsn), **told)


def test_rest_is_believed_no_further(ring: Ring) -> None:
    order = accepted(ring, 1, "binance")
    order_id = f"V{order.cl_ord_id}"
    _rest(ring, trades=(Trade("BTCUSDT", "7", order_id, "2", D("0.4"), D(100), D(0), "", 0),))
    assert _held(ring, "binance") == {} and _differences(ring) == 1
    ring.answers(
        venue="binance", ask=Ask("binance", 901, "order", "BTCUSDT", order.cl_ord_id, asked_lsn=ring.core.books.lsn),
        order=RestOrder("ETHUSDT", "9", order.cl_ord_id, "1", "4", D(1), D(100), D(0)),
    )  # fmt: skip
    assert ring.core.books.orders["s", 1].in_doubt and _differences(ring) == 2


@pytest.mark.parametrize(
    ("told", "held"),
    [({"side": "5"}, {"BTCUSDT": D(-1)}), ({"side": "3"}, {"BTCUSDT": D(1)}), ({"side": ""}, {}),
     ({"symbol": "[N/A]"}, {}), ({"symbol": ""}, {})],
)  # fmt: skip
def test_a_stranger_s_fill_must_name_its_instrument_and_side(
    ring: Ring, told: dict[str, str], held: dict[str, Decimal]
) -> None:
    theirs = NewOrder(ring.new(1).attempt, "x", 1, "generic", "BTCUSDT", Terms("1", "2", D(1), D(1)), "web", 0)
    ring.told("generic", report(theirs, "F", "2", qty="1", key="1", **told))
    assert _held(ring) == held
    assert _differences(ring) == (1 if not held else 0)


# ---- the order's terms ----


@pytest.mark.parametrize("odd", [{"order_qty": D("0.1")}, {"order_qty": D(5)}, {"price": D("0.1")}])
def test_new_restates_nothing_and_terms_that_were_not_sent_are_asked_about(ring: Ring, odd: dict[str, Decimal]) -> None:
    ring.log_on("generic")
    command = ring.new(1)
    ring.sent(command)
    ring.report(command, "0", "0", **odd)
    order = ring.core.books.orders["s", 1]
    assert (order.order_qty, order.price, order.in_doubt) == (D(1), D(100), True) and _differences(ring) == 1
    ring.pass_time(700)
    ring.sent(ring.last(QueryOrder))
    ring.report(command, "I", "0", **odd)
    assert (order.order_qty, order.price) == (odd.get("order_qty", D(1)), odd.get("price", D(100)))
    assert not order.in_doubt and _differences(ring) == 1


def test_a_report_whose_quantities_agree_with_what_was_sent_is_no_doubt(ring: Ring) -> None:
    command = ring.new(1)
    ring.sent(command)
    ring.report(command, "0", "0", order_qty=D("0.1"), cum_qty=D(0), leaves_qty=D(1))
    order = ring.core.books.orders["s", 1]
    assert (order.order_qty, order.in_doubt) == (D(1), False)


def test_an_answer_that_contradicts_itself_is_asked_for_again(ring: Ring) -> None:
    ring.log_on("generic")
    command = accepted(ring, 1)
    ring.report(command, "I", "0", order_qty=D("0.1"), cum_qty=D(0), leaves_qty=D("0.5"))
    order = ring.core.books.orders["s", 1]
    assert (order.order_qty, order.in_doubt) == (D(1), True)
    ring.load_snapshot()
    assert ring.core.books.orders["s", 1].in_doubt
    ring.report(command, "I", "0", order_qty=D("0.5"), cum_qty=D(0), leaves_qty=D("0.5"))
    order = ring.core.books.orders["s", 1]
    assert (order.order_qty, order.in_doubt) == (D("0.5"), False)


# ---- a fee ----


@pytest.mark.parametrize(("fee", "asset", "taken"), [("0.4", "BTC", "0.4"), ("0.5", "BTC", "0"), ("-3", "BTC", "0"),
                                                     ("3", "USDT", "3")])  # fmt: skip
def test_a_fee_in_the_base_asset_that_is_more_than_its_fill_is_none(
    ring: Ring, fee: str, asset: str, taken: str
) -> None:
    order = accepted(ring, 1)
    ring.report(order, "F", "1", qty="0.4", key="1", fee_qty=D(fee), fee_asset=asset)
    assert _held(ring) == {"BTCUSDT": D("0.4") - (D(taken) if asset == "BTC" else D(0))}
    assert _told(ring)[-1].fee_qty == D(taken) and _differences(ring) == (taken == "0")


# ---- a price that is not told ----


def _unpriced(ring: Ring, venue: str = "generic") -> NewOrder:
    order = accepted(ring, 1, venue)
    ring.report(order, "F", "1", qty="0.2", px="90", key="1", cum_qty=D("0.2"))
    ring.report(order, "F", "1", qty="0.4", px="0", key="2", cum_qty=D("0.6"))
    return order


def test_a_fill_without_its_price_counts_and_is_shown_so(ring: Ring) -> None:
    _unpriced(ring)
    event, position = _told(ring)[-1], ring.positions()[-1]
    assert (event.event, event.last_qty, event.last_px, event.cum_qty) == ("trade", D("0.4"), D(0), D("0.6"))
    assert (event.unpriced_qty, event.avg_px) == (D("0.4"), D(90))
    assert (position.quantity, position.unpriced_qty) == (D("0.6"), D("0.4"))


@pytest.mark.parametrize("reload", [False, True])
def test_the_price_is_asked_for_over_fix_and_taken_from_avg_px(ring: Ring, reload: bool) -> None:
    ring.log_on("generic")
    ring.commands.clear()
    order = _unpriced(ring)
    if reload:
        ring.load_snapshot()
    ring.pass_time(700)
    ring.sent(ring.last(QueryOrder))
    ring.report(order, "I", "1", cum_qty=D("0.5"), avg_px=D(95))
    assert ring.core.books.ledger.unpriced_qty(order.cl_ord_id) == D("0.4"), "it is not of these fills"
    ring.report(order, "I", "1", cum_qty=D("0.6"), avg_px=D(95))
    event, position = _told(ring)[-1], ring.core.books.positions["generic", "BTCUSDT"]
    assert (event.event, event.last_qty, event.reference_trade_key) == ("trade_correct", D(0), "2")
    assert (event.cum_qty, event.avg_px, event.unpriced_qty) == (D("0.6"), D(95), D(0))
    assert (position.quantity, position.average_price, position.unpriced_qty) == (D("0.6"), D(95), D(0))
    assert position.cash == D(-57)


def test_the_price_is_asked_for_over_rest_and_corrects_the_fill_once(ring: Ring) -> None:
    order = _unpriced(ring, "binance")
    ring.pass_time(700)
    order_id = f"V{order.cl_ord_id}"
    assert [ask.order_id for ask in ring.asks if ask.what == "trades" and ask.order_id] == [order_id]
    for _ in range(2):
        _rest(ring, trades=(Trade("BTCUSDT", "2", order_id, "1", D("0.4"), D(100), D(0), "", 0),))
    assert [(event.event, event.last_qty) for event in _told(ring)] == [
        ("trade", D("0.2")), ("trade", D("0.4")), ("trade_correct", D(0)),
    ]  # fmt: skip
    assert ring.core.books.positions["binance", "BTCUSDT"].cash == D(-58)
    assert ring.core.books.orders["s", 1].cum_qty == D("0.6")


def test_the_fills_of_an_answer_are_told_before_the_prices_that_it_corrects(ring: Ring) -> None:
    """Each is told with the order as the whole answer leaves it: a price told first would have counted the fill."""
    order = _unpriced(ring, "binance")
    trades = tuple(
        Trade("BTCUSDT", key, f"V{order.cl_ord_id}", "1", qty, D(100), D(0), "", 0)
        for key, qty in (("2", D("0.4")), ("3", D("0.1")))
    )
    ring.answers(venue="binance", ask=Ask("binance", 901, "trades", "BTCUSDT"), trades=trades)
    told = [(event.event, event.last_qty, event.cum_qty) for event in _told(ring)[-2:]]
    assert told == [("trade", D("0.1"), D("0.7")), ("trade_correct", D(0), D("0.7"))]


def test_a_bust_of_a_fill_without_its_price_leaves_nothing_unpriced(ring: Ring) -> None:
    order = _unpriced(ring)
    ring.report(order, "H", "1", key="3", reference_trade_key="2", cum_qty=D("0.2"))
    position = ring.core.books.positions["generic", "BTCUSDT"]
    assert (position.quantity, position.unpriced_qty, position.cash) == (D("0.2"), D(0), D(-18))
    assert not ring.core.books.misses_fills(ring.core.books.orders["s", 1])


# ---- what does not say enough ----


@pytest.mark.parametrize(
    ("exec_type", "told"), [("H", {"qty": "1"}), ("G", {"qty": "0.4"}), ("F", {"qty": "-0.4"})]
)  # fmt: skip
def test_a_bust_or_correction_of_no_fill_and_a_negative_quantity_are_not_booked_and_the_order_is_asked_about(
    ring: Ring, exec_type: str, told: dict[str, str]
) -> None:
    ring.log_on("generic")
    order = accepted(ring, 1)
    ring.report(order, "F", "2", qty="1", key="1", cum_qty=D(1))
    ring.commands.clear()
    ring.report(order, exec_type, "0", key="2", cum_qty=D(0), **told)
    assert _held(ring) == {"BTCUSDT": D(1)} and _differences(ring) == 1
    assert ring.core.books.orders["s", 1].in_doubt
    ring.pass_time(700)
    assert [command.cl_ord_id for command in ring.commands if isinstance(command, QueryOrder)] == [order.cl_ord_id]


@pytest.mark.parametrize("exec_type", ["H", "G"])
def test_a_stranger_s_bust_or_correction_must_name_its_fill(ring: Ring, exec_type: str) -> None:
    theirs = NewOrder(ring.new(1).attempt, "x", 1, "generic", "BTCUSDT", Terms("1", "2", D(1), D(1)), "web", 0)
    ring.told("generic", report(theirs, "F", "2", qty="1", key="1"))
    ring.told("generic", report(theirs, exec_type, "2", qty="0.4", key="2"))
    assert _held(ring) == {"BTCUSDT": D(1)} and _differences(ring) == 1


def test_a_correction_to_nothing_takes_the_fill_away(ring: Ring) -> None:
    order = accepted(ring, 1)
    ring.report(order, "F", "2", qty="1", key="1", cum_qty=D(1))
    ring.report(order, "G", "0", qty="0", key="2", reference_trade_key="1", cum_qty=D(0))
    assert _held(ring) == {"BTCUSDT": D(0)} and _differences(ring) == 0
    assert (_told(ring)[-1].event, _told(ring)[-1].cum_qty) == ("trade_correct", D(0))


def test_an_avg_px_beyond_all_digits_ends_no_fold(ring: Ring) -> None:
    order = accepted(ring, 1, qty="1000")
    ring.report(order, "F", "1", qty="999", px="1", key="1", cum_qty=D(999))
    ring.report(order, "F", "2", qty="1", px="0", key="2", cum_qty=D(1000), avg_px=D("999999999999999999"))
    assert ring.core.status(ring.now)["left_out_lsns"] == []
    assert ring.core.books.orders["s", 1].cum_qty == D(1000)


@pytest.mark.parametrize(("told", "held"), [("", {}), ("1", {"BTCUSDT": D("0.4")}), ("5", {"BTCUSDT": D("-0.4")})])
def test_a_stranger_s_trade_over_rest_must_name_its_side_and_ours_has_its_order_s(
    ring: Ring, told: str, held: dict[str, Decimal]
) -> None:
    _rest(ring, trades=(Trade("BTCUSDT", "7", "web", told, D("0.4"), D(100), D(0), "", 0),))
    assert _held(ring, "binance") == held and _differences(ring) == (not held)
    order = accepted(ring, 1, "binance")
    _rest(ring, trades=(Trade("BTCUSDT", "8", f"V{order.cl_ord_id}", "", D(1), D(100), D(0), "", 0),))
    assert _held(ring, "binance")["BTCUSDT"] == D(1) + held.get("BTCUSDT", D(0))

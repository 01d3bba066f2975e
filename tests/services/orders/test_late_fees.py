"""Fills whose fee is told after them, of orders that are nobody's of ours."""

from common.messages import Ask, Attempt, NewOrder, Terms, Trade
from services.orders.settings import OrdersSettings
from tests.services.orders.harness import D, Ring, report, settings

VENUE = "binance"


def test_a_late_fee_of_a_named_stranger_s_fill_makes_its_order_no_nameless_one() -> None:
    ring = Ring(OrdersSettings({VENUE: settings().accounts[VENUE]}))
    ring.go_live()
    ring.log_on(VENUE)
    theirs = NewOrder(Attempt(1, 1), "", 0, VENUE, "BTCUSDT", Terms("1", "2", D(1), D(100)), "theirs", 0)
    ring.told(VENUE, report(theirs, "F", "2", qty="1", key="5", cum_qty=D(1)))
    assert ring.core.books.strangers(VENUE, "BTCUSDT") == []
    trade = Trade("BTCUSDT", "5", "Vtheirs", "1", D(1), D(100), D("0.3"), "USDT", 0)
    ring.answers(venue=VENUE, ask=Ask(VENUE, 900, "trades", "BTCUSDT", asked_lsn=ring.core.books.lsn), trades=(trade,))
    assert ring.core.books.positions[VENUE, "BTCUSDT"].fees == {"USDT": D("0.3")}
    assert ring.core.books.strangers(VENUE, "BTCUSDT") == [], "it would hold back every proof of absence"

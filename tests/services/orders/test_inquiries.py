"""Reconciliation over REST with an account that answers one question at a time, and slowly."""

from collections import deque

import msgspec
import pytest

from common.instant import NS_PER_MS
from common.messages import (
    Answer,
    Ask,
    CancelOrder,
    CancelRejected,
    CancelRequest,
    Kind,
    OpenGate,
    QueryOrder,
    RestOrder,
    SessionState,
    Trade,
)
from common.orders.books import Bounds
from services.orders.inquiries import ANSWER_NS, ASKS_UNDER_WAY, NOT_TAKEN_NS
from services.orders.settings import OrdersSettings, VenueWays
from tests.services.orders.harness import D, Ring, accepted, settings

VENUE = "binance"
UNKNOWN_ORDERS = 14
ANSWER_MS = 300
SETTLED_MS = 60_000


class SlowAccount:
    """Answers the oldest question, bulk before single orders, every `answer_ms`: it knows no order and no trade."""

    def __init__(self, ring: Ring, answer_ms: int = ANSWER_MS) -> None:
        self.ring = ring
        self.answer_ms = answer_ms
        self.taken = 0
        self.longest = 0
        self.single: deque[Ask] = deque()
        self.bulk: deque[Ask] = deque()

    def turn(self) -> None:
        """So much time passes that one more is answered."""
        self.ring.pass_time(self.answer_ms)
        self._take()
        queue = self.bulk or self.single
        if not queue:
            return
        ask = queue.popleft()
        stamp_ns = self.ring.journal.stamp_ns
        answer = Answer(VENUE, ask, False, not_found=ask.what == "order", venue_ns=stamp_ns)
        self.ring.record(f"account@{VENUE}", Kind.ANSWER, answer)

    def die(self) -> None:
        """What was asked and not answered is gone."""
        self._take()
        self.single.clear()
        self.bulk.clear()

    def forget_repeats(self) -> None:
        """Of what was asked several times only the last waits, as with a real account."""
        for queue in (self.bulk, self.single):
            last = {(ask.what, ask.symbol, ask.cl_ord_id, ask.order_id): ask for ask in queue}
            kept = [ask for ask in queue if ask in last.values()]
            queue.clear()
            queue.extend(kept)

    def _take(self) -> None:
        for ask in self.ring.asks[self.taken :]:
            (self.single if ask.cl_ord_id or ask.order_id else self.bulk).append(ask)
        self.taken = len(self.ring.asks)
        self.longest = max(self.longest, len(self.single) + len(self.bulk))


@pytest.fixture
def ring() -> Ring:
    """Every order was sent, and the connection died before a word came back; it is up again."""
    its = Ring()
    its.hello()
    its.go_live()
    its.log_on(VENUE)
    for ask in its.asks:
        its.answers(venue=VENUE, ask=ask)
    its.session(VENUE, SessionState.OPENED)
    its.asks.clear()
    for number in range(1, UNKNOWN_ORDERS + 1):
        its.sent(its.new(number, VENUE))
    its.commands.clear()
    its.session(VENUE, SessionState.DISCONNECTED)
    return its


def opened(ring: Ring) -> bool:
    return any(isinstance(command, OpenGate) for command in ring.commands)


def test_the_gate_opens_after_one_answer_for_each_order_however_slow_they_come(ring: Ring) -> None:
    ring.log_on(VENUE)
    account = SlowAccount(ring)
    turns = 0
    while not opened(ring):
        account.turn()
        turns += 1
        assert turns < UNKNOWN_ORDERS + 2 * ASKS_UNDER_WAY, "more was asked than one question an order and the bulk"
    # Those of the old connection are still with the account.
    assert account.longest <= 2 * ASKS_UNDER_WAY


def test_the_gate_opens_where_each_answer_takes_longer_than_it_is_waited_for(ring: Ring) -> None:
    """A venue that allows one request a second, and four for one question, answered for ever what was asked before."""
    ring.log_on(VENUE)
    account = SlowAccount(ring, answer_ms=ANSWER_NS // NS_PER_MS + 500)
    for _ in range(2 * (UNKNOWN_ORDERS + ASKS_UNDER_WAY)):
        account.turn()
        account.forget_repeats()
        if opened(ring):
            break
    assert opened(ring)


def test_what_an_account_lost_is_asked_again(ring: Ring) -> None:
    ring.log_on(VENUE)
    account = SlowAccount(ring)
    for _ in range(6):
        account.turn()
    account.die()
    for _ in range(40):
        account.turn()
    assert opened(ring)


def test_what_found_no_account_is_asked_as_soon_as_one_is_there(ring: Ring) -> None:
    ring.account_away = True
    ring.asks.clear()
    ring.log_on(VENUE)
    ring.pass_time(1_000)
    ring.account_away = False
    assert ring.asks == []
    ring.pass_time(NOT_TAKEN_NS // NS_PER_MS + 100)
    assert {ask.what for ask in ring.asks} == {"open_orders", "trades"}
    account = SlowAccount(ring)
    for _ in range(UNKNOWN_ORDERS + ASKS_UNDER_WAY):
        account.turn()
    assert opened(ring)


def test_orders_that_never_arrived_are_settled_while_cancels_insist(ring: Ring) -> None:
    for number in range(1, UNKNOWN_ORDERS + 1):
        ring.request(CancelRequest(0, 100 + number, number))
    ring.log_on(VENUE)
    account = SlowAccount(ring)
    for _ in range(SETTLED_MS // ANSWER_MS):
        account.turn()
        for cancel in [command for command in ring.commands if isinstance(command, CancelOrder)]:
            ring.sent(cancel)
            ring.told(VENUE, CancelRejected(cancel.cl_ord_id, cancel.orig_cl_ord_id, "", "8", unknown_order=True))
        ring.commands.clear()
    settled = [number for number, event, status in ring.events() if (event, status) == ("settled", "VOID")]
    assert len(settled) == UNKNOWN_ORDERS


@pytest.mark.parametrize("restart", [False, True])
def test_trades_that_a_round_could_not_learn_are_asked_for_until_they_are_told(restart: bool) -> None:
    ring = Ring()
    ring.hello()
    ring.go_live()
    ring.log_on(VENUE)
    order = accepted(ring, 1, VENUE)
    ring.report(order, "F", "1", qty="0.1", key="7")
    ring.session(VENUE, SessionState.DISCONNECTED)
    ring.asks.clear()
    ring.log_on(VENUE)
    ring.pass_time(100)
    still = RestOrder("BTCUSDT", f"V{order.cl_ord_id}", order.cl_ord_id, "1", "1", D(1), D(100), D("0.1"))
    for ask in list(ring.asks):
        orders = (still,) if ask.what == "open_orders" else ()
        ring.answers(venue=VENUE, ask=ask, failed=ask.what == "trades", orders=orders)
    ring.pass_time(100)
    ring.session(VENUE, SessionState.OPENED)
    if restart:
        ring.start()
        ring.go_live()
    ring.asks.clear()
    ring.pass_time(60_000)
    asked = [ask for ask in ring.asks if ask.what == "trades" and ask.from_trade_key == "7"]
    assert 8 <= len(asked) <= 20
    ring.answers(venue=VENUE, ask=asked[-1])
    ring.asks.clear()
    ring.pass_time(20_000)
    assert ring.asks == [] and "BTCUSDT" not in ring.core.books.account(VENUE).gaps


def test_in_doubt_rest_is_asked_beside_fix_where_a_request_may_outlive_its_connection() -> None:
    rules = settings().accounts[VENUE]
    both = msgspec.structs.replace(rules, ways=VenueWays(True, True, ("BTCUSDT",)))
    ring = Ring(OrdersSettings({VENUE: both}))
    ring.hello()
    ring.go_live()
    ring.log_on(VENUE)
    ring.session(VENUE, SessionState.OPENED)
    ring.sent(ring.new(1, VENUE))
    ring.session(VENUE, SessionState.DISCONNECTED)
    ring.asks.clear()
    ring.log_on(VENUE)
    for _ in range(20):
        for ask in ring.asks:
            ring.answers(venue=VENUE, ask=ask)
        ring.pass_time(500)
    assert [ask for ask in ring.asks if ask.what == "order" and ask.cl_ord_id]
    assert [command for command in ring.commands if isinstance(command, QueryOrder)]


def test_rest_is_asked_for_the_fee_of_each_fill_that_fix_tells_without_one_until_it_is_told() -> None:
    rules = settings().accounts[VENUE]
    facts = msgspec.structs.replace(rules.facts, fees_by_rest=True)
    ring = Ring(OrdersSettings({VENUE: msgspec.structs.replace(rules, facts=facts)}))
    ring.core.books.bounds = Bounds(closed_orders=0)
    ring.hello()
    ring.go_live()
    ring.log_on(VENUE)
    for ask in list(ring.asks):
        ring.answers(venue=VENUE, ask=ask)
    ring.session(VENUE, SessionState.OPENED)
    order = accepted(ring, 1, VENUE)
    ring.asks.clear()
    ring.report(order, "F", "1", qty="0.25", key="7", cum_qty=D("0.25"))
    ring.pass_time(2000)
    asked = [ask for ask in ring.asks if ask.what == "trades" and ask.order_id]
    assert asked and {ask.order_id for ask in asked} == {f"V{order.cl_ord_id}"}
    trade = Trade("BTCUSDT", "7", asked[-1].order_id, "1", D("0.25"), D(100), D("0.01"), "USDT", 0, True)
    for _ in range(2):
        ring.answers(venue=VENUE, ask=asked[-1], trades=(trade,))
    (position,) = ring.core.books.positions_at(VENUE)
    assert position.fees == {"USDT": D("0.01")} and (position.quantity, position.cash) == (D("0.25"), D(-25))
    ring.report(order, "F", "2", qty="0.75", key="8", cum_qty=D(1))
    assert ring.core.books.orders, "it has ended, and its fee is asked for: memory keeps it"
    ring.pass_time(2000)
    free = Trade("BTCUSDT", "8", asked[-1].order_id, "1", D("0.75"), D(100), D(0), "USDT", 0, True)
    ring.answers(venue=VENUE, ask=ring.asks[-1], trades=(free,))
    ring.asks.clear()
    ring.pass_time(60_000)
    assert ring.asks == [], "that a fill cost nothing was told, too"
    assert position.fees == {"USDT": D("0.01")} and position.fills == 2
    assert not ring.core.books.orders

"""What a client is told at a welcome: the whole truth as of one record, under names that rise, and not before the log
is read.
"""

from decimal import Decimal

import msgspec
import pytest

from common.instant import Instant
from common.messages import (
    AFTER_ALL_EVENTS,
    CancelAllRequest,
    CancelRequest,
    CommandOutcome,
    Hello,
    Kind,
    NewOrderRequest,
    OrderEvent,
    QueryAnswer,
    QueryRequest,
    Reason,
    Refused,
    StatusChanged,
    Terms,
    Welcome,
)
from common.strategy.entry import Entry
from common.strategy.terms import terms_of
from services.orders import clients
from services.orders.settings import OrdersSettings
from tests.services.orders.harness import D, Ring, accepted, settings

Held = dict[tuple[str, str], Decimal]


class Desk:
    """The SDK's client at the harness: what orders told its peer is handed to it, and what it sends to orders."""

    def __init__(self, ring: Ring, instance: str = "one", last: tuple[int, int] = (0, 0), term: int = 0) -> None:
        self.ring = ring
        self.peer = b"p"
        self.entry = Entry("s", instance, last, term=term)
        self.told: list[msgspec.Struct] = []
        ring.clients.pop(self.peer, None)
        self.entry.start(Instant(0, 0))
        self.carry()

    def carry(self) -> None:
        outgoing, self.entry.outgoing = self.entry.outgoing, []
        for request in outgoing:
            self.ring.entry(self.peer, request)
        for message in self.ring.clients.pop(self.peer, []):
            news = self.entry.received(message, Instant(0, 0))
            if news is not None:
                self.told.append(news)

    def hello(self) -> None:
        """As after a second of silence."""
        self.entry.start(Instant(0, 0))
        self.carry()

    def is_as_the_books(self) -> bool:
        books = self.ring.core.books
        held = {place: position.quantity for place, position in books.positions.items()}
        known: Held = {place: told.quantity for place, told in self.entry.positions.items()}
        wanted = {order.number: order.cum_qty for order in books.orders.values() if not order.is_closed}
        return known == held and {n: order.cum_qty for n, order in self.entry.orders.items()} == wanted


def traded(ring: Ring, number: int, symbol: str, qty: str, key: str) -> None:
    command = ring.new(number) if symbol == "BTCUSDT" else None
    if command is None:
        ring.request(NewOrderRequest(0, number, "generic", symbol, Terms("1", "2", D(10), D(100))))
        command = ring.commands[-1]
    ring.sent(command)
    ring.report(command, "F", "1", qty=qty, key=key)


def in_mid_replay(ring: Ring, chunk: int = 3) -> None:
    """A new process of orders has read the first of the log."""
    ring.chunk = chunk
    ring.start()
    assert ring.read_on()


def test_each_place_that_moved_while_a_client_was_away_is_told(ring: Ring) -> None:
    for number, symbol in ((1, "BTCUSDT"), (2, "ETHUSDT")):
        traded(ring, number, symbol, "0.25", f"a{number}")
    desk = Desk(ring)
    assert desk.is_as_the_books() and len(desk.entry.positions) == 2
    for number, symbol in ((3, "BTCUSDT"), (4, "ETHUSDT")):
        traded(ring, number, symbol, "0.5", f"b{number}")
    ring.clients.clear()
    ring.start()
    ring.go_live()
    desk.hello()
    assert desk.is_as_the_books()


@pytest.mark.parametrize(
    ("term", "lost", "its", "resumed"),
    [
        (1, 0, 1, True), (2, 0, 1, True), (2, 1, 1, False), (2, 1, 0, False), (2, 1, 2, True), (3, 0, 1, False),
        (3, 0, 2, True),
    ],
)  # fmt: skip
def test_a_place_beyond_the_end_of_its_own_term_is_none_to_resume_from(
    ring: Ring, term: int, lost: int, its: int, resumed: bool
) -> None:
    """Another host went on `lost` records before the client's last event, and has written past it since."""
    traded(ring, 1, "BTCUSDT", "0.25", "a1")
    place = Desk(ring).entry.last
    ring.journal.term = (term, place[0] - lost)
    ring.start()
    ring.go_live()
    traded(ring, 2, "ETHUSDT", "0.5", "b1")
    desk = Desk(ring, "two", place, its)
    (welcome,) = (each for each in desk.told if isinstance(each, Welcome))
    assert welcome.resumed is resumed and (desk.entry.term, welcome.term) == (term, term)
    assert desk.is_as_the_books() or resumed


def test_names_rise_strictly_and_are_given_once(ring: Ring) -> None:
    for number, symbol in ((1, "BTCUSDT"), (2, "ETHUSDT"), (3, "BTCUSDT")):
        traded(ring, number, symbol, "0.25", f"a{number}")
    for _ in range(2):
        ring.entry(b"q", Hello("s", "q"))
    ring.request(CancelAllRequest(0, 4), b"q")
    ring.request(CancelRequest(0, 5, 1), b"q")
    ring.request(CancelRequest(0, 6, 1), b"q")
    ring.entry(b"q", Hello("s", "q"))
    ring.entry(b"q", QueryRequest("reconcile"))
    answer = ring.clients[b"q"].pop()
    told = [m for m in ring.clients[b"q"] if hasattr(m, "index") and not getattr(m, "repeat", False)]
    names = [(m.lsn, m.index) for m in told]
    assert names == sorted(set(names)) and len(names) > 12
    assert isinstance(answer, QueryAnswer) and len(answer.orders) == 3
    asked = [(order.lsn, order.index) for order in answer.orders]
    asked += [(held.lsn, held.index) for held in answer.positions]
    assert asked == sorted(set(asked)) and asked[0] > names[-1]


def test_nobody_is_welcomed_while_the_log_is_being_read(ring: Ring) -> None:
    for number in range(1, 6):
        traded(ring, number, "BTCUSDT", "0.25", f"k{number}")
    in_mid_replay(ring)
    desk = Desk(ring)
    assert not desk.entry.begun and desk.entry.state == "starting"
    assert [type(message) for message in desk.told] == [StatusChanged]
    while ring.read_on():
        assert not [m for m in ring.clients.get(b"p", []) if not isinstance(m, StatusChanged)]
    ring.go_live()
    desk.carry()
    welcomes = [message for message in desk.told if isinstance(message, Welcome)]
    assert [(w.highest, w.state, w.resumed) for w in welcomes] == [(5, "live", False)]
    assert desk.is_as_the_books()
    assert not [m for m in desk.told if isinstance(m, OrderEvent) and m.event != "snapshot"], "old fills are no news"


def test_an_instance_that_was_welcomed_before_goes_on_as_soon_as_the_log_is_read(ring: Ring) -> None:
    traded(ring, 1, "BTCUSDT", "0.25", "k1")
    desk = Desk(ring)
    traded(ring, 2, "BTCUSDT", "0.25", "k2")
    ring.clients.clear()
    in_mid_replay(ring)
    desk.hello()
    assert desk.entry.epoch != ring.epoch and not ring.core._life.has_read
    while ring.read_on():
        pass
    desk.carry()
    assert (desk.entry.epoch, desk.entry.state) == (ring.epoch, "restarting") and desk.is_as_the_books()
    fills = [m.trade_key for m in desk.told if isinstance(m, OrderEvent) and m.last_qty]
    assert fills == ["k2"], "what it missed, and nothing that it was told before"


def test_a_new_instance_counts_on_from_what_a_former_life_sent_and_the_log_did_not_hold_yet(ring: Ring) -> None:
    command = ring.new(41)
    ring.start()
    desk = Desk(ring)
    assert not desk.entry.begun
    ring.sent(command)
    ring.go_live()
    desk.carry()
    assert desk.entry.begun
    assert desk.entry.new(ring.now, "generic", "BTCUSDT", terms_of("1", D(1), D(100))) == 42


def test_a_question_waits_until_the_log_is_read(ring: Ring) -> None:
    for number in range(1, 4):
        accepted(ring, number)
    in_mid_replay(ring)
    ring.entry(b"q", QueryRequest("orders", token=7))
    assert ring.clients[b"q"] == [StatusChanged("starting")]
    while ring.read_on():
        pass
    (answer,) = ring.clients[b"q"][1:]
    assert isinstance(answer, QueryAnswer) and answer.token == 7
    assert [order.number for order in answer.orders] == [1, 2, 3]


def test_a_client_whose_place_is_before_the_replayed_events_is_told_the_whole_truth() -> None:
    ring = Ring(OrdersSettings(settings().accounts, replayed_events=4))
    ring.go_live()
    ring.open("generic")
    ring.hello()
    traded(ring, 1, "BTCUSDT", "0.25", "k1")
    desk = Desk(ring)
    for number in range(2, 8):
        traded(ring, number, "ETHUSDT", "0.25", f"k{number}")
    ring.clients.clear()
    ring.start()
    ring.go_live()
    desk.told.clear()
    desk.hello()
    assert [m.resumed for m in desk.told if isinstance(m, Welcome)] == [False]
    assert desk.is_as_the_books() and not [m for m in desk.told if isinstance(m, OrderEvent) and m.last_qty]


def test_a_place_within_a_record_whose_later_events_are_gone_is_told_the_whole_truth(
    ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "RING_EVENTS", 2)
    ring.hello("t")
    for index in range(4):
        ring.core.clients.emit("t", CommandOutcome(ring.core.books.lsn, index, "t", index, "sent"))
    lsn = ring.core.books.lsn
    assert ring.hello("t", b"p", (lsn, 1)).resumed
    assert not ring.hello("t", b"p", (lsn, 0)).resumed


def test_a_new_instance_that_resumes_knows_the_open_orders_too(ring: Ring) -> None:
    accepted(ring, 1)
    desk = Desk(ring)
    place = desk.entry.last
    traded(ring, 2, "BTCUSDT", "0.25", "k2")
    later = Desk(ring, "two", place)
    assert [m.resumed for m in later.told if isinstance(m, Welcome)] == [True]
    assert later.is_as_the_books()
    assert [m.trade_key for m in later.told if isinstance(m, OrderEvent) and m.last_qty] == ["k2"]


def test_a_place_beyond_the_end_of_the_log_is_of_another_log(ring: Ring) -> None:
    accepted(ring, 1)
    desk = Desk(ring, "one", (1 << 40, 3))
    assert [m.resumed for m in desk.told if isinstance(m, Welcome)] == [False]
    assert desk.is_as_the_books()
    ring.record("risk", Kind.REFUSED, Refused("risk", Reason.HALTED, "", "s", 9, None, None))
    desk.carry()
    assert desk.told[-1] == CommandOutcome(ring.core.books.lsn, 0, "s", 9, "refused", Reason.HALTED, "")


def test_an_accepted_cancel_is_an_event_behind_those_of_its_record(ring: Ring) -> None:
    order = accepted(ring, 1)
    ring.request(CancelRequest(0, 2, 1))
    ring.sent(ring.last(type(ring.commands[-1])))
    ring.request(CancelRequest(0, 3, 1))
    accepted_event = next(m for m in ring.clients[b"p"] if isinstance(m, CommandOutcome) and m.number == 3)
    assert accepted_event.outcome == "accepted" and accepted_event.index >= AFTER_ALL_EVENTS
    assert order.number == 1


def test_what_a_connection_s_end_took_along_is_missed_at_the_next_hello(ring: Ring) -> None:
    desk = Desk(ring)
    traded(ring, 1, "BTCUSDT", "0.4", "t1")
    desk.carry()
    assert desk.is_as_the_books() and not desk.entry.has_missed
    traded(ring, 2, "BTCUSDT", "0.1", "t2")
    ring.clients.pop(desk.peer)
    traded(ring, 3, "BTCUSDT", "0.2", "t3")
    desk.carry()
    assert not desk.is_as_the_books() and not desk.entry.has_missed
    desk.hello()
    assert desk.entry.has_missed
    desk.carry()
    assert desk.is_as_the_books() and not desk.entry.has_missed
    assert [told.resumed for told in desk.told if isinstance(told, Welcome)] == [False, False]


def test_a_client_that_missed_nothing_resumes_however_often_it_says_hello(ring: Ring) -> None:
    desk = Desk(ring)
    for number in range(1, 4):
        traded(ring, number, "BTCUSDT", "0.1", f"t{number}")
        desk.hello()
        desk.hello()
    assert desk.is_as_the_books() and not desk.entry.has_missed
    assert [told.resumed for told in desk.told if isinstance(told, Welcome)] == [False]


@pytest.mark.parametrize("returns_as", (b"p", b"q"))
def test_a_hole_is_found_although_a_later_send_found_nobody(ring: Ring, returns_as: bytes) -> None:
    """A connection takes an order's end along, and the next one ends where orders hears of it."""
    desk = Desk(ring)
    command = ring.new(1)
    ring.sent(command)
    ring.report(command, "0", "0")
    desk.carry()
    ring.report(command, "4", "4")
    del ring.clients[desk.peer]
    traded(ring, 2, "ETHUSDT", "0.25", "a2")
    desk.carry()
    assert set(desk.entry.orders) == {1, 2}, "what came behind the hole is heard, and hides it"
    ring.unheard.add(desk.peer)
    traded(ring, 3, "ETHUSDT", "0.5", "a3")
    ring.unheard.clear()
    desk.peer = returns_as
    desk.hello()
    assert desk.entry.has_missed
    desk.carry()
    assert desk.is_as_the_books() and not desk.entry.has_missed


def test_a_client_that_a_message_found_no_room_at_goes_on_from_what_it_has(ring: Ring) -> None:
    desk = Desk(ring)
    traded(ring, 1, "BTCUSDT", "0.25", "a1")
    desk.carry()
    ring.unheard.add(desk.peer)
    traded(ring, 2, "ETHUSDT", "0.5", "a2")
    ring.unheard.clear()
    ring.request(CancelRequest(0, 3, 2))
    desk.told.clear()
    desk.hello()
    assert all(welcome.resumed for welcome in desk.told if isinstance(welcome, Welcome))
    assert [told.trade_key for told in desk.told if isinstance(told, OrderEvent) and told.last_qty] == ["a2"]
    assert desk.is_as_the_books() and not desk.entry.has_missed

"""Invariant: over a real socket, whatever dies at the other end, a command is sent until it has its outcome, and no
event is lost or told twice to the caller.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal as D
from pathlib import Path

import msgspec
import pytest
import zmq

from common.messages import (
    AFTER_ALL_EVENTS,
    CancelRequest,
    CommandOutcome,
    EntryAnswer,
    EntryRequest,
    Hello,
    NewOrderRequest,
    OrderEvent,
    OrderStatus,
    QueryAnswer,
    QueryRequest,
    Reason,
    StatusChanged,
    Terms,
    Welcome,
    WelcomeComplete,
    encode,
)
from common.strategy.client import Client, NoOutcome, NotRunning
from common.strategy.entry import Superseded

Handler = Callable[[EntryRequest], list[EntryAnswer]]

DECODE = msgspec.msgpack.Decoder(EntryRequest).decode


class Manager:
    """An order manager of few words: it welcomes, remembers outcomes, and answers."""

    def __init__(self, epoch: int = 7) -> None:
        self.epoch = epoch
        self.lsn = 100
        self.heard: list[EntryRequest] = []
        self.outcomes: dict[int, CommandOutcome] = {}
        self.deaf = False

    def __call__(self, request: EntryRequest) -> list[EntryAnswer]:
        self.heard.append(request)
        match request:
            case Hello():
                highest = max(self.outcomes, default=0)
                return [
                    Welcome(request.strategy, request.instance, self.epoch, highest, "live", self.lsn),
                    WelcomeComplete(self.lsn, AFTER_ALL_EVENTS),
                ]
            case QueryRequest():
                return [QueryAnswer(request.token, self.lsn)]
            case NewOrderRequest() if not self.deaf:
                return self.new(request)
            case CancelRequest():
                return self.cancel(request)
            case _:
                return []

    def new(self, request: NewOrderRequest) -> list[EntryAnswer]:
        if request.epoch != self.epoch:
            return [StatusChanged("live", request.number, self.epoch)]
        self.lsn += 1
        refused = request.order_qty > 10
        reason = Reason.ABOVE_MAXIMUM_QUANTITY if refused else Reason.NONE
        outcome = CommandOutcome(self.lsn, 0, "me", request.number, "refused" if refused else "sent", reason)
        self.outcomes[request.number] = outcome
        if refused:
            return [outcome]
        return [outcome, self.order(request.number, OrderStatus.NEW, 1)]

    def cancel(self, request: CancelRequest) -> list[EntryAnswer]:
        self.lsn += 1
        self.outcomes[request.number] = CommandOutcome(self.lsn, 0, "me", request.number, "accepted")
        closed = self.order(request.target_number, OrderStatus.CANCELED, 1)
        return [self.outcomes[request.number], closed]

    def order(self, number: int, status: OrderStatus, index: int) -> OrderEvent:
        return OrderEvent(
            self.lsn, index, "me", number, "new", status, "generic", "BTCUSDT", Terms("1", "2", D(1), D(100)), D(0),
            D(1), D(0), "x", "", open=status is not OrderStatus.CANCELED,
        )  # fmt: skip


@contextmanager
def serving(endpoint: str, handler: Handler) -> Iterator[None]:
    """A ROUTER at `endpoint` for as long as the block lasts; what it had in hand dies with it."""
    context = zmq.Context()
    router = context.socket(zmq.ROUTER)
    router.setsockopt(zmq.LINGER, 0)
    router.setsockopt(zmq.ROUTER_HANDOVER, 1)
    router.bind(endpoint)
    wake, waker = context.socket(zmq.PAIR), context.socket(zmq.PAIR)
    wake.bind(f"inproc://{id(router)}")
    waker.connect(f"inproc://{id(router)}")

    def run() -> None:
        poller = zmq.Poller()
        poller.register(router, zmq.POLLIN)
        poller.register(wake, zmq.POLLIN)
        while wake not in dict(poller.poll()):
            peer, data = router.recv_multipart()
            for answer in handler(DECODE(data)):
                router.send_multipart([peer, encode(answer)])

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        waker.send(b"")
        thread.join()
        context.destroy(linger=0)


@pytest.fixture
def endpoint(short_folder: Path) -> str:
    return f"ipc://{short_folder}/entry"


def test_an_order_has_its_outcome_and_its_events(endpoint: str) -> None:
    manager = Manager()
    with serving(endpoint, manager), Client("me", entry_endpoint=endpoint) as client:
        number = client.new("generic", "BTCUSDT", "buy", "0.5", price="100.00", time_in_force="ioc")
        assert client.wait(number).outcome == "sent"
        first, second, third = client.poll(1), client.poll(1), client.poll(1)
        assert isinstance(first, Welcome) and isinstance(second, CommandOutcome) and isinstance(third, OrderEvent)
        assert list(client.orders) == [number]
        request = manager.heard[-1]
        assert isinstance(request, NewOrderRequest)
        assert request.terms == Terms("1", "2", D("0.5"), D(100), "3")
        assert client.wait(client.cancel(number)).outcome == "accepted"
        assert client.wait_closed(number) and not client.orders
        assert client.poll(0) is not None


def test_a_refusal_is_an_outcome(endpoint: str) -> None:
    with serving(endpoint, Manager()), Client("me", entry_endpoint=endpoint) as client:
        outcome = client.wait(client.new("generic", "BTCUSDT", "sell", 11))
        assert (outcome.outcome, outcome.reason) == ("refused", Reason.ABOVE_MAXIMUM_QUANTITY)


def test_a_command_that_died_with_the_order_manager_is_sent_to_the_next_one(endpoint: str) -> None:
    dying, next_one = Manager(epoch=7), Manager(epoch=8)
    dying.deaf = True
    client = Client("me", entry_endpoint=endpoint)
    with serving(endpoint, dying):
        client.connect()
        number = client.new("generic", "BTCUSDT", "buy", 1, price=100)
        with pytest.raises(NoOutcome, match=f"command {number} of me"):
            client.wait(number, timeout_s=0.05)
    with serving(endpoint, next_one):
        assert client.wait(number, timeout_s=10).outcome == "sent"
        assert [r.epoch for r in next_one.heard if isinstance(r, NewOrderRequest) and r.epoch == 8] == [8]
        client.close()


def test_nobody_there_is_said_so(endpoint: str) -> None:
    with (
        pytest.raises(NotRunning, match="is the stack running"),
        Client("me", entry_endpoint=endpoint, connect_timeout_s=0.05),
    ):
        pass


def test_a_superseded_client_says_so_and_sends_no_more(endpoint: str) -> None:
    def supersede(request: EntryRequest) -> list[EntryAnswer]:
        if isinstance(request, Hello):
            return Manager()(request)
        return [StatusChanged("superseded")]

    with serving(endpoint, supersede), Client("me", entry_endpoint=endpoint) as client:
        number = client.new("generic", "BTCUSDT", "buy", 1)
        with pytest.raises(Superseded):
            client.wait(number)
        with pytest.raises(Superseded):
            client.new("generic", "BTCUSDT", "buy", 1)


def test_a_question_is_answered(endpoint: str) -> None:
    with serving(endpoint, Manager()), Client("me", entry_endpoint=endpoint) as client:
        assert client.query("orders").lsn == 100


def test_the_place_of_the_last_event_is_kept_for_the_next_client_of_the_name(endpoint: str, tmp_path: Path) -> None:
    manager, place = Manager(), tmp_path / "place"
    with serving(endpoint, manager):
        with Client("me", entry_endpoint=endpoint, state_file=place) as client:
            client.wait(client.new("generic", "BTCUSDT", "buy", 1, price=100))
            list(client.events(timeout_s=0.01))
        with Client("me", entry_endpoint=endpoint, state_file=place):
            pass
        last = [r for r in manager.heard if isinstance(r, Hello)][-1]
        assert (last.last_lsn, last.last_index) == (101, 1)


@pytest.mark.parametrize(
    ("terms", "what"),
    [
        ({"side": "hold"}, "side 'hold'"),
        ({"order_qty": "one"}, "order_qty 'one'"),
        ({"price": "dear"}, "price 'dear'"),
        ({"time_in_force": "ever"}, "time_in_force 'ever'"),
    ],
)
def test_a_word_or_number_that_is_none_is_refused_before_anything_is_sent(
    endpoint: str, terms: dict[str, str], what: str
) -> None:
    order = {"venue": "generic", "symbol": "BTCUSDT", "side": "buy", "order_qty": "1", "price": "100", **terms}
    manager = Manager()
    with (
        serving(endpoint, manager),
        Client("me", entry_endpoint=endpoint) as client,
        pytest.raises(ValueError, match=what),
    ):
        client.new(**order)  # type: ignore[arg-type]
    assert not [request for request in manager.heard if isinstance(request, NewOrderRequest)]


def test_garbage_is_dropped(endpoint: str) -> None:
    context = zmq.Context()
    router = context.socket(zmq.ROUTER)
    router.bind(endpoint)
    client = Client("me", entry_endpoint=endpoint, connect_timeout_s=0.01)
    with pytest.raises(NotRunning):
        client.connect()
    peer, _ = router.recv_multipart()
    router.send_multipart([peer, b"\xc1\xc1"])
    assert client.poll(0.02) is None
    client.close()
    context.destroy(linger=0)

"""The real stack, measured as a strategy sees it: everything on, through risk, FIX, the journal and the exchange.

A round trip is that of a resting order: it ends when the venue's acknowledgement is back at the strategy, after the
journal had it; the order is then cancelled, outside the measure. The rate is taken with immediate-or-cancel orders
that do not cross: each brings two reports (New, Expired) and leaves nothing open.
"""

import multiprocessing
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType

import msgspec
import zmq

from common.actor.control import ask
from common.config import ReplicationMode
from common.messages import (
    PROTOCOL,
    CancelRequest,
    CommandOutcome,
    EntryAnswer,
    Hello,
    NewOrderRequest,
    OrderEvent,
    StatusChanged,
    Terms,
    TimeInForce,
    TopOfBook,
    Welcome,
    encode,
)
from scripts.bench.figures import Figures, percentiles_us
from scripts.bench.floor import GOOD_TILL_CANCEL, IMMEDIATE_OR_CANCEL
from scripts.nats import NatsServers, make_stream
from scripts.stack import READY_S, PrivateStack

VENUE = "generic"
SYMBOL = "BTCUSDT"
ORDER_QTY = Decimal("0.001")
PRICE_SHARE = Decimal("0.98")
TICK = Decimal("0.01")
WARM_UP_ORDERS = 300
ANSWER_S = 10
UNBOUNDED = "100000000"
ROOMY = {
    "FIXRING__STRATEGIES__MAKER__ENABLED": "false",
    "FIXRING__STRATEGIES__SIGNALS__ENABLED": "false",
    "FIXRING__RISK__DEFAULT_STRATEGY__RATE__MESSAGES": UNBOUNDED,
    "FIXRING__RISK__DEFAULT_STRATEGY__MAX_OPEN_ORDERS": UNBOUNDED,
    "FIXRING__GENERIC__FIX__LIMITS__MESSAGES": UNBOUNDED,
    "FIXRING__GENERIC__SIMULATED__TRADER_ORDERS_PER_S": "2",
    "FIXRING__BINANCE__SIMULATED__TRADER_ORDERS_PER_S": "2",
}
"""Every check stays on; only the rate limits are out of the way, and the background market is quiet."""


class BenchFailed(Exception):
    """The stack refused or lost what the benchmark sent; the text is what it said."""


class Taker:
    """A bare client of the order entry link."""

    def __init__(self, stack: PrivateStack) -> None:
        """Says hello and waits until the order manager is live."""
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.setsockopt(zmq.RCVTIMEO, ANSWER_S * 1000)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.connect(stack.config.endpoint("entry"))
        self._decode = msgspec.msgpack.Decoder(EntryAnswer).decode
        self._number = 0
        self._price = _passive_price(stack, self._context)
        self._socket.send(encode(Hello("bench", uuid.uuid4().hex, protocol=PROTOCOL)))
        self._epoch = 0
        while not self._epoch:
            answer = self._receive()
            if isinstance(answer, Welcome):
                if answer.state != "live":
                    raise BenchFailed(f"the order manager is {answer.state}")
                self._epoch = answer.epoch

    def _receive(self) -> EntryAnswer:
        try:
            answer: EntryAnswer = self._decode(self._socket.recv())
        except zmq.Again:
            raise BenchFailed(f"nothing came back for {ANSWER_S} s") from None
        return answer

    def send(self, time_in_force: TimeInForce) -> int:
        """Send one order, TimeInForce(59) as given; returns its number."""
        self._number += 1
        order = NewOrderRequest(
            self._epoch, self._number, VENUE, SYMBOL, Terms("1", "2", ORDER_QTY, self._price, time_in_force)
        )
        self._socket.send(encode(order))
        return self._number

    def cancel(self, target_number: int) -> None:
        """Cancel one order."""
        self._number += 1
        self._socket.send(encode(CancelRequest(self._epoch, self._number, target_number)))

    def events(self) -> Iterator[OrderEvent]:
        """The orders' events as they come. Raises BenchFailed on a refusal; see `ended` for what may be disturbed."""
        while True:
            event = self.ended()
            if isinstance(event, OrderEvent):
                yield event
            elif event is not None:
                raise BenchFailed(event)

    def ended(self) -> OrderEvent | str | None:
        """The next event; or why a command became no order; or None for what concerns neither.

        A disk that stands still for half a second is a status, and the command that it concerns is ours to repeat.
        """
        match self._receive():
            case OrderEvent() as event:
                return event
            case CommandOutcome(outcome="refused" | "expired" | "withdrawn") as outcome:
                return f"order {outcome.number} was {outcome.outcome}: {outcome.reason} {outcome.text}"
            case StatusChanged(number=number) as status if number:
                return f"order {number} was not taken: the order manager is {status.state}"
        return None

    def is_told(self, wait_s: float) -> bool:
        """Whether an answer is there, or comes within `wait_s`."""
        return bool(self._socket.poll(max(0, int(wait_s * 1000))))

    def close(self) -> None:
        """Let go of the sockets."""
        self._context.destroy(linger=0)


def _passive_price(stack: PrivateStack, context: "zmq.Context[zmq.Socket[bytes]]") -> Decimal:
    """A price that risk lets through and that does not cross: a little under the best bid."""
    feed = context.socket(zmq.SUB)
    feed.setsockopt(zmq.SUBSCRIBE, b"")
    feed.setsockopt(zmq.RCVTIMEO, ANSWER_S * 1000)
    feed.connect(stack.config.endpoint(f"feed.{VENUE}"))
    decode = msgspec.msgpack.Decoder(TopOfBook, strict=False)
    while True:
        try:
            top = decode.decode(feed.recv())
        except msgspec.ValidationError:
            continue
        except zmq.Again:
            raise BenchFailed(f"no market data from {VENUE} for {ANSWER_S} s") from None
        if top.symbol == SYMBOL and top.bid_px is not None:
            feed.close()
            return (top.bid_px * PRICE_SHARE).quantize(TICK)


def measure_ring(
    orders: int, window: int, *, durable: bool, overrides: Mapping[str, str] = MappingProxyType({})
) -> Figures:
    """Round trips one at a time, then `10 * orders` orders with `window` of them under way; the stack is configured as
    `overrides` say."""
    durability = {"FIXRING__JOURNAL__DURABILITY": "disk" if durable else "process"}
    with (
        tempfile.TemporaryDirectory(prefix="fixring-ring-") as folder,
        PrivateStack(Path(folder), {**ROOMY, **durability, **overrides}) as stack,
    ):
        return measure_stack(stack, orders, window)


@contextmanager
def busy(count: int) -> Iterator[None]:
    """So many processes beside, that use all of a processor that they are given."""
    processes = [multiprocessing.get_context("spawn").Process(target=_be_busy, daemon=True) for _ in range(count)]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.terminate()
            process.join()


def _be_busy() -> None:
    while True:
        pass


def measure_copied(mode: ReplicationMode, orders: int, window: int) -> Figures:
    """The same of a stack whose journal is copied in that mode, durable in each: to one NATS server, or with "quorum"
    to three, on this machine."""
    if mode is ReplicationMode.LOCAL:
        return measure_ring(orders, window, durable=True)
    count = 3 if mode is ReplicationMode.QUORUM else 1
    with (
        tempfile.TemporaryDirectory(prefix="fixring-copied-") as folder,
        NatsServers(Path(folder) / "nats", count) as servers,
    ):
        stack = PrivateStack(Path(folder), {**ROOMY, **servers.overrides(mode)})
        try:
            stack.start()
            make_stream(stack, READY_S)
            stack.wait_ready()
            return measure_stack(stack, orders, window)
        finally:
            stack.__exit__()


def measure_stack(stack: PrivateStack, orders: int, window: int) -> Figures:
    """Round trips and rate, as `measure_ring`, of a stack that is ready."""
    taker = Taker(stack)
    try:
        trips_ns = list(_round_trips(taker, orders + WARM_UP_ORDERS))[WARM_UP_ORDERS:]
        return Figures(percentiles_us(trips_ns), measure_rate(taker, orders * 10, window))
    finally:
        taker.close()


def _round_trips(taker: Taker, orders: int) -> Iterator[int]:
    events = taker.events()
    for _ in range(orders):
        began_ns = time.perf_counter_ns()
        number = taker.send(GOOD_TILL_CANCEL)
        ended_ns = 0
        for event in events:
            if event.number == number and event.event == "new":
                ended_ns = time.perf_counter_ns()
                taker.cancel(number)
            if event.number == number and not event.open:
                break
        yield ended_ns - began_ns


def measure_rate(taker: Taker, orders: int, window: int) -> float:
    """Orders a second. A few that a stall of the machine disturbed are passed over; more than that is a failure."""
    began_s = time.perf_counter()
    sent = closed = disturbed = 0
    while closed < orders:
        while sent < orders and sent - closed < window:
            taker.send(IMMEDIATE_OR_CANCEL)
            sent += 1
        event = taker.ended()
        if isinstance(event, str):
            closed, disturbed = closed + 1, disturbed + 1
            if disturbed > max(window, orders // 100):
                raise BenchFailed(f"{disturbed} of {closed} orders: {event}")
        elif event is not None and not event.open:
            closed += 1
    return orders / (time.perf_counter() - began_s)


def measure_paced(taker: Taker, orders_per_s: float, seconds: float) -> float:
    """Immediate-or-cancel orders at that pace; the median microseconds until a new one is acknowledged. Raises
    BenchFailed where none was."""
    sent_ns: dict[int, int] = {}
    trips_ns: list[int] = []
    began_s, sent = time.perf_counter(), 0
    while (gone_s := time.perf_counter() - began_s) < seconds:
        due_s = sent / orders_per_s
        if due_s <= gone_s:
            sent += 1
            now_ns = time.perf_counter_ns()
            sent_ns[taker.send(IMMEDIATE_OR_CANCEL)] = now_ns
        elif taker.is_told(due_s - gone_s):
            event = taker.ended()
            if isinstance(event, OrderEvent) and event.event == "new":
                trips_ns.append(time.perf_counter_ns() - sent_ns.pop(event.number))
    if not trips_ns:
        raise BenchFailed(f"of {sent} orders none was acknowledged within {seconds:.0f} s")
    return percentiles_us(trips_ns)["p50"]


def measure_memory(orders: int, window: int) -> dict[str, dict[str, int]]:
    """Resident bytes of each process before, and after `orders` orders were opened and closed."""
    with (
        tempfile.TemporaryDirectory(prefix="fixring-memory-") as folder,
        PrivateStack(Path(folder), ROOMY) as stack,
    ):
        taker = Taker(stack)
        try:
            measure_rate(taker, WARM_UP_ORDERS, 1)
            before = _memory(stack)
            measure_rate(taker, orders, window)
            after = _memory(stack)
        finally:
            taker.close()
    return {name: {"before_bytes": before[name], "after_bytes": after[name]} for name in after if name in before}


def _memory(stack: PrivateStack) -> dict[str, int]:
    names = [actor.name for actor in stack.config.actors()]
    return {name: int(str(ask(stack.run_folder, name, "status")["memory_bytes"])) for name in names}

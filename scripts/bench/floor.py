"""The bare ring: the same processes, hops, copies and syncs as the stack, and not one feature.

What is left is the price of the architecture itself, so the stack's own price can be read as a ratio to it.

    strategy -> orders -> risk -> session -> journal (write, fdatasync) -> session -> exchange (TCP)
             <- orders <- journal (write, fdatasync) <- session <- exchange

As in the stack a resting order brings one report (New) and an immediate-or-cancel one two (New, Expired). Nothing in it
is fit for use: no checks, no recovery, unverified messages.
"""

import functools
import multiprocessing
import os
import socket
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import zmq

from common.messages import TimeInForce
from scripts.bench.figures import Figures, percentiles_us

SEGMENT_BYTES = 1 << 27
WARM_UP_ORDERS = 500
RECEIVE_BYTES = 1 << 16
GOOD_TILL_CANCEL: TimeInForce = "1"
IMMEDIATE_OR_CANCEL: TimeInForce = "3"
NEW, EXPIRED = b"0", b"C"
STAMP = b"20260101-00:00:00.000"
HEADER = b"8=FIX.4.4\x019=%d\x01"
ORDER = (
    b"35=D\x0134=%d\x0149=FLOOR\x0156=VENUE\x0152=20260101-00:00:00.000\x01"
    b"11=%b\x0155=%b\x0154=%b\x0138=%b\x0140=2\x0144=%b\x0159=%b\x0160=20260101-00:00:00.000\x01"
)
ANSWER = (
    b"35=8\x0134=%d\x0149=VENUE\x0156=FLOOR\x0152=%b\x01"
    b"37=1\x0117=1\x01150=%b\x0139=%b\x0111=%b\x0155=%b\x0154=%b\x0138=%b\x0140=2\x0144=%b\x0159=%b\x01"
    b"14=0\x01151=%b\x016=0\x0160=20260101-00:00:00.000\x01"
)


class FloorOrder(msgspec.Struct, array_like=True, gc=False, tag="order"):
    """What the strategy wants."""

    name: str
    symbol: str
    side: str
    order_qty: str
    price: str
    time_in_force: TimeInForce


class FloorReport(msgspec.Struct, array_like=True, gc=False, tag="report"):
    """What the exchange said; `ends`: the order is open no more."""

    name: str
    ends: bool


class FloorRecord(msgspec.Struct, array_like=True, gc=False, tag="record"):
    """What the session has written down."""

    outbound: bool
    msg_seq_num: int
    raw: bytes
    content: FloorOrder | FloorReport


_encode = msgspec.msgpack.Encoder().encode
_order = msgspec.msgpack.Decoder(FloorOrder).decode
_record = msgspec.msgpack.Decoder(FloorRecord).decode
_report = msgspec.msgpack.Decoder(FloorReport).decode


class Station:
    """One process's sockets: PULL what it owns, PUSH to the others."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._context = zmq.Context()
        self._sockets: list[zmq.Socket[bytes]] = []

    def close(self) -> None:
        """Give up the sockets, whatever is still in them."""
        self._context.destroy(linger=0)

    def _socket(self, kind: int) -> "zmq.Socket[bytes]":
        self._sockets.append(self._context.socket(kind))
        return self._sockets[-1]

    def inbox(self, name: str) -> "zmq.Socket[bytes]":
        sock = self._socket(zmq.PULL)
        sock.bind(f"ipc://{self._folder}/{name}")
        return sock

    def outbox(self, name: str) -> Callable[[bytes], object]:
        sock = self._socket(zmq.PUSH)
        sock.connect(f"ipc://{self._folder}/{name}")
        return functools.partial(sock.send, copy=True)


def _at_hand(sock: "zmq.Socket[bytes]") -> Iterator[bytes]:
    while True:
        try:
            yield sock.recv(zmq.NOBLOCK)
        except zmq.Again:
            return


def whole(body: bytes) -> bytes:
    """The message with its BeginString(8), BodyLength(9) and CheckSum(10)."""
    text = HEADER % len(body) + body
    return text + b"10=%03d\x01" % (sum(text) % 256)


class Splitter:
    """Cuts a stream of FIX text into messages and verifies each CheckSum(10)."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[bytes, dict[bytes, bytes]]]:
        self._rest += data
        while True:
            mark = self._rest.find(b"\x0110=")
            if mark < 0 or len(self._rest) < mark + 8:
                return
            raw, self._rest = self._rest[: mark + 8], self._rest[mark + 8 :]
            if sum(raw[: mark + 1]) % 256 != int(raw[mark + 4 : mark + 7]):
                raise ValueError("the floor garbled its own message")
            tags: dict[bytes, bytes] = {}
            for field in raw[:-1].split(b"\x01"):
                tag, _, value = field.partition(b"=")
                tags[tag] = value
            yield raw, tags


def run_orders(folder: str) -> None:
    """Keep an order until its report comes back through the journal."""
    station = Station(folder)
    wanted, reports = station.inbox("orders"), station.inbox("reports")
    to_risk, to_strategy = station.outbox("risk"), station.outbox("strategy")
    poller = zmq.Poller()
    poller.register(wanted, zmq.POLLIN)
    poller.register(reports, zmq.POLLIN)
    open_orders: dict[str, FloorOrder] = {}
    while True:
        ready = dict(poller.poll())
        if wanted in ready:
            for data in _at_hand(wanted):
                order = _order(data)
                open_orders[order.name] = order
                to_risk(data)
        if reports in ready:
            for data in _at_hand(reports):
                content = _record(data).content
                assert isinstance(content, FloorReport)
                if content.ends:
                    del open_orders[content.name]
                to_strategy(_encode(content))


def run_risk(folder: str) -> None:
    """One comparison, and on."""
    station = Station(folder)
    inbox, to_session = station.inbox("risk"), station.outbox("session")
    while True:
        data = inbox.recv()
        order = _order(data)
        if float(order.price) * float(order.order_qty) < 1e12:
            to_session(data)


def run_session(folder: str, port: int) -> None:
    """Number, encode, have it written down, then send; have what comes in written down."""
    station = Station(folder)
    commands, releases, to_journal = station.inbox("session"), station.inbox("releases"), station.outbox("journal")
    stream = socket.create_connection(("127.0.0.1", port))
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    poller = zmq.Poller()
    for source in (commands, releases, stream):
        poller.register(source, zmq.POLLIN)
    splitter, held, msg_seq_num = Splitter(), dict[int, bytes](), 0
    while True:
        ready = dict(poller.poll())
        if releases in ready:
            for data in _at_hand(releases):
                stream.sendall(held.pop(int(data)))
        if commands in ready:
            for data in _at_hand(commands):
                msg_seq_num += 1
                order = _order(data)
                texts = (order.name, order.symbol, order.side, order.order_qty, order.price, order.time_in_force)
                raw = whole(ORDER % (msg_seq_num, *(text.encode() for text in texts)))
                held[msg_seq_num] = raw
                to_journal(_encode(FloorRecord(True, msg_seq_num, raw, order)))
        if stream.fileno() in ready:
            for raw, tags in splitter.feed(stream.recv(RECEIVE_BYTES)):
                content = FloorReport(tags[b"11"].decode(), tags[b"39"] != NEW)
                to_journal(_encode(FloorRecord(False, int(tags[b"34"]), raw, content)))


def run_journal(folder: str, durable: bool) -> None:
    """One write and one sync for all that is at hand; then tell."""
    station = Station(folder)
    inbox, release, to_orders = station.inbox("journal"), station.outbox("releases"), station.outbox("reports")
    descriptor = os.open(Path(folder) / "segment", os.O_CREAT | os.O_WRONLY, 0o600)
    os.posix_fallocate(descriptor, 0, SEGMENT_BYTES)
    os.fsync(descriptor)
    at, lsn = 0, 0
    while inbox.poll():
        batch = list(_at_hand(inbox))
        frames = []
        for data in batch:
            lsn += 1
            frames += [
                lsn.to_bytes(8, "little"),
                len(data).to_bytes(4, "little"),
                zlib.crc32(data).to_bytes(4, "little"),
                data,
            ]
        block = b"".join(frames)
        at = 0 if at + len(block) > SEGMENT_BYTES else at
        at += os.pwrite(descriptor, block, at)
        if durable:
            os.fdatasync(descriptor)
        for data in batch:
            record = _record(data)
            if record.outbound:
                release(b"%d" % record.msg_seq_num)
            else:
                to_orders(data)


def run_exchange(listening: socket.socket) -> None:
    """Answer every order with New, and what does not rest with Expired behind it."""
    stream, _ = listening.accept()
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    splitter, msg_seq_num = Splitter(), 0
    while data := stream.recv(RECEIVE_BYTES):
        answers = []
        for _, tags in splitter.feed(data):
            echoed = tuple(tags[tag] for tag in (b"11", b"55", b"54", b"38", b"44", b"59", b"38"))
            for status in (NEW,) if tags[b"59"] == GOOD_TILL_CANCEL.encode() else (NEW, EXPIRED):
                msg_seq_num += 1
                answers.append(whole(ANSWER % (msg_seq_num, STAMP, status, status, *echoed)))
        stream.sendall(b"".join(answers))


def measure_floor(orders: int, window: int, *, durable: bool) -> Figures:
    """Round trips of resting orders one at a time, then the rate of `10 * orders` others with `window` under way."""
    spawn = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory(prefix="fixring-floor-") as folder:
        listening = socket.create_server(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        processes = [
            spawn.Process(target=run_exchange, args=(listening,), daemon=True),
            spawn.Process(target=run_journal, args=(folder, durable), daemon=True),
            spawn.Process(target=run_orders, args=(folder,), daemon=True),
            spawn.Process(target=run_risk, args=(folder,), daemon=True),
            spawn.Process(target=run_session, args=(folder, port), daemon=True),
        ]
        for process in processes:
            process.start()
        station = Station(folder)
        try:
            return _drive(station, orders, window)
        finally:
            station.close()
            for process in processes:
                process.terminate()
                process.join()
            listening.close()


def _drive(station: Station, orders: int, window: int) -> Figures:
    inbox, send = station.inbox("strategy"), station.outbox("orders")
    inbox.setsockopt(zmq.RCVTIMEO, 10_000)
    trips_ns = []
    for index in range(orders + WARM_UP_ORDERS):
        began_ns = time.perf_counter_ns()
        send(_encode(FloorOrder(f"a{index}", "BTCUSDT", "1", "0.01", "65000.00", GOOD_TILL_CANCEL)))
        _report(inbox.recv())
        trips_ns.append(time.perf_counter_ns() - began_ns)
    total, room = orders * 10, threading.BoundedSemaphore(window)

    def flood() -> None:
        for index in range(total):
            room.acquire()
            send(_encode(FloorOrder(f"b{index}", "BTCUSDT", "1", "0.01", "65000.00", IMMEDIATE_OR_CANCEL)))

    began_s = time.perf_counter()
    feeder = threading.Thread(target=flood, daemon=True)
    feeder.start()
    ended = 0
    while ended < total:
        if _report(inbox.recv()).ends:
            ended += 1
            room.release()
    feeder.join()
    return Figures(percentiles_us(trips_ns[WARM_UP_ORDERS:]), total / (time.perf_counter() - began_s))

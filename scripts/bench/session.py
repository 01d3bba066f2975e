"""One durable FIX session alone: an order out and its report in, each logged and synced, over a socket.

What it costs is a ratio: beside it the same bytes make the same trip with a bare write, fdatasync and echo, and with a
file store of the common kind, which syncs the message, its index and the numbers each (QuickFIX's FileStore and its
kin, where they sync at all).
"""

import multiprocessing
import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from common.fix.session import Inbound, LoggedOn, Outbound, Session, SessionSettings
from common.fix.wire import utc_timestamp
from common.instant import Instant
from common.journal import FIRST_FREE_KIND, Entry, Log, OsFiles
from scripts.bench.figures import percentiles_us
from scripts.bench.floor import ANSWER, NEW, RECEIVE_BYTES, SEGMENT_BYTES, Splitter, whole

WRITER = "session@bench"
WARM_UP_TRIPS = 200
TURN_TRIPS = 20
"""Each kind makes so many trips, then the next: a slow moment of the machine hits all."""

LOGON = b"35=A\x0134=%d\x0149=VENUE\x0156=FLOOR\x0152=%b\x0198=0\x01108=30\x01141=Y\x01"
ORDER = b"11=a17c00000004d2\x0138=0.5\x0140=2\x0144=65000.1\x0154=1\x0155=BTCUSDT\x0159=1\x0160=%b\x01"
ECHOED = (b"11", b"55", b"54", b"38", b"44", b"59", b"38")

Trip = Callable[[], object]
"""One order out and its report in, both durable when it returns."""


def run_peer(listening: socket.socket) -> None:
    """Answer Logon(A) with Logon(A) and each order with a report, on one connection."""
    stream, _ = listening.accept()
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    splitter, msg_seq_num = Splitter(), 0
    while data := stream.recv(RECEIVE_BYTES):
        for _, tags in splitter.feed(data):
            msg_seq_num += 1
            if tags[b"35"] == b"A":
                body = LOGON % (msg_seq_num, _now())
            else:
                body = ANSWER % (msg_seq_num, _now(), NEW, NEW, *(tags[tag] for tag in ECHOED))
            stream.sendall(whole(body))


@contextmanager
def peer() -> Iterator[socket.socket]:
    """A connection to a peer in a process of its own."""
    listening = socket.create_server(("127.0.0.1", 0))
    process = multiprocessing.get_context("fork").Process(target=run_peer, args=(listening,), daemon=True)
    process.start()
    try:
        with socket.create_connection(listening.getsockname()) as stream:
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            yield stream
    finally:
        process.terminate()
        process.join()
        listening.close()


def measure_session(trips: int) -> dict[str, dict[str, float]]:
    """The percentiles in microseconds of each kind's round trips."""
    kinds = {"fixring": durable_session, "bare": bare, "file store": file_store}
    taken_ns: dict[str, list[int]] = {name: [] for name in kinds}
    with ExitStack() as stack:
        ready: dict[str, Trip] = {}
        for name, make in kinds.items():
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="fixring-session-"))
            ready[name] = make(Path(folder), stack.enter_context(peer()), stack)
        for _ in range(-(-(WARM_UP_TRIPS + trips) // TURN_TRIPS)):
            for name, trip in ready.items():
                taken_ns[name] += _timed(trip)
    return {name: percentiles_us(each[WARM_UP_TRIPS:]) for name, each in taken_ns.items()}


def _timed(trip: Trip) -> list[int]:
    taken_ns = []
    for _ in range(TURN_TRIPS):
        began_ns = time.perf_counter_ns()
        trip()
        taken_ns.append(time.perf_counter_ns() - began_ns)
    return taken_ns


def durable_session(folder: Path, stream: socket.socket, ends: ExitStack) -> Trip:
    """The session of `common.fix` over the log of `common.journal`: numbered, logged, sent; verified, logged."""
    log = Log.open(folder, OsFiles(), wall_ns=time.time_ns())
    ends.callback(log.close)
    log.prepare_next_segment()
    session = Session(SessionSettings(sender_comp_id="FLOOR", target_comp_id="VENUE", initiator=True,
                                      reset_on_logon=True))  # fmt: skip
    number = 0

    def keep(raw: bytes) -> None:
        nonlocal number
        number += 1
        log.append([Entry(FIRST_FREE_KIND, WRITER, log.epoch, number, raw)], time.time_ns())
        if not log.room_ahead:
            log.prepare_next_segment()

    def turn(until: type) -> None:
        """Carry out effects, and receive, until one of that kind is durable."""
        while True:
            for effect in session.take_effects():
                if isinstance(effect, Outbound):
                    keep(effect.raw)
                    stream.sendall(effect.raw)
                elif isinstance(effect, Inbound):
                    keep(effect.raw)
                if isinstance(effect, until):
                    return
            session.received(stream.recv(RECEIVE_BYTES), _instant())

    session.connected(_instant())
    turn(LoggedOn)

    def trip() -> None:
        now = _instant()
        session.send("D", ORDER % utc_timestamp(now.wall_ns, 3), now)
        turn(Inbound)

    return trip


def bare(folder: Path, stream: socket.socket, ends: ExitStack) -> Trip:
    """The same bytes with a write and an fdatasync each, and nothing else."""
    descriptor = _allocated(folder / "segment")
    ends.callback(os.close, descriptor)
    at = 0

    def keep(raw: bytes) -> None:
        nonlocal at
        at += os.pwrite(descriptor, raw, at)
        os.fdatasync(descriptor)

    return _trip_of_bytes(stream, keep)


def file_store(folder: Path, stream: socket.socket, ends: ExitStack) -> Trip:
    """The same bytes into a store of files: the message, its index and the numbers each synced."""
    body, index = (ends.enter_context((folder / name).open("ab", buffering=0)) for name in ("body", "header"))
    number = 0

    def numbers() -> None:
        fresh = folder / "seqnums.new"
        with fresh.open("wb", buffering=0) as file:
            file.write(b"%010d : %010d" % (number, number))
            os.fsync(file.fileno())
        fresh.rename(folder / "seqnums")

    def keep(raw: bytes) -> None:
        nonlocal number
        number += 1
        if number % 2:
            body.write(raw)
            os.fsync(body.fileno())
            index.write(b"%d,%d,%d " % (number, body.tell(), len(raw)))
            os.fsync(index.fileno())
        numbers()

    return _trip_of_bytes(stream, keep)


def _trip_of_bytes(stream: socket.socket, keep: Callable[[bytes], None]) -> Trip:
    order = whole(b"35=D\x0134=1\x0149=FLOOR\x0156=VENUE\x0152=%b\x01%b" % (_now(), ORDER % _now()))

    def trip() -> None:
        keep(order)
        stream.sendall(order)
        keep(stream.recv(RECEIVE_BYTES))

    return trip


def _allocated(path: Path) -> int:
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    os.posix_fallocate(descriptor, 0, SEGMENT_BYTES)
    os.fsync(descriptor)
    return descriptor


def _instant() -> Instant:
    return Instant(time.time_ns(), time.monotonic_ns())


def _now() -> bytes:
    return utc_timestamp(time.time_ns(), 3)

"""What the desk costs: CPU for each record with readers at its pages, how far it lags, and what of it the ring feels.

The first part is the desk alone. A journal is written at an exact rate, as a busy stack writes it, the desk of this
checkout reads it, and readers hold live pages open. No actor answers, so that what is measured is the desk's own work.
The second part is the real stack under paced orders, with the readers and without a desk at all, in turn.

CPU time is what a record costs on any machine of this kind; a lag is that of this machine with what else it does, so
its load stands beside it. The readers stand for browsers, which have machines of their own: what they take of this one
is told apart.
"""

import asyncio
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final, NamedTuple

import orjson
from aiohttp import ClientSession, CookieJar

from common.actor.control import NoAnswer, NotRunning, ask
from common.actor.order_books import newest_books
from common.config import CHECKOUT, Config, load
from common.journal import OsFiles, Reader
from common.orders.fold import FOLD_VERSION, Fold
from common.orders.index import IntoIndex
from common.orders.index_file import IndexFile, index_path
from scripts.bench.figures import cpu_s
from scripts.bench.long_journal import PacedJournal
from scripts.bench.ring import ROOMY, BenchFailed, Taker, measure_paced, measure_rate
from scripts.stack import PrivateStack, own_ports

PAGES: Final = ("overview", "orders", "positions", "risk", "sessions")
"""What the readers look at, one after the other and over again."""

COME_UP_S: Final = 120.0
WARM_UP_S: Final = 3.0
BATCH_S: Final = 0.02
LOOK_S: Final = 0.2
READER_NICE: Final = 19
RATE_ORDERS: Final = 3_000
RATE_WINDOW: Final = 100
RECORDS_AN_ORDER: Final = 3
"""Of an immediate-or-cancel order that does not cross: itself, New and Expired."""


class DeskFigures(NamedTuple):
    """`cpu_us` is the desk's CPU time for each record it read, in microseconds; `desk_percent` and `readers_percent` is
    what the desk and all its readers have had of one core. Lags are in seconds, from a record's stamp to when a reader
    had it. `load` is the machine's run queue over the last minute, with `cores` to share.
    """

    readers: int
    seconds: float
    records_per_s: float
    cpu_us: float
    desk_percent: float
    readers_percent: float
    lag_p50_s: float
    lag_max_s: float
    lines: int
    before_bytes: int
    after_bytes: int
    load: float
    cores: int


class RingFigures(NamedTuple):
    """The ring under paced orders: the median round trip in microseconds, orders a second with many under way, and
    records a second of the paced part."""

    p50_us: float
    orders_per_s: float
    records_per_s: float


class Looked(NamedTuple):
    """What readers have seen: the age of what each line showed when it arrived, and the CPU time that all of them took
    for it, in seconds."""

    ages_s: list[float]
    cpu_s: float

    @property
    def median_s(self) -> float:
        """0 where nothing came."""
        return statistics.median(self.ages_s) if self.ages_s else 0.0


# ---- readers ----


@contextmanager
def readers(config: Config, count: int) -> Iterator[Callable[[], Looked]]:
    """So many live pages held open by a process of its own; what is yielded gives what came since it was asked last.

    Raises BenchFailed where the desk lets nobody in.
    """
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_read_pages, args=(theirs, config.stack.desk.port, _token(config), count), daemon=True
    )
    process.start()
    theirs.close()

    def looked() -> Looked:
        ours.send(True)
        if not ours.poll(COME_UP_S):
            raise BenchFailed("the readers do not answer")
        return Looked(*ours.recv())

    try:
        looked()
        yield looked
    except EOFError:
        raise BenchFailed("the readers ended: the desk let them go") from None
    finally:
        ours.close()
        process.join()


def _token(config: Config) -> str:
    until_s = time.monotonic() + COME_UP_S
    file = config.paths.run / "desk.token"
    while not (file.exists() and file.read_text()):
        if time.monotonic() > until_s:
            raise BenchFailed(f"the desk did not come up within {COME_UP_S:.0f} s")
        time.sleep(LOOK_S)
    return file.read_text()


def _read_pages(pipe: Connection, port: int, token: str, count: int) -> None:
    # What a browser takes is taken on its own machine, not from the ring.
    os.nice(READER_NICE)
    asyncio.run(_Readers(pipe, f"http://127.0.0.1:{port}", token, count).run())


class _Readers:
    def __init__(self, pipe: Connection, address: str, token: str, count: int) -> None:
        self._pipe = pipe
        self._address = address
        self._token = token
        self._count = count
        self._ages_s: list[float] = []
        self._had_s = 0.0
        self._ended = asyncio.Event()

    async def run(self) -> None:
        """Until the other end of the pipe is closed."""
        asyncio.get_running_loop().add_reader(self._pipe.fileno(), self._asked)
        origin = {"Origin": self._address}
        async with ClientSession(self._address, cookie_jar=CookieJar(unsafe=True), headers=origin) as session:
            await session.post("/api/sign-in", json={"token": self._token}, raise_for_status=True)
            streams = [asyncio.create_task(self._look(session, PAGES[n % len(PAGES)])) for n in range(self._count)]
            await asyncio.wait([asyncio.create_task(self._ended.wait()), *streams], return_when="FIRST_COMPLETED")

    def _asked(self) -> None:
        try:
            self._pipe.recv()
            had_s = time.process_time()
            self._pipe.send((self._ages_s, had_s - self._had_s))
        except (EOFError, OSError):
            self._ended.set()
        else:
            self._ages_s, self._had_s = [], had_s

    async def _look(self, session: ClientSession, page: str) -> None:
        async with session.post(f"/api/stream/{page}", raise_for_status=True, timeout=None) as stream:
            waiting = b""
            async for data in stream.content.iter_any():
                *lines, waiting = (waiting + data).split(b"\n")
                for line in lines:
                    head = orjson.loads(line).get("head", {})
                    if head.get("lag_s") is not None:
                        self._ages_s.append(head["lag_s"] + time.time() - head["time_ms"] / 1000)


# ---- the desk alone ----


def measure_desk(count: int, events_per_s: int, seconds: float) -> DeskFigures:
    """The desk alone with so many readers, over a journal that grows by `events_per_s`. Raises BenchFailed."""
    with tempfile.TemporaryDirectory(prefix="fixring-desk-") as folder:
        environ = {**os.environ, "FIXRING_VAR": f"{folder}/var", **own_ports()}
        config = load(environ=environ)
        journal = PacedJournal(config.journal_folder, time.time_ns())
        index = _Index(config)
        with _desk(environ), readers(config, count) as looked:
            _write(journal, index, events_per_s, WARM_UP_S)
            looked()
            before, began_s = _status(config), time.monotonic()
            _write(journal, index, events_per_s, seconds)
            after, took_s = _status(config), time.monotonic() - began_s
            figures = _figures(count, looked(), before, after, took_s)
        index.close()
        journal.close()
        return figures


class _Index:
    """What has left memory, as the order manager has it written down: the desk keeps no more than what that lacks."""

    def __init__(self, config: Config) -> None:
        self._reader = Reader(config.journal_folder, OsFiles())
        self._file = IndexFile(index_path(config.journal_folder))
        self._file.begin_fold(FOLD_VERSION)
        self._books = newest_books(config, self._reader, memory=self._file, leaving=IntoIndex(self._file))
        self._fold = Fold(self._books)

    def read_up_to(self, lsn: int) -> None:
        """Fold the log up to that record."""
        while records := self._reader.read(self._books.lsn + 1, lsn):
            for record in records:
                self._fold.apply(record)
        self._file.flush(self._books.lsn)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


@contextmanager
def _desk(environ: Mapping[str, str]) -> Iterator[None]:
    command = [sys.executable, "-P", "-m", "services.desk"]
    process = subprocess.Popen(command, cwd=CHECKOUT, env=environ, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def _write(journal: PacedJournal, index: _Index, events_per_s: int, seconds: float) -> None:
    """The records that are due, in batches; the mark moves as the journal has it move, and the index follows."""
    began_s, first = time.monotonic(), journal.lsn
    while (gone_s := time.monotonic() - began_s) < seconds:
        journal.write_up_to(first + int(gone_s * events_per_s), time.time_ns())
        index.read_up_to(journal.lsn)
        time.sleep(BATCH_S)


class _Status(NamedTuple):
    lsn: int
    cpu_s: float
    memory_bytes: int


def _status(config: Config) -> _Status:
    """Of the desk's process. Raises BenchFailed."""
    try:
        told = ask(config.reach, "desk", "status", {}, COME_UP_S)
    except (NotRunning, NoAnswer) as error:
        raise BenchFailed(f"the desk does not say how it is: {error}") from error
    return _Status(int(str(told["lsn"])), cpu_s(int(str(told["pid"]))), int(str(told["memory_bytes"])))


def _figures(count: int, looked: Looked, before: _Status, after: _Status, took_s: float) -> DeskFigures:
    records, desk_s = after.lsn - before.lsn, after.cpu_s - before.cpu_s
    if not records or not looked.ages_s:
        raise BenchFailed(f"the desk read {records} records and told {len(looked.ages_s)} lines: nothing to measure")
    return DeskFigures(
        count, round(took_s, 1), round(records / took_s), round(desk_s / records * 1e6, 1),
        round(desk_s / took_s * 100, 1), round(looked.cpu_s / took_s * 100, 1), round(looked.median_s, 2),
        round(max(looked.ages_s), 2), len(looked.ages_s), before.memory_bytes, after.memory_bytes,
        round(os.getloadavg()[0], 1), os.cpu_count() or 1,
    )  # fmt: skip


# ---- the ring, with and without ----


def measure_ring_without(events_per_s: int, seconds: float) -> RingFigures:
    """The real stack without a desk. Raises BenchFailed, StackFailed."""
    with _stack({"FIXRING__DESK__ENABLED": "false"}) as stack:
        return _measure_ring(stack, events_per_s, seconds)


def measure_ring_with(count: int, events_per_s: int, seconds: float) -> tuple[RingFigures, DeskFigures]:
    """The real stack with its desk and so many readers. Raises BenchFailed, StackFailed."""
    with _stack({}) as stack, readers(stack.config, count) as looked:
        before, began_s = _status(stack.config), time.monotonic()
        ring = _measure_ring(stack, events_per_s, seconds)
        after, took_s = _status(stack.config), time.monotonic() - began_s
        return ring, _figures(count, looked(), before, after, took_s)


@contextmanager
def _stack(overrides: Mapping[str, str]) -> Iterator[PrivateStack]:
    with (
        tempfile.TemporaryDirectory(prefix="fixring-ring-") as folder,
        PrivateStack(Path(folder), {**ROOMY, **overrides}) as stack,
    ):
        yield stack


def _measure_ring(stack: PrivateStack, events_per_s: int, seconds: float) -> RingFigures:
    taker = Taker(stack)
    try:
        measure_rate(taker, RATE_WINDOW, RATE_WINDOW)
        before, began_s = _lsn(stack), time.monotonic()
        p50_us = measure_paced(taker, events_per_s / RECORDS_AN_ORDER, seconds)
        records_per_s = (_lsn(stack) - before) / (time.monotonic() - began_s)
        return RingFigures(p50_us, round(measure_rate(taker, RATE_ORDERS, RATE_WINDOW)), round(records_per_s))
    finally:
        taker.close()


def _lsn(stack: PrivateStack) -> int:
    return int(str(stack.ask("journal", "status")["lsn"]))


def median_ring(figures: list[RingFigures]) -> RingFigures:
    """Of each figure by itself."""
    return RingFigures(*(statistics.median(each) for each in zip(*figures, strict=True)))

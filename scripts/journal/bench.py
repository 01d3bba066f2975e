"""What the journal costs: appends, verification, replay, the start of a stack's folds. A journal of real messages."""

import gc
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

from common.actor.order_books import Folded as OrdersFolded
from common.actor.process import GC_THRESHOLDS
from common.actor.snapshots import Foldable
from common.config import Config
from common.journal import Entry, Log, OsFiles, Reader, Record, verify
from common.journal.log import Durability
from common.orders.books import Books
from common.venues.registry import find_dialect
from scripts.bench.long_journal import write_long_journal
from services.orders.settings import orders_settings
from services.risk.settings import risk_settings
from services.risk.state import RiskState
from services.session.recovery import Folded as SessionFolded

T = TypeVar("T")
SESSION = "session@generic"
VENUE = "generic"
WALL_NS = 1_800_000_000_000_000_000


class AppendFigures(NamedTuple):
    """One batch size at one durability."""

    batch: int
    durability: str
    appends_per_s: float
    p50_us: float
    p99_us: float


class ReadFigures(NamedTuple):
    """Records a second over a journal of `records`: verified, read, and read into each actor's state; and the seconds
    that opening it for writing takes."""

    records: int
    journal_bytes: int
    verified_per_s: float
    read_per_s: float
    replayed_per_s: dict[str, float]
    open_s: float


def measure_append(folder: Path, batch: int, durability: Durability, seconds: float) -> AppendFigures:
    """Append batches of `batch` 300-byte payloads for about so long; the latency is a whole batch's."""
    log = Log.open(folder, OsFiles(), wall_ns=time.time_ns(), durability=durability)
    payload = b"x" * 300
    number = 0
    latencies: list[float] = []
    ends = time.perf_counter() + seconds
    log.prepare_next_segment()
    while time.perf_counter() < ends:
        entries = [Entry(16, SESSION, 1, number + n, payload) for n in range(1, batch + 1)]
        began = time.perf_counter()
        log.append(entries, time.time_ns())
        latencies.append(time.perf_counter() - began)
        number += batch
        if not log.room_ahead:
            log.prepare_next_segment()
    log.close()
    spent = sum(latencies)
    cuts = statistics.quantiles(latencies, n=100)
    return AppendFigures(batch, durability, number / spent, cuts[49] * 1e6, cuts[98] * 1e6)


def measure_reading(folder: Path, records: int, config: Config) -> ReadFigures:
    """Write a journal of so many records of orders' lives, then verify it, read it, fold it, open it."""
    files = OsFiles()
    write_long_journal(folder, records, WALL_NS)
    size = sum(path.stat().st_size for path in folder.glob("*.segment"))
    verified_s, verdict = timed(lambda: verify(folder, files))
    whole = verdict.last_lsn
    read_s, _ = timed(lambda: sum(len(chunk) for chunk in chunks(folder, whole)))
    replayed = {}
    gc.collect()
    gc.set_threshold(*GC_THRESHOLDS)
    for name, state in folds(config).items():
        replayed_s, _ = timed(partial(fold, folder, whole, state))
        replayed[name] = whole / replayed_s
    open_s, log = timed(lambda: Log.open(folder, files, wall_ns=WALL_NS * 2))
    log.close()
    return ReadFigures(whole, size, whole / verified_s, whole / read_s, replayed, open_s)


def timed(call: Callable[[], T]) -> tuple[float, T]:
    """Seconds, and what the call returned."""
    began = time.perf_counter()
    result = call()
    return time.perf_counter() - began, result


def chunks(folder: Path, upto_lsn: int) -> Iterator[list[Record]]:
    """The journal's records as an actor reads them at its start."""
    reader = Reader(folder, OsFiles())
    lsn = 1
    while records := reader.read(lsn, upto_lsn):
        yield records
        lsn = records[-1].lsn + 1


def folds(config: Config) -> dict[str, Foldable]:
    """Every folded state, before the first record."""
    orders, risk = orders_settings(config), risk_settings(config)
    dialect = find_dialect(config.venues[VENUE].dialect)
    return {
        "orders": OrdersFolded(Books({name: account.facts for name, account in orders.accounts.items()})),
        "risk": RiskState(Books({name: account.facts for name, account in risk.accounts.items()})),
        SESSION: SessionFolded(SESSION, VENUE, dialect),
    }


def fold(folder: Path, upto_lsn: int, state: Foldable) -> None:
    """Read the whole journal into a state, as its actor does at a start."""
    for records in chunks(folder, upto_lsn):
        for record in records:
            state.apply(record)

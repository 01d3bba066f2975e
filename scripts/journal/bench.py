"""What the journal costs: appends, verification, replay, the start of a stack's folds. A journal of real messages."""

import statistics
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple, TypeVar

from common.fix.wire import encode as fix_encode
from common.instant import NS_PER_MS
from common.journal import Entry, Log, OsFiles, Reader, Record, verify
from common.journal.log import Durability
from common.messages import (
    Attempt,
    ExecutionReport,
    Inbound,
    Kind,
    NewOrder,
    Outbound,
    encode,
)
from services.orders.books import Books, VenueFacts
from services.orders.fold import Fold

T = TypeVar("T")
CHUNK_BYTES = 4 << 20
SYMBOL = "BTCUSDT"
SESSION = "session@generic"
VENUE = "generic"
WALL_NS = 1_800_000_000_000_000_000
QTY = Decimal("0.01")
PRICE = Decimal("65000.00")
REPORTS = 2
"""Reports an order: new, then filled."""


class AppendFigures(NamedTuple):
    """One batch size at one durability."""

    batch: int
    durability: str
    appends_per_s: float
    p50_us: float
    p99_us: float


class ReadFigures(NamedTuple):
    """Records a second over a journal of `records`, and what each way to be ready takes."""

    records: int
    journal_bytes: int
    verified_per_s: float
    read_per_s: float
    replayed_per_s: float
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


def measure_reading(folder: Path, records: int) -> ReadFigures:
    """Write a journal of so many records of orders' lives, then verify it, read it, fold it, open it."""
    files = OsFiles()
    write_orders(folder, records)
    size = sum(path.stat().st_size for path in folder.glob("*.segment"))
    verified_s, verdict = timed(lambda: verify(folder, files))
    whole = verdict.last_lsn
    read_s, _ = timed(lambda: sum(len(chunk) for chunk in chunks(folder, whole)))
    replayed_s, _ = timed(lambda: fold_orders(folder, whole))
    open_s, log = timed(lambda: Log.open(folder, files, wall_ns=WALL_NS * 2))
    log.close()
    return ReadFigures(whole, size, whole / verified_s, whole / read_s, whole / replayed_s, open_s)


def timed(call: Callable[[], T]) -> tuple[float, T]:
    """Seconds, and what the call returned."""
    began = time.perf_counter()
    result = call()
    return time.perf_counter() - began, result


def chunks(folder: Path, upto_lsn: int) -> Iterator[list[Record]]:
    """The journal's records as an actor reads them at its start."""
    reader = Reader(folder, OsFiles())
    lsn = 1
    while records := reader.read(lsn, upto_lsn, CHUNK_BYTES):
        yield records
        lsn = records[-1].lsn + 1


def fold_orders(folder: Path, upto_lsn: int) -> Books:
    """The order manager's state after the whole journal."""
    fold = Fold(Books({VENUE: VenueFacts(0, {SYMBOL: "BTC"})}))
    for records in chunks(folder, upto_lsn):
        for record in records:
            fold.apply(record)
    return fold.books


def write_orders(folder: Path, records: int) -> None:
    """A journal of `records` and a few more: orders, each sent, acknowledged and filled."""
    log = Log.open(folder, OsFiles(), wall_ns=WALL_NS, durability="process")
    appends = 0
    for number in range(1, records // (1 + REPORTS) + 1):
        entries = [
            Entry(int(kind), SESSION, 1, appends + n, payload)
            for n, (kind, payload) in enumerate(order_life(number, log.last_stamp_ns), 1)
        ]
        appends += len(entries)
        log.append(entries, log.last_stamp_ns + NS_PER_MS)
    log.close()


def order_life(number: int, stamp_ns: int) -> list[tuple[Kind, bytes]]:
    """What the log holds of one order: sent, new, filled."""
    cl_ord_id = f"bench-{number}"
    command = NewOrder(
        Attempt(1, number), "bench", number, VENUE, SYMBOL, "1", "2", QTY, PRICE, "1", False, cl_ord_id,
        stamp_ns + 1000 * NS_PER_MS,
    )  # fmt: skip
    raw = message("D", number, f"11={cl_ord_id}|55={SYMBOL}|54=1|38={QTY}|40=2|44={PRICE}|59=1|")
    life = [(Kind.OUTBOUND, encode(Outbound(VENUE, 1, 1, number, "D", raw, command)))]
    for index, (exec_type, ord_status, last_qty) in enumerate((("0", "0", Decimal(0)), ("F", "2", QTY))):
        exec_id, left = f"{number}-{index}", QTY - last_qty
        event = ExecutionReport(
            cl_ord_id, "", str(number), exec_id, exec_type, ord_status, SYMBOL, "1", QTY, PRICE, last_qty, PRICE,
            last_qty, left, exec_id if exec_type == "F" else "",
        )  # fmt: skip
        raw = message(
            "8", REPORTS * number + index,
            f"37={number}|17={exec_id}|150={exec_type}|39={ord_status}|11={cl_ord_id}|55={SYMBOL}|54=1|38={QTY}|"
            f"44={PRICE}|32={last_qty}|31={PRICE}|14={last_qty}|151={left}|6=0|",
        )  # fmt: skip
        inbound = Inbound(VENUE, 1, 1, REPORTS * number + index, "8", raw, event)
        life.append((Kind.INBOUND, encode(inbound)))
    return life


def message(msg_type: str, msg_seq_num: int, fields: str) -> bytes:
    """A FIX message of the given fields, `|` for SOH."""
    head = f"35={msg_type}|49=FIXRING|56=GENERIC|34={msg_seq_num}|52=20260101-00:00:00.000|"
    return fix_encode(b"FIX.4.4", (head + fields).replace("|", "\x01").encode())

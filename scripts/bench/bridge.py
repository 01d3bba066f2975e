"""An order over a bridge beside the same over CCXT alone, at a simulated venue in one run; a start with a long log.

Over the bridge an order is durable twice before its acknowledgement is told: the request before it leaves, the report
before it is sent. CCXT alone keeps nothing: its own HTTP client, one request at a time.
"""

import shutil
import tempfile
import time
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple, cast

from common.exchange.changes import Numbered, Sent
from common.instant import NS_PER_S, Instant
from common.journal.files import OsFiles
from common.key_files import read_credentials
from common.venues.backend import BridgedTerms
from common.venues.registry import find_backend, find_rest
from common.venues.rest import RestSettings
from scripts.bench.figures import percentiles_us
from scripts.bridge_pair import BridgePair, Guest
from scripts.stack import StackFailed
from services.bridge.archive_file import FileArchive
from services.bridge.records import Acknowledged, BridgeRecord, Filled, Taken
from services.bridge.store import Store

PACE_S = 0.085
"""One of each kind in so long: together they stay within what the venue allows a user in one symbol."""

LIFE_NS = 5 * NS_PER_S
ORDER_TURNS = 4
RECORDS_OF_ORDER = 7
WRITER = "bridge@bench"


class BridgeTrips(NamedTuple):
    """Percentiles in microseconds: until the bridge has taken an order, until it tells that the venue has it, and the
    same by CCXT alone."""

    taken: dict[str, float]
    acknowledged: dict[str, float]
    ccxt: dict[str, float]


class BridgeStart(NamedTuple):
    """Seconds to read a log of so many records: from the newest snapshot, and as a whole without any; orders in memory
    then, and in all."""

    records: int
    with_s: float
    without_s: float
    in_memory: int
    orders: int


def measure_trips(venue: str, trips: int) -> BridgeTrips:
    """So many round trips of each, in turn. Raises StackFailed."""
    taken_ns, acknowledged_ns, ccxt_ns = [], [], []
    with ExitStack() as clean_up:
        pair = clean_up.enter_context(
            BridgePair(Path(clean_up.enter_context(tempfile.TemporaryDirectory(prefix="fixring-bridge-"))), venue)
        )
        guest, alone = Guest(pair), _Alone(pair)
        guest.log_on()
        clean_up.callback(guest.lose)
        clean_up.callback(alone.close)
        for number in range(trips):
            began_s = time.monotonic()
            times_ns = _over_bridge(guest, alone.terms(f"b{number}"))
            taken_ns.append(times_ns["A"])
            acknowledged_ns.append(times_ns["0"])
            ccxt_ns.append(alone.place(f"c{number}"))
            time.sleep(max(0.0, PACE_S - (time.monotonic() - began_s)))
    return BridgeTrips(percentiles_us(taken_ns), percentiles_us(acknowledged_ns), percentiles_us(ccxt_ns))


def _over_bridge(guest: Guest, terms: BridgedTerms) -> dict[str, int]:
    """Nanoseconds until each ExecType(150) of the order was told, up to the acknowledgement. Raises StackFailed."""
    t, found = terms, dict[str, int]()
    guest.told.clear()
    began_ns = time.perf_counter_ns()
    guest.send("D", f"11={t.venue_id}|55={t.symbol}|54={t.side}|38={t.order_qty}|40=2|44={t.price}|59=1|")
    while "0" not in found:
        if not guest.hear(1.0) or "8" in found:
            raise StackFailed(f"the bridge does not take the order: {guest.told[-1:]}")
        for each in guest.told:
            found.setdefault(each.get(150, ""), time.perf_counter_ns() - began_ns)
    return found


class _Alone:
    """CCXT alone: it signs and sends, and reads the answer."""

    def __init__(self, pair: BridgePair) -> None:
        config, venue = pair.stack.config, pair.config
        credentials = read_credentials(venue.credentials, config)
        assert credentials is not None and venue.rest is not None
        settings = RestSettings(venue.name, venue.rest.url, credentials, venue.rest.timeout_ms, venue.rest.ca)
        self._backend = find_backend(venue.dialect)(settings)
        # Every venue that CCXT signs for asks through its client.
        self._exchange = cast(Any, find_rest(venue.dialect)(settings)).api
        self._host = venue.rest.url.partition("//")[2].partition("/")[0]
        instrument = next(iter(venue.instruments.values()))
        assert venue.simulated is not None
        self._symbol, self._qty = instrument.symbol, instrument.min_qty * 100
        self._price = Decimal(str(venue.simulated.prices[instrument.symbol])) - 500 * instrument.tick_size

    def close(self) -> None:
        """Give back its connection."""
        self._exchange.session.close()

    def terms(self, name: str) -> BridgedTerms:
        """A buy far below the book."""
        return BridgedTerms(name, self._symbol, "1", "2", self._qty, self._price)

    def place(self, name: str) -> int:
        """Nanoseconds for one order."""
        began_ns, wall_ns = time.perf_counter_ns(), time.time_ns()
        call = self._backend.new(self.terms(name), wall_ns, wall_ns + LIFE_NS)
        url, body = f"http://{self._host}{call.target}", call.body.decode() or None
        self._exchange.fetch(url, call.method, dict(call.headers), body)
        return time.perf_counter_ns() - began_ns


def measure_long_start(records: int) -> BridgeStart:
    """Write a log of so many records, one order in a hundred still open, and open it from a snapshot and without."""
    with tempfile.TemporaryDirectory(prefix="fixring-bridge-") as name:
        folder = Path(name) / "log"
        folder.mkdir()
        orders = _write_log(folder, records)
        with_s, in_memory = _open(folder)
        shutil.rmtree(folder / "snapshots", ignore_errors=True)
        for file in folder.glob("orders.db*"):
            file.unlink()
        without_s, _ = _open(folder)
    return BridgeStart(records, with_s, without_s, in_memory, orders)


def _store(folder: Path) -> Store:
    return Store(WRITER, str(folder), OsFiles(), FileArchive(folder / "orders.db"), 1 << 26)


def _open(folder: Path) -> tuple[float, int]:
    """Seconds, and how many orders are in memory then."""
    store = _store(folder)
    began_s = time.perf_counter()
    store.open(_now())
    seconds = time.perf_counter() - began_s
    in_memory = len(store.book)
    store.abandon()
    return seconds, in_memory


def _write_log(folder: Path, records: int) -> int:
    store = _store(folder)
    store.open(_now())
    orders = records // RECORDS_OF_ORDER
    for number in range(orders):
        for each in _order(number, is_open=number % 100 == 0):
            store.record(each)
        if number % ORDER_TURNS == 0:
            store.commit(_now())
            store.tidy()
    store.commit(_now())
    store.abandon()
    return orders


def _order(number: int, *, is_open: bool) -> list[BridgeRecord]:
    """What one order leaves in the log: taken, acknowledged, and filled unless it stays open."""
    name, raw, stamp_ns = f"o{number}", b"8=FIX.4.4\x01" + b"x" * 250, time.time_ns()
    terms = BridgedTerms(name, "A-B", "1", "2", Decimal("0.5"), Decimal("65000.1"))
    told = [Sent("GUEST", 1, 3 * number + each, "8", raw) for each in (1, 2, 3)]
    fill = Filled(name, str(number), Decimal("65000.1"), Decimal("0.5"), Decimal("0.01"), "B", True, stamp_ns)
    records: list[BridgeRecord] = [
        Taken("GUEST", 1, number + 1, "D", name, name, terms, stamp_ns, stamp_ns=stamp_ns), told[0],
        Acknowledged(name, str(10_000_000 + number)), told[1], Numbered("GUEST", 1, 3 * number + 4, number + 2),
    ]  # fmt: skip
    return records if is_open else [*records, fill, told[2]]


def _now() -> Instant:
    return Instant(time.time_ns(), time.clock_gettime_ns(time.CLOCK_BOOTTIME))

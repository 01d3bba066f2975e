"""A bridge is killed, again and again, over requests without an answer; then what became of each is looked up.

The venue's instruments are traded in turn, spot and contracts. At every kill what is undecided is read from the
bridge's own log, as the killed process left it. What ended each stands in the same log later, and the venue's own books
are the judge.
"""

import contextlib
import random
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from common.journal.files import OsFiles
from common.journal.reader import iterate
from scripts.bridge_pair import BridgePair, Guest, now
from services.bridge.archive_file import FileArchive
from services.bridge.book import FILLED, BridgedOrder
from services.bridge.records import (
    NEVER_LEFT,
    RECORD_KIND,
    Acknowledged,
    Amended,
    Ended,
    Filled,
    OrderRecord,
    Refused,
    decode_records,
)
from services.bridge.store import Store

IN_FLIGHT_S = 5.0
LOOKS = 5
"""How often what seems to differ is looked at."""

FAULTS = ("stall", "slow", "lost", "unknown", "half")
"""What the venue's REST side does meanwhile: answers late or not at all, and to some requests that nobody knows."""

KINDS = {"D": "new order", "F": "cancel", "G": "amendment"}
WORDS = {
    "told": "the venue told its end", "never_left": "no byte of it had left",
    "never_reached": "it never reached the venue", "forgotten": "the venue has forgotten it",
}  # fmt: skip


class Undecided(NamedTuple):
    """A request without an outcome: `kind` is its MsgType(35)."""

    venue_id: str
    cl_ord_id: str
    kind: str


class Kill(NamedTuple):
    """One kill: the last record of the log then, what was undecided, and what the venue was doing wrong."""

    lsn: int
    undecided: tuple[Undecided, ...]
    fault: str


class KillReport(NamedTuple):
    """What came of it. `ends` counts the undecided requests by what they were and what decided them."""

    kills: list[Kill]
    ends: Counter[tuple[str, str]]
    differences: list[str]


class BridgeKills:
    """See the module."""

    def __init__(self, pair: BridgePair, folder: Path, seed: int, in_flight: int) -> None:
        """`in_flight` is how many new orders are placed right before each kill, beside cancels and amendments. A few
        may have an answer by then."""
        self._pair = pair
        self._folder = folder
        self._random = random.Random(seed)
        self._in_flight = in_flight
        self._guest = Guest(pair)
        self._names = 0
        self._placed: list[str] = []
        self._instruments = tuple(pair.config.instruments.values())
        self._trade(0)

    def run(self, kills: int, say: Callable[[str], None]) -> KillReport:
        """So many kills. Raises StackFailed."""
        self._guest.log_on()
        done = []
        for number in range(1, kills + 1):
            self._trade(number - 1)
            done.append(self._kill())
            counts = [len(each.undecided) for each in done]
            say(f"{number} kills, {sum(counts)} undecided, at least {min(counts)} at each")
        self._pair.wait_live(undecided=False)
        self._guest.lose()
        ends = Counter[tuple[str, str]]()
        with self._store() as store:
            for kill in done:
                for each in kill.undecided:
                    ends[KINDS[each.kind], self._end(store, kill, each)] += 1
        return KillReport(done, ends, self._differences())

    # ---- one kill

    def _kill(self) -> Kill:
        fault = self._random.choice(FAULTS)
        resting = [self._order(far=True) for _ in range(4)]
        self._guest.hear(0.2)
        slow = fault in ("stall", "slow")
        count, ms = (0, self._random.randrange(200, 1500)) if slow else (self._random.randrange(4, 12), 0)
        self._pair.ask("exchange", "fault", {"kind": fault, "scope": "rest", "count": count, "ms": ms})
        if not slow:
            # So that there is time to kill it over what is unclear.
            self._pair.ask("exchange", "fault", {"kind": "slow", "scope": "rest", "count": 0, "ms": 400})
        for n, name in enumerate(resting):
            self._names += 1
            ask, more = ("F", "") if n % 2 else ("G", f"38={self._qty * 2}|40=2|44={self._px - 90 * self._tick}|")
            self._guest.send(ask, f"11=k{self._names}|41={name}|55={self._symbol}|54=1|{more}")
        for n in range(self._in_flight):
            self._order(far=bool(n % 3))
        return self._die(fault)

    def _order(self, *, far: bool) -> str:
        """Place a buy: one that rests far below the book, or one that takes."""
        self._names += 1
        name = f"k{self._names}"
        px = self._px - (100 + self._names % 50) * self._tick if far else self._px + 50 * self._tick
        terms = f"55={self._symbol}|54=1|38={self._qty}|40=2|44={px}|59=1|"
        self._guest.send("D", f"11={name}|{terms}")
        self._placed.append(name)
        return name

    def _die(self, fault: str) -> Kill:
        """Kill the bridge once it has taken all, and start it again."""
        deadline_s, wanted = time.monotonic() + IN_FLIGHT_S, self._placed[-1]
        while not any(each.get(11) == wanted for each in self._guest.told) and time.monotonic() < deadline_s:
            self._guest.hear(0.01)
        self._pair.kill("bridge")
        self._guest.lose()
        self._guest.told.clear()
        with self._store() as store:
            orders = store.book.open.values()
            undecided = [Undecided(o.venue_id, o.cl_ord_id, "D") for o in orders if o.is_undecided]
            undecided += [Undecided(o.venue_id, w.cl_ord_id, w.kind) for o in orders for w in o.wishes.values()]
            # The copy's own epoch record is the last.
            lsn = store.last_lsn - 1
        self._pair.ask("exchange", "fault", {"kind": "clear"})
        self._pair.start("bridge")
        self._pair.wait_live(undecided=False)
        self._guest.log_on()
        return Kill(lsn, tuple(undecided), fault)

    def _trade(self, number: int) -> None:
        """The instruments in turn, each about the price that the simulated venue starts at."""
        instrument, simulated = self._instruments[number % len(self._instruments)], self._pair.config.simulated
        assert simulated is not None
        self._symbol, self._tick, self._qty = instrument.symbol, instrument.tick_size, instrument.min_qty * 100
        self._px = simulated.prices[self._symbol]

    # ---- the bridge's log

    @contextlib.contextmanager
    def _store(self) -> Iterator[Store]:
        """A copy of the bridge's log as it is now, folded."""
        copy = self._folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self._pair.stack.config.paths.bridge(self._pair.venue), copy)
        archive = FileArchive(copy / "orders.db")
        store = Store(f"bridge@{self._pair.venue}", str(copy), OsFiles(), archive, 1 << 24, 1 << 60)
        store.open(now())
        try:
            yield store
        finally:
            store.abandon()

    def _end(self, store: Store, kill: Kill, request: Undecided) -> str:
        """What the log says of the request first, after the kill."""
        for record in iterate(str(self._folder / "copy"), OsFiles(), kill.lsn + 1, store.last_lsn):
            if record.kind == RECORD_KIND:
                for each in decode_records(record.payload):
                    word = _decides(each, request) if isinstance(each, OrderRecord) else ""
                    if word:
                        return word
        # What fills an order ends every other request about it, without a word of its own.
        return "the order was filled" if store.book.order(request.venue_id).end == FILLED else "nothing yet"

    def _differences(self) -> list[str]:
        """What differs of any order. The venue trades on between the copy of the log and what it is asked: what seems
        to differ is looked at again in a later copy, and what differs in the end does."""
        names, found = self._placed, list[str]()
        for _ in range(LOOKS):
            with self._store() as store:
                differing = {name: apart for name in names if (apart := self._compare(store, name))}
            names, found = list(differing), [line for apart in differing.values() for line in apart]
            if not names:
                break
        return found

    def _compare(self, store: Store, name: str) -> list[str]:
        """What differs between the log and the venue's own books. One that the bridge never took is at neither."""
        answer = self._pair.ask("exchange", "order", {"cl_ord_id": name})["order"]
        ours = store.book.order(name) if store.book.has(name) else None
        if not isinstance(answer, dict):
            if ours is None or ours.ord_status == "8" or ours.evidence == NEVER_LEFT:
                # The last one was cancelled before a byte of it had left.
                return []
            return [f"{name} is {ours.ord_status} in the log, and unknown at the venue"]
        if ours is None:
            return [f"{name} is at the venue, and not in the log"]
        return _apart(name, ours, answer)


def _apart(name: str, ours: BridgedOrder, theirs: dict[str, object]) -> list[str]:
    found = []
    if Decimal(str(theirs["cum_qty"])) != ours.cum_qty:
        found.append(f"{name} is filled {ours.cum_qty} in the log, {theirs['cum_qty']} at the venue")
    if str(theirs["ord_status"]) != ours.ord_status:
        found.append(f"{name} is {ours.ord_status} in the log, {theirs['ord_status']} at the venue")
    return found


def _decides(record: OrderRecord, request: Undecided) -> str:
    """What a record decides of the request, "" for nothing."""
    if getattr(record, "venue_id", "") != request.venue_id:
        return ""
    if isinstance(record, Ended):
        return WORDS[record.evidence]
    if request.kind == "D":
        if isinstance(record, Acknowledged):
            return "it was found at the venue"
        return "it was filled" if isinstance(record, Filled) else ""
    if isinstance(record, Amended | Refused) and record.cl_ord_id == request.cl_ord_id:
        return "it was carried out" if isinstance(record, Amended) else "it came to nothing"
    return ""

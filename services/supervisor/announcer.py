"""What a person sees of a running stack: progress while it starts, one block when it is ready, then a line a fill.

It reads the journal's files up to the last published record, as any local reader may: a subscription to the stream
would cost every order's round trip, and nobody needs these lines within the millisecond.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from common.actor.control import ask_all
from common.config import Config, VenueConfig
from common.config import Kind as ProcfileKind
from common.journal.errors import JournalError
from common.journal.files import OsFiles
from common.journal.frames import Record
from common.journal.reader import Reader
from common.messages import AmendOrder, ExecutionReport, Inbound, Kind, NewOrder, OrderEvent, Outbound
from common.orders.belief import SIDES
from common.orders.words import FILLS
from common.restrictions import Restriction, not_to_run, restrictions
from common.strategy.client import Client, NotRunning
from common.strategy.entry import Superseded
from common.venues.registry import find_profile

PERIOD_S = 0.25
ANSWER_S = 0.5
PROGRESS_S = 5.0
PATIENCE_S = 3.0
"""First prices come a moment after the last session is up."""

READY = "READY"
SUPERVISOR = "supervisor-strategies"
NAME = "announcer"
"""As whom it asks for the open orders."""

# As much as a person can follow; the journal has them all.
LINES_PER_PERIOD = 5
ORDERS_KEPT = 20_000
# What an actor that is up says while it cannot do its work yet; a session is up when it is "ready", its gate open, or
# when it is not to be connected now.
NOT_YET = ("starting", "restarting", "waiting", "waiting for the journal", "connecting", "logged_on", "not answering")
SESSION_READY = ("ready", "off_schedule")

_decode_inbound = msgspec.msgpack.Decoder(Inbound).decode
_decode_outbound = msgspec.msgpack.Decoder(Outbound).decode

Statuses = Mapping[str, Mapping[str, object]]


class FillLines:
    """Turns journal records into a line for each fill; remembers the latest orders to say whose it was."""

    def __init__(self) -> None:
        """Knows no order yet."""
        self._orders: OrderedDict[str, NewOrder | AmendOrder | OrderEvent] = OrderedDict()
        self._told: OrderedDict[tuple[str, str, str], None] = OrderedDict()

    def know(self, orders: Iterable[OrderEvent]) -> None:
        """Orders from before the first record that it is given, as the order manager has them."""
        for order in orders:
            self._orders[order.cl_ord_id] = order

    def lines(self, records: Iterable[Record]) -> list[str]:
        """The lines of these records, which follow those of the last call."""
        found = []
        for record in records:
            if record.kind == Kind.OUTBOUND:
                self._remember(_decode_outbound(record.payload))
            elif record.kind == Kind.INBOUND:
                inbound = _decode_inbound(record.payload)
                for event in inbound.events:
                    if isinstance(event, ExecutionReport) and event.last_qty > 0 and event.exec_type in FILLS:
                        found += self._lines_of(inbound, event, record.lsn)
        return found

    def _lines_of(self, inbound: Inbound, fill: ExecutionReport, lsn: int) -> list[str]:
        """Its line, or none where it has one: order entry and a drop copy tell of the same fills."""
        key = (inbound.account, fill.symbol, fill.trade_key)
        if fill.trade_key and key in self._told:
            return []
        self._told[key] = None
        if len(self._told) > ORDERS_KEPT:
            self._told.popitem(last=False)
        return [self._line(inbound.session, fill, lsn)]

    def _remember(self, outbound: Outbound) -> None:
        command = outbound.command
        if isinstance(command, NewOrder | AmendOrder):
            for each in command.orders if isinstance(command, NewOrder) else (command,):
                self._orders[each.cl_ord_id] = each
            while len(self._orders) > ORDERS_KEPT:
                self._orders.popitem(last=False)

    def _line(self, venue: str, report: ExecutionReport, lsn: int) -> str:
        order = self._orders.get(report.cl_ord_id) or self._orders.get(report.orig_cl_ord_id)
        name = report.cl_ord_id if order is None else _order_name(order)
        # What the fill is of, and which way, is its order's matter.
        symbol, told_side = (report.symbol, report.side) if order is None else (order.symbol, order.side)
        side = {"1": "buys", "2": "sells"}.get(SIDES.get(told_side, ""), "trades")
        fee = f", fee {report.fee_qty.normalize():f} {report.fee_asset}" if report.fee_qty else ""
        price = f"{report.last_px.normalize():f}" if report.last_px else "an unknown price"
        what = f"{report.last_qty.normalize():f} {symbol} at {price}"
        return f"fill: {name} {side} {what} on {venue}{fee} (LSN {lsn})"


def _order_name(order: NewOrder | AmendOrder | OrderEvent) -> str:
    if isinstance(order, AmendOrder):
        return f"{order.target_strategy}/{order.target_number}"
    return f"{order.strategy}/{order.number}"


def waiting_for(config: Config, statuses: Statuses) -> list[str]:
    """The actors that are not ready yet, each with its state.

    A session is ready once it is logged on and reconciled, or out of its schedule. Who only looks on is not waited for.
    """
    waiting = []
    for actor in (actor for actor in config.actors() if not actor.kind.is_reader):
        state = str(statuses.get(actor.name, {}).get("state", "not answering"))
        order_entry = actor.name.startswith("session@")
        if state in NOT_YET or (order_entry and state not in SESSION_READY):
            waiting.append(f"{actor.name} ({state})")
    return waiting


def ready_block(config: Config, restricted: Sequence[Restriction] = ()) -> list[str]:
    """What runs, where the journal is, and what to try next; READY is said where nothing restricts it."""
    actors = config.actors()
    venues = ", ".join(f"{name} ({_standing(venue)})" for name, venue in config.venues.items())
    return [
        "-" * 72,
        f"fixring is up: {config.environment.upper()}, {len(actors)} processes",
        f"  venues      {venues}",
        f"  strategies  {', '.join(config.strategies) or 'none'}",
        f"  journal     {config.journal_folder}",
        "try, in a second terminal:",
        "  scripts/fixring status            every actor, asked live",
        "  scripts/fixring orders list       and: positions, journal tail",
        *(["  scripts/fixring desk address      the web page's address"] if config.stack.desk.enabled else []),
        "  scripts/fixring reconcile         our books against the exchanges' own",
        "  kill -9 a process from `status`   and watch it come back",
        "Ctrl-C stops everything. Fills follow.",
        "-" * 72,
        *(f"RESTRICTED {found.actor}: {found.text}" for found in restricted),
        "UP, BUT RESTRICTED: see above" if restricted else READY,
    ]


def _standing(venue: VenueConfig) -> str:
    """Where its orders go, and what must be said with its name."""
    caveat = find_profile(venue.dialect).caveat
    return f"{venue.environment}, {caveat}" if caveat else venue.environment


class Announcer:
    """A thread beside the supervisor: it asks and reads, and disturbs nobody."""

    def __init__(self, config: Config, say: Callable[[str], None]) -> None:
        """`say` prints one line."""
        self._config = config
        self._say = say
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="announcer", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Say nothing more."""
        self._ended.set()

    def _run(self) -> None:
        statuses = self._until_ready()
        if not self._ended.is_set():
            restricted = restrictions(statuses)
            for line in ready_block(self._config, restricted):
                self._say(line)
            self._tell_fills(_lsn(statuses), is_restricted=bool(restricted))

    def _until_ready(self) -> Statuses:
        """Wait until everything is up, and a little longer for what may end by itself; returns the answers then."""
        told, rounds, patience = "", 0, int(PATIENCE_S / PERIOD_S)
        while not self._ended.wait(PERIOD_S):
            statuses = self._all_statuses()
            waiting = waiting_for(self._config, statuses)
            if not waiting:
                patience -= 1
                if patience < 0 or not restrictions(statuses):
                    return statuses
            rounds += 1
            if rounds % int(PROGRESS_S / PERIOD_S) == 0 and (text := ", ".join(waiting)) != told:
                told = text
                self._say(f"waiting for {text}")
        return {}

    def _all_statuses(self) -> Statuses:
        names = [actor.name for actor in self._config.actors()]
        answers = self._statuses([*names, SUPERVISOR])
        children = answers.get(SUPERVISOR, {}).get("actors", {})
        assert isinstance(children, dict)
        return {**not_to_run(names, children), **answers}

    def _statuses(self, names: list[str]) -> Statuses:
        questions: list[tuple[str, str, dict[str, object]]] = [(name, "status", {}) for name in names]
        return ask_all(self._config.reach, questions, ANSWER_S, role=ProcfileKind.STRATEGIES).details

    def _open_orders(self) -> Sequence[OrderEvent]:
        """The orders that rest already: their fills are to be called by their names. None where nobody tells them."""
        try:
            with Client(NAME, config=self._config) as client:
                return client.query("orders").orders
        except (NotRunning, Superseded):
            return ()

    def _look_whether_ready(self) -> bool:
        """Say READY once nothing restricts the stack any more; returns whether something does."""
        statuses = self._all_statuses()
        if waiting_for(self._config, statuses) or restrictions(statuses):
            return True
        self._say(READY)
        return False

    def _tell_fills(self, last_lsn: int, *, is_restricted: bool) -> None:
        reader = Reader(str(self._config.journal_folder), OsFiles())
        fills = FillLines()
        fills.know(self._open_orders())
        rounds = 0
        while not self._ended.wait(PERIOD_S):
            rounds += 1
            if is_restricted and rounds % int(PROGRESS_S / PERIOD_S) == 0:
                is_restricted = self._look_whether_ready()
            upto = _lsn(self._statuses(["journal"]))
            lines: list[str] = []
            while last_lsn < upto and not self._ended.is_set():
                try:
                    records = reader.read(last_lsn + 1, upto)
                except JournalError:
                    # The segment went by retention while this was busy printing: go on from the present.
                    last_lsn = upto
                    break
                if not records:
                    break
                lines += fills.lines(records)
                last_lsn = records[-1].lsn
            for line in lines[:LINES_PER_PERIOD]:
                self._say(line)
            if len(lines) > LINES_PER_PERIOD:
                self._say(f"fill: ... and {len(lines) - LINES_PER_PERIOD} more in {PERIOD_S} s")


def _lsn(statuses: Statuses) -> int:
    lsn = statuses.get("journal", {}).get("lsn", 0)
    return lsn if isinstance(lsn, int) else 0

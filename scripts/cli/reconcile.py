"""`fixring reconcile`: our books against the venues', and against the simulated exchanges' own as a second witness.

How it compares while strategies go on trading. A simulated exchange tells its whole state as of one instant, with the
next numbers of our session: everything that it had said by then is in our journal under MsgSeqNum(34) below its next
outbound number, and everything that it had heard below its next inbound one. So the journal is folded, with the order
manager's own fold, exactly as far as that last number, and there both must be the same: open orders, what each
asset's balance has changed by, fills, and the numbers themselves. What we had numbered and it had not heard yet is
under way, not a difference.

Before that the order manager is asked to audit: it asks every venue as a live desk must, OrderStatusRequest(H) where
there is one, else REST through account@venue. What the venues' words settle goes into the books; what they cannot
settle is told here.
"""

import time
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import click
import msgspec
import orjson

from common.actor.control import NoAnswer, NotRunning, Refused, ask
from common.config import Config, Environment, load
from common.exit_status import ExitStatus
from common.journal import OsFiles, Reader
from common.journal.frames import Record
from common.messages import Discrepancy, Kind, SessionState
from common.order_state import ZERO, Order
from scripts.cli.errors import CommandError
from services.orders.books import VenueBooks
from services.orders.fold import Fold
from services.orders.make_snapshot import newest_books

AUDIT_S = 10.0
PAUSE_S = 0.05
RETRY_S = 0.2
NUMBER_S = 2.0
"""How long the journal may take to show what an exchange has said before its session counts as cut."""

UNSETTLED = "kept"
"""An audit's discrepancy whose action begins so needs a person."""


@click.command()
@click.option("--venue", default="", help="Only this venue.")
@click.option("--timeout", "timeout_s", default=15.0, show_default=True, help="Seconds to come to an equal instant.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of text.")
def reconcile(venue: str, timeout_s: float, as_json: bool) -> None:
    """Compare positions, balances, open orders, fills and sequence numbers with the venues; exit 0 when all are equal.

    A difference counts when it is there as of one and the same sequence number, and still there at the next try.
    """
    config = load()
    names = [name for name in config.venues if venue in ("", name)]
    if not names:
        raise CommandError(f"{venue}: no such venue; there is {', '.join(config.venues)}", ExitStatus.REFUSED)
    _need_orders(config)
    books = JournalBooks(config)
    books.read_on()
    unsettled = audit(config, books, names)
    results = {name: _venue_result(config, books, name, timeout_s) for name in names}
    for name, found in unsettled.items():
        results[name]["differences"] += found
    equal = all(result["compared"] and not result["differences"] for result in results.values())
    if as_json:
        document = {"environment": config.environment.value, "equal": equal, "venues": results}
        click.echo(orjson.dumps(document))
    else:
        for name, result in results.items():
            click.echo(_told(name, result))
    if not equal:
        raise click.exceptions.Exit(ExitStatus.FAILURE)


def _need_orders(config: Config) -> None:
    try:
        state = ask(config.paths.run, "orders", "status").get("state")
    except NotRunning as error:
        raise CommandError(str(error), ExitStatus.NOT_RUNNING) from None
    except NoAnswer as error:
        raise CommandError(str(error), ExitStatus.TIMEOUT) from None
    if state not in ("live", "restarting"):
        raise CommandError(f"orders is {state}: nothing can be compared; try again", ExitStatus.FAILURE)


# ---- our side: the journal, folded ----


class JournalBooks:
    """The journal folded as the order manager folds it, as far as it was read: from the newest snapshot on."""

    def __init__(self, config: Config) -> None:
        """Nothing is read yet but the snapshot."""
        self._reader = Reader(config.journal_folder, OsFiles())
        self.books = newest_books(config)
        self._fold = Fold(self.books)
        self.discrepancies: list[tuple[int, Discrepancy]] = []
        self._pending: Iterator[Record] = iter(())

    @property
    def lsn(self) -> int:
        """The last record folded."""
        return self.books.lsn

    def read_on(self) -> None:
        """Fold everything that the journal has."""
        while self.step():
            pass

    def step(self) -> bool:
        """Fold the next record, if the journal has one."""
        record = next(self._pending, None)
        if record is None:
            first = self.books.lsn + 1 if self.books.lsn else self._reader.first_lsn()
            self._pending = iter(self._reader.read(first, self._reader.durable_lsn()))
            record = next(self._pending, None)
        if record is None:
            return False
        self._fold.apply(record)
        if record.kind == Kind.DISCREPANCY:
            self.discrepancies.append((record.lsn, _discrepancy(record.payload)))
        return True


_discrepancy = msgspec.msgpack.Decoder(Discrepancy).decode


# ---- the live desk's way ----


def audit(config: Config, books: JournalBooks, names: list[str]) -> dict[str, list[str]]:
    """Have orders ask the venues about everything open; what their answers could not settle, by venue."""
    from_lsn = books.lsn
    found: dict[str, list[str]] = {name: [] for name in names}
    try:
        ask(config.paths.run, "orders", "audit")
        deadline = time.monotonic() + AUDIT_S
        while left := _auditing(ask(config.paths.run, "orders", "status"), names):
            if time.monotonic() > deadline:
                for name in left:
                    found[name].append(f"the audit did not end within {AUDIT_S:g} s")
                break
            time.sleep(PAUSE_S)
    except (NotRunning, NoAnswer, Refused) as error:
        for name in names:
            found[name].append(f"orders could not audit: {error}")
    books.read_on()
    for lsn, told in books.discrepancies:
        if lsn > from_lsn and told.venue in found and told.action.startswith(UNSETTLED):
            found[told.venue].append(f"{told.subject}: ours {told.ours}, theirs {told.theirs} (LSN {lsn})")
    return found


def _auditing(status: Mapping[str, Any], names: list[str]) -> list[str]:
    return [name for name in names if status.get("venues", {}).get(name, {}).get("auditing")]


# ---- the second witness ----


def _venue_result(config: Config, books: JournalBooks, name: str, timeout_s: float) -> dict[str, Any]:
    if config.venues[name].environment is not Environment.SIMULATED:
        differences = [f"{_name(order)} is UNKNOWN" for order in books.books.open_orders(name) if order.is_unknown]
        return {"compared": True, "as_of": f"LSN {books.lsn}, by the venue's answers", "differences": differences}
    deadline = time.monotonic() + timeout_s
    result: dict[str, Any] = {"compared": False, "as_of": "", "differences": ["the session did not open in time"]}
    while True:
        theirs = _exchange_state(config, name)
        attempt = None if theirs is None else _compare_at(config, books, name, theirs)
        if attempt is not None:
            result = attempt
            if not result["differences"]:
                return result
        if time.monotonic() > deadline:
            return result
        time.sleep(RETRY_S)


def _exchange_state(config: Config, name: str) -> dict[str, Any] | None:
    try:
        return ask(config.paths.run, f"exchange@{name}", "state")
    except (NotRunning, NoAnswer):
        return None
    except Refused as error:
        raise CommandError(f"exchange@{name}: {error}") from None


def _compare_at(config: Config, books: JournalBooks, name: str, theirs: Mapping[str, Any]) -> dict[str, Any] | None:
    """Both sides as of the last thing that the exchange had said; None when the journal cannot be read just so far."""
    session = books.books.venue(name)
    said = _their_session(books, name, theirs)
    if said is None or session.last_inbound > said["next_outbound"] - 1:
        books.read_on()
        return None
    generation, wanted = session.generation, said["next_outbound"] - 1
    deadline = time.monotonic() + NUMBER_S
    while session.last_inbound < wanted:
        if not books.step():
            if time.monotonic() > deadline:
                return None
            time.sleep(PAUSE_S)
        if session.generation != generation:
            return None
    if session.state is not SessionState.OPENED:
        return None
    differences = [
        *_numbers_differ(session, said),
        *_orders_differ(books, name, theirs, said["next_inbound"]),
        *_balances_differ(config, books, name, theirs),
        *_fills_differ(books, name, theirs),
    ]
    as_of = f"MsgSeqNum(34) {wanted} of generation {generation}, LSN {books.lsn}"
    counts = {"open_orders": len(theirs["orders"]), "fills": theirs["trade_count"]}
    return {"compared": True, "as_of": as_of, "differences": differences, **counts}


def _their_session(books: JournalBooks, name: str, theirs: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Their end of our present connection; None while there is none."""
    session = books.books.venue(name)
    said: Mapping[str, Any] | None = theirs["sessions"].get(session.sender_comp_id)
    return said if said is not None and said["state"] == "logged_on" else None


def _numbers_differ(ours: VenueBooks, theirs: Mapping[str, Any]) -> list[str]:
    if theirs["next_inbound"] - 1 <= ours.last_outbound:
        return []
    heard = theirs["next_inbound"] - 1
    return [f"the exchange has heard MsgSeqNum(34) {heard}, the journal holds only {ours.last_outbound} sent"]


def _orders_differ(books: JournalBooks, name: str, theirs: Mapping[str, Any], next_inbound: int) -> list[str]:
    differences = []
    open_there = {row["cl_ord_id"]: row for row in theirs["orders"]}
    for order in books.books.open_orders(name):
        for leg in order.legs:
            if not leg.is_open:
                continue
            row = open_there.pop(leg.cl_ord_id, None)
            # A replacement's own number is not kept: until it is heard of, it is under way.
            unheard = leg.owner in order.requests or order.sent_number >= next_inbound
            under_way = not leg.word and unheard
            if row is not None:
                differences += _terms_differ(order, leg.cl_ord_id, row)
            elif not under_way:
                differences.append(f"{_name(order)} ({leg.cl_ord_id}) is {order.status.value} for us, not open there")
    for cl_ord_id, row in open_there.items():
        side = "buy" if row["side"] == "1" else "sell"
        differences.append(
            f"{cl_ord_id} ({side} {row['leaves_qty']} of {row['order_qty']} {row['symbol']}) is open there, not for us"
        )
    return differences


def _terms_differ(order: Order, cl_ord_id: str, row: Mapping[str, Any]) -> list[str]:
    leg = next(leg for leg in order.legs if leg.cl_ord_id == cl_ord_id)
    price = None if row["price"] is None else Decimal(row["price"])
    ours = (leg.order_qty, leg.price, leg.cum_qty)
    there = (Decimal(row["order_qty"]), price, Decimal(row["cum_qty"]))
    if ours == there:
        return []
    shown = " and ".join(f"{qty} at {px} with {cum} filled" for qty, px, cum in (ours, there))
    return [f"{_name(order)} ({cl_ord_id}): ours and theirs are {shown}"]


def _balances_differ(config: Config, books: JournalBooks, name: str, theirs: Mapping[str, Any]) -> list[str]:
    """What our fills say that each asset has changed by, and what it has."""
    ours: dict[str, Decimal] = {}
    for (venue, symbol), position in books.books.positions.items():
        instrument = config.venues[name].instruments.get(symbol) if venue == name else None
        if instrument is None:
            continue
        ours[instrument.base] = ours.get(instrument.base, ZERO) + position.quantity
        ours[instrument.quote] = ours.get(instrument.quote, ZERO) + position.cash
        for asset, paid in position.fees.items():
            if asset != instrument.base:
                ours[asset] = ours.get(asset, ZERO) - paid
    there = {asset: Decimal(row["change"]) for asset, row in theirs["positions"].items()}
    return [
        f"{asset}: our fills changed it by {ours.get(asset, ZERO)}, the balance changed by {there.get(asset, ZERO)}"
        for asset in sorted(ours.keys() | there.keys())
        if ours.get(asset, ZERO) != there.get(asset, ZERO)
    ]


def _fills_differ(books: JournalBooks, name: str, theirs: Mapping[str, Any]) -> list[str]:
    ours = sum(position.fills for (venue, _), position in books.books.positions.items() if venue == name)
    return [] if ours == theirs["trade_count"] else [f"{ours} fills for us, {theirs['trade_count']} there"]


def _name(order: Order) -> str:
    return f"{order.strategy}/{order.number}"


def _told(name: str, result: Mapping[str, Any]) -> str:
    if not result["compared"]:
        head = f"{name}: not compared"
    elif result["differences"]:
        head = f"{name}: {len(result['differences'])} differences as of {result['as_of']}"
    else:
        counts = "" if "fills" not in result else f" ({result['open_orders']} open orders, {result['fills']} fills)"
        head = f"{name}: equal as of {result['as_of']}{counts}"
    return "\n".join([head, *(f"  {difference}" for difference in result["differences"])])

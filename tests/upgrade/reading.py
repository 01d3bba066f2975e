"""What the code at hand reads out of a store, in words that do not depend on any Struct of ours.

The same document is made in two ways: of the log alone, and of the snapshots and the index with what the log has behind
them. `expected.json` is what the code that made the store read out of the log. Only this file knows how the code at
hand is asked; what it must find stands in `expected.json`.

    lsn         the last durable record
    positions   venue, symbol: quantity, average price, profit, fees paid
    orders      every order: terms, state, CumQty(14), AvgPx(6), LeavesQty(151), the venue's names for it, as
                `order_fields` names them
    fills       the log alone: every fill, bust and correction of an order, in order
    outcomes    of every command that has one: strategy, outcome and reason, the numbers (3-5 is 3, 4, 5)
    highest     the highest number of each strategy
    strangers   OrderIDs open on our account that are nobody's
    sessions    the next numbers, the generation, the latch, and the ClOrdIDs of what may be open
    risk        what is held, and what may be bought and sold at worst; open orders, halts, the kill
    exchange    by the exchange's own log: what is open there, and what each symbol's position changed by
"""

from collections import defaultdict
from decimal import Decimal
from typing import Any

from common.config import Config
from common.journal import OsFiles, Reader
from common.journal.skipped import skipped_records
from common.left_out import LeftOut
from common.messages import OrderEvent
from common.orders.books import Books
from common.orders.changes import Change, CommandDecided, OrderChanged
from common.orders.fold import Fold
from common.orders.index import Index, IntoIndex
from common.orders.index_file import IndexFile, index_path
from common.venues.registry import find_dialect
from scripts.journal.past import session_writers
from scripts.torture.audit import Exchange
from services.orders.archive import Archive
from services.orders.make_snapshot import starting_books
from services.orders.settings import orders_settings
from services.risk.make_snapshot import newest_state
from services.risk.settings import risk_settings
from services.risk.state import RiskState
from services.session.make_snapshot import newest_folded
from services.session.recovery import Folded

Document = dict[str, Any]
FOREVER = (1 << 63) - 1
ORDER_FIELDS = [
    "venue", "symbol", "side", "state", "cl_ord_id", "order_id", "order_qty", "price", "cum_qty", "leaves_qty", "avg_px"
]  # fmt: skip
FILL_EVENTS = ("trade", "trade_cancel", "trade_correct")


def number_text(value: Decimal) -> str:
    """A number as it is written by hand: without an exponent, and without zeros that say nothing."""
    return format(value.normalize() if value else Decimal(0), "f")


def read_log(config: Config) -> Document:
    """Everything out of the log alone, from its first record on. Raises JournalError."""
    left_out, index = LeftOut(skipped_records(config.journal_folder, OsFiles())), Index()
    of_orders = {name: its.facts for name, its in orders_settings(config).accounts.items()}
    books = Books(of_orders, left_out=left_out, memory=index, leaving=IntoIndex(index))
    facts = {name: account.facts for name, account in risk_settings(config).accounts.items()}
    risk = RiskState(Books(facts, left_out=LeftOut(skipped_records(config.journal_folder, OsFiles()))))
    sessions = {
        writer: Folded(writer, venue, find_dialect(config.venues[venue].dialect), left_out)
        for writer, venue in _sessions(config).items()
    }
    folds = _Folds(config, books, Archive(books, index), risk, sessions)
    names, fills = folds.read_on()
    return folds.document(names) | {"fills": fills}


def read_snapshots(config: Config, names: list[str]) -> tuple[Document, dict[str, int]]:
    """Everything but the fills, out of the newest snapshots, the index and what follows; `names` are the orders and
    commands to look up. Also, by actor, behind which record the log was read. Raises JournalError, IndexFailed.
    """
    index = IndexFile(index_path(config.journal_folder))
    reader = Reader(config.journal_folder, OsFiles())
    try:
        books, risk = starting_books(config, index, reader), newest_state(config)
        sessions = {writer: newest_folded(venue, config) for writer, venue in _sessions(config).items()}
        places = {"orders": books.lsn, "risk": risk.lsn} | {name: folded.lsn for name, folded in sessions.items()}
        folds = _Folds(config, books, Archive(books, index), risk, sessions)
        folds.read_on()
        return folds.document(names), places
    finally:
        index.close()


class _Folds:
    """The actors' folds, each where it was begun."""

    def __init__(
        self, config: Config, books: Books, archive: Archive, risk: RiskState, sessions: dict[str, Folded]
    ) -> None:
        self._config = config
        self._books = books
        self._orders = Fold(books)
        self._archive = archive
        self._risk = risk
        self._sessions = sessions

    def read_on(self) -> tuple[list[str], Document]:
        """Fold the log to its durable end. Returns the names of the orders and commands met, and fills by order."""
        reader = Reader(self._config.journal_folder, OsFiles())
        last, names, fills = reader.durable_lsn(), dict[str, None](), defaultdict[str, list[list[str]]](list)
        lsn = min(self._books.lsn, self._risk.lsn, *(folded.lsn for folded in self._sessions.values()))
        while lsn < last:
            for record in reader.read(lsn + 1, last):
                lsn = record.lsn
                if lsn > self._books.lsn:
                    changes = self._orders.apply(record)
                    self._archive.take_late(record, changes)
                    _note(changes, names, fills)
                if lsn > self._risk.lsn:
                    self._risk.apply(record)
                for folded in self._sessions.values():
                    if lsn > folded.lsn:
                        folded.apply(record)
        return list(names), dict(sorted(fills.items()))

    def document(self, names: list[str]) -> Document:
        """Where they stand."""
        books, orders = self._books, Document()
        outcomes = defaultdict[str, defaultdict[str, list[int]]](lambda: defaultdict(list))
        for name in sorted(names):
            strategy, _, number = name.rpartition("/")
            known = self._archive.command(strategy, int(number))
            if known is not None and known.outcome:
                outcomes[strategy][f"{known.outcome} {known.reason}"].append(int(number))
            order = self._archive.order(strategy, int(number))
            if order is not None:
                orders[name] = order_words(order)
        return {
            "lsn": books.lsn,
            "positions": {
                f"{held.venue} {held.symbol}": {
                    "quantity": number_text(held.quantity),
                    "average_price": number_text(held.average_price),
                    "realised_profit": number_text(held.realised_profit),
                    "fees": {asset: number_text(paid) for asset, paid in sorted(held.fees.items())},
                }
                for _, held in sorted(books.positions.items())
            },
            "order_fields": ORDER_FIELDS,
            "orders": orders,
            "outcomes": {
                strategy: {outcome: ranges_text(numbers) for outcome, numbers in sorted(found.items())}
                for strategy, found in outcomes.items()
            },
            "highest": dict(sorted(books.names.highest.items())),
            "strangers": sorted(f"{e.venue} {e.order.order_id}" for e in books.externals.values()),
            "sessions": {name: _session_words(folded) for name, folded in sorted(self._sessions.items())},
            "risk": self._risk_words(),
            "exchange": {venue: exchange_words(self._config, venue) for venue in self._config.venues},
        }

    def _risk_words(self) -> Document:
        exposure = self._risk.exposure
        return {
            "killed": self._risk.killed,
            "halts": sorted(" ".join(part for part in halt if part) for halt in self._risk.halts),
            "open_orders": {name: count for name, count in sorted(exposure.open_orders.items()) if count},
            "held": {
                f"{venue} {symbol}": {
                    "position": number_text(sums.position),
                    "may_buy": number_text(sums.buy),
                    "may_sell": number_text(sums.sell),
                }
                for (venue, symbol), sums in sorted(exposure.firm.items())
            },
        }


def order_words(order: OrderEvent) -> list[str | None]:
    """An order in the words of the document, as ORDER_FIELDS names them."""
    return [
        order.venue, order.symbol, order.side, order.status.value, order.cl_ord_id, order.order_id,
        number_text(order.order_qty), None if order.price is None else number_text(order.price),
        number_text(order.cum_qty), number_text(order.leaves_qty), number_text(order.avg_px),
    ]  # fmt: skip


def names_in(document: Document) -> list[str]:
    """The names of every order and command that a document has."""
    names = dict.fromkeys(document["orders"])
    for strategy, outcomes in document["outcomes"].items():
        for each in " ".join(outcomes.values()).split():
            first, _, last = each.partition("-")
            names |= {f"{strategy}/{number}": None for number in range(int(first), int(last or first) + 1)}
    return list(names)


def ranges_text(numbers: list[int]) -> str:
    """Numbers as a person writes them: `1-3 7`."""
    ranges: list[list[int]] = []
    for number in sorted(numbers):
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return " ".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)


def exchange_words(config: Config, venue: str) -> Document:
    """What the exchange's own log has of our account."""
    exchange = Exchange(venue, config.paths.exchange(venue))
    exchange.read()
    truth = exchange.truth
    return {
        "open": {
            str(order.order_id): {
                "cl_ord_id": order.cl_ord_ids[-1],
                "side": order.side,
                "order_qty": number_text(order.order_qty),
                "leaves_qty": number_text(order.leaves_qty),
            }
            for order in truth.orders.values()
            if order.open
        },
        "positions": {symbol: number_text(truth.position(symbol)) for symbol in sorted(truth.positions)},
    }


def _note(changes: list[Change], names: dict[str, None], fills: dict[str, list[list[str]]]) -> None:
    for change in changes:
        if isinstance(change, CommandDecided):
            names[f"{change.strategy}/{change.number}"] = None
        elif isinstance(change, OrderChanged):
            name = f"{change.order.strategy}/{change.order.number}"
            names[name] = None
            if change.event in FILL_EVENTS and change.trade_key:
                told = [change.event, change.trade_key, number_text(change.last_qty), number_text(change.last_px)]
                fills[name].append([*told, change.reference_trade_key])


def _session_words(folded: Folded) -> Document:
    history = folded.history
    return {
        "generation": history.generation,
        "connection": history.connection,
        "next_outbound": history.next_outbound,
        "next_inbound": history.next_inbound,
        "latched": history.latched,
        "logged_out_by_hand": history.logged_out_by_hand,
        "may_be_open": sorted(order.cl_ord_id for order in history.orders.all()),
    }


def _sessions(config: Config) -> dict[str, str]:
    """The venue of each session by its writer's name."""
    reader = Reader(config.journal_folder, OsFiles())
    return {writer: writer.partition("@")[2] for writer in session_writers(config, reader)}

"""Commands and orders by name, in the books or gone from memory into the index, and the questions that both answer.

What the books forget goes into the index, and is looked up there when they do not have it any more. Questions change
nothing. One that nobody knows, or about a venue that is not there, has an answer of its own: what it is not, and what
there is.
"""

from collections.abc import Sequence

import msgspec
import orjson

from common.journal.frames import Record
from common.messages import OrderEvent, QueryAnswer, QueryRequest
from common.orders.books import Books
from common.orders.changes import EVENTS, Change, Unnamed, numbered
from common.orders.index import Index
from common.orders.leg import is_fill
from common.orders.money import held_by
from common.orders.names import Remembered
from common.orders.numbers import ZERO
from common.orders.positions import Position
from common.orders.views import position_event, standing_order
from common.orders.words import word_of_change
from services.orders.clients import StandingNames


class Archive:
    """Commands and orders by name, wherever they are."""

    def __init__(self, books: Books, index: Index) -> None:
        """What the books forget goes into `index`."""
        self._books = books
        self.index = index

    def command(self, strategy: str, number: int) -> Remembered | None:
        """What became of a command; None for one that nobody has seen."""
        return self._books.names.get(strategy, number) or self.index.command(strategy, number)

    def order(self, strategy: str, number: int) -> OrderEvent | None:
        """An order as it is, or as it ended; None for one that nobody has seen."""
        order = self._books.orders.get((strategy, number))
        return self.index.order(strategy, number) if order is None else standing_order(self._books, order)

    def late_report(self, record: Record, index: int, change: Unnamed) -> OrderEvent | None:
        """The event (LSN, `index`) of a report on an order that has left memory; None where it was no fill, bust or
        correction of one.

        The position has counted it; the order as it ended is changed by as much, once: read again, the log tells what
        the index has already.
        """
        report, fill = change.report, change.fill
        if fill is None:
            return None
        name = self.index.name_of(report.cl_ord_id) or self.index.name_of(report.orig_cl_ord_id)
        former = None if name is None else self.index.order(*name)
        if former is None:
            return None
        filled, is_news = is_fill(report, fill), (former.lsn, former.index) < (record.lsn, index)
        cum_qty, unpriced_qty = former.cum_qty, former.unpriced_qty
        value = former.avg_px * (cum_qty - unpriced_qty)
        if is_news:
            cum_qty, unpriced_qty, value = cum_qty + fill.qty, unpriced_qty + fill.unpriced_qty, value + fill.value
        priced_qty = cum_qty - unpriced_qty
        event = msgspec.structs.replace(
            former, lsn=record.lsn, index=index, event=EVENTS[word_of_change(report, is_fill=filled)],
            last_qty=report.last_qty if filled else ZERO, last_px=report.last_px if filled else ZERO,
            fee_qty=report.fee_qty if filled else ZERO, fee_asset=report.fee_asset if filled else "",
            trade_key=report.trade_key, reference_trade_key=report.reference_trade_key, cum_qty=cum_qty,
            avg_px=value / priced_qty if priced_qty else ZERO, maker=report.maker,
            text="told after the order had left memory", stamp_ns=record.stamp_ns, unpriced_qty=unpriced_qty,
        )  # fmt: skip
        if is_news:
            self.index.put_order(event, [report.cl_ord_id])
        return event

    def take_late(self, record: Record, changes: Sequence[Change]) -> None:
        """What a record changed of orders that have left memory, where nobody is to be told of it any more."""
        for index, change in numbered(changes):
            if isinstance(change, Unnamed):
                self.late_report(record, index, change)


MAX_CLOSED = 1000
"""Closed orders in one answer at most, which is well below what a link takes."""

QUERIES = ("orders", "order", "positions", "accounts", "reconcile", "names", "money", "closed")


def answer_query(query: QueryRequest, state: str, books: Books, archive: Archive, names: StandingNames) -> QueryAnswer:
    """The answer; `state` is the order manager's own. `detail` has an "error" where a name is none that there is."""
    orders: list[OrderEvent] = []
    positions: list[Position] = []
    detail: dict[str, object] = {"state": state}
    error = _unknown(query, books)
    if error:
        detail["error"] = error
    elif query.what == "orders":
        orders = _open_orders(query, books)
        detail["external"] = [
            {"venue": books.known.venue_of(e.venue), "account": e.venue, "symbol": e.order.symbol,
             "order_id": e.order.order_id, "side": e.order.side,
             "order_qty": str(e.order.order_qty), "price": str(e.order.price), "cl_ord_id": e.order.cl_ord_id}
            for e in books.externals.values()
        ]  # fmt: skip
    elif query.what == "closed":
        orders = _closed_orders(query, books)
    elif query.what == "order":
        shown = archive.order(query.strategy, query.number)
        orders = [] if shown is None else [shown]
        known = archive.command(query.strategy, query.number)
        if known is not None:
            detail["command"] = {
                "outcome": known.outcome, "reason": known.reason, "text": known.text, "lsn": known.lsn,
            }  # fmt: skip
    elif query.what == "positions":
        positions = _positions(query, books)
    elif query.what in ("accounts", "reconcile"):
        detail["accounts"] = _accounts(query, books)
        if query.what == "reconcile":
            orders = _open_orders(query, books)
            positions = list(books.positions.values())
    elif query.what == "money":
        # Built by the library that reads it: numbers in it are text.
        return QueryAnswer(query.token, books.lsn, detail=msgspec.json.encode(held_by(books)))
    elif query.what == "names":
        detail["symbols"] = sorted({holding.symbol for holding in books.holdings()})
        detail["strategy_known"] = query.strategy in books.names.highest
    return QueryAnswer(
        query.token, books.lsn, tuple(_named(order, *names.give()) for order in orders),
        tuple(position_event(books, position, *names.give(), "") for position in positions), orjson.dumps(detail),
    )  # fmt: skip


def _unknown(query: QueryRequest, books: Books) -> str:
    if query.what not in QUERIES:
        return f"{query.what}: no such query; there is {', '.join(QUERIES)}"
    accounts = _all_accounts(books)
    venues = {books.known.venue_of(account) for account in accounts}
    for what, asked, there in (("venue", query.venue, venues), ("account", query.account, accounts)):
        if asked and asked not in there:
            return f"{asked}: no such {what}; there is {', '.join(sorted(there))}"
    return ""


def _all_accounts(books: Books) -> set[str]:
    with_sessions = (session.account for session in books.sessions.values())
    held = (holding.account for holding in books.holdings())
    return {*books.known.accounts, *books.accounts, *with_sessions, *held}


def _is_asked(query: QueryRequest, account: str, books: Books) -> bool:
    return query.account in ("", account) and query.venue in ("", books.known.venue_of(account))


def _named(order: OrderEvent, lsn: int, index: int) -> OrderEvent:
    return msgspec.structs.replace(order, lsn=lsn, index=index)


def _open_orders(query: QueryRequest, books: Books) -> list[OrderEvent]:
    of_all = (order for account in books.open for order in books.open_orders(account))
    orders = books.open_orders_of(query.strategy) if query.strategy else of_all
    return [standing_order(books, order) for order in orders if _is_asked(query, order.account, books)]


def _closed_orders(query: QueryRequest, books: Books) -> list[OrderEvent]:
    """Those of which the books still know, the last that changed first; `query.number` at most."""
    closed = (books.orders[name] for name in (*books.unsettled, *books.closed))
    asked = [o for o in closed if query.strategy in ("", o.strategy) and _is_asked(query, o.account, books)]
    latest = sorted(asked, key=lambda order: order.touched_lsn, reverse=True)
    return [standing_order(books, order) for order in latest[: min(query.number or MAX_CLOSED, MAX_CLOSED)]]


def _positions(query: QueryRequest, books: Books) -> list[Position]:
    return [position for position in books.positions.values() if _is_asked(query, position.account, books)]


def _accounts(query: QueryRequest, books: Books) -> dict[str, object]:
    return {
        name: {
            "venue": books.known.venue_of(name),
            "sessions": {session.session: session.state.value for session in books.sessions_of(name)},
            "balances": {asset: [str(free), str(locked)] for asset, free, locked in facts.balances},
            "balances_lsn": facts.balances_lsn,
            "baseline_lsn": 0 if facts.baseline is None else facts.baseline.lsn,
            "last_trade_keys": facts.last_trade_keys,
        }
        for name, facts in ((name, books.account(name)) for name in sorted(_all_accounts(books)))
        if _is_asked(query, name, books)
    }

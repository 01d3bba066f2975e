"""Read-only questions, answered from the books as they are and from what has left them.

A question, or a venue, that nobody knows has an answer of its own: what it is not, and what there is.
"""

import msgspec
import orjson

from common.messages import OrderEvent, QueryAnswer, QueryRequest
from common.orders.books import Books
from common.orders.money import held_by
from common.orders.positions import Position
from services.orders.archive import Archive
from services.orders.views import StandingNames, position_event

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
        orders = _open_orders(query, books, archive)
        detail["external"] = [
            {"venue": books.known.venue_of(e.venue), "account": e.venue, "symbol": e.order.symbol,
             "order_id": e.order.order_id, "side": e.order.side,
             "order_qty": str(e.order.order_qty), "price": str(e.order.price), "cl_ord_id": e.order.cl_ord_id}
            for e in books.externals.values()
        ]  # fmt: skip
    elif query.what == "closed":
        orders = _closed_orders(query, books, archive)
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
            orders = _open_orders(query, books, archive)
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


def _open_orders(query: QueryRequest, books: Books, archive: Archive) -> list[OrderEvent]:
    return [
        archive.shown(order)
        for account in books.open
        for order in books.open_orders(account)
        if query.strategy in ("", order.strategy) and _is_asked(query, account, books)
    ]


def _closed_orders(query: QueryRequest, books: Books, archive: Archive) -> list[OrderEvent]:
    """Those of which the books still know, the last that changed first; `query.number` at most."""
    closed = (books.orders[name] for name in (*books.unsettled, *books.closed))
    asked = [o for o in closed if query.strategy in ("", o.strategy) and _is_asked(query, o.account, books)]
    latest = sorted(asked, key=lambda order: order.touched_lsn, reverse=True)
    return [archive.shown(order) for order in latest[: min(query.number or MAX_CLOSED, MAX_CLOSED)]]


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

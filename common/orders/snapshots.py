"""The folded state of the order manager as bytes, and back."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from common.left_out import LeftOut, Row
from common.messages import CancelAll, terms_in_row
from common.orders.books import (
    BOUNDS,
    AccountBooks,
    Books,
    Bounds,
    Converting,
    Day,
    Ended,
    External,
    Leaving,
    SessionBooks,
)
from common.orders.facts import VenueFacts, VenueTold
from common.orders.fills import FillRow, RetiredRow
from common.orders.forgotten import Forgotten
from common.orders.names import Remembered
from common.orders.order_state import Order
from common.orders.positions import Position


def order_before_terms(row: dict[str, Any]) -> Order:
    """An order in a snapshot of before there were `Terms`, which stood in a row: today's have none of it."""
    values = dict(row)
    return msgspec.convert({"terms": msgspec.to_builtins(terms_in_row(values)), **values}, Order)


class BooksDump(msgspec.Struct, array_like=True, frozen=True):
    """Everything that the books hold. Fields are only ever appended, with defaults.

    Today's have nothing in `older_open`, `older_closed` and `venues`. A venue of an older one was one account with one
    session of the same name.
    """

    lsn: int
    stamp_ns: int
    older_open: list[dict[str, Any]]
    older_closed: list[dict[str, Any]]
    fills: list[FillRow]
    retired: list[RetiredRow]
    positions: list[Position]
    highest: dict[str, int]
    commands: list[tuple[str, int, Remembered]]
    venues: list[dict[str, Any]]
    externals: list[External]
    unclaimed: list[tuple[str, str, str, list[str]]]
    discrepancies: int
    epoch: int = 0
    epoch_ns: int = 0
    told: list[VenueTold] = []
    cancel_alls: list[tuple[int, CancelAll]] = []
    left_out: list[Row] = []
    shares: list[tuple[str, str, str, Decimal]] = []
    highest_attempt: tuple[int, int] = (0, 0)
    accounts: list[AccountBooks] = []
    sessions: list[SessionBooks] = []
    ended: list[Ended] = []
    open: list[Order] = []
    closed: list[Order] = []
    own: list[tuple[str, Position]] | None = None
    day: Day = Day()
    forgotten: dict[str, int] = {}
    rates: Converting = Converting()
    nobodys: list[tuple[str, str, str, list[str]]] = []


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(BooksDump).decode


def dump_books(books: Books) -> bytes:
    """The books as bytes."""
    fills, retired = books.ledger.dump()
    highest, commands = books.names.dump()
    return _encode(
        BooksDump(
            books.lsn,
            books.stamp_ns,
            [],
            [],
            fills,
            retired,
            list(books.positions.values()),
            highest,
            commands,
            [],
            list(books.externals.values()),
            [(*place, keys) for place, keys in books.unclaimed.items()],
            books.discrepancies,
            books.epoch,
            books.epoch_ns,
            books.known.dump(),
            books.cancel_alls,
            books.left_out.dump(),
            [],
            books.highest_attempt,
            list(books.accounts.values()),
            list(books.sessions.values()),
            list(books.ended.values()),
            [order for orders in books.open.values() for order in orders.values()],
            [books.orders[name] for name in (*books.unsettled, *books.closed)],
            [(strategy, held) for (strategy, _, _), held in books.own.items()],
            books.day,
            books.names.forgotten,
            books.rates,
            [(*place, keys) for place, keys in books.nobodys.items()],
        )
    )


def load_books(
    data: bytes,
    accounts: Mapping[str, VenueFacts],
    left_out: LeftOut | None = None,
    bounds: Bounds = BOUNDS,
    memory: Forgotten | None = None,
    leaving: Leaving | None = None,
) -> Books:
    """The books from bytes; what else is given is as for `Books`.

    Raises msgspec.DecodeError where they are of another form, ValueError where they have folded what is to be left out.
    """
    dump = _decode(data)
    books = Books(accounts, bounds=bounds, left_out=left_out, memory=memory, leaving=leaving)
    books.left_out.load(dump.left_out, dump.lsn)
    books.lsn, books.stamp_ns, books.discrepancies = dump.lsn, dump.stamp_ns, dump.discrepancies
    books.epoch, books.epoch_ns = dump.epoch, dump.epoch_ns
    books.known.load(dump.told)
    books.cancel_alls = dump.cancel_alls
    # Before the orders: one that is closed stays for what a person has booked of it.
    books.ledger.load(dump.fills, dump.retired)
    older = map(order_before_terms, (*dump.older_open, *dump.older_closed))
    for order in (*older, *dump.open, *dump.closed):
        books.take_order(order)
    books.positions = {(position.account, position.symbol): position for position in dump.positions}
    if dump.own is None:
        books.take_shares({(strategy, account, symbol): held for strategy, account, symbol, held in dump.shares})
    else:
        books.take_own(dump.own)
    books.day, books.rates = dump.day, dump.rates
    books.highest_attempt = dump.highest_attempt
    books.names.load(dump.highest, dump.forgotten, dump.commands)
    venues = [{**venue, "account": venue["venue"], "session": venue["venue"]} for venue in dump.venues]
    books.accounts = {each.account: each for each in (*dump.accounts, *msgspec.convert(venues, list[AccountBooks]))}
    books.sessions = {each.session: each for each in (*dump.sessions, *msgspec.convert(venues, list[SessionBooks]))}
    books.externals = {(e.venue, e.order.symbol, e.order.order_id): e for e in dump.externals}
    books.ended = {(each.account, each.symbol, each.order_id): each for each in dump.ended}
    books.unclaimed = {(account, symbol, order_id): keys for account, symbol, order_id, keys in dump.unclaimed}
    books.nobodys = {(account, symbol, order_id): keys for account, symbol, order_id, keys in dump.nobodys}
    return books

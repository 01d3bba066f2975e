"""What is shown of one order, message, record or part of a position, as JSON. Numbers are text, as they are kept."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from common.decimals import short
from common.fix.dictionary import Dictionary
from common.fix.text import pretty
from common.instant import NS_PER_MS
from common.journal import Record
from common.messages import Inbound, Outbound, Terms
from common.orders.books import Books
from common.orders.facts import KnownVenues
from common.orders.money import Line, Profit, Sums, summed
from common.orders.order_state import Order
from common.past.words import Dictionaries, kind_name, line, payload_of, time_text

SIDE_WORDS = {"1": "buy", "2": "sell"}
TIMES_IN_FORCE = {"1": "GTC", "3": "IOC", "4": "FOK", "6": "GTD"}
TYPES = {"1": "market", "2": "limit", "3": "stop", "4": "stop limit", "P": "pegged"}


def type_words(terms: Terms) -> str:
    """The order's type for a person: what wakes it, and whether it has a limit then."""
    word = TYPES[terms.ord_type]
    if terms.take_profit:
        word = word.replace("stop", "take profit")
    return f"trailing {word}" if terms.is_trailing else word


def units(known: KnownVenues, account: str, symbol: str) -> dict[str, str]:
    """In what a quantity of the symbol is counted, and in what its price."""
    facts = known.find(account)
    is_spot = facts.contract(symbol).is_spot
    return {"unit": facts.bases.get(symbol, "") if is_spot else "contracts", "quote": facts.quotes.get(symbol, "")}


def order_row(order: Order, books: Books) -> dict[str, Any]:
    """An order as the blotter has it; its times are by the journal's clock, Unix milliseconds."""
    terms, price, stop_px = order.terms, order.price, order.terms.stop_px
    return {
        "name": f"{order.strategy}/{order.number}", "strategy": order.strategy, "status": order.status.value,
        "open": not order.is_closed, "unknown": order.is_unknown, "venue": order.venue, "account": order.account,
        "symbol": order.symbol, "side": SIDE_WORDS[order.side], "type": type_words(terms),
        "tif": TIMES_IN_FORCE[terms.time_in_force], "qty": short(order.order_qty), "filled": short(order.cum_qty),
        "leaves": short(order.leaves_qty), "price": "" if price is None else short(price),
        "stop": "" if stop_px is None else short(stop_px),
        "average": short(order.avg_px(books.unpriced_qty(order))) if order.cum_qty else "", "label": order.label,
        "text": order.text or ("" if order.reason == "none" else order.reason.sentence),
        "list": f"{order.strategy}/{order.list_number}" if order.list_number else "",
        "sent_ms": order.sent_ns // NS_PER_MS, "lsn": order.touched_lsn, "id": order.leg.cl_ord_id,
        **units(books.known, order.account, order.symbol),
    }  # fmt: skip


ORDER_TITLES = (
    "sent_ms", "name", "status", "venue", "account", "symbol", "side", "type", "tif", "qty", "filled", "leaves",
    "unit", "price", "stop", "average", "quote", "label", "text", "id", "lsn",
    "list",
)  # fmt: skip
"""The columns of the blotter as CSV."""

NUMBERS = frozenset({"qty", "filled", "leaves", "price", "stop", "average"})


def order_cell(row: Mapping[str, Any], title: str) -> object:
    """A cell of the blotter as CSV: what is a number on the page is one there."""
    cell = row[title]
    return Decimal(cell) if title in NUMBERS and cell else cell


def message_row(record: Record, dictionary: Dictionary | None) -> dict[str, Any] | None:
    """A FIX message that the log has, in words, its secrets masked; None for a record that is none."""
    payload = payload_of(record)
    if not isinstance(payload, Outbound | Inbound):
        return None
    return {
        "lsn": record.lsn, "time": time_text(record.stamp_ns), "number": payload.msg_seq_num,
        "way": "out" if isinstance(payload, Outbound) else "in", "text": pretty(payload.raw, dictionary),
    }  # fmt: skip


def record_row(record: Record, dictionaries: Dictionaries) -> dict[str, Any]:
    """A record of the log on one line."""
    return {"lsn": record.lsn, "kind": kind_name(record.kind), "text": line(record, payload_of(record), dictionaries)}


def profit_cells(profit: Profit | None) -> dict[str, str]:
    """Profit to the cent of the reporting currency; nothing where there is none."""
    if profit is None:
        return {}
    return {what: _money(getattr(profit, what)) for what in ("realised", "unrealised", "fees", "net")}


def sums_row(name: str, sums: Sums) -> dict[str, Any]:
    """Several parts together."""
    today = "" if sums.today is None else _money(sums.today.net)
    said = {"lacks": sums.lacks, "stale": sums.stale, "undated": sums.undated}
    return {"name": name, "today": today, **said, **profit_cells(sums.profit)}


def part_row(part: Line, books: Books) -> dict[str, Any]:
    """One strategy's part of one position, with the price that it is measured by and how old that is."""
    position, price = part.position, part.price
    return {
        **sums_row(part.strategy or "(nobody)", summed([part])),
        **units(books.known, position.account, position.symbol),
        "venue": position.venue, "account": position.account, "symbol": position.symbol,
        "quantity": short(position.quantity), "average": short(position.average_price),
        "price": "" if price is None else short(price.px), "age_ms": None if price is None else price.age_ms,
        "price_stale": price is None or price.is_stale,
        "fees_paid": ", ".join(f"{short(paid)} {asset}" for asset, paid in sorted(part.fees.items())),
    }  # fmt: skip


def _money(amount: Decimal) -> str:
    return f"{amount:.2f}"

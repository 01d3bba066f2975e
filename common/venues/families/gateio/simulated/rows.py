"""How Gate.io writes what orders and prices of all its markets have in common.

Source: Gate APIv4 documentation as stored 2025-11-25.
"""

from common.exchange.book import Book
from common.exchange.history import ClosedOrder
from common.exchange.numbers import digits
from common.exchange.order import FILL_OR_KILL, IMMEDIATE_OR_CANCEL, Order

Row = dict[str, object]

PARAMETER = "INVALID_PARAM_VALUE"
NO_TEXT = "#"
"""What the names begin with of orders that were placed without a text: none can hold it."""


def text_of(name: str) -> str:
    """`text` of an order of that name here."""
    return "apiv4" if name.startswith(NO_TEXT) else f"t-{name}"


def time_in_force(order: Order | ClosedOrder) -> str:
    """time_in_force."""
    if order.terms.post_only:
        return "poc"
    return {IMMEDIATE_OR_CANCEL: "ioc", FILL_OR_KILL: "fok"}.get(order.terms.time_in_force, "gtc")


def best_prices(book: Book) -> Row:
    """The best prices of a ticker; a side without a price is empty."""
    row: Row = {}
    for price, size, level in (
        ("highest_bid", "highest_size", book.bids.best()), ("lowest_ask", "lowest_size", book.asks.best()),
    ):  # fmt: skip
        row[price] = "" if level is None else digits(level.price)
        row[size] = "" if level is None else digits(level.qty)
    return row

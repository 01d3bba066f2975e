"""What a report is believed for, over FIX and over REST alike: the order, the trade and the quantity that it names.

Which instrument an order is in and on which side is the order's own matter. Rules:

1. Symbol(55) or Side(54) that is absent, "[N/A]" or spelt in another way is the order's.
2. Another instrument that we know, or the opposite side, contradicts the order: nothing of the report is believed, and
   the order is in doubt.
3. A fill of an order that is not ours must name its instrument and its side: nobody else can.
4. LastPx(31) that is absent leaves a price that is not known: the ledger holds it as 0.
5. A bust or correction that does not say of which fill it is, and a quantity below zero, cannot be counted: rule 2.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, Protocol, TypeVar

import msgspec

from common.messages import SIDE_BUY, SIDE_SELL, ExecutionReport, RestOrder, Side, Trade
from common.orders.words import CHANGES_OF_FILLS, TRADE_CANCEL

NO_INSTRUMENT: Final = frozenset({"", "[N/A]", "N/A"})
"""Symbol(55) that names none; FIX 4.4 writes "[N/A]" where SecurityID(48) does."""

SIDES: Final[Mapping[str, Side]] = {
    "1": SIDE_BUY, "3": SIDE_BUY, "2": SIDE_SELL, "4": SIDE_SELL, "5": SIDE_SELL, "6": SIDE_SELL,
}  # fmt: skip
"""Which way Side(54) moves a position: buy, buy minus; sell, sell plus, sell short, sell short exempt."""

Knows = Callable[[str], bool]
"""Whether the symbol is one that we know at the order's venue."""

T = TypeVar("T")


class OfOrder(Protocol):
    """An order of ours, as orders, risk or a session hold it."""

    @property
    def symbol(self) -> str:
        """Symbol(55)."""

    @property
    def side(self) -> str:
        """Side(54)."""


def contradiction(order: OfOrder, told: ExecutionReport | RestOrder | Trade, knows: Knows) -> str:
    """What of the instrument and side `told` contradicts those of its order, for a person; "" where nothing does."""
    symbol, side = order.symbol, order.side
    if told.symbol != symbol and knows(told.symbol):
        return f"Symbol(55) {told.symbol} of an order in {symbol}"
    if SIDES.get(told.side, side) != side:
        return f"Side(54) {told.side} of an order on side {side}"
    return ""


def believed(order: OfOrder, report: ExecutionReport, knows: Knows) -> ExecutionReport | str:
    """The report with its order's instrument and side, or what contradicts them."""
    symbol, side = order.symbol, order.side
    unsaid = _unsaid(report) if report.trade_key else ""
    if unsaid or (report.symbol == symbol and report.side == side):
        return unsaid or report
    return contradiction(order, report, knows) or msgspec.structs.replace(report, symbol=symbol, side=side)


def _unsaid(report: ExecutionReport) -> str:
    """Why a fill, bust or correction cannot be counted, for a person; "" where it can."""
    if report.exec_type in CHANGES_OF_FILLS and not report.reference_trade_key:
        return f"ExecType(150) {report.exec_type} without ExecRefID(19): of which fill it is, it does not say"
    return f"LastQty(32) {report.last_qty}, which is below zero" if report.last_qty < 0 else ""


def believed_of_stranger(report: ExecutionReport) -> ExecutionReport | None:
    """The report on an order that is not ours, its side as a position counts it; None for a fill, bust or correction
    that does not say of what, or which way."""
    if report.trade_key and _unsaid(report):
        return None
    if not report.trade_key or (report.side in (SIDE_BUY, SIDE_SELL) and report.symbol not in NO_INSTRUMENT):
        return report
    side = SIDES.get(report.side, "")
    named = report.symbol not in NO_INSTRUMENT and (side or report.exec_type == TRADE_CANCEL)
    return msgspec.structs.replace(report, side=side) if named else None


def side_of(order: OfOrder | None, trade: Trade) -> str:
    """Which way the trade of this order, or of one that is not ours, moved the position; "" where it does not say of
    what, or which way."""
    if order is not None:
        return order.side
    return "" if trade.symbol in NO_INSTRUMENT else SIDES.get(trade.side, "")


def order_of(
    orders: Mapping[tuple[str, str, str], T], venue: str, symbol: str, order_id: str, symbols: Iterable[str]
) -> T | None:
    """The order of that OrderID(37) among `orders`, which are by (venue, symbol, OrderID(37)).

    Where none of the venue's `symbols` is named it is the one that bears the number in any of them, if only one does:
    some venues number the orders of each symbol from 1.
    """
    found = orders.get((venue, symbol, order_id))
    if found is not None or not order_id or symbol in symbols:
        return found
    places = [(venue, each, order_id) for each in symbols]
    bearers = [orders[place] for place in places if place in orders]
    return bearers[0] if len(bearers) == 1 else None

"""How Gate.io writes orders, fills, balances and pairs: objects of text, the same over REST and WebSocket but for a few
fields.

Source: Gate APIv4 documentation as stored 2025-11-25, spot.
"""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal

from common.exchange.book import Book, BookSide
from common.exchange.engine import Cause, Refusal
from common.exchange.history import ClosedOrder, TradeRow
from common.exchange.numbers import digits
from common.exchange.order import (
    BUY,
    FILLED,
    MARKET,
    NEW,
    PARTIALLY_FILLED,
    ZERO,
    Order,
)
from common.exchange.settings import Instrument
from common.instant import NS_PER_MS, NS_PER_S
from common.venues.families.gateio.simulated.rows import Row, best_prices, text_of, time_in_force

LABELS = {
    Refusal.UNKNOWN_SYMBOL: "INVALID_CURRENCY_PAIR",
    Refusal.INSTRUMENT_EXPIRED: "INVALID_CURRENCY_PAIR",
    Refusal.DUPLICATE: "REPEATED_CREATION",
    Refusal.BALANCE: "BALANCE_NOT_ENOUGH",
    Refusal.BAD_PRICE: "INVALID_PRECISION",
    Refusal.WOULD_TAKE: "POC_FILL_IMMEDIATELY",
}
ENDS = {Cause.SELF_TRADE: "stp", Cause.NO_LIQUIDITY: "depth_not_enough", Cause.NO_BALANCE: "trader_not_enough"}
_PRICE_STEP = Decimal("0.00000001")


def seconds(stamp_ns: int) -> str:
    """Unix seconds as text."""
    return str(stamp_ns // NS_PER_S)


def _precise_ms(stamp_ns: int) -> str:
    """Unix milliseconds with three decimals, as fills have them."""
    return f"{stamp_ns // NS_PER_MS}.{stamp_ns // 1000 % 1000:03d}"


def _finish_as(order: Order | ClosedOrder, cause: str) -> str:
    if order.ord_status in (NEW, PARTIALLY_FILLED):
        return "open"
    if order.ord_status == FILLED:
        return "filled"
    told = time_in_force(order)
    by_itself = told if told in ("ioc", "fok") else "cancelled"
    return ENDS.get(Cause(cause), by_itself) if cause else by_itself


def order_row(
    order: Order | ClosedOrder, fills: Sequence[TradeRow], fee_asset: str, *, amend_text: str = "-", cause: str = ""
) -> Row:
    """An order as REST tells it; a push has no `status`, and adds to it. `fills` are all of the order's."""
    terms, cum_qty = order.terms, order.cum_qty
    average = (order.cum_quote / cum_qty).quantize(_PRICE_STEP, ROUND_HALF_UP) if cum_qty else ZERO
    amount = terms.order_qty if terms.cash_qty is None else terms.cash_qty
    left = amount - (cum_qty if terms.cash_qty is None else order.cum_quote)
    finish_as = _finish_as(order, cause)
    return {
        "id": str(order.order_id), "text": text_of(terms.cl_ord_id), "amend_text": amend_text,
        "create_time": seconds(order.stamp_ns), "update_time": seconds(order.updated_ns),
        "create_time_ms": order.stamp_ns // NS_PER_MS, "update_time_ms": order.updated_ns // NS_PER_MS,
        "status": {"open": "open", "filled": "closed"}.get(finish_as, "cancelled"), "currency_pair": terms.symbol,
        "type": "market" if terms.ord_type == MARKET else "limit", "account": "spot",
        "side": "buy" if terms.side == BUY else "sell", "amount": digits(amount),
        "price": "0" if terms.price is None else digits(terms.price), "time_in_force": time_in_force(order),
        "iceberg": digits(terms.display_qty or ZERO), "left": digits(left),
        "filled_amount": digits(cum_qty), "fill_price": digits(order.cum_quote),
        "filled_total": digits(order.cum_quote), "avg_deal_price": digits(average),
        "fee": digits(sum((row.fee for row in fills), ZERO)), "fee_currency": fee_asset, "point_fee": "0",
        "gt_fee": "0", "gt_maker_fee": "0", "gt_taker_fee": "0", "gt_discount": False, "rebated_fee": "0",
        "rebated_fee_currency": fee_asset, "stp_id": 0, "stp_act": "-", "finish_as": finish_as,
    }  # fmt: skip


def fill_row(row: TradeRow) -> Row:
    """A fill as REST tells it."""
    return {
        "id": str(row.trade_id), "create_time": seconds(row.stamp_ns), "create_time_ms": _precise_ms(row.stamp_ns),
        "currency_pair": row.symbol, "side": "buy" if row.side == BUY else "sell",
        "role": "maker" if row.maker else "taker", "amount": digits(row.qty), "price": digits(row.px),
        "order_id": str(row.order_id), "fee": digits(row.fee), "fee_currency": row.fee_asset, "point_fee": "0",
        "gt_fee": "0", "amend_text": "-", "sequence_id": str(row.trade_id), "text": text_of(row.cl_ord_id),
    }  # fmt: skip


def pushed_fill(row: TradeRow) -> Row:
    """A fill as a push tells it: of the same fields some are numbers."""
    return {**fill_row(row), "id": row.trade_id, "create_time": row.stamp_ns // NS_PER_S, "user_id": 1}


def pair_row(i: Instrument) -> Row:
    """A currency pair. Precisions are numbers of decimals."""
    return {
        "id": i.symbol, "base": i.base, "quote": i.quote, "fee": "0.2", "min_base_amount": digits(i.min_qty),
        "min_quote_amount": digits(i.min_notional), "max_quote_amount": "5000000",
        "amount_precision": _decimals(i.lot_size), "precision": _decimals(i.tick_size), "trade_status": "tradable",
        "sell_start": 0, "buy_start": 0, "type": "normal",
    }  # fmt: skip


def _decimals(step: Decimal) -> int:
    return len(digits(step).partition(".")[2])


def balance_row(asset: str, free: Decimal, locked: Decimal) -> Row:
    """What the account has of one asset."""
    return {"currency": asset, "available": digits(free), "locked": digits(locked), "update_id": 1}


def levels(side: BookSide, depth: int) -> list[list[str]]:
    """Price and quantity, the best first."""
    return [[digits(level.price), digits(level.qty)] for level in list(side.walk())[:depth]]


def ticker_row(book: Book, i: Instrument) -> Row:
    """The best prices; a side without a price is empty."""
    row: Row = {"currency_pair": i.symbol, "last": digits(book.last_px or i.start_price), **best_prices(book)}
    return {**row, "change_percentage": "0", "base_volume": "0", "quote_volume": "0", "high_24h": "0", "low_24h": "0"}

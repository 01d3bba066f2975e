"""How KuCoin writes orders, fills, balances and symbols over REST.

Source: KuCoin documentation as stored 2025-11-29, spot trading and account information. Ids of orders are 24
hexadecimal digits, numbers are text, times are Unix milliseconds.
"""

import re
from collections.abc import Iterable
from decimal import Decimal

from common.exchange.engine import Refusal
from common.exchange.history import ClosedOrder, TradeRow
from common.exchange.numbers import digits
from common.exchange.order import (
    BUY,
    FILL_OR_KILL,
    IMMEDIATE_OR_CANCEL,
    MARKET,
    ZERO,
    Order,
)
from common.exchange.settings import Instrument
from common.venues.families.kucoin.simulated.rows import Row, cancelled_qty, ms, side

PARAMETER = "400100"
CODES = {
    Refusal.UNKNOWN_SYMBOL: "400600",
    Refusal.INSTRUMENT_EXPIRED: "400600",
    Refusal.BALANCE: "200004",
    Refusal.TOO_MANY_ORDERS: "400350",
}
TIMES_IN_FORCE = {IMMEDIATE_OR_CANCEL: "IOC", FILL_OR_KILL: "FOK"}

_ID_STEM = "67"
_ID = re.compile(r"67[0-9a-f]{22}")


def order_name(order_id: int) -> str:
    """orderId: 24 hexadecimal digits."""
    return f"{_ID_STEM}{order_id:022x}"


def order_number(name: str) -> str:
    """The exchange's own number of an orderId as text, "x" for what is none of its own."""
    return str(int(name[len(_ID_STEM) :], 16)) if _ID.fullmatch(name) else "x"


def code_of(refusal: Refusal) -> str:
    """The venue's code for what the engine does not do."""
    return CODES.get(refusal, PARAMETER)


def order_row(order: Order | ClosedOrder, fills: Iterable[TradeRow], instrument: Instrument) -> Row:
    """An order with what its fills have cost. No word of it says how it ended."""
    terms, is_open = order.terms, order.ord_status in "01"
    qty, gone, left = terms.order_qty, cancelled_qty(order), order.leaves_qty
    return {
        "id": order_name(order.order_id), "symbol": terms.symbol, "opType": "DEAL",
        "type": "market" if terms.ord_type == MARKET else "limit", "side": side(terms.side),
        "price": "0" if terms.price is None else digits(terms.price), "size": digits(qty),
        "funds": digits(terms.cash_qty or ZERO), "dealSize": digits(order.cum_qty),
        "dealFunds": digits(order.cum_quote), "remainSize": digits(left), "remainFunds": "0",
        "cancelledSize": digits(gone), "cancelledFunds": "0", "fee": digits(sum((f.fee for f in fills), ZERO)),
        "feeCurrency": instrument.fee_asset(terms.side), "stp": None,
        "timeInForce": TIMES_IN_FORCE.get(terms.time_in_force, "GTC"), "postOnly": terms.post_only, "hidden": False,
        "iceberg": False, "visibleSize": "0", "cancelAfter": 0, "channel": "API", "clientOid": terms.cl_ord_id,
        "remark": None, "tags": None, "cancelExist": gone > 0, "tradeType": "TRADE", "tax": "0",
        "createdAt": ms(order.stamp_ns), "lastUpdatedAt": ms(order.updated_ns), "inOrderBook": is_open,
        "active": is_open,
    }  # fmt: skip


def fill_row(row: TradeRow) -> Row:
    """A fill: it names the venue's own id of the order, and not ours."""
    return {
        "id": row.exec_id, "symbol": row.symbol, "tradeId": row.trade_id, "orderId": order_name(row.order_id),
        "counterOrderId": "", "side": side(row.side), "liquidity": "maker" if row.maker else "taker",
        "forceTaker": False, "price": digits(row.px), "size": digits(row.qty), "funds": digits(row.px * row.qty),
        "fee": digits(row.fee), "feeRate": "0.001", "feeCurrency": row.fee_asset, "stop": "", "tradeType": "TRADE",
        "taxRate": "0", "tax": "0", "type": "limit", "createdAt": ms(row.stamp_ns),
    }  # fmt: skip


def symbol_row(i: Instrument) -> Row:
    """A symbol."""
    return {
        "symbol": i.symbol, "name": i.symbol, "baseCurrency": i.base, "quoteCurrency": i.quote,
        "feeCurrency": i.fee_asset(BUY), "market": "USDS", "baseMinSize": digits(i.min_qty),
        "quoteMinSize": digits(i.min_notional), "baseMaxSize": digits(i.max_qty), "quoteMaxSize": "99999999",
        "baseIncrement": digits(i.lot_size), "quoteIncrement": "0.000001", "priceIncrement": digits(i.tick_size),
        "priceLimitRate": "0.1", "minFunds": digits(i.min_notional), "isMarginEnabled": False, "enableTrading": True,
        "feeCategory": 1, "makerFeeCoefficient": "1.00", "takerFeeCoefficient": "1.00", "st": False,
    }  # fmt: skip


def balance_row(asset: str, free: Decimal, locked: Decimal) -> Row:
    """What the account has of one asset."""
    return {
        "id": f"hf-{asset.lower()}", "currency": asset, "type": "trade_hf", "balance": digits(free + locked),
        "available": digits(free), "holds": digits(locked),
    }  # fmt: skip

"""How Bitget writes orders, fills, balances and symbols: rows of text.

Source: Bitget API documentation, classic account, v2 spot, as stored 2025-11-30.
"""

import json
from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal

from common.exchange.engine import Refusal
from common.exchange.history import ClosedOrder, TradeRow
from common.exchange.numbers import digits
from common.exchange.order import (
    BUY,
    FILL_OR_KILL,
    FILLED,
    IMMEDIATE_OR_CANCEL,
    MARKET,
    NEW,
    PARTIALLY_FILLED,
    ZERO,
    Order,
)
from common.exchange.settings import Instrument
from common.instant import NS_PER_MS

Row = dict[str, object]

STATES = {NEW: "live", PARTIALLY_FILLED: "partially_filled", FILLED: "filled"}
PARAMETER, GONE = "43011", "43001"
CODES = {
    Refusal.UNKNOWN_SYMBOL: "40034",
    Refusal.INSTRUMENT_EXPIRED: "40034",
    Refusal.BALANCE: "43012",
    Refusal.BAD_QTY: "40808",
    Refusal.BAD_PRICE: "40808",
    Refusal.BAD_NOTIONAL: "45110",
}
_FORCES = {IMMEDIATE_OR_CANCEL: "ioc", FILL_OR_KILL: "fok"}
_PRICE_STEP = Decimal("0.00000001")


def code_of(refusal: Refusal) -> str:
    """The venue's code for what the engine does not do."""
    return CODES.get(refusal, PARAMETER)


def ms(stamp_ns: int) -> str:
    """Unix milliseconds as text."""
    return str(stamp_ns // NS_PER_MS)


def side(code: str) -> str:
    """Side(54) in the venue's word."""
    return "buy" if code == BUY else "sell"


def force(order: Order | ClosedOrder) -> str:
    """How long the order stays, or that it may not take."""
    terms = order.terms
    return "post_only" if terms.post_only else _FORCES.get(terms.time_in_force, "gtc")


def size(order: Order | ClosedOrder) -> str:
    """The quantity; a market order to buy has an amount of the quote asset."""
    terms = order.terms
    return digits(terms.order_qty if terms.cash_qty is None else terms.cash_qty)


def average(order: Order | ClosedOrder) -> str:
    """The average price, "" before a fill."""
    return digits((order.cum_quote / order.cum_qty).quantize(_PRICE_STEP, ROUND_HALF_UP)) if order.cum_qty else ""


def order_row(order: Order | ClosedOrder, fills: Iterable[TradeRow], instrument: Instrument) -> Row:
    """An order. What its fills have cost is JSON within a text; a fee that is charged is below 0."""
    terms, fee = order.terms, sum((fill.fee for fill in fills), ZERO)
    asset = instrument.fee_asset(terms.side)
    cost = {asset: {"totalFee": digits(-fee), "feeCoinCode": asset}}
    return {
        "userId": "1", "symbol": terms.symbol, "orderId": str(order.order_id), "clientOid": terms.cl_ord_id,
        "price": "" if terms.price is None else digits(terms.price), "size": size(order),
        "orderType": "market" if terms.ord_type == MARKET else "limit", "side": side(terms.side),
        "status": STATES.get(order.ord_status, "cancelled"), "priceAvg": average(order), "force": force(order),
        "baseVolume": digits(order.cum_qty), "quoteVolume": digits(order.cum_quote), "enterPointSource": "API",
        "feeDetail": json.dumps(cost) if fee else "", "cancelReason": "", "orderSource": "normal", "tpslType": "normal",
        "cTime": ms(order.stamp_ns), "uTime": ms(order.updated_ns),
    }  # fmt: skip


def fill_row(row: TradeRow) -> Row:
    """A fill: it names the venue's own id of the order, and not ours."""
    return {
        "userId": "1", "symbol": row.symbol, "orderId": str(row.order_id), "tradeId": str(row.trade_id),
        "orderType": "limit", "side": side(row.side), "priceAvg": digits(row.px), "size": digits(row.qty),
        "amount": digits(row.px * row.qty), "tradeScope": "maker" if row.maker else "taker",
        "feeDetail": {
            "deduction": "no", "feeCoin": row.fee_asset, "totalDeductionFee": "0", "totalFee": digits(-row.fee),
        },
        "cTime": ms(row.stamp_ns), "uTime": ms(row.stamp_ns),
    }  # fmt: skip


def symbol_row(i: Instrument) -> Row:
    """A symbol: what prices and quantities are multiples of is told by how many digits they have."""
    return {
        "symbol": i.symbol, "baseCoin": i.base, "quoteCoin": i.quote, "minTradeAmount": digits(i.min_qty),
        "maxTradeAmount": digits(i.max_qty), "takerFeeRate": "0.001", "makerFeeRate": "0.001",
        "pricePrecision": _places(i.tick_size), "quantityPrecision": _places(i.lot_size), "quotePrecision": "8",
        "status": "online", "minTradeUSDT": digits(i.min_notional), "buyLimitPriceRatio": "0.05",
        "sellLimitPriceRatio": "0.05", "areaSymbol": "no", "orderQuantity": "200", "openTime": "1532454360000",
        "offTime": "",
    }  # fmt: skip


def _places(step: Decimal) -> str:
    return str(len(digits(step).partition(".")[2]))


def balance_row(asset: str, free: Decimal, locked: Decimal) -> Row:
    """What the account has of one asset."""
    return {
        "coin": asset, "available": digits(free), "frozen": digits(locked), "locked": "0", "limitAvailable": "0",
        "uTime": "0",
    }  # fmt: skip

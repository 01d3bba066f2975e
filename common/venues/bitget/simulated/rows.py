"""How Bitget writes orders, fills, balances, positions and symbols: rows of text, of spot and of contracts.

Source: Bitget API documentation, classic account, v2 spot and futures, as stored 2025-11-30.
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
    Refusal.BAD_QTY: "40808",
    Refusal.BAD_PRICE: "40808",
    Refusal.BAD_NOTIONAL: "45110",
    Refusal.NOT_REDUCING: "22002",
}
PRODUCT, SUFFIX = "USDT-FUTURES", "-PERP"
"""productType and instType of contracts, and how an instrument is called here that is one."""

_FORCES = {IMMEDIATE_OR_CANCEL: "ioc", FILL_OR_KILL: "fok"}
_PRICE_STEP = Decimal("0.00000001")


def code_of(refusal: Refusal, no_balance: str = "43012") -> str:
    """The venue's code for what the engine does not do; `no_balance` where there is too little to do it with."""
    return no_balance if refusal is Refusal.BALANCE else CODES.get(refusal, PARAMETER)


def is_futures(symbol: str) -> bool:
    """Whether it is a contract's."""
    return symbol.endswith(SUFFIX)


def name_of(symbol: str) -> str:
    """What the venue calls it: a contract as the spot market of its assets."""
    return symbol.removesuffix(SUFFIX)


def symbol_of(inst_type: str, name: str) -> str:
    """The instrument of a name in one part of the venue, "" where that has no such names."""
    if inst_type == PRODUCT:
        return f"{name}{SUFFIX}"
    return name if inst_type == "SPOT" and not is_futures(name) else ""


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


# ---- contracts


def _lever(instrument: Instrument) -> str:
    return digits((1 / instrument.margin_rate).quantize(Decimal(1))) if instrument.margin_rate else "1"


def _held(instrument: Instrument) -> Row:
    """How contracts of it are held."""
    return {
        "posMode": "one_way_mode", "marginMode": "crossed", "marginCoin": instrument.contract.settle,
        "leverage": _lever(instrument),
    }  # fmt: skip


def futures_order_row(order: Order | ClosedOrder, fills: Iterable[TradeRow], instrument: Instrument) -> Row:
    """An order for contracts in a list. A fee that is charged is below 0."""
    terms, fee = order.terms, sum((fill.fee for fill in fills), ZERO)
    return {
        "symbol": name_of(terms.symbol), "orderId": str(order.order_id), "clientOid": terms.cl_ord_id,
        "size": digits(terms.order_qty), "price": "" if terms.price is None else digits(terms.price),
        "baseVolume": digits(order.cum_qty), "quoteVolume": digits(order.cum_quote), "priceAvg": average(order),
        "fee": digits(-fee) if fee else "", "status": STATES.get(order.ord_status, "canceled"),
        "side": side(terms.side), "force": force(order), "orderType": "market" if terms.ord_type == MARKET else "limit",
        "reduceOnly": "YES" if terms.reduce_only else "NO", "posSide": "net",
        "tradeSide": f"{side(terms.side)}_single", "totalProfits": "0", "enterPointSource": "API",
        "orderSource": "normal", "cancelReason": "", **_held(instrument), "cTime": ms(order.stamp_ns),
        "uTime": ms(order.updated_ns),
    }  # fmt: skip


def futures_fill_row(row: TradeRow) -> Row:
    """A fill of contracts: it names the venue's own id of the order, and not ours."""
    return {
        "symbol": name_of(row.symbol), "orderId": str(row.order_id), "tradeId": str(row.trade_id),
        "side": side(row.side), "price": digits(row.px), "baseVolume": digits(row.qty),
        "quoteVolume": digits(row.px * row.qty), "profit": "0", "tradeSide": f"{side(row.side)}_single",
        "posMode": "one_way_mode", "tradeScope": "maker" if row.maker else "taker", "enterPointSource": "API",
        "feeDetail": [
            {"deduction": "no", "feeCoin": row.fee_asset, "totalDeductionFee": "", "totalFee": digits(-row.fee)}
        ],
        "cTime": ms(row.stamp_ns),
    }  # fmt: skip


def contract_row(i: Instrument) -> Row:
    """A contract. The step of quantities is called sizeMultiplier; that of prices is told by digits and steps."""
    places = int(_places(i.tick_size))
    return {
        "symbol": name_of(i.symbol), "baseCoin": i.base, "quoteCoin": i.quote, "buyLimitPriceRatio": "0.05",
        "sellLimitPriceRatio": "0.05", "feeRateUpRatio": "0.005", "makerFeeRate": "0.0002", "takerFeeRate": "0.0006",
        "openCostUpRatio": "0.01", "supportMarginCoins": [i.contract.settle], "minTradeNum": digits(i.min_qty),
        "priceEndStep": digits(i.tick_size.scaleb(places)), "volumePlace": _places(i.lot_size),
        "pricePlace": str(places), "sizeMultiplier": digits(i.lot_size), "symbolType": "perpetual",
        "minTradeUSDT": digits(i.min_notional), "maxSymbolOrderNum": "200", "maxProductOrderNum": "400",
        "maxPositionNum": "150", "symbolStatus": "normal", "offTime": "-1", "limitOpenTime": "-1", "deliveryTime": "",
        "deliveryStartTime": "", "deliveryPeriod": "", "launchTime": "", "fundInterval": "8", "minLever": "1",
        "maxLever": "125", "posLimit": "0.05", "maintainTime": "", "maxOrderQty": digits(i.max_qty),
        "maxMarketOrderQty": digits(i.max_qty), "isRwa": "NO",
    }  # fmt: skip


def futures_account_row(asset: str, equity: Decimal, unrealised: Decimal, margin: Decimal) -> Row:
    """The wallet for contracts. `equity` counts what closing all of them would bring, `unrealised`."""
    available = digits(max(ZERO, equity - margin))
    return {
        "marginCoin": asset, "locked": "0", "available": available, "crossedMaxAvailable": available,
        "isolatedMaxAvailable": available, "maxTransferOut": available, "accountEquity": digits(equity),
        "usdtEquity": digits(equity), "btcEquity": "0", "crossedRiskRate": "0", "unrealizedPL": digits(unrealised),
        "coupon": "0", "crossedMargin": digits(margin), "isolatedMargin": "0",
        "crossedUnrealizedPL": digits(unrealised), "isolatedUnrealizedPL": None, "assetMode": "single", "grant": "0",
    }  # fmt: skip


def position_row(i: Instrument, qty: Decimal, cost: Decimal, last: Decimal, orders: Iterable[Order]) -> Row:
    """What the account holds of a contract: a size without a sign, and the side that it is on. `cost` is the average of
    its unit costs."""
    contract, size_ = i.contract, abs(qty)
    # A sum has no sign where it is nothing.
    unrealised = contract.profit((contract.unit_cost(last) - cost) * qty) + ZERO
    ordered = sum((order.leaves_qty for order in orders), ZERO)
    return {
        "symbol": name_of(i.symbol), "holdSide": "long" if qty > 0 else "short", "total": digits(size_),
        "available": digits(size_), "locked": "0", "openDelegateSize": digits(ordered), **_held(i),
        "marginSize": digits(i.margin_rate * contract.worth(last, size_)), "achievedProfits": "0",
        "openPriceAvg": digits(contract.unit_cost(cost).quantize(_PRICE_STEP, ROUND_HALF_UP)),
        "unrealizedPL": digits(unrealised), "liquidationPrice": "0",
        "keepMarginRate": "0.004", "markPrice": digits(last), "breakEvenPrice": "", "totalFee": "", "deductedFee": "",
        "marginRatio": "0", "assetMode": "single", "cTime": "1767225600000", "uTime": "1767225600000",
    }  # fmt: skip


def futures_push(order: Order, instrument: Instrument) -> Row:
    """An order for contracts as a push tells it: size is the quantity."""
    return {
        "instId": name_of(order.symbol), "orderId": str(order.order_id), "clientOid": order.cl_ord_id,
        "size": digits(order.order_qty), "price": "0" if order.price is None else digits(order.price),
        "notionalUsd": digits(order.order_qty * (order.price or ZERO)), "force": force(order),
        "orderType": "market" if order.terms.ord_type == MARKET else "limit", "side": side(order.side),
        "posSide": "net", "tradeSide": f"{side(order.side)}_single", **_held(instrument),
        "reduceOnly": "yes" if order.reduce_only else "no", "accBaseVolume": digits(order.cum_qty),
        "priceAvg": average(order), "status": STATES.get(order.ord_status, "canceled"), "stpMode": "none",
        "feeDetail": [], "enterPointSource": "API", "cTime": ms(order.stamp_ns), "uTime": ms(order.updated_ns),
    }  # fmt: skip

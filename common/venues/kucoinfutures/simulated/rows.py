"""How KuCoin Futures writes orders, fills, positions, contracts and the account over REST and WebSocket.

Source: KuCoin documentation as stored 2025-11-29, futures trading and account information. Quantities are whole numbers
of contracts. REST writes prices and values of orders as text, and all of contracts, positions and the account as
numbers; times are Unix milliseconds.
"""

import re
from decimal import ROUND_HALF_UP, Decimal

import msgspec

from common.exchange.engine import Refusal
from common.exchange.history import ClosedOrder, TradeRow
from common.exchange.numbers import digits
from common.exchange.order import IMMEDIATE_OR_CANCEL, MARKET, ZERO, Order
from common.exchange.settings import Instrument
from common.venues.families.kucoin.simulated.rows import Row, cancelled_qty, ms, side

PARAMETER = "100001"
CODES = {
    Refusal.BALANCE: "330008",
    Refusal.NOT_REDUCING: "300009",
    Refusal.FAR_PRICE: "300011",
    Refusal.TOO_MANY_ORDERS: "300000",
}
_FIRST = 247_000_000_000_000_000
_ID = re.compile(r"247[0-9]{15}")
_STEP = Decimal("0.00000001")


def order_name(order_id: int) -> str:
    """orderId: eighteen digits."""
    return str(_FIRST + order_id)


def order_number(name: str) -> str:
    """The exchange's own number of an orderId as text, "x" for what is none of its own."""
    return str(int(name) - _FIRST) if _ID.fullmatch(name) else "x"


def code_of(refusal: Refusal) -> str:
    """The venue's code for what the engine does not do."""
    return CODES.get(refusal, PARAMETER)


def number(value: Decimal) -> msgspec.Raw:
    """A number of JSON, with every digit of it."""
    return msgspec.Raw(digits(value).encode())


def order_row(order: Order | ClosedOrder, i: Instrument) -> Row:
    """An order. Its status says whether it is over, and not how."""
    terms, is_open = order.terms, order.ord_status in "01"
    is_market, updated_ms = terms.ord_type == MARKET, ms(order.updated_ns)
    worth = digits(i.contract.worth(terms.price or ZERO, terms.order_qty))
    dealt = digits(order.cum_quote * i.contract.multiplier)
    average = (order.cum_quote / order.cum_qty).quantize(_STEP, ROUND_HALF_UP) if order.cum_qty else ZERO
    return {
        "id": order_name(order.order_id), "symbol": terms.symbol, "type": "market" if is_market else "limit",
        "side": side(terms.side), "price": None if terms.price is None else digits(terms.price),
        "size": int(terms.order_qty), "value": dealt if is_market else worth, "dealValue": dealt,
        "dealSize": int(order.cum_qty), "stp": "", "stop": "", "stopPriceType": "", "stopTriggered": False,
        "stopPrice": None, "timeInForce": "IOC" if terms.time_in_force == IMMEDIATE_OR_CANCEL else "GTC",
        "postOnly": terms.post_only, "hidden": False, "iceberg": False, "leverage": leverage(i), "forceHold": False,
        "closeOrder": False, "visibleSize": 0, "clientOid": terms.cl_ord_id, "remark": None, "tags": None,
        "isActive": is_open, "cancelExist": cancelled_qty(order) > 0, "createdAt": ms(order.stamp_ns),
        "updatedAt": updated_ms, "endAt": None if is_open else updated_ms, "orderTime": order.stamp_ns,
        "settleCurrency": i.contract.settle, "marginMode": "CROSS", "positionSide": "BOTH",
        "avgDealPrice": digits(average), "filledSize": int(order.cum_qty), "filledValue": dealt,
        "status": "open" if is_open else "done", "reduceOnly": terms.reduce_only,
    }  # fmt: skip


def fill_row(row: TradeRow, i: Instrument, rate: Decimal) -> Row:
    """A fill: it names the venue's own id of the order, and not ours."""
    return {
        "symbol": row.symbol, "tradeId": str(row.trade_id), "orderId": order_name(row.order_id),
        "side": side(row.side), "liquidity": "maker" if row.maker else "taker", "forceTaker": False,
        "price": digits(row.px), "size": int(row.qty), "value": digits(i.contract.worth(row.px, row.qty)),
        "openFeePay": digits(row.fee), "closeFeePay": "0", "stop": "", "feeRate": digits(rate), "fixFee": "0",
        "feeCurrency": row.fee_asset, "tradeTime": row.stamp_ns, "subTradeType": None, "marginMode": "CROSS",
        "settleCurrency": i.contract.settle, "fee": digits(row.fee), "orderType": "limit", "tradeType": "trade",
        "createdAt": ms(row.stamp_ns),
    }  # fmt: skip


def leverage(i: Instrument) -> str:
    """How many times the margin may be held."""
    return digits((1 / i.margin_rate).quantize(Decimal(1))) if i.margin_rate else "1"


def contract_row(i: Instrument, last: Decimal) -> Row:
    """A contract. The multiplier of an inverse one is below 0. It has names of its own for some assets."""
    contract, base = i.contract, "XBT" if i.base == "BTC" else i.base
    return {
        "symbol": i.symbol, "rootSymbol": contract.settle, "type": "FFWCSX", "firstOpenDate": 1_585_555_200_000,
        "expireDate": None, "settleDate": None, "baseCurrency": base, "quoteCurrency": i.quote,
        "settleCurrency": contract.settle, "maxOrderQty": int(i.max_qty), "maxPrice": number(i.max_price),
        "lotSize": int(i.lot_size), "tickSize": number(i.tick_size), "indexPriceTickSize": number(i.tick_size),
        "multiplier": number(-contract.multiplier if contract.inverse else contract.multiplier),
        "initialMargin": number(i.margin_rate), "maintainMargin": number(i.margin_rate / 2), "makerFeeRate": 0,
        "takerFeeRate": 0, "isDeleverage": True, "isQuanto": False, "isInverse": contract.inverse,
        "markMethod": "FairPrice", "status": "Open", "markPrice": number(last), "indexPrice": number(last),
        "lastTradePrice": number(last), "nextFundingRateTime": 17_031_053, "maxLeverage": int(leverage(i)),
        "supportCross": True,
    }  # fmt: skip


def position_row(i: Instrument, qty: Decimal, average: Decimal, last: Decimal, now_ms: int) -> Row:
    """What the account holds of a contract, below 0 where contracts were sold; `average` is that of its unit costs."""
    contract = i.contract
    entry = contract.unit_cost(average).quantize(_STEP, ROUND_HALF_UP) if qty else ZERO
    profit = contract.profit((contract.unit_cost(last) - average) * qty)
    cost, value = contract.worth(entry, abs(qty)), contract.worth(last, abs(qty))
    margin = number(i.margin_rate * value)
    return {
        "id": f"p-{i.symbol}", "symbol": i.symbol, "crossMode": True, "marginMode": "CROSS", "positionSide": "BOTH",
        "delevPercentage": 0, "openingTimestamp": now_ms, "currentTimestamp": now_ms, "currentQty": int(qty),
        "currentCost": number(cost.copy_sign(qty)), "unrealisedCost": number(cost.copy_sign(qty)),
        "isOpen": bool(qty), "markPrice": number(last), "markValue": number(value.copy_sign(qty)),
        "posCost": number(cost.copy_sign(qty)), "posInit": margin, "posMargin": margin,
        "maintMarginReq": number(i.margin_rate / 2), "unrealisedPnl": number(profit), "avgEntryPrice": number(entry),
        "liquidationPrice": 0, "bankruptPrice": 0, "settleCurrency": contract.settle, "isInverse": contract.inverse,
        "leverage": number(Decimal(leverage(i))),
    }  # fmt: skip


def account_row(asset: str, cash: Decimal, equity: Decimal, held: Decimal, margin: Decimal) -> Row:
    """What the account has of an asset: `held` of its margin is of positions."""
    return {
        "currency": asset, "accountEquity": number(equity), "unrealisedPNL": number(equity - cash),
        "marginBalance": number(cash), "positionMargin": number(held), "orderMargin": number(margin - held),
        "frozenFunds": 0, "availableBalance": number(max(ZERO, equity - margin)),
        "maxWithdrawAmount": number(max(ZERO, min(cash, equity) - margin)), "riskRatio": 0,
    }  # fmt: skip

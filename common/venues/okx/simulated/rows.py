"""How OKX writes orders, fills, balances, positions and instruments: rows of text, the same over REST and WebSocket.

Source: OKX API v5 documentation as stored 2025-11-25, order book trading, trading account and public data.
"""

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
CODES = {
    Refusal.UNKNOWN_SYMBOL: "51001",
    Refusal.INSTRUMENT_EXPIRED: "51001",
    Refusal.DUPLICATE: "51016",
    Refusal.BALANCE: "51008",
    Refusal.BAD_QTY: "51121",
    Refusal.BAD_NOTIONAL: "51020",
    Refusal.FAR_PRICE: "51006",
    Refusal.UNKNOWN_ORDER: "51603",
    Refusal.NOT_REDUCING: "51169",
}
PARAMETER = "51000"
GONE_FOR_CANCEL = "51400"
GONE_FOR_AMEND = "51503"

_PRICE_STEP = Decimal("0.00000001")


def code_of(refusal: Refusal) -> str:
    """The venue's code for what the engine does not do."""
    return CODES.get(refusal, PARAMETER)


def ms(stamp_ns: int) -> str:
    """Unix milliseconds as text."""
    return str(stamp_ns // NS_PER_MS)


def order_type(order: Order | ClosedOrder) -> str:
    """ordType."""
    terms = order.terms
    if terms.ord_type == MARKET:
        return "market"
    if terms.post_only:
        return "post_only"
    return {IMMEDIATE_OR_CANCEL: "ioc", FILL_OR_KILL: "fok"}.get(terms.time_in_force, "limit")


def is_swap(symbol: str) -> bool:
    """Whether an instrument is a perpetual, by its name."""
    return symbol.endswith("-SWAP")


def inst_type(symbol: str) -> str:
    """instType."""
    return "SWAP" if is_swap(symbol) else "SPOT"


def td_mode(symbol: str) -> str:
    """tdMode of its orders here: spot without margin, and contracts across the account."""
    return "cross" if is_swap(symbol) else "cash"


def pos_side(symbol: str) -> str:
    """posSide: one position in each contract."""
    return "net" if is_swap(symbol) else ""


def order_row(order: Order | ClosedOrder) -> Row:
    """An order as REST tells it; a push adds to it."""
    terms = order.terms
    in_base = terms.ord_type == MARKET and not is_swap(terms.symbol)
    average = (order.cum_quote / order.cum_qty).quantize(_PRICE_STEP, ROUND_HALF_UP) if order.cum_qty else None
    return {
        "instType": inst_type(terms.symbol), "instId": terms.symbol, "ordId": str(order.order_id),
        "clOrdId": terms.cl_ord_id, "posSide": pos_side(terms.symbol),
        "px": "" if terms.price is None else digits(terms.price), "sz": digits(terms.order_qty),
        "ordType": order_type(order), "side": "buy" if terms.side == BUY else "sell",
        "tdMode": td_mode(terms.symbol), "tag": "",
        "state": STATES.get(order.ord_status, "canceled"), "accFillSz": digits(order.cum_qty),
        "avgPx": "" if average is None else digits(average), "fillPx": "", "fillSz": "0", "fillTime": "",
        "tradeId": "", "fee": "", "feeCcy": "", "rebate": "0", "rebateCcy": "", "cTime": ms(order.stamp_ns),
        "uTime": ms(order.updated_ns), "cancelSource": "",
        "tgtCcy": "base_ccy" if in_base else "", "reduceOnly": "true" if terms.reduce_only else "false",
    }  # fmt: skip


def fill_row(row: TradeRow) -> Row:
    """A fill as REST tells it. A fee that is charged is below 0."""
    return {
        "instType": inst_type(row.symbol), "instId": row.symbol, "tradeId": str(row.trade_id),
        "ordId": str(row.order_id), "clOrdId": row.cl_ord_id, "billId": str(row.exec_id), "tag": "",
        "fillPx": digits(row.px),
        "fillSz": digits(row.qty), "side": "buy" if row.side == BUY else "sell",
        "execType": "M" if row.maker else "T", "feeCcy": row.fee_asset, "fee": digits(-row.fee),
        "ts": ms(row.stamp_ns), "fillTime": ms(row.stamp_ns), "posSide": pos_side(row.symbol),
    }  # fmt: skip


def instrument_row(i: Instrument) -> Row:
    """An instrument. A perpetual has the assets of its underlying, and none of its own."""
    common: Row = {
        "instType": inst_type(i.symbol), "instId": i.symbol, "tickSz": digits(i.tick_size),
        "lotSz": digits(i.lot_size), "minSz": digits(i.min_qty), "maxLmtSz": digits(i.max_qty), "state": "live",
        "alias": "", "expTime": "", "listTime": "1548133413000", "category": "1",
    }  # fmt: skip
    if not is_swap(i.symbol):
        none = dict.fromkeys(("ctVal", "ctMult", "ctType", "ctValCcy", "settleCcy", "uly", "instFamily", "lever"), "")
        return {**common, **none, "baseCcy": i.base, "quoteCcy": i.quote}
    underlying, contract = f"{i.base}-{i.quote}", i.contract
    return {
        **common, "baseCcy": "", "quoteCcy": "", "uly": underlying, "instFamily": underlying, "lever": "100",
        "ctVal": digits(contract.multiplier), "ctMult": "1", "ctValCcy": i.quote if contract.inverse else i.base,
        "ctType": "inverse" if contract.inverse else "linear", "settleCcy": contract.settle,
    }  # fmt: skip


def balance_row(asset: str, free: Decimal, locked: Decimal, margin: Decimal, upl: Decimal) -> Row:
    """What the account has of one asset: `margin` of it is needed for contracts, which would bring `upl` if they were
    closed."""
    frozen = locked + margin
    return {
        "ccy": asset, "cashBal": digits(free + locked), "availBal": digits(max(ZERO, free - margin)),
        "availEq": digits(max(ZERO, free + upl - margin)), "frozenBal": digits(frozen), "imr": digits(margin),
        "upl": digits(upl), "eq": digits(free + locked + upl), "uTime": "0", "ordFrozen": digits(locked),
    }  # fmt: skip


def position_row(i: Instrument, qty: Decimal, average: Decimal, last: Decimal) -> Row:
    """What the account holds of a contract; `average` is that of its unit costs."""
    contract = i.contract
    margin = i.margin_rate * contract.worth(last, abs(qty))
    return {
        "instType": inst_type(i.symbol), "instId": i.symbol, "mgnMode": td_mode(i.symbol), "posSide": "net",
        "posId": i.symbol, "pos": digits(qty), "availPos": "", "posCcy": "", "ccy": contract.settle,
        "avgPx": digits(contract.unit_cost(average).quantize(_PRICE_STEP, ROUND_HALF_UP)), "last": digits(last),
        "markPx": digits(last), "upl": digits(contract.profit((contract.unit_cost(last) - average) * qty)),
        "uplRatio": "", "lever": digits(1 / i.margin_rate) if i.margin_rate else "", "liqPx": "", "margin": "",
        "imr": digits(margin), "mmr": "", "mgnRatio": "", "notionalUsd": digits(contract.notional(last, abs(qty))),
        "cTime": "", "uTime": "",
    }  # fmt: skip


NO_FILL: Row = {
    "fillFee": "0", "fillFeeCcy": "", "fillNotionalUsd": "", "amendResult": "", "reqId": "", "code": "0", "msg": "",
    "amendSource": "", "execType": "",
}  # fmt: skip
"""What a push has beside the order, where no trade and no amendment is its cause."""


def fill_of_push(trade: TradeRow) -> Row:
    """What a push adds of the trade that it tells of."""
    return {
        "fillPx": digits(trade.px), "fillSz": digits(trade.qty), "fillTime": ms(trade.stamp_ns),
        "tradeId": str(trade.trade_id), "fillFee": digits(-trade.fee) if trade.fee else digits(ZERO),
        "fillFeeCcy": trade.fee_asset, "execType": "M" if trade.maker else "T",
    }  # fmt: skip

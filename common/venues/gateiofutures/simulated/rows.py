"""How Gate.io writes orders, fills, positions, contracts and the account of futures: sizes are whole contracts, below 0
for a sale. Over the WebSocket prices are numbers, and times are in milliseconds.

Source: Gate APIv4 documentation as stored 2025-11-25, futures, and futures WebSocket v4.
"""

from decimal import ROUND_HALF_UP, Decimal

import msgspec

from common.exchange.book import Book, BookSide
from common.exchange.engine import Cause, Refusal
from common.exchange.history import ClosedOrder, TradeRow
from common.exchange.numbers import digits
from common.exchange.order import BUY, FILLED, MARKET, ZERO, Order
from common.exchange.settings import Instrument
from common.instant import NS_PER_MS, NS_PER_S
from common.venues.families.gateio.simulated.rows import Row, best_prices, text_of, time_in_force

LABELS = {
    Refusal.UNKNOWN_SYMBOL: "CONTRACT_NOT_FOUND",
    Refusal.INSTRUMENT_EXPIRED: "CONTRACT_NOT_FOUND",
    Refusal.DUPLICATE: "REPEATED_CREATION",
    Refusal.BALANCE: "INSUFFICIENT_AVAILABLE",
    Refusal.FAR_PRICE: "PRICE_TOO_DEVIATED",
    Refusal.WOULD_TAKE: "ORDER_POC_IMMEDIATE",
    Refusal.NOT_REDUCING: "INCREASE_POSITION",
    Refusal.NO_CHANGE: "NO_CHANGE",
}
ENDS = {Cause.SELF_TRADE: "stp", Cause.REDUCED: "reduce_only"}
_PRICE_STEP = Decimal("0.00000001")


def contract_name(i: Instrument) -> str:
    """What the venue calls an instrument: its underlying and what its price is in, as the spot pair of both."""
    return f"{i.base}_{i.quote}"


def signed(side: str, qty: Decimal) -> int:
    """A size: below 0 for a sale."""
    return int(qty) if side == BUY else -int(qty)


def stamp_s(stamp_ns: int) -> float:
    """Unix seconds with three decimals, as REST has times."""
    return round(stamp_ns / NS_PER_S, 3)


def _finish_as(order: Order | ClosedOrder, cause: str) -> str:
    if order.ord_status == FILLED:
        return "filled"
    by_itself = "cancelled" if time_in_force(order) in ("gtc", "poc") else "ioc"
    return ENDS.get(Cause(cause), by_itself) if cause else by_itself


def order_row(order: Order | ClosedOrder, i: Instrument, user: str, amend_text: str, *, cause: str = "") -> Row:
    """An order as REST tells it."""
    terms, cum_qty = order.terms, order.cum_qty
    average = (order.cum_quote / cum_qty).quantize(_PRICE_STEP, ROUND_HALF_UP) if cum_qty else ZERO
    is_open = order.ord_status in "01"
    ended: Row = {} if is_open else {"finish_as": _finish_as(order, cause), "finish_time": stamp_s(order.updated_ns)}
    return {
        "id": order.order_id, "user": _user(user), "contract": contract_name(i),
        "create_time": stamp_s(order.stamp_ns), "update_time": stamp_s(order.updated_ns),
        "status": "open" if is_open else "finished", **ended,
        "size": signed(terms.side, terms.order_qty), "left": signed(terms.side, terms.order_qty - cum_qty),
        "iceberg": 0, "price": "0" if terms.price is None else digits(terms.price), "fill_price": digits(average),
        "mkfr": "0", "tkfr": "0", "refu": 0, "tif": _tif(order), "text": text_of(terms.cl_ord_id),
        "is_reduce_only": terms.reduce_only, "is_close": False, "is_liq": False, "stp_id": 0, "stp_act": "-",
        "amend_text": amend_text, "biz_info": "-",
    }  # fmt: skip


def _tif(order: Order | ClosedOrder) -> str:
    return "ioc" if order.terms.ord_type == MARKET else time_in_force(order)


def _number(text: object) -> msgspec.Raw:
    """A number in JSON of what else is text."""
    return msgspec.Raw(str(text).encode())


def _user(user: str) -> int | str:
    return int(user) if user.isdecimal() else user


def pushed_order(row: Row, order: Order | ClosedOrder) -> Row:
    """The same as a push tells it."""
    return {
        **row, "user": str(row["user"]), "price": _number(row["price"]), "fill_price": _number(row["fill_price"]),
        "mkfr": 0, "tkfr": 0, "refr": 0, "create_time": order.stamp_ns // NS_PER_S,
        "create_time_ms": order.stamp_ns // NS_PER_MS, "update_time": order.updated_ns // NS_PER_MS, "update_id": 1,
        "finish_time": 0 if row["status"] == "open" else order.updated_ns // NS_PER_S,
        "finish_time_ms": 0 if row["status"] == "open" else order.updated_ns // NS_PER_MS,
        "finish_as": row.get("finish_as", ""), "stop_loss_price": "", "stop_profit_price": "",
    }  # fmt: skip


def fill_row(row: TradeRow, i: Instrument) -> Row:
    """A fill of an order that is named; of a span of time, `trade_id` is in the place of `id`."""
    return {
        "id": row.trade_id, "create_time": stamp_s(row.stamp_ns), "contract": contract_name(i),
        "order_id": str(row.order_id), "size": signed(row.side, row.qty), "close_size": 0, "price": digits(row.px),
        "role": "maker" if row.maker else "taker", "text": text_of(row.cl_ord_id), "fee": digits(row.fee),
        "point_fee": "0",
    }  # fmt: skip


def pushed_fill(row: TradeRow, i: Instrument) -> Row:
    """A fill as a push tells it."""
    told = fill_row(row, i)
    del told["close_size"]
    return {
        **told, "id": str(row.trade_id), "create_time": row.stamp_ns // NS_PER_S,
        "create_time_ms": row.stamp_ns // NS_PER_MS, "fee": _number(digits(row.fee)), "point_fee": 0,
    }  # fmt: skip


def contract_row(i: Instrument, last: Decimal) -> Row:
    """A contract."""
    return {
        "name": contract_name(i), "type": "inverse" if i.contract.inverse else "direct",
        "quanto_multiplier": digits(i.contract.multiplier), "order_price_round": digits(i.tick_size),
        "order_size_min": int(i.min_qty), "order_size_max": int(i.max_qty), "enable_decimal": False,
        "last_price": digits(last), "mark_price": digits(last), "index_price": digits(last),
        "mark_price_round": digits(i.tick_size), "order_price_deviate": "0.5", "leverage_min": "1",
        "leverage_max": "100", "maintenance_rate": "0.005", "maker_fee_rate": "-0.0001", "taker_fee_rate": "0.00075",
        "in_delisting": False, "status": "trading", "orders_limit": 100, "create_time": 1_669_688_556,
        "launch_time": 1_669_688_556, "funding_rate": "0", "funding_interval": 28_800,
    }  # fmt: skip


def account_row(user: str, total: Decimal, unrealised: Decimal, held: Decimal, ordered: Decimal) -> Row:
    """What a classic account of one position in each contract has: `held` and `ordered` are the margins of what it
    holds, and has open orders for; `unrealised` is what closing would bring."""
    return {
        "user": _user(user), "currency": "USDT", "total": digits(total), "unrealised_pnl": digits(unrealised),
        "position_margin": digits(held), "order_margin": digits(ordered),
        "available": digits(max(ZERO, total - held - ordered)), "point": "0", "bonus": "0", "in_dual_mode": False,
        "position_mode": "single", "enable_credit": False, "enable_evolved_classic": False, "margin_mode": 0,
    }  # fmt: skip


def position_row(user: str, i: Instrument, qty: Decimal, average: Decimal, last: Decimal) -> Row:
    """What the account holds of a contract; `average` is what a unit of it has cost."""
    contract = i.contract
    return {
        "user": _user(user), "contract": contract_name(i), "size": int(qty), "leverage": "0", "mode": "single",
        "leverage_max": "100", "value": digits(contract.notional(last, abs(qty))),
        "margin": digits(i.margin_rate * contract.worth(last, abs(qty))), "risk_limit": "1000000",
        "maintenance_rate": "0.005", "entry_price": digits(average.quantize(_PRICE_STEP, ROUND_HALF_UP)),
        "liq_price": "0", "mark_price": digits(last), "realised_pnl": "0", "history_pnl": "0", "last_close_pnl": "0",
        "unrealised_pnl": digits(contract.profit((contract.unit_cost(last) - average) * qty)),
        "adl_ranking": 5, "pending_orders": 0, "cross_leverage_limit": "10", "update_id": 1, "close_order": None,
    }  # fmt: skip


def levels(side: BookSide, depth: int) -> list[Row]:
    """Price and size, the best first."""
    return [{"p": digits(level.price), "s": int(level.qty)} for level in list(side.walk())[:depth]]


def ticker_row(book: Book, i: Instrument) -> Row:
    """The best prices; a side without a price is empty."""
    last = digits(book.last_px or i.start_price)
    row: Row = {"contract": contract_name(i), "last": last, "mark_price": last, "index_price": last}
    told = {**row, **best_prices(book)}
    return {**told, "change_percentage": "0", "volume_24h": "0", "high_24h": last, "low_24h": last}

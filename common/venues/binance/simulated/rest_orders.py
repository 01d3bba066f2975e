"""Binance's REST side of order entry: new orders, cancels, and cancel-and-new.

Source: binance-spot-api-docs, rest-api.md, trading endpoints. What REST does every FIX session of the account hears of.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple, TypeVar

from common.exchange.engine import check_form
from common.exchange.history import closed_order
from common.exchange.numbers import read_number
from common.exchange.order import (
    BUY,
    GOOD_TILL_CANCEL,
    LIMIT,
    MARKET,
    MARKET_PEG,
    OFFSET_BASIS_POINTS,
    OFFSET_LEVELS,
    PEGGED,
    PRIMARY_PEG,
    SELL,
    STOP,
    STOP_LIMIT,
    TRAILING,
    Asked,
    Order,
    Terms,
)
from common.exchange.rest import SCOPE, Json, Parameters, RestError, Route
from common.exchange.venue import Venue
from common.instant import NS_PER_MS, Instant
from common.venues.binance.simulated import wire
from common.venues.binance.simulated.orders import MOST_LEVELS, BinanceOrders, restriction_holds
from common.venues.binance.simulated.rest import (
    SELF_TRADE,
    TIME_IN_FORCE,
    find_order,
    missing,
    order_json,
    refused,
    symbol_of,
)
from common.venues.binance.simulated.wire import fixed

T = TypeVar("T")
CANCEL_REPLACE_PARTLY_FAILED = -2021
CANCEL_REPLACE_FAILED = -2022
_SIDES = {"BUY": BUY, "SELL": SELL}
_CODE_OF = {word: code for code, word in TIME_IN_FORCE.items()}
_PREVENTION_OF = {word: code for code, word in SELF_TRADE.items()}
_RESTRICTIONS = {"": "", "ONLY_NEW": "1", "ONLY_PARTIALLY_FILLED": "2"}
_TERMS = (
    "timeInForce", "quantity", "price", "stopPrice", "quoteOrderQty", "icebergQty", "trailingDelta", "pegPriceType",
    "pegOffsetType", "pegOffsetValue",
)  # fmt: skip


class _Form(NamedTuple):
    """What an order type is in FIX's codes, which of `_TERMS` it has, and which it may have."""

    ord_type: str
    terms: tuple[str, ...]
    post_only: bool = False
    may_have: tuple[str, ...] = ()
    take_profit: bool = False

    @property
    def pegged(self) -> "_Form":
        """The same with its price from the book."""
        may_have = (*self.may_have, "pegPriceType", "pegOffsetType", "pegOffsetValue")
        terms = tuple(name for name in self.terms if name != "price")
        return self._replace(ord_type=PEGGED, terms=terms, may_have=may_have)

    @property
    def trailing(self) -> "_Form":
        """The same with a stop price that follows the market, from its stop price on if it has one."""
        may_have = (*self.may_have, "stopPrice")
        terms = (*(name for name in self.terms if name != "stopPrice"), "trailingDelta")
        return self._replace(terms=terms, may_have=may_have)


_ICEBERG = ("icebergQty",)
_FORMS = {
    "LIMIT": _Form(LIMIT, ("timeInForce", "quantity", "price"), may_have=_ICEBERG),
    "LIMIT_MAKER": _Form(LIMIT, ("quantity", "price"), post_only=True, may_have=_ICEBERG),
    "MARKET": _Form(MARKET, ("quantity",)),
    "STOP_LOSS": _Form(STOP, ("quantity", "stopPrice")),
    "STOP_LOSS_LIMIT": _Form(STOP_LIMIT, ("timeInForce", "quantity", "price", "stopPrice"), may_have=_ICEBERG),
    "TAKE_PROFIT": _Form(STOP, ("quantity", "stopPrice"), take_profit=True),
    "TAKE_PROFIT_LIMIT": _Form(
        STOP_LIMIT, ("timeInForce", "quantity", "price", "stopPrice"), may_have=_ICEBERG, take_profit=True
    ),
}
_BY_AMOUNT = _Form(MARKET, ("quoteOrderQty",))


class _Half(NamedTuple):
    """What became of one half of a cancel-and-new, in Binance's words, and its answer."""

    result: str
    response: Json

    @property
    def failed(self) -> bool:
        """Whether it was tried in vain."""
        return self.result == "FAILURE"


_NOT_ATTEMPTED = _Half("NOT_ATTEMPTED", None)


class RestOrders:
    """The endpoints that change orders. `orders` is the FIX listener, whose limits and faults of new orders they
    share.
    """

    def __init__(self, venue: Venue, orders: BinanceOrders) -> None:
        self._venue = venue
        self._orders = orders

    @property
    def routes(self) -> Mapping[tuple[str, str], Route]:
        """By method and the path below /api/v3."""
        return {
            ("POST", "order"): Route(1, True, self._new),
            ("POST", "order/cancelReplace"): Route(1, True, self._cancel_replace),
            ("DELETE", "order"): Route(1, True, self._cancel),
            ("DELETE", "openOrders"): Route(1, True, self._cancel_all),
        }

    # ---- new

    def _new(self, account: str, p: Parameters, now: Instant) -> Json:
        terms = self._terms(account, p)
        style = _style(p)
        refusal = self._orders.why_not(terms, SCOPE, now)
        if refusal is not None:
            raise _refused(refusal)
        return self._placed(self._orders.admit(terms, now), style)

    def _terms(self, account: str, p: Parameters) -> Terms:
        """The order that is asked for. Raises RestError for what the form already forbids."""
        symbol = symbol_of(self._venue, p)
        side = _one_of(p, "side", _SIDES, wire.BAD_SIDE, "Invalid side.")
        form = _one_of(p, "type", _FORMS, wire.BAD_ORDER_TYPE, "Invalid orderType.")
        form = _BY_AMOUNT if form.ord_type == MARKET and p.get("quoteOrderQty") else form
        form = form.pegged if form.ord_type == LIMIT and p.get("pegPriceType") else form
        form = form.trailing if "stopPrice" in form.terms and p.get("trailingDelta") else form
        for name in _TERMS:
            if name in form.terms and not p.get(name):
                raise refused(400, wire.MISSING, missing(name))
            if name not in (*form.terms, *form.may_have) and p.get(name):
                raise refused(400, wire.NOT_REQUIRED, f"Parameter '{name}' sent when not required.")
        time_in_force = GOOD_TILL_CANCEL
        if "timeInForce" in form.terms:
            time_in_force = _one_of(p, "timeInForce", _CODE_OF, wire.BAD_TIME_IN_FORCE, "Invalid timeInForce.")
        mode = p.get("selfTradePreventionMode", "")
        if mode:
            mode = _one_of(p, "selfTradePreventionMode", _PREVENTION_OF)
        qty, price, stop_px, cash_qty = (
            _number(p, name) if p.get(name) else None
            for name in ("quantity", "price", "stopPrice", "quoteOrderQty")
        )
        if cash_qty is not None:
            qty = self._venue.engine.base_for(symbol, side, cash_qty)
        assert qty is not None
        terms = Terms(
            account, "", self._name(p, "newClientOrderId"), symbol, side, form.ord_type, qty, price, time_in_force,
            form.post_only, self._venue.prevention(mode), stop_px, take_profit=form.take_profit,
            cash_qty=cash_qty, display_qty=_number(p, "icebergQty") if p.get("icebergQty") else None,
        )  # fmt: skip
        return self._orders.priced(_pegged(p, terms)) if form.ord_type == PEGGED else _trailing(p, terms)

    def _name(self, p: Parameters, parameter: str) -> str:
        """An id that the client chose, or one of ours."""
        name = p.get(parameter) or self._venue.unique()
        if not wire.CL_ORD_ID.fullmatch(name):
            raise refused(400, wire.ILLEGAL_CHARACTERS, _illegal(parameter))
        return name

    def _placed(self, order: Order, style: str) -> dict[str, object]:
        """The answer to a new order: ACK, RESULT or FULL, as was asked."""
        row = order_json(closed_order(order))
        ack = {name: row[name] for name in ("symbol", "orderId", "orderListId", "clientOrderId")}
        ack["transactTime"] = row["updateTime"]
        if style == "ACK":
            return ack
        row = {name: value for name, value in row.items() if name not in ("time", "updateTime", "isWorking")} | ack
        if style == "RESULT":
            return row
        fills = [
            {
                "price": fixed(t.px),
                "qty": fixed(t.qty),
                "commission": fixed(t.fee),
                "commissionAsset": t.fee_asset,
                "tradeId": t.trade_id,
            }
            for t in self._venue.history.trades_of(order.account, order.order_id)
        ]
        return row | {"fills": fills}

    # ---- cancel

    def _cancel(self, account: str, p: Parameters, now: Instant) -> Json:
        return self._cancelled(account, p, self._name(p, "newClientOrderId"), now)

    def _cancelled(self, account: str, p: Parameters, name: str, now: Instant) -> Json:
        """Cancel the order that is named. Raises RestError where it is not open, or not as it has to be."""
        found = find_order(self._venue, account, p)
        if not isinstance(found, Order):
            raise refused(400, wire.CANCEL_REJECTED, wire.UNKNOWN_ORDER)
        if restriction_holds(_one_of(p, "cancelRestrictions", _RESTRICTIONS), found):
            raise refused(400, wire.CANCEL_REJECTED, wire.RESTRICTED)
        self._venue.engine.cancel(found, now, asked=Asked(name, found.cl_ord_id))
        return _cancelled_json(found, name, now)

    def _cancel_all(self, account: str, p: Parameters, now: Instant) -> Json:
        orders = self._venue.engine.cancel_all(account, symbol_of(self._venue, p), now)
        if not orders:
            raise refused(400, wire.CANCEL_REJECTED, wire.UNKNOWN_ORDER)
        return [_cancelled_json(order, self._venue.unique(), now) for order in orders]

    # ---- cancel and new

    def _cancel_replace(self, account: str, p: Parameters, now: Instant) -> Json:
        """Filters and counts first, the cancel always before the new order."""
        mode = _one_of(p, "cancelReplaceMode", {"STOP_ON_FAILURE": "1", "ALLOW_FAILURE": "2"})
        limit_mode = _one_of(p, "orderRateLimitExceededMode", {"": "1", "DO_NOTHING": "1", "CANCEL_ONLY": "2"})
        terms, style = self._terms(account, p), _style(p)
        refusal = check_form(self._venue.state.instruments[terms.symbol], terms)
        if refusal is not None:
            raise refused(400, wire.refusal_code(refusal), refusal.value)
        named = {"orderId": p.get("cancelOrderId", ""), "origClientOrderId": p.get("cancelOrigClientOrderId", "")}
        wanted = {**p, **named}
        cancel_name = self._name(p, "cancelNewClientOrderId")
        if self._orders.is_full(now):
            cancel = self._tried_cancel(account, wanted, cancel_name, now) if limit_mode == "2" else _NOT_ATTEMPTED
            raise _both(429, wire.TOO_MANY_ORDERS, self._orders.too_many, cancel, _NOT_ATTEMPTED)
        cancel = self._tried_cancel(account, wanted, cancel_name, now)
        if cancel.failed and mode == "1":
            self._orders.count_unfilled(now)
            raise _both(400, CANCEL_REPLACE_FAILED, "Order cancel-replace failed.", cancel, _NOT_ATTEMPTED)
        new = self._tried_new(terms, style, now)
        if cancel.failed and new.failed:
            raise _both(400, CANCEL_REPLACE_FAILED, "Order cancel-replace failed.", cancel, new)
        if cancel.failed or new.failed:
            text = "Order cancel-replace partially failed."
            raise _both(409, CANCEL_REPLACE_PARTLY_FAILED, text, cancel, new)
        return _halves(cancel, new)

    def _tried_cancel(self, account: str, p: Parameters, name: str, now: Instant) -> _Half:
        try:
            return _Half("SUCCESS", self._cancelled(account, p, name, now))
        except RestError as error:
            return _Half("FAILURE", error.answer)

    def _tried_new(self, terms: Terms, style: str, now: Instant) -> _Half:
        refusal = self._orders.why_not(terms, SCOPE, now)
        if refusal is not None:
            return _Half("FAILURE", _refused(refusal).answer)
        return _Half("SUCCESS", self._placed(self._orders.admit(terms, now), style))


def _trailing(p: Parameters, terms: Terms) -> Terms:
    if not p.get("trailingDelta"):
        return terms
    bips = _number(p, "trailingDelta")
    return terms._replace(peg_price_type=TRAILING, peg_offset=bips, peg_offset_type=OFFSET_BASIS_POINTS)


def _pegged(p: Parameters, terms: Terms) -> Terms:
    kind = _one_of(p, "pegPriceType", {"PRIMARY_PEG": PRIMARY_PEG, "MARKET_PEG": MARKET_PEG})
    terms = terms._replace(peg_price_type=kind)
    if not (p.get("pegOffsetType") or p.get("pegOffsetValue")):
        return terms
    counted = _one_of(p, "pegOffsetType", {"PRICE_LEVEL": OFFSET_LEVELS})
    depth = _number({"pegOffsetValue": "", **p}, "pegOffsetValue")
    if depth % 1 or not 0 <= depth <= MOST_LEVELS:
        raise refused(400, wire.ILLEGAL_CHARACTERS, _illegal("pegOffsetValue"))
    return terms._replace(peg_offset=depth, peg_offset_type=counted)


def _cancelled_json(order: Order, name: str, now: Instant) -> dict[str, object]:
    row = order_json(closed_order(order))
    named = {"origClientOrderId": order.cl_ord_id, "clientOrderId": name}
    return row | named | {"transactTime": now.wall_ns // NS_PER_MS}


def _halves(cancel: _Half, new: _Half) -> dict[str, object]:
    return {
        "cancelResult": cancel.result,
        "newOrderResult": new.result,
        "cancelResponse": cancel.response,
        "newOrderResponse": new.response,
    }


def _both(status: int, code: int, text: str, cancel: _Half, new: _Half) -> RestError:
    return RestError(status, {"code": code, "msg": text, "data": _halves(cancel, new)})


def _refused(refusal: tuple[int, str]) -> RestError:
    code, text = refusal
    return refused(429 if code == wire.TOO_MANY_ORDERS else 400, code, text)


def _style(p: Parameters) -> str:
    """How much of the order is told: all of what may trade at once, where nobody says otherwise."""
    default = "FULL" if p.get("type") in ("MARKET", "LIMIT") else "ACK"
    return _one_of({"newOrderRespType": default, **p}, "newOrderRespType", {s: s for s in ("ACK", "RESULT", "FULL")})


def _one_of(p: Parameters, name: str, known: Mapping[str, T], code: int = 0, text: str = "") -> T:
    """What a parameter's word stands for. Raises RestError, with `code` and `text` where they are given."""
    word = p.get(name, "")
    if word in known:
        return known[word]
    if not word:
        raise refused(400, wire.MISSING, missing(name))
    raise refused(400, code or wire.ILLEGAL_CHARACTERS, text or _illegal(name))


def _illegal(name: str) -> str:
    return f"Illegal characters found in parameter '{name}'."


def _number(p: Parameters, name: str) -> Decimal:
    """A quantity or price of at most eight decimals. Raises RestError."""
    try:
        number = read_number(p[name])
    except ValueError:
        raise refused(400, wire.ILLEGAL_CHARACTERS, _illegal(name)) from None
    if number.adjusted() > wire.MAX_DIGITS:
        raise refused(400, wire.ILLEGAL_CHARACTERS, _illegal(name))
    if -int(number.as_tuple().exponent) > wire.MAX_DECIMALS:
        raise refused(400, wire.BAD_PRECISION, f"Parameter '{name}' has too much precision.")
    return number

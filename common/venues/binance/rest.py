"""The venue's REST side through CCXT: one `Ask` in, one `Answer` out.

Source: Binance's rest-api.md for the endpoints, ccxt 4.5 for how they are called and signed. The endpoints are called
as they are (CCXT's implicit methods), since its unified ones turn money into floats and leave out what identifies a
trade.

Only ErrorCode -2013 to a question for one order means that there is no such order. It is believed only when it was said
twice, the second time with the venue's clock read in between, so that `venue_ns` is never later than the answer.
"""

import json
import re
import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Protocol

from common.messages import Answer, Ask, RestOrder, Trade, cut
from common.venues.ccxt_parts import answered, ccxt_class, ccxt_errors
from common.venues.credentials import Ed25519Key
from common.venues.pace import Pace
from common.venues.rest import (
    NS_PER_MS,
    BadAnswer,
    RestSettings,
    decimal_field,
    masked,
    ms_to_ns,
    name_field,
    secondary_fields,
)

BaseError: type[Exception] = ccxt_errors().BaseError

NOT_FOUND_CODE = -2013
NOTHING_TO_CANCEL_CODE = -2011
TRADES_LIMIT = 1000
MS_PER_S = 1000

ORD_STATUS = {
    "NEW": "0", "PARTIALLY_FILLED": "1", "FILLED": "2", "CANCELED": "4", "PENDING_CANCEL": "6", "REJECTED": "8",
    "PENDING_NEW": "A", "EXPIRED": "C", "EXPIRED_IN_MATCH": "C",
}  # fmt: skip
"""Binance's order status as OrdStatus(39)."""

_CODE = re.compile(r'"code"\s*:\s*(-?\d{1,9})(?!\d)')


class Api(Protocol):
    """The endpoints that are used, under CCXT's names for them."""

    def publicGetTime(self, params: dict[str, object] = ...) -> dict[str, Any]: ...  # noqa: N802
    def privateGetOrder(self, params: dict[str, object] = ...) -> dict[str, Any]: ...  # noqa: N802
    def privateGetOpenOrders(self, params: dict[str, object] = ...) -> list[dict[str, Any]]: ...  # noqa: N802
    def privateGetMyTrades(self, params: dict[str, object] = ...) -> list[dict[str, Any]]: ...  # noqa: N802
    def privateGetAccount(self, params: dict[str, object] = ...) -> dict[str, Any]: ...  # noqa: N802
    def privateDeleteOpenOrders(self, params: dict[str, object] = ...) -> list[dict[str, Any]]: ...  # noqa: N802


def open_rest(settings: RestSettings) -> "BinanceRest":
    """The REST side that speaks to `settings.url` alone. Raises ValueError where the credentials are no Ed25519 key."""
    return BinanceRest(settings.venue, _api(settings))


def _api(settings: RestSettings) -> Api:
    """A CCXT client with an Ed25519 key, numbers never as float."""
    if not isinstance(settings.credentials, Ed25519Key):
        raise ValueError("Binance's requests are signed with an Ed25519 key: set the venue's [credentials]")
    exchange = ccxt_class("binance")(
        {
            "apiKey": settings.credentials.api_key,
            # CCXT takes a key for an RSA one by its length: CRLF and trailing newlines make an Ed25519 one too long.
            "secret": "\n".join(
                line.strip() for line in settings.credentials.private_key_pem.decode("ascii").strip().splitlines()
            ),
            "timeout": settings.timeout_ms,
            "options": {"fetchCurrencies": False, "fetchMargins": False, "fetchMarkets": {"types": ["spot"]}},
        }
    )
    exchange.number = Decimal
    pace = Pace(MS_PER_S / exchange.rateLimit)
    exchange.throttle = lambda cost=None: wait_for(pace, cost)
    exchange.urls["api"] = dict.fromkeys(exchange.urls["api"], settings.url)
    if settings.ca:
        exchange.validateServerSsl = settings.ca
    api: Api = exchange
    return api


def wait_for(pace: Pace, cost: float | None) -> None:
    """Sleep until a request of `cost` (1 where none is given) may go."""
    delay_s = pace.delay_s(1.0 if cost is None else cost, time.clock_gettime(time.CLOCK_BOOTTIME))
    if delay_s:
        time.sleep(delay_s)


class BinanceRest:
    """Answers questions through `api`. `ask` never raises: what fails is an answer that says so."""

    def __init__(self, venue: str, api: Api) -> None:
        """`api` as CCXT has it."""
        self._venue = venue
        self.api = api
        self._questions = {
            "order": self._order,
            "open_orders": self._open_orders,
            "trades": self._trades,
            "history": self._trades,
            "balances": self._balances,
            "time": self._time,
            "cancel_all": self._cancel_all,
        }

    def ask(self, ask: Ask) -> Answer:
        """One blocking call, or the few that one question needs."""
        return answered(self._venue, ask, self._questions, error_code)

    def _order(self, ask: Ask) -> Answer:
        by: dict[str, object] = {"symbol": ask.symbol}
        if ask.order_id:
            by["orderId"] = ask.order_id
        else:
            by["origClientOrderId"] = ask.cl_ord_id
        venue_ns = 0
        for _ in range(2):
            try:
                order = _rest_order(self.api.privateGetOrder(by))
                return Answer(self._venue, ask, False, order=order, venue_ns=venue_ns)
            except BaseError as error:
                if error_code(error) != NOT_FOUND_CODE:
                    raise
                if venue_ns:
                    return Answer(self._venue, ask, False, NOT_FOUND_CODE, masked(error), True, venue_ns=venue_ns)
                venue_ns = self._clock_ns()
        raise BadAnswer("the order was neither told nor denied")

    def _open_orders(self, ask: Ask) -> Answer:
        orders = self.api.privateGetOpenOrders({"symbol": ask.symbol} if ask.symbol else {})
        return Answer(self._venue, ask, False, orders=tuple(_rest_order(order) for order in orders))

    def _trades(self, ask: Ask) -> Answer:
        by: dict[str, object] = {"symbol": ask.symbol, "limit": TRADES_LIMIT}
        if ask.order_id:
            by["orderId"] = ask.order_id
        elif ask.from_trade_key:
            by["fromId"] = ask.from_trade_key
        elif ask.since_ns:
            by["startTime"] = ask.since_ns // NS_PER_MS
        venue_ns = self._clock_ns()
        notes: list[str] = []
        trades = tuple(_trade(row, ask.symbol, notes) for row in self.api.privateGetMyTrades(by))
        unread = cut(f"not read: {', '.join(notes)}") if notes else ""
        return Answer(self._venue, ask, False, text=unread, trades=trades, venue_ns=venue_ns)

    def _balances(self, ask: Ask) -> Answer:
        account = self.api.privateGetAccount()
        balances = tuple(
            (cut(str(row["asset"])), decimal_field(row, "free"), decimal_field(row, "locked"))
            for row in account["balances"]
        )
        return Answer(self._venue, ask, False, balances=balances)

    def _time(self, ask: Ask) -> Answer:
        return Answer(self._venue, ask, False, venue_ns=self._clock_ns())

    def _cancel_all(self, ask: Ask) -> Answer:
        try:
            cancelled = self.api.privateDeleteOpenOrders({"symbol": ask.symbol})
        except BaseError as error:
            if error_code(error) != NOTHING_TO_CANCEL_CODE:
                raise
            return Answer(self._venue, ask, False)
        return Answer(self._venue, ask, False, cancelled=len(cancelled))

    def _clock_ns(self) -> int:
        return ms_to_ns(self.api.publicGetTime()["serverTime"])


def error_code(error: BaseException) -> int:
    """The venue's own error code in CCXT's error, 0 where there is none: CCXT's classes are not to be decided by."""
    found = _CODE.search(str(error))
    return int(found[1]) if found else 0


_SIDES: dict[object, str] = {"BUY": "1", "SELL": "2", True: "1", False: "2"}
_SECONDARY: dict[str, Callable[[Mapping[str, Any], str], Any]] = {
    "price": decimal_field, "commission": decimal_field, "time": lambda row, field: ms_to_ns(row[field]),
}  # fmt: skip


def _rest_order(row: dict[str, Any]) -> RestOrder:
    status = str(row["status"])
    if status not in ORD_STATUS:
        raise BadAnswer(f"status is {json.dumps(status)}")
    price = decimal_field(row, "price")
    return RestOrder(
        symbol=name_field(row, "symbol"),
        order_id=name_field(row, "orderId"),
        cl_ord_id=cut(str(row["clientOrderId"] or "")),
        side=_SIDES.get(row["side"], ""),
        ord_status=ORD_STATUS[status],
        order_qty=decimal_field(row, "origQty"),
        price=price if price else None,
        cum_qty=decimal_field(row, "executedQty"),
        transact_ns=ms_to_ns(row.get("updateTime") or row.get("time") or 0),
    )


def _trade(row: dict[str, Any], symbol: str, notes: list[str]) -> Trade:
    """One fill of `symbol`. Trade, order and quantity are what it is counted by; what of the rest cannot be read is
    noted, and the side that is not told is the order's.
    """
    key = name_field(row, "id")
    secondary = secondary_fields(row, _SECONDARY, f"trade {key}", notes)
    asset = row.get("commissionAsset") or ""
    if secondary["commission"] and not asset:
        notes.append(f"commissionAsset of trade {key}")
    return Trade(
        symbol=cut(str(row.get("symbol") or symbol)),
        trade_key=key,
        order_id=name_field(row, "orderId"),
        side=_SIDES.get(row.get("isBuyer"), ""),
        last_qty=decimal_field(row, "qty"),
        last_px=Decimal(secondary["price"]),
        fee_qty=Decimal(secondary["commission"]) if asset else Decimal(0),
        fee_asset=cut(str(asset)),
        transact_ns=secondary["time"],
        maker=row.get("isMaker") is True,
    )

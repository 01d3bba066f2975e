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
from common.venues.ccxt_parts import CcxtRest, ccxt_client, ccxt_errors
from common.venues.credentials import Ed25519Key
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

NOTHING_TO_CANCEL_CODE = -2011
TRADES_LIMIT = 1000

ORD_STATUS = {
    "NEW": "0", "PARTIALLY_FILLED": "1", "FILLED": "2", "CANCELED": "4", "PENDING_CANCEL": "6", "REJECTED": "8",
    "PENDING_NEW": "9", "EXPIRED": "C", "EXPIRED_IN_MATCH": "C",
}  # fmt: skip
"""Binance's order status as OrdStatus(39)."""


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
    if not isinstance(settings.credentials, Ed25519Key):
        raise ValueError("Binance's requests are signed with an Ed25519 key: set the venue's [credentials]")
    options = {
        "apiKey": settings.credentials.api_key,
        # CCXT takes a key for an RSA one by its length: CRLF and trailing newlines make an Ed25519 one too long.
        "secret": "\n".join(
            line.strip() for line in settings.credentials.private_key_pem.decode("ascii").strip().splitlines()
        ),
        "options": {"fetchCurrencies": False, "fetchMargins": False, "fetchMarkets": {"types": ["spot"]}},
    }
    return BinanceRest(settings.venue, ccxt_client("binance", settings, options, time))


class BinanceRest(CcxtRest[Api]):
    """Binance's answers."""

    CODE = re.compile(r'"code"\s*:\s*(-?\d{1,9})(?!\d)')
    NOT_FOUND_CODE = -2013

    def _find(self, ask: Ask) -> RestOrder | str:
        by: dict[str, object] = {"symbol": ask.symbol}
        if ask.order_id:
            by["orderId"] = ask.order_id
        else:
            by["origClientOrderId"] = ask.cl_ord_id
        try:
            return _rest_order(self.api.privateGetOrder(by))
        except BaseError as error:
            if self.error_code(error) != self.NOT_FOUND_CODE:
                raise
            return masked(error)

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
        return self._told_trades(ask, trades, notes, venue_ns)

    def _balances(self, ask: Ask) -> Answer:
        account = self.api.privateGetAccount()
        balances = tuple(
            (cut(str(row["asset"])), decimal_field(row, "free"), decimal_field(row, "locked"))
            for row in account["balances"]
        )
        return Answer(self._venue, ask, False, balances=balances)

    def _cancel_all(self, ask: Ask) -> Answer:
        try:
            cancelled = self.api.privateDeleteOpenOrders({"symbol": ask.symbol})
        except BaseError as error:
            if self.error_code(error) != NOTHING_TO_CANCEL_CODE:
                raise
            return Answer(self._venue, ask, False)
        return Answer(self._venue, ask, False, cancelled=len(cancelled))

    def _clock_ns(self) -> int:
        return ms_to_ns(self.api.publicGetTime()["serverTime"])


_SIDES: dict[object, str] = {"BUY": "1", "SELL": "2", True: "1", False: "2"}
_SECONDARY: dict[str, Callable[[Mapping[str, Any], str], Any]] = {
    "price": decimal_field, "commission": decimal_field, "time": lambda row, field: ms_to_ns(row[field]),
}  # fmt: skip


def _rest_order(row: dict[str, Any]) -> RestOrder:
    status = str(row["status"])
    if status not in ORD_STATUS:
        raise BadAnswer(f"status is {json.dumps(status)}")
    price = decimal_field(row, "peggedPrice" if row.get("peggedPrice") else "price")
    return RestOrder(
        symbol=name_field(row, "symbol"),
        order_id=name_field(row, "orderId"),
        cl_ord_id=cut(str(row["clientOrderId"] or "")),
        side=_SIDES.get(row["side"], ""),
        ord_status=ORD_STATUS[status],
        # An order that another one pays has none before that is filled.
        order_qty=decimal_field(row, "origQty") if "origQty" in row else Decimal(0),
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

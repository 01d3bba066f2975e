"""The venue's REST side through CCXT: one `Ask` in, one `Answer` out.

Source: exchange-developer.crypto.com, Exchange REST v1, as of 2026, for the methods; ccxt 4.5 for how they are called
and signed. They are called as they are (CCXT's implicit methods), since its unified ones turn money into floats. A
trade is known by `trade_id`, which is assumed to be ExecID(17) of its report over FIX.

Code 40401 alone, which comes with HTTP's 200, means that there is no such order. It is believed only when it was said
twice, the second time with the venue's clock read in between, so that `venue_ns` is never later than the answer. There
is no endpoint for the clock: the time of the bitcoin book, which is never ahead of it, stands for it.
"""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Protocol

from common.messages import Answer, Ask, RestOrder, Trade, cut
from common.orders.books import TRADES_PAGE
from common.venues.ccxt_parts import CcxtRest, ccxt_client, ccxt_errors
from common.venues.credentials import HmacSecret
from common.venues.rest import (
    AHEAD_MS,
    NS_PER_MS,
    BadAnswer,
    RestSettings,
    decimal_field,
    ms_to_ns,
    name_field,
    secondary_fields,
    spans,
)

BaseError: type[Exception] = ccxt_errors().BaseError

CLOCK = {"instrument_name": "BTC_USD", "depth": 1}
PAGE = 100
MAX_PAGES = 200
SPAN_MS = 86_400_000
"""Trades are told of a day at most, or of the last one where no time is given."""

OLDEST_DAYS = 180
ORD_STATUS = {
    "NEW": "A", "PENDING": "A", "ACTIVE": "0", "FILLED": "2", "CANCELED": "4", "REJECTED": "8", "EXPIRED": "C",
}  # fmt: skip
"""Crypto.com's order status as OrdStatus(39); an active order that is filled in part is that."""

_SIDES = {"BUY": "1", "SELL": "2"}
Row = dict[str, Any]


class Api(Protocol):
    """The methods that are used, under CCXT's names for them."""

    def v1PublicGetPublicGetBook(self, params: Row = ...) -> Row: ...  # noqa: N802
    def v1PrivatePostPrivateGetOrderDetail(self, params: Row = ...) -> Row: ...  # noqa: N802
    def v1PrivatePostPrivateGetOpenOrders(self, params: Row = ...) -> Row: ...  # noqa: N802
    def v1PrivatePostPrivateGetTrades(self, params: Row = ...) -> Row: ...  # noqa: N802
    def v1PrivatePostPrivateUserBalance(self, params: Row = ...) -> Row: ...  # noqa: N802
    def v1PrivatePostPrivateCancelAllOrders(self, params: Row = ...) -> Row: ...  # noqa: N802


def open_rest(settings: RestSettings) -> "CryptocomRest":
    """The REST side that speaks to `settings.url` alone. Raises ValueError where the credentials are of no use."""
    if not isinstance(settings.credentials, HmacSecret):
        raise ValueError("Crypto.com's requests are signed with an API key's secret: set the venue's [credentials]")
    options = {
        "apiKey": settings.credentials.api_key,
        "secret": settings.credentials.secret.decode("ascii"),
    }
    return CryptocomRest(settings.venue, ccxt_client("cryptocom", settings, options, time))


class CryptocomRest(CcxtRest[Api]):
    """Crypto.com's answers."""

    CODE = re.compile(r'"code"\s*:\s*"?(-?\d{1,9})(?!\d)')
    NOT_FOUND_CODE = 40401

    def _find(self, ask: Ask) -> RestOrder | str:
        by = {"order_id": ask.order_id} if ask.order_id else {"client_oid": ask.cl_ord_id}
        try:
            row = self.api.v1PrivatePostPrivateGetOrderDetail(by)["result"]
        except BaseError as error:
            if self.error_code(error) != self.NOT_FOUND_CODE:
                raise
            return f"no order of {ask.order_id or ask.cl_ord_id}"
        return _rest_order(row)

    def _open_orders(self, ask: Ask) -> Answer:
        by = {"instrument_name": ask.symbol} if ask.symbol else {}
        rows = _rows(self.api.v1PrivatePostPrivateGetOpenOrders(by))
        return Answer(self._venue, ask, False, orders=tuple(map(_rest_order, rows)))

    def _cancel_all(self, ask: Ask) -> Answer:
        """It is carried out later, and does not say how many it is about: those that are open are counted before."""
        count = len(self._open_orders(ask).orders)
        self.api.v1PrivatePostPrivateCancelAllOrders({"instrument_name": ask.symbol})
        return Answer(self._venue, ask, False, cancelled=count)

    # ---- trades

    def _trades(self, ask: Ask) -> Answer:
        """At most TRADES_PAGE of them, the oldest first: who gets so many asks for those that follow."""
        venue_ns, notes = self._clock_ns(), list[str]()
        now_ms = venue_ns // NS_PER_MS
        if ask.order_id and not ask.since_ns:
            order = self.api.v1PrivatePostPrivateGetOrderDetail({"order_id": ask.order_id})["result"]
            rows = self._since_time(ask.symbol, int(order["create_time"]), now_ms)
        elif ask.since_ns:
            rows = self._since_time(ask.symbol, ask.since_ns // NS_PER_MS, now_ms)
        elif ask.from_trade_key:
            rows = self._since_trade(ask.symbol, ask.from_trade_key, now_ms)
        else:
            rows = self._since_time(ask.symbol, now_ms + 1 - SPAN_MS, now_ms)
        wanted = [row for row in rows if ask.order_id in ("", str(row.get("order_id")))]
        wanted.sort(key=lambda row: (int(row["create_time_ns"]), int(row["trade_id"])))
        first = next((n for n, row in enumerate(wanted) if str(row["trade_id"]) == ask.from_trade_key), 0)
        trades = tuple(_trade(row, notes) for row in wanted[first : first + TRADES_PAGE])
        return self._told_trades(ask, trades, notes, venue_ns)

    def _since_time(self, symbol: str, since_ms: int, now_ms: int) -> list[Row]:
        """Forwards by the day."""
        rows: list[Row] = []
        for start_ms, end_ms in spans(since_ms, now_ms, SPAN_MS):
            rows += self._day(symbol, start_ms, end_ms)
            if len(rows) >= TRADES_PAGE:
                break
        return rows

    def _since_trade(self, symbol: str, trade_key: str, now_ms: int) -> list[Row]:
        """Backwards by the day until that trade is met: numbers are not said to grow."""
        rows: list[Row] = []
        for day in range(OLDEST_DAYS):
            end_ms = now_ms + AHEAD_MS - day * SPAN_MS
            told = list(self._day(symbol, end_ms - SPAN_MS, end_ms))
            rows += told
            if any(str(row["trade_id"]) == trade_key for row in told):
                return rows
        raise BadAnswer(f"no trade {trade_key} in {OLDEST_DAYS} days: look at the venue's own records")

    def _day(self, symbol: str, start_ms: int, end_ms: int) -> Iterator[Row]:
        """Trades from `start_ms` on and before `end_ms`, the newest first. A page that is full is followed by another,
        which ends with its oldest instant, whose trades may have been cut off. Raises BadAnswer where they do not end.
        """
        seen: set[str] = set()
        for _ in range(MAX_PAGES):
            by = {"instrument_name": symbol, "start_time": start_ms, "end_time": end_ms, "limit": PAGE}
            told = _rows(self.api.v1PrivatePostPrivateGetTrades(by))
            new = [row for row in told if name_field(row, "trade_id") not in seen]
            yield from new
            seen |= {str(row["trade_id"]) for row in new}
            if len(told) < PAGE:
                return
            if not new:
                break
            end_ms = min(int(row["create_time"]) for row in new) + 1
        raise BadAnswer(f"the trades of {symbol} do not end at {end_ms} ms")

    # ---- the rest

    def _balances(self, ask: Ask) -> Answer:
        (account,) = _rows(self.api.v1PrivatePostPrivateUserBalance())
        balances = []
        for row in account["position_balances"]:
            held = decimal_field({"reserved_qty": "0", **row}, "reserved_qty")
            balances.append((name_field(row, "instrument_name"), decimal_field(row, "quantity") - held, held))
        return Answer(self._venue, ask, False, balances=tuple(balances))

    def _clock_ns(self) -> int:
        (book,) = _rows(self.api.v1PublicGetPublicGetBook(CLOCK))
        return ms_to_ns(book["t"])


def _rows(told: Row) -> list[Row]:
    """The list of an answer; errors were raised by CCXT."""
    rows: list[Row] = told["result"]["data"]
    return rows


def _rest_order(row: Row) -> RestOrder:
    status = str(row["status"])
    if status not in ORD_STATUS:
        raise BadAnswer(f"status is {json.dumps(status[:40])}")
    cum_qty = decimal_field(row, "cumulative_quantity")
    price = decimal_field({"limit_price": "0", **row}, "limit_price")
    return RestOrder(
        symbol=name_field(row, "instrument_name"),
        order_id=name_field(row, "order_id"),
        cl_ord_id=cut(str(row.get("client_oid") or "")),
        side=_SIDES.get(str(row.get("side")), ""),
        ord_status="1" if status == "ACTIVE" and cum_qty else ORD_STATUS[status],
        order_qty=decimal_field(row, "quantity"),
        price=price if price else None,
        cum_qty=cum_qty,
        transact_ns=ms_to_ns(row.get("update_time") or row.get("create_time") or 0),
    )


_SECONDARY: dict[str, Callable[[Mapping[str, Any], str], Any]] = {
    "traded_price": decimal_field, "fees": decimal_field, "create_time_ns": lambda row, field: int(row[field]),
}  # fmt: skip


def _trade(row: Row, notes: list[str]) -> Trade:
    """One fill. Trade, order and quantity are what it is counted by; what of the rest cannot be read is noted. What was
    paid is negative there."""
    key = name_field(row, "trade_id")
    secondary = secondary_fields(row, _SECONDARY, f"trade {key}", notes)
    return Trade(
        symbol=name_field(row, "instrument_name"),
        trade_key=key,
        order_id=name_field(row, "order_id"),
        side=_SIDES.get(str(row.get("side")), ""),
        last_qty=decimal_field(row, "traded_quantity"),
        last_px=Decimal(secondary["traded_price"]),
        fee_qty=-Decimal(secondary["fees"]),
        fee_asset=cut(str(row.get("fee_instrument_name") or "")),
        transact_ns=secondary["create_time_ns"],
        maker=row.get("taker_side") == "MAKER",
    )

"""The venue's REST side through CCXT: one `Ask` in, one `Answer` out.

Source: bybit-exchange/docs, v5/order/{open-order,order-list,execution,cancel-all}.mdx, v5/account/wallet-balance.mdx,
v5/market/{time,tickers}.mdx; ccxt 4.5 for how they are called and signed. The endpoints are called as they are (CCXT's
implicit methods), since its unified ones turn money into floats and leave out what identifies a trade.

An order that is not known is told by an empty list, of those that are or lately were open, and of the history. It is
believed only when it was said twice, the second time with the venue's clock read in between, so that `venue_ns` is
never later than the answer.
"""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Protocol

import msgspec

from common.messages import Answer, Ask, RestOrder, Trade, cut
from common.orders.books import TRADES_PAGE
from common.venues.bybit.venue import takes_profit
from common.venues.ccxt_parts import CcxtRest, ccxt_client, read_ticker
from common.venues.credentials import RsaKey
from common.venues.pace import Pace
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
from common.venues.signers import BadKey, rsa_key

SPOT = {"category": "spot"}
VERSION = "/v5"
WEEK_MS = 7 * 86_400_000
OLDEST_WEEKS = 104
"""Trades are kept for two years, and told by the week."""

ORDERS_LIMIT, TRADES_LIMIT = 50, 100
MAX_PAGES = 200
REQUESTS_PER_S = 10.0
"""The least of the endpoints' own limits; the pool of requests that change orders is FIX's too."""

ORD_STATUS = {
    "New": "0", "PartiallyFilled": "1", "Filled": "2", "Cancelled": "4", "PartiallyFilledCanceled": "4",
    "Rejected": "8", "Untriggered": "9", "Triggered": "A", "Deactivated": "4",
}  # fmt: skip
"""Bybit's order status as OrdStatus(39)."""

_AWAKE = frozenset({"New", "PartiallyFilled", "Filled", "PartiallyFilledCanceled", "Triggered"})
"""What a stop order's status may be once it was triggered, and is not before."""

_SIDES: dict[object, str] = {"Buy": "1", "Sell": "2"}

Row = dict[str, Any]
_CANCELLED_KINDS = ("Order", "StopOrder", "tpslOrder")
"""Of these kinds are the orders that FIX can place: what cancels all of a symbol cancels one kind at a time."""

TICKER = ("bid1Price", "bid1Size", "ask1Price", "ask1Size", "lastPrice")
"""Where bid and quantity, ask and quantity, and the last price stand."""


class Api(Protocol):
    """The endpoints that are used, under CCXT's names for them."""

    def publicGetV5MarketTime(self, params: Row = ...) -> Row: ...  # noqa: N802
    def publicGetV5MarketTickers(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateGetV5OrderRealtime(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateGetV5OrderHistory(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateGetV5ExecutionList(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateGetV5AccountWalletBalance(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privatePostV5OrderCancelAll(self, params: Row = ...) -> Row: ...  # noqa: N802


def open_rest(settings: RestSettings) -> "BybitRest":
    """The REST side that speaks to `settings.url` alone. Raises ValueError where the credentials are no RSA key."""
    if not isinstance(settings.credentials, RsaKey):
        raise ValueError("Bybit's requests are signed with an RSA key: set the venue's [credentials]")
    try:
        rsa_key(settings.credentials.private_key_pem)
    except BadKey as error:
        raise ValueError(str(error)) from None
    options = {
        "apiKey": settings.credentials.api_key,
        "secret": settings.credentials.private_key_pem.decode("ascii").strip(),
    }
    # CCXT puts the version behind the host itself.
    at_host = msgspec.structs.replace(settings, url=settings.url.removesuffix(VERSION))
    pace = Pace(REQUESTS_PER_S)
    api = ccxt_client("bybit", at_host, options, time, pace=pace, cost_of=lambda cost: 1.0)
    return BybitRest(settings.venue, api)


class BybitRest(CcxtRest[Api]):
    """Bybit's answers."""

    CODE = re.compile(r'"ret_?[cC]ode"\s*:\s*"?(-?\d{1,9})(?!\d)')

    def __init__(self, venue: str, api: Api) -> None:
        """`api` as CCXT has it."""
        super().__init__(venue, api)
        self._questions["ticker"] = self._ticker

    # ---- orders

    def _find(self, ask: Ask) -> RestOrder | str:
        by = {**SPOT, "symbol": ask.symbol}
        by |= {"orderId": ask.order_id} if ask.order_id else {"orderLinkId": ask.cl_ord_id}
        for endpoint in (self.api.privateGetV5OrderRealtime, self.api.privateGetV5OrderHistory):
            found = _rows(endpoint(by))
            if found:
                return _rest_order(found[0])
        return ""

    def _open_orders(self, ask: Ask) -> Answer:
        by = {**SPOT, "limit": ORDERS_LIMIT} | ({"symbol": ask.symbol} if ask.symbol else {})
        rows = self._pages(self.api.privateGetV5OrderRealtime, by)
        return Answer(self._venue, ask, False, orders=tuple(_rest_order(row) for row in rows))

    def _cancel_all(self, ask: Ask) -> Answer:
        count = 0
        for kind in _CANCELLED_KINDS:
            told = self.api.privatePostV5OrderCancelAll({**SPOT, "symbol": ask.symbol, "orderFilter": kind})
            count += len(_rows(told))
        return Answer(self._venue, ask, False, cancelled=count)

    # ---- trades

    def _trades(self, ask: Ask) -> Answer:
        """At most TRADES_PAGE of them, the oldest first: who gets so many asks for those that follow."""
        venue_ns, notes = self._clock_ns(), list[str]()
        by = {**SPOT, "symbol": ask.symbol, "limit": TRADES_LIMIT}
        if ask.order_id:
            rows = list(self._executions({**by, "orderId": ask.order_id}))
        elif ask.from_trade_key:
            rows = self._since_trade(by, int(ask.from_trade_key), venue_ns // NS_PER_MS)
        else:
            rows = self._since_time(by, ask.since_ns // NS_PER_MS, venue_ns // NS_PER_MS)
        rows.sort(key=lambda row: int(row["execId"]))
        trades = tuple(_trade(row, ask.symbol, notes) for row in rows[:TRADES_PAGE])
        return self._told_trades(ask, trades, notes, venue_ns)

    def _since_trade(self, by: Row, first: int, now_ms: int) -> list[Row]:
        """Backwards by the week until a trade is met that is not later; numbers grow within a symbol."""
        rows: list[Row] = []
        for week in range(OLDEST_WEEKS):
            end_ms = now_ms + AHEAD_MS - week * WEEK_MS
            for row in self._executions({**by, "startTime": end_ms - WEEK_MS, "endTime": end_ms}):
                if int(row["execId"]) >= first:
                    rows.append(row)
                if int(row["execId"]) <= first:
                    return rows
        return rows

    def _since_time(self, by: Row, since_ms: int, now_ms: int) -> list[Row]:
        """Forwards by the week; without a time of the last week alone."""
        rows: list[Row] = []
        for begin_ms, end_ms in spans(since_ms or now_ms - WEEK_MS, now_ms, WEEK_MS):
            rows += self._executions({**by, "startTime": begin_ms, "endTime": end_ms})
            if len(rows) >= TRADES_PAGE:
                break
        return rows

    def _executions(self, by: Row) -> Iterator[Row]:
        """Trades, the newest first; fees and funding that are no trades are told there, too."""
        for row in self._pages(self.api.privateGetV5ExecutionList, by):
            if row.get("execType") in ("Trade", "BlockTrade"):
                yield row

    def _pages(self, endpoint: Callable[[Row], Row], by: Row) -> Iterator[Row]:
        """The rows of every page. Raises BadAnswer where they do not end."""
        cursor = ""
        for _ in range(MAX_PAGES):
            told = endpoint({**by, "cursor": cursor} if cursor else by)
            rows = _rows(told)
            yield from rows
            cursor = str(told["result"].get("nextPageCursor") or "")
            if not cursor or not rows:
                return
        raise BadAnswer(f"more than {MAX_PAGES} pages")

    # ---- the rest

    def _balances(self, ask: Ask) -> Answer:
        (account,) = _rows(self.api.privateGetV5AccountWalletBalance({"accountType": "UNIFIED"}))
        balances = []
        for row in account["coin"]:
            locked = decimal_field(row, "locked")
            balances.append((cut(str(row["coin"])), decimal_field(row, "walletBalance") - locked, locked))
        return Answer(self._venue, ask, False, balances=tuple(balances))

    def _clock_ns(self) -> int:
        return ms_to_ns(self.api.publicGetV5MarketTime()["time"])

    def _ticker(self, ask: Ask) -> Answer:
        rows = _rows(self.api.publicGetV5MarketTickers({**SPOT, "symbol": ask.symbol}))
        tickers = tuple(read_ticker(name_field(row, "symbol"), row, TICKER) for row in rows)
        return Answer(self._venue, ask, False, tickers=tickers)


def _rows(told: Row) -> list[Row]:
    """The list of an answer."""
    rows: list[Row] = told["result"]["list"]
    return rows


def _rest_order(row: Row) -> RestOrder:
    """An order. One that was placed by an amount of the quote asset has no quantity but what was filled of it."""
    status = str(row["orderStatus"])
    if status not in ORD_STATUS:
        raise BadAnswer(f"orderStatus is {json.dumps(status)}")
    price, cum_qty = decimal_field(row, "price"), decimal_field(row, "cumExecQty")
    in_quote, is_stop = row.get("marketUnit") == "quoteCoin", row.get("stopOrderType") == "Stop"
    return RestOrder(
        symbol=name_field(row, "symbol"),
        order_id=name_field(row, "orderId"),
        cl_ord_id=cut(str(row["orderLinkId"] or "")),
        side=_SIDES.get(row["side"], ""),
        ord_status=ORD_STATUS[status],
        order_qty=cum_qty if in_quote else decimal_field(row, "qty"),
        price=price if price else None,
        cum_qty=cum_qty,
        transact_ns=ms_to_ns(row.get("updatedTime") or row.get("createdTime") or 0),
        triggered=is_stop and status in _AWAKE,
        take_profit=_direction(row) if is_stop and status == "Untriggered" else None,
    )


def _direction(row: Row) -> bool | None:
    """Whether an order that sleeps takes profit; None where what says so is missing."""
    try:
        stop_px, last_px = decimal_field(row, "triggerPrice"), decimal_field(row, "lastPriceOnCreated")
    except (BadAnswer, KeyError):
        return None
    return takes_profit(_SIDES.get(row["side"], ""), stop_px, last_px)


_SECONDARY: dict[str, Callable[[Mapping[str, Any], str], Any]] = {
    "execPrice": decimal_field, "execFee": decimal_field, "execTime": lambda row, field: ms_to_ns(row[field]),
}  # fmt: skip


def _trade(row: Row, symbol: str, notes: list[str]) -> Trade:
    """One fill of `symbol`. Trade, order and quantity are what it is counted by; what of the rest cannot be read is
    noted, and the side that is not told is the order's.
    """
    key = name_field(row, "execId")
    secondary = secondary_fields(row, _SECONDARY, f"trade {key}", notes)
    asset = row.get("feeCurrency") or ""
    if secondary["execFee"] and not asset:
        notes.append(f"feeCurrency of trade {key}")
    return Trade(
        symbol=cut(str(row.get("symbol") or symbol)),
        trade_key=key,
        order_id=name_field(row, "orderId"),
        side=_SIDES.get(row.get("side"), ""),
        last_qty=decimal_field(row, "execQty"),
        last_px=Decimal(secondary["execPrice"]),
        fee_qty=Decimal(secondary["execFee"]) if asset else Decimal(0),
        fee_asset=cut(str(asset)),
        transact_ns=secondary["execTime"],
        maker=row.get("isMaker") is True,
    )

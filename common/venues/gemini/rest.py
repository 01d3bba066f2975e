"""The venue's REST side through CCXT: one `Ask` in, one `Answer` out.

Source: developer.gemini.com/trading/rest-api for the endpoints, ccxt 4.5 for how they are called and signed. The
endpoints are called as they are (CCXT's implicit methods), since its unified ones turn money into floats.

There is no endpoint for the venue's clock: it is read off the Date of an answer, in whole seconds, so that it is never
later than the answer. Trades are told from a time on, the oldest 500 of them; to go on from a trade that is known by
its id alone, the time is set back until that trade is among them.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

from common.messages import Answer, Ask, RestOrder, Trade, cut
from common.orders.books import TRADES_PAGE
from common.venues.ccxt_parts import CcxtRest, ccxt_client, ccxt_errors, growing_nonce
from common.venues.credentials import HmacSecret
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

OrderNotFound: type[Exception] = ccxt_errors().OrderNotFound

ACCOUNT, MASTER = "account-", "master-"
"""How keys begin. CCXT signs with an account's alone, and a master key has no orders of its own."""

ROWS = 500
"""Trades of one answer at most."""

PAGES = 40
"""So many answers are asked for at most for one question."""

HOUR_MS = 3_600_000
REQUESTS_PER_S = 5.0
"""The pace that the venue advises: no minute may have more than 600 requests."""

_SIDES: dict[object, str] = {"buy": "1", "Buy": "1", "sell": "2", "Sell": "2"}
_BROKEN = "full"
"""The break of a trade that is to be taken as if it had not happened."""

Row = dict[str, Any]


class Api(Protocol):
    """The endpoints that are used, under CCXT's names for them."""

    last_response_headers: Mapping[str, str]

    def publicGetV1Symbols(self, params: Row = ...) -> list[str]: ...  # noqa: N802
    def privatePostV1OrderStatus(self, params: Row = ...) -> Any: ...  # noqa: N802
    def privatePostV1Orders(self, params: Row = ...) -> list[Row]: ...  # noqa: N802
    def privatePostV1Mytrades(self, params: Row = ...) -> list[Row]: ...  # noqa: N802
    def privatePostV1Balances(self, params: Row = ...) -> list[Row]: ...  # noqa: N802
    def privatePostV1OrderCancelAll(self, params: Row = ...) -> Row: ...  # noqa: N802


def open_rest(settings: RestSettings) -> "GeminiRest":
    """The REST side that speaks to `settings.url` alone. Raises ValueError where the credentials are of no use."""
    if not isinstance(settings.credentials, HmacSecret):
        raise ValueError("requests are signed with an API key's secret: set the venue's [credentials]")
    key = settings.credentials.api_key
    if key.startswith(MASTER):
        raise ValueError("a master key trades for no account: give the key of an account")
    options = {
        "apiKey": key if key.startswith(ACCOUNT) else ACCOUNT + key,
        "secret": settings.credentials.secret.decode("ascii"),
    }
    api = ccxt_client("gemini", settings, options, time, pace=Pace(REQUESTS_PER_S), cost_of=lambda cost: 1.0)
    return GeminiRest(settings.venue, api, growing_nonce(api, settings, options["apiKey"], time))


class GeminiRest(CcxtRest[Api]):
    """Gemini's answers."""

    # ---- orders

    def _find(self, ask: Ask) -> RestOrder | str:
        by: Row = {"order_id": ask.order_id} if ask.order_id else {"client_order_id": ask.cl_ord_id}
        try:
            told = self.api.privatePostV1OrderStatus(by)
        except OrderNotFound as error:
            return masked(error)
        # Asked for by the client's name, it may tell several: names need not be unique there, and ours are.
        rows = told if isinstance(told, list) else [told]
        if len(rows) > 1:
            raise BadAnswer(f"{len(rows)} orders have the client_order_id {ask.cl_ord_id!r}")
        return _rest_order(rows[0]) if rows else ""

    def _open_orders(self, ask: Ask) -> Answer:
        orders = [_rest_order(row) for row in self.api.privatePostV1Orders()]
        return Answer(self._venue, ask, False, orders=tuple(o for o in orders if ask.symbol in ("", o.symbol)))

    def _cancel_all(self, ask: Ask) -> Answer:
        """All of the account, whatever the symbol: the venue has nothing between this and one order."""
        details = self.api.privatePostV1OrderCancelAll()["details"]
        return Answer(self._venue, ask, False, cancelled=len(details["cancelledOrders"]))

    # ---- trades

    def _trades(self, ask: Ask) -> Answer:
        """At most TRADES_PAGE of them, the oldest first: who gets so many asks for those that follow."""
        venue_ns, notes = self._clock_ns(), list[str]()
        if ask.order_id:
            rows = self.api.privatePostV1OrderStatus({"order_id": ask.order_id, "include_trades": True})["trades"]
        elif ask.from_trade_key:
            rows = self._from_key(ask.symbol, int(ask.from_trade_key))
        else:
            rows = list(self._from_time(ask.symbol, ask.since_ns // NS_PER_MS))
        ours = sorted((row for row in rows if row.get("break") != _BROKEN), key=_place)
        trades = tuple(_trade(row, ask.symbol, notes) for row in ours[:TRADES_PAGE])
        return self._told_trades(ask, trades, notes, venue_ns)

    def _page(self, symbol: str, since_ms: int) -> list[Row]:
        """The oldest trades from that time on, the oldest first."""
        by = {"symbol": symbol.lower(), "limit_trades": ROWS, "timestamp": since_ms}
        return sorted(self.api.privatePostV1Mytrades(by), key=_place)

    def _from_time(self, symbol: str, since_ms: int, upto: int = TRADES_PAGE) -> Iterator[Row]:
        """Each trade once, `upto` of them or a few more. Raises BadAnswer where a millisecond has more than a page."""
        seen: set[str] = set()
        for _ in range(PAGES):
            page = self._page(symbol, since_ms)
            fresh = [row for row in page if name_field(row, "tid") not in seen]
            yield from fresh
            seen |= {name_field(row, "tid") for row in fresh}
            if len(page) < ROWS or len(seen) >= upto:
                return
            if not fresh:
                raise BadAnswer(f"more than {ROWS} trades in one millisecond")
            since_ms = int(page[-1]["timestampms"])
        raise BadAnswer(f"more than {PAGES} pages of trades")

    def _from_key(self, symbol: str, key: int) -> list[Row]:
        """Those from the trade of that id on: the time is set back further and further until it is before it."""
        since_ms, span_ms = time.time_ns() // NS_PER_MS, HOUR_MS
        while since_ms:
            since_ms, span_ms = max(0, since_ms - span_ms), 4 * span_ms
            page = self._page(symbol, since_ms)
            if page and _place(page[0])[1] <= key:
                break
        rows: list[Row] = []
        for row in self._from_time(symbol, since_ms, PAGES * ROWS):
            rows += [row] if _place(row)[1] >= key else []
            if len(rows) >= TRADES_PAGE:
                break
        return rows

    # ---- the rest

    def _balances(self, ask: Ask) -> Answer:
        balances = []
        for row in self.api.privatePostV1Balances():
            amount, available = decimal_field(row, "amount"), decimal_field(row, "available")
            balances.append((cut(name_field(row, "currency")), available, amount - available))
        return Answer(self._venue, ask, False, balances=tuple(balances))

    def _clock_ns(self) -> int:
        self.api.publicGetV1Symbols()
        return ms_to_ns(int(parsedate_to_datetime(self.api.last_response_headers["Date"]).timestamp()) * 1000)


def _place(row: Row) -> tuple[int, int]:
    """By what trades are in order."""
    return int(row["timestampms"]), int(row["tid"])


def _rest_order(row: Row) -> RestOrder:
    filled = decimal_field(row, "executed_amount")
    # A market order that buys has none: it was for an amount.
    whole = decimal_field(row, "original_amount") if row.get("original_amount") else filled
    if row["is_live"]:
        ord_status = "1" if filled else "0"
    elif row["is_cancelled"]:
        ord_status = "4"
    elif filled == whole:
        ord_status = "2"
    else:
        raise BadAnswer("an order is neither live nor cancelled nor filled")
    return RestOrder(
        symbol=name_field(row, "symbol").upper(),
        order_id=name_field(row, "order_id"),
        cl_ord_id=cut(str(row.get("client_order_id") or "")),
        side=_SIDES.get(row["side"], ""),
        ord_status=ord_status,
        order_qty=whole,
        price=decimal_field(row, "price") if row.get("price") else None,
        cum_qty=filled,
        transact_ns=_stamp_ns(row, "timestampms"),
    )


def _stamp_ns(row: Mapping[str, Any], field: str) -> int:
    return ms_to_ns(row[field])


def _trade(row: Row, symbol: str, notes: list[str]) -> Trade:
    """One fill. Trade, order and quantity are what it is counted by; what of the rest cannot be read is noted."""
    key = name_field(row, "tid")
    readers: dict[str, Callable[[Mapping[str, Any], str], Any]] = {
        "price": decimal_field, "fee_amount": decimal_field, "timestampms": _stamp_ns,
    }  # fmt: skip
    read = secondary_fields(row, readers, f"trade {key}", notes)
    return Trade(
        symbol=symbol,
        trade_key=key,
        order_id=name_field(row, "order_id"),
        side=_SIDES.get(row.get("type"), ""),
        last_qty=decimal_field(row, "amount"),
        last_px=Decimal(read["price"]),
        fee_qty=Decimal(read["fee_amount"]),
        fee_asset=cut(str(row.get("fee_currency") or "")) if read["fee_amount"] else "",
        transact_ns=read["timestampms"],
        maker=row.get("aggressor") is False,
    )

"""The venue's REST side through CCXT: one `Ask` in, one `Answer` out; and what signs for the bridge.

Source: OKX API v5 documentation as stored 2025-11-25 for the endpoints; ccxt 4.5 for how they are called and signed.
The endpoints are called as they are (CCXT's implicit methods), since its unified ones turn money into floats and leave
out what identifies a trade. A trade is known by `tradeId`, which counts within its instrument.

The orders of the account are mostly the bridge's, which asks as well: of the user's limits the account takes a part.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Protocol

from common.instant import NS_PER_MS
from common.messages import Answer, Ask, RestOrder, Trade, cut
from common.orders.books import TRADES_PAGE
from common.venues.ccxt_parts import (
    CcxtRest,
    at_host,
    ccxt_client,
    ccxt_errors,
    http_signer,
    passphrase_options,
    read_ticker,
)
from common.venues.credentials import Credentials, HmacPassphrase
from common.venues.okx.backend import OkxBackend
from common.venues.pace import Pace
from common.venues.rest import BadAnswer, RestSettings, decimal_field, ms_to_ns, name_field, secondary_fields

BaseError: type[Exception] = ccxt_errors().BaseError

CALLS_PER_S, CALLS_AT_ONCE = 6.0, 12.0
"""The account's fifth of the least of the limits that it meets, 60 in 2 s; the bridge has the rest."""

PAGE_ROWS = 100
MAX_PAGES = 200
ORD_STATUS = {"live": "0", "partially_filled": "1", "filled": "2", "canceled": "4", "mmp_canceled": "4"}
"""OKX's order state as OrdStatus(39)."""

_SIDES: dict[object, str] = {"buy": "1", "sell": "2"}
Row = dict[str, Any]
TICKER = ("bidPx", "bidSz", "askPx", "askSz", "last")
"""Where bid and quantity, ask and quantity, and the last price stand."""


class Api(Protocol):
    """The endpoints that are used, under CCXT's names for them."""

    def publicGetPublicTime(self, params: Row = ...) -> Row: ...  # noqa: N802
    def publicGetMarketTicker(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateGetTradeOrder(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateGetTradeOrdersPending(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateGetTradeFills(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateGetTradeFillsHistory(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateGetAccountBalance(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privatePostTradeCancelOrder(self, params: Row = ...) -> Row: ...  # noqa: N802


def open_rest(settings: RestSettings) -> "OkxRest":
    """The REST side that speaks to `settings.url` alone. Raises ValueError where the credentials are of no use."""
    options = _options(settings.credentials)
    pace = Pace(CALLS_PER_S, CALLS_AT_ONCE)
    api = ccxt_client("okx", at_host(settings), options, time, pace=pace, cost_of=lambda cost: 1.0)
    return OkxRest(settings.venue, api)


def open_backend(settings: RestSettings) -> OkxBackend:
    """How the bridge speaks to the venue, CCXT signing for it. Raises ValueError likewise."""
    options, credentials = _options(settings.credentials), settings.credentials
    assert isinstance(credentials, HmacPassphrase)
    exchange = ccxt_client("okx", at_host(settings), options, time)
    return OkxBackend(credentials, http_signer(exchange, ["private"]))


def _options(credentials: Credentials) -> dict[str, object]:
    return passphrase_options(credentials, "OKX")


class OkxRest(CcxtRest[Api]):
    """OKX's answers."""

    CODE = re.compile(r'"s?[cC]ode"\s*:\s*"([1-9]\d{4})"')
    NOT_FOUND_CODE = 51603
    GONE_CODE = 51400

    def __init__(self, venue: str, api: Api) -> None:
        """`api` as CCXT has it."""
        super().__init__(venue, api)
        self._questions["cancel"] = self._cancel
        self._questions["ticker"] = self._ticker

    # ---- orders

    def _find(self, ask: Ask) -> RestOrder | str:
        by = {"instId": ask.symbol} | ({"ordId": ask.order_id} if ask.order_id else {"clOrdId": ask.cl_ord_id})
        try:
            return _rest_order(self.api.privateGetTradeOrder(by)["data"][0])
        except BaseError as error:
            if self.error_code(error) != self.NOT_FOUND_CODE:
                raise
            return "Order does not exist"

    def _open_orders(self, ask: Ask) -> Answer:
        by = {"instType": "SPOT"} | ({"instId": ask.symbol} if ask.symbol else {})
        rows = self._pages(self.api.privateGetTradeOrdersPending, by, "ordId")
        return Answer(self._venue, ask, False, orders=tuple(_rest_order(row) for row in rows))

    def _cancel_all(self, ask: Ask) -> Answer:
        """One by one: there is nothing that cancels all of an instrument's."""
        cancelled = sum(self._cancelled(order.symbol, order.order_id) for order in self._open_orders(ask).orders)
        return Answer(self._venue, ask, False, cancelled=cancelled)

    def _cancel(self, ask: Ask) -> Answer:
        return Answer(self._venue, ask, False, cancelled=self._cancelled(ask.symbol, ask.order_id))

    def _cancelled(self, symbol: str, order_id: str) -> int:
        """Cancel one order; how many that were, none where it is closed already."""
        try:
            self.api.privatePostTradeCancelOrder({"instId": symbol, "ordId": order_id})
        except BaseError as error:
            if self.error_code(error) != self.GONE_CODE:
                raise
            return 0
        return 1

    # ---- trades

    def _trades(self, ask: Ask) -> Answer:
        """At most TRADES_PAGE of them, the oldest first: who gets so many asks for those that follow."""
        venue_ns, notes = self._clock_ns(), list[str]()
        first = int(ask.from_trade_key) if ask.from_trade_key else 0
        by = {"instType": "SPOT", "instId": ask.symbol}
        by |= {"ordId": ask.order_id} if ask.order_id else {}
        by |= {"begin": str(ask.since_ns // NS_PER_MS)} if ask.since_ns else {}
        found: dict[tuple[int, str], Row] = {}
        # What happened lately is told by the one, and by the other what is older than three days.
        for endpoint in (self.api.privateGetTradeFills, self.api.privateGetTradeFillsHistory):
            for row in self._pages(endpoint, by, "billId"):
                key = int(name_field(row, "tradeId"))
                if key < first:
                    break
                found[key, name_field(row, "ordId")] = row
        rows = [found[key] for key in sorted(found)[:TRADES_PAGE]]
        return self._told_trades(ask, tuple(_trade(row, ask.symbol, notes) for row in rows), notes, venue_ns)

    def _pages(self, endpoint: Callable[[Row], Row], by: Mapping[str, str], key: str) -> Iterator[Row]:
        """The rows of every page, the newest first. Raises BadAnswer where they do not end."""
        after: dict[str, str] = {}
        for _ in range(MAX_PAGES):
            rows = endpoint({**by, **after})["data"]
            yield from rows
            if len(rows) < PAGE_ROWS:
                return
            after = {"after": name_field(rows[-1], key)}
        raise BadAnswer(f"more than {MAX_PAGES} pages: look at the venue's own records")

    # ---- the rest

    def _balances(self, ask: Ask) -> Answer:
        rows = self.api.privateGetAccountBalance()["data"][0]["details"]
        balances = []
        for row in rows:
            held = decimal_field(row, "frozenBal")
            balances.append((name_field(row, "ccy"), decimal_field(row, "cashBal") - held, held))
        return Answer(self._venue, ask, False, balances=tuple(balances))

    def _clock_ns(self) -> int:
        return ms_to_ns(self.api.publicGetPublicTime()["data"][0]["ts"])

    def _ticker(self, ask: Ask) -> Answer:
        rows = self.api.publicGetMarketTicker({"instId": ask.symbol})["data"]
        tickers = tuple(read_ticker(name_field(row, "instId"), row, TICKER) for row in rows)
        return Answer(self._venue, ask, False, tickers=tickers)


def _rest_order(row: Row) -> RestOrder:
    status = str(row["state"])
    if status not in ORD_STATUS:
        raise BadAnswer(f"state is {status[:40]!r}")
    return RestOrder(
        symbol=name_field(row, "instId"),
        order_id=name_field(row, "ordId"),
        cl_ord_id=cut(str(row.get("clOrdId") or "")),
        side=_SIDES.get(row.get("side"), ""),
        ord_status=ORD_STATUS[status],
        order_qty=decimal_field(row, "sz"),
        price=decimal_field(row, "px") if row.get("px") else None,
        cum_qty=decimal_field(row, "accFillSz"),
        transact_ns=ms_to_ns(row.get("uTime") or 0),
    )


_SECONDARY: dict[str, Callable[[Mapping[str, Any], str], Any]] = {
    "fillPx": decimal_field, "fee": decimal_field, "ts": lambda row, field: ms_to_ns(row[field]),
}  # fmt: skip


def _trade(row: Row, symbol: str, notes: list[str]) -> Trade:
    """One fill of `symbol`. Trade, order and quantity are what it is counted by; of the rest what cannot be read is
    noted. A fee that is charged is below 0 here."""
    key = name_field(row, "tradeId")
    secondary = secondary_fields(row, _SECONDARY, f"trade {key}", notes)
    return Trade(
        symbol=cut(str(row.get("instId") or symbol)),
        trade_key=key,
        order_id=name_field(row, "ordId"),
        side=_SIDES.get(row.get("side"), ""),
        last_qty=decimal_field(row, "fillSz"),
        last_px=Decimal(secondary["fillPx"]),
        fee_qty=-Decimal(secondary["fee"]),
        fee_asset=cut(str(row.get("feeCcy") or "")),
        transact_ns=secondary["ts"],
        maker=row.get("execType") == "M",
    )

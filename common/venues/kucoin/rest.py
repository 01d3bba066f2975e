"""The venue's REST side through CCXT: one `Ask` in, one `Answer` out; and what signs for the bridge.

Source: KuCoin documentation as stored 2025-11-29 for the endpoints, those of the HF account, which KuCoin calls Spot;
ccxt 4.5 for how they are called and signed. The endpoints are called as they are (CCXT's implicit methods), since its
unified ones turn money into floats, and make an empty order of one that is not there.

The orders of the account are mostly the bridge's, which asks as well: of the user's limits the account takes a part.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Protocol

from common.instant import NS_PER_MS
from common.messages import Ask
from common.orders.books import TRADES_PAGE
from common.venues.bridged_rest import BridgedRest, FillFields, OrderFields, Paging, Row, account_client
from common.venues.ccxt_parts import at_host, ccxt_client, http_signer, passphrase_options
from common.venues.credentials import Credentials
from common.venues.kucoin.backend import NO_SUCH_ORDER, PAGE_ROWS, SPAN_MS, KucoinBackend
from common.venues.rest import RestSettings, decimal_field, ms_to_ns, name_field, spans

CALLS = (13.0, 40.0)
"""The account's fifth of the pool, a weight of 4,000 in 30 s of which a question takes 2; the bridge has the rest."""

NO_OPEN_ORDER = "order_not_exist"
"""What the text of an answer says, whose code is that of many."""


class Api(Protocol):
    """The endpoints that are used, under CCXT's names for them."""

    def publicGetTimestamp(self, params: Row = ...) -> Row: ...  # noqa: N802
    def publicGetMarketOrderbookLevel1(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateGetHfOrdersOrderId(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateGetHfOrdersClientOrderClientOid(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateGetHfOrdersActive(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateGetHfOrdersActiveSymbols(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateGetHfFills(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateGetAccounts(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateDeleteHfOrdersOrderId(self, params: Row = ...) -> Row: ...  # noqa: N802


def open_rest(settings: RestSettings) -> "KucoinRest":
    """The REST side that speaks to `settings.url` alone. Raises ValueError where the credentials are of no use."""
    options = _options(settings.credentials)
    client = account_client("kucoin", at_host(settings), options, time, CALLS)
    return KucoinRest(settings.venue, _without_partner(client))


def open_backend(settings: RestSettings) -> KucoinBackend:
    """How the bridge speaks to the venue, CCXT signing for it. Raises ValueError likewise."""
    client = ccxt_client("kucoin", at_host(settings), _options(settings.credentials), time)
    return KucoinBackend(settings.symbols, http_signer(_without_partner(client), ["private"]))


def _options(credentials: Credentials) -> dict[str, object]:
    # Which kind of account it is is not asked for.
    return {**passphrase_options(credentials, "KuCoin"), "options": {"hf": True, "uta": False}}


def _without_partner(client: Any) -> Any:
    """CCXT's own partner would sign along: options are laid over what is there, and take nothing away."""
    client.options["partner"] = {}
    return client


class KucoinRest(BridgedRest[Api]):
    """KuCoin's answers."""

    ORDER = OrderFields(
        symbol="symbol", order_id="id", cl_ord_id="clientOid", order_qty="size", price="price", cum_qty="dealSize",
        updated_ms=("lastUpdatedAt", "createdAt"),
    )  # fmt: skip
    FILL = FillFields(
        symbol="symbol", trade_key="tradeId", order_id="orderId", last_qty="size", last_px="price", fee="fee",
        stamp_ms="createdAt", maker=("liquidity", "maker"),
    )  # fmt: skip
    TICKER = ("bestBid", "bestBidSize", "bestAsk", "bestAskSize", "price")
    CODE = re.compile(r'"code"\s*:\s*"([1-9]\d{5})"')
    NOT_FOUND_CODE = 400100
    UNKNOWN = GONE = NO_SUCH_ORDER

    def _says(self, error: BaseException, codes: frozenset[str]) -> bool:
        return NO_OPEN_ORDER in str(error) or super()._says(error, codes)

    def _order_row(self, ask: Ask) -> Row | None:
        """That there is none is told by null."""
        found: Row | None
        if ask.order_id:
            found = self.api.privateGetHfOrdersOrderId({"symbol": ask.symbol, "orderId": ask.order_id})["data"]
        else:
            by = {"symbol": ask.symbol, "clientOid": ask.cl_ord_id}
            found = self.api.privateGetHfOrdersClientOrderClientOid(by)["data"]
        return found

    def _ord_status(self, row: Row) -> str:
        """No word says how an order ended: it is full, or it was cancelled."""
        filled = self._cum_qty(row)
        if row["active"] is True:
            return "1" if filled else "0"
        return "2" if filled >= decimal_field(row, self.ORDER.order_qty) else "4"

    def _open_rows(self, symbol: str) -> Iterator[Row]:
        """Symbol by symbol, of those that have any."""
        symbols = [symbol] if symbol else self.api.privateGetHfOrdersActiveSymbols()["data"]["symbols"]
        for each in symbols:
            yield from self.api.privateGetHfOrdersActive({"symbol": each})["data"]

    def _send_cancel(self, symbol: str, order_id: str) -> object:
        return self.api.privateDeleteHfOrdersOrderId({"symbol": symbol, "orderId": order_id})

    def _fill_rows(self, ask: Ask, venue_ns: int, is_past: Callable[[Row], bool]) -> Iterator[Row]:
        """Of one order all; else one span of time after another, from the time that is asked for, or the last one."""
        endpoint, by = self.api.privateGetHfFills, {"symbol": ask.symbol}
        if ask.order_id:
            yield from self._pages(endpoint, {**by, "orderId": ask.order_id}, PAGING)
            return
        now_ms, count = venue_ns // NS_PER_MS, 0
        for begin_ms, end_ms in spans(ask.since_ns // NS_PER_MS or now_ms + 1 - SPAN_MS, now_ms, SPAN_MS):
            span = {**by, "startAt": str(begin_ms), "endAt": str(end_ms)}
            for row in self._pages(endpoint, span, PAGING):
                count += 1
                yield row
            if count >= TRADES_PAGE:
                return

    def _fee(self, row: Mapping[str, Any]) -> tuple[Decimal, str]:
        return decimal_field(row, "fee"), str(row.get("feeCurrency") or "")

    def _balance_rows(self) -> list[Row]:
        rows: list[Row] = self.api.privateGetAccounts({"type": "trade_hf"})["data"]
        return rows

    def _balance(self, row: Row) -> tuple[str, Decimal, Decimal]:
        return name_field(row, "currency"), decimal_field(row, "available"), decimal_field(row, "holds")

    def _clock_ns(self) -> int:
        return ms_to_ns(self.api.publicGetTimestamp()["data"])

    def _ticker_rows(self, symbol: str) -> list[tuple[str, Row]]:
        told = self.api.publicGetMarketOrderbookLevel1({"symbol": symbol})["data"]
        return [(symbol, told)] if told else []


def _next_fills(answer: Any, number: int) -> Row:
    return {"limit": str(PAGE_ROWS), "lastId": name_field(answer["data"], "lastId")}


PAGING = Paging(
    rows=lambda answer: list(answer["data"]["items"]),
    is_full=lambda answer: len(answer["data"]["items"]) >= PAGE_ROWS,
    following=_next_fills,
    first={"limit": str(PAGE_ROWS)},
)
"""Of fills, by what the answer says."""

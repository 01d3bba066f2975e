"""The venue's REST side through CCXT: one `Ask` in, one `Answer` out; and what signs for the bridge.

Source: KuCoin documentation as stored 2025-11-29 for the endpoints, those of the HF account, which KuCoin calls Spot;
ccxt 4.5 for how they are called and signed. Its unified methods make an empty order of one that is not there.
"""

import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, Protocol

from common.messages import Ask
from common.venues.bridged_rest import OrderFields, Paging, Row, account_client
from common.venues.ccxt_parts import at_host, ccxt_client, http_signer, passphrase_options
from common.venues.credentials import Credentials
from common.venues.families.kucoin.rest import KucoinRest, without_partner
from common.venues.kucoin.backend import NO_SUCH_ORDER, PAGE_ROWS, KucoinSpotBackend
from common.venues.rest import RestSettings, decimal_field, name_field

CALLS = (13.0, 40.0)
"""The account's fifth of the pool, a weight of 4,000 in 30 s of which a question takes 2; the bridge has the rest."""


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
    def privateDeleteHfOrders(self, params: Row = ...) -> Row: ...  # noqa: N802


def open_rest(settings: RestSettings) -> "KucoinSpotRest":
    """The REST side that speaks to `settings.url` alone. Raises ValueError where the credentials are of no use."""
    options = _options(settings.credentials)
    client = account_client("kucoin", at_host(settings), options, time, CALLS)
    return KucoinSpotRest(settings.venue, without_partner(client))


def open_backend(settings: RestSettings) -> KucoinSpotBackend:
    """How the bridge speaks to the venue, CCXT signing for it. Raises ValueError likewise."""
    client = ccxt_client("kucoin", at_host(settings), _options(settings.credentials), time)
    return KucoinSpotBackend(settings.symbols, http_signer(without_partner(client), ["private"]))


def _options(credentials: Credentials) -> dict[str, object]:
    # Which kind of account it is is not asked for.
    return {**passphrase_options(credentials, "KuCoin"), "options": {"hf": True, "uta": False}}


class KucoinSpotRest(KucoinRest[Api]):
    """KuCoin's answers on spot."""

    ORDER = OrderFields(
        symbol="symbol", order_id="id", cl_ord_id="clientOid", order_qty="size", price="price", cum_qty="dealSize",
        updated_ms=("lastUpdatedAt", "createdAt"),
    )  # fmt: skip
    TICKER = ("bestBid", "bestBidSize", "bestAsk", "bestAskSize", "price")
    ABSENT = "order_not_exist"
    IS_OPEN = "active"
    NOT_FOUND_CODE = 400100
    UNKNOWN = GONE = NO_SUCH_ORDER

    def _order_row(self, ask: Ask) -> Row | None:
        """That there is none is told by null."""
        found: Row | None
        if ask.order_id:
            found = self.api.privateGetHfOrdersOrderId({"symbol": ask.symbol, "orderId": ask.order_id})["data"]
        else:
            by = {"symbol": ask.symbol, "clientOid": ask.cl_ord_id}
            found = self.api.privateGetHfOrdersClientOrderClientOid(by)["data"]
        return found

    def _open_rows(self, symbol: str) -> Iterator[Row]:
        """Symbol by symbol, of those that have any."""
        symbols = [symbol] if symbol else self.api.privateGetHfOrdersActiveSymbols()["data"]["symbols"]
        for each in symbols:
            yield from self.api.privateGetHfOrdersActive({"symbol": each})["data"]

    def _send_cancel(self, symbol: str, order_id: str) -> object:
        return self.api.privateDeleteHfOrdersOrderId({"symbol": symbol, "orderId": order_id})

    def _cancel_at_once(self, symbol: str) -> bool:
        self.api.privateDeleteHfOrders({"symbol": symbol})
        return True

    def _fill_rows(self, ask: Ask, venue_ns: int, is_past: Callable[[Row], bool]) -> Iterator[Row]:
        """Of one order all; else one span of time after another, from the time that is asked for, or the last one."""
        endpoint = self.api.privateGetHfFills
        if ask.order_id:
            return self._pages(endpoint, {"symbol": ask.symbol, "orderId": ask.order_id}, PAGING)
        return self._span_rows(endpoint, ask, venue_ns, PAGING)

    def _balance_rows(self) -> list[Row]:
        rows: list[Row] = self.api.privateGetAccounts({"type": "trade_hf"})["data"]
        return rows

    def _balance(self, row: Row) -> tuple[str, Decimal, Decimal]:
        return name_field(row, "currency"), decimal_field(row, "available"), decimal_field(row, "holds")

    def _venue_time(self) -> Row:
        return self.api.publicGetTimestamp()

    def _best_prices(self, symbol: str) -> Row:
        return self.api.publicGetMarketOrderbookLevel1({"symbol": symbol})


def _next_fills(answer: Any, number: int) -> Row:
    return {"limit": str(PAGE_ROWS), "lastId": name_field(answer["data"], "lastId")}


PAGING = Paging(
    rows=lambda answer: list(answer["data"]["items"]),
    is_full=lambda answer: len(answer["data"]["items"]) >= PAGE_ROWS,
    following=_next_fills,
    first={"limit": str(PAGE_ROWS)},
)
"""Of fills, by what the answer says."""

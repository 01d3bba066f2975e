"""The venue's REST side through CCXT: one `Ask` in, one `Answer` out; and what signs for the bridge.

Source: Bitget API documentation, classic account, v2 spot, as stored 2025-11-30 for the endpoints; ccxt 4.5 for how
they are called and signed. The endpoints are called as they are (CCXT's implicit methods), since its unified ones turn
money into floats. A trade is known by `tradeId`.

The orders of the account are mostly the bridge's, which asks as well: of the user's limits the account takes a part.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Protocol

from common.instant import NS_PER_MS
from common.messages import Ask
from common.venues.backend import HttpCall
from common.venues.bitget.backend import NO_SUCH_ORDER, PAGE_ROWS, STATES, BitgetBackend
from common.venues.bridged_rest import BridgedRest, FillFields, OrderFields, Paging, Row, account_client, newest_first
from common.venues.ccxt_parts import at_host, ccxt_client, http_signer, passphrase_options
from common.venues.credentials import Credentials, HmacPassphrase
from common.venues.rest import RestSettings, decimal_field, ms_to_ns, name_field

CALLS = (2.0, 4.0)
"""The account's fifth of the least of the limits that it meets, 10 in a second; the bridge has the rest."""


class Api(Protocol):
    """The endpoints that are used, under CCXT's names for them."""

    def publicCommonGetV2PublicTime(self, params: Row = ...) -> Row: ...  # noqa: N802
    def publicSpotGetV2SpotMarketTickers(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateSpotGetV2SpotTradeOrderInfo(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateSpotGetV2SpotTradeUnfilledOrders(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateSpotGetV2SpotTradeFills(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateSpotGetV2SpotAccountAssets(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateSpotPostV2SpotTradeCancelOrder(self, params: Row = ...) -> Row: ...  # noqa: N802


def open_rest(settings: RestSettings) -> "BitgetRest":
    """The REST side that speaks to `settings.url` alone. Raises ValueError where the credentials are of no use."""
    options = _options(settings.credentials)
    return BitgetRest(settings.venue, account_client("bitget", at_host(settings), options, time, CALLS))


def open_backend(settings: RestSettings) -> BitgetBackend:
    """How the bridge speaks to the venue, CCXT signing for it. Raises ValueError likewise."""
    options, credentials = _options(settings.credentials), settings.credentials
    assert isinstance(credentials, HmacPassphrase)
    whole = http_signer(ccxt_client("bitget", at_host(settings), options, time), ["private", "spot"])

    def sign(method: str, path: str, parameters: Mapping[str, object], wall_ns: int) -> HttpCall:
        call = whole(method, path, parameters, wall_ns)
        # The header of CCXT's own partner is there without a text.
        return call._replace(headers=tuple((name, text) for name, text in call.headers if text))

    return BitgetBackend(settings.symbols, credentials, sign)


def _options(credentials: Credentials) -> dict[str, object]:
    # No partner of CCXT's is named, and which kind of account it is is not asked for.
    return {**passphrase_options(credentials, "Bitget"), "options": {"broker": None, "uta": False}}


class BitgetRest(BridgedRest[Api]):
    """Bitget's answers."""

    ORDER = OrderFields(
        symbol="symbol", order_id="orderId", cl_ord_id="clientOid", order_qty="size", price="price",
        cum_qty="baseVolume", updated_ms=("uTime", "cTime"), state="status",
    )  # fmt: skip
    FILL = FillFields(
        symbol="symbol", trade_key="tradeId", order_id="orderId", last_qty="size", last_px="priceAvg", fee="feeDetail",
        stamp_ms="cTime", maker=("tradeScope", "maker"),
    )  # fmt: skip
    STATES = STATES
    TICKER = ("bidPr", "bidSz", "askPr", "askSz", "lastPr")
    CODE = re.compile(r'"code"\s*:\s*"(\d{5})"')
    NOT_FOUND_CODE = 43001
    UNKNOWN = GONE = NO_SUCH_ORDER

    def _order_row(self, ask: Ask) -> Row | None:
        """That there is none is told by an empty list."""
        name = {"orderId": ask.order_id} if ask.order_id else {"clientOid": ask.cl_ord_id}
        found: list[Row] = self.api.privateSpotGetV2SpotTradeOrderInfo(name)["data"]
        return found[0] if found else None

    def _open_rows(self, symbol: str) -> Iterator[Row]:
        by: Row = {"symbol": symbol} if symbol else {}
        return self._pages(self.api.privateSpotGetV2SpotTradeUnfilledOrders, by, _paging("orderId"))

    def _send_cancel(self, symbol: str, order_id: str) -> object:
        return self.api.privateSpotPostV2SpotTradeCancelOrder({"symbol": symbol, "orderId": order_id})

    def _fill_rows(self, ask: Ask, venue_ns: int, is_past: Callable[[Row], bool]) -> Iterator[Row]:
        by: Row = {"symbol": ask.symbol} | ({"orderId": ask.order_id} if ask.order_id else {})
        by |= {"startTime": str(ask.since_ns // NS_PER_MS)} if ask.since_ns else {}
        return self._pages(self.api.privateSpotGetV2SpotTradeFills, by, _paging("tradeId"), is_past)

    def _fee(self, row: Mapping[str, Any]) -> tuple[Decimal, str]:
        """What is charged is below 0 there."""
        fee = row["feeDetail"]
        return -decimal_field(fee, "totalFee"), str(fee.get("feeCoin") or "")

    def _balance_rows(self) -> list[Row]:
        rows: list[Row] = self.api.privateSpotGetV2SpotAccountAssets()["data"]
        return rows

    def _balance(self, row: Row) -> tuple[str, Decimal, Decimal]:
        held = decimal_field(row, "frozen") + decimal_field(row, "locked")
        return name_field(row, "coin"), decimal_field(row, "available"), held

    def _clock_ns(self) -> int:
        return ms_to_ns(self.api.publicCommonGetV2PublicTime()["data"]["serverTime"])

    def _ticker_rows(self, symbol: str) -> list[tuple[str, Row]]:
        rows = self.api.publicSpotGetV2SpotMarketTickers({"symbol": symbol})["data"]
        return [(name_field(row, "symbol"), row) for row in rows]


def _paging(key: str) -> Paging:
    return newest_first("idLessThan", key, PAGE_ROWS, {"limit": str(PAGE_ROWS)})

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
from common.messages import Answer, Ask, RestOrder, Trade, cut
from common.orders.books import TRADES_PAGE
from common.venues.backend import HttpCall
from common.venues.bitget.backend import NO_SUCH_ORDER, PAGE_ROWS, STATES, BitgetBackend
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
from common.venues.pace import Pace
from common.venues.rest import BadAnswer, RestSettings, decimal_field, ms_to_ns, name_field, secondary_fields

BaseError: type[Exception] = ccxt_errors().BaseError

CALLS_PER_S, CALLS_AT_ONCE = 2.0, 4.0
"""The account's fifth of the least of the limits that it meets, 10 in a second; the bridge has the rest."""

MAX_PAGES = 200

_SIDES: dict[object, str] = {"buy": "1", "sell": "2"}
Row = dict[str, Any]
TICKER = ("bidPr", "bidSz", "askPr", "askSz", "lastPr")
"""Where bid and quantity, ask and quantity, and the last price stand."""


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
    pace = Pace(CALLS_PER_S, CALLS_AT_ONCE)
    api = ccxt_client("bitget", at_host(settings), options, time, pace=pace, cost_of=lambda cost: 1.0)
    return BitgetRest(settings.venue, api)


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


class BitgetRest(CcxtRest[Api]):
    """Bitget's answers."""

    CODE = re.compile(r'"code"\s*:\s*"(\d{5})"')
    NOT_FOUND_CODE = 43001

    def __init__(self, venue: str, api: Api) -> None:
        """`api` as CCXT has it."""
        super().__init__(venue, api)
        self._questions["cancel"] = self._cancel
        self._questions["ticker"] = self._ticker

    # ---- orders

    def _find(self, ask: Ask) -> RestOrder | str:
        """That there is none is told by an empty list."""
        try:
            name = {"orderId": ask.order_id} if ask.order_id else {"clientOid": ask.cl_ord_id}
            found = self.api.privateSpotGetV2SpotTradeOrderInfo(name)["data"]
        except BaseError as error:
            if str(self.error_code(error)) not in NO_SUCH_ORDER:
                raise
            found = []
        return _rest_order(found[0]) if found else "no such order"

    def _open_orders(self, ask: Ask) -> Answer:
        by = {"symbol": ask.symbol} if ask.symbol else {}
        rows = self._pages(self.api.privateSpotGetV2SpotTradeUnfilledOrders, by, "orderId")
        return Answer(self._venue, ask, False, orders=tuple(map(_rest_order, rows)))

    def _cancel_all(self, ask: Ask) -> Answer:
        """One by one, so that it is known how many they were."""
        cancelled = sum(self._cancelled(order.symbol, order.order_id) for order in self._open_orders(ask).orders)
        return Answer(self._venue, ask, False, cancelled=cancelled)

    def _cancel(self, ask: Ask) -> Answer:
        return Answer(self._venue, ask, False, cancelled=self._cancelled(ask.symbol, ask.order_id))

    def _cancelled(self, symbol: str, order_id: str) -> int:
        """Cancel one order; how many that were, none where it is closed already."""
        try:
            self.api.privateSpotPostV2SpotTradeCancelOrder({"symbol": symbol, "orderId": order_id})
        except BaseError as error:
            if str(self.error_code(error)) not in NO_SUCH_ORDER:
                raise
            return 0
        return 1

    # ---- trades

    def _trades(self, ask: Ask) -> Answer:
        """At most TRADES_PAGE of them, the oldest first: who gets so many asks for those that follow."""
        venue_ns, notes = self._clock_ns(), list[str]()
        first = int(ask.from_trade_key) if ask.from_trade_key else 0
        by = {"symbol": ask.symbol} | ({"orderId": ask.order_id} if ask.order_id else {})
        by |= {"startTime": str(ask.since_ns // NS_PER_MS)} if ask.since_ns else {}
        found: dict[tuple[int, str], Row] = {}
        for row in self._pages(self.api.privateSpotGetV2SpotTradeFills, by, "tradeId"):
            key = int(name_field(row, "tradeId"))
            if key < first:
                break
            found[key, name_field(row, "orderId")] = row
        rows = [found[key] for key in sorted(found)[:TRADES_PAGE]]
        return self._told_trades(ask, tuple(_trade(row, notes) for row in rows), notes, venue_ns)

    def _pages(self, endpoint: Callable[[Row], Row], by: Mapping[str, str], key: str) -> Iterator[Row]:
        """The rows of every page, the newest first. Raises BadAnswer where they do not end."""
        after: dict[str, str] = {}
        for _ in range(MAX_PAGES):
            rows = endpoint({**by, **after, "limit": str(PAGE_ROWS)})["data"]
            yield from rows
            if len(rows) < PAGE_ROWS:
                return
            after = {"idLessThan": name_field(rows[-1], key)}
        raise BadAnswer(f"more than {MAX_PAGES} pages: look at the venue's own records")

    # ---- the rest

    def _balances(self, ask: Ask) -> Answer:
        rows = self.api.privateSpotGetV2SpotAccountAssets()["data"]
        balances = tuple(
            (
                name_field(row, "coin"), decimal_field(row, "available"),
                decimal_field(row, "frozen") + decimal_field(row, "locked"),
            )
            for row in rows
        )  # fmt: skip
        return Answer(self._venue, ask, False, balances=balances)

    def _clock_ns(self) -> int:
        return ms_to_ns(self.api.publicCommonGetV2PublicTime()["data"]["serverTime"])

    def _ticker(self, ask: Ask) -> Answer:
        rows = self.api.publicSpotGetV2SpotMarketTickers({"symbol": ask.symbol})["data"]
        tickers = tuple(read_ticker(name_field(row, "symbol"), row, TICKER) for row in rows)
        return Answer(self._venue, ask, False, tickers=tickers)


def _rest_order(row: Row) -> RestOrder:
    status = str(row["status"])
    if status not in STATES:
        raise BadAnswer(f"status is {status[:40]!r}")
    return RestOrder(
        symbol=name_field(row, "symbol"),
        order_id=name_field(row, "orderId"),
        cl_ord_id=cut(str(row.get("clientOid") or "")),
        side=_SIDES.get(row.get("side"), ""),
        ord_status=STATES[status],
        order_qty=decimal_field(row, "size"),
        price=decimal_field(row, "price") if row.get("orderType") == "limit" else None,
        cum_qty=decimal_field(row, "baseVolume"),
        transact_ns=ms_to_ns(row.get("uTime") or row.get("cTime") or 0),
    )


_SECONDARY: dict[str, Callable[[Mapping[str, Any], str], Any]] = {
    "priceAvg": decimal_field, "cTime": lambda row, field: ms_to_ns(row[field]),
    "feeDetail": lambda row, field: decimal_field(row[field], "totalFee"),
}  # fmt: skip


def _trade(row: Row, notes: list[str]) -> Trade:
    """One fill. Trade, order and quantity are what it is counted by; of the rest what cannot be read is noted. A fee
    that is charged is below 0 here."""
    key = name_field(row, "tradeId")
    secondary = secondary_fields(row, _SECONDARY, f"trade {key}", notes)
    fee = row.get("feeDetail")
    return Trade(
        symbol=name_field(row, "symbol"),
        trade_key=key,
        order_id=name_field(row, "orderId"),
        side=_SIDES.get(row.get("side"), ""),
        last_qty=decimal_field(row, "size"),
        last_px=Decimal(secondary["priceAvg"]),
        fee_qty=-Decimal(secondary["feeDetail"]),
        fee_asset=cut(str(fee.get("feeCoin") or "")) if isinstance(fee, dict) else "",
        transact_ns=secondary["cTime"],
        maker=row.get("tradeScope") == "maker",
    )

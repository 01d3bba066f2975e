"""The venue's REST side through CCXT: one `Ask` in, one `Answer` out; and what signs for the bridge.

Source: KuCoin documentation as stored 2025-11-29 for the endpoints, those of the HF account, which KuCoin calls Spot;
ccxt 4.5 for how they are called and signed. The endpoints are called as they are (CCXT's implicit methods), since its
unified ones turn money into floats, and make an empty order of one that is not there.

The orders of the account are mostly the bridge's, which asks as well: of the user's limits the account takes a part.
"""

import re
import time
from collections.abc import Callable, Mapping
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
from common.venues.credentials import Credentials
from common.venues.kucoin.backend import NO_SUCH_ORDER, PAGE_ROWS, SPAN_MS, KucoinBackend
from common.venues.pace import Pace
from common.venues.rest import BadAnswer, RestSettings, decimal_field, ms_to_ns, name_field, secondary_fields, spans

BaseError: type[Exception] = ccxt_errors().BaseError

CALLS_PER_S, CALLS_AT_ONCE = 13.0, 40.0
"""The account's fifth of the pool, a weight of 4,000 in 30 s of which a question takes 2; the bridge has the rest."""

MAX_PAGES = 200
GONE = "order_not_exist"

_SIDES: dict[object, str] = {"buy": "1", "sell": "2"}
Row = dict[str, Any]
TICKER = ("bestBid", "bestBidSize", "bestAsk", "bestAskSize", "price")
"""Where bid and quantity, ask and quantity, and the last price stand."""


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
    pace = Pace(CALLS_PER_S, CALLS_AT_ONCE)
    return KucoinRest(settings.venue, _client(settings, pace=pace, cost_of=lambda cost: 1.0))


def open_backend(settings: RestSettings) -> KucoinBackend:
    """How the bridge speaks to the venue, CCXT signing for it. Raises ValueError likewise."""
    return KucoinBackend(settings.symbols, http_signer(_client(settings), ["private"]))


def _options(credentials: Credentials) -> dict[str, object]:
    # Which kind of account it is is not asked for.
    return {**passphrase_options(credentials, "KuCoin"), "options": {"hf": True, "uta": False}}


def _client(settings: RestSettings, **more: Any) -> Any:
    """CCXT's, without its own partner, who would sign along: options are laid over what is there, and take nothing
    away."""
    client = ccxt_client("kucoin", at_host(settings), _options(settings.credentials), time, **more)
    client.options["partner"] = {}
    return client


class KucoinRest(CcxtRest[Api]):
    """KuCoin's answers."""

    CODE = re.compile(r'"code"\s*:\s*"([1-9]\d{5})"')
    NOT_FOUND_CODE = 400100

    def __init__(self, venue: str, api: Api) -> None:
        """`api` as CCXT has it."""
        super().__init__(venue, api)
        self._questions["cancel"] = self._cancel
        self._questions["ticker"] = self._ticker

    # ---- orders

    def _find(self, ask: Ask) -> RestOrder | str:
        """That there is none is told by null."""
        try:
            if ask.order_id:
                by = {"symbol": ask.symbol, "orderId": ask.order_id}
                found = self.api.privateGetHfOrdersOrderId(by)["data"]
            else:
                by = {"symbol": ask.symbol, "clientOid": ask.cl_ord_id}
                found = self.api.privateGetHfOrdersClientOrderClientOid(by)["data"]
        except BaseError as error:
            if not self._is_gone(error):
                raise
            found = None
        return "no such order" if found is None else _rest_order(found)

    def _is_gone(self, error: Exception) -> bool:
        return GONE in str(error) or str(self.error_code(error)) in NO_SUCH_ORDER

    def _open_orders(self, ask: Ask) -> Answer:
        """Symbol by symbol, of those that have any."""
        symbols = [ask.symbol] if ask.symbol else self.api.privateGetHfOrdersActiveSymbols()["data"]["symbols"]
        rows = [row for symbol in symbols for row in self.api.privateGetHfOrdersActive({"symbol": symbol})["data"]]
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
            self.api.privateDeleteHfOrdersOrderId({"symbol": symbol, "orderId": order_id})
        except BaseError as error:
            if not self._is_gone(error):
                raise
            return 0
        return 1

    # ---- trades

    def _trades(self, ask: Ask) -> Answer:
        """At most TRADES_PAGE of them, the oldest first: who gets so many asks for those that follow."""
        venue_ns, notes = self._clock_ns(), list[str]()
        first = int(ask.from_trade_key) if ask.from_trade_key else 0
        found = {
            (key, name_field(row, "orderId")): row
            for row in self._fills(ask, venue_ns // NS_PER_MS)
            if (key := int(name_field(row, "tradeId"))) >= first
        }
        rows = [found[key] for key in sorted(found)[:TRADES_PAGE]]
        return self._told_trades(ask, tuple(_trade(row, notes) for row in rows), notes, venue_ns)

    def _fills(self, ask: Ask, now_ms: int) -> list[Row]:
        """Of one order all; else one span of time after another, from the time that is asked for, or the last one."""
        if ask.order_id:
            return self._pages({"symbol": ask.symbol, "orderId": ask.order_id})
        rows: list[Row] = []
        for begin_ms, end_ms in spans(ask.since_ns // NS_PER_MS or now_ms + 1 - SPAN_MS, now_ms, SPAN_MS):
            rows += self._pages({"symbol": ask.symbol, "startAt": str(begin_ms), "endAt": str(end_ms)})
            if len(rows) >= TRADES_PAGE:
                break
        return rows

    def _pages(self, by: Mapping[str, str]) -> list[Row]:
        """The rows of every page, the newest first. Raises BadAnswer where they do not end."""
        found: list[Row] = []
        after: dict[str, str] = {}
        for _ in range(MAX_PAGES):
            told = self.api.privateGetHfFills({**by, **after, "limit": str(PAGE_ROWS)})["data"]
            found += told["items"]
            if len(told["items"]) < PAGE_ROWS:
                return found
            after = {"lastId": name_field(told, "lastId")}
        raise BadAnswer(f"more than {MAX_PAGES} pages of fills: look at the venue's own records")

    # ---- the rest

    def _balances(self, ask: Ask) -> Answer:
        rows = self.api.privateGetAccounts({"type": "trade_hf"})["data"]
        balances = tuple(
            (name_field(row, "currency"), decimal_field(row, "available"), decimal_field(row, "holds")) for row in rows
        )
        return Answer(self._venue, ask, False, balances=balances)

    def _clock_ns(self) -> int:
        return ms_to_ns(self.api.publicGetTimestamp()["data"])

    def _ticker(self, ask: Ask) -> Answer:
        told = self.api.publicGetMarketOrderbookLevel1({"symbol": ask.symbol})["data"]
        return Answer(self._venue, ask, False, tickers=(read_ticker(ask.symbol, told, TICKER),) if told else ())


def _rest_order(row: Row) -> RestOrder:
    """No word says how an order ended: it is full, or it was cancelled."""
    qty, filled = decimal_field(row, "size"), decimal_field(row, "dealSize")
    ended = "2" if filled >= qty else "4"
    return RestOrder(
        symbol=name_field(row, "symbol"),
        order_id=name_field(row, "id"),
        cl_ord_id=cut(str(row.get("clientOid") or "")),
        side=_SIDES.get(row.get("side"), ""),
        ord_status=("1" if filled else "0") if row["active"] is True else ended,
        order_qty=qty,
        price=decimal_field(row, "price") if row.get("type") == "limit" else None,
        cum_qty=filled,
        transact_ns=ms_to_ns(row.get("lastUpdatedAt") or row.get("createdAt") or 0),
    )


_SECONDARY: dict[str, Callable[[Mapping[str, Any], str], Any]] = {
    "price": decimal_field, "fee": decimal_field, "createdAt": lambda row, field: ms_to_ns(row[field]),
}  # fmt: skip


def _trade(row: Row, notes: list[str]) -> Trade:
    """One fill. Trade, order and quantity are what it is counted by; what of the rest cannot be read is noted."""
    key = name_field(row, "tradeId")
    secondary = secondary_fields(row, _SECONDARY, f"trade {key}", notes)
    return Trade(
        symbol=name_field(row, "symbol"),
        trade_key=key,
        order_id=name_field(row, "orderId"),
        side=_SIDES.get(row.get("side"), ""),
        last_qty=decimal_field(row, "size"),
        last_px=Decimal(secondary["price"]),
        fee_qty=Decimal(secondary["fee"]),
        fee_asset=cut(str(row.get("feeCurrency") or "")),
        transact_ns=secondary["createdAt"],
        maker=row.get("liquidity") == "maker",
    )

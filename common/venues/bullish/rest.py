"""The venue's REST side through CCXT: one `Ask` in, one `Answer` out.

Source: api.exchange.bullish.com/docs/api/rest, as of 2025, for the endpoints; ccxt 4.5 for how they are called and
signed. They are called as they are (CCXT's implicit methods), since its unified ones turn money into floats. Who asks
logs in with a signature of his own, and then has a token for a day.

An order that is not known is told by empty lists, of the orders and of their history. It is believed only when it was
said twice, the second time with the venue's clock read in between, so that `venue_ns` is never later than the answer.
"""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

from common.messages import Answer, Ask, RestOrder, Ticker, Trade, cut
from common.orders.books import TRADES_PAGE
from common.venues.ccxt_parts import CcxtRest, ccxt_client, ccxt_errors
from common.venues.credentials import PasswordHmac
from common.venues.rest import (
    NS_PER_MS,
    BadAnswer,
    RestSettings,
    decimal_field,
    ms_to_ns,
    name_field,
    secondary_fields,
)

AuthenticationError: type[Exception] = ccxt_errors().AuthenticationError

PAGE = 100
MAX_PAGES = 200
ORD_STATUS = {"OPEN": "0", "CLOSED": "2", "CANCELLED": "4", "REJECTED": "8"}
"""Bullish's order status as OrdStatus(39); what of CLOSED and OPEN is meant its filled quantity says."""

_SIDES = {"BUY": "1", "SELL": "2"}
Row = dict[str, Any]
Endpoint = Callable[[Row], Any]


class Api(Protocol):
    """The endpoints that are used, under CCXT's names for them."""

    token: str | None

    def publicGetV1Time(self, params: Row = ...) -> Row: ...  # noqa: N802
    def publicGetV1MarketsSymbol(self, params: Row = ...) -> Row: ...  # noqa: N802
    def publicGetV1MarketsSymbolTick(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateGetV1UsersHmacLogin(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateGetV2Orders(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateGetV2HistoryOrders(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateGetV1HistoryTrades(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateGetV1TradesTradeId(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateGetV1AccountsAsset(self, params: Row = ...) -> list[Row]: ...  # noqa: N802
    def privatePostV2Command(self, params: Row = ...) -> Row: ...  # noqa: N802


def open_rest(settings: RestSettings) -> "BullishRest":
    """The REST side that speaks to `settings.url` alone. Raises ValueError where the credentials are of no use."""
    ours = settings.credentials
    if not isinstance(ours, PasswordHmac):
        raise ValueError("Bullish's requests are signed with an API key's secret: set the venue's [credentials]")
    options = {"apiKey": ours.api_key, "secret": ours.secret.decode("ascii")}
    return BullishRest(settings.venue, ccxt_client("bullish", settings, options, time), ours.account)


class BullishRest(CcxtRest[Api]):
    """Bullish's answers."""

    CODE = re.compile(r'"errorCode"\s*:\s*"?(-?\d{1,9})(?!\d)')

    def __init__(self, venue: str, api: Api, account: str) -> None:
        """`api` as CCXT has it; `account` is the trading account."""
        super().__init__(venue, api)
        self._account = account
        self._assets: dict[str, tuple[str, str]] = {}
        self._questions["ticker"] = self._ticker

    def _private(self, endpoint: Endpoint, params: Row) -> Any:
        """What the endpoint answers to whoever is logged in: a token that is over is followed by another."""
        whole = {"tradingAccountId": self._account, **params}
        if self.api.token is not None:
            try:
                return endpoint(whole)
            except AuthenticationError:
                self.api.token = None
        self.api.token = name_field(self.api.privateGetV1UsersHmacLogin({}), "token")
        return endpoint(whole)

    def _pages(self, endpoint: Endpoint, by: Row) -> Iterator[Row]:
        """The rows of every page. Raises BadAnswer where they do not end."""
        params = {**by, "_pageSize": PAGE, "_metaData": "true"}
        for _ in range(MAX_PAGES):
            told = self._private(endpoint, params)
            yield from told["data"]
            following = (told.get("links") or {}).get("next")
            if not following:
                return
            params = {**params, "_nextPage": parse_qs(urlsplit(following).query)["_nextPage"][0]}
        raise BadAnswer(f"more than {MAX_PAGES} pages")

    # ---- orders

    def _find(self, ask: Ask) -> RestOrder | str:
        by = {"orderId": ask.order_id} if ask.order_id else {"clientOrderId": ask.cl_ord_id}
        for endpoint in (self.api.privateGetV2Orders, self.api.privateGetV2HistoryOrders):
            for row in self._pages(endpoint, by):
                return _rest_order(row)
        return "neither orders nor their history have it"

    def _open_orders(self, ask: Ask) -> Answer:
        by = {"status": "OPEN"} | ({"symbol": ask.symbol} if ask.symbol else {})
        rows = self._pages(self.api.privateGetV2Orders, by)
        return Answer(self._venue, ask, False, orders=tuple(map(_rest_order, rows)))

    def _cancel_all(self, ask: Ask) -> Answer:
        """It is carried out later, and does not say how many it is about: those that are open are counted before."""
        count = len(self._open_orders(ask).orders)
        self._private(self.api.privatePostV2Command, {"commandType": "V1CancelAllOrdersByMarket", "symbol": ask.symbol})
        return Answer(self._venue, ask, False, cancelled=count)

    # ---- trades

    def _trades(self, ask: Ask) -> Answer:
        """At most TRADES_PAGE of them, the oldest first: who gets so many asks for those that follow."""
        venue_ns, notes = self._clock_ns(), list[str]()
        by: Row = {"symbol": ask.symbol}
        if ask.order_id:
            by["orderId"] = ask.order_id
        if ask.since_ns:
            by["createdAtDatetime[gte]"] = _date(ask.since_ns // NS_PER_MS)
        elif ask.from_trade_key:
            first = self._private(self.api.privateGetV1TradesTradeId, {"tradeId": ask.from_trade_key})
            by["createdAtDatetime[gte]"] = _date(int(first["createdAtTimestamp"]))
        rows = list(self._pages(self.api.privateGetV1HistoryTrades, by))
        rows.sort(key=lambda row: (int(row["createdAtTimestamp"]), int(row["tradeId"])))
        at = next((n for n, row in enumerate(rows) if str(row["tradeId"]) == ask.from_trade_key), 0)
        trades = tuple(self._trade(row, notes) for row in rows[at : at + TRADES_PAGE])
        return self._told_trades(ask, trades, notes, venue_ns)

    def _trade(self, row: Row, notes: list[str]) -> Trade:
        """One fill. Trade, order and quantity are what it is counted by; what of the rest cannot be read is noted. The
        fee of a buy is in the base asset, that of a sale in the quote asset."""
        key, symbol, side = name_field(row, "tradeId"), name_field(row, "symbol"), _SIDES.get(str(row.get("side")), "")
        secondary = secondary_fields(row, _SECONDARY, f"trade {key}", notes)
        base, quote = self._assets_of(symbol)
        fee, asset = (secondary["baseFee"], base) if secondary["baseFee"] else (secondary["quoteFee"], quote)
        return Trade(
            symbol=symbol,
            trade_key=key,
            order_id=name_field(row, "orderId"),
            side=side,
            last_qty=decimal_field(row, "quantity"),
            last_px=Decimal(secondary["price"]),
            fee_qty=Decimal(fee),
            fee_asset=asset if fee else "",
            transact_ns=secondary["createdAtTimestamp"],
            maker=row.get("isTaker") is False,
        )

    def _assets_of(self, symbol: str) -> tuple[str, str]:
        """Base and quote of a market, asked for once."""
        if symbol not in self._assets:
            market = self.api.publicGetV1MarketsSymbol({"symbol": symbol})
            self._assets[symbol] = name_field(market, "baseSymbol"), name_field(market, "quoteSymbol")
        return self._assets[symbol]

    # ---- the rest

    def _balances(self, ask: Ask) -> Answer:
        rows = self._private(self.api.privateGetV1AccountsAsset, {})
        balances = [
            (name_field(r, "assetSymbol"), decimal_field(r, "availableQuantity"), decimal_field(r, "lockedQuantity"))
            for r in rows
        ]
        return Answer(self._venue, ask, False, balances=tuple(balances))

    def _clock_ns(self) -> int:
        return ms_to_ns(self.api.publicGetV1Time()["timestamp"])

    def _ticker(self, ask: Ask) -> Answer:
        row = self.api.publicGetV1MarketsSymbolTick({"symbol": ask.symbol})
        bid, bid_qty, offer, offer_qty, last = (
            decimal_field(row, field) if row.get(field) not in (None, "") else None
            for field in ("bestBid", "bidVolume", "bestAsk", "askVolume", "last")
        )
        told = Ticker(
            ask.symbol, bid or None, bid_qty or Decimal(0), offer or None, offer_qty or Decimal(0), last or None
        )
        return Answer(self._venue, ask, False, tickers=(told,))


def _date(ms: int) -> str:
    """An instant as the filters want it."""
    seconds, left_ms = divmod(ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{left_ms:03d}Z"


def _rest_order(row: Row) -> RestOrder:
    """An order. What is CLOSED and not filled has ended in another way."""
    status, cum_qty, qty = str(row["status"]), decimal_field(row, "quantityFilled"), decimal_field(row, "quantity")
    if status not in ORD_STATUS:
        raise BadAnswer(f"status is {json.dumps(status[:40])}")
    told = ORD_STATUS[status]
    if status == "OPEN" and cum_qty:
        told = "1"
    elif status == "CLOSED" and cum_qty < qty:
        told = "4"
    price = row.get("price")
    return RestOrder(
        symbol=name_field(row, "symbol"),
        order_id=name_field(row, "orderId"),
        cl_ord_id=cut(str(row.get("clientOrderId") or "")),
        side=_SIDES.get(str(row.get("side")), ""),
        ord_status=told,
        order_qty=qty,
        price=decimal_field(row, "price") if price else None,
        cum_qty=cum_qty,
        transact_ns=ms_to_ns(row.get("createdAtTimestamp") or 0),
    )


_SECONDARY: dict[str, Callable[[Mapping[str, Any], str], Any]] = {
    "price": decimal_field, "baseFee": decimal_field, "quoteFee": decimal_field,
    "createdAtTimestamp": lambda row, field: ms_to_ns(row[field]),
}  # fmt: skip

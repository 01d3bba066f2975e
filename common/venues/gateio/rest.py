"""The venue's REST side through CCXT: one `Ask` in, one `Answer` out; and what signs for the bridge.

Source: Gate APIv4 documentation as stored 2025-11-25 for the endpoints; ccxt 4.5 for how they are called and signed.
A trade is known by `id`. Fills that are asked for by time are those of orders that have ended since: those of open
orders are asked for order by order. An order that has ended is not found by our id.
"""

import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Protocol

from common.messages import Ask
from common.venues.bridged_rest import Paging, Row, account_client
from common.venues.ccxt_parts import at_host, ccxt_client, http_signer
from common.venues.credentials import Credentials, HmacSecret
from common.venues.families.gateio.backend import FILLS_PAGE, ORDERS_PAGE
from common.venues.families.gateio.rest import CALLS, VERSION, GateioRest, TimeApi, key_options, paged
from common.venues.gateio.backend import GateioSpotBackend
from common.venues.rest import RestSettings, decimal_field, name_field


class SpotApi(TimeApi, Protocol):
    """The endpoints that are used, under CCXT's names for them."""

    def publicSpotGetTickers(self, params: Row = ...) -> list[Row]: ...  # noqa: N802
    def privateSpotGetOrdersOrderId(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateSpotGetOrders(self, params: Row = ...) -> list[Row]: ...  # noqa: N802
    def privateSpotGetOpenOrders(self, params: Row = ...) -> list[Row]: ...  # noqa: N802
    def privateSpotGetMyTrades(self, params: Row = ...) -> list[Row]: ...  # noqa: N802
    def privateSpotGetAccounts(self, params: Row = ...) -> list[Row]: ...  # noqa: N802
    def privateSpotDeleteOrdersOrderId(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateSpotDeleteOrders(self, params: Row = ...) -> list[Row]: ...  # noqa: N802


def open_rest(settings: RestSettings) -> "GateioSpotRest":
    """The REST side that speaks to `settings.url` alone. Raises ValueError where the credentials are of no use."""
    options = _options(settings.credentials)
    return GateioSpotRest(settings.venue, account_client("gate", at_host(settings, VERSION), options, time, CALLS))


def open_backend(settings: RestSettings) -> GateioSpotBackend:
    """How the bridge speaks to the venue, CCXT signing for it. Raises ValueError likewise."""
    options, credentials = _options(settings.credentials), settings.credentials
    assert isinstance(credentials, HmacSecret)
    exchange = ccxt_client("gate", at_host(settings, VERSION), options, time)
    spot, account = (http_signer(exchange, ["private", part]) for part in ("spot", "account"))
    return GateioSpotBackend(credentials, spot, account)


def _options(credentials: Credentials) -> dict[str, object]:
    if not isinstance(credentials, HmacSecret):
        raise ValueError("Gate.io's requests are signed with an API key's secret: set the venue's [credentials]")
    return key_options(credentials)


class GateioSpotRest(GateioRest[SpotApi]):
    """Gate.io's answers on spot."""

    # ---- orders

    def _order_named(self, name: str, symbol: str) -> Row:
        """See `GateioRest`: by our id while it is open."""
        return self.api.privateSpotGetOrdersOrderId({"currency_pair": symbol, "account": "spot", "order_id": name})

    def _ended(self, ask: Ask) -> Iterator[Row]:
        by = {"currency_pair": ask.symbol, "account": "spot", "status": "finished", **self._span(ask.since_ns)}
        return self._pages(self.api.privateSpotGetOrders, by, _numbered(ORDERS_PAGE))

    def _open_rows(self, symbol: str) -> Iterator[Row]:
        """Of all pairs: a page holds so many orders of each."""
        rows = self._pages(self.api.privateSpotGetOpenOrders, {"account": "spot"}, OPEN_ORDERS)
        return (row for row in rows if symbol in ("", row["currency_pair"]))

    def _cancel_pair(self, symbol: str) -> list[Row]:
        return self.api.privateSpotDeleteOrders({"account": "spot", "currency_pair": symbol})

    def _send_cancel(self, symbol: str, order_id: str) -> object:
        by = {"order_id": order_id, "currency_pair": symbol, "account": "spot"}
        return self.api.privateSpotDeleteOrdersOrderId(by)

    # ---- trades

    def _fill_rows(self, ask: Ask, venue_ns: int, is_past: Callable[[Row], bool]) -> Iterator[Row]:
        """Of one order; or of those that have ended since, and of each that is open and filled in part: the newest
        first."""
        endpoint, by = self.api.privateSpotGetMyTrades, {"currency_pair": ask.symbol, "account": "spot"}
        if ask.order_id:
            yield from self._pages(endpoint, {**by, "order_id": ask.order_id}, _numbered(FILLS_PAGE))
            return
        # Open orders first: one that ends in between is among those that have ended then.
        partly = [name_field(row, "id") for row in self._open_rows(ask.symbol) if self._cum_qty(row)]
        for order_id in partly:
            yield from self._pages(endpoint, {**by, "order_id": order_id}, _numbered(FILLS_PAGE))
        yield from self._pages(endpoint, {**by, **self._span(ask.since_ns)}, _numbered(FILLS_PAGE), is_past)

    # ---- the rest

    def _balance_rows(self) -> list[Row]:
        return self.api.privateSpotGetAccounts()

    def _balance(self, row: Row) -> tuple[str, Decimal, Decimal]:
        return name_field(row, "currency"), decimal_field(row, "available"), decimal_field(row, "locked")

    def _ticker_rows(self, symbol: str) -> list[tuple[str, Row]]:
        rows = self.api.publicSpotGetTickers({"currency_pair": symbol})
        return [(name_field(row, "currency_pair"), row) for row in rows]


def _numbered(limit: int) -> Paging:
    """Pages that are asked for by their number."""
    return paged(limit, lambda number: {"page": number, "limit": limit})


OPEN_ORDERS = _numbered(ORDERS_PAGE)._replace(
    rows=lambda pairs: [row for pair in pairs for row in pair["orders"]],
    is_full=lambda pairs: any(len(pair["orders"]) >= ORDERS_PAGE for pair in pairs),
)
"""Open orders come by pair."""

"""The venue's REST side through CCXT: one `Ask` in, one `Answer` out; and what signs for the bridge.

Source: Gate APIv4 documentation, futures, as stored 2025-11-25 for the endpoints; ccxt 4.5 for how they are called and
signed. A trade is known by `id`, which one of the endpoints calls `trade_id`.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Protocol

from common.messages import Answer, Ask
from common.venues.bridged_rest import Paging, Row, account_client
from common.venues.ccxt_parts import at_host, ccxt_client, http_signer
from common.venues.credentials import Credentials, HmacAccount
from common.venues.families.gateio.backend import FILLS_PAGE, ORDERS_PAGE
from common.venues.families.gateio.rest import CALLS, VERSION, GateioRest, TimeApi, key_options, paged
from common.venues.gateiofutures.backend import (
    ONE_POSITION,
    SETTLE,
    GateioFuturesBackend,
    name_of_contract,
    spot_fill,
    spot_order,
    symbol_of_contract,
)
from common.venues.rest import BadAnswer, RestSettings, decimal_field, name_field


class FuturesApi(TimeApi, Protocol):
    """The endpoints that are used, under CCXT's names for them."""

    def publicFuturesGetSettleTickers(self, params: Row = ...) -> list[Row]: ...  # noqa: N802
    def privateFuturesGetSettleOrdersOrderId(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateFuturesGetSettleOrders(self, params: Row = ...) -> list[Row]: ...  # noqa: N802
    def privateFuturesGetSettleOrdersTimerange(self, params: Row = ...) -> list[Row]: ...  # noqa: N802
    def privateFuturesGetSettleMyTrades(self, params: Row = ...) -> list[Row]: ...  # noqa: N802
    def privateFuturesGetSettleMyTradesTimerange(self, params: Row = ...) -> list[Row]: ...  # noqa: N802
    def privateFuturesGetSettleAccounts(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateFuturesGetSettlePositions(self, params: Row = ...) -> list[Row]: ...  # noqa: N802
    def privateFuturesDeleteSettleOrdersOrderId(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateFuturesDeleteSettleOrders(self, params: Row = ...) -> list[Row]: ...  # noqa: N802


def open_rest(settings: RestSettings) -> "GateioFuturesRest":
    """The REST side that speaks to `settings.url` alone. Raises ValueError where the credentials are of no use."""
    options = _options(settings.credentials)
    return GateioFuturesRest(settings.venue, account_client("gate", at_host(settings, VERSION), options, time, CALLS))


def open_backend(settings: RestSettings) -> GateioFuturesBackend:
    """How the bridge speaks to the venue, CCXT signing for it. Raises ValueError likewise."""
    options, credentials = _options(settings.credentials), settings.credentials
    assert isinstance(credentials, HmacAccount)
    exchange = ccxt_client("gate", at_host(settings, VERSION), options, time)
    return GateioFuturesBackend(credentials, http_signer(exchange, ["private", "futures"]), settings.symbols)


def _options(credentials: Credentials) -> dict[str, object]:
    if not isinstance(credentials, HmacAccount):
        raise ValueError(
            "Gate.io Futures' requests are signed with an API key's secret, and name the user: set the venue's "
            "[credentials]"
        )
    return key_options(credentials)


class GateioFuturesRest(GateioRest[FuturesApi]):
    """Gate.io's answers on futures, whose rows are read as those of spot."""

    def __init__(self, venue: str, api: FuturesApi) -> None:
        """`api` as CCXT has it."""
        super().__init__(venue, api)
        self._questions["positions"] = self._positions

    # ---- orders

    def _order_named(self, name: str, symbol: str) -> Row:
        """See `GateioRest`: by our id until a minute after its end."""
        return spot_order(self.api.privateFuturesGetSettleOrdersOrderId({**SETTLE, "order_id": name}))

    def _ended(self, ask: Ask) -> Iterator[Row]:
        by = {**SETTLE, "contract": name_of_contract(ask.symbol), **self._span(ask.since_ns)}
        return map(spot_order, self._pages(self.api.privateFuturesGetSettleOrdersTimerange, by, _offset(ORDERS_PAGE)))

    def _open_rows(self, symbol: str) -> Iterator[Row]:
        by = {**SETTLE, "status": "open"} | ({"contract": name_of_contract(symbol)} if symbol else {})
        return map(spot_order, self._pages(self.api.privateFuturesGetSettleOrders, by, _offset(ORDERS_PAGE)))

    def _cancel_pair(self, symbol: str) -> list[Row]:
        return self.api.privateFuturesDeleteSettleOrders({**SETTLE, "contract": name_of_contract(symbol)})

    def _send_cancel(self, symbol: str, order_id: str) -> object:
        return self.api.privateFuturesDeleteSettleOrdersOrderId({**SETTLE, "order_id": order_id})

    # ---- trades

    def _fill_rows(self, ask: Ask, venue_ns: int, is_past: Callable[[Row], bool]) -> Iterator[Row]:
        """Of one order; or of a span of time, whatever has become of their orders."""
        by = {**SETTLE, "contract": name_of_contract(ask.symbol)}
        if ask.order_id:
            endpoint, by = self.api.privateFuturesGetSettleMyTrades, {**by, "order": ask.order_id}
        else:
            endpoint, by = self.api.privateFuturesGetSettleMyTradesTimerange, by | self._span(ask.since_ns)
        rows = self._pages(endpoint, by, _offset(FILLS_PAGE), lambda row: is_past(spot_fill(row)))
        return map(spot_fill, rows)

    # ---- the rest

    def _balance_rows(self) -> list[Row]:
        return [self.api.privateFuturesGetSettleAccounts(SETTLE)]

    def _balance(self, row: Row) -> tuple[str, Decimal, Decimal]:
        """`total` is without what open positions would bring; what of it is not available is held as margin."""
        total = decimal_field(row, "total")
        held = max(Decimal(0), total - decimal_field(row, "available"))
        return name_field(row, "currency"), total - held, held

    def _positions(self, ask: Ask) -> Answer:
        """Of an account of one position in each: `size` is below 0 where contracts were sold. Raises BadAnswer of
        another."""
        rows = self.api.privateFuturesGetSettlePositions({**SETTLE, "holding": "true"})
        return Answer(self._venue, ask, False, positions=tuple(map(_position, rows)))

    def _ticker_rows(self, symbol: str) -> list[tuple[str, Row]]:
        rows = self.api.publicFuturesGetSettleTickers({**SETTLE, "contract": name_of_contract(symbol)})
        return [(symbol_of_contract(name_field(row, "contract")), row) for row in rows]


def _position(row: Mapping[str, Any]) -> tuple[str, Decimal]:
    if row["mode"] != ONE_POSITION:
        raise BadAnswer(f"mode of the position in {row['contract']} is {row['mode']!r}")
    return symbol_of_contract(name_field(row, "contract")), decimal_field(row, "size")


def _offset(limit: int) -> Paging:
    """Pages that are asked for by how many rows come before."""
    return paged(limit, lambda number: {"offset": (number - 1) * limit, "limit": limit})

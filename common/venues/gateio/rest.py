"""The venue's REST side through CCXT: one `Ask` in, one `Answer` out; and what signs for the bridge.

Source: Gate APIv4 documentation as stored 2025-11-25 for the endpoints; ccxt 4.5 for how they are called and signed.
The endpoints are called as they are (CCXT's implicit methods), since its unified ones turn money into floats. A trade
is known by `id`. Fills that are asked for by time are those of orders that have ended since: those of open orders are
asked for order by order. An order that has ended is not found by our id: it is looked for among those.

The orders of the account are mostly the bridge's, which asks as well: of the user's limits the account takes a part.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Protocol

from common.instant import NS_PER_S
from common.messages import Answer, Ask
from common.venues.bridged_rest import BaseError, BridgedRest, FillFields, OrderFields, Paging, Row, account_client
from common.venues.ccxt_parts import at_host, ccxt_client, http_signer
from common.venues.credentials import Credentials, HmacSecret
from common.venues.gateio.backend import FILLS_PAGE, MOST_NS, ORDERS_PAGE, PREFIX, STATES, GateioBackend, paid_fee
from common.venues.gateio.backend import GONE as NOT_OPEN
from common.venues.rest import AHEAD_NS, RestSettings, decimal_field, ms_to_ns, name_field

VERSION = "/api/v4"
CALLS = (4.0, 8.0)
"""The account's fifth of the least of the limits that it meets, 200 in 10 s; the bridge has the rest."""

MAX_PAGES = 100
OVERLAP_NS = 60 * NS_PER_S
"""How far a clock of ours and the venue's may be apart."""

_LABEL = re.compile(r'"label"\s*:\s*"(\w+)"')


class SpotApi(Protocol):
    """The endpoints that are used, under CCXT's names for them."""

    def publicSpotGetTime(self, params: Row = ...) -> Row: ...  # noqa: N802
    def publicSpotGetTickers(self, params: Row = ...) -> list[Row]: ...  # noqa: N802
    def privateSpotGetOrdersOrderId(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateSpotGetOrders(self, params: Row = ...) -> list[Row]: ...  # noqa: N802
    def privateSpotGetOpenOrders(self, params: Row = ...) -> list[Row]: ...  # noqa: N802
    def privateSpotGetMyTrades(self, params: Row = ...) -> list[Row]: ...  # noqa: N802
    def privateSpotGetAccounts(self, params: Row = ...) -> list[Row]: ...  # noqa: N802
    def privateSpotDeleteOrdersOrderId(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateSpotDeleteOrders(self, params: Row = ...) -> list[Row]: ...  # noqa: N802


def open_rest(settings: RestSettings) -> "GateioRest":
    """The REST side that speaks to `settings.url` alone. Raises ValueError where the credentials are of no use."""
    options = _options(settings.credentials)
    return GateioRest(settings.venue, account_client("gate", at_host(settings, VERSION), options, time, CALLS))


def open_backend(settings: RestSettings) -> GateioBackend:
    """How the bridge speaks to the venue, CCXT signing for it. Raises ValueError likewise."""
    options, credentials = _options(settings.credentials), settings.credentials
    assert isinstance(credentials, HmacSecret)
    exchange = ccxt_client("gate", at_host(settings, VERSION), options, time)
    spot, account = (http_signer(exchange, ["private", part]) for part in ("spot", "account"))
    return GateioBackend(credentials, spot, account)


def _options(credentials: Credentials) -> dict[str, object]:
    if not isinstance(credentials, HmacSecret):
        raise ValueError("Gate.io's requests are signed with an API key's secret: set the venue's [credentials]")
    return {"apiKey": credentials.api_key, "secret": credentials.secret.decode("ascii")}


class GateioRest(BridgedRest[SpotApi]):
    """Gate.io's answers."""

    ORDER = OrderFields(
        symbol="currency_pair", order_id="id", cl_ord_id="text", order_qty="amount", price="price",
        cum_qty="filled_amount", updated_ms=("update_time_ms",), state="status",
    )  # fmt: skip
    FILL = FillFields(
        symbol="currency_pair", trade_key="id", order_id="order_id", last_qty="amount", last_px="price", fee="fee",
        stamp_ms="create_time_ms", maker=("role", "maker"),
    )  # fmt: skip
    STATES = STATES
    TICKER = ("highest_bid", "highest_size", "lowest_ask", "lowest_size", "last")
    UNKNOWN = GONE = NOT_OPEN

    def _says(self, error: BaseException, codes: frozenset[str]) -> bool:
        """By the venue's own word: it has no numbers."""
        label = _LABEL.search(str(error))
        return label is not None and label[1] in codes

    def _cl_ord_id(self, told: str) -> str:
        """Other texts than clients' are the venue's own."""
        return told.removeprefix(PREFIX) if told.startswith(PREFIX) else ""

    def _cum_qty(self, row: Row) -> Decimal:
        if row.get(self.ORDER.cum_qty):
            return super()._cum_qty(row)
        return decimal_field(row, "amount") - decimal_field(row, "left")

    # ---- orders

    def _order_row(self, ask: Ask) -> Row | None:
        """By our id it is found while it is open: else it is looked for among those that have ended."""
        text = f"{PREFIX}{ask.cl_ord_id}"
        by = {"currency_pair": ask.symbol, "account": "spot", "order_id": ask.order_id or text}
        try:
            return self.api.privateSpotGetOrdersOrderId(by)
        except BaseError as error:
            if not self._says(error, self.UNKNOWN):
                raise
        ended = () if ask.order_id else self._ended(ask)
        return next((row for row in ended if row.get("text") == text), None)

    def _ended(self, ask: Ask) -> Iterator[Row]:
        """The symbol's orders that have ended since it was sent."""
        by = {"currency_pair": ask.symbol, "account": "spot", "status": "finished", **self._span(ask.since_ns)}
        return self._pages(self.api.privateSpotGetOrders, by, _numbered(ORDERS_PAGE))

    def _span(self, since_ns: int) -> Row:
        """From then on, or as far back as can be asked, to somewhat later than now."""
        now_ns = self._clock_ns()
        begin_ns = max(since_ns - OVERLAP_NS, now_ns - MOST_NS)
        return {"from": begin_ns // NS_PER_S, "to": (now_ns + AHEAD_NS) // NS_PER_S}

    def _open_rows(self, symbol: str) -> Iterator[Row]:
        """Of all pairs: a page holds so many orders of each."""
        rows = self._pages(self.api.privateSpotGetOpenOrders, {"account": "spot"}, OPEN_ORDERS)
        return (row for row in rows if symbol in ("", row["currency_pair"]))

    def _cancel_all(self, ask: Ask) -> Answer:
        """A pair's at once: what is cancelled is told."""
        symbols = [ask.symbol] if ask.symbol else sorted({str(row["currency_pair"]) for row in self._open_rows("")})
        return Answer(self._venue, ask, False, cancelled=sum(len(self._cancel_pair(symbol)) for symbol in symbols))

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

    def _fee(self, row: Mapping[str, Any]) -> tuple[Decimal, str]:
        return paid_fee(row)

    # ---- the rest

    def _balance_rows(self) -> list[Row]:
        return self.api.privateSpotGetAccounts()

    def _balance(self, row: Row) -> tuple[str, Decimal, Decimal]:
        return name_field(row, "currency"), decimal_field(row, "available"), decimal_field(row, "locked")

    def _clock_ns(self) -> int:
        return ms_to_ns(self.api.publicSpotGetTime()["server_time"])

    def _ticker_rows(self, symbol: str) -> list[tuple[str, Row]]:
        rows = self.api.publicSpotGetTickers({"currency_pair": symbol})
        return [(name_field(row, "currency_pair"), row) for row in rows]


def _numbered(limit: int) -> Paging:
    """Pages that are asked for by their number, of so many rows at most."""

    def asked(number: int) -> Row:
        return {"page": number, "limit": limit}

    return Paging(
        list, lambda rows: len(rows) >= limit, lambda rows, number: asked(number), asked(1), MAX_PAGES,
    )  # fmt: skip


OPEN_ORDERS = _numbered(ORDERS_PAGE)._replace(
    rows=lambda pairs: [row for pair in pairs for row in pair["orders"]],
    is_full=lambda pairs: any(len(pair["orders"]) >= ORDERS_PAGE for pair in pairs),
)
"""Open orders come by pair."""

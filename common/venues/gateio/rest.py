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
from common.messages import Answer, Ask, RestOrder, Trade, cut
from common.orders.books import TRADES_PAGE
from common.venues.ccxt_parts import CcxtRest, at_host, ccxt_client, ccxt_errors, http_signer, read_ticker
from common.venues.credentials import Credentials, HmacSecret
from common.venues.gateio.backend import FILLS_PAGE, GONE, MOST_NS, ORDERS_PAGE, PREFIX, STATES, GateioBackend, paid_fee
from common.venues.pace import Pace
from common.venues.rest import (
    AHEAD_NS,
    BadAnswer,
    RestSettings,
    decimal_field,
    ms_to_ns,
    name_field,
    secondary_fields,
)

BaseError: type[Exception] = ccxt_errors().BaseError

VERSION = "/api/v4"
CALLS_PER_S, CALLS_AT_ONCE = 4.0, 8.0
"""The account's fifth of the least of the limits that it meets, 200 in 10 s; the bridge has the rest."""

MAX_PAGES = 100
OVERLAP_NS = 60 * NS_PER_S
"""How far a clock of ours and the venue's may be apart."""

_LABEL = re.compile(r'"label"\s*:\s*"(\w+)"')
_SIDES: dict[object, str] = {"buy": "1", "sell": "2"}
Row = dict[str, Any]
TICKER = ("highest_bid", "highest_size", "lowest_ask", "lowest_size", "last")
"""Where bid and quantity, ask and quantity, and the last price stand."""


class Api(Protocol):
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
    options, pace = _options(settings.credentials), Pace(CALLS_PER_S, CALLS_AT_ONCE)
    api = ccxt_client("gate", at_host(settings, VERSION), options, time, pace=pace, cost_of=lambda cost: 1.0)
    return GateioRest(settings.venue, api)


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


class GateioRest(CcxtRest[Api]):
    """Gate.io's answers."""

    def __init__(self, venue: str, api: Api) -> None:
        """`api` as CCXT has it."""
        super().__init__(venue, api)
        self._questions["cancel"] = self._cancel
        self._questions["ticker"] = self._ticker

    # ---- orders

    def _find(self, ask: Ask) -> RestOrder | str:
        by = {"currency_pair": ask.symbol, "account": "spot"}
        try:
            name = ask.order_id or f"{PREFIX}{ask.cl_ord_id}"
            return _rest_order(self.api.privateSpotGetOrdersOrderId({**by, "order_id": name}))
        except BaseError as error:
            if _label(error) not in GONE:
                raise
        ended = () if ask.order_id else self._ended(ask)
        found = next((row for row in ended if row.get("text") == f"{PREFIX}{ask.cl_ord_id}"), None)
        return "Order not found" if found is None else _rest_order(found)

    def _ended(self, ask: Ask) -> Iterator[Row]:
        """The symbol's orders that have ended since it was sent."""
        by = {"currency_pair": ask.symbol, "account": "spot", "status": "finished", **self._span(ask.since_ns)}
        return self._pages(self.api.privateSpotGetOrders, by, ORDERS_PAGE)

    def _span(self, since_ns: int) -> Row:
        """From then on, or as far back as can be asked, to somewhat later than now."""
        now_ns = self._clock_ns()
        begin_ns = max(since_ns - OVERLAP_NS, now_ns - MOST_NS)
        return {"from": begin_ns // NS_PER_S, "to": (now_ns + AHEAD_NS) // NS_PER_S}

    def _open_orders(self, ask: Ask) -> Answer:
        rows = [row for row in self._open_rows() if ask.symbol in ("", row["currency_pair"])]
        return Answer(self._venue, ask, False, orders=tuple(map(_rest_order, rows)))

    def _open_rows(self) -> Iterator[Row]:
        """Of all pairs: a page holds so many orders of each."""
        for page in range(1, MAX_PAGES + 1):
            told = self.api.privateSpotGetOpenOrders({"account": "spot", "page": page, "limit": ORDERS_PAGE})
            yield from (row for pair in told for row in pair["orders"])
            if all(len(pair["orders"]) < ORDERS_PAGE for pair in told):
                return
        raise _endless()

    def _cancel_all(self, ask: Ask) -> Answer:
        symbols = [ask.symbol] if ask.symbol else sorted({str(row["currency_pair"]) for row in self._open_rows()})
        by = {"account": "spot"}
        rows = [self.api.privateSpotDeleteOrders({**by, "currency_pair": symbol}) for symbol in symbols]
        return Answer(self._venue, ask, False, cancelled=sum(map(len, rows)))

    def _cancel(self, ask: Ask) -> Answer:
        """Cancel one order; none is cancelled where it is closed already."""
        by = {"order_id": ask.order_id, "currency_pair": ask.symbol, "account": "spot"}
        try:
            self.api.privateSpotDeleteOrdersOrderId(by)
        except BaseError as error:
            if _label(error) not in GONE:
                raise
            return Answer(self._venue, ask, False)
        return Answer(self._venue, ask, False, cancelled=1)

    # ---- trades

    def _trades(self, ask: Ask) -> Answer:
        """At most TRADES_PAGE of them, the oldest first: who gets so many asks for those that follow."""
        venue_ns, notes = self._clock_ns(), list[str]()
        first = int(ask.from_trade_key) if ask.from_trade_key else 0
        found: dict[tuple[int, str], Row] = {}
        for row in self._trade_rows(ask, first):
            key = int(name_field(row, "id"))
            if key >= first:
                found[key, name_field(row, "order_id")] = row
        rows = [found[key] for key in sorted(found)[:TRADES_PAGE]]
        return self._told_trades(ask, tuple(_trade(row, ask.symbol, notes) for row in rows), notes, venue_ns)

    def _trade_rows(self, ask: Ask, first: int) -> Iterator[Row]:
        """Of one order; or of those that have ended since, and of each that is open and filled in part: the newest
        first, until a whole page is older than the trade `first`."""
        by: Row = {"currency_pair": ask.symbol, "account": "spot"}
        if ask.order_id:
            yield from self._pages(self.api.privateSpotGetMyTrades, {**by, "order_id": ask.order_id}, FILLS_PAGE)
            return
        # Open orders first: one that ends in between is among those that have ended then.
        partly = [row for row in self._open_rows() if row["currency_pair"] == ask.symbol and _filled(row)]
        for row in partly:
            by_order = {**by, "order_id": name_field(row, "id")}
            yield from self._pages(self.api.privateSpotGetMyTrades, by_order, FILLS_PAGE)
        by |= self._span(ask.since_ns)
        yield from self._pages(
            self.api.privateSpotGetMyTrades, by, FILLS_PAGE, lambda row: int(name_field(row, "id")) < first
        )

    def _pages(
        self, endpoint: Callable[[Row], list[Row]], by: Mapping[str, object], limit: int,
        is_past: Callable[[Row], bool] = lambda row: False,
    ) -> Iterator[Row]:  # fmt: skip
        """The rows of every page, until all of one are past what is wanted. Raises BadAnswer where they do not end."""
        for page in range(1, MAX_PAGES + 1):
            rows = endpoint({**by, "page": page, "limit": limit})
            yield from rows
            if len(rows) < limit or all(map(is_past, rows)):
                return
        raise _endless()

    # ---- the rest

    def _balances(self, ask: Ask) -> Answer:
        rows = self.api.privateSpotGetAccounts()
        balances = [
            (name_field(row, "currency"), decimal_field(row, "available"), decimal_field(row, "locked"))
            for row in rows
        ]
        return Answer(self._venue, ask, False, balances=tuple(balances))

    def _clock_ns(self) -> int:
        return ms_to_ns(self.api.publicSpotGetTime()["server_time"])

    def _ticker(self, ask: Ask) -> Answer:
        rows = self.api.publicSpotGetTickers({"currency_pair": ask.symbol})
        tickers = tuple(read_ticker(name_field(row, "currency_pair"), row, TICKER) for row in rows)
        return Answer(self._venue, ask, False, tickers=tickers)


def _label(error: BaseException) -> str:
    """The venue's own word in CCXT's error: CCXT's classes are not to be decided by."""
    found = _LABEL.search(str(error))
    return found[1] if found else ""


def _endless() -> BadAnswer:
    return BadAnswer(f"more than {MAX_PAGES} pages: look at the venue's own records")


def _filled(row: Row) -> Decimal:
    if row.get("filled_amount"):
        return decimal_field(row, "filled_amount")
    return decimal_field(row, "amount") - decimal_field(row, "left")


def _rest_order(row: Row) -> RestOrder:
    status, text = str(row["status"]), str(row.get("text") or "")
    if status not in STATES:
        raise BadAnswer(f"status is {status[:40]!r}")
    price = decimal_field(row, "price") if row.get("price") else Decimal(0)
    return RestOrder(
        symbol=name_field(row, "currency_pair"),
        order_id=name_field(row, "id"),
        cl_ord_id=cut(text.removeprefix(PREFIX)) if text.startswith(PREFIX) else "",
        side=_SIDES.get(row.get("side"), ""),
        ord_status=STATES[status],
        order_qty=decimal_field(row, "amount"),
        price=price or None,
        cum_qty=_filled(row),
        transact_ns=ms_to_ns(row.get("update_time_ms") or 0),
    )


_SECONDARY: dict[str, Callable[[Mapping[str, Any], str], Any]] = {
    "price": decimal_field, "create_time_ms": lambda row, field: ms_to_ns(Decimal(str(row[field]))),
}  # fmt: skip


def _trade(row: Row, symbol: str, notes: list[str]) -> Trade:
    """One fill of `symbol`. Trade, order and quantity are what it is counted by; of the rest what cannot be read is
    noted."""
    key = name_field(row, "id")
    secondary = secondary_fields(row, {**_SECONDARY, "fee": lambda row, field: paid_fee(row)}, f"trade {key}", notes)
    fee, asset = secondary["fee"] or (Decimal(0), "")
    return Trade(
        symbol=cut(str(row.get("currency_pair") or symbol)),
        trade_key=key,
        order_id=name_field(row, "order_id"),
        side=_SIDES.get(row.get("side"), ""),
        last_qty=decimal_field(row, "amount"),
        last_px=Decimal(secondary["price"]),
        fee_qty=fee,
        fee_asset=cut(asset),
        transact_ns=secondary["create_time_ms"],
        maker=row.get("role") == "maker",
    )

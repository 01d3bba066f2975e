"""The venue's REST side through CCXT: one `Ask` in, one `Answer` out; and what signs for the bridge.

Source: KuCoin documentation as stored 2025-11-29, futures trading, for the endpoints; ccxt 4.5 for how they are called
and signed. Its unified methods count a fee's rebate and a position's sign in ways of their own.
"""

import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, Protocol

from common.messages import Answer, Ask
from common.venues.bridged_rest import OrderFields, Paging, Row, account_client
from common.venues.ccxt_parts import at_host, ccxt_client, http_signer, passphrase_options
from common.venues.credentials import Credentials
from common.venues.families.kucoin.rest import KucoinRest, without_partner
from common.venues.kucoinfutures.backend import NO_ORDER, NOT_OPEN, PAGE_ROWS, KucoinFuturesBackend
from common.venues.rest import RestSettings, decimal_field, name_field

CALLS = (2.6, 16.0)
"""The account's fifth of the pool, a weight of 2,000 in 30 s of which a question takes 5 at most; the bridge has the
rest. What cancels all of a symbol takes 10, and is rare."""

SETTLED_IN = "USDT"
"""The one asset that what is traded here is settled in."""

LINEAR = f"{SETTLED_IN}M"
"""What the name of a perpetual ends in that is settled in it."""


class Api(Protocol):
    """The endpoints that are used, under CCXT's names for them."""

    def futuresPublicGetTimestamp(self, params: Row = ...) -> Row: ...  # noqa: N802
    def futuresPublicGetTicker(self, params: Row = ...) -> Row: ...  # noqa: N802
    def futuresPrivateGetOrdersOrderId(self, params: Row = ...) -> Row: ...  # noqa: N802
    def futuresPrivateGetOrdersByClientOid(self, params: Row = ...) -> Row: ...  # noqa: N802
    def futuresPrivateGetOrders(self, params: Row = ...) -> Row: ...  # noqa: N802
    def futuresPrivateGetRecentFills(self, params: Row = ...) -> Row: ...  # noqa: N802
    def futuresPrivateGetFills(self, params: Row = ...) -> Row: ...  # noqa: N802
    def futuresPrivateGetAccountOverview(self, params: Row = ...) -> Row: ...  # noqa: N802
    def futuresPrivateGetPositions(self, params: Row = ...) -> Row: ...  # noqa: N802
    def futuresPrivateDeleteOrdersOrderId(self, params: Row = ...) -> Row: ...  # noqa: N802
    def futuresPrivateDeleteOrders(self, params: Row = ...) -> Row: ...  # noqa: N802


def open_rest(settings: RestSettings) -> "KucoinFuturesRest":
    """The REST side that speaks to `settings.url` alone. Raises ValueError where the credentials are of no use."""
    options = _options(settings.credentials)
    client = account_client("kucoin", at_host(settings), options, time, CALLS)
    return KucoinFuturesRest(settings.venue, without_partner(client))


def open_backend(settings: RestSettings) -> KucoinFuturesBackend:
    """How the bridge speaks to the venue, CCXT signing for it. Raises ValueError likewise, and where a symbol is none
    of a perpetual that is settled in USDT."""
    for symbol in settings.symbols:
        if not symbol.endswith(LINEAR):
            raise ValueError(f"{symbol}: traded are perpetuals settled in {SETTLED_IN} alone; take it out of `symbols`")
    client = ccxt_client("kucoin", at_host(settings), _options(settings.credentials), time)
    return KucoinFuturesBackend(http_signer(without_partner(client), ["futuresPrivate"]))


def _options(credentials: Credentials) -> dict[str, object]:
    # Which kind of account it is is not asked for.
    return {**passphrase_options(credentials, "KuCoin Futures"), "options": {"uta": False}}


class KucoinFuturesRest(KucoinRest[Api]):
    """KuCoin Futures' answers."""

    ORDER = OrderFields(
        symbol="symbol", order_id="id", cl_ord_id="clientOid", order_qty="size", price="price", cum_qty="dealSize",
        updated_ms=("updatedAt", "createdAt"),
    )  # fmt: skip
    TICKER = ("bestBidPrice", "bestBidSize", "bestAskPrice", "bestAskSize", "price")
    ABSENT = NO_ORDER
    IS_OPEN = "isActive"
    NOT_FOUND_CODE = 100001
    UNKNOWN = frozenset[str]()
    GONE = frozenset({NOT_OPEN})

    def __init__(self, venue: str, api: Api) -> None:
        """`api` as CCXT has it."""
        super().__init__(venue, api)
        self._questions["positions"] = self._positions

    def _order_row(self, ask: Ask) -> Row | None:
        found: Row | None
        if ask.order_id:
            found = self.api.futuresPrivateGetOrdersOrderId({"orderId": ask.order_id})["data"]
        else:
            found = self.api.futuresPrivateGetOrdersByClientOid({"clientOid": ask.cl_ord_id})["data"]
        return found

    def _open_rows(self, symbol: str) -> Iterator[Row]:
        asked = {"status": "active"} | ({"symbol": symbol} if symbol else {})
        return self._pages(self.api.futuresPrivateGetOrders, asked, PAGING)

    def _send_cancel(self, symbol: str, order_id: str) -> object:
        return self.api.futuresPrivateDeleteOrdersOrderId({"orderId": order_id})

    def _cancel_at_once(self, symbol: str) -> bool:
        self.api.futuresPrivateDeleteOrders({"symbol": symbol})
        return True

    def _fill_rows(self, ask: Ask, venue_ns: int, is_past: Callable[[Row], bool]) -> Iterator[Row]:
        """What is recent, which is told at once, and all, which may be told late: of one order; else one span of time
        after another, from the time that is asked for, or the last one."""
        recent: list[Row] = self.api.futuresPrivateGetRecentFills({"symbol": ask.symbol})["data"]
        yield from (row for row in recent if ask.order_id in ("", row["orderId"]))
        endpoint = self.api.futuresPrivateGetFills
        if ask.order_id:
            yield from self._pages(endpoint, {"orderId": ask.order_id}, PAGING)
            return
        yield from self._span_rows(endpoint, ask, venue_ns, PAGING)

    def _balance_rows(self) -> list[Row]:
        return [self.api.futuresPrivateGetAccountOverview({"currency": SETTLED_IN})["data"]]

    def _balance(self, row: Row) -> tuple[str, Decimal, Decimal]:
        """What is paid in and realised, without what is held would bring: of it margin is held."""
        held = sum((decimal_field(row, each) for each in ("positionMargin", "orderMargin", "frozenFunds")), Decimal(0))
        return name_field(row, "currency"), decimal_field(row, "marginBalance") - held, held

    def _positions(self, ask: Ask) -> Answer:
        """Of an account of one position in each contract: `currentQty` is below 0 where contracts were sold. All rows
        of a contract are what is held."""
        held: dict[str, Decimal] = {}
        for row in self.api.futuresPrivateGetPositions({"currency": SETTLED_IN})["data"]:
            symbol = name_field(row, "symbol")
            held[symbol] = held.get(symbol, Decimal(0)) + decimal_field(row, "currentQty")
        told = tuple((symbol, qty) for symbol, qty in held.items() if qty)
        return Answer(self._venue, ask, False, positions=told)

    def _venue_time(self) -> Row:
        return self.api.futuresPublicGetTimestamp()

    def _best_prices(self, symbol: str) -> Row:
        return self.api.futuresPublicGetTicker({"symbol": symbol})


def _next_page(answer: Any, number: int) -> Row:
    return {"pageSize": str(PAGE_ROWS), "currentPage": str(number)}


PAGING = Paging(
    rows=lambda answer: list(answer["data"]["items"]),
    is_full=lambda answer: int(answer["data"]["currentPage"]) < int(answer["data"]["totalPage"]),
    following=_next_page,
    first={"pageSize": str(PAGE_ROWS), "currentPage": "1"},
)
"""By number."""

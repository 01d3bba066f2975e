"""The venue's REST side over CCXT's base: one `Ask` in, one `Answer` out.

Source: docs.cdp.coinbase.com/prime/rest-api and api-reference/prime-api, as they stood in 2026, and the description of
the API that coinbase-samples/prime-sdk-java keeps (apiSpec). CCXT does not cover this venue: the endpoints are called
and signed here.

There is no endpoint for the venue's clock: it is read off the Date of an answer, in whole seconds, so that it is never
later than the answer. None finds an order by the client's name, and none cancels several at once.
"""

import base64
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any, Protocol
from urllib.parse import quote, urlencode, urlsplit

from common.instant import NS_PER_S
from common.messages import Answer, Ask, RestOrder, Trade, cut
from common.orders.books import TRADES_PAGE
from common.venues.ccxt_parts import CcxtRest, bare_client, ccxt_errors
from common.venues.credentials import HmacPassphrase
from common.venues.pace import Pace
from common.venues.rest import BadAnswer, RestSettings, decimal_field, masked, ms_to_ns, name_field, secondary_fields
from common.venues.signers import BadKey, hmac_sha256

BaseError: type[Exception] = ccxt_errors().BaseError

ROWS = 1000
"""Of one page, of the 3000 that the venue would give."""

PAGES = 50
"""So many pages are read at most for one question."""

REQUESTS_PER_S, BURST = 25.0, 50.0
"""The venue's limit for a portfolio."""

NOT_FOUND = 404
CLOCKS_APART_NS = 60 * NS_PER_S
"""So much earlier than it was sent an order may have been made by the venue's clock, and more."""

ORD_STATUS = {"OPEN": "0", "PENDING": "A", "FILLED": "2", "CANCELLED": "4", "EXPIRED": "C", "FAILED": "8"}
_SIDES: dict[object, str] = {"BUY": "1", "SELL": "2"}
_FEES = ("commission", "venue_fees", "ces_commission")
Row = dict[str, Any]


class Api(Protocol):
    """What is used of CCXT's base."""

    last_response_headers: Mapping[str, str]

    def request(self, path: str, api: str, method: str, params: Row) -> Any: ...


def open_rest(settings: RestSettings) -> "PrimeRest":
    """The REST side that speaks to `settings.url` alone. Raises ValueError where the credentials are of no use."""
    ours = settings.credentials
    if not isinstance(ours, HmacPassphrase):
        raise ValueError("requests are signed with an API key's secret and passphrase: set the venue's [credentials]")
    try:
        signed_headers(ours, 0, "GET", "")
    except BadKey as error:
        raise ValueError(str(error)) from None

    def sign(path: str, api: str, method: str, params: Row) -> Row:
        url = f"{settings.url}/{path}"
        whole = f"{url}?{urlencode(params)}" if params else url
        headers = signed_headers(ours, int(time.time()), method, urlsplit(url).path)
        return {"url": whole, "method": method, "body": None, "headers": headers}

    return PrimeRest(settings.venue, bare_client(sign, settings, time, Pace(REQUESTS_PER_S, BURST)))


def signed_headers(ours: HmacPassphrase, unix_s: int, method: str, path: str) -> dict[str, str]:
    """The headers of a request without a body: signed, by the secret as it is written, are its time, method, and path
    without query. Raises BadKey.
    """
    text = f"{unix_s}{method}{path}".encode()
    return {
        "X-CB-ACCESS-KEY": ours.api_key,
        "X-CB-ACCESS-PASSPHRASE": ours.passphrase,
        "X-CB-ACCESS-TIMESTAMP": str(unix_s),
        "X-CB-ACCESS-SIGNATURE": base64.b64encode(hmac_sha256(ours.secret, text)).decode(),
    }


class PrimeRest(CcxtRest[Api]):
    """Coinbase Prime's answers."""

    CODE = re.compile(r"^\S+ [A-Z]+ \S+ (\d{3}) ")
    NOT_FOUND_CODE = NOT_FOUND

    def __init__(self, venue: str, api: Api) -> None:
        super().__init__(venue, api)
        self._portfolio_id = ""

    def _request(self, method: str, path: str, by: Row | None = None) -> Any:
        """Below the portfolio of the key."""
        return self.api.request(f"portfolios/{self._portfolio()}/{path}", "private", method, by or {})

    def _portfolio(self) -> str:
        """The one that the key is for, asked for once."""
        if not self._portfolio_id:
            found = self.api.request("portfolios", "private", "GET", {})["portfolios"]
            if len(found) != 1:
                raise BadAnswer(f"the key is for {len(found)} portfolios, and not for one")
            self._portfolio_id = name_field(found[0], "id")
        return self._portfolio_id

    def _pages(self, path: str, rows: str, by: Row) -> Iterator[Row]:
        """The rows of every page. Raises BadAnswer where they do not end."""
        for _ in range(PAGES):
            told = self._request("GET", path, by)
            yield from told[rows]
            pagination = told.get("pagination") or {}
            if not pagination.get("has_next") or not pagination.get("next_cursor"):
                return
            by = {**by, "cursor": pagination["next_cursor"]}
        raise BadAnswer(f"more than {PAGES} pages of {path}")

    # ---- orders

    def _find(self, ask: Ask) -> RestOrder | str:
        """By the venue's name; where only ours is known among those that are open, and then among those that ended."""
        if not ask.order_id:
            for row in self._named(ask):
                return _rest_order(row)
            return "neither the open orders nor those of the past have it"
        try:
            return _rest_order(self._request("GET", f"orders/{quote(ask.order_id, safe='')}")["order"])
        except BaseError as error:
            if self.error_code(error) != NOT_FOUND:
                raise
            return masked(error)

    def _named(self, ask: Ask) -> Iterator[Row]:
        by: Row = {"product_ids": ask.symbol}
        past = by | {"limit": ROWS, "sort_direction": "DESC"}
        if ask.since_ns:
            past["start_date"] = _iso(ask.since_ns - CLOCKS_APART_NS)
        for path, params in (("open_orders", by), ("orders", past)):
            yield from (row for row in self._pages(path, "orders", params) if row["client_order_id"] == ask.cl_ord_id)

    def _open_rows(self, symbol: str) -> list[Row]:
        return list(self._pages("open_orders", "orders", {"product_ids": symbol} if symbol else {}))

    def _open_orders(self, ask: Ask) -> Answer:
        return Answer(self._venue, ask, False, orders=tuple(map(_rest_order, self._open_rows(ask.symbol))))

    def _cancel_all(self, ask: Ask) -> Answer:
        """One by one. One that the venue refuses to cancel does not keep the others; it counts as a failure where it is
        open yet."""
        refused: dict[str, Exception] = {}
        order_ids = [name_field(row, "id") for row in self._open_rows(ask.symbol)]
        for order_id in order_ids:
            try:
                self._request("POST", f"orders/{quote(order_id, safe='')}/cancel")
            except BaseError as error:
                if not self.error_code(error):
                    raise
                refused[order_id] = error
        for row in self._open_rows(ask.symbol) if refused else ():
            if row["id"] in refused:
                raise refused[row["id"]]
        return Answer(self._venue, ask, False, cancelled=len(order_ids) - len(refused))

    # ---- trades

    def _trades(self, ask: Ask) -> Answer:
        """Of an order all; else at most TRADES_PAGE of them from a time on, the oldest first: who gets so many asks for
        those that follow. Their names have no order, so that nobody asks from one of them on."""
        venue_ns, notes = self._clock_ns(), list[str]()
        oldest_first: Row = {"limit": ROWS, "sort_direction": "ASC"}
        if ask.order_id:
            path, by = f"orders/{quote(ask.order_id, safe='')}/fills", oldest_first
        else:
            path, by = "fills", oldest_first | {"start_date": _iso(ask.since_ns)}
        told: list[Trade] = []
        for row in self._pages(path, "fills", by):
            told += [_trade(row, notes)] if row["product_id"] == ask.symbol else []
            if len(told) == TRADES_PAGE and not ask.order_id:
                break
        return self._told_trades(ask, tuple(told), notes, venue_ns)

    # ---- the rest

    def _balances(self, ask: Ask) -> Answer:
        balances = []
        for row in self._request("GET", "balances", {"balance_type": "TRADING_BALANCES"})["balances"]:
            whole, hold = decimal_field(row, "amount"), decimal_field(row, "holds")
            balances.append((name_field(row, "symbol").upper(), whole - hold, hold))
        return Answer(self._venue, ask, False, balances=tuple(balances))

    def _clock_ns(self) -> int:
        self.api.request("portfolios", "private", "GET", {})
        return ms_to_ns(int(parsedate_to_datetime(self.api.last_response_headers["Date"]).timestamp()) * 1000)


def _iso(stamp_ns: int) -> str:
    """An instant as the filters want it, not later."""
    seconds, left_ns = divmod(max(stamp_ns, 0), NS_PER_S)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{left_ns // 1_000_000:03d}Z"


def _stamp_ns(row: Mapping[str, Any], field: str) -> int:
    """A time as the venue writes it, in Unix nanoseconds."""
    return ms_to_ns(round(datetime.fromisoformat(str(row[field])).timestamp() * 1000))


def _rest_order(row: Row) -> RestOrder:
    """An order. One for an amount of the quote asset, which is none of ours, counts by what is filled of it."""
    status, cum_qty = str(row["status"]), decimal_field({"filled_quantity": "0"} | _told(row), "filled_quantity")
    qty = decimal_field(row, "base_quantity") if row.get("base_quantity") else cum_qty
    if status not in ORD_STATUS or (status == "FILLED" and cum_qty != qty):
        raise BadAnswer(f"status is {json.dumps(status[:40])}, with {cum_qty} of {qty} filled")
    price = decimal_field(row, "limit_price") if row.get("limit_price") else None
    return RestOrder(
        symbol=name_field(row, "product_id"),
        order_id=name_field(row, "id"),
        cl_ord_id=cut(str(row.get("client_order_id") or "")),
        side=_SIDES.get(row.get("side"), ""),
        ord_status="1" if status == "OPEN" and cum_qty else ORD_STATUS[status],
        order_qty=qty,
        price=price or None,
        cum_qty=cum_qty,
        transact_ns=_stamp_ns(row, "created_at"),
    )


def _told(row: Row) -> Row:
    """The fields that are not empty."""
    return {field: value for field, value in row.items() if value not in (None, "")}


def _fee(row: Mapping[str, Any], field: str) -> Decimal:
    """Nothing, where the venue took none of the kind."""
    return decimal_field(row, field) if row.get(field) else Decimal(0)


_SECONDARY: dict[str, Callable[[Mapping[str, Any], str], Any]] = {
    "price": decimal_field, **dict.fromkeys(_FEES, _fee), "time": _stamp_ns,
}  # fmt: skip


def _trade(row: Row, notes: list[str]) -> Trade:
    """One fill. Its id, order and quantity are what it is counted by; what of the rest cannot be read is noted. Fees
    are in the quote currency, as over FIX, and no field says who made the price."""
    key, symbol = name_field(row, "id"), name_field(row, "product_id")
    secondary = secondary_fields(row, _SECONDARY, f"trade {key}", notes)
    fee = sum((Decimal(secondary[each]) for each in _FEES), Decimal(0))
    return Trade(
        symbol=symbol,
        trade_key=key,
        order_id=name_field(row, "order_id"),
        side=_SIDES.get(row.get("side"), ""),
        last_qty=decimal_field(row, "filled_quantity"),
        last_px=Decimal(secondary["price"]),
        fee_qty=fee,
        fee_asset=symbol.partition("-")[2] if fee else "",
        transact_ns=secondary["time"],
    )

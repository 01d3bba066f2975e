"""The venue's REST side over CCXT's base: one `Ask` in, one `Answer` out.

Source: the REST pages of docs.cdp.coinbase.com/international-exchange, and ccxt 4.4 for the rows of their answers and
how requests are signed. CCXT's class of this venue speaks another API by now, Deribit's, at another host: the endpoints
are called and signed here.

There is no endpoint for the venue's clock: it is read off the Date of an answer, in whole seconds, so that it is never
later than the answer. Requests are about the key's default portfolio, as orders without NoPartyIDs(453) are.
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
from urllib.parse import urlencode, urlsplit

from common.messages import Answer, Ask, RestOrder, Trade, cut
from common.orders.books import TRADES_PAGE
from common.venues.ccxt_parts import CcxtRest, bare_client, ccxt_errors, read_ticker
from common.venues.credentials import HmacPassphrase
from common.venues.pace import Pace
from common.venues.rest import BadAnswer, RestSettings, decimal_field, masked, ms_to_ns, name_field, secondary_fields
from common.venues.signers import BadKey, base64_secret, hmac_sha256

BaseError: type[Exception] = ccxt_errors().BaseError

ROWS = 100
"""Of one page at most."""

PAGES = 50
"""So many pages are read back at most for one question."""

REQUESTS_PER_S = 10.0
"""The pace that ccxt kept at this venue."""

NOT_FOUND = 404
DONE = {"TRADE": "2", "CANCELED": "4", "REPLACED": "4", "EXPIRED": "C", "REJECTED": "8"}
"""OrdStatus(39) of an order that is done, by the last thing that happened to it."""

_SIDES: dict[object, str] = {"BUY": "1", "SELL": "2"}
_QUOTE = ("best_bid_price", "best_bid_size", "best_ask_price", "best_ask_size", "trade_price")
Row = dict[str, Any]


class Api(Protocol):
    """What is used of CCXT's base."""

    last_response_headers: Mapping[str, str]

    def request(self, path: str, api: list[str], method: str, params: Row) -> Any: ...


def open_rest(settings: RestSettings) -> "InternationalRest":
    """The REST side that speaks to `settings.url` alone. Raises ValueError where the credentials are of no use."""
    ours = settings.credentials
    if not isinstance(ours, HmacPassphrase):
        raise ValueError("requests are signed with an API key's secret and passphrase: set the venue's [credentials]")
    try:
        base64_secret(ours.secret)
    except BadKey as error:
        raise ValueError(str(error)) from None

    def sign(path: str, api: list[str], method: str, params: Row) -> Row:
        url = f"{settings.url}/v1/{path}"
        whole = f"{url}?{urlencode(params)}" if params else url
        headers = signed_headers(ours, int(time.time()), method, urlsplit(url).path) if api == ["private"] else None
        return {"url": whole, "method": method, "body": None, "headers": headers}

    return InternationalRest(settings.venue, bare_client(sign, settings, time, Pace(REQUESTS_PER_S)))


def signed_headers(ours: HmacPassphrase, unix_s: int, method: str, path: str) -> dict[str, str]:
    """The headers of a request without a body: the signature is over its time, method, and path without query."""
    text = f"{unix_s}{method}{path}".encode()
    return {
        "CB-ACCESS-KEY": ours.api_key,
        "CB-ACCESS-PASSPHRASE": ours.passphrase,
        "CB-ACCESS-TIMESTAMP": str(unix_s),
        "CB-ACCESS-SIGN": base64.b64encode(hmac_sha256(base64_secret(ours.secret), text)).decode(),
    }


class InternationalRest(CcxtRest[Api]):
    """Coinbase International's answers."""

    CODE = re.compile(r'"status"\s*:\s*(\d{3})\b')
    NOT_FOUND_CODE = NOT_FOUND

    def __init__(self, venue: str, api: Api) -> None:
        super().__init__(venue, api)
        self._portfolio = ""
        self._questions["ticker"] = self._ticker
        self._questions["positions"] = self._positions

    def _get(self, path: str, params: Row | None = None) -> Any:
        return self.api.request(path, ["private"], "GET", params or {})

    def _pages(self, path: str, by: Row) -> Iterator[Row]:
        """The rows of every page. Raises BadAnswer where they do not end."""
        for page in range(PAGES):
            rows = self._get(path, {**by, "result_limit": ROWS, "result_offset": page * ROWS})["results"]
            yield from rows
            if len(rows) < ROWS:
                return
        raise BadAnswer(f"more than {PAGES} pages of {path}")

    def _default_portfolio(self) -> str:
        """The portfolio of what names none, asked for once."""
        if not self._portfolio:
            found = [row for row in self._get("portfolios") if row.get("is_default") is True]
            if len(found) != 1:
                raise BadAnswer(f"{len(found)} portfolios are the default one")
            self._portfolio = name_field(found[0], "portfolio_uuid")
        return self._portfolio

    # ---- orders

    def _find(self, ask: Ask) -> RestOrder | str:
        try:
            return _rest_order(self._get(f"orders/{ask.order_id or ask.cl_ord_id}"))
        except BaseError as error:
            if self.error_code(error) != NOT_FOUND:
                raise
            return masked(error)

    def _open_orders(self, ask: Ask) -> Answer:
        by = {"portfolio": self._default_portfolio()} | ({"instrument": ask.symbol} if ask.symbol else {})
        return Answer(self._venue, ask, False, orders=tuple(map(_rest_order, self._pages("orders", by))))

    def _cancel_all(self, ask: Ask) -> Answer:
        of = {"portfolio": self._default_portfolio(), "instrument": ask.symbol}
        cancelled = self.api.request("orders", ["private"], "DELETE", of)
        return Answer(self._venue, ask, False, cancelled=len(cancelled))

    # ---- trades

    def _trades(self, ask: Ask) -> Answer:
        """At most TRADES_PAGE of them, the oldest first: who gets so many asks for those that follow."""
        venue_ns = self._clock_ns()
        by: Row = {"order_id": ask.order_id} if ask.order_id else {}
        if ask.since_ns and not ask.order_id:
            by["time_from"] = _iso(ask.since_ns)
        from_key = int(ask.from_trade_key) if ask.from_trade_key and not ask.order_id else 0
        rows: list[Row] = []
        for row in self._pages("portfolios/fills", by):
            # Newest first they come.
            if int(row["exec_id"]) < from_key:
                break
            rows += [row] if row["symbol"] == ask.symbol else []
        rows.sort(key=lambda row: int(row["exec_id"]))
        notes: list[str] = []
        trades = tuple(_trade(row, notes) for row in rows[:TRADES_PAGE])
        return self._told_trades(ask, trades, notes, venue_ns)

    # ---- the rest

    def _balances(self, ask: Ask) -> Answer:
        rows = self._get(f"portfolios/{self._default_portfolio()}/balances")
        balances = []
        for row in rows:
            whole, hold = decimal_field(row, "quantity"), decimal_field(row, "hold")
            balances.append((name_field(row, "asset_name"), whole - hold, hold))
        return Answer(self._venue, ask, False, balances=tuple(balances))

    def _positions(self, ask: Ask) -> Answer:
        rows = self._get(f"portfolios/{self._default_portfolio()}/positions")
        held = tuple((name_field(row, "symbol"), decimal_field(row, "net_size")) for row in rows)
        return Answer(self._venue, ask, False, positions=held)

    def _clock_ns(self) -> int:
        self._get("portfolios")
        return ms_to_ns(int(parsedate_to_datetime(self.api.last_response_headers["Date"]).timestamp()) * 1000)

    def _ticker(self, ask: Ask) -> Answer:
        row = self.api.request(f"instruments/{ask.symbol}/quote", ["public"], "GET", {})
        told = read_ticker(ask.symbol, dict.fromkeys(_QUOTE) | row, _QUOTE)
        return Answer(self._venue, ask, False, tickers=(told,))


def _iso(stamp_ns: int) -> str:
    """An instant as the filters want it, not later."""
    seconds, left_ns = divmod(stamp_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{left_ns // 1_000_000:03d}Z"


def _stamp_ns(row: Mapping[str, Any], field: str) -> int:
    """A time as the venue writes it, in Unix nanoseconds."""
    return ms_to_ns(round(datetime.fromisoformat(str(row[field])).timestamp() * 1000))


def _rest_order(row: Row) -> RestOrder:
    """An order: `order_status` says whether it is over, and `event_type` how it ended."""
    status, event = str(row["order_status"]), str(row["event_type"])
    qty, cum_qty = decimal_field(row, "size"), decimal_field(row, "exec_qty")
    if status == "WORKING":
        ord_status = "1" if cum_qty else "0"
    elif status == "DONE" and event in DONE and (event != "TRADE" or cum_qty == qty):
        ord_status = DONE[event]
    else:
        raise BadAnswer(f"order_status and event_type are {json.dumps([status[:40], event[:40]])}")
    return RestOrder(
        symbol=name_field(row, "symbol"),
        order_id=name_field(row, "order_id"),
        cl_ord_id=cut(str(row.get("client_order_id") or "")),
        side=_SIDES.get(row.get("side"), ""),
        ord_status=ord_status,
        order_qty=qty,
        price=decimal_field(row, "price") if row.get("price") else None,
        cum_qty=cum_qty,
        transact_ns=_stamp_ns(row, "event_time"),
    )


_SECONDARY: dict[str, Callable[[Mapping[str, Any], str], Any]] = {
    "fill_price": decimal_field, "fee": decimal_field, "event_time": _stamp_ns,
}  # fmt: skip


def _trade(row: Row, notes: list[str]) -> Trade:
    """One fill. Execution, order and quantity are what it is counted by; what of the rest cannot be read is noted. No
    field says who made the price."""
    key = name_field(row, "exec_id")
    secondary = secondary_fields(row, _SECONDARY, f"trade {key}", notes)
    return Trade(
        symbol=name_field(row, "symbol"),
        trade_key=key,
        order_id=name_field(row, "order_id"),
        side=_SIDES.get(row.get("side"), ""),
        last_qty=decimal_field(row, "fill_qty"),
        last_px=Decimal(secondary["fill_price"]),
        fee_qty=Decimal(secondary["fee"]),
        fee_asset=cut(str(row.get("fee_asset") or "")) if secondary["fee"] else "",
        transact_ns=secondary["event_time"],
    )

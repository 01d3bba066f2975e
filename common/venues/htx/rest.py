"""The venue's REST side through CCXT: one `Ask` in, one `Answer` out.

Source: HTX's pages on its Spot REST, as of 2025, for the endpoints; ccxt 4.5 for how they are called. They are called
as they are (CCXT's implicit methods), since its unified ones turn money into floats. CCXT signs with HMAC alone:
here a request is signed with the Ed25519 key of FIX, as the same pages say.

Only `base-record-invalid` and `order-id-not-exist` mean that there is no such order. It is believed only when it was
said twice, the second time with the venue's clock read in between, so that `venue_ns` is never later than the answer.
"""

import json
import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Protocol
from urllib.parse import quote, urlencode, urlsplit

from msgspec import structs

from common.messages import Answer, Ask, RestOrder, Trade, cut
from common.orders.books import TRADES_PAGE
from common.venues.ccxt_parts import CcxtRest, ccxt_client, ccxt_errors
from common.venues.credentials import Ed25519Account
from common.venues.rest import (
    NS_PER_MS,
    BadAnswer,
    RestSettings,
    decimal_field,
    ms_to_ns,
    name_field,
    secondary_fields,
    spans,
)
from common.venues.signers import BadKey, ed25519_key, ed25519_signature

BaseError: type[Exception] = ccxt_errors().BaseError

NO_SUCH_ORDER = ("base-record-invalid", "order-id-not-exist")
PAGE = 500
MAX_PAGES = 200
SPAN_MS = 2 * 86_400_000
"""Trades are told of two days at most."""

ORD_STATUS = {
    "created": "A", "submitted": "0", "partial-filled": "1", "filled": "2", "partial-canceled": "4", "canceled": "4",
}  # fmt: skip
"""HTX's order state as OrdStatus(39)."""

_SIDES = {"buy": "1", "sell": "2"}
Row = dict[str, Any]


class Api(Protocol):
    """The endpoints that are used, under CCXT's names for them."""

    def spotPublicGetV1CommonTimestamp(self, params: Row = ...) -> Row: ...  # noqa: N802
    def spotPrivateGetV1OrderOrdersOrderId(self, params: Row = ...) -> Row: ...  # noqa: N802
    def spotPrivateGetV1OrderOrdersGetClientOrder(self, params: Row = ...) -> Row: ...  # noqa: N802
    def spotPrivateGetV1OrderOpenOrders(self, params: Row = ...) -> Row: ...  # noqa: N802
    def spotPrivateGetV1OrderMatchresults(self, params: Row = ...) -> Row: ...  # noqa: N802
    def spotPrivateGetV1AccountAccountsAccountIdBalance(self, params: Row = ...) -> Row: ...  # noqa: N802
    def spotPrivatePostV1OrderOrdersBatchCancelOpenOrders(self, params: Row = ...) -> Row: ...  # noqa: N802


def open_rest(settings: RestSettings) -> "HtxRest":
    """The REST side that speaks to `settings.url` alone. Raises ValueError where the credentials are of no use."""
    ours = settings.credentials
    if not isinstance(ours, Ed25519Account):
        raise ValueError("HTX's requests are signed with an Ed25519 key: set the venue's [credentials]")
    try:
        ed25519_key(ours.private_key_pem)
    except BadKey as error:
        raise ValueError(str(error)) from None
    api = ccxt_client("htx", settings, {"apiKey": ours.api_key}, time)
    api.sign = _Signer(settings.url, ours)
    return HtxRest(settings.venue, api, ours.account)


class _Signer:
    """Writes a request as CCXT wants it: its URL, method, body and headers."""

    def __init__(self, url: str, credentials: Ed25519Account) -> None:
        self._url = url
        self._credentials = credentials

    def __call__(self, path: str, api: list[str], method: str = "GET", params: Row | None = None) -> Row:
        left = dict(params or {})
        for name in [name for name in left if f"{{{name}}}" in path]:
            path = path.replace(f"{{{name}}}", quote(str(left.pop(name)), safe=""))
        whole = f"{self._url}/{path}"
        if api[-1] == "public":
            url = f"{whole}?{urlencode(left)}" if left else whole
            return {"url": url, "method": method, "body": None, "headers": None}
        at, ours = urlsplit(whole), self._credentials
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
        query: Row = {"AccessKeyId": ours.api_key, "SignatureMethod": "Ed25519", "SignatureVersion": "2"}
        query |= {"Timestamp": stamp} if method == "POST" else {"Timestamp": stamp, **left}
        text = urlencode(sorted(query.items()), quote_via=quote)
        signed = f"{method}\n{at.netloc.lower()}\n{at.path}\n{text}"
        signature = ed25519_signature(ours.private_key_pem, signed.encode()).decode()
        url = f"{whole}?{text}&{urlencode({'Signature': signature})}"
        body = json.dumps(left) if method == "POST" else None
        return {"url": url, "method": method, "body": body, "headers": {"Content-Type": "application/json"}}


class HtxRest(CcxtRest[Api]):
    """HTX's answers."""

    def __init__(self, venue: str, api: Api, account: str) -> None:
        """`api` as CCXT has it; `account` is what the venue calls the account."""
        super().__init__(venue, api)
        self._account = account

    def ask(self, ask: Ask, *, unlisted: bool = False) -> Answer:
        """See `CcxtRest`; the text of a failure has the paths of requests, and they the account."""
        answer = super().ask(ask, unlisted=unlisted)
        return structs.replace(answer, text=answer.text.replace(self._account, "..."))

    # ---- orders

    def _find(self, ask: Ask) -> RestOrder | str:
        try:
            if ask.order_id:
                told = self.api.spotPrivateGetV1OrderOrdersOrderId({"order-id": ask.order_id})
            else:
                told = self.api.spotPrivateGetV1OrderOrdersGetClientOrder({"clientOrderId": ask.cl_ord_id})
        except BaseError as error:
            if not any(text in str(error) for text in NO_SUCH_ORDER):
                raise
            return f"no order of {ask.order_id or ask.cl_ord_id}"
        return _rest_order(told["data"])

    def _open_orders(self, ask: Ask) -> Answer:
        """All of them: a page that is full is followed by another, from its last order on."""
        by: Row = {"account-id": self._account, "size": PAGE} | ({"symbol": ask.symbol.lower()} if ask.symbol else {})
        found: dict[str, RestOrder] = {}
        for _ in range(MAX_PAGES):
            rows = self.api.spotPrivateGetV1OrderOpenOrders(by)["data"]
            found |= {order.order_id: order for order in map(_rest_order, rows)}
            if len(rows) < PAGE:
                return Answer(self._venue, ask, False, orders=tuple(found.values()))
            by = {**by, "from": rows[-1]["id"], "direct": "next"}
        raise BadAnswer(f"more than {MAX_PAGES} pages of open orders")

    def _cancel_all(self, ask: Ask) -> Answer:
        """At most a hundred at a time."""
        cancelled = 0
        for _ in range(MAX_PAGES):
            by = {"account-id": self._account, "symbol": ask.symbol.lower()}
            told = self.api.spotPrivatePostV1OrderOrdersBatchCancelOpenOrders(by)["data"]
            cancelled += int(told["success-count"])
            if not int(told["success-count"]):
                break
        return Answer(self._venue, ask, False, cancelled=cancelled)

    # ---- trades

    def _trades(self, ask: Ask) -> Answer:
        """At most TRADES_PAGE of them, the oldest first: who gets so many asks for those that follow."""
        venue_ns, notes = self._clock_ns(), list[str]()
        rows, first = self._matched(ask, venue_ns // NS_PER_MS), int(ask.from_trade_key) if ask.from_trade_key else 0
        rows = [r for r in rows if int(r["trade-id"]) >= first and ask.order_id in ("", str(r["order-id"]))]
        wanted = sorted(rows, key=lambda r: int(r["trade-id"]))
        trades = tuple(_trade(row, notes) for row in wanted[:TRADES_PAGE])
        return self._told_trades(ask, trades, notes, venue_ns)

    def _matched(self, ask: Ask, now_ms: int) -> list[Row]:
        """Forwards by two days, from the time that is asked for or the order was made at; else of the last ones."""
        start_ms = ask.since_ns // NS_PER_MS if ask.since_ns else now_ms + 1 - SPAN_MS
        if ask.order_id and not ask.since_ns:
            order = self.api.spotPrivateGetV1OrderOrdersOrderId({"order-id": ask.order_id})["data"]
            start_ms = int(order["created-at"])
        rows: list[Row] = []
        for begin_ms, end_ms in spans(start_ms, now_ms, SPAN_MS):
            rows += self._span(ask.symbol, begin_ms, end_ms)
            if len(rows) >= TRADES_PAGE:
                break
        return rows

    def _span(self, symbol: str, start_ms: int, end_ms: int) -> list[Row]:
        """The newest come first; a page that is full is followed by another, from its last row on. Raises BadAnswer
        where they do not end."""
        by: Row = {"symbol": symbol.lower(), "start-time": start_ms, "end-time": end_ms - 1, "size": PAGE}
        found: dict[str, Row] = {}
        for _ in range(MAX_PAGES):
            rows = self.api.spotPrivateGetV1OrderMatchresults(by)["data"]
            found |= {name_field(row, "id"): row for row in rows}
            if len(rows) < PAGE:
                return list(found.values())
            by = {**by, "from": rows[-1]["id"], "direct": "next"}
        raise BadAnswer(f"more than {MAX_PAGES} pages of trades of {symbol}")

    # ---- the rest

    def _balances(self, ask: Ask) -> Answer:
        told = self.api.spotPrivateGetV1AccountAccountsAccountIdBalance({"account-id": self._account})["data"]["list"]
        found: dict[str, dict[str, Decimal]] = {}
        for row in told:
            if row["type"] in ("trade", "frozen"):
                found.setdefault(name_field(row, "currency").upper(), {})[row["type"]] = decimal_field(row, "balance")
        zero = Decimal(0)
        balances = tuple((asset, its.get("trade", zero), its.get("frozen", zero)) for asset, its in found.items())
        return Answer(self._venue, ask, False, balances=balances)

    def _clock_ns(self) -> int:
        return ms_to_ns(self.api.spotPublicGetV1CommonTimestamp()["data"])


def _rest_order(row: Row) -> RestOrder:
    """An order; what is filled of one is called otherwise in the list of those that are open."""
    state = str(row["state"])
    if state not in ORD_STATUS:
        raise BadAnswer(f"state is {json.dumps(state[:40])}")
    price = decimal_field({"price": "0", **row}, "price")
    filled = "filled-amount" if "filled-amount" in row else "field-amount"
    return RestOrder(
        symbol=name_field(row, "symbol").upper(),
        order_id=name_field(row, "id"),
        cl_ord_id=cut(str(row.get("client-order-id") or "")),
        side=_SIDES.get(str(row["type"]).partition("-")[0], ""),
        ord_status=ORD_STATUS[state],
        order_qty=decimal_field(row, "amount"),
        price=price if price else None,
        cum_qty=decimal_field(row, filled),
        transact_ns=ms_to_ns(row.get("finished-at") or row.get("created-at") or 0),
    )


_SECONDARY: dict[str, Callable[[Mapping[str, Any], str], Any]] = {
    "price": decimal_field, "filled-fees": decimal_field, "created-at": lambda row, field: ms_to_ns(row[field]),
}  # fmt: skip


def _trade(row: Row, notes: list[str]) -> Trade:
    """One fill. Trade, order and quantity are what it is counted by; what of the rest cannot be read is noted."""
    key = name_field(row, "trade-id")
    secondary = secondary_fields(row, _SECONDARY, f"trade {key}", notes)
    return Trade(
        symbol=name_field(row, "symbol").upper(),
        trade_key=key,
        order_id=name_field(row, "order-id"),
        side=_SIDES.get(str(row["type"]).partition("-")[0], ""),
        last_qty=decimal_field(row, "filled-amount"),
        last_px=Decimal(secondary["price"]),
        fee_qty=Decimal(secondary["filled-fees"]),
        fee_asset=cut(str(row.get("fee-currency") or "").upper()),
        transact_ns=secondary["created-at"],
        maker=row.get("role") == "maker",
    )

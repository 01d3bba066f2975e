"""The venue's REST side through CCXT: one `Ask` in, one `Answer` out.

Source: the REST pages of docs.cdp.coinbase.com for the endpoints, ccxt 4.5 for how they are called and signed. The
endpoints are called as they are (CCXT's implicit methods), since its unified ones turn money into floats and leave out
what identifies a trade.

"NotFound" to a question for one order means that there is none, or that it was cancelled and had no match: the page on
orders says so. So it is believed only when it was said twice, the second time with the venue's clock read in between;
and of an order that the venue has given an id it says that it was cancelled.
"""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Protocol

from common.messages import Answer, Ask, RestOrder, Trade, cut
from common.orders.books import TRADES_PAGE
from common.venues.ccxt_parts import MS_PER_S, CcxtRest, ccxt_client, ccxt_errors
from common.venues.credentials import HmacPassphrase
from common.venues.rest import (
    OF_ANOTHER_FORM,
    BadAnswer,
    RestSettings,
    decimal_field,
    masked,
    ms_to_ns,
    name_field,
)
from common.venues.signers import BadKey, base64_secret

BaseError: type[Exception] = ccxt_errors().BaseError

NOT_FOUND = "NotFound"
CANCELED = "4"
ROWS = 1000
"""Of one page at most."""

PAGES = 20
"""So many pages of trades are read back at most for one question."""

ORD_STATUS = {"pending": "A", "received": "A", "open": "0", "active": "0", "canceling": "0"}
DONE = {"filled": "2", "canceled": "4", "rejected": "8"}
"""The venue's order status as OrdStatus(39), and that of an order that is done by its reason."""


class Api(Protocol):
    """The endpoints that are used, under CCXT's names for them."""

    def publicGetTime(self, params: dict[str, object] = ...) -> dict[str, Any]: ...  # noqa: N802
    def privateGetOrdersId(self, params: dict[str, object] = ...) -> dict[str, Any]: ...  # noqa: N802
    def privateGetOrdersClientClientOid(self, params: dict[str, object] = ...) -> dict[str, Any]: ...  # noqa: N802
    def privateGetOrders(self, params: dict[str, object] = ...) -> list[dict[str, Any]]: ...  # noqa: N802
    def privateGetFills(self, params: dict[str, object] = ...) -> list[dict[str, Any]]: ...  # noqa: N802
    def privateGetAccounts(self, params: dict[str, object] = ...) -> list[dict[str, Any]]: ...  # noqa: N802
    def privateDeleteOrders(self, params: dict[str, object] = ...) -> list[str]: ...  # noqa: N802


def open_rest(settings: RestSettings) -> "CoinbaseRest":
    """The REST side that speaks to `settings.url` alone. Raises ValueError where the credentials are of no use."""
    if not isinstance(settings.credentials, HmacPassphrase):
        raise ValueError("requests are signed with an API key's secret and passphrase: set the venue's [credentials]")
    try:
        base64_secret(settings.credentials.secret)
    except BadKey as error:
        raise ValueError(str(error)) from None
    options = {
        "apiKey": settings.credentials.api_key,
        "secret": settings.credentials.secret.decode("ascii"),
        "password": settings.credentials.passphrase,
    }
    return CoinbaseRest(settings.venue, ccxt_client("coinbaseexchange", settings, options, time))


class CoinbaseRest(CcxtRest[Api]):
    """Coinbase's answers."""

    def _find(self, ask: Ask) -> RestOrder | str:
        try:
            if ask.order_id:
                return _rest_order(self.api.privateGetOrdersId({"id": ask.order_id}))
            return _rest_order(self.api.privateGetOrdersClientClientOid({"client_oid": ask.cl_ord_id}))
        except BaseError as error:
            if not _is_not_found(error):
                raise
            return masked(error)

    def _absent(self, ask: Ask, text: str, venue_ns: int) -> Answer:
        """Twice not found. An order with an id of the venue's did exist: it was cancelled, and had no match."""
        if not ask.order_id:
            return super()._absent(ask, text, venue_ns)
        if self._fills({"order_id": ask.order_id}):
            raise BadAnswer("an order with fills is not found")
        nothing = Decimal(0)
        order = RestOrder(ask.symbol, ask.order_id, ask.cl_ord_id, "", CANCELED, nothing, None, nothing, venue_ns)
        return Answer(self._venue, ask, False, 0, text, order=order, venue_ns=venue_ns)

    def _open_orders(self, ask: Ask) -> Answer:
        by: dict[str, object] = {"status": "open", "limit": ROWS}
        if ask.symbol:
            by["product_id"] = ask.symbol
        rows = self.api.privateGetOrders(by)
        return Answer(self._venue, ask, False, orders=tuple(_rest_order(row) for row in rows))

    def _trades(self, ask: Ask) -> Answer:
        by: dict[str, object] = {"product_id": ask.symbol}
        if ask.order_id:
            by = {"order_id": ask.order_id}
        elif ask.since_ns:
            by["start_date"] = _iso(ask.since_ns)
        venue_ns = self._clock_ns()
        from_key = int(ask.from_trade_key) if ask.from_trade_key and not ask.order_id else 0
        rows = self._fills(by, from_key)
        notes: list[str] = []
        # Newest first they come: the oldest of those that were asked for is where the next question goes on.
        trades = tuple(_trade(row, notes) for row in reversed(rows))[:TRADES_PAGE]
        return self._told_trades(ask, trades, notes, venue_ns)

    def _fills(self, by: dict[str, object], from_key: int = 0) -> list[dict[str, Any]]:
        """The fills from the trade `from_key` on, newest first. Raises BadAnswer where they are more than PAGES."""
        found: list[dict[str, Any]] = []
        page: dict[str, object] = {**by, "limit": ROWS}
        for _ in range(PAGES):
            rows = self.api.privateGetFills(page)
            found += [row for row in rows if int(row["trade_id"]) >= from_key]
            if len(rows) < ROWS or int(rows[-1]["trade_id"]) <= from_key:
                return found
            page["after"] = name_field(rows[-1], "trade_id")
        raise BadAnswer(f"more than {PAGES} pages of fills")

    def _balances(self, ask: Ask) -> Answer:
        balances = tuple(
            (cut(str(row["currency"])), decimal_field(row, "available"), decimal_field(row, "hold"))
            for row in self.api.privateGetAccounts()
        )
        return Answer(self._venue, ask, False, balances=balances)

    def _cancel_all(self, ask: Ask) -> Answer:
        cancelled = self.api.privateDeleteOrders({"product_id": ask.symbol})
        return Answer(self._venue, ask, False, cancelled=len(cancelled))

    def _clock_ns(self) -> int:
        return ms_to_ns(int(Decimal(str(self.api.publicGetTime()["epoch"])) * MS_PER_S))


def _is_not_found(error: BaseException) -> bool:
    """Whether the venue's own message says so: CCXT's classes are not to be decided by."""
    return str(error).endswith(NOT_FOUND)


def _iso(stamp_ns: int) -> str:
    return datetime.fromtimestamp(stamp_ns // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _stamp_ns(row: dict[str, Any], field: str) -> int:
    """A time as the venue writes it, in Unix nanoseconds."""
    when = datetime.fromisoformat(str(row[field]))
    return ms_to_ns(int(when.replace(tzinfo=when.tzinfo or UTC).timestamp() * MS_PER_S))


_SIDES = {"buy": "1", "sell": "2"}


def _rest_order(row: dict[str, Any]) -> RestOrder:
    status, reason = str(row["status"]), str(row.get("done_reason", ""))
    ord_status = DONE.get(reason, "") if status == "done" else ORD_STATUS.get(status, "")
    if not ord_status:
        raise BadAnswer(f"status is {json.dumps([status, reason])}")
    return RestOrder(
        symbol=name_field(row, "product_id"),
        order_id=name_field(row, "id"),
        cl_ord_id=cut(str(row.get("client_oid") or "")),
        side=_SIDES.get(str(row["side"]), ""),
        ord_status=ord_status,
        order_qty=decimal_field(row, "size") if row.get("size") else decimal_field(row, "filled_size"),
        price=decimal_field(row, "price") if row.get("price") else None,
        cum_qty=decimal_field(row, "filled_size"),
        transact_ns=_stamp_ns(row, "done_at" if row.get("done_at") else "created_at"),
    )


def _trade(row: dict[str, Any], notes: list[str]) -> Trade:
    """One fill. Trade, order and quantity are what it is counted by; what of the rest cannot be read is noted. Fees are
    in the quote currency, and no field says so."""
    key, symbol = name_field(row, "trade_id"), name_field(row, "product_id")
    readers: dict[str, Callable[[dict[str, Any], str], Any]] = {
        "price": decimal_field, "fee": decimal_field, "created_at": _stamp_ns,
    }  # fmt: skip
    read: dict[str, Any] = {}
    for field, reader in readers.items():
        try:
            read[field] = reader(row, field)
        except OF_ANOTHER_FORM:
            notes.append(f"{field} of trade {key}")
            read[field] = 0
    return Trade(
        symbol=cut(symbol),
        trade_key=key,
        order_id=name_field(row, "order_id"),
        side=_SIDES.get(str(row.get("side")), ""),
        last_qty=decimal_field(row, "size"),
        last_px=Decimal(read["price"]),
        fee_qty=Decimal(read["fee"]),
        fee_asset=symbol.partition("-")[2] if read["fee"] else "",
        transact_ns=read["created_at"],
        maker=row.get("liquidity") == "M",
    )

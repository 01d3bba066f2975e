"""The venue's REST side through CCXT: one `Ask` in, one `Answer` out.

Source: docs.deribit.com for the methods of its JSON-RPC over HTTP, ccxt 4.5 for how they are called and signed. They
are called as they are (CCXT's implicit methods), since its unified ones turn money into floats and leave out what
identifies a trade. Our ClOrdID(11) is an order's label there.

Only error 10004, or no order of a label, means that there is no such order. It is believed only when it was said twice,
the second time with the venue's clock read in between, so that `venue_ns` is never later than the answer.
"""

import json
import re
import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Protocol

from common.messages import Answer, Ask, RestOrder, Trade, cut
from common.orders.books import TRADES_PAGE
from common.venues.ccxt_parts import MS_PER_S, CcxtRest, ccxt_client, ccxt_errors
from common.venues.credentials import HmacSecret
from common.venues.rest import (
    AHEAD_MS,
    NS_PER_MS,
    BadAnswer,
    RestSettings,
    decimal_field,
    ms_to_ns,
    name_field,
    secondary_fields,
)

BaseError: type[Exception] = ccxt_errors().BaseError

SURELY_RECENT_NS = 12 * 3600 * MS_PER_S * NS_PER_MS
"""Trades are recent for a day; later they are told to those alone who ask for what is historical."""

ORD_STATUS = {"open": "0", "untriggered": "0", "filled": "2", "cancelled": "4", "rejected": "8"}
"""Deribit's order state as OrdStatus(39)."""

_SIDES = {"buy": "1", "sell": "2"}
_SIGNS = {"buy": 1, "sell": -1, "zero": 0}
Result = Any


class Api(Protocol):
    """The methods that are used, under CCXT's names for them."""

    def publicGetGetTime(self, params: dict[str, object] = ...) -> dict[str, Any]: ...  # noqa: N802
    def publicGetGetInstrument(self, params: dict[str, object] = ...) -> dict[str, Any]: ...  # noqa: N802
    def privateGetGetOrderState(self, params: dict[str, object] = ...) -> dict[str, Any]: ...  # noqa: N802
    def privateGetGetOrderStateByLabel(self, params: dict[str, object] = ...) -> dict[str, Any]: ...  # noqa: N802
    def privateGetGetOpenOrders(self, params: dict[str, object] = ...) -> dict[str, Any]: ...  # noqa: N802
    def privateGetGetOpenOrdersByInstrument(self, params: dict[str, object] = ...) -> dict[str, Any]: ...  # noqa: N802
    def privateGetGetUserTradesByInstrument(self, params: dict[str, object] = ...) -> dict[str, Any]: ...  # noqa: N802
    def privateGetGetUserTradesByInstrumentAndTime(  # noqa: N802
        self, params: dict[str, object] = ...
    ) -> dict[str, Any]: ...
    def privateGetGetUserTradesByOrder(self, params: dict[str, object] = ...) -> dict[str, Any]: ...  # noqa: N802
    def privateGetGetAccountSummaries(self, params: dict[str, object] = ...) -> dict[str, Any]: ...  # noqa: N802
    def privateGetGetPositions(self, params: dict[str, object] = ...) -> dict[str, Any]: ...  # noqa: N802
    def privateGetCancelAllByInstrument(self, params: dict[str, object] = ...) -> dict[str, Any]: ...  # noqa: N802


def open_rest(settings: RestSettings) -> "DeribitRest":
    """The REST side that speaks to `settings.url` alone. Raises ValueError where the credentials are of no use."""
    if not isinstance(settings.credentials, HmacSecret):
        raise ValueError("Deribit's requests are signed with a client id's secret: set the venue's [credentials]")
    options = {
        "apiKey": settings.credentials.api_key,
        "secret": settings.credentials.secret.decode("ascii"),
    }
    return DeribitRest(settings.venue, ccxt_client("deribit", settings, options, time))


class DeribitRest(CcxtRest[Api]):
    """Deribit's answers."""

    CODE = re.compile(r'"code"\s*:\s*(-?\d{1,9})(?!\d)')
    NOT_FOUND_CODE = 10004

    def __init__(self, venue: str, api: Api) -> None:
        """`api` as CCXT has it."""
        super().__init__(venue, api)
        self._questions["positions"] = self._positions
        self._multipliers: dict[str, Decimal] = {}

    def _find(self, ask: Ask) -> RestOrder | str:
        row = self._row(ask)
        if row is None:
            return f"no order of {'id' if ask.order_id else 'label'} {ask.order_id or ask.cl_ord_id}"
        return self._rest_order(row)

    def _row(self, ask: Ask) -> dict[str, Any] | None:
        if not ask.order_id:
            by: dict[str, object] = {"currency": currency_of(ask.symbol), "label": ask.cl_ord_id}
            rows: list[dict[str, Any]] = self.api.privateGetGetOrderStateByLabel(by)["result"]
            return next((row for row in rows if row["instrument_name"] == ask.symbol), None)
        try:
            found: dict[str, Any] = self.api.privateGetGetOrderState({"order_id": ask.order_id})["result"]
        except BaseError as error:
            if self.error_code(error) != self.NOT_FOUND_CODE:
                raise
            return None
        return found

    def _open_orders(self, ask: Ask) -> Answer:
        if ask.symbol:
            told = self.api.privateGetGetOpenOrdersByInstrument({"instrument_name": ask.symbol})
        else:
            told = self.api.privateGetGetOpenOrders()
        return Answer(self._venue, ask, False, orders=tuple(self._rest_order(row) for row in told["result"]))

    def _trades(self, ask: Ask) -> Answer:
        venue_ns = self._clock_ns()
        notes: list[str] = []
        trades = tuple(self._trade(row, notes) for row in self._trade_rows(ask, venue_ns))
        return self._told_trades(ask, trades, notes, venue_ns)

    def _trade_rows(self, ask: Ask, venue_ns: int) -> list[dict[str, Any]]:
        """The oldest first. What is no longer recent is kept elsewhere, and asked for last: it may go there between."""
        rows = self._rows_kept(ask, venue_ns, {})
        if ask.order_id or ask.from_trade_key or not ask.since_ns or venue_ns - ask.since_ns > SURELY_RECENT_NS:
            rows += self._rows_kept(ask, venue_ns, {"historical": "true"})
        once = {(int(row["trade_seq"]), str(row["order_id"])): row for row in rows}
        return [once[key] for key in sorted(once)][:TRADES_PAGE]

    def _rows_kept(self, ask: Ask, venue_ns: int, where: dict[str, object]) -> list[dict[str, Any]]:
        """Trades of one of the two places where they are kept."""
        if ask.order_id:
            by: dict[str, object] = {"order_id": ask.order_id, "sorting": "asc", **where}
            told = self.api.privateGetGetUserTradesByOrder(by)["result"]
            return list(told["trades"] if isinstance(told, dict) else told)
        by = {"instrument_name": ask.symbol, "count": TRADES_PAGE, "sorting": "asc", **where}
        if ask.since_ns and not ask.from_trade_key:
            by |= {"start_timestamp": ask.since_ns // NS_PER_MS, "end_timestamp": venue_ns // NS_PER_MS + AHEAD_MS}
            return list(self.api.privateGetGetUserTradesByInstrumentAndTime(by)["result"]["trades"])
        if ask.from_trade_key:
            by["start_seq"] = ask.from_trade_key
        return list(self.api.privateGetGetUserTradesByInstrument(by)["result"]["trades"])

    def _balances(self, ask: Ask) -> Answer:
        rows = self.api.privateGetGetAccountSummaries()["result"]["summaries"]
        balances = tuple((cut(str(row["currency"])), decimal_field(row, "balance"), Decimal(0)) for row in rows)
        return Answer(self._venue, ask, False, balances=balances)

    def _positions(self, ask: Ask) -> Answer:
        """`size` is an amount, and `direction` says on which side."""
        rows = self.api.privateGetGetPositions({"currency": "any"})["result"]
        held = tuple(
            (name_field(row, "instrument_name"), abs(self._contracts(row, "size")) * _SIGNS[str(row["direction"])])
            for row in rows
        )
        return Answer(self._venue, ask, False, positions=held)

    def _cancel_all(self, ask: Ask) -> Answer:
        cancelled = self.api.privateGetCancelAllByInstrument({"instrument_name": ask.symbol})["result"]
        return Answer(self._venue, ask, False, cancelled=int(cancelled))

    def _clock_ns(self) -> int:
        return ms_to_ns(self.api.publicGetGetTime()["result"])

    def _contracts(self, row: dict[str, Any], amount: str) -> Decimal:
        """An amount in contracts: the venue tells it in units of the underlying, or of the quote currency."""
        return decimal_field(row, amount) / self._multiplier(name_field(row, "instrument_name"))

    def _multiplier(self, symbol: str) -> Decimal:
        found = self._multipliers.get(symbol)
        if found is None:
            told = self.api.publicGetGetInstrument({"instrument_name": symbol})["result"]
            found = decimal_field(told, "contract_size")
            if found <= 0:
                raise BadAnswer(f"contract_size is {found}")
            self._multipliers[symbol] = found
        return found

    def _rest_order(self, row: dict[str, Any]) -> RestOrder:
        status, filled = str(row["order_state"]), self._contracts(row, "filled_amount")
        if status not in ORD_STATUS:
            raise BadAnswer(f"order_state is {json.dumps(status)}")
        ord_status = "1" if status == "open" and filled else ORD_STATUS[status]
        is_priced = row.get("price") not in (None, "", "market_price")
        return RestOrder(
            symbol=name_field(row, "instrument_name"),
            order_id=name_field(row, "order_id"),
            cl_ord_id=cut(str(row.get("label") or "")),
            side=_SIDES.get(str(row["direction"]), ""),
            ord_status=ord_status,
            order_qty=self._contracts(row, "amount"),
            price=decimal_field(row, "price") if is_priced else None,
            cum_qty=filled,
            transact_ns=ms_to_ns(row.get("last_update_timestamp") or 0),
        )

    def _trade(self, row: dict[str, Any], notes: list[str]) -> Trade:
        """One fill. Trade, order and quantity are what it is counted by; what of the rest cannot be read is noted."""
        key = name_field(row, "trade_seq")
        readers: dict[str, Callable[[Mapping[str, Any], str], Any]] = {
            "price": decimal_field, "fee": decimal_field, "timestamp": lambda row, field: ms_to_ns(row[field]),
        }  # fmt: skip
        read = secondary_fields(row, readers, f"trade {key}", notes)
        asset = cut(str(row.get("fee_currency") or ""))
        return Trade(
            symbol=name_field(row, "instrument_name"),
            trade_key=key,
            order_id=name_field(row, "order_id"),
            side=_SIDES.get(str(row.get("direction")), ""),
            last_qty=self._contracts(row, "amount"),
            last_px=Decimal(read["price"]),
            fee_qty=Decimal(read["fee"]) if asset else Decimal(0),
            # With a fee of 0, too: that there is none is told. Of one that cannot be read nothing is.
            fee_asset=asset if isinstance(read["fee"], Decimal) else "",
            transact_ns=read["timestamp"],
            maker=row.get("liquidity") == "M",
        )


def currency_of(symbol: str) -> str:
    """The currency that an instrument's orders are kept under: what it is settled in, by its name."""
    return symbol.partition("-")[0].rpartition("_")[2]

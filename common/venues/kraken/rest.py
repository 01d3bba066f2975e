"""The venue's REST side through CCXT: one `Ask` in, one `Answer` out.

Source: docs.kraken.com, Spot REST, as of May 2026, for the endpoints; ccxt 4.5 for how they are called and signed. The
endpoints are called as they are (CCXT's implicit methods), since its unified ones turn money into floats and leave out
what identifies a trade. A trade is known by `trade_id`, which counts within its pair, as TradeID(1003) over FIX.

A question for one order by its name looks among the open ones, then among the closed. That there is none is believed
only when it was said twice, the second time with the venue's clock read in between, so that `venue_ns` is never later
than the answer. Of many orders the lists of all open and of the last closed ones are asked for first: what they are
without is asked for by its name, that second time.
"""

import time
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Protocol

from common.messages import Answer, Ask, RestOrder, Trade, cut
from common.venues.ccxt_parts import MS_PER_S, CcxtRest, ccxt_client, ccxt_errors, growing_nonce
from common.venues.credentials import HmacSecret
from common.venues.kraken.venue import CALLS_AT_ONCE, CALLS_PER_S
from common.venues.nonces import GrowingNonce
from common.venues.pace import Pace
from common.venues.rest import (
    NS_PER_MS,
    OF_ANOTHER_FORM,
    BadAnswer,
    RestSettings,
    decimal_field,
    ms_to_ns,
    name_field,
)

BaseError: type[Exception] = ccxt_errors().BaseError

UNKNOWN_ORDER = ("EOrder:Unknown order", "EOrder:Invalid order", "EQuery:Unknown order")
CCXT_COST = 3.0
"""What CCXT counts for a call that costs 1."""

TRADES_LIMIT = 1000
MOST_PAGES = 200
ORD_STATUS = {"pending": "A", "open": "0", "closed": "2", "canceled": "4", "expired": "C"}
"""Kraken's order status as OrdStatus(39); an open order that is filled in part is that."""

_TRIGGERED_TYPES = frozenset({"stop-loss", "stop-loss-limit", "take-profit", "take-profit-limit"})
_SIDES = {"buy": "1", "sell": "2"}
_NAMES = {"XBT": "BTC", "XDG": "DOGE"}
"""Assets that REST and FIX do not call the same."""


class Api(Protocol):
    """The endpoints that are used, under CCXT's names for them."""

    def publicGetTime(self, params: dict[str, object] = ...) -> dict[str, Any]: ...  # noqa: N802
    def publicGetAssetPairs(self, params: dict[str, object] = ...) -> dict[str, Any]: ...  # noqa: N802
    def privatePostOpenOrders(self, params: dict[str, object] = ...) -> dict[str, Any]: ...  # noqa: N802
    def privatePostClosedOrders(self, params: dict[str, object] = ...) -> dict[str, Any]: ...  # noqa: N802
    def privatePostQueryOrders(self, params: dict[str, object] = ...) -> dict[str, Any]: ...  # noqa: N802
    def privatePostTradesHistory(self, params: dict[str, object] = ...) -> dict[str, Any]: ...  # noqa: N802
    def privatePostBalanceEx(self, params: dict[str, object] = ...) -> dict[str, Any]: ...  # noqa: N802
    def privatePostCancelOrder(self, params: dict[str, object] = ...) -> dict[str, Any]: ...  # noqa: N802


def open_rest(settings: RestSettings) -> "KrakenRest":
    """The REST side that speaks to `settings.url` alone. Raises ValueError where the credentials are no HMAC secret."""
    if not isinstance(settings.credentials, HmacSecret):
        raise ValueError("Kraken's requests are signed with an API key's secret: set the venue's [credentials]")
    options = {
        "apiKey": settings.credentials.api_key,
        "secret": settings.credentials.secret.decode("ascii"),
    }
    pace = Pace(CALLS_PER_S, CALLS_AT_ONCE)
    api = ccxt_client("kraken", settings, options, time, pace=pace, cost_of=lambda cost: cost / CCXT_COST)
    return KrakenRest(settings.venue, api, growing_nonce(api, settings, options["apiKey"], time))


class KrakenRest(CcxtRest[Api]):
    """Kraken's answers."""

    def __init__(self, venue: str, api: Api, nonce: GrowingNonce | None = None) -> None:
        """See `CcxtRest`."""
        super().__init__(venue, api, nonce)
        self._pairs: _Pairs | None = None
        self._questions["cancel"] = self._cancel

    @property
    def pairs(self) -> "_Pairs":
        """How FIX calls what REST calls otherwise, asked for once."""
        if self._pairs is None:
            self._pairs = _Pairs(_result(self.api.publicGetAssetPairs()))
        return self._pairs

    def _find(self, ask: Ask) -> RestOrder | str:
        found = self._row(ask)
        return "neither open nor closed orders have it" if found is None else self._rest_order(*found)

    def _row(self, ask: Ask) -> tuple[str, dict[str, Any]] | None:
        """The order's id and row. One that is closed meanwhile was open before, so the open ones are asked first."""
        if ask.order_id:
            try:
                rows = _result(self.api.privatePostQueryOrders({"txid": ask.order_id}))
            except BaseError as error:
                if not any(text in str(error) for text in UNKNOWN_ORDER):
                    raise
                return None
            return (ask.order_id, rows[ask.order_id]) if ask.order_id in rows else None
        by: dict[str, object] = {"cl_ord_id": ask.cl_ord_id}
        for rows in (_result(self.api.privatePostOpenOrders(by))["open"],
                     _result(self.api.privatePostClosedOrders(by))["closed"]):  # fmt: skip
            for order_id, row in rows.items():
                if str(row.get("cl_ord_id") or "") == ask.cl_ord_id:
                    return str(order_id), row
        return None

    def _listed(self, asks: Sequence[Ask]) -> Iterator[tuple[Ask, RestOrder]]:
        """By their ids in one question, by their names in the lists of all open and of the last closed orders."""
        by_id = [ask for ask in asks if ask.order_id]
        if by_id:
            order_ids = dict.fromkeys(ask.order_id for ask in by_id)
            rows = _result(self.api.privatePostQueryOrders({"txid": ",".join(order_ids)}))
            found = (ask for ask in by_id if ask.order_id in rows)
            yield from ((ask, self._rest_order(ask.order_id, rows[ask.order_id])) for ask in found)
        by_name = {ask.cl_ord_id: ask for ask in asks if not ask.order_id}
        endpoints = {"open": self.api.privatePostOpenOrders, "closed": self.api.privatePostClosedOrders}
        for key, endpoint in endpoints.items():
            for order_id, row in _result(endpoint())[key].items() if by_name else ():
                ask = by_name.pop(str(row.get("cl_ord_id") or ""), None)
                if ask is not None:
                    yield ask, self._rest_order(str(order_id), row)

    def _open_orders(self, ask: Ask) -> Answer:
        rows = _result(self.api.privatePostOpenOrders())["open"]
        orders = [self._rest_order(str(order_id), row) for order_id, row in rows.items()]
        return Answer(self._venue, ask, False, orders=tuple(o for o in orders if ask.symbol in ("", o.symbol)))

    def _trades(self, ask: Ask) -> Answer:
        """The oldest come first: a page that is full is followed by another question, from its last trade on."""
        venue_ns, notes = self._clock_ns(), list[str]()
        first = int(ask.from_trade_key) if ask.from_trade_key else 0
        found: dict[int, Trade] = {}
        for page in self._pages(ask):
            rows = [(self.pairs.symbol(name_field(row, "pair")), int(name_field(row, "trade_id")), row) for row in page]
            for symbol, number, row in rows:
                if symbol == ask.symbol and number >= first and ask.order_id in ("", row.get("ordertxid")):
                    found[number] = self._trade(row, symbol, notes)
            if any(symbol == ask.symbol and number < first for symbol, number, _ in rows):
                break
        trades = tuple(found[number] for number in sorted(found)[:TRADES_LIMIT])
        return self._told_trades(ask, trades, notes, venue_ns)

    def _pages(self, ask: Ask) -> Iterator[list[dict[str, Any]]]:
        """The account's trades, the newest page first, as far back as somebody takes them."""
        by: dict[str, object] = {"consolidate_taker": "false"}
        if ask.since_ns:
            # `start` is exclusive and in whole seconds.
            by["start"] = max(0, ask.since_ns // (NS_PER_MS * MS_PER_S) - 1)
        offset = 0
        for _ in range(MOST_PAGES):
            page = _result(self.api.privatePostTradesHistory({**by, "ofs": offset}))
            yield list(page["trades"].values())
            offset += len(page["trades"])
            if not page["trades"] or offset >= int(page["count"]):
                return
        raise BadAnswer(f"more than {MOST_PAGES} pages of trades: look at the venue's own records")

    def _balances(self, ask: Ask) -> Answer:
        rows = _result(self.api.privatePostBalanceEx())
        balances = []
        for asset, row in rows.items():
            whole, held = decimal_field(row, "balance"), decimal_field({"hold_trade": "0", **row}, "hold_trade")
            balances.append((cut(self.pairs.asset(str(asset))), whole - held, held))
        return Answer(self._venue, ask, False, balances=tuple(balances))

    def _cancel_all(self, ask: Ask) -> Answer:
        """One by one: what the venue has for all of them at once spares no symbol."""
        cancelled = sum(self._cancelled(order.order_id) for order in self._open_orders(ask).orders)
        return Answer(self._venue, ask, False, cancelled=cancelled)

    def _cancel(self, ask: Ask) -> Answer:
        return Answer(self._venue, ask, False, cancelled=self._cancelled(ask.order_id))

    def _cancelled(self, order_id: str) -> int:
        """Cancel one order; how many that were, none where it is closed already."""
        try:
            return int(_result(self.api.privatePostCancelOrder({"txid": order_id}))["count"])
        except BaseError as error:
            if not any(text in str(error) for text in UNKNOWN_ORDER):
                raise
            return 0

    def _clock_ns(self) -> int:
        return ms_to_ns(int(_result(self.api.publicGetTime())["unixtime"]) * MS_PER_S)

    def _rest_order(self, order_id: str, row: dict[str, Any]) -> RestOrder:
        described, status = row["descr"], str(row["status"])
        if status not in ORD_STATUS:
            raise BadAnswer(f"status is {status[:40]!r}")
        qty, cum_qty = decimal_field(row, "vol"), decimal_field(row, "vol_exec")
        # Of one that is triggered at a price that is the first, and its limit the second.
        is_triggered = str(described.get("ordertype")) in _TRIGGERED_TYPES
        price = decimal_field(described, "price2" if is_triggered else "price")
        closed_s = row.get("closetm") or row.get("opentm") or 0
        return RestOrder(
            symbol=self.pairs.symbol(name_field(described, "pair")),
            order_id=cut(order_id),
            cl_ord_id=cut(str(row.get("cl_ord_id") or "")),
            side=_SIDES.get(str(described.get("type")), ""),
            ord_status="1" if status == "open" and cum_qty else ORD_STATUS[status],
            order_qty=qty,
            price=price if price else None,
            cum_qty=cum_qty,
            transact_ns=_seconds_to_ns(closed_s),
        )

    def _trade(self, row: dict[str, Any], symbol: str, notes: list[str]) -> Trade:
        """One fill of `symbol`. Trade, order and quantity are what it is counted by; of the rest what cannot be read is
        noted."""
        key = name_field(row, "trade_id")
        px, fee, transact_ns = Decimal(0), Decimal(0), 0
        try:
            px, fee, transact_ns = decimal_field(row, "price"), decimal_field(row, "fee"), _seconds_to_ns(row["time"])
        except OF_ANOTHER_FORM:
            notes.append(f"price, fee or time of trade {key}")
        return Trade(
            symbol=symbol,
            trade_key=key,
            order_id=name_field(row, "ordertxid"),
            side=_SIDES.get(str(row.get("type")), ""),
            last_qty=decimal_field(row, "vol"),
            last_px=px,
            fee_qty=fee,
            fee_asset=symbol.partition("/")[2],
            transact_ns=transact_ns,
            maker=row.get("maker") is True,
        )


class _Pairs:
    """AssetPairs: a pair has up to three names in REST, and one in FIX, which is `wsname` but for bitcoin.

    One without it, as the dark pools' were, is not traded over FIX: it must not cost the answers about all others.
    """

    def __init__(self, rows: dict[str, Any]) -> None:
        self._symbols: dict[str, str] = {}
        self._assets: dict[str, str] = {}
        for key, row in rows.items():
            if not row.get("wsname"):
                continue
            assets = [_NAMES.get(asset, asset) for asset in name_field(row, "wsname").split("/")]
            for called in (str(key), str(row.get("altname")), str(row["wsname"])):
                self._symbols[called] = "/".join(assets)
            self._assets |= dict(zip((str(row["base"]), str(row["quote"])), assets, strict=True))

    def symbol(self, pair: str) -> str:
        """FIX's name of what REST calls `pair`; the same where it is not listed."""
        return self._symbols.get(pair, cut(pair))

    def asset(self, asset: str) -> str:
        """FIX's name of an asset."""
        return self._assets.get(asset, asset)


def _result(answer: dict[str, Any]) -> dict[str, Any]:
    """What was asked for; errors were raised by CCXT."""
    result: dict[str, Any] = answer["result"]
    return result


def _seconds_to_ns(seconds: Any) -> int:
    return ms_to_ns(int(Decimal(str(seconds)) * MS_PER_S))

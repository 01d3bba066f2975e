"""The venue's REST side through CCXT: one `Ask` in, one `Answer` out; and what signs for the bridge.

Source: Bitget API documentation, classic account, v2, spot and futures, as stored 2025-11-30 for the endpoints; ccxt
4.5 for how they are called and signed. The endpoints are called as they are (CCXT's implicit methods), since its
unified ones turn money into floats. A trade is known by `tradeId`. Spot and contracts have a wallet each: an asset is
told with what is in both.

The orders of the account are mostly the bridge's, which asks as well: of the user's limits the account takes a part.
"""

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from functools import partial
from typing import Any, Protocol

from common.instant import NS_PER_MS
from common.messages import Answer, Ask
from common.venues.backend import HttpCall
from common.venues.bitget.backend import (
    FUTURES,
    NO_SUCH_ORDER,
    ONE_WAY,
    PAGE_ROWS,
    SPOT,
    STATES,
    BitgetBackend,
    BitgetContractsBackend,
    BitgetPart,
    fee_of,
    has_contracts,
    part_of,
    rows_of,
)
from common.venues.bridged_rest import BaseError, BridgedRest, FillFields, OrderFields, Paging, Row, account_client
from common.venues.ccxt_parts import at_host, ccxt_client, http_signer, passphrase_options
from common.venues.credentials import Credentials, HmacPassphrase
from common.venues.rest import BadAnswer, RestSettings, decimal_field, ms_to_ns, name_field, spans

FUNDING_BILL = "contract_settle_fee"
"""businessType of the bill of a payment of funding."""

LONGEST_BILLS_MS, KEPT_BILLS_MS = 29 * 86_400_000, 90 * 86_400_000
"""A question about bills spans 30 days at most, and reaches so far back."""

CALLS = (2.0, 4.0)
"""The account's fifth of the least of the limits that it meets, 10 in a second; the bridge has the rest."""

ALL_OF_SPOT, ALL_OF_FUTURES = "v2/spot/trade/cancel-symbol-order", "v2/mix/order/batch-cancel-orders"
AT_ONCE = {ALL_OF_SPOT: (2.0, 3.0), ALL_OF_FUTURES: (4.0, 6.0)}
"""Of each kind of request the venue has a limit, of these 5 and 10 in a second. The bridge makes none of them."""

NOTHING_OPEN = frozenset({"22001"})


class Api(Protocol):
    """The endpoints that are used, under CCXT's names for them."""

    def publicCommonGetV2PublicTime(self, params: Row = ...) -> Row: ...  # noqa: N802
    def publicSpotGetV2SpotMarketTickers(self, params: Row = ...) -> Row: ...  # noqa: N802
    def publicMixGetV2MixMarketTicker(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateSpotGetV2SpotTradeOrderInfo(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateSpotGetV2SpotTradeUnfilledOrders(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateSpotGetV2SpotTradeFills(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateSpotGetV2SpotAccountAssets(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateSpotPostV2SpotTradeCancelOrder(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateSpotPostV2SpotTradeCancelSymbolOrder(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateMixGetV2MixOrderDetail(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateMixGetV2MixOrderOrdersPending(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateMixGetV2MixOrderFills(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateMixGetV2MixAccountAccounts(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateMixGetV2MixAccountBill(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateMixGetV2MixPositionAllPosition(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateMixPostV2MixOrderCancelOrder(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateMixPostV2MixOrderBatchCancelOrders(self, params: Row = ...) -> Row: ...  # noqa: N802


def open_rest(settings: RestSettings) -> "BitgetRest":
    """The REST side that speaks to `settings.url` alone. Raises ValueError where the credentials are of no use."""
    options = _options(settings.credentials)
    api = account_client("bitget", at_host(settings), options, time, CALLS, AT_ONCE)
    return BitgetRest(settings.venue, api, trades_contracts=has_contracts(settings.symbols))


def open_backend(settings: RestSettings) -> BitgetBackend:
    """How the bridge speaks to the venue, CCXT signing for it. Raises ValueError likewise."""
    options, credentials = _options(settings.credentials), settings.credentials
    assert isinstance(credentials, HmacPassphrase)
    whole = http_signer(ccxt_client("bitget", at_host(settings), options, time), ["private", "spot"])

    def sign(method: str, path: str, parameters: Mapping[str, object], wall_ns: int) -> HttpCall:
        call = whole(method, path, parameters, wall_ns)
        # The header of CCXT's own partner is there without a text.
        return call._replace(headers=tuple((name, text) for name, text in call.headers if text))

    kind = BitgetContractsBackend if has_contracts(settings.symbols) else BitgetBackend
    return kind(settings.symbols, credentials, sign)


def _options(credentials: Credentials) -> dict[str, object]:
    # No partner of CCXT's is named, and which kind of account it is is not asked for.
    return {**passphrase_options(credentials, "Bitget"), "options": {"broker": None, "uta": False}}


class BitgetRest(BridgedRest[Api]):
    """Bitget's answers. What differs in a row of contracts is called as in one of spot before it is read."""

    ORDER = OrderFields(
        symbol="symbol", order_id="orderId", cl_ord_id="clientOid", order_qty="size", price="price",
        cum_qty="baseVolume", updated_ms=("uTime", "cTime"), state="status",
    )  # fmt: skip
    FILL = FillFields(
        symbol="symbol", trade_key="tradeId", order_id="orderId", last_qty="size", last_px="priceAvg", fee="feeDetail",
        stamp_ms="cTime", maker=("tradeScope", "maker"),
    )  # fmt: skip
    STATES = STATES
    TICKER = ("bidPr", "bidSz", "askPr", "askSz", "lastPr")
    CODE = re.compile(r'"code"\s*:\s*"(\d{5})"')
    NOT_FOUND_CODE = 43001
    UNKNOWN = GONE = NO_SUCH_ORDER

    def __init__(self, venue: str, api: Api, *, trades_contracts: bool) -> None:
        """`api` as CCXT has it. Without `trades_contracts` the account's part for these is left alone."""
        super().__init__(venue, api)
        self._parts = (SPOT, FUTURES) if trades_contracts else (SPOT,)
        self._questions["positions"] = self._positions
        self._questions["funding"] = self._funding

    # ---- orders

    def _order_row(self, ask: Ask) -> Row | None:
        """That there is none of spot is told by an empty list, and of contracts by a code."""
        name = {"orderId": ask.order_id} if ask.order_id else {"clientOid": ask.cl_ord_id}
        part = part_of(ask.symbol)
        if part is FUTURES:
            asked = {**name, "symbol": part.name_of(ask.symbol), **part.asked}
            return _order_of_contracts(self.api.privateMixGetV2MixOrderDetail(asked)["data"])
        found: list[Row] = self.api.privateSpotGetV2SpotTradeOrderInfo(name)["data"]
        return found[0] if found else None

    def _open_rows(self, symbol: str) -> Iterator[Row]:
        for part in (part_of(symbol),) if symbol else self._parts:
            by: Row = {"symbol": part.name_of(symbol)} if symbol else {}
            if part is FUTURES:
                yield from self._open_contracts({**by, **part.asked})
            else:
                yield from self._pages(
                    self.api.privateSpotGetV2SpotTradeUnfilledOrders, by, _paging(part, "", "orderId")
                )

    def _open_contracts(self, asked: Row) -> Iterator[Row]:
        """Of both lists, each order once: one may be in both."""
        seen: set[str] = set()
        pages = _paging(FUTURES, "entrustedList", "orderId")
        for by in FUTURES.open_by:
            for row in self._pages(self.api.privateMixGetV2MixOrderOrdersPending, {**asked, **by}, pages):
                name = name_field(row, "orderId")
                if name not in seen:
                    yield _order_of_contracts(row)
                seen.add(name)

    def _send_cancel(self, symbol: str, order_id: str) -> object:
        part = part_of(symbol)
        asked = {"symbol": part.name_of(symbol), "orderId": order_id, **part.asked}
        if part is FUTURES:
            return self.api.privateMixPostV2MixOrderCancelOrder(asked)
        return self.api.privateSpotPostV2SpotTradeCancelOrder(asked)

    def _cancel_at_once(self, symbol: str) -> bool:
        """It is taken, and carried out later on."""
        part = part_of(symbol)
        asked = {"symbol": part.name_of(symbol), **part.asked}
        try:
            if part is FUTURES:
                self.api.privateMixPostV2MixOrderBatchCancelOrders(asked)
            else:
                self.api.privateSpotPostV2SpotTradeCancelSymbolOrder(asked)
        except BaseError as error:
            if not self._says(error, NOTHING_OPEN):
                raise
        return True

    # ---- trades

    def _fill_rows(self, ask: Ask, venue_ns: int, is_past: Callable[[Row], bool]) -> Iterator[Row]:
        part = part_of(ask.symbol)
        by: Row = {"symbol": part.name_of(ask.symbol), **part.asked}
        by |= {"orderId": ask.order_id} if ask.order_id else {}
        by |= {"startTime": str(ask.since_ns // NS_PER_MS)} if ask.since_ns else {}
        pages = _paging(part, "fillList", "tradeId")
        if part is FUTURES:
            rows = self._pages(self.api.privateMixGetV2MixOrderFills, by, pages, is_past)
            return map(_fill_of_contracts, rows)
        return self._pages(self.api.privateSpotGetV2SpotTradeFills, by, pages, is_past)

    def _fee(self, row: Mapping[str, Any]) -> tuple[Decimal, str]:
        """What is charged is below 0 there."""
        return fee_of(row)

    # ---- the rest

    def _balances(self, ask: Ask) -> Answer:
        """An asset with what is of it in both wallets: it moves between them without a trade."""
        held: dict[str, tuple[Decimal, Decimal]] = {}
        for asset, free, locked in map(self._balance, self._balance_rows()):
            former = held.get(asset, (Decimal(0), Decimal(0)))
            held[asset] = former[0] + free, former[1] + locked
        balances = tuple((asset, free, locked) for asset, (free, locked) in held.items())
        return Answer(self._venue, ask, False, balances=balances)

    def _balance_rows(self) -> Iterable[Row]:
        yield from self.api.privateSpotGetV2SpotAccountAssets()["data"]
        if FUTURES in self._parts:
            yield from self.api.privateMixGetV2MixAccountAccounts(dict(FUTURES.asked))["data"]

    def _balance(self, row: Row) -> tuple[str, Decimal, Decimal]:
        """In the wallet for contracts: the equity but for what closing the positions would bring, of which what is not
        available is held."""
        if "marginCoin" not in row:
            held = decimal_field(row, "frozen") + decimal_field(row, "locked")
            return name_field(row, "coin"), decimal_field(row, "available"), held
        whole = decimal_field(row, "accountEquity") - _unrealised(row)
        free = max(Decimal(0), min(whole, decimal_field(row, "available")))
        return name_field(row, "marginCoin").upper(), free, whole - free

    def _positions(self, ask: Ask) -> Answer:
        """Of an account of one net position in each. A size has no sign: the side that is held says which way it is.
        Raises BadAnswer where there may be two."""
        held: dict[str, Decimal] = {}
        for row in self.api.privateMixGetV2MixPositionAllPosition({**FUTURES.asked, "marginCoin": "USDT"})["data"]:
            if row["posMode"] != ONE_WAY:
                raise BadAnswer(f"posMode is {str(row['posMode'])[:40]!r}: the account may have two positions in each")
            symbol, side = FUTURES.symbol_of(name_field(row, "symbol")), row["holdSide"]
            if side not in ("long", "short") or symbol in held:
                raise BadAnswer(f"holdSide of {symbol} is {str(side)[:40]!r}, or it is told twice")
            held[symbol] = decimal_field(row, "total") * (1 if side == "long" else -1)
        return Answer(self._venue, ask, False, positions=tuple(held.items()))

    def _funding(self, ask: Ask) -> Answer:
        """From the bills of the wallet for contracts, kept for a while. One at an edge of spans counts once."""
        now_ms, pages = self._clock_ns() // NS_PER_MS, _paging(FUTURES, "bills", "billId")
        since_ms = max(ask.since_ns // NS_PER_MS, now_ms - KEPT_BILLS_MS)
        paid: dict[str, Decimal] = {}
        seen: set[str] = set()
        for begin_ms, end_ms in spans(since_ms, now_ms, LONGEST_BILLS_MS):
            by = {"businessType": FUNDING_BILL, "startTime": str(begin_ms), "endTime": str(end_ms), **FUTURES.asked}
            for row in self._pages(self.api.privateMixGetV2MixAccountBill, by, pages):
                asset, bill = name_field(row, "coin").upper(), name_field(row, "billId")
                if bill not in seen:
                    paid[asset] = paid.get(asset, Decimal(0)) + decimal_field(row, "amount")
                seen.add(bill)
        balances = tuple((asset, amount, Decimal(0)) for asset, amount in paid.items())
        return Answer(self._venue, ask, False, balances=balances)

    def _clock_ns(self) -> int:
        return ms_to_ns(self.api.publicCommonGetV2PublicTime()["data"]["serverTime"])

    def _ticker_rows(self, symbol: str) -> list[tuple[str, Row]]:
        part = part_of(symbol)
        asked = {"symbol": part.name_of(symbol), **part.asked}
        ask = self.api.publicMixGetV2MixMarketTicker if part is FUTURES else self.api.publicSpotGetV2SpotMarketTickers
        return [(part.symbol_of(name_field(row, "symbol")), row) for row in ask(asked)["data"]]


def _order_of_contracts(row: Row) -> Row:
    """As a row of spot: under our symbol, and with the state where it is in a list."""
    return {"status": row.get("state"), **row, "symbol": FUTURES.symbol_of(name_field(row, "symbol"))}


def _fill_of_contracts(row: Row) -> Row:
    """As a row of spot: under our symbol, with the names that price and quantity have there."""
    symbol = FUTURES.symbol_of(name_field(row, "symbol"))
    return {**row, "symbol": symbol, "priceAvg": row.get("price"), "size": row["baseVolume"]}


def _unrealised(row: Row) -> Decimal:
    """What closing all positions would bring. As a whole it may be empty: then by its parts, of which one may be."""
    parts = [row.get("unrealizedPL")] if row.get("unrealizedPL") else []
    parts = parts or [row.get("crossedUnrealizedPL"), row.get("isolatedUnrealizedPL")]
    return sum((decimal_field({"unrealizedPL": told}, "unrealizedPL") for told in parts if told), Decimal(0))


def _paging(part: BitgetPart, name: str, key: str) -> Paging:
    """Pages of the list `name`, which are asked for by the field `key` of the last row."""
    first = {"limit": str(PAGE_ROWS)}
    rows = partial(_rows, part, name)
    return Paging(
        rows, lambda answer: len(rows(answer)) >= PAGE_ROWS,
        lambda answer, number: {**first, "idLessThan": name_field(rows(answer)[-1], key)}, first,
    )  # fmt: skip


def _rows(part: BitgetPart, name: str, answer: Any) -> list[Row]:
    return [dict(row) for row in rows_of(answer["data"], part, name)]

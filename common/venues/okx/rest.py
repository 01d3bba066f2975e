"""The venue's REST side through CCXT: one `Ask` in, one `Answer` out; and what signs for the bridge.

Source: OKX API v5 documentation as stored 2025-11-25 for the endpoints; ccxt 4.5 for how they are called and signed.
The endpoints are called as they are (CCXT's implicit methods), since its unified ones turn money into floats and leave
out what identifies a trade. A trade is known by `tradeId`, which counts within its instrument.

The orders of the account are mostly the bridge's, which asks as well: of the user's limits the account takes a part.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

from common.instant import NS_PER_MS
from common.messages import Answer, Ask
from common.venues.bridged_rest import (
    BaseError,
    BridgedRest,
    FillFields,
    OrderFields,
    Row,
    account_client,
    newest_first,
)
from common.venues.ccxt_parts import at_host, ccxt_client, http_signer, passphrase_options
from common.venues.credentials import Credentials, HmacPassphrase
from common.venues.okx.backend import GONE as NOT_OPEN
from common.venues.okx.backend import PAGE_ROWS, STATES, SWAP, OkxBackend, OkxContractsBackend, kind_of
from common.venues.rest import BadAnswer, RestSettings, decimal_field, ms_to_ns, name_field

FUNDING_BILL = "8"
"""type of the bill of a payment of funding."""

CALLS = (6.0, 12.0)
"""The account's fifth of the least of the limits that it meets, 60 in 2 s; the bridge has the rest."""

MANY = "trade/cancel-batch-orders"
MOST_AT_ONCE = 20
AT_ONCE = {MANY: (1.5, 3.0)}
"""Of what cancels several orders, 300 orders in 2 s: likewise a fifth."""

_ROW_CODE = re.compile(r'"sCode"\s*:\s*"(\d+)"')


class Api(Protocol):
    """The endpoints that are used, under CCXT's names for them."""

    def publicGetPublicTime(self, params: Row = ...) -> Row: ...  # noqa: N802
    def publicGetMarketTicker(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateGetTradeOrder(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateGetTradeOrdersPending(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateGetTradeFills(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateGetTradeFillsHistory(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateGetAccountBalance(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateGetAccountPositions(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privateGetAccountBillsArchive(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privatePostTradeCancelOrder(self, params: Row = ...) -> Row: ...  # noqa: N802
    def privatePostTradeCancelBatchOrders(self, params: list[Row] = ...) -> Row: ...  # noqa: N802


def open_rest(settings: RestSettings) -> "OkxRest":
    """The REST side that speaks to `settings.url` alone. Raises ValueError where the credentials are of no use."""
    options = _options(settings.credentials)
    return OkxRest(settings.venue, account_client("okx", at_host(settings), options, time, CALLS, AT_ONCE))


def open_backend(settings: RestSettings) -> OkxBackend:
    """How the bridge speaks to the venue, CCXT signing for it. Raises ValueError likewise."""
    options, credentials = _options(settings.credentials), settings.credentials
    assert isinstance(credentials, HmacPassphrase)
    exchange = ccxt_client("okx", at_host(settings), options, time)
    has_contracts = any(kind_of(symbol) == SWAP for symbol in settings.symbols)
    return (OkxContractsBackend if has_contracts else OkxBackend)(credentials, http_signer(exchange, ["private"]))


def _options(credentials: Credentials) -> dict[str, object]:
    return passphrase_options(credentials, "OKX")


class OkxRest(BridgedRest[Api]):
    """OKX's answers. There is nothing that cancels all of an instrument's, and one request for twenty orders."""

    ORDER = OrderFields(
        symbol="instId", order_id="ordId", cl_ord_id="clOrdId", order_qty="sz", price="px", cum_qty="accFillSz",
        updated_ms=("uTime",), state="state",
    )  # fmt: skip
    FILL = FillFields(
        symbol="instId", trade_key="tradeId", order_id="ordId", last_qty="fillSz", last_px="fillPx", fee="fee",
        stamp_ms="ts", maker=("execType", "M"),
    )  # fmt: skip
    STATES = STATES
    TICKER = ("bidPx", "bidSz", "askPx", "askSz", "last")
    CODE = re.compile(r'"s?[cC]ode"\s*:\s*"([1-9]\d{4})"')
    NOT_FOUND_CODE = 51603
    UNKNOWN = frozenset({"51603"})
    GONE = NOT_OPEN

    def __init__(self, venue: str, api: Api) -> None:
        """`api` as CCXT has it."""
        super().__init__(venue, api)
        self._questions["positions"] = self._positions
        self._questions["funding"] = self._funding

    def _order_row(self, ask: Ask) -> Row:
        by = {"instId": ask.symbol} | ({"ordId": ask.order_id} if ask.order_id else {"clOrdId": ask.cl_ord_id})
        row: Row = self.api.privateGetTradeOrder(by)["data"][0]
        return row

    def _open_rows(self, symbol: str) -> Iterator[Row]:
        by = {"instType": kind_of(symbol), "instId": symbol} if symbol else {}
        return self._pages(self.api.privateGetTradeOrdersPending, by, newest_first("after", "ordId", PAGE_ROWS, {}))

    def _send_cancel(self, symbol: str, order_id: str) -> object:
        return self.api.privatePostTradeCancelOrder({"instId": symbol, "ordId": order_id})

    def _cancel_each(self, symbol: str, order_ids: Sequence[str]) -> int:
        """Twenty with one request. One alone goes by the other, as the venue counts it. Raises BadAnswer of what was
        refused, once all are asked for."""
        if len(order_ids) == 1:
            return self._cancelled(symbol, order_ids[0])
        codes: list[str] = []
        for begin in range(0, len(order_ids), MOST_AT_ONCE):
            batch = order_ids[begin : begin + MOST_AT_ONCE]
            codes += self._cancel_codes(symbol, batch) if len(batch) > 1 else ["0"] * self._cancelled(symbol, batch[0])
        refused = sorted(set(codes) - self.GONE - {"0"})
        if refused:
            raise BadAnswer(f"cancels were refused: sCode {', '.join(refused)}")
        return codes.count("0")

    def _cancel_codes(self, symbol: str, order_ids: Sequence[str]) -> list[str]:
        """What is said of each. Where every one is refused CCXT raises what the answer was."""
        asked: list[Row] = [{"instId": symbol, "ordId": order_id} for order_id in order_ids]
        try:
            return [str(row["sCode"]) for row in self.api.privatePostTradeCancelBatchOrders(asked)["data"]]
        except BaseError as error:
            codes = _ROW_CODE.findall(str(error))
            if not codes:
                raise
            return codes

    def _fill_rows(self, ask: Ask, venue_ns: int, is_past: Callable[[Row], bool]) -> Iterator[Row]:
        by = {"instType": kind_of(ask.symbol), "instId": ask.symbol}
        by |= {"ordId": ask.order_id} if ask.order_id else {}
        by |= {"begin": str(ask.since_ns // NS_PER_MS)} if ask.since_ns else {}
        # What happened lately is told by the one, and by the other what is older than three days.
        for endpoint in (self.api.privateGetTradeFills, self.api.privateGetTradeFillsHistory):
            yield from self._pages(endpoint, by, newest_first("after", "billId", PAGE_ROWS, {}), is_past)

    def _fee(self, row: Mapping[str, Any]) -> tuple[Decimal, str]:
        """What is charged is below 0 there."""
        return -decimal_field(row, "fee"), str(row.get("feeCcy") or "")

    def _balance_rows(self) -> list[Row]:
        rows: list[Row] = self.api.privateGetAccountBalance()["data"][0]["details"]
        return rows

    def _balance(self, row: Row) -> tuple[str, Decimal, Decimal]:
        held = decimal_field(row, "frozenBal")
        return name_field(row, "ccy"), decimal_field(row, "cashBal") - held, held

    def _positions(self, ask: Ask) -> Answer:
        """Of an account of one net position in each: `pos` is below 0 where contracts were sold. One that has a margin
        of its own, or is one of two, is a row beside it: all rows of a contract are what is held."""
        held: dict[str, Decimal] = {}
        for row in self.api.privateGetAccountPositions({"instType": SWAP})["data"]:
            symbol, qty = name_field(row, "instId"), decimal_field(row, "pos")
            held[symbol] = held.get(symbol, Decimal(0)) + (-qty if row.get("posSide") == "short" else qty)
        return Answer(self._venue, ask, False, positions=tuple(held.items()))

    def _funding(self, ask: Ask) -> Answer:
        """From the account's bills, which go back three months."""
        by = {"instType": SWAP, "type": FUNDING_BILL, "begin": str(ask.since_ns // NS_PER_MS)}
        paid: dict[str, Decimal] = {}
        for row in self._pages(
            self.api.privateGetAccountBillsArchive, by, newest_first("after", "billId", PAGE_ROWS, {})
        ):  # fmt: skip
            asset = name_field(row, "ccy")
            paid[asset] = paid.get(asset, Decimal(0)) + decimal_field(row, "balChg")
        balances = tuple((asset, amount, Decimal(0)) for asset, amount in paid.items())
        return Answer(self._venue, ask, False, balances=balances)

    def _clock_ns(self) -> int:
        return ms_to_ns(self.api.publicGetPublicTime()["data"][0]["ts"])

    def _ticker_rows(self, symbol: str) -> list[tuple[str, Row]]:
        rows = self.api.publicGetMarketTicker({"instId": symbol})["data"]
        return [(name_field(row, "instId"), row) for row in rows]

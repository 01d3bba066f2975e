"""The REST side of KuCoin through CCXT, whatever is traded: what its markets answer alike.

Source: KuCoin documentation as stored 2025-11-29 for the endpoints; ccxt 4.5 for how they are called and signed. The
endpoints are called as they are (CCXT's implicit methods), since its unified ones turn money into floats.

The orders of the account are mostly the bridge's, which asks as well: of the user's limits the account takes a part.
"""

import re
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, ClassVar, TypeVar

from common.instant import NS_PER_MS
from common.messages import Ask
from common.orders.books import TRADES_PAGE
from common.venues.bridged_rest import BridgedRest, FillFields, Paging, Row
from common.venues.families.kucoin.backend import SPAN_MS
from common.venues.rest import decimal_field, ms_to_ns, spans

ApiT = TypeVar("ApiT")


def without_partner(client: Any) -> Any:
    """CCXT's own partner would sign along: options are laid over what is there, and take nothing away."""
    client.options["partner"] = {}
    return client


class KucoinRest(BridgedRest[ApiT]):
    """KuCoin's answers, as far as all markets have them in common. `ABSENT` is what the text of an answer says whose
    code is that of many, `IS_OPEN` the field of an order that is open."""

    FILL = FillFields(
        symbol="symbol", trade_key="tradeId", order_id="orderId", last_qty="size", last_px="price", fee="fee",
        stamp_ms="createdAt", maker=("liquidity", "maker"),
    )  # fmt: skip
    CODE = re.compile(r'"code"\s*:\s*"([1-9]\d{5})"')
    ABSENT: ClassVar[str]
    IS_OPEN: ClassVar[str]

    # ---- what each market has of its own

    @abstractmethod
    def _venue_time(self) -> Row: ...

    @abstractmethod
    def _best_prices(self, symbol: str) -> Row: ...

    # ---- what is the same

    def _says(self, error: BaseException, codes: frozenset[str]) -> bool:
        return self.ABSENT in str(error) or super()._says(error, codes)

    def _ord_status(self, row: Row) -> str:
        """No word says how an order ended: it is full, or it was cancelled."""
        filled = self._cum_qty(row)
        if row[self.IS_OPEN] is True:
            return "1" if filled else "0"
        return "2" if filled >= decimal_field(row, self.ORDER.order_qty) else "4"

    def _span_rows(
        self, endpoint: Callable[[Row], Any], ask: Ask, venue_ns: int, paging: Paging
    ) -> Iterator[Row]:
        """One span of time after another, from the time that is asked for, or the last one."""
        now_ms, count = venue_ns // NS_PER_MS, 0
        for begin_ms, end_ms in spans(ask.since_ns // NS_PER_MS or now_ms + 1 - SPAN_MS, now_ms, SPAN_MS):
            span = {"symbol": ask.symbol, "startAt": str(begin_ms), "endAt": str(end_ms)}
            for row in self._pages(endpoint, span, paging):
                count += 1
                yield row
            if count >= TRADES_PAGE:
                return

    def _fee(self, row: Mapping[str, Any]) -> tuple[Decimal, str]:
        return decimal_field(row, "fee"), str(row.get("feeCurrency") or "")

    def _clock_ns(self) -> int:
        return ms_to_ns(self._venue_time()["data"])

    def _ticker_rows(self, symbol: str) -> list[tuple[str, Row]]:
        told = self._best_prices(symbol)["data"]
        return [(symbol, told)] if told else []

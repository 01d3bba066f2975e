"""The REST side of Gate.io through CCXT, whatever is traded: what its markets answer alike.

Source: Gate APIv4 documentation as stored 2025-11-25 for the endpoints; ccxt 4.5 for how they are called and signed.
The endpoints are called as they are (CCXT's implicit methods), since its unified ones turn money into floats. Rows of
orders, fills and prices are read as those of spot are written.

The orders of the account are mostly the bridge's, which asks as well: of the user's limits the account takes a part.
"""

import re
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Protocol, TypeVar

from common.instant import NS_PER_S
from common.messages import Answer, Ask
from common.venues.bridged_rest import BaseError, BridgedRest, FillFields, OrderFields, Paging, Row
from common.venues.credentials import HmacSecret
from common.venues.families.gateio.backend import GONE as NOT_OPEN
from common.venues.families.gateio.backend import MOST_NS, PREFIX, STATES, paid_fee
from common.venues.rest import AHEAD_NS, decimal_field, ms_to_ns

VERSION = "/api/v4"
CALLS = (4.0, 8.0)
"""The account's fifth of the least of the limits that it meets, 200 in 10 s; the bridge has the rest."""

MAX_PAGES = 100
OVERLAP_NS = 60 * NS_PER_S
"""How far a clock of ours and the venue's may be apart."""

_LABEL = re.compile(r'"label"\s*:\s*"(\w+)"')


class TimeApi(Protocol):
    """The endpoint of every market, under CCXT's name for it."""

    def publicSpotGetTime(self, params: Row = ...) -> Row: ...  # noqa: N802


AreaApi = TypeVar("AreaApi", bound=TimeApi)


def key_options(credentials: HmacSecret) -> dict[str, object]:
    """What CCXT signs with."""
    return {"apiKey": credentials.api_key, "secret": credentials.secret.decode("ascii")}


class GateioRest(BridgedRest[AreaApi]):
    """Gate.io's answers, as far as all markets have them in common."""

    ORDER = OrderFields(
        symbol="currency_pair", order_id="id", cl_ord_id="text", order_qty="amount", price="price",
        cum_qty="filled_amount", updated_ms=("update_time_ms",), state="status",
    )  # fmt: skip
    FILL = FillFields(
        symbol="currency_pair", trade_key="id", order_id="order_id", last_qty="amount", last_px="price", fee="fee",
        stamp_ms="create_time_ms", maker=("role", "maker"),
    )  # fmt: skip
    STATES = STATES
    TICKER = ("highest_bid", "highest_size", "lowest_ask", "lowest_size", "last")
    UNKNOWN = GONE = NOT_OPEN

    def _says(self, error: BaseException, codes: frozenset[str]) -> bool:
        """By the venue's own word: it has no numbers."""
        label = _LABEL.search(str(error))
        return label is not None and label[1] in codes

    def _cl_ord_id(self, told: str) -> str:
        """Other texts than clients' are the venue's own."""
        return told.removeprefix(PREFIX) if told.startswith(PREFIX) else ""

    def _cum_qty(self, row: Row) -> Decimal:
        if row.get(self.ORDER.cum_qty):
            return super()._cum_qty(row)
        return decimal_field(row, "amount") - decimal_field(row, "left")

    # ---- what each area has of its own

    @abstractmethod
    def _order_named(self, name: str, symbol: str) -> Row:
        """The order of that name, the venue's or ours. Raises CCXT's error."""

    @abstractmethod
    def _ended(self, ask: Ask) -> Iterator[Row]:
        """The symbol's orders that have ended since it was sent."""

    @abstractmethod
    def _cancel_pair(self, symbol: str) -> list[Row]:
        """Cancel all orders of a symbol: what was cancelled."""

    # ---- orders

    def _order_row(self, ask: Ask) -> Row | None:
        """By our id it is not found long after its end: else it is looked for among those that have ended."""
        text = f"{PREFIX}{ask.cl_ord_id}"
        try:
            return self._order_named(ask.order_id or text, ask.symbol)
        except BaseError as error:
            if not self._says(error, self.UNKNOWN):
                raise
        ended = () if ask.order_id else self._ended(ask)
        return next((row for row in ended if row.get("text") == text), None)

    def _span(self, since_ns: int) -> Row:
        """From then on, or as far back as can be asked, to somewhat later than now."""
        now_ns = self._clock_ns()
        begin_ns = max(since_ns - OVERLAP_NS, now_ns - MOST_NS)
        return {"from": begin_ns // NS_PER_S, "to": (now_ns + AHEAD_NS) // NS_PER_S}

    def _cancel_all(self, ask: Ask) -> Answer:
        """A pair's at once: what is cancelled is told."""
        symbols = [ask.symbol] if ask.symbol else sorted({str(row["currency_pair"]) for row in self._open_rows("")})
        return Answer(self._venue, ask, False, cancelled=sum(len(self._cancel_pair(symbol)) for symbol in symbols))

    def _fee(self, row: Mapping[str, Any]) -> tuple[Decimal, str]:
        return paid_fee(row)

    def _clock_ns(self) -> int:
        return ms_to_ns(self.api.publicSpotGetTime()["server_time"])


def paged(limit: int, asked: Callable[[int], Row]) -> Paging:
    """Pages of so many rows at most; `asked` is what is asked beside the question for the one of a number."""
    return Paging(
        list, lambda rows: len(rows) >= limit, lambda rows, number: asked(number), asked(1), MAX_PAGES,
    )  # fmt: skip

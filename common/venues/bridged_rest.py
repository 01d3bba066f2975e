"""What the `rest.py` of each venue behind a bridge is: the account's questions over a table of the venue's own names.

What such venues tell of orders and fills is the same in other words. A venue's folder has those words, the endpoints,
and what is odd about it; how rows are paged, counted, cancelled and read is here.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar, NamedTuple

import msgspec

from common.messages import Answer, Ask, RestOrder, Trade, cut
from common.orders.books import TRADES_PAGE
from common.venues.backend import side_of
from common.venues.ccxt_parts import ApiT, CcxtRest, Clock, ccxt_client, ccxt_errors, read_ticker
from common.venues.pace import Pace
from common.venues.rest import BadAnswer, RestSettings, decimal_field, ms_to_ns, name_field, secondary_fields

BaseError: type[Exception] = ccxt_errors().BaseError

Row = dict[str, Any]

NO_NAME = "NONE"
"""ClOrdID(11) of an order that has none at the venue, since it was placed by hand or by the venue: every order of ours
has one, so that this is a stranger's, and its fills hold back no proof of what became of ours."""


def account_client(
    name: str, settings: RestSettings, options: Mapping[str, object], clock: Clock, calls: tuple[float, float],
    apart: Mapping[str, tuple[float, float]] = {},  # noqa: B006 (read only)
) -> Any:  # fmt: skip
    """A client of CCXT's class `name` for an account whose bridge asks the venue too. `calls` are how many requests a
    second, and how many at once, whatever each weighs; `apart` likewise of paths that the venue counts by themselves,
    and that the bridge does not ask."""
    client = ccxt_client(name, settings, options, clock, pace=Pace(*calls), cost_of=lambda cost: 1.0)
    client.throttle.pace_apart(client, {path: Pace(*each) for path, each in apart.items()})
    return client


class OrderFields(msgspec.Struct, frozen=True, kw_only=True):
    """The names of an order's fields in a row of the venue; of `updated_ms` the first one that is there counts."""

    symbol: str
    order_id: str
    cl_ord_id: str
    order_qty: str
    price: str
    cum_qty: str
    updated_ms: tuple[str, ...]
    state: str = ""


class FillFields(msgspec.Struct, frozen=True, kw_only=True):
    """The names of a fill's fields in a row of the venue; `maker` is one, and what it says of who was there before."""

    symbol: str
    trade_key: str
    order_id: str
    last_qty: str
    last_px: str
    fee: str
    stamp_ms: str
    maker: tuple[str, str]


class Paging(NamedTuple):
    """How an endpoint is asked for page after page: the rows of an answer, whether more may follow them, and what is
    asked beside the question for the page of a number after that answer. `first` is what is asked for the first one."""

    rows: Callable[[Any], list[Row]]
    is_full: Callable[[Any], bool]
    following: Callable[[Any, int], Row]
    first: Row = {}  # noqa: RUF012
    most: int = 200


def newest_first(parameter: str, key: str, page_rows: int, first: Row) -> Paging:
    """Pages of `data`, which are asked for by `parameter`: the field `key` of the last row. `first` goes with each."""

    def rows(answer: Any) -> list[Row]:
        found: list[Row] = answer["data"]
        return found

    return Paging(
        rows, lambda answer: len(answer["data"]) >= page_rows,
        lambda answer, number: {**first, parameter: name_field(answer["data"][-1], key)}, first,
    )  # fmt: skip


class BridgedRest(CcxtRest[ApiT]):
    """The account's side of a venue behind a bridge."""

    ORDER: ClassVar[OrderFields]
    FILL: ClassVar[FillFields]
    STATES: ClassVar[Mapping[str, str]] = {}
    """OrdStatus(39) of the venue's word for an order's state."""

    TICKER: ClassVar[tuple[str, str, str, str, str]]
    """Where bid and quantity, ask and quantity, and the last price stand."""

    UNKNOWN: ClassVar[frozenset[str]]
    """The codes that say that there is no such order."""

    GONE: ClassVar[frozenset[str]]
    """The codes that say that an order which is to be cancelled is not open."""

    def __init__(self, venue: str, api: ApiT) -> None:
        """`api` as CCXT has it."""
        super().__init__(venue, api)
        self._questions["cancel"] = self._cancel
        self._questions["ticker"] = self._ticker
        self._cancelled_at_once = set[str]()
        """Symbols of which everything was cancelled with one request, and no list has said since that nothing is left.
        """

    # ---- what each venue has of its own

    @abstractmethod
    def _order_row(self, ask: Ask) -> Row | None:
        """The order that is asked for, None where there is none. Raises CCXT's error, which may say that too."""

    @abstractmethod
    def _open_rows(self, symbol: str) -> Iterable[Row]:
        """Open orders of a symbol, of all where it is ""."""

    @abstractmethod
    def _fill_rows(self, ask: Ask, venue_ns: int, is_past: Callable[[Row], bool]) -> Iterable[Row]:
        """Fills as they are asked for at a time by the venue's clock; the rest of them may be left out once all of a
        page are past what is wanted."""

    @abstractmethod
    def _send_cancel(self, symbol: str, order_id: str) -> object: ...

    def _cancel_at_once(self, symbol: str) -> bool:
        """Cancel everything of a symbol with one request; False where the venue has none for it."""
        return False

    @abstractmethod
    def _balance_rows(self) -> Iterable[Row]: ...

    @abstractmethod
    def _balance(self, row: Row) -> tuple[str, Decimal, Decimal]:
        """An asset, what is free of it and what is held."""

    @abstractmethod
    def _fee(self, row: Mapping[str, Any]) -> tuple[Decimal, str]:
        """What a fill has cost, below 0 for a rebate, and in which asset."""

    @abstractmethod
    def _ticker_rows(self, symbol: str) -> Iterable[tuple[str, Row]]:
        """Symbols with their best prices."""

    def _says(self, error: BaseException, codes: frozenset[str]) -> bool:
        """Whether the venue's code in CCXT's error is one of these: CCXT's classes are not to be decided by."""
        return str(self.error_code(error)) in codes

    def _cl_ord_id(self, told: str) -> str:
        """ClOrdID(11) of the client's own id as the venue tells it."""
        return told

    def _ord_status(self, row: Row) -> str:
        """OrdStatus(39)."""
        status = str(row[self.ORDER.state])
        if status not in self.STATES:
            raise BadAnswer(f"{self.ORDER.state} is {status[:40]!r}")
        return self.STATES[status]

    def _cum_qty(self, row: Row) -> Decimal:
        """CumQty(14)."""
        return decimal_field(row, self.ORDER.cum_qty)

    # ---- orders

    def _find(self, ask: Ask) -> RestOrder | str:
        try:
            row = self._order_row(ask)
        except BaseError as error:
            if not self._says(error, self.UNKNOWN):
                raise
            row = None
        return "no such order" if row is None else self._rest_order(row)

    def _open_orders(self, ask: Ask) -> Answer:
        orders = tuple(map(self._rest_order, self._open_rows(ask.symbol)))
        told_of = {ask.symbol} if ask.symbol else self._cancelled_at_once
        self._cancelled_at_once = self._cancelled_at_once - (told_of - {order.symbol for order in orders})
        return Answer(self._venue, ask, False, orders=orders)

    def _cancel_all(self, ask: Ask) -> Answer:
        """With one request: the kill switch is not to wait for the pace as often as there are orders. What that has
        left, or where it has failed, they go one by one, and alone then it is told how many that were."""
        symbol = ask.symbol
        if symbol and symbol not in self._cancelled_at_once:
            try:
                is_asked = self._cancel_at_once(symbol)
            except BaseError:
                self._cancelled_at_once.add(symbol)
                raise
            if is_asked:
                self._cancelled_at_once.add(symbol)
                return Answer(self._venue, ask, False)
        order_ids: dict[str, list[str]] = {}
        for order in self._open_orders(ask).orders:
            order_ids.setdefault(order.symbol, []).append(order.order_id)
        cancelled = sum(self._cancel_each(symbol, ids) for symbol, ids in order_ids.items())
        return Answer(self._venue, ask, False, cancelled=cancelled)

    def _cancel_each(self, symbol: str, order_ids: Sequence[str]) -> int:
        """Cancel these orders of a symbol by their ids; how many that were."""
        return sum(self._cancelled(symbol, order_id) for order_id in order_ids)

    def _cancel(self, ask: Ask) -> Answer:
        return Answer(self._venue, ask, False, cancelled=self._cancelled(ask.symbol, ask.order_id))

    def _cancelled(self, symbol: str, order_id: str) -> int:
        """Cancel one order; how many that were, none where it is closed already."""
        try:
            self._send_cancel(symbol, order_id)
        except BaseError as error:
            if not self._says(error, self.GONE):
                raise
            return 0
        return 1

    def _rest_order(self, row: Row) -> RestOrder:
        f = self.ORDER
        price = decimal_field(row, f.price) if row.get(f.price) else Decimal(0)
        return RestOrder(
            symbol=name_field(row, f.symbol),
            order_id=name_field(row, f.order_id),
            cl_ord_id=cut(self._cl_ord_id(str(row.get(f.cl_ord_id) or ""))) or NO_NAME,
            side=side_of(row.get("side")),
            ord_status=self._ord_status(row),
            order_qty=decimal_field(row, f.order_qty),
            price=price or None,
            cum_qty=self._cum_qty(row),
            transact_ns=ms_to_ns(next((row[each] for each in f.updated_ms if row.get(each)), 0)),
        )

    # ---- trades

    def _trades(self, ask: Ask) -> Answer:
        """At most TRADES_PAGE of them, the oldest first: who gets so many asks for those that follow.

        A key below 0, of a trade that the venue itself has made, has no place among the others: such a trade is told
        where it is not older than one before the first that is asked for.
        """
        venue_ns, notes = self._clock_ns(), list[str]()
        first, known_ns = int(ask.from_trade_key) if ask.from_trade_key else 0, 0
        found: dict[tuple[int, str], Row] = {}
        for row in self._fill_rows(ask, venue_ns, lambda row: 0 <= self._trade_number(row) < first):
            key, order_id = self._trade_number(row), str(row.get(self.FILL.order_id) or "")
            if 0 <= key < first:
                known_ns = max(known_ns, self._trade_ns(row))
            elif order_id:
                found[key, order_id] = row
            else:
                notes.append(f"trade {key}, which is of no order")
        keys = [each for each in sorted(found) if each[0] >= 0 or self._trade_ns(found[each]) >= known_ns]
        rows = [found[key] for key in keys[:TRADES_PAGE]]
        return self._told_trades(ask, tuple(self._trade(row, ask.symbol, notes) for row in rows), notes, venue_ns)

    def _trade_number(self, row: Row) -> int:
        return int(name_field(row, self.FILL.trade_key))

    def _trade_ns(self, row: Row) -> int:
        """When it was, Unix; 0 where that cannot be read."""
        field = self.FILL.stamp_ms
        stamp_ns: int = secondary_fields(row, {field: _stamp_ns}, "", [])[field]
        return stamp_ns

    def _trade(self, row: Row, symbol: str, notes: list[str]) -> Trade:
        """One fill of `symbol`. Trade, order and quantity are what it is counted by; what of the rest cannot be read is
        noted."""
        f, key = self.FILL, name_field(row, self.FILL.trade_key)
        readers: dict[str, Callable[[Mapping[str, Any], str], Any]] = {
            f.last_px: decimal_field, f.stamp_ms: _stamp_ns, f.fee: lambda row, field: self._fee(row),
        }  # fmt: skip
        secondary = secondary_fields(row, readers, f"trade {key}", notes)
        fee, asset = secondary[f.fee] or (Decimal(0), "")
        return Trade(
            symbol=cut(str(row.get(f.symbol) or symbol)),
            trade_key=key,
            order_id=name_field(row, f.order_id),
            side=side_of(row.get("side")),
            last_qty=decimal_field(row, f.last_qty),
            last_px=Decimal(secondary[f.last_px]),
            fee_qty=fee,
            fee_asset=cut(asset),
            transact_ns=secondary[f.stamp_ms],
            maker=row.get(f.maker[0]) == f.maker[1],
        )

    def _pages(
        self, endpoint: Callable[[Row], Any], asked: Row, paging: Paging,
        is_past: Callable[[Row], bool] = lambda row: False,
    ) -> Iterator[Row]:  # fmt: skip
        """The rows of every page, until all of one are past what is wanted. Raises BadAnswer where they do not end."""
        beside = paging.first
        for number in range(2, paging.most + 2):
            answer = endpoint({**asked, **beside})
            rows = paging.rows(answer)
            yield from rows
            if not paging.is_full(answer) or all(map(is_past, rows)):
                return
            beside = paging.following(answer, number)
        raise BadAnswer(f"more than {paging.most} pages: look at the venue's own records")

    # ---- the rest

    def _balances(self, ask: Ask) -> Answer:
        return Answer(self._venue, ask, False, balances=tuple(map(self._balance, self._balance_rows())))

    def _ticker(self, ask: Ask) -> Answer:
        told = self._ticker_rows(ask.symbol)
        return Answer(
            self._venue, ask, False, tickers=tuple(read_ticker(symbol, row, self.TICKER) for symbol, row in told)
        )


def _stamp_ns(row: Mapping[str, Any], field: str) -> int:
    """Milliseconds, perhaps with a fraction that is left out, in nanoseconds."""
    return ms_to_ns(Decimal(str(row[field])))

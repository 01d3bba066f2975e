"""How Gate.io's futures are spoken to by a bridge: linear perpetuals, settled in USDT, of an account of one position in
each.

Source: Gate APIv4 documentation, futures, REST and WebSocket v4, as stored 2025-11-25. What they have in common with
spot is inherited: signing, ids, labels, the forms of pushes and of the book. A size counts whole contracts and is below
0 for a sale; `left` is likewise what is not filled of it.

The venue calls a perpetual and the spot pair of its underlying the same. So that nothing that counts by symbol, a limit
above all, takes contracts for coins, our symbol has `SUFFIX` behind the venue's name.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from common.contracts import Contract, InstrumentKind
from common.instant import NS_PER_S
from common.venues.backend import BridgedTerms, HttpCall, Limit, Reply, Signer, TradeFact, Verdict
from common.venues.credentials import HmacAccount
from common.venues.dialect import plain
from common.venues.families.gateio.backend import (
    FILLS_PAGE,
    ORDERS_PAGE,
    TIMES_IN_FORCE,
    GateioBackend,
    Row,
    number_asked,
    span,
    trade_fact,
)
from common.venues.rest import BadAnswer, decimal_field, name_field

SUFFIX = "_PERP"
SETTLE = {"settle": "usdt"}
SETTLED_IN = "USDT"
CONTRACTS_PAGE = 1000
"""The most that one answer has of the list of contracts."""

ONE_POSITION = "single"
"""position_mode."""

FRACTIONS = "fractions of contracts are traded there, which a push may tell as whole ones: leave it out of `symbols`"
WRONG_MODE = "contracts are traded in a classic account with one position in each, and this one has"
_SIDES = {Decimal(1): "buy", Decimal(-1): "sell", Decimal(0): ""}
_LEAST_MS, _LEAST_US = 10**11, 10**14
"""From here on a time is one in milliseconds, and in microseconds: in seconds it would be in the year 5138."""

_STAMPS = ("update_time", "finish_time_ms", "finish_time", "create_time_ms", "create_time")


def name_of_contract(symbol: str) -> str:
    """What the venue calls a symbol of ours."""
    return symbol.removesuffix(SUFFIX)


def symbol_of_contract(name: str) -> str:
    """Our symbol of what the venue calls so."""
    return f"{name}{SUFFIX}"


class GateioFuturesBackend(GateioBackend):
    """A `Backend` with those of `ModedBackend`, `ContractBackend` and `ForgettingBackend`."""

    area = "futures"
    stem = "{settle}/"
    of_area = SETTLE
    pair = "contract"
    amends_by = "PUT"
    websocket_path = ""
    books_path = ""
    forgets_after_ns = 600 * NS_PER_S

    def __init__(self, credentials: HmacAccount, sign: Signer, symbols: Sequence[str]) -> None:
        """`sign` signs what goes over REST, of futures; `symbols` are those that are traded."""
        super().__init__(credentials, sign)
        self._account = credentials.account
        self._symbols = frozenset(symbols)

    def limit(self, what: str, symbol: str) -> Limit:
        """New orders and amendments of all contracts count together; cancels; each kind of question."""
        return Limit("order", 100, NS_PER_S) if what in ("new", "amend") else super().limit(what, symbol)

    def why_not(self, terms: BridgedTerms) -> str:
        """A market order is one at a price of 0 that is immediate or cancelled."""
        if terms.order_qty != terms.order_qty.to_integral_value():
            return "OrderQty(38) is in whole contracts at this venue"
        if terms.price is None and terms.time_in_force != "3":
            return "a market order has TimeInForce(59) 3 at this venue"
        return ""

    # ---- how futures are written

    def name_of(self, symbol: str) -> str:
        """See `GateioBackend`."""
        return name_of_contract(symbol)

    def symbol_of(self, name: str) -> str:
        """See `GateioBackend`."""
        return symbol_of_contract(name)

    def spot_order(self, row: Row) -> Row:
        """See `GateioBackend`."""
        return spot_order(row)

    def spot_fill(self, row: Row) -> Row:
        """See `GateioBackend`."""
        return spot_fill(row)

    def public_trades(self, told: Any) -> tuple[TradeFact, ...]:
        """See `GateioBackend`: a list, each by the taker's side."""
        return tuple(trade_fact(_in_spot_s_words(row)) for row in told)

    def whose(self) -> list[str]:
        """See `GateioBackend`: the user."""
        return [self._account]

    # ---- what is sent

    def terms_of(self, terms: BridgedTerms) -> dict[str, object]:
        """See `GateioBackend`. A price of 0 is that of a market order."""
        asked: dict[str, object] = {
            **self.qty_of(terms), "price": "0" if terms.price is None else plain(terms.price),
            "tif": "poc" if terms.post_only else TIMES_IN_FORCE[terms.time_in_force],
        }  # fmt: skip
        return {**asked, "reduce_only": True} if terms.reduce_only else asked

    def qty_of(self, terms: BridgedTerms) -> dict[str, object]:
        """See `GateioBackend`: below 0 for a sale."""
        return {"size": int(terms.order_qty) if terms.side == "1" else -int(terms.order_qty)}

    def ask_open(self, page: str, wall_ns: int) -> HttpCall:
        """See `Backend`."""
        asked = {**SETTLE, "status": "open", **_page(page, ORDERS_PAGE)}
        return self._sign("GET", "{settle}/orders", asked, wall_ns)

    def ask_ended(self, terms: BridgedTerms, since_ns: int, page: str, wall_ns: int) -> HttpCall:
        """See `Backend`: in the list of orders by time, which has open ones, too."""
        asked = {**SETTLE, "contract": self.name_of(terms.symbol), **_page(page, ORDERS_PAGE)}
        return self._sign("GET", "{settle}/orders_timerange", asked | span(since_ns, wall_ns), wall_ns)

    def ask_fills(self, since_ns: int, page: str, wall_ns: int) -> HttpCall:
        """See `Backend`: whatever has become of their orders."""
        asked = {**SETTLE, **_page(page, FILLS_PAGE)} | span(since_ns, wall_ns)
        return self._sign("GET", "{settle}/my_trades_timerange", asked, wall_ns)

    def ask_fills_of(self, terms: BridgedTerms, order_id: str, page: str, wall_ns: int) -> HttpCall:
        """See `Backend`."""
        asked = {**SETTLE, "contract": self.name_of(terms.symbol), "order": order_id, **_page(page, FILLS_PAGE)}
        return self._sign("GET", "{settle}/my_trades", asked, wall_ns)

    def ask_account(self, wall_ns: int) -> HttpCall:
        """See `ModedBackend`."""
        return self._sign("GET", "{settle}/accounts", SETTLE, wall_ns)

    def ask_contracts(self) -> HttpCall:
        """See `ContractBackend`."""
        return HttpCall("GET", f"/api/v4/futures/usdt/contracts?limit={CONTRACTS_PAGE}")

    # ---- what is answered

    def told(self, what: str, told: Any, call: HttpCall) -> Reply:
        """See `GateioBackend`. Fills come the oldest first: what contracts realise follows from their order."""
        if what == "ask_account":
            why = self._why_not_this_account(told)
            return Reply(Verdict.REFUSED, text=why) if why else Reply(Verdict.DONE)
        if what == "ask_contracts":
            # One of another form that is not traded says nothing of the others.
            rows = {symbol: row for row in told if (symbol := self.symbol_of(str(row.get("name")))) in self._symbols}
            broken = [symbol for symbol, row in rows.items() if row.get("enable_decimal")]
            if broken:
                return Reply(Verdict.REFUSED, text=f"{broken[0]}: {FRACTIONS}")
            return Reply(Verdict.DONE, contracts={symbol: _contract(row) for symbol, row in rows.items()})
        reply = super().told(what, told, call)
        return reply._replace(facts=reply.facts[::-1]) if what.startswith("ask_fills") else reply

    def paged(self, what: str, told: Any, call: HttpCall) -> tuple[list[Row], str]:
        """See `GateioBackend`: a page is asked for by how many rows come before it."""
        rows, limit = list(told), number_asked(call, "limit")
        return rows, str(number_asked(call, "offset") + limit) if len(rows) >= limit else ""

    def _why_not_this_account(self, row: Row) -> str:
        """Of an account of two positions in a contract the same order opens one where it would close the other, and of
        a unified one the margin is another's."""
        if str(row["user"]) != self._account:
            return f"the API key is of the user {row['user']}, and the account's name in [credentials] is another"
        mode = str(row.get("position_mode") or ONE_POSITION)
        if row["in_dual_mode"] or mode != ONE_POSITION:
            return f"{WRONG_MODE} position_mode {mode if mode != ONE_POSITION else 'dual'}"
        if row.get("enable_credit") or row.get("margin_mode"):
            return f"{WRONG_MODE} margin_mode {row.get('margin_mode')}, enable_credit {row.get('enable_credit')}"
        return ""


def _page(page: str, rows: int) -> dict[str, object]:
    return {"offset": page or "0", "limit": str(rows)}


def _contract(row: Row) -> Contract:
    """What one of it is: quanto_multiplier of the base asset, of a linear one."""
    multiplier, is_inverse = decimal_field(row, "quanto_multiplier"), row["type"] != "direct"
    return Contract(InstrumentKind.PERPETUAL, multiplier, is_inverse, SETTLED_IN)


def spot_order(row: Row) -> dict[str, Any]:
    """An order as one of spot is written. Raises BadAnswer. One that closes a position whole, whatever there is of it,
    has a size of 0: it has no side here, and is none of ours."""
    size, left = decimal_field(row, "size"), decimal_field(row, "left")
    if size and abs(left) > abs(size):
        raise BadAnswer(f"size is {row['size']!r}, of which {row['left']!r} is left")
    is_open, is_filled = row["status"] == "open", row.get("finish_as") == "filled"
    if not is_open and row["status"] != "finished":
        raise BadAnswer(f"status is {row['status']!r}")
    return {
        **_in_spot_s_words(row), "text": row.get("text"), "amend_text": row.get("amend_text"), "price": row["price"],
        "status": "open" if is_open else "closed" if is_filled else "cancelled",
        "filled_amount": plain(abs(size) - abs(left) if size else size),
        "update_time_ms": next((int(_ms(row[name])) for name in _STAMPS if row.get(name)), 0),
    }  # fmt: skip


def spot_fill(row: Row) -> dict[str, Any]:
    """A fill as one of spot is written: its fee is in what contracts are settled in, or in points. Raises BadAnswer
    where it has no size."""
    if not decimal_field(row, "size"):
        raise BadAnswer(f"size of a fill is {row['size']!r}")
    return {
        **_in_spot_s_words(row), "order_id": row["order_id"], "text": row.get("text"), "role": row.get("role"),
        "fee": row.get("fee"), "fee_currency": SETTLED_IN, "point_fee": row.get("point_fee"),
    }  # fmt: skip


def _in_spot_s_words(row: Mapping[str, Any]) -> dict[str, Any]:
    """What orders, fills and trades of anybody's have in common."""
    size = decimal_field(row, "size")
    return {
        "id": row["trade_id"] if "trade_id" in row else row["id"],
        "currency_pair": symbol_of_contract(name_field(row, "contract")), "side": _SIDES[size.compare(0)],
        "amount": abs(size), "price": row["price"],
        "create_time_ms": _ms(row.get("create_time_ms") or row["create_time"]),
    }  # fmt: skip


def _ms(stamp: object) -> Decimal:
    """A time in milliseconds: some are told in seconds, with a fraction, and some in microseconds."""
    told = Decimal(str(stamp))
    return told * 1000 if told < _LEAST_MS else told if told < _LEAST_US else told / 1000

"""How Gate.io Spot is spoken to by a bridge: what is of spot alone.

Source: Gate APIv4 documentation, REST and WebSocket v4, as stored 2025-11-25. Our id, `text`, finds an order only while
it is open: what has ended is found by the venue's own id, or in the list of what has ended.
"""

from typing import Any

from common.instant import NS_PER_S
from common.venues.backend import BridgedTerms, HttpCall, Limit, Reply, Signer, Verdict
from common.venues.credentials import HmacSecret
from common.venues.dialect import plain
from common.venues.families.gateio.backend import (
    FILLS_PAGE,
    ORDERS_PAGE,
    TIMES_IN_FORCE,
    GateioBackend,
    Row,
    number_asked,
    span,
)

ACCOUNT = {"account": "spot"}
CLASSIC = 1
NOT_CLASSIC = "the API key is of a unified account, and the bridge trades classic ones: use a key of one"
_SIDES = {"1": "buy", "2": "sell"}


class GateioSpotBackend(GateioBackend):
    """A `Backend` with that of `ModedBackend`."""

    area = "spot"
    pair = "currency_pair"
    amends_by = "PATCH"
    websocket_path = "/"
    books_path = "/"

    def __init__(self, credentials: HmacSecret, sign: Signer, sign_account: Signer) -> None:
        """`sign` and `sign_account` sign what goes over REST: of spot, and about the account itself."""
        super().__init__(credentials, sign)
        self._sign_account = sign_account

    def limit(self, what: str, symbol: str) -> Limit:
        """New orders and amendments of each pair count together."""
        return Limit(f"order {symbol}", 10, NS_PER_S) if what in ("new", "amend") else super().limit(what, symbol)

    def why_not(self, terms: BridgedTerms) -> str:
        """A market order to buy is for an amount of the quote asset there."""
        if terms.price is None and terms.side == "1":
            return "a market order to buy has its OrderQty(38) in the quote asset at this venue: send a limit order"
        if terms.price is None and terms.time_in_force == "1":
            return "a market order has TimeInForce(59) 3 or 4 at this venue"
        return ""

    # ---- what is sent

    def terms_of(self, terms: BridgedTerms) -> dict[str, object]:
        """See `GateioBackend`."""
        asked: dict[str, object] = {
            **ACCOUNT, "side": _SIDES[terms.side], "type": "market" if terms.price is None else "limit",
            "amount": plain(terms.order_qty),
            "time_in_force": "poc" if terms.post_only else TIMES_IN_FORCE[terms.time_in_force],
        }  # fmt: skip
        return asked if terms.price is None else {**asked, "price": plain(terms.price)}

    def qty_of(self, terms: BridgedTerms) -> dict[str, object]:
        """See `GateioBackend`."""
        return {"amount": plain(terms.order_qty)}

    def _named(self, terms: BridgedTerms, order_id: str) -> dict[str, object]:
        return {**super()._named(terms, order_id), "currency_pair": terms.symbol, **ACCOUNT}

    def ask_open(self, page: str, wall_ns: int) -> HttpCall:
        """See `Backend`: a page holds so many orders of each pair."""
        return self._sign("GET", "open_orders", {**_page(page, ORDERS_PAGE), **ACCOUNT}, wall_ns)

    def ask_ended(self, terms: BridgedTerms, since_ns: int, page: str, wall_ns: int) -> HttpCall:
        """See `Backend`."""
        asked = {"currency_pair": terms.symbol, "status": "finished", **ACCOUNT, **_page(page, ORDERS_PAGE)}
        return self._sign("GET", "orders", asked | span(since_ns, wall_ns), wall_ns)

    def ask_fills(self, since_ns: int, page: str, wall_ns: int) -> HttpCall:
        """See `Backend`: the span is one of the ends of orders, so the fills of those that are open may be left out."""
        asked = {**_page(page, FILLS_PAGE), **ACCOUNT} | span(since_ns, wall_ns)
        return self._sign("GET", "my_trades", asked, wall_ns)

    def ask_fills_of(self, terms: BridgedTerms, order_id: str, page: str, wall_ns: int) -> HttpCall:
        """See `Backend`."""
        asked = {"currency_pair": terms.symbol, "order_id": order_id, **_page(page, FILLS_PAGE), **ACCOUNT}
        return self._sign("GET", "my_trades", asked, wall_ns)

    def ask_account(self, wall_ns: int) -> HttpCall:
        """See `ModedBackend`."""
        return self._sign_account("GET", "detail", {}, wall_ns)

    # ---- what is answered

    def told(self, what: str, told: Any, call: HttpCall) -> Reply:
        """See `GateioBackend`."""
        if what == "ask_account":
            mode = told["key"]["mode"]
            return Reply(Verdict.DONE) if mode == CLASSIC else Reply(Verdict.REFUSED, str(mode), NOT_CLASSIC)
        return super().told(what, told, call)

    def paged(self, what: str, told: Any, call: HttpCall) -> tuple[list[Row], str]:
        """See `GateioBackend`: a page is asked for by its number."""
        if what == "ask_open":
            rows = [row for pair in told for row in pair["orders"]]
            is_full = any(len(pair["orders"]) >= ORDERS_PAGE for pair in told)
        else:
            rows, is_full = list(told), len(told) >= (ORDERS_PAGE if what == "ask_ended" else FILLS_PAGE)
        return rows, str(number_asked(call, "page") + 1) if is_full else ""


def _page(page: str, rows: int) -> dict[str, str]:
    return {"page": page or "1", "limit": str(rows)}

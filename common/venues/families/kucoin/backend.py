"""How KuCoin is spoken to by a bridge, whatever is traded: REST for what is asked and wanted, the private WebSocket for
what happens.

Source: KuCoin documentation as stored 2025-11-29. CCXT signs, and does nothing else. Every answer is an object of code
and data. A push tells what was filled, and not what that has cost: fees come from the fills over REST, which name the
venue's id of the order alone.
"""

import re
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import msgspec

from common.instant import NS_PER_S
from common.venues.backend import (
    BookFact,
    BridgedTerms,
    Fact,
    FillFact,
    HttpCall,
    Limit,
    OrderFact,
    Push,
    Reply,
    TopicSockets,
    TradeFact,
    Verdict,
    side_of,
    token_stream,
)
from common.venues.dialect import plain
from common.venues.enveloped import EnvelopedAnswers
from common.venues.rest import OF_ANOTHER_FORM, BadAnswer, decimal_field, ms_to_ns, name_field

Row = Mapping[str, Any]

OK = "200000"
UNDECIDED = frozenset({"500000", "408000"})
"""What says that nobody knows: an error within, and that it took too long there."""

SPAN_MS = 7 * 86_400_000
"""Fills and ended orders are told of so long a span of time at once."""

_ID = re.compile(r"[0-9A-Za-z_-]{1,40}")
_SIDES = {"1": "buy", "2": "sell"}
_TIMES_IN_FORCE = {"1": "GTC", "3": "IOC", "4": "FOK"}
_STATUSES = {"received": "0", "open": "0", "match": "1", "update": "1", "filled": "2", "canceled": "4"}
_KINDS = {"welcome": Push.LOGGED_IN, "ack": Push.SUBSCRIBED, "error": Push.REFUSED}
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class KucoinBackend(TopicSockets, EnvelopedAnswers):
    """A `Backend`, as far as all markets have it in common.

    `pools`: a user's requests have some weight in 30 s, of which new orders, cancels and questions have a part each, so
    that neither waits for the others. `is_open`, `updated` and `trade_stamp` are the fields that tell whether an order
    is open, when it changed last, and when a trade of anybody's was, in nanoseconds.
    """

    pools: Mapping[str, tuple[str, int]]
    questions: int
    is_open: str
    updated: str
    trade_stamp: str
    ok = OK
    undecided = UNDECIDED
    processing_ns = 2 * NS_PER_S
    ping_ns = 15 * NS_PER_S
    id_form = "1 to 40 letters, digits, - and _"

    def limit(self, what: str, symbol: str) -> Limit:
        """See `Backend`."""
        name, requests = self.pools.get(what, ("questions", self.questions))
        return Limit(name, requests, 30 * NS_PER_S)

    def takes_id(self, text: str) -> bool:
        """clientOid."""
        return _ID.fullmatch(text) is not None

    # ---- what each market has of its own

    @abstractmethod
    def told_there(self, what: str, data: Any, call: HttpCall) -> Reply:
        """What was told of what not every market tells alike. Raises what reading raises where it has another form."""

    @abstractmethod
    def is_absent(self, what: str, code: str, text: str) -> bool:
        """Whether the venue says that there is no such order; of a cancel, none that is open."""

    @abstractmethod
    def book_change(self, symbol: str, row: Row) -> BookFact:
        """A push of a symbol's book."""

    # ---- what is sent

    def order_of(self, terms: BridgedTerms, size: str | int) -> dict[str, object]:
        """What every new order asks for."""
        asked: dict[str, object] = {
            "clientOid": terms.venue_id, "symbol": terms.symbol, "side": _SIDES[terms.side],
            "type": "market" if terms.price is None else "limit", "size": size,
        }  # fmt: skip
        if terms.price is not None:
            asked |= {"price": plain(terms.price), "timeInForce": _TIMES_IN_FORCE[terms.time_in_force]}
        return asked | ({"postOnly": True} if terms.post_only else {})

    def ask_time(self) -> HttpCall:
        """See `Backend`."""
        return HttpCall("GET", "/api/v1/timestamp")

    # ---- what is answered

    def acted(self, what: str, code: str, text: str, data: Any) -> Reply:
        """See `EnvelopedAnswers`."""
        if code == OK:
            return Reply(Verdict.DONE, code, text, name_field(data, "orderId") if what == "new" else "")
        if what != "new" and self.is_absent(what, code, text):
            return Reply(Verdict.ABSENT, code, text)
        if "clientoid" in text.lower():
            # That the id was used says that the venue has such an order, by whatever way it came.
            return Reply(Verdict.UNKNOWN, code, text)
        return Reply(Verdict.REFUSED, code, text)

    def is_no_order(self, code: str, text: str, data: Any) -> bool:
        """See `EnvelopedAnswers`."""
        return self.is_absent("ask_order", code, text) or (code == OK and data is None)

    def told(self, what: str, data: Any, call: HttpCall) -> Reply:
        """See `EnvelopedAnswers`."""
        if what == "ask_time":
            return Reply(Verdict.DONE, venue_ns=ms_to_ns(data))
        if what == "ask_stream":
            return Reply(Verdict.DONE, stream=token_stream(data))
        if what == "ask_order":
            return Reply(Verdict.DONE, facts=(self.order_fact(data),))
        return self.told_there(what, data, call)

    def order_fact(self, row: Row) -> OrderFact:
        """An order as REST tells it. No word says how it ended: it is full, or it was cancelled."""
        qty, filled = decimal_field(row, "size"), decimal_field(row, "dealSize")
        ended = "2" if filled >= qty else "4"
        status = ("1" if filled else "0") if row[self.is_open] is True else ended
        price = decimal_field(row, "price") if row["type"] == "limit" else None
        return OrderFact(
            str(row.get("clientOid") or ""), name_field(row, "id"), name_field(row, "symbol"), status, qty, price,
            filled, ms_to_ns(row.get(self.updated) or row["createdAt"]), side_of(row.get("side")),
        )  # fmt: skip

    # ---- the private WebSocket

    def read_push(self, text: str) -> tuple[Push, tuple[Fact, ...]]:
        """See `Backend`. The topic of a push may have its symbol behind it."""
        try:
            told = _decode(text)
            if str(told.get("topic") or "").partition(":")[0] == self.orders_topic:
                return Push.OTHER, (_pushed(told["data"]),)
            return _KINDS.get(str(told.get("type")), Push.OTHER), ()
        except (msgspec.DecodeError, *OF_ANOTHER_FORM) as error:
            raise BadAnswer(f"a push cannot be read: {error}") from error

    # ---- the public WebSocket

    def read_prices(self, text: str) -> tuple[Push, tuple[BookFact | TradeFact, ...]]:
        """See `BookBackend`."""
        try:
            told = _decode(text)
            topic = str(told.get("topic") or "")
            if topic.startswith(self.trades_topic):
                return Push.OTHER, (self._trade(told["data"]),)
            if topic.startswith(self.books_topic):
                return Push.OTHER, (self.book_change(topic.removeprefix(self.books_topic), told["data"]),)
            kind = _KINDS.get(str(told.get("type")), Push.OTHER)
            return (Push.OTHER if kind is Push.SUBSCRIBED else kind), ()
        except (msgspec.DecodeError, *OF_ANOTHER_FORM) as error:
            raise BadAnswer(f"prices cannot be read: {error}") from error

    def _trade(self, row: Row) -> TradeFact:
        return TradeFact(
            name_field(row, "symbol"), name_field(row, "tradeId"), decimal_field(row, "price"),
            decimal_field(row, "size"), side_of(row.get("side")), int(row[self.trade_stamp]),
        )  # fmt: skip


def fill_fact(row: Row) -> FillFact:
    """A fill. It has no id of ours."""
    return FillFact(
        "", name_field(row, "orderId"), name_field(row, "symbol"), name_field(row, "tradeId"),
        decimal_field(row, "price"), decimal_field(row, "size"), decimal_field(row, "fee"),
        str(row.get("feeCurrency") or ""), row.get("liquidity") == "maker", ms_to_ns(row["createdAt"]),
        side_of(row.get("side")),
    )  # fmt: skip


def _pushed(row: Row) -> OrderFact:
    """The order as it stands. What a match has cost is asked for: it is not told here. Neither orderType nor clientOid
    is in every push: one without a price is of a market order, and the venue's id names it, too."""
    kind, filled = str(row["type"]), decimal_field(row, "filledSize")
    status = _STATUSES[kind]
    status = "0" if status == "1" and not filled else status
    has_price = row.get("price") and row.get("orderType") != "market"
    price = decimal_field(row, "price") if has_price else None
    return OrderFact(
        str(row.get("clientOid") or ""), name_field(row, "orderId"), name_field(row, "symbol"), status,
        decimal_field(row, "size"), price or None, filled, int(row["ts"]), side_of(row.get("side")),
    )  # fmt: skip

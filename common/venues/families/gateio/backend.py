"""How Gate.io is spoken to by a bridge, whatever is traded: REST for what is asked and wanted, the private WebSocket
for what happens.

Source: Gate APIv4 documentation, REST and WebSocket v4, as stored 2025-11-25. CCXT signs what goes over REST, and does
nothing else. Failures are an HTTP status with a label, which decides. A new order and an amendment carry
x-gate-exptime, after which, by the venue's clock, they are refused.
"""

import hashlib
import hmac
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

import msgspec

from common.instant import NS_PER_MS, NS_PER_S
from common.venues.backend import (
    NO_CALL,
    AmendFact,
    BookFact,
    BookRows,
    BridgedTerms,
    Fact,
    FillFact,
    HttpCall,
    Limit,
    OrderFact,
    Push,
    Reply,
    Signer,
    SymbolGuard,
    TradeFact,
    Verdict,
    book_rows,
    side_of,
)
from common.venues.credentials import HmacSecret
from common.venues.dialect import plain
from common.venues.rest import AHEAD_NS, OF_ANOTHER_FORM, BadAnswer, decimal_field, ms_to_ns, name_field

Row = Mapping[str, Any]

PREFIX = "t-"
"""What a client's own id begins with; other texts are the venue's."""

UNDECIDED = frozenset({"SERVER_ERROR", "INTERNAL", "TOO_BUSY"})
"""Labels that say that nobody knows, whatever the status beside them."""

GONE = frozenset(
    {
        "ORDER_NOT_FOUND", "CLIENT_ID_NOT_FOUND", "ORDER_CLOSED", "ORDER_CANCELLED", "ORDER_FINISHED",
    }
)  # fmt: skip
"""The order of a cancel, an amendment or a question is not open, or never was: it has to be looked for."""

DONE_STATUSES = (200, 201)
ORDERS_PAGE, FILLS_PAGE = 100, 1000
MOST_NS = 29 * 24 * 3600 * NS_PER_S
"""A question by time spans at most 30 days, and one that names only its beginning 7 of them."""

BOOK_DEPTH = "400"
STATES = {"open": "0", "closed": "2", "cancelled": "4"}
_ID = re.compile(r"[0-9A-Za-z_.-]{1,28}")
TIMES_IN_FORCE = {"1": "gtc", "3": "ioc", "4": "fok"}
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(float_hook=Decimal).decode


class GateioBackend(SymbolGuard, ABC):
    """A `Backend`, as far as all markets have it in common. `area` is what the names of channels begin with, `stem` the
    paths of its endpoints; `of_area` goes with each request, and `pair` is the field that names what is traded.
    """

    area: str
    stem = ""
    of_area: Mapping[str, str] = {}
    pair: str
    amends_by: str
    processing_ns = 2 * NS_PER_S
    ping_ns = 15 * NS_PER_S
    websocket_path: str
    books_path: str
    greets = False
    id_form = "1 to 28 letters, digits, points, hyphens and underscores"

    def __init__(self, credentials: HmacSecret, sign: Signer) -> None:
        """`sign` signs what goes over REST, of this area."""
        self._credentials = credentials
        self._sign = sign

    # ---- what each area has of its own

    @abstractmethod
    def terms_of(self, terms: BridgedTerms) -> dict[str, object]:
        """What a new order asks for, beside its name and what it is for."""

    @abstractmethod
    def qty_of(self, terms: BridgedTerms) -> dict[str, object]:
        """The quantity that an amendment asks for."""

    @abstractmethod
    def paged(self, what: str, told: Any, call: HttpCall) -> tuple[list[Row], str]:
        """The rows of a page, and which one follows, "" for none."""

    def limit(self, what: str, symbol: str) -> Limit:
        """Cancels; each kind of question."""
        if what == "cancel":
            return Limit(what, 200, NS_PER_S)
        return Limit("my_trades" if what.startswith("ask_fills") else what, 200, 10 * NS_PER_S)

    # ---- how the area is written

    def name_of(self, symbol: str) -> str:
        """What the venue calls a symbol of ours."""
        return symbol

    def symbol_of(self, name: str) -> str:
        """Our symbol of what the venue calls so."""
        return name

    def spot_order(self, row: Row) -> Row:
        """An order of the area as one of spot is written."""
        return row

    def spot_fill(self, row: Row) -> Row:
        """A fill of the area likewise."""
        return row

    def takes_id(self, text: str) -> bool:
        """What may follow "t-" in `text`."""
        return _ID.fullmatch(text) is not None

    # ---- what is sent

    def new(self, terms: BridgedTerms, wall_ns: int, last_venue_ns: int) -> HttpCall:
        """See `Backend`."""
        name = self.name_of(terms.symbol)
        asked = {**self.of_area, "text": _text_of(terms), self.pair: name, **self.terms_of(terms)}
        return _by_last_moment(self._sign("POST", f"{self.stem}orders", asked, wall_ns), last_venue_ns)

    def amend(self, terms: BridgedTerms, request_id: str, wall_ns: int, last_venue_ns: int) -> HttpCall:
        """See `Backend`: whoever tells of the order afterwards tells `request_id` with it."""
        asked = {**self._named(terms, ""), **self.qty_of(terms), "amend_text": request_id}
        asked |= {} if terms.price is None else {"price": plain(terms.price)}
        return _by_last_moment(
            self._sign(self.amends_by, f"{self.stem}orders/{{order_id}}", asked, wall_ns), last_venue_ns
        )

    def cancel(self, terms: BridgedTerms, wall_ns: int) -> HttpCall:
        """See `Backend`."""
        return self._sign("DELETE", f"{self.stem}orders/{{order_id}}", self._named(terms, ""), wall_ns)

    def ask_order(self, terms: BridgedTerms, order_id: str, wall_ns: int) -> HttpCall:
        """See `Backend`: by the venue's id where it is known, since ours finds no order that ended long ago."""
        return self._sign("GET", f"{self.stem}orders/{{order_id}}", self._named(terms, order_id), wall_ns)

    def _named(self, terms: BridgedTerms, order_id: str) -> dict[str, object]:
        """An order by `order_id`, else by our id, else, where it is none of ours, by the venue's."""
        name = order_id or (_text_of(terms) if terms.venue_id else terms.order_id)
        return {**self.of_area, "order_id": name}

    def arm(self, names: Sequence[str], former: Sequence[str], wall_ns: int) -> list[HttpCall]:
        """See `GuardingBackend`: one by one."""
        wanted = dict.fromkeys(former, 0) | dict.fromkeys(names, self.guard_s)
        path = f"{self.stem}countdown_cancel_all"
        return [
            self._sign(
                "POST", path, {**self.of_area, "timeout": seconds, self.pair: self.name_of(name)}, wall_ns
            )
            for name, seconds in wanted.items()
        ]

    def ask_time(self) -> HttpCall:
        """See `Backend`."""
        return HttpCall("GET", "/api/v4/spot/time")

    # ---- what is answered

    def read(self, what: str, status: int, body: bytes, call: HttpCall = NO_CALL) -> Reply:
        """See `Backend`."""
        try:
            told = _decode(body)
            if isinstance(told, dict) and "label" in told:
                return _failed(what, status, str(told["label"]), str(told.get("message") or ""))
            if status not in DONE_STATUSES:
                return Reply(Verdict.UNKNOWN, str(status), "")
            return self.told(what, told, call)
        except (msgspec.DecodeError, *OF_ANOTHER_FORM) as error:
            return Reply(Verdict.UNKNOWN, str(status), f"{type(error).__name__}: {error}"[:200])

    def told(self, what: str, told: Any, call: HttpCall) -> Reply:
        """What was done, or told of what was asked. Raises what reading raises where it has another form."""
        if what == "ask_time":
            return Reply(Verdict.DONE, venue_ns=ms_to_ns(told["server_time"]))
        if what == "arm":
            return Reply(Verdict.DONE, text=str(told["triggerTime"]))
        if what == "new":
            # How far it came is told by pushes, with its trades; of the answer only that the venue has it.
            return Reply(Verdict.DONE, order_id=name_field(told, "id"))
        if what in ("amend", "cancel", "ask_order"):
            return Reply(Verdict.DONE, order_id=name_field(told, "id"), facts=tuple(self._order_facts(told)))
        rows, page = self.paged(what, told, call)
        if what.startswith("ask_fills"):
            return Reply(Verdict.DONE, facts=tuple(_fill(self.spot_fill(row)) for row in rows), next_page=page)
        return Reply(Verdict.DONE, facts=tuple(_order(self.spot_order(row)) for row in rows), next_page=page)

    def _order_facts(self, told: Row) -> list[Fact]:
        """The order, and before it that the amendment which it names was carried out."""
        row = self.spot_order(told)
        order, amended = _order(row), str(row.get("amend_text") or "-")
        done = [] if amended == "-" else [AmendFact(order.venue_id, amended, True, "")]
        return [*done, order]

    # ---- the private WebSocket

    def login(self, wall_ns: int) -> str:
        """See `Backend`: each subscription is signed by itself, and this is the one to fills."""
        return self._subscription("usertrades", wall_ns)

    def subscribe(self, wall_ns: int) -> str:
        """See `Backend`."""
        return self._subscription("orders", wall_ns)

    def whose(self) -> list[str]:
        """What a subscription to what is private names before the pairs."""
        return []

    def _subscription(self, name: str, wall_ns: int) -> str:
        stamp_s, channel = wall_ns // NS_PER_S, f"{self.area}.{name}"
        signed = f"channel={channel}&event=subscribe&time={stamp_s}".encode()
        signature = hmac.new(self._credentials.secret, signed, hashlib.sha512).hexdigest()
        auth = {"method": "api_key", "KEY": self._credentials.api_key, "SIGN": signature}
        asked = {"time": stamp_s, "channel": channel, "event": "subscribe", "payload": [*self.whose(), "!all"]}
        return _encode({**asked, "auth": auth}).decode()

    def ping(self, wall_ns: int) -> str:
        """See `Backend`."""
        return _encode({"time": wall_ns // NS_PER_S, "channel": f"{self.area}.ping"}).decode()

    def read_push(self, text: str) -> tuple[Push, tuple[Fact, ...]]:
        """See `Backend`."""
        try:
            told = _decode(text.encode())
            channel, event = told.get("channel"), told.get("event")
            are_fills = channel == f"{self.area}.usertrades"
            if not are_fills and channel != f"{self.area}.orders":
                return Push.OTHER, ()
            if told.get("error"):
                return Push.REFUSED, ()
            if event == "subscribe":
                return (Push.LOGGED_IN if are_fills else Push.SUBSCRIBED), ()
            if event != "update":
                return Push.OTHER, ()
            if are_fills:
                return Push.OTHER, tuple(_fill(self.spot_fill(row)) for row in told["result"])
            return Push.OTHER, tuple(fact for row in told["result"] for fact in self._order_facts(row))
        except (msgspec.DecodeError, *OF_ANOTHER_FORM) as error:
            raise BadAnswer(f"a push cannot be read: {error}") from error

    # ---- the public WebSocket

    def subscribe_books(self, symbols: Sequence[str], wall_ns: int) -> list[str]:
        """See `BookBackend`: the second version of the order book, which begins with all of it."""
        return [
            self._public("subscribe", "obu", [self._stream(symbol) for symbol in symbols], wall_ns),
            self._public("subscribe", "trades", [self.name_of(symbol) for symbol in symbols], wall_ns),
        ]

    def renew_book(self, symbol: str, wall_ns: int) -> list[str]:
        """See `BookBackend`."""
        stream = self._stream(symbol)
        return [self._public(event, "obu", [stream], wall_ns) for event in ("unsubscribe", "subscribe")]

    def _public(self, event: str, name: str, payload: list[str], wall_ns: int) -> str:
        channel = f"{self.area}.{name}"
        asked = {"time": wall_ns // NS_PER_S, "channel": channel, "event": event, "payload": payload}
        return _encode(asked).decode()

    def _stream(self, symbol: str) -> str:
        return f"ob.{self.name_of(symbol)}.{BOOK_DEPTH}"

    def ask_book(self, symbol: str, wall_ns: int) -> None:  # noqa: B027 - nothing is asked, at any of them
        """The WebSocket begins with it."""

    def read_prices(self, text: str) -> tuple[Push, tuple[BookFact | TradeFact, ...]]:
        """See `BookBackend`. U is the number of a push's first change, u of its last."""
        try:
            told = _decode(text.encode())
            area, _, name = str(told.get("channel")).partition(".")
            row = told.get("result")
            if told.get("error"):
                return Push.REFUSED, ()
            if area != self.area or name not in ("obu", "trades") or told.get("event") != "update":
                return Push.OTHER, ()
            if name == "trades":
                return Push.OTHER, self.public_trades(row)
            whole, last = row.get("full") is True, int(row["u"])
            symbol = self.symbol_of(name_field(row, "s").split(".")[1])
            bids, offers = book_rows(row.get("b") or ()), book_rows(row.get("a") or ())
            return Push.OTHER, (BookFact(symbol, whole, bids, offers, last if whole else int(row["U"]), last),)
        except (msgspec.DecodeError, *OF_ANOTHER_FORM) as error:
            raise BadAnswer(f"prices cannot be read: {error}") from error

    def public_trades(self, told: Any) -> tuple[TradeFact, ...]:
        """A push of anybody's trades, here of one."""
        return (trade_fact(told),)

    def book_sum(self, bids: BookRows, offers: BookRows) -> str:
        """There is none: numbers tell a gap."""
        return ""


def trade_fact(row: Row) -> TradeFact:
    """A trade of anybody's, as it is written for spot."""
    return TradeFact(
        name_field(row, "currency_pair"), name_field(row, "id"), decimal_field(row, "price"),
        decimal_field(row, "amount"), side_of(row.get("side")), ms_to_ns(Decimal(str(row["create_time_ms"]))),
    )  # fmt: skip


def _text_of(terms: BridgedTerms) -> str:
    """`text` of an order of ours."""
    return f"{PREFIX}{terms.venue_id}"


def number_asked(call: HttpCall, name: str) -> int:
    """A number of the query of a question."""
    return int(parse_qs(call.target.partition("?")[2])[name][0])


def span(since_ns: int, wall_ns: int) -> dict[str, str]:
    """From that time on, in whole seconds and as far back as can be asked, to somewhat later than now."""
    return {"from": str(max(since_ns, wall_ns - MOST_NS) // NS_PER_S), "to": str((wall_ns + AHEAD_NS) // NS_PER_S)}


def _by_last_moment(call: HttpCall, last_venue_ns: int) -> HttpCall:
    """With the last moment, which is not signed."""
    return call._replace(headers=(*call.headers, ("x-gate-exptime", str(last_venue_ns // NS_PER_MS))))


def _failed(what: str, status: int, label: str, text: str) -> Reply:
    """A label of what was asked. What has none of these meanings was not done."""
    if status >= 500 or label in UNDECIDED:
        return Reply(Verdict.UNKNOWN, label, text)
    if label in GONE and what != "new":
        return Reply(Verdict.ABSENT, label, text)
    return Reply(Verdict.REFUSED if what in ("new", "amend", "cancel") else Verdict.UNKNOWN, label, text)


def _venue_id(row: Row) -> str:
    """Ours, "" for what was not placed with one."""
    text = str(row.get("text") or "")
    return text.removeprefix(PREFIX) if text.startswith(PREFIX) else ""


def _state(row: Row) -> str:
    """OrdStatus(39). REST tells `status`; a push tells what has happened, and how it ended."""
    if row.get("status"):
        told = str(row["status"])
    elif row["event"] == "finish":
        told = "closed" if row.get("finish_as") == "filled" else "cancelled"
    else:
        told = "open"
    if told not in STATES:
        raise BadAnswer(f"status is {told!r}")
    return STATES[told]


def _order(row: Row) -> OrderFact:
    price = decimal_field(row, "price") if row.get("price") else Decimal(0)
    amount = decimal_field(row, "amount")
    filled = decimal_field(row, "filled_amount") if row.get("filled_amount") else amount - decimal_field(row, "left")
    return OrderFact(
        _venue_id(row), name_field(row, "id"), name_field(row, "currency_pair"), _state(row), amount, price or None,
        filled, ms_to_ns(row.get("update_time_ms") or 0), side_of(row.get("side")),
    )  # fmt: skip


def _fill(row: Row) -> FillFact:
    fee, asset = paid_fee(row)
    return FillFact(
        _venue_id(row), name_field(row, "order_id"), name_field(row, "currency_pair"), name_field(row, "id"),
        decimal_field(row, "price"), decimal_field(row, "amount"), fee, asset, row.get("role") == "maker",
        ms_to_ns(Decimal(str(row.get("create_time_ms") or 0))), side_of(row.get("side")),
    )  # fmt: skip


def paid_fee(row: Row) -> tuple[Decimal, str]:
    """A fill's fee and the asset that it was taken in: the bought or the quote asset, or instead GT or points, which
    other fields tell."""
    asset = str(row.get("fee_currency") or "")
    for field, paid_in in (("fee", asset), ("gt_fee", "GT"), ("point_fee", "POINT")):
        fee = decimal_field(row, field) if row.get(field) else Decimal(0)
        if fee:
            return fee, paid_in
    return Decimal(0), asset

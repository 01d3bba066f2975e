"""What a bridge asks of a venue that has no FIX: requests as bytes, and what its answers and pushes mean, in our words.

A back end is pure, and spells one venue. Codes decide what an answer means, and whether bytes have left; the class of
an error never does.
"""

import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple, Protocol, runtime_checkable
from urllib.parse import quote

import msgspec

from common.contracts import Contract
from common.instant import NS_PER_MS
from common.venues.rest import RestSettings


class Verdict(enum.Enum):
    """What an answer says of what was asked."""

    DONE = "it was done, or taken to be done"
    REFUSED = "it was not done, and never will be"
    UNKNOWN = "nobody knows whether it was or will be done"
    ABSENT = "there is no such order, as far as the venue can see now"


class HttpCall(NamedTuple):
    """One request over HTTP/1.1: `target` is the path with the query. `note` is what its back end wants to know again
    once it is answered, beside what was asked; no byte of it leaves."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    note: str = ""


NO_CALL = HttpCall("", "")
"""Where it does not matter what was asked."""


class Signer(Protocol):
    """What CCXT is used for: a private request with its signature. `path` is the endpoint's, without the version."""

    def __call__(self, method: str, path: str, parameters: Mapping[str, object], wall_ns: int) -> HttpCall: ...


class BridgedTerms(msgspec.Struct, array_like=True, frozen=True):
    """An order as a bridge hands it to a venue. Codes are FIX's: Side(54), OrdType(40), TimeInForce(59).

    `venue_id` is the client's own id of the order at the venue; `price` is None for a market order. `guarded` was so of
    an order that bore the one tag that there was before each client had one. `order_id` is the venue's own, where
    `venue_id` is "": of an order that somebody else has placed. `reduce_only`: it only makes a position in contracts
    smaller. `tag` is what it bears of its client at the venue, see `GuardingBackend`.
    """

    venue_id: str
    symbol: str
    side: str
    ord_type: str
    order_qty: Decimal
    price: Decimal | None
    time_in_force: str = "1"
    post_only: bool = False
    guarded: bool = False
    order_id: str = ""
    reduce_only: bool = False
    tag: str = ""


class OrderFact(NamedTuple):
    """An order as the venue tells it. `ord_status` is OrdStatus(39): "0", "1", "2" or "4"; time in Unix nanoseconds.
    `side` is Side(54), "" where it is not told: such an order is not adopted by a log that has just begun."""

    venue_id: str
    order_id: str
    symbol: str
    ord_status: str
    order_qty: Decimal
    price: Decimal | None
    cum_qty: Decimal
    updated_ns: int
    side: str = ""


class FillFact(NamedTuple):
    """One side of a trade as the venue tells it. A fee that is charged is above 0; `trade_id` is the venue's own, and
    `side` the order's Side(54), "" where it is not told: then nobody hears of it whose order is none of ours."""

    venue_id: str
    order_id: str
    symbol: str
    trade_id: str
    px: Decimal
    qty: Decimal
    fee: Decimal
    fee_asset: str
    maker: bool
    stamp_ns: int
    side: str = ""


def side_of(word: object) -> str:
    """Side(54) of "buy" and "sell", "" of anything else."""
    return {"buy": "1", "sell": "2"}.get(str(word), "")


class AmendFact(NamedTuple):
    """What became of an amendment that the venue had taken; `request_id` is what it was sent under."""

    venue_id: str
    request_id: str
    carried_out: bool
    text: str


Fact = OrderFact | FillFact | AmendFact

BookRows = tuple[tuple[str, str], ...]
"""Prices and quantities as the venue writes them; a quantity of 0 says that the price is gone."""


class BookFact(NamedTuple):
    """What the venue tells of a book: with `whole` all of it, else what has changed.

    Changes have numbers: it begins with `first`, and ends with `last`, 0 and 0 where the venue gives none. `check` is
    the venue's checksum of the book after it, "" for none.
    """

    symbol: str
    whole: bool
    bids: BookRows
    offers: BookRows
    first: int = 0
    last: int = 0
    check: str = ""


class TradeFact(NamedTuple):
    """A trade of anybody's; `taker_side` is the taker's Side(54)."""

    symbol: str
    trade_id: str
    px: Decimal
    qty: Decimal
    taker_side: str
    stamp_ns: int


def book_rows(rows: Iterable[Sequence[object]]) -> BookRows:
    """Of a venue that tells levels as lists, price and quantity first."""
    return tuple((str(row[0]), str(row[1])) for row in rows)


class Reply(NamedTuple):
    """An answer. `code` is the venue's own, `next_page` asks for what follows ("" for nothing), `venue_ns` is its
    clock where that was asked, `stream` the URL of the private WebSocket, `book` a book and `contracts` what a contract
    of each symbol is, likewise."""

    verdict: Verdict
    code: str = ""
    text: str = ""
    order_id: str = ""
    facts: tuple[Fact, ...] = ()
    next_page: str = ""
    venue_ns: int = 0
    stream: str = ""
    book: BookFact | None = None
    contracts: Mapping[str, Contract] = {}  # noqa: RUF012


class Push(enum.Enum):
    """What a message of the private WebSocket is, beside the facts that it tells."""

    LOGGED_IN = "who we are is known"
    SUBSCRIBED = "from here on all orders are told"
    REFUSED = "the login or the subscription is refused"
    OTHER = "nothing to act on"


class Limit(NamedTuple):
    """At most `requests` of a user within `window_ns`, of all that count against the same `name`."""

    name: str
    requests: int
    window_ns: int


class Backend(Protocol):
    """One venue. `processing_ns`: a request that is in has taken effect, or will not, so long after its last moment.

    `id_form` says in words what the venue takes as our id, and `takes_id` whether it takes one. An `order_id` is the
    venue's own, "" where it is not known. Where an answer has pages, `page` is "" for the first.
    """

    processing_ns: int
    ping_ns: int
    websocket_path: str
    id_form: str

    def limit(self, what: str, symbol: str) -> Limit:
        """What a request counts against; `what` is the name of the method that makes it."""

    def takes_id(self, text: str) -> bool: ...

    def why_not(self, terms: BridgedTerms) -> str:
        """Why the venue has no such order, "" where it has."""

    def new(self, terms: BridgedTerms, wall_ns: int, last_venue_ns: int) -> HttpCall:
        """A new order that takes effect by `last_venue_ns` of the venue's clock, or never."""

    def cancel(self, terms: BridgedTerms, wall_ns: int) -> HttpCall:
        """A cancel."""

    def ask_order(self, terms: BridgedTerms, order_id: str, wall_ns: int) -> HttpCall:
        """The order as it stands."""

    def ask_open(self, page: str, wall_ns: int) -> HttpCall:
        """All open orders."""

    def ask_ended(self, terms: BridgedTerms, since_ns: int, page: str, wall_ns: int) -> HttpCall | None:
        """Orders of the symbol that have ended since a time by the venue's clock; None where `ask_order` finds an order
        by our id whether it has ended or not."""

    def ask_fills(self, since_ns: int, page: str, wall_ns: int) -> HttpCall:
        """All fills since a time by the venue's clock. It may leave out those of orders that are open."""

    def ask_fills_of(self, terms: BridgedTerms, order_id: str, page: str, wall_ns: int) -> HttpCall:
        """All fills of one order, whose `order_id` is known."""

    def ask_time(self) -> HttpCall:
        """The venue's clock."""

    def read(self, what: str, status: int, body: bytes, call: HttpCall = NO_CALL) -> Reply:
        """What was answered to `call`, which the method `what` made. Facts of an answer are learned like
        those of a push. Never raises."""

    def login(self, wall_ns: int) -> str:
        """Our first message on the private WebSocket, "" where the venue speaks first."""

    def subscribe(self, wall_ns: int) -> str:
        """The message that asks for all orders."""

    def ping(self, wall_ns: int) -> str:
        """What keeps the connection."""

    def read_push(self, text: str) -> tuple[Push, tuple[Fact, ...]]:
        """What the private WebSocket said. Raises BadAnswer where a fact cannot be read."""


@runtime_checkable
class AmendingBackend(Protocol):
    """What a back end has as well where the venue amends an order, and does not put another one in its place."""

    def amend(
        self, terms: BridgedTerms, request_id: str, wall_ns: int, last_venue_ns: int
    ) -> HttpCall:
        """A change of the order to these terms, its filled part included in the quantity."""


@runtime_checkable
class GuardingBackend(Protocol):
    """What a back end has as well where the venue has a dead man's switch, which cancels unless it is set anew within
    `guard_s`, in seconds. It is set by names, and reaches whatever is open under one: a client's tag, which each of its
    orders bears, or a symbol, and then everybody's orders of it."""

    guard_s: int

    def tag_of(self, client: str) -> str:
        """The tag of a client by its SenderCompID(49); "" where the names are symbols."""

    def arm(self, names: Sequence[str], former: Sequence[str], wall_ns: int) -> list[HttpCall]:
        """Set the switch by these names, and take it back by those `former` ones that are not among them, by one
        request or more; each is read as "arm"."""


class SymbolGuard:
    """What a `GuardingBackend` says of its names where they are symbols."""

    guard_s = 60

    def tag_of(self, client: str) -> str:
        """See `GuardingBackend`."""
        return ""


@runtime_checkable
class TokenBackend(Protocol):
    """What a back end has as well where the private WebSocket is opened with a token that REST gives."""

    def ask_stream(self, wall_ns: int) -> HttpCall:
        """Where the next connection is to be opened; read as "ask_stream", its URL is the answer's `stream`."""


@runtime_checkable
class BookBackend(Protocol):
    """What a back end has as well where the venue tells its books over a public WebSocket. It is opened like the
    private one: at `books_path`, or with a token. `greets`: the venue speaks first, and that is told as LOGGED_IN."""

    books_path: str
    greets: bool

    def ping(self, wall_ns: int) -> str: ...

    def subscribe_books(self, symbols: Sequence[str], wall_ns: int) -> list[str]:
        """The messages that ask for the books and the trades of these symbols."""

    def renew_book(self, symbol: str, wall_ns: int) -> list[str]:
        """The messages that end what is told of a book, and ask for all of it again."""

    def ask_book(self, symbol: str, wall_ns: int) -> HttpCall | None:
        """The whole book over REST, read as "ask_book"; None where the WebSocket begins with it."""

    def read_prices(self, text: str) -> tuple[Push, tuple[BookFact | TradeFact, ...]]:
        """What the public WebSocket said. Raises BadAnswer where something cannot be read."""

    def book_sum(self, bids: BookRows, offers: BookRows) -> str:
        """The checksum of a book, the best prices first; "" where the venue gives none."""


class ChannelBooks:
    """Those messages of a `BookBackend` whose public WebSocket has a channel of books and one of trades, each asked for
    by symbol, and begins a book with all of it. `argument` is what stands in each request beside channel and symbol.
    """

    books_channel: str
    trades_channel: str
    argument: Mapping[str, str] = {}

    def subscribe_books(self, symbols: Sequence[str], wall_ns: int) -> list[str]:
        """See `BookBackend`."""
        return [self._channel("subscribe", name, symbols) for name in (self.books_channel, self.trades_channel)]

    def renew_book(self, symbol: str, wall_ns: int) -> list[str]:
        """See `BookBackend`."""
        return [self._channel(op, self.books_channel, (symbol,)) for op in ("unsubscribe", "subscribe")]

    def ask_book(self, symbol: str, wall_ns: int) -> None:
        """The WebSocket begins with it."""

    def _channel(self, op: str, channel: str, symbols: Sequence[str]) -> str:
        arguments = [{**self.argument, "channel": channel, "instId": symbol} for symbol in symbols]
        return msgspec.json.encode({"op": op, "args": arguments}).decode()


class TopicSockets:
    """What a `TokenBackend` says on WebSockets of topics, where the venue speaks first and the token says who we are:
    `orders_topic` is the account's, `books_topic` and `trades_topic` begin those that name symbols behind them.
    """

    orders_topic: str
    books_topic: str
    trades_topic: str
    websocket_path = ""
    books_path = ""
    greets = True
    _sign: Signer

    def ask_stream(self, wall_ns: int) -> HttpCall:
        """See `TokenBackend`: a token that is good for one day and asked for anew for each connection."""
        call = self._sign("POST", "bullet-private", {}, wall_ns)
        return call._replace(headers=(*call.headers, ("Content-Length", "0")))

    def login(self, wall_ns: int) -> str:
        """See `Backend`: the token says who we are."""
        return ""

    def subscribe(self, wall_ns: int) -> str:
        """See `Backend`."""
        asked = {"type": "subscribe", "topic": self.orders_topic, "privateChannel": True, "response": True}
        return _named(wall_ns, asked)

    def ping(self, wall_ns: int) -> str:
        """See `Backend`."""
        return _named(wall_ns, {"type": "ping"})

    def subscribe_books(self, symbols: Sequence[str], wall_ns: int) -> list[str]:
        """See `BookBackend`."""
        names = ",".join(symbols)
        topics = f"{self.books_topic}{names}", f"{self.trades_topic}{names}"
        return [_named(wall_ns, {"type": "subscribe", "topic": topic}) for topic in topics]

    def renew_book(self, symbol: str, wall_ns: int) -> list[str]:
        """See `BookBackend`."""
        topic = f"{self.books_topic}{symbol}"
        return [_named(wall_ns, {"type": kind, "topic": topic}) for kind in ("unsubscribe", "subscribe")]

    def book_sum(self, bids: BookRows, offers: BookRows) -> str:
        """See `BookBackend`. There is none: numbers tell a gap."""
        return ""


def _named(wall_ns: int, message: Mapping[str, object]) -> str:
    """The message with an id of its own: the time, in milliseconds."""
    return msgspec.json.encode({"id": str(wall_ns // NS_PER_MS), **message}).decode()


def token_stream(data: Any) -> str:
    """Where a `TokenBackend`'s next connection is opened, by the `data` of the answer that gave the token. Raises what
    reading raises where it has another form."""
    return f"{data['instanceServers'][0]['endpoint']}?token={quote(data['token'])}"


@runtime_checkable
class ForgettingBackend(Protocol):
    """What a back end says as well whose venue forgets orders that were cancelled unfilled: `forgets_after_ns` after
    the end of one it may not be found by any id."""

    forgets_after_ns: int


@runtime_checkable
class LingeringBackend(Protocol):
    """What a back end says as well where new orders of some symbols bear no last moment: one that has left in time may
    take effect later."""

    def lingers_ns(self, symbol: str) -> int:
        """How much later, by the venue's clock, 0 for a symbol whose orders bear one."""


@runtime_checkable
class ModedBackend(Protocol):
    """What a back end has as well where an account may be of another mode, in which the same requests mean something
    else."""

    def ask_account(self, wall_ns: int) -> HttpCall:
        """The account's mode; read as "ask_account": done where the requests are made for it, refused where not."""


@runtime_checkable
class ContractBackend(Protocol):
    """What a back end has as well where contracts are traded: an order counts in them, so that what one of them is has
    to be the venue's own word."""

    def ask_contracts(self) -> HttpCall:
        """What a contract of each symbol is; read as "ask_contracts", the answer has `contracts`."""


def counted_window(wall_ns: int, last_venue_ns: int) -> tuple[int, int]:
    """For a venue that counts an order's window from a time that we give: that time, and the window to the last moment,
    in milliseconds. A clock of ours that is ahead of the last moment is set back to it: a window is above 0."""
    last_ms = last_venue_ns // NS_PER_MS
    stamp_ms = min(wall_ns // NS_PER_MS, last_ms - 1)
    return stamp_ms, last_ms - stamp_ms


OpenBackend = Callable[[RestSettings], Backend]
"""What a profile's `backend` names. Raises ValueError where the credentials are of no use."""

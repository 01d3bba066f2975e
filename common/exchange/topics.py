"""A WebSocket of topics: opened with a token that REST gave, where the exchange speaks first, and each topic is asked
for by its name. Those of an account are told to whoever came with a token that was signed for.

A venue's gateway names its topics and writes what is told; how they are asked for and who hears of what is here.
"""

from abc import abstractmethod
from collections.abc import Set as AbstractSet
from urllib.parse import parse_qs

import msgspec

from common.exchange.changes import Traded
from common.exchange.faults import Kind
from common.exchange.tokens import Tokens
from common.exchange.venue import Venue
from common.exchange.websocket import Listener, WebSocketGateway
from common.instant import NS_PER_MS, Instant

PING_INTERVAL_MS, PING_TIMEOUT_MS = 18_000, 10_000
"""What is told with a token: how often a client says something, and how long it may be late."""

Row = dict[str, object]

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, object]).decode


class TopicGateway(WebSocketGateway):
    """An `OrderGateway` that nobody orders through. `books` and `trades` begin the topics that name symbols behind
    them."""

    books: str
    trades: str

    def __init__(self, venue: Venue, tokens: Tokens) -> None:
        super().__init__(venue, (), (PING_INTERVAL_MS + PING_TIMEOUT_MS) * NS_PER_MS)
        self._tokens = tokens
        self._accounts: dict[int, tuple[str, int]] = {}
        self._topics: dict[int, set[str]] = {}
        self._trades: set[tuple[int, str]] = set()

    # ---- what each venue has of its own

    @abstractmethod
    def _is_private(self, topic: str) -> bool:
        """Whether that is a topic of an account."""

    @abstractmethod
    def _follow_book(self, number: int, symbol: str, now: Instant) -> None:
        """The connection of that number listens to a book from here on."""

    @abstractmethod
    def _leave_book(self, number: int, symbol: str) -> None:
        """It listens to it no more, to none of them where `symbol` is ""."""

    # ---- connections

    def _admits(self, target: str) -> bool:
        """Whoever comes: what is wrong with his token he is told over the connection."""
        return True

    def _opened(self, listener: Listener, now: Instant) -> None:
        query = parse_qs(listener.path.partition("?")[2])
        token, name = query.get("token", [""])[0], query.get("connectId", [""])[0]
        known = None if self._venue.faults.strikes(Kind.REFUSE, "websocket") else self._tokens.account(token, now)
        if known is None:
            self._error(listener, name, 401, "token is invalid", now)
            self._close(listener)
            return
        self._accounts[listener.line.number] = known
        self._answer(listener, {"id": name, "type": "welcome"}, now)

    def _ended(self, listener: Listener) -> None:
        number_ = listener.line.number
        self._accounts.pop(number_, None)
        self._topics.pop(number_, None)
        self._leave_book(number_, "")
        self._trades = {place for place in self._trades if place[0] != number_}

    def timer(self, now: Instant) -> None:
        """Close what was silent for too long, and what was opened with a token that is no good any more."""
        super().timer(now)
        for number_, (_, until_ns) in list(self._accounts.items()):
            if until_ns <= now.wall_ns:
                self._close(self._listeners[number_])

    # ---- what is asked

    def _heard(self, listener: Listener, text: str, now: Instant) -> None:
        try:
            asked = _decode(text)
            kind, name = str(asked["type"]), str(asked["id"])
        except (msgspec.DecodeError, KeyError):
            self._error(listener, "", 400, "the message is of another form", now)
            return
        if kind == "ping":
            self._answer(listener, {"id": name, "type": "pong", "timestamp": now.wall_ns // 1000}, now)
        elif kind in ("subscribe", "unsubscribe") and listener.line.number in self._accounts:
            done = self._subscribe(listener, name, kind, str(asked.get("topic", "")), now)
            if done and asked.get("response"):
                self._answer(listener, {"id": name, "type": "ack"}, now)
        else:
            self._error(listener, name, 404, f"type {kind} is not supported", now)

    def _subscribe(self, listener: Listener, name: str, kind: str, topic: str, now: Instant) -> bool:
        """Whether it was done; why not is told."""
        number_, wanted = listener.line.number, kind == "subscribe"
        if self._is_private(topic):
            if self._accounts[number_][0] == Tokens.PUBLIC:
                self._error(listener, name, 403, "login is required", now)
                return False
            topics = self._topics.setdefault(number_, set())
            (topics.add if wanted else topics.discard)(topic)
            return True
        symbols = topic.partition(":")[2].split(",") if topic.startswith((self.books, self.trades)) else []
        if not symbols or not all(symbol in self._venue.state.books for symbol in symbols):
            self._error(listener, name, 404, f"topic {topic} is not found", now)
            return False
        if topic.startswith(self.trades):
            places = {(number_, symbol) for symbol in symbols}
            self._trades = self._trades | places if wanted else self._trades - places
            return True
        for symbol in symbols:
            self._leave_book(number_, symbol)
            if wanted:
                self._follow_book(number_, symbol, now)
        return True

    def _answer(self, listener: Listener, answer: Row, now: Instant) -> None:
        self._tell(listener, _encode(answer).decode(), now)

    def _error(self, listener: Listener, name: str, code: int, text: str, now: Instant) -> None:
        self._answer(listener, {"id": name, "type": "error", "code": code, "data": text}, now)

    def announce(self, headline: str, now: Instant) -> None:
        """Nothing is said before an end."""

    # ---- what is told

    def _push_row(self, number: int, topic: str, subject: str, row: Row, now: Instant) -> None:
        """What nobody asked for, of a topic that everybody may hear."""
        push = {"type": "message", "topic": topic, "subject": subject, "data": row}
        self._push(self._listeners[number], _encode(push).decode(), now)

    def _push_private(self, account: str, topics: AbstractSet[str], subject: str, row: Row, now: Instant) -> None:
        """The same to each connection of the account, once for each of these topics that it listens to."""
        for number_, heard in list(self._topics.items()):
            if self._accounts[number_][0] == account:
                for topic in sorted(heard & topics):
                    told = {
                        "type": "message", "topic": topic, "subject": subject, "channelType": "private",
                        "userId": account, "data": row,
                    }  # fmt: skip
                    self._push(self._listeners[number_], _encode(told).decode(), now)

    def _push_trade(self, trade: Traded, subject: str, row: Row, now: Instant) -> None:
        """A trade to whoever listens to its symbol's."""
        for number_, symbol in self._trades:
            if symbol == trade.symbol:
                self._push_row(number_, f"{self.trades}{symbol}", subject, row, now)

"""The strategies' end of the order entry link as orders sees it: who has which name, and the events to resume from.

A strategy's name belongs to the instance that said hello last. Its events are kept in a ring, so that one that comes
back can go on from the last (LSN, index) that it saw; one for whom the ring is too short gets the state as it is
instead. An event that finds the client's queue full would tear a hole, so that client gets nothing more until it says
hello again.
"""

from collections import OrderedDict, deque

import msgspec

from common.actor.core import Core, Send
from common.messages import (
    AFTER_ALL_EVENTS,
    PROTOCOL,
    CommandOutcome,
    EntryAnswer,
    Hello,
    OrderEvent,
    StatusChanged,
    Welcome,
    older_event,
)
from common.orders.books import Books

RING_EVENTS = 4096
"""Events kept for each strategy: at 1,000 orders a second the last second or so."""

STRATEGIES = 256
"""Strategies whose ring is kept; the one quiet for longest loses its ring first, and is told the state as it is."""

class StandingNames:
    """Names (LSN, index) for what is told as it stands after a record, and not as that record's event: each once."""

    def __init__(self, books: Books) -> None:
        """The names are behind every event of the last record that `books` hold."""
        self._books = books
        self._lsn = 0
        self._index = 0

    def give(self) -> tuple[int, int]:
        """The next name, above every name that was told before."""
        if self._lsn != self._books.lsn:
            self._lsn, self._index = self._books.lsn, AFTER_ALL_EVENTS
        else:
            self._index += 1
        return self._lsn, self._index


Event = CommandOutcome | OrderEvent
EventName = tuple[int, int]


class _Strategy:
    """One name: its holder, and its latest events. `complete_from` is the event name after which none is missing."""

    def __init__(self, complete_from: EventName) -> None:
        self.peer = b""
        self.instance = ""
        self.complete_from = complete_from
        self.ring: deque[Event] = deque(maxlen=RING_EVENTS)


class Clients:
    """See the module. Sends are effects of `core` over its link "entry"."""

    def __init__(self, core: Core) -> None:
        """Nobody has said hello."""
        self._core = core
        self._strategies: OrderedDict[str, _Strategy] = OrderedDict()
        self._by_peer: dict[bytes, str] = {}
        self._superseded: dict[bytes, str] = {}
        self._older: set[bytes] = set()
        self._complete_from: EventName = (0, AFTER_ALL_EVENTS)

    def __len__(self) -> int:
        """How many clients are connected."""
        return len(self._by_peer)

    def begin(self, lsn: int) -> None:
        """The events of records up to `lsn` are not at hand."""
        self._complete_from = (lsn, AFTER_ALL_EVENTS)

    def strategy_of(self, peer: bytes) -> str:
        """The name that this peer holds; "" for one that has not said hello or was superseded."""
        return self._by_peer.get(peer, "")

    def is_superseded(self, peer: bytes) -> bool:
        """Whether a later instance took this peer's name."""
        return peer in self._superseded

    def is_old_news(self, peer: bytes, hello: Hello) -> bool:
        """Whether an instance says hello that was told to be superseded, or was about to be: it had sent this before,
        and may not take its name back from its successor."""
        return self._superseded.get(peer) == hello.instance

    def hello(self, peer: bytes, hello: Hello, welcome: Welcome) -> bool:
        """Grant the name, welcome it, and send the events that it has missed.

        False where those are not at hand; it is told so, and the caller tells the state.
        """
        strategy = self._strategy(hello.strategy)
        if strategy.peer not in (b"", peer) and strategy.instance != hello.instance:
            self._supersede(strategy)
        self.lost(peer)
        self.lost(strategy.peer)
        self._superseded.pop(peer, None)
        strategy.peer, strategy.instance = peer, hello.instance
        self._by_peer[peer] = hello.strategy
        if hello.protocol < PROTOCOL:
            self._older.add(peer)
        last = (hello.last_lsn, hello.last_index)
        # A place beyond the log's end is one of another log.
        resumed = strategy.complete_from <= last and 0 < hello.last_lsn <= welcome.lsn
        self._send(peer, msgspec.structs.replace(welcome, resumed=resumed))
        for event in strategy.ring if resumed else ():
            if (event.lsn, event.index) > last:
                self._send(peer, event)
        return resumed

    def _supersede(self, strategy: _Strategy) -> None:
        self._send(strategy.peer, StatusChanged("superseded"))
        self._superseded[strategy.peer] = strategy.instance
        if len(self._superseded) > STRATEGIES:
            del self._superseded[next(iter(self._superseded))]

    def emit(self, name: str, event: Event) -> None:
        """An event of the strategy `name`, for now and for later."""
        strategy = self._strategy(name)
        if len(strategy.ring) == RING_EVENTS:
            strategy.complete_from = (strategy.ring[0].lsn, strategy.ring[0].index)
        strategy.ring.append(event)
        if strategy.peer:
            self._send(strategy.peer, event)

    def tell(self, name: str, answer: EntryAnswer) -> None:
        """A word that is not an event: sent if somebody is there."""
        strategy = self._strategies.get(name)
        if strategy is not None and strategy.peer:
            self._send(strategy.peer, answer)

    def tell_all(self, answer: EntryAnswer) -> None:
        """A word for everybody."""
        for peer in self._by_peer:
            self._send(peer, answer)

    def reply(self, peer: bytes, answer: msgspec.Struct) -> None:
        """An answer to whoever asked."""
        self._send(peer, answer)

    def lost(self, peer: bytes) -> None:
        """A send to the peer found no room or nobody: nothing more until its next hello."""
        self._older.discard(peer)
        name = self._by_peer.pop(peer, None)
        if name is not None:
            self._strategies[name].peer = b""

    def _strategy(self, name: str) -> _Strategy:
        strategy = self._strategies.get(name)
        if strategy is None:
            strategy = self._strategies[name] = _Strategy(self._complete_from)
            if len(self._strategies) > STRATEGIES:
                self._drop_oldest()
        elif len(self._strategies) >= STRATEGIES:
            self._strategies.move_to_end(name)
        return strategy

    def _drop_oldest(self) -> None:
        # What a dropped name has missed is not known any more: whoever takes it up again is told the state.
        self._complete_from = max(self._complete_from, (self._core_lsn(), AFTER_ALL_EVENTS))
        _, oldest = self._strategies.popitem(last=False)
        self._by_peer.pop(oldest.peer, None)
        self._older.discard(oldest.peer)

    def _core_lsn(self) -> int:
        rings = (strategy.ring for strategy in self._strategies.values())
        return max((ring[-1].lsn for ring in rings if ring), default=0)

    def _send(self, peer: bytes, answer: msgspec.Struct) -> None:
        if self._older and peer in self._older and isinstance(answer, OrderEvent):
            answer = older_event(answer)
        self._core.effects.append(Send("entry", answer, peer))

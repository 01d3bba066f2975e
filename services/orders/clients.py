"""The strategies' end of the order entry link: who has which name, and what is told, to resume from or as a status.

A strategy's name belongs to the instance that said hello last. Its events are kept in a ring, so that one that comes
back can go on from the last (LSN, index) that it saw; one for whom the ring is too short gets the state as it is
instead. An event that finds the client's queue full would tear a hole, so that client gets nothing more until it says
hello again.

The status says where the order manager is in its life: "starting" until the journal has granted an epoch and the log is
read up to it; "restarting" until all that a former life sent has turned up; "live"; "journal_away" while nothing is
heard of the journal; "stopping" from the word to stop on.
"""

from collections import OrderedDict, deque

import msgspec

from common.actor.core import Core, Send
from common.actor.links import AWAY_NS, Appender
from common.instant import NS_PER_MS, Instant, earliest
from common.journal.terms import FIRST_TERM
from common.messages import (
    AFTER_ALL_EVENTS,
    PROTOCOL,
    CommandOutcome,
    EntryAnswer,
    EpochGranted,
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
    """One name: its holder, and its latest events. `complete_from` is the event name after which none is missing.
    `told` messages went to its instance, the latest to the peer `told_at`, whether that still holds the name or not."""

    def __init__(self, complete_from: EventName) -> None:
        self.peer = b""
        self.instance = ""
        self.told = 0
        self.told_at = b""
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
        self._counted: dict[bytes, _Strategy] = {}
        self._older: set[bytes] = set()
        self._complete_from: EventName = (0, AFTER_ALL_EVENTS)

    def __len__(self) -> int:
        """How many clients are connected."""
        return len(self._by_peer)

    def begin_after(self, lsn: int) -> None:
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

    def hello(self, peer: bytes, hello: Hello, welcome: Welcome, term_after_lsn: int) -> bool:
        """Grant the name, welcome it, and send the events that it has missed. The welcome's term begins behind the
        record `term_after_lsn`.

        False where those are not at hand; it is told so, and the caller tells the state.
        """
        strategy = self._strategy(hello.strategy)
        if strategy.peer not in (b"", peer) and strategy.instance != hello.instance:
            self._supersede(strategy)
        if strategy.instance != hello.instance:
            strategy.told = 0
        told = strategy.told
        self.lost(peer)
        self.lost(strategy.peer)
        self._superseded.pop(peer, None)
        strategy.peer, strategy.instance = peer, hello.instance
        self._by_peer[peer] = hello.strategy
        self._stop_counting(strategy)
        self._counted[peer], strategy.told_at = strategy, peer
        if hello.protocol < PROTOCOL:
            self._older.add(peer)
        last = (hello.last_lsn, hello.last_index)
        # A place beyond the log's end is one of another log.
        resumed = strategy.complete_from <= last and 0 < hello.last_lsn <= welcome.lsn
        resumed = resumed and not _is_of_what_is_lost(hello, welcome.term, term_after_lsn)
        self.reply(peer, msgspec.structs.replace(welcome, resumed=resumed, told=told))
        for event in strategy.ring if resumed else ():
            if (event.lsn, event.index) > last:
                self.reply(peer, event)
        return resumed

    def _supersede(self, strategy: _Strategy) -> None:
        self.reply(strategy.peer, StatusChanged("superseded"))
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
            self.reply(strategy.peer, event)

    def tell(self, name: str, answer: EntryAnswer) -> None:
        """A word that is not an event: sent if somebody is there."""
        strategy = self._strategies.get(name)
        if strategy is not None and strategy.peer:
            self.reply(strategy.peer, answer)

    def tell_all(self, answer: EntryAnswer) -> None:
        """A word for everybody."""
        for peer in self._by_peer:
            self.reply(peer, answer)

    def undelivered(self, peer: bytes) -> None:
        """A send to the peer found no room or nobody. What it was told before is still counted: a connection that ended
        may have taken some of that along, unheard of here."""
        strategy = self._counted.get(peer)
        if strategy is not None:
            strategy.told = max(0, strategy.told - 1)
        self.lost(peer)

    def lost(self, peer: bytes) -> None:
        """Nothing more goes to the peer until its next hello."""
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
        rings = (strategy.ring for strategy in self._strategies.values())
        last_lsn = max((ring[-1].lsn for ring in rings if ring), default=0)
        self._complete_from = max(self._complete_from, (last_lsn, AFTER_ALL_EVENTS))
        _, oldest = self._strategies.popitem(last=False)
        self._by_peer.pop(oldest.peer, None)
        self._stop_counting(oldest)
        self._older.discard(oldest.peer)

    def _stop_counting(self, strategy: _Strategy) -> None:
        if self._counted.get(strategy.told_at) is strategy:
            del self._counted[strategy.told_at]

    def reply(self, peer: bytes, answer: msgspec.Struct) -> None:
        """An answer to whoever asked, in the words of his protocol."""
        if self._older and peer in self._older and isinstance(answer, OrderEvent):
            answer = older_event(answer)
        if peer in self._counted:
            self._counted[peer].told += 1
        self._core.effects.append(Send("entry", answer, peer))


STOP_NS = 2_000 * NS_PER_MS
"""How long an orderly stop waits for resting orders to be cancelled; the supervisor allows the whole stack 4 s."""

def _is_of_what_is_lost(hello: Hello, term: int, term_after_lsn: int) -> bool:
    """Whether the client's place may be beyond its own term's end: what another host wrote there is something else. Of
    terms before the last one it is not known here where they ended."""
    its = max(FIRST_TERM, hello.term)
    return its < term and (hello.last_lsn > term_after_lsn or its < term - 1)


SILENCE_NS = 2 * AWAY_NS
"""Without a record for so long the journal is away: it ticks every 100 ms."""


class Life:
    """See the module. `has_read`, from when on what is told is told as of the own epoch record or later, and `live` are
    the core's to set; `away` is set here alone.
    """

    def __init__(self, appender: Appender, clients: Clients) -> None:
        """Before the start."""
        self._appender = appender
        self._clients = clients
        self._heard_boot_ns = 0
        self._stopping_boot_ns: int | None = None
        self.has_read = False
        self.live = False
        self.away = False

    @property
    def epoch(self) -> int:
        """The epoch that the journal granted; 0 before that."""
        return self._appender.epoch

    @property
    def grant(self) -> EpochGranted:
        """By what the journal granted it: there is one once the log is read."""
        assert self._appender.grant is not None
        return self._appender.grant

    @property
    def stopping(self) -> bool:
        """Whether the word to stop came, and the end did not."""
        return self._stopping_boot_ns is not None

    @property
    def state(self) -> str:
        """One of the words above."""
        if self.stopping:
            return "stopping"
        if not self.has_read:
            return "starting"
        if self.away:
            return "journal_away"
        return "live" if self.live else "restarting"

    def status(self, number: int) -> StatusChanged:
        """What a client is told whose command `number` can be given no outcome now."""
        return StatusChanged(self.state, number, self.epoch)

    def hear_journal(self, now: Instant) -> None:
        """The journal gave a sign of life."""
        self._heard_boot_ns = now.boot_ns

    def back(self) -> None:
        """What the journal gave was applied: it is not away any more."""
        self.away = False
        self._clients.tell_all(self.status(0))

    def check_away(self, now: Instant) -> None:
        """Ask where the journal stands, and tell that it is away, when it has been silent for too long."""
        silent = now.boot_ns - self._heard_boot_ns >= SILENCE_NS
        if self._appender.granted and not self.away and (silent or self._appender.away(now)):
            self.away = True
            self._appender.question(now)
            self._clients.tell_all(StatusChanged("journal_away", 0, self.epoch))

    def stop(self, now: Instant) -> None:
        """The word to stop."""
        self._stopping_boot_ns = now.boot_ns

    def is_late(self, now: Instant) -> bool:
        """Whether the stop has taken as long as it may."""
        return self._stopping_boot_ns is not None and now.boot_ns - self._stopping_boot_ns >= STOP_NS

    def ended(self) -> None:
        """The stop is done."""
        self._stopping_boot_ns = None

    def next_deadline_ns(self) -> int | None:
        """When `check_away` or `is_late` may say otherwise, in boot time."""
        silent_ns = self._heard_boot_ns + SILENCE_NS if self._appender.granted and not self.away else None
        late_ns = None if self._stopping_boot_ns is None else self._stopping_boot_ns + STOP_NS
        return earliest(silent_ns, late_ns)

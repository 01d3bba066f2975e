"""A strategy's end of the order entry link, without I/O: numbers, epochs, what is unanswered, what was seen.

Rules, which docs/protocol.md gives to other languages:

1. A command is named (strategy, number), and numbers rise by one from the highest that the order manager knows. A
   number is never sent twice with another body; it is sent again, as it is, until it has an outcome.
2. Nothing is sent before the order manager has welcomed this instance. On each welcome everything unanswered is sent
   again, lowest first, before anything new, under the epoch that the welcome names.
3. What adds risk ages: a repeat carries what is left of its time to live, so an order that was wanted a second ago is
   not placed now because the order manager came back. Its outcome is asked for all the same.
4. Events are named (LSN, index) and rise. What is not above the last one seen was seen before and is dropped. Where the
   events in between are not at hand, what follows the welcome takes the place of what was known once it is complete;
   until then there is no event from which to go on.
5. Whoever is told that a later instance has its name falls silent for good.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar, Final, NamedTuple

import msgspec

from common.instant import NS_PER_MS, Instant
from common.messages import (
    AFTER_ALL_EVENTS,
    HIGHEST_NUMBER,
    MAX_TIME_TO_LIVE_NS,
    PROTOCOL,
    SNAPSHOT,
    STRATEGY_NAME,
    Alive,
    AmendRequest,
    CancelAllRequest,
    CancelRequest,
    ClientRequest,
    CommandOutcome,
    Contingency,
    EntryAnswer,
    EntryRequest,
    Hello,
    NewOrderRequest,
    OrderEvent,
    PositionChanged,
    QueryAnswer,
    QueryRequest,
    Reason,
    StatusChanged,
    Terms,
    Welcome,
    WelcomeComplete,
)
from common.strategy.bounds import check_bounds

HELLO_NS: Final = 200 * NS_PER_MS
"""A hello unanswered for so long is said again, each time after twice the wait, up to SLOWEST_HELLO_NS."""

SLOWEST_HELLO_NS: Final = 2_000 * NS_PER_MS
QUIET_NS: Final = 1_000 * NS_PER_MS
"""After so long without a word from the order manager a hello asks whether it is still the one that we know."""

OVERDUE_NS: Final = 300 * NS_PER_MS
"""A command without an outcome for so long is asked about, by a hello."""

CHECKED_NS: Final = 10_000 * NS_PER_MS
"""At least so often a hello asks how many messages there were: a connection that ends takes some along, and the next
one goes on behind them."""

SIGNS_OF_LIFE: Final = 4
"""So often an instance says that it lives within the time after which it counts as silent."""

MAX_UNANSWERED: Final = 10_000
"""More commands than this are never under way from one strategy."""


NOT_YET: Final = ("starting", "restarting", "journal_away")
"""The order manager's states in which it answers what adds risk by the state alone."""


class NotWelcome(Exception):
    """The order manager has not granted the name yet, so no number is known to be free. Wait for the welcome."""


class TooManyUnanswered(Exception):
    """MAX_UNANSWERED commands wait for an outcome: the order manager is away, and more would only grow stale."""


class NamesUsedUp(Exception):
    """The order manager has seen HIGHEST_NUMBER of this strategy, so none is left. Start it under another name."""


class Superseded(Exception):
    """A later instance has taken the strategy's name. This one must not send any more; start it under another name."""


class _Command(msgspec.Struct, gc=False):
    """An unanswered command with the boot time at which the strategy gave it."""

    request: ClientRequest
    given_ns: int


class _Truth(msgspec.Struct, gc=False):
    """The state as it is told in place of events."""

    orders: dict[int, OrderEvent] = {}
    positions: dict[tuple[str, str], PositionChanged] = {}


def _need_decimals(**terms: object) -> None:
    for name, value in terms.items():
        if value is not None and not isinstance(value, Decimal):
            raise TypeError(f"{name} is {value!r}, a {type(value).__name__}: quantities and prices are Decimal")


class Vigil(NamedTuple):
    """How an instance wants to be watched over: it says that it lives, and is silent after `silent_after_ns` without a
    word, 0 never; `cancel_on_exit`: its open orders are cancelled when it ends or is silent.
    """

    silent_after_ns: int = 0
    cancel_on_exit: bool = False


UNWATCHED: Final = Vigil()


class Entry:
    """One instance of one strategy. Requests to send collect in `outgoing`; the caller takes and clears them.

    `received` returns what the strategy must be told, each event once. `orders` holds the strategy's open orders as
    last told, `positions` those of every account by (account, symbol). `begun`: a first welcome was complete, so that
    these are known and commands may be given.
    """

    def __init__(
        self,
        strategy: str,
        instance: str,
        last: tuple[int, int] = (0, 0),
        *,
        term: int = 0,
        by: str = "",
        vigil: Vigil = UNWATCHED,
    ) -> None:
        """`instance` must differ for each start; `last` is the (LSN, index) of the last event seen by an earlier one,
        in the journal's term `term`; `by` is the person who gives the commands, "" nobody but the strategy; `vigil` how
        it is watched over.

        Raises ValueError for what is no strategy's name, OutOfBounds.
        """
        if not re.fullmatch(STRATEGY_NAME, strategy):
            raise ValueError(f"{strategy!r} is no strategy's name, which is {STRATEGY_NAME}")
        check_bounds(Hello(strategy, instance, *last, protocol=PROTOCOL, term=term))
        self.strategy = strategy
        self.instance = instance
        self._by = by
        self._vigil = vigil
        self._alive_ns = 0
        self.outgoing: list[EntryRequest] = []
        self.orders: dict[int, OrderEvent] = {}
        self.positions: dict[tuple[str, str], PositionChanged] = {}
        self.epoch = 0
        self.term = term
        self.begun = False
        self.state = "connecting"
        self._last = last
        self._coming: _Truth | None = None
        self._standing: set[int] | None = None
        """The orders that another life of the order manager tells to be open; None where none tells."""
        self._highest = 0
        self._unanswered: dict[int, _Command] = {}
        self._hello_ns: int | None = None
        self._hello_wait_ns = HELLO_NS
        self._heard_ns = 0
        self._heard_count = 0
        self._welcomed_ns = 0
        self._has_missed = False
        self._asked_ns = 0

    # -- what it is ----------------------------------------------------------------------------------------------------

    @property
    def welcomed(self) -> bool:
        """Whether the order manager has granted the name to this instance."""
        return self.epoch > 0 and not self.superseded

    @property
    def last(self) -> tuple[int, int]:
        """The (LSN, index) from which a later instance may go on; (0, 0) while the state is told in place of events, or
        what is open beside them.
        """
        return self._last if self._coming is None and self._standing is None else (0, 0)

    @property
    def replacing(self) -> bool:
        """Whether the state is being told in place of events: what is known is the older one until that is complete."""
        return self._coming is not None

    @property
    def has_missed(self) -> bool:
        """Whether messages of the order manager's were lost on their way, and it was asked for the state in place."""
        return self._has_missed

    @property
    def superseded(self) -> bool:
        """Whether a later instance has the name."""
        return self.state == "superseded"

    @property
    def unanswered(self) -> Mapping[int, ClientRequest]:
        """The commands without an outcome, by number."""
        return {number: command.request for number, command in self._unanswered.items()}

    def awaits(self, number: int) -> bool:
        """Whether the command `number` has no outcome yet."""
        return number in self._unanswered

    # -- commands ------------------------------------------------------------------------------------------------------

    def new(
        self,
        now: Instant,
        venue: str,
        symbol: str,
        terms: Terms,
        *,
        label: str = "",
        time_to_live_ns: int = MAX_TIME_TO_LIVE_NS,
        account: str = "",
        cause: str = "",
    ) -> int:
        """A new order. Returns its number. `cause` is what it follows from, `account` whose it is to be: "" is the
        venue's only one.

        Raises TypeError where money is no Decimal, OutOfBounds, Superseded, TooManyUnanswered, NamesUsedUp.
        """
        _need_decimals(order_qty=terms.order_qty, price=terms.price)
        return self._give(NewOrderRequest(0, 0, venue, symbol, terms, label, time_to_live_ns, account), now, cause)

    def new_list(
        self,
        now: Instant,
        venue: str,
        symbol: str,
        contingency: Contingency,
        orders: Sequence[Terms],
        *,
        label: str = "",
        time_to_live_ns: int = MAX_TIME_TO_LIVE_NS,
        account: str = "",
        cause: str = "",
    ) -> int:
        """An order list. Returns the number of its first order; the others have those that follow. Raises what `new`
        raises."""
        for terms in orders:
            _need_decimals(order_qty=terms.order_qty, price=terms.price)
        first, *further = orders
        request = NewOrderRequest(
            0, 0, venue, symbol, first, label, time_to_live_ns, account, contingency=contingency,
            further=tuple(further),
        )  # fmt: skip
        return self._give(request, now, cause)

    def amend(
        self,
        now: Instant,
        target_number: int,
        order_qty: Decimal | None = None,
        price: Decimal | None = None,
        *,
        time_to_live_ns: int = MAX_TIME_TO_LIVE_NS,
        target_strategy: str = "",
        cause: str = "",
    ) -> int:
        """Change the total quantity and/or the price of an order, an own one unless `target_strategy` names another's;
        None leaves a term. Returns the command's number. Raises what `new` raises.
        """
        _need_decimals(order_qty=order_qty, price=price)
        request = AmendRequest(0, 0, target_number, order_qty, price, time_to_live_ns, target_strategy)
        return self._give(request, now, cause)

    def cancel(self, now: Instant, target_number: int, target_strategy: str = "", *, cause: str = "") -> int:
        """Cancel an order, whatever it takes. Returns the command's number. Raises what `new` raises of that."""
        return self._give(CancelRequest(0, 0, target_number, target_strategy), now, cause)

    def cancel_all(
        self,
        now: Instant,
        venue: str = "",
        symbol: str = "",
        target_strategy: str = "",
        *,
        account: str = "",
        cause: str = "",
    ) -> int:
        """Cancel every open order of `target_strategy` ("" own, "*" everybody's) there. Returns the
        command's number.
        """
        return self._give(CancelAllRequest(0, 0, venue, symbol, target_strategy, account), now, cause)

    def number_from(self, number: int) -> None:
        """The next command bears `number`, for a person who names orders by hand. One that was used is a repeat: it is
        answered as the first was where the body is the same, and refused where it is not.
        """
        self._highest = number - 1

    def query(self, request: QueryRequest) -> None:
        """Ask a read-only question; it needs no name and has no number. Raises OutOfBounds."""
        check_bounds(request)
        self.outgoing.append(request)

    # -- inputs --------------------------------------------------------------------------------------------------------

    def start(self, now: Instant) -> None:
        """Say hello."""
        self._hello(now)

    def received(self, message: EntryAnswer, now: Instant) -> EntryAnswer | None:
        """Take a word of the order manager. Returns what the strategy has not been told before, else None."""
        self._heard_ns = now.boot_ns
        self._heard_count += 1
        return self._handlers[type(message)](self, message, now)

    def timer(self, now: Instant) -> None:
        """Ask again where an answer is overdue, and say that this instance lives."""
        deadline = self._asking_ns()
        if deadline is not None and now.boot_ns >= deadline:
            self._hello(now)
        alive_ns = self._next_alive_ns()
        if alive_ns is not None and now.boot_ns >= alive_ns:
            self._alive_ns = now.boot_ns
            self.outgoing.append(Alive(self.epoch))

    def end(self) -> None:
        """This instance says nothing more."""
        if self.welcomed and self._vigil.silent_after_ns:
            self.outgoing.append(Alive(self.epoch, ends=True))

    def next_deadline_ns(self) -> int | None:
        """When `timer` has something to do, in boot time."""
        times = [at_ns for at_ns in (self._asking_ns(), self._next_alive_ns()) if at_ns is not None]
        return min(times, default=None)

    def _next_alive_ns(self) -> int | None:
        if not (self.welcomed and self._vigil.silent_after_ns):
            return None
        return self._alive_ns + self._vigil.silent_after_ns // SIGNS_OF_LIFE

    def _asking_ns(self) -> int | None:
        if self.superseded:
            return None
        if self._hello_ns is not None:
            return self._hello_ns + self._hello_wait_ns
        due_ns = min(self._heard_ns + QUIET_NS, self._welcomed_ns + CHECKED_NS)
        if not self._unanswered:
            return due_ns
        oldest = next(iter(self._unanswered.values()))
        return min(due_ns, max(oldest.given_ns, self._asked_ns) + OVERDUE_NS)

    # -- the protocol --------------------------------------------------------------------------------------------------

    def _give(self, request: ClientRequest, now: Instant, cause: str) -> int:
        if self.superseded:
            raise Superseded(f"{self.strategy}: a later instance has taken the name; this one may not send")
        if not self.begun:
            raise NotWelcome(f"{self.strategy}: the order manager has not answered the hello yet; wait for the welcome")
        if len(self._unanswered) >= MAX_UNANSWERED:
            raise TooManyUnanswered(f"{self.strategy}: {MAX_UNANSWERED} commands have no outcome yet; wait for some")
        further = len(request.further) if isinstance(request, NewOrderRequest) else 0
        if self._highest + further >= HIGHEST_NUMBER:
            raise NamesUsedUp(f"{self.strategy}: command {self._highest} was given; start it under another name")
        number = self._highest + 1
        numbered = msgspec.structs.replace(
            request, epoch=self.epoch, number=number, by=self._by, cause=cause, sent_ns=now.wall_ns
        )
        check_bounds(numbered)
        self._highest = number + further
        self._unanswered[number] = _Command(numbered, now.boot_ns)
        self.outgoing.append(numbered)
        return number

    def _hello(self, now: Instant) -> None:
        """Say hello (again), and wait longer each time that nothing comes back."""
        self._hello_wait_ns = HELLO_NS if self._hello_ns is None else min(2 * self._hello_wait_ns, SLOWEST_HELLO_NS)
        self._hello_ns = now.boot_ns
        last = (0, 0) if self._has_missed else self.last
        hello = Hello(self.strategy, self.instance, *last, self.epoch, PROTOCOL, *self._vigil, term=self.term)
        self.outgoing.append(hello)

    def _ask(self, now: Instant) -> None:
        """Say hello, unless one is under way."""
        if self._hello_ns is None:
            self._hello(now)

    def _send_again(self, now: Instant) -> None:
        """Everything unanswered, lowest first, each with what is left of its time to live.

        What adds risk waits where it would only be told to: it is sent when the order manager is live.
        """
        self._asked_ns = now.boot_ns
        waits = self.state in NOT_YET
        for command in self._unanswered.values():
            if waits and isinstance(command.request, NewOrderRequest | AmendRequest):
                continue
            command.request = msgspec.structs.replace(command.request, epoch=self.epoch)
            age_ns = now.boot_ns - command.given_ns
            self.outgoing.append(_aged(command.request, age_ns))

    def _welcome(self, message: Welcome, now: Instant) -> EntryAnswer | None:
        if message.instance != self.instance or self.superseded:
            return None
        is_news = message.epoch != self.epoch or message.state != self.state or not message.resumed
        self._standing = set() if message.resumed and message.epoch != self.epoch else None
        if message.epoch == self.epoch and message.told not in (0, self._heard_count - 1):
            self._has_missed = True
        self._heard_count, self._welcomed_ns = message.told + 1, now.boot_ns
        self._hello_ns = None
        self.epoch, self.state, self.term = message.epoch, message.state, message.term
        self._highest = max(self._highest, message.highest)
        self._coming = None
        if not message.resumed:
            self._has_missed = False
            # What follows is the state as of `lsn`, in place of the events up to there.
            self._coming = _Truth()
            self._last = (message.lsn, AFTER_ALL_EVENTS - 1)
        elif self._has_missed:
            self._ask(now)
        self._send_again(now)
        return message if is_news else None

    def _complete(self, message: WelcomeComplete, now: Instant) -> EntryAnswer | None:
        if not self._is_new(message.lsn, message.index):
            return None
        is_news = self._coming is not None or not self.begun
        if self._coming is not None:
            self.orders, self.positions, self._coming = self._coming.orders, self._coming.positions, None
        elif self._standing is not None:
            self.orders = {number: order for number, order in self.orders.items() if number in self._standing}
        self._standing = None
        self.begun = True
        return message if is_news else None

    def _status(self, message: StatusChanged, now: Instant) -> EntryAnswer | None:
        if message.state == "superseded":
            self.state = "superseded"
            self._hello_ns = None
            return message
        must_say_hello = message.number and message.state == "live"
        if must_say_hello or (message.epoch and message.epoch != self.epoch):
            self._ask(now)
        elif not message.number and self.state != message.state:
            self.state = message.state
            if message.state == "live" and self.epoch:
                self._send_again(now)
        return message

    def _outcome(self, message: CommandOutcome, now: Instant) -> EntryAnswer | None:
        if message.strategy != self.strategy:
            return None
        if message.reason is Reason.SUPERSEDED:
            return self._status(StatusChanged("superseded", message.number), now)
        if message.reason is Reason.STALE_EPOCH:
            # Not the command's outcome: it was meant for a former life of the order manager, and is sent to this one.
            self._ask(now)
            return None
        answered = self._unanswered.pop(message.number, None) is not None
        if message.repeat:
            # It tells of the past, and is named by a record that may be ahead of events still to come.
            return message if answered else None
        return message if self._is_new(message.lsn, message.index) or answered else None

    def _order(self, message: OrderEvent, now: Instant) -> EntryAnswer | None:
        if not self._is_new(message.lsn, message.index):
            return None
        if message.strategy == self.strategy:
            orders = self.orders if self._coming is None else self._coming.orders
            if self._standing is not None and message.event == SNAPSHOT:
                self._standing.add(message.number)
                known = orders.get(message.number)
                if known is not None and _is_same(known, message):
                    return None
            if message.open:
                orders[message.number] = message
            else:
                orders.pop(message.number, None)
        return message

    def _position(self, message: PositionChanged, now: Instant) -> EntryAnswer | None:
        if not self._is_new(message.lsn, message.index):
            return None
        positions = self.positions if self._coming is None else self._coming.positions
        known = positions.get((message.account, message.symbol))
        if message.own_quantity is None and known is not None:
            # Somebody else's fill: the strategy's own part is as it was.
            message = msgspec.structs.replace(
                message, own_quantity=known.own_quantity, own_average_price=known.own_average_price,
                own_realised_profit=known.own_realised_profit, own_fees=known.own_fees,
            )  # fmt: skip
        positions[message.account, message.symbol] = message
        return message

    def _answer(self, message: EntryAnswer, now: Instant) -> EntryAnswer | None:
        return message

    def _is_new(self, lsn: int, index: int) -> bool:
        """Whether an event so named was not seen before; from now on it was."""
        if (lsn, index) <= self._last:
            return False
        self._last = (lsn, index)
        return True

    _handlers: ClassVar[Mapping[type, Callable[["Entry", Any, Instant], EntryAnswer | None]]] = {
        Welcome: _welcome,
        WelcomeComplete: _complete,
        StatusChanged: _status,
        CommandOutcome: _outcome,
        OrderEvent: _order,
        PositionChanged: _position,
        QueryAnswer: _answer,
    }


def _is_same(known: OrderEvent, told: OrderEvent) -> bool:
    return (known.status, known.cum_qty, known.terms) == (told.status, told.cum_qty, told.terms)


def _aged(request: ClientRequest, age_ns: int) -> ClientRequest:
    """The request with what is left of its time to live: at least 1 ns, which no record's stamp can meet."""
    if isinstance(request, NewOrderRequest | AmendRequest):
        return msgspec.structs.replace(request, time_to_live_ns=max(1, request.time_to_live_ns - age_ns))
    return request

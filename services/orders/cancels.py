"""Cancels: what is wished to be cancelled is tried, by one attempt after another, until its order is closed.

When `Cancels` try is a matter of time alone: what became of an attempt the log tells. They send what is due, in the
name of the command that wished it first; a wish that cannot be sent is put into the log, once, so that no restart
forgets it.

`CancelRequests` are the strategies' commands to cancel: each becomes wishes, or waits for what it is about, or is
refused. One about an order that is still under way waits until that is sent, or is refused when it never was. One of an
order that is being cancelled already is answered "accepted" when the log holds the wish. One of many orders is a record
first: what it is about is what was there before that record, whenever and however often it is repeated. One order's
that comes before this process may act is kept.
"""

import heapq
from collections.abc import Collection
from typing import NamedTuple

import msgspec

from common.actor.links import Appender
from common.instant import NS_PER_MS, NS_PER_S, Instant
from common.messages import (
    AmendOrder,
    Attempt,
    CancelAll,
    CancelAllRequest,
    CancelOrder,
    CancelRequest,
    CommandOutcome,
    Kind,
    NewOrder,
    Reason,
    Stamps,
    cut,
    is_lost_number,
)
from common.orders.books import Books, OrderName, covers
from common.orders.order_state import Order, RequestKind
from services.orders.archive import Archive
from services.orders.attempts import NOBODY, Attempts, Decisions, Flights, Whose
from services.orders.clients import Clients, Life, StandingNames

FIRST_NS = 250 * NS_PER_MS
SLOWEST_NS = 2_000 * NS_PER_MS


LONGEST_ANSWER_NS = 60 * NS_PER_S
"""Cancels that are never answered take so little of the message budget that others always find room."""


class _Wish(msgspec.Struct, gc=False):
    """That an order is cancelled, in the name of `command`, which `whose` says more of: at `due_ns`, in boot time, and
    again `wait_ns` later. `sent_ns` is the stamp of the last cancel of it that the log has, None before one was read.
    """

    command: OrderName
    whose: Whose
    due_ns: int = 0
    wait_ns: int = FIRST_NS
    sent_ns: int | None = None


class Cancels:
    """The orders that are to be cancelled, by name, and the cancels on their way.

    The pace of the tries doubles from FIRST_NS to SLOWEST_NS and starts anew when a session comes back.
    """

    def __init__(
        self,
        attempts: Attempts,
        books: Books,
        life: Life,
        appender: Appender,
        *,
        answer_ns: int,
        accounts: Collection[str],
    ) -> None:
        """Nothing is to be cancelled. Nothing is sent but while `life` is live and the journal there, and to `accounts`
        alone: others have no session. `answer_ns` is how long the answer to a first cancel is awaited.
        """
        self._attempts = attempts
        self._books = books
        self._life = life
        self._appender = appender
        self._accounts = accounts
        self._answer_ns = answer_ns
        self._wishes: dict[OrderName, _Wish] = {}
        self._queue: list[tuple[int, OrderName]] = []
        self._under_way: dict[Attempt, OrderName] = {}

    def __len__(self) -> int:
        """How many orders are to be cancelled."""
        return len(self._wishes)

    def __contains__(self, name: object) -> bool:
        """Whether the order of that name is to be cancelled."""
        return name in self._wishes

    def wish(self, order: Order, command: OrderName, now: Instant, whose: Whose = NOBODY) -> None:
        """Cancel the order, first at once, in the name of the command that first wished it; `command` ("", 0) is
        nobody's. A wish that is there already keeps its pace."""
        if order.name not in self._wishes:
            self._wishes[order.name] = _Wish(command if command[1] else order.name, whose)
            self._put_off(order.name, now.boot_ns)
        if self._life.live:
            self.send_due(now)

    def out_of_reach(self, order: Order) -> str:
        """Why a cancel of the order can go nowhere; "" where it can."""
        if order.account in self._accounts:
            return ""
        return f"{order.account} is not configured, so nobody can cancel there: put its file back and start again"

    def wished_by_another(self, name: OrderName, command: OrderName) -> bool:
        """Whether the order is to be cancelled in the name of another command than this."""
        return name in self._wishes and self._wishes[name].command != command

    def is_wish_of(self, command: OrderName) -> bool:
        """Whether an order is to be cancelled in the name of this command."""
        return any(command == wish.command for wish in self._wishes.values())

    def send_due(self, now: Instant) -> None:
        """Send what is due."""
        if self._life.away:
            return
        for name in self._take_due(now.boot_ns):
            order = self._books.orders.get(name)
            if order is None or order.is_closed:
                self.order_closed(name)
            elif not self._books.is_logged_on(order.account):
                self._keep(self._cancel_of(order, now), Reason.NOT_CONNECTED, now)
            elif (wait_ns := self._wait_ns(order)) > 0:
                # The last attempt may be answered yet.
                self._put_off(name, now.boot_ns + wait_ns)
            else:
                command = self._cancel_of(order, now)
                self._under_way[command.attempt] = name
                self._attempts.send(command)

    def next_ns(self) -> int | None:
        """When the next one is due, in boot time."""
        while self._queue and not self._is_due_at(*self._queue[0]):
            heapq.heappop(self._queue)
        return self._queue[0][0] if self._queue else None

    def hasten(self, account: str, now: Instant) -> None:
        """A session of the account is back: what is wished there is tried at once, and from there at the first pace."""
        for order in self._books.open_orders(account):
            if order.name in self._wishes:
                self._wishes[order.name].wait_ns = FIRST_NS
                self._put_off(order.name, now.boot_ns)

    def retry(self, name: OrderName, now: Instant) -> None:
        """The last attempt is known to have failed: the next after the wait that its pace says."""
        if name in self._wishes:
            self._put_off(name, now.boot_ns + self._wishes[name].wait_ns)

    def attempt_sent(self, attempt: Attempt) -> None:
        """The log has the attempt: the venue will answer."""
        target = self._under_way.pop(attempt, None)
        if target is not None and target in self._wishes:
            self._wishes[target].sent_ns = self._books.stamp_ns

    def attempt_failed(self, attempt: Attempt, now: Instant) -> None:
        """The attempt came to nothing: another one, later."""
        target = self._under_way.pop(attempt, None)
        if target is not None:
            self.retry(target, now)

    def cancel_not_taken(self, command: CancelOrder, now: Instant) -> None:
        """Risk's queue was full."""
        self.attempt_failed(command.attempt, now)
        self._keep(command, Reason.QUEUE_FULL, now)

    def order_closed(self, name: OrderName) -> None:
        """The order is closed: the wish has its end."""
        self._wishes.pop(name, None)

    def _put_off(self, name: OrderName, due_ns: int) -> None:
        self._wishes[name].due_ns = due_ns
        heapq.heappush(self._queue, (due_ns, name))

    def _is_due_at(self, due_ns: int, name: OrderName) -> bool:
        """Whether that is when it is due, and not when it once was."""
        return name in self._wishes and self._wishes[name].due_ns == due_ns

    def _take_due(self, boot_ns: int) -> list[OrderName]:
        """The wishes whose time has come; each is scheduled anew, after twice the wait."""
        names: list[OrderName] = []
        while self._queue and self._queue[0][0] <= boot_ns:
            due_ns, name = heapq.heappop(self._queue)
            if self._is_due_at(due_ns, name):
                wish = self._wishes[name]
                self._put_off(name, boot_ns + wish.wait_ns)
                wish.wait_ns = min(2 * wish.wait_ns, SLOWEST_NS)
                names.append(name)
        return names

    def _keep(self, command: CancelOrder, reason: Reason, now: Instant) -> None:
        """A cancel that cannot be sent now is logged as refused, once: the wish is in the log then, and stays."""
        order = self._books.orders.get((command.target_strategy, command.target_number))
        if order is not None and not order.wish_number and not self._appender.full:
            self._attempts.refuse(command, reason, now)

    def _cancel_of(self, order: Order, now: Instant) -> CancelOrder:
        wish = self._wishes[order.name]
        return self._attempts.cancel(order, wish.command, wish.whose, now)

    def _wait_ns(self, order: Order) -> int:
        """How long the answer to a cancel that is at the venue, on a connection that lives, is awaited yet. Each that
        had none is followed by another one after twice the time.
        """
        cancels = [request for request in order.requests.values() if request.kind is RequestKind.CANCEL]
        sent = sum(self._books.is_under_way(cancel.session, cancel.connection) for cancel in cancels)
        if not sent:
            return 0
        wish, stamp_ns = self._wishes[order.name], self._books.stamp_ns
        if wish.sent_ns is None:
            wish.sent_ns = stamp_ns
        return wish.sent_ns + min(self._answer_ns << (sent - 1), LONGEST_ANSWER_NS) - stamp_ns


ACCEPTED_COMMANDS = 4096
"""Accepted commands, none of whose cancels was sent before, that are remembered so as to be answered once."""


class Parts(NamedTuple):
    """What answers a strategy's command is made of; `names` are for what is told as it stands."""

    books: Books
    archive: Archive
    clients: Clients
    life: Life
    decisions: Decisions
    flights: Flights
    names: StandingNames


class CancelRequests:
    """The strategies' commands to cancel, from their coming to the outcome that each is told once."""

    def __init__(self, parts: Parts, cancels: Cancels) -> None:
        """None has come."""
        self._cancels = cancels
        self._books, self._archive, self._clients, self._life, self._decisions, self._flights, self._names = parts
        self._early: dict[OrderName, list[tuple[str, CancelRequest]]] = {}
        self._waiting: dict[OrderName, list[OrderName]] = {}
        self._accepting: dict[OrderName, OrderName] = {}
        self._accepted: dict[OrderName, None] = {}

    def answers(self, command: OrderName) -> bool:
        """Whether the command is answered, once, when the log holds its wish, or was so: then not by what a cancel of
        that order meets."""
        return command in self._accepting or command in self._accepted

    def is_under_way(self, command: OrderName) -> bool:
        """Whether the command is a cancel of one order that was taken, and waits for what gives it its outcome."""
        waits = any(command in waiting for waiting in self._waiting.values())
        return waits or command in self._accepting or self._cancels.is_wish_of(command)

    # ---- commands ----

    def keep(self, strategy: str, request: CancelRequest) -> None:
        """It came too early: for `go_live`."""
        target = (request.target_strategy or strategy, request.target_number)
        kept = self._early.setdefault(target, [])
        if (strategy, request) not in kept:
            kept.append((strategy, request))

    def go_live(self, now: Instant) -> None:
        """Take up what came too early."""
        early, self._early = self._early, {}
        for requests in early.values():
            for strategy, request in requests:
                self.cancel(strategy, request, now)

    def cancel(self, strategy: str, request: CancelRequest, now: Instant) -> None:
        """Cancel one order."""
        target = (request.target_strategy or strategy, request.target_number)
        command = (strategy, request.number)
        self._decisions.use_number(*command)
        if target >= command and target[0] == strategy and not is_lost_number(target[1]):
            text = f"{target[1]} is not below the command's own number: it is no order that was there before"
            self._decisions.refuse(strategy, request, Reason.UNKNOWN_ORDER, text, now)
            return
        order = self._books.orders.get(target)
        if order is not None and not order.is_closed:
            if why := self._cancels.out_of_reach(order):
                self._decisions.refuse(strategy, request, Reason.UNKNOWN_VENUE, why, now)
                return
            if self._cancels.wished_by_another(target, command):
                self._accepting[command] = target
            self._cancels.wish(order, command, now, Whose(request.by, request.cause, request.sent_ns))
            self.accept_carried()
        elif self._flights.new_order(target) is not None:
            waiting = self._waiting.setdefault(target, [])
            if command not in waiting:
                waiting.append(command)
        elif order is not None:
            text = f"the order is {order.status.value}"
            self._decisions.refuse(strategy, request, Reason.ORDER_CLOSED, text, now)
        elif self._archive.command(*target) is not None:
            self._decisions.refuse(strategy, request, Reason.ORDER_CLOSED, "the order was closed before", now)
        else:
            self._decisions.refuse(strategy, request, Reason.UNKNOWN_ORDER, "", now)

    def cancel_all(self, strategy: str, request: CancelAllRequest, now: Instant) -> None:
        """Put into the log that whatever the request names is to be cancelled, at rest and under way, and no more."""
        wanted = request.target_strategy or strategy
        self._decisions.use_number(strategy, request.number)
        under_way: dict[str, int] = {}
        for flying in self._flights.new_orders():
            if flying.strategy != strategy and wanted in ("*", flying.strategy):
                last = flying.number + len(flying.further)
                under_way[flying.strategy] = max(last, under_way.get(flying.strategy, 0))
        names = (strategy, request.number, request.venue, request.symbol, request.target_strategy)
        wished = CancelAll(
            *names, tuple(under_way.items()), account=request.account, by=request.by, cause=request.cause,
            stamps=Stamps(request.sent_ns, now.wall_ns),
        )  # fmt: skip
        self._decisions.decide(Kind.CANCEL_ALL, self._without_out_of_reach(wished), now)

    def _without_out_of_reach(self, wished: CancelAll) -> CancelAll:
        """The command, refused where it names orders that nobody can cancel; what can be is cancelled all the same."""
        orders = [order for venue in self._books.open for order in self._books.open_orders(venue)]
        named = [order for order in orders if covers(wished, order, was_under_way=False)]
        left = {order.account: why for order in named if (why := self._cancels.out_of_reach(order))}
        if not left:
            return wished
        count = sum(order.account in left for order in named)
        why = "; ".join(left.values())
        text = f"{count} orders stay open: {why}. The other {len(named) - count} are being cancelled"
        return msgspec.structs.replace(wished, left_open=tuple(left), text=cut(text))

    # ---- what the log tells ----

    def accept_carried(self) -> None:
        """Answer the commands whose wish the log holds, so that no restart forgets one that was accepted.

        What comes of a wish is told by its order's own events.
        """
        if not self._accepting:
            return
        for command, target in list(self._accepting.items()):
            order = self._books.orders.get(target)
            if order is None or order.is_closed or order.wish_number:
                del self._accepting[command]
                self._keep_accepted(command)
                self._clients.emit(command[0], CommandOutcome(*self._names.give(), *command, "accepted"))

    def command_sent(self, command: NewOrder | AmendOrder, now: Instant) -> None:
        """What was under way is in the log: cancel it, if that was wished meanwhile."""
        for each in command.orders if isinstance(command, NewOrder) else (command,):
            name = (each.strategy, each.number)
            waiting = self._waiting.pop(name, ())
            order = self._books.orders.get(name) if waiting else None
            if order is not None:
                for wish in waiting:
                    self._cancels.wish(order, wish, now)

    def command_never_sent(self, command: NewOrder | AmendOrder, now: Instant) -> None:
        """What was under way never was: so are the cancels refused that waited for it."""
        for each in command.orders if isinstance(command, NewOrder) else (command,):
            for strategy, number in self._waiting.pop((each.strategy, each.number), ()):
                request = CancelRequest(self._life.epoch, number, each.number, each.strategy)
                self._decisions.refuse(strategy, request, Reason.ORDER_CLOSED, "the order was never sent", now)

    def _keep_accepted(self, command: OrderName) -> None:
        """What the log has not decided yet may still be decided by a cancel that is under way."""
        if self._books.names.get(*command) is None:
            self._accepted[command] = None
            if len(self._accepted) > ACCEPTED_COMMANDS:
                del self._accepted[next(iter(self._accepted))]

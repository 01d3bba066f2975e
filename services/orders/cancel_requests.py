"""The strategies' commands to cancel: each becomes wishes, or waits for what it is about, or is refused.

One about an order that is still under way waits until that is sent, or is refused when it never was. One of an order
that is being cancelled already is answered "accepted" when the log holds the wish. One of many orders is a record
first: what it is about is what was there before that record, whenever and however often it is repeated. One order's
that comes before this process may act is kept.
"""

import msgspec

from common.instant import Instant
from common.messages import (
    AmendOrder,
    CancelAll,
    CancelAllRequest,
    CancelRequest,
    CommandOutcome,
    NewOrder,
    Reason,
    Stamps,
    cut,
)
from common.orders.books import Books, OrderName
from common.orders.cancel_alls import covers
from services.orders.archive import Archive
from services.orders.attempts import Whose
from services.orders.cancels import Cancels
from services.orders.clients import Clients
from services.orders.decisions import Decisions
from services.orders.flights import Flights
from services.orders.life import Life
from services.orders.views import StandingNames

ACCEPTED_COMMANDS = 4096
"""Accepted commands, none of whose cancels was sent before, that are remembered so as to be answered once."""


class CancelRequests:
    """See the module."""

    def __init__(
        self,
        cancels: Cancels,
        flights: Flights,
        decisions: Decisions,
        books: Books,
        archive: Archive,
        clients: Clients,
        life: Life,
        names: StandingNames,
    ) -> None:
        """None has come."""
        self._cancels = cancels
        self._flights = flights
        self._decisions = decisions
        self._books = books
        self._archive = archive
        self._clients = clients
        self._life = life
        self._names = names
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
        self._decisions.take(*command)
        if target >= command and target[0] == strategy:
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
            whose = Whose(request.by, request.cause, request.sent_ns)
            self._cancels.wish(order, command, now, whose)
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
        self._decisions.take(strategy, request.number)
        under_way: dict[str, int] = {}
        for flying in self._flights.new_orders():
            if flying.strategy != strategy and wanted in ("*", flying.strategy):
                under_way[flying.strategy] = max(flying.number, under_way.get(flying.strategy, 0))
        names = (strategy, request.number, request.venue, request.symbol, request.target_strategy)
        wished = CancelAll(
            *names, tuple(under_way.items()), account=request.account, by=request.by, cause=request.cause,
            stamps=Stamps(request.sent_ns, now.wall_ns),
        )  # fmt: skip
        self._decisions.cancel_all(self._without_out_of_reach(wished), now)

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
            if self._is_carried(target):
                del self._accepting[command]
                self._keep_accepted(command)
                self._clients.emit(command[0], CommandOutcome(*self._names.give(), *command, "accepted"))

    def sent(self, command: NewOrder | AmendOrder, now: Instant) -> None:
        """What was under way is in the log: cancel it, if that was wished meanwhile."""
        name = (command.strategy, command.number)
        waiting = self._waiting.pop(name, ())
        order = self._books.orders.get(name) if waiting else None
        if order is not None:
            for wish in waiting:
                self._cancels.wish(order, wish, now)

    def never_sent(self, command: NewOrder | AmendOrder, now: Instant) -> None:
        """What was under way never was: so are the cancels refused that waited for it."""
        for strategy, number in self._waiting.pop((command.strategy, command.number), ()):
            request = CancelRequest(self._life.epoch, number, command.number, command.strategy)
            self._decisions.refuse(strategy, request, Reason.ORDER_CLOSED, "the order was never sent", now)

    def _keep_accepted(self, command: OrderName) -> None:
        """What the log has not decided yet may still be decided by a cancel that is under way."""
        if self._books.names.get(*command) is None:
            self._accepted[command] = None
            if len(self._accepted) > ACCEPTED_COMMANDS:
                del self._accepted[next(iter(self._accepted))]

    def _is_carried(self, target: OrderName) -> bool:
        order = self._books.orders.get(target)
        return order is None or order.is_closed or order.wish_number > 0

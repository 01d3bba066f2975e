"""Attempts: how a command gets its number, ClOrdID(11), session and deadline, once, and goes down the ring to risk.

A request names its account; one that names none is for the venue's only one. Of an account's sessions the first, as
configured, whose gate is open carries a command; where none is open, the first that is logged on, since a cancel needs
no more; else the first. A question goes over the session that sent the order, where that is logged on: only its answer
there is evidence of what a later connection of it has brought.

What becomes of an attempt is the log's to say. What risk's queue did not take, or what cannot be sent now, is refused
in the log too.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec

from common.actor.core import Core, Exit, Send
from common.actor.links import Appender
from common.exit_status import ExitStatus
from common.instant import Instant
from common.messages import (
    AmendOrder,
    AmendRequest,
    Attempt,
    CancelOrder,
    Kind,
    NewOrder,
    NewOrderRequest,
    QueryOrder,
    Reason,
    Refused,
    SessionState,
    Stamps,
)
from common.orders.books import Books, OrderName
from common.orders.fold import WRITER
from common.orders.names import PERIOD, ClOrdIdForm, cl_ord_id_of, new_epoch_due, next_of_orders
from common.orders.order_state import Order
from common.request_identity import asked_terms


class Route(msgspec.Struct, frozen=True):
    """An account's venue, its sessions in the order in which they are chosen, and what the venue takes as
    ClOrdID(11).
    """

    venue: str
    sessions: tuple[str, ...]
    names: ClOrdIdForm = ClOrdIdForm.TEXT


class Routes:
    """The account that a request is for, and the session that carries a command of it."""

    def __init__(self, routes: Mapping[str, Route], books: Books) -> None:
        """`routes` are by account; `books` know the state of each session."""
        self._routes = routes
        self._books = books
        self.forms = frozenset(route.names for route in routes.values())
        """Of all accounts."""

    def names_of(self, account: str) -> ClOrdIdForm:
        """What the account's venue takes as ClOrdID(11)."""
        route = self._routes.get(account)
        return ClOrdIdForm.TEXT if route is None else route.names

    def with_account(self, request: NewOrderRequest) -> tuple[NewOrderRequest, str]:
        """The request with its account's name, and why it has none: its venue has several, and it names none of them.

        A venue that is not configured has no account: risk refuses the order.
        """
        if request.account:
            return request, ""
        named = [name for name, route in self._routes.items() if route.venue == request.venue]
        if len(named) > 1:
            return request, f"{request.venue} has several accounts: name one of {', '.join(named)}"
        return msgspec.structs.replace(request, account=named[0] if named else request.venue), ""

    def session_of(self, account: str, *, preferred: str = "") -> str:
        """The session that carries a command of the account; `preferred` where that is logged on."""
        route = self._routes.get(account)
        sessions = route.sessions if route is not None else (account,)
        books = [known for name in sessions if (known := self._books.sessions.get(name)) is not None]
        up = [each for each in books if each.logged_on]
        for each in up:
            if each.session == preferred:
                return preferred
        opened = [each for each in up if each.state is SessionState.OPENED]
        return (opened or up)[0].session if up else sessions[0]


class Whose(NamedTuple):
    """What a request says of itself, besides what it asks for: the person, the cause, and when it was given."""

    by: str = ""
    cause: str = ""
    sent_ns: int = 0


NOBODY: Final = Whose()


class Attempts:
    """The commands that go down the ring, each numbered once. Sends are effects of `core` over its link "risk"; the
    epoch is the one of `appender`.
    """

    def __init__(self, core: Core, appender: Appender, books: Books, routes: Routes, time_to_live_ns: int) -> None:
        """None was given yet. `time_to_live_ns` bounds the life of what adds risk."""
        self._core = core
        self._appender = appender
        self._books = books
        self._routes = routes
        self._time_to_live_ns = time_to_live_ns
        self._counter = 0
        self._ends = False

    def new_order(self, strategy: str, request: NewOrderRequest, now: Instant) -> NewOrder:
        """A new order's only attempt."""
        attempt = self._next()
        return NewOrder(
            attempt, strategy, request.number, request.venue, request.symbol, request.terms,
            self._name(attempt, request.account), self._deadline_ns(request.time_to_live_ns), request.label,
            account=request.account, session=self._routes.session_of(request.account), by=request.by,
            cause=request.cause, stamps=Stamps(request.sent_ns, now.wall_ns),
        )  # fmt: skip

    def amendment(self, strategy: str, request: AmendRequest, order: Order, now: Instant) -> AmendOrder:
        """An amendment's only attempt, its terms completed from the order's."""
        attempt, leg = self._next(), order.leg
        # The terms are those of the venue's order: what earlier legs have filled is no part of it.
        before = order.cum_qty - leg.cum_qty
        order_qty = leg.order_qty if request.order_qty is None else request.order_qty - before
        price = leg.price if request.price is None else request.price
        shown = order.terms.display_qty
        display_qty = None if shown is None else min(shown, order_qty)
        terms = msgspec.structs.replace(order.terms, order_qty=order_qty, price=price, display_qty=display_qty)
        return AmendOrder(
            attempt, strategy, request.number, order.venue, order.symbol, terms, self._name(attempt, order.account),
            leg.cl_ord_id, leg.order_id, order.strategy, order.number, leg.order_qty, leg.price, leg.cum_qty,
            self._deadline_ns(request.time_to_live_ns), asked=asked_terms(request), account=order.account,
            session=self._routes.session_of(order.account), by=request.by, cause=request.cause,
            stamps=Stamps(request.sent_ns, now.wall_ns),
        )  # fmt: skip

    def cancel(self, order: Order, command: OrderName, whose: Whose, now: Instant) -> CancelOrder:
        """One more attempt to cancel the order, in the name of `command`, which `whose` says more of."""
        attempt, leg = self._next(), order.leg
        return CancelOrder(
            attempt, *command, order.venue, order.symbol, order.side, self._name(attempt, order.account),
            leg.cl_ord_id, leg.order_id, order.strategy, order.number, leg.order_qty, order.account,
            self._routes.session_of(order.account), whose.by, whose.cause, Stamps(whose.sent_ns, now.wall_ns),
        )  # fmt: skip

    def query(self, order: Order) -> Attempt:
        """Send a question about the order's state."""
        attempt, leg = self._next(), order.leg
        query = QueryOrder(
            attempt, order.venue, order.symbol, order.side, leg.cl_ord_id, leg.order_id, self._books.lsn,
            self._books.stamp_ns, order.account, self._routes.session_of(order.account, preferred=order.session),
        )  # fmt: skip
        self.send(query)
        return attempt

    def send(self, command: NewOrder | AmendOrder | CancelOrder | QueryOrder) -> None:
        """Down the ring. What risk's queue does not take comes back as `undelivered`."""
        self._core.effects.append(Send("risk", command))

    def refuse(self, command: NewOrder | AmendOrder | CancelOrder, reason: Reason, now: Instant) -> None:
        """The attempt goes no further: that is its record in the log."""
        refused = Refused(WRITER, reason, reason.sentence, command.strategy, command.number, command.attempt, command)
        self._appender.append(Kind.REFUSED, refused, now)

    def go_on_behind(self, attempt: Attempt) -> None:
        """A session has named a request of its own: where names have to grow, what follows stands behind it."""
        if attempt.epoch == self._appender.epoch and attempt.counter > self._counter:
            self._counter = (attempt.counter // PERIOD + 1) * PERIOD - 1

    def _next(self) -> Attempt:
        self._counter = next_of_orders(self._counter)
        if not self._ends and new_epoch_due(self._counter, self._routes.forms):
            self._ends = True
            text = f"the names of epoch {self._appender.epoch} come to their end: the next life takes a new epoch"
            self._core.effects.append(Exit(ExitStatus.FAILURE, text))
        return Attempt(self._appender.epoch, self._counter)

    def _name(self, attempt: Attempt, account: str) -> str:
        return cl_ord_id_of(attempt, self._routes.names_of(account))

    def _deadline_ns(self, time_to_live_ns: int) -> int:
        heard_ns = max(self._books.stamp_ns, self._appender.last_stamp_ns)
        return heard_ns + max(1, min(time_to_live_ns, self._time_to_live_ns))

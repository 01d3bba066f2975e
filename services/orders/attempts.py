"""Commands on their way: the numbers taken, what orders itself decides, and how the rest is named, sent and in flight.

A command gets its number, ClOrdID(11), session and deadline once.

A request names its account; one that names none is for the venue's only one. Of an account's sessions the first, as
configured, whose gate is open carries a command; where none is open, the first that is logged on, since a cancel needs
no more; else the first. A question goes over the session that sent the order, where that is logged on: only its answer
there is evidence of what a later connection of it has brought.

What becomes of an attempt is the log's to say. What risk's queue did not take, or what cannot be sent now, is refused
in the log too.

A decision of our own (a refusal, an expiry, a cancel of many) is a record first. Until that was read back the command
is undecided, and a repeat of it waits; it is told when the record is read, like any outcome that others cause. While
the appender is full nothing can be decided: the client is told that the journal is away, and the command is decided
when it is repeated.

What adds risk flies: a new order or an amendment is under way until the log has decided its attempt.
"""

from collections import Counter
from collections.abc import Container, Iterator, Mapping
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
    CancelAll,
    CancelOrder,
    ClientRequest,
    Expired,
    JournalLevel,
    Kind,
    ListedOrder,
    NewOrder,
    NewOrderRequest,
    QueryOrder,
    Reason,
    Refused,
    SessionState,
    Stamps,
    StatusChanged,
)
from common.orders.books import Books, OrderName
from common.orders.fold import WRITER
from common.orders.names import PERIOD, ClOrdIdForm, cl_ord_id_of, new_epoch_due, next_of_orders
from common.orders.order_state import Order
from common.orders.outcome import Outcomes
from common.request_identity import asked_terms, command_identity
from services.orders.clients import Clients
from services.orders.settings import AccountRules


class Routes:
    """The account that a request is for, and the session that carries a command of it."""

    def __init__(self, accounts: Mapping[str, AccountRules], books: Books) -> None:
        """`books` know the state of each session."""
        self._accounts = accounts
        self._books = books
        self.forms = frozenset(rules.facts.names for rules in accounts.values())
        """Of all accounts."""

    def names_of(self, account: str) -> ClOrdIdForm:
        """What the account's venue takes as ClOrdID(11)."""
        rules = self._accounts.get(account)
        return ClOrdIdForm.TEXT if rules is None else rules.facts.names

    def with_account(self, request: NewOrderRequest) -> tuple[NewOrderRequest, str]:
        """The request with its account's name, and why it has none: its venue has several, and it names none of them.

        A venue that is not configured has no account: risk refuses the order.
        """
        if request.account:
            return request, ""
        named = [name for name, its in self._accounts.items() if (its.facts.venue or name) == request.venue]
        if len(named) > 1:
            return request, f"{request.venue} has several accounts: name one of {', '.join(named)}"
        return msgspec.structs.replace(request, account=named[0] if named else request.venue), ""

    def session_of(self, account: str, *, preferred: str = "") -> str:
        """The session that carries a command of the account; `preferred` where that is logged on."""
        rules = self._accounts.get(account)
        sessions = (rules.sessions if rules is not None else ()) or (account,)
        books = [known for name in sessions if (known := self._books.sessions.get(name)) is not None]
        up = [each for each in books if each.logged_on]
        opened = [each for each in up if each.state is SessionState.OPENED]
        chosen = [each for each in up if each.session == preferred] or opened or up
        return chosen[0].session if chosen else sessions[0]


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
        attempt, account = self._next(), request.account
        further = ((terms, self._next()) for terms in request.further)
        return NewOrder(
            attempt, strategy, request.number, request.venue, request.symbol, request.terms,
            self._name(attempt, account), self._deadline_ns(request.time_to_live_ns), request.label,
            account=account, session=self._routes.session_of(account), by=request.by,
            cause=request.cause, stamps=Stamps(request.sent_ns, now.wall_ns), contingency=request.contingency,
            further=tuple(ListedOrder(terms, each, self._name(each, account)) for terms, each in further),
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
            sleeps=order.terms.is_stop and not order.triggered,
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


class Decisions:
    """The command numbers that are taken, and what orders itself decides. `counts` is for the status."""

    def __init__(self, appender: Appender, books: Books, clients: Clients) -> None:
        """Only what the log has is taken."""
        self._appender = appender
        self._clients = clients
        self._books = books
        self._highest: dict[str, int] = {}
        self._undecided: dict[OrderName, None] = {}
        self.counts: Counter[str] = Counter()

    def highest_of(self, strategy: str) -> int:
        """The highest number that the strategy has used; 0 for none."""
        return max(self._highest.get(strategy, 0), self._books.names.highest.get(strategy, 0))

    def use_number(self, strategy: str, number: int) -> None:
        """The number is used from now on."""
        self._highest[strategy] = max(number, self._highest.get(strategy, 0))

    def __contains__(self, command: OrderName) -> bool:
        """Whether a decision on the command was appended and not read back."""
        return command in self._undecided

    def refuse(self, strategy: str, request: ClientRequest, reason: Reason, text: str, now: Instant) -> None:
        """The request goes no further. `text` is the reason's own sentence where it is empty."""
        text = text or reason.sentence
        self.decide(Kind.REFUSED, Refused(WRITER, reason, text, strategy, request.number, None, None, request), now)

    def decide(self, kind: Kind, record: Refused | Expired | CancelAll, now: Instant) -> None:
        """The record is the decision: it holds, and is told, once the log has it, so that no later life takes the
        number for a new one."""
        if self._appender.full:
            away = StatusChanged("journal_away", record.number, self._appender.epoch)
            self._clients.tell(record.strategy, away)
            return
        self._undecided[record.strategy, record.number] = None
        self._appender.append(kind, record, now)
        self.counts["refused"] += kind is Kind.REFUSED

    def read(self, command: OrderName) -> None:
        """The log has an outcome of the command."""
        self._undecided.pop(command, None)


MAX_IN_FLIGHT = 20_000
"""Commands that the log has not decided; at 15,000 a second more than a second's worth, which is the longest life."""


class Flights:
    """What adds risk and is under way. A request that cannot fly is refused."""

    def __init__(
        self,
        attempts: Attempts,
        decisions: Decisions,
        wished: Container[OrderName],
        books: Books,
        outcomes: Outcomes,
        appender: Appender,
    ) -> None:
        """Nothing flies. What is `wished` to be cancelled is not amended; `outcomes` is told what to expect, `appender`
        tells how much room there is.
        """
        self._attempts = attempts
        self._decisions = decisions
        self._wished = wished
        self._books = books
        self._outcomes = outcomes
        self._appender = appender
        self._by_attempt: dict[Attempt, NewOrder | AmendOrder] = {}
        self._by_name: dict[OrderName, NewOrder | AmendOrder] = {}
        self._amending: dict[OrderName, Attempt] = {}

    def __len__(self) -> int:
        """How many are under way."""
        return len(self._by_attempt)

    def __contains__(self, command: OrderName) -> bool:
        """Whether the command is under way."""
        return command in self._by_name

    def new_order(self, name: OrderName) -> NewOrder | None:
        """The new order of that name, if it is under way."""
        command = self._by_name.get(name)
        return command if isinstance(command, NewOrder) else None

    def new_orders(self) -> Iterator[NewOrder]:
        """Those under way, oldest first."""
        return (command for command in self._by_attempt.values() if isinstance(command, NewOrder))

    def new(self, strategy: str, request: NewOrderRequest, now: Instant) -> None:
        """Send a new order."""
        reason, text = self._why_no_room()
        if reason is not Reason.NONE:
            self._decisions.refuse(strategy, request, reason, text, now)
            return
        self._fly(self._attempts.new_order(strategy, request, now))

    def amend(self, strategy: str, request: AmendRequest, now: Instant) -> None:
        """Send an amendment of an order that can be amended."""
        target = (request.target_strategy or strategy, request.target_number)
        order = self._books.orders.get(target)
        reason, text = self._why_not_amend(order, target, request)
        if reason is not Reason.NONE or order is None:
            self._decisions.refuse(strategy, request, reason, text, now)
            return
        command = self._attempts.amendment(strategy, request, order, now)
        self._amending[target] = command.attempt
        self._fly(command)

    def land(self, attempt: Attempt) -> NewOrder | AmendOrder | None:
        """The log has decided the attempt: its command; None where it is none of these."""
        command = self._by_attempt.pop(attempt, None)
        if command is None:
            return None
        for each in command.orders if isinstance(command, NewOrder) else (command,):
            self._by_name.pop((each.strategy, each.number), None)
        if isinstance(command, AmendOrder):
            self._amending.pop((command.target_strategy, command.target_number), None)
        return command

    def expire(self, attempt: Attempt, now: Instant) -> NewOrder | AmendOrder | None:
        """As `land`, where the log has no word of it in time: that goes into the log now."""
        command = self.land(attempt)
        if command is not None:
            self._decisions.counts["expired"] += 1
            name, identity = (command.strategy, command.number), command_identity(command)
            self._decisions.decide(Kind.EXPIRED, Expired(*name, attempt, command.deadline_ns, identity), now)
        return command

    def _fly(self, command: NewOrder | AmendOrder) -> None:
        self._by_attempt[command.attempt] = command
        for each in command.orders if isinstance(command, NewOrder) else (command,):
            self._by_name[each.strategy, each.number] = command
        self._outcomes.expect(command.attempt, command.deadline_ns)
        self._attempts.send(command)

    def _why_no_room(self) -> tuple[Reason, str]:
        if len(self._by_attempt) >= MAX_IN_FLIGHT or self._appender.full:
            return Reason.QUEUE_FULL, f"{MAX_IN_FLIGHT} commands are in flight"
        return JournalLevel.reason_of(self._appender.announced), ""

    def _why_not_amend(self, order: Order | None, target: OrderName, request: AmendRequest) -> tuple[Reason, str]:
        if order is None:
            if target in self._by_name:
                return Reason.REQUEST_PENDING, "the order itself is not sent yet"
            return Reason.UNKNOWN_ORDER, ""
        if order.is_closed:
            return Reason.ORDER_CLOSED, f"the order is {order.status.value}"
        if target in self._amending or order.requests:
            return Reason.REQUEST_PENDING, ""
        if target in self._wished:
            return Reason.NOT_AMENDABLE, "the order is being cancelled"
        if order.is_unknown or not order.leg.word or order.ord_type == "1":
            return Reason.NOT_AMENDABLE, f"the order is {order.status.value}"
        if order.list_number:
            return Reason.NOT_AMENDABLE, "the order is one of a list: cancel the list, and send another"
        if order.terms.peg_price_type:
            return Reason.NOT_AMENDABLE, "a pegged or trailing order would begin anew: cancel it, and send another"
        if order.terms.is_stop and (order.price is None or order.triggered):
            return Reason.NOT_AMENDABLE, "a stop order is amended only while it sleeps, and only with a limit"
        if request.order_qty is not None and request.order_qty <= order.cum_qty:
            return Reason.BAD_QUANTITY, f"{order.cum_qty} is filled already"
        same_qty = request.order_qty is None or request.order_qty == order.order_qty
        if same_qty and (request.price is None or request.price == order.leg.price):
            return Reason.NOT_AMENDABLE, "the amendment changes nothing"
        return self._why_no_room()

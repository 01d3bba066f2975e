"""What adds risk and is under way: new orders and amendments between their request and the log's word on them."""

from collections.abc import Iterator

from common.actor.links import Appender
from common.instant import Instant
from common.messages import AmendOrder, AmendRequest, Attempt, Expired, NewOrder, NewOrderRequest, Reason
from common.orders.books import Books, OrderName
from common.orders.order_state import Order
from common.orders.outcome import Outcomes
from common.request_identity import command_identity
from services.orders.attempts import Attempts
from services.orders.decisions import Decisions
from services.orders.wishes import Wishes

MAX_IN_FLIGHT = 20_000
"""Commands that the log has not decided; at 15,000 a second more than a second's worth, which is the longest life."""


class Flights:
    """See the module. A request that cannot fly is refused."""

    def __init__(
        self,
        attempts: Attempts,
        decisions: Decisions,
        wishes: Wishes,
        books: Books,
        outcomes: Outcomes,
        appender: Appender,
    ) -> None:
        """Nothing flies. `outcomes` is told what to expect, `appender` tells how much room there is."""
        self._attempts = attempts
        self._decisions = decisions
        self._wishes = wishes
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
        self._by_name.pop((command.strategy, command.number), None)
        if isinstance(command, AmendOrder):
            self._amending.pop((command.target_strategy, command.target_number), None)
        return command

    def expire(self, attempt: Attempt, now: Instant) -> NewOrder | AmendOrder | None:
        """As `land`, where the log has no word of it in time: that goes into the log now."""
        command = self.land(attempt)
        if command is not None:
            self._decisions.counts["expired"] += 1
            name, identity = (command.strategy, command.number), command_identity(command)
            self._decisions.expire(Expired(*name, attempt, command.deadline_ns, identity), now)
        return command

    def _fly(self, command: NewOrder | AmendOrder) -> None:
        self._by_attempt[command.attempt] = self._by_name[command.strategy, command.number] = command
        self._outcomes.expect(command.attempt, command.deadline_ns)
        self._attempts.send(command)

    def _why_no_room(self) -> tuple[Reason, str]:
        if len(self._by_attempt) >= MAX_IN_FLIGHT or self._appender.full:
            return Reason.QUEUE_FULL, f"{MAX_IN_FLIGHT} commands are in flight"
        return (Reason.LOW_DISK, "") if self._appender.low_disk else (Reason.NONE, "")

    def _why_not_amend(self, order: Order | None, target: OrderName, request: AmendRequest) -> tuple[Reason, str]:
        if order is None:
            if target in self._by_name:
                return Reason.REQUEST_PENDING, "the order itself is not sent yet"
            return Reason.UNKNOWN_ORDER, ""
        if order.is_closed:
            return Reason.ORDER_CLOSED, f"the order is {order.status.value}"
        if target in self._amending or order.requests:
            return Reason.REQUEST_PENDING, ""
        if target in self._wishes:
            return Reason.NOT_AMENDABLE, "the order is being cancelled"
        if order.is_unknown or not order.leg.word or order.ord_type == "1":
            return Reason.NOT_AMENDABLE, f"the order is {order.status.value}"
        if order.terms.is_stop and (order.price is None or order.triggered):
            return Reason.NOT_AMENDABLE, "a stop order is amended only while it sleeps, and only with a limit"
        if request.order_qty is not None and request.order_qty <= order.cum_qty:
            return Reason.BAD_QUANTITY, f"{order.cum_qty} is filled already"
        same_qty = request.order_qty is None or request.order_qty == order.order_qty
        if same_qty and (request.price is None or request.price == order.leg.price):
            return Reason.NOT_AMENDABLE, "the amendment changes nothing"
        return self._why_no_room()

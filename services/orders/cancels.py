"""Cancels on their way: what is wished to be cancelled is tried, by one attempt after another, until it is closed.

`services.orders.wishes` says when to try; here is what is sent then, in whose name, and what is under way. A wish that
cannot be sent is put into the log, once, so that no restart forgets it.
"""

from collections.abc import Collection

from common.actor.links import Appender
from common.instant import NS_PER_S, Instant
from common.messages import Attempt, CancelOrder, Reason
from common.orders.books import Books, OrderName
from common.orders.order_state import Order, RequestKind
from services.orders.attempts import NOBODY, Attempts, Whose
from services.orders.life import Life
from services.orders.wishes import Wishes

LONGEST_ANSWER_NS = 60 * NS_PER_S
"""Cancels that are never answered take so little of the message budget that others always find room."""


class Cancels:
    """See the module. `wishes` are the orders that are to be cancelled."""

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
        self._under_way: dict[Attempt, OrderName] = {}
        self._commands: dict[OrderName, OrderName] = {}
        self._whose: dict[OrderName, Whose] = {}
        self._answer_ns = answer_ns
        self._sent_ns: dict[OrderName, int] = {}
        self.wishes = Wishes()

    def wish(self, order: Order, command: OrderName, now: Instant, whose: Whose = NOBODY) -> None:
        """Cancel the order, in the name of the command that first wished it; `command` ("", 0) is nobody's."""
        name = (order.strategy, order.number)
        if name not in self._commands:
            self._commands[name], self._whose[name] = command if command[1] else name, whose
        self.wishes.wish(name, now.boot_ns)
        if self._life.live:
            self.send_due(now)

    def out_of_reach(self, order: Order) -> str:
        """Why a cancel of the order can go nowhere; "" where it can."""
        if order.account in self._accounts:
            return ""
        return f"{order.account} is not configured, so nobody can cancel there: put its file back and start again"

    def wished_by_another(self, name: OrderName, command: OrderName) -> bool:
        """Whether the order is to be cancelled in the name of another command than this."""
        return self._commands.get(name, command) != command

    def is_wish_of(self, command: OrderName) -> bool:
        """Whether an order is to be cancelled in the name of this command."""
        return command in self._commands.values()

    def send_due(self, now: Instant) -> None:
        """Send what is due."""
        if self._life.away:
            return
        for name in self.wishes.due(now.boot_ns):
            order = self._books.orders.get(name)
            if order is None or order.is_closed:
                self.wishes.end(name)
            elif not self._books.is_logged_on(order.account):
                self._keep(self._cancel_of(order, now), Reason.NOT_CONNECTED, now)
            elif (wait_ns := self._wait_ns(order)) > 0:
                self.wishes.postpone(name, now.boot_ns + wait_ns)
            else:
                command = self._cancel_of(order, now)
                self._under_way[command.attempt] = name
                self._attempts.send(command)

    def hasten(self, account: str, now: Instant) -> None:
        """A session of the account is back: what is wished there is tried at once."""
        for order in self._books.open_orders(account):
            name = (order.strategy, order.number)
            if name in self.wishes:
                self.wishes.hasten(name, now.boot_ns)

    def sent(self, attempt: Attempt) -> None:
        """The log has the attempt: the venue will answer."""
        target = self._under_way.pop(attempt, None)
        if target is not None:
            self._sent_ns[target] = self._books.stamp_ns

    def failed(self, attempt: Attempt, now: Instant) -> None:
        """The attempt came to nothing: another one, later."""
        target = self._under_way.pop(attempt, None)
        if target is not None:
            self.wishes.retry(target, now.boot_ns)

    def not_taken(self, command: CancelOrder, now: Instant) -> None:
        """Risk's queue was full."""
        self.failed(command.attempt, now)
        self._keep(command, Reason.QUEUE_FULL, now)

    def closed(self, name: OrderName) -> None:
        """The order is closed: the wish has its end."""
        self.wishes.end(name)
        self._commands.pop(name, None)
        self._whose.pop(name, None)
        self._sent_ns.pop(name, None)

    def _keep(self, command: CancelOrder, reason: Reason, now: Instant) -> None:
        """A cancel that cannot be sent now is logged as refused, once: the wish is in the log then, and stays."""
        order = self._books.orders.get((command.target_strategy, command.target_number))
        if order is not None and not order.wish_number and not self._appender.full:
            self._attempts.refuse(command, reason, now)

    def _cancel_of(self, order: Order, now: Instant) -> CancelOrder:
        name = (order.strategy, order.number)
        return self._attempts.cancel(order, self._commands.get(name, name), self._whose.get(name, NOBODY), now)

    def _wait_ns(self, order: Order) -> int:
        """How long the answer to a cancel that is at the venue, on a connection that lives, is awaited yet. Each that
        had none is followed by another one after twice the time.
        """
        cancels = [request for request in order.requests.values() if request.kind is RequestKind.CANCEL]
        sent = sum(self._books.is_under_way(cancel.session, cancel.connection) for cancel in cancels)
        if not sent:
            return 0
        stamp_ns = self._books.stamp_ns
        last_ns = self._sent_ns.setdefault((order.strategy, order.number), stamp_ns)
        return last_ns + min(self._answer_ns << (sent - 1), LONGEST_ANSWER_NS) - stamp_ns

"""Which of a strategy's command numbers are taken, and what orders itself decides: refusals, expiries, cancels of many.

A decision is a record first. Until that was read back the command is undecided, and a repeat of it waits; it is told
when the record is read, like any outcome that others cause. While the appender is full nothing can be decided: the
client is told that the journal is away, and the command is decided when it is repeated.
"""

from collections import Counter

from common.actor.links import Appender
from common.instant import Instant
from common.messages import CancelAll, ClientRequest, Expired, Kind, Reason, Refused, StatusChanged
from common.orders.books import Books, OrderName
from common.orders.fold import WRITER
from services.orders.clients import Clients


class Decisions:
    """See the module. `counts` is for the status."""

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

    def take(self, strategy: str, number: int) -> None:
        """The number is used from now on."""
        self._highest[strategy] = max(number, self._highest.get(strategy, 0))

    def __contains__(self, command: OrderName) -> bool:
        """Whether a decision on the command was appended and not read back."""
        return command in self._undecided

    def refuse(self, strategy: str, request: ClientRequest, reason: Reason, text: str, now: Instant) -> None:
        """The request goes no further. `text` is the reason's own sentence where it is empty."""
        self._refuse(
            Refused(WRITER, reason, text or reason.sentence, strategy, request.number, None, None, request), now
        )

    def refuse_unread(self, strategy: str, number: int, reason: Reason, text: str, now: Instant) -> None:
        """The same of a request that is not to be kept, since it cannot be read."""
        self._refuse(Refused(WRITER, reason, text, strategy, number, None), now)

    def _refuse(self, refused: Refused, now: Instant) -> None:
        if self._is_full(refused.strategy, refused.number):
            return
        self._undecided[refused.strategy, refused.number] = None
        self._appender.append(Kind.REFUSED, refused, now)
        self.counts["refused"] += 1

    def expire(self, expired: Expired, now: Instant) -> None:
        """Nothing in the log bears the number: it is told when a record does, so that no later life takes it as new."""
        if self._is_full(expired.strategy, expired.number):
            return
        self._undecided[expired.strategy, expired.number] = None
        self._appender.append(Kind.EXPIRED, expired, now)

    def cancel_all(self, wished: CancelAll, now: Instant) -> None:
        """The command to cancel many goes into the log, and holds as of that record."""
        if self._is_full(wished.strategy, wished.number):
            return
        self._undecided[wished.strategy, wished.number] = None
        self._appender.append(Kind.CANCEL_ALL, wished, now)

    def read(self, command: OrderName) -> None:
        """The log has an outcome of the command."""
        self._undecided.pop(command, None)

    def _is_full(self, strategy: str, number: int) -> bool:
        if not self._appender.full:
            return False
        self._clients.tell(strategy, StatusChanged("journal_away", number, self._appender.epoch))
        return True

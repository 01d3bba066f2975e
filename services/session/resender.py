"""Answers to the venue's ResendRequest(2): only what was released, never what adds risk, and nothing before it is
journaled.

An order that the venue did not receive is gap-filled, and that is evidence: the record that names it is durable
before the gap fill leaves. What a request proves ends where the live connection began. Its own messages arrive in
order, so a venue that misses an earlier one has them, kept behind the gap, and may act on them before our gap fill
arrives: they are left out of the answer. Where one of them is what it misses, and an order is among those behind it,
only a new connection tells which it has; what it kept has died with the old one then.

Numbers older than those kept at hand are gap-filled and named by no record: a status request settles their orders.
"""

from collections import deque
from typing import NamedTuple

from common.instant import Instant
from common.messages import GapFilled
from services.session.outbox import Outbox
from services.session.records import Records


class _Answer(NamedTuple):
    begin: int
    end: int
    append_number: int


class Resender:
    """The requests of one connection that are not answered yet, in order."""

    def __init__(self, session: str, records: Records, outbox: Outbox) -> None:
        self._session = session
        self._records = records
        self._outbox = outbox
        self._wanted: deque[tuple[int, int]] = deque()
        self._answers: deque[_Answer] = deque()
        self._durable = 0

    def needs_new_connection(self, begin: int, end: int) -> bool:
        """Whether the request begins inside the live connection with an order behind it."""
        return begin >= self._outbox.first_number and bool(self._records.history.attempts(begin, end))

    def wanted(self, begin: int, end: int, now: Instant) -> None:
        """The venue asks for `begin` to `end`. What is numbered but not released yet comes as itself, later."""
        first = self._outbox.first_number
        self._wanted.append((begin, min(end, first - 1) if begin < first else end))
        self._proceed(now)

    def acknowledged(self, append_number: int, now: Instant) -> None:
        """The journal has everything up to `append_number`: give the answers that waited for it."""
        self._durable = append_number
        self._proceed(now)

    def forget(self) -> None:
        """The connection is gone, and its requests with it."""
        self._wanted.clear()
        self._answers.clear()
        self._durable = 0

    def renumbered(self) -> None:
        """Appends are counted from 1 again; whatever was recorded before is durable, and its answers were given."""
        self._durable = 0

    def _proceed(self, now: Instant) -> None:
        """Journal the answers that can be given by now, at least one of their numbers being released; give what is
        durable.
        """
        while self._wanted and self._wanted[0][0] <= self._outbox.last_released:
            begin, wanted_end = self._wanted.popleft()
            end = min(wanted_end, self._outbox.last_released)
            history = self._records.history
            attempts = history.attempts(begin, end)
            append_number = 0
            if attempts:
                record = GapFilled(self._session, history.generation, self._outbox.connection, begin, end, attempts)
                append_number = self._records.append(record, now)
            self._answers.append(_Answer(begin, end, append_number))
        self._give(now)

    def _give(self, now: Instant) -> None:
        fix = self._outbox.fix
        while fix is not None and self._answers and self._answers[0].append_number <= self._durable:
            answer = self._answers.popleft()
            fix.resend(answer.begin, answer.end, self._records.history.resendable(answer.begin, answer.end), now)

"""Answers to the venue's ResendRequest(2): only what was released, never what adds risk, and nothing before it is
journaled.

An order that the venue did not receive is gap-filled, and that is evidence: the record of the request is durable before
the gap fill leaves, and the one that names the orders follows once the venue is in step (`gate`). What it had to say of
them is in the log by then, for a venue may ask for what it has received.

What a request proves ends where the live connection began. Its own messages arrive in order, so a venue that misses an
earlier one has them, kept behind the gap, and may act on them before our gap fill arrives: they are left out of the
answer. Where one of them is what it misses, and an order is among those behind it, only a new connection tells which
it has; what it kept has died with the old one then. Nor does a request prove anything of a venue that has shown to be
in step: it asks again for what it has received.

Numbers older than those kept at hand are gap-filled and named by no record: a status request settles their orders.

What is sent again counts in the venue's rate like everything else: an answer goes out in parts, each as large as the
rate and the socket allow. A venue that asks again and again, and gets no further, from one connection to the next too,
is no venue to go on with.
"""

from collections import deque
from typing import NamedTuple

from msgspec.structs import replace

from common.actor.rates import Use
from common.instant import NS_PER_S, Instant
from common.messages import GapFilled
from services.session.outbox import Outbox
from services.session.records import Records

PART_MESSAGES = 256
"""At most so many messages are sent again in one part: what a venue does not read fills no memory."""

CIRCLES = 20
"""So many requests, none of them for anything beyond the one before, each within CIRCLE_NS: the venue gets nowhere."""

CIRCLE_NS = 600 * NS_PER_S


class _Wanted(NamedTuple):
    begin: int
    end: int
    in_step: bool


class _Answer(NamedTuple):
    begin: int
    end: int
    append_number: int


class Resender:
    """The requests of one connection that are not answered yet, in order, and how the venue got on with them."""

    def __init__(self, records: Records, outbox: Outbox) -> None:
        self._records = records
        self._outbox = outbox
        self._wanted: deque[_Wanted] = deque()
        self._answers: deque[_Answer] = deque()
        self._unreceived: list[GapFilled] = []
        self._durable = 0
        self.due_boot_ns: int | None = None
        """When an answer that the venue's rate has cut goes on."""
        self._highest = (0, 0)  # generation and BeginSeqNo(7)
        self._repeats = 0
        self._asked_ns = 0

    def turns_in_circles(self, begin: int, now: Instant) -> bool:
        """Whether the venue, which asks from `begin` on now, has long stopped getting any further."""
        place = (self._records.history.generation, begin)
        if place > self._highest or now.boot_ns - self._asked_ns > CIRCLE_NS:
            self._highest, self._repeats = place, 0
        else:
            self._repeats += 1
        self._asked_ns = now.boot_ns
        return self._repeats >= CIRCLES

    def needs_new_connection(self, begin: int, end: int) -> bool:
        """Whether the request begins inside the live connection with an order behind it."""
        return begin >= self._outbox.live.first_number and bool(self._records.history.attempts(begin, end))

    def wanted(self, begin: int, end: int, now: Instant, *, in_step: bool) -> None:
        """The venue, `in_step` with us or not yet, asks for `begin` to `end`. What is numbered but not released yet
        comes as itself, later.
        """
        first = self._outbox.live.first_number
        self._wanted.append(_Wanted(begin, min(end, first - 1) if begin < first else end, in_step))
        self._proceed(now)

    def acknowledged(self, append_number: int, now: Instant) -> None:
        """The journal has everything up to `append_number`: give the answers that waited for it."""
        self._durable = append_number
        self._proceed(now)

    def in_step(self, now: Instant) -> None:
        """The venue has said all that it had to say: what it asked for it never received, but for what it spoke of."""
        for record in self._unreceived:
            self._records.append(record, now)
        self._unreceived.clear()

    def forget(self) -> None:
        """The connection is gone, and its requests with it."""
        self._unreceived.clear()
        self._wanted.clear()
        self._answers.clear()
        self._durable = 0
        self.due_boot_ns = None

    def go_on(self, now: Instant) -> None:
        """The socket takes more, or the rate allows more."""
        if self.due_boot_ns is None or now.boot_ns >= self.due_boot_ns:
            self.due_boot_ns = None
            self._give(now)

    def renumbered(self) -> None:
        """Appends are counted from 1 again; whatever was recorded before is durable, and its answers were given."""
        self._durable = 0

    def _proceed(self, now: Instant) -> None:
        """Journal the answers that can be given by now, at least one of their numbers being released; give what is
        durable.
        """
        while self._wanted and self._wanted[0].begin <= self._outbox.last_released:
            begin, wanted_end, in_step = self._wanted.popleft()
            end = min(wanted_end, self._outbox.last_released)
            history = self._records.history
            attempts = () if in_step else history.attempts(begin, end)
            append_number = 0
            if attempts:
                record = GapFilled(history.session, history.generation, self._outbox.connection, begin, end, attempts)
                self._unreceived.append(record)
                append_number = self._records.append(replace(record, attempts=()), now)
            self._answers.append(_Answer(begin, end, append_number))
        self._give(now)

    def _give(self, now: Instant) -> None:
        outbox = self._outbox
        while outbox.fix is not None and self._answers and self._answers[0].append_number <= self._durable:
            if outbox.live.blocked:
                return
            begin, end, append_number = self._answers.popleft()
            room = min(PART_MESSAGES, outbox.rate.room(outbox.waiting, now, Use.SAFE))
            messages = self._records.history.resendable(begin, end)
            part = _end_of_part(messages, begin, end, room)
            if part < end:
                self._answers.appendleft(_Answer(max(begin, part + 1), end, append_number))
            if part < begin:
                self.due_boot_ns = outbox.rate.next_room_ns(now)
                return
            outbox.resend(begin, part, messages, now)


def _end_of_part(messages: list[tuple[int, bytes]], begin: int, end: int, room: int) -> int:
    """Up to which number an answer to `begin` to `end` takes at most `room` messages, gap fills too; below `begin`
    where there is no room for it.
    """
    at, last = begin, begin - 1
    for number, _ in messages:
        for reached in (number - 1, number) if number > at else (number,):
            room -= 1
            if room < 0:
                return last
            last = reached
        at = number + 1
    return end if at > end or room > 0 else last

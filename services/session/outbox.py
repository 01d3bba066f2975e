"""What a session sends on its live connection: numbered by the FIX session, journaled, then released in order.

Theory of operation. A message that took a number is appended and waits in the release queue: numbers leave in order,
and only what the journal has. The journal's acknowledgement clears it, unless its stamp is later than the deadline:
then the message is void, and a filler takes its place. What is known not to have reached the socket can be withdrawn: a
filler takes its place as well, or, with the connection gone, nothing does. A number once put up for replacement is
never released with its old content, even if the acknowledgement comes. Later numbers wait. Resends repeat logged
numbers and leave at once.

The outbox is the one place that writes to the connection. What the FIX session makes comes in order: the messages among
it are numbered here as soon as it is their turn, and the rest is the core's to carry out (`next_effect`).
"""

import enum
from collections import deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from common.actor.core import Core, Write
from common.actor.rates import MessageRate
from common.fix.secret_fields import blanked
from common.fix.session import Session
from common.fix.session_types import Effect, OtherEffect
from common.fix.session_types import Outbound as FixOutbound
from common.instant import Instant
from common.messages import (
    LATE_NS,
    AmendOrder,
    Attempt,
    CancelOrder,
    NewOrder,
    Outbound,
    QueryOrder,
    Reason,
    Withdrawn,
)
from common.orders.outcome import is_void
from common.venues.dialect import Dialect
from services.session.history import LOGON, RISKY, deadline_of
from services.session.records import Records
from services.session.settings import SessionConfig

SentCommand = NewOrder | AmendOrder | CancelOrder | QueryOrder


class Stage(enum.Enum):
    """Where a numbered message stands; the value is the sentence shown to people."""

    APPENDED = "the journal has not acknowledged it"
    CLEARED = "it may leave once everything before it has"
    REPLACED = "its filler waits for the journal"


class Step(enum.Enum):
    """What happens to a numbered message."""

    ACKNOWLEDGED = "the journal has it, stamped by its deadline"
    STAMPED_LATE = "the journal has it, stamped after its deadline"
    WITHDRAWN = "it will not be sent"


TRANSITIONS: dict[Stage, dict[Step, Stage]] = {
    Stage.APPENDED: {
        Step.ACKNOWLEDGED: Stage.CLEARED,
        Step.STAMPED_LATE: Stage.REPLACED,
        Step.WITHDRAWN: Stage.REPLACED,
    },
    Stage.CLEARED: {Step.WITHDRAWN: Stage.REPLACED},
    Stage.REPLACED: {Step.ACKNOWLEDGED: Stage.CLEARED},
}


class Numbered:
    """One message under its MsgSeqNum(34). `command` is None for administrative messages and fillers.

    `append_number` is the append whose acknowledgement it waits for; `deadline_ns` by the journal's clock, None for
    none.
    """

    __slots__ = ("append_number", "command", "deadline_ns", "msg_seq_num", "msg_type", "raw", "stage")

    def __init__(self, msg_seq_num: int, msg_type: str, raw: bytes, command: SentCommand | None, append_number: int):
        self.msg_seq_num = msg_seq_num
        self.msg_type = msg_type
        self.raw = raw
        self.command = command
        self.append_number = append_number
        self.deadline_ns = deadline_of(command)
        self.stage = Stage.APPENDED

    def step(self, step: Step) -> None:
        """Take one step of the table. Raises KeyError, and changes nothing, where the stage has no such step."""
        self.stage = TRANSITIONS[self.stage][step]

    def clear(self) -> None:
        """It is durable: it waits for no append any more, whatever numbers the next ones get."""
        self.step(Step.ACKNOWLEDGED)
        self.append_number = 0


class ReleaseQueue:
    """The numbers of the live connection that have not left yet, lowest first."""

    def __init__(self) -> None:
        self._items: deque[Numbered] = deque()
        self._replaced = 0

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Numbered]:
        return iter(self._items)

    @property
    def first_number(self) -> int | None:
        """The lowest number that has not left; None when all have."""
        return self._items[0].msg_seq_num if self._items else None

    def add_message(self, item: Numbered) -> None:
        """A message that just took its number. Numbers rise."""
        if self._items and item.msg_seq_num <= self._items[-1].msg_seq_num:
            raise ValueError(f"number {item.msg_seq_num} after {self._items[-1].msg_seq_num}")
        self._items.append(item)

    def acknowledged(self, append_number: int, stamp_ns: int) -> list[Numbered]:
        """Every append up to `append_number` is durable; those not told before bear `stamp_ns`.

        Returns the messages that are void by it: each needs a filler (`replace`).
        """
        void: list[Numbered] = []
        for item in self._items:
            if item.append_number > append_number:
                if not self._replaced:
                    break
                continue
            if item.stage is Stage.APPENDED:
                if is_void(item.deadline_ns, stamp_ns):
                    void.append(item)
                else:
                    item.clear()
            elif item.stage is Stage.REPLACED:
                item.clear()
                self._replaced -= 1
        return void

    def replace(self, item: Numbered, step: Step, filler: bytes, append_number: int) -> None:
        """Put `filler`, a Heartbeat(0) under the same number, in the item's place; it waits for `append_number`."""
        item.step(step)
        item.msg_type, item.raw = "0", filler
        item.command = item.deadline_ns = None
        item.append_number = append_number
        self._replaced += 1

    def late(self, journal_ns: int) -> list[Numbered]:
        """What has not left LATE_NS after its deadline, oldest first; `journal_ns` is the journal's clock as
        estimated.
        """
        bound = journal_ns - LATE_NS
        return [item for item in self._items if item.deadline_ns is not None and item.deadline_ns < bound]

    def next_late_ns(self) -> int | None:
        """When, by the journal's clock, `late` gives something next."""
        deadlines = [item.deadline_ns for item in self._items if item.deadline_ns is not None]
        return min(deadlines) + LATE_NS + 1 if deadlines else None

    def take_cleared(self) -> list[Numbered]:
        """What may leave now, in order; it is the caller's to write."""
        items, taken = self._items, []
        while items and items[0].stage is Stage.CLEARED:
            taken.append(items.popleft())
        return taken

    def put_back(self, items: list[Numbered]) -> None:
        """What was taken to be written was not: it waits again, under its number."""
        self._items = deque(sorted([*items, *self._items], key=lambda item: item.msg_seq_num))

    def take_all(self) -> list[Numbered]:
        """Everything that has not left, oldest first, and forget it: the connection is gone."""
        items = list(self._items)
        self._items.clear()
        self._replaced = 0
        return items


GIVEN = 4096
"""So many of the messages that were given to the connection last are known, should it turn out that it was too late."""


class _Sending(NamedTuple):
    """What a number is taken for: a command, or a request of this session's own."""

    command: SentCommand | None
    own: Attempt | None


NOTHING_NAMED = _Sending(None, None)


class LiveConnection:
    """One connection while it lives: its FIX session and number, what waits to leave on it, what it was given.

    Between two there is one without a FIX session, on which nothing waits. `generation` is 0 as long as the numbers are
    of the session's latest generation, and their own one once another connection has taken over. `first_number` is the
    first MsgSeqNum(34) that it may take. While it is `blocked` the socket takes no more bytes.
    """

    def __init__(self, fix: Session | None = None, number: int = 0) -> None:
        """Nothing has left on it."""
        self.fix = fix
        self.number = number
        self.generation = 0
        self.first_number = 1 if fix is None else fix.next_outbound
        self.blocked = False
        self.queue = ReleaseQueue()
        self.effects: deque[Effect] = deque()
        self.sending: dict[int, _Sending] = {}
        self.given: deque[Numbered] = deque(maxlen=GIVEN)


class Outbox:
    """The outbound side of one connection after another; `live` is the one that there is."""

    def __init__(self, core: Core, records: Records, rate: MessageRate) -> None:
        """There is no connection. `core` takes what is written."""
        self._core = core
        self._records = records
        self.rate = rate
        self.live = LiveConnection()
        self.messages_sent = 0

    @property
    def fix(self) -> Session | None:
        """The live connection's FIX session; None where there is no connection."""
        return self.live.fix

    @property
    def logged_on(self) -> bool:
        """Whether there is a connection, and both sides' Logon(A) are there."""
        return self.live.fix is not None and self.live.fix.logged_on

    @property
    def connection(self) -> int:
        """The live connection's number; 0 where there is none."""
        return self.live.number

    @property
    def unreleased(self) -> int:
        """How many messages have a number and have not left."""
        return len(self.live.queue)

    @property
    def waiting(self) -> int:
        """How many messages have a number, or are about to be given to the connection, and have not left."""
        return len(self.live.queue) + sum(isinstance(effect, FixOutbound) for effect in self.live.effects)

    def amend_room(self, now: Instant) -> int:
        """How many more amendments the venue's rate has room for."""
        return self.rate.amend_room(sum(isinstance(item.command, AmendOrder) for item in self.live.queue), now)

    @property
    def last_released(self) -> int:
        """The last MsgSeqNum(34) that was given to the connection, or may be taken as such: the one before the first
        that has not left."""
        first = self.live.queue.first_number
        return (self._records.history.next_outbound if first is None else first) - 1

    @property
    def generation(self) -> int:
        """The generation of this connection's numbers: the latest, or, of one that was taken over, its own."""
        return self.live.generation or self._records.history.generation

    def take_over(self, other: "Outbox") -> None:
        """Go on with the connection of another outbox, from which everything has left; that one has none then."""
        assert other.fix is not None and not other.unreleased
        generation = other.generation
        self.live, other.live = other.live, LiveConnection()
        self.live.generation = generation

    def opened(self, fix: Session, connection: int) -> None:
        """A connection begins."""
        self.live = LiveConnection(fix, connection)
        self.rate.forget()

    def gone(self) -> None:
        """There is no connection any more; what its FIX session has made, and what waits, is of no use."""
        self.live = LiveConnection()

    def take_unreleased(self) -> list[tuple[int, Attempt | None]]:
        """The numbers that have not left, oldest first, each with its command's attempt; none of them will."""
        return [_named(item) for item in self.live.queue.take_all()]

    def unblock(self, now: Instant) -> None:
        """The socket takes bytes again: release what waits."""
        self.live.blocked = False
        self.release(now)

    def next_effect(self, now: Instant) -> OtherEffect | None:
        """The FIX session's next effect that is no message, once every message before it is numbered; None for none."""
        self.number_made(now)
        if not self.live.effects:
            return None
        effect = self.live.effects.popleft()
        assert not isinstance(effect, FixOutbound)
        return effect

    def number_made(self, now: Instant) -> None:
        """Number, or write again, what the FIX session has made, up to the first effect that is no message."""
        if self.live.fix is None:
            return
        effects = self.live.effects
        effects.extend(self.live.fix.take_effects())
        while effects and isinstance(made := effects[0], FixOutbound):
            effects.popleft()
            self.numbered(made, now)

    def send(
        self,
        msg_type: str,
        body: bytes,
        header: bytes,
        command: SentCommand | None,
        now: Instant,
        own: Attempt | None = None,
    ) -> int:
        """Give a message its number; it leaves once it is journaled. The FIX session must be logged on. `own` names a
        request that is no command.
        """
        assert self.live.fix is not None
        number = self.live.fix.send(msg_type, body, now, header)
        self.live.sending[number] = _Sending(command, own)
        self.number_made(now)
        return number

    def resend(self, begin: int, end: int, messages: list[tuple[int, bytes]], now: Instant) -> None:
        """Answer a ResendRequest(2), as `Session.resend` does, with what was released of these numbers."""
        assert self.live.fix is not None
        self.live.fix.resend(begin, end, messages, now)
        self.number_made(now)

    def numbered(self, effect: FixOutbound, now: Instant) -> None:
        """The FIX session made a message: append it, or, if it repeats a logged number, let it go: `Resender` gives
        it only while the socket takes it.
        """
        if effect.resent:
            self._write(effect.raw, now)
            return
        live = self.live
        command, own = live.sending.pop(effect.msg_seq_num, NOTHING_NAMED)
        history = self._records.history
        record = Outbound(
            history.session,
            self.generation,
            self.connection,
            effect.msg_seq_num,
            effect.msg_type,
            blanked(effect.raw, history.dialect.profile.key_tags) if effect.msg_type == LOGON else effect.raw,
            command,
            opens=self.opens_order(command),
            session_ns=now.wall_ns,
            own=own,
        )
        append_number = self._records.append(record, now)
        live.queue.add_message(Numbered(effect.msg_seq_num, effect.msg_type, effect.raw, command, append_number))

    def acknowledged(self, append_number: int, stamp_ns: int, now: Instant) -> None:
        """The journal has everything up to `append_number`: void what was stamped too late, release the rest."""
        for item in self.live.queue.acknowledged(append_number, stamp_ns):
            self._records.history.void(item.msg_seq_num)
            self._fill(item, Step.STAMPED_LATE, now)
        self.release(now)

    def release(self, now: Instant) -> None:
        """Write what may leave, first withdrawing what is too late by now: the process may have stood still."""
        live = self.live
        if live.blocked:
            return
        self.withdraw_late(now)
        for item in live.queue.take_cleared():
            live.given.append(item)
            if isinstance(item.command, AmendOrder):
                self.rate.amended.left(now)
            late_ns = 0 if item.deadline_ns is None else item.deadline_ns + LATE_NS
            self._write(item.raw, now, late_ns and self._records.clock.boot_ns(late_ns))

    def put_back(self, raws: Sequence[bytes], now: Instant) -> bool:
        """The shell came too late to write these, or came behind one that was: those with a number of their own wait
        again. Whether all of them are known; what was sent again the venue asks for anew.
        """
        given = {item.raw: item for item in self.live.given}
        items = [given[raw] for raw in raws if raw in given]
        self.live.queue.put_back(items)
        self.messages_sent -= len(raws)
        self.release(now)
        return len(items) == len(raws)

    def withdraw_late(self, now: Instant) -> None:
        """Withdraw what has not left long after its deadline, oldest first."""
        for item in self.live.queue.late(self._records.clock.estimate_ns(now)):
            self._withdraw(item, Reason.LATE, now)

    def withdraw_risky(self, reason: Reason, now: Instant) -> None:
        """Withdraw every order and amendment that has not left, oldest first; fillers take their numbers."""
        for item in [item for item in self.live.queue if isinstance(item.command, RISKY)]:
            self._withdraw(item, reason, now)

    def lost(self, reason: Reason, now: Instant) -> None:
        """The connection is gone: what has not left never will under its number. Withdraw all of it, oldest first."""
        for item in self.live.queue.take_all():
            if item.stage is not Stage.REPLACED:
                self._record_withdrawal(item, reason, now)
        self.gone()

    def next_deadline_ns(self) -> int | None:
        """When `withdraw_late` has something to do, in boot time."""
        late_ns = self.live.queue.next_late_ns()
        return None if late_ns is None else self._records.clock.boot_ns(late_ns)

    def _withdraw(self, item: Numbered, reason: Reason, now: Instant) -> None:
        self._record_withdrawal(item, reason, now)
        self._fill(item, Step.WITHDRAWN, now)

    def _record_withdrawal(self, item: Numbered, reason: Reason, now: Instant) -> None:
        session = self._records.history.session
        self._records.append(Withdrawn(session, self.generation, self.connection, *_named(item), reason), now)

    def _fill(self, item: Numbered, step: Step, now: Instant) -> None:
        """Put a Heartbeat(0) under the item's number, so that numbers stay whole."""
        assert self.live.fix is not None
        raw = self.live.fix.filler(item.msg_seq_num, now)
        record = Outbound(
            self._records.history.session, self.generation, self.connection, item.msg_seq_num, "0", raw, filler=True,
            opens=False,
        )  # fmt: skip
        self.live.queue.replace(item, step, raw, self._records.append(record, now))

    def opens_order(self, command: SentCommand | None) -> bool:
        """Whether the command's message opens a new order at the venue, as its dialect spells it."""
        if isinstance(command, AmendOrder):
            return self._records.history.dialect.amend_is_new_order(command)
        return isinstance(command, NewOrder)

    def _write(self, raw: bytes, now: Instant, by_boot_ns: int = 0) -> None:
        self._core.effects.append(Write(self.connection, raw, by_boot_ns))
        self.rate.left(now)
        self.messages_sent += 1


def _named(item: Numbered) -> tuple[int, Attempt | None]:
    """A message's number, and the attempt that it is of."""
    return item.msg_seq_num, None if item.command is None else item.command.attempt


class Shared(NamedTuple):
    """What the parts that act on the connection have in common.

    `core` takes effects and notes, `config` and `dialect` say how this venue is spoken to; what is to last goes to
    `records`, and what is to leave to `outbox`, which holds the live connection.
    """

    core: Core
    config: SessionConfig
    dialect: Dialect
    records: Records
    outbox: Outbox

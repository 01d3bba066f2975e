"""What a session sends on its live connection: numbered by the FIX session, journaled, then released in order.

The one place that writes to the connection. Everything that took a number waits in the release queue for the journal;
resends repeat logged numbers and leave at once.

What the FIX session makes comes in order: the messages among it are numbered here as soon as it is their turn, and the
rest is the core's to carry out (`next_effect`).
"""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from common.actor.core import Core, Write
from common.fix.secret_fields import blanked
from common.fix.session import Session
from common.fix.session_types import Effect, OtherEffect
from common.fix.session_types import Outbound as FixOutbound
from common.instant import Instant
from common.messages import LATE_NS, AmendOrder, Attempt, NewOrder, Outbound, Reason, Withdrawn
from services.session.history import LOGON, RISKY
from services.session.rates import MessageRate
from services.session.records import Records
from services.session.release import Numbered, ReleaseQueue, SentCommand, Stage, Step

GIVEN = 4096
"""So many of the messages that were given to the connection last are known, should it turn out that it was too late."""


class _Sending(NamedTuple):
    """What a number is taken for: a command, or a request of this session's own."""

    command: SentCommand | None
    own: Attempt | None


NOTHING_NAMED = _Sending(None, None)


class Outbox:
    """The outbound side of one connection after another. `fix` is None while there is none."""

    def __init__(self, core: Core, session: str, records: Records, rate: MessageRate) -> None:
        self._core = core
        self._session = session
        self._records = records
        self.rate = rate
        self.queue = ReleaseQueue()
        self.fix: Session | None = None
        self.connection = 0
        self._generation = 0
        self.first_number = 0
        self.blocked = False
        self._effects: deque[Effect] = deque()
        self._sending: dict[int, _Sending] = {}
        self._given: deque[Numbered] = deque(maxlen=GIVEN)
        self.messages_sent = 0

    @property
    def drained(self) -> bool:
        """Whether everything that was numbered has left."""
        return not self.queue

    @property
    def waiting(self) -> int:
        """How many messages have a number, or are about to be given to the connection, and have not left."""
        return len(self.queue) + sum(isinstance(effect, FixOutbound) for effect in self._effects)

    def amend_room(self, now: Instant) -> int:
        """How many more amendments the venue's rate has room for."""
        waiting = sum(isinstance(item.command, AmendOrder) for item in self.queue)
        return self.rate.amend_room(waiting, now)

    @property
    def last_released(self) -> int:
        """The last MsgSeqNum(34) that was given to the connection, or may be taken as such: the one before the first
        that has not left."""
        first = self.queue.first_number
        return (self._records.history.next_outbound if first is None else first) - 1

    @property
    def generation(self) -> int:
        """The generation of this connection's numbers: the latest, or, of one that was taken over, its own."""
        return self._generation or self._records.history.generation

    def take_over(self, other: "Outbox") -> None:
        """Go on with the connection of another outbox, from which everything has left; that one has none then."""
        assert other.drained
        self._generation = other.generation
        self.fix, self.connection, self.blocked = other.fix, other.connection, other.blocked
        self._given = other._given.copy()
        self._effects, self._sending = other._effects.copy(), other._sending.copy()
        other.gone()

    def opened(self, fix: Session, connection: int) -> None:
        """A connection begins."""
        self.fix, self.connection, self.blocked = fix, connection, False
        self.first_number = fix.next_outbound
        self.rate.forget()

    def gone(self) -> None:
        """There is no connection any more; what its FIX session has made is of no use."""
        self.fix = None
        self.blocked = False
        self._effects.clear()
        self._sending.clear()

    def next_effect(self, now: Instant) -> OtherEffect | None:
        """The FIX session's next effect that is no message, once every message before it is numbered; None for none."""
        self.number_made(now)
        if not self._effects:
            return None
        effect = self._effects.popleft()
        assert not isinstance(effect, FixOutbound)
        return effect

    def number_made(self, now: Instant) -> None:
        """Number, or write again, what the FIX session has made, up to the first effect that is no message."""
        if self.fix is not None:
            self._effects.extend(self.fix.take_effects())
        while self._effects and isinstance(made := self._effects[0], FixOutbound):
            self._effects.popleft()
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
        assert self.fix is not None
        number = self.fix.send(msg_type, body, now, header)
        self._sending[number] = _Sending(command, own)
        self.number_made(now)
        return number

    def resend(self, begin: int, end: int, messages: list[tuple[int, bytes]], now: Instant) -> None:
        """Answer a ResendRequest(2), as `Session.resend` does, with what was released of these numbers."""
        assert self.fix is not None
        self.fix.resend(begin, end, messages, now)
        self.number_made(now)

    def numbered(self, effect: FixOutbound, now: Instant) -> None:
        """The FIX session made a message: append it, or, if it repeats a logged number, let it go: `Resender` gives
        it only while the socket takes it.
        """
        if effect.resent:
            self._write(effect.raw, now)
            return
        command, own = self._sending.pop(effect.msg_seq_num, NOTHING_NAMED)
        history = self._records.history
        record = Outbound(
            self._session,
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
        self.queue.add(Numbered(effect.msg_seq_num, effect.msg_type, effect.raw, command, append_number))

    def acknowledged(self, append_number: int, stamp_ns: int, now: Instant) -> None:
        """The journal has everything up to `append_number`: void what was stamped too late, release the rest."""
        for item in self.queue.acknowledged(append_number, stamp_ns):
            self._records.history.void(item.msg_seq_num)
            self._fill(item, Step.STAMPED_LATE, now)
        self.release(now)

    def release(self, now: Instant) -> None:
        """Write what may leave, first withdrawing what is too late by now: the process may have stood still."""
        if self.fix is None or self.blocked:
            return
        self.withdraw_late(now)
        for item in self.queue.take_cleared():
            self._given.append(item)
            if isinstance(item.command, AmendOrder):
                self.rate.amended.left(now)
            late_ns = 0 if item.deadline_ns is None else item.deadline_ns + LATE_NS
            self._write(item.raw, now, late_ns and self._records.clock.boot_ns(late_ns))

    def put_back(self, raws: Sequence[bytes], now: Instant) -> bool:
        """The shell came too late to write these, or came behind one that was: those with a number of their own wait
        again. Whether all of them are known; what was sent again the venue asks for anew.
        """
        given = {item.raw: item for item in self._given}
        items = [given[raw] for raw in raws if raw in given]
        self.queue.put_back(items)
        self.messages_sent -= len(raws)
        self.release(now)
        return len(items) == len(raws)

    def withdraw_late(self, now: Instant) -> None:
        """Withdraw what has not left long after its deadline, oldest first."""
        for item in self.queue.late(self._records.clock.estimate_ns(now)):
            self._withdraw(item, Reason.LATE, now)

    def withdraw_risky(self, reason: Reason, now: Instant) -> None:
        """Withdraw every order and amendment that has not left, oldest first; fillers take their numbers."""
        for item in [item for item in self.queue if isinstance(item.command, RISKY)]:
            self._withdraw(item, reason, now)

    def lost(self, reason: Reason, now: Instant) -> None:
        """The connection is gone: what has not left never will under its number. Withdraw all of it, oldest first."""
        for item in self.queue.take_all():
            if item.stage is not Stage.REPLACED:
                self._record_withdrawal(item, reason, now)
        self.gone()

    def next_deadline_ns(self) -> int | None:
        """When `withdraw_late` has something to do, in boot time."""
        late_ns = self.queue.next_late_ns()
        return None if late_ns is None else self._records.clock.boot_ns(late_ns)

    def _withdraw(self, item: Numbered, reason: Reason, now: Instant) -> None:
        self._record_withdrawal(item, reason, now)
        self._fill(item, Step.WITHDRAWN, now)

    def _record_withdrawal(self, item: Numbered, reason: Reason, now: Instant) -> None:
        attempt = item.command.attempt if item.command is not None else None
        record = Withdrawn(self._session, self.generation, self.connection, item.msg_seq_num, attempt, reason)
        self._records.append(record, now)

    def _fill(self, item: Numbered, step: Step, now: Instant) -> None:
        """Put a Heartbeat(0) under the item's number, so that numbers stay whole."""
        assert self.fix is not None
        raw = self.fix.filler(item.msg_seq_num, now)
        record = Outbound(
            self._session, self.generation, self.connection, item.msg_seq_num, "0", raw, filler=True, opens=False
        )
        self.queue.replace(item, step, raw, self._records.append(record, now))

    def opens_order(self, command: SentCommand | None) -> bool:
        """Whether the command's message opens a new order at the venue, as its dialect spells it."""
        if isinstance(command, AmendOrder):
            return self._records.history.dialect.amend_is_new_order(command)
        return isinstance(command, NewOrder)

    def _write(self, raw: bytes, now: Instant, by_boot_ns: int = 0) -> None:
        self._core.effects.append(Write(self.connection, raw, by_boot_ns))
        self.rate.left(now)
        self.messages_sent += 1

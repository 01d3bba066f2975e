"""A session's way to its durable records: folded as they are written, numbered, acknowledged once they are durable.

They go to the journal; while the kill latch holds and the journal is away, to the emergency file; and from there to
the journal when it is back. Rules of that hand-over: the file's first record takes numbering back to the first number
that never left, what the journal had not acknowledged and still is true stands behind it, and the whole goes to the
journal under a new epoch before anything else does. Two records of our own frame it there, so that the log itself
tells how far it went.

What is heard of the journal is its clock as well, as far as a session can know it.
"""

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import msgspec

from common.actor.core import Core, Exit
from common.actor.links import AWAY_NS, Acknowledged, Appender
from common.exit_status import ExitStatus
from common.instant import Instant
from common.messages import (
    Appended,
    Attempt,
    EpochGranted,
    GapFilled,
    Inbound,
    Kind,
    OperatorAct,
    Outbound,
    Payload,
    Reason,
    Refused,
    SessionChanged,
    SessionState,
    Withdrawn,
    cut,
)
from common.soundness import decoder
from services.session.emergency import (
    Emergency,
    hand_over_begins,
    hand_over_complete,
    inbound_lost,
    lost_inbound,
)
from services.session.history import History


class JournalClock:
    """A lower bound of the journal's clock: it advances by boot time from the tightest stamp heard in one journal
    epoch.

    It serves to refuse and withdraw early only; what a stamp decides, the stamp decides.
    """

    def __init__(self) -> None:
        self._epoch = -1
        self._offset_ns = 0

    def hear_stamp(self, stamp_ns: int, journal_epoch: int, now: Instant) -> None:
        """A stamp of the journal in its life `journal_epoch`, heard now: it was made no later than now."""
        offset_ns = stamp_ns - now.boot_ns
        if journal_epoch != self._epoch:
            self._epoch, self._offset_ns = journal_epoch, offset_ns
        else:
            self._offset_ns = max(self._offset_ns, offset_ns)

    def estimate_ns(self, now: Instant) -> int:
        """The journal's clock, or a little less."""
        return now.boot_ns + self._offset_ns

    def boot_ns(self, journal_ns: int) -> int:
        """When, in boot time, the estimate reaches `journal_ns`."""
        return journal_ns - self._offset_ns


OwnPayload = Outbound | Inbound | SessionChanged | Refused | Withdrawn | GapFilled | OperatorAct
KINDS: dict[type, Kind] = {
    Outbound: Kind.OUTBOUND,
    Inbound: Kind.INBOUND,
    SessionChanged: Kind.SESSION,
    Refused: Kind.REFUSED,
    Withdrawn: Kind.WITHDRAWN,
    GapFilled: Kind.GAP_FILLED,
    OperatorAct: Kind.OPERATOR,
}
OWN_KINDS = frozenset(KINDS.values())
_OF_SESSION = (Outbound, Inbound, SessionChanged, Withdrawn, GapFilled)
T = TypeVar("T", bound=Payload)
STREAM_MAY_WAIT = frozenset({Kind.OUTBOUND})
"""What was numbered is acted on by its acknowledgement; others may hear of it together with the venue's answer."""

ACK_MAY_WAIT = frozenset({Kind.INBOUND})
"""What the venue said is acted on in the stream; its acknowledgement only frees memory."""

decode_payload = decoder(Payload)
BATCH_RECORDS = 256
"""A hand-over goes out in messages of so many records, far below what a link accepts as one message."""


class _HandedOver(NamedTuple):
    name: str
    number: int


class Records:
    """What the rest of the session appends to; where the records go is this object's matter."""

    def __init__(
        self, core: Core, writer: str, history: History, emergency: Emergency, whose: tuple[str, str]
    ) -> None:
        """`whose` session it is: the names of the account and of the venue."""
        self._core = core
        self._account, self._venue = whose
        self.appender = Appender(core, writer, stream_may_wait=STREAM_MAY_WAIT, ack_may_wait=ACK_MAY_WAIT)
        self.history = history
        self.emergency = emergency
        self.clock = JournalClock()
        self._handed_over: list[_HandedOver] = []
        self.lost: tuple[int, int] | None = None
        """The first and the last inbound number that stand neither in the log nor in a file that goes on behind it."""
        self.unsure_from_lsn: int | None = None
        """A hand-over that began behind this record is not acknowledged to its end: only the log can tell how far it
        went.
        """

    @property
    def epoch(self) -> int:
        """The epoch of this life, the emergency file's own while it stands in for the journal."""
        return self.emergency.epoch if self.emergency.active else self.appender.epoch

    @property
    def place(self) -> tuple[str, int]:
        """What the numbers of records are of: the file's are not the journal's."""
        return ("emergency file", self.emergency.epoch) if self.emergency.active else self.appender.place

    @property
    def last_number(self) -> int:
        """The number of the last record that was made there."""
        return self.emergency.last_number if self.emergency.active else self.appender.last_number

    @property
    def acknowledged_number(self) -> int:
        """The number of the last record that is durable there."""
        return self.emergency.durable_number if self.emergency.active else self.appender.acknowledged_number

    def append(self, payload: OwnPayload, now: Instant) -> int:
        """Send one record on its way and fold it. Returns the number that the acknowledgement names.

        A fold that raises ends the process once the record is on its way.
        """
        kind, payload = KINDS[type(payload)], self._named(payload)
        if self.emergency.active:
            if isinstance(payload, Outbound | Inbound | Withdrawn):
                payload = msgspec.structs.replace(payload, emergency=True)
            self.history.fold_payload(payload)
            return self.emergency.add_record(kind, payload)
        number = self.appender.append(kind, payload, now)
        try:
            self.history.fold_payload(payload)
        except Exception as error:
            # What was folded is of no use. The log has the record, so the next life leaves it out: without it the venue
            # would say the same again, to each life.
            why = f"{type(error).__name__}: {error}"
            self._core.note("error", "unfoldable", kind=kind.name, why=why)
            text = f"{self._core.name}: its fold raised at a record that it wrote: {why}"
            self._core.effects.append(Exit(ExitStatus.FAILURE, cut(text)))
        return number

    def changed(self, state: SessionState, now: Instant, text: str = "") -> None:
        """Record a step of the session."""
        self.append(self.history.change(state, text), now)

    def received(self, message: msgspec.Struct, now: Instant) -> Acknowledged | None:
        """A message of the journal link. Raises Superseded."""
        if isinstance(message, Appended | EpochGranted):
            self.clock.hear_stamp(message.stamp_ns, message.journal_epoch, now)
        acknowledged = self.appender.received(message, now)
        if acknowledged is not None:
            self._discard(acknowledged.last)
        return acknowledged

    def away(self, now: Instant) -> bool:
        """Whether nothing can be recorded: the journal does not answer, and no emergency file stands in for it, or one
        that has failed."""
        return bool(self.emergency.failure) if self.emergency.active else self.appender.away(now)

    def away_for_ns(self, now: Instant) -> int:
        """For how long something has been unanswered by the journal, where nothing can be recorded; else 0."""
        since_ns = self.appender.away_from_ns()
        return now.boot_ns - since_ns + AWAY_NS if since_ns is not None and self.away(now) else 0

    # ---- the emergency file ----

    def begin_emergency(self, unreleased: Sequence[tuple[int, Attempt | None]], connection: int, now: Instant) -> None:
        """From here on the emergency file is the journal. `unreleased` are the numbers of the live connection that have
        not left, each with its command's attempt: they are withdrawn, and the next message takes the first of them
        again.
        """
        history = self.history
        first = unreleased[0][0] if unreleased else history.next_outbound
        # What is being handed over stands in a file of its own, and stays there until the journal has all of it.
        handed_over = self._handed_over[-1].number if self._handed_over else 0
        waiting = self.appender.unacknowledged_records()
        still_true = [decode_payload(payload) for number, payload in waiting if number > handed_over]
        self._handed_over.clear()
        self.emergency.active = True
        self.append(self._numbers_from(first), now)
        for number, attempt in unreleased:
            self.append(
                Withdrawn(history.session, history.generation, connection, number, attempt, Reason.JOURNAL_AWAY), now
            )
        for payload in still_true:
            self._copy(payload, first)
        # Under a new epoch nothing of what was queued can enter the log any more.
        self.appender.request_epoch(now)

    def mend_emergency(self) -> None:
        """Make the emergency file that could not be made before; a failure shows again."""
        self.emergency.prepare(self.appender.epoch, self.history.hand_overs.done)

    def begin_alone(self, now: Instant) -> None:
        """A process starts under the latch with the journal away: the file is its journal from the first record on."""
        self.emergency.active = True
        self.append(self._numbers_from(self.history.next_outbound), now)

    def _numbers_from(self, first: int) -> SessionChanged:
        change = self.history.change(SessionState.NUMBERS_SET, "emergency")
        return msgspec.structs.replace(change, next_outbound=first, numbers_began=self.history.numbers_began)

    def _copy(self, payload: Payload, first: int) -> None:
        """One unacknowledged record, folded long since, behind the others; an outbound one never left and is not
        copied.
        """
        if isinstance(payload, Outbound):
            return
        if isinstance(payload, SessionChanged) and payload.generation == self.history.generation:
            payload = msgspec.structs.replace(payload, next_outbound=min(payload.next_outbound, first))
        elif isinstance(payload, Inbound | Withdrawn):
            payload = msgspec.structs.replace(payload, emergency=True)
        self.emergency.add_record(KINDS[type(payload)], payload)

    def hand_over(self, now: Instant) -> None:
        """Give the journal what stands in files, oldest first, under the epoch just granted; then go on with the
        journal.

        Raises JournalError, OSError where a file cannot be read.
        """
        for file in self.emergency.waiting():
            if file.name in self.history.hand_overs.whole:
                self.emergency.discard(file.name)
                continue
            if self.unsure_from_lsn is None:
                self.unsure_from_lsn = self.appender.last_lsn
            done = self.history.hand_overs.done.get(file.name, 0)
            if self.lost is not None:
                self._give(self.history.change(SessionState.NUMBERS_SET, inbound_lost(*self.lost)), now)
                self.lost = None
            self._give(self.history.change(SessionState.LATCHED, hand_over_begins(file.name, done)), now)
            for count, payload in enumerate(file.payloads[done:]):
                self._give(payload, now)
                if count % BATCH_RECORDS == 0:
                    self.appender.turn_ended(now)
            number = self._give(self.history.change(SessionState.LATCHED, hand_over_complete(file.name)), now)
            self._handed_over.append(_HandedOver(file.name, number))
        for payload in self.emergency.take_unwritten():
            # A file that failed took these no more. An outbound message among them has not left, and never will.
            if not isinstance(payload, Outbound):
                self._give(payload, now)
        self.emergency.prepare(self.appender.epoch, self.history.hand_overs.done)

    def fold_waiting(self) -> None:
        """Fold what stands in files and not in the log yet, oldest first; then the numbers go on from the first that
        stands in neither. Raises JournalError, OSError.
        """
        history, hand_overs = self.history, self.history.hand_overs
        hand_overs.new_epoch()
        generation, lost_from = history.generation, hand_overs.lost_from
        for file in self.emergency.waiting():
            if file.name in hand_overs.whole:
                continue
            done = hand_overs.done.get(file.name, 0)
            if not done and not lost_from:
                self.lost = self.lost or lost_inbound(generation, history.next_inbound, file.payloads)
            for payload in file.payloads[done:]:
                history.fold_payload(payload)
        hand_overs.lost_from = 0
        lost_from = lost_from or (self.lost[0] if self.lost is not None else 0)
        if lost_from and history.generation == generation:
            history.next_inbound = min(history.next_inbound, lost_from)

    def _give(self, payload: Payload, now: Instant) -> int:
        """Append what is folded already."""
        return self.appender.append(KINDS[type(payload)], self._named(payload), now)

    def _named(self, payload: T) -> T:
        """A record is made with the session's name alone: the same with those of its account and its venue."""
        if isinstance(payload, _OF_SESSION) and (payload.account, payload.venue) != (self._account, self._venue):
            return msgspec.structs.replace(payload, account=self._account, venue=self._venue)
        return payload

    def _discard(self, number: int) -> None:
        """A file goes when the journal has acknowledged its last record."""
        while self._handed_over and self._handed_over[0].number <= number:
            self.emergency.discard(self._handed_over.pop(0).name)
            if not self._handed_over:
                self.unsure_from_lsn = None

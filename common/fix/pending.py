"""What is missing of what the peer sent, and the messages that came too early and are kept until it is there."""

from common.fix.ending import Ending
from common.fix.incoming import Received, number_of, rejected_for, text_of
from common.fix.session_types import (
    DisconnectReason,
    Event,
    Instant,
    Level,
    NumbersReason,
    Problem,
    SessionSettings,
    SessionState,
)
from common.fix.standing import Standing
from common.fix.wire import NS_PER_S

WITHDRAWN_TYPES = frozenset({b"D", b"E", b"G", b"s", b"t", b"AB", b"AC"})
"""Orders and their amendments (FIX 4.4, volume 4). Who gap-fills one may no longer want it (volume 2, "Rules for
processing PossDup messages": a sender may choose not to resend what is stale), so it is refused and not carried out.
"""

WITHDRAWN = Problem(99, None, "Gap-filled, taken as withdrawn")

_ONE_SHORT_S = 0.25


class Pending:
    """The gap of one connection, open while the next expected number has not passed the highest one seen. Its length
    is the number of messages kept behind it."""

    __slots__ = (
        "_asked_from",
        "_asked_to",
        "_attempts",
        "_ending",
        "_high",
        "_kept",
        "_logout_due_ns",
        "_logout_text",
        "_not_kept_from",
        "_progress_ns",
        "_settings",
        "_standing",
    )

    def __init__(self, settings: SessionSettings, standing: Standing, ending: Ending) -> None:
        self._settings = settings
        self._standing = standing
        self._ending = ending
        self._kept: dict[int, tuple[Received, bool]] = {}
        self._high = 0  # 0: nothing is missing
        self._not_kept_from = 0  # the lowest number that came too early and found no room; 0: none
        self._asked_from = self._asked_to = 0
        self._attempts = 0
        self._progress_ns = 0
        self._logout_due_ns = 0  # a Logout(5) came too early, and waits for the gap no longer than this
        self._logout_text = ""

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def missing(self) -> bool:
        """Whether the gap is open."""
        return self._high > 0

    def add(self, m: Received, acted: bool, now: Instant, *, ask: bool = True) -> None:
        """Case 2.b: keep a message whose number is too high, and ask once for what is missing. `acted`: nothing of it
        is left to be acted on, it only counts."""
        if m.msg_type == b"5" and not m.poss_dup and not self._logout_due_ns:
            self._logout_due_ns = now.boot_ns + int(self._settings.logout_timeout_s * NS_PER_S)
            self._logout_text = text_of(m.fields.get(b"58", b""))
        if not self._settings.allow_resend_request or self._standing.state is SessionState.RESETTING:
            self._ending.heard(m)
            expected = self._standing.next_inbound
            text = f"MsgSeqNum(34)={m.seq} but {expected} was expected, and nothing can be resent here"
            self._ending.refuse(DisconnectReason.SEQUENCE_GAP, text, now)
            return
        if len(self._kept) < self._settings.max_pending_messages:
            self._kept.setdefault(m.seq, (m, acted))
        elif m.seq not in self._kept:
            self._not_kept_from = min(self._not_kept_from or m.seq, m.seq)
        if self._high:
            self._high = max(self._high, m.seq)
            return
        self._high = self._asked_to = m.seq
        self._advance(now)
        self._standing.move_if_open(Event.GAP)
        text = f"expected MsgSeqNum(34)={self._standing.next_inbound}, received {m.seq}"
        self._standing.notice(Level.WARNING, "gap", text)
        if ask:
            self._ask(now)

    def take(self) -> tuple[Received, bool] | None:
        """The message kept under the number that is expected now, and whether it only counts."""
        return self._kept.pop(self._standing.next_inbound, None)

    def progressed(self, now: Instant) -> None:
        """The expected number advanced as far as it could: close the gap, or ask for its next part."""
        if not self._high:
            return
        self._advance(now)
        expected = self._standing.next_inbound
        if expected > self._not_kept_from:
            self._not_kept_from = 0
        if expected > self._high:
            self._high = 0
            self._logout_due_ns = 0
            self._standing.move_if_open(Event.FILLED)
            self._standing.notice(Level.INFO, "gap_closed", f"next expected MsgSeqNum(34)={expected}")
        elif expected > self._asked_to:
            self._ask(now)

    def forget(self) -> None:
        """The numbers start anew: nothing is missing, and what was kept is handed on, but for what asks for risk."""
        for m, _ in self._take_below(max(self._kept, default=0) + 1):
            self._hand_on(m)
        self._high = self._not_kept_from = 0

    def tell_lost(self) -> None:
        """The connection is gone: say what it had told already, and what the peer may not tell again."""
        if self._kept:
            kept = ", ".join(f"{seq} MsgType(35)={text_of(m.msg_type)}" for seq, (m, _) in sorted(self._kept.items()))
            text = f"came behind a gap that the connection did not live to close: MsgSeqNum(34)={kept}"
            self._standing.notice(Level.WARNING, "early_lost", text)

    def due_ns(self) -> list[int]:
        """When `timer` has something to do, by boot_ns."""
        due = [self._chase_ns()] if self._high else []
        return [*due, self._logout_due_ns] if self._logout_due_ns else due

    def timer(self, now: Instant) -> None:
        """Ask again for what does not come, and answer a Logout(5) that has waited long enough."""
        if self._high and now.boot_ns >= self._chase_ns():
            self._chase(now)
        if self._standing.logged_on and 0 < self._logout_due_ns <= now.boot_ns:
            self._logout_due_ns = 0
            self._ending.answer(self._logout_text, now)

    def gap_fill(self, m: Received) -> int | Problem:
        """NewSeqNo(36) of a SequenceReset(4) with GapFillFlag(123)=Y: cases 10.b and 10.e."""
        new = number_of(m.fields.get(b"36"))
        if new is None:
            return Problem(1, 36, "Required tag missing")
        if new <= m.seq:
            return Problem(5, None, f"Value is incorrect (out of range) for this tag, NewSeqNo(36)={new}")
        return new

    def gap_fill_again(self, m: Received) -> int | None:
        """NewSeqNo(36) of a SequenceReset(4) with GapFillFlag(123)=Y that repeats a number and fills more of a gap than
        was filled. Without a gap nothing was asked for, and it is a late repeat (case 10.c)."""
        new = number_of(m.fields.get(b"36")) if m.msg_type == b"4" and self._high else None
        return new if new is not None and new > self._standing.next_inbound else None

    def sequence_reset(self, m: Received) -> int | Problem:
        """NewSeqNo(36) of a SequenceReset(4) in reset mode, case 11: its own MsgSeqNum(34) does not count; never
        backwards."""
        expected = self._standing.next_inbound
        new = number_of(m.fields.get(b"36"))
        if new is None:
            return Problem(1, 36, "Required tag missing")
        if new < expected:
            text = f"Value is incorrect (out of range) for this tag, NewSeqNo(36)={new}, expecting {expected}"
            return Problem(5, None, text)
        if new == expected:
            text = f"SequenceReset(4) to NewSeqNo(36)={new}, which is expected anyway"
            self._standing.notice(Level.WARNING, "reset_without_effect", text)
        return new

    def jump(self, new: int, reason: NumbersReason, now: Instant) -> list[Received]:
        """Nothing more comes under the numbers below `new`. What came early under them is handed on, each once; those
        that are still to be acted on are returned, in order.
        """
        covered = self._take_below(new)
        for m, _ in covered:
            self._hand_on(m)
            new = max(new, number_of(m.fields.get(b"36")) or 0) if _fills(m) else new
        self._standing.set_numbers(self._standing.next_outbound, new, reason)
        if 0 < self._not_kept_from < new:
            text = f"MsgSeqNum(34) from {self._not_kept_from} on came early, found no room and is not sent again"
            self._ending.refuse(DisconnectReason.SEQUENCE_GAP, text, now)
        return [m for m, acted in covered if not acted]

    def _take_below(self, new: int) -> list[tuple[Received, bool]]:
        """What is kept under the numbers below `new`, or below the end of a gap fill among it, in order."""
        taken: list[tuple[Received, bool]] = []
        for seq in sorted(self._kept):
            if seq >= new:
                break
            m, acted = self._kept.pop(seq)
            taken.append((m, acted))
            if _fills(m):
                new = max(new, number_of(m.fields.get(b"36")) or 0)
        return taken

    def _hand_on(self, m: Received) -> None:
        withdrawn = m.msg_type in WITHDRAWN_TYPES
        self._standing.consume(m, WITHDRAWN if withdrawn else rejected_for(m))
        if withdrawn:
            text = f"MsgType(35)={text_of(m.msg_type)} MsgSeqNum(34)={m.seq} was gap-filled: taken as withdrawn"
            self._standing.notice(Level.WARNING, "withdrawn", text)

    def _advance(self, now: Instant) -> None:
        self._progress_ns = now.boot_ns
        self._attempts = 0

    def _chase_ns(self) -> int:
        """When what does not come is asked for again: soon where only the last number of what was asked for is
        missing, since some peers leave it out."""
        one_short = self._asked_from < self._standing.next_inbound == self._asked_to < self._high
        wait_s = min(_ONE_SHORT_S, self._settings.resend_timeout_s) if one_short else self._settings.resend_timeout_s
        return self._progress_ns + int(wait_s * NS_PER_S)

    def _chase(self, now: Instant) -> None:
        """A gap without progress is asked for again, a few times."""
        self._attempts += 1
        if self._attempts >= self._settings.max_resend_attempts:
            expected = self._standing.next_inbound
            text = f"MsgSeqNum(34)={expected} was asked for {self._attempts} times and never came"
            self._ending.refuse(DisconnectReason.RESEND_LOOP, text, now)
        else:
            self._ask(now)

    def _ask(self, now: Instant) -> None:
        """ResendRequest(2) for the part of the gap that is next."""
        begin, end = self._standing.next_inbound, 0
        if self._settings.resend_chunk:
            last = min(self._kept, default=self._high) - 1
            end = min(begin + self._settings.resend_chunk - 1, max(last, begin))
        self._asked_from, self._asked_to = begin, end or self._high
        self._progress_ns = now.boot_ns
        self._standing.send(b"2", b"7=%d\x0116=%d\x01" % (begin, end), now)


def _fills(m: Received) -> bool:
    return m.msg_type == b"4" and m.fields.get(b"123") == b"Y"

"""What the peer asks to have sent again, and the answers."""

from collections.abc import Iterable

from common.fix.ending import Ending
from common.fix.errors import LocalError
from common.fix.incoming import Received, number_of
from common.fix.session_types import (
    ASKS_BEYOND_SENT,
    DisconnectReason,
    Instant,
    Level,
    Outbound,
    Problem,
    ResendWanted,
    SequencePolicy,
    SessionSettings,
)
from common.fix.standing import Standing
from common.fix.wire import NS_PER_S

MAX_UNANSWERED = 16
"""So many ranges may wait for the host's answer: a peer that does not read, and asks on, fills no memory."""


class Resends:
    """The ranges that were asked for on one connection and are not yet answered."""

    __slots__ = ("_due_ns", "_ending", "_highest_begin", "_rest", "_repeats", "_settings", "_standing", "_wanted")

    def __init__(self, settings: SessionSettings, standing: Standing, ending: Ending) -> None:
        self._settings = settings
        self._standing = standing
        self._ending = ending
        self._wanted: list[tuple[int, int]] = []
        self._rest: tuple[int, int] | None = None  # of a range that is answered in parts
        self._due_ns = 0  # when the rest is wanted
        self._highest_begin = 0
        self._repeats = 0

    def requested(self, m: Received, now: Instant) -> None:
        """ResendRequest(2), case 8, and the loop that the specification wants detected."""
        begin, end = number_of(m.fields.get(b"7")), number_of(m.fields.get(b"16"))
        last = self._standing.next_outbound - 1
        if begin is None or end is None:
            missing = Problem(1, 7 if begin is None else 16, "Required tag missing")
            self._standing.answer_reject(m, missing, now)
            return
        if begin < 1 or begin > last or 0 < end < begin:
            asked = f"BeginSeqNo(7)={begin} EndSeqNo(16)={end}, last sent {last}"
            if begin > last + 1:
                # It has heard a number that we do not know of. Who asks from the very next one on may only be careless.
                self._standing.notice(Level.ERROR, ASKS_BEYOND_SENT, f"the peer misses what was never sent: {asked}")
            text = f"Value is incorrect (out of range) for this tag, {asked}"
            self._standing.answer_reject(m, Problem(5, 7, text), now)
            return
        longest = self._settings.max_resend_range
        if longest and (end == 0 or end - begin >= longest):
            text = f"Value is incorrect (out of range) for this tag, at most {longest} at once"
            self._standing.answer_reject(m, Problem(5, 16, text), now)
            return
        end = last if end == 0 or end > last else end
        if any(first <= begin and end <= wanted_to for first, wanted_to in self._wanted):
            return  # on its way already
        self._repeats = 1 if begin > self._highest_begin else self._repeats + 1
        self._highest_begin = max(begin, self._highest_begin)
        if self._repeats > self._settings.max_resend_requests or len(self._wanted) >= MAX_UNANSWERED:
            text = f"BeginSeqNo(7)={begin} asked for {self._repeats} times without progress"
            self._ending.refuse(DisconnectReason.RESEND_LOOP, text, now)
            return
        self.want(begin, end)

    def want(self, begin: int, end: int) -> None:
        """Ask the host for `begin` to `end`, in parts where answers are paced. Also when the policy is to resend
        nothing: only the host knows which numbers have left, and a gap fill over one that has not would make it too
        low when it does."""
        chunk = self._settings.resend_answer_chunk
        part = min(end, begin + chunk - 1) if chunk else end
        self._rest = (part + 1, end) if part < end else None
        self._wanted.append((begin, part))
        self._standing.effects.append(ResendWanted(begin, part))

    def answer(self, begin: int, end: int, messages: Iterable[tuple[int, bytes]], now: Instant) -> None:
        """Send `messages` again and fill the gaps between them, as `Session.resend` promises. Raises LocalError."""
        asked = next(((first, last) for first, last in self._wanted if first <= begin and end <= last), None)
        if asked is None:
            raise LocalError(f"numbers {begin} to {end} were not asked for on this connection")
        at = self._wanted.index(asked)
        self._wanted[at : at + 1] = [(end + 1, asked[1])] if end < asked[1] else []
        encoder, effects = self._standing.encoder, self._standing.effects
        resends = self._settings.sequence_policy is SequencePolicy.RESEND
        at = begin
        for seq, stored in messages if resends else ():
            if not at <= seq <= end:
                continue
            again = encoder.again(stored, now.wall_ns)
            if again is None:
                continue
            if seq > at:
                effects.append(Outbound(at, "4", encoder.gap_fill(at, seq, now.wall_ns), True))
            effects.append(Outbound(seq, again[0].decode(), again[1], True))
            at = seq + 1
        if at <= end:
            effects.append(Outbound(at, "4", encoder.gap_fill(at, end + 1, now.wall_ns), True))
        self._standing.sent_boot_ns = now.boot_ns
        if self._rest is not None:
            self._due_ns = now.boot_ns + int(self._settings.resend_answer_interval_s * NS_PER_S)

    def due_ns(self) -> list[int]:
        """When `timer` has something to do, by boot_ns."""
        return [self._due_ns] if self._rest is not None and self._due_ns else []

    def timer(self, now: Instant) -> None:
        """Ask the host for the next part of a range that is answered in parts."""
        if self._rest is not None and self._due_ns and now.boot_ns >= self._due_ns:
            self._due_ns = 0
            self.want(*self._rest)

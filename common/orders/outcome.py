"""What became of an attempt: one pure fold of the log, in one place, for orders, risk and every later reader alike.

An attempt is PENDING until the log decides. Read in LSN order:

- an outbound record of it, stamped no later than its deadline, makes it SENT;
- else the first refusal stamped no later than its deadline makes it REFUSED;
- else the first later stamp, of any record, makes it EXPIRED (an outbound record stamped later is void: it never left);
- a withdrawal makes it WITHDRAWN (unless it had expired before): its number never reached the socket.

REFUSED, EXPIRED and WITHDRAWN are final: nothing logged later changes them. SENT ends only by a withdrawal or by the
venue's word on the order, which is not this module's matter. A cancel has no deadline and so never expires.
"""

import enum
import heapq

from common.messages import Attempt


class Outcome(enum.StrEnum):
    """Where an attempt stands."""

    PENDING = "pending"
    SENT = "sent"
    REFUSED = "refused"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class Evidence(enum.Enum):
    """What a record says about an attempt; STAMP is any record that does not name it."""

    OUTBOUND = enum.auto()
    REFUSED = enum.auto()
    WITHDRAWN = enum.auto()
    STAMP = enum.auto()


FINAL = frozenset({Outcome.REFUSED, Outcome.EXPIRED, Outcome.WITHDRAWN})


def is_void(deadline_ns: int | None, stamp_ns: int) -> bool:
    """Whether a command in a record of this stamp came too late to be anything, for every reader of the log; None is
    the deadline of what has none."""
    return deadline_ns is not None and stamp_ns > deadline_ns


def decide(current: Outcome, evidence: Evidence, deadline_ns: int | None, stamp_ns: int) -> Outcome:
    """The outcome after one more record stamped `stamp_ns`; `deadline_ns` None is a cancel's, which has none."""
    if current is Outcome.SENT:
        return Outcome.WITHDRAWN if evidence is Evidence.WITHDRAWN else current
    if current is not Outcome.PENDING:
        return current
    if is_void(deadline_ns, stamp_ns):
        return Outcome.EXPIRED
    # Compared, not looked up: a member of an enum hashes by a method of its own.
    if evidence is Evidence.OUTBOUND:
        return Outcome.SENT
    if evidence is Evidence.REFUSED:
        return Outcome.REFUSED
    return Outcome.WITHDRAWN if evidence is Evidence.WITHDRAWN else current


class Outcomes:
    """The attempts that a reader of the log still waits for, and those that it holds as sent.

    `expect` and `see_evidence` name attempts; `stamp` takes the stamp of every record and tells which attempts expired
    by it. A final outcome is reported once and forgotten; a sent one is held until `forget`.
    """

    def __init__(self) -> None:
        """Nothing is expected. `held` is what is pending or sent, with its deadline: for reading."""
        self.held: dict[Attempt, tuple[Outcome, int | None]] = {}
        self._deadlines: list[tuple[int, int, int]] = []

    def expect(self, attempt: Attempt, deadline_ns: int) -> None:
        """From now on the attempt, a new one, is pending; what the log says of it is this object's to decide."""
        self.held[attempt] = (Outcome.PENDING, deadline_ns)
        heapq.heappush(self._deadlines, (deadline_ns, attempt.epoch, attempt.counter))

    def see_evidence(self, attempt: Attempt, evidence: Evidence, deadline_ns: int | None, stamp_ns: int) -> Outcome:
        """Fold a record that names the attempt, expected before or not, and return where it stands.

        A reader that calls `stamp` first with every record's stamp is told of expiry there, and sees EXPIRED here for
        an attempt that it never expected and whose record came too late.
        """
        current, deadline = self.held.get(attempt, (Outcome.PENDING, deadline_ns))
        outcome = decide(current, evidence, deadline, stamp_ns)
        if outcome in FINAL:
            self.held.pop(attempt, None)
        else:
            self.held[attempt] = (outcome, deadline)
        return outcome

    def stamp(self, stamp_ns: int) -> list[Attempt]:
        """Every record's stamp, before its content: the pending attempts that expire by it, earliest deadline first."""
        expired: list[Attempt] = []
        deadlines = self._deadlines
        while deadlines and deadlines[0][0] < stamp_ns:
            _, epoch, counter = heapq.heappop(deadlines)
            attempt = Attempt(epoch, counter)
            held = self.held.get(attempt)
            if held is not None and held[0] is Outcome.PENDING:
                del self.held[attempt]
                expired.append(attempt)
        return expired

    def forget(self, attempt: Attempt) -> None:
        """The attempt's order is closed; nothing more is asked about it."""
        self.held.pop(attempt, None)

"""Refusals for a strategy's own rate: they come in floods, and share a record a batch.

The first is journaled at once. Those that follow it within BATCH_NS wait for the end of that time, and are one record
then: a strategy that sends far more than its rate allows costs the journal, and all who read it, no more than a few
records. What has little time left does not wait: a refusal counts only if it is stamped by the command's deadline.
"""

import msgspec

from common.actor.links import Appender
from common.instant import NS_PER_MS, Instant
from common.messages import AmendOrder, Kind, NewOrder, RateRefused, Reason, RefusedAttempt, cut
from common.request_identity import command_identity
from services.risk.limits import Refusal

BATCH_NS = 10 * NS_PER_MS
BATCH_COMMANDS = 500
LEAST_LEFT_NS = 10 * BATCH_NS
"""A command that has less than this until its deadline is refused alone, and at once."""


class _Batch(msgspec.Struct):
    """What one strategy's next record will hold, and from when on."""

    due_boot_ns: int
    attempts: list[RefusedAttempt] = []
    refusal: Refusal | None = None


class RateRefusals:
    """See the module. `writer` is who refuses."""

    def __init__(self, writer: str, appender: Appender) -> None:
        """Nothing waits."""
        self._writer = writer
        self._appender = appender
        self._batches: dict[str, _Batch] = {}

    def hold_back(self, command: NewOrder | AmendOrder, refusal: Refusal, stamp_ns: int, now: Instant) -> bool:
        """Whether the refusal goes into the strategy's next record; False for one that is to be journaled at once."""
        if refusal.reason is not Reason.STRATEGY_RATE:
            return False
        batch = self._batches.get(command.strategy)
        if batch is None:
            self._batches[command.strategy] = _Batch(now.boot_ns + BATCH_NS)
            return False
        if command.deadline_ns < stamp_ns + LEAST_LEFT_NS:
            return False
        identity = command_identity(command)
        batch.attempts.append(RefusedAttempt(command.number, command.attempt, command.deadline_ns, identity))
        batch.refusal = refusal
        if len(batch.attempts) >= BATCH_COMMANDS:
            batch.due_boot_ns = now.boot_ns
        return True

    def next_ns(self) -> int | None:
        """When `step` has something to do, in boot time."""
        return min((batch.due_boot_ns for batch in self._batches.values()), default=None)

    def step(self, now: Instant) -> None:
        """Journal the batches that are due. What finds no room in the journal's queue expires."""
        for strategy, batch in list(self._batches.items()):
            if now.boot_ns < batch.due_boot_ns:
                continue
            del self._batches[strategy]
            if batch.refusal is not None and self._appender.granted and not self._appender.full:
                reason, text, limit = batch.refusal.reason, cut(batch.refusal.text), cut(batch.refusal.limit)
                record = RateRefused(self._writer, reason, text, strategy, tuple(batch.attempts), limit)
                self._appender.append(Kind.RATE_REFUSED, record, now)
                self._batches[strategy] = _Batch(now.boot_ns + BATCH_NS)

"""The limits that a venue tells of, kept on our side before the venue has to.

A limit of messages that is below ours lowers ours. A limit of new orders is the account's: what is used of it is what
the venue told last, for as long as its interval lasts, and what this session has sent since it asked. Both count more
than the venue may: orders that it gives back when they fill are learnt of by asking again, once much is used.
"""

from collections import deque

from common.actor.core import Core
from common.fix.session_types import Inbound as FixInbound
from common.instant import NS_PER_S, Instant
from common.venues.dialect import BadReport, Dialect, VenueLimit
from services.session.outbox import Outbox
from services.session.records import Records

ASK_FROM = 0.8
"""The share of a limit of orders from which the venue is asked again."""

ASK_AFTER_ORDERS = 1000
"""So many orders after the last question it is asked in any case: what is kept of them is bounded by this."""

ASK_EVERY_NS = NS_PER_S
UNANSWERED_NS = 10 * NS_PER_S
"""A question without an answer for so long is asked again; the answer to the first may come all the same."""


class VenueLimits:
    """See the module. `told` is what the venue told last, `unreadable` counts what could not be read of it."""

    def __init__(self, core: Core, dialect: Dialect, records: Records, outbox: Outbox) -> None:
        """`core` takes the notes; `outbox` asks, and its rate is lowered."""
        self._core = core
        self._dialect = dialect
        self._records = records
        self._outbox = outbox
        self._asked_ns: deque[int] = deque()
        self._heard_ns = 0
        self._sent_ns: deque[int] = deque()
        self.told: list[VenueLimit] = []
        self.unreadable = 0

    # ---- asking

    def begin(self, now: Instant) -> None:
        """A connection is in step: what an earlier one was asked has no answer."""
        self._asked_ns.clear()
        self._ask(now)

    def _ask(self, now: Instant) -> None:
        """Ask for the venue's own limits, where it tells them and is logged on."""
        question = self._dialect.encode_limit_query(f"limits-{self._records.history.connection}")
        fix = self._outbox.fix
        if question is not None and fix is not None and fix.logged_on:
            self._asked_ns.append(now.boot_ns)
            self._outbox.send(question.msg_type, question.fields, b"", None, now)

    def _ask_again(self, now: Instant) -> None:
        """Ask once more where much is used, not oftener than makes sense."""
        last_ns = self._asked_ns[-1] if self._asked_ns else 0
        pause_ns = UNANSWERED_NS if self._asked_ns else ASK_EVERY_NS
        if now.boot_ns < max(last_ns, self._heard_ns) + pause_ns:
            return
        orders = [limit for limit in self.told if limit.kind == "orders"]
        much = any(self._used(limit, now) >= ASK_FROM * limit.maximum for limit in orders)
        if orders and (much or len(self._sent_ns) >= ASK_AFTER_ORDERS):
            self._ask(now)

    def hear(self, message: FixInbound, now: Instant) -> None:
        """The venue's own limits, if the message tells them."""
        try:
            limits = self._dialect.decode_limits(message.msg_type, message.raw)
        except BadReport as error:
            self.unreadable += 1
            self._core.note("error", "unreadable", msg_type=message.msg_type, why=str(error))
            return
        if not limits:
            return
        self.told, self._heard_ns = limits, now.boot_ns
        asked_ns = self._asked_ns.popleft() if self._asked_ns else 0
        while self._sent_ns and self._sent_ns[0] < asked_ns:
            self._sent_ns.popleft()
        for limit in limits:
            if limit.kind == "messages":
                self._lower_rate(limit)

    def _lower_rate(self, limit: VenueLimit) -> None:
        rate = self._outbox.rate
        ours = rate.messages
        if rate.keep_within(limit.maximum, limit.interval_s * NS_PER_S):
            mend = "set `limits` in the venue's file to what the venue allows"
            theirs, kept = limit.maximum, rate.messages
            self._core.note(
                "warning", "limit", ours=ours, theirs=theirs, interval_s=limit.interval_s, kept=kept, mend=mend
            )

    # ---- orders

    def order_sent(self, now: Instant) -> None:
        """A message that opens an order took a number."""
        if self.told:
            self._sent_ns.append(now.boot_ns)
            self._ask_again(now)

    def why_full(self, now: Instant) -> tuple[str, str] | None:
        """What is used of a limit of orders that has no room for one more, and that limit; None where all have."""
        for limit in self.told:
            if limit.kind == "orders" and (used := self._used(limit, now)) >= limit.maximum:
                self._ask_again(now)
                return str(used), f"{limit.maximum} orders in {limit.interval_s} s"
        return None

    def _used(self, limit: VenueLimit, now: Instant) -> int:
        since_ns = now.boot_ns - limit.interval_s * NS_PER_S
        told = limit.used if self._heard_ns > since_ns else 0
        return told + sum(1 for sent_ns in reversed(self._sent_ns) if sent_ns > since_ns)

    def rows(self, now: Instant) -> list[dict[str, object]]:
        """The limits for status: of orders and messages what is used by our own count."""
        return [{**limit._asdict(), "used": self._used_here(limit, now)} for limit in self.told]

    def _used_here(self, limit: VenueLimit, now: Instant) -> int:
        if limit.kind == "messages":
            return self._outbox.rate.used(self._outbox.unreleased, now)
        return self._used(limit, now) if limit.kind == "orders" else limit.used

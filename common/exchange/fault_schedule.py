"""Faults in time: what one does as it begins, when it is over, and the news that come before maintenance."""

from common.exchange.faults import FURTHER, BadFault, Fault, Kind
from common.exchange.venue import Venue
from common.instant import NS_PER_MS, NS_PER_S, Instant

NEWS_EVERY_NS = 10 * NS_PER_S


class FaultSchedule:
    """All faults of one exchange that are more than a mark on what is sent."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._stall_ends: list[tuple[int, Fault]] = []
        self._next_news: list[tuple[int, int, Fault]] = []

    def begin(self, fault: Fault, now: Instant) -> None:
        """A fault that was just added begins. Raises BadFault where the venue cannot have it, and ends it then."""
        why = self._why_not(fault)
        if why:
            self._venue.faults.end(fault)
            raise BadFault(why)
        if fault.kind is Kind.CUT:
            self._cut(fault, now)
        elif fault.kind is Kind.STALL:
            self._stall_ends.append((now.boot_ns + fault.ms * NS_PER_MS, fault))
        elif fault.kind is Kind.MAINTENANCE:
            for line in self._venue.lines.of(fault.scope):
                line.ends = True
            self._next_news.append((now.boot_ns, now.boot_ns + fault.ms * NS_PER_MS, fault))
        elif fault.kind in (Kind.TEST_REQUEST, Kind.RESEND_REQUEST):
            self._ask(fault, now)

    def _why_not(self, fault: Fault) -> str:
        side = self._venue.side
        if fault.kind in (Kind.SKIP, Kind.TEST_REQUEST, Kind.RESEND_REQUEST) and side.resending is None:
            dialect = self._venue.settings.dialect
            return f"{fault.kind} needs a session that resends, and dialect {dialect} has none"
        if fault.kind in FURTHER and fault.kind not in side.further:
            return FURTHER[fault.kind]
        return side.lacks.get(fault.kind, "")

    def _cut(self, fault: Fault, now: Instant) -> None:
        for line in self._venue.lines.of(fault.scope):
            self._venue.lines.cut(line)
            self._venue.side.gateways[line.scope].lost(line, now)
        self._strike(fault)

    def _ask(self, fault: Fault, now: Instant) -> None:
        resending = self._venue.side.resending
        assert resending is not None
        for _ in range(fault.count):
            if fault.kind is Kind.TEST_REQUEST:
                resending.ask_for_life(now)
            else:
                resending.ask_again(now)
        self._strike(fault)

    def _strike(self, fault: Fault) -> None:
        """It has struck, and is over with that."""
        self._venue.faults.count(fault)
        self._venue.faults.end(fault)

    def due_ns(self) -> list[int]:
        """When there is something to do, in boot terms."""
        return [end_ns for end_ns, _ in self._stall_ends] + [news_ns for news_ns, _, _ in self._next_news]

    def timer(self, now: Instant) -> bool:
        """Tell what news are due and end the stalls that are over; whether one ended."""
        self._tell_news(now)
        over = [fault for end_ns, fault in self._stall_ends if end_ns <= now.boot_ns]
        self._stall_ends = [(end_ns, fault) for end_ns, fault in self._stall_ends if end_ns > now.boot_ns]
        for fault in over:
            self._venue.faults.end(fault)
        return bool(over)

    def _tell_news(self, now: Instant) -> None:
        """Count down to the end of the connections, and end them."""
        for entry in [entry for entry in self._next_news if entry[0] <= now.boot_ns]:
            self._next_news.remove(entry)
            _, end_ns, fault = entry
            if fault not in self._venue.faults.active:
                continue
            gateways = [g for scope, g in self._venue.side.gateways.items() if fault.scope in (scope, "all")]
            left_ns = end_ns - now.boot_ns
            if left_ns <= 0:
                self._strike(fault)
                for gateway in gateways:
                    gateway.end_announced(now)
                continue
            last = left_ns <= NEWS_EVERY_NS
            for gateway in gateways:
                gateway.announce(_headline(left_ns, last=last), now)
            # The last word comes ten seconds before the end.
            pause_ns = left_ns if last else min(NEWS_EVERY_NS, left_ns - NEWS_EVERY_NS)
            self._next_news.append((now.boot_ns + pause_ns, end_ns, fault))


def _headline(left_ns: int, *, last: bool) -> str:
    if last:
        return "Your connection is about to be closed. Please reconnect."
    return f"You'll be disconnected in {-(-left_ns // NS_PER_S)} seconds. Please reconnect."

"""An orderly stop: what rests is cancelled where nobody else has, what has not left is withdrawn, and all is recorded.

Who cancels at a stop is the order manager; a session does it where that is gone, or could not, and where its venue's
file wants it so. A session that is not live yet, or not logged on, waits for that a while, if something may rest.
Nothing new leaves from there on; it logs out once nothing is open, or there is no more time, and exits once the journal
has everything.
"""

from common.actor.core import Exit
from common.instant import NS_PER_MS, Instant
from services.session.connection import Connection
from services.session.former import Former
from services.session.kill import KillSwitch
from services.session.outbox import Shared
from services.session.recovery import TakingUp

STOP_TIMEOUT_NS = 1_500 * NS_PER_MS
STOP_CANCEL_NS = 450 * NS_PER_MS
"""Of that, how long what rests is cancelled, and a logon waited for where there is none. The journal counts as away
after `AWAY_NS`; the supervisor allows a session 550 ms where orders has used all of its own time.
"""

STOP_FRESH_NS = 1_000 * NS_PER_MS
"""The same of a session that is not live yet: a supervisor started it for this alone, and had the time to."""

ON_STOP = "on_stop"


class Stopping:
    """See the module. Each step is followed by what the FIX session makes of it, which the core carries out."""

    def __init__(
        self, shared: Shared, kill: KillSwitch, connection: Connection, former: Former, taking_up: TakingUp
    ) -> None:
        """Nobody has said to stop. `kill` empties the books."""
        self._core, self._config, _, self._records, self._outbox = shared
        self._kill = kill
        self._connection = connection
        self._former = former
        self._taking_up = taking_up
        self._deadline_ns: int | None = None
        self._wait_until_ns: int | None = None
        self._cancel_until_ns: int | None = None

    def deadlines_ns(self) -> tuple[int | None, ...]:
        """When a step is due, in boot time."""
        return self._deadline_ns, self._wait_until_ns, self._cancel_until_ns

    def begin(self, now: Instant) -> bool:
        """The word to stop; False where it came before."""
        if self._deadline_ns is not None:
            return False
        self._deadline_ns = now.boot_ns + STOP_TIMEOUT_NS
        self._wait_until_ns = now.boot_ns + (STOP_CANCEL_NS if self._taking_up.live else STOP_FRESH_NS)
        if self._taking_up.live and self._outbox.fix is None:
            self._connection.schedule(now, failed=False)
        return True

    def go_on(self, now: Instant) -> bool:
        """Once the session is live and logged on, or need not or cannot be in time: cancel what rests, or leave.

        Whether that is now.
        """
        if self._wait_until_ns is None or (now.boot_ns < self._wait_until_ns and self._is_awaited()):
            return False
        until_ns, self._wait_until_ns = self._wait_until_ns, None
        if not self._taking_up.live:
            self._exit("stopped before it was live")
            return False
        self._connection.stopping = True
        self._connection.cancel()
        self._former.break_off("the session is stopped")
        if self._outbox.logged_on and self._rests():
            self._core.note("warning", "cancels_on_stop", orders=len(self._records.history.orders))
            self._cancel_until_ns = until_ns
            if not self._kill.latched:
                self._kill.empty_at_stop(ON_STOP, now)
        else:
            self._leave(now)
        return True

    def end_cancelling(self, now: Instant) -> bool:
        """Log out once nothing is open, or there is no more time for it; whether that is now."""
        until_ns = self._cancel_until_ns
        if until_ns is None or not (self._kill.done or now.boot_ns >= until_ns or self._outbox.fix is None):
            return False
        self._cancel_until_ns = None
        left = [order.cl_ord_id for order in self._records.history.orders.all()]
        if left:
            self._core.note("warning", "left_open", orders=left)
        if self._kill.by == ON_STOP:
            self._kill.latch.release()
        self._leave(now)
        return True

    def exit_when_done(self) -> None:
        """Exit once the connection has ended and everything is durable."""
        emergency = self._records.emergency
        waiting = emergency.has_unwritten if emergency.active else self._records.appender.unacknowledged
        has_left = self._connection.stopping and self._outbox.fix is None
        if self._deadline_ns is not None and has_left and not waiting:
            self._exit("stopped")

    def exit_when_late(self, now: Instant) -> None:
        """Exit in any case once there is no more time."""
        if self._deadline_ns is not None and now.boot_ns >= self._deadline_ns:
            self._exit("stopped; the journal did not acknowledge everything in time")

    def _exit(self, text: str) -> None:
        self._deadline_ns = None
        self._core.effects.append(Exit(0, text))

    def _leave(self, now: Instant) -> None:
        self._connection.log_out("the session is stopped", "stopped while connecting", now)

    def _is_awaited(self) -> bool:
        """Whether something may rest that nobody has cancelled, and the venue may yet be told so."""
        if not self._taking_up.live:
            return self._config.cancel_on_stop
        return self._rests() and not self._outbox.logged_on and self._connection.may_connect

    def _rests(self) -> bool:
        return self._config.cancel_on_stop and bool(len(self._records.history.orders))

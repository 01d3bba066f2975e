"""What a person may do to a session: kill and resume, log on and out, reset or set the numbers; and the orderly stop.

Each act is recorded. Only the kill works without the journal; everything else waits for one that answers.

Who cancels at a stop is the order manager; a session does it where that is gone, or could not, and where its venue's
file wants it so. A session that is not live yet, or not logged on, waits for that a while, if something may rest.
Nothing new leaves from there on; it logs out once nothing is open, or there is no more time, and exits once the journal
has everything.
"""

from functools import partial
from typing import Annotated, Any

import msgspec

from common.actor.acts import (
    Act,
    Cannot,
    Confirmed,
    ControlAct,
    Done,
    NoArguments,
    RecordedActs,
    SkipArguments,
    WhateverIsSaid,
)
from common.actor.core import Exit
from common.instant import NS_PER_MS, Instant
from common.left_out import LeftOut
from common.messages import OperatorAct, SessionState
from services.session.connection import Connection
from services.session.former import Former
from services.session.history import BY_HAND
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

    def begin_stop(self, now: Instant) -> bool:
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
        waiting = emergency.unwritten if emergency.active else self._records.appender.unacknowledged
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


MAX_SEQ_NUM = 10**18 - 1
"""The highest MsgSeqNum(34) that a session reads."""


class NumbersArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The numbers that a person sets; 0 leaves one as it is."""

    next_outbound: Annotated[int, msgspec.Meta(ge=0, le=MAX_SEQ_NUM)] = 0
    next_inbound: Annotated[int, msgspec.Meta(ge=0, le=MAX_SEQ_NUM)] = 0


class SessionByHand:
    """See the module."""

    def __init__(
        self, shared: Shared, kill: KillSwitch, connection: Connection, left_out: LeftOut, taking_up: TakingUp
    ) -> None:
        """Each act is done by the part whose matter it is."""
        self._core, self._config, self._records, self._outbox = (
            shared.core, shared.config, shared.records, shared.outbox,
        )  # fmt: skip
        self._left_out = left_out
        self._taking_up = taking_up
        self._kill = kill
        self._connection = connection
        acts = {
            "kill": ControlAct(WhateverIsSaid, self._kill_now),
            "resume": ControlAct(Confirmed, self._resume),
            "logon": ControlAct(NoArguments, self._log_on),
            "logout": ControlAct(NoArguments, self._log_out),
            "reset": ControlAct(NoArguments, self._reset),
            "set_seq": ControlAct(NumbersArguments, self._set_numbers),
            "skip": ControlAct(SkipArguments, self._skip),
        }
        guarded = {name: act._replace(do=partial(self._if_recorded, act.do)) for name, act in acts.items()}
        self.acts = RecordedActs(
            self._core, self._core.name, {**guarded, "kill": acts["kill"]}, self._records.appender
        )

    def _if_recorded(self, do: Act, arguments: Any, by: str, now: Instant) -> str | Done:
        if self._records.away(now) or not self._taking_up.live:
            raise Cannot("the journal does not answer, and nothing is done that it has not recorded")
        return do(arguments, by, now)

    def _skip(self, arguments: SkipArguments, by: str, now: Instant) -> str:
        """The journal has recorded it: the session only hears of it."""
        self._left_out.accept(arguments.lsn)
        return self._left_out.text or f"record {arguments.lsn} halts nothing"

    def _record(self, act: str, by: str, text: str, now: Instant) -> None:
        self._records.append(OperatorAct(self._core.name, act, by, text), now)
        self._core.note("warning", "operator", act=act, by=by, text=text)

    def _kill_now(self, _arguments: WhateverIsSaid, by: str, now: Instant) -> str:
        if not self._taking_up.live:
            self._kill.latch.latch()
            self._taking_up.wait_for_journal(now.boot_ns)
        else:
            self._kill.kill(by, now)
            if self._outbox.fix is None:
                # What may be open is cancelled at once, not after a back-off.
                self._connection.schedule(now, failed=False)
        failure = self._kill.latch.failure
        self._core.note("error", "killed", by=by, latch=failure or "on disk")
        closed = self._connection.hours.text
        latched = f"latched; {closed}, and cancels then" if closed else "latched; cancelling until nothing is open"
        return failure or latched

    def _resume(self, arguments: Confirmed, by: str, now: Instant) -> str:
        if not arguments.confirm:
            raise Cannot("resuming needs a confirmation")
        if not self._kill.latched:
            return "not latched"
        if self._records.emergency.active:
            raise Cannot("the journal does not answer")
        if not self._kill.resume(by, now):
            raise Cannot(f"the latch's file does not take it: {self._kill.latch.failure}")
        self._core.note("warning", "resumed", by=by)
        return "trading resumes as orders opens the gate"

    def _log_on(self, _arguments: NoArguments, by: str, now: Instant) -> str:
        if self._outbox.fix is not None:
            raise Cannot("there is a connection already")
        self._record("logon", by, "", now)
        self._connection.schedule(now, failed=False)
        closed = self._connection.hours.text
        return f"{closed}, and connects then" if closed else "connecting"

    def _log_out(self, _arguments: NoArguments, by: str, now: Instant) -> str:
        self._record("logout", by, "", now)
        self._records.changed(SessionState.LOGGED_OUT_BY_HAND, now)
        self._connection.cancel()
        self._connection.log_out("logged out by hand", "logged out while connecting", now)
        return "logging out; `session logon` connects again"

    def _reset(self, _arguments: NoArguments, by: str, now: Instant) -> str:
        if self._outbox.fix is not None:
            raise Cannot("numbers are reset only while logged out: `session logout` first")
        self._record("reset", by, "both numbers start at 1 with the next Logon(A), ResetSeqNumFlag(141)=Y", now)
        return "the next logon starts both numbers at 1; `session logon` connects"

    def _set_numbers(self, arguments: NumbersArguments, by: str, now: Instant) -> str:
        if self._config.resets:
            raise Cannot("this venue starts both numbers at 1 with each logon")
        if self._outbox.fix is not None:
            raise Cannot("numbers are set only while logged out: `session logout` first")
        history = self._records.history
        outbound = arguments.next_outbound or history.next_outbound
        inbound = arguments.next_inbound or history.next_inbound
        text = f"next MsgSeqNum(34) out {history.next_outbound} -> {outbound}, in {history.next_inbound} -> {inbound}"
        self._record("set_seq", by, text, now)
        # A number may now be taken a second time, so it is another generation's.
        change = msgspec.structs.replace(
            history.change(SessionState.NUMBERS_SET, BY_HAND),
            generation=history.generation + 1,
            next_outbound=outbound,
            next_inbound=inbound,
        )
        self._records.append(change, now)
        return text

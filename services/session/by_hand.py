"""What a person may do to a session: kill and resume, log on and out, reset or set the numbers.

Each act is recorded. Only the kill works without the journal; everything else waits for one that answers.
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
from common.instant import Instant
from common.left_out import LeftOut
from common.messages import OperatorAct, SessionState
from services.session.connection import Connection
from services.session.history import BY_HAND
from services.session.kill import KillSwitch
from services.session.outbox import Shared
from services.session.recovery import TakingUp

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
        self.acts = RecordedActs(self._core, self._core.name, {**guarded, "kill": acts["kill"]}, self._records)

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

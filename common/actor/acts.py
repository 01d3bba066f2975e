"""What a person may have an actor do: each act is a word with arguments of a type of its own, answered in one way.

An act that there is not, arguments that do not decode, a key that the act does not have, and an act that cannot be done
now are answered with why, and nothing has changed then. A kill is never refused for what is written beside it.

An act that writes to the log is answered when the log has it: what a person was told is done, the next life of the
actor knows as well. A kill alone is answered at once, for its latch is a file of its own.
"""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, NamedTuple, Protocol

import msgspec

from common.actor.core import Core, Send
from common.instant import NS_PER_S, Instant
from common.messages import STRATEGY_NAME, UNDECODABLE, ControlAnswer, ControlRequest, Number

RECORDED_WITHIN_NS: Final = NS_PER_S
"""So long an answer waits for the log, less than whoever asks waits for the answer."""


class Cannot(Exception):
    """The act cannot be done now; the text says why, and what to do."""


class NoArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The arguments of an act that needs none."""


class Confirmed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The arguments of an act that a person has to `confirm`."""

    confirm: bool = False


class SkipArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The record that a person has had skipped: every reader leaves it out from then on."""

    lsn: Number


class ActDone(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a person, `by`, had an actor do that does not write to the journal itself: a supervisor with a strategy, or
    alerts. It goes into the journal once for each `token`, as an act of `actor`.
    """

    actor: Annotated[str, msgspec.Meta(pattern=rf"\A(strategy@{STRATEGY_NAME}|alerts)\Z")]
    act: Annotated[str, msgspec.Meta(pattern=r"\A[a-z_]{1,32}\Z")]
    by: Annotated[str, msgspec.Meta(max_length=64)]
    token: Annotated[str, msgspec.Meta(max_length=96)]
    text: Annotated[str, msgspec.Meta(max_length=500)] = ""


class WhateverIsSaid(msgspec.Struct, frozen=True):
    """The arguments of a kill: whatever is written beside it, it is done."""


class Done(NamedTuple):
    """What the person is told of an act that was done; `detail` is a JSON document. `number` is the append by which it
    comes into the log where the act itself makes none: an earlier one has it, or the next one will.
    """

    text: str
    detail: bytes = b"{}"
    number: int = 0


Act = Callable[[Any, str, Instant], str | Done]


class ControlAct(NamedTuple):
    """One act. `arguments` is the type that they decode to; `do` is given them, the person and the time, and raises
    Cannot.
    """

    arguments: type[Any]
    do: Act


def do_act(owner: str, acts: Mapping[str, ControlAct], request: ControlRequest, now: Instant) -> ControlAnswer:
    """Do what a person asks of the actor `owner`, one of its `acts`, and return the answer."""
    return _carry_out(owner, acts, request, now)[0]


def _carry_out(
    owner: str, acts: Mapping[str, ControlAct], request: ControlRequest, now: Instant
) -> tuple[ControlAnswer, int]:
    """The answer, and `Done.number` of what was done."""
    try:
        done = _do(owner, acts, request, now)
    except Cannot as why:
        return ControlAnswer(request.token, False, str(why)), 0
    text, detail, number = Done(done) if isinstance(done, str) else done
    return ControlAnswer(request.token, True, text, detail), number


def _do(owner: str, acts: Mapping[str, ControlAct], request: ControlRequest, now: Instant) -> str | Done:
    act = acts.get(request.act)
    if act is None:
        raise Cannot(f"{owner} has no act {request.act!r}; it has {', '.join(sorted({*acts, 'status'}))}")
    if act.arguments is WhateverIsSaid:
        return act.do(WhateverIsSaid(), request.by, now)
    try:
        arguments = msgspec.json.decode(request.arguments, type=act.arguments)
    except UNDECODABLE as error:
        raise Cannot(f"{request.act}: its arguments do not decode: {error}") from error
    return act.do(arguments, request.by, now)


class Recorder(Protocol):
    """What an actor writes its records to, and which of them are durable; in another `place` numbers begin anew."""

    @property
    def place(self) -> tuple[str, int]:
        """What the numbers are of."""

    @property
    def last_number(self) -> int:
        """The number of the last record that was made there; 0 before one."""

    @property
    def acknowledged_number(self) -> int:
        """The number of the last record that is durable there; 0 before one."""


class _Owed(NamedTuple):
    """The answer waits until the record `number` of that place is durable."""

    peer: bytes
    act: str
    answer: ControlAnswer
    place: tuple[str, int]
    number: int
    due_boot_ns: int


class RecordedActs:
    """The acts of an actor that writes to the log, and the answers that wait for it."""

    def __init__(self, core: Core, owner: str, acts: Mapping[str, ControlAct], recorder: Recorder) -> None:
        """`owner` is the actor's name for people; answers go into the effects of `core`, and `recorder` writes what the
        acts write.
        """
        self._core = core
        self._owner = owner
        self._acts = acts
        self._recorder = recorder
        self._owed: deque[_Owed] = deque()

    def do(self, peer: bytes, request: ControlRequest, now: Instant) -> bool:
        """Do what a person asks, and answer `peer`: at once where nothing was written, else by `settle`. Returns
        whether it was done.
        """
        before = self._recorder.last_number
        answer, number = _carry_out(self._owner, self._acts, request, now)
        if self._recorder.last_number != before:
            number = self._recorder.last_number
        recorded = number <= self._recorder.acknowledged_number
        if recorded or not answer.ok or self._acts[request.act].arguments is WhateverIsSaid:
            self._send(peer, answer)
        else:
            due_boot_ns = now.boot_ns + RECORDED_WITHIN_NS
            self._owed.append(_Owed(peer, request.act, answer, self._recorder.place, number, due_boot_ns))
        return answer.ok

    def settle(self, now: Instant) -> None:
        """Answer whoever waits for what the log has by now, or has not taken in time."""
        recorder, owed = self._recorder, self._owed
        while owed:
            first = owed[0]
            if first.place == recorder.place and first.number <= recorder.acknowledged_number:
                self._send(first.peer, first.answer)
            elif first.place != recorder.place or now.boot_ns >= first.due_boot_ns:
                self._send(first.peer, ControlAnswer(first.answer.token, False, self._unrecorded(first.act)))
            else:
                return
            owed.popleft()

    def next_deadline_ns(self) -> int | None:
        """When whoever waits longest is told that the log has not taken it, in boot time."""
        return self._owed[0].due_boot_ns if self._owed else None

    def _unrecorded(self, act: str) -> str:
        return (
            f"{act}: the journal has not confirmed its record. It may hold already, and is lost if {self._owner} ends "
            "before the journal has it: look at `fixring status`, then ask again"
        )

    def _send(self, peer: bytes, answer: ControlAnswer) -> None:
        self._core.effects.append(Send("control", answer, peer))

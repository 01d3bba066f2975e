"""What a person may have an actor do: each act is a word with arguments of a type of its own, answered in one way.

An act that there is not, arguments that do not decode, a key that the act does not have, and an act that cannot be done
now are answered with why, and nothing has changed then. A kill is never refused for what is written beside it.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, NamedTuple

import msgspec

from common.instant import Instant
from common.messages import STRATEGY_NAME, UNDECODABLE, ControlAnswer, ControlRequest, Number


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
    """What the person is told of an act that was done; `detail` is a JSON document."""

    text: str
    detail: bytes = b"{}"


class ControlAct(NamedTuple):
    """One act. `arguments` is the type that they decode to; `do` is given them, the person and the time, and raises
    Cannot.
    """

    arguments: type[Any]
    do: Callable[[Any, str, Instant], str | Done]


def do_act(owner: str, acts: Mapping[str, ControlAct], request: ControlRequest, now: Instant) -> ControlAnswer:
    """Do what a person asks of the actor `owner`, one of its `acts`, and return the answer."""
    try:
        done = _do(owner, acts, request, now)
    except Cannot as why:
        return ControlAnswer(request.token, False, str(why))
    text, detail = (done, b"{}") if isinstance(done, str) else done
    return ControlAnswer(request.token, True, text, detail)


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

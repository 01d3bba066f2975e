"""Invariant: what a person asks of an actor is done, or answered with why not, and then nothing has changed."""

from collections.abc import Iterator

import pytest

from common.actor.acts import (
    Cannot,
    Confirmed,
    ControlAct,
    Done,
    NoArguments,
    SkipArguments,
    WhateverIsSaid,
    do_act,
)
from common.instant import Instant
from common.messages import ControlRequest

NOW = Instant(1, 1)
done: list[str] = []


@pytest.fixture(autouse=True)
def nothing_done() -> Iterator[None]:
    done.clear()
    yield


def kill(_: WhateverIsSaid, by: str, now: Instant) -> str:
    done.append(f"kill by {by}")
    return "latched"


def resume(arguments: Confirmed, by: str, now: Instant) -> str:
    if not arguments.confirm:
        raise Cannot("confirm it")
    done.append("resume")
    return "resumed"


def check(_: NoArguments, by: str, now: Instant) -> Done:
    return Done("passed", b'{"room":1}')


def skip(arguments: SkipArguments, by: str, now: Instant) -> str:
    done.append(f"skip {arguments.lsn}")
    return "skipped"


ACTS = {
    "kill": ControlAct(WhateverIsSaid, kill), "resume": ControlAct(Confirmed, resume),
    "check": ControlAct(NoArguments, check), "skip": ControlAct(SkipArguments, skip),
}  # fmt: skip


def test_an_act_is_done_and_its_answer_bears_the_request_s_token() -> None:
    answer = do_act("risk", ACTS, ControlRequest("resume", b'{"confirm": true}', "ann", 7), NOW)
    assert (answer.token, answer.ok, answer.text, answer.detail, done) == (7, True, "resumed", b"{}", ["resume"])
    answer = do_act("risk", ACTS, ControlRequest("check"), NOW)
    assert (answer.ok, answer.text, answer.detail) == (True, "passed", b'{"room":1}')


@pytest.mark.parametrize(
    ("act", "arguments", "why"),
    [
        ("dance", b"{}", "risk has no act 'dance'; it has check, kill, resume, skip, status"),
        ("resume", b"{}", "confirm it"),
        ("resume", b'{"confirm": true, "by": "ann"}', "unknown field `by`"),
        ("resume", b'{"confirm": 1}', "resume: its arguments do not decode"),
        ("check", b'{"x": 1}', "unknown field `x`"),
        ("check", b"[]", "do not decode"),
        ("check", b'{"\xff', "do not decode"),
        ("check", b"[" * 100_000, "do not decode"),
        ("skip", b"{}", "missing required field `lsn`"),
        ("skip", b'{"lsn": 0}', ">= 1"),
    ],
)
def test_what_cannot_be_done_is_answered_with_why_and_changes_nothing(act: str, arguments: bytes, why: str) -> None:
    answer = do_act("risk", ACTS, ControlRequest(act, arguments), NOW)
    assert not answer.ok and why in answer.text and not done


@pytest.mark.parametrize("beside", [b"{}", b'{"text": "a crash loop"}', b"", b"\xff", b"[" * 100_000])
def test_a_kill_is_done_whatever_is_written_beside_it(beside: bytes) -> None:
    assert do_act("risk", ACTS, ControlRequest("kill", beside, "ann"), NOW).ok
    assert done == ["kill by ann"]

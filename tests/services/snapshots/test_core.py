"""A round begins when the log has grown, takes each program once, and ends with what may be dropped."""

import msgspec
import orjson
import pytest

from common.actor.core import Call, Effect, Note, Send
from common.actor.programs import ProgramEnded, RunProgram
from common.actor.snapshots import Made
from common.instant import NS_PER_S, Instant
from common.messages import ControlAnswer, ControlRequest
from services.snapshots.core import SURVEY, Program, SnapshotsCore, SnapshotsSettings, Survey

ORDERS, SESSION = RunProgram("orders.program"), RunProgram("session.program", ("--venue", "a"))
SETTINGS = SnapshotsSettings((Program("orders", ORDERS), Program("session@a", SESSION)), 100, 5000)


class Stack:
    """The core with a journal and a worker that the test plays."""

    def __init__(self) -> None:
        self.core = SnapshotsCore(SETTINGS)
        self.now = Instant(1_800_000_000 * NS_PER_S, 7 * NS_PER_S)
        self.core.started(self.now)

    def take(self) -> list[Effect]:
        effects, self.core.effects = self.core.effects, []
        return [effect for effect in effects if not isinstance(effect, Note)]

    def second(self, lsn: int, writers: tuple[str, ...] = ("orders", "session@a")) -> list[Effect]:
        """A second later the journal is at `lsn`."""
        self.now = Instant(self.now.wall_ns + NS_PER_S, self.now.boot_ns + NS_PER_S)
        self.core.timer(self.now)
        assert Send("journal", ControlRequest("status", by="snapshots")) in self.take()
        detail = orjson.dumps({"durable_lsn": lsn, "writers": dict.fromkeys(writers, {})})
        self.core.received("journal", b"", ControlAnswer(0, True, detail=detail), self.now)
        return self.take()

    def ended(self, text: str, *, ok: bool = True) -> list[Effect]:
        self.core.call_finished(1, ProgramEnded(ok, text), self.now)
        return self.take()

    def made(self, lsn: int, *loads: int) -> list[Effect]:
        return self.ended(msgspec.json.encode(Made(lsn, list(loads))).decode())

    def surveyed(self, **newest: int) -> list[Effect]:
        return self.ended(msgspec.json.encode(Survey(newest, 1, "orders", [])).decode())


def ran(effects: list[Effect]) -> list[RunProgram]:
    programs = [effect.argument for effect in effects if isinstance(effect, Call)]
    assert all(isinstance(program, RunProgram) for program in programs)
    return programs  # type: ignore[return-value]


def test_the_first_thing_is_a_look_at_what_is_there() -> None:
    (program,) = ran(Stack().second(10))
    names = ("--name", "orders", "--name", "session@a")
    programs = ("--program", "orders", "--program", "session@a")
    assert program == RunProgram(SURVEY, (*names, *programs, "--retention-bytes", "5000"))


def test_a_round_takes_each_program_in_turn_and_looks_again() -> None:
    stack = Stack()
    stack.second(10)
    assert not stack.surveyed()
    assert not stack.second(99)
    assert ran(stack.second(100)) == [ORDERS]
    assert not stack.second(150), "one at a time"
    assert ran(stack.made(100)) == [SESSION]
    assert ran(stack.made(120))[0].module == SURVEY
    assert not stack.surveyed(**{"orders": 100, "session@a": 120})
    assert stack.core.status(stack.now)["lsn"] == 100
    assert not stack.second(199)
    assert ran(stack.second(200)) == [ORDERS]


def test_a_restarted_process_goes_on_from_the_snapshots_that_are_there() -> None:
    stack = Stack()
    stack.second(1000)
    stack.surveyed(**{"orders": 950, "session@a": 940})
    assert not stack.second(1039)
    assert ran(stack.second(1040)) == [ORDERS]


def test_one_actor_s_failure_keeps_no_other_from_its_snapshot() -> None:
    stack = Stack()
    stack.second(10)
    stack.surveyed()
    stack.second(100)
    assert ran(stack.ended("the state differs", ok=False)) == [SESSION]
    assert stack.core.status(stack.now)["last"] == {"orders": {"ok": False, "text": "the state differs", "loads": []}}


def test_a_session_that_is_not_configured_now_keeps_what_it_needs() -> None:
    (program,) = ran(Stack().second(10, ("orders", "session@a", "session@old", "account@a")))
    assert "session@old" in program.arguments and "account@a" not in program.arguments


def test_segments_are_dropped_one_at_a_time() -> None:
    stack = Stack()
    stack.second(10)
    survey = Survey({"orders": 9, "session@a": 9}, 10, "orders", [4, 8])
    first = stack.ended(msgspec.json.encode(survey).decode())
    assert first == [Send("journal", ControlRequest("drop", b'{"below":4}', "snapshots", 4))]
    stack.core.received("journal", b"", ControlAnswer(4, True, "dropped one"), stack.now)
    assert stack.take() == [Send("journal", ControlRequest("drop", b'{"below":8}', "snapshots", 8))]
    stack.core.received("journal", b"", ControlAnswer(8, True, "dropped one"), stack.now)
    assert not stack.take()
    assert stack.core.status(stack.now)["dropped_segments"] == 2


def test_a_refused_drop_is_left_for_the_next_survey() -> None:
    stack = Stack()
    stack.second(10)
    stack.ended(msgspec.json.encode(Survey({}, 10, "orders", [4, 8])).decode())
    stack.core.received("journal", b"", ControlAnswer(4, False, "not durable"), stack.now)
    assert not stack.take()


def test_a_survey_that_fails_is_made_again_after_the_next_round() -> None:
    stack = Stack()
    stack.second(10)
    assert not stack.ended("the disk", ok=False)
    assert not stack.second(20)
    assert ran(stack.second(110)) == [ORDERS]


@pytest.mark.parametrize("act", ["drop", "kill"])
def test_other_requests_are_answered_no(act: str) -> None:
    stack = Stack()
    stack.take()
    stack.core.received("control", b"p", ControlRequest(act, token=5), stack.now)
    (answer,) = stack.take()
    assert isinstance(answer, Send) and answer.peer == b"p" and not answer.message.ok  # type: ignore[attr-defined]


def test_the_survey_is_told_which_snapshots_load_and_of_a_program_that_failed_none() -> None:
    stack = Stack()
    stack.second(10)
    stack.surveyed()
    stack.second(100)
    stack.made(100, 100, 10)
    (program,) = ran(stack.made(90, 90))
    told = ["--program", "orders", "--loads", "orders", "100", "--loads", "orders", "10"]
    told += ["--program", "session@a", "--loads", "session@a", "90"]
    assert list(program.arguments[4:-2]) == told
    stack.surveyed(**{"orders": 100, "session@a": 90})
    stack.second(200)
    stack.ended("its form is another one", ok=False)
    (program,) = ran(stack.made(200, 200, 90))
    assert program.arguments[4:8] == ("--program", "orders", "--program", "session@a")

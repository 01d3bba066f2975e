"""A real supervisor with real children: they come back, they cannot outlive it, and they end in order."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from common.actor.control import NoAnswer, NotRunning, Refused, ask

PATIENCE_S = 20.0
CONNECTED = "03"
"""The state of a connected socket in /proc/net/unix."""


class Line:
    """One Procfile line as a process, with what it printed in a file."""

    def __init__(self, var: Path, kind: str, *names: str, environ: Mapping[str, str] = {}) -> None:  # noqa: B006 (read only)
        self.var = var
        self.kind = kind
        self.output = var / f"{kind}.out"
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "tests.services.supervisor.stand_in", kind, *names],
                env={**os.environ, "FIXRING_VAR": str(var), **environ},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def said(self, text: str) -> bool:
        """Whether `text` was printed."""
        return text in self.output.read_text()

    def up(self) -> bool:
        """Whether the supervisor itself answers."""
        try:
            return ask(self.var / "run", f"supervisor-{self.kind}", "status")["pid"] == self.process.pid
        except (NotRunning, NoAnswer):
            return False

    def actors(self) -> dict[str, dict[str, object]]:
        """The children as the supervisor tells them; empty while it does not answer."""
        try:
            answer = ask(self.var / "run", f"supervisor-{self.kind}", "status")["actors"]
        except (NotRunning, NoAnswer):
            return {}
        assert isinstance(answer, dict)
        return answer

    def pid(self, name: str) -> int:
        """The child's process, once it serves."""
        until(lambda: self.actors().get(name, {}).get("phase") == "serving", self)
        pid = self.actors()[name]["pid"]
        assert isinstance(pid, int)
        return pid


def until(condition: Callable[[], bool], line: Line) -> None:
    """Wait for what another process does; on failure show what it said."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, line.output.read_text()
        time.sleep(0.01)


def told_pid(run_folder: Path, name: str) -> object:
    """The process that answers under the name; 0 while none does."""
    try:
        return ask(run_folder, name, "status")["pid"]
    except (NotRunning, NoAnswer):
        return 0


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def start(short_folder: Path) -> Iterator[Callable[..., Line]]:
    """Starts lines, and ends those that a failed test left."""
    lines: list[Line] = []

    def begin(kind: str, *names: str, environ: Mapping[str, str] = {}) -> Line:  # noqa: B006 (read only)
        lines.append(Line(short_folder, kind, *names, environ=environ))
        return lines[-1]

    yield begin
    for line in lines:
        line.process.kill()
        line.process.wait()


def test_a_killed_child_comes_back_and_the_stop_leaves_nothing(start: Callable[..., Line]) -> None:
    line = start("sessions", "session@a", "session@b")
    first, other = line.pid("session@a"), line.pid("session@b")
    os.kill(first, signal.SIGKILL)
    until(lambda: line.actors()["session@a"]["restarts"] == 1, line)
    second = line.pid("session@a")
    assert second != first
    assert line.pid("session@b") == other
    assert line.said("session@a: killed by SIGKILL")
    line.process.send_signal(signal.SIGTERM)
    assert line.process.wait(PATIENCE_S) == 0
    assert not alive(second)
    assert not alive(other)


def test_children_die_with_a_supervisor_that_is_killed(start: Callable[..., Line]) -> None:
    line = start("risk", "risk")
    pid = line.pid("risk")
    line.process.kill()
    line.process.wait()
    until(lambda: not alive(pid), line)
    assert start("risk", "risk").pid("risk") != pid


def test_a_session_is_told_to_stop_when_its_supervisor_is_killed(start: Callable[..., Line]) -> None:
    line = start("sessions", "session@a")
    first = line.pid("session@a")
    line.process.kill()
    line.process.wait()
    until(lambda: not alive(first), line)
    assert '"event":"exit"' in (line.var / "log" / "session@a.jsonl").read_text().replace(" ", "")


def test_a_child_that_dies_before_its_turn_is_started_all_the_same(start: Callable[..., Line]) -> None:
    line = start("sessions", "session@a", "session@b=1500")
    until(lambda: len(children(line)) == 2, line)
    waiting = children(line)[1]
    os.kill(waiting, signal.SIGKILL)
    assert not (line.var / "given.session@b").exists()
    until(lambda: line.said("session@b: cannot be started"), line)
    assert line.pid("session@b") in children(line)
    assert waiting not in children(line)


def test_a_child_that_never_had_its_turn_does_not_outlive_the_stop(start: Callable[..., Line]) -> None:
    line = start("sessions", "session@a", "session@b=600000")
    line.pid("session@a")
    left = children(line)
    assert len(left) == 2
    line.process.send_signal(signal.SIGTERM)
    assert line.process.wait(PATIENCE_S) == 0
    assert not any(alive(pid) for pid in left)


def test_a_first_life_has_what_a_later_one_has(start: Callable[..., Line]) -> None:
    line = start("sessions", "session@a", "session@b")
    line.pid("session@b")
    first = life(line, "session@a")
    os.kill(line.pid("session@a"), signal.SIGKILL)
    until(lambda: line.actors()["session@a"]["restarts"] == 1, line)
    assert life(line, "session@a") == first


def life(line: Line, name: str) -> tuple[str, list[str], bool]:
    """What the child was given, what it has open, and whether it leads a session of its own."""
    pid = line.pid(name)
    return (line.var / f"given.{name}").read_text(), open_files(pid), os.getsid(pid) == pid


def children(line: Line) -> list[int]:
    """Its processes, in the order in which it made them."""
    pid = line.process.pid
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def open_files(pid: int) -> list[str]:
    """What its descriptors lead to, those of nameless things by kind alone. A connection of somebody who asks it
    something is not its own, and may end a moment later than that one says.
    """
    links = [os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()]
    own = set(links) - accepted()
    return sorted(link.partition("[")[0] for link in links if link in own and "session@" not in link)


def accepted() -> set[str]:
    """The sockets of this machine that were made by a connection to a control link."""
    rows = [row.split() for row in Path("/proc/net/unix").read_text().splitlines()[1:]]
    return {f"socket:[{row[6]}]" for row in rows if row[5] == CONNECTED and "/control." in row[-1]}


def test_a_line_without_actors_waits_for_its_end_all_the_same(start: Callable[..., Line]) -> None:
    line = start("strategies")
    until(line.up, line)
    line.process.send_signal(signal.SIGTERM)
    assert line.process.wait(PATIENCE_S) == 0


def test_a_line_whose_honcho_ended_while_it_loaded_starts_nothing(
    start: Callable[..., Line], short_folder: Path
) -> None:
    line = start("sessions", "session@a", environ={"HONCHO_PROCESS_NAME": "sessions"})
    assert line.process.wait(PATIENCE_S) != 0
    assert line.said("honcho is gone, nothing is started")
    assert not (short_folder / "given.session@a").exists()


def test_a_run_folder_that_was_removed_is_made_anew(start: Callable[..., Line], short_folder: Path) -> None:
    line = start("sessions", "session@a")
    first = line.pid("session@a")
    shutil.rmtree(short_folder / "run")
    with pytest.raises(NotRunning):
        ask(short_folder / "run", "session@a", "status")
    until(lambda: line.up() and line.pid("session@a") != first, line)
    until(lambda: told_pid(short_folder / "run", "session@a") == line.pid("session@a"), line)
    line.process.send_signal(signal.SIGTERM)
    assert line.process.wait(PATIENCE_S) == 0


def test_a_stopped_child_does_not_hold_up_the_end(start: Callable[..., Line]) -> None:
    line = start("journal", "journal")
    os.kill(line.pid("journal"), signal.SIGSTOP)
    began = time.monotonic()
    line.process.send_signal(signal.SIGTERM)
    assert line.process.wait(PATIENCE_S) == 0
    assert time.monotonic() - began < 4.5
    assert line.said("journal: did not stop in time, killed")


def test_children_killed_in_the_moment_of_the_stop_do_not_keep_it_from_ending(start: Callable[..., Line]) -> None:
    line = start("strategies", "a", "b")
    children = [line.pid(name) for name in ("a", "b")]
    # All of it waits for the supervisor when it goes on: two children dead, and the word to stop.
    line.process.send_signal(signal.SIGSTOP)
    for pid in children:
        os.kill(pid, signal.SIGKILL)
    line.process.send_signal(signal.SIGTERM)
    line.process.send_signal(signal.SIGCONT)
    assert line.process.wait(PATIENCE_S) == 0, line.output.read_text()


def test_kinds_stop_one_after_the_other(start: Callable[..., Line]) -> None:
    journal, risk = start("journal", "journal"), start("risk", "risk")
    kept, first = journal.pid("journal"), risk.pid("risk")
    os.kill(first, signal.SIGSTOP)
    for line in (journal, risk):
        line.process.send_signal(signal.SIGTERM)
    until(lambda: not alive(first), risk)
    assert risk.process.wait(PATIENCE_S) == 0
    assert journal.process.wait(PATIENCE_S) == 0
    assert not alive(kept)
    assert not journal.said("killed")


def test_a_journal_that_refuses_stops_trading_until_it_is_started_by_hand(
    start: Callable[..., Line], short_folder: Path
) -> None:
    (short_folder / "statuses.journal").write_text("7")
    risk = start("risk", "risk")
    pid = risk.pid("risk")
    journal = start("journal", "journal")
    until(lambda: journal.said("the kill switch latched"), journal)
    until(lambda: not alive(pid), risk)
    assert journal.actors()["journal"]["phase"] == "refused"
    ask(short_folder / "run", "supervisor-journal", "start", {"name": "journal"})
    journal.pid("journal")
    assert risk.pid("risk") != pid
    with pytest.raises(Refused, match="only a halted"):
        ask(short_folder / "run", "supervisor-journal", "start", {"name": "journal"})


def test_a_child_with_a_wrong_configuration_is_halted_and_the_other_lives(
    start: Callable[..., Line], short_folder: Path
) -> None:
    (short_folder / "statuses.account@a").write_text("3")
    line = start("accounts", "account@a", "account@b")
    line.pid("account@b")
    until(lambda: line.actors()["account@a"]["phase"] == "halted", line)
    assert line.said("account@a: HALTED: exit status 3 (configuration)")

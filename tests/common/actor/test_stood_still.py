"""Invariant: where another host may take over, a process that stood still puts no byte more on a connection from
before, wherever in its turn it stood.
"""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.actor import shell as shell_module
from common.actor.core import STOOD_STILL_NS, Core, Write
from common.actor.logs import ActorLog
from common.actor.shell import Shell
from common.actor.tcp import Connection, Phase
from common.instant import NS_PER_MS, Instant


class Talker(Core):
    """It has something to write in every turn."""

    def __init__(self) -> None:
        super().__init__("talker")
        self.told: list[str] = []
        self.stalls_in_turn_ns = 0
        self.clock: Clock

    def timer(self, now: Instant) -> None:
        if not self.told:
            self.effects.append(Write(7, b"a byte"))
        self.clock.boot_ns += self.stalls_in_turn_ns

    def next_deadline_ns(self) -> int:
        return 1

    def stood_still(self, now: Instant) -> None:
        self.told.append("stood still")

    def closed(self, connection: int, text: str, now: Instant) -> None:
        self.told.append(f"{connection} closed")


class Clock:
    """The time, as the shell reads it."""

    def __init__(self) -> None:
        self.boot_ns = 1_000 * NS_PER_MS

    def __call__(self) -> Instant:
        self.boot_ns += NS_PER_MS
        return Instant(self.boot_ns, self.boot_ns)


class Scene:
    """A shell, its core, the clock, and the far end of its connection."""

    def __init__(self, shell: Shell, core: Talker, clock: Clock, far: socket.socket) -> None:
        self.shell, self.core, self.clock, self.far = shell, core, clock, far

    def heard(self) -> bytes | None:
        """What the far end has: None while nothing came, b"" for the end."""
        try:
            return self.far.recv(100)
        except BlockingIOError:
            return None


@pytest.fixture
def scene(short_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    clock, core = Clock(), Talker()
    core.clock = clock
    monkeypatch.setattr(shell_module, "read_clocks", clock)
    monkeypatch.setattr("time.clock_gettime_ns", lambda _: clock.boot_ns)
    shell = Shell(core, short_folder, ActorLog(short_folder, "talker", "error", 1 << 20, 1))
    near, far = socket.socketpair()
    for end in (near, far):
        end.setblocking(False)
    shell._adopt(Connection(7, near, Phase.OPEN))
    yield Scene(shell, core, clock, far)
    shell._close_all()
    for end in (far, shell._wake, shell._waker):
        end.close()


def test_a_turn_as_ever_writes(scene: Scene) -> None:
    scene.shell.end_what_stood_still()
    scene.shell._turn()
    assert scene.heard() == b"a byte" and not scene.core.told


def test_after_standing_still_between_turns_the_connection_ends_without_a_byte(scene: Scene) -> None:
    scene.shell.end_what_stood_still()
    scene.clock.boot_ns += STOOD_STILL_NS
    scene.shell._turn()
    assert scene.heard() == b"" and scene.core.told == ["7 closed", "stood still"]


def test_after_standing_still_inside_a_turn_what_it_was_to_write_is_not_written(scene: Scene) -> None:
    scene.shell.end_what_stood_still()
    scene.core.stalls_in_turn_ns = STOOD_STILL_NS
    scene.shell._turn()
    assert scene.heard() == b"" and scene.core.told == ["7 closed", "stood still"]


def test_where_no_other_host_may_take_over_it_writes_and_is_told_all_the_same(scene: Scene) -> None:
    scene.clock.boot_ns += STOOD_STILL_NS
    scene.shell._turn()
    assert scene.heard() is None and scene.core.told == ["stood still"]
    scene.core.told.clear()
    scene.shell._turn()
    assert scene.heard() == b"a byte"

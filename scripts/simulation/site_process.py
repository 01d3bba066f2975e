"""A process on a host that others may take over from: it is stopped in the middle of a turn, and finds out as a shell
does that it stood still.

Stopped between two of a turn's effects it carries out the rest when it goes on. As in `common.actor.shell`, a session
looks at its clock again before each write: what is too late, or comes after it stood still, is not written.
"""

from collections import deque
from collections.abc import Callable, Iterable
from random import Random
from typing import NamedTuple

from common.actor.core import STOOD_STILL_NS, Core, Effect, Publish, Send, Write
from common.actor.sends import Sends
from common.actor.shell import LONGEST_POLL_MS
from common.instant import NS_PER_MS, Instant
from scripts.simulation.process import Binding, Killed, Process, Surroundings
from scripts.simulation.scheduler import HostClock

SEEN = (Write, Send, Publish)
"""What others get to see of a process."""


class _Left(NamedTuple):
    """What a stopped turn has yet to do: it began at `began`."""

    sends: Sends
    effects: deque[Effect]
    began: Instant


class SiteProcess(Process):
    """See the module. `stops_before` counts down to the effect that others would see before which it is stopped."""

    def __init__(
        self, world: Surroundings, name: str, clock: HostClock, random: Random, build: Callable[[Process], Core],
        bindings: Iterable[Binding],
    ) -> None:  # fmt: skip
        """See `Process`."""
        super().__init__(world, name, clock, random, build, bindings)
        self.stops_before: int | None = None
        self.is_stopped = False
        self._left: _Left | None = None
        self._awake_ns: int | None = None
        self._late: set[int] = set()

    @property
    def _is_session(self) -> bool:
        return self.name.startswith("session@")

    def start(self) -> None:
        """See `Process`."""
        if not self.alive:
            self._left = self._awake_ns = self.stops_before = None
            self.is_stopped = False
        super().start()

    def pause(self, for_ns: int) -> None:
        """See `Process`. By when it would have woken by itself is known from now."""
        if self._awake_ns is None and self.core is not None:
            now_ns = self.world.scheduler.now_ns
            deadline_ns = self.core.next_deadline_ns()
            latest_ns = now_ns + LONGEST_POLL_MS * NS_PER_MS
            due_ns = latest_ns if deadline_ns is None else min(latest_ns, self.clock.scheduler_ns(deadline_ns))
            self._awake_ns = max(now_ns, due_ns)
        super().pause(for_ns)

    def wake(self) -> None:
        """See `Process`."""
        self.is_stopped = False
        self.stops_before = None
        super().wake()
        if self._left is not None:
            self._plan(self.world.scheduler.now_ns)

    # ---- turns

    def _step(self, now: Instant) -> None:
        if self._left is not None:
            return
        awake_ns, self._awake_ns = self._awake_ns, None
        if awake_ns is not None and self.world.scheduler.now_ns - awake_ns >= STOOD_STILL_NS:
            self._stood_still(now)
        super()._step(now)

    def _stood_still(self, now: Instant) -> None:
        """As the shell: a session's connections end before anything is written."""
        core = self.core
        assert core is not None
        if self._is_session:
            for connection, stream in list(self.streams.items()):
                del self.streams[connection]
                stream.close(self)
                core.closed(connection, "this process stood still", now)
        core.stood_still(now)

    def _settle(self, now: Instant) -> None:
        core, left = self.core, self._left
        if core is None:
            return
        self._left = None
        if left is None:
            self._late.clear()
            left = _Left(Sends(core, self._send), deque(), now)
            core.turn_ended(now)
        sends, effects, began = left
        while effects or core.effects:
            if not effects:
                effects.extend(core.effects)
                core.effects = []
                sends.begin_pass()
            while effects:
                if self._is_stopped_before(effects[0]):
                    self._left = _Left(sends, effects, began)
                    self._awake_ns = self.world.scheduler.now_ns
                    return
                self._count_effect()
                self._carry_out(core, effects.popleft(), sends, began)
            core.turn_ended(began)

    def _count_effect(self) -> None:
        if self.effects_left is not None:
            self.effects_left -= 1
            if self.effects_left < 0:
                raise Killed("between two effects")

    def _is_stopped_before(self, effect: Effect) -> bool:
        if self.stops_before is None or not isinstance(effect, Write if self._is_session else SEEN):
            return False
        self.stops_before -= 1
        if self.stops_before >= 0:
            return False
        self.stops_before, self.is_stopped = None, True
        return True

    def _plan(self, at_ns: int) -> None:
        if not self.is_stopped:
            super()._plan(at_ns)

    def _write(self, core: Core, effect: Write, now: Instant) -> None:
        """As the shell: not what is too late, and nothing behind it, and nothing once the process stood still."""
        if effect.connection not in self.streams:
            return
        then = self.clock.read()
        if self._is_session and then.boot_ns - now.boot_ns >= STOOD_STILL_NS:
            self._awake_ns = None
            self._stood_still(then)
        elif effect.connection in self._late or 0 < effect.by_boot_ns < then.boot_ns:
            self._late.add(effect.connection)
            core.unwritten(effect.connection, [effect], then)
        else:
            super()._write(core, effect, now)

"""What the processes have answered: the newest answer of each, how old it is, and what of it has grown lately.

Silence is never an answer: what was heard longer ago than `FRESH_POLLS` polls is not shown to anybody.
"""

from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from common.instant import NS_PER_S, Instant
from common.orders.money import Held

FRESH_POLLS: Final = 2
SLACK_NS: Final = NS_PER_S
SUPERVISOR: Final = "supervisor-"

Status = Mapping[str, Any]


class Heard(NamedTuple):
    """An answer, and when it came in boot time."""

    status: Status
    boot_ns: int


class Growth:
    """By how much counts have grown within a time. One that has fallen began again from zero."""

    def __init__(self, window_ns: int) -> None:
        """Nothing was counted yet."""
        self._window_ns = window_ns
        self._last: dict[str, int] = {}
        self._steps: dict[str, deque[tuple[int, int]]] = {}

    def count(self, name: str, total: int, boot_ns: int) -> int:
        """Take the count as it is now, and return by how much it has grown within the window."""
        last = self._last.get(name, total)
        self._last[name] = total
        steps = self._steps.setdefault(name, deque())
        grown = total - last if total >= last else total
        if grown:
            steps.append((boot_ns, grown))
        while steps and steps[0][0] <= boot_ns - self._window_ns:
            steps.popleft()
        return sum(step for _, step in steps)

    @property
    def totals(self) -> Mapping[str, int]:
        """The counts as they were last."""
        return self._last

    def begin_at(self, totals: Mapping[str, int]) -> None:
        """These counts were seen before."""
        self._last.update(totals)


class Picture:
    """See the module. `names` are the actors and supervisors that are asked, `owners` the supervisors of those actors.

    A supervisor's word on who its actors are counts for more than the configuration, which may have changed since it
    began: who comes to it is asked from then on, and who has left it no more.
    """

    def __init__(self, names: Sequence[str], poll_ns: int, owners: Mapping[str, str] = MappingProxyType({})) -> None:
        """Nobody has answered yet."""
        self.fresh_ns = FRESH_POLLS * poll_ns + SLACK_NS
        self._owners = dict(owners)
        self._since_boot_ns = dict.fromkeys(names, 0)
        self._heard: dict[str, Heard] = {}
        self._held: tuple[Held, int] | None = None

    @property
    def names(self) -> Collection[str]:
        """Who is asked."""
        return self._since_boot_ns.keys()

    def begin(self, now: Instant) -> None:
        """From now on everybody is to answer."""
        self._since_boot_ns = dict.fromkeys(self._since_boot_ns, now.boot_ns)

    def hear(self, name: str, status: Status, now: Instant) -> None:
        """An answer to "status"."""
        if name in self._since_boot_ns:
            self._heard[name] = Heard(status, now.boot_ns)

    def follow_supervisors(self, but: str, now: Instant) -> None:
        """Ask whom the supervisors that answer have as their actors, and nobody of theirs besides; never `but`."""
        told = {name: supervisor for name, supervisor, _ in self.children(now) if name != but}
        for name in told.keys() - self._since_boot_ns.keys():
            self._since_boot_ns[name] = now.boot_ns
        answering = {name for name in self.names if name.startswith(SUPERVISOR) and self.find(name, now) is not None}
        for name in [name for name, owner in self._owners.items() if owner in answering and name not in told]:
            del self._owners[name]
            del self._since_boot_ns[name]
            self._heard.pop(name, None)
        self._owners.update(told)

    def hear_money(self, held: Held, now: Instant) -> None:
        """An answer to "money"."""
        self._held = (held, now.boot_ns)

    def find(self, name: str, now: Instant) -> Status | None:
        """What it says of itself now; None while it is silent."""
        heard = self._heard.get(name)
        return None if heard is None or now.boot_ns - heard.boot_ns > self.fresh_ns else heard.status

    def held(self, now: Instant, within_ns: int) -> Held | None:
        """What is held, as orders told it within that time."""
        return None if self._held is None or now.boot_ns - self._held[1] > within_ns else self._held[0]

    def age_ns(self, name: str, now: Instant) -> int:
        """Since its last answer; since it was first to answer where there was none."""
        heard = self._heard.get(name)
        return now.boot_ns - (self._since_boot_ns.get(name, now.boot_ns) if heard is None else heard.boot_ns)

    def of_kind(self, kind: str, now: Instant) -> Iterator[tuple[str, Status]]:
        """Those that answer of the actors called `kind` or `kind@...`, with what they say."""
        for name in self.names:
            if name.partition("@")[0] == kind and (status := self.find(name, now)) is not None:
                yield name, status

    def actors(self) -> list[str]:
        """The actors that are asked."""
        return [name for name in self.names if not name.startswith(SUPERVISOR)]

    def answering(self, now: Instant) -> dict[str, Status]:
        """Every actor that answers, with what it says."""
        return {name: status for name in self.actors() if (status := self.find(name, now)) is not None}

    def silent(self, now: Instant) -> list[str]:
        """Those that do not answer."""
        return [name for name in self.names if self.find(name, now) is None]

    def children(self, now: Instant) -> Iterator[tuple[str, str, Status]]:
        """Each actor that some supervisor tells of, with the supervisor's name and what it says."""
        for supervisor in self.names:
            if supervisor.startswith(SUPERVISOR):
                status = self.find(supervisor, now) or {}
                for name, child in status.get("actors", {}).items():
                    yield name, supervisor, child

"""The silences: which alerts nobody is to be told of, and until when. Pure.

A silence is of a rule, and of one subject or all. Another one of the same takes its place. It ends by itself, and is
kept by its time left, so that a clock that is set back makes none of them longer.
"""

from typing import Final, NamedTuple

from common.alerts import Silence
from common.instant import Instant

MAX_SILENCES: Final = 100

Key = tuple[str, str]
"""A rule's name and a subject."""


class _Held(NamedTuple):
    silence: Silence
    end_boot_ns: int


class Silences:
    """See the module."""

    def __init__(self) -> None:
        """Nothing is silenced."""
        self._held: dict[Key, _Held] = {}

    @property
    def is_full(self) -> bool:
        """Whether no further one can be kept."""
        return len(self._held) >= MAX_SILENCES

    def begin(self, silence: Silence, now: Instant) -> None:
        """The silence holds from now on, in place of one of the same rule and subject; also one of a former life, which
        lasts no longer than it was to where the clock was set back meanwhile.
        """
        left_ns = min(max(0, silence.until_ns - now.wall_ns), silence.until_ns - silence.since_ns)
        self._held[silence.rule, silence.subject] = _Held(silence, now.boot_ns + left_ns)

    def end(self, rule: str, subject: str) -> Silence | None:
        """End it by hand. Returns it; None where there is none of exactly that rule and subject."""
        held = self._held.pop((rule, subject), None)
        return None if held is None else held.silence

    def take_ended(self, now: Instant) -> list[Silence]:
        """Those whose time is over; they hold no more."""
        ended = [key for key, held in self._held.items() if held.end_boot_ns <= now.boot_ns]
        return [self._held.pop(key).silence for key in ended]

    def find(self, rule: str, subject: str) -> Silence | None:
        """The silence that keeps such an alert quiet; of two the one that ends later."""
        found = [held for key in ((rule, subject), (rule, "")) if (held := self._held.get(key)) is not None]
        return max(found, key=lambda held: held.end_boot_ns).silence if found else None

    def all(self) -> list[Silence]:
        """Those that hold, the one that ends next first."""
        return [held.silence for held in sorted(self._held.values(), key=lambda held: held.end_boot_ns)]

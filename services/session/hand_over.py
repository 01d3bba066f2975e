"""How far emergency files were handed to the journal, told by the log itself.

A hand-over is framed by two records of the session: one names the file and the record it begins with, the other says
that it is complete. Whatever the session wrote between them, in the same epoch, are the file's records in order.
"""

import re

from common.messages import Payload, SessionChanged

_HAND_OVER = "emergency file "
_FROM = "from record "
# The whole text, as `begins` and `complete` make it: anything else is what somebody wrote to be read.
_FRAME = re.compile(r"emergency file (?P<name>\S+) (?:complete|from record (?P<first>[1-9][0-9]{0,17}))")


def begins(name: str, done: int) -> str:
    """The text of the record before those of file `name`, of which `done` are in the log already."""
    return f"{_HAND_OVER}{name} {_FROM}{done + 1}"


def complete(name: str) -> str:
    """The text of the record behind the last one of file `name`."""
    return f"{_HAND_OVER}{name} complete"


class HandOvers:
    """By file: how many of its records the log holds, and which files it holds to their end."""

    def __init__(self) -> None:
        self.done: dict[str, int] = {}
        self.whole: set[str] = set()
        self._under_way = ""

    def see(self, payload: Payload) -> bool:
        """Fold one of the session's records; whether it is a frame of a hand-over and nothing else."""
        frame = _FRAME.fullmatch(payload.text) if isinstance(payload, SessionChanged) else None
        if frame is not None:
            self._frame(frame["name"], frame["first"])
            return True
        if self._under_way:
            self.done[self._under_way] += 1
        return False

    @property
    def under_way(self) -> bool:
        """Whether the records that follow are a file's, and so of the past."""
        return bool(self._under_way)

    def new_epoch(self) -> None:
        """The session writes under another epoch from here on: a hand-over under way has ended where it stands."""
        self._under_way = ""

    def dump(self) -> tuple[list[tuple[str, int]], list[str], str]:
        """Everything folded, for a snapshot."""
        return list(self.done.items()), sorted(self.whole), self._under_way

    def load(self, done: list[tuple[str, int]], whole: list[str], under_way: str) -> None:
        """What `dump` gave."""
        self.done, self.whole, self._under_way = dict(done), set(whole), under_way

    def _frame(self, name: str, first: str | None) -> None:
        if first is None:
            self.whole.add(name)
            self._under_way = ""
        else:
            # Said in full, so that reading it twice counts it once.
            self.done[name] = int(first) - 1
            self._under_way = name

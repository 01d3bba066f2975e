"""How far emergency files were handed to the journal, told by the log itself.

A hand-over is framed by two records of the session: one names the file and the record it begins with, the other says
that it is complete. Whatever the session wrote between them, in the same epoch, are the file's records in order.

A log that was salvaged ends before what a file was begun behind. A third record, before the two, says which inbound
numbers stand in neither: the next connection goes on from the first of them, so that the venue tells them again.
"""

import re
from collections.abc import Iterable

from common.messages import Inbound, Payload, SessionChanged

_HAND_OVER = "emergency file "
_FROM = "from record "
# The whole text, as `begins` and `complete` make it: anything else is what somebody wrote to be read.
_FRAME = re.compile(r"emergency file (?P<name>\S+) (?:complete|from record (?P<first>[1-9][0-9]{0,17}))")
_LOST = re.compile(r"inbound (?P<first>[1-9][0-9]{0,17}) to [1-9][0-9]{0,17} not in the log, asked for again")


def begins(name: str, done: int) -> str:
    """The text of the record before those of file `name`, of which `done` are in the log already."""
    return f"{_HAND_OVER}{name} {_FROM}{done + 1}"


def complete(name: str) -> str:
    """The text of the record behind the last one of file `name`."""
    return f"{_HAND_OVER}{name} complete"


def lost(first: int, last: int) -> str:
    """The text of the record that says which inbound numbers neither the log nor a file holds."""
    return f"inbound {first} to {last} not in the log, asked for again"


def lost_inbound(generation: int, next_inbound: int, payloads: Iterable[Payload]) -> tuple[int, int] | None:
    """The first and the last inbound number that the log, which goes up to `next_inbound` of its `generation`, lacks
    before those of a file, and the file too; None where nothing is missing, or other numbers have begun.
    """
    begins, told = 0, set()
    for payload in payloads:
        if not isinstance(payload, SessionChanged | Inbound) or payload.generation != generation:
            continue
        begins = begins or (payload.msg_seq_num if isinstance(payload, Inbound) else payload.next_inbound)
        if isinstance(payload, Inbound):
            told.add(payload.msg_seq_num)
    missing = [number for number in range(next_inbound, begins) if number not in told]
    return (missing[0], missing[-1]) if missing else None


class HandOvers:
    """By file: how many of its records the log holds, and which files it holds to their end.

    `lost_from` is the first inbound number that was said to be lost, while a hand-over tells of later ones; 0 none.
    """

    def __init__(self) -> None:
        self.done: dict[str, int] = {}
        self.whole: set[str] = set()
        self.lost_from = 0
        self._under_way = ""

    def see(self, payload: Payload) -> bool:
        """Fold one of the session's records; whether it is a frame of a hand-over and nothing else."""
        if isinstance(payload, SessionChanged):
            if (frame := _FRAME.fullmatch(payload.text)) is not None:
                self._frame(frame["name"], frame["first"])
                return True
            if (said := _LOST.fullmatch(payload.text)) is not None:
                self.lost_from = int(said["first"])
                return True
        if self._under_way:
            self.done[self._under_way] += 1
        else:
            # The living session's own words again, which go on from there.
            self.lost_from = 0
        return False

    @property
    def under_way(self) -> bool:
        """Whether the records that follow are a file's, and so of the past."""
        return bool(self._under_way)

    def new_epoch(self) -> None:
        """The session writes under another epoch from here on: a hand-over under way has ended where it stands."""
        self._under_way = ""

    def dump(self) -> tuple[list[tuple[str, int]], list[str], str]:
        """Everything folded but `lost_from`, for a snapshot."""
        return list(self.done.items()), sorted(self.whole), self._under_way

    def load(self, done: list[tuple[str, int]], whole: list[str], under_way: str, lost_from: int) -> None:
        """What `dump` gave, and `lost_from`."""
        self.done, self.whole, self._under_way, self.lost_from = dict(done), set(whole), under_way, lost_from

    def _frame(self, name: str, first: str | None) -> None:
        if first is None:
            self.whole.add(name)
            self._under_way = ""
        else:
            # Said in full, so that reading it twice counts it once.
            self.done[name] = int(first) - 1
            self._under_way = name

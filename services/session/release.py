"""The outbound queue of one connection: numbers leave in order, and only what the journal has.

Theory of operation. A message that took a number is appended and waits here. The journal's acknowledgement clears it,
unless its stamp is later than the deadline: then the message is void, and a filler takes its place. What is known not
to have reached the socket can be withdrawn: a filler takes its place as well, or, with the connection gone, nothing
does. A number once put up for replacement is never released with its old content, even if the acknowledgement comes.
Later numbers wait.

The queue says what has to be done; appending, encoding and writing are its owner's.
"""

import enum
from collections import deque
from collections.abc import Iterator

from common.messages import LATE_NS, AmendOrder, CancelOrder, NewOrder, OpenGate, QueryOrder
from common.orders.outcome import is_void

SentCommand = NewOrder | AmendOrder | CancelOrder | QueryOrder


class Stage(enum.Enum):
    """Where a numbered message stands; the value is the sentence shown to people."""

    APPENDED = "the journal has not acknowledged it"
    CLEARED = "it may leave once everything before it has"
    REPLACED = "its filler waits for the journal"


class Step(enum.Enum):
    """What happens to a numbered message."""

    ACKNOWLEDGED = "the journal has it, stamped by its deadline"
    STAMPED_LATE = "the journal has it, stamped after its deadline"
    WITHDRAWN = "it will not be sent"


TRANSITIONS: dict[Stage, dict[Step, Stage]] = {
    Stage.APPENDED: {
        Step.ACKNOWLEDGED: Stage.CLEARED,
        Step.STAMPED_LATE: Stage.REPLACED,
        Step.WITHDRAWN: Stage.REPLACED,
    },
    Stage.CLEARED: {Step.WITHDRAWN: Stage.REPLACED},
    Stage.REPLACED: {Step.ACKNOWLEDGED: Stage.CLEARED},
}


class Numbered:
    """One message under its MsgSeqNum(34). `command` is None for administrative messages and fillers.

    `append_number` is the append whose acknowledgement it waits for; `deadline_ns` by the journal's clock, None for
    none.
    """

    __slots__ = ("append_number", "command", "deadline_ns", "msg_seq_num", "msg_type", "raw", "stage")

    def __init__(self, msg_seq_num: int, msg_type: str, raw: bytes, command: SentCommand | None, append_number: int):
        self.msg_seq_num = msg_seq_num
        self.msg_type = msg_type
        self.raw = raw
        self.command = command
        self.append_number = append_number
        self.deadline_ns = deadline_of(command)
        self.stage = Stage.APPENDED

    def step(self, step: Step) -> None:
        """Take one step of the table. Raises KeyError, and changes nothing, where the stage has no such step."""
        self.stage = TRANSITIONS[self.stage][step]

    def clear(self) -> None:
        """It is durable: it waits for no append any more, whatever numbers the next ones get."""
        self.step(Step.ACKNOWLEDGED)
        self.append_number = 0


class ReleaseQueue:
    """The numbers of the live connection that have not left yet, lowest first."""

    def __init__(self) -> None:
        self._items: deque[Numbered] = deque()
        self._replaced = 0

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Numbered]:
        return iter(self._items)

    @property
    def first_number(self) -> int | None:
        """The lowest number that has not left; None when all have."""
        return self._items[0].msg_seq_num if self._items else None

    def add(self, item: Numbered) -> None:
        """A message that just took its number. Numbers rise."""
        if self._items and item.msg_seq_num <= self._items[-1].msg_seq_num:
            raise ValueError(f"number {item.msg_seq_num} after {self._items[-1].msg_seq_num}")
        self._items.append(item)

    def acknowledged(self, append_number: int, stamp_ns: int) -> list[Numbered]:
        """Every append up to `append_number` is durable; those not told before bear `stamp_ns`.

        Returns the messages that are void by it: each needs a filler (`replace`).
        """
        void: list[Numbered] = []
        for item in self._items:
            if item.append_number > append_number:
                if not self._replaced:
                    break
                continue
            if item.stage is Stage.APPENDED:
                if is_void(item.deadline_ns, stamp_ns):
                    void.append(item)
                else:
                    item.clear()
            elif item.stage is Stage.REPLACED:
                item.clear()
                self._replaced -= 1
        return void

    def replace(self, item: Numbered, step: Step, filler: bytes, append_number: int) -> None:
        """Put `filler`, a Heartbeat(0) under the same number, in the item's place; it waits for `append_number`."""
        item.step(step)
        item.msg_type, item.raw = "0", filler
        item.command = item.deadline_ns = None
        item.append_number = append_number
        self._replaced += 1

    def late(self, journal_ns: int) -> list[Numbered]:
        """What has not left LATE_NS after its deadline, oldest first; `journal_ns` is the journal's clock as
        estimated.
        """
        bound = journal_ns - LATE_NS
        return [item for item in self._items if item.deadline_ns is not None and item.deadline_ns < bound]

    def next_late_ns(self) -> int | None:
        """When, by the journal's clock, `late` gives something next."""
        deadlines = [item.deadline_ns for item in self._items if item.deadline_ns is not None]
        return min(deadlines) + LATE_NS + 1 if deadlines else None

    def take_cleared(self) -> list[Numbered]:
        """What may leave now, in order; it is the caller's to write."""
        items, taken = self._items, []
        while items and items[0].stage is Stage.CLEARED:
            taken.append(items.popleft())
        return taken

    def put_back(self, items: list[Numbered]) -> None:
        """What was taken to be written was not: it waits again, under its number."""
        self._items = deque(sorted([*items, *self._items], key=lambda item: item.msg_seq_num))

    def take_all(self) -> list[Numbered]:
        """Everything that has not left, oldest first, and forget it: the connection is gone."""
        items = list(self._items)
        self._items.clear()
        self._replaced = 0
        return items


def deadline_of(command: SentCommand | OpenGate | None) -> int | None:
    """The deadline of a command that adds risk, by the journal's clock; None for everything else."""
    return command.deadline_ns if isinstance(command, NewOrder | AmendOrder) else None

"""A replicated log in memory, with the faults of a real one.

It can lose an answer and keep the message, keep the message back and add it later, answer "wrong last sequence" to what
it has accepted, read stale, answer for another stream, and call a message a duplicate.
"""

import enum
from collections.abc import Iterator
from random import Random

from common.replication.errors import Away, NoStream
from common.replication.message import Batch, Stored
from common.replication.port import Answer


class Odd(enum.Enum):
    """How one publication goes wrong."""

    LOST = "it never arrives"
    UNHEARD = "it is added, and the answer is lost"
    WRONG_SEQUENCE = "it is added, and the answer says wrong last sequence"
    LATE = "no answer, and it is added with the next call that changes or reads the end, if it still fits"
    DUPLICATE = "nothing is added, and the answer says duplicate"
    ELSEWHERE = "nothing is added, and the answer is another stream's"
    OTHER_SEQUENCE = "nothing is added, and the answer has the number of another message"


class FakeLog:
    """One stream. `odd` is what happens to the next publications, in turn; `stale` reads show it without its end."""

    def __init__(self, name: str = "fixring-test") -> None:
        self.name = name
        self.held: list[Batch] = []
        self.odd: list[Odd] = []
        self.stale = 0
        self.away = False
        self.missing = False
        self.published = 0
        self._late: list[tuple[Batch, int]] = []

    def publish(self, batch: Batch, expected: int) -> Answer:
        self._ask()
        self._arrive()
        self.published += 1
        odd = self.odd.pop(0) if self.odd else None
        match odd:
            case Odd.LOST:
                raise Away("timeout")
            case Odd.LATE:
                self._late.append((batch, expected))
                raise Away("timeout")
            case Odd.DUPLICATE:
                return Answer(self.name, expected + 1, True)
            case Odd.ELSEWHERE:
                return Answer("another", expected + 1, False)
            case Odd.OTHER_SEQUENCE:
                return Answer(self.name, expected, False)
        if expected != len(self.held):
            raise Away(f"wrong last sequence: {len(self.held)}")
        self.held.append(batch)
        if odd is not None:
            raise Away("timeout" if odd is Odd.UNHEARD else f"wrong last sequence: {len(self.held)}")
        return Answer(self.name, len(self.held), False)

    def message_at(self, sequence: int) -> Stored | None:
        self._ask()
        if self.stale:
            self.stale -= 1
            return None
        self._arrive()
        return Stored(sequence, self.held[sequence - 1]) if 0 < sequence <= len(self.held) else None

    def check(self) -> None:
        self._ask()

    def last_sequence(self) -> int:
        self._ask()
        return len(self.held)

    def messages(self, sequence: int, most: int) -> Iterator[Stored]:
        self._ask()
        for at in range(sequence, min(len(self.held), sequence + most - 1) + 1):
            yield Stored(at, self.held[at - 1])

    def _ask(self) -> None:
        if self.missing:
            raise NoStream(self.name)
        if self.away:
            raise Away("no NATS server answers")

    def _arrive(self) -> None:
        late, self._late = self._late, []
        for batch, expected in late:
            if expected == len(self.held):
                self.held.append(batch)


def draw_odd(random: Random, log: FakeLog) -> None:
    """What may happen to the next publication and the reads after it."""
    log.odd = [random.choice(list(Odd))] if random.random() < 0.6 else []
    log.stale = random.choice((0, 0, 0, 1, 3))

"""Who is still to be told what: a bounded queue a sink, and the heartbeat. Pure; a worker does the sending.

One call of the worker is under way at a time. It takes the oldest letter of each sink whose pause is over, and all are
sent beside one another, so a sink that stands still holds the others up for one time limit at most. A letter that could
not be sent is tried again, with growing pauses, and stays the first of its sink. Beyond `MAX_WAITING` the oldest goes.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from common.alerts import HEARTBEAT, FiringAlert, SinkStanding, WatchKind
from common.instant import NS_PER_S, Instant
from services.alerts.book import AlertNotice

MAX_WAITING = 100
FIRST_PAUSE_NS = 5 * NS_PER_S
LONGEST_PAUSE_NS = 300 * NS_PER_S


class Letter(msgspec.Struct, frozen=True):
    """A notice on its way to one sink."""

    sink: str
    notice: AlertNotice


class Post(msgspec.Struct, frozen=True):
    """One call of the worker: what to send, whether the heartbeat is due, and what to write down first, or nothing."""

    letters: tuple[Letter, ...]
    beat: bool
    state: bytes


class Sent(msgspec.Struct, frozen=True):
    """What became of one of them; `error` is "" where it was sent, and holds no secret."""

    sink: str
    error: str = ""


class Posted(msgspec.Struct, frozen=True):
    """What became of all of them; `state_error` is why nothing could be written down, or ""."""

    sent: tuple[Sent, ...]
    state_error: str = ""


@dataclass
class _Box:
    """One sink."""

    kind: str
    letters: deque[Letter] = field(default_factory=deque)
    next_boot_ns: int = 0
    pause_ns: int = 0
    sent: int = 0
    failed: int = 0
    in_a_row: int = 0
    dropped: int = 0
    error: str = ""


class Deliveries:
    """See the module. `kinds` are the sinks by name."""

    def __init__(self, kinds: Mapping[str, str], beat_ns: int) -> None:
        """Nothing waits. `beat_ns` 0: there is no heartbeat."""
        self._boxes = {name: _Box(kind) for name, kind in kinds.items()}
        self._beat_ns = beat_ns
        if beat_ns:
            self._boxes[HEARTBEAT] = _Box(HEARTBEAT)
        self._under_way: Post | None = None

    @property
    def sinks(self) -> list[str]:
        """The sinks that take letters."""
        return [name for name in self._boxes if name != HEARTBEAT]

    def add(self, notice: AlertNotice, chosen: Mapping[str, Sequence[str]]) -> None:
        """Queue it at each sink, with what is for that one: `chosen` are the sinks of a rule, () for all."""
        for sink in self.sinks:
            own = msgspec.structs.replace(
                notice,
                firing=tuple(each for each in notice.firing if _is_for(sink, each, chosen)),
                resolved=tuple(each for each in notice.resolved if _is_for(sink, each, chosen)),
                silences_ended=tuple(each for each in notice.silences_ended if _takes(sink, each.rule, chosen)),
            )
            if own.firing or own.resolved or own.silences_ended:
                self._queue(Letter(sink, own))

    def add_test(self, sink: str, notice: AlertNotice) -> None:
        """Queue a test for one sink, before what waits there: somebody waits for its answer."""
        box = self._boxes[sink]
        box.letters.appendleft(Letter(sink, notice))
        box.next_boot_ns = 0

    def restore(self, letters: Sequence[Letter]) -> None:
        """What a former life had not sent; a sink that is no more gets nothing."""
        for letter in letters:
            if letter.sink in self.sinks:
                self._queue(letter)

    def waiting(self) -> list[Letter]:
        """All that is not sent; nobody waits for a test any more in a later life."""
        return [letter for box in self._boxes.values() for letter in box.letters if not letter.notice.is_test]

    def _queue(self, letter: Letter) -> None:
        box = self._boxes[letter.sink]
        box.letters.append(letter)
        while len(box.letters) > MAX_WAITING:
            box.letters.popleft()
            box.dropped += 1

    # ---- the worker ----

    @property
    def is_busy(self) -> bool:
        """Whether a call is under way."""
        return self._under_way is not None

    def next_boot_ns(self) -> int | None:
        """When the next letter or heartbeat is due; None for never, and while a call is under way."""
        if self.is_busy:
            return None
        due = [box.next_boot_ns for name, box in self._boxes.items() if box.letters or name == HEARTBEAT]
        return min(due, default=None)

    def begin(self, state: bytes, now: Instant) -> Post | None:
        """What the worker is to do now; None where there is nothing, or it is still at the last."""
        if self.is_busy:
            return None
        due = {name: box for name, box in self._boxes.items() if box.next_boot_ns <= now.boot_ns}
        letters = tuple(box.letters[0] for box in due.values() if box.letters)
        if not (letters or HEARTBEAT in due or state):
            return None
        self._under_way = Post(letters, HEARTBEAT in due, state)
        return self._under_way

    def end(self, posted: Posted, now: Instant) -> list[Letter]:
        """The worker is back. Returns the letters that need no further attempt: those sent, and tests however they
        went."""
        post, self._under_way = self._under_way, None
        assert post is not None
        letters, over = {letter.sink: letter for letter in post.letters}, list[Letter]()
        for sent in posted.sent:
            box = self._boxes[sent.sink]
            self._count(box, sent, now)
            letter = letters.get(sent.sink)
            if letter is None:
                box.next_boot_ns = now.boot_ns + (box.pause_ns or self._beat_ns)
            elif not sent.error or letter.notice.is_test:
                # Beyond MAX_WAITING it may have gone meanwhile.
                if letter in box.letters:
                    box.letters.remove(letter)
                over.append(letter)
        return over

    def _count(self, box: _Box, sent: Sent, now: Instant) -> None:
        box.error = sent.error
        if not sent.error:
            box.sent += 1
            box.in_a_row = box.pause_ns = box.next_boot_ns = 0
            return
        box.failed += 1
        box.in_a_row += 1
        box.pause_ns = min(2 * box.pause_ns or FIRST_PAUSE_NS, LONGEST_PAUSE_NS)
        box.next_boot_ns = now.boot_ns + box.pause_ns

    def standings(self) -> list[SinkStanding]:
        """How every sink does."""
        return [
            SinkStanding(
                name=name, kind=box.kind, sent=box.sent, failed=box.failed, failed_in_a_row=box.in_a_row,
                waiting=len(box.letters), dropped=box.dropped, error=box.error,
            )
            for name, box in self._boxes.items()
        ]  # fmt: skip


def _is_for(sink: str, alert: FiringAlert, chosen: Mapping[str, Sequence[str]]) -> bool:
    """A sink is not told that it fails: the others are."""
    if alert.watch is WatchKind.SINK_FAILING and alert.subject == sink:
        return False
    return _takes(sink, alert.rule, chosen)


def _takes(sink: str, rule: str, chosen: Mapping[str, Sequence[str]]) -> bool:
    sinks = chosen.get(rule, ())
    return not sinks or sink in sinks

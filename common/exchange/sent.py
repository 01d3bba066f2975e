"""Sent messages of persistent sessions, for ResendRequest(2): the newest in memory, older ones found in the log."""

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator

import msgspec

from common.exchange.changes import Sent

KEPT_IN_MEMORY = 4096
# One mark for so many messages tells where in the log to begin to read.
MARK_EVERY = 1024
# What is older than so many marks is gap-filled: no venue keeps messages for ever.
MARKS_KEPT = 1024


class Marks(msgspec.Struct, array_like=True, frozen=True):
    """What a snapshot keeps of one session: its generation and (MsgSeqNum(34), LSN) of some of its messages."""

    session: str
    generation: int
    places: list[tuple[int, int]]


class _Session:
    __slots__ = ("generation", "places", "recent")

    def __init__(self, generation: int) -> None:
        self.generation = generation
        self.recent: deque[tuple[int, bytes]] = deque(maxlen=KEPT_IN_MEMORY)
        self.places: list[tuple[int, int]] = []


class SentMessages:
    """All persistent sessions' sent messages. `read(from_lsn)` iterates the `Sent` changes of the log from a record
    on.
    """

    def __init__(self, read: Callable[[int], Iterable[Sent]]) -> None:
        self._read = read
        self._sessions: dict[str, _Session] = {}

    def add(self, sent: Sent, lsn: int) -> None:
        """Keep one message, which record `lsn` holds or will hold (one at or before it is as good)."""
        session = self._sessions.get(sent.session)
        if session is None or session.generation != sent.generation:
            session = self._sessions[sent.session] = _Session(sent.generation)
        session.recent.append((sent.msg_seq_num, sent.raw))
        if not session.places or sent.msg_seq_num >= session.places[-1][0] + MARK_EVERY:
            session.places.append((sent.msg_seq_num, lsn))
            del session.places[:-MARKS_KEPT]

    def messages(self, name: str, begin: int, end: int) -> Iterator[tuple[int, bytes]]:
        """The session's messages numbered `begin` to `end`, in order; numbers that were no application message are
        missing.
        """
        session = self._sessions.get(name)
        if session is None:
            return
        memory_from = session.recent[0][0] if session.recent else 1 << 62
        if begin < memory_from:
            yield from self._from_log(name, session, begin, min(end, memory_from - 1))
        for number, raw in session.recent:
            if begin <= number <= end:
                yield number, raw

    def _from_log(self, name: str, session: _Session, begin: int, end: int) -> Iterator[tuple[int, bytes]]:
        index = max(0, bisect_right(session.places, (begin, 1 << 62)) - 1)
        for sent in self._read(session.places[index][1]):
            if sent.session != name or sent.generation != session.generation:
                continue
            if sent.msg_seq_num > end:
                return
            if sent.msg_seq_num >= begin:
                yield sent.msg_seq_num, sent.raw

    def marks(self) -> list[Marks]:
        """For a snapshot."""
        return [Marks(name, s.generation, s.places) for name, s in self._sessions.items()]

    def load(self, marks: Iterable[Marks]) -> None:
        """From a snapshot."""
        for mark in marks:
            session = self._sessions[mark.session] = _Session(mark.generation)
            session.places = list(mark.places)

    def oldest_lsn(self, default: int) -> int:
        """The first record that a resend could still want; `default` where no session sent anything."""
        return min((s.places[0][1] for s in self._sessions.values() if s.places), default=default)

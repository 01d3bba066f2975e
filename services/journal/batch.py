"""What one turn gathers for the log: entries of each writer in a row, and whom to answer once they are durable."""

from typing import NamedTuple

from common.journal import AppendedBatch
from common.journal.frames import Entry


class Acknowledgement(NamedTuple):
    """Appends of a writer that the batch holds: `first` to `last`, the last as its writer's entry `entry`.

    `may_wait`: nobody acts on it.
    """

    peer: bytes
    writer: str
    epoch: int
    first: int
    last: int
    entry: int
    may_wait: bool = False


class Grant(NamedTuple):
    """An epoch that the batch holds: its record is its writer's entry `entry`. `first_in_term`: it is the writer's
    first since another host was taken over from."""

    peer: bytes
    writer: str
    token: int
    epoch: int
    entry: int
    first_in_term: bool


class Head(NamedTuple):
    """A writer's place with what is gathered counted in: its epoch and last append number."""

    epoch: int
    append_number: int


class Batch:
    """One group commit in the making. A writer's entries stand in a row: one LSN and stamp names them."""

    def __init__(self) -> None:
        """Empty."""
        self.size_bytes = 0
        self.stream_may_wait = True
        self.heads: dict[str, Head] = {}
        self.acknowledgements: list[Acknowledgement] = []
        self.grants: list[Grant] = []
        self._entries: dict[str, list[Entry]] = {}

    def __bool__(self) -> bool:
        """Whether anything was gathered."""
        return bool(self._entries)

    def append(
        self,
        peer: bytes,
        writer: str,
        epoch: int,
        first_number: int,
        entries: list[tuple[int, bytes]],
        *,
        stream_may_wait: bool = False,
        ack_may_wait: bool = False,
    ) -> None:
        """Gather a writer's next entries, numbered from `first_number` on, and who is told of them."""
        self.stream_may_wait = self.stream_may_wait and stream_may_wait
        own = self._entries.setdefault(writer, [])
        number = first_number
        for kind, payload in entries:
            own.append(Entry(kind, writer, epoch, number, payload))
            self.size_bytes += len(payload)
            number += 1
        self.heads[writer] = Head(epoch, number - 1)
        self._acknowledge(Acknowledgement(peer, writer, epoch, first_number, number - 1, len(own) - 1, ack_may_wait))

    def grant(self, peer: bytes, entry: Entry, token: int, *, first_in_term: bool) -> None:
        """Gather a writer's EPOCH record."""
        self.stream_may_wait = False
        own = self._entries.setdefault(entry.writer, [])
        own.append(entry)
        self.heads[entry.writer] = Head(entry.writer_epoch, 0)
        self.grants.append(Grant(peer, entry.writer, token, entry.writer_epoch, len(own) - 1, first_in_term))

    def own(self, entry: Entry) -> None:
        """Gather a record of the journal's own, whose acknowledgement nobody waits for."""
        self.stream_may_wait = False
        self._entries.setdefault(entry.writer, []).append(entry)

    def entries(self) -> tuple[list[Entry], dict[str, int]]:
        """All entries in the order of the log, and at which offset each writer's begin."""
        offsets: dict[str, int] = {}
        whole: list[Entry] = []
        for writer, own in self._entries.items():
            offsets[writer] = len(whole)
            whole.extend(own)
        return whole, offsets

    def _acknowledge(self, new: Acknowledgement) -> None:
        """One acknowledgement per writer and batch: a message that goes on where the last one ended joins it."""
        for at, old in enumerate(self.acknowledgements):
            if (old.peer, old.writer, old.epoch, old.last + 1) == (new.peer, new.writer, new.epoch, new.first):
                self.acknowledgements[at] = new._replace(first=old.first, may_wait=old.may_wait and new.may_wait)
                return
        self.acknowledgements.append(new)


class Committed(NamedTuple):
    """A batch that is in the log at `done`, with the offsets at which each writer's entries begin."""

    batch: Batch
    offsets: dict[str, int]
    done: AppendedBatch

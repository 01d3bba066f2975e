"""The journal as the tests of a core have it: a log in memory with the journal's rules for its writers.

It can be slow, silent, full or cut short. It tells a writer's lives apart by the tokens of their requests, which are
made of the time: no two lives of a test may start at the same nanosecond.
"""

from collections.abc import Callable, Iterable
from typing import Protocol

import msgspec

from common.actor.core import Effect
from common.instant import NS_PER_MS, Instant
from common.journal.frames import EPOCH, FIRST_FREE_KIND, OWN_WRITER, Entry, Link, Record, frame, parse
from common.messages import (
    Append,
    Appended,
    AppendQuestion,
    AppendRefused,
    EpochGranted,
    EpochRequest,
    JournalAnswer,
    Kind,
    Payload,
    encode,
)

decode_payload = msgspec.msgpack.Decoder(Payload).decode


class Journal:
    """A log in memory. It acknowledges at once, or, while `held`, when `release` is called; while `dead`, never.

    While `mute` it takes appends and does not say so; while `stuck`, its disk being full, it takes none and answers.
    What a writer appended waits in `published` for who follows the log. `stamp_ns` is its clock, which whoever drives
    it sets.
    """

    def __init__(self, stamp_ns: int = 0, first_epoch: int = 1001) -> None:
        """Empty; `first_epoch` is what each writer is granted first."""
        self.stamp_ns = stamp_ns
        self.records: list[Record] = []
        self.epochs: dict[str, int] = {}
        self.numbers: dict[str, int] = {}
        self.published: list[bytes] = []
        self.held = self.dead = self.mute = self.stuck = False
        self.identity = "journal"
        self.term = (1, 0)
        """The term, and the record behind which it begins."""

        self.first_in_term = False
        self.epoch = 1
        self._first_epoch = first_epoch
        self._links = [Link(0, 0)]
        self._held: list[Append] = []
        self._grants: dict[str, EpochGranted] = {}

    @property
    def lsn(self) -> int:
        """The last record's LSN, 0 where there is none."""
        return self._links[-1].lsn

    def payloads(self, *kinds: Kind, after_lsn: int = 0) -> list[Payload]:
        """The payloads of the log after that record, in order: of those kinds, without any of all."""
        return [
            decode_payload(record.payload)
            for record in self.records[after_lsn:]
            if record.kind >= FIRST_FREE_KIND and (not kinds or record.kind in kinds)
        ]

    def between(self, from_lsn: int, upto_lsn: int) -> list[Record]:
        """The records with both ends."""
        return [record for record in self.records if from_lsn <= record.lsn <= upto_lsn]

    # ---- what is written ----

    def write(self, writer: str, kind: int, payload: bytes, epoch: int = 1, number: int = 1) -> bytes:
        """A record of anybody is in the log; returns it as the log publishes it."""
        entry = Entry(kind, writer, epoch, number, payload)
        block, end = frame([entry], self._links[-1], stamp_ns=self.stamp_ns, journal_epoch=self.epoch, durable_lsn=0)
        self._links.append(end)
        self.records += parse(block)
        return block

    def add(self, kind: int, payload: msgspec.Struct | bytes = b"\0", *, writer: str = "test", ms: int = 0) -> bytes:
        """A record of anybody, `ms` after what was before it; returns it as the log publishes it."""
        self.stamp_ns += ms * NS_PER_MS
        return self.write(writer, kind, payload if isinstance(payload, bytes) else encode(payload))

    def take(self, message: msgspec.Struct) -> list[JournalAnswer]:
        """What the journal answers to one message."""
        if self.dead:
            return []
        if self.held and isinstance(message, Append):
            self._held.append(message)
            return []
        match message:
            case EpochRequest() if self.stuck:
                return []
            case EpochRequest(writer, token):
                return [self._granted(writer, token)]
            case Append():
                return self._appended(message)
            case AppendQuestion(writer):
                return [self.refusal(writer)]
        raise AssertionError(message)

    def release(self) -> list[JournalAnswer]:
        """It catches up with what it held back, and holds nothing back from now on."""
        self.held = False
        return [answer for message in self.take_held() for answer in self.take(message)]

    def take_held(self) -> list[Append]:
        """What it held back is no longer there: who sent it has died, or hands it over himself."""
        held, self._held = self._held, []
        return held

    def refusal(self, writer: str) -> AppendRefused:
        """What it says to a writer whose append it cannot take: which it expects."""
        return AppendRefused(writer, self.epochs[writer], self.numbers[writer] + 1, self.epoch)

    def _granted(self, writer: str, token: int) -> EpochGranted:
        before = self._grants.get(writer)
        if before is not None and before.token == token:
            return before
        self.epochs[writer] = self.epochs.get(writer, self._first_epoch - 1) + 1
        self.numbers[writer] = 0
        self.write(writer, EPOCH, b"", self.epochs[writer], 0)
        granted = EpochGranted(
            writer, token, self.epochs[writer], self.lsn, self.stamp_ns, self.epoch, self.identity, *self.term,
            self.first_in_term,
        )  # fmt: skip
        self._grants[writer] = granted
        return granted

    def _appended(self, append: Append) -> list[JournalAnswer]:
        writer, first = append.writer, append.first_number
        if append.epoch != self.epochs[writer] or first > self.numbers[writer] + 1 or self.stuck:
            return [self.refusal(writer)]
        fresh_from = self.numbers[writer] + 1
        for number, (kind, payload) in enumerate(append.entries, start=first):
            if number >= fresh_from:
                self.published.append(self.write(writer, kind, payload, append.epoch, number))
        last = self.numbers[writer] = max(fresh_from - 1, first + len(append.entries) - 1)
        if self.mute:
            return []
        # What it had before is acknowledged with the stamps of then, one by one.
        answers: list[JournalAnswer] = [
            Appended(writer, append.epoch, its.append_number, its.append_number, its.lsn, its.stamp_ns, self.epoch)
            for its in self._those_of(writer, append.epoch)
            if first <= its.append_number < fresh_from
        ]
        if last >= fresh_from:
            answers.append(Appended(writer, append.epoch, fresh_from, last, self.lsn, self.stamp_ns, self.epoch))
        return answers

    def _those_of(self, writer: str, epoch: int) -> Iterable[Record]:
        return (its for its in self.records if (its.writer, its.writer_epoch) == (writer, epoch))

    # ---- what is done to it ----

    def cut(self, length: int) -> None:
        """Only its first `length` records are left, as after a crash; each writer stands where its last one is."""
        del self.records[length:], self._links[length + 1 :]
        for writer in self.epochs:
            last = [record for record in self.records if record.writer == writer][-1]
            self.epochs[writer], self.numbers[writer] = last.writer_epoch, last.append_number

    def become_a_copy(self, upto_lsn: int) -> None:
        """From here on it is a copy of what it held up to that record, under a name of its own."""
        self.cut(upto_lsn)
        self.epoch, self.identity = self.epoch + 1, "copy"
        self.write(OWN_WRITER, EPOCH, b"", self.epoch, 0)


class _Carried(Protocol):
    """A core, as far as what carries out its effects sees it."""

    effects: list[Effect]

    def turn_ended(self, now: Instant) -> None: ...


def carry_out(core: Callable[[], _Carried], perform: Callable[[Effect], None], now: Callable[[], Instant]) -> None:
    """Have the effects of the core performed until none is left; both it and the time may be others in between."""
    core().turn_ended(now())
    while core().effects:
        effects, core().effects = core().effects, []
        for effect in effects:
            perform(effect)
        core().turn_ended(now())

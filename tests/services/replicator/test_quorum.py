"""Invariant: with a copy that is waited for, what anybody was told is in the stream, whatever dies or answers oddly;
and with the host gone, the stream alone has all of it. Each planted fault is found.
"""

from collections.abc import Callable
from contextlib import suppress
from random import Random

import pytest

from common.actor.core import Call, Publish, Send
from common.instant import NS_PER_S, Instant
from common.journal import Reader, iterate
from common.journal.frames import parse
from common.messages import (
    Append,
    Appended,
    CopyReport,
    DurableEnd,
    EpochGranted,
    EpochRequest,
    ReadChunk,
    ReadRequest,
)
from common.replication.errors import Away, Fenced
from common.replication.fetch import fetch
from common.replication.message import Batch
from common.replication.publisher import Publisher
from scripts.simulation.disk import Disk
from services.journal.copy import Copy, CopyBounds
from services.journal.core import JournalCore
from services.replicator.copier import Copier
from services.replicator.core import ReplicatorCore
from tests.common.replication.fake import FakeLog, draw_odd
from tests.services.journal.test_core import FOLDER, Life

BOUNDS = CopyBounds(1_000_000, 3600 * NS_PER_S, waits=True)


def _never(by_whom: str) -> None:
    raise AssertionError(by_whom)


class Host:
    """A journal, its replicator and one writer that resends, with a stream that outlives them."""

    def __init__(self) -> None:
        self.disk = Disk()
        self.life = Life(self.disk, copy_bounds=BOUNDS)
        self.stream = FakeLog()
        self.told: dict[int, bytes] = {}
        """What anybody was told of a record, by LSN."""
        self.granted: EpochGranted | None = None
        self.token = 1
        self.sent: list[bytes] = []
        self.acknowledged = 0
        self.begin_replicator()
        self.ask()

    # ---- what dies ----

    def begin_replicator(self) -> None:
        self.copier = Copier(lambda _: self.stream, Reader(FOLDER, self.disk.files()), _never)
        self.replicator = ReplicatorCore("quorum")
        self.calls: list[Call] = []
        self.replicator.started(self.life.now)
        self.carry()

    def kill_journal(self) -> None:
        self.life.die()
        wall_ns = self.life.now.wall_ns + NS_PER_S
        self.life = Life(self.disk, wall_ns, copy_bounds=BOUNDS)
        self.replicator.timer(Instant(wall_ns, self.life.now.boot_ns + 2 * NS_PER_S))
        self.carry()
        self.ask()

    # ---- what is said ----

    def to_journal(self, message: object, peer: bytes) -> None:
        effects = self.life.turn(message, peer=peer) if message is not None else self.life.wait(100)
        for effect in effects:
            if isinstance(effect, Publish):
                self.tell(effect.data)
            elif isinstance(effect, Send) and isinstance(effect.message, DurableEnd):
                self.replicator.received("journal", b"", effect.message, self.life.now)
                self.carry()
            elif isinstance(effect, Send):
                self.answer(effect.message)

    def tell(self, block: bytes) -> None:
        for record in parse(block):
            self.told[record.lsn] = record.payload

    def answer(self, message: object) -> None:
        match message:
            case EpochGranted() if message.token == self.token:
                self.granted = message
                self.told.setdefault(message.lsn, self.token.to_bytes(8, "little"))
            case Appended() if self.granted is not None and message.number and message.epoch == self.granted.epoch:
                self.told[message.lsn] = self.sent[message.number - 1]
                self.acknowledged = max(self.acknowledged, message.number)
            case ReadChunk():
                self.tell(message.block)

    def carry(self) -> None:
        """The replicator's effects."""
        effects, self.replicator.effects = self.replicator.effects, []
        for effect in effects:
            if isinstance(effect, Call):
                self.calls.append(effect)
            elif isinstance(effect, Send) and isinstance(effect.message, CopyReport):
                self.to_journal(effect.message, b"replicator")
            else:
                assert type(effect).__name__ != "Exit", effect

    # ---- steps ----

    def ask(self) -> None:
        """The writer's epoch, or what it has not been acknowledged."""
        if self.granted is None:
            self.to_journal(EpochRequest("orders", self.token), b"orders")
        elif self.acknowledged < len(self.sent):
            entries = [(16, payload) for payload in self.sent[self.acknowledged :]]
            self.to_journal(Append("orders", self.granted.epoch, self.acknowledged + 1, entries), b"orders")

    def append(self, payload: bytes) -> None:
        if self.granted is not None and len(self.sent) - self.acknowledged < 50:
            self.sent.append(payload)
            self.to_journal(Append("orders", self.granted.epoch, len(self.sent), [(16, payload)]), b"orders")

    def work(self) -> None:
        if self.calls:
            call = self.calls.pop(0)
            self.replicator.call_finished(call.number, self.copier.work(call.argument), self.life.now)
            self.carry()

    def wait(self) -> None:
        self.to_journal(None, b"")
        self.replicator.timer(Instant(self.life.now.wall_ns, self.life.now.boot_ns + NS_PER_S))
        self.carry()

    def check(self) -> None:
        """Everything that was told stands in the stream, as it was told."""
        held = {record.lsn: record.payload for batch in self.stream.held for record in parse(batch.block)}
        missing = {lsn for lsn, payload in self.told.items() if held.get(lsn) != payload}
        assert not missing, f"told, and not in the stream: {sorted(missing)}"


def run(seed: int, steps: int = 120) -> None:
    """A run, then quiet, then the host is gone."""
    random, host = Random(seed), Host()
    for step in range(steps):
        if random.random() < 0.3:
            draw_odd(random, host.stream)
        host.stream.away = random.random() < 0.05
        what: list[Callable[[], None]] = [
            lambda step=step: host.append(b"%d" % step), host.work, host.work, host.wait, host.ask,  # type: ignore[misc]
            lambda: host.to_journal(ReadRequest(1, 1 << 40), b"reader"),
        ]  # fmt: skip
        random.choice(what)()
        if random.random() < 0.04:
            host.kill_journal()
        if random.random() < 0.04:
            host.begin_replicator()
        host.check()
    host.stream.odd, host.stream.stale, host.stream.away = [], 0, False
    for _ in range(40):
        host.wait()
        host.work()
        host.ask()
        host.check()
    assert host.granted is not None and host.acknowledged == len(host.sent), "it goes on by itself"
    files = Disk().files()
    fetch(host.stream, "0" * 32, "/elsewhere", files)
    there = {record.lsn: record.payload for record in iterate("/elsewhere", files)}
    assert host.told.items() <= there.items()


SEEDS = 25


@pytest.mark.parametrize("seed", range(SEEDS))
def test_what_was_told_is_in_the_stream_and_outlives_the_host(seed: int) -> None:
    run(seed)


def duplicate_is_yes(patch: pytest.MonkeyPatch) -> None:
    def attempt(self: Publisher, batch: Batch) -> str:
        try:
            answer = self._log.publish(batch, self.sequence)
        except Away as error:
            return str(error)
        return "" if answer.sequence == self.sequence + 1 else "another"

    patch.setattr(Publisher, "_try", attempt)


def no_answer_is_yes(patch: pytest.MonkeyPatch) -> None:
    def attempt(self: Publisher, batch: Batch) -> str:
        with suppress(Away):
            self._log.publish(batch, self.sequence)
        return ""

    patch.setattr(Publisher, "_try", attempt)


def wrong_sequence_is_a_fence(patch: pytest.MonkeyPatch) -> None:
    whole = Publisher._try

    def attempt(self: Publisher, batch: Batch) -> str:
        why = whole(self, batch)
        if "wrong last sequence" in why:
            raise Fenced(self.sequence + 1, 1, why)
        return why

    patch.setattr(Publisher, "_try", attempt)


def told_before_released(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(JournalCore, "_told_lsn", lambda self, log, lsn: lsn)


def a_start_serves_what_is_not_released(patch: pytest.MonkeyPatch) -> None:
    whole = Copy.__init__

    def begin(self: Copy, bounds: CopyBounds) -> None:
        whole(self, bounds)
        self.lsn = 1 << 40

    patch.setattr(Copy, "__init__", begin)


def a_repeat_is_acknowledged_at_once(patch: pytest.MonkeyPatch) -> None:
    def again(self: JournalCore, log, peer, writer, state, first, last):  # type: ignore[no-untyped-def]
        for run in state.runs(first, last):
            self._send_appended(log, peer, writer, state.epoch, run.first_number, run.last_number, run.last_lsn,
                                run.stamp_ns)  # fmt: skip

    patch.setattr(JournalCore, "_acknowledge_again", again)


@pytest.mark.parametrize(
    "plant",
    [
        duplicate_is_yes, no_answer_is_yes, wrong_sequence_is_a_fence, told_before_released,
        a_start_serves_what_is_not_released, a_repeat_is_acknowledged_at_once,
    ],
)  # fmt: skip
def test_each_planted_fault_is_found(plant: Callable[[pytest.MonkeyPatch], None]) -> None:
    found = 0
    for seed in range(SEEDS):
        with pytest.MonkeyPatch.context() as patch:
            plant(patch)
            try:
                run(seed)
            except (AssertionError, Away):
                found += 1
                break
    assert found

"""The journal's promises to its writers: exactly once, durable before acknowledged, one clock, whatever restarts."""

import errno
from functools import partial
from random import Random

import msgspec
import orjson
import pytest

from common.actor.core import Effect, Exit, Note, Publish, Send
from common.exit_status import ExitStatus
from common.instant import NS_PER_MS, NS_PER_S, Instant
from common.journal import EPOCH, TICK, Log, Reader, ReadFailed, Record, iterate, parse
from common.journal.claims import FENCED, FOLLOWING, remove_claim, write_claim
from common.journal.followed import FollowedLog
from common.journal.log import Durability
from common.journal.skipped import skip_record, skipped_records
from common.journal.terms import TermBegan, epoch_floor, term_block
from common.messages import (
    MAX_RECORD_BYTES,
    UNDECODABLE,
    Append,
    Appended,
    AppendQuestion,
    AppendRefused,
    ControlAnswer,
    ControlRequest,
    CopyReport,
    Door,
    DurableEnd,
    EpochGranted,
    EpochRequest,
    JournalLevel,
    JournalRequest,
    Kind,
    OperatorAct,
    ReadChunk,
    ReadRequest,
    encode,
)
from scripts.simulation.disk import Disk, DiskFiles, Fault
from services.journal.copy import Copy, CopyBounds
from services.journal.core import (
    BATCH_BYTES,
    CHUNK_BYTES,
    HOLD_ACKS_NS,
    HOLD_NS,
    MAX_READS,
    JournalCore,
    JournalSettings,
)

FOLDER = "/journal"
WALL_NS = 1_800_000_000_000_000_000
PEER = b"orders"
READS = ("list", "open", "size", "read_at")


class Life:
    """One process of the journal on a disk, turn by turn, with a clock that the test moves."""

    def __init__(
        self,
        disk: Disk,
        wall_ns: int = WALL_NS,
        *,
        low_disk_bytes: int = 0,
        segment_bytes: int = 1 << 16,
        durability: Durability = "disk",
        bad_read: int = 0,
        copy_bounds: CopyBounds | None = None,
    ) -> None:
        """`bad_read`: which call that reads fails, counted from 1, once; `reads` counts them."""
        self.disk = disk
        self.reads = 0
        self.bad_read = bad_read
        self.failing = ""
        self.mark_syncs = 0
        self.error = errno.EIO
        self.files = DiskFiles(disk, self._called)
        self.now = Instant(wall_ns, 5_000_000_000)
        self.core = JournalCore(
            lambda wall: Log.open(FOLDER, self.files, wall_ns=wall, segment_bytes=segment_bytes, durability=durability),
            Reader(FOLDER, self.files),
            JournalSettings(low_disk_bytes, copy_bounds),
            partial(skip_record, FOLDER, self.files),
        )
        self.core.started(self.now)
        effects = self.take()
        self.notes = [effect for effect in effects if isinstance(effect, Note)]
        self.exits = [effect for effect in effects if isinstance(effect, Exit)]

    def _called(self, name: str, path: str) -> Fault | None:
        self.reads += name in READS
        self.mark_syncs += name == "sync" and path.endswith("/mark")
        if name in READS and self.reads == self.bad_read:
            return Fault(errno.EIO)
        return Fault(self.error) if name == self.failing else None

    def take(self) -> list[Effect]:
        effects = list(self.core.effects)
        self.core.effects.clear()
        return effects

    def turn(self, *messages: object, peer: bytes = PEER) -> list[Effect]:
        """Deliver, end the turn, and hand back the effects in order."""
        for message in messages:
            self.core.received("journal", peer, message, self.now)  # type: ignore[arg-type]
        self.core.turn_ended(self.now)
        return self.take()

    def answers(self, *messages: object, peer: bytes = PEER) -> list[object]:
        return [effect.message for effect in self.turn(*messages, peer=peer) if isinstance(effect, Send)]

    def grant(self, writer: str = "orders", token: int = 1) -> EpochGranted:
        (granted,) = self.answers(EpochRequest(writer, token))
        assert isinstance(granted, EpochGranted)
        return granted

    def wait(self, ms: int) -> list[Effect]:
        """Let time pass, with the timer at each of its deadlines."""
        end = self.now.boot_ns + ms * NS_PER_MS
        effects = []
        while (deadline := self.core.next_deadline_ns()) is not None and deadline <= end:
            step = max(0, deadline - self.now.boot_ns)
            self.now = Instant(self.now.wall_ns + step, self.now.boot_ns + step)
            self.core.timer(self.now)
            effects += self.turn()
        left = end - self.now.boot_ns
        self.now = Instant(self.now.wall_ns + left, end)
        return effects

    def die(self) -> None:
        self.files.die()

    def records(self) -> list[Record]:
        return list(iterate(FOLDER, self.disk.files()))


def append(granted: EpochGranted, first: int, *payloads: bytes) -> Append:
    return Append(granted.writer, granted.epoch, first, [(16, payload) for payload in payloads])


def test_an_append_is_written_synced_acknowledged_and_then_published() -> None:
    life = Life(Disk())
    granted = life.grant()
    effects = life.turn(append(granted, 1, b"a", b"b"))
    acknowledgement, published = effects
    assert isinstance(acknowledgement, Send)
    assert acknowledgement.peer == PEER
    assert acknowledgement.message == Appended("orders", granted.epoch, 1, 2, 4, WALL_NS, granted.journal_epoch)
    assert isinstance(published, Publish)
    assert [(record.lsn, record.payload) for record in parse(published.data)] == [(3, b"a"), (4, b"b")]
    life.disk.crash_keeping(lambda: False)
    assert [record.payload for record in life.records()[-2:]] == [b"a", b"b"]


def test_nothing_is_acknowledged_that_did_not_reach_the_disk() -> None:
    life = Life(Disk())
    granted = life.grant()
    life.failing = "sync"
    (effect,) = life.turn(append(granted, 1, b"a"))
    assert isinstance(effect, Exit)
    assert effect.status == ExitStatus.INTEGRITY
    life.failing = ""
    assert life.turn(append(granted, 1, b"a")) == []
    assert life.core.next_deadline_ns() is None


def test_a_journal_whose_disk_failed_answers_nobody_and_writes_nothing_more() -> None:
    life = Life(Disk())
    granted = life.grant()
    life.failing = "sync"
    effects = life.turn(ReadRequest(1, 9), append(granted, 1, b"a"))
    assert [type(effect) for effect in effects] == [Exit]
    life.failing = ""
    before = life.records()
    life.now = Instant(life.now.wall_ns + 10**9, life.now.boot_ns + 10**9)
    life.core.timer(life.now)
    assert life.turn(ReadRequest(1, 9), EpochRequest("risk", 2)) == []
    life.core.stop(life.now)
    assert life.take() == [Exit(ExitStatus.OK, "stopped")]
    assert life.records() == before


def test_one_acknowledgement_per_writer_and_batch_whoever_comes_between() -> None:
    life = Life(Disk())
    orders, risk = life.grant("orders"), life.grant("risk", 2)
    answers = life.answers(append(orders, 1, b"a"), append(risk, 1, b"x"), append(orders, 2, b"b", b"c"))
    assert answers == [
        Appended("orders", orders.epoch, 1, 3, 6, WALL_NS, orders.journal_epoch),
        Appended("risk", risk.epoch, 1, 1, 7, WALL_NS, risk.journal_epoch),
    ]


def test_a_gap_is_refused_with_the_number_expected() -> None:
    life = Life(Disk())
    granted = life.grant()
    life.turn(append(granted, 1, b"a"))
    (refused,) = life.answers(append(granted, 3, b"c"))
    assert refused == AppendRefused("orders", granted.epoch, 2, granted.journal_epoch)
    assert life.records()[-1].payload == b"a"


def test_a_duplicate_gets_its_first_place_and_stamp_and_is_not_written_again() -> None:
    life = Life(Disk())
    granted = life.grant()
    first = life.answers(append(granted, 1, b"a", b"b"))
    life.wait(50)
    second = life.answers(append(granted, 3, b"c"))
    before = len(life.records())
    life.wait(20)
    again = life.answers(append(granted, 1, b"a", b"b", b"c"))
    assert again == [*first, *second]
    assert len(life.records()) == before


def test_an_append_that_comes_twice_in_the_turn_of_its_epoch_is_written_once() -> None:
    life = Life(Disk())
    granted = life.grant()
    life.turn(append(granted, 1, b"of the old epoch"))
    message = Append("orders", granted.epoch + 1, 1, [(16, b"a")])
    new, taken = life.answers(EpochRequest("orders", 2), message, message)
    assert isinstance(new, EpochGranted) and isinstance(taken, Appended)
    assert (taken.epoch, taken.lsn) == (new.epoch, new.lsn + 1)
    assert [record.payload for record in life.records() if record.kind == 16] == [b"of the old epoch", b"a"]


def test_a_half_known_append_is_acknowledged_in_its_two_parts() -> None:
    life = Life(Disk())
    granted = life.grant()
    life.turn(append(granted, 1, b"a", b"b"))
    life.wait(50)
    old, new = life.answers(append(granted, 2, b"b", b"c"))
    assert isinstance(old, Appended)
    assert isinstance(new, Appended)
    assert (old.first_number, old.number, old.stamp_ns) == (2, 2, WALL_NS)
    assert (new.first_number, new.number, new.stamp_ns) == (3, 3, WALL_NS + 50 * NS_PER_MS)
    assert life.records()[-1].payload == b"c"


def test_duplicates_are_known_after_the_journals_own_death() -> None:
    disk = Disk()
    life = Life(disk)
    granted = life.grant()
    first = life.answers(append(granted, 1, b"a", b"b"))
    life.die()
    life = Life(disk, WALL_NS + 10**9)
    (again,) = life.answers(append(granted, 1, b"a", b"b"))
    assert isinstance(again, Appended)
    assert again.journal_epoch > granted.journal_epoch
    assert first == [msgspec.structs.replace(again, journal_epoch=granted.journal_epoch)]


def test_an_older_epoch_is_refused_and_told_the_newer() -> None:
    life = Life(Disk())
    old, new = life.grant(token=1), life.grant(token=2)
    assert new.epoch > old.epoch
    refused = AppendRefused("orders", new.epoch, 1, new.journal_epoch)
    assert life.answers(append(old, 1, b"a"), AppendQuestion("orders", old.epoch)) == [refused, refused]


def test_a_repeated_request_gets_the_same_epoch_also_from_the_journals_next_life() -> None:
    disk = Disk()
    life = Life(disk)
    granted = life.grant(token=77)
    assert life.grant(token=77) == granted
    life.turn(append(granted, 1, b"a"))
    assert life.grant(token=77) == granted
    life.die()
    life = Life(disk, WALL_NS + 10**9)
    again = life.grant(token=77)
    assert (again.epoch, again.lsn, again.stamp_ns) == (granted.epoch, granted.lsn, granted.stamp_ns)
    assert life.answers(append(granted, 2, b"b"))
    assert len(life.answers(EpochRequest("orders", 9), EpochRequest("orders", 9))) == 1


def test_a_request_that_was_granted_long_ago_supersedes_nobody() -> None:
    life = Life(Disk())
    life.grant(token=1)
    newer = life.grant(token=2)
    assert life.answers(EpochRequest("orders", 1)) == []
    assert life.grant(token=2) == newer
    assert [type(answer) for answer in life.answers(append(newer, 1, b"a"))] == [Appended]


def test_an_epoch_is_at_least_the_time_and_its_record_is_in_the_log() -> None:
    life = Life(Disk())
    granted = life.grant()
    assert granted.epoch >= WALL_NS // 10**9
    record = life.records()[granted.lsn - 1]
    assert (record.kind, record.writer, record.writer_epoch) == (EPOCH, "orders", granted.epoch)
    assert record.append_number == 0


def test_a_question_is_answered_from_what_is_durable() -> None:
    life = Life(Disk())
    granted = life.grant()
    acknowledged, told = life.answers(append(granted, 1, b"a"), AppendQuestion("orders", granted.epoch))
    assert isinstance(acknowledged, Appended)
    assert told == AppendRefused("orders", granted.epoch, 2, granted.journal_epoch)


def test_a_tick_when_100_ms_pass_without_a_record() -> None:
    life = Life(Disk())
    life.grant()
    blocks = [effect.data for effect in life.wait(1000) if isinstance(effect, Publish)]
    records = [record for block in blocks for record in parse(block)]
    assert [record.kind for record in records] == [TICK] * 10
    assert [record.payload for record in records] == [b"\0"] * 10
    stamps = [record.stamp_ns - WALL_NS for record in records]
    assert stamps == [100 * NS_PER_MS * n for n in range(1, 11)]


def test_the_clock_never_goes_back_and_advances_by_the_boot_clock() -> None:
    disk = Disk()
    life = Life(disk)
    life.grant()
    life.wait(500)
    life.now = Instant(WALL_NS - 10**15, life.now.boot_ns + 10 * NS_PER_MS)
    (done, _) = life.turn(append(life.grant(token=2), 1, b"a"))
    assert isinstance(done, Send)
    assert isinstance(done.message, Appended)
    assert done.message.stamp_ns == WALL_NS + 510 * NS_PER_MS
    life.die()
    life = Life(disk, WALL_NS - 10**15)
    assert life.grant(token=3).stamp_ns == WALL_NS + 510 * NS_PER_MS
    stamps = [record.stamp_ns for record in life.records()]
    assert stamps == sorted(stamps)


def test_the_mark_follows_within_100_ms() -> None:
    life = Life(Disk())
    granted = life.grant()
    life.turn(append(granted, 1, b"a"))
    life.wait(100)
    assert Reader(FOLDER, life.disk.files()).durable_lsn() >= 3


def test_under_load_the_mark_is_synced_once_a_second_and_as_soon_as_the_load_ends() -> None:
    life = Life(Disk())
    granted = life.grant()
    life.wait(1_200)
    life.mark_syncs = 0
    for number in range(1, 41):
        life.turn(append(granted, number, b"a"))
        life.wait(50)
    assert Reader(FOLDER, life.disk.files()).durable_lsn() >= 40
    assert life.mark_syncs == 2
    life.wait(200)
    life.disk.crash_keeping(lambda: False)
    assert Reader(FOLDER, life.disk.files()).durable_lsn() >= 40


def test_the_mark_follows_as_closely_where_batches_are_not_synced_and_segments_can_be_dropped() -> None:
    life = Life(Disk(), durability="process")
    granted = life.grant()
    life.turn(append(granted, 1, b"a"))
    life.wait(100)
    assert Reader(FOLDER, life.disk.files()).durable_lsn() >= 3
    assert control(life, "drop", b'{"below": 3}').ok
    life.disk.crash_keeping(lambda: False)
    assert life.records()[2].payload == b"a"


def test_a_sync_that_fails_before_the_mark_ends_the_journal() -> None:
    life = Life(Disk(), durability="process")
    life.turn(append(life.grant(), 1, b"a"))
    life.failing = "sync"
    (refused,) = [effect for effect in life.wait(100) if isinstance(effect, Exit)]
    assert refused.status == ExitStatus.INTEGRITY


def test_low_disk_is_announced_in_acknowledgements_and_ticks_and_taken_back() -> None:
    life = Life(Disk(capacity_bytes=400_000), low_disk_bytes=100_000)
    granted = life.grant()
    (before,) = life.answers(append(granted, 1, b"a"))
    other = life.disk.files()
    other.write_at(other.create(f"{FOLDER}/hog"), bytes(200_000), 0)
    ticks = [parse(e.data)[-1].payload for e in life.wait(400) if isinstance(e, Publish)]
    (low,) = life.answers(append(granted, 2, b"b"))
    other.remove(f"{FOLDER}/hog")
    life.wait(300)
    (after,) = life.answers(append(granted, 3, b"c"))
    assert [a.announced for a in (before, low, after) if isinstance(a, Appended)] == [0, 1, 0]
    assert ticks[-1] == b"\1"


def test_a_level_is_told_at_once_though_records_never_cease() -> None:
    life = Life(Disk(capacity_bytes=400_000), low_disk_bytes=100_000)
    granted = life.grant()
    other = life.disk.files()
    other.write_at(other.create(f"{FOLDER}/hog"), bytes(200_000), 0)
    told: list[bytes] = []
    for number in range(1, 40):
        if number == 20:
            other.remove(f"{FOLDER}/hog")
        life.turn(append(granted, number, b"a"))
        life.wait(50)
    told += [record.payload for record in life.records() if record.kind == TICK]
    assert told == [b"\1", b"\0"]


def test_room_that_was_used_up_is_looked_after_at_once() -> None:
    life = Life(Disk(), segment_bytes=1 << 14)
    granted = life.grant()
    number = 0
    while (deadline := life.core.next_deadline_ns()) is not None and deadline > life.now.boot_ns:
        number += 1
        life.turn(append(granted, number, bytes(1000)))
        assert number < 100
    before = life.core.status(life.now)["room_bytes"]
    life.core.timer(life.now)
    assert life.core.status(life.now)["room_bytes"] == int(str(before)) + (1 << 14)


def test_a_full_disk_takes_nothing_and_goes_on_when_there_is_room() -> None:
    life = Life(Disk(capacity_bytes=80_000), segment_bytes=1 << 14)
    granted = life.grant()
    other = life.disk.files()
    other.write_at(other.create(f"{FOLDER}/hog"), bytes(80_000), 0)
    number = 0
    while answers := life.answers(append(granted, number + 1, bytes(1000))):
        assert isinstance(answers[0], Appended)
        number += 1
        assert number < 100
    assert number > 10
    assert life.core.status(life.now)["state"] == "full"
    assert life.turn(append(granted, number + 1, bytes(1000))) == [], "it is said once"
    question = life.answers(AppendQuestion("orders", granted.epoch))
    assert question == [AppendRefused("orders", granted.epoch, number + 1, granted.journal_epoch)]
    other.remove(f"{FOLDER}/hog")
    (taken,) = life.answers(append(granted, number + 1, bytes(1000)))
    assert isinstance(taken, Appended)
    assert life.core.status(life.now)["state"] == "live"


def test_a_refill_comes_in_bounded_chunks_up_to_what_is_published() -> None:
    life = Life(Disk(), segment_bytes=1 << 24)
    granted = life.grant()
    for number in range(1, 81):
        life.turn(append(granted, number, bytes(10_000)))
    lsn, blocks = 1, []
    while lsn <= 82:
        (chunk,) = life.answers(ReadRequest(lsn, 10**9), peer=b"remote")
        assert isinstance(chunk, ReadChunk)
        assert chunk.from_lsn == lsn
        assert chunk.last_lsn == 82
        assert len(chunk.block) <= CHUNK_BYTES
        blocks.append(chunk.block)
        lsn = parse(chunk.block)[-1].lsn + 1
    assert len(blocks) == 2
    assert [r.lsn for block in blocks for r in parse(block, verify=True)] == list(range(1, 83))
    (empty,) = life.answers(ReadRequest(83, 90))
    assert isinstance(empty, ReadChunk)
    assert empty.block == b""


def test_refills_never_keep_appends_waiting() -> None:
    life = Life(Disk())
    granted = life.grant()
    effects = life.turn(*[ReadRequest(1, 9) for _ in range(10)], append(granted, 1, b"a"))
    messages = [effect.message for effect in effects if isinstance(effect, Send)]
    assert isinstance(messages[0], Appended)
    assert sum(isinstance(message, ReadChunk) for message in messages) == 2
    deadline = life.core.next_deadline_ns()
    assert deadline is not None
    assert deadline <= life.now.boot_ns


def test_of_refills_more_than_a_bound_do_not_wait() -> None:
    life = Life(Disk())
    life.grant()
    effects = life.turn(*[ReadRequest(1, 1)] * (MAX_READS + 50))
    for _ in range(MAX_READS):
        effects += life.turn()
    assert sum(isinstance(effect, Send) for effect in effects) == MAX_READS


def test_a_flood_is_committed_in_parts_that_fit_a_link() -> None:
    life = Life(Disk(), segment_bytes=1 << 23)
    granted = life.grant()
    messages = [append(granted, number, bytes(1 << 19)) for number in range(1, 18)]
    blocks = [effect.data for effect in life.turn(*messages) if isinstance(effect, Publish)]
    assert len(blocks) == 3
    assert max(map(len, blocks)) < BATCH_BYTES * 2


BAD = {
    "no entry": Append("orders", 1, 1, []),
    "number 0": Append("orders", 1, 0, [(16, b"a")]),
    "a number of 64 bits": Append("orders", 1, 1 << 63, [(16, b"a")]),
    "epoch 0": Append("orders", 0, 1, [(16, b"a")]),
    "the journal's own kind": Append("orders", 1, 1, [(1, b"a")]),
    "no kind": Append("orders", 1, 1, [(70_000, b"a")]),
    "nobody's append": Append("", 1, 1, [(16, b"a")]),
    "nobody": EpochRequest("", 1),
    "a long name": EpochRequest("x" * 40, 1),
    "a name with accents": EpochRequest("s\u00e9ance", 1),
    "a name with a line break": EpochRequest("orders\n", 1),
    "a negative token": EpochRequest("orders", -1),
    "a token of 64 bits": EpochRequest("orders", 1 << 63),
    "nobody's question": AppendQuestion("", 1),
    "no record": ReadRequest(0, 9),
    "a negative record": ReadRequest(1, -9),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_what_nobody_can_mean_is_no_message_of_the_link(bad: msgspec.Struct) -> None:
    with pytest.raises(UNDECODABLE):
        Door(JournalRequest).decode(encode(bad))


@pytest.mark.parametrize("bad", [bad for bad in BAD.values() if isinstance(bad, Append)])
def test_no_append_of_that_kind_is_logged_or_ends_the_journal(bad: Append) -> None:
    life = Life(Disk())
    granted, risk = life.grant(), life.grant("risk", 5)
    bad = msgspec.structs.replace(bad, epoch=granted.epoch if bad.epoch else 0)
    refused, taken = life.answers(bad, append(risk, 1, b"x"))
    assert isinstance(refused, AppendRefused)
    assert isinstance(taken, Appended)
    assert [record.payload for record in life.records() if record.kind == 16] == [b"x"]


def test_a_writer_without_an_epoch_is_refused_and_not_logged() -> None:
    life = Life(Disk())
    life.grant()
    assert life.answers(Append("stranger", 0, 1, [(16, b"a")]), Append("stranger", 1, 1, [(16, b"a")])) == [
        AppendRefused("stranger", 0, 1, life.records()[0].journal_epoch)
    ] * 2  # fmt: skip
    assert [record.writer for record in life.records() if record.kind == 16] == []


def test_a_record_that_is_too_large_is_refused_by_name() -> None:
    life = Life(Disk())
    granted = life.grant()
    too_large, largest = bytes(MAX_RECORD_BYTES + 1), bytes(MAX_RECORD_BYTES)
    effects = life.turn(append(granted, 1, b"a", too_large), append(granted, 1, largest))
    refused, taken = [effect.message for effect in effects if isinstance(effect, Send)]
    assert isinstance(refused, AppendRefused)
    assert refused.why == "append 2, kind 16, has 1048577 bytes; a record has at most 1048576"
    assert isinstance(taken, Appended)
    assert any(isinstance(effect, Note) and effect.event == "bad_append" for effect in effects)


def test_a_damaged_log_is_refused_with_the_integrity_status() -> None:
    disk = Disk()
    life = Life(disk)
    life.turn(append(life.grant(), 1, b"a"))
    life.wait(300)
    life.die()
    number = disk.folder(FOLDER).volatile[f"{1:020d}.segment"]
    disk.inode(number).volatile[200] ^= 1
    core = Life(disk).core
    core.started(Instant(WALL_NS, 0))
    (effect,) = core.effects
    assert isinstance(effect, Exit)
    assert effect.status == ExitStatus.INTEGRITY
    assert "salvage" in effect.text


def test_a_second_journal_is_refused_without_the_integrity_status() -> None:
    disk = Disk()
    Life(disk)
    second = Life(disk)
    assert second.core.status(second.now)["state"] == "stopped"
    second.core.started(second.now)
    (effect,) = second.core.effects
    assert isinstance(effect, Exit)
    assert effect.status == ExitStatus.FAILURE


def torn_journal(disk: Disk) -> list[Record]:
    """A journal of several segments on the disk, its last batch unconfirmed and torn bytes behind it; its records."""
    life = Life(disk, segment_bytes=2048)
    granted = life.grant()
    for number in range(1, 31):
        life.turn(append(granted, number, b"%d" % number * 20))
        if number == 20:
            life.wait(100)
    life.die()
    records = life.records()
    files = disk.files()
    name = max(name for name in files.list(FOLDER) if name.endswith(".segment"))
    used = len(disk.contents(FOLDER)[name].rstrip(b"\0")) + 7 & ~7
    files.write_at(files.open(f"{FOLDER}/{name}", write=True), b"T" * 300, used)
    return records


def test_a_torn_tail_and_no_room_to_keep_it_is_a_full_disk_and_no_damage() -> None:
    disk = Disk()
    records = torn_journal(disk)
    disk.capacity_bytes = disk.used_bytes
    (refused,) = Life(disk, segment_bytes=2048).exits
    assert refused.status == ExitStatus.FAILURE
    assert refused.text.startswith("the disk is full: no room in /journal for 300 more bytes: free some disk space")
    disk.process_died()
    disk.capacity_bytes += 20_000
    again = Life(disk, segment_bytes=2048)
    assert again.exits == []
    assert again.records()[: len(records)] == records
    assert again.notes[-1].fields["torn_bytes"] == 300


def test_any_read_that_fails_at_start_ends_it_with_a_clear_text_and_the_next_start_has_everything() -> None:
    disk = Disk()
    records = torn_journal(disk)
    call, failed = 0, True
    while failed:
        call += 1
        tried = disk.copy()
        life = Life(tried, segment_bytes=2048, bad_read=call)
        failed = life.reads >= call
        if failed:
            check_refused(life.exits, call)
            assert life.core.next_deadline_ns() is None
        tried.process_died()
        again = Life(tried, segment_bytes=2048)
        assert (again.exits, again.records()[: len(records)]) == ([], records), call
    assert call > 20


def test_any_read_that_fails_while_serving_ends_it_with_a_clear_text_and_the_next_start_has_everything() -> None:
    disk = Disk()
    records = torn_journal(disk)
    call, failed = 0, True
    while failed:
        call += 1
        tried = disk.copy()
        life = Life(tried, segment_bytes=2048)
        life.reads, life.bad_read = 0, call
        effects = served(life, records)
        failed = life.reads >= call
        if failed:
            check_refused([effect for effect in effects if isinstance(effect, Exit)], call)
        tried.process_died()
        again = Life(tried, segment_bytes=2048)
        assert (again.exits, again.records()[: len(records)]) == ([], records), call
    assert call > 10


def served(life: Life, records: list[Record]) -> list[Effect]:
    """A grant, the same again, and refills of all that is there; what comes of it until the core ends."""
    effects = [*life.turn(EpochRequest("risk", 7)), *life.turn(EpochRequest("risk", 7))]
    for record in records[::6]:
        effects += life.turn(ReadRequest(record.lsn, 10**9))
    return effects


def check_refused(exits: list[Exit], call: int) -> None:
    (refused,) = exits
    assert refused.status == ExitStatus.INTEGRITY, call
    assert FOLDER in refused.text, call
    assert "injected into" in refused.text, call


@pytest.mark.parametrize("request_", [EpochRequest("orders", 1), ReadRequest(2, 9)])
def test_damage_that_is_met_while_serving_ends_it_with_the_integrity_status(request_: msgspec.Struct) -> None:
    life = Life(Disk())
    life.grant()
    life.wait(300)
    number = life.disk.folder(FOLDER).volatile[f"{1:020d}.segment"]
    life.disk.inode(number).volatile[64 + 104 + 40] ^= 1
    (refused,) = life.turn(request_)
    assert isinstance(refused, Exit)
    assert refused.status == ExitStatus.INTEGRITY
    assert "damaged journal: /journal/00000000000000000001.segment at byte" in refused.text
    assert life.turn(request_) == []


def test_stopping_marks_what_was_gathered_and_gives_up_the_lock() -> None:
    disk = Disk()
    life = Life(disk)
    granted = life.grant()
    life.core.received("journal", PEER, append(granted, 1, b"a"), life.now)
    life.core.stop(life.now)
    assert [type(effect) for effect in life.take()] == [Send, Publish, Exit]
    disk.crash_keeping(lambda: False)
    again = Life(disk)
    recovery = again.notes[-1].fields
    assert (recovery["copied_records"], recovery["torn_bytes"]) == (0, 0)
    assert again.records()[-2].payload == b"a"


def test_status_says_where_it_stands() -> None:
    life = Life(Disk())
    granted = life.grant()
    life.turn(append(granted, 1, b"a"))
    status = life.core.status(life.now)
    assert (status["state"], status["epoch"]) == ("live", granted.journal_epoch)
    assert (status["lsn"], status["durable_lsn"]) == (3, 3)
    writers = status["writers"]
    assert isinstance(writers, dict)
    assert writers["orders"] == {"epoch": granted.epoch, "append_number": 1}


def test_any_order_of_deaths_and_resends_writes_each_append_once() -> None:
    """A writer that resends from its first unacknowledged, a journal that dies at any time, answers that get lost."""
    for seed in range(20):
        random = Random(seed)
        disk = Disk()
        life = Life(disk)
        granted = life.grant()
        acknowledged, made, wall_ns = 0, 0, WALL_NS
        stamps: dict[int, int] = {}
        while acknowledged < 40:
            made = min(40, max(made, acknowledged + random.randrange(1, 6)))
            numbers = range(acknowledged + 1, made + 1)
            message = append(granted, numbers[0], *[b"%d" % number for number in numbers])
            answers = life.answers(message)
            for answer in answers:
                assert isinstance(answer, Appended)
                for number in range(answer.first_number, answer.number + 1):
                    assert stamps.setdefault(number, answer.stamp_ns) == answer.stamp_ns
                if random.random() < 0.6 and answer.first_number == acknowledged + 1:
                    acknowledged = answer.number
            if random.random() < 0.3:
                life.die()
                if random.random() < 0.5:
                    disk.crash(random)
                wall_ns += random.randrange(-(10**9), 10**9)
                life = Life(disk, wall_ns)
            life.wait(random.randrange(150))
        payloads = [record.payload for record in life.records() if record.kind == 16]
        assert payloads == [b"%d" % number for number in range(1, 41)]


# ---- old segments ----


def control(life: Life, act: str, arguments: bytes) -> ControlAnswer:
    life.core.received("control", b"desk", ControlRequest(act, arguments, token=9), life.now)
    (answer,) = [effect for effect in life.take() if isinstance(effect, Send)]
    assert answer.link == "control" and answer.peer == b"desk"
    assert isinstance(answer.message, ControlAnswer) and answer.message.token == 9
    return answer.message


def long_log() -> Life:
    """A log of several segments, with one writer that has been quiet since the first."""
    life = Life(Disk())
    life.answers(append(life.grant("quiet"), 1, b"once"))
    granted = life.grant()
    for number in range(1, 31):
        life.turn(append(granted, number, b"x" * 8000))
    life.wait(200)
    return life


def test_segments_are_dropped_below_a_record_and_nothing_above_is_touched() -> None:
    life = long_log()
    before = life.records()
    answer = control(life, "drop", b'{"below": 20}')
    assert answer.ok and answer.text.startswith("dropped 00000000000000000001.segment")
    after = life.records()
    assert 1 < after[0].lsn <= 20 and after == before[after[0].lsn - 1 :]


def test_what_dropped_segments_said_of_writers_is_known_after_a_restart() -> None:
    life = long_log()
    control(life, "drop", b'{"below": 25}')
    life.die()
    again = Life(life.disk)
    writers = again.core.status(again.now)["writers"]
    assert writers["quiet"]["append_number"] == 1 and writers["orders"]["append_number"] == 30  # type: ignore[index]
    (refused,) = again.answers(AppendQuestion("quiet", 1))
    assert isinstance(refused, AppendRefused) and refused.number_expected == 2


@pytest.mark.parametrize(
    ("act", "arguments", "why"),
    [
        ("drop", b'{"below": 1000000}', "not durable"),
        ("drop", b'{"under": 3}', "unknown field"),
        ("drop", b"{}", "missing"),
        ("shut", b"{}", "it has drop, skip, status"),
    ],
)
def test_a_drop_that_makes_no_sense_is_refused(act: str, arguments: bytes, why: str) -> None:
    life = long_log()
    answer = control(life, act, arguments)
    assert not answer.ok and why in answer.text
    assert life.records()[0].lsn == 1


def test_a_drop_that_fails_on_the_disk_ends_the_journal() -> None:
    life = long_log()
    life.failing = "remove"
    life.core.received("control", b"desk", ControlRequest("drop", b'{"below": 20}'), life.now)
    assert [effect.status for effect in life.take() if isinstance(effect, Exit)] == [ExitStatus.INTEGRITY]


# ---- what may wait ----


def patient(granted: EpochGranted, first: int, *, stream: bool = False, ack: bool = False) -> Append:
    return Append(granted.writer, granted.epoch, first, [(16, b"x%d" % first)], stream, ack)


def published(effects: list[Effect]) -> list[bytes]:
    return [record.payload for effect in effects if isinstance(effect, Publish) for record in parse(effect.data)]


def acknowledged(effects: list[Effect]) -> list[tuple[int, int]]:
    messages = [effect.message for effect in effects if isinstance(effect, Send)]
    return [(message.first_number, message.number) for message in messages if isinstance(message, Appended)]


def test_what_nobody_acts_on_is_published_with_what_follows_in_order() -> None:
    life = Life(Disk())
    granted = life.grant()
    effects = life.turn(patient(granted, 1, stream=True))
    assert acknowledged(effects) == [(1, 1)]
    assert published(effects) == []
    assert published(life.turn(patient(granted, 2))) == [b"x1", b"x2"]


def test_what_nobody_acts_on_waits_no_longer_than_its_bound() -> None:
    life = Life(Disk())
    granted = life.grant()
    life.turn(patient(granted, 1, stream=True))
    assert published(life.wait(HOLD_NS // NS_PER_MS)) == [b"x1"]


def test_an_acknowledgement_that_may_wait_goes_out_before_a_later_one_and_within_its_bound() -> None:
    life = Life(Disk())
    granted = life.grant()
    effects = life.turn(patient(granted, 1, ack=True))
    assert acknowledged(effects) == []
    assert published(effects) == [b"x1"]
    assert acknowledged(life.turn(patient(granted, 2))) == [(1, 1), (2, 2)]
    life.turn(patient(granted, 3, ack=True))
    assert acknowledged(life.wait(HOLD_ACKS_NS // NS_PER_MS)) == [(3, 3)]


def test_what_may_wait_is_as_durable_as_the_rest() -> None:
    life = Life(Disk())
    granted = life.grant()
    life.turn(patient(granted, 1, stream=True, ack=True))
    life.disk.crash_keeping(lambda: False)
    assert life.records()[-1].payload == b"x1"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errno.EMFILE, ExitStatus.FAILURE),
        (errno.EEXIST, ExitStatus.CONFIGURATION),
        (errno.EACCES, ExitStatus.CONFIGURATION),
        (errno.EIO, ExitStatus.INTEGRITY),
    ],
)
def test_a_folder_that_cannot_be_made_and_a_passing_error_are_no_damage(error: int, status: ExitStatus) -> None:
    def open_log(wall_ns: int) -> Log:
        files = DiskFiles(Disk(), lambda name, path: Fault(error) if name == "make_folder" else None)
        return Log.open(FOLDER, files, wall_ns=wall_ns, segment_bytes=1 << 16)

    files = DiskFiles(Disk())
    core = JournalCore(open_log, Reader(FOLDER, files), JournalSettings(0), partial(skip_record, FOLDER, files))
    core.started(Instant(WALL_NS, 0))
    (effect,) = core.effects
    assert isinstance(effect, Exit)
    assert effect.status is status and FOLDER in effect.text


def test_a_record_that_a_person_skips_is_written_down_and_then_journaled() -> None:
    life = Life(Disk())
    granted = life.grant()
    life.turn(append(granted, 1, b"poison"))
    lsn = life.records()[-1].lsn
    answer = control(life, "skip", b'{"lsn": %d}' % lsn)
    assert answer.ok and f"record {lsn} is left out" in answer.text
    assert skipped_records(FOLDER, life.files) == {lsn}
    life.wait(100)
    record = next(record for record in life.records() if record.kind == Kind.OPERATOR)
    act = msgspec.msgpack.decode(record.payload, type=OperatorAct)
    assert (record.writer, act.actor, act.act, act.text) == ("journal", "journal", "skip", str(lsn))
    life.turn(append(granted, 2, b"a"))
    life.die()
    assert skipped_records(FOLDER, life.disk.files()) == {lsn}
    assert Life(life.disk).grant(token=3)


@pytest.mark.parametrize("arguments", [b'{"lsn": 0}', b'{"lsn": 1000}', b'{"lsn": "x"}', b"{}", b'{"below": 1}'])
def test_a_record_that_there_is_not_is_not_skipped(arguments: bytes) -> None:
    life = Life(Disk())
    life.turn(append(life.grant(), 1, b"a"))
    assert not control(life, "skip", arguments).ok
    assert skipped_records(FOLDER, life.files) == frozenset()


def test_a_skip_that_cannot_be_written_down_is_not_journaled() -> None:
    life = Life(Disk())
    life.turn(append(life.grant(), 1, b"a"))
    last = life.records()[-1].lsn
    life.failing = "make_folder"
    answer = control(life, "skip", b'{"lsn": 1}')
    assert not answer.ok and "nothing was done" in answer.text
    assert life.records()[-1].lsn == last


def test_where_nobody_can_look_for_skipped_records_nothing_is_taken_for_none() -> None:
    failing = DiskFiles(Disk(), lambda name, path: Fault(errno.EIO) if name == "list" else None)
    with pytest.raises(ReadFailed, match="skipped"):
        skipped_records(FOLDER, failing)


# ---- the copy off the machine ----


def starting_copied_journal(lag_records: int = 50, lag_ms: int = 1_000) -> Life:
    return Life(Disk(), copy_bounds=CopyBounds(lag_records, lag_ms * NS_PER_MS))


def copied_journal(lag_records: int = 50, lag_ms: int = 1_000) -> Life:
    """The stream was asked: nobody else goes on. How far the copy is, is not known yet."""
    life = starting_copied_journal(lag_records, lag_ms)
    life.turn(CopyReport(0, 0, life.now.boot_ns))
    return life


def levels(effects: list[Effect]) -> list[int]:
    """What each tick that was published announces."""
    blocks = [effect.data for effect in effects if isinstance(effect, Publish)]
    return [record.payload[0] for block in blocks for record in parse(block) if record.kind == TICK]


def end_of_log(life: Life) -> tuple[int, int]:
    status = life.core.status(life.now)
    return int(str(status["durable_lsn"])), int(str(status["stamp_ns"]))


def test_until_the_replicator_has_spoken_what_adds_risk_is_refused() -> None:
    life = copied_journal()
    assert set(levels(life.wait(350))) == {JournalLevel.COPY_BEHIND}
    (acknowledged_,) = life.answers(append(life.grant(), 1, b"a"))
    assert isinstance(acknowledged_, Appended) and acknowledged_.announced == JournalLevel.COPY_BEHIND
    life.turn(CopyReport(*end_of_log(life)), peer=b"replicator")
    assert set(levels(life.wait(350))) == {JournalLevel.NOTHING}


def test_without_a_copy_nobody_waits_for_one() -> None:
    life = Life(Disk())
    assert life.turn(CopyReport(1, 1), peer=b"replicator") == [] and set(levels(life.wait(350))) == {0}
    assert life.core.status(life.now)["copy"] is None


def test_the_replicator_is_told_the_durable_end_once_it_is_beyond_the_copy() -> None:
    life = copied_journal()
    (end,) = life.answers(CopyReport(0, 0), peer=b"replicator")
    lsn, stamp_ns = end_of_log(life)
    assert isinstance(end, DurableEnd) and (end.lsn, end.stamp_ns) == (lsn, stamp_ns)
    assert life.answers(CopyReport(lsn, stamp_ns), peer=b"replicator") == [], "there is nothing more"
    (granted, told) = life.answers(EpochRequest("orders", 1))
    assert isinstance(granted, EpochGranted) and isinstance(told, DurableEnd) and told.lsn == granted.lsn
    assert not [answer for answer in life.answers(append(granted, 1, b"a")) if isinstance(answer, DurableEnd)]


def test_a_change_of_the_level_is_told_to_every_writer_at_once() -> None:
    """Orders that refuses everything appends nothing, so no acknowledgement would ever tell it that it may go on."""
    life = copied_journal()
    writers = {name: life.grant(name, token) for token, name in enumerate(("orders", "risk", "session@a"), 1)}
    life.turn(append(writers["orders"], 1, b"a"))
    told_ = life.answers(CopyReport(*end_of_log(life)), peer=b"replicator")
    levels_ = {each.writer: each for each in told_ if isinstance(each, Appended)}
    assert levels_.keys() == writers.keys()
    for name, each in levels_.items():
        assert (each.epoch, each.number, each.announced) == (writers[name].epoch, 0, JournalLevel.NOTHING)
    assert not [each for each in life.answers(CopyReport(*end_of_log(life))) if isinstance(each, Appended)]


def test_a_copy_that_is_too_old_or_too_far_behind_is_announced_and_taken_back() -> None:
    life = copied_journal(lag_records=50, lag_ms=1_000)
    granted = life.grant()
    life.turn(CopyReport(*end_of_log(life)), peer=b"replicator")
    assert set(levels(life.wait(900))) == {JournalLevel.NOTHING}
    assert levels(life.wait(400))[-1] == JournalLevel.COPY_BEHIND
    copy = life.core.status(life.now)["copy"]
    assert isinstance(copy, dict) and copy["behind"] and copy["lag_ms"] > 1_000
    life.turn(CopyReport(*end_of_log(life)), peer=b"replicator")
    assert levels(life.wait(150))[-1] == JournalLevel.NOTHING
    life.turn(append(granted, 1, *[b"a"] * 60))
    assert levels(life.wait(150))[-1] == JournalLevel.COPY_BEHIND


def test_what_is_not_copied_is_not_dropped() -> None:
    life = long_log()
    life.core._copy = Copy(CopyBounds(10, NS_PER_S))
    last, stamp_ns = end_of_log(life)
    answer = control(life, "drop", orjson.dumps({"below": last - 1}))
    assert not answer.ok and "is not copied yet" in answer.text
    life.turn(CopyReport(last, stamp_ns), peer=b"replicator")
    assert control(life, "drop", orjson.dumps({"below": last - 1})).ok


# ---- another host may go on ----


def test_after_a_start_nothing_is_told_before_the_stream_was_asked_who_goes_on() -> None:
    life = starting_copied_journal()
    assert told(life.turn(EpochRequest("orders", 1))) == told(life.wait(350)) == []
    assert told(life.turn(CopyReport(1, 1, life.now.boot_ns - 400 * NS_PER_MS))) == [], "asked before it began"
    assert life.core.status(life.now)["asks_who_goes_on"]
    answers = told(life.turn(CopyReport(1, 1, life.now.boot_ns)))
    assert [answer.writer for answer in answers if isinstance(answer, EpochGranted)] == ["orders"]
    assert not life.core.status(life.now)["asks_who_goes_on"]


def test_whoever_stood_still_tells_nothing_more_before_the_stream_was_asked_again() -> None:
    life = copied_journal()
    granted = life.grant()
    assert told(life.turn(append(granted, 1, b"a")))
    asked_ns = life.now.boot_ns
    life.now = Instant(life.now.wall_ns + 9 * NS_PER_S, life.now.boot_ns + 9 * NS_PER_S)
    life.core.stood_still(life.now)
    life.take()
    assert told(life.turn(append(granted, 2, b"b"))) == told(life.turn(CopyReport(2, 2, asked_ns))) == []
    (again,) = told(life.turn(append(granted, 1, b"a")))
    assert isinstance(again, Appended) and again.number == 1, "what was told may be told again"
    rest = told(life.turn(CopyReport(2, 2, life.now.boot_ns)))
    assert [answer.number for answer in rest if isinstance(answer, Appended)] == [2]


def test_without_a_copy_whoever_stood_still_goes_on() -> None:
    life = Life(Disk())
    granted = life.grant()
    life.core.stood_still(life.now)
    assert told(life.turn(append(granted, 1, b"a")))


def test_a_fenced_journal_ends_and_tells_nothing_of_what_it_holds() -> None:
    life = waiting_journal()
    granted = granted_and_copied(life)
    life.turn(append(granted, 1, b"a"))
    effects = life.turn(append(granted, 2, b"b"), CopyReport(0, 0, fenced=True))
    (end,) = (effect for effect in effects if isinstance(effect, Exit))
    assert end.status is ExitStatus.FENCED and told(effects) == []
    assert life.turn(append(granted, 3, b"c")) == life.wait(500) == []


@pytest.mark.parametrize(("claim", "status"), [(FENCED, ExitStatus.FENCED), (FOLLOWING, ExitStatus.CONFIGURATION)])
def test_a_folder_that_is_not_to_be_written_is_left_as_it_is(claim: str, status: ExitStatus) -> None:
    life = Life(Disk())
    life.die()
    records = life.records()
    write_claim(FOLDER, life.disk.files(), claim, "alice took it over")
    later = Life(life.disk)
    (end,) = later.exits
    assert end.status is status and ("alice" in end.text or "fixring takeover" in end.text)
    assert later.records() == records
    remove_claim(FOLDER, life.disk.files(), claim)
    assert not Life(life.disk).exits


def test_after_a_takeover_each_writer_is_told_once_that_its_epoch_is_the_first_in_the_term() -> None:
    life = Life(Disk())
    life.turn(append(life.grant(), 1, b"a"))
    log, disk = life.core._log, Disk()
    assert log is not None
    reader, end, stamp_ns = Reader(FOLDER, life.files), log.end, log.last_stamp_ns
    followed = FollowedLog.begin(FOLDER, disk.files(), log.identity)
    followed.take(reader.read_block(1, end.lsn))
    floor = epoch_floor(log.epoch, life.now.wall_ns, stamp_ns)
    followed.take(term_block(TermBegan(2, "alice", "b", *end, floor, life.now.wall_ns), stamp_ns))
    followed.close()
    remove_claim(FOLDER, disk.files(), FOLLOWING)
    there = Life(disk)
    for token, writer, is_first in ((8, "orders", True), (9, "orders", False), (8, "risk", True), (9, "risk", False)):
        granted = there.grant(writer, token)
        assert (granted.term, granted.term_after_lsn, granted.first_in_term) == (2, end.lsn, is_first), writer
        assert granted.epoch > floor


@pytest.mark.parametrize("writer", ["journal", "term"])
def test_the_log_s_own_names_are_granted_to_nobody(writer: str) -> None:
    life = Life(Disk())
    assert life.answers(EpochRequest(writer, 1)) == []


# ---- a copy that is waited for ----


def waiting_journal(disk: Disk | None = None) -> Life:
    return Life(disk or Disk(), copy_bounds=CopyBounds(1_000_000, 3600 * NS_PER_S, waits=True))


def copied(life: Life, lsn: int = 0) -> list[Effect]:
    """The replicator says that the copy holds everything, or up to a record."""
    log = life.core._log
    assert log is not None
    return life.turn(CopyReport(lsn or log.last_lsn, log.last_stamp_ns, life.now.boot_ns), peer=b"replicator")


def told(effects: list[Effect]) -> list[object]:
    """What anybody but the replicator is told: answers, and published records."""
    answers: list[object] = [
        effect.message
        for effect in effects
        if isinstance(effect, Send) and not isinstance(effect.message, DurableEnd | ControlAnswer)
    ]
    blocks = [effect.data for effect in effects if isinstance(effect, Publish)]
    return answers + [record for block in blocks for record in parse(block)]


def granted_and_copied(life: Life) -> EpochGranted:
    assert told(life.turn(EpochRequest("orders", 1))) == []
    answers = [effect.message for effect in copied(life) if isinstance(effect, Send)]
    (granted,) = [answer for answer in answers if isinstance(answer, EpochGranted)]
    return granted


def test_nothing_is_granted_acknowledged_or_published_before_the_copy_holds_it() -> None:
    life = waiting_journal()
    granted = granted_and_copied(life)
    first = life.turn(append(granted, 1, b"a"))
    second = life.turn(append(granted, 2, b"b", b"c"))
    assert told(first) == told(second) == [] and [r.payload for r in life.records()][-3:] == [b"a", b"b", b"c"]
    half = told(copied(life, granted.lsn + 2))
    assert [answer.number for answer in half if isinstance(answer, Appended)] == [1], "the second batch is half there"
    assert [record.payload for record in half if isinstance(record, Record)] == [b"a"]
    rest = told(copied(life))
    assert [(a.first_number, a.number) for a in rest if isinstance(a, Appended)] == [(2, 3)]
    assert [record.payload for record in rest if isinstance(record, Record)] == [b"b", b"c"]


def test_batches_are_written_and_synced_while_the_copy_is_waited_for() -> None:
    life = waiting_journal()
    granted = granted_and_copied(life)
    for number in range(1, 6):
        life.turn(append(granted, number, b"x"))
    assert life.core.status(life.now)["waits_for_copy"] == 5
    acknowledged_ = [answer for answer in told(copied(life)) if isinstance(answer, Appended)]
    assert [answer.number for answer in acknowledged_] == [1, 2, 3, 4, 5]


def test_a_repeat_is_no_way_around_the_copy() -> None:
    """Nor a repeated request for an epoch, a question, a refill, or the status."""
    life = waiting_journal()
    assert told(life.turn(EpochRequest("orders", 1))) == told(life.turn(EpochRequest("orders", 1))) == []
    answers = [effect.message for effect in copied(life) if isinstance(effect, Send)]
    (granted,) = [answer for answer in answers if isinstance(answer, EpochGranted)]
    life.turn(append(granted, 1, b"a"))
    assert told(life.turn(append(granted, 1, b"a"))) == []
    (refused,) = told(life.turn(AppendQuestion("orders", granted.epoch)))
    assert isinstance(refused, AppendRefused) and refused.number_expected == 2
    (chunk,) = told(life.turn(ReadRequest(1, 99)))
    assert isinstance(chunk, ReadChunk) and chunk.last_lsn == granted.lsn == parse(chunk.block)[-1].lsn
    status = life.core.status(life.now)
    assert (status["lsn"], status["durable_lsn"]) == (granted.lsn, granted.lsn)
    copied(life)
    (again,) = told(life.turn(append(granted, 1, b"a")))
    assert isinstance(again, Appended) and again.number == 1


def test_after_a_restart_nothing_is_told_before_the_replicator_has_spoken() -> None:
    life = waiting_journal()
    granted = granted_and_copied(life)
    life.turn(append(granted, 1, b"a"))
    life.die()
    later = waiting_journal(life.disk)
    assert told(later.turn(append(granted, 1, b"a"))) == told(later.turn(EpochRequest("risk", 4))) == []
    assert told(later.turn(ReadRequest(1, 99)))[0].last_lsn == 0  # type: ignore[attr-defined]
    answers = told(copied(later))
    assert [answer.writer for answer in answers if isinstance(answer, EpochGranted)] == ["risk"]
    (again,) = told(later.turn(append(granted, 1, b"a")))
    assert isinstance(again, Appended) and again.number == 1


def test_readers_of_the_files_look_no_further_than_the_copy() -> None:
    life = waiting_journal()
    granted = granted_and_copied(life)
    life.turn(append(granted, 1, b"a"))
    life.wait(250)
    assert Reader(FOLDER, life.files).durable_lsn() == granted.lsn
    copied(life)
    life.wait(250)
    assert Reader(FOLDER, life.files).durable_lsn() > granted.lsn
    life.die()
    Life(life.disk).wait(250)
    assert Reader(FOLDER, life.disk.files()).durable_lsn() > granted.lsn + 1, "without a copy they see all"

"""Invariant: which term a log is in outlives every restart and retention, and no epoch of a later term can be one that
was granted before it.
"""

import pytest

from common.instant import NS_PER_S
from common.journal import TICK, BadFrame, Entry, Log, Reader, Record
from common.journal.frames import TERM, TERM_WRITER, Link, parse
from common.journal.imported import Imported
from common.journal.terms import EPOCHS_LEFT_OUT, FIRST_TERM, TermBegan, epoch_floor, term_block, term_of
from common.past.words import line
from scripts.simulation.disk import Disk

WALL_NS = 1_800_000_000 * NS_PER_S
FOLDER = "/journal"


def taken_over(disk: Disk, source: Log, to: str) -> TermBegan:
    """All of a log in another folder, in the next term."""
    end, stamp_ns = source.end, source.last_stamp_ns
    floor = epoch_floor(source.epoch, WALL_NS, stamp_ns)
    began = TermBegan(source.term + 1, "alice", "b", end.lsn, end.crc, floor, WALL_NS)
    made, reader = Imported(to, disk.files(), source.identity), Reader(FOLDER, disk.files())
    while made.end.lsn < end.lsn:
        made.take(reader.read_block(made.end.lsn + 1, end.lsn))
    made.take(term_block(began, stamp_ns))
    made.finish()
    return began


def test_the_term_and_its_floor_hold_after_retention_and_restarts() -> None:
    disk = Disk()
    log = Log.open(FOLDER, disk.files(), wall_ns=WALL_NS)
    log.append([Entry(16, "me", 1, 1, b"a")], WALL_NS)
    assert (log.term, log.least_epoch) == (FIRST_TERM, 0)
    began = taken_over(disk, log, "/other")
    other = Log.open("/other", disk.files(), wall_ns=WALL_NS, segment_bytes=1 << 12)
    assert (other.term, other.identity) == (2, log.identity) and other.epoch > began.epoch_floor
    for number in range(1, 60):
        other.append([other.own_entry(TICK, b"x" * 100)], other.last_stamp_ns + number)
    other.drop_before(other.last_lsn - 3)
    assert other.first_lsn > began.lsn + 2
    other.close()
    for _ in range(2):
        again = Log.open("/other", disk.files(), wall_ns=WALL_NS)
        assert (again.term, again.least_epoch) == (2, again.epoch) and again.epoch > began.epoch_floor
        again.close()


HIGH = 1_900_000_000


@pytest.mark.parametrize(("epoch", "wall_s", "stamp_s"), [(HIGH, 1, 1), (1, HIGH, 1), (1, 1, HIGH)])
def test_the_floor_is_a_day_s_worth_above_all_that_is_known(epoch: int, wall_s: int, stamp_s: int) -> None:
    assert epoch_floor(epoch, wall_s * NS_PER_S, stamp_s * NS_PER_S) == HIGH + EPOCHS_LEFT_OUT


def test_a_term_record_says_who_took_over_and_anything_else_is_none() -> None:
    began = TermBegan(3, "alice", "b", 7, 99, 500, WALL_NS)
    epoch, term = parse(term_block(began, WALL_NS), verify=True)
    assert term_of(term) == began and began.after == Link(7, 99) and epoch.writer_epoch == term.journal_epoch == 501
    assert "alice took it over for b with term 3, behind record 7" in line(term, None)
    for wrong in (
        Record(9, 1, TERM, TERM_WRITER, 3, 1, 501, 7, b"x"),
        Record(9, 1, TERM, TERM_WRITER, 4, 1, 501, 7, term.payload),
        Record(9, 1, TERM, "orders", 3, 1, 501, 7, term.payload),
    ):
        with pytest.raises(BadFrame):
            term_of(wrong)

"""Invariant: the stream holds a beginning of the log, byte for byte, whatever dies or answers oddly; and where it does
not, the replicator ends and says so.
"""

from random import Random

import pytest

from common.exit_status import ExitStatus
from common.instant import NS_PER_S, Instant
from common.journal.frames import end_of, parse
from common.journal.terms import TermBegan, term_block
from common.replication.message import Batch, batch_of
from tests.common.replication.fake import Odd, draw_odd
from tests.services.replicator.rig import Rig


def test_what_is_durable_is_copied_byte_for_byte_and_told_to_the_journal() -> None:
    rig = Rig()
    rig.append(b"one", b"two")
    rig.wait(10)
    assert rig.copied() == rig.own() and rig.log.durable_lsn >= 3
    assert rig.reports[-1].lsn == rig.log.durable_lsn and rig.reports[-1].stamp_ns == rig.log.last_stamp_ns
    rig.append(b"three")
    rig.wait(10)
    assert rig.copied() == rig.own() and not rig.exits
    status = rig.core.status(rig.now)
    assert (status["state"], status["lag_records"], status["lag_ms"]) == ("live", 0, 0)


def test_under_load_a_message_holds_all_that_was_committed_meanwhile() -> None:
    rig = Rig()
    rig.wait(10)
    before = len(rig.stream.held)
    for number in range(50):
        rig.append(b"%d" % number)
    rig.wait(10)
    assert rig.copied() == rig.own() and len(rig.stream.held) - before <= 2


def test_it_crosses_segments_and_takes_the_largest_record() -> None:
    rig = Rig(segment_bytes=3 << 20)
    for _ in range(6):
        rig.append(b"x" * (1 << 20))
    rig.wait(10)
    assert rig.copied() == rig.own() and not rig.exits


def test_an_absent_stream_is_waited_for_and_says_how_it_is_made() -> None:
    rig = Rig()
    rig.stream.missing = True
    rig.append(b"one")
    rig.wait(1_000)
    assert "fixring replication init" in str(rig.core.status(rig.now)["failing"])
    assert [note.event for note in rig.notes] == ["copy_away"]
    rig.stream.missing = False
    rig.wait(500)
    assert rig.copied() == rig.own() and rig.core.status(rig.now)["failing"] == ""
    assert [note.event for note in rig.notes] == ["copy_away", "copy_back"]


def test_while_the_stream_is_away_the_lag_grows_and_then_goes() -> None:
    rig = Rig()
    rig.wait(10)
    rig.stream.away = True
    for number in range(5):
        rig.append(b"%d" % number)
        rig.wait(1_100)
    status = rig.core.status(rig.now)
    assert status["state"] == "away" and int(str(status["lag_records"])) >= 4 and float(str(status["lag_ms"])) >= 4
    rig.stream.away = False
    rig.wait(500)
    assert rig.copied() == rig.own() and rig.core.status(rig.now)["lag_records"] == 0


def test_a_new_life_goes_on_from_what_the_stream_holds() -> None:
    rig = Rig()
    rig.append(b"one")
    rig.wait(10)
    rig.append(b"two")
    rig.start()
    rig.opened.clear()
    rig.wait(10)
    assert rig.copied() == rig.own() and not rig.exits


@pytest.mark.parametrize("seed", range(30))
def test_any_run_of_faults_and_deaths_leaves_the_stream_a_beginning_of_the_log(seed: int) -> None:
    random, rig = Random(seed), Rig()
    for number in range(25):
        draw_odd(random, rig.stream)
        rig.stream.away = random.random() < 0.1
        rig.append(*[b"%d" % number] * random.randint(1, 3))
        rig.wait(random.choice((1, 20, 400)))
        if random.random() < 0.2:
            rig.start()
            rig.opened.clear()
        assert rig.own().startswith(rig.copied())
        assert not rig.exits, rig.exits
    rig.stream.odd, rig.stream.stale, rig.stream.away = [], 0, False
    rig.wait(2_000)
    assert rig.copied() == rig.own()
    assert all(batch.block for batch in rig.stream.held)


def test_another_host_s_message_fences_it_with_a_status_of_its_own() -> None:
    rig = Rig()
    rig.append(b"one")
    rig.wait(10)
    last = rig.stream.held[-1]
    rig.stream.held.append(Batch(2, last.last_lsn + 1, last.last_lsn + 1, b"another host's"))
    rig.append(b"two")
    rig.wait(10)
    (end,) = rig.exits
    assert end.status is ExitStatus.FENCED and "term 2" in end.text
    rig.exits.clear()
    rig.start()
    rig.opened.clear()
    rig.wait(10)
    assert [end.status for end in rig.exits] == [ExitStatus.FENCED], "nor does it begin again"


def take_over(rig: Rig, term: int = 2) -> None:
    """Another host takes the journal over, behind what the stream holds."""
    end = end_of(rig.stream.held[-1].block)
    began = TermBegan(term, "alice", "b", end.lsn, end.crc, 1_900_000_000, rig.now.wall_ns)
    rig.stream.held.append(batch_of(term, term_block(began, rig.log.last_stamp_ns)))


@pytest.mark.parametrize("restarted", [False, True])
def test_a_takeover_fences_it_and_the_successor_is_named_and_written_down(restarted: bool) -> None:
    rig = Rig()
    for number in range(5):
        rig.append(b"%d" % number)
        rig.wait(10)
    take_over(rig)
    rig.append(b"the tail")
    if restarted:
        rig.start()
        rig.opened.clear()
    held = list(rig.stream.held)
    rig.wait(10)
    (end,) = rig.exits
    assert end.status is ExitStatus.FENCED and "alice took it over for b with term 2" in end.text
    assert len(rig.fences) == 1 and "alice" in rig.fences[0]
    assert rig.reports[-1].fenced and rig.stream.held == held


def test_that_nobody_else_goes_on_is_told_as_of_when_that_was_asked() -> None:
    rig = Rig()
    rig.stream.away = True
    rig.wait(600)
    assert {report.asked_boot_ns for report in rig.reports} == {0}
    rig.stream.away, rig.stream.missing = False, True
    began_ns = rig.now.boot_ns
    rig.wait(600)
    assert rig.reports[-1].asked_boot_ns >= began_ns, "nobody can take over by a stream that there is not"
    rig.stream.missing, began_ns = False, rig.now.boot_ns
    rig.append(b"one")
    rig.wait(600)
    assert rig.reports[-1].asked_boot_ns >= began_ns and rig.copied() == rig.own()


def test_what_was_only_read_says_nothing_of_who_goes_on() -> None:
    """A leader that is none any more, and does not know it, shows the stream as it was."""
    rig = Rig()
    rig.append(b"one")
    rig.wait(600)
    rig.start()
    rig.reports.clear()
    rig.wait(2_000)
    assert rig.reports[-1].lsn == rig.log.durable_lsn
    assert {report.asked_boot_ns for report in rig.reports} == {0}, "it was compared, and nothing was published"
    rig.append(b"two")
    rig.stream.odd, began_ns = [Odd.UNHEARD], rig.now.boot_ns
    rig.wait(2_000)
    assert rig.reports[-1].asked_boot_ns == 0 and rig.copied() == rig.own(), "it was found there"
    rig.append(b"three")
    rig.wait(2_000)
    assert rig.reports[-1].asked_boot_ns >= began_ns


def test_a_stream_of_another_log_is_never_added_to() -> None:
    rig, other = Rig(), Rig()
    other.append(b"another log's")
    other.wait(10)
    rig.stream.held = list(other.stream.held)
    rig.append(b"one")
    rig.wait(10)
    (end,) = rig.exits
    assert end.status is ExitStatus.INTEGRITY and rig.stream.held == other.stream.held


def test_a_log_that_lacks_what_the_stream_has_is_never_gone_on_with() -> None:
    rig = Rig()
    rig.append(b"one")
    rig.wait(10)
    lost = rig.stream.held[-1]
    rig.stream.held.append(lost._replace(first_lsn=lost.last_lsn + 1, last_lsn=lost.last_lsn + 1))
    rig.start()
    rig.opened.clear()
    rig.wait(10)
    (end,) = rig.exits
    assert end.status is ExitStatus.INTEGRITY and "and the log ends with" in end.text


def test_all_of_the_stream_is_read_again_and_a_changed_message_ends_it() -> None:
    rig = Rig()
    for number in range(6):
        rig.append(b"%d" % number)
        rig.wait(10)
    rig.start()
    rig.opened.clear()
    rig.wait(3_000)
    assert rig.core.status(rig.now)["checked_sequence"] == len(rig.stream.held)
    block = bytearray(rig.stream.held[2].block)
    block[-3] ^= 4
    rig.stream.held[2] = rig.stream.held[2]._replace(block=bytes(block))
    rig.wait(1_000)
    assert not rig.exits, "the next pass is a day later"
    day_ns = 86_400 * NS_PER_S
    rig.now = Instant(rig.now.wall_ns + day_ns, rig.now.boot_ns + day_ns)
    rig.wait(2_000)
    (end,) = rig.exits
    assert end.status is ExitStatus.INTEGRITY and "message 3 of the stream" in end.text


def test_a_duplicate_is_never_taken_as_yes() -> None:
    rig = Rig()
    rig.wait(10)
    rig.stream.odd = [Odd.DUPLICATE, Odd.DUPLICATE]
    rig.append(b"one")
    rig.wait(100)
    assert rig.reports[-1].lsn < rig.log.durable_lsn
    rig.wait(1_000)
    assert rig.copied() == rig.own() and rig.core.status(rig.now)["unclear"] == 2
    assert [record.lsn for batch in rig.stream.held for record in parse(batch.block)] == list(
        range(1, rig.log.durable_lsn + 1)
    )

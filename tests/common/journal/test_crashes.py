"""Whatever call the process or the power dies in, everything acknowledged is there, and nothing else than was written.

Every call of a workload that opens, appends, rotates, marks, drops and opens again; for each, the page cache alone, and
crash states of the disk: unsynced pages, lengths and folder entries, in any combination.
"""

import errno
from collections.abc import Callable
from random import Random

import pytest

from common.journal import JournalError, Link, Log, LogFailed
from common.journal.files import write_all
from common.journal.log import Durability
from common.journal.recovery import Survey
from common.journal.segments import segment_name
from scripts.simulation.disk import Called, Disk, DiskFiles, Fault
from tests.common.journal.support import FOLDER, Story, calls_of, counting, open_log, small_disk


def plain(called: Called) -> None:
    Story(small_disk(), called).run()


CALLS = calls_of(plain)


def died_at(call: int, durability: Durability = "disk") -> Story:
    story = Story(small_disk(), counting(call, [0]))
    story.run(durability)
    story.files = story.disk.files()
    story.disk.process_died()
    return story


@pytest.mark.parametrize("part", range(4))
def test_killed_process_loses_nothing_acknowledged(part: int) -> None:
    for call in range(part, CALLS + 1, 4):
        story = died_at(call)
        story.check(story.disk.copy(), story.acknowledged_lsn)


@pytest.mark.parametrize("part", range(8))
def test_lost_power_loses_nothing_acknowledged(part: int) -> None:
    random = Random(part)
    for call in range(part, CALLS + 1, 8):
        story = died_at(call)
        for crashed in story.disk.crash_states(random, most=12):
            story.check(crashed, story.acknowledged_lsn)


@pytest.mark.parametrize("part", range(4))
def test_recovery_itself_may_be_killed_anywhere(part: int) -> None:
    random = Random(part)
    for call in random.sample(range(CALLS), 6):
        story = died_at(call)
        crashed = next(iter(story.disk.crash_states(random, most=8)))

        def recover(called: Called, crashed: Disk = crashed) -> None:
            open_log(crashed.copy().files(called))

        for second in range(calls_of(recover)):
            disk = crashed.copy()
            try:
                open_log(disk.files(counting(second, [0])))
            except BaseException as error:
                assert type(error).__name__ == "Killed"
            disk.process_died()
            story.check(disk.copy(), story.acknowledged_lsn)
            disk.crash(random)
            story.check(disk, story.acknowledged_lsn)


@pytest.mark.parametrize("part", range(4))
def test_process_durability_survives_the_process(part: int) -> None:
    for call in range(part, CALLS, 4):
        story = died_at(call, durability="process")
        story.check(story.disk.copy(), story.acknowledged_lsn)


@pytest.mark.parametrize("part", range(4))
def test_process_durability_keeps_what_was_synced_when_the_power_goes(part: int) -> None:
    random = Random(part)
    for call in range(part, CALLS, 4):
        story = died_at(call, durability="process")
        for crashed in story.disk.crash_states(random, most=6):
            story.check(crashed, story.durable_lsn)


class OneFault:
    """Call number `at` fails in one way; all others work."""

    def __init__(self, at: int, fault: Fault) -> None:
        self.at = at
        self.fault = fault
        self.made = 0
        self.hit = ""

    def __call__(self, name: str, _path: str) -> Fault | None:
        self.made += 1
        if self.made != self.at:
            return None
        self.hit = name
        return self.fault


@pytest.mark.parametrize("fault", [Fault(errno.EIO), Fault(errno.ENOSPC), Fault(taken=7), Fault(taken=0)])
def test_every_call_failing_once_loses_nothing_acknowledged(fault: Fault) -> None:
    random = Random(fault.error)
    for call in range(1, CALLS + 1):
        failing = OneFault(call, fault)
        story = Story(small_disk(), failing)
        try:
            story.run()
        except JournalError as error:
            raise AssertionError(f"call {call}, {failing.hit}: {error}") from error
        story.disk.process_died()
        story.check(story.disk.copy(), story.acknowledged_lsn)
        story.disk.crash(random)
        story.check(story.disk, story.acknowledged_lsn)


def violated() -> bool:
    """Whether any of the checks above fails, over lost power at every call and an error of the disk in every call."""
    random = Random(0)
    for call in range(1, CALLS + 1):
        failing = Story(small_disk(), OneFault(call, Fault(errno.EIO)))
        failing.run()
        failing.disk.process_died()
        for story in (died_at(call), failing):
            for disk in (story.disk.copy(), *story.disk.crash_states(random, most=8)):
                try:
                    story.check(disk, story.acknowledged_lsn)
                except (JournalError, AssertionError):
                    return True
    return False


def test_the_checks_pass_as_the_log_is() -> None:
    assert not violated()


def plant(monkeypatch: pytest.MonkeyPatch, write: Callable[[Log, bytes], None]) -> None:
    """Let the log write its batches so, and believe that they are durable."""

    def planted(self: Log, block: bytes, end: Link) -> None:
        try:
            write(self, block)
        except OSError as error:
            self._failure = error
            raise LogFailed("planted", error) from error
        self._durable = end

    monkeypatch.setattr(Log, "_write", planted)


def test_planted_acknowledging_before_the_sync_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, lambda log, block: write_all(log._files, log._handle, block, log._position))
    assert violated()


def test_planted_trying_again_after_a_failed_sync_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def write(log: Log, block: bytes) -> None:
        write_all(log._files, log._handle, block, log._position)
        try:
            log._files.sync(log._handle)
        except OSError:
            log._files.sync(log._handle)

    plant(monkeypatch, write)
    assert violated()


def test_planted_forgetting_that_writes_may_be_short_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def write(log: Log, block: bytes) -> None:
        log._files.write_at(log._handle, block, log._position)
        log._files.sync(log._handle)

    plant(monkeypatch, write)
    with pytest.raises((AssertionError, JournalError)):
        for fault in (Fault(taken=7), Fault(taken=0)):
            test_every_call_failing_once_loses_nothing_acknowledged(fault)


def test_planted_renaming_without_a_sync_of_the_folder_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DiskFiles, "sync_folder", lambda self, folder: None)
    assert violated()


def test_planted_trusting_the_page_cache_at_start_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def go_on_in_place(self: Log, found: Survey) -> None:
        self._handle = self._files.open(f"{FOLDER}/{segment_name(found.segments[-1])}", write=True)
        self._position, self._allocated = found.end_position, self._files.size(self._handle)

    monkeypatch.setattr(Log, "_copy_tail", go_on_in_place)
    assert violated()

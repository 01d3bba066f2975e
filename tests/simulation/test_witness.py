"""The witness learns of a record when its bytes were synced, and of a change in one that was."""

import pytest

from common.journal import EPOCH, Entry, Link, Record, frame
from scripts.simulation.disk import Disk, Fault
from scripts.simulation.invariants import Violation
from scripts.simulation.witness import WatchedFiles, Witness

FOLDER = "/log"
PATH = f"{FOLDER}/00000000000000000001.segment"


def block(payloads: list[bytes]) -> bytes:
    entries = [Entry(EPOCH, "writer", 1, number, payload) for number, payload in enumerate(payloads)]
    return frame(entries, Link(0, 0), stamp_ns=1, journal_epoch=1, durable_lsn=0)[0]


class Setting:
    """A watched folder on a fake disk."""

    def __init__(self) -> None:
        self.learned: list[Record] = []
        self.witness = Witness(FOLDER, self.learned.append)
        self.fault: Fault | None = None
        self.files = WatchedFiles(Disk(), lambda name, path: self.fault if name == "sync" else None, (self.witness,))
        self.files.make_folder(FOLDER)
        self.handle = self.files.create(PATH)

    def write(self, data: bytes, offset: int = 0) -> None:
        self.files.write_at(self.handle, data, offset)

    @property
    def payloads(self) -> list[bytes]:
        return [record.payload for record in self.learned]


def test_only_a_sync_makes_a_record_known() -> None:
    setting = Setting()
    setting.write(block([b"one", b"two"]))
    assert setting.payloads == []
    setting.files.sync(setting.handle)
    assert setting.payloads == [b"one", b"two"] and setting.witness.last_lsn == 2


def test_half_a_frame_waits_for_the_rest() -> None:
    setting = Setting()
    data = block([b"one", b"two"])
    setting.write(data[:-8])
    setting.files.sync(setting.handle)
    assert setting.payloads == [b"one"]
    setting.write(data[-8:], len(data) - 8)
    setting.files.sync(setting.handle)
    assert setting.payloads == [b"one", b"two"]


def test_what_a_failed_sync_lost_never_counts() -> None:
    setting = Setting()
    setting.write(block([b"one"]))
    setting.fault = Fault(5)
    with pytest.raises(OSError):
        setting.files.sync(setting.handle)
    setting.fault = None
    setting.files.sync(setting.handle)
    assert setting.payloads == []


def test_a_durable_record_that_changes_is_a_violation() -> None:
    setting = Setting()
    setting.write(block([b"one"]))
    setting.files.sync(setting.handle)
    other = setting.files.create(f"{FOLDER}/next.tmp")
    setting.files.write_at(other, block([b"two"]), 0)
    setting.files.sync(other)
    setting.files.rename(f"{FOLDER}/next.tmp", PATH)
    with pytest.raises(Violation, match="log-is-final"):
        setting.files.sync_folder(FOLDER)


def test_a_segment_counts_once_its_name_is_durable() -> None:
    setting = Setting()
    temporary, renamed = f"{FOLDER}/next.tmp", f"{FOLDER}/00000000000000000002.segment"
    handle = setting.files.create(temporary)
    setting.files.write_at(handle, block([b"one"]), 0)
    setting.files.sync(handle)
    setting.files.rename(temporary, renamed)
    setting.files.sync(handle)
    assert setting.payloads == []
    setting.files.sync_folder(FOLDER)
    assert setting.payloads == [b"one"]


def test_a_log_that_has_to_survive_its_process_counts_when_written() -> None:
    learned: list[Record] = []
    witness = Witness(FOLDER, learned.append, on_write=True)
    files = WatchedFiles(Disk(), lambda name, path: None, (witness,))
    files.make_folder(FOLDER)
    files.write_at(files.create(PATH), block([b"one"]), 0)
    assert [record.payload for record in learned] == [b"one"]

"""The port on the real disk: the same log, real files, real locks, real short writes."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from common.journal import Locked, Log, OsFiles, iterate, verify
from common.journal.files import _kind_at
from tests.common.journal.support import WALL_NS, Writer

HERE = Path(__file__).parent


def test_a_log_on_the_real_disk(tmp_path: Path) -> None:
    files = OsFiles()
    folder = tmp_path / "a" / "journal"
    log = Log.open(folder, files, wall_ns=WALL_NS, segment_bytes=4096, reserve_bytes=4096)
    assert folder.stat().st_mode & 0o777 == 0o700
    writer = Writer()
    for _ in range(10):
        log.append(writer.batch(5), log.last_stamp_ns)
        log.prepare_next_segment()
    with pytest.raises(Locked):
        Log.open(folder, files, wall_ns=WALL_NS)
    assert log.free_bytes() > 0
    log.abandon()
    again = Log.open(folder, files, wall_ns=WALL_NS, segment_bytes=4096)
    assert again.recovery.copied_records == 5
    assert again.writers["orders"].append_number == 50
    again.close()
    assert [record.lsn for record in iterate(folder, files)] == list(range(1, 53))
    assert verify(folder, files).last_lsn == 52


def test_nothing_is_left_open(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        log = Log.open(tmp_path, OsFiles(), wall_ns=WALL_NS, segment_bytes=4096)
        log.append(Writer("w", log.epoch).batch(40), log.last_stamp_ns)
        list(iterate(tmp_path, OsFiles()))
        log.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_file_size_limit_is_a_short_write_then_an_error(tmp_path: Path) -> None:
    """The system takes what fits and refuses the rest with the next call; the log stops there."""
    script = (
        "import resource, signal, sys\n"
        "from common.journal import Entry, Log, LogFailed, OsFiles\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "log = Log.open(sys.argv[1], OsFiles(), wall_ns=1, segment_bytes=4096)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "number = 0\n"
        "try:\n"
        "    while True:\n"
        "        log.append([Entry(16, 'w', 1, number + 1, bytes(56))], log.last_stamp_ns)\n"
        "        number += 1\n"
        "except LogFailed as error:\n"
        "    print(number, error.cause.errno)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "j")], capture_output=True, text=True, check=True,
        cwd=HERE.parents[2],
    )  # fmt: skip
    acknowledged, code = map(int, done.stdout.split())
    assert code == errno.EFBIG
    log = Log.open(tmp_path / "j", OsFiles(), wall_ns=1, segment_bytes=4096)
    assert log.writers["w"].append_number == acknowledged > 0
    assert log.recovery.torn_bytes > 0
    log.close()


def test_the_kind_of_a_file_system_is_the_deepest_mounts() -> None:
    mounts = [
        "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw",
        "30 22 0:30 / /mnt/share rw - nfs4 host:/share rw",
        "31 22 0:31 / /mnt/share rw - tmpfs tmpfs rw",
        "32 22 0:32 / /mnt/with\\040space rw - cifs //host/x rw",
    ]
    assert _kind_at("/var/journal", mounts) == "ext4"
    assert _kind_at("/mnt/share/x", mounts) == "tmpfs"
    assert _kind_at("/mnt/shared", mounts) == "ext4"
    assert _kind_at("/mnt/with space/x", mounts) == "cifs"
    assert OsFiles().file_system("/proc") == "proc"

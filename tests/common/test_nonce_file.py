"""The numbers of Logons(A) and of REST requests outlive their process."""

import errno
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from common.instant import NS_PER_S
from common.journal import OsFiles
from common.journal.files import Files
from common.nonce_file import BLOCK_MS, NonceFile, RequestNonceFile, RequestNonceFolder
from common.venues.nonces import Nonces
from scripts.simulation.disk import Disk, Fault


def nonce_file(folder: Path) -> NonceFile:
    return NonceFile(str(folder), "marketdata@deribit.nonces", OsFiles())


def test_the_next_life_goes_on_behind_what_was_sent(tmp_path: Path) -> None:
    ahead = nonce_file(tmp_path / "kept").load().sent(5_000 * NS_PER_S)
    nonce_file(tmp_path / "kept").keep(ahead)
    again = nonce_file(tmp_path / "kept").load()
    assert again == ahead
    assert again.sent(1_000 * NS_PER_S).latest_ms == 5_000_001


@pytest.mark.parametrize("content", [b"", b"[1, 2", b'{"a": 1}', b"[1, 2, 3, 4]", bytes(64)])
def test_what_cannot_be_read_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "marketdata@deribit.nonces").write_bytes(content)
    assert nonce_file(tmp_path).load() == Nonces()


# ---- REST requests

FOLDER = "/kept"
NOW_MS = 1_700_000_000_000
HOUR_MS = 3_600_000


def of_key(files: Files, folder: str = FOLDER, key: str = "key") -> RequestNonceFile:
    """Another life's, or another process's."""
    return RequestNonceFolder(folder, files).of_key(key)


def test_each_number_is_the_time_or_above_all_that_any_process_had() -> None:
    disk = Disk()
    one, other = of_key(disk.files()), of_key(disk.files())
    assert one.following(NOW_MS) == NOW_MS
    assert one.following(NOW_MS) == NOW_MS + 1
    first = other.following(NOW_MS)
    assert first > NOW_MS + 1, "another process begins above what it had"
    assert [one.following(NOW_MS), other.following(NOW_MS), one.following(NOW_MS)] == [first + n for n in (1, 2, 3)]
    assert other.following(first + HOUR_MS) == first + HOUR_MS
    assert one.following(NOW_MS) == first + HOUR_MS + 1


def test_a_life_whose_clock_was_set_back_begins_above_those_before_it(tmp_path: Path) -> None:
    used = of_key(OsFiles(), str(tmp_path / "kept")).following(NOW_MS)
    for _ in range(3):
        number = of_key(OsFiles(), str(tmp_path / "kept")).following(NOW_MS - HOUR_MS)
        assert used < number <= used + BLOCK_MS + 1
        used = number


def test_another_key_has_numbers_of_its_own_and_no_name_tells_it(tmp_path: Path) -> None:
    of_key(OsFiles(), str(tmp_path)).following(NOW_MS)
    assert of_key(OsFiles(), str(tmp_path), "another").following(HOUR_MS) == HOUR_MS
    assert len(list(tmp_path.iterdir())) == 4 and not list(tmp_path.glob("*another*"))


@pytest.mark.parametrize("seed", range(8))
def test_whatever_a_power_loss_leaves_the_next_number_is_above_all_before_it(seed: int) -> None:
    """After each number the host may die with any part of what was not synced, and its clock is an hour behind."""
    random, disk, highest = Random(seed), Disk(page_bytes=16), 0
    for _ in range(6):
        lives = [of_key(disk.files()), of_key(disk.files())]
        for _ in range(random.randrange(1, 5)):
            highest = random.choice(lives).following(highest + random.choice((0, 1, BLOCK_MS // 2, 2 * BLOCK_MS)))
        for crashed in disk.crash_states(random, 16):
            assert of_key(crashed.files()).following(NOW_MS - HOUR_MS if highest > NOW_MS else 0) > highest
        disk.crash(random)


def test_no_more_than_one_sync_is_made_for_a_block() -> None:
    calls = list[str]()
    disk = Disk()

    def called(name: str, path: str) -> Fault | None:
        calls.append(name)
        return None

    numbers = of_key(disk.files(called))
    first = numbers.following(NOW_MS)
    assert calls.count("sync") == 1
    while numbers.following(NOW_MS) < first + BLOCK_MS:
        pass
    assert calls.count("sync") == 1
    numbers.following(NOW_MS)
    assert calls.count("sync") == 2


@pytest.mark.parametrize("call", ["lock", "create", "write_at", "sync", "rename", "sync_folder"])
def test_a_disk_that_does_not_take_the_first_number_gives_none(call: str) -> None:
    disk, broken = Disk(), [call]

    def called(name: str, path: str) -> Fault | None:
        return Fault(errno.EIO) if name in broken else None

    numbers = of_key(disk.files(called))
    for _ in range(2):
        with pytest.raises(OSError, match=f"injected into {call}"):
            numbers.following(NOW_MS)
    broken.clear()
    assert numbers.following(NOW_MS) >= NOW_MS


@pytest.mark.parametrize("content", [b"", b"[1", b"x" * 32, bytes(64)])
def test_a_damaged_file_is_no_end(tmp_path: Path, content: bytes) -> None:
    numbers = of_key(OsFiles(), str(tmp_path))
    used = numbers.following(NOW_MS)
    (last,) = tmp_path.glob("*.last")
    last.write_bytes(content)
    assert numbers.following(used + 1) > used, "the process that lives knows its own"
    for file in tmp_path.iterdir():
        file.write_bytes(content)
    assert of_key(OsFiles(), str(tmp_path)).following(NOW_MS + HOUR_MS) == NOW_MS + HOUR_MS


TAKE = """
import sys
from common.journal import OsFiles
from common.nonce_file import RequestNonceFolder
from common.venues.nonces import GrowingNonce
import time
nonce = GrowingNonce(lambda: 1_700_000_000_000, RequestNonceFolder(sys.argv[1], OsFiles()).of_key("key"), time.sleep)
print(*(nonce() for _ in range(400)))
"""


def test_two_processes_at_once_never_have_the_same(tmp_path: Path) -> None:
    ours = [sys.executable, "-P", "-c", TAKE, str(tmp_path)]
    processes = [subprocess.Popen(ours, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    told = [[int(number) for number in process.communicate(timeout=60)[0].split()] for process in processes]
    assert [len(numbers) for numbers in told] == [400, 400]
    assert len({*told[0], *told[1]}) == 800 and all(numbers == sorted(numbers) for numbers in told)

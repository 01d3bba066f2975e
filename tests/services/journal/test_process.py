"""The real process on a real disk: killed, its disk failing, its disk full. Everything acknowledged is there, in order,
once, and no number is used again.
"""

import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import msgspec
import pytest
import zmq

from common.config import CHECKOUT, Config, load
from common.exit_status import ExitStatus
from common.journal import OsFiles, iterate, verify
from common.messages import (
    Append,
    Appended,
    AppendRefused,
    EpochGranted,
    EpochRequest,
    JournalAnswer,
    encode,
)

ANSWER_MS = 10_000
SIZES = {
    "FIXRING__JOURNAL__SEGMENT_BYTES": "65536",
    "FIXRING__JOURNAL__RESERVE_BYTES": "65536",
    "FIXRING__JOURNAL__LOW_DISK_BYTES": "131072",
}
decode = msgspec.msgpack.Decoder(JournalAnswer).decode


class Journal:
    """The journal of a stack of its own, and one writer."""

    def __init__(self, folder: Path, writer: str = "orders") -> None:
        self.environ = {**os.environ, **SIZES, "FIXRING_VAR": str(folder / "var")}
        self.config: Config = load(environ=self.environ)
        self.folder = self.config.journal_folder
        self.writer = writer
        self.process: subprocess.Popen[bytes] | None = None
        self.errors = folder / "errors"
        self.context = zmq.Context()
        self.epoch = 0
        self.last = 0
        self.payloads: dict[int, bytes] = {}
        self.places: dict[int, tuple[int, int]] = {}

    def start(self, *before: str) -> None:
        """Start it, `before` being a program that starts it in turn; take an epoch."""
        command = [*before, sys.executable, "-P", "-m", "services.journal"]
        with self.errors.open("ab") as errors:
            self.process = subprocess.Popen(command, cwd=CHECKOUT, env=self.environ, stderr=errors)
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.ROUTING_ID, self.writer.encode())
        self.socket.connect(self.config.endpoint("journal"))
        self.socket.send(encode(EpochRequest(self.writer, 1)))
        granted = self.answer()
        assert isinstance(granted, EpochGranted), self.errors.read_text()
        assert granted.epoch >= self.epoch
        self.epoch = granted.epoch

    def ended(self) -> int:
        """Its exit status; the socket is closed."""
        assert self.process is not None
        status = self.process.wait(20)
        self.socket.close()
        return status

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.ended()

    def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return self.ended()

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.context.destroy(linger=0)

    def send(self, count: int, size: int) -> None:
        """One message of `count` new appends."""
        first = self.last + 1
        for number in range(first, first + count):
            self.payloads[number] = b"%d/" % number + bytes(size)
        self.last += count
        self.resend(first)

    def resend(self, first: int) -> None:
        entries = [(16, self.payloads[number]) for number in range(first, self.last + 1)]
        self.socket.send(encode(Append(self.writer, self.epoch, first, entries)))

    def answer(self, timeout_ms: int = ANSWER_MS) -> object:
        """The next answer; None where none comes in time. What is acknowledged is noted, and must not change."""
        if not self.socket.poll(timeout_ms):
            return None
        answer = decode(self.socket.recv())
        if isinstance(answer, Appended):
            for number in range(answer.first_number, answer.number + 1):
                place = (answer.lsn - answer.number + number, answer.stamp_ns)
                assert self.places.setdefault(number, place) == place
        return answer

    @property
    def acknowledged(self) -> int:
        return max(self.places, default=0)

    def catch_up(self) -> None:
        """Send what is unacknowledged again, until it is acknowledged."""
        if self.acknowledged < self.last:
            self.resend(self.acknowledged + 1)
        while self.acknowledged < self.last:
            assert isinstance(self.answer(), Appended)

    def check(self) -> None:
        """The log holds every acknowledged append where it was said to be, and each number once."""
        verify(self.folder, OsFiles())
        records = [record for record in iterate(self.folder, OsFiles()) if record.kind == 16]
        numbers = [record.append_number for record in records]
        assert numbers == list(range(1, len(numbers) + 1))
        assert len(numbers) >= self.acknowledged
        by_number = {record.append_number: record for record in records}
        for number, place in self.places.items():
            record = by_number[number]
            assert (record.lsn, record.stamp_ns) == place
            assert record.payload == self.payloads[number]


@contextmanager
def journal_in(folder: Path) -> Iterator[Journal]:
    journal = Journal(folder)
    try:
        yield journal
    finally:
        journal.close()


def killed_under_load(folder: Path, rounds: int, seed: int) -> None:
    random = Random(seed)
    with journal_in(folder) as journal:
        for _ in range(rounds):
            journal.start()
            journal.catch_up()
            for _ in range(random.randrange(1, 60)):
                journal.send(random.randrange(1, 20), random.randrange(600))
                if random.random() < 0.5:
                    journal.answer(0)
            journal.kill()
            if journal.folder.exists():
                journal.check()
        journal.start()
        journal.catch_up()
        assert journal.stop() == ExitStatus.OK
        journal.check()
        assert journal.acknowledged == journal.last


def test_killed_under_load(short_folder: Path) -> None:
    killed_under_load(short_folder, 3, seed=1)


@pytest.mark.torture
def test_killed_under_load_200_times(short_folder: Path) -> None:
    """More on request: `JOURNAL_KILLS=1000 scripts/test -m torture tests/services/journal`.

    JOURNAL_SEED is another load.
    """
    rounds, seed = int(os.environ.get("JOURNAL_KILLS", "200")), int(os.environ.get("JOURNAL_SEED", "2"))
    killed_under_load(short_folder, rounds, seed)


def test_a_failing_write_ends_it_with_7_and_the_next_start_is_right(short_folder: Path) -> None:
    with journal_in(short_folder) as journal:
        journal.start()
        journal.send(5, 100)
        journal.catch_up()
        assert journal.process is not None
        # From now on the system refuses what goes beyond 1000 bytes into a file; first it takes what fits.
        resource.prlimit(journal.process.pid, resource.RLIMIT_FSIZE, (1000, 1000))
        journal.send(5, 100)
        while journal.answer(500) is not None:
            pass
        assert journal.ended() == ExitStatus.INTEGRITY
        assert "restart" in journal.errors.read_text()
        journal.start()
        journal.catch_up()
        assert journal.stop() == ExitStatus.OK
        journal.check()


@pytest.mark.torture
def test_a_failing_sync_ends_it_with_7_and_the_next_start_is_right(short_folder: Path) -> None:
    """Injected by strace: the call after the failed one succeeds, which is the trap."""
    strace = shutil.which("strace")
    assert strace is not None, "strace is not installed"
    with journal_in(short_folder) as journal:
        for when in (12, 25, 40):
            inject = f"inject=fdatasync:error=EIO:when={when}"
            journal.start(strace, "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync", "-e", inject)
            for _ in range(60):
                journal.send(1, 50)
                if journal.answer(2000) is None:
                    break
            assert journal.ended() == ExitStatus.INTEGRITY
            journal.start()
            journal.catch_up()
            assert journal.stop() == ExitStatus.OK
            journal.check()


@pytest.mark.torture
def test_a_full_disk_is_announced_survived_and_left_behind(short_folder: Path) -> None:
    """A tmpfs of 1 MiB in a mount namespace of its own; a hog fills it and goes."""
    with journal_in(short_folder) as journal:
        journal.folder.parent.mkdir(parents=True)
        place = str(journal.folder.parent)
        mount = f'mount -t tmpfs -o size=1m none {place} && exec "$@"'
        journal.start("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, "sh")
        assert journal.process is not None
        inside = Path(f"/proc/{journal.process.pid}/root{place}")
        journal.send(1, 100)
        first = journal.answer()
        assert isinstance(first, Appended)
        assert first.announced == 0
        with (inside / "hog").open("wb", buffering=0) as hog, pytest.raises(OSError, match="No space"):
            while True:
                hog.write(bytes(4096))
        low = False
        while True:
            journal.send(1, 2000)
            answer = journal.answer(1000)
            if answer is None:
                break
            assert isinstance(answer, Appended)
            low = low or answer.announced == 1
        assert low
        kept = journal.acknowledged
        assert kept > 40
        (inside / "hog").unlink()
        journal.resend(kept + 1)
        assert isinstance(journal.answer(), Appended | AppendRefused)
        journal.catch_up()
        journal.folder = inside / journal.folder.name
        journal.check()
        assert journal.stop() == ExitStatus.OK


def test_a_second_one_is_refused_and_disturbs_nothing(short_folder: Path) -> None:
    with journal_in(short_folder) as journal:
        journal.start()
        second = subprocess.run(
            [sys.executable, "-P", "-m", "services.journal"], cwd=CHECKOUT, env=journal.environ, check=False,
            capture_output=True, text=True, timeout=20,
        )  # fmt: skip
        assert second.returncode == ExitStatus.FAILURE
        assert "running already" in second.stderr
        journal.send(3, 10)
        journal.catch_up()
        assert journal.stop() == ExitStatus.OK


def test_damage_is_refused_before_serving(short_folder: Path) -> None:
    with journal_in(short_folder) as journal:
        journal.start()
        journal.send(20, 100)
        journal.catch_up()
        assert journal.stop() == ExitStatus.OK
        path = journal.folder / f"{1:020d}.segment"
        data = bytearray(path.read_bytes())
        data[900] ^= 1
        path.write_bytes(data)
        again = subprocess.run(
            [sys.executable, "-P", "-m", "services.journal"], cwd=CHECKOUT, env=journal.environ, check=False,
            capture_output=True, text=True, timeout=20,
        )  # fmt: skip
        assert again.returncode == ExitStatus.INTEGRITY
        assert str(path) in again.stderr
        assert "salvage" in again.stderr


def test_sigterm_while_appends_come_in_keeps_all_that_it_acknowledged(short_folder: Path) -> None:
    with journal_in(short_folder) as journal:
        journal.start()
        for _ in range(50):
            journal.send(5, 200)
        assert journal.process is not None
        journal.process.send_signal(signal.SIGTERM)
        while journal.answer(500) is not None:
            pass
        assert journal.ended() == ExitStatus.OK
        journal.check()

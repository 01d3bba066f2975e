"""What a tortured stack is started with so that its wall clock, its names and its configuration can be changed and its
disk filled.

Clock, names and configuration need nothing but a folder; the disk is an image of its own under the journal, which only
root can mount.
"""

import contextlib
import enum
import errno
import os
import shutil
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import orjson

from common.config import CHECKOUT, SERVED_VENUES, load

SHIM = CHECKOUT / "scripts" / "torture" / "shim"
DISK_BYTES = 16 << 30
SEGMENT_BYTES = 4 << 20
"""Small, so that new ones are wanted every few seconds, on a full disk too."""

BLOCK_BYTES = 4096
UNMOUNT_S = 10.0
"""For so long a disk may stay busy once the last process of the stack has ended."""

HOST = "localhost"
_OFFSET = struct.Struct("<q")


class Clock:
    """The wall clock of every process of the stack but the exchanges."""

    def __init__(self, folder: Path) -> None:
        """Right, to begin with."""
        self._file = folder / "clock"
        self._file.write_bytes(_OFFSET.pack(0))

    def environ(self) -> dict[str, str]:
        """What the stack's environment needs."""
        return {"PYTHONPATH": str(SHIM), "TORTURE_CLOCK": str(self._file)}

    def shift(self, seconds: float) -> None:
        """From now on it is off by so much."""
        with self._file.open("r+b") as file:
            file.write(_OFFSET.pack(round(seconds * 1e9)))


class Answers(enum.Enum):
    """What the name server does with a question; the value stands in the file that the stack's processes look at."""

    RIGHT = b"\0"
    NONE = b"\1"
    NO = b"\2"


class NameServer:
    """The name server of every process of the stack but the exchanges, whose hosts have a name for it."""

    def __init__(self, folder: Path) -> None:
        """It answers, to begin with."""
        self._file = folder / "names"
        self._file.write_bytes(Answers.RIGHT.value)

    def environ(self) -> dict[str, str]:
        """What the stack's environment needs."""
        hosts = {
            f"FIXRING__{name}__{connection}__HOST".upper(): HOST
            for name, venue in load(environ={SERVED_VENUES: ""}, before_start=True).venues.items()
            for connection in venue.connections
        }
        return {"PYTHONPATH": str(SHIM), "TORTURE_NAMES": str(self._file), **hosts}

    def set(self, answers: Answers) -> None:
        """From now on it does this."""
        with self._file.open("r+b") as file:
            file.write(answers.value)


class NoDisk(Exception):
    """A disk of its own cannot be had here; the text says why."""


class SmallDisk:
    """A file system of its own under the journal's folder."""

    def __init__(self, folder: Path, mount_point: Path) -> None:
        """Make and mount it. Raises NoDisk."""
        self.mount_point = mount_point
        self._ballast = mount_point / "ballast"
        if os.geteuid():
            raise NoDisk("only root can mount a disk to fill")
        image = folder / "disk.image"
        with image.open("wb") as file:
            file.truncate(DISK_BYTES)
        mount_point.mkdir(mode=0o700, parents=True)
        _run("mkfs.ext4", "-q", "-F", "-m", "0", str(image))
        _run("mount", "-o", "loop", str(image), str(mount_point))

    def fill(self) -> None:
        """Leave nothing free."""
        with self._ballast.open("wb") as file:
            size, more = 0, shutil.disk_usage(self.mount_point).free
            while more >= BLOCK_BYTES:
                try:
                    os.posix_fallocate(file.fileno(), size, more)
                except OSError as error:
                    # What is called free is not all to be had: the file system needs some for itself.
                    if error.errno != errno.ENOSPC:
                        raise
                    more //= 2
                else:
                    size += more

    def free(self) -> None:
        """Take the ballast off."""
        self._ballast.unlink(missing_ok=True)

    def unmount(self) -> None:
        """Let go of it; call it when the stack has ended. Raises NoDisk where somebody holds it for longer."""
        self.free()
        deadline_s = time.monotonic() + UNMOUNT_S
        while True:
            try:
                _run("umount", str(self.mount_point))
            except NoDisk:
                if time.monotonic() > deadline_s:
                    raise
                time.sleep(0.1)
            else:
                return


def _run(*command: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        told = error.stderr.strip() if isinstance(error, subprocess.CalledProcessError) else str(error)
        raise NoDisk(f"{command[0]}: {told}") from error


class Means:
    """Both, as far as they can be had."""

    def __init__(self, folder: Path, *, with_disk: bool) -> None:
        """Under `folder`, which the stack's state is to be in as well."""
        self.clock = Clock(folder)
        self.name_server = NameServer(folder)
        self._config = folder / "configs"
        shutil.copytree(load().paths.config, self._config)
        self.disk: SmallDisk | None = None
        self.no_disk = "" if with_disk else "the stack was started without a disk of its own"
        if with_disk:
            try:
                self.disk = SmallDisk(folder, folder / "var" / "journal")
            except NoDisk as reason:
                self.no_disk = str(reason)

    def environ(self) -> dict[str, str]:
        """Overrides for the stack."""
        own = {**self.clock.environ(), **self.name_server.environ(), "FIXRING_CONFIG": str(self._config)}
        return {**own, "FIXRING__JOURNAL__SEGMENT_BYTES": str(SEGMENT_BYTES)}

    @contextlib.contextmanager
    def without_venue(self, venue: str, others: list[str], environ: dict[str, str]) -> Iterator[None]:
        """The venue's file is gone, and nobody names it; `environ` is the stack's, for the next start."""
        file = self._config / f"{venue}.toml"
        aside = file.with_suffix(".aside")
        its = {name: value for name, value in environ.items() if name.startswith(f"FIXRING__{venue.upper()}__")}
        strategies = self._strategies_without(venue)
        file.rename(aside)
        for name in its:
            del environ[name]
        served = {SERVED_VENUES: environ.pop(SERVED_VENUES)} if SERVED_VENUES in environ else {}
        environ[SERVED_VENUES] = ",".join(others)
        environ |= {name: orjson.dumps(named).decode() for name, named in strategies.items()}
        try:
            yield
        finally:
            aside.rename(file)
            for name in (*strategies, SERVED_VENUES):
                del environ[name]
            environ |= its | served

    def _strategies_without(self, venue: str) -> dict[str, list[str]]:
        """Overrides by which no strategy names the venue, or a symbol that it alone lists."""
        known = load(self._config, {SERVED_VENUES: ""}, before_start=True)
        listed = {symbol for name, its in known.venues.items() if name != venue for symbol in its.instruments}
        found = {}
        for name, strategy in known.strategies.items():
            prefix = f"FIXRING__STRATEGIES__{name.upper()}__"
            found[f"{prefix}SYMBOLS"] = [symbol for symbol in strategy.symbols if symbol in listed]
            if strategy.venues:
                found[f"{prefix}VENUES"] = [other for other in strategy.venues if other != venue]
        return found

    def close(self) -> str:
        """Give back what was taken, once the stack has ended. Returns what could not be given back, and why; "" for
        nothing."""
        try:
            if self.disk is not None:
                self.disk.unmount()
        except NoDisk as reason:
            return f"the disk under the journal stays: {reason}"
        return ""

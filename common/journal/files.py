"""The port to the disk: every file call that the journal makes, and its real implementation.

A call does one thing and is not retried here. Writes may be short; the log loops. Paths are strings.
Errors are OSError.
"""

import fcntl
import os
from pathlib import Path, PurePath
from typing import Protocol

Folder = str | PurePath

# A lock or a sync on these is a promise of another host's. 9p is not listed: sandboxes mount local folders by it.
NETWORK_FILE_SYSTEMS = frozenset(
    (
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "ncpfs",
        "afs",
        "ceph",
        "lustre",
        "beegfs",
        "gfs2",
        "ocfs2",
        "fuse.sshfs",
        "fuse.glusterfs",
        "fuse.s3fs",
    )
)


class Files(Protocol):
    """File calls, each named for what it does. A handle is an int, valid until `close`."""

    def list(self, folder: str) -> list[str]:
        """The names in a folder, in no order. FileNotFoundError where there is none."""

    def make_folder(self, folder: str) -> None:
        """Create the folder (mode 0700) and those above it, and sync each new entry. Nothing to do where it exists."""

    def create(self, path: str) -> int:
        """A new file, open for reading and writing. FileExistsError where there is one."""

    def open(self, path: str, *, write: bool) -> int:
        """An existing file. FileNotFoundError where there is none."""

    def close(self, handle: int) -> None:
        """Give the handle back; a lock it carries is released."""

    def size(self, handle: int) -> int:
        """The file's length in bytes."""

    def read_at(self, handle: int, count: int, offset: int) -> bytes:
        """Up to `count` bytes from `offset`; fewer only at the end of the file."""

    def write_at(self, handle: int, data: bytes | memoryview, offset: int) -> int:
        """Write at `offset` and return how many bytes were taken, possibly fewer than given."""

    def allocate(self, handle: int, size: int) -> None:
        """Reserve blocks so that the first `size` bytes can be written; new bytes read as zeros."""

    def truncate(self, handle: int, size: int) -> None:
        """Cut the file to `size` bytes."""

    def sync(self, handle: int) -> None:
        """Force the file's data, and what is needed to read it back, to the disk (fdatasync)."""

    def sync_folder(self, folder: str) -> None:
        """Force the folder's entries to the disk: names created, renamed and removed."""

    def rename(self, old: str, new: str) -> None:
        """Give a file another name in one step, replacing what had it."""

    def remove(self, path: str) -> None:
        """Take the name out of its folder."""

    def lock(self, path: str) -> int:
        """Create or open the file and take it for this process alone. BlockingIOError where another has it."""

    def free_bytes(self, folder: str) -> int:
        """What an ordinary user may still write on that file system."""

    def file_system(self, folder: str) -> str:
        """The kind of file system the folder is on ("ext4"), or "" where it cannot be told."""

    def new_id(self) -> bytes:
        """16 bytes that name a new journal, unlike any other."""


class OsFiles:
    """The operating system's own calls, unbuffered."""

    def list(self, folder: str) -> list[str]:
        return os.listdir(folder)

    def make_folder(self, folder: str) -> None:
        missing: list[str] = []
        path = os.path.abspath(folder)
        while not os.path.isdir(path):
            missing.append(path)
            path = os.path.dirname(path)
        for path in reversed(missing):
            os.mkdir(path, 0o700)
            self.sync_folder(os.path.dirname(path))

    def create(self, path: str) -> int:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

    def open(self, path: str, *, write: bool) -> int:
        return os.open(path, (os.O_RDWR if write else os.O_RDONLY) | os.O_CLOEXEC)

    def close(self, handle: int) -> None:
        os.close(handle)

    def size(self, handle: int) -> int:
        return os.fstat(handle).st_size

    def read_at(self, handle: int, count: int, offset: int) -> bytes:
        data = os.pread(handle, count, offset)
        while data and len(data) < count:
            more = os.pread(handle, count - len(data), offset + len(data))
            if not more:
                break
            data += more
        return data

    def write_at(self, handle: int, data: bytes | memoryview, offset: int) -> int:
        return os.pwrite(handle, data, offset)

    def allocate(self, handle: int, size: int) -> None:
        os.posix_fallocate(handle, 0, size)

    def truncate(self, handle: int, size: int) -> None:
        os.ftruncate(handle, size)

    def sync(self, handle: int) -> None:
        os.fdatasync(handle)

    def sync_folder(self, folder: str) -> None:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def rename(self, old: str, new: str) -> None:
        os.rename(old, new)

    def remove(self, path: str) -> None:
        os.unlink(path)

    def lock(self, path: str) -> int:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # flock, not lockf: a POSIX lock would be dropped by closing any other handle of the file.
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            raise
        return handle

    def free_bytes(self, folder: str) -> int:
        stat = os.statvfs(folder)
        return stat.f_bavail * stat.f_frsize

    def file_system(self, folder: str) -> str:
        try:
            lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return ""
        return _kind_at(os.path.realpath(folder), lines)

    def new_id(self) -> bytes:
        return os.urandom(16)


def _kind_at(path: str, mountinfo: list[str]) -> str:
    """The file system kind of the deepest mount above `path`; a later mount on the same point covers an earlier."""
    found, depth = "", -1
    for line in mountinfo:
        mount, _, rest = line.partition(" - ")
        point = mount.split(" ")[4].replace("\\040", " ")
        if (path == point or path.startswith(point.rstrip("/") + "/")) and len(point) >= depth:
            found, depth = rest.split(" ", 1)[0], len(point)
    return found


def read_whole(files: Files, path: str) -> bytes:
    """All bytes of a file. Raises OSError."""
    handle = files.open(path, write=False)
    try:
        return files.read_at(handle, files.size(handle), 0)
    finally:
        files.close(handle)


def write_all(files: Files, handle: int, data: bytes, offset: int) -> None:
    """Write every byte, in as many calls as the system makes of it. Raises OSError."""
    taken = files.write_at(handle, data, offset)
    while taken < len(data):
        more = files.write_at(handle, memoryview(data)[taken:], offset + taken)
        if more <= 0:
            raise OSError(5, "a write took no bytes and gave no error")
        taken += more


def replace_file(files: Files, folder: str, name: str, data: bytes) -> None:
    """Put `data` under `name` so that after any crash it names the old bytes or the new, whole. Raises OSError."""
    temporary = f"{folder}/{name}.tmp"
    remove_if_there(files, temporary)
    handle = files.create(temporary)
    try:
        write_all(files, handle, data, 0)
        files.sync(handle)
    finally:
        files.close(handle)
    files.rename(temporary, f"{folder}/{name}")
    files.sync_folder(folder)


def remove_if_there(files: Files, path: str) -> None:
    """Remove the file; no file is no error. Raises OSError otherwise."""
    try:
        files.remove(path)
    except FileNotFoundError:
        return

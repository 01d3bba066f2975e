"""A disk that keeps only what was synced: the port `common.journal.files.Files` over memory, with every way to fail.

What a file or a folder holds in the page cache (volatile) and on the platter (durable) are two things. `sync` copies a
file's dirty pages, `sync_folder` a folder's entries. A crash of the host keeps, of what was not synced, any combination
of pages, any part of the changes of a folder's entries, the new length of a file or the old one. A process that dies
keeps everything volatile. A sync that fails marks the pages clean without writing them, as Linux does: the next sync
succeeds and the data is still not on the disk.
"""

import errno
from collections.abc import Callable, Iterator
from itertools import count, product
from random import Random
from typing import NamedTuple

PAGE_BYTES = 4096
PLENTY_BYTES = 1 << 40

Keep = Callable[[], bool]
"""Asked once for each thing that was not synced: does it survive the crash?"""


class _Inode:
    """One file. `dirty` are page numbers not yet written back."""

    def __init__(self) -> None:
        self.volatile = bytearray()
        self.durable = bytearray()
        self.dirty: set[int] = set()
        self.resized = False

    def copy(self) -> "_Inode":
        copy = _Inode()
        copy.volatile, copy.durable = bytearray(self.volatile), bytearray(self.durable)
        copy.dirty, copy.resized = set(self.dirty), self.resized
        return copy


class _Entry(NamedTuple):
    """One change of a folder: names that went and names that came, in one step. A rename is one such change."""

    removed: tuple[str, ...]
    added: tuple[tuple[str, int], ...]


class _Directory:
    """One folder: names to inode numbers."""

    def __init__(self) -> None:
        self.volatile: dict[str, int] = {}
        self.durable: dict[str, int] = {}
        self.pending: list[_Entry] = []

    def change(self, entry: _Entry) -> None:
        _apply(self.volatile, entry)
        self.pending.append(entry)

    def copy(self) -> "_Directory":
        copy = _Directory()
        copy.volatile, copy.durable, copy.pending = dict(self.volatile), dict(self.durable), list(self.pending)
        return copy


def _apply(names: dict[str, int], entry: _Entry) -> None:
    for name in entry.removed:
        names.pop(name, None)
    names.update(entry.added)


class Disk:
    """The disk of one host. `files` gives a process its port to it."""

    def __init__(self, capacity_bytes: int = PLENTY_BYTES, page_bytes: int = PAGE_BYTES) -> None:
        """`page_bytes` is what is written or lost as one; 512 tears inside pages."""
        self.capacity_bytes = capacity_bytes
        self.page_bytes = page_bytes
        self._inodes: dict[int, _Inode] = {}
        self._folders: dict[str, _Directory] = {"/": _Directory()}
        self._locks: dict[int, DiskFiles] = {}
        self._next = count(1)
        self._ids = count(1)

    def files(self, called: "Called | None" = None) -> "DiskFiles":
        """The port of one process. `called` hears of every call first and may make it fail, fall short, or kill."""
        return DiskFiles(self, called)

    @property
    def used_bytes(self) -> int:
        """What all files together occupy."""
        named = {number for directory in self._folders.values() for number in directory.volatile.values()}
        return sum(len(self._inodes[number].volatile) for number in named)

    def copy(self) -> "Disk":
        """A disk of its own in the same state, with no process on it."""
        copy = Disk(self.capacity_bytes, self.page_bytes)
        copy._inodes = {number: inode.copy() for number, inode in self._inodes.items()}
        copy._folders = {path: directory.copy() for path, directory in self._folders.items()}
        copy._next, copy._ids = count(next(self._next)), count(next(self._ids))
        return copy

    # Crashes

    def crash(self, random: Random) -> None:
        """The host loses power: each unsynced thing survives or not, by the dice."""
        odds = random.random()
        self.crash_keeping(lambda: random.random() < odds)

    def process_died(self) -> None:
        """Every process on this disk is gone, and its locks; nothing unsynced is lost."""
        self._locks.clear()

    def crash_keeping(self, keep: Keep) -> None:
        """The host loses power; `keep` is asked once for each unsynced thing, in a fixed order."""
        for directory in self._folders.values():
            names = dict(directory.durable)
            for entry in directory.pending:
                if keep():
                    _apply(names, entry)
            directory.durable, directory.volatile, directory.pending = names, dict(names), []
        for _, inode in sorted(self._inodes.items()):
            self._settle(inode, keep)
        self._drop_nameless()
        self._locks.clear()

    def unsynced(self) -> int:
        """How many things a crash now would ask about."""
        total = sum(len(directory.pending) for directory in self._folders.values())
        return total + sum(len(inode.dirty) + inode.resized for inode in self._inodes.values())

    def crash_states(self, random: Random, most: int = 64) -> Iterator["Disk"]:
        """Copies of this disk after a crash: every combination if they are few, else the telling ones and a sample."""
        things = self.unsynced()
        if 1 << min(things, 30) <= most:
            choices: Iterator[tuple[bool, ...]] = product((False, True), repeat=things)
        else:
            choices = _sample(things, most, random)
        for choice in choices:
            crashed = self.copy()
            crashed.crash_keeping(iter(choice).__next__)
            yield crashed

    def _settle(self, inode: _Inode, keep: Keep) -> None:
        size = len(inode.volatile) if inode.resized and keep() else len(inode.durable)
        data = inode.durable[:size].ljust(size, b"\0")
        for page in sorted(inode.dirty):
            if keep():
                start = page * self.page_bytes
                new = inode.volatile[start : min(start + self.page_bytes, size)]
                data[start : start + len(new)] = new
        inode.durable, inode.volatile = data, bytearray(data)
        inode.dirty.clear()
        inode.resized = False

    def _drop_nameless(self) -> None:
        named = {number for directory in self._folders.values() for number in directory.volatile.values()}
        self._inodes = {number: inode for number, inode in self._inodes.items() if number in named}

    # What the port needs

    def folder(self, path: str) -> _Directory:
        """The folder of that path. FileNotFoundError."""
        directory = self._folders.get(path)
        if directory is None:
            raise FileNotFoundError(errno.ENOENT, "no such folder", path)
        return directory

    def make_folder(self, path: str) -> None:
        """A folder, at once durable: what is tested is what happens in it."""
        self._folders.setdefault(path, _Directory())

    def move_aside(self, path: str) -> None:
        """The folder has a name that nobody looks for, where there is one."""
        if path in self._folders:
            self._folders[f"{path}.kept-{next(self._next)}"] = self._folders.pop(path)

    def new_inode(self) -> int:
        """An empty file without a name."""
        number = next(self._next)
        self._inodes[number] = _Inode()
        return number

    def inode(self, number: int) -> _Inode:
        """The file of that number."""
        return self._inodes[number]

    def new_id(self) -> bytes:
        """Never twice on this disk."""
        return next(self._ids).to_bytes(16, "little")

    def mark_dirty(self, inode: _Inode, start: int, end: int) -> None:
        """These bytes are in the page cache only."""
        if end > start:
            inode.dirty.update(range(start // self.page_bytes, (end - 1) // self.page_bytes + 1))

    def write_back(self, inode: _Inode) -> None:
        """Everything dirty reaches the platter."""
        if inode.resized:
            size = len(inode.volatile)
            inode.durable = inode.durable[:size].ljust(size, b"\0")
            inode.resized = False
        for page in inode.dirty:
            start = page * self.page_bytes
            inode.durable[start : start + self.page_bytes] = inode.volatile[start : start + self.page_bytes]
        inode.dirty.clear()

    def take_lock(self, number: int, owner: "DiskFiles") -> None:
        """BlockingIOError where another process has it."""
        if self._locks.setdefault(number, owner) is not owner:
            raise BlockingIOError(errno.EWOULDBLOCK, "locked")

    def release_lock(self, number: int, owner: "DiskFiles") -> None:
        """Nothing where `owner` has it not."""
        if self._locks.get(number) is owner:
            del self._locks[number]

    def contents(self, folder: str) -> dict[str, bytes]:
        """All files of a folder as they are in the page cache."""
        return {name: bytes(self.inode(number).volatile) for name, number in self.folder(folder).volatile.items()}


def _sample(things: int, most: int, random: Random) -> Iterator[tuple[bool, ...]]:
    """Nothing kept, all kept, a few alone kept, a few alone lost, every prefix's look-alikes, then random ones."""
    yield (False,) * things
    yield (True,) * things
    for index in random.sample(range(things), min(things, most // 4)):
        yield tuple(at == index for at in range(things))
        yield tuple(at != index for at in range(things))
    for _ in range(most // 2 - 2):
        odds = random.random()
        yield tuple(random.random() < odds for _ in range(things))


class Fault(NamedTuple):
    """What an injected failure does: raise `error` (an errno), or, where that is 0, take only `taken` bytes."""

    error: int = 0
    taken: int = 0


Called = Callable[[str, str], Fault | None]
"""(name of the call, path or ""): asked before each call; a Fault makes it fail, an exception ends the process."""


class DiskFiles:
    """`Files` on a `Disk`, for one process. See `common.journal.files.Files` for what each call promises."""

    def __init__(self, disk: Disk, called: Called | None = None) -> None:
        self._disk = disk
        self._called = called
        self._handles: dict[int, tuple[int, str]] = {}
        self._next_handle = count(3)

    def die(self) -> None:
        """The process is gone: its handles and locks are released, nothing is synced."""
        for handle in list(self._handles):
            self._release(handle)

    def _release(self, handle: int) -> None:
        number, _ = self._handles.pop(handle)
        self._disk.release_lock(number, self)

    def _call(self, name: str, path: str) -> Fault | None:
        fault = self._called(name, path) if self._called is not None else None
        if fault is not None and fault.error:
            raise OSError(fault.error, f"injected into {name}", path)
        return fault

    def _give(self, number: int, path: str) -> int:
        handle = next(self._next_handle)
        self._handles[handle] = (number, path)
        return handle

    def _inode(self, handle: int) -> _Inode:
        return self._disk.inode(self._handles[handle][0])

    def _need(self, more_bytes: int) -> None:
        if more_bytes > self._disk.capacity_bytes - self._disk.used_bytes:
            raise OSError(errno.ENOSPC, "the disk is full")

    def list(self, folder: str) -> list[str]:
        self._call("list", folder)
        return sorted(self._disk.folder(folder).volatile)

    def make_folder(self, folder: str) -> None:
        self._call("make_folder", folder)
        self._disk.make_folder(folder)

    def create(self, path: str) -> int:
        self._call("create", path)
        folder, _, name = path.rpartition("/")
        directory = self._disk.folder(folder)
        if name in directory.volatile:
            raise FileExistsError(errno.EEXIST, "exists", path)
        number = self._disk.new_inode()
        directory.change(_Entry((), ((name, number),)))
        return self._give(number, path)

    def open(self, path: str, *, write: bool) -> int:
        self._call("open", path)
        folder, _, name = path.rpartition("/")
        number = self._disk.folder(folder).volatile.get(name)
        if number is None:
            raise FileNotFoundError(errno.ENOENT, "no such file", path)
        return self._give(number, path)

    def close(self, handle: int) -> None:
        self._call("close", self._handles[handle][1])
        self._release(handle)

    def size(self, handle: int) -> int:
        self._call("size", self._handles[handle][1])
        return len(self._inode(handle).volatile)

    def read_at(self, handle: int, count: int, offset: int) -> bytes:
        self._call("read_at", self._handles[handle][1])
        return bytes(self._inode(handle).volatile[offset : offset + count])

    def write_at(self, handle: int, data: bytes | memoryview, offset: int) -> int:
        inode = self._inode(handle)
        fault = self._call("write_at", self._handles[handle][1])
        taken = min(len(data), fault.taken) if fault is not None else len(data)
        growth = max(0, offset + taken - len(inode.volatile))
        room = self._disk.capacity_bytes - self._disk.used_bytes if growth else 0
        if growth > room:
            taken -= growth - room
            if taken <= 0:
                raise OSError(errno.ENOSPC, "the disk is full")
        end = offset + taken
        if end > len(inode.volatile):
            inode.volatile.extend(bytes(end - len(inode.volatile)))
            inode.resized = True
        inode.volatile[offset:end] = data[:taken]
        self._disk.mark_dirty(inode, offset, end)
        return taken

    def allocate(self, handle: int, size: int) -> None:
        self._call("allocate", self._handles[handle][1])
        inode = self._inode(handle)
        growth = size - len(inode.volatile)
        if growth > 0:
            self._need(growth)
            inode.volatile.extend(bytes(growth))
            inode.resized = True

    def truncate(self, handle: int, size: int) -> None:
        self._call("truncate", self._handles[handle][1])
        inode = self._inode(handle)
        if size < len(inode.volatile):
            del inode.volatile[size:]
            inode.dirty = {page for page in inode.dirty if page * self._disk.page_bytes < size}
        else:
            inode.volatile.extend(bytes(size - len(inode.volatile)))
        inode.resized = True

    def sync(self, handle: int) -> None:
        inode = self._inode(handle)
        try:
            self._call("sync", self._handles[handle][1])
        except OSError:
            inode.dirty.clear()
            raise
        self._disk.write_back(inode)

    def sync_folder(self, folder: str) -> None:
        self._call("sync_folder", folder)
        directory = self._disk.folder(folder)
        directory.durable = dict(directory.volatile)
        directory.pending = []

    def rename(self, old: str, new: str) -> None:
        self._call("rename", new)
        folder, _, old_name = old.rpartition("/")
        directory = self._disk.folder(folder)
        number = directory.volatile.get(old_name)
        if number is None:
            raise FileNotFoundError(errno.ENOENT, "no such file", old)
        directory.change(_Entry((old_name,), ((new.rpartition("/")[2], number),)))

    def remove(self, path: str) -> None:
        self._call("remove", path)
        folder, _, name = path.rpartition("/")
        directory = self._disk.folder(folder)
        if name not in directory.volatile:
            raise FileNotFoundError(errno.ENOENT, "no such file", path)
        directory.change(_Entry((name,), ()))

    def lock(self, path: str) -> int:
        folder, _, name = path.rpartition("/")
        self._call("lock", path)
        number = self._disk.folder(folder).volatile.get(name)
        if number is None:
            number = self._disk.new_inode()
            self._disk.folder(folder).change(_Entry((), ((name, number),)))
        self._disk.take_lock(number, self)
        return self._give(number, path)

    def free_bytes(self, folder: str) -> int:
        self._call("free_bytes", folder)
        return max(0, self._disk.capacity_bytes - self._disk.used_bytes)

    def file_system(self, folder: str) -> str:
        self._call("file_system", folder)
        return "simulated"

    def new_id(self) -> bytes:
        return self._disk.new_id()

"""Ports of the loopback that stay free until somebody listens there: for stacks and servers of one's own.

A port that the system would give to whoever connects may be taken between its choice and the bind, as the near end of
any connection of anybody, and for as long as that lasts: a link that is bound late, or anew, does not come up then. So
they are chosen where the system gives none by itself. Nor are two processes that choose at the same time, or one that
chooses twice, given the same: each goes on behind what it was given, and holds a lock of the system on it.
"""

import fcntl
import os
import random
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

RANGE_FILE: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
FIRST: Final = 10_000
LAST: Final = 65_535
ENOUGH: Final = 1_000
"""Where fewer than these are left the system gives nearly all by itself, and they have to be among its own."""


class NoPorts(OSError):
    """Nowhere near so many ports are free."""


class Ports:
    """Those of one process; the `claims` file has a byte for each port, which is locked for as long as this lives."""

    def __init__(self, claims: Path, first: int | None = None) -> None:
        """The search begins with the port `first`, or anywhere. Raises OSError."""
        self._claims = os.open(claims, os.O_WRONLY | os.O_CREAT, 0o600)
        self._all = _outside(*system_range())
        at = random.randrange(len(self._all)) if first is None else self._all.index(first)
        self._next = self._turn(at)

    def end(self) -> None:
        """Others may be given them too."""
        os.close(self._claims)

    def _turn(self, at: int) -> Iterator[int]:
        yield from self._all[at:]
        while True:
            yield from self._all

    def take(self, count: int) -> list[int]:
        """So many, each another one than all before, until this process has had every one. Raises NoPorts."""
        found: list[int] = []
        for _ in range(len(self._all)):
            if len(found) == count:
                break
            port = next(self._next)
            if self._claim(port) and _is_free(port):
                found.append(port)
        if len(found) < count:
            raise NoPorts(f"{len(found)} ports of the loopback are free, and {count} are wanted")
        return found

    def _claim(self, port: int) -> bool:
        try:
            fcntl.lockf(self._claims, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
        except OSError:
            return False
        return True


def system_range() -> tuple[int, int]:
    """The first and the last port that the system gives to who connects without naming one."""
    first, last = map(int, RANGE_FILE.read_text().split())
    return first, last


def _outside(first: int, last: int) -> list[int]:
    left = [port for port in range(FIRST, LAST + 1) if not first <= port <= last]
    return left if len(left) >= ENOUGH else list(range(FIRST, LAST + 1))


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


_own: dict[int, Ports] = {}
"""By process: a child that goes on from its parent's memory has none of its locks."""


def free_ports(count: int) -> list[int]:
    """Loopback ports that nobody listens on now, and that nobody is given before this process ends. Raises NoPorts."""
    ports = _own.get(os.getpid())
    if ports is None:
        _own.clear()
        ports = _own[os.getpid()] = Ports(Path(tempfile.gettempdir()) / f"fixring-ports-{os.getuid()}")
    return ports.take(count)

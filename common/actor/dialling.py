"""What must be known before a connection can begin, found out beside the loop: a name's address, and who holds a port.

A name server that does not answer keeps a look-up for ten seconds and more, and so long a loop would be deaf, to the
kill switch too. A simulated exchange is asked over its control link whether it holds its port: where another program
has taken that, a session would speak to a stranger.
"""

import ipaddress
import socket
import threading
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from common.actor.control import NoAnswer, NotRunning, Refused, ask
from common.actor.tcp import Endpoint
from common.config import Kind, Reach

MOST = 4
"""Look-ups under way at a time: what hangs in one is not to hang in ever more."""

ANSWER_S = 2.0


class Way(NamedTuple):
    """Where a connection goes: an address that is no name; or `why_not`."""

    connection: int
    endpoint: Endpoint
    address: tuple[str, int]
    why_not: str = ""


class Dialler:
    """Finds ways, each in a thread of its own, and calls `wake` when one is found."""

    def __init__(self, wake: Callable[[], object]) -> None:
        """Nothing is looked for yet."""
        self._wake = wake
        self._found: deque[Way] = deque()
        self._under_way = 0

    def find(self, connection: int, endpoint: Endpoint, address: tuple[str, int]) -> Way | None:
        """The way at once, where nothing has to be looked for; else None, and `take` has it later."""
        if endpoint.why_not is None and _is_number(address[0]):
            return Way(connection, endpoint, address)
        if self._under_way >= MOST:
            return Way(connection, endpoint, address, f"{address[0]}: {MOST} look-ups have had no answer yet")
        self._under_way += 1
        wanted = Way(connection, endpoint, address)
        threading.Thread(target=self._look, args=(wanted,), name="dialler", daemon=True).start()
        return None

    def take(self) -> list[Way]:
        """What was found since the last time."""
        found: list[Way] = []
        while self._found:
            found.append(self._found.popleft())
        self._under_way -= len(found)
        return found

    def _look(self, wanted: Way) -> None:
        try:
            why_not = wanted.endpoint.why_not() if wanted.endpoint.why_not is not None else ""
            if not why_not:
                wanted = wanted._replace(address=_resolved(wanted.address))
        except Exception as error:
            why_not = f"{wanted.address[0]}:{wanted.address[1]}: {error}"
        self._found.append(wanted._replace(why_not=why_not))
        self._wake()


def why_not_held(reach: Reach, exchange: str) -> str:
    """Why the simulated exchange cannot be dialled; "" where it answers, and so holds its ports. It may block."""
    try:
        ask(reach, exchange, "status", timeout_s=ANSWER_S, role=Kind.SESSIONS)
    except (NotRunning, NoAnswer, Refused) as error:
        return f"{exchange} does not say that it holds its port: {error}"
    return ""


def _resolved(address: tuple[str, int]) -> tuple[str, int]:
    found = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)[0][4]
    return str(found[0]), int(found[1])


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True

"""CURVE for links that leave the host: both ends prove their keys, each link lets in its roles alone, all is encrypted.

The keys are those of `common/link_keys.py`, and which role has which place on which link is `common/link_roles.py`.

Who is turned away is counted and told, at both ends. The end that binds knows why; the one that connects knows as much
as it is let know, and tries again until it is let in. Source: RFC 26/CurveZMQ, RFC 27/ZAP.
"""

import contextlib
import os
import struct
import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import zmq
from zmq.utils import z85

from common.config import ConfigError
from common.link_keys import KEY_BYTES, LinkKeys
from common.link_roles import Ends, ends_of

HANDSHAKE_MS: Final = 2_000
"""Who has not proved himself by then is dropped; who was not let in tries again then."""

BEAT_MS: Final = 1_000
SILENT_MS: Final = 5_000
"""A peer whose host or network is gone says nothing more, not even that: the connection ends after so long."""

MOST_TOLD: Final = 200
"""Who was turned away and why, each combination once; what is beyond is counted together."""

_ZAP_ENDPOINT: Final = "inproc://zeromq.zap.01"
# A temporary failure by RFC 27: the peer is told nothing, and tries again. After a final one libzmq never would.
_TURNED_AWAY: Final = b"300"
_LET_IN: Final = b"200"

_WATCHED: Final = (
    zmq.EVENT_CONNECT_RETRIED
    | zmq.EVENT_DISCONNECTED
    | zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
)
_EVENT: Final = struct.Struct("=HI")
# zmq.h: ZMQ_PROTOCOL_ERROR_ZMTP_...
_CRYPTOGRAPHIC, _MECHANISM = 0x11000001, 0x11000002
_BROKEN_OFF: Final = {
    _CRYPTOGRAPHIC: "a peer with a wrong public key of this link",
    _MECHANISM: "a peer without keys",
}


class LinkNote(NamedTuple):
    """Something to be told of one link: a word for programs, and a sentence."""

    link: str
    event: str
    text: str


class Curve:
    """The keys of one process, put on its sockets before they bind or connect, and the word on who was turned away.

    A thread of its own answers who may come in and hears how handshakes end: only where there are keys. `wake` is
    called in it whenever there is something to tell.
    """

    def __init__(self, folder: Path, roles: Sequence[str], links: Mapping[str, str]) -> None:
        """The process plays the first of `roles` whose secret is there; `links` has the name of the link at each
        address. Raises ConfigError.
        """
        self.keys = LinkKeys(folder)
        self._links = links
        self.role = next((role for role in roles if self.keys.has_secret(role)), roles[0])
        self._secret, self._public = self.keys.secret(self.role), self.keys.public_of(self.role)
        self._watch: _Watch | None = None
        self._wake: Callable[[], object] = lambda: None

    def serve(self, sock: "zmq.Socket[Any]", endpoint: str) -> None:
        """The socket will bind: only the link's roles are let in. Raises ConfigError where it is another's to serve."""
        link = self._link_at(endpoint)
        ends = ends_of(link)
        if ends.server != self.role:
            raise ConfigError(f"link {link} is served with the key of {ends.server}, not of {self.role}")
        self._identify(sock)
        sock.curve_server = True
        sock.setsockopt(zmq.ZAP_DOMAIN, link.encode())
        # Without an answer on who may come in, nobody does.
        sock.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
        self._watched(sock).serve(link, ends, sock)

    def join(self, sock: "zmq.Socket[Any]", endpoint: str) -> None:
        """The socket will connect to the process that serves the link. Raises ConfigError where it has no key."""
        link = self._link_at(endpoint)
        self._identify(sock)
        sock.curve_serverkey = self.keys.public_of(ends_of(link).server)
        self._watched(sock).join(link, endpoint, sock)

    def on_notes(self, wake: Callable[[], object]) -> None:
        """Call `wake`, in another thread, when `take_notes` has something."""
        self._wake = wake

    def take_notes(self) -> list[LinkNote]:
        """What happened since the last time."""
        return [] if self._watch is None else self._watch.take_notes()

    @property
    def turned_away(self) -> dict[str, int]:
        """How many were not let in, by link and reason."""
        return {} if self._watch is None else self._watch.counted()

    @property
    def cut_off(self) -> dict[str, str]:
        """The links that this process is to join and cannot, with why."""
        return {} if self._watch is None else dict(self._watch.cut_off)

    def close(self) -> None:
        """End the thread. The sockets are closed first."""
        if self._watch is not None:
            self._watch.end()
            self._watch = None

    def _link_at(self, endpoint: str) -> str:
        if endpoint not in self._links:
            raise ConfigError(f"{endpoint} is the address of no link: name it in [endpoints.addresses]")
        return self._links[endpoint]

    def _identify(self, sock: "zmq.Socket[Any]") -> None:
        sock.curve_publickey = self._public
        sock.curve_secretkey = self._secret

    def _watched(self, sock: "zmq.Socket[Any]") -> "_Watch":
        if self._watch is None:
            self._watch = _Watch(sock.context, self.keys, self.role, lambda: self._wake())
        return self._watch


class _Watch:
    """The thread: it answers ZAP, and hears of every handshake of the process's tcp sockets."""

    def __init__(self, context: "zmq.Context[Any]", keys: LinkKeys, role: str, wake: Callable[[], object]) -> None:
        self.cut_off: dict[str, str] = {}
        self._keys = keys
        self._role = role
        self._wake = wake
        self._served: dict[str, Ends] = {}
        self._counts: Counter[str] = Counter()
        self._notes: deque[LinkNote] = deque(maxlen=MOST_TOLD)
        self._lock = threading.Lock()
        self._new: deque[tuple[zmq.Socket[Any], str, bool]] = deque()
        self._seen: set[int] = set()
        self._link_at: dict[str, str] = {}
        # The desk's own are of asyncio, which is nothing for a thread beside its loop.
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.shadow(context.underlying)
        self._zap = self._context.socket(zmq.REP)
        self._zap.setsockopt(zmq.LINGER, 0)
        self._zap.bind(_ZAP_ENDPOINT)
        self._told, self._tell = os.pipe()
        self._thread = threading.Thread(target=self._run, name="curve", daemon=True)
        self._thread.start()

    def serve(self, link: str, ends: Ends, sock: "zmq.Socket[Any]") -> None:
        """Another link is bound."""
        self._served[link] = ends
        self._add(sock, link, binds=True)

    def join(self, link: str, endpoint: str, sock: "zmq.Socket[Any]") -> None:
        """Another link is connected to."""
        self._link_at[endpoint] = link
        self._add(sock, link, binds=False)

    def take_notes(self) -> list[LinkNote]:
        """What happened since the last time."""
        with self._lock:
            notes = list(self._notes)
            self._notes.clear()
        return notes

    def counted(self) -> dict[str, int]:
        """Who was not let in, by link and reason."""
        with self._lock:
            return dict(self._counts)

    def end(self) -> None:
        """End the thread, and wait for it."""
        os.write(self._tell, b"e")
        self._thread.join()
        os.close(self._told)
        os.close(self._tell)

    def _add(self, sock: "zmq.Socket[Any]", link: str, *, binds: bool) -> None:
        # One that joins several places is watched once, and what is told of it goes by the address.
        if sock.underlying in self._seen:
            return
        self._seen.add(sock.underlying)
        address = f"inproc://handshakes.{sock.underlying}"
        sock.monitor(address, _WATCHED)
        monitor = self._context.socket(zmq.PAIR)
        monitor.setsockopt(zmq.LINGER, 0)
        monitor.connect(address)
        self._new.append((monitor, link, binds))
        os.write(self._tell, b"n")

    # ---- the thread ----

    def _run(self) -> None:
        poller = zmq.Poller()
        poller.register(self._zap, zmq.POLLIN)
        poller.register(self._told, zmq.POLLIN)
        monitors: dict[zmq.Socket[Any], tuple[str, bool]] = {}
        try:
            while True:
                ready = dict(poller.poll())
                while self._new:
                    monitor, link, binds = self._new.popleft()
                    poller.register(monitor, zmq.POLLIN)
                    monitors[monitor] = (link, binds)
                if self._told in ready and b"e" in os.read(self._told, 64):
                    return
                if self._zap in ready:
                    self._answer()
                for monitor in [sock for sock in ready if sock in monitors]:
                    self._hear(monitor, *monitors[monitor])
        except zmq.ContextTerminated:
            return
        finally:
            for sock in (self._zap, *monitors):
                sock.close(linger=0)

    def _answer(self) -> None:
        """Say whether a peer that has proved its key may come in to the link that it knocks at."""
        parts = self._zap.recv_multipart()
        version, number, domain, address, _, mechanism, *credentials = [*parts, b"", b"", b"", b"", b"", b""]
        link, role = domain.decode("utf-8", "replace"), None
        if mechanism == b"CURVE" and len(credentials[0]) == KEY_BYTES:
            role = self._keys.admitted.get(z85.encode(credentials[0]))
        ends = self._served.get(link)
        let_in = role is not None and ends is not None and role in ends.clients
        user = (role or "").encode() if let_in else b""
        self._zap.send_multipart([version, number, _LET_IN if let_in else _TURNED_AWAY, b"", user, b""])
        if not let_in:
            who = "a key that is not known here" if role is None else f"the key of {role}, which has no place on it"
            self._turn_away(link, who, address.decode("ascii", "replace"))

    def _hear(self, monitor: "zmq.Socket[Any]", link: str, binds: bool) -> None:
        with contextlib.suppress(zmq.Again):
            while True:
                head, endpoint = monitor.recv_multipart(zmq.NOBLOCK)
                event, value = _EVENT.unpack(head)
                if binds:
                    self._of_bound(link, event, value)
                else:
                    place = endpoint.decode("utf-8", "replace")
                    self._of_joined(self._link_at.get(place, link), event, value, place)

    def _of_bound(self, link: str, event: int, value: int) -> None:
        if event == zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL:
            self._turn_away(link, _BROKEN_OFF.get(value, "a peer that speaks no ZeroMQ"), "")
        elif event == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL:
            self._turn_away(link, "a peer that did not finish its handshake", "")

    def _of_joined(self, link: str, event: int, value: int, endpoint: str) -> None:
        if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            if self.cut_off.pop(link, None) is not None:
                self._note(LinkNote(link, "link_joined", f"link {link}: {endpoint} has let {self._role} in"))
        elif event == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL and value == zmq.EAGAIN:
            self._cut(link, f"{endpoint} does not let the key of {self._role} in: `fixring keys check` there and here")
        elif event in (zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL, zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL):
            # On a busy machine who is not let in may see no more than that the connection ends.
            whose = f"it is not {ends_of(link).server} with the key that is known of it here"
            not_in = f"does not let the key of {self._role} in"
            self._cut(link, f"{endpoint} breaks the handshake off: {whose}, or {not_in}: `fixring keys check`")
        elif event == zmq.EVENT_CONNECT_RETRIED and link not in self.cut_off:
            self._cut(link, f"{endpoint} is not to be reached")
        elif event == zmq.EVENT_DISCONNECTED and link not in self.cut_off:
            self._cut(link, f"the connection to {endpoint} was lost")

    def _turn_away(self, link: str, who: str, address: str) -> None:
        with self._lock:
            key = f"{link}: {who}"
            if key not in self._counts and len(self._counts) >= MOST_TOLD:
                key = "others"
            self._counts[key] += 1
            count = self._counts[key]
        if count & (count - 1) == 0:
            place = f" from {address}" if address else ""
            self._note(LinkNote(link, "turned_away", f"link {link}: {who}{place} was not let in ({count} times)"))

    def _cut(self, link: str, why: str) -> None:
        if self.cut_off.get(link) != why:
            self.cut_off[link] = why
            self._note(LinkNote(link, "link_cut_off", f"link {link}: {why}"))

    def _note(self, note: LinkNote) -> None:
        with self._lock:
            self._notes.append(note)
        self._wake()


# ---- sockets ----


def bind(sock: "zmq.Socket[Any]", endpoint: str, curve: Curve | None) -> None:
    """Bind the socket as a link's server, over tcp with the process's keys where it has some. Raises ConfigError."""
    if _prepared(sock, endpoint, 2 * HANDSHAKE_MS) and curve is not None:
        curve.serve(sock, endpoint)
    try:
        sock.bind(endpoint)
    except zmq.ZMQError as error:
        raise ConfigError(f"{endpoint} cannot be bound: {error}; see [endpoints.addresses]") from error


def join(sock: "zmq.Socket[Any]", endpoint: str, curve: Curve | None) -> None:
    """Connect the socket to a link's server, over tcp with the process's keys where it has some. Raises ConfigError."""
    if _prepared(sock, endpoint, HANDSHAKE_MS) and curve is not None:
        curve.join(sock, endpoint)
    sock.connect(endpoint)


def _prepared(sock: "zmq.Socket[Any]", endpoint: str, handshake_ms: int) -> bool:
    if not endpoint.startswith("tcp://"):
        return False
    sock.setsockopt(zmq.HANDSHAKE_IVL, handshake_ms)
    sock.setsockopt(zmq.HEARTBEAT_IVL, BEAT_MS)
    sock.setsockopt(zmq.HEARTBEAT_TIMEOUT, SILENT_MS)
    return True

"""The asking side of the control link: what the command line and the supervisors use to talk to a running actor.

One on this host is asked over its own socket, whatever the network does. One on another host is asked through that
host's relay, with the key of the role that this process plays.
"""

import fcntl
import os
import pwd
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import orjson
import zmq

from common.actor.curve import Curve, join
from common.config import ConfigError, Reach
from common.link_roles import OPERATOR, RELAY, STATUS
from common.messages import ControlAnswer, ControlRequest, encode

Question = tuple[str, str, dict[str, object]]
"""Actor, act and arguments."""

_decode = msgspec.msgpack.Decoder(ControlAnswer).decode


class NotRunning(Exception):
    """Nobody answers at the actor's control endpoint. The text names the actor."""


class Refused(Exception):
    """The actor answered no. The text is its reason."""


class NoAnswer(Exception):
    """The actor's process holds its endpoint but its loop did not answer in time."""


def ask(
    reach: Reach | Path,
    actor: str,
    act: str,
    arguments: dict[str, object] | None = None,
    timeout_s: float = 2.0,
    *,
    by: str = "",
    role: str = OPERATOR,
) -> dict[str, object]:
    """Ask one actor and return the detail of its answer. `reach` is the configuration's, or the run folder of a stack
    that has one host. `by` is who asks, for the record; "" is who runs this process. `role` is what this process plays.

    Raises NotRunning (no endpoint), NoAnswer (no answer within `timeout_s` seconds) or Refused (the actor's own no).
    """
    return ask_all(reach, [(actor, act, arguments or {})], timeout_s, by=by, role=role).one(actor)


class Answers:
    """What several actors answered, by name: a detail, or the error that asking them raises."""

    def __init__(self) -> None:
        """Nothing was answered yet."""
        self.details: dict[str, dict[str, object]] = {}
        self.errors: dict[str, Exception] = {}

    def one(self, actor: str) -> dict[str, object]:
        """The detail, or raise the error."""
        if actor in self.errors:
            raise self.errors[actor]
        return self.details[actor]


def is_running(reach: Reach | Path, actor: str) -> bool:
    """Whether some process holds the actor's lock; of another host, whether its relay does not say that none does."""
    if isinstance(reach, Reach):
        if reach.host_of(actor) is not None:
            return not isinstance(ask_all(reach, [(actor, STATUS, {})], 1.0).errors.get(actor), NotRunning)
        reach = reach.run_folder
    return is_held(reach / f"{actor}.lock")


def is_held(lock: Path) -> bool:
    """Whether some process holds that lock file."""
    try:
        descriptor = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        # Shared, so that two who look at the same moment do not see each other.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def ask_all(
    reach: Reach | Path, questions: Sequence[Question], timeout_s: float = 2.0, *, by: str = "", role: str = OPERATOR
) -> Answers:
    """Ask several actors at once and wait for all, at most `timeout_s` seconds together. `by` is who asks, for the
    record; "" is who runs this process. `role` is what it plays: with its key other hosts are asked.
    """
    reach = reach if isinstance(reach, Reach) else Reach(reach)
    asking = _Asking(reach, role)
    try:
        for actor, act, arguments in questions:
            asking.ask(actor, ControlRequest(act, orjson.dumps(arguments), by or operator(), to=actor))
        return asking.collect(timeout_s)
    finally:
        asking.close()


class _Asking:
    """Questions under way: a socket for each actor of this host, and one for each other host."""

    def __init__(self, reach: Reach, role: str) -> None:
        self._reach = reach
        self._role = role
        self._answers = Answers()
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._poller = zmq.Poller()
        self._curve: Curve | None = None
        self._here: dict[zmq.Socket[bytes], str] = {}
        self._relays: dict[str, zmq.Socket[bytes]] = {}
        self._there: dict[int, str] = {}

    def ask(self, actor: str, request: ControlRequest) -> None:
        """Send one question, to whoever hands it on."""
        host = self._reach.host_of(actor)
        if host is None:
            self._ask_here(actor, request)
            return
        try:
            relay = self._relays.get(host) or self._relay(host)
        except ConfigError as error:
            self._answers.errors[actor] = NoAnswer(f"{actor} on {host}: {error}")
            return
        token = len(self._there) + 1
        self._there[token] = actor
        relay.send(encode(msgspec.structs.replace(request, token=token)))

    def _ask_here(self, actor: str, request: ControlRequest) -> None:
        folder = self._reach.run_folder
        if not is_held(folder / f"{actor}.lock"):
            self._answers.errors[actor] = NotRunning(f"{actor} is not running (nobody holds {folder}/{actor}.lock)")
            return
        sock = self._context.socket(zmq.DEALER)
        sock.setsockopt(zmq.LINGER, 0)
        sock.connect(f"ipc://{folder}/control.{actor}")
        sock.send(encode(request))
        self._here[sock] = actor
        self._poller.register(sock, zmq.POLLIN)

    def _relay(self, host: str) -> "zmq.Socket[bytes]":
        reach = self._reach
        if self._curve is None and reach.curve_folder is not None:
            links = {address: f"{RELAY}.{name}" for name, address in reach.relays.items()}
            self._curve = Curve(reach.curve_folder, (self._role,), links)
        sock = self._context.socket(zmq.DEALER)
        sock.setsockopt(zmq.LINGER, 0)
        join(sock, reach.relays[host], self._curve)
        self._relays[host] = sock
        self._poller.register(sock, zmq.POLLIN)
        return sock

    def collect(self, timeout_s: float) -> Answers:
        """What was answered by then."""
        deadline_s = time.monotonic() + timeout_s
        while self._here or self._there:
            ready: list[tuple[Any, int]] = self._poller.poll(max(0, int((deadline_s - time.monotonic()) * 1000)))
            if not ready:
                self._give_up(timeout_s)
                break
            for sock, _ in ready:
                answer = _decode(sock.recv())
                if sock in self._here:
                    self._poller.unregister(sock)
                    self._take(self._here.pop(sock), answer)
                    sock.close()
                elif answer.token in self._there:
                    self._take(self._there.pop(answer.token), answer)
        return self._answers

    def _take(self, actor: str, answer: ControlAnswer) -> None:
        if answer.ok:
            text = {"text": answer.text} if answer.text else {}
            self._answers.details[actor] = {**orjson.loads(answer.detail), **text}
        else:
            self._answers.errors[actor] = NotRunning(answer.text) if answer.absent else Refused(answer.text)

    def _give_up(self, timeout_s: float) -> None:
        for actor in self._here.values():
            self._answers.errors[actor] = NoAnswer(f"{actor} did not answer within {timeout_s} s")
        cut_off = {} if self._curve is None else self._curve.cut_off
        for actor in self._there.values():
            host = self._reach.host_of(actor)
            why = cut_off.get(f"{RELAY}.{host}") or f"did not answer within {timeout_s} s"
            self._answers.errors[actor] = NoAnswer(f"{actor} on {host}: {why}")

    def close(self) -> None:
        """Wait for nothing more."""
        if self._curve is not None:
            self._curve.close()
        self._context.destroy(linger=0)


def operator() -> str:
    """Who asks, for the record: the user's name, a number only where the system has no name for it, and the process."""
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        user = str(os.getuid())
    return f"{user}/{os.getpid()}"

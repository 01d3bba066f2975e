"""The asking side of the control link: what the command line and the supervisors use to talk to a running actor."""

import fcntl
import os
import pwd
import time
from pathlib import Path

import msgspec
import orjson
import zmq

from common.messages import ControlAnswer, ControlRequest, encode

_decode = msgspec.msgpack.Decoder(ControlAnswer).decode


class NotRunning(Exception):
    """Nobody answers at the actor's control endpoint. The text names the actor."""


class Refused(Exception):
    """The actor answered no. The text is its reason."""


class NoAnswer(Exception):
    """The actor's process holds its endpoint but its loop did not answer in time."""


def ask(
    run_folder: Path,
    actor: str,
    act: str,
    arguments: dict[str, object] | None = None,
    timeout_s: float = 2.0,
    *,
    by: str = "",
) -> dict[str, object]:
    """Ask one actor and return the detail of its answer. `by` is who asks, for the record; "" is who runs this process.

    Raises NotRunning (no endpoint), NoAnswer (no answer within `timeout_s` seconds) or Refused (the actor's own no).
    """
    return ask_all(run_folder, [(actor, act, arguments or {})], timeout_s, by=by).one(actor)


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


def is_running(run_folder: Path, actor: str) -> bool:
    """Whether some process holds the actor's lock."""
    return is_held(run_folder / f"{actor}.lock")


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
    run_folder: Path, questions: list[tuple[str, str, dict[str, object]]], timeout_s: float = 2.0, *, by: str = ""
) -> Answers:
    """Ask several actors (name, act, arguments) at once and wait for all, at most `timeout_s` seconds together. `by` is
    who asks, for the record; "" is who runs this process."""
    answers = Answers()
    context = zmq.Context()
    poller = zmq.Poller()
    waiting: dict[zmq.Socket[bytes], str] = {}
    try:
        for actor, act, arguments in questions:
            if not is_running(run_folder, actor):
                answers.errors[actor] = NotRunning(f"{actor} is not running (nobody holds {run_folder}/{actor}.lock)")
                continue
            sock = context.socket(zmq.DEALER)
            sock.setsockopt(zmq.LINGER, 0)
            sock.connect(f"ipc://{run_folder}/control.{actor}")
            sock.send(encode(ControlRequest(act, orjson.dumps(arguments), by or operator())))
            waiting[sock] = actor
            poller.register(sock, zmq.POLLIN)
        _collect(answers, poller, waiting, time.monotonic() + timeout_s, timeout_s)
    finally:
        context.destroy(linger=0)
    return answers


def _collect(
    answers: Answers, poller: zmq.Poller, waiting: "dict[zmq.Socket[bytes], str]", deadline_s: float, timeout_s: float
) -> None:
    while waiting:
        ready = poller.poll(max(0, int((deadline_s - time.monotonic()) * 1000)))
        if not ready:
            for actor in waiting.values():
                answers.errors[actor] = NoAnswer(f"{actor} did not answer within {timeout_s} s")
            return
        for sock, _ in ready:
            actor = waiting.pop(sock)
            poller.unregister(sock)
            answer = _decode(sock.recv())
            sock.close()
            if answer.ok:
                text = {"text": answer.text} if answer.text else {}
                answers.details[actor] = {**orjson.loads(answer.detail), **text}
            else:
                answers.errors[actor] = Refused(answer.text)


def operator() -> str:
    """Who asks, for the record: the user's name, a number only where the system has no name for it, and the process."""
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        user = str(os.getuid())
    return f"{user}/{os.getpid()}"

"""Invariant: behind a send that its link did not take, nothing of the same pass goes the same way."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pytest
import zmq

from common.actor.core import Core, Note, Send
from common.actor.logs import ActorLog
from common.actor.sends import Sends
from common.actor.shell import Shell
from common.instant import Instant
from common.messages import StatusChanged

NOW = Instant(0, 0)


def told(number: int, peer: bytes = b"late", link: str = "entry") -> Send:
    """The message of that number."""
    return Send(link, StatusChanged("s", number), peer)


def number_of(send: Send) -> int:
    assert isinstance(send.message, StatusChanged)
    return send.message.number


class Heard(Core):
    """Keeps what comes back to it."""

    def __init__(self) -> None:
        super().__init__("heard")
        self.back: list[int] = []

    def undelivered(self, send: Send, now: Instant) -> None:
        self.back.append(number_of(send))


def test_what_is_behind_a_hole_comes_back_too_until_the_next_pass() -> None:
    core, taken, full = Heard(), list[int](), {2}

    def take(run: Sequence[Send]) -> bool:
        if number_of(run[0]) in full:
            return False
        taken.extend(number_of(send) for send in run)
        return True

    sends = Sends(core, take)
    for run in ([told(1)], [told(2), told(3)], [told(4, b"other")], [told(5, link="b")], [told(6)]):
        sends.send(run, NOW)
    assert (taken, core.back) == ([1, 4, 5], [2, 3, 6])
    sends.begin_pass()
    sends.send([told(7)], NOW)
    assert taken[-1] == 7


class Connects(Heard):
    """The peer comes while the core hears that it was not there: from then on there is room."""

    def __init__(self, endpoint: str, context: "zmq.Context[zmq.Socket[bytes]]") -> None:
        super().__init__()
        self.endpoint = endpoint
        self.peer = context.socket(zmq.DEALER)
        self.peer.setsockopt(zmq.ROUTING_ID, b"late")
        self.peer.setsockopt(zmq.RCVTIMEO, 5000)
        self.router: zmq.Socket[bytes] | None = None

    def undelivered(self, send: Send, now: Instant) -> None:
        super().undelivered(send, now)
        if len(self.back) == 1:
            assert self.router is not None
            self.peer.connect(self.endpoint)
            self.peer.send(b"here")
            assert self.router.poll(5000)


@pytest.fixture
def context() -> Iterator["zmq.Context[zmq.Socket[bytes]]"]:
    context = zmq.Context()
    yield context
    context.destroy(linger=0)


def test_over_a_real_link_a_client_never_gets_what_is_behind_a_hole(
    tmp_path: Path, context: "zmq.Context[zmq.Socket[bytes]]"
) -> None:
    core = Connects(f"ipc://{tmp_path}/run/entry", context)
    shell = Shell(core, tmp_path / "run", ActorLog(tmp_path / "log", "heard"))
    shell.bind_router("entry", core.endpoint, StatusChanged)
    core.router = shell._links["entry"].socket
    core.effects += [told(1), Note("info", "between", {}), told(2), told(3)]
    shell._settle()
    core.effects.append(told(4))
    shell._settle()
    first = msgspec.msgpack.decode(core.peer.recv(), type=StatusChanged)
    shell._close_all()
    for end in (shell._wake, shell._waker):
        end.close()
    assert (first.number, core.back) == (4, [1, 2, 3])

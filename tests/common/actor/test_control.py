"""Invariant: who asks an actor is named as a person knows him, whatever the environment says or leaves out."""

import fcntl
import os
import pwd
import threading
from pathlib import Path

import msgspec
import pytest
import zmq

from common.actor.control import ask
from common.messages import ControlAnswer, ControlRequest, encode


@pytest.mark.parametrize("user", ["", "somebody-else"])
def test_an_operator_has_a_name_and_no_number(short_folder: Path, monkeypatch: pytest.MonkeyPatch, user: str) -> None:
    monkeypatch.delenv("USER", raising=False)
    if user:
        monkeypatch.setenv("USER", user)
    asked: list[ControlRequest] = []
    context = zmq.Context()
    with (short_folder / "risk.lock").open("w") as lock, context.socket(zmq.ROUTER) as risk:
        fcntl.flock(lock, fcntl.LOCK_EX)
        risk.bind(f"ipc://{short_folder}/control.risk")

        def answer() -> None:
            peer, data = risk.recv_multipart()
            asked.append(msgspec.msgpack.decode(data, type=ControlRequest))
            risk.send_multipart([peer, encode(ControlAnswer(0, True))])

        thread = threading.Thread(target=answer)
        thread.start()
        ask(short_folder, "risk", "halt")
        thread.join()
    context.term()
    assert asked[0].by == f"{pwd.getpwuid(os.getuid()).pw_name}/{os.getpid()}"

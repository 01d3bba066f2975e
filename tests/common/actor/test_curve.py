"""Only an authorized key is let in over tcp, and keys that others could read are refused."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import zmq
import zmq.auth

from common.actor.curve import AUTHORIZED_FOLDER, SECRET_FILE, Curve, make_keys
from common.config import ConfigError

ANSWER_MS = 2000
SILENCE_MS = 150


@pytest.fixture
def context() -> Iterator["zmq.Context[zmq.Socket[bytes]]"]:
    context = zmq.Context()
    context.setsockopt(zmq.LINGER, 0)
    yield context
    context.destroy(linger=0)


def test_the_stacks_own_key_is_let_in_and_a_strangers_is_not(
    tmp_path: Path, context: "zmq.Context[zmq.Socket[bytes]]"
) -> None:
    make_keys(tmp_path)
    curve = Curve(tmp_path)
    with (
        context.socket(zmq.PULL) as server,
        context.socket(zmq.PUSH) as stranger,
        context.socket(zmq.PUSH) as plain,
        context.socket(zmq.PUSH) as friend,
    ):
        curve.serve(server)
        try:
            endpoint = f"tcp://127.0.0.1:{server.bind_to_random_port('tcp://127.0.0.1')}"
            stranger.curve_publickey, stranger.curve_secretkey = zmq.curve_keypair()
            stranger.curve_serverkey = zmq.auth.load_certificate(tmp_path / AUTHORIZED_FOLDER / "stack.key")[0]
            Curve(tmp_path).join(friend)
            for name, sock in ((b"stranger", stranger), (b"plain", plain)):
                sock.connect(endpoint)
                # Refused already, the socket has nobody to send to and would wait for ever.
                with suppress(zmq.Again):
                    sock.send(name, zmq.NOBLOCK)
            assert server.poll(SILENCE_MS) == 0
            friend.connect(endpoint)
            friend.send(b"friend")
            assert server.poll(ANSWER_MS)
            assert server.recv() == b"friend"
        finally:
            curve.close()


def test_a_pair_is_never_replaced(tmp_path: Path) -> None:
    make_keys(tmp_path)
    with pytest.raises(FileExistsError):
        make_keys(tmp_path)


def test_missing_and_readable_secrets_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="make-curve-keys"):
        Curve(tmp_path)
    make_keys(tmp_path)
    (tmp_path / SECRET_FILE).chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        Curve(tmp_path)

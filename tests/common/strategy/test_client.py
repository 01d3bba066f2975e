"""The plain client against a real ROUTER, with the order manager's words given by the test."""

import time
from pathlib import Path

import msgspec
import pytest
import zmq

from common.messages import Hello, Welcome, encode
from common.strategy.client import Client, NotRunning

LONGEST_S = 5


def test_a_poll_without_a_timeout_takes_what_is_there(short_folder: Path) -> None:
    context = zmq.Context()
    router = context.socket(zmq.ROUTER)
    endpoint = f"ipc://{short_folder}/entry"
    router.bind(endpoint)
    client = Client("me", entry_endpoint=endpoint, connect_timeout_s=0.0)
    try:
        with pytest.raises(NotRunning, match="nobody answers"):
            client.connect()
        assert router.poll(LONGEST_S * 1000)
        peer, data = router.recv_multipart()
        hello = msgspec.msgpack.decode(data, type=Hello)
        router.send_multipart([peer, encode(Welcome("me", hello.instance, 7, 3, "live", 12, False))])
        deadline_s = time.monotonic() + LONGEST_S
        while (event := client.poll(0)) is None:
            assert time.monotonic() < deadline_s, "the welcome was never taken"
        assert isinstance(event, Welcome)
        assert client.state == "live"
        assert client.poll(0) is None
    finally:
        client.close()
        context.destroy(linger=0)

"""The shell as its actors use it: a real process, real sockets, real signals."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import msgspec
import orjson
import pytest
import zmq

from common.actor.control import NotRunning, ask, is_running
from common.actor.core import Close, Effect, Note, Send, Write
from common.actor.shell import runs
from common.messages import (
    HIGHEST_NUMBER,
    MAX_REQUEST_BYTES,
    Attempt,
    ControlAnswer,
    ControlRequest,
    QueryOrder,
    StatusChanged,
    TopOfBook,
    Traded,
    encode,
)
from scripts.ports import free_ports

ACTOR = Path(__file__).with_name("echo_actor.py")
CHECKOUT = Path(__file__).resolve().parents[3]


def spawn(folder: Path, port: int) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-P", str(ACTOR), str(folder), str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(CHECKOUT)},
    )


class Echo:
    """A running actor and a client's sockets to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run = folder / "run"
        (self.port,) = free_ports(1)
        self.process = spawn(folder, self.port)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "up\n"
        self.context = zmq.Context()
        self.entry = self.context.socket(zmq.DEALER)
        self.entry.setsockopt(zmq.RCVTIMEO, 5000)
        self.entry.connect(f"ipc://{self.run}/entry")

    def ask(self, number: int) -> int:
        self.entry.send(encode(StatusChanged("s", number)))
        return msgspec.msgpack.decode(self.entry.recv(), type=StatusChanged).number

    def close(self) -> None:
        self.context.destroy(linger=0)
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def echo(tmp_path: Path) -> Iterator[Echo]:
    running = Echo(tmp_path)
    yield running
    running.close()


def test_a_message_is_answered(echo: Echo) -> None:
    assert [echo.ask(number) for number in (1, 5)] == [2, 6]


def test_garbage_is_counted_kept_and_disturbs_nothing(echo: Echo) -> None:
    no_text = encode(StatusChanged("s", 1)).replace(b"\xa1s", b"\xa1\xb2")
    for garbage in (b"", b"\xff\xfe", b"\x93\xa6status", encode(StatusChanged("s", 1)) + b"x", no_text):
        echo.entry.send(garbage)
    echo.entry.send_multipart([b"a", b"b", b"c"])
    assert echo.ask(3) == 4
    status = ask(echo.run, "echo", "status")
    assert status["garbage"] == {"entry": 8}
    assert isinstance(status["garbage_kept"], list) and status["garbage_kept"][1][2] == "fffe"


def test_a_block_of_the_stream_that_is_no_frame_is_garbage_too(echo: Echo) -> None:
    stream = echo.context.socket(zmq.XPUB)
    stream.setsockopt(zmq.RCVTIMEO, 5000)
    stream.connect(f"ipc://{echo.run}/stream")
    assert stream.recv() == b"\x01", "it has subscribed"
    for garbage in (b"x", b"\0" * 200):
        stream.send(garbage)
    status = ask(echo.run, "echo", "status")
    while len(status.get("garbage_kept", [])) < 2:  # type: ignore[arg-type]
        status = ask(echo.run, "echo", "status")
    stream.close()
    assert status["garbage"] == {"stream": 2}
    assert echo.ask(3) == 4


def garbage_upto_ff(echo: Echo, link: str, sock: "zmq.Socket[bytes]") -> int:
    """How much is counted on the link once the byte 0xff, sent behind all else, was counted too."""
    sock.send(b"\xff")
    while True:
        status = ask(echo.run, "echo", "status")
        garbage, kept = status["garbage"], status["garbage_kept"]
        assert isinstance(garbage, dict) and isinstance(kept, list)
        if any((where, data) == (link, "ff") for where, _, data in kept):
            return int(garbage[link])


def test_what_cannot_be_counted_with_is_garbage_on_a_feed_and_on_a_path_of_commands(echo: Echo) -> None:
    feed = echo.context.socket(zmq.XPUB)
    feed.setsockopt(zmq.RCVTIMEO, 5000)
    feed.bind(f"ipc://{echo.run}/feed")
    assert feed.recv() == b"\x01", "it has subscribed"
    for text in ("sNaN", "NaN", "Infinity", "1E+999999", "1E-999999", "64900"):
        price = Decimal(text)
        feed.send(encode(TopOfBook("generic", "BTCUSDT", price, Decimal(1), Decimal("64901"), Decimal(1), None, 1)))
        feed.send(encode(Traded("generic", "BTCUSDT", Decimal("64900"), price, "1", 1)))
    commands = echo.context.socket(zmq.PUSH)
    commands.connect(f"ipc://{echo.run}/commands")
    for counter in (-1, 1, HIGHEST_NUMBER + 1):
        commands.send(encode(QueryOrder(Attempt(1, counter), "generic", "BTCUSDT", "1", "1", "1", 1)))
    assert garbage_upto_ff(echo, "feed", feed) == 11
    assert garbage_upto_ff(echo, "commands", commands) == 3
    for sock in (feed, commands):
        sock.close(linger=0)


@pytest.mark.parametrize("arguments", [b"{not json", b"[1]", b"\xff", b"null"])
def test_a_control_request_whose_arguments_are_no_table_is_garbage_and_is_told_so(echo: Echo, arguments: bytes) -> None:
    control = echo.context.socket(zmq.DEALER)
    control.setsockopt(zmq.RCVTIMEO, 5000)
    control.connect(f"ipc://{echo.run}/control.echo")
    for act in ("log_level", "crash", "status"):
        control.send(encode(ControlRequest(act, arguments)))
        answer = msgspec.msgpack.decode(control.recv(), type=ControlAnswer)
        assert (answer.ok, answer.text) == (False, f"{act}: the arguments are not a JSON object")
    control.close()
    assert ask(echo.run, "echo", "status")["garbage"] == {"control": 3}
    assert echo.ask(3) == 4


def test_status_names_the_process_and_its_memory(echo: Echo) -> None:
    status = ask(echo.run, "echo", "status")
    assert status["pid"] == echo.process.pid
    assert isinstance(status["memory_bytes"], int) and status["memory_bytes"] > 1 << 20


def test_tcp_bytes_come_back_and_a_close_follows_what_was_written(echo: Echo) -> None:
    with socket.create_connection(("127.0.0.1", echo.port), timeout=5) as client:
        payload = bytes(range(256)) * 4000
        client.sendall(payload + b"bye")
        received = b""
        while part := client.recv(65536):
            received += part
        assert received[: len(payload)] == payload


def test_what_is_too_late_to_be_written_comes_back_with_all_behind_it(echo: Echo) -> None:
    with socket.create_connection(("127.0.0.1", echo.port), timeout=5) as client:
        client.sendall(b"this is too late")
        assert client.recv(65536) == b"unwritten: this is too late, and what came behind it"


def test_the_worker_answers_through_the_loop(echo: Echo) -> None:
    assert ask(echo.run, "echo", "work", timeout_s=5)["text"] == "1:40"


def test_a_second_instance_refuses_to_start(echo: Echo) -> None:
    second = spawn(echo.folder, *free_ports(1))
    _, errors = second.communicate(timeout=20)
    assert second.returncode == 1
    assert f"process {echo.process.pid}" in errors
    assert echo.ask(1) == 2


def test_sigterm_stops_the_core_and_its_status_is_the_exit_status(echo: Echo) -> None:
    assert echo.ask(1) == 2
    assert is_running(echo.run, "echo")
    echo.process.send_signal(signal.SIGTERM)
    assert echo.process.wait(timeout=5) == 6
    assert not is_running(echo.run, "echo")
    lines = [orjson.loads(line) for line in (echo.folder / "log" / "echo.jsonl").read_text().splitlines()]
    assert [line["event"] for line in lines] == ["stopping", "exit"]
    assert lines[0]["order"] == "s-1"
    with pytest.raises(NotRunning):
        ask(echo.run, "echo", "status")


def test_a_core_that_raises_ends_the_process_and_its_log_says_why(echo: Echo) -> None:
    with pytest.raises(Exception, match="did not answer"):
        ask(echo.run, "echo", "crash", timeout_s=0.5)
    assert echo.process.wait(timeout=5) == 1
    assert "ValueError: asked to" in (echo.folder / "log" / "echo.jsonl").read_text()


def test_a_worker_that_ends_takes_its_process_with_it(echo: Echo) -> None:
    with pytest.raises(Exception, match="did not answer"):
        ask(echo.run, "echo", "fail", timeout_s=0.5)
    assert echo.process.wait(timeout=5) == 1
    assert "OSError: asked to" in (echo.folder / "log" / "echo.jsonl").read_text()


def test_a_log_that_cannot_be_read_ends_the_process_with_the_integrity_status(echo: Echo) -> None:
    with pytest.raises(Exception, match="did not answer"):
        ask(echo.run, "echo", "read", timeout_s=0.5)
    assert echo.process.wait(timeout=5) == 7
    assert "record 1 is no longer kept: the oldest one is 5" in (echo.folder / "log" / "echo.jsonl").read_text()


def test_the_log_level_can_be_set_while_it_runs(echo: Echo) -> None:
    ask(echo.run, "echo", "log_level", {"level": "error"})
    assert ask(echo.run, "echo", "status")["log_level"] == "error"
    with pytest.raises(Exception, match="no log level"):
        ask(echo.run, "echo", "log_level", {"level": "loud"})


def test_what_goes_the_same_way_goes_together_and_in_order() -> None:
    note = Note("info", "between", {})
    status = StatusChanged("s", 1)
    to_a, to_b = Send("entry", status, b"a"), Send("entry", status, b"b")
    effects: list[Effect] = [
        Write(1, b"a"),
        Write(1, b"b"),
        Write(2, b"c"),
        note,
        note,
        Write(2, b"d"),
        Close(2),
        to_a,
        to_a,
        to_b,
    ]
    assert list(runs(effects)) == [
        [Write(1, b"a"), Write(1, b"b")],
        [Write(2, b"c")],
        [note],
        [note],
        [Write(2, b"d")],
        [Close(2)],
        [to_a, to_a],
        [to_b],
    ]


def test_each_part_of_a_message_is_a_message_and_answers_come_as_parts_of_one(echo: Echo) -> None:
    echo.entry.send_multipart([encode(StatusChanged("s", number)) for number in (1, 2, 3)])
    parts = echo.entry.recv_multipart()
    assert [msgspec.msgpack.decode(part, type=StatusChanged).number for part in parts] == [2, 3, 4]


def test_a_person_whose_request_is_not_read_is_told_so(echo: Echo) -> None:
    control = echo.context.socket(zmq.DEALER)
    control.setsockopt(zmq.RCVTIMEO, 5000)
    control.connect(f"ipc://{echo.run}/control.echo")
    for request in (b"\xc1", encode(ControlRequest("status", b" " * MAX_REQUEST_BYTES))):
        control.send(request)
        answer = msgspec.msgpack.decode(control.recv(), type=ControlAnswer)
        assert not answer.ok and answer.text.startswith("the request is not read: ")
    control.send(encode(ControlRequest("status")))
    assert msgspec.msgpack.decode(control.recv(), type=ControlAnswer).ok
    control.close()

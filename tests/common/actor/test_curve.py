"""Only a key with a place on the link is let in over tcp; who is turned away is counted, told, and may come again."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import zmq

from common.actor import curve as module
from common.actor.curve import Curve, bind, join
from common.config import ConfigError
from common.link_keys import make_link_keys
from common.link_roles import OPERATOR, PROCFILE
from scripts.ports import free_ports

ANSWER_MS = 5_000
ROLES = (*PROCFILE, OPERATOR)


@pytest.fixture
def context() -> Iterator["zmq.Context[zmq.Socket[bytes]]"]:
    context = zmq.Context()
    context.setsockopt(zmq.LINGER, 0)
    yield context
    context.destroy(linger=0)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is not let in tries again soon."""
    monkeypatch.setattr(module, "HANDSHAKE_MS", 200)


class Ends:
    """The order manager's end of `entry`, and clients of it with keys of their own folders."""

    def __init__(self, folder: Path, context: "zmq.Context[zmq.Socket[bytes]]") -> None:
        make_link_keys(folder, ROLES)
        self.endpoint = f"tcp://127.0.0.1:{free_ports(1)[0]}"
        self.server = context.socket(zmq.ROUTER)
        self.curve = self.made(folder, "orders")
        self.others: list[tuple[Curve, zmq.Socket[bytes], zmq.Context[zmq.Socket[bytes]]]] = []
        bind(self.server, self.endpoint, self.curve)

    def made(self, folder: Path, role: str) -> Curve:
        return Curve(folder, (role,), {self.endpoint: "entry"})

    def client(self, folder: Path, role: str) -> Curve:
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        own = context.socket(zmq.DEALER)
        own.setsockopt(zmq.LINGER, 0)
        curve = self.made(folder, role)
        self.others.append((curve, own, context))
        join(own, self.endpoint, curve)
        own.send(role.encode())
        return curve

    def heard(self) -> bytes:
        assert self.server.poll(ANSWER_MS)
        return self.server.recv_multipart()[1]

    def close(self) -> None:
        for curve, client, context in self.others:
            client.close()
            curve.close()
            context.term()
        self.server.close()
        self.curve.close()


@pytest.fixture
def ends(tmp_path: Path, context: "zmq.Context[zmq.Socket[bytes]]") -> Iterator[Ends]:
    made = Ends(tmp_path / "keys", context)
    yield made
    made.close()


def until(what: Callable[[], object]) -> None:
    """Wait, at most `ANSWER_MS`, for what other threads do."""
    deadline_s = time.monotonic() + ANSWER_MS / 1000
    while not what():
        assert time.monotonic() < deadline_s, "it did not happen"
        time.sleep(0.005)


def test_a_role_with_a_place_on_the_link_is_let_in_and_known_by_its_key(ends: Ends, tmp_path: Path) -> None:
    curve = ends.client(tmp_path / "keys", "strategies")
    assert ends.server.poll(ANSWER_MS)
    assert ends.server.recv(copy=False).get("User-Id") == "strategies"
    assert ends.server.recv() == b"strategies"
    assert (curve.cut_off, ends.curve.turned_away) == ({}, {})


@pytest.mark.parametrize("role", ["alerts", "sessions", "journal"])
def test_a_role_of_the_stack_without_a_place_on_the_link_is_turned_away(ends: Ends, tmp_path: Path, role: str) -> None:
    curve = ends.client(tmp_path / "keys", role)
    until(lambda: "does not let the key" in curve.cut_off.get("entry", ""))
    assert set(ends.curve.turned_away) == {f"entry: the key of {role}, which has no place on it"}
    assert not ends.server.poll(0)


def test_an_unknown_key_is_turned_away_until_it_is_made_known(ends: Ends, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    stranger = tmp_path / "stranger"
    make_link_keys(stranger, ("strategies",))
    (stranger / "orders.public").write_bytes((keys / "orders.public").read_bytes())
    curve = ends.client(stranger, "strategies")
    until(lambda: "does not let the key" in curve.cut_off.get("entry", ""))
    assert set(ends.curve.turned_away) == {"entry: a key that is not known here"}
    notes = [note.event for note in ends.curve.take_notes()]
    assert notes.count("turned_away") >= 1
    # As a start with the key in `strategies.NAME.public` would know it.
    key = (stranger / "strategies.public").read_bytes().strip()
    ends.curve.keys.admitted[key] = "strategies"
    assert ends.heard() == b"strategies"
    until(lambda: not curve.cut_off)
    assert [note.event for note in curve.take_notes()][-1] == "link_joined"


def test_a_further_public_key_is_let_in_as_its_role(tmp_path: Path, context: "zmq.Context[zmq.Socket[bytes]]") -> None:
    keys, notebook = tmp_path / "keys", tmp_path / "notebook"
    make_link_keys(keys, ROLES)
    make_link_keys(notebook, ("strategies",))
    (keys / "strategies.notebook.public").write_bytes((notebook / "strategies.public").read_bytes())
    (notebook / "orders.public").write_bytes((keys / "orders.public").read_bytes())
    ends = Ends(keys, context)
    ends.client(notebook, "strategies")
    assert ends.heard() == b"strategies"
    ends.close()


def test_a_server_with_another_key_is_not_believed(ends: Ends, tmp_path: Path) -> None:
    other = tmp_path / "other"
    make_link_keys(other, ROLES)
    curve = ends.client(other, "strategies")
    until(lambda: "it is not orders with the key" in curve.cut_off.get("entry", ""))
    until(lambda: "entry: a peer with a wrong public key of this link" in ends.curve.turned_away)


def test_who_speaks_without_keys_or_no_zeromq_at_all_is_turned_away(
    ends: Ends, tmp_path: Path, context: "zmq.Context[zmq.Socket[bytes]]"
) -> None:
    with context.socket(zmq.DEALER) as plain:
        plain.connect(ends.endpoint)
        plain.send(b"plain")
        until(lambda: "entry: a peer without keys" in ends.curve.turned_away)
    port = int(ends.endpoint.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as browser:
        browser.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 8)
        # It is dropped, and those who are known are served as before.
        browser.settimeout(ANSWER_MS / 1000)
        with suppress(ConnectionError):
            while browser.recv(4096):
                pass
    ends.client(tmp_path / "keys", "strategies")
    assert ends.heard() == b"strategies"


def test_where_nobody_listens_is_said(tmp_path: Path, context: "zmq.Context[zmq.Socket[bytes]]") -> None:
    make_link_keys(tmp_path, ROLES)
    endpoint = f"tcp://127.0.0.1:{free_ports(1)[0]}"
    curve = Curve(tmp_path, ("strategies",), {endpoint: "entry"})
    with context.socket(zmq.DEALER) as sock:
        join(sock, endpoint, curve)
        until(lambda: "is not to be reached" in curve.cut_off.get("entry", ""))
        curve.close()


def test_a_process_serves_only_what_is_its_own(tmp_path: Path, context: "zmq.Context[zmq.Socket[bytes]]") -> None:
    make_link_keys(tmp_path, ROLES)
    endpoint = "tcp://127.0.0.1:1"
    curve = Curve(tmp_path, ("strategies",), {endpoint: "entry"})
    with context.socket(zmq.ROUTER) as sock, pytest.raises(ConfigError, match="served with the key of orders"):
        bind(sock, endpoint, curve)
    with context.socket(zmq.ROUTER) as sock, pytest.raises(ConfigError, match="the address of no link"):
        bind(sock, "tcp://127.0.0.1:2", curve)


def test_of_several_roles_a_process_plays_the_first_whose_key_is_here(tmp_path: Path) -> None:
    make_link_keys(tmp_path, ROLES)
    (tmp_path / "strategies.secret").unlink()
    assert Curve(tmp_path, ("strategies", OPERATOR), {}).role == OPERATOR
    (tmp_path / "operator.secret").unlink()
    with pytest.raises(ConfigError, match="strategies.secret: no such key"):
        Curve(tmp_path, ("strategies", OPERATOR), {})

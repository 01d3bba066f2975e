"""The echo acceptor over real sockets, plain and TLS: the server's loop is turned by the test, so nothing sleeps."""

import datetime
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from common.fix.listener import allow_list
from common.fix.session_types import SessionSettings
from common.fix.wire import Framer, encode, split, utc_timestamp
from common.fix_echo import EchoServer, now
from scripts.cli.fix import _server_tls

SETTINGS = SessionSettings(
    sender_comp_id="ISLD", target_comp_id="TW44", initiator=False, reset_on_logon=True, logon_timeout_s=0.05
)
LOGON = "35=A|34=1|98=0|108=30|"
ORDER = "11=id|21=3|40=1|54=1|55=X|60=20260101-00:00:00|"


OPENED: list[socket.socket] = []


@pytest.fixture(autouse=True)
def close_clients() -> Iterator[None]:
    """Clients do not outlive their test."""
    yield
    while OPENED:
        OPENED.pop().close()


class Client:
    """A counterparty that turns the server's loop while it waits."""

    def __init__(self, server: EchoServer, wrap: Callable[[socket.socket], socket.socket] = lambda s: s) -> None:
        self._server = server
        self.sock = wrap(socket.create_connection(("127.0.0.1", server.port), timeout=5))
        OPENED.append(self.sock)
        self.sock.setblocking(False)
        self._framer = Framer()
        self._got: list[bytes] = []
        self.closed = False

    def send(self, *texts: str, sender: str = "TW44", target: str = "ISLD") -> None:
        """Send messages; CompIDs and SendingTime(52) are filled in."""
        for text in texts:
            kind, number, body = text.split("|", 2)
            stamp = utc_timestamp(now().wall_ns).decode()
            whole = f"{kind}|{number}|49={sender}|52={stamp}|56={target}|{body}"
            self.sock.sendall(encode(b"FIX.4.4", whole.replace("|", "\x01").encode()))

    def receive(self) -> dict[bytes, bytes]:
        """The next message."""
        self._turn_until(lambda: bool(self._got))
        return split(self._got.pop(0))

    def sees_close(self) -> bool:
        """Whether the server closes, without another word."""
        self._turn_until(lambda: self.closed)
        return not self._got

    def _turn_until(self, done: Callable[[], bool]) -> None:
        for _ in range(400):
            self._server.turn(0.01)
            try:
                data = self.sock.recv(65536)
                self.closed = not data
                self._got += self._framer.feed(data)
            except (BlockingIOError, ssl.SSLWantReadError):
                pass
            except OSError:
                self.closed = True
            if done():
                return
        raise AssertionError("the server did not do it")


@pytest.fixture
def log() -> list[str]:
    return []


@pytest.fixture
def server(log: list[str]) -> Iterator[EchoServer]:
    made = EchoServer(SETTINGS, socket.create_server(("127.0.0.1", 0)), log.append)
    yield made
    made.run(lambda: True)


def logged_on(server: EchoServer) -> Client:
    client = Client(server)
    client.send(LOGON)
    assert client.receive()[b"35"] == b"A"
    return client


def test_orders_come_back_as_they_were(server: EchoServer) -> None:
    client = logged_on(server)
    client.send(f"35=D|34=2|{ORDER}")
    echo = client.receive()
    assert echo[b"35"] == b"D" and echo[b"49"] == b"ISLD" and echo[b"34"] == b"2"
    assert echo[b"11"] == b"id" and echo[b"60"] == b"20260101-00:00:00"


def test_a_poss_resend_that_was_seen_is_dropped_until_the_next_logon(server: EchoServer) -> None:
    client = logged_on(server)
    client.send(f"35=D|34=2|97=Y|{ORDER}", f"35=D|34=3|97=Y|{ORDER}", "35=1|34=4|112=x|")
    assert client.receive()[b"97"] == b"Y"
    assert client.receive()[b"35"] == b"0"
    client.sock.close()
    again = logged_on(server)
    again.send(f"35=D|34=2|97=Y|{ORDER}")
    assert again.receive()[b"11"] == b"id"


def test_other_messages_are_refused(server: EchoServer) -> None:
    client = logged_on(server)
    client.send("35=8|34=2|37=id|")
    refused = client.receive()
    assert (refused[b"35"], refused[b"372"], refused[b"380"]) == (b"j", b"8", b"3")


def test_a_resend_is_served_from_what_was_sent(server: EchoServer) -> None:
    client = logged_on(server)
    client.send(f"35=D|34=2|{ORDER}", "35=2|34=3|7=1|16=0|")
    client.receive()
    fill, order = client.receive(), client.receive()
    assert (fill[b"35"], fill[b"36"]) == (b"4", b"2")
    assert (order[b"35"], order[b"43"], order[b"34"]) == (b"D", b"Y", b"2")


def test_a_second_connection_of_the_same_identity_is_closed_in_silence(server: EchoServer) -> None:
    first = logged_on(server)
    second = Client(server)
    second.send(LOGON)
    assert second.sees_close()
    first.send("35=1|34=2|112=still here|")
    assert first.receive()[b"112"] == b"still here"


@pytest.mark.parametrize(("sender", "target"), [("WHO", "ISLD"), ("TW44", "WHO")])
def test_strangers_are_closed_in_silence(server: EchoServer, sender: str, target: str) -> None:
    client = Client(server)
    client.send(LOGON, sender=sender, target=target)
    assert client.sees_close()


def test_who_says_nothing_is_closed(server: EchoServer, log: list[str]) -> None:
    assert Client(server).sees_close()
    assert any("in time" in line for line in log)


def test_a_connection_that_ended_frees_its_session_at_once(server: EchoServer) -> None:
    logged_on(server).sock.close()
    logged_on(server)


def test_addresses_that_are_not_allowed_are_closed(log: list[str]) -> None:
    server = EchoServer(SETTINGS, socket.create_server(("127.0.0.1", 0)), log.append, None, allow_list(["10.0.0.0/8"]))
    assert Client(server).sees_close()
    server.run(lambda: True)


# -- TLS


def _certificate(
    folder: Path, name: str, issuer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(issuer[1] if issuer else key, hashes.SHA256())
    )
    (folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / f"{name}.key").write_bytes(key.private_bytes(*form))
    return certificate, key


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """ca, venue.test and client certificates."""
    ca = _certificate(tmp_path, "ca", None)
    _certificate(tmp_path, "venue.test", ca)
    _certificate(tmp_path, "client", ca)
    return tmp_path


def tls_server(keys: Path, log: list[str]) -> EchoServer:
    context = _server_tls(str(keys / "venue.test.pem"), str(keys / "venue.test.key"), str(keys / "ca.pem"))
    return EchoServer(SETTINGS, socket.create_server(("127.0.0.1", 0)), log.append, context)


def tls_client(server: EchoServer, context: ssl.SSLContext) -> Client:
    """Connects and shakes hands while the server's loop runs beside it."""
    done = threading.Event()
    loop = threading.Thread(target=lambda: server_until(server, done))
    loop.start()
    try:
        return Client(server, lambda sock: context.wrap_socket(sock, server_hostname="venue.test"))
    finally:
        done.set()
        loop.join()


def server_until(server: EchoServer, done: threading.Event) -> None:
    """Turn the loop until somebody says stop."""
    while not done.is_set():
        server.turn(0.01)


def client_context(keys: Path) -> ssl.SSLContext:
    """Trusts the CA alone and checks the server's name."""
    return ssl.create_default_context(cafile=str(keys / "ca.pem"))


def test_tls_with_a_client_certificate_and_the_servers_name(keys: Path, log: list[str]) -> None:
    server = tls_server(keys, log)
    context = client_context(keys)
    context.load_cert_chain(keys / "client.pem", keys / "client.key")
    client = tls_client(server, context)
    client.send(LOGON, f"35=D|34=2|{ORDER}")
    assert client.receive()[b"35"] == b"A"
    assert client.receive()[b"11"] == b"id"
    client.sock.close()
    server.run(lambda: True)


def test_tls_without_a_client_certificate_is_refused(keys: Path, log: list[str]) -> None:
    server = tls_server(keys, log)
    client = tls_client(server, client_context(keys))
    assert client.sees_close()
    server.run(lambda: True)

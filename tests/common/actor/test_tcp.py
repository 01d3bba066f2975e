"""A stream's end is noticed also where it comes in one segment with data, which TLS tells of once."""

import datetime
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from common.actor.tcp import Connection, ConnectionLost, Phase


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate that vouches for itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "venue")])
    begin = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begin)
        .not_valid_after(begin + datetime.timedelta(days=36_500))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("venue")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "venue.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


class Peer:
    """The other end of a TLS stream, which decides what one segment holds."""

    def __init__(self, wire: socket.socket, certificate: Path) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self._wire = wire
        self._wire.setblocking(False)
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_side=True)

    def shake_hands(self) -> None:
        """One step of the handshake."""
        try:
            self._in.write(self._wire.recv(65_536))
            self._tls.do_handshake()
        except (BlockingIOError, ssl.SSLWantReadError):
            pass
        self._wire.send(self._out.read())

    def send(self, data: bytes, *, closes: bool = False, behind: bytes = b"") -> None:
        """Data, in one segment with close_notify or with bytes that are no record."""
        self._tls.write(data)
        if closes:
            with pytest.raises(ssl.SSLWantReadError):
                self._tls.unwrap()
        self._wire.send(self._out.read() + behind)


@pytest.fixture
def stream(certificate: Path) -> Iterator[tuple[Connection, Peer]]:
    """A stream with its handshake done, and its peer."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    connection, peer = Connection(1, ours, Phase.CONNECTING), Peer(theirs, certificate)
    connection.start_tls(
        ssl.create_default_context(cafile=str(certificate)), server_side=False, server_name="venue"
    )
    while connection.phase is not Phase.OPEN:
        connection.progress()
        peer.shake_hands()
    peer.shake_hands()
    yield connection, peer
    connection.close()
    theirs.close()


def test_a_stream_that_lives_has_no_end(stream: tuple[Connection, Peer]) -> None:
    connection, peer = stream
    peer.send(b"35=8|")
    assert (connection.receive(), connection.ended) == (b"35=8|", "")


def test_a_close_notify_in_one_segment_with_data_ends_the_stream(stream: tuple[Connection, Peer]) -> None:
    connection, peer = stream
    peer.send(b"35=5|", closes=True)
    assert (connection.receive(), connection.ended) == (b"35=5|", "closed by the peer")


def test_a_bad_record_in_one_segment_with_data_ends_the_stream(stream: tuple[Connection, Peer]) -> None:
    connection, peer = stream
    peer.send(b"35=8|", behind=b"\x17\x03\x03\x00\x20" + b"no record at all, no, none at all")
    assert connection.receive() == b"35=8|"
    assert "record" in connection.ended.lower(), connection.ended


def test_an_end_that_comes_alone_is_told_at_once(stream: tuple[Connection, Peer]) -> None:
    connection, peer = stream
    peer.send(b"", closes=True)
    with pytest.raises(ConnectionLost, match="closed by the peer"):
        connection.receive()

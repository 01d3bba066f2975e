"""Invariant: a notice arrives whole, signed and over a connection that is verified, or the error says why it did not,
without any secret.
"""

import datetime
import hashlib
import hmac
import http.server
import ipaddress
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import orjson
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from common.alerts import FiringAlert, Severity, WatchKind
from common.config import Config, load
from services.alerts.book import AlertNotice
from services.alerts.deliveries import Letter, Post, Sent
from services.alerts.sinks import NotSent, Postman, send_heartbeat, senders

ALERT = FiringAlert(
    rule="session_down", watch=WatchKind.SESSION_DOWN, severity=Severity.CRITICAL, subject="session@generic",
    text="session@generic is waiting", mend="look", since_ns=1_800_000_000 * 10**9, seen_ns=1_800_000_010 * 10**9,
)  # fmt: skip
NOTICE = AlertNotice(number=7, made_ns=1_800_000_020 * 10**9, environment="testnet", host="here", firing=(ALERT,))
SECRET, TOKEN, PASSWORD = "s3cr3t-of-the-hook", "123:bot-t0ken", "pa55word"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that vouches for itself, with its key."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sink")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    file = tmp_path_factory.mktemp("tls") / "sink.pem"
    pem, no_password = serialization.Encoding.PEM, serialization.NoEncryption()
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, no_password)
    file.write_bytes(made.public_bytes(pem) + private)
    return file


class Web(http.server.BaseHTTPRequestHandler):
    """Keeps what it is sent, and answers as it is told."""

    heard: ClassVar[list[tuple[str, dict[str, str], bytes]]] = []
    status = 200
    answer = b'{"ok": true}'

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.heard.append((self.path, {key.lower(): value for key, value in self.headers.items()}, body))
        self.send_response(self.status)
        self.send_header("Location", "https://elsewhere.example/")
        self.send_header("Content-Length", str(len(self.answer)))
        self.end_headers()
        self.wfile.write(self.answer)

    do_GET = do_POST

    def log_message(self, format: str, *args: object) -> None:
        """It has no screen."""


class Mail(socketserver.StreamRequestHandler):
    """As much of a mail server as a client needs; keeps what it hears."""

    heard: ClassVar[list[str]] = []
    refuses = ""

    def handle(self) -> None:
        self.say("220 here")
        in_data = False
        for raw in self.rfile:
            line = raw.decode().rstrip("\r\n")
            self.heard.append(line)
            word = line.partition(" ")[0].upper()
            if in_data:
                in_data = line != "."
                if not in_data:
                    self.say("250 taken")
            elif word == self.refuses:
                self.say(f"535 {line} is wrong")
            elif word == "EHLO":
                self.say("250-here\r\n250 AUTH PLAIN")
            elif word == "DATA":
                in_data = True
                self.say("354 go on")
            elif word == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say("235 ok" if word == "AUTH" else "250 ok")

    def say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


class Served(socketserver.ThreadingTCPServer):
    """Over TLS with a certificate, or plain with None."""

    daemon_threads = True

    def __init__(self, handler: Any, certificate: Path | None) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no news."""

    @property
    def port(self) -> int:
        return int(self.server_address[1])


@pytest.fixture
def serve() -> Iterator[Callable[..., tuple[int, Any]]]:
    """Serve a kind of handler; returns its port and its own class."""
    running: list[Served] = []

    def begin(kind: Any, certificate: Path | None = None, **changes: object) -> tuple[int, Any]:
        own = type("Own", (kind,), {"heard": [], **changes})
        running.append(Served(own, certificate))
        return running[-1].port, own

    yield begin
    for each in running:
        each.shutdown()
        each.server_close()


@pytest.fixture
def configured(tmp_path: Path) -> Callable[..., Config]:
    """The checkout's configuration with these keys of [alerts]; secrets lie under the var folder."""
    folder = tmp_path / "var/keys/alerts"
    folder.mkdir(parents=True)
    for name, text in (("secret", SECRET), ("token", TOKEN), ("name", "desk"), ("password", PASSWORD)):
        (folder / name).write_text(f"{text}\n")

    def make(**keys: object) -> Config:
        environ = {f"FIXRING__ALERTS__{key.upper()}": str(value) for key, value in keys.items()}
        return load(environ={**environ, "FIXRING_VAR": str(tmp_path / "var")})

    return make


def sent(config: Config, sink: str, notice: AlertNotice = NOTICE) -> str:
    """Send it as the worker does; returns the error."""
    sends = {name: send for name, (_, send) in senders(config).items()}
    postman = Postman(sends, lambda: None, config.paths.alerts, 5)
    (result,) = postman.post(Post((Letter(sink, notice),), False, b"")).sent
    assert result.sink == sink
    assert not any(secret in result.error for secret in (SECRET, TOKEN, PASSWORD)), result.error
    return result.error


def webhook(port: int, ca: Path | str, scheme: str = "https") -> dict[str, object]:
    return {
        "webhooks__pager__url": f"{scheme}://127.0.0.1:{port}/hook?key=u1", "webhooks__pager__ca": ca,
        "webhooks__pager__secret_file": "keys/alerts/secret",
    }  # fmt: skip


def test_a_webhook_is_posted_the_notice_signed_over_body_and_time(
    serve: Any, configured: Any, certificate: Path
) -> None:
    port, web = serve(Web, certificate)
    assert sent(configured(**webhook(port, certificate)), "pager") == ""
    ((path, headers, body),) = web.heard
    assert path == "/hook?key=u1" and headers["content-type"] == "application/json"
    told = msgspec.json.decode(body, type=AlertNotice)
    assert told == NOTICE and "session@generic is waiting" in orjson.loads(body)["text"]
    # As docs/alerts.md tells whoever receives it.
    expected = hmac.new(SECRET.encode(), headers["x-fixring-time"].encode() + b"." + body, hashlib.sha256).hexdigest()
    assert headers["x-fixring-signature"] == f"sha256={expected}"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"status": 500}, "127.0.0.1: it answers 500"),
        ({"status": 302}, "127.0.0.1: it answers 302"),
    ],
)
def test_what_a_webhook_does_not_take_is_said_and_no_redirect_followed(
    serve: Any, configured: Any, certificate: Path, changes: dict[str, object], told: str
) -> None:
    port, web = serve(Web, certificate, **changes)
    assert sent(configured(**webhook(port, certificate)), "pager") == told
    assert len(web.heard) == 1


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(serve: Any, configured: Any, certificate: Path) -> None:
    port, web = serve(Web, certificate)
    assert "certificate is not to be trusted" in sent(configured(**webhook(port, "")), "pager")
    assert not web.heard


def test_a_secret_that_is_not_there_is_named_by_its_file(configured: Any, tmp_path: Path) -> None:
    file = tmp_path / "var/keys/alerts/secret"
    file.unlink()
    assert sent(configured(**webhook(1, "")), "pager") == f"{file}: No such file or directory"


def test_nobody_there(configured: Any) -> None:
    assert "127.0.0.1: " in sent(configured(**webhook(1, "", "http")), "pager")


def telegram(port: int, certificate: Path) -> dict[str, object]:
    return {
        "telegrams__chat__url": f"https://127.0.0.1:{port}", "telegrams__chat__ca": certificate,
        "telegrams__chat__token_file": "keys/alerts/token", "telegrams__chat__chat_id": "-100",
    }  # fmt: skip


def test_a_bot_writes_it(serve: Any, configured: Any, certificate: Path) -> None:
    port, web = serve(Web, certificate)
    assert sent(configured(**telegram(port, certificate)), "chat") == ""
    ((path, _, body),) = web.heard
    assert path == f"/bot{TOKEN}/sendMessage"
    told = orjson.loads(body)
    assert told["chat_id"] == "-100" and told["text"].startswith("fixring TESTNET on here: 1 firing\nCRITICAL session_")


@pytest.mark.parametrize("changes", [{"status": 404}, {"answer": b'{"ok": false}'}, {"answer": b"<html>"}])
def test_what_a_bot_cannot_write_is_said_without_its_token(
    serve: Any, configured: Any, certificate: Path, changes: dict[str, object]
) -> None:
    port, _ = serve(Web, certificate, **changes)
    assert sent(configured(**telegram(port, certificate)), "chat").startswith("127.0.0.1: it ")


def email(port: int, security: str, ca: Path | str = "") -> dict[str, object]:
    return {
        "emails__desk__host": "127.0.0.1", "emails__desk__port": port, "emails__desk__security": security,
        "emails__desk__from_address": "fixring@acme.example", "emails__desk__to": "a@acme.example,b@acme.example",
        "emails__desk__username_file": "keys/alerts/name", "emails__desk__password_file": "keys/alerts/password",
        "emails__desk__ca": ca,
    }  # fmt: skip


def test_it_is_mailed_over_tls_to_each(serve: Any, configured: Any, certificate: Path) -> None:
    port, mail = serve(Mail, certificate)
    assert sent(configured(**email(port, "tls", certificate)), "desk") == ""
    assert [line for line in mail.heard if line.startswith("rcpt")] == [
        "rcpt TO:<a@acme.example>", "rcpt TO:<b@acme.example>",
    ]  # fmt: skip
    assert "Subject: fixring TESTNET on here: 1 firing" in mail.heard
    assert any("session@generic is waiting" in line for line in mail.heard)


def test_without_starttls_nothing_is_said_in_the_clear(serve: Any, configured: Any, certificate: Path) -> None:
    port, mail = serve(Mail)
    assert sent(configured(**email(port, "starttls", certificate)), "desk") != ""
    assert not any(line.upper().startswith(("AUTH", "MAIL", "DATA")) for line in mail.heard)


def test_a_mail_server_that_refuses_us_is_not_quoted(serve: Any, configured: Any) -> None:
    port, _ = serve(Mail, refuses="AUTH")
    assert sent(configured(**email(port, "none")), "desk") == "127.0.0.1: it answers 535"


# ---- the worker ----


def test_one_that_stands_still_holds_up_nobody_and_is_busy_until_it_ends(tmp_path: Path) -> None:
    go, heard = threading.Event(), list[str]()

    def stands(notice: AlertNotice) -> None:
        go.wait(10)

    postman = Postman({"slow": stands, "quick": lambda _: heard.append("quick")}, lambda: None, tmp_path / "s", 0.05)
    letters = (Letter("slow", NOTICE), Letter("quick", NOTICE))
    first = {each.sink: each.error for each in postman.post(Post(letters, False, b"")).sent}
    assert first == {"slow": "it does not answer in time", "quick": ""} and heard == ["quick"]
    again = postman.post(Post(letters[:1], False, b"")).sent
    assert again == (Sent("slow", "it is still at the last one"),)
    go.set()


def test_whatever_a_sink_raises_is_told_by_its_kind_alone(tmp_path: Path) -> None:
    def raises(notice: AlertNotice) -> None:
        raise RuntimeError(SECRET)

    postman = Postman({"odd": raises}, lambda: None, tmp_path / "s", 5)
    (result,) = postman.post(Post((Letter("odd", NOTICE),), False, b"")).sent
    assert result.error == "it could not be sent: RuntimeError"


def test_the_state_is_written_whole_and_what_cannot_be_is_said(tmp_path: Path) -> None:
    postman = Postman({}, lambda: None, tmp_path / "a/state.json", 5)
    assert postman.post(Post((), False, b"{}")).state_error == ""
    assert (tmp_path / "a/state.json").read_bytes() == b"{}" and len(list((tmp_path / "a").iterdir())) == 1
    (tmp_path / "file").write_text("")
    told = Postman({}, lambda: None, tmp_path / "file/state.json", 5).post(Post((), False, b"{}")).state_error
    assert told.startswith(f"{tmp_path}/file/state.json: ")


def test_the_heartbeat_gets_its_url_and_no_error_has_it(serve: Any, configured: Any, tmp_path: Path) -> None:
    port, web = serve(Web)
    (tmp_path / "var/keys/alerts/beat").write_text(f"http://127.0.0.1:{port}/ping/uuid-1\n")
    config = configured(heartbeat__url_file="keys/alerts/beat")
    send_heartbeat(config.stack.alerts.heartbeat, config, 5)
    assert [path for path, _, _ in web.heard] == ["/ping/uuid-1"]
    web.status = 404
    with pytest.raises(NotSent) as caught:
        send_heartbeat(config.stack.alerts.heartbeat, config, 5)
    assert str(caught.value) == "127.0.0.1: it answers 404"

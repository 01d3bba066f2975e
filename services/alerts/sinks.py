"""The worker of `alerts`: it writes down what a restart must know, and sends letters, each sink's beside the others'.

TLS is always verified. Redirects are not followed and no proxy is used: a notice goes where it was told to. Secrets are
read from their files at each sending, so a new one needs no restart, and no error has any of one, or a URL, in it.
"""

import contextlib
import hashlib
import hmac
import http.client
import os
import queue
import smtplib
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import orjson

from common.alerts import HEARTBEAT
from common.config import Config, EmailConfig, EmailSecurity, HeartbeatConfig, TelegramConfig, WebhookConfig
from services.alerts.book import AlertNotice
from services.alerts.deliveries import Post, Posted, Sent
from services.alerts.wording import body, document, heading

TIME_HEADER = "X-Fixring-Time"
SIGNATURE_HEADER = "X-Fixring-Signature"
MAX_TELEGRAM_CHARACTERS = 4_096
MAX_ANSWER_BYTES = 65_536
MAX_ERROR_CHARACTERS = 300
USER_AGENT = "fixring-alerts"


class NotSent(Exception):
    """A sink did not take it; the text says why, without any secret."""


Send = Callable[[AlertNotice], None]


def signature(secret: bytes, sent_s: str, payload: bytes) -> str:
    """HMAC-SHA256 over the time, a full stop and the body: an old body with a new time has another."""
    return f"sha256={hmac.new(secret, sent_s.encode() + b'.' + payload, hashlib.sha256).hexdigest()}"


def read_secret(path: Path) -> str:
    """What a file holds, without the white space around it. Raises NotSent."""
    try:
        text = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise NotSent(f"{path}: {why}") from None
    if not text:
        raise NotSent(f"{path}: it is empty")
    return text


def context_of(ca: str, config: Config) -> ssl.SSLContext:
    """What verifies the other side, by `ca` or the system's authorities. Raises NotSent."""
    try:
        context = ssl.create_default_context(cafile=str(config.paths.resolve(ca)) if ca else None)
    except OSError as error:
        raise NotSent(f"{ca}: {error.strerror or error}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class HttpCaller:
    """Makes one HTTP request on a connection of its own."""

    def __init__(self, ca: str, config: Config, timeout_s: float) -> None:
        """`ca` as in the configuration."""
        self._ca = ca
        self._config = config
        self._timeout_s = timeout_s

    def call(self, method: str, url: str, payload: bytes = b"", headers: Mapping[str, str] = {}) -> bytes:  # noqa: B006
        """The body of an answer of success. Raises NotSent, whose text has the host and no more of the URL."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        connection = self._open(parts.scheme, host, parts.port)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            connection.request(method, target, payload or None, {"User-Agent": USER_AGENT, **headers})
            answer = connection.getresponse()
            told = answer.read(MAX_ANSWER_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise NotSent(f"{host}: {_why(error)}") from None
        finally:
            connection.close()
        if not 200 <= answer.status < 300:
            raise NotSent(f"{host}: it answers {answer.status}")
        return told

    def _open(self, scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
        if scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=self._timeout_s)
        context = context_of(self._ca, self._config)
        return http.client.HTTPSConnection(host, port, timeout=self._timeout_s, context=context)


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not to be trusted: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return "it does not answer in time"
    return str(error) or type(error).__name__


def post_webhook(its: WebhookConfig, config: Config, notice: AlertNotice) -> None:
    """Post the notice as JSON, signed. Raises NotSent."""
    payload, sent_s = document(notice), str(int(time.time()))
    secret = read_secret(config.paths.resolve(its.secret_file)).encode()
    signed = {TIME_HEADER: sent_s, SIGNATURE_HEADER: signature(secret, sent_s, payload)}
    caller = HttpCaller(its.ca, config, config.stack.alerts.timeout_s)
    caller.call("POST", its.url, payload, {"Content-Type": "application/json", **signed})


def send_telegram(its: TelegramConfig, config: Config, notice: AlertNotice) -> None:
    """Have the bot write the notice into the chat. Raises NotSent."""
    token = read_secret(config.paths.resolve(its.token_file))
    payload = orjson.dumps({"chat_id": its.chat_id, "text": body(notice)[:MAX_TELEGRAM_CHARACTERS]})
    caller = HttpCaller(its.ca, config, config.stack.alerts.timeout_s)
    told = caller.call(
        "POST", f"{its.url.rstrip('/')}/bot{token}/sendMessage", payload, {"Content-Type": "application/json"}
    )
    try:
        if orjson.loads(told)["ok"] is True:
            return
    except (orjson.JSONDecodeError, KeyError, TypeError):
        pass
    raise NotSent(f"{urlsplit(its.url).hostname}: it does not say that it was sent")


def send_email(its: EmailConfig, config: Config, notice: AlertNotice) -> None:
    """Mail the notice. Raises NotSent."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = its.from_address, ", ".join(its.to), heading(notice)
    mail["Date"], mail["Message-ID"] = formatdate(), make_msgid(domain=its.from_address.rpartition("@")[2])
    mail.set_content(body(notice))
    timeout_s = config.stack.alerts.timeout_s
    try:
        if its.security is EmailSecurity.TLS:
            context = context_of(its.ca, config)
            server: smtplib.SMTP = smtplib.SMTP_SSL(its.host, its.port, timeout=timeout_s, context=context)
        else:
            server = smtplib.SMTP(its.host, its.port, timeout=timeout_s)
        with server:
            _hand_over(server, its, config, mail)
    except smtplib.SMTPResponseException as error:
        # What the server says may repeat what it was told.
        raise NotSent(f"{its.host}: it answers {error.smtp_code}") from None
    except (OSError, smtplib.SMTPException) as error:
        raise NotSent(f"{its.host}: {_why(error)}") from None


def _hand_over(server: smtplib.SMTP, its: EmailConfig, config: Config, mail: EmailMessage) -> None:
    if its.security is EmailSecurity.STARTTLS:
        server.starttls(context=context_of(its.ca, config))
    if its.username_file:
        resolve = config.paths.resolve
        server.login(read_secret(resolve(its.username_file)), read_secret(resolve(its.password_file)))
    server.send_message(mail)


def send_heartbeat(its: HeartbeatConfig, config: Config, timeout_s: float) -> None:
    """Let the outside service hear us. Raises NotSent."""
    url = read_secret(config.paths.resolve(its.url_file))
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise NotSent(f"{its.url_file}: it must hold a URL that begins with https://")
    HttpCaller(its.ca, config, timeout_s).call("GET", url)


def senders(config: Config) -> dict[str, tuple[str, Send]]:
    """Every sink of the configuration by name: its kind, and what sends a notice there."""
    alerts = config.stack.alerts
    found: dict[str, tuple[str, Send]] = {}
    found |= {name: ("webhook", partial(post_webhook, its, config)) for name, its in alerts.webhooks.items()}
    found |= {name: ("email", partial(send_email, its, config)) for name, its in alerts.emails.items()}
    return found | {name: ("telegram", partial(send_telegram, its, config)) for name, its in alerts.telegrams.items()}


class Postman:
    """The worker's function. A sink that is still at its last letter when the time is over is busy until that ends."""

    def __init__(self, sends: Mapping[str, Send], beat: Callable[[], None], state: Path, limit_s: float) -> None:
        """`limit_s` bounds one call; each sending has a limit of its own, which is below."""
        self._sends = sends
        self._beat = beat
        self._state = state
        self._limit_s = limit_s
        self._busy: set[str] = set()

    def post(self, call: msgspec.Struct) -> Posted:
        """Write down, send everything at once, and wait until all have ended or the time is over."""
        assert isinstance(call, Post)
        error = self._write(call.state) if call.state else ""
        jobs: dict[str, Callable[[], None]] = {
            letter.sink: partial(self._sends[letter.sink], letter.notice) for letter in call.letters
        }
        if call.beat:
            jobs[HEARTBEAT] = self._beat
        return Posted(tuple(self._run(jobs)), error)

    def _write(self, state: bytes) -> str:
        """Whole or not at all. Not synced: what a power cut takes is told once more, or again."""
        new = self._state.with_suffix(".new")
        try:
            self._state.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            new.write_bytes(state)
            os.replace(new, self._state)
        except OSError as error:
            return f"{self._state}: {error.strerror}"
        return ""

    def _run(self, jobs: Mapping[str, Callable[[], None]]) -> list[Sent]:
        done: queue.SimpleQueue[Sent] = queue.SimpleQueue()
        ended = [Sent(sink, "it is still at the last one") for sink in jobs if sink in self._busy]
        waiting = {sink for sink in jobs if sink not in self._busy}
        for sink in waiting:
            self._busy.add(sink)
            threading.Thread(target=self._send, args=(sink, jobs[sink], done), name=sink, daemon=True).start()
        by_s = time.monotonic() + self._limit_s
        while waiting:
            with contextlib.suppress(queue.Empty):
                ended.append(done.get(timeout=max(0.0, by_s - time.monotonic())))
                waiting.discard(ended[-1].sink)
                continue
            return [*ended, *(Sent(sink, "it does not answer in time") for sink in waiting)]
        return ended

    def _send(self, sink: str, job: Callable[[], None], done: "queue.SimpleQueue[Sent]") -> None:
        error = ""
        try:
            job()
        except NotSent as found:
            error = str(found)[:MAX_ERROR_CHARACTERS]
        except Exception as found:
            # Whatever a library raises is no reason to stop telling the others; its text may hold what we sent.
            error = f"it could not be sent: {type(found).__name__}"
        self._busy.discard(sink)
        done.put(Sent(sink, error))

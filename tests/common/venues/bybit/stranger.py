"""A client of Bybit's FIX that was written from the venue's documents alone, as a desk's own would be: a TLS socket, a
signature, and the fields. It imports nothing of this project, so that it can share no misreading with it.

Source: bybit-exchange/docs, fix-api/{guide,create-order,amend-order,cancel-order,execution-report}.mdx.
"""

import base64
import datetime
import socket
import ssl
import time
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

SOH = b"\x01"
SERVER = "BYBIT_FIX_SERVER"
WAIT_S = 10.0

Message = dict[str, str]


@dataclass(frozen=True)
class Door:
    """Where the server is, and who goes in."""

    host: str
    port: int
    ca_file: str
    server_name: str
    api_key: str
    private_key_pem: bytes


class Broken(Exception):
    """The server has written what its documents forbid."""


@dataclass
class Stranger:
    """One connection. `sent` and `heard` are the numbers used so far."""

    door: Door
    name: str
    sent: int = 0
    heard: int = 0
    _read: bytes = b""
    _socket: ssl.SSLSocket = field(init=False)

    def __post_init__(self) -> None:
        context = ssl.create_default_context(cafile=self.door.ca_file)
        plain = socket.create_connection((self.door.host, self.door.port), timeout=WAIT_S)
        self._socket = context.wrap_socket(plain, server_hostname=self.door.server_name)

    def close(self) -> None:
        """Drop the connection."""
        self._socket.close()

    # ---- out

    def send(self, msg_type: str, *fields: tuple[int, object], number: int = 0) -> None:
        """One message under the next number, or under another one."""
        self.sent = number or self.sent + 1
        stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%d-%H:%M:%S.%f")[:-3]
        head = [(35, msg_type), (34, self.sent), (49, self.name), (52, stamp), (56, SERVER)]
        body = b"".join(f"{tag}={value}".encode() + SOH for tag, value in [*head, *fields])
        whole = b"8=FIX.4.4" + SOH + f"9={len(body)}".encode() + SOH + body
        self._socket.sendall(whole + f"10={sum(whole) % 256:03d}".encode() + SOH)

    def log_on(self, expires_in_ms: int = 5000, word: str = "GET/realtime", api_key: str = "") -> Message:
        """Send a Logon; the answer."""
        expires = int(time.time() * 1000) + expires_in_ms
        key = load_pem_private_key(self.door.private_key_pem, None)
        assert isinstance(key, RSAPrivateKey)
        signature = base64.b64encode(key.sign(f"{word}{expires}".encode(), PKCS1v15(), SHA256())).decode()
        self.send(
            "A", (98, 0), (108, 30), (553, api_key or self.door.api_key), (95, len(signature)), (96, signature),
            (30023, expires), (141, "Y"),
        )  # fmt: skip
        return self.receive()

    def order(self, name: str, side: str, qty: str, price: str, time_in_force: str = "1", asked: str = "") -> None:
        """A new limit order, which is called the same in 30006 unless it is `asked` under another name."""
        self.send(
            "D", *_window(), (30010, "spot"), (55, "BTCUSDT"), (54, side), (40, 2), (59, time_in_force), (38, qty),
            (44, price), (11, name), (30006, asked or name),
        )  # fmt: skip

    def cancel(self, name: str, asked: str) -> None:
        """A cancel of the order called `name`."""
        self.send("F", *_window(), (30010, "spot"), (55, "BTCUSDT"), (11, name), (30006, asked))

    def amend(self, name: str, asked: str, *changes: tuple[int, str]) -> None:
        """An amendment of the order called `name`."""
        self.send("XAR", *_window(), (30010, "spot"), (55, "BTCUSDT"), (30006, asked), (11, name), *changes)

    # ---- in

    def receive(self) -> Message:
        """The next message, after its length, its checksum and its number were looked at. Raises Broken, EOFError."""
        while True:
            raw = self._frame()
            if raw:
                break
            data = self._socket.recv(65536)
            if not data:
                raise EOFError("the server has closed the connection")
            self._read += data
        fields = [part.split(b"=", 1) for part in raw.split(SOH)[:-1]]
        tags = [tag.decode() for tag, _ in fields]
        if tags[:7] != ["8", "9", "35", "34", "49", "52", "56"]:
            raise Broken(f"the header is {tags[:7]}")
        message = {tag.decode(): value.decode() for tag, value in reversed(fields)}
        self.heard += 1
        if (message["34"], message["49"], message["56"]) != (str(self.heard), SERVER, self.name):
            raise Broken(f"{message} is not number {self.heard} from {SERVER} to {self.name}")
        return message

    def _frame(self) -> bytes:
        """A whole message out of what was read, b"" where there is none yet."""
        begin, _, rest = self._read.partition(SOH)
        length, ended, rest = rest.partition(SOH)
        if not ended:
            return b""
        body = int(length.removeprefix(b"9="))
        if len(rest) < body + len(b"10=000") + 1:
            return b""
        head = begin + SOH + length + SOH + rest[:body]
        trailer = rest[body : body + 7]
        if trailer != f"10={sum(head) % 256:03d}".encode() + SOH:
            raise Broken(f"{head + trailer!r} has another checksum")
        self._read = self._read[len(head) + 7 :]
        return head + trailer

    def receive_reports(self, count: int) -> list[Message]:
        """So many messages, Heartbeats left out."""
        found: list[Message] = []
        while len(found) < count:
            message = self.receive()
            if message["35"] != "0":
                found.append(message)
        return found


def _window() -> tuple[tuple[int, int], tuple[int, int]]:
    return (30002, int(time.time() * 1000)), (30001, 5000)

"""A client of Kraken's spot order entry, written from its documents alone: sockets, hashes and text, nothing of the
project. It opens no connection by itself: it is given one.
"""

import base64
import hashlib
import hmac
import time
from datetime import UTC, datetime
from typing import Protocol


class Connection(Protocol):
    """A socket, under TLS or not."""

    def sendall(self, data: bytes, /) -> None: ...
    def recv(self, size: int, /) -> bytes: ...


class RawClient:
    """Numbers, frames and signs by itself. `heard` is every message, as tag and text, the last value of a tag."""

    def __init__(self, connection: Connection, sender: str, api_key: str, secret: str) -> None:
        self.connection = connection
        self.sender = sender
        self.api_key = api_key
        self.secret = secret
        self.number = 0
        self.last_name = time.time_ns() // 1000
        self.heard: list[dict[str, str]] = []
        self.closed = False
        self._buffer = b""

    def name(self) -> str:
        """A ClOrdID(11): microseconds, and above the one before."""
        self.last_name = max(self.last_name + 1, time.time_ns() // 1000)
        return str(self.last_name)

    def logon(self, **also: str) -> None:
        """35=A with the signature over what it says."""
        nonce = str(time.time_ns() // 1_000_000)
        parts = ["35=A", f"34={self.number + 1}", f"49={self.sender}", "56=KRAKEN-TRD", f"553={self.api_key}", nonce]
        digest = hashlib.sha256("\x01".join(parts).encode()).digest()
        mac = hmac.new(base64.b64decode(self.secret), digest, hashlib.sha512).digest()
        self.send("A", ("98", "0"), ("108", "60"), ("141", "N"), ("553", self.api_key),
                  ("554", base64.b64encode(mac).decode()), ("5025", nonce),
                  *((tag.removeprefix("t"), value) for tag, value in also.items()))  # fmt: skip

    def send(self, msg_type: str, *fields: tuple[str, str]) -> None:
        """One message under the next number."""
        self.number += 1
        header = [("35", msg_type), ("34", str(self.number)), ("49", self.sender), ("52", now()), ("56", "KRAKEN-TRD")]
        body = "".join(f"{tag}={value}\x01" for tag, value in (*header, *fields))
        whole = f"8=FIX.4.4\x019={len(body)}\x01{body}".encode()
        self.connection.sendall(whole + b"10=%03d\x01" % (sum(whole) % 256))

    def request(self, msg_type: str, *fields: tuple[str, str]) -> str:
        """A request under the next name, which it returns."""
        name = self.name()
        self.send(msg_type, ("11", name), *fields, ("60", now()))
        return name

    def order(self, side: str, qty: str, price: str, *also: tuple[str, str]) -> str:
        """A limit order in BTC/USD."""
        terms = (("38", qty), ("40", "2"), ("44", price), ("54", side), ("55", "BTC/USD"), ("59", "1"))
        return self.request("D", *terms, *also)

    def hear(self, msg_type: str, **fields: str) -> dict[str, str]:
        """The next message of that type and with those fields (as t39="0") that was not heard before."""
        while True:
            for message in self._read():
                self.heard.append(message)
                if message["35"] == msg_type and all(message.get(tag[1:]) == value for tag, value in fields.items()):
                    return message

    def _read(self) -> list[dict[str, str]]:
        """One message, once it is there. Raises ConnectionError where none comes any more."""
        while True:
            end = self._buffer.find(b"\x0110=")
            stop = self._buffer.find(b"\x01", end + 4) if end >= 0 else -1
            if stop >= 0:
                raw, self._buffer = self._buffer[: stop + 1], self._buffer[stop + 1 :]
                assert sum(raw[: end + 1]) % 256 == int(raw[end + 4 : stop]), raw
                return [dict(pair.split("=", 1) for pair in raw.decode().split("\x01")[:-1])]
            data = self.connection.recv(65_536)
            if not data:
                self.closed = True
                raise ConnectionError("closed")
            self._buffer += data


def now() -> str:
    """SendingTime(52)."""
    return datetime.now(UTC).strftime("%Y%m%d-%H:%M:%S.%f")[:-3]

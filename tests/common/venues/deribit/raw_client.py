"""A client of Deribit's FIX gateway, written from its pages alone: it imports nothing of the project."""

import base64
import hashlib
import os
import socket
import time

SOH = "\x01"
Message = dict[str, str]


def framed(fields: list[tuple[str, str]]) -> bytes:
    """A whole message out of its fields from MsgType(35) on."""
    body = "".join(f"{tag}={value}{SOH}" for tag, value in fields)
    head = f"8=FIX.4.4{SOH}9={len(body)}{SOH}{body}"
    return f"{head}10={sum(head.encode()) % 256:03d}{SOH}".encode()


class RawClient:
    """One connection with a client id and its secret. `tags` are those of the last message, in order."""

    def __init__(self, port: int, client_id: str, secret: str, name: str = "RAW") -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._client_id = client_id
        self._secret = secret
        self._name = name
        self._buffer = b""
        self.number = 1
        self.tags: list[str] = []

    def close(self) -> None:
        """Drop the connection."""
        self._socket.close()

    def send(self, msg_type: str, *fields: tuple[str, str]) -> None:
        """Number and send a message. SendingTime(52) is ignored, and may be anything."""
        head = [("35", msg_type), ("49", self._name), ("56", "DERIBITSERVER"), ("34", str(self.number))]
        self._socket.sendall(framed([*head, ("52", "19700101-00:00:00.000"), *fields]))
        self.number += 1

    def receive(self) -> Message:
        """The next message, the last value of each tag; empty where the server has closed."""
        while True:
            end = self._buffer.find(b"\x0110=")
            if end >= 0 and len(self._buffer) >= end + 8:
                raw, self._buffer = self._buffer[: end + 8], self._buffer[end + 8 :]
                assert int(raw[-4:-1]) == sum(raw[: end + 1]) % 256
                fields = [field.partition("=") for field in raw.decode().rstrip(SOH).split(SOH)]
                self.tags = [tag for tag, _, _ in fields]
                return {tag: value for tag, _, value in fields}
            data = self._socket.recv(65536)
            if not data:
                return {}
            self._buffer += data

    def logon(self, *more: tuple[str, str], timestamp_ms: int = 0, password: str = "") -> Message:
        """Log on with a nonce of random bytes; the answer."""
        nonce = base64.b64encode(os.urandom(32)).decode()
        raw_data = f"{timestamp_ms or time.time_ns() // 1_000_000}.{nonce}"
        digest = base64.b64encode(hashlib.sha256((raw_data + self._secret).encode()).digest()).decode()
        fields = [("108", "30"), ("95", str(len(raw_data))), ("96", raw_data), ("553", self._client_id)]
        self.send("A", *fields, ("554", password or digest), *more)
        return self.receive()

    def order(self, name: str, side: str, qty: str, price: str, *more: tuple[str, str]) -> Message:
        """A limit order for BTC-PERPETUAL, good till cancelled; the first answer."""
        self.send("D", ("11", name), ("54", side), ("38", qty), ("44", price), ("55", "BTC-PERPETUAL"), *more)
        return self.receive()

"""A client of HTX's FIX gateways, written from the mirror of its page alone: it imports nothing of the project."""

import base64
import datetime
import socket

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SOH = "\x01"
Message = dict[str, str]
Field = tuple[str, str]


def now() -> str:
    """SendingTime(52) in milliseconds."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y%m%d-%H:%M:%S.%f")[:-3]


class RawClient:
    """One session under a name of its own, with an API key, its private key, and the id of the account."""

    def __init__(self, port: int, name: str, api_key: str, key: Ed25519PrivateKey, account: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._name = name
        self._api_key = api_key
        self._key = key
        self._account = account
        self._buffer = b""
        self.number = 1

    def close(self) -> None:
        """Drop the connection."""
        self._socket.close()

    def send(self, msg_type: str, *fields: Field, stamp: str = "") -> None:
        """Number and send a message."""
        head = [("35", msg_type), ("34", str(self.number)), ("49", self._name), ("52", stamp or now()), ("56", "spot")]
        body = "".join(f"{tag}={value}{SOH}" for tag, value in [*head, *fields])
        whole = f"8=FIX.4.4{SOH}9={len(body)}{SOH}{body}"
        self._socket.sendall(f"{whole}10={sum(whole.encode()) % 256:03d}{SOH}".encode())
        self.number += 1

    def receive(self) -> Message:
        """The next message, the last value of each tag; empty where the server has closed."""
        while True:
            end = self._buffer.find(b"\x0110=")
            if end >= 0 and len(self._buffer) >= end + 8:
                raw, self._buffer = self._buffer[: end + 8], self._buffer[end + 8 :]
                assert int(raw[-4:-1]) == sum(raw[: end + 1]) % 256
                return dict(field.split("=", 1) for field in raw.decode().rstrip(SOH).split(SOH))
            try:
                data = self._socket.recv(65536)
            except ConnectionResetError:
                return {}
            if not data:
                return {}
            self._buffer += data

    def logon(self, interval: str = "10", reset: str = "Y", ends: str = SOH) -> Message:
        """Log on with the signature of the page, over four values with `ends` behind the last; the answer."""
        stamp = now()
        signed = SOH.join([self._name, "spot", str(self.number), stamp]) + ends
        raw = base64.b64encode(self._key.sign(signed.encode())).decode()
        terms = [("98", "0"), ("108", interval), ("95", str(len(raw))), ("96", raw), ("141", reset)]
        self.send("A", *terms, ("553", self._api_key), stamp=stamp)
        return self.receive()

    def ask(self, msg_type: str, *fields: Field) -> Message:
        """Send a request; the next message."""
        self.send(msg_type, *fields)
        return self.receive()

    def order(self, name: str, kind: str, qty: str, price: str, *more: Field) -> Message:
        """An order for btcusdt, whose type says its side."""
        terms = [("11", name), ("1", self._account), ("40", kind), ("55", "btcusdt"), ("38", qty), ("44", price)]
        return self.ask("D", *terms, ("578", "spot-api"), *more)

"""A client of Coinbase Prime's FIX gateways, written from its pages alone: it imports nothing of the project."""

import base64
import datetime
import hashlib
import hmac
import socket

SOH = "\x01"
Message = dict[str, str]
Field = tuple[str, str]


def now(behind_s: float = 0) -> str:
    """SendingTime(52) of so long ago."""
    at = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=behind_s)
    return at.strftime("%Y%m%d-%H:%M:%S.%f")[:-3]


class RawClient:
    """One connection of a service account, with the API key, the secret and the passphrase of it."""

    def __init__(self, port: int, who: tuple[str, str, str], version: str = "FIX.4.2", sender: str = "DESK") -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._who = who
        self._version = version
        self._sender = sender
        self._buffer = b""
        self.number = 1

    def close(self) -> None:
        """Drop the connection."""
        self._socket.close()

    def send(self, msg_type: str, *fields: Field, stamp: str = "") -> None:
        """Number and send a message."""
        who = [("49", self._sender), ("52", stamp or now()), ("56", "COIN")]
        head = [("35", msg_type), ("34", str(self.number)), *who]
        body = "".join(f"{tag}={value}{SOH}" for tag, value in [*head, *fields])
        whole = f"8={self._version}{SOH}9={len(body)}{SOH}{body}"
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

    def logon(self, *more: Field, key_tag: str = "9407", separator: str = "", drop_copy: str = "N") -> Message:
        """Log on with the signature of the pages' own example; the answer."""
        key, secret, passphrase = self._who
        stamp = now()
        text = separator.join([stamp, "A", str(self.number), key, "COIN", passphrase])
        raw = base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()).decode()
        signed = [("95", str(len(raw))), ("96", raw), ("554", passphrase), ("9406", drop_copy), (key_tag, key)]
        self.send("A", ("98", "0"), ("108", "30"), *signed, *more, stamp=stamp)
        return self.receive()

    def ask(self, msg_type: str, *fields: Field, stamp: str = "") -> Message:
        """Send a request; the next message."""
        self.send(msg_type, *fields, stamp=stamp)
        return self.receive()

    def order(self, name: str, qty: str, price: str, *more: Field) -> Message:
        """A limit order to buy BTC-USD, as the venue's own sample client writes it."""
        terms = [("1", "portfolio"), ("11", name), ("38", qty), ("40", "2"), ("44", price), ("54", "1")]
        return self.ask("D", *terms, ("55", "BTC-USD"), ("59", "1"), ("847", "L"), *more)

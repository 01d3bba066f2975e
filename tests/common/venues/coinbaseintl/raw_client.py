"""A client of Coinbase International's FIX, written from its pages alone: it imports nothing of the project."""

import base64
import datetime
import hashlib
import hmac
import socket

SOH = "\x01"
Message = dict[str, str]
Field = tuple[str, str]


def now(behind_s: float = 0) -> str:
    """SendingTime(52) of so long ago, with three digits of the second."""
    at = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=behind_s)
    return at.strftime("%Y%m%d-%H:%M:%S.%f")[:-3]


class RawClient:
    """One session with an API key, its secret in base64, and a passphrase; `target` says of which kind it is."""

    def __init__(self, port: int, who: tuple[str, str, str], target: str = "CBINTLOE") -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._who = who
        self._target = target
        self._buffer = b""
        self.number = 1

    def close(self) -> None:
        """Drop the connection."""
        self._socket.close()

    def send(self, msg_type: str, *fields: Field, stamp: str = "") -> None:
        """Number and send a message."""
        who = [("49", self._who[0]), ("56", self._target), ("34", str(self.number)), ("52", stamp or now())]
        body = "".join(f"{tag}={value}{SOH}" for tag, value in [("35", msg_type), *who, *fields])
        whole = f"8=FIXT.1.1{SOH}9={len(body)}{SOH}{body}"
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

    def logon(self, *more: Field, separator: str = "", reset: str = "Y", behind_s: float = 0) -> Message:
        """Log on with the signature of the page, in Text(58); the answer."""
        key, secret, passphrase = self._who
        stamp = now(behind_s)
        text = separator.join([stamp, key, self._target, passphrase])
        signed = base64.b64encode(hmac.new(base64.b64decode(secret), text.encode(), hashlib.sha256).digest()).decode()
        terms = [("98", "0"), ("108", "30"), ("141", reset), ("553", key), ("554", passphrase), ("58", signed)]
        self.send("A", *terms, ("1137", "9"), *more, stamp=stamp)
        return self.receive()

    def ask(self, msg_type: str, *fields: Field, stamp: str = "") -> Message:
        """Send a request; the next message."""
        self.send(msg_type, *fields, stamp=stamp)
        return self.receive()

    def order(self, name: str, qty: str, price: str, *more: Field) -> Message:
        """A limit order to buy BTC-PERP, as the venue's own client writes it, with fields that are superfluous."""
        terms = [("1", "portfolio"), ("11", name), ("38", qty), ("40", "2"), ("44", price), ("54", "1")]
        return self.ask("D", *terms, ("55", "BTC-PERP"), ("59", "1"), ("847", "L"), *more)

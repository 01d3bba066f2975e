"""A client of Crypto.com's order entry, written from its pages alone: it imports nothing of the project."""

import hashlib
import hmac
import socket
import time

SOH = "\x01"
Message = dict[str, str]


class RawClient:
    """One connection with a key and its secret: numbers, frames and signs by itself."""

    def __init__(self, port: int, sender: str, target: str, key: str, secret: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._names = (sender, target)
        self._key = key
        self._secret = secret
        self._buffer = b""
        self.number = 0
        self.orders = 0

    def logon(self, *more: tuple[str, str]) -> Message:
        """35=A, and what comes back."""
        nonce = str(time.time_ns() // 1_000_000)
        payload = f"public/auth{self.number + 1}{self._key}system_labelONEEX{nonce}"
        signature = hmac.new(self._secret.encode(), payload.encode(), hashlib.sha256).hexdigest()
        fields = (("95", str(len(nonce))), ("96", nonce), ("98", "0"), ("108", "10"), ("553", self._key))
        self.send("A", *fields, ("554", signature), *more)
        return self.receive()

    def send(self, msg_type: str, *fields: tuple[str, str]) -> None:
        """One message under the next number."""
        self.number += 1
        sender, target = self._names
        header = [("35", msg_type), ("34", str(self.number)), ("49", sender), ("52", now()), ("56", target)]
        body = "".join(f"{tag}={value}{SOH}" for tag, value in (*header, *fields))
        head = f"8=FIX.4.4{SOH}9={len(body)}{SOH}{body}"
        self._socket.sendall(f"{head}10={sum(head.encode()) % 256:03d}{SOH}".encode())

    def order(self, side: str, qty: str, price: str, *more: tuple[str, str]) -> str:
        """A limit order in BTC_USD; its name."""
        self.orders += 1
        name = f"raw{self.orders}"
        terms = (("11", name), ("38", qty), ("40", "2"), ("44", price), ("54", side), ("55", "BTC_USD"), ("60", now()))
        self.send("D", *terms, *more)
        return name

    def receive(self) -> Message:
        """The next message. Raises ConnectionError where none comes any more."""
        while True:
            end = self._buffer.find(b"\x0110=")
            stop = self._buffer.find(b"\x01", end + 4) if end >= 0 else -1
            if stop >= 0:
                raw, self._buffer = self._buffer[: stop + 1], self._buffer[stop + 1 :]
                assert sum(raw[: end + 1]) % 256 == int(raw[end + 4 : stop]), raw
                return dict(pair.split("=", 1) for pair in raw.decode().split(SOH)[:-1])
            data = self._socket.recv(65_536)
            if not data:
                raise ConnectionError("closed")
            self._buffer += data

    def close(self) -> None:
        """Without a word."""
        self._socket.close()


def now() -> str:
    """SendingTime(52)."""
    ns = time.time_ns()
    return time.strftime("%Y%m%d-%H:%M:%S", time.gmtime(ns // 10**9)) + f".{ns // 10**6 % 1000:03d}"

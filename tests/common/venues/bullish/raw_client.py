"""A client of Bullish's order entry, written from its pages alone: it imports nothing of the project."""

import socket
import time

SOH = "\x01"
Message = dict[str, str]


class RawClient:
    """One connection of a trader with his password: numbers and frames by itself."""

    def __init__(self, port: int, sender: str, target: str, trader: str, password: str, account: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._names = (sender, target)
        self._trader = trader
        self._password = password
        self._account = account
        self._buffer = b""
        self.number = 0
        self.orders = 0

    def logon(self, interval: str = "30") -> Message:
        """35=A, and what comes back."""
        self.send("A", ("98", "0"), ("108", interval), ("141", "N"), ("554", self._password))
        return self.receive()

    def send(self, msg_type: str, *fields: tuple[str, str]) -> None:
        """One message under the next number."""
        self.number += 1
        sender, target = self._names
        header = [("35", msg_type), ("34", str(self.number)), ("49", sender), ("52", now()), ("56", target)]
        header.append(("50", self._trader))
        body = "".join(f"{tag}={value}{SOH}" for tag, value in (*header, *fields))
        head = f"8=FIX.4.4{SOH}9={len(body)}{SOH}{body}"
        self._socket.sendall(f"{head}10={sum(head.encode()) % 256:03d}{SOH}".encode())

    def request(self, msg_type: str, *fields: tuple[str, str]) -> str:
        """A request for the account under the next name, which it returns."""
        self.orders += 1
        name = str(self.orders)
        self.send(msg_type, ("11", name), ("1", self._account), *fields, ("60", now()))
        return name

    def order(self, side: str, qty: str, price: str, kind: str = "2") -> str:
        """A limit order in BTCUSDC; its name."""
        return self.request("D", ("55", "BTCUSDC"), ("54", side), ("38", qty), ("40", kind), ("44", price))

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

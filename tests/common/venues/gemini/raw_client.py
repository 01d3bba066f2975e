"""A client of Gemini's FIX gateway, written from its pages alone: it imports nothing of the project."""

import datetime
import socket

SOH = "\x01"
Message = dict[str, str]


def now() -> str:
    """SendingTime(52)."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y%m%d-%H:%M:%S.%f")[:-3]


class RawClient:
    """One connection under the name that the venue has given."""

    def __init__(self, port: int, sender: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._sender = sender
        self._buffer = b""
        self.number = 1

    def close(self) -> None:
        """Drop the connection."""
        self._socket.close()

    def send(self, msg_type: str, *fields: tuple[str, str], header: tuple[tuple[str, str], ...] = ()) -> None:
        """Number and send a message."""
        head = [("35", msg_type), ("34", str(self.number)), ("49", self._sender), ("52", now()), ("56", "GEMINI")]
        body = "".join(f"{tag}={value}{SOH}" for tag, value in [*head, *header, *fields])
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

    def logon(self, heart_bt_int: str, *more: tuple[str, str]) -> Message:
        """Log on; the answer."""
        self.send("A", ("98", "0"), ("108", heart_bt_int), *more)
        return self.receive()

    def ask(self, msg_type: str, *fields: tuple[str, str], header: tuple[tuple[str, str], ...] = ()) -> Message:
        """Send a request; the next message."""
        self.send(msg_type, *fields, header=header)
        return self.receive()

    def order(
        self, name: str, side: str, qty: str, price: str, *more: tuple[str, str],
        header: tuple[tuple[str, str], ...] = (),
    ) -> Message:  # fmt: skip
        """A limit order for BTCUSD."""
        terms = [("11", name), ("38", qty), ("40", "2"), ("44", price), ("54", side), ("55", "BTCUSD"), ("59", "1")]
        return self.ask("D", *terms, ("60", now()), *more, header=header)

    def order_of(self, name: str, side: str, *terms: tuple[str, str]) -> Message:
        """An order for BTCUSD of those terms, without a limit's."""
        return self.ask("D", ("11", name), ("54", side), ("55", "BTCUSD"), ("60", now()), *terms)

    def cancel(self, name: str, of: str) -> Message:
        """An order's cancel, by the client's own name."""
        return self.ask("F", ("11", name), ("41", of), ("54", "1"), ("55", "BTCUSD"), ("60", now()))

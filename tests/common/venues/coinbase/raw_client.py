"""A client of Coinbase Exchange's FIX gateway, written from its pages alone: it imports nothing of the project."""

import base64
import datetime
import hashlib
import hmac
import socket
import uuid

SOH = "\x01"
Message = dict[str, str]


def now() -> str:
    """SendingTime(52) with three digits of the second."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y%m%d-%H:%M:%S.%f")[:-3]


def framed(fields: list[tuple[str, str]]) -> bytes:
    """A whole message out of its fields from MsgType(35) on."""
    body = "".join(f"{tag}={value}{SOH}" for tag, value in fields)
    head = f"8=FIXT.1.1{SOH}9={len(body)}{SOH}{body}"
    return f"{head}10={sum(head.encode()) % 256:03d}{SOH}".encode()


class RawClient:
    """One connection with an API key, its secret in base64, and a passphrase."""

    def __init__(self, port: int, api_key: str, secret: str, passphrase: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._who = (api_key, secret, passphrase)
        self._buffer = b""
        self.number = 1

    def close(self) -> None:
        """Drop the connection."""
        self._socket.close()

    def send(self, msg_type: str, fields: list[tuple[str, str]], stamp: str = "", number: str = "") -> None:
        """Number and send a message."""
        head = [("35", msg_type), ("34", number or str(self.number)), ("49", self._who[0]), ("56", "Coinbase")]
        self._socket.sendall(framed([*head, ("52", stamp or now()), *fields]))
        self.number += 1

    def receive(self) -> Message:
        """The next message, tags once each; empty where the server has closed."""
        while True:
            end = self._buffer.find(b"\x0110=")
            if end >= 0 and len(self._buffer) >= end + 8:
                raw, self._buffer = self._buffer[: end + 8], self._buffer[end + 8 :]
                assert int(raw[-4:-1]) == sum(raw[: end + 1]) % 256
                return dict(field.split("=", 1) for field in raw.decode().rstrip(SOH).split(SOH))
            data = self._socket.recv(65536)
            if not data:
                return {}
            self._buffer += data

    def logon(self, stamp: str = "", signed_stamp: str = "", number: str = "1", **more: str) -> Message:
        """Log on; `more` are further fields, `tN` for tag N. The answer."""
        api_key, secret, passphrase = self._who
        stamp = stamp or now()
        text = SOH.join([signed_stamp or stamp, "A", number, api_key, "Coinbase", passphrase])
        raw = base64.b64encode(hmac.new(base64.b64decode(secret), text.encode(), hashlib.sha256).digest()).decode()
        extra = {"108": "30", "141": "Y", "1137": "9", **{tag[1:]: value for tag, value in more.items()}}
        fields = [("98", "0"), ("553", api_key), ("554", passphrase), ("95", str(len(raw))), ("96", raw)]
        self.send("A", fields + list(extra.items()), stamp, number)
        return self.receive()

    def ask(self, msg_type: str, *fields: tuple[str, str]) -> Message:
        """Send a request with a new ClOrdID(11), unless it gives one; the next message."""
        named = [] if any(tag == "11" for tag, _ in fields) else [("11", str(uuid.uuid4()))]
        self.send(msg_type, [*named, *fields])
        return self.receive()

    def order(self, side: str, qty: str, price: str, *more: tuple[str, str]) -> Message:
        """A limit order for BTC-USD, as the venue's own sample client writes it, with fields that are superfluous."""
        terms = [("1", "portfolio"), ("38", qty), ("40", "2"), ("44", price), ("54", side), ("55", "BTC-USD")]
        return self.ask("D", *terms, ("59", "1"), ("847", "L"), *more)

"""A client of Binance Spot over FIX, written from fix-api.md alone: sockets, Ed25519, text. Nothing of the project."""

import base64
import datetime
import socket

from cryptography.hazmat.primitives.serialization import load_pem_private_key


class RawClient:
    """Numbers, frames and signs by itself. A message is its fields by tag, the last value of each; {} once closed."""

    def __init__(self, port: int, api_key: str, pem: bytes, name: str = "RAW") -> None:
        self.api_key = api_key
        self.key = load_pem_private_key(pem, None)
        self.name = name
        self.number = 0
        self.buffer = b""
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)

    def close(self) -> None:
        self.socket.close()

    def logon(self, *more: tuple[str, str], forge: str = "") -> dict[str, str]:
        """35=A, signed over MsgType, both names, number and time as they are sent; `forge` is signed besides."""
        stamp = now()
        payload = "\x01".join(("A", self.name, "SPOT", str(self.number + 1), stamp)) + forge
        signature = base64.b64encode(self.key.sign(payload.encode())).decode()  # type: ignore[call-arg,union-attr]
        fields = {
            "95": str(len(signature)), "96": signature, "98": "0", "108": "30", "141": "Y", "553": self.api_key,
            "25035": "2",
        }  # fmt: skip
        self.send("A", *{**fields, **dict(more)}.items(), stamp=stamp)
        return self.receive()

    def send(self, msg_type: str, *fields: tuple[str, str], stamp: str = "") -> None:
        """One message under the next number."""
        self.number += 1
        header = (("35", msg_type), ("34", str(self.number)), ("49", self.name), ("52", stamp or now()), ("56", "SPOT"))
        body = "".join(f"{tag}={value}\x01" for tag, value in (*header, *fields))
        whole = f"8=FIX.4.4\x019={len(body)}\x01{body}".encode()
        self.socket.sendall(whole + b"10=%03d\x01" % (sum(whole) % 256))

    def ask(self, msg_type: str, *fields: tuple[str, str]) -> dict[str, str]:
        """One message, and the first that comes back."""
        self.send(msg_type, *fields)
        return self.receive()

    def order(self, name: str, side: str, qty: str, price: str, *more: tuple[str, str]) -> dict[str, str]:
        """A limit order that is good till cancelled."""
        fields = {"11": name, "38": qty, "40": "2", "44": price, "54": side, "55": "BTCUSDT", "59": "1"}
        return self.ask("D", *{**fields, **dict(more)}.items())

    def receive(self) -> dict[str, str]:
        """The next message."""
        while True:
            end = self.buffer.find(b"\x0110=")
            stop = self.buffer.find(b"\x01", end + 4) if end >= 0 else -1
            if stop >= 0:
                raw, self.buffer = self.buffer[: stop + 1], self.buffer[stop + 1 :]
                length = int(raw.split(b"\x01")[1].removeprefix(b"9="))
                assert length == end + 1 - (raw.index(b"\x0135=") + 1), raw
                assert int(raw[end + 4 : stop]) == sum(raw[: end + 1]) % 256, raw
                return dict(pair.split("=", 1) for pair in raw.decode().split("\x01")[:-1])
            data = self.socket.recv(65_536)
            if not data:
                return {}
            self.buffer += data


def now() -> str:
    """SendingTime(52), in microseconds."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y%m%d-%H:%M:%S.%f")

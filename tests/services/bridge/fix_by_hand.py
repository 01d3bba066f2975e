"""A FIX client that imports nothing of the project: bytes, two numbers, and what FIX 4.4 says of them.

It is the second opinion on what a bridge says: it was written from FIX 4.4 with errata 20030618 alone.
"""

from collections.abc import Callable

SOH = "\x01"
Fields = list[tuple[int, str]]


def checksum(data: bytes) -> str:
    """CheckSum(10): the sum of all bytes before it, by 256, in three digits."""
    return f"{sum(data) % 256:03d}"


def read_message(data: bytes) -> tuple[Fields, bytes] | None:
    """The first message and what follows it; None while it is not whole. Raises ValueError where it is no FIX."""
    body_at = data.find(b"\x01", data.find(b"\x019=") + 1) + 1
    if data.find(b"\x019=") < 0 or body_at <= 0:
        return None
    length = int(data[data.find(b"\x019=") + 3 : body_at - 1])
    end = body_at + length
    if len(data) < end + 7:
        return None
    trailer = data[end : end + 7]
    if not data.startswith(b"8=FIX.4.4\x019=") or trailer != f"10={checksum(data[:end])}{SOH}".encode():
        raise ValueError(f"no FIX: {data[: end + 7]!r}")
    pairs = [field.partition("=") for field in data[:end].decode("ascii").split(SOH) if field]
    return [(int(tag), value) for tag, _, value in pairs], data[end + 7 :]


class RawClient:
    """An initiator. `write` sends bytes; `got` are the messages that it took, in the order of their numbers."""

    def __init__(self, sender: str, target: str, clock: Callable[[], str]) -> None:
        """`clock` gives SendingTime(52)."""
        self._names = sender, target
        self._clock = clock
        self._data = b""
        self._ahead: dict[int, Fields] = {}
        self.write: Callable[[bytes], None] = lambda data: None
        self.next_out = 1
        self.next_in = 1
        self.got: list[dict[int, str]] = []
        self.text = ""

    def connected(self, write: Callable[[bytes], None], more: str = "") -> None:
        """Log on, going on with the numbers that it has."""
        self.write, self._data = write, b""
        self._ahead.clear()
        self.send("A", f"98=0|108=30|{more}")

    def send(self, msg_type: str, body: str, number: int = 0, head: str = "") -> None:
        """A message under the next number, or under one that was used before."""
        if not number:
            number, self.next_out = self.next_out, self.next_out + 1
        sender, target = self._names
        text = f"35={msg_type}|34={number}|49={sender}|52={self._clock()}|56={target}|{head}{body}".replace("|", SOH)
        data = f"8=FIX.4.4{SOH}9={len(text)}{SOH}{text}".encode("ascii")
        self.write(data + f"10={checksum(data)}{SOH}".encode())

    def received(self, data: bytes) -> None:
        """Bytes of the bridge."""
        self._data += data
        while (found := read_message(self._data)) is not None:
            fields, self._data = found
            self._take(fields)

    def _take(self, fields: Fields) -> None:
        told = dict(fields)
        number = int(told[34])
        if told[35] == "4" and told.get(123) != "Y":
            self.next_in = int(told[36])
        elif number > self.next_in and told[35] != "5":
            if not self._ahead:
                self.send("2", f"7={self.next_in}|16=0|")
            self._ahead[number] = fields
            return
        elif number < self.next_in:
            if told.get(43) != "Y":
                raise ValueError(f"MsgSeqNum(34)={number} again, and {self.next_in} is next")
            return
        elif told[35] == "4":
            self.next_in = int(told[36])
        else:
            self.next_in = number + 1
            self._heard(told)
        ahead = self._ahead.pop(self.next_in, None)
        if ahead is not None:
            self._take(ahead)

    def _heard(self, told: dict[int, str]) -> None:
        kind = told[35]
        if kind == "1":
            self.send("0", f"112={told[112]}|")
        elif kind == "2":
            # Nothing is said again: a gap fill over all of it.
            self.send("4", f"123=Y|36={self.next_out}|", int(told[7]), f"43=Y|122={self._clock()}|")
        elif kind == "5":
            self.text = told.get(58, "")
        if kind not in "0125":
            self.got.append(told)

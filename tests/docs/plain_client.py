"""A client of the order entry link that is written from docs/protocol.md alone: ZeroMQ, MessagePack and nothing else.

    plain_client.py ENDPOINT

It trades a little, waits for a line on its input while somebody kills the order manager, goes on, and prints what it
believes as JSON. Exit status 1, with a text, where it was told what the page says that it never is.
"""

import json
import sys
import time
import uuid
from typing import Any

import zmq
from msgspec.msgpack import decode, encode

BEFORE_STANDING = 1048575
OPEN = 26
PROTOCOL = 1
HELLO_S = 0.3
QUIET_S = 1.0
WAIT_S = 25.0


class Client:
    """One instance; the numbers of the rules are the page's."""

    def __init__(self, endpoint: str, name: str) -> None:
        self.name, self.instance = name, uuid.uuid4().hex
        self.socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.ROUTING_ID, f"{name}/{self.instance}".encode())
        self.socket.connect(endpoint)
        self.epoch = self.highest = self.told = 0
        self.state = ""
        self.complete = False
        self.last = (0, 0)
        self.orders: dict[int, list[Any]] = {}
        self.positions: dict[tuple[str, str], str] = {}
        self.coming: tuple[dict[int, list[Any]], dict[tuple[str, str], str]] | None = None
        self.unanswered: dict[int, list[Any]] = {}
        self.outcomes: dict[int, str] = {}
        self.why: list[Any] = []
        self.heard = self.said = 0.0

    def hello(self) -> None:
        """Rules 1, 8 and 9."""
        self.said = time.monotonic()
        last = self.last if self.coming is None else (0, 0)
        self.socket.send(encode(["hello", self.name, self.instance, *last, self.epoch, PROTOCOL]))

    def command(self, tag: str, *fields: object) -> int:
        """Rule 3."""
        self.highest += 1
        self.unanswered[self.highest] = [tag, self.epoch, self.highest, *fields]
        self.socket.send(encode(self.unanswered[self.highest]))
        return self.highest

    def send_again(self) -> None:
        """Rule 4, lowest number first. What adds risk is old by now, and asks for its outcome alone (rule 5)."""
        for number in sorted(self.unanswered):
            request = self.unanswered[number]
            request[1] = self.epoch
            again = [*request[:7], 1] if request[0] == "new_order?" else request
            self.socket.send(encode(again))

    def turn(self) -> None:
        """Take what comes, for a while."""
        if self.socket.poll(50):
            self.heard = time.monotonic()
            self.take(decode(self.socket.recv()))
        now = time.monotonic()
        overdue = now - self.said > HELLO_S and (not self.complete or self.unanswered)
        if overdue or now - max(self.heard, self.said) > QUIET_S:
            self.hello()

    def take(self, message: list[Any]) -> None:
        """One message of the order manager."""
        tag, fields = message[0], message[1:]
        if tag == "welcome" and fields[1] == self.instance:
            self.welcome(*fields[2:6], *(fields[6:7] or [True]))
        elif tag == "status":
            self.status(*fields[:3])
        elif tag == "outcome":
            if not (len(fields) > 7 and fields[7]) and not self.is_new(fields):
                return
            if fields[2] == self.name:
                self.unanswered.pop(fields[3], None)
                self.outcomes.setdefault(fields[3], fields[4])
                self.why = fields[4:7]
        elif tag in ("order_event", "position", "complete") and self.is_new(fields):
            self.event(tag, fields)

    def welcome(self, epoch: int, highest: int, state: str, lsn: int, resumed: bool) -> None:
        self.epoch, self.state, self.complete = epoch, state, False
        self.highest = max(self.highest, highest)
        self.coming = None
        if not resumed:
            self.coming, self.last = ({}, {}), (lsn, BEFORE_STANDING)
        self.send_again()

    def status(self, state: str, number: int = 0, epoch: int = 0) -> None:
        if state in ("superseded", "refused"):
            sys.exit(f"told {state}")
        if (epoch and epoch != self.epoch) or (number and state == "live"):
            self.hello()
        elif not number and state != self.state:
            self.state = state
            if state == "live" and self.epoch:
                self.send_again()

    def event(self, tag: str, fields: list[Any]) -> None:
        """Rules 8 and 9."""
        orders, positions = (self.orders, self.positions) if self.coming is None else self.coming
        if tag == "complete":
            self.orders, self.positions, self.coming, self.complete = orders, positions, None, True
        elif tag == "position":
            positions[fields[2], fields[3]] = fields[4]
        elif fields[2] == self.name:
            orders[fields[3]] = fields
            if not fields[OPEN]:
                del orders[fields[3]]

    def is_new(self, fields: list[Any]) -> bool:
        """Names rise: what is not above the last was seen before."""
        name = (fields[0], fields[1])
        if name <= self.last:
            return False
        self.last = name
        self.told += 1
        return True

    def until(self, what: str, done: Any) -> None:
        end = time.monotonic() + WAIT_S
        while not done():
            self.turn()
            if time.monotonic() > end:
                sys.exit(f"{what}: not within {WAIT_S} s; {self.state} {self.unanswered} {self.outcomes}")

    def new(self, qty: str, price: str | None) -> int:
        """A buy order that the log has: one that came too late is given again under the next number."""
        ord_type, time_in_force = ("1", "3") if price is None else ("2", "1")
        for _ in range(25):
            terms = ["1", ord_type, qty, price, time_in_force]
            number = self.command("new_order?", "generic", "BTCUSDT", terms, "", 1_000_000_000)
            self.until(f"an outcome of {number}", lambda wanted=number: wanted in self.outcomes)
            if self.outcomes[number] == "sent":
                return number
            time.sleep(0.2)
        sys.exit(f"not taken: {self.why}")


def main() -> None:
    """See the module."""
    client = Client(sys.argv[1], "plain")
    client.hello()
    client.until("welcome", lambda: client.complete)
    first = client.new("0.01", "63000")
    client.until("acknowledged", lambda: first in client.orders and client.orders[first][5] == "NEW")
    client.complete = False
    client.hello()
    client.until("welcome again", lambda: client.complete)
    if list(client.orders) != [first]:
        sys.exit(f"open are {list(client.orders)}, not {first}")
    print("kill the order manager now", flush=True)
    sys.stdin.readline()
    cancel = client.command("cancel?", first, "")
    client.until("cancelled", lambda: first not in client.orders and cancel in client.outcomes)
    resting = client.new("0.01", "62990")
    everything = client.command("cancel_all?", "", "", "")
    client.until("all cancelled", lambda: everything in client.outcomes and resting not in client.orders)
    client.new("0.01", None)
    client.until("bought", lambda: client.positions.get(("generic", "BTCUSDT"), "0") != "0")
    client.complete = False
    client.hello()
    client.until("the end", lambda: client.complete and not client.unanswered)
    positions = {f"{venue} {symbol}": quantity for (venue, symbol), quantity in client.positions.items()}
    outcomes = [client.outcomes[number] for number in (first, cancel, everything)]
    print(json.dumps({"orders": [*client.orders], "positions": positions, "outcomes": outcomes, "told": client.told}))


if __name__ == "__main__":
    main()

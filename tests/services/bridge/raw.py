"""A client of a simulated venue's REST side that knows nothing but what a back end signs."""

from typing import Any

import msgspec

from common.venues.backend import BridgedTerms, HttpCall
from services.bridge.http import HttpClient
from tests.services.bridge.rig import D, Rig


class Wire:
    """What the venue has written to one connection."""

    def __init__(self) -> None:
        self.wire = b""


class Raw:
    """See the module. `headers` are the last answer's, by their names in small letters."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.backend = rig.backend
        self.headers: dict[str, str] = {}

    def call(self, call: HttpCall) -> tuple[int, Any, bytes]:
        """HTTP status, answer, and the answer's bytes."""
        world, wire, http = self.rig.world, Wire(), HttpClient("venue")
        world.connections += 1
        world.raw_clients[world.connections] = wire
        world.core.accepted(world.connections, "rest", self.rig.now)
        world.core.data(world.connections, http.request(call), self.rig.now)
        self.rig.pump()
        head = wire.wire.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
        self.headers = {name.lower(): text for name, _, text in (line.partition(": ") for line in head)}
        answer = http.received(wire.wire)
        assert answer is not None
        return answer.status, msgspec.json.decode(answer.body), answer.body

    def order(self, name: str, **terms: Any) -> HttpCall:
        """A new order that is good for a second."""
        now_ns = self.rig.now.wall_ns
        return self.backend.new(self.terms(name, **terms), now_ns, now_ns + 10**9)

    def terms(self, name: str, **terms: Any) -> BridgedTerms:
        """A limit order to buy, but for `terms`."""
        base: dict[str, Any] = {
            "side": "1", "ord_type": "2", "order_qty": D("0.1"), "price": D(60_000), "time_in_force": "1",
        }  # fmt: skip
        return BridgedTerms(venue_id=name, symbol=self.rig.symbol, **{**base, **terms})

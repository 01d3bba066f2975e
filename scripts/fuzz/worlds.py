"""A simulated stack without a fault of the adversary's, to give inputs to: it remembers real messages, and who died."""

from collections.abc import Sequence
from typing import Any, get_args

import msgspec

from common.instant import NS_PER_MS, NS_PER_S
from common.messages import ControlRequest, Door, NewOrderRequest, encode, upgraded
from scripts.fuzz.target import Broken
from scripts.fuzz.values import Maker
from scripts.simulation.checkers import Checkers
from scripts.simulation.plan import PROBE, TWIN, Plan
from scripts.simulation.process import Binding, Process
from scripts.simulation.world import World
from services.orders.core import OrdersCore

STEPS = 2_000
PAUSE_NS = 15 * NS_PER_MS
WARM_NS = NS_PER_S
"""So long the stack trades before anything strange is said: there are orders, fills and positions then."""

OPEN_WITHIN_NS = 30 * NS_PER_S
ANSWERS_WITHIN_NS = NS_PER_S


class LivelyWorld(World):
    """What is met over a link is shown to the maker; `ended` says which process died, and how, since it was emptied."""

    def __init__(self, seed: int, maker: Maker, checkers: Checkers | None = None) -> None:
        """Nothing runs yet; `come_alive` does that."""
        super().__init__(Plan(seed, STEPS, (), 2, PAUSE_NS, 3, False, frozenset()), checkers=checkers)
        self.ended: list[tuple[str, int, str]] = []
        self._maker: Maker | None = maker

    def come_alive(self) -> None:
        """Start everything, wait until every gate is open, and let it trade for a while. Raises Broken."""
        self.start()
        self.until_open()
        self.run_for(WARM_NS)
        self.ended.clear()

    def until_open(self, *, settles: bool = False) -> None:
        """Wait until every session trades; with `settles` a person settles what the venue cannot, after half the time.

        Raises Broken where one does not trade within OPEN_WITHIN_NS.
        """
        began_ns = self.scheduler.now_ns
        while closed := [name for name in self.processes if name.startswith("session@") and not self._is_open(name)]:
            passed_ns = self.scheduler.now_ns - began_ns
            if passed_ns > OPEN_WITHIN_NS:
                states = {name: self.status(name) for name in closed}
                raise Broken(f"not open again within {OPEN_WITHIN_NS // NS_PER_S} s: {states}")
            if settles and passed_ns > OPEN_WITHIN_NS // 2:
                settles = False
                self._settle([name.partition("@")[2] for name in closed])
            self.insist()
            self.run_for(20 * NS_PER_MS)

    def _settle(self, venues: Sequence[str]) -> None:
        """A person has every order that is still open there end as far as it is known."""
        orders = self.processes["orders"].core
        assert isinstance(orders, OrdersCore)
        for order in [order for venue in venues for order in orders.books.open_orders(venue)]:
            word = {"strategy": order.strategy, "number": order.number, "ord_status": "4", "text": "x", "known": True}
            self.ask("orders", "verdict", word)

    def stop_showing(self) -> None:
        """What is said from here on is not all real."""
        self._maker = None

    def status(self, name: str) -> dict[str, object]:
        """What the process says of itself."""
        process = self.processes[name]
        return {"state": "dead"} if process.core is None else process.core.status(process.clock.read())

    def _is_open(self, name: str) -> bool:
        return self.status(name)["state"] == "ready"

    def received(self, process: Process, link: str, message: msgspec.Struct) -> None:
        """See `Surroundings`."""
        if self._maker is not None:
            self._maker.show(message)
        elif process.name == "orders" and link == "entry":
            # Whoever is granted a name asks in it.
            request = upgraded(message)
            if isinstance(request, NewOrderRequest):
                self.checkers.asked_terms.asked_by_anybody(request)

    def died(self, process: Process, status: int, text: str) -> None:
        """See `Surroundings`."""
        self.ended.append((process.name, status, text))
        super().died(process, status, text)

    def names(self) -> list[str]:
        """The processes of the stack and its strategies, without what comes from outside."""
        return [name for name in self.processes if not name.startswith("exchange@") and name not in (TWIN, PROBE)]

    def must_answer(self, name: str) -> None:
        """Raises Broken where the process does not say its status within ANSWERS_WITHIN_NS."""
        token = self.ask(name, "status")
        self.run_for(ANSWERS_WITHIN_NS)
        if token not in self.answers:
            raise Broken(f"{name} does not answer")


class Indulgent(Checkers):
    """Finds nothing wrong: where inputs forge what only a process of the stack may say, what follows is no fault of
    those who believe it.
    """

    def published(self, process: Process, effect: Any) -> None:
        """Whatever it is."""

    def sending(self, process: Process, effect: Any) -> None:
        """Whatever it is."""

    def writing(self, process: Process, effect: Any) -> None:
        """Whatever it is."""

    def reading(self, process: Process, connection: int, data: bytes) -> None:
        """Whatever it is."""

    def learned(self, record: Any) -> None:
        """Whatever it is."""

    def learned_emergency(self, record: Any) -> None:
        """Whatever it is."""

    def check_confirmed(self, actor: str, act: str) -> None:
        """Whatever it is."""

    def check_told(self, name: str, entry: Any, complete: Any) -> None:
        """Whatever it is."""

    def check_news(self, name: str, began_lsn: int, fill: Any) -> None:
        """Whatever it is."""

    def accepted(self, venue: str, order: Any) -> None:
        """Whatever it is."""

    def exposed(self, venue: str, symbol: str, longest: Any, shortest: Any) -> None:
        """Whatever it is."""


CONTROL = Binding("control", "router", "control", Door(ControlRequest))


def kinds_of(binding: Binding) -> tuple[type[msgspec.Struct], ...]:
    """The types of message that a binding takes."""
    assert binding.decoder is not None
    kind = binding.decoder.accepts
    return get_args(kind) or (kind,)


def give(process: Process, binding: Binding, peer: bytes, message: msgspec.Struct) -> bool:
    """Hand a message to a process in a turn of its own, as its shell would. Whether it decodes there; a message that
    cannot be written is none."""
    assert binding.decoder is not None
    data = encode(message)
    try:
        binding.decoder.decode(data)
        decodes = True
    except Exception:
        decodes = False
    process.agenda.put(lambda now: process.take(binding, peer, data, now))
    return decodes

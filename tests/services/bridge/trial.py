"""One seed of trouble between a client, a bridge and a venue, in memory; then quiet, and what must hold.

The client's books are folded from what it was told alone. They must be the venue's own: each order once, each fill once
under a name that no other has, nothing undecided, nothing ended without evidence.
"""

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from random import Random

from common.exchange.order import Order
from tests.services.bridge.rig import FixClient, Rig

D = Decimal
QUIET_S = 75
"""Two readings on the timer, and every doubt at its slowest pace."""

BLIND_MS = 800
"""Shorter than an order's life: what is hidden so long may not be believed to be absent."""

FAULTS = (
    ("lost", "rest"), ("unknown", "rest"), ("half", "rest"), ("barred", "rest"), ("silent", "fix"),
    ("late_fill", "fix"), ("self_trade", "fix"), ("duplicate", "websocket"), ("gap", "websocket"), ("blind", "rest"),
)  # fmt: skip


def okx_id_sent(data: bytes) -> str:
    """clOrdId of a new order."""
    if b"/trade/order " not in data or b"ordType" not in data:
        return ""
    return data.split(b'"clOrdId":"')[1].split(b'"')[0].decode()


class Told:
    """An order as the client was told of it; `side` is its Side(54)."""

    def __init__(self, side: str) -> None:
        self.side = side
        self.fills: dict[str, tuple[Decimal, str]] = {}
        self.word = "A"
        self.was_told = False
        self.ended_by = ""

    @property
    def cum_qty(self) -> Decimal:
        return sum((qty for qty, _ in self.fills.values()), D(0))


class Trial:
    """See the module. `undecided` counts what had no outcome when the bridge was killed, `outcomes` what ended it."""

    def __init__(
        self,
        seed: int,
        folder: Path,
        make_rig: Callable[[Path], Rig] = Rig,
        id_sent: Callable[[bytes], str] = okx_id_sent,
    ) -> None:
        """`id_sent` is our id in a request of the venue's for a new order, "" in any other request."""
        self.random = Random(seed)
        self.rig = make_rig(folder).live()
        self._id_sent = id_sent
        self.client = FixClient(self.rig)
        self.wrong: list[str] = []
        self.orders: dict[str, Told] = {}
        self.names: dict[str, str] = {}
        self.exec_ids: dict[str, str] = {}
        self.kills = 0
        self.in_flight: list[int] = []
        self.awaiting: set[str] = set()
        self.outcomes: Counter[str] = Counter()
        self._number = 0
        self._read = 0

    # ---- what the client does

    def _name(self, kind: str) -> str:
        self._number += 1
        return f"{kind}{self._number}"

    def order(self) -> None:
        self.place(self.random.choice("12"), 60_000 + self.random.randrange(-20, 21))

    def place(self, side: str, px: int) -> None:
        name = self._name("d")
        self.orders[name], self.names[name] = Told(side), name
        self._say("D", f"11={name}|55={self.rig.symbol}|54={side}|38={self.random.randrange(1, 9)}|40=2|44={px}|59=1|")

    def _pick(self) -> str:
        live = [name for name, told in self.orders.items() if told.word in "A01"]
        return self.random.choice(live) if live else ""

    def cancel(self) -> None:
        name = self._pick()
        if name:
            request = self._name("f")
            self.names[request] = name
            self._say("F", f"11={request}|41={name}|{self._which(name)}")

    def amend(self) -> None:
        name = self._pick()
        if name:
            request, px = self._name("g"), 60_000 + self.random.randrange(-20, 21)
            self.names[request] = name
            self._say("G", f"11={request}|41={name}|{self._which(name)}38=9|40=2|44={px}|59=1|")

    def ask(self) -> None:
        name = self._pick()
        if name:
            self._say("H", f"11={name}|{self._which(name)}")

    def _which(self, name: str) -> str:
        """Symbol(55) and Side(54) of the order: an amendment with another's is refused."""
        return f"55={self.rig.symbol}|54={self.orders[name].side}|"

    def _say(self, msg_type: str, text: str) -> None:
        if self.client.session.logged_on:
            self.client.session.send(msg_type, text.replace("|", "\x01").encode(), self.rig.now)
            self.rig.pump()
        elif msg_type == "D":
            # It was never said.
            del self.orders[next(reversed(self.orders))]
        self.hear()

    def hear(self) -> None:
        """Fold what was told since the last time."""
        told, self._read = self.client.got[self._read :], len(self.client.got)
        for message in told:
            if message[35] == "8":
                self._report(message)

    def _report(self, m: dict[int, str]) -> None:
        name = self.names.get(m[11], "")
        order = self.orders.get(name)
        if order is None:
            return
        kind, word = m[150], m[39]
        if kind == "I":
            if m.get(103) == "5" and order.was_told:
                self.wrong.append(f"{name} was taken, and there is said to be no such order")
            elif word == "2":
                order.word = word
            return
        if kind == "F":
            self._fill(name, order, m)
        if kind == "D":
            self.wrong.append(f"{name} was called never reached and was at the venue")
        order.word, order.was_told = word, True
        if name in self.awaiting and kind != "A":
            self.awaiting.discard(name)
            self.outcomes[{"0": "found", "F": "filled", "4": "cancelled"}.get(kind, m.get(58, kind))] += 1

    def _fill(self, name: str, order: Told, m: dict[int, str]) -> None:
        if self.exec_ids.setdefault(m[17], name) != name:
            self.wrong.append(f"ExecID(17) {m[17]} names fills of {self.exec_ids[m[17]]} and of {name}")
        elif m[17] in order.fills and m.get(43) != "Y":
            self.wrong.append(f"fill {m[17]} of {name} was told twice")
        order.fills[m[17]] = D(m[32]), m[1003]

    # ---- what goes wrong

    def fault(self) -> None:
        kind, scope = self.random.choice(FAULTS)
        ms = BLIND_MS if kind == "blind" else 0
        self.rig.world.ask("fault", kind=kind, scope=scope, count=self.random.randrange(1, 4), ms=ms)
        if kind == "blind":
            # Nothing else may tell of what is hidden.
            self.rig.world.ask("fault", kind="unknown", scope="rest", count=1)
            self.rig.hush = True
            self.order()

    def silence(self) -> None:
        self.rig.deaf, self.rig.hush = self.random.random() < 0.3, self.random.random() < 0.3

    def cut(self) -> None:
        self.rig.cut(self.random.choice(("rest", "websocket")))

    def leave(self) -> None:
        self.client.cut()

    def come(self) -> None:
        if self.client not in self.rig.clients:
            self.client = self.client.again()
            self._read = 0
            self.hear()

    def stranger(self) -> None:
        px = 60_000 + self.random.randrange(-20, 21)
        self.rig.stranger(self.random.choice("12"), str(self.random.randrange(1, 9)), str(px))
        self.hear()

    def venue_dies(self) -> None:
        self.rig.kill_venue()

    def kill(self) -> None:
        """The bridge dies, with whatever has no outcome."""
        self.hear()
        book = self.rig.core.book
        pending = [o for o in book.open.values() if o.is_undecided or o.wishes]
        self.in_flight.append(sum(len(o.wishes) + o.is_undecided for o in pending))
        self.awaiting |= {o.cl_ord_id for o in pending if o.is_undecided}
        self.kills += 1
        self.rig.kill()
        self.come()

    def burst(self, count: int) -> None:
        """So many requests that nobody has heard of yet, and the bridge dies over them."""
        self.rig.deaf = self.rig.hush = True
        while sum(len(o.wishes) + o.is_undecided for o in self.rig.core.book.open.values()) < count:
            self.come()
            self.order()
            if not self.rig.core.venue.is_live:
                self.rig.deaf = self.rig.hush = False
                self.rig.pass_time(2)
                self.rig.deaf = self.rig.hush = True
        self.rig.deaf = self.rig.hush = False
        self.kill()

    def die_over(self, requests: int, times: int) -> None:
        """The bridge dies so often over so many requests, and it is quiet then."""
        for _ in range(times):
            self.burst(requests)
            self.rig.pass_time(2)
            self.hear()
        self.quiet()

    def run(self, steps: int) -> None:
        """So many steps of anything."""
        acts = self._acts()
        for _ in range(steps):
            (act,) = self.random.choices([act for act, _ in acts], [weight for _, weight in acts])
            act()
            self.rig.pass_time(self.random.choice((0.05, 0.05, 0.2, 1.0)))
            self.hear()

    def _acts(self) -> list[tuple[Callable[[], None], int]]:
        """What may happen, and how often beside the rest."""
        return [
            (self.order, 12), (self.cancel, 5), (self.amend, 4), (self.ask, 3), (self.stranger, 5), (self.fault, 4),
            (self.silence, 2), (self.cut, 1), (self.leave, 1), (self.come, 3), (self.kill, 1), (self.venue_dies, 1),
        ]  # fmt: skip

    # ---- what must hold

    def quiet(self) -> None:
        """No more trouble, and time enough."""
        self.rig.world.core.venue.faults.clear()
        self.rig.deaf = self.rig.hush = False
        self.rig.pass_time(QUIET_S, step_s=0.25)
        self.come()
        self.rig.pass_time(1)
        self.hear()

    def check(self) -> list[str]:
        """What does not hold."""
        venue, book = self.rig.world.core.venue, self.rig.core.book
        for name, told in self.orders.items():
            found = venue.find("desk", "", "", name)
            if found is None:
                if told.word not in "8A4" or (told.word == "A" and book.named("DESK", name) is not None):
                    self.wrong.append(f"{name} is not at the venue, and is {told.word} for the client")
                continue
            trades = {str(row.trade_id) for row in venue.history.trades_of("desk", found.order_id)}
            if told.cum_qty != found.cum_qty or {trade for _, trade in told.fills.values()} != trades:
                self.wrong.append(f"{name} is filled {found.cum_qty} at the venue, {told.cum_qty} for the client")
            is_open = isinstance(found, Order) and found.is_open
            word = found.ord_status if not is_open else ("1" if found.cum_qty else "0")
            if told.word != word:
                self.wrong.append(f"{name} is {word} at the venue, and {told.word} for the client")
        for o in book.open.values():
            if o.is_undecided or o.wishes:
                self.wrong.append(f"{o.cl_ord_id} has no outcome yet: {[w.kind for w in o.wishes.values()]}")
        sent = Counter(name for data in self.rig.requests("") if (name := self._id_sent(data)))
        self.wrong += [f"{name} was sent {count} times" for name, count in sent.items() if count > 1]
        return self.wrong


def end_unheard(trial: Trial) -> None:
    """An order whose answer and pushes are lost is filled, and another cancelled, before anybody asks for them."""
    trial.rig.deaf = trial.rig.hush = True
    trial.place("1", 60_000)
    trial.rig.stranger("2", "9", "60000")
    trial.place("1", 59_000)
    trial.rig.world.ask("cancel", cl_ord_id="d2")
    trial.rig.pump()


def fill_unheard(trial: Trial, side: str, qty: str) -> None:
    """An open order is filled in part while nobody listens."""
    trial.place(side, 60_000)
    trial.rig.cut("websocket")
    trial.rig.stranger("2" if side == "1" else "1", qty, "60000")


def assert_sound_after_trouble(trial: Trial, steps: int = 60) -> None:
    """After so many steps of trouble, and quiet, the client knows what the venue knows."""
    trial.run(steps)
    trial.quiet()
    assert trial.check() == []


def assert_sound_after_a_burst(trial: Trial) -> None:
    """The same where the bridge dies over requests that nobody has heard of yet."""
    trial.run(60)
    trial.burst(10)
    trial.quiet()
    assert trial.check() == []
    assert trial.kills and trial.outcomes


def assert_finds_out_after_kills(trial: Trial) -> None:
    """A bridge that is killed over requests in flight finds out what became of each."""
    trial.die_over(10, 2)
    assert trial.check() == [] and not trial.awaiting and min(trial.in_flight) >= 10


def assert_found_by_one_act(
    make_trial: Callable[[Path], Trial], folder: Path, plant: Callable[[], None], act: Callable[[Trial], None]
) -> None:
    """The act alone shows the bug once it is planted, and nothing before."""
    for name in ("sound", "planted"):
        where = folder / name
        where.mkdir()
        if name == "planted":
            plant()
        trial = make_trial(where)
        act(trial)
        trial.quiet()
        assert bool(trial.check()) is (name == "planted")

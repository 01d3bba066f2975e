"""An exchange core and its clients in memory: bytes go straight across, time stands still unless it is moved."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from common.actor.core import Close, Effect, Exit, Note, Send, Write
from common.exchange.changes import Deposited
from common.exchange.engine import Engine
from common.exchange.history import History, MemoryHistory
from common.exchange.order import Order, Terms
from common.exchange.settings import ExchangeSettings, Instrument, Party
from common.exchange.state import State
from common.fix.session import Disconnect, Inbound, Outbound, ResendWanted, SequencePolicy, Session, SessionSettings
from common.fix.wire import cut, split
from common.instant import Instant
from common.journal.files import OsFiles
from common.messages import ControlAnswer, ControlRequest
from services.exchange.core import ExchangeCore

WALL_NS = 1_767_225_600_000_000_000
SECOND = 1_000_000_000

BTCUSDT = Instrument(
    symbol="BTCUSDT",
    base="BTC",
    quote="USDT",
    tick_size=Decimal("0.01"),
    lot_size=Decimal("0.001"),
    min_qty=Decimal("0.001"),
    max_qty=Decimal("100"),
    min_notional=Decimal("5"),
    start_price=Decimal("1000"),
)
ETHUSDT = msgspec.structs.replace(BTCUSDT, symbol="ETHUSDT", base="ETH", start_price=Decimal("100"))
BALANCES = {"BTC": Decimal("10"), "ETH": Decimal("10"), "USDT": Decimal("100000")}

GENERIC = ExchangeSettings(
    name="generic",
    dialect="generic",
    comp_id="GENERIC",
    instruments=(BTCUSDT, ETHUSDT),
    accounts={"desk": BALANCES},
    parties=(Party(comp_id="FIXRING", account="desk"), Party(comp_id="OTHER", account="desk")),
    market_data_parties=("FIXRINGMD",),
)


def at(offset_ns: int = 0) -> Instant:
    """The instant at which a test begins, or so long after it."""
    return Instant(WALL_NS + offset_ns, 7 * SECOND + offset_ns)


def make_engine(largest_notional: str = "9000000000", **balances: str) -> Engine:
    """An engine over a fresh state, with the account "desk"; before the first trade BTCUSDT is at 400."""
    largest = Decimal(largest_notional)
    bounded = msgspec.structs.replace(BTCUSDT, start_price=Decimal(400), max_notional=largest)
    state, maker, taker = State((bounded, ETHUSDT)), Decimal("0.001"), Decimal("0.002")
    engine = Engine(state, maker, taker, 100, lambda change, order, now, asked: None)
    for asset, amount in {**{a: str(q) for a, q in BALANCES.items()}, **balances}.items():
        engine.record(Deposited("desk", asset, Decimal(amount)))
    return engine


def terms(name: str, side: str, qty: str, price: str | None, account: str = "desk", **others: object) -> Terms:
    """An order for BTCUSDT: "1" buys, "2" sells; no price is a market order."""
    ord_type = "1" if price is None else "2"
    px = None if price is None else Decimal(price)
    return Terms(account, "FIXRING", name, "BTCUSDT", side, ord_type, Decimal(qty), px)._replace(**others)  # type: ignore[arg-type]


def placed(engine: Engine, *args: str | None, **others: object) -> Order:
    """Place an order that must be accepted."""
    order = engine.new(terms(*args, **others), at())  # type: ignore[arg-type]
    assert isinstance(order, Order), order
    return order


class World:
    """One exchange, which can be killed and started again on the same folder, and a clock."""

    def __init__(
        self,
        folder: Path,
        settings: ExchangeSettings = GENERIC,
        history: Callable[[], History] = MemoryHistory,
        segment_bytes: int = 1 << 20,
    ) -> None:
        self.folder = folder
        self.settings = settings
        self.history = history
        self.segment_bytes = segment_bytes
        self.now = at()
        self.clients: list[Client] = []
        self.raw_clients: dict[int, Any] = {}
        self.notes: list[Note] = []
        self.exit: Exit | None = None
        self.answers: list[ControlAnswer] = []
        self.connections = 0
        self.core = self._start()

    def _start(self) -> ExchangeCore:
        self.exit = None
        core = ExchangeCore(self.settings, str(self.folder), OsFiles(), self.history(), self.segment_bytes)
        core.started(self.now)
        self.core = core
        self.turn()
        return core

    def kill(self) -> None:
        """The process dies: what it held is gone, its connections break; a new one starts on its log."""
        self.core.abandon()
        for client in self.clients:
            client.session.disconnected(self.now)
        self.clients = []
        self._start()

    def pass_time(self, seconds: float, step_s: float = 0.05) -> None:
        """Let time pass in steps, with timers and turns."""
        left = round(seconds * SECOND)
        while left > 0:
            step = min(left, round(step_s * SECOND))
            left -= step
            self.now = Instant(self.now.wall_ns + step, self.now.boot_ns + step)
            for client in self.clients:
                client.session.timer(self.now)
            deadline = self.core.next_deadline_ns()
            if deadline is not None and deadline <= self.now.boot_ns:
                self.core.timer(self.now)
            self.pump()

    def pump(self) -> None:
        """Carry bytes to and fro until nobody has any."""
        for _ in range(1000):
            sent = [client.flush() for client in list(self.clients)]
            if not self.turn() and not any(sent):
                return
        raise AssertionError("the two sides never fall silent")

    def turn(self) -> bool:
        """End the core's turn and carry out what it gives; whether it gave bytes."""
        self.core.turn_ended(self.now)
        effects, self.core.effects = self.core.effects, []
        acts = [self._perform(effect) for effect in effects]
        return any(acts)

    def _perform(self, effect: Effect) -> bool:
        if isinstance(effect, Write):
            for client in self._of(effect.connection):
                client.arrived(effect.data)
            if effect.connection in self.raw_clients:
                self.raw_clients[effect.connection].wire += effect.data
            return True
        if isinstance(effect, Close):
            for client in list(self._of(effect.connection)):
                client.lost()
            return True
        if isinstance(effect, Note):
            self.notes.append(effect)
        elif isinstance(effect, Exit):
            self.exit = effect
        elif isinstance(effect, Send):
            assert isinstance(effect.message, ControlAnswer)
            self.answers.append(effect.message)
        return False

    def _of(self, connection: int) -> "Iterator[Client]":
        return (client for client in self.clients if client.number == connection)

    def ask(self, act: str, **arguments: object) -> dict[str, object]:
        """A control request and the detail of its answer."""
        self.core.received("control", b"me", ControlRequest(act, msgspec.json.encode(arguments)), self.now)
        self.pump()
        answer = self.answers.pop()
        assert answer.ok, answer.text
        detail: dict[str, object] = msgspec.json.decode(answer.detail)
        return detail

    def refusal(self, act: str, **arguments: object) -> str:
        """The text of a control request's refusal."""
        self.core.received("control", b"me", ControlRequest(act, msgspec.json.encode(arguments)), self.now)
        self.pump()
        answer = self.answers.pop()
        assert not answer.ok
        return answer.text


class Client:
    """A FIX initiator. `got` are the messages that it took in order, as dicts of text by tag (groups flattened)."""

    def __init__(
        self, world: World, comp_id: str = "FIXRING", listener: str = "fix", session: Session | None = None
    ) -> None:
        self.world = world
        self.listener = listener
        reset = listener == "market_data"
        self.session = session or Session(
            SessionSettings(
                sender_comp_id=comp_id,
                target_comp_id=world.settings.comp_id,
                initiator=True,
                reset_on_logon=reset,
                sequence_policy=SequencePolicy.RESET if reset else SequencePolicy.RESEND,
            )
        )
        self.got: list[dict[int, str]] = []
        self.raw: list[bytes] = []
        self.wire = b""
        self.ended: Disconnect | None = None
        world.connections += 1
        self.number = world.connections
        world.clients.append(self)
        world.core.accepted(self.number, listener, world.now)
        self.session.connected(world.now)
        world.pump()

    def again(self) -> "Client":
        """A new connection of the same session, after this one broke."""
        return Client(self.world, listener=self.listener, session=self.session)

    def flush(self) -> bool:
        """Give the core what the session wants to send."""
        data = b""
        for effect in self.session.take_effects():
            if isinstance(effect, Outbound):
                data += effect.raw
            elif isinstance(effect, Inbound):
                self.raw.append(effect.raw)
                self.got.append({int(tag): value.decode("latin-1") for tag, value in dict(cut(effect.raw)[0]).items()})
            elif isinstance(effect, ResendWanted):
                self.session.resend(effect.begin, effect.end, (), self.world.now)
            elif isinstance(effect, Disconnect):
                self.ended = effect
                self.cut()
        if data and self in self.world.clients:
            self.world.core.data(self.number, data, self.world.now)
        return bool(data)

    def arrived(self, data: bytes) -> None:
        """Bytes from the exchange."""
        self.wire += data
        self.session.received(data, self.world.now)

    def lost(self) -> None:
        """The exchange closed the connection."""
        self.flush()
        if self in self.world.clients:
            self.world.clients.remove(self)
        self.session.disconnected(self.world.now)

    def cut(self) -> None:
        """The connection breaks."""
        if self in self.world.clients:
            self.world.clients.remove(self)
            self.session.disconnected(self.world.now)
            self.world.core.closed(self.number, "cut", self.world.now)
            self.world.pump()

    def send(self, msg_type: str, text: str) -> list[dict[int, str]]:
        """Send fields written with pipes and return what came back."""
        self.got.clear()
        self.session.send(msg_type, text.replace("|", "\x01").encode(), self.world.now)
        self.world.pump()
        return list(self.got)

    def order(self, name: str, side: str, qty: str, price: str, more: str = "") -> list[dict[int, str]]:
        """A limit order for BTCUSDT."""
        return self.send("D", f"11={name}|21=1|55=BTCUSDT|54={side}|38={qty}|40=2|44={price}|59=1|{more}")

    def raw_reports(self) -> list[dict[int, str]]:
        """Every ExecutionReport(8) that was taken so far."""
        fields = [{int(tag): value.decode() for tag, value in split(raw).items()} for raw in self.raw]
        return [f for f in fields if f[35] == "8"]

"""A bridge between a FIX client and a simulated OKX, all in memory: bytes go across when they are pumped."""

from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Protocol

from common.actor.core import Close, Connect, Effect, Exit, Note, Write
from common.exchange.order import BUY, LIMIT, SELL, Terms
from common.exchange.settings import ExchangeSettings, Instrument, Key
from common.fix.dictionary import Dictionary
from common.fix.session import Disconnect, Inbound, Outbound, ResendWanted, Session, SessionSettings
from common.fix.validation import Validator
from common.fix.wire import pairs, split
from common.instant import Instant
from common.journal.files import Files, OsFiles
from common.latch import Latch
from common.venues.backend import Backend
from common.venues.credentials import HmacPassphrase
from common.venues.okx.rest import open_backend
from common.venues.rest import RestSettings
from services.bridge.archive import Archive, MemoryArchive
from services.bridge.core import BridgeCore, BridgeSettings
from services.bridge.listings import Listing
from services.bridge.store import Store
from tests.common.exchange.harness import SECOND, World

D = Decimal
SEGMENT_BYTES = 1 << 20
SNAPSHOT_RECORDS = 40
"""So few that every longer test has orders in the archive and starts from a snapshot."""

KEYS = HmacPassphrase("K", b"S", "P")
SYMBOL = "BTC-USDT"
OKX = ExchangeSettings(
    name="okx", dialect="okx", comp_id="OKX",
    instruments=(
        Instrument(
            symbol=SYMBOL, base="BTC", quote="USDT", tick_size=D("0.1"), lot_size=D("0.00001"), min_qty=D("0.00001"),
            max_qty=D(100), min_notional=D(1), start_price=D(65_000),
        ),
    ),
    accounts={"desk": {"BTC": D(10), "USDT": D(1_000_000)}},
    keys=(Key(api_key="K", account="desk", secret=b"S", passphrase="P"),),
    fee_rate_maker=D("0.0008"), fee_rate_taker=D("0.001"),
)  # fmt: skip
SETTINGS = BridgeSettings(
    venue="okx", comp_id="OKX", clients=("DESK", "OTHER"), symbols=(SYMBOL,), heart_bt_int_s=30, host="okx",
    websocket_host="okx", websocket_target="/ws/v5/private",
    listings=(Listing(SYMBOL, "USDT", D("0.1"), D("0.00001"), D("0.00001"), D(100)),),
    books_target="/ws/v5/public", listeners=("MD",),
)  # fmt: skip


@cache
def backend() -> Backend:
    """The venue's, signed by CCXT."""
    return open_backend(RestSettings("okx", "http://okx", KEYS, 1000))


class Initiator(Protocol):
    """A FIX client in memory."""

    number: int
    session: Session

    def flush(self) -> bool: ...
    def arrived(self, data: bytes) -> None: ...
    def lost(self) -> None: ...


class _Far:
    """The venue's end of one connection of the bridge."""

    def __init__(self) -> None:
        self.wire = b""


class Rig:
    """See the module. `held` connections of the venue's answers wait: what it sends is kept back until released."""

    def __init__(
        self, folder: Path, exchange: ExchangeSettings = OKX, settings: BridgeSettings = SETTINGS,
        venue: Backend | None = None,
    ) -> None:  # fmt: skip
        self.folder = folder
        self.settings = settings
        self.backend = venue or backend()
        (folder / "exchange").mkdir()
        self.world = World(folder / "exchange", exchange)
        self.clients: list[Initiator] = []
        self.fars: dict[int, tuple[int, _Far]] = {}
        self.notes: list[Note] = []
        self.exit: Exit | None = None
        self.written: list[tuple[str, bytes]] = []
        self.deaf = False
        """With it, whatever the venue says over HTTP is lost."""

        self.refuses = False
        """With it, whoever connects to the venue is refused."""

        self.hush = False
        """With it, whatever its WebSocket says is lost."""

        self.symbol = exchange.instruments[0].symbol
        self.targets: dict[int, str] = {}
        self.accepted = 0
        self.archive: Archive = MemoryArchive()
        self.core = self._start()

    def _files(self) -> Files:
        """The disk, as a process sees it that starts."""
        return OsFiles()

    def _start(self) -> BridgeCore:
        files = self._files()
        latch = Latch(str(self.folder / "latch"), "bridge@okx.latch", files)
        store = Store("bridge@okx", str(self.folder / "log"), files, self.archive, SEGMENT_BYTES, SNAPSHOT_RECORDS)
        core = BridgeCore(self.settings, store, self.backend, latch)
        core.started(self.now)
        return core

    @property
    def now(self) -> Instant:
        return self.world.now

    def kill(self) -> None:
        """The bridge dies with what it held; a new one starts on its log."""
        self.core.abandon()
        self._begin_again()

    def kill_for_good(self) -> None:
        """The bridge dies and never comes back; a dead man's switch that was set has fired by the time of return."""
        self.deaf = self.hush = True
        self.cut("rest")
        self.core.abandon()
        self.pass_time(61, step_s=1)

    def _begin_again(self) -> None:
        for number, (far_number, _) in list(self.fars.items()):
            self._drop(number, far_number)
        for client in list(self.clients):
            client.lost()
        self.core = self._start()

    def kill_venue(self) -> None:
        """The venue's process dies, and is back at once: its connections are gone."""
        self.world.core.abandon()
        for number in list(self.fars):
            far_number, _ = self.fars.pop(number)
            self.world.raw_clients.pop(far_number, None)
            self.core.closed(number, "the venue died", self.now)
        self.world._start()
        self.pump()

    def _drop(self, number: int, far_number: int) -> None:
        self.fars.pop(number, None)
        self.world.raw_clients.pop(far_number, None)
        self.world.core.closed(far_number, "gone", self.now)

    def pass_time(self, seconds: float, step_s: float = 0.05) -> None:
        """Let time pass in steps, with timers and turns."""
        left = round(seconds * SECOND)
        while left > 0:
            step = min(left, round(step_s * SECOND))
            left -= step
            self.world.now = Instant(self.now.wall_ns + step, self.now.boot_ns + step)
            for client in self.clients:
                client.session.timer(self.now)
            for core in (self.core, self.world.core):
                deadline = core.next_deadline_ns()
                if deadline is not None and deadline <= self.now.boot_ns:
                    core.timer(self.now)
            self.pump()

    def pump(self) -> None:
        """Carry bytes to and fro until nobody has any."""
        for _ in range(1000):
            flushed = [client.flush() for client in list(self.clients)]
            moved = any(flushed)
            moved |= self._turn()
            moved |= self.world.turn()
            moved |= self._hear()
            if not moved:
                return
        raise AssertionError("the sides never fall silent")

    def _turn(self) -> bool:
        self.core.turn_ended(self.now)
        effects, self.core.effects = self.core.effects, []
        acts = [self._perform(effect) for effect in effects]
        return any(acts)

    def _perform(self, effect: Effect) -> bool:
        if isinstance(effect, Connect) and self.refuses:
            self.core.closed(effect.connection, "refused", self.now)
            return True
        if isinstance(effect, Connect):
            self.world.connections += 1
            far_number, far = self.world.connections, _Far()
            self.fars[effect.connection] = far_number, far
            self.targets[effect.connection] = effect.target
            self.world.raw_clients[far_number] = far
            self.world.core.accepted(far_number, effect.target, self.now)
            self.core.connected(effect.connection, self.now)
            return True
        if isinstance(effect, Write):
            self._write(effect)
            return True
        if isinstance(effect, Close):
            self._close(effect.connection)
            return True
        if isinstance(effect, Note):
            self.notes.append(effect)
        elif isinstance(effect, Exit):
            self.exit = effect
        return False

    def _write(self, write: Write) -> None:
        if write.connection < 0 and write.connection in self.fars:
            self.written.append((self.targets[write.connection], write.data))
            self.world.core.data(self.fars[write.connection][0], write.data, self.now)
        for client in self.clients:
            if client.number == write.connection:
                client.arrived(write.data)

    def _close(self, number: int) -> None:
        if number in self.fars:
            self._drop(number, self.fars[number][0])
        for client in list(self.clients):
            if client.number == number:
                client.lost()

    def _hear(self) -> bool:
        """What the venue has written, and which connections it has closed."""
        heard = False
        for number, (far_number, far) in list(self.fars.items()):
            data, far.wire = far.wire, b""
            lost = self.hush if self.targets[number] == "websocket" else self.deaf
            if data and not lost:
                self.core.data(number, data, self.now)
                heard = True
            if self.world.core.venue.lines.line(far_number) is None and number in self.fars:
                self._drop(number, far_number)
                self.core.closed(number, "closed by the venue", self.now)
                heard = True
        return heard

    def cut(self, target: str) -> None:
        """The bridge's connections to one listener of the venue break."""
        for number, (far_number, _) in list(self.fars.items()):
            if self.targets[number] == target:
                self._drop(number, far_number)
                self.core.closed(number, "cut", self.now)
        self.pump()

    def leave_half_open(self, target: str) -> None:
        """The venue has lost the connections that the bridge has to it now, and what that writes vanishes."""
        for number, (far_number, _) in list(self.fars.items()):
            if self.targets[number] == target:
                self._drop(number, far_number)

    def requests(self, path: str) -> list[bytes]:
        """What was sent to the venue over HTTP with this path."""
        return [data for target, data in self.written if target == "rest" and f"/{path}".encode() in data]

    def stranger(self, side: str, qty: str, px: str) -> None:
        """Somebody's order at the venue."""
        terms = Terms("", "", "", self.symbol, BUY if side == "1" else SELL, LIMIT, D(qty), D(px))
        self.world.core.venue.engine.place(terms, self.now)
        self.pump()

    def at_venue(self, cl_ord_id: str) -> dict[str, object] | None:
        """What the venue itself knows of an order."""
        found = self.world.ask("order", cl_ord_id=cl_ord_id)["order"]
        assert found is None or isinstance(found, dict)
        return found

    def live(self) -> "Rig":
        """Until the bridge has read the venue."""
        for _ in range(100):
            self.pass_time(0.05)
            if self.core.status(self.now)["state"] in ("live", "latched"):
                return self
        raise AssertionError(self.core.status(self.now))


BEYOND_FIX44 = (1003, 969, 1140, 854, 2446)
"""TradeID, MinPriceIncrement, MaxTradeVol, QtyType, and AggressorSide of public trades."""


@cache
def fix44() -> Validator:
    """What a client that keeps to FIX 4.4 takes, and nothing else."""
    return Validator(Dictionary.load("FIX44"))


class FixClient:
    """A FIX initiator that knows nothing of the project's dialects. `got`: what it took, in order, by tag."""

    def __init__(
        self, rig: Rig, comp_id: str = "DESK", session: Session | None = None, logon: bytes = b"",
        listener: str = "fix",
    ) -> None:  # fmt: skip
        """`logon` are further fields of its Logon(A)."""
        self.rig = rig
        settings = SessionSettings(
            sender_comp_id=comp_id, target_comp_id=rig.settings.comp_id, initiator=True,
            logon_fields=lambda number, stamp: logon,
        )  # fmt: skip
        self.session = session or Session(settings)
        self.is_first = comp_id == rig.settings.clients[0]
        self.got: list[dict[int, str]] = []
        self.ended: Disconnect | None = None
        rig.accepted += 1
        self.number = rig.accepted
        rig.clients.append(self)
        rig.core.accepted(self.number, listener, rig.now)
        self.session.connected(rig.now)
        rig.pump()

    def again(self) -> "FixClient":
        """A new connection of the same session."""
        return FixClient(self.rig, session=self.session)

    def flush(self) -> bool:
        data = b""
        for effect in self.session.take_effects():
            if isinstance(effect, Outbound):
                data += effect.raw
            elif isinstance(effect, Inbound):
                fields = split(effect.raw)
                problem = fix44().check(fields[b"35"], pairs(effect.raw))
                # Our own session is told some fields of FIX 5.0, and so is whoever asks for public trades.
                assert problem is None or (self.is_first and problem.ref_tag in BEYOND_FIX44), (problem, effect.raw)
                self.got.append({int(tag): value.decode("latin-1") for tag, value in fields.items()})
            elif isinstance(effect, ResendWanted):
                self.session.resend(effect.begin, effect.end, (), self.rig.now)
            elif isinstance(effect, Disconnect):
                self.ended = effect
        if data and self in self.rig.clients:
            self.rig.core.data(self.number, data, self.rig.now)
        return bool(data)

    def arrived(self, data: bytes) -> None:
        self.session.received(data, self.rig.now)

    def lost(self) -> None:
        if self in self.rig.clients:
            self.rig.clients.remove(self)
        self.session.disconnected(self.rig.now)

    def cut(self) -> None:
        self.lost()
        self.rig.core.closed(self.number, "cut", self.rig.now)
        self.rig.pump()

    def send(self, msg_type: str, text: str) -> list[dict[int, str]]:
        """Send fields written with pipes; what came back by the time that everybody is silent."""
        self.got.clear()
        self.session.send(msg_type, text.replace("|", "\x01").encode(), self.rig.now)
        self.rig.pump()
        return list(self.got)

    def order(
        self, name: str, side: str = "1", qty: str = "0.1", px: str = "60000", more: str = ""
    ) -> list[dict[int, str]]:
        return self.send("D", f"11={name}|55={self.rig.symbol}|54={side}|38={qty}|40=2|44={px}|59=1|{more}")

    def cancel(self, name: str, orig: str) -> list[dict[int, str]]:
        return self.send("F", f"11={name}|41={orig}|55={self.rig.symbol}|54=1|")

    def amend(self, name: str, orig: str, qty: str, px: str, more: str = "") -> list[dict[int, str]]:
        return self.send("G", f"11={name}|41={orig}|55={self.rig.symbol}|54=1|38={qty}|40=2|44={px}|59=1|{more}")

    def status(self, name: str) -> dict[int, str]:
        (told,) = self.send("H", f"11={name}|55={self.rig.symbol}|54=1|")
        return told


def words(reports: list[dict[int, str]]) -> list[tuple[str, str]]:
    """ExecType(150), or MsgType(35) of what has none, and OrdStatus(39), of what is about orders."""
    return [(each.get(150, each[35]), each.get(39, "")) for each in reports if each[35] not in ("A", "0", "1")]

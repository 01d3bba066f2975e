"""A venue whose reports are odd in all but whose fill they tell, and of how much: on the wire, to a whole stack.

Between an exchange and a session every report is opened, some of its secondary fields are removed, emptied or filled
with what no document allows, and it is framed anew, number, length and checksum right. Nothing raises or ends, the
session stays, and once the venue is well again every book is the exchange's own, to the last unit; but of a fill's fees
the first counts that was told with an asset, and can be one.
"""

from decimal import Decimal
from random import Random

from common.exchange.changes import Traded
from common.fix.wire import Framer, encode, pairs
from common.instant import NS_PER_S, Instant
from common.messages import Answer, ExecutionReport, Inbound, Trade
from common.past.words import payload_of
from scripts.fuzz.folds import reports_of
from scripts.fuzz.target import Broken, Round, Tally
from scripts.fuzz.values import Maker
from scripts.fuzz.worlds import LivelyWorld
from scripts.simulation import adversary, quiet, setting
from scripts.simulation.process import Process
from scripts.simulation.truth import ZERO, TrueOrder, Truth
from scripts.simulation.world import World
from services.exchange.configured import ACCOUNT

TYPES = frozenset((b"8", b"9", b"j", b"r"))
"""MsgType(35) of what is mangled: what tells of orders."""

FEES = (b"12", b"13", b"15", b"479", b"136", b"137", b"138", b"139", b"891")
"""What tells a fee: taken off the position where it is paid in the base asset."""

KEPT = frozenset(
    tag.encode()
    for tags in ("8 9 35 34 49 56 52 43 122 10 45 379 434 531 25016", "11 41 37 17 19 1003 150 39 32 14 151")
    for tag in tags.split()
)
"""What stays: the frame and the header; whose report it is, what it reports, and how much was filled."""

ADDED = (
    b"58", b"60", b"44", b"31", b"40", b"54", b"55", b"59", b"103", b"1", b"6", b"18", *FEES,
)  # fmt: skip
"""Fields that may be added where they are not."""

ODD = (
    b"", b"N/A", b"[N/A]", b"x", b"1E2", b"NAN", b"+0.1", b"-1", b"20260101", b"20260101-00:00:00Z", b"\xfc", b"=",
    b"0", b"99999999999999999999", b"0.1234567890123456789", b"Infinity", b" 1", b"1_0", b"a=b",
)  # fmt: skip
ODD_SHARE = 0.3
LONG_SHARE = 0.002
LONG_BYTES = 530_000
STORM_NS = NS_PER_S
FOUND_OUT_NS = 3 * NS_PER_S
TEXT = b"58"


class Reports:
    """See `Target`."""

    sentence = "Reports with their secondary fields mangled: nothing raises or ends, every book is right in the end."
    size = 200

    def play(self, a_round: Round, tally: Tally) -> None:
        """See `Target`."""
        world = MangledWorld(a_round, tally)
        world.come_alive()
        world.mangles = True
        world.run_for(STORM_NS)
        world.mangles = False
        if world.ended:
            raise Broken(f"ended: {world.ended[0]}")
        for process in world.processes.values():
            if isinstance(process, Mangled):
                process.cut_off()
        world.run_for(FOUND_OUT_NS)
        adversary.make_well(world)
        quiet.come_to_rest(world)


class Mangled(Process):
    """A session's process: what it reads comes through a mangler while its world says so."""

    _framer = Framer()

    def cut_off(self) -> None:
        """Its connection is reset: with the next one everything open is asked about."""
        for stream in list(self.streams.values()):
            stream.cut("reset by the network")

    def tcp_opened(self, connection: int, now: Instant) -> None:
        """See `TcpEnd`."""
        self._framer = Framer()
        super().tcp_opened(connection, now)

    def tcp_data(self, connection: int, data: bytes, now: Instant) -> None:
        """See `TcpEnd`."""
        world = self.world
        assert isinstance(world, MangledWorld)
        for raw in self._framer.feed(data):
            super().tcp_data(connection, world.perhaps_mangled(raw) if world.mangles else raw, now)


class MangledWorld(LivelyWorld):
    """A world whose sessions read mangled reports while `mangles` is set."""

    def __init__(self, a_round: Round, tally: Tally) -> None:
        """As `LivelyWorld`."""
        self.mangles = False
        self._round = a_round
        self._tally = tally
        self._mangled = 0
        super().__init__(a_round.seed, Maker(Random(f"reports {a_round.seed}")))

    def truth_of(self, venue: str) -> Truth:
        """See `World`."""
        return ToldTruth(venue, self)

    def process_type(self, name: str) -> type[Process]:
        """See `World`."""
        return Mangled if name.startswith("session@") else Process

    def perhaps_mangled(self, raw: bytes) -> bytes:
        """The message, mangled if it is a report and its turn."""
        cut = pairs(raw)
        if cut[2][1] not in TYPES or self._mangled >= self._round.size:
            return raw
        number, self._mangled = self._mangled, self._mangled + 1
        only = self._round.only
        if only is not None and number not in only:
            return raw
        odd = mangled(cut, Random(f"reports {self._round.seed} {number}"))
        self._tally.count("report", decoded=odd != raw)
        self.trace("fuzz", f"mangles {number}", odd.replace(b"\x01", b"|").decode("latin-1")[:2000])
        return odd


class ToldTruth(Truth):
    """An exchange's orders and positions, but with the first fee that was told of each fill."""

    prices_are_odd = True

    def __init__(self, venue: str, world: World) -> None:
        """Nothing has happened yet."""
        super().__init__(venue, ACCOUNT, world.checkers)
        self._witness = world.witness
        self._read = 0
        self._told: set[tuple[str, str]] = set()

    def position(self, symbol: str) -> Decimal:
        """See `Truth`."""
        while self._read < len(self._witness.records):
            payload = payload_of(self._witness.records[self._read].record)
            self._read += 1
            if isinstance(payload, Inbound) and payload.session == self.venue:
                for report in reports_of(payload):
                    self._tell(report)
            elif isinstance(payload, Answer) and payload.venue == self.venue:
                for trade in payload.trades:
                    self._tell(trade)
        return super().position(symbol)

    def _traded(self, order: TrueOrder, change: Traded, fee: Decimal) -> None:
        super()._traded(order, change, ZERO)

    def _tell(self, told: ExecutionReport | Trade) -> None:
        """Once the fee of a fill is told, what is told of it again changes nothing."""
        key, order = (told.order_id, told.trade_key), self.orders.get(int(told.order_id or 0))
        if order is None or not told.trade_key or not told.last_qty or key in self._told:
            return
        base = setting.CONFIG.venues[self.venue].instruments[order.symbol].base
        is_fee = bool(told.fee_asset) and (told.fee_asset != base or abs(told.fee_qty) <= told.last_qty)
        if is_fee:
            self._told.add(key)
            order.fees[told.fee_asset] = order.fees.get(told.fee_asset, ZERO) + told.fee_qty
        if is_fee and told.fee_asset == base:
            self.positions[order.symbol] -= told.fee_qty


def mangled(cut: list[tuple[bytes, bytes]], random: Random) -> bytes:
    """A message of these fields, framed anew, with odd secondary ones."""
    fields: list[tuple[bytes, bytes]] = []
    for tag, value in cut[2:-1]:
        if tag in KEPT or random.random() > ODD_SHARE:
            fields.append((tag, value))
        elif random.random() < 0.7:
            fields.append((tag, random.choice(ODD)))
    present = {tag for tag, _ in fields}
    if random.random() < 0.3:
        fields += [(tag, random.choice(ODD)) for tag in random.sample(ADDED, 2) if tag not in present]
    if random.random() < LONG_SHARE:
        fields = [(tag, value) for tag, value in fields if tag != TEXT] + [(TEXT, b"L" * LONG_BYTES)]
    return encode(cut[0][1], b"".join(b"%b=%b\x01" % field for field in fields))

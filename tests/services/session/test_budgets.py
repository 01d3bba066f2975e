"""The venue's message rate under pressure: the kill switch's own share, the venue's answers, what is sent again."""

from collections.abc import Callable
from pathlib import Path

import pytest

from common.actor.core import Effect, Write
from common.journal.files import OsFiles
from common.messages import SessionState
from tests.services.session.harness import MS, World, generic_config, heard, states
from tests.services.session.test_kill import accept, kill_state

FOREIGN = "37=F{n}|11=gui-{n}|17=x{n}|150=0|39=0|55=BTCUSDT|54=1|38=0.5|14=0|151=0.5|6=0|"


class Far(World):
    """A venue `delay_ms` away in either direction, which carries out mass cancels when they arrive."""

    delay_ms = 0
    refusal = ""

    def __init__(self, folder: Path, **changes: object) -> None:
        self.under_way: list[tuple[int, Callable[[], None]]] = []
        self.written: list[int] = []
        super().__init__(OsFiles(), generic_config(str(folder), **changes))

    def perform(self, effect: Effect) -> None:
        if isinstance(effect, Write):
            self.written.append(self.boot_ns)
            data = effect.data
            self._later(lambda: self._arrive(data))
            return
        super().perform(effect)

    def _later(self, step: Callable[[], None]) -> None:
        if self.delay_ms:
            self.under_way.append((self.boot_ns + self.delay_ms * MS, step))
        else:
            step()

    def _arrive(self, data: bytes) -> None:
        before = len(self.venue.heard)
        back = self.venue.take(data, self.now)
        for fields in self.venue.heard[before:]:
            back += self._answer(fields)
        self._later(lambda: self.to_session(back))

    def _answer(self, fields: dict[bytes, bytes]) -> bytes:
        name, symbol, number = (fields.get(tag, b"").decode() for tag in (b"11", b"55", b"34"))
        if fields[b"35"] != b"q":
            return b""
        if self.refusal == "r":
            return self.venue.send("r", f"37=1|11={name}|530=1|531=0|532=1|55={symbol}|", self.now)
        if self.refusal:
            reason = {"j": f"372=q|379={name}|380=3|", "3": "372=q|373=11|"}[self.refusal]
            return self.venue.send(self.refusal, f"45={number}|{reason}", self.now)
        closed = b""
        for order in self.core.history.orders.all():
            if order.symbol == symbol:
                ids = f"37={order.order_id}|11={name}|41={order.cl_ord_id}|17=c{order.cl_ord_id}|"
                closed += self.venue.send("8", f"{ids}150=4|39=4|55={symbol}|54=1|14=0|151=0|6=0|", self.now)
        return closed + self.venue.send("r", f"37=1|11={name}|530=1|531=1|533=0|55={symbol}|", self.now)

    def advance(self, ms: int) -> None:
        end = self.boot_ns + ms * MS
        while self.under_way and self.under_way[0][0] <= end:
            due, step = self.under_way.pop(0)
            super().advance(max(0, due - self.boot_ns) // MS)
            step()
            self.settle()
        super().advance((end - self.boot_ns) // MS)

    def most_in(self, window_ms: int) -> int:
        """The most messages that left in any window."""
        left = self.written
        return max(sum(at - window_ms * MS < other <= at for other in left) for at in left)


def kinds(world: World) -> list[bytes]:
    """The types of what the venue heard."""
    return [fields[b"35"] for fields in world.venue.wire]


# ---- the kill switch's share


def test_the_kills_first_message_leaves_in_its_turn_whatever_the_strategies_have_used(tmp_path: Path) -> None:
    world = Far(tmp_path, messages=1000, window_ms=10_000)
    world.ready()
    for counter in range(1, 1001):
        world.command(world.cancel_order(counter, "7-1"))
    assert kinds(world)[-1] == b"F"
    world.control("kill")
    assert kinds(world)[-2:] == [b"q", b"q"]
    assert world.most_in(10_000) <= 1000


def test_a_flood_of_test_requests_takes_nothing_from_the_kill_and_breaks_no_limit(tmp_path: Path) -> None:
    world = Far(tmp_path, messages=1000, window_ms=1000)
    world.ready()
    for _ in range(10):
        for counter in range(950):
            world.command(world.cancel_order(counter, "7-1"))
        for number in range(150):
            world.venue_says("1", f"112=are you there {number}|")
        world.advance(100)
    world.control("kill")
    assert kinds(world)[-2:] == [b"q", b"q"]
    assert world.most_in(1000) <= 1000
    world.advance(1100)
    answers = [fields[b"112"] for fields in world.venue.wire if fields[b"35"] == b"0" and b"112" in fields]
    assert answers[-1] == b"are you there 149", "the newest is answered, if later"


def test_a_flood_of_what_must_be_rejected_is_not_answered_beyond_its_share(tmp_path: Path) -> None:
    world = Far(tmp_path, messages=100, window_ms=1000)
    world.ready()
    for _ in range(50):
        world.venue_says("1", "58=no TestReqID|")
    assert kinds(world).count(b"3") == 3
    assert [note.event for note in world.notes].count("reject_withheld") == 47


# ---- what it is answered, and when


def test_an_answer_counts_whenever_it_comes(tmp_path: Path) -> None:
    world = Far(tmp_path)
    world.ready()
    world.command(world.new_order(1))
    accept(world, 1)
    world.delay_ms = 990
    world.control("kill")
    world.advance(1985)
    assert kill_state(world) == "clear", "within the delay and a second"
    assert kinds(world).count(b"q") <= 4


@pytest.mark.parametrize("refusal", ["r", "j", "3"])
def test_a_venue_that_refuses_the_mass_cancel_is_clear_by_the_orders_ids(tmp_path: Path, refusal: str) -> None:
    world = Far(tmp_path)
    world.refusal = refusal
    world.ready()
    world.control("kill")
    assert kill_state(world) == "clear", "nothing was open"
    assert world.control("resume", confirm=True).ok
    world.open_gate()
    world.command(world.new_order(1))
    accept(world, 1)
    world.control("kill")
    world.advance(0)
    cancel = world.venue.heard[-1]
    assert (cancel[b"35"], cancel[b"41"], kill_state(world)) == (b"F", b"7-1", "cancelling")
    world.venue_says("9", f"37=91|11={cancel[b'11'].decode()}|41=7-1|39=0|434=1|102=0|")
    world.advance(0)
    assert world.venue.heard[-1][b"35"] == b"H", "an order whose cancel is refused is asked about"
    world.venue_says("8", "37=91|11=7-1|17=s1|150=I|39=2|55=BTCUSDT|54=1|38=0.5|14=0.5|151=0|6=9|")
    assert kill_state(world) == "clear"


def test_an_order_that_a_status_request_does_not_find_is_not_open(tmp_path: Path) -> None:
    world = Far(tmp_path)
    world.refusal = "r"
    world.ready()
    world.command(world.new_order(1))
    world.control("kill")
    world.advance(0)
    name = world.venue.heard[-1][b"11"].decode()
    world.venue_says("j", f"45={world.venue.heard[-1][b'34'].decode()}|372=F|379={name}|380=4|")
    world.advance(0)
    assert world.venue.heard[-1][b"35"] == b"H"
    world.venue_says("8", "37=NONE|11=7-1|17=s1|150=I|39=8|103=5|55=BTCUSDT|54=1|38=0|14=0|151=0|6=0|")
    assert kill_state(world) == "clear"


def test_cancels_by_id_are_paced_and_few_while_the_mass_cancel_may_yet_close_the_orders(tmp_path: Path) -> None:
    world = Far(tmp_path)
    world.ready()
    for number in range(400):
        world.venue_says("8", FOREIGN.format(n=number))
    world.delay_ms = 990
    world.control("kill")
    world.advance(1985)
    assert kill_state(world) == "clear"
    assert kinds(world).count(b"F") <= 100
    world.delay_ms = 0


def test_what_a_mass_cancel_leaves_is_cancelled_by_id_at_a_pace_from_the_first_turn_on(tmp_path: Path) -> None:
    world = Far(tmp_path, messages=10_000)
    world.refusal = "r"
    world.ready()
    for number in range(400):
        world.venue_says("8", FOREIGN.format(n=number))
    world.venue.heard.clear()
    world.control("kill")
    world.advance(1)
    assert heard(world, 35).count("F") == 50
    world.advance(400)
    assert heard(world, 35).count("F") == 400


# ---- what is sent again


def busy(world: Far, cancels: int) -> None:
    """So many cancels have left, which a venue may ask for again."""
    world.ready()
    for counter in range(cancels):
        world.command(world.cancel_order(counter, "7-1"))
        if counter % 50 == 49:
            world.advance(1000)


def test_what_is_sent_again_keeps_to_the_message_limit(tmp_path: Path) -> None:
    world = Far(tmp_path, messages=100, window_ms=1000)
    busy(world, 600)
    world.advance(2000)
    before = len(world.venue.heard)
    world.venue_says("2", "7=2|16=0|")
    for _ in range(20):
        world.advance(500)
    again = [fields for fields in world.venue.wire[before:] if fields.get(b"43") == b"Y" and fields[b"35"] == b"F"]
    assert len(again) == 600
    assert world.most_in(1000) <= 100


def test_a_venue_that_does_not_read_and_asks_on_fills_no_memory(tmp_path: Path) -> None:
    world = Far(tmp_path)
    busy(world, 300)
    world.core.blocked(world.connects[-1], world.now)
    written = len(world.written)
    for begin in range(100):
        world.venue_says("2", f"7={2 + begin}|16=0|")
    assert len(world.written) == written
    assert states(world)[-1] is SessionState.OPENED
    world.core.writable(world.connects[-1], world.now)
    world.settle()
    assert len(world.written) - written <= 310


@pytest.mark.parametrize("reconnects", [False, True])
def test_a_venue_that_asks_again_and_again_and_gets_no_further_is_left_for_a_person(
    tmp_path: Path, reconnects: bool
) -> None:
    world = Far(tmp_path)
    busy(world, 30)
    asked = 0
    while asked < 60 and not world.core.history.halted:
        if world.venue.fix is None or not world.venue.logged_on:
            world.advance(5000)
            continue
        asked += 1
        world.venue_says("2", f"7={2 + asked % 2}|16={20 + asked % 2}|")
        if reconnects and world.venue.fix is not None:
            world.cut()
        world.advance(3000)
    assert "gets no further" in world.core.history.halted
    assert 20 <= asked <= 23, asked

"""A venue announces the end of a connection: another is logged on before, and nothing that the first tells is lost.

The session's core against the simulated Binance: real logons, real numbers, two connections at a time.
"""

from pathlib import Path

import pytest

from common.actor.core import Connect, Effect
from common.exchange.order import Order
from common.fix.session_types import SequencePolicy
from common.journal.files import OsFiles
from common.messages import ExecutionReport, Inbound, Kind, Outbound, SessionChanged, SessionState
from common.venues.binance.dialect import Binance
from services.session.history import History
from tests.common.exchange.wires import Wires
from tests.common.venues.both_sides import BothSides
from tests.services.session.harness import MS, World, generic_config


class Rig(World):
    """See the module."""

    def __init__(self, folder: Path) -> None:
        sides = BothSides("binance", folder)
        self.wires = Wires(sides.world, "fix", lambda: self.core)
        self.exchange, self.lines, self.said = sides.world, self.wires.lines, self.wires.said
        config = generic_config(
            str(folder), venue="x", session="x", account="x", target_comp_id="SPOT", sender_comp_id="",
            comp_id_prefix="FXR", heart_bt_int_s=5, sequence_policy=SequencePolicy.RESET,
            credentials=sides.credentials,
        )  # fmt: skip
        super().__init__(OsFiles(), config, Binance())

    def perform(self, effect: Effect) -> None:
        """The connections are the exchange's, the rest is as ever."""
        if isinstance(effect, Connect):
            self.connects.append(effect.connection)
        if not self.wires.perform(effect, self.now):
            super().perform(effect)

    def come_up(self, connection: int) -> None:
        """The transport of a connection is there."""
        self.wires.come_up(connection, self.now)
        self.settle()

    def advance(self, ms: int) -> None:
        """Both sides' timers, in steps of 50 ms."""
        for _ in range(0, max(ms, 1), 50):
            self.boot_ns += 50 * MS if ms else 0
            self.wires.tick(self.now)
            self.core.timer(self.now)
            self.settle()

    def news(self, ms: int = 60_000) -> None:
        """The exchange announces the end of the connections that there are."""
        self.wires.news(ms, self.now)
        self.advance(50)

    def names(self) -> list[str]:
        """Who is logged on at the exchange."""
        return self.wires.names()

    def order(self, counter: int) -> None:
        """An order that rests."""
        self.command(self.new_order(counter))

    def resting(self) -> Order:
        """The one order of ours at the exchange."""
        (order,) = [order for order in self.exchange.core.venue.state.orders.values() if order.account]
        return order

    def told(self) -> list[tuple[int, int, str]]:
        """Connection, generation and ClOrdID(11) of each report in the log."""
        inbounds = [p for p in self.journal.payloads(Kind.INBOUND) if isinstance(p, Inbound)]
        return [
            (p.connection, p.generation, p.event.cl_ord_id) for p in inbounds if isinstance(p.event, ExecutionReport)
        ]

    def fills(self) -> list[tuple[int, str]]:
        """Connection and trade key of each fill in the log."""
        inbounds = [p for p in self.journal.payloads(Kind.INBOUND) if isinstance(p, Inbound)]
        return [
            (p.connection, p.event.trade_key)
            for p in inbounds
            if isinstance(p.event, ExecutionReport) and p.event.trade_key
        ]

    def steps(self) -> list[tuple[int, SessionState]]:
        """The session's steps in the log, by connection."""
        moved = [p for p in self.journal.payloads(Kind.SESSION) if isinstance(p, SessionChanged)]
        return [(p.connection, p.state) for p in moved]

    @property
    def reported(self) -> dict[str, object]:
        """The session's status."""
        return self.core.status(self.now)


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    """A session that is open for orders."""
    rig = Rig(tmp_path)
    rig.ready()
    assert rig.reported["gate"] == "open"
    return rig


def test_the_second_is_logged_on_before_the_first_is_logged_out(rig: Rig) -> None:
    rig.order(1)
    rig.news()
    assert rig.said.index((2, "A")) < rig.said.index((1, "5"))
    assert rig.names() == ["FXR02"] and rig.reported["former_connection"] is None
    assert (2, SessionState.CAUGHT_UP) in rig.steps() and rig.reported["gate"] == "closed"
    rig.open_gate()
    rig.order(2)
    assert rig.told() == [(1, 1, "7-1"), (2, 2, "7-2")]
    rig.advance(61_000)
    assert rig.connects == [1, 2] and rig.reported["state"] == "ready", "the end strikes the first alone"


def test_the_first_trades_until_the_second_is_there(rig: Rig) -> None:
    rig.wires.keep_dialling = True
    rig.news()
    rig.order(1)
    assert rig.told() == [(1, 1, "7-1")] and rig.connects == [1, 2]
    rig.come_up(2)
    assert (rig.reported["connection"], rig.reported["state"]) == (2, "reconciling")


def test_what_is_under_way_on_the_first_is_answered_there_and_journaled(rig: Rig) -> None:
    rig.wires.keep_dialling = True
    rig.news()
    rig.lines[1].held = True
    rig.order(1)
    rig.come_up(2)
    assert (2, SessionState.CAUGHT_UP) in rig.steps() and rig.reported["former_connection"] == 1
    assert rig.told() == [] and rig.names() == ["FXR01", "FXR02"]
    rig.lines[1].held = False
    rig.advance(50)
    assert rig.told() == [(1, 1, "7-1")] and rig.names() == ["FXR02"]
    ours = [p for p in rig.journal.payloads(Kind.OUTBOUND) if isinstance(p, Outbound)]
    assert [(p.connection, p.generation) for p in ours if p.msg_type == "5"] == [(1, 1)]
    numbers: dict[int, list[int]] = {}
    for p in ours:
        numbers.setdefault(p.generation, []).append(p.msg_seq_num)
    assert all(found == list(range(1, len(found) + 1)) for found in numbers.values())


def test_a_rejection_on_the_first_names_the_command_of_its_own_numbers(rig: Rig) -> None:
    rig.wires.keep_dialling = True
    rig.news()
    rig.exchange.ask("fault", kind="lost", scope="fix")
    rig.lines[1].held = True
    rig.order(1)
    rig.come_up(2)
    rig.lines[1].held = False
    rig.advance(50)
    rejected = [p.event for p in rig.journal.payloads(Kind.INBOUND) if isinstance(p, Inbound) and p.msg_type == "3"]
    assert [getattr(event, "cl_ord_id", "") for event in rejected] == ["7-1"]


def test_a_fill_that_both_hear_has_one_key(rig: Rig) -> None:
    rig.order(1)
    rig.wires.keep_dialling = True
    rig.news()
    rig.lines[1].held = True
    rig.come_up(2)
    order = rig.resting()
    # The Logout(5) of the first is read, and not answered yet: it is told of nothing more.
    rig.exchange.core.venue.fill_late(order, rig.now)
    rig.lines[1].held = False
    rig.advance(50)
    assert [(connection, key) for connection, key in rig.fills()] == [(2, "1")]


def test_a_fill_before_the_second_is_logged_on_is_told_by_the_first(rig: Rig) -> None:
    rig.order(1)
    rig.wires.keep_dialling = True
    rig.news()
    order = rig.resting()
    rig.lines[1].held = True
    rig.exchange.core.venue.fill_late(order, rig.now)
    rig.come_up(2)
    rig.lines[1].held = False
    rig.advance(50)
    assert rig.fills() == [(1, "1")]


def test_one_that_cannot_be_had_leaves_the_first_as_it_is_until_the_next_word(rig: Rig) -> None:
    rig.wires.reachable = False
    rig.news(ms=60_000)
    rig.order(1)
    assert rig.told() == [(1, 1, "7-1")] and rig.reported["state"] == "ready"
    rig.wires.reachable = True
    rig.advance(10_100)
    assert rig.connects == [1, 2, 2] and rig.reported["connection"] == 2


def test_one_that_never_comes_up_is_given_up(rig: Rig) -> None:
    rig.wires.keep_dialling = True
    rig.news(ms=100_000)
    rig.advance(10_050)
    assert "no_successor" in [note.event for note in rig.notes]
    rig.order(1)
    assert rig.told() == [(1, 1, "7-1")]


def test_the_end_of_the_first_while_the_second_is_dialled(rig: Rig) -> None:
    rig.wires.keep_dialling = True
    rig.news(ms=1_000)
    rig.advance(1_100)
    assert rig.reported["state"] == "connecting" and rig.connects == [1, 2], "no third is made"
    rig.come_up(2)
    assert rig.reported["connection"] == 2 and (2, SessionState.CAUGHT_UP) in rig.steps()


def test_a_second_that_is_not_let_in_is_followed_by_a_third_and_the_first_is_heard_meanwhile(rig: Rig) -> None:
    rig.order(1)
    rig.wires.keep_dialling = True
    rig.news()
    order = rig.resting()
    rig.exchange.ask("fault", kind="stall", scope="fix", ms=100)
    rig.come_up(2)
    rig.exchange.core.venue.lines.cut(rig.exchange.core.venue.lines.of("fix")[-1])
    rig.wires.carry(rig.now)
    assert (rig.reported["state"], rig.reported["former_connection"]) == ("waiting", 1)
    rig.advance(150)
    rig.exchange.core.venue.fill_late(order, rig.now)
    rig.advance(50)
    assert rig.fills() == [(1, "1")]
    rig.come_up(3)
    assert (rig.reported["connection"], rig.names()) == (3, ["FXR03"])


def test_by_hand_nothing_is_logged_on_behind_a_logout(rig: Rig) -> None:
    rig.wires.keep_dialling = True
    rig.news()
    rig.control("logout")
    rig.advance(3_000)
    assert (rig.reported["state"], rig.names()) == ("logged_out", [])
    rig.wires.keep_dialling = False
    rig.control("logon")
    rig.advance(100)
    assert rig.names() == ["FXR02"]


def test_a_new_life_folds_the_same_numbers_out_of_both(rig: Rig) -> None:
    rig.wires.keep_dialling = True
    rig.news()
    rig.lines[1].held = True
    rig.order(1)
    rig.come_up(2)
    rig.lines[1].held = False
    rig.advance(50)
    living, folded = rig.core.history, History(rig.config.session, rig.dialect)
    for payload in rig.journal.payloads():
        folded.fold_payload(payload)
    numbers = (living.generation, living.connection, living.next_outbound, living.next_inbound)
    assert (folded.generation, folded.connection, folded.next_outbound, folded.next_inbound) == numbers
    assert len(folded.orders) == len(living.orders) == 1
    unread = History(rig.config.session, rig.dialect)
    for payload in rig.journal.payloads():
        unread.use_number(payload)
    assert (unread.generation, unread.connection, unread.next_outbound, unread.next_inbound) == numbers


def test_a_session_that_stops_leaves_both(rig: Rig) -> None:
    rig.wires.keep_dialling = True
    rig.news()
    rig.lines[1].held = True
    rig.come_up(2)
    rig.core.stop(rig.now)
    rig.advance(1_000)
    assert rig.exit is not None and rig.exit.status == 0 and rig.names() == []


def test_where_numbers_go_on_there_is_no_second(world: World) -> None:
    world.ready()
    world.venue_says("B", "148=You'll be disconnected in 50 seconds. Please reconnect.|33=1|58=x|")
    assert world.connects == [1]

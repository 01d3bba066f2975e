"""Invariant: of an account's sessions the first whose gate is open carries a command, and what one session was told
proves nothing of what another one sent."""

from typing import Any

import msgspec
import pytest

from common.messages import (
    CancelRequest,
    ExecutionReport,
    Inbound,
    Kind,
    NewOrder,
    NewOrderRequest,
    OpenGate,
    OrderStatus,
    Outbound,
    QueryOrder,
    Reason,
    SessionChanged,
    SessionState,
    Terms,
)
from common.orders.snapshots import dump_books, load_books
from services.orders.settings import OrdersSettings
from tests.services.orders.harness import D, Ring, report, settings

FIRST, SECOND = "generic", "second"


class TwoSessions(Ring):
    """The account "generic" has a second session, and "hedge" is another account at the same venue."""

    def __init__(self) -> None:
        rules = settings().accounts["generic"]
        facts = msgspec.structs.replace(rules.facts, venue="generic")
        generic = msgspec.structs.replace(rules, facts=facts, sessions=(FIRST, SECOND))
        hedge = msgspec.structs.replace(rules, facts=facts, sessions=("hedge",))
        super().__init__(OrdersSettings({"generic": generic, "hedge": hedge}))
        self.of: dict[str, str] = {FIRST: "generic", SECOND: "generic", "hedge": "hedge"}
        self.go_live()
        self.hello()

    def step(self, session: str, *states: SessionState) -> None:
        for state in states:
            if state is SessionState.CONNECTING:
                self.connections[session] = self.connections.get(session, 0) + 1
            moved = SessionChanged(
                session, 1, self.connections.get(session, 0), state, 1, 1, account=self.of[session], venue="generic"
            )
            self.record(f"session@{session}", Kind.SESSION, moved)

    def up(self, session: str) -> None:
        self.step(session, SessionState.CONNECTING, SessionState.LOGGED_ON, SessionState.CAUGHT_UP)
        words = [word for word in self.commands if isinstance(word, OpenGate) and word.session == session]
        assert words and (words[-1].account, words[-1].connection) == (self.of[session], self.connections[session])
        self.step(session, SessionState.OPENED)

    def order(self, number: int, account: str = "generic") -> NewOrder:
        self.request(NewOrderRequest(0, number, "generic", "BTCUSDT", Terms("1", "2", D(1), D(100)), account=account))
        command = self.commands[-1]
        assert isinstance(command, NewOrder) and command.number == number
        return command

    def goes(self, command: Any, msg_type: str) -> None:
        """The session that the command names numbers it."""
        connection = self.connections[command.session]
        outbound = Outbound(
            command.session, 1, connection, 7, msg_type, b"raw", command, opens=msg_type == "D",
            account=command.account, venue="generic",
        )  # fmt: skip
        self.record(f"session@{command.session}", Kind.OUTBOUND, outbound)

    def says(self, session: str, event: ExecutionReport) -> None:
        connection = self.connections[session]
        inbound = Inbound(session, 1, connection, 7, "8", b"raw", event, account=self.of[session], venue="generic")
        self.record(f"session@{session}", Kind.INBOUND, inbound)

    def status_of(self, number: int) -> OrderStatus:
        return self.core.books.orders["s", number].status


@pytest.fixture
def ring() -> TwoSessions:
    return TwoSessions()


def test_the_first_session_whose_gate_is_open_carries_a_command(ring: TwoSessions) -> None:
    assert ring.order(1).session == FIRST
    ring.up(SECOND)
    assert ring.order(2).session == SECOND
    ring.up(FIRST)
    assert ring.order(3).session == FIRST
    ring.step(FIRST, SessionState.DISCONNECTED)
    assert ring.order(4).session == SECOND
    ring.step(FIRST, SessionState.CONNECTING, SessionState.LOGGED_ON)
    assert ring.order(5).session == SECOND


def test_a_cancel_goes_over_the_session_that_is_there(ring: TwoSessions) -> None:
    ring.up(FIRST)
    ring.up(SECOND)
    command = ring.order(1)
    ring.goes(command, "D")
    ring.says(FIRST, report(command, "0", "0"))
    ring.step(FIRST, SessionState.DISCONNECTED)
    ring.request(CancelRequest(0, 2, 1))
    cancel = ring.commands[-1]
    assert (cancel.session, cancel.account) == (SECOND, "generic")
    ring.goes(cancel, "F")
    assert ring.status_of(1) is OrderStatus.PENDING_CANCEL
    ring.says(SECOND, report(command, "4", "4", cl_ord_id=cancel.cl_ord_id, orig_cl_ord_id=command.cl_ord_id))
    assert ring.status_of(1) is OrderStatus.CANCELED


def test_what_the_other_session_is_told_is_no_proof_that_an_order_never_arrived(ring: TwoSessions) -> None:
    ring.up(FIRST)
    ring.up(SECOND)
    command = ring.order(1)
    ring.goes(command, "D")
    ring.step(FIRST, SessionState.DISCONNECTED)
    assert ring.status_of(1) is OrderStatus.UNKNOWN
    unheard_of = report(command, "I", "8", unknown_order=True)
    ring.connections[SECOND] = 9
    ring.says(SECOND, unheard_of)
    assert ring.status_of(1) is OrderStatus.UNKNOWN
    ring.step(FIRST, SessionState.CONNECTING, SessionState.LOGGED_ON, SessionState.CAUGHT_UP)
    query = next(each for each in reversed(ring.commands) if isinstance(each, QueryOrder))
    assert query.session == FIRST
    ring.says(FIRST, unheard_of)
    assert ring.status_of(1) is OrderStatus.VOID


def test_the_end_of_one_session_makes_only_its_own_requests_unknown(ring: TwoSessions) -> None:
    ring.up(FIRST)
    ring.up(SECOND)
    ring.goes(ring.order(1), "D")
    ring.step(SECOND, SessionState.DISCONNECTED)
    assert ring.status_of(1) is OrderStatus.PENDING_NEW
    ring.step(FIRST, SessionState.DISCONNECTED)
    assert ring.status_of(1) is OrderStatus.UNKNOWN


@pytest.mark.parametrize("state", [SessionState.LATCHED, SessionState.NUMBERS_SET])
def test_a_connection_whose_beginning_is_in_no_record_has_not_caught_up(ring: TwoSessions, state: SessionState) -> None:
    """The journal was away when the one before it ended and it began: the emergency file's first record bears it."""
    ring.up(FIRST)
    ring.goes(ring.order(1), "D")
    before = [word for word in ring.commands if isinstance(word, OpenGate)]
    ring.connections[FIRST] += 1
    ring.step(FIRST, state)
    assert not ring.core.books.is_logged_on("generic") and ring.status_of(1) is OrderStatus.UNKNOWN
    again = load_books(dump_books(ring.core.books), {})
    assert not again.is_logged_on("generic")
    ring.pass_time(500)
    assert [word for word in ring.commands if isinstance(word, OpenGate)] == before


def test_each_account_of_a_venue_has_fills_and_positions_of_its_own(ring: TwoSessions) -> None:
    ring.up(FIRST)
    ring.up("hedge")
    for number, account in ((1, "generic"), (2, "hedge")):
        command = ring.order(number, account)
        assert (command.account, command.session) == (account, account)
        ring.goes(command, "D")
        # The venue numbers the trades of each account alone, so both may bear one key.
        ring.says(account, report(command, "F", "2", qty="1", key="7", order_id=f"V{number}"))
    held = ring.core.books.positions
    assert {place: position.quantity for place, position in held.items()} == {
        ("generic", "BTCUSDT"): D(1), ("hedge", "BTCUSDT"): D(1),
    }  # fmt: skip
    assert {(each.venue, each.account) for each in ring.positions()} == {("generic", "generic"), ("generic", "hedge")}


def test_a_command_says_who_wanted_it_why_and_when_it_passed_each_stage(ring: TwoSessions) -> None:
    ring.up(FIRST)
    asked = NewOrderRequest(
        0, 1, "generic", "BTCUSDT", Terms("1", "2", D(1), D(100)), account="generic", by="ann/7", cause="alert 3",
        sent_ns=5,
    )
    ring.request(asked)
    order = ring.commands[-1]
    assert (order.by, order.cause, order.stamps.strategy_ns) == ("ann/7", "alert 3", 5)
    assert order.stamps.orders_ns == ring.now.wall_ns and not order.stamps.risk_ns
    ring.goes(order, "D")
    ring.says(FIRST, report(order, "0", "0"))
    ring.request(CancelRequest(0, 2, 1, by="bob/8", cause="signal 9", sent_ns=6))
    cancel = ring.commands[-1]
    assert (cancel.by, cancel.cause, cancel.stamps.strategy_ns) == ("bob/8", "signal 9", 6)


def test_an_order_for_one_of_several_accounts_has_to_name_it(ring: TwoSessions) -> None:
    ring.up(FIRST)
    ring.request(NewOrderRequest(0, 1, "generic", "BTCUSDT", Terms("1", "2", D(1), D(100))))
    assert ring.outcomes() == [(1, "refused")]
    told = [message for message in ring.clients[b"p"] if getattr(message, "outcome", "") == "refused"]
    assert told[-1].reason is Reason.UNKNOWN_ACCOUNT and "generic, hedge" in told[-1].text

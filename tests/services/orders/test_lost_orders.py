"""An order that only the lost end of a log knew is one of the books once its host has come back, and is asked about."""

import msgspec
import orjson
import pytest

from common.messages import (
    LAST_LOST_NUMBER,
    AmendOrder,
    Attempt,
    CancelAllRequest,
    CancelOrder,
    CancelRequest,
    CommandOutcome,
    ControlRequest,
    Discrepancy,
    Kind,
    LostOrder,
    NewOrder,
    NewOrderRequest,
    OrderEvent,
    Outbound,
    QueryOrder,
    Reason,
    SessionState,
    Terms,
    lost_number,
)
from common.orders.books import Books, Bounds
from common.orders.fold import Fold
from common.orders.index import Index
from common.orders.order_state import Order
from common.orders.snapshots import dump_books, load_books
from services.orders.evidence import EvidenceRow, LostSending, frame_of
from tests.services.orders.harness import D, Forgetful, Ring, accepted
from tests.services.orders.test_operator import control

FRAME = "host-a, record 7 (0000abcd)"


def lost_new(number: int = 1, venue: str = "generic") -> NewOrder:
    """What the former host had sent, in an epoch of its own and under a number that a strategy may use again."""
    terms = Terms("1", "2", D(5), D(100))
    return NewOrder(Attempt(1, number), "s", number, venue, "BTCUSDT", terms, f"lost-{number}", 1 << 62, "grid")


def outbound(ring: Ring, command: NewOrder | AmendOrder) -> Outbound:
    return Outbound(command.venue, 1, ring.connections[command.venue], 99, "D", b"", command)


def row(ring: Ring, command: NewOrder, *amendments: AmendOrder, connection: int | None = None) -> EvidenceRow:
    before = ring.connections[command.venue] if connection is None else connection
    behind = tuple(outbound(ring, each) for each in amendments)
    order = LostSending(outbound(ring, command), ring.journal.stamp_ns, before, behind)
    return EvidenceRow(FRAME, command.venue, f"s/{command.number}", "no such order", "sent", order)


def offer(ring: Ring, *rows: EvidenceRow) -> None:
    """What the command on the kept folder says to the order manager."""
    arguments = {"read_lsn": ring.journal.lsn, "rows": [msgspec.to_builtins(each) for each in rows]}
    assert control(ring, "evidence", **arguments).ok
    ring.pass_time(100)


def brought_in(ring: Ring) -> Order:
    """The order that came of it."""
    (record,) = [each for each in ring.journal.records if each.kind == Kind.LOST_ORDER]
    return ring.core.books.orders["s", lost_number(record.lsn)]


def answered(ring: Ring, command: NewOrder, exec_type: str, ord_status: str, **fields: object) -> None:
    """The venue answers the question about it, on a connection of our own."""
    query = ring.last(QueryOrder)
    assert query.cl_ord_id == command.cl_ord_id
    ring.sent(query)
    ring.report(command, exec_type, ord_status, **fields)


def test_it_is_unknown_under_its_strategy_and_asked_about_until_the_venue_tells(ring: Ring) -> None:
    command = lost_new()
    offer(ring, row(ring, command))
    order = brought_in(ring)
    assert (order.strategy, order.label, order.status.value) == ("s", "grid", "UNKNOWN")
    status = ring.core.status(ring.now)
    assert status["unknown_orders"] == 1 and status["open_orders"] == 1
    doubts = status["in_doubt"]
    assert isinstance(doubts, list) and [doubt["order"] for doubt in doubts] == [order.shown_name]
    assert ring.events()[-1] == (order.number, "unknown", "UNKNOWN")
    answered(ring, command, "I", "0")
    assert order.status.value == "NEW" and not ring.core.status(ring.now)["in_doubt"]


def test_it_is_written_down_once_and_alerts_as_any_difference_does(ring: Ring) -> None:
    offer(ring, row(ring, lost_new()))
    assert [frame for record in ring.journal.records if (frame := frame_of(record))] == [FRAME]
    (told,) = ring.journal.payloads(Kind.DISCREPANCY)
    assert isinstance(told, Discrepancy)
    assert (told.subject, told.ours) == (brought_in(ring).shown_name, "no such order")
    assert "sent as ClOrdID(11) lost-1 for s/1" in told.theirs and FRAME in told.theirs
    # Who has not read that may not offer more.
    arguments = orjson.dumps({"read_lsn": 1, "rows": [msgspec.to_builtins(row(ring, lost_new(2)))]})
    ring.core.received("control", b"me", ControlRequest("evidence", arguments, "tester"), ring.now)
    ring.settle()
    assert not ring.told_by_hand[-1].ok


def test_a_number_that_has_another_order_by_now_is_no_hindrance(ring: Ring) -> None:
    ours = accepted(ring, 1)
    offer(ring, row(ring, lost_new(1)))
    lost = brought_in(ring)
    assert ring.core.books.orders["s", 1].legs[0].cl_ord_id == ours.cl_ord_id and lost.status.value == "UNKNOWN"
    assert ring.hello().highest == 1, "and the strategy counts on as before"
    accepted(ring, 2)


def test_its_fills_that_were_nobodys_are_its_strategys_and_the_position_stays(ring: Ring) -> None:
    command = lost_new()
    ring.report(command, "0", "0")
    ring.report(command, "F", "1", qty="2", key="k1", cum_qty=D(2))
    books = ring.core.books
    assert books.positions["generic", "BTCUSDT"].quantity == 2 and not books.share(("s", "generic", "BTCUSDT"))
    assert len(books.externals) == 1, "named as somebody else's so far"
    offer(ring, row(ring, command))
    answered(ring, command, "I", "1", cum_qty=D(2))
    order = brought_in(ring)
    assert (order.cum_qty, order.status.value) == (D(2), "PARTIALLY_FILLED")
    assert books.positions["generic", "BTCUSDT"].quantity == 2
    assert books.share(("s", "generic", "BTCUSDT")) == 2 and not books.externals
    assert not ring.core.status(ring.now)["in_doubt"]


def test_evidence_of_absence_ends_it_and_a_connection_that_carried_it_may_not_be_the_one_that_is_asked(
    ring: Ring,
) -> None:
    command = lost_new()
    offer(ring, row(ring, command))
    answered(ring, command, "I", "8", unknown_order=True)
    order = brought_in(ring)
    assert order.status.value == "UNKNOWN", "the venue may not have read that connection yet"
    ring.session("generic", SessionState.DISCONNECTED)
    ring.log_on("generic")
    ring.pass_time(100)
    answered(ring, command, "I", "8", unknown_order=True)
    assert order.status.value == "VOID"


def test_after_a_takeover_the_connection_is_another_one_already(ring: Ring) -> None:
    command = lost_new()
    offer(ring, row(ring, command, connection=ring.connections["generic"] - 1))
    answered(ring, command, "I", "8", unknown_order=True)
    assert brought_in(ring).status.value == "VOID"


def test_an_amendment_that_was_lost_with_it_may_have_renamed_it(ring: Ring) -> None:
    command = lost_new()
    amended = AmendOrder(
        Attempt(1, 2), "s", 2, "generic", "BTCUSDT", msgspec.structs.replace(command.terms, order_qty=D(8)), "lost-2",
        "lost-1", "", "s", 1, D(5), D(100), D(0), 1 << 62,
    )  # fmt: skip
    offer(ring, row(ring, command, amended, connection=0))
    order = brought_in(ring)
    answered(ring, command, "I", "8", unknown_order=True)
    assert order.status.value == "UNKNOWN", "it may go by the other name"
    ring.report(amended, "5", "0", order_id="V1", orig_cl_ord_id="lost-1")
    assert (order.status.value, order.order_qty, order.leg.cl_ord_id) == ("NEW", D(8), "lost-2")


def test_its_strategys_word_to_cancel_all_is_about_it_too(ring: Ring) -> None:
    offer(ring, row(ring, lost_new()))
    ring.request(CancelAllRequest(0, 1))
    ring.pass_time(100)
    assert ring.last(CancelOrder).orig_cl_ord_id == "lost-1"


def test_its_strategy_may_cancel_it_though_its_number_is_not_below_the_commands(ring: Ring) -> None:
    offer(ring, row(ring, lost_new()))
    ring.request(CancelRequest(0, 1, brought_in(ring).number))
    assert ring.last(CancelOrder).orig_cl_ord_id == "lost-1"


def test_no_command_has_such_a_number(ring: Ring) -> None:
    for number in (lost_number(1), LAST_LOST_NUMBER):
        ring.request(NewOrderRequest(0, number, "generic", "BTCUSDT", Terms("1", "2", D(1), D(100))))
        told = ring.clients[b"p"][-1]
        assert isinstance(told, CommandOutcome) and (told.outcome, told.reason) == ("refused", Reason.OUT_OF_BOUNDS)
    assert ring.hello().highest == 0
    ring.new(LAST_LOST_NUMBER + 1)


def test_its_fills_are_its_strategys_though_they_have_left_memory() -> None:
    ring = Forgetful(Index(), Bounds(closed_orders=1, retired_fills=0))
    command = lost_new()
    ring.report(command, "F", "1", qty="2", key="k1", cum_qty=D(2))
    accepted(ring, 1)
    assert not len(ring.core.books.ledger)
    offer(ring, row(ring, command))
    answered(ring, command, "I", "1", cum_qty=D(2))
    assert brought_in(ring).cum_qty == 2 and ring.core.books.positions["generic", "BTCUSDT"].quantity == 2


def test_whoever_reads_the_log_again_finds_it_lost_as_its_first_reader_did() -> None:
    """The index is as far as the log's end: it has the order from before the record that brings it back."""
    ring, bounds = Forgetful(Index(), Bounds(closed_orders=1)), Bounds(closed_orders=1)
    command, share = lost_new(), ("s", "generic", "BTCUSDT")
    ring.report(command, "F", "1", qty="2", key="k1", cum_qty=D(2))
    filled_lsn = ring.core.books.lsn
    offer(ring, row(ring, command))
    answered(ring, command, "4", "4", cum_qty=D(2))
    name = brought_in(ring).name
    for number in (1, 2):
        ring.report(accepted(ring, number), "4", "4", order_id=f"V{number}")
    ring.record("orders", Kind.LOST_ORDER, LostOrder("host-b, record 9 (0)", outbound(ring, command), 1, 0))
    assert name not in ring.core.books.orders and ring.core.books.share(share) == 2, "it has left memory, and once"
    facts = {account: each.facts for account, each in ring.settings.accounts.items()}
    first, dumps = Fold(Books(facts, bounds=bounds)), [dump_books(Books(facts, bounds=bounds))]
    digests = []
    for record in ring.journal.records:
        first.apply(record)
        digests.append(first.books.digest())
        dumps.append(dump_books(first.books))
    for begin in (0, filled_lsn):
        again = Fold(load_books(dumps[begin], facts, bounds=bounds, memory=ring.index))
        for record in ring.journal.records[begin:]:
            again.apply(record)
            assert again.books.digest() == digests[record.lsn - 1], (begin, record.lsn)
        assert again.books.share(share) == 2 and not again.books.share(("", *share[1:]))


@pytest.mark.parametrize("snapshot", [False, True])
def test_a_restart_has_it_as_it_was(ring: Ring, snapshot: bool) -> None:
    offer(ring, row(ring, lost_new()))
    before = msgspec.msgpack.encode(brought_in(ring))
    digest = ring.core.books.digest()
    if snapshot:
        ring.load_snapshot()
    else:
        ring.start()
        ring.go_live()
    assert msgspec.msgpack.encode(brought_in(ring)) == before
    assert ring.core.books.digest() == digest
    ring.hello()
    assert [m.number for m in ring.clients[b"p"] if isinstance(m, OrderEvent)][-1] == brought_in(ring).number


def test_said_in_two_ways_it_is_one_order(ring: Ring) -> None:
    offer(ring, row(ring, lost_new()))
    again = LostOrder("host-b, record 9 (0)", outbound(ring, lost_new()), 1, 0)
    ring.record("orders", Kind.LOST_ORDER, again)
    assert len(ring.core.books.orders) == 1

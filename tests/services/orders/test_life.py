"""The journal away, and the orderly stop."""

from common.journal.frames import EPOCH
from common.messages import (
    CancelOrder,
    NewOrderRequest,
    StatusChanged,
    Terms,
)
from tests.services.orders.harness import D, Ring, accepted, settings


def test_while_the_journal_is_away_a_command_gets_a_status(ring: Ring) -> None:
    ring.journal_away = True
    ring.pass_time(1000, tick=False)
    assert ring.clients[b"p"][-1] == StatusChanged("journal_away", 0, ring.epoch)
    ring.request(NewOrderRequest(0, 1, "generic", "BTCUSDT", Terms("1", "2", D(1), D(100))))
    assert ring.clients[b"p"][-1] == StatusChanged("journal_away", 1, ring.epoch)
    ring.journal_away = False
    ring.pass_time(200)
    assert StatusChanged("live", 0, ring.epoch) in ring.clients[b"p"]


def test_on_stop_cancels_what_rests_then_exits() -> None:
    ring = Ring()
    ring.go_live()
    ring.open("generic")
    ring.hello()
    order = accepted(ring, 1)
    ring.core.stop(ring.now)
    ring.settle()
    cancel = ring.last(CancelOrder)
    ring.sent(cancel)
    assert ring.exit is None
    ring.report(order, "4", "4", cl_ord_id=cancel.cl_ord_id, orig_cl_ord_id=order.cl_ord_id)
    assert ring.exit is not None and ring.exit.status == 0


def test_on_stop_is_bounded() -> None:
    ring = Ring()
    ring.go_live()
    ring.open("generic")
    ring.hello()
    accepted(ring, 1)
    ring.core.stop(ring.now)
    ring.settle()
    ring.pass_time(2100)
    assert ring.exit is not None


def test_on_stop_leave_leaves() -> None:
    ring = Ring(settings(cancel_on_stop=False))
    ring.go_live()
    ring.open("generic")
    ring.hello()
    accepted(ring, 1)
    ring.core.stop(ring.now)
    ring.settle()
    assert ring.exit is not None
    assert not any(isinstance(command, CancelOrder) for command in ring.commands)


def test_a_second_word_to_stop_does_not_put_the_end_off() -> None:
    ring = Ring()
    ring.go_live()
    ring.open("generic")
    ring.hello()
    accepted(ring, 1)
    ring.core.stop(ring.now)
    ring.settle()
    ring.pass_time(1500)
    assert ring.exit is None
    ring.core.stop(ring.now)
    ring.settle()
    ring.pass_time(600)
    assert ring.exit is not None


def test_on_stop_before_it_is_live_nothing_is_sent_and_what_is_left_is_said(ring: Ring) -> None:
    accepted(ring, 1)
    ring.start()
    ring.commands.clear()
    ring.core.stop(ring.now)
    ring.settle()
    assert ring.exit is not None and ring.exit.status == 0 and "1 orders" in ring.exit.text
    assert ring.commands == []


def test_a_later_epoch_in_the_log_is_another_lifes_and_ends_this_one(ring: Ring) -> None:
    assert ring.exit is None
    block = ring.journal.write("orders", EPOCH, b"", ring.epoch + 1)
    ring.core.followed(block, ring.now)
    ring.settle()
    assert ring.exit is not None and ring.exit.status == 1 and "begins epoch" in ring.exit.text

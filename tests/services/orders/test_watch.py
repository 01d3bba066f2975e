"""Invariant: who says that it lives is not taken for silent, and what is open of a strategy that is silent or has ended
is cancelled exactly where its hello or the configuration says so.
"""

from collections.abc import Mapping

import msgspec
import pytest

from common.instant import NS_PER_MS
from common.messages import (
    PROTOCOL,
    Alive,
    CancelOrder,
    ControlRequest,
    Hello,
    Kind,
    NewOrder,
    OperatorAct,
    StatusChanged,
    Welcome,
)
from services.orders.settings import START_NS, Watched
from services.orders.watch import END_NS
from tests.services.orders.harness import Ring, settings

SILENT_NS = 1_000 * NS_PER_MS
decode_act = msgspec.msgpack.Decoder(OperatorAct).decode


def ring_of(strategies: Mapping[str, Watched] | None = None) -> Ring:
    """Live, "generic" open, nobody there."""
    ring = Ring(msgspec.structs.replace(settings(cancel_on_stop=False), strategies=strategies or {}))
    ring.go_live()
    ring.open("generic")
    return ring


def say_hello(ring: Ring, *, cancels: bool, peer: bytes = b"p", silent_ns: int = SILENT_NS) -> None:
    ring.entry(peer, Hello("s", f"{peer!r}", 0, 0, 1, PROTOCOL, silent_ns, cancels))
    assert any(isinstance(told, Welcome) for told in ring.clients[peer])


def rest(ring: Ring, number: int = 1) -> NewOrder:
    """An order of the strategy rests."""
    order = ring.new(number)
    ring.sent(order)
    ring.report(order, "0", "0")
    return order


def live_on(ring: Ring, ms: int) -> None:
    """It says that it lives, as often as it should."""
    for _ in range(ms // 250):
        ring.entry(b"p", Alive(ring.epoch))
        ring.pass_time(250)


def acts(ring: Ring) -> list[tuple[str, str]]:
    """What the journal has of strategies."""
    told = [decode_act(record.payload) for record in ring.journal.records if record.kind == Kind.OPERATOR]
    return [(act.actor, act.act) for act in told if act.actor.startswith("strategy@")]


def cancels(ring: Ring) -> list[int]:
    return [command.target_number for command in ring.commands if isinstance(command, CancelOrder)]


def sign(ring: Ring) -> object:
    return ring.core.status(ring.now)["strategies"]["s"]["sign"]  # type: ignore[index]


def test_one_that_says_that_it_lives_is_left_alone() -> None:
    ring = ring_of()
    say_hello(ring, cancels=True)
    rest(ring)
    live_on(ring, 5_000)
    assert sign(ring) == "alive"
    assert (cancels(ring), acts(ring)) == ([], [])


@pytest.mark.parametrize("is_cancelled", [True, False])
def test_one_that_falls_silent_is_marked_and_by_its_word_cancelled(is_cancelled: bool) -> None:
    ring = ring_of()
    say_hello(ring, cancels=is_cancelled)
    rest(ring)
    live_on(ring, 1_000)
    ring.pass_time(1_500)
    assert sign(ring) == "silent"
    assert acts(ring) == [("strategy@s", "silent")]
    assert cancels(ring)[:1] == ([1] if is_cancelled else [])


def test_an_order_that_was_under_way_is_cancelled_when_it_comes() -> None:
    ring = ring_of()
    say_hello(ring, cancels=True)
    order = ring.new(1)
    ring.entry(b"p", Alive(ring.epoch, ends=True))
    assert (sign(ring), cancels(ring)) == ("ended", [])
    ring.sent(order)
    ring.report(order, "0", "0")
    ring.pass_time(500)
    assert cancels(ring)[:1] == [1]


def test_one_that_ends_in_order_is_cancelled_at_once() -> None:
    ring = ring_of()
    say_hello(ring, cancels=True)
    rest(ring)
    ring.entry(b"p", Alive(ring.epoch, ends=True))
    assert (sign(ring), cancels(ring), acts(ring)) == ("ended", [1], [("strategy@s", "ended")])


def test_its_next_start_takes_its_orders_up_where_they_are_left() -> None:
    ring = ring_of()
    say_hello(ring, cancels=False)
    rest(ring)
    ring.entry(b"p", Alive(ring.epoch, ends=True))
    say_hello(ring, cancels=False, peer=b"q")
    assert (sign(ring), cancels(ring)) == ("alive", [])
    assert acts(ring) == [("strategy@s", "ended"), ("strategy@s", "back")]


def test_one_that_stood_still_and_goes_on_is_marked_alive_again() -> None:
    ring = ring_of()
    say_hello(ring, cancels=False)
    ring.pass_time(1_500)
    ring.entry(b"p", Alive(ring.epoch))
    assert (sign(ring), acts(ring)) == ("alive", [("strategy@s", "silent"), ("strategy@s", "back")])


def test_that_this_process_stood_still_is_no_silence_of_anybody() -> None:
    ring = ring_of()
    say_hello(ring, cancels=True)
    rest(ring)
    ring.boot_ns += 60_000 * NS_PER_MS
    ring.core.timer(ring.now)
    ring.settle()
    assert (sign(ring), cancels(ring)) == ("alive", [])


def restarts(ring: Ring) -> None:
    """Its supervisor says that it starts the strategy again."""
    ring.core.received("control", b"me", ControlRequest("restarting", b'{"strategy": "s"}', "supervisor"), ring.now)
    ring.settle()


def test_one_that_is_restarted_has_the_time_of_a_start_and_its_goodbye_is_none() -> None:
    ring = ring_of()
    say_hello(ring, cancels=True)
    rest(ring)
    restarts(ring)
    ring.entry(b"p", Alive(ring.epoch))
    ring.entry(b"p", Hello("s", repr(b"p"), 0, 0, 1, PROTOCOL, SILENT_NS, True))
    ring.entry(b"p", Alive(ring.epoch, ends=True))
    ring.pass_time(20_000)
    assert (sign(ring), cancels(ring)) == ("restarting", [])
    say_hello(ring, cancels=True, peer=b"q")
    assert (sign(ring), cancels(ring)) == ("alive", [])
    assert acts(ring) == [("strategy@s", "restarting"), ("strategy@s", "back")]


def test_one_that_dies_has_the_time_of_a_start_from_when_it_was_heard_of_and_no_more_however_often_it_dies() -> None:
    ring = ring_of()
    say_hello(ring, cancels=True)
    rest(ring)
    for _ in range(6):
        restarts(ring)
        ring.pass_time(4_000)
    assert (sign(ring), cancels(ring)) == ("restarting", [])
    ring.pass_time(START_NS // NS_PER_MS - 24_000)
    assert sign(ring) == "silent" and cancels(ring)[:1] == [1]
    restarts(ring)
    assert sign(ring) == "silent", "what is gone is not taken back by a word"


def test_its_table_says_how_long_a_start_may_take() -> None:
    ring = ring_of({"s": Watched(SILENT_NS, cancel_on_exit=True, start_ns=3 * SILENT_NS)})
    say_hello(ring, cancels=True)
    rest(ring)
    restarts(ring)
    ring.pass_time(2 * SILENT_NS // NS_PER_MS)
    assert sign(ring) == "restarting"
    ring.pass_time(2 * SILENT_NS // NS_PER_MS)
    assert sign(ring) == "silent" and cancels(ring)[:1] == [1]


def test_one_that_is_not_ended_after_all_is_alive_again() -> None:
    ring = ring_of()
    say_hello(ring, cancels=True)
    restarts(ring)
    live_on(ring, END_NS // NS_PER_MS + 500)
    assert sign(ring) == "alive"
    ring.pass_time(1_500)
    assert sign(ring) == "silent"


def test_who_never_says_that_it_lives_is_not_watched_over() -> None:
    ring = ring_of({"s": Watched(SILENT_NS, cancel_on_exit=True)})
    say_hello(ring, cancels=False, silent_ns=0)
    rest(ring)
    ring.pass_time(3_000)
    assert (ring.core.status(ring.now)["strategies"], cancels(ring)) == ({}, [])


def test_a_configured_one_that_does_not_come_back_after_a_start_is_cancelled() -> None:
    ring = ring_of({"s": Watched(SILENT_NS, cancel_on_exit=True)})
    say_hello(ring, cancels=True)
    rest(ring)
    ring.start()
    ring.go_live()
    ring.log_on("generic")
    ring.pass_time(5_000)
    assert (sign(ring), cancels(ring)) == ("awaited", [])
    ring.pass_time(START_NS // NS_PER_MS)
    assert sign(ring) == "silent"
    assert cancels(ring)[:1] == [1]


def test_a_sign_of_life_of_a_former_life_is_answered_by_the_epoch_that_wants_a_hello() -> None:
    ring = ring_of()
    say_hello(ring, cancels=True)
    former = ring.epoch
    ring.start()
    ring.go_live()
    ring.entry(b"p", Alive(former))
    told = ring.clients[b"p"][-1]
    assert isinstance(told, StatusChanged)
    assert told.epoch == ring.epoch


def test_an_orderly_stop_waits_for_the_cancels_of_who_has_ended() -> None:
    ring = ring_of()
    say_hello(ring, cancels=True)
    order = rest(ring)
    ring.entry(b"p", Alive(ring.epoch, ends=True))
    ring.core.stop(ring.now)
    ring.settle()
    assert ring.exit is None
    cancel = ring.last(CancelOrder)
    ring.sent(cancel)
    ring.report(order, "4", "4", cl_ord_id=cancel.cl_ord_id, orig_cl_ord_id=order.cl_ord_id)
    assert ring.exit is not None


def test_orders_at_an_account_that_is_not_configured_any_more_are_left() -> None:
    ring = ring_of()
    say_hello(ring, cancels=True)
    rest(ring)
    accounts = {name: its for name, its in ring.settings.accounts.items() if name != "generic"}
    ring.settings = msgspec.structs.replace(
        ring.settings, accounts=accounts, strategies={"s": Watched(SILENT_NS, cancel_on_exit=True)}
    )
    ring.start()
    ring.go_live()
    ring.commands.clear()
    ring.pass_time(START_NS // NS_PER_MS + 1_000)
    assert (sign(ring), cancels(ring)) == ("silent", [])

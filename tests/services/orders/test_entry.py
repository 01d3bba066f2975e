"""The order entry link: hellos, repeats, and what comes at the wrong time."""

from typing import Any

import msgspec
import pytest

from common.actor import links
from common.messages import (
    MAX_ENTRY_BYTES,
    UNDECODABLE,
    AmendOrder,
    AmendRequest,
    Attempt,
    BoundedEntryRequest,
    CancelRequest,
    CommandOutcome,
    Door,
    Hello,
    Kind,
    NewOrder,
    NewOrderRequest,
    OrderEvent,
    Reason,
    Refused,
    StatusChanged,
    Terms,
    encode,
)
from common.request_identity import command_identity, request_identity, same_request
from tests.services.orders.harness import D, Ring, accepted
from tests.terms import wanting


def test_a_repeat_is_answered_from_memory(ring: Ring) -> None:
    accepted(ring, 1)
    before = len(ring.commands)
    ring.request(NewOrderRequest(0, 1, "generic", "BTCUSDT", Terms("1", "2", D("1.0"), D("100.00"))))
    last = ring.clients[b"p"][-1]
    assert (last.outcome, last.repeat) == ("sent", True)
    assert len(ring.commands) == before


def test_a_repeat_with_another_body_is_refused(ring: Ring) -> None:
    accepted(ring, 1)
    ring.request(NewOrderRequest(0, 1, "generic", "BTCUSDT", Terms("1", "2", D(2), D(100))))
    assert ring.clients[b"p"][-1].reason is Reason.NAME_REUSED


@pytest.mark.parametrize("restarted", [False, True])
def test_a_repeated_amendment_is_known_by_what_it_asked_for(ring: Ring, restarted: bool) -> None:
    accepted(ring, 1)
    first = AmendRequest(0, 2, 1, order_qty=D("2.0"))
    ring.request(first)
    ring.sent(ring.last(AmendOrder))
    if restarted:
        ring.start()
        ring.hello()
        ring.go_live()
    ring.request(AmendRequest(0, 2, 1, order_qty=D(2)))
    assert (ring.clients[b"p"][-1].outcome, ring.clients[b"p"][-1].repeat) == ("sent", True)
    for order_qty, price in ((D(3), None), (D(2), D(100)), (None, D(2))):
        ring.request(AmendRequest(0, 2, 1, order_qty, price))
        assert ring.clients[b"p"][-1].reason is Reason.NAME_REUSED


def test_a_repeat_of_an_amendment_that_an_older_log_holds_is_known_by_its_target() -> None:
    asked = request_identity(AmendRequest(0, 2, 1, order_qty=D(2)))
    assert same_request(asked, asked[:9]) and same_request(asked, b"")
    assert not same_request(asked, asked[:-8] + b"otherone") and not same_request(asked, b"c" + asked[1:9])


def test_a_repeat_while_in_flight_has_no_answer_yet(ring: Ring) -> None:
    ring.new(1)
    before = len(ring.commands)
    ring.request(NewOrderRequest(0, 1, "generic", "BTCUSDT", Terms("1", "2", D(1), D(100))))
    assert ring.outcomes() == [] and len(ring.commands) == before


def test_a_lower_number_never_seen_is_expired(ring: Ring) -> None:
    accepted(ring, 5)
    ring.request(NewOrderRequest(0, 3, "generic", "BTCUSDT", Terms("1", "2", D(1), D(100))))
    assert ring.outcomes()[-1] == (3, "expired")


def test_names_outlive_a_restart(ring: Ring) -> None:
    accepted(ring, 7)
    ring.start()
    assert ring.hello().highest == 7
    ring.go_live()
    ring.request(NewOrderRequest(0, 7, "generic", "BTCUSDT", Terms("1", "2", D(1), D(100))))
    last = ring.clients[b"p"][-1]
    assert isinstance(last, CommandOutcome) and (last.outcome, last.repeat) == ("sent", True)


def test_the_later_hello_wins(ring: Ring) -> None:
    ring.hello("s", b"q")
    assert StatusChanged("superseded") in ring.clients[b"p"]
    ring.request(NewOrderRequest(0, 1, "generic", "BTCUSDT", Terms("1", "2", D(1), D(100))), b"p")
    assert ring.clients[b"p"][-1].state == "superseded"
    assert not any(isinstance(command, NewOrder) for command in ring.commands)


def test_a_hello_of_a_superseded_instance_that_comes_late_takes_nothing_back(ring: Ring) -> None:
    ring.entry(b"p", Hello("s", "old", 0, 0))
    ring.entry(b"q", Hello("s", "new", 0, 0))
    ring.entry(b"p", Hello("s", "old", 0, 0))
    assert ring.clients[b"p"][-1] == StatusChanged("superseded")
    assert StatusChanged("superseded") not in ring.clients[b"q"]
    ring.request(NewOrderRequest(0, 1, "generic", "BTCUSDT", Terms("1", "2", D(1), D(100))), b"q")
    assert any(isinstance(command, NewOrder) for command in ring.commands)


def test_a_new_instance_under_the_old_routing_id_is_not_told_that_it_is_superseded(ring: Ring) -> None:
    ring.hello()
    ring.entry(b"p", Hello("s", "the next life", 0, 0))
    assert StatusChanged("superseded") not in ring.clients[b"p"]
    ring.request(NewOrderRequest(0, 1, "generic", "BTCUSDT", Terms("1", "2", D(1), D(100))), b"p")
    assert any(isinstance(command, NewOrder) for command in ring.commands)


def test_a_command_of_a_former_epoch_is_dropped(ring: Ring) -> None:
    ring.entry(b"p", NewOrderRequest(1, 1, "generic", "BTCUSDT", Terms("1", "2", D(1), D(100))))
    assert ring.clients[b"p"][-1] == StatusChanged("live", 1, ring.epoch)
    assert not any(isinstance(command, NewOrder) for command in ring.commands)


def test_after_a_restart_what_adds_risk_waits(ring: Ring) -> None:
    ring.start()
    assert ring.hello().state == "restarting"
    ring.request(NewOrderRequest(0, 1, "generic", "BTCUSDT", Terms("1", "2", D(1), D(100))))
    assert ring.clients[b"p"][-1] == StatusChanged("restarting", 1, ring.epoch)
    ring.go_live()
    assert ring.clients[b"p"][-1] == StatusChanged("live", 0, ring.epoch)
    ring.new(1)


def test_what_a_former_life_sent_may_still_turn_up(ring: Ring) -> None:
    command = ring.new(1)
    ring.start()
    ring.hello()
    ring.sent(command)
    ring.report(command, "0", "0")
    assert ring.outcomes() == [(1, "sent")]
    ring.go_live()
    ring.request(NewOrderRequest(0, 1, "generic", "BTCUSDT", Terms("1", "2", D(1), D(100))))
    assert ring.outcomes() == [(1, "sent"), (1, "sent")]


def test_a_resuming_strategy_gets_what_it_missed_once(ring: Ring) -> None:
    command = accepted(ring, 1)
    seen = ring.clients[b"p"][-1]
    assert isinstance(seen, OrderEvent)
    ring.report(command, "F", "1", qty="0.5", key="x")
    ring.hello("s", b"q", (seen.lsn, seen.index), epoch=ring.epoch)
    assert ring.events(b"q") == [(1, "trade", "PARTIALLY_FILLED")]


def test_a_strategy_of_another_life_is_told_besides_what_is_open(ring: Ring) -> None:
    """What was lost on its way from that life, this one cannot know: an order whose end was lost is over without it."""
    accepted(ring, 1)
    ended = accepted(ring, 2)
    ring.report(ended, "4", "4")
    last = ring.clients[b"p"][-1]
    assert isinstance(last, OrderEvent)
    assert ring.hello("s", b"q", (last.lsn, last.index), epoch=ring.epoch - 1).resumed
    assert ring.events(b"q") == [(1, "snapshot", "NEW")]


def test_a_strategy_that_saw_nothing_gets_the_state(ring: Ring) -> None:
    accepted(ring, 1)
    assert not ring.hello("s", b"q").resumed
    assert ring.events(b"q") == [(1, "snapshot", "NEW")]


def test_a_client_that_does_not_keep_up_gets_nothing_more_until_it_says_hello(ring: Ring) -> None:
    command = accepted(ring, 1)
    ring.core.clients.lost(b"p")
    before = len(ring.clients[b"p"])
    ring.report(command, "F", "1", qty="0.5", key="x")
    assert len(ring.clients[b"p"]) == before


ODD_NUMBERS = ["NaN", "sNaN", "-sNaN7", "Infinity", "-Infinity", "1E+999999", "9" * 40 + "E+999960", "1E-999999",
               "1E-19", "1E19", "1234567890123456789"]  # fmt: skip


@pytest.mark.parametrize("odd", ODD_NUMBERS)
@pytest.mark.parametrize(("field", "reason"), [("order_qty", Reason.BAD_QUANTITY), ("price", Reason.BAD_PRICE)])
def test_a_number_that_cannot_be_counted_with_goes_no_further_and_every_start_reads_it(
    ring: Ring, odd: str, field: str, reason: Reason
) -> None:
    accepted(ring, 1)
    fields: dict[str, Any] = {"order_qty": D(1), "price": D(100), field: D(odd)}
    new = NewOrderRequest(0, 2, "generic", "BTCUSDT", Terms("1", "2", **fields))
    amend = AmendRequest(0, 3, 1, **fields)
    ring.commands.clear()
    for request in (new, amend, new):
        ring.request(msgspec.msgpack.decode(encode(request), type=type(request)))
    told = [m for m in ring.clients[b"p"] if isinstance(m, CommandOutcome) and m.number > 1]
    assert [(m.number, m.outcome, m.reason) for m in told[:2]] == [(2, "refused", reason), (3, "refused", reason)]
    assert told[2].repeat and told[2].number == 2
    assert ("OrderQty(38)" if field == "order_qty" else "Price(44)") in told[0].text
    assert not any(isinstance(command, NewOrder | AmendOrder) for command in ring.commands)
    ring.start()
    ring.go_live()


@pytest.mark.parametrize("odd", ODD_NUMBERS)
def test_a_log_that_holds_such_a_number_in_a_refused_command_is_read(ring: Ring, odd: str) -> None:
    terms = Terms("1", "2", D(odd), D(odd))
    command = msgspec.structs.replace(ring.new(1), number=2, terms=terms, attempt=Attempt(ring.epoch, 99))
    ring.record("risk", Kind.REFUSED, Refused("risk", Reason.BAD_QUANTITY, "", "s", 2, command.attempt, command))
    assert ring.core.books.names.highest["s"] == 2
    same = NewOrderRequest(0, 2, "generic", "BTCUSDT", Terms("1", "2", D(odd), D(odd)))
    assert command_identity(command) == request_identity(same)


def test_a_refusal_that_finds_no_room_is_a_status_and_decided_when_it_is_repeated(
    ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "MAX_UNACKNOWLEDGED", 3)
    ring.journal_away = True
    for number in range(1, 7):
        ring.request(CancelRequest(0, number, 900))
        ring.request(CancelRequest(0, number, 900))
    status = ring.core.status(ring.now)["counts"]
    assert status == {"refused": 3}
    statuses = [m for m in ring.clients[b"p"] if isinstance(m, StatusChanged) and m.number]
    assert {(m.state, m.number) for m in statuses} == {("journal_away", number) for number in (4, 5, 6)}
    monkeypatch.undo()
    ring.journal_away = False
    ring.request(CancelRequest(0, 5, 900))
    assert ring.outcomes() == [(number, "refused") for number in (1, 2, 3, 5)], "what it had kept is taken first"


def test_a_number_that_can_only_be_expired_waits_for_room_like_a_refusal(
    ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted(ring, 10)
    monkeypatch.setattr(links, "MAX_UNACKNOWLEDGED", 3)
    ring.journal_away = True
    for number in (11, 12, 13):
        ring.request(CancelRequest(0, number, 900))
    never_seen = NewOrderRequest(0, 5, "generic", "BTCUSDT", Terms("1", "2", D(1), D(100)))
    ring.request(never_seen)
    assert ring.clients[b"p"][-1] == StatusChanged("journal_away", 5, ring.epoch)
    monkeypatch.undo()
    ring.journal_away = False
    ring.request(never_seen)
    assert ring.outcomes()[-1] == (5, "expired")
    ring.request(wanting(never_seen, order_qty=D(2)))
    assert ring.clients[b"p"][-1].reason is Reason.NAME_REUSED


@pytest.mark.parametrize("name", ["maker 2", "", "Maker", "m" * 21, "maker\n", "maker\x1b[2J"])
def test_a_hello_under_what_is_no_name_is_refused_and_says_why(ring: Ring, name: str) -> None:
    data = encode(Hello(name, "one"))
    with pytest.raises(UNDECODABLE) as raised:
        Door(BoundedEntryRequest, MAX_ENTRY_BYTES).decode(data)
    ring.core.not_read("entry", b"x", data, str(raised.value), ring.now)
    ring.settle()
    (told,) = ring.clients[b"x"]
    assert isinstance(told, StatusChanged) and told.state == "refused" and told.text


@pytest.mark.parametrize("label", ["\x1b[2J", "a\nb", "\x9b31m", "\u202eabc", "\x7f"])
def test_a_label_that_would_steer_a_terminal_is_not_taken(ring: Ring, label: str) -> None:
    request = NewOrderRequest(ring.epoch, 1, "generic", "BTCUSDT", Terms("1", "2", D(1), D(100)), label=label)
    with pytest.raises(UNDECODABLE) as raised:
        Door(BoundedEntryRequest, MAX_ENTRY_BYTES).decode(encode(request))
    ring.core.not_read("entry", b"p", encode(request), str(raised.value), ring.now)
    ring.settle()
    told = ring.clients[b"p"][-1]
    assert (told.outcome, told.reason) == ("refused", Reason.OUT_OF_BOUNDS)
    fair = msgspec.structs.replace(request, label="größe 💰 1")
    assert Door(BoundedEntryRequest, MAX_ENTRY_BYTES).decode(encode(fair)).label == fair.label


def test_a_number_of_a_cancel_that_is_under_way_is_no_other_command_s(ring: Ring) -> None:
    accepted(ring, 1)
    ring.request(CancelRequest(0, 2, 1))
    cancel = ring.commands[-1]
    other = NewOrderRequest(0, 2, "generic", "BTCUSDT", Terms("1", "2", D(1), D(100)))
    ring.request(other)
    assert ring.outcomes() == [(1, "sent")], "the log has nothing of it yet"
    ring.sent(cancel)
    assert ring.outcomes() == [(1, "sent"), (2, "sent")]
    ring.request(other)
    assert ring.clients[b"p"][-1].reason is Reason.NAME_REUSED

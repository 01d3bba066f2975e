"""Invariants: a number is never sent with two bodies, and never skipped; what is unanswered is sent again until it
has an outcome, lowest first; each event is told once; a superseded instance falls silent.
"""

from collections.abc import Callable
from decimal import Decimal as D
from functools import partial

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.instant import NS_PER_MS, Instant
from common.messages import (
    AFTER_ALL_EVENTS,
    HIGHEST_NUMBER,
    MAX_ENTRY_BYTES,
    PROTOCOL,
    Alive,
    AmendRequest,
    CancelRequest,
    ClientRequest,
    CommandOutcome,
    EntryRequest,
    Hello,
    NewOrderRequest,
    OrderEvent,
    OrderStatus,
    PositionChanged,
    QueryAnswer,
    QueryRequest,
    Reason,
    StatusChanged,
    Terms,
    Welcome,
    WelcomeComplete,
)
from common.strategy.bounds import OutOfBounds
from common.strategy.entry import (
    CHECKED_NS,
    HELLO_NS,
    MAX_UNANSWERED,
    OVERDUE_NS,
    QUIET_NS,
    SLOWEST_HELLO_NS,
    Entry,
    NamesUsedUp,
    NotWelcome,
    Superseded,
    TooManyUnanswered,
    Vigil,
)
from common.strategy.terms import terms_of

EPOCH = 100


def at(ms: float) -> Instant:
    return Instant(1_800_000_000 * 10**9 + int(ms * NS_PER_MS), int(ms * NS_PER_MS))


def taken(entry: Entry) -> list[EntryRequest]:
    outgoing, entry.outgoing = entry.outgoing, []
    return outgoing


def welcome(epoch: int = EPOCH, highest: int = 0, state: str = "live", lsn: int = 10, resumed: bool = True) -> Welcome:
    return Welcome("alpha", "one", epoch, highest, state, lsn, resumed)


def connected(highest: int = 0) -> Entry:
    entry = Entry("alpha", "one")
    entry.start(at(0))
    assert taken(entry) == [Hello("alpha", "one", 0, 0, protocol=PROTOCOL)]
    assert entry.received(welcome(highest=highest), at(0)) is not None
    assert entry.received(WelcomeComplete(10, 0), at(0)) is not None
    return entry


def buy(entry: Entry, ms: float = 0) -> int:
    return entry.new(at(ms), "generic", "BTCUSDT", terms_of("1", D("0.5"), D(100)))


def outcome(number: int, kind: str = "sent", lsn: int = 20, index: int = 0, **more: object) -> CommandOutcome:
    return CommandOutcome(lsn, index, "alpha", number, kind, **more)  # type: ignore[arg-type]


def order(
    number: int, status: OrderStatus = OrderStatus.NEW, lsn: int = 20, index: int = 0, event: str = "new"
) -> OrderEvent:
    return OrderEvent(
        lsn, index, "alpha", number, event, status, "generic", "BTCUSDT", Terms("1", "2", D(1), D(100)), D(0), D(1),
        D(0), "x", "", open=status is not OrderStatus.CANCELED,
    )  # fmt: skip


def test_numbers_rise_from_the_highest_that_the_order_manager_knows() -> None:
    entry = connected(highest=41)
    assert [buy(entry), entry.amend(at(0), 42, price=D(99)), entry.cancel(at(0), 42)] == [42, 43, 44]
    first, second, third = taken(entry)
    assert isinstance(first, NewOrderRequest) and (first.epoch, first.number, first.ord_type) == (EPOCH, 42, "2")
    assert isinstance(second, AmendRequest) and (second.number, second.target_number) == (43, 42)
    assert isinstance(third, CancelRequest) and third.number == 44
    assert list(entry.unanswered) == [42, 43, 44]


def test_a_list_has_a_number_for_each_of_its_orders() -> None:
    entry = connected(highest=41)
    orders = terms_of("2", D(1), D(110), post_only=True), terms_of("2", D(1), stop_px=D(90))
    assert entry.new_list(at(0), "binance", "BTCUSDT", "1", orders, label="exit") == 42
    (request,) = taken(entry)
    assert isinstance(request, NewOrderRequest) and (request.number, request.contingency) == (42, "1")
    assert (request.terms, *request.further) == orders and list(entry.unanswered) == [42]
    assert buy(entry) == 44
    assert entry.received(outcome(42), at(1)) is not None and not entry.awaits(42)
    with pytest.raises(TypeError):
        entry.new_list(at(0), "binance", "BTCUSDT", "1", [orders[0], Terms("2", "3", 1.5)])  # type: ignore[arg-type]


def test_without_a_price_it_is_a_market_order() -> None:
    entry = connected()
    entry.new(at(0), "generic", "BTCUSDT", terms_of("2", D(1)))
    (request,) = taken(entry)
    assert isinstance(request, NewOrderRequest) and (request.ord_type, request.price) == ("1", None)


def test_nothing_is_sent_before_the_welcome() -> None:
    entry = Entry("alpha", "one")
    with pytest.raises(NotWelcome):
        buy(entry)


def test_a_hello_is_repeated_with_growing_waits_until_it_is_answered() -> None:
    entry = Entry("alpha", "one", (5, 2))
    entry.start(at(0))
    times, now_ns = [], 0
    for _ in range(6):
        deadline = entry.next_deadline_ns()
        assert deadline is not None
        now_ns = deadline
        entry.timer(Instant(0, now_ns))
        times.append(now_ns // NS_PER_MS)
    assert times == [200, 600, 1400, 3000, 5000, 7000]
    assert taken(entry) == [Hello("alpha", "one", 5, 2, protocol=PROTOCOL)] * 7
    assert HELLO_NS == 200 * NS_PER_MS and SLOWEST_HELLO_NS == 2000 * NS_PER_MS


def test_a_new_epoch_gets_everything_unanswered_lowest_first_before_anything_new() -> None:
    entry = connected()
    for _ in range(3):
        buy(entry)
    entry.received(outcome(2), at(1))
    taken(entry)
    entry.received(welcome(epoch=EPOCH + 1, highest=2), at(300))
    buy(entry, 300)
    again = taken(entry)
    assert [(r.epoch, r.number) for r in again if isinstance(r, NewOrderRequest)] == [
        (EPOCH + 1, 1),
        (EPOCH + 1, 3),
        (EPOCH + 1, 4),
    ]


def test_a_repeat_has_the_same_body_and_what_is_left_of_its_time_to_live() -> None:
    entry = connected()
    entry.new(at(0), "generic", "BTCUSDT", terms_of("1", D(1), D(100)), time_to_live_ns=500 * NS_PER_MS)
    (first,) = taken(entry)
    entry.received(welcome(epoch=EPOCH + 1), at(200))
    (second,) = taken(entry)
    entry.received(welcome(epoch=EPOCH + 2), at(9000))
    (third,) = taken(entry)
    assert isinstance(first, NewOrderRequest) and isinstance(second, NewOrderRequest)
    assert second.time_to_live_ns == 300 * NS_PER_MS
    assert isinstance(third, NewOrderRequest) and third.time_to_live_ns == 1
    for request in (second, third):
        assert body(request) == body(first)


def body(request: ClientRequest) -> ClientRequest:
    fresh = msgspec.structs.replace(request, epoch=0)
    if isinstance(fresh, NewOrderRequest | AmendRequest):
        fresh = msgspec.structs.replace(fresh, time_to_live_ns=0)
    return fresh


def test_a_command_without_an_outcome_and_a_long_silence_are_asked_about() -> None:
    entry = connected()
    buy(entry)
    taken(entry)
    assert entry.next_deadline_ns() == OVERDUE_NS
    entry.timer(at(300))
    assert taken(entry) == [Hello("alpha", "one", 10, 0, EPOCH, PROTOCOL, term=1)]
    entry.received(welcome(), at(310))
    taken(entry)
    entry.received(outcome(1), at(320))
    assert entry.next_deadline_ns() == 320 * NS_PER_MS + QUIET_NS
    entry.timer(at(1320))
    assert taken(entry) == [Hello("alpha", "one", 20, 0, EPOCH, PROTOCOL, term=1)]


def test_a_client_that_hears_much_says_hello_all_the_same_and_asks_for_the_state_where_messages_are_missing() -> None:
    entry = connected()
    for ms in range(0, 9_900, 900):
        entry.received(order(1, lsn=20 + ms, index=1), at(ms))
    assert entry.next_deadline_ns() == CHECKED_NS
    entry.timer(at(10_000))
    assert [hello.last_lsn for hello in taken(entry) if isinstance(hello, Hello)] == [20 + 9_000]
    heard = 1 + 1 + 11
    entry.received(msgspec.structs.replace(welcome(), told=heard), at(10_001))
    assert not entry.has_missed and not taken(entry)
    entry.received(msgspec.structs.replace(welcome(), told=heard + 2), at(10_002))
    assert entry.has_missed
    (hello,) = taken(entry)
    assert isinstance(hello, Hello) and (hello.last_lsn, hello.last_index) == (0, 0)
    entry.received(msgspec.structs.replace(welcome(resumed=False), told=heard + 3), at(10_003))
    assert not entry.has_missed


def test_an_event_is_told_once_and_the_last_one_is_where_it_resumes() -> None:
    entry = connected()
    assert entry.received(order(1, lsn=20, index=1), at(1)) is not None
    assert entry.received(order(1, lsn=20, index=1), at(2)) is None
    assert entry.received(order(1, lsn=20, index=0), at(2)) is None
    assert entry.received(order(1, OrderStatus.CANCELED, lsn=21), at(3)) is not None
    assert entry.orders == {} and entry.last == (21, 0)


def position(lsn: int, index: int, symbol: str, quantity: int) -> PositionChanged:
    return PositionChanged(lsn, index, "generic", symbol, D(quantity), D(100), D(0))


def test_a_state_told_in_place_of_events_replaces_what_was_known_once_it_is_complete() -> None:
    entry = connected()
    entry.received(order(1, lsn=20), at(1))
    entry.received(position(20, 1, "BTCUSDT", 3), at(1))
    assert entry.received(welcome(lsn=50, resumed=False), at(2)) is not None
    snapshot = [order(number, lsn=50, index=AFTER_ALL_EVENTS + number, event="snapshot") for number in (2, 3)]
    positions = [position(50, AFTER_ALL_EVENTS + 4, "BTCUSDT", 2), position(50, AFTER_ALL_EVENTS + 5, "ETHUSDT", 1)]
    told: list[OrderEvent | PositionChanged] = [*snapshot, *positions]
    for message in told:
        assert entry.received(message, at(3)) == message
        assert entry.replacing and list(entry.orders) == [1] and entry.positions["generic", "BTCUSDT"].quantity == 3
        assert entry.last == (0, 0), "what was told in part is no place to go on from"
    complete = WelcomeComplete(50, AFTER_ALL_EVENTS + 6)
    assert entry.received(complete, at(3)) == complete
    assert list(entry.orders) == [2, 3]
    assert {symbol: held.quantity for (_, symbol), held in entry.positions.items()} == {"BTCUSDT": 2, "ETHUSDT": 1}
    assert entry.last == (50, AFTER_ALL_EVENTS + 6)
    assert entry.received(order(2, lsn=50, index=7), at(4)) is None, "the state as of record 50 holds its events"
    assert entry.received(order(2, lsn=51), at(4)) is not None


def test_another_life_tells_what_is_open_and_what_it_does_not_is_over() -> None:
    """The end of order 1 was lost on its way from the former life."""
    entry = connected()
    for number in (1, 2, 3):
        entry.received(order(number, lsn=20, index=number), at(1))
    entry.received(order(3, OrderStatus.CANCELED, lsn=21), at(1))
    entry.received(welcome(epoch=EPOCH + 1, lsn=50), at(2))
    assert entry.received(order(2, lsn=50, index=AFTER_ALL_EVENTS, event="snapshot"), at(3)) is None, "it is known"
    found = order(4, lsn=50, index=AFTER_ALL_EVENTS + 1, event="snapshot")
    assert entry.received(found, at(3)) == found and entry.last == (0, 0)
    entry.received(WelcomeComplete(50, AFTER_ALL_EVENTS + 2), at(3))
    assert list(entry.orders) == [2, 4] and entry.last == (50, AFTER_ALL_EVENTS + 2)


def test_a_state_that_was_told_in_part_is_told_again_whole() -> None:
    entry = connected()
    entry.received(welcome(lsn=50, resumed=False), at(2))
    entry.received(order(2, lsn=50, index=AFTER_ALL_EVENTS, event="snapshot"), at(3))
    taken(entry)
    entry.timer(at(3000))
    assert taken(entry) == [Hello("alpha", "one", 0, 0, EPOCH, PROTOCOL, term=1)]
    entry.received(welcome(lsn=60, resumed=False), at(3001))
    entry.received(order(3, lsn=60, index=AFTER_ALL_EVENTS, event="snapshot"), at(3001))
    entry.received(WelcomeComplete(60, AFTER_ALL_EVENTS + 1), at(3001))
    assert list(entry.orders) == [3]


def test_each_position_that_is_told_at_a_welcome_counts() -> None:
    entry = connected()
    for index, (symbol, quantity) in enumerate((("BTCUSDT", 1), ("ETHUSDT", 1))):
        entry.received(position(20, index, symbol, quantity), at(1))
    entry.received(welcome(lsn=30), at(2))
    for index, symbol in enumerate(("BTCUSDT", "ETHUSDT")):
        entry.received(position(30, AFTER_ALL_EVENTS + index, symbol, 3), at(2))
    entry.received(WelcomeComplete(30, AFTER_ALL_EVENTS + 2), at(2))
    assert {symbol: held.quantity for (_, symbol), held in entry.positions.items()} == {"BTCUSDT": 3, "ETHUSDT": 3}


def test_no_command_is_given_before_what_is_open_was_told() -> None:
    entry = Entry("alpha", "one")
    entry.start(at(0))
    entry.received(StatusChanged("starting"), at(1))
    assert entry.state == "starting" and taken(entry) == [Hello("alpha", "one", protocol=PROTOCOL)]
    entry.received(welcome(highest=7, lsn=50, resumed=False), at(2))
    with pytest.raises(NotWelcome):
        buy(entry)
    entry.received(WelcomeComplete(50, AFTER_ALL_EVENTS), at(2))
    assert buy(entry) == 8


def test_other_strategies_orders_are_told_and_not_kept() -> None:
    entry = connected()
    other = msgspec.structs.replace(order(1), strategy="beta")
    assert entry.received(other, at(1)) == other
    assert not entry.orders


def test_an_order_that_was_sent_and_then_withdrawn_has_both_told() -> None:
    entry = connected()
    buy(entry)
    assert entry.received(outcome(1, "sent", 20), at(1)) is not None
    assert entry.received(outcome(1, "withdrawn", 25, reason=Reason.LATE), at(2)) is not None
    assert not entry.unanswered


def test_the_answer_to_a_repeat_counts_while_it_is_wanted_and_does_not_hide_events() -> None:
    entry = connected()
    buy(entry)
    assert entry.received(outcome(1, "sent", 90, repeat=True), at(1)) is not None
    assert entry.received(outcome(1, "sent", 90, repeat=True), at(1)) is None
    assert entry.received(order(1, lsn=30), at(2)) is not None


def test_a_superseded_instance_falls_silent() -> None:
    entry = connected()
    buy(entry)
    taken(entry)
    assert entry.received(StatusChanged("superseded"), at(1)) is not None
    assert entry.superseded and entry.next_deadline_ns() is None
    entry.timer(at(99_999))
    entry.received(welcome(epoch=EPOCH + 1), at(99_999))
    assert not taken(entry)
    with pytest.raises(Superseded):
        buy(entry)


def test_a_command_for_a_former_life_is_no_outcome_but_a_reason_to_say_hello_once() -> None:
    entry = connected()
    buy(entry)
    buy(entry)
    taken(entry)
    for number in (1, 2):
        entry.received(StatusChanged("live", number, EPOCH + 1), at(1))
    assert taken(entry) == [Hello("alpha", "one", 10, 0, EPOCH, PROTOCOL, term=1)]
    assert list(entry.unanswered) == [1, 2]


def test_what_was_not_taken_while_it_restarted_is_sent_again_when_it_is_live() -> None:
    entry = connected()
    entry.received(welcome(state="restarting", epoch=EPOCH + 1), at(1))
    buy(entry, 2)
    taken(entry)
    entry.received(StatusChanged("restarting", 1, EPOCH + 1), at(3))
    assert not taken(entry) and entry.state == "restarting"
    entry.received(StatusChanged("live", 0, EPOCH + 1), at(600))
    (again,) = taken(entry)
    assert isinstance(again, NewOrderRequest) and again.number == 1 and entry.state == "live"


def test_what_would_only_be_told_to_wait_is_not_sent_again_but_a_cancel_is() -> None:
    entry = connected()
    first = buy(entry)
    cancel = entry.cancel(at(1), first)
    taken(entry)
    for state in ("restarting", "journal_away"):
        entry.received(welcome(epoch=EPOCH + 1, highest=cancel, state=state), at(300))
        (again,) = taken(entry)
        assert isinstance(again, CancelRequest) and (again.epoch, again.number) == (EPOCH + 1, cancel)
    entry.received(welcome(epoch=EPOCH + 1, highest=cancel), at(600))
    assert [(r.epoch, r.number) for r in taken(entry) if isinstance(r, NewOrderRequest | CancelRequest)] == [
        (EPOCH + 1, first),
        (EPOCH + 1, cancel),
    ]


def test_a_welcome_for_another_instance_is_none_of_ours() -> None:
    entry = Entry("alpha", "one")
    assert entry.received(msgspec.structs.replace(welcome(), instance="two"), at(0)) is None
    assert not entry.welcomed


@pytest.mark.parametrize("name", ["maker 2", "", "Maker", "7", "m" * 21, "maker\n", "maker/1", "é"])
def test_what_is_no_strategys_name_is_refused_at_once(name: str) -> None:
    with pytest.raises(ValueError, match="no strategy's name"):
        Entry(name, "one")


def test_more_than_can_be_answered_is_not_sent() -> None:
    entry = connected()
    for _ in range(MAX_UNANSWERED):
        buy(entry)
    with pytest.raises(TooManyUnanswered):
        buy(entry)


def test_no_number_is_given_beyond_the_highest() -> None:
    entry = connected()
    entry.number_from(HIGHEST_NUMBER)
    assert buy(entry) == HIGHEST_NUMBER
    with pytest.raises(NamesUsedUp):
        buy(entry)


def test_what_the_link_does_not_take_is_refused_at_the_call_and_uses_no_number() -> None:
    entry = connected()
    give = partial(entry.new, at(1), "binance", "BTCUSDT", terms_of("1", D(1), D(2)))
    beyond: list[tuple[Callable[[], object], str]] = [
        (partial(give, label="x" * 129), "label: Expected `str` of length <= 128"),
        (partial(give, label="\x1b[2J"), "label: Expected `str` matching"),
        (partial(give, label="\ud800"), "label: character 1 is none"),
        (partial(give, time_to_live_ns=-1), "time_to_live_ns: Expected `int` >= 0"),
        (partial(give, time_to_live_ns=1 << 70), f"time_to_live_ns: Expected `int` <= {HIGHEST_NUMBER}"),
        (partial(entry.new, at(1), "v" * 65, "BTCUSDT", terms_of("1", D(1))), "venue: Expected `str` of length <= 64"),
        (partial(entry.new, at(1), "v", "s", terms_of("1", D("9" * 5000))), f"order_qty: .* most {MAX_ENTRY_BYTES}"),
        (partial(entry.amend, at(1), 1 << 63), "target_number: Expected `int` <="),
        (partial(entry.cancel, at(1), 1 << 70), "target_number: Expected `int` <="),
        (partial(entry.cancel_all, at(1), "x" * 65), "venue: Expected `str` of length <= 64"),
        (partial(entry.query, QueryRequest("order", "alpha", 1 << 63)), "number: Expected `int` <="),
        (partial(Entry, "alpha", "x" * 129), "instance: Expected `str` of length <= 128"),
        (partial(Entry, "alpha", "x", (-1, 0)), "last_lsn: Expected `int` >= 0"),
    ]
    for call, text in beyond:
        with pytest.raises(OutOfBounds, match=f"^{text}"):
            call()
    assert taken(entry) == [] and not entry.unanswered
    assert give(label="x" * 128) == 1
    entry.number_from(-3)
    with pytest.raises(OutOfBounds, match="^number: "):
        give()


def test_a_question_needs_no_name() -> None:
    entry = Entry("alpha", "one")
    entry.query(QueryRequest("orders", token=4))
    assert taken(entry) == [QueryRequest("orders", token=4)]
    answer = QueryAnswer(4, 10)
    assert entry.received(answer, at(0)) is answer


@settings(max_examples=100)
@given(st.lists(st.sampled_from(["new", "outcome", "restart", "lose", "tick", "event"]), max_size=80))
def test_a_number_never_has_two_bodies_and_every_command_gets_its_outcome(steps: list[str]) -> None:
    """Against an order manager that forgets what it had in hand, and a link that loses what was sent."""
    entry, now_ms, epoch, lsn = connected(), 0.0, EPOCH, 10
    bodies: dict[int, ClientRequest] = {}
    heard: list[int] = []
    outcomes: dict[int, CommandOutcome] = {}
    told: list[Welcome] = []
    highest = 0

    def carry(lost: bool = False) -> None:
        nonlocal highest
        for request in taken(entry):
            if isinstance(request, Hello):
                if not lost:
                    told.append(welcome(epoch, highest, lsn=lsn))
                continue
            assert not isinstance(request, QueryRequest | Alive)
            assert body(bodies.setdefault(request.number, request)) == body(request)
            if not lost and request.epoch == epoch:
                highest = max(highest, request.number)
                heard.append(request.number)
        while told:
            entry.received(told.pop(0), at(now_ms))
            carry()

    for step in [*steps, "restart", "tick", "outcome"]:
        now_ms += 700
        match step:
            case "new":
                entry.new(at(now_ms), "generic", "BTCUSDT", terms_of("1", D(len(bodies) + 1), D(100)))
                carry()
            case "lose":
                entry.new(at(now_ms), "generic", "BTCUSDT", terms_of("1", D(len(bodies) + 1), D(100)))
                carry(lost=True)
            case "restart":
                epoch, highest = epoch + 1, max(outcomes, default=0)
                heard.clear()
            case "tick":
                entry.timer(at(now_ms))
                carry()
            case "outcome":
                entry.timer(at(now_ms))
                carry()
                for number in sorted(set(heard)):
                    lsn += 1
                    outcomes[number] = outcome(number, lsn=lsn)
                    entry.received(outcomes[number], at(now_ms))
                heard.clear()
            case _:
                lsn += 1
                entry.received(order(1, lsn=lsn), at(now_ms))
    assert set(entry.unanswered) | set(outcomes) == set(bodies)
    assert not entry.unanswered


def watched() -> Entry:
    entry = Entry("alpha", "one", vigil=Vigil(1_000 * NS_PER_MS, True))
    entry.start(at(0))
    assert taken(entry) == [Hello("alpha", "one", 0, 0, 0, PROTOCOL, 1_000 * NS_PER_MS, True)]
    return entry


def test_a_watched_instance_says_four_times_within_its_time_that_it_lives_and_then_that_it_ends() -> None:
    entry = watched()
    entry.end()
    assert taken(entry) == []
    entry.received(welcome(), at(0))
    signs = []
    for ms in range(0, 1_001, 50):
        entry.received(StatusChanged("live"), at(ms))
        deadline = entry.next_deadline_ns()
        if deadline is not None and deadline <= at(ms).boot_ns:
            entry.timer(at(ms))
        signs += [(ms, message) for message in taken(entry) if isinstance(message, Alive)]
    assert [ms for ms, _ in signs] == [250, 500, 750, 1_000]
    assert {sign for _, sign in signs} == {Alive(EPOCH)}
    entry.end()
    assert taken(entry) == [Alive(EPOCH, ends=True)]


def test_a_superseded_instance_says_no_more_that_it_lives() -> None:
    entry = watched()
    entry.received(welcome(), at(0))
    entry.received(StatusChanged("superseded"), at(10))
    taken(entry)
    entry.timer(at(600))
    entry.end()
    assert taken(entry) == []
    assert entry.next_deadline_ns() is None

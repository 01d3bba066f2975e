"""Bybit's oddities by their numbers in its README: what a plain FIX 4.4 client makes of each, and what ours does."""

from decimal import Decimal
from pathlib import Path

import pytest
from msgspec import structs

from common.exchange.order import Terms
from common.fix.session import Disconnect, DisconnectReason, Session
from common.fix.wire import encode
from common.messages import AmendOrder, CancelOrder, CancelRejected, ExecutionReport, NewOrder, Several
from common.venues.bybit.dialect import Bybit
from common.venues.bybit.venue import PROFILE
from common.venues.credentials import RsaKey
from common.venues.dialect import BadReport, Identity
from common.venues.generic.dialect import Generic
from tests.common.exchange.harness import Client, World, terms
from tests.common.venues.bybit.keys import PEM
from tests.common.venues.bybit.rig import API_KEY, SERVER, SPOT, Hand, exchange, field, fields, inside
from tests.common.venues.samples import CANCEL, amend, new, text

OURS, PLAIN = Bybit(), Generic()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return exchange(tmp_path)


@pytest.fixture
def hand(world: World) -> Hand:
    """A client that writes what it wants, logged on."""
    return inside(world)


def desk(world: World, name: str = "DESK") -> Client:
    """Our own session."""
    return Client(world, session=Session(OURS.session_settings(Identity(name, SERVER, 30), RsaKey(API_KEY, PEM))))


def raw_of(line: str) -> bytes:
    return encode(b"FIX.4.4", line.replace("|", "\x01").encode())


def ours(line: str) -> object:
    """What our dialect makes of a message."""
    return OURS.decode(field(line, 35), raw_of(line))


def plain(line: str) -> object:
    """What a plain FIX 4.4 client makes of it."""
    return PLAIN.decode(field(line, 35), raw_of(line))


def rest_against(world: World, side: str, qty: str, price: str) -> None:
    """Somebody else's order."""
    world.core.venue.engine.new(terms(f"other-{world.core.venue.state.next_order_id}", side, qty, price, ""), world.now)
    world.pump()


def send(hand: Hand, command: NewOrder | AmendOrder | CancelOrder) -> list[str]:
    """What our dialect writes of a command."""
    wall_ns = hand.world.now.wall_ns
    if isinstance(command, NewOrder):
        body = OURS.encode_new(command, wall_ns)
    else:
        body = (
            OURS.encode_amend(command, wall_ns)
            if isinstance(command, AmendOrder)
            else OURS.encode_cancel(command, wall_ns)
        )
    return hand.say(body.msg_type, body.fields.decode().replace("\x01", "|"))


def test_01_a_logon_is_signed_over_a_word_and_a_time_alone(world: World) -> None:
    assert "58=access denied|" in Hand(world, "A").log_on(t95="", t96="")[0], "a plain one is not signed at all"
    stamp = "A\x01NAIVE\x01BYBIT_FIX_SERVER\x011\x0120260101-00:00:00.000"
    assert "58=access denied|" in Hand(world, "B").log_on(signed=stamp)[0], "nor does the header count"
    assert "58=access denied|" in Hand(world, "C").log_on(t30023="")[0]
    later = Hand(world, "D")
    expires = str(world.now.wall_ns // 10**6 + 1)
    world.pass_time(1)
    assert "58=access denied|" in later.log_on(t30023=expires)[0], "it is over"
    assert desk(world).session.logged_on


def test_02_the_server_says_how_often_it_wants_to_hear(world: World) -> None:
    naive = Hand(world, "NAIVE")
    (answer,) = naive.log_on(t108="60")
    assert field(answer, 108) == "10"
    world.pass_time(19, step_s=0.5)
    assert [field(line, 35) for line in naive.heard()][:1] == ["1"] and naive.is_in
    world.pass_time(2, step_s=0.5)
    assert not naive.is_in, "60 s were its own idea"
    client = desk(world)
    world.pass_time(45, step_s=0.5)
    assert client.session.logged_on


def test_03_numbers_begin_anew_and_nothing_comes_again(world: World) -> None:
    hand = inside(world)
    (rejected,) = hand.say("2", "7=1|16=0|")
    assert fields(rejected, 35, 45, 372, 373) == ("3", "2", "2", "11")
    (rejected,) = hand.say("4", "36=9|123=Y|")
    assert fields(rejected, 35, 45, 372) == ("3", "3", "4")
    (rejected,) = hand.say("0", number=9)
    assert fields(rejected, 35, 45, 371) == ("3", "9", "34") and not hand.is_in
    again = Hand(world, "AGAIN")
    again.sent = 9
    assert "58=access denied|" in again.log_on()[0], "who counts on is not let in"
    for name in ("DESK1", "DESK2"):
        client = desk(world, name)
        assert (client.session.next_outbound, client.session.next_inbound) == (2, 2) and client.session.logged_on


def test_04_a_refused_logon_is_answered_with_a_logout(world: World) -> None:
    hand = Hand(world)
    (answer,) = hand.log_on(t553="nobody")
    assert fields(answer, 35, 34, 58) == ("5", "1", "access denied") and not hand.is_in
    settings = OURS.session_settings(Identity("DESK", SERVER, 10), RsaKey("nobody", PEM))
    client = Client(world, session=Session(settings))
    assert not client.session.logged_on
    assert isinstance(client.ended, Disconnect) and client.ended.reason is DisconnectReason.LOGON_REFUSED
    assert client.ended.text == "access denied"


def test_05_a_dropped_name_is_locked_for_three_intervals(world: World) -> None:
    inside(world, "SAME").drop()
    assert "58=access denied|" in Hand(world, "SAME").log_on()[0], "a plain client comes back at once, as itself"
    world.pass_time(29.9, step_s=0.5)
    assert "58=access denied|" in Hand(world, "SAME").log_on()[0]
    world.pass_time(0.2)
    hand = inside(world, "SAME")
    assert field(hand.say("5")[0], 35) == "5"
    hand.drop()
    inside(world, "SAME").drop()
    inside(world, "NEXT")


def test_06_a_new_order_is_acknowledged_and_reported_in_either_order(world: World, hand: Hand) -> None:
    orders = [[field(line, 150) for line in hand.order(f"o-{n}", price="900")] for n in range(9)]
    assert orders.count(["A", "0"]) == 8 and orders.count(["0", "A"]) == 1, "who waits for one of them waits in vain"
    rest_against(world, "2", "0.01", "1000")
    assert [field(line, 150) for line in hand.order("taker")] == ["A", "F"], "no New(0) of what is filled at once"


def test_07_a_refused_order_has_no_name_but_the_request_s(hand: Hand) -> None:
    (refused,) = hand.order("mine", qty="0.001", price="1000")
    assert fields(refused, 150, 39, 103, 11, 37, 30006) == ("8", "8", "170140", "", "", "mine")
    naive, event = plain(refused), ours(refused)
    assert isinstance(naive, ExecutionReport) and not naive.cl_ord_id, "nobody knows whose it is"
    assert isinstance(event, ExecutionReport) and (event.cl_ord_id, event.error_code) == ("mine", 170140)


def test_08_the_reason_is_text(hand: Hand) -> None:
    hand.order("mine", price="900")
    _, cancelled = hand.say("F", f"{SPOT}11=mine|")
    assert field(cancelled, 103) == "EC_PerCancelRequest"
    naive, event = plain(cancelled), ours(cancelled)
    assert isinstance(naive, ExecutionReport) and naive.unread == ("OrdRejReason(103)",)
    assert isinstance(event, ExecutionReport) and (event.text, event.unread) == ("EC_PerCancelRequest", ())


def test_09_the_name_in_a_cancel_is_the_order_s(hand: Hand) -> None:
    hand.order("mine", price="900")
    (refused,) = hand.say("F", f"{SPOT}11=cancel-1|41=mine|54=1|")
    assert field(refused, 103) == "170213", "a plain client names itself there"
    told = send(
        hand, CancelOrder(CANCEL.attempt, "", 1, "v", "BTCUSDT", "1", "cancel-2", "mine", "", "", 1, Decimal(1))
    )
    assert [fields(line, 35, 150, 11, 41) for line in told] == [("XCA", "6", "mine", ""), ("8", "4", "mine", "")]
    event = ours(told[0])
    assert isinstance(event, ExecutionReport) and (event.cl_ord_id, event.orig_cl_ord_id) == ("cancel-2", "mine")


def test_10_a_cancel_is_answered_in_a_message_of_its_own(hand: Hand) -> None:
    hand.order("mine", price="900")
    (refused,) = hand.say("F", f"{SPOT}11=nobody|30006=c-1|")
    accepted, _ = hand.say("F", f"{SPOT}11=mine|30006=c-2|")
    assert (fields(refused, 35, 150), fields(accepted, 35, 150)) == (("XCA", ""), ("XCA", "6"))
    assert plain(refused) is None and plain(accepted) is None, "neither yes nor no is heard"
    assert ours(refused) == CancelRejected("c-1", "", "", "", 170213, "Order does not exist.", True)
    event = ours(accepted)
    assert isinstance(event, ExecutionReport) and (event.exec_type, event.cl_ord_id) == ("6", "c-2")


def test_11_an_amendment_is_made_in_place_and_keeps_the_names(hand: Hand) -> None:
    acknowledged, *_ = hand.order("mine", price="900")
    order_id = field(acknowledged, 37)
    (rejected,) = hand.say("G", f"11=next|41=mine|{SPOT}54=1|40=2|38=0.02|44=900|")
    assert fields(rejected, 35, 372, 380) == ("j", "G", "3")
    command = amend(cl_ord_id="next", orig_cl_ord_id="mine", order_id=order_id)
    assert "|38=" not in text(OURS.encode_amend(command, 0)), "what does not change is not said"
    told = hand.say("XAR", f"{SPOT}30006=next|37={order_id}|11=somebody|38=0.02|")
    assert [fields(line, 35, 150, 39, 11, 37) for line in told] == [
        ("XAA", "E", "E", "mine", order_id), ("8", "5", "0", "mine", order_id),
    ]  # fmt: skip
    event = ours(told[0])
    assert isinstance(event, ExecutionReport) and (event.cl_ord_id, event.orig_cl_ord_id) == ("next", "mine")


def test_12_fills_stand_in_a_group_several_in_one_message(world: World, hand: Hand) -> None:
    rest_against(world, "2", "0.01", "1000")
    rest_against(world, "2", "0.02", "1001")
    _, filled = hand.order("taker", qty="0.05", price="1001")
    assert fields(filled, 150, 39, 14, 151, 30050, 31, 32, 17) == ("F", "1", "0.03", "0.02", "2", "", "", "")
    with pytest.raises(BadReport):
        plain(filled)
    event = ours(filled)
    assert isinstance(event, Several)
    rows = [(str(e.last_qty), str(e.last_px), str(e.cum_qty)) for e in event.events if isinstance(e, ExecutionReport)]
    assert rows == [("0.01", "1000", "0.01"), ("0.02", "1001", "0.03")]
    keys = [e.trade_key for e in event.events if isinstance(e, ExecutionReport)]
    assert len(set(keys)) == 2 and all(len(key) == 19 and key.isdigit() for key in keys)


def test_13_cancelled_after_a_part_was_filled_is_a_word_of_its_own(world: World, hand: Hand) -> None:
    rest_against(world, "2", "0.01", "1000")
    hand.order("mine", qty="0.02")
    _, cancelled = hand.say("F", f"{SPOT}11=mine|")
    assert fields(cancelled, 150, 39, 14) == ("4", "F", "0.01")
    naive, event = plain(cancelled), ours(cancelled)
    assert isinstance(naive, ExecutionReport) and naive.ord_status == "F", "no end that FIX 4.4 has: it stays open"
    assert isinstance(event, ExecutionReport) and event.ord_status == "4"


def test_an_order_that_may_not_rest_is_cancelled_here_and_at_the_exchange_s_own_books(world: World, hand: Hand) -> None:
    rest_against(world, "2", "0.01", "1000")
    *_, ended = hand.order("mine", qty="0.02", more="59=3|")
    assert fields(ended, 150, 39, 103, 14) == ("4", "F", "EC_NoImmediateQtyToFill", "0.01")
    found = world.core.venue.find("desk", "BTCUSDT", "", "mine")
    assert found is not None and found.ord_status == "4"
    _, killed = hand.order("other", more="59=4|")
    assert fields(killed, 150, 39, 103) == ("4", "4", "EC_NoEnoughQtyToFill")


def test_14_deactivated_is_no_restatement() -> None:
    line = "35=8|34=1|11=mine|37=7|150=D|39=D|14=0|151=0|"
    naive, event = plain(line), ours(line)
    assert isinstance(naive, ExecutionReport) and naive.exec_type == "D", "restated: it would be open again"
    assert isinstance(event, ExecutionReport) and (event.exec_type, event.ord_status) == ("4", "4")


def test_15_post_only_is_a_time_in_force(world: World, hand: Hand) -> None:
    rest_against(world, "2", "0.05", "1000")
    _, told = hand.order("naive", more="18=6|59=1|")
    assert field(told, 150) == "F", "ExecInst(18) is not looked at: it takes"
    (refused,) = hand.order("ours", more="59=P|")
    assert fields(refused, 150, 103) == ("8", "170218")
    assert "59=P|" in text(OURS.encode_new(new(instructions="6"), 0))


def test_16_a_market_buy_is_in_the_quote_asset_unless_it_says_otherwise(world: World, hand: Hand) -> None:
    rest_against(world, "2", "5", "1000")
    _, filled = hand.say("D", f"{SPOT}54=1|40=1|38=1|11=a|30006=a|")
    assert field(filled, 30052) == "0.001", "a plain client wants one coin, and gets one USDT's worth"
    (refused,) = hand.say("D", f"{SPOT}54=1|40=1|38=0.5|11=none|")
    assert fields(refused, 150, 103) == ("8", "170210"), "which buys no lot"
    _, filled, *_ = hand.say("D", f"{SPOT}54=1|40=1|38=100|11=b|")
    assert fields(filled, 150, 30052, 38, 30013) == ("F", "0.1", "100", "quoteCoin")
    event = ours(filled)
    assert isinstance(event, ExecutionReport) and event.order_qty is None and str(event.last_qty) == "0.1"
    _, filled = send(hand, new(ord_type="1", price=None, order_qty=event.last_qty * 10, cl_ord_id="c"))
    assert fields(filled, 150, 39, 30052, 30013) == ("F", "2", "1", "baseCoin")


def test_17_a_request_is_good_for_a_window_of_time(world: World, hand: Hand) -> None:
    now_ms = world.now.wall_ns // 10**6

    def said(stamp_ms: int, window: str) -> str:
        told = hand.order(f"o-{hand.sent}", price="900", more=f"30002={stamp_ms}|{window}59=1|")
        return field(told[0], 103)

    assert said(now_ms - 5000, "") == "" and said(now_ms - 5001, "") == "10002"
    assert said(now_ms - 200, "30001=200|") == "" and said(now_ms - 201, "30001=200|") == "10002"
    assert said(now_ms + 999, "") == "" and said(now_ms + 1000, "") == "10002"
    assert said(now_ms, "30001=60001|") == "10002"
    header = OURS.header_fields(200_000_000, world.now.wall_ns).decode().replace("\x01", "|")
    assert header == f"30002={now_ms}|30001=200|", "so bytes that are stuck in a socket die"
    assert field(hand.order("plain", price="900")[0], 150) in ("A", "0"), "one without is taken at any time"


def test_18_more_than_so_many_requests_in_a_second_are_refused(world: World, hand: Hand) -> None:
    told = [hand.order(f"o-{n}", price="900")[-1] for n in range(21)]
    assert [field(line, 103) for line in told] == [""] * 20 + ["10006"]
    assert field(told[-1], 30008) == "0"
    amended = [hand.say("XAR", f"{SPOT}11=o-0|38=0.0{n + 11}|")[0] for n in range(11)]
    assert [field(line, 103) for line in amended] == [""] * 10 + ["10006"] and field(amended[-1], 35) == "XAA"
    cancelled = [hand.say("F", f"{SPOT}11=o-{n}|")[0] for n in range(21)]
    assert [field(line, 103) for line in cancelled] == [""] * 20 + ["10006"] and field(cancelled[-1], 35) == "XCA"
    world.pass_time(1)
    assert field(hand.order("later", price="900")[0], 103) == ""


def test_19_there_is_no_mass_cancel_no_status_and_no_market_data(hand: Hand) -> None:
    for msg_type, body in (("q", "11=k|530=7|"), ("H", f"11=o|{SPOT}54=1|"), ("V", "262=m|263=1|")):
        (rejected,) = hand.say(msg_type, body)
        assert fields(rejected, 35, 372, 380) == ("j", msg_type, "3")
    assert OURS.encode_mass_cancel("k", "BTCUSDT", 0) is None and not OURS.encode_subscribe("m", ["BTCUSDT"])


def test_20_every_session_hears_of_all_orders_of_its_account(world: World, hand: Hand) -> None:
    other, deaf = inside(world, "OTHER"), Hand(world, "DEAF")
    deaf.log_on(t25036="2")
    told = hand.order("mine", price="900")
    assert [field(line, 150) for line in told] == ["A", "0"]
    assert [fields(line, 150, 11) for line in other.heard()] == [("0", "mine")], "a plain client knows no such order"
    assert not deaf.heard()
    over_rest = Terms("desk", "", "rest-1", "BTCUSDT", "1", "2", *terms("x", "1", "0.01", "900")[6:8])
    world.core.venue.engine.new(over_rest, world.now)
    world.pump()
    assert [fields(line, 150, 11) for line in hand.heard() + other.heard()] == [("0", "rest-1")] * 2


def test_21_an_amendment_that_changes_nothing_is_refused(hand: Hand) -> None:
    hand.order("mine", price="900")
    (refused,) = hand.say("XAR", f"{SPOT}11=mine|30006=a-1|38=0.01|44=900.00|")
    assert fields(refused, 35, 150, 103) == ("XAA", "", "10001")
    event = ours(refused)
    assert isinstance(event, CancelRejected) and (event.cl_ord_id, event.unknown_order) == ("a-1", False)


def asleep(hand: Hand, name: str, stop_px: str, *, side: str = "1", more: str = "40=1|30013=baseCoin|") -> list[str]:
    """What is said of a conditional order."""
    return hand.say("D", f"{SPOT}54={side}|{more}38=0.02|30024=StopOrder|99={stop_px}|11={name}|30006={name}|")


def trade_at(world: World, price: str) -> None:
    """Two strangers meet."""
    for side in ("2", "1"):
        rest_against(world, side, "0.01", price)


def test_22_a_stop_order_is_one_of_another_kind_and_tells_its_states_in_words_of_its_own(
    world: World, hand: Hand
) -> None:
    naive = PLAIN.encode_new(new(ord_type="4", price=Decimal(1010), stop_px=Decimal(1010), cl_ord_id="naive"), 0)
    (refused,) = hand.say("D", f"{SPOT}{naive.fields.decode().replace(chr(1), '|')}")
    assert field(refused, 103) == "10001", "there is no OrdType(40)=4"
    told = send(hand, new(ord_type="4", price=Decimal(1010), stop_px=Decimal(1010), cl_ord_id="ours"))
    assert [fields(line, 150, 39, 40, 99, 30042) for line in told] == [
        ("A", "A", "", "", ""), ("U", "U", "2", "1010.00", "Stop"),
    ]  # fmt: skip
    plain_event, event = plain(told[1]), ours(told[1])
    assert isinstance(plain_event, ExecutionReport) and plain_event.ord_status == "U", "no state that FIX 4.4 has"
    assert isinstance(event, ExecutionReport) and (event.exec_type, event.ord_status) == ("0", "9")
    trade_at(world, "1010")
    woken = [line for line in hand.heard() if field(line, 11) == "ours"]
    assert [fields(line, 150, 39) for line in woken] == [("T", "T"), ("0", "0")]
    event = ours(woken[0])
    assert isinstance(event, ExecutionReport) and (event.exec_type, event.ord_status) == ("L", "A")
    asleep(hand, "over", "1100")
    *_, ended = hand.say("F", f"{SPOT}11=over|30024=StopOrder|")
    assert fields(ended, 150, 39, 103) == ("D", "D", "EC_PerCancelRequest")


def test_23_a_cancel_finds_what_sleeps_only_where_it_says_so_and_then_nothing_else(world: World, hand: Hand) -> None:
    asleep(hand, "sleeps", "1010")
    hand.order("rests", price="900")
    cancel = CancelOrder(CANCEL.attempt, "", 1, "v", "BTCUSDT", "1", "c-1", "sleeps", "", "", 1, Decimal(1))
    (refused,) = send(hand, cancel)
    event = ours(refused)
    assert isinstance(event, CancelRejected) and event.unknown_order, "who takes that for its end has a stop order yet"
    (refused,) = hand.say("F", f"{SPOT}11=rests|30024=StopOrder|")
    assert field(refused, 103) == "170213"
    told = send(hand, structs.replace(cancel, cl_ord_id="c-2", sleeps=True))
    assert [fields(line, 35, 150, 11) for line in told] == [("XCA", "6", "sleeps"), ("8", "D", "sleeps")]
    asleep(hand, "woken", "1020", more="40=2|44=1015|59=1|")
    trade_at(world, "1020")
    hand.heard()
    (refused,) = hand.say("F", f"{SPOT}11=woken|30024=StopOrder|")
    assert field(refused, 103) == "170213", "it is an order like any other now"
    told = hand.say("F", f"{SPOT}11=woken|")
    assert [field(line, 150) for line in told] == ["6", "4"]


@pytest.mark.parametrize(("side", "stop_px"), [("1", "990"), ("2", "1010")])
def test_24_which_way_a_stop_order_waits_follows_from_the_market(
    world: World, hand: Hand, side: str, stop_px: str
) -> None:
    """A protective stop that comes too late takes profit: nothing in the message says what was meant."""
    trade_at(world, "1000")
    target = Decimal(stop_px)
    stop = new(ord_type="3", side=side, price=None, stop_px=target, take_profit=False)
    assert OURS.encode_new(stop, 0) == OURS.encode_new(new(
        ord_type="3", side=side, price=None, stop_px=target, take_profit=True), 0)  # fmt: skip
    told = asleep(hand, "late", stop_px, side=side)[1]
    assert field(told, 150) == "U", "taken in, as if all were well"
    event = ours(told)
    assert isinstance(event, ExecutionReport) and event.take_profit is True, "which our side sees, and cancels it"
    trade_at(world, "1000")
    assert not [line for line in hand.heard() if field(line, 11) == "late"], "the desk's stop price is passed long ago"
    trade_at(world, stop_px)
    assert field([line for line in hand.heard() if field(line, 11) == "late"][0], 150) == "T"
    assert PROFILE.stops_by_market, "so our side refuses a stop order whose price is reached already"


def test_a_stop_order_that_sleeps_is_amended_and_one_without_a_limit_is_not(world: World, hand: Hand) -> None:
    asleep(hand, "mine", "1010", more="40=2|44=1015|59=1|")
    told = hand.say("XAR", f"{SPOT}11=mine|30006=a-1|44=1016|38=0.03|")
    assert [fields(line, 35, 150, 39, 44, 38) for line in told] == [
        ("XAA", "E", "E", "", ""), ("8", "5", "U", "1016.00", "0.030"),
    ]  # fmt: skip
    event = ours(told[1])
    assert isinstance(event, ExecutionReport) and (event.exec_type, event.ord_status) == ("5", "9")
    asleep(hand, "market", "1010")
    for body in ("11=market|38=0.03|", "11=mine|99=1020|"):
        (refused,) = hand.say("XAR", f"{SPOT}{body}")
        assert fields(refused, 35, 150) == ("XAA", "") and field(refused, 103) in ("170311", "10001")


def test_a_connection_that_is_silent_is_asked_and_then_dropped(world: World) -> None:
    hand = inside(world)
    world.pass_time(10, step_s=0.5)
    assert "1" in [field(line, 35) for line in hand.heard()]
    assert hand.say("0", "112=x|") == []
    world.pass_time(19, step_s=0.5)
    assert hand.is_in
    world.pass_time(1.5, step_s=0.5)
    assert not hand.is_in


@pytest.mark.parametrize(
    "more",
    ["99=900|", "30024=StopOrder|", "30024=tpslOrder|99=900|", "30026=1100|", "30014=Y|", "30019=Y|", "30034=1|"],
)
def test_an_order_that_is_not_simulated_is_refused_and_not_placed_as_another(hand: Hand, more: str) -> None:
    (refused,) = hand.order("mine", price="900", more=f"59=1|{more}")
    assert fields(refused, 150, 103) == ("8", "10001")
    assert field(hand.order("plain", price="900", more="59=1|30024=Order|30014=N|")[0], 103) == ""

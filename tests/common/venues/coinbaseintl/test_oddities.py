"""Each oddity of the README by its number: what a naive FIX 4.4 client would make of it, and what ours does."""

import base64
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from common.exchange.order import NO_PREVENTION
from common.fix.session import SequencePolicy, Session, SessionSettings
from common.fix.wire import split, utc_timestamp
from common.instant import NS_PER_S
from common.messages import Announced, Ask, CancelRejected, ExecutionReport, MassCancelReported, QueryOrder
from common.venues.coinbaseintl import rest as rest_module
from common.venues.coinbaseintl.rest import InternationalRest
from common.venues.credentials import HmacPassphrase
from common.venues.generic.dialect import Generic
from common.venues.signers import hmac_sha256
from common.venues.venue import Feature, missing_feature
from tests.common.exchange.harness import Client
from tests.common.venues import samples
from tests.common.venues.both_sides import NAME, BothSides, Desk
from tests.common.venues.test_every_venue import settings_of

NAIVE = Generic()
DAY_NS = 24 * 3600 * NS_PER_S


@pytest.fixture
def rest_path() -> str:
    return "/api"


def ours(sides: BothSides, listener: str = "fix") -> SessionSettings:
    identity = sides.identity()._replace(drop_copy=listener == "drop_copy")
    return settings_of(sides, "fix")(identity, sides.credentials)


def entered(sides: BothSides, settings: SessionSettings, listener: str = "fix") -> Client:
    return Client(sides.world, listener=listener, session=Session(settings))


def is_let_in(sides: BothSides, settings: SessionSettings, listener: str = "fix") -> bool:
    return entered(sides, settings, listener).session.logged_on


def logon_otherwise(sides: BothSides, change: Callable[[bytes], bytes]) -> SessionSettings:
    """Our Logon(A) with its own fields otherwise."""
    settings = ours(sides)
    make = settings.logon_fields
    assert make is not None and change(make(1, b"20260101-00:00:00.000")) != make(1, b"20260101-00:00:00.000")
    return replace(settings, logon_fields=lambda number, stamp: change(make(number, stamp)))


def said(desk: Desk, msg_type: str, fields: str) -> list[dict[bytes, bytes]]:
    """What is answered to a request of those fields."""
    before = len(desk.client.raw)
    desk.client.session.send(msg_type, fields.replace("|", "\x01").encode(), desk.sides.world.now)
    desk.sides.world.pump()
    return [split(raw) for raw in desk.client.raw[before:]]


def order_line(desk: Desk, name: str, more: str) -> str:
    """A resting order to buy, and these fields."""
    s = desk.sides
    return f"11={name}|55={s.symbol}|54=1|38={s.qty:f}|44={s.price * Decimal('0.9'):f}|40=2|59=1|{more}"


def reports(events: list[object]) -> list[ExecutionReport]:
    return [event for event in events if isinstance(event, ExecutionReport)]


def test_01_begin_string_is_not_the_application_s_version(sides: BothSides) -> None:
    assert not is_let_in(sides, replace(ours(sides), begin_string="FIX.4.4", default_appl_ver_id=None))
    assert is_let_in(sides, ours(sides))


def test_02_the_signature_stands_in_text_and_joins_nothing(sides: BothSides) -> None:
    keys = sides.credentials
    assert isinstance(keys, HmacPassphrase)

    def as_at_coinbase_exchange(number: int, stamp: bytes) -> bytes:
        parts = (stamp, b"A", b"%d" % number, keys.api_key.encode(), b"CBINTLOE", keys.passphrase.encode())
        raw_data = base64.b64encode(hmac_sha256(base64.b64decode(keys.secret), b"\x01".join(parts)))
        who = f"553={keys.api_key}\x01554={keys.passphrase}\x01".encode()
        return b"%b95=%d\x0196=%b\x01" % (who, len(raw_data), raw_data)

    assert not is_let_in(sides, replace(ours(sides), logon_fields=as_at_coinbase_exchange))
    moved = logon_otherwise(sides, lambda fields: fields.replace(b"\x0158=", b"\x0195=44\x0196="))
    assert not is_let_in(sides, moved), "the very signature in RawData(96)"
    assert not is_let_in(sides, replace(ours(sides), sender_comp_id="DESK"))
    assert is_let_in(sides, ours(sides))


def test_03_who_is_spoken_to_says_which_kind_of_session_it_is(sides: BothSides) -> None:
    assert not is_let_in(sides, ours(sides), "drop_copy")
    assert not is_let_in(sides, ours(sides, "drop_copy"))
    renamed = replace(ours(sides), target_comp_id="CBINTLDC")
    assert not is_let_in(sides, renamed, "drop_copy"), "the signature is over the name"
    assert is_let_in(sides, ours(sides, "drop_copy"), "drop_copy")


@pytest.mark.parametrize("digits", [0, 6])
def test_04_other_digits_of_the_second_are_a_wrong_signature(sides: BothSides, digits: int) -> None:
    refused = entered(sides, replace(ours(sides), timestamp_digits=digits))
    assert not refused.session.logged_on and b"\x01373=8\x01" in refused.wire


def test_04_a_second_too_late_is_rejected(desk: Desk) -> None:
    now = desk.sides.world.now
    late = now._replace(wall_ns=now.wall_ns - NS_PER_S - 1)
    before = len(desk.client.wire)
    desk.client.session.send("q", b"11=a\x01", late)
    desk.sides.world.pump()
    assert b"\x0135=3\x01" in desk.client.wire[before:] and b"\x01373=10\x01" in desk.client.wire[before:]


def test_05_numbers_that_go_on_are_rejected_and_nothing_is_resent(sides: BothSides) -> None:
    going_on = replace(
        ours(sides), reset_on_logon=False, says_no_reset=True, sequence_policy=SequencePolicy.RESEND,
        allow_resend_request=True,
    )  # fmt: skip
    refused = entered(sides, going_on)
    assert not refused.session.logged_on and b"\x01371=141\x01" in refused.wire
    desk = sides.desk()
    desk.new(price=sides.price)
    desk.client.cut()
    sides.world.pass_time(1)
    again = sides.desk()
    assert again.logged_on and not again.heard()
    assert split(again.client.wire)[b"34"] == b"1"


def told_8013(sides: BothSides, value: str) -> SessionSettings:
    return logon_otherwise(sides, lambda fields: fields.replace(b"8013=Y\x01", value.encode()))


@pytest.mark.parametrize(("value", "stays"), [("8013=N\x01", True), ("", False), ("8013=A\x01", False)])
def test_06_what_a_lost_connection_cancels(sides: BothSides, value: str, stays: bool) -> None:
    desk = Desk(sides, entered(sides, told_8013(sides, value)))
    order, _ = desk.new()
    desk.client.cut()
    sides.world.pass_time(1)
    state = sides.state_of(order.cl_ord_id)
    assert state is not None and (state["ord_status"] == "0") is stays


def test_06_ours_says_that_the_session_s_orders_go(sides: BothSides, desk: Desk) -> None:
    order, _ = desk.new()
    desk.client.cut()
    sides.world.pass_time(1)
    state = sides.state_of(order.cl_ord_id)
    assert state is not None and state["ord_status"] == "4" and sides.profile.cancels_on_disconnect


def test_07_a_fill_is_told_as_in_fix_4_2(desk: Desk) -> None:
    sides = desk.sides
    order, _ = desk.new(price=sides.price)
    sides.stranger("2", sides.qty / 4, sides.price)
    (fill,) = reports([*desk.heard()])
    raw = desk.client.raw[-1]
    assert (split(raw)[b"150"], split(raw)[b"20"]) == (b"1", b"0")
    naive = NAIVE.decode("8", raw)
    assert isinstance(naive, ExecutionReport) and not naive.trade_key and not naive.last_qty, "nothing was filled to it"
    assert (fill.exec_type, fill.last_qty, fill.trade_key) == ("F", sides.qty / 4, split(raw)[b"17"].decode())
    assert fill.cl_ord_id == order.cl_ord_id


def test_08_both_sides_of_a_match_have_its_number(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """An account that trades with itself, which the simulated exchange can be told to let it, has both."""
    sides = desk.sides
    monkeypatch.setattr(sides.exchange, "prevention", lambda given, default: NO_PREVENTION)
    price = f"{sides.price:f}"
    for name, side in (("a", "1"), ("b", "2")):
        said(desk, "D", f"11={name}|55={sides.symbol}|54={side}|38={sides.qty:f}|44={price}|40=2|59=1|")
    raws = [raw for raw in desk.client.raw if split(raw).get(b"150") == b"2"]
    assert len({split(raw)[b"880"] for raw in raws}) == 1 and len(raws) == 2
    told = [sides.dialect.decode("8", raw) for raw in raws]
    assert len({event.trade_key for event in told if isinstance(event, ExecutionReport)}) == 2


def test_09_no_order_is_asked_about_over_fix(desk: Desk) -> None:
    order, _ = desk.new()
    (answer,) = said(desk, "H", f"11={order.cl_ord_id}|54=1|55={desk.sides.symbol}|")
    assert (answer[b"35"], answer[b"380"]) == (b"j", b"3")
    assert isinstance(samples.QUERY, QueryOrder)
    assert missing_feature(desk.sides.profile, samples.QUERY) is Feature.STATUS_QUERY


@pytest.mark.parametrize(
    ("name", "is_taken"),
    [
        ("an order of 18 !#", False),
        ("anorderof18chars!#", True),
        ("an-order-of-20-chars", True),
        ("an-order-of-20-chars!", False),
        ("1234567890abcdef1234567890abcde", True),
        ("0234567890abcdef1234567890abcde", False),
        ("1985ca2d-61ef-49f1-bfce-6c39d8462914", True),
        ("1985CA2D-61EF-49F1-BFCE-6C39D8462914", False),
    ],
)
def test_10_the_forms_of_a_client_s_name(desk: Desk, name: str, is_taken: bool) -> None:
    (answer,) = said(desk, "D", order_line(desk, name, ""))
    assert answer[b"35"] == (b"8" if is_taken else b"3")
    last = desk.sides.next_name()
    assert reports([*desk.new(cl_ord_id=last)[1]])[0].exec_type == "0", "ours is one of them"


def test_11_the_venue_s_id_names_no_order(desk: Desk) -> None:
    order, (accepted, *_) = desk.new()
    assert isinstance(accepted, ExecutionReport)
    (refused,) = said(desk, "F", f"11=c|37={accepted.order_id}|41=NONE|55={desk.sides.symbol}|")
    assert (refused[b"35"], refused[b"102"]) == (b"9", b"1")
    assert reports([*desk.cancel(order, accepted.order_id)[1]])[-1].exec_type == "4"


def test_12_price_and_quantity_alone_change_and_the_state_says_replaced(desk: Desk) -> None:
    sides = desk.sides
    order, (accepted, *_) = desk.new(price=sides.price)
    assert isinstance(accepted, ExecutionReport)
    sides.stranger("2", sides.qty / 4, sides.price)
    desk.heard()
    _, events = desk.amend(order, accepted.order_id, order_qty=sides.qty / 2, price=sides.price * Decimal("0.9"))
    (told,) = reports([*events])
    assert (told.exec_type, told.ord_status, told.cum_qty) == ("5", "5", sides.qty / 4), "it is filled in part"
    stop = sides.price * Decimal("1.1")
    asleep, _ = desk.new(ord_type="4", price=stop, stop_px=stop)
    line = f"11=g|41={asleep.cl_ord_id}|38={sides.qty:f}|44={stop:f}|55={sides.symbol}|"
    (refused,) = said(desk, "G", f"{line}99={stop + sides.instrument.tick_size:f}|")
    assert (refused[b"35"], refused[b"102"]) == (b"9", b"3")
    _, events = desk.amend(asleep, "", ord_type="4", price=stop + sides.instrument.tick_size, stop_px=stop)
    assert reports([*events])[-1].exec_type == "5"


def test_13_a_mass_cancel_has_no_kind(desk: Desk) -> None:
    first, second = desk.sides.symbol, "ETH-PERP"
    desk.new()
    desk.new(symbol=second, price=Decimal(3000), order_qty=Decimal(1))
    encoded = desk.sides.dialect.encode_mass_cancel("k", first, 0)
    assert encoded is not None and b"530=" not in encoded.fields
    answer, *told = desk.say(encoded)
    assert isinstance(answer, MassCancelReported) and answer.accepted and answer.affected == 1
    assert [each.symbol for each in reports([*told])] == [first]
    again, *more = said(desk, "q", "11=j|530=1|")
    assert (again[b"533"], [f[b"55"] for f in more]) == (b"1", [second.encode()]), "530=1 narrows nothing down"


def test_14_a_refused_cancel_says_nothing_of_the_order(desk: Desk) -> None:
    order, _ = desk.new()
    (unknown,) = said(desk, "F", f"11=c|41=none|55={desk.sides.symbol}|")
    assert unknown[b"37"] == b"NONE" and b"39" not in unknown
    desk.cancel(order)
    (late,) = desk.cancel(order)[1]
    assert isinstance(late, CancelRejected) and not late.unknown_order and not late.ord_status
    assert late.order_id and late.error_code == 0


def test_15_instructions_are_letters_of_their_own_and_a_date_is_30_days_off_at_most(desk: Desk) -> None:
    sides = desk.sides
    (refused,) = said(desk, "D", order_line(desk, "a", "18=A|"))
    assert (refused[b"35"], refused[b"371"]) == (b"3", b"18"), "post-only as Coinbase Exchange has it"
    sides.stranger("2", sides.qty, sides.price)
    _, events = desk.new(price=sides.price, instructions="6")
    assert reports([*events])[-1].exec_type == "8", "it would take"
    _, events = desk.new(side="2", price=sides.price, instructions="6E")
    assert reports([*events])[-1].exec_type == "8", "there is no position to make smaller"
    for days, answered in ((29, b"8"), (31, b"3")):
        until = utc_timestamp(sides.world.now.wall_ns + days * DAY_NS).decode()
        line = order_line(desk, f"d-{days}", f"126={until}|").replace("59=1", "59=6")
        assert said(desk, "D", line)[0][b"35"] == answered


def test_16_a_triggered_stop_is_told_by_a_letter_of_its_own(desk: Desk) -> None:
    sides = desk.sides
    stop = sides.price * Decimal("1.1")
    order, _ = desk.new(ord_type="3", price=None, stop_px=stop)
    sides.stranger("2", sides.qty * 2, stop)
    _, events = desk.new(price=stop)
    told = [event for event in reports([*events]) if event.cl_ord_id == order.cl_ord_id]
    assert [event.exec_type for event in told] == ["L", "F"]


@pytest.mark.parametrize(("field", "left"), [("", []), ("8000=N|", [b"a"]), ("8000=O|", [b"b"]), ("7928=N|", [])])
def test_17_what_meets_itself_is_cancelled_on_both_sides(desk: Desk, field: str, left: list[bytes]) -> None:
    said(desk, "D", order_line(desk, "a", ""))
    said(desk, "D", order_line(desk, "b", field).replace("54=1", "54=2"))
    open_now = [name for name in (b"a", b"b") if (s := desk.sides.state_of(name.decode())) and s["ord_status"] == "0"]
    assert open_now == left


def test_18_above_800_messages_in_a_second_each_is_refused_and_above_1000_the_connection_ends(desk: Desk) -> None:
    answers = [said(desk, "H", "11=a|")[0] for _ in range(1000)]
    reasons = [answer[b"380"] for answer in answers]
    assert reasons == [b"3"] * 800 + [b"8"] * 199 + [b"9"]
    (farewell,) = said(desk, "H", "11=a|")
    assert farewell[b"35"] == b"5" and not desk.logged_on
    limits = desk.sides.venue.fix.limits
    assert (limits.messages, limits.window_ms) == (800, 1000), "kept on our side"


def test_19_a_connection_ends_without_news(desk: Desk) -> None:
    desk.sides.world.ask("fault", kind="maintenance", ms=1000)
    desk.sides.world.pass_time(2)
    assert not desk.logged_on
    assert not [event for event in desk.heard() if isinstance(event, Announced)]


def test_20_a_drop_copy_repeats_what_order_entry_hears(sides: BothSides, desk: Desk) -> None:
    copy = entered(sides, ours(sides, "drop_copy"), "drop_copy")
    assert copy.session.logged_on and desk.logged_on, "the key has a connection at each"
    desk.new(price=sides.price)
    sides.stranger("2", sides.qty, sides.price)
    (fill,) = [told for told in reports([*desk.heard()]) if told.exec_type == "F"]
    raw = [each for each in copy.raw if split(each)[b"35"] == b"8"][-1]
    again = sides.dialect.decode("8", raw)
    assert isinstance(again, ExecutionReport)
    assert (again.exec_type, again.trade_key, again.last_qty) == ("F", fill.trade_key, fill.last_qty)


def test_21_lists_come_by_the_page_and_the_clock_from_an_answer(
    desk: Desk, rest: InternationalRest, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [desk.new()[0].cl_ord_id for _ in range(3)]
    first = rest.api.request("orders", ["private"], "GET", {"result_limit": 2})
    assert [row["client_order_id"] for row in first["results"]] == names[:0:-1], "who reads one page has not the first"
    monkeypatch.setattr(rest_module, "ROWS", 2)
    told = rest.ask(rest_ask("open_orders")).orders
    assert sorted(order.cl_ord_id for order in told) == sorted(names)
    clock = rest.ask(rest_ask("time")).venue_ns
    assert 0 <= desk.sides.world.now.wall_ns - clock < 60 * NS_PER_S and clock % NS_PER_S == 0


def rest_ask(what: str) -> Ask:
    return Ask(NAME, 1, what, "")

"""HTX's oddities one by one, by the numbers of its README: where a client of plain FIX 4.4 goes wrong."""

import base64
from dataclasses import replace
from decimal import Decimal

import pytest

from common.fix.session import Session
from common.messages import ExecutionReport
from common.venues.credentials import Ed25519Account
from common.venues.signers import ed25519_key
from tests.common.exchange.harness import Client
from tests.common.venues.both_sides import BothSides, Desk

D = Decimal
LIMIT = "38=0.01|40=buy-limit|44=60000|55=btcusdt|"


def logged_on(sides: BothSides, **changes: object) -> Client:
    """A client that enters as our dialect does, but for `changes`."""
    ours = sides.dialect.session_settings(sides.identity(), sides.credentials)
    return Client(sides.world, session=Session(replace(ours, **changes)))  # type: ignore[arg-type]


def order(sides: BothSides, client: Client, fields: str = LIMIT) -> list[dict[int, str]]:
    return client.send("D", f"11={sides.next_name()}|{fields}")


def picked(report: dict[int, str], *tags: int) -> tuple[str | None, ...]:
    return tuple(report.get(tag) for tag in tags)


@pytest.mark.parametrize("form", [b"A\x01%b\x01%b\x01%d\x01%b", b"%b\x01%b\x01%d\x01%b", b"%b\x01%b\x01%d\x01%b\x01"])
def test_01_the_signature_is_over_four_fields_with_a_separator_behind_the_last(sides: BothSides, form: bytes) -> None:
    ours, identity = sides.credentials, sides.identity()
    assert isinstance(ours, Ed25519Account)
    sender, target = identity.sender_comp_id.encode(), identity.target_comp_id.encode()

    def fields(number: int, time: bytes) -> bytes:
        signature = base64.b64encode(ed25519_key(ours.private_key_pem).sign(form % (sender, target, number, time)))
        return b"95=%d\x0196=%b\x01553=%b\x01" % (len(signature), signature, ours.api_key.encode())

    naive = logged_on(sides, logon_fields=fields, sender_comp_id=identity.sender_comp_id)
    right = form.endswith(b"%b\x01")
    assert naive.session.logged_on is right and (b"58=Invalid signature" in naive.wire) is not right


@pytest.mark.parametrize("changes", [{"heart_bt_int_s": 4}, {"heart_bt_int_s": 31}])
def test_02_numbers_begin_at_one_and_the_interval_has_bounds(sides: BothSides, changes: dict[str, object]) -> None:
    naive = logged_on(sides, **changes)
    assert not naive.session.logged_on and b"\x0135=5\x01" in naive.wire


def test_03_a_type_is_a_word_that_has_the_side(sides: BothSides, desk: Desk) -> None:
    for plain in ("38=0.01|40=2|44=60000|54=1|55=btcusdt|59=1|", "38=0.01|40=limit|44=60000|55=btcusdt|"):
        (reject,) = order(sides, desk.client, plain)
        assert picked(reject, 35, 371, 373) == ("3", "40", "5")
    assert picked(order(sides, desk.client)[0], 35, 40) == ("8", "buy-limit")
    unnamed = logged_on(sides, application_fields=b"")
    assert picked(order(sides, unnamed)[0], 35, 371) == ("3", "1")
    ours = desk.client.session.settings
    elsewhere = logged_on(sides, application_fields=ours.application_fields.replace(b"578=spot-api\x01", b""))
    assert picked(order(sides, elsewhere)[0], 35, 371) == ("3", "578")


def test_04_states_are_numbers_of_its_own_and_what_is_told_is_a_word(sides: BothSides, desk: Desk) -> None:
    (rested,) = order(sides, desk.client)
    assert picked(rested, 150, 39) == ("creation", "3")
    cancelled = desk.client.send("F", f"11={sides.next_name()}|37={rested[37]}|")[0]
    assert picked(cancelled, 150, 39, 11) == ("cancellation", "7", rested[11]), "under the order's own name"
    refused = order(sides, desk.client, LIMIT.replace("0.01", "900"))[0]
    assert picked(refused, 150, 39) == ("creation", "3")
    poor = order(sides, desk.client, LIMIT.replace("0.01", "999"))[0]
    assert picked(poor, 150, 39) == ("creation", "1")


def test_05_a_fee_comes_later_and_names_no_fill_to_count(sides: BothSides, desk: Desk) -> None:
    sides.stranger("2", sides.qty, sides.price)
    _, events = desk.new(price=sides.price)
    assert [e.exec_type for e in events if isinstance(e, ExecutionReport)] == ["0", "F"]
    trade, clearing = desk.client.got[-2:]
    assert (trade[150], clearing[150], trade[1003]) == ("trade", "clearing", clearing[1003])
    assert 137 not in trade and clearing[138] == "BTC" and 32 not in clearing


def test_06_every_session_hears_of_all_orders(sides: BothSides, desk: Desk) -> None:
    other = logged_on(sides)
    (rested,) = order(sides, other)
    (heard,) = desk.heard()
    assert isinstance(heard, ExecutionReport) and heard.cl_ord_id == rested[11]
    assert desk.client.send("F", f"11={sides.next_name()}|41={rested[11]}|")[0][150] == "cancellation"
    assert other.got[-1][150] == "cancellation"


def test_07_there_is_neither_an_amendment_nor_a_question(sides: BothSides, desk: Desk) -> None:
    (rested,) = order(sides, desk.client)
    for msg_type in "GH":
        (told,) = desk.client.send(msg_type, f"11={sides.next_name()}|41={rested[11]}|55=btcusdt|54=1|")
        assert picked(told, 35, 372) == ("j", msg_type)


def test_08_a_mass_cancel_is_of_the_account(sides: BothSides, desk: Desk) -> None:
    other = logged_on(sides)
    (btc,) = order(sides, other)
    (eth,) = order(sides, other, "38=0.1|40=buy-limit|44=3000|55=ethusdt|")
    answer, ended = desk.client.send("q", f"11={sides.next_name()}|530=2|146=1|55=btcusdt|")
    assert picked(answer, 35, 531, 533, 534) == ("r", "1", "1", "0") and ended[11] == btc[11]
    assert picked(desk.client.send("q", f"11={sides.next_name()}|530=2|146=1|55=nosuch|")[0], 35, 531) == ("r", "0")
    (reject,) = desk.client.send("q", f"11={sides.next_name()}|530=7|")
    assert picked(reject, 35, 371) == ("3", "530")
    assert desk.client.send("q", f"11={sides.next_name()}|530=1|")[1][11] == eth[11]


def test_09_a_subscription_takes_the_place_of_all_before_it(sides: BothSides) -> None:
    sides.stranger("1", D("0.5"), D(64000))
    naive = sides.watcher().client
    (refused,) = naive.send("V", "262=a|263=1|264=1|146=1|55=btcusdt|")
    assert picked(refused, 35, 281) == ("Y", "7")
    taken, book = naive.send("V", "262=b|263=0|264=1|146=1|55=btcusdt|")
    assert picked(taken, 35, 262, 281) == ("Y", "b", "0") and book[35] == "W"
    naive.send("V", "262=c|263=0|264=1|146=1|55=ethusdt|")
    naive.got.clear()
    sides.stranger("1", D("0.5"), D(64001))
    sides.world.pass_time(0.2)
    assert not naive.got, "the first one is over"


def test_10_a_book_is_told_whole_each_time(sides: BothSides) -> None:
    sides.stranger("1", D("0.5"), D(64000))
    naive = sides.watcher().client
    book = naive.send("V", "262=b|263=0|264=20|146=1|55=btcusdt|")[-1]
    sides.stranger("2", D("0.5"), D(66000))
    sides.world.pass_time(0.2)
    told = naive.got[-1]
    assert picked(told, 35, 262, 268) == ("W", "1", "2") and int(told[83]) > int(book[83])


def test_11_a_symbol_is_in_small_letters_on_the_wire_and_in_capitals_with_us(sides: BothSides, desk: Desk) -> None:
    (refused,) = order(sides, desk.client, LIMIT.replace("btcusdt", "BTCUSDT"))
    assert picked(refused, 150, 39) == ("creation", "1")
    _, events = desk.new()
    assert isinstance(events[0], ExecutionReport) and events[0].symbol == "BTCUSDT"
    assert b"\x0155=btcusdt\x01" in desk.client.raw[-1]

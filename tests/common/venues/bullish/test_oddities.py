"""Bullish's oddities one by one, by the numbers of its README: where a client of plain FIX 4.4 goes wrong."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from msgspec import structs

from common.exchange.settings import Party
from common.fix.session import Session
from common.fix.wire import utc_timestamp
from common.messages import CancelRejected, ExecutionReport
from common.orders.names import ClOrdIdForm, cl_ord_id_of
from common.venues.credentials import PasswordHmac
from tests.common.exchange.harness import Client
from tests.common.venues.both_sides import BothSides, Desk

D = Decimal
LIMIT = "38=0.01|40=2|44=60000|54=1|55=BTCUSDC|59=1|"


def logged_on(sides: BothSides, session: Session | None = None, **changes: object) -> Client:
    """A client that enters as our dialect does, and is plain otherwise."""
    ours = replace(sides.dialect.session_settings(sides.identity(), sides.credentials), **changes)  # type: ignore[arg-type]
    if session is not None:
        session = Session(ours, session.next_outbound, session.next_inbound)
    return Client(sides.world, session=session or Session(ours))


def named(sides: BothSides, text: str) -> str:
    """The fields of a request with the next ClOrdID(11) and TransactTime(60) around them."""
    return f"11={sides.next_name()}|{text}60={utc_timestamp(sides.world.now.wall_ns).decode()}|"


def picked(report: dict[int, str], *tags: int) -> tuple[str | None, ...]:
    return tuple(report.get(tag) for tag in tags)


def test_01_a_password_is_entered_without_a_name_and_141_is_always_there(sides: BothSides) -> None:
    named_too = logged_on(sides, logon_fields=lambda number, time: b"553=me\x01554=no\x01")
    assert not named_too.session.logged_on and b"1409=5\x01" in named_too.wire
    silent = logged_on(sides, says_no_reset=False)
    assert not silent.session.logged_on and b"58=ResetSeqNumFlag is required" in silent.wire
    client = logged_on(sides)
    assert client.session.logged_on and b"1409=0\x01" in client.wire and b"\x0157=" in client.wire


def test_02_the_interval_is_thirty_seconds(sides: BothSides) -> None:
    naive = logged_on(sides, heart_bt_int_s=10)
    assert not naive.session.logged_on and b"58=HeartBtInt must be 30" in naive.wire


def test_03_each_request_says_who_trades_and_for_which_account(sides: BothSides, desk: Desk) -> None:
    ours = sides.credentials
    assert isinstance(ours, PasswordHmac)
    desk.client.cut()
    stranger = logged_on(sides, desk.client.session, application_fields=b"1=999\x01")
    assert picked(stranger.send("D", named(sides, LIMIT))[0], 35, 371, 373) == ("3", "1", "5")
    stranger.cut()
    nobody = logged_on(sides, stranger.session, application_fields=b"")
    assert picked(nobody.send("D", named(sides, LIMIT))[0], 35, 371, 373) == ("3", "1", "1")
    nobody.cut()
    (report,) = logged_on(sides, nobody.session).send("D", named(sides, LIMIT))
    assert picked(report, 35, 150, 1) == ("8", "0", ours.account)


def test_04_a_name_is_a_whole_number_that_was_never_used(sides: BothSides, desk: Desk) -> None:
    naive, stamp = desk.client, utc_timestamp(sides.world.now.wall_ns).decode()

    def told(name: str) -> dict[int, str]:
        return naive.send("D", f"11={name}|{LIMIT}60={stamp}|")[-1]

    for name in ("order-1", "01", "100000000000000001"):
        assert picked(told(name), 35, 371, 373) == ("3", "11", "6")
    assert told("100000000000000000")[150] == "0", "the highest"
    assert picked(told("7"), 150, 37) == ("0", "2")
    naive.send("F", f"11=8|41=7|55=BTCUSDC|60={stamp}|")
    assert picked(told("7"), 150, 103) == ("8", "6"), "not even of an order that is gone"
    ours = cl_ord_id_of(sides.next_attempt(), ClOrdIdForm.DIGITS17)
    assert ours == str(int(ours)) and int(ours) <= 10**17


def test_05_a_post_only_order_is_a_type_and_is_taken_before_it_is_cancelled(sides: BothSides, desk: Desk) -> None:
    sides.stranger("2", sides.qty, sides.price)
    order, events = desk.new(price=sides.price, instructions="6")
    assert [e.exec_type for e in events if isinstance(e, ExecutionReport)] == ["0", "4"]
    assert b"\x0140=p\x01" in desk.client.raw[-1]
    (report,) = desk.client.send("D", named(sides, LIMIT.replace("59=1", "18=6|59=1")))
    assert report[40] == "2", "an instruction is none"
    (reject,) = desk.client.send("D", named(sides, LIMIT.replace("40=2", "40=p").replace("59=1", "59=3")))
    assert picked(reject, 35, 371) == ("3", "59")


def test_06_a_cancel_is_told_twice(sides: BothSides, desk: Desk) -> None:
    (report,) = desk.client.send("D", named(sides, LIMIT))
    told = desk.client.send("F", named(sides, f"41={report[11]}|55=BTCUSDC|"))
    assert [picked(each, 150, 39) for each in told] == [("6", "6"), ("4", "4")]


def test_07_only_what_has_no_fill_is_amended_and_a_refusal_lies_about_the_order(sides: BothSides, desk: Desk) -> None:
    order, _ = desk.new(price=sides.price)
    sides.stranger("2", sides.qty / 4, sides.price)
    desk.heard()
    _, (event,) = desk.amend(order, "", price=sides.price * D("0.9"))
    assert isinstance(event, CancelRejected) and event.ord_status == ""
    assert b"\x0139=8\x01" in desk.client.raw[-1], "a plain client would drop the order"
    state = sides.state_of(order.cl_ord_id)
    assert state is not None and state["ord_status"] == "1"


def test_08_a_lost_connection_cancels_what_another_session_placed(tmp_path: Path) -> None:
    sides = BothSides("bullish", tmp_path)
    second = Party(comp_id="SECOND", account=sides.settings.parties[0].account)
    sides.world.settings = structs.replace(sides.settings, parties=(*sides.settings.parties, second))
    sides.world.kill()
    first, other = sides.desk(), logged_on(sides, sender_comp_id="SECOND")
    idle, _ = first.new()
    other.cut()
    state = sides.state_of(idle.cl_ord_id)
    assert state is not None and state["ord_status"] == "0", "nothing was traded on that one"
    other = logged_on(sides, other.session, sender_comp_id="SECOND")
    (mine,) = other.send("D", named(sides, LIMIT))
    other.cut()
    states = [sides.state_of(name) for name in (idle.cl_ord_id, mine[11])]
    assert [state and state["ord_status"] for state in states] == ["4", "4"]
    assert [told.cl_ord_id for told in first.heard() if isinstance(told, ExecutionReport)] == [idle.cl_ord_id]


def test_09_the_answer_to_a_mass_cancel_comes_first(sides: BothSides, desk: Desk) -> None:
    naive = desk.client
    (btc,) = naive.send("D", named(sides, LIMIT))
    (eth,) = naive.send("D", named(sides, LIMIT.replace("BTCUSDC", "ETHUSDC").replace("60000", "3000")))
    answer, ended = naive.send("q", named(sides, "530=7|55=BTCUSDC|"))
    assert picked(answer, 35, 531) == ("r", "7") and answer[1369]
    assert picked(ended, 35, 150, 11) == ("8", "4", btc[11])
    assert [each[35] for each in naive.send("q", named(sides, "530=7|"))] == ["r", "8"]
    state = sides.state_of(eth[11])
    assert state is not None and state["ord_status"] == "4"


def test_10_there_is_no_business_reject(sides: BothSides, desk: Desk) -> None:
    (told,) = desk.client.send("H", named(sides, "54=1|55=BTCUSDC|"))
    assert picked(told, 35, 372, 373) == ("3", "H", "11")


def test_11_fifty_orders_and_amendments_a_second_and_any_number_of_cancels(sides: BothSides, desk: Desk) -> None:
    naive = desk.client
    told = [naive.send("D", named(sides, LIMIT))[-1] for _ in range(51)]
    assert [each[150] for each in told] == ["0"] * 50 + ["8"] and told[-1][103] == "3034"
    amended = naive.send("G", named(sides, f"41={told[0][11]}|38=0.02|44=60001|55=BTCUSDC|"))[-1]
    assert picked(amended, 35, 102, 1328, 39) == ("9", "3034", "Rate limit error", "8")
    assert naive.send("F", named(sides, f"41={told[0][11]}|55=BTCUSDC|"))[-1][150] == "4"
    sides.world.pass_time(1.1)
    assert naive.send("D", named(sides, LIMIT))[-1][150] == "0"


def test_12_an_execution_has_a_number_only_where_it_is_a_fill(sides: BothSides, desk: Desk) -> None:
    (rested,) = desk.client.send("D", named(sides, LIMIT.replace("60000", "65000")))
    sides.stranger("2", D("0.01"), D(65000))
    fill = desk.client.got[-1]
    assert 17 not in rested and fill[150] == "F" and fill[17]


def test_13_the_fee_of_a_sale_is_in_quote_and_that_of_a_buy_in_base(sides: BothSides, desk: Desk) -> None:
    for side, other, asset in (("1", "2", "BTC"), ("2", "1", "USDC")):
        sides.stranger(other, sides.qty, sides.price)
        fill = desk.new(side=side, price=sides.price)[1][-1]
        assert isinstance(fill, ExecutionReport) and fill.fee_asset == asset and fill.fee_qty > 0

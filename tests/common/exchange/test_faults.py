"""Each fault does what it says, as often as it was told to, and to nobody else."""

from pathlib import Path

import msgspec
import pytest

from common.exchange.faults import LACK_SENTENCES, Kind
from common.exchange.settings import ExchangeSettings
from common.fix.wire import Framer
from common.messages import ControlRequest
from tests.common.exchange.harness import GENERIC, Client, World
from tests.common.venues.binance.test_simulated import BINANCE, Http, RawClient, connect, order


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def binance(tmp_path: Path) -> World:
    return World(tmp_path, BINANCE)


def test_cut_closes_the_scope_at_once_and_numbers_go_on(world: World) -> None:
    client, feed = Client(world), Client(world, "FIXRINGMD", "market_data")
    world.ask("fault", kind="cut", scope="fix")
    assert client not in world.clients and feed in world.clients
    assert b"35=5\x01" not in client.wire
    assert client.again().session.logged_on
    assert world.ask("fault")["faults"] == []


def cut_in_this_turn(world: World, scope: str) -> None:
    """The connections of the scope are cut, and the turn goes on."""
    arguments = msgspec.json.encode({"kind": "cut", "scope": scope})
    world.core.received("control", b"me", ControlRequest("fault", arguments), world.now)


def sent_after_a_cut(client: Client, msg_type: str, text: str) -> bytes:
    """What comes back for a message that arrives in the turn in which its connection is cut."""
    client.wire = b""
    cut_in_this_turn(client.world, client.listener)
    client.send(msg_type, text)
    assert client not in client.world.clients
    return client.wire


def test_what_arrives_in_the_turn_of_a_cut_is_not_read(world: World) -> None:
    client, feed = Client(world), Client(world, "FIXRINGMD", "market_data")
    assert sent_after_a_cut(client, "D", "11=a|55=BTCUSDT|54=1|38=1|40=2|44=900|59=1|") == b""
    assert sent_after_a_cut(feed, "V", "262=r|263=1|264=1|267=1|269=0|146=1|55=BTCUSDT|") == b""
    assert world.ask("orders")["orders"] == []


def test_what_arrives_at_binance_in_the_turn_of_a_cut_is_not_read(binance: World) -> None:
    client, rest = connect(binance), RawClient(binance, "rest")
    assert sent_after_a_cut(client, "D", "11=a|38=1|40=2|54=1|55=BTCUSDT|44=900|59=1|") == b""
    assert binance.ask("orders")["orders"] == []
    cut_in_this_turn(binance, "rest")
    assert rest.push(b"GET /api/v3/time HTTP/1.1\r\nHost: x\r\n\r\n") == ""


def test_stall_holds_both_ways_until_it_is_over(world: World) -> None:
    client = Client(world)
    world.ask("fault", kind="stall", ms=1000)
    assert client.order("a", "1", "1", "900") == []
    assert world.ask("orders")["orders"] == []
    world.pass_time(0.9)
    assert client.got == []
    world.pass_time(0.2)
    assert [m[150] for m in client.got] == ["0"]


def test_a_gap_is_healed_by_a_resend(world: World) -> None:
    client = Client(world)
    world.ask("fault", kind="gap", count=2)
    assert client.order("a", "1", "1", "900") == []
    assert client.order("b", "1", "1", "900") == []
    got = client.order("c", "1", "1", "900")
    assert [(m[11], m.get(43)) for m in got if m[35] == "8"] == [("a", "Y"), ("b", "Y"), ("c", "Y")] or [
        m[11] for m in got if m[35] == "8"
    ] == ["a", "b", "c"]


def test_a_garbled_message_is_healed_by_a_resend(world: World) -> None:
    client = Client(world)
    world.ask("fault", kind="garble")
    assert client.order("a", "1", "1", "900") == []
    assert [m[11] for m in client.order("b", "1", "1", "900") if m[35] == "8"] == ["a", "b"]


def test_a_lost_report_is_lost_for_ever_where_nothing_is_resent(binance: World) -> None:
    client = connect(binance)
    binance.ask("fault", kind="gap")
    assert order(client, "a", "1", "1", "900") == []
    order(client, "b", "1", "1", "900")
    assert client.ended is not None and client not in binance.clients
    assert [o["cl_ord_id"] for o in binance.ask("orders")["orders"]] == ["a", "b"]  # type: ignore[attr-defined]


def test_duplicate_sends_the_same_number_twice(world: World) -> None:
    client = Client(world)
    world.ask("fault", kind="duplicate")
    client.order("a", "1", "1", "900")
    assert client.wire.count(b"11=a\x01") == 2


def test_reject_refuses_the_next_orders_and_no_more(world: World) -> None:
    client = Client(world)
    world.ask("fault", kind="reject", count=2, text="No.")
    assert [client.order(n, "1", "1", "900")[0][150] for n in "abc"] == ["8", "8", "0"]
    assert world.ask("fault")["struck"] == {"reject": 2}


def test_slow_delays_what_is_sent_until_it_is_cleared(world: World) -> None:
    client = Client(world)
    world.ask("fault", kind="slow", ms=300)
    assert client.order("a", "1", "1", "900") == []
    world.pass_time(0.2)
    assert client.got == []
    world.pass_time(0.2)
    assert [m[11] for m in client.got] == ["a"]
    assert world.ask("fault", kind="clear") == {"cleared": 1}
    assert [m[11] for m in client.order("b", "1", "1", "900")] == ["b"]


def test_what_is_slow_and_then_stalled_is_due_when_the_stall_ends(world: World) -> None:
    client = Client(world)
    world.ask("fault", kind="slow", ms=100)
    assert client.order("a", "1", "1", "900") == []
    world.ask("fault", kind="stall", ms=1000)
    world.pass_time(0.5)
    assert client.got == []
    due_ns = world.core.next_deadline_ns()
    assert due_ns is not None and due_ns > world.now.boot_ns
    world.pass_time(0.6)
    assert [m[11] for m in client.got] == ["a"]


def test_late_fill_is_reported_after_the_cancel(world: World) -> None:
    client = Client(world)
    client.order("a", "1", "2", "900")
    world.ask("fault", kind="late_fill")
    reports = client.send("F", "11=c|41=a|55=BTCUSDT|54=1|")
    assert [(m[150], m[14], m[151]) for m in reports] == [("4", "1", "0"), ("F", "1", "1")]


def test_late_fill_at_binance(binance: World) -> None:
    client = connect(binance)
    order(client, "a", "1", "2", "900")
    binance.ask("fault", kind="late_fill")
    assert [m[150] for m in client.send("F", "11=c|41=a|55=BTCUSDT|")] == ["4", "F"]


def test_a_late_fill_is_told_once_to_each_session_of_the_account(binance: World) -> None:
    first, second = connect(binance), connect(binance, "FXR00002")
    order(first, "a", "1", "2", "900")
    binance.ask("fault", kind="late_fill")
    second.got.clear()
    first.send("F", "11=c|41=a|55=BTCUSDT|")
    assert [m[150] for m in first.got] == [m[150] for m in second.got] == ["4", "F"]


def test_a_late_fill_is_told_to_whoever_placed_the_order_not_to_whoever_cancels_it(world: World) -> None:
    first, second = Client(world), Client(world, "OTHER")
    first.order("a", "1", "2", "900")
    world.ask("fault", kind="late_fill")
    first.got.clear()
    assert second.send("F", "11=c|41=a|55=BTCUSDT|54=1|") == []
    assert [(m[150], m[14]) for m in first.got] == [("4", "1"), ("F", "1")]


def test_questions_can_be_refused(world: World) -> None:
    client = Client(world)
    client.order("a", "1", "1", "900")
    world.ask("fault", kind="reject_status")
    assert client.send("H", "11=a|55=BTCUSDT|54=1|")[0][35] == "j"
    assert client.send("H", "11=a|55=BTCUSDT|54=1|")[0][39] == "0"


def test_an_order_can_be_taken_and_its_fate_not_told(binance: World) -> None:
    client, http = connect(binance), Http(binance)
    binance.ask("fault", kind="unknown")
    (answer,) = order(client, "a", "1", "1", "900")
    assert (answer[35], answer[45], answer[25016]) == ("3", "2", "-1007")
    status, row = http.ask("GET", "order", symbol="BTCUSDT", origClientOrderId="a")
    assert (status, row["status"]) == (200, "NEW")  # type: ignore[index]


def test_the_fate_of_what_is_rejected_can_be_untold_too(binance: World) -> None:
    client = connect(binance)
    binance.ask("fault", kind="unknown")
    codes = [client.send("F", "11=c|41=a|55=NOPE|")[0][25016] for _ in range(2)]
    assert codes == ["-1007", "-1121"]


def test_an_order_can_be_lost_and_its_fate_not_told(binance: World) -> None:
    client, http = connect(binance), Http(binance)
    binance.ask("fault", kind="lost")
    (answer,) = order(client, "a", "1", "1", "900")
    assert (answer[35], answer[25016]) == ("3", "-1006")
    assert http.ask("GET", "order", symbol="BTCUSDT", origClientOrderId="a")[0] == 400


def test_rest_can_fail(binance: World) -> None:
    client, http = connect(binance), Http(binance)
    binance.ask("fault", kind="reject_status", scope="rest")
    assert http.ask("GET", "account")[0] == 500
    order(client, "a", "1", "1", "900")
    binance.ask("fault", kind="unknown", scope="rest")
    assert http.ask("DELETE", "openOrders", symbol="BTCUSDT")[1]["code"] == -1007  # type: ignore[index]
    assert binance.ask("orders")["orders"] == []


def test_maintenance_counts_down_and_ends_the_connection(binance: World) -> None:
    client = connect(binance)
    client.got.clear()
    binance.ask("fault", kind="maintenance", ms=25000)
    binance.pass_time(26, 0.5)
    assert [m[148] for m in client.got if m[35] == "B"] == [
        "You'll be disconnected in 25 seconds. Please reconnect.",
        "You'll be disconnected in 15 seconds. Please reconnect.",
        "Your connection is about to be closed. Please reconnect.",
    ]
    assert client not in binance.clients
    assert connect(binance).session.logged_on


def test_no_news_takes_a_number_behind_a_logout(world: World) -> None:
    client = Client(world)
    world.ask("fault", kind="maintenance", ms=25_000)
    world.pass_time(9.8, 0.2)
    # It answers nothing any more, so the exchange waits for its Logout(5) when the next News(B) is due.
    world.clients.remove(client)
    world.core.stop(world.now)
    world.turn()
    number = world.core.gateways["fix"].sessions()["FIXRING"]["next_outbound"]
    world.pass_time(0.45)
    assert world.exit is None
    assert world.core.gateways["fix"].sessions()["FIXRING"]["next_outbound"] == number


def test_what_is_no_fault_is_refused(world: World) -> None:
    assert "no fault 'fire'" in world.refusal("fault", kind="fire")
    assert "no scope 'moon'" in world.refusal("fault", kind="cut", scope="moon")
    assert "$.count" in world.refusal("fault", kind="gap", count=-1)
    assert "means that a fate is not known" in world.refusal("fault", kind="unknown")
    assert "has no act 'dance'" in world.refusal("dance")
    assert "no account" in world.refusal("orders", account="nobody")
    assert "no symbol" in world.refusal("book", symbol="NOPE")


@pytest.mark.parametrize("settings", [GENERIC, BINANCE])
def test_a_fault_that_the_venue_lacks_is_refused_with_its_reason_and_does_not_begin(
    tmp_path: Path, settings: ExchangeSettings
) -> None:
    world = World(tmp_path, settings)
    assert world.core.venue.side.lacks
    for kind, why in world.core.venue.side.lacks.items():
        assert (world.refusal("fault", kind=kind), world.ask("fault")["faults"]) == (why, [])


def test_unreadable_miscounts_a_field_in_reports_but_those_spared_and_it_comes_again_so(world: World) -> None:
    client = Client(world)
    world.ask("fault", kind="unreadable", count=1, text="0")
    client.send("D", "11=a|55=BTCUSDT|54=1|38=1|40=2|44=900|59=1|")
    assert b"355=" not in client.wire and b"150=0\x01" in client.wire
    client.wire = b""
    client.send("F", "11=b|41=a|55=BTCUSDT|54=1|")
    miscounted = "354=4\x01355=über\x01".encode()
    (raw,) = [raw for raw in Framer().feed(client.wire) if miscounted in raw]
    assert b"150=4\x01" in raw
    number = int(raw.split(b"\x0134=")[1].split(b"\x01")[0])
    client.wire = b""
    client.send("2", f"7={number}|16={number}|")
    assert miscounted in client.wire


def test_odd_fields_are_times_and_prices_of_a_form_that_there_is_not(world: World) -> None:
    client, feed = Client(world), Client(world, "FIXRINGMD", "market_data")
    world.ask("fault", kind="odd_fields", count=1)
    client.send("D", "11=a|55=BTCUSDT|54=1|38=1|40=2|44=900|59=1|")
    assert b"Z\x01" in client.wire.split(b"\x0160=")[-1]
    world.ask("fault", kind="odd_fields", scope="market_data", count=1)
    feed.send("V", "262=r|263=0|264=1|267=2|269=0|269=1|146=1|55=BTCUSDT|")
    assert b"\x01270=900E0\x01" in feed.wire


def test_skip_uses_a_number_for_nothing_and_fills_the_gap_with_all_behind_it(world: World) -> None:
    client = Client(world)
    world.ask("fault", kind="skip", scope="fix", count=1)
    client.wire = b""
    client.send("D", "11=a|55=BTCUSDT|54=1|38=1|40=2|44=900|59=1|")
    assert client.wire.count(b"\x0135=8\x01") == 1 and client.wire.count(b"\x0135=4\x01") == 1
    assert not client.session.recovering and client.session.logged_on
    assert world.ask("fault")["struck"] == {"skip": 1}


def open_orders(world: World) -> list[object]:
    """What the exchange's books hold of the account."""
    orders = world.ask("orders")["orders"]
    assert isinstance(orders, list)
    return orders


def test_silent_neither_cancels_nor_says_so(world: World) -> None:
    client = Client(world)
    client.send("D", "11=a|55=BTCUSDT|54=1|38=1|40=2|44=900|59=1|")
    world.ask("fault", kind="silent", scope="fix", count=1)
    client.wire = b""
    client.send("F", "11=b|41=a|55=BTCUSDT|54=1|")
    assert client.wire == b"" and len(open_orders(world)) == 1
    client.send("F", "11=c|41=a|55=BTCUSDT|54=1|")
    assert b"\x0139=4\x01" in client.wire and world.ask("orders")["orders"] == []


def test_silent_at_binance_neither_cancels_nor_says_so(binance: World) -> None:
    client = connect(binance)
    client.send("D", "11=a|38=1|40=2|54=1|55=BTCUSDT|44=900|59=1|")
    binance.ask("fault", kind="silent", scope="fix", count=1)
    client.wire = b""
    client.send("F", "11=b|41=a|55=BTCUSDT|")
    assert client.wire == b"" and len(open_orders(binance)) == 1


def test_the_exchange_asks_for_life_and_for_what_was_sent(world: World) -> None:
    client = Client(world)
    client.wire = b""
    world.ask("fault", kind="test_request", scope="fix", count=3)
    world.ask("fault", kind="resend_request", scope="fix", count=2)
    assert client.wire.count(b"\x0135=1\x01") == 3
    assert b"\x017=1\x01" in client.wire and b"\x017=2\x01" in client.wire and client.session.logged_on


def test_faults_of_persistent_numbers_are_refused_where_there_are_none(binance: World) -> None:
    with pytest.raises(AssertionError, match="needs a session that resends"):
        binance.ask("fault", kind="skip")
    assert binance.ask("fault")["faults"] == []


@pytest.mark.parametrize("kind", ["crossed", "done_for_day", "untold"])
def test_a_fault_that_the_venue_s_wire_has_not_is_refused_with_the_reason(binance: World, kind: str) -> None:
    assert binance.refusal("fault", kind=kind) == LACK_SENTENCES[Kind(kind)]

"""The generic dialect end to end: FIX text in, FIX text out, over real sessions, and over the death of either side."""

from pathlib import Path

import msgspec
import pytest

from common.exchange.history import MemoryHistory
from common.exchange.history_file import FileHistory
from common.fix.session import Session, SessionSettings
from common.fix.wire import split
from tests.common.exchange.harness import Client, World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def picked(report: dict[int, str], *tags: int) -> tuple[str | None, ...]:
    return tuple(report.get(tag) for tag in tags)


def test_an_order_is_acknowledged_and_rests(world: World) -> None:
    (report,) = Client(world).order("a", "1", "2", "900")
    assert picked(report, 35, 150, 39, 11, 55, 54, 38, 44, 14, 151, 6) == (
        "8", "0", "0", "a", "BTCUSDT", "1", "2", "900", "0", "2", "0",
    )  # fmt: skip


def test_both_sides_of_a_trade_are_reported_to_their_own_sessions(world: World) -> None:
    maker, taker = Client(world), Client(world, "OTHER")
    maker.order("m", "2", "2", "1000")
    maker.got.clear()
    # One account does not trade with itself, so the counterparty is a stranger.
    order = world.core.venue.state.find("desk", "m")
    assert order is not None
    world.core.venue.fill_late(order, world.now)
    world.pump()
    (fill,) = maker.got
    assert picked(fill, 150, 39, 32, 31, 14, 151, 6, 851) == ("F", "1", "1", "1000", "1", "1", "1000", "1")
    assert picked(fill, 136, 137, 138, 139) == ("1", "1", "USDT", "4")
    assert taker.got == [] or all(m[35] != "8" for m in taker.got)


def test_a_market_order_sweeps_and_expires(world: World) -> None:
    client = Client(world)
    reports = client.send("D", "11=m|55=BTCUSDT|54=1|38=1|40=1|59=3|")
    assert [picked(r, 150, 39) for r in reports] == [("0", "0"), ("C", "C")]


@pytest.mark.parametrize(
    ("fields", "reason", "text"),
    [
        ("55=NONE|54=1|38=1|40=2|44=900|", "1", "Invalid symbol."),
        ("55=BTCUSDT|54=1|38=1|40=2|44=900.001|", "99", "Filter failure: PRICE_FILTER"),
        ("55=BTCUSDT|54=1|38=0.0001|40=2|44=900|", "13", "Filter failure: LOT_SIZE"),
        ("55=BTCUSDT|54=1|38=1|40=2|44=199|", "99", "Filter failure: PERCENT_PRICE"),
        ("55=BTCUSDT|54=1|38=99|40=2|44=4000|", "3", "Account has insufficient balance for requested action."),
        ("55=BTCUSDT|54=1|38=1|40=5|44=900|", "11", "Unsupported order type, side or time in force."),
    ],
)
def test_rejected_orders_say_why(world: World, fields: str, reason: str, text: str) -> None:
    (report,) = Client(world).send("D", f"11=bad|{fields}")
    assert picked(report, 150, 39, 103, 58) == ("8", "8", reason, text)


def test_a_name_in_use_is_refused_and_counted(world: World) -> None:
    client = Client(world)
    client.order("a", "1", "1", "900")
    (report,) = client.order("a", "1", "1", "900")
    assert picked(report, 150, 103) == ("8", "6")
    assert world.ask("state")["counts"] == {"duplicate_cl_ord_ids": 1}


def test_cancel(world: World) -> None:
    client = Client(world)
    client.order("a", "1", "1", "900")
    (report,) = client.send("F", "11=c|41=a|55=BTCUSDT|54=1|")
    assert picked(report, 150, 39, 11, 41, 151) == ("4", "4", "c", "a", "0")
    (late,) = client.send("F", "11=c2|41=a|55=BTCUSDT|54=1|")
    assert picked(late, 35, 39, 434, 102) == ("9", "4", "1", "0")
    (unknown,) = client.send("F", "11=c3|41=zz|55=BTCUSDT|54=1|")
    assert picked(unknown, 35, 37, 39, 102, 58) == ("9", "NONE", "8", "1", "Unknown order sent.")


def test_replace_changes_terms_and_name(world: World) -> None:
    client = Client(world)
    client.order("a", "1", "1", "900")
    (report,) = client.send("G", "11=b|41=a|55=BTCUSDT|54=1|38=2|40=2|44=901|")
    assert picked(report, 150, 39, 11, 41, 38, 44, 151) == ("5", "0", "b", "a", "2", "901", "2")
    (refused,) = client.send("G", "11=c|41=b|55=BTCUSDT|54=2|38=2|40=2|44=901|")
    assert picked(refused, 35, 434, 102, 39) == ("9", "2", "2", "0")
    (by_old_name,) = client.send("F", "11=d|41=a|55=BTCUSDT|54=1|")
    assert picked(by_old_name, 150, 41) == ("4", "b")


def test_a_replacement_that_is_refused_says_why_and_leaves_the_order_as_it_was(world: World) -> None:
    client = Client(world)
    client.order("a", "1", "1", "900")
    client.order("b", "1", "1", "800")
    for fields, reason, text in (
        ("11=b|38=2|44=901|", "6", "Duplicate order sent."),
        ("11=c|38=2|44=901.001|", "99", "Filter failure: PRICE_FILTER"),
    ):
        (refused,) = client.send("G", f"41=a|55=BTCUSDT|54=1|40=2|{fields}")
        assert picked(refused, 35, 434, 102, 39, 58) == ("9", "2", reason, "0", text)
    assert picked(client.send("H", "11=a|55=BTCUSDT|54=1|")[0], 39, 11, 38, 44) == ("0", "a", "1", "900")


def test_status_of_open_closed_and_unknown_orders(world: World) -> None:
    client = Client(world)
    client.order("a", "1", "1", "900")
    (status,) = client.send("H", "11=a|55=BTCUSDT|54=1|790=q|")
    assert picked(status, 150, 39, 790, 151) == ("I", "0", "q", "1")
    client.send("F", "11=c|41=a|55=BTCUSDT|54=1|")
    (closed,) = client.send("H", "11=a|55=BTCUSDT|54=1|")
    assert picked(closed, 150, 39) == ("I", "4")
    (unknown,) = client.send("H", "11=zz|55=BTCUSDT|54=1|")
    assert picked(unknown, 150, 39, 103, 37) == ("I", "8", "5", "NONE")


def test_mass_cancel_and_mass_status(world: World) -> None:
    client = Client(world)
    client.order("a", "1", "1", "900")
    client.order("b", "1", "1", "901")
    rows = client.send("AF", "584=s|585=7|")
    assert [picked(r, 11, 584, 911, 912) for r in rows] == [("a", "s", "2", "N"), ("b", "s", "2", "Y")]
    report, *cancels = client.send("q", "11=k|530=1|55=BTCUSDT|")
    assert picked(report, 35, 11, 530, 531, 533) == ("r", "k", "1", "1", "2")
    assert [picked(r, 150, 11) for r in cancels] == [("4", "a"), ("4", "b")]
    (refused,) = client.send("q", "11=k|530=1|55=NONE|")
    assert picked(refused, 35, 531, 532) == ("r", "0", "1")
    (none,) = client.send("AF", "584=s|585=7|")
    assert picked(none, 911, 912) == ("0", "Y")


def test_what_cannot_be_read_is_rejected_by_name(world: World) -> None:
    client = Client(world)
    (missing,) = client.send("D", "11=a|55=BTCUSDT|54=1|40=2|44=900|")
    assert picked(missing, 35, 371, 372, 373) == ("3", "38", "D", "1")
    (garbage,) = client.send("D", "11=a|55=BTCUSDT|54=1|38=one|40=2|44=900|")
    assert picked(garbage, 35, 371, 373) == ("3", "38", "6")
    (unsupported,) = client.send("E", "66=list|")
    assert picked(unsupported, 35, 372, 380) == ("j", "E", "3")


def test_strangers_and_second_connections_are_closed_without_a_word(world: World) -> None:
    client = Client(world)
    for stranger in (Client(world, "NOBODY"), Client(world, "FIXRING")):
        assert stranger.wire == b""
        assert stranger not in world.clients
    assert client.order("a", "1", "1", "900")
    assert world.core.status(world.now)["counts"] == {"connections_refused": 2}


def test_a_silent_connection_is_closed(world: World) -> None:
    world.core.accepted(99, "fix", world.now)
    world.pump()
    assert len(world.core.venue.lines.all) == 1
    world.pass_time(11, 1)
    assert world.core.venue.lines.all == []


def test_garbage_before_logon_is_closed(world: World) -> None:
    world.core.accepted(99, "fix", world.now)
    world.core.data(99, b"GET / HTTP/1.1\r\n\r\n" * 300, world.now)
    world.pump()
    assert world.core.venue.lines.all == []


def test_what_happened_while_away_is_resent_at_the_next_logon(world: World) -> None:
    client = Client(world)
    client.order("a", "2", "2", "1000")
    client.cut()
    order = world.core.venue.state.find("desk", "a")
    assert order is not None
    world.core.venue.fill_late(order, world.now)
    world.turn()
    again = client.again()
    fills = [m for m in again.got if m.get(150) == "F"]
    assert [picked(m, 11, 32, 43) for m in fills] == [("a", "1", "Y")]
    assert again.session.logged_on


@pytest.mark.parametrize("lasting", [False, True])
def test_after_its_death_the_exchange_knows_all_that_it_ever_told(tmp_path: Path, lasting: bool) -> None:
    world = World(tmp_path, history=(lambda: FileHistory(tmp_path / "history.db")) if lasting else MemoryHistory)
    client = Client(world)
    client.order("rest", "1", "1", "900")
    client.order("gone", "1", "1", "901")
    client.send("F", "11=c|41=gone|55=BTCUSDT|54=1|")
    client.order("filled", "2", "2", "1000")
    order = world.core.venue.state.find("desk", "filled")
    assert order is not None
    world.core.venue.fill_late(order, world.now)
    world.pump()
    before = {key: value for key, value in world.ask("state", trades_from={"BTCUSDT": 1}).items() if key != "lsn"}
    numbers = (client.session.next_outbound, client.session.next_inbound)
    world.kill()
    after = world.ask("state", trades_from={"BTCUSDT": 1})
    for key in ("orders", "balances", "last_trade_ids", "trade_count", "trades"):
        assert after[key] == before[key], key
    row = after["sessions"]["FIXRING"]  # type: ignore[index]
    assert (row["next_inbound"], row["next_outbound"]) == numbers
    again = client.again()
    assert again.session.logged_on and not again.session.recovering
    (closed,) = again.send("H", "11=gone|55=BTCUSDT|54=1|")
    assert picked(closed, 39, 41) == ("4", None)
    exec_ids = [m[17] for m in client.got + again.got if 17 in m]
    assert len(exec_ids) == len(set(exec_ids))


def test_what_was_written_but_never_arrived_is_resent_after_a_death(world: World) -> None:
    client = Client(world)
    world.core.data(client.number, _raw_order(client, "a"), world.now)
    # The turn ends and the log has it, but the process dies before the bytes leave.
    world.core.turn_ended(world.now)
    world.core.effects.clear()
    world.kill()
    again = client.again()
    assert [picked(m, 11, 150, 43) for m in again.got if m[35] == "8"] == [("a", "0", "Y")]


def test_what_the_log_does_not_have_never_happened(world: World) -> None:
    client = Client(world)
    world.core.data(client.number, _raw_order(client, "a"), world.now)
    world.kill()
    assert world.ask("orders")["orders"] == []
    again = client.again()
    # The exchange never saw the number: it asks again, and the client fills the gap.
    (unknown,) = again.send("H", "11=a|55=BTCUSDT|54=1|")
    assert picked(unknown, 150, 103) == ("I", "5")


def _raw_order(client: Client, name: str) -> bytes:
    client.session.send(
        "D", f"11={name}\x0155=BTCUSDT\x0154=1\x0138=1\x0140=2\x0144=900\x01".encode(), client.world.now
    )
    (effect,) = client.session.take_effects()
    return effect.raw  # type: ignore[union-attr]


def _raw_logout(client: Client) -> bytes:
    client.session.logout("bye", client.world.now)
    (effect,) = client.session.take_effects()
    return effect.raw  # type: ignore[union-attr]


@pytest.mark.parametrize("times", [1, 2])
def test_an_order_that_a_logout_follows_at_once_is_placed_and_told_at_the_next_logon(world: World, times: int) -> None:
    client = Client(world)
    # The second time its number is too low, so that the exchange ends the session before it hears the Logout(5).
    world.core.data(client.number, _raw_order(client, "a") * times + _raw_logout(client), world.now)
    world.pump()
    assert client not in world.clients and b"11=a" not in client.wire
    again = client.again()
    assert [picked(m, 11, 150, 43) for m in again.got if m[35] == "8"] == [("a", "0", "Y")]
    assert again.session.logged_on and not again.session.recovering


def test_a_fill_of_the_turn_in_which_the_connection_breaks_is_told_at_the_next_logon(world: World) -> None:
    client = Client(world)
    client.order("a", "2", "2", "1000")
    order = world.core.venue.state.find("desk", "a")
    assert order is not None
    world.core.venue.fill_late(order, world.now)
    client.cut()
    again = client.again()
    assert [picked(m, 11, 32, 43) for m in again.got if m.get(150) == "F"] == [("a", "1", "Y")]


def test_an_order_outlives_the_client_that_placed_it_and_can_be_cancelled(world: World) -> None:
    Client(world, "OTHER").order("a", "1", "1", "900")
    world.settings = msgspec.structs.replace(world.settings, parties=world.settings.parties[:1])
    world.kill()
    client = Client(world)
    (report,) = client.send("q", "11=k|530=7|")
    assert picked(report, 35, 531, 533) == ("r", "7", "1")
    assert picked(client.send("H", "11=a|55=BTCUSDT|54=1|")[0], 39, 14) == ("4", "0")


def test_a_reset_of_numbers_is_a_new_generation(world: World) -> None:
    client = Client(world)
    client.order("a", "1", "1", "900")
    client.cut()
    settings = SessionSettings(sender_comp_id="FIXRING", target_comp_id="GENERIC", initiator=True, reset_on_logon=True)
    again = Client(world, session=Session(settings))
    assert again.session.logged_on
    row = world.ask("sessions")["sessions"]["FIXRING"]  # type: ignore[index]
    assert (row["generation"], row["next_outbound"]) == (2, again.session.next_inbound)
    world.kill()
    row = world.ask("sessions")["sessions"]["FIXRING"]  # type: ignore[index]
    assert (row["generation"], row["next_outbound"]) == (2, again.session.next_inbound)


def test_heartbeats_flow_and_a_dead_client_is_let_go(world: World) -> None:
    client = Client(world)
    world.pass_time(65, 1)
    assert client.session.logged_on
    world.clients.clear()
    for _ in range(100):
        world.pass_time(1, 1)
    assert world.core.venue.lines.all == []


def test_a_client_without_heartbeats_may_be_silent_for_ever(world: World) -> None:
    settings = SessionSettings(sender_comp_id="FIXRING", target_comp_id="GENERIC", initiator=True, heart_bt_int_s=0)
    client = Client(world, session=Session(settings))
    before = client.wire
    assert world.core.next_deadline_ns() is None
    world.pass_time(3600, 60)
    assert client.session.logged_on and client.wire == before


def test_a_stop_does_not_wait_for_whoever_has_not_logged_on(world: World) -> None:
    client = Client(world)
    world.core.accepted(99, "market_data", world.now)
    world.core.stop(world.now)
    world.pass_time(1)
    assert not client.session.logged_on
    assert world.exit is not None and world.exit.status == 0


def test_the_exchange_takes_leave_when_it_stops(world: World) -> None:
    client = Client(world)
    world.core.stop(world.now)
    world.pump()
    assert not client.session.logged_on
    world.pass_time(1)
    assert world.exit is not None and world.exit.status == 0
    world.kill()
    assert client.again().session.logged_on


@pytest.mark.parametrize(
    ("fields", "reason", "tag"),
    [
        ("38=1|40=2|", "1", "44"),
        ("38=Infinity|40=2|44=900|", "6", "38"),
        ("38=99999999999999999999999999999999999999999|40=2|44=900|", "5", "38"),
    ],
)
def test_an_order_without_its_numbers_is_rejected_by_field(world: World, fields: str, reason: str, tag: str) -> None:
    (reject,) = Client(world).send("D", f"11=bad|55=BTCUSDT|54=1|{fields}")
    assert picked(reject, 35, 373, 371) == ("3", reason, tag)


def test_a_possible_resend_of_a_known_order_is_answered_with_its_state(world: World) -> None:
    client = Client(world)
    client.order("a", "1", "1", "900")
    (state,) = client.order("a", "1", "5", "900", "97=Y|")
    assert picked(state, 150, 39, 11, 38) == ("I", "0", "a", "1")


def test_a_cancel_that_a_fill_overtook_is_too_late(world: World) -> None:
    client = Client(world)
    client.order("a", "2", "0.001", "5000")
    world.ask("fault", kind="late_fill", scope="fix")
    said = client.send("F", "11=c|41=a|55=BTCUSDT|54=2|")
    assert ("9", "0") in [picked(m, 35, 102) for m in said]
    assert ("8", "F") in [picked(m, 35, 150) for m in said]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ("263=7|264=1|267=1|269=0|146=1|55=BTCUSDT|", "4"),
        ("263=1|264=x|267=1|269=0|146=1|55=BTCUSDT|", "5"),
        ("263=1|264=1|267=1|269=9|146=1|55=BTCUSDT|", "8"),
        ("263=2|", None),
    ],
)
def test_subscriptions_that_are_refused(world: World, fields: str, reason: str | None) -> None:
    (refused,) = Client(world, "FIXRINGMD", "market_data").send("V", f"262=r|{fields}")
    assert picked(refused, 35, 262, 281) == ("Y", "r", reason)


def test_subscriptions_are_counted_and_end_when_asked(world: World) -> None:
    client, feed = Client(world), Client(world, "FIXRINGMD", "market_data")
    for number in range(100):
        assert feed.send("V", f"262=r{number}|263=1|264=1|267=1|269=0|146=1|55=BTCUSDT|")[0][35] == "W"
    last = "262=more|263=1|264=1|267=1|269=0|146=1|55=BTCUSDT|"
    assert picked(feed.send("V", last)[0], 35, 281) == ("Y", "2")
    for number in range(100):
        assert feed.send("V", f"262=r{number}|263=2|") == []
    client.order("a", "1", "1", "900")
    world.pass_time(0.3, 0.05)
    assert feed.got == []


def test_a_single_snapshot_is_followed_by_nothing(world: World) -> None:
    client, feed = Client(world), Client(world, "FIXRINGMD", "market_data")
    assert feed.send("V", "262=once|263=0|264=1|267=2|269=0|269=1|146=1|55=BTCUSDT|")[0][35] == "W"
    feed.got.clear()
    client.order("a", "1", "1", "900")
    world.pass_time(0.3, 0.05)
    assert feed.got == []


def test_each_subscriber_hears_of_its_own_sides_depth_and_symbols(world: World) -> None:
    client, feed = Client(world), Client(world, "FIXRINGMD", "market_data")
    for name, depth, kind, symbol in (
        ("offers", 1, "1", "BTCUSDT"), ("deep", 0, "1", "BTCUSDT"), ("two", 2, "0", "BTCUSDT"),
        ("trades", 1, "2", "ETHUSDT"),
    ):  # fmt: skip
        feed.send("V", f"262={name}|263=1|264={depth}|267=1|269={kind}|146=1|55={symbol}|")
    feed.got.clear()
    for number in range(3):
        client.order(f"b{number}", "1", "1", str(900 - number))
    world.pass_time(0.3, 0.05)
    assert {m[262] for m in feed.got} == {"two"}
    assert picked(feed.send("V", "262=again|263=0|264=2|267=1|269=0|146=1|55=BTCUSDT|")[0], 35, 268) == ("W", "2")
    feed.got.clear()
    resting = world.core.venue.state.find("desk", "b0")
    assert resting is not None
    world.core.venue.fill_late(resting, world.now)
    world.pump()
    assert feed.got == []


def test_market_data_clients_are_named_told_and_taken_leave_of(world: World) -> None:
    stranger = Client(world, "NOBODY", "market_data")
    assert not stranger.session.logged_on and stranger not in world.clients
    feed = Client(world, "FIXRINGMD", "market_data")
    world.ask("fault", kind="maintenance", scope="market_data", ms=60_000)
    world.pass_time(0.1)
    assert picked(feed.got[-1], 35, 58) == ("B", "You'll be disconnected in 60 seconds. Please reconnect.")
    world.core.stop(world.now)
    world.pump()
    assert not feed.session.logged_on and b"58=The exchange is shutting down.\x01" in feed.wire


def test_no_market_data_takes_a_number_behind_a_logout(world: World) -> None:
    client, feed = Client(world), Client(world, "FIXRINGMD", "market_data")
    client.order("a", "1", "1", "900")
    feed.send("V", "262=r|263=1|264=1|267=2|269=0|269=2|146=1|55=BTCUSDT|")
    # It answers nothing any more, so the exchange waits for its Logout(5) when the book moves.
    world.clients.remove(feed)
    world.core.stop(world.now)
    world.turn()
    number = world.core.gateways["market_data"].sessions()["FIXRINGMD"]["next_outbound"]
    resting = world.core.venue.state.find("desk", "a")
    assert resting is not None
    world.core.venue.fill_late(resting, world.now)
    world.pass_time(0.3)
    assert world.exit is None
    assert world.core.gateways["market_data"].sessions()["FIXRINGMD"]["next_outbound"] == number


def test_market_data_is_never_sent_again(world: World) -> None:
    client, feed = Client(world), Client(world, "FIXRINGMD", "market_data")
    feed.send("V", "262=r|263=1|264=1|267=1|269=0|146=1|55=BTCUSDT|")
    client.order("a", "1", "1", "900")
    world.pass_time(0.1, 0.02)
    numbers = feed.session.next_inbound
    feed.wire = b""
    feed.send("2", "7=1|16=0|")
    filled = split(feed.wire)
    assert (filled[b"35"], filled[b"34"], filled[b"36"], filled[b"123"]) == (b"4", b"1", b"%d" % numbers, b"Y")


def test_market_data_follows_the_book(world: World) -> None:
    client = Client(world)
    client.order("bid", "1", "1", "900")
    feed = Client(world, "FIXRINGMD", "market_data")
    snapshot = feed.send("V", "262=r|263=1|264=1|265=1|267=3|269=0|269=1|269=2|146=1|55=BTCUSDT|")
    assert picked(snapshot[0], 35, 262, 55, 268) == ("W", "r", "BTCUSDT", "1")
    feed.raw.clear()
    client.order("better", "1", "2", "910")
    world.pass_time(0.1, 0.02)
    text = feed.raw[0].replace(b"\x01", b"|").decode()
    assert "268=2|279=2|269=0|55=BTCUSDT|270=900|271=0|279=0|269=0|55=BTCUSDT|270=910|271=2|" in text
    (refused,) = feed.send("V", "262=r|263=1|264=1|267=1|269=0|146=1|55=BTCUSDT|")
    assert picked(refused, 35, 281) == ("Y", "1")
    (unknown,) = feed.send("V", "262=r2|263=1|264=1|267=1|269=0|146=1|55=NOPE|")
    assert picked(unknown, 35, 281) == ("Y", "0")


def test_full_depth_rebuilds_the_book(world: World) -> None:
    client = Client(world)
    feed = Client(world, "FIXRINGMD", "market_data")
    feed.send("V", "262=d|263=1|264=0|265=1|267=2|269=0|269=1|146=1|55=BTCUSDT|")
    feed.raw.clear()
    client.order("a", "1", "1", "900")
    client.order("b", "1", "2", "890")
    world.pass_time(0.3, 0.05)
    client.send("F", "11=c|41=a|55=BTCUSDT|54=1|")
    world.pass_time(0.3, 0.05)
    seen: dict[str, str] = {}
    for raw in feed.raw:
        for entry in raw.split(b"\x01279=")[1:]:
            fields = {
                part.split(b"=")[0]: part.split(b"=")[1].decode() for part in entry.split(b"\x01")[1:] if b"=" in part
            }
            seen[fields[b"270"]] = fields[b"271"]
            if entry[:1] == b"2":
                del seen[fields[b"270"]]
    assert seen == {"890": "2"}
    assert all(split(raw)[b"35"] == b"X" for raw in feed.raw)


@pytest.mark.parametrize("number", ["1_0", " 1", "1 ", "+1", "1e0", "0x1", "\u0661", "Infinity", "", "-", "."])
def test_a_quantity_that_fix_cannot_write_is_rejected(world: World, number: str) -> None:
    client = Client(world)
    (reject,) = client.send("D", f"11=bad|55=BTCUSDT|54=1|38={number}|40=2|44=900|")
    assert picked(reject, 35, 371) == ("3", "38")
    assert [report[150] for report in client.order("good", "1", "1.", "900")] == ["0"]

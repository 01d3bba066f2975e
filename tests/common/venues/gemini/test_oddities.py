"""Each oddity of the README by its number: what a naive FIX 4.4 client would make of it, and what ours does."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from common.config import ConfigError, load
from common.exchange.rest import RestError, RestRequest
from common.exchange.settings import ExchangeSettings, Party
from common.fix.session import Session, SessionSettings
from common.fix.session_types import SequencePolicy
from common.fix.wire import split, utc_timestamp
from common.messages import Announced, ExecutionReport
from common.orders.words import triggers
from common.venues.dialect import BookEntry
from common.venues.gemini.simulated.rest import GeminiRest
from common.venues.generic.dialect import Generic
from common.venues.venue import Feature, missing_feature
from tests.common.exchange.harness import Client
from tests.common.venues import samples
from tests.common.venues.both_sides import NAME, BothSides, Desk, Watcher

NAIVE = Generic()


@pytest.fixture
def desk(sides: BothSides) -> Desk:
    return sides.desk()


def ours(sides: BothSides) -> SessionSettings:
    return sides.dialect.session_settings(sides.identity(), sides.credentials)


def naive(sides: BothSides, **changes: object) -> SessionSettings:
    """A client of plain FIX 4.4, whose numbers persist, under our name."""
    settings = NAIVE.session_settings(sides.identity(), None)
    return replace(settings, **changes)  # type: ignore[arg-type]


def logged_on(sides: BothSides, settings: SessionSettings, session: Session | None = None) -> Client:
    return Client(sides.world, listener="fix", session=session or Session(settings))


def said(sides: BothSides, client: Client, msg_type: str, fields: str, header: str = "") -> list[dict[bytes, bytes]]:
    """What is answered to a request of those fields."""
    before = len(client.raw)
    body, head = (text.replace("|", "\x01").encode() for text in (fields, header))
    client.session.send(msg_type, body, sides.world.now, head)
    sides.world.pump()
    return [split(raw) for raw in client.raw[before:]]


def order(sides: BothSides, name: str = "naive-1", **changes: str) -> str:
    """A resting order as plain FIX 4.4 writes it, with these values of tags `tN` instead, "" to leave one out."""
    stamp = utc_timestamp(sides.world.now.wall_ns).decode()
    fields = {
        "11": name, "21": "1", "55": sides.symbol, "54": "1", "40": "2", "59": "1", "60": stamp, "38": f"{sides.qty:f}",
        "44": f"{sides.price * Decimal('0.9'):f}",
    }  # fmt: skip
    fields |= {tag.removeprefix("t"): value for tag, value in changes.items()}
    return "".join(f"{tag}={value}|" for tag, value in fields.items() if value)


def test_01_nothing_in_the_logon_proves_who_it_is(sides: BothSides, tmp_path: Path) -> None:
    without = sides.dialect.session_settings(sides.identity(), None)
    assert logged_on(sides, without).session.logged_on
    stranger = logged_on(sides, replace(ours(sides), sender_comp_id="OTHER"))
    assert not stranger.session.logged_on and stranger.wire == b"", "without a word"
    file = tmp_path / "configs" / f"{NAME}.toml"
    file.write_text(file.read_text().replace('sender_comp_id = "DESK"', 'comp_id_prefix = "DSK"'))
    with pytest.raises(ConfigError, match="gives each connection its name"):
        load(tmp_path / "configs", {"FIXRING_VAR": str(tmp_path / "var")})


def test_02_another_heartbeat_than_the_one_is_dropped(sides: BothSides) -> None:
    other = logged_on(sides, naive(sides, heart_bt_int_s=sides.venue.fix.heart_bt_int_s + 1))
    assert not other.session.logged_on and other.wire == b""


def test_03_numbers_go_on_unless_they_are_reset_and_ours_are(sides: BothSides) -> None:
    first = logged_on(sides, naive(sides))
    said(sides, first, "D", order(sides))
    first.cut()
    # A client that begins at 1 by itself and does not say so is behind.
    behind = logged_on(sides, naive(sides))
    assert not behind.session.logged_on
    behind.cut()
    with_ours = logged_on(sides, ours(sides))
    assert with_ours.session.logged_on and with_ours.session.next_inbound == 2
    assert ours(sides).sequence_policy is SequencePolicy.RESET


def test_04_only_who_asks_for_it_leaves_no_orders_behind(sides: BothSides) -> None:
    client = logged_on(sides, naive(sides))
    said(sides, client, "D", order(sides))
    client.cut()
    sides.world.pump()
    left = sides.state_of("naive-1")
    assert left is not None and left["ord_status"] == "0"
    desk = sides.desk()
    placed, _ = desk.new()
    desk.client.session.logout("", sides.world.now)
    sides.world.pump()
    gone = sides.state_of(placed.cl_ord_id)
    assert gone is not None and gone["ord_status"] == "4"


@pytest.mark.parametrize("feature", [Feature.AMEND, Feature.STATUS_QUERY])
def test_05_an_order_is_neither_changed_nor_asked_for(desk: Desk, feature: Feature) -> None:
    sides = desk.sides
    placed, _ = desk.new()
    request = samples.amend(symbol=sides.symbol, orig_cl_ord_id=placed.cl_ord_id)
    body = NAIVE.encode_amend(request, 0) if feature is Feature.AMEND else NAIVE.encode_query(samples.QUERY)
    assert body is not None
    (answer,) = said(sides, desk.client, body.msg_type, body.fields.decode().replace("\x01", "|"))
    assert answer[b"35"] == b"j"
    command = request if feature is Feature.AMEND else samples.QUERY
    assert missing_feature(sides.profile, command) is feature, "ours is refused before it is sent"


def test_05_and_there_is_no_mass_cancel(desk: Desk) -> None:
    (answer,) = said(desk.sides, desk.client, "q", "11=k|530=7|60=20260101-00:00:00|")
    assert answer[b"35"] == b"j"
    assert desk.sides.dialect.encode_mass_cancel("k", "BTCUSD", 0) is None


def test_06_a_market_buy_is_of_an_amount_and_a_sale_of_a_quantity(desk: Desk) -> None:
    sides = desk.sides
    (answer,) = said(sides, desk.client, "D", order(sides, t40="1", t44="", t59="3"))
    assert (answer[b"35"], answer[b"371"]) == (b"3", b"152")
    market: dict[str, object] = {"ord_type": "1", "price": None, "time_in_force": "3"}
    for lacks, terms in (
        (Feature.MARKET_BUY_OF_QUANTITY, {"side": "1"}),
        (None, {"side": "1", "cash_order_qty": Decimal(500)}),
        (Feature.CASH_SALE, {"side": "2", "cash_order_qty": Decimal(500)}),
        (None, {"side": "2"}),
    ):
        assert missing_feature(sides.profile, samples.new(**market, **terms)) is lacks
    sides.stranger("1", sides.qty, sides.price)
    sold = said(sides, desk.client, "D", order(sides, "naive-2", t40="1", t44="", t59="", t54="2"))
    assert [f[b"150"] for f in sold] == [b"0", b"F"]


def test_06_and_the_fee_is_taken_out_of_the_amount(desk: Desk) -> None:
    sides = desk.sides
    sides.stranger("2", 2 * sides.qty, sides.price)
    cash = (sides.qty * sides.price * (1 + sides.settings.fee_rate_taker)).normalize()
    placed, events = desk.new(ord_type="1", price=None, time_in_force="3", cash_order_qty=cash)
    _, fill = [event for event in events if isinstance(event, ExecutionReport)]
    assert (fill.ord_status, fill.last_qty, fill.leaves_qty) == ("2", sides.qty, None)
    assert fill.last_qty * fill.last_px + fill.fee_qty == cash
    told = split(desk.client.raw[-1])
    assert Decimal(told[b"152"].decode()) == cash and b"38" not in told and b"59" not in told
    assert placed.order_qty != fill.order_qty is None, "no OrderQty(38) to take for the order's"


def test_07_a_cancel_by_the_venue_s_id_cancels_nothing(desk: Desk) -> None:
    sides = desk.sides
    placed, (accepted, *_) = desk.new()
    assert isinstance(accepted, ExecutionReport)
    wrong = f"11=c|41=other|37={accepted.order_id}|54=1|55={sides.symbol}|60=20260101-00:00:00|"
    (answer,) = said(sides, desk.client, "F", wrong)
    assert (answer[b"35"], answer[b"102"]) == (b"9", b"1")
    (told,) = desk.cancel(placed)[1]
    assert isinstance(told, ExecutionReport) and told.exec_type == "4"


def test_08_what_may_have_been_sent_before_is_refused_whatever_became_of_it(desk: Desk) -> None:
    sides = desk.sides
    assert said(sides, desk.client, "D", order(sides))[0][b"150"] == b"0"
    (again,) = said(sides, desk.client, "D", order(sides), "97=Y|")
    assert again[b"35"] == b"j", "no answer that the order rests"
    assert not sides.dialect.resendable("D")


def test_09_an_order_that_would_take_is_accepted_and_cancelled(desk: Desk) -> None:
    sides = desk.sides
    sides.stranger("2", sides.qty, sides.price)
    _, events = desk.new(price=sides.price, instructions="6")
    told = [event for event in events if isinstance(event, ExecutionReport)]
    assert [(event.exec_type, event.ord_status) for event in told] == [("0", "0"), ("4", "4")]
    assert told[1].text == "MAKER_OR_CANCEL_WOULD_TAKE"
    (naive_told,) = said(sides, desk.client, "D", order(sides, t18="6", t59="3"))
    assert (naive_told[b"35"], naive_told[b"371"]) == (b"3", b"18"), "with good till cancel alone"


def test_10_nothing_expires(desk: Desk) -> None:
    sides = desk.sides
    sides.stranger("2", sides.qty / 2, sides.price)
    _, events = desk.new(price=sides.price, time_in_force="3")
    *_, last = [event for event in events if isinstance(event, ExecutionReport)]
    assert (last.exec_type, last.ord_status, last.cum_qty) == ("4", "4", sides.qty / 2)
    assert last.text == "IMMEDIATE_OR_CANCEL_WOULD_POST"


def test_11_a_fill_s_exec_id_is_the_trade_s(desk: Desk) -> None:
    sides = desk.sides
    sides.stranger("2", sides.qty, sides.price)
    _, events = desk.new(price=sides.price)
    (fill,) = [event for event in events if isinstance(event, ExecutionReport) and event.exec_type == "F"]
    (account, _) = sides.settings.accounts
    (row,) = sides.world.core.venue.history.trades(account, sides.symbol, 0, 1 << 60)
    assert fill.trade_key == fill.exec_id == str(row.exec_id) != str(row.trade_id)
    # Where the trade's own number is looked for, there is none.
    assert not [raw for raw in desk.client.raw if b"\x011003=" in raw]
    assert not sides.profile.trade_keys_are_exec_ids, "they do not begin anew with the numbers"


def test_12_a_fee_is_a_commission_of_its_own_currency(desk: Desk) -> None:
    sides = desk.sides
    sides.stranger("2", sides.qty, sides.price)
    _, events = desk.new(price=sides.price)
    (fill,) = [event for event in events if isinstance(event, ExecutionReport) and event.exec_type == "F"]
    assert (fill.fee_qty, fill.fee_asset) == (sides.qty * sides.price * Decimal("0.002"), "USD")
    last = split(desk.client.raw[-1])
    assert last[b"13"] == b"3" and b"137" not in last, "no NoMiscFees(136) to be read"
    assert b"15" not in last, "and no Currency(15)"


def test_13_there_is_no_snapshot_beside_a_subscription(sides: BothSides) -> None:
    watcher = sides.watcher()
    watcher.say(sides.dialect.encode_subscribe("m", [sides.symbol]))
    refused = watcher.say(NAIVE.encode_refresh("n", "m", [sides.symbol]))
    assert [type(each).__name__ for each in refused] == ["SubscriptionRejected"]
    sides.stranger("1", sides.qty, sides.price)
    again = watcher.say(sides.dialect.encode_refresh("n", "m", [sides.symbol]))
    assert ("0", "W", sides.price) in [(e.what, e.action, e.px) for e in again if isinstance(e, BookEntry)]
    watcher.heard()
    sides.stranger("1", sides.qty, sides.price / 2)
    assert len(watcher.heard()) == 1, "told once: the second subscription has taken the first one's place"


def test_14_a_price_that_is_gone_has_no_size(desk: Desk) -> None:
    sides = desk.sides
    placed, _ = desk.new()
    watcher = sides.watcher()
    watcher.say(sides.dialect.encode_subscribe("m", [sides.symbol]))
    desk.cancel(placed)
    (gone,) = watcher.heard()
    assert isinstance(gone, BookEntry) and not gone.why
    assert (gone.action, gone.px, gone.qty) == ("2", placed.price, Decimal(0))
    assert b"\x01271=" not in watcher.client.raw[-1]


def test_15_a_trade_names_its_maker_s_side_to_who_asked(desk: Desk) -> None:
    sides = desk.sides
    asked, plain = sides.watcher(), watching_under("DESK2", sides)
    asked.say(sides.dialect.encode_subscribe("m", [sides.symbol]))
    plain.say(NAIVE.encode_subscribe("p", [sides.symbol]))
    desk.new(price=sides.price)
    sides.stranger("2", sides.qty, sides.price)
    (trade,) = [e for e in asked.heard() if isinstance(e, BookEntry) and e.what == "2"]
    assert trade.taker_side == "2"
    raw = asked.client.raw[-2] if b"\x01269=2\x01" in asked.client.raw[-2] else asked.client.raw[-1]
    assert split(raw)[b"9002"] == b"1"
    read = NAIVE.decode_market_data("X", raw)
    assert isinstance(read, list) and [e.taker_side for e in read if e.what == "2"] == [""]
    assert not [raw for raw in plain.client.raw if b"\x019002=" in raw]


def watching_under(name: str, sides: BothSides) -> Watcher:
    """A second connection to market data: the exchange is told that there is one."""
    gateway = sides.world.core.venue.side.market_data
    parties = vars(gateway)["_parties"]
    parties[name] = msgspec.structs.replace(next(iter(parties.values())), comp_id=name)
    settings = sides.dialect.market_data_settings(sides.identity("market_data")._replace(sender_comp_id=name), None)
    return Watcher(sides, Client(sides.world, listener="market_data", session=Session(settings)))


def test_16_a_connection_ends_without_news(desk: Desk) -> None:
    desk.sides.world.ask("fault", kind="maintenance", ms=1000)
    desk.sides.world.pass_time(2)
    assert not desk.logged_on
    assert not [event for event in desk.heard() if isinstance(event, Announced)]
    assert not [raw for raw in desk.client.raw if split(raw)[b"35"] == b"B"]


def test_17_the_parameters_of_a_request_stand_in_a_header(sides: BothSides) -> None:
    api = vars(sides.world.core.venue.side.rest)["_api"]
    assert isinstance(api, GeminiRest)
    body = '{"symbol": "BTCUSD"}'
    naive_request = RestRequest("POST", "/v1/mytrades", {}, body, {"symbol": "BTCUSD"}, "/v1/mytrades", body)
    with pytest.raises(RestError, match="InvalidApiKey"):
        api.authenticate(naive_request, sides.world.now)
    assert api.headers(sides.world.now) == [("Date", "Thu, 01 Jan 2026 00:00:00 GMT")], "the only clock"
    listed = api.routes["GET", "/v1/symbols"].answer("", {}, sides.world.now)
    assert isinstance(listed, list) and sides.symbol not in listed and sides.symbol.lower() in listed


class Row(msgspec.Struct):
    """What of a trade over REST its place is told by."""

    tid: int


def test_18_trades_are_told_from_a_time_on_and_the_newest_first(desk: Desk) -> None:
    sides = desk.sides
    api = vars(sides.world.core.venue.side.rest)["_api"]
    assert isinstance(api, GeminiRest)
    desk.new(price=sides.price)
    for _ in range(4):
        sides.world.pass_time(1)
        sides.stranger("2", sides.qty / 4, sides.price)
    (account, _) = sides.settings.accounts
    tell: Callable[..., object] = api.routes["POST", "/v1/mytrades"].answer
    by = {"symbol": "btcusd", "limit_trades": "2"}
    oldest, newest = (
        [row.tid for row in msgspec.convert(tell(account, by | more, sides.world.now), list[Row])]
        for more in ({"timestamp": "1"}, {})
    )
    assert oldest == sorted(oldest, reverse=True) and max(oldest) < min(newest)


class Copied(BothSides):
    """The venue with a drop copy of ours."""

    def _settings(self) -> ExchangeSettings:
        copies = (Party(comp_id="DESKDC", account="desk"),)
        return msgspec.structs.replace(super()._settings(), drop_copy_parties=copies)


def captured(client: Client) -> list[bytes]:
    """What was told but the session's own messages."""
    return [raw for raw in client.raw if split(raw)[b"35"] not in b"A015"]


def test_19_a_drop_copy_tells_trades_alone_each_once_more_and_no_state_of_the_order(tmp_path: Path) -> None:
    sides = Copied("gemini", tmp_path)
    desk = sides.desk()
    identity = sides.identity()
    stranger = Client(sides.world, listener="drop_copy", session=Session(ours(sides)))
    assert not stranger.session.logged_on, "that is order entry's name"
    settings = sides.dialect.session_settings(identity._replace(sender_comp_id="DESKDC", drop_copy=True), None)
    copy = Client(sides.world, listener="drop_copy", session=Session(settings))
    assert copy.session.logged_on and settings.logon_fields is None, "CancelOnDisconnect(9001) is order entry's"
    order, _ = desk.new(price=sides.price)
    assert not captured(copy), "that an order was placed is not told"
    sides.stranger("2", sides.qty / 4, sides.price)
    sides.world.pump()
    (fill,) = [event for event in desk.heard() if isinstance(event, ExecutionReport)]
    (raw,) = captured(copy)
    assert NAIVE.decode("AE", raw) is None, "a plain client hears nothing"
    again = sides.dialect.decode("AE", raw)
    assert isinstance(again, ExecutionReport) and not again.unread
    of_both = ("trade_key", "order_id", "cl_ord_id", "last_qty", "last_px", "fee_qty", "fee_asset", "maker", "symbol")
    assert [getattr(again, name) for name in of_both] == [getattr(fill, name) for name in of_both]
    assert (again.ord_status, again.order_qty, again.cum_qty, again.leaves_qty) == ("", None, None, None)
    desk.cancel(order)
    assert captured(copy) == [raw]
    assert copy.send("F", f"11=a|41={order.cl_ord_id}|54=1|55={sides.symbol}|")[0][35] == "j", "it takes no request"


def stop_terms(sides: BothSides, **changes: str) -> dict[str, str]:
    """A stop order to buy ten ticks above, with a limit two ticks farther."""
    at = sides.price + 10 * sides.instrument.tick_size
    terms = {"t40": "4", "t44": f"{at + 2 * sides.instrument.tick_size:f}", "t99": f"{at:f}"}
    return terms | changes


def test_20_a_stop_order_is_told_as_new_twice_and_the_second_time_as_the_limit_order(desk: Desk) -> None:
    sides = desk.sides
    tick = sides.instrument.tick_size
    stop_px = sides.price + 10 * tick
    placed, (accepted, *_) = desk.new(ord_type="4", price=stop_px + 2 * tick, stop_px=stop_px)
    assert isinstance(accepted, ExecutionReport) and (accepted.exec_type, accepted.sleeps) == ("0", True)
    assert Decimal(split(desk.client.raw[-1])[b"99"].decode()) == stop_px
    assert not sides.world.ask("book", symbol=sides.symbol)["books"][sides.symbol]["bids"], "hidden until then"  # type: ignore[index]
    sides.stranger("2", sides.qty, stop_px)
    _, events = desk.new(price=stop_px)
    (again,) = [e for e in events if isinstance(e, ExecutionReport) and e.cl_ord_id == placed.cl_ord_id]
    assert (again.exec_type, again.ord_status, again.sleeps) == ("0", "0", False)
    assert (again.order_id, again.price, again.order_qty) == (accepted.order_id, stop_px + 2 * tick, sides.qty)
    raw = next(raw for raw in reversed(desk.client.raw) if split(raw)[b"11"] == placed.cl_ord_id.encode())
    assert b"99" not in split(raw)
    naive_told = NAIVE.decode("8", raw)
    assert isinstance(naive_told, ExecutionReport) and not triggers(naive_told), "no ExecType(150)=L to be read"
    assert triggers(again) and not triggers(accepted)


@pytest.mark.parametrize("changes", [{"t59": "3"}, {"t18": "6"}, {"t99": ""}, {"t44": ""}])
def test_21_a_stop_order_rests_has_a_limit_and_no_instruction(desk: Desk, changes: dict[str, str]) -> None:
    sides = desk.sides
    (answer,) = said(sides, desk.client, "D", order(sides, **stop_terms(sides, **changes)))
    (wrong,) = changes
    assert (answer[b"35"], answer[b"371"]) == (b"3", wrong.removeprefix("t").encode())
    assert not sides.world.ask("orders")["orders"]


@pytest.mark.parametrize(("side", "short_of"), [("1", -1), ("2", 1)])
def test_22_a_limit_that_comes_before_the_stop_price_is_refused(desk: Desk, side: str, short_of: int) -> None:
    sides = desk.sides
    tick = sides.instrument.tick_size
    at = sides.price + (10 if side == "1" else -10) * tick
    price = at + short_of * tick
    (answer,) = said(
        sides, desk.client, "D", order(sides, **stop_terms(sides, t54=side, t44=f"{price:f}", t99=f"{at:f}"))
    )
    assert (answer[b"35"], answer[b"150"], answer[b"39"]) == (b"8", b"8", b"8")
    ours: dict[str, object] = {"ord_type": "4", "side": side, "stop_px": at}
    assert missing_feature(sides.profile, samples.new(**ours, price=price)) is Feature.NEAR_LIMIT
    assert missing_feature(sides.profile, samples.new(**ours, price=at)) is None
    _, (taken, *_) = desk.new(**ours, price=at)
    assert isinstance(taken, ExecutionReport) and (taken.exec_type, taken.sleeps) == ("0", True)


def test_20_a_stop_order_that_sleeps_is_cancelled_as_any_other_and_goes_with_the_connection(desk: Desk) -> None:
    sides = desk.sides
    tick = sides.instrument.tick_size
    sleeping: dict[str, object] = {
        "ord_type": "4", "price": sides.price + 12 * tick, "stop_px": sides.price + 10 * tick,
    }  # fmt: skip
    placed, _ = desk.new(**sleeping)
    (told,) = desk.cancel(placed)[1]
    assert isinstance(told, ExecutionReport) and (told.exec_type, told.ord_status) == ("4", "4")
    other, _ = desk.new(**sleeping)
    desk.client.session.logout("", sides.world.now)
    sides.world.pump()
    state = sides.state_of(other.cl_ord_id)
    assert state is not None and state["ord_status"] == "4"

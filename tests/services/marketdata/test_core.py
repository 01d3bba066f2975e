"""The market data actor against a real FIX acceptor: best prices, trades, repeats, and silence when it cannot know."""

from dataclasses import replace
from datetime import time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import orjson
import pytest

from common.actor.core import Close, Connect, Exit, Publish, Send, Write
from common.fix.schedule import Schedule
from common.fix.session import Session
from common.fix.session_types import Inbound, Outbound, SequencePolicy, SessionSettings
from common.fix.wire import parse_utc_timestamp, split
from common.instant import NS_PER_MS, Instant
from common.messages import ControlAnswer, ControlRequest, FeedMessage, TopOfBook, Traded
from common.venues.credentials import Credentials
from common.venues.dialect import BookEntry, Dialect, Identity, SubscriptionRejected, nonce_ms
from common.venues.generic.dialect import Generic
from common.venues.market_data import checksum_entry
from common.venues.registry import find_dialect
from common.venues.standard import settings_from_one
from services.marketdata.core import MarketDataConfig, MarketDataCore

decode = msgspec.msgpack.Decoder(FeedMessage).decode
WALL_NS = 1_800_000_000 * 1_000_000_000
ACCEPTOR = SessionSettings(
    sender_comp_id="GENERIC",
    target_comp_id="FIXRINGMD",
    initiator=False,
    reset_on_logon=True,
    sequence_policy=SequencePolicy.RESET,
)


class World:
    """The core and a venue; `reachable` says whether a connection succeeds."""

    def __init__(self, schedule: Schedule | None = None, dialect: Dialect | None = None) -> None:
        config = MarketDataConfig(
            venue="generic",
            target_comp_id="GENERIC",
            sender_comp_id="FIXRINGMD",
            symbols=("BTCUSDT", "ETHUSDT"),
            connects=30,
            connects_window_ms=30_000,
            schedule=schedule,
            sums={"BTCUSDT": lambda bids, offers: int(bids[0][0] * 10 + offers[0][1])},
        )
        self.core = MarketDataCore(config, dialect or Generic())
        self.boot_ns = 10**12
        self.venue: Session | None = None
        self.heard: list[dict[bytes, bytes]] = []
        self.feed: list[TopOfBook | Traded] = []
        self.reachable = True
        self.deaf = False
        self.connection = 0
        self.exit: Exit | None = None
        self.core.started(self.now)
        self.settle()

    @property
    def now(self) -> Instant:
        """Both clocks."""
        return Instant(WALL_NS + self.boot_ns, self.boot_ns)

    def settle(self) -> None:
        """Carry out effects until none is left."""
        self.core.turn_ended(self.now)
        while self.core.effects:
            effects, self.core.effects = self.core.effects, []
            for effect in effects:
                match effect:
                    case Publish("feed", data):
                        self.feed.append(decode(data))
                    case Connect(connection):
                        self.connect(connection)
                    case Write(_, data) if self.venue is not None and not self.deaf:
                        self.venue.received(data, self.now)
                        self.from_venue()
                    case Close():
                        self.venue = None
                    case Exit():
                        self.exit = effect
            self.core.turn_ended(self.now)

    def connect(self, connection: int) -> None:
        """A TCP connection, or none."""
        self.connection = connection
        if not self.reachable:
            self.core.closed(connection, "connection refused", self.now)
            return
        self.venue = Session(ACCEPTOR)
        self.venue.connected(self.now)
        self.core.connected(connection, self.now)

    def from_venue(self) -> None:
        """What the acceptor has to say."""
        assert self.venue is not None
        for effect in self.venue.take_effects():
            if isinstance(effect, Outbound):
                self.core.data(self.connection, effect.raw, self.now)
            elif isinstance(effect, Inbound) and effect.application:
                self.heard.append(split(effect.raw))

    def says(self, msg_type: str, body: str) -> None:
        """An application message of the venue, `|` for SOH."""
        assert self.venue is not None
        self.venue.send(msg_type, body.replace("|", "\x01").encode(), self.now)
        self.from_venue()
        self.settle()

    def advance(self, ms: int) -> None:
        """Time passes."""
        end = self.boot_ns + ms * NS_PER_MS
        while (due := self.core.next_deadline_ns()) is not None and due <= end:
            self.boot_ns = max(due, self.boot_ns)
            self.core.timer(self.now)
            self.settle()
        self.boot_ns = end


@pytest.fixture
def world() -> World:
    """Logged on and subscribed."""
    world = World()
    world.advance(0)
    return world


def snapshot(world: World, md_req_id: str = "md-1") -> None:
    """A whole book."""
    world.says("W", f"262={md_req_id}|55=BTCUSDT|268=2|269=0|270=100.5|271=2|269=1|270=100.7|271=3|")


def test_subscribes_and_publishes_the_best_prices(world: World) -> None:
    assert [f[b"35"] for f in world.heard] == [b"V"]
    snapshot(world)
    assert world.feed == [
        TopOfBook(
            "generic", "BTCUSDT", Decimal("100.5"), Decimal(2), Decimal("100.7"), Decimal(3), None, world.now.wall_ns
        )
    ]


def test_changes_are_folded_in_their_order_and_told_once_a_turn(world: World) -> None:
    snapshot(world)
    world.feed.clear()
    world.says(
        "X",
        "262=md-1|268=3|279=0|269=0|55=BTCUSDT|270=100.6|271=1|279=2|269=0|55=BTCUSDT|270=100.5|"
        "279=0|269=2|55=BTCUSDT|270=100.7|271=0.4|2446=1|",
    )
    trade, top = world.feed
    assert trade == Traded("generic", "BTCUSDT", Decimal("100.7"), Decimal("0.4"), "1", world.now.wall_ns)
    assert isinstance(top, TopOfBook)
    assert (top.bid_px, top.ask_px, top.last_px) == (Decimal("100.6"), Decimal("100.7"), Decimal("100.7"))


def test_a_trade_is_told_with_its_own_time_and_one_of_a_snapshot_with_none(world: World) -> None:
    snapshot(world)
    assert isinstance(world.feed[-1], TopOfBook) and world.feed[-1].last_ns == 0
    world.says("X", "262=md-1|268=1|279=0|269=2|55=BTCUSDT|270=100.6|271=1|2446=1|")
    traded_ns = world.now.wall_ns
    world.advance(1_500)
    world.says("X", "262=md-1|268=1|279=0|269=0|55=BTCUSDT|270=100.6|271=1|")
    top = world.feed[-1]
    assert isinstance(top, TopOfBook) and top.heard_ns > traded_ns
    assert (top.last_px, top.last_ns) == (Decimal("100.6"), traded_ns)
    world.says("W", "262=md-1|55=BTCUSDT|268=2|269=0|270=100.5|271=2|269=2|270=99|271=3|")
    top = world.feed[-1]
    assert isinstance(top, TopOfBook) and (top.last_px, top.last_ns) == (Decimal(99), 0)


def test_a_deleted_side_has_no_price(world: World) -> None:
    snapshot(world)
    world.says("X", "262=md-1|268=1|279=2|269=1|55=BTCUSDT|270=100.7|")
    top = world.feed[-1]
    assert isinstance(top, TopOfBook)
    assert (top.bid_px, top.ask_px, top.ask_qty) == (Decimal("100.5"), None, Decimal(0))


def test_what_is_neither_bid_nor_offer_nor_trade_changes_no_price(world: World) -> None:
    snapshot(world)
    before = world.feed[-1]
    world.says("X", "262=md-1|268=1|279=0|269=7|55=BTCUSDT|270=120|271=9|")
    assert world.feed[-1] == before


def test_a_quiet_book_is_repeated_and_asked_for_anew(world: World) -> None:
    snapshot(world)
    heard_ns = world.feed[-1].heard_ns
    world.feed.clear()
    world.advance(3000)
    assert len(world.feed) >= 2
    assert world.feed[-1].heard_ns == heard_ns, "that the venue is there does not make a price young"
    (again,) = [f for f in world.heard if f[b"263"] == b"0"]
    world.says("W", f"262={again[b'262'].decode()}|55=BTCUSDT|268=2|269=0|270=100.5|271=2|269=1|270=100.7|271=3|")
    assert world.feed[-1].heard_ns == world.now.wall_ns


def test_a_venue_that_gives_no_snapshot_on_its_own_is_not_asked_again(world: World) -> None:
    snapshot(world)
    first = world.connection
    world.advance(3000)
    (again,) = [f for f in world.heard if f[b"263"] == b"0"]
    world.says("Y", f"262={again[b'262'].decode()}|281=4|")
    world.advance(9000)
    assert world.connection == first
    assert len([f for f in world.heard if f[b"263"] == b"0"]) == 1


def test_the_age_of_a_price_moves_with_whole_messages_about_it_only(world: World) -> None:
    snapshot(world)
    heard_ns = world.feed[-1].heard_ns
    world.boot_ns += 500 * NS_PER_MS
    world.says("W", "262=md-1|55=ETHUSDT|268=2|269=0|270=9|271=2|269=1|270=10|271=3|")
    world.says("X", "262=md-1|268=1|279=0|269=2|55=BTCUSDT|270=100.6|271=1|")
    world.core.data(world.connection, b"8=FIX.4.4\x019=100000\x0135=W\x0155=BTCUSDT\x01", world.now)
    world.settle()
    world.advance(1100)
    found = [top for top in world.feed if isinstance(top, TopOfBook) and top.symbol == "BTCUSDT"]
    assert found[-1].heard_ns == heard_ns


@pytest.mark.parametrize(
    "body",
    [
        "268=1|279=0|269=0|55=BTCUSDT|270=7.0E4|271=1|",
        "268=1|279=9|269=0|55=BTCUSDT|270=7|271=1|",
        "268=1|279=0|269=0|55=BTCUSDT|271=1|",
        "268=2|279=0|269=0|55=BTCUSDT|270=7|271=1|",
        "268=x|279=0|269=0|55=BTCUSDT|270=7|271=1|",
        "268=1|279=0|269=0|55=BTCUSDT|270=7|271=1|354=1|355=two|",
        "268=1|279=2|278=nobody|55=BTCUSDT|",
    ],
)
def test_what_cannot_be_read_voids_the_book_until_the_next_snapshot(world: World, body: str) -> None:
    snapshot(world)
    world.says("X", f"262=md-1|{body}")
    top = world.feed[-1]
    assert isinstance(top, TopOfBook) and (top.bid_px, top.ask_px) == (None, None)
    assert world.core.books["BTCUSDT"].why
    world.says("X", "262=md-1|268=1|279=0|269=0|55=BTCUSDT|270=100.6|271=1|")
    top = world.feed[-1]
    assert isinstance(top, TopOfBook) and (top.bid_px, top.ask_px) == (None, None), "one side is not the book"
    world.advance(3000)
    assert [f for f in world.heard if f[b"263"] == b"0"], "it is asked for"
    snapshot(world)
    top = world.feed[-1]
    assert isinstance(top, TopOfBook) and top.bid_px == Decimal("100.5") and not world.core.books["BTCUSDT"].why


def best(world: World) -> tuple[object, object]:
    """The best prices as last told."""
    top = world.feed[-1]
    assert isinstance(top, TopOfBook)
    return top.bid_px, top.ask_px


def test_a_book_whose_levels_have_names_is_right(world: World) -> None:
    world.says("W", "262=md-1|55=BTCUSDT|268=2|269=0|270=64990|271=1|336=1|269=1|270=65010|271=1|336=1|")
    assert best(world) == (64990, 65010)
    world.says("X", "262=md-1|55=BTCUSDT|268=1|279=0|269=0|278=b2|270=64995|271=1|")
    world.says("X", "262=md-1|268=1|279=2|278=b1|55=BTCUSDT|")
    assert best(world) == (64995, 65010)
    world.says("X", "262=md-1|268=2|279=0|269=0|278=b3|55=BTCUSDT|270=64980|271=1|279=2|278=b2|")
    assert best(world) == (64980, 65010), "what stood there without a name is over"
    world.says("X", "262=md-1|268=1|279=1|269=0|278=b3|271=7|55=BTCUSDT|")
    assert best(world) == (64980, 65010)


def test_of_several_levels_the_best_is_told(world: World) -> None:
    levels = "269=0|270=99|271=1|269=0|270=100|271=1|269=1|270=101|271=1|269=1|270=103|271=1|"
    world.says("W", f"262=md-1|55=BTCUSDT|268=4|{levels}")
    assert best(world) == (100, 101)
    world.says("X", "262=md-1|268=2|279=2|269=0|270=100|279=0|269=1|270=102|271=1|55=BTCUSDT|")
    assert best(world) == (99, 101)


def test_the_instrument_may_be_named_by_its_security_id(world: World) -> None:
    world.says("W", "262=md-1|48=BTCUSDT|22=8|268=2|269=0|270=1|271=1|269=1|270=2|271=1|")
    assert best(world) == (1, 2)
    world.says("X", "262=md-1|55=[N/A]|48=BTCUSDT|268=1|279=0|269=0|270=1.5|271=1|")
    assert best(world) == (Decimal("1.5"), 2)


def test_an_empty_book_is_known_to_be_empty(world: World) -> None:
    snapshot(world)
    world.says("X", "262=md-1|268=1|279=0|269=J|55=BTCUSDT|")
    assert best(world) == (None, None) and not world.core.books["BTCUSDT"].why


def test_a_stalled_connection_shows_as_age(world: World) -> None:
    snapshot(world)
    heard_ns = world.feed[-1].heard_ns
    world.deaf = True
    world.advance(6000)
    assert world.feed[-1].heard_ns == heard_ns


def test_a_lost_connection_is_silent_until_the_next_snapshot(world: World) -> None:
    snapshot(world)
    world.feed.clear()
    world.reachable = False
    world.venue = None
    world.core.closed(world.connection, "reset by peer", world.now)
    world.settle()
    world.advance(10_000)
    assert world.feed == []
    world.reachable = True
    world.advance(6000)
    assert world.feed == [], "connected again, but what stood in the book is not known to hold"
    snapshot(world)
    assert len(world.feed) == 1


def test_a_gap_and_a_rejected_subscription_end_the_connection(world: World) -> None:
    first = world.connection
    assert world.venue is not None
    world.venue.next_outbound += 1
    snapshot(world)
    world.advance(3000)
    assert world.connection > first
    second = world.connection
    world.says("Y", "262=md-1|281=0|58=no such symbol|")
    world.advance(6000)
    assert world.connection > second


def test_an_unreadable_message_is_counted(world: World) -> None:
    world.says("W", "262=md-1|55=BTCUSDT|268=1|269=0|270=many|271=2|")
    assert world.core.status(world.now)["unreadable"] == 1
    snapshot(world)
    assert world.feed


def test_a_stop_logs_out(world: World) -> None:
    world.core.stop(world.now)
    world.settle()
    assert world.exit is not None
    assert world.exit.status == 0


def test_a_stop_does_not_wait_for_a_venue_that_has_not_answered_the_logon() -> None:
    world = World()
    world.deaf = True
    world.advance(0)
    assert world.core.status(world.now)["state"] == "connecting"
    world.core.stop(world.now)
    world.settle()
    assert world.exit is not None and world.exit.status == 0


def test_a_blocked_connection_is_answered_when_it_is_writable(world: World) -> None:
    world.advance(0)
    assert world.venue is not None
    world.core.blocked(world.connection, world.now)
    world.venue.send("1", b"112=ping\x01", world.now)
    world.from_venue()
    world.settle()
    before = world.venue.last_received_boot_ns
    world.advance(1)
    world.core.writable(world.connection - 1, world.now)
    world.settle()
    assert world.venue.last_received_boot_ns == before
    world.core.writable(world.connection, world.now)
    world.settle()
    assert world.venue.last_received_boot_ns > before


def test_what_a_connection_that_is_over_says_is_not_heard(world: World) -> None:
    world.advance(0)
    old = world.connection
    world.core.closed(old, "reset by peer", world.now)
    world.settle()
    before = world.core.status(world.now)["messages"]
    world.core.data(old, b"8=FIX.4.4", world.now)
    world.core.connected(old, world.now)
    world.settle()
    assert world.core.status(world.now)["messages"] == before


def test_a_symbol_that_was_not_asked_for_is_not_published(world: World) -> None:
    world.advance(0)
    world.feed.clear()
    world.says("W", "262=r|55=DOGEUSDT|268=1|269=0|270=1|271=1|")
    assert world.feed == []


def test_no_act_is_known_by_hand(world: World) -> None:
    world.core.received("control", b"me", ControlRequest("kill"), world.now)
    (answer,) = [e.message for e in world.core.effects if isinstance(e, Send) and e.link == "control"]
    assert isinstance(answer, ControlAnswer) and not answer.ok and "no act" in answer.text


def world_of(venue: str) -> World:
    """Logged on and subscribed at a venue whose Logon(A) needs no key here."""
    unsigned = {"market_data_settings": lambda self, identity, credentials: settings_from_one(identity)}
    world = World(dialect=type("Unsigned", (type(find_dialect(venue)),), unsigned)())
    world.advance(0)
    return world


def depth_of(world: World, symbol: str = "BTCUSDT", levels: int = 2) -> dict[str, Any]:
    arguments = orjson.dumps({"symbol": symbol, "levels": levels})
    world.core.received("control", b"me", ControlRequest("depth", arguments), world.now)
    (answer,) = [e.message for e in world.core.effects if isinstance(e, Send) and e.link == "control"]
    world.settle()
    assert isinstance(answer, ControlAnswer)
    assert answer.ok, answer.text
    return dict(orjson.loads(answer.detail))


def test_depth_is_asked_of_the_venue_by_who_wants_it_and_changes_neither_book_nor_feed(world: World) -> None:
    snapshot(world)
    world.feed.clear()
    asked = len(world.heard)
    told = depth_of(world)
    assert "not answered yet" in told["best_only"]
    assert told["bids"] == [["100.5", "2"]] and told["offers"] == [["100.7", "3"]]
    (question,) = world.heard[asked:]
    assert (question[b"35"], question[b"262"], question[b"263"]) == (b"V", b"depth-1", b"0")
    depth_of(world)
    assert len(world.heard) == asked + 1, "once a second is enough"
    levels = "269=0|270=100.5|271=2|269=0|270=100.4|271=7|269=0|270=100.3|271=9|"
    levels += "269=1|270=100.7|271=3|269=1|270=101|271=1|"
    world.says("W", f"262=depth-1|55=BTCUSDT|268=5|{levels}")
    assert world.feed == [] and not world.core.books["BTCUSDT"].why
    told = depth_of(world)
    assert not told["best_only"] and told["age_ms"] == 0
    assert told["bids"] == [["100.5", "2"], ["100.4", "7"]] and told["offers"] == [["100.7", "3"], ["101", "1"]]
    # The book itself is still the best price alone: a change takes the place of what was there.
    world.says("X", "262=md-1|268=1|279=0|269=0|55=BTCUSDT|270=100.6|271=1|")
    (top,) = world.feed
    assert isinstance(top, TopOfBook) and (top.bid_px, top.bid_qty) == (Decimal("100.6"), Decimal(1))
    assert len(world.core.books["BTCUSDT"].levels(9)[0]) == 1


def test_a_venue_that_refuses_depth_keeps_its_session_and_is_told_as_best_prices_only(world: World) -> None:
    snapshot(world)
    depth_of(world)
    world.says("Y", "262=depth-1|281=5|58=no such depth|")
    assert world.exit is None and world.venue is not None
    # Nothing is known beyond the book itself, and the next question is put when a second is over.
    told = depth_of(world)
    assert len(told["bids"]) == 1 and told["best_only"] == "the venue refuses to tell more: no such depth"
    world.venue = None
    world.core.closed(world.connection, "gone", world.now)
    told = depth_of(world)
    assert told["bids"] == [] and told["best_only"] == "the session is not logged on"


def test_depth_that_is_told_to_subscribers_alone_is_ended_with_its_answer_and_what_comes_after_is_nobody_s() -> (
    None
):
    world = world_of("binance")
    snapshot(world, "md-1-book")
    asked = len(world.heard)
    depth_of(world)
    (question,) = world.heard[asked:]
    assert (question[b"262"], question[b"263"], question[b"264"]) == (b"depth-1-book", b"1", b"50")
    world.says("X", "262=depth-1-book|268=1|279=0|270=1|271=1|269=0|55=BTCUSDT|")
    world.says("W", "262=depth-1-book|55=BTCUSDT|268=2|269=0|270=100.5|271=2|269=0|270=100.4|271=7|")
    assert [fields[b"263"] for fields in world.heard[asked:]] == [b"1", b"2"]
    world.feed.clear()
    world.says("X", "262=depth-1-book|268=1|279=0|270=1|271=1|269=0|55=BTCUSDT|")
    assert world.feed == [] and len(world.core.books["BTCUSDT"].levels(9)[0]) == 1
    assert depth_of(world)["bids"] == [["100.5", "2"], ["100.4", "7"]]
    # One that is not answered is given up, and ended as well.
    world.advance(1_500)
    depth_of(world)
    world.advance(6_500)
    assert [f[b"263"] for f in world.heard[asked:] if f.get(b"262") == b"depth-2-book"] == [b"1", b"2"]


def test_a_venue_that_tells_no_more_than_the_best_prices_says_why_and_is_not_asked() -> None:
    world = world_of("htx")
    world.says("W", "262=1|83=1|55=btcusdt|268=2|269=0|270=100.5|271=2|269=1|270=100.7|271=3|")
    asked = len(world.heard)
    told = depth_of(world)
    assert told["best_only"].startswith("HTX has one subscription") and len(world.heard) == asked


def test_of_a_venue_whose_whole_book_is_followed_a_thin_one_is_whole() -> None:
    world = world_of("gemini")
    world.says("W", "262=md-1-BTCUSDT|55=BTCUSDT|268=1|269=0|270=100.5|271=2|")
    told = depth_of(world)
    assert told["bids"] == [["100.5", "2"]] and not told["best_only"]


def test_depth_of_a_book_with_levels_is_the_book_and_what_rests_at_one_price_is_together(world: World) -> None:
    levels = "269=0|278=a|270=100.5|271=2|269=0|278=b|270=100.5|271=1|269=0|278=c|270=99|271=4|"
    world.says("W", f"262=md-1|55=BTCUSDT|268=3|{levels}")
    asked = len(world.heard)
    told = depth_of(world)
    assert told["bids"] == [["100.5", "3"], ["99", "4"]] and not told["best_only"] and len(world.heard) == asked


def test_depth_of_another_symbol_is_refused(world: World) -> None:
    arguments = orjson.dumps({"symbol": "DOGEUSDT"})
    world.core.received("control", b"me", ControlRequest("depth", arguments), world.now)
    (answer,) = [e.message for e in world.core.effects if isinstance(e, Send) and e.link == "control"]
    assert isinstance(answer, ControlAnswer) and not answer.ok and "no symbol" in answer.text


def scheduled(start: time, end: time) -> World:
    """A venue that keeps hours; the world begins at 08:16:40 UTC."""
    world = World(Schedule(start=start, end=end, zone=ZoneInfo("UTC")))
    world.advance(0)
    return world


def test_outside_its_schedule_it_logs_out_and_comes_back_with_the_next_period() -> None:
    world = scheduled(time(8, 16, 50), time(8, 16, 45))
    snapshot(world)
    first = world.connection
    world.advance(6_000)
    assert world.venue is None
    world.feed.clear()
    status = world.core.status(world.now)
    assert status["state"] == "off_schedule"
    assert status["schedule"] == "outside its schedule until 2027-01-15 08:16:50 UTC"
    world.advance(3_000)
    assert (world.connection, world.feed) == (first, [])
    world.advance(2_000)
    status = world.core.status(world.now)
    assert (world.connection, status["state"], status["schedule"]) == (first + 1, "live", "")


def test_one_period_after_another_is_one_connection() -> None:
    world = scheduled(time(8, 16, 45), time(8, 16, 45))
    world.advance(10_000)
    assert world.connection == 1
    assert world.core.status(world.now)["state"] == "live"


def test_a_start_outside_the_schedule_dials_nobody_and_a_stop_ends_it() -> None:
    world = scheduled(time(8, 30), time(8))
    world.advance(60_000)
    assert world.connection == 0
    world.core.stop(world.now)
    world.settle()
    assert world.exit is not None
    world.advance(3_600_000)
    assert world.connection == 0


def test_a_transport_that_is_not_there_by_the_end_of_the_period_is_given_up() -> None:
    world = scheduled(time(8, 16, 50), time(8, 16, 45))
    world.venue = None
    world.core.closed(world.connection, "reset by peer", world.now)
    world.connect = lambda connection: None  # type: ignore[method-assign]
    world.advance(2_000)
    assert world.core.status(world.now)["state"] == "connecting"
    world.advance(3_100)
    assert world.core.status(world.now)["state"] == "off_schedule"


class Summing(Generic):
    """A venue whose X ends with a checksum of the book."""

    def decode_market_data(self, msg_type: str, raw: bytes) -> list[BookEntry] | SubscriptionRejected:
        told, summed = super().decode_market_data(msg_type, raw), split(raw).get(b"5041", b"").decode()
        assert isinstance(told, list)
        return [*told, checksum_entry("BTCUSDT", summed)] if summed else told


def test_a_book_that_is_not_the_venue_s_is_not_known_until_it_is_told_anew() -> None:
    world = World(dialect=Summing())
    world.advance(0)
    snapshot(world)
    world.says("X", "268=1|279=1|269=1|55=BTCUSDT|270=100.7|271=4|5041=1009|")
    assert isinstance(world.feed[-1], TopOfBook) and (world.feed[-1].bid_px, world.feed[-1].ask_qty) == (
        Decimal("100.5"), Decimal(4),
    )  # fmt: skip
    world.says("X", "268=1|279=1|269=1|55=BTCUSDT|270=100.7|271=5|5041=1009|")
    assert isinstance(world.feed[-1], TopOfBook) and world.feed[-1].bid_px is None
    books = world.core.status(world.now)["books"]
    assert isinstance(books, dict)
    assert books["BTCUSDT"]["why"] == "the venue's checksum of the book is 1009, and ours 1010"
    world.heard.clear()
    world.advance(3000)
    assert [fields[b"35"] for fields in world.heard].count(b"V") == 1, "it is asked for anew"
    snapshot(world)
    assert isinstance(world.feed[-1], TopOfBook) and world.feed[-1].bid_px == Decimal("100.5")


class Counting(Generic):
    """A venue whose Logon(A) has to bear a number that grows."""

    def __init__(self) -> None:
        self.given: list[int] = []

    def market_data_settings(self, identity: Identity, credentials: Credentials | None) -> SessionSettings:
        """As the generic one's, with a Username(553) that is the number."""

        def logon_fields(msg_seq_num: int, sending_time: bytes) -> bytes:
            self.given.append(nonce_ms(identity.last_nonce_ms, parse_utc_timestamp(sending_time)))
            return b"553=%d\x01" % self.given[-1]

        return replace(super().market_data_settings(identity, credentials), logon_fields=logon_fields)


def test_a_logon_s_number_grows_while_the_clock_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    dialect = Counting()
    monkeypatch.setattr(World, "now", property(lambda its: Instant(WALL_NS, its.boot_ns)))
    world = World(dialect=dialect)
    for _ in range(3):
        world.advance(6000)
        world.core.closed(world.connection, "reset by peer", world.now)
        world.settle()
    world.advance(6000)
    assert len(dialect.given) >= 3
    assert dialect.given == [dialect.given[0] + step for step in range(len(dialect.given))]

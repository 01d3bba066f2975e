"""Prices that are asked for: one question at a time, each price with its age, and none once it is too old."""

from decimal import Decimal

import msgspec
import orjson

from common.actor.core import Call, Exit, Note, Publish, Send
from common.instant import NS_PER_MS, NS_PER_S, Instant
from common.messages import Answer, Ask, ControlAnswer, ControlRequest, FeedMessage, Ticker, TopOfBook
from services.marketdata.polling import FAILED_PAUSE_NS, PAUSE_NS, REPEAT_NS, STALE_NS, PollingCore

decode = msgspec.msgpack.Decoder(FeedMessage).decode
WALL_NS = 1_800_000_000 * NS_PER_S


class World:
    """The core, and a worker that the test answers for."""

    def __init__(self, *symbols: str) -> None:
        self.core = PollingCore("acme", symbols or ("BTCUSDT", "ETHUSDT"))
        self.boot_ns = 10**12
        self.asked: list[Ask] = []
        self.number = 0
        self.feed: list[TopOfBook] = []
        self.notes: list[str] = []
        self.exit: Exit | None = None
        self.core.started(self.now)
        self.settle()

    @property
    def now(self) -> Instant:
        return Instant(WALL_NS + self.boot_ns, self.boot_ns)

    def settle(self) -> None:
        effects, self.core.effects = self.core.effects, []
        for effect in effects:
            match effect:
                case Call(number, Ask() as ask):
                    self.number = number
                    self.asked.append(ask)
                case Publish(_, payload):
                    top = decode(payload)
                    assert isinstance(top, TopOfBook)
                    self.feed.append(top)
                case Note():
                    self.notes.append(effect.event)
                case Exit():
                    self.exit = effect

    def wait(self, ns: int) -> None:
        """Time passes; the core is called when it wants to be."""
        end = self.boot_ns + ns
        while (due := self.core.next_deadline_ns()) is not None and due <= end:
            self.boot_ns = max(self.boot_ns, due)
            self.core.timer(self.now)
            self.settle()
        self.boot_ns = end

    def answer(self, bid: str = "99", ask: str = "101", *, failed: str = "", after_ns: int = 0) -> None:
        """The worker is done with the last question."""
        self.boot_ns += after_ns
        question = self.asked[-1]
        ticker = Ticker(question.symbol, Decimal(bid), Decimal(1), Decimal(ask), Decimal(2), Decimal(100))
        told = Answer("acme", question, bool(failed), text=failed, tickers=() if failed else (ticker,))
        self.core.call_finished(self.number, told, self.now)
        self.settle()

    def state(self) -> object:
        return self.core.status(self.now)["state"]


def test_each_symbol_is_asked_for_in_turn_one_question_at_a_time() -> None:
    world = World()
    world.wait(5 * NS_PER_S)
    assert [ask.symbol for ask in world.asked] == ["BTCUSDT"], "no answer, no further question"
    for _ in range(3):
        world.answer()
        world.wait(PAUSE_NS)
    assert [ask.symbol for ask in world.asked] == ["BTCUSDT", "ETHUSDT", "BTCUSDT", "ETHUSDT"]
    assert {ask.what for ask in world.asked} == {"ticker"}


def test_what_is_told_is_published_with_the_age_that_it_has_by_the_time_of_the_question() -> None:
    world = World("BTCUSDT")
    asked_wall_ns = world.now.wall_ns
    world.answer(after_ns=300 * NS_PER_MS)
    (top,) = world.feed
    assert (top.venue, top.symbol, top.bid_px, top.ask_px, top.last_px) == (
        "acme", "BTCUSDT", Decimal(99), Decimal(101), Decimal(100),
    )  # fmt: skip
    assert (top.bid_qty, top.ask_qty, top.heard_ns) == (Decimal(1), Decimal(2), asked_wall_ns)
    assert world.state() == "live"


def test_a_price_is_repeated_and_ages_while_the_venue_does_not_answer_until_it_is_none() -> None:
    world = World("BTCUSDT")
    asked_wall_ns = world.now.wall_ns
    world.answer()
    world.wait(PAUSE_NS + 3 * REPEAT_NS)
    repeated = world.feed[1:]
    assert len(repeated) == 3 and {top.heard_ns for top in repeated} == {asked_wall_ns}
    assert {top.bid_px for top in repeated} == {Decimal(99)}
    world.wait(STALE_NS)
    assert (world.feed[-1].bid_px, world.feed[-1].ask_px, world.feed[-1].heard_ns) == (None, None, asked_wall_ns)
    assert world.notes == ["stale"]
    told = len(world.feed)
    world.wait(STALE_NS)
    assert len(world.feed) == told, "it is told once that there is no price"
    assert world.state() == "waiting"


def test_a_question_that_fails_is_said_once_and_put_again_more_slowly() -> None:
    world = World("BTCUSDT")
    world.answer(failed="connection refused")
    assert world.state() == "failing"
    status = world.core.status(world.now)
    assert (status["failing"], status["failed"], status["messages"]) == ("connection refused", 1, 0)
    world.wait(FAILED_PAUSE_NS - 1)
    assert len(world.asked) == 1
    world.wait(1)
    world.answer(failed="connection refused")
    world.wait(FAILED_PAUSE_NS)
    world.answer()
    assert world.notes == ["rest_failed", "rest_answers"]
    assert world.state() == "live" and world.core.status(world.now)["failing"] == ""


def test_one_symbol_that_fails_is_seen_and_the_others_are_told() -> None:
    world = World()
    world.answer(failed="no such symbol")
    world.wait(FAILED_PAUSE_NS)
    world.answer()
    assert [top.symbol for top in world.feed] == ["ETHUSDT"]
    books = world.core.status(world.now)["books"]
    assert isinstance(books, dict)
    assert [books[symbol]["why"] for symbol in ("BTCUSDT", "ETHUSDT")] == ["no such symbol", ""]
    assert world.state() == "failing"


def test_an_answer_that_names_another_symbol_is_no_price() -> None:
    world = World("BTCUSDT")
    question = world.asked[-1]
    other = Ticker("ETHUSDT", Decimal(1), Decimal(1), Decimal(2), Decimal(1))
    world.core.call_finished(world.number, Answer("acme", question, False, tickers=(other,)), world.now)
    world.settle()
    assert not world.feed and world.state() == "failing"


def depth_of(world: World, symbol: str) -> ControlAnswer:
    world.core.received("control", b"me", ControlRequest("depth", orjson.dumps({"symbol": symbol})), world.now)
    (answer,) = [e.message for e in world.core.effects if isinstance(e, Send) and isinstance(e.message, ControlAnswer)]
    world.settle()
    return answer


def test_depth_is_the_best_prices_with_their_age_and_why_there_is_no_more() -> None:
    world = World("BTCUSDT")
    world.answer()
    world.wait(NS_PER_S // 2)
    told = orjson.loads(depth_of(world, "BTCUSDT").detail)
    assert (told["bids"][0][0], told["offers"][0][0], told["age_ms"]) == ("99", "101", 500)
    assert "no prices over FIX" in told["best_only"] and not told["why"]
    assert "no symbol" in depth_of(world, "DOGEUSDT").text


def test_it_stops_at_once_and_asks_no_more() -> None:
    world = World("BTCUSDT")
    world.core.stop(world.now)
    world.settle()
    assert world.exit is not None and world.exit.status == 0
    world.answer()
    world.wait(5 * NS_PER_S)
    assert len(world.asked) == 1

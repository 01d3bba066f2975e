"""Market data of a simulated exchange: subscribers of the best prices alone."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from common.exchange.changes import Traded
from common.exchange.feed import BID, OFFER, Entry, Feed, Subscription
from tests.common.exchange.harness import SECOND, World, at, terms


class Words:
    """A `Format` that keeps what it is given to write."""

    replaces_top = False

    def __init__(self) -> None:
        self.told: list[list[tuple[str, str, str, str]]] = []

    def snapshot(self, md_req_id: str, symbol: str, entries: Sequence[Entry], update_id: int) -> tuple[str, bytes]:
        return self._kept("W", entries)

    def changes(
        self, md_req_id: str, symbol: str, entries: Sequence[Entry], first_update_id: int, last_update_id: int
    ) -> tuple[str, bytes]:
        return self._kept("X", entries)

    def trades(self, md_req_id: str, trades: Sequence[tuple[Traded, str]]) -> tuple[str, bytes]:
        raise AssertionError("nobody has subscribed to them")

    def _kept(self, msg_type: str, entries: Sequence[Entry]) -> tuple[str, bytes]:
        self.told.append([(e.action, e.entry_type, f"{e.px}", f"{e.qty}") for e in entries])
        return msg_type, b""


def test_a_window_is_told_of_what_enters_and_leaves_it(tmp_path: Path) -> None:
    world, words = World(tmp_path), Words()
    engine, feed = world.core.venue.engine, Feed(world.core.venue, words)
    for name, price in (("a", "900"), ("b", "890"), ("c", "880")):
        engine.place(terms(name, "1", "1", price), at())
    kinds = frozenset((BID, OFFER))
    feed.subscribe(1, Subscription("s", ["BTCUSDT"], 2, kinds, lambda *_: None, windowed=True), at())
    assert words.told.pop() == [("0", "0", "900", "1"), ("0", "0", "890", "1")]

    engine.place(terms("d", "1", "2", "895"), at())
    feed.publish(at(SECOND))
    assert words.told.pop() == [("2", "0", "890", "1"), ("0", "0", "895", "2")], "pushed out, with what rests there"
    engine.place(terms("e", "1", "2", "870"), at())
    feed.publish(at(2 * SECOND))
    assert words.told == [], "outside of the window"
    order = world.core.venue.state.find("desk", "a")
    assert order is not None
    engine.cancel(order, at())
    engine.place(terms("f", "1", "1", "895"), at())
    feed.publish(at(3 * SECOND))
    assert words.told.pop() == [("2", "0", "900", "0"), ("1", "0", "895", "3"), ("0", "0", "890", "1")]
    assert Decimal("890") in {level.price for level in world.core.venue.state.books["BTCUSDT"].bids.walk()}

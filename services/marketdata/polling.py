"""The market data actor of a venue that tells no prices over FIX: its REST side is asked for each symbol in turn.

Same name, feed and status as the one with a connection. A worker has one question at a time, so the loop never waits
for the venue. What was told is published at the end of its turn and repeated each second, with the age that it has by
the time of the question: while the venue does not answer, the age grows until whoever needs a price refuses. What is
older than `STALE_NS` is not known any more, and told once as such.
"""

from collections.abc import Iterable

import msgspec

from common.actor.acts import Cannot, ControlAct, Done, do_act
from common.actor.core import Call, Core, Exit, Publish, Send
from common.instant import NS_PER_MS, NS_PER_S, Instant
from common.messages import Answer, Ask, ControlRequest, Ticker, TopOfBook, encode
from services.marketdata.books import FEED, ZERO
from services.marketdata.depth import DepthArguments, depth_told

TICKER = "ticker"
PAUSE_NS = 100 * NS_PER_MS
"""Between an answer and the next question."""

FAILED_PAUSE_NS = 1000 * NS_PER_MS
"""And after a question that failed: a venue that is down, or that bars who asks too often, is left in peace."""

BEST_ONLY = "the venue has no prices over FIX, and over REST the best ones are asked for"

REPEAT_NS = NS_PER_S
STALE_NS = 10 * NS_PER_S
"""A price of this age is none: above the age at which risk refuses, `reference_max_age_ms`, so that it says why."""


class Price:
    """What is known of one symbol. `asked_boot_ns` is when the question was put that the venue answered last, None
    where it never did, or too long ago."""

    __slots__ = ("asked_boot_ns", "failing", "published_ns", "ticker")

    def __init__(self) -> None:
        self.ticker: Ticker | None = None
        self.asked_boot_ns: int | None = None
        self.published_ns = 0
        self.failing = ""


class PollingCore(Core):
    """See the module. Link: "feed" (PUB); a worker that answers `Ask`."""

    def __init__(self, venue: str, symbols: Iterable[str]) -> None:
        super().__init__(f"marketdata@{venue}")
        self._venue = venue
        self.prices = {symbol: Price() for symbol in symbols}
        self._turn: list[str] = []
        self._asked: str | None = None
        self._asked_boot_ns = 0
        self._call_number = 0
        self._ask_ns: int | None = None
        self._heard_wall_ns = 0
        self._answered = self._failed = self.published = 0
        self._last_error = ""
        self._stopping = False

    # ---- questions ----

    def started(self, now: Instant) -> None:
        """See `Core`."""
        self._ask(now)

    def _ask(self, now: Instant) -> None:
        """The next symbol's price."""
        self._turn = self._turn or list(self.prices)
        self._asked, self._asked_boot_ns, self._ask_ns = self._turn.pop(0), now.boot_ns, None
        self._call_number += 1
        self.effects.append(Call(self._call_number, Ask(self._venue, self._call_number, TICKER, self._asked)))

    def call_finished(self, number: int, result: msgspec.Struct, now: Instant) -> None:
        """See `Core`: the venue's answer, or that there was none."""
        if self._stopping or number != self._call_number or self._asked is None or not isinstance(result, Answer):
            return
        symbol, self._asked = self._asked, None
        price, told = self.prices[symbol], next((t for t in result.tickers if t.symbol == symbol), None)
        why = result.text if result.failed else "" if told is not None else "the answer does not name the symbol"
        if why and not price.failing:
            self.note("warning", "rest_failed", what=TICKER, symbol=symbol, code=result.error_code, text=why)
        elif price.failing and not why:
            self.note("info", "rest_answers", what=TICKER, symbol=symbol)
        price.failing, self._last_error = why, why or self._last_error
        self._ask_ns = now.boot_ns + (FAILED_PAUSE_NS if why else PAUSE_NS)
        if why or told is None:
            self._failed += 1
            return
        self._answered += 1
        self._heard_wall_ns = now.wall_ns
        price.ticker, price.asked_boot_ns = told, self._asked_boot_ns
        self._publish(symbol, price, now)

    # ---- publishing ----

    def _publish(self, symbol: str, price: Price, now: Instant) -> None:
        """The symbol's prices with their age; without prices where they are not known any more."""
        told = price.ticker if price.ticker is not None else Ticker(symbol, None, ZERO, None, ZERO)
        heard_ns = 0 if price.asked_boot_ns is None else now.wall_ns - (now.boot_ns - price.asked_boot_ns)
        top = TopOfBook(
            self._venue, symbol, told.bid_px, told.bid_qty, told.ask_px, told.ask_qty, told.last_px, heard_ns, 0
        )
        self.effects.append(Publish(FEED, encode(top)))
        self.published += 1
        price.published_ns = now.boot_ns

    def _repeat(self, now: Instant) -> None:
        """Tell again what nothing new was told of; forget what is too old, and say so."""
        for symbol, price in self.prices.items():
            if price.asked_boot_ns is None:
                continue
            if now.boot_ns - price.asked_boot_ns >= STALE_NS:
                price.ticker = None
                self.note("warning", "stale", symbol=symbol, text=price.failing)
                self._publish(symbol, price, now)
                price.asked_boot_ns = None
            elif now.boot_ns - price.published_ns >= REPEAT_NS:
                self._publish(symbol, price, now)

    # ---- time ----

    def next_deadline_ns(self) -> int | None:
        """See `Core`."""
        due = [p.published_ns + REPEAT_NS for p in self.prices.values() if p.asked_boot_ns is not None]
        due += [] if self._ask_ns is None else [self._ask_ns]
        return min(due, default=None)

    def timer(self, now: Instant) -> None:
        """See `Core`."""
        self._repeat(now)
        if self._ask_ns is not None and now.boot_ns >= self._ask_ns:
            self._ask(now)

    # ---- stop, control, status ----

    def stop(self, now: Instant) -> None:
        """See `Core`: nothing is waited for."""
        self._stopping, self._ask_ns = True, None
        self.effects.append(Exit(0, "stopped"))

    def received(self, link: str, peer: bytes, message: msgspec.Struct, now: Instant) -> None:
        """See `Core`: beside status, which the shell answers, depth is asked of this actor."""
        assert isinstance(message, ControlRequest)
        acts = {"depth": ControlAct(DepthArguments, self._tell_depth)}
        self.effects.append(Send("control", do_act(self.name, acts, message, now), peer))

    def _tell_depth(self, asked: DepthArguments, _by: str, now: Instant) -> Done:
        """The best prices, and that there are no others."""
        price = self.prices.get(asked.symbol)
        if price is None:
            raise Cannot(f"{asked.symbol} is no symbol of this venue")
        told = price.ticker
        bids = [] if told is None or told.bid_px is None else [(told.bid_px, told.bid_qty)]
        offers = [] if told is None or told.ask_px is None else [(told.ask_px, told.ask_qty)]
        age_ms = None if price.asked_boot_ns is None else (now.boot_ns - price.asked_boot_ns) // NS_PER_MS
        return depth_told(bids, offers, age_ms, BEST_ONLY, price.failing)

    def status(self, now: Instant) -> dict[str, object]:
        """See `Core`: the words of the actor with a connection, which has one more state, and no `failing`."""
        return {
            "state": self._state(),
            "epoch": 0,
            "lsn": 0,
            "last_heard_ms": (now.wall_ns - self._heard_wall_ns) // NS_PER_MS if self._heard_wall_ns else None,
            "messages": self._answered,
            "published": self.published,
            "failed": self._failed,
            "failing": next((price.failing for price in self.prices.values() if price.failing), ""),
            "last_error": self._last_error,
            "books": {symbol: _book(price, now) for symbol, price in self.prices.items()},
        }

    def _state(self) -> str:
        """One word for people: "live" while every symbol has a price of which the last question was answered."""
        if all(price.asked_boot_ns is not None and not price.failing for price in self.prices.values()):
            return "live"
        return "failing" if any(price.failing for price in self.prices.values()) else "waiting"


def _book(price: Price, now: Instant) -> dict[str, object]:
    """One symbol for people."""
    told, asked_ns = price.ticker, price.asked_boot_ns
    age_ms = None if asked_ns is None else (now.boot_ns - asked_ns) // NS_PER_MS
    bid, ask, last = (None, None, None) if told is None else (told.bid_px, told.ask_px, told.last_px)
    return {"bid": str(bid), "ask": str(ask), "last": str(last), "why": price.failing, "age_ms": age_ms}

"""The load: one client a venue that sends, amends and cancels at a set rate, and keeps a book of what it was told.

It runs in a thread of its own while faults happen around it. It never waits for anything: what has no outcome yet is
the client's to repeat, and after a client's death a new instance goes on under the same name.
"""

import contextlib
import random
import threading
import time
from decimal import Decimal

import msgspec
import zmq

from common.config import Config
from common.messages import CommandOutcome, FeedMessage, OrderEvent, TopOfBook, Welcome
from common.strategy.client import Client
from common.strategy.entry import NotWelcome, Superseded, TooManyUnanswered
from scripts.torture.book import Book
from scripts.torture.goods import Good, away, budget_per_s, goods_of

TURN_S = 0.005
MOST_OPEN = 120
"""Open orders of one client; risk's default allows 200."""

OPEN_S = 3
"""And no more than so many seconds of the venue's budget of messages could cancel one by one."""

LOAD_SHARE = 0.5
"""Of that budget, for the load: what is beyond it would be refused here, and prove nothing of the venue."""

ASK_AGAIN_S = 1.0
"""How often everything is cancelled again until it is quiet: what was still under way the first time stays open."""

PACE_S = 1.0
PACE_GROWTH = 1.2
SLOWEST_PER_S = 2.0

IDLE_SHARE = 0.1
"""What is still sent, of the rate, while the order manager is not live: it must be answered too."""

_feed = msgspec.msgpack.Decoder(FeedMessage)


class Prices:
    """The last best prices heard of each venue and symbol."""

    def __init__(self, config: Config, context: "zmq.Context[zmq.Socket[bytes]]") -> None:
        """Subscribes to every venue's feed."""
        self._socket = context.socket(zmq.SUB)
        self._socket.setsockopt(zmq.SUBSCRIBE, b"")
        self._socket.setsockopt(zmq.LINGER, 0)
        for venue in config.venues:
            self._socket.connect(config.endpoint(f"feed.{venue}"))
        self._tops: dict[tuple[str, str], TopOfBook] = {}

    def take(self) -> None:
        """Read what has come."""
        while self._socket.poll(0):
            message = _feed.decode(self._socket.recv())
            if isinstance(message, TopOfBook):
                self._tops[message.venue, message.symbol] = message

    def best(self, venue: str, good: Good, side: str) -> Decimal:
        """The best price of the side ("buy": the bid), or where the book once began."""
        top = self._tops.get((venue, good.symbol))
        price = None if top is None else (top.bid_px if side == "buy" else top.ask_px)
        return price or good.start_price

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()


class Pace:
    """How many commands a venue is sent. Where it refuses most orders for a second, half as many: its own limits may be
    of a kind that no configuration says, and whoever only runs into them shows nothing else.
    """

    def __init__(self, most_per_s: float) -> None:
        """Begins with as many as are wanted at most."""
        self._most_per_s = self.per_s = most_per_s
        self._due = 0.0
        self._passed_s = 0.0
        self._taken = 0

    def heard(self, event: str) -> None:
        """Something came of an order."""
        self._taken += (event == "new") - (event == "rejected")

    def take_due(self, elapsed_s: float) -> int:
        """How many are due after so many seconds more; what was missed long ago is not made up for."""
        self._passed_s += elapsed_s
        if self._passed_s >= PACE_S:
            wanted = self.per_s / 2 if self._taken < 0 else self.per_s * PACE_GROWTH
            self.per_s = min(max(wanted, SLOWEST_PER_S), self._most_per_s)
            self._passed_s, self._taken = 0.0, 0
        self._due = min(self._due + elapsed_s * self.per_s, max(1.0, self.per_s / 4))
        count = int(self._due)
        self._due -= count
        return count


class Trader:
    """One client at one venue."""

    def __init__(
        self, venue: str, config: Config, prices: Prices, book: Book, rng: random.Random, *, rate: float
    ) -> None:
        """Its name is "load-VENUE". `rate` is commands a second, at most; the venue may bear less."""
        self.venue = venue
        self.strategy = f"load-{venue}"
        self.goods = goods_of(config, venue)
        per_s = budget_per_s(config.venues[venue].fix)
        self.pace = Pace(min(rate, LOAD_SHARE * per_s))
        self._most_open = min(MOST_OPEN, int(OPEN_S * per_s))
        self._by_symbol = {good.symbol: good for good in self.goods}
        self.superseded = 0
        self._config = config
        self._prices = prices
        self._book = book
        self._rng = rng
        self._open: dict[int, str] = {}
        self.client = self._instance()

    def _instance(self) -> Client:
        client = Client(self.strategy, config=self._config, connect_timeout_s=30)
        client.connect()
        return client

    def die(self) -> None:
        """A new instance takes the name while the old one lives, which must fall silent; then the old one ends."""
        old = self.client
        self._book.abandoned(self.strategy)
        self.client = self._instance()
        try:
            deadline_s = time.monotonic() + 1
            while time.monotonic() < deadline_s:
                self._take(old.poll(0.05))
            self._book.differences.append(f"{self.strategy}: the older instance was not told that it is superseded")
        except Superseded:
            self.superseded += 1
        old.close()

    def turn(self, commands: int) -> None:
        """Take what came and send `commands` commands."""
        for _ in range(1000):
            event = self.client.poll(0)
            if event is None:
                break
            self._take(event)
        for _ in range(commands):
            try:
                self._command()
            except (TooManyUnanswered, NotWelcome):
                return

    def meet(self) -> None:
        """Rest an order inside the spread, and meet it with one of the other side."""
        good = self._rng.choice(self.goods)
        bid, ask = (self._prices.best(self.venue, good, side) for side in ("buy", "sell"))
        price = away((bid + ask) / 2, "buy", 0, good.tick_size)
        for side, time_in_force in (("buy", "gtc"), ("sell", "ioc")):
            with contextlib.suppress(TooManyUnanswered, NotWelcome):
                number = self.client.new(self.venue, good.symbol, side, good.qty, price, time_in_force=time_in_force)
                self._given(number, "new")

    def cancel_all(self) -> None:
        """Cancel everything of one's own."""
        self._given(self.client.cancel_all(), "cancel_all")

    def _take(self, event: object) -> None:
        match event:
            case CommandOutcome():
                self._book.told(event)
                if event.outcome in ("refused", "expired", "withdrawn"):
                    self._open.pop(event.number, None)
            case OrderEvent():
                self._book.ordered(event)
                self.pace.heard(event.event)
                if event.open:
                    self._open[event.number] = event.symbol
                else:
                    self._open.pop(event.number, None)
            case Welcome() if not event.resumed:
                self._book.interrupted(self.strategy)
                self._open.clear()

    def _given(self, number: int, kind: str) -> int:
        self._book.given(self.strategy, number, kind, self.venue)
        return number

    def _command(self) -> None:
        draw = self._rng.random()
        if len(self._open) >= self._most_open or (self._open and draw < 0.25):
            target = self._rng.choice(list(self._open))
            self._given(self.client.cancel(target), "cancel")
            self._open.pop(target)
        elif self._open and draw < 0.45:
            self._amend()
        elif draw < 0.65:
            self._new("ioc", self._rng.uniform(-0.0005, 0.0005))
        elif draw < 0.66:
            # Off the tick: refused, and nothing else disturbed.
            good = self._rng.choice(self.goods)
            price = good.start_price + good.tick_size / 10
            self._given(self.client.new(self.venue, good.symbol, "buy", good.qty, price), "new")
        else:
            self._new("gtc", self._rng.uniform(0.0001, 0.02))

    def _new(self, time_in_force: str, share: float) -> None:
        good, side = self._rng.choice(self.goods), self._rng.choice(("buy", "sell"))
        qty = good.qty * self._rng.randint(1, 5)
        # An immediate order meets the other side's price.
        best = self._prices.best(self.venue, good, side if time_in_force == "gtc" else _other(side))
        price = away(best, side, share, good.tick_size)
        self._given(self.client.new(self.venue, good.symbol, side, qty, price, time_in_force=time_in_force), "new")

    def _amend(self) -> None:
        target = self._rng.choice(list(self._open))
        order = self.client.orders.get(target)
        if order is None:
            del self._open[target]
            return
        good, side = self._by_symbol[order.symbol], "buy" if order.side == "1" else "sell"
        if self._rng.random() < 0.5:
            best, share = self._prices.best(self.venue, good, side), self._rng.uniform(0.0001, 0.02)
            self._given(self.client.amend(target, price=away(best, side, share, good.tick_size)), "amend")
        else:
            self._given(self.client.amend(target, good.qty * self._rng.randint(1, 6)), "amend")


def _other(side: str) -> str:
    return "sell" if side == "buy" else "buy"


class Load(threading.Thread):
    """Runs the traders; everything about them is touched by this thread alone, but for the switches below."""

    def __init__(self, config: Config, rate: float, seed: int) -> None:
        """`rate` is commands a second over all venues. Connects when started; the stack must run by then."""
        super().__init__(name="load", daemon=True)
        self.book = Book()
        self.failure: BaseException | None = None
        self._config = config
        self._rate = rate
        self._rng = random.Random(seed)
        self._wanted = "run"
        self._is_quiet = threading.Event()
        self._ended = threading.Event()
        self._deaths = 0
        self._floods = 0
        self._meetings = 0
        self._context = zmq.Context()

    # -- switches --

    def quiet(self, timeout_s: float) -> bool:
        """Send nothing new, cancel everything; whether all has come to its end within `timeout_s` seconds."""
        self._is_quiet.clear()
        self._wanted = "quiet"
        return self._is_quiet.wait(timeout_s)

    def resume(self) -> None:
        """Send again."""
        self._wanted = "run"

    def kill_clients(self) -> None:
        """Each client is followed by a new instance of the same name."""
        self._deaths += 1

    def flood(self, commands: int) -> None:
        """Each client sends so many commands at once."""
        self._floods += commands

    def meet(self, pairs: int) -> None:
        """Each client sends so many pairs of orders that meet each other."""
        self._meetings += pairs

    def end(self) -> None:
        """Stop and let go of the sockets."""
        self._wanted = "end"
        self._ended.wait(10)

    # -- the thread --

    def run(self) -> None:
        """Until `end`."""
        prices = Prices(self._config, self._context)
        traders: list[Trader] = []
        try:
            for venue in self._config.venues:
                share = self._rate / len(self._config.venues)
                traders.append(Trader(venue, self._config, prices, self.book, self._rng, rate=share))
            self._loop(traders, prices)
        except BaseException as error:
            self.failure = error
            raise
        finally:
            for trader in traders:
                trader.client.close()
            prices.close()
            self._context.term()
            self._is_quiet.set()
            self._ended.set()

    def _loop(self, traders: list[Trader], prices: Prices) -> None:
        last_s, deaths, ask_s = time.monotonic(), 0, 0.0
        while self._wanted != "end":
            now_s = time.monotonic()
            elapsed_s, last_s = now_s - last_s, now_s
            prices.take()
            if self._deaths > deaths:
                deaths += 1
                for trader in traders:
                    trader.die()
            is_quiet, floods = self._wanted == "quiet", 0
            if is_quiet and self._is_quiet.is_set():
                # At rest: whoever compares now must find nothing new.
                time.sleep(TURN_S)
                continue
            if not is_quiet:
                ask_s = 0.0
                floods, self._floods = self._floods, 0
            for trader in traders:
                count = floods + trader.pace.take_due(elapsed_s) if not is_quiet else 0
                is_live = trader.client.state == "live"
                trader.turn(count if is_live or self._rng.random() < IDLE_SHARE else 0)
                if is_quiet and now_s >= ask_s:
                    trader.cancel_all()
                if not is_quiet and self._meetings:
                    trader.meet()
            if not is_quiet:
                self._meetings = max(0, self._meetings - 1)
            if is_quiet and now_s >= ask_s:
                ask_s = now_s + ASK_AGAIN_S
            if is_quiet and not any(self.book.unsettled()):
                self._is_quiet.set()
            time.sleep(max(0.0, TURN_S - (time.monotonic() - now_s)))

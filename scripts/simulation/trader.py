"""The strategies of the simulation: clients of the order entry link that trade at random and misbehave on purpose.

Written against the wire protocol alone, beside the SDK and not with it: only the protocol is what the two have in
common. A trader numbers its commands, sends the unanswered ones again on a new epoch, lowest first, and is restarted
like any other process; over a restart it remembers nothing but its name.
"""

from decimal import Decimal
from random import Random
from typing import NamedTuple

import msgspec

from common.actor.core import Core, Send
from common.instant import NS_PER_MS, Instant
from common.messages import (
    MAX_TIME_TO_LIVE_NS,
    NO_INSTRUCTIONS,
    POST_ONLY,
    PROTOCOL,
    REDUCE_ONLY,
    Alive,
    AmendRequest,
    CancelAllRequest,
    CancelRequest,
    ClientRequest,
    CommandOutcome,
    Hello,
    NewOrderRequest,
    OrderEvent,
    OrderStatus,
    QueryAnswer,
    QueryRequest,
    Side,
    StatusChanged,
    Terms,
    TimeInForce,
    Welcome,
    WelcomeComplete,
)
from scripts.simulation.drawn_terms import Market, draw_follower, draw_list
from scripts.simulation.invariants import Violation
from scripts.simulation.plan import Vigil

LINK = "orders"
ASK_AGAIN_NS = 300 * NS_PER_MS
"""A hello, or a command that has had neither outcome nor status, is sent again after this."""

QUIET_NS = 1_000 * NS_PER_MS
"""Without anything to wait for, a hello asks this often whether orders is still the one that we know."""


SIGNS_OF_LIFE = 4
"""So often it says that it lives within the time after which it counts as gone."""

UNWATCHED = Vigil(0, cancels=False)

BEFORE_STANDING = (1 << 20) - 1
"""The index below those of what is told as it stands."""


class ToldFills:
    """The fills that one life was told, by number of the order. `expected_qty` is what they must add up to."""

    def __init__(self) -> None:
        """Nothing was told."""
        self._trade_keys: set[tuple[int, str]] = set()
        self._sums: dict[int, Decimal] = {}

    def take(self, event: OrderEvent) -> None:
        """An event of one of the strategy's orders. Raises Violation for a fill that was told before."""
        number = event.number
        if event.reference_trade_key and not event.last_qty and number in self._sums:
            # A bust or a correction is no fill: it says what the fills come to from now on.
            self._sums[number] = event.cum_qty
        if not event.trade_key or not event.last_qty:
            self._sums.setdefault(number, event.cum_qty)
            return
        if (number, event.trade_key) in self._trade_keys:
            raise Violation("fills-told-once", f"{event} is told a second time")
        self._trade_keys.add((number, event.trade_key))
        if number in self._sums:
            self._sums[number] += event.last_qty

    def begin_anew(self) -> None:
        """The state as it is comes next, and earlier fills are not repeated."""
        self._sums.clear()

    def expected_qty(self, number: int) -> Decimal | None:
        """The order's CumQty(14) by what was told; None where it was first heard of by a fill."""
        return self._sums.get(number)


class Habits(NamedTuple):
    """How a trader behaves: the mean time between two commands, and how often each odd thing is done; `anywhere`: what
    it does to a venue or a symbol it does to any, and it has reduce-only orders for contracts. `list_share` is of order
    lists, `follower_share` of orders that wait for the market, follow it, or have their price from it."""

    pause_ns: int
    crossing_share: float
    bad_share: float
    repeat_share: float
    amend_share: float
    cancel_share: float
    burst_share: float
    stop_share: float = 0.0
    further_share: float = 0.0
    anywhere: bool = False
    list_share: float = 0.0
    follower_share: float = 0.0


class Trader(Core):
    """One life of a strategy."""

    def __init__(
        self, name: str, strategy: str, instance: str, random: Random, markets: list[Market], habits: Habits,
        vigil: Vigil = UNWATCHED,
    ) -> None:  # fmt: skip
        """`random` decides everything; a trader that is told to rest sends nothing new."""
        super().__init__(name)
        self.strategy = strategy
        self.instance = instance
        self.resting = False
        self.epoch = 0
        self.number = 0
        self.superseded = False
        self.unanswered: dict[int, ClientRequest] = {}
        self.orders: dict[int, OrderEvent] = {}
        self.fills = ToldFills()
        self.outcomes: dict[int, CommandOutcome] = {}
        self.answers: dict[int, QueryAnswer] = {}
        self.to_be_cancelled: set[int] = set()
        self._random = random
        self._markets = markets
        self._habits = habits
        self._vigil = vigil
        self._alive_ns = 0
        self._next_ns = 0
        self._ask_ns = 0
        self._last = (0, 0)
        self._term = 0
        self._incomplete = False

    def started(self, now: Instant) -> None:
        self._next_ns = now.boot_ns + self._pause_ns()
        self._hello(now)

    def received(self, link: str, peer: bytes, message: msgspec.Struct, now: Instant) -> None:
        match message:
            case Welcome():
                self._welcomed(message)
            case WelcomeComplete():
                self._is_new(message.lsn, message.index)
                self._incomplete = False
            case StatusChanged(state="superseded"):
                self.superseded = True
            case StatusChanged() if message.epoch and message.epoch != self.epoch:
                self._hello(now)
            case CommandOutcome():
                if not message.repeat:
                    # A repeat tells of the past, and may be named by a record ahead of events still to come.
                    self._is_new(message.lsn, message.index)
                request = self.unanswered.pop(message.number, None)
                if isinstance(request, CancelRequest) and message.outcome in ("accepted", "sent"):
                    self.to_be_cancelled.add(request.target_number)
                self.outcomes[message.number] = message
            case QueryAnswer():
                self.answers[message.token] = message
            case OrderEvent():
                if self._is_new(message.lsn, message.index) and message.strategy == self.strategy:
                    self.fills.take(message)
                    self.orders[message.number] = message

    def timer(self, now: Instant) -> None:
        if self.superseded:
            return
        if now.boot_ns >= self._ask_ns:
            self._hello(now)
        if now.boot_ns >= self._next_alive_ns():
            self._alive_ns = now.boot_ns
            self.effects.append(Send(LINK, Alive(self.epoch)))
        if now.boot_ns >= self._next_ns:
            self._next_ns = now.boot_ns + self._pause_ns()
            if self.epoch and not self.resting:
                self._act(now)

    def next_deadline_ns(self) -> int | None:
        if self.superseded:
            return None
        return min(self._next_ns, self._ask_ns, self._next_alive_ns())

    def _next_alive_ns(self) -> int:
        if not (self.epoch and self._vigil.silent_after_ns):
            return 1 << 63
        return self._alive_ns + self._vigil.silent_after_ns // SIGNS_OF_LIFE

    def stop(self, now: Instant) -> None:
        if self.epoch and not self.superseded and self._vigil.silent_after_ns:
            self.effects.append(Send(LINK, Alive(self.epoch, ends=True)))
        super().stop(now)

    def open_orders(self) -> list[OrderEvent]:
        """The orders that this trader was last told are open."""
        return [order for order in self.orders.values() if order.open]

    def ask(self, request: ClientRequest) -> int:
        """Send a new command under the next number; returns the number."""
        number = self.number + 1
        # The other orders of a list have the numbers behind its own.
        self.number = number + (len(request.further) if isinstance(request, NewOrderRequest) else 0)
        numbered = msgspec.structs.replace(request, epoch=self.epoch, number=number)
        self.unanswered[number] = numbered
        self.effects.append(Send(LINK, numbered))
        return number

    def query(self, what: str, token: int) -> None:
        """Ask for what orders knows; `answers` will hold it under `token`."""
        self.effects.append(Send(LINK, QueryRequest(what, token=token, protocol=PROTOCOL)))

    def _hello(self, now: Instant) -> None:
        hurried = not self.epoch or self.unanswered
        self._ask_ns = now.boot_ns + (ASK_AGAIN_NS if hurried else QUIET_NS)
        last = (0, 0) if self._incomplete else self._last
        hello = Hello(self.strategy, self.instance, *last, self.epoch, PROTOCOL, *self._vigil, term=self._term)
        self.effects.append(Send(LINK, hello))

    def _welcomed(self, message: Welcome) -> None:
        self.number = max(self.number, message.highest)
        self._incomplete = not message.resumed
        if not message.resumed:
            self._last = (message.lsn, BEFORE_STANDING)
            self.orders.clear()
            self.fills.begin_anew()
        self.epoch, self._term = message.epoch, message.term
        for number, request in sorted(self.unanswered.items()):
            again = msgspec.structs.replace(request, epoch=message.epoch)
            self.unanswered[number] = again
            self.effects.append(Send(LINK, again))

    def _is_new(self, lsn: int, index: int) -> bool:
        """Events are named (LSN, index) and rise: what was told again on a hello is dropped."""
        if (lsn, index) <= self._last:
            return False
        self._last = (lsn, index)
        return True

    # ---- what it does

    def _pause_ns(self) -> int:
        return int(self._random.expovariate(1.0) * self._habits.pause_ns) + NS_PER_MS

    def _act(self, now: Instant) -> None:
        random, habits = self._random, self._habits
        for _ in range(random.randrange(5, 15) if random.random() < habits.burst_share else 1):
            draw = random.random()
            if draw < habits.repeat_share:
                self._repeat(now)
            elif draw < habits.repeat_share + habits.amend_share:
                self._amend()
            elif draw < habits.repeat_share + habits.amend_share + habits.cancel_share:
                self._cancel()
            else:
                self._give(self._new(now))

    def _give(self, request: NewOrderRequest) -> None:
        """Send it; of a list one order is now and then cancelled while its message is under way."""
        number = self.ask(request)
        if request.further and self._random.random() < 0.2:
            self.ask(CancelRequest(0, 0, number + self._random.randrange(1 + len(request.further))))

    def _new(self, now: Instant) -> NewOrderRequest:
        random, habits = self._random, self._habits
        market = random.choice(self._markets)
        side: Side = random.choice(("1", "2"))
        qty = market.lot_size * max(1, int(market.usual_qty / market.lot_size * random.randrange(1, 30) / 10))
        away = random.randrange(-3, 1) if random.random() < habits.crossing_share else random.randrange(1, 60)
        price = market.price - away * market.tick_size if side == "1" else market.price + away * market.tick_size
        time_in_force: TimeInForce = random.choice(("1", "1", "1", "3", "4")) if away <= 0 else "1"
        symbol, venue = market.symbol, market.venue
        if random.random() < habits.bad_share:
            match random.randrange(6):
                case 0:
                    price += market.tick_size / 3
                case 1:
                    qty *= 10_000
                case 2:
                    symbol = "NOPE"
                case 3:
                    price *= 3
                case 4:
                    qty = Decimal(0)
                case _:
                    venue = "nowhere"
        elif away <= 0 and random.random() < 0.2:
            return NewOrderRequest(0, 0, venue, symbol, Terms(side, "1", qty, None, "3"))
        if habits.list_share and random.random() < habits.list_share:
            drawn = draw_list(random, market, side, qty)
            if drawn is not None:
                return msgspec.structs.replace(drawn, venue=venue, symbol=symbol)
        if habits.follower_share and random.random() < habits.follower_share:
            follower = draw_follower(random, market, side, qty)
            if follower is not None:
                return NewOrderRequest(0, 0, venue, symbol, follower)
        if habits.stop_share and random.random() < habits.stop_share:
            return NewOrderRequest(0, 0, venue, symbol, self._stop(market, side, qty))
        if habits.further_share and random.random() < habits.further_share:
            return NewOrderRequest(0, 0, venue, symbol, self._further(market, Terms(side, "2", qty, price), now))
        instructions = POST_ONLY if away > 0 and random.random() < 0.3 else NO_INSTRUCTIONS
        return NewOrderRequest(
            0, 0, venue, symbol, Terms(side, "2", qty, price, time_in_force, instructions),
            time_to_live_ns=random.choice((MAX_TIME_TO_LIVE_NS, MAX_TIME_TO_LIVE_NS, 200 * NS_PER_MS, 20 * NS_PER_MS)),
        )  # fmt: skip

    def _stop(self, market: Market, side: Side, qty: Decimal) -> Terms:
        """A stop or stop-limit order around the price, now and then on the side where it would be triggered at once."""
        random, sign = self._random, 1 if side == "1" else -1
        stop_px = market.price + sign * random.randrange(-2, 12) * market.tick_size
        if random.random() < 0.5:
            return Terms(side, "3", qty, stop_px=stop_px)
        return Terms(side, "4", qty, stop_px + sign * random.randrange(-2, 20) * market.tick_size, stop_px=stop_px)

    def _further(self, market: Market, terms: Terms, now: Instant) -> Terms:
        """An iceberg, an amount of the quote asset in the place of the quantity, or a date that is soon; for contracts
        mostly one that only reduces the position."""
        random, replace = self._random, msgspec.structs.replace
        if self._habits.anywhere and market.in_contracts and random.random() < 0.7:
            if random.random() < 0.3:
                return Terms(terms.side, "1", terms.order_qty, None, "3", REDUCE_ONLY)
            return replace(terms, instructions=REDUCE_ONLY)
        match random.randrange(3):
            case 0:
                shown = terms.order_qty / random.randrange(1, 6) // market.lot_size * market.lot_size
                return replace(terms, display_qty=max(shown, market.lot_size))
            case 1:
                cash = terms.order_qty * market.price
                return Terms(terms.side, "1", Decimal(0), time_in_force="3", cash_order_qty=cash)
            case _:
                ends_ns = now.wall_ns + random.randrange(-50, 3_000) * NS_PER_MS
                return replace(terms, time_in_force="6", expire_ns=ends_ns)

    def _amend(self) -> None:
        order = self._some_order()
        place = None if order is None else (order.venue, order.symbol)
        market = next((each for each in self._markets if (each.venue, each.symbol) == place), None)
        if order is None or market is None:
            return
        random = self._random
        qty = order.order_qty * random.randrange(3, 15) / 10 // market.lot_size * market.lot_size
        price = None if order.price is None else order.price + random.randrange(-20, 20) * market.tick_size
        choice = random.randrange(3)
        self.ask(AmendRequest(0, 0, order.number, qty if choice != 1 else None, price if choice != 0 else None))

    def _cancel(self) -> None:
        if self._random.random() < 0.05:
            one = self._random.choice(self._markets) if self._habits.anywhere else None
            its_venue, its_symbol = ("binance", "BTCUSDT") if one is None else (one.venue, one.symbol)
            venue, symbol = self._random.choice((("", ""), (its_venue, ""), ("", its_symbol)))
            self.ask(CancelAllRequest(0, 0, venue, symbol, self._random.choice(("", "", "alpha"))))
            return
        order = self._some_order()
        if order is not None:
            self.ask(CancelRequest(0, 0, order.number))

    def _some_order(self) -> OrderEvent | None:
        orders = self.open_orders()
        if self._random.random() < 0.05:
            orders = list(self.orders.values())
        return self._random.choice(orders) if orders else None

    def _repeat(self, now: Instant) -> None:
        """The same number again: with the same body, or (a mistake) with another."""
        if not self.number:
            return
        number = self._random.randrange(max(1, self.number - 5), self.number + 1)
        former = self.unanswered.get(number)
        request = former if former is not None and self._random.random() < 0.5 else self._new(now)
        self.effects.append(Send(LINK, msgspec.structs.replace(request, epoch=self.epoch, number=number)))


def is_settled(order: OrderEvent) -> bool:
    """Whether nothing about the order is under way."""
    return order.status not in (
        OrderStatus.UNKNOWN, OrderStatus.PENDING_NEW, OrderStatus.PENDING_CANCEL, OrderStatus.PENDING_REPLACE,
    )  # fmt: skip

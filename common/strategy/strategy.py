"""The class that a strategy derives from, and the core that runs one as an actor.

A strategy is told what happens by its hooks and acts by its helpers; it opens nothing and reads no clock (`now` is
set before each hook), so the same core runs it live and in the simulator. What a hook raises is noted and counted,
and the strategy goes on.
"""

import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar, Final, NamedTuple, cast

import msgspec
import orjson

from common.actor.acts import do_act
from common.actor.core import Core, Exit, Publish, Send
from common.contracts import SPOT, Contract
from common.instant import NS_PER_MS, NS_PER_S, Instant
from common.messages import (
    MAX_TIME_TO_LIVE_NS,
    ONE_CANCELS_OTHER,
    ONE_TRIGGERS_OTHER,
    SIDE_BUY,
    SIDE_SELL,
    ClientRequest,
    CommandOutcome,
    ControlRequest,
    EntryAnswer,
    OrderEvent,
    PositionChanged,
    StatusChanged,
    Terms,
    TimeInForce,
    TopOfBook,
    Traded,
    Welcome,
    WelcomeComplete,
)
from common.strategy.entry import UNWATCHED, Entry, NamesUsedUp, NotWelcome, Superseded, TooManyUnanswered, Vigil
from common.strategy.signals import BadSignal, Signal, read_signal, signal_line
from common.strategy.terms import paid_orders, terms_of

ZERO: Final = Decimal(0)
LATEST_ERRORS = 5
FAILED: Final = "failed: "
"""How the fate of a signal begins whose hook raised."""


class NoParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The parameters of a strategy that has none."""


class BadParameters(Exception):
    """What the configuration gives a strategy is not what it takes: which strategy, which key."""


class Market(NamedTuple):
    """One symbol at one venue that a strategy may trade.

    `venue`: The venue's name in the configuration.
    `symbol`: Symbol(55) as the venue writes it.
    `base`: The asset that is bought and sold, or that contracts are on; quantities of a spot market are in it.
    `quote`: The asset that is paid with; prices are in it.
    `tick_size`: A price is a multiple of this.
    `lot_size`: A quantity is a multiple of this.
    `min_qty`: The smallest quantity of an order.
    `min_notional`: The smallest notional of an order, in the quote asset.
    `contract`: What a unit of quantity is, where it is not the base asset itself.
    """

    venue: str
    symbol: str
    base: str
    quote: str
    tick_size: Decimal
    lot_size: Decimal
    min_qty: Decimal
    min_notional: Decimal
    contract: Contract = SPOT

    def notional(self, price: Decimal, quantity: Decimal) -> Decimal:
        """What the quantity comes to at `price`, in the quote asset."""
        return self.contract.notional(price, quantity)

    def quantity_of(self, price: Decimal, notional: Decimal) -> Decimal:
        """The quantity on the grid whose notional is, or is just below, `notional` at `price`."""
        return self.quantity_down(self.contract.quantity(price, notional))

    def price_down(self, price: Decimal) -> Decimal:
        """The next price on the grid at or below `price`."""
        return price // self.tick_size * self.tick_size

    def price_up(self, price: Decimal) -> Decimal:
        """The next price on the grid at or above `price`."""
        below = self.price_down(price)
        return below if below == price else below + self.tick_size

    def quantity_down(self, quantity: Decimal) -> Decimal:
        """The next quantity on the grid at or below `quantity`."""
        return quantity // self.lot_size * self.lot_size


class Setting(NamedTuple):
    """What a strategy is given at its start.

    `name`: Its name in the configuration.
    `markets`: What it may trade: each of its symbols at each of its venues that has it.
    `parameters`: The table `[strategies.NAME.parameters]` as it stands in the file.
    `vigil`: How the order manager watches over its process.
    """

    name: str
    markets: tuple[Market, ...]
    parameters: Mapping[str, Any] = {}
    vigil: Vigil = UNWATCHED


class Strategy:
    """The base of every strategy: derive from it and override the hooks that matter.

    `Parameters`: The Struct of its own settings; none by default. A class that has some names its own.
    `timer_ns`: How often `on_timer` is called; a second by default.
    `name`: The strategy's name in the configuration.
    `markets`: What it may trade, a `Market` each, by (venue, symbol).
    `now`: When the hook was called, by both clocks (`wall_ns`, `boot_ns`). A strategy reads no other clock.
    `parameters`: Its settings: `[strategies.NAME.parameters]` as a `Parameters`.
    """

    Parameters: ClassVar[type[msgspec.Struct]] = NoParameters
    timer_ns: ClassVar[int] = NS_PER_S

    def __init__(self, setting: Setting, core: "StrategyCore") -> None:
        """`parameters` are decoded into `Parameters`. Raises BadParameters."""
        self.name = setting.name
        self.markets = {(market.venue, market.symbol): market for market in setting.markets}
        self.now = Instant(0, 0)
        self.core = core
        try:
            self.parameters: Any = msgspec.convert(dict(setting.parameters), self.Parameters, strict=False)
        except msgspec.ValidationError as error:
            raise BadParameters(f"strategies.{setting.name}.parameters: {error}") from None

    # -- hooks ---------------------------------------------------------------------------------------------------------

    def on_start(self) -> None:
        """The order manager has welcomed the strategy and told its open orders and the positions: from here on it may
        send.
        """

    def on_market_data(self, event: TopOfBook | Traded) -> None:
        """Best prices or a public trade came, of its own markets only."""

    def on_order(self, order: OrderEvent) -> None:
        """One of its orders has changed. A fill, a bust and a correction come to a hook of their own after this one."""

    def on_fill(self, fill: OrderEvent) -> None:
        """One of its orders was filled: LastQty(32) is `last_qty`, LastPx(31) is `last_px`."""

    def on_trade_cancel(self, order: OrderEvent) -> None:
        """The venue took a fill back: `cum_qty` and `avg_px` are without it."""

    def on_trade_correct(self, order: OrderEvent) -> None:
        """The venue corrected a fill: `cum_qty` and `avg_px` are the right ones."""

    def on_outcome(self, outcome: CommandOutcome) -> None:
        """A command has its outcome: sent, refused, expired, withdrawn or accepted."""

    def on_signal(self, signal: Signal) -> None:
        """A signal came. What the hook says by `self.core.fate(text)` is told to whoever tails the signals."""

    def on_timer(self) -> None:
        """Called every `timer_ns`, once started."""

    def on_stop(self) -> None:
        """The process is told to end. Resting orders are the order manager's matter (`on_stop` of the venue)."""

    # -- helpers -------------------------------------------------------------------------------------------------------

    def buy(
        self,
        venue: str,
        symbol: str,
        order_qty: Decimal | None,
        price: Decimal | None = None,
        *,
        time_in_force: TimeInForce = "1",
        post_only: bool = False,
        stop_px: Decimal | None = None,
        expire_ns: int = 0,
        reduce_only: bool = False,
        display_qty: Decimal | None = None,
        cash_order_qty: Decimal | None = None,
        take_profit: bool = False,
        trailing_bips: int = 0,
        trailing_offset: Decimal | None = None,
        peg: str = "",
        peg_levels: int = 0,
        label: str = "",
        time_to_live_ns: int = MAX_TIME_TO_LIVE_NS,
        account: str = "",
        cause: str = "",
    ) -> int:
        """Send a buy order: a limit order with `price`, a market order without; with `stop_px` it sleeps until a trade
        is at that price or above, with `expire_ns` (Unix, ns) it is good till then, with `reduce_only` it only makes a
        position in contracts smaller, with `display_qty` no more of it is seen in the book at once. With
        `cash_order_qty` in the place of `order_qty` a market order is for an amount of the quote asset. With
        `take_profit` it sleeps until a trade is at `stop_px` or below; with `trailing_bips` or `trailing_offset` its
        stop price stays so far above the lowest trade, from `stop_px` on if it has one. With `peg` it has, once, the
        best price of its own side ("primary") or of the other ("market"), or `peg_levels` deeper. Returns its number
        at once; its outcome comes to `on_outcome`. `account` is whose it is to be, "" the venue's only one;
        `cause` is what it follows from, and stands in the journal with it.
        """
        terms = terms_of(
            SIDE_BUY, order_qty, price, time_in_force=time_in_force, post_only=post_only, stop_px=stop_px,
            expire_ns=expire_ns, reduce_only=reduce_only, display_qty=display_qty, cash_order_qty=cash_order_qty,
            take_profit=take_profit, trailing_bips=trailing_bips, trailing_offset=trailing_offset, peg=peg,
            peg_levels=peg_levels,
        )  # fmt: skip
        return self.core.entry.new(
            self.now, venue, symbol, terms, label=label, time_to_live_ns=time_to_live_ns, account=account, cause=cause,
        )  # fmt: skip

    def sell(
        self,
        venue: str,
        symbol: str,
        order_qty: Decimal | None,
        price: Decimal | None = None,
        *,
        time_in_force: TimeInForce = "1",
        post_only: bool = False,
        stop_px: Decimal | None = None,
        expire_ns: int = 0,
        reduce_only: bool = False,
        display_qty: Decimal | None = None,
        cash_order_qty: Decimal | None = None,
        take_profit: bool = False,
        trailing_bips: int = 0,
        trailing_offset: Decimal | None = None,
        peg: str = "",
        peg_levels: int = 0,
        label: str = "",
        time_to_live_ns: int = MAX_TIME_TO_LIVE_NS,
        account: str = "",
        cause: str = "",
    ) -> int:
        """Send a sell order, and otherwise as `buy`, with what is above for what is below."""
        terms = terms_of(
            SIDE_SELL, order_qty, price, time_in_force=time_in_force, post_only=post_only, stop_px=stop_px,
            expire_ns=expire_ns, reduce_only=reduce_only, display_qty=display_qty, cash_order_qty=cash_order_qty,
            take_profit=take_profit, trailing_bips=trailing_bips, trailing_offset=trailing_offset, peg=peg,
            peg_levels=peg_levels,
        )  # fmt: skip
        return self.core.entry.new(
            self.now, venue, symbol, terms, label=label, time_to_live_ns=time_to_live_ns, account=account, cause=cause,
        )  # fmt: skip

    def one_cancels_other(
        self, venue: str, symbol: str, one: Terms, other: Terms, *, label: str = "", account: str = "", cause: str = ""
    ) -> int:
        """Send two orders, as `terms_of` makes their terms, of which the first that trades or is triggered cancels the
        other: a post-only limit order and a stop order, or a stop order and one that takes profit. Returns the number
        of the first; the other has the next. A cancel of either cancels both.
        """
        return self.core.entry.new_list(
            self.now, venue, symbol, ONE_CANCELS_OTHER, (one, other), label=label, account=account, cause=cause
        )

    def one_triggers_other(
        self,
        venue: str,
        symbol: str,
        first: Terms,
        *pending: Terms,
        label: str = "",
        account: str = "",
        cause: str = "",
    ) -> int:
        """Send a limit order that places one pending order once it is filled, or two of which one cancels the other.
        Returns the number of the first; the others have those that follow. A cancel of one cancels all.
        """
        return self.core.entry.new_list(
            self.now, venue, symbol, ONE_TRIGGERS_OTHER, (first, *pending), label=label, account=account, cause=cause
        )

    def one_pays_other(
        self,
        venue: str,
        symbol: str,
        first: Terms,
        *pending: Terms,
        label: str = "",
        account: str = "",
        cause: str = "",
    ) -> int:
        """Send a list as `one_triggers_other` does, whose first order buys and whose pending ones sell what its fill
        has brought: the venue counts their quantities, fees taken off, and theirs here are the first one's at most.
        """
        orders = paid_orders((first, *pending))
        return self.one_triggers_other(venue, symbol, *orders, label=label, account=account, cause=cause)

    def amend(self, number: int, order_qty: Decimal | None = None, price: Decimal | None = None) -> int:
        """Change the total quantity, the price, or both, of its order `number`; None leaves one as it is. Returns the
        command's number.
        """
        return self.core.entry.amend(self.now, number, order_qty, price)

    def cancel(self, number: int) -> int:
        """Cancel its order `number`: a wish that stays until the order is closed. Returns the command's number."""
        return self.core.entry.cancel(self.now, number)

    def cancel_all(self, venue: str = "", symbol: str = "", account: str = "") -> int:
        """Cancel all its orders at `venue`, of `account`, in `symbol`; "" is any. Returns the command's number."""
        return self.core.entry.cancel_all(self.now, venue, symbol, account=account)

    @property
    def orders(self) -> Mapping[int, OrderEvent]:
        """Its open orders by number, as last told."""
        return self.core.entry.orders

    @property
    def unanswered(self) -> Mapping[int, ClientRequest]:
        """Its commands that have no outcome yet, by number."""
        return self.core.entry.unanswered

    def awaits(self, number: int) -> bool:
        """Whether its command `number` has no outcome yet."""
        return self.core.entry.awaits(number)

    @property
    def is_live(self) -> bool:
        """Whether the order manager takes orders now, and what is known of orders and positions is whole."""
        return self.core.entry.state == "live" and not self.core.entry.replacing

    @property
    def positions(self) -> Mapping[tuple[str, str], PositionChanged]:
        """Positions by (account, symbol), as last told: cost, fees, and after which record. A venue's first account is
        called like the venue.
        """
        return self.core.entry.positions

    def position(self, account: str, symbol: str) -> Decimal:
        """An account's position in the base asset, fees taken off, or in contracts.

        A venue's first account is called like the venue.
        """
        held = self.core.entry.positions.get((account, symbol))
        return ZERO if held is None else held.quantity

    def own_position(self, account: str, symbol: str) -> Decimal:
        """What of `position` the strategy's own fills have brought, over all its starts: other strategies' and
        strangers' fills are not in it. Its cost, profit and fees are in `positions`, as `own_average_price`,
        `own_realised_profit` and `own_fees`.
        """
        held = self.core.entry.positions.get((account, symbol))
        return ZERO if held is None or held.own_quantity is None else held.own_quantity

    def top(self, venue: str, symbol: str, max_age_ns: int) -> TopOfBook | None:
        """The best prices, or None where none were heard within the last `max_age_ns`."""
        return self.core.top(venue, symbol, max_age_ns, self.now)

    def note(self, event: str, **fields: object) -> None:
        """Add a line to the strategy's log."""
        self.core.note("info", event, **fields)


class LongTurns(msgspec.Struct):
    """How often a hook ran in a turn that kept everything else of the process waiting, and the longest such turn."""

    count: int = 0
    longest_ms: int = 0


class StrategyCore(Core):
    """The actor `strategy@NAME`: the entry link, the feed and the signals around one `Strategy`.

    Links: "entry" to the order manager, "feed" of market data, and for signals raw bytes through `followed`; what
    became of each signal is published on "signals.out".
    """

    def __init__(self, setting: Setting, kind: type[Strategy], instance: str, *, takes_signals: bool = False) -> None:
        """`instance` must differ for each start. Raises BadParameters."""
        super().__init__(f"strategy@{setting.name}")
        self.entry = Entry(setting.name, instance, vigil=setting.vigil)
        self.strategy = kind(setting, self)
        self._takes_signals = takes_signals
        self._markets = frozenset(self.strategy.markets)
        self._tops: dict[tuple[str, str], tuple[TopOfBook, int]] = {}
        self._started = False
        self._timer_ns = 0
        self._counts: Counter[str] = Counter()
        self._errors: list[str] = []
        self._raising: dict[str, str] = {}
        self._ran: dict[str, None] = {}
        self._ran_ns = 0
        self._long_turns: dict[str, LongTurns] = {}
        self._refused_in_a_row = 0
        self._last_refusal = ""
        self._fate = ""

    # -- inputs --------------------------------------------------------------------------------------------------------

    def started(self, now: Instant) -> None:
        """Say hello to the order manager."""
        self.entry.start(now)
        self._flush()

    def received(self, link: str, peer: bytes, message: msgspec.Struct, now: Instant) -> None:
        """A word of the order manager, market data, or a person's request."""
        self.strategy.now = now
        if isinstance(message, TopOfBook | Traded):
            self._market_data(message, now)
        elif isinstance(message, ControlRequest):
            self.effects.append(Send("control", do_act("a strategy", {}, message, now), peer))
        elif link == "entry":
            self._heard(cast(EntryAnswer, message), now)
        self._flush()

    def followed(self, block: bytes, now: Instant) -> None:
        """Lines of signals."""
        self.strategy.now = now
        for line in block.splitlines():
            if line.strip():
                self._signal(line)
        self._flush()

    def timer(self, now: Instant) -> None:
        """What is overdue at the order manager, and the strategy's own timer."""
        self.strategy.now = now
        self.entry.timer(now)
        if self._started and not self.entry.superseded and now.boot_ns >= self._timer_ns:
            self._timer_ns = now.boot_ns + self.strategy.timer_ns
            self._guard("on_timer", self.strategy.on_timer)
        self._flush()

    def next_deadline_ns(self) -> int | None:
        """See `Core`."""
        asked_ns = self.entry.next_deadline_ns()
        if not self._started or self.entry.superseded:
            return asked_ns
        return self._timer_ns if asked_ns is None else min(asked_ns, self._timer_ns)

    def undelivered(self, send: Send, now: Instant) -> None:
        """The queue to the order manager is full; what is unanswered is sent again after the next welcome."""
        self._counts["undelivered"] += 1

    def turn_was_long(self, took_ns: int, now: Instant) -> None:
        """Count it for the hooks that ran in it."""
        if not self._ran or self._ran_ns != now.boot_ns:
            return
        took_ms = took_ns // NS_PER_MS
        for hook in self._ran:
            turns = self._long_turns.setdefault(hook, LongTurns())
            turns.count, turns.longest_ms = turns.count + 1, max(took_ms, turns.longest_ms)
        count = max(self._long_turns[hook].count for hook in self._ran)
        # The first, and then fewer and fewer: a strategy that is always slow does not fill the disk.
        if count & (count - 1) == 0:
            self.note("warning", "long_turn", hooks=list(self._ran), ms=took_ms, count=count)

    def stop(self, now: Instant) -> None:
        """Let the strategy say its last word, and end."""
        self.strategy.now = now
        if self._started:
            self._guard("on_stop", self.strategy.on_stop)
        self.entry.end()
        self._flush()
        self.effects.append(Exit(0, "stopped"))

    # -- what the hooks may ask ----------------------------------------------------------------------------------------

    def top(self, venue: str, symbol: str, max_age_ns: int, now: Instant) -> TopOfBook | None:
        """The best prices heard within `max_age_ns`, by the older of the feed's clock and ours."""
        held = self._tops.get((venue, symbol))
        if held is None:
            return None
        top, heard_boot_ns = held
        age_ns = max(now.wall_ns - top.heard_ns, now.boot_ns - heard_boot_ns)
        return top if age_ns <= max_age_ns else None

    def fate(self, text: str) -> None:
        """From `on_signal`: what became of the signal, for whoever tails them."""
        self._fate = text

    # -- the pieces ----------------------------------------------------------------------------------------------------

    def _market_data(self, message: TopOfBook | Traded, now: Instant) -> None:
        if (message.venue, message.symbol) not in self._markets:
            return
        if isinstance(message, TopOfBook):
            self._tops[message.venue, message.symbol] = (message, now.boot_ns)
        if self._started and not self.entry.superseded:
            self._guard("on_market_data", self.strategy.on_market_data, message)

    def _heard(self, message: EntryAnswer, now: Instant) -> None:
        news = self.entry.received(message, now)
        strategy = self.strategy
        match news:
            case Welcome():
                self.note("info", "welcome", state=news.state, epoch=news.epoch, highest=news.highest)
            case WelcomeComplete() if self._started:
                for order in list(self.entry.orders.values()):
                    self._guard("on_order", strategy.on_order, order)
            case WelcomeComplete():
                self._start(now)
            case StatusChanged():
                self.note("info", "status", state=news.state, number=news.number)
            case CommandOutcome():
                self._counts[news.outcome] += 1
                self._count_refusal(news)
                if news.outcome in ("refused", "withdrawn"):
                    self.note("warning", news.outcome, number=news.number, reason=news.reason, text=news.text)
                self._guard("on_outcome", strategy.on_outcome, news)
            case OrderEvent() if news.strategy == strategy.name and not self.entry.replacing:
                self._guard("on_order", strategy.on_order, news)
                if news.event == "trade_cancel":
                    self._guard("on_trade_cancel", strategy.on_trade_cancel, news)
                elif news.event == "trade_correct":
                    self._guard("on_trade_correct", strategy.on_trade_correct, news)
                elif news.last_qty:
                    self._counts["fills"] += 1
                    self._guard("on_fill", strategy.on_fill, news)
            case PositionChanged():
                self._counts["positions"] += 1

    def _count_refusal(self, outcome: CommandOutcome) -> None:
        """How many commands were refused since one was not: a strategy that gets nothing through looks alive."""
        if outcome.outcome == "refused":
            self._refused_in_a_row += 1
            self._last_refusal = f"{outcome.reason.value}, {outcome.text or outcome.reason.sentence}"
        elif outcome.outcome in ("sent", "accepted"):
            self._refused_in_a_row = 0

    def _start(self, now: Instant) -> None:
        self._started = True
        self._timer_ns = now.boot_ns + self.strategy.timer_ns
        self._guard("on_start", self.strategy.on_start)

    def _signal(self, line: bytes) -> None:
        self._counts["signals"] += 1
        try:
            signal = read_signal(line)
        except BadSignal as error:
            self._counts["bad_signals"] += 1
            self.note("warning", "bad_signal", why=str(error))
            self._tell(line, f"no signal: {error}")
            return
        self._fate = "not started" if not self._started else "superseded" if self.entry.superseded else "ignored"
        if self._started and not self.entry.superseded:
            why = self._guard("on_signal", self.strategy.on_signal, signal)
            self._fate = f"{FAILED}{why}" if why else self._fate
        self.note("info", "signal", id=signal.id, kind=signal.kind, fate=self._fate)
        self._tell(signal_line(signal), self._fate)

    def _tell(self, line: bytes, fate: str) -> None:
        if self._takes_signals:
            told = orjson.dumps({"strategy": self.strategy.name, "fate": fate, "signal": _shown(line)})
            self.effects.append(Publish("signals.out", told))

    def _guard(self, hook: str, call: Callable[..., None], *arguments: object) -> str:
        """Call a hook. What it raises is the strategy's error, never the process's: returned in words, "" for none."""
        if self._ran_ns != self.strategy.now.boot_ns:
            self._ran_ns = self.strategy.now.boot_ns
            self._ran.clear()
        self._ran[hook] = None
        try:
            call(*arguments)
        except (NamesUsedUp, NotWelcome, Superseded, TooManyUnanswered) as error:
            self._counts["unsent"] += 1
            self.note("warning", "unsent", hook=hook, why=str(error))
            return str(error)
        except Exception as error:
            self._counts["errors"] += 1
            text = self._raising[hook] = f"{type(error).__name__}: {error}"
            self._errors = [*self._errors[-LATEST_ERRORS + 1 :], f"{hook}: {text}"]
            self.note("error", "strategy_error", hook=hook, traceback=traceback.format_exc())
            return text
        self._raising.pop(hook, None)
        return ""

    def _flush(self) -> None:
        outgoing, self.entry.outgoing = self.entry.outgoing, []
        self.effects.extend(Send("entry", request) for request in outgoing)

    # -- status --------------------------------------------------------------------------------------------------------

    def status(self, now: Instant) -> dict[str, object]:
        """State, open orders, what has no outcome yet, and counts, the strategy's own errors among them.

        `raising` holds the hooks whose last call raised, `long_turns` those that ran when others had to wait, and
        `refused_in_a_row` counts the commands refused since one was not.
        """
        return {
            "state": self.entry.state,
            "epoch": self.entry.epoch,
            "lsn": self.entry.last[0],
            "open_orders": len(self.entry.orders),
            "unanswered": len(self.entry.unanswered),
            "counts": dict(self._counts),
            "errors": list(self._errors),
            "raising": dict(self._raising),
            "long_turns": msgspec.to_builtins(self._long_turns),
            "refused_in_a_row": self._refused_in_a_row,
            "last_refusal": self._last_refusal,
        }


def _shown(line: bytes) -> object:
    """A line as JSON again, or as text where it is none."""
    try:
        return cast(object, orjson.loads(line))
    except orjson.JSONDecodeError:
        return line[:256].decode("utf-8", "replace")


def markets_of(names: Sequence[tuple[str, str]], known: Mapping[tuple[str, str], Market]) -> tuple[Market, ...]:
    """The markets called `names`, in that order; a symbol that a venue does not have is left out."""
    return tuple(known[name] for name in names if name in known)

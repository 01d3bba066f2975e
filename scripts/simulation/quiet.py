"""After the storm: the faults have stopped; the system must trade again and agree with the exchanges in everything."""

from collections.abc import Callable
from functools import partial
from random import Random

from common.actor.snapshots import Foldable
from common.exchange.engine import Cause
from common.instant import NS_PER_MS, NS_PER_S
from common.messages import (
    CancelAllRequest,
    NewOrderRequest,
    OrderEvent,
    OrderStatus,
    PositionChanged,
    Side,
    Terms,
)
from common.venues.registry import find_profile
from common.venues.venue import Feature
from scripts.simulation import setting
from scripts.simulation.agreement import money_apart, risk_apart, strangers_apart, told_apart
from scripts.simulation.desk import Desk
from scripts.simulation.invariants import Violation
from scripts.simulation.plan import PROBE, SILENT_AFTER_NS, TRADERS, Vigil
from scripts.simulation.trader import Trader, is_settled
from scripts.simulation.world import World
from services.exchange.core import ExchangeCore
from services.orders.core import OrdersCore
from services.risk.core import RiskCore

LOOK_NS = 20 * NS_PER_MS
OPEN_WITHIN_NS = 90 * NS_PER_S
"""Longest of all: a venue's lock of a SenderCompID(49), its limit of connections, the windows of reconciliation."""

TRADE_WITHIN_NS = 30 * NS_PER_S
AGREE_WITHIN_NS = 60 * NS_PER_S
REQUESTS_OF_ABSENCE, REQUESTS_OF_AGREEMENT = 4, 180
"""What it takes to ask about an order of which the venue knows nothing, and, at most, about all that the storm left.
Where a venue allows few in a second, these take time of their own."""

NUMBERS_WITHIN_NS = 10 * NS_PER_S
LONGEST_WINDOW_NS = 30 * NS_PER_S
TOLD_WITHIN_NS = 10 * NS_PER_S
ASK_AGAIN_NS = 300 * NS_PER_MS
LONG_NS = 600 * NS_PER_S
CANCELLED_WITHIN_NS = 5 * NS_PER_S
"""After a strategy has fallen silent, when all is well: a look, the cancel's way, and the venue's answer."""

KILL_WITHIN_NS = 3 * NS_PER_S
FAR_NS = 600 * NS_PER_MS
AT_ONCE_NS = 100 * NS_PER_MS
FAR_VENUE = "generic"
"""Whose way is long in the check of that: it answers mass cancels, and asks who is quiet whether he lives."""

CANCELLED_BY_US = frozenset({Cause.USER, Cause.MASS_CANCEL, Cause.DISCONNECTED})
"""Of an order at an exchange: what ended it, where that was no trade and no rule of the exchange."""

FLOOD = 250
"""TestRequest(1) in one burst, more than a whole window allows us to send."""

TURNS_TO_REST = 100_000
"""So many turns without coming to rest are a system that never does."""


def come_to_rest(world: World) -> None:
    """Everything that can be said only of a system at rest. Raises Violation."""
    for process in world.processes.values():
        if isinstance(process.core, Trader):
            process.core.resting = True
        elif isinstance(process.core, Desk):
            process.core.hand.resting = True
    _await_gates(world)
    wait(world, OPEN_WITHIN_NS, "alive-again", lambda: not _halts(world), lambda: _halts(world))
    wait(world, OPEN_WITHIN_NS, "alive-again", lambda: not _unpriced(world), lambda: _unpriced(world))
    # What is unknown counts in risk at its worst: it may leave no room for the probes.
    _pass_windows(world)
    for venue, symbol in setting.position_limits(world.config):
        _Probe(world, venue, symbol).trade()
    wait(world, AGREE_WITHIN_NS, "answered", lambda: _is_heard_out(world), lambda: "a dead strategy's commands")
    wait(world, AGREE_WITHIN_NS, "answered", lambda: not _unanswered(world), lambda: _unanswered(world))
    _Audit(world).until_equal()
    wait(world, AGREE_WITHIN_NS, "wish-stays", lambda: not _wished(world), lambda: _wished(world))
    wait(world, TOLD_WITHIN_NS, "told-agrees", lambda: not told_apart(world), lambda: told_apart(world))
    wait(world, AGREE_WITHIN_NS, "risk-agrees", lambda: not risk_apart(world), lambda: risk_apart(world))
    wait(world, AGREE_WITHIN_NS, "money-agrees", lambda: not money_apart(world), lambda: money_apart(world))
    wait(world, AGREE_WITHIN_NS, "strangers-seen", lambda: not strangers_apart(world), lambda: strangers_apart(world))
    _check_rebuilt(world)
    wait(world, NUMBERS_WITHIN_NS, "numbers-agree", lambda: not _numbers_apart(world), lambda: _numbers_apart(world))
    if world.plan.vigils:
        _Gone(world).check()
    if world.plan.seed % 4 == 0:
        _check_kill(world)
    else:
        _probe(world).ask(CancelAllRequest(0, 0, target_strategy="*"))
        world.processes[PROBE].flush()
    _Audit(world).until_empty()


def wait(
    world: World, within_ns: int, invariant: str, done: Callable[[], bool], state: Callable[[], object],
    look_ns: int = LOOK_NS, further_ns: Callable[[], int] = int,
) -> None:  # fmt: skip
    """Let time pass until it is `done`. Raises Violation of the invariant, with the `state`, where that takes longer;
    the longest of what is `further_ns` meanwhile is added to the bound.
    """
    began_ns, began_turns, longest_ns = world.scheduler.now_ns, world.turns, 0
    while not done():
        longest_ns = max(longest_ns, further_ns())
        world.run_for(look_ns)
        over = world.scheduler.now_ns - began_ns > within_ns + longest_ns
        if over or world.turns - began_turns > TURNS_TO_REST:
            raise Violation(invariant, f"after {(world.scheduler.now_ns - began_ns) / 1e9:.1f} s: {state()}")


def _unpriced(world: World) -> list[str]:
    """The market data sessions that are not logged on: they wait for the venue's locks and limits as the others do."""
    return [name for name in world.plan.roles.market_data if _status(world, name)["state"] != "live"]


def _pass_windows(world: World) -> None:
    """A stack whose clock ran far ahead when it sent has no evidence before the venue's clock has come to there, and
    nobody can wait for an hour: all clocks are put forward together."""
    for venue, config in world.config.venues.items():
        clock = world.hosts[f"exchange@{venue}"].clock
        closes_ns = world.checkers.last_sent_ns.get(venue, 0) + find_profile(config.dialect).window_ns
        ahead_ns = closes_ns - clock.read().wall_ns
        if ahead_ns > LONGEST_WINDOW_NS:
            for host in world.hosts.values():
                host.clock.jump(ahead_ns)


def _check_rebuilt(world: World) -> None:
    """The states that lived through it all, against those that are folded anew from the log."""
    orders, risk = world.processes["orders"].core, world.processes["risk"].core
    if not isinstance(orders, OrdersCore) or not isinstance(risk, RiskCore):
        raise Violation("alive-again", "orders or risk does not run")
    books, state = orders.books, risk.state
    _same(world, "orders", books.digest(), setting.folded_orders(world.config, bounds=books.bounds), books.lsn)
    _same(world, "risk", state.digest(), setting.folded_risk(world.config), state.lsn)


def _same(world: World, name: str, digest: bytes, state: Foldable, lsn: int) -> None:
    for found in world.witness.records[:lsn]:
        state.apply(found.record)
    if state.digest() != digest:
        raise Violation("state-rebuilds", f"{name} at record {lsn}")


def _numbers_apart(world: World) -> list[str]:
    """What a session and its exchange hold for the next numbers, where they differ."""
    apart: list[str] = []
    for venue in world.config.venues:
        ours, theirs = _status(world, f"session@{venue}"), _status(world, world.fix_side(venue))
        sessions = theirs.get("sessions")
        row = sessions.get(str(ours["sender_comp_id"])) if isinstance(sessions, dict) else None
        if row is None or (ours["next_outbound"], ours["next_inbound"]) != (row["next_inbound"], row["next_outbound"]):
            apart.append(f"{venue}: {ours['next_outbound']} out, {ours['next_inbound']} in; there {row}")
    return apart


def _status(world: World, name: str) -> dict[str, object]:
    process = world.processes[name]
    return {"state": "dead"} if process.core is None else process.core.status(process.clock.read())


def _check_kill(world: World) -> None:
    """The kill switch empties every book, in some seeds with the journal, orders or risk stopped, in some of them after
    a power loss from which the journal does not come back; or with a session stopped whose account has to do it."""
    stopped = ("", "journal", "orders", "risk")[world.plan.seed // 4 % 4]
    accounts = world.plan.roles.accounts
    if stopped in ("", "risk") and world.plan.seed // 16 % 2 and accounts:
        stopped = accounts[0].replace("account", "session")
    world.holds_down.add(stopped)
    world.kill_if_there(stopped)
    if stopped == "journal" and world.plan.seed // 16 % 2:
        world.crash_host(Random(world.plan.seed))
        world.run_for(LOOK_NS)
    if world.plan.version > 2 and stopped == "orders" and FAR_VENUE in world.plan.venues:
        _check_kill_far_away(world)
    else:
        world.pull_kill_switch(risk_too=True)
    wait(
        world, KILL_WITHIN_NS, "kill-empties", lambda: _is_empty(world), lambda: (stopped, _still_open(world)),
        LOOK_NS // 400,
    )  # fmt: skip
    world.holds_down.clear()
    for process in world.processes.values():
        process.start()
    _await_gates(world)


def _check_kill_far_away(world: World) -> None:
    """The venue's way is long, and it wants to know whether we live more often than it allows us to say so."""
    before = dict(world.checkers.mass_cancels)
    world.ask(f"exchange@{FAR_VENUE}", "fault", {"kind": "test_request", "scope": "fix", "count": FLOOD})
    world.run_for(LOOK_NS)
    world.far_weather.least_ns = FAR_NS
    world.pull_kill_switch(risk_too=True)
    world.run_for(AT_ONCE_NS)
    profiles = {name: find_profile(venue.dialect) for name, venue in world.config.venues.items()}
    asked = [venue for venue, profile in profiles.items() if profile.has(Feature.MASS_CANCEL)]
    late = [venue for venue in asked if world.checkers.mass_cancels[venue] == before.get(venue, 0)]
    if late:
        raise Violation("kill-at-once", f"{late}: nothing left within {AT_ONCE_NS / 1e9} s")
    wait(
        world, 2 * FAR_NS + NS_PER_S - AT_ONCE_NS, "kill-hears",
        lambda: _status(world, f"session@{FAR_VENUE}").get("kill") == "clear", lambda: _still_open(world),
    )  # fmt: skip
    world.far_weather.clear_up()


def _is_empty(world: World) -> bool:
    """Whether nothing is open. Raises Violation where an actor says so of its venue and is wrong."""
    for venue, truth in world.truths.items():
        left = truth.open_orders()
        for name in (f"session@{venue}", f"account@{venue}") if left else ():
            status = _status(world, name) if name in world.processes else {}
            if status.get("kill") == "clear" or status.get("verified"):
                raise Violation("kill-is-honest", f"{name} says that nothing is open at {venue}: {sorted(left)} are")
    return not _still_open(world)


def _still_open(world: World) -> list[tuple[str, str]]:
    return list(world.open_there())


def _is_heard_out(world: World) -> bool:
    """Whether nothing comes any more of what strategies sent before they died, and wait for no answer to: an order that
    came after the cancel of all would rightly stay."""
    return world.scheduler.now_ns > world.last_commands_ns + LOOK_NS


def _unanswered(world: World) -> dict[str, list[int]]:
    """The commands that strategies still wait for."""
    traders = [(name, process.core) for name, process in world.processes.items() if isinstance(process.core, Trader)]
    waiting = {name: list(core.unanswered) for name, core in traders if core.unanswered and not core.superseded}
    desks = [process.core for process in world.processes.values() if isinstance(process.core, Desk)]
    return waiting | {desk.name: list(desk.entry.unanswered) for desk in desks if desk.entry.unanswered}


def _wished(world: World) -> list[tuple[str, str]]:
    """The orders open at an exchange whose cancel was accepted from a strategy that still runs."""
    wished = {
        (core.strategy, number)
        for core in (process.core for process in world.processes.values())
        if isinstance(core, Trader)
        for number in core.to_be_cancelled
    }
    open_legs = world.open_there().keys()
    return sorted(leg for name in wished for leg in world.checkers.legs[name] if leg in open_legs)


def _gates(world: World) -> dict[str, str]:
    """Each session's state in its own word."""
    states: dict[str, str] = {}
    for venue in world.config.venues:
        states[venue] = str(_status(world, f"session@{venue}")["state"])
    return states


def _await_gates(world: World) -> None:
    """Every session trades, within the bound. Raises Violation."""
    # Of a connection that is dead, and is not known to be yet, the orders come into doubt meanwhile.
    def asked_within_ns() -> int:
        return max((_asked_within_ns(world, venue) for venue in world.plan.venues), default=0)

    wait(
        world, OPEN_WITHIN_NS, "alive-again", lambda: _gates_open(world), lambda: _gates(world),
        further_ns=asked_within_ns,
    )  # fmt: skip


def _gates_open(world: World) -> bool:
    world.insist()
    return all(state == "ready" for state in _gates(world).values())


def _halts(world: World) -> object:
    """What risk still halts though a person has ended it: whoever was not told so asks again."""
    world.insist()
    return _status(world, "risk")["halts"]


def _probe(world: World) -> Trader:
    core = world.processes[PROBE].core
    if not isinstance(core, Trader):
        raise Violation("alive-again", "the probe does not run")
    return core


class _Probe:
    """One small resting order, on the side that the position limit leaves more room on, until it is acknowledged. Where
    it leaves none, what rests there is cancelled first."""

    def __init__(self, world: World, venue: str, symbol: str) -> None:
        self._world = world
        self._venue = venue
        self._symbol = symbol
        self._number = 0
        self._asked_ns = 0
        self._answers: list[object] = []

    def trade(self) -> None:
        """Raises Violation where the system does not trade within the bound."""
        # As before the gates, orders come into doubt while we wait.
        wait(self._world, TRADE_WITHIN_NS, "alive-again", self._acknowledged, self._state,
             further_ns=lambda: _asked_within_ns(self._world, self._venue))  # fmt: skip

    def _state(self) -> object:
        return self._venue, self._symbol, self._answers[-3:]

    def _acknowledged(self) -> bool:
        self._world.insist()
        probe = _probe(self._world)
        order = probe.orders.get(self._number)
        if order is not None and order.status in (OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED, OrderStatus.FILLED):
            return True
        outcome = probe.outcomes.get(self._number)
        if outcome is not None and outcome not in self._answers:
            self._answers.append(outcome)
        closed = order is not None and not order.open
        over = closed or (outcome is not None and outcome.outcome != "sent")
        due = self._world.scheduler.now_ns - self._asked_ns > 300 * NS_PER_MS
        if probe.epoch and due and (over or not self._number):
            self._ask(probe)
        return False

    def _ask(self, probe: Trader) -> None:
        self._asked_ns = self._world.scheduler.now_ns
        order = _small_order(self._world, self._venue, self._symbol)
        if order is None:
            # Neither side has room by the exchange's own book, and a refusal would be right.
            probe.ask(CancelAllRequest(0, 0, self._venue, self._symbol, target_strategy="*"))
        else:
            self._number = probe.ask(order)
        self._world.processes[PROBE].flush()


def _small_order(world: World, venue: str, symbol: str) -> NewOrderRequest | None:
    """One that rests, on the side that the position limit leaves more room on; None where it leaves none."""
    config, truth = world.config.venues[venue], world.truths[venue]
    assert config.simulated is not None
    longest = truth.position(symbol) + truth.open_qty(symbol, "1")
    shortest = truth.position(symbol) - truth.open_qty(symbol, "2")
    side: Side = "2" if longest > -shortest else "1"
    away = config.simulated.prices[symbol] * 2 // 100
    price = config.simulated.prices[symbol] + (away if side == "2" else -away)
    qty = setting.small_qty(config.instruments[symbol], price)
    held = longest if side == "1" else -shortest
    room = setting.position_limits(world.config)[venue, symbol] - truth.strange_qty(symbol, side) - held
    return None if room < qty else NewOrderRequest(0, 0, venue, symbol, Terms(side, "2", qty, price))


class _Gone:
    """A strategy hangs, or dies and does not come back: what it has at the exchanges is cancelled within a bound where
    it wants that, and stays otherwise; and so does what another has."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._names = TRADERS[: world.plan.traders]
        self._victim = self._names[world.plan.seed % len(self._names)]
        self._asked: dict[tuple[str, str], int] = {}

    def check(self) -> None:
        """Raises Violation."""
        world, victim = self._world, self._world.processes[self._victim]
        for name in self._names:
            # It may have lost its name to another instance in the storm.
            world.kill(name)
        # What a kill sent over REST before it was lifted cancels when the exchange reads it.
        wait(world, AGREE_WITHIN_NS, "answered", lambda: not _held(world), lambda: _held(world))
        wait(world, TRADE_WITHIN_NS, "alive-again", self._all_begun, lambda: "a strategy has no welcome")
        for name in self._names:
            for venue in world.plan.venues:
                wait(world, TRADE_WITHIN_NS, "alive-again", partial(self._rests, name, venue), lambda: self._asked,
                      ASK_AGAIN_NS)  # fmt: skip
        before = {name: self._open(name) for name in self._names}
        if world.plan.seed // 2 % 2:
            world.holds_down.add(self._victim)
            victim.kill("does not come back")
        else:
            victim.pause(LONG_NS)
        if self._vigil(self._victim).cancels:
            within_ns = SILENT_AFTER_NS + CANCELLED_WITHIN_NS
            wait(world, within_ns, "gone-is-cancelled", lambda: not self._open(self._victim),
                  lambda: (self._victim, self._open(self._victim)))  # fmt: skip
        else:
            world.run_for(SILENT_AFTER_NS + CANCELLED_WITHIN_NS)
        for name, orders in before.items():
            goes = name == self._victim and self._vigil(name).cancels
            lost = [] if goes else [order for order in orders if self._is_cancelled(order)]
            if lost:
                raise Violation("left-is-left", f"{self._victim} is gone, and of {name} these are: {lost}")
        world.holds_down.discard(self._victim)
        victim.wake()
        victim.start()
        wait(world, TRADE_WITHIN_NS, "alive-again", self._all_begun, lambda: "a strategy has no welcome")

    def _is_cancelled(self, leg: tuple[str, str]) -> bool:
        """Whether somebody cancelled it: it may be filled as well, or meet an order of ours that the market wakes."""
        return self._world.checkers.true_orders[leg].cause in CANCELLED_BY_US

    def _vigil(self, name: str) -> Vigil:
        return self._world.plan.vigils[name.partition("@")[2]]

    def _trader(self, name: str) -> Trader | None:
        core = self._world.processes[name].core
        return core if isinstance(core, Trader) else None

    def _all_begun(self) -> bool:
        traders = [self._trader(name) for name in self._names]
        return all(trader is not None and trader.epoch for trader in traders)

    def _rests(self, name: str, venue: str) -> bool:
        """Whether an order of the strategy rests at the venue; else one is asked for, unless one is under way."""
        trader = self._trader(name)
        if trader is None or not trader.epoch:
            return False
        number = self._asked.get((name, venue), 0)
        order, outcome = trader.orders.get(number), trader.outcomes.get(number)
        if order is not None and order.open:
            return is_settled(order)
        if number and order is None and (outcome is None or outcome.outcome == "sent"):
            return False
        symbol = next(iter(self._world.config.venues[venue].instruments))
        request = _small_order(self._world, venue, symbol)
        if request is None:
            trader.ask(CancelAllRequest(0, 0, venue, symbol, target_strategy="*"))
        else:
            self._asked[name, venue] = trader.ask(request)
        self._world.processes[name].flush()
        return False

    def _open(self, name: str) -> list[tuple[str, str]]:
        """What of its orders of this check is open at the exchanges."""
        legs, strategy = self._world.checkers.legs, name.partition("@")[2]
        there = self._world.open_there()
        numbers = [self._asked[name, venue] for venue in self._world.plan.venues]
        return [leg for number in numbers for leg in legs[strategy, number] if leg in there]


def _held(world: World) -> list[str]:
    """The exchanges that hold requests up which they have not read yet."""
    cores = [(venue, world.processes[f"exchange@{venue}"].core) for venue in world.plan.venues]
    return [venue for venue, core in cores if isinstance(core, ExchangeCore) and core.holds_requests]


class _Audit:
    """What orders says, against the exchanges' own logs."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._token = 0
        self._difference = "orders has not answered"

    def until_equal(self) -> None:
        """Open orders and positions are the exchanges', and nothing is UNKNOWN."""
        wait(self._world, _agree_within_ns(self._world), "books-agree", self._equal, lambda: self._difference)

    def until_empty(self) -> None:
        """The same, and nothing is open."""
        wait(self._world, _agree_within_ns(self._world), "books-agree", self._empty, lambda: self._difference)

    def _empty(self) -> bool:
        left = _still_open(self._world)
        if left:
            self._difference = f"still open at the exchange: {left}"
            return False
        return self._equal()

    def _equal(self) -> bool:
        probe = _probe(self._world)
        answer = probe.answers.get(self._token)
        if answer is not None:
            self._difference = self._compare(answer.orders, answer.positions)
            if not self._difference:
                return True
        self._token += 1
        probe.query("reconcile", self._token)
        self._world.processes[PROBE].flush()
        return False

    def _compare(self, orders: tuple[OrderEvent, ...], positions: tuple[PositionChanged, ...]) -> str:
        ours = {(order.venue, order.cl_ord_id): order for order in orders if order.open}
        theirs = self._world.open_there()
        if ours.keys() != theirs.keys():
            only_ours, only_theirs = _few(ours.keys() - theirs.keys()), _few(theirs.keys() - ours.keys())
            return f"open with us only {only_ours}, there only {only_theirs}"
        for key, order in ours.items():
            true = theirs[key]
            we_say = (order.cum_qty, order.leaves_qty, order.price)
            they_say = (true.cum_qty, true.leaves_qty_told(order.status), true.price)
            if order.status is OrderStatus.UNKNOWN or we_say != they_say:
                return f"{key} is {order.status} {we_say} with us, {they_say} there"
        held = {(row.venue, row.symbol): row.quantity for row in positions if not row.strategy}
        for venue, symbol in setting.position_limits(self._world.config):
            true_position = self._world.truths[venue].position(symbol)
            if held.get((venue, symbol), 0) != true_position:
                return f"position in {symbol} at {venue}: {held.get((venue, symbol), 0)} with us, {true_position} there"
        return ""


def _asked_within_ns(world: World, venue: str) -> int:
    """How long a venue whose REST side allows few requests takes to tell of every order in doubt: of each it is asked
    among the open and the closed orders, twice where it knows none, before the session trades."""
    core = world.processes["orders"].core
    if not isinstance(core, OrdersCore):
        return 0
    asked = sum(core.books.needs_asking(order) for order in core.books.open_orders(venue))
    return _requests_take_ns(world, venue, asked * REQUESTS_OF_ABSENCE)


def _agree_within_ns(world: World) -> int:
    asked_ns = (_requests_take_ns(world, venue, REQUESTS_OF_AGREEMENT) for venue in world.plan.venues)
    return AGREE_WITHIN_NS + max(asked_ns, default=0)


def _requests_take_ns(world: World, venue: str, count: int) -> int:
    """How long so many requests take at the rate of the venue's REST side, 0 where that is no matter."""
    calls_per_s = find_profile(world.config.venues[venue].dialect).rest_calls_per_s
    return int(count / calls_per_s * NS_PER_S) if calls_per_s else 0


def _few(keys: set[tuple[str, str]]) -> list[tuple[str, str]]:
    return sorted(keys)[:5]

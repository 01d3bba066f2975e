"""What each kind of fault does to the world, and how everything is made well again."""

import errno
from collections.abc import Callable
from random import Random

import msgspec

from common.exchange.faults import Kind
from common.instant import NS_PER_MS, NS_PER_S
from common.messages import ControlRequest, Hello, NewOrderRequest, OpenGate, Terms, encode
from common.venues.registry import find_profile
from common.venues.venue import Feature
from scripts.simulation import poison, strangers
from scripts.simulation.agreement import check_named
from scripts.simulation.disk import PLENTY_BYTES
from scripts.simulation.disk import Fault as DiskFault
from scripts.simulation.invariants import Violation
from scripts.simulation.network import Pipe, TcpStream, Weather
from scripts.simulation.plan import DESK, PROBE, TRADERS, TWIN, Fault
from scripts.simulation.setting import small_qty
from scripts.simulation.trader import Trader
from scripts.simulation.truth import STRANGER
from scripts.simulation.world import Host, World
from services.exchange.core import ExchangeCore
from services.orders.core import OrdersCore

FIRST_FAULTS = ("gap", "duplicate", "garble", "reject", "unknown", "lost", "late_fill", "reject_status")
"""As plans of the first version draw them, at whatever exchange."""

EXCHANGE_FAULTS = {
    "exchange@generic": {"gap": 2, "duplicate": 2, "garble": 2, "reject": 1, "late_fill": 5, "reject_status": 4},
    "exchange@binance": {"gap": 1, "duplicate": 1, "garble": 1, "reject": 1, "late_fill": 3, "reject_status": 2,
                         "unknown": 5, "lost": 5},
    "exchange@kraken": {"gap": 2, "duplicate": 2, "garble": 2, "reject": 1, "late_fill": 4, "reject_status": 2,
                        "unknown": 4, "lost": 4},
    "exchange@deribit": {"gap": 1, "duplicate": 1, "garble": 1, "reject": 1, "late_fill": 5, "reject_status": 4},
    "exchange@bybit": {"gap": 1, "duplicate": 1, "garble": 1, "reject": 1, "late_fill": 3, "reject_status": 2,
                       "unknown": 5, "lost": 5},
}  # fmt: skip
"""What each exchange can do wrong, by weight: only some have answers that say that it does not know."""

LIVE_AGAIN_NS = 2_500 * NS_PER_MS
"""So long after a start the log has been read and the wait is over, mostly."""

FOUND_OUT_WITHIN_NS = 40 * NS_PER_S
"""Two heartbeats without a word, the test in between, TCP_USER_TIMEOUT, and a venue that is told of none of them."""


def strike(world: World, fault: Fault) -> None:
    """Carry out one fault."""
    world.trace("adversary", f"fault {fault.number}", fault.kind, fault.target)
    _STRIKES[fault.kind](world, fault.target, Random(fault.dice))


def make_well(world: World) -> None:
    """No fault is under way any more, every process runs, the clocks are right; what happened stays as it is."""
    world.calm = True
    world.trace("adversary", "makes everything well")
    for weather in (world.weather, world.far_weather):
        weather.clear_up()
    for host in world.hosts.values():
        host.clock.synchronise()
        host.disk.capacity_bytes = PLENTY_BYTES
        host.disk_fault = None
    world.put_back()
    world.holds_down.clear()
    world.slow_readers.clear()
    world.told_twice.clear()
    for process in world.processes.values():
        process.effects_left = process.file_calls_left = process.at_death = None
        process.paused_until_ns = 0
        for stream in list(process.streams.values()):
            stream.resume(is_mended=not world.plan.slow)
        for wire in process.wires:
            _refuse(wire.inward, 0)
        process.wake()
        if process.name != TWIN:
            process.start()
    for name in world.exchange_logs:
        world.ask(name, "fault", {"kind": "clear"})
    world.kill(TWIN)
    for where in world.halted:
        world.ask("risk", "unhalt", where)
    for name in sorted(world.latched):
        world.resume(name)
    for name in sorted(world.logged_out):
        world.log_on(name)


def let_find_out(world: World) -> None:
    """In a slow plan nobody ends a half-open connection but its ends: by the time that this takes the system may trade
    later again than in others. Raises Violation where one of ours is held to be alive for ever.
    """
    began_ns = world.scheduler.now_ns
    while world.plan.slow and (held := _half_open_still(world)):
        if world.scheduler.now_ns - began_ns > FOUND_OUT_WITHIN_NS:
            raise Violation("alive-again", f"a half-open connection is held to be alive: {held}")
        world.run_for(NS_PER_S)


def _half_open_still(world: World) -> list[str]:
    return [
        process.name
        for process in world.processes.values()
        if process.name not in world.exchange_logs and any(s.swallows for s in process.streams.values())
    ]


def _kill(world: World, target: str, random: Random) -> None:
    if target in world.processes:
        world.kill(target)


def _kill_in_effects(world: World, target: str, random: Random) -> None:
    world.processes[target].effects_left = random.randrange(8)


def _kill_in_disk(world: World, target: str, random: Random) -> None:
    world.processes[target].file_calls_left = random.randrange(12)


def _kill_many(world: World, target: str, random: Random) -> None:
    stack = world.plan.roles.stack
    for name in random.sample(stack, random.randrange(2, len(stack))):
        world.kill(name)


def _crash_host(world: World, target: str, random: Random) -> None:
    journal = world.processes["journal"]
    if journal.alive and random.random() < 0.7:
        # In the middle of a batch: written, not yet synced.
        journal.file_calls_left = random.randrange(6)
        journal.at_death = lambda: world.crash_host(random)
        return
    world.crash_host(random)


def _stop(world: World, target: str, random: Random) -> None:
    world.stop(target)


def _pause(world: World, target: str, random: Random) -> None:
    world.processes[target].pause(random.choice((50, 300, 1_500, 6_000)) * NS_PER_MS)


def _stream(world: World, target: str) -> TcpStream | None:
    streams = world.processes[target].streams
    return next(iter(streams.values()), None)


def _cut(world: World, target: str, random: Random) -> None:
    stream = _stream(world, target)
    if stream is not None:
        stream.cut("reset by the network")


def _half_open(world: World, target: str, random: Random) -> None:
    stream = _stream(world, target)
    if stream is not None:
        stream.swallow()


def _stall(world: World, target: str, random: Random) -> None:
    stream = _stream(world, target)
    if stream is not None:
        stream.stall(random.choice((20, 300, 1_500, 7_000)) * NS_PER_MS)


def _slow(weather: Weather, world: World, random: Random) -> None:
    weather.late_share = random.choice((0.02, 0.2))
    weather.late_ns = random.choice((5, 100, 700)) * NS_PER_MS
    weather.split_share = random.choice((0.0, 0.3))
    world.scheduler.after(random.choice((1, 3)) * NS_PER_S, weather.clear_up)


def _lossy_stream(world: World, target: str, random: Random) -> None:
    world.weather.lost_share = random.choice((0.01, 0.1, 0.5))
    world.scheduler.after(random.choice((1, 3)) * NS_PER_S, world.weather.clear_up)


def _disk_error(world: World, target: str, random: Random) -> None:
    host = world.hosts["stack"]
    host.faulty = target or "journal"
    left = random.randrange(6 if host.faulty == "journal" else 2)
    _fail_once(host, ("write_at", "sync", "sync_folder", "rename"), left, errno.EIO)


def _fail_once(host: Host, calls: tuple[str, ...], left: int, error: int) -> None:
    """One of these calls fails, once, after so many that do not."""

    def fault(name: str, path: str) -> DiskFault | None:
        nonlocal left
        if name not in calls:
            return None
        left -= 1
        if left >= 0:
            return None
        host.disk_fault = None
        return DiskFault(error)

    host.disk_fault = fault


def _disk_full(world: World, target: str, random: Random) -> None:
    disk = world.hosts["stack"].disk
    disk.capacity_bytes = disk.used_bytes + random.choice((0, 2_000, 700_000))

    def room_again() -> None:
        disk.capacity_bytes = PLENTY_BYTES

    world.scheduler.after(random.choice((1, 4)) * NS_PER_S, room_again)


def _disk_short(world: World, target: str, random: Random) -> None:
    host = world.hosts["stack"]
    host.faulty = target or "journal"

    def fault(name: str, path: str) -> DiskFault | None:
        short = name == "write_at" and random.random() < 0.5
        return DiskFault(taken=random.randrange(1, 300)) if short else None

    host.disk_fault = fault
    world.scheduler.after(NS_PER_S, _end_disk_fault, host, fault)


def _end_disk_fault(host: Host, fault: Callable[[str, str], DiskFault | None]) -> None:
    if host.disk_fault is fault:
        host.disk_fault = None


def _clock_jump(world: World, target: str, random: Random) -> None:
    by_ns = random.choice((1, 30, 400, 3_000, 3_600_000)) * NS_PER_MS
    # Where a trade is known by no number yet it is asked for by the venue's time: one that goes back would hide it.
    told_by_rest = target.startswith("exchange@") and _has_rest(world, target)
    forward = random.random() < 0.5 or (world.plan.version > 2 and told_by_rest)
    world.hosts[target].clock.jump(by_ns if forward else -by_ns)


def _has_rest(world: World, exchange: str) -> bool:
    return world.config.venues[exchange.partition("@")[2]].rest is not None


def _clock_drift(world: World, target: str, random: Random) -> None:
    world.hosts[target].clock.drift(random.randrange(-500, 500))


def _exchange(world: World, target: str, random: Random) -> None:
    draw = random.random()
    if draw < 0.7:
        _scoped(world, target, random)
    elif draw < 0.8:
        world.ask(target, "fault", {"kind": "cut", "scope": random.choice(("fix", "market_data", "all"))})
    elif draw < 0.9:
        ms = random.choice((50, 500, 3_000))
        kind = random.choice(("stall", "slow"))
        world.ask(target, "fault", {"kind": kind, "scope": random.choice(("fix", "rest", "all")), "ms": ms})
    else:
        world.ask(target, "fault", {"kind": "maintenance", "scope": "fix", "ms": random.choice((500, 3_000))})


def _scoped(world: World, target: str, random: Random) -> None:
    """A fault that strikes so many messages. What must be met for it is brought about."""
    if world.plan.version == 1:
        kind = random.choice(FIRST_FAULTS)
        world.ask(target, "fault", {"kind": kind, "scope": "fix", "count": random.randrange(1, 6)})
        return
    weights = EXCHANGE_FAULTS[target]
    kind = random.choices(list(weights), list(weights.values()))[0]
    # Some venues tell an order's state over REST alone.
    profile = find_profile(world.config.venues[target.partition("@")[2]].dialect)
    scope = "rest" if kind == "reject_status" and not profile.has(Feature.STATUS_QUERY) else "fix"
    world.ask(target, "fault", {"kind": kind, "scope": scope, "count": random.randrange(1, 9)})
    if kind == "reject_status":
        _cut(world, target.replace("exchange", "session"), random)


def _unreadable(world: World, target: str, random: Random) -> None:
    """Fills only where REST tells them again: over FIX alone nobody can say what one was."""
    spared = "" if _has_rest(world, target) else "FGH"
    count = random.randrange(1, 6)
    world.ask(target, "fault", {"kind": "unreadable", "scope": "fix", "count": count, "text": spared})


def _odd_fields(world: World, target: str, random: Random) -> None:
    scope = random.choice(("fix", "market_data"))
    world.ask(target, "fault", {"kind": "odd_fields", "scope": scope, "count": random.randrange(1, 9)})


def _inflict(kind: str, most: int) -> Callable[[World, str, Random], None]:
    """An exchange does so, up to `most` times."""

    def strike(world: World, target: str, random: Random) -> None:
        world.ask(target, "fault", {"kind": kind, "scope": "fix", "count": random.randrange(1, most)})

    return strike


def _refuse_logons(world: World, target: str, random: Random) -> None:
    scope = random.choice(("fix", "fix", "market_data", "all"))
    world.ask(target, "fault", {"kind": "refuse", "scope": scope, "count": random.randrange(1, 6)})
    _cut(world, target.replace("exchange", "session"), random)


def _news(world: World, target: str, random: Random) -> None:
    ms, scope = random.choice((200, 2_000, 12_000)), random.choice(("fix", "fix", "market_data", "all"))
    world.ask(target, "fault", {"kind": "maintenance", "scope": scope, "ms": ms})


def _asks_again(world: World, target: str, random: Random) -> None:
    for request in range(random.randrange(5, 40)):
        fault = {"kind": "resend_request", "scope": "fix", "count": 1}
        world.scheduler.after(request * 20 * NS_PER_MS, _ask_unless_calm, world, target, fault)


def _ask_unless_calm(world: World, target: str, fault: dict[str, object]) -> None:
    if not world.calm:
        world.ask(target, "fault", fault)


def _relogon(world: World, target: str, random: Random) -> None:
    world.log_out(target)
    world.scheduler.after(random.choice((1, 3)) * NS_PER_S, world.log_on, target)


def _untold(world: World, target: str, random: Random) -> None:
    """Whatever is under way at the exchange ends with it. What it holds back is in its memory only, so it must not be
    started anew by what leaves a venue out."""
    if "left-out" in world.plan.kinds:
        return
    world.ask(target, "fault", {"kind": "untold", "scope": "fix", "count": 0})
    for after_ms in (500, 1_500):
        world.scheduler.after(after_ms * NS_PER_MS, _book_by_hand, world, random)
    world.scheduler.after(random.choice((1, 2)) * NS_PER_S, _ask_unless_calm, world, target, {"kind": "clear"})


def _book_by_hand(world: World, random: Random) -> None:
    """As an operator who looked it up; of some orders all that is missing, of some a part."""
    core = world.processes["orders"].core
    if world.calm or not isinstance(core, OrdersCore):
        return
    missing = {name: core.books.missing_qty(order) for name, order in core.books.orders.items()}
    for (strategy, number), qty in missing.items():
        if qty and random.random() < 0.7:
            arguments: dict[str, object] = {"strategy": strategy, "number": number, "px": "100", "text": "seen there"}
            world.ask("orders", "fill", {**arguments, "qty": str(qty / random.choice((1, 1, 2)))})


def _kill_exchange(world: World, target: str, random: Random) -> None:
    """What it holds back it tells before: nobody else knows of it."""
    core = world.processes[target].core
    if world.calm:
        return
    if isinstance(core, ExchangeCore) and core.ready and core.venue.faults.find(Kind.UNTOLD, "fix") is not None:
        world.ask(target, "fault", {"kind": "clear"})
        world.scheduler.after(NS_PER_MS, _kill_exchange, world, target, random)
        return
    _kill(world, target, random)


def _set_back(world: World, target: str, random: Random) -> None:
    """Numbers are set while the session is logged out, which takes a moment."""
    world.log_out(target)
    after_ns = random.choice((1, 3)) * NS_PER_S
    world.scheduler.after(after_ns, _set_unless_calm, world, target, random.random())
    world.scheduler.after(after_ns, world.log_on, target)


def _set_unless_calm(world: World, target: str, share: float) -> None:
    process = world.processes[target]
    if not world.calm and process.core is not None:
        number = process.core.status(process.clock.read())["next_inbound"]
        assert isinstance(number, int)
        world.ask(target, "set_seq", {"next_inbound": max(1, int(number * min(1.0, 2 * share - 1)))})


def _kill_switch(world: World, target: str, random: Random) -> None:
    world.pull_kill_switch(risk_too=random.random() < 0.5)
    for name in sorted(world.latched):
        world.scheduler.after(random.choice((2, 5)) * NS_PER_S, _resume_unless_calm, world, name)


def _latch_crash(world: World, target: str, random: Random) -> None:
    _kill_switch(world, target, random)
    world.scheduler.after(random.randrange(50 * NS_PER_MS), _crash_unless_calm, world, random)


def _crash_unless_calm(world: World, random: Random) -> None:
    if not world.calm:
        world.crash_host(random)


def _latch_alone(world: World, target: str, random: Random) -> None:
    """The journal is held down for a second, the kill switch pulled shortly before, or some time after its death."""
    world.holds_down.add("journal")
    pull = random.choice((0, 10, 300, 600)) * NS_PER_MS
    death = random.choice((0, 2, 300)) * NS_PER_MS
    world.scheduler.after(pull, _pull_unless_calm, world, random)
    world.scheduler.after(death, _kill_unless_calm, world, "journal")
    world.scheduler.after(death + NS_PER_S, _let_up, world, "journal")


def _let_up(world: World, name: str) -> None:
    """Once all is calm, who is held down is another's matter."""
    if not world.calm:
        world.holds_down.discard(name)
        world.processes[name].start()


def _pull_unless_calm(world: World, random: Random) -> None:
    if not world.calm:
        _kill_switch(world, "", random)


def _kill_unless_calm(world: World, name: str) -> None:
    if not world.calm:
        world.kill(name)


def _latch_death(world: World, target: str, random: Random) -> None:
    _kill_switch(world, target, random)
    world.scheduler.after(random.choice((1, 20, 200)) * NS_PER_MS, _kill_unless_calm, world, target)


def _left_out(world: World, target: str, random: Random) -> None:
    if world.left_out is not None:
        return
    symbols = tuple(world.config.venues[target].instruments)
    # A venue's file has one instrument at least, and a stack one venue.
    whole = ("",) if len(world.config.venues) > 1 else ()
    some = (*whole, *symbols) if len(symbols) > 1 else whole
    if not some:
        return
    world.leave_out(target, random.choice(some))
    left_out = world.left_out
    world.scheduler.after(LIVE_AGAIN_NS, _check_named, world, left_out)
    world.scheduler.after(random.choice((3, 6)) * NS_PER_S, _put_back_unless_calm, world, left_out)


def _check_named(world: World, left_out: object) -> None:
    if world.left_out == left_out and not world.calm:
        check_named(world)


def _put_back_unless_calm(world: World, left_out: object) -> None:
    if world.left_out == left_out and not world.calm:
        world.put_back()


def _latch_unread(world: World, target: str, random: Random) -> None:
    """The look that fails is one of the first: what of it is the latch's depends on the process."""
    _kill_switch(world, target, random)
    world.scheduler.after(random.choice((20, 200)) * NS_PER_MS, _kill_and_blind, world, target, random.randrange(4))


def _kill_and_blind(world: World, target: str, left: int) -> None:
    if world.calm:
        return
    host = world.hosts["stack"]
    world.kill(target)
    host.faulty = target
    _fail_once(host, ("list", "open", "read_at"), left, errno.EMFILE)


def _halt(world: World, target: str, random: Random) -> None:
    venue, symbol = "generic", "BTCUSDT"
    if world.plan.version > 6:
        venue, config = random.choice(list(world.config.venues.items()))
        symbol = random.choice(list(config.instruments))
    scope, name = random.choice((("firm", ""), ("venue", venue), ("strategy", "alpha"), ("symbol", symbol)))
    where: dict[str, object] = {"scope": scope, "name": name}
    world.ask("risk", "halt", where)
    world.halted.append(where)
    world.scheduler.after(random.choice((1, 3)) * NS_PER_S, _unhalt, world, where)


def _unhalt(world: World, where: dict[str, object]) -> None:
    world.ask("risk", "unhalt", where)


def _slow_reading(world: World, target: str, random: Random) -> None:
    world.slow_readers["orders"] = random.choice((2, 10, 40)) * NS_PER_MS
    world.kill("orders")
    for name in (DESK, *TRADERS):
        if random.random() < 0.5:
            world.scheduler.after(random.randrange(600) * NS_PER_MS, _kill_strategy_unless_calm, world, name)
    world.scheduler.after(random.choice((1, 3)) * NS_PER_S, world.slow_readers.clear)


def _kill_strategy_unless_calm(world: World, name: str) -> None:
    if not world.calm:
        world.kill_if_there(name)


def _full_queue(world: World, target: str, random: Random) -> None:
    """What the client reads at a time fills its queue; by the next message there is room again."""
    process = world.processes.get(target)
    for wire in process.wires if process is not None else ():
        _refuse(wire.inward, random.randrange(1, 4))


def _refuse(pipe: Pipe | None, messages: int) -> None:
    if pipe is not None:
        pipe.refuses = messages


def _twin(world: World, target: str, random: Random) -> None:
    world.processes[TWIN].start()
    world.scheduler.after(random.choice((1, 2)) * NS_PER_S, world.kill, TWIN)


def _hang(world: World, target: str, random: Random) -> None:
    """What its supervisor starts again it tells the order manager before; of an end in order it does not."""
    if target not in world.processes:
        return
    if random.random() < 0.6:
        world.processes[target].pause(random.choice((500, 2_000, 6_000, 12_000)) * NS_PER_MS)
        return
    if random.random() < 0.5 and world.processes["orders"].alive:
        world.ask("orders", "restarting", {"strategy": target.partition("@")[2]})
    world.stop(target)


def _garbage(world: World, target: str, random: Random) -> None:
    """Into a bound socket or, in plans since the second version, into a connecting one or the control link as well."""
    way = "outward" if world.plan.version == 1 else random.choice(("outward", "inward", "control"))
    if way == "control":
        _control_garbage(world, random)
        return
    wires = [wire for process in world.processes.values() for wire in process.wires if getattr(wire, way) is not None]
    if wires:
        pipe = getattr(random.choice(wires), way)
        pipe.send(_noise(random) if way == "inward" else random.randbytes(random.choice((0, 1, 7, 300))))


def _noise(random: Random) -> bytes:
    """No message, but perhaps the beginning of one."""
    whole = encode(random.choice((Hello("nobody", "instance"), ControlRequest("status"), OpenGate("nowhere", 1, 1))))
    return random.choice((random.randbytes(random.choice((0, 1, 7, 300))), whole[:-1], whole + b"\0", b"\x91" * 500))


def _control_garbage(world: World, random: Random) -> None:
    """A well-formed request that means nothing: the shell sees to those that are not."""
    process = random.choice([process for process in world.processes.values() if process.name not in (PROBE, TWIN)])
    arguments = random.choice(({}, {"kind": {}, "ms": "x"}, {"scope": 7}, {"confirm": "perhaps", "symbol": [None]}))
    act = random.choice(("", "start", "balances", "verdict", "fault", "unhalt", "order"))
    process.control(b"operator", ControlRequest(act, msgspec.json.encode(arguments), "operator"))


def _self_trade(world: World, target: str, random: Random) -> None:
    """And they do meet: one of our strategies offers inside the market, and another buys from it."""
    world.ask(target, "fault", {"kind": "self_trade", "scope": "fix", "count": 0})
    exchange = world.processes[target].core
    traders = [name for name in TRADERS if name in world.processes]
    if not isinstance(exchange, ExchangeCore) or not exchange.ready or not traders:
        return
    instrument = random.choice(exchange.settings.instruments)
    book = exchange.venue.state.books[instrument.symbol]
    bid, ask = book.bids.best(), book.asks.best()
    if bid is None or ask is None or bid.price + instrument.tick_size >= ask.price:
        return
    px, lots = bid.price + instrument.tick_size, int(instrument.min_notional / bid.price / instrument.lot_size) + 1
    if world.plan.version > 6:
        lots = int(small_qty(instrument, px) / instrument.lot_size)
    for after_ms, side in ((0, "2"), (random.choice((20, 60)), "1")):
        qty = instrument.lot_size * lots * random.randrange(1, 4)
        request = NewOrderRequest(0, 0, exchange.settings.name, instrument.symbol, Terms(side, "2", qty, px))  # type: ignore[arg-type]
        world.scheduler.after(after_ms * NS_PER_MS, _order, world, random.choice(traders), request)


def _order(world: World, name: str, request: NewOrderRequest) -> None:
    trader = world.processes[name].core
    if isinstance(trader, Trader) and trader.epoch and not trader.resting and not trader.superseded:
        trader.ask(request)
        world.processes[name].flush()


def _correction(world: World, target: str, random: Random) -> None:
    """Of the account's latest trades, one is busted, or is of less, or was at another price."""
    orders = [order for order in world.truths[target.partition("@")[2]].orders.values() if any(order.trades.values())]
    if not orders:
        return
    order = random.choice(orders if world.plan.version > 2 and random.random() < 0.5 else orders[-20:])
    trade_id, qty = random.choice([(trade_id, qty) for trade_id, qty in order.trades.items() if qty])
    terms: dict[str, object] = {"order_id": order.order_id, "trade_id": trade_id}
    draw = random.random()
    if draw < 0.3:
        terms["qty"] = str(qty / 2)
    elif draw < 0.6 and order.price is not None:
        terms |= {"qty": str(qty), "px": str(order.price)}
    world.ask(target, "correct", terms)


def _price_jump(world: World, target: str, random: Random) -> None:
    config = world.config.venues[target.partition("@")[2]]
    assert config.simulated is not None
    symbol = random.choice(sorted(config.instruments))
    start, tick_size = config.simulated.prices[symbol], config.instruments[symbol].tick_size
    price = start * (1000 + random.choice((-5, -2, -1, 1, 2, 5))) // 1000 // tick_size * tick_size
    world.ask(target, "move", {"symbol": symbol, "price": f"{price:f}"})


def _bare_fills(world: World, target: str, random: Random) -> None:
    """Of our own orders only: of somebody else's nobody could say what they fill."""
    terms = {"kind": "bare", "scope": "fix", "count": random.randrange(1, 9), "text": STRANGER}
    world.ask(target, "fault", terms)


def _twice_in_one(world: World, target: str, random: Random) -> None:
    world.told_twice[target] = random.randrange(1, 9)


def _crossed(world: World, target: str, random: Random) -> None:
    world.ask(target, "fault", {"kind": "crossed", "scope": "fix", "count": random.randrange(1, 5)})


def _resume_unless_calm(world: World, name: str) -> None:
    """Once all is calm the kill switch is pulled for a check of its own."""
    if not world.calm:
        world.resume(name)


_STRIKES: dict[str, Callable[[World, str, Random], None]] = {
    "kill": _kill,
    "beyond-bounds": poison.send_beyond_bounds,
    "poison": poison.write_poison,
    "kill-in-effects": _kill_in_effects,
    "kill-in-disk": _kill_in_disk,
    "kill-many": _kill_many,
    "kill-exchange": _kill_exchange,
    "kill-strategy": _kill,
    "crash-host": _crash_host,
    "stop": _stop,
    "pause": _pause,
    "cut": _cut,
    "half-open": _half_open,
    "stall": _stall,
    "slow-links": lambda world, _, random: _slow(world.weather, world, random),
    "slow-tcp": lambda world, _, random: _slow(world.far_weather, world, random),
    "lossy-stream": _lossy_stream,
    "disk-error": _disk_error,
    "disk-full": _disk_full,
    "disk-short": _disk_short,
    "clock-jump": _clock_jump,
    "clock-drift": _clock_drift,
    "exchange": _exchange,
    "relogon": _relogon,
    "kill-switch": _kill_switch,
    "latch-crash": _latch_crash,
    "latch-alone": _latch_alone,
    "latch-death": _latch_death,
    "halt": _halt,
    "left-out": _left_out,
    "latch-unread": _latch_unread,
    "twin": _twin,
    "slow-reading": _slow_reading,
    "full-queue": _full_queue,
    "garbage": _garbage,
    "unreadable": _unreadable,
    "odd-fields": _odd_fields,
    "stranger": strangers.trade,
    "self-trade": _self_trade,
    "correction": _correction,
    "price-jump": _price_jump,
    "bare-fills": _bare_fills,
    "crossed": _crossed,
    "gap-fill-alone": _inflict("skip", 4),
    "silence": _inflict("silent", 6),
    "refused-logon": _refuse_logons,
    "asks-again": _asks_again,
    "set-back": _set_back,
    "untold": _untold,
    "done-for-day": _inflict("done_for_day", 6),
    "twice-in-one": _twice_in_one,
    "test-flood": _inflict("test_request", 300),
    "news": _news,
    "hang": _hang,
}

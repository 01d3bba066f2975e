"""What each kind of fault does to the world, and how everything is made well again."""

import errno
from collections.abc import Callable
from random import Random

from common.instant import NS_PER_MS, NS_PER_S
from scripts.simulation.disk import PLENTY_BYTES
from scripts.simulation.disk import Fault as DiskFault
from scripts.simulation.network import TcpStream, Weather
from scripts.simulation.plan import STACK, TWIN, Fault
from scripts.simulation.world import Host, World

SCOPED_FAULTS = ("gap", "duplicate", "garble", "reject", "unknown", "lost", "late_fill", "reject_status")


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
    for process in world.processes.values():
        process.effects_left = process.file_calls_left = process.at_death = None
        process.paused_until_ns = 0
        for stream in list(process.streams.values()):
            stream.resume()
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


def _kill(world: World, target: str, random: Random) -> None:
    if target in world.processes:
        world.kill(target)


def _kill_in_effects(world: World, target: str, random: Random) -> None:
    world.processes[target].effects_left = random.randrange(8)


def _kill_in_disk(world: World, target: str, random: Random) -> None:
    world.processes[target].file_calls_left = random.randrange(12)


def _kill_many(world: World, target: str, random: Random) -> None:
    for name in random.sample(STACK, random.randrange(2, len(STACK))):
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
    left = random.randrange(6)

    def fault(name: str, path: str) -> DiskFault | None:
        nonlocal left
        if name not in ("write_at", "sync", "sync_folder", "rename"):
            return None
        left -= 1
        if left >= 0:
            return None
        host.disk_fault = None
        return DiskFault(errno.EIO)

    host.disk_fault = fault


def _disk_full(world: World, target: str, random: Random) -> None:
    disk = world.hosts["stack"].disk
    disk.capacity_bytes = disk.used_bytes + random.choice((0, 2_000, 700_000))

    def room_again() -> None:
        disk.capacity_bytes = PLENTY_BYTES

    world.scheduler.after(random.choice((1, 4)) * NS_PER_S, room_again)


def _disk_short(world: World, target: str, random: Random) -> None:
    host = world.hosts["stack"]

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
    world.hosts[target].clock.jump(by_ns if random.random() < 0.5 else -by_ns)


def _clock_drift(world: World, target: str, random: Random) -> None:
    world.hosts[target].clock.drift(random.randrange(-500, 500))


def _exchange(world: World, target: str, random: Random) -> None:
    draw = random.random()
    if draw < 0.7:
        kind = random.choice(SCOPED_FAULTS)
        world.ask(target, "fault", {"kind": kind, "scope": "fix", "count": random.randrange(1, 6)})
    elif draw < 0.8:
        world.ask(target, "fault", {"kind": "cut", "scope": random.choice(("fix", "market_data", "all"))})
    elif draw < 0.9:
        ms = random.choice((50, 500, 3_000))
        kind = random.choice(("stall", "slow"))
        world.ask(target, "fault", {"kind": kind, "scope": random.choice(("fix", "rest", "all")), "ms": ms})
    else:
        world.ask(target, "fault", {"kind": "maintenance", "scope": "fix", "ms": random.choice((500, 3_000))})


def _relogon(world: World, target: str, random: Random) -> None:
    world.log_out(target)
    world.scheduler.after(random.choice((1, 3)) * NS_PER_S, world.log_on, target)


def _kill_switch(world: World, target: str, random: Random) -> None:
    world.pull_kill_switch(risk_too=random.random() < 0.5)
    for name in sorted(world.latched):
        world.scheduler.after(random.choice((2, 5)) * NS_PER_S, _resume_unless_calm, world, name)


def _halt(world: World, target: str, random: Random) -> None:
    scope, name = random.choice((("firm", ""), ("venue", "generic"), ("strategy", "alpha"), ("symbol", "BTCUSDT")))
    where: dict[str, object] = {"scope": scope, "name": name}
    world.ask("risk", "halt", where)
    world.halted.append(where)
    world.scheduler.after(random.choice((1, 3)) * NS_PER_S, _unhalt, world, where)


def _unhalt(world: World, where: dict[str, object]) -> None:
    world.ask("risk", "unhalt", where)


def _twin(world: World, target: str, random: Random) -> None:
    world.processes[TWIN].start()
    world.scheduler.after(random.choice((1, 2)) * NS_PER_S, world.kill, TWIN)


def _garbage(world: World, target: str, random: Random) -> None:
    wires = [wire for process in world.processes.values() for wire in process.wires if wire.outward is not None]
    if wires:
        pipe = random.choice(wires).outward
        if pipe is not None:
            pipe.send(random.randbytes(random.choice((0, 1, 7, 300))))


def _resume_unless_calm(world: World, name: str) -> None:
    """Once all is calm the kill switch is pulled for a check of its own."""
    if not world.calm:
        world.resume(name)


_STRIKES: dict[str, Callable[[World, str, Random], None]] = {
    "kill": _kill,
    "kill-in-effects": _kill_in_effects,
    "kill-in-disk": _kill_in_disk,
    "kill-many": _kill_many,
    "kill-exchange": _kill,
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
    "halt": _halt,
    "twin": _twin,
    "garbage": _garbage,
}

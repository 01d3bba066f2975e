"""What befalls the host that trades, how another one takes over from it, and what a person does then.

Before each takeover there is trouble that goes by: servers that answer oddly or not at all, networks that are cut,
processes and hosts that are stopped, killed or lose power, a kill switch that is pulled while nothing can be
acknowledged.
"""

from collections.abc import Callable
from random import Random
from typing import Final

from common.config import ReplicationMode
from common.instant import NS_PER_MS, NS_PER_S
from common.journal import Reader
from scripts.cli.takeover import QUIET_S
from scripts.simulation import adversary, quiet, setting
from scripts.simulation.agreement import strangers_apart
from scripts.simulation.invariants import Violation
from scripts.simulation.returned import Returned
from scripts.simulation.site import TAKEOVER_ERRORS, Site
from scripts.simulation.taken_over import LAG_MS, LAG_RECORDS, TakeoverWorld

OPEN_NS: Final = 5 * NS_PER_S
STEPS_A_TAKEOVER: Final = 500
TRIES: Final = 60
CUT_SHARE: Final = 0.3
RETURNED_SHARE: Final = 0.7
DELAYS_S: Final = (0, 0, 0, 5, 7, 9)
QUIET_NS: Final = int(QUIET_S * NS_PER_S)
FIRM: Final[dict[str, object]] = {"scope": "firm"}


class Storm:
    """See the module."""

    def __init__(self, world: TakeoverWorld) -> None:
        """The world has been running for a while."""
        self._world = world
        self._dice = world.dice
        self._delays = Random(f"delays {world.plan.seed}")
        self._returns = Random(f"returns {world.plan.seed}")
        self._cuts = Random(f"cuts {world.plan.seed}")
        world.journal_id = Reader(setting.JOURNAL_FOLDER, world.active.host.disk.files()).identity().hex()
        wrong_ms = self._dice.choice((0, 30, -30, 400, -400, 3_000, -3_600_000))
        world.standby.host.clock.jump(wrong_ms * NS_PER_MS)

    def rage(self, takeovers: int) -> None:
        """So many, with trouble before each. Raises Violation."""
        world, dice = self._world, self._dice
        for _ in range(takeovers):
            world.standby.follow()
            for _ in range(dice.randrange(1, 5)):
                world.run_for(dice.randrange(50 * NS_PER_MS, 1_500 * NS_PER_MS))
                self._strike(dice.choice(STRIKES))
                if self._cuts.random() < CUT_SHARE:
                    world.strikes["cut-desk"] += 1
                    world.cut_desk()
            world.run_for(dice.randrange(NS_PER_S))
            self._change_hosts(dice.choice(CRISES))

    def _strike(self, kind: str) -> None:
        world = self._world
        world.trace("adversary", "strikes", kind)
        world.strikes[kind] += 1
        _STRIKES[kind](world, world.active, self._dice)

    def _change_hosts(self, crisis: str) -> None:
        """Something happens to the host that trades, and the other one takes over. Raises Violation."""
        world, dice = self._world, self._dice
        world.trace("adversary", "crisis", crisis)
        world.strikes[f"takeover-{crisis}"] += 1
        former, successor = world.active, world.standby
        self._delay_venues(former)
        _CRISES[crisis](world, former, dice)
        world.run_for(dice.choice((0, 100, 700, 4_000)) * NS_PER_MS)
        base_lsn = self._take_over(successor)
        wakes_ns = dice.randrange(2 * QUIET_NS)
        world.scheduler.after(wakes_ns, self._wake, former, former.tenure)
        world.run_for(QUIET_NS)
        successor.may_write()
        fork_lsn = successor.checkers.succeed(former.checkers, base_lsn)
        self._go_on_at(successor)
        world.run_for(max(0, wakes_ns - QUIET_NS) + dice.randrange(2 * NS_PER_S))
        world.point_clients(successor)
        former.checkers.check_lost(fork_lsn, LAG_RECORDS, LAG_MS * NS_PER_MS)
        former.retire(world.new_checkers())
        self._bring_in(former)

    def _bring_in(self, former: Site) -> None:
        """Perhaps a person has the former host's folder at hand, before it is moved aside. Raises Violation."""
        world = self._world
        if world.mode is ReplicationMode.ASYNC and self._returns.random() < RETURNED_SHARE:
            world.strikes["brought back"] += Returned(world, former).bring_in()

    def _delay_venues(self, former: Site) -> None:
        """Perhaps the venues hold the former host's connections for open, with what it has written in them, until the
        other host may have asked them."""
        delay_s, before_ms = self._delays.choice(DELAYS_S), self._delays.randrange(50)
        if delay_s:
            self._world.strikes["late at venues"] += 1
            former.delay_venues(delay_s * NS_PER_S)
            self._world.run_for(before_ms * NS_PER_MS)

    def _take_over(self, successor: Site) -> int:
        """By hand, again and again while the servers say nothing; the record that the new term stands on."""
        for _ in range(TRIES):
            try:
                return successor.take_over().lsn
            except TAKEOVER_ERRORS as error:
                self._world.trace(successor.name, "takeover", str(error))
                self._world.run_for(self._dice.randrange(NS_PER_S))
        raise Violation("alive-again", f"{TRIES} takeovers came to nothing")

    def _wake(self, site: Site, tenure: int) -> None:
        """The former host goes on where it stood, starts again, or has its networks again."""
        world = self._world
        if site.tenure != tenure or world.calm:
            return
        world.trace("adversary", "wakes", site.name)
        world.servers.cut_off.discard(site.name)
        site.cut_off_venues = False
        if self._dice.random() < 0.4:
            # What it is shown may be the stream as it was.
            world.servers.change_leader([site.name], 2 * NS_PER_S)
        if site.stopped_ns is not None:
            site.go_on()
        elif not site.is_up:
            site.start()

    # ---- what a person does

    def _go_on_at(self, site: Site) -> None:
        """Start the stack on the host that has taken over, look, and let it add risk. Raises Violation."""
        world, dice = self._world, self._dice
        world.go_on_at(site)
        site.start()
        # Strategies elsewhere may be told to go there much later; NTP sets a clock right that was wrong.
        if dice.random() < 0.5:
            world.point_clients(site)
        world.scheduler.after(dice.randrange(2 * NS_PER_S), site.host.clock.synchronise)
        quiet.wait(world, quiet.OPEN_WITHIN_NS, "alive-again", self._is_ready, self._states)
        self._find_lost()
        risk = world.processes["risk"]
        halts = None if risk.core is None else risk.core.status(risk.clock.read()).get("halts")
        if halts is not None and halts != ["firm"]:
            raise Violation("begins-reducing", f"{site.name} began with {halts} halted")
        world.ask("risk", "unhalt", FIRM)

    def _states(self) -> dict[str, object]:
        return {
            name: "dead" if process.core is None else process.core.status(process.clock.read()).get("state")
            for name, process in self._world.processes.items()
            if name in ("orders", "risk", "journal", "replicator") or name.startswith("session@")
        }

    def _is_ready(self) -> bool:
        """A latch that a former tenure on this host has left, or the log has brought along, is ended by hand."""
        for name, process in self._world.processes.items():
            core = process.core if name == "risk" or name.startswith(("session@", "account@")) else None
            status = {} if core is None else core.status(process.clock.read())
            if status.get("latched") or status.get("state") == "killed":
                self._world.resume(name)
        states = self._states()
        return states["risk"] == states["orders"] == "live" and all(
            state == "ready" for name, state in states.items() if name.startswith("session@")
        )

    def _find_lost(self) -> None:
        """Each order that only the lost end of the former log knew is named; then the kill switch takes them. Raises
        Violation."""
        world = self._world
        if not world.lost_open():
            return
        world.strikes["lost orders"] += len(world.lost_open())
        named = "lost-is-found", lambda: not strangers_apart(world), lambda: strangers_apart(world)
        quiet.wait(world, quiet.AGREE_WITHIN_NS, *named)
        world.pull_kill_switch(risk_too=True)
        taken = "lost-is-found", lambda: not world.lost_open(), world.lost_open
        quiet.wait(world, quiet.AGREE_WITHIN_NS, *taken)
        for name in sorted(world.latched):
            world.resume(name)


# ---- what is done to the host that trades, and goes by


def _odd_answers(world: TakeoverWorld, site: Site, dice: Random) -> None:
    world.servers.odd_share = dice.choice((0.02, 0.1, 0.4))
    world.scheduler.after(dice.choice((1, 3)) * NS_PER_S, _even_answers, world)


def _even_answers(world: TakeoverWorld) -> None:
    world.servers.odd_share = 0.0


def _lose_quorum(world: TakeoverWorld, site: Site, dice: Random) -> None:
    world.servers.lose_quorum(dice.choice((100, 700, 3_000)) * NS_PER_MS)


def _change_leader(world: TakeoverWorld, site: Site, dice: Random) -> None:
    world.servers.change_leader([each.name for each in world.sites], dice.choice((100, 1_000, 5_000)) * NS_PER_MS)


def _cut_off_servers(world: TakeoverWorld, site: Site, dice: Random) -> None:
    world.servers.cut_off.add(site.name)
    world.scheduler.after(dice.choice((200, 1_500, 4_000)) * NS_PER_MS, world.servers.cut_off.discard, site.name)


def _cut_off_venues(world: TakeoverWorld, site: Site, dice: Random) -> None:
    site.cut_off_venues = True
    site.swallow()
    world.scheduler.after(dice.choice((200, 1_500, 4_000)) * NS_PER_MS, site.reach_venues)


def _kill_one(world: TakeoverWorld, site: Site, dice: Random) -> None:
    world.kill(dice.choice(("journal", "replicator", "replicator", "orders", "risk", *world.plan.roles.sessions)))


def _kill_some(world: TakeoverWorld, site: Site, dice: Random) -> None:
    for name in dice.sample(sorted(site.processes), 4):
        world.kill(name)


def _stop_one(world: TakeoverWorld, site: Site, dice: Random) -> None:
    name = dice.choice(("journal", "replicator", "orders", "risk", *world.plan.roles.sessions))
    process = site.processes[name]
    process.pause(dice.choice((50, 300, 1_500, 4_000)) * NS_PER_MS)


def _stop_host(world: TakeoverWorld, site: Site, dice: Random) -> None:
    site.stop(dice.randrange(3))
    world.scheduler.after(dice.choice((300, 1_500, 2_500, 5_000)) * NS_PER_MS, _go_on, site, site.tenure)


def _go_on(site: Site, tenure: int) -> None:
    if site.tenure == tenure and site.stopped_ns is not None:
        site.go_on()


def _lose_power(world: TakeoverWorld, site: Site, dice: Random) -> None:
    world.crash_host(dice)


def _latch_without_servers(world: TakeoverWorld, site: Site, dice: Random) -> None:
    """The kill switch, while nothing can be acknowledged with "quorum"."""
    world.servers.lose_quorum(dice.choice((1_000, 3_000)) * NS_PER_MS)
    world.run_for(dice.randrange(600 * NS_PER_MS))
    world.pull_kill_switch(risk_too=dice.random() < 0.5)
    for name in sorted(world.latched):
        world.scheduler.after(dice.choice((2, 4)) * NS_PER_S, _resume_at, world, site, name)


def _resume_at(world: TakeoverWorld, site: Site, name: str) -> None:
    if world.active is site and not world.calm:
        world.resume(name)


_STRIKES: Final[dict[str, Callable[[TakeoverWorld, Site, Random], None]]] = {
    "odd": _odd_answers, "quorum": _lose_quorum, "leader": _change_leader, "cut-servers": _cut_off_servers,
    "cut-venues": _cut_off_venues, "kill": _kill_one, "kill-some": _kill_some, "stop-one": _stop_one,
    "stop-host": _stop_host, "power": _lose_power, "latch": _latch_without_servers,
}  # fmt: skip
STRIKES: Final = (*_STRIKES, "odd", "odd", "leader", "kill", "stop-one")


# ---- what the host that trades is taken over from for


def _die_of_power(world: TakeoverWorld, site: Site, dice: Random) -> None:
    site.is_up = False
    site.lose_power(dice, is_silent=True)


def _be_killed(world: TakeoverWorld, site: Site, dice: Random) -> None:
    site.kill("killed with its host")


def _stand_still(world: TakeoverWorld, site: Site, dice: Random) -> None:
    site.stop(dice.randrange(3))


def _lose_servers(world: TakeoverWorld, site: Site, dice: Random) -> None:
    world.servers.cut_off.add(site.name)


def _lose_both(world: TakeoverWorld, site: Site, dice: Random) -> None:
    _lose_servers(world, site, dice)
    site.cut_off_venues = True
    site.swallow()


def _live_on(world: TakeoverWorld, site: Site, dice: Random) -> None:
    """Somebody takes over from a host with which nothing is wrong."""


_CRISES: Final[dict[str, Callable[[TakeoverWorld, Site, Random], None]]] = {
    "power": _die_of_power, "kill": _be_killed, "stop": _stand_still, "cut": _lose_servers, "cut-all": _lose_both,
    "nothing": _live_on,
}  # fmt: skip
CRISES: Final = (*_CRISES, "stop", "cut")


def run_through(world: TakeoverWorld, steps: int) -> None:
    """From the start to the verdict, a takeover in so many steps. Raises Violation, CoreRaised."""
    world.start()
    world.run_for(OPEN_NS)
    Storm(world).rage(max(1, steps // STEPS_A_TAKEOVER))
    world.servers.clear_up()
    adversary.make_well(world)
    adversary.let_find_out(world)
    quiet.come_to_rest(world)

"""A host of the stack that others may take over from, with its own clock, disk and processes; and how it follows.

Whoever follows and takes over does it with the code of `fixring standby` and `fixring takeover`, on this host's disk.
What the disk holds of a tenure that is over is moved aside as the command does it.
"""

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

from common.actor.core import Call
from common.config import Actor, Kind
from common.exit_status import ExitStatus
from common.instant import NS_PER_MS, NS_PER_S
from common.journal import Reader
from common.journal.claims import FENCED, FOLLOWING, remove_claim, write_claim
from common.journal.files import read_whole
from common.journal.followed import FollowedLog
from common.journal.terms import FIRST_TERM, TermBegan
from common.latch import LATCHED
from common.replication.errors import Away, Fenced, Forked
from common.replication.following import Following
from scripts.simulation import setting
from scripts.simulation.disk import DiskFiles
from scripts.simulation.invariants import Violation
from scripts.simulation.process import Process
from scripts.simulation.servers import HostStream
from scripts.simulation.site_process import SiteProcess
from scripts.simulation.takeover_checkers import TakeoverCheckers
from scripts.simulation.witness import EmergencyWitness, WatchedFiles, Witness
from services.replicator.copier import Copier
from services.session.emergency import SUFFIX as EMERGENCY
from services.supervisor.core import Fenced as TellFenced
from services.supervisor.core import JournalRefused, SupervisorCore

if TYPE_CHECKING:
    from scripts.simulation.taken_over import TakeoverWorld
    from scripts.simulation.world import Host

POLL_NS = 100 * NS_PER_MS
JOURNAL = Actor("journal", Kind.JOURNAL, "services.journal")
ANSWER_NS = 3 * NS_PER_MS
"""Within so long the servers have heard, and within so long again the worker has."""

SOON_NS = 50 * NS_PER_MS
FOR_EVER_NS = 1 << 60
TOO_LONG_NS = 3 * NS_PER_S
"""A process that stood still for so long finds it out, whatever it had waited for."""


class Site:
    """See the module. `term` is the one that its journal is written in; `is_up`: its stack is there, or comes again."""

    def __init__(self, world: "TakeoverWorld", host: "Host", checkers: TakeoverCheckers) -> None:
        """Its processes are added by the world."""
        self.world = world
        self.host = host
        self.name = host.name
        self.processes: dict[str, SiteProcess] = {}
        self.term = FIRST_TERM
        self.is_up = False
        self.cut_off_venues = False
        self.stopped_ns: int | None = None
        self.slept_through_term = False
        self.kill_was_pulled = False
        self.tenure = 0
        self._following: _Followed | None = None
        self._copiers: dict[int, Copier] = {}
        self._begin_tenure(checkers)

    def _begin_tenure(self, checkers: TakeoverCheckers) -> None:
        """The journal's folder is empty: what is seen of this host from here on is held against what comes there."""
        self.checkers = checkers
        self.witness = Witness(setting.JOURNAL_FOLDER, checkers.learned)
        self.emergency = EmergencyWitness(setting.EMERGENCY_FOLDER, checkers.learned_emergency)
        checkers.witness = self.witness
        self.supervisor = SupervisorCore(Kind.JOURNAL, [JOURNAL], self.host.clock.read())
        self.kill_was_pulled = False
        self.tenure += 1

    def files(self) -> WatchedFiles:
        """A port to the disk, in sight of this host's witnesses."""
        return WatchedFiles(self.host.disk, lambda name, path: None, (self.witness, self.emergency))

    # ---- the stack

    def start(self) -> None:
        """Every process, as the supervisors would."""
        self.is_up, self.stopped_ns = True, None
        if self.term < self.world.copy.term.number:
            self.be_silent("was fenced when it started", 0)
        for process in self.processes.values():
            if self.world.may_start(process):
                process.start()

    def kill(self, text: str) -> None:
        """Every process, and none comes again by itself."""
        self.is_up, self.stopped_ns = False, None
        for process in self.processes.values():
            process.kill(text)

    def lose_power(self, random: Random, *, is_silent: bool) -> None:
        """Of the disk is left what was synced, and perhaps more; where it `is_silent` nobody at the venues is told."""
        if is_silent:
            self.swallow()
        for process in self.processes.values():
            process.kill("the host lost power")
        self.host.disk.crash(random)
        self.witness.crashed()
        self.emergency.crashed()
        self.host.clock.reboot()

    def swallow(self) -> None:
        """Its connections to the venues go silent."""
        for process in self.processes.values():
            for stream in process.streams.values():
                stream.swallow()

    def delay_venues(self, for_ns: int) -> None:
        """What it writes to the venues, and the end of what it has there, arrives so much later."""
        for process in self.processes.values():
            for stream in process.streams.values():
                stream.stall(for_ns)

    def stop(self, stops_before: int) -> None:
        """SIGSTOP to every process; a session before the write that comes after so many, if it comes soon."""
        self.stopped_ns, self.slept_through_term = self.world.scheduler.now_ns, False
        for process in self.processes.values():
            if process.name.startswith("session@") and process.alive:
                process.stops_before = stops_before
                self.world.scheduler.after(SOON_NS, self._stop_unless_awake, process, process.life)
            else:
                process.pause(FOR_EVER_NS)

    def _stop_unless_awake(self, process: SiteProcess, life: int) -> None:
        if process.life == life and self.stopped_ns is not None and not process.is_stopped:
            process.stops_before = None
            process.pause(FOR_EVER_NS)

    def go_on(self) -> None:
        """SIGCONT to every process, in some order."""
        now_ns = self.world.scheduler.now_ns
        if self.slept_through_term and self.stopped_ns is not None and now_ns - self.stopped_ns > TOO_LONG_NS:
            self.be_silent("was fenced while it stood still", 0)
        names = list(self.processes)
        self.world.random.shuffle(names)
        self.stopped_ns = None
        for name in names:
            self.processes[name].wake()

    def be_silent(self, why: str, after_ns: int) -> None:
        """From then on nothing may leave this host."""
        self.checkers.be_silent(why, self.world.scheduler.now_ns + after_ns)

    def retire(self, checkers: TakeoverCheckers) -> None:
        """Another host trades: a person ends what still runs here, and it is ready to follow. `checkers` are those of
        its next tenure. Raises Violation."""
        self.kill("ended by hand")
        self.world.servers.cut_off.discard(self.name)
        self.cut_off_venues = False
        self.look_for_latches()
        self._begin_tenure(checkers)

    def look_for_latches(self) -> None:
        """Raises Violation where one is set, and nobody has pulled the kill switch here."""
        latched = self.latched()
        if latched and not self.kill_was_pulled:
            raise Violation("fence-latches-nothing", f"{self.name}: {latched}")

    def reach_venues(self) -> None:
        """What cut it off from them is over."""
        self.cut_off_venues = False

    # ---- the replicator's worker

    def copier(self, process: Process) -> None:
        """A new life of the replicator has another worker."""
        files = self.host.disk.files()
        self._copiers = {process.life: Copier(
            self.world.stream_of(self), Reader(setting.JOURNAL_FOLDER, files), self._write_fence
        )}  # fmt: skip

    def _write_fence(self, text: str) -> None:
        write_claim(setting.JOURNAL_FOLDER, self.host.disk.files(), FENCED, text)

    def call(self, process: Process, effect: Call) -> None:
        """What the worker asks of the servers is asked at one moment; the answer comes later."""
        self._after(lambda: self._ask(process, process.life, effect))

    def _ask(self, process: Process, life: int, effect: Call) -> None:
        copier = self._copiers.get(life)
        if process.life == life and process.alive and copier is not None:
            result = copier.work(effect.argument)
            self._after(lambda: process.finish_call(life, effect.number, result))

    def _after(self, call: Callable[[], None]) -> None:
        self.world.scheduler.after(self.world.random.randrange(ANSWER_NS), call)

    # ---- the supervisors

    def ended(self, process: Process, status: int) -> bool:
        """A process ended by itself: whether its supervisor has it started again. The journal's and the replicator's
        is asked what it makes of a fence."""
        if status != ExitStatus.FENCED:
            return self.is_up
        supervisor, now = self.supervisor, self.host.clock.read()
        supervisor.spawned("journal", 1, now)
        supervisor.answered("journal", now)
        supervisor.effects.clear()
        supervisor.exited("journal", status, now)
        effects = supervisor.effects
        if any(isinstance(effect, TellFenced) for effect in effects):
            self.world.fenced(self)
            return False
        if any(isinstance(effect, JournalRefused) for effect in effects):
            self.world.latch_all(self)
            return False
        return self.is_up

    def latched(self) -> list[str]:
        """The kill latches that are set on the disk, by the names of their files."""
        files = self.host.disk.files()
        names = self._emergency_names(".latch")
        return [name for name in names if LATCHED in read_whole(files, f"{setting.EMERGENCY_FOLDER}/{name}")]

    # ---- following and taking over

    def follow(self) -> None:
        """As `fixring standby`, until it is ended: a journal that this host wrote itself is moved aside."""
        self._move_aside()
        self._following = _Followed(self)
        self.world.scheduler.after(POLL_NS, self._poll, self._following)

    def _move_aside(self) -> None:
        """With the sessions' emergency files; what it holds is kept where nothing looks for it."""
        self.host.disk.move_aside(setting.JOURNAL_FOLDER)
        files = self.host.disk.files()
        for name in self._emergency_names(EMERGENCY):
            files.remove(f"{setting.EMERGENCY_FOLDER}/{name}")

    def _emergency_names(self, suffix: str) -> list[str]:
        try:
            names = self.host.disk.files().list(setting.EMERGENCY_FOLDER)
        except FileNotFoundError:
            return []
        return [name for name in names if name.endswith(suffix)]

    def _poll(self, followed: "_Followed") -> None:
        if self._following is followed:
            followed.catch_up()
            self.world.scheduler.after(POLL_NS, self._poll, followed)

    def take_over(self) -> TermBegan:
        """As `fixring takeover`, once. Raises Away, Fenced: say it again."""
        if self._following is not None:
            self._following.end()
            self._following = None
        followed = _Followed(self)
        try:
            following = followed.opened()
            following.catch_up()
            self.world.run_for(self.world.random.randrange(20 * NS_PER_MS))
            began = following.take_over("operator", self.name, self.host.clock.read().wall_ns)
            followed.log.write_mark()
        finally:
            followed.end()
        self.term = began.term
        return began

    def may_write(self) -> None:
        """The former host has had its time to hear of it."""
        remove_claim(setting.JOURNAL_FOLDER, self.host.disk.files(), FOLLOWING)


class _Followed:
    """The folder that follows, open."""

    def __init__(self, site: Site) -> None:
        self.files: DiskFiles = site.files()
        self._stream: HostStream = site.world.stream_of(site)(site.world.journal_id)
        self.log = FollowedLog.begin(
            setting.JOURNAL_FOLDER, self.files, bytes.fromhex(site.world.journal_id),
            segment_bytes=site.world.config.stack.journal.segment_bytes,
        )  # fmt: skip
        self._following: Following | None = None

    def opened(self) -> Following:
        """Raises Away, also where a former leader shows less of the stream than was followed already."""
        try:
            self._following = self._following or Following(self._stream, self.log)
        except Forked as error:
            raise Away(str(error)) from error
        return self._following

    def catch_up(self) -> None:
        try:
            self.opened().catch_up()
        except Away:
            return
        self.log.write_mark()

    def end(self) -> None:
        self.log.close()
        self.files.die()


TAKEOVER_ERRORS = (Away, Fenced)
"""After which a takeover is said again."""

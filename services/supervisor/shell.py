"""The supervisor as a process: its children's processes, SIGTERM and SIGCHLD, its control link, the others' locks."""

import contextlib
import datetime
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import msgspec
import orjson
import zmq

from common import first_start
from common.actor.control import ask_all
from common.actor.process import AlreadyRunning, begin_collecting, read_clocks, take_lock
from common.config import Config, Kind, OnStop, load
from common.exit_status import ExitStatus
from common.instant import NS_PER_MS, Instant
from common.journal.claims import FENCED, claim_text
from common.journal.files import OsFiles
from common.messages import UNDECODABLE, ControlAnswer, ControlRequest, encode
from services.supervisor.by_hand import ByHand
from services.supervisor.core import (
    MANAGERS,
    Effect,
    Fenced,
    Finish,
    JournalRefused,
    NobodyManages,
    Phase,
    Say,
    Signal,
    Spawn,
    SupervisorCore,
)
from services.supervisor.held import Held
from services.supervisor.processes import Prepared, Runner, RunnerGone, is_gone, lock_name, prepare, spawn

if TYPE_CHECKING:
    from services.supervisor.announcer import Announcer

# A stack that is stopping holds its locks for up to 4 s: a start right behind it waits.
LOCK_WAIT_S = 6.0
ASK_MS = 25
TURN_MS = 10
IDLE_MS = 500
KILL_ANSWER_S = 0.3
# What a stack does that has no journal: sessions and accounts cancel, the simulated exchanges answer them.
PAUSED_WITHOUT_JOURNAL = (Kind.STRATEGIES, Kind.ORDERS, Kind.RISK)

_decode_request = msgspec.msgpack.Decoder(ControlRequest).decode
_decode_answer = msgspec.msgpack.Decoder(ControlAnswer).decode


class Supervisor:
    """Runs the children of one kind until SIGTERM."""

    def __init__(self, config: Config, kind: Kind, runner: Runner, reread: Callable[[], Config] = load) -> None:
        """Takes the kind's lock, waiting a while for a stack that is just stopping. Raises AlreadyRunning, and
        RunnerGone where `runner` is not there any more: nobody would end what is started. `reread` gives the
        configuration as it is by now.
        """
        self.config = config
        self._run_folder = config.paths.run
        self._lock = _wait_for_lock(self._run_folder, lock_name(kind))
        actors = config.actors_here(kind)
        held = Held(config.paths.stopped)
        self.core = SupervisorCore(kind, actors, read_clocks(), held.all() if kind is Kind.STRATEGIES else {})
        self._by_hand = ByHand(self.core, config, held, reread)
        if runner.gone:
            raise RunnerGone(f"{kind}: honcho is gone, nothing is started")
        # To load programs takes processors from those that are to start first.
        time.sleep(min((actor.first_start_ms for actor in actors), default=0) / 1000)
        self._prepared = prepare((actor for actor in actors if not self.core.children[actor.name].held), config)
        self._refused_marker = self._run_folder / "journal.refused"
        self._fenced_marker = self._run_folder / "journal.fenced"
        self._runner = runner
        self._processes: dict[str, subprocess.Popen[bytes] | Prepared] = {}
        self._context = zmq.Context()
        self._poller = zmq.Poller()
        self._askers: dict[str, zmq.Socket[bytes]] = {}
        self._control = self._context.socket(zmq.ROUTER)
        self._wake, self._waker = socket.socketpair()
        self._stop_asked = False
        self._finished = False
        self._to_kill: set[str] = set()
        self._kill_reason = ""
        self._next_ask_ns = 0
        self._next_look_ns = 0
        self._announcer: Announcer | None = None

    def run(self) -> int:
        """Supervise until every child is gone after SIGTERM; returns the exit status."""
        self._listen()
        now = datetime.datetime.now(datetime.UTC)
        # Whoever serves with the certificates looks at them.
        for line in first_start.prepare(self.config, now, look_inside=self.core.kind is Kind.EXCHANGES):
            _say(f"made {line}")
        if self.core.kind is Kind.JOURNAL:
            self._refused_marker.unlink(missing_ok=True)
            self._fenced_marker.unlink(missing_ok=True)
        if self.core.kind is Kind.STRATEGIES:
            # The line that is started last and has the least to say tells how the whole stack is doing. It reads the
            # journal; the others start sooner without what that takes.
            from services.supervisor.announcer import Announcer

            self._announcer = Announcer(self.config, _say)
            self._announcer.start()
        begin_collecting()
        try:
            while not self._finished:
                self._turn()
        finally:
            self._close()
        return ExitStatus.OK

    def _listen(self) -> None:
        for stream in (self._wake, self._waker):
            stream.setblocking(False)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._on_stop)
        signal.signal(signal.SIGINT, self._on_stop)
        # The wake-up descriptor is written to only for signals that have a handler.
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        self._bind_control()
        self._poller.register(self._wake, zmq.POLLIN)

    def _bind_control(self) -> None:
        self._control.setsockopt(zmq.LINGER, 0)
        self._control.bind(f"ipc://{self._run_folder}/control.{lock_name(self.core.kind)}")
        self._poller.register(self._control, zmq.POLLIN)

    def _on_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stop_asked = True

    def _turn(self) -> None:
        """Poll, then look at everything that can have happened, then carry out what the core wants."""
        ready = dict(self._poller.poll(self._poll_ms()))
        if self._wake.fileno() in ready:
            with contextlib.suppress(BlockingIOError):
                self._wake.recv(4096)
        now = read_clocks()
        # First who is dead: what is decided for him would go to a process that is not there.
        self._reap(now)
        self._stop_if_asked(now)
        if self._control in ready:
            self._answer(now)
        self._ask_children(now)
        self._look_around(now)
        self.core.timer(now)
        while self.core.effects:
            effects, self.core.effects = self.core.effects, []
            for effect in effects:
                self._perform(effect, now)

    def _poll_ms(self) -> int:
        if self.core.stopping:
            return TURN_MS
        if any(child.phase is Phase.STARTING for child in self.core.children.values()):
            return ASK_MS
        deadline = self.core.next_deadline_ns()
        if deadline is None:
            return IDLE_MS
        return max(0, min(IDLE_MS, (deadline - read_clocks().boot_ns) // NS_PER_MS + 1))

    # ---- what happens ----

    def _stop_if_asked(self, now: Instant) -> None:
        if self._runner.gone and not self.core.stopping:
            _say(f"{self.core.kind}: honcho is gone, stopping")
            self._stop_asked = True
        if self._stop_asked and not self.core.stopping:
            if self._announcer is not None:
                self._announcer.stop()
            self.core.stop(now)
        if self.core.stopping and all(is_gone(self._run_folder, kind) for kind in self.core.stage.after):
            self.core.turn_came(now)

    def _reap(self, now: Instant) -> None:
        for name, process in list(self._processes.items()):
            status = process.poll()
            if status is not None:
                del self._processes[name]
                self._forget_asker(name)
                was_ending = self.core.children[name].phase is Phase.STOPPING
                self.core.exited(name, status, now)
                # Of what a person wants the order manager was told before.
                if self.core.kind is Kind.STRATEGIES and not was_ending and self.core.starts_again(name):
                    self._by_hand.tell_of_restart(name)

    def _ask_children(self, now: Instant) -> None:
        """Ask those that are starting for their status: the answer says that the loop runs."""
        for name, asker in list(self._askers.items()):
            with contextlib.suppress(zmq.Again):
                while True:
                    answer = _decode_answer(asker.recv(zmq.NOBLOCK))
                    # An orphan of a former life could answer in its place.
                    if answer.ok and orjson.loads(answer.detail).get("pid") == self.core.children[name].pid:
                        self._serves(name, now)
                        break
        if now.boot_ns < self._next_ask_ns:
            return
        self._next_ask_ns = now.boot_ns + ASK_MS * NS_PER_MS
        for asker in self._askers.values():
            with contextlib.suppress(zmq.Again):
                asker.send(encode(ControlRequest("status")), zmq.NOBLOCK)

    def _serves(self, name: str, now: Instant) -> None:
        self._forget_asker(name)
        self.core.answered(name, now)
        if name in MANAGERS:
            self._to_kill.clear()
        if self.core.kind is Kind.JOURNAL:
            self._refused_marker.unlink(missing_ok=True)

    def _look_around(self, now: Instant) -> None:
        """What no descriptor announces: the journal's refusal, and sessions that do not know of the kill switch yet."""
        if now.boot_ns < self._next_look_ns:
            return
        self._next_look_ns = now.boot_ns + IDLE_MS * NS_PER_MS
        if is_gone(self._run_folder, self.core.kind):
            # This process holds its lock, and nobody sees it.
            self._make_run_folder_anew()
        if self._fenced_marker.exists() and not is_gone(self._run_folder, Kind.JOURNAL):
            self.core.fence(self._fenced_marker.read_text("utf-8"))
        if self.core.kind in PAUSED_WITHOUT_JOURNAL:
            if self._refused_marker.exists() and not is_gone(self._run_folder, Kind.JOURNAL):
                self.core.pause(now)
            else:
                self.core.unpause(now)
        self._by_hand.tell_journal()
        if self._to_kill:
            reason: dict[str, object] = {"text": self._kill_reason}
            questions = [(name, "kill", reason) for name in self._to_kill]
            answers = ask_all(self.config.reach, questions, KILL_ANSWER_S, role=self.core.kind)
            self._to_kill -= answers.details.keys()

    def _make_run_folder_anew(self) -> None:
        """Somebody has removed the run folder: nobody can be asked or told anything any more, the kill switch included.
        Whoever is there takes his place in a new one: this process at once, its children by starting again.
        """
        _say(f"{self.core.kind}: the run folder was removed: everything here takes its place in a new one")
        former, self._lock = self._lock, take_lock(self._run_folder, lock_name(self.core.kind))
        os.close(former)
        self._poller.unregister(self._control)
        self._control.close(linger=0)
        self._control = self._context.socket(zmq.ROUTER)
        self._bind_control()
        for process in self._processes.values():
            process.send_signal(signal.SIGKILL)

    def _answer(self, now: Instant) -> None:
        with contextlib.suppress(zmq.Again):
            while True:
                peer, data = self._control.recv_multipart(zmq.NOBLOCK)[:2]
                try:
                    request = _decode_request(data)
                except UNDECODABLE:
                    continue
                self._control.send_multipart([peer, encode(self._act(request, now))], zmq.NOBLOCK)

    def _act(self, request: ControlRequest, now: Instant) -> ControlAnswer:
        if request.act == "status":
            detail = {"pid": os.getpid(), "kind": self.core.kind, "actors": self.core.status()}
            return ControlAnswer(request.token, True, detail=orjson.dumps(detail))
        return self._by_hand.act(request, now)

    # ---- what the core wants ----

    def _perform(self, effect: Effect, now: Instant) -> None:
        match effect:
            case Spawn(name):
                self._spawn(name, now)
            case Signal(name, number):
                # Reaped here alone, so the process number cannot belong to somebody else.
                self._processes[name].send_signal(number)
            case Say(text):
                _say(text)
            case JournalRefused():
                self._refused_marker.touch(mode=0o600)
                self._kill_at(self.config.venues, "the journal refused to start")
            case Fenced():
                self._fence()
            case NobodyManages(why):
                cancelled = [name for name, v in self.config.venues.items() if v.on_halted is OnStop.CANCEL]
                self._kill_at(cancelled, why)
            case Finish():
                self._finished = True

    def _fence(self) -> None:
        """The file beside the journal says who goes on; the other supervisors look for the one in the run folder."""
        told = claim_text(str(self.config.journal_folder), OsFiles(), FENCED)
        by_whom = told or "another host has taken this journal over"
        draft = self._fenced_marker.with_suffix(".draft")
        draft.write_text(by_whom, "utf-8")
        draft.rename(self._fenced_marker)
        self.core.fence(by_whom)

    def _kill_at(self, venues: Iterable[str], why: str) -> None:
        """Latch the kill switch at every session, account and bridge of the venues, as soon as each answers."""
        kinds = (Kind.SESSIONS, Kind.ACCOUNTS, Kind.EXCHANGES)
        actors = {actor.name for kind in kinds for actor in self.config.actors(kind)}
        latched = set(venues)
        accounts = [account for account in self.config.accounts.values() if account.venue.name in latched]
        sessions = [session for account in accounts for session in account.sessions]
        self._to_kill = actors & {
            *(f"account@{account.name}" for account in accounts),
            *(f"session@{session.name}" for session in sessions),
            *(f"bridge@{venue}" for venue in latched),
        }
        self._kill_reason = why

    def _spawn(self, name: str, now: Instant) -> None:
        try:
            process = self._process(name)
        except OSError as error:
            _say(f"{name}: cannot be started: {error}")
            self.core.exited(name, ExitStatus.FAILURE, now)
            return
        self._processes[name] = process
        self.core.spawned(name, process.pid, now)
        asker = self._context.socket(zmq.DEALER)
        asker.setsockopt(zmq.LINGER, 0)
        # What is queued before the child has bound would only pile up.
        asker.setsockopt(zmq.IMMEDIATE, 1)
        asker.setsockopt(zmq.RECONNECT_IVL, ASK_MS)
        asker.connect(f"ipc://{self._run_folder}/control.{name}")
        self._askers[name] = asker
        self._poller.register(asker, zmq.POLLIN)

    def _process(self, name: str) -> subprocess.Popen[bytes] | Prepared:
        """The child's process, begun: the one that was prepared, or a new one. Raises OSError."""
        prepared = self._prepared.pop(name, None)
        if prepared is None:
            return spawn(self.core.children[name].actor, self.config)
        prepared.begin()
        return prepared

    def _forget_asker(self, name: str) -> None:
        asker = self._askers.pop(name, None)
        if asker is not None:
            self._poller.unregister(asker)
            asker.close(linger=0)

    def _close(self) -> None:
        for name in list(self._askers):
            self._forget_asker(name)
        for prepared in self._prepared.values():
            prepared.discard()
        self._control.close(linger=0)
        self._context.term()
        os.close(self._lock)


def _wait_for_lock(run_folder: Path, name: str) -> int:
    deadline = time.monotonic() + LOCK_WAIT_S
    while True:
        try:
            return take_lock(run_folder, name)
        except AlreadyRunning:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _say(text: str) -> None:
    # Nobody may be reading any more; the stack does not stop for that.
    with contextlib.suppress(OSError):
        print(text, flush=True)

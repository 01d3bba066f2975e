"""The faults: what is done to a running stack, each a name, a sentence and a deed.

A deed returns when the fault is over, so that the time until it trades again counts from there: a kill is over at once,
a stopped process is over when it continues. A fault that this machine cannot do says why, and is counted as left out.
"""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable

from common.config import CHECKOUT, Config, Kind
from common.exit_status import ExitStatus
from common.messages import Reason
from scripts.stack import PrivateStack, StackFailed
from scripts.torture import kill_switch, taken
from scripts.torture.garbage import Garbage
from scripts.torture.scene import Fault, LeftOut, Scene, Wrong, await_struck, begin_fault
from services.supervisor.core import INTEGRITY_WINDOW_S

STOPPED_S = (0.2, 3.0)
SECOND_START_S = 15.0
SLOW_SYNC_US = 40_000
SLOW_SYNC_S = 3.0
FAILED_SYNC_S = 1.5
FULL_DISK_S = 6.0
CLOCK_S = 2.0
CLOCK_STEPS_S = (-3600.0, -3.0, -0.4, 0.4, 3.0, 3600.0)
FLOOD_COMMANDS = 4000
STATUS_S = 3.0
REFUSED_S = 2.0
REPEATS_NUMBERS = "venue:duplicate"
"""The one fault in which the venue uses a number twice, so that our Logout(5) over it is right."""


def _kill(actor: str) -> Callable[[Scene], None]:
    def deed(scene: Scene) -> None:
        scene.stack.kill(actor)

    return deed


def _kill_several(scene: Scene) -> None:
    """Two to four at once, of any kind."""
    names = scene.actors()
    chosen = scene.rng.sample(names, min(len(names), scene.rng.randint(2, 4)))
    for process in [scene.stack.pid(name) for name in chosen]:
        os.kill(process, signal.SIGKILL)


def _kill_twice(scene: Scene) -> None:
    """One actor, and again while it starts."""
    actor = scene.rng.choice(["journal", "orders", "risk", *scene.actors(Kind.SESSIONS)])
    first = scene.stack.pid(actor)
    os.kill(first, signal.SIGKILL)
    again = _next_pid(scene.stack, actor, first)
    time.sleep(scene.rng.uniform(0, 0.3))
    with contextlib.suppress(ProcessLookupError):
        os.kill(again, signal.SIGKILL)


def _next_pid(stack: PrivateStack, actor: str, former: int) -> int:
    deadline_s = time.monotonic() + 5
    while time.monotonic() < deadline_s:
        with contextlib.suppress(StackFailed, ValueError):
            process = stack.pid(actor)
            if process != former:
                return process
        time.sleep(0.005)
    raise Wrong(f"{actor} was not started again within 5 s")


def _stop(actor: str) -> Callable[[Scene], None]:
    def deed(scene: Scene) -> None:
        process = scene.stack.pid(actor)
        os.kill(process, signal.SIGSTOP)
        time.sleep(scene.rng.uniform(*STOPPED_S))
        os.kill(process, signal.SIGCONT)

    return deed


def _stop_several(scene: Scene) -> None:
    names = scene.actors()
    processes = [scene.stack.pid(name) for name in scene.rng.sample(names, min(len(names), 3))]
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    for process in processes:
        time.sleep(scene.rng.uniform(0.1, 1.0))
        os.kill(process, signal.SIGCONT)


def _kill_stack(scene: Scene) -> None:
    """Every process at once, then a new start."""
    scene.stack.kill_all()
    scene.stack.start()


def _kill_supervisor(scene: Scene) -> None:
    """A supervisor takes its children along, and honcho ends the rest; then a new start."""
    kind = scene.rng.choice([kind for kind in Kind if scene.actors(kind)])
    scene.stack.kill(f"supervisor-{kind}")
    scene.stack.wait_ended()
    scene.stack.start()


def _kill_honcho(scene: Scene) -> None:
    """The supervisors see that honcho is gone, and end in order; then a new start."""
    scene.stack.kill_honcho()
    scene.stack.wait_ended()
    scene.stack.start()


def _restart(scene: Scene) -> None:
    """An orderly stop under load, and a new start."""
    scene.stack.stop()
    scene.stack.start()


def _venue_fault(kind: str, *, ms: int = 0, count: int = 0) -> Callable[[Scene], None]:
    def deed(scene: Scene) -> None:
        arguments = {name: value for name, value in (("count", count), ("ms", ms)) if value}
        actor = begin_fault(scene, kind, **arguments)
        if ms:
            time.sleep(ms / 1000)
        if not count:
            scene.stack.ask(actor, "fault", {"kind": "clear"})
        else:
            await_struck(scene, actor, kind)

    return deed


def _refuse_logons(scene: Scene) -> None:
    """The session comes back to an exchange that does not let it in for a while, and says so."""
    actor = begin_fault(scene, "refuse", count=0)
    session = actor.replace("exchange", "session")
    scene.stack.ask(actor, "fault", {"kind": "cut", "scope": "fix"})
    deadline_s = time.monotonic() + REFUSED_S
    while time.monotonic() < deadline_s:
        time.sleep(0.1)
        status = scene.stack.ask(session, "status")
    scene.stack.ask(actor, "fault", {"kind": "clear"})
    if not status["failed_logons"] or not status["failed_logon"]:
        raise Wrong(f"{session} was refused for {REFUSED_S} s, and says nothing of it: {status}")


def _start_twice(scene: Scene) -> None:
    """Every actor a second time: it must refuse, and the first must not notice."""
    actors = scene.stack.config.actors()
    before = {actor.name: scene.stack.pid(actor.name) for actor in actors}
    seconds = {
        actor.name: subprocess.Popen(
            [sys.executable, "-P", "-m", actor.module, *actor.arguments],
            cwd=CHECKOUT,
            env=scene.stack.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        for actor in scene.rng.sample(actors, 3)
    }
    wrong = []
    for name, process in seconds.items():
        try:
            _, error = process.communicate(timeout=SECOND_START_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            wrong.append(f"a second {name} ran")
            continue
        if process.returncode != ExitStatus.FAILURE or b"running already" not in error:
            wrong.append(f"a second {name} ended with {process.returncode}: {error[-200:]!r}")
    wrong += [f"{name} was restarted" for name, process in before.items() if scene.stack.pid(name) != process]
    if wrong:
        raise Wrong("; ".join(wrong))


def _garbage(scene: Scene) -> None:
    """Counted, shown by status, and nothing else disturbed."""
    before = {actor: scene.stack.pid(actor) for actor in scene.actors()}
    counted = _garbage_counts(scene)
    garbage = Garbage(scene.stack.config, scene.rng)
    garbage.everywhere()
    deadline_s = time.monotonic() + STATUS_S
    while True:
        now = _garbage_counts(scene)
        short = {a: sent for a, sent in garbage.sent.items() if now.get(a, 0) - counted.get(a, 0) < sent}
        if not short or time.monotonic() > deadline_s:
            break
        time.sleep(0.1)
    died = [actor for actor, process in before.items() if scene.stack.pid(actor) != process]
    if died:
        raise Wrong(f"garbage ended {', '.join(died)}")
    if short:
        told = ", ".join(f"{a}: {now.get(a, 0) - counted.get(a, 0)} of {n}" for a, n in short.items())
        raise Wrong(f"garbage was not counted: {told}")


def _garbage_counts(scene: Scene) -> dict[str, int]:
    counts = {}
    for actor, detail in scene.stack.ask_all("status").details.items():
        garbage = detail.get("garbage")
        assert isinstance(garbage, dict)
        counts[actor] = sum(garbage.values())
    return counts


def _flood(scene: Scene) -> None:
    """Far more than a strategy may send in a second: what is too much is refused, and the rest goes on."""
    scene.load.flood(FLOOD_COMMANDS)
    time.sleep(1)


def _client_dies(scene: Scene) -> None:
    """The load's clients are followed by new instances."""
    scene.load.kill_clients()
    time.sleep(1)


def _strace(scene: Scene, actor: str, injection: str, seconds: float) -> None:
    """Let the actor's syncs go wrong for a while."""
    program = shutil.which("strace")
    if program is None:
        raise LeftOut("strace is not installed")
    tracer = subprocess.Popen(
        [program, "-f", "-qq", "-o", os.devnull, "-e", "trace=fdatasync", "-e", f"inject=fdatasync:{injection}",
         "-p", str(scene.stack.pid(actor))],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        _, error = tracer.communicate(timeout=seconds)
        if tracer.returncode and b"attach" in error:
            raise LeftOut(f"strace may not attach here: {error.decode(errors='replace').strip()}")
    except subprocess.TimeoutExpired:
        tracer.send_signal(signal.SIGINT)
        tracer.communicate()


def _slow_sync(scene: Scene) -> None:
    _strace(scene, "journal", f"delay_enter={SLOW_SYNC_US}", SLOW_SYNC_S)


def _failed_sync(scene: Scene) -> None:
    """The journal must end, be started once more, and decide by what the disk holds. A second failure soon after is
    another story: the disk is not trusted any more, and a person is waited for."""
    last_s = scene.last_s.get("failed-sync")
    if last_s is not None and time.monotonic() - last_s < INTEGRITY_WINDOW_S:
        raise LeftOut(f"done less than {INTEGRITY_WINDOW_S} s ago, and twice so soon must stop the stack")
    scene.last_s["failed-sync"] = time.monotonic()
    former = scene.stack.pid("journal")
    _strace(scene, "journal", "error=EIO:when=1", FAILED_SYNC_S)
    _next_pid(scene.stack, "journal", former)


def _clock(scene: Scene) -> None:
    """The host's wall clock is set wrong, and right again."""
    if scene.means is None:
        raise LeftOut("the stack was started with the host's own clock")
    clock = scene.means.clock
    clock.shift(scene.rng.choice(CLOCK_STEPS_S))
    time.sleep(CLOCK_S)
    clock.shift(0)


def _full_disk(scene: Scene) -> None:
    """No byte is left: what adds risk is refused, and the journal goes on from its reserve."""
    if scene.means is None or scene.means.disk is None:
        raise LeftOut("" if scene.means is None else scene.means.no_disk)
    disk, journal = scene.means.disk, scene.stack.pid("journal")
    refused = scene.load.book.reasons.get(Reason.LOW_DISK, 0)
    disk.fill()
    try:
        time.sleep(FULL_DISK_S)
    finally:
        disk.free()
    if scene.load.book.reasons.get(Reason.LOW_DISK, 0) == refused:
        raise Wrong(f"nothing was refused for {Reason.LOW_DISK} in {FULL_DISK_S} s on a full disk")
    if scene.stack.pid("journal") != journal:
        raise Wrong("the journal ended on a full disk, with a reserve left")


VENUE_FAULTS = (
    ("cut", "cut", _venue_fault("cut", count=1), "the exchange closes the connection without a word"),
    ("refuse", "refuse", _refuse_logons, f"for {REFUSED_S} s after a cut it refuses every logon"),
    ("stall", "stall", _venue_fault("stall", ms=2500), "half-open: the connection stands, and nothing is read or sent"),
    ("slow", "stall", _venue_fault("slow", ms=1500), "what the exchange sends comes 1.5 s late"),
    ("gap", "answers", _venue_fault("gap", count=3), "messages of the exchange get their numbers and are lost"),
    ("duplicate", "answers", _venue_fault("duplicate", count=5), "its messages come twice, under one number"),
    ("garble", "answers", _venue_fault("garble", count=2), "messages of the exchange have a broken byte"),
    ("reject", "answers", _venue_fault("reject", count=5), "the exchange rejects new orders"),
    ("unknown", "answers", _venue_fault("unknown", count=3), "it carries requests out, and says that it does not know"),
    ("lost", "answers", _venue_fault("lost", count=3), "it carries requests not out, and says that it does not know"),
    ("late_fill", "answers", _venue_fault("late_fill", count=3), "it reports a fill after the cancel"),
    ("reject_status", "answers", _venue_fault("reject_status", count=2), "it refuses to tell an order's state"),
    ("maintenance", "stall", _venue_fault("maintenance", ms=800), "it announces the end of the connection"),
)
"""Name, group, deed and sentence of what an exchange does on command."""

OTHERS = (
    Fault("failed-sync", "failed-sync", "one fdatasync of the journal fails with EIO", _failed_sync),
    Fault("full-disk", "full-disk", f"not a byte is left for the journal for {FULL_DISK_S} s", _full_disk),
    Fault("slow-sync", "slow-sync", f"fdatasync of the journal takes {SLOW_SYNC_US // 1000} ms more", _slow_sync),
    Fault("clock", "clock", f"the wall clock is wrong for {CLOCK_S} s, and right again", _clock),
    Fault("flood", "flood", f"{FLOOD_COMMANDS} commands at once from each client", _flood),
    Fault("kill-switch", "kill-switch", "the kill switch is pulled under load, and later resumed", kill_switch.pull),
    Fault(
        "kill-switch-alone", "kill-switch-alone",
        "the kill switch is pulled with the journal stopped (SIGSTOP): the emergency file is the sessions' journal",
        kill_switch.pull_without_journal,
    ),
    Fault("kill-several", "several", "kill -9 of two to four actors at once", _kill_several),
    Fault("kill-twice", "several", "kill -9 of an actor, and again while it starts", _kill_twice),
    Fault("stop-several", "several", "SIGSTOP of three actors at once", _stop_several),
    Fault("kill-supervisor", "stack", "kill -9 of a supervisor, and a new start", _kill_supervisor),
    Fault("kill-honcho", "stack", "kill -9 of honcho, and a new start", _kill_honcho),
    Fault("kill-stack", "stack", "kill -9 of every process at once, and a new start", _kill_stack),
    Fault("restart", "stack", "an orderly stop, and a new start", _restart),
    Fault("twice", "twice", "three actors started a second time", _start_twice),
    Fault("garbage", "garbage", "garbage on every socket", _garbage),
    Fault("client", "kill", "the load's clients are superseded by new instances", _client_dies),
)  # fmt: skip


def _kill_group(actor: str) -> str:
    """The death of each actor of the ring, and of a session, is a class of its own."""
    what = actor.partition("@")[0]
    return f"kill:{what}" if what in ("journal", "orders", "risk", "session") else "kill"


def _stop_sentence(actor: str, kind: Kind) -> str:
    what = f"SIGSTOP of {actor} for {STOPPED_S[0]} to {STOPPED_S[1]} s"
    if kind is Kind.EXCHANGES:
        return f"{what}; half-open for its session, which writes and is answered by the kernel alone"
    return f"{what}; half-open for its exchange" if kind is Kind.SESSIONS else what


def _stop_group(actor: str, kind: Kind) -> str:
    if actor == "journal":
        return "stop:journal"
    return "half-open" if kind is Kind.EXCHANGES else "stop"


def table(config: Config) -> list[Fault]:
    """Every fault for the actors of such a stack."""
    actors = config.actors()
    faults = [Fault(f"kill:{a.name}", _kill_group(a.name), f"kill -9 of {a.name}", _kill(a.name)) for a in actors]
    faults += [
        Fault(f"stop:{a.name}", _stop_group(a.name, a.kind), _stop_sentence(a.name, a.kind), _stop(a.name))
        for a in actors
    ]
    faults += [Fault(f"venue:{name}", group, sentence, deed) for name, group, deed, sentence in VENUE_FAULTS]
    return [*faults, *OTHERS, *taken.FAULTS]


def one_of_each_first(faults: list[Fault], rng: random.Random) -> list[Fault]:
    """All of them in seeded order, but one of each group before the rest: what a short run must have done."""
    drawn = rng.sample(faults, len(faults))
    first: dict[str, Fault] = {}
    for fault in drawn:
        first.setdefault(fault.group, fault)
    return [*first.values(), *(fault for fault in drawn if first[fault.group] is not fault)]

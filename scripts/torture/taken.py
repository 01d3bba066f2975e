"""The faults that take away what a stack stands on: names, certificates, ports, files, folders, a venue's file; and two
of what venues and clients do that nobody expects.

Each gives back what it took. While it lasts, whoever is deaf to a question, dials a stranger or forgets what is held
makes it a failure.
"""

import contextlib
import resource
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import msgspec
import zmq

from common.actor.control import NoAnswer, NotRunning, is_running
from common.config import Config, FixConfig
from common.messages import CommandOutcome, EntryAnswer, Hello, NewOrderRequest, Reason, Terms, Welcome, encode
from scripts.torture.means import Answers
from scripts.torture.scene import Fault, LeftOut, Scene, Wrong, await_struck, begin_fault
from services.supervisor.core import CRASH_WINDOW_S
from services.supervisor.processes import lock_name

NAMES_S = 3.0
DEAF_S = 1.0
CA_S = 1.5
PORT_S = 1.5
TAKE_PORT_S = 0.5
FILES_S = 1.5
ANSWER_S = 5.0
PAIRS, MEETINGS = 30, 5
"""So many pairs of orders are to meet, tried so often: the load may have used up what the venue allows."""

LABELS = (5_000, 1_100_000)
"""Characters: more than a request may have, and more than a record or a link could hold."""

S = TypeVar("S", bound=msgspec.Struct)
_decode = msgspec.msgpack.Decoder(EntryAnswer).decode


def _cut(scene: Scene, venue: str) -> None:
    """The venue's session must connect anew."""
    scene.stack.ask(f"exchange@{venue}", "fault", {"kind": "cut", "scope": "fix", "count": 1})
    await_struck(scene, f"exchange@{venue}", "cut")


def _names(answers: Answers) -> Callable[[Scene], None]:
    def deed(scene: Scene) -> None:
        if scene.means is None:
            raise LeftOut("the stack was started with the host's own names")
        scene.means.name_server.set(answers)
        try:
            for venue in scene.exchanges:
                _cut(scene, venue)
            _hear(scene, [f"session@{venue}" for venue in scene.exchanges], NAMES_S)
        finally:
            scene.means.name_server.set(Answers.RIGHT)

    return deed


def _hear(scene: Scene, actors: list[str], seconds: float) -> None:
    """For so long, each answers within a second. Raises Wrong."""
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        errors = scene.stack.ask_all("status", DEAF_S).errors
        deaf = [actor for actor in actors if actor in errors]
        if deaf:
            raise Wrong(f"{', '.join(deaf)} did not answer within {DEAF_S:g} s")
        time.sleep(0.1)


def _with_ca(scene: Scene) -> list[tuple[str, Path]]:
    """The venues whose session has TLS, each with the file of the authority that it trusts."""
    found = []
    for name, venue in scene.stack.config.venues.items():
        if venue.fix.tls is not None and venue.fix.tls.ca:
            found.append((name, scene.stack.config.paths.resolve(venue.fix.tls.ca)))
    if not found:
        raise LeftOut("no venue of the stack has TLS")
    return found


def _ca_replaced(scene: Scene) -> None:
    """A session has read it already: it connects again all the same."""
    venue, file = scene.rng.choice(_with_ca(scene))
    right = file.read_bytes()
    file.write_bytes(b"no certificate at all\n")
    try:
        _cut(scene, venue)
        _hear(scene, [f"session@{venue}"], CA_S)
    finally:
        file.write_bytes(right)


def _ca_removed(scene: Scene) -> None:
    """A session that is started without it ends, and comes back with it."""
    found = _with_ca(scene)
    _seldom(scene, "ca:removed")
    venue, file = scene.rng.choice(found)
    aside = file.with_suffix(".aside")
    file.rename(aside)
    try:
        scene.stack.kill(f"session@{venue}")
        time.sleep(CA_S)
    finally:
        aside.rename(file)


def _seldom(scene: Scene, fault: str) -> None:
    """What makes a process crash several times is done once in a while. Raises LeftOut."""
    last_s = scene.last_s.get(fault)
    if last_s is not None and time.monotonic() - last_s < CRASH_WINDOW_S:
        raise LeftOut(f"done less than {CRASH_WINDOW_S} s ago, and what crashes so often is given up")
    scene.last_s[fault] = time.monotonic()


def _port(scene: Scene) -> None:
    """Another program has the port while the exchange is down: nobody dials it."""
    _seldom(scene, "port")
    venue = scene.rng.choice(list(scene.exchanges))
    scene.stack.kill(f"exchange@{venue}")
    with _stranger(scene.stack.config.venues[venue].fix) as stranger:
        stranger.settimeout(PORT_S)
        with contextlib.suppress(TimeoutError):
            stream, _ = stranger.accept()
            stream.close()
            raise Wrong(f"somebody dialled {venue}'s port, which another program had taken")


@contextlib.contextmanager
def _stranger(fix: FixConfig) -> Iterator[socket.socket]:
    """Another program that listens there. Raises LeftOut where the exchange was back sooner."""
    until_s = time.monotonic() + TAKE_PORT_S
    while True:
        try:
            taken = socket.create_server((fix.host, fix.port))
        except OSError as error:
            if time.monotonic() > until_s:
                raise LeftOut(f"the port could not be taken: {error}") from error
            time.sleep(0.002)
        else:
            break
    with taken:
        yield taken


def _files(scene: Scene) -> None:
    """An actor can open no file and take no connection (EMFILE) for a while; it goes on, or ends and comes back."""
    actor = scene.rng.choice([a for a in scene.actors() if not a.startswith("exchange@")])
    process = scene.stack.pid(actor)
    soft, hard = resource.prlimit(process, resource.RLIMIT_NOFILE)
    used = {int(entry.name) for entry in Path(f"/proc/{process}/fd").iterdir()}
    resource.prlimit(process, resource.RLIMIT_NOFILE, (min(set(range(len(used) + 1)) - used), hard))
    try:
        if actor.startswith("session@"):
            _cut(scene, actor.partition("@")[2])
        until_s = time.monotonic() + FILES_S
        while time.monotonic() < until_s:
            with contextlib.suppress(NoAnswer, NotRunning):
                scene.stack.ask(actor, "status")
            time.sleep(0.1)
    finally:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(process, resource.RLIMIT_NOFILE, (soft, hard))


def take_away(folder: Path) -> None:
    """Remove a folder at one instant, though processes make files in it meanwhile.

    Emptied where it stands, it would not be empty when its own turn comes.
    """
    aside = folder.with_name(f"{folder.name}.taken")
    folder.rename(aside)
    shutil.rmtree(aside)


def _run_folder(scene: Scene) -> None:
    """The supervisors see it, and everybody takes his place in a new one."""
    take_run_folder(scene.stack.run_folder, scene.stack.config)


def take_run_folder(run_folder: Path, config: Config) -> None:
    """Remove that run folder of a stack, and wait until its supervisors are in a new one. Raises Wrong."""
    take_away(run_folder)
    until_s = time.monotonic() + ANSWER_S
    supervisors = [lock_name(kind) for kind in config.kinds_here]
    while missing := [name for name in supervisors if not is_running(run_folder, name)]:
        if time.monotonic() > until_s:
            raise Wrong(f"{', '.join(missing)} have not made the run folder anew within {ANSWER_S:g} s")
        time.sleep(0.02)


def _venue_file(scene: Scene) -> None:
    """The stack is started without it, names what it holds there, and is started with it again."""
    if scene.means is None:
        raise LeftOut("the stack was started with the checkout's own configuration")
    venue = scene.rng.choice(list(scene.exchanges))
    others = [name for name in scene.exchanges if name != venue]
    if not others:
        raise LeftOut("the stack has one venue only")
    scene.stack.stop()
    scene.exchanges[venue].read()
    held = {symbol for symbol, position in scene.exchanges[venue].truth.positions.items() if position}
    try:
        with scene.means.without_venue(venue, others, scene.stack.environ):
            scene.stack.start()
            try:
                _await_named(scene, venue, held)
                _await_ready(scene, [f"session@{name}" for name in others])
            finally:
                scene.stack.stop()
    finally:
        scene.stack.start()


def _await_named(scene: Scene, venue: str, held: set[str]) -> None:
    """Orders name each symbol that something is owned of there. Raises Wrong."""
    until_s = time.monotonic() + scene.patience_s
    while time.monotonic() < until_s:
        with contextlib.suppress(NoAnswer, NotRunning):
            rows = scene.stack.ask("orders", "status")["outside"]
            if isinstance(rows, list):
                missing = held - {row["symbol"] for row in rows if row["venue"] == venue}
                if missing:
                    raise Wrong(f"the file of {venue} is gone, and what is owned of {sorted(missing)} is not named")
                return
        time.sleep(0.1)
    raise Wrong(f"without the file of {venue} orders had not read the log after {scene.patience_s:g} s")


def _await_ready(scene: Scene, sessions: list[str]) -> None:
    until_s = time.monotonic() + scene.patience_s
    while time.monotonic() < until_s:
        details = scene.stack.ask_all("status").details
        if all(details.get(name, {}).get("state") == "ready" for name in sessions):
            return
        time.sleep(0.1)
    raise Wrong(f"{', '.join(sessions)} not ready {scene.patience_s:g} s after a start without another venue's file")


def _long_label(scene: Scene) -> None:
    """A client in no SDK's hands sends labels beyond all bounds: the first is refused by name, nobody ends."""
    before = {actor: scene.stack.pid(actor) for actor in scene.actors()}
    venue = scene.rng.choice(list(scene.exchanges))
    symbol = min(scene.stack.config.venues[venue].instruments)
    context = zmq.Context()
    entry = context.socket(zmq.DEALER)
    try:
        entry.connect(scene.stack.config.endpoint("entry"))
        entry.send(encode(Hello("long-label", "torture")))
        welcome = _await_answer(entry, Welcome)
        for step, characters in enumerate(LABELS, 1):
            number, label = welcome.highest + step, "x" * characters
            request = NewOrderRequest(
                welcome.epoch, number, venue, symbol, Terms("1", "2", Decimal(1), Decimal(1)), label=label
            )
            entry.send(encode(request))
        outcome = _await_answer(entry, CommandOutcome)
        if (outcome.number, outcome.reason) != (welcome.highest + 1, Reason.OUT_OF_BOUNDS):
            raise Wrong(f"a label of {LABELS[0]} characters was answered {outcome}")
    finally:
        entry.close(linger=0)
        context.term()
    died = [actor for actor, process in before.items() if scene.stack.pid(actor) != process]
    if died:
        raise Wrong(f"a label too long ended {', '.join(died)}")


def _await_answer(entry: "zmq.Socket[bytes]", wanted: type[S]) -> S:
    until_s = time.monotonic() + ANSWER_S
    while time.monotonic() < until_s:
        if entry.poll(100):
            answer = _decode(entry.recv())
            if isinstance(answer, wanted):
                return answer
    raise Wrong(f"no {wanted.__name__} within {ANSWER_S:g} s")


def _self_trade(scene: Scene) -> None:
    """Orders of ours meet, at a venue that lets an account trade with itself."""
    actor = begin_fault(scene, "self_trade", count=1_000_000)
    venue = actor.partition("@")[2]
    before = scene.exchanges[venue].truth.self_trades
    have_met = any(_meet(scene, venue, before) for _ in range(MEETINGS))
    scene.stack.ask(actor, "fault", {"kind": "clear"})
    if not have_met:
        raise Wrong(f"{MEETINGS} times {PAIRS} pairs of orders, and none met at {venue} within {ANSWER_S:g} s")


def _meet(scene: Scene, venue: str, before: int) -> bool:
    """Whether any of so many pairs of orders meet there."""
    scene.load.meet(PAIRS)
    until_s = time.monotonic() + ANSWER_S
    while scene.exchanges[venue].truth.self_trades == before and time.monotonic() < until_s:
        time.sleep(0.1)
        scene.exchanges[venue].read()
    return scene.exchanges[venue].truth.self_trades != before


FAULTS = (
    Fault(
        "names:silent", "names", f"no name server answers for {NAMES_S} s, connections are cut", _names(Answers.NONE)
    ),
    Fault("names:refused", "names", f"name servers refuse for {NAMES_S} s, connections are cut", _names(Answers.NO)),
    Fault("ca:removed", "taken", f"the CA file is gone for {CA_S} s, and a session with TLS starts again", _ca_removed),
    Fault("ca:replaced", "taken", f"the CA file is nonsense for {CA_S} s, the connection is cut", _ca_replaced),
    Fault("port", "taken", "kill -9 of an exchange, and another program takes its port", _port),
    Fault("open-files", "taken", f"an actor can open no file for {FILES_S} s (EMFILE)", _files),
    Fault("run-folder", "taken", "the run folder is removed under the stack", _run_folder),
    Fault("venue-file", "taken", "a start without a venue's file, and one with it again", _venue_file),
    Fault("self-trade", "answers", f"{PAIRS} pairs of our own orders meet, and trade with each other", _self_trade),
    Fault("long-label", "garbage", f"an order with a label of {LABELS[-1]:,} characters", _long_label),
)

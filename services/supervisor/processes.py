"""The supervisor's hold on real processes: starting them so that they cannot outlive it, and who else is running.

A child's first process is a fork of its supervisor, which has loaded the actor's program: a stack's few processors load
each program once at a start, not once a process. What comes back after a death is a new interpreter, so that it takes
nothing over from a supervisor that by then has threads and sockets.
"""

import contextlib
import importlib
import importlib.util
import os
import runpy
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

from common.actor.control import is_running
from common.actor.parent import die_with
from common.config import Actor, Config, Kind

SET_BY_HONCHO = "HONCHO_PROCESS_NAME"


def spawn(actor: Actor, config: Config) -> "subprocess.Popen[bytes]":
    """Start the actor's process. Raises OSError.

    It has a session of its own, so that a signal to the supervisor's group or a Ctrl-C in the terminal reaches it only
    through the supervisor; and it dies with the supervisor, however that ends, so that none is left to clash with. A
    FIX session is told to stop instead: what rests at its venue is for it alone to cancel then.
    """
    supervisor = os.getpid()
    return subprocess.Popen(
        [sys.executable, "-P", "-m", actor.module, *actor.arguments],
        cwd=config.paths.checkout,
        env=_environment(config),
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        # Nothing but prctl runs between fork and exec, and only the main thread forks: PDEATHSIG follows that thread.
        preexec_fn=lambda: die_with(supervisor, _end_of(actor)),
    )


class Prepared:
    """An actor's process that has its program loaded and waits for `begin`; from there on as one that was spawned."""

    def __init__(self, actor: Actor, config: Config) -> None:
        """Fork it. Raises OSError. The caller has loaded the program, and has no thread and no open socket yet."""
        supervisor = os.getpid()
        go, self._go = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self._status: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            _become(actor, config, supervisor, go)
        os.close(go)

    def begin(self) -> None:
        """Let it run its program. Raises OSError when it is dead; then it is reaped."""
        try:
            os.write(self._go, b"\n")
        except OSError:
            self.discard()
            raise
        os.close(self._go)

    def discard(self) -> None:
        """End it before it has begun."""
        os.close(self._go)
        self.send_signal(signal.SIGKILL)
        if self._status is None:
            os.waitpid(self.pid, 0)

    def poll(self) -> int | None:
        """Its exit status, or minus the signal that killed it; None while it runs."""
        if self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._status = os.waitstatus_to_exitcode(status)
        return self._status

    def send_signal(self, number: int) -> None:
        """Send the signal, unless it is dead."""
        if self.poll() is None:
            os.kill(self.pid, number)


def prepare(actors: Iterable[Actor], config: Config) -> dict[str, Prepared]:
    """Load the actors' programs and fork a process for each, by its name.

    What does not load is left out: spawned, it says itself what is wrong.
    """
    prepared: dict[str, Prepared] = {}
    for actor in actors:
        try:
            _load_program(actor.module)
            prepared[actor.name] = Prepared(actor, config)
        except Exception:
            continue
    return prepared


def _load_program(module: str) -> None:
    """Import what `python -m module` would, but for the program itself, which is to run in its own process."""
    spec = importlib.util.find_spec(module)
    is_package = spec is not None and spec.submodule_search_locations is not None
    name = f"{module}.__main__" if is_package else module
    importlib.import_module(name)
    sys.modules.pop(name, None)


def _become(actor: Actor, config: Config, supervisor: int, go: int) -> NoReturn:
    """Be the actor, in a process just forked, and end with its exit status."""
    status = 1
    try:
        die_with(supervisor, _end_of(actor))
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        # The supervisor's lock is not to outlive it here, and nothing else of it is open but the pipes of the others.
        os.dup2(go, 3)
        os.closerange(4, os.sysconf("SC_OPEN_MAX"))
        os.set_inheritable(3, False)
        with open(os.devnull, "rb") as nothing:
            os.dup2(nothing.fileno(), 0)
        os.chdir(config.paths.checkout)
        environment = _environment(config)
        os.environ.clear()
        os.environ.update(environment)
        if os.read(3, 1):
            os.close(3)
            sys.argv[1:] = actor.arguments
            runpy.run_module(actor.module, run_name="__main__", alter_sys=True)
            status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:
        traceback.print_exc()
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    # Not through the interpreter's end: that would finalize what the supervisor made.
    os._exit(status)


def _environment(config: Config) -> dict[str, str]:
    environment = {**os.environ, "FIXRING_CONFIG": str(config.paths.config), "FIXRING_VAR": str(config.paths.var)}
    # honcho sets PORT for each line; it means nothing here and must not be mistaken for something.
    environment.pop("PORT", None)
    environment.pop(SET_BY_HONCHO, None)
    return environment


def _end_of(actor: Actor) -> signal.Signals:
    return signal.SIGTERM if actor.kind is Kind.SESSIONS else signal.SIGKILL


def lock_name(kind: Kind) -> str:
    """What a supervisor is called in locks and control links."""
    return f"supervisor-{kind}"


def is_gone(run_folder: Path, kind: Kind) -> bool:
    """Whether no supervisor of `kind` runs on this run folder: its lock, taken for its whole life, is free."""
    return not is_running(run_folder, lock_name(kind))


class RunnerGone(Exception):
    """The honcho that started this supervisor has ended already."""


class Runner:
    """The honcho that started this supervisor. When it is gone nobody would stop the stack, so the supervisor ends."""

    def __init__(self) -> None:
        """Looks at the parent, which is honcho's own child, and at the parent's parent. Make it before anything else:
        a honcho that ends while this process loads is told by what it set in the environment.
        """
        self._parent = os.getppid()
        self._grandparent = _parent_of(self._parent)
        self._by_honcho = SET_BY_HONCHO in os.environ
        self._was_there = b"honcho" in _command(self._parent) and b"honcho" in _command(self._grandparent)

    @property
    def gone(self) -> bool:
        """Whether a honcho that was there is not any more."""
        if not self._was_there:
            return self._by_honcho
        return os.getppid() != self._parent or _parent_of(self._parent) != self._grandparent


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _parent_of(pid: int) -> int:
    try:
        # "pid (name) state ppid ...": the name may hold anything, a closing bracket too.
        return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return 0

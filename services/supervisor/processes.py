"""The supervisor's hold on real processes: starting them so that they cannot outlive it, and who else is running."""

import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path

from common.actor.control import is_running
from common.config import Actor, Config, Kind

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def spawn(actor: Actor, config: Config) -> "subprocess.Popen[bytes]":
    """Start the actor's process. Raises OSError.

    It has a session of its own, so that a signal to the supervisor's group or a Ctrl-C in the terminal reaches it only
    through the supervisor; and it dies with the supervisor, however that ends, so that none is left to clash with.
    """
    environment = {**os.environ, "FIXRING_CONFIG": str(config.paths.config), "FIXRING_VAR": str(config.paths.var)}
    # honcho sets PORT for each line; it means nothing here and must not be mistaken for something.
    environment.pop("PORT", None)
    supervisor = os.getpid()

    def die_with_supervisor() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != supervisor:
            os._exit(1)

    return subprocess.Popen(
        [sys.executable, "-P", "-m", actor.module, *actor.arguments],
        cwd=config.paths.checkout,
        env=environment,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        # Nothing but prctl runs between fork and exec, and only the main thread forks: PDEATHSIG follows that thread.
        preexec_fn=die_with_supervisor,
    )


def lock_name(kind: Kind) -> str:
    """What a supervisor is called in locks and control links."""
    return f"supervisor-{kind}"


def is_gone(run_folder: Path, kind: Kind) -> bool:
    """Whether no supervisor of `kind` runs on this run folder: its lock, taken for its whole life, is free."""
    return not is_running(run_folder, lock_name(kind))


class Runner:
    """The honcho that started this supervisor. When it is gone nobody would stop the stack, so the supervisor ends."""

    def __init__(self) -> None:
        """Looks at the parent, which is honcho's own child, and at the parent's parent."""
        self._parent = os.getppid()
        self._grandparent = _parent_of(self._parent) if b"honcho" in _command(self._parent) else 0

    @property
    def gone(self) -> bool:
        """Whether a honcho that was there is not any more."""
        if not self._grandparent:
            return False
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

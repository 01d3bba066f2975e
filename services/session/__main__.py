"""`python -P -m services.session --session NAME`: one order entry session of one account."""

import sys
from collections.abc import Sequence
from functools import partial

from common.actor.shell import Shell
from common.actor.start import connect_journal, name_argument, run_actor, shell_for, target_fix
from common.config import Config, ConfigError, OnStop, ReplicationMode
from common.fix.session_types import SequencePolicy
from common.journal import OsFiles, Reader
from common.journal.errors import Damage, NotThere
from common.journal.frames import Record
from common.key_files import connection_of
from common.left_out import Unfoldable
from common.messages import Command
from common.orders.facts import facts_of
from common.orders.names import MOST_SESSIONS
from common.venues.registry import find_profile
from services.session.connection import TARGET
from services.session.core import SessionCore
from services.session.make_snapshot import dialect_of, newest_folded
from services.session.recovery import Folded
from services.session.settings import SessionConfig


def session_config(name: str, config: Config) -> SessionConfig:
    """The venue's file and the stack's as the session needs them. Raises ConfigError."""
    session = config.sessions.get(name)
    if session is None:
        raise ConfigError(f"no enabled session is called {name!r}; there is {', '.join(config.sessions)}")
    account, fix = config.accounts[session.account], session.fix
    venue, place = account.venue, [each.name for each in account.sessions].index(name)
    if place >= MOST_SESSIONS:
        raise ConfigError(f"account {account.name}: at most {MOST_SESSIONS} sessions, and {name} is one more")
    return SessionConfig(
        session=name,
        account=account.name,
        venue=venue.name,
        sequence_policy=SequencePolicy[fix.sequence_policy.name],
        symbols=tuple(instrument.symbol for instrument in venue.instruments.values()),
        messages=fix.limits.messages,
        window_ms=fix.limits.window_ms,
        amends=fix.limits.amends or 0,
        cancel_reserve_ratio=float(config.stack.risk.cancel_reserve_ratio),
        emergency_folder=str(config.emergency_folder),
        assets=facts_of(venue, 0).assets,
        contracts=facts_of(venue, 0).contracts,
        cancel_on_stop=venue.on_stop is OnStop.CANCEL,
        reset_numbers=fix.resets_by_schedule,
        place=place,
        gives_way=config.stack.replication.mode is not ReplicationMode.LOCAL,
        **connection_of(fix, find_profile(venue.dialect), account.credentials, config),
    )


def read_log(core: SessionCore, reader: Reader, from_lsn: int, upto_lsn: int, max_bytes: int) -> Sequence[Record]:
    """The log's next records. Under the kill latch, with no journal to ask, whatever is not there or not readable is
    the end of the log: cancelling does not wait for it. Raises Damage otherwise.
    """
    try:
        return reader.read(from_lsn, upto_lsn, max_bytes)
    except NotThere:
        return ()
    except Damage:
        if core.taking_up.reading_alone:
            return ()
        raise


def build(name: str, config: Config) -> Shell:
    """The session's core with its links."""
    settings = session_config(name, config)
    files = OsFiles()
    reader = Reader(config.journal_folder, files)

    def begin(unfoldable: Sequence[Unfoldable]) -> Folded:
        return newest_folded(name, config, reader, unfoldable=unfoldable)

    core = SessionCore(settings, dialect_of(name, config), files, begin(()), begin)
    shell = shell_for(core, config)
    if settings.gives_way:
        shell.end_what_stood_still()
    connect_journal(shell, config, follow=False)
    shell.log_reader(partial(read_log, core, reader))
    shell.bind_pull("commands", config.endpoint(f"session.{name}"), Command)
    target_fix(shell, TARGET, config.sessions[name].fix, config, settings.venue)
    return shell


if __name__ == "__main__":
    sys.exit(run_actor(partial(build, name_argument("session", __doc__))))

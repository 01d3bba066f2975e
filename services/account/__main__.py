"""`python -P -m services.account --account NAME`: the REST side of one account."""

import sys
from collections.abc import Callable
from functools import partial

import msgspec

from common.actor.shell import Shell
from common.actor.start import connect_journal, name_argument, run_actor, shell_for, why_not_dialled
from common.config import Config, ConfigError
from common.journal import OsFiles
from common.key_files import read_credentials
from common.latch import Latch
from common.messages import Answer, Ask
from common.venues.registry import find_profile, find_rest
from common.venues.rest import RestSettings, RestSide
from services.account.core import AccountCore, AccountSettings


def build(name: str, config: Config) -> Shell:
    """One account with its links and its worker."""
    account = config.accounts.get(name)
    credentials = None if account is None else read_credentials(account.credentials, config)
    if account is None or account.venue.rest is None or credentials is None:
        raise ConfigError(f"account {name!r}: not configured, or without [rest] and credentials")
    venue, rest, resolve = account.venue, account.venue.rest, config.paths.resolve
    latch = Latch(str(config.emergency_folder), f"account@{name}.latch", OsFiles())
    window_ns = find_profile(venue.dialect).window_ns
    core = AccountCore(AccountSettings(venue.name, tuple(venue.instruments), window_ns, name), latch)
    ca = str(resolve(rest.ca)) if rest.ca else ""
    settings = RestSettings(venue.name, rest.url, credentials, rest.timeout_ms, ca)
    try:
        side = find_rest(venue.dialect)(settings)
    except ValueError as error:
        raise ConfigError(f"{name}: {error}") from None
    shell = shell_for(core, config)
    connect_journal(shell, config, follow=False)
    shell.bind_pull("asks", config.endpoint(f"account.{name}"), Ask)
    shell.worker(guarded(side, venue.name, why_not_dialled(venue.name, config)))
    return shell


def guarded(
    rest: RestSide, venue: str, why_not: Callable[[], str] | None
) -> Callable[[msgspec.Struct], msgspec.Struct]:
    """What answers questions, and asks nobody while `why_not` says why the venue is not to be dialled."""

    def ask(question: msgspec.Struct) -> Answer:
        assert isinstance(question, Ask)
        reason = "" if why_not is None else why_not()
        return Answer(venue, question, True, 0, reason) if reason else rest.ask(question)

    return ask


if __name__ == "__main__":
    sys.exit(run_actor(partial(build, name_argument("account", __doc__))))

"""`python -P -m services.account --account NAME`: the REST side of one account."""

import sys
from functools import partial

from common.actor.shell import Shell
from common.actor.start import connect_journal, name_argument, run_actor, shell_for
from common.config import Config, ConfigError
from common.journal import OsFiles
from common.latch import Latch
from common.messages import Ask
from common.rest_worker import rest_workers
from common.venues.registry import find_profile
from services.account.core import CANCELS, AccountCore, AccountSettings


def build(name: str, config: Config) -> Shell:
    """One account with its links and its workers."""
    account = config.accounts.get(name)
    if account is None or account.venue.rest is None or account.credentials is None:
        raise ConfigError(f"account {name!r}: not configured, or without [rest] and credentials")
    venue = account.venue
    latch = Latch(str(config.emergency_folder), f"account@{name}.latch", OsFiles())
    profile = find_profile(venue.dialect)
    settings = AccountSettings(venue.name, tuple(venue.instruments), profile.window_ns, name, profile.lists_orders)
    core = AccountCore(settings, latch)
    questions, cancels = rest_workers(venue, account.credentials, config)
    shell = shell_for(core, config)
    connect_journal(shell, config, follow=False)
    shell.bind_pull("asks", config.endpoint(f"account.{name}"), Ask)
    shell.worker(questions)
    shell.worker(cancels, CANCELS)
    return shell


if __name__ == "__main__":
    sys.exit(run_actor(partial(build, name_argument("account", __doc__))))

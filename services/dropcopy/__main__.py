"""`python -P -m services.dropcopy --name NAME`: one drop copy of one account."""

import sys
import time
from functools import partial

from common.actor.shell import Shell
from common.actor.start import connect_journal, name_argument, run_actor, shell_for, target_fix
from common.config import Config, ConfigError
from common.key_files import connection_of, nonces_of
from common.venues.listening import TARGET
from common.venues.registry import find_dialect, find_profile
from services.dropcopy.core import DropCopyConfig, DropCopyCore


def drop_copy_config(name: str, config: Config, started_s: int) -> DropCopyConfig:
    """The venue's file as the drop copy needs it. Raises ConfigError."""
    copy = config.drop_copies.get(name)
    if copy is None:
        raise ConfigError(f"no drop copy is called {name!r}; there is {', '.join(config.drop_copies) or 'none'}")
    account, fix = config.accounts[copy.account], copy.fix
    profile = find_profile(account.venue.dialect)
    return DropCopyConfig(
        name=name,
        account=account.name,
        venue=account.venue.name,
        first_connection=started_s,
        nonces=nonces_of(f"dropcopy@{name}", profile, config),
        **connection_of(fix, profile, account.credentials, config),
    )


def build(name: str, config: Config) -> Shell:
    """The core with its links."""
    settings = drop_copy_config(name, config, int(time.time()))
    venue = config.venues[settings.venue]
    shell = shell_for(DropCopyCore(settings, find_dialect(venue.dialect)), config)
    connect_journal(shell, config, follow=False)
    target_fix(shell, TARGET, config.drop_copies[name].fix, config, venue.name)
    return shell


if __name__ == "__main__":
    sys.exit(run_actor(partial(build, name_argument("name", __doc__))))

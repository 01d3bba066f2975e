"""`python -P -m services.account --venue NAME`: the REST side of one venue."""

import sys
from collections.abc import Callable
from functools import partial

import msgspec

from common.actor.shell import Shell
from common.actor.start import connect_journal, run_actor, shell_for, venue_argument, why_not_dialled
from common.config import Config, ConfigError
from common.journal import OsFiles
from common.latch import Latch
from common.messages import Answer, Ask
from common.venues.registry import find_dialect
from services.account.core import AccountCore, AccountSettings
from services.account.rest import Rest, RestSettings, binance_api


def build(name: str, config: Config) -> Shell:
    """The account of one venue with its links and its worker."""
    venue = config.venues.get(name)
    if venue is None or venue.rest is None or venue.credentials is None:
        raise ConfigError(f"venue {name!r}: not configured, or without [rest] and [credentials]")
    rest, credentials, resolve = venue.rest, venue.credentials, config.paths.resolve
    latch = Latch(str(config.emergency_folder), f"account@{name}.latch", OsFiles())
    window_ns = find_dialect(venue.dialect).window_ns
    core = AccountCore(AccountSettings(name, tuple(venue.instruments), window_ns), latch)
    try:
        api_key = resolve(credentials.api_key_file).read_text("ascii").strip()
        private_key = resolve(credentials.private_key_file).read_text("ascii").strip()
    except OSError as error:
        raise ConfigError(
            f"{error.filename}: {error.strerror}; set [credentials] of {name} to readable files"
        ) from None
    ca = str(resolve(rest.ca)) if rest.ca else ""
    settings = RestSettings(name, rest.url, api_key, private_key, rest.timeout_ms, ca)
    shell = shell_for(core, config)
    connect_journal(shell, config, follow=False)
    shell.bind_pull("asks", config.endpoint(f"account.{name}"), Ask)
    shell.worker(guarded(Rest(name, binance_api(settings)), name, why_not_dialled(name, config)))
    return shell


def guarded(
    rest: Rest, venue: str, why_not: Callable[[], str] | None
) -> Callable[[msgspec.Struct], msgspec.Struct]:
    """What answers questions, and asks nobody while `why_not` says why the venue is not to be dialled."""

    def ask(question: msgspec.Struct) -> Answer:
        assert isinstance(question, Ask)
        reason = "" if why_not is None else why_not()
        return Answer(venue, question, True, 0, reason) if reason else rest.ask(question)

    return ask


if __name__ == "__main__":
    sys.exit(run_actor(partial(build, venue_argument(__doc__))))

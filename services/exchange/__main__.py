"""`python -P -m services.exchange --venue V`: the simulated exchange behind one venue."""

import sys
from functools import partial
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from common.actor.shell import Shell
from common.actor.start import run_actor, server_tls, shell_for, venue_argument
from common.config import Config, ConfigError, VenueConfig
from common.exchange.history_file import FileHistory
from common.exchange.settings import ExchangeSettings, Key
from common.journal.files import OsFiles
from services.exchange.configured import ACCOUNT, settings_of
from services.exchange.core import ExchangeCore

HTTP_PORT = 80


def exchange_settings(name: str, config: Config) -> ExchangeSettings:
    """The venue's file as the exchange needs it. Raises ConfigError."""
    venue = config.venues.get(name)
    if venue is None or venue.simulated is None:
        raise ConfigError(f"no enabled venue called {name!r} is simulated; there is {', '.join(config.venues)}")
    return settings_of(venue, venue.simulated, _keys(venue, config))


def _keys(venue: VenueConfig, config: Config) -> tuple[Key, ...]:
    """The desk's API key, with the public half of its key pair. Raises ConfigError."""
    if venue.credentials is None or not venue.credentials.is_key_pair:
        return ()
    key_file = config.paths.resolve(venue.credentials.api_key_file)
    public_file = config.paths.public_key(venue.name)
    try:
        public = load_pem_public_key(public_file.read_bytes())
        api_key = key_file.read_text("ascii").strip()
    except (OSError, ValueError) as error:
        raise ConfigError(f"{public_file}, {key_file}: {error}; the first start of the stack makes both") from error
    if not isinstance(public, Ed25519PublicKey):
        raise ConfigError(f"{public_file}: not an Ed25519 key, the only kind that this venue takes")
    return (Key(api_key=api_key, public_key=public.public_bytes_raw(), account=ACCOUNT),)


def build(name: str, config: Config) -> Shell:
    """The exchange's core with its listeners, where the sessions and the account actor connect to."""
    settings = exchange_settings(name, config)
    venue = config.venues[name]
    assert venue.simulated is not None
    folder = config.paths.exchange(name)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    history = FileHistory(folder / "history.db")
    core = ExchangeCore(settings, str(folder), OsFiles(), history, venue.simulated.segment_bytes)
    shell = shell_for(core, config)
    for listener, fix in (("fix", venue.fix), ("market_data", venue.market_data)):
        shell.listen(listener, fix.host, fix.port, server_tls(name, fix.tls, config))
    if venue.rest is not None:
        url = urlsplit(venue.rest.url)
        shell.listen("rest", url.hostname or "127.0.0.1", url.port or HTTP_PORT, None)
    return shell


if __name__ == "__main__":
    sys.exit(run_actor(partial(build, venue_argument(__doc__))))

"""`python -P -m services.exchange --venue V`: the simulated exchange behind one venue."""

import sys
from functools import partial
from urllib.parse import urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from msgspec.structs import replace

from common.actor.shell import Shell
from common.actor.start import name_argument, run_actor, server_tls, shell_for
from common.config import Config, ConfigError, ConfiguredKeys, keys_of
from common.exchange.history_file import FileHistory
from common.exchange.settings import ExchangeSettings, Key
from common.journal.files import OsFiles
from common.key_files import read_credentials
from common.venues.credentials import (
    Ed25519Account,
    Ed25519Key,
    HmacAccount,
    HmacPassphrase,
    HmacSecret,
    Password,
    PasswordHmac,
    RsaKey,
)
from services.exchange.configured import called, settings_of
from services.exchange.core import ExchangeCore

HTTP_PORT = 80


def exchange_settings(name: str, config: Config) -> ExchangeSettings:
    """The venue's file as the exchange needs it. Raises ConfigError."""
    venue = config.venues.get(name)
    if venue is None or venue.simulated is None:
        raise ConfigError(f"no enabled venue called {name!r} is simulated; there is {', '.join(config.venues)}")
    keys = [key for each in keys_of(venue) for key in _keys(each, config)]
    return settings_of(venue, venue.simulated, tuple(keys))


def _keys(told: ConfiguredKeys, config: Config) -> tuple[Key, ...]:
    """What those who hold the key are checked with. Raises ConfigError."""
    checked = _of_all(told, called(config.accounts[told.account]), config)
    return tuple(replace(key, listener=told.connection) for key in checked) if told.connection != "fix" else checked


def _of_all(told: ConfiguredKeys, its: str, config: Config) -> tuple[Key, ...]:
    """The same, as if the key were for every listener that takes such a one. `its` is what its account is called."""
    match read_credentials(told.told, config):
        case Ed25519Key(api_key=api_key, private_key_pem=pem) | RsaKey(api_key=api_key, private_key_pem=pem):
            return (Key(api_key=api_key, account=its, public_key=_public_half(pem, told)),)
        case Ed25519Account(api_key=api_key, private_key_pem=pem, account=account_id):
            public_key = _public_half(pem, told)
            return (Key(api_key=api_key, account=its, public_key=public_key, account_id=account_id),)
        case HmacAccount(api_key=api_key, secret=secret, account=account_id):
            return (Key(api_key=api_key, account=its, secret=secret, account_id=account_id),)
        case HmacSecret(api_key=api_key, secret=secret):
            return (Key(api_key=api_key, account=its, secret=secret),)
        case HmacPassphrase(api_key=api_key, secret=secret, passphrase=passphrase):
            return (Key(api_key=api_key, account=its, secret=secret, passphrase=passphrase),)
        case Password(username=username, password=password):
            return (Key(api_key=username, account=its, secret=password.encode()),)
        case PasswordHmac() as both:
            entered = Key(
                api_key=both.username, account=its, secret=both.password.encode(), account_id=both.account
            )
            return entered, Key(api_key=both.api_key, account=its, secret=both.secret, listener="rest")
    return ()


def _public_half(private_key_pem: bytes, told: ConfiguredKeys) -> bytes:
    """What signatures are checked against. Raises ConfigError."""
    # No file keeps it: beside a new private key it would still be the old one's.
    try:
        public = load_pem_private_key(private_key_pem, password=None).public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigError(
            f"the private key of {told.owner} is of no use: {error}; docs/venues.md says what its file holds"
        ) from error
    if isinstance(public, Ed25519PublicKey):
        return public.public_bytes_raw()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


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
    for listener, fix in venue.connections.items() if venue.bridge is None else ():
        shell.listen(listener, fix.host, fix.port, server_tls(name, fix.tls, config))
    if venue.bridge is not None:
        websocket = urlsplit(venue.bridge.websocket)
        shell.listen("websocket", websocket.hostname or "127.0.0.1", websocket.port or HTTP_PORT, None)
    for fix in {(each.fix.host, each.fix.port): each.fix for each in config.drop_copies_of(name)}.values():
        shell.listen("drop_copy", fix.host, fix.port, server_tls(name, fix.tls, config))
    if venue.rest is not None:
        url = urlsplit(venue.rest.url)
        shell.listen("rest", url.hostname or "127.0.0.1", url.port or HTTP_PORT, None)
    return shell


if __name__ == "__main__":
    sys.exit(run_actor(partial(build, name_argument("venue", __doc__))))

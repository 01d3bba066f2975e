"""What a stack needs before its first start: folders, a private CA for the simulated exchanges, API keys for them.

Made once and kept. Nothing is ever made for a venue that is not simulated: its keys are the desk's to bring.
"""

import datetime
import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from common.config import Config, ConfigError, Environment, VenueConfig, accounts_of, keys_of

FOLDER_MODE = 0o700


def prepare(config: Config, now: datetime.datetime, *, look_inside: bool = True) -> list[str]:
    """Make what is missing under the var folder and return a line for each thing made; none on a later start.

    `now` (aware) dates the certificates. Without `look_inside` certificates that are there are taken for good: one
    process of a stack need look. Safe to call from several processes at once. Raises ConfigError where a real venue's
    key files are missing, and OSError where the var folder cannot be written.
    """
    made: list[str] = []
    _folders(config)
    with _alone(config.paths.run / "first_start.lock"):
        for name, venue in config.venues.items():
            if venue.environment is not Environment.SIMULATED:
                _require_keys(config, venue)
            elif look_inside or not all(file.is_file() for file in _files(config, name, venue)):
                # It brings cryptography along, a fifth of what a process of the stack takes to start.
                from common import keys

                made += keys.make_certificates(config, name, venue, now)
                for key in keys_of(venue):
                    made += keys.make_credentials(config, key)
    return made


def _files(config: Config, name: str, venue: VenueConfig) -> list[Path]:
    """What a simulated venue needs."""
    paths, files = config.paths, []
    if any(section.tls is not None for section in venue.connections.values()):
        files += [paths.keys / "ca.pem", paths.server_certificate(name), paths.server_key(name)]
    for key in keys_of(venue):
        files += [paths.resolve(path) for path in key.told.files.values()]
    return files


def _folders(config: Config) -> None:
    paths = config.paths
    folders = [paths.var, paths.run, paths.log, paths.keys, config.journal_folder, config.emergency_folder]
    for name, venue in config.venues.items():
        if venue.environment is Environment.SIMULATED:
            folders += [paths.exchange(name), *(paths.keys / account.name for account in accounts_of(venue))]
    for folder in folders:
        # mkdir gives its mode to the last folder of a path only.
        folder.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
        if folder.stat().st_mode & 0o077 and folder.is_relative_to(paths.var):
            folder.chmod(FOLDER_MODE)


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    with lock.open("a", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _require_keys(config: Config, venue: VenueConfig) -> None:
    for each in keys_of(venue):
        for key, told in each.told.files.items():
            path = config.paths.resolve(told)
            if not path.is_file():
                raise ConfigError(
                    f"{config.paths.config / venue.name}.toml: {each.table}.{key}: {path}: no such file; "
                    f"docs/live.md says how to make a key for {venue.environment}"
                )

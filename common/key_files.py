"""The files that hold an account's credentials, read at the start of a process and for each logon."""

from collections.abc import Callable
from typing import Any

from common.config import Config, ConfigError, CredentialsConfig, FixConfig
from common.journal.files import OsFiles
from common.nonce_file import NonceFile, RequestNonceFolder
from common.venues.credentials import Credentials, UnreadableCredentials, credentials_of
from common.venues.venue import VenueProfile


def read_credentials(told: CredentialsConfig | None, config: Config) -> Credentials | None:
    """The credentials in the files that are told; None where none are. Raises ConfigError, naming the file."""
    if told is None:
        return None
    files = {key: config.paths.resolve(path) for key, path in told.files.items()}
    try:
        return credentials_of(told.kind, {key: file.read_bytes() for key, file in files.items()})
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the venue's credentials cannot be read: {error}; see [credentials] in its file") from None


def logs_on_as(fix: FixConfig, profile: VenueProfile, credentials: Credentials | None) -> str:
    """The SenderCompID(49) of a connection, "" where each takes the next with a prefix. Raises ConfigError where the
    venue knows it by an API key, and the credentials have none.
    """
    if not profile.comp_id_is_api_key:
        return fix.sender_comp_id or ""
    api_key = getattr(credentials, "api_key", "")
    if not isinstance(api_key, str) or not api_key:
        raise ConfigError(f"{profile.title} knows a connection by its API key: set the venue's [credentials]")
    return api_key


def reader_of(told: CredentialsConfig | None, config: Config) -> Callable[[], Credentials | None]:
    """What reads the credentials again, and raises UnreadableCredentials where it cannot."""

    def read() -> Credentials | None:
        try:
            return read_credentials(told, config)
        except ConfigError as error:
            raise UnreadableCredentials(str(error)) from None

    return read


def nonces_of(actor: str, profile: VenueProfile, config: Config) -> NonceFile | None:
    """Where the numbers of the actor's Logons(A) are kept; None where the venue asks for none that grow."""
    return NonceFile(str(config.emergency_folder), f"{actor}.nonces", OsFiles()) if profile.nonces_grow else None


def request_nonces(config: Config) -> RequestNonceFolder:
    """Where the numbers of REST requests are kept, for every process that asks with the same key."""
    return RequestNonceFolder(str(config.emergency_folder), OsFiles())


def connection_of(
    fix: FixConfig, profile: VenueProfile, told: CredentialsConfig | None, config: Config
) -> dict[str, Any]:
    """What the settings of every FIX session of ours have of its table, by name. Raises ConfigError."""
    credentials = read_credentials(told, config)
    return {
        "target_comp_id": fix.target_comp_id,
        "sender_comp_id": logs_on_as(fix, profile, credentials),
        "comp_id_prefix": fix.comp_id_prefix or "",
        "connects": fix.limits.connects,
        "connects_window_ms": fix.limits.connects_window_ms,
        "heart_bt_int_s": fix.heart_bt_int_s,
        "reconnect_min_ms": fix.reconnect_min_ms,
        "reconnect_max_ms": fix.reconnect_max_ms,
        "hosts": len(fix.hosts),
        "credentials": credentials,
        "read_credentials": reader_of(told, config),
        "schedule": fix.opening,
    }

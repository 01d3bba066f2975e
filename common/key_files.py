"""The files that hold an account's credentials, read once at the start of a process."""

from common.config import Config, ConfigError, CredentialsConfig
from common.venues.credentials import Credentials, credentials_of


def read_credentials(told: CredentialsConfig | None, config: Config) -> Credentials | None:
    """The credentials in the files that are told; None where none are. Raises ConfigError, naming the file."""
    if told is None:
        return None
    files = {key: config.paths.resolve(path) for key, path in told.files.items()}
    try:
        return credentials_of(told.kind, {key: file.read_bytes() for key, file in files.items()})
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the venue's credentials cannot be read: {error}; see [credentials] in its file") from None

"""The files that sign a Logon(A), read once at the start of a process. What is in them never reaches a log."""

from common.config import Config, ConfigError, VenueConfig
from common.venues.dialect import Credentials


def read_credentials(venue: VenueConfig, config: Config) -> Credentials | None:
    """The venue's API key and private key; None where it has none. Raises ConfigError, naming the file."""
    if venue.credentials is None:
        return None
    key_file = config.paths.resolve(venue.credentials.api_key_file)
    pem_file = config.paths.resolve(venue.credentials.private_key_file)
    try:
        return Credentials(key_file.read_text("ascii").strip(), pem_file.read_bytes())
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the venue's credentials cannot be read: {error}; see [credentials] in its file") from None

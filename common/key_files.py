"""The files that hold a venue's credentials, read once at the start of a process."""

from common.config import Config, ConfigError, VenueConfig
from common.venues.credentials import Credentials, credentials_of


def read_credentials(venue: VenueConfig, config: Config) -> Credentials | None:
    """The venue's credentials; None where it has none. Raises ConfigError, naming the file."""
    if venue.credentials is None:
        return None
    files = {key: config.paths.resolve(path) for key, path in venue.credentials.files.items()}
    try:
        return credentials_of(venue.credentials.kind, {key: file.read_bytes() for key, file in files.items()})
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the venue's credentials cannot be read: {error}; see [credentials] in its file") from None

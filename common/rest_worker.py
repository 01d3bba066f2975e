"""The workers of an actor that asks a venue's REST side: one blocking call of each at a time, away from the loop."""

from collections.abc import Callable, Sequence
from threading import Lock

import msgspec

from common.actor.start import why_not_dialled
from common.config import Config, ConfigError, CredentialsConfig, VenueConfig
from common.key_files import read_credentials, reader_of, request_nonces
from common.messages import Answer, Ask
from common.venues.credentials import Credentials, UnreadableCredentials
from common.venues.key_in_use import ReadAgain
from common.venues.registry import find_rest
from common.venues.rest import Listed, Listing, OpenRest, RestSettings, RestSide, Unlisted, put_question
from common.venues.ways import Way, both_ways

Answering = Callable[[msgspec.Struct], msgspec.Struct]


def rest_workers(venue: VenueConfig, told: CredentialsConfig | None, config: Config) -> tuple[Answering, Answering]:
    """The same twice, for questions and for cancels: within one limit, and neither waits for the other's answers."""
    questions, cancels = both_ways(Lock())
    return rest_worker(venue, told, config, questions), rest_worker(venue, told, config, cancels)


def rest_worker(
    venue: VenueConfig, told: CredentialsConfig | None, config: Config, way: Way | None = None
) -> Answering:
    """What answers an `Ask` at the venue's `[rest]`, with the credentials that their files hold by then. Raises
    ConfigError where it cannot be opened."""
    assert venue.rest is not None
    ca = str(config.paths.resolve(venue.rest.ca)) if venue.rest.ca else ""
    credentials = read_credentials(told, config)
    if credentials is None:
        raise ConfigError(f"{venue.name}: [rest] needs [credentials]")
    symbols, nonces = tuple(venue.instruments), request_nonces(config)
    settings = RestSettings(venue.name, venue.rest.url, credentials, venue.rest.timeout_ms, ca, symbols, nonces, way)
    try:
        side = RotatingRest(find_rest(venue.dialect), settings, reader_of(told, config))
    except ValueError as error:
        raise ConfigError(f"{venue.name}: {error}") from None
    return guarded(side, venue.name, why_not_dialled(venue.name, config))


class RotatingRest:
    """A `RestSide` that is opened anew where the credentials are others than before.

    Those that cannot be read, or are of no use, change nothing.
    """

    def __init__(self, open_rest: OpenRest, settings: RestSettings, read_again: ReadAgain) -> None:
        """Opens it. Raises ValueError where the credentials are of no use."""
        self._open = open_rest
        self._settings = settings
        self._read_again = read_again
        self._refused: Credentials | None = None
        self._side = open_rest(settings)

    def ask(self, ask: Ask, *, unlisted: bool = False) -> Answer:
        """See `RestSide`."""
        self._look_for_a_key()
        return self._side.ask(ask, unlisted=unlisted)

    def look_up(self, asks: Sequence[Ask]) -> Listed:
        """See `RestSide`."""
        self._look_for_a_key()
        return self._side.look_up(asks)

    def _look_for_a_key(self) -> None:
        try:
            credentials = self._read_again()
        except UnreadableCredentials:
            return
        if credentials is not None and credentials not in (self._settings.credentials, self._refused):
            self._rotate(credentials)

    def _rotate(self, credentials: Credentials) -> None:
        settings = msgspec.structs.replace(self._settings, credentials=credentials)
        try:
            self._side = self._open(settings)
        except ValueError:
            self._refused = credentials
        else:
            self._settings = settings


def guarded(rest: RestSide, venue: str, why_not: Callable[[], str] | None) -> Answering:
    """What answers questions, and asks nobody while `why_not` says why the venue is not to be dialled."""

    def ask(question: msgspec.Struct) -> Answer | Listed:
        reason = "" if why_not is None else why_not()
        if not reason:
            return put_question(rest, question)
        if isinstance(question, Listing):
            return Listed((), failed=True)
        asked = question.ask if isinstance(question, Unlisted) else question
        assert isinstance(asked, Ask)
        return Answer(venue, asked, True, 0, reason)

    return ask

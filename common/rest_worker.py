"""The worker of an actor that asks a venue's REST side: one blocking call at a time, away from the loop."""

from collections.abc import Callable

import msgspec

from common.actor.start import why_not_dialled
from common.config import Config, ConfigError, VenueConfig
from common.messages import Answer, Ask
from common.venues.credentials import Credentials
from common.venues.registry import find_rest
from common.venues.rest import RestSettings, RestSide


def rest_worker(
    venue: VenueConfig, credentials: Credentials, config: Config
) -> Callable[[msgspec.Struct], msgspec.Struct]:
    """What answers an `Ask` at the venue's `[rest]`. Raises ConfigError where it cannot be opened."""
    assert venue.rest is not None
    ca = str(config.paths.resolve(venue.rest.ca)) if venue.rest.ca else ""
    settings = RestSettings(venue.name, venue.rest.url, credentials, venue.rest.timeout_ms, ca)
    try:
        side = find_rest(venue.dialect)(settings)
    except ValueError as error:
        raise ConfigError(f"{venue.name}: {error}") from None
    return guarded(side, venue.name, why_not_dialled(venue.name, config))


def guarded(
    rest: RestSide, venue: str, why_not: Callable[[], str] | None
) -> Callable[[msgspec.Struct], msgspec.Struct]:
    """What answers questions, and asks nobody while `why_not` says why the venue is not to be dialled."""

    def ask(question: msgspec.Struct) -> Answer:
        assert isinstance(question, Ask)
        reason = "" if why_not is None else why_not()
        return Answer(venue, question, True, 0, reason) if reason else rest.ask(question)

    return ask

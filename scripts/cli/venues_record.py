"""`fixring venues record`: frames of a journal as samples of a venue's wire, without the names of whose they are."""

import datetime
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from common.config import Config, VenueConfig, accounts_of
from common.exit_status import ExitStatus
from common.journal import Reader
from common.key_files import read_credentials
from common.messages import Inbound, Outbound
from common.past.select import Filter, select
from common.venues.registry import find_dialect, find_dictionary
from scripts.cli.errors import CommandError
from scripts.journal.samples import Anonymiser, Sample, document, recorded


def record_samples(
    config: Config, venue: VenueConfig, reader: Reader, most: int, file: Path | None, range_: tuple[int, int | None]
) -> None:
    """Write up to `most` samples of each kind of the venue's messages in that range of the log: to a new `file`, or to
    standard output. Raises CommandError."""
    dialect = find_dialect(venue.dialect)
    anonymiser = Anonymiser(
        find_dictionary(venue.dialect), _kept(venue), _secrets(config, venue), dialect.profile.key_tags
    )
    found = list(recorded(_messages(venue, reader, range_), dialect, anonymiser, most))
    samples = [each for each in found if isinstance(each, Sample)]
    for why in [each for each in found if isinstance(each, str)]:
        click.echo(f"left out: {why}", err=True)
    if not samples:
        raise CommandError(f"{venue.name}: the journal holds no message of it in that range", ExitStatus.FAILURE)
    text = document(samples, dialect.profile.title, datetime.datetime.now(datetime.UTC).date())
    if file is None:
        click.echo(text, nl=False)
        return
    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(text)
    except FileExistsError:
        raise CommandError(f"{file} is there already: name another file", ExitStatus.USAGE) from None
    except OSError as error:
        raise CommandError(f"{file} cannot be written: {error.strerror}", ExitStatus.FAILURE) from None
    click.echo(f"{len(samples)} samples in {file}: look them through before anybody else sees them")


def _messages(venue: VenueConfig, reader: Reader, range_: tuple[int, int | None]) -> Iterator[Inbound | Outbound]:
    wanted = Filter(kinds=frozenset({"INBOUND", "OUTBOUND"}))
    for _, payload in select(reader, wanted, *range_):
        if isinstance(payload, Inbound | Outbound) and (payload.venue or payload.session) == venue.name:
            yield payload


def _kept(venue: VenueConfig) -> list[str]:
    """Names that are the venue's own: its CompIDs, and what it trades."""
    assets = [asset for i in venue.instruments.values() for asset in (i.base, i.quote, i.settle or "")]
    return [*(fix.target_comp_id for fix in venue.connections.values()), *venue.instruments, *assets, "NONE"]


def _secrets(config: Config, venue: VenueConfig) -> list[bytes]:
    """Every value of the venue's credentials. Raises ConfigError where they cannot be read: without them nobody can see
    that none is shown."""
    found: list[bytes] = []
    for account in accounts_of(venue):
        credentials = read_credentials(account.credentials, config)
        if credentials is not None:
            found += [v if isinstance(v, bytes) else v.encode() for v in msgspec.structs.astuple(credentials)]
    return found

"""`python -P -m services.session.make_snapshot --venue V`: fold on from the newest snapshot, and write the next one."""

import sys

import click

from common.actor.snapshots import load_newest, make_snapshot
from common.config import Config, ConfigError, load
from common.exit_status import ExitStatus
from common.journal import JournalError
from common.venues.dialect import find_dialect
from services.session.recovery import Folded, load_folded


def newest_folded(venue: str, config: Config) -> Folded:
    """The session's state from the newest snapshot that verifies, else an empty one."""
    writer, dialect = f"session@{venue}", find_dialect(config.venues[venue].dialect)
    loaded = load_newest(config, writer, lambda data: load_folded(data, writer, venue, dialect))
    return loaded or Folded(writer, venue, dialect)


@click.command()
@click.option("--venue", required=True, help="The name of the venue's file in the configuration.")
def main(venue: str) -> None:
    """Make one snapshot of the session of VENUE."""
    try:
        config = load()
        lsn = make_snapshot(config, f"session@{venue}", newest_folded(venue, config))
    except ConfigError as error:
        print(error, file=sys.stderr)
        sys.exit(ExitStatus.CONFIGURATION)
    except (JournalError, OSError) as error:
        print(error, file=sys.stderr)
        sys.exit(ExitStatus.FAILURE)
    print(f"at LSN {lsn}")


if __name__ == "__main__":
    main()

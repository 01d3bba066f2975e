"""`fixring reconcile`: our books against the venues', and against the simulated exchanges' own as a second witness."""

from collections.abc import Iterator

import click
import orjson

from common.actor.control import NoAnswer, NotRunning, Refused, ask
from common.config import Config, load
from common.exit_status import ExitStatus
from common.orders.facts import Holding, outside
from common.reconcile.journal_books import JournalBooks
from common.reconcile.result import Result
from common.reconcile.witness import audit, compare
from scripts.cli.errors import CommandError
from scripts.cli.names import known_name
from scripts.cli.outside import stranded


@click.command()
@click.option("--venue", default="", help="Only this venue.")
@click.option("--timeout", "timeout_s", default=15.0, show_default=True, help="Seconds to come to an equal instant.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of text.")
def reconcile(venue: str, timeout_s: float, as_json: bool) -> None:
    """Compare positions, balances, open orders, fills and sequence numbers with the venues.

    Exit status 0 when all are equal, 1 when something differs, 8 when a venue did not answer. What cannot be compared
    at a venue is named, with the reason. A difference counts when it is there as of one and the same instant, and still
    there at the next try.
    """
    config = load()
    known_name("venue", venue, config.venues)
    names = [name for name, account in config.accounts.items() if venue in ("", account.venue.name)]
    _need_orders(config)
    books = JournalBooks(config)
    books.read_on()
    audited_lsn = books.lsn
    audits = audit(config, books, names)
    try:
        compared = {name: compare(config, books, name, audited_lsn, timeout_s) for name in names}
    except Refused as error:
        raise CommandError(str(error)) from None
    results = {name: result._replace(audit=audits[name]) for name, result in compared.items()}
    for place, told in _outside(config, books, venue):
        result = results.get(place, Result(f"LSN {books.lsn}", {}))
        audit_and_this = result.audit._replace(unsettled=(*result.audit.unsettled, told))
        results[place] = result._replace(audit=audit_and_this)
    differ = any(result.differences for result in results.values())
    unanswered = any(result.unanswered for result in results.values())
    if as_json:
        accounts = {name: result.document() for name, result in results.items()}
        document = {"environment": config.environment.value, "equal": not (differ or unanswered), "accounts": accounts}
        click.echo(orjson.dumps(document))
    else:
        click.echo(f"environment {config.environment.value}")
        for name, result in results.items():
            click.echo(result.told(name))
    if differ or unanswered:
        raise click.exceptions.Exit(ExitStatus.FAILURE if differ else ExitStatus.NOT_ANSWERED)


def _outside(config: Config, books: JournalBooks, venue: str) -> Iterator[tuple[str, str]]:
    """What there is where the configuration has nobody to ask: the account, and a sentence."""
    configured = {name: account.venue.instruments for name, account in config.accounts.items()}
    for held in outside(books.books.holdings(), configured):
        if venue in ("", held.venue):
            yield held.account, _told(held)
    for file in stranded(config):
        if not venue:
            yield file.session, f"{file.text}: put the venue's file back to have it handed over"


def _told(held: Holding) -> str:
    text = f"{held.symbol} is not configured, and we have {held.open_orders} orders open, position {held.position:f}"
    return f"{text}: put its file or table back to compare it"


def _need_orders(config: Config) -> None:
    try:
        state = ask(config.reach, "orders", "status").get("state")
    except NotRunning as error:
        raise CommandError(str(error), ExitStatus.NOT_RUNNING) from None
    except NoAnswer as error:
        raise CommandError(str(error), ExitStatus.TIMEOUT) from None
    if state not in ("live", "restarting"):
        raise CommandError(f"orders is {state}: nothing can be compared; try again", ExitStatus.FAILURE)

"""`python -P -m services.orders`: the order manager."""

import sys

from common.actor.shell import Shell
from common.actor.snapshots import make_in_process
from common.actor.start import connect_journal, run_actor, shell_for
from common.config import Config
from common.journal import OsFiles, Reader
from common.messages import EntryRequest
from services.orders.books import Books
from services.orders.core import OrdersCore
from services.orders.index_file import IndexFile
from services.orders.make_snapshot import newest_books
from services.orders.settings import orders_settings


def build(config: Config) -> Shell:
    """The core with its links."""
    reader = Reader(config.journal_folder, OsFiles())
    index = IndexFile(config.journal_folder / "index" / "orders.sqlite")
    shell = shell_for(OrdersCore(orders_settings(config), starting_books(config, index, reader), index), config)
    connect_journal(shell, config, follow=True)
    shell.log_reader(reader.read)
    shell.bind_router("entry", config.endpoint("entry"), EntryRequest)
    shell.connect_push("risk", config.endpoint("risk"))
    for name, venue in config.venues.items():
        if venue.rest is not None:
            shell.connect_push(f"account.{name}", config.endpoint(f"account.{name}"))
    shell.worker(make_in_process)
    return shell


def starting_books(config: Config, index: IndexFile, reader: Reader) -> Books:
    """The newest snapshot's books; empty ones where the index lacks what they have forgotten and the log still has
    it."""
    books = newest_books(config)
    if index.covered_lsn >= books.lsn:
        return books
    if reader.first_lsn() == 1:
        return Books(books.facts)
    index.complete = False
    return books


if __name__ == "__main__":
    sys.exit(run_actor(build))

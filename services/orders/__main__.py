"""`python -P -m services.orders`: the order manager."""

import sys
from collections.abc import Sequence

from common.actor.shell import Shell
from common.actor.start import connect_journal, run_actor, shell_for
from common.config import Config
from common.journal import OsFiles, Reader
from common.left_out import Unfoldable
from common.messages import MAX_ENTRY_BYTES, BoundedEntryRequest
from common.orders.books import Books
from common.orders.index_file import IndexFile, index_path
from services.orders.core import OrdersCore
from services.orders.make_snapshot import standing_before, starting_books
from services.orders.settings import orders_settings


def build(config: Config) -> Shell:
    """The core with its links."""
    reader = Reader(config.journal_folder, OsFiles())
    index = IndexFile(index_path(config.journal_folder))

    def begin(unfoldable: Sequence[Unfoldable]) -> Books:
        return starting_books(config, index, reader, unfoldable)

    core = OrdersCore(orders_settings(config), begin(()), index, begin, standing_before(config))
    shell = shell_for(core, config)
    connect_journal(shell, config, follow=True)
    shell.log_reader(reader.read)
    shell.bind_router("entry", config.endpoint("entry"), BoundedEntryRequest, MAX_ENTRY_BYTES)
    shell.connect_push("risk", config.endpoint("risk"))
    for name, account in config.accounts.items():
        if account.venue.rest is not None:
            shell.connect_push(f"account.{name}", config.endpoint(f"account.{name}"))
    return shell


if __name__ == "__main__":
    sys.exit(run_actor(build))

"""`python -P -m services.orders`: the order manager."""

import sys

from common.actor.shell import Shell
from common.actor.snapshots import make_in_process
from common.actor.start import connect_journal, run_actor, shell_for
from common.config import Config
from common.journal import OsFiles, Reader
from common.messages import EntryRequest
from services.orders.core import OrdersCore
from services.orders.make_snapshot import newest_books
from services.orders.settings import orders_settings


def build(config: Config) -> Shell:
    """The core with its links."""
    shell = shell_for(OrdersCore(orders_settings(config), newest_books(config)), config)
    connect_journal(shell, config, follow=True)
    shell.log_reader(Reader(config.journal_folder, OsFiles()).read)
    shell.bind_router("entry", config.endpoint("entry"), EntryRequest)
    shell.connect_push("risk", config.endpoint("risk"))
    for name, venue in config.venues.items():
        if venue.rest is not None:
            shell.connect_push(f"account.{name}", config.endpoint(f"account.{name}"))
    shell.worker(make_in_process)
    return shell


if __name__ == "__main__":
    sys.exit(run_actor(build))

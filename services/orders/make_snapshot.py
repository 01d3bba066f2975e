"""`python -P -m services.orders.make_snapshot`: fold the log on from the newest snapshot, and write the next one."""

import sys

from common.actor.order_books import Folded, loader, newest_books
from common.actor.snapshots import older_state, run_snapshot_program
from common.config import Config
from common.journal import Reader
from common.orders.fold import FOLD_VERSION, WRITER
from common.orders.forgotten import Forgotten
from common.orders.index_file import index_path, sync_index
from services.orders.new_rules import FoldSummary, standing_of


def standing_before(config: Config, reader: Reader | None = None) -> FoldSummary | None:
    """What the newest snapshot of an older version of the fold holds; None where this version has one of its own."""
    older = older_state(config, WRITER, FOLD_VERSION, loader(config, (), Forgotten()), reader)
    return None if older is None else standing_of(older[0].books, older[1])


if __name__ == "__main__":
    sys.exit(
        run_snapshot_program(
            WRITER,
            loader,
            lambda config: Folded(newest_books(config)),
            lambda config: sync_index(index_path(config.journal_folder)),
        )
    )

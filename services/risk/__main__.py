"""`python -P -m services.risk`: the firm's risk checks."""

import sys
from collections.abc import Sequence

from common.actor.shell import Shell
from common.actor.start import connect_journal, run_actor, shell_for
from common.config import Config
from common.journal import OsFiles, Reader
from common.left_out import Unfoldable
from common.messages import Command, FeedMessage
from common.orders.index_file import IndexFile, index_path
from services.risk.core import RiskCore
from services.risk.make_snapshot import starting_state
from services.risk.settings import risk_settings
from services.risk.state import WRITER, RiskState


def build(config: Config) -> Shell:
    """Risk's core with its links."""
    reader = Reader(config.journal_folder, OsFiles())
    index = IndexFile(index_path(config.journal_folder, WRITER))

    def begin(unfoldable: Sequence[Unfoldable]) -> RiskState:
        return starting_state(config, index, reader, unfoldable)

    shell = shell_for(RiskCore(risk_settings(config), begin(()), begin, index), config)
    connect_journal(shell, config, follow=True)
    shell.log_reader(reader.read)
    shell.bind_pull("commands", config.endpoint("risk"), Command)
    for session in config.sessions:
        shell.connect_push(f"session.{session}", config.endpoint(f"session.{session}"))
    shell.subscribe("feed", [config.endpoint(f"feed.{venue}") for venue in config.venues], FeedMessage)
    return shell


if __name__ == "__main__":
    sys.exit(run_actor(build))

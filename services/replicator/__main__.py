"""`python -P -m services.replicator`: copies the journal to a stream off the machine."""

import sys
from functools import partial

from common.actor.shell import Shell
from common.actor.start import run_actor, shell_for
from common.config import Config
from common.journal import OsFiles, Reader
from common.journal.claims import FENCED, write_claim
from common.messages import DurableEnd
from common.replication.nats_stream import NatsStream, address_of
from services.replicator.copier import Copier
from services.replicator.core import JOURNAL, ReplicatorCore


def build(config: Config) -> Shell:
    """The core with its link and its worker, which alone speaks to the servers."""
    replication = config.stack.replication
    address = address_of(config)
    shell = shell_for(ReplicatorCore(replication.mode.value), config)
    shell.connect_dealer(JOURNAL, config.endpoint(JOURNAL), DurableEnd)
    folder, files = config.journal_folder, OsFiles()
    copier = Copier(
        partial(NatsStream, address), Reader(folder, files), partial(write_claim, str(folder), files, FENCED)
    )
    shell.worker(copier.work)
    return shell


if __name__ == "__main__":
    sys.exit(run_actor(build))

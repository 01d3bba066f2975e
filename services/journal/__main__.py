"""`python -P -m services.journal`: the journal of the stack's environment."""

import sys
from functools import partial

from common.actor.shell import Shell
from common.actor.snapshots import verified_before
from common.actor.start import run_actor, shell_for
from common.config import Config, ReplicationConfig, ReplicationMode
from common.instant import NS_PER_MS
from common.journal import Log, OsFiles, Reader
from common.journal.skipped import skip_record
from common.messages import JournalRequest
from services.journal.copy import CopyBounds
from services.journal.core import LINK, STREAM, JournalCore, JournalSettings


def copy_bounds(replication: ReplicationConfig) -> CopyBounds | None:
    """How far the copy off the machine may be behind; None where none is made."""
    if replication.mode is ReplicationMode.LOCAL:
        return None
    waits = replication.mode is ReplicationMode.QUORUM
    return CopyBounds(replication.max_lag_records, replication.max_lag_ms * NS_PER_MS, waits)


def build(config: Config) -> Shell:
    """The journal's core with its links. The log itself is opened when the core starts."""
    own, folder, files = config.stack.journal, config.journal_folder, OsFiles()

    def open_log(wall_ns: int) -> Log:
        return Log.open(
            folder,
            files,
            wall_ns=wall_ns,
            trusted_lsn=verified_before(config),
            segment_bytes=own.segment_bytes,
            durability=own.durability.value,
            reserve_bytes=own.reserve_bytes,
        )

    settings = JournalSettings(own.low_disk_bytes, copy_bounds(config.stack.replication))
    core = JournalCore(open_log, Reader(folder, files), settings, partial(skip_record, folder, files))
    shell = shell_for(core, config)
    shell.bind_router(LINK, config.endpoint(LINK), JournalRequest)
    shell.bind_publisher(STREAM, config.endpoint(STREAM))
    return shell


if __name__ == "__main__":
    sys.exit(run_actor(build))

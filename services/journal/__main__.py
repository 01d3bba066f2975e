"""`python -P -m services.journal`: the journal of the stack's environment."""

import sys

from common import config
from common.actor.logs import ActorLog
from common.actor.shell import AlreadyRunning, Shell
from common.exit_status import ExitStatus
from common.journal import Log, OsFiles, Reader
from common.messages import JournalRequest
from services.journal.core import LINK, STREAM, JournalCore, JournalSettings


def main() -> int:
    """Run until stopped; the exit status of `common.exit_status`."""
    try:
        settings = config.load()
    except config.ConfigError as error:
        print(f"journal: {error}", file=sys.stderr)
        return ExitStatus.CONFIGURATION
    files = OsFiles()
    own, folder = settings.stack.journal, settings.journal_folder

    def open_log(wall_ns: int) -> Log:
        return Log.open(
            folder,
            files,
            wall_ns=wall_ns,
            segment_bytes=own.segment_bytes,
            durability=own.durability.value,
            reserve_bytes=own.reserve_bytes,
        )

    core = JournalCore(open_log, Reader(folder, files), JournalSettings(low_disk_bytes=own.low_disk_bytes))
    try:
        log = settings.stack.log
        shell = Shell(
            core, settings.paths.run, ActorLog(settings.paths.log, core.name, log.level, log.max_bytes, log.files)
        )
    except AlreadyRunning as error:
        print(f"journal: {error}", file=sys.stderr)
        return ExitStatus.FAILURE
    shell.bind_router(LINK, settings.endpoint(LINK), JournalRequest)
    shell.bind_publisher(STREAM, settings.endpoint(STREAM))
    return shell.run()


if __name__ == "__main__":
    sys.exit(main())

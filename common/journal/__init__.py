"""The log as a library: append batches that are durable when acknowledged, read, follow, verify, back up, salvage.

It knows nothing of the stack above it: payloads are bytes, kinds from 16 on are the caller's, time is passed in, and
every file call goes through the port `Files`. docs/journal.md has the format and the promise.
"""

from common.journal.backup import BackedUp, back_up
from common.journal.errors import (
    BackupBehind,
    BadEntry,
    BadFrame,
    CopyFailed,
    Damage,
    FencedOff,
    FollowsAnother,
    FormatTooNew,
    Gone,
    JournalError,
    Locked,
    LogFailed,
    NoFolder,
    NoSpace,
    NotThere,
    OtherJournal,
    OutOfOrder,
    ReadFailed,
    UnsafeFileSystem,
)
from common.journal.files import Files, OsFiles
from common.journal.frames import EPOCH, FIRST_FREE_KIND, TERM, TICK, WRITERS, Entry, Link, Record, frame, parse
from common.journal.imported import Imported
from common.journal.log import AppendedBatch, Log, Recovery
from common.journal.reader import Reader, iterate
from common.journal.salvage import Salvaged, salvage
from common.journal.snapshots import Snapshot, newest_snapshot, snapshot_folder, write_snapshot
from common.journal.verify import Verdict, damaged_snapshots, verify
from common.journal.writers import Run, WriterState

__all__ = [
    "EPOCH",
    "FIRST_FREE_KIND",
    "TERM",
    "TICK",
    "WRITERS",
    "AppendedBatch",
    "BackedUp",
    "BackupBehind",
    "BadEntry",
    "BadFrame",
    "CopyFailed",
    "Damage",
    "Entry",
    "FencedOff",
    "Files",
    "FollowsAnother",
    "FormatTooNew",
    "Gone",
    "Imported",
    "JournalError",
    "Link",
    "Locked",
    "Log",
    "LogFailed",
    "NoFolder",
    "NoSpace",
    "NotThere",
    "OsFiles",
    "OtherJournal",
    "OutOfOrder",
    "ReadFailed",
    "Reader",
    "Record",
    "Recovery",
    "Run",
    "Salvaged",
    "Snapshot",
    "UnsafeFileSystem",
    "Verdict",
    "WriterState",
    "back_up",
    "damaged_snapshots",
    "frame",
    "iterate",
    "newest_snapshot",
    "parse",
    "salvage",
    "snapshot_folder",
    "verify",
    "write_snapshot",
]

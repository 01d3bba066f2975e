"""Everything that the journal can refuse or fail with. Each error says what, where and what to do about it."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager


class JournalError(Exception):
    """The root of all errors of this package."""


class BadFrame(JournalError):
    """Bytes that were to be whole frames are not.

    `offset` counts bytes from the start of what was read; `why` is a phrase such as "checksum differs".
    """

    def __init__(self, offset: int, why: str) -> None:
        super().__init__(f"not a frame at byte {offset}: {why}")
        self.offset = offset
        self.why = why


class Damage(JournalError):
    """Something that was durable is missing or changed. The journal refuses to start on it.

    `file` is the path, `offset` the byte in it and `lsn` the record that should be there (0: none is named).
    """

    def __init__(self, file: str, offset: int, lsn: int, why: str) -> None:
        super().__init__(
            f"damaged journal: {file} at byte {offset}, record {lsn}: {why}. "
            "Nothing was changed. Keep the folder; `fixring journal salvage` writes what is readable to a copy"
        )
        self.file = file
        self.offset = offset
        self.lsn = lsn
        self.why = why


class FormatTooNew(JournalError):
    """The file was written by a later version of the format than this code reads. Use the version that wrote it."""

    def __init__(self, file: str, version: int) -> None:
        super().__init__(f"{file} has format version {version}, newer than this program reads: use the newer program")
        self.file = file
        self.version = version


class Locked(JournalError):
    """Another process holds the folder."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} is locked: another process has this journal open. Stop that process first")
        self.path = path


class FencedOff(JournalError):
    """Another host has taken this journal over: nothing is written to it any more."""

    def __init__(self, folder: str, by_whom: str) -> None:
        super().__init__(
            f"{folder} is fenced: {by_whom}. Nothing was changed. What this folder holds beyond the copy is kept; "
            "this host comes back by following the other one: fixring standby"
        )
        self.by_whom = by_whom


class FollowsAnother(JournalError):
    """The folder follows another host's journal, and nobody has taken that over."""

    def __init__(self, folder: str) -> None:
        super().__init__(
            f"{folder} follows another host's journal. Nothing was changed. To go on with it here: fixring takeover"
        )


class UnsafeFileSystem(JournalError):
    """The folder is on a network file system, whose locks and syncs cannot be trusted with orders."""

    def __init__(self, folder: str, kind: str) -> None:
        super().__init__(f"{folder} is on a network file system ({kind}): put the journal on a local disk")
        self.folder = folder
        self.kind = kind


class NoFolder(JournalError):
    """The folder cannot be made: something else stands there, or nobody may write there."""

    def __init__(self, folder: str, cause: OSError) -> None:
        super().__init__(
            f"{folder} cannot be made: {cause.strerror}. Move away what stands in its place, or give the right to write"
        )
        self.folder = folder
        self.cause = cause


MAY_PASS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EINTR, errno.EAGAIN)
"""What the system says that has too much to do: nothing was wrong with the disk, and the same call may work later."""


class LogFailed(JournalError):
    """A file call failed while the log was open. Nothing more may be acknowledged: end the process and start again."""

    def __init__(self, what: str, cause: OSError | None) -> None:
        super().__init__(f"{what}: {cause}. The log takes no more; restart, and recovery decides what was kept")
        self.what = what
        self.cause = cause


class ReadFailed(JournalError):
    """A file of the journal cannot be read: the disk or the file's permissions say no, not the journal's contents.

    `path` is the file or folder, `why` what the system said.
    """

    def __init__(self, path: str, why: str) -> None:
        super().__init__(
            f"{path} cannot be read: {why}. Nothing was changed. See to the disk and the file's permissions, then try "
            "again"
        )
        self.path = path
        self.why = why


class CopyFailed(JournalError):
    """A copy of a journal cannot be written. The journal that was copied is as it was.

    `folder` is where the copy was to go, `why` what the system said.
    """

    def __init__(self, folder: str, why: str) -> None:
        super().__init__(
            f"{folder} cannot be written: {why}. The journal was not touched. Make room, or name another folder; "
            "what was begun there is no whole copy"
        )
        self.folder = folder
        self.why = why


@contextmanager
def copying_to(folder: str) -> Iterator[None]:
    """What the system refuses inside is CopyFailed of that folder."""
    try:
        yield
    except OSError as error:
        raise CopyFailed(folder, str(error)) from error


class OtherJournal(JournalError):
    """The folder of a backup holds what the journal to be copied does not have: nothing was changed there.

    `folder` is the backup's.
    """

    def __init__(self, folder: str, holds: str) -> None:
        super().__init__(f"{folder} holds {holds}. Nothing was changed: name an empty folder, and keep this one")
        self.folder = folder


class BackupBehind(JournalError):
    """The journal no longer keeps what would follow a backup's last record: retention was quicker.

    `folder` is the backup's, `last_lsn` its last record, `first_lsn` the oldest one that the journal has.
    """

    def __init__(self, folder: str, last_lsn: int, first_lsn: int) -> None:
        super().__init__(
            f"{folder} ends with record {last_lsn}, and the oldest one that the journal has is {first_lsn}. Nothing "
            "was changed: name an empty folder, keep this one, and back up before `retention_bytes` are written"
        )
        self.folder = folder
        self.last_lsn = last_lsn
        self.first_lsn = first_lsn


class NoSpace(JournalError):
    """No room for the batch and none to be had. Nothing was written; the same batch may be tried again later."""

    def __init__(self, folder: str, wanted_bytes: int) -> None:
        super().__init__(f"no room in {folder} for {wanted_bytes} more bytes: free some disk space")
        self.folder = folder
        self.wanted_bytes = wanted_bytes


class OutOfOrder(JournalError):
    """An entry is not the successor of its writer's last one, or is of an older epoch. Nothing was written."""

    def __init__(self, writer: str, epoch: int, number: int, wanted_epoch: int, wanted_number: int) -> None:
        super().__init__(
            f"{writer}: append {number} of epoch {epoch}, where {wanted_number} of epoch {wanted_epoch} is next"
        )
        self.writer = writer
        self.epoch = epoch
        self.number = number
        self.wanted_epoch = wanted_epoch
        self.wanted_number = wanted_number


class BadEntry(JournalError):
    """An entry cannot be framed: its writer's name, kind, size or stamp is outside the format's limits."""


class Gone(JournalError):
    """The record asked for is older than the oldest one kept."""

    def __init__(self, lsn: int, first_lsn: int) -> None:
        super().__init__(f"record {lsn} is no longer kept: the oldest one is {first_lsn}")
        self.lsn = lsn
        self.first_lsn = first_lsn


class NoneLoads(JournalError):
    """The log's beginning is gone, and no snapshot of the actor is of a form that this program reads.

    `lsn` is where the newest stands, `fold_version` that of the fold which made it, `first_lsn` the oldest record kept.
    """

    def __init__(self, folder: str, name: str, lsn: int, fold_version: int, first_lsn: int) -> None:
        super().__init__(
            f"{folder}: no snapshot of {name} loads here; the newest, after record {lsn}, is of version {fold_version} "
            f"of its fold, and the log before record {first_lsn} is gone. Nothing was changed: go on with the program "
            f"that wrote it, or put the segments before record {first_lsn} back from where they were kept"
        )
        self.name = name
        self.lsn = lsn
        self.fold_version = fold_version
        self.first_lsn = first_lsn


class NotThere(JournalError):
    """There is no journal in the folder, or not yet the record asked for."""

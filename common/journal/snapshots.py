"""Snapshots of what actors fold from the log: caches, each named by the record it stands on, each checked before use.

A file `NAME-LSN.snapshot`, little-endian: u32 CRC32C of everything after it, u32 magic "FXRN", u16 version of the
format, u16 version of the actor's fold, u32 length of the digest, u64 LSN, u32 checksum of that record, u32 zero, u64
length of the payload, 32 s name, then digest and payload. The digest is the folded state's own hash; the payload is the
actor's business.

A snapshot is believed where its checksum is right and the log holds the very record it names. Anything else is passed
over, and the next older one tried; without any, the log is folded from its start.
"""

import struct
from typing import NamedTuple

from crc32c import crc32c

from common.journal.errors import Damage, FormatTooNew, Gone, JournalError, LogFailed, NotThere, ReadFailed
from common.journal.files import Files, Folder, read_whole, replace_file
from common.journal.frames import VERSION, Link, writer_field, writer_name
from common.journal.reader import Reader

SUFFIX = ".snapshot"
SNAPSHOTS = "snapshots"
KEPT = 2
"""Snapshots of one name that a start may need: the log is kept from behind the older one, so either may turn out bad.
"""
_MAGIC = int.from_bytes(b"FXRN", "little")
_HEADER = struct.Struct("<IIHHIQIIQ32s")


class Keeping(NamedTuple):
    """Which snapshots of one name stay: the `newest` ones, and with `apart` of those older ones that still stand in the
    log the oldest, and from there on such as are at least so many records apart.
    """

    newest: int = KEPT
    apart: int = 0


FOR_A_START = Keeping()


class Snapshot(NamedTuple):
    """An actor's folded state after the record `at` (its LSN and checksum), with the state's own `digest`.

    `fold_version` is that of the fold that came to it.
    """

    name: str
    at: Link
    digest: bytes
    payload: bytes
    fold_version: int = 0

    def encode(self) -> bytes:
        """The file's bytes. Raises BadEntry where the name is not a writer's."""
        head = _HEADER.pack(
            0, _MAGIC, VERSION, self.fold_version, len(self.digest), self.at.lsn, self.at.crc, 0, len(self.payload),
            writer_field(self.name),
        )  # fmt: skip
        body = head[4:] + self.digest + self.payload
        return crc32c(body).to_bytes(4, "little") + body


def snapshot_folder(journal: Folder) -> str:
    """Where a journal's snapshots are."""
    return f"{journal}/{SNAPSHOTS}"


def write_snapshot(folder: Folder, files: Files, snapshot: Snapshot) -> str:
    """Put the snapshot into the folder (made where missing), whole or not at all, and read it back. Its file name.

    Raises LogFailed where the disk fails, ReadFailed, and Damage where what is read back is not what was written.
    """
    name = _file(snapshot.name, snapshot.at.lsn)
    try:
        files.make_folder(str(folder))
        replace_file(files, str(folder), name, snapshot.encode())
    except OSError as error:
        raise LogFailed(f"{folder}/{name}: writing the snapshot", error) from error
    if read_snapshot(f"{folder}/{name}", files) != snapshot:
        raise Damage(f"{folder}/{name}", 0, snapshot.at.lsn, "the snapshot reads back as another one")
    return name


def read_snapshot(path: str, files: Files) -> Snapshot:
    """The snapshot in a file. Raises Damage, FormatTooNew, NotThere, ReadFailed."""
    try:
        data = read_whole(files, path)
    except FileNotFoundError as error:
        raise NotThere(f"{path}: there is no such snapshot") from error
    except OSError as error:
        raise ReadFailed(path, str(error)) from error
    if len(data) < _HEADER.size or crc32c(data[4:]) != int.from_bytes(data[:4], "little"):
        raise Damage(path, 0, 0, "the checksum of the snapshot differs")
    _, magic, version, fold_version, digest_bytes, lsn, crc, _, payload_bytes, name = _HEADER.unpack_from(data)
    start = _HEADER.size + digest_bytes
    if magic != _MAGIC or len(data) != start + payload_bytes:
        raise Damage(path, 0, lsn, "no snapshot stands there")
    if version > VERSION:
        raise FormatTooNew(path, version)
    return Snapshot(writer_name(name), Link(lsn, crc), data[_HEADER.size : start], data[start:], fold_version)


def newest_fold_version(folder: Folder, files: Files, name: str) -> int | None:
    """The version of the fold that the newest file of `name` bears, by its header alone, which nobody has verified.

    None where there is no file, or no header that can be read. Raises ReadFailed.
    """
    lsns = _lsns(folder, files, name)
    if not lsns:
        return None
    path = f"{folder}/{_file(name, lsns[-1])}"
    try:
        handle = files.open(path, write=False)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ReadFailed(path, str(error)) from error
    try:
        header = files.read_at(handle, _HEADER.size, 0)
    except OSError as error:
        raise ReadFailed(path, str(error)) from error
    finally:
        files.close(handle)
    if len(header) < _HEADER.size:
        return None
    _, magic, version, fold_version, *_ = _HEADER.unpack(header)
    return int(fold_version) if magic == _MAGIC and version <= VERSION else None


def newest_snapshot(
    folder: Folder, files: Files, name: str, log: Reader, upto_lsn: int | None = None
) -> Snapshot | None:
    """The newest snapshot of `name` that verifies and stands on a record that the log holds, `upto_lsn` at most.

    None where there is none; one of a later form is passed over too. Raises ReadFailed, and Damage where the log itself
    is damaged.
    """
    for lsn in reversed(_lsns(folder, files, name)):
        if upto_lsn is not None and lsn > upto_lsn:
            continue
        try:
            snapshot = read_snapshot(f"{folder}/{_file(name, lsn)}", files)
        except (Damage, FormatTooNew, NotThere):
            continue
        if snapshot.name == name and stands(snapshot, log):
            return snapshot
    return None


def stands(snapshot: Snapshot, log: Reader) -> bool:
    """Whether the log holds the very record that the snapshot names. Raises Damage, ReadFailed."""
    try:
        return log.link_at(snapshot.at.lsn) == snapshot.at
    except (Gone, NotThere):
        return False


def trusted_lsn(journal: Folder, files: Files, name: str) -> int:
    """Up to which record `Log.open` need not verify the log again: where the newest snapshot of `name` that verifies
    stands, whose maker has verified everything before it. 0 where there is none, or the log is not sound there.
    """
    try:
        snapshot = newest_snapshot(snapshot_folder(journal), files, name, Reader(journal, files))
    except (JournalError, OSError):
        return 0
    return 0 if snapshot is None else snapshot.at.lsn


def prune_snapshots(
    folder: Folder, files: Files, name: str, keep: Keeping = FOR_A_START, log: Reader | None = None
) -> list[str]:
    """Remove all snapshots of `name` but those to `keep`; the names removed.

    With `log`, those that are not to be read or do not stand in it go first and do not count; those of a later form are
    a later program's, and stay. As many are looked at as a start may need; older ones, kept for the past to be seen,
    are looked at when they are used. Raises LogFailed, and with `log` Damage and ReadFailed.
    """
    useless: list[int] = []
    counted: list[int] = []
    sound = 0
    for lsn in reversed(_lsns(folder, files, name)):
        usable = _usable(folder, files, name, lsn, log) if log is not None and sound < min(keep.newest, KEPT) else True
        if usable:
            counted.append(lsn)
            sound += 1
        elif usable is False:
            useless.append(lsn)
    old = _too_many(counted[: keep.newest - 1 : -1], keep.apart, log)
    gone = [_file(name, lsn) for lsn in (*reversed(useless), *old)]
    try:
        for file in gone:
            files.remove(f"{folder}/{file}")
    except OSError as error:
        raise LogFailed(f"{folder}: removing old snapshots", error) from error
    return gone


def _too_many(lsns: list[int], apart: int, log: Reader | None) -> list[int]:
    """Which of those that stand there, ascending, go. Raises Damage, ReadFailed."""
    first_lsn = log.first_lsn() if apart and lsns and log is not None else 0
    gone: list[int] = []
    next_lsn = first_lsn - 1
    for lsn in lsns:
        if apart and lsn >= next_lsn:
            next_lsn = lsn + apart
        else:
            gone.append(lsn)
    return gone


def _usable(folder: Folder, files: Files, name: str, lsn: int, log: Reader) -> bool | None:
    """Whether the snapshot verifies and stands in the log; None where a later program alone can tell."""
    try:
        snapshot = read_snapshot(f"{folder}/{_file(name, lsn)}", files)
    except FormatTooNew:
        return None
    except (Damage, NotThere):
        return False
    return snapshot.name == name and snapshot.at.lsn == lsn and stands(snapshot, log)


def _file(name: str, lsn: int) -> str:
    return f"{name}-{lsn:020d}{SUFFIX}"


def verified_lsns(folder: Folder, files: Files, name: str, log: Reader, most: int) -> list[int]:
    """Where the newest `most` snapshots of `name` that verify stand, newest first. Raises ReadFailed, Damage."""
    found: list[int] = []
    upto: int | None = None
    while len(found) < most:
        snapshot = newest_snapshot(folder, files, name, log, upto)
        if snapshot is None:
            break
        found.append(snapshot.at.lsn)
        upto = snapshot.at.lsn - 1
    return found


def _lsns(folder: Folder, files: Files, name: str) -> list[int]:
    """Where the snapshots of `name` stand, ascending."""
    try:
        names = files.list(str(folder))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ReadFailed(str(folder), str(error)) from error
    stems = (file.removesuffix(SUFFIX).rpartition("-") for file in names if file.endswith(SUFFIX))
    return sorted(int(number) for stem, _, number in stems if stem == name and len(number) == 20 and number.isdigit())

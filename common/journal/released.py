"""The file `released`: up to which record the log's readers on this host may look, where a copy off the machine is
waited for. Records behind it are durable here and told to nobody.

u32 CRC32C of the rest, "FXRR", u64 LSN, little-endian. It is a hint for readers: the log itself never goes by it, and
one that cannot be read stands for nothing.
"""

import struct

from crc32c import crc32c

from common.journal.files import Files, remove_if_there, write_all

RELEASED = "released"
_MAGIC = b"FXRR"
_FILE = struct.Struct("<I4sQ")


def write_released(folder: str, files: Files, lsn: int) -> None:
    """Put the record's number in place of the one before, unsynced. Raises OSError."""
    temporary = f"{folder}/{RELEASED}.tmp"
    body = _FILE.pack(0, _MAGIC, lsn)[4:]
    remove_if_there(files, temporary)
    handle = files.create(temporary)
    try:
        write_all(files, handle, crc32c(body).to_bytes(4, "little") + body, 0)
    finally:
        files.close(handle)
    files.rename(temporary, f"{folder}/{RELEASED}")


def remove_released(folder: str, files: Files) -> None:
    """Nothing is waited for: readers may look at all that is durable. Raises OSError."""
    remove_if_there(files, f"{folder}/{RELEASED}")


def read_released(folder: str, files: Files) -> int | None:
    """The number; 0 where the file is not whole, None where there is none. Raises OSError."""
    try:
        handle = files.open(f"{folder}/{RELEASED}", write=False)
    except FileNotFoundError:
        return None
    try:
        data = files.read_at(handle, _FILE.size, 0)
    finally:
        files.close(handle)
    if len(data) < _FILE.size:
        return 0
    crc, magic, lsn = _FILE.unpack(data)
    return int(lsn) if magic == _MAGIC and crc32c(data[4:]) == crc else 0

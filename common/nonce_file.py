"""The numbers of a session's Logons(A), and of a key's REST requests, in files: the next life goes on behind them.

A session that journals nothing would begin with the clock's time: where that was far ahead for a moment, and a Logon(A)
of then was let in, nobody is let in any more before the time has come to there. So it is with REST requests, and those
of one key may come from several processes at once: the last number stands in a file that whoever takes the next one has
locked. It is not synced for each. What is synced is how far numbers may go without another sync, and after that much
every life begins, for a power loss may have undone the last number.
"""

import re
from hashlib import sha256

import msgspec

from common.journal.files import Files, read_whole, replace_file, write_all
from common.venues.nonces import Nonces

BLOCK_MS = 10_000
"""So many numbers are reserved by one sync. They follow the time, so that no more than one sync in 10 s is needed."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(tuple[int, int, int]).decode
_decode_reserved = msgspec.json.Decoder(int).decode
_LAST = re.compile(rb"(\d{15}) (\d{15})\n")
_LAST_BYTES = 32


class NonceFile:
    """The file `folder`/`name`; see `NonceKeeper`."""

    def __init__(self, folder: str, name: str, files: Files) -> None:
        """It may not be there yet."""
        self._folder = folder
        self._name = name
        self._files = files

    def load(self) -> Nonces:
        """See `NonceKeeper`: what no life has written is none."""
        try:
            return Nonces(*_decode(read_whole(self._files, f"{self._folder}/{self._name}")))
        except (OSError, msgspec.DecodeError):
            return Nonces()

    def keep(self, nonces: Nonces) -> None:
        """See `NonceKeeper`: synced."""
        self._files.make_folder(self._folder)
        replace_file(self._files, self._folder, self._name, _encode(nonces))


class RequestNonceFolder:
    """See `NonceFolder`: in `folder`, with two files for each key, which is not to be read in their names."""

    def __init__(self, folder: str, files: Files) -> None:
        """Nothing of it needs to be there yet."""
        self._folder = folder
        self._files = files

    def of_key(self, api_key: str) -> "RequestNonceFile":
        """See `NonceFolder`."""
        name = f"rest-{sha256(api_key.encode()).hexdigest()[:16]}.nonces"
        return RequestNonceFile(self._folder, name, self._files)


class RequestNonceFile:
    """See `KeptNonces`. `folder`/`name` has the number up to which they are reserved, synced; the file with ".last"
    behind its name is the lock, and has the last number and the former one."""

    def __init__(self, folder: str, name: str, files: Files) -> None:
        """Neither needs to be there yet."""
        self._folder = folder
        self._name = name
        self._files = files
        self._begun = False

    def following(self, least_ms: int) -> int:
        """See `KeptNonces`."""
        self._files.make_folder(self._folder)
        lock = self._files.lock(f"{self._folder}/{self._name}.last")
        try:
            last_ms, reserved_ms = self._last(lock)
            number_ms = max(least_ms, last_ms + 1)
            if number_ms > reserved_ms:
                reserved_ms = number_ms + BLOCK_MS
                replace_file(self._files, self._folder, self._name, _encode(reserved_ms))
            write_all(self._files, lock, b"%015d %015d\n" % (number_ms, reserved_ms), 0)
        finally:
            self._files.close(lock)
        self._begun = True
        return number_ms

    def _last(self, lock: int) -> tuple[int, int]:
        """The last number, and up to which they are reserved."""
        found = _LAST.fullmatch(self._files.read_at(lock, _LAST_BYTES, 0)) if self._begun else None
        if found is not None:
            return int(found[1]), int(found[2])
        reserved_ms = self._reserved()
        return reserved_ms, reserved_ms

    def _reserved(self) -> int:
        """0 where no life has reserved any, or nothing that can be read."""
        try:
            return _decode_reserved(read_whole(self._files, f"{self._folder}/{self._name}"))
        except (FileNotFoundError, msgspec.DecodeError):
            return 0

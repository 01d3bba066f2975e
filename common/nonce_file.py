"""The numbers of a session's Logons(A), in a file of their own: the next life of its process goes on behind them.

A session that journals nothing would begin with the clock's time: where that was far ahead for a moment, and a Logon(A)
of then was let in, nobody is let in any more before the time has come to there.
"""

import msgspec

from common.journal.files import Files, read_whole, replace_file
from common.venues.nonces import Nonces

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(tuple[int, int, int]).decode


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

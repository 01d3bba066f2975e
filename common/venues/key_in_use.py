"""Which credentials a logon is made with: they are read again for each, so that a key is rotated by new files and the
next logon, without a restart of anything."""

import hashlib
from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

import msgspec

from common.fix.errors import SettingsError
from common.venues.connector import comp_id
from common.venues.credentials import Credentials, UnreadableCredentials
from common.venues.venue import VenueProfile

Made = TypeVar("Made")
ReadAgain = Callable[[], Credentials | None]
"""Gives the credentials as their files hold them now. Raises UnreadableCredentials."""

_SALT = b"fixring key in use"
_COST, _BLOCK_BYTES, _FINGERPRINT_BYTES = 1 << 14, 8, 4


class KeyInUse:
    """The credentials of one session. `failure` says why those that the files hold now are not used, "" where they are
    or nothing new was looked for.
    """

    def __init__(self, credentials: Credentials | None, read_again: ReadAgain | None = None) -> None:
        """Begin with `credentials`; without `read_again` they stay."""
        self.credentials = credentials
        self.failure = ""
        self._read_again = read_again

    def make(self, made_with: Callable[[Credentials | None], Made]) -> Made:
        """What is made with the credentials as the files hold them now, or with the former ones where those cannot be
        read or are of no use. Raises what `made_with` raises of the former ones."""
        self.failure = ""
        if self._read_again is not None:
            try:
                newest = self._read_again()
                made = made_with(newest)
            except (UnreadableCredentials, ValueError, SettingsError) as error:
                self.failure = str(error)
            else:
                self.credentials = newest
                return made
        return made_with(self.credentials)

    @property
    def status(self) -> dict[str, object]:
        """For people: the fingerprint of the credentials in use, and why newer ones are not."""
        return {"key": _known_fingerprint(self.credentials), "key_failure": self.failure}


def sender_of(
    configured: str, prefix: str, connection: int, profile: VenueProfile, credentials: Credentials | None
) -> str:
    """The SenderCompID(49) of a connection: where the venue knows it by its API key, the one that is in use by now."""
    api_key = getattr(credentials, "api_key", "") if profile.comp_id_is_api_key else ""
    return comp_id(api_key or configured, prefix, connection)


def fingerprint(credentials: Credentials | None) -> str:
    """Eight digits that tell credentials from others, "" for none. They cost so much to compute, and are so few, that a
    short password cannot be found by them."""
    if credentials is None:
        return ""
    parts = [value if isinstance(value, bytes) else value.encode() for value in msgspec.structs.astuple(credentials)]
    whole = b"".join(b"%d:%b" % (len(part), part) for part in parts)
    digest = hashlib.scrypt(whole, salt=_SALT, n=_COST, r=_BLOCK_BYTES, p=1, dklen=_FINGERPRINT_BYTES)
    return digest.hex()


@lru_cache(maxsize=4)
def _known_fingerprint(credentials: Credentials | None) -> str:
    # A session stands still while it is computed, and each logon reads its credentials again: mostly the same ones.
    return fingerprint(credentials)

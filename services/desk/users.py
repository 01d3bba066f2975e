"""Who may sign in by name: a file of users with their roles and the scrypt of their passwords."""

import base64
import enum
import hashlib
import hmac
import os
import re
from pathlib import Path
from typing import Annotated, Final

import msgspec

SCRYPT: Final = (1 << 14, 8, 5)
"""Cost, block size and lanes: a tenth of a second here, and 16 MiB, which scrypt's own limit takes."""

SALT_BYTES: Final = 16
LEAST_CHARACTERS: Final = 12
MOST_CHARACTERS: Final = 256

_NAME: Final = re.compile(r"\A[a-z][a-z0-9_-]{0,14}\Z")
UserName = Annotated[str, msgspec.Meta(pattern=_NAME.pattern)]
"""The name stands in that of a strategy, `desk-NAME`."""


class Role(enum.IntEnum):
    """What a user may do; each may all that the one before may."""

    VIEWER = 1
    TRADER = 2
    OPERATOR = 3


ROLES: Final = {role.name.lower(): role for role in Role}


class User(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row of the file: a role of `ROLES`, and `scrypt` as `hashed` gives it."""

    role: str
    scrypt: str


class BadUsers(Exception):
    """The file cannot be used; the text says why, and what to do."""


def is_user_name(name: str) -> bool:
    """Whether a user may be called so."""
    return _NAME.search(name) is not None


def hashed(password: str, salt: bytes) -> str:
    """What the file has of a password: the costs, the salt and the scrypt. Takes a tenth of a second."""
    cost, block, lanes = SCRYPT
    digest = hashlib.scrypt(password.encode(), salt=salt, n=cost, r=block, p=lanes, maxmem=64 << 20)
    return "$".join((str(cost), str(block), str(lanes), _text(salt), _text(digest)))


def is_password(password: str, stored: str) -> bool:
    """Whether it is the password that `stored` was made of. Takes a tenth of a second; False for what is no scrypt."""
    try:
        cost, block, lanes, salt, digest = stored.split("$")
        found = hashlib.scrypt(
            password.encode(), salt=base64.b64decode(salt), n=int(cost), r=int(block), p=int(lanes), maxmem=64 << 20
        )
    except ValueError:
        return False
    return hmac.compare_digest(found, base64.b64decode(digest))


NOBODY: Final = "$".join((*map(str, SCRYPT), "AAAA", "AAAA"))
"""Nobody's password, compared with where there is no such user, so that an answer takes as long."""


def read_users(path: Path) -> dict[str, User]:
    """The users by name; none where there is no file. Raises BadUsers."""
    try:
        mode = path.stat().st_mode
        data = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise BadUsers(f"{path}: {error.strerror}") from None
    if mode & 0o077:
        raise BadUsers(f"{path}: others than its owner may look at it: chmod 600 {path}")
    try:
        users = msgspec.json.decode(data, type=dict[UserName, User])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadUsers(f"{path}: {error}; write it by `fixring desk user`") from None
    unknown = sorted({user.role for user in users.values()} - ROLES.keys())
    if unknown:
        raise BadUsers(f"{path}: role {', '.join(unknown)}: say one of {', '.join(ROLES)}")
    return users


def write_users(path: Path, users: dict[str, User]) -> None:
    """Replace the file in one step, mode 0600. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    write_secret(fresh, msgspec.json.format(msgspec.json.encode(users)))
    fresh.replace(path)


def write_secret(path: Path, data: bytes) -> None:
    """Write a file that nobody but its owner may open, from its first byte on. Raises OSError."""
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()

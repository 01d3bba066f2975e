"""The keys of links between hosts: a CURVE pair for each role, made once, packed for each host, and compared.

A folder of keys holds `ROLE.public` for every role (`common/link_roles.py`), and `ROLE.secret` (mode 0600) for those
that its host plays, each one line of Z85 text. `ROLE.NAME.public` is a further key that is let in as that role: that of
a client which is no part of the stack. Source: RFC 26/CurveZMQ, RFC 32/Z85.
"""

import io
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import zmq
from zmq.utils import z85

from common.config import Config, ConfigError, Kind
from common.link_roles import OPERATOR, RELAY
from common.secret_files import FOLDER_MODE, OTHERS, SECRET_MODE, write_secret

SECRET: Final = ".secret"
PUBLIC: Final = ".public"
KEY_CHARACTERS: Final = 40
KEY_BYTES: Final = 32
FINGERPRINT_CHARACTERS: Final = 16


class BadLinkKeys(ConfigError):
    """Keys are missing, readable by others, or no keys. The text names the file and the mend."""


class LinkKeys:
    """The keys of a folder, by role."""

    def __init__(self, folder: Path) -> None:
        """Read every public key. Raises BadLinkKeys where there is none, or one is no key."""
        self.folder = folder
        self.public: dict[str, bytes] = {}
        self.admitted: dict[bytes, str] = {}
        """Whose key it is: the role that it is let in as, by public key."""
        for file in sorted(folder.glob(f"*{PUBLIC}")):
            role, _, further = file.name.removesuffix(PUBLIC).partition(".")
            key = _read_key(file)
            if not further:
                self.public[role] = key
            self.admitted[key] = role
        if not self.public:
            raise BadLinkKeys(f"{folder}: no keys for links between hosts; `fixring keys make` makes them")

    def has_secret(self, role: str) -> bool:
        """Whether this host plays the role."""
        return self.secret_file(role).is_file()

    def secret(self, role: str) -> bytes:
        """The role's secret key. Raises BadLinkKeys where it is not there, readable by others, or not of its pair."""
        file = self.secret_file(role)
        if not file.is_file():
            raise BadLinkKeys(f"{file}: no such key; `fixring keys hand-out` on the host that made the keys packs it")
        mode = file.stat().st_mode
        if mode & OTHERS:
            raise BadLinkKeys(f"{file}: readable by others (mode {mode & 0o777:o}); chmod 600 it")
        key = _read_key(file)
        if zmq.curve_public(key) != self.public_of(role):
            raise BadLinkKeys(f"{file}: it is not the other half of {role}{PUBLIC}; take both from one `hand-out`")
        return key

    def public_of(self, role: str) -> bytes:
        """The role's public key. Raises BadLinkKeys where it is not there."""
        if role not in self.public:
            raise BadLinkKeys(f"{self.folder / role}{PUBLIC}: no such key; `fixring keys make` makes it")
        return self.public[role]

    def secret_file(self, role: str) -> Path:
        """Where the role's secret key is, if it is here."""
        return self.folder / f"{role}{SECRET}"

    @property
    def fingerprint(self) -> str:
        """A short sum over all public keys, the same on every host whose set is the same."""
        # Every process of the stack loads this module, and only a person's commands sum up and pack.
        import hashlib

        lines = b"".join(f"{role} ".encode() + key + b"\n" for role, key in sorted(self.public.items()))
        return hashlib.sha256(lines).hexdigest()[:FINGERPRINT_CHARACTERS]


def _read_key(file: Path) -> bytes:
    try:
        key = file.read_bytes().strip()
        if len(key) == KEY_CHARACTERS and len(z85.decode(key)) == KEY_BYTES:
            return key
    except (OSError, ValueError, KeyError, struct.error) as error:
        raise BadLinkKeys(f"{file}: {error}") from error
    raise BadLinkKeys(f"{file}: holds no key, which is one line of {KEY_CHARACTERS} characters")


def roles_of(config: Config) -> list[str]:
    """Every role of the stack, its hosts' relays among them."""
    kinds = [kind.value for kind in Kind if kind is not Kind.RELAYS]
    return [*kinds, OPERATOR, *(f"{RELAY}@{host}" for host in config.stack.hosts)]


def roles_on(config: Config, host: str) -> list[str]:
    """The roles that a host plays: the lines of the Procfile that it runs, its relay, and the command line's."""
    kinds = [kind.value for kind in config.stack.hosts[host].runs]
    return [*kinds, OPERATOR, f"{RELAY}@{host}"]


def make_link_keys(folder: Path, roles: Iterable[str]) -> list[str]:
    """Make the pair of each role that has no public key, and return the roles. Nothing is ever replaced.

    Raises OSError.
    """
    made = []
    for role in roles:
        if (folder / f"{role}{PUBLIC}").exists():
            continue
        public, secret = zmq.curve_keypair()
        # The public one last: what a kill leaves without it is made anew.
        write_secret(folder / f"{role}{SECRET}", secret + b"\n")
        write_secret(folder / f"{role}{PUBLIC}", public + b"\n")
        made.append(role)
    return made


def pack_link_keys(folder: Path, roles: Iterable[str], to: Path) -> list[str]:
    """Write a tar file with every public key, and the secret ones of `roles`; the names in it.

    It is readable by its owner alone, and so are the files that come out of it. Raises BadLinkKeys, OSError.
    """
    import tarfile

    keys = LinkKeys(folder)
    files = {file.name: file.read_bytes() for file in sorted(folder.glob(f"*{PUBLIC}"))}
    files |= {f"{role}{SECRET}": keys.secret(role) + b"\n" for role in roles}
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), SECRET_MODE
            tar.addfile(entry, io.BytesIO(content))
    write_secret(to, data.getvalue())
    return list(files)


def unpack_link_keys(packed: Path, folder: Path) -> list[str]:
    """Put the keys of a tar file into the folder, replacing those of the same names; the names. Raises BadLinkKeys.
    Nothing else that a tar file may hold is taken.
    """
    import tarfile

    taken = []
    try:
        with tarfile.open(packed) as tar:
            for entry in tar:
                content = tar.extractfile(entry)
                name = entry.name
                if content is None or "/" in name or not name.endswith((SECRET, PUBLIC)):
                    raise BadLinkKeys(f"{packed}: {name} is no key")
                folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
                write_secret(folder / name, content.read(KEY_CHARACTERS + 2))
                taken.append(name)
    except (tarfile.TarError, OSError) as error:
        raise BadLinkKeys(f"{packed}: {error}; it is what `fixring keys hand-out` writes") from error
    return taken


def what_differs(ours: LinkKeys, theirs: LinkKeys) -> list[str]:
    """In what two hosts' sets do not fit, a line each."""
    found = []
    for role in sorted(ours.public.keys() | theirs.public.keys()):
        here, there = ours.public.get(role), theirs.public.get(role)
        if here is None or there is None:
            found.append(f"{role}: only {theirs.folder if here is None else ours.folder} has its public key")
        elif here != there:
            found.append(f"{role}: another public key in {theirs.folder} than in {ours.folder}")
    return found

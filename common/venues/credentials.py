"""What a Logon(A) is signed or entered with, one struct for each kind. What is in them never reaches a log."""

from collections.abc import Mapping

import msgspec

from common.venues.venue import CREDENTIAL_FILES, CredentialKind


class UnreadableCredentials(Exception):
    """The files of the credentials cannot be read, or hold what is none. The text names the file and no value."""


class Credentials(msgspec.Struct, frozen=True):
    """The base of every kind. None shows what it holds: a settings object may find its way into a log."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"


class Ed25519Key(Credentials, frozen=True):
    """An API key as text and an Ed25519 private key as PEM."""

    api_key: str
    private_key_pem: bytes


class Ed25519Account(Credentials, frozen=True):
    """An API key as text, an Ed25519 private key as PEM, and the venue's own name of the account."""

    api_key: str
    private_key_pem: bytes
    account: str


class RsaKey(Credentials, frozen=True):
    """An API key as text and an RSA private key as PEM."""

    api_key: str
    private_key_pem: bytes


class HmacSecret(Credentials, frozen=True):
    """An API key as text and the secret of an HMAC, as the venue gave it."""

    api_key: str
    secret: bytes


class HmacPassphrase(Credentials, frozen=True):
    """An API key as text, the secret of an HMAC as the venue gave it, and the passphrase that goes with them."""

    api_key: str
    secret: bytes
    passphrase: str


class HmacAccount(HmacSecret, frozen=True):
    """The same with the venue's own name of the account."""

    account: str


class Password(Credentials, frozen=True):
    """A name and a password, sent as they are."""

    username: str
    password: str


class PasswordHmac(Credentials, frozen=True):
    """A name and a password, sent as they are, the venue's own name of the account, and for REST an API key as text
    and the secret of an HMAC, as the venue gave it.
    """

    username: str
    password: str
    account: str
    api_key: str
    secret: bytes


KINDS: dict[CredentialKind, type[Credentials]] = {
    CredentialKind.ED25519: Ed25519Key,
    CredentialKind.RSA: RsaKey,
    CredentialKind.HMAC: HmacSecret,
    CredentialKind.HMAC_PASSPHRASE: HmacPassphrase,
    CredentialKind.HMAC_ACCOUNT: HmacAccount,
    CredentialKind.PASSWORD: Password,
    CredentialKind.PASSWORD_HMAC: PasswordHmac,
    CredentialKind.ED25519_ACCOUNT: Ed25519Account,
}


def credentials_of(kind: CredentialKind, contents: Mapping[str, bytes]) -> Credentials:
    """The credentials out of their files' contents, by the files' keys; the newline that an editor leaves is not part
    of a value. Raises UnicodeDecodeError where what has to be ASCII is not.
    """
    fields = msgspec.structs.fields(KINDS[kind])
    stripped = (contents[key].strip() for key in CREDENTIAL_FILES[kind])
    values = (v.decode("ascii") if f.type is str else v for f, v in zip(fields, stripped, strict=True))
    return KINDS[kind](*values)

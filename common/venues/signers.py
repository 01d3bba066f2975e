"""Signatures: the keys out of their files, what they sign, and the sums that Logons are signed with."""

import base64
import binascii
import hashlib
import hmac
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

LEAST_RSA_BITS = 2048
"""A shorter RSA key can be broken, and no venue takes one."""


class BadKey(ValueError):
    """The key or secret cannot sign: it is no PEM, encrypted, of another kind, too short, or no base64. What it holds
    is never in the text.
    """


@lru_cache(maxsize=16)
def ed25519_key(pem: bytes) -> "Ed25519PrivateKey":
    """The key in an unencrypted PEM file's bytes. Raises BadKey."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = _private_key(pem, "Ed25519")
    if not isinstance(key, Ed25519PrivateKey):
        raise BadKey(f"the private key is {type(key).__name__}: Logon(A) is signed with an Ed25519 key")
    return key


def ed25519_signature(pem: bytes, text: bytes) -> bytes:
    """The Ed25519 signature over `text`, in base64. Raises BadKey."""
    return base64.b64encode(ed25519_key(pem).sign(text))


@lru_cache(maxsize=16)
def rsa_key(pem: bytes) -> "RSAPrivateKey":
    """The key in an unencrypted PEM file's bytes, of at least LEAST_RSA_BITS. Raises BadKey."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    key = _private_key(pem, "RSA")
    if not isinstance(key, RSAPrivateKey):
        raise BadKey(f"the private key is {type(key).__name__}: Logon(A) is signed with an RSA key")
    if key.key_size < LEAST_RSA_BITS:
        raise BadKey(f"the RSA key has {key.key_size} bits: make one of at least {LEAST_RSA_BITS}")
    return key


def rsa_sha256_signature(pem: bytes, text: bytes) -> bytes:
    """The RSA signature over `text`, PKCS#1 v1.5 with SHA-256 (RFC 8017, 8.2), in base64. Raises BadKey."""
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA256

    return base64.b64encode(rsa_key(pem).sign(text, PKCS1v15(), SHA256()))


def base64_secret(secret: bytes) -> bytes:
    """The bytes that a venue gave as base64, for those that sign with them and not with the text. Raises BadKey."""
    try:
        decoded = base64.b64decode(secret, validate=True)
    except binascii.Error:
        raise BadKey("the secret is no base64: put it into its file as the venue shows it, and nothing else") from None
    return _not_empty(decoded)


def hmac_sha256(secret: bytes, text: bytes) -> bytes:
    """The 32 bytes of HMAC-SHA-256 (RFC 2104) over `text`. Raises BadKey where the secret is empty."""
    return hmac.digest(_not_empty(secret), text, "sha256")


def hmac_sha512(secret: bytes, text: bytes) -> bytes:
    """The 64 bytes of HMAC-SHA-512 (RFC 2104) over `text`. Raises BadKey where the secret is empty."""
    return hmac.digest(_not_empty(secret), text, "sha512")


def sha256(text: bytes) -> bytes:
    """The 32 bytes of SHA-256 (FIPS 180-4) of `text`."""
    return hashlib.sha256(text).digest()


def _not_empty(secret: bytes) -> bytes:
    if not secret:
        raise BadKey("the secret is empty: put it into its file as the venue shows it")
    return secret


def _private_key(pem: bytes, kind: str) -> Any:
    # Loaded at the first Logon(A): most actors of a stack know the venues' dialects and sign nothing.
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        return load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadKey(
            f"the private key is not readable as PEM ({type(error).__name__}): give an unencrypted {kind} key"
        ) from None

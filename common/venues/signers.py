"""Signatures: the keys out of their PEM files, and what they sign."""

import base64
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


class BadKey(ValueError):
    """The private key cannot sign: it is no PEM, encrypted, or not Ed25519. The key itself is never in the text."""


@lru_cache(maxsize=16)
def ed25519_key(pem: bytes) -> "Ed25519PrivateKey":
    """The key in an unencrypted PEM file's bytes. Raises BadKey."""
    # Loaded at the first Logon(A): most actors of a stack know the venues' dialects and sign nothing.
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadKey(
            f"the private key is not readable as PEM ({type(error).__name__}): give an unencrypted Ed25519 key"
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise BadKey(f"the private key is {type(key).__name__}: Logon(A) is signed with an Ed25519 key")
    return key


def ed25519_signature(pem: bytes, text: bytes) -> bytes:
    """The Ed25519 signature over `text`, in base64. Raises BadKey."""
    return base64.b64encode(ed25519_key(pem).sign(text))

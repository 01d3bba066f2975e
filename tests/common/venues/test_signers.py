"""A key signs as its kind says, and what is no such key is refused by name."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from common.venues.signers import BadKey, ed25519_key, ed25519_signature

# RFC 8032, 7.1, test 2.
SECRET = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
MESSAGE = bytes.fromhex("72")
SIGNATURE = bytes.fromhex(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)
PEM = Ed25519PrivateKey.from_private_bytes(SECRET).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def test_published_vector() -> None:
    assert base64.b64decode(ed25519_signature(PEM, MESSAGE)) == SIGNATURE


@pytest.mark.parametrize("pem", [b"", b"no key", PEM[:60]])
def test_what_is_no_key_is_named_without_its_content(pem: bytes) -> None:
    with pytest.raises(BadKey, match="Ed25519"):
        ed25519_key(pem)


def test_another_kind_of_key_is_refused() -> None:
    key = rsa.generate_private_key(65537, 1024)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(BadKey, match="RSAPrivateKey"):
        ed25519_key(pem)

"""The signature of Binance's Logon(A), by the vector that Binance publishes."""

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from common.venues.signers import BadKey, binance_signature, ed25519_key

# binance-spot-api-docs, fix-api.md, "Signature Computation": a key made public to show the form.
PUBLISHED_PEM = b"""-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIIJEYWtGBrhACmb9Dvy+qa8WEf0lQOl1s4CLIAB9m89u
-----END PRIVATE KEY-----
"""
PUBLISHED_SIGNATURE = b"4MHXelVVcpkdwuLbl6n73HQUXUf1dse2PCgT1DYqW9w8AVZ1RACFGM+5UdlGPrQHrgtS3CvsRURC1oj73j8gCA=="


def test_published_vector() -> None:
    assert binance_signature(PUBLISHED_PEM, "EXAMPLE", "SPOT", 1, b"20240627-11:17:25.223") == PUBLISHED_SIGNATURE


@pytest.mark.parametrize("pem", [b"", b"no key", PUBLISHED_PEM[:60]])
def test_what_is_no_key_is_named_without_its_content(pem: bytes) -> None:
    with pytest.raises(BadKey, match="Ed25519"):
        ed25519_key(pem)


def test_another_kind_of_key_is_refused() -> None:
    key = rsa.generate_private_key(65537, 1024)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(BadKey, match="RSAPrivateKey"):
        ed25519_key(pem)

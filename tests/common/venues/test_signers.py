"""A key signs as its kind says, and what is no such key is refused by name."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from common.venues.signers import (
    BadKey,
    base64_secret,
    ed25519_key,
    ed25519_signature,
    hmac_sha256,
    hmac_sha512,
    rsa_key,
    rsa_sha256_signature,
    sha256,
)

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


# RFC 7515, A.2: a key of 2048 bits, what is signed, and the signature by RSASSA-PKCS1-v1_5 with SHA-256.
RSA_N = """
ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_
YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uD
Zlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"""
RSA_D = """
Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395IW_GO-pWJ1O0BkTG
oVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQ
UShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ"""
RSA_TEXT = (
    b"eyJhbGciOiJSUzI1NiJ9."
    b"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
)
RSA_SIGNATURE = """
cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQ
jbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqt
FZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"""


def url_base64(text: str) -> bytes:
    return base64.urlsafe_b64decode("".join(text.split()) + "==")


def rsa_pem() -> bytes:
    n, d, e = int.from_bytes(url_base64(RSA_N), "big"), int.from_bytes(url_base64(RSA_D), "big"), 65537
    p, q = rsa.rsa_recover_prime_factors(n, e, d)
    parts = rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q)
    key = rsa.RSAPrivateNumbers(p, q, d, *parts, rsa.RSAPublicNumbers(e, n)).private_key()
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


def test_published_vector_of_rsa() -> None:
    pem = rsa_pem()
    signature = base64.b64decode(rsa_sha256_signature(pem, RSA_TEXT))
    assert signature == url_base64(RSA_SIGNATURE)
    rsa_key(pem).public_key().verify(signature, RSA_TEXT, padding.PKCS1v15(), SHA256())


@pytest.mark.parametrize("pem", [b"", b"no key"])
def test_what_is_no_rsa_key_is_named_without_its_content(pem: bytes) -> None:
    with pytest.raises(BadKey, match="unencrypted RSA key"):
        rsa_key(pem)


def test_another_kind_of_key_signs_nothing_for_rsa_and_neither_does_a_short_one() -> None:
    with pytest.raises(BadKey, match="Ed25519PrivateKey"):
        rsa_sha256_signature(PEM, b"text")
    key = rsa.generate_private_key(65537, 1024)
    with pytest.raises(BadKey, match="1024 bits: make one of at least 2048"):
        rsa_key(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


# RFC 4231, 4.3, test case 2.
HMAC_KEY, HMAC_TEXT = b"Jefe", b"what do ya want for nothing?"


def test_published_vectors_of_the_sums() -> None:
    assert hmac_sha256(HMAC_KEY, HMAC_TEXT).hex() == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert hmac_sha512(HMAC_KEY, HMAC_TEXT).hex() == (
        "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
        "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"
    )
    # FIPS 180-4's example "abc".
    assert sha256(b"abc").hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_secret_in_base64_is_read_and_what_is_none_is_named_without_its_content() -> None:
    assert base64_secret(b"c2VjcmV0") == b"secret"
    for bad in (b"c2VjcmV", b"c2Vj cmV0", b"s\xc3\xa9cret", b"se_cr-et"):
        with pytest.raises(BadKey, match="no base64") as caught:
            base64_secret(bad)
        assert bad.decode() not in str(caught.value)


@pytest.mark.parametrize("signed", [hmac_sha256, hmac_sha512])
def test_an_empty_secret_signs_nothing(signed: object) -> None:
    assert callable(signed)
    with pytest.raises(BadKey, match="empty"):
        signed(b"", b"text")
    with pytest.raises(BadKey, match="empty"):
        base64_secret(b"")

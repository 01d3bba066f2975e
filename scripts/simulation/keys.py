"""The keys of the simulated stack: they open nothing, and are the same in every run, as a seed has to be."""

import base64

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from common.exchange.settings import Key
from common.venues.credentials import Credentials, Ed25519Key, HmacAccount, HmacPassphrase, HmacSecret, RsaKey
from common.venues.registry import find_profile
from common.venues.venue import CredentialKind
from services.exchange.configured import ACCOUNT

API_KEY = "simulated"
PASSPHRASE = "simulated"
ACCOUNT_ID = "4711"
_P = (
    "e2b4adf349d78db7aaaa63c0655435cf2e9ce953e3348f46e5cf6d22b3fcdd344fa9b8683d1544f7841783328782adab"
    "55059e32f95fc4356de993ae85f43433e0e8243120cdae7c116e4a671b0cfeec530e5c9ff8cca94924bb28ee3132038c"
    "9d79f1049ff2d11d4bc81081ca4249f3bfcc97232b9e41a525d836d9ad9951af"
)
_Q = (
    "de5e9704a9a30eab12e733bdff402d0cd5e29283e3fc497cb02fd7594d3b857133d5da9197f8ac30a139ae906080716f"
    "1ee59bedb0754a0be1e8eb5b8c6fbbe2c47de93dce2e2ab79fd5fb69272f18243c4a184ebf6e934e93c3fd249dff1e79"
    "ee788cac3d70e6dfc10536fdb657362b0935daa9833545a30120a4981afe7459"
)
_EXPONENT = 65_537


def _rsa_key() -> rsa.RSAPrivateKey:
    """Of two primes, in hexadecimal digits."""
    p, q = int(_P, 16), int(_Q, 16)
    d = pow(_EXPONENT, -1, (p - 1) * (q - 1))
    exponents = rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q)
    return rsa.RSAPrivateNumbers(p, q, d, *exponents, rsa.RSAPublicNumbers(_EXPONENT, p * q)).private_key()


def _pem(key: Ed25519PrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


_ED25519, _RSA = Ed25519PrivateKey.from_private_bytes(bytes(range(32))), _rsa_key()
_SECRET = base64.b64encode(bytes(range(64)))
_HELD: dict[CredentialKind, tuple[Credentials, Key]] = {
    CredentialKind.ED25519: (
        Ed25519Key(API_KEY, _pem(_ED25519)),
        Key(api_key=API_KEY, account=ACCOUNT, public_key=_ED25519.public_key().public_bytes_raw()),
    ),
    CredentialKind.RSA: (
        RsaKey(API_KEY, _pem(_RSA)),
        Key(
            api_key=API_KEY, account=ACCOUNT,
            public_key=_RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        ),
    ),
    CredentialKind.HMAC: (
        HmacSecret(API_KEY, _SECRET), Key(api_key=API_KEY, account=ACCOUNT, secret=_SECRET),
    ),
    CredentialKind.HMAC_ACCOUNT: (
        HmacAccount(API_KEY, _SECRET, ACCOUNT_ID),
        Key(api_key=API_KEY, account=ACCOUNT, secret=_SECRET, account_id=ACCOUNT_ID),
    ),
    CredentialKind.HMAC_PASSPHRASE: (
        HmacPassphrase(API_KEY, _SECRET, PASSPHRASE),
        Key(api_key=API_KEY, account=ACCOUNT, secret=_SECRET, passphrase=PASSPHRASE),
    ),
}  # fmt: skip
"""By kind, what we hold and what the exchange checks it with."""


def credentials_of(dialect: str) -> Credentials | None:
    """What we log on with at such a venue; None where it wants nothing."""
    kinds = find_profile(dialect).credentials
    return _HELD[kinds[0]][0] if kinds else None


def keys_of(dialect: str) -> tuple[Key, ...]:
    """What the exchange there checks it with."""
    kinds = find_profile(dialect).credentials
    return (_HELD[kinds[0]][1],) if kinds else ()

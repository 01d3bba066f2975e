"""Keys and certificates of the simulated venues: made where they are missing, looked at where they are there.

What each kind of credentials needs for its logons, a private CA and the exchanges' certificates by it.
"""

import datetime
import ipaddress
import secrets
import string
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from common.config import Config, ConfiguredKeys, VenueConfig
from common.secret_files import write_secret
from common.venues.venue import CredentialKind

SECRET_ALPHABET = string.ascii_letters + string.digits
SECRET_CHARACTERS = {
    "api_key_file": 64, "secret_file": 64, "passphrase_file": 24, "username_file": 16, "password_file": 32,
    "account_file": 16,
}  # fmt: skip
WORDS = {
    "api_key_file": "API key", "private_key_file": "private key", "secret_file": "secret",
    "passphrase_file": "passphrase", "username_file": "name", "password_file": "password", "account_file": "account",
}  # fmt: skip
RSA_BITS = 2048
RSA_EXPONENT = 65537
CA_LIFE = datetime.timedelta(days=20 * 365)
CERTIFICATE_LIFE = datetime.timedelta(days=2 * 365)
# Renewed this long before its end, so that no running stack meets the end.
CERTIFICATE_SPARE = datetime.timedelta(days=60)

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


def server_names(venue: VenueConfig) -> list[str]:
    """The host names that the venue's connections ask for in SNI, sorted; none where it has no TLS."""
    return sorted({s.tls.server_name for s in venue.connections.values() if s.tls is not None})


# ---- API keys of the simulated venues ----


def make_credentials(config: Config, key: ConfiguredKeys) -> list[str]:
    """Make those files of the key that are missing, and return a line for each thing made. Raises OSError."""
    name, credentials = key.owner, key.told
    made = []
    for part, told in credentials.files.items():
        path = config.paths.resolve(told)
        if path.is_file():
            continue
        if part == "private_key_file":
            write_secret(path, _private_pem(_new_key(credentials.kind)))
        else:
            drawn = "".join(secrets.choice(SECRET_ALPHABET) for _ in range(SECRET_CHARACTERS[part]))
            write_secret(path, drawn.encode())
        made.append(f"{WORDS[part]} of {name}: {path}")
    return made


def _new_key(kind: CredentialKind) -> PrivateKey:
    if kind is CredentialKind.RSA:
        return rsa.generate_private_key(RSA_EXPONENT, RSA_BITS)
    return ed25519.Ed25519PrivateKey.generate()


# ---- the private CA and the exchanges' certificates ----


def make_certificates(config: Config, name: str, venue: VenueConfig, now: datetime.datetime) -> list[str]:
    """Make the CA and the venue's certificate, where it has TLS and they are missing or of no use, and return a line
    for each thing made. Raises OSError.
    """
    if not server_names(venue):
        return []
    made = []
    ca_file, ca_key_file = config.paths.keys / "ca.pem", config.paths.keys / "ca.key"
    if not (ca_file.is_file() and ca_key_file.is_file()):
        _make_ca(ca_file, ca_key_file, now)
        made.append(f"private CA of the simulated exchanges: {ca_file}")
    ca = x509.load_pem_x509_certificate(ca_file.read_bytes())
    file, key_file = config.paths.server_certificate(name), config.paths.server_key(name)
    if not certificate_serves(file, key_file, ca, server_names(venue), now):
        ca_key = serialization.load_pem_private_key(ca_key_file.read_bytes(), password=None)
        assert isinstance(ca_key, ec.EllipticCurvePrivateKey)
        _make_certificate(file, key_file, ca, ca_key, server_names(venue), now)
        made.append(f"certificate of exchange@{name}: {file}")
    return made


def certificate_serves(
    file: Path, key_file: Path, ca: x509.Certificate, names: list[str], now: datetime.datetime
) -> bool:
    """Whether the certificate in `file` is signed by `ca`, names each of `names`, fits its key and lasts a while."""
    if not (file.is_file() and key_file.is_file()):
        return False
    certificate = x509.load_pem_x509_certificate(file.read_bytes())
    key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
    if key.public_key() != certificate.public_key():
        # Killed between writing the one and the other.
        return False
    try:
        certificate.verify_directly_issued_by(ca)
    except (InvalidSignature, ValueError, TypeError):
        return False
    held = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return (
        set(names) <= set(held.get_values_for_type(x509.DNSName))
        and certificate.not_valid_before_utc <= now
        and certificate.not_valid_after_utc > now + CERTIFICATE_SPARE
    )


def _make_ca(file: Path, key_file: Path, now: datetime.datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "fixring simulated exchanges")])
    certificate = (
        _builder(key.public_key(), name, name, key.public_key(), now, CA_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    write_secret(key_file, _private_pem(key))
    write_secret(file, certificate.public_bytes(serialization.Encoding.PEM))


def _make_certificate(
    file: Path,
    key_file: Path,
    ca: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
    names: list[str],
    now: datetime.datetime,
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    alternatives: list[x509.GeneralName] = [x509.DNSName(n) for n in names]
    # A client that connects by address, such as a test's, is served too.
    alternatives.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    certificate = (
        _builder(key.public_key(), subject, ca.subject, ca_key.public_key(), now, CERTIFICATE_LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    write_secret(key_file, _private_pem(key))
    write_secret(file, certificate.public_bytes(serialization.Encoding.PEM))


def _builder(
    public_key: ec.EllipticCurvePublicKey,
    subject: x509.Name,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePublicKey,
    now: datetime.datetime,
    life: datetime.timedelta,
) -> x509.CertificateBuilder:
    """What both kinds of certificate say; strict verifiers (Python 3.13's default) demand the key identifiers."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        # A clock set back a little must not make a new certificate invalid.
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _private_pem(key: PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )

"""The RSA key of this venue's tests, as both sides have it."""

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from tests.common.venues.both_sides import rsa_pem

PEM = rsa_pem()
PUBLIC_PEM = load_pem_private_key(PEM, None).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

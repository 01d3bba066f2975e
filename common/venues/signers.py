"""How a Logon(A) is signed, per venue."""

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


def binance_signature(
    pem: bytes, sender_comp_id: str, target_comp_id: str, msg_seq_num: int, sending_time: bytes
) -> bytes:
    """RawData(96) of Binance's Logon(A): base64 of the Ed25519 signature over MsgType(35), SenderCompID(49),
    TargetCompID(56), MsgSeqNum(34) and SendingTime(52), joined with SOH, exactly as they are sent.

    Source: binance-spot-api-docs, fix-api.md, "Signature Computation". Raises BadKey.
    """
    text = b"A\x01%b\x01%b\x01%d\x01%b" % (sender_comp_id.encode(), target_comp_id.encode(), msg_seq_num, sending_time)
    return base64.b64encode(ed25519_key(pem).sign(text))

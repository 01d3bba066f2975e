"""Which fields hold a secret, and a message without it, for what keeps messages."""

from collections.abc import Collection

from common.fix.wire import encode, pairs

SECRET_TAGS = frozenset({89, 96, 554, 925, 1402, 1404})
"""Signature(89), RawData(96), Password(554), NewPassword(925), EncryptedPassword(1402), EncryptedNewPassword(1404)."""

BLANK = b"x"


def blanked(raw: bytes, also: Collection[int] = ()) -> bytes:
    """The message with each value of a secret field, and of the fields `also`, replaced by as many letters x.

    BodyLength(9) stays, CheckSum(10) is right again. Raises GarbledError.
    """
    fields = pairs(raw)
    secret = {b"%d" % tag for tag in (*SECRET_TAGS, *also)}
    kept = [(tag, BLANK * len(value) if tag in secret else value) for tag, value in fields[2:-1]]
    return encode(fields[0][1], b"".join([b"%b=%b\x01" % field for field in kept]))

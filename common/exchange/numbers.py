"""Numbers as a client may write them in FIX: the fields of the types Qty, Price and float."""

import re
from decimal import Decimal

_NUMBER = re.compile(r"-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)")


def read_number(text: str) -> Decimal:
    """The number that `text` writes. Raises ValueError for anything but digits, one point and a leading minus.

    No exponent, plus sign, blank or underscore (FIX 4.4, volume 1, data type float).
    """
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{text!r} is no number in FIX")
    return Decimal(text)

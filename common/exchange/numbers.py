"""Numbers as a client may write them in FIX, the fields of the types Qty, Price and float; and as a venue writes them.
"""

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


def digits(value: Decimal) -> str:
    """Digits and a point, without needless zeros behind it."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text

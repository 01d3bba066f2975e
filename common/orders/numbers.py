"""Numbers that can be counted with: which are plausible, and multiples of a step, exact at any size."""

from decimal import Context, Decimal
from typing import Final

ZERO: Final = Decimal(0)

MAX_MAGNITUDE: Final = 64
"""No quantity, price or fee is as large as ten to this power, nor as small as one by it: what is says nothing."""


def is_plausible(number: Decimal) -> bool:
    """Whether a number that the log has can be counted with: finite, and of a size that no sum of such overflows."""
    return number.is_finite() and -MAX_MAGNITUDE <= number.adjusted() <= MAX_MAGNITUDE


def is_multiple(number: Decimal, step: Decimal) -> bool:
    """Whether the number is a whole multiple of `step`, however small that is: Decimal's own `%` fails where the
    quotient has more digits than its precision.
    """
    return not _WIDE.remainder(number, step)


def rounded_to(number: Decimal, step: Decimal) -> Decimal:
    """A plausible number to a whole multiple of `step`, a power of ten, however many digits that has: Decimal's own
    `quantize` fails beyond its precision.
    """
    return number.quantize(step, context=_WIDE)


def added(total: Decimal, number: Decimal) -> Decimal:
    """The sum of two plausible numbers, every digit of it: what is taken off a running sum again leaves it as it was,
    which Decimal's own `+` loses beside a number that is very large.
    """
    return _WIDE.add(total, number)


def subtracted(total: Decimal, number: Decimal) -> Decimal:
    """What is left of a running sum without that number, likewise."""
    return _WIDE.subtract(total, number)


_WIDE = Context(prec=2 * MAX_MAGNITUDE + 64)

"""Decimals for people."""

from decimal import Context, Decimal

QUOTIENT = Context(prec=15)


def short(value: Decimal) -> str:
    """A quantity or price at no more than 8 decimals, for people."""
    text = f"{value:.8f}".rstrip("0").rstrip(".")
    return "0" if text in ("", "-0") else text


def rounded(value: Decimal) -> str:
    """What was divided, an average price or a profit, at 15 significant digits: all that a price has, and no tail."""
    text = f"{QUOTIENT.plus(value):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text

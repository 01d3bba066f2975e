"""Decimals for people."""

from decimal import Decimal


def short(value: Decimal) -> str:
    """A quantity or price at no more than 8 decimals, for people."""
    text = f"{value:.8f}".rstrip("0").rstrip(".")
    return "0" if text in ("", "-0") else text

"""Texts that somebody else wrote, for a terminal."""


def printable(text: str) -> str:
    """The text with whatever would steer the reader's terminal as its code: what a client, a venue or a peer wrote."""
    return text if text.isprintable() else "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)

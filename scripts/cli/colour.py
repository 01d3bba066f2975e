"""Whether a person wants colour."""

import os


def no_color() -> bool:
    """Whether NO_COLOR is set and not empty, which asks every program for none (no-color.org)."""
    return bool(os.environ.get("NO_COLOR"))

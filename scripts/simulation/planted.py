"""Bugs planted in the real cores, to see that the checkers find them."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def plant(name: str) -> Iterator[None]:
    yield

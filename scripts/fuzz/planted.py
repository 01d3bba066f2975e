"""The targets are checked: faults planted in the real code, each found by its target within a number of rounds."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from scripts.simulation.planted import Swap, planted_swaps
from services.orders import fold as orders_fold


class Fault(NamedTuple):
    """One planted fault: what it is, which target finds it, and within how many rounds from seed 0 on."""

    sentence: str
    target: str
    swaps: tuple[Swap, ...]
    within: int = 10


@contextmanager
def plant_fault(name: str) -> Iterator[None]:
    """The fault called `name` is in the code while this lasts. Raises KeyError."""
    with planted_swaps(FAULTS[name].swaps):
        yield


FAULTS: dict[str, Fault] = {
    "undecodable-ends-orders": Fault(
        "A record whose payload does not decode ends the order manager.", "folds",
        ((orders_fold, "UNDECODABLE", lambda original: ()),),
    ),
}  # fmt: skip

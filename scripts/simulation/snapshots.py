"""Some lives begin with a snapshot: of what the durable log holds up to some record, as another life would have it."""

from collections.abc import Callable
from random import Random
from typing import TypeVar

from common.actor.snapshots import Foldable
from common.journal import NotThere, Reader
from common.journal.files import Files
from scripts.simulation.invariants import Violation

F = TypeVar("F", bound=Foldable)


def begun(name: str, random: Random, journal: str, files: Files, fresh: F, load: Callable[[bytes], F]) -> F:
    """`fresh` as it is, or loaded from the snapshot that `fresh` gives after some durable record of the log.

    Raises Violation where what is loaded is another state than what was dumped.
    """
    if random.random() < 0.5:
        return fresh
    reader = Reader(journal, files)
    try:
        last = random.randint(0, reader.durable_lsn())
    except NotThere:
        return fresh
    _fold_on(fresh, reader, last)
    loaded = load(fresh.dump())
    if loaded.digest() != fresh.digest() or loaded.lsn != fresh.lsn:
        raise Violation("state-rebuilds", f"{name}: the snapshot at record {last} loads as another state")
    if random.random() < 0.5:
        # What is kept beside the snapshot may be further than that.
        _fold_on(fresh, reader, reader.durable_lsn())
    return loaded


def _fold_on(state: Foldable, reader: Reader, last: int) -> None:
    while state.lsn < last:
        for record in reader.read(state.lsn + 1, last):
            state.apply(record)

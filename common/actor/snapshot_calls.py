"""What a core says to have a snapshot of its state made, and what it hears of it: see `common.actor.snapshots`."""

import msgspec


class MakeSnapshot(msgspec.Struct, frozen=True):
    """The argument of a `Call`: the program to run, as `python -P -m module` with its arguments."""

    module: str
    arguments: tuple[str, ...] = ()


class SnapshotMade(msgspec.Struct, frozen=True):
    """Its result; `text` says what went wrong, or at which record the snapshot stands."""

    ok: bool
    text: str

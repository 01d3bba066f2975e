"""Risk's folded state as bytes, and back: the shared books, and what people said to risk."""

from collections.abc import Mapping

import msgspec

from common.left_out import LeftOut
from common.orders.books import BOUNDS, Bounds
from common.orders.facts import VenueFacts
from common.orders.forgotten import Forgotten
from common.orders.snapshots import dump_books, load_books
from services.risk.state import RiskState


class Dump(msgspec.Struct, array_like=True, frozen=True):
    """Everything that the state holds. Fields are only ever appended, with defaults.

    `books` are in the form of `common.orders.snapshots`; what they come to at worst is counted anew.
    """

    books: bytes
    halts: list[tuple[str, str]]
    killed: bool
    checkpoints: list[tuple[int, int]]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Dump).decode


def dump_state(state: RiskState) -> bytes:
    """The state as bytes."""
    return _encode(
        Dump(
            dump_books(state.books), sorted(state.halts), state.killed,
            [(lsn, int.from_bytes(digest, "little")) for lsn, digest in state.hashes.by_lsn.items()],
        )  # fmt: skip
    )


def load_state(
    data: bytes,
    venues: Mapping[str, VenueFacts],
    left_out: LeftOut | None = None,
    memory: Forgotten | None = None,
    bounds: Bounds = BOUNDS,
) -> RiskState:
    """The state from bytes; what else is given is as for `Books`.

    Raises msgspec.DecodeError where they are of another form, ValueError where it has folded what is to be left out.
    """
    dump = _decode(data)
    state = RiskState(load_books(dump.books, venues, left_out, bounds, memory))
    state.halts.update(dump.halts)
    state.killed = dump.killed
    for lsn, digest in dump.checkpoints:
        state.hashes.keep(lsn, digest.to_bytes(8, "little"))
    return state

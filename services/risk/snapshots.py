"""Risk's folded state as bytes, and back: the shared books, and what people said to risk.

Snapshots of before risk folded the shared books know legs and fills, and not what the books know of orders, names and
prices. Where the log's beginning is gone they are all there is: the order manager's snapshot of the same age, or an
older one, has the books, and the log tells what came between. From risk's own there remain what people had said and the
strategies' parts of positions.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal

import msgspec

from common.actor.snapshots import load_newest
from common.config import Config
from common.journal import OsFiles, Reader
from common.left_out import LeftOut
from common.orders.books import BOUNDS, Bounds
from common.orders.facts import VenueFacts
from common.orders.fold import WRITER as ORDERS
from common.orders.forgotten import Forgotten
from common.orders.snapshots import load_books
from services.risk.state import RiskDump, RiskState

_decode = msgspec.msgpack.Decoder(RiskDump).decode


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


class FormerDump(msgspec.Struct, array_like=True, frozen=True):
    """What they hold, as far as it is needed; places are as they were."""

    lsn: int
    stamp_ns: int
    firm: msgspec.Raw
    shares: list[tuple[tuple[str, str, str], Decimal, Decimal, Decimal]]
    open_orders: msgspec.Raw
    working: msgspec.Raw
    names: msgspec.Raw
    attempts: msgspec.Raw
    order_ids: msgspec.Raw
    fills: msgspec.Raw
    retired: msgspec.Raw
    ended: msgspec.Raw
    sessions: msgspec.Raw
    strangers: msgspec.Raw
    unclaimed: msgspec.Raw
    trades_told: msgspec.Raw
    halts: list[tuple[str, str]]
    killed: bool
    highest_attempt: tuple[int, int]


_decode_former = msgspec.msgpack.Decoder(FormerDump).decode


def load_former(data: bytes, config: Config, load_of_orders: Callable[[bytes], RiskState]) -> RiskState:
    """The state at the record at which the dump was made; `load_of_orders` makes one of the order manager's snapshot.

    Raises msgspec.DecodeError where the bytes are of another form, ValueError where no snapshot of the order manager of
    that age loads, and JournalError.
    """
    former = _decode_former(data)
    reader = Reader(config.journal_folder, OsFiles())
    state = load_newest(config, ORDERS, load_of_orders, reader, former.lsn)
    if state is None:
        raise ValueError(f"no snapshot of {ORDERS} up to record {former.lsn} loads, from which risk's books could come")
    while state.lsn < former.lsn:
        for record in reader.read(state.lsn + 1, former.lsn):
            state.apply(record)
    state.books.highest_attempt = max(state.books.highest_attempt, former.highest_attempt)
    state.books.take_own(())
    state.books.take_shares({share: position for share, _, _, position in former.shares if position})
    for share, held in state.books.shares.items():
        state.exposure.hold_share(share, held)
    state.halts, state.killed = set(former.halts), former.killed
    return state

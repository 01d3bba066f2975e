"""Risk's snapshots of before it folded the shared books, where the log's beginning is gone and they are all there is.

Such a one knows legs and fills, and not what the books know of orders, names and prices. The order manager's snapshot
of the same age, or an older one, has the books; the log tells what came between. From risk's own there remain what
people had said and the strategies' parts of positions.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import TypeVar

import msgspec

from common.actor.snapshots import Foldable, load_newest
from common.config import Config
from common.journal import OsFiles, Reader
from common.orders.fold import WRITER as ORDERS
from services.risk.state import RiskState

F = TypeVar("F", bound=Foldable)


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


_decode = msgspec.msgpack.Decoder(FormerDump).decode


def load_former(data: bytes, config: Config, load_books: Callable[[bytes], F], state_of: Callable[[F], RiskState]) -> F:
    """The state at the record at which the dump was made; `load_books` makes one of the order manager's snapshot.

    Raises msgspec.DecodeError where the bytes are of another form, ValueError where no snapshot of the order manager of
    that age loads, and JournalError.
    """
    former = _decode(data)
    reader = Reader(config.journal_folder, OsFiles())
    folded = load_newest(config, ORDERS, load_books, reader, former.lsn)
    if folded is None:
        raise ValueError(f"no snapshot of {ORDERS} up to record {former.lsn} loads, from which risk's books could come")
    while folded.lsn < former.lsn:
        for record in reader.read(folded.lsn + 1, former.lsn):
            folded.apply(record)
    state = state_of(folded)
    state.books.highest_attempt = max(state.books.highest_attempt, former.highest_attempt)
    state.books.take_own(())
    state.books.take_shares({share: position for share, _, _, position in former.shares if position})
    for share, held in state.books.shares.items():
        state.exposure.hold_share(share, held)
    state.halts, state.killed = set(former.halts), former.killed
    return folded

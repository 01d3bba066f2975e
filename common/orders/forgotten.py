"""What has left the books' memory and must be known for ever: fills by trade identity, and ClOrdIDs(11).

A fill that is told again years later must not count again, and a bust of it must find it. So nothing leaves memory but
into here, and what memory does not have is looked up here before it is taken for new.

Rows of fills are never changed. Each holds all fills of one trade identity as they were when they left memory, before
a record was folded, and bears that record's LSN; what comes back, is changed and leaves again is another row. A look-up
says at which record it is made and sees no later row: whoever reads the log again finds at each record what its first
reader found there, however far the rows go by now. That of a process is a file (`common.orders.index_file`).

A name is found from the start: nothing is told of an order of ours before the log has it, but for one that only the
lost end of a log knew, whose number tells the record that brought it back.
"""

from collections import defaultdict
from typing import NamedTuple

import msgspec

from common.orders.fills import Fill

TradeId = tuple[str, str, str]
"""Venue, symbol and the venue's trade identity: what two orders may share that met in one trade."""


class ForgottenOrder(NamedTuple):
    """An order of ours that has left memory: its name, and what a report on it may leave out."""

    strategy: str
    number: int
    account: str
    symbol: str
    side: str


class LookUpFailed(OSError):
    """Nobody can say whether a word was heard before. To take it for new would count a fill twice: whoever folds ends,
    and whoever starts verifies the file and makes a damaged one anew.
    """


def exec_id_of(trade_key: str) -> str:
    """ExecID(17) in an identity that is one with the generation of the session's numbers before it; "" in another."""
    return trade_key.partition("/")[2]


class Forgotten:
    """What has left the books' memory, complete as of the record that is being folded; here in memory again, for as
    long as its process lives and without a bound. A look-up of one that is a file raises LookUpFailed where it cannot
    be made.
    """

    def __init__(self) -> None:
        """Nothing has left memory."""
        self._fills: defaultdict[TradeId, list[tuple[int, list[Fill]]]] = defaultdict(list)
        self._by_exec_id: defaultdict[tuple[str, str, str], dict[str, int]] = defaultdict(dict)
        self._names: dict[str, tuple[str, int]] = {}
        self._ended: dict[tuple[str, int], ForgottenOrder] = {}

    def put_fills(self, trade_id: TradeId, lsn: int, fills: list[Fill]) -> None:
        """All fills of this identity leave memory before record `lsn` is folded."""
        rows = self._fills[trade_id]
        if not rows or rows[-1][0] < lsn:
            rows.append((lsn, _copied(fills)))
        exec_id = exec_id_of(trade_id[2])
        if exec_id:
            self._by_exec_id[(*trade_id[:2], exec_id)].setdefault(trade_id[2], lsn)

    def fills(self, trade_id: TradeId, lsn: int) -> list[Fill]:
        """Those fills as they left memory last, at record `lsn`; none where they never did. They are the caller's."""
        for put_lsn, fills in reversed(self._fills.get(trade_id, ())):
            if put_lsn <= lsn:
                return _copied(fills)
        return []

    def keys_of(self, venue: str, symbol: str, exec_id: str, lsn: int) -> list[str]:
        """The trade identities with this ExecID(17), of whatever generation, that had left memory at record `lsn`:
        latest first."""
        left = self.keys_left(venue, symbol, exec_id, lsn)
        keys = sorted(left, key=lambda key: (-left[key], key))
        return [*keys, exec_id] if self.fills((venue, symbol, exec_id), lsn) else keys

    def keys_left(self, venue: str, symbol: str, exec_id: str, lsn: int) -> dict[str, int]:
        """The identities of an ExecID(17) with a generation, and at which record, up to `lsn`, each left memory
        first."""
        keys = self._by_exec_id.get((venue, symbol, exec_id), {})
        return {key: put_lsn for key, put_lsn in keys.items() if put_lsn <= lsn}

    def put_names(self, cl_ord_ids: list[str], order: ForgottenOrder, lsn: int) -> None:
        """By record `lsn` an order left memory: what is told under one of these ClOrdIDs(11) is about it."""
        name = order[:2]
        self._names.update(dict.fromkeys(cl_ord_ids, name))
        self._ended[name] = order

    def name_of(self, cl_ord_id: str) -> tuple[str, int] | None:
        """The order of ours that it names; None for one that never left memory, or that is none of ours."""
        return self._names.get(cl_ord_id)

    def order_of(self, cl_ord_id: str) -> ForgottenOrder | None:
        """That order with its instrument and side."""
        name = self.name_of(cl_ord_id)
        return None if name is None else self._ended.get(name)


def _copied(fills: list[Fill]) -> list[Fill]:
    return [msgspec.structs.replace(fill) for fill in fills]

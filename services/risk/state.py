"""Risk's folded state: the shared books of orders, what they come to at worst, and what people have said to risk.

What the log says of orders is folded by `common.orders.fold`, the same for every reader; what an order may still do at
worst is `common.orders.worst`. Here are the running sums: after each record the orders that it has changed are counted
anew. Nothing here decides.
"""

from collections.abc import Iterable
from decimal import Decimal
from hashlib import blake2b
from typing import Final

import msgspec

from common.actor.state_hashes import StateHashes, is_hashed
from common.journal.frames import TERM, Record
from common.messages import Kind, OperatorAct, StateHash
from common.orders import fold as orders_fold
from common.orders.books import Books, OrderName, Place
from common.orders.changes import Change, PositionMoved
from common.orders.fold import Fold
from common.orders.numbers import added, subtracted
from common.orders.order_state import Order
from common.orders.snapshots import dump_books
from common.orders.worst import NO_STRANGER, NOTHING, AtWorst, StrangerAtWorst, at_worst, stranger_at_worst
from services.risk.exposure import Exposure

WRITER = "risk"

OWN_VERSION = 0
FOLD_VERSION = orders_fold.FOLD_VERSION + OWN_VERSION
"""See `common.actor.snapshots.Foldable`: it rises with the shared fold's and with what is added here."""

HASHES_KEPT = 8
OWN_KINDS: Final = frozenset({int(Kind.OPERATOR), int(Kind.STATE_HASH)})
"""The kinds that are more to risk than to the shared fold."""

FIRM: Final = ("firm", "")
"""The halt of everything."""

_encode = msgspec.msgpack.Encoder().encode


class RiskDump(msgspec.Struct, array_like=True, frozen=True):
    """Everything that the state holds. Fields are only ever appended, with defaults.

    `books` are in the form of `common.orders.snapshots`; what they come to at worst is counted anew.
    """

    books: bytes
    halts: list[tuple[str, str]]
    killed: bool
    checkpoints: list[tuple[int, int]]


class RiskState:
    """The fold, as `common.actor.snapshots` wants one. `apply` takes each record once, in LSN order."""

    def __init__(self, books: Books) -> None:
        """`books` may be fresh or loaded from a snapshot; all that they hold is counted."""
        self.fold_version = FOLD_VERSION
        self.books = books
        self.fold = Fold(books)
        self.exposure = Exposure()
        self.halts: set[tuple[str, str]] = set()
        self.killed = False
        self.hashes = StateHashes(WRITER, FOLD_VERSION, HASHES_KEPT)
        self._counted: dict[OrderName, AtWorst] = {}
        self._strange: dict[tuple[str, str, str], StrangerAtWorst] = {}
        self._count_all()

    @property
    def lsn(self) -> int:
        """The last record folded."""
        return self.books.lsn

    def dump(self) -> bytes:
        """The state as bytes."""
        hashes = [(lsn, int.from_bytes(digest, "little")) for lsn, digest in self.hashes.by_lsn.items()]
        return _encode(RiskDump(dump_books(self.books), sorted(self.halts), self.killed, hashes))

    def apply(self, record: Record) -> list[Change]:
        """Fold the next record, and return what it changed. Raises Unfoldable: the state is of no use then."""
        changes, books = self.fold.apply(record), self.books
        if record.kind in OWN_KINDS:
            self._hear(record)
        elif record.kind == TERM:
            # Another host goes on: it adds no risk before a person says so.
            self.halts.add(FIRM)
        if books.changed:
            self._count_orders(books.changed.values())
        if books.changed_shares:
            for share in books.changed_shares:
                if share[0]:
                    self.exposure.hold_share(share, books.share(share))
        if books.changed_externals:
            self._count_strangers(books.changed_externals)
        for change in changes:
            if type(change) is PositionMoved:
                self._hold((change.account, change.symbol))
        if is_hashed(record.lsn):
            self.hashes.keep(record.lsn, self.digest())
        return changes

    # -- counting ------------------------------------------------------------------------------------------------------

    def _count_all(self) -> None:
        self._count_orders(self.books.orders.values())
        self._count_strangers(self.books.externals)
        for place in self.books.positions:
            self._hold(place)
        for share, held in self.books.shares.items():
            self.exposure.hold_share(share, held)

    def _count_orders(self, orders: Iterable[Order]) -> None:
        """Bring the sums up to what these orders may still do at worst."""
        counted, exposure = self._counted, self.exposure
        for order in orders:
            name = order.name
            now, before = at_worst(order), counted.get(name, NOTHING)
            if now != before:
                exposure.add(
                    order.strategy, order.account, order.symbol, order.side, subtracted(now.qty, before.qty),
                    reduces=order.terms.is_reduce_only,
                )  # fmt: skip
                if now.open_orders != before.open_orders:
                    exposure.count(order.strategy, now.open_orders - before.open_orders)
                if now == NOTHING:
                    del counted[name]
                else:
                    counted[name] = now

    def _count_strangers(self, places: Iterable[tuple[str, str, str]]) -> None:
        """The same for orders of somebody else, which are the firm's and no strategy's."""
        for place in places:
            external = self.books.externals.get(place)
            now = NO_STRANGER if external is None else stranger_at_worst(external.order)
            before = self._strange.pop(place, NO_STRANGER)
            if now != NO_STRANGER:
                self._strange[place] = now
            if now != before:
                sums = self.exposure.firm[place[0], place[1]]
                sums.buy = added(subtracted(sums.buy, before.buy), now.buy)
                sums.sell = added(subtracted(sums.sell, before.sell), now.sell)

    def _hold(self, place: Place) -> None:
        self.exposure.firm[place].position = self.books.positions[place].quantity

    # -- people, and hashes --------------------------------------------------------------------------------------------

    def _hear(self, record: Record) -> None:
        """What a person has said to risk, and what a former life wrote of its state."""
        payload = self.books.left_out.read(record)
        if isinstance(payload, OperatorAct) and payload.actor == WRITER:
            self._act(payload)
        elif isinstance(payload, StateHash):
            self.hashes.check(payload)

    def _act(self, act: OperatorAct) -> None:
        scope, _, name = act.text.partition(" ")
        match act.act:
            case "kill" | "resume":
                self.killed = act.act == "kill"
            case "halt":
                self.halts.add((scope, name))
            case "unhalt":
                self.halts.discard((scope, name))

    def digest(self) -> bytes:
        """The hash of the whole state: the books', with what they come to at worst, and what people said."""
        firm = ((place, (s.buy, s.sell, s.position)) for place, s in self.exposure.firm.items())
        sums = sorted((*place, *map(_plain, amounts)) for place, amounts in firm if any(amounts))
        return blake2b(self.books.digest() + _encode((self.killed, sorted(self.halts), sums)), digest_size=8).digest()


def _plain(value: Decimal) -> str:
    """A sum as the digest counts it, however many zeros were left behind."""
    return str(value.normalize()) if value else "0"


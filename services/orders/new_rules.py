"""What the rules of a newer program make of the same log: told as discrepancies at the first start after an upgrade.

The log is folded anew then. At the record where the newest snapshot of the older program stands both states say the
same of positions and orders, or a rule has changed: a position of 1 that is 0 now is a difference that a person has to
hear of, and no venue tells it. A later start finds in the log that it was told. Where the log's beginning is gone
nothing is folded anew, and nothing is compared.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

import msgspec

from common.actor.core import Core
from common.actor.links import Appender
from common.instant import Instant
from common.journal.frames import Record
from common.messages import UNDECODABLE, Discrepancy, Kind, cut
from common.orders.books import Books, OrderName
from common.orders.fold import FOLD_VERSION

MOST_TOLD = 100
"""So many differences are told one by one; one more record says how many there are."""

ACTION = f"counts by the rules of version {FOLD_VERSION} of the fold from here on"
"""What was done about each difference; by it a later start knows that this version's were told."""


class FoldSummary(NamedTuple):
    """What one version of the fold came to after record `lsn`: positions by account and symbol, and of each order that
    memory holds whether it is open, its state and what is filled of it.
    """

    lsn: int
    fold_version: int
    positions: Mapping[tuple[str, str], Decimal]
    orders: Mapping[OrderName, tuple[bool, str, Decimal]]


class Difference(NamedTuple):
    """One subject of one account, as it is by today's rules and as it was by those before."""

    account: str
    subject: str
    ours: str
    before: str


def standing_of(books: Books, fold_version: int = FOLD_VERSION) -> FoldSummary:
    """What the books hold now."""
    positions = {place: position.quantity for place, position in books.positions.items() if position.quantity}
    orders = {
        name: (not order.is_closed, order.status.value, order.cum_qty) for name, order in books.orders.items()
    }
    return FoldSummary(books.lsn, fold_version, positions, orders)


class NewRules:
    """See the module. `at_lsn`: where the two are compared, 0 for nowhere."""

    def __init__(self, books: Books, before: FoldSummary | None) -> None:
        """`before` is what an older version came to; None where there is nothing to compare."""
        self._books = books
        self._before = before
        self._differences: list[Difference] = []
        self.at_lsn = before.lsn if before is not None and books.lsn < before.lsn else 0

    def compare(self) -> None:
        """The books stand at `at_lsn` now."""
        assert self._before is not None
        ours, before = standing_of(self._books), self._before
        for account, symbol in sorted({*ours.positions, *before.positions}):
            now, then = (each.positions.get((account, symbol), Decimal(0)) for each in (ours, before))
            if now != then:
                self._differences.append(Difference(account, symbol, f"position {now:f}", f"position {then:f}"))
        for name in sorted({*ours.orders, *before.orders}):
            self._compare_order(name, ours.orders.get(name), before.orders.get(name))

    def _compare_order(
        self, name: OrderName, now: tuple[bool, str, Decimal] | None, then: tuple[bool, str, Decimal] | None
    ) -> None:
        """Which closed orders are still in memory may be another matter: one that only one side has counts if open."""
        if now == then or not (now and then) and not (now or then or (False,))[0]:
            return
        order = self._books.orders.get(name)
        self._differences.append(
            Difference("" if order is None else order.account, f"{name[0]}/{name[1]}", _said(now), _said(then))
        )

    def hear_discrepancy(self, record: Record) -> None:
        """A discrepancy of the log: where an earlier start of this version told its differences, they are told."""
        try:
            told = _decode(record.payload)
        except UNDECODABLE:
            return
        if told.action == ACTION:
            self._differences.clear()

    def tell_differences(self, core: Core, appender: Appender, now: Instant) -> None:
        """The process is live: append what was found, with a note of each. Once."""
        found, self._differences = self._differences, []
        for difference in found[:MOST_TOLD]:
            self._tell_one(difference, core, appender, now)
        if len(found) > MOST_TOLD:
            count = Difference("", "all", f"{len(found)} differences", f"{MOST_TOLD} are told one by one")
            self._tell_one(count, core, appender, now)

    def _tell_one(self, difference: Difference, core: Core, appender: Appender, now: Instant) -> None:
        account, subject, ours, before = difference
        assert self._before is not None
        theirs = f"{before} by the rules of version {self._before.fold_version}"
        venue = self._books.known.venue_of(account) if account else ""
        record = Discrepancy(venue, cut(subject), cut(ours), cut(theirs), self._before.lsn, ACTION, account)
        appender.append(Kind.DISCREPANCY, record, now)
        core.note("warning", "discrepancy", account=account, subject=subject, ours=ours, theirs=theirs)


def _said(standing: tuple[bool, str, Decimal] | None) -> str:
    if standing is None:
        return "not there"
    _, status, cum_qty = standing
    return f"{status}, {cum_qty.normalize():f} filled"


_decode = msgspec.msgpack.Decoder(Discrepancy).decode

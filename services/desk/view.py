"""What the desk knows of the log: the books by the one fold, and a little that is only for the eye.

Pure: a record in, and what is shown stands in the fields. What is counted here counts from the record with which the
desk began (`since_ns`), and is said so on the pages; what matters is folded, and is whole.
"""

from collections import deque
from collections.abc import Mapping
from typing import Final, NamedTuple

from common.journal import TICK, Record
from common.messages import DayBegan, Kind, OperatorAct, SessionChanged, SessionState
from common.orders.acknowledgements import Acknowledgements
from common.orders.books import Books, OrderName
from common.orders.changes import CommandDecided, OrderChanged
from common.orders.fold import WRITER, Fold
from common.orders.order_state import Order
from common.past.words import payload_of

KEPT_RECORDS: Final = 1_000
"""Of the log's end, for whoever follows it."""

KEPT_MESSAGES: Final = 40
"""Of each session, both ways together."""

KEPT_ACTS: Final = 50
KEPT_FILLS: Final = 200
MESSAGES: Final = frozenset({int(Kind.OUTBOUND), int(Kind.INBOUND)})
OPERATOR, SESSION, DAY_BEGAN = int(Kind.OPERATOR), int(Kind.SESSION), int(Kind.DAY_BEGAN)
"""As plain numbers: a member of an enum is compared by a method of its own."""


class Act(NamedTuple):
    """What a person did, as the log has it."""

    lsn: int
    stamp_ns: int
    act: OperatorAct


class Tally:
    """What one strategy's commands have come to since `View.since_ns`."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.outcomes: dict[str, int] = {}
        self.last_refusal = ""
        self.last_refusal_ns = 0
        self.fills = 0


class View:
    """See the module."""

    def __init__(self, books: Books) -> None:
        """`books` may be fresh or from a snapshot: what is shown begins with the next record."""
        self.fold = Fold(books, identities=False)
        self.since_ns = 0
        self.records: deque[Record] = deque(maxlen=KEPT_RECORDS)
        self.messages: dict[str, deque[Record]] = {}
        self.acts: deque[Act] = deque(maxlen=KEPT_ACTS)
        self.fills: deque[tuple[int, int, OrderChanged]] = deque(maxlen=KEPT_FILLS)
        self.tallies: dict[str, Tally] = {}
        self.acknowledgements = Acknowledgements()
        self._logons_ns: dict[str, list[int]] = {}
        self.told_lsn = books.lsn
        """The last record of which `take_changed` has told."""
        self._changed: dict[OrderName, Order] = {}

    @property
    def books(self) -> Books:
        """What the log says of orders, fills and positions."""
        return self.fold.books

    def apply(self, record: Record) -> None:
        """Take the next record. Raises Unfoldable, LookUpFailed: the view is of no use then."""
        fold = self.fold
        changes, kind = fold.apply(record), record.kind
        if kind == TICK:
            return
        if not self.since_ns:
            self.since_ns = record.stamp_ns
        self.records.append(record)
        changed = fold.books.changed
        if changed:
            self._changed.update(changed)
        for change in changes:
            if type(change) is OrderChanged:
                if change.last_qty:
                    self.fills.append((record.lsn, record.stamp_ns, change))
                    self.tally(change.order.strategy).fills += 1
            elif type(change) is CommandDecided:
                self._count(change, record.stamp_ns)
        if kind in MESSAGES:
            self._take_message(record, changed)
        elif kind == OPERATOR:
            self._take_act(record)
        elif kind == SESSION:
            self._take_step(record)
        elif kind == DAY_BEGAN:
            self._take_day(record)

    def logons(self, session: str) -> int:
        """How often the session has logged on since the day began, or since `since_ns`."""
        return len(self._logons_ns.get(session, ()))

    def note_changed(self, orders: Mapping[OrderName, Order]) -> None:
        """These orders are another than they were told as."""
        self._changed.update(orders)

    def take_changed(self) -> list[OrderName]:
        """The orders that have changed since this was asked last, each once, however often it has."""
        changed, self._changed = self._changed, {}
        self.told_lsn = self.books.lsn
        return list(changed)

    def tally(self, strategy: str) -> Tally:
        """What is counted of the strategy."""
        tally = self.tallies.get(strategy)
        if tally is None:
            tally = self.tallies[strategy] = Tally()
        return tally

    def _count(self, decided: CommandDecided, stamp_ns: int) -> None:
        tally = self.tally(decided.strategy)
        outcomes = tally.outcomes
        outcomes[decided.outcome] = outcomes.get(decided.outcome, 0) + 1
        if decided.outcome == "refused":
            tally.last_refusal, tally.last_refusal_ns = decided.text or decided.reason.value, stamp_ns

    def _take_message(self, record: Record, changed: Mapping[OrderName, Order]) -> None:
        kept = self.messages.get(record.writer)
        if kept is None:
            kept = self.messages[record.writer] = deque(maxlen=KEPT_MESSAGES)
        kept.append(record)
        for order in changed.values():
            self.acknowledgements.hear_change(record.kind, record.lsn, record.stamp_ns, order)

    def _take_act(self, record: Record) -> None:
        payload = payload_of(record)
        # What the watch over strategies notes is no person's act.
        if isinstance(payload, OperatorAct) and payload.by != WRITER:
            self.acts.append(Act(record.lsn, record.stamp_ns, payload))

    def _take_step(self, record: Record) -> None:
        payload = payload_of(record)
        if isinstance(payload, SessionChanged) and payload.state is SessionState.LOGGED_ON:
            self._logons_ns.setdefault(payload.session, []).append(record.stamp_ns)

    def _take_day(self, record: Record) -> None:
        """The log is told of a day some time after it began, at a start after the first logons: those are of that
        day."""
        payload = payload_of(record)
        if isinstance(payload, DayBegan):
            for session, stamps in self._logons_ns.items():
                self._logons_ns[session] = [stamp_ns for stamp_ns in stamps if stamp_ns >= payload.began_ns]
